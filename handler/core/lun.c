/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the map knows of its LUN, and the commands that are answered from it.
 */
#include <inttypes.h>
#include <string.h>

#include "core/multipath.h"
#include "mpath/scsi.h"

const struct lun_facts *mpath_lun(const struct multipath *m)
{
	return &m->lun;
}

bool lun_is_called(const struct lun_facts *lun, const char *wwid)
{
	return strcmp(lun->wwid, wwid) == 0 || strcmp(lun->local_name, wwid) == 0;
}

uint64_t path_max_transfer(const struct path *path)
{
	return lesser_limit(path->facts.max_transfer_bytes,
			    scsi_limits_transfer(&path->limits, path->m->lun.block_size));
}

/*
 * What the array's ports behind the paths allow in common (VPD B0h).  Those of paths that have
 * failed count: they may be back before a command that is on its way.
 */
static void ports_limits(const struct multipath *m, struct lun_page *limits)
{
	const struct path *path;
	bool any = false;

	for_each_path(m, path) {
		if (!path->limits_known)
			continue;
		if (any)
			scsi_limits_narrow(limits, &path->limits);
		else
			*limits = path->limits;
		any = true;
	}
	if (!any)
		*limits = m->lun.limits; /* what was kept of them */
}

static uint64_t hosts_max_transfer(const struct multipath *m)
{
	const struct path *path;
	uint64_t least = 0;

	for_each_path(m, path)
		least = lesser_limit(least, path->facts.max_transfer_bytes);
	return least;
}

uint64_t map_max_transfer(const struct multipath *m)
{
	struct lun_page limits;

	ports_limits(m, &limits);
	return lesser_limit(hosts_max_transfer(m),
			    scsi_limits_transfer(&limits, m->lun.block_size));
}

bool shows_array(const struct multipath *m)
{
	return m->settings.identity == IDENTITY_ARRAY;
}

/* What is kept of a LUN that showed LIO's identity so far lacks the array's. */
static bool has_names(const struct multipath *m)
{
	return m->lun.known && (!shows_array(m) || m->lun.designators.len > 0);
}

/*
 * INQUIRY and what every LUN of ours answers alike.  A map that has not looked at its paths yet
 * cannot know what it is: then the command waits with the others.
 */
bool lun_answers(struct multipath *m, struct mpath_io *io)
{
	struct lun_page limits;
	struct lun_identity identity = {.name = m->backstore.name,
					.serial = m->backstore.serial,
					.is_the_arrays = shows_array(m),
					.limits = &limits,
					.max_transfer_bytes = hosts_max_transfer(m)};

	if (!has_names(m) && !m->lun_seen && still_settling(m))
		return false;
	ports_limits(m, &limits);
	return scsi_lun_answers(io, &m->lun, &identity);
}

static void tell_size(struct multipath *m, bool first)
{
	uint64_t bytes = m->lun.nr_blocks * m->lun.block_size;

	notice(m, first ? NOTICE_LUN : NOTICE_LUN_RESIZED, NULL,
	       "%s %s, %" PRIu64 " blocks of %u bytes", first ? "the LUN is" : "the LUN is now",
	       m->lun.wwid, m->lun.nr_blocks, m->lun.block_size);
	/* When the LUN grows the front sets it, or says that it is another (lun_changed). */
	if (first && m->backstore.size && m->backstore.size != bytes)
		notice(m, NOTICE_WARNING, NULL,
		       "the backstore's size is %" PRIu64 " bytes, the LUN's %" PRIu64
		       ": initiators see the LUN's",
		       m->backstore.size, bytes);
}

/* D16's warning: the initiator cannot tell our LUN from the array's. */
static void tell_identity(struct multipath *m)
{
	if (shows_array(m))
		notice(m, NOTICE_LUN, NULL,
		       "identity=array: initiators see the array's WWID and serial number; "
		       "who sees the array's LUN too takes both for one");
}

/*
 * A path says that the capacity has changed (06/2A/09).  It stays in use while all paths are asked;
 * who is asked at the same time does not speak for the old size.  Who is about to come back may
 * have told that already.
 */
void capacity_changed(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path) {
		if (!path->active && path->probing != PROBE_IDENTIFY)
			continue;
		path->asked_size = false;
		path->recheck_identity = true;
		probe_path_now(m, path);
	}
}

static void ask_size(struct multipath *m, struct path *path)
{
	path->asked_size = true;
	path->recheck_identity = true;
	probe_path_now(m, path);
}

/* Not with each path that shows a LUN which is larger for good. */
#define DOUBT_SIZE_NS (5 * NSEC_PER_SEC)

/*
 * A path that is not in use shows a larger LUN than those that are, and no unit attention was
 * heard.  They stay in use, and until one of them shows the same they speak for the old size.
 */
void doubt_size(struct multipath *m)
{
	struct path *path;

	if (m->size_doubted_ns && m->now_ns - m->size_doubted_ns < DOUBT_SIZE_NS)
		return;
	m->size_doubted_ns = m->now_ns;
	for_each_path(m, path)
		if (is_sure_of_size(path))
			ask_size(m, path);
}

/* Those that have just shown the old size, while another one did not. */
static void ask_those_that_were_sure(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		if (is_sure_of_size(path) && path->seen.nr_blocks != m->lun.nr_blocks)
			ask_size(m, path);
}

bool is_capacity_change(const struct scsi_result *result)
{
	struct scsi_sense sense;

	return scsi_result_sense(result, &sense) && sense.key == 0x06 && sense.asc == 0x2a &&
	       sense.ascq == 0x09;
}

/* All paths have been asked long before that is over. */
#define TOLD_NS (60 * NSEC_PER_SEC)

static bool was_told(const struct multipath *m)
{
	return m->capacity_told_ns && m->now_ns - m->capacity_told_ns < TOLD_NS;
}

bool tells_of_reset(const struct scsi_result *result)
{
	struct scsi_sense sense;

	return scsi_result_sense(result, &sense) && sense.key == 0x06 && sense.asc == 0x29;
}

/* SAM-5 5.14, SPC-5 4.4.6: the array says it to one command, and then it is over for it. */
bool is_told_once(const struct scsi_result *result)
{
	struct scsi_sense sense;

	return scsi_result_sense(result, &sense) && (sense.key == 0x06 || sense.deferred);
}

static bool is_kept(const struct multipath *m, const struct scsi_result *result)
{
	unsigned int i;

	for (i = 0; i < m->nr_news; i++)
		if (m->news[i].sense_len == result->sense_len &&
		    memcmp(m->news[i].sense, result->sense, result->sense_len) == 0)
			return true;
	return false;
}

/*
 * What stands for all that there is no room for.  After a reset an initiator takes nothing for
 * granted that the array may have changed; that a write is lost is no such thing.
 */
static void sum_up(const struct scsi_result *result, struct scsi_result *summary)
{
	struct scsi_sense sense;

	scsi_sense_set(summary, 0, 0x06, 0x29, 0x00);
	if (!scsi_result_sense(result, &sense) || !sense.deferred)
		return;
	scsi_sense_set(summary, 0, 0x03, 0x0c, 0x00); /* WRITE ERROR */
	summary->sense[0] = 0x71;
}

/*
 * What the array has told a command for which no initiator waits, or has told a probe of ours, and
 * tells once: the next command is told instead.
 */
void keep_news(struct multipath *m, const struct scsi_result *result)
{
	struct scsi_result summary;

	if (m->nr_news >= NEWS_MAX && !is_kept(m, result)) {
		sum_up(result, &summary);
		result = &summary;
	}
	if (!is_kept(m, result)) {
		m->news[m->nr_news++] = *result;
		m->actions->memory_changed = true;
	}
	if (tells_of_reset(result))
		m->reset_told_ns = m->now_ns;
}

static void keep_unit_attention(struct multipath *m, uint8_t asc, uint8_t ascq)
{
	struct scsi_result result;

	scsi_sense_set(&result, 0, 0x06, asc, ascq);
	keep_news(m, &result);
}

/* A question that is to tell whose LUN this is has brought one: it waits until that is known. */
void keep_until_identified(struct path *path, const struct scsi_result *result)
{
	struct scsi_sense sense;
	uint16_t code;

	if (!scsi_result_sense(result, &sense) || sense.deferred)
		return;
	code = (uint16_t)(sense.asc << 8 | sense.ascq);
	path->untold = path->untold && path->untold != code ? 0x2900 : code; /* as in sum_up() */
}

void tell_untold(struct multipath *m, struct path *path)
{
	if (!path->untold)
		return;
	keep_unit_attention(m, (uint8_t)(path->untold >> 8), (uint8_t)path->untold);
	path->untold = 0;
}

/*
 * Unless it is one that never gets a unit attention (SAM-5 5.14), or comes when the kernel takes no
 * answer for it any more.
 */
bool tell_news(struct multipath *m, struct mpath_io *io)
{
	uint8_t opcode = io->cmd.cdb[0];

	if (opcode == 0x12 || opcode == 0xa0 || opcode == 0x03 || past_deadline(m, io))
		return false;
	io->result = m->news[0];
	io->result.residual = (uint32_t)io->cmd.data_len;
	m->nr_news--;
	m->actions->memory_changed = true;
	memmove(&m->news[0], &m->news[1], m->nr_news * sizeof(m->news[0]));
	trace(m, "io %02x: is told %s", opcode,
	      is_capacity_change(&io->result) ? "that the capacity has changed"
					      : "what nobody has heard");
	complete_io(m, io);
	return true;
}

/* The kernel's word comes through udev, so late at the most. */
#define HEARD_LATE_NS (10 * NSEC_PER_SEC)

bool is_told_by_both(const struct scsi_result *result, enum told_by_both *what)
{
	struct scsi_sense sense;

	if (!scsi_result_sense(result, &sense) || sense.key != 0x06 || sense.deferred)
		return false;
	switch (sense.asc << 8 | sense.ascq) {
	case 0x2a01:
		*what = TELLS_MODE;
		return true;
	case 0x3807:
		*what = TELLS_SPACE;
		return true;
	}
	*what = TELLS_RESET;
	return sense.asc == 0x29;
}

static bool take_from_other(const struct multipath *m, struct path *path, enum told_by_both what,
			    enum word_from who)
{
	struct words_told *others =
		&path->told[what][who == KERNEL_TELLS ? ANSWER_TELLS : KERNEL_TELLS];

	if (!others->nr || m->now_ns - others->last_ns >= HEARD_LATE_NS)
		return false;
	others->nr--;
	return true;
}

/*
 * The kernel sees each answer that tells of a reset, or of what else it has a word for, and tells
 * it, too: mostly later, but perhaps before we have read the answer.  True: this is the second word
 * about the same, and all that was to be done about it is done, or under way.  A disk may be in
 * several groups: its paths are told as one.
 */
bool is_second_word(struct multipath *m, struct path *path, enum told_by_both what,
		    enum word_from who)
{
	struct words_told *told = &path->told[what][who];
	struct path *other;

	for_each_path(m, other)
		if (is_same_disk(other, path) && take_from_other(m, other, what, who))
			return true;
	if (m->now_ns - told->last_ns >= HEARD_LATE_NS)
		told->nr = 0;
	told->nr++;
	told->last_ns = m->now_ns;
	return false;
}

/*
 * Whose reservations are the array's must hear of a reset (see judge_reset()), and the kernel's
 * scsi_dh_alua may have had the command repeated that was told.  If it has not, who sent it knows.
 */
void tell_reset(struct multipath *m)
{
	if (m->array_reserves && m->now_ns - m->reset_told_ns >= HEARD_LATE_NS)
		keep_unit_attention(m, 0x29, 0x00);
}

/* A new process knows what is shown, but not who says it until all paths were looked at. */
static bool may_say_what_is_shown(const struct multipath *m, const struct path *path)
{
	return path->words ? path->words == m->words : !path->settled;
}

/*
 * Ports may say other things of the LUN, and for good, or until each of them has its new firmware.
 * What initiators are shown stays as long as a path that works says it, too; and as long as one did
 * that has failed, unless a path that works has changed its word.
 */
static bool others_say_what_is_shown(const struct multipath *m, const struct path *path,
				     bool has_changed)
{
	const struct path *other;

	for_each_path(m, other)
		if (other != path && may_say_what_is_shown(m, other) &&
		    (!has_changed || (other->active && other->identified)))
			return true;
	return false;
}

/* Who did has left the map: this path is to say once more what it says. */
bool nobody_says_what_is_shown(const struct multipath *m, const struct path *path)
{
	return path->words && path->words != m->words && !others_say_what_is_shown(m, path, false);
}

/* That a page is refused which the path has says nothing of the page: see learn_limits(). */
static bool has_said_all(const struct lun_facts *seen, bool with_serial)
{
	return seen->nr_vpd_pages && (seen->features.len || !scsi_lun_has_page(seen, 0xb1)) &&
	       (seen->thin.len || !scsi_lun_has_page(seen, 0xb2)) &&
	       (seen->serial.len || !with_serial || !scsi_lun_has_page(seen, 0x80));
}

/* True: initiators are to be shown from now on what this path says. */
static bool hear_words(const struct multipath *m, struct path *path)
{
	uint64_t before = path->words, now;

	if (!has_said_all(&path->seen, shows_array(m)))
		return !m->lun_seen && !has_names(m);
	path->words = now = scsi_lun_words(&path->seen);
	if (now == m->words)
		return !m->lun_seen;
	return !has_names(m) || !others_say_what_is_shown(m, path, before && before != now);
}

/* As they are shown: who comes before there is a path again must not be allowed more. */
void keep_limits(struct multipath *m)
{
	struct lun_page limits;

	ports_limits(m, &limits);
	scsi_limits_fit(&limits, m->lun.block_size, hosts_max_transfer(m));
	if (memcmp(&m->lun.limits, &limits, sizeof(limits)) == 0)
		return;
	m->lun.limits = limits;
	m->actions->lun_changed = true;
}

/* For initiators, unless the array has just told them. */
static bool is_size_news(const struct multipath *m, uint64_t nr_blocks)
{
	uint64_t known = m->lun.known ? m->lun.nr_blocks : m->former_blocks;

	return known && known != nr_blocks && !was_told(m);
}

/* All that was seen, or only how large it is.  True: initiators know it otherwise. */
static bool take_facts(struct multipath *m, const struct lun_facts *seen, bool with_words)
{
	bool first = !m->lun.known;
	uint64_t before = m->words;

	if (with_words) {
		memcpy(&m->lun, seen, sizeof(m->lun)); /* padding too: it is compared */
	} else {
		m->lun.nr_blocks = seen->nr_blocks;
		m->lun.block_size = seen->block_size;
	}
	m->words = scsi_lun_words(&m->lun);
	m->actions->lun_changed = true;
	m->run_held = true;
	return first ? m->former_blocks != 0 : m->words != before;
}

static void tell_pages(struct multipath *m, struct path *path, bool first)
{
	keep_unit_attention(m, 0x3f, 0x03);
	if (!first)
		notice(m, NOTICE_LUN, path,
		       "INQUIRY data or VPD pages have changed: the next command is told");
}

/*
 * A path has proved to be a way to our LUN.  The first one tells what that LUN is.  What is not as
 * initiators know it, perhaps from a former process, one of them must be told, unless the array has
 * just done it; but then that was about the size which is seen now, and about no later one.
 */
void lun_identified(struct multipath *m, struct path *path)
{
	struct lun_facts *seen = &path->seen;
	bool first = !m->lun.known, first_look = !m->lun_seen;
	bool resized = first || m->lun.nr_blocks != seen->nr_blocks;
	bool size_is_news = is_size_news(m, seen->nr_blocks);
	bool takes_words = hear_words(m, path);
	bool pages_are_news;

	seen->limits = m->lun.limits; /* no path's own: see keep_limits() */
	m->capacity_told_ns = 0;
	m->lun_seen = true;
	if ((!resized && !takes_words) || memcmp(&m->lun, seen, sizeof(m->lun)) == 0)
		return;
	pages_are_news = take_facts(m, seen, takes_words);
	m->actions->memory_changed |= m->former_blocks != 0;
	m->former_blocks = 0;
	if (size_is_news)
		keep_unit_attention(m, 0x2a, 0x09);
	if (resized) {
		tell_size(m, first);
		ask_those_that_were_sure(m);
	}
	if (pages_are_news)
		tell_pages(m, path, first);
	if (first_look)
		tell_identity(m);
}

/*
 * The message forget_wwid: false while a path is in use.  What waits was meant for the LUN that is
 * forgotten, and must not go to another one.
 */
bool forget_lun(struct multipath *m)
{
	struct path *path;

	if (!list_empty(&m->leaving))
		return false;
	for_each_path(m, path)
		if (path->active || path->in_flight)
			return false;
	for_each_path(m, path) {
		path->identified = false;
		path->limits = (struct lun_page){0};
		path->limits_known = false;
		path->words = 0;
		path->tpg.state_known = false;
		path->untold = 0;
	}
	answer_all_not_ready(m);
	if (m->lun.known)
		m->former_blocks = m->lun.nr_blocks;
	memset(&m->lun, 0, sizeof(m->lun));
	m->words = 0;
	m->lun_seen = false;
	m->nr_news = 0;
	m->actions->memory_changed = true;
	forget_hardware(m);
	m->actions->forget_wwid = true;
	notice(m, NOTICE_LUN, NULL, "the pinned WWID is forgotten");
	return true;
}
