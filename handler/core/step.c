/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mpath_step(): the only way into a map.  Read this first: each event is one call.
 */
#include <assert.h>

#include "core/multipath.h"

#define SHORT_PATIENCE_NS (2 * NSEC_PER_SEC)
/* Who is woken so late stood still, or the whole machine did. */
#define LATE_NS (500 * NSEC_PER_MSEC)

void mpath_actions_init(struct mpath_actions *actions)
{
	*actions = (struct mpath_actions){0};
	list_init(&actions->open);
	list_init(&actions->count);
	list_init(&actions->reset);
	list_init(&actions->session);
	list_init(&actions->start);
	list_init(&actions->abandon);
	list_init(&actions->close);
	list_init(&actions->complete);
	list_init(&actions->gone);
}

void wake_by(struct multipath *m, uint64_t at_ns)
{
	if (!m->wake_ns || at_ns < m->wake_ns)
		m->wake_ns = at_ns;
}

static bool waits_for_ever(const struct multipath *m)
{
	const struct mpath_settings *s = &m->settings;

	return m->queue_if_no_path && (!s->no_path_timeout_read_ms || !s->no_path_timeout_write_ms);
}

/* queue_if_no_path promises to wait, but the kernel answers for us when cmd_time_out is over. */
bool mpath_queueing_defeated(const struct multipath *m)
{
	const struct mpath_settings *s = &m->settings;
	uint32_t kernel_ms = m->backstore.cmd_time_out_ms;

	if (!m->queue_if_no_path || !kernel_ms)
		return false;
	return waits_for_ever(m) || kernel_ms <= s->no_path_timeout_read_ms ||
	       kernel_ms <= s->no_path_timeout_write_ms;
}

/*
 * A write may be with us for as long as it may wait for a path, be on its way, and wait for its
 * fence (D11); the kernel would answer it before, and all others wait then (fence.c).
 */
uint32_t mpath_time_out_needed_s(const struct multipath *m)
{
	const struct mpath_settings *s = &m->settings;
	uint64_t ms = s->path_timeout_ms + longest_fence_ms(m, s->path_timeout_ms) + 2000;

	if (waits_for_ever(m))
		return 0;
	if (m->queue_if_no_path)
		ms += s->no_path_timeout_read_ms > s->no_path_timeout_write_ms
			      ? s->no_path_timeout_read_ms
			      : s->no_path_timeout_write_ms;
	return (uint32_t)((ms + 999) / 1000);
}

uint32_t mpath_time_out_short_s(const struct multipath *m)
{
	uint32_t needed_s = mpath_time_out_needed_s(m);
	uint32_t kernel_ms = m->backstore.cmd_time_out_ms;

	if (!kernel_ms || mpath_queueing_defeated(m) || kernel_ms / 1000 >= needed_s)
		return 0;
	return needed_s;
}

static void tell_time_out(struct multipath *m, uint32_t needed_s)
{
	if (needed_s)
		notice(m, NOTICE_WARNING, NULL,
		       "the backstore's cmd_time_out of %u s is over before a lost write may be "
		       "answered: set attribute cmd_time_out to at least %u",
		       m->backstore.cmd_time_out_ms / 1000, needed_s);
	else
		notice(m, NOTICE_WARNING, NULL,
		       "queue_if_no_path is limited by the backstore's cmd_time_out of %u s: "
		       "set attribute cmd_time_out=0 before the LUN is exported",
		       m->backstore.cmd_time_out_ms / 1000);
}

/* After patience: rtslib restores cmd_time_out when the LUN is in service already. */
static void tell_if_short(struct multipath *m, uint64_t patience_ns)
{
	uint32_t needed_s = mpath_time_out_short_s(m);

	if (!needed_s && !mpath_queueing_defeated(m)) {
		m->told_short = false;
		m->short_ns = 0;
		return;
	}
	if (m->told_short)
		return;
	if (!m->short_ns)
		m->short_ns = m->now_ns;
	if (m->now_ns < m->short_ns + patience_ns) {
		wake_by(m, m->short_ns + patience_ns);
		return;
	}
	m->told_short = true;
	tell_time_out(m, needed_s);
}

/* The log has it from the path's line and from NOTICE_NO_PATH. */
static void tell_queueing(struct multipath *m)
{
	bool queueing = may_queue(m) && !m->nr_valid && !still_settling(m) && !m->shutdown;

	if (queueing == m->told_queueing)
		return;
	m->told_queueing = queueing;
	if (queueing)
		notice(m, NOTICE_QUEUEING_STARTED, NULL, "commands wait for a path");
	else
		notice(m, NOTICE_QUEUEING_STOPPED, NULL, "commands do not wait any more");
	not_for_the_log(m);
}

static void timeout(struct multipath *m)
{
	if (!m->started) {
		m->started = true;
		m->started_ns = m->now_ns;
		m->settling_since_ns = m->now_ns;
		no_path_begins(m);
		restart_begins(m);
	}

	m->woken_late = m->wake_ns && m->now_ns >= m->wake_ns + LATE_NS;
	/* Whoever still needs to be woken says so again. */
	m->wake_ns = 0;
	paths_timeout(m);
	settling_timeout(m);
	restart_timeout(m);
	slow_timeout(m);
	refresh_timeout(m);
	policy_timeout(m);
	demote_timeout(m);
	hedge_timeout(m);
	pg_init_timeout(m);
	overdue_timeout(m);
	queues_timeout(m);
	tell_if_short(m, SHORT_PATIENCE_NS);
}

void shut_down(struct multipath *m)
{
	if (!m->shutdown)
		trace(m, "shutdown: nothing is held any more");
	m->shutdown = true;
	suspend_shut_down(m);
	answer_all_busy(m);
}

/* close() of the LUN: reads are given up, writes in flight are waited for (D11). */
static void stop(struct multipath *m)
{
	struct path *path;

	m->stopping = true;
	m->closer_look = true;
	shut_down(m);
	for_each_path(m, path)
		close_link(m, path);
	restart_stops(m);
}

static bool all_links_closed(const struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		if (path->link != LINK_CLOSED)
			return false;
	return list_empty(&m->leaving);
}

bool mpath_only_opens(const struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		if (has_device(path))
			return false;
	list_for_each_entry(path, &m->leaving, map_node)
		if (has_device(path))
			return false;
	return m->stopping && m->nr_ios == 0;
}

/* What the event has made possible, or has put an end to. */
static void follow_up(struct multipath *m)
{
	if (has_fences(m))
		look_at_fences(m);
	if (wants_pg_init(m))
		pg_init_run(m);
	while (m->run_held) {
		run_queues(m);
		pg_init_run(m);
	}
	if (!m->nr_valid || m->told_queueing)
		tell_queueing(m);
	if (m->suspend == SUSPENDING)
		check_suspended(m);
}

static void go_long_way(struct multipath *m, const struct mpath_event *event)
{
	/* MPATH_TIMEOUT may be late, and this event send a write that must wait for these. */
	if (m->overdue_due_ns && m->now_ns >= m->overdue_due_ns)
		overdue_timeout(m);

	switch (event->type) {
	case MPATH_SUBMIT:
		submit_io(m, event->io);
		break;
	case MPATH_END_IO:
		if (!event->io->is_internal)
			end_io(m, event->io);
		else if (event->io->is_probe)
			probe_answered(m, event->io->path);
		else
			leg_answered(m, event->io);
		break;
	case MPATH_ABANDONED:
		if (!event->io->is_internal)
			io_abandoned(m, event->io);
		else if (event->io->is_probe)
			probe_abandoned(m, event->io->path);
		else
			leg_abandoned(m, event->io);
		break;
	case MPATH_ABORT:
		abort_io(m, event->io);
		break;
	case MPATH_TIMEOUT:
		timeout(m);
		break;
	case MPATH_PATH_OPENED:
		path_opened(m, event->path, event->facts);
		break;
	case MPATH_PATH_REFUSED:
		path_refused(m, event->path, event->reason);
		break;
	case MPATH_PATH_CLOSED:
		path_closed(m, event->path);
		break;
	case MPATH_PATH_COUNTED:
		restart_path_counted(m, event->path, event->outstanding, event->errors);
		break;
	case MPATH_PATH_RESET:
		path_was_reset(m, event->path, event->reset_error);
		break;
	case MPATH_PATH_SESSION:
		path_told_session(m, event->path, event->session);
		break;
	case MPATH_PATH_HEARD:
		kernel_has_heard(m, event->path, event->heard);
		break;
	case MPATH_DISKS:
		look_at_paths(m);
		break;
	case MPATH_BACKSTORE:
		m->backstore = *event->backstore;
		tell_if_short(m, SHORT_PATIENCE_NS);
		overdue_timeout(m);
		queues_timeout(m);
		break;
	case MPATH_MESSAGE:
		handle_message(m, event->message);
		tell_if_short(m, 0);
		break;
	case MPATH_CHANGE:
		change_map(m, event->change);
		tell_if_short(m, SHORT_PATIENCE_NS);
		break;
	case MPATH_REFUSED:
		configuration_refused(m, event->reason);
		break;
	case MPATH_SHUTDOWN:
		shut_down(m);
		break;
	case MPATH_STOP:
		stop(m);
		break;
	}

	follow_up(m);
	if (m->stopping)
		m->actions->stopped = m->nr_ios == 0 && all_links_closed(m);
	assert(!m->selected);
	m->calm = is_calm(m);
	m->nr_steps++;
}

static bool go_short_way(struct multipath *m, const struct mpath_event *event)
{
	struct mpath_io *io = event->io;

	if (event->type == MPATH_SUBMIT && mpath_submit_short(m, io, event->now_ns))
		list_push_back(&m->actions->start, &io->node);
	else if (event->type == MPATH_END_IO && mpath_end_io_short(m, io, event->now_ns))
		list_push_back(&m->actions->complete, &io->node);
	else
		return false;
	return true;
}

void mpath_step(struct multipath *m, const struct mpath_event *event, struct mpath_actions *actions)
{
	assert(event->now_ns >= m->now_ns);
	m->now_ns = event->now_ns;
	m->actions = actions;
	if (!go_short_way(m, event))
		go_long_way(m, event);
	actions->wake_ns = m->wake_ns;
	m->actions = NULL;
}
