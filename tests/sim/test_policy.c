/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Groups by priority, and failback (C2, C3, F50, F51 and F53 of dm-multipath.md).  Lists of paths
 * begin as failover does, each path by itself; the policies make groups of them.
 */
#include <string.h>

#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define IMPLICIT 1
#define BOTH	 3

#define A "round-robin 0 1 1 8:0 1 "
#define B "round-robin 0 1 1 8:16 1 "
#define C "round-robin 0 1 1 8:32 1 "
#define D "round-robin 0 1 1 8:48 1 "

#define RETAIN	     "1 retain_attached_hw_handler 0 "
#define RETAIN_QUEUE "2 queue_if_no_path retain_attached_hw_handler 0 "

#define TWO_ALONE  QUEUE "0 2 1 " A B
#define FOUR_ALONE RETAIN_QUEUE "4 1 " A B C D
#define HEAD	   "2 queue_if_no_path retain_attached_hw_handler 1 alua "

static struct world *new_world(const char *table, enum grouping grouping, enum failback failback)
{
	struct world *w = world_new(table);

	w->settings.policy = (struct mpath_policy){
		.on = true, .grouping = grouping, .failback = failback, .failback_s = 10};
	return w;
}

static struct sim_path *path_of_read(struct world *w)
{
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 50);
	expect_good(w, io);
	return io->last_path;
}

static struct world *alua_world(uint8_t tpgs, enum grouping grouping, enum failback failback)
{
	struct world *w = new_world(FOUR_ALONE, grouping, failback);

	mix_port_groups(w, tpgs);
	return w;
}

/* One of the four paths' checks asks for all; and groups are thought over for what was told. */
static void an_idle_map_asks_once_in_an_interval(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	unsigned int asked, regroups;

	world_up(w);
	advance(w, 10000);
	asked = w->luns[0].nr_rtpg;
	regroups = w->nr_regroups_asked;
	advance(w, 60000);
	expect(w, w->luns[0].nr_rtpg - asked >= 9 && w->luns[0].nr_rtpg - asked <= 12);
	expect(w, w->nr_regroups_asked - regroups <= 12);
	world_end(w);

	w = new_world(FOUR_ALONE, GROUPING_MULTIBUS, FAILBACK_MANUAL);
	w->settings.policy.prio = PRIO_CONST;
	world_up(w);
	advance(w, 2000);
	regroups = w->nr_regroups_asked;
	advance(w, 60000);
	expect(w, w->nr_regroups_asked == regroups);
	world_end(w);
}

static unsigned int asked_in_vain(struct world *w, uint8_t status, unsigned int seconds)
{
	unsigned int i, left = 0;

	for (i = 0; i < w->nr_paths; i++) {
		w->paths[i].busy = 1000000;
		w->paths[i].busy_status = status;
		w->paths[i].busy_opcode = 0xa3;
	}
	advance(w, seconds * 1000);
	for (i = 0; i < w->nr_paths; i++)
		left += w->paths[i].busy;
	return w->nr_paths * 1000000 - left;
}

/* Nobody tells: each path is asked once in an interval, and not with each check of another one. */
static void who_does_not_tell_is_asked_once_in_an_interval(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	unsigned int asked;

	world_up(w);
	advance(w, 10000);
	asked = asked_in_vain(w, 0x22, 60); /* COMMAND TERMINATED: refused */
	expect(w, asked >= 9 * w->nr_paths && asked <= 12 * w->nr_paths);
	expect(w, w->m->nr_valid == w->nr_paths);
	world_end(w);

	/* One that is too busy is asked once more each second, six times each path. */
	w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	world_up(w);
	advance(w, 10000);
	asked = asked_in_vain(w, SAM_TASK_SET_FULL, 60);
	expect(w, asked <= 60 * 6 * w->nr_paths);
	world_end(w);
}

/* --- groups --- */

/* The only path leaves before anybody has looked at it: there is no group to wait for. */
static void no_group_without_a_path(void)
{
	struct world *w = new_world(FAIL ONE_PATH, GROUPING_MULTIBUS, FAILBACK_MANUAL);
	struct sim_io *io;

	sim_path(w, "8:0")->open_latency_ns = 20 * NSEC_PER_MSEC;
	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_pending(w, io);
	remove_path(w, "8:0");
	advance(w, 10);
	expect_sense(w, io, 0x02, 0x04, 0x00);
	world_end(w);
}

/* The best group comes first, and the first command does not go anywhere else before. */
static void groups_are_formed_by_alua_priority(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	struct sim_io *io;

	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 200);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16") || io->last_path == sim_path(w, "8:48"));
	expect_table(w, HEAD "2 1 round-robin 0 2 1 8:16 1 8:48 1 "
			     "round-robin 0 2 1 8:0 1 8:32 1 ");
	expect(w, w->luns[0].nr_stpg == 0 && w->nr_regroups == 1);
	expect_notice(w, "paths are in 2 priority groups now");
	world_end(w);
}

/* Equal priorities are together, equal port groups are not. */
static void groups_are_formed_by_port_group(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_TPG, FAILBACK_MANUAL);

	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	world_up(w);
	expect_table(w, HEAD "2 1 round-robin 0 2 1 8:0 1 8:32 1 "
			     "round-robin 0 2 1 8:16 1 8:48 1 ");
	world_end(w);
}

/* Of two optimized groups the preferred one is the better, if the administrator wants it so. */
static void the_preferred_group_alone(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);

	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	w->luns[0].groups[1].preferred = true;
	world_up(w);
	expect_table(w, HEAD "1 1 round-robin 0 4 1 8:0 1 8:16 1 8:32 1 8:48 1 ");
	world_end(w);

	w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	w->settings.policy.exclusive_pref_bit = true;
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	w->luns[0].groups[1].preferred = true;
	world_up(w);
	expect_table(w, HEAD "2 1 round-robin 0 2 1 8:0 1 8:32 1 "
			     "round-robin 0 2 1 8:16 1 8:48 1 ");
	expect(w, path_priority(sim_path(w, "8:0")->path) == 130);
	expect(w, path_priority(sim_path(w, "8:16")->path) == 50);
	world_end(w);
}

/* A path that hangs in open() holds up nobody for longer than a second. */
static void groups_are_formed_without_a_path_that_hangs(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	struct sim_io *io;

	sim_path(w, "8:48")->open_hangs = true;
	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 900);
	expect_pending(w, io);
	advance(w, 200);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	world_end(w);
}

/* Without target port groups all are alike: the list's order stays. */
static void without_alua_all_are_alike(void)
{
	struct world *w = new_world(FOUR_ALONE, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);

	world_up(w);
	expect_table(w, RETAIN_QUEUE "1 1 round-robin 0 4 1 8:0 1 8:16 1 8:32 1 8:48 1 ");
	world_end(w);
}

/* Two controllers, and nobody tells which paths lead to which: one path at a time. */
static void no_group_over_two_controllers(void)
{
	static const enum prioritizer prios[] = {PRIO_DETECT, PRIO_ALUA};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct world *w = new_world(QUEUE "0 4 1 " A B C D, GROUPING_GROUP_BY_PRIO,
					    FAILBACK_IMMEDIATE);

		w->settings.policy.prio = prios[i];
		mix_port_groups(w, BOTH); /* as with hw_handler=none */
		world_up(w);
		expect_table(w, QUEUE "0 4 1 " A B C D);
		world_end(w);

		w = new_world(QUEUE "1 rdac 4 1 " A B C D, GROUPING_GROUP_BY_PRIO,
			      FAILBACK_IMMEDIATE);
		w->settings.policy.prio = prios[i];
		give_controllers(w, MAKE_RDAC);
		world_up(w);
		expect(w, path_of_read(w) == sim_path(w, "8:0"));
		advance(w, 60000);
		expect_table(w, QUEUE "1 rdac 4 1 " A B C D);
		expect(w, w->luns[0].nr_moves == 0);
		world_end(w);
	}
}

/* Nor does it matter what the array says, if the administrator does not care. */
static void constant_priorities(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);

	w->settings.policy.prio = PRIO_CONST;
	world_up(w);
	expect_table(w, HEAD "1 1 round-robin 0 4 1 8:0 1 8:16 1 8:32 1 8:48 1 ");
	world_end(w);
}

/* Two controllers, each with a serial number of its own; blanks around it do not count. */
static void give_serials(struct world *w)
{
	sim_path(w, "8:0")->nexus.serial = "1234";
	sim_path(w, "8:16")->nexus.serial = "1235";
	sim_path(w, "8:32")->nexus.serial = "  1234 ";
	sim_path(w, "8:48")->nexus.serial = "1235 ";
}

#define BY_SERIAL "2 1 round-robin 0 2 1 8:0 1 8:32 1 round-robin 0 2 1 8:16 1 8:48 1 "

static void groups_are_formed_by_serial_number(void)
{
	struct world *w = new_world(FOUR_ALONE, GROUPING_GROUP_BY_SERIAL, FAILBACK_MANUAL);

	give_serials(w);
	world_up(w);
	expect_table(w, RETAIN_QUEUE BY_SERIAL);
	expect(w, w->nr_regroups == 1);
	world_end(w);

	/* An array's only serial number: they are all together. */
	w = new_world(FOUR_ALONE, GROUPING_GROUP_BY_SERIAL, FAILBACK_MANUAL);
	world_up(w);
	expect_table(w, RETAIN_QUEUE "1 1 round-robin 0 4 1 8:0 1 8:16 1 8:32 1 8:48 1 ");
	world_end(w);
}

/* Nobody has asked before. */
static void another_configuration_wants_serial_numbers(void)
{
	struct world *w = new_world(FOUR_ALONE, GROUPING_FAILOVER, FAILBACK_MANUAL);

	give_serials(w);
	world_up(w);
	advance(w, 5000);
	expect(w, !sim_path(w, "8:0")->path->serial[0]);
	w->settings.policy.grouping = GROUPING_GROUP_BY_SERIAL;
	expect(w, reload(w, FOUR_ALONE) == 0);
	advance(w, 100);
	expect_table(w, RETAIN_QUEUE BY_SERIAL);
	expect(w, w->nr_regroups == 1);
	world_end(w);
}

/* --- latencies --- */

static struct world *latency_world(enum failback failback)
{
	struct world *w = new_world(FOUR_ALONE, GROUPING_GROUP_BY_PRIO, failback);

	w->settings.policy.prio = PRIO_PATH_LATENCY;
	w->settings.policy.latency_checks = 20;
	w->settings.policy.latency_base = 20;
	sim_path(w, "8:0")->latency_ns = sim_path(w, "8:32")->latency_ns = 10 * NSEC_PER_MSEC;
	return w;
}

/* Ten times slower is three doublings; the checks tell it, also of paths without a command. */
static void groups_are_formed_by_latency(void)
{
	struct world *w = latency_world(FAILBACK_MANUAL);
	struct sim_path *p;
	struct sim_io *io;

	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 1000);
	expect_good(w, io);
	p = io->last_path;
	expect(w, p == sim_path(w, "8:16") || p == sim_path(w, "8:48"));
	expect_table(w, RETAIN_QUEUE "2 1 round-robin 0 2 1 8:16 1 8:48 1 "
				     "round-robin 0 2 1 8:0 1 8:32 1 ");
	expect(w, path_priority(sim_path(w, "8:16")->path) == 16);
	expect(w, path_priority(sim_path(w, "8:0")->path) == 13);
	world_end(w);
}

/* The mean follows, and failback decides when commands do. */
static void a_path_becomes_slow(void)
{
	struct world *w = latency_world(FAILBACK_IMMEDIATE);

	world_up(w);
	path_of_read(w);
	sim_path(w, "8:16")->latency_ns = 80 * NSEC_PER_MSEC;
	advance(w, 6000);
	expect_table(w, RETAIN_QUEUE "3 1 round-robin 0 1 1 8:48 1 round-robin 0 2 1 8:0 1 8:32 1 "
				     "round-robin 0 1 1 8:16 1 ");
	expect(w, path_of_read(w) == sim_path(w, "8:48"));
	sim_path(w, "8:16")->latency_ns = NSEC_PER_MSEC;
	advance(w, 400000);
	expect_table(w, RETAIN_QUEUE "2 1 round-robin 0 2 1 8:48 1 8:16 1 "
				     "round-robin 0 2 1 8:0 1 8:32 1 ");
	world_end(w);
}

/* One slow check among twenty is no reason to form groups anew. */
static void a_single_slow_check(void)
{
	struct world *w = latency_world(FAILBACK_IMMEDIATE);
	unsigned int before;

	world_up(w);
	advance(w, 120000);
	before = w->nr_regroups;
	sim_path(w, "8:16")->latency_ns = 10 * NSEC_PER_MSEC;
	advance(w, 5000);
	expect(w, sim_path(w, "8:16")->path->check_us ==
			  1000 + 9000 / w->settings.policy.latency_checks);
	sim_path(w, "8:16")->latency_ns = NSEC_PER_MSEC;
	advance(w, 60000);
	expect(w, w->nr_regroups == before);
	world_end(w);
}

/* Just between two priorities: a little more or less is no reason to form groups anew each time. */
static void a_latency_between_two_priorities(void)
{
	struct world *w = latency_world(FAILBACK_IMMEDIATE);
	unsigned int i, before;

	world_up(w);
	path_of_read(w);
	/* 100 s by 2 to the power of 16 are 1526 us */
	sim_path(w, "8:16")->latency_ns = 1530000;
	advance(w, 1000000);
	before = w->nr_regroups;
	for (i = 0; i < 100; i++) {
		sim_path(w, "8:16")->latency_ns = 1526000 + (i & 1 ? 120000 : -120000);
		advance(w, 5000);
	}
	expect(w, w->nr_regroups <= before + 1);
	world_end(w);
}

/* The array has not moved the LUN: who is to go back is failback's to say. */
static void a_slow_path_is_no_move_of_the_lun(void)
{
	struct world *w = latency_world(FAILBACK_MANUAL);

	mix_port_groups(w, BOTH);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	w->luns[0].stpg = STPG_REFUSES;
	world_up(w);
	expect(w, path_of_read(w)->nexus.group == 1);
	sim_path(w, "8:16")->latency_ns = sim_path(w, "8:48")->latency_ns = 900 * NSEC_PER_MSEC;
	advance(w, 20000);
	expect_table(w, HEAD "2 2 round-robin 0 2 1 8:0 1 8:32 1 "
			     "round-robin 0 2 1 8:48 1 8:16 1 ");
	expect(w, submit_read(w, 0, 1)->last_path->nexus.group == 1);
	advance(w, 1000);
	world_end(w);
}

/* Without policies groups stay as the table has them. */
static void a_table_is_left_alone(void)
{
	struct world *w = world_new(FOUR_ALONE);

	mix_port_groups(w, BOTH);
	world_up(w);
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	expect_table(w, HEAD "4 1 " A B C D);
	expect(w, w->nr_regroups == 0);
	world_end(w);
}

/* F53: a path that was offline at the start finds its group when it comes. */
static void a_path_that_comes_later(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_TPG, FAILBACK_MANUAL);

	set_mode(sim_path(w, "8:48"), MODE_NOT_SENT);
	world_up(w);
	path_of_read(w);
	advance(w, 3000);
	set_mode(sim_path(w, "8:48"), MODE_UP);
	advance(w, 10000);
	expect_table(w, HEAD "2 1 round-robin 0 2 1 8:16 1 8:48 1 "
			     "round-robin 0 2 1 8:0 1 8:32 1 ");
	expect(w, w->luns[0].nr_stpg == 0);
	world_end(w);
}

/* --- the array changes states --- */

/* Whatever failback says: where the LUN is, there commands go; nobody asks for it. */
static void commands_follow_an_implicit_change(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	struct sim_path *p;

	world_up(w);
	expect(w, path_of_read(w)->nexus.group == 1);
	advance(w, 2000);
	set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, true);
	path_of_read(w);
	advance(w, 100);
	p = path_of_read(w);
	expect(w, p->nexus.group == 2);
	expect_table(w, HEAD "2 1 round-robin 0 2 1 8:0 1 8:32 1 "
			     "round-robin 0 2 1 8:16 1 8:48 1 ");
	expect(w, w->luns[0].nr_stpg == 0);
	world_end(w);
}

/* The old group may be of no use any more, and the new one was none before. */
static void commands_follow_where_standby_cannot_be_left(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	struct sim_io *io;

	w->settings.recheck_interval_ms = 10000; /* nobody waits for the checker's next turn */
	set_port_group(w, 2, ALUA_STANDBY, false);
	world_up(w);
	expect(w, path_of_read(w)->nexus.group == 1);
	advance(w, 2000);
	set_port_group(w, 1, ALUA_STANDBY, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, true);
	io = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_good(w, io);
	expect(w, io->last_path->nexus.group == 2);
	world_end(w);
}

/*
 * Both port groups were good, so their paths are together; the array takes one away, and tells
 * nobody.  To activate its path would take the LUN back from where the array wants it.
 */
static void a_path_that_the_array_has_left_is_not_activated(void)
{
	struct world *w =
		new_world(RETAIN_QUEUE "2 1 " A B, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	unsigned int i;

	give_port_groups(w, BOTH, 1);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	world_up(w);
	path_of_read(w);
	advance(w, 2000);
	expect_table(w, HEAD "1 1 round-robin 0 2 1 8:0 1 8:16 1 ");
	set_port_group(w, 1, ALUA_STANDBY, false);
	for (i = 0; i < 100; i++)
		path_of_read(w);
	expect(w, w->luns[0].nr_stpg == 0);
	expect_table(w, HEAD "2 1 round-robin 0 1 1 8:16 1 round-robin 0 1 1 8:0 1 ");
	world_end(w);
}

/* An array that cannot make up its mind: one change of groups a second. */
static void a_flapping_array_is_no_storm(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_IMMEDIATE);
	unsigned int before, i;

	world_up(w);
	before = w->nr_regroups;
	for (i = 0; i < 50; i++) {
		set_port_group(w, 1 + i % 2, ALUA_NON_OPTIMIZED, false);
		set_port_group(w, 2 - i % 2, ALUA_OPTIMIZED, false);
		push_ua(path_of_read(w), 0x2a, 0x06);
		path_of_read(w);
	}
	expect(w, w->nr_regroups - before >= 2 && w->nr_regroups - before <= 6);
	world_end(w);
}

/* Commands in flight stay where they are while groups change around them. */
static void commands_in_flight_are_not_touched(void)
{
	struct world *w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);
	struct sim_io *io;

	world_up(w);
	path_of_read(w);
	advance(w, 2000);
	sim_path(w, "8:16")->latency_ns = sim_path(w, "8:48")->latency_ns = 500 * NSEC_PER_MSEC;
	io = submit_write(w, 0, 1);
	sim_path(w, "8:16")->latency_ns = sim_path(w, "8:48")->latency_ns = SIM_LATENCY;
	set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x06);
	message(w, "probe_path 8:0");
	advance(w, 200);
	expect_table(w, HEAD "2 1 round-robin 0 2 1 8:0 1 8:32 1 "
			     "round-robin 0 2 1 8:16 1 8:48 1 ");
	expect_pending(w, io);
	advance(w, 400);
	expect_good(w, io);
	expect(w, io->nr_starts == 1);
	world_end(w);
}

/*
 * One port group is in transition for long, the other one is optimized: commands wait for nothing,
 * although the checker does not see the transition, and whatever groups are formed of that.
 */
static void a_long_transition(void)
{
	static const enum grouping groupings[] = {GROUPING_GROUP_BY_PRIO, GROUPING_GROUP_BY_TPG,
						  GROUPING_MULTIBUS};

	for (size_t i = 0; i < sizeof(groupings) / sizeof(groupings[0]); i++) {
		struct world *w = alua_world(BOTH, groupings[i], FAILBACK_IMMEDIATE);
		unsigned int before, after;

		w->luns[0].tur_in_transition = true;
		world_up(w);
		advance(w, 2000);
		before = path_of_read(w)->nexus.group;
		set_port_group(w, before, ALUA_TRANSITIONING, false);
		set_port_group(w, 3 - before, ALUA_OPTIMIZED, false);
		submit_read(w, 0, 1);
		advance(w, 50);
		for (int j = 0; j < 20; j++) {
			struct sim_io *io = submit_read(w, 0, 1);

			advance(w, 500);
			expect_good(w, io);
			after = io->last_path->nexus.group;
			expect(w, after == 3 - before);
		}
		world_end(w);
	}
}

/* --- failback --- */

/* The first path has failed, commands have gone to the second, the first is back. */
static struct world *failed_over(const char *table, enum grouping grouping, enum failback failback)
{
	struct world *w = new_world(table, grouping, failback);

	world_up(w);
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	expect(w, path_of_read(w) == sim_path(w, "8:16"));
	advance(w, 3000);
	return w;
}

static void comes_back(struct world *w, const char *name)
{
	set_mode(sim_path(w, name), MODE_UP);
	advance(w, 1500);
}

static void failback_at_once(void)
{
	struct world *w = failed_over(TWO_ALONE, GROUPING_FAILOVER, FAILBACK_IMMEDIATE);

	comes_back(w, "8:0");
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	expect_notice(w, "failback to");
	world_end(w);
}

static void failback_by_hand(void)
{
	struct world *w = failed_over(TWO_ALONE, GROUPING_FAILOVER, FAILBACK_MANUAL);

	comes_back(w, "8:0");
	advance(w, 60000);
	expect(w, path_of_read(w) == sim_path(w, "8:16"));
	message(w, "switch_group 1");
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	world_end(w);
}

static void failback_after_a_while(void)
{
	struct world *w = failed_over(TWO_ALONE, GROUPING_FAILOVER, FAILBACK_DEFERRED);

	comes_back(w, "8:0");
	advance(w, 8000);
	expect(w, path_of_read(w) == sim_path(w, "8:16"));
	advance(w, 2500);
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	world_end(w);
}

/* All paths of the better group were lost, and the first one is back. */
static struct world *half_of_the_better_group_is_back(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_DEFERRED);

	world_up(w);
	expect(w, path_of_read(w)->nexus.group == 1);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	set_mode(sim_path(w, "8:48"), MODE_NOT_SENT);
	expect(w, path_of_read(w)->nexus.group == 2);
	advance(w, 3000);
	comes_back(w, "8:16");
	return w;
}

/* The array's states are asked for all the time: that is no reason to wait anew. */
static void failback_after_a_while_with_alua(void)
{
	struct world *w = half_of_the_better_group_is_back();

	advance(w, 5000);
	comes_back(w, "8:48"); /* with each path that comes up it is, as in multipathd */
	advance(w, 8000);
	expect(w, path_of_read(w)->nexus.group == 2);
	advance(w, 2500);
	expect(w, path_of_read(w)->nexus.group == 1);
	expect(w, count_notices(w, "failback to") == 1);
	world_end(w);
}

/* The path was only in doubt, and who came meanwhile went to the other group. */
static void failback_after_a_doubt(void)
{
	static const enum failback kinds[] = {FAILBACK_IMMEDIATE, FAILBACK_DEFERRED,
					      FAILBACK_MANUAL};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct world *w = new_world(TWO_ALONE, GROUPING_FAILOVER, kinds[i]);
		struct sim_io *lost;

		world_up(w);
		expect(w, path_of_read(w) == sim_path(w, "8:0"));
		set_io_mode(sim_path(w, "8:0"), MODE_FAULT, 1);
		lost = submit_read(w, 1, 1);
		sim_path(w, "8:0")->latency_ns = 100 * NSEC_PER_MSEC; /* the check takes that */
		advance(w, 2);
		expect(w, path_of_read(w) == sim_path(w, "8:16"));
		sim_path(w, "8:0")->latency_ns = SIM_LATENCY;
		advance(w, 200);
		expect_good(w, lost);
		expect(w, sim_path(w, "8:0")->path->fail_count == 0);
		expect(w, path_of_read(w) ==
				  sim_path(w, kinds[i] == FAILBACK_IMMEDIATE ? "8:0" : "8:16"));
		advance(w, 10000);
		expect(w, path_of_read(w) ==
				  sim_path(w, kinds[i] == FAILBACK_MANUAL ? "8:16" : "8:0"));
		world_end(w);
	}
}

/* A path of the group that is to be left is in doubt now and then: no reason to stay. */
static void failback_in_spite_of_doubts(void)
{
	struct world *w = half_of_the_better_group_is_back();
	int i;

	comes_back(w, "8:48");
	for (i = 0; i < 3; i++) {
		push_ua(sim_path(w, "8:0"), 0x29, 0x00);
		path_of_read(w);
		expect(w, path_of_read(w)->nexus.group == 2);
		advance(w, 3000);
	}
	advance(w, 2000);
	expect(w, path_of_read(w)->nexus.group == 1);
	world_end(w);
}

/* F50: whichever path fails, the time begins anew. */
static void a_failure_cancels_failback(void)
{
	struct world *w = failed_over(QUEUE "0 3 1 " A B C, GROUPING_FAILOVER, FAILBACK_DEFERRED);

	comes_back(w, "8:0");
	advance(w, 6000);
	message(w, "fail_path 8:32");
	advance(w, 6000);
	expect(w, path_of_read(w) == sim_path(w, "8:16"));
	advance(w, 5000);
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	world_end(w);

	/* The path that is to be used fails itself: nothing is left of the old time. */
	w = failed_over(TWO_ALONE, GROUPING_FAILOVER, FAILBACK_DEFERRED);
	comes_back(w, "8:0");
	advance(w, 5000);
	message(w, "fail_path 8:0");
	advance(w, 1000);
	message(w, "reinstate_path 8:0");
	advance(w, 6000);
	expect(w, path_of_read(w) == sim_path(w, "8:16"));
	advance(w, 5000);
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	world_end(w);
}

/* F51: only the first path that comes up brings commands back to its group. */
static void failback_by_followover(void)
{
	const char *table = QUEUE "0 3 1 " A B C;
	struct world *w = failed_over(table, GROUPING_FAILOVER, FAILBACK_FOLLOWOVER);

	comes_back(w, "8:0");
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	world_end(w);

	w = alua_world(BOTH, GROUPING_GROUP_BY_PRIO, FAILBACK_FOLLOWOVER);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	w->luns[0].stpg = STPG_REFUSES; /* both groups stay as they are */
	world_up(w);
	expect(w, path_of_read(w)->nexus.group == 1);
	message(w, "switch_group 2"); /* the administrator wants it so */
	expect(w, path_of_read(w)->nexus.group == 2);
	set_mode(sim_path(w, "8:48"), MODE_NOT_SENT);
	advance(w, 6000);
	comes_back(w, "8:48");
	advance(w, 6000);
	expect(w, path_of_read(w)->nexus.group == 2);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	set_mode(sim_path(w, "8:48"), MODE_NOT_SENT);
	advance(w, 6000);
	comes_back(w, "8:48");
	advance(w, 6000);
	expect(w, path_of_read(w) == sim_path(w, "8:48"));
	world_end(w);
}

/* A table's groups are not formed anew, but commands go back to the ones further ahead. */
static void failback_in_a_table(void)
{
	static const enum failback kinds[] = {FAILBACK_IMMEDIATE, FAILBACK_DEFERRED};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct world *w = world_new(QUEUE "0 3 2 " A B C);

		w->settings.policy.failback = kinds[i];
		w->settings.policy.failback_s = 10;
		world_up(w);
		expect(w, path_of_read(w) == sim_path(w, "8:16")); /* as the table says */
		set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
		set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
		advance(w, 6000);
		expect(w, path_of_read(w) == sim_path(w, "8:32"));
		comes_back(w, "8:0");
		advance(w, kinds[i] == FAILBACK_DEFERRED ? 8000 : 0);
		expect(w, path_of_read(w) ==
				  sim_path(w, kinds[i] == FAILBACK_DEFERRED ? "8:32" : "8:0"));
		advance(w, 10000);
		expect(w, path_of_read(w) == sim_path(w, "8:0"));
		expect_table(w, QUEUE "0 3 1 " A B C);
		expect(w, w->nr_regroups == 0);
		world_end(w);
	}
}

/* No command has moved yet when a path of a still better group comes up, too. */
static void failback_without_commands(void)
{
	static const enum failback kinds[] = {FAILBACK_IMMEDIATE, FAILBACK_FOLLOWOVER,
					      FAILBACK_DEFERRED};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct world *w = world_new(QUEUE "0 3 1 " A B C);

		w->settings.policy.failback = kinds[i];
		w->settings.policy.failback_s = 10;
		world_up(w);
		set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
		set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
		expect(w, path_of_read(w) == sim_path(w, "8:32"));
		advance(w, 6000);
		comes_back(w, "8:16");
		advance(w, 12000);
		expect(w, count_notices(w, "failback to") == 1);
		comes_back(w, "8:0");
		advance(w, 12000);
		expect(w, count_notices(w, "failback to") == 2);
		expect(w, path_of_read(w) == sim_path(w, "8:0"));
		world_end(w);
	}
}

/* The path came up long ago: what the administrator wants now is not taken back for it. */
static void followover_is_about_a_path_that_comes_up(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_FOLLOWOVER);

	world_up(w);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	set_mode(sim_path(w, "8:48"), MODE_NOT_SENT);
	expect(w, path_of_read(w)->nexus.group == 2);
	advance(w, 2000);
	comes_back(w, "8:48");
	expect(w, path_of_read(w) == sim_path(w, "8:48"));
	message(w, "switch_group 2");
	expect(w, path_of_read(w)->nexus.group == 2);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x06);
	push_ua(sim_path(w, "8:32"), 0x2a, 0x06);
	path_of_read(w);
	advance(w, 3000);
	expect(w, path_of_read(w)->nexus.group == 2);
	world_end(w);
}

/* The array has moved the LUN, and commands have followed: later on it is failback as ever. */
static void a_move_is_followed_once(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);

	world_up(w);
	path_of_read(w);
	advance(w, 2000);
	set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, true);
	path_of_read(w);
	advance(w, 100);
	expect(w, path_of_read(w)->nexus.group == 2);
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	set_mode(sim_path(w, "8:32"), MODE_NOT_SENT);
	expect(w, path_of_read(w)->nexus.group == 1);
	advance(w, 2000);
	comes_back(w, "8:0");
	comes_back(w, "8:32");
	expect(w, path_of_read(w)->nexus.group == 1);
	world_end(w);
}

/* It was moved to where no path was up: who comes up there is followed, failback or not. */
static void a_move_is_followed_when_its_paths_come_up(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);

	world_up(w);
	expect(w, path_of_read(w)->nexus.group == 1);
	advance(w, 2000);
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	set_mode(sim_path(w, "8:32"), MODE_NOT_SENT);
	advance(w, 8000);
	set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, true);
	path_of_read(w);
	advance(w, 3000);
	expect(w, path_of_read(w)->nexus.group == 1);
	comes_back(w, "8:0");
	comes_back(w, "8:32");
	expect(w, path_of_read(w)->nexus.group == 2);
	world_end(w);
}

/* A move of the LUN to where nothing is better was no move: what comes up later is failback's. */
static void a_change_of_states_is_over(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);

	world_up(w);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	set_mode(sim_path(w, "8:48"), MODE_NOT_SENT);
	expect(w, path_of_read(w)->nexus.group == 2);
	advance(w, 3000);
	set_port_group(w, 2, ALUA_LBA_DEPENDENT, true);
	path_of_read(w);
	advance(w, 3000);
	set_port_group(w, 2, ALUA_NON_OPTIMIZED, true);
	path_of_read(w);
	advance(w, 3000);
	comes_back(w, "8:16");
	comes_back(w, "8:48");
	advance(w, 10000);
	expect(w, path_of_read(w)->nexus.group == 2);
	world_end(w);
}

/*
 * Seed 4823: who has met a broken answer on the first path goes its own way to the second, while
 * all others are to go back to the first.  Each activation of the second asked for the first anew.
 */
static void failback_is_asked_for_once(void)
{
	struct world *w = new_world(RETAIN_QUEUE "2 1 " A B, GROUPING_FAILOVER, FAILBACK_IMMEDIATE);
	struct sim_io *wanderer, *others;

	give_port_groups(w, BOTH, 2);
	world_up(w);
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	set_io_mode(sim_path(w, "8:0"), MODE_FAULT, 1);
	sim_path(w, "8:16")->latency_ns = 100 * NSEC_PER_MSEC;
	wanderer = submit_read(w, 0, 1);
	advance(w, 2);
	others = submit_read(w, 1, 1);
	advance(w, 50);
	add_path(w, "8:32", 2); /* the groups are looked at again */
	advance(w, 2000);
	expect_good(w, wanderer);
	expect_good(w, others);
	expect(w, path_of_read(w) == sim_path(w, "8:0"));
	expect(w, count_notices(w, "failback to") == 1);
	world_end(w);
}

/* Who adds a path is not asked for its group where the array's word makes the groups. */
static void an_added_path_finds_its_group(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_IMMEDIATE);

	world_up(w);
	advance(w, 2000);
	expect(w, w->m->nr_groups == 2);
	expect(w, add_path(w, "8:64", 0) == 0);
	sim_path(w, "8:64")->nexus.group = 1;
	expect(w, add_path(w, "8:80", 3) == 0);
	sim_path(w, "8:80")->nexus.group = 2;
	advance(w, 2000);
	expect_table(w, HEAD "2 1 round-robin 0 3 1 8:16 1 8:48 1 8:64 1 "
			     "round-robin 0 3 1 8:0 1 8:32 1 8:80 1 ");
	world_end(w);
}

/* The array's word was lost, with a session perhaps, and commands are answered as before. */
static void a_move_that_nobody_has_told_of(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_IMMEDIATE);

	world_up(w);
	expect(w, path_of_read(w)->nexus.group == 1);
	set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	advance(w, 7500);
	expect(w, path_of_read(w)->nexus.group == 2);
	world_end(w);
}

/*
 * The array makes the slower paths as good as those in use.  They join the group that is in use,
 * and nobody waits, whichever of them comes first in the list.
 */
static void the_group_in_use_grows(void)
{
	struct world *w = alua_world(IMPLICIT, GROUPING_GROUP_BY_PRIO, FAILBACK_MANUAL);

	world_up(w);
	message(w, "switch_group 2");
	expect(w, path_of_read(w)->nexus.group == 2);
	advance(w, 2000);
	set_port_group(w, 2, ALUA_OPTIMIZED, true);
	advance(w, 6000);
	expect_table(w, HEAD "1 1 round-robin 0 4 1 8:16 1 8:48 1 8:0 1 8:32 1 ");
	expect(w, w->m->current_pg && !w->m->queue_io);
	world_end(w);
}

int main(void)
{
	STORY(an_idle_map_asks_once_in_an_interval);
	STORY(who_does_not_tell_is_asked_once_in_an_interval);
	STORY(no_group_without_a_path);
	STORY(groups_are_formed_by_alua_priority);
	STORY(groups_are_formed_by_port_group);
	STORY(the_preferred_group_alone);
	STORY(groups_are_formed_without_a_path_that_hangs);
	STORY(without_alua_all_are_alike);
	STORY(no_group_over_two_controllers);
	STORY(constant_priorities);
	STORY(groups_are_formed_by_serial_number);
	STORY(another_configuration_wants_serial_numbers);
	STORY(groups_are_formed_by_latency);
	STORY(a_path_becomes_slow);
	STORY(a_single_slow_check);
	STORY(a_latency_between_two_priorities);
	STORY(a_slow_path_is_no_move_of_the_lun);
	STORY(a_table_is_left_alone);
	STORY(a_path_that_comes_later);
	STORY(commands_follow_an_implicit_change);
	STORY(an_added_path_finds_its_group);
	STORY(a_move_that_nobody_has_told_of);
	STORY(the_group_in_use_grows);
	STORY(commands_follow_where_standby_cannot_be_left);
	STORY(a_path_that_the_array_has_left_is_not_activated);
	STORY(a_flapping_array_is_no_storm);
	STORY(commands_in_flight_are_not_touched);
	STORY(a_long_transition);
	STORY(failback_at_once);
	STORY(failback_by_hand);
	STORY(failback_after_a_while);
	STORY(failback_after_a_while_with_alua);
	STORY(failback_after_a_doubt);
	STORY(failback_in_spite_of_doubts);
	STORY(a_failure_cancels_failback);
	STORY(failback_by_followover);
	STORY(failback_in_a_table);
	STORY(failback_without_commands);
	STORY(followover_is_about_a_path_that_comes_up);
	STORY(a_move_is_followed_once);
	STORY(a_move_is_followed_when_its_paths_come_up);
	STORY(a_change_of_states_is_over);
	STORY(failback_is_asked_for_once);
	return end_of_stories();
}
