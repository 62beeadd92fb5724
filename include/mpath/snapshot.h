/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map at one moment, in the caller's memory: for those who show it (D-Bus, JSON, metrics).
 * Taken on the owner thread, without allocation; read anywhere.
 */
#ifndef MPATH_SNAPSHOT_H
#define MPATH_SNAPSHOT_H

#include "mpath/core.h"
#include "mpath/stats.h"

#define SNAPSHOT_WORD_MAX 256 /* bytes with NUL; longer words are cut */

enum map_state {
	MAP_ACTIVE,   /* a path is usable */
	MAP_QUEUEING, /* none is: commands are held */
	MAP_FAILING,  /* none is: commands fail */
	MAP_SUSPENDED,
	MAP_STOPPING,
};

enum group_state { GROUP_ACTIVE, GROUP_ENABLED, GROUP_DISABLED };

enum path_state {
	PATH_ACTIVE,
	PATH_IN_DOUBT,
	PATH_FAILED,
	PATH_FAILED_BY_MESSAGE,
	PATH_EXCLUDED,
};

struct path_snapshot {
	unsigned int id;    /* no other path of this map has or had it */
	unsigned int group; /* its number */
	char address[SNAPSHOT_WORD_MAX];
	char name[SNAPSHOT_WORD_MAX]; /* "8:16", or the address */
	char device[PATH_NAME_MAX];   /* "sdb", or empty */
	char wwid[WWID_MAX];	      /* what its LUN calls itself, or empty */
	enum path_state state;
	char reason[PATH_REASON_MAX];
	const char *alua_state; /* "active/optimized", ...; empty: not known; lives for ever */
	int priority;		/* the policy's, or by its ALUA state; -1: not known */
	bool read_only;
	bool slow; /* much slower than its peers: not used while these serve */
	unsigned int fail_count;
	unsigned int in_flight;
	uint32_t queue_depth;
	uint64_t max_transfer_bytes;
	struct io_counters counters;
	struct latency_percentiles latency;
};

struct group_snapshot {
	unsigned int number; /* counts from 1 */
	enum group_state state;
	const char *selector; /* lives for ever */
	unsigned int nr_paths;
	unsigned int nr_valid;
	unsigned int in_flight;
};

struct mpath_snapshot {
	/* The caller's; too small ones are filled as far as they go. */
	struct group_snapshot *groups;
	struct path_snapshot *paths;
	unsigned int max_groups;
	unsigned int max_paths;

	unsigned int nr_groups;
	unsigned int nr_paths;
	uint64_t taken_ns;
	enum map_state state;
	bool queue_if_no_path;
	const char *hw_handler;	    /* its name, or empty; lives for ever */
	const char *checker;	    /* its name, or "none"; lives for ever */
	char failback[16];	    /* as in the map file */
	unsigned int current_group; /* 0: none */
	unsigned int next_group;    /* 0: none was asked for */
	unsigned int nr_valid;

	bool lun_known; /* false: the strings are empty, the sizes 0 */
	char wwid[WWID_MAX];
	char vendor[9];
	char product[17];
	char revision[5];
	uint64_t size; /* bytes */
	uint32_t block_size;
	char features[128]; /* as in the table, with their number */

	uint32_t queue_depth;	     /* of all usable paths */
	uint64_t max_transfer_bytes; /* of one command, as VPD page B0h tells initiators */
	uint32_t cmd_time_out_ms;
	uint32_t cmd_time_out_needed_ms; /* see mpath_time_out_needed_s() */
	char warning[320];		 /* what the administrator should look after, or empty */
	char writes_wait[320]; /* for what may still land: why, at most how long; or empty */

	unsigned int in_flight;
	unsigned int held;
	unsigned int waiting; /* for room */
	unsigned int delayed; /* or waiting for the activation of their group */
	unsigned int restarting;
	unsigned int fenced; /* lost writes whose old copy may still land */
	uint64_t last_event; /* its sequence number; 0: there was none */
	uint64_t path_faults;
	uint64_t group_switches;
	uint32_t hedged_reads; /* so many of 100 may be sent twice; 0: none */
	uint64_t hedged;       /* so many were */
	uint64_t hedges_won;   /* and of these so many answered by the second */
	struct io_counters counters;
	struct latency_percentiles latency;
};

/* Owner thread.  Turns the latencies' windows, so it wants to be called now and then. */
void mpath_snapshot(struct multipath *m, uint64_t now_ns, struct mpath_snapshot *snapshot);

#endif
