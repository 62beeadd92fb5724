/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A priority group with a path selector and nothing else: commands start and end as the test says,
 * at the time that it says.  Words are as in a table, with spaces between them.
 */
#ifndef TESTS_UNIT_GROUP_H
#define TESTS_UNIT_GROUP_H

#include "mpath/path_selector.h"

#define GROUP_PATHS_MAX 1024

struct group {
	struct path_selector ps;
	struct path *paths; /* owned; path.id is the index */
	unsigned int nr_paths;
	uint64_t now_ns;
	int cpu;
	const char *error; /* from the last group_try_*() */
};

void group_new(struct group *g, const char *selector, const char *words);
/* What create says; on success the group is there. */
int group_try_new(struct group *g, const char *selector, const char *words);
void group_add_path(struct group *g, const char *words);
int group_try_add_path(struct group *g, const char *words);
void group_free(struct group *g);

void group_fail(struct group *g, unsigned int id);
void group_reinstate(struct group *g, unsigned int id);

/* The path that is chosen, as an index; -1: none. */
int group_select(struct group *g, size_t nr_bytes);
void group_start_on(struct group *g, unsigned int id, size_t nr_bytes);
/* Choose, and start a command there. */
int group_start(struct group *g, size_t nr_bytes);
void group_end(struct group *g, unsigned int id, size_t nr_bytes, uint64_t start_ns);

/* Commands of @nr_bytes start on these paths, one after the other: "0120"; '-' is none. */
void group_expect_starts(struct group *g, size_t nr_bytes, const char *ids);
/* @id -1: the group's own words. */
void group_expect_status(struct group *g, int id, enum status_type type, const char *expected);

#endif
