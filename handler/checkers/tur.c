/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tur path checker
 *
 * Asks TEST UNIT READY and follows multipathd's tur checker: what the target answers tells whether
 * the path is usable, in standby ("ghost"), in transition, or leads to no LUN any more.
 *
 * Three differences: a path is not taken for down because this host was short of something, nor
 * because the target answers BUSY or completes with a warning: it answers, so the path is up.  Nor
 * because the LUN was stopped or is being formatted: with no path left nobody could start it
 * again, or ask how far the formatting is.
 */
#include "mpath/path_checker.h"
#include "mpath/scsi.h"

#define TUR_TRIES_MAX 5
#define TUR_CDB_LEN   6

struct tur_context {
	unsigned int nr_tries;
};

static enum check_result tur_ask(struct tur_context *tur, const struct scsi_question *next)
{
	tur->nr_tries++;
	next->cmd->cdb_len = TUR_CDB_LEN; /* the CDB itself is all zero */
	next->cmd->dir = SCSI_NO_DATA;
	next->cmd->data_len = 0;
	return CHECK_ASK;
}

static enum check_result tur_ask_again(struct tur_context *tur, const struct scsi_question *next,
				       enum check_result at_the_end)
{
	return tur->nr_tries < TUR_TRIES_MAX ? tur_ask(tur, next) : at_the_end;
}

static bool sense_is(const struct scsi_sense *sense, uint8_t asc, uint8_t ascq)
{
	return sense->asc == asc && sense->ascq == ascq;
}

/* NOT READY for a reason that an initiator gave, and that only it can end or wait for. */
static bool is_about_the_lun(const struct scsi_sense *sense)
{
	if (sense->asc == 0x3a) /* medium not present */
		return true;
	if (sense->asc != 0x04)
		return false;
	switch (sense->ascq) {
	case 0x02: /* initializing command required: it was stopped */
	case 0x04: /* format in progress */
	case 0x07: /* operation in progress */
	case 0x09: /* self-test in progress */
	case 0x1b: /* sanitize in progress */
		return true;
	}
	return false;
}

static enum check_result tur_check_sense(struct tur_context *tur, const struct scsi_result *result,
					 const struct scsi_question *next)
{
	struct scsi_sense sense;

	if (!scsi_sense_decode(result->sense, result->sense_len, &sense))
		return tur_ask_again(tur, next, CHECK_DOWN);

	switch (sense.key) {
	case 0x1: /* RECOVERED ERROR: done, with a warning (a failing disk, ...) */
		return CHECK_UP;
	case 0x2: /* NOT READY */
		if (sense_is(&sense, 0x04, 0x0a))
			return CHECK_PENDING;
		if (sense_is(&sense, 0x04, 0x0b))
			return CHECK_GHOST;
		return is_about_the_lun(&sense) ? CHECK_LUN_NOT_READY : CHECK_DOWN;
	case 0x5: /* ILLEGAL REQUEST */
		return sense_is(&sense, 0x25, 0x00) ? CHECK_LUN_GONE : CHECK_DOWN;
	case 0x6: /* UNIT ATTENTION: told once, the next answer is the state */
		if (sense_is(&sense, 0x04, 0x0a))
			return CHECK_PENDING;
		return tur_ask_again(tur, next, CHECK_DOWN);
	}
	return CHECK_DOWN;
}

static enum check_result tur_check_status(struct tur_context *tur, const struct scsi_result *result,
					  const struct scsi_question *next)
{
	switch (result->status) {
	case SAM_GOOD:
	case SAM_CONDITION_MET:
	case SAM_BUSY:
	case SAM_TASK_SET_FULL:
	case SAM_ACA_ACTIVE:
	case SAM_RESERVATION_CONFLICT: /* reserved for another host, but there */
		return CHECK_UP;
	case SAM_TASK_ABORTED:
		return tur_ask_again(tur, next, CHECK_DOWN);
	case SAM_CHECK_CONDITION:
		return tur_check_sense(tur, result, next);
	}
	return CHECK_DOWN;
}

static enum check_result tur_check(void *context, const struct scsi_answer *last,
				   const struct scsi_question *next)
{
	struct tur_context *tur = context;

	if (!last)
		return tur_ask(tur, next);

	switch (last->result->transport) {
	case TRANSPORT_OK:
		return tur_check_status(tur, last->result, next);
	case TRANSPORT_BUSY:
		/* Our own shortage says nothing about the path. */
		return tur_ask_again(tur, next, CHECK_PENDING);
	case TRANSPORT_FAULT:
		return tur_ask_again(tur, next, CHECK_DOWN);
	case TRANSPORT_REFUSED:
	case TRANSPORT_NOT_SENT:
	case TRANSPORT_GONE:
	case TRANSPORT_LOST:
	case TRANSPORT_TIMEOUT:
	case TRANSPORT_ORPHANED:
		return CHECK_DOWN;
	}
	return CHECK_DOWN;
}

const struct path_checker_type tur_checker = {
	.name = "tur",
	.context_size = sizeof(struct tur_context),
	.check = tur_check,
};
