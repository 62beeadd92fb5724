/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which paths belong together, and which group is the best: multipathd's prioritizers and path
 * grouping policies (dm-multipath.md C2), as pure functions.  Nothing here allocates, or looks at a
 * map: facts in, group numbers out, as mpath_change_regroup() takes them.
 */
#ifndef MPATH_GROUPING_H
#define MPATH_GROUPING_H

#include "mpath/path.h"

/* --- prioritizers: the higher, the better --- */

#define PRIO_UNDEF -1 /* nobody knows: the path does not count */

/*
 * By the state of the port group: 50 optimized, 10 non-optimized, 5 LBA-dependent, 1 standby, else
 * 0; and 80 more for the preferred group, if it is not optimized, or @exclusive_pref_bit is set.
 */
int prio_alua(const struct port_group *group, bool exclusive_pref_bit);
/* 1 for all. */
int prio_const(void);
/*
 * By latency, on a logarithmic scale: how often @latency_us can be multiplied by @base_tenths / 10
 * (11 to 100, multipathd's base_num 1.1 to 10) until it is 100 s.  0 us: not measured.
 */
int prio_path_latency(uint64_t latency_us, unsigned int base_tenths, int before);

/* --- grouping --- */

enum grouping {
	GROUPING_FAILOVER,	  /* each path by itself */
	GROUPING_MULTIBUS,	  /* all together */
	GROUPING_GROUP_BY_PRIO,	  /* equal priorities together */
	GROUPING_GROUP_BY_TPG,	  /* equal target port groups together */
	GROUPING_GROUP_BY_SERIAL, /* equal serial numbers (of the controller) together */
};

/* False: not one of multipathd's words that we have. */
bool grouping_from_word(const char *word, enum grouping *grouping);

/* What grouping wants to know of a path. */
struct grouping_path {
	int prio;	    /* or PRIO_UNDEF */
	bool usable;	    /* up, or ghost and usable after activation */
	bool marginal;	    /* flaky: these are in groups of their own, behind all others */
	uint16_t tpg;	    /* 0: unknown, as SPC has no such group */
	const char *serial; /* "": unknown */
};

struct grouping_group {
	unsigned int first; /* index of its first path */
	unsigned int nr_paths;
	unsigned int nr_usable;
	int prio; /* mean of its usable paths', or PRIO_UNDEF */
	bool marginal;
};

/*
 * Put @nr_paths paths into groups, the best group first: by priority, then by the number of usable
 * paths, then in the order of the paths.  Both arrays have room for @nr_paths; @numbers gets each
 * path's group, from 1, @groups the groups.  Returns their number.
 */
unsigned int group_paths(enum grouping grouping, const struct grouping_path *paths,
			 unsigned int nr_paths, struct grouping_group *groups,
			 unsigned int *numbers);

/* --- what a map file says of it --- */

enum prioritizer {
	PRIO_DETECT, /* alua where the paths have target port groups, else const */
	PRIO_ALUA,
	PRIO_CONST,
	PRIO_PATH_LATENCY, /* of the path's checks */
};

/* When do commands go back to a better group of which a path came up?  multipathd's words. */
enum failback {
	FAILBACK_MANUAL,     /* when the administrator says so */
	FAILBACK_IMMEDIATE,  /* at once */
	FAILBACK_FOLLOWOVER, /* at once, if it is the first path of that group to come up */
	FAILBACK_DEFERRED,   /* after failback_s in which no path failed */
};

struct mpath_policy {
	bool on; /* groups are formed; else they stay as the table has them, and failback counts */
	enum grouping grouping;
	enum prioritizer prio;
	uint32_t latency_checks; /* path_latency: mean of so many, multipathd's io_num */
	uint32_t latency_base;	 /* in tenths, its base_num */
	bool exclusive_pref_bit; /* alua: a preferred group is better than all others */
	enum failback failback;
	uint32_t failback_s;
};

#endif
