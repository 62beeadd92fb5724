/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short memory, without threads: whichever allocation fails, a map, a configuration or a pool of
 * commands is refused with words and nothing is left (the leak checker looks); a command is
 * answered. Tables have their own test (table_memory).
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/registry.h"
#include "core/table_edit.h"
#include "lib/no_memory.h"
#include "mpath/core.h"
#include "mpath/scsi.h"
#include "runner/config.h"
#include "runner/ring.h"

static char text[1024];
static struct strbuf error;

char *__real_strndup(const char *words, size_t len);
char *__wrap_strndup(const char *words, size_t len);
char *__wrap_strndup(const char *words, size_t len)
{
	return allocation_fails() ? NULL : __real_strndup(words, len);
}

static struct mpath_table *parse(const char *words)
{
	struct mpath_table *table;

	strbuf_init(&error, text, sizeof(text));
	assert(mpath_table_parse(words, &table, &error) == 0);
	return table;
}

static bool is_told(void)
{
	return strstr(text, "memory") || strstr(text, "Error allocating");
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
	settings.slow_path_factor = 3;
	assert(settings.checker);
	for (nth = 1; !m; nth++) {
		strbuf_init(&error, text, sizeof(text));
		fail_allocation(nth);
		m = mpath_create("m", table, &settings, NULL, &error);
		assert(m || (allocation_has_failed() && is_told()));
	}
	assert(!allocation_has_failed() && nth > 10);
	fail_allocation(0);
	mpath_destroy(m);
	mpath_table_free(table);
}

/* What has to wait for a path that may be found is forgotten then, and the map says so. */
static void test_recall(void)
{
	static const struct mpath_memory memory = {.nr_failed = 1, .failed = {1}};
	struct mpath_table *table = parse("0 0 0 0");
	struct mpath_settings settings;
	struct mpath_notice notice = {0};
	struct mpath_memory next;

	mpath_settings_init(&settings);
	settings.finds_paths = true;
	for (int nth = 0; nth < 2; nth++) {
		struct multipath *m = mpath_create("m", table, &settings, NULL, &error);

		assert(m);
		fail_allocation(nth);
		mpath_recall(m, &memory);
		fail_allocation(0);
		mpath_remember(m, &next);
		assert(next.nr_failed == !nth);
		assert(mpath_next_notice(m, &notice) == !!nth);
		mpath_destroy(m);
	}
	assert(strstr(notice.text, "not enough memory"));
	mpath_table_free(table);
}

/* A disk of a former process that there is no memory for is one that nobody can find: it counts. */
static void test_recall_of_disks(void)
{
	static const struct mpath_memory memory = {.nr_disks = 3, .disks = {11, 12, 13}};
	struct mpath_table *table = parse("0 0 0 0");
	struct mpath_settings settings;
	struct mpath_memory next;

	mpath_settings_init(&settings);
	for (int nth = 0; nth <= 2; nth++) {
		struct multipath *m = mpath_create("m", table, &settings, NULL, &error);

		assert(m);
		fail_allocation(nth);
		mpath_recall(m, &memory);
		assert(!nth || allocation_has_failed());
		fail_allocation(0);
		mpath_remember(m, &next);
		assert(next.nr_disks == (nth ? 2 : 3) && next.disks[0] == (nth ? 0 : 11));
		mpath_destroy(m);
	}
	mpath_table_free(table);
}

static struct mpath_change *prepare(struct multipath *m, unsigned int which)
{
	static const unsigned int assignment[] = {2, 1};

	switch (which) {
	case 0:
		return mpath_change_add_path(m, "8:32", 1, &error);
	case 1:
		return mpath_change_remove_path(m, "8:16", &error);
	case 2:
		return mpath_change_regroup(m, assignment, &error);
	default:
		return mpath_change_add_found(m, "8:32", "round-robin", &error);
	}
}

/* A change that gets no memory is refused with words, and the map is as it was. */
static void test_changes(void)
{
	struct mpath_table *table =
		parse("0 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1");
	struct mpath_settings settings;
	struct mpath_table *copy = table;
	struct multipath *m;
	unsigned int which;
	int nth;

	fail_allocation(1);
	assert(mpath_table_copy(table, &copy, &error) == -ENOMEM && !copy);
	fail_allocation(0);
	mpath_settings_init(&settings);
	settings.slow_path_factor = 3;
	m = mpath_create("m", table, &settings, NULL, &error);
	mpath_table_free(table);
	assert(m);
	for (which = 0; which < 4; which++) {
		struct mpath_change *change = NULL;

		for (nth = 1; !change; nth++) {
			strbuf_init(&error, text, sizeof(text));
			fail_allocation(nth);
			change = prepare(m, which);
			assert(change || (allocation_has_failed() && is_told()));
		}
		assert(!allocation_has_failed() && nth > 10);
		fail_allocation(0);
		mpath_change_free(change);
		assert(mpath_path(m, 1) && !mpath_path(m, 2));
	}
	mpath_destroy(m);
}

/* A selector that gets no memory says so, and for which path. */
static void test_selectors(void)
{
	static const char *const names[] = {"round-robin", "queue-length", "service-time",
					    "historical-service-time", "io-affinity"};
	char words[200], told[100];
	struct mpath_table *table;
	unsigned int i, nr_told;
	int nth;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(words, sizeof(words), "0 0 1 1 %s 0 2 1 8:0 1 8:16 2", names[i]);
		snprintf(told, sizeof(told), "%s ps: Error allocating path", names[i]);
		nr_told = 0;
		for (nth = 1;; nth++) {
			strbuf_init(&error, text, sizeof(text));
			fail_allocation(nth);
			if (mpath_table_parse(words, &table, &error) == 0)
				break;
			assert(strstr(text, "out of memory"));
			nr_told += strstr(text, told) != NULL;
		}
		assert(!allocation_has_failed() && nr_told >= 2);
		fail_allocation(0);
		mpath_table_free(table);
	}
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

static char dir[] = "/tmp/test-no-memory.XXXXXX"; /* where the program runs */

static void write_file(const char *name, const char *content)
{
	FILE *file = fopen(name, "w");

	assert(file && fputs(content, file) >= 0 && !fclose(file));
}

#define NR(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* What the caller is told, call by call.  The order is the parser's and may change with it. */
#define CANNOT_BE_READ ": cannot be read: Cannot allocate memory"

#define TOLD_OF_TABLE(file)                                                                        \
	file "can't allocate multipath: out of memory",                                            \
		file "couldn't split parameters: out of memory",                                   \
		file "couldn't split parameters: out of memory",                                   \
		file "couldn't allocate priority group: out of memory",                            \
		file "path selector constructor failed: word 5 is \"round-robin\", out of memory", \
		file "couldn't allocate paths: out of memory",                                     \
		file "couldn't allocate paths: out of memory",                                     \
		file "round-robin ps: Error allocating path context: word 10 is \"1\", "           \
		     "out of memory",                                                              \
		file "round-robin ps: Error allocating path context: word 12 is \"1\", "           \
		     "out of memory"

/* First its text is made. */
#define TOLD_OF_LIST                                                                               \
	"can't allocate multipath: out of memory", "can't allocate multipath: out of memory",      \
		"couldn't split parameters: out of memory",                                        \
		"couldn't split parameters: out of memory",                                        \
		"couldn't allocate priority group: out of memory",                                 \
		"path selector constructor failed: word 5 is \"service-time\", out of memory",     \
		"couldn't allocate paths: out of memory",                                          \
		"couldn't allocate paths: out of memory",                                          \
		"service-time ps: Error allocating path context: word 10 is \"1\", out of memory", \
		"service-time ps: Error allocating path context: word 10 is \"1\", out of memory", \
		"service-time ps: Error allocating path context: word 10 is \"1\", out of memory", \
		"couldn't allocate priority group: out of memory",                                 \
		"path selector constructor failed: word 12 is \"service-time\", out of memory",    \
		"couldn't allocate paths: out of memory",                                          \
		"couldn't allocate paths: out of memory",                                          \
		"service-time ps: Error allocating path context: word 17 is \"1\", out of memory", \
		"service-time ps: Error allocating path context: word 17 is \"1\", out of memory", \
		"service-time ps: Error allocating path context: word 17 is \"1\", out of memory"

static const char *const told_of_table_file[] = {
	"cfgstring: out of memory",
	"hardware.conf" CANNOT_BE_READ,
	"hardware.conf: out of memory",
	"mpath.conf" CANNOT_BE_READ,
	"./m.map" CANNOT_BE_READ,
	TOLD_OF_TABLE("./m.map: table: "), /* checked */
	TOLD_OF_TABLE(""),		   /* used */
};

static const char *const told_of_paths_file[] = {
	"cfgstring: out of memory",	 "hardware.conf" CANNOT_BE_READ,
	"hardware.conf: out of memory",	 "mpath.conf" CANNOT_BE_READ,
	"./p.map" CANNOT_BE_READ,	 "./p.map: paths: out of memory",
	"./p.map: paths: out of memory", TOLD_OF_LIST,
};

static const char *const told_of_paths[] = {
	"cfgstring: out of memory",
	"cfgstring: out of memory",
	"cfgstring: out of memory",
	"hardware.conf" CANNOT_BE_READ,
	"hardware.conf: out of memory",
	"mpath.conf" CANNOT_BE_READ,
	TOLD_OF_LIST,
};

/* @told: what the caller is told, allocation by allocation. */
static void check_config(const char *cfgstring, const char *const *told, int nr_told)
{
	const struct config_paths where = {.conf = "mpath.conf",
					   .map_dir = ".",
					   .last_good = "last-good",
					   .hardware = "hardware.conf"};
	struct map_config *config;
	int nth;

	for (nth = 1; nth <= nr_told; nth++) {
		strbuf_init(&error, text, sizeof(text));
		fail_allocation(nth);
		assert(map_config_load(&where, cfgstring, "lun", false, &config, &error) ==
		       -ENOMEM);
		assert(!config && allocation_has_failed());
		if (strcmp(text, told[nth - 1]))
			fprintf(stderr, "got:      %s\nexpected: %s\n", text, told[nth - 1]);
		assert(!strcmp(text, told[nth - 1]));
	}
	/* That were all of them. */
	fail_allocation(nth);
	assert(map_config_load(&where, cfgstring, "lun", false, &config, &error) == 0);
	assert(!allocation_has_failed());
	fail_allocation(0);
	map_config_free(config);
}

static void test_config(void)
{
	write_file("mpath.conf", "[defaults]\nno_path_retry=queue\n");
	write_file("hardware.conf", "[array]\nvendor=ACME\npath_checker=tur\n");
	write_file("m.map", "[multipath]\ntable=0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1\n");
	write_file("p.map", "[multipath]\npaths=/dev/sda;/dev/sdb\n");
	check_config("mpath/m", told_of_table_file, NR(told_of_table_file));
	check_config("mpath/p", told_of_paths_file, NR(told_of_paths_file));
	check_config("mpath//dev/sda;/dev/sdb", told_of_paths, NR(told_of_paths));
	unlink("mpath.conf");
	unlink("hardware.conf");
	unlink("m.map");
	unlink("p.map");
}

/* The pool begins with memory or not at all; later it grows if it can, and else says so. */
static void test_pool(void)
{
	struct ring_cmd *taken[256];
	struct ring_cmd_pool pool;
	unsigned int n = 0, before;

	memset(&pool, 0xff, sizeof(pool)); /* what was there before */
	fail_allocation(1);
	assert(!ring_cmd_pool_init(&pool));
	ring_cmd_pool_destroy(&pool);
	assert(ring_cmd_pool_init(&pool));
	before = atomic_load(&nr_allocations);
	fail_allocation(1);
	while ((taken[n] = ring_cmd_get(&pool)))
		assert(++n < 256);
	assert(n >= 4 && atomic_load(&nr_allocations) == before + 1);
	assert((taken[n++] = ring_cmd_get(&pool)));
	while (n)
		ring_cmd_put(taken[--n]);
	ring_cmd_pool_destroy(&pool);
}

int main(void)
{
	assert(mkdtemp(dir) && !chdir(dir));
	test_map();
	test_recall();
	test_recall_of_disks();
	test_changes();
	test_selectors();
	test_steps_take_no_memory();
	test_config();
	test_pool();
	assert(rmdir(dir) == 0);
	return 0;
}
