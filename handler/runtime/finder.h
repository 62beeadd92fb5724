/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map that is given by its WWID has all paths that lead there.  A disk that appears is added; one
 * that has gone for good, or is another LUN by now, is removed.  One that only fails stays.
 */
#ifndef MPATH_FINDER_H
#define MPATH_FINDER_H

#include "mpath/grouping.h"
#include "mpath/path_transport.h"
#include "mpath/table.h"

/* The map; add and remove are called for one path after another. */
struct finder_ops {
	/* The path of this address, whatever that is, is open, and its disk has this node now. */
	bool (*leads_to)(void *arg, const char *address, const char *node);
	bool (*add)(void *arg, const char *address); /* false: refused, for now */
	void (*remove)(void *arg, const char *address);
};

/*
 * Make @known, the disks that are paths of the map, what was seen.  A known disk that cannot tell
 * its WWID now stays; a new one waits until it can.
 */
void finder_compare(struct found_disks *known, struct found_disks *seen,
		    const struct finder_ops *ops, void *arg);

/*
 * The table of such a map, as the disks are grouped before anything is known of them: priorities
 * and port groups are the policy's business, later.  @head is a table without groups: features and
 * hardware handler are its.  0, or -errno with words in @error.
 */
int finder_table(const struct found_disks *known, const struct mpath_table *head,
		 enum grouping grouping, const char *selector, struct mpath_table **table,
		 struct strbuf *error);

#endif
