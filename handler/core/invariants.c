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
}

static void check_fences(const struct multipath *m)
{
	const struct list *node;

	assert(!m->started || !m->fence_kept_ns || !m->former_fence_ns);
	for (node = m->fenced.next; node != &m->fenced; node = node->next) {
		const struct mpath_io *io = container_of(node, struct mpath_io, node);

		assert(io->fence_ns > m->now_ns && io->cmd.class != CMD_READ);
		assert(io->fence_ns <= m->fence_kept_ns);
	}
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
	check_fences(m);
}
