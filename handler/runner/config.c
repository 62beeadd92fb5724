// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Map files and mpath.conf; see config.h.  config/mpath.conf and config/examples/ document the
 * keys for the administrator.
 *
 * All keys are first collected as text, mpath.conf's first, then the map file's over them.  Each
 * is checked where it is read, so that a message can name its file; only then the table is built.
 * The collection is also what the last good copy holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/registry.h"
#include "mpath/grouping.h"
#include "mpath/number.h"
#include "mpath/table.h"
#include "runner/cfgstring.h"
#include "runner/config.h"
#include "runner/hardware_file.h"
#include "runner/key_file.h"
#include "runner/keys.h"
#include "runtime/log.h"

#define FILE_SIZE_MAX	 (1024 * 1024)
#define SELECTOR_DEFAULT "service-time 0" /* multipathd's */

const struct config_paths config_default_paths = {
	.conf = "/etc/tcmu/mpath.conf",
	.map_dir = "/etc/tcmu/mpath.d",
	.last_good = "/var/lib/tcmu-mpath/.last-good",
	.hardware = "/etc/tcmu/mpath-hardware.conf",
};

/* --- one file --- */

/* The whole regular file, NUL-terminated, or NULL with errno set. */
static char *read_file(const char *file, size_t *len)
{
	char *text = NULL;
	struct stat st = {0};
	ssize_t n = 0;
	int err, fd;

	/* O_NONBLOCK: a fifo must not hold up tcmu-runner's main thread. */
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_SIZE_MAX) {
		close(fd);
		errno = S_ISDIR(st.st_mode) ? EISDIR : S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return NULL;
	}

	/* Not by GLib, which ends the process when it has none: this is a large piece. */
	text = malloc(FILE_SIZE_MAX + 1);
	*len = 0;
	while (text && *len < FILE_SIZE_MAX &&
	       (n = read(fd, text + *len, FILE_SIZE_MAX - *len)) > 0)
		*len += (size_t)n;
	err = !text ? ENOMEM : n < 0 ? errno : 0;
	close(fd);
	if (err) {
		free(text);
		errno = err;
		return NULL;
	}
	text[*len] = '\0';
	return text;
}

static int check_groups(GKeyFile *key_file, const char *file, const char *group,
			struct strbuf *error)
{
	char **groups = g_key_file_get_groups(key_file, NULL);
	int err = 0;

	for (char **g = groups; *g && !err; g++) {
		if (!strcmp(*g, group))
			continue;
		strbuf_printf(error, "%s: unknown group [%.64s], expected [%s]", file, *g, group);
		err = -EINVAL;
	}
	g_strfreev(groups);
	return err;
}

static int take_keys(struct key_values *values, GKeyFile *key_file, const char *file,
		     const char *group, bool is_map, struct strbuf *error)
{
	char **names = g_key_file_get_keys(key_file, group, NULL, NULL);
	int err = 0;

	for (char **name = names; name && *name && !err; name++) {
		/* get_value: the text as it stands, as device names contain backslashes. */
		char *text = g_key_file_get_value(key_file, group, *name, NULL);

		err = values_take(values, file, is_map, *name, g_strstrip(text), error);
		g_free(text);
	}
	g_strfreev(names);
	return err;
}

static int parse_file(struct key_values *values, const char *file, const char *text, size_t len,
		      bool is_map, struct strbuf *error)
{
	const char *group = is_map ? "multipath" : "defaults";
	GKeyFile *key_file;
	int err;

	if (strlen(text) != len) {
		strbuf_printf(error, "%s: there is a NUL byte in the file", file);
		return -EINVAL;
	}
	key_file = key_file_load(file, text, group, error);
	if (!key_file)
		return -EINVAL;
	err = check_groups(key_file, file, group, error);
	if (!err)
		err = take_keys(values, key_file, file, group, is_map, error);
	g_key_file_free(key_file);
	return err;
}

static int load_file(struct key_values *values, const char *file, bool is_map, bool may_be_missing,
		     struct strbuf *error)
{
	size_t len;
	char *text = read_file(file, &len);
	int err;

	if (!text && errno == ENOENT && may_be_missing)
		return 0;
	if (!text) {
		err = -errno;
		strbuf_printf(error, "%s: cannot be read: %s", file, strerror(-err));
		return err;
	}
	err = parse_file(values, file, text, len, is_map, error);
	free(text);
	return err;
}

/* --- from keys to a configuration --- */

static void apply_settings(const struct key_values *values, struct mpath_settings *settings)
{
	mpath_settings_init(settings);
	/* There is none with the name "none": NULL. */
	settings->checker = path_checker_find(value_or(values, KEY_PATH_CHECKER, "tur"));
	set_number(values, KEY_RECHECK_INTERVAL, &settings->recheck_interval_ms);
	set_number(values, KEY_POLLING_INTERVAL, &settings->polling_interval_ms);
	set_number(values, KEY_CHECKER_TIMEOUT, &settings->checker_timeout_ms);
	set_number(values, KEY_PATH_TIMEOUT, &settings->path_timeout_ms);
	settings->flaky =
		(struct mpath_flaky){.threshold = count_of(values, KEY_FLAKY_THRESHOLD),
				     .forget_rate = count_of(values, KEY_FLAKY_FORGET_RATE),
				     .recovery_s = count_of(values, KEY_FLAKY_RECOVERY_TIME)};
	settings->slow_path_factor = count_of(values, KEY_SLOW_PATH_FACTOR);
	settings->hedged_reads = count_of(values, KEY_HEDGED_READS);
	settings->fence = word_of(values, KEY_FENCE);
	set_number(values, KEY_FENCE_TIME, &settings->fence_time_ms);
	settings->identity = word_of(values, KEY_IDENTITY);
	/* A dead process's writes may be out until their time-out and the error handling are over.
	 */
	if (settings->restart_wait_ms < settings->path_timeout_ms + KERNEL_ERROR_HANDLING_MS)
		settings->restart_wait_ms = settings->path_timeout_ms + KERNEL_ERROR_HANDLING_MS;
	set_number(values, KEY_RESTART_WAIT, &settings->restart_wait_ms);
	g_strlcpy(settings->wwid, value_or(values, KEY_WWID, ""), sizeof(settings->wwid));
}

/* One of the three is of no use without the others: more likely a mistake than wanted. */
static int check_flaky(const struct key_values *values, struct strbuf *error)
{
	static const enum key_id ids[] = {KEY_FLAKY_THRESHOLD, KEY_FLAKY_FORGET_RATE,
					  KEY_FLAKY_RECOVERY_TIME};
	int given = -1, missing = -1;

	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		if (count_of(values, ids[i]))
			given = (int)ids[i];
		else
			missing = (int)ids[i];
	}
	if (given < 0 || missing < 0)
		return 0;
	strbuf_printf(error, "%s: %s: expected a number for %s, too", values->file[given],
		      key_name((enum key_id)given), key_name((enum key_id)missing));
	return -EINVAL;
}

/*
 * Which paths are together, and in which order, a table says itself, and so does a list without any
 * of these keys, or with their defaults.  When to go back to a group further ahead no table says.
 */
static void apply_policy(const struct key_values *values, bool has_table,
			 struct mpath_policy *policy)
{
	grouping_from_word(value_or(values, KEY_GROUPING, "failover"), &policy->grouping);
	policy->prio = word_of(values, KEY_PRIO);
	parse_prio_args(value_or(values, KEY_PRIO_ARGS, ""), policy);
	parse_failback(value_or(values, KEY_FAILBACK, "manual"), policy);
	policy->on =
		!has_table &&
		((policy->grouping != GROUPING_FAILOVER && policy->grouping != GROUPING_MULTIBUS) ||
		 policy->prio != PRIO_DETECT || policy->failback != FAILBACK_MANUAL);
}

/* multipathd's number counts checks; the keys in milliseconds say it themselves. */
static void apply_patience(const struct key_values *values, struct mpath_settings *settings)
{
	uint64_t retries;

	if (parse_number(value_or(values, KEY_NO_PATH_RETRY, ""), RETRIES_MAX, &retries)) {
		settings->no_path_timeout_read_ms =
			(uint32_t)retries * settings->polling_interval_ms;
		settings->no_path_timeout_write_ms = settings->no_path_timeout_read_ms;
	}
	set_number(values, KEY_NO_PATH_TIMEOUT_READ, &settings->no_path_timeout_read_ms);
	set_number(values, KEY_NO_PATH_TIMEOUT_WRITE, &settings->no_path_timeout_write_ms);
}

/* What the hardware table may fill in: a table's own words leave it nothing but the checker. */
static unsigned int left_open(const struct key_values *values, bool has_table)
{
	unsigned int open = values->text[KEY_PATH_CHECKER] ? 0 : HARDWARE_CHECKER;

	if (has_table)
		return open;
	if (!strcmp(value_or(values, KEY_HW_HANDLER, "detect"), "detect"))
		open |= HARDWARE_HW_HANDLER;
	if (!values->text[KEY_PRIO])
		open |= HARDWARE_PRIO;
	if (!values->text[KEY_GROUPING])
		open |= HARDWARE_GROUPING;
	if (!values->text[KEY_FAILBACK])
		open |= HARDWARE_FAILBACK;
	if (!values->text[KEY_PG_INIT_RETRIES])
		open |= HARDWARE_PG_INIT_RETRIES;
	if (!values->text[KEY_PG_INIT_DELAY])
		open |= HARDWARE_PG_INIT_DELAY;
	if (!values->text[KEY_NO_PATH_RETRY] && !values->text[KEY_NO_PATH_TIMEOUT_READ] &&
	    !values->text[KEY_NO_PATH_TIMEOUT_WRITE])
		open |= HARDWARE_NO_PATH_RETRY;
	return open;
}

static int table_from_list(const struct key_values *values, const struct path_list *paths,
			   struct mpath_table **table, struct strbuf *error)
{
	const char *grouping = value_or(values, KEY_GROUPING, "failover");

	/* By what the paths themselves will tell: until then each is by itself. */
	if (g_str_has_prefix(grouping, "group_by_"))
		grouping = "failover";
	return paths_to_table(paths, grouping, value_or(values, KEY_SELECTOR, SELECTOR_DEFAULT),
			      value_or(values, KEY_HW_HANDLER, "detect"), table, error);
}

static int table_from_paths_key(const struct key_values *values, struct mpath_table **table,
				struct strbuf *error)
{
	char *where = g_strdup_printf("%s: paths", values->file[KEY_PATHS]);
	struct path_list paths;
	int err = path_list_parse(values->text[KEY_PATHS], where, &paths, error);

	g_free(where);
	if (err)
		return err;
	err = table_from_list(values, &paths, table, error);
	path_list_clear(&paths);
	return err;
}

/* Which paths there are is seen when the map is in service. */
static int find_paths(const struct key_values *values, struct map_config *config,
		      struct strbuf *error)
{
	char *hw_words = hw_handler_words(value_or(values, KEY_HW_HANDLER, "detect"));
	char *text = g_strdup_printf("0 %s 0 0", hw_words ? hw_words : "0");
	int err = mpath_table_parse(text, &config->table, error);

	config->find_selector = selector_name(value_or(values, KEY_SELECTOR, SELECTOR_DEFAULT));
	if (!err)
		config->table->find_hw_handler = !hw_words;
	g_free(text);
	g_free(hw_words);
	return err;
}

/* Which words do not go together in a map file, or are missing there? */
static int check_map_keys(const struct key_values *values, const char *file, struct strbuf *error)
{
	static const enum key_id for_paths[] = {
		KEY_GROUPING,  KEY_SELECTOR,	    KEY_HW_HANDLER,   KEY_PRIO,
		KEY_PRIO_ARGS, KEY_PG_INIT_RETRIES, KEY_PG_INIT_DELAY};

	if (!values->text[KEY_TABLE] && !values->text[KEY_PATHS] && !values->text[KEY_WWID]) {
		strbuf_printf(error, "%s: there is neither table= nor paths= nor wwid=", file);
		return -EINVAL;
	}
	if (!values->text[KEY_TABLE])
		return 0;
	if (values->text[KEY_PATHS]) {
		strbuf_printf(error, "%s: there are both table= and paths=, expected one of them",
			      file);
		return -EINVAL;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(for_paths); i++) {
		enum key_id id = for_paths[i];

		/* mpath.conf may well have it for other maps. */
		if (!values->file[id] || strcmp(values->file[id], file))
			continue;
		strbuf_printf(error,
			      "%s: %s: goes with paths= or wwid=, the table says this itself", file,
			      key_name(id));
		return -EINVAL;
	}
	return 0;
}

static int table_from_file(const struct key_values *values, const char *file,
			   struct map_config *config, struct strbuf *error)
{
	int err = check_map_keys(values, file, error);

	if (err)
		return err;
	if (values->text[KEY_TABLE])
		return mpath_table_parse(values->text[KEY_TABLE], &config->table, error);
	if (values->text[KEY_PATHS])
		return table_from_paths_key(values, &config->table, error);
	return find_paths(values, config, error);
}

/* The features of a table that lists of paths have as keys. */
static void apply_activation(const struct key_values *values, struct mpath_table *table)
{
	uint32_t delay_ms;

	set_number(values, KEY_PG_INIT_RETRIES, &table->pg_init_retries);
	if (!values->text[KEY_PG_INIT_DELAY])
		return;
	set_number(values, KEY_PG_INIT_DELAY, &delay_ms);
	table->pg_init_delay_msecs = (int)delay_ms;
}

static int build_table(const struct key_values *values, const struct cfgstring *cfgstring,
		       const char *file, struct map_config *config, struct strbuf *error)
{
	switch (cfgstring->form) {
	case CFGSTRING_NAME:
		return table_from_file(values, file, config, error);
	case CFGSTRING_PATHS:
		return table_from_list(values, &cfgstring->paths, &config->table, error);
	case CFGSTRING_WWID:
		return find_paths(values, config, error);
	}
	return -EINVAL;
}

static char *all_that_is_said(const struct key_values *values, const struct cfgstring *cfgstring,
			      const char *hardware)
{
	GString *said = g_string_new(cfgstring->text);

	for (unsigned int i = 0; i < NR_KEYS; i++)
		if (values->text[i])
			g_string_append_printf(said, "\n%s=%s", key_name(i), values->text[i]);
	if (hardware)
		g_string_append_printf(said, "\n%s", hardware);
	return g_string_free(said, FALSE);
}

static int build_config(const struct key_values *values, const struct cfgstring *cfgstring,
			const char *file, struct map_config *config, struct strbuf *error)
{
	bool has_table = values->text[KEY_TABLE] && cfgstring->form == CFGSTRING_NAME;
	int err = check_flaky(values, error);

	if (!err)
		err = build_table(values, cfgstring, file, config, error);
	if (err)
		return err;
	if (!has_table)
		apply_activation(values, config->table);
	/* The table's own word comes last: it can switch queueing on, and has none for off. */
	if (asks_to_queue(value_or(values, KEY_NO_PATH_RETRY, "fail")))
		config->table->queue_if_no_path = true;
	apply_settings(values, &config->settings);
	apply_policy(values, has_table, &config->settings.policy);
	apply_patience(values, &config->settings);
	if (cfgstring->form == CFGSTRING_WWID)
		g_strlcpy(config->settings.wwid, cfgstring->wwid, sizeof(config->settings.wwid));
	config->settings.finds_paths = config->find_selector != NULL;
	config->settings.hardware = config->hardware;
	config->settings.left_open = left_open(values, has_table);
	config->said = all_that_is_said(values, cfgstring, config->hardware_text);
	return 0;
}

/* --- the last good copy (D11) --- */

static char *last_good_file(const struct config_paths *paths, const struct map_config *config,
			    const struct cfgstring *cfgstring)
{
	/* Maps with and without a map file have names of their own. */
	return g_strdup_printf("%s/%s.%s", paths->last_good, config->name,
			       cfgstring->form == CFGSTRING_NAME ? "map" : "paths");
}

static char *values_to_text(const struct key_values *values)
{
	GString *text = g_string_new("# The last valid configuration of this map, as tcmu-mpath "
				     "used it.\n# Written by it; changes here are lost.\n"
				     "[multipath]\n");

	for (unsigned int i = 0; i < NR_KEYS; i++)
		if (values->text[i])
			g_string_append_printf(text, "%s=%s\n", key_name(i), values->text[i]);
	return g_string_free(text, FALSE);
}

/* Keep what is valid.  A map can run without this, so a failure is only logged. */
static void keep_copy(const struct config_paths *paths, const struct map_config *config,
		      const char *file, const char *text)
{
	const GFileSetContentsFlags whole_and_on_disk =
		G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE;
	size_t len;
	char *old = read_file(file, &len);
	GError *error = NULL;

	/* A directory that cannot be made is told by what cannot be written there. */
	if (!old || strcmp(old, text)) {
		g_mkdir_with_parents(paths->last_good, 0700);
		g_file_set_contents_full(file, text, -1, whole_and_on_disk, 0600, &error);
	}
	if (error)
		mpath_log(MPATH_LOG_WARN, config->name, NULL, "the last good copy is not kept: %s",
			  error->message);
	g_clear_error(&error);
	free(old);
}

static void keep_last_good(const struct config_paths *paths, const struct map_config *config,
			   const struct cfgstring *cfgstring, const struct key_values *values)
{
	char *file = last_good_file(paths, config, cfgstring);
	char *text = values_to_text(values);

	keep_copy(paths, config, file, text);
	g_free(text);
	g_free(file);
}

static void warn_of_copy(struct map_config *config, const char *what, const char *why)
{
	char *before = config->warning;

	config->warning = g_strdup_printf("%s%s%s is used, because: %s", before ? before : "",
					  before ? "; " : "", what, why);
	g_free(before);
}

/* Returns 0 with config->warning set, or -errno; @error then still tells what is wrong. */
static int load_last_good(const struct config_paths *paths, const struct cfgstring *cfgstring,
			  struct map_config *config, struct strbuf *error)
{
	char *file = last_good_file(paths, config, cfgstring);
	struct key_values values = {0};
	struct strbuf copy_error;
	char text[512];
	int err;

	strbuf_init(&copy_error, text, sizeof(text));
	err = load_file(&values, file, true, false, &copy_error);
	if (!err)
		err = build_config(&values, cfgstring, file, config, &copy_error);
	if (!err)
		warn_of_copy(config, "the last good configuration", error->text);
	else if (err != -ENOENT)
		strbuf_printf(error, "; and the last good copy is of no use: %s", copy_error.text);
	values_clear(&values);
	g_free(file);
	return err;
}

/* --- the hardware table --- */

/* A missing file is an empty one. */
static int load_hardware_file(const char *file, struct map_config *config, struct strbuf *error)
{
	size_t len;
	char *text = file ? read_file(file, &len) : NULL;
	int err;

	if (!text && (!file || errno == ENOENT))
		return 0;
	if (!text) {
		err = -errno;
		strbuf_printf(error, "%s: cannot be read: %s", file, strerror(-err));
		return err;
	}
	if (strlen(text) != len) {
		strbuf_printf(error, "%s: there is a NUL byte in the file", file);
		err = -EINVAL;
	} else {
		err = hardware_parse(file, text, &config->hardware, error);
	}
	if (!err)
		config->hardware_text = g_strdup(text);
	free(text);
	return err;
}

/* As a map file's copy; maps' have other names.  Without one a map can do without the table. */
static void load_last_good_hardware(const char *copy, const char *why, struct map_config *config)
{
	struct strbuf copy_error;
	char text[512];

	strbuf_init(&copy_error, text, sizeof(text));
	load_hardware_file(copy, config, &copy_error);
	warn_of_copy(config,
		     config->hardware ? "the last good hardware table" : "no hardware table", why);
}

static int load_hardware(const struct config_paths *paths, bool use_last_good,
			 struct map_config *config, struct strbuf *error)
{
	char *copy = g_strdup_printf("%s/hardware.conf", paths->last_good);
	int err = load_hardware_file(paths->hardware, config, error);

	if (err && use_last_good) {
		load_last_good_hardware(copy, error->text, config);
		strbuf_init(error, error->text, error->size);
		err = 0;
	} else if (use_last_good && config->name && config->hardware_text) {
		keep_copy(paths, config, copy, config->hardware_text);
	}
	g_free(copy);
	return err;
}

/* --- all of it --- */

static int load_files(const struct config_paths *paths, const struct cfgstring *cfgstring,
		      const char *map_file, struct map_config *config, struct key_values *values,
		      struct strbuf *error)
{
	int err = load_file(values, paths->conf, false, true, error);

	if (!err && cfgstring->form == CFGSTRING_NAME)
		err = load_file(values, map_file, true, false, error);
	if (!err)
		err = build_config(values, cfgstring, map_file, config, error);
	return err;
}

static int load(const struct config_paths *paths, const struct cfgstring *cfgstring,
		bool use_last_good, struct map_config *config, struct strbuf *error)
{
	char *map_file = g_strdup_printf("%s/%s.map", paths->map_dir,
					 cfgstring->name ? cfgstring->name : "");
	struct key_values values = {0};
	int err = load_files(paths, cfgstring, map_file, config, &values, error);

	/* Without a name (check_config without a map file) there is nothing to look under. */
	if (use_last_good && config->name) {
		if (err)
			err = load_last_good(paths, cfgstring, config, error);
		else
			keep_last_good(paths, config, cfgstring, &values);
	}
	values_clear(&values);
	g_free(map_file);
	return err;
}

int map_config_load(const struct config_paths *paths, const char *cfgstring, const char *backstore,
		    bool use_last_good, struct map_config **config, struct strbuf *error)
{
	struct cfgstring parsed;
	struct map_config *c;
	int err;

	*config = NULL;
	err = cfgstring_parse(cfgstring, &parsed, error);
	if (err)
		return err;
	if (parsed.form != CFGSTRING_NAME && backstore && !map_name_is_valid(backstore)) {
		strbuf_printf(
			error,
			"the backstore's name \"%.64s\" cannot be the map's, expected 1 to %d "
			"of the characters A-Z a-z 0-9 . _ + - without a dot in front",
			backstore, MPATH_NAME_MAX - 1);
		cfgstring_clear(&parsed);
		return -EINVAL;
	}

	c = g_new0(struct map_config, 1);
	c->cfgstring = g_strdup(parsed.text);
	c->name = g_strdup(parsed.form == CFGSTRING_NAME ? parsed.name : backstore);
	err = load_hardware(paths, use_last_good, c, error);
	if (!err)
		err = load(paths, &parsed, use_last_good, c, error);
	cfgstring_clear(&parsed);
	if (err) {
		map_config_free(c);
		return err;
	}
	*config = c;
	return 0;
}

/*
 * No table has a line that begins with a section, a comment, "key=" or multipath.conf's "key {",
 * perhaps behind a byte order mark; but for a map's name, behind which dmsetup prints ": 0".  A map
 * file may lack its section: then that is what is wrong with it.
 */
static bool is_map_file(const char *text)
{
	static const char line[] = "^(\xef\xbb\xbf)?[ \t]*(?!\\S+: \\d)(\\[|#|[a-z_]+[ \t]*[={])";

	return g_regex_match_simple(line, text, G_REGEX_MULTILINE | G_REGEX_RAW, 0);
}

static int parse_text(struct key_values *values, const char *where, const char *text,
		      struct strbuf *error)
{
	if (is_map_file(text))
		return parse_file(values, where, text, strlen(text), true, error);
	return values_take(values, where, true, "table", text, error);
}

int map_config_parse(const struct config_paths *paths, const char *where, const char *text,
		     struct map_config **config, struct strbuf *error)
{
	const struct cfgstring cfgstring = {.form = CFGSTRING_NAME};
	struct map_config *c = g_new0(struct map_config, 1);
	struct key_values values = {0};
	int err = load_hardware(paths, false, c, error);

	*config = NULL;
	if (!err)
		err = load_file(&values, paths->conf, false, true, error);
	if (!err)
		err = parse_text(&values, where, text, error);
	if (!err)
		err = build_config(&values, &cfgstring, where, c, error);
	values_clear(&values);
	if (err)
		map_config_free(c);
	else
		*config = c;
	return err;
}

void map_config_look_up(struct map_config *config)
{
	struct mpath_table *table = config->table;
	unsigned int g, i;
	struct stat st;

	for (g = 0; g < table->nr_groups; g++) {
		for (i = 0; i < table->groups[g].nr_paths; i++) {
			struct table_path *path = &table->groups[g].paths[i];

			if (stat(path->address, &st) == 0 && S_ISBLK(st.st_mode))
				snprintf(path->device, sizeof(path->device), "%u:%u",
					 major(st.st_rdev), minor(st.st_rdev));
		}
	}
}

void map_config_free(struct map_config *config)
{
	if (!config)
		return;
	mpath_table_free(config->table);
	free(config->hardware);
	g_free(config->hardware_text);
	g_free(config->name);
	g_free(config->cfgstring);
	g_free(config->find_selector);
	g_free(config->said);
	g_free(config->warning);
	g_free(config);
}
