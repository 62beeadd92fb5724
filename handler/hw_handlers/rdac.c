/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdac hardware handler
 *
 * LSI/Engenio/NetApp E-Series and its many names: a LUN is owned by one of two controllers.  VPD
 * page C9h tells whether by the one that is asked, and a MODE SELECT of page 2Ch, "transfer the
 * specified LUNs", moves it there.
 *
 * Words in the table: none
 *
 * In IOSHIP mode either controller serves the LUN, and sends the commands on to the owner: it is
 * moved only to the controller that the array prefers.
 *
 * LUNs that are to be moved at the same time, of whatever maps, go into one MODE SELECT
 * (rdac_transfer.h).  The array answers that its command lock is taken (05/91/36) while it moves
 * others, and is asked again until it has moved them all.
 */
#include "hw_handlers/families.h"
#include "hw_handlers/rdac_transfer.h"
#include "mpath/hw_handler.h"
#include "mpath/rdac_page.h"
#include "mpath/scsi.h"

#define MODE_SELECT_TIMEOUT_MS 60000
#define RETRIES_MAX	       5
#define RETRY_PAUSE_NS	       10000000ull
/* Together as long as one MODE SELECT may take: the array moves other LUNs, each for a second. */
#define LOCKED_MAX	300
#define LOCKED_PAUSE_NS 200000000ull
/* As long at the most for another path, which asks for our LUN, too. */
#define TURNS_MAX     3000
#define TURN_PAUSE_NS 20000000ull

/* VPD pages */
#define PAGE_LUN	   0xc8
#define PAGE_LUN_LEN	   175
#define LUN_AT		   174 /* the last byte of the LUN's number */
#define PAGE_FEATURES	   0xc2
#define FEATURES_ASK_LEN   255
#define MAX_LUN_AT	   15
#define PRIORITY_AT	   9
#define PRIORITY_PREFERRED 0x01

/* The redundant controller page, behind MODE SELECT's header. */
#define PAGE_CONTROLLER		0x2c
#define EXPANDED_SUBPAGE	0x01
#define SHORT_LEN		110
#define EXPANDED_LEN		308
#define LUNS_OF_SHORT		32
#define MODE_TRANSFER_SPECIFIED 0x02
#define QUIESCENCE_S		20
#define OPTION_FORCED		0x02
#define LUN_TO_US		0x81
/* Within the page, from the controllers' serial numbers on, which stay empty: this one is meant. */
#define MODE_AT	      33
#define QUIESCENCE_AT 36
#define OPTIONS_AT    37
#define LUNS_AT	      38

enum rdac_question { ASKED_LUN, ASKED_FEATURES, ASKED_OWNER, ASKED_MOVE };

struct rdac_path {
	bool known; /* the two below are */
	bool expanded;
	uint8_t lun;
	enum rdac_question asked;
	unsigned int retries;
	unsigned int locked;
	unsigned int turns;
	struct rdac_transfer transfer;
};

static bool rdac_detect(const uint8_t *inquiry, size_t len)
{
	static const struct array_family families[] = {
		{"IBM", "1722"},
		{"IBM", "1724"},
		{"IBM", "1726"},
		{"IBM", "1742"},
		{"IBM", "1745"},
		{"IBM", "1746"},
		{"IBM", "1813"},
		{"IBM", "1814"},
		{"IBM", "1815"},
		{"IBM", "1818"},
		{"IBM", "3526"},
		{"IBM", "3542"},
		{"IBM", "3552"},
		{"SGI", "TP9300"},
		{"SGI", "TP9400"},
		{"SGI", "TP9500"},
		{"SGI", "TP9700"},
		{"SGI", "IS"},
		{"STK", "OPENstorage"},
		{"STK", "FLEXLINE 380"},
		{"STK", "BladeCtlr"},
		{"SUN", "CSM"},
		{"SUN", "LCSM100"},
		{"SUN", "STK6580_6780"},
		{"SUN", "SUN_6180"},
		{"SUN", "ArrayStorage"},
		{"DELL", "MD3"},
		{"NETAPP", "INF-01-00"},
		{"LSI", "INF-01-00"},
		{"ENGENIO", "INF-01-00"},
		{"LENOVO", "DE_Series"},
		{"FUJITSU", "ETERNUS_AHB"},
		{NULL, NULL},
	};

	return is_of_family(families, inquiry, len);
}

static void rdac_begin(struct hw_handler *hh, struct path *path, enum hw_purpose purpose)
{
	struct rdac_path *rdac = path->hw_data;

	(void)hh;
	(void)purpose;

	rdac->asked = rdac->known ? ASKED_OWNER : ASKED_LUN;
	rdac->retries = 0;
	rdac->locked = 0;
	rdac->turns = 0;
}

/* Who has led and did not hear that it is done leaves it to another. */
static void rdac_end(struct hw_handler *hh, struct path *path)
{
	struct rdac_path *rdac = path->hw_data;

	(void)hh;

	rdac_transfer_end(&rdac->transfer, RDAC_WAITS);
}

/* --- MODE SELECT --- */

/* Of the short page no LUN is behind its end: it is led by who has it, for those who have it. */
static void fill_page(const struct rdac_path *rdac, uint8_t *page)
{
	page[MODE_AT] = MODE_TRANSFER_SPECIFIED;
	page[QUIESCENCE_AT] = QUIESCENCE_S;
	page[OPTIONS_AT] = OPTION_FORCED;
	for (size_t lun = 0; lun < RDAC_NR_LUNS; lun++)
		if (rdac_transfer_has(&rdac->transfer, (uint8_t)lun))
			page[LUNS_AT + lun] = LUN_TO_US;
}

static enum hw_result move_short(const struct rdac_path *rdac, const struct scsi_question *next)
{
	const uint8_t cdb[6] = {0x15, [4] = SHORT_LEN};

	memset(next->data, 0, SHORT_LEN);
	next->data[4] = PAGE_CONTROLLER;
	next->data[5] = 0x68;
	fill_page(rdac, next->data + 6);
	ask_scsi(next, cdb, sizeof(cdb), SCSI_DATA_OUT, SHORT_LEN);
	return HW_SEND;
}

static enum hw_result move_expanded(const struct rdac_path *rdac, const struct scsi_question *next)
{
	const uint8_t cdb[10] = {0x55, [7] = EXPANDED_LEN >> 8, [8] = EXPANDED_LEN & 0xff};

	memset(next->data, 0, EXPANDED_LEN);
	next->data[8] = PAGE_CONTROLLER | 0x40; /* has subpages */
	next->data[9] = EXPANDED_SUBPAGE;
	next->data[10] = 0x01;
	next->data[11] = 0x28;
	fill_page(rdac, next->data + 12);
	ask_scsi(next, cdb, sizeof(cdb), SCSI_DATA_OUT, EXPANDED_LEN);
	return HW_SEND;
}

static enum hw_result send_move(const struct rdac_path *rdac, const struct scsi_question *next)
{
	next->cmd->timeout_ms = MODE_SELECT_TIMEOUT_MS;
	return rdac->expanded ? move_expanded(rdac, next) : move_short(rdac, next);
}

/* --- whose turn it is to send it --- */

static enum hw_result wait_for_turn(struct rdac_path *rdac, uint64_t *wait_ns)
{
	if (rdac->turns++ == TURNS_MAX)
		return HW_RETRY;
	*wait_ns = TURN_PAUSE_NS;
	return HW_WAIT;
}

/* One of the LUNs may be to blame, and nobody says which. */
static enum hw_result move_alone(struct rdac_path *rdac, const struct scsi_question *next)
{
	rdac_transfer_end(&rdac->transfer, RDAC_REFUSED);
	rdac_transfer_begin(&rdac->transfer, 0, rdac->expanded, rdac->lun);
	rdac_transfer_turn(&rdac->transfer);
	return send_move(rdac, next);
}

static enum hw_result move(struct rdac_path *rdac, const struct path *path,
			   const struct scsi_question *next, uint64_t *wait_ns)
{
	if (!rdac->transfer.wanted)
		rdac_transfer_begin(&rdac->transfer, path->facts.nexus, rdac->expanded, rdac->lun);
	switch (rdac_transfer_turn(&rdac->transfer)) {
	case RDAC_LEADS:
		return send_move(rdac, next);
	case RDAC_WAITS:
		return wait_for_turn(rdac, wait_ns);
	case RDAC_MOVED:
		return HW_DONE;
	case RDAC_REFUSED:
		return move_alone(rdac, next);
	}
	return HW_FAIL_PATH;
}

/* --- the conversation --- */

static enum hw_result ask(const struct path *path, const struct scsi_question *next,
			  uint64_t *wait_ns)
{
	struct rdac_path *rdac = path->hw_data;

	switch (rdac->asked) {
	case ASKED_LUN:
		ask_scsi_inquiry(next, PAGE_LUN, PAGE_LUN_LEN);
		return HW_SEND;
	case ASKED_FEATURES:
		ask_scsi_inquiry(next, PAGE_FEATURES, FEATURES_ASK_LEN);
		return HW_SEND;
	case ASKED_OWNER:
		ask_scsi_inquiry(next, RDAC_OWNER_PAGE, RDAC_OWNER_ASK_LEN);
		return HW_SEND;
	case ASKED_MOVE:
		return move(rdac, path, next, wait_ns);
	}
	return HW_FAIL_PATH;
}

static bool is_page(const struct scsi_answer *answer, uint8_t page, size_t len_min)
{
	return answer->len >= len_min && answer->data[1] == page;
}

static bool must_be_moved(const struct scsi_answer *page)
{
	uint8_t owner = page->data[RDAC_OWNER_AT];

	if (owner & RDAC_OWNER_OURS)
		return false;
	if (owner & RDAC_OWNER_IOSHIP)
		return page->len > PRIORITY_AT && page->data[PRIORITY_AT] & PRIORITY_PREFERRED;
	return !(owner & RDAC_OWNER_AVT);
}

/* What was asked for is there.  HW_SEND: there is more to ask, and rdac->asked says what. */
static enum hw_result good(struct rdac_path *rdac, const struct scsi_answer *last)
{
	switch (rdac->asked) {
	case ASKED_LUN:
		if (!is_page(last, PAGE_LUN, LUN_AT + 1) || memcmp(last->data + 4, "edid", 4) != 0)
			return HW_NOSYS;
		rdac->lun = last->data[LUN_AT];
		rdac->asked = ASKED_FEATURES;
		return HW_SEND;
	case ASKED_FEATURES:
		if (!is_page(last, PAGE_FEATURES, MAX_LUN_AT + 1))
			return HW_NOSYS;
		rdac->expanded = last->data[MAX_LUN_AT] >= LUNS_OF_SHORT;
		if (!rdac->expanded && rdac->lun >= LUNS_OF_SHORT)
			return HW_NOSYS; /* it contradicts itself, and the page has no such LUN */
		rdac->known = true;
		rdac->asked = ASKED_OWNER;
		return HW_SEND;
	case ASKED_OWNER:
		if (!is_page(last, RDAC_OWNER_PAGE, RDAC_OWNER_AT + 1))
			return HW_NOSYS;
		rdac->asked = ASKED_MOVE;
		return must_be_moved(last) ? HW_SEND : HW_DONE;
	case ASKED_MOVE:
		rdac_transfer_end(&rdac->transfer, RDAC_MOVED);
		return HW_DONE;
	}
	return HW_FAIL_PATH;
}

static enum hw_result try_again(struct rdac_path *rdac, enum hw_result at_the_end,
				uint64_t *wait_ns)
{
	if (rdac->retries++ == RETRIES_MAX)
		return at_the_end;
	*wait_ns = RETRY_PAUSE_NS;
	return HW_WAIT;
}

static enum hw_result wait_for_lock(struct rdac_path *rdac, uint64_t *wait_ns)
{
	if (rdac->locked++ == LOCKED_MAX)
		return HW_RETRY;
	*wait_ns = LOCKED_PAUSE_NS;
	return HW_WAIT;
}

static enum hw_result sense_answered(struct rdac_path *rdac, const struct scsi_sense *sense,
				     const struct scsi_question *next, uint64_t *wait_ns)
{
	unsigned int asc = (unsigned int)sense->asc << 8 | sense->ascq;
	bool locked = sense->key == 0x05 && asc == 0x9136;
	bool passes =
		sense->key == 0x00 || sense->key == 0x0b || (sense->key == 0x02 && asc == 0x0401);

	if (rdac->asked != ASKED_MOVE)
		return HW_FAIL_PATH;
	if (locked)
		return wait_for_lock(rdac, wait_ns);
	if (passes)
		return try_again(rdac, HW_RETRY, wait_ns);
	return rdac->transfer.shared ? move_alone(rdac, next) : HW_FAIL_PATH;
}

static enum hw_result rdac_go_on(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				 const struct scsi_answer *last, const struct scsi_question *next,
				 uint64_t *wait_ns)
{
	struct rdac_path *rdac = path->hw_data;
	struct scsi_sense sense;
	enum hw_result result;

	(void)hh;
	(void)now_ns;

	if (!last)
		return ask(path, next, wait_ns);

	switch (scsi_outcome(last, &sense)) {
	case OUTCOME_GOOD:
		result = good(rdac, last);
		return result == HW_SEND ? ask(path, next, wait_ns) : result;
	case OUTCOME_AGAIN:
		return try_again(rdac, rdac->asked == ASKED_MOVE ? HW_RETRY : HW_FAIL_PATH,
				 wait_ns);
	case OUTCOME_SENSE:
		return sense_answered(rdac, &sense, next, wait_ns);
	case OUTCOME_CONFLICT:
	case OUTCOME_LOST:
		return HW_FAIL_PATH;
	}
	return HW_FAIL_PATH;
}

/* The array moves LUNs, and has commands wait for that, or the new owner is not ready yet. */
static enum hw_sense_opinion rdac_check_sense(const struct scsi_sense *sense)
{
	unsigned int asc = (unsigned int)sense->asc << 8 | sense->ascq;

	switch (sense->key) {
	case 0x02:
		/* Becoming ready; quiescence in progress, or achieved. */
		if (asc == 0x0401 || asc == 0x04a1 || asc == 0xa102)
			return HW_SENSE_TRANSITIONING;
		if (asc == 0x0481) /* the controllers' firmware does not match */
			return HW_SENSE_FAIL_PATH;
		break;
	case 0x05:
		if (asc == 0x9401) /* the other controller owns the LUN */
			return HW_SENSE_FAIL_PATH;
		break;
	case 0x06:
		if (asc == 0x8b02) /* quiescence */
			return HW_SENSE_TRANSITIONING;
		break;
	}
	return HW_NO_OPINION;
}

const struct hw_handler_type rdac_handler = {
	.name = "rdac",
	.path_size = sizeof(struct rdac_path),
	.detect = rdac_detect,
	.attach = attach_explicit,
	.begin = rdac_begin,
	.go_on = rdac_go_on,
	.end = rdac_end,
	.check_sense = rdac_check_sense,
};
