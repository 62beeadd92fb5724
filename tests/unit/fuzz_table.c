/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a table: it is refused with a readable error, or taken; then the table that is
 * written from what was understood is taken, too, and means the same.  The same for any list of
 * paths, of which a table is made.
 *
 * Input: a table.  Or "paths", the hardware handler's number, grouping, selector and the paths'
 * names, each ended by a NUL.
 *
 * fuzz parses: core/table.c
 * fuzz runs: 80000
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "mpath/table.h"

#define PATHS_MAX 1100 /* a few more than there may be */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_words(struct strbuf *out, char *const *words, unsigned int count)
{
	while (count--) {
		strbuf_printf(out, " ");
		for (const char *c = *words++; *c; c++)
			strbuf_printf(out, "\\%c", *c);
	}
}

static void print_table(const struct mpath_table *t, struct strbuf *out)
{
	if (t->has_length)
		strbuf_printf(out, "0 %llu multipath ", (unsigned long long)t->nr_sectors);
	strbuf_printf(out, "%d%s%s",
		      t->queue_if_no_path + t->retain_attached_hw_handler +
			      (t->pg_init_retries ? 2 : 0) + (t->pg_init_delay_msecs >= 0 ? 2 : 0) +
			      (t->queue_mode == QUEUE_MODE_BIO ? 2 : 0),
		      t->queue_if_no_path ? " queue_if_no_path" : "",
		      t->retain_attached_hw_handler ? " retain_attached_hw_handler" : "");
	if (t->pg_init_retries)
		strbuf_printf(out, " pg_init_retries %u", t->pg_init_retries);
	if (t->pg_init_delay_msecs >= 0)
		strbuf_printf(out, " pg_init_delay_msecs %d", t->pg_init_delay_msecs);
	if (t->queue_mode == QUEUE_MODE_BIO)
		strbuf_printf(out, " queue_mode bio");

	if (t->hw_handler) {
		strbuf_printf(out, " %d %s", t->hw_argc + 1, t->hw_handler->name);
		print_words(out, t->hw_argv, (unsigned int)t->hw_argc);
	} else {
		strbuf_printf(out, " 0");
	}
	strbuf_printf(out, " %u %u", t->nr_groups, t->initial_group);
	for (unsigned int i = 0; i < t->nr_groups; i++) {
		const struct table_group *group = &t->groups[i];

		strbuf_printf(out, " %s %d", group->selector->name, group->selector_argc);
		print_words(out, group->selector_argv, (unsigned int)group->selector_argc);
		strbuf_printf(out, " %u %d", group->nr_paths, group->paths[0].argc);
		for (unsigned int n = 0; n < group->nr_paths; n++) {
			print_words(out, &group->paths[n].address, 1);
			print_words(out, group->paths[n].argv, (unsigned int)group->paths[n].argc);
		}
	}
	assert(!out->truncated);
}

static void check_error(const struct strbuf *error)
{
	assert(error->len);
	for (size_t i = 0; i < error->len; i++)
		assert(error->text[i] >= ' ' && error->text[i] <= '~');
}

static void check_table(const struct mpath_table *table, size_t size)
{
	size_t room = 4 * size + 1024;
	char *once = malloc(room);
	char *twice = malloc(room);
	struct mpath_table *again;
	struct strbuf out, error;
	char text[1024];

	assert(once && twice);
	strbuf_init(&out, once, room);
	print_table(table, &out);
	strbuf_init(&error, text, sizeof(text));
	assert(!mpath_table_parse(once, &again, &error));
	strbuf_init(&out, twice, room);
	print_table(again, &out);
	assert(!strcmp(once, twice));
	mpath_table_free(again);
	free(once);
	free(twice);
}

static void check_text(const char *text, size_t size)
{
	struct mpath_table *table;
	struct strbuf error;
	char error_text[4096];

	strbuf_init(&error, error_text, sizeof(error_text));
	if (mpath_table_parse(text, &table, &error)) {
		assert(!table);
		check_error(&error);
		return;
	}
	/* What is written escapes every byte, and a text may only be so long. */
	if (size < TABLE_TEXT_MAX / 4)
		check_table(table, size);
	mpath_table_free(table);
}

/* Each path is there once, in its order, and in the groups that were asked for. */
static void check_groups(const struct mpath_table *table, const char *const *paths,
			 unsigned int nr_paths, bool multibus)
{
	assert(table->nr_groups == (multibus ? 1 : nr_paths) && table->initial_group == 1);
	for (unsigned int i = 0; i < table->nr_groups; i++) {
		const struct table_group *group = &table->groups[i];

		assert(group->nr_paths == (multibus ? nr_paths : 1));
		for (unsigned int n = 0; n < group->nr_paths; n++)
			assert(!strcmp(group->paths[n].address, *paths++));
	}
}

/* Words that are missing are empty. */
static const char *next_word(const char **rest, const char *end)
{
	const char *word = *rest;

	*rest += strlen(word) + (*rest + strlen(word) < end);
	return word;
}

static void check_paths(const char *text, size_t size)
{
	static const char *const hw_handlers[] = {NULL, "0", "1 alua", "3 emc 1 0"};
	const char *end = text + size, *words = text + 1;
	const char *hw_handler = hw_handlers[(uint8_t)text[0] % 4];
	const char *grouping = next_word(&words, end), *selector = next_word(&words, end);
	const char *paths[PATHS_MAX];
	unsigned int nr_paths = 0;
	struct mpath_table *table;
	struct strbuf error;
	char error_text[4096];

	while (words < end && nr_paths < PATHS_MAX)
		paths[nr_paths++] = next_word(&words, end);
	strbuf_init(&error, error_text, sizeof(error_text));
	if (mpath_table_from_paths(paths, nr_paths, grouping, selector, hw_handler, &table,
				   &error)) {
		assert(!table);
		check_error(&error);
		return;
	}
	assert(!table->hw_handler == (!hw_handler || !strcmp(hw_handler, "0")));
	assert(table->find_hw_handler == !hw_handler);
	check_groups(table, paths, nr_paths, !strcmp(grouping, "multibus"));
	check_table(table, 4 * size);
	mpath_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char paths[] = "paths";
	char *text = malloc(size + 1);

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (size > sizeof(paths) && !memcmp(text, paths, sizeof(paths)))
		check_paths(text + sizeof(paths), size - sizeof(paths));
	else
		check_text(text, size);
	free(text);
	return 0;
}
