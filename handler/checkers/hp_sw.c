/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hp_sw path checker
 *
 * For the arrays of the hp_sw hardware handler: a path that answers TEST UNIT READY with NOT READY
 * 02/04/02 is passive, usable after activation ("ghost").
 */
#include "checkers/answer.h"
#include "mpath/scsi.h"

struct hp_sw_context {
	unsigned int nr_tries;
};

static bool is_passive(const struct scsi_result *result)
{
	struct scsi_sense sense;

	return scsi_sense_decode(result->sense, result->sense_len, &sense) && sense.key == 0x02 &&
	       sense.asc == 0x04 && sense.ascq == 0x02;
}

static enum check_result hp_sw_check(void *context, const struct scsi_answer *last,
				     const struct scsi_question *next)
{
	const uint8_t test_unit_ready[6] = {0x00};
	struct hp_sw_context *hp = context;
	enum check_result result = CHECK_ASK, at_the_end = CHECK_DOWN;

	if (last)
		result = check_answer(last->result, &at_the_end);
	if (result == CHECK_LUN_NOT_READY && is_passive(last->result))
		return CHECK_GHOST;
	if (result != CHECK_ASK)
		return result;
	if (hp->nr_tries++ == CHECK_TRIES_MAX)
		return at_the_end;
	ask_scsi(next, test_unit_ready, sizeof(test_unit_ready), SCSI_NO_DATA, 0);
	return CHECK_ASK;
}

const struct path_checker_type hp_sw_checker = {
	.name = "hp_sw",
	.context_size = sizeof(struct hp_sw_context),
	.check = hp_sw_check,
};
