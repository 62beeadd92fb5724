/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What always holds between two steps.  Tests and the simulator check it after each one.
 */
#include <assert.h>

#include "core/multipath.h"

static unsigned int count_waiting(const struct list *queue)
{
	const struct list *node;
	unsigned int n = 0;

	for (node = queue->next; node != queue; node = node->next) {
		const struct mpath_io *io = container_of(node, struct mpath_io, node);

		assert(!io->path && !io->abandoned);
		n++;
	}
	return n;
}

static void check_path(const struct path *path, unsigned int *in_flight)
{
	const struct list *node;
	unsigned int n = 0;

	for (node = path->flying.next; node != &path->flying; node = node->next) {
		const struct mpath_io *io = container_of(node, struct mpath_io, flight);

		assert(io->path == path);
		n++;
	}
	assert(n == path->in_flight);
	*in_flight += n;

	assert(!path->suspect || path->active);
	assert(!path->active || path->identified || path->passive || path->recheck_identity ||
	       path->link != LINK_OPEN);
	assert(!path->asked_size || path->recheck_identity || path->probing == PROBE_IDENTIFY ||
	       path->link != LINK_OPEN);
	assert(!path->active || !path->failed_by_message);
	assert(!path->active || path->used || path->link == LINK_CLOSED);
	assert(!path->used || path->link == LINK_OPEN || path->link == LINK_CLOSING);
	assert(path->settled ? path->selectable == (path->active && !path->suspect && !path->hidden)
			     : true);
	assert(path->demotion == NOT_DEMOTED ? !path->hidden : path->active);
	assert(path->demotion != DEMOTED || path->depth == 0);
	assert(path->link == LINK_OPEN || path->link == LINK_CLOSING || !path->in_flight);
	assert(path->probing == PROBE_NONE || path->link == LINK_OPEN ||
	       path->link == LINK_CLOSING);
	assert(path->m->long_reader != path || path->probing != PROBE_NONE);
}

static void check_fences(const struct multipath *m)
{
	const struct list *node;

	assert(!m->started || !m->fence_kept_ns || !m->former_fence_ns);
	for (node = m->fenced.next; node != &m->fenced; node = node->next) {
		const struct mpath_io *io = container_of(node, struct mpath_io, node);

		assert(io->fence_ns > m->now_ns && io->cmd.class != CMD_READ);
		assert(m->fence_due_ns && m->fence_due_ns <= io->fence_ns);
		assert(io->fence_ns <= m->fence_kept_ns);
	}
}

/* Who waits behind another write is let go with that. */
static void check_order(const struct multipath *m)
{
	const struct mpath_io *io;

	assert(order_is_sound(m));
	if (!m->restart_over || m->nr_overdue)
		return;
	list_for_each_entry(io, &m->restarting, node)
		assert(io->waits_behind && io->older && io->older->twice && older_write(m, io));
}

/* --- nothing that is due by itself is slept through --- */

#define PATIENCE_MIN_MS 1000

/* 0: it never is. */
static void check_wakes_by(const struct multipath *m, uint64_t due_ns)
{
	assert(!due_ns || (m->wake_ns && m->wake_ns <= due_ns));
}

static uint64_t patience_ends_ns(const struct multipath *m, const struct path *path)
{
	uint32_t ms = PATIENCE_MIN_MS;

	if (ms < path->probe.cmd.timeout_ms)
		ms = path->probe.cmd.timeout_ms;
	if (ms < m->settings.checker_timeout_ms)
		ms = m->settings.checker_timeout_ms;
	if (ms < m->settings.recheck_interval_ms)
		ms = m->settings.recheck_interval_ms;
	return path->probe_waits_ns + ms * NSEC_PER_MSEC;
}

static void check_path_wakes(const struct multipath *m, const struct path *path)
{
	uint64_t due_ns;

	if (path->log_suppressed)
		check_wakes_by(m, path->log_quiet_until_ns);
	if (path->resting && !path->counting) /* the answer ends it, too */
		check_wakes_by(m, path->rest_ends_ns);
	if (path->link == LINK_CLOSED || (path->link == LINK_OPEN && path->probing == PROBE_NONE))
		check_wakes_by(m, path->next_check_ns);
	if (path->link != LINK_OPEN || path->probing == PROBE_NONE || path->probe.abandoned)
		return;
	due_ns = path->resume_ns ? path->resume_ns : patience_ends_ns(m, path);
	check_wakes_by(m, due_ns > m->now_ns ? due_ns : m->now_ns); /* settings may have changed */
}

static void check_command_wakes(const struct multipath *m, const struct mpath_io *io)
{
	if (!io->overdue && m->backstore.cmd_time_out_ms)
		check_wakes_by(m, io_deadline(m, io));
	check_wakes_by(m, io->fence_ns);
}

static void check_queue_wakes(const struct multipath *m, const struct list *queue)
{
	const struct list *node;

	for (node = queue->next; node != queue; node = node->next)
		check_command_wakes(m, container_of(node, struct mpath_io, node));
}

/* Who waits for a path in doubt waits until that is over, and then is looked at again. */
static bool may_improve(const struct multipath *m)
{
	return m->nr_suspect || still_settling(m) || groups_to_come(m);
}

static void check_held_wakes(const struct multipath *m)
{
	const struct list *node;

	check_queue_wakes(m, &m->held);
	if (m->nr_valid || !may_queue(m) || may_improve(m))
		return;
	for (node = m->held.next; node != &m->held; node = node->next)
		check_wakes_by(m, no_path_limit(m, container_of(node, struct mpath_io, node)));
	if (!m->restart_over || m->nr_overdue)
		return;
	for (node = m->restarting.next; node != &m->restarting; node = node->next)
		check_wakes_by(m, no_path_limit(m, container_of(node, struct mpath_io, node)));
}

static void check_delayed_wakes(const struct multipath *m)
{
	const struct list *node;

	check_queue_wakes(m, &m->delayed);
	for (node = m->delayed.next; node != &m->delayed; node = node->next)
		check_wakes_by(m, container_of(node, struct mpath_io, node)->retry_ns);
}

static void check_wakes(const struct multipath *m)
{
	const struct path *path;
	const struct mpath_io *io;

	check_held_wakes(m);
	check_delayed_wakes(m);
	check_queue_wakes(m, &m->backlog);
	check_queue_wakes(m, &m->restarting);
	check_queue_wakes(m, &m->fenced);
	check_queue_wakes(m, &m->activating);
	check_queue_wakes(m, &m->suspended);
	if (m->slow_kept_ns)
		check_wakes_by(m, m->nr_slow ? m->slow_due_ns : m->slow_idle_ns);
	if (m->reset_state > RESET_HANGS || !m->restart_over)
		assert(m->wake_ns);
	if (m->stopping)
		return;

	for_each_path(m, path) {
		check_path_wakes(m, path);
		list_for_each_entry(io, &path->flying, flight)
			if (io->cmd.class != CMD_READ)
				check_command_wakes(m, io);
	}
	if (!m->refreshing)
		check_wakes_by(m, m->refresh_due_ns);
	if (!list_empty(&m->pg_init_paths) && m->now_ns < m->pg_init_due_ns)
		check_wakes_by(m, m->pg_init_due_ns);
	check_wakes_by(m, m->failback_due_ns);
	check_wakes_by(m, m->judge_ns);
	if (still_settling(m))
		check_wakes_by(m, m->settling_since_ns + (m->choosing_early ? CHOOSING_EARLY_NS
									    : SETTLING_MAX_NS));
	if (m->settings.policy.on && m->groups_doubted && m->groups_formed)
		check_wakes_by(m, m->regroup_next_ns > m->now_ns ? m->regroup_next_ns : m->now_ns);
	if (m->short_ns && !m->told_short)
		assert(m->wake_ns);
}

void mpath_check_invariants(const struct multipath *m)
{
	unsigned int paths = 0, valid = 0, suspect = 0, unsettled = 0, in_flight = 0;
	unsigned int demoted = 0;
	const struct path *path;

	for_each_path(m, path) {
		check_path(path, &in_flight);
		paths++;
		valid += path->active;
		suspect += path->suspect;
		unsettled += !path->settled;
		demoted += path->demotion != NOT_DEMOTED;
	}
	assert(paths == m->nr_paths);
	list_for_each_entry(path, &m->leaving, map_node) {
		check_path(path, &in_flight);
		assert(path->leaving && !path->pg && !path->active && path->settled);
		assert(path->link != LINK_CLOSED);
	}
	assert(valid == m->nr_valid);
	assert(suspect == m->nr_suspect);
	assert(unsettled == m->nr_unsettled);
	assert(demoted == m->nr_demoted);
	assert(in_flight == m->nr_in_flight);
	assert(hedge_is_consistent(m));
	in_flight -= m->nr_legs;
	in_flight += count_waiting(&m->on_legs);
	assert(m->nr_ios == in_flight + count_waiting(&m->held) + count_waiting(&m->backlog) +
				    count_waiting(&m->delayed) + count_waiting(&m->restarting) +
				    count_waiting(&m->fenced) + count_waiting(&m->activating) +
				    count_waiting(&m->suspended));
	assert(m->suspend != SUSPENDED || m->nr_ios == count_waiting(&m->suspended));
	assert(m->suspend != NOT_SUSPENDED || list_empty(&m->suspended));
	assert(!m->shutdown || m->nr_ios == in_flight + count_waiting(&m->fenced));
	assert(!m->calm || is_calm(m));
	check_fences(m);
	check_order(m);
	if (m->started)
		check_wakes(m);
}
