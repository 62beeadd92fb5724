/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emc hardware handler
 *
 * EMC CLARiiON and VNX in PNR mode: a LUN is owned by one of two storage processors.  VPD page C0h
 * tells by which, and a MODE SELECT of page 22h ("trespass") moves it to the one that is asked.
 *
 * Words in the table: [short_trespass honor_reservations], each 0 or 1.  Old FC models know only
 * the short form, and are recognised by their INQUIRY data when no words are given.
 */
#include "hw_handlers/families.h"
#include "mpath/hw_handler.h"
#include "mpath/number.h"
#include "mpath/scsi.h"

#define EMC_WORDS_GIVEN	       0x1 /* hw_handler.flags */
#define EMC_SHORT_TRESPASS     0x2
#define EMC_HONOR_RESERVATIONS 0x4

#define BUFFER_SIZE	    0xfc
#define TRESPASS_TIMEOUT_MS 60000
#define RETRIES_MAX	    3
#define RETRY_PAUSE_NS	    10000000ull

/* VPD page C0h */
#define PAGE_LUN_STATE	   4
#define PAGE_FAILOVER_MODE 28
#define PAGE_NDU	   48 /* not 0: the firmware is being upgraded */
#define PAGE_LEN_MIN	   49
#define LUN_OWNED	   2

/* Page 22h; MODE SELECT has its parameter header of 4 or 8 bytes before it. */
#define TRESPASS_PAGE	   0x22
#define TRESPASS_CODE	   0x01
#define TRESPASS_OVERRIDE  0x80 /* whatever reservation another host may have */
#define TRESPASS_TO_ITSELF 0xff
#define SHORT_TRESPASS_LEN 8
#define LONG_TRESPASS_LEN  19
#define MODE_SELECT_PF	   0x10

enum emc_question { ASKED_MODEL, ASKED_OWNER, ASKED_TRESPASS, ASKED_OWNER_AGAIN };

struct emc_path {
	bool model_known;
	bool old_model;
	enum emc_question asked;
	unsigned int retries;
};

static bool emc_detect(const uint8_t *inquiry, size_t len)
{
	static const struct array_family families[] = {
		{"DGC", "RAID"}, {"DGC", "DISK"}, {"DGC", "VRAID"}, {NULL, NULL}};

	return is_of_family(families, inquiry, len);
}

static bool emc_set_params(struct hw_handler *hh, int argc, const char *const *argv,
			   const char **expected)
{
	uint64_t short_trespass, honor;

	*expected = "expected two words, each 0 or 1 (short_trespass, honor_reservations)";
	if (argc != 2 || !parse_number(argv[0], 1, &short_trespass) ||
	    !parse_number(argv[1], 1, &honor))
		return false;
	hh->flags = EMC_WORDS_GIVEN | (short_trespass ? EMC_SHORT_TRESPASS : 0) |
		    (honor ? EMC_HONOR_RESERVATIONS : 0);
	return true;
}

static void emc_begin(struct hw_handler *hh, struct path *path, enum hw_purpose purpose)
{
	struct emc_path *emc = path->hw_data;

	(void)purpose;

	emc->asked = emc->model_known || (hh->flags & EMC_WORDS_GIVEN) ? ASKED_OWNER : ASKED_MODEL;
	emc->retries = 0;
}

/* --- the model: the long INQUIRY data names it behind the array's serial number --- */

/*
 * An array without that section is an old one, so is one whose model begins with "FC".  False:
 * the data makes no sense.
 */
static bool learn_model(struct emc_path *emc, const uint8_t *data, size_t len)
{
	size_t end = len > 4 ? data[4] + 5u : 0;
	size_t model_len, serial_len;

	if (end > len)
		end = len;
	if (end < 161) {
		emc->old_model = true;
		emc->model_known = len >= 11 && memcmp(data + 8, "DGC", 3) == 0;
		return emc->model_known;
	}
	model_len = data[99];
	serial_len = data[160];
	if (!model_len || !serial_len || 161 + serial_len + model_len > end)
		return false;
	emc->old_model = model_len >= 2 && memcmp(data + 161 + serial_len, "FC", 2) == 0;
	emc->model_known = true;
	return true;
}

/* --- the owner --- */

static enum hw_result ask_owner(struct emc_path *emc, enum emc_question question,
				const struct scsi_question *next)
{
	emc->asked = question;
	ask_scsi_inquiry(next, 0xc0, BUFFER_SIZE);
	return HW_SEND;
}

static enum hw_result trespass_short(const struct scsi_question *next, uint8_t code)
{
	const uint8_t cdb[6] = {0x15, MODE_SELECT_PF, [4] = SHORT_TRESPASS_LEN};
	const uint8_t data[SHORT_TRESPASS_LEN] = {
		[4] = TRESPASS_PAGE, [5] = 2, [6] = code, [7] = TRESPASS_TO_ITSELF};

	memcpy(next->data, data, sizeof(data));
	ask_scsi(next, cdb, sizeof(cdb), SCSI_DATA_OUT, sizeof(data));
	return HW_SEND;
}

static enum hw_result trespass_long(const struct scsi_question *next, uint8_t code)
{
	const uint8_t cdb[10] = {0x55, MODE_SELECT_PF, [8] = LONG_TRESPASS_LEN};
	const uint8_t data[LONG_TRESPASS_LEN] = {[8] = TRESPASS_PAGE,
						 [9] = 9,
						 [10] = code,
						 [11] = TRESPASS_TO_ITSELF,
						 [12] = TRESPASS_TO_ITSELF};

	memcpy(next->data, data, sizeof(data));
	ask_scsi(next, cdb, sizeof(cdb), SCSI_DATA_OUT, sizeof(data));
	return HW_SEND;
}

static enum hw_result trespass(const struct hw_handler *hh, struct emc_path *emc,
			       const struct scsi_question *next)
{
	uint8_t code = TRESPASS_CODE;
	bool is_short =
		hh->flags & EMC_WORDS_GIVEN ? hh->flags & EMC_SHORT_TRESPASS : emc->old_model;

	if (!(hh->flags & EMC_HONOR_RESERVATIONS))
		code |= TRESPASS_OVERRIDE;
	emc->asked = ASKED_TRESPASS;
	next->cmd->timeout_ms = TRESPASS_TIMEOUT_MS;
	return is_short ? trespass_short(next, code) : trespass_long(next, code);
}

static enum hw_result owner_answered(const struct hw_handler *hh, struct emc_path *emc,
				     const struct scsi_answer *last,
				     const struct scsi_question *next)
{
	const uint8_t *page = last->data;
	uint8_t mode;

	if (last->len < PAGE_LEN_MIN || page[1] != 0xc0)
		return HW_NOSYS;
	mode = page[PAGE_FAILOVER_MODE] & 0x0f;
	if (page[PAGE_NDU])
		return HW_BYPASS_PG;
	if (page[PAGE_LUN_STATE] > LUN_OWNED || (mode != 4 && mode != 6))
		return HW_NOSYS;
	if (page[PAGE_LUN_STATE] == LUN_OWNED)
		return HW_DONE;
	if (emc->asked == ASKED_OWNER_AGAIN)
		return HW_RETRY; /* it said GOOD, but did not move the LUN */
	return trespass(hh, emc, next);
}

static enum hw_result good(const struct hw_handler *hh, struct emc_path *emc,
			   const struct scsi_answer *last, const struct scsi_question *next)
{
	switch (emc->asked) {
	case ASKED_MODEL:
		if (!learn_model(emc, last->data, last->len))
			return HW_NOSYS;
		return ask_owner(emc, ASKED_OWNER, next);
	case ASKED_TRESPASS:
		return ask_owner(emc, ASKED_OWNER_AGAIN, next);
	case ASKED_OWNER:
	case ASKED_OWNER_AGAIN:
		return owner_answered(hh, emc, last, next);
	}
	return HW_FAIL_PATH;
}

/* A copy within the array, and a firmware upgrade, must not be disturbed: another group. */
static enum hw_result sense_answered(const struct emc_path *emc, const struct scsi_sense *sense)
{
	bool copying = sense->key == 0x05 && sense->asc == 0x04 && sense->ascq == 0x00;
	bool upgrading = sense->key == 0x02 && sense->asc == 0x04 && sense->ascq == 0x03;

	if (emc->asked == ASKED_TRESPASS && (copying || upgrading))
		return HW_BYPASS_PG;
	return HW_FAIL_PATH;
}

static enum hw_result ask_once_more(const struct hw_handler *hh, struct emc_path *emc,
				    const struct scsi_question *next)
{
	switch (emc->asked) {
	case ASKED_MODEL:
		ask_scsi_inquiry(next, -1, BUFFER_SIZE);
		return HW_SEND;
	case ASKED_TRESPASS:
		return trespass(hh, emc, next);
	case ASKED_OWNER:
	case ASKED_OWNER_AGAIN:
		return ask_owner(emc, emc->asked, next);
	}
	return HW_FAIL_PATH;
}

static enum hw_result emc_go_on(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				const struct scsi_answer *last, const struct scsi_question *next,
				uint64_t *wait_ns)
{
	struct emc_path *emc = path->hw_data;
	struct scsi_sense sense;

	(void)now_ns;

	if (!last)
		return ask_once_more(hh, emc, next);

	switch (scsi_outcome(last, &sense)) {
	case OUTCOME_GOOD:
		return good(hh, emc, last, next);
	case OUTCOME_AGAIN:
		if (emc->retries++ == RETRIES_MAX)
			return HW_FAIL_PATH;
		*wait_ns = RETRY_PAUSE_NS;
		return HW_WAIT;
	case OUTCOME_SENSE:
		return sense_answered(emc, &sense);
	case OUTCOME_CONFLICT:
	case OUTCOME_LOST:
		return HW_FAIL_PATH;
	}
	return HW_FAIL_PATH;
}

static enum hw_sense_opinion emc_check_sense(const struct scsi_sense *sense)
{
	if (sense->key == 0x02 && sense->asc == 0x04 && sense->ascq == 0x03)
		return HW_SENSE_FAIL_PATH; /* the other processor owns the LUN */
	if (sense->key == 0x05 && sense->asc == 0x25 && sense->ascq == 0x01)
		return HW_SENSE_ANSWER; /* an inactive snapshot: the same on every path */
	return HW_NO_OPINION;
}

const struct hw_handler_type emc_handler = {
	.name = "emc",
	.path_size = sizeof(struct emc_path),
	.detect = emc_detect,
	.set_params = emc_set_params,
	.attach = attach_explicit,
	.begin = emc_begin,
	.go_on = emc_go_on,
	.check_sense = emc_check_sense,
};
