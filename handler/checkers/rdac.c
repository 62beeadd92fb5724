/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdac path checker
 *
 * For the arrays of the rdac hardware handler: VPD page C9h tells whether the controller behind
 * this path owns the LUN.  If the other one does, the path is usable after activation ("ghost"),
 * unless the LUN follows the commands, or they are sent on to its owner.
 */
#include "checkers/answer.h"

#define PAGE_OWNER    0xc9
#define PAGE_ASK_LEN  48
#define OWNER_AT      8
#define OWNER_AVT     0x80 /* moves by itself with the I/O */
#define OWNER_IOSHIP  0x20 /* the other controller sends commands on */
#define OWNER_OURS    0x01
#define NOT_CONNECTED 0xff /* peripheral qualifier and type of a disk that is there are 0 */

struct rdac_context {
	unsigned int nr_tries;
};

static enum check_result read_page(const struct scsi_answer *last)
{
	if (last->len <= OWNER_AT || last->data[1] != PAGE_OWNER || (last->data[0] & NOT_CONNECTED))
		return CHECK_DOWN;
	return last->data[OWNER_AT] & (OWNER_AVT | OWNER_IOSHIP | OWNER_OURS) ? CHECK_UP
									      : CHECK_GHOST;
}

static enum check_result rdac_check(void *context, const struct scsi_answer *last,
				    const struct scsi_question *next)
{
	struct rdac_context *rdac = context;
	enum check_result result = CHECK_ASK, at_the_end = CHECK_DOWN;

	if (last && last->result->transport == TRANSPORT_OK && last->result->status == SAM_GOOD)
		return read_page(last);
	if (last)
		result = check_answer(last->result, &at_the_end);
	if (result == CHECK_UP) /* busy, or reserved: then it does not say who owns the LUN */
		result = CHECK_PENDING;
	if (result != CHECK_ASK)
		return result;
	if (rdac->nr_tries++ == CHECK_TRIES_MAX)
		return at_the_end;
	ask_scsi_inquiry(next, PAGE_OWNER, PAGE_ASK_LEN);
	return CHECK_ASK;
}

const struct path_checker_type rdac_checker = {
	.name = "rdac",
	.context_size = sizeof(struct rdac_context),
	.check = rdac_check,
};
