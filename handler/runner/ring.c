// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The TCMU ring, owned.
 *
 * libtcmu reads the ring with a pointer of its own and hands out what it understands.  It steps
 * over the rest without a word: padding, task management (TMR) entries, and commands with opcodes
 * 60h-7Eh and C0h-FFh, which it never answers.  We follow behind with a pointer of our own,
 * "passed", and see to those.
 *
 * Why "passed" matters: a response overlays the request in its slot.  Were it written before
 * libtcmu has read the slot, libtcmu would take sense bytes for the address of a CDB.  So
 * responses go only into slots before "passed", and "passed" moves only when it is certain that
 * libtcmu is beyond:
 *  - up to and including a command, when handle_cmd() was called for it;
 *  - over entries that libtcmu does not hand out, when it is seen to be idle (pass_by_idleness).
 * A command is started when its slot is passed.  Hence there are always at least as many passed
 * slots as commands to answer, and a response never has to wait for one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/core.h"
#include "mpath/scsi.h"
#include "runner/ring.h"
#include "runtime/log.h"

int ring_init(struct ring *ring, void *base, size_t len, const struct ring_ops *ops, void *arg)
{
	*ring = (struct ring){.ops = ops, .arg = arg};
	if (!ring_view_init(&ring->view, base, len))
		return -EINVAL;

	ring->tail = ring_view_tail(&ring->view);
	ring->published = ring->tail;
	ring->passed = ring->tail;
	for (unsigned int i = 0; i < RING_HASH_SIZE; i++)
		list_init(&ring->by_id[i]);
	return 0;
}

static void ring_break(struct ring *ring, const char *what)
{
	if (!ring->broken)
		mpath_log(MPATH_LOG_ERROR, NULL, NULL,
			  "the TCMU ring is broken (%s at %u, head %u): no command is answered any "
			  "more; restart tcmu-runner to reset the ring",
			  what, ring->passed, ring_view_head(&ring->view));
	ring->broken = true;
}

/*
 * The tail is ours alone, unless somebody writes the backstore's action/reset_ring below a running
 * tcmu-runner: then the kernel begins anew, and neither libtcmu nor we know where.
 */
static void check_not_reset(struct ring *ring)
{
	if (ring_view_tail(&ring->view) != ring->published)
		ring_break(ring, "reset by somebody else");
}

/* --- responses --- */

/* The next slot for a response; padding and TMR entries take none. */
static bool next_slot(struct ring *ring, struct ring_entry *entry)
{
	while (ring->tail != ring->passed) {
		*entry = ring_entry_at(&ring->view, ring->tail, ring->passed);
		switch (entry->kind) {
		case ENTRY_SKIP:
		case ENTRY_TMR:
			ring->tail = entry->next;
			continue;
		case ENTRY_CMD:
		case ENTRY_DROPPED:
			return true;
		case ENTRY_NONE:
		case ENTRY_BROKEN:
			ring_break(ring, "no entry");
			return false;
		}
	}
	return false;
}

static void respond(struct ring *ring, uint16_t id, const struct ring_response *response)
{
	struct ring_entry slot;

	if (ring->broken)
		return;
	if (!next_slot(ring, &slot)) {
		ring_break(ring, "no slot for a response");
		return;
	}
	ring_response_write(&ring->view, &slot, id, response);
	ring->tail = slot.next;
}

void ring_complete(struct ring *ring, struct mpath_io *io)
{
	struct ring_cmd *cmd = io->owner;
	struct ring_response response;

	ring->outstanding--;
	list_del(&cmd->by_id);
	check_not_reset(ring);
	if (!ring->broken) { /* else its buffers may be another command's now */
		ring_response_fill(&ring->view, io, &response);
		respond(ring, cmd->id, &response);
	}
	ring_cmd_put(cmd);
}

void ring_flush(struct ring *ring)
{
	struct ring_entry entry;

	check_not_reset(ring);
	/* A TMR that is last in the ring must not keep the ring from being seen as empty. */
	if (!ring->broken)
		next_slot(ring, &entry);
	if (ring->broken || ring->tail == ring->published)
		return;
	ring->published = ring->tail;
	ring_view_set_tail(&ring->view, ring->tail);
	ring->ops->kick(ring->arg);
}

/* --- commands and task management --- */

static struct list *bucket(struct ring *ring, uint16_t id)
{
	return &ring->by_id[id % RING_HASH_SIZE];
}

static struct ring_cmd *find_cmd(struct ring *ring, uint16_t id)
{
	struct ring_cmd *cmd;

	list_for_each_entry(cmd, bucket(ring, id), by_id)
		if (cmd->id == id)
			return cmd;
	return NULL;
}

void ring_look(struct ring *ring, uint64_t now_ns)
{
	uint32_t head = ring_view_head(&ring->view);

	if (!ring->late && ring->looked_ns && head != ring->passed) {
		ring->late = true;
		ring->late_to = head;
		ring->late_since_ns = ring->looked_ns;
	}
	ring->looked_ns = now_ns;
}

/* The deadline is the kernel's: past it, the initiator may have written newer data elsewhere (H4).
 */
static void correct_arrival(const struct ring *ring, struct mpath_io *io)
{
	uint64_t since_ns = ring->passed_since_ns;

	if (since_ns && ring->looked_ns - since_ns > RING_LATE_NS && io->arrival_ns > since_ns)
		io->arrival_ns = since_ns;
}

static void start(struct ring *ring, struct ring_cmd *cmd)
{
	correct_arrival(ring, &cmd->io);
	list_push_front(bucket(ring, cmd->id), &cmd->by_id);
	ring->outstanding++;
	if (cmd->refused) {
		ring_complete(ring, &cmd->io);
		return;
	}
	ring->ops->submit(ring->arg, &cmd->io);
}

/*
 * Of a broken ring nobody knows whose its buffers are by now.  If it was reset the kernel has
 * answered all commands, and new ones have their place: what waits for a path, or for its fence,
 * must not be sent with their data, nor a late answer be read into it.  By a tick, as then no step
 * of the map's is under way.
 */
static void abort_all(struct ring *ring)
{
	struct list *node, todo;

	ring->given_up = true;
	for (unsigned int i = 0; i < RING_HASH_SIZE; i++) {
		list_init(&todo);
		list_splice(&todo, &ring->by_id[i]);
		while ((node = list_pop(&todo))) {
			struct ring_cmd *cmd = container_of(node, struct ring_cmd, by_id);

			list_push_back(&ring->by_id[i], node);
			ring->ops->abort(ring->arg, &cmd->io);
		}
	}
}

/* The initiator is to come again.  It gets the buffer, too: see ring_response_fill(). */
static void put_off(struct ring *ring, uint16_t id, uint8_t status)
{
	const struct ring_response response = {.scsi_status = status};

	respond(ring, id, &response);
}

/*
 * Everything before the TMR in the ring has been started, and nothing behind it: so its ids mean
 * the commands that bear them now, although the kernel uses ids again.
 */
static void act_on_tmr(struct ring *ring, const struct ring_entry *entry)
{
	size_t count = ring_tmr_count(&ring->view, entry);

	for (size_t i = 0; i < count; i++) {
		struct ring_cmd *cmd = find_cmd(ring, ring_tmr_id(&ring->view, entry, i));

		if (cmd)
			ring->ops->abort(ring->arg, &cmd->io);
	}
}

/* Iovecs and command in one piece of memory: what libtcmu drops is rare and may allocate. */
static struct ring_cmd *dropped_cmd(struct ring *ring, const struct ring_entry *entry)
{
	size_t iov_cnt = ring_entry_iov(&ring->view, entry, NULL, 0);
	struct ring_cmd *cmd;
	struct iovec *iov;

	cmd = calloc(1, sizeof(*cmd) + iov_cnt * sizeof(*iov));
	if (!cmd)
		return NULL;

	iov = (struct iovec *)(void *)(cmd + 1);
	list_init(&cmd->io.node);
	cmd->id = entry->id;
	cmd->io.owner = cmd;
	cmd->io.cmd.cdb_len = (uint8_t)ring_entry_cdb(&ring->view, entry, cmd->io.cmd.cdb);
	cmd->io.cmd.iov = iov;
	cmd->io.cmd.iov_cnt = iov_cnt;
	ring_entry_iov(&ring->view, entry, iov, iov_cnt);
	return cmd;
}

static void start_dropped(struct ring *ring, const struct ring_entry *entry)
{
	struct ring_cmd *cmd = ring->closing ? NULL : dropped_cmd(ring, entry);

	if (!cmd) {
		ring_entry_zero_data(&ring->view, entry);
		put_off(ring, entry->id, ring->closing ? SAM_BUSY : SAM_TASK_SET_FULL);
		return;
	}
	ring->ops->prepare(ring->arg, cmd);
	start(ring, cmd);
}

/* --- following libtcmu --- */

/* The kernel never fills the ring, or nobody could tell a full one from an empty one. */
static uint32_t unanswered_bytes(const struct ring *ring)
{
	uint32_t bytes = ring->passed - ring->published;

	return ring->passed < ring->published ? bytes + ring->view.ring_size : bytes;
}

/*
 * libtcmu has passed @entry, which stands at ring->passed.  A dropped command is copied out by
 * start_dropped() before any response can be written over it.
 */
static void pass_over(struct ring *ring, const struct ring_entry *entry)
{
	bool peeked = ring->peeked >= entry->len;

	if (unanswered_bytes(ring) + entry->len >= ring->view.ring_size) {
		ring_break(ring, "the head has passed the tail");
		return;
	}
	ring->passed_since_ns = ring->late ? ring->late_since_ns : 0;
	ring->passed = entry->next;
	if (ring->passed == ring->late_to)
		ring->late = false;
	ring->peeked -= peeked ? entry->len : ring->peeked;
	if (entry->kind == ENTRY_TMR && !peeked)
		act_on_tmr(ring, entry);
	if (entry->kind == ENTRY_DROPPED)
		start_dropped(ring, entry);
}

/* Task management is urgent, and reading needs no proof: look ahead up to the next command. */
static void peek(struct ring *ring)
{
	uint32_t head = ring_view_head(&ring->view);
	uint32_t at = (ring->passed + ring->peeked) % ring->view.ring_size;

	while (!ring->broken) {
		struct ring_entry entry = ring_entry_at(&ring->view, at, head);

		/* A dropped command may be named by a TMR behind it: first things first. */
		if (entry.kind != ENTRY_SKIP && entry.kind != ENTRY_TMR)
			return;
		at = entry.next;
		ring->peeked += entry.len;
		if (entry.kind == ENTRY_TMR)
			act_on_tmr(ring, &entry);
	}
}

/* Pass everything up to the command with @id, for which handle_cmd() was called, and that too. */
static bool pass_until(struct ring *ring, uint16_t id)
{
	uint32_t head = ring_view_head(&ring->view);

	while (!ring->broken) {
		struct ring_entry entry = ring_entry_at(&ring->view, ring->passed, head);

		switch (entry.kind) {
		case ENTRY_DROPPED:
		case ENTRY_CMD:
			/* The id first: a libtcmu to come may know more opcodes. */
			if (entry.id == id) {
				entry.kind = ENTRY_CMD;
				pass_over(ring, &entry);
				return !ring->broken;
			}
			if (entry.kind == ENTRY_CMD)
				ring_break(ring, "a command that was not handed out");
			else
				pass_over(ring, &entry);
			break;
		case ENTRY_SKIP:
		case ENTRY_TMR:
			pass_over(ring, &entry);
			break;
		case ENTRY_NONE:
		case ENTRY_BROKEN:
			ring_break(ring, "a command that is not there");
			break;
		}
	}
	return false;
}

void ring_take(struct ring *ring, struct ring_cmd *cmd)
{
	cmd->id = cmd->lib_cmd->cmd_id;
	if (pass_until(ring, cmd->id))
		start(ring, cmd);
	else
		ring_cmd_put(cmd);
}

void ring_take_overflow(struct ring *ring, struct tcmulib_cmd *lib_cmd)
{
	if (pass_until(ring, lib_cmd->cmd_id)) {
		scsi_iov_zero_from(lib_cmd->iovec, lib_cmd->iov_cnt, 0);
		put_off(ring, lib_cmd->cmd_id, SAM_TASK_SET_FULL);
	}
	free(lib_cmd);
}

/* Pass what libtcmu does not hand out, up to @head or to the next command that it does. */
static void pass_to(struct ring *ring, uint32_t head)
{
	while (!ring->broken) {
		struct ring_entry entry = ring_entry_at(&ring->view, ring->passed, head);

		switch (entry.kind) {
		case ENTRY_SKIP:
		case ENTRY_TMR:
		case ENTRY_DROPPED:
			pass_over(ring, &entry);
			break;
		case ENTRY_CMD:
		case ENTRY_NONE:
			return;
		case ENTRY_BROKEN:
			ring_break(ring, "no entry");
			return;
		}
	}
}

/*
 * Is there something at ring->passed that no handle_cmd() will ever tell us about, and has it
 * been there for a while?
 */
static bool waits_for_idleness(struct ring *ring, uint64_t now_ns)
{
	uint32_t head = ring_view_head(&ring->view);
	struct ring_entry entry = ring_entry_at(&ring->view, ring->passed, head);

	if (ring->broken || entry.kind == ENTRY_NONE || entry.kind == ENTRY_CMD) {
		ring->waiting = false;
		return false;
	}
	if (!ring->waiting || ring->waiting_at != ring->passed) {
		ring->waiting = true;
		ring->waiting_at = ring->passed;
		ring->waiting_head = head;
		ring->waiting_since_ns = now_ns;
		return false;
	}
	return now_ns - ring->waiting_since_ns >= RING_TICK_NS;
}

/*
 * libtcmu is idle: it has seen every entry that the kernel had told it about.  The proof is
 * ring_ops.libtcmu_idle()'s (cmdproc.c); what is added here is age.  The kernel first moves the
 * head and then tells; it normally does both under one lock, but a front end that submits in
 * batches (tcm_loop, vhost) delays the telling to the end of its batch.  Entries count as told
 * only when they were there a tick ago.
 */
static void pass_by_idleness(struct ring *ring, uint64_t now_ns)
{
	if (!waits_for_idleness(ring, now_ns) || !ring->ops->libtcmu_idle(ring->arg))
		return;
	ring->waiting = false;
	pass_to(ring, ring->waiting_head);
}

void ring_tick(struct ring *ring, uint64_t now_ns)
{
	ring_look(ring, now_ns);
	peek(ring);
	pass_by_idleness(ring, now_ns);
	ring_flush(ring);
	if (ring->broken && !ring->given_up)
		abort_all(ring);
}

bool ring_busy(const struct ring *ring)
{
	return ring->outstanding || ring->passed != ring_view_head(&ring->view);
}

void ring_close(struct ring *ring)
{
	ring->closing = true;
	pass_to(ring, ring_view_head(&ring->view));
	ring_flush(ring);
}
