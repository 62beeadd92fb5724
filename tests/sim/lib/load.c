/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load of reads; see load.h.
 */
#include "sim/lib/load.h"

#include <stdlib.h>

#include "sim/lib/tables.h"

#define POLL_US 50 /* so often the initiators look for answers */

static enum fault fault;
static uint64_t rng;

static unsigned int roll(unsigned int n)
{
	rng = rng * 6364136223846793005 + 1442695040888963407;
	return (unsigned int)(rng >> 33) % n;
}

/* About 1 ms, 2 ms at the most, and one in 500 from 2 to 4 ms: a disk array that is well. */
static uint64_t usual_us(void)
{
	unsigned int us = 600 + roll(300) + roll(300) + roll(300);

	return roll(500) ? us : us + 1000 + roll(2000);
}

static bool is_faulty(const struct sim_path *p)
{
	return fault >= STALLS_EVERYWHERE || p->id == 0;
}

static uint64_t takes_ns(struct sim_path *p)
{
	uint64_t us = usual_us();

	if (!is_faulty(p))
		return us * 1000;
	switch (fault) {
	case HEALTHY:
		break;
	case LATE:
		us += 30000;
		break;
	case SLOWER:
	case SLOWER_EVERYWHERE:
		us *= 4;
		break;
	case SILENT:
		break; /* see load_fault() */
	case STALLS:
	case STALLS_EVERYWHERE:
		us += roll(100) ? 0 : 50000;
		break;
	case STALLS_MORE:
		us += roll(p->id ? 500 : 30) ? 0 : 50000;
		break;
	}
	return us * 1000;
}

/* --- the load --- */

struct world *load_world(const char *table)
{
	struct world *w = world_new(table);
	unsigned int i;

	w->jitter_ns = takes_ns;
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].latency_ns = 0;
	fault = HEALTHY;
	rng = 1;
	return w;
}

void load_fault(struct world *w, enum fault what)
{
	if (what == SILENT)
		set_mode(&w->paths[0], MODE_HUNG);
	else if (fault == SILENT)
		set_mode(&w->paths[0], MODE_UP);
	fault = what;
}

void load_begins(struct load *l, struct world *w, unsigned int depth)
{
	unsigned int i;

	*l = (struct load){.w = w, .depth = depth};
	for (i = 0; i < depth; i++)
		l->ios[i] = submit_read(w, i % SIM_BLOCKS, 1);
}

static void take_answer(struct load *l, struct sim_io *io)
{
	expect_good(l->w, io);
	if (l->nr == l->size) {
		l->size = l->size ? 2 * l->size : 1024;
		l->us = realloc(l->us, l->size * sizeof(*l->us));
	}
	l->us[l->nr++] = (uint32_t)((io->answered_ns - io->io.arrival_ns) / 1000);
}

void load_runs(struct load *l, uint64_t ms)
{
	uint64_t until = l->w->now_ns + ms * NSEC_PER_MSEC;
	unsigned int i;

	while (l->w->now_ns < until) {
		advance_us(l->w, POLL_US);
		for (i = 0; i < l->depth; i++) {
			if (l->ios[i]->state != SIM_IO_ANSWERED)
				continue;
			take_answer(l, l->ios[i]);
			submit_again(l->w, l->ios[i]);
		}
	}
}

static int by_time(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t permille_us(struct load *l, unsigned int permille)
{
	qsort(l->us, l->nr, sizeof(*l->us), by_time);
	return l->us[(l->nr - 1) * permille / 1000];
}

void load_ends(struct load *l)
{
	load_fault(l->w, HEALTHY);
	advance(l->w, 200);
	free(l->us);
}

/* --- the figures --- */

struct figures load_measure(const char *selector, const struct settings_of_load *settings,
			    enum fault what, unsigned int depth, uint64_t ms)
{
	struct figures figures;
	struct world *w;
	struct load l;
	char table[200];
	unsigned int i;

	snprintf(table, sizeof(table), FAIL "0 1 1 %s 0 2 1 8:0 1 8:16 1", selector);
	w = load_world(table);
	w->settings.slow_path_factor = settings->slow_path_factor;
	w->settings.hedged_reads = settings->hedged_reads;
	world_up(w);
	mpath_set_trace(w->m, NULL, NULL);
	load_begins(&l, w, depth);
	load_runs(&l, 2000);
	l.nr = 0;
	load_fault(w, what);
	load_runs(&l, ms);
	figures = (struct figures){l.nr, permille_us(&l, 500), permille_us(&l, 990),
				   permille_us(&l, 999), permille_us(&l, 1000)};
	for (i = 0; i < depth; i++) { /* what has no answer yet has taken that long already */
		uint64_t us = (w->now_ns - l.ios[i]->io.arrival_ns) / 1000;

		if (figures.max < us)
			figures.max = (uint32_t)us;
	}
	load_ends(&l);
	world_end(w);
	return figures;
}
