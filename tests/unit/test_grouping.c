/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Priorities, and which paths belong together (multipathd's rules).
 */
#include <assert.h>
#include <string.h>

#include "mpath/grouping.h"
#include "mpath/scsi.h"

#define PATHS_MAX 8

/* --- priorities --- */

static int alua(uint8_t state, bool preferred, bool exclusive)
{
	const struct port_group group = {
		.known = true, .state_known = true, .state = state, .preferred = preferred};

	return prio_alua(&group, exclusive);
}

static void test_alua(void)
{
	const struct port_group unknown = {.known = true, .preferred = true};

	assert(alua(ALUA_OPTIMIZED, false, false) == 50);
	assert(alua(ALUA_NON_OPTIMIZED, false, false) == 10);
	assert(alua(ALUA_LBA_DEPENDENT, false, false) == 5);
	assert(alua(ALUA_STANDBY, false, false) == 1);
	assert(alua(ALUA_UNAVAILABLE, false, false) == 0);
	assert(alua(ALUA_OFFLINE, false, false) == 0);
	assert(alua(ALUA_TRANSITIONING, false, false) == 0);
	assert(alua(0x7, false, false) == 0);
	assert(prio_alua(&unknown, true) == PRIO_UNDEF);
}

/* The preferred bit: of no account where the group is optimized anyhow, unless it is to be. */
static void test_the_preferred_bit(void)
{
	assert(alua(ALUA_OPTIMIZED, true, false) == 50);
	assert(alua(ALUA_OPTIMIZED, true, true) == 130);
	assert(alua(ALUA_NON_OPTIMIZED, true, false) == 90);
	assert(alua(ALUA_STANDBY, true, false) == 81);
	assert(alua(ALUA_UNAVAILABLE, true, true) == 80);
	assert(alua(ALUA_NON_OPTIMIZED, false, true) == 10);
}

static void test_const_and_latency(void)
{
	assert(prio_const() == 1);
	assert(prio_path_latency(0, 100, PRIO_UNDEF) == PRIO_UNDEF);
	assert(prio_path_latency(1, 100, PRIO_UNDEF) == 8);
	assert(prio_path_latency(9, 100, PRIO_UNDEF) == 7);
	assert(prio_path_latency(10, 100, PRIO_UNDEF) == 7);
	assert(prio_path_latency(11, 100, PRIO_UNDEF) == 6);
	assert(prio_path_latency(10000000, 100, PRIO_UNDEF) == 1);
	assert(prio_path_latency(10000001, 100, PRIO_UNDEF) == 0);
	assert(prio_path_latency(UINT64_MAX, 100, PRIO_UNDEF) == 0);
	assert(prio_path_latency(1, 11, PRIO_UNDEF) == 193);
	assert(prio_path_latency(100, 20, PRIO_UNDEF) == 19);
	assert(prio_path_latency(1, 10, PRIO_UNDEF) == 200); /* no base at all: it ends */
	/* 1525 us is the last of priority 16; what was before stays, but not for long */
	assert(prio_path_latency(1525, 20, PRIO_UNDEF) == 16);
	assert(prio_path_latency(1526, 20, PRIO_UNDEF) == 15);
	assert(prio_path_latency(1526, 20, 16) == 16 && prio_path_latency(1700, 20, 16) == 16);
	assert(prio_path_latency(1720, 20, 16) == 15);
	assert(prio_path_latency(1525, 20, 15) == 15 && prio_path_latency(1360, 20, 15) == 15);
	assert(prio_path_latency(1350, 20, 15) == 16);
	assert(prio_path_latency(1526, 20, 17) == 15 && prio_path_latency(1525, 20, 14) == 16);
}

/* --- groups --- */

static struct grouping_path path(int prio, uint16_t tpg, const char *serial)
{
	return (struct grouping_path){.prio = prio, .usable = true, .tpg = tpg, .serial = serial};
}

static struct grouping_group groups[PATHS_MAX];

/* @want has one digit for each path, the number of its group. */
static void expect_groups(enum grouping grouping, const struct grouping_path *paths,
			  const char *want)
{
	unsigned int i, n = (unsigned int)strlen(want), numbers[PATHS_MAX], nr_groups, top = 0;

	nr_groups = group_paths(grouping, paths, n, groups, numbers);
	for (i = 0; i < n; i++) {
		assert(numbers[i] == (unsigned int)(want[i] - '0'));
		top = numbers[i] > top ? numbers[i] : top;
	}
	assert(nr_groups == top);
}

static void test_words(void)
{
	enum grouping grouping;

	assert(grouping_from_word("failover", &grouping) && grouping == GROUPING_FAILOVER);
	assert(grouping_from_word("multibus", &grouping) && grouping == GROUPING_MULTIBUS);
	assert(grouping_from_word("group_by_prio", &grouping) &&
	       grouping == GROUPING_GROUP_BY_PRIO);
	assert(grouping_from_word("group_by_tpg", &grouping) && grouping == GROUPING_GROUP_BY_TPG);
	assert(grouping_from_word("group_by_serial", &grouping) &&
	       grouping == GROUPING_GROUP_BY_SERIAL);
	assert(!grouping_from_word("group_by_node_name", &grouping));
	assert(!grouping_from_word("", &grouping));
}

/* Two controllers, the second of which is the better one. */
static void test_each_policy(void)
{
	const struct grouping_path paths[] = {path(10, 1, "A"), path(50, 2, "B"), path(10, 1, "B"),
					      path(50, 2, "A")};

	expect_groups(GROUPING_GROUP_BY_PRIO, paths, "2121");
	assert(groups[0].prio == 50 && groups[0].nr_paths == 2 && groups[0].first == 1);
	assert(groups[1].prio == 10 && groups[1].nr_usable == 2);
	expect_groups(GROUPING_GROUP_BY_TPG, paths, "2121");
	expect_groups(GROUPING_GROUP_BY_SERIAL, paths, "1221"); /* 30 each: in order */
	assert(groups[0].prio == 30 && groups[1].prio == 30);
	expect_groups(GROUPING_FAILOVER, paths, "3142");
	expect_groups(GROUPING_MULTIBUS, paths, "1111");
	expect_groups(GROUPING_MULTIBUS, paths, "");
}

/* Equal priorities do not make one group where the port groups differ (F53). */
static void test_by_tpg_is_not_by_prio(void)
{
	const struct grouping_path paths[] = {path(50, 1, ""), path(50, 2, ""), path(50, 1, ""),
					      path(50, 0, "")};

	expect_groups(GROUPING_GROUP_BY_TPG, paths, "1213");
	expect_groups(GROUPING_GROUP_BY_PRIO, paths, "1111");
}

/* What has failed keeps its place, but does not count for its group. */
static void test_failed_paths_do_not_count(void)
{
	struct grouping_path paths[] = {path(50, 1, ""), path(10, 1, ""), path(20, 2, ""),
					path(20, 2, "")};

	expect_groups(GROUPING_GROUP_BY_TPG, paths, "1122"); /* 30 against 20 */
	paths[0].usable = false;
	expect_groups(GROUPING_GROUP_BY_TPG, paths, "2211");
	assert(groups[1].prio == 10 && groups[1].nr_usable == 1 && groups[1].nr_paths == 2);
	paths[1].usable = false;
	expect_groups(GROUPING_GROUP_BY_TPG, paths, "2211");
	assert(groups[1].prio == PRIO_UNDEF && groups[1].nr_usable == 0);
}

static void test_unknown_priorities(void)
{
	const struct grouping_path paths[] = {path(PRIO_UNDEF, 1, ""), path(0, 2, ""),
					      path(4, 1, "")};

	expect_groups(GROUPING_GROUP_BY_PRIO, paths, "321");
	expect_groups(GROUPING_GROUP_BY_TPG, paths, "121");
	assert(groups[0].prio == 4 && groups[0].nr_usable == 2);
}

/* As good, but more of them. */
static void test_more_usable_paths_are_better(void)
{
	struct grouping_path paths[] = {path(50, 1, ""), path(50, 2, ""), path(50, 2, "")};

	expect_groups(GROUPING_GROUP_BY_TPG, paths, "211");
	paths[2].usable = false;
	expect_groups(GROUPING_GROUP_BY_TPG, paths, "122");
}

/* Flaky paths come last, whatever their priority, and never among the others. */
static void test_marginal_paths(void)
{
	struct grouping_path paths[] = {path(50, 1, ""), path(50, 1, ""), path(1, 2, ""),
					path(10, 3, "")};

	paths[0].marginal = true;
	expect_groups(GROUPING_GROUP_BY_PRIO, paths, "4132");
	assert(groups[3].marginal && groups[3].nr_paths == 1);
	expect_groups(GROUPING_MULTIBUS, paths, "2111");
	paths[2].marginal = true;
	expect_groups(GROUPING_MULTIBUS, paths, "2121");
}

int main(void)
{
	test_alua();
	test_the_preferred_bit();
	test_const_and_latency();
	test_words();
	test_each_policy();
	test_by_tpg_is_not_by_prio();
	test_failed_paths_do_not_count();
	test_unknown_priorities();
	test_more_usable_paths_are_better();
	test_marginal_paths();
	return 0;
}
