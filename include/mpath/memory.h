/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holds over a restart of the process besides the LUN (DESIGN D8): what messages have set,
 * and the group in use.  As with dm's it lasts as long as the backstore: not over a reboot.  And
 * until when lost writes may land, and the disks that others may be out on, should the process die:
 * these do not end with the backstore, but with a reboot.  What the array has said outlasts that,
 * too.
 *
 * Paths and groups go by a hash of the words in the table that name them.  The table may be another
 * one by then: what was set for one path is never taken for another's.
 */
#ifndef MPATH_MEMORY_H
#define MPATH_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "mpath/io.h"

#define MEMORY_PATHS_MAX  256 /* what there is more of is not remembered */
#define MEMORY_GROUPS_MAX 64
#define MEMORY_DISKS_MAX  248 /* as many as a page has room for: see runtime/tally.h */
#define MEMORY_NEWS_MAX	  6   /* a map keeps no more */

enum memory_queueing { MEMORY_QUEUEING_AS_TABLE, MEMORY_QUEUEING_ON, MEMORY_QUEUEING_OFF };

/* Sense data that the next command is to be told, see "Our own answers" in handler/README.md. */
struct mpath_news {
	uint8_t len;
	uint8_t sense[SCSI_SENSE_MAX];
};

struct mpath_memory {
	enum memory_queueing queueing; /* by message, other than the table says */
	bool suspended;		       /* likewise */
	uint64_t current_group;	       /* the one that is used or was asked for; 0: none */
	uint64_t fence_end_ns; /* lost writes may land until then; by the core's clock; 0: none */
	uint64_t slow_end_ns;  /* likewise, slow writes that are out, should the process die */
	unsigned int nr_failed;
	unsigned int nr_disabled;
	uint64_t failed[MEMORY_PATHS_MAX]; /* paths that failed by message, in the map's order */
	uint64_t disabled[MEMORY_GROUPS_MAX];
	unsigned int nr_disks;
	bool array_reserves;	/* reservations are the array's: who has one must hear of resets */
	uint64_t former_blocks; /* of a LUN that is forgotten, which initiators know; 0: none */
	unsigned int nr_news;
	struct mpath_news news[MEMORY_NEWS_MAX];
	uint32_t transit_ms; /* the longest way to one of them, as in path_facts */
	uint32_t timeout_ms; /* what is out there has at least, if not more: slow_end_ns */
	/* As in path_facts; 0, which no path has, stands for those that there is no room for. */
	uint64_t disks[MEMORY_DISKS_MAX];
};

/*
 * How many commands of a disk have ended with an error that the process knows of: it was told, or
 * the disk had had them before.  More than these tell a next process that the kernel has ended one
 * which nobody was told of.  This changes with each error, and so is kept apart; together with what
 * of the memory must not wait until that is on disk.
 */
struct mpath_disk_errors {
	uint64_t disk; /* as in path_facts; 0: the entry is empty */
	uint64_t errors;
};

struct mpath_error_tally {
	struct mpath_disk_errors disks[MEMORY_DISKS_MAX]; /* those in use, in any order */
	/* As in struct mpath_memory. */
	uint64_t fence_end_ns;
	uint64_t slow_end_ns;
	uint32_t transit_ms;
	uint32_t timeout_ms; /* 0: nobody has told */
};

#endif
