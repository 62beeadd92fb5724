/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words: the trace (one sentence per decision, for tests) and notices (one line per change of
 * state, for administrators).
 */
#include <stdarg.h>
#include <stdio.h>

#include "core/multipath.h"

/* A path that flaps is not told more often than this (D13). */
#define NOTICE_QUIET_NS (10 * NSEC_PER_SEC)

void mpath_set_trace(struct multipath *m, mpath_trace_fn fn, void *arg)
{
	m->trace_fn = fn;
	m->trace_arg = arg;
}

void mpath_trace(struct multipath *m, const char *format, ...)
{
	char sentence[256];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	m->trace_fn(m->trace_arg, m->now_ns, sentence);
}

const char *path_name(const struct path *path)
{
	return path->facts.name[0] ? path->facts.name : path->address;
}

static struct mpath_notice *new_notice(struct multipath *m)
{
	if (m->nr_notices == NOTICES_MAX) {
		m->first_notice = (m->first_notice + 1) % NOTICES_MAX;
		m->nr_notices--;
		m->lost_notices++;
	}
	return &m->notices[(m->first_notice + m->nr_notices++) % NOTICES_MAX];
}

/* A path's failing and coming back may flap; everything else is always told. */
static bool flaps(enum mpath_notice_kind kind)
{
	return kind == NOTICE_PATH_FAILED || kind == NOTICE_PATH_REINSTATED ||
	       kind == NOTICE_PATH_EXCLUDED;
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
		again = kind == NOTICE_PATH_REINSTATED && path->settled;
	}
	if (again)
		path->log_quiet_until_ns = m->now_ns + NOTICE_QUIET_NS;
	return false;
}

bool notice(struct multipath *m, enum mpath_notice_kind kind, struct path *path, const char *format,
	    ...)
{
	struct mpath_notice *n;
	struct strbuf text;
	va_list args;

	if (path && flaps(kind) && is_quiet(m, path, kind))
		return false;

	n = new_notice(m);
	n->kind = kind;
	n->path = path;
	strbuf_init(&text, n->text, sizeof(n->text));
	va_start(args, format);
	strbuf_vprintf(&text, format, args);
	va_end(args);
	if (path && path->log_suppressed) {
		strbuf_printf(&text, " (%u changes in the last 10 s not logged)",
			      path->log_suppressed);
		path->log_suppressed = 0;
	}
	return true;
}

/* The log must not end with a state that the path has left long ago. */
void quiet_is_over(struct multipath *m, struct path *path)
{
	if (!path->log_suppressed)
		return;
	if (m->now_ns < path->log_quiet_until_ns) {
		wake_by(m, path->log_quiet_until_ns);
		return;
	}
	if (path->active)
		notice(m, NOTICE_PATH_REINSTATED, path, "usable, %u of %u usable", m->nr_valid,
		       m->nr_paths);
	else
		notice(m, NOTICE_PATH_FAILED, path, "failed (%s), %u of %u usable", path->reason,
		       m->nr_valid, m->nr_paths);
	path->log_quiet_until_ns = m->now_ns + NOTICE_QUIET_NS;
}

bool mpath_next_notice(struct multipath *m, struct mpath_notice *n)
{
	if (m->lost_notices) {
		*n = (struct mpath_notice){.kind = NOTICE_OTHER};
		snprintf(n->text, sizeof(n->text), "%u lines were lost here", m->lost_notices);
		m->lost_notices = 0;
		return true;
	}
	if (!m->nr_notices)
		return false;
	*n = m->notices[m->first_notice];
	m->first_notice = (m->first_notice + 1) % NOTICES_MAX;
	m->nr_notices--;
	return true;
}
