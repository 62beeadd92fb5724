/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * directio path checker
 *
 * Reads the first block.  A path on which the controller answers, but commands for the medium do
 * not come through, is up for tur, and would come back again and again; not for this one.
 *
 * multipathd's directio reads through the block layer and knows only up, down and pending.  Here
 * standby and the like are told apart as tur does, and a block that cannot be read is the disk's
 * fault: every path would be down for it.
 */
#include "checkers/answer.h"
#include "mpath/path.h"
#include "mpath/scsi.h"

struct directio_context {
	unsigned int nr_tries;
	uint32_t block_size; /* 0: not known yet */
};

/* The block's size decides how much data a READ of one block brings. */
static enum check_result directio_ask(struct directio_context *dio,
				      const struct scsi_question *next,
				      enum check_result at_the_end)
{
	const uint8_t read_capacity_16[16] = {0x9e, 0x10, [13] = LUN_CAPACITY_LEN};

	if (dio->nr_tries++ == CHECK_TRIES_MAX)
		return at_the_end;
	if (dio->block_size)
		ask_scsi_block(next, dio->block_size);
	else
		ask_scsi(next, read_capacity_16, sizeof(read_capacity_16), SCSI_DATA_IN,
			 LUN_CAPACITY_LEN);
	return CHECK_ASK;
}

static bool is_good(const struct scsi_result *result)
{
	return result->transport == TRANSPORT_OK && result->status == SAM_GOOD;
}

/* A block that is larger than our buffer is not read: that the target answers has to do. */
static enum check_result capacity_answered(struct directio_context *dio,
					   const struct scsi_answer *last,
					   const struct scsi_question *next)
{
	uint64_t nr_blocks;

	if (!scsi_capacity_decode(last->data, last->len, &nr_blocks, &dio->block_size))
		return CHECK_DOWN;
	if (dio->block_size > PATH_PROBE_BUF_SIZE)
		return CHECK_UP;
	dio->nr_tries = 0;
	return directio_ask(dio, next, CHECK_DOWN);
}

static enum check_result directio_check(void *context, const struct scsi_answer *last,
					const struct scsi_question *next)
{
	struct directio_context *dio = context;
	enum check_result result, at_the_end;

	if (!last)
		return directio_ask(dio, next, CHECK_DOWN);
	if (is_good(last->result) && !dio->block_size)
		return capacity_answered(dio, last, next);
	if (check_medium_error(last->result))
		return CHECK_UP;
	result = check_answer(last->result, &at_the_end);
	return result == CHECK_ASK ? directio_ask(dio, next, at_the_end) : result;
}

const struct path_checker_type directio_checker = {
	.name = "directio",
	.context_size = sizeof(struct directio_context),
	.check = directio_check,
};
