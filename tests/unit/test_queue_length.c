/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue-length, as dm's 0.2.0: the fewest commands in flight, and of equals the one whose turn is
 * the longest ago.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "unit/lib/group.h"

#define BYTES 4096

static void new_group(struct group *g, unsigned int nr_paths)
{
	group_new(g, "queue-length", "");
	while (nr_paths--)
		group_add_path(g, "");
}

static void end(struct group *g, unsigned int id)
{
	group_end(g, id, BYTES, g->now_ns);
}

static void test_equals_take_turns(void)
{
	struct group g;

	new_group(&g, 3);
	group_expect_starts(&g, BYTES, "012012");
	group_free(&g);
}

/* One command at a time: every path is idle each time, and still each gets its share. */
static void test_idle_paths_take_turns(void)
{
	struct group g;

	new_group(&g, 3);
	for (unsigned int i = 0; i < 9; i++) {
		assert(group_start(&g, BYTES) == (int)(i % 3));
		end(&g, i % 3);
	}
	group_free(&g);
}

static void test_the_path_with_the_fewest_commands_is_chosen(void)
{
	struct group g;

	new_group(&g, 3);
	group_expect_starts(&g, BYTES, "012012"); /* 2 2 2 */
	end(&g, 1);
	end(&g, 1);
	group_expect_starts(&g, BYTES, "11"); /* 2 2 2, and 1 had its turn last */
	group_expect_starts(&g, BYTES, "021");
	group_free(&g);
}

/* The number of commands counts, not their size. */
static void test_bytes_do_not_count(void)
{
	struct group g;

	new_group(&g, 2);
	assert(group_start(&g, 1 << 20) == 0);
	assert(group_start(&g, 512) == 1);
	assert(group_start(&g, 512) == 0);
	group_free(&g);
}

/* A choice is a turn, also when the command then starts elsewhere. */
static void test_who_was_chosen_goes_last_even_without_a_command(void)
{
	struct group g;

	new_group(&g, 3);
	assert(group_select(&g, BYTES) == 0);
	assert(group_select(&g, BYTES) == 1);
	group_start_on(&g, 2, BYTES);
	assert(group_select(&g, BYTES) == 0);
	group_free(&g);
}

static void test_a_failed_path_is_left_out_and_comes_back_last_in_turn(void)
{
	struct group g;

	new_group(&g, 3);
	group_fail(&g, 1);
	group_expect_starts(&g, BYTES, "020");
	end(&g, 0);
	end(&g, 0);
	end(&g, 2);
	group_reinstate(&g, 1); /* turns, oldest first: 2 0 1 */
	group_expect_starts(&g, BYTES, "201201");
	group_free(&g);
}

/* Commands that were on the path when it failed end later; it comes back with what is left. */
static void test_commands_of_a_failed_path_still_count_down(void)
{
	struct group g;

	new_group(&g, 2);
	group_expect_starts(&g, BYTES, "010101");
	group_fail(&g, 0);
	end(&g, 0);
	group_expect_status(&g, 0, STATUS_INFO, "2 ");
	group_reinstate(&g, 0);
	group_expect_starts(&g, BYTES, "0"); /* 2 against 3 */
	for (int i = 0; i < 3; i++)
		end(&g, 0);
	group_expect_status(&g, 0, STATUS_INFO, "0 ");
	group_expect_status(&g, 1, STATUS_INFO, "3 ");
	group_free(&g);
}

static void test_no_path_left(void)
{
	struct group g;

	new_group(&g, 1);
	group_fail(&g, 0);
	group_expect_starts(&g, BYTES, "--");
	group_reinstate(&g, 0);
	group_expect_starts(&g, BYTES, "0");
	group_free(&g);
}

static void test_status_words(void)
{
	struct group g;

	new_group(&g, 0);
	group_add_path(&g, "1");
	group_add_path(&g, "0");
	group_expect_starts(&g, BYTES, "010");
	group_expect_status(&g, -1, STATUS_INFO, "0 ");
	group_expect_status(&g, -1, STATUS_TABLE, "0 ");
	group_expect_status(&g, 0, STATUS_INFO, "2 ");
	group_expect_status(&g, 1, STATUS_INFO, "1 ");
	group_expect_status(&g, 0, STATUS_TABLE, "1 ");
	group_expect_status(&g, 1, STATUS_TABLE, "0 "); /* dm keeps it, too */
	assert(g.ps.type->table_args == 1 && g.ps.type->info_args == 1);
	group_free(&g);
}

static void test_words(void)
{
	static const char *const bad[] = {"x", "1x", "-1", "0x1", "4294967296"};
	struct group g;

	new_group(&g, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert(group_try_add_path(&g, bad[i]) == -EINVAL);
		assert(!strcmp(g.error, "queue-length ps: invalid repeat count"));
	}
	assert(group_try_add_path(&g, "1 1") == -EINVAL);
	assert(!strcmp(g.error, "queue-length ps: incorrect number of arguments"));
	group_expect_starts(&g, BYTES, "-"); /* what was refused takes no turns */

	assert(group_try_add_path(&g, "1000") == 0);
	assert(!strcmp(g.error,
		       "queue-length ps: repeat_count > 1 is deprecated, using 1 instead"));
	group_expect_status(&g, 0, STATUS_TABLE, "1 ");
	group_free(&g);

	group_new(&g, "queue-length", "any words"); /* dm uses none */
	group_free(&g);
}

int main(void)
{
	test_equals_take_turns();
	test_idle_paths_take_turns();
	test_the_path_with_the_fewest_commands_is_chosen();
	test_bytes_do_not_count();
	test_who_was_chosen_goes_last_even_without_a_command();
	test_a_failed_path_is_left_out_and_comes_back_last_in_turn();
	test_commands_of_a_failed_path_still_count_down();
	test_no_path_left();
	test_status_words();
	test_words();
	return 0;
}
