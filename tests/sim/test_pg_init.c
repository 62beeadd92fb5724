/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pg_init: a group is activated before commands use it (dm-multipath.md A6; F17 to F25 are its
 * items).  The array is an ALUA one with explicit access, if not said otherwise.
 */
#include <errno.h>
#include <string.h>

#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define EXPLICIT 2

static struct sim_lun *lun(struct world *w)
{
	return &w->luns[0];
}

static struct world *new_world(const char *table, unsigned int paths_per_group)
{
	struct world *w = world_new(table);

	give_port_groups(w, EXPLICIT, paths_per_group);
	return w;
}

/* Group 1 is optimized already: it is asked, and nothing is changed (F24: over at once is fine). */
static void the_first_group_is_asked_before_it_is_used(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, 2);
	struct sim_io *io;

	world_up(w);
	expect_info(w, "2 1 0 0 2 1 E 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	io = submit_read(w, 0, 1);
	expect_pending(w, io);
	expect_info(w, "2 1 1 0 2 1 A 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	advance(w, 10);
	expect_good(w, io);
	expect_trace(w, "[100] group 1: now current\n"
			"[100] io 28: waits for activation\n"
			"[100] group 1: activation, round 1 in 0 ms\n"
			"[100] path 8:0: activate\n"
			"[101] port group 1: active/optimized\n"
			"[101] port group 2: standby\n"
			"[101] path 8:0: activated\n"
			"[101] path 8:16: activate\n"
			"[102] path 8:16: activated\n"
			"[102] group 1: activation is over\n"
			"[102] io 28: start on 8:16\n"
			"[103] io 28: good\n");
	expect(w, lun(w)->nr_stpg == 0);
	expect_info(w, "2 0 1 0 2 1 A 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	world_end(w);
}

/* The group is lost: the other one is activated, and commands of every kind wait for it. */
static void the_other_group_takes_over(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, 1);
	struct sim_io *read, *write, *tur;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	forget_trace(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	read = submit_read(w, 0, 1);
	write = submit_write(w, 1, 1);
	advance(w, 1);
	tur = submit_tur(w);
	advance(w, 20);
	expect_good(w, read);
	expect_good(w, write);
	expect_good(w, tur);
	expect_trace(w, "[110] io 28: start on 8:0\n"
			"[110] io 2a: start on 8:0\n"
			"[111] io 28: transport lost on 8:0\n"
			"[111] path 8:0: failed (transport lost), 1 left\n"
			"[111] group 2: now current\n"
			"[111] io 28: waits for activation\n"
			"[111] group 2: activation, round 1 in 0 ms\n"
			"[111] path 8:16: activate\n"
			"[111] io 2a: transport lost on 8:0\n"
			"[111] io 2a: waits for activation\n"
			"[111] io 00: waits for activation\n"
			"[114] port group 1: standby\n"
			"[114] port group 2: active/optimized\n"
			"[120] path 8:16: activated\n" /* after it has told its size */
			"...\n");
	expect(w, lun(w)->nr_stpg == 1 && lun(w)->last_stpg == 2);
	world_end(w);
}

/* What waits for activation can be aborted, and has its deadline. */
static void commands_that_wait_for_activation(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	struct sim_io *aborted, *late, *held;

	set_cmd_time_out(w, 10);
	lun(w)->groups[0].state = ALUA_STANDBY;
	lun(w)->stpg = STPG_TAKES_TIME;
	snprintf(w->settings.wwid, sizeof(w->settings.wwid), "%s", lun(w)->wwid);
	world_up(w);
	aborted = submit_write(w, 0, 1);
	late = submit_read(w, 0, 1);
	advance(w, 5000);
	expect_pending(w, aborted);
	expect_detail(w, "2 commands wait for the activation of a group");
	abort_task(w, aborted);
	expect_answer(w, aborted, SAM_TASK_ABORTED);
	advance(w, 3100);
	expect_sense(w, late, 0x02, 0x08, 0x00);

	held = submit_read(w, 0, 1);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	advance(w, 2100);
	expect_good(w, held);

	message(w, "switch_group 1");
	held = submit_read(w, 0, 1);
	expect_pending(w, held);
	shut_down_world(w);
	expect_answer(w, held, SAM_BUSY);
	world_end(w);
}

/* F19: pg_init_retries 0: the first "again" fails the path; F25: then the next group is tried. */
static void no_retries(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	lun(w)->stpg = STPG_REFUSES;
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	expect(w, lun(w)->nr_stpg == 1);
	expect_trace(w,
		     "...\n"
		     "[103] path 8:16: failed (activation: tried pg_init_retries times), 1 left\n"
		     "[103] group 2: activation is over\n"
		     "[103] group 1: now current\n"
		     "[103] io 28: waits for activation\n"
		     "[103] group 1: activation, round 1 in 0 ms\n"
		     "...\n");
	world_end(w);
}

/* F19: N retries are N + 1 rounds; F6: with the table's pause between them. */
static void retries_with_a_pause(void)
{
	struct world *w =
		new_world("4 pg_init_retries 2 pg_init_delay_msecs 700 " TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	lun(w)->stpg = STPG_REFUSES;
	io = submit_read(w, 0, 1);
	advance(w, 1400);
	expect(w, count_notices(w, "activating once more") == 2);
	expect_pending(w, io);
	expect_info(w, "2 1 3 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	expect(w, lun(w)->nr_stpg == 2);
	advance(w, 100);
	expect_good(w, io);
	expect(w, lun(w)->nr_stpg == 3);
	expect_trace(w,
		     "...\n"
		     "[100] group 2: activation, round 1 in 0 ms\n"
		     "...\n"
		     "[103] group 2: activation, round 2 in 700 ms\n"
		     "[803] path 8:16: activate\n"
		     "[806] group 2: activation, round 3 in 700 ms\n"
		     "[1506] path 8:16: activate\n"
		     "[1509] path 8:16: failed (activation: tried pg_init_retries times), 1 left\n"
		     "...\n");
	world_end(w);
}

/* The pause is 2 s if the table does not say; the array thinks better of it meanwhile. */
static void the_default_pause(void)
{
	struct world *w = new_world("2 pg_init_retries 1 " TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	lun(w)->stpg = STPG_REFUSES;
	io = submit_read(w, 0, 1);
	advance(w, 1500);
	lun(w)->stpg = STPG_OBEYS;
	advance(w, 450);
	expect_pending(w, io);
	advance(w, 60);
	advance(w, 100);
	expect_good(w, io);
	expect_info(w, "2 0 2 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* F25: no group can be activated: fail by policy, and no storm of attempts. */
static void no_group_can_be_activated(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	struct sim_io *io;
	unsigned int before;

	world_up(w);
	set_port_group(w, 1, ALUA_UNAVAILABLE, false);
	lun(w)->stpg = STPG_REFUSES;
	io = submit_read(w, 0, 1);
	advance(w, 1000);
	expect_pending(w, io);
	before = lun(w)->nr_stpg;
	advance(w, 10000);
	expect_pending(w, io);
	expect(w, lun(w)->nr_stpg - before <= 2 * 10); /* a round of the checkers' for each */

	lun(w)->stpg = STPG_OBEYS;
	advance(w, 3000);
	expect_good(w, io);
	world_end(w);
}

/* Without queueing the command ends with what is known: the paths are in standby. */
static void no_group_can_be_activated_and_nobody_waits(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	set_port_group(w, 1, ALUA_UNAVAILABLE, false);
	lun(w)->stpg = STPG_REFUSES;
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

/* F23: the path fails while its activation is out: the others go on, and nothing is stuck. */
static void a_path_fails_while_it_is_activated(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, 2);
	struct sim_io *io;

	world_up(w);
	sim_path(w, "8:0")->latency_ns = 100 * NSEC_PER_MSEC;
	io = submit_read(w, 0, 1);
	advance(w, 10);
	message(w, "fail_path 8:0");
	message(w, "fail_path 8:16"); /* its turn has not come yet */
	advance(w, 50);
	expect_pending(w, io);
	advance(w, 100);
	expect_good(w, io);
	expect_trace(w, "...\n"
			"[110] path 8:0: failed (fail_path message), 3 left\n"
			"[110] path 8:16: failed (fail_path message), 2 left\n"
			"[110] group 2: now current\n"
			"...\n"
			"[200] path 8:0: activated\n"
			"...\n");
	expect_info(w, "2 0 1 0 2 2 E 0 2 0 8:0 F 1 8:16 F 1 A 0 2 0 8:32 A 0 8:48 A 0 ");
	world_end(w);
}

/* The activation is not answered: the path has failed, the next one has its turn. */
static void an_activation_that_hangs(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, 2);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	io = submit_read(w, 0, 1);
	advance(w, 4990);
	expect_pending(w, io);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	world_end(w);
}

/* This host is short of something while it activates: no path's fault, nor the array's (H7). */
static void the_host_is_short_during_an_activation(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	set_mode(sim_path(w, "8:16"), MODE_LOCAL_BUSY);
	io = submit_read(w, 0, 1);
	advance(w, 3000);
	expect_pending(w, io);
	expect(w, sim_path(w, "8:16")->path->active);
	expect(w, sim_path(w, "8:16")->nr_probes < 100);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16") && lun(w)->nr_stpg == 1);
	world_end(w);
}

/* It is activated, and told to tell its size: that has to wait as well, and is not the end. */
static void the_host_is_short_behind_an_activation(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 5);
	expect(w, sim_path(w, "8:16")->path->probing == PROBE_IDENTIFY);
	set_mode(sim_path(w, "8:16"), MODE_LOCAL_BUSY);
	advance(w, 2000);
	expect_pending(w, io);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16") && lun(w)->nr_stpg == 1);
	expect(w, sim_path(w, "8:16")->path->fail_count == 0);
	world_end(w);
}

/* Not for ever: then another group has its turn. */
static void the_host_stays_short_during_an_activation(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	set_mode(sim_path(w, "8:16"), MODE_LOCAL_BUSY);
	io = submit_read(w, 0, 1);
	advance(w, 29000);
	expect_pending(w, io);
	advance(w, 2000);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	world_end(w);

	w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	world_up(w);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 5);
	set_mode(sim_path(w, "8:16"), MODE_LOCAL_BUSY);
	advance(w, 31000);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	expect_notice(w, "tried pg_init_retries times"); /* it has not said no */
	world_end(w);
}

/* And nobody waits for it when the group is left, or the LUN. */
static void nobody_waits_for_a_host_that_is_short(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	set_mode(sim_path(w, "8:16"), MODE_LOCAL_BUSY);
	io = submit_read(w, 0, 1);
	advance(w, 1000);
	message(w, "switch_group 1");
	submit_read(w, 0, 1);
	advance(w, 60);
	expect_good(w, io);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 1000);
	message(w, "fail_path 8:16");
	advance(w, 60);
	expect_good(w, io);
	world_end(w);

	w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	world_up(w);
	message(w, "switch_group 2");
	set_mode(sim_path(w, "8:16"), MODE_LOCAL_BUSY);
	io = submit_read(w, 0, 1);
	advance(w, 1000);
	stop_world(w);
	expect_answer(w, io, SAM_BUSY);
	world_end(w);
}

/* The device vanishes during a wait of its conversation. */
static void a_path_vanishes_while_it_is_activated(void)
{
	struct world *w = new_world(QUEUE "1 alua 1 1 round-robin 0 2 1 8:0 1 8:16 1", 2);
	struct sim_io *io;

	world_up(w);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	io = submit_read(w, 0, 1);
	advance(w, 500);
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	advance(w, 3000);
	expect_pending(w, io);
	set_port_group(w, 1, ALUA_OPTIMIZED, false);
	advance(w, 4000);
	expect_good(w, io);
	stop_world(w);
	world_end(w);
}

/* STOP while a conversation waits, and while one is out (F57). */
static void stop_during_activation(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	set_port_group(w, 1, ALUA_TRANSITIONING, false);
	io = submit_read(w, 0, 1);
	advance(w, 500);
	stop_world(w);
	expect_answer(w, io, SAM_BUSY);
	world_end(w);

	w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	world_up(w);
	sim_path(w, "8:0")->latency_ns = NSEC_PER_SEC;
	io = submit_read(w, 0, 1);
	stop_world(w);
	expect_answer(w, io, SAM_BUSY);
	world_end(w);
}

/* The handler is taken away while it activates a path, and given back: it begins anew. */
static void another_table_without_a_handler(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	sim_path(w, "8:0")->latency_ns = 50 * NSEC_PER_MSEC;
	io = submit_write(w, 0, 1);
	advance(w, 10);
	expect_pending(w, io);
	expect(w, reload(w, QUEUE TWO_GROUPS) == 0);
	advance(w, 100);
	expect_good(w, io);
	expect(w, reload(w, QUEUE TWO_GROUPS_ALUA) == 0);
	forget_trace(w);
	io = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_good(w, io);
	expect_trace(w, "[210] group 1: now current\n"
			"[210] io 2a: waits for activation\n"
			"[210] group 1: activation, round 1 in 0 ms\n"
			"...\n");
	world_end(w);
}

/* F22: suspended during an activation: what is under way ends, the rest begins after resume. */
static void suspend_during_activation(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO_ALUA, 2);
	struct sim_io *io;

	world_up(w);
	sim_path(w, "8:0")->latency_ns = 50 * NSEC_PER_MSEC;
	io = submit_write(w, 0, 1);
	advance(w, 10);
	expect(w, message(w, "suspend noflush") == 0);
	advance(w, 1000);
	expect_pending(w, io);
	expect_trace(w, "...\n"
			"[110] suspended\n"
			"[150] port group 1: active/optimized\n"
			"[150] port group 2: standby\n"
			"[150] path 8:0: activated\n");
	expect(w, message(w, "resume") == 0);
	advance(w, 10);
	expect_good(w, io);
	world_end(w);
}

/* F12: a path comes back to the group in use: it alone is activated, the others work on. */
static void a_path_comes_back_to_the_current_group(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, 2);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	message(w, "fail_path 8:0");
	forget_trace(w);
	message(w, "reinstate_path 8:0");
	sim_path(w, "8:0")->latency_ns = 20 * NSEC_PER_MSEC;
	advance(w, 130);
	expect(w, sim_path(w, "8:0")->path->needs_activation);
	io = submit_read(w, 0, 1);
	advance(w, 2);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	advance(w, 100);
	expect(w, !sim_path(w, "8:0")->path->needs_activation);
	expect_info(w, "2 0 1 0 2 1 A 0 2 0 8:0 A 1 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	world_end(w);
}

/* A path that comes back when no other is left is activated before a command goes there. */
static void the_only_path_comes_back(void)
{
	struct world *w = new_world(QUEUE "1 alua 1 1 round-robin 0 1 1 8:0 1", 1);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	lun(w)->groups[0].state = ALUA_STANDBY; /* meanwhile another host has used another port */
	set_mode(sim_path(w, "8:0"), MODE_UP);
	forget_trace(w);
	advance(w, 1500);
	expect_good(w, io);
	expect(w, lun(w)->nr_stpg == 1);
	world_end(w);
}

/* switch_group during an activation: the paths whose turn has not come lose it. */
static void switch_group_during_activation(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, 2);
	struct sim_io *io;

	world_up(w);
	sim_path(w, "8:0")->latency_ns = 50 * NSEC_PER_MSEC;
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, message(w, "switch_group 2") == 0);
	submit_read(w, 1, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path->id >= 2);
	expect(w, lun(w)->nr_stpg == 1 && lun(w)->last_stpg == 2);
	expect_trace(w, "...\n"
			"[110] group 2: now current\n"
			"...\n"
			"[150] path 8:0: activated\n"
			"[150] group 2: activation, round 1 in 0 ms\n"
			"...\n");
	world_end(w);
}

/* Likewise another table; nobody waits for the group any more. */
static void another_table_during_activation(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, 2);
	unsigned int nr_probes;
	struct sim_io *io;

	world_up(w);
	sim_path(w, "8:0")->latency_ns = 50 * NSEC_PER_MSEC;
	io = submit_read(w, 0, 1);
	advance(w, 10);
	abort_task(w, io);
	nr_probes = sim_path(w, "8:16")->nr_probes;
	expect(w, reload(w, FAIL TWO_BY_TWO_ALUA) == 0);
	advance(w, 200);
	expect(w, sim_path(w, "8:16")->nr_probes == nr_probes);
	world_end(w);
}

/* F17, F18: a disabled group as last resort: after a pause, which the next activation has not. */
static void a_disabled_group_is_activated_after_a_pause(void)
{
	struct world *w = new_world("2 pg_init_delay_msecs 300 " TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, message(w, "disable_group 2") == 0);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_read(w, 0, 1);
	advance(w, 290);
	expect_pending(w, io);
	advance(w, 50);
	expect_good(w, io);
	/* It works, so it is not bypassed any more. */
	expect_info(w, "2 0 1 0 2 2 E 0 1 0 8:0 F 1 A 0 1 0 8:16 A 0 ");

	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	message(w, "switch_group 1");
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	world_end(w);
}

/* A path is activated alone when its group is disabled: that it was successful is no reason to
 * enable the group, which commands do not use any more. */
static void a_group_is_disabled_during_an_activation(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, 2);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	message(w, "fail_path 8:0");
	message(w, "reinstate_path 8:0");
	sim_path(w, "8:0")->latency_ns = 20 * NSEC_PER_MSEC;
	while (!w->m->activating_path)
		advance(w, 1);
	expect(w, message(w, "disable_group 1") == 0);
	advance(w, 500);
	expect(w, !w->m->activating_path);
	expect_info(w, "2 0 1 0 2 1 D 0 2 0 8:0 A 1 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	expect_no_notice(w, "enabled");
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	expect(w, io->last_path->id >= 2);
	world_end(w);
}

/* A round ended without a path in its pause: who comes then is activated alone, and at once. */
static void a_pause_ends_with_its_round(void)
{
	struct world *w =
		new_world("3 queue_if_no_path pg_init_delay_msecs 3000 " TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	message(w, "disable_group 2");
	message(w, "fail_path 8:0");
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_pending(w, io);
	abort_task(w, io);
	expect(w, add_path(w, "8:32", 2) == 0);
	sim_path(w, "8:32")->nexus.group = 2;
	expect(w, remove_path(w, "8:16") == 0);
	advance(w, 100);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	world_end(w);
}

/* A path in doubt has no turn; when the group has no other, another is chosen. */
static void a_path_in_doubt_is_not_activated(void)
{
	struct world *w = new_world(FAIL TWO_BY_TWO_ALUA, 2);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	push_ua(sim_path(w, "8:32"), 0x3f, 0x0e);
	sim_path(w, "8:32")->latency_ns = 200 * NSEC_PER_MSEC;
	advance(w, 2700); /* its checker has heard that the LUN may be another */
	expect(w, sim_path(w, "8:32")->path->suspect);
	forget_trace(w);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:48"));
	world_end(w);
}

/* A retry asks for its last path; commands have left that group, so it goes with them. */
static void a_retry_does_not_go_back_to_a_group_that_was_left(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, 1);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 3);
	io = submit_read(w, 0, 1);
	advance(w, 3); /* it is in its pause of 10 ms */
	message(w, "switch_group 2");
	submit_read(w, 1, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	world_end(w);
}

/* A poison command is tried in the other group once the first is not in doubt any more, no more. */
static void a_poison_command_moves_a_group_once(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS_ALUA, 1);
	struct sim_io *poison, *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	poison = submit_poison(w);
	advance(w, 50);
	io = submit_read(w, 0, 1);
	advance(w, 200);
	expect_good(w, io);
	expect_sense(w, poison, 0x04, 0x08, 0x00);
	expect(w, lun(w)->nr_stpg == 1);
	expect_info(w, "2 0 1 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* --- arrays that answer otherwise: alua's handler, but the test says how activations end --- */

static const struct hw_handler_type *alua;
static enum hw_purpose purpose;
static const enum hw_result *script;
static bool says_so_at_once; /* without having asked the array anything */

static void begin_as_told(struct hw_handler *hh, struct path *path, enum hw_purpose asked)
{
	purpose = asked;
	alua->begin(hh, path, asked);
}

/* Whatever the target answers. */
static enum hw_result go_on_as_told(struct hw_handler *hh, struct path *path, uint64_t now_ns,
				    const struct scsi_answer *last,
				    const struct scsi_question *next, uint64_t *wait_ns)
{
	if (purpose == HW_ACTIVATE && (last || says_so_at_once))
		return *script++;
	return alua->go_on(hh, path, now_ns, last, next, wait_ns);
}

/* Group 1 is in use; then commands are to go to group 2, whose activations end as in @results. */
static struct world *switch_as_told(const char *table, const enum hw_result *results)
{
	static struct hw_handler_type as_told;
	struct world *w = new_world(table, 1);

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	alua = w->m->hw.type;
	as_told = *alua;
	as_told.begin = begin_as_told;
	as_told.go_on = go_on_as_told;
	w->m->hw.type = &as_told;
	script = results;
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	forget_trace(w);
	forget_notices(w);
	message(w, "switch_group 2");
	return w;
}

/* The array is busy with itself: the group is bypassed, nobody has failed, the other goes on. */
static void a_group_is_bypassed(void)
{
	static const enum hw_result results[] = {HW_BYPASS_PG, HW_DONE};
	struct world *w = switch_as_told(FAIL TWO_GROUPS_ALUA, results);
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 10);
	expect_good(w, io);
	expect_notice(w, "the array is busy, bypassing priority group 2");
	expect_info(w, "2 0 1 0 2 1 A 0 1 0 8:0 A 0 D 0 1 0 8:16 A 0 ");
	w->m->hw.type = alua;
	world_end(w);
}

/* One path is to be asked again, the other one says that the array is busy: the group is left, and
 * nothing is left of its activation when no command waits. */
static void a_group_is_bypassed_that_was_to_be_asked_again(void)
{
	static const enum hw_result results[] = {HW_RETRY, HW_BYPASS_PG, HW_DONE};
	struct world *w = switch_as_told("2 pg_init_retries 3 1 alua 2 1 round-robin 0 1 1 8:0 1 "
					 "round-robin 0 2 1 8:16 1 8:32 1",
					 results);
	struct sim_io *io = submit_read(w, 0, 1);

	abort_task(w, io);
	advance(w, 100);
	expect_info(w, "2 0 1 0 2 1 E 0 1 0 8:0 A 0 D 0 2 0 8:16 A 0 8:32 A 0 ");
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	w->m->hw.type = alua;
	world_end(w);
}

static void a_path_that_the_handler_does_not_know(void)
{
	static const enum hw_result results[] = {HW_NOSYS, HW_DONE};
	struct world *w = switch_as_told(FAIL TWO_GROUPS_ALUA, results);
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 10);
	expect_good(w, io);
	expect_notice(w, "8:16: failed (activation: not an array that the hardware handler knows)");
	w->m->hw.type = alua;
	world_end(w);
}

/* Each time "once more": pg_init_retries times, then the path has failed. */
static void retries_are_counted(void)
{
	static const enum hw_result results[] = {HW_RETRY, HW_RETRY, HW_RETRY, HW_DONE};
	struct world *w = switch_as_told("4 pg_init_retries 2 pg_init_delay_msecs 0 1 alua 2 1 "
					 "round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1",
					 results);
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 10);
	expect_good(w, io);
	expect_notice(w, "8:16: failed (activation: tried pg_init_retries times)");
	expect(w, script == results + 4);
	w->m->hw.type = alua;
	world_end(w);
}

static void retries_with_the_pause_of_the_table(void)
{
	static const enum hw_result results[] = {HW_RETRY, HW_RETRY, HW_DONE};
	struct world *w = switch_as_told("4 pg_init_retries 2 pg_init_delay_msecs 300 1 alua 2 1 "
					 "round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1",
					 results);
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 600);
	expect_pending(w, io);
	expect(w, script == results + 2);
	advance(w, 100);
	expect_good(w, io);
	w->m->hw.type = alua;
	world_end(w);
}

/* The handler may know by itself that it is of no use now. */
static void retries_without_a_question(void)
{
	static const enum hw_result results[] = {HW_RETRY, HW_RETRY, HW_DONE};
	struct world *w = switch_as_told("4 pg_init_retries 2 pg_init_delay_msecs 300 1 alua 2 1 "
					 "round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1",
					 results);
	struct sim_io *io;

	says_so_at_once = true;
	io = submit_read(w, 0, 1);
	advance(w, 599);
	expect_pending(w, io);
	expect(w, script == results + 2);
	advance(w, 10);
	expect_good(w, io);
	says_so_at_once = false;
	w->m->hw.type = alua;
	world_end(w);
}

int main(void)
{
	STORY(the_first_group_is_asked_before_it_is_used);
	STORY(the_other_group_takes_over);
	STORY(commands_that_wait_for_activation);
	STORY(no_retries);
	STORY(retries_with_a_pause);
	STORY(the_default_pause);
	STORY(no_group_can_be_activated);
	STORY(no_group_can_be_activated_and_nobody_waits);
	STORY(a_path_fails_while_it_is_activated);
	STORY(an_activation_that_hangs);
	STORY(the_host_is_short_during_an_activation);
	STORY(the_host_is_short_behind_an_activation);
	STORY(the_host_stays_short_during_an_activation);
	STORY(nobody_waits_for_a_host_that_is_short);
	STORY(a_path_vanishes_while_it_is_activated);
	STORY(stop_during_activation);
	STORY(another_table_without_a_handler);
	STORY(suspend_during_activation);
	STORY(a_path_comes_back_to_the_current_group);
	STORY(the_only_path_comes_back);
	STORY(switch_group_during_activation);
	STORY(another_table_during_activation);
	STORY(a_disabled_group_is_activated_after_a_pause);
	STORY(a_group_is_disabled_during_an_activation);
	STORY(a_pause_ends_with_its_round);
	STORY(a_path_in_doubt_is_not_activated);
	STORY(a_retry_does_not_go_back_to_a_group_that_was_left);
	STORY(a_poison_command_moves_a_group_once);
	STORY(a_group_is_bypassed);
	STORY(a_group_is_bypassed_that_was_to_be_asked_again);
	STORY(a_path_that_the_handler_does_not_know);
	STORY(retries_are_counted);
	STORY(retries_with_the_pause_of_the_table);
	STORY(retries_without_a_question);
	return end_of_stories();
}
