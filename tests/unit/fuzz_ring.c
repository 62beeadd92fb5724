/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring full of lies: any bytes as mailbox, entries, task management and data, changed under way
 * by a hostile kernel, while commands are taken, answered and given up in any order.  Nothing
 * outside the mapping is touched; in the ring only slots that were taken are written, in
 * the mailbox only the tail, in the data only a taken command's buffers; once broken, nothing.
 *
 * fuzz parses: runner/ring.c runner/ring_entry.c
 * fuzz runs: 30000
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/scsi.h"
#include "runner/ring.h"
#include "runtime/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING_OFF  128u
#define RING_SIZE 1024u
#define DATA_SIZE 512u
#define MEM_MAX	  (RING_OFF + RING_SIZE + DATA_SIZE)
#define IOS_MAX	  64

struct input {
	const uint8_t *data;
	size_t size;
};

static struct {
	struct ring ring;
	uint8_t *mem;
	size_t len;
	uint8_t before[MEM_MAX];
	struct mpath_io *ios[IOS_MAX]; /* submitted and not answered */
	unsigned int nr_ios;
	bool refuse;
	bool complete_on_abort;
	uint64_t now_ns;
} w;

static struct ring_cmd_pool pool; /* all commands are back at the end of each run */

void mpath_log(enum log_level level, const char *map, const char *path, const char *format, ...)
{
	(void)level;
	(void)map;
	(void)path;
	(void)format;
}

static uint8_t take_byte(struct input *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->data++;
}

static unsigned int take_word(struct input *in)
{
	unsigned int low = take_byte(in);

	return low | (unsigned int)take_byte(in) << 8;
}

/* --- what may have changed in the mapping --- */

static void remember(void)
{
	memcpy(w.before, w.mem, w.len);
}

/* Does a taken command's buffer, which answering may clear, hold this byte? */
static bool is_buffer(const struct mpath_io *io, const uint8_t *byte)
{
	for (size_t i = 0; io && i < io->cmd.iov_cnt; i++) {
		const uint8_t *base = io->cmd.iov[i].iov_base;

		if (byte >= base && byte < base + io->cmd.iov[i].iov_len)
			return true;
	}
	return false;
}

/* Between @from and @to, around the end. */
static bool is_between(uint32_t from, uint32_t at, uint32_t to)
{
	return from <= to ? at >= from && at < to : at >= from || at < to;
}

struct snapshot {
	uint32_t tail; /* where the next response was to go */
	bool broken;
};

static struct snapshot snapshot(void)
{
	remember();
	return (struct snapshot){w.ring.tail, w.ring.broken};
}

/* Compare with what was remembered; refused commands are answered from within, buffers and all. */
static void check_changes(struct snapshot then, bool may_clear)
{
	const struct ring_view *view = &w.ring.view;

	if (!memcmp(w.mem, w.before, w.len))
		return;
	for (size_t i = 0; i < w.len; i++) {
		uint32_t at = (uint32_t)i - view->ring_off;

		if (w.mem[i] == w.before[i])
			continue;
		assert(!then.broken);
		if (i < view->ring_off)
			assert(i >= offsetof(struct ring_mailbox, tail) &&
			       i < offsetof(struct ring_mailbox, tail) + 4);
		else if (at < view->ring_size)
			assert(is_between(then.tail, at, w.ring.passed));
		else
			assert(may_clear);
	}
}

/* --- what the ring asks of the world --- */

static void kick(void *arg)
{
	(void)arg;
	assert(!w.ring.broken);
	assert(ring_view_tail(&w.ring.view) == w.ring.published);
}

static uint64_t read_clock(void *arg)
{
	(void)arg;
	return w.now_ns;
}

static void check_iov(const struct scsi_cmd *cmd)
{
	const struct ring_view *view = &w.ring.view;

	for (size_t i = 0; i < cmd->iov_cnt; i++) {
		const uint8_t *base = cmd->iov[i].iov_base;

		assert(base >= w.mem + view->ring_off + view->ring_size);
		assert(base <= w.mem + w.len);
		assert(cmd->iov[i].iov_len <= (size_t)(w.mem + w.len - base));
	}
}

static void prepare(void *arg, struct ring_cmd *cmd)
{
	(void)arg;
	check_iov(&cmd->io.cmd);
	assert(cmd->io.cmd.cdb_len <= SCSI_CDB_MAX);
	cmd->io.cmd.dir = cmd->id % 3;
	cmd->io.cmd.data_len = scsi_iov_len(cmd->io.cmd.iov, cmd->io.cmd.iov_cnt);
	if (w.refuse || w.nr_ios == IOS_MAX) {
		scsi_sense_set(&cmd->io.result, 0, 0x05, 0x20, 0x00);
		cmd->refused = true;
	}
}

static void submit(void *arg, struct mpath_io *io)
{
	(void)arg;
	assert(!w.ring.broken && w.nr_ios < IOS_MAX);
	w.ios[w.nr_ios++] = io;
}

static void complete(unsigned int i, uint8_t how)
{
	struct mpath_io *io = w.ios[i];

	w.ios[i] = w.ios[--w.nr_ios];
	io->result = (struct scsi_result){.status = how & 0x1e, .residual = how / 4};
	if (io->result.status == SAM_CHECK_CONDITION)
		scsi_sense_set(&io->result, how, how & 0xf, how, how);
	ring_complete(&w.ring, io);
}

static void abort_io(void *arg, struct mpath_io *io)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < w.nr_ios && w.ios[i] != io; i++)
		;
	assert(i < w.nr_ios); /* it is one of those that we have */
	if (w.complete_on_abort)
		complete(i, SAM_TASK_ABORTED);
}

static const struct ring_ops ops = {
	.kick = kick,
	.read_clock = read_clock,
	.prepare = prepare,
	.submit = submit,
	.abort = abort_io,
};

/* --- the kernel --- */

static void put(struct input *in, uint32_t op, uint32_t len)
{
	struct ring_mailbox *mb = (struct ring_mailbox *)(void *)w.mem;
	const struct ring_view *view = &w.ring.view;
	uint32_t head = mb->head % view->ring_size & ~7u;
	uint8_t *at = w.mem + view->ring_off + head;
	struct ring_request request = {0};
	size_t room;

	if (head + len > view->ring_size) {
		const struct ring_header pad = {.len_op = view->ring_size - head};

		memcpy(at, &pad, sizeof(pad));
		mb->head = head = 0;
		at = w.mem + view->ring_off;
		if (len > view->ring_size)
			return;
	}
	room = view->ring_size - head;
	for (uint32_t i = 0; i < len; i++)
		at[i] = 0;
	request.header.len_op = len | op;
	request.header.cmd_id = (uint16_t)take_byte(in);
	if (op == RING_OP_CMD) {
		request.iov_cnt = take_byte(in) % 8;
		request.cdb_off = view->ring_off + head + len - 16;
		if (len >= 16)
			at[len - 16] = take_byte(in);
	} else {
		request.iov_bidi_cnt = take_byte(in) % 12; /* where a TMR has its count */
		for (uint32_t i = 32; i < len && i < 48; i += 2)
			at[i] = take_byte(in);
	}
	if (op == RING_OP_TMR)
		memcpy(&request.pad, at + 32, len < 48 ? 0 : 16);
	memcpy(at, &request, room < sizeof(request) ? room : sizeof(request));
	/* Iovecs that are often, not always, inside. */
	for (uint32_t i = 0; op == RING_OP_CMD && i < request.iov_cnt && 48 + 16 * i + 16 <= len;
	     i++) {
		const struct ring_iovec iov = {
			view->ring_off + view->ring_size + 4u * take_byte(in), 4u * take_byte(in)};

		memcpy(at + 48 + 16 * i, &iov, sizeof(iov));
	}
	mb->head = (head + len) % view->ring_size;
}

static void scribble(struct input *in)
{
	size_t at = take_word(in) % w.len;

	/* What the kernel sets once it does not change; a reset of the ring is test_ring's. */
	if (at < offsetof(struct ring_mailbox, head))
		return;
	w.mem[at] = take_byte(in);
}

/* --- all of it --- */

/* No entry names more than it can hold. */
static void check_entries(void)
{
	uint32_t head = ring_view_head(&w.ring.view);
	uint32_t at = w.ring.passed;

	for (unsigned int i = 0; i < RING_SIZE / RING_ALIGN; i++) {
		struct ring_entry entry = ring_entry_at(&w.ring.view, at, head);
		uint8_t cdb[SCSI_CDB_MAX];

		switch (entry.kind) {
		case ENTRY_NONE:
		case ENTRY_BROKEN:
			return;
		case ENTRY_TMR:
			assert(32 + 2 * ring_tmr_count(&w.ring.view, &entry) <= entry.len);
			break;
		case ENTRY_CMD:
			assert(entry.len >= sizeof(struct ring_response));
			assert(48 + 16 * ring_entry_iov(&w.ring.view, &entry, NULL, 0) <=
			       entry.len);
			assert(ring_entry_cdb(&w.ring.view, &entry, cdb) <= 8 + 255);
			break;
		case ENTRY_SKIP:
			break;
		}
		assert(entry.len >= RING_ALIGN && at + entry.len <= w.ring.view.ring_size);
		at = entry.next;
	}
}

static void one_thing(struct input *in)
{
	struct snapshot then;
	uint8_t what = take_byte(in);
	bool may_clear = true;

	w.refuse = what & 0x40;
	w.complete_on_abort = what & 0x20;
	switch (what & 0xf) {
	case 0:
	case 1:
		put(in, RING_OP_CMD, 112 + (what & 0x10));
		return;
	case 2:
		put(in, RING_OP_TMR, 48);
		return;
	case 3:
		put(in, take_byte(in) & RING_OP_MASK, take_byte(in) & ~7u);
		return;
	case 4:
		scribble(in);
		return;
	}

	check_entries();
	then = snapshot();
	switch (what & 0xf) {
	case 5:
	case 6:
		ring_flush(&w.ring);
		may_clear = false;
		break;
	case 7:
		if (what & 0x10 && what & 0x40)
			ring_close(&w.ring);
		break;
	case 8:
	case 9:
	case 10:
		w.now_ns += what & 0x10 ? RING_LATE_NS + 1 : RING_TICK_NS;
		ring_tick(&w.ring);
		break;
	case 11:
	case 12:
		if (w.nr_ios)
			complete(take_byte(in) % w.nr_ios, take_byte(in));
		break;
	default:
		ring_take(&w.ring);
		break;
	}
	check_changes(then, may_clear);
	assert(w.ring.broken || w.ring.outstanding == w.nr_ios);
}

static void check_buffers_only(void)
{
	while (w.nr_ios) {
		struct mpath_io *io = w.ios[0];
		const struct snapshot then = snapshot();

		/* Put off: what is answered clears its own buffers and nothing else. */
		for (size_t i = w.ring.view.ring_off + w.ring.view.ring_size; i < w.len; i++)
			if (is_buffer(io, w.mem + i))
				w.before[i] = 0;
		io->cmd.dir = SCSI_DATA_IN;
		complete(0, SAM_BUSY);
		if (!then.broken && !w.ring.broken)
			check_changes(then, false);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t kind = take_byte(&in);
	struct ring_mailbox mailbox = {.version = RING_VERSION,
				       .flags = kind,
				       .ring_off = RING_OFF,
				       .ring_size = RING_SIZE};

	memset(&w, 0, sizeof(w));
	w.len = MEM_MAX;
	if (kind & 0x80) { /* a mailbox that lies, too, in a mapping of any size */
		size_t n = sizeof(mailbox) < in.size ? sizeof(mailbox) : in.size;

		w.len = take_word(&in) % MEM_MAX + 1;
		n = n < in.size ? n : in.size;
		memcpy(&mailbox, in.data, n);
		if (kind & 1)
			mailbox.version = RING_VERSION;
		if (kind & 2)
			mailbox.ring_off = RING_OFF;
		if (kind & 4)
			mailbox.ring_size = take_word(&in) & 0x3f8;
	}
	w.mem = malloc(w.len);
	assert(w.mem);
	memset(w.mem, 0xee, w.len);
	memcpy(w.mem, &mailbox, w.len < sizeof(mailbox) ? w.len : sizeof(mailbox));

	if (!ring_init(&w.ring, w.mem, w.len, &pool, &ops, &w)) {
		if (w.ring.tail >= w.ring.view.ring_size || w.ring.tail % RING_ALIGN)
			assert(ring_entry_at(&w.ring.view, w.ring.tail, 0).kind == ENTRY_BROKEN);
		while (in.size)
			one_thing(&in);
		check_buffers_only();
	}
	free(w.mem);
	return 0;
}
