/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emc_clariion path checker
 *
 * For the arrays of the emc hardware handler: VPD page C0h tells whether the LUN is there for this
 * host, configured for failover, and owned by the storage processor behind this path.  If the other
 * one owns it, the path is usable after activation ("ghost").  On the owner's path a block is read,
 * which an inactive snapshot refuses.
 *
 * multipathd's checker also takes passive paths to such a snapshot for down; a checker here knows
 * only its own path.
 */
#include "checkers/answer.h"
#include "mpath/scsi.h"

#define PAGE	       0xc0
#define PAGE_ASK_LEN   128
#define PAGE_LEN_MIN   49
#define LUN_STATE_AT   4
#define REVISION_AT    9
#define INITIATOR_AT   27
#define INITIATOR_HOST 0x03
#define FAILOVER_AT    28
#define FAILOVER_PNR   0x04
#define FAILOVER_ALUA  0x06
#define OPTIONS_AT     30
#define ARRAYCOMMPATH  0x04
#define NDU_AT	       48
#define LUN_UNBOUND    0
#define LUN_OWNED      2
#define BLOCK_SIZE     512 /* the only one that these arrays have */

struct emc_context {
	unsigned int nr_tries;
	bool reading;
};

static enum check_result emc_ask(struct emc_context *emc, const struct scsi_question *next,
				 enum check_result at_the_end)
{
	if (emc->nr_tries++ == CHECK_TRIES_MAX)
		return at_the_end;
	if (emc->reading)
		ask_scsi_block(next, BLOCK_SIZE);
	else
		ask_scsi_inquiry(next, PAGE, PAGE_ASK_LEN);
	return CHECK_ASK;
}

static bool is_configured(const uint8_t *page)
{
	uint8_t failover = page[FAILOVER_AT] & 0x07;

	return page[INITIATOR_AT] == INITIATOR_HOST &&
	       (failover == FAILOVER_PNR || failover == FAILOVER_ALUA) &&
	       (page[OPTIONS_AT] & ARRAYCOMMPATH);
}

static enum check_result read_page(struct emc_context *emc, const struct scsi_answer *last,
				   const struct scsi_question *next)
{
	const uint8_t *page = last->data;

	if (last->len < PAGE_LEN_MIN || page[1] != PAGE || page[REVISION_AT])
		return CHECK_DOWN;
	if (!is_configured(page) || page[LUN_STATE_AT] == LUN_UNBOUND)
		return CHECK_DOWN;
	if (page[NDU_AT])
		return CHECK_DOWN; /* multipathd's "shaky": no new command for now */
	if (page[LUN_STATE_AT] != LUN_OWNED)
		return CHECK_GHOST;
	emc->reading = true;
	emc->nr_tries = 0;
	return emc_ask(emc, next, CHECK_DOWN);
}

static enum check_result emc_check(void *context, const struct scsi_answer *last,
				   const struct scsi_question *next)
{
	struct emc_context *emc = context;
	enum check_result result, at_the_end;

	if (!last)
		return emc_ask(emc, next, CHECK_DOWN);
	if (!emc->reading && scsi_is_done(last->result))
		return read_page(emc, last, next);
	if (emc->reading && check_medium_error(last->result))
		return CHECK_UP;
	result = check_answer(last->result, &at_the_end);
	if (!emc->reading && result == CHECK_UP)
		return CHECK_ANSWERS; /* busy: it does not say who owns the LUN */
	return result == CHECK_ASK ? emc_ask(emc, next, at_the_end) : result;
}

const struct path_checker_type emc_clariion_checker = {
	.name = "emc_clariion",
	.context_size = sizeof(struct emc_context),
	.check = emc_check,
};
