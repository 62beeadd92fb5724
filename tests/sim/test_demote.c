/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slow paths: left while their peers serve, tried again, and used when they are as fast again
 * (slow_path_factor).  The figures are for a load of reads over two paths, with a virtual clock.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/lib/load.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define THREE_PATHS "0 1 1 round-robin 0 3 1 8:0 1 8:16 1 8:32 1"

static struct world *new_world(const char *table, unsigned int factor)
{
	struct world *w = load_world(table);

	w->settings.slow_path_factor = factor;
	return w;
}

static bool is_slow(struct world *w, const char *name)
{
	return sim_path(w, name)->path->demotion != NOT_DEMOTED;
}

/* --- the figures --- */

static struct figures measure(const char *selector, enum fault what, unsigned int factor,
			      unsigned int depth, uint64_t ms)
{
	return load_measure(selector, &(struct settings_of_load){.slow_path_factor = factor}, what,
			    depth, ms);
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
	load_fault(w, what);
	load_runs(&l, 2000);
	expect(w, is_slow(w, "8:0") && !is_slow(w, "8:16"));
	expect_notice(w, reason);
	expect_notice(w, ": not used while they serve");
	expect_detail(w, reason);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	load_fault(w, HEALTHY);
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
	is_left_and_comes_back(
		LATE, "slow: half of its commands take 29.36 ms, or more, its peers' 1.31 ms");
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
	load_fault(w, SLOWER);
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
	load_fault(w, LATE);
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
	load_fault(w, SLOWER_EVERYWHERE);
	load_runs(&l, 5000);
	load_fault(w, STALLS_EVERYWHERE);
	load_runs(&l, 20000);
	load_fault(w, HEALTHY);
	load_runs(&l, 5000);
	expect_no_notice(w, "slow");
	load_ends(&l);
	world_end(w);
}

/* Its peers are not spotless, either. */
static void a_path_that_stalls_more_than_its_peers(void)
{
	struct world *w = new_world(FAIL THREE_PATHS, 3);
	struct load l;

	world_up(w);
	load_begins(&l, w, 16);
	load_runs(&l, 2000);
	load_fault(w, STALLS_MORE);
	load_runs(&l, 5000);
	expect(w, is_slow(w, "8:0") && !is_slow(w, "8:16") && !is_slow(w, "8:32"));
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
	load_fault(w, LATE);
	load_runs(&l, 5000);
	expect_no_notice(w, "slow");
	load_ends(&l);
	world_end(w);
}

/* What is not carried out does not take long. */
static uint64_t refuses_at_once_ns(struct sim_path *p)
{
	return p->io_mode == MODE_UP ? NSEC_PER_MSEC : NSEC_PER_MSEC / 20;
}

static void reads_go_on(struct world *w, struct sim_io **ios, uint64_t ms)
{
	uint64_t until = w->now_ns + ms * NSEC_PER_MSEC;

	while (w->now_ns < until) {
		advance_us(w, 50);
		for (unsigned int i = 0; i < 8; i++)
			if (ios[i]->state == SIM_IO_ANSWERED)
				submit_again(w, ios[i]);
	}
}

/* A nexus without a registration, when the array keeps reservations: it says so at once. */
static void who_refuses_is_not_quick(void)
{
	const struct scsi_result conflict = {.status = SAM_RESERVATION_CONFLICT};
	struct world *w = new_world(QUEUE TWO_PATHS, 3);
	struct sim_io *ios[8];

	w->jitter_ns = refuses_at_once_ns;
	world_up(w);
	for (unsigned int i = 0; i < 8; i++)
		ios[i] = submit_read(w, i, 1);
	reads_go_on(w, ios, 1000);
	answer_with(sim_path(w, "8:16"), &conflict, 0);
	reads_go_on(w, ios, 1000);
	expect(w, !w->m->nr_demoted);
	expect_no_notice(w, "slow");
	world_end(w);
}

/* Of three, two are as slow: that is how it is. */
static void the_many_are_right(void)
{
	struct world *w = new_world(FAIL THREE_PATHS, 3);
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
	load_fault(w, LATE);
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

/*
 * 8:16 takes two commands, which it keeps: that these carry no data says nothing of it.  A read
 * that 8:32 has failed may wait for it, or go down the slow path.
 */
static struct world *with_a_silent_path(struct load *l)
{
	struct world *w = new_world(QUEUE THREE_PATHS, 3);

	sim_path(w, "8:16")->queue_depth = 2;
	world_up(w);
	load_begins(l, w, 4);
	load_runs(l, 2000);
	load_fault(w, LATE);
	load_runs(l, 2000);
	expect(w, is_slow(w, "8:0"));
	advance(w, 10);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	while (sim_path(w, "8:16")->nr_out < 2) {
		submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
		advance(w, 5);
	}
	forget_notices(w);
	return w;
}

static struct sim_io *read_that_one_peer_fails(struct world *w)
{
	struct sim_io *io;

	set_io_mode(sim_path(w, "8:32"), MODE_FAULT, 1);
	io = submit_read(w, 0, 1);
	advance(w, 5);
	expect_pending(w, io);
	return io;
}

static void what_one_peer_has_failed_and_another_has_no_room_for(void)
{
	struct load l;
	struct world *w = with_a_silent_path(&l);
	struct sim_io *io = read_that_one_peer_fails(w);

	advance(w, 300);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	expect(w, is_slow(w, "8:0"));
	set_mode(sim_path(w, "8:16"), MODE_UP);
	load_ends(&l);
	world_end(w);
}

/* The others go on meanwhile, and not down the slow path. */
static void what_one_peer_has_failed_while_it_serves_others(void)
{
	struct load l;
	struct world *w = with_a_silent_path(&l);
	struct sim_io *io = read_that_one_peer_fails(w);

	expect(w, commands_in(&l, 300) == 1);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	expect(w, is_slow(w, "8:0") && !is_slow(w, "8:16") && !is_slow(w, "8:32"));
	set_mode(sim_path(w, "8:16"), MODE_UP);
	load_ends(&l);
	world_end(w);
}

/* What keeps its queue full answers all the same: its turn comes. */
static void what_one_peer_has_failed_waits_for_one_that_answers(void)
{
	struct load l;
	struct world *w = with_a_silent_path(&l);
	struct sim_io *io;
	unsigned int i;

	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 5);
	sim_path(w, "8:16")->latency_ns = 0;
	set_io_mode(sim_path(w, "8:32"), MODE_FAULT, 1);
	for (i = 0; i < 2; i++)
		submit_read(w, 0, 1);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect(w, io->last_path != sim_path(w, "8:0"));
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

	load_fault(w, HEALTHY);
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

/* In service, off and on again: the memory for it comes and goes with it. */
static void switched_on(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, 0);
	struct load l;

	world_up(w);
	load_begins(&l, w, 4);
	load_fault(w, LATE);
	load_runs(&l, 1000);
	expect(w, !w->m->nr_demoted);
	for (int i = 0; i < 2; i++) {
		w->settings.slow_path_factor = 3;
		expect(w, reload(w, QUEUE TWO_PATHS) == 0);
		load_runs(&l, 2000);
		expect(w, w->m->nr_demoted == 1);
		w->settings.slow_path_factor = 0;
		expect(w, reload(w, QUEUE TWO_PATHS) == 0);
		expect(w, !w->paths[0].path->judged && !w->paths[1].path->judged);
		load_runs(&l, 1000);
		expect(w, !w->m->nr_demoted);
	}
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
	STORY(a_path_that_stalls_more_than_its_peers);
	STORY(a_path_alone_is_left_alone);
	STORY(who_refuses_is_not_quick);
	STORY(the_many_are_right);
	STORY(the_last_path_is_used);
	STORY(the_only_path_is_used);
	STORY(peers_that_do_not_answer_are_no_peers);
	STORY(the_log_stays_short);
	STORY(commands_wait_for_the_peers);
	STORY(a_command_that_fails_elsewhere);
	STORY(what_one_peer_has_failed_and_another_has_no_room_for);
	STORY(what_one_peer_has_failed_while_it_serves_others);
	STORY(what_one_peer_has_failed_waits_for_one_that_answers);
	STORY(a_path_that_hangs_is_left);
	STORY(peers_become_slow);
	STORY(reinstate_by_message);
	STORY(switched_off);
	STORY(switched_on);
	STORY(groups_change);
	STORY(idle_maps_sleep);
	return end_of_stories();
}
