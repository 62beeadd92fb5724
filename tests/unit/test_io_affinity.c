/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-affinity: the path of the CPU, else the lowest CPU's that is usable (F16).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "unit/lib/group.h"

static void new_group(struct group *g, const char *const *masks, unsigned int nr_paths)
{
	group_new(g, "io-affinity", "");
	for (unsigned int i = 0; i < nr_paths; i++)
		group_add_path(g, masks[i]);
}

static int select_on(struct group *g, int cpu)
{
	g->cpu = cpu;
	return group_select(g, 4096);
}

static void test_each_cpu_has_its_path(void)
{
	static const char *const masks[] = {"3", "c", "1,00000000"};
	struct group g;

	new_group(&g, masks, 3);
	for (int again = 0; again < 2; again++) {
		assert(select_on(&g, 0) == 0 && select_on(&g, 1) == 0);
		assert(select_on(&g, 2) == 1 && select_on(&g, 3) == 1);
		assert(select_on(&g, 32) == 2);
	}
	group_expect_status(&g, 0, STATUS_INFO, "0 ");
	group_free(&g);
}

/* Not the path that stands first in the table, but the one with the lowest CPU. */
static void test_a_cpu_without_a_path_takes_the_lowest_cpus_and_is_counted(void)
{
	static const char *const masks[] = {"f0", "2", "4"};
	struct group g;

	new_group(&g, masks, 3);
	assert(select_on(&g, 0) == 1);
	assert(select_on(&g, 9) == 1);
	assert(select_on(&g, -1) == 1); /* unknown */
	assert(select_on(&g, 1024) == 1);
	assert(select_on(&g, 4) == 0);
	group_expect_status(&g, 0, STATUS_INFO, "4 ");
	group_expect_status(&g, 1, STATUS_INFO, "4 "); /* the group's count, at each path */
	group_expect_status(&g, 2, STATUS_INFO, "4 ");
	group_free(&g);
}

static void test_a_failed_path_is_stood_in_for_and_not_counted(void)
{
	static const char *const masks[] = {"1", "2", "4"};
	struct group g;

	new_group(&g, masks, 3);
	group_fail(&g, 0);
	assert(select_on(&g, 0) == 1);
	assert(select_on(&g, 2) == 2);
	group_fail(&g, 1);
	assert(select_on(&g, 0) == 2 && select_on(&g, 1) == 2);
	group_fail(&g, 2);
	assert(select_on(&g, 0) == -1 && select_on(&g, 7) == -1);
	group_reinstate(&g, 1);
	assert(select_on(&g, 0) == 1 && select_on(&g, 1) == 1 && select_on(&g, 2) == 1);
	group_reinstate(&g, 0);
	assert(select_on(&g, 0) == 0 && select_on(&g, 2) == 0);
	group_expect_status(&g, 0, STATUS_INFO, "1 "); /* CPU 7 */
	group_free(&g);
}

/* The first who names a CPU has it. */
static void test_a_cpu_that_is_taken_is_ignored_with_a_warning(void)
{
	static const char *const masks[] = {"3"};
	struct group g;

	new_group(&g, masks, 1);
	assert(group_try_add_path(&g, "6") == 0);
	assert(!strcmp(g.error, "io-affinity ps: CPU mapping for 1 exists. Ignoring."));
	assert(select_on(&g, 1) == 0 && select_on(&g, 2) == 1);
	group_expect_status(&g, 1, STATUS_TABLE, "6 "); /* as it was given, as in dm */

	assert(group_try_add_path(&g, "7") == -EINVAL);
	assert(!strcmp(g.error, "io-affinity ps: No new/valid CPU mapping found"));
	group_fail(&g, 0);
	group_fail(&g, 1);
	assert(select_on(&g, 0) == -1); /* what was refused is not used */
	group_free(&g);
}

static void test_masks_are_printed_as_short_as_they_can_be(void)
{
	static const char *const masks[][2] = {
		{"00000001", "1 "},
		{"2", "2 "},
		{"1,00000000", "1,00000000 "},
		{"Ab,0,c0", "ab,00000000,000000c0 "},
		{",,100,", "100 "},
		{"80000000,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
		 "80000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,"
		 "00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,"
		 "00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,"
		 "00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000 "},
	};
	struct group g;

	new_group(&g, NULL, 0);
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		group_add_path(&g, masks[i][0]);
		group_expect_status(&g, (int)i, STATUS_TABLE, masks[i][1]);
	}
	assert(select_on(&g, 1023) == 5);
	group_expect_status(&g, -1, STATUS_INFO, "0 ");
	group_expect_status(&g, -1, STATUS_TABLE, "0 ");
	assert(g.ps.type->table_args == 1 && g.ps.type->info_args == 1);
	group_free(&g);
}

static void test_words(void)
{
	static const struct {
		const char *words;
		const char *error;
	} bad[] = {
		{"", "io-affinity ps: invalid number of arguments"},
		{"1 2", "io-affinity ps: invalid number of arguments"},
		{"x", "io-affinity ps: invalid cpumask"},
		{"0x1", "io-affinity ps: invalid cpumask"},
		{"1g,1", "io-affinity ps: invalid cpumask"},
		{"-1", "io-affinity ps: invalid cpumask"},
		{"100000000", "io-affinity ps: invalid cpumask"}, /* 33 bits in a group */
		{"1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0", /* CPU 1024 */
		 "io-affinity ps: invalid cpumask"},
		{"0", "io-affinity ps: No new/valid CPU mapping found"},
		{",", "io-affinity ps: No new/valid CPU mapping found"},
	};
	struct group g;

	new_group(&g, NULL, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert(group_try_add_path(&g, bad[i].words) == -EINVAL);
		assert(!strcmp(g.error, bad[i].error));
	}
	assert(select_on(&g, 0) == -1);
	group_free(&g);
}

int main(void)
{
	test_each_cpu_has_its_path();
	test_a_cpu_without_a_path_takes_the_lowest_cpus_and_is_counted();
	test_a_failed_path_is_stood_in_for_and_not_counted();
	test_a_cpu_that_is_taken_is_ignored_with_a_warning();
	test_masks_are_printed_as_short_as_they_can_be();
	test_words();
	return 0;
}
