/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALUA: which handler a map has, what standby means, and states that the array changes (F26 to F33
 * of dm-multipath.md; what is about single answers is in tests/unit/test_alua.c).
 */
#include <string.h>

#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define IMPLICIT 1
#define EXPLICIT 2
#define BOTH	 3

static struct sim_lun *lun(struct world *w)
{
	return &w->luns[0];
}

static struct world *new_world(const char *table, uint8_t tpgs, unsigned int paths_per_group)
{
	struct world *w = world_new(table);

	give_port_groups(w, tpgs, paths_per_group);
	return w;
}

/* A world in use: group 1 is current and activated. */
static struct world *used_world(const char *table, uint8_t tpgs, unsigned int paths_per_group)
{
	struct world *w = new_world(table, tpgs, paths_per_group);

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	forget_trace(w);
	forget_notices(w);
	return w;
}

/* --- which handler --- */

static void expect_table_of(const char *table, uint8_t tpgs, const char *want)
{
	struct world *w = new_world(table, tpgs, 1);

	world_up(w);
	expect_table(w, want);
	world_end(w);
}

/* As Linux 6.1: the array's own handler where the table retains it; no other way without a name. */
static void a_handler_is_found_by_itself(void)
{
	expect_table_of("0 0 1 1 round-robin 0 1 1 8:0 1", BOTH,
			"0 0 1 1 round-robin 0 1 1 8:0 1 ");
	expect_table_of("1 retain_attached_hw_handler 0 1 1 round-robin 0 1 1 8:0 1", BOTH,
			"1 retain_attached_hw_handler 1 alua 1 1 round-robin 0 1 1 8:0 1 ");
	expect_table_of("1 retain_attached_hw_handler 0 1 1 round-robin 0 1 1 8:0 1", 0,
			"1 retain_attached_hw_handler 0 1 1 round-robin 0 1 1 8:0 1 ");
}

/* The array's own handler wins over the table's, whose words are dropped. */
static void another_handler_than_the_table_says(void)
{
	struct world *w = new_world(FAIL "3 emc 1 0 1 1 round-robin 0 1 1 8:0 1", BOTH, 1);
	struct sim_io *io;

	world_up(w);
	expect_table(w, "0 1 alua 1 1 round-robin 0 1 1 8:0 1 ");
	expect_notice(w, "the array has hardware handler alua: it is used instead of emc");
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	world_end(w);
}

/* F7: the words behind the name come back in TABLE, which dm forgets. */
static void words_of_the_handler_are_shown(void)
{
	expect_table_of("0 2 alua 1 1 1 round-robin 0 1 1 8:0 1", BOTH,
			"0 2 alua 1 1 1 round-robin 0 1 1 8:0 1 ");
	expect_table_of("0 2 alua 0 1 1 round-robin 0 1 1 8:0 1", BOTH,
			"0 2 alua 0 1 1 round-robin 0 1 1 8:0 1 ");
	expect_table_of("0 1 alua 1 1 round-robin 0 1 1 8:0 1", BOTH,
			"0 1 alua 1 1 round-robin 0 1 1 8:0 1 ");
}

/* dm refuses such a table; here a table is accepted before there is any disk. */
static void a_path_that_the_handler_refuses(void)
{
	struct world *w = world_new(FAIL "1 alua 1 1 round-robin 0 1 1 8:0 1");
	struct sim_io *io;

	world_up(w);
	expect_detail(w, "excluded: error attaching hardware handler: alua: the target has no "
			 "target port groups (TPGS is 0)");
	io = submit_read(w, 0, 1);
	expect_answer(w, io, SAM_CHECK_CONDITION);
	world_end(w);
}

static void a_path_that_does_not_name_its_group(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);
	struct sim_io *io;

	sim_path(w, "8:0")->nexus.no_group_id = true;
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	world_up(w);
	expect_detail(w, "excluded: error attaching hardware handler: alua: VPD page 83h does not "
			 "name the target port group");
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	world_end(w);
}

/* F26: the extended header is refused: the plain one does. */
static void an_old_target(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);
	struct sim_io *io;

	lun(w)->no_extended_header = true;
	world_up(w);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	expect(w, lun(w)->last_stpg == 2);
	world_end(w);
}

/* --- another table --- */

static struct sim_io *read_and_wait(struct world *w)
{
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 50);
	expect_good(w, io);
	return io;
}

/* A handler comes and goes with the table; paths that are in use keep their links. */
static void another_table_with_another_handler(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, BOTH, 1);
	unsigned int opens = sim_path(w, "8:0")->nr_opens;

	reload(w, FAIL TWO_GROUPS);
	expect_table(w, "0 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1 ");
	read_and_wait(w);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 F 1 ");

	reload(w, FAIL "2 alua 1 2 2 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1");
	expect_table(w, "0 2 alua 1 2 2 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1 ");
	advance(w, 2000);
	expect(w, read_and_wait(w)->last_path == sim_path(w, "8:16"));
	expect(w, sim_path(w, "8:0")->nr_opens == opens && lun(w)->last_stpg == 2);
	world_end(w);
}

/* As in dm, a new table begins with nothing activated, and without paths nobody names a handler. */
static void another_table_begins_anew(void)
{
	struct world *w = used_world(FAIL "1 alua 1 1 round-robin 0 1 1 8:0 1", BOTH, 1);

	expect_info(w, "2 0 1 0 1 1 A 0 1 0 8:0 A 0 ");
	expect(w, reload(w, FAIL "1 alua 1 1 round-robin 0 1 1 8:0 1") == 0);
	expect_info(w, "2 1 0 0 1 1 E 0 1 0 8:0 A 0 ");
	expect(w, reload(w, "1 retain_attached_hw_handler 0 0 0") == 0);
	expect_table(w, "1 retain_attached_hw_handler 0 0 0 ");
	world_end(w);
}

/* What a handler that is gone has learned of a path that was away is not true for ever. */
static void a_path_is_away_when_the_handler_goes(void)
{
	struct world *w = used_world(QUEUE TWO_GROUPS_ALUA, BOTH, 1);
	struct sim_path *p = sim_path(w, "8:16");

	set_port_group(w, 2, ALUA_TRANSITIONING, true);
	advance(w, 6000);
	expect_detail(w, "target port group 2 transitioning");
	p->refused = "no such device";
	set_mode(p, MODE_GONE);
	advance(w, 6000);
	expect(w, !p->is_open && p->path->tpg.state_known);
	expect(w, reload(w, QUEUE TWO_GROUPS) == 0);
	p->refused = NULL;
	set_mode(p, MODE_UP);
	set_port_group(w, 2, ALUA_OPTIMIZED, true);
	advance(w, 10000);
	expect(w, p->path->active);
	expect_no_detail(w, "target port group 2");
	world_end(w);
}

/* The same handler: what it knows stays, and the new table's group is activated. */
static void another_table_during_an_activation(void)
{
	struct world *w = used_world(QUEUE TWO_GROUPS_ALUA, BOTH, 1);
	struct sim_io *io;

	lun(w)->stpg = STPG_TAKES_TIME;
	message(w, "switch_group 2");
	io = submit_write(w, 0, 1);
	advance(w, 500);
	expect_pending(w, io);
	reload(w, QUEUE "1 alua 1 1 round-robin 0 2 1 8:16 1 8:0 1");
	set_port_group(w, 1, ALUA_STANDBY, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	lun(w)->stpg = STPG_OBEYS;
	advance(w, 5000);
	expect_good(w, io);
	world_end(w);

	w = used_world(QUEUE TWO_GROUPS_ALUA, BOTH, 1);
	sim_path(w, "8:16")->latency_ns = 100 * NSEC_PER_MSEC;
	message(w, "switch_group 2");
	io = submit_write(w, 0, 1);
	advance(w, 50);
	reload(w, QUEUE TWO_GROUPS); /* its answer is still on its way */
	advance(w, 1000);
	expect_good(w, io);
	world_end(w);
}

/* A path that has its turn leaves the map. */
static void a_path_leaves_during_its_activation(void)
{
	struct world *w = used_world(QUEUE TWO_BY_TWO_ALUA, BOTH, 2);
	struct sim_io *io;

	sim_path(w, "8:32")->latency_ns = 100 * NSEC_PER_MSEC;
	message(w, "switch_group 2");
	io = submit_write(w, 0, 1);
	advance(w, 50);
	reload(w, QUEUE "1 alua 1 1 round-robin 0 1 1 8:48 1");
	advance(w, 1000);
	expect_good(w, io);
	world_end(w);
}

/* --- standby --- */

/* A path in standby is as good as any where it can be activated, and so it is in dm. */
static void standby_paths_are_active_where_access_is_explicit(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);

	advance(w, 60000);
	expect_info(w, "2 0 1 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	expect_detail(w, "target port group 2 standby");
	world_end(w);
}

/* Where only the array changes states there is nothing to activate. */
static void standby_paths_have_failed_where_access_is_implicit(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, IMPLICIT, 1);
	struct sim_io *io;

	expect_info(w, "2 0 1 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 F 0 ");
	set_port_group(w, 1, ALUA_STANDBY, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	advance(w, 1500);
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16") && lun(w)->nr_stpg == 0);
	expect_info(w, "2 0 1 0 2 2 E 0 1 0 8:0 F 1 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* No handler: a standby path is a failed one, also if it tells the LUN's size. */
static void standby_without_a_handler(void)
{
	struct world *w =
		world_new("1 retain_attached_hw_handler 0 1 1 round-robin 0 2 1 8:0 1 8:16 1");

	set_mode(sim_path(w, "8:16"), MODE_STANDBY);
	world_up(w);
	advance(w, 3000);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 F 0 ");
	world_end(w);
}

/*
 * All paths are in standby when the map starts, and the LUN was never seen: the WWID that it was
 * given is enough, and nobody would be shown the LUN if it were left so.
 */
static void all_paths_are_in_standby_at_first(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, EXPLICIT, 1);
	struct sim_io *io;

	lun(w)->groups[0].state = ALUA_STANDBY;
	snprintf(w->settings.wwid, sizeof(w->settings.wwid), "%s", lun(w)->wwid);
	world_up(w);
	expect(w, mpath_lun(w->m)->known && lun(w)->nr_stpg == 1);
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	expect(w, lun(w)->nr_stpg == 1);
	world_end(w);
}

/* Without a WWID nobody knows which LUN to activate: none is. */
static void all_paths_are_in_standby_and_the_lun_is_unknown(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, EXPLICIT, 1);
	struct sim_io *io;

	lun(w)->groups[0].state = ALUA_STANDBY;
	world_up(w);
	io = submit_read(w, 0, 1);
	advance(w, 10000);
	expect_sense(w, io, 0x02, 0x04, 0x00);
	expect(w, lun(w)->nr_stpg == 0);
	world_end(w);
}

/* D8: a passive path has the map's WWID but another size: activated, but never used. */
static void a_passive_path_of_another_size(void)
{
	struct world *w = used_world(QUEUE TWO_GROUPS_ALUA, EXPLICIT, 1);
	struct sim_io *io;

	sim_path(w, "8:16")->nexus.nr_blocks /= 2;
	message(w, "switch_group 2");
	io = submit_write(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	expect_detail(w, "excluded: size is 1024 x 512 bytes, the map's is 2048 x 512");
	world_end(w);
}

/* A path in use turns out to be in standby: activated at once, nobody waits until a command goes.
 */
static void a_path_in_use_turns_out_to_be_in_standby(void)
{
	struct world *w = used_world(QUEUE TWO_BY_TWO_ALUA, EXPLICIT, 2);
	unsigned int before = lun(w)->nr_stpg;
	struct sim_io *io;

	set_port_group(w, 1, ALUA_STANDBY, false);
	expect(w, message(w, "probe_path 8:0") == 0);
	advance(w, 50);
	expect(w, lun(w)->nr_stpg == before + 1);
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	world_end(w);
}

/* --- states that change --- */

/* F32: a unit attention about states: not told to initiators, and the states are asked for. */
static void states_change_with_a_unit_attention(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int before = lun(w)->nr_rtpg;
	struct sim_io *io;

	set_port_group(w, 2, ALUA_NON_OPTIMIZED, true);
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	expect(w, lun(w)->nr_rtpg == before + 1);
	expect(w, sim_path(w, "8:48")->path->tpg.state == ALUA_NON_OPTIMIZED);
	expect_notice(w, "target port group 2 is active/non-optimized");
	world_end(w);
}

/* The checker hears of it where no command does. */
static void states_change_on_an_idle_map(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, BOTH, 1);

	set_port_group(w, 2, ALUA_NON_OPTIMIZED, true);
	advance(w, 6000);
	expect(w, sim_path(w, "8:16")->path->tpg.state == ALUA_NON_OPTIMIZED);
	world_end(w);
}

/* The kernel's own handler takes the unit attention away, for each path's command has the same. */
static void states_change_and_the_kernel_has_heard(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int before = lun(w)->nr_rtpg;

	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
	kernel_hears(sim_path(w, "8:32"), HEARD_STATES);
	kernel_hears(sim_path(w, "8:48"), HEARD_STATES);
	advance(w, 20);
	expect(w, lun(w)->nr_rtpg == before + 1);
	expect(w, sim_path(w, "8:48")->path->tpg.state == ALUA_NON_OPTIMIZED);
	stop_world(w);
	kernel_hears(sim_path(w, "8:0"), HEARD_STATES);
	advance(w, 20);
	expect(w, lun(w)->nr_rtpg == before + 1);
	world_end(w);
}

/* The array has no time for one group, for minutes perhaps: who is told otherwise does not wait. */
static void leave_with(const char *words)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, BOTH, 1);
	struct sim_io *io;

	set_port_group(w, 2, ALUA_TRANSITIONING, false);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 4000);
	expect_pending(w, io);
	message(w, words);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	world_end(w);
}

static void a_group_that_waits_for_the_array_is_left(void)
{
	leave_with("switch_group 1");
	leave_with("disable_group 2");
	leave_with("fail_path 8:16");
}

/* Likewise if it is left while the array is asked, and says then that it has no time. */
static void leave_before_the_answer(unsigned int paths, const char *words, uint16_t busy)
{
	struct world *w =
		used_world(paths == 1 ? FAIL TWO_GROUPS_ALUA : FAIL TWO_BY_TWO_ALUA, BOTH, paths);
	struct sim_path *path = sim_path(w, paths == 1 ? "8:16" : "8:32");
	struct sim_io *io;

	path->latency_ns = 100 * NSEC_PER_MSEC;
	if (busy) {
		path->busy = busy;
		path->busy_opcode = 0xa3;
	} else {
		set_port_group(w, 2, ALUA_TRANSITIONING, false);
	}
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 50);
	message(w, words);
	advance(w, 200);
	expect_good(w, io);
	expect(w, io->last_path->nexus.group == 1 && lun(w)->nr_stpg == 0);
	world_end(w);
}

static void a_group_is_left_before_the_array_has_answered(void)
{
	leave_before_the_answer(1, "switch_group 1", 0);
	leave_before_the_answer(2, "switch_group 1", 0);
	leave_before_the_answer(1, "disable_group 2", 0);
	leave_before_the_answer(1, "fail_path 8:16", 0);
	leave_before_the_answer(1, "switch_group 1", 1000);
	leave_before_the_answer(1, "fail_path 8:16", 1000);
}

/* It was the only one, and without a checker it has no next check that could go on. */
static void leave_as_the_only_one(unsigned int after_ms)
{
	struct world *w = new_world(FAIL "1 alua 1 1 round-robin 0 1 1 8:0 1", BOTH, 1);
	struct sim_io *io;

	w->settings.checker = NULL;
	world_up(w);
	advance(w, 30000);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	io = submit_read(w, 0, 1);
	advance(w, after_ms);
	expect_pending(w, io);
	expect(w, w->m->activating_path);
	expect(w, remove_path(w, "8:0") == 0);
	advance(w, 100);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

static void the_only_path_leaves_while_it_is_activated(void)
{
	leave_as_the_only_one(0);   /* while the array is asked */
	leave_as_the_only_one(500); /* while it is given time */
}

/* A path joins the group that commands use: it is activated alone, and nobody waits for it. */
static void a_path_joins_the_group_in_use(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int before = sim_path(w, "8:0")->nr_probes;
	struct sim_io *io;

	expect(w, add_path(w, "8:64", 1) == 0);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, sim_path(w, "8:64")->path->active);
	expect(w, sim_path(w, "8:0")->nr_probes == before);
	expect_no_notice(w, "activating");
	world_end(w);
}

/* F32: what is the initiator's to hear reaches it, once. */
static void unit_attentions_that_are_not_about_states(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, BOTH, 1);
	unsigned int before = lun(w)->nr_rtpg;
	struct sim_io *io;

	push_ua(sim_path(w, "8:0"), 0x2a, 0x09);
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x01);
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_sense(w, io, 0x06, 0x2a, 0x01);
	expect(w, lun(w)->nr_rtpg == before);
	world_end(w);
}

/* F32: a reset is told on every path, to every command: a storm of them is one question. */
static void a_storm_of_resets(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int before = lun(w)->nr_rtpg;
	struct sim_io *io[20];
	unsigned int i;

	for (i = 0; i < 4; i++)
		push_ua(&w->paths[i], 0x29, 0x00);
	for (i = 0; i < 20; i++)
		io[i] = submit_read(w, 0, 1);
	advance(w, 50);
	for (i = 0; i < 20; i++)
		expect_good(w, io[i]);
	expect(w, lun(w)->nr_rtpg == before + 1);
	world_end(w);
}

/* F28: transitions: commands wait, no path fails, no group is left, and one question is asked. */
static void commands_meet_a_transition(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int before = lun(w)->nr_rtpg;
	struct sim_io *io[10];
	unsigned int i;

	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	for (i = 0; i < 10; i++)
		io[i] = i % 2 ? submit_read(w, i, 1) : submit_write(w, i, 1);
	advance(w, 20);
	expect(w, lun(w)->nr_rtpg == before + 1);
	for (i = 0; i < 10; i++)
		expect_pending(w, io[i]);
	advance(w, 2500);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	advance(w, 1100);
	for (i = 0; i < 10; i++)
		expect_good(w, io[i]);
	expect_info(w, "2 0 1 0 2 1 A 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	expect(w, lun(w)->nr_stpg == 0);
	world_end(w);
}

/*
 * One controller is in transition for long, the other one has the LUN already, as the array says:
 * nobody has to be moved, and nobody to wait.
 */
static void leave_a_transition(const char *table, uint8_t tpgs, uint8_t before, bool with_reset)
{
	struct world *w = new_world(table, tpgs, 2);
	struct sim_io *read, *write;

	lun(w)->groups[1].state = before;
	world_up(w);
	read_and_wait(w);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	if (with_reset) { /* then it has to be identified, too */
		push_ua(sim_path(w, "8:0"), 0x29, 0x00);
		push_ua(sim_path(w, "8:16"), 0x29, 0x00);
	}
	read = submit_read(w, 0, 1);
	write = submit_write(w, 1, 1);
	advance(w, 1500);
	expect_good(w, read);
	expect_good(w, write);
	expect(w, write->last_path->nexus.group == 2);
	expect(w, lun(w)->nr_stpg == 0);
	world_end(w);
}

static void a_transition_while_another_group_is_optimized(void)
{
	for (int with_reset = 0; with_reset < 2; with_reset++) {
		leave_a_transition(FAIL TWO_BY_TWO_ALUA, BOTH, ALUA_OPTIMIZED, with_reset);
		leave_a_transition(FAIL TWO_BY_TWO_ALUA, BOTH, ALUA_NON_OPTIMIZED, with_reset);
		leave_a_transition(FAIL TWO_BY_TWO_ALUA, EXPLICIT, ALUA_STANDBY, with_reset);
		leave_a_transition(FAIL TWO_BY_TWO_ALUA, IMPLICIT, ALUA_STANDBY, with_reset);
	}
}

/* @n reads, one after the other, and none of them waits. */
static void expect_reads_at(struct world *w, unsigned int group, unsigned int n, uint64_t each_ms)
{
	while (n--) {
		struct sim_io *io = submit_read(w, 0, 1);

		advance(w, each_ms);
		expect_good(w, io);
		expect(w, io->last_path->nexus.group == group);
	}
}

/*
 * The checker does not see that the group that was left is in transition still: commands do not go
 * back there, to wait for its end, before it is over; also if one of its paths was never there.
 */
static void failback_waits_for_a_transition(bool first_is_there)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	struct sim_io *io;

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	lun(w)->tur_in_transition = true;
	if (!first_is_there)
		set_mode(sim_path(w, "8:0"), MODE_LOST);
	world_up(w);
	read_and_wait(w);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	expect_reads_at(w, 2, 20, 500);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	advance(w, 2100);
	io = read_and_wait(w);
	expect(w, io->last_path->nexus.group == 1);
	world_end(w);
}

static void no_failback_into_a_transition(void)
{
	failback_waits_for_a_transition(true);
}

static void no_failback_into_a_transition_of_one_path(void)
{
	failback_waits_for_a_transition(false);
}

/*
 * The paths of the group in use are lost, and the array has it in transition, as the activation of
 * the other group is told.  They are back, and so is the group, and nobody says so: commands go
 * back there all the same.
 */
static void the_end_of_a_transition_that_an_activation_has_met(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	struct sim_io *io;

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	lun(w)->tur_in_transition = true;
	world_up(w);
	read_and_wait(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 3000);
	io = read_and_wait(w);
	expect(w, io->last_path->nexus.group == 2);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 30000);
	io = read_and_wait(w);
	expect(w, io->last_path->nexus.group == 1);
	world_end(w);
}

static struct world *followover_world(bool in_list)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);

	w->settings.policy.failback = FAILBACK_FOLLOWOVER;
	w->settings.policy.on = w->lists_paths = in_list;
	w->settings.policy.grouping = GROUPING_GROUP_BY_TPG;
	w->settings.policy.prio = PRIO_ALUA;
	lun(w)->tur_in_transition = true;
	lun(w)->groups[1].state = ALUA_NON_OPTIMIZED;
	lun(w)->stpg = STPG_REFUSES;
	world_up(w);
	read_and_wait(w);
	return w;
}

/*
 * A controller starts anew: its paths come up before the transition is over, and cannot have the
 * commands yet.  Then they come back to it, but once: what the administrator wants after that
 * holds.
 */
static void followover_when_a_transition_is_over(void)
{
	for (int in_list = 0; in_list < 2; in_list++) {
		struct world *w = followover_world(in_list);
		struct sim_io *io;

		set_mode(sim_path(w, "8:0"), MODE_LOST);
		set_mode(sim_path(w, "8:16"), MODE_LOST);
		set_port_group(w, 1, ALUA_TRANSITIONING, false);
		advance(w, 12000);
		io = read_and_wait(w);
		expect(w, io->last_path->nexus.group == 2);
		set_mode(sim_path(w, "8:0"), MODE_UP);
		advance(w, 3000);
		set_mode(sim_path(w, "8:16"), MODE_UP);
		advance(w, 10000);
		expect(w, sim_path(w, "8:16")->path->active);
		io = read_and_wait(w);
		expect(w, io->last_path->nexus.group == 2);
		set_port_group(w, 1, ALUA_OPTIMIZED, false);
		advance(w, 10000);
		io = read_and_wait(w);
		expect(w, io->last_path->nexus.group == 1);
		message(w, "switch_group 2");
		read_and_wait(w);
		set_port_group(w, 1, ALUA_TRANSITIONING, false);
		advance(w, 10000);
		set_port_group(w, 1, ALUA_OPTIMIZED, false);
		advance(w, 10000);
		io = read_and_wait(w);
		expect(w, io->last_path->nexus.group == 2);
		world_end(w);
	}
}

static void comes_up_in_a_transition(struct world *w)
{
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	advance(w, 12000);
	read_and_wait(w);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 10000);
	expect(w, sim_path(w, "8:0")->path->active && sim_path(w, "8:16")->path->active);
	expect(w, read_and_wait(w)->last_path->nexus.group == 2);
}

/* While it lasts the administrator says where he wants the commands. */
static void no_followover_for_who_wants_another_group(void)
{
	for (int in_list = 0; in_list < 2; in_list++) {
		struct world *w = followover_world(in_list);

		comes_up_in_a_transition(w);
		message(w, "switch_group 2");
		read_and_wait(w);
		set_port_group(w, 1, ALUA_OPTIMIZED, false);
		advance(w, 10000);
		expect(w, read_and_wait(w)->last_path->nexus.group == 2);
		world_end(w);
	}
}

/* Nor once more, when the array has moved the LUN away since, and gives it back. */
static void followover_comes_once(void)
{
	struct world *w = followover_world(false);

	comes_up_in_a_transition(w);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	advance(w, 10000);
	expect(w, read_and_wait(w)->last_path->nexus.group == 1);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	set_port_group(w, 1, ALUA_TRANSITIONING, true);
	expect_reads_at(w, 2, 5, 1000);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	expect_reads_at(w, 2, 10, 1000);
	world_end(w);
}

/* Nor is one followed that was not down, be it reinstated in a transition. */
static void no_followover_for_who_was_not_down(void)
{
	for (int in_list = 0; in_list < 2; in_list++) {
		struct world *w = followover_world(in_list);

		set_port_group(w, 1, ALUA_TRANSITIONING, true);
		message(w, "fail_path 8:0");
		message(w, "fail_path 8:16");
		expect(w, read_and_wait(w)->last_path->nexus.group == 2);
		advance(w, 3000);
		expect_notice(w, "target port group 1 is transitioning");
		message(w, "reinstate_path 8:0");
		message(w, "reinstate_path 8:16");
		advance(w, 3000);
		set_port_group(w, 1, ALUA_OPTIMIZED, false);
		advance(w, 10000);
		expect(w, sim_path(w, "8:0")->path->active && sim_path(w, "8:16")->path->active);
		expect(w, read_and_wait(w)->last_path->nexus.group == 2);
		world_end(w);
	}
}

/*
 * A controller starts anew: its paths come up in the transition, after which it is not optimized at
 * first.  When the array has given the LUN back to it, commands follow.
 */
static void failback_when_the_array_gives_the_lun_back(void)
{
	for (int i = 0; i < 2; i++) {
		struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
		struct sim_io *io;

		w->settings.policy.failback = i ? FAILBACK_FOLLOWOVER : FAILBACK_IMMEDIATE;
		lun(w)->tur_in_transition = true;
		world_up(w);
		read_and_wait(w);
		set_mode(sim_path(w, "8:0"), MODE_LOST);
		set_mode(sim_path(w, "8:16"), MODE_LOST);
		set_port_group(w, 1, ALUA_TRANSITIONING, false);
		set_port_group(w, 2, ALUA_OPTIMIZED, false);
		advance(w, 12000);
		read_and_wait(w);
		set_mode(sim_path(w, "8:0"), MODE_UP);
		set_mode(sim_path(w, "8:16"), MODE_UP);
		advance(w, 6000);
		set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
		advance(w, 6000);
		io = read_and_wait(w);
		expect(w, io->last_path->nexus.group == 2);
		set_port_group(w, 1, ALUA_OPTIMIZED, false);
		set_port_group(w, 2, ALUA_NON_OPTIMIZED, true);
		read_and_wait(w);
		advance(w, 100);
		io = read_and_wait(w);
		expect(w, io->last_path->nexus.group == 1 && lun(w)->nr_stpg == 0);
		world_end(w);
	}
}

/*
 * The administrator wants the other group, which the array takes its time for: he is obeyed,
 * whether or not the checker sees that, too.
 */
static void a_transition_that_was_asked_for(void)
{
	for (int unseen = 0; unseen < 2; unseen++) {
		struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
		struct sim_io *io;

		w->settings.policy.failback = FAILBACK_IMMEDIATE;
		lun(w)->tur_in_transition = unseen;
		world_up(w);
		read_and_wait(w);
		message(w, "switch_group 2");
		set_port_group(w, 2, ALUA_TRANSITIONING, true);
		io = submit_read(w, 0, 1);
		advance(w, 12000);
		expect_notice(w, "target port group 2 is transitioning");
		expect_pending(w, io);
		set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
		set_port_group(w, 2, ALUA_OPTIMIZED, false);
		advance(w, 10000);
		expect_good(w, io);
		expect(w, io->last_path->nexus.group == 2);
		io = read_and_wait(w);
		expect(w, io->last_path->nexus.group == 2);
		expect(w, lun(w)->nr_stpg == 0);
		world_end(w);
	}
}

/*
 * The paths of a controller that starts anew are back before anybody has told of the transition,
 * and commands would go there: because of failback, or as all paths had failed.  The answer that
 * tells of it says that the other group serves: then nobody waits for the end.
 */
static void an_activation_meets_a_transition(void)
{
	for (unsigned int nr_lost = 2; nr_lost <= 4; nr_lost += 2) {
		struct world *w = new_world(QUEUE TWO_BY_TWO_ALUA, BOTH, 2);
		struct sim_io *io;
		unsigned int i;

		w->settings.policy.failback = FAILBACK_IMMEDIATE;
		lun(w)->tur_in_transition = true;
		lun(w)->groups[1].state = ALUA_OPTIMIZED;
		world_up(w);
		read_and_wait(w);
		for (i = 0; i < nr_lost; i++)
			set_mode(&w->paths[i], MODE_LOST);
		advance(w, 12000);
		set_port_group(w, 1, ALUA_TRANSITIONING, false);
		io = submit_read(w, 0, 1);
		for (i = 0; i < nr_lost; i++)
			set_mode(&w->paths[i], MODE_UP);
		advance(w, 6000);
		expect_good(w, io);
		expect_reads_at(w, 2, 600, 50);
		set_port_group(w, 1, ALUA_OPTIMIZED, false);
		advance(w, 12000);
		io = read_and_wait(w);
		expect(w, io->last_path->nexus.group == 1 && lun(w)->nr_stpg == 0);
		world_end(w);
	}
}

/* But the array was asked for this one, by the activation itself: it is where commands are to go.
 */
static void an_activation_waits_for_its_own_transition(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO_ALUA, BOTH, 2);
	struct sim_io *io;

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	world_up(w);
	read_and_wait(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	set_port_group(w, 1, ALUA_STANDBY, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	advance(w, 12000);
	expect(w, read_and_wait(w)->last_path->nexus.group == 2);
	lun(w)->stpg = STPG_TAKES_TIME;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 6000);
	io = submit_read(w, 0, 1);
	for (unsigned int i = 0; i < 100 && !lun(w)->nr_stpg; i++)
		advance(w, 1);
	set_port_group(w, 2, ALUA_OPTIMIZED, false); /* until the first one is ready */
	advance(w, 6000);
	expect_pending(w, io);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_STANDBY, false);
	advance(w, 3000);
	expect_good(w, io);
	expect(w, io->last_path->nexus.group == 1 && lun(w)->nr_stpg == 1);
	world_end(w);
}

/*
 * The other one serves; its own group is in transition.  Failback is immediate, and each tells of
 * itself only.
 */
static struct world *controller_is_back(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO_ALUA, BOTH, 2);

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	lun(w)->tur_in_transition = true;
	lun(w)->tells_own_group = true;
	world_up(w);
	read_and_wait(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	advance(w, 12000);
	expect(w, read_and_wait(w)->last_path->nexus.group == 2);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	while (!sim_path(w, "8:0")->path->active)
		advance(w, 1);
	return w;
}

/*
 * A controller is there again, and the array gives it the LUN back just when commands go there,
 * too. Who is asked tells of itself only: that the other controller serves is from before that.  It
 * is not asked to take the LUN back, whoever is told first that the move is over.
 */
static void an_activation_meets_a_move(void)
{
	for (unsigned int ms = 9000; ms < 11000; ms += 50) {
		struct world *w = controller_is_back();
		struct sim_io *io;

		set_port_group(w, 2, ALUA_TRANSITIONING, false);
		io = submit_read(w, 0, 1);
		advance(w, ms);
		expect_pending(w, io);
		set_port_group(w, 1, ALUA_OPTIMIZED, false);
		set_port_group(w, 2, ALUA_STANDBY, false);
		advance(w, 12000);
		expect_good(w, io);
		expect(w, read_and_wait(w)->last_path->nexus.group == 1);
		expect(w, lun(w)->nr_stpg == 0);
		world_end(w);
	}
}

/* As above, but the other controller serves, and is asked then: commands need not wait. */
static void an_activation_meets_a_transition_of_its_own_group(void)
{
	struct world *w = controller_is_back();

	expect_reads_at(w, 2, 20, 1000);
	expect(w, lun(w)->nr_stpg == 0);
	world_end(w);
}

/*
 * Nobody has told of it before, and nobody is about to ask the other controller, whose word of
 * itself is old: it is asked at once, not with the next check of a path, if there is one.
 */
static void an_activation_meets_a_transition_that_nobody_knew_of(void)
{
	for (int checked = 0; checked < 2; checked++) {
		struct world *w = new_world(QUEUE TWO_BY_TWO_ALUA, BOTH, 2);

		w->settings.policy.failback = FAILBACK_DEFERRED;
		w->settings.policy.failback_s = 8;
		lun(w)->tur_in_transition = true;
		lun(w)->tells_own_group = true;
		if (!checked)
			w->settings.checker = NULL;
		world_up(w);
		read_and_wait(w);
		message(w, "fail_path 8:0");
		message(w, "fail_path 8:16");
		set_port_group(w, 1, ALUA_STANDBY, false);
		set_port_group(w, 2, ALUA_OPTIMIZED, false);
		expect_reads_at(w, 2, 10, 1000);
		message(w, "reinstate_path 8:0");
		message(w, "reinstate_path 8:16");
		expect_reads_at(w, 2, 7, 1000);
		set_port_group(w, 1, ALUA_TRANSITIONING, false);
		advance(w, 1000);
		expect_reads_at(w, 2, 20, 1000);
		expect(w, lun(w)->nr_stpg == 0);
		world_end(w);
	}
}

/* What was told of the other group is from before that: it is not asked to take the LUN back. */
static void a_transition_of_all_groups(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, BOTH, 1);
	struct sim_io *io;

	lun(w)->groups[1].state = ALUA_OPTIMIZED;
	world_up(w);
	read_and_wait(w);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	set_port_group(w, 2, ALUA_STANDBY, false);
	io = submit_read(w, 0, 1);
	advance(w, 3000);
	expect_pending(w, io);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	advance(w, 1100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0") && lun(w)->nr_stpg == 0);
	world_end(w);
}

/*
 * The array's controllers fail over: the ports are told of a reset, and so have to prove whose they
 * are, which the array cannot tell wholly in a transition.  No path is at fault for that.
 */
static void reset_in_a_transition(const char *table, uint8_t tpgs)
{
	struct world *w = used_world(table, tpgs, 1);
	struct sim_io *io;

	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	push_ua(sim_path(w, "8:0"), 0x29, 0x00);
	io = submit_read(w, 0, 1);
	advance(w, 4000);
	expect_pending(w, io);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	advance(w, 2100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	expect(w, sim_path(w, "8:0")->path->fail_count == 0);
	world_end(w);
}

static void identified_in_a_transition(void)
{
	reset_in_a_transition(FAIL "1 alua 1 1 round-robin 0 1 1 8:0 1", IMPLICIT);
	reset_in_a_transition(FAIL ONE_PATH, IMPLICIT);
	reset_in_a_transition(FAIL TWO_GROUPS_ALUA, IMPLICIT);
	reset_in_a_transition(FAIL TWO_GROUPS_ALUA, EXPLICIT);
}

/* F27: longer than announced: then the paths fail, and the other group is activated. */
static void a_transition_takes_too_long(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, BOTH, 1);
	struct sim_io *io;

	lun(w)->announced_s = 20;
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	io = submit_read(w, 0, 1);
	advance(w, 19900);
	expect_pending(w, io);
	advance(w, 1300);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16") && lun(w)->last_stpg == 2);
	expect_info(w, "2 0 1 0 2 2 E 0 1 0 8:0 A 1 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/*
 * The limit is the group's: its other path does not wait for all of it once more.  TEST UNIT READY
 * is answered all the time, so the checker does not know.
 */
static void a_transition_takes_too_long_for_two_paths(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	struct sim_io *io;

	lun(w)->announced_s = 20;
	lun(w)->tur_in_transition = true;
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, message(w, "switch_group 2") == 0);
	set_port_group(w, 2, ALUA_TRANSITIONING, false);
	io = submit_read(w, 0, 1);
	advance(w, 19900);
	expect_pending(w, io);
	advance(w, 1300);
	expect_good(w, io);
	world_end(w);
}

static void all_are_too_busy_to_tell(struct world *w, unsigned int busy)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++) {
		w->paths[i].busy = busy;
		w->paths[i].busy_opcode = 0xa3;
	}
}

/* Now and then it is too busy to say that it goes on: each time is one of its own. */
static void a_transition_of_a_busy_array(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	struct sim_io *io;

	lun(w)->tur_in_transition = true;
	expect(w, message(w, "switch_group 2") == 0);
	set_port_group(w, 2, ALUA_TRANSITIONING, false);
	all_are_too_busy_to_tell(w, 1);
	io = submit_read(w, 0, 1);
	advance(w, 10000);
	all_are_too_busy_to_tell(w, 8);
	advance(w, 10000);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	advance(w, 2100);
	expect_good(w, io);
	expect(w, io->last_path->nexus.group == 2);
	expect_info(w, "2 0 1 0 2 2 E 0 2 0 8:0 A 0 8:16 A 0 A 0 2 0 8:32 A 0 8:48 A 0 ");
	world_end(w);
}

/* The array has much to say that it says once: none of that is a try, of which there are five. */
static void an_activation_hears_of_many_things(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	struct sim_io *io;
	uint8_t i;

	set_port_group(w, 2, ALUA_STANDBY, false);
	for (i = 0; i < 8; i++)
		push_ua(sim_path(w, "8:32"), 0x2a, 0x06 + i % 2);
	expect(w, message(w, "switch_group 2") == 0);
	io = submit_read(w, 0, 1);
	advance(w, 200);
	expect_good(w, io);
	expect(w, io->last_path->nexus.group == 2 && sim_path(w, "8:32")->path->active);
	world_end(w);
}

static void expect_states(struct world *w, uint8_t first, uint8_t second)
{
	expect(w, sim_path(w, "8:0")->path->tpg.state_known);
	expect(w, sim_path(w, "8:0")->path->tpg.state == first);
	expect(w, sim_path(w, "8:32")->path->tpg.state_known);
	expect(w, sim_path(w, "8:32")->path->tpg.state == second);
}

/* Each controller tells of its own ports only: who has not been told of is asked, once each time.
 */
static void each_controller_tells_of_itself(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int before, i;

	lun(w)->tells_own_group = true;
	set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
	world_up(w);
	want_refresh(w->m);
	advance(w, 1000);
	expect_states(w, ALUA_NON_OPTIMIZED, ALUA_STANDBY);

	before = lun(w)->nr_rtpg;
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
	want_refresh(w->m);
	advance(w, 1000);
	expect_states(w, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	expect(w, lun(w)->nr_rtpg == before + 2);

	/* What is heard while the second one is asked is asked of both once more. */
	want_refresh(w->m);
	for (i = 0; i < 2000 && w->m->refreshing != sim_path(w, "8:32")->path; i++)
		advance(w, 1);
	expect(w, w->m->refreshing == sim_path(w, "8:32")->path);
	set_port_group(w, 1, ALUA_STANDBY, false);
	want_refresh(w->m);
	advance(w, 1000);
	expect_states(w, ALUA_STANDBY, ALUA_NON_OPTIMIZED);

	/* A path that has failed keeps nobody waiting, and is not asked while another one tells. */
	set_mode(sim_path(w, "8:32"), MODE_LOST);
	set_mode(sim_path(w, "8:48"), MODE_LOST);
	advance(w, 20000);
	before = lun(w)->nr_rtpg;
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	want_refresh(w->m);
	advance(w, 1500);
	expect_states(w, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	expect(w, lun(w)->nr_rtpg == before + 1 && !w->m->refresh_due_ns);
	world_end(w);
}

/* It hears of a change, too, and may not be told by whom it asks what the other group's is. */
static void an_activation_hears_that_states_have_changed(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);

	lun(w)->tells_own_group = true;
	set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	push_ua(sim_path(w, "8:32"), 0x2a, 0x06);
	expect(w, message(w, "switch_group 2") == 0);
	submit_read(w, 0, 1);
	advance(w, 200);
	expect_states(w, ALUA_NON_OPTIMIZED, ALUA_OPTIMIZED);
	world_end(w);
}

/* F30: the path that heard of it is dead: another one is asked, each once. */
static void states_are_asked_for_through_another_path(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int before = lun(w)->nr_rtpg;

	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
	push_ua(sim_path(w, "8:16"), 0x2a, 0x06);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 2);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 20);
	expect(w, lun(w)->nr_rtpg == before + 1);
	expect(w, sim_path(w, "8:32")->path->tpg.state == ALUA_NON_OPTIMIZED);
	expect_trace(w, "...\n"
			"[116] path 8:0: asked for the states of port groups\n"
			"...\n"
			"[117] path 8:16: asked for the states of port groups\n"
			"[118] port group 2: active/non-optimized\n");

	/* All are dead: given up, not tried for ever. */
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	set_mode(sim_path(w, "8:32"), MODE_LOST);
	set_mode(sim_path(w, "8:48"), MODE_LOST);
	want_refresh(w->m);
	advance(w, 10000);
	expect(w, !w->m->refresh_due_ns);
	world_end(w);
}

/* A change was told, once, and the array is too busy to say which: it is asked until it says. */
static void the_array_is_too_busy_to_tell(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int left;

	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
	all_are_too_busy_to_tell(w, 1000);
	push_ua(sim_path(w, "8:16"), 0x2a, 0x06);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 3000);
	left = sim_path(w, "8:32")->busy;
	expect(w, left < 1000 && left >= 1000 - 4 * 6); /* each second, not in a loop */
	all_are_too_busy_to_tell(w, 0);
	advance(w, 1100);
	expect_notice(w, "target port group 2 is active/non-optimized");
	expect(w, !w->m->refresh_due_ns);

	/* One that is in transition. */
	set_port_group(w, 2, ALUA_TRANSITIONING, true);
	submit_read(w, 0, 1);
	advance(w, 20);
	all_are_too_busy_to_tell(w, 1000);
	advance(w, 3000);
	set_port_group(w, 2, ALUA_STANDBY, false);
	all_are_too_busy_to_tell(w, 0);
	advance(w, 1100);
	expect_notice(w, "target port group 2 is standby");
	expect(w, !w->m->refresh_due_ns);
	world_end(w);
}

/* Those that are dead are not asked with it again and again. */
static void the_only_path_is_too_busy_to_tell(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int i, probes;

	for (i = 1; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_LOST);
	advance(w, 20000);
	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
	all_are_too_busy_to_tell(w, 1000);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x06);
	probes = sim_path(w, "8:16")->nr_probes;
	submit_read(w, 0, 1);
	advance(w, 5000);
	expect(w, sim_path(w, "8:16")->nr_probes - probes == 5 + 1);
	all_are_too_busy_to_tell(w, 0);
	advance(w, 1100);
	expect_notice(w, "target port group 2 is active/non-optimized");
	world_end(w);
}

/* Nor do paths tell that are dead then: who comes back is asked. */
static void a_change_that_no_path_could_tell(void)
{
	struct world *w = used_world(QUEUE TWO_BY_TWO_ALUA, BOTH, 2);
	unsigned int i;

	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_LOST);
	want_refresh(w->m);
	advance(w, 10000);
	set_mode(sim_path(w, "8:32"), MODE_UP);
	advance(w, 2000);
	expect_notice(w, "target port group 2 is active/non-optimized");
	world_end(w);
}

/* F31: 3F/03, and the path's port belongs to another group from now on. */
static void a_path_moves_to_another_group(void)
{
	struct world *w = used_world(FAIL TWO_BY_TWO_ALUA, BOTH, 2);
	struct sim_io *io;

	sim_path(w, "8:16")->nexus.group = 2;
	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
	push_ua(sim_path(w, "8:16"), 0x3f, 0x03);
	io = submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, sim_path(w, "8:16")->path->tpg.id == 2);
	expect(w, sim_path(w, "8:0")->path->tpg.id == 1);
	world_end(w);
}

/* F25: another host takes the LUN to the other controller: we follow, and do not take it back. */
static void two_hosts_and_explicit_access(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);
	struct sim_io *io;
	int i;

	for (i = 0; i < 20; i++) {
		set_port_group(w, 1, i % 2 ? ALUA_OPTIMIZED : ALUA_STANDBY, true);
		set_port_group(w, 2, i % 2 ? ALUA_STANDBY : ALUA_OPTIMIZED, true);
		io = submit_read(w, 0, 1);
		advance(w, 3000);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, i % 2 ? "8:0" : "8:16"));
	}
	expect(w, lun(w)->nr_stpg == 0);
	world_end(w);
}

/* The only path to its group is identified once more: what was known of the group still holds. */
static void a_state_outlives_an_identification(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);
	struct sim_path *standby = sim_path(w, "8:16");
	unsigned int nr_rtpg;

	expect_detail(w, "target port group 2 standby");
	nr_rtpg = lun(w)->nr_rtpg;
	push_ua(sim_path(w, "8:0"), 0x3f, 0x0e);
	advance(w, 6000); /* its checker hears of it */
	expect_detail(w, "target port group 1 active/optimized");
	expect(w, lun(w)->nr_rtpg == nr_rtpg);

	/* The device was gone, and the array may have changed the state meanwhile: it is asked. */
	set_mode(standby, MODE_GONE);
	advance(w, 10000);
	expect(w, !standby->is_open);
	lun(w)->groups[1].state = ALUA_NON_OPTIMIZED;
	set_mode(standby, MODE_UP);
	standby->refused = NULL;
	advance(w, 2000);
	expect(w, lun(w)->nr_rtpg > nr_rtpg);
	expect_detail(w, "target port group 2 active/non-optimized");
	expect_notice(w, "target port group 2 is active/non-optimized");
	world_end(w);
}

static bool knows_state(struct world *w, const char *path)
{
	return sim_path(w, path)->path->tpg.state_known;
}

/* What was known of a group says nothing of another one, of another LUN, or to another handler. */
static void a_state_that_holds_no_longer(void)
{
	struct world *w = used_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);

	expect(w, knows_state(w, "8:0") && knows_state(w, "8:16"));
	lun(w)->groups[2].id = 3;
	lun(w)->nr_groups = 3;
	sim_path(w, "8:0")->nexus.group = 3;
	push_ua(sim_path(w, "8:0"), 0x3f, 0x03);
	sim_path(w, "8:16")->nexus.lun = &w->luns[1];
	push_ua(sim_path(w, "8:16"), 0x3f, 0x0e);
	advance(w, 6000); /* their checkers hear of it */
	expect(w, sim_path(w, "8:0")->path->tpg.id == 3);
	expect(w, !knows_state(w, "8:0") && !knows_state(w, "8:16"));
	world_end(w);

	w = used_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 10000);
	expect(w, knows_state(w, "8:0") && knows_state(w, "8:16"));
	expect(w, message(w, "forget_wwid") == 0);
	expect(w, !knows_state(w, "8:0") && !knows_state(w, "8:16"));
	world_end(w);

	w = used_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);
	expect(w, reload(w, FAIL TWO_GROUPS) == 0);
	expect(w, !knows_state(w, "8:0") && !knows_state(w, "8:16"));
	world_end(w);
}

/* The LUN is reserved by another host when a group is to be activated: the array neither tells its
 * states nor changes them.  No path is at fault, and the initiator gets the array's word. */
static void a_lun_that_another_host_has_reserved(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, EXPLICIT, 1);
	struct sim_io *io;

	lun(w)->groups[1].state = ALUA_NON_OPTIMIZED;
	world_up(w);
	lun(w)->reserved = true;
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_answer(w, io, SAM_RESERVATION_CONFLICT);
	expect_no_notice(w, "activation");
	expect(w, message(w, "switch_group 2") == 0);
	io = submit_read(w, 0, 1);
	advance(w, 10000); /* and checks */
	expect_answer(w, io, SAM_RESERVATION_CONFLICT);
	expect_info(w, "2 0 1 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");

	lun(w)->reserved = false;
	expect(w, message(w, "switch_group 1") == 0);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect(w, lun(w)->nr_rtpg >= 1);
	world_end(w);
}

static void group_2_in_transition(struct world *w)
{
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	set_port_group(w, 2, ALUA_TRANSITIONING, true);
	submit_read(w, 0, 1);
	advance(w, 20);
	expect_notice(w, "target port group 2 is transitioning");
}

/* A group in transition is asked after each second, also one that no command goes to. */
static void a_transition_of_a_group_that_nobody_uses(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, IMPLICIT, 1);
	unsigned int asked;

	w->settings.polling_interval_ms = 60000;
	group_2_in_transition(w);
	asked = lun(w)->nr_rtpg;
	advance(w, 3000);
	expect(w, lun(w)->nr_rtpg == asked + 3);
	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
	advance(w, 1000);
	expect_notice(w, "target port group 2 is active/non-optimized");
	asked = lun(w)->nr_rtpg;
	advance(w, 3000);
	expect(w, lun(w)->nr_rtpg == asked);
	world_end(w);
}

/* The array tells of another change in the middle of such a second: it is heard at once. */
static void a_change_during_a_transition(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, IMPLICIT, 1);

	group_2_in_transition(w);
	set_port_group(w, 2, ALUA_NON_OPTIMIZED, true);
	submit_read(w, 0, 1);
	advance(w, 20);
	expect_notice(w, "target port group 2 is active/non-optimized");
	world_end(w);
}

int main(void)
{
	STORY(a_handler_is_found_by_itself);
	STORY(another_handler_than_the_table_says);
	STORY(words_of_the_handler_are_shown);
	STORY(a_path_that_the_handler_refuses);
	STORY(a_path_that_does_not_name_its_group);
	STORY(an_old_target);
	STORY(another_table_with_another_handler);
	STORY(another_table_begins_anew);
	STORY(a_path_is_away_when_the_handler_goes);
	STORY(another_table_during_an_activation);
	STORY(a_path_leaves_during_its_activation);
	STORY(standby_paths_are_active_where_access_is_explicit);
	STORY(standby_paths_have_failed_where_access_is_implicit);
	STORY(standby_without_a_handler);
	STORY(all_paths_are_in_standby_at_first);
	STORY(all_paths_are_in_standby_and_the_lun_is_unknown);
	STORY(a_passive_path_of_another_size);
	STORY(a_path_in_use_turns_out_to_be_in_standby);
	STORY(states_change_with_a_unit_attention);
	STORY(states_change_on_an_idle_map);
	STORY(states_change_and_the_kernel_has_heard);
	STORY(a_group_that_waits_for_the_array_is_left);
	STORY(a_group_is_left_before_the_array_has_answered);
	STORY(the_only_path_leaves_while_it_is_activated);
	STORY(a_path_joins_the_group_in_use);
	STORY(unit_attentions_that_are_not_about_states);
	STORY(a_storm_of_resets);
	STORY(commands_meet_a_transition);
	STORY(a_transition_while_another_group_is_optimized);
	STORY(no_failback_into_a_transition);
	STORY(no_failback_into_a_transition_of_one_path);
	STORY(the_end_of_a_transition_that_an_activation_has_met);
	STORY(followover_when_a_transition_is_over);
	STORY(no_followover_for_who_wants_another_group);
	STORY(followover_comes_once);
	STORY(no_followover_for_who_was_not_down);
	STORY(failback_when_the_array_gives_the_lun_back);
	STORY(a_transition_that_was_asked_for);
	STORY(an_activation_meets_a_transition);
	STORY(an_activation_waits_for_its_own_transition);
	STORY(an_activation_meets_a_move);
	STORY(an_activation_meets_a_transition_of_its_own_group);
	STORY(an_activation_meets_a_transition_that_nobody_knew_of);
	STORY(a_transition_of_all_groups);
	STORY(identified_in_a_transition);
	STORY(a_transition_takes_too_long);
	STORY(a_transition_takes_too_long_for_two_paths);
	STORY(a_transition_of_a_busy_array);
	STORY(an_activation_hears_of_many_things);
	STORY(each_controller_tells_of_itself);
	STORY(an_activation_hears_that_states_have_changed);
	STORY(states_are_asked_for_through_another_path);
	STORY(the_array_is_too_busy_to_tell);
	STORY(the_only_path_is_too_busy_to_tell);
	STORY(a_change_that_no_path_could_tell);
	STORY(a_path_moves_to_another_group);
	STORY(two_hosts_and_explicit_access);
	STORY(a_state_outlives_an_identification);
	STORY(a_state_that_holds_no_longer);
	STORY(a_lun_that_another_host_has_reserved);
	STORY(a_transition_of_a_group_that_nobody_uses);
	STORY(a_change_during_a_transition);
	return end_of_stories();
}
