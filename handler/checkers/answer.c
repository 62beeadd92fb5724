/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an answer says about its path: multipathd's tur checker has the rules.
 *
 * Four differences: a path is not taken for down because this host was short of something, nor
 * because the target answers BUSY or completes with a warning: it answers, so the path is up.  Nor
 * because the LUN was stopped or is being formatted: with no path left nobody could start it
 * again, or ask how far the formatting is.  A deferred error is about a command that was answered
 * long before: it says nothing of the path, and is the initiators' (core/hear.c).
 */
#include "checkers/answer.h"
#include "mpath/scsi.h"

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

static enum check_result judge_sense(const struct scsi_result *result)
{
	struct scsi_sense sense;

	if (!scsi_sense_decode(result->sense, result->sense_len, &sense))
		return CHECK_ASK;

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
		return sense_is(&sense, 0x04, 0x0a) ? CHECK_PENDING : CHECK_ASK;
	}
	return CHECK_DOWN;
}

static enum check_result judge_status(const struct scsi_result *result)
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
		return CHECK_ASK;
	case SAM_CHECK_CONDITION:
		return judge_sense(result);
	}
	return CHECK_DOWN;
}

enum check_result check_answer(const struct scsi_result *result, enum check_result *at_the_end)
{
	*at_the_end = CHECK_DOWN;
	if (scsi_is_deferred(result)) {
		*at_the_end = CHECK_PENDING;
		return CHECK_ASK;
	}
	switch (result->transport) {
	case TRANSPORT_OK:
		return judge_status(result);
	case TRANSPORT_BUSY:
		/* Our own shortage says nothing about the path. */
		*at_the_end = CHECK_PENDING;
		return CHECK_ASK;
	case TRANSPORT_FAULT:
		return CHECK_ASK;
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

bool check_medium_error(const struct scsi_result *result)
{
	struct scsi_sense sense;

	return scsi_result_sense(result, &sense) && sense.key == 0x03 && !sense.deferred;
}
