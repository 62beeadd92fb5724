/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hedged reads: one that is late goes down a second path, the first good answer counts, and what
 * the other leg does then is its path's business only (hedged_reads).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/lib/load.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define THREE_PATHS "0 1 1 round-robin 0 3 1 8:0 1 8:16 1 8:32 1"

/* --- the figures --- */

static const struct settings_of_load off, on = {.hedged_reads = 5};

static uint64_t load_ms(void)
{
	return getenv("MPATH_LONG") ? 60000 : 3000;
}

static struct figures show(const char *selector, const struct settings_of_load *settings,
			   enum fault what, unsigned int depth)
{
	struct figures f = load_measure(selector, settings, what, depth, load_ms());

	printf("%s, %u out, fault %u, hedging %s: %zu reads, p50 %u, p99 %u, p99.9 %u, max %u us\n",
	       selector, depth, what, settings->hedged_reads ? "on" : "off", f.nr, f.p50, f.p99,
	       f.p999, f.max);
	return f;
}

/* The fourth row of the issue: 90 % of the healthy paths' throughput, p99.9 at most three times. */
static void stalls_are_made_up_for(const char *selector, unsigned int depth)
{
	struct figures well = show(selector, &off, HEALTHY, depth);
	struct figures hedged = show(selector, &on, STALLS, depth);
	struct figures without = show(selector, &off, STALLS, depth);

	expect(NULL, 10 * hedged.nr >= 9 * well.nr);
	expect(NULL, hedged.p999 <= 3 * well.p999);
	expect(NULL, without.p999 > 10 * well.p999); /* else the figures are worth nothing */
}

static void one_path_stalls(void)
{
	stalls_are_made_up_for("round-robin", 4);
	stalls_are_made_up_for("queue-length", 16);
}

/* And so is a path that swallows what it gets: no read takes more than 100 ms. */
static void one_path_swallows(void)
{
	expect(NULL, show("round-robin", &on, SILENT, 4).max <= 100000);
	expect(NULL, show("queue-length", &on, SILENT, 16).max <= 100000);
	expect(NULL, show("round-robin", &off, SILENT, 4).max > 1000000);
}

/* A hedge costs a read on the other path: no more of them than were allowed (see the oracle, too).
 */
static void the_budget_holds(enum fault what, unsigned int percent_max)
{
	struct world *w = load_world(FAIL TWO_PATHS);
	struct load l;
	uint64_t nr;

	w->settings.hedged_reads = 5;
	world_up(w);
	mpath_set_trace(w->m, NULL, NULL);
	load_begins(&l, w, 16);
	load_runs(&l, 2000);
	load_fault(w, what);
	nr = w->m->nr_hedged;
	l.nr = 0;
	load_runs(&l, 5000);
	printf("fault %u: %llu of %zu reads were hedged\n", what,
	       (unsigned long long)(w->m->nr_hedged - nr), l.nr);
	expect(w, 100 * (w->m->nr_hedged - nr) <= percent_max * (l.nr + 20 * 64));
	load_ends(&l);
	world_end(w);
}

static void all_paths_are_slow(void)
{
	the_budget_holds(STALLS_EVERYWHERE, 5);
	the_budget_holds(SLOWER_EVERYWHERE, 3);
	the_budget_holds(HEALTHY, 2);
}

/* --- one read --- */

/* Two paths of which is known that their commands take 1 ms; each read brings a hedge. */
static struct world *new_world(const char *table)
{
	struct world *w = world_new(table);

	w->settings.hedged_reads = 100;
	return w;
}

static void make_known(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++) {
		struct latency *latency = &w->paths[i].path->stats.latency;

		latency->now[latency_bucket(NSEC_PER_MSEC)] += 10000;
	}
	for (i = 0; i < 8; i++) {
		submit_read(w, 0, 1);
		advance(w, 2);
	}
	advance(w, 284);
	forget_trace(w);
}

static struct world *up(const char *table)
{
	struct world *w = new_world(table);

	world_up(w);
	make_known(w);
	return w;
}

/* A read on 8:0, which keeps it; at the end it has a second leg on 8:16, which takes 10 ms. */
static struct sim_io *two_legs(struct world *w)
{
	struct sim_path *a = sim_path(w, "8:0"), *b = sim_path(w, "8:16");
	struct sim_io *io;

	b->latency_ns = SIM_LATENCY;
	io = submit_read(w, 3, 2);
	if (io->last_path != a) {
		advance(w, 2);
		io = submit_read(w, 3, 2);
	}
	expect(w, io->last_path == a);
	set_mode(a, MODE_HUNG);
	b->latency_ns = 10 * NSEC_PER_MSEC;
	forget_trace(w);
	advance(w, 2);
	expect(w, io->nr_legs == 2 && io->last_path == b);
	return io;
}

static void the_second_leg_is_quicker(void)
{
	struct group_snapshot group;
	struct path_snapshot paths[2];
	struct mpath_snapshot shot = {
		.groups = &group, .max_groups = 1, .paths = paths, .max_paths = 2};
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	advance(w, 20);
	expect_good(w, io);
	expect(w, w->m->nr_hedged == 1 && w->m->nr_hedges_won == 1 && w->m->nr_legs == 1);
	expect(w, sim_path(w, "8:0")->path->in_flight == 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10);
	expect(w, w->counts.loose_answers == 1 && w->m->nr_legs == 0);
	expect_trace(w, "...\n"
			"[401] io 28: hedged, it is late on 8:0\n"
			"[401] io 28: start on 8:16\n"
			"[411] io 28: good\n");
	mpath_snapshot(w->m, w->now_ns, &shot);
	expect(w, shot.hedged_reads == 100 && shot.hedged == 1 && shot.hedges_won == 1);
	expect_detail(w, "hedged reads: 1 sent twice, 1 answered by the second");
	world_end(w);
}

static void the_first_leg_is_quicker(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_good(w, io);
	expect(w, w->m->nr_hedged == 1 && w->m->nr_hedges_won == 0 && w->m->nr_legs == 1);
	advance(w, 20);
	expect(w, w->counts.loose_answers == 1 && w->m->nr_legs == 0);
	world_end(w);
}

/* It has written since; what the loser brings is old, and nobody's. */
static void the_loser_brings_old_data(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w), *write, *read;

	advance(w, 20);
	expect_good(w, io);
	write = submit_write(w, 3, 1);
	advance(w, 20);
	expect_good(w, write);
	read = submit_read(w, 3, 1);
	advance(w, 20);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 20);
	expect_good(w, read);
	expect(w, sim_stamp(read->buf, 0) == write->stamp && sim_stamp(io->buf, 0) == 0);
	world_end(w);
}

/* --- the loser's path --- */

static struct world *with_a_loser(struct sim_io **io)
{
	struct world *w = up(FAIL TWO_PATHS);

	*io = two_legs(w);
	advance(w, 20);
	expect_good(w, *io);
	forget_trace(w);
	return w;
}

/* As if nobody had hedged: what an answer says of the path is heard. */
static void the_losers_path_is_lost(void)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);

	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_trace(w, "[423] path 8:0: failed (transport lost), 1 left\n");
	expect(w, !sim_path(w, "8:0")->path->active && w->m->nr_legs == 0);
	advance(w, 3000);
	expect(w, sim_path(w, "8:0")->path->active);
	world_end(w);
}

static void the_losers_path_is_in_doubt(void)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);

	set_io_mode(sim_path(w, "8:0"), MODE_FAULT, 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1);
	expect(w, sim_path(w, "8:0")->path->suspect);
	advance(w, 3);
	expect(w, !sim_path(w, "8:0")->path->suspect && sim_path(w, "8:0")->path->active);
	world_end(w);
}

static void the_losers_path_is_in_standby(void)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);

	set_mode(sim_path(w, "8:0"), MODE_STANDBY);
	advance(w, 2);
	expect_trace(w, "[423] path 8:0: failed (standby), 1 left\n");
	world_end(w);
}

static void the_losers_path_is_gone(void)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);
	unsigned int opened = sim_path(w, "8:0")->nr_opens;

	set_mode(sim_path(w, "8:0"), MODE_GONE);
	advance(w, 2);
	expect_trace(w, "[423] path 8:0: failed (device gone), 1 left\n");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10000);
	expect(w, sim_path(w, "8:0")->path->active && sim_path(w, "8:0")->nr_opens > opened);
	world_end(w);
}

static void the_losers_path_may_lead_elsewhere(void)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);

	exchange_lun(sim_path(w, "8:0"), 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 20);
	expect(w, !sim_path(w, "8:0")->path->active);
	expect_notice(w, "not used: WWID is");
	exchange_lun(sim_path(w, "8:0"), 0);
	world_end(w);
}

/* Nobody answers the probe either: the leg is given up with the others. */
static void the_losers_path_hangs(void)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);

	advance(w, 15000);
	expect(w, w->m->nr_legs == 0 && !sim_path(w, "8:0")->path->active);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 3000);
	expect(w, sim_path(w, "8:0")->path->active);
	world_end(w);
}

/* --- one leg fails, the other one counts --- */

/* Not sent a third time: the second leg is out already. */
static void the_first_legs_path_is_lost(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	forget_trace(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 5);
	expect_pending(w, io);
	expect(w, !sim_path(w, "8:0")->path->active);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->nr_starts == 2);
	expect_trace(w, "[403] io 28: transport lost on 8:0, its other leg is out\n"
			"[403] path 8:0: failed (transport lost), 1 left\n"
			"[411] io 28: good\n");
	world_end(w);
}

static void the_second_legs_path_is_lost(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 11);
	expect_pending(w, io);
	expect(w, !sim_path(w, "8:16")->path->active);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->nr_starts == 2);
	world_end(w);
}

/* Then it is as if there had never been but one: the command waits, and goes out again. */
static void both_paths_are_lost(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io = two_legs(w);

	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 20);
	expect_pending(w, io);
	expect(w, w->m->nr_valid == 0 && w->m->nr_legs == 0 && !io->io.leg);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 3000);
	expect_good(w, io);
	world_end(w);
}

static void both_paths_are_lost_and_nothing_queues(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 20);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

/* H7: it may leave each path in doubt once, and is answered in the end. */
static void a_poison_read(void)
{
	struct world *w = up(QUEUE THREE_PATHS);
	struct sim_io *io = two_legs(w);

	io->poison = true;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 200);
	expect_sense(w, io, 0x04, 0x08, 0x00);
	expect(w, io->nr_starts == 3 && w->m->nr_valid == 3); /* once on each of them */
	world_end(w);
}

/* --- verdicts: what the initiator sees of two answers --- */

static struct world *second_answers(struct sim_io **io, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct world *w = up(FAIL TWO_PATHS);

	*io = two_legs(w);
	answer_with_sense(sim_path(w, "8:16"), key, asc, ascq, 1);
	advance(w, 10);
	return w;
}

/* It is the initiator's to hear, and would not be said again. */
static void a_unit_attention_goes_up(void)
{
	struct sim_io *io;
	struct world *w = second_answers(&io, 0x06, 0x2a, 0x01);

	expect_sense(w, io, 0x06, 0x2a, 0x01);
	expect(w, w->m->nr_legs == 1 && w->m->nr_hedges_won == 0);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect(w, w->m->nr_legs == 0);
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	world_end(w);
}

/* So is an error of a write that was answered GOOD long before. */
static void a_deferred_error_goes_up(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);
	struct scsi_result deferred;

	sim_check_condition(&deferred, 0, 0x03, 0x0c, 0x00);
	deferred.sense[0] = 0x71;
	answer_with(sim_path(w, "8:16"), &deferred, 1);
	advance(w, 10);
	expect_answer(w, io, SAM_CHECK_CONDITION);
	expect(w, io->io.result.sense[0] == 0x71);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	world_end(w);
}

/* It has data, which ring.c gives to the initiator. */
static void a_recovered_error_brings_its_data(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *write = submit_write(w, 3, 1), *read;

	advance(w, 20);
	expect_good(w, write);
	answer_with_sense(sim_path(w, "8:0"), 0x01, 0x18, 0x00, 1);
	answer_with_sense(sim_path(w, "8:16"), 0x01, 0x18, 0x00, 1);
	read = submit_read(w, 3, 1);
	expect(w, read->nr_legs == 1);
	advance(w, 2);
	expect_sense(w, read, 0x01, 0x18, 0x00);
	expect(w, read->io.result.residual == 0 && sim_stamp(read->buf, 0) == write->stamp);
	world_end(w);
}

/* What the map would not let up without hedging does not go up with it. */
static void a_reset_is_the_maps_business(void)
{
	struct sim_io *io;
	struct world *w = second_answers(&io, 0x06, 0x29, 0x00);

	expect_pending(w, io);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_good(w, io);
	expect(w, io->nr_starts == 2);
	world_end(w);
}

/* A good answer is better, whichever path it comes from; if there is none, the error counts. */
static void a_conflict_and_a_good_answer(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	answer_with_status(sim_path(w, "8:16"), SAM_RESERVATION_CONFLICT, 1);
	advance(w, 10);
	expect_pending(w, io);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_good(w, io);
	world_end(w);
}

static void two_conflicts(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	answer_with_status(sim_path(w, "8:16"), SAM_RESERVATION_CONFLICT, 1);
	advance(w, 10);
	answer_with_status(sim_path(w, "8:0"), SAM_RESERVATION_CONFLICT, 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_answer(w, io, SAM_RESERVATION_CONFLICT);
	world_end(w);
}

static void an_unreadable_block(void)
{
	struct sim_io *io;
	struct world *w = second_answers(&io, 0x03, 0x11, 0x00);

	expect_pending(w, io);
	answer_with_sense(sim_path(w, "8:0"), 0x03, 0x11, 0x00, 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_sense(w, io, 0x03, 0x11, 0x00);
	world_end(w);
}

/* GOOD, but nothing of what was to be read: the other leg counts. */
static void an_empty_answer_and_a_good_one(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	answer_with_status(sim_path(w, "8:16"), SAM_GOOD, 1);
	advance(w, 10);
	expect_pending(w, io);
	expect(w, w->m->nr_legs == 1 && w->m->nr_hedges_won == 0);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_good(w, io);
	expect(w, io->nr_starts == 2 && io->io.result.residual == 0);
	world_end(w);
}

/* So it is with a warning instead of GOOD. */
static void an_empty_answer_with_a_warning(void)
{
	struct scsi_result warning = {.status = SAM_CHECK_CONDITION,
				      .sense_len = 18,
				      .sense = {0x70, 0, 0x01, [7] = 10, [12] = 0x17},
				      .residual = SIM_BLOCK_SIZE};
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	answer_with(sim_path(w, "8:16"), &warning, 1);
	advance(w, 10);
	expect_pending(w, io);
	expect(w, w->m->nr_legs == 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_good(w, io);
	world_end(w);
}

/* If it brings nothing either the read is sent again, as one without legs would be. */
static void two_empty_answers(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	answer_with_status(sim_path(w, "8:16"), SAM_GOOD, 1);
	advance(w, 10);
	answer_with_status(sim_path(w, "8:0"), SAM_GOOD, 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->nr_starts == 3 && w->m->nr_legs == 0);

	answer_with_status(sim_path(w, "8:0"), SAM_GOOD, 0);
	answer_with_status(sim_path(w, "8:16"), SAM_GOOD, 0);
	io = submit_read(w, 0, 1);
	advance(w, 6000);
	expect_sense(w, io, 0x04, 0x08, 0x00);
	expect(w, sim_path(w, "8:0")->path->active && sim_path(w, "8:16")->path->active);
	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	world_end(w);
}

/* Nobody waits for it. */
static void a_loser_brings_nothing(void)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);

	answer_with_status(sim_path(w, "8:0"), SAM_GOOD, 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 20);
	expect(w, w->m->nr_legs == 0);
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	world_end(w);
}

/* BUSY from the one, and the other takes its time: nothing is sent meanwhile. */
static void a_busy_target_is_left_in_peace(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	answer_with_status(sim_path(w, "8:16"), SAM_BUSY, 1);
	advance(w, 200);
	expect_pending(w, io);
	expect(w, io->nr_starts == 2 && w->m->nr_hedged == 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect_good(w, io);
	world_end(w);
}

/* --- news: what a loser hears, the next command is told --- */

static struct world *loser_hears(uint8_t asc, uint8_t ascq)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);

	push_ua(sim_path(w, "8:0"), asc, ascq);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 20);
	expect(w, w->m->nr_legs == 0);
	forget_trace(w);
	return w;
}

static void a_loser_hears_a_unit_attention(void)
{
	struct world *w = loser_hears(0x2a, 0x01);
	struct sim_io *io = submit_inquiry(w);

	expect_good(w, io); /* is never told one (SAM-5 5.14) */
	io = submit_write(w, 0, 1);
	expect_sense(w, io, 0x06, 0x2a, 0x01);
	expect(w, !io->nr_starts);
	expect_trace(w, "[442] io 12: good\n"
			"[442] io 2a: is told what nobody has heard\n"
			"[442] io 2a: status 02\n");
	io = submit_write(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	world_end(w);
}

/* Two losers hear the same, which is one thing to tell; and another one. */
static void the_same_is_told_once(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_path *a = sim_path(w, "8:0");
	struct sim_io *ios[6];
	unsigned int i, told = 0;

	set_mode(a, MODE_HUNG);
	for (i = 0; i < 6; i++)
		ios[i] = submit_read(w, 0, 1);
	advance(w, 30);
	for (i = 0; i < 6; i++)
		expect_good(w, ios[i]);
	expect(w, w->m->nr_legs == 3);
	push_ua(a, 0x2a, 0x01);
	push_ua(a, 0x2a, 0x01);
	push_ua(a, 0x2a, 0x03);
	set_mode(a, MODE_UP);
	advance(w, 10);
	for (i = 0; i < 6; i++) {
		ios[i] = submit_read(w, 0, 1);
		advance(w, 20);
		told += ios[i]->io.result.status == SAM_CHECK_CONDITION;
	}
	expect(w, told == 2 && w->m->nr_news == 0);
	world_end(w);
}

static void a_loser_hears_of_a_new_size(void)
{
	struct world *w = loser_hears(0x2a, 0x09);
	struct sim_io *io = submit_read(w, 0, 1);

	expect_sense(w, io, 0x06, 0x2a, 0x09);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	world_end(w);
}

static void a_loser_hears_of_a_reset(void)
{
	struct world *w = loser_hears(0x29, 0x00);
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 20);
	expect_good(w, io);
	world_end(w);
}

/* --- ends --- */

/* Its buffers are not those of the legs, so it waits for neither. */
static void an_abort_with_two_legs(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);
	uint8_t before[SIM_IO_BYTES];

	memcpy(before, io->buf, sizeof(before));
	abort_task(w, io);
	expect_answer(w, io, SAM_TASK_ABORTED);
	expect(w, w->m->nr_legs == 2);
	submit_write(w, 3, 1);
	advance(w, 50);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 50);
	expect(w, w->m->nr_legs == 0 && w->counts.loose_answers == 2);
	expect(w, memcmp(before, io->buf, sizeof(before)) == 0);
	world_end(w);
}

static void a_lun_reset_with_two_legs(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w), *other = submit_read(w, 0, 1);

	reset_lun(w);
	expect_answer(w, io, SAM_TASK_ABORTED);
	expect_answer(w, other, SAM_TASK_ABORTED);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	world_end(w);
}

static void stop_with_two_legs(void)
{
	struct world *w = up(FAIL TWO_PATHS);
	struct sim_io *io = two_legs(w);

	stop_world(w);
	advance(w, 10);
	expect_answer(w, io, SAM_BUSY);
	expect(w, w->stopped && w->m->nr_legs == 0);
	world_end(w);
}

static void stop_with_a_loser(void)
{
	struct sim_io *io;
	struct world *w = with_a_loser(&io);

	stop_world(w);
	expect(w, !w->stopped);
	advance(w, 10);
	expect(w, w->stopped);
	world_end(w);
}

static void shutdown_with_two_legs(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io = two_legs(w);

	shut_down_world(w);
	expect_pending(w, io);
	advance(w, 20);
	expect_good(w, io);
	world_end(w);
}

/* Nothing is out when the map is suspended, no loser either; and nothing is hedged meanwhile. */
static void suspend_with_two_legs(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io = two_legs(w);

	message(w, "suspend");
	advance(w, 20);
	expect_good(w, io);
	expect(w, w->m->suspend == SUSPENDING);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2);
	expect(w, w->m->suspend == SUSPENDED);
	message(w, "resume");
	world_end(w);
}

static void suspend_with_one_leg(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io;

	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	io = submit_read(w, 0, 1);
	set_mode(io->last_path == sim_path(w, "8:0") ? sim_path(w, "8:16") : sim_path(w, "8:0"),
		 MODE_UP);
	message(w, "suspend");
	advance(w, 20);
	expect(w, io->nr_starts == 1 && w->m->nr_hedged == 0);
	set_mode(io->last_path, MODE_UP);
	advance(w, 5);
	expect_good(w, io);
	message(w, "resume");
	world_end(w);
}

static void the_first_legs_path_is_removed(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io = two_legs(w);

	expect(w, remove_path(w, "8:0") == 0);
	advance(w, 20);
	expect_good(w, io);
	expect(w, io->nr_starts == 2 && w->nr_gone == 1 && w->m->nr_legs == 0);
	world_end(w);
}

static void both_paths_are_removed(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io = two_legs(w);

	expect(w, remove_path(w, "8:0") == 0);
	expect(w, remove_path(w, "8:16") == 0);
	advance(w, 20);
	expect_pending(w, io);
	expect(w, w->nr_gone == 2);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	advance(w, 100);
	expect_good(w, io);
	world_end(w);
}

static void other_groups_with_two_legs(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io = two_legs(w);

	expect(w, regroup(w, (const unsigned int[]){1, 2}) == 0);
	advance(w, 20);
	expect_good(w, io);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	world_end(w);
}

/* Switched off with legs out, on again, off without: they end as they began. */
static void switched_off_and_on(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io = two_legs(w), *late;

	w->settings.hedged_reads = 0;
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	advance(w, 20);
	expect_good(w, io);
	expect(w, w->m->nr_legs == 1 && w->m->hedge);
	late = submit_read(w, 0, 1);
	expect(w, !late->nr_legs && !late->io.leg);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 20);
	expect_good(w, late);
	expect(w, w->m->nr_legs == 0);
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	expect(w, !w->m->hedge);
	advance(w, 100);
	w->settings.hedged_reads = 100;
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	advance(w, 100);
	make_known(w);
	io = two_legs(w);
	advance(w, 20);
	expect_good(w, io);
	world_end(w);
}

/* kill -9: nothing is left of the legs, and the next process has its own. */
static void a_crash_with_two_legs(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io = two_legs(w);

	kill_world(w, 0);
	expect(w, io->orphaned);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	advance(w, 60000);
	make_known(w);
	io = two_legs(w);
	advance(w, 20);
	expect_good(w, io);
	world_end(w);
}

static void through_a_ring(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);
	struct sim_io *io;

	sim_ring_begin(w, 0);
	world_up(w);
	make_known(w);
	io = two_legs(w);
	advance(w, 20);
	expect_good(w, io);
	io = two_legs(w);
	abort_task(w, io);
	advance(w, 5);
	expect_answer(w, io, SAM_TASK_ABORTED);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	world_end(w);
}

/* --- what is not hedged --- */

static void is_not_hedged(struct world *w, struct sim_io *io)
{
	advance(w, 100);
	expect_pending(w, io);
	expect(w, w->m->nr_hedged == 0);
	world_end(w);
}

static struct world *all_hang(const char *table)
{
	struct world *w = up(table);
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_HUNG);
	return w;
}

static void writes_are_not_hedged(void)
{
	struct world *w = all_hang(QUEUE TWO_PATHS);

	is_not_hedged(w, submit_write(w, 0, 1));
}

static void what_may_run_but_once_is_not_hedged(void)
{
	struct world *w = all_hang(QUEUE TWO_PATHS);

	submit_caw(w, 0, 0);
	submit_vendor(w);
	is_not_hedged(w, submit_pr_out(w));
}

/* Neither is what is no READ, though it changes nothing. */
static void other_questions_are_not_hedged(void)
{
	struct world *w = all_hang(QUEUE TWO_PATHS);

	submit_capacity(w);
	is_not_hedged(w, submit_tur(w));
}

static void the_last_path_is_not_hedged(void)
{
	struct world *w = up(QUEUE TWO_PATHS);

	message(w, "fail_path 8:16");
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	is_not_hedged(w, submit_read(w, 0, 1));
}

static void a_path_in_doubt_gets_no_second_leg(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io;

	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_io_mode(sim_path(w, "8:16"), MODE_FAULT, 1);
	sim_path(w, "8:16")->mode = MODE_HUNG; /* its probe is not answered */
	submit_read(w, 0, 1);
	io = submit_read(w, 0, 1);
	advance(w, 2);
	expect(w, sim_path(w, "8:16")->path->suspect);
	is_not_hedged(w, io);
}

/* Another group would have to be switched to, or activated. */
static void other_groups_are_left_alone(void)
{
	struct world *w = up(QUEUE TWO_GROUPS);

	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	is_not_hedged(w, submit_read(w, 0, 1));
}

static void groups_that_are_activated_are_left_alone(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA);

	give_port_groups(w, 3, 1);
	world_up(w);
	make_known(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	is_not_hedged(w, submit_read(w, 0, 1));
}

static void a_full_path_gets_no_second_leg(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].queue_depth = 1;
	world_up(w);
	make_known(w);
	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_HUNG);
	submit_read(w, 0, 1);
	is_not_hedged(w, submit_read(w, 0, 1));
}

/* Past its deadline a command is sent no more (H4), not even a second time. */
static void a_read_past_its_deadline(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	struct sim_io *io;

	set_cmd_time_out(w, 2);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	io = submit_read(w, 0, 1);
	if (io->last_path != sim_path(w, "8:0"))
		io = submit_read(w, 0, 1);
	message(w, "fail_path 8:16");
	advance(w, 1500);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	message(w, "reinstate_path 8:16");
	advance(w, 100);
	expect(w, sim_path(w, "8:16")->path->active && io->nr_starts == 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	world_end(w);
}

/* Nobody knows what is late before there were some commands. */
static void a_young_map_does_not_hedge(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 300);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	is_not_hedged(w, submit_read(w, 0, 1));
}

/* Then reads go as without hedging, and come back. */
static void more_reads_than_legs(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);
	struct sim_io *ios[200];
	unsigned int i, bare = 0;

	w->paths[0].queue_depth = w->paths[1].queue_depth = 128;
	world_up(w);
	make_known(w);
	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_HUNG);
	for (i = 0; i < 200; i++)
		ios[i] = submit_read(w, i % 8, 1);
	for (i = 0; i < 200; i++)
		bare += !ios[i]->nr_legs;
	expect(w, w->m->nr_legs == 128 && bare == 72);
	advance(w, 10);
	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_UP);
	advance(w, 10);
	for (i = 0; i < 200; i++)
		expect_good(w, ios[i]);
	expect(w, w->m->nr_legs == 0);
	world_end(w);
}

/* Off: no memory, no leg, no timer. */
static void off_is_off(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	make_known(w);
	expect(w, !w->m->hedge && !w->m->closer_look);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	io = submit_read(w, 0, 1);
	expect(w, !io->nr_legs && !w->m->hedge_due_ns && !w->m->hedge_learn_ns);
	is_not_hedged(w, io);
}

/* Nor is an idle map woken for it. */
static void idle_maps_sleep(void)
{
	struct world *w = up(QUEUE TWO_PATHS);
	uint64_t steps = w->m->nr_steps;

	advance(w, 60000);
	expect(w, w->m->nr_steps - steps <= 2 + 2 * 3 * 60 / 5);
	world_end(w);
}

int main(void)
{
	STORY(one_path_stalls);
	STORY(one_path_swallows);
	STORY(all_paths_are_slow);
	STORY(the_second_leg_is_quicker);
	STORY(the_first_leg_is_quicker);
	STORY(the_loser_brings_old_data);
	STORY(the_losers_path_is_lost);
	STORY(the_losers_path_is_in_doubt);
	STORY(the_losers_path_is_in_standby);
	STORY(the_losers_path_is_gone);
	STORY(the_losers_path_may_lead_elsewhere);
	STORY(the_losers_path_hangs);
	STORY(the_first_legs_path_is_lost);
	STORY(the_second_legs_path_is_lost);
	STORY(both_paths_are_lost);
	STORY(both_paths_are_lost_and_nothing_queues);
	STORY(a_poison_read);
	STORY(a_unit_attention_goes_up);
	STORY(a_deferred_error_goes_up);
	STORY(a_recovered_error_brings_its_data);
	STORY(a_reset_is_the_maps_business);
	STORY(a_conflict_and_a_good_answer);
	STORY(two_conflicts);
	STORY(an_unreadable_block);
	STORY(an_empty_answer_and_a_good_one);
	STORY(an_empty_answer_with_a_warning);
	STORY(two_empty_answers);
	STORY(a_loser_brings_nothing);
	STORY(a_busy_target_is_left_in_peace);
	STORY(a_loser_hears_a_unit_attention);
	STORY(the_same_is_told_once);
	STORY(a_loser_hears_of_a_new_size);
	STORY(a_loser_hears_of_a_reset);
	STORY(an_abort_with_two_legs);
	STORY(a_lun_reset_with_two_legs);
	STORY(stop_with_two_legs);
	STORY(stop_with_a_loser);
	STORY(shutdown_with_two_legs);
	STORY(suspend_with_two_legs);
	STORY(suspend_with_one_leg);
	STORY(the_first_legs_path_is_removed);
	STORY(both_paths_are_removed);
	STORY(other_groups_with_two_legs);
	STORY(switched_off_and_on);
	STORY(a_crash_with_two_legs);
	STORY(through_a_ring);
	STORY(writes_are_not_hedged);
	STORY(what_may_run_but_once_is_not_hedged);
	STORY(other_questions_are_not_hedged);
	STORY(the_last_path_is_not_hedged);
	STORY(a_path_in_doubt_gets_no_second_leg);
	STORY(other_groups_are_left_alone);
	STORY(groups_that_are_activated_are_left_alone);
	STORY(a_full_path_gets_no_second_leg);
	STORY(a_read_past_its_deadline);
	STORY(a_young_map_does_not_hedge);
	STORY(more_reads_than_legs);
	STORY(off_is_off);
	STORY(idle_maps_sleep);
	return end_of_stories();
}
