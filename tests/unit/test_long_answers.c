/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the answers to probes go: into the path's own buffer, or the map's one for long ones.  That
 * belongs to one probe until it is answered or given up for good: nothing else is written there.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/multipath.h"
#include "core/registry.h"
#include "mpath/scsi.h"

static const struct path_facts facts = {.queue_depth = 8, .name = "8:0"};

static char text[200];
static struct multipath *map;
static struct path *paths[2];
static struct mpath_io *asked[2]; /* what each path was asked, and has not answered */
static struct mpath_io *given_up[2];
static uint64_t now_ns = NSEC_PER_SEC;

static unsigned int number_of(const struct path *path)
{
	return path == paths[1];
}

static void step(struct mpath_event event)
{
	struct mpath_actions actions;
	struct list *node;

	event.now_ns = now_ns;
	mpath_actions_init(&actions);
	mpath_step(map, &event, &actions);
	while ((node = list_pop(&actions.start))) {
		struct mpath_io *io = container_of(node, struct mpath_io, node);

		asked[number_of(io->path)] = io;
	}
	while ((node = list_pop(&actions.abandon))) {
		struct mpath_io *io = container_of(node, struct mpath_io, node);

		asked[number_of(io->path)] = NULL;
		given_up[number_of(io->path)] = io;
	}
	while (list_pop(&actions.count) || list_pop(&actions.session))
		;
	while ((node = list_pop(&actions.open)))
		step((struct mpath_event){.type = MPATH_PATH_OPENED,
					  .path = container_of(node, struct path, action_node),
					  .facts = &facts});
	mpath_check_invariants(map);
}

static void new_map(const char *words, const char *checker)
{
	struct mpath_settings settings;
	struct mpath_table *table;
	struct strbuf error;

	strbuf_init(&error, text, sizeof(text));
	mpath_settings_init(&settings);
	settings.checker = path_checker_find(checker);
	assert(!mpath_table_parse(words, &table, &error));
	map = mpath_create("m", table, &settings, NULL, &error);
	mpath_table_free(table);
	assert(map);
	paths[0] = mpath_path(map, 0);
	paths[1] = mpath_path(map, 1);
	step((struct mpath_event){.type = MPATH_TIMEOUT});
}

static bool is_rtpg(const struct mpath_io *io)
{
	return io && io->cmd.cdb[0] == 0xa3;
}

static size_t answer_to(const struct scsi_cmd *cmd, uint8_t *data)
{
	static const uint8_t inquiry[36] = {0, 0, 6, 2, 31, 0x10};
	static const uint8_t pages[] = {0, 0, 0, 2, 0, 0x83};
	static const uint8_t id[] = {0, 0x83, 0, 28, 1, 3, 0, 8, 0x50, 1,    2, 3, 4, 5, 6, 7,
				     1, 0x94, 0, 4,  0, 0, 0, 1, 1,    0x95, 0, 4, 0, 0, 0, 1};
	static const uint8_t capacity[32] = {[6] = 1, [10] = 0x10}; /* 4096 bytes */
	static const uint8_t states[] = {0, 0, 0x20, 0, 0x10, 0, 0, 0, 0, 0x8f, 0, 1};

	switch (cmd->cdb[0]) {
	case 0x9e:
		return memcpy(data, capacity, sizeof(capacity)), sizeof(capacity);
	case 0x12:
		if (!(cmd->cdb[1] & 1))
			return memcpy(data, inquiry, sizeof(inquiry)), sizeof(inquiry);
		if (cmd->cdb[2] == 0x83)
			return memcpy(data, id, sizeof(id)), sizeof(id);
		return memcpy(data, pages, sizeof(pages)), sizeof(pages);
	case 0xa3: /* there is always more; how much was asked for shows in the state */
		memcpy(data, states, sizeof(states));
		if (cmd->data_len == PATH_PROBE_BUF_SIZE)
			data[8] = ALUA_NON_OPTIMIZED;
		return cmd->data_len;
	default:
		return 0;
	}
}

static void answer(unsigned int nr)
{
	struct mpath_io *io = asked[nr];
	uint8_t data[PATH_PROBE_BUF_SIZE] = {0};
	size_t len = answer_to(&io->cmd, data);

	assert(len <= io->cmd.data_len);
	asked[nr] = NULL;
	if (len)
		memcpy(io->cmd.iov->iov_base, data, len);
	io->result = (struct scsi_result){.residual = (uint32_t)(io->cmd.data_len - len)};
	step((struct mpath_event){.type = MPATH_END_IO, .io = io});
}

static bool is_in(const struct mpath_io *io, const uint8_t *memory, size_t size)
{
	const uint8_t *begin = io->cmd.iov[0].iov_base;

	return begin >= memory && begin + io->cmd.iov[0].iov_len <= memory + size;
}

static bool is_long(const struct mpath_io *io)
{
	return io->cmd.data_len == PATH_PROBE_BUF_SIZE && io->cmd.iov_cnt == 1 &&
	       is_in(io, map->long_answer, sizeof(map->long_answer));
}

static bool is_own(const struct mpath_io *io, const struct path *path)
{
	return io->cmd.data_len <= PATH_PROBE_OWN_SIZE &&
	       is_in(io, path->probe_buf, sizeof(path->probe_buf));
}

/* Until both wait for what they were asked about the states of groups, or nothing is asked. */
static void answer_until_rtpg(void)
{
	for (;;) {
		if (asked[0] && !is_rtpg(asked[0]))
			answer(0);
		else if (asked[1] && !is_rtpg(asked[1]))
			answer(1);
		else
			return;
	}
}

/* Both blocks are read at the same time, each into its own path's buffer, over and over. */
static void test_large_blocks(void)
{
	new_map("0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1", "directio");
	for (unsigned int nr = 0; nr < 2; nr++) {
		assert(asked[nr]->cmd.cdb[0] == 0x9e && is_own(asked[nr], paths[nr]));
		answer(nr);
	}
	for (unsigned int nr = 0; nr < 2; nr++) {
		const struct scsi_cmd *cmd = &asked[nr]->cmd;

		assert(cmd->cdb[0] == 0x28 && cmd->data_len == 4096);
		assert(scsi_iov_len(cmd->iov, cmd->iov_cnt) == 4096 && cmd->iov_cnt == 4);
		for (unsigned int i = 0; i < 4; i++)
			assert(cmd->iov[i].iov_base == paths[nr]->probe_buf);
	}
	assert(!map->long_reader);
	mpath_destroy(map);
}

static void pass(uint64_t ms)
{
	now_ns += ms * NSEC_PER_MSEC;
	step((struct mpath_event){.type = MPATH_TIMEOUT});
}

static unsigned int who_is_asked_for_states(void)
{
	for (unsigned int i = 0; i < 200; i++) {
		answer_until_rtpg();
		if (asked[0] || asked[1])
			return asked[1] != NULL;
		step((struct mpath_event){
			.type = MPATH_PATH_HEARD, .path = paths[0], .heard = HEARD_STATES});
		pass(100);
	}
	assert(!"nobody is asked");
	return 0;
}

/* One that does not answer keeps the map's buffer; the other does without, and waits for nothing.
 */
static void test_a_long_answer_that_does_not_come(void)
{
	unsigned int first, second;

	new_map("0 1 alua 1 1 round-robin 0 2 1 8:0 1 8:16 1", "tur");
	first = who_is_asked_for_states();
	assert(is_own(asked[first], paths[first]) && asked[first]->cmd.data_len == 1024);
	answer(first);
	assert(is_rtpg(asked[first]) && is_long(asked[first]));

	while (!given_up[first]) {
		pass(100);
		answer_until_rtpg();
	}
	assert(map->long_reader == paths[first]);
	second = who_is_asked_for_states();
	assert(second != first);
	assert(is_own(asked[second], paths[second]) && asked[second]->cmd.data_len == 1024);
	answer(second);
	assert(!is_rtpg(asked[second]) && map->long_reader == paths[first]);
	assert(paths[second]->tpg.state == ALUA_OPTIMIZED);

	/* Until now it might have come in. */
	memset(given_up[first]->cmd.iov->iov_base, 0xa5, given_up[first]->cmd.data_len);
	step((struct mpath_event){.type = MPATH_ABANDONED, .io = given_up[first]});
	assert(!map->long_reader);
	first = who_is_asked_for_states();
	if (!is_long(asked[first]))
		answer(first);
	assert(is_rtpg(asked[first]) && is_long(asked[first]));
	answer(first);
	assert(!map->long_reader);
	assert(paths[first]->tpg.state == ALUA_NON_OPTIMIZED); /* by what is in that buffer */
	mpath_destroy(map);
}

int main(void)
{
	test_large_blocks();
	asked[0] = asked[1] = NULL;
	test_a_long_answer_that_does_not_come();
	printf("ok\n");
	return 0;
}
