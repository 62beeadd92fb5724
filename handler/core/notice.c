/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices: what happened to the map, for logs and signals (mpath/notice.h).
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/multipath.h"

/* A path that flaps is not logged more often than this (D13). */
#define NOTICE_QUIET_NS (10 * NSEC_PER_SEC)

/*
 * How many a step may bring forth, and what they take as a rule: with all their room each would
 * have half a KiB.  Should there be no room for all the oldest are lost, and the gap in the numbers
 * tells.  The most that random worlds have needed in a step is 570 bytes, with six paths.
 */
#define NOTICES_OF_MAP	10
#define NOTICES_OF_PATH 3
#define NOTICE_USUAL	160

/* As it is kept: what follows are the path, the device and the text, each with its NUL. */
struct kept_notice {
	uint64_t sequence;
	uint64_t uevent_seq;
	uint32_t size; /* with what follows */
	uint32_t path_id;
	uint32_t group;
	uint32_t nr_valid;
	uint8_t kind;
	bool quiet;
	bool summary;
	bool has_path;
};

_Static_assert(sizeof(struct kept_notice) % _Alignof(struct kept_notice) == 0, "they are in a row");

bool kept_notices_init(struct kept_notices *kept, unsigned int nr_paths)
{
	*kept = (struct kept_notices){.size = (NOTICES_OF_MAP + NOTICES_OF_PATH * nr_paths) *
					      NOTICE_USUAL};
	kept->memory = malloc(kept->size);
	return kept->memory;
}

static struct kept_notice *kept_at(const struct kept_notices *kept, uint32_t at)
{
	return (struct kept_notice *)(void *)(kept->memory + at);
}

static void drop_first(struct kept_notices *kept)
{
	kept->first += kept_at(kept, kept->first)->size;
	if (kept->first == kept->end)
		kept->first = kept->end = 0;
}

unsigned int kept_notices_clear(struct kept_notices *kept)
{
	unsigned int nr = 0;

	for (; kept->first != kept->end; nr++)
		drop_first(kept);
	return nr;
}

/* Whoever takes them does so after each step, so there is hardly ever anything to move. */
static struct kept_notice *make_room(struct multipath *m, uint32_t size)
{
	struct kept_notices *kept = &m->notices;

	while (kept->end - kept->first + size > kept->size) {
		drop_first(kept);
		m->lost_notices++;
	}
	if (kept->end + size > kept->size) {
		memmove(kept->memory, kept->memory + kept->first, kept->end - kept->first);
		kept->end -= kept->first;
		kept->first = 0;
	}
	kept->last = kept->end;
	kept->end += size;
	return kept_at(kept, kept->last);
}

/* The words of a notice, in the order in which they are kept, for packing and unpacking. */
#define NR_WORDS 3

static char *word_of(struct mpath_notice *n, unsigned int i)
{
	switch (i) {
	case 0:
		return n->path;
	case 1:
		return n->device;
	default:
		return n->text;
	}
}

static void keep(struct multipath *m, struct mpath_notice *n)
{
	size_t size = sizeof(struct kept_notice);
	struct kept_notice *kept;
	char *to;

	for (unsigned int i = 0; i < NR_WORDS; i++)
		size += strlen(word_of(n, i)) + 1;
	size = (size + _Alignof(struct kept_notice) - 1) & ~(_Alignof(struct kept_notice) - 1);
	kept = make_room(m, (uint32_t)size);
	*kept = (struct kept_notice){
		.sequence = n->sequence,
		.uevent_seq = n->uevent_seq,
		.size = (uint32_t)size,
		.path_id = n->path_id,
		.group = n->group,
		.nr_valid = n->nr_valid,
		.kind = (uint8_t)n->kind,
		.quiet = n->quiet,
		.summary = n->summary,
		.has_path = n->has_path,
	};
	to = (char *)(kept + 1);
	for (unsigned int i = 0; i < NR_WORDS; i++) {
		const char *word = word_of(n, i);

		memcpy(to, word, strlen(word) + 1);
		to += strlen(word) + 1;
	}
}

static void unpack(struct mpath_notice *n, const struct kept_notice *kept)
{
	const char *from = (const char *)(kept + 1);

	*n = (struct mpath_notice){
		.kind = (enum mpath_notice_kind)kept->kind,
		.sequence = kept->sequence,
		.quiet = kept->quiet,
		.summary = kept->summary,
		.has_path = kept->has_path,
		.path_id = kept->path_id,
		.group = kept->group,
		.nr_valid = kept->nr_valid,
		.uevent_seq = kept->uevent_seq,
	};
	for (unsigned int i = 0; i < NR_WORDS; i++) {
		char *to = word_of(n, i);

		memcpy(to, from, strlen(from) + 1);
		from += strlen(from) + 1;
	}
}

static struct mpath_notice new_notice(const struct multipath *m, enum mpath_notice_kind kind)
{
	return (struct mpath_notice){.kind = kind, .nr_valid = m->nr_valid};
}

static void number(struct multipath *m, struct mpath_notice *n)
{
	n->sequence = ++m->last_sequence;
	if (n->kind == NOTICE_PATH_FAILED || n->kind == NOTICE_PATH_REINSTATED)
		n->uevent_seq = ++m->last_uevent;
}

static void name_path(struct mpath_notice *n, const struct path *path)
{
	n->has_path = true;
	n->path_id = path->id;
	n->group = path->pg ? path->pg->number : 0;
	snprintf(n->path, sizeof(n->path), "%s", path_name(path));
	snprintf(n->device, sizeof(n->device), "%s", path->facts.device);
}

/* A path's failing and coming back may flap; everything else is always told. */
static bool flaps(enum mpath_notice_kind kind)
{
	return kind == NOTICE_PATH_FAILED || kind == NOTICE_PATH_REINSTATED ||
	       kind == NOTICE_PATH_EXCLUDED || kind == NOTICE_PATH_SLOW ||
	       kind == NOTICE_PATH_NOT_SLOW;
}

/*
 * A path that fails and comes back, or is excluded for one reason and then for another, is told of
 * at once.  Further changes within 10 s are only counted; then quiet_is_over() tells where they
 * have led to.
 */
static bool is_quiet(struct multipath *m, struct path *path, enum mpath_notice_kind kind)
{
	bool again;

	if (m->now_ns < path->log_quiet_until_ns) {
		path->log_suppressed++;
		wake_by(m, path->log_quiet_until_ns);
		return true;
	}
	if (kind == NOTICE_PATH_EXCLUDED) {
		again = path->log_excluded_ns &&
			m->now_ns - path->log_excluded_ns < NOTICE_QUIET_NS;
		path->log_excluded_ns = m->now_ns;
	} else {
		again = kind == NOTICE_PATH_REINSTATED || kind == NOTICE_PATH_NOT_SLOW;
	}
	if (again)
		path->log_quiet_until_ns = m->now_ns + NOTICE_QUIET_NS;
	return false;
}

static void tell_suppressed(struct path *path, struct strbuf *text)
{
	if (!path->log_suppressed)
		return;
	strbuf_printf(text, " (%u change%s in the last 10 s not logged)", path->log_suppressed,
		      noun_s(path->log_suppressed));
	path->log_suppressed = 0;
}

bool notice(struct multipath *m, enum mpath_notice_kind kind, struct path *path, const char *format,
	    ...)
{
	struct mpath_notice n = new_notice(m, kind);
	struct strbuf text;
	va_list args;

	number(m, &n);
	strbuf_init(&text, n.text, sizeof(n.text));
	va_start(args, format);
	strbuf_vprintf(&text, format, args);
	va_end(args);
	if (path) {
		name_path(&n, path);
		n.quiet = flaps(kind) && is_quiet(m, path, kind);
		if (!n.quiet)
			tell_suppressed(path, &text);
	}
	keep(m, &n);
	return !n.quiet;
}

void configuration_refused(struct multipath *m, const char *why)
{
	notice(m, NOTICE_REFUSED, NULL, "configuration refused: %s", why);
	not_for_the_log(m); /* there it stands in full length */
}

void notice_group(struct multipath *m, enum mpath_notice_kind kind, const struct priority_group *pg,
		  const char *what)
{
	struct mpath_notice n = new_notice(m, kind);

	number(m, &n);
	n.group = pg->number;
	snprintf(n.text, sizeof(n.text), "%s priority group %u", what, pg->number);
	keep(m, &n);
}

void not_for_the_log(struct multipath *m)
{
	assert(m->notices.first != m->notices.end);
	kept_at(&m->notices, m->notices.last)->quiet = true;
}

/* How the path is now, as the kind of a change to that, and in its words. */
static enum mpath_notice_kind kind_of_state(const struct path *path)
{
	if (path->demotion != NOT_DEMOTED)
		return NOTICE_PATH_SLOW;
	if (path->active)
		return NOTICE_PATH_REINSTATED;
	return path_state(path) == PATH_EXCLUDED ? NOTICE_PATH_EXCLUDED : NOTICE_PATH_FAILED;
}

static void tell_state(const struct multipath *m, const struct path *path, struct strbuf *text)
{
	if (path->demotion != NOT_DEMOTED)
		demotion_reason(path, text);
	else if (path->active)
		strbuf_printf(text, "usable");
	else if (path_state(path) == PATH_EXCLUDED)
		strbuf_printf(text, "not used: %s", path->reason);
	else
		strbuf_printf(text, "failed (%s)", path->reason);
	strbuf_printf(text, ", %u of %u usable", m->nr_valid, m->nr_paths);
}

/* The log must not end with a state that the path has left long ago. */
void quiet_is_over(struct multipath *m, struct path *path)
{
	struct mpath_notice n;
	struct strbuf text;

	if (!path->log_suppressed)
		return;
	if (m->now_ns < path->log_quiet_until_ns) {
		wake_by(m, path->log_quiet_until_ns);
		return;
	}
	n = new_notice(m, kind_of_state(path));
	n.summary = true;
	name_path(&n, path);
	strbuf_init(&text, n.text, sizeof(n.text));
	tell_state(m, path, &text);
	tell_suppressed(path, &text);
	keep(m, &n);
	path->log_quiet_until_ns = m->now_ns + NOTICE_QUIET_NS;
}

static __attribute__((noinline)) void take_notice(struct multipath *m, struct mpath_notice *n)
{
	if (m->lost_notices) {
		*n = (struct mpath_notice){.kind = NOTICE_OTHER, .summary = true};
		snprintf(n->text, sizeof(n->text), "%u line%s lost here", m->lost_notices,
			 m->lost_notices == 1 ? " was" : "s were");
		m->lost_notices = 0;
		return;
	}
	unpack(n, kept_at(&m->notices, m->notices.first));
	drop_first(&m->notices);
}

/* Asked after each step, and seldom there is one. */
bool mpath_next_notice(struct multipath *m, struct mpath_notice *n)
{
	if (!m->lost_notices && m->notices.first == m->notices.end)
		return false;
	take_notice(m, n);
	return true;
}

const char *mpath_notice_name(enum mpath_notice_kind kind)
{
	switch (kind) {
	case NOTICE_PATH_FAILED:
		return "path-failed";
	case NOTICE_PATH_REINSTATED:
		return "path-reinstated";
	case NOTICE_PATH_USABLE:
		return "path-usable";
	case NOTICE_PATH_EXCLUDED:
		return "path-excluded";
	case NOTICE_PATH_ADDED:
		return "path-added";
	case NOTICE_PATH_REMOVED:
		return "path-removed";
	case NOTICE_PATH_SLOW:
		return "path-slow";
	case NOTICE_PATH_NOT_SLOW:
		return "path-not-slow";
	case NOTICE_GROUP_SWITCHED:
		return "group-switched";
	case NOTICE_GROUP_ASKED_FOR:
		return "group-asked-for";
	case NOTICE_GROUP_DISABLED:
		return "group-disabled";
	case NOTICE_GROUP_ENABLED:
		return "group-enabled";
	case NOTICE_PG_INIT:
		return "pg-init";
	case NOTICE_NO_PATH:
		return "no-path";
	case NOTICE_QUEUEING_STARTED:
		return "queueing-started";
	case NOTICE_QUEUEING_STOPPED:
		return "queueing-stopped";
	case NOTICE_POLICY:
		return "policy";
	case NOTICE_LUN:
		return "lun";
	case NOTICE_LUN_RESIZED:
		return "lun-resized";
	case NOTICE_SUSPENDED:
		return "suspended";
	case NOTICE_RESUMED:
		return "resumed";
	case NOTICE_RELOADED:
		return "reloaded";
	case NOTICE_REFUSED:
		return "refused";
	case NOTICE_WRITES_WAIT:
		return "writes-wait";
	case NOTICE_WARNING:
		return "warning";
	case NOTICE_OTHER:
		return "other";
	}
	return "other";
}

bool mpath_uevent(const struct mpath_notice *n, const char *map, const char *wwid,
		  struct strbuf *out)
{
	if (!n->uevent_seq)
		return false;
	strbuf_printf(out,
		      "DM_TARGET=multipath\nDM_ACTION=%s\nDM_SEQNUM=%" PRIu64 "\nDM_PATH=%s\n"
		      "DM_NR_VALID_PATHS=%u\nDM_NAME=%s\nDM_UUID=mpath-%s\n",
		      n->kind == NOTICE_PATH_FAILED ? "PATH_FAILED" : "PATH_REINSTATED",
		      n->uevent_seq, n->path, n->nr_valid, map, wwid);
	return true;
}
