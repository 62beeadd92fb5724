/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service-time, as dm's 0.3.0: (bytes in flight + bytes to come) / relative throughput.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "unit/lib/group.h"

static void new_group(struct group *g, const char *const *words, unsigned int nr_paths)
{
	group_new(g, "service-time", "");
	for (unsigned int i = 0; i < nr_paths; i++)
		group_add_path(g, words[i]);
}

static void test_equal_paths_take_turns(void)
{
	static const char *const words[] = {"", "1", "1 1"};
	struct group g;

	new_group(&g, words, 3);
	group_expect_starts(&g, 4096, "012012");
	group_free(&g);
}

/* Case 1: the same throughput, so the fewer bytes. */
static void test_the_path_with_fewer_bytes_is_chosen(void)
{
	static const char *const words[] = {"1 7", "1 7"};
	struct group g;

	new_group(&g, words, 2);
	group_expect_starts(&g, 8192, "0");
	group_expect_starts(&g, 4096, "11"); /* 8192 8192: 0 had its turn earlier */
	group_expect_starts(&g, 512, "01");
	group_end(&g, 0, 8192, 1);
	group_expect_starts(&g, 4096, "00"); /* 512, then 4608 against 8704 */
	group_free(&g);
}

/* Case 2a: the same bytes, so the higher throughput, also for an idle group. */
static void test_with_equal_bytes_the_faster_path_is_chosen(void)
{
	static const char *const words[] = {"1 1", "1 3", "1 2"};
	struct group g;

	new_group(&g, words, 3);
	group_expect_starts(&g, 4096, "1");
	group_end(&g, 1, 4096, 1);
	group_expect_starts(&g, 4096, "1");
	group_free(&g);
}

/* Case 2b: 0 is used when all others have failed or have 0, too. */
static void test_throughput_0_is_for_emergencies(void)
{
	static const char *const words[] = {"1 0", "1 1", "1 0"};
	struct group g;

	new_group(&g, words, 3);
	group_expect_starts(&g, 1 << 20, "1111");
	group_fail(&g, 1);
	group_expect_starts(&g, 4096, "020");
	group_reinstate(&g, 1);
	group_expect_starts(&g, 4096, "1");
	group_free(&g);
}

/*
 * Case 3, with throughputs 1 and 3 and 4 KiB each.  In flight and the times that are compared, in
 * 4 KiB per throughput: 0/0: 1 > 1/3 -> b.  0/1: 1 > 2/3 -> b.  0/2: 1 = 3/3 -> b, case 4, the
 * faster one.  0/3: 1 < 4/3 -> a.  1/3: 2 > 4/3 -> b, and so on: a gets every fourth.
 */
static void test_shares_follow_the_throughput(void)
{
	static const char *const words[] = {"1 1", "1 3"};
	struct group g;

	new_group(&g, words, 2);
	group_expect_starts(&g, 4096, "111011101110");
	group_expect_status(&g, 0, STATUS_INFO, "12288 1 ");
	group_expect_status(&g, 1, STATUS_INFO, "36864 3 ");
	group_free(&g);
}

/* The command itself counts: a big one goes where it is through sooner. */
static void test_a_big_command_goes_to_the_faster_path(void)
{
	static const char *const words[] = {"1 1", "1 10"};
	struct group g;

	new_group(&g, words, 2);
	group_start_on(&g, 1, 100 * 1024);
	assert(group_select(&g, 1024) == 0);	    /* 1 against 10.1 */
	assert(group_select(&g, 1024 * 1024) == 1); /* 1024 against 112.4 */
	group_free(&g);
}

/* F15: beyond 2^57 bytes both are shifted, so that the products do not wrap around. */
static void test_more_bytes_than_a_product_holds(void)
{
	static const char *const words[] = {"1 1", "1 100"};
	const size_t huge = SIZE_MAX / 4;
	struct group g;

	new_group(&g, words, 2);
	group_start_on(&g, 0, 512);
	group_start_on(&g, 1, huge);
	assert(group_select(&g, 512) == 0);  /* 1024 against 2^62 / 100 */
	assert(group_select(&g, huge) == 1); /* 2^62 against 2^63 / 100 */
	group_free(&g);
}

/* dm takes the sign from the lower 32 bits of a difference, and would choose the slow path here. */
static void test_a_difference_over_2_gib_keeps_its_sign(void)
{
	static const char *const words[] = {"1 100", "1 1"};
	struct group g;

	new_group(&g, words, 2);
	group_start_on(&g, 1, 30 << 20);
	assert(group_select(&g, 4096) == 0);
	group_free(&g);
}

static void test_a_path_that_comes_back_is_last_in_turn(void)
{
	static const char *const words[] = {"", "", ""};
	struct group g;

	new_group(&g, words, 3);
	group_fail(&g, 0);
	group_expect_starts(&g, 4096, "12");
	group_end(&g, 1, 4096, 1);
	group_end(&g, 2, 4096, 1);
	group_reinstate(&g, 0);
	group_expect_starts(&g, 4096, "120");
	group_free(&g);
}

/* F13: whatever happens to the path, what was started there is taken off again. */
static void test_commands_of_a_failed_path_still_count_down(void)
{
	static const char *const words[] = {"1 2", "1 1"};
	struct group g;

	new_group(&g, words, 2);
	group_start_on(&g, 0, 8192);
	group_start_on(&g, 0, 4096);
	group_fail(&g, 0);
	group_end(&g, 0, 8192, 1);
	group_expect_status(&g, 0, STATUS_INFO, "4096 2 ");
	group_expect_starts(&g, 4096, "1");
	group_end(&g, 0, 4096, 1);
	group_reinstate(&g, 0);
	group_expect_status(&g, 0, STATUS_INFO, "0 2 ");
	group_expect_starts(&g, 4096, "0");
	group_fail(&g, 0);
	group_fail(&g, 1);
	group_expect_starts(&g, 4096, "-");
	group_free(&g);
}

static void test_status_words(void)
{
	static const char *const words[] = {"1 100", "0 0", ""};
	struct group g;

	new_group(&g, words, 3);
	group_expect_status(&g, -1, STATUS_INFO, "0 ");
	group_expect_status(&g, -1, STATUS_TABLE, "0 ");
	group_expect_status(&g, 0, STATUS_TABLE, "1 100 ");
	group_expect_status(&g, 1, STATUS_TABLE, "0 0 ");
	group_expect_status(&g, 2, STATUS_TABLE, "1 1 ");
	group_expect_status(&g, 2, STATUS_INFO, "0 1 ");
	assert(g.ps.type->table_args == 2 && g.ps.type->info_args == 2);
	group_free(&g);
}

static void test_words(void)
{
	static const struct {
		const char *words;
		const char *error;
	} bad[] = {
		{"x", "service-time ps: invalid repeat count"},
		{"-1 1", "service-time ps: invalid repeat count"},
		{"1 101", "service-time ps: invalid relative_throughput value"},
		{"1 -1", "service-time ps: invalid relative_throughput value"},
		{"1 1x", "service-time ps: invalid relative_throughput value"},
		{"1 1 1", "service-time ps: incorrect number of arguments"},
	};
	struct group g;

	new_group(&g, NULL, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert(group_try_add_path(&g, bad[i].words) == -EINVAL);
		assert(!strcmp(g.error, bad[i].error));
	}
	group_expect_starts(&g, 4096, "-"); /* what was refused takes no turns */

	assert(group_try_add_path(&g, "128 5") == 0);
	assert(!strcmp(g.error,
		       "service-time ps: repeat_count > 1 is deprecated, using 1 instead"));
	group_expect_status(&g, 0, STATUS_TABLE, "1 5 ");
	group_free(&g);

	group_new(&g, "service-time", "any words"); /* dm uses none */
	group_free(&g);
}

int main(void)
{
	test_equal_paths_take_turns();
	test_the_path_with_fewer_bytes_is_chosen();
	test_with_equal_bytes_the_faster_path_is_chosen();
	test_throughput_0_is_for_emergencies();
	test_shares_follow_the_throughput();
	test_a_big_command_goes_to_the_faster_path();
	test_more_bytes_than_a_product_holds();
	test_a_difference_over_2_gib_keeps_its_sign();
	test_a_path_that_comes_back_is_last_in_turn();
	test_commands_of_a_failed_path_still_count_down();
	test_status_words();
	test_words();
	return 0;
}
