/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCMU ring between initiators and map, for worlds that have one: the kernel writes entries
 * and takes answers, and in between there is the real runner/ring.c, whose mailbox is a piece of
 * memory.
 *
 * A command goes in as bytes, and what the map gets is read from these; its answer comes back as
 * bytes, and is compared with what the map has said.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mpath/scsi.h"
#include "runner/ring.h"
#include "runtime/log.h"
#include "sim/lib/path.h"

#define RING_OFF  128u
#define RING_SIZE 65536u
#define DATA_OFF  (RING_OFF + RING_SIZE)
#define IDS_MAX	  512u
#define MEM_SIZE  (DATA_OFF + IDS_MAX * SIM_AREA_BYTES)

struct sim_ring {
	uint8_t *mem;
	struct ring ring;
	struct ring_cmd_pool pool;
	uint32_t taken; /* the kernel's: it has seen all answers before that */
	struct sim_io *by_id[IDS_MAX];
	struct iovec iov[IDS_MAX][SIM_PIECES_MAX]; /* of these */
	uint32_t iov_cnt[IDS_MAX];
	bool ticks;
};

/* The ring has nothing to say but that it is broken. */
void mpath_log(enum log_level level, const char *map, const char *path, const char *format, ...)
{
	char text[300];
	va_list args;

	(void)level, (void)map, (void)path;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fail_at(NULL, __FILE__, __LINE__, "%s", text);
}

static struct ring_mailbox *mailbox(const struct sim_ring *r)
{
	return (struct ring_mailbox *)(void *)r->mem;
}

static uint8_t *entry(const struct sim_ring *r, uint32_t at)
{
	return r->mem + RING_OFF + at;
}

static uint8_t *data_of(const struct sim_ring *r, unsigned int id)
{
	return r->mem + DATA_OFF + (size_t)id * SIM_AREA_BYTES;
}

static struct ring_header header_at(const struct sim_ring *r, uint32_t at)
{
	struct ring_header header;

	memcpy(&header, entry(r, at), sizeof(header));
	return header;
}

static uint32_t behind(const struct ring_header *header, uint32_t at)
{
	return (at + (header->len_op & ~RING_OP_MASK)) % RING_SIZE;
}

/* --- the kernel: commands and task management --- */

static void put_header(struct sim_ring *r, uint32_t at, uint32_t op, uint32_t len, uint16_t id)
{
	const struct ring_header header = {.len_op = len | op, .cmd_id = id};

	memset(entry(r, at), 0, len);
	memcpy(entry(r, at), &header, sizeof(header));
}

/* An entry never crosses the end of the ring: there is padding then. */
static uint32_t put_entry(struct world *w, uint32_t op, uint32_t len, uint16_t id)
{
	struct sim_ring *r = w->ring;
	uint32_t head = mailbox(r)->head, left = RING_SIZE - head;
	uint32_t used = (head + RING_SIZE - r->taken) % RING_SIZE;

	oracle_check(w, used + len + (left < len ? left : 0) < RING_SIZE, "the ring is full");
	if (left < len) {
		put_header(r, head, RING_OP_PAD, left, 0);
		head = 0;
		w->counts.ring_rounds++;
	}
	put_header(r, head, op, len, id);
	return head;
}

/* The head moves once the entry is complete. */
static void publish(struct sim_ring *r, uint32_t at, uint32_t len)
{
	__atomic_store_n(&mailbox(r)->head, (at + len) % RING_SIZE, __ATOMIC_RELEASE);
}

static uint16_t lowest_free_id(struct world *w)
{
	uint16_t id = 0;

	while (w->ring->by_id[id])
		oracle_check(w, ++id < IDS_MAX, "too many commands in the ring");
	return id;
}

static void tick_later(struct world *w)
{
	if (!w->ring->ticks)
		sim_event_add(w, SIM_TICK, NULL, NULL, w->now_ns + RING_TICK_NS);
	w->ring->ticks = true;
}

/* In an entry, as the kernel does it: behind the iovecs, and where a response has room. */
static uint32_t cdb_at(uint32_t iov_cnt)
{
	size_t at = offsetof(struct ring_request, iov) + iov_cnt * sizeof(struct ring_iovec);

	return (uint32_t)(at < sizeof(struct ring_response) ? sizeof(struct ring_response) : at);
}

static void put_iov(struct sim_ring *r, uint32_t at, uint16_t id)
{
	uint8_t *to = entry(r, at) + offsetof(struct ring_request, iov);
	uint32_t i;

	for (i = 0; i < r->iov_cnt[id]; i++) {
		const struct iovec *from = &r->iov[id][i];
		struct ring_iovec iov = {(uint64_t)((uint8_t *)from->iov_base - r->mem),
					 from->iov_len};

		memcpy(to + i * sizeof(iov), &iov, sizeof(iov));
	}
}

void sim_ring_put(struct world *w, struct sim_io *io)
{
	struct sim_ring *r = w->ring;
	const struct scsi_cmd *cmd = &io->io.cmd;
	uint16_t id = lowest_free_id(w);
	uint32_t iov_cnt = (uint32_t)sim_cut(w, data_of(r, id), cmd->data_len, r->iov[id]);
	uint32_t len = cdb_at(iov_cnt) + ((cmd->cdb_len + 7u) & ~7u);
	uint32_t at = put_entry(w, RING_OP_CMD, len, id);
	struct ring_request request = {
		.header = header_at(r, at),
		.iov_cnt = iov_cnt,
		.cdb_off = RING_OFF + at + cdb_at(iov_cnt),
	};

	r->iov_cnt[id] = iov_cnt;
	if (cmd->dir == SCSI_DATA_OUT)
		sim_scatter(r->iov[id], iov_cnt, io->buf);
	memcpy(entry(r, at), &request, sizeof(request));
	put_iov(r, at, id);
	memcpy(entry(r, at) + cdb_at(iov_cnt), cmd->cdb, cmd->cdb_len);
	publish(r, at, len);
	r->by_id[id] = io;
	io->ring_id = id;
	io->in_ring = true;
	tick_later(w);
	if (!w->is_slow || !w->is_slow(w))
		sim_ring_run(w);
}

/* ABORT TASK; or, without @io, LOGICAL UNIT RESET. */
void sim_ring_abort(struct world *w, const struct sim_io *io)
{
	struct ring_tmr tmr = {.type = 5};
	uint16_t ids[IDS_MAX];
	unsigned int id;
	uint32_t at, len;

	for (id = 0; id < IDS_MAX; id++)
		if (w->ring->by_id[id] && (!io || io == w->ring->by_id[id])) {
			ids[tmr.cmd_cnt++] = (uint16_t)id;
			w->ring->by_id[id]->named = true;
		}
	len = (uint32_t)(sizeof(tmr) + tmr.cmd_cnt * sizeof(*ids) + 7) & ~7u;
	at = put_entry(w, RING_OP_TMR, len, 0);
	tmr.header = header_at(w->ring, at);
	memcpy(entry(w->ring, at), &tmr, sizeof(tmr));
	memcpy(entry(w->ring, at) + sizeof(tmr), ids, tmr.cmd_cnt * sizeof(*ids));
	publish(w->ring, at, len);
	w->counts.ring_tmrs++;
	tick_later(w);
	sim_ring_run(w);
}

/* --- the kernel: answers --- */

/* What the initiator gets of the data is in the buffer up to the read length, and else nothing. */
static void check_data(struct world *w, struct sim_io *io, const struct ring_response *response)
{
	const struct scsi_result *result = &io->io.result;
	uint32_t all = (uint32_t)io->io.cmd.data_len, valid = 0, i;

	sim_gather(w->ring->iov[io->ring_id], w->ring->iov_cnt[io->ring_id], io->buf);
	if (response->scsi_status == SAM_GOOD || response->scsi_status == SAM_CONDITION_MET)
		valid = all - result->residual;
	oracle_check(w, response->read_len == (valid < all ? valid : 0),
		     "io %u: read length %u, not %u of %u", io->id, response->read_len, valid, all);
	oracle_check(w, !(response->header.uflags & RING_UFLAG_READ_LEN) == !response->read_len,
		     "io %u: a read length that is not announced", io->id);
	for (i = valid; i < all; i++)
		oracle_check(w, !io->buf[i], "io %u: byte %u is another command's", io->id, i);
}

/* The kernel looks there after CHECK CONDITION only: else it is what was left of the request. */
static void check_sense(struct world *w, const struct sim_io *io,
			const struct ring_response *response)
{
	static const uint8_t no_sense[sizeof(response->sense)];
	const struct scsi_result *result = &io->io.result;
	size_t len = result->sense_len;

	oracle_check(w,
		     !memcmp(response->sense, result->sense, len) &&
			     !memcmp(response->sense + len, no_sense, sizeof(no_sense) - len),
		     "io %u: other sense in the ring", io->id);
}

/* TCMU carries sense or data: a warning that comes with data is GOOD (handler/README.md). */
static uint8_t status_of(const struct sim_io *io)
{
	const struct scsi_result *result = &io->io.result;
	struct scsi_sense sense;
	bool is_warning = scsi_result_sense(result, &sense) && sense.key == 0x01 && !sense.deferred;

	if (is_warning && io->io.cmd.dir == SCSI_DATA_IN && result->residual < io->io.cmd.data_len)
		return SAM_GOOD;
	return result->status;
}

static void check_response(struct world *w, struct sim_io *io, const struct ring_response *response)
{
	uint8_t status = status_of(io);

	oracle_check(w, response->scsi_status == status, "io %u: status %02x in the ring, not %02x",
		     io->id, response->scsi_status, status);
	sim_check_gaps(w, io, data_of(w->ring, io->ring_id), w->ring->iov[io->ring_id],
		       w->ring->iov_cnt[io->ring_id]);
	if (response->scsi_status == SAM_CHECK_CONDITION)
		check_sense(w, io, response);
	if (io->io.cmd.dir == SCSI_DATA_IN)
		check_data(w, io, response);
}

static void take_answer(struct world *w, const struct ring_response *response)
{
	struct sim_ring *r = w->ring;
	uint16_t id = response->header.cmd_id;
	struct sim_io *io = id < IDS_MAX ? r->by_id[id] : NULL;

	oracle_check(w, io, "the ring answers id %u, which nobody asked", id);
	if (io->in_ring) { /* the map has never seen it */
		io->io.result = (struct scsi_result){.status = response->scsi_status,
						     .residual = (uint32_t)io->io.cmd.data_len};
		io->tmr = io->named;
	}
	check_response(w, io, response);
	r->by_id[id] = NULL;
	io->in_ring = false;
	io->io.cmd.iov = io->iov;
	world_answered(w, io);
}

void sim_ring_flush(struct world *w)
{
	struct sim_ring *r = w->ring;

	ring_flush(&r->ring);
	while (r->taken != mailbox(r)->tail) {
		struct ring_header header = header_at(r, r->taken);
		struct ring_response response;

		if ((header.len_op & RING_OP_MASK) == RING_OP_CMD) {
			memcpy(&response, entry(r, r->taken), sizeof(response));
			take_answer(w, &response);
		}
		r->taken = behind(&header, r->taken);
	}
}

/* --- what the ring asks of the world --- */

static void prepare(void *arg, struct ring_cmd *cmd)
{
	struct scsi_cmd *scsi = &cmd->io.cmd;
	struct world *w = arg;

	cmd->io.cpu = w->cpu;
	oracle_check(w,
		     scsi_cdb_fill(scsi, scsi_iov_len(scsi->iov, scsi->iov_cnt), SIM_BLOCK_SIZE) ==
			     CDB_OK,
		     "a CDB that was understood in the initiator is not in the ring");
}

static void kick(void *arg)
{
	(void)arg; /* the kernel looks anyway: sim_ring_flush() */
}

static uint64_t read_clock(void *arg)
{
	const struct world *w = arg;

	return w->now_ns;
}

/* The initiator's command is the one that has come through the ring from now on. */
static void submit(void *arg, struct mpath_io *from_ring)
{
	struct mpath_event event = {.type = MPATH_SUBMIT};
	struct ring_cmd *cmd = from_ring->owner;
	struct world *w = arg;
	struct sim_io *io = w->ring->by_id[cmd->id];
	const struct scsi_cmd *sent = &io->io.cmd, *got = &from_ring->cmd;

	oracle_check(w, io->in_ring, "io %u comes out of the ring twice", io->id);
	oracle_check(w,
		     !memcmp(sent->cdb, got->cdb, sizeof(sent->cdb)) && sent->dir == got->dir &&
			     sent->class == got->class && sent->data_len == got->data_len,
		     "io %u comes out of the ring as another command", io->id);
	io->in_ring = false;
	io->ring_cmd = cmd;
	io->io.cmd = *got;
	io->io.arrival_ns = from_ring->arrival_ns;
	io->io.cpu = from_ring->cpu;
	event.io = &io->io;
	world_step(w, &event);
}

static void abort_task_of(void *arg, struct mpath_io *from_ring)
{
	struct mpath_event event = {.type = MPATH_ABORT};
	struct ring_cmd *cmd = from_ring->owner;
	struct world *w = arg;
	struct sim_io *io = w->ring->by_id[cmd->id];

	io->tmr = true;
	event.io = &io->io;
	world_step(w, &event);
}

static const struct ring_ops ops = {
	.kick = kick,
	.read_clock = read_clock,
	.prepare = prepare,
	.submit = submit,
	.abort = abort_task_of,
};

/* --- lun_commands.c: the kernel has told, or a timer looks --- */

void sim_ring_run(struct world *w)
{
	if (w->stopping)
		return; /* what nobody has seen yet is answered at the end */
	ring_tick(&w->ring->ring);
	sim_ring_flush(w);
}

void sim_ring_tick(struct world *w)
{
	w->ring->ticks = false;
	sim_ring_run(w);
	if (ring_busy(&w->ring->ring))
		tick_later(w);
}

void sim_ring_answer(struct world *w, struct sim_io *io)
{
	io->ring_cmd->io.result = io->io.result;
	ring_complete(&w->ring->ring, &io->ring_cmd->io);
	io->ring_cmd = NULL;
}

/* --- life --- */

/* A ring that begins at @at: the first ones wrap soon, after a reset all begin at 0. */
void sim_ring_begin(struct world *w, uint32_t at)
{
	struct sim_ring *r = w->ring;

	if (!r) {
		r = w->ring = calloc(1, sizeof(*r));
		r->mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
		oracle_check(w, r->mem != MAP_FAILED, "not enough memory for a ring");
	}
	at = at % RING_SIZE & ~(RING_ALIGN - 1);
	*mailbox(r) = (struct ring_mailbox){
		.version = RING_VERSION,
		.flags = RING_CAN_READ_LEN | RING_CAN_TMR,
		.ring_off = RING_OFF,
		.ring_size = RING_SIZE,
		.head = at,
		.tail = at,
	};
	r->taken = at;
	oracle_check(w, ring_cmd_pool_init(&r->pool), "not enough memory for commands");
	oracle_check(w, ring_init(&r->ring, r->mem, MEM_SIZE, &r->pool, &ops, w) == 0, "no ring");
}

/* The process is gone, and what it had of the ring; the kernel has forgotten all commands. */
void sim_ring_killed(struct world *w)
{
	struct sim_ring *r = w->ring;
	unsigned int id;

	for (id = 0; id < IDS_MAX; id++) {
		struct sim_io *io = r->by_id[id];

		if (io && io->ring_cmd)
			ring_cmd_put(io->ring_cmd);
		if (io) {
			io->ring_cmd = NULL;
			io->io.cmd.iov = io->iov;
		}
		r->by_id[id] = NULL;
	}
	r->ticks = false;
	ring_cmd_pool_destroy(&r->pool);
}

void sim_ring_end(struct world *w)
{
	struct sim_ring *r = w->ring;
	unsigned int i;

	for (i = w->nr_events; i-- > 0;)
		if (w->events[i].type == SIM_TICK)
			sim_event_remove(w, &w->events[i]);
	ring_close(&r->ring);
	sim_ring_flush(w);
	oracle_check(w, !r->ring.outstanding && mailbox(r)->tail == mailbox(r)->head,
		     "something is left in the ring");
	ring_cmd_pool_destroy(&r->pool);
	munmap(r->mem, MEM_SIZE);
	free(r);
}
