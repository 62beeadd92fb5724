/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which paths come, which go?
 *
 * A disk is known by the name under which it became a path.  It is still there if a disk with the
 * map's WWID has that name, be it the one of its place or sdX.  So a path whose sdX belongs to
 * another LUN now is gone, and a disk that comes back under another sdX is a new path.
 *
 * An administrator may have named the path by other words.  Then its disk is known by its sdX, but
 * only as long as the path is open: after that the kernel may give sdX to another disk.
 */
#include "runtime/finder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/table_edit.h"

static void disk_clear(struct found_disk *disk)
{
	free(disk->address);
	free(disk->node);
}

void found_disks_clear(struct found_disks *found)
{
	for (unsigned int i = 0; i < found->nr; i++)
		disk_clear(&found->disks[i]);
	free(found->disks);
	*found = (struct found_disks){0};
}

bool found_disks_add(struct found_disks *found, const char *address, const char *node)
{
	struct found_disk disk = {.address = strdup(address), .node = strdup(node), .sure = true};
	struct found_disk *bigger = realloc(found->disks, (found->nr + 1) * sizeof(*bigger));

	if (bigger)
		found->disks = bigger;
	if (!bigger || !disk.address || !disk.node) {
		disk_clear(&disk);
		return false;
	}
	found->disks[found->nr++] = disk;
	return true;
}

/* --- whose disk is it? --- */

/*
 * udev names a disk's place by its portal, not by its session: two sessions to one portal have the
 * same name for their disks, and it leads to one of them only.
 */
static void tell_apart(struct found_disks *seen)
{
	for (unsigned int i = 0; i < seen->nr; i++)
		for (unsigned int k = 0; k < seen->nr; k++)
			if (k != i && strcmp(seen->disks[i].address, seen->disks[k].address) == 0)
				seen->disks[i].shares_address = true;
}

static const char *own_address(const struct found_disk *disk)
{
	return disk->shares_address ? disk->node : disk->address;
}

static bool has_name(const struct found_disk *disk, const char *name)
{
	return strcmp(own_address(disk), name) == 0 || strcmp(disk->node, name) == 0;
}

static void clear_matches(struct found_disks *disks)
{
	for (unsigned int i = 0; i < disks->nr; i++)
		disks->disks[i].matched = false;
}

/* Where the path is open; or, with NULL for @ops, by name. */
static void match_path(struct found_disk *path, struct found_disks *seen,
		       const struct finder_ops *ops, void *arg)
{
	for (unsigned int i = 0; i < seen->nr && !path->matched; i++) {
		struct found_disk *disk = &seen->disks[i];
		bool is_its = ops ? ops->leads_to(arg, path->address, disk->node)
				  : has_name(disk, path->address);

		if (is_its && !disk->matched)
			path->matched = disk->matched = true;
	}
}

/* A disk is one path's: of two with its names, that of the one which is open there. */
static void match(struct found_disks *known, struct found_disks *seen, const struct finder_ops *ops,
		  void *arg)
{
	tell_apart(seen);
	clear_matches(known);
	clear_matches(seen);
	for (unsigned int i = 0; i < known->nr; i++)
		match_path(&known->disks[i], seen, ops, arg);
	for (unsigned int i = 0; i < known->nr; i++)
		match_path(&known->disks[i], seen, NULL, NULL);
}

/* --- what follows --- */

static void add_new(struct found_disks *known, struct found_disks *seen,
		    const struct finder_ops *ops, void *arg)
{
	for (unsigned int i = 0; i < seen->nr; i++) {
		struct found_disk *disk = &seen->disks[i];

		if (!disk->sure || disk->matched)
			continue;
		if (!found_disks_add(known, own_address(disk), disk->node))
			return; /* the next time */
		disk->matched = ops->add(arg, own_address(disk));
		if (disk->matched)
			known->disks[known->nr - 1].matched = true;
		else
			disk_clear(&known->disks[--known->nr]);
	}
}

static void remove_gone(struct found_disks *known, const struct finder_ops *ops, void *arg)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < known->nr; i++) {
		if (known->disks[i].matched) {
			known->disks[kept++] = known->disks[i];
			continue;
		}
		ops->remove(arg, known->disks[i].address);
		disk_clear(&known->disks[i]);
	}
	known->nr = kept;
}

/*
 * New paths first, so that commands have somewhere to go.  But one that has the sdX of a path that
 * is gone is taken for that path by the map, and gets in only after it.
 */
void finder_compare(struct found_disks *known, struct found_disks *seen,
		    const struct finder_ops *ops, void *arg)
{
	match(known, seen, ops, arg);
	add_new(known, seen, ops, arg);
	remove_gone(known, ops, arg);
	add_new(known, seen, ops, arg);
}

/* --- the table --- */

static int parse_paths(const struct found_disks *known, enum grouping grouping,
		       const char *selector, struct mpath_table **table, struct strbuf *error)
{
	const char **addresses = calloc(known->nr, sizeof(*addresses));
	int err;

	*table = NULL;
	if (!addresses) {
		strbuf_printf(error, "out of memory");
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < known->nr; i++)
		addresses[i] = known->disks[i].address;
	err = mpath_table_from_paths(addresses, known->nr,
				     grouping == GROUPING_MULTIBUS ? "multibus" : "failover",
				     selector, NULL, table, error);
	free(addresses);
	return err;
}

int finder_table(const struct found_disks *known, const struct mpath_table *head,
		 enum grouping grouping, const char *selector, struct mpath_table **table,
		 struct strbuf *error)
{
	struct mpath_table *groups;
	int err;

	if (!known->nr)
		return mpath_table_copy(head, table, error);
	err = parse_paths(known, grouping, selector, &groups, error);
	if (err)
		return err;
	err = mpath_table_with_groups(head, groups, table, error);
	mpath_table_free(groups);
	return err;
}
