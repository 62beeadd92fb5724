/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What checkers and hardware handlers make of an answer, before they look at its meaning.
 */
#include "mpath/scsi.h"

static enum scsi_outcome sense_outcome(const struct scsi_result *result, struct scsi_sense *sense)
{
	/* The sense got lost: asked again, the target tells what it was. */
	if (!scsi_sense_decode(result->sense, result->sense_len, sense))
		return OUTCOME_AGAIN;
	/* About an earlier command, and this one was not carried out (SPC-5 4.4.6). */
	if (sense->deferred)
		return OUTCOME_AGAIN;
	if (sense->key == 0x01) /* RECOVERED ERROR: done, with a warning */
		return OUTCOME_GOOD;
	/* A transition is a state, and no news that is told only once. */
	if (sense->key == 0x06 && !(sense->asc == 0x04 && sense->ascq == 0x0a))
		return OUTCOME_AGAIN;
	return OUTCOME_SENSE;
}

enum scsi_outcome scsi_outcome(const struct scsi_answer *answer, struct scsi_sense *sense)
{
	const struct scsi_result *result = answer->result;

	*sense = (struct scsi_sense){0};
	if (result->transport == TRANSPORT_BUSY)
		return OUTCOME_AGAIN;
	if (result->transport != TRANSPORT_OK)
		return OUTCOME_LOST;

	switch (result->status) {
	case SAM_GOOD:
	case SAM_CONDITION_MET:
		return OUTCOME_GOOD;
	case SAM_CHECK_CONDITION:
		return sense_outcome(result, sense);
	case SAM_BUSY:
	case SAM_TASK_SET_FULL:
	case SAM_ACA_ACTIVE:
	case SAM_TASK_ABORTED:
		return OUTCOME_AGAIN;
	case SAM_RESERVATION_CONFLICT:
		return OUTCOME_CONFLICT;
	}
	return OUTCOME_LOST;
}
