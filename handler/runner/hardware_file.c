/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the text of the hardware table to its rules; see hardware_file.h.
 */
#include "runner/hardware_file.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "mpath/number.h"
#include "mpath/table.h"
#include "runner/key_file.h"
#include "runner/keys.h"

/* What a rule may say, beside for which arrays it is. */
static const struct {
	enum key_id key;
	enum hardware_word word;
} words[] = {
	{KEY_HW_HANDLER, HARDWARE_HW_HANDLER},
	{KEY_PATH_CHECKER, HARDWARE_CHECKER},
	{KEY_PRIO, HARDWARE_PRIO},
	{KEY_GROUPING, HARDWARE_GROUPING},
	{KEY_FAILBACK, HARDWARE_FAILBACK},
	{KEY_PG_INIT_RETRIES, HARDWARE_PG_INIT_RETRIES},
	{KEY_PG_INIT_DELAY, HARDWARE_PG_INIT_DELAY},
	{KEY_NO_PATH_RETRY, HARDWARE_NO_PATH_RETRY},
};

/* --- for which arrays --- */

/* A pattern as multipath.conf would have it fits no array's word: what is wrong?  NULL: nothing. */
static const char *what_never_fits(const char *text)
{
	if (strpbrk(text, "\"'"))
		return ", without quotes";
	if (text[0] == '^' || strchr(text, '|') || strstr(text, ".*"))
		return ", not a regular expression";
	return NULL;
}

static int take_pattern(const char *where, const char *name, const char *text, char *pattern,
			struct strbuf *error)
{
	const char *why = what_never_fits(text);

	if (!text[0]) {
		strbuf_printf(error, "%s: %s: there is no value", where, name);
		return -EINVAL;
	}
	if (!why && g_strlcpy(pattern, text, HARDWARE_PATTERN_MAX) < HARDWARE_PATTERN_MAX)
		return 0;
	strbuf_printf(error, "%s: %s: ", where, name);
	if (why)
		return mpath_refuse_word(error, text, "expected a pattern as the shell has them%s",
					 why);
	return mpath_refuse_word(error, text, "expected a pattern of at most %d bytes",
				 HARDWARE_PATTERN_MAX - 1);
}

static int take_tpgs(const char *where, const char *text, bool *wants_tpgs, struct strbuf *error)
{
	*wants_tpgs = !strcmp(text, "yes");
	if (*wants_tpgs || !strcmp(text, "no"))
		return 0;
	strbuf_printf(error, "%s: tpgs: \"%.64s\", expected yes or no", where, text);
	return -EINVAL;
}

/* --- what it says --- */

static bool is_word(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (!strcmp(name, key_name(words[i].key)))
			return true;
	return false;
}

static int refuse_key(const char *where, const char *name, struct strbuf *error)
{
	strbuf_printf(error, "%s: %s: unknown key, expected one of vendor, product, tpgs", where,
		      name);
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		strbuf_printf(error, ", %s", key_name(words[i].key));
	return -EINVAL;
}

static int take_key(const char *where, const char *name, const char *text,
		    struct hardware_rule *rule, struct key_values *values, struct strbuf *error)
{
	if (is_word(name))
		return values_take(values, where, false, name, text, error);
	if (!strcmp(name, "vendor"))
		return take_pattern(where, name, text, rule->vendor, error);
	if (!strcmp(name, "product"))
		return take_pattern(where, name, text, rule->product, error);
	if (!strcmp(name, "tpgs"))
		return take_tpgs(where, text, &rule->wants_tpgs, error);
	return refuse_key(where, name, error);
}

/* A handler is named without words: those are for one map, and "detect" says nothing. */
static int take_handler(const char *where, const char *said, struct hardware_rule *rule,
			struct strbuf *error)
{
	char *text = hw_handler_words(said);
	const char *name = text ? strchr(text, ' ') : NULL;
	int err = 0;

	rule->hw_handler = name ? hw_handler_find(name + 1) : NULL;
	if (!text) {
		rule->says &= ~(unsigned int)HARDWARE_HW_HANDLER;
	} else if (name && !rule->hw_handler) {
		strbuf_printf(error, "%s: hw_handler: \"%.64s\", expected no word behind its name",
			      where, said);
		err = -EINVAL;
	}
	g_free(text);
	return err;
}

static void take_patience(const char *said, struct hardware_rule *rule)
{
	uint64_t retries;

	rule->queue_if_no_path = asks_to_queue(said);
	if (parse_number(said, RETRIES_MAX, &retries))
		rule->no_path_retries = (uint32_t)retries;
}

/* All values have been checked. */
static int take_words(const char *where, const struct key_values *values,
		      struct hardware_rule *rule, struct strbuf *error)
{
	const char *handler = values->text[KEY_HW_HANDLER];

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (values->text[words[i].key])
			rule->says |= words[i].word;
	rule->checker = path_checker_find(value_or(values, KEY_PATH_CHECKER, "none"));
	grouping_from_word(value_or(values, KEY_GROUPING, "failover"), &rule->policy.grouping);
	rule->policy.prio = word_of(values, KEY_PRIO);
	parse_failback(value_or(values, KEY_FAILBACK, "manual"), &rule->policy);
	set_number(values, KEY_PG_INIT_RETRIES, &rule->pg_init_retries);
	set_number(values, KEY_PG_INIT_DELAY, &rule->pg_init_delay_msecs);
	take_patience(value_or(values, KEY_NO_PATH_RETRY, "fail"), rule);
	return handler ? take_handler(where, handler, rule, error) : 0;
}

/* --- a section --- */

static int parse_keys(GKeyFile *key_file, const char *where, const char *group,
		      struct hardware_rule *rule, struct strbuf *error)
{
	char **names = g_key_file_get_keys(key_file, group, NULL, NULL);
	struct key_values values = {0};
	int err = 0;

	for (char **name = names; name && *name && !err; name++) {
		char *text = g_key_file_get_value(key_file, group, *name, NULL);

		err = take_key(where, *name, g_strstrip(text), rule, &values, error);
		g_free(text);
	}
	g_strfreev(names);
	if (!err)
		err = take_words(where, &values, rule, error);
	values_clear(&values);
	return err;
}

static int parse_rule(GKeyFile *key_file, const char *file, const char *group,
		      struct hardware_rule *rule, struct strbuf *error)
{
	char *where = g_strdup_printf("%s: [%s]", file, group);
	int err;

	*rule = (struct hardware_rule){.product = "*"};
	if (g_strlcpy(rule->name, group, sizeof(rule->name)) >= sizeof(rule->name)) {
		strbuf_printf(error, "%s: expected a name of at most %zu bytes", where,
			      sizeof(rule->name) - 1);
		err = -EINVAL;
	} else {
		err = parse_keys(key_file, where, group, rule, error);
	}
	if (!err && !rule->vendor[0]) {
		strbuf_printf(error, "%s: there is no vendor=", where);
		err = -EINVAL;
	}
	g_free(where);
	return err;
}

static int parse_rules(GKeyFile *key_file, const char *file, struct hardware_table **table,
		       struct strbuf *error)
{
	gsize nr_groups;
	char **groups = g_key_file_get_groups(key_file, &nr_groups);
	struct hardware_table *t = calloc(1, hardware_table_size((unsigned int)nr_groups));
	int err = t ? 0 : -ENOMEM;

	if (!t)
		strbuf_printf(error, "%s: out of memory", file);
	for (char **group = groups; *group && !err; group++)
		err = parse_rule(key_file, file, *group, &t->rules[t->nr_rules++], error);
	g_strfreev(groups);
	if (err)
		free(t);
	else
		*table = t;
	return err;
}

int hardware_parse(const char *file, const char *text, struct hardware_table **table,
		   struct strbuf *error)
{
	GKeyFile *key_file = key_file_load(file, text, "NAME", error);
	int err;

	*table = NULL;
	if (!key_file)
		return -EINVAL;
	err = parse_rules(key_file, file, table, error);
	g_key_file_free(key_file);
	return err;
}
