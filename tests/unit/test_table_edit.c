/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New tables out of old ones: a copy says the same, groups are re-assigned, a path is added.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/multipath.h"
#include "core/table_edit.h"

static struct mpath_table *parse(const char *text)
{
	struct mpath_table *table;
	char why[300];
	struct strbuf error;

	strbuf_init(&error, why, sizeof(why));
	if (mpath_table_parse(text, &table, &error)) {
		fprintf(stderr, "%s: %s\n", text, why);
		abort();
	}
	return table;
}

/*
 * The table as the core prints it: with the words for the devices that it was given, in a form that
 * can be given again.
 */
static void expect_table(const struct mpath_table *table, const char *want)
{
	struct mpath_settings settings;
	struct multipath *m;
	char text[1000];
	struct strbuf out;

	mpath_settings_init(&settings);
	strbuf_init(&out, text, sizeof(text));
	m = mpath_create("mpatha", table, &settings, NULL, &out);
	assert(m);
	mpath_status(m, STATUS_TABLE, &out);
	mpath_destroy(m);
	if (strcmp(text, want) != 0) {
		fprintf(stderr, "expected \"%s\"\nnot      \"%s\"\n", want, text);
		abort();
	}
}

static void expect_copy(const char *text, const char *want)
{
	struct mpath_table *table = parse(text), *copy;
	char why[300];
	struct strbuf error;

	strbuf_init(&error, why, sizeof(why));
	assert(mpath_table_copy(table, &copy, &error) == 0);
	mpath_table_free(table);
	expect_table(copy, want);
	mpath_table_free(copy);
}

/* Every feature, and words with spaces and backslashes in them. */
static void test_copy(void)
{
	struct mpath_table *table, *copy;
	char why[300];
	struct strbuf error;

	expect_copy("0 0 0 0", "0 0 0 0 ");
	expect_copy("8 queue_mode bio retain_attached_hw_handler pg_init_delay_msecs 0 "
		    "pg_init_retries 3 queue_if_no_path 0 1 7 round-robin 0 1 1 8:0 5",
		    "8 queue_if_no_path pg_init_retries 3 pg_init_delay_msecs 0 "
		    "retain_attached_hw_handler queue_mode bio 0 1 1 round-robin 0 1 1 8:0 1 ");
	expect_copy("0 0 1 1 round-robin 0 2 0 /dev/a\\ b\\\\c /dev/d",
		    "0 0 1 1 round-robin 0 2 1 /dev/a\\ b\\\\c 1 /dev/d 1 ");

	strbuf_init(&error, why, sizeof(why));
	table = parse("0 2048 multipath 0 0 1 3 round-robin 2 x y 1 0 8:0");
	assert(mpath_table_copy(table, &copy, &error) == 0);
	assert(copy->has_length && copy->nr_sectors == 2048 && copy->initial_group == 3);
	assert(copy->groups[0].selector_argc == 2 &&
	       strcmp(copy->groups[0].selector_argv[1], "y") == 0);
	mpath_table_free(table);
	mpath_table_free(copy);
}

static void expect_regroup(const char *text, const unsigned int *assignment, char *new_path,
			   unsigned int new_group, const char *want)
{
	struct mpath_table *table = parse(text), *result;
	char why[300];
	struct strbuf error;

	strbuf_init(&error, why, sizeof(why));
	assert(mpath_table_regroup(table, assignment, new_path, new_group, &result, &error) == 0);
	mpath_table_free(table);
	expect_table(result, want);
	mpath_table_free(result);
}

#define TABLE "0 0 2 2 round-robin 0 2 1 8:0 1 8:16 1 round-robin 0 1 0 8:32"

static void test_regroup(void)
{
	static const unsigned int same[] = {1, 1, 2}, swapped[] = {2, 2, 1}, one[] = {7, 7, 7},
				  none[] = {0, 0, 0}, less[] = {0, 3, 3};
	char path[] = "/dev/new";

	expect_regroup(TABLE, same, NULL, 0,
		       "0 0 2 2 round-robin 0 2 1 8:0 1 8:16 1 round-robin 0 1 1 8:32 1 ");
	expect_regroup(TABLE, swapped, NULL, 0,
		       "0 0 2 2 round-robin 0 1 1 8:32 1 round-robin 0 2 1 8:0 1 8:16 1 ");
	expect_regroup(TABLE, one, NULL, 0, "0 0 1 1 round-robin 0 3 1 8:0 1 8:16 1 8:32 1 ");
	expect_regroup(TABLE, none, NULL, 0, "0 0 0 0 ");
	expect_regroup(TABLE, less, NULL, 0, "0 0 1 1 round-robin 0 2 1 8:16 1 8:32 1 ");
	/* The group to begin with is not there any more: then it is the first. */
	expect_regroup("0 0 3 3 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1 round-robin 0 1 1 "
		       "8:32 1",
		       same, NULL, 0,
		       "0 0 2 1 round-robin 0 2 1 8:0 1 8:16 1 round-robin 0 1 1 8:32 1 ");
	expect_regroup(TABLE, same, path, 1,
		       "0 0 2 2 round-robin 0 3 1 8:0 1 8:16 1 /dev/new 1 round-robin 0 1 1 8:32 "
		       "1 ");
	expect_regroup(TABLE, same, path, 3,
		       "0 0 3 2 round-robin 0 2 1 8:0 1 8:16 1 round-robin 0 1 1 8:32 1 "
		       "round-robin 0 1 1 /dev/new 1 ");
}

/* A path more, alone in its group: that has the last one's selector, and its words. */
static void test_a_group_more(void)
{
	static const unsigned int same[] = {1};
	char path[] = "8:16";

	expect_regroup("0 0 1 1 historical-service-time 2 512 7 1 1 8:0 1", same, path, 2,
		       "0 0 2 1 historical-service-time 2 512 7 1 1 8:0 0 "
		       "historical-service-time 2 512 7 1 1 8:16 0 ");
}

/* What the grammar has no room for is refused. */
static void test_too_much(void)
{
	static char path[TABLE_WORD_MAX + 3];
	static const unsigned int same[] = {1, 1, 2};
	struct mpath_table *table = parse(TABLE), *result;
	char why[300];
	struct strbuf error;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	strbuf_init(&error, why, sizeof(why));
	assert(mpath_table_regroup(table, same, path, 1, &result, &error) == -EINVAL);
	assert(!result && error.len);
	mpath_table_free(table);
}

int main(void)
{
	test_copy();
	test_regroup();
	test_a_group_more();
	test_too_much();
	return 0;
}
