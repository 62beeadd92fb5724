/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a table: it is refused with a readable error, or taken; then the table that is
 * written from what was understood is taken, too, and means the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "mpath/table.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct mpath_table *table;
	struct strbuf error;
	char error_text[4096];

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	strbuf_init(&error, error_text, sizeof(error_text));
	if (mpath_table_parse(text, &table, &error)) {
		assert(!table);
		check_error(&error);
	} else {
		/* What is written escapes every byte, and a text may only be so long. */
		if (size < TABLE_TEXT_MAX / 4)
			check_table(table, size);
		mpath_table_free(table);
	}
	free(text);
	return 0;
}
