/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A path's link to its device: opened and closed by the runtime, on our word.
 */
#include <assert.h>
#include <string.h>

#include "core/multipath.h"
#include "core/probe.h"

void open_link(struct multipath *m, struct path *path)
{
	path->next_check_ns = 0;
	path->link = LINK_OPENING;
	list_push_back(&m->actions->open, &path->action_node);
}

/* A name means one disk: a path that had it before goes by its word in the table again. */
static void take_name(struct multipath *m, const struct path *path)
{
	struct path *other;

	for_each_path(m, other) {
		if (has_device(other) || !is_same_disk(other, path))
			continue;
		other->facts.name[0] = '\0';
		other->facts.device[0] = '\0';
	}
}

void path_opened(struct multipath *m, struct path *path, const struct path_facts *facts)
{
	assert(path->link == LINK_OPENING);
	path->link = LINK_OPEN;
	path->reopen = false;
	path->nr_unanswered = 0;
	path->told_refusal = false;
	path->facts = *facts;
	take_name(m, path);
	if (!path->facts.queue_depth)
		path->facts.queue_depth = 1;
	path->depth = path->facts.queue_depth;
	if (m->longest_transit_ms < facts->transit_ms)
		m->longest_transit_ms = facts->transit_ms;
	trace(m, "path %s: open", path_name(path));
	if (m->stopping || path->leaving) {
		close_link(m, path);
		return;
	}
	if (facts->unstable_name && !path->settled)
		notice(m, NOTICE_WARNING, path,
		       "%s may name another disk after a reboot: use /dev/disk/by-path",
		       path->address);
	memset(path->told, 0, sizeof(path->told)); /* of another disk, perhaps */
	restart_path_opened(m, path);
	begin_check(m, path);
}

void path_refused(struct multipath *m, struct path *path, const char *reason)
{
	assert(path->link == LINK_OPENING);
	path->link = LINK_CLOSED;
	if (path->leaving) {
		path_gone(m, path);
		return;
	}
	if (m->stopping)
		return;
	flaky_path_bad(m, path);
	exclude_path(m, path, reason);
	path_settled(m, path);
	check_again(m, path);
}

void path_closed(struct multipath *m, struct path *path)
{
	uint64_t pause_ms = path->reopen ? 0 : m->settings.polling_interval_ms;

	assert(path->link == LINK_CLOSING);
	path->link = LINK_CLOSED;
	restart_path_closed(m, path);
	if (path->leaving) {
		path_gone(m, path);
		return;
	}
	/* While another LUN is looked at, nobody else can have it: seldom. */
	if (!m->stopping)
		check_at(m, path, m->now_ns + pause_ms * NSEC_PER_MSEC);
}

void close_link(struct multipath *m, struct path *path)
{
	if (path->link != LINK_OPEN)
		return;
	trace(m, "path %s: close", path_name(path));
	path->link = LINK_CLOSING;
	path->identified = false;
	path->was_down = true;
	if (!m->stopping)
		fail_path(m, path, "the device went away");
	restart_link_closes(m, path);
	conversation_lost(m, path);
	hw_detach(path);
	give_up_reads(m, path);
	abandon_probe(m, path);
	close_link_if_idle(m, path);
}

/* The runtime may close the link once nothing of ours is out there. */
void close_link_if_idle(struct multipath *m, struct path *path)
{
	if (path->in_flight || path->probing != PROBE_NONE || path->counting || path->resetting ||
	    path->asking || restart_needs_link(m, path))
		return;
	list_push_back(&m->actions->close, &path->action_node);
}
