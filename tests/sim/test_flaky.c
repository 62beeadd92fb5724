/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flaky paths are held out, and released when last (san_path_err_*, F52).
 */
#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define POLL 5000 /* milliseconds between the checks of a good path */

/* Two failures are put up with, three good checks make up for one, half a minute heals. */
static struct world *new_world(const char *table)
{
	struct world *w = world_new(table);

	w->settings.flaky =
		(struct mpath_flaky){.threshold = 2, .forget_rate = 3, .recovery_s = 30};
	return w;
}

/* A command finds the path dead; a moment later it is up again. */
static void flap(struct world *w, const char *name)
{
	struct sim_io *io;

	set_mode(sim_path(w, name), MODE_NOT_SENT);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, !sim_path(w, name)->path->active);
	set_mode(sim_path(w, name), MODE_UP);
	advance(w, 1500);
}

static bool is_used(struct world *w, const char *name)
{
	return sim_path(w, name)->path->active;
}

static void flap_until_held_out(struct world *w)
{
	flap(w, "8:0");
	expect(w, is_used(w, "8:0"));
	flap(w, "8:0");
	expect(w, is_used(w, "8:0"));
	flap(w, "8:0");
	expect(w, !is_used(w, "8:0"));
}

static void a_flaky_path_is_held_out(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);

	world_up(w);
	flap_until_held_out(w);
	expect_notice(w, "flaky: has failed 3 times, is used again when it was good for 30 s");
	expect_detail(w, "8:0: failed: flaky: has failed 3 times");
	advance(w, 28000);
	expect(w, !is_used(w, "8:0"));
	expect_no_notice(w, "is used again\n");
	advance(w, 2000);
	expect(w, is_used(w, "8:0"));
	expect_notice(w, "was good for 30 s: is used again");

	/* Nothing is left of the old failures. */
	flap(w, "8:0");
	expect(w, is_used(w, "8:0"));
	world_end(w);
}

static void good_checks_make_up_for_failures(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);

	world_up(w);
	flap(w, "8:0");
	flap(w, "8:0");
	advance(w, 3 * POLL);
	flap(w, "8:0");
	expect(w, is_used(w, "8:0"));
	advance(w, 6 * POLL);
	flap(w, "8:0");
	flap(w, "8:0");
	expect(w, is_used(w, "8:0"));
	advance(w, 2 * POLL - 3500); /* too few */
	flap(w, "8:0");
	expect(w, !is_used(w, "8:0"));
	world_end(w);
}

/* A path that is bad meanwhile has to be good from then on. */
static void the_time_begins_anew(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);

	world_up(w);
	flap_until_held_out(w);
	advance(w, 20000);
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	advance(w, 2000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 28000);
	expect(w, !is_used(w, "8:0"));
	advance(w, 4000);
	expect(w, is_used(w, "8:0"));

	/* Its device may be away, too. */
	flap_until_held_out(w);
	advance(w, 20000);
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	sim_path(w, "8:0")->refused = "gone";
	advance(w, 5000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	sim_path(w, "8:0")->refused = NULL;
	advance(w, 26000);
	expect(w, !is_used(w, "8:0"));
	advance(w, 6000);
	expect(w, is_used(w, "8:0"));
	world_end(w);
}

/* F52: better than none, and at once. */
static void the_last_path_is_released(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	flap_until_held_out(w);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	expect_notice(w, "flaky, but no other path is left: is used again");
	world_end(w);
}

static void the_last_path_is_not_held_out(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);

	world_up(w);
	flap(w, "8:0");
	flap(w, "8:0");
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	submit_read(w, 0, 1);
	advance(w, 3000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 3000);
	expect(w, is_used(w, "8:0"));
	expect_no_notice(w, "flaky");

	/* What it had failed before is forgiven. */
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 3000);
	flap(w, "8:0");
	expect(w, is_used(w, "8:0"));
	world_end(w);
}

/* The other one is taken away. */
static void the_only_path_is_released(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);

	world_up(w);
	flap_until_held_out(w);
	expect(w, remove_path(w, "8:16") == 0);
	advance(w, 100);
	expect(w, is_used(w, "8:0"));
	/* That is forgiven: with another path again it has as many failures free as any. */
	expect(w, add_path(w, "8:16", 1) == 0);
	advance(w, 2000);
	flap_until_held_out(w);
	world_end(w);
}

/* What the administrator does is no failure, and his word counts more. */
static void messages(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);
	unsigned int i;

	world_up(w);
	for (i = 0; i < 5; i++) {
		message(w, "fail_path 8:0");
		message(w, "reinstate_path 8:0");
		advance(w, 1000);
		expect(w, is_used(w, "8:0"));
	}
	flap_until_held_out(w);
	message(w, "reinstate_path 8:0");
	advance(w, 1000);
	expect(w, is_used(w, "8:0"));
	world_end(w);
}

/*
 * The array takes the LUN away from paths, and gives it back: they are as good as they were,
 * whether a command finds out first, or the checker.
 */
static void the_lun_moves(uint8_t tpgs, uint64_t checked_ms)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO_ALUA);
	struct sim_io *io;
	unsigned int i, away;

	give_port_groups(w, tpgs, 2);
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 100);
	for (i = 0; i < 8; i++) {
		away = 1 + i % 2;
		set_port_group(w, away, ALUA_STANDBY, false);
		set_port_group(w, 3 - away, ALUA_OPTIMIZED, false);
		advance(w, checked_ms);
		io = submit_read(w, 0, 1);
		advance(w, 3000);
		expect_good(w, io);
		expect(w, io->last_path->nexus.group == 3 - away);
	}
	expect_no_notice(w, "flaky");
	world_end(w);
}

static void a_lun_that_moves(void)
{
	the_lun_moves(2, 0);
	the_lun_moves(1, 5000);
}

/* It takes all three. */
static void without_one_of_the_three(void)
{
	struct world *w;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		w = new_world(QUEUE TWO_PATHS);
		if (i == 0)
			w->settings.flaky.threshold = 0;
		else if (i == 1)
			w->settings.flaky.forget_rate = 0;
		else
			w->settings.flaky.recovery_s = 0;
		world_up(w);
		flap(w, "8:0");
		flap(w, "8:0");
		flap(w, "8:0");
		flap(w, "8:0");
		expect(w, is_used(w, "8:0"));
		world_end(w);
	}
}

/* Another configuration that does not want it any more. */
static void switched_off(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);

	world_up(w);
	flap_until_held_out(w);
	w->settings.flaky.threshold = 0;
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	advance(w, 1500);
	expect(w, is_used(w, "8:0"));
	world_end(w);
}

/* Without a checker it is the identity check that says that the path is good. */
static void without_a_checker(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS);

	w->settings.checker = NULL;
	world_up(w);
	flap_until_held_out(w);
	advance(w, 28000);
	expect(w, !is_used(w, "8:0"));
	advance(w, 2000);
	expect(w, is_used(w, "8:0"));
	world_end(w);
}

int main(void)
{
	STORY(a_flaky_path_is_held_out);
	STORY(good_checks_make_up_for_failures);
	STORY(the_time_begins_anew);
	STORY(the_last_path_is_released);
	STORY(the_last_path_is_not_held_out);
	STORY(the_only_path_is_released);
	STORY(messages);
	STORY(a_lun_that_moves);
	STORY(without_one_of_the_three);
	STORY(switched_off);
	STORY(without_a_checker);
	return end_of_stories();
}
