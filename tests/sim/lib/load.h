/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load of reads over an array that is well, or over one path that is not, and what it makes of
 * throughput and latencies.
 */
#ifndef SIM_LOAD_H
#define SIM_LOAD_H

#include "sim/lib/world.h"

#define LOAD_DEPTH_MAX 64

/* What the first path does, or all of them. */
enum fault {
	HEALTHY,
	LATE,	/* +30 ms */
	SLOWER, /* 4 times */
	STALLS, /* one in a hundred takes 50 ms more */
	SILENT, /* swallows all commands */
	STALLS_EVERYWHERE,
	SLOWER_EVERYWHERE,
	STALLS_MORE, /* one in 30, of the others' one in 500 */
};

/* So many reads are out at any time. */
struct load {
	struct world *w;
	unsigned int depth;
	struct sim_io *ios[LOAD_DEPTH_MAX];
	uint32_t *us; /* how long each has taken */
	size_t nr, size;
};

/* From world_new(), with the latencies of such an array. */
struct world *load_world(const char *table);
void load_fault(struct world *w, enum fault fault);
void load_begins(struct load *l, struct world *w, unsigned int depth);
void load_runs(struct load *l, uint64_t ms);
void load_ends(struct load *l);

struct figures {
	size_t nr;
	uint32_t p50, p99, p999, max;
};

struct settings_of_load {
	uint32_t slow_path_factor, hedged_reads;
};

/* Two paths; @what begins when all has been well for 2 s, and is measured for @ms. */
struct figures load_measure(const char *selector, const struct settings_of_load *settings,
			    enum fault what, unsigned int depth, uint64_t ms);

#endif
