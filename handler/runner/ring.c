// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The TCMU ring, owned.
 *
 * A response overlays the request in its slot, so it goes only into slots before "passed": what
 * stood there has been copied out.  A command is started when its slot is passed.  Hence there are
 * always at least as many passed slots as commands to answer, and a response never has to wait for
 * one.
 */
#include <errno.h>
#include <string.h>

#include "mpath/core.h"
#include "mpath/scsi.h"
#include "runner/ring.h"
#include "runtime/log.h"

int ring_init(struct ring *ring, void *base, size_t len, struct ring_cmd_pool *cmds,
	      const struct ring_ops *ops, void *arg)
{
	*ring = (struct ring){.cmds = cmds, .ops = ops, .arg = arg};
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
 * tcmu-runner: then the kernel begins anew, and we do not know where.
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

static void start(struct ring *ring, struct ring_cmd *cmd)
{
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

/* The core does not see this one.  The initiator gets the buffer: see ring_response_fill(). */
static void answer_unseen(struct ring *ring, const struct ring_entry *entry, uint8_t status)
{
	const struct ring_response response = {.scsi_status = status};

	ring_entry_zero_data(&ring->view, entry);
	respond(ring, entry->id, &response);
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

static bool names(const struct ring *ring, const struct ring_entry *tmr, uint16_t id)
{
	size_t count = ring_tmr_count(&ring->view, tmr);

	for (size_t i = 0; i < count; i++)
		if (ring_tmr_id(&ring->view, tmr, i) == id)
			return true;
	return false;
}

/* A TMR behind it means this command: until it is answered no other one has its id. */
static bool is_given_up(const struct ring *ring, const struct ring_entry *cmd, uint32_t head)
{
	struct ring_entry entry = ring_entry_at(&ring->view, cmd->next, head);

	while (entry.kind != ENTRY_NONE && entry.kind != ENTRY_BROKEN) {
		if (entry.kind == ENTRY_TMR && names(ring, &entry, cmd->id))
			return true;
		entry = ring_entry_at(&ring->view, entry.next, head);
	}
	return false;
}

/* False: no memory. */
static bool copy_iov(struct ring *ring, const struct ring_entry *entry, struct ring_cmd *cmd)
{
	size_t iov_cnt = ring_entry_iov(&ring->view, entry, cmd->iov, cmd->iov_max);

	if (iov_cnt > cmd->iov_max) {
		if (!ring_cmd_make_room(cmd, iov_cnt))
			return false;
		if (ring_entry_iov(&ring->view, entry, cmd->iov, iov_cnt) != iov_cnt)
			iov_cnt = 0; /* changed under way */
	}
	cmd->io.cmd.iov = cmd->iov;
	cmd->io.cmd.iov_cnt = iov_cnt;
	return true;
}

/* All of the command is copied out.  NULL: no memory. */
static struct ring_cmd *copy_cmd(struct ring *ring, const struct ring_entry *entry)
{
	struct ring_cmd *cmd = ring_cmd_get(ring->cmds);
	size_t cdb_len;

	if (!cmd)
		return NULL;
	if (!copy_iov(ring, entry, cmd)) {
		ring_cmd_put(cmd);
		return NULL;
	}
	cmd->id = entry->id;
	cdb_len = ring_entry_cdb(&ring->view, entry, cmd->io.cmd.cdb);
	/* scsi_cdb_fill() refuses what is too long. */
	cmd->io.cmd.cdb_len = cdb_len > UINT8_MAX ? UINT8_MAX : (uint8_t)cdb_len;
	return cmd;
}

/* What is taken at once. */
struct batch {
	uint32_t head; /* up to here */
	uint64_t arrival_ns;
	bool is_late; /* it may have been there for long */
};

/*
 * After a standstill the initiator may have given up a command already.  That one the core does not
 * see any more: it would tell its news, a unit attention, to whom nobody listens.
 */
static void take_cmd(struct ring *ring, const struct ring_entry *entry, const struct batch *batch)
{
	struct ring_cmd *cmd;

	if (ring->closing) {
		answer_unseen(ring, entry, SAM_BUSY);
		return;
	}
	if (batch->is_late && is_given_up(ring, entry, batch->head)) {
		answer_unseen(ring, entry, SAM_TASK_ABORTED);
		return;
	}
	cmd = copy_cmd(ring, entry);
	if (!cmd) {
		answer_unseen(ring, entry, SAM_TASK_SET_FULL);
		return;
	}
	cmd->io.arrival_ns = batch->arrival_ns;
	ring->ops->prepare(ring->arg, cmd);
	start(ring, cmd);
}

static uint32_t bytes_from_tail(const struct ring *ring, uint32_t to)
{
	uint32_t bytes = to - ring->published;

	return to < ring->published ? bytes + ring->view.ring_size : bytes;
}

/* The kernel never fills the ring, or nobody could tell a full one from an empty one. */
static void pass(struct ring *ring, const struct ring_entry *entry)
{
	if (bytes_from_tail(ring, ring->passed) + entry->len >= ring->view.ring_size)
		ring_break(ring, "the head has passed the tail");
	else
		ring->passed = entry->next;
}

/*
 * If the tail was where the kernel begins anew, only the head tells of that: it never goes back.
 * Else we would take what is left of an earlier round.
 */
static void check_head(struct ring *ring, uint32_t head)
{
	check_not_reset(ring);
	if (bytes_from_tail(ring, head) < bytes_from_tail(ring, ring->passed))
		ring_break(ring, "the head has gone back");
}

static void take_all(struct ring *ring, const struct batch *batch)
{
	check_head(ring, batch->head);
	while (!ring->broken) {
		struct ring_entry entry = ring_entry_at(&ring->view, ring->passed, batch->head);

		if (entry.kind == ENTRY_NONE)
			return;
		if (entry.kind == ENTRY_BROKEN)
			ring_break(ring, "no entry");
		else
			pass(ring, &entry);
		if (ring->broken)
			return;
		if (entry.kind == ENTRY_TMR)
			act_on_tmr(ring, &entry);
		if (entry.kind == ENTRY_CMD)
			take_cmd(ring, &entry, batch);
	}
}

/*
 * The clock is read behind the head: whatever is taken was there by then, although we may have
 * stood still in the midst of a batch.  What came since is not taken; nor does the
 * ring count as looked at then, or that would seem to have come after this look.
 *
 * The deadline is the kernel's: past it, the initiator may have written newer data elsewhere (H4).
 */
void ring_take(struct ring *ring)
{
	struct batch batch = {.head = ring_view_head(&ring->view)};
	uint64_t now_ns = ring->ops->read_clock(ring->arg);

	batch.is_late = ring->looked_ns && now_ns - ring->looked_ns > RING_LATE_NS;
	batch.arrival_ns = batch.is_late ? ring->looked_ns : now_ns;
	if (ring_view_head(&ring->view) == batch.head)
		ring->looked_ns = now_ns;
	take_all(ring, &batch);
}

/* The kernel tells of what it puts there; but a front end that submits in batches does so late. */
void ring_tick(struct ring *ring)
{
	ring_take(ring);
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
	take_all(ring, &(struct batch){.head = ring_view_head(&ring->view)});
	ring_flush(ring);
}
