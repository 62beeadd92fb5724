/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is this path a way to our LUN?  A conversation of INQUIRY, VPD pages and READ CAPACITY, before
 * a path is used, before it comes back, and whenever a unit attention raises a doubt (D8).
 */
#include <string.h>

#include "core/multipath.h"
#include "core/verdict.h"
#include "mpath/scsi.h"

#define UA_RETRIES_MAX 8
/* In a row, each raising a doubt: then there is a pause between them. */
#define DOUBTED_MAX 3

/* A path that cannot be opened for so long does not decide which LUN the map is. */
#define FIRST_PATH_MAX_NS (5 * NSEC_PER_SEC)

#define VPD_SUPPORTED 0x00
#define VPD_SERIAL    0x80
#define VPD_DEVICE_ID 0x83
#define DEVICE_ID_LEN 1024
#define SERIAL_LEN    (4 + LUN_NAMES_MAX)
#define VPD_LIMITS    0xb0
#define VPD_FEATURES  0xb1
#define VPD_THIN      0xb2

/* The questions, in this order. */
enum {
	ASK_INQUIRY,
	ASK_PAGES,
	ASK_WWID,
	ASK_CAPACITY,
	ASK_LIMITS,
	ASK_FEATURES,
	ASK_THIN,
	ASK_SERIAL,
	ASK_END
};

static void ask_capacity(const struct scsi_question *next)
{
	const uint8_t cdb[16] = {[0] = 0x9e, [1] = 0x10, [13] = LUN_CAPACITY_LEN};

	ask_scsi(next, cdb, sizeof(cdb), SCSI_DATA_IN, LUN_CAPACITY_LEN);
}

/* The optional pages, and not those that nobody wants to know. */
static bool is_asked_for(const struct path *path, uint8_t page)
{
	return scsi_lun_has_page(&path->seen, page) &&
	       (page != VPD_SERIAL || wants_serial(path->m) || shows_array(path->m));
}

/* Ask question number path->probe_step; false when there is none left. */
static bool ask(struct path *path, const struct scsi_question *next)
{
	static const uint8_t page_of[] = {
		[ASK_LIMITS] = VPD_LIMITS,
		[ASK_FEATURES] = VPD_FEATURES,
		[ASK_THIN] = VPD_THIN,
		[ASK_SERIAL] = VPD_SERIAL,
	};

	while (path->probe_step >= ASK_LIMITS && path->probe_step < ASK_END &&
	       !is_asked_for(path, page_of[path->probe_step]))
		path->probe_step++;

	switch (path->probe_step) {
	case ASK_INQUIRY:
		ask_scsi_inquiry(next, -1, LUN_INQUIRY_MAX);
		return true;
	case ASK_PAGES:
		ask_scsi_inquiry(next, VPD_SUPPORTED, 255);
		return true;
	case ASK_WWID:
		ask_scsi_inquiry(next, VPD_DEVICE_ID, DEVICE_ID_LEN);
		return true;
	case ASK_CAPACITY:
		ask_capacity(next);
		return true;
	case ASK_LIMITS:
	case ASK_FEATURES:
	case ASK_THIN:
		ask_scsi_inquiry(next, page_of[path->probe_step], LUN_VPD_MAX);
		return true;
	case ASK_SERIAL:
		ask_scsi_inquiry(next, VPD_SERIAL, SERIAL_LEN);
		return true;
	default:
		return false;
	}
}

static bool refuse(struct strbuf *reason, const char *why)
{
	strbuf_printf(reason, "%s", why);
	return false;
}

static size_t least_of(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

static bool learn_inquiry(struct lun_facts *seen, const struct scsi_answer *answer,
			  struct strbuf *reason)
{
	size_t end;

	if (answer->len < 36)
		return refuse(reason, "INQUIRY data is too short");
	if (answer->data[0] >> 5)
		return refuse(reason, "the target has no LUN here (INQUIRY peripheral qualifier)");
	if ((answer->data[0] & 0x1f) != 0)
		return refuse(reason, "not a disk (INQUIRY peripheral device type)");
	/* Not all adapters tell how much has come; and some targets count too few of these 36. */
	end = answer->data[4] + 5u > 36 ? answer->data[4] + 5u : 36;
	seen->inquiry_len = (uint8_t)least_of(answer->len, end, LUN_INQUIRY_MAX);
	memcpy(seen->inquiry, answer->data, seen->inquiry_len);
	if (scsi_inquiry_is_ours(seen->inquiry, seen->inquiry_len))
		return refuse(reason, "a LUN that tcmu-mpath itself exports");
	return true;
}

static void learn_pages(struct lun_facts *seen, const struct scsi_answer *answer)
{
	size_t count;

	if (answer->len < 4)
		return;
	count = answer->data[3];
	if (count > answer->len - 4)
		count = answer->len - 4;
	if (count > sizeof(seen->vpd_pages))
		count = sizeof(seen->vpd_pages);
	memcpy(seen->vpd_pages, answer->data + 4, count);
	seen->nr_vpd_pages = (uint8_t)count;
}

/* Another page than the one that was asked for is none; what lies behind its end is not of it. */
static void learn_page(struct lun_page *page, const struct scsi_answer *answer, uint8_t code)
{
	size_t end;

	if (answer->len < 4 || answer->data[1] != code)
		return;
	end = 4u + (answer->data[2] << 8 | answer->data[3]);
	page->len = (uint8_t)least_of(answer->len, end, LUN_VPD_MAX);
	memcpy(page->data, answer->data, page->len);
}

static void learn_serial(struct path *path, const struct scsi_answer *answer)
{
	bool is_the_page = answer->len >= 4 && answer->data[1] == VPD_SERIAL;
	size_t len = is_the_page ? answer->len - 4 : 0, at = 4;

	if (len && answer->data[3] < len)
		len = answer->data[3];
	if (shows_array(path->m)) {
		path->seen.serial.len = (uint8_t)(len < LUN_NAMES_MAX ? len : LUN_NAMES_MAX);
		memcpy(path->seen.serial.data, answer->data + at, path->seen.serial.len);
	}
	while (len && (answer->data[at] == ' ' || answer->data[at] == '\0')) {
		at++;
		len--;
	}
	scsi_copy_padded(path->serial, sizeof(path->serial), answer->data + at, len);
}

/* What is known of a group is not true of another. */
static void learn_port(struct port_group *tpg, const struct scsi_answer *answer)
{
	uint16_t id_before = tpg->id;

	tpg->known = scsi_port_group_from_vpd83(answer->data, answer->len, &tpg->id);
	if (!tpg->known || tpg->id != id_before)
		tpg->state_known = false;
}

static bool learn_wwid(struct lun_facts *seen, const struct scsi_answer *answer,
		       struct strbuf *reason)
{
	if (!scsi_wwid_from_vpd83(answer->data, answer->len, seen->wwid))
		return refuse(reason, "no WWID: VPD page 83h names no logical unit");
	scsi_local_name_from_vpd83(answer->data, answer->len, seen->local_name);
	return true;
}

static bool learn(struct path *path, const struct scsi_answer *answer, struct strbuf *reason)
{
	struct lun_facts *seen = &path->seen;

	switch (path->probe_step) {
	case ASK_INQUIRY:
		return learn_inquiry(seen, answer, reason);
	case ASK_PAGES:
		learn_pages(seen, answer);
		return true;
	case ASK_WWID:
		if (!learn_wwid(seen, answer, reason))
			return false;
		if (shows_array(path->m))
			scsi_lun_designators(answer->data, answer->len, &seen->designators);
		learn_port(&path->tpg, answer);
		return true;
	case ASK_CAPACITY:
		if (!scsi_capacity_decode(answer->data, answer->len, &seen->nr_blocks,
					  &seen->block_size))
			return refuse(reason, "READ CAPACITY(16) data is not valid");
		memset(seen->capacity, 0, sizeof(seen->capacity));
		memcpy(seen->capacity, answer->data,
		       answer->len < LUN_CAPACITY_LEN ? answer->len : LUN_CAPACITY_LEN);
		return true;
	case ASK_LIMITS:
		learn_page(&seen->limits, answer, VPD_LIMITS);
		return true;
	case ASK_FEATURES:
		learn_page(&seen->features, answer, VPD_FEATURES);
		return true;
	case ASK_THIN:
		learn_page(&seen->thin, answer, VPD_THIN);
		return true;
	default:
		learn_serial(path, answer);
		return true;
	}
}

/*
 * The path's page B0h counts until it brings another one.  A page that it has, but would not show
 * this time (see may_be_refused()), is none; nor does a path that does not list its pages say that
 * there are no limits.
 */
void learn_limits(struct path *path)
{
	const struct lun_facts *seen = &path->seen;

	if (!seen->limits.len && (!seen->nr_vpd_pages || scsi_lun_has_page(seen, VPD_LIMITS)))
		return;
	path->limits = seen->limits;
	path->limits_known = true;
}

/* Other LUNs do not have that name. */
static bool is_one_luns(const char *wwid)
{
	return wwid[0] && !scsi_is_local_name(wwid);
}

/* The map pins the first LUN that it sees: the table's first path that can be had decides. */
static bool an_earlier_path_decides(const struct multipath *m, const struct path *path)
{
	const struct path *earlier;

	if (m->lun.known || is_one_luns(m->settings.wwid) ||
	    m->now_ns - m->started_ns >= FIRST_PATH_MAX_NS)
		return false;
	for_each_path(m, earlier) {
		if (earlier == path)
			return false;
		if (!earlier->settled)
			return true;
	}
	return false;
}

static bool another_path_may_tell(const struct multipath *m, const struct path *path)
{
	const struct path *other;

	if (m->now_ns - m->started_ns >= FIRST_PATH_MAX_NS)
		return false;
	for_each_path(m, other)
		if (other != path && !other->settled)
			return true;
	return false;
}

/*
 * Who is asked at the same time, or is about to be, does not speak for the old size.  Nor who has
 * failed: what it knows is from before that.
 */
bool is_sure_of_size(const struct path *path)
{
	return path->active && path->identified && !path->recheck_identity &&
	       path->probing != PROBE_IDENTIFY;
}

/* But who is asked because of what this path may show does, until it shows that, too. */
static bool another_path_is_sure(const struct multipath *m, const struct path *path)
{
	const struct path *other;

	for_each_path(m, other)
		if (other != path && (is_sure_of_size(other) || other->asked_size))
			return true;
	return false;
}

static bool is_larger(const struct multipath *m, const struct lun_facts *seen)
{
	return m->lun.block_size == seen->block_size && seen->nr_blocks > m->lun.nr_blocks;
}

/* Our LUN, but not as large as the map, whose paths in use may not have heard of it yet. */
bool shows_larger_lun(const struct path *path)
{
	const struct lun_facts *seen = &path->seen;

	return seen->known && path->m->lun.known && strcmp(seen->wwid, path->m->lun.wwid) == 0 &&
	       is_larger(path->m, seen);
}

/* The map may ask for the LUN by either name; which LUN it is, is told by the WWID alone. */
static bool wwid_agrees(const struct multipath *m, const struct lun_facts *seen,
			struct strbuf *reason)
{
	const char *asked_for = m->settings.wwid;

	if (asked_for[0] && !lun_is_called(seen, asked_for)) {
		strbuf_printf(reason, "WWID is %s, the map's is %s", seen->wwid, asked_for);
		return false;
	}
	if (!m->lun.known || strcmp(seen->wwid, m->lun.wwid) == 0)
		return true;
	strbuf_printf(reason, "WWID is %s, the map's is %s", seen->wwid, m->lun.wwid);
	if (asked_for[0])
		strbuf_printf(reason, ", and both LUNs are called %s", asked_for);
	return false;
}

/*
 * A LUN may have grown while nobody used it, or a path in use shows it, too, and no array's word
 * was heard; it never shrinks, and all paths must agree.
 */
static bool size_agrees(const struct multipath *m, const struct path *path, struct strbuf *reason)
{
	const struct lun_facts *seen = &path->seen;

	if (m->backstore.block_size && seen->block_size != m->backstore.block_size) {
		strbuf_printf(reason,
			      "has %u-byte blocks, the backstore %u-byte ones: create it with "
			      "control=hw_block_size=%u",
			      seen->block_size, m->backstore.block_size, seen->block_size);
		return false;
	}
	if (m->table_sectors > seen->nr_blocks * (seen->block_size / 512)) {
		strbuf_printf(reason, "has %llu blocks of %u bytes, the table's LENGTH is %llu",
			      (unsigned long long)seen->nr_blocks, seen->block_size,
			      (unsigned long long)m->table_sectors);
		return false;
	}
	if (!m->lun.known ||
	    (m->lun.block_size == seen->block_size && m->lun.nr_blocks == seen->nr_blocks))
		return true;
	if (is_larger(m, seen) && (path->asked_size || !another_path_is_sure(m, path)))
		return true;
	strbuf_printf(reason, "size is %llu x %u bytes, the map's is %llu x %u",
		      (unsigned long long)seen->nr_blocks, seen->block_size,
		      (unsigned long long)m->lun.nr_blocks, m->lun.block_size);
	return false;
}

static enum identify_result compare(const struct path *path, struct strbuf *reason)
{
	const struct multipath *m = path->m;

	if (an_earlier_path_decides(m, path))
		return IDENTIFY_LATER;
	if (!wwid_agrees(m, &path->seen, reason) || !size_agrees(m, path, reason))
		return IDENTIFY_OTHER;
	return IDENTIFY_OK;
}

static void say_what_failed(const struct scsi_result *result, struct strbuf *reason)
{
	struct scsi_sense sense;

	strbuf_printf(reason, "cannot be identified: ");
	if (result->transport != TRANSPORT_OK)
		strbuf_printf(reason, "no answer");
	else if (scsi_sense_decode(result->sense, result->sense_len, &sense))
		scsi_sense_text(&sense, reason);
	else
		strbuf_printf(reason, "status %02x", result->status);
}

/*
 * It answers, but not this now: that is asked again in a moment.  A path that works, or that nobody
 * has looked at yet, is not down for it; many are asked at once, when a LUN grows under load.
 */
static bool is_busy(const struct path *path, const struct scsi_result *result)
{
	return (path->active || !path->settled) && scsi_has_no_room(result);
}

/* A unit attention or a deferred error is about something else: the same question again. */
static bool ask_again(struct path *path, const struct scsi_result *result)
{
	struct scsi_sense sense;

	if (path->probe_retries == UA_RETRIES_MAX || result->transport != TRANSPORT_OK)
		return false;
	if (scsi_has_no_room(result) ||
	    (scsi_sense_decode(result->sense, result->sense_len, &sense) &&
	     (sense.key == 0x06 || sense.deferred))) {
		path->probe_retries++;
		return true;
	}
	return false;
}

/*
 * A path that has to be activated may not tell the LUN's size before that.
 */
static bool is_passive(const struct path *path, const struct scsi_result *result)
{
	const struct multipath *m = path->m;
	struct scsi_sense sense;

	if (path->probe_step != ASK_CAPACITY || !may_have_hw_handler(m) ||
	    result->transport != TRANSPORT_OK ||
	    !scsi_sense_decode(result->sense, result->sense_len, &sense) || sense.deferred)
		return false;
	return sense.key == 0x02 || (sense.key == 0x05 && sense.asc == 0x94 && sense.ascq == 0x01);
}

/*
 * Its WWID is enough to activate it, if the map knows which one it looks for; before a command goes
 * there it is asked again.
 */
static enum identify_result passive(const struct path *path, const struct scsi_result *result,
				    struct strbuf *reason)
{
	const struct multipath *m = path->m;

	if (!wwid_agrees(m, &path->seen, reason))
		return IDENTIFY_OTHER;
	if (!m->lun.known && !m->settings.wwid[0] && another_path_may_tell(m, path))
		return IDENTIFY_LATER;
	say_what_failed(result, reason);
	return m->lun.known || m->settings.wwid[0] ? IDENTIFY_PASSIVE : IDENTIFY_DOWN;
}

/* The answer is not about the page, but about the path. */
static bool is_about_the_path(const struct scsi_result *result)
{
	switch (judge(result).verdict) {
	case IO_PATH_FAILED:
	case IO_PATH_SUSPECT:
	case IO_TRANSITIONING:
		return true;
	case IO_DONE:
	case IO_RETRY:
	case IO_REIDENTIFY:
	case IO_WRITE_REFUSED:
	case IO_REQUEUE:
	case IO_CANNOT_CARRY:
		return false;
	}
	return false;
}

/* The optional pages may be refused: then the LUN does not have them. */
static bool may_be_refused(const struct path *path, const struct scsi_result *result)
{
	bool optional = path->probe_step == ASK_PAGES || path->probe_step >= ASK_LIMITS;

	return optional && !is_about_the_path(result);
}

/* What was answered before a doubt was raised proves nothing, of a passive path neither. */
static enum identify_result if_not_in_doubt(struct path *path, enum identify_result result)
{
	if (result != IDENTIFY_OK && result != IDENTIFY_PASSIVE)
		return result;
	if (!path->recheck_identity) {
		path->nr_doubted = 0;
		return result;
	}
	if (path->nr_doubted == DOUBTED_MAX)
		return IDENTIFY_LATER;
	path->nr_doubted++;
	return IDENTIFY_DOUBTED;
}

enum identify_result identify(struct path *path, const struct scsi_answer *last,
			      const struct scsi_question *next, struct strbuf *reason)
{
	if (!last) {
		memset(&path->seen, 0, sizeof(path->seen));
	} else if (scsi_is_done(last->result)) {
		if (!learn(path, last, reason))
			return IDENTIFY_OTHER;
		path->probe_step++;
	} else if (is_busy(path, last->result)) {
		return IDENTIFY_LATER;
	} else if (!ask_again(path, last->result)) {
		if (last->result->transport == TRANSPORT_BUSY)
			return IDENTIFY_LATER; /* a local shortage is not the path's fault (H7) */
		if (is_passive(path, last->result))
			return if_not_in_doubt(path, passive(path, last->result, reason));
		if (last->result->transport != TRANSPORT_OK ||
		    !may_be_refused(path, last->result)) {
			say_what_failed(last->result, reason);
			return IDENTIFY_DOWN;
		}
		path->probe_step++;
	}

	if (ask(path, next))
		return IDENTIFY_ASK;
	path->seen.known = true;
	path->serial_known = wants_serial(path->m);
	return if_not_in_doubt(path, compare(path, reason));
}
