/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New tables out of old ones: a copy, another assignment of the paths to groups, a path more.
 *
 * The new table is laid out as a sketch that borrows the old one's words, printed, and parsed
 * again: so it is a table as any other, and whatever the grammar forbids is found.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/table_edit.h"

/* Every character may be quoted. */
#define PRINT_MAX (2 * TABLE_TEXT_MAX)

void mpath_table_print_word(const char *word, struct strbuf *out)
{
	for (; *word; word++) {
		if (strchr("\\ \t\n\v\f\r", *word))
			strbuf_printf(out, "\\");
		strbuf_printf(out, "%c", *word);
	}
	strbuf_printf(out, " ");
}

static void print_words(struct strbuf *out, char *const *words, int nr_words)
{
	int i;

	for (i = 0; i < nr_words; i++)
		mpath_table_print_word(words[i], out);
}

static void print_features(struct strbuf *out, const struct mpath_table *table)
{
	strbuf_printf(out, "%d ",
		      table->queue_if_no_path + table->retain_attached_hw_handler +
			      2 * (table->pg_init_retries > 0) +
			      2 * (table->pg_init_delay_msecs >= 0) +
			      2 * (table->queue_mode == QUEUE_MODE_BIO));
	if (table->queue_if_no_path)
		strbuf_printf(out, "queue_if_no_path ");
	if (table->retain_attached_hw_handler)
		strbuf_printf(out, "retain_attached_hw_handler ");
	if (table->pg_init_retries)
		strbuf_printf(out, "pg_init_retries %u ", table->pg_init_retries);
	if (table->pg_init_delay_msecs >= 0)
		strbuf_printf(out, "pg_init_delay_msecs %d ", table->pg_init_delay_msecs);
	if (table->queue_mode == QUEUE_MODE_BIO)
		strbuf_printf(out, "queue_mode bio ");
}

void mpath_table_print_hw_handler(const struct mpath_table *table, struct strbuf *out)
{
	if (!table->hw_handler) {
		strbuf_printf(out, "0 ");
		return;
	}
	strbuf_printf(out, "%d %s ", table->hw_argc + 1, table->hw_handler->name);
	print_words(out, table->hw_argv, table->hw_argc);
}

static void print_group(struct strbuf *out, const struct table_group *group)
{
	unsigned int i;

	strbuf_printf(out, "%s %d ", group->selector->name, group->selector_argc);
	print_words(out, group->selector_argv, group->selector_argc);
	strbuf_printf(out, "%u %d ", group->nr_paths, group->paths[0].argc);
	for (i = 0; i < group->nr_paths; i++) {
		mpath_table_print_word(group->paths[i].address, out);
		print_words(out, group->paths[i].argv, group->paths[i].argc);
	}
}

static void print_table(struct strbuf *out, const struct mpath_table *table)
{
	unsigned int i;

	if (table->has_length)
		strbuf_printf(out, "0 %llu multipath ", (unsigned long long)table->nr_sectors);
	print_features(out, table);
	mpath_table_print_hw_handler(table, out);
	strbuf_printf(out, "%u %u ", table->nr_groups, table->initial_group);
	for (i = 0; i < table->nr_groups; i++)
		print_group(out, &table->groups[i]);
}

/* What words do not say; and what stands in the plug-ins' place in a test stands in the copy, too.
 */
static void keep_what_is_not_printed(struct mpath_table *table, const struct mpath_table *sketch)
{
	unsigned int g, i;

	table->hw_handler = sketch->hw_handler;
	table->find_hw_handler = sketch->find_hw_handler;
	for (g = 0; g < table->nr_groups; g++) {
		struct table_group *group = &table->groups[g];

		group->selector = sketch->groups[g].selector;
		for (i = 0; i < group->nr_paths; i++)
			strcpy(group->paths[i].device, sketch->groups[g].paths[i].device);
	}
}

int mpath_table_copy(const struct mpath_table *sketch, struct mpath_table **table,
		     struct strbuf *error)
{
	char *text = malloc(PRINT_MAX);
	struct strbuf out;
	int err;

	*table = NULL;
	if (!text) {
		strbuf_printf(error, "out of memory");
		return -ENOMEM;
	}
	strbuf_init(&out, text, PRINT_MAX);
	print_table(&out, sketch);
	err = mpath_table_parse(text, table, error);
	free(text);
	if (!err)
		keep_what_is_not_printed(*table, sketch);
	return err;
}

int mpath_table_with_groups(const struct mpath_table *head, const struct mpath_table *groups,
			    struct mpath_table **table, struct strbuf *error)
{
	struct mpath_table sketch = *head;

	sketch.groups = groups->groups;
	sketch.nr_groups = groups->nr_groups;
	sketch.initial_group = groups->initial_group;
	return mpath_table_copy(&sketch, table, error);
}

static unsigned int count_paths(const struct mpath_table *table)
{
	unsigned int i, n = 0;

	for (i = 0; i < table->nr_groups; i++)
		n += table->groups[i].nr_paths;
	return n;
}

/* The paths of @table that are assigned to group @number, with the words of the first one's. */
static void sketch_group(const struct mpath_table *table, const unsigned int *assignment,
			 unsigned int number, struct table_group *group)
{
	unsigned int g, i, n = 0;

	for (g = 0; g < table->nr_groups; g++) {
		const struct table_group *old = &table->groups[g];

		for (i = 0; i < old->nr_paths; i++, n++) {
			struct table_path *path = &group->paths[group->nr_paths];

			if (assignment[n] != number)
				continue;
			if (!group->nr_paths++) {
				group->selector = old->selector;
				group->selector_argv = old->selector_argv;
				group->selector_argc = old->selector_argc;
			}
			*path = old->paths[i];
			if (path->argc != group->paths[0].argc) {
				path->argv = group->paths[0].argv;
				path->argc = group->paths[0].argc;
			}
		}
	}
}

/* A path more: with the words of its group, or as a group of its own with those of the last. */
static void sketch_new_path(const struct mpath_table *table, char *address,
			    struct table_group *group)
{
	const struct table_group *last = &table->groups[table->nr_groups - 1];
	struct table_path *path = &group->paths[group->nr_paths];

	if (!group->nr_paths++) {
		group->selector = last->selector;
		group->selector_argv = last->selector_argv;
		group->selector_argc = last->selector_argc;
		*path = last->paths[0];
	} else {
		*path = group->paths[0];
	}
	path->address = address;
	path->device[0] = '\0';
}

int mpath_table_regroup(const struct mpath_table *table, const unsigned int *assignment,
			char *new_path, unsigned int new_group, struct mpath_table **result,
			struct strbuf *error)
{
	unsigned int nr_paths = count_paths(table), nr_groups = new_group, i, n = 0;
	struct mpath_table sketch = *table;
	struct table_path *paths;
	int err = -ENOMEM;

	*result = NULL;
	for (i = 0; i < nr_paths; i++)
		if (assignment[i] > nr_groups)
			nr_groups = assignment[i];
	sketch.groups = calloc(nr_groups + 1, sizeof(*sketch.groups));
	paths = calloc(nr_paths + 2, sizeof(*paths));
	if (!sketch.groups || !paths) {
		strbuf_printf(error, "out of memory");
		goto out;
	}

	sketch.nr_groups = 0;
	for (i = 1; i <= nr_groups; i++) {
		struct table_group *group = &sketch.groups[sketch.nr_groups];

		group->paths = paths + n;
		sketch_group(table, assignment, i, group);
		if (new_path && new_group == i)
			sketch_new_path(table, new_path, group);
		n += group->nr_paths;
		if (group->nr_paths)
			sketch.nr_groups++;
	}
	if (!sketch.nr_groups)
		sketch.initial_group = 0;
	else if (!sketch.initial_group || sketch.initial_group > sketch.nr_groups)
		sketch.initial_group = 1;
	err = mpath_table_copy(&sketch, result, error);
out:
	free(paths);
	free(sketch.groups);
	return err;
}
