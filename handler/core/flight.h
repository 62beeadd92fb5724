/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a command gets on a path and off it: what the short way of nearly every command
 * (short_way.c) and the long one of all others have in common.
 */
#ifndef MPATH_FLIGHT_H
#define MPATH_FLIGHT_H

#include "core/multipath.h"

static inline struct path *select_path(struct multipath *m, struct priority_group *pg,
				       const struct mpath_io *io)
{
	struct select_hint hint = {
		.now_ns = m->now_ns, .nr_bytes = io->cmd.data_len, .cpu = io->cpu};

	return pg->selector.type->select_path(&pg->selector, &hint);
}

/* Of the try that begins. */
static inline void set_timeout(const struct multipath *m, struct mpath_io *io)
{
	uint32_t timeout_ms = m->settings.path_timeout_ms;

	io->cmd.timeout_ms = timeout_ms < io->cmd.needs_ms ? io->cmd.needs_ms : timeout_ms;
}

/* It may be out for longer than a next process that is told of @told_ms expects of a write. */
static inline bool outlasts(const struct mpath_io *io, uint32_t told_ms)
{
	return io->cmd.timeout_ms > told_ms && io->cmd.class != CMD_READ;
}

/* restart_least_timeout_ms() when writes are sent: nothing is told of a former process then. */
static inline bool is_slow_write(const struct multipath *m, const struct mpath_io *io)
{
	return outlasts(io, m->first_timeout_ms);
}

static inline void put_on_path(struct multipath *m, struct mpath_io *io, struct path *path)
{
	struct path_selector *ps = &path->pg->selector;

	trace(m, "io %02x: start on %s", io->cmd.cdb[0], path_name(path));
	io->path = path;
	io->start_ns = m->now_ns;
	path->in_flight++;
	path->flow++;
	m->nr_in_flight++;
	list_push_back(&path->flying, &io->flight);
	if (ps->type->start_io)
		ps->type->start_io(ps, path, io->cmd.data_len, m->now_ns);
}

/* @path is io->path, which is forgotten; @pg its group, NULL if it has left the map. */
static inline void leave_path(struct multipath *m, struct mpath_io *io, struct path *path,
			      struct priority_group *pg)
{
	list_del(&io->flight);
	path->in_flight--;
	path->flow++;
	m->nr_in_flight--;
	if (pg && pg->selector.type->end_io)
		pg->selector.type->end_io(&pg->selector, path, io->cmd.data_len, io->start_ns,
					  m->now_ns);
	io->path = NULL;
}

#endif
