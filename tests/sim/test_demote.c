/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slow paths: left while their peers serve, tried again, and used when they are as fast again
 * (slow_path_factor).  The figures are for a load of reads over two paths, with a virtual clock.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define DEPTH_MAX 64
#define POLL_US	  50 /* so often the initiators look for answers */

/* --- what the paths do --- */

enum fault { HEALTHY, LATE, SLOWER, STALLS, STALLS_EVERYWHERE, SLOWER_EVERYWHERE };

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
	return fault == STALLS_EVERYWHERE || fault == SLOWER_EVERYWHERE || p->id == 0;
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
	case STALLS:
	case STALLS_EVERYWHERE:
		us += roll(100) ? 0 : 50000;
		break;
	}
	return us * 1000;
}

/* --- a load: so many reads are out at any time --- */

struct load {
	struct world *w;
	unsigned int depth;
	struct sim_io *ios[DEPTH_MAX];
	uint32_t *us; /* how long each has taken */
	size_t nr, size;
};

static struct world *new_world(const char *table, unsigned int factor)
{
	struct world *w = world_new(table);
	unsigned int i;

	w->settings.slow_path_factor = factor;
	w->jitter_ns = takes_ns;
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].latency_ns = 0;
	fault = HEALTHY;
	rng = 1;
	return w;
}

static void load_begins(struct load *l, struct world *w, unsigned int depth)
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

static void load_runs(struct load *l, uint64_t ms)
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

static void load_ends(struct load *l)
{
	fault = HEALTHY;
	advance(l->w, 200);
	free(l->us);
}

static bool is_slow(struct world *w, const char *name)
{
	return sim_path(w, name)->path->demotion != NOT_DEMOTED;
}

/* --- the figures --- */

struct figures {
	size_t nr;
	uint32_t p50, p99, p999;
};

static struct figures measure(const char *selector, enum fault what, unsigned int factor,
			      unsigned int depth, uint64_t ms)
{
	struct figures figures;
	struct world *w;
	struct load l;
	char table[200];

	snprintf(table, sizeof(table), FAIL "0 1 1 %s 0 2 1 8:0 1 8:16 1", selector);
	w = new_world(table, factor);
	world_up(w);
	mpath_set_trace(w->m, NULL, NULL);
	load_begins(&l, w, depth);
	load_runs(&l, 2000);
	l.nr = 0;
	fault = what;
	load_runs(&l, ms);
	figures = (struct figures){l.nr, permille_us(&l, 500), permille_us(&l, 990),
				   permille_us(&l, 999)};
	load_ends(&l);
	world_end(w);
	return figures;
}

/* The fourth row of the issue: 90 % of the healthy paths' throughput, p99.9 at most three times. */
static void costs_little(const char *selector, unsigned int depth)
{
	uint64_t ms = getenv("MPATH_LONG") ? 60000 : 10000;
	struct figures well = measure(selector, HEALTHY, 3, depth, ms), bad;
	unsigned int f;

	for (f = LATE; f <= STALLS; f++) {
		bad = measure(selector, (enum fault)f, 3, depth, ms);
		printf("%s, %u out, fault %u: %zu %% of the commands, p99.9 %u us, healthy %u us\n",
		       selector, depth, f, 100 * bad.nr / well.nr, bad.p999, well.p999);
		expect(NULL, 10 * bad.nr >= 9 * well.nr);
		expect(NULL, bad.p999 <= 3 * well.p999);
	}
}

static void a_slow_path_costs_little(void)
{
	costs_little("round-robin", 4);
	costs_little("queue-length", 8);
}

/* The figures are worth something: without it they are not reached. */
static void a_slow_path_costs_much(void)
{
	struct figures well = measure("round-robin", HEALTHY, 0, 16, 2000);
	struct figures bad = measure("round-robin", LATE, 0, 16, 2000);

	expect(NULL, 10 * bad.nr < well.nr && bad.p99 > 10 * well.p99);
}

/* --- its life --- */

static void is_left_and_comes_back(enum fault what, const char *reason)
{
	struct world *w = new_world(FAIL TWO_PATHS, 3);
	struct load l;

	world_up(w);
	load_begins(&l, w, 4);
	load_runs(&l, 2000);
	expect(w, !w->m->nr_demoted);
	expect_no_notice(w, "slow");
	forget_notices(w);
	fault = what;
	load_runs(&l, 2000);
	expect(w, is_slow(w, "8:0") && !is_slow(w, "8:16"));
	expect_notice(w, reason);
	expect_notice(w, ": not used while they serve");
	expect_detail(w, reason);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	fault = HEALTHY;
	load_runs(&l, 6000);
	expect(w, is_slow(w, "8:0")); /* patience */
	load_runs(&l, 12000);
	expect(w, !is_slow(w, "8:0"));
	expect_notice(w, "used again: it is as fast as its peers");
	load_runs(&l, 2000);
	expect(w, !w->m->nr_demoted);
	load_ends(&l);
	world_end(w);
}

static void a_late_path_comes_back(void)
{
	is_left_and_comes_back(LATE, "slow: half of its commands take 2");
}

static void a_slower_path_comes_back(void)
{
	is_left_and_comes_back(SLOWER, "slow: half of its commands take ");
}

static void a_path_that_stalls_comes_back(void)
{
	is_left_and_comes_back(STALLS, "slow: some of its commands take more than ");
}

static unsigned int commands_in(struct load *l, uint64_t ms)
{
	struct io_counters *counters = &sim_path(l->w, "8:0")->path->stats.counters;
	uint64_t before = counters->good[SCSI_DATA_IN];

	load_runs(l, ms);
	return (unsigned int)(counters->good[SCSI_DATA_IN] - before);
}

/* Trials come after 10 s, 20 s, 40 s, and are short; one that is told once is told once. */
static void trials_become_seldom(void)
{
	struct world *w = new_world(FAIL TWO_PATHS, 3);
	struct load l;

	world_up(w);
	load_begins(&l, w, 2);
	load_runs(&l, 1000);
	fault = SLOWER;
	load_runs(&l, 1000);
	expect(w, is_slow(w, "8:0"));
	expect(w, commands_in(&l, 8000) == 0);
	expect(w, commands_in(&l, 4000) > 4);
	expect(w, commands_in(&l, 15000) < 20);
	expect(w, commands_in(&l, 12000) > 4);
	expect(w, commands_in(&l, 33000) < 20);
	expect(w, count_notices(w, "slow: ") == 1);
	load_ends(&l);
	world_end(w);
}

/* Where TEST UNIT READY takes 30 ms no command of an initiator's is risked. */
static void a_hopeless_path_gets_no_trial(void)
{
	struct world *w = new_world(FAIL TWO_PATHS, 3);
	struct load l;

	world_up(w);
	load_begins(&l, w, 2);
	load_runs(&l, 1000);
	fault = LATE;
	load_runs(&l, 6000);
	expect(w, is_slow(w, "8:0"));
	expect(w, commands_in(&l, 60000) == 0);
	load_ends(&l);
	world_end(w);
}

/* The array is slow, or stalls: no path is better than the others. */
static void what_is_slow_everywhere_is_left_alone(void)
{
	struct world *w = new_world(FAIL TWO_PATHS, 2);
	struct load l;

	world_up(w);
	load_begins(&l, w, 16);
	load_runs(&l, 2000);
	fault = SLOWER_EVERYWHERE;
	load_runs(&l, 5000);
	fault = STALLS_EVERYWHERE;
	load_runs(&l, 20000);
	fault = HEALTHY;
	load_runs(&l, 5000);
	expect_no_notice(w, "slow");
	load_ends(&l);
	world_end(w);
}

/* There is nothing to compare it with. */
static void a_path_alone_is_left_alone(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS, 2);
	struct load l;

	world_up(w);
	load_begins(&l, w, 4);
	load_runs(&l, 2000);
	fault = LATE;
	load_runs(&l, 5000);
	expect_no_notice(w, "slow");
	load_ends(&l);
	world_end(w);
}

/* Of three, two are as slow: that is how it is. */
static void the_many_are_right(void)
{
	struct world *w = new_world(FAIL "0 1 1 round-robin 0 3 1 8:0 1 8:16 1 8:32 1", 3);
	struct load l;

	world_up(w);
	sim_path(w, "8:16")->latency_ns = 10 * NSEC_PER_MSEC;
	sim_path(w, "8:32")->latency_ns = 10 * NSEC_PER_MSEC;
	load_begins(&l, w, 8);
	load_runs(&l, 5000);
	expect(w, !w->m->nr_demoted);
	load_ends(&l);
	world_end(w);
}

/* --- the last one --- */

static struct world *with_a_slow_path(struct load *l, unsigned int depth)
{
	struct world *w = new_world(QUEUE TWO_PATHS, 3);

	world_up(w);
	load_begins(l, w, depth);
	load_runs(l, 2000);
	fault = LATE;
	load_runs(l, 2000);
	expect(w, is_slow(w, "8:0"));
	forget_notices(w);
	return w;
}

/* Its peer is lost: commands go to the slow path at once. */
static void the_last_path_is_used(void)
{
	struct sim_io *io;
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	load_runs(&l, 100);
	expect(w, !is_slow(w, "8:0"));
	expect_notice(w, "used again: no other path is left in its group");
	io = submit_read(w, 0, 1);
	expect(w, io->last_path == sim_path(w, "8:0"));
	load_ends(&l);
	world_end(w);
}

static void the_only_path_is_used(void)
{
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	expect(w, remove_path(w, "8:16") == 0);
	load_runs(&l, 1500);
	expect(w, !is_slow(w, "8:0"));
	load_ends(&l);
	world_end(w);
}

/* Its peer swallows all that it takes, and nobody has found out yet. */
static void peers_that_do_not_answer_are_no_peers(void)
{
	struct sim_io *io;
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	while (sim_path(w, "8:16")->nr_out < 32)
		submit_read(w, 0, 1);
	io = submit_read(w, 0, 1);
	expect_pending(w, io);
	advance(w, 300);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	expect_notice(w, "used again: its peers do not answer");
	set_mode(sim_path(w, "8:16"), MODE_UP);
	load_ends(&l);
	world_end(w);
}

/* Taken up and left again, and again: in the log not more than twice in ten seconds (D13). */
static void the_log_stays_short(void)
{
	unsigned int i;
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	for (i = 0; i < 20; i++) {
		message(w, "reinstate_path 8:0");
		load_runs(&l, 400);
		expect(w, is_slow(w, "8:0"));
	}
	expect(w, count_notices(w, "8:0: ") <= 6);
	load_runs(&l, 10000);
	expect_notice(w, " not logged)");
	load_ends(&l);
	world_end(w);
}

/* A command that its peer has no room for waits for that, as long as it serves. */
static void commands_wait_for_the_peers(void)
{
	struct sim_io *io;
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	while (sim_path(w, "8:16")->nr_out < 32)
		submit_read(w, 0, 1);
	io = submit_read(w, 0, 1);
	expect(w, !io->sent);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	load_ends(&l);
	world_end(w);
}

/* What its peer has failed, a slow path may do. */
static void a_command_that_fails_elsewhere(void)
{
	struct sim_io *io;
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	set_io_mode(sim_path(w, "8:16"), MODE_FAULT, 1);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	load_runs(&l, 1000);
	load_ends(&l);
	world_end(w);
}

/* A path that hangs is left long before anybody has given up a command, or asked the path. */
static void a_path_that_hangs_is_left(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, 3);
	struct load l;

	w->settings.polling_interval_ms = 30000;
	world_up(w);
	load_begins(&l, w, 8);
	load_runs(&l, 2000);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	load_runs(&l, 1000);
	expect(w, is_slow(w, "8:0") && sim_path(w, "8:0")->path->active);
	expect(w, sim_path(w, "8:0")->nr_out == 8);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, sim_path(w, "8:0")->nr_out == 8);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	load_ends(&l);
	world_end(w);
}

/* The peer becomes as slow: a comparison is worth it before the trial is due. */
static void peers_become_slow(void)
{
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	fault = HEALTHY;
	advance(w, 6000); /* its checks are good again */
	sim_path(w, "8:16")->latency_ns = 60 * NSEC_PER_MSEC;
	load_runs(&l, 8000);
	expect(w, !is_slow(w, "8:0") && is_slow(w, "8:16"));
	load_ends(&l);
	world_end(w);
}

/* --- the administrator --- */

static void reinstate_by_message(void)
{
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	message(w, "reinstate_path 8:0");
	expect(w, !is_slow(w, "8:0"));
	expect_notice(w, "used again: reinstate_path message");
	load_runs(&l, 1000);
	expect(w, is_slow(w, "8:0"));
	message(w, "fail_path 8:0");
	expect(w, !is_slow(w, "8:0"));
	message(w, "reinstate_path 8:0");
	load_runs(&l, 200);
	expect(w, !is_slow(w, "8:0"));
	load_ends(&l);
	world_end(w);
}

static void switched_off(void)
{
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	w->settings.slow_path_factor = 0;
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	load_runs(&l, 1000);
	expect(w, !w->m->nr_demoted);
	expect_notice(w, "used again: slow paths are used");
	load_runs(&l, 1000);
	expect(w, !w->m->nr_demoted);
	load_ends(&l);
	world_end(w);
}

/* Other groups, other peers. */
static void groups_change(void)
{
	struct load l;
	struct world *w = with_a_slow_path(&l, 4);

	expect(w, regroup(w, (const unsigned int[]){1, 2}) == 0);
	load_runs(&l, 1500);
	expect(w, !w->m->nr_demoted);
	load_ends(&l);
	world_end(w);
}

/* Without commands nobody is woken more than once a second. */
static void idle_maps_sleep(void)
{
	struct world *w = new_world(FAIL TWO_PATHS, 3);
	uint64_t steps;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 2000);
	steps = w->m->nr_steps;
	advance(w, 60000);
	expect(w, w->m->nr_steps - steps <= 60 + 2 * 3 * 60 / 5);
	world_end(w);
}

int main(void)
{
	STORY(a_slow_path_costs_little);
	STORY(a_slow_path_costs_much);
	STORY(a_late_path_comes_back);
	STORY(a_slower_path_comes_back);
	STORY(a_path_that_stalls_comes_back);
	STORY(trials_become_seldom);
	STORY(a_hopeless_path_gets_no_trial);
	STORY(what_is_slow_everywhere_is_left_alone);
	STORY(a_path_alone_is_left_alone);
	STORY(the_many_are_right);
	STORY(the_last_path_is_used);
	STORY(the_only_path_is_used);
	STORY(peers_that_do_not_answer_are_no_peers);
	STORY(the_log_stays_short);
	STORY(commands_wait_for_the_peers);
	STORY(a_command_that_fails_elsewhere);
	STORY(a_path_that_hangs_is_left);
	STORY(peers_become_slow);
	STORY(reinstate_by_message);
	STORY(switched_off);
	STORY(groups_change);
	STORY(idle_maps_sleep);
	return end_of_stories();
}
