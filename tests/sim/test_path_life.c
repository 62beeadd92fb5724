/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A path's life: opened, looked at, used, lost, looked at again, back.
 */
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

/* A new map: each path is opened, asked whether it is ready and who it is, and only then used. */
static void a_new_map_looks_at_its_paths_first(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_trace(w, "[0] io 28: waits for a path in doubt\n"
			"[1] path 8:0: open\n"
			"[1] path 8:16: open\n"
			"[8] path 8:0: reinstated, 1 usable\n"
			"[8] group 1: now current\n"
			"[8] io 28: start on 8:0\n"
			"[8] path 8:16: reinstated, 2 usable\n"
			"[8] restart: no command of a former process is left, writes may go\n"
			"[9] io 28: good\n");
	expect_good(w, io);
	expect_notice(w, "8:0: usable, 1 of 2 usable");
	expect_notice(w, "8:16: usable, 2 of 2 usable");
	expect_notice(w, "the LUN is 36000d310000000000000000000000001, 2048 blocks of 512 bytes");
	expect(w, w->nr_lun_changes == 1);
	world_end(w);
}

/* Commands take turns over a group's paths. */
static void round_robin_takes_turns(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	submit_read(w, 0, 1);
	submit_write(w, 0, 1);
	submit_read(w, 0, 1);
	submit_tur(w);
	advance(w, 1);
	expect_trace(w, "[100] group 1: now current\n"
			"[100] io 28: start on 8:0\n"
			"[100] io 2a: start on 8:16\n"
			"[100] io 28: start on 8:0\n"
			"[100] io 00: start on 8:16\n"
			"[101] io 28: good\n"
			"[101] io 2a: good\n"
			"[101] io 28: good\n"
			"[101] io 00: good\n");
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* A read is lost with its path: it is sent down the other one, and the initiator sees nothing. */
static void a_lost_path_is_left_and_comes_back(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	advance(w, 60000);
	forget_trace(w);
	forget_notices(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_read(w, 0, 1);
	advance(w, 500);
	expect_good(w, io);
	expect_trace(w, "[60100] group 1: now current\n"
			"[60100] io 28: start on 8:0\n"
			"[60101] io 28: transport lost on 8:0\n"
			"[60101] path 8:0: failed (transport lost), 1 left\n"
			"[60101] io 28: start on 8:16\n"
			"[60102] io 28: good\n");
	expect_notice(w, "8:0: failed (transport lost), 1 of 2 usable");
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	expect_detail(w, "sda 8:0: failed: transport lost");

	/* It is asked every second, and comes back after TUR and identity; the count stays. */
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 600);
	expect_trace(w, "[61108] path 8:0: reinstated, 2 usable\n");
	expect_notice(w, "8:0: reinstated, 2 of 2 usable");
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 0 ");

	/* As in dm, the one that came back is next. */
	submit_read(w, 0, 1);
	expect_trace(w, "[61200] io 28: start on 8:0\n");
	world_end(w);
}

/* A path that fails seconds after the map was made is news like any other. */
static void the_first_failure_is_told_at_once(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect_notice(w, "8:0: failed (transport lost), 1 of 2 usable");
	world_end(w);
}

/* Without any command the checker notices within its interval of 5 s that a path is down. */
static void an_idle_path_is_found_down(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 5001);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 F 1 ");
	world_end(w);
}

/*
 * Good paths are asked every 5 s, spread over its full seconds, at which all maps wake up; failed
 * ones every second.
 */
static void checks_keep_their_intervals(void)
{
	struct world *w = world_new(FAIL SIXTEEN_PATHS);
	unsigned int i, before[16], most_at_once = 0, ms;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 9900);
	for (i = 0; i < 16; i++)
		before[i] = w->paths[i].nr_probes;
	for (ms = 0; ms < 50000; ms += 10) {
		unsigned int sum = 0, was = 0;

		for (i = 1; i < 16; i++)
			was += w->paths[i].nr_probes;
		advance(w, 10);
		for (i = 1; i < 16; i++)
			sum += w->paths[i].nr_probes;
		if (sum - was > most_at_once)
			most_at_once = sum - was;
		expect(w, sum == was || w->now_ns % NSEC_PER_SEC < 20 * NSEC_PER_MSEC);
	}
	expect(w, w->paths[0].nr_probes - before[0] >= 48);
	expect(w, w->paths[0].nr_probes - before[0] <= 52);
	for (i = 1; i < 16; i++)
		expect(w, w->paths[i].nr_probes - before[i] == 10);
	expect(w, most_at_once <= 4);
	world_end(w);
}

/* A device that is not there yet is excluded with the reason, and picked up when it comes. */
static void a_path_that_comes_later_is_picked_up(void)
{
	struct world *w = world_new(FAIL "0 1 1 round-robin 0 2 1 8:0 1 /dev/disk/by-id/x 1");
	struct sim_path *p = &w->paths[1];

	p->refused = "no such device";
	world_up(w);
	expect_notice(w, "/dev/disk/by-id/x: not used: no such device");
	expect_detail(w, "/dev/disk/by-id/x: excluded: no such device");
	expect_table(w, "0 0 1 1 round-robin 0 2 1 8:0 1 /dev/disk/by-id/x 1 ");

	forget_notices(w);
	advance(w, 60000);
	expect_no_notice(w, "not used"); /* told once for each new reason */
	p->refused = "held by md0";
	advance(w, 1500);
	expect_notice(w, "/dev/disk/by-id/x: not used: held by md0");
	p->refused = NULL;
	advance(w, 1500);
	expect_notice(w, "8:16: ");
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	expect_table(w, "0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1 ");
	world_end(w);
}

/* A device that vanishes is closed, and opened anew under its name when it is there again. */
static void a_vanished_device_is_closed_and_opened_anew(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *io;

	world_up(w);
	set_mode(p, MODE_GONE);
	io = submit_caw(w, 1, 0); /* never sent, so it may go elsewhere whatever it is */
	advance(w, 3000);
	expect_good(w, io);
	expect(w, !p->is_open && p->nr_closes == 1);
	expect_detail(w, "no such device");
	set_mode(p, MODE_UP);
	advance(w, 1500);
	expect(w, p->is_open && p->nr_opens == 2);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* Its link is closed after the last write that is out there, which may still be answered GOOD. */
static void a_vanished_device_is_closed_after_its_last_answer(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *slow;

	world_up(w);
	p->latency_ns = 4000 * NSEC_PER_MSEC;
	slow = submit_write(w, 0, 1);
	p->latency_ns = SIM_LATENCY;
	p->io_mode = MODE_GONE;
	p->io_left = 1;
	submit_read(w, 0, 1); /* on the other path */
	submit_read(w, 0, 1);
	advance(w, 3900);
	expect(w, p->is_open && p->nr_out == 1);
	advance(w, 200);
	expect_good(w, slow);
	expect(w, p->nr_closes == 1 && p->nr_opens == 2);
	world_end(w);
}

/* Whoever sees disks come and go says so: then no check is waited for. */
static void news_of_disks_hasten_the_checks(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	advance(w, 1000);
	set_mode(p, MODE_GONE);
	disks_changed(w);
	advance(w, 10);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 1 8:16 A 0 ");
	advance(w, 1500);
	expect(w, !p->is_open);
	set_mode(p, MODE_UP);
	disks_changed(w);
	advance(w, 20);
	expect(w, p->is_open);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* Behind a name that was reused there is another LUN: not a byte goes there (F42). */
static void a_reused_name_is_another_lun(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	set_mode(p, MODE_GONE);
	submit_read(w, 0, 1);
	advance(w, 3000);
	p->nexus.lun = &w->luns[1]; /* no unit attention: it is a new device */
	set_mode(p, MODE_UP);
	advance(w, 3000);
	expect_notice(w, "8:0: not used: WWID is 36000d310000000000000000000000002, "
			 "the map's is 36000d310000000000000000000000001");
	submit_write(w, 0, 1);
	submit_write(w, 0, 1);
	advance(w, 10);
	expect(w, w->luns[1].nr_writes == 0);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	world_end(w);
}

/* An offline device sends nothing: its commands go elsewhere, also those that may run only once. */
static void an_offline_device_sends_nothing(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	io = submit_caw(w, 1, 0);
	advance(w, 10);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2500);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* A path swallows commands: its probe is not answered in time, so it has failed, and its reads
 * are given up and read elsewhere.  A write has to wait for its own answer. */
static void a_hung_path_is_left(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *read, *write, *tur;
	unsigned int nr_probes;

	world_up(w);
	set_mode(p, MODE_HUNG);
	read = submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	write = submit_write(w, 1, 1);
	expect(w, read->last_path == p && write->last_path == p);
	forget_trace(w);

	/* interval and checker time-out are 5 s each */
	advance(w, 10100);
	expect_good(w, read);
	expect_pending(w, write);
	expect_trace(w, "[101] io 28: good\n"
			"[10000] path 8:0: the probe is not answered\n"
			"[10000] path 8:0: failed (checker: no answer), 1 left\n"
			"[10000] io 28: given up on 8:0\n"
			"[10001] io 28: start on 8:16\n"
			"[10002] io 28: good\n");
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");

	/* Nobody else notices anything. */
	tur = submit_tur(w);
	advance(w, 2);
	expect_good(w, tur);

	/* The probe may never be answered: it is asked with another one. */
	nr_probes = p->nr_probes;
	advance(w, 5000);
	expect(w, p->nr_probes >= nr_probes + 2);

	/* It comes back with the answer. */
	set_mode(p, MODE_UP);
	advance(w, 2500);
	expect_good(w, write);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* Both probes are out, and the whole machine stands still: their answers need not be there when it
 * goes on.  They get their time once more, and no path fails for nothing. */
static void a_machine_that_stood_still_waits_once_more(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *read;
	unsigned int i;

	world_up(w);
	for (i = 0; i < 2; i++)
		w->paths[i].latency_ns = 8000 * NSEC_PER_MSEC;
	advance(w, 4910);
	expect(w, w->paths[0].path->probing && w->paths[1].path->probing);
	forget_trace(w);
	stand_still(w, 6000);
	for (i = 0; i < 2; i++)
		w->paths[i].latency_ns = NSEC_PER_MSEC;
	read = submit_read(w, 0, 1);
	advance(w, 2);
	expect_good(w, read);
	expect_trace(w, "...\n"
			"[11010] path 8:0: the probe has its time once more\n"
			"[11010] path 8:16: the probe has its time once more\n"
			"[11011] io 28: good\n");
	advance(w, 2000);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");

	/* Once: who swallows commands is left, only later. */
	set_mode(&w->paths[0], MODE_HUNG);
	advance(w, 2000);
	expect(w, w->paths[0].path->probing);
	stand_still(w, 6000);
	advance(w, 4000);
	stand_still(w, 3000);
	forget_trace(w);
	advance(w, 1);
	expect_trace(w, "...\n"
			"[28012] path 8:0: failed (checker: no answer), 1 left\n");
	set_mode(&w->paths[0], MODE_UP);
	world_end(w);
}

/* Half of 16 paths hang: a command on a healthy path is answered as ever, and no path takes more
 * than its queue depth (issue 1, measure 7). */
static void half_of_sixteen_paths_hang(void)
{
	struct world *w = world_new(QUEUE SIXTEEN_PATHS);
	struct sim_io *io;
	unsigned int i, round;

	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].queue_depth = 4;
	world_up(w);
	for (i = 0; i < 16; i += 2)
		set_mode(&w->paths[i], MODE_HUNG);
	for (i = 0; i < 64; i++)
		submit_read(w, i, 1);
	advance(w, 5);

	for (round = 0; round < 100; round++) {
		io = submit_tur(w);
		advance(w, 150);
		if (io->last_path->mode == MODE_UP)
			expect_good(w, io);
	}
	advance(w, 10000);
	for (i = 0; i < w->nr_ios; i++)
		expect_good(w, &w->ios[i]);
	for (i = 1; i < 16; i += 2)
		expect(w, w->paths[i].path->fail_count == 0);
	world_end(w);
}

/* Standby and unavailable ports fail the path; TUR keeps it so until the port's state changes. */
static void a_port_in_standby_is_not_used(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_STANDBY);
	io = submit_caw(w, 0, 0); /* refused, so not executed */
	advance(w, 5000);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");

	set_mode(sim_path(w, "8:0"), MODE_UNAVAILABLE);
	advance(w, 5000);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1500);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

static struct sim_io *answered(struct world *w, struct sim_io *io)
{
	advance(w, 100);
	return io;
}

/* An initiator stops the LUN: it hears so, and START STOP UNIT still finds a path. */
static void a_stopped_lun_keeps_its_paths(void)
{
	const uint8_t start[6] = {0x1b, 0, 0, 0, 1};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *a, *b;

	world_up(w);
	a = sim_path(w, "8:0");
	b = sim_path(w, "8:16");
	set_mode(a, MODE_STOPPED);
	set_mode(b, MODE_STOPPED);
	advance(w, 20000);
	expect_sense(w, answered(w, submit_tur(w)), 0x02, 0x04, 0x02);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");

	/* A path lost meanwhile is not needed, until there is no other. */
	set_mode(a, MODE_LOST);
	advance(w, 6000);
	set_mode(a, MODE_STOPPED);
	advance(w, 3000);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	set_mode(b, MODE_LOST);
	advance(w, 8000);
	expect_good(w, answered(w, submit_cdb(w, start, sizeof(start), 0)));
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 F 1 ");
	set_mode(a, MODE_UP);
	set_mode(b, MODE_UP);
	advance(w, 3000);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 1 ");
	world_end(w);
}

/* A port group that changes its state: commands wait or go elsewhere, and no path has failed. */
static void a_transition_does_not_fail_the_path(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *one, *two;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_TRANSITIONING);
	one = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, one);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	expect_detail(w, "8:0: in doubt");

	set_mode(sim_path(w, "8:16"), MODE_TRANSITIONING);
	one = submit_write(w, 0, 1);
	two = submit_caw(w, 1, 0);
	advance(w, 30000);
	expect_pending(w, one);
	expect_pending(w, two);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 1100);
	expect_good(w, one);
	expect_good(w, two);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* Some never come to an end of it: after a minute the path has failed. */
static void a_transition_without_end_fails_the_path(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_TRANSITIONING);
	io = submit_read(w, 0, 1);
	advance(w, 59000);
	expect_pending(w, io);
	advance(w, 3000);
	expect_sense(w, io, 0x02, 0x04, 0x0a);
	expect_info(w, "2 0 0 0 1 1 A 0 1 0 8:0 F 1 ");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1500);
	expect_info(w, "2 0 0 0 1 1 A 0 1 0 8:0 A 1 ");
	world_end(w);
}

/*
 * The checker is told of it first, and that it is over; but the next command meets one more, which
 * has just begun.
 */
static void a_transition_that_the_checker_has_met_first(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_TRANSITIONING);
	advance(w, 6000);
	expect_detail(w, "8:0: in doubt");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	while (sim_path(w, "8:0")->path->suspect)
		advance(w, 1);
	answer_with_sense(sim_path(w, "8:0"), 0x02, 0x04, 0x0a, 1);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_pending(w, io);
	advance(w, 1100);
	expect_good(w, io);
	expect(w, sim_path(w, "8:0")->path->fail_count == 0);
	world_end(w);
}

/* A path that is in transition when the map is made is not used, and the status says why. */
static void a_map_is_made_during_a_transition(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	set_mode(sim_path(w, "8:0"), MODE_TRANSITIONING);
	world_up(w);
	expect(w, mpath_settled(w->m));
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 0 8:16 A 0 ");
	expect_detail(w, "asymmetric access state transition");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1500);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* One path's checks are slow; the other's go on meanwhile (F48). */
static void a_slow_check_changes_nothing(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int before;

	world_up(w);
	sim_path(w, "8:0")->latency_ns = 4 * NSEC_PER_SEC;
	before = sim_path(w, "8:16")->nr_probes;
	advance(w, 60000);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	expect(w, sim_path(w, "8:16")->nr_probes - before == 12);
	world_end(w);
}

/*
 * A busy array takes longer for each answer than a failed path is given at first: the path comes
 * back all the same, as one that was in use would have stayed.
 */
static void a_slow_path_comes_back(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 6000);
	expect(w, !sim_path(w, "8:0")->path->active);
	sim_path(w, "8:0")->latency_ns = 3 * NSEC_PER_SEC;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 60000);
	expect(w, sim_path(w, "8:0")->path->active);
	world_end(w);
}

/* TUR is good, but reads fail: the path comes and goes, and other paths do the work (F45). */
static void a_path_that_answers_only_tur(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	unsigned int i;

	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 0);
	for (i = 0; i < 600; i++) {
		struct sim_io *io = submit_read(w, 0, 1);

		advance(w, 100);
		expect_good(w, io);
	}
	expect(w, sim_path(w, "8:0")->path->fail_count >= 30);
	expect(w, sim_path(w, "8:0")->path->fail_count <= 62);
	expect(w, sim_path(w, "8:16")->path->fail_count == 0);
	/* D13: a flapping path is told at most once in 10 s, with a count */
	expect(w, count_notices(w, "8:0: failed") <= 8);
	expect(w, count_notices(w, "8:0: failed") >= 5);
	expect_notice(w, "changes in the last 10 s not logged");
	world_end(w);
}

/* The last thing that the log says of a path is how it is, also after it has flapped. */
static void the_log_ends_with_the_truth(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	advance(w, 20000);
	set_mode(p, MODE_LOST);
	advance(w, 6000);
	set_mode(p, MODE_UP);
	advance(w, 2000);
	forget_notices(w);
	set_mode(p, MODE_LOST);
	advance(w, 30000);
	expect(w, count_notices(w, "8:0: failed") == 1);
	world_end(w);
}

/* The array says that its LUNs have changed: that does not make a path good which is not. */
static void who_is_asked_for_its_name_is_checked_first(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	set_mode(p, MODE_LOST);
	advance(w, 6000);
	set_mode(p, MODE_STOPPED);
	advance(w, 3000);
	expect(w, path_state(p->path) == PATH_FAILED);
	kernel_hears(p, HEARD_IDENTITY);
	advance(w, 100);
	expect(w, path_state(p->path) == PATH_FAILED);
	message(w, "probe_path 8:0");
	advance(w, 100);
	expect(w, path_state(p->path) == PATH_FAILED);
	set_mode(p, MODE_UP);
	message(w, "probe_path 8:0");
	advance(w, 100);
	expect(w, path_state(p->path) == PATH_ACTIVE);
	world_end(w);
}

/* A path that is out by message may be somebody else's by now: it is let go, and so it says. */
static void a_path_out_by_message_becomes_anothers(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	message(w, "fail_path 8:0");
	p->nexus.lun = &w->luns[1];
	kernel_hears(p, HEARD_IDENTITY);
	advance(w, 2000);
	expect_notice(w, "8:0: not used: ");
	expect(w, p->path->link == LINK_CLOSED);
	expect(w, path_state(p->path) == PATH_FAILED_BY_MESSAGE);
	world_end(w);
}

/* A device that comes and goes by name flaps too: it must not fill the log either. */
static void a_flapping_device_does_not_fill_the_log(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	world_up(w);
	forget_notices(w);
	for (i = 0; i < 30; i++) {
		set_mode(sim_path(w, "8:0"), MODE_GONE);
		submit_read(w, 0, 1);
		submit_read(w, 0, 1);
		advance(w, 1500);
		set_mode(sim_path(w, "8:0"), MODE_UP);
		advance(w, 1500);
	}
	expect(w, sim_path(w, "8:0")->path->fail_count >= 25);
	expect(w, count_notices(w, "8:0: ") <= 30);
	world_end(w);
}

/* The only path flaps: the log says so, but not each time. */
static void a_flapping_only_path_does_not_fill_the_log(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	unsigned int i;

	world_up(w);
	forget_notices(w);
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 0);
	for (i = 0; i < 90; i++) {
		submit_read(w, 0, 1);
		advance(w, 1000);
	}
	expect(w, sim_path(w, "8:0")->path->fail_count >= 40);
	expect_notice(w, "no usable path is left: commands are queued (queue_if_no_path)");
	expect(w, count_notices(w, "mpatha: ") + count_notices(w, "8:0: ") <= 40);
	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	world_end(w);
}

/* sdX and maj:min are warned of: they may be another disk's after a reboot. */
static void unstable_names_are_warned_of(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	sim_path(w, "8:0")->unstable_name = true;
	sim_path(w, "8:16")->read_only = true;
	world_up(w);
	expect_detail(w, "read-only");
	expect_notice(w, "8:0 may name another disk after a reboot: use /dev/disk/by-path");
	expect_no_notice(w, "8:16 may");
	world_end(w);
}

/* Without a checker nobody asks good paths; a failed one must still prove who it is. */
static void without_a_checker(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int before;
	struct sim_io *io;

	w->settings.checker = NULL;
	world_up(w);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	before = sim_path(w, "8:0")->nr_probes;
	advance(w, 60000);
	expect(w, sim_path(w, "8:0")->nr_probes == before);

	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_read(w, 0, 1);
	advance(w, 3000);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1500);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* A message fails a path of such a map before it was ever looked at: nobody waits for it. */
static void without_a_checker_failed_before_it_was_seen(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	w->settings.checker = NULL;
	world_start(w);
	expect(w, message(w, "fail_path 8:0") == 0);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect(w, mpath_settled(w->m));
	expect_answer(w, io, SAM_CHECK_CONDITION);
	expect(w, message(w, "reinstate_path 8:0") == 0);
	advance(w, 100);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	world_end(w);
}

/* The worker that opens the table's first path hangs.  Others that were opened do not wait for
 * ever, if it is known which LUN this map is. */
static void an_open_that_hangs(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	snprintf(w->settings.wwid, sizeof(w->settings.wwid), "%s", w->luns[0].wwid);
	sim_path(w, "8:0")->open_hangs = true;
	world_up(w);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect(w, !mpath_settled(w->m));
	sim_path(w, "8:0")->open_hangs = false;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 100);
	expect(w, mpath_settled(w->m));
	world_end(w);
}

/* The same, and it is not known which LUN this map is: the table's first path would decide, but
 * not if it cannot be looked at for 5 s. */
static void an_open_that_hangs_at_first_use(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	sim_path(w, "8:0")->open_hangs = true;
	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 4000);
	expect_pending(w, io);
	advance(w, 2000);
	expect_good(w, io);
	world_end(w);
}

static void reads_go_on(struct world *w, struct sim_io **ios, unsigned int nr, uint64_t ms)
{
	uint64_t until = w->now_ns + ms * NSEC_PER_MSEC;

	while (w->now_ns < until) {
		advance(w, 1);
		for (unsigned int i = 0; i < nr; i++)
			if (ios[i]->state == SIM_IO_ANSWERED)
				submit_again(w, ios[i]);
	}
}

/*
 * Its checker's small question gets through, and nothing else: the path is up, and in doubt, and
 * up. That is a pause for it each time, as commands have to go twice; until one is good.
 */
static void a_path_that_carries_nothing_but_questions(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_path *bad = sim_path(w, "8:0");
	struct sim_io *ios[4];
	unsigned int probes;

	world_up(w);
	for (unsigned int i = 0; i < 4; i++)
		ios[i] = submit_read(w, i, 1);
	reads_go_on(w, ios, 4, 1000);
	set_io_mode(bad, MODE_FAULT, 0);
	probes = bad->nr_probes;
	reads_go_on(w, ios, 4, 10000);
	expect(w, bad->nr_probes - probes >= 8 && bad->nr_probes - probes <= 14);
	expect(w, bad->path->stats.counters.errors[IO_ERROR_FAULT] <= 4 * 12);
	set_io_mode(bad, MODE_UP, 0);
	reads_go_on(w, ios, 4, 2000);
	expect(w, bad->path->active && !bad->path->suspect);

	/* Once more, and that is news: its question is asked at once. */
	set_io_mode(bad, MODE_FAULT, 1);
	reads_go_on(w, ios, 4, 20);
	expect(w, bad->path->active && !bad->path->suspect);
	world_end(w);
}

/*
 * It has a pause, as the other one serves; but when that fails nobody is left who does, and
 * commands wait for it.
 */
static void a_pause_ends_when_commands_wait(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_path *bad = sim_path(w, "8:0");
	struct sim_io *ios[4], *io;

	w->settings.recheck_interval_ms = 30 * 1000;
	world_up(w);
	for (unsigned int i = 0; i < 4; i++)
		ios[i] = submit_read(w, i, 1);
	set_io_mode(bad, MODE_FAULT, 0);
	reads_go_on(w, ios, 4, 1000);
	expect(w, bad->path->suspect);
	set_io_mode(bad, MODE_UP, 0);
	advance(w, 10);
	expect(w, bad->path->suspect);

	set_mode(sim_path(w, "8:16"), MODE_LOST);
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	expect(w, io->last_path == bad);
	world_end(w);
}

int main(void)
{
	STORY(a_path_that_carries_nothing_but_questions);
	STORY(a_pause_ends_when_commands_wait);
	STORY(a_new_map_looks_at_its_paths_first);
	STORY(round_robin_takes_turns);
	STORY(a_lost_path_is_left_and_comes_back);
	STORY(the_first_failure_is_told_at_once);
	STORY(an_idle_path_is_found_down);
	STORY(checks_keep_their_intervals);
	STORY(a_path_that_comes_later_is_picked_up);
	STORY(a_vanished_device_is_closed_and_opened_anew);
	STORY(a_vanished_device_is_closed_after_its_last_answer);
	STORY(news_of_disks_hasten_the_checks);
	STORY(a_reused_name_is_another_lun);
	STORY(an_offline_device_sends_nothing);
	STORY(a_hung_path_is_left);
	STORY(a_machine_that_stood_still_waits_once_more);
	STORY(half_of_sixteen_paths_hang);
	STORY(a_port_in_standby_is_not_used);
	STORY(a_stopped_lun_keeps_its_paths);
	STORY(a_transition_does_not_fail_the_path);
	STORY(a_transition_without_end_fails_the_path);
	STORY(a_transition_that_the_checker_has_met_first);
	STORY(a_map_is_made_during_a_transition);
	STORY(a_slow_check_changes_nothing);
	STORY(a_slow_path_comes_back);
	STORY(a_path_that_answers_only_tur);
	STORY(the_log_ends_with_the_truth);
	STORY(who_is_asked_for_its_name_is_checked_first);
	STORY(a_path_out_by_message_becomes_anothers);
	STORY(a_flapping_device_does_not_fill_the_log);
	STORY(a_flapping_only_path_does_not_fill_the_log);
	STORY(unstable_names_are_warned_of);
	STORY(without_a_checker);
	STORY(without_a_checker_failed_before_it_was_seen);
	STORY(an_open_that_hangs);
	STORY(an_open_that_hangs_at_first_use);
	return end_of_stories();
}
