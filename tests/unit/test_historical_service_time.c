/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * historical-service-time, as dm's 0.1.1 (F14).  With base_weight 0 the last service time alone
 * counts, which makes the choices easy to follow: a path's estimate is its last service time, times
 * its commands in flight and one more.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unit/lib/group.h"

#define BYTES	4096
#define STEP_NS (UINT64_C(1) << 24)

static void new_group(struct group *g, const char *words, unsigned int nr_paths)
{
	group_new(g, "historical-service-time", words);
	while (nr_paths--)
		group_add_path(g, "");
}

/* A command that was on the path from @start_ns until @end_ns. */
static void serve(struct group *g, unsigned int id, uint64_t start_ns, uint64_t end_ns)
{
	group_start_on(g, id, BYTES);
	g->now_ns = end_ns;
	group_end(g, id, BYTES, start_ns);
}

static void expect_service_time(struct group *g, unsigned int id, uint64_t fixed)
{
	struct strbuf out;
	char text[100];

	strbuf_init(&out, text, sizeof(text));
	g->ps.type->status(&g->ps, &g->paths[id], STATUS_INFO, &out);
	assert(strtoull(text, NULL, 10) == fixed);
}

/* --- The average --- */

/* 1024 * 0.95 of what was (1 ns), and 0.05 of 100 us; stale after two service times. */
static void test_the_average_follows_slowly(void)
{
	struct group g;

	new_group(&g, "", 2);
	group_expect_status(&g, 0, STATUS_INFO, "1024 0 0 ");
	serve(&g, 0, 1000, 101000);
	group_expect_status(&g, 0, STATUS_INFO, "5200972 0 111158 ");
	serve(&g, 0, 150000, 250000);
	group_expect_status(&g, 0, STATUS_INFO, "10136860 0 269798 ");
	group_expect_status(&g, 1, STATUS_INFO, "1024 0 0 ");
	group_free(&g);
}

/* The longer a command took, the less the past counts: 972, 923, ... of 1024 per 17 ms. */
static void test_a_long_command_outweighs_the_past(void)
{
	struct group g;

	new_group(&g, "", 1);
	serve(&g, 0, 1, 1 + 20000000); /* the second step: (1024 * 923 + t * 101) / 1024 */
	expect_service_time(&g, 0, 2020000923);
	group_free(&g);

	new_group(&g, "", 1);
	serve(&g, 0, 1, 1 + 63 * STEP_NS); /* the last one: only it counts */
	expect_service_time(&g, 0, 63 * STEP_NS * 1024);
	serve(&g, 0, g.now_ns, g.now_ns + 1000 * STEP_NS);
	expect_service_time(&g, 0, 1000 * STEP_NS * 1024);
	group_free(&g);
}

/* Two at a time take as long as one after the other. */
static void test_who_waited_behind_another_was_not_served_then(void)
{
	struct group g;

	new_group(&g, "0", 1);
	group_start_on(&g, 0, BYTES);
	group_start_on(&g, 0, BYTES);
	g.now_ns = 2000;
	group_end(&g, 0, BYTES, 1000);
	expect_service_time(&g, 0, 1000 * 1024);
	g.now_ns = 2700;
	group_end(&g, 0, BYTES, 1500);
	group_expect_status(&g, 0, STATUS_INFO, "716800 0 3400 "); /* 700 ns since 2000 */
	group_free(&g);
}

/* One clock reading for a batch: a command may end when it started, or seem to end before. */
static void test_no_time_at_all(void)
{
	struct group g;

	new_group(&g, "0", 1);
	serve(&g, 0, 5000, 5000);
	group_expect_status(&g, 0, STATUS_INFO, "0 0 5000 ");
	serve(&g, 0, 5000, 6000);
	serve(&g, 0, 9000, 7000);
	group_expect_status(&g, 0, STATUS_INFO, "0 0 7000 ");
	group_free(&g);
}

static void test_a_service_time_that_fills_all_bits(void)
{
	struct group g;

	new_group(&g, "", 1);
	serve(&g, 0, 1, UINT64_MAX / 2);
	expect_service_time(&g, 0, UINT64_MAX >> 10);
	group_free(&g);
}

/* Stale after one service time for each path that is in use. */
static void test_failed_paths_do_not_count_for_staleness(void)
{
	struct group g;

	new_group(&g, "0", 3);
	serve(&g, 0, 1000, 2000);
	group_expect_status(&g, 0, STATUS_INFO, "1024000 0 5000 ");
	group_fail(&g, 1);
	serve(&g, 0, 2000, 3000);
	group_expect_status(&g, 0, STATUS_INFO, "1024000 0 5000 ");
	group_reinstate(&g, 1);
	serve(&g, 0, 3000, 4000);
	group_expect_status(&g, 0, STATUS_INFO, "1024000 0 7000 ");
	group_free(&g);
}

/* --- The choice --- */

static void test_paths_that_nobody_knows_take_turns(void)
{
	struct group g;

	new_group(&g, "", 3);
	group_expect_starts(&g, BYTES, "012012");
	group_free(&g);
}

/*
 * 1 us and 3 us, both fresh.  At first both are idle: the one that will be stale first.  Then the
 * estimates, in us: 2/3 -> 0, 3/3 -> 0, who had its turn last, 4/3 -> 1, 4/6, 5/6, 6/6 -> 0, ...
 */
static void test_shares_follow_the_service_times(void)
{
	struct group g;

	new_group(&g, "0", 2);
	serve(&g, 1, 1000, 4000);
	serve(&g, 0, 3000, 4000);
	group_expect_status(&g, 0, STATUS_INFO, "1024000 0 6000 ");
	group_expect_status(&g, 1, STATUS_INFO, "3072000 0 10000 ");
	group_expect_starts(&g, BYTES, "0001000100010001");
	group_free(&g);
}

/* 50 us against 1 us, but nobody has heard of it for long: one command finds out. */
static void test_an_idle_path_that_is_stale_gets_one_command(void)
{
	struct group g;

	new_group(&g, "0", 2);
	serve(&g, 1, 50000, 100000); /* stale after 200000 */
	for (int i = 0; i < 3; i++)
		group_start_on(&g, 0, BYTES);
	serve(&g, 0, 199000, 200000);
	group_expect_starts(&g, BYTES, "000");
	g.now_ns = 200001;
	group_expect_starts(&g, BYTES, "1000");
	group_free(&g);
}

static void test_of_stale_idle_paths_the_one_that_was_heard_of_longest_ago(void)
{
	struct group g;

	new_group(&g, "0", 3);
	serve(&g, 2, 1000, 2000);
	serve(&g, 0, 2000, 3000);
	serve(&g, 1, 3000, 4000);
	g.now_ns = 50000;
	group_expect_starts(&g, BYTES, "201");
	group_free(&g);
}

/* It would win by far, but it has not answered for long: not more than the others. */
static void test_a_stale_path_in_use_is_limited_to_what_the_others_have(void)
{
	struct group g;

	new_group(&g, "0", 2);
	serve(&g, 0, 1000, 2000);
	group_start_on(&g, 0, BYTES);
	serve(&g, 1, 50000, 100000);
	group_expect_starts(&g, BYTES,
			    "1"); /* idle and fresh before stale, though 2 us against 50 */
	group_expect_starts(&g, BYTES, "01010");
	g.now_ns = 100500;
	group_end(&g, 0, BYTES, 100000); /* there it is again: 0.5 us, and 2 against 3 in flight */
	group_expect_starts(&g, BYTES, "00000");
	group_free(&g);
}

/* dm's comparison with a path that was never stale nor fresh ends in a draw. */
static void test_who_has_never_answered_keeps_its_place_as_in_dm(void)
{
	struct group g;

	new_group(&g, "0", 2);
	group_expect_starts(&g, BYTES, "01");
	g.now_ns = 2000;
	group_end(&g, 1, BYTES, 1000); /* stale after 4000 */
	g.now_ns = 5000;
	assert(group_select(&g, BYTES) == 0);
	group_free(&g);
}

/* Up to three times as long is as good; then the commands in flight decide alone. */
static void test_threshold(void)
{
	struct group g;

	new_group(&g, "0 3", 2);
	serve(&g, 1, 1000, 4000);
	serve(&g, 0, 3000, 4000);
	group_expect_starts(&g, BYTES, "010101");
	group_free(&g);

	new_group(&g, "0 3", 2);
	serve(&g, 1, 999, 4000); /* 3.001 us against 1: too long */
	serve(&g, 0, 3000, 4000);
	group_expect_starts(&g, BYTES, "000100");
	group_free(&g);

	/* 1: only service times that are the same. */
	new_group(&g, "0 1", 2);
	serve(&g, 0, 1000, 4000);
	serve(&g, 1, 4000, 7000);
	group_expect_starts(&g, BYTES, "0101");
	group_free(&g);
}

/* Above 1023 in flight the products of the longest service times would not fit. */
static void test_so_many_in_flight_that_estimates_would_not_fit(void)
{
	struct group g;

	new_group(&g, "0", 2);
	serve(&g, 0, 1, UINT64_MAX / 2);		 /* 2^54 - 1, the most there is */
	serve(&g, 1, g.now_ns, g.now_ns + (1ull << 43)); /* 2^53: half of it */
	for (int i = 0; i < 1024; i++)
		group_start_on(&g, 0, BYTES);
	for (int i = 0; i < 1500; i++)
		group_start_on(&g, 1, BYTES);
	assert(group_select(&g, BYTES) == 1); /* 1501 halves against 1025 */
	group_free(&g);
}

static void test_a_failed_path_is_left_out_until_it_comes_back(void)
{
	struct group g;

	new_group(&g, "0", 3);
	serve(&g, 0, 1000, 2000);
	serve(&g, 1, 2000, 3000);
	serve(&g, 2, 3000, 4000);
	group_fail(&g, 0);
	group_expect_starts(&g, BYTES, "12");
	group_reinstate(&g, 0);
	group_expect_starts(&g, BYTES, "0");
	group_fail(&g, 1);
	group_end(&g, 1, BYTES, 3500); /* F13: what was there still ends there */
	group_expect_status(&g, 1, STATUS_INFO, "512000 0 5000 ");
	group_fail(&g, 0);
	group_fail(&g, 2);
	group_expect_starts(&g, BYTES, "-");
	group_free(&g);
}

/* --- Words --- */

static void test_status_words(void)
{
	struct group g;

	new_group(&g, "", 1);
	group_expect_status(&g, -1, STATUS_INFO, "2 972 0 ");
	group_expect_status(&g, -1, STATUS_TABLE, "2 972 0 ");
	group_expect_status(&g, 0, STATUS_TABLE, "0 ");
	assert(g.ps.type->table_args == 1 && g.ps.type->info_args == 3);
	group_free(&g);

	new_group(&g, "512", 0);
	group_add_path(&g, "5"); /* taken, and never heard of again, as in dm */
	group_expect_status(&g, -1, STATUS_TABLE, "2 512 0 ");
	group_expect_status(&g, 0, STATUS_TABLE, "0 ");
	group_free(&g);

	new_group(&g, "1023 4294967295", 0);
	group_expect_status(&g, -1, STATUS_TABLE, "2 1023 4294967295 ");
	group_free(&g);
}

static void test_bad_words(void)
{
	static const struct {
		const char *words;
		const char *error;
	} bad[] = {
		{"1024", "expected a base_weight from 0 to 1023"},
		{"x", "expected a base_weight from 0 to 1023"},
		{"-1", "expected a base_weight from 0 to 1023"},
		{"1 x", "expected a number as threshold_multiplier"},
		{"1 2 3", "expected at most base_weight and threshold_multiplier"},
	};
	static const char prefix[] = "historical-service-time ps: ";
	struct group g;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert(group_try_new(&g, "historical-service-time", bad[i].words) == -EINVAL);
		assert(!strncmp(g.error, prefix, strlen(prefix)));
		assert(!strcmp(g.error + strlen(prefix), bad[i].error));
	}

	new_group(&g, "", 0);
	assert(group_try_add_path(&g, "x") == -EINVAL);
	assert(!strcmp(g.error, "historical-service-time ps: invalid repeat count"));
	assert(group_try_add_path(&g, "1 1") == -EINVAL);
	assert(!strcmp(g.error, "historical-service-time ps: incorrect number of arguments"));
	group_free(&g);
}

int main(void)
{
	test_the_average_follows_slowly();
	test_a_long_command_outweighs_the_past();
	test_who_waited_behind_another_was_not_served_then();
	test_no_time_at_all();
	test_a_service_time_that_fills_all_bits();
	test_failed_paths_do_not_count_for_staleness();
	test_paths_that_nobody_knows_take_turns();
	test_shares_follow_the_service_times();
	test_an_idle_path_that_is_stale_gets_one_command();
	test_of_stale_idle_paths_the_one_that_was_heard_of_longest_ago();
	test_a_stale_path_in_use_is_limited_to_what_the_others_have();
	test_who_has_never_answered_keeps_its_place_as_in_dm();
	test_threshold();
	test_so_many_in_flight_that_estimates_would_not_fit();
	test_a_failed_path_is_left_out_until_it_comes_back();
	test_status_words();
	test_bad_words();
	return 0;
}
