/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short memory, without threads: whichever allocation fails, a map, a configuration or a pool of
 * commands is refused with words and nothing is left (the leak checker looks); a command is
 * answered. Tables have their own test (table_memory).
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/registry.h"
#include "lib/no_memory.h"
#include "mpath/core.h"
#include "mpath/scsi.h"
#include "runner/config.h"
#include "runner/ring.h"

static char text[1024];
static struct strbuf error;

static struct mpath_table *parse(const char *words)
{
	struct mpath_table *table;

	strbuf_init(&error, text, sizeof(text));
	assert(mpath_table_parse(words, &table, &error) == 0);
	return table;
}

static void test_map(void)
{
	struct mpath_table *table = parse("0 0 2 1 round-robin 0 2 1 8:0 1 8:16 1 "
					  "round-robin 0 1 1 8:32 1");
	struct mpath_settings settings;
	struct multipath *m = NULL;
	int nth;

	mpath_settings_init(&settings);
	settings.checker = path_checker_find("tur");
	assert(settings.checker);
	for (nth = 1; !m; nth++) {
		strbuf_init(&error, text, sizeof(text));
		fail_allocation(nth);
		m = mpath_create("m", table, &settings, NULL, &error);
		assert(m || (allocation_has_failed() && error.len));
	}
	assert(!allocation_has_failed() && nth > 10);
	fail_allocation(0);
	mpath_destroy(m);
	mpath_table_free(table);
}

static void complete_all(struct mpath_actions *actions)
{
	while (list_pop(&actions->complete))
		;
}

static void step(struct multipath *m, struct mpath_event event)
{
	static uint64_t now_ns = NSEC_PER_SEC;
	struct mpath_actions actions;

	event.now_ns = ++now_ns;
	mpath_actions_init(&actions);
	mpath_step(m, &event, &actions);
	while (list_pop(&actions.open) || list_pop(&actions.close))
		;
	complete_all(&actions);
}

/* Once the map is there, nothing takes memory: no command, no message, no status. */
static void test_steps_take_no_memory(void)
{
	static const char *const words[][2] = {{"fail_path", "8:0"},
					       {"reinstate_path", "8:0"},
					       {"disable_group", "1"},
					       {"switch_group", "1"},
					       {"fail_path", "nobody"}};
	struct mpath_table *table = parse("1 queue_if_no_path 0 1 1 round-robin 0 1 1 8:0 1");
	struct mpath_settings settings;
	struct mpath_memory memory;
	struct mpath_io io = {0};
	struct multipath *m;
	unsigned int before, i;
	char reply[512];

	mpath_settings_init(&settings);
	m = mpath_create("m", table, &settings, NULL, &error);
	mpath_table_free(table);
	assert(m);
	before = atomic_load(&nr_allocations);
	step(m, (struct mpath_event){.type = MPATH_TIMEOUT});
	step(m, (struct mpath_event){.type = MPATH_PATH_REFUSED,
				     .path = mpath_path(m, 0),
				     .reason = "no such device"});
	list_init(&io.node);
	list_init(&io.flight);
	io.cmd.cdb[0] = 0x28;
	io.cmd.medium = true;
	step(m, (struct mpath_event){.type = MPATH_SUBMIT, .io = &io});
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct mpath_message message = {.argc = 2, .argv = words[i]};

		strbuf_init(&message.reply, reply, sizeof(reply));
		step(m, (struct mpath_event){.type = MPATH_MESSAGE, .message = &message});
	}
	strbuf_init(&error, text, sizeof(text));
	mpath_status(m, STATUS_INFO, &error);
	mpath_status(m, STATUS_TABLE, &error);
	mpath_status_detail(m, NSEC_PER_SEC, &error);
	mpath_remember(m, &memory);
	step(m, (struct mpath_event){.type = MPATH_SHUTDOWN});
	assert(atomic_load(&nr_allocations) == before);
	mpath_destroy(m);
}

static char dir[] = "/tmp/test-no-memory.XXXXXX";

static const char *in_dir(const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *content)
{
	char path[128];
	FILE *file = fopen(in_dir(name, path), "w");

	assert(file && fputs(content, file) >= 0 && !fclose(file));
}

static void check_config(const char *cfgstring, int at_least)
{
	char conf[128], last_good[128];
	const struct config_paths where = {.conf = in_dir("mpath.conf", conf),
					   .map_dir = dir,
					   .last_good = in_dir("last-good", last_good)};
	struct map_config *config = NULL;
	int nth, err;

	for (nth = 1; !config; nth++) {
		strbuf_init(&error, text, sizeof(text));
		fail_allocation(nth);
		err = map_config_load(&where, cfgstring, "lun", false, &config, &error);
		assert(err ? !config && allocation_has_failed() && error.len : config != NULL);
		if (err && err != -ENOMEM)
			fprintf(stderr, "allocation %d of %s: %s\n", nth, cfgstring, text);
		assert(!err || err == -ENOMEM);
	}
	assert(!allocation_has_failed() && nth > at_least);
	fail_allocation(0);
	map_config_free(config);
}

static void test_config(void)
{
	char path[128];

	write_file("mpath.conf", "[defaults]\nno_path_retry=queue\n");
	write_file("m.map", "[multipath]\ntable=0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1\n");
	write_file("p.map", "[multipath]\npaths=/dev/sda;/dev/sdb\n");
	check_config("mpath/m", 8);
	check_config("mpath/p", 8);
	check_config("mpath//dev/sda;/dev/sdb", 8);
	unlink(in_dir("mpath.conf", path));
	unlink(in_dir("m.map", path));
	unlink(in_dir("p.map", path));
}

/* The pool begins with memory or not at all; later it grows if it can, and else says so. */
static void test_pool(void)
{
	struct ring_cmd *taken[256];
	struct ring_cmd_pool pool;
	unsigned int n = 0, before;

	fail_allocation(1);
	assert(!ring_cmd_pool_init(&pool));
	ring_cmd_pool_destroy(&pool);
	assert(ring_cmd_pool_init(&pool));
	before = atomic_load(&nr_allocations);
	fail_allocation(1);
	while ((taken[n] = ring_cmd_get(&pool)))
		assert(++n < 256);
	assert(n >= 64 && atomic_load(&nr_allocations) == before + 1);
	assert((taken[n++] = ring_cmd_get(&pool)));
	while (n)
		ring_cmd_put(taken[--n]);
	ring_cmd_pool_destroy(&pool);
}

int main(void)
{
	assert(mkdtemp(dir));
	test_map();
	test_steps_take_no_memory();
	test_config();
	test_pool();
	assert(rmdir(dir) == 0);
	return 0;
}
