/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hp_sw hardware handler
 *
 * Active/passive arrays of Compaq and HP (MSA1000, EVA, HSG80).  A passive path answers TEST UNIT
 * READY with NOT READY 02/04/02; START STOP UNIT on it moves the LUN to its controller.
 *
 * Words in the table: none
 */
#include "hw_handlers/families.h"
#include "mpath/hw_handler.h"
#include "mpath/scsi.h"

#define START_TIMEOUT_MS 60000
#define RETRIES_MAX	 3
#define RETRY_PAUSE_NS	 10000000ull

enum hp_sw_question { ASKED_READY, ASKED_START };

struct hp_sw_path {
	enum hp_sw_question asked;
	unsigned int retries;
};

static bool hp_sw_detect(const uint8_t *inquiry, size_t len)
{
	static const struct array_family families[] = {
		{"COMPAQ", "MSA1000 VOLUME"},
		{"COMPAQ", "HSV110"},
		{"HP", "HSV100"},
		{"DEC", "HSG80"},
		{NULL, NULL},
	};

	return is_of_family(families, inquiry, len);
}

static void hp_sw_begin(struct hw_handler *hh, struct path *path, enum hw_purpose purpose)
{
	struct hp_sw_path *hp = path->hw_data;

	(void)hh;
	(void)purpose;

	*hp = (struct hp_sw_path){0};
}

static enum hw_result ask_ready(struct hp_sw_path *hp, const struct scsi_question *next)
{
	const uint8_t test_unit_ready[6] = {0x00};

	hp->asked = ASKED_READY;
	ask_scsi(next, test_unit_ready, sizeof(test_unit_ready), SCSI_NO_DATA, 0);
	return HW_SEND;
}

static enum hw_result ask_start(struct hp_sw_path *hp, const struct scsi_question *next)
{
	const uint8_t start_unit[6] = {0x1b, [4] = 0x01};

	hp->asked = ASKED_START;
	ask_scsi(next, start_unit, sizeof(start_unit), SCSI_NO_DATA, 0);
	next->cmd->timeout_ms = START_TIMEOUT_MS;
	return HW_SEND;
}

static enum hw_result try_again(struct hp_sw_path *hp, enum hw_result at_the_end, uint64_t *wait_ns)
{
	if (hp->retries++ == RETRIES_MAX)
		return at_the_end;
	*wait_ns = RETRY_PAUSE_NS;
	return HW_WAIT;
}

static bool is_passive(const struct scsi_sense *sense)
{
	return sense->key == 0x02 && sense->asc == 0x04 && sense->ascq == 0x02;
}

/* "Manual intervention required": here it means that the switch-over is under way. */
static bool is_switching(const struct scsi_sense *sense)
{
	return sense->key == 0x02 && sense->asc == 0x04 && sense->ascq == 0x03;
}

static enum hw_result sense_answered(struct hp_sw_path *hp, const struct scsi_sense *sense,
				     const struct scsi_question *next, uint64_t *wait_ns)
{
	if (hp->asked == ASKED_READY && is_passive(sense))
		return ask_start(hp, next);
	if (hp->asked == ASKED_START && is_switching(sense))
		return try_again(hp, HW_RETRY, wait_ns);
	return HW_FAIL_PATH;
}

static enum hw_result hp_sw_go_on(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				  const struct scsi_answer *last, const struct scsi_question *next,
				  uint64_t *wait_ns)
{
	struct hp_sw_path *hp = path->hw_data;
	struct scsi_sense sense;

	(void)hh;
	(void)now_ns;

	if (!last)
		return hp->asked == ASKED_START ? ask_start(hp, next) : ask_ready(hp, next);

	switch (scsi_outcome(last, &sense)) {
	case OUTCOME_GOOD:
		return HW_DONE;
	case OUTCOME_AGAIN:
		return try_again(hp, HW_FAIL_PATH, wait_ns);
	case OUTCOME_SENSE:
		return sense_answered(hp, &sense, next, wait_ns);
	case OUTCOME_CONFLICT:
	case OUTCOME_LOST:
		return HW_FAIL_PATH;
	}
	return HW_FAIL_PATH;
}

static enum hw_sense_opinion hp_sw_check_sense(const struct scsi_sense *sense)
{
	return is_passive(sense) ? HW_SENSE_FAIL_PATH : HW_NO_OPINION;
}

const struct hw_handler_type hp_sw_handler = {
	.name = "hp_sw",
	.path_size = sizeof(struct hp_sw_path),
	.detect = hp_sw_detect,
	.attach = attach_explicit,
	.begin = hp_sw_begin,
	.go_on = hp_sw_go_on,
	.check_sense = hp_sw_check_sense,
};
