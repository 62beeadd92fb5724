/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of map files, mpath.conf and the hardware table; see keys.h.
 */
#include "runner/keys.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "core/registry.h"
#include "mpath/number.h"
#include "mpath/table.h"

#define FAILBACK_MAX_S (24 * 3600)

struct key {
	const char *name;
	bool map_only; /* makes no sense in mpath.conf */
	/* 0, or -EINVAL with what is wrong with @value appended to @error. */
	int (*check)(const struct key *key, const char *value, struct strbuf *error);
	uint64_t min; /* of a time in milliseconds */
	uint64_t max;
	const char *const *words; /* by number, the first is the default; NULL ends them */
};

static const char *const prio_words[] = {
	[PRIO_DETECT] = "detect",
	[PRIO_ALUA] = "alua",
	[PRIO_CONST] = "const",
	[PRIO_PATH_LATENCY] = "path_latency",
	NULL,
};

static const char *const fence_words[] = {
	[FENCE_TIME] = "time",
	[FENCE_SESSION] = "session",
	[FENCE_LU_RESET] = "lu_reset",
	[FENCE_NONE] = "none",
	NULL,
};

static const char *const identity_words[] = {
	[IDENTITY_LIO] = "lio",
	[IDENTITY_ARRAY] = "array",
	NULL,
};

/* Which of @words?  -1: none. */
static int find_word(const char *value, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(value, words[i]) == 0)
			return i;
	return -1;
}

static int check_word(const struct key *key, const char *value, struct strbuf *error)
{
	if (find_word(value, key->words) >= 0)
		return 0;
	mpath_refuse_word(error, value, "expected %s", key->words[0]);
	for (unsigned int i = 1; key->words[i]; i++)
		strbuf_printf(error, "%s %s", key->words[i + 1] ? "," : " or", key->words[i]);
	return -EINVAL;
}

static int check_table(const struct key *key, const char *value, struct strbuf *error)
{
	struct mpath_table *table;
	int err = mpath_table_parse(value, &table, error);

	(void)key;
	if (!err)
		mpath_table_free(table);
	return err;
}

/* A list of paths is checked when it is parsed, which needs the file's name anyway. */
static int check_nothing(const struct key *key, const char *value, struct strbuf *error)
{
	(void)key;
	(void)value;
	(void)error;
	return 0;
}

static int check_wwid(const struct key *key, const char *value, struct strbuf *error)
{
	(void)key;
	if (wwid_is_valid(value))
		return 0;
	return mpath_refuse_word(error, value, "%s", WWID_EXPECTED);
}

static int check_grouping(const struct key *key, const char *value, struct strbuf *error)
{
	enum grouping grouping;

	(void)key;
	if (grouping_from_word(value, &grouping))
		return 0;
	return mpath_refuse_word(error, value,
				 "expected failover, multibus, group_by_prio, group_by_tpg or "
				 "group_by_serial");
}

/* multipathd's limits.  "1.1", in tenths. */
static bool parse_base(const char *word, uint32_t *tenths)
{
	char **parts = g_strsplit(word, ".", 2);
	uint64_t whole, tenth = 0;
	/* There are no parts of nothing. */
	bool ok = parts[0] && parse_number(parts[0], 10, &whole) &&
		  (!parts[1] || (strlen(parts[1]) == 1 && parse_number(parts[1], 9, &tenth)));

	g_strfreev(parts);
	if (!ok || whole * 10 + tenth < 11 || whole * 10 + tenth > 100)
		return false;
	*tenths = (uint32_t)(whole * 10 + tenth);
	return true;
}

static bool parse_prio_arg(const char *word, struct mpath_policy *policy)
{
	uint64_t number;

	if (!strcmp(word, "exclusive_pref_bit")) {
		policy->exclusive_pref_bit = true;
		return true;
	}
	if (g_str_has_prefix(word, "base_num="))
		return parse_base(strchr(word, '=') + 1, &policy->latency_base);
	if (!g_str_has_prefix(word, "io_num=") ||
	    !parse_number(strchr(word, '=') + 1, 200, &number) || number < 20)
		return false;
	policy->latency_checks = (uint32_t)number;
	return true;
}

bool parse_prio_args(const char *value, struct mpath_policy *policy)
{
	char **words = g_strsplit(value, " ", -1);
	bool ok = true;

	for (char **word = words; *word; word++)
		ok = ok && (!**word || parse_prio_arg(*word, policy));
	g_strfreev(words);
	return ok;
}

static int check_prio_args(const struct key *key, const char *value, struct strbuf *error)
{
	struct mpath_policy policy;

	(void)key;
	if (parse_prio_args(value, &policy))
		return 0;
	return mpath_refuse_word(
		error, value,
		"expected io_num=20 to 200, base_num=1.1 to 10 or exclusive_pref_bit");
}

bool parse_failback(const char *value, struct mpath_policy *policy)
{
	static const char *const words[] = {
		[FAILBACK_MANUAL] = "manual",
		[FAILBACK_IMMEDIATE] = "immediate",
		[FAILBACK_FOLLOWOVER] = "followover",
		NULL,
	};
	int found = find_word(value, words);
	uint64_t seconds;

	if (found >= 0) {
		policy->failback = (enum failback)found;
		return true;
	}
	if (!parse_number(value, FAILBACK_MAX_S, &seconds))
		return false;
	policy->failback = seconds ? FAILBACK_DEFERRED : FAILBACK_IMMEDIATE;
	policy->failback_s = (uint32_t)seconds;
	return true;
}

static int check_failback(const struct key *key, const char *value, struct strbuf *error)
{
	struct mpath_policy policy;

	(void)key;
	if (parse_failback(value, &policy))
		return 0;
	return mpath_refuse_word(
		error, value,
		"expected manual, immediate, followover or a number of seconds up to %d",
		FAILBACK_MAX_S);
}

/* Words have blanks or tabs between them, as in a table: one blank each. */
static char *with_single_blanks(const char *value)
{
	char **words = g_strsplit_set(value, " \t", -1);
	GString *text = g_string_new(NULL);

	for (char **word = words; *word; word++)
		if (**word)
			g_string_append_printf(text, "%s%s", text->len ? " " : "", *word);
	g_strfreev(words);
	return g_string_free(text, FALSE);
}

/*
 * A table's words for @value, with their number in front: "2 alua 1", which may be left out.  NULL:
 * the array's own handler is to be found.
 */
char *hw_handler_words(const char *value)
{
	char **words;
	char *text, *name;

	if (!strcmp(value, "detect"))
		return NULL;
	if (!strcmp(value, "none"))
		return g_strdup("0");
	name = with_single_blanks(value);
	if (g_ascii_isdigit(name[0]))
		return name;
	words = g_strsplit(name, " ", -1);
	text = g_strdup_printf("%u %s", g_strv_length(words), name);
	g_strfreev(words);
	g_free(name);
	return text;
}

static int refuse_hw_handler(const char *value, struct strbuf *error)
{
	mpath_refuse_word(error, value, "expected detect, none or one of");
	hw_handler_names(error);
	return -EINVAL;
}

/* The words behind the number: a name, and what its handler takes. */
static int check_hw_words(const char *value, char **words, struct strbuf *error)
{
	struct hw_handler trial = {.type = words[0] ? hw_handler_find(words[0]) : NULL};
	const char *expected = "expected no word behind its name";
	int argc = (int)g_strv_length(words) - 1;

	if (!trial.type)
		return refuse_hw_handler(value, error);
	if (!argc ||
	    (trial.type->set_params &&
	     trial.type->set_params(&trial, argc, (const char *const *)words + 1, &expected)))
		return 0;
	return mpath_refuse_word(error, value, "%s", expected);
}

static int check_hw_handler(const struct key *key, const char *value, struct strbuf *error)
{
	char *text = hw_handler_words(value);
	char **words = g_strsplit(text ? text : "0", " ", -1);
	unsigned int nr_words = g_strv_length(words) - 1;
	uint64_t number;
	int err = 0;

	(void)key;
	if (!parse_number(words[0], UINT16_MAX, &number) || number != nr_words) {
		err = mpath_refuse_word(
			error, value, "expected %u as the number of the words behind it", nr_words);
	} else if (nr_words) {
		err = check_hw_words(value, words + 1, error);
	}
	g_strfreev(words);
	g_free(text);
	return err;
}

/* multipath.conf writes the number of the selector's arguments behind it: "round-robin 0". */
char *selector_name(const char *selector)
{
	if (!g_str_has_suffix(selector, " 0"))
		return g_strdup(selector);
	return g_strchomp(g_strndup(selector, strlen(selector) - 2));
}

int paths_to_table(const struct path_list *paths, const char *grouping, const char *selector,
		   const char *hw_handler, struct mpath_table **table, struct strbuf *error)
{
	char *name = selector_name(selector);
	char *hw_words = hw_handler_words(hw_handler);
	int err = mpath_table_from_paths((const char *const *)paths->words, paths->nr_words,
					 grouping, name, hw_words, table, error);

	g_free(hw_words);
	g_free(name);
	return err;
}

/* Only a table can tell whether there is such a selector. */
static int check_selector(const struct key *key, const char *value, struct strbuf *error)
{
	char path[] = "/dev/null";
	char *words[] = {path};
	const struct path_list some_paths = {.words = words, .nr_words = 1};
	struct mpath_table *table;
	int err = paths_to_table(&some_paths, "failover", value, "detect", &table, error);

	(void)key;
	if (!err)
		mpath_table_free(table);
	return err;
}

static int check_no_path_retry(const struct key *key, const char *value, struct strbuf *error)
{
	uint64_t number;

	(void)key;
	if (!strcmp(value, "fail") || !strcmp(value, "queue"))
		return 0;
	if (parse_number(value, RETRIES_MAX, &number))
		return 0;
	return mpath_refuse_word(error, value, "expected fail, queue or a number up to %d",
				 RETRIES_MAX);
}

static int check_path_checker(const struct key *key, const char *value, struct strbuf *error)
{
	(void)key;
	if (!strcmp(value, "none") || path_checker_find(value))
		return 0;
	mpath_refuse_word(error, value, "expected none or one of");
	path_checker_names(error);
	return -EINVAL;
}

static int check_ms(const struct key *key, const char *value, struct strbuf *error)
{
	uint64_t ms;

	if (parse_number(value, key->max, &ms) && ms >= key->min)
		return 0;
	return mpath_refuse_word(error, value, "expected a number of milliseconds from %ju to %ju",
				 (uintmax_t)key->min, (uintmax_t)key->max);
}

static int check_number(const struct key *key, const char *value, struct strbuf *error)
{
	uint64_t number;

	if (parse_number(value, key->max, &number))
		return 0;
	return mpath_refuse_word(error, value, "expected a number from 0 to %ju",
				 (uintmax_t)key->max);
}

/* multipathd's, which takes 0 for no as well. */
static int check_count(const struct key *key, const char *value, struct strbuf *error)
{
	uint64_t count;

	if (!strcmp(value, "no") || parse_number(value, key->max, &count))
		return 0;
	return mpath_refuse_word(error, value, "expected no or a number up to %ju",
				 (uintmax_t)key->max);
}

static int check_factor(const struct key *key, const char *value, struct strbuf *error)
{
	uint64_t factor;

	if (!strcmp(value, "no") || (parse_number(value, key->max, &factor) && factor >= key->min))
		return 0;
	return mpath_refuse_word(error, value, "expected no or a number from %ju to %ju",
				 (uintmax_t)key->min, (uintmax_t)key->max);
}

#define HOUR_MS (3600 * 1000)
#define DAY_S	(24 * 3600)

static const struct key keys[NR_KEYS] = {
	[KEY_TABLE] = {.name = "table", .map_only = true, .check = check_table},
	[KEY_PATHS] = {.name = "paths", .map_only = true, .check = check_nothing},
	[KEY_WWID] = {.name = "wwid", .map_only = true, .check = check_wwid},
	[KEY_GROUPING] = {.name = "grouping", .check = check_grouping},
	[KEY_SELECTOR] = {.name = "selector", .check = check_selector},
	[KEY_HW_HANDLER] = {.name = "hw_handler", .check = check_hw_handler},
	[KEY_PRIO] = {.name = "prio", .check = check_word, .words = prio_words},
	[KEY_PRIO_ARGS] = {.name = "prio_args", .check = check_prio_args},
	[KEY_FAILBACK] = {.name = "failback", .check = check_failback},
	[KEY_PG_INIT_RETRIES] = {.name = "pg_init_retries",
				 .check = check_number,
				 .max = PG_INIT_RETRIES_MAX},
	[KEY_PG_INIT_DELAY] = {.name = "pg_init_delay_msecs",
			       .check = check_ms,
			       .max = PG_INIT_DELAY_MAX},
	[KEY_NO_PATH_RETRY] = {.name = "no_path_retry", .check = check_no_path_retry},
	[KEY_NO_PATH_TIMEOUT_READ] = {.name = "no_path_timeout_read_ms",
				      .check = check_ms,
				      .max = HOUR_MS},
	[KEY_NO_PATH_TIMEOUT_WRITE] = {.name = "no_path_timeout_write_ms",
				       .check = check_ms,
				       .max = HOUR_MS},
	[KEY_PATH_CHECKER] = {.name = "path_checker", .check = check_path_checker},
	[KEY_RECHECK_INTERVAL] = {.name = "recheck_interval_ms",
				  .check = check_ms,
				  .min = 10,
				  .max = HOUR_MS},
	[KEY_POLLING_INTERVAL] = {.name = "polling_interval_ms",
				  .check = check_ms,
				  .min = 100,
				  .max = HOUR_MS},
	[KEY_CHECKER_TIMEOUT] = {.name = "checker_timeout_ms",
				 .check = check_ms,
				 .min = 100,
				 .max = HOUR_MS},
	[KEY_FLAKY_THRESHOLD] = {.name = "san_path_err_threshold",
				 .check = check_count,
				 .max = 1000},
	[KEY_FLAKY_FORGET_RATE] = {.name = "san_path_err_forget_rate",
				   .check = check_count,
				   .max = 100000},
	[KEY_FLAKY_RECOVERY_TIME] = {.name = "san_path_err_recovery_time",
				     .check = check_count,
				     .max = DAY_S},
	[KEY_SLOW_PATH_FACTOR] = {.name = "slow_path_factor",
				  .check = check_factor,
				  .min = 2,
				  .max = 100},
	[KEY_HEDGED_READS] = {.name = "hedged_reads", .check = check_factor, .min = 1, .max = 5},
	[KEY_PATH_TIMEOUT] = {.name = "path_timeout_ms",
			      .check = check_ms,
			      .min = 1000,
			      .max = PATH_TIMEOUT_MAX_MS},
	[KEY_RESTART_WAIT] = {.name = "restart_wait_ms", .check = check_ms, .max = HOUR_MS},
	[KEY_FENCE] = {.name = "fence", .check = check_word, .words = fence_words},
	[KEY_FENCE_TIME] = {.name = "fence_time_ms", .check = check_ms, .max = HOUR_MS},
	[KEY_IDENTITY] = {.name = "identity",
			  .map_only = true,
			  .check = check_word,
			  .words = identity_words},
};

/* Words that an administrator knows from multipath.conf, and what to do about them. */
static const struct {
	const char *name;
	const char *advice;
} foreign_keys[] = {
	{"path_grouping_policy", "is called grouping here"},
	{"path_selector", "is called selector here"},
	{"hardware_handler", "is called hw_handler here"},
	{"polling_interval", "is called polling_interval_ms here"},
	{"checker_timeout", "is called checker_timeout_ms here"},
	{"features", "is not known here, use no_path_retry=queue, or a table with its features"},
	{"minio", "has no effect here: each command chooses its path"},
	{"rr_min_io", "has no effect here: each command chooses its path"},
	{"rr_min_io_rq", "has no effect here: each command chooses its path"},
	{"rr_weight", "has no effect here: each command chooses its path"},
	{"marginal_path_err_rate_threshold", "is not supported, use san_path_err_threshold"},
	{"reservation_key", "is not supported: nothing is registered here"},
	{"fast_io_fail_tmo", "is not supported, set it at the remote port or session"},
	{"dev_loss_tmo", "is not supported, set it at the remote port"},
	{"max_sectors_kb", "is not supported, set it at the paths' queues"},
};

static const struct key *find_key(const char *name)
{
	for (unsigned int i = 0; i < NR_KEYS; i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static int refuse_key(const char *file, const char *name, struct strbuf *error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(foreign_keys); i++) {
		if (strcmp(foreign_keys[i].name, name) != 0)
			continue;
		strbuf_printf(error, "%s: %s: this key %s", file, name, foreign_keys[i].advice);
		return -EINVAL;
	}
	strbuf_printf(error, "%s: %.64s: unknown key, expected one of", file, name);
	for (unsigned int i = 0; i < NR_KEYS; i++)
		strbuf_printf(error, "%s %s", i ? "," : "", keys[i].name);
	return -EINVAL;
}

/* --- values --- */

void values_clear(struct key_values *values)
{
	for (unsigned int i = 0; i < NR_KEYS; i++) {
		g_free(values->text[i]);
		g_free(values->file[i]);
	}
	*values = (struct key_values){0};
}

static void set_value(struct key_values *values, const struct key *key, const char *file,
		      const char *text)
{
	size_t i = (size_t)(key - keys);

	g_free(values->text[i]);
	g_free(values->file[i]);
	values->text[i] = g_strdup(text);
	values->file[i] = g_strdup(file);
}

int values_take(struct key_values *values, const char *file, bool is_map, const char *name,
		const char *text, struct strbuf *error)
{
	const struct key *key = find_key(name);
	int err;

	if (!key)
		return refuse_key(file, name, error);
	if (key->map_only && !is_map) {
		strbuf_printf(error, "%s: %s: this key belongs into a map file", file, name);
		return -EINVAL;
	}
	strbuf_printf(error, "%s: %s: ", file, name);
	if (!text[0]) {
		strbuf_printf(error, "there is no value");
		return -EINVAL;
	}
	err = key->check(key, text, error);
	if (err)
		return err;
	strbuf_init(error, error->text, error->size);
	set_value(values, key, file, text);
	return 0;
}

const char *value_or(const struct key_values *values, enum key_id id, const char *otherwise)
{
	return values->text[id] ? values->text[id] : otherwise;
}

unsigned int word_of(const struct key_values *values, enum key_id id)
{
	int found = find_word(value_or(values, id, ""), keys[id].words);

	return found < 0 ? 0 : (unsigned int)found;
}

void set_number(const struct key_values *values, enum key_id id, uint32_t *number)
{
	uint64_t said;

	if (values->text[id] && parse_number(values->text[id], keys[id].max, &said))
		*number = (uint32_t)said;
}

uint32_t count_of(const struct key_values *values, enum key_id id)
{
	uint64_t count;

	return parse_number(value_or(values, id, "no"), keys[id].max, &count) ? (uint32_t)count : 0;
}

/* 0 is multipathd's other word for fail. */
bool asks_to_queue(const char *no_path_retry)
{
	return strcmp(no_path_retry, "fail") != 0 && strcmp(no_path_retry, "0") != 0;
}

const char *key_name(enum key_id id)
{
	return keys[id].name;
}
