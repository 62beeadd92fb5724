/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Third-party copies (SPC-5: EXTENDED COPY, RECEIVE COPY RESULTS and their like).  The number by
 * which an initiator knows a copy is one of its I_T nexus: on another path it is unknown.  So it is
 * with the other commands of which one fetches what another one has brought.
 */
#include <string.h>

#include "sim/lib/load.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define submit_copy(w)	  submit_cdb(w, (const uint8_t[16]){0x83, 0x01, [13] = 32}, 16, 32)
#define submit_results(w) submit_cdb(w, (const uint8_t[16]){0x84, 0x04, [13] = 64}, 16, 64)

/* The path that a copy has gone down. */
static struct sim_path *copy(struct world *w)
{
	struct sim_io *io = submit_copy(w);

	advance(w, 5);
	expect_good(w, io);
	return io->last_path;
}

static void copy_is_known(struct world *w, struct sim_path *path)
{
	struct sim_io *io = submit_results(w);

	advance(w, 5);
	expect_good(w, io);
	expect(w, io->last_path == path && io->nr_starts == 1);
}

static void copy_is_unknown(struct world *w, struct sim_path *path)
{
	struct sim_io *io = submit_results(w);

	advance(w, 5);
	expect_sense(w, io, 0x05, 0x24, 0x00);
	expect(w, io->last_path != path);
}

static struct sim_io *read_block(struct world *w)
{
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 2);
	expect_good(w, io);
	return io;
}

/* Other commands take turns meanwhile. */
static void results_come_from_the_path_of_the_copy(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i, on_it = 0;
	struct sim_path *path;

	world_up(w);
	path = copy(w);
	for (i = 0; i < 8; i++) {
		on_it += read_block(w)->last_path == path;
		if (i % 3 == 0)
			copy_is_known(w, path);
		if (i % 3 == 1)
			expect(w, copy(w) == path);
	}
	expect(w, on_it >= 2 && on_it <= 6);
	world_end(w);
}

static void where_reads_are_hedged(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *path;

	w->settings.hedged_reads = 5;
	world_up(w);
	path = copy(w);
	read_block(w);
	copy_is_known(w, path);
	copy_is_known(w, path);
	world_end(w);
}

/* Slow is better than never: as long as it is demoted it has no room for others. */
static void the_path_of_the_copy_is_slow(void)
{
	struct world *w = load_world(FAIL TWO_PATHS);
	struct sim_path *path;
	struct sim_io *io;
	struct load l;

	w->settings.slow_path_factor = 3;
	world_up(w);
	path = copy(w);
	expect(w, path == sim_path(w, "8:0"));
	load_begins(&l, w, 4);
	load_runs(&l, 1000);
	load_fault(w, LATE);
	load_runs(&l, 1000);
	expect(w, path->path->demotion == DEMOTED);
	io = submit_results(w);
	load_runs(&l, 100);
	expect_good(w, io);
	expect(w, io->last_path == path && path->path->demotion == DEMOTED);
	load_ends(&l);
	world_end(w);
}

/* It has all that it takes, and its peers have nothing to do: that is no reason to use it for more.
 */
static void the_path_of_the_copy_is_slow_and_full(void)
{
	struct world *w = load_world(FAIL TWO_PATHS);
	struct sim_io *copies[3], *read;
	struct sim_path *path;
	unsigned int i;
	struct load l;

	w->settings.slow_path_factor = 3;
	w->paths[0].queue_depth = 2;
	world_up(w);
	path = copy(w);
	expect(w, path == sim_path(w, "8:0"));
	load_begins(&l, w, 2);
	load_runs(&l, 1000);
	load_fault(w, LATE);
	load_runs(&l, 1000);
	expect(w, path->path->demotion == DEMOTED);
	load_ends(&l);
	set_mode(path, MODE_HUNG);
	for (i = 0; i < 3; i++)
		copies[i] = submit_results(w);
	for (i = 0; i < 20; i++) {
		advance(w, 50);
		read = submit_read(w, 0, 1);
		advance(w, 10);
		expect_good(w, read);
		expect(w, path->path->demotion == DEMOTED);
	}
	expect_pending(w, copies[2]);
	set_mode(path, MODE_UP);
	advance(w, 200);
	expect_good(w, copies[2]);
	expect(w, copies[2]->last_path == path);
	expect_no_notice(w, "used again");
	world_end(w);
}

/* Nobody can be asked for it then.  The next copy goes elsewhere, and is known there. */
static void the_path_of_the_copy_is_lost(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *path, *other;

	world_up(w);
	path = copy(w);
	set_mode(path, MODE_LOST);
	copy_is_unknown(w, path);
	other = copy(w);
	expect(w, other != path);
	copy_is_known(w, other);
	set_mode(path, MODE_UP);
	advance(w, 2000);
	expect(w, path->path->active);
	copy_is_known(w, other);
	copy_is_known(w, other);
	world_end(w);
}

/* It is known again when it is back. */
static void the_path_of_the_copy_comes_back(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *path;

	world_up(w);
	path = copy(w);
	set_mode(path, MODE_LOST);
	copy_is_unknown(w, path);
	set_mode(path, MODE_UP);
	advance(w, 2000);
	copy_is_known(w, path);
	copy_is_known(w, path);
	world_end(w);
}

static void the_path_of_the_copy_is_removed(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *path;

	world_up(w);
	path = copy(w);
	expect(w, remove_path(w, path->name) == 0);
	advance(w, 100);
	copy_is_unknown(w, path);
	path = copy(w);
	copy_is_known(w, path);
	world_end(w);
}

/* The first path has not carried it out, so the copy is another one's. */
static void the_copy_has_gone_elsewhere(void)
{
	static const enum sim_mode modes[] = {MODE_NOT_SENT, MODE_STANDBY, MODE_TRANSITIONING};
	unsigned int i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct world *w = world_new(FAIL "0 1 1 round-robin 0 3 1 8:0 1 8:16 1 8:32 1");
		struct sim_path *path;

		world_up(w);
		path = copy(w);
		set_mode(path, modes[i]);
		path = copy(w);
		read_block(w);
		copy_is_known(w, path);
		copy_is_known(w, path);
		world_end(w);
	}
}

/* The target is busy: the copy is asked for again where it is, and so are its results. */
static void the_target_is_busy(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *path, *other;
	struct sim_io *io;

	world_up(w);
	path = copy(w);
	other = path == sim_path(w, "8:0") ? sim_path(w, "8:16") : sim_path(w, "8:0");
	answer_with_status(path, SAM_BUSY, 4);
	io = submit_results(w);
	advance(w, 300);
	expect_good(w, io);
	expect(w, io->last_path == path && io->nr_starts == 5 && !other->nexus.knows_copy);
	world_end(w);
}

/* All the room there is taken: that is waited for, and others need not wait with it. */
static void the_path_of_the_copy_is_full(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *results, *reads[4];
	struct sim_path *path, *other;
	unsigned int i;

	w->paths[0].queue_depth = 1;
	w->paths[1].queue_depth = 1;
	world_up(w);
	path = copy(w);
	other = path == &w->paths[0] ? &w->paths[1] : &w->paths[0];
	path->latency_ns = 100 * NSEC_PER_MSEC;
	for (i = 0; i < 2; i++)
		reads[i] = submit_read(w, 0, 1);
	expect(w, path->nr_out == 1 && other->nr_out == 1);
	reads[2] = submit_read(w, 0, 1);
	results = submit_results(w);
	reads[3] = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, reads[2]);
	expect_good(w, reads[3]);
	expect_pending(w, results);
	path->latency_ns = SIM_LATENCY;
	advance(w, 100);
	expect_good(w, results);
	expect(w, results->last_path == path);
	world_end(w);
}

/* A new copy goes where commands go; the old one is asked for where it is. */
static void another_group_is_used(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_path *path, *other;

	world_up(w);
	path = copy(w);
	expect(w, path == sim_path(w, "8:0"));
	message(w, "switch_group 2");
	read_block(w);
	copy_is_known(w, path);
	other = copy(w);
	expect(w, other == sim_path(w, "8:16"));
	copy_is_known(w, other);
	world_end(w);
}

/* Where groups are activated it would move the LUN: it is asked for in the group in use. */
static void another_group_is_activated(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS_ALUA);
	struct sim_path *path;
	unsigned int nr_stpg;

	give_port_groups(w, 2, 1);
	world_up(w);
	path = copy(w);
	message(w, "switch_group 2");
	submit_read(w, 0, 1);
	advance(w, 100);
	expect(w, read_block(w)->last_path != path);
	nr_stpg = w->luns[0].nr_stpg;
	copy_is_unknown(w, path);
	copy_is_known(w, copy(w));
	expect(w, w->luns[0].nr_stpg == nr_stpg);
	world_end(w);
}

/* --- other pairs --- */

static const struct pair {
	uint8_t begins[12], fetches[12];
	size_t len;
} pairs[] = {
	{{0x3b, 0x0a, [8] = 32}, {0x3c, 0x0a, [8] = 32}, 10}, /* the echo buffer */
	{{0x1d, 0x10, [4] = 32}, {0x1c, 0x00, [4] = 32}, 6},  /* a diagnostic page */
	{{0xb5, 0x01, [9] = 32}, {0xa2, 0x01, [9] = 32}, 12}, /* a security protocol */
};
#define NR_OTHER_PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static struct sim_path *begin_pair(struct world *w, const struct pair *pair)
{
	struct sim_io *io = submit_cdb(w, pair->begins, pair->len, 32);

	advance(w, 5);
	expect_good(w, io);
	return io->last_path;
}

static void is_fetched_from(struct world *w, const struct pair *pair, const struct sim_path *path)
{
	struct sim_io *io = submit_cdb(w, pair->fetches, pair->len, 32);

	advance(w, 5);
	expect_good(w, io);
	expect(w, io->last_path == path && io->nr_starts == 1);
}

/* Other commands, and other pairs, take turns meanwhile. */
static void other_pairs_stay_on_their_path(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *paths[NR_OTHER_PAIRS];
	unsigned int i, k;

	world_up(w);
	for (i = 0; i < NR_OTHER_PAIRS; i++) {
		read_block(w);
		paths[i] = begin_pair(w, &pairs[i]);
	}
	for (k = 0; k < 6; k++) {
		for (i = 0; i < NR_OTHER_PAIRS; i++) {
			read_block(w);
			is_fetched_from(w, &pairs[i], paths[i]);
			if (k == 2) /* microcode comes in pieces */
				expect(w, begin_pair(w, &pairs[i]) == paths[i]);
		}
	}
	world_end(w);
}

/* The one that begins another pair does not take the first one along. */
static void each_kind_has_its_path(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_path *path, *other;

	world_up(w);
	path = begin_pair(w, &pairs[0]);
	message(w, "switch_group 2");
	read_block(w);
	other = begin_pair(w, &pairs[1]);
	expect(w, other != path);
	is_fetched_from(w, &pairs[0], path);
	is_fetched_from(w, &pairs[1], other);
	world_end(w);
}

int main(void)
{
	STORY(other_pairs_stay_on_their_path);
	STORY(each_kind_has_its_path);
	STORY(results_come_from_the_path_of_the_copy);
	STORY(where_reads_are_hedged);
	STORY(the_path_of_the_copy_is_slow);
	STORY(the_path_of_the_copy_is_slow_and_full);
	STORY(the_path_of_the_copy_is_lost);
	STORY(the_path_of_the_copy_comes_back);
	STORY(the_path_of_the_copy_is_removed);
	STORY(the_copy_has_gone_elsewhere);
	STORY(the_target_is_busy);
	STORY(the_path_of_the_copy_is_full);
	STORY(another_group_is_used);
	STORY(another_group_is_activated);
	return end_of_stories();
}
