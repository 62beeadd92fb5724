/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an administrator may write as "key=value", in map files, mpath.conf and the hardware table:
 * each value is checked where it is read, so that a message can name its file.  Text only.
 * config/mpath.conf documents the keys.
 */
#ifndef MPATH_KEYS_H
#define MPATH_KEYS_H

#include "mpath/core.h"
#include "runner/cfgstring.h"

enum key_id {
	KEY_TABLE,
	KEY_PATHS,
	KEY_WWID,
	KEY_GROUPING,
	KEY_SELECTOR,
	KEY_HW_HANDLER,
	KEY_PRIO,
	KEY_PRIO_ARGS,
	KEY_FAILBACK,
	KEY_PG_INIT_RETRIES,
	KEY_PG_INIT_DELAY,
	KEY_NO_PATH_RETRY,
	KEY_NO_PATH_TIMEOUT_READ,
	KEY_NO_PATH_TIMEOUT_WRITE,
	KEY_PATH_CHECKER,
	KEY_RECHECK_INTERVAL,
	KEY_POLLING_INTERVAL,
	KEY_CHECKER_TIMEOUT,
	KEY_FLAKY_THRESHOLD,
	KEY_FLAKY_FORGET_RATE,
	KEY_FLAKY_RECOVERY_TIME,
	KEY_SLOW_PATH_FACTOR,
	KEY_HEDGED_READS,
	KEY_PATH_TIMEOUT,
	KEY_RESTART_WAIT,
	KEY_FENCE,
	KEY_FENCE_TIME,
	KEY_IDENTITY,
	NR_KEYS,
};

/* What the files say: values by key, and which file says it. */
struct key_values {
	char *text[NR_KEYS]; /* NULL: not given */
	char *file[NR_KEYS];
};

/* Times the longest interval this fits into 32 bits of milliseconds. */
#define RETRIES_MAX 1000

/*
 * Keep what @file says.  0, or -EINVAL with file, key, value and what was expected in @error.
 * @is_map: it is a map file, where all keys may stand.
 */
int values_take(struct key_values *values, const char *file, bool is_map, const char *name,
		const char *text, struct strbuf *error);
void values_clear(struct key_values *values);

const char *key_name(enum key_id id);
const char *value_or(const struct key_values *values, enum key_id id, const char *otherwise);
/* Of a key of words: the number of its word, as in the enum; 0, the default, if nothing is said. */
unsigned int word_of(const struct key_values *values, enum key_id id);
/* *number stays as it is if nothing is said. */
void set_number(const struct key_values *values, enum key_id id, uint32_t *number);
/* 0 if nothing is said, or "no". */
uint32_t count_of(const struct key_values *values, enum key_id id);

/* --- values that were checked --- */

/* "io_num=20 base_num=2", or "exclusive_pref_bit" */
bool parse_prio_args(const char *value, struct mpath_policy *policy);
bool parse_failback(const char *value, struct mpath_policy *policy);
bool asks_to_queue(const char *no_path_retry);
/* Both: free with g_free(). */
char *hw_handler_words(const char *value);
char *selector_name(const char *selector);
int paths_to_table(const struct path_list *paths, const char *grouping, const char *selector,
		   const char *hw_handler, struct mpath_table **table, struct strbuf *error);

#endif
