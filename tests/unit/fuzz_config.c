/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any cfgstring, mpath.conf, map file and hardware table: refused with words, or taken; then the
 * last good copies that were made of them mean the same when the files are gone.  A map file, or a
 * table, that is given as a text means what it means in its place.
 *
 * Input: cfgstring NUL mpath.conf NUL map file NUL hardware table.
 *
 * fuzz parses: runner/cfgstring.c runner/config.c runner/keys.c runner/key_file.c
 * fuzz runs: 2500
 */
#include <assert.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpath/hardware.h"
#include "mpath/table.h"
#include "runner/cfgstring.h"
#include "runner/config.h"
#include "runtime/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64], conf[80], map_dir[80], last_good[80], hardware[80];
static const struct config_paths paths = {
	.conf = conf, .map_dir = map_dir, .last_good = last_good, .hardware = hardware};
static char error_text[4096];

/* The only line that is logged: the last good copy could not be written. */
void mpath_log(enum log_level level, const char *map, const char *path, const char *format, ...)
{
	(void)level;
	(void)map;
	(void)path;
	(void)format;
	abort();
}

/* In memory where there is such a place: the last good copy is synced. */
static void make_dirs(void)
{
	const char *where = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	snprintf(dir, sizeof(dir), "%s/fuzz-config.XXXXXX", where);
	assert(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/mpath.conf", dir);
	snprintf(map_dir, sizeof(map_dir), "%s/mpath.d", dir);
	snprintf(last_good, sizeof(last_good), "%s/last-good", dir);
	snprintf(hardware, sizeof(hardware), "%s/mpath-hardware.conf", dir);
	assert(!g_mkdir_with_parents(map_dir, 0700));
}

static void remove_dirs(void)
{
	char command[100];

	/* The directory is ours, from mkdtemp(). */
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		abort();
}

static void write_file(const char *file, const void *text, size_t len)
{
	FILE *f = fopen(file, "w");

	assert(f && fwrite(text, 1, len, f) == len);
	assert(!fclose(f));
}

static struct strbuf new_error(void)
{
	struct strbuf error;

	strbuf_init(&error, error_text, sizeof(error_text));
	return error;
}

static void check_cfgstring(const char *text)
{
	struct strbuf error = new_error();
	struct cfgstring cfgstring;

	if (cfgstring_parse(text, &cfgstring, &error)) {
		assert(error.len && !cfgstring.text && !cfgstring.paths.words);
		return;
	}
	assert(!error.len && cfgstring_equal(cfgstring.text, text));
	assert(strlen(cfgstring.text) <= CFGSTRING_MAX && !strpbrk(cfgstring.text, " \n\t,:\"'"));
	switch (cfgstring.form) {
	case CFGSTRING_NAME:
		assert(map_name_is_valid(cfgstring.name) && !strchr(cfgstring.name, '/'));
		assert(cfgstring.name[0] && cfgstring.name[0] != '.');
		break;
	case CFGSTRING_PATHS:
		assert(cfgstring.paths.nr_words);
		break;
	case CFGSTRING_WWID:
		assert(wwid_is_valid(cfgstring.wwid) && !cfgstring.paths.nr_words);
		break;
	}
	for (unsigned int i = 0; i < cfgstring.paths.nr_words; i++)
		assert(cfgstring.paths.words[i][0] == '/');
	cfgstring_clear(&cfgstring);
}

static struct map_config *load(const char *cfgstring, bool use_last_good)
{
	struct strbuf error = new_error();
	struct map_config *config = (struct map_config *)(void *)error_text;
	int err = map_config_load(&paths, cfgstring, "backstore", use_last_good, &config, &error);

	assert(err <= 0 && !config == !!err);
	assert(strlen(error_text) == error.len && (!err || error.len));
	return config;
}

static bool ms_is_sane(uint32_t ms)
{
	return ms <= 3600 * 1000;
}

static void check_config(const struct map_config *config)
{
	const struct mpath_settings *settings = &config->settings;

	assert(map_name_is_valid(config->name) && config->table && config->cfgstring);
	assert(memchr(settings->wwid, '\0', sizeof(settings->wwid)));
	assert(ms_is_sane(settings->recheck_interval_ms) && settings->recheck_interval_ms >= 10);
	assert(ms_is_sane(settings->polling_interval_ms) && settings->polling_interval_ms >= 100);
	assert(ms_is_sane(settings->checker_timeout_ms) && settings->checker_timeout_ms >= 100);
	assert(ms_is_sane(settings->path_timeout_ms) && settings->path_timeout_ms >= 1000);
	/* It follows path_timeout_ms, and is then a little longer. */
	assert(settings->restart_wait_ms <= 2 * 3600 * 1000);
	assert(settings->identity <= IDENTITY_ARRAY);
	assert(settings->fence <= FENCE_NONE && ms_is_sane(settings->fence_time_ms));
}

static void check_same_table(const struct mpath_table *a, const struct mpath_table *b)
{
	assert(a->has_length == b->has_length && a->nr_sectors == b->nr_sectors);
	assert(a->queue_if_no_path == b->queue_if_no_path && a->queue_mode == b->queue_mode);
	assert(a->retain_attached_hw_handler == b->retain_attached_hw_handler);
	assert(a->pg_init_retries == b->pg_init_retries);
	assert(a->pg_init_delay_msecs == b->pg_init_delay_msecs);
	assert(a->hw_handler == b->hw_handler && a->hw_argc == b->hw_argc);
	assert(a->nr_groups == b->nr_groups && a->initial_group == b->initial_group);
	for (unsigned int i = 0; i < a->nr_groups; i++) {
		const struct table_group *g = &a->groups[i], *h = &b->groups[i];

		assert(g->selector == h->selector && g->nr_paths == h->nr_paths);
		for (unsigned int n = 0; n < g->nr_paths; n++)
			assert(!strcmp(g->paths[n].address, h->paths[n].address));
	}
}

static void check_same(const struct map_config *a, const struct map_config *b)
{
	assert(!strcmp(a->name, b->name) && !strcmp(a->cfgstring, b->cfgstring));
	assert(!strcmp(a->settings.wwid, b->settings.wwid));
	assert(a->settings.checker == b->settings.checker);
	assert(a->settings.recheck_interval_ms == b->settings.recheck_interval_ms);
	assert(a->settings.polling_interval_ms == b->settings.polling_interval_ms);
	assert(a->settings.checker_timeout_ms == b->settings.checker_timeout_ms);
	assert(a->settings.path_timeout_ms == b->settings.path_timeout_ms);
	assert(a->settings.restart_wait_ms == b->settings.restart_wait_ms);
	assert(!memcmp(&a->settings.flaky, &b->settings.flaky, sizeof(a->settings.flaky)));
	assert(a->settings.slow_path_factor == b->settings.slow_path_factor);
	assert(a->settings.hedged_reads == b->settings.hedged_reads);
	assert(a->settings.fence == b->settings.fence);
	assert(a->settings.fence_time_ms == b->settings.fence_time_ms);
	assert(!memcmp(a->hardware, b->hardware, hardware_table_size(a->hardware->nr_rules)));
	check_same_table(a->table, b->table);
}

static bool has_map_file(const char *cfgstring)
{
	const char *rest = cfgstring + strlen(CFGSTRING_PREFIX);

	return rest[0] != '/' && strncmp(rest, "wwid=", 5) != 0;
}

/* The map file was lost, or mpath.conf and the hardware table have become nonsense. */
static void check_last_good(const char *cfgstring, const struct map_config *good,
			    const char *map_file)
{
	struct map_config *again;
	char *copy;

	unlink(map_file);
	write_file(conf, "[", 1);
	write_file(hardware, "[", 1);
	again = load(cfgstring, true);
	assert(again && again->warning && !good->warning);
	check_same(good, again);
	map_config_free(again);

	copy = g_strdup_printf("%s/%s.%s", last_good, good->name,
			       has_map_file(cfgstring) ? "map" : "paths");
	write_file(copy, "[", 1);
	assert(!load(cfgstring, true));
	unlink(copy);
	g_free(copy);
}

/* The same text as a map file in its place, and for a map that is there already. */
static void check_text(const char *cfgstring, const char *text)
{
	struct map_config *in_place = load(cfgstring, false), *config;
	struct strbuf error = new_error();
	int err = map_config_parse(&paths, "text", text, &config, &error);

	assert(!config == !!err && (!err || error.len));
	if (in_place && has_map_file(cfgstring)) {
		assert(config);
		assert(in_place->settings.fence_time_ms == config->settings.fence_time_ms);
		check_same_table(in_place->table, config->table);
	}
	map_config_free(in_place);
	map_config_free(config);
}

static void check_files(const char *cfgstring, const char *map_file)
{
	struct map_config *config = load(cfgstring, false);

	if (!config)
		return;
	check_config(config);
	map_config_free(config);
	config = load(cfgstring, true);
	assert(config);
	check_last_good(cfgstring, config, map_file);
	map_config_free(config);
}

/* A part of the input: up to a NUL, or all that is left. */
struct part {
	const char *text;
	size_t len;
};

static struct part next_part(struct part *rest)
{
	const char *nul = memchr(rest->text, '\0', rest->len);
	struct part part = {rest->text, nul ? (size_t)(nul - rest->text) : rest->len};
	size_t taken = part.len + (nul ? 1 : 0);

	rest->text += taken;
	rest->len -= taken;
	return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *map_file;
	struct part rest = {text, size}, part;
	const char *name;

	if (!dir[0]) {
		make_dirs();
		atexit(remove_dirs);
	}
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	next_part(&rest);
	name = strncmp(text, "mpath/", 6) ? "" : text + 6;
	map_file = g_strdup_printf("%s/%.*s.map", map_dir, (int)strcspn(name, "/\n"), name);

	/* An empty file is as good as none. */
	check_cfgstring(text);
	part = next_part(&rest);
	write_file(conf, part.text, part.len);
	part = next_part(&rest);
	write_file(hardware, rest.text, rest.len);
	if (strlen(map_file) < 200) {
		write_file(map_file, part.text, part.len);
		if (part.len)
			check_text(text, part.text);
	}
	check_files(text, map_file);
	unlink(map_file);
	g_free(map_file);
	free(text);
	return 0;
}
