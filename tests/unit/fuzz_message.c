/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any words as messages to a map that lives: its paths come and go, its LUN answers the identity
 * check with any bytes, commands run.  Each message is answered, with words where it is refused;
 * the map's invariants hold after each step; every command is answered once; the map always stops.
 *
 * fuzz parses: core/message.c
 * fuzz runs: 4000
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "mpath/core.h"
#include "mpath/scsi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATHS_MAX 4
#define IOS_MAX	  16
#define WORDS_MAX 6

struct input {
	const uint8_t *data;
	size_t size;
};

static struct {
	struct multipath *m;
	struct input *in;
	uint64_t now_ns;
	uint64_t wake_ns;
	bool stopped;
	struct mpath_io *out[IOS_MAX + PATHS_MAX]; /* on a path, probes too */
	unsigned int nr_out;
	struct path *opening[PATHS_MAX], *closing[PATHS_MAX];
	unsigned int nr_opening, nr_closing;
	struct mpath_io ios[IOS_MAX];
	bool ours[IOS_MAX]; /* not with the core */
	struct iovec iov;
	uint8_t buf[512];
} w;

static const char *const tables[] = {
	"0 0 2 1 round-robin 0 2 1 8:16 1 8:32 1 round-robin 0 2 1 8:48 1 8:64 1",
	"1 queue_if_no_path 0 2 2 round-robin 0 1 1 8:16 1 round-robin 0 1 1 /dev/sdc 1",
	"0 0 1 1 round-robin 0 1 1 8:16 1",
	"0 0 0 0",
};

static uint8_t take_byte(void)
{
	if (!w.in->size)
		return 0;
	w.in->size--;
	return *w.in->data++;
}

static void step(struct mpath_event event);

static void check_notices(void)
{
	struct mpath_notice notice;

	while (mpath_next_notice(w.m, &notice))
		assert(memchr(notice.text, '\0', sizeof(notice.text)) && notice.text[0]);
}

static void perform(struct mpath_actions *actions)
{
	struct list *node;

	while ((node = list_pop(&actions->open)))
		w.opening[w.nr_opening++] = container_of(node, struct path, action_node);
	assert(w.nr_opening <= PATHS_MAX);
	while ((node = list_pop(&actions->start))) {
		struct mpath_io *io = container_of(node, struct mpath_io, node);

		assert(io->path && io->cmd.cdb_len);
		w.out[w.nr_out++] = io;
	}
	while ((node = list_pop(&actions->close)))
		w.closing[w.nr_closing++] = container_of(node, struct path, action_node);
	assert(w.nr_closing <= PATHS_MAX);
	while ((node = list_pop(&actions->complete))) {
		struct mpath_io *io = container_of(node, struct mpath_io, node);

		assert(io >= w.ios && io < w.ios + IOS_MAX && !w.ours[io - w.ios]);
		assert(io->result.transport == TRANSPORT_OK);
		w.ours[io - w.ios] = true;
	}
	w.wake_ns = actions->wake_ns;
	assert(!w.stopped);
	w.stopped = actions->stopped;
}

/* Counting and giving up are answered at once, which leaves the rest for the fuzzer. */
static void answer_now(struct mpath_actions *actions)
{
	struct list *node;

	while ((node = list_pop(&actions->count)))
		step((struct mpath_event){.type = MPATH_PATH_COUNTED,
					  .path = container_of(node, struct path, action_node),
					  .outstanding = (int8_t)take_byte(),
					  .errors = take_byte() & 1});
	while ((node = list_pop(&actions->abandon))) {
		struct mpath_io *io = container_of(node, struct mpath_io, node);
		unsigned int i;

		for (i = 0; i < w.nr_out && w.out[i] != io; i++)
			;
		assert(i < w.nr_out);
		w.out[i] = w.out[--w.nr_out];
		step((struct mpath_event){.type = MPATH_ABANDONED, .io = io});
	}
}

static void step(struct mpath_event event)
{
	struct mpath_actions actions;

	mpath_actions_init(&actions);
	event.now_ns = w.now_ns;
	mpath_step(w.m, &event, &actions);
	mpath_check_invariants(w.m);
	perform(&actions);
	check_notices();
	answer_now(&actions);
}

/* --- what happens --- */

/* A line of words. */
static void message(void)
{
	char line[200], reply[300], *rest = line, *word;
	const char *words[WORDS_MAX];
	struct mpath_message message = {.argv = words};
	size_t n = 0;

	while (w.in->size && n < sizeof(line) - 1) {
		char c = (char)take_byte();

		if (c == '\n' || !c)
			break;
		line[n++] = c;
	}
	line[n] = '\0';
	while (message.argc < WORDS_MAX && (word = strsep(&rest, " ")))
		words[message.argc++] = word;
	if (!n)
		message.argc = 0;
	memset(reply, 0xff, sizeof(reply));
	strbuf_init(&message.reply, reply, n % 2 ? 20 : sizeof(reply));
	message.error = 1;
	step((struct mpath_event){.type = MPATH_MESSAGE, .message = &message});
	assert(message.error == 0 || message.error == -EINVAL || message.error == -EBUSY ||
	       message.error == -ENOTCONN || message.error == -ESHUTDOWN);
	assert(!message.error || message.reply.len);
	assert(strlen(reply) == message.reply.len);
}

static void open_path(uint8_t how)
{
	struct path_facts facts = {.queue_depth = 1 + how % 8, .max_transfer_bytes = 1 << 20};
	struct path *path;

	if (!w.nr_opening)
		return;
	path = w.opening[--w.nr_opening];
	if (how & 0x80) {
		step((struct mpath_event){
			.type = MPATH_PATH_REFUSED, .path = path, .reason = "no such device"});
		return;
	}
	snprintf(facts.name, sizeof(facts.name), "8:%u", 16 * (path->id + 1));
	snprintf(facts.device, sizeof(facts.device), "sd%c", 'b' + (char)path->id);
	facts.foreign = how & 0x40 ? 1 : 0;
	step((struct mpath_event){.type = MPATH_PATH_OPENED, .path = path, .facts = &facts});
}

/* What a decent LUN says; sometimes a byte of it is the fuzzer's. */
static size_t decent_answer(const struct scsi_cmd *cmd, uint8_t *data)
{
	static const uint8_t pages[] = {0, 0, 0, 6, 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2};
	static const uint8_t id[] = {0,	   0x83, 0,    12,   1,	   3,	 0,    8,
				     0x50, 0x01, 0x40, 0x5b, 0x92, 0x2f, 0xf6, 0x7a};
	static const uint8_t capacity[32] = {[6] = 1, [10] = 2};
	uint8_t page[64] = {[1] = cmd->cdb[2], [3] = 60};

	if (cmd->cdb[0] == 0x9e)
		return memcpy(data, capacity, 32), 32;
	if (!(cmd->cdb[1] & 1))
		return memset(data, 0, 96), 96;
	if (cmd->cdb[2] == 0x00)
		return memcpy(data, pages, sizeof(pages)), sizeof(pages);
	if (cmd->cdb[2] == 0x83)
		return memcpy(data, id, sizeof(id)), sizeof(id);
	return memcpy(data, page, sizeof(page)), sizeof(page);
}

static void fill_probe(struct mpath_io *io, uint8_t how)
{
	uint8_t data[PATH_PROBE_BUF_SIZE] = {0};
	size_t len;

	assert(scsi_iov_len(io->cmd.iov, io->cmd.iov_cnt) == io->cmd.data_len);
	len = decent_answer(&io->cmd, data);
	if (how & 0x40) {
		size_t at = take_byte();

		data[at % 64] = take_byte();
		len = how & 0x20 ? take_byte() : len;
	}
	if (len > io->cmd.data_len)
		len = io->cmd.data_len;
	if (io->cmd.iov_cnt) /* several are all the same memory, which nobody looks at */
		memcpy(io->cmd.iov->iov_base, data,
		       len < io->cmd.iov->iov_len ? len : io->cmd.iov->iov_len);
	io->result.residual = (uint32_t)(io->cmd.data_len - len);
}

static void end_io(uint8_t how)
{
	struct mpath_io *io;
	unsigned int i;

	if (!w.nr_out)
		return;
	i = how % w.nr_out;
	io = w.out[i];
	w.out[i] = w.out[--w.nr_out];
	io->result = (struct scsi_result){0};
	if (how & 0x80) {
		uint8_t what = take_byte();

		if (what & 1)
			io->result.transport = (what >> 1) % (TRANSPORT_FAULT + 1);
		else
			scsi_sense_set(&io->result, 0, what >> 4, take_byte(), take_byte());
	} else if (io->is_probe && io->cmd.dir == SCSI_DATA_IN) {
		fill_probe(io, how);
	}
	step((struct mpath_event){.type = MPATH_END_IO, .io = io});
}

static void submit(uint8_t how)
{
	static const uint8_t cdbs[][10] = {
		{0x28, [8] = 1}, {0x2a, [8] = 1}, {0}, {0x12, [4] = 96}, {0x5f, [8] = 24}};
	struct mpath_io *io = &w.ios[how % IOS_MAX];

	if (!w.ours[how % IOS_MAX])
		return;
	memset(io, 0, sizeof(*io));
	list_init(&io->node);
	memcpy(io->cmd.cdb, cdbs[(how >> 4) % 5], 10);
	io->cmd.cdb_len = 10;
	io->cmd.iov = &w.iov;
	io->cmd.iov_cnt = 1;
	assert(scsi_cdb_fill(&io->cmd, sizeof(w.buf), 512) == CDB_OK);
	io->arrival_ns = w.now_ns;
	w.ours[how % IOS_MAX] = false;
	step((struct mpath_event){.type = MPATH_SUBMIT, .io = io});
}

static void close_path(void)
{
	if (w.nr_closing)
		step((struct mpath_event){.type = MPATH_PATH_CLOSED,
					  .path = w.closing[--w.nr_closing]});
}

static void wait(uint8_t how)
{
	if (how & 1 && w.wake_ns > w.now_ns)
		w.now_ns = w.wake_ns;
	else
		w.now_ns += how * 10 * NSEC_PER_MSEC;
	step((struct mpath_event){.type = MPATH_TIMEOUT});
}

static void show(void)
{
	char text[2000];
	struct strbuf out;

	for (unsigned int type = 0; type < 3; type++) {
		strbuf_init(&out, text, sizeof(text));
		if (type < 2)
			mpath_status(w.m, type ? STATUS_TABLE : STATUS_INFO, &out);
		else
			mpath_status_detail(w.m, w.now_ns, &out);
		assert(strlen(text) == out.len && out.len);
	}
}

static void one_thing(void)
{
	uint8_t what = take_byte();

	switch (what & 7) {
	case 0:
		message();
		return;
	case 1:
		open_path(take_byte());
		return;
	case 2:
	case 3:
		end_io(take_byte());
		return;
	case 4:
		submit(take_byte());
		return;
	case 5:
		wait(take_byte());
		return;
	case 6:
		close_path();
		return;
	case 7:
		show();
		return;
	}
}

/* Everything comes to its end: then so does the map. */
static void stop(void)
{
	step((struct mpath_event){.type = MPATH_STOP});
	for (unsigned int i = 0; !w.stopped && i < 1000; i++) {
		if (w.nr_out)
			end_io(0);
		else if (w.nr_opening)
			open_path(0);
		else if (w.nr_closing)
			close_path();
		else
			wait(1);
	}
	assert(w.stopped && !w.nr_out && !w.nr_opening && !w.nr_closing);
	for (unsigned int i = 0; i < IOS_MAX; i++)
		assert(w.ours[i]);
}

static void begin(uint8_t kind)
{
	struct mpath_settings settings;
	struct mpath_table *table;
	struct strbuf error;
	char text[200];

	memset(&w, 0, sizeof(w));
	memset(w.ours, true, sizeof(w.ours));
	w.iov = (struct iovec){w.buf, sizeof(w.buf)};
	w.now_ns = NSEC_PER_SEC;
	strbuf_init(&error, text, sizeof(text));
	assert(!mpath_table_parse(tables[kind % 4], &table, &error));
	mpath_settings_init(&settings);
	settings.checker = kind & 4 ? NULL : path_checker_find("tur");
	w.m = mpath_create("m", table, &settings, NULL, &error);
	assert(w.m);
	mpath_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (!size)
		return 0;
	in.data++;
	in.size--;
	begin(data[0]);
	w.in = &in;
	step((struct mpath_event){.type = MPATH_TIMEOUT});
	if (data[0] & 8) /* with all paths up */
		for (unsigned int i = 0; i < 64; i++) {
			open_path(0);
			if (w.nr_out)
				end_io(0);
		}
	while (in.size)
		one_thing();
	stop();
	mpath_destroy(w.m);
	return 0;
}
