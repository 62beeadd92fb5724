/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verdict on one answer.
 *
 * If the target answered, its word counts and goes up to the bit, unless its sense is about the
 * path or asks for patience (DESIGN D10).  So one malformed command cannot fail every path, as it
 * would under dm-multipath, where all but a few errors are path errors (hazards.md H6).
 */
#include "core/verdict.h"
#include "mpath/scsi.h"

#define ANY -1

#define NOT_READY	0x2
#define MEDIUM_ERROR	0x3
#define ILLEGAL_REQUEST 0x5
#define UNIT_ATTENTION	0x6
#define DATA_PROTECT	0x7
#define ABORTED_COMMAND 0xb

struct sense_row {
	uint8_t key;
	int16_t asc;  /* or ANY */
	int16_t ascq; /* or ANY */
	struct verdict verdict;
};

#define NOT_RUN	     false
#define MAY_HAVE_RUN true

/*
 * Senses that do not simply go up.  The first row that fits decides; no row: IO_DONE.
 * "A5", "B2" and "B3" are the sections of reference/dm-multipath.md that a row answers to.
 */
static const struct sense_row sense_rows[] = {
	/* A5: 04/01 and 04/0A are retried on the same path; B2: 04/0A waits for the port group. */
	{NOT_READY, 0x04, 0x01, {IO_RETRY, NOT_RUN, "becoming ready"}},
	{NOT_READY, 0x04, 0x0a, {IO_TRANSITIONING, NOT_RUN, "port group in transition"}},
	/* B2: standby and unavailable fall through all rules and fail the path. */
	{NOT_READY, 0x04, 0x0b, {IO_PATH_FAILED, NOT_RUN, "standby"}},
	{NOT_READY, 0x04, 0x0c, {IO_PATH_FAILED, NOT_RUN, "unavailable"}},
	/* SPC-5 5.18.2.7: the target port group's "offline", of which only other ports are free. */
	{NOT_READY, 0x04, 0x12, {IO_PATH_FAILED, NOT_RUN, "offline"}},
	/* Any other NOT READY fails the path in dm; here it is the LUN's state and goes up (H6). */

	{UNIT_ATTENTION, 0x04, 0x01, {IO_RETRY, NOT_RUN, "becoming ready"}}, /* A5 */
	{UNIT_ATTENTION,
	 0x04,
	 0x0a,
	 {IO_TRANSITIONING, NOT_RUN, "port group in transition"}}, /* B2 */
	/*
	 * B2 retries these as other resets (each path repeats them; but see judge_reset()).  They
	 * are all that a new nexus has to say, and the target may have been set up anew (D8).
	 */
	{UNIT_ATTENTION, 0x29, 0x00, {IO_REIDENTIFY, NOT_RUN, "reset, or a new nexus"}},
	{UNIT_ATTENTION, 0x29, 0x01, {IO_REIDENTIFY, NOT_RUN, "power on"}},
	{UNIT_ATTENTION, 0x29, 0x07, {IO_REIDENTIFY, NOT_RUN, "nexus lost"}},
	{UNIT_ATTENTION, 0x29, ANY, {IO_RETRY, NOT_RUN, "reset"}},
	/* B2: about the back end's port groups, which the initiator never sees. */
	{UNIT_ATTENTION, 0x2a, 0x06, {IO_RETRY, NOT_RUN, "port group state changed"}},
	{UNIT_ATTENTION, 0x2a, 0x07, {IO_RETRY, NOT_RUN, "implicit transition failed"}},
	/* B2 retries these two blindly; the LUN behind the path may have been exchanged (D8). */
	{UNIT_ATTENTION, 0x3f, 0x03, {IO_REIDENTIFY, NOT_RUN, "INQUIRY data changed"}},
	{UNIT_ATTENTION, 0x3f, 0x0e, {IO_REIDENTIFY, NOT_RUN, "LUN list changed"}},
	/* A5: other unit attentions go up: mode pages, capacity, reservations must be heard of. */

	/* A5 fails the path at once; other paths may disagree, so the path is probed first. */
	{ILLEGAL_REQUEST, 0x25, 0x00, {IO_PATH_SUSPECT, NOT_RUN, "LUN not supported"}},
	/* A5, B3: RDAC, the other controller owns the LUN. */
	{ILLEGAL_REQUEST, 0x94, 0x01, {IO_PATH_FAILED, NOT_RUN, "owned by the other controller"}},
	/* A5 fails the path on most other ILLEGAL REQUEST; here they go up (H6). */

	/* A5, F43: other data protection, and a full LUN (27/07), is the LUN's, and goes up. */
	{DATA_PROTECT, 0x27, 0x00, {IO_WRITE_REFUSED, NOT_RUN, "write protected"}},

	/* A5: DIF errors are the data's fault; a duration limit that ran out is no reason to retry.
	 */
	{ABORTED_COMMAND, 0x10, ANY, {IO_DONE, MAY_HAVE_RUN, "protection information"}},
	{ABORTED_COMMAND, 0x2e, 0x01, {IO_DONE, MAY_HAVE_RUN, "duration limit"}},
	{ABORTED_COMMAND, 0x2e, 0x02, {IO_DONE, MAY_HAVE_RUN, "duration limit"}},
	{ABORTED_COMMAND, 0x2e, 0x03, {IO_DONE, MAY_HAVE_RUN, "duration limit"}},
	/* A5; half of it may have been done when it was aborted. */
	{ABORTED_COMMAND, ANY, ANY, {IO_RETRY, MAY_HAVE_RUN, "aborted command"}},

	/* A5: unreadable for good; all other medium errors are worth another try. */
	{MEDIUM_ERROR, 0x11, ANY, {IO_DONE, MAY_HAVE_RUN, "unrecovered read error"}},
	{MEDIUM_ERROR, 0x13, ANY, {IO_DONE, MAY_HAVE_RUN, "address mark not found"}},
	{MEDIUM_ERROR, 0x14, ANY, {IO_DONE, MAY_HAVE_RUN, "record not found"}},
	{MEDIUM_ERROR, ANY, ANY, {IO_RETRY, MAY_HAVE_RUN, "medium error"}},
};

static const struct verdict answered = {IO_DONE, MAY_HAVE_RUN, "answered"};

static bool fits(const struct sense_row *row, const struct scsi_sense *sense)
{
	return row->key == sense->key && (row->asc == ANY || row->asc == sense->asc) &&
	       (row->ascq == ANY || row->ascq == sense->ascq);
}

static struct verdict judge_sense(const struct scsi_result *result)
{
	struct scsi_sense sense;
	size_t i;

	/* The sense got lost on its way; asked again, the target tells what it was. */
	if (!scsi_sense_decode(result->sense, result->sense_len, &sense))
		return (struct verdict){IO_RETRY, MAY_HAVE_RUN, "check condition without sense"};
	/*
	 * SPC-5 4.4.6: this command was not executed, since an earlier one, that was answered GOOD,
	 * has failed since.  The target says so once: a retry would hide the loss of data.
	 */
	if (sense.deferred)
		return (struct verdict){IO_DONE, NOT_RUN, "deferred error"};

	for (i = 0; i < sizeof(sense_rows) / sizeof(sense_rows[0]); i++)
		if (fits(&sense_rows[i], &sense))
			return sense_rows[i].verdict;
	return answered;
}

static struct verdict judge_status(const struct scsi_result *result)
{
	switch (result->status) {
	case SAM_GOOD:
	case SAM_CONDITION_MET:
	case SAM_RESERVATION_CONFLICT:
	case SAM_ACA_ACTIVE:
		return answered;
	case SAM_TASK_ABORTED:
		/* Another initiator meant it; whether to try again is for ours to decide. */
		return (struct verdict){IO_DONE, MAY_HAVE_RUN, "task aborted"};
	case SAM_BUSY:
		return (struct verdict){IO_RETRY, NOT_RUN, "busy"};
	case SAM_TASK_SET_FULL:
		return (struct verdict){IO_RETRY, NOT_RUN, "task set full"};
	case SAM_CHECK_CONDITION:
		return judge_sense(result);
	}
	return answered; /* obsolete or unheard of, but the target's */
}

struct verdict judge(const struct scsi_result *result)
{
	switch (result->transport) {
	case TRANSPORT_OK:
		return judge_status(result);
	case TRANSPORT_BUSY:
		return (struct verdict){IO_REQUEUE, NOT_RUN, "local resource used up"};
	case TRANSPORT_REFUSED:
		return (struct verdict){IO_CANNOT_CARRY, NOT_RUN, "refused by this host"};
	case TRANSPORT_NOT_SENT:
		return (struct verdict){IO_PATH_FAILED, NOT_RUN, "path not ready"};
	case TRANSPORT_GONE:
		return (struct verdict){IO_PATH_FAILED, NOT_RUN, "device gone"};
	case TRANSPORT_LOST:
		return (struct verdict){IO_PATH_FAILED, MAY_HAVE_RUN, "transport lost"};
	case TRANSPORT_ORPHANED:
		return (struct verdict){IO_PATH_FAILED, MAY_HAVE_RUN, "device gone with it"};
	case TRANSPORT_TIMEOUT:
		return (struct verdict){IO_PATH_SUSPECT, MAY_HAVE_RUN, "timeout"};
	case TRANSPORT_FAULT:
		return (struct verdict){IO_PATH_SUSPECT, MAY_HAVE_RUN, "host adapter error"};
	}
	return (struct verdict){IO_PATH_SUSPECT, MAY_HAVE_RUN, "unknown transport error"};
}

static bool is_empty_read(const struct scsi_cmd *cmd, const struct scsi_result *result)
{
	uint64_t lba;

	return cmd->dir == SCSI_DATA_IN && result->residual >= cmd->data_len &&
	       scsi_cdb_read_lba(cmd->cdb, cmd->cdb_len, &lba);
}

/* RECOVERED ERROR is no better than GOOD: a disk driver takes it for that, and cannot be told more.
 */
bool is_short_transfer(const struct scsi_cmd *cmd, const struct scsi_result *result)
{
	return result->residual && scsi_is_done(result) &&
	       (scsi_cdb_writes_blocks(cmd) || is_empty_read(cmd, result));
}
