/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The short way of nearly every command: down the path whose turn it is, and back with GOOD.
 *
 * submit_io() and end_io() ask each command what may be the matter, and most of these questions are
 * the map's: is it suspended, does a group have to be activated, are writes fenced?  Their answers
 * can only change in a step that goes the long way, so they are asked once, after each of these
 * (is_calm()), and a command asks for the result.  Whatever is left to ask, of the command and of
 * its path, is asked before anything is changed; the least doubt sends it the long way.
 *
 * A command fares the same on both: sim/random lives some worlds twice, and compares.
 */
#include <assert.h>

#include "core/flight.h"

/* A command that comes now goes to the current group, and an answer that is good moves nothing. */
bool is_calm(const struct multipath *m)
{
	bool writes_may_go = m->restart_over && !m->nr_overdue && !has_fences(m) && !m->nr_twice;
	bool group_is_ready = m->nr_valid && m->current_pg && !m->next_pg &&
			      !(m->hw.type && m->queue_io) && !wants_pg_init(m);

	return writes_may_go && group_is_ready && m->suspend == NOT_SUSPENDED && !m->closer_look &&
	       !m->nr_news && list_empty(&m->backlog);
}

/* Nor has a write become overdue since. */
static inline bool is_calm_now(struct multipath *m, uint64_t now_ns)
{
	assert(now_ns >= m->now_ns);
	m->now_ns = now_ns;
	return m->calm && !(m->overdue_due_ns && now_ns >= m->overdue_due_ns);
}

/* With cmd_time_out.  A write that would be overdue before all others goes the long way. */
static inline bool limit_time(const struct multipath *m, struct mpath_io *io)
{
	uint64_t deadline_ns = io_deadline(m, io);

	io->send_by_ns = deadline_ns;
	if (io->cmd.class != CMD_READ && (!m->overdue_due_ns || deadline_ns < m->overdue_due_ns))
		return false;
	return m->now_ns < deadline_ns;
}

/* takes() of choose.c, for a command that has tried none yet. */
static inline bool takes_at_once(const struct path *path)
{
	if (path->suspect || path->resting || path->needs_activation || path->passive)
		return false;
	return path->active && path->in_flight < path->depth;
}

bool mpath_submit_short(struct multipath *m, struct mpath_io *io, uint64_t now_ns)
{
	struct path *path;

	if (!is_calm_now(m, now_ns) || is_marked(io))
		return false;
	set_timeout(m, io);
	if (is_slow_write(m, io))
		return false;
	io->send_by_ns = 0;
	if (m->backstore.cmd_time_out_ms && !limit_time(m, io))
		return false;
	path = select_path(m, m->current_pg, io);
	if (!path || !takes_at_once(path)) {
		m->calm = false;
		m->selected = path; /* a selector must not be asked twice */
		return false;
	}
	io->after_suspend = false;
	m->nr_ios++;
	m->nr_steps++;
	put_on_path(m, io, path);
	return true;
}

/* io_stats_count() for path and map: mostly both took the same time. */
static inline void count_good(struct multipath *m, struct path *path, const struct mpath_io *io)
{
	unsigned int bucket = latency_bucket(m->now_ns - io->start_ns);
	enum scsi_dir dir = io->cmd.dir;
	size_t bytes = io->cmd.data_len;

	path->stats.counters.good[dir]++;
	path->stats.counters.bytes[dir] += bytes;
	path->stats.latency.now[bucket]++;
	if (io->start_ns != io->arrival_ns)
		bucket = latency_bucket(m->now_ns - io->arrival_ns);
	m->stats.counters.good[dir]++;
	m->stats.counters.bytes[dir] += bytes;
	m->stats.latency.now[bucket]++;
}

bool mpath_end_io_short(struct multipath *m, struct mpath_io *io, uint64_t now_ns)
{
	struct path *path = io->path;
	struct priority_group *pg = path->pg;

	if (!is_calm_now(m, now_ns) || io->is_internal || io->slow)
		return false;
	if (is_marked(io) || !scsi_result_is_whole(&io->result))
		return false;
	if (path->link != LINK_OPEN || path->resting || !pg)
		return false;
	trace(m, "io %02x: good", io->cmd.cdb[0]);
	m->nr_ios--;
	m->nr_steps++;
	count_good(m, path, io);
	leave_path(m, io, path, pg);
	return true;
}
