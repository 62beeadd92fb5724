/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdac path checker
 *
 * For the arrays of the rdac hardware handler: VPD page C9h tells whether the controller behind
 * this path owns the LUN.  If the other one does, the path is usable after activation ("ghost"),
 * unless the LUN follows the commands, or they are sent on to its owner.  A controller that is
 * there for nobody (in reset, quiesced, in service mode, ...) or is still booting is not asked to
 * take it over.
 */
#include "checkers/answer.h"
#include "mpath/rdac_page.h"
#include "mpath/scsi.h"

#define USABLE	      (RDAC_OWNER_AVT | RDAC_OWNER_IOSHIP | RDAC_OWNER_OURS)
#define NOT_CONNECTED 0xff /* peripheral qualifier and type of a disk that is there are 0 */

struct rdac_context {
	unsigned int nr_tries;
};

/* Both in transition: the LUN is on its way from one to the other. */
static bool is_out_of_service(const struct scsi_answer *last)
{
	uint8_t state, other;

	if (last->len <= RDAC_STATE_ALT_AT || !(last->data[RDAC_OWNER_AT] & RDAC_OWNER_TPG))
		return false;
	state = last->data[RDAC_STATE_AT] & 0x0f;
	other = last->data[RDAC_STATE_ALT_AT] & 0x0f;
	return state == ALUA_UNAVAILABLE ||
	       (state == ALUA_TRANSITIONING && other != ALUA_TRANSITIONING);
}

static enum check_result read_page(const struct scsi_answer *last)
{
	if (last->len <= RDAC_OWNER_AT || last->data[1] != RDAC_OWNER_PAGE ||
	    (last->data[0] & NOT_CONNECTED))
		return CHECK_DOWN;
	if (is_out_of_service(last))
		return CHECK_DOWN;
	return last->data[RDAC_OWNER_AT] & USABLE ? CHECK_UP : CHECK_GHOST;
}

static enum check_result rdac_check(void *context, const struct scsi_answer *last,
				    const struct scsi_question *next)
{
	struct rdac_context *rdac = context;
	enum check_result result = CHECK_ASK, at_the_end = CHECK_DOWN;

	if (last && scsi_is_done(last->result))
		return read_page(last);
	if (last)
		result = check_answer(last->result, &at_the_end);
	if (result == CHECK_UP) /* busy, or reserved: then it does not say who owns the LUN */
		result = CHECK_ANSWERS;
	if (result != CHECK_ASK)
		return result;
	if (rdac->nr_tries++ == CHECK_TRIES_MAX)
		return at_the_end;
	ask_scsi_inquiry(next, RDAC_OWNER_PAGE, RDAC_OWNER_ASK_LEN);
	return CHECK_ASK;
}

const struct path_checker_type rdac_checker = {
	.name = "rdac",
	.context_size = sizeof(struct rdac_context),
	.check = rdac_check,
};
