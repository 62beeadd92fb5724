/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCMU ring: stories about a kernel that writes entries, and initiators that must each get
 * their own answer, once, and nobody else's bytes.  The mailbox is a piece of memory; the kernel is
 * played by the helpers below.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/no_memory.h"
#include "mpath/scsi.h"
#include "runner/ring.h"
#include "runtime/log.h"

#define RING_OFF  128u
#define RING_SIZE 4224u /* no power of two, as the kernel's */
#define DATA_OFF  (RING_OFF + RING_SIZE)
#define DATA_SIZE 16384u
#define MEM_SIZE  (DATA_OFF + DATA_SIZE)
#define STALE	  0xee /* what another command has left in the data area */
#define MAX_CMDS  64
#define READ_10	  0x28
#define LOG_SENSE 0x4d
#define VENDOR	  0xc1

struct world {
	_Alignas(64) uint8_t mem[MEM_SIZE];
	struct ring ring;
	struct ring_cmd_pool pool;
	uint32_t kernel_tail; /* what the kernel has taken of our responses */
	uint64_t now_ns;
	uint64_t still_ns;	  /* so long we stand still before the clock is read */
	uint16_t comes_meanwhile; /* this command; 0: none */
	unsigned int kicks;
	bool refuse_prepare;
	bool complete_on_abort;
	struct mpath_io *submitted[65536]; /* by id, while the core has it */
	unsigned int nr_logged;
	char trace[4096];
	struct strbuf said;
};

static struct world w;

static struct ring_mailbox *mailbox(void)
{
	return (struct ring_mailbox *)(void *)w.mem;
}

static struct ring_cmd *cmd_of(struct mpath_io *io)
{
	return io->owner;
}

/* --- what the ring asks of the world --- */

void mpath_log(enum log_level level, const char *map, const char *path, const char *format, ...)
{
	assert(level == MPATH_LOG_ERROR && !map && !path &&
	       strstr(format, "the TCMU ring is broken"));
	w.nr_logged++;
}

static void kick(void *arg)
{
	assert(arg == &w);
	w.kicks++;
}

static uint32_t put_cmd(uint16_t id, uint8_t opcode, uint32_t data_len);

static uint64_t read_clock(void *arg)
{
	assert(arg == &w);
	w.now_ns += w.still_ns;
	if (w.comes_meanwhile)
		put_cmd(w.comes_meanwhile, READ_10, 0);
	w.comes_meanwhile = 0;
	w.still_ns = 0;
	return w.now_ns;
}

static void prepare(void *arg, struct ring_cmd *cmd)
{
	assert(arg == &w);
	cmd->io.cmd.dir = SCSI_DATA_IN;
	cmd->io.cmd.data_len = scsi_iov_len(cmd->io.cmd.iov, cmd->io.cmd.iov_cnt);
	if (!w.refuse_prepare)
		return;
	scsi_sense_set(&cmd->io.result, 0, 0x05, 0x20, 0x00);
	cmd->refused = true;
}

static void submit(void *arg, struct mpath_io *io)
{
	struct ring_cmd *cmd = cmd_of(io);

	assert(arg == &w && !w.submitted[cmd->id]);
	w.submitted[cmd->id] = io;
	strbuf_printf(&w.said, "start %u op %02x\n", cmd->id, io->cmd.cdb[0]);
}

static void answer(uint16_t id, uint8_t status);

static void abort_io(void *arg, struct mpath_io *io)
{
	uint16_t id = cmd_of(io)->id;

	assert(arg == &w);
	strbuf_printf(&w.said, "abort %u\n", id);
	if (w.complete_on_abort)
		answer(id, SAM_TASK_ABORTED);
}

static const struct ring_ops ops = {
	.kick = kick,
	.read_clock = read_clock,
	.prepare = prepare,
	.submit = submit,
	.abort = abort_io,
};

/* --- the kernel --- */

static void begin_at(uint32_t at, uint16_t flags)
{
	memset(&w, 0, sizeof(w));
	memset(w.mem + DATA_OFF, STALE, DATA_SIZE);
	*mailbox() = (struct ring_mailbox){
		.version = RING_VERSION,
		.flags = flags,
		.ring_off = RING_OFF,
		.ring_size = RING_SIZE,
		.head = at,
		.tail = at,
	};
	w.kernel_tail = at;
	strbuf_init(&w.said, w.trace, sizeof(w.trace));
	assert(ring_cmd_pool_init(&w.pool));
	assert(!ring_init(&w.ring, w.mem, sizeof(w.mem), &w.pool, &ops, &w));
}

static void begin(void)
{
	begin_at(0, RING_CAN_READ_LEN | RING_CAN_TMR);
}

static void end(void)
{
	for (unsigned int id = 0; id < 65536; id++)
		assert(!w.submitted[id]);
	assert(!w.ring.outstanding);
	ring_cmd_pool_destroy(&w.pool);
}

static uint8_t *at(uint32_t offset)
{
	return w.mem + RING_OFF + offset;
}

static void set_header(uint32_t offset, uint32_t op, uint32_t len, uint16_t id)
{
	const struct ring_header header = {.len_op = len | op, .cmd_id = id};

	memcpy(at(offset), &header, sizeof(header));
}

static void set_u32(uint32_t offset, size_t field, uint32_t value)
{
	memcpy(at(offset) + field, &value, sizeof(value));
}

static void set_u64(uint32_t offset, size_t field, uint64_t value)
{
	memcpy(at(offset) + field, &value, sizeof(value));
}

/* Room for an entry that must not cross the end of the ring, as the kernel makes it. */
static uint32_t make_room(uint32_t len)
{
	uint32_t head = mailbox()->head;

	if (head + len > RING_SIZE) {
		memset(at(head), 0, RING_SIZE - head);
		set_header(head, RING_OP_PAD, RING_SIZE - head, 0);
		head = 0;
	}
	memset(at(head), 0, len);
	mailbox()->head = (head + len) % RING_SIZE;
	return head;
}

/* A command with @data_len bytes of data at DATA_OFF + 512 * @id, in two iovecs. */
static uint32_t put_cmd(uint16_t id, uint8_t opcode, uint32_t data_len)
{
	struct ring_request request = {.iov_cnt = data_len ? 2 : 0};
	struct ring_iovec iov[2] = {
		{DATA_OFF + 512u * id, data_len / 2},
		{DATA_OFF + 512u * id + data_len / 2, data_len - data_len / 2},
	};
	uint32_t offset = make_room(128);

	set_header(offset, RING_OP_CMD, 128, id);
	memcpy(&request.header, at(offset), sizeof(request.header));
	request.cdb_off = RING_OFF + offset + 112;
	memcpy(at(offset), &request, sizeof(request));
	memcpy(at(offset) + offsetof(struct ring_request, iov), iov, sizeof(iov));
	at(offset)[112] = opcode;
	at(offset)[113] = (uint8_t)id;
	return offset;
}

static uint32_t put_tmr(const uint16_t *ids, uint32_t count)
{
	struct ring_tmr tmr = {.type = 5, .cmd_cnt = count};
	uint32_t len = (uint32_t)(sizeof(tmr) + count * sizeof(*ids) + 7) & ~7u;
	uint32_t offset = make_room(len);

	set_header(offset, RING_OP_TMR, len, 0);
	memcpy(&tmr.header, at(offset), sizeof(tmr.header));
	memcpy(at(offset), &tmr, sizeof(tmr));
	memcpy(at(offset) + sizeof(tmr), ids, count * sizeof(*ids));
	return offset;
}

/* The kernel takes what is answered; "2=00" is id and status. */
static void kernel_takes(const char *expected)
{
	char text[1024];
	struct strbuf out;

	strbuf_init(&out, text, sizeof(text));
	while (w.kernel_tail != mailbox()->tail) {
		struct ring_response response;
		uint32_t op;

		memcpy(&response, at(w.kernel_tail), sizeof(response));
		op = response.header.len_op & RING_OP_MASK;
		if (op == RING_OP_CMD)
			strbuf_printf(&out, "%s%u=%02x", out.len ? " " : "", response.header.cmd_id,
				      response.scsi_status);
		w.kernel_tail =
			(w.kernel_tail + (response.header.len_op & ~RING_OP_MASK)) % RING_SIZE;
	}
	if (strcmp(text, expected))
		fprintf(stderr, "the kernel got \"%s\", expected \"%s\"\n", text, expected);
	assert(!strcmp(text, expected));
}

/* The kernel has told us: we look. */
static void told(void)
{
	ring_take(&w.ring);
}

/* --- the core, and the passing of time --- */

static struct mpath_io *take_io(uint16_t id)
{
	struct mpath_io *io = w.submitted[id];

	assert(io);
	w.submitted[id] = NULL;
	return io;
}

static void answer(uint16_t id, uint8_t status)
{
	struct mpath_io *io = take_io(id);

	io->result.status = status;
	ring_complete(&w.ring, io);
}

static void tick(void)
{
	w.now_ns += RING_TICK_NS;
	ring_tick(&w.ring);
}

static void expect_said(const char *expected)
{
	if (strcmp(w.trace, expected))
		fprintf(stderr, "got:\n%sexpected:\n%s", w.trace, expected);
	assert(!strcmp(w.trace, expected));
	strbuf_init(&w.said, w.trace, sizeof(w.trace));
}

/* --- stories --- */

/* Three commands end in another order than they came; the kernel is told once. */
static void test_out_of_order(void)
{
	begin();
	put_cmd(1, READ_10, 0);
	put_cmd(2, READ_10, 0);
	put_cmd(3, READ_10, 0);
	told();
	expect_said("start 1 op 28\nstart 2 op 28\nstart 3 op 28\n");

	answer(3, SAM_GOOD);
	answer(1, SAM_RESERVATION_CONFLICT);
	kernel_takes("");
	ring_flush(&w.ring);
	assert(w.kicks == 1);
	kernel_takes("3=00 1=18");

	ring_flush(&w.ring);
	assert(w.kicks == 1); /* nothing new, no kick */
	answer(2, SAM_TASK_ABORTED);
	ring_flush(&w.ring);
	kernel_takes("2=40");
	assert(w.kicks == 2);
	end();
}

/* The last entry before the end of the ring is padding: no answer goes there. */
static void test_padding_at_the_wrap(void)
{
	begin_at(RING_SIZE - 160, RING_CAN_READ_LEN);
	put_cmd(1, READ_10, 0);
	put_cmd(2, READ_10, 0); /* does not fit behind it: 32 bytes of padding */
	assert(mailbox()->head == 128);
	told();
	expect_said("start 1 op 28\nstart 2 op 28\n");
	answer(2, SAM_GOOD);
	answer(1, SAM_BUSY);
	ring_flush(&w.ring);
	kernel_takes("2=00 1=08");
	assert(mailbox()->tail == 128);
	end();
}

/* Many rounds through a small ring, with entries of the size that wraps at odd places. */
static void test_round_and_round(void)
{
	const uint16_t ids[] = {1, 2, 3};

	begin();
	for (unsigned int i = 0; i < 500; i++) {
		put_cmd(1, READ_10, 64);
		put_tmr(ids, 1 + i % 3);
		told();
		answer(1, SAM_GOOD);
		ring_flush(&w.ring);
		kernel_takes("1=00");
		strbuf_init(&w.said, w.trace, sizeof(w.trace));
	}
	end();
}

/* A task management function is acted upon when the next command comes, if that is sooner. */
static void test_tmr_before_a_command(void)
{
	const uint16_t ids[] = {7};

	begin();
	put_cmd(7, READ_10, 0);
	told();
	put_tmr(ids, 1);
	put_cmd(8, READ_10, 0);
	told();
	expect_said("start 7 op 28\nabort 7\nstart 8 op 28\n");
	answer(8, SAM_GOOD);
	answer(7, SAM_TASK_ABORTED);
	ring_flush(&w.ring);
	kernel_takes("8=00 7=40");
	assert(mailbox()->tail == mailbox()->head);
	end();
}

/* The kernel uses an id again: the TMR meant the command before it, not the one behind. */
static void test_tmr_and_an_id_used_again(void)
{
	const uint16_t ids[] = {7};

	begin();
	put_cmd(7, READ_10, 0);
	told();
	answer(7, SAM_GOOD);
	ring_flush(&w.ring);
	kernel_takes("7=00");
	put_tmr(ids, 1);
	put_cmd(7, READ_10, 0);
	told();
	expect_said("start 7 op 28\nstart 7 op 28\n");
	answer(7, SAM_GOOD);
	ring_flush(&w.ring);
	kernel_takes("7=00");
	end();
}

/* A LUN reset while a command is held: the tail gets past the entry, which needs no answer. */
static void test_tmr_is_last_in_the_ring(void)
{
	const uint16_t ids[] = {7, 99};

	begin();
	put_cmd(7, READ_10, 0);
	told();
	put_tmr(ids, 2);
	told();
	expect_said("start 7 op 28\nabort 7\n");
	answer(7, SAM_TASK_ABORTED);
	ring_flush(&w.ring);
	kernel_takes("7=40");
	assert(mailbox()->tail == mailbox()->head && !ring_busy(&w.ring));
	told();
	expect_said(""); /* acted upon once */
	end();
}

/* A front end submits in batches, and the kernel tells of them late, or never: a tick looks, too.
 */
static void test_the_kernel_does_not_tell(void)
{
	begin();
	tick();
	put_cmd(3, READ_10, 0);
	assert(ring_busy(&w.ring));
	tick();
	expect_said("start 3 op 28\n");
	answer(3, SAM_GOOD);
	tick();
	kernel_takes("3=00");
	assert(!ring_busy(&w.ring));
	end();
}

/* The core may answer an aborted command at once. */
static void test_abort_answers_at_once(void)
{
	const uint16_t ids[] = {1, 2, 3};

	begin();
	w.complete_on_abort = true;
	for (uint16_t id = 1; id <= 3; id++)
		put_cmd(id, READ_10, 0);
	told();
	put_tmr(ids, 3);
	tick();
	expect_said("start 1 op 28\nstart 2 op 28\nstart 3 op 28\nabort 1\nabort 2\nabort 3\n");
	kernel_takes("1=40 2=40 3=40");
	assert(w.kicks == 1);
	end();
}

struct cdb_case {
	uint8_t opcode;
	uint8_t additional; /* the CDB's byte 7 */
	uint8_t len;	    /* as the initiator sent it */
};

/* All that there are, also those that libtcmu does not know; 7Fh tells its length itself. */
static const struct cdb_case cdb_cases[] = {
	{0x00, 0, 6},  {0x1f, 0, 6},  {0x20, 0, 10}, {0x5f, 0, 10},   {0x60, 0, 12},
	{0x7e, 0, 12}, {0x7f, 8, 16}, {0x7f, 0, 8},  {0x80, 0, 16},   {0x9f, 0, 16},
	{0xa0, 0, 12}, {0xbf, 0, 12}, {0xc0, 0, 10}, {VENDOR, 0, 10}, {0xff, 0, 10},
};

/* Its CDB and its data are the initiator's, in the pieces in which they stand. */
static void test_a_command_is_copied(void)
{
	for (size_t i = 0; i < sizeof(cdb_cases) / sizeof(cdb_cases[0]); i++) {
		const struct cdb_case *c = &cdb_cases[i];
		const struct scsi_cmd *cmd;
		uint32_t offset;

		begin();
		offset = put_cmd(3, c->opcode, 512);
		memset(at(offset) + 114, 0xab, 14);
		at(offset)[112 + 7] = c->additional;
		told();
		cmd = &w.submitted[3]->cmd;
		assert(cmd->cdb_len == c->len && !memcmp(cmd->cdb, at(offset) + 112, c->len));
		for (size_t j = c->len; j < SCSI_CDB_MAX; j++)
			assert(cmd->cdb[j] == 0);
		assert(cmd->iov_cnt == 2 && cmd->iov[0].iov_len == 256 &&
		       cmd->iov[0].iov_base == w.mem + DATA_OFF + 3 * 512 &&
		       cmd->iov[1].iov_len == 256 &&
		       cmd->iov[1].iov_base == w.mem + DATA_OFF + 3 * 512 + 256);
		answer(3, SAM_GOOD);
		ring_flush(&w.ring);
		kernel_takes("3=00");
		end();
	}
}

/* 7Fh says that it is longer than its entry, or than anything that we take: it is refused. */
static void test_cdb_of_any_length(void)
{
	uint32_t offset, len = 112 + 264;

	begin();
	at(put_cmd(1, 0x7f, 0))[112 + 7] = 9;
	told();
	assert(w.submitted[1]->cmd.cdb_len == 0);
	answer(1, SAM_GOOD);
	offset = make_room(len);
	memcpy(at(offset), at(0), 128);
	set_header(offset, RING_OP_CMD, len, 2);
	set_u64(offset, offsetof(struct ring_request, cdb_off), RING_OFF + offset + 112);
	set_u32(offset, offsetof(struct ring_request, iov_cnt), 0);
	at(offset)[112] = 0x7f;
	at(offset)[112 + 7] = 255;
	told();
	assert(w.submitted[2]->cmd.cdb_len == 255); /* scsi_cdb_fill() refuses it */
	answer(2, SAM_GOOD);
	end();
}

static void test_refused_opcode(void)
{
	struct ring_response response;

	begin();
	w.refuse_prepare = true;
	put_cmd(3, 0x65, 512);
	told();
	ring_flush(&w.ring);
	expect_said("");
	memcpy(&response, at(0), sizeof(response));
	assert(response.sense[0] == 0x70 && response.sense[2] == 0x05 &&
	       response.sense[12] == 0x20);
	kernel_takes("3=02");
	end();
}

/* With any status but CHECK CONDITION the initiator gets command 1's buffer, too. */
static void expect_nothing_stale(size_t len)
{
	const uint8_t *data = w.mem + DATA_OFF + 512;

	for (size_t i = 0; i < len; i++)
		assert(data[i] == 0);
	assert(data[len] == STALE);
}

/* No memory for a command, or for its pieces: the initiator is asked to come again. */
static void test_no_memory(void)
{
	struct ring_cmd *cmds[64];
	unsigned int nr = 0;

	begin();
	fail_allocation(1);
	put_cmd(1, READ_10, 512);
	told();
	assert(allocation_has_failed());
	ring_flush(&w.ring);
	kernel_takes("1=28");
	expect_nothing_stale(512);

	for (fail_allocation(1); nr < 64 && (cmds[nr] = ring_cmd_get(&w.pool)); nr++)
		;
	assert(allocation_has_failed() && nr == 4);
	fail_allocation(1);
	put_cmd(1, READ_10, 0);
	told();
	ring_flush(&w.ring);
	kernel_takes("1=28");
	expect_said("");

	fail_allocation(0);
	put_cmd(1, READ_10, 512);
	told();
	expect_said("start 1 op 28\n");
	answer(1, SAM_GOOD);
	while (nr--)
		ring_cmd_put(cmds[nr]);
	end();
}

/* The device is closed: what nobody has seen until then is not submitted any more. */
static void test_close(void)
{
	const uint16_t ids[] = {1};

	begin();
	put_cmd(1, READ_10, 0);
	told();
	put_tmr(ids, 1);
	put_cmd(2, READ_10, 0);
	put_cmd(1, VENDOR, 512);
	expect_said("start 1 op 28\n");
	answer(1, SAM_GOOD);
	ring_close(&w.ring);
	expect_said("");
	kernel_takes("1=00 2=08 1=08");
	expect_nothing_stale(512);
	assert(mailbox()->tail == mailbox()->head);
	end();
}

/* --- responses --- */

struct answer_case {
	const char *what;
	enum scsi_dir dir;
	uint8_t status;
	size_t buffer;	 /* bytes that the initiator expects */
	size_t data_len; /* bytes that the CDB asks for */
	uint32_t residual;
	uint16_t flags;
	uint32_t read_len; /* expected in the response; 0: not given */
	size_t valid;	   /* bytes of the buffer that are the target's; the rest must be zero */
};

static const struct answer_case answer_cases[] = {
	{"all of it", SCSI_DATA_IN, SAM_GOOD, 512, 512, 0, RING_CAN_READ_LEN, 0, 512},
	{"a short one", SCSI_DATA_IN, SAM_GOOD, 512, 512, 412, RING_CAN_READ_LEN, 100, 100},
	{"a short one, old kernel", SCSI_DATA_IN, SAM_GOOD, 512, 512, 412, 0, 0, 100},
	{"the CDB asks for less", SCSI_DATA_IN, SAM_GOOD, 512, 36, 0, RING_CAN_READ_LEN, 36, 36},
	{"less, and short", SCSI_DATA_IN, SAM_GOOD, 512, 36, 30, RING_CAN_READ_LEN, 6, 6},
	{"one byte", SCSI_DATA_IN, SAM_GOOD, 512, 512, 511, RING_CAN_READ_LEN, 1, 1},
	{"nothing", SCSI_DATA_IN, SAM_GOOD, 512, 512, 512, RING_CAN_READ_LEN, 0, 0},
	{"residual beyond the data", SCSI_DATA_IN, SAM_GOOD, 512, 512, 9999, RING_CAN_READ_LEN, 0,
	 0},
	{"condition met", SCSI_DATA_IN, SAM_CONDITION_MET, 512, 512, 500, RING_CAN_READ_LEN, 12,
	 12},
	{"sense, residual 0", SCSI_DATA_IN, SAM_CHECK_CONDITION, 512, 512, 0, RING_CAN_READ_LEN, 0,
	 0},
	{"sense, short", SCSI_DATA_IN, SAM_CHECK_CONDITION, 512, 512, 12, RING_CAN_READ_LEN, 0, 0},
	{"busy", SCSI_DATA_IN, SAM_BUSY, 512, 512, 0, RING_CAN_READ_LEN, 0, 0},
	{"conflict", SCSI_DATA_IN, SAM_RESERVATION_CONFLICT, 512, 512, 0, RING_CAN_READ_LEN, 0, 0},
	{"length 0 in the CDB", SCSI_NO_DATA, SAM_GOOD, 512, 0, 0, RING_CAN_READ_LEN, 0, 0},
	{"a write", SCSI_DATA_OUT, SAM_GOOD, 512, 512, 100, RING_CAN_READ_LEN, 0, 512},
	{"no buffer", SCSI_DATA_IN, SAM_GOOD, 0, 0, 0, RING_CAN_READ_LEN, 0, 0},
};

/* That a READ is good, and has brought nothing, the core says to nobody. */
static uint8_t opcode_of(const struct answer_case *c)
{
	return c->data_len && c->residual >= c->data_len ? LOG_SENSE : READ_10;
}

/* What the kernel is told of a transfer, and that no byte of another command's is left. */
static void check_answer(const struct answer_case *c)
{
	struct ring_response response;
	struct mpath_io *io;
	const uint8_t *data;

	begin_at(0, c->flags);
	put_cmd(1, opcode_of(c), (uint32_t)c->buffer);
	told();
	data = w.mem + DATA_OFF + 512;
	io = take_io(1);
	io->cmd.dir = c->dir;
	io->cmd.data_len = c->data_len;
	io->result.status = c->status;
	io->result.residual = c->residual;
	memset(w.mem + DATA_OFF + 512, 0x11, c->valid);
	ring_complete(&w.ring, io);
	ring_flush(&w.ring);

	memcpy(&response, at(0), sizeof(response));
	if (response.read_len != c->read_len)
		fprintf(stderr, "%s: read_len %u\n", c->what, response.read_len);
	assert(response.scsi_status == c->status);
	assert(response.read_len == c->read_len);
	assert(response.header.uflags == (c->read_len ? RING_UFLAG_READ_LEN : 0));
	for (size_t i = 0; i < c->buffer; i++)
		assert(data[i] == (i < c->valid ? 0x11 : 0));
	assert(data[c->buffer] == STALE); /* and not a byte beyond */
	end();
}

static void test_read_length_and_stale_bytes(void)
{
	for (size_t i = 0; i < sizeof(answer_cases) / sizeof(answer_cases[0]); i++)
		check_answer(&answer_cases[i]);
}

/* The array's sense arrives to the bit, descriptor format and all 96 bytes; nothing behind it. */
static void test_sense_is_copied(void)
{
	struct ring_response response;
	struct mpath_io *io;

	for (unsigned int len = 0; len <= SCSI_SENSE_MAX; len += 12) {
		begin();
		put_cmd(1, READ_10, 0);
		told();
		io = take_io(1);
		io->result.status = SAM_CHECK_CONDITION;
		io->result.sense_len = (uint8_t)len;
		for (unsigned int i = 0; i < SCSI_SENSE_MAX; i++)
			io->result.sense[i] = (uint8_t)(0x72 + i);
		ring_complete(&w.ring, io);
		memcpy(&response, at(0), sizeof(response));
		assert(response.scsi_status == SAM_CHECK_CONDITION);
		for (unsigned int i = 0; i < SCSI_SENSE_MAX; i++)
			assert(response.sense[i] == (i < len ? 0x72 + i : 0));
		end();
	}
}

static struct ring_response answer_read(const uint8_t *sense, size_t len, uint32_t residual)
{
	struct ring_response response;
	struct mpath_io *io;

	begin_at(0, RING_CAN_READ_LEN);
	put_cmd(1, READ_10, 1024);
	told();
	io = take_io(1);
	io->cmd.cdb[0] = READ_10;
	io->cmd.cdb_len = 10;
	io->cmd.dir = SCSI_DATA_IN;
	io->cmd.data_len = 1024;
	io->result.status = SAM_CHECK_CONDITION;
	io->result.residual = residual;
	io->result.sense_len = (uint8_t)len;
	memcpy(io->result.sense, sense, len);
	ring_complete(&w.ring, io);
	memcpy(&response, at(0), sizeof(response));
	end();
	return response;
}

/* RECOVERED ERROR has data, which the kernel drops beside sense: it is good, without the warning.
 */
static void test_recovered_error_keeps_its_data(void)
{
	uint8_t sense[18] = {0x70, 0, 0x01, [7] = 10, [12] = 0x18};
	struct ring_response response = answer_read(sense, sizeof(sense), 24);

	assert(response.scsi_status == SAM_GOOD && response.read_len == 1000);
	response = answer_read(sense, sizeof(sense), 1024);
	assert(response.scsi_status == SAM_CHECK_CONDITION && response.sense[2] == 0x01);
	sense[0] = 0x71; /* deferred: this one was not executed */
	response = answer_read(sense, sizeof(sense), 0);
	assert(response.scsi_status == SAM_CHECK_CONDITION && response.sense[0] == 0x71);
}

/* The initiator must not take the blocks before the bad one for good: no data goes with sense. */
static void test_a_medium_error_promises_no_data(void)
{
	uint8_t sense[18] = {0xf0, 0, 0x03, 0, 0, 0, 0x01, 10, [12] = 0x11};
	struct ring_response response = answer_read(sense, sizeof(sense), 512);

	assert(response.scsi_status == SAM_CHECK_CONDITION && response.read_len == 0);
	assert(response.sense[0] == 0x70 && response.sense[2] == 0x03 && response.sense[6] == 0x01);
	sense[6] = 0; /* the first block: nothing is promised */
	response = answer_read(sense, sizeof(sense), 1024);
	assert(response.sense[0] == 0xf0);
}

static void test_any_status(void)
{
	static const uint8_t statuses[] = {0x00, 0x02, 0x04, 0x08, 0x18, 0x28, 0x30, 0x40, 0xff};
	char expected[16];

	for (size_t i = 0; i < sizeof(statuses); i++) {
		begin();
		put_cmd(1, READ_10, 0);
		told();
		answer(1, statuses[i]);
		ring_flush(&w.ring);
		snprintf(expected, sizeof(expected), "1=%02x", statuses[i]);
		kernel_takes(expected);
		end();
	}
}

/* --- entries that make no sense --- */

/* The ring stops, nothing is written or read out of bounds (ASan watches), and nothing crashes. */
static void expect_broken(void)
{
	uint8_t before[RING_SIZE];

	memcpy(before, at(0), RING_SIZE);
	for (unsigned int i = 0; i < 4; i++)
		tick();
	ring_close(&w.ring);
	assert(w.ring.broken && w.nr_logged == 1);
	assert(!memcmp(before, at(0), RING_SIZE));
	expect_said("");
	end();
}

static void test_hostile_entries(void)
{
	static const uint32_t lengths[] = {0, 104, RING_SIZE, 0xfffffff8};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		begin();
		set_u32(put_cmd(1, VENDOR, 0), 0, lengths[i] | RING_OP_CMD);
		expect_broken();
	}
	begin(); /* a TMR too short for its own fields */
	set_header(make_room(24), RING_OP_TMR, 24, 0);
	expect_broken();
	begin(); /* a CDB outside of its entry */
	set_u64(put_cmd(1, VENDOR, 0), offsetof(struct ring_request, cdb_off), 0);
	expect_broken();
	begin();
	set_u64(put_cmd(1, VENDOR, 0), offsetof(struct ring_request, cdb_off), UINT64_MAX - 3);
	expect_broken();
	begin();
	set_u64(put_cmd(1, VENDOR, 0), offsetof(struct ring_request, cdb_off), RING_OFF + 124);
	expect_broken();
	begin(); /* the head points nowhere */
	put_cmd(1, VENDOR, 0);
	mailbox()->head = RING_SIZE + 8;
	expect_broken();
	begin();
	put_cmd(1, VENDOR, 0);
	mailbox()->head = 64;
	expect_broken();
}

/* Data that lies elsewhere than in the data area is not the initiator's: none is used. */
static void test_hostile_iovecs(void)
{
	static const struct ring_iovec iovecs[] = {
		{0, 64},		/* the mailbox */
		{RING_OFF, 64},		/* the ring */
		{MEM_SIZE, 1},		/* behind the end */
		{MEM_SIZE - 8, 16},	/* across it */
		{UINT64_MAX, 2},	/* wraps */
		{DATA_OFF, UINT64_MAX}, /* likewise */
	};

	for (size_t i = 0; i < sizeof(iovecs) / sizeof(iovecs[0]); i++) {
		uint32_t offset;

		begin();
		offset = put_cmd(1, VENDOR, 64);
		memcpy(at(offset) + offsetof(struct ring_request, iov), &iovecs[i],
		       sizeof(iovecs[i]));
		told();
		assert(w.submitted[1]->cmd.iov_cnt == 0);
		answer(1, SAM_GOOD);
		end();
	}
	begin();
	set_u32(put_cmd(1, VENDOR, 64), offsetof(struct ring_request, iov_cnt), UINT32_MAX);
	told();
	assert(w.submitted[1]->cmd.iov_cnt == 0);
	answer(1, SAM_GOOD);
	end();
}

static void forget_a_piece(void)
{
	set_u32(0, offsetof(struct ring_request, iov_cnt), 1);
}

/* Somebody resets the ring while room for the pieces is made: none is used that was not read. */
static void test_pieces_that_change_under_way(void)
{
	begin();
	put_cmd(1, VENDOR, 64);
	on_allocation = forget_a_piece;
	told();
	on_allocation = NULL;
	assert(w.submitted[1]->cmd.iov_cnt == 0);
	answer(1, SAM_GOOD);
	end();
}

/* The first byte of the data area and its last, and a CDB in the first place that there is. */
static void test_all_the_room_is_used(void)
{
	static const struct ring_iovec whole = {DATA_OFF, DATA_SIZE};
	const size_t cdb_at = sizeof(struct ring_request);
	uint32_t offset;

	begin();
	offset = put_cmd(1, VENDOR, 2);
	set_u32(offset, offsetof(struct ring_request, iov_cnt), 1);
	memcpy(at(offset) + offsetof(struct ring_request, iov), &whole, sizeof(whole));
	offset = put_cmd(2, VENDOR, 0);
	set_u64(offset, offsetof(struct ring_request, cdb_off), RING_OFF + offset + cdb_at);
	memset(at(offset) + cdb_at, VENDOR + 1, 10);
	told();
	expect_said("start 1 op c1\nstart 2 op c2\n");
	assert(w.submitted[1]->cmd.iov[0].iov_base == w.mem + DATA_OFF);
	assert(w.submitted[1]->cmd.iov[0].iov_len == DATA_SIZE);
	answer(1, SAM_GOOD);
	answer(2, SAM_GOOD);
	end();
}

static void test_tmr_that_counts_too_many(void)
{
	const uint16_t ids[] = {1, 1, 1, 1};

	begin();
	put_cmd(1, READ_10, 0);
	told();
	set_u32(put_tmr(ids, 4), offsetof(struct ring_tmr, cmd_cnt), UINT32_MAX);
	tick();
	expect_said("start 1 op 28\nabort 1\nabort 1\nabort 1\nabort 1\n");
	answer(1, SAM_GOOD);
	end();
}

/* Requests over requests that were not answered yet: what stands there is nobody's any more. */
static void test_head_that_passes_the_tail(void)
{
	const uint16_t n = RING_SIZE / 128 - 1; /* as many as the kernel would put in */

	begin_at(128, RING_CAN_READ_LEN);
	for (uint16_t id = 1; id <= n; id++)
		put_cmd(id, VENDOR, 0);
	told();
	assert(w.submitted[n]);
	put_cmd(n + 1, VENDOR, 0);
	put_cmd(n + 2, VENDOR, 0);
	told();
	assert(w.ring.broken && !w.submitted[n + 1]);
	for (uint16_t id = 1; id <= n; id++)
		answer(id, SAM_GOOD);
	ring_flush(&w.ring);
	assert(!w.kicks);
	end();
}

/*
 * What is held or out then has been answered by the kernel, and its buffers are others' soon: it
 * must not be sent any more, nor be read.
 */
static void test_reset_while_commands_are_held(void)
{
	for (unsigned int at_once = 0; at_once < 2; at_once++) {
		begin_at(1024, RING_CAN_READ_LEN);
		w.complete_on_abort = at_once;
		put_cmd(1, READ_10, 512);
		put_cmd(2, READ_10, 512);
		told();
		tick();
		mailbox()->head = mailbox()->tail = 0;
		tick();
		assert(w.ring.broken && !w.kicks);
		expect_said("start 1 op 28\nstart 2 op 28\nabort 1\nabort 2\n");
		tick();
		expect_said(""); /* once */
		assert(w.ring.outstanding == (at_once ? 0 : 2));
		if (!at_once) {
			answer(1, SAM_TASK_ABORTED);
			answer(2, SAM_TASK_ABORTED);
		}
		assert(!w.kicks && mailbox()->tail == 0);
		end();
	}
}

/* action/reset_ring was written while we serve: old answers must not go into the new ring. */
static void test_reset_behind_our_back(void)
{
	begin_at(1024, RING_CAN_READ_LEN);
	put_cmd(1, READ_10, 512);
	told();
	mailbox()->head = mailbox()->tail = 0;
	answer(1, SAM_BUSY);
	assert(w.mem[DATA_OFF + 512] == STALE);
	ring_flush(&w.ring);
	assert(w.ring.broken && !w.kicks && mailbox()->tail == 0);
	tick();
	put_cmd(2, VENDOR, 0);
	tick();
	assert(!w.kicks);
	expect_said("start 1 op 28\n");
	end();
}

static void fill_the_ring(void)
{
	while (mailbox()->head + 128 < RING_SIZE)
		put_cmd(9, READ_10, 0);
	mailbox()->head = mailbox()->tail = 0;
}

/*
 * Nothing was answered since this process began, as no path is there: the tail is where it was, but
 * the head is not.  What stands behind our place was answered by a former process.
 */
static void test_reset_before_the_first_answer(void)
{
	for (unsigned int new_ones = 0; new_ones < 2; new_ones++) {
		begin();
		fill_the_ring();
		put_cmd(1, READ_10, 512);
		put_cmd(2, READ_10, 512);
		told();
		mailbox()->head = 0;
		if (new_ones)
			put_cmd(3, READ_10, 512);
		tick();
		assert(w.ring.broken);
		expect_said("start 1 op 28\nstart 2 op 28\nabort 1\nabort 2\n");
		answer(1, SAM_TASK_ABORTED);
		answer(2, SAM_TASK_ABORTED);
		assert(!w.kicks && w.mem[DATA_OFF + 512] == STALE);
		end();
	}
}

/* The kernel begins anew, and what stands behind our place is of a former round: long answered. */
static void test_reset_in_a_later_round(void)
{
	begin();
	for (unsigned int i = 0; i < 2 * RING_SIZE / 128 + 5; i++) {
		put_cmd(1, READ_10, 0);
		told();
		answer(1, SAM_GOOD);
		ring_flush(&w.ring);
		kernel_takes("1=00");
		strbuf_init(&w.said, w.trace, sizeof(w.trace));
	}
	mailbox()->head = mailbox()->tail = 0;
	put_cmd(2, READ_10, 0);
	told();
	expect_said("");
	assert(w.ring.broken);
	end();
}

static void test_hostile_mailboxes(void)
{
	struct ring ring;

	for (unsigned int i = 0; i < 8; i++) {
		size_t len = sizeof(w.mem);

		begin();
		ring_cmd_pool_destroy(&w.pool);
		if (i == 0)
			mailbox()->version = 1;
		else if (i == 1)
			mailbox()->ring_off = 8;
		else if (i == 2)
			mailbox()->ring_off = RING_OFF + 4;
		else if (i == 3)
			mailbox()->ring_size = 8;
		else if (i == 4)
			mailbox()->ring_size = RING_SIZE + 4;
		else if (i == 5)
			mailbox()->ring_size = 0xfffffff8;
		else if (i == 6)
			mailbox()->ring_off = 0xfffffff8;
		else
			len = 64;
		assert(ring_init(&ring, w.mem, len, &w.pool, &ops, &w));
	}
}

/* It has room for one answer, and may be the last thing in the mapping, but not a byte longer. */
static void test_the_limits_of_a_ring(void)
{
	struct ring ring;

	begin();
	mailbox()->ring_size = sizeof(struct ring_response);
	assert(!ring_init(&ring, w.mem, DATA_OFF, &w.pool, &ops, &w));
	end();
	begin();
	assert(ring_init(&ring, w.mem, DATA_OFF - 1, &w.pool, &ops, &w));
	assert(!ring_init(&ring, w.mem, DATA_OFF, &w.pool, &ops, &w));
	end();
}

/* --- everything at once --- */

static uint64_t random_state;

static unsigned int pick(unsigned int n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(random_state >> 33) % n;
}

struct chaos {
	bool in_ring[MAX_CMDS];	  /* by id: the kernel waits for an answer */
	uint8_t opcode[MAX_CMDS]; /* of the newest with this id */
	unsigned int used;	  /* bytes between the kernel's tail and head */
	unsigned int nr_answered;
};

static struct chaos chaos;

static void chaos_kernel_writes(void)
{
	uint16_t id = (uint16_t)pick(16);
	uint32_t head = mailbox()->head;

	if (chaos.used + 600 > RING_SIZE)
		return;
	if (!pick(6)) {
		const uint16_t ids[] = {(uint16_t)pick(16), (uint16_t)pick(16), (uint16_t)pick(16)};

		put_tmr(ids, 1 + pick(3));
	} else if (!chaos.in_ring[id]) {
		chaos.opcode[id] = pick(4) ? READ_10 : (uint8_t)(VENDOR + pick(8));
		put_cmd(id, chaos.opcode[id], pick(2) * 64);
		chaos.in_ring[id] = true;
	}
	chaos.used += (mailbox()->head - head + RING_SIZE) % RING_SIZE;
}

static void chaos_kernel_takes(void)
{
	while (w.kernel_tail != mailbox()->tail) {
		struct ring_header header;
		uint32_t len;

		memcpy(&header, at(w.kernel_tail), sizeof(header));
		len = header.len_op & ~RING_OP_MASK;
		if ((header.len_op & RING_OP_MASK) == RING_OP_CMD) {
			assert(chaos.in_ring[header.cmd_id]);
			chaos.in_ring[header.cmd_id] = false;
			chaos.nr_answered++;
		}
		w.kernel_tail = (w.kernel_tail + len) % RING_SIZE;
		chaos.used -= len;
	}
}

/* What is started is as the kernel wrote it, and not as we wrote over it. */
static void chaos_check_started(void)
{
	for (uint16_t id = 0; id < 16; id++) {
		const struct mpath_io *io = w.submitted[id];

		assert(!io || (io->cmd.cdb[0] == chaos.opcode[id] && io->cmd.cdb[1] == id));
	}
}

static void chaos_core_answers(void)
{
	uint16_t id = (uint16_t)pick(16);

	if (w.submitted[id])
		answer(id, pick(2) ? SAM_CHECK_CONDITION : SAM_GOOD);
}

static void chaos_step(void)
{
	switch (pick(7)) {
	case 0:
	case 1:
		chaos_kernel_writes();
		break;
	case 2:
	case 3:
		told();
		break;
	case 4:
		chaos_core_answers();
		break;
	case 5:
		tick();
		break;
	case 6:
		ring_flush(&w.ring);
		chaos_kernel_takes();
		break;
	}
	assert(!w.ring.broken);
	chaos_check_started();
	strbuf_init(&w.said, w.trace, sizeof(w.trace));
}

static void chaos_ends(void)
{
	told();
	for (uint16_t id = 0; id < 16; id++)
		if (w.submitted[id])
			answer(id, SAM_GOOD);
	ring_flush(&w.ring);
	chaos_kernel_takes();
	for (unsigned int id = 0; id < MAX_CMDS; id++)
		assert(!chaos.in_ring[id]);
	assert(mailbox()->tail == mailbox()->head && !ring_busy(&w.ring));
}

/* Each command is started as it was, and answered exactly once. */
static void test_chaos(void)
{
	for (unsigned int seed = 1; seed <= 40; seed++) {
		random_state = seed;
		memset(&chaos, 0, sizeof(chaos));
		begin();
		w.complete_on_abort = seed % 2;
		for (unsigned int i = 0; i < 5000; i++)
			chaos_step();
		chaos_ends();
		assert(chaos.nr_answered > 100);
		end();
	}
}

/* None is lost, and the pool stops growing. */
static void test_pool(void)
{
	struct ring_cmd *cmds[200];
	struct ring_cmd_chunk *chunks;

	begin();
	for (unsigned int round = 0; round < 10; round++) {
		for (unsigned int i = 0; i < 200; i++) {
			cmds[i] = ring_cmd_get(&w.pool);
			assert(cmds[i] && cmds[i]->io.owner == cmds[i] && !cmds[i]->refused);
			cmds[i]->refused = true;
		}
		if (round == 0)
			chunks = w.pool.chunks;
		assert(chunks == w.pool.chunks);
		for (unsigned int i = 0; i < 200; i++)
			ring_cmd_put(cmds[i]);
	}
	end();
}

/* Once a command has had so many pieces, memory is not taken for as many. */
static void test_room_for_pieces(void)
{
	begin();
	for (uint32_t i = 0; i < 20; i++) {
		put_cmd(1, READ_10, i % 2 ? 64 : 0);
		told();
		answer(1, SAM_GOOD);
		ring_flush(&w.ring);
		kernel_takes("1=00");
		strbuf_init(&w.said, w.trace, sizeof(w.trace));
		fail_allocation(i > 0);
	}
	fail_allocation(0);
	end();
}

/* We are told at @ms; when did command @id come? */
static uint64_t arrival_ms(uint16_t id, uint64_t ms)
{
	uint64_t arrival_ns;

	w.now_ns = ms * 1000000;
	told();
	arrival_ns = w.submitted[id]->arrival_ns;
	answer(id, SAM_GOOD);
	return arrival_ns / 1000000;
}

/*
 * tcmu-runner was stopped: the kernel's cmd_time_out ran on.  A write that is past it must not be
 * taken for a new one.
 */
static void test_command_that_came_late(void)
{
	begin();
	w.now_ns = 1000 * 1000000ull;
	ring_tick(&w.ring);
	put_cmd(1, READ_10, 0);
	assert(arrival_ms(1, 2000) == 2000); /* a LUN at rest is looked at once a second */

	put_cmd(1, READ_10, 0);
	put_cmd(2, READ_10, 0);
	assert(arrival_ms(1, 40000) == 2000);
	assert(arrival_ms(2, 40000) == 2000);
	put_cmd(3, READ_10, 0);
	assert(arrival_ms(3, 40000) == 40000);
	end();
}

/*
 * tcmu-runner was stopped, and the initiator has given up what it had sent meanwhile: the map does
 * not see that any more, or it would tell its news, a unit attention, to whom nobody listens.
 */
static void test_command_that_came_and_was_aborted_meanwhile(void)
{
	const uint16_t one[] = {1}, two[] = {2}, both[] = {9, 1};

	begin();
	w.now_ns = 1000 * 1000000ull;
	told();
	put_tmr(two, 1); /* another one, that had this id */
	put_cmd(1, READ_10, 512);
	put_cmd(2, READ_10, 0);
	put_tmr(both, 2);
	put_cmd(3, READ_10, 0);
	w.now_ns += RING_LATE_NS + 1;
	told();
	expect_said("start 2 op 28\nstart 3 op 28\n");
	ring_flush(&w.ring);
	kernel_takes("1=40");
	expect_nothing_stale(512);
	put_cmd(1, READ_10, 0);
	put_tmr(one, 1);
	told();
	expect_said("start 1 op 28\nabort 1\n"); /* nobody is kept up by looking for that */
	for (uint16_t id = 1; id <= 3; id++)
		answer(id, SAM_TASK_ABORTED);
	end();
}

/*
 * Stopped while it looks, between the head and the clock: what comes then has not been looked for
 * either, and its time counts from when it may have come.
 */
static void test_command_that_came_while_we_looked(void)
{
	begin();
	w.now_ns = 1000 * 1000000ull;
	told();
	put_cmd(1, READ_10, 0);
	w.still_ns = 40000 * 1000000ull;
	w.comes_meanwhile = 2;
	assert(arrival_ms(1, 1100) == 1000);
	assert(!w.submitted[2]);
	assert(arrival_ms(2, 41110) == 1000);
	put_cmd(3, READ_10, 0);
	assert(arrival_ms(3, 41120) == 41120);
	end();
}

int main(void)
{
	test_out_of_order();
	test_command_that_came_while_we_looked();
	test_command_that_came_and_was_aborted_meanwhile();
	test_command_that_came_late();
	test_padding_at_the_wrap();
	test_round_and_round();
	test_tmr_is_last_in_the_ring();
	test_the_kernel_does_not_tell();
	test_tmr_before_a_command();
	test_tmr_and_an_id_used_again();
	test_abort_answers_at_once();
	test_a_command_is_copied();
	test_cdb_of_any_length();
	test_refused_opcode();
	test_no_memory();
	test_close();
	test_read_length_and_stale_bytes();
	test_sense_is_copied();
	test_recovered_error_keeps_its_data();
	test_a_medium_error_promises_no_data();
	test_any_status();
	test_hostile_entries();
	test_hostile_iovecs();
	test_pieces_that_change_under_way();
	test_all_the_room_is_used();
	test_tmr_that_counts_too_many();
	test_head_that_passes_the_tail();
	test_reset_behind_our_back();
	test_reset_before_the_first_answer();
	test_reset_in_a_later_round();
	test_reset_while_commands_are_held();
	test_hostile_mailboxes();
	test_the_limits_of_a_ring();
	test_chaos();
	test_pool();
	test_room_for_pieces();
	return 0;
}
