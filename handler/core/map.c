/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command's way through the map: in, down a path, and back with an answer.
 */
#include <assert.h>

#include "core/flight.h"
#include "mpath/scsi.h"

void submit_io(struct multipath *m, struct mpath_io *io)
{
	assert(!io->path && !io->is_internal);
	m->nr_ios++;
	io->after_suspend = m->suspend != NOT_SUSPENDED;
	if (m->nr_news && !m->shutdown && tell_news(m, io))
		return;
	map_io(m, io);
}

static void limit_time(struct multipath *m, struct mpath_io *io)
{
	io->send_by_ns = io_deadline(m, io);
	if (io->cmd.class != CMD_READ)
		overdue_by(m, io->send_by_ns);
}

void start_io(struct multipath *m, struct mpath_io *io, struct path *path)
{
	set_timeout(m, io);
	io->send_by_ns = 0;
	if (m->backstore.cmd_time_out_ms)
		limit_time(m, io);
	if (is_slow_write(m, io))
		slow_write_starts(m, io);
	put_on_path(m, io, path);
	list_push_back(&m->actions->start, &io->node);
}

static __attribute__((noinline)) void wait_for_older(struct multipath *m, struct mpath_io *io,
						     struct mpath_io *older)
{
	if (m->shutdown) {
		complete_with_status(m, io, SAM_BUSY);
		return;
	}
	trace(m, "io %02x: waits for an older write to the same blocks", io->cmd.cdb[0]);
	hold_behind(m, io, older);
}

/*
 * Every submit, the first and each further one, passes here: never after a task management
 * function named the command, never after its deadline (hazards.md H4).
 */
static inline void map(struct multipath *m, struct mpath_io *io, bool on_leg)
{
	struct mpath_io *older;
	struct path *path;
	enum choice choice;

	assert(!io->aborted); /* it was answered then, or when it had left its path */
	if (opcode_marks[io->cmd.cdb[0]] == ABOUT_LUN && lun_answers(m, io)) {
		complete_io(m, io);
		return;
	}
	if (past_deadline(m, io)) {
		answer_too_late(m, io);
		return;
	}
	if (must_wait_for_resume(m, io)) {
		if (m->shutdown) {
			complete_with_status(m, io, SAM_BUSY);
			return;
		}
		trace(m, "io %02x: waits for resume", io->cmd.cdb[0]);
		hold_io(m, &m->suspended, io);
		return;
	}
	if (must_wait_for_strangers(m, io)) {
		if (m->shutdown) {
			complete_with_status(m, io, SAM_BUSY);
			return;
		}
		trace(m, "io %02x: waits for commands of a former process%s", io->cmd.cdb[0],
		      m->nr_overdue ? ", or overdue ones" : "");
		hold_io(m, &m->restarting, io);
		return;
	}
	if (io->waits_behind)
		wait_behind_nobody(io);
	older = m->nr_twice ? older_write(m, io) : NULL;
	/* Without a path it is not sent: answered at once is who is not to wait for one. */
	if (older && (m->nr_valid || may_hold(m, io))) {
		wait_for_older(m, io, older);
		return;
	}

	choice = choose_path(m, io, &path);
	if (choice != CHOSE_PATH)
		no_path_for(m, io, choice);
	else if (on_leg)
		start_on_leg(m, io, path);
	else
		start_io(m, io, path);
}

const uint8_t opcode_marks[256] = {
	[0x03] = FETCHES_SENSE,	     /* REQUEST SENSE */
	[0x12] = ABOUT_LUN,	     /* INQUIRY */
	[0x16] = ABOUT_RESERVATIONS, /* RESERVE(6), RELEASE(6) */
	[0x17] = ABOUT_RESERVATIONS, [0x1c] = PAIR_DIAGNOSTIC,
	[0x1d] = PAIR_DIAGNOSTIC,    [0x3b] = PAIR_BUFFER,
	[0x3c] = PAIR_BUFFER,	     [0x56] = ABOUT_RESERVATIONS, /* RESERVE(10), RELEASE(10) */
	[0x57] = ABOUT_RESERVATIONS, [0x5e] = ABOUT_RESERVATIONS, /* PERSISTENT RESERVE IN, OUT */
	[0x5f] = ABOUT_RESERVATIONS, [0x83] = PAIR_COPY,
	[0x84] = PAIR_COPY,	     [0x9b] = PAIR_BUFFER,
	[0x9e] = ABOUT_LUN,				 /* SERVICE ACTION IN(16) */
	[0xa2] = PAIR_SECURITY,	     [0xa3] = ABOUT_LUN, /* MAINTENANCE IN, OUT */
	[0xa4] = ABOUT_LUN,	     [0xb5] = PAIR_SECURITY,
};

/* It brings something; the others fetch it. */
static bool begins_pair(const struct mpath_io *io)
{
	switch (io->cmd.cdb[0]) {
	case 0x1d: /* SEND DIAGNOSTIC */
	case 0x3b: /* WRITE BUFFER */
	case 0x83: /* THIRD-PARTY COPY OUT */
	case 0xb5: /* SECURITY PROTOCOL OUT */
		return true;
	default:
		return false;
	}
}

/*
 * Down the path of the last one that began a pair, should it be usable.  Another one that begins
 * may follow other commands.
 */
static void map_pair(struct multipath *m, struct mpath_io *io)
{
	unsigned int *last = &m->pair_paths[pair_kind(io)];
	const struct path *path = *last ? find_path_by_id(m, *last - 1) : NULL;
	bool begins = begins_pair(io);

	if (path && !io->prefers && (!begins || path->pg == m->current_pg)) {
		io->prefers = true;
		io->preferred_id = path->id;
	}
	map(m, io, false);
	if (begins && io->path)
		*last = io->path->id + 1;
}

/* Else LIO would have answered it.  A reservation outlives this process. */
static void note_reservations(struct multipath *m)
{
	if (m->array_reserves)
		return;
	m->array_reserves = true;
	m->reset_told_ns = m->now_ns;
	m->actions->memory_changed = true;
}

static __attribute__((noinline)) void map_closely(struct multipath *m, struct mpath_io *io)
{
	if (opcode_marks[io->cmd.cdb[0]] == ABOUT_RESERVATIONS)
		note_reservations(m);
	if (m->stopping)
		complete_with_status(m, io, SAM_BUSY);
	else if (pair_kind(io))
		map_pair(m, io);
	else
		map(m, io, may_be_hedged(m, io));
}

void map_io(struct multipath *m, struct mpath_io *io)
{
	if (m->closer_look || is_marked(io))
		map_closely(m, io);
	else
		map(m, io, false);
}

/* The command has left its path, with an answer or without. */
void take_off_path(struct multipath *m, struct mpath_io *io)
{
	struct path *path = io->path;

	assert(path->in_flight && m->nr_in_flight);
	leave_path(m, io, path, path->pg);
	if (io->slow)
		slow_write_ends(m, io);
	if (path->resting)
		restart_path_drains(m, path);
	if (path->link == LINK_CLOSING)
		close_link_if_idle(m, path);
}

/*
 * Give up a command that is on a path.  Only for commands that change nothing: a write is answered
 * after its own answer or its fence, never before (D9).
 */
void abandon_io(struct multipath *m, struct mpath_io *io)
{
	assert(io->cmd.class == CMD_READ);
	if (io->abandoned)
		return;
	trace(m, "io %02x: given up on %s", io->cmd.cdb[0], path_name(io->path));
	io->abandoned = true;
	list_del(&io->node); /* the transport may have it on a list of its own */
	list_push_back(&m->actions->abandon, &io->node);
}

static void trace_answer(struct multipath *m, const struct mpath_io *io)
{
	if (scsi_result_is_good(&io->result))
		trace(m, "io %02x: good", io->cmd.cdb[0]);
	else
		trace(m, "io %02x: status %02x", io->cmd.cdb[0], io->result.status);
}

void complete_io(struct multipath *m, struct mpath_io *io)
{
	assert(!io->path && m->nr_ios);
	if (m->trace_fn)
		trace_answer(m, io);
	m->nr_ios--;
	overdue_io_ends(m, io);
	if (io->waits_behind)
		wait_behind_nobody(io);
	comes_no_more(m, io);
	io_stats_count(&m->stats, io, m->now_ns - io->arrival_ns);
	list_push_back(&m->actions->complete, &io->node);
}

void complete_with_sense(struct multipath *m, struct mpath_io *io, uint8_t key, uint8_t asc,
			 uint8_t ascq)
{
	scsi_sense_set(&io->result, (uint32_t)io->cmd.data_len, key, asc, ascq);
	complete_io(m, io);
}

void complete_with_status(struct multipath *m, struct mpath_io *io, uint8_t status)
{
	io->result = (struct scsi_result){.status = status, .residual = (uint32_t)io->cmd.data_len};
	complete_io(m, io);
}

void delay_io(struct multipath *m, struct mpath_io *io, uint64_t delay_ns)
{
	if (io->aborted || m->shutdown) {
		complete_with_status(m, io, io->aborted ? SAM_TASK_ABORTED : SAM_BUSY);
		return;
	}
	if (past_deadline(m, io)) {
		answer_too_late(m, io);
		return;
	}
	io->retry_ns = m->now_ns + delay_ns;
	wake_by(m, io->retry_ns);
	hold_io(m, &m->delayed, io);
}
