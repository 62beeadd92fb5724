/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From facts about paths to priorities, and to groups of paths in their order.
 */
#include "mpath/grouping.h"

#include <string.h>

#include "mpath/scsi.h"

#define PREFERRED_BONUS	 80
#define LATENCY_MAX_US	 100000000.0
#define LATENCY_PRIO_MAX 200 /* 1.1 to the power of 193 is LATENCY_MAX_US */

/* --- prioritizers --- */

static int prio_of_state(uint8_t state)
{
	switch (state) {
	case ALUA_OPTIMIZED:
		return 50;
	case ALUA_NON_OPTIMIZED:
		return 10;
	case ALUA_LBA_DEPENDENT:
		return 5;
	case ALUA_STANDBY:
		return 1;
	}
	return 0;
}

int prio_alua(const struct port_group *group, bool exclusive_pref_bit)
{
	int prio;

	if (!group->state_known)
		return PRIO_UNDEF;
	prio = prio_of_state(group->state);
	if (group->preferred && (group->state != ALUA_OPTIMIZED || exclusive_pref_bit))
		prio += PREFERRED_BONUS;
	return prio;
}

int prio_const(void)
{
	return 1;
}

static int prio_of_latency(double latency_us, double base)
{
	int prio = 0;

	while (prio < LATENCY_PRIO_MAX && latency_us * base <= LATENCY_MAX_US) {
		latency_us *= base;
		prio++;
	}
	return prio;
}

/*
 * A latency between two priorities would have the path's groups formed anew with each check: what
 * was before stays while it is less than an eighth of a step away.
 */
int prio_path_latency(uint64_t latency_us, unsigned int base_tenths, int before)
{
	double latency = (double)latency_us, base = base_tenths / 10.0;
	double margin = 1 + (base - 1) / 8;

	if (!latency_us)
		return PRIO_UNDEF;
	if (before != PRIO_UNDEF && before >= prio_of_latency(latency * margin, base) &&
	    before <= prio_of_latency(latency / margin, base))
		return before;
	return prio_of_latency(latency, base);
}

/* --- grouping --- */

bool grouping_from_word(const char *word, enum grouping *grouping)
{
	static const char *const words[] = {
		[GROUPING_FAILOVER] = "failover",
		[GROUPING_MULTIBUS] = "multibus",
		[GROUPING_GROUP_BY_PRIO] = "group_by_prio",
		[GROUPING_GROUP_BY_TPG] = "group_by_tpg",
		[GROUPING_GROUP_BY_SERIAL] = "group_by_serial",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		*grouping = (enum grouping)i;
		return true;
	}
	return false;
}

static bool belong_together(enum grouping grouping, const struct grouping_path *a,
			    const struct grouping_path *b)
{
	if (a->marginal != b->marginal)
		return false;
	switch (grouping) {
	case GROUPING_FAILOVER:
		return false;
	case GROUPING_MULTIBUS:
		return true;
	case GROUPING_GROUP_BY_PRIO:
		return a->prio == b->prio;
	case GROUPING_GROUP_BY_TPG:
		return a->tpg == b->tpg;
	case GROUPING_GROUP_BY_SERIAL:
		return strcmp(a->serial, b->serial) == 0;
	}
	return false;
}

static unsigned int form_groups(enum grouping grouping, const struct grouping_path *paths,
				unsigned int nr_paths, struct grouping_group *groups)
{
	unsigned int i, g, nr_groups = 0;

	for (i = 0; i < nr_paths; i++) {
		for (g = 0; g < nr_groups; g++)
			if (belong_together(grouping, &paths[groups[g].first], &paths[i]))
				break;
		if (g == nr_groups)
			groups[nr_groups++] =
				(struct grouping_group){.first = i, .marginal = paths[i].marginal};
		groups[g].nr_paths++;
	}
	return nr_groups;
}

/* multipathd's: what is not usable, or has no priority, does not count. */
static void rate_group(enum grouping grouping, const struct grouping_path *paths,
		       unsigned int nr_paths, struct grouping_group *group)
{
	unsigned int i, nr_rated = 0;
	long sum = 0;

	for (i = group->first; i < nr_paths; i++) {
		if (!paths[i].usable ||
		    (i != group->first &&
		     !belong_together(grouping, &paths[group->first], &paths[i])))
			continue;
		group->nr_usable++;
		if (paths[i].prio == PRIO_UNDEF)
			continue;
		sum += paths[i].prio;
		nr_rated++;
	}
	group->prio = nr_rated ? (int)(sum / nr_rated) : PRIO_UNDEF;
}

static bool is_better(const struct grouping_group *a, const struct grouping_group *b)
{
	if (a->marginal != b->marginal)
		return !a->marginal;
	if (a->prio != b->prio)
		return a->prio > b->prio;
	return a->nr_usable > b->nr_usable;
}

/* Groups that are equally good stay in the order of their first paths. */
static void sort_groups(struct grouping_group *groups, unsigned int nr_groups)
{
	unsigned int i, at;

	for (i = 1; i < nr_groups; i++) {
		struct grouping_group group = groups[i];

		for (at = i; at > 0 && is_better(&group, &groups[at - 1]); at--)
			groups[at] = groups[at - 1];
		groups[at] = group;
	}
}

static unsigned int number_of(enum grouping grouping, const struct grouping_path *paths,
			      unsigned int path, const struct grouping_group *groups)
{
	unsigned int g;

	for (g = 0; groups[g].first != path; g++)
		if (belong_together(grouping, &paths[groups[g].first], &paths[path]))
			break;
	return g + 1;
}

unsigned int group_paths(enum grouping grouping, const struct grouping_path *paths,
			 unsigned int nr_paths, struct grouping_group *groups,
			 unsigned int *numbers)
{
	unsigned int nr_groups = form_groups(grouping, paths, nr_paths, groups);
	unsigned int i;

	for (i = 0; i < nr_groups; i++)
		rate_group(grouping, paths, nr_paths, &groups[i]);
	sort_groups(groups, nr_groups);
	for (i = 0; i < nr_paths; i++)
		numbers[i] = number_of(grouping, paths, i, groups);
	return nr_groups;
}
