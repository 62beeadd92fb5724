/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that wait: for a path (held), for room (backlog), for a moment (delayed).  What waits
 * can always be aborted, and is answered before the kernel would answer in our place.
 */
#include <assert.h>

#include "core/multipath.h"
#include "mpath/scsi.h"

void hold_io(struct multipath *m, struct list *queue, struct mpath_io *io)
{
	uint64_t deadline = io_deadline(m, io);

	if (deadline)
		wake_by(m, deadline);
	list_push_back(queue, &io->node);
}

/* Every path says that the LUN does not exist: waiting is of no use (PDL, F34). */
static bool lun_is_gone(const struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		if (!path->lun_gone)
			return false;
	return m->nr_paths > 0;
}

/* 0: without limit. */
uint64_t no_path_limit(const struct multipath *m, const struct mpath_io *io)
{
	uint32_t limit_ms = io->cmd.class == CMD_READ ? m->settings.no_path_timeout_read_ms
						      : m->settings.no_path_timeout_write_ms;

	return limit_ms ? m->no_path_since_ns + limit_ms * NSEC_PER_MSEC : 0;
}

static bool past_no_path_limit(const struct multipath *m, const struct mpath_io *io)
{
	uint64_t limit = no_path_limit(m, io);

	return limit && m->now_ns >= limit;
}

void no_path_begins(struct multipath *m)
{
	m->no_path_since_ns = m->now_ns;
}

/* Those who wait for another one are looked at again: without a path they may not be held. */
void last_path_is_lost(struct multipath *m)
{
	no_path_begins(m);
	release_held_paths(m);
	m->run_held |= !list_empty(&m->restarting);
}

/* For a path, while there is none. */
bool may_hold(const struct multipath *m, const struct mpath_io *io)
{
	return may_queue(m) && io->cmd.medium && m->lun.known && !lun_is_gone(m) &&
	       !past_no_path_limit(m, io);
}

/* There is no path, and the map queues: for so long. */
static void hold_for_path(struct multipath *m, struct mpath_io *io)
{
	uint64_t limit = no_path_limit(m, io);

	trace(m, "io %02x: no path -> queue", io->cmd.cdb[0]);
	retries_begin_anew(io);
	if (limit)
		wake_by(m, limit);
	hold_io(m, &m->held, io);
}

/* Behind an older write; without a path for no longer than for that. */
void hold_behind(struct multipath *m, struct mpath_io *io, struct mpath_io *older)
{
	uint64_t limit = m->nr_valid ? 0 : no_path_limit(m, io);

	wait_behind(io, older);
	if (limit)
		wake_by(m, limit);
	hold_io(m, &m->restarting, io);
}

/* It was tried, and what the last target said is no good.  (All 0 is no word yet.) */
static bool target_spoke(const struct mpath_io *io)
{
	return io->result.transport == TRANSPORT_OK && io->result.status != SAM_GOOD;
}

/* That a path was in standby is no answer to who asks what the LUN is. */
static bool answers_from_memory(const struct multipath *m, struct mpath_io *io)
{
	return m->lun.known && !lun_is_gone(m) &&
	       (scsi_lun_answers_capacity(io, &m->lun) || scsi_lun_answers_cache(io));
}

/*
 * The LUN's state is why a command ends.  REQUEST SENSE has asked for that, and is GOOD with it as
 * its data (SPC-5 6.39).  INQUIRY is for any state (SPC-5 6.7.1), so what only a path can answer
 * was aborted, and may be sent again.
 */
static void answer_state(struct multipath *m, struct mpath_io *io, uint8_t key, uint8_t asc)
{
	switch (io->cmd.cdb[0]) {
	case 0x03:
		scsi_reply_sense(io, key, asc, 0x00);
		complete_io(m, io);
		return;
	case 0x12:
		complete_with_sense(m, io, key == 0x02 ? 0x0b : key, asc, 0x00);
		return;
	default:
		complete_with_sense(m, io, key, asc, 0x00);
		return;
	}
}

/* D10: a target's word is better than ours. */
void answer_too_late(struct multipath *m, struct mpath_io *io)
{
	trace(m, "io %02x: deadline passed", io->cmd.cdb[0]);
	if (answers_from_memory(m, io) || target_spoke(io))
		complete_io(m, io);
	else
		answer_state(m, io, 0x02, 0x08);
}

/* There is nothing to wait for: answer with what the last path said, else in our own words. */
static void answer_without_path(struct multipath *m, struct mpath_io *io)
{
	trace(m, "io %02x: no path", io->cmd.cdb[0]);
	if (answers_from_memory(m, io) || target_spoke(io))
		complete_io(m, io);
	else if (lun_is_gone(m))
		answer_state(m, io, 0x05, 0x25);
	else if (m->lun.known)
		answer_state(m, io, 0x02, 0x08);
	else
		answer_state(m, io, 0x02, 0x04);
}

/* It has tried one already, or was there before. */
static bool may_not_use_all_paths(const struct mpath_io *io)
{
	return io->nr_suspicions || pair_kind(io);
}

/*
 * Commands that may not use all paths come first: each may need another path than those that may,
 * see run_backlog().
 */
static void wait_for_room(struct multipath *m, struct mpath_io *io)
{
	hold_io(m, &m->backlog, io);
	if (!may_not_use_all_paths(io))
		return;
	list_del(&io->node);
	list_push_front(&m->backlog, &io->node);
}

void no_path_for(struct multipath *m, struct mpath_io *io, enum choice choice)
{
	if (m->shutdown) {
		complete_with_status(m, io, SAM_BUSY);
		return;
	}

	switch (choice) {
	case CHOSE_PATH:
		assert(!"a command with a path has no need to wait");
		return;
	case CHOSE_WAIT_FOR_ROOM:
		wait_for_room(m, io);
		return;
	case CHOSE_WAIT_FOR_PATH:
		trace(m, "io %02x: waits for a path in doubt", io->cmd.cdb[0]);
		hold_io(m, &m->held, io);
		end_pauses(m);
		return;
	case CHOSE_WAIT_FOR_ACTIVATION:
		trace(m, "io %02x: waits for activation", io->cmd.cdb[0]);
		hold_io(m, &m->activating, io);
		return;
	case CHOSE_EXHAUSTED:
		if (may_try_them_again(m, io)) {
			map_io(m, io);
			return;
		}
		/* It failed alike on every path, and the paths are good (H7). */
		trace(m, "io %02x: tried on every path", io->cmd.cdb[0]);
		give_up(m, io);
		return;
	case CHOSE_NONE:
		if (may_hold(m, io)) {
			hold_for_path(m, io);
		} else {
			answer_without_path(m, io);
		}
		return;
	}
}

/* There is no path, so they wait for one, too, and perhaps may not any more. */
static void take_who_waits_behind(struct multipath *m, struct list *todo)
{
	struct mpath_io *io, *next;

	list_for_each_entry_safe(io, next, &m->restarting, node) {
		if (!io->waits_behind)
			continue;
		list_del(&io->node);
		list_push_back(todo, &io->node);
	}
}

/* A path is usable again, or nothing may be held any more: everybody once more. */
void run_queues(struct multipath *m)
{
	struct list todo;
	struct list *node;

	/* Take the queues first: an io that finds no path goes back on them. */
	list_init(&todo);
	m->run_held = false;
	list_splice(&todo, &m->held);
	if (!m->nr_valid)
		take_who_waits_behind(m, &todo);
	let_go_behind_older(m, &todo);
	list_splice(&todo, &m->backlog);
	list_splice(&todo, &m->activating);
	while ((node = list_pop(&todo)))
		map_io(m, container_of(node, struct mpath_io, node));
	if (!m->lun.known)
		activate_unseen_lun(m);
}

/*
 * A command has left a path: there is room for those that waited for it.  Some may end without
 * using it, some may not use it, so go on until one that may use any path still finds none.
 */
void run_backlog(struct multipath *m)
{
	struct mpath_io *io;
	struct list *node;
	struct list todo;

	list_init(&todo);
	list_splice(&todo, &m->backlog);
	while ((node = list_pop(&todo))) {
		io = container_of(node, struct mpath_io, node);
		map_io(m, io);
		if (m->backlog.prev == &io->node && !may_not_use_all_paths(io))
			break;
	}
	list_splice(&m->backlog, &todo);
}

static void expire(struct multipath *m, struct list *queue)
{
	struct mpath_io *io, *next;

	list_for_each_entry_safe(io, next, queue, node) {
		uint64_t deadline = io_deadline(m, io);

		if (!deadline)
			return;
		if (m->now_ns < deadline) {
			wake_by(m, deadline);
			continue;
		}
		list_del(&io->node);
		answer_too_late(m, io);
	}
}

static void look_at_patience(struct multipath *m, const struct mpath_io *io)
{
	uint64_t limit = no_path_limit(m, io);

	if (limit && m->now_ns >= limit)
		m->run_held = true;
	else if (limit)
		wake_by(m, limit);
}

/* Those that have waited for a path as long as they may are mapped again, which answers them. */
static void end_of_patience(struct multipath *m)
{
	const struct mpath_io *io;

	if (m->nr_valid || !may_queue(m))
		return;
	list_for_each_entry(io, &m->held, node)
		look_at_patience(m, io);
	list_for_each_entry(io, &m->restarting, node)
		if (io->waits_behind)
			look_at_patience(m, io);
}

void queues_timeout(struct multipath *m)
{
	struct mpath_io *io, *next;
	struct list due;

	expire(m, &m->held);
	expire(m, &m->backlog);
	expire(m, &m->delayed);
	expire(m, &m->restarting);
	expire(m, &m->activating);
	expire(m, &m->suspended);
	end_of_patience(m);

	list_init(&due);
	list_for_each_entry_safe(io, next, &m->delayed, node) {
		if (m->now_ns < io->retry_ns) {
			wake_by(m, io->retry_ns);
			continue;
		}
		list_del(&io->node);
		list_push_back(&due, &io->node);
	}
	while (!list_empty(&due)) {
		io = list_first_entry(&due, struct mpath_io, node);
		list_del(&io->node);
		map_io(m, io);
	}
}

/*
 * A task management function named the command.  What waits is answered at once; a read is given
 * up, unless it has legs, which have buffers of their own; a write on a path is answered after its
 * own answer, a fenced one after its fence (D9).
 */
void abort_io(struct multipath *m, struct mpath_io *io)
{
	trace(m, "io %02x: aborted", io->cmd.cdb[0]);
	io->aborted = true;
	if (io->fence_ns)
		return;
	if (!io->path) {
		list_del(&io->node);
		if (io->cmd.class == CMD_READ)
			loosen_legs(io);
		complete_with_status(m, io, SAM_TASK_ABORTED);
	} else if (io->cmd.class == CMD_READ) {
		abandon_io(m, io);
	}
}

static void take_all(struct multipath *m, struct list *todo)
{
	list_init(todo);
	list_splice(todo, &m->held);
	list_splice(todo, &m->backlog);
	list_splice(todo, &m->delayed);
	list_splice(todo, &m->restarting);
	list_splice(todo, &m->activating);
	list_splice(todo, &m->suspended);
}

void answer_all_busy(struct multipath *m)
{
	struct list todo;
	struct list *node;

	take_all(m, &todo);
	while ((node = list_pop(&todo)))
		complete_with_status(m, container_of(node, struct mpath_io, node), SAM_BUSY);
}

void answer_all_not_ready(struct multipath *m)
{
	struct list todo;
	struct list *node;

	take_all(m, &todo);
	while ((node = list_pop(&todo)))
		answer_state(m, container_of(node, struct mpath_io, node), 0x02, 0x04);
}
