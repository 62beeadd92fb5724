/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration: what an administrator may write, and the exact words for what is wrong with it.
 * Each error text stands here in full, for at least two mistakes.  D means the directory of the
 * test in expected texts.
 */
#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/registry.h"
#include "mpath/table.h"
#include "runner/cfgstring.h"
#include "runner/config.h"
#include "runtime/log.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define KEYS                                                                                       \
	"table, paths, wwid, grouping, selector, hw_handler, prio, prio_args, failback, "          \
	"pg_init_retries, pg_init_delay_msecs, no_path_retry, no_path_timeout_read_ms, "           \
	"no_path_timeout_write_ms, path_checker, "                                                 \
	"recheck_interval_ms, polling_interval_ms, checker_timeout_ms, san_path_err_threshold, "   \
	"san_path_err_forget_rate, san_path_err_recovery_time, slow_path_factor, hedged_reads, "   \
	"path_timeout_ms, restart_wait_ms, fence, fence_time_ms, identity"

/* HARDWARE_ bits */
#define ALL_OPEN 255u

#define GROUPINGS "failover, multibus, group_by_prio, group_by_tpg or group_by_serial"

static char dir[] = "/tmp/test_config.XXXXXX";
static char conf[64], map_dir[64], last_good[64], hardware[64];
static struct config_paths paths = {.conf = conf, .map_dir = map_dir, .last_good = last_good};
static char error_text[2048];
static char logged[512];

static void log_line(enum log_level level, const char *map, const char *path, const char *text)
{
	(void)level;
	(void)map;
	(void)path;
	snprintf(logged, sizeof(logged), "%s", text);
}

static void write_file(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	assert(f);
	assert(fputs(text, f) >= 0);
	assert(!fclose(f));
}

static void write_map(const char *text)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/m.map", map_dir);
	write_file(file, text);
}

static void write_conf(const char *text)
{
	write_file(conf, text);
}

static void remove_map(void)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/m.map", map_dir);
	unlink(file);
}

static void forget(void)
{
	char command[256];

	/* The directory is the test's own, from mkdtemp(). */
	snprintf(command, sizeof(command), "rm -rf %s", last_good);
	assert(!system(command));
	remove_map();
	unlink(conf);
	logged[0] = '\0';
}

static int load(const char *cfgstring, const char *backstore, bool use_last_good,
		struct map_config **config)
{
	struct strbuf error;
	int err;

	strbuf_init(&error, error_text, sizeof(error_text));
	err = map_config_load(&paths, cfgstring, backstore, use_last_good, config, &error);
	assert(err ? !*config && error.len : *config != NULL);
	assert(!error.truncated);
	return err;
}

static struct map_config *accept(const char *cfgstring)
{
	struct map_config *config;

	if (load(cfgstring, "store", false, &config))
		fprintf(stderr, "%s refused: %s\n", cfgstring, error_text);
	assert(config);
	assert(!config->warning);
	return config;
}

/* A map file with these: @first is empty or a line, @keys the rest. */
static struct map_config *accept_keys(const char *first, const char *keys)
{
	char text[400];

	snprintf(text, sizeof(text), "[multipath]\n%s%s", first, keys);
	write_map(text);
	return accept("mpath/m");
}

/* "D/" at the start of an expected text, or behind a space, is the directory. */
static void expand(const char *text, char *out, size_t size)
{
	struct strbuf sb;

	strbuf_init(&sb, out, size);
	for (const char *c = text; *c; c++) {
		if (c[0] == 'D' && c[1] == '/' && (c == text || c[-1] == ' '))
			strbuf_printf(&sb, "%s", dir);
		else
			strbuf_printf(&sb, "%c", *c);
	}
}

static void expect_text(const char *got, const char *expected)
{
	char text[2048];

	expand(expected, text, sizeof(text));
	if (strcmp(got, text))
		fprintf(stderr, "got:      %s\nexpected: %s\n", got, text);
	assert(!strcmp(got, text));
}

static void refuse(const char *cfgstring, const char *expected)
{
	struct map_config *config;

	if (!load(cfgstring, "store", false, &config))
		fprintf(stderr, "%s\n  not refused: %s\n", cfgstring, expected);
	assert(!config);
	expect_text(error_text, expected);
}

static void refuse_map(const char *map, const char *expected)
{
	write_map(map);
	refuse("mpath/m", expected);
}

static void refuse_conf(const char *text, const char *expected)
{
	write_conf(text);
	write_map("[multipath]\npaths=/dev/a\n");
	refuse("mpath/m", expected);
	refuse("mpath//dev/a", expected);
	unlink(conf);
}

/* --- the cfgstring --- */

static void test_forms(void)
{
	struct map_config *config;

	config = accept("mpath//dev/sda");
	assert(!strcmp(config->name, "store") && config->table->nr_groups == 1);
	map_config_free(config);

	config = accept("mpath//dev/sda;/dev/disk/by-id/wwn-0x5000c500a1b2c3d4\n");
	assert(!strcmp(config->cfgstring, "mpath//dev/sda;/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"));
	assert(config->table->nr_groups == 2); /* failover: a group each */
	assert(!strcmp(config->table->groups[1].paths[0].address,
		       "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"));
	assert(config->settings.checker == path_checker_find("tur"));
	assert(!config->settings.wwid[0] && !config->table->queue_if_no_path);
	map_config_free(config);

	write_map("[multipath]\npaths = /dev/b ; /dev/a\n");
	config = accept("mpath/m\n");
	assert(!strcmp(config->name, "m"));
	assert(!strcmp(config->table->groups[0].paths[0].address, "/dev/b"));
	assert(!strcmp(config->table->groups[1].paths[0].address, "/dev/a"));
	map_config_free(config);
	remove_map();
}

/* check_config does not know the backstore's name. */
static void test_without_a_backstore(void)
{
	struct map_config *config;

	assert(!load("mpath//dev/sda", NULL, true, &config));
	assert(!config->name);
	map_config_free(config);
	assert(access(last_good, F_OK));
}

static void test_whole_strings_refused(void)
{
	char text[400];

	refuse("file/m", "cfgstring: \"file/m\" does not begin with \"mpath/\"");
	refuse("", "cfgstring: \"\" does not begin with \"mpath/\"");
	refuse("mpath/", "cfgstring: nothing behind \"mpath/\", expected the name of a map file, "
			 "wwid=WWID, or paths like /dev/sda;/dev/sdb");
	refuse("mpath/\n", "cfgstring: nothing behind \"mpath/\", expected the name of a map file, "
			   "wwid=WWID, or paths like /dev/sda;/dev/sdb");

	memset(text, 'x', sizeof(text));
	memcpy(text, "mpath//", 7);
	text[255] = '\0';
	map_config_free(accept(text));
	text[255] = 'x';
	text[256] = '\0';
	refuse(text,
	       "cfgstring: 256 bytes with \"mpath/\", at most 255 are possible: put the paths "
	       "into a map file and give its name");
	text[256] = 'x';
	text[399] = '\0';
	refuse(text,
	       "cfgstring: 399 bytes with \"mpath/\", at most 255 are possible: put the paths "
	       "into a map file and give its name");

	refuse("mpath/m;tcmur_cmd_time_out=5;",
	       "cfgstring: tcmur_cmd_time_out is not possible here: set the backstore's attribute "
	       "cmd_time_out");
	refuse("mpath//dev/a;tcmur_cmd_time_out=5",
	       "cfgstring: tcmur_cmd_time_out is not possible here: set the backstore's attribute "
	       "cmd_time_out");
	refuse("mpath/wwid=",
	       "cfgstring: wwid: \"\", expected a WWID as \"multipath -ll\" prints it, like "
	       "36001405b922ff67a");
	refuse("mpath/wwid=naa.6001405b922ff67a",
	       "cfgstring: wwid: \"naa.6001405b922ff67a\", expected a WWID as \"multipath -ll\" "
	       "prints it, like 36001405b922ff67a");
}

/* All that some layer above would swallow or cut at, silently. */
static void test_characters_refused(void)
{
	static const char forbidden[] = " \"'`:,{}|^";
	char text[64], expected[200];

	for (const char *c = forbidden; *c; c++) {
		snprintf(text, sizeof(text), "mpath//dev/a%cb", *c);
		snprintf(expected, sizeof(expected),
			 "cfgstring: '%c' at position 13 cannot be in a cfgstring: put the paths "
			 "into a map file and give its name",
			 *c);
		refuse(text, expected);
	}
	refuse("mpath/a\n\n", "cfgstring: byte 0Ah at position 8 cannot be in a cfgstring");
	refuse("mpath/\ta", "cfgstring: byte 09h at position 7 cannot be in a cfgstring");
	refuse("mpath/caf\xc3\xa9", "cfgstring: byte C3h at position 10 cannot be in a cfgstring");
	/* What udev makes of strange names can be written. */
	map_config_free(accept("mpath//dev/disk/by-id/scsi-1A\\x20B=C@D#E%F+G(1)"));
}

static void refuse_name(const char *name)
{
	char text[200], expected[400];

	snprintf(text, sizeof(text), "mpath/%s", name);
	snprintf(
		expected, sizeof(expected),
		"cfgstring: \"%s\" is no name of a map, expected 1 to 64 of the characters A-Z a-z "
		"0-9 . _ + - without a dot in front, or paths that begin with \"/\"",
		name);
	refuse(text, expected);
}

static void test_names(void)
{
	char name[66] = "";

	refuse_name(".hidden");
	refuse_name("..");
	refuse_name("a/b");
	refuse_name("../m");
	refuse_name("dev/sda;/dev/sdb");
	refuse_name("a=b");
	memset(name, 'n', 65);
	refuse_name(name);

	name[64] = '\0';
	assert(map_name_is_valid(name));
	assert(map_name_is_valid("A.z_0+9-"));
	assert(!map_name_is_valid(""));
}

static void test_path_lists_refused(void)
{
	refuse("mpath//dev/a;dev/b",
	       "cfgstring: path 2 is \"dev/b\", expected an absolute path name");
	refuse("mpath//dev/a;8-16;/dev/b",
	       "cfgstring: path 2 is \"8-16\", expected an absolute path name");
	refuse("mpath//dev/a;", "cfgstring: path 2 is \"\", expected an absolute path name");
	refuse("mpath//dev/a;/dev/b;/dev/a",
	       "cfgstring: path 3 is \"/dev/a\", as path 1 is: each path can be there once");
	refuse("mpath//dev/a;/dev/a",
	       "cfgstring: path 2 is \"/dev/a\", as path 1 is: each path can be there once");
}

static void test_backstores_names(void)
{
	struct map_config *config;

	assert(load("mpath//dev/a", "my disk", false, &config) == -EINVAL);
	expect_text(error_text,
		    "the backstore's name \"my disk\" cannot be the map's, expected 1 to "
		    "64 of the characters A-Z a-z 0-9 . _ + - without a dot in front");
	assert(load("mpath//dev/a", ".last-good", false, &config) == -EINVAL);
	expect_text(error_text,
		    "the backstore's name \".last-good\" cannot be the map's, expected 1 "
		    "to 64 of the characters A-Z a-z 0-9 . _ + - without a dot in front");
	/* With a map file it does not matter. */
	write_map("[multipath]\npaths=/dev/a\n");
	assert(!load("mpath/m", "my disk", false, &config));
	map_config_free(config);
	remove_map();
}

static void test_newlines(void)
{
	assert(cfgstring_equal("mpath/a", "mpath/a\n"));
	assert(cfgstring_equal("mpath/a\n", "mpath/a"));
	assert(!cfgstring_equal("mpath/a", "mpath/a\n\n"));
	assert(!cfgstring_equal("mpath/a", "mpath/b"));
	assert(!cfgstring_equal("mpath/a", "mpath/ab"));
	assert(cfgstring_equal("", "\n"));
}

/* --- maps by WWID --- */

static void expect_finding(const struct map_config *config, const char *wwid,
			   enum grouping grouping, const char *selector)
{
	assert(config->table->nr_groups == 0 && config->table->queue_if_no_path);
	assert(!strcmp(config->settings.wwid, wwid));
	assert(config->settings.policy.grouping == grouping);
	assert(config->find_selector && !strcmp(config->find_selector, selector));
	assert(config->settings.finds_paths);
}

/* A WWID alone, in the cfgstring or in a map file: a map that has no paths yet. */
static void test_wwid_alone(void)
{
	struct map_config *config;

	write_conf("[defaults]\nno_path_retry=queue\n");
	config = accept("mpath/wwid=36001405b922ff67a\n");
	expect_finding(config, "36001405b922ff67a", GROUPING_FAILOVER, "service-time");
	assert(!strcmp(config->name, "store"));
	map_config_free(config);

	write_map("[multipath]\nwwid=1LIO_one\ngrouping=group_by_prio\nselector=queue-length 0\n");
	config = accept("mpath/m");
	expect_finding(config, "1LIO_one", GROUPING_GROUP_BY_PRIO, "queue-length");
	assert(config->settings.policy.on);
	map_config_free(config);

	write_map("[multipath]\nwwid=36001405b922ff67a\npaths=/dev/a\n");
	config = accept("mpath/m");
	assert(!config->find_selector && !config->settings.finds_paths);
	assert(config->table->nr_groups == 1);
	assert(config->table->groups[0].selector == path_selector_find("service-time"));
	map_config_free(config);
	remove_map();
	write_conf("");
}

/* --- map files and mpath.conf --- */

static void test_all_keys(void)
{
	struct map_config *config;

	write_map("# comment\n[multipath]\n"
		  "paths=/dev/a;/dev/b;/dev/c\n"
		  "wwid=36001405b922ff67a\n"
		  "grouping=multibus  \n"
		  "selector = round-robin 0\n"
		  "pg_init_retries=50\n"
		  "pg_init_delay_msecs=0\n"
		  "no_path_retry=queue\n"
		  "path_checker=none\n"
		  "recheck_interval_ms=10\n"
		  "polling_interval_ms=3600000\n"
		  "checker_timeout_ms=100\n"
		  "path_timeout_ms=1000\n"
		  "restart_wait_ms=0\n"
		  "fence=lu_reset\n"
		  "fence_time_ms=1\n"
		  "identity=array\n");
	config = accept("mpath/m");
	assert(config->table->nr_groups == 1 && config->table->groups[0].nr_paths == 3);
	assert(config->table->groups[0].selector == path_selector_find("round-robin"));
	assert(config->table->queue_if_no_path);
	assert(config->table->pg_init_retries == 50 && config->table->pg_init_delay_msecs == 0);
	assert(!strcmp(config->settings.wwid, "36001405b922ff67a"));
	assert(!config->settings.checker);
	assert(config->settings.recheck_interval_ms == 10);
	assert(config->settings.polling_interval_ms == 3600000);
	assert(config->settings.checker_timeout_ms == 100);
	assert(config->settings.path_timeout_ms == 1000);
	assert(config->settings.restart_wait_ms == 0);
	assert(config->settings.fence == FENCE_LU_RESET);
	assert(config->settings.fence_time_ms == 1);
	assert(config->settings.identity == IDENTITY_ARRAY);
	map_config_free(config);

	write_map("[multipath]\npaths=/dev/a\nfence=none\n");
	config = accept("mpath/m");
	assert(config->settings.fence == FENCE_NONE && config->settings.fence_time_ms == 0);
	map_config_free(config);
	write_map("[multipath]\npaths=/dev/a\nfence=time\nfence_time_ms=0\nidentity=lio\n");
	config = accept("mpath/m");
	assert(config->settings.identity == IDENTITY_LIO);
	assert(config->settings.fence == FENCE_TIME && config->settings.fence_time_ms == 0);
	map_config_free(config);

	/* The writes of a dead process are waited for until the last has timed out. */
	write_map("[multipath]\npaths=/dev/a\npath_timeout_ms=60000\n");
	config = accept("mpath/m");
	assert(config->settings.restart_wait_ms == 90000);
	map_config_free(config);
	remove_map();
}

/* no_path_retry counts checks, as multipathd's; the keys in milliseconds say it themselves. */
static void test_patience(void)
{
	static const struct {
		const char *keys;
		bool queue;
		uint32_t read_ms;
		uint32_t write_ms;
	} rows[] = {
		{"", false, 0, 0},
		{"no_path_retry=0\n", false, 0, 0},
		{"no_path_retry=fail\n", false, 0, 0},
		{"no_path_retry=queue\n", true, 0, 0},
		{"no_path_retry=12\n", true, 60000, 60000},
		{"no_path_retry=1000\npolling_interval_ms=3600000\n", true, 3600000000, 3600000000},
		{"no_path_retry=queue\nno_path_timeout_read_ms=1500\n", true, 1500, 0},
		{"no_path_retry=3\nno_path_timeout_write_ms=70\n", true, 15000, 70},
	};

	write_conf("");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct map_config *config = accept_keys("paths=/dev/a\n", rows[i].keys);

		assert(config->table->queue_if_no_path == rows[i].queue);
		assert(config->settings.no_path_timeout_read_ms == rows[i].read_ms);
		assert(config->settings.no_path_timeout_write_ms == rows[i].write_ms);
		map_config_free(config);
	}
	remove_map();
}

/* As a table's features; lists of paths and maps by their WWID have them as keys. */
static void test_pg_init(void)
{
	static const struct {
		const char *keys;
		unsigned int retries;
		int delay_ms;
	} rows[] = {
		{"paths=/dev/a\n", 0, -1},
		{"paths=/dev/a\npg_init_retries=0\n", 0, -1},
		{"paths=/dev/a\npg_init_retries=1\npg_init_delay_msecs=60000\n", 1, 60000},
		{"wwid=3600\npg_init_retries=50\npg_init_delay_msecs=0\n", 50, 0},
		{"table=0 0 0 0\n", 0, -1},
		{"table=2 pg_init_retries 7 0 0 0\n", 7, -1},
	};
	struct map_config *config;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config = accept_keys("", rows[i].keys);
		assert(config->table->pg_init_retries == rows[i].retries);
		assert(config->table->pg_init_delay_msecs == rows[i].delay_ms);
		map_config_free(config);
	}

	/* mpath.conf's are for maps without a table, too. */
	write_conf("[defaults]\npg_init_retries=3\npg_init_delay_msecs=40\n");
	config = accept_keys("", "table=0 0 0 0\n");
	assert(config->table->pg_init_retries == 0 && config->table->pg_init_delay_msecs == -1);
	map_config_free(config);
	config = accept("mpath//dev/a;/dev/b");
	assert(config->table->pg_init_retries == 3 && config->table->pg_init_delay_msecs == 40);
	map_config_free(config);
	remove_map();
	unlink(conf);
}

/* mpath.conf, then the map's keys, then the table's own words. */
static void test_order(void)
{
	struct map_config *config;

	write_conf("[defaults]\nno_path_retry=queue\npath_timeout_ms=7000\ngrouping=multibus\n"
		   "selector=round-robin\nrecheck_interval_ms=500\n");
	write_map("[multipath]\npath_timeout_ms=8000\ntable=0 0 1 1 round-robin 0 1 1 8:16 1\n");
	config = accept("mpath/m");
	assert(config->settings.path_timeout_ms == 8000);
	assert(config->settings.recheck_interval_ms == 500);
	assert(config->table->queue_if_no_path); /* the table has no word against it */
	map_config_free(config);

	write_map("[multipath]\nno_path_retry=fail\n"
		  "table=1 queue_if_no_path 0 1 1 round-robin 0 1 1 /dev/a 1\n");
	config = accept("mpath/m");
	assert(config->table->queue_if_no_path); /* the table's word */
	map_config_free(config);

	write_map("[multipath]\nno_path_retry=fail\npaths=/dev/a;/dev/b\n");
	config = accept("mpath/m");
	assert(!config->table->queue_if_no_path);
	assert(config->table->nr_groups == 1); /* mpath.conf's grouping */
	map_config_free(config);

	config = accept("mpath//dev/a;/dev/b"); /* and for paths in the cfgstring */
	assert(config->table->queue_if_no_path && config->table->nr_groups == 1);
	map_config_free(config);
	remove_map();
	unlink(conf);
}

static struct mpath_policy policy_of(const char *keys)
{
	struct map_config *config = accept_keys("", keys);
	struct mpath_policy policy = config->settings.policy;

	assert(!policy.on || config->table->nr_groups == 2); /* as failover, to begin with */
	map_config_free(config);
	remove_map();
	return policy;
}

/* Groups are left alone unless somebody asks for it. */
static void test_policies(void)
{
	struct mpath_policy policy;

	assert(!policy_of("paths=/dev/a;/dev/b\n").on);
	assert(!policy_of("paths=/dev/a\ngrouping=multibus\n").on);

	policy = policy_of("paths=/dev/a;/dev/b\ngrouping=group_by_prio\n");
	assert(policy.on && policy.grouping == GROUPING_GROUP_BY_PRIO);
	assert(policy.prio == PRIO_DETECT && policy.failback == FAILBACK_MANUAL);

	policy = policy_of("paths=/dev/a;/dev/b\ngrouping=group_by_tpg\nprio=alua\nfailback=30\n");
	assert(policy.on && policy.grouping == GROUPING_GROUP_BY_TPG && policy.prio == PRIO_ALUA);
	assert(policy.failback == FAILBACK_DEFERRED && policy.failback_s == 30);

	policy = policy_of("paths=/dev/a;/dev/b\nprio=const\n");
	assert(policy.on && policy.grouping == GROUPING_FAILOVER && policy.prio == PRIO_CONST);
	policy = policy_of("paths=/dev/a;/dev/b\nfailback=followover\n");
	assert(policy.on && policy.failback == FAILBACK_FOLLOWOVER);
	assert(policy_of("paths=/dev/a;/dev/b\nfailback=immediate\n").failback ==
	       FAILBACK_IMMEDIATE);
	assert(policy_of("paths=/dev/a;/dev/b\nfailback=0\n").failback == FAILBACK_IMMEDIATE);
	assert(!policy_of("paths=/dev/a;/dev/b\nfailback=manual\nprio=detect\n").on);

	policy = policy_of("paths=/dev/a;/dev/b\nprio=path_latency\n");
	assert(policy.on && policy.prio == PRIO_PATH_LATENCY);
	assert(policy.latency_checks == 20 && policy.latency_base == 20);
	policy = policy_of("paths=/dev/a;/dev/b\ngrouping=group_by_serial\n"
			   "prio=path_latency\nprio_args=base_num=1.1 io_num=200\n");
	assert(policy.grouping == GROUPING_GROUP_BY_SERIAL);
	assert(policy.latency_checks == 200 && policy.latency_base == 11);
	policy = policy_of("paths=/dev/a;/dev/b\nprio=path_latency\nprio_args=base_num=10\n");
	assert(policy.latency_checks == 20 && policy.latency_base == 100);
	assert(!policy.exclusive_pref_bit);
	policy = policy_of("paths=/dev/a;/dev/b\nprio=alua\nprio_args=exclusive_pref_bit\n");
	assert(policy.exclusive_pref_bit && policy.latency_checks == 20);

	/* A table has its groups, and mpath.conf's ways to form them are not for it. */
	policy = policy_of("table=0 0 1 1 round-robin 0 1 1 /dev/a 1\nfailback=30\n");
	assert(!policy.on && policy.failback == FAILBACK_DEFERRED && policy.failback_s == 30);
	write_conf("[defaults]\nfailback=immediate\ngrouping=group_by_prio\n");
	policy = policy_of("table=0 0 1 1 round-robin 0 1 1 /dev/a 1\n");
	assert(!policy.on && policy.failback == FAILBACK_IMMEDIATE);
	assert(policy_of("paths=/dev/a;/dev/b\n").on);
	unlink(conf);
}

/* As in a table, or without the number of words; the array's own is found if nothing is said. */
static void test_hw_handlers(void)
{
	static const struct {
		const char *said;
		const char *name;
		int argc;
		bool find;
	} rows[] = {
		{"", NULL, 0, true},
		{"hw_handler=detect\n", NULL, 0, true},
		{"hw_handler=none\n", NULL, 0, false},
		{"hw_handler=0\n", NULL, 0, false},
		{"hw_handler=alua\n", "alua", 0, false},
		{"hw_handler=1 alua\n", "alua", 0, false},
		{"hw_handler=alua 1\n", "alua", 1, false},
		{"hw_handler=3 emc 0 1\n", "emc", 2, false},
		{"hw_handler=3  emc\t0  1\n", "emc", 2, false},
		{"hw_handler=alua\t1\n", "alua", 1, false},
	};
	struct map_config *config;

	for (size_t i = 0; i < NR(rows); i++) {
		config = accept_keys("paths=/dev/a\n", rows[i].said);
		assert(config->table->find_hw_handler == rows[i].find);
		assert(config->table->hw_argc == rows[i].argc);
		assert(config->table->hw_handler ==
		       (rows[i].name ? hw_handler_find(rows[i].name) : NULL));
		map_config_free(config);
	}
	write_map("[multipath]\nwwid=1LIO_one\nhw_handler=2 alua 1\n");
	config = accept("mpath/m");
	assert(config->table->hw_handler == hw_handler_find("alua") && config->table->hw_argc == 1);
	map_config_free(config);
	write_conf("[defaults]\nhw_handler=none\n"); /* is not for tables */
	write_map("[multipath]\ntable=0 1 alua 1 1 round-robin 0 1 1 /dev/a 1\n");
	map_config_free(accept("mpath/m"));
	unlink(conf);
	remove_map();
}

static void test_tables(void)
{
	struct map_config *config;

	write_map("[multipath]\n"
		  "table=mpatha: 0 131072 multipath 1 queue_if_no_path 0 2 1 round-robin 0 2 1 "
		  "8:16 1 "
		  "/dev/b 1 round-robin 0 1 1 /dev/disk/by-id/scsi-1A\\\\x20B 1\n");
	config = accept("mpath/m");
	assert(config->table->has_length && config->table->nr_sectors == 131072);
	assert(config->table->nr_groups == 2);
	assert(!strcmp(config->table->groups[1].paths[0].address, "/dev/disk/by-id/scsi-1A\\x20B"));
	map_config_free(config);
	remove_map();
}

static void test_files_refused(void)
{
	refuse("mpath/m", "D/maps/m.map: cannot be read: No such file or directory");
	refuse("mpath/other", "D/maps/other.map: cannot be read: No such file or directory");

	refuse_map("table=0 0 0 0\n",
		   "D/maps/m.map: a key stands before any section, expected [multipath] above it");
	refuse_map("paths=/dev/a\n[multipath]\n",
		   "D/maps/m.map: a key stands before any section, expected [multipath] above it");
	refuse_conf("prio=alua\n",
		    "D/mpath.conf: a key stands before any section, expected [defaults] above it");
	refuse_map("\xef\xbb\xbf[multipath]\npaths=/dev/a\n",
		   "D/maps/m.map: begins with a byte order mark (EF BB BF), expected plain text");
	refuse_map("[multipath]\nwhat is this\n",
		   "D/maps/m.map: Key file contains line “what is this” which is not a key-value "
		   "pair, group, or comment");
	refuse_map("[multipath]\nmultibus\n",
		   "D/maps/m.map: Key file contains line “multibus” which is not a key-value pair, "
		   "group, or comment");
	refuse_map("[multipath]\npaths=/dev/a\nprio=alua\n  paths = /dev/b\n",
		   "D/maps/m.map: [multipath]: paths: is there twice");
	refuse_conf("[defaults]\nprio=alua\n[defaults]\n",
		    "D/mpath.conf: [defaults]: is there twice");
	refuse_map("[multipath]\npaths=/dev/a\n[other]\n",
		   "D/maps/m.map: unknown group [other], expected [multipath]");
	refuse_map("[defaults]\n", "D/maps/m.map: unknown group [defaults], expected [multipath]");
	refuse_conf("[multipath]\n",
		    "D/mpath.conf: unknown group [multipath], expected [defaults]");
	remove_map();
}

static void test_odd_files_refused(void)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/m.map", map_dir);
	assert(!mkdir(file, 0700));
	refuse("mpath/m", "D/maps/m.map: cannot be read: Is a directory");
	rmdir(file);
	assert(!mkfifo(file, 0600));
	refuse("mpath/m", "D/maps/m.map: cannot be read: Invalid argument");
	unlink(file);

	f = fopen(file, "w");
	assert(f && fwrite("[multipath]\0paths=/dev/a\n", 25, 1, f) == 1 && !fclose(f));
	refuse("mpath/m", "D/maps/m.map: there is a NUL byte in the file");
	f = fopen(file, "w");
	assert(f && fwrite("\0", 1, 1, f) == 1 && !fclose(f));
	refuse("mpath/m", "D/maps/m.map: there is a NUL byte in the file");

	assert(!truncate(file, 2 * 1024 * 1024));
	refuse("mpath/m", "D/maps/m.map: cannot be read: File too large");
	unlink(file);
}

static void test_empty_files(void)
{
	write_map("");
	refuse("mpath/m", "D/maps/m.map: there is neither table= nor paths= nor wwid=");
	write_map("# nothing\n\n");
	refuse("mpath/m", "D/maps/m.map: there is neither table= nor paths= nor wwid=");
	write_map("[multipath]\nno_path_retry=queue\n");
	refuse("mpath/m", "D/maps/m.map: there is neither table= nor paths= nor wwid=");

	write_map("[multipath]\npaths=/dev/a\n");
	write_conf("");
	map_config_free(accept("mpath/m"));
	write_conf("# all is commented out\n");
	map_config_free(accept("mpath/m"));
	write_conf("[defaults]\n");
	map_config_free(accept("mpath/m"));
	unlink(conf);
	remove_map();
}

/* Each key of multipath.conf's: what it is called here, or that it has no effect. */
static void test_keys_of_multipath_conf(void)
{
	static const char *const rows[][2] = {
		{"path_grouping_policy", "is called grouping here"},
		{"path_selector", "is called selector here"},
		{"hardware_handler", "is called hw_handler here"},
		{"polling_interval", "is called polling_interval_ms here"},
		{"checker_timeout", "is called checker_timeout_ms here"},
		{"features",
		 "is not known here, use no_path_retry=queue, or a table with its features"},
		{"minio", "has no effect here: each command chooses its path"},
		{"rr_min_io", "has no effect here: each command chooses its path"},
		{"rr_min_io_rq", "has no effect here: each command chooses its path"},
		{"rr_weight", "has no effect here: each command chooses its path"},
		{"marginal_path_err_rate_threshold",
		 "is not supported, use san_path_err_threshold"},
		{"reservation_key", "is not supported: nothing is registered here"},
		{"fast_io_fail_tmo", "is not supported, set it at the remote port or session"},
		{"dev_loss_tmo", "is not supported, set it at the remote port"},
		{"max_sectors_kb", "is not supported, set it at the paths' queues"},
	};
	char text[128], why[256];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "[multipath]\npaths=/dev/a\n%s=1\n", rows[i][0]);
		snprintf(why, sizeof(why), "D/maps/m.map: %s: this key %s", rows[i][0], rows[i][1]);
		refuse_map(text, why);
		snprintf(text, sizeof(text), "[defaults]\n%s=1\n", rows[i][0]);
		snprintf(why, sizeof(why), "D/mpath.conf: %s: this key %s", rows[i][0], rows[i][1]);
		refuse_conf(text, why);
	}
}

static void test_keys_refused(void)
{
	refuse_map("[multipath]\npath=/dev/a\n",
		   "D/maps/m.map: path: unknown key, expected one of " KEYS);
	refuse_map("[multipath]\npaths=/dev/a\nPaths=/dev/b\n",
		   "D/maps/m.map: Paths: unknown key, expected one of " KEYS);
	refuse_conf("[defaults]\nuser_friendly_names=yes\n",
		    "D/mpath.conf: user_friendly_names: unknown key, expected one of " KEYS);
	assert(strlen(error_text) + 2 * 100 < LOG_TEXT_MAX); /* with longer names, too */

	refuse_map("[multipath]\npaths=/dev/a\nidentity=serial\n",
		   "D/maps/m.map: identity: \"serial\", expected lio or array");
	refuse_map("[multipath]\nidentity=array,lio\n",
		   "D/maps/m.map: identity: \"array,lio\", expected lio or array");
	refuse_conf("[defaults]\nidentity=array\n",
		    "D/mpath.conf: identity: this key belongs into a map file");
	refuse_conf("[defaults]\npaths=/dev/a\n",
		    "D/mpath.conf: paths: this key belongs into a map file");
	refuse_conf("[defaults]\ntable=0 0 0 0\n",
		    "D/mpath.conf: table: this key belongs into a map file");
	refuse_conf("[defaults]\nwwid=3600\n",
		    "D/mpath.conf: wwid: this key belongs into a map file");

	refuse_map("[multipath]\npaths=\n", "D/maps/m.map: paths: there is no value");
	refuse_map("[multipath]\ntable=  \n", "D/maps/m.map: table: there is no value");
	refuse_conf("[defaults]\ngrouping=\n", "D/mpath.conf: grouping: there is no value");
	remove_map();
}

static void test_combinations_refused(void)
{
	refuse_map("[multipath]\nwwid=/dev/sda\n",
		   "D/maps/m.map: wwid: \"/dev/sda\", expected a WWID as \"multipath -ll\" prints "
		   "it, like 36001405b922ff67a");
	/* As an array's own tools show it: no path would ever have that one. */
	refuse_map("[multipath]\nwwid=6001405b922ff67a\n",
		   "D/maps/m.map: wwid: \"6001405b922ff67a\", expected a WWID as \"multipath -ll\" "
		   "prints it, like 36001405b922ff67a");
	refuse_map("[multipath]\nwwid=36001405B922FF67A\npaths=/dev/a\n",
		   "D/maps/m.map: wwid: \"36001405B922FF67A\", expected a WWID as \"multipath "
		   "-ll\" prints it, like 36001405b922ff67a");
	refuse_map("[multipath]\nwwid=20025388B710116A1\n",
		   "D/maps/m.map: wwid: \"20025388B710116A1\", expected a WWID as \"multipath "
		   "-ll\" prints it, like 36001405b922ff67a");
	refuse_map("[multipath]\nwwid=naa.5000\n",
		   "D/maps/m.map: wwid: \"naa.5000\", expected a WWID as \"multipath -ll\" prints "
		   "it, like 36001405b922ff67a");
	refuse_map("[multipath]\ntable=0 0 0 0\npaths=/dev/a\n",
		   "D/maps/m.map: there are both table= and paths=, expected one of them");
	refuse_map("[multipath]\npaths=/dev/a\nwwid=3600\ntable=0 0 0 0\n",
		   "D/maps/m.map: there are both table= and paths=, expected one of them");
	refuse_map("[multipath]\ntable=0 0 0 0\ngrouping=multibus\n",
		   "D/maps/m.map: grouping: goes with paths= or wwid=, the table says this itself");
	refuse_map("[multipath]\ntable=0 0 0 0\nselector=round-robin 0\n",
		   "D/maps/m.map: selector: goes with paths= or wwid=, the table says this itself");
	remove_map();
}

static void refuse_prio_args(const char *value)
{
	char map[200], expected[300];

	snprintf(map, sizeof(map), "[multipath]\npaths=/dev/a\nprio_args=%s\n", value);
	snprintf(expected, sizeof(expected),
		 "D/maps/m.map: prio_args: \"%s\", expected io_num=20 to 200, base_num=1.1 to 10 "
		 "or exclusive_pref_bit",
		 value);
	refuse_map(map, expected);
}

static void test_values_refused(void)
{
	char map[WWID_MAX + 64];
	size_t start;

	refuse_map("[multipath]\npaths=/dev/a;sdb\n",
		   "D/maps/m.map: paths: path 2 is \"sdb\", expected an absolute path name");
	refuse_map("[multipath]\npaths=/dev/a;;/dev/b\n",
		   "D/maps/m.map: paths: path 2 is \"\", expected an absolute path name");
	refuse_map(
		"[multipath]\npaths=/dev/a; /dev/b ;/dev/b\n",
		"D/maps/m.map: paths: path 3 is \"/dev/b\", as path 2 is: each path can be there "
		"once");
	/* As targetcli's paths= has them, or a shell. */
	refuse_map(
		"[multipath]\npaths=/dev/a,/dev/b\n",
		"D/maps/m.map: paths: path 1 is \"/dev/a,/dev/b\", expected ; between two paths");
	refuse_map("[multipath]\npaths=/dev/a;/dev/b \t/dev/c\n",
		   "D/maps/m.map: paths: path 2 is \"/dev/b \\x09/dev/c\", expected ; between two "
		   "paths");
	/* It would be waited for, in vain. */
	refuse_map("[multipath]\npaths=/dev/a;/dev/b  # the other one\n",
		   "D/maps/m.map: paths: path 2 is \"/dev/b  # the other one\", expected a comment "
		   "on a line of its own");
	write_map("[multipath]\npaths=/dev/disk/by-id/a,b c#d\n");
	map_config_free(accept("mpath/m"));

	refuse_map("[multipath]\npaths=/dev/a\ngrouping=all\n",
		   "D/maps/m.map: grouping: \"all\", expected " GROUPINGS);
	refuse_map("[multipath]\npaths=/dev/a\ngrouping=group_by_node_name\n",
		   "D/maps/m.map: grouping: \"group_by_node_name\", expected " GROUPINGS);
	refuse_conf("[defaults]\ngrouping=Failover\n",
		    "D/mpath.conf: grouping: \"Failover\", expected " GROUPINGS);
	refuse_map("[multipath]\npaths=/dev/a\nprio=rdac\n",
		   "D/maps/m.map: prio: \"rdac\", expected detect, alua, const or path_latency");
	refuse_conf("[defaults]\nprio=Alua\n",
		    "D/mpath.conf: prio: \"Alua\", expected detect, alua, const or path_latency");
	refuse_prio_args("io_num=19 base_num=2");
	refuse_prio_args("io_num=201");
	refuse_prio_args("base_num=");
	refuse_prio_args("base_num=1");
	refuse_prio_args("base_num=1.0");
	refuse_prio_args("base_num=10.1");
	refuse_prio_args("base_num=1.25");
	refuse_prio_args("base_num=1.");
	refuse_prio_args("base_num=.5");
	refuse_prio_args("io_num");
	refuse_prio_args("exclusive_pref_bit=1");
	refuse_prio_args("exclusive_pref");
	refuse_map(
		"[multipath]\ntable=0 0 0 0\nprio_args=io_num=20\n",
		"D/maps/m.map: prio_args: goes with paths= or wwid=, the table says this itself");
	refuse_map("[multipath]\ntable=0 0 0 0\nprio=alua\n",
		   "D/maps/m.map: prio: goes with paths= or wwid=, the table says this itself");
	refuse_map("[multipath]\npaths=/dev/a\npg_init_retries=51\n",
		   "D/maps/m.map: pg_init_retries: \"51\", expected a number from 0 to 50");
	refuse_conf("[defaults]\npg_init_retries=-1\n",
		    "D/mpath.conf: pg_init_retries: \"-1\", expected a number from 0 to 50");
	refuse_map("[multipath]\npaths=/dev/a\npg_init_delay_msecs=60001\n",
		   "D/maps/m.map: pg_init_delay_msecs: \"60001\", expected a number of "
		   "milliseconds from 0 to 60000");
	refuse_map("[multipath]\ntable=0 0 0 0\npg_init_retries=1\n",
		   "D/maps/m.map: pg_init_retries: goes with paths= or wwid=, the table says this "
		   "itself");
	refuse_map("[multipath]\ntable=0 0 0 0\npg_init_delay_msecs=1\n",
		   "D/maps/m.map: pg_init_delay_msecs: goes with paths= or wwid=, the table says "
		   "this itself");
	refuse_map("[multipath]\npaths=/dev/a\nhw_handler=no-such\n",
		   "D/maps/m.map: hw_handler: \"no-such\", expected detect, none or one of: alua, "
		   "emc, rdac, hp_sw");
	refuse_conf(
		"[defaults]\nhw_handler=1 no-such\n",
		"D/mpath.conf: hw_handler: \"1 no-such\", expected detect, none or one of: alua, "
		"emc, rdac, hp_sw");
	refuse_map("[multipath]\npaths=/dev/a\nhw_handler=2 alua\n",
		   "D/maps/m.map: hw_handler: \"2 alua\", expected 1 as the number of the words "
		   "behind it");
	refuse_conf("[defaults]\nhw_handler=0 alua\n",
		    "D/mpath.conf: hw_handler: \"0 alua\", expected 1 as the number of the words "
		    "behind it");
	refuse_map("[multipath]\npaths=/dev/a\nhw_handler=3  alua\t1\n",
		   "D/maps/m.map: hw_handler: \"3  alua\\x091\", expected 2 as the number of the "
		   "words "
		   "behind it");
	refuse_map("[multipath]\npaths=/dev/a\nhw_handler=rdac 1\n",
		   "D/maps/m.map: hw_handler: \"rdac 1\", expected no word behind its name");
	refuse_map("[multipath]\npaths=/dev/a\nhw_handler=2 hp_sw x\n",
		   "D/maps/m.map: hw_handler: \"2 hp_sw x\", expected no word behind its name");
	refuse_map("[multipath]\npaths=/dev/a\nhw_handler=alua 2\n",
		   "D/maps/m.map: hw_handler: \"alua 2\", expected one word, 0 or 1 "
		   "(optimize)");
	refuse_map(
		"[multipath]\ntable=0 0 0 0\nhw_handler=alua\n",
		"D/maps/m.map: hw_handler: goes with paths= or wwid=, the table says this itself");
	refuse_map("[multipath]\npaths=/dev/a\nfailback=soon\n",
		   "D/maps/m.map: failback: \"soon\", expected manual, immediate, followover or a "
		   "number of seconds up to 86400");
	refuse_map("[multipath]\npaths=/dev/a\nfailback=86401\n",
		   "D/maps/m.map: failback: \"86401\", expected manual, immediate, followover or a "
		   "number of seconds up to 86400");

	refuse_map("[multipath]\npaths=/dev/a\nno_path_retry=yes\n",
		   "D/maps/m.map: no_path_retry: \"yes\", expected fail, queue or a number up to "
		   "1000");
	refuse_conf("[defaults]\nno_path_retry=1001\n",
		    "D/mpath.conf: no_path_retry: \"1001\", expected fail, queue or a number up to "
		    "1000");
	refuse_conf("[defaults]\nno_path_timeout_read_ms=1s\n",
		    "D/mpath.conf: no_path_timeout_read_ms: \"1s\", expected a number of "
		    "milliseconds from 0 to 3600000");

	refuse_map("[multipath]\npaths=/dev/a\npath_checker=cciss_tur\n",
		   "D/maps/m.map: path_checker: \"cciss_tur\", expected none or one of: tur, "
		   "directio, rdac, emc_clariion, hp_sw");
	refuse_map("[multipath]\npaths=/dev/a\nfence=abort\n",
		   "D/maps/m.map: fence: \"abort\", expected time, session, lu_reset or none");
	refuse_conf("[defaults]\nfence=None\n",
		    "D/mpath.conf: fence: \"None\", expected time, session, lu_reset or none");
	refuse_conf("[defaults]\npath_checker=TUR\n",
		    "D/mpath.conf: path_checker: \"TUR\", expected none or one of: tur, directio, "
		    "rdac, "
		    "emc_clariion, hp_sw");

	refuse_map("[multipath]\npaths=/dev/a\nselector=least-pending 0\n",
		   "D/maps/m.map: selector: unknown path selector type: \"least-pending\", this "
		   "version has: round-robin, queue-length, service-time, "
		   "historical-service-time, io-affinity");
	refuse_map("[multipath]\npaths=/dev/a\nselector=io-affinity 0\n",
		   "D/maps/m.map: selector: path selector type \"io-affinity\" needs an argument "
		   "for each path, expected a table");
	refuse_conf("[defaults]\nselector=round-robin 1 2\n",
		    "D/mpath.conf: selector: unknown path selector type: \"round-robin 1 2\", this "
		    "version has: round-robin, queue-length, service-time, "
		    "historical-service-time, io-affinity");

	refuse_map("[multipath]\nwwid=\"3600\"\npaths=/dev/a\n",
		   "D/maps/m.map: wwid: \"\\\"3600\\\"\", expected a WWID as \"multipath -ll\" "
		   "prints it, like 36001405b922ff67a");
	start = (size_t)snprintf(map, sizeof(map), "[multipath]\npaths=/dev/a\nwwid=1");
	memset(map + start, 'w', WWID_MAX);
	map[start + WWID_MAX] = '\0';
	refuse_map(map,
		   "D/maps/m.map: wwid: \"1wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
		   "wwwwwwwwww...\", expected a WWID as \"multipath -ll\" prints it, like "
		   "36001405b922ff67a");
	map[start + WWID_MAX - 2] = '\0';
	write_map(map);
	map_config_free(accept("mpath/m"));
	remove_map();
}

/* All three or none, also when mpath.conf says one of them. */
static void test_flaky(void)
{
	struct map_config *config;

	config = accept("mpath//dev/a");
	assert(!config->settings.flaky.threshold);
	map_config_free(config);
	write_conf("[defaults]\nsan_path_err_threshold=8\nsan_path_err_forget_rate=1000\n"
		   "san_path_err_recovery_time=86400\n");
	config = accept("mpath//dev/a");
	assert(config->settings.flaky.threshold == 8);
	assert(config->settings.flaky.forget_rate == 1000);
	assert(config->settings.flaky.recovery_s == 86400);
	map_config_free(config);

	refuse_map("[multipath]\npaths=/dev/a\nsan_path_err_forget_rate=no\n",
		   "D/mpath.conf: san_path_err_recovery_time: expected a number for "
		   "san_path_err_forget_rate, too");
	write_map("[multipath]\npaths=/dev/a\nsan_path_err_threshold=no\n"
		  "san_path_err_forget_rate=0\nsan_path_err_recovery_time=no\n");
	config = accept("mpath/m");
	assert(!config->settings.flaky.threshold && !config->settings.flaky.recovery_s);
	map_config_free(config);
	unlink(conf);

	refuse_map("[multipath]\ntable=0 0 0 0\nsan_path_err_threshold=2\n",
		   "D/maps/m.map: san_path_err_threshold: expected a number for "
		   "san_path_err_recovery_time, too");
	refuse_map("[multipath]\npaths=/dev/a\nsan_path_err_threshold=1001\n",
		   "D/maps/m.map: san_path_err_threshold: \"1001\", expected no or a number up to "
		   "1000");
	refuse_map("[multipath]\npaths=/dev/a\nsan_path_err_forget_rate=yes\n",
		   "D/maps/m.map: san_path_err_forget_rate: \"yes\", expected no or a number up to "
		   "100000");
	refuse_conf(
		"[defaults]\nsan_path_err_recovery_time=86401\n",
		"D/mpath.conf: san_path_err_recovery_time: \"86401\", expected no or a number up "
		"to 86400");
	remove_map();
}

static void test_slow_path_factor(void)
{
	struct map_config *config;

	config = accept("mpath//dev/a");
	assert(!config->settings.slow_path_factor);
	map_config_free(config);
	write_conf("[defaults]\nslow_path_factor=100\n");
	config = accept("mpath//dev/a");
	assert(config->settings.slow_path_factor == 100);
	map_config_free(config);
	write_map("[multipath]\npaths=/dev/a\nslow_path_factor=no\n");
	config = accept("mpath/m");
	assert(!config->settings.slow_path_factor);
	map_config_free(config);
	unlink(conf);

	refuse_map("[multipath]\npaths=/dev/a\nslow_path_factor=1\n",
		   "D/maps/m.map: slow_path_factor: \"1\", expected no or a number from 2 to 100");
	refuse_map("[multipath]\npaths=/dev/a\nslow_path_factor=101\n",
		   "D/maps/m.map: slow_path_factor: \"101\", expected no or a number from 2 to "
		   "100");
	refuse_map("[multipath]\npaths=/dev/a\nslow_path_factor=2.5\n",
		   "D/maps/m.map: slow_path_factor: \"2.5\", expected no or a number from 2 to "
		   "100");
	remove_map();
}

static void test_hedged_reads(void)
{
	struct map_config *config;

	config = accept("mpath//dev/a");
	assert(!config->settings.hedged_reads);
	map_config_free(config);
	write_conf("[defaults]\nhedged_reads=5\n");
	config = accept("mpath//dev/a");
	assert(config->settings.hedged_reads == 5);
	map_config_free(config);
	write_map("[multipath]\npaths=/dev/a\nhedged_reads=no\n");
	config = accept("mpath/m");
	assert(!config->settings.hedged_reads);
	map_config_free(config);
	unlink(conf);

	refuse_map("[multipath]\npaths=/dev/a\nhedged_reads=0\n",
		   "D/maps/m.map: hedged_reads: \"0\", expected no or a number from 1 to 5");
	refuse_map("[multipath]\npaths=/dev/a\nhedged_reads=6\n",
		   "D/maps/m.map: hedged_reads: \"6\", expected no or a number from 1 to 5");
	refuse_map("[multipath]\npaths=/dev/a\nhedged_reads=on\n",
		   "D/maps/m.map: hedged_reads: \"on\", expected no or a number from 1 to 5");
	remove_map();
}

struct ms_case {
	const char *key;
	const char *low; /* refused; NULL: there is nothing below */
	const char *range;
};

static const struct ms_case ms_cases[] = {
	{"recheck_interval_ms", "9", "10 to 3600000"},
	{"polling_interval_ms", "99", "100 to 3600000"},
	{"checker_timeout_ms", "99", "100 to 3600000"},
	{"path_timeout_ms", "999", "1000 to 3600000"},
	{"restart_wait_ms", NULL, "0 to 3600000"},
	{"fence_time_ms", NULL, "0 to 3600000"},
};

static void refuse_ms(const struct ms_case *c, const char *value)
{
	char map[200], expected[300];

	snprintf(map, sizeof(map), "[multipath]\npaths=/dev/a\n%s=%s\n", c->key, value);
	snprintf(expected, sizeof(expected),
		 "D/maps/m.map: %s: \"%s\", expected a number of milliseconds from %s", c->key,
		 value, c->range);
	refuse_map(map, expected);
}

static void test_times_refused(void)
{
	static const char *const values[] = {
		"3600001", "-1", "1s", "0x10", "1e3", "4294968296", "18446744073709552616", "abc"};

	for (size_t i = 0; i < NR(ms_cases); i++) {
		if (ms_cases[i].low)
			refuse_ms(&ms_cases[i], ms_cases[i].low);
		for (size_t k = 0; k < NR(values); k++)
			refuse_ms(&ms_cases[i], values[k]);
	}
	remove_map();
}

/* What was expected must not be cut off where the error goes: 1 KiB, or 320 bytes of an event. */
static void test_long_values_refused(void)
{
	static const char *const keys[] = {"prio",
					   "fence",
					   "grouping",
					   "failback",
					   "prio_args",
					   "no_path_retry",
					   "path_checker",
					   "recheck_interval_ms",
					   "pg_init_retries",
					   "san_path_err_threshold",
					   "slow_path_factor",
					   "hw_handler",
					   "wwid"};
	char value[3000], text[3100], expected[200];
	struct map_config *config;

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(text, sizeof(text), "[multipath]\npaths=/dev/a\n%s=%s\n", keys[i], value);
		write_map(text);
		assert(load("mpath/m", "store", false, &config));
		snprintf(expected, sizeof(expected), "m.map: %s: \"%.64s...\", expected ", keys[i],
			 value);
		assert(strstr(error_text, expected) && strlen(error_text) < 320);
	}
	snprintf(text, sizeof(text), "[multipath]\npaths=/dev/a;%s\n", value);
	snprintf(expected, sizeof(expected),
		 "D/maps/m.map: paths: path 2 is \"%.64s...\", expected an absolute path name",
		 value);
	refuse_map(text, expected);
}

/* Not each is compared with all others first: 1 MiB of them took a minute. */
static void test_too_many_paths(void)
{
	GString *map = g_string_new("[multipath]\npaths=/dev/0");

	for (unsigned int i = 1; i < 1025; i++)
		g_string_append_printf(map, ";/dev/%u", i % 1024);
	refuse_map(map->str, "D/maps/m.map: paths: there are 1025, expected at most 1024");
	g_string_free(map, TRUE);
}

/* The table's own errors come with file and key in front. */
static void test_tables_refused(void)
{
	refuse_map(
		"[multipath]\ntable=9 0 0 0\n",
		"D/maps/m.map: table: invalid number of feature args: word 1 is \"9\", expected a "
		"number from 0 to 8");
	refuse_map(
		"[multipath]\ntable=0 0 1 1 round-robin 0 0 1\n",
		"D/maps/m.map: table: invalid number of paths: word 7 is \"0\", expected a number "
		"from 1 to 1024");
	remove_map();
}

/* --- the last good copy --- */

static void expect_last_good(const char *file, const char *expected)
{
	char name[128], text[1024] = "";
	struct stat st;
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s", last_good, file);
	f = fopen(name, "r");
	assert(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	expect_text(strstr(text, "[multipath]"), expected);
	assert(!stat(name, &st) && (st.st_mode & 0777) == 0600);
}

static struct map_config *load_in_service(const char *cfgstring)
{
	struct map_config *config;

	if (load(cfgstring, "store", true, &config))
		fprintf(stderr, "%s\n", error_text);
	assert(config);
	return config;
}

/* A typo, made while the map is in service, does not take the LUN away at the next restart. */
static void test_last_good_copy(void)
{
	struct map_config *config;

	forget();
	write_conf("[defaults]\npath_timeout_ms=7000\n");
	write_map("[multipath]\npaths=/dev/a;/dev/b\nno_path_retry=queue\n");
	map_config_free(load_in_service("mpath/m"));
	expect_last_good("m.map", "[multipath]\npaths=/dev/a;/dev/b\nno_path_retry=queue\n"
				  "path_timeout_ms=7000\n");

	write_map("[multipath]\npaths=/dev/a;dev/b\n");
	config = load_in_service("mpath/m");
	expect_text(config->warning, "the last good configuration is used, because: D/maps/m.map: "
				     "paths: path 2 is \"dev/b\", expected an absolute path name");
	assert(config->table->nr_groups == 2 && config->table->queue_if_no_path);
	assert(config->settings.path_timeout_ms == 7000);
	map_config_free(config);

	remove_map();
	unlink(conf);
	config = load_in_service("mpath/m");
	expect_text(config->warning, "the last good configuration is used, because: D/maps/m.map: "
				     "cannot be read: No such file or directory");
	assert(config->settings.path_timeout_ms == 7000);
	map_config_free(config);

	write_map("[multipath]\npaths=/dev/c\n"); /* right again: replaces the copy */
	config = load_in_service("mpath/m");
	assert(!config->warning);
	map_config_free(config);
	expect_last_good("m.map", "[multipath]\npaths=/dev/c\n");
	assert(!logged[0]);
}

/* mpath.conf goes for maps without a file, too; and names of the two kinds are different things. */
static void test_last_good_copy_of_paths(void)
{
	struct map_config *config;

	forget();
	write_conf("[defaults]\nno_path_retry=queue\n");
	map_config_free(load_in_service("mpath//dev/a;/dev/b"));
	expect_last_good("store.paths", "[multipath]\nno_path_retry=queue\n");

	write_conf("[defaults]\nno_path_retry=maybe\n");
	config = load_in_service("mpath//dev/a;/dev/b");
	expect_text(config->warning,
		    "the last good configuration is used, because: D/mpath.conf: "
		    "no_path_retry: \"maybe\", expected fail, queue or a number up to 1000");
	assert(config->table->nr_groups == 2 && config->table->queue_if_no_path);
	map_config_free(config);

	assert(load("mpath/store", "x", true, &config) == -ENOENT);
	expect_text(error_text, "D/mpath.conf: no_path_retry: \"maybe\", expected fail, queue or a "
				"number up to 1000");
	forget();
}

static void test_no_use_for_the_copy(void)
{
	struct map_config *config;
	char file[128];

	forget();
	write_map("[multipath]\npaths=/dev/a\n");
	map_config_free(load_in_service("mpath/m"));
	write_map("[multipath]\npaths=a\n");

	/* A new backstore must be right. */
	assert(load("mpath/m", NULL, false, &config) == -EINVAL);
	expect_text(error_text,
		    "D/maps/m.map: paths: path 1 is \"a\", expected an absolute path name");

	/* A copy from a later version, or damaged. */
	snprintf(file, sizeof(file), "%s/m.map", last_good);
	write_file(file, "[multipath]\npaths=/dev/a\nfeatures=0\n");
	assert(load("mpath/m", "store", true, &config) == -EINVAL);
	expect_text(
		error_text,
		"D/maps/m.map: paths: path 1 is \"a\", expected an absolute path name; and the "
		"last good copy is of no use: D/last/m.map: features: this key is not known here, "
		"use no_path_retry=queue, or a table with its features");
	write_file(file, "");
	assert(load("mpath/m", "store", true, &config) == -EINVAL);
	expect_text(error_text,
		    "D/maps/m.map: paths: path 1 is \"a\", expected an absolute path name; and the "
		    "last good copy is of no use: D/last/m.map: there is neither table= nor paths= "
		    "nor wwid=");
	/* A cfgstring that is wrong has no copy. */
	assert(load("mpath/", "store", true, &config) == -EINVAL);
	forget();
}

/* GLib's words, with the name of a temporary file between file and reason. */
static void expect_not_kept(const char *file, const char *reason)
{
	assert(g_str_has_prefix(logged, "the last good copy is not kept: "));
	assert(strstr(logged, file) && g_str_has_suffix(logged, reason));
}

/* The map works without its copy, and the administrator hears of it. */
static void test_copy_cannot_be_written(void)
{
	struct config_paths real = paths;

	forget();
	write_map("[multipath]\npaths=/dev/a\n");
	paths.last_good = "/proc/nowhere";
	map_config_free(load_in_service("mpath/m"));
	mpath_log_flush(2000);
	expect_not_kept("/proc/nowhere/m.map", ": No such file or directory");
	paths.last_good = "/dev/null";
	map_config_free(load_in_service("mpath/m"));
	mpath_log_flush(2000);
	expect_not_kept("/dev/null/m.map", ": Not a directory");
	paths = real;
	forget();
}

/* --- the hardware table --- */

/* In the place of mpath-hardware.conf; the map says nothing but its paths. */
static struct map_config *load_hardware(const char *text, bool in_service)
{
	struct map_config *config = NULL;

	paths.hardware = hardware;
	write_file(hardware, text);
	write_map("[multipath]\npaths=/dev/a;/dev/b\n");
	load("mpath/m", "store", in_service, &config);
	paths.hardware = NULL;
	return config;
}

static void refuse_hardware(const char *text, const char *expected)
{
	assert(!load_hardware(text, false));
	expect_text(error_text, expected);
}

static const struct hardware_rule *rule_with(const struct map_config *config, const char *vendor,
					     const char *product, uint8_t tpgs)
{
	uint8_t inquiry[36] = {[5] = (uint8_t)(tpgs << 4)};

	memset(inquiry + 8, ' ', 28);
	memcpy(inquiry + 8, vendor, strlen(vendor));
	memcpy(inquiry + 16, product, strlen(product));
	return hardware_find(config->settings.hardware, inquiry, sizeof(inquiry));
}

static const struct hardware_rule *rule_for(const struct map_config *config, const char *vendor,
					    const char *product)
{
	return rule_with(config, vendor, product, 0);
}

static void test_hardware(void)
{
	const struct hardware_rule *rule;
	struct map_config *config;

	config = load_hardware("# nothing\n", false);
	assert(config->settings.hardware->nr_rules == 0);
	map_config_free(config);
	config = load_hardware("", false);
	assert(config->settings.hardware->nr_rules == 0);
	map_config_free(config);

	config = load_hardware("[all of it]\nvendor=ACME\nproduct=DISK*\nhw_handler=rdac\n"
			       "path_checker=rdac\nprio=const\ngrouping=multibus\n"
			       "failback=7\npg_init_retries=5\npg_init_delay_msecs=300\n"
			       "no_path_retry=12\n"
			       "[alua]\nvendor=ACME\ntpgs=yes\nhw_handler=1 alua\n"
			       "[little]\nvendor=ACME\ntpgs=no\nhw_handler=none\n"
			       "path_checker=none\nno_path_retry=queue\n"
			       "[nothing]\nvendor=*\nhw_handler=detect\n",
			       false);
	assert(config->settings.hardware->nr_rules == 4);
	rule = rule_for(config, "ACME", "DISKS");
	assert(!strcmp(rule->name, "all of it") && rule->says == ALL_OPEN && !rule->wants_tpgs);
	assert(rule->hw_handler == hw_handler_find("rdac"));
	assert(rule->checker == path_checker_find("rdac"));
	assert(rule->policy.prio == PRIO_CONST && rule->policy.grouping == GROUPING_MULTIBUS);
	assert(rule->policy.failback == FAILBACK_DEFERRED && rule->policy.failback_s == 7);
	assert(rule->pg_init_retries == 5 && rule->pg_init_delay_msecs == 300);
	assert(rule->queue_if_no_path && rule->no_path_retries == 12);

	rule = &config->settings.hardware->rules[1];
	assert(rule->wants_tpgs && rule->hw_handler == hw_handler_find("alua"));
	rule = rule_for(config, "ACME", "X");
	assert(!strcmp(rule->name, "little"));
	assert(rule->says == (HARDWARE_HW_HANDLER | HARDWARE_CHECKER | HARDWARE_NO_PATH_RETRY));
	assert(!rule->hw_handler && !rule->checker);
	assert(rule->queue_if_no_path && !rule->no_path_retries);
	rule = rule_for(config, "OTHER", "");
	assert(!strcmp(rule->name, "nothing") && !rule->says);
	map_config_free(config);
	remove_map();
	unlink(hardware);
}

static unsigned int open_in(const char *keys)
{
	struct map_config *config = accept_keys("", keys);
	unsigned int open = config->settings.left_open;

	map_config_free(config);
	remove_map();
	return open;
}

/* What a map says, or mpath.conf says for it, is not for the hardware table. */
static void test_what_is_left_open(void)
{
	assert(open_in("paths=/dev/a\n") == ALL_OPEN);
	assert(open_in("wwid=3600\n") == ALL_OPEN);
	assert(open_in("paths=/dev/a\nhw_handler=detect\n") == ALL_OPEN);
	assert(open_in("paths=/dev/a\nhw_handler=none\n") == ALL_OPEN - HARDWARE_HW_HANDLER);
	assert(open_in("paths=/dev/a\npath_checker=tur\n") == ALL_OPEN - HARDWARE_CHECKER);
	assert(open_in("paths=/dev/a\nprio=detect\n") == ALL_OPEN - HARDWARE_PRIO);
	assert(open_in("paths=/dev/a\ngrouping=failover\n") == ALL_OPEN - HARDWARE_GROUPING);
	assert(open_in("paths=/dev/a\nfailback=manual\n") == ALL_OPEN - HARDWARE_FAILBACK);
	assert(open_in("paths=/dev/a\nno_path_retry=fail\n") == ALL_OPEN - HARDWARE_NO_PATH_RETRY);
	assert(open_in("paths=/dev/a\nno_path_timeout_read_ms=1\n") ==
	       ALL_OPEN - HARDWARE_NO_PATH_RETRY);
	assert(open_in("paths=/dev/a\nno_path_timeout_write_ms=1\n") ==
	       ALL_OPEN - HARDWARE_NO_PATH_RETRY);
	assert(open_in("paths=/dev/a\npg_init_retries=0\n") == ALL_OPEN - HARDWARE_PG_INIT_RETRIES);
	assert(open_in("wwid=3600\npg_init_delay_msecs=2000\n") ==
	       ALL_OPEN - HARDWARE_PG_INIT_DELAY);
	assert(open_in("table=0 0 0 0\n") == HARDWARE_CHECKER);
	assert(open_in("table=0 0 0 0\npath_checker=tur\n") == 0);
	write_conf("[defaults]\nfailback=manual\n");
	assert(open_in("paths=/dev/a\n") == ALL_OPEN - HARDWARE_FAILBACK);
	unlink(conf);
}

static void test_hardware_refused(void)
{
	refuse_hardware(
		"vendor=ACME\n",
		"D/hardware.conf: a key stands before any section, expected [NAME] above it");
	refuse_hardware("[a]\nACME\n",
			"D/hardware.conf: Key file contains line “ACME” which is not "
			"a key-value pair, group, or comment");
	refuse_hardware("[a]\nproduct=*\n", "D/hardware.conf: [a]: there is no vendor=");
	refuse_hardware("[a]\nvendor=X\n[b]\n", "D/hardware.conf: [b]: there is no vendor=");
	refuse_hardware("[a]\nvendor=X\n[b]\nvendor=Y\n [a] \nvendor=Z\n",
			"D/hardware.conf: [a]: is there twice");
	refuse_hardware("[a]\nvendor=X\n# vendor=Y\nvendor = Z\n",
			"D/hardware.conf: [a]: vendor: is there twice");
	refuse_hardware("[a]\nvendor=X\nprio[de]=alua\n",
			"D/hardware.conf: [a]: prio[de]: unknown key, expected one of vendor, "
			"product, tpgs, hw_handler, path_checker, prio, grouping, failback, "
			"pg_init_retries, pg_init_delay_msecs, no_path_retry");
	refuse_hardware("[a]\nvendor=X\nrevision=1\n",
			"D/hardware.conf: [a]: revision: unknown key, expected one of vendor, "
			"product, tpgs, hw_handler, path_checker, prio, grouping, failback, "
			"pg_init_retries, pg_init_delay_msecs, no_path_retry");
	refuse_hardware("[a]\nvendor=X\nselector=round-robin 0\n",
			"D/hardware.conf: [a]: selector: unknown key, expected one of vendor, "
			"product, tpgs, hw_handler, path_checker, prio, grouping, failback, "
			"pg_init_retries, pg_init_delay_msecs, no_path_retry");
	/* Not "any": that fits an array without a name only. */
	refuse_hardware("[a]\nvendor=X\nproduct=\n",
			"D/hardware.conf: [a]: product: there is no value");
	/* As multipath.conf has it: no array's word would ever fit. */
	refuse_hardware(
		"[a]\nvendor=\"NETAPP\"\nproduct=INF*\n",
		"D/hardware.conf: [a]: vendor: \"\\\"NETAPP\\\"\", expected a pattern as the "
		"shell has them, without quotes");
	refuse_hardware("[a]\nvendor=X\nproduct='DISK'\n",
			"D/hardware.conf: [a]: product: \"'DISK'\", expected a pattern as the "
			"shell has them, without quotes");
	refuse_hardware("[a]\nvendor=X\nproduct=^DISK\n",
			"D/hardware.conf: [a]: product: \"^DISK\", expected a pattern as the shell "
			"has them, not a regular expression");
	refuse_hardware(
		"[a]\nvendor=X\nproduct=.*\n",
		"D/hardware.conf: [a]: product: \".*\", expected a pattern as the shell has "
		"them, not a regular expression");
	refuse_hardware("[a]\nvendor=X\nproduct=(DISK|TAPE)\n",
			"D/hardware.conf: [a]: product: \"(DISK|TAPE)\", expected a pattern as the "
			"shell has them, not a regular expression");
	refuse_hardware("[a]\nvendor=X\ntpgs=3\n",
			"D/hardware.conf: [a]: tpgs: \"3\", expected yes or no");
	refuse_hardware("[a]\nvendor=X\ntpgs=\n",
			"D/hardware.conf: [a]: tpgs: \"\", expected yes or no");
	refuse_hardware("[a]\nvendor=X\nhw_handler=2 alua 1\n",
			"D/hardware.conf: [a]: hw_handler: \"2 alua 1\", expected no word behind "
			"its name");
	refuse_hardware("[a]\nvendor=X\nhw_handler=emc 0 1\n",
			"D/hardware.conf: [a]: hw_handler: \"emc 0 1\", expected no word behind "
			"its name");
	refuse_hardware("[a]\nvendor=X\nfailback=soon\n",
			"D/hardware.conf: [a]: failback: \"soon\", expected manual, immediate, "
			"followover or a number of seconds up to 86400");
	refuse_hardware("[a]\nvendor=X\npath_checker=\n",
			"D/hardware.conf: [a]: path_checker: there is no value");
	refuse_hardware(
		"[a]\nvendor=0123456789012345678901234567890123456789012345678901234567890123"
		"\n",
		"D/hardware.conf: [a]: vendor: \"01234567890123456789012345678901234567890123"
		"45678901234567890123\", expected a pattern of at most 63 bytes");
	refuse_hardware(
		"[a]\nproduct=0123456789012345678901234567890123456789012345678901234567890"
		"1234\n",
		"D/hardware.conf: [a]: product: \"0123456789012345678901234567890123456789012"
		"345678901234567890123...\", expected a pattern of at most 63 bytes");
	refuse_hardware(
		"[01234567890123456789012345678901]\nvendor=X\n",
		"D/hardware.conf: [01234567890123456789012345678901]: expected a name of at "
		"most 31 bytes");
	refuse_hardware(
		"[the hardware of the year 1999 and later]\nvendor=X\n",
		"D/hardware.conf: [the hardware of the year 1999 and later]: expected a name "
		"of at most 31 bytes");
	remove_map();
	unlink(hardware);
}

static void test_odd_hardware_files_refused(void)
{
	struct map_config *config;
	struct strbuf error;
	FILE *f;

	write_map("[multipath]\npaths=/dev/a\n");
	paths.hardware = hardware;
	map_config_free(accept("mpath/m")); /* there is none */
	assert(!mkdir(hardware, 0700));
	refuse("mpath/m", "D/hardware.conf: cannot be read: Is a directory");
	rmdir(hardware);
	f = fopen(hardware, "w");
	assert(f && fwrite("[a]\0vendor=X\n", 14, 1, f) == 1 && !fclose(f));
	refuse("mpath/m", "D/hardware.conf: there is a NUL byte in the file");
	f = fopen(hardware, "w");
	assert(f && fwrite("\0", 1, 1, f) == 1 && !fclose(f));
	refuse("mpath/m", "D/hardware.conf: there is a NUL byte in the file");

	/* A file that is given for a check meets it, too. */
	write_file(hardware, "[a]\n");
	strbuf_init(&error, error_text, sizeof(error_text));
	assert(map_config_parse(&paths, "here", "0 0 0 0", &config, &error) == -EINVAL);
	expect_text(error_text, "D/hardware.conf: [a]: there is no vendor=");
	paths.hardware = NULL;
	remove_map();
	unlink(hardware);
}

/* What comes as text is a map file if it looks like one, whatever is wrong with it. */
static void test_texts(void)
{
	static const struct {
		const char *text;
		const char *error; /* NULL: a good table */
	} rows[] = {
		{"0 0 0 0", NULL},
		{"\n0 100 multipath 0 0\n0 0", NULL},
		{"mpatha: 0 100 multipath 0 0 0 0", NULL},
		{"a=b: 0 100 multipath 0 0 0 0", NULL},
		{"#a: 0 100 multipath 0 0 0 0", NULL},
		{"# a map\n\n[Multipath]\n",
		 "here: unknown group [Multipath], expected [multipath]"},
		{"paths=/dev/a;/dev/b\n",
		 "here: a key stands before any section, expected [multipath] above it"},
		{"# two: paths\nno_path_retry = queue\n",
		 "here: a key stands before any section, expected [multipath] above it"},
		{"\xef\xbb\xbf[multipath]\r\npaths=/dev/a\r\n",
		 "here: begins with a byte order mark (EF BB BF), expected plain text"},
		{"multipaths {\n  multipath {\n    wwid 3600\n",
		 "here: Key file contains line “multipaths {” which is not a key-value pair, "
		 "group, or comment"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct map_config *config;
		struct strbuf error;
		int err;

		strbuf_init(&error, error_text, sizeof(error_text));
		err = map_config_parse(&paths, "here", rows[i].text, &config, &error);
		expect_text(error_text, rows[i].error ? rows[i].error : "");
		assert(err == (rows[i].error ? -EINVAL : 0));
		map_config_free(config);
	}
}

/* A typo there takes no LUN away either. */
static void test_last_good_hardware(void)
{
	struct map_config *config;

	forget();
	config = load_hardware("[a]\n", true);
	expect_text(config->warning,
		    "no hardware table is used, because: D/hardware.conf: [a]: there "
		    "is no vendor=");
	assert(!config->settings.hardware);
	map_config_free(config);

	config = load_hardware("[a]\nvendor=X\n", true);
	assert(!config->warning && strstr(config->said, "vendor=X"));
	map_config_free(config);
	config = load_hardware("[b]\n", true);
	expect_text(config->warning,
		    "the last good hardware table is used, because: D/hardware.conf: "
		    "[b]: there is no vendor=");
	assert(config->settings.hardware->nr_rules == 1 && rule_for(config, "X", ""));
	map_config_free(config);

	/* Both are wrong. */
	paths.hardware = hardware;
	write_map("[multipath]\npaths=a\n");
	config = load_in_service("mpath/m");
	expect_text(
		config->warning,
		"the last good hardware table is used, because: D/hardware.conf: [b]: there is no "
		"vendor=; the last good configuration is used, because: D/maps/m.map: paths: "
		"path 1 is \"a\", expected an absolute path name");
	map_config_free(config);
	paths.hardware = NULL;
	unlink(hardware);
	forget();
}

/* --- what we ship --- */

static void read_shipped(const char *name, char *text, size_t size)
{
	char file[512];
	const char *end = strstr(__FILE__, "tests/unit/");
	FILE *f;

	assert(end);
	snprintf(file, sizeof(file), "%.*sconfig/%s", (int)(end - __FILE__), __FILE__, name);
	f = fopen(file, "r");
	assert(f);
	text[fread(text, 1, size - 1, f)] = '\0';
	fclose(f);
}

/* "#key=value" becomes "key=value"; comments have a space behind the "#". */
static void uncomment(char *text)
{
	char *out = text;

	for (const char *c = text; *c; c++)
		if (!(c[0] == '#' && (c == text || c[-1] == '\n') && c[1] != ' ' && c[1] != '\n'))
			*out++ = *c;
	*out = '\0';
}

/* The values that mpath.conf shows are the ones that are used without it. */
static void test_shipped_conf(void)
{
	struct map_config *without, *with;
	char text[16384];

	forget();
	without = accept("mpath//dev/a;/dev/b");
	read_shipped("mpath.conf", text, sizeof(text));
	write_conf(text);
	map_config_free(accept("mpath//dev/a;/dev/b"));
	uncomment(text);
	assert(strstr(text, "\nrestart_wait_ms=") && strstr(text, "\nfence_time_ms="));
	write_conf(text);
	with = accept("mpath//dev/a;/dev/b");
	assert(with->settings.left_open == HARDWARE_HW_HANDLER);
	assert(without->settings.left_open == ALL_OPEN);
	with->settings.left_open = without->settings.left_open;
	assert(!memcmp(&with->settings, &without->settings, sizeof(with->settings)));
	assert(with->table->nr_groups == without->table->nr_groups);
	assert(with->table->queue_if_no_path == without->table->queue_if_no_path);
	map_config_free(with);
	map_config_free(without);
	unlink(conf);
}

/* By priority, and back at once; the handler is found by itself, and tur sees all states. */
static void expect_alua(const struct hardware_rule *rule, uint32_t pg_init_retries)
{
	assert(rule && rule->wants_tpgs);
	assert(rule->says == (HARDWARE_GROUPING | HARDWARE_FAILBACK |
			      (pg_init_retries ? HARDWARE_PG_INIT_RETRIES : 0)));
	assert(rule->policy.grouping == GROUPING_GROUP_BY_PRIO);
	assert(rule->policy.failback == FAILBACK_IMMEDIATE);
	assert(rule->pg_init_retries == pg_init_retries);
}

/* The arrays of each hardware handler are asked by the checker that knows their passive paths. */
static void test_shipped_hardware(void)
{
	static const struct {
		const char *vendor;
		const char *product;
		const char *checker;
		uint32_t alua_retries; /* of such as may have target port groups */
	} arrays[] = {
		{"DGC", "RAID 5", "emc_clariion", 0},
		{"DGC", "VRAID", "emc_clariion", 0},
		{"DGC", "DISK", "emc_clariion", 0},
		{"IBM", "1722-600", "rdac", 0},
		{"IBM", "1746      FAStT", "rdac", 50},
		{"IBM", "1814      FAStT", "rdac", 50},
		{"IBM", "3526", "rdac", 0},
		{"IBM", "3552", "rdac", 0},
		{"SGI", "TP9400", "rdac", 0},
		{"SGI", "IS500", "rdac", 50},
		{"STK", "OPENstorage 9176", "rdac", 0},
		{"STK", "FLEXLINE 380", "rdac", 0},
		{"STK", "BladeCtlr", "rdac", 0},
		{"SUN", "CSM100_R_FC", "rdac", 0},
		{"SUN", "LCSM100_F", "rdac", 0},
		{"SUN", "STK6580_6780", "rdac", 50},
		{"SUN", "SUN_6180", "rdac", 50},
		{"SUN", "ArrayStorage", "rdac", 0},
		{"DELL", "MD3000i", "rdac", 50},
		{"NETAPP", "INF-01-00", "rdac", 50},
		{"LSI", "INF-01-00", "rdac", 50},
		{"ENGENIO", "INF-01-00", "rdac", 50},
		{"LENOVO", "DE_Series", "rdac", 50},
		{"FUJITSU", "ETERNUS_AHB", "rdac", 50},
		{"COMPAQ", "MSA1000 VOLUME", "hp_sw", 0},
		{"COMPAQ", "HSV110 (C)COMPAQ", "hp_sw", 0},
		{"HP", "HSV100", "hp_sw", 0},
		{"DEC", "HSG80", "hp_sw", 0},
	};
	struct map_config *config;
	char text[16384];

	read_shipped("mpath-hardware.conf", text, sizeof(text));
	config = load_hardware(text, false);
	for (size_t i = 0; i < NR(arrays); i++) {
		const struct hardware_rule *rule =
			rule_for(config, arrays[i].vendor, arrays[i].product);
		uint8_t inquiry[36] = {0};

		assert(rule);
		assert(rule->checker == path_checker_find(arrays[i].checker));
		/* multipathd has many retries for those of rdac alone, too. */
		if (!strcmp(arrays[i].checker, "rdac"))
			assert(rule->says == (HARDWARE_CHECKER | HARDWARE_HW_HANDLER |
					      HARDWARE_PG_INIT_RETRIES) &&
			       rule->pg_init_retries == 50);
		else
			assert(rule->says == (HARDWARE_CHECKER | HARDWARE_HW_HANDLER));
		memcpy(inquiry + 8, arrays[i].vendor, strlen(arrays[i].vendor));
		memcpy(inquiry + 16, arrays[i].product, strlen(arrays[i].product));
		assert(rule->hw_handler == hw_handler_detect(inquiry, sizeof(inquiry)));
	}
	assert(!rule_for(config, "LIO-ORG", "disk0"));

	/* With target port groups an array is like any other, but those of rdac stay patient. */
	for (uint8_t tpgs = 1; tpgs <= 3; tpgs++) {
		expect_alua(rule_with(config, "LIO-ORG", "disk0", tpgs), 0);
		for (size_t i = 0; i < NR(arrays); i++)
			expect_alua(rule_with(config, arrays[i].vendor, arrays[i].product, tpgs),
				    arrays[i].alua_retries);
	}
	map_config_free(config);
	remove_map();
	unlink(hardware);
}

/* The examples can be copied as they are, and with all their keys in use. */
static void test_shipped_examples(void)
{
	static const char *const names[] = {"examples/paths.map", "examples/table.map",
					    "examples/wwid.map"};
	char text[16384];

	for (size_t i = 0; i < NR(names); i++) {
		read_shipped(names[i], text, sizeof(text));
		write_map(text);
		map_config_free(accept("mpath/m"));
		uncomment(text);
		write_map(text);
		map_config_free(accept("mpath/m"));
	}
	remove_map();
}

int main(void)
{
	mpath_log_set_sink(log_line);
	assert(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/mpath.conf", dir);
	snprintf(map_dir, sizeof(map_dir), "%s/maps", dir);
	snprintf(last_good, sizeof(last_good), "%s/last", dir);
	snprintf(hardware, sizeof(hardware), "%s/hardware.conf", dir);
	assert(!mkdir(map_dir, 0700));

	test_forms();
	test_without_a_backstore();
	test_whole_strings_refused();
	test_characters_refused();
	test_names();
	test_path_lists_refused();
	test_backstores_names();
	test_newlines();
	test_wwid_alone();
	test_all_keys();
	test_patience();
	test_pg_init();
	test_order();
	test_policies();
	test_hw_handlers();
	test_tables();
	test_files_refused();
	test_odd_files_refused();
	test_empty_files();
	test_keys_of_multipath_conf();
	test_keys_refused();
	test_combinations_refused();
	test_values_refused();
	test_flaky();
	test_slow_path_factor();
	test_hedged_reads();
	test_times_refused();
	test_long_values_refused();
	test_too_many_paths();
	test_tables_refused();
	test_last_good_copy();
	test_last_good_copy_of_paths();
	test_no_use_for_the_copy();
	test_copy_cannot_be_written();
	test_hardware();
	test_what_is_left_open();
	test_hardware_refused();
	test_odd_hardware_files_refused();
	test_texts();
	test_last_good_hardware();
	test_shipped_conf();
	test_shipped_hardware();
	test_shipped_examples();

	assert(!rmdir(map_dir) && !rmdir(dir));
	return 0;
}
