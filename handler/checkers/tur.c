/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tur path checker
 *
 * Asks TEST UNIT READY: what the target answers tells whether the path is usable, in standby
 * ("ghost"), in transition, or leads to no LUN any more (answer.c).
 */
#include "checkers/answer.h"

struct tur_context {
	unsigned int nr_tries;
};

static enum check_result tur_check(void *context, const struct scsi_answer *last,
				   const struct scsi_question *next)
{
	const uint8_t test_unit_ready[6] = {0x00};
	struct tur_context *tur = context;
	enum check_result result = CHECK_ASK, at_the_end = CHECK_DOWN;

	if (last)
		result = check_answer(last->result, &at_the_end);
	if (result != CHECK_ASK)
		return result;
	if (tur->nr_tries++ == CHECK_TRIES_MAX)
		return at_the_end;
	ask_scsi(next, test_unit_ready, sizeof(test_unit_ready), SCSI_NO_DATA, 0);
	return CHECK_ASK;
}

const struct path_checker_type tur_checker = {
	.name = "tur",
	.context_size = sizeof(struct tur_context),
	.check = tur_check,
};
