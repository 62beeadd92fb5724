/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to a map, for people and programs: one notice per event, in the order in which it
 * happened, numbered.  Logs, D-Bus signals and tests all live on this one list (dm-multipath.md
 * A9 has what dm tells: uevents for two kinds, a bare counter for the rest).
 *
 * Take them after each step, on the owner thread, with mpath_next_notice(); everything in a notice
 * is a copy and may be kept.  Numbers without a gap mean that nothing was lost.
 */
#ifndef MPATH_NOTICE_H
#define MPATH_NOTICE_H

#include "mpath/path.h"
#include "mpath/strbuf.h"

enum mpath_notice_kind {
	NOTICE_PATH_FAILED,	/* dm's PATH_FAILED */
	NOTICE_PATH_REINSTATED, /* dm's PATH_REINSTATED */
	NOTICE_PATH_USABLE,	/* usable for the first time since it is in the map */
	NOTICE_PATH_EXCLUDED,	/* not our LUN, or not to be had */
	NOTICE_PATH_ADDED,
	NOTICE_PATH_REMOVED,	/* it takes no more commands; those that are out there may end */
	NOTICE_PATH_SLOW,	/* much slower than its peers: not used while they serve */
	NOTICE_PATH_NOT_SLOW,	/* it is used again */
	NOTICE_GROUP_SWITCHED,	/* commands use this group from now on, or it has a new number */
	NOTICE_GROUP_ASKED_FOR, /* switch_group: the next command tries it first */
	NOTICE_GROUP_DISABLED,
	NOTICE_GROUP_ENABLED,
	NOTICE_PG_INIT, /* a group's activation, for which commands wait, has begun, is repeated, or
			   has ended; when the group was left meanwhile, its end is not told */
	NOTICE_NO_PATH, /* the last usable path is gone */
	NOTICE_QUEUEING_STARTED, /* commands wait for a path from now on */
	NOTICE_QUEUEING_STOPPED, /* a path is back, or nothing may wait any more */
	NOTICE_POLICY,		 /* queue_if_no_path was switched on or off */
	NOTICE_LUN,		 /* which LUN it is was learnt or forgotten */
	NOTICE_LUN_RESIZED,
	NOTICE_SUSPENDED,
	NOTICE_RESUMED,
	NOTICE_RELOADED,    /* another table has taken over */
	NOTICE_REFUSED,	    /* what configfs was told is refused, and nothing has changed */
	NOTICE_WRITES_WAIT, /* for what may still land; why, and mostly how long at the most */
	NOTICE_WARNING,	    /* what the administrator should look after */
	NOTICE_OTHER,
};

#define NOTICE_PATH_MAX 128

struct mpath_notice {
	enum mpath_notice_kind kind;
	uint64_t sequence; /* from 1, one by one, over all notices of this map */
	/*
	 * An event that is not worth a line in the log: a flapping path is logged at most every
	 * 10 s (D13), and what the text of another notice says already is not said again.
	 */
	bool quiet;
	/* A line for the log only, about what was left out before: no event. */
	bool summary; /* sequence is 0 */
	bool has_path;
	unsigned int path_id;	    /* path->id */
	char path[NOTICE_PATH_MAX]; /* "8:16"; while nothing is known of the device, the table's
				       word */
	char device[PATH_NAME_MAX]; /* "sdb"; empty: unknown */
	unsigned int group;	    /* priority group, from 1; 0: about none */
	unsigned int nr_valid;	    /* usable paths after the event */
	uint64_t uevent_seq;	    /* PATH_FAILED and PATH_REINSTATED: dm's DM_SEQNUM; else 0 */
	char text[320];		    /* one line, without map and path */
};

/* "path-failed", for signals and JSON. */
const char *mpath_notice_name(enum mpath_notice_kind kind);

/*
 * What dm's uevent would say, each "KEY=value" followed by a newline: DM_TARGET, DM_ACTION,
 * DM_SEQNUM, DM_PATH, DM_NR_VALID_PATHS, DM_NAME, DM_UUID.  DM_UUID is multipathd's, "mpath-" and
 * the WWID.  False, and nothing: dm has no uevent for this kind.
 */
bool mpath_uevent(const struct mpath_notice *notice, const char *map, const char *wwid,
		  struct strbuf *out);

/* Once a step is over: the notices of that step, oldest first; false when there is none left. */
bool mpath_next_notice(struct multipath *m, struct mpath_notice *notice);

#endif
