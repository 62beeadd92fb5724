/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a crash: commands of the dead process may still be on their way to the disk, so writes
 * wait for them (DESIGN D9 Restart, hazards.md H1, H3).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

/* Both paths carry commands of the dead process: reads go at once, writes and commands that may
 * run only once wait on every path, until the last foreign command is gone. */
static void writes_wait_for_foreign_commands(void)
{
	struct world *w = world_new(QUEUE TWO_BY_TWO);
	struct sim_io *read, *write, *caw, *sync;

	sim_path(w, "8:0")->foreign = 2;
	sim_path(w, "8:48")->foreign = 1;
	world_up(w);
	expect_notice(w, "8:0: 2 commands of a former process are still out: writes wait for them");
	read = submit_read(w, 0, 1);
	write = submit_write(w, 0, 1);
	caw = submit_caw(w, 1, 0);
	sync = submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
	advance(w, 5);
	expect_good(w, read);
	expect_good(w, sync);
	expect_pending(w, write);
	expect_pending(w, caw);
	expect_detail(w, "2 writes wait for commands of a former process");
	expect_detail(w, "has commands of a former process");

	/* The old write lands, and only then the new one goes. */
	advance(w, 6000);
	expect_pending(w, write);
	oracle_foreign_write(w, 0, 4711);
	sim_path(w, "8:0")->foreign = 0;
	advance(w, 500);
	expect_pending(w, write);
	sim_path(w, "8:48")->foreign = 0;
	advance(w, 500);
	expect_good(w, write);
	expect_good(w, caw);
	read = submit_read(w, 0, 1);
	advance(w, 5);
	expect_good(w, read);
	expect(w, sim_stamp(read->buf, 0) == write->stamp);
	world_end(w);
}

/* While the counters are read a probe is sent: whatever they say, they are read once more. */
static void a_probe_is_sent_during_the_count(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *write;

	p->foreign = 1;
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	p->foreign = 0;
	while (!p->path->counting)
		advance_us(w, 100);
	p->latency_ns = 10 * NSEC_PER_MSEC;
	message(w, "probe_path 8:0");
	expect(w, p->path->probing != PROBE_NONE);
	while (p->path->counting)
		advance_us(w, 100);
	expect(w, p->path->probing != PROBE_NONE && p->path->foreign);
	expect_pending(w, write);
	advance(w, 500);
	expect_good(w, write);
	world_end(w);
}

/* No foreign command on any path: writes wait for nothing but the first look. */
static void nothing_foreign_nothing_waits(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	world_start(w);
	write = submit_write(w, 0, 1);
	expect_pending(w, write);
	advance(w, 12);
	expect_good(w, write);
	world_end(w);
}

/* Ours are counted, too: with reads all the time the end is still noticed, soon. */
static void the_end_is_noticed_under_load(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;
	unsigned int i;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	write = submit_write(w, 0, 1);
	for (i = 0; i < 3000; i++) {
		submit_read(w, i % 64, 1);
		if (i == 1000)
			sim_path(w, "8:0")->foreign = 0;
		advance(w, 1);
		expect(w, i > 1000 || write->state == SIM_IO_OUT);
	}
	expect_good(w, write);
	world_end(w);
}

/* Counters that become equal only after the commands' time-out are no proof: newer kernels count
 * a command as done before its abort has ended.  Then the time decides. */
static void equal_counters_after_the_timeout_are_no_proof(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 20500); /* path_timeout is 20 s */
	sim_path(w, "8:0")->hidden = 1;
	advance(w, 29000);
	expect_pending(w, write);
	advance(w, 500); /* restart_wait is 50 s */
	expect_good(w, write);
	world_end(w);
}

/* A dead process's write to block 0: it lands after 30 s, or is counted for @counted_ms only. */
static void leave_write(struct world *w, uint64_t counted_ms)
{
	sim_late_foreign(sim_path(w, "8:0"), 0, 4711, w->now_ns + 30000 * NSEC_PER_MSEC,
			 w->now_ns + counted_ms * NSEC_PER_MSEC);
}

/* For @ms; then @write goes. */
static void expect_held(struct world *w, const struct sim_io *write, uint64_t ms, uint64_t then_ms)
{
	advance(w, ms);
	expect_pending(w, write);
	advance(w, then_ms);
	expect_good(w, write);
}

/* For @ms, in which the dead process's write lands; then @write goes, and is what remains. */
static void expect_to_wait(struct world *w, const struct sim_io *write, uint64_t ms,
			   uint64_t then_ms)
{
	advance(w, ms);
	expect_pending(w, write);
	expect(w, w->counts.orphan_writes == 1);
	advance(w, then_ms);
	expect_good(w, write);
	expect(w, w->luns[0].stamps[0] == write->stamp);
}

/* The network is gone, so the kernel ends the old write, and counts it no more.  Then the network
 * is there again, and delivers it. */
static void an_old_write_that_the_kernel_has_lost(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	leave_write(w, 35000);
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 11000);
	sim_late_lose(sim_path(w, "8:0"));
	expect_to_wait(w, write, 38800, 200);
	world_end(w);
}

/* The time-out of the old write ends, and its count with it, but not the write. */
static void an_old_write_times_out(bool untold)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	w->timeouts_untold = untold;
	leave_write(w, 20000);
	world_up(w);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, 49800, 200);
	world_end(w);
}

static void an_old_write_that_has_timed_out(void)
{
	an_old_write_times_out(false);
	an_old_write_times_out(true);
}

/* The process before this one was killed at once: nobody knows how old the write is. */
static void an_old_write_times_out_early(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	leave_write(w, 20000);
	advance(w, 1000);
	world_up(w);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, 40000, 20000);
	world_end(w);
}

/* Killed again while it waits, and what it has waited for is not counted any more: the third
 * process knows of it all the same. */
static void killed_while_it_waits(void)
{
	static const enum fence_kind fences[] = {FENCE_TIME, FENCE_NONE};
	struct sim_io *write;
	struct world *w;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		w = world_new(QUEUE TWO_PATHS);
		w->settings.fence = fences[i];
		leave_write(w, 35000);
		world_up(w);
		sim_late_lose(sim_path(w, "8:0"));
		advance(w, 1000);
		kill_world(w, 0);
		advance(w, 500);
		restart_world(w);
		write = submit_write(w, 0, 1);
		expect_to_wait(w, write, 28500, 70000);
		world_end(w);
	}
}

/* What it has waited for has ended: the third process need not wait again. */
static void killed_after_it_has_waited(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	sim_path(w, "8:0")->foreign = 0;
	advance(w, 500);
	kill_world(w, 0);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_good(w, write);
	world_end(w);
}

/* Short answers of our own are no errors, here or in the kernel: they must not hide the other's. */
static void an_old_write_is_lost_beside_short_answers(void)
{
	static const struct scsi_result good = {.status = SAM_GOOD};
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;
	unsigned int i;

	leave_write(w, 35000);
	world_up(w);
	answer_with(sim_path(w, "8:0"), &good, 1);
	answer_with(sim_path(w, "8:16"), &good, 1);
	for (i = 0; i < 2; i++)
		submit_cdb(w, (const uint8_t[6]){0x1a, 0, 0x3f, 0, 24}, 6, 24);
	write = submit_write(w, 0, 1);
	advance(w, 11000);
	sim_late_lose(sim_path(w, "8:0"));
	advance(w, 23800); /* long after it has landed */
	expect_pending(w, write);
	advance(w, 60000);
	expect_good(w, write);
	world_end(w);
}

/* Errors of our own commands are no sign of that. */
static void errors_of_our_own(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *read, *write;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	answer_with_sense(sim_path(w, "8:0"), 0x03, 0x11, 0x00, 1);
	answer_with_sense(sim_path(w, "8:16"), 0x03, 0x11, 0x00, 1);
	read = submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, read, 0x03, 0x11, 0x00);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_pending(w, write);
	sim_path(w, "8:0")->foreign = 0;
	advance(w, 500);
	expect_good(w, write);
	world_end(w);
}

/* A command of our own was lost on the path: so may others be. */
static void the_foreign_path_is_lost_for_a_moment(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 100);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 3000);
	sim_path(w, "8:0")->foreign = 0;
	write = submit_write(w, 0, 1);
	expect_held(w, write, 46000, 1000);
	world_end(w);
}

/* The counters cannot be read: the time decides. */
static void counters_that_cannot_be_read(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	sim_path(w, "8:0")->uncountable = true;
	write = submit_write(w, 0, 1);
	expect_held(w, write, 49000, 1000);
	world_end(w);
}

/* They never end: time over, writes go. */
static void the_wait_has_an_end(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	w->settings.restart_wait_ms = 7000;
	w->settings.path_timeout_ms = 5000;
	sim_path(w, "8:16")->foreign = 5;
	world_up(w);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 6899, 2);
	expect_good(w, submit_inquiry(w));
	world_end(w);
}

/* A path that is found later shows foreign commands: writes wait again, on all paths. */
static void a_late_path_has_foreign_commands(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *before, *after;

	sim_path(w, "8:16")->refused = "no such device";
	sim_path(w, "8:16")->foreign = 1;
	world_up(w);
	before = submit_write(w, 0, 1);
	advance(w, 5);
	expect_good(w, before);
	sim_path(w, "8:16")->refused = NULL;
	advance(w, 3000);
	after = submit_write(w, 0, 1);
	advance(w, 3000);
	expect_pending(w, after);
	sim_path(w, "8:16")->foreign = 0;
	advance(w, 200);
	expect_good(w, after);
	world_end(w);
}

/* A path cannot be opened, or its open hangs: until it was looked at, nobody knows what is out on
 * it; then the time decides. */
static void a_path_that_cannot_be_looked_at(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:16")->open_hangs = true;
	sim_path(w, "8:16")->foreign = 1;
	world_start(w);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 49000, 1100);
	world_end(w);
}

/* A write that waits so has its deadline, and can be aborted. */
static void a_waiting_write_has_its_deadline(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *one, *two;

	set_cmd_time_out(w, 10);
	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	one = submit_write(w, 0, 1);
	two = submit_write(w, 0, 1);
	advance(w, 1000);
	abort_task(w, two);
	expect_answer(w, two, SAM_TASK_ABORTED);
	advance(w, 6999);
	expect_pending(w, one);
	advance(w, 2);
	expect_sense(w, one, 0x02, 0x08, 0x00);
	world_end(w);
}

/* The path with the foreign commands is lost, too: what the counters show when it is back proves
 * nothing, and the time decides. */
static void the_foreign_path_vanishes(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 3000);
	expect(w, !sim_path(w, "8:0")->is_open);
	write = submit_write(w, 0, 1);
	advance(w, 100);
	expect_pending(w, write);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 3000);
	expect_pending(w, write);
	sim_path(w, "8:0")->foreign = 0;
	expect_held(w, write, 43000, 1000);
	world_end(w);
}

/* Another LUN has foreign commands, its owner's: no business of ours. */
static void another_lun_has_commands_of_its_own(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:16")->nexus.lun = &w->luns[1];
	sim_path(w, "8:16")->foreign = 3;
	world_up(w);
	write = submit_write(w, 0, 1);
	sim_path(w, "8:16")->foreign = 0; /* for the oracle, which does not know better */
	advance(w, 100);
	expect_good(w, write);
	world_end(w);
}

/*
 * A path that was refused is looked at again, and its LUN has commands now, from its initiator;
 * were these waited for, writes would wait for themselves if it is our own LUN.
 */
static void commands_come_to_a_refused_path(struct world *w, const char *why)
{
	struct sim_io *write;

	world_up(w);
	expect_detail(w, why);
	sim_path(w, "8:16")->foreign = 3;
	advance(w, 6000);
	sim_path(w, "8:16")->foreign = 0; /* for the oracle, which does not know better */
	write = submit_write(w, 0, 1);
	advance(w, 100);
	expect_good(w, write);
	world_end(w);
}

static void another_lun_gets_commands_later(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	sim_path(w, "8:16")->nexus.lun = &w->luns[1];
	commands_come_to_a_refused_path(w, "WWID is 36000d310000000000000000000000002");
}

static void our_own_lun_gets_commands_later(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	sim_path(w, "8:16")->nexus.ours = true;
	commands_come_to_a_refused_path(w, "a LUN that tcmu-mpath itself exports");
}

/* Another LUN has taken the name of the path that had the dead process's commands: these were
 * meant for ours, and are out there still. */
static void the_foreign_path_becomes_another_lun(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 3000);
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	set_mode(sim_path(w, "8:0"), MODE_UP);
	write = submit_write(w, 0, 1);
	advance(w, 10000);
	expect_notice(w, "8:0: not used: WWID is");
	expect_pending(w, write);
	advance(w, 40000);
	expect_good(w, write);
	world_end(w);
}

/* Likewise when nobody had found out yet which LUN it was. */
static void the_foreign_path_becomes_another_lun_unseen(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	sim_path(w, "8:0")->mode = MODE_LOST;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	advance(w, 3000);
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	set_mode(sim_path(w, "8:0"), MODE_UP);
	write = submit_write(w, 0, 1);
	advance(w, 10000);
	expect_detail(w, "WWID is 36000d310000000000000000000000002");
	expect_pending(w, write);
	advance(w, 40000);
	expect_good(w, write);
	world_end(w);
}

/* --- what the kernel keeps back --- */

/* @hold keeps the process's write back on 8:0; the process dies, and the next one is there. */
static struct world *killed_while(void (*hold)(struct sim_path *path), enum fence_kind fence)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = fence;
	world_up(w);
	hold(sim_path(w, "8:0"));
	submit_write(w, 0, 1);
	expect(w, sim_path(w, "8:0")->nr_out == 1);
	kill_world(w, 0);
	restart_world(w);
	return w;
}

/*
 * The remote port of 8:0 is lost, so the kernel keeps a write back there.  The process dies, and
 * the next one waits for longer than the kernel could need for what it has sent.
 */
static struct world *killed_while_blocked(enum fence_kind fence)
{
	return killed_while(sim_block, fence);
}

static struct sim_io *write_waits_for_it(struct world *w)
{
	struct sim_io *read, *write;

	advance(w, 100);
	expect_notice(w, "8:0: the kernel keeps commands of a former process back: writes wait "
			 "until it lets them go, or gives them up, and then at most 70000 ms");
	write = submit_write(w, 0, 1);
	read = submit_read(w, 0, 1);
	advance(w, 5000);
	expect_good(w, read);
	advance(w, 94900);
	expect_pending(w, write);
	expect_detail(w, "the kernel keeps commands of a former process back: writes wait until");
	expect_detail(w, "has commands of a former process that the kernel keeps back");
	expect_no_notice(w, "cannot be asked");
	return write;
}

/* After 100 s the port is back, and the old write lands, before the newer one. */
static void it_lets_go_of_a_write(void)
{
	struct world *w = killed_while_blocked(FENCE_TIME);
	struct sim_io *write = write_waits_for_it(w);

	sim_unblock(sim_path(w, "8:0"));
	advance(w, 900);
	expect(w, w->counts.orphan_writes == 1);
	expect_pending(w, write); /* it may take a moment until it is seen */
	advance(w, 600);
	expect_good(w, write);
	expect(w, w->luns[0].stamps[0] == write->stamp);
	world_end(w);
}

/* A probe that was kept back with it, or behind it, is not answered in time: no proof. */
static void it_lets_go_while_a_probe_is_out(void)
{
	unsigned int ms;

	for (ms = 0; ms < 1000; ms += 50) {
		struct world *w = killed_while_blocked(FENCE_TIME);
		struct sim_io *write = write_waits_for_it(w);

		advance(w, ms);
		sim_unblock(sim_path(w, "8:0"));
		set_mode(sim_path(w, "8:0"), MODE_HUNG); /* it waits in the transport */
		advance(w, 300);
		set_mode(sim_path(w, "8:0"), MODE_UP);
		advance(w, 600);
		expect(w, w->counts.orphan_writes == 1);
		expect_pending(w, write);
		advance(w, 1500);
		expect_good(w, write);
		world_end(w);
	}
}

/* Something was ended with an error there, perhaps that write: then the time decides, from then. */
static void it_lets_go_and_there_is_an_error(void)
{
	struct world *w = killed_while_blocked(FENCE_TIME);
	struct sim_io *write = write_waits_for_it(w);

	sim_unblock(sim_path(w, "8:0"));
	sim_path(w, "8:0")->nr_errors++;
	advance(w, 69000);
	expect_pending(w, write);
	expect_detail(w, "the kernel has kept commands of a former process back: writes wait, "
			 "at most 1");
	advance(w, 1100);
	expect_good(w, write);
	world_end(w);
}

/* The kernel gives the port up, and what it has kept back. */
static void it_gives_the_disk_up(void)
{
	struct world *w = killed_while_blocked(FENCE_TIME);
	struct sim_io *write = write_waits_for_it(w);

	sim_block_ends(sim_path(w, "8:0"));
	expect_held(w, write, 69000, 1500);
	world_end(w);
}

/* Seen when the path is opened, or not before its commands hang. */
static void it_keeps_back_later(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	kill_world(w, 60000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 2000);
	sim_block(sim_path(w, "8:0"));
	submit_read(w, 0, 1);
	advance(w, 120000);
	expect_pending(w, write);
	sim_unblock(sim_path(w, "8:0"));
	expect_to_wait(w, write, 69000, 1200); /* that read was lost, and perhaps more */
	world_end(w);
}

/*
 * Our own reads hang there, too, from the first moment on, and without a checker nobody gives them
 * up: the path is never idle.  That it is blocked is seen all the same.
 */
static void it_keeps_reads_back_too(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *read, *write;

	w->settings.fence = FENCE_TIME;
	w->settings.checker = NULL;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	kill_world(w, 60000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	advance(w, 12);
	expect(w, sim_path(w, "8:0")->path->active);
	read = submit_read(w, 0, 1);
	sim_block(sim_path(w, "8:0"));
	write = submit_write(w, 0, 1);
	expect(w, read->sent);
	advance(w, 120000);
	expect_pending(w, read);
	expect_pending(w, write);
	expect_notice(w, "8:0: the kernel keeps commands of a former process back");
	sim_unblock(sim_path(w, "8:0"));
	advance(w, 1500);
	expect_good(w, read);
	expect_good(w, write);
	expect(w, w->luns[0].stamps[0] == write->stamp);
	world_end(w);
}

/* A slow write may be among it: that has all of its time when it is let go. */
static void it_keeps_a_slow_write_back(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	sim_block(sim_path(w, "8:0"));
	submit_cdb(w, (const uint8_t[10]){0x42, [8] = 24}, 10, 24);
	kill_world(w, 0);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 400000);
	expect_pending(w, write);
	expect_detail(w, "and then at most 1230000 ms");
	sim_unblock(sim_path(w, "8:0"));
	sim_path(w, "8:0")->nr_errors++;
	expect_held(w, write, 1229000, 1100);
	world_end(w);
}

/* Longer than any command needs by itself, and so is what the process before told of. */
static void it_keeps_a_write_of_half_an_hour_back(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	w->settings.path_timeout_ms = 1800000;
	world_up(w);
	sim_block(sim_path(w, "8:0"));
	submit_write(w, 0, 1);
	kill_world(w, 0);
	w->settings.path_timeout_ms = 20000;
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 400000);
	expect_pending(w, write);
	expect_detail(w, "and then at most 3630000 ms");
	sim_let_go(sim_path(w, "8:0"), 0, 1795000);
	sim_path(w, "8:0")->nr_errors++;
	advance(w, 3629000);
	expect_pending(w, write);
	expect(w, w->counts.orphan_writes == 1);
	advance(w, 1100);
	expect_good(w, write);
	world_end(w);
}

/* Killed again meanwhile, and when the next one looks nothing is kept back any more: it waits as
 * long as the one before would have.  What is left for it is seldom news. */
static void killed_while_it_keeps_back(void)
{
	struct world *w = killed_while_blocked(FENCE_TIME);
	struct sim_io *write = write_waits_for_it(w);

	expect(w, w->nr_fences_moved < 15);
	kill_world(w, 0);
	sim_unblock(sim_path(w, "8:0"));
	advance(w, 5); /* it lands, with an error */
	sim_late_drop_session(sim_path(w, "8:0"));
	advance(w, 1000);
	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 68000, 12000);
	world_end(w);
}

/*
 * Killed again meanwhile by one that had not used the disk, as something had been ended with an
 * error there: the third process fears what is kept back there as the second did, and that for as
 * long as the second would have.
 */
static void third_process_finds_it_kept_back(uint64_t ms, uint64_t then_waits_ms)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	sim_block(sim_path(w, "8:0"));
	submit_write(w, 0, 1);
	kill_world(w, 0);
	sim_path(w, "8:0")->nr_errors++;
	restart_world(w);
	advance(w, 20000);
	expect_notice(w, "8:0: the kernel keeps commands of a former process back");
	expect(w, !sim_path(w, "8:0")->path->used);
	kill_world(w, 0);
	advance(w, 1000);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, ms);
	expect_pending(w, write);
	sim_unblock(sim_path(w, "8:0"));
	expect_to_wait(w, write, then_waits_ms, 12000);
	expect(w, sim_path(w, "8:0")->path->used && !sim_path(w, "8:0")->path->feared);
	world_end(w);
}

static void a_third_process_finds_it_kept_back(void)
{
	third_process_finds_it_kept_back(200000, 900);
	third_process_finds_it_kept_back(10000, 58000);
}

/* The administrator takes the dead path away, where the write is kept back all the same. */
static void the_path_is_removed_while_it_keeps_back(void)
{
	struct world *w = killed_while_blocked(FENCE_TIME);
	struct sim_io *write;

	advance(w, 10000);
	expect(w, remove_path(w, "8:0") == 0);
	write = submit_write(w, 0, 1);
	advance(w, 100000);
	expect_pending(w, write);
	expect_detail(w, "leaving: sda 8:0");
	sim_unblock(sim_path(w, "8:0"));
	advance(w, 100);
	expect(w, w->nr_gone == 1);
	expect_to_wait(w, write, 69000, 1000);
	world_end(w);
}

/* And then the map is stopped, while it is counted or not: the link is closed. */
static void stopped_while_it_keeps_back(void)
{
	unsigned int ms;

	for (ms = 0; ms < 50; ms += 10) {
		struct world *w = killed_while_blocked(FENCE_TIME);

		advance(w, 10000);
		expect(w, remove_path(w, "8:0") == 0);
		advance(w, 10000 + ms);
		expect(w, w->nr_gone == 0);
		stop_world(w);
		advance(w, 100);
		expect(w, w->nr_gone == 1 && w->stopped);
		world_end(w);
	}
}

/* What is kept back is out there, and a new process writes once it has been let go, after @ms. */
static void expect_wait_for_kept_back(struct world *w, unsigned int ms)
{
	struct sim_io *write;

	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 200000);
	expect_pending(w, write);
	sim_unblock(sim_path(w, "8:0"));
	advance(w, ms);
	expect_good(w, write);
	expect(w, w->luns[0].stamps[0] == write->stamp);
	world_end(w);
}

/*
 * The second process is ended, in order, as its LUN seems to hang: what the first one has left is
 * out there still, and the third must know of it.
 */
static void ended_while_it_keeps_back(void)
{
	struct world *w = killed_while_blocked(FENCE_TIME);

	advance(w, 20000);
	expect(w, end_in_order(w, 100, 0));
	expect_wait_for_kept_back(w, 1600);
}

static void block_with_an_error(struct sim_path *p)
{
	sim_block(p);
	p->nr_errors++;
}

/*
 * Likewise, and the kernel has ended another command with an error: so the second process has not
 * taken the disk for found, nor come to use it, but fears it all the same.
 */
static void ended_where_it_was_never_used(void)
{
	struct world *w = killed_while(block_with_an_error, FENCE_TIME);

	advance(w, 20000);
	expect(w, sim_path(w, "8:0")->path->feared && !sim_path(w, "8:0")->path->used);
	expect(w, end_in_order(w, 100, 0));
	expect_wait_for_kept_back(w, 71000);
}

static uint64_t three_minutes(struct world *w)
{
	(void)w;
	return 180 * NSEC_PER_SEC;
}

/*
 * Or that takes longer than the wait, as a disk is slow to close, and systemd kills it: meanwhile
 * it has not seen whether something is kept back, so the time was over for nobody.
 */
static void ended_for_longer_than_it_would_wait(void)
{
	struct world *w = killed_while(block_with_an_error, FENCE_TIME);

	advance(w, 20000);
	w->work_ns = three_minutes;
	expect(w, !end_in_order(w, 150000, 0));
	w->work_ns = NULL;
	expect_wait_for_kept_back(w, 71000);
}

/* It was found to be gone, and is killed before it looks for the path again. */
static void killed_while_the_path_is_closed(void)
{
	struct world *w = killed_while_blocked(FENCE_TIME);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *write;

	advance(w, 20000);
	p->path->reopen = true;
	p->open_hangs = true;
	advance(w, 20000);
	expect(w, !p->is_open);
	mpath_remember(w->m, &w->saved); /* with the next tick */
	mpath_tell_errors(w->m, &w->tally);
	kill_world(w, 0);
	p->open_hangs = false;
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 200000);
	expect_pending(w, write);
	sim_unblock(p);
	advance(w, 1600);
	expect_good(w, write);
	world_end(w);
}

/* With fence=none as with dm: the wait has its end. */
static void nothing_is_kept_back_without_fence(void)
{
	struct world *w = killed_while_blocked(FENCE_NONE);
	struct sim_io *write = submit_write(w, 0, 1);

	expect_held(w, write, 49900, 200);
	world_end(w);
}

/* A dead process's write is out, and the port is lost in the moment in which we stand still. */
static struct world *port_is_lost_in_a_standstill(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	leave_write(w, 35000);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 10000);
	sim_block(sim_path(w, "8:0"));
	return w;
}

/*
 * Until the wait is over (a machine that was halted): it must be looked for what the kernel keeps
 * back before it ends.
 */
static void the_port_is_lost_while_we_stand_still(void)
{
	struct world *w = port_is_lost_in_a_standstill();
	struct sim_io *write = submit_write(w, 0, 1);

	stand_still(w, 61000);
	advance(w, 10000);
	expect_pending(w, write);
	expect_detail(w, "keeps commands of a former process back");
	sim_unblock(sim_path(w, "8:0"));
	expect_to_wait(w, write, 1000, 72000);
	world_end(w);
}

/* Seed 3762: we stand still as soon as we have begun, before a path was open. */
static void we_stand_still_from_the_beginning(void)
{
	struct world *w = killed_while_blocked(FENCE_TIME);
	struct sim_io *write = submit_write(w, 0, 1);

	stand_still(w, 71000);
	advance(w, 10000);
	expect_pending(w, write);
	expect_detail(w, "keeps commands of a former process back");
	world_end(w);
}

/* And it is back when we are: what was kept back is counted nowhere at this moment. */
static void the_port_is_back_when_we_are(void)
{
	struct world *w = port_is_lost_in_a_standstill();
	struct sim_io *write = submit_write(w, 0, 1);

	stand_still(w, 8000);
	sim_let_go(sim_path(w, "8:0"), 500, 0);
	advance(w, 900);
	expect_pending(w, write);
	world_end(w);
}

/*
 * Seed 80034221: we have seen it kept back, and look again a second later, when it was let go in
 * that moment.
 */
static void what_was_kept_back_is_let_go_unseen(void)
{
	struct world *w = port_is_lost_in_a_standstill();
	struct sim_io *write = submit_write(w, 0, 1);

	advance(w, 2000);
	expect_detail(w, "keeps commands of a former process back");
	stand_still(w, 1900);
	sim_let_go(sim_path(w, "8:0"), 500, 0);
	advance(w, 900);
	expect_pending(w, write);
	expect_to_wait(w, write, 0, 40000);
	world_end(w);
}

/* Not a disk that a former process used: what is kept back there is no write of ours. */
static void a_stranger_is_kept_back(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	sim_block(sim_path(w, "8:0"));
	world_up(w);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 68000, 2000);
	world_end(w);
}

/* --- what the driver refuses, and nobody says so --- */

/* A write waits for the driver on 8:0 (another LUN of the target has all that this one takes). */
static struct world *killed_while_refused(enum fence_kind fence)
{
	return killed_while(sim_refuse, fence);
}

/* As with what is kept back for a port, but it takes a moment until that is seen. */
static struct sim_io *write_waits_for_the_driver(struct world *w)
{
	struct sim_io *write = submit_write(w, 0, 1);
	struct sim_io *read = submit_read(w, 0, 1);

	advance(w, 5000);
	expect_good(w, read);
	expect_pending(w, write);
	expect_notice(w, "8:0: the kernel keeps commands of a former process back: writes wait "
			 "until it lets them go, or gives them up, and then at most 70000 ms");
	expect_no_notice(w, "8:0: 0 commands");
	advance(w, 195000);
	expect_pending(w, write);
	return write;
}

static void a_write_that_was_refused_waits(void)
{
	struct world *w = killed_while_refused(FENCE_TIME);
	struct sim_io *write = write_waits_for_the_driver(w);

	sim_unblock(sim_path(w, "8:0"));
	advance(w, 900);
	expect(w, w->counts.orphan_writes == 1);
	expect_pending(w, write);
	advance(w, 6000); /* until the path is asked the next time */
	expect_good(w, write);
	expect(w, w->luns[0].stamps[0] == write->stamp);
	world_end(w);
}

/* Seed 100144700: nobody asks a path that a message has failed, if there is no checker. */
static void refused_where_nobody_asks(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	w->settings.checker = NULL;
	world_up(w);
	sim_refuse(sim_path(w, "8:0"));
	submit_write(w, 0, 1);
	expect(w, sim_path(w, "8:0")->nr_out == 1);
	message(w, "fail_path 8:0");
	kill_world(w, 0);
	restart_world(w);
	write_waits_for_the_driver(w);
	expect(w, sim_path(w, "8:0")->path->failed_by_message);
	world_end(w);
}

/* We are short of something, and our question has not left: that is no answer. */
static void refused_and_we_are_busy(void)
{
	struct world *w = killed_while_refused(FENCE_TIME);
	struct sim_io *write;

	set_mode(sim_path(w, "8:0"), MODE_LOCAL_BUSY);
	advance(w, 100);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	write = write_waits_for_the_driver(w);
	sim_unblock(sim_path(w, "8:0"));
	expect_to_wait(w, write, 900, 6000);
	world_end(w);
}

/* Be it refused for so short a time that nobody sees it, or taken only after our question: one was
 * answered, and then nothing is out. */
static void refused_for_a_moment(void)
{
	unsigned int ms;

	for (ms = 0; ms < 2500; ms += 37) {
		struct world *w = killed_while_refused(FENCE_TIME);
		struct sim_io *write = submit_write(w, 0, 1);

		advance(w, ms);
		expect_pending(w, write);
		sim_let_go(sim_path(w, "8:0"), 30, 10000);
		advance(w, 80000);
		expect(w, w->counts.orphan_writes == 1);
		expect_good(w, write);
		expect(w, w->luns[0].stamps[0] == write->stamp);
		world_end(w);
	}
}

/* A former process had used the path, which is dead: there is nothing to be feared. */
static void the_path_is_dead(void)
{
	static const enum sim_mode modes[] = {MODE_LOST, MODE_NOT_SENT, MODE_FAULT};
	unsigned int i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct world *w = world_new(QUEUE TWO_GROUPS);
		struct sim_io *write;

		w->settings.fence = FENCE_TIME;
		world_up(w);
		kill_world(w, 0);
		set_mode(sim_path(w, "8:0"), modes[i]);
		restart_world(w);
		write = submit_write(w, 0, 1);
		advance(w, 300);
		expect_good(w, write);
		world_end(w);
	}
}

/* It is dead, but says so only after a while: meanwhile it may have refused something. */
static void the_path_dies_slowly(void)
{
	static const unsigned int at_ms[] = {600, 1100, 3200};
	unsigned int i;

	for (i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++) {
		struct world *w = killed_while_refused(FENCE_TIME);
		struct sim_io *write = submit_write(w, 0, 1);

		advance(w, at_ms[i]);
		sim_let_go(sim_path(w, "8:0"), 0, 10000);
		set_mode(sim_path(w, "8:0"), MODE_LOST);
		sim_late_lose(sim_path(w, "8:0"));
		advance(w, 67000);
		expect_pending(w, write);
		advance(w, 4000);
		expect_good(w, write);
		world_end(w);
	}
}

/* The driver has taken both the old write and our question, and then the path is lost: that it is
 * dead at once does not say that nothing was there. */
static void it_was_refused_and_the_path_dies_at_once(void)
{
	unsigned int ms;

	for (ms = 3; ms < 500; ms += 31) {
		struct world *w = killed_while_refused(FENCE_TIME);
		struct sim_io *write = submit_write(w, 0, 1);

		advance(w, ms);
		sim_let_go(sim_path(w, "8:0"), 0, 10000);
		set_mode(sim_path(w, "8:0"), MODE_LOST);
		sim_late_lose(sim_path(w, "8:0"));
		expect_to_wait(w, write, 67000, 4000);
		world_end(w);
	}
}

/* The driver has taken it before it was missed, and it times out when no process runs, which this
 * kernel does not count: the third process is told of it by the second. */
static void it_was_refused_and_they_die_again(void)
{
	struct world *w = killed_while_refused(FENCE_TIME);
	struct sim_io *write;

	w->timeouts_untold = true;
	advance(w, 100);
	sim_let_go(sim_path(w, "8:0"), 0, 10000);
	advance(w, 5000);
	kill_world(w, 0);
	advance(w, 16000);
	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, 40000, 20000);
	expect(w, w->counts.orphan_writes == 1);
	world_end(w);
}

/* The administrator takes the path away: then it cannot be asked any more. */
static void the_path_is_removed_while_it_refuses(void)
{
	struct world *w = killed_while_refused(FENCE_TIME);
	struct sim_io *write = submit_write(w, 0, 1);

	advance(w, 10000);
	expect(w, remove_path(w, "8:0") == 0);
	sim_let_go(sim_path(w, "8:0"), 0, 0);
	advance(w, 2000);
	expect(w, w->nr_gone == 1);
	expect_to_wait(w, write, 67000, 1200);
	world_end(w);
}

static void nothing_was_refused_without_fence(void)
{
	struct world *w = killed_while_refused(FENCE_NONE);
	struct sim_io *write = submit_write(w, 0, 1);

	expect_held(w, write, 49900, 200);
	world_end(w);
}

/* --- disks that cannot be asked --- */

/* A write is on 8:0 when the process dies, and lands when the next one has been there for 30 s. */
static struct world *killed_with_a_write(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	expect(w, sim_path(w, "8:0")->nr_out == 1);
	kill_world(w, 8000);
	sim_late_lose(sim_path(w, "8:0"));
	set_mode(sim_path(w, "8:0"), MODE_UP);
	return w;
}

/* Newer data waits for that: the kernel must have given it up, and then for its fence. */
static void newer_data_waits(struct world *w)
{
	struct sim_io *read, *write;

	restart_world(w);
	advance(w, 100);
	expect_notice(w, "mpatha: 1 disk that a former process used cannot be asked for its "
			 "writes: writes wait, at most 69");
	write = submit_write(w, 0, 1);
	read = submit_read(w, 0, 1);
	advance(w, 5000);
	expect_good(w, read);
	expect_pending(w, write);
	expect_detail(w, "1 disk that a former process used cannot be asked for its writes: "
			 "writes wait, at most 64");
	expect_to_wait(w, write, 64800, 200);
	world_end(w);
}

/* It was away while no process ran; what was out has ended with an error, which the disk counts. */
static void the_disk_is_back_at_the_first_look(void)
{
	struct world *w = killed_with_a_write();

	newer_data_waits(w);
}

/* Also if the next process dies while it waits, and the one after that. */
static void the_disk_is_back_and_they_die_again(void)
{
	struct world *w = killed_with_a_write();
	unsigned int i;

	for (i = 0; i < 3; i++) {
		restart_world(w);
		advance_us(w, i * 700);
		kill_world(w, 0);
	}
	newer_data_waits(w);
}

static struct world *killed_in_peace(struct world *w)
{
	struct sim_io *write = submit_write(w, 0, 1);

	advance(w, 100);
	expect_good(w, write);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 100);
	return w;
}

static void writes_go_at_once(struct world *w)
{
	struct sim_io *write = submit_write(w, 0, 1);

	expect_no_notice(w, "while no process ran");
	advance(w, 100);
	expect_good(w, write);
	world_end(w);
}

/* The dead process was told of these: initiators' commands, and its own. */
static void errors_that_were_told(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	unsigned int i;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	for (i = 0; i < 3; i++) {
		answer_with_sense(sim_path(w, "8:0"), 5, 0x24, 0, 1);
		submit_read(w, 0, 1);
		advance(w, 100);
	}
	push_ua(sim_path(w, "8:16"), 0x29, 0);
	advance(w, 10000);
	answer_with_sense(sim_path(w, "8:0"), 5, 0x24, 0, 1); /* and no check comes after it */
	submit_read(w, 0, 1);
	advance(w, 100);
	expect(w, sim_path(w, "8:0")->nr_errors >= 4);
	writes_go_at_once(killed_in_peace(w));
}

/* Errors of others; and commands that were lost, for which their fence is there. */
static void errors_before_the_last_check(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	sim_path(w, "8:0")->nr_errors += 3;
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 1);
	submit_read(w, 0, 1);
	advance(w, 2 * w->settings.polling_interval_ms);
	writes_go_at_once(killed_in_peace(w));
}

/* Likewise, but since then: it cannot be known what they were. */
static void errors_after_the_last_check(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	sim_path(w, "8:0")->nr_errors = 5; /* of long ago */
	world_up(w);
	sim_path(w, "8:0")->nr_errors++;
	killed_in_peace(w);
	expect_notice(w, ": 1 commands may have ended with an error while no process ran: they may "
			 "still land");
	write = submit_write(w, 0, 1);
	expect_held(w, write, 5000, 65000);

	advance(w, w->settings.polling_interval_ms); /* and is explained */
	forget_notices(w);
	writes_go_at_once(killed_in_peace(w));
}

/* The kernel gives one up after the path was opened: no count proves anything, and the log says it.
 */
static void an_error_after_the_first_look(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	kill_world(w, 0);
	restart_world(w);
	while (!sim_path(w, "8:0")->path->settled)
		advance_us(w, 100);
	sim_path(w, "8:0")->nr_errors++;
	write = submit_write(w, 0, 1);
	advance(w, 5000);
	expect_pending(w, write);
	expect_notice(w, "mpatha: writes wait for commands that a former process may have left, "
			 "at most ");
	advance(w, 65000);
	expect_good(w, write);
	world_end(w);
}

/* The count cannot be read (no file descriptors are left): nobody is told of a number. */
static void errors_that_cannot_be_counted(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	kill_world(w, 0);
	sim_path(w, "8:0")->nr_errors = ERRORS_UNKNOWN;
	restart_world(w);
	advance(w, 100);
	expect_notice(w, "8:0: commands may have ended with an error while no process ran, their "
			 "number is not known: they may still land");
	write = submit_write(w, 0, 1);
	expect_held(w, write, 5000, 65000);
	world_end(w);
}

/* And those of long before the path came: who is killed at once has been told of them. */
static void errors_of_long_ago(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	sim_path(w, "8:0")->mode = MODE_GONE;
	world_up(w);
	advance(w, 1000);
	sim_path(w, "8:0")->nr_errors = 5;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	while (!sim_path(w, "8:0")->path->active)
		advance(w, 10);
	writes_go_at_once(killed_in_peace(w));
}

/*
 * A path that is never idle is counted, too, at 5 s; believed when what was out then is answered,
 * at 10 s; and the errors from 8 s on are on top of that.
 */
static void errors_under_load(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;
	unsigned int i;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	sim_path(w, "8:0")->latency_ns = 2 * NSEC_PER_SEC;
	sim_path(w, "8:0")->nr_errors++;
	for (i = 0; i < 14; i++) {
		if (i == 8)
			answer_with_sense(sim_path(w, "8:0"), 5, 0x24, 0, 0);
		submit_read(w, 1, 1);
		advance(w, 1000);
	}
	kill_world(w, 0);
	restart_world(w);
	expect_no_notice(w, "while no process ran");
	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	sim_path(w, "8:0")->latency_ns = SIM_LATENCY;
	advance(w, 10000);
	write = submit_write(w, 0, 1);
	advance(w, 100);
	expect_good(w, write);
	world_end(w);
}

/* The kernel has ended a write, and counted that; the process dies before it reads the answer. */
static void an_error_that_was_counted_and_not_told(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_path *path = sim_path(w, "8:0");

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_io_mode(path, MODE_HUNG, 1);
	submit_write(w, 0, 1);
	path->nr_errors++;
	advance(w, 3 * w->settings.polling_interval_ms);
	kill_world(w, 8000);
	sim_late_lose(path);
	path->nr_errors--; /* it is counted already */
	set_io_mode(path, MODE_UP, 0);
	newer_data_waits(w);
}

static void the_disk_is_gone_at_the_first_look(void)
{
	struct world *w = killed_with_a_write();

	set_mode(sim_path(w, "8:0"), MODE_GONE);
	newer_data_waits(w);
}

/* Back again it shows no commands, which proves nothing by then. */
static void the_disk_is_offline_at_the_first_look(void)
{
	struct world *w = killed_with_a_write();
	struct sim_io *write;

	sim_path(w, "8:0")->refused = "No such device or address";
	restart_world(w);
	advance(w, 100);
	sim_path(w, "8:0")->refused = NULL;
	advance(w, 3000);
	expect(w, sim_path(w, "8:0")->is_open);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 66700, 400);
	world_end(w);
}

/* Likewise when it is back while another path is not looked at yet. */
static void the_disk_is_back_before_it_was_missed(void)
{
	struct world *w = killed_with_a_write();
	struct sim_io *write;

	sim_path(w, "8:0")->refused = "No such device or address";
	sim_path(w, "8:16")->open_latency_ns = 3000 * NSEC_PER_MSEC;
	restart_world(w);
	advance(w, 100);
	sim_path(w, "8:0")->refused = NULL;
	advance(w, 3900);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, 65900, 200);
	world_end(w);
}

/* A path that leaves the map is in use as long as its write is not answered. */
static void the_disk_was_about_to_leave(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	expect(w, remove_path(w, "8:0") == 0);
	advance(w, 1000);
	expect(w, message(w, "fail_if_no_path") == 0); /* which is saved with the rest */
	kill_world(w, 8000);
	sim_late_lose(sim_path(w, "8:0"));
	sim_path(w, "8:0")->not_in_table = true;
	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, 69900, 200);
	world_end(w);
}

/* A path hangs until the wait is over: then nothing is remembered of the former process. */
static void the_wait_ends_before_all_are_looked_at(void)
{
	struct world *w = killed_with_a_write();
	struct mpath_memory memory;

	set_mode(sim_path(w, "8:0"), MODE_GONE);
	sim_path(w, "8:16")->open_hangs = true;
	restart_world(w);
	advance(w, 69900);
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disks == 2 && w->nr_disks_left == 0);
	advance(w, 200);
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disks == 0 && w->nr_disks_left == 1);
	world_end(w);
}

/* Its open hangs for so long that the kernel may have ended the old commands meanwhile. */
static void the_disk_is_looked_at_late(void)
{
	struct world *w = killed_with_a_write();
	struct sim_io *write;

	sim_path(w, "8:0")->open_hangs = true;
	restart_world(w);
	advance(w, 20500);
	sim_path(w, "8:0")->open_hangs = false;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 500);
	expect(w, sim_path(w, "8:0")->path->active);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, 48900, 200);
	world_end(w);
}

/* Taken out of the file, and added again before the other path was looked at. */
static void the_disk_comes_in_by_message(void)
{
	struct world *w = killed_with_a_write();
	struct sim_io *write;

	sim_path(w, "8:0")->not_in_table = true;
	sim_path(w, "8:16")->open_latency_ns = 100 * NSEC_PER_MSEC;
	restart_world(w);
	advance(w, 10);
	expect(w, add_path(w, "8:0", 1) == 0);
	advance(w, 490);
	expect(w, sim_path(w, "8:0")->path->active);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, 69400, 200);
	world_end(w);
}

/*
 * The array shows another LUN behind the disk when the next process looks, and the kernel ends
 * after that what the dead process has sent there: it was meant for ours.
 */
static void the_disk_in_use_becomes_another_lun(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	kill_world(w, 8000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 100);
	expect_detail(w, "WWID is 36000d310000000000000000000000002");
	sim_late_lose(sim_path(w, "8:0"));
	expect_to_wait(w, write, 69700, 300);
	world_end(w);
}
/* The kernel has removed the disk, and found it again: the counters are new, too. */
static void another_disk_is_at_its_place(void)
{
	struct world *w = killed_with_a_write();

	sim_path(w, "8:0")->disk = 4711;
	newer_data_waits(w);
}

/* The administrator has taken the path out of the file. */
static void the_disk_is_not_in_the_table_any_more(void)
{
	struct world *w = killed_with_a_write();

	sim_path(w, "8:0")->not_in_table = true;
	newer_data_waits(w);
}

/* The file has other words for the same disks: each is found, and its counters tell. */
static void the_table_has_other_words_for_the_disks(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	world_up(w);
	kill_world(w, 0);
	free(w->table);
	w->table = strdup(QUEUE "0 2 1 round-robin 0 1 1 /dev/a 1 round-robin 0 1 1 /dev/b 1");
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 200);
	expect_good(w, write);
	expect_no_notice(w, "former process");
	world_end(w);
}

/* Nothing of a process was on a disk that it had left before, whatever becomes of that. */
static void disks_that_were_not_in_use(void)
{
	struct world *w = world_new(QUEUE "0 1 1 round-robin 0 4 1 8:0 1 8:16 1 8:32 1 8:48 1");
	struct sim_io *write;

	sim_path(w, "8:48")->nexus.lun = &w->luns[1];
	world_up(w);
	expect(w, remove_path(w, "8:16") == 0);
	set_mode(sim_path(w, "8:32"), MODE_GONE);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 6000);
	expect(w, w->nr_disks_left == 2);
	expect(w, message(w, "fail_if_no_path") == 0); /* which is saved with the rest */
	kill_world(w, 0);
	sim_path(w, "8:16")->not_in_table = true;
	sim_path(w, "8:48")->refused = "no such device";
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 200);
	expect_good(w, write);
	expect_no_notice(w, "former process");
	world_end(w);
}

/* It was stopped, not killed: what it had sent was answered. */
static void a_former_process_that_has_ended(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct mpath_memory memory;

	world_up(w);
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disks == 2);
	stop_world(w);
	advance(w, 100);
	expect(w, w->stopped && w->nr_disks_left == 2);
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disks == 0);
	world_end(w);
}

/* A disk is remembered before its first write can be lost, and not again and again. */
static void what_is_used_is_kept_at_once(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	expect(w, w->saved.nr_disks == 2 && w->nr_disks_used == 2);
	advance(w, 30000);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 30000);
	expect(w, w->nr_disks_used == 2 && w->nr_disks_left == 0);
	mpath_remember(w->m, &w->saved);
	expect(w, w->saved.nr_disks == 2);
	world_end(w);
}

/* Its write waits for @ms, until the old one has landed, and is good soon after.  Ends the world.
 */
static void third_process_waits(struct world *w, uint64_t ms)
{
	struct sim_io *write;

	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, ms, 2500);
	world_end(w);
}

/* Killed before it has looked at all paths, or while it waits: the third process waits as well. */
static void killed_before_the_disk_was_missed(void)
{
	static const unsigned int ms_after_start[] = {20, 1000};
	struct world *w;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		w = killed_with_a_write();
		set_mode(sim_path(w, "8:0"), MODE_GONE);
		sim_path(w, "8:0")->open_latency_ns = 100 * NSEC_PER_MSEC;
		restart_world(w);
		advance(w, ms_after_start[i]);
		expect(w, i == 1 || w->m->nr_unsettled);
		expect(w, message(w, "fail_if_no_path") == 0); /* which is saved with the rest */
		kill_world(w, 0);
		third_process_waits(w, 68900);
	}
}

/*
 * The second process has seen that a disk is away, is killed before it knows of all paths, and the
 * third finds the disk again, without commands: which proves nothing.
 */
static void the_disk_is_back_for_the_third_process(void)
{
	struct world *w = killed_with_a_write();

	sim_path(w, "8:0")->refused = "No such device or address";
	sim_path(w, "8:16")->open_latency_ns = 100 * NSEC_PER_MSEC;
	restart_world(w);
	advance(w, 20);
	expect(w, w->m->nr_unsettled == 1);
	kill_world(w, 0);
	sim_path(w, "8:0")->refused = NULL;
	third_process_waits(w, 68900);
}

/* Likewise when the second process has waited for the disk for a second, and not seen it. */
static void the_disk_hangs_for_the_second_process(void)
{
	struct world *w = killed_with_a_write();

	sim_path(w, "8:0")->open_hangs = true;
	restart_world(w);
	advance(w, 1100);
	expect(w, w->m->nr_unsettled == 1);
	kill_world(w, 0);
	sim_path(w, "8:0")->open_hangs = false;
	third_process_waits(w, 67800);
}

/*
 * A crash loop: each process finds the error that nobody was told of, and is killed after 10 s.
 * None of them has written, so what may land is the first one's, and that is over when the second
 * one's wait would have been.
 */
static void a_crash_loop_does_not_wait_for_ever(void)
{
	struct world *w = killed_with_a_write();
	unsigned int i;

	for (i = 0; i < 6; i++) {
		restart_world(w);
		advance(w, 10000);
		kill_world(w, 0);
	}
	third_process_waits(w, 9900);
}

/* Likewise when each of them leaves reads, which are seen to end before anything else is over. */
static void a_crash_loop_under_reads(void)
{
	struct world *w = killed_with_a_write();
	unsigned int i;

	for (i = 0; i < 6; i++) {
		sim_path(w, "8:16")->foreign++;
		restart_world(w);
		advance(w, 500);
		sim_path(w, "8:16")->foreign--;
		advance(w, 9500);
		kill_world(w, 0);
	}
	third_process_waits(w, 9900);
}

/* But an error that comes while one of them waits is news to the next one, which has all its time.
 */
static void an_error_in_a_crash_loop(void)
{
	struct world *w = killed_with_a_write();
	unsigned int i;

	for (i = 0; i < 4; i++) {
		restart_world(w);
		advance(w, 10000);
		sim_path(w, "8:0")->nr_errors += i == 2;
		kill_world(w, 0);
	}
	third_process_waits(w, 59900);
}

/* No fence: the kernel's own time it is, in which it may still send what it has. */
static void without_a_fence_the_kernels_time_counts(void)
{
	struct world *w = killed_with_a_write();
	struct sim_io *write;

	w->settings.fence = FENCE_NONE;
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 49900, 200);
	world_end(w);
}

/* The way to the missing disk holds writes longer than those that are left. */
static void the_missing_disk_was_far_away(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	sim_path(w, "8:0")->transit_ms = 30000;
	world_up(w);
	kill_world(w, 0);
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 99900, 200);
	world_end(w);
}

/* The map has no path any more when it comes back, and gets one later. */
static void no_path_is_left_in_the_table(void)
{
	struct world *w = killed_with_a_write();
	struct sim_io *write;

	sim_path(w, "8:0")->not_in_table = true;
	sim_path(w, "8:16")->not_in_table = true;
	restart_world(w);
	advance(w, 1000);
	expect_notice(w, "2 disks that a former process used");
	expect(w, reload(w, w->table) == 0);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 68900, 200);
	world_end(w);
}

/* More than can be remembered: some cannot be asked for, so writes will wait. */
static void more_disks_than_can_be_remembered(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;
	unsigned int i;

	w->memory.nr_disks = MEMORY_DISKS_MAX;
	for (i = 0; i < MEMORY_DISKS_MAX; i++)
		w->memory.disks[i] = 1000 + i;
	sim_path(w, "8:16")->open_hangs = true;
	world_start(w);
	advance(w, 1000);
	expect(w, w->saved.nr_disks == MEMORY_DISKS_MAX && w->saved.disks[0] == 0);
	kill_world(w, 0);
	sim_path(w, "8:0")->disk = 0; /* which is not the one that is looked for */
	sim_path(w, "8:16")->open_hangs = false;
	w->memory.nr_disks = 1;
	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 40000, 11000);
	world_end(w);
}

/* The process is killed with an UNMAP on a path; the next one finds it there. */
static struct world *killed_with_unmap(uint64_t lands_late_ms)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_cdb(w, (const uint8_t[10]){0x42, [8] = 24}, 10, 24);
	advance(w, 1);
	kill_world(w, lands_late_ms);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	return w;
}

/*
 * An UNMAP may be out for 120 s and, if the kernel gives it up then, land for as long after that:
 * the counters of the first 20 s may end the wait, those that come later prove nothing.
 */
static void an_unmap_is_out_for_long(void)
{
	struct world *w = killed_with_unmap(78000);
	struct sim_io *write = submit_write(w, 0, 1);

	advance(w, 99000);
	expect_notice(w, "an UNMAP or another slow command of a former process may still be out: "
			 "writes wait, at most");
	expect_detail(w, "an UNMAP or another slow command of a former process may still be out");
	advance(w, 170000); /* it was sent 1 ms before, 120 + 30 + 120 s */
	expect_pending(w, write);
	advance(w, 62000); /* and 60 s are added, see slow_write_starts() */
	expect_good(w, write);
	expect_no_detail(w, "slow command");
	world_end(w);
}

/* Mostly it ends soon, and so does the wait. */
static void an_unmap_ends_soon(void)
{
	struct world *w = killed_with_unmap(0);
	struct sim_io *write = submit_write(w, 0, 1);

	advance(w, 20000);
	expect_good(w, write);
	expect_no_notice(w, "slow command");
	world_end(w);
}

/* What is out then has the time-out that it was sent with. */
static void leave_writes(struct world *w)
{
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	submit_write(w, 0, 1);
	advance(w, 1);
}

/* The writes of a process that dies are stuck, and nothing else is: the next one waits as usual. */
static void expect_the_usual_wait(struct world *w)
{
	struct sim_io *write;

	leave_writes(w);
	kill_world(w, 1000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_held(w, write, 69000, 2000);
	world_end(w);
}

/* It had ended before: the usual wait for a write that is stuck. */
static void an_unmap_that_has_ended(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	submit_cdb(w, (const uint8_t[10]){0x42, [8] = 24}, 10, 24);
	advance(w, 5000);
	expect(w, w->nr_fences_moved == 1 && w->nr_fences_over == 0);
	submit_cdb(w, (const uint8_t[10]){0x42, [8] = 24}, 10, 24);
	advance(w, 9000);
	expect(w, w->nr_fences_moved == 1 && w->nr_fences_over == 0);
	advance(w, 2000);
	expect(w, w->nr_fences_moved == 1 && w->nr_fences_over == 1);
	mpath_remember(w->m, &w->saved);
	expect(w, w->saved.slow_end_ns == 0);
	expect_the_usual_wait(w);
}

/* It is told of once, whatever another path_timeout_ms makes of the other writes. */
static void an_unmap_that_has_ended_under_another_time_out(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	sim_path(w, "8:0")->latency_ns = sim_path(w, "8:16")->latency_ns = 2 * NSEC_PER_SEC;
	submit_unmap(w, 0, 1);
	advance(w, 1);
	w->settings.path_timeout_ms /= 2;
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	advance(w, 13000);
	mpath_remember(w->m, &w->saved);
	expect(w, w->saved.slow_end_ns == 0);
	world_end(w);
}

/* The second process has seen it end: to the third, what is stuck then is like any other write. */
static void an_unmap_that_the_process_before_has_seen_end(void)
{
	struct world *w = killed_with_unmap(0);
	struct sim_io *write = submit_write(w, 0, 1);

	advance(w, 20000);
	expect_good(w, write);
	expect_the_usual_wait(w);
}

/*
 * The kernel has kept an UNMAP back for longer than it could be out otherwise, and has just let it
 * go when the process dies: it has all of its time still.
 */
static void a_slow_write_that_was_kept_back_for_long(void)
{
	for (int ms = 30000; ms <= 1000000; ms += 65000) {
		struct world *w = world_new(QUEUE TWO_GROUPS);
		struct sim_io *write;

		w->settings.fence = FENCE_TIME;
		world_up(w);
		set_mode(sim_path(w, "8:0"), MODE_HUNG);
		submit_unmap(w, 0, 1);
		advance(w, ms);
		kill_world(w, 145000);
		set_mode(sim_path(w, "8:0"), MODE_UP);
		sim_path(w, "8:0")->nr_errors++;
		restart_world(w);
		write = submit_write(w, 0, 1);
		advance(w, 269000); /* 120 + 30 + 120 s */
		expect_pending(w, write);
		expect(w, w->counts.orphan_writes == 1);
		advance(w, 62000); /* not each of many is told */
		expect_good(w, write);
		world_end(w);
	}
}

/*
 * Likewise, with all the time that a write has by a longer path_timeout_ms; and when that was to be
 * told on the loop was late, and saw an UNMAP first, which has less time.
 */
static void a_slow_write_is_told_on_though_another_came_late(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	w->settings.path_timeout_ms = 600000;
	expect(w, reload(w, QUEUE TWO_GROUPS) == 0);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	advance(w, 1);
	w->settings.path_timeout_ms = 20000;
	expect(w, reload(w, QUEUE TWO_GROUPS) == 0);
	advance(w, 299000);
	stand_still(w, 2000);
	submit_unmap(w, 1, 1);
	advance(w, 600000);
	mpath_remember(w->m, &w->saved);
	expect(w, w->saved.slow_end_ns > w->now_ns + 1230 * NSEC_PER_SEC);
	kill_world(w, 700000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	sim_path(w, "8:0")->nr_errors++;
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 1229000); /* 600 + 30 + 600 s */
	expect_pending(w, write);
	advance(w, 302000);
	expect_good(w, write);
	world_end(w);
}

/* Nor does it matter that its path is leaving the map. */
static void a_slow_write_is_told_on_though_its_path_leaves(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_unmap(w, 0, 1);
	advance(w, 1);
	expect(w, reload(w, QUEUE "0 1 1 round-robin 0 1 1 8:16 1") == 0);
	advance(w, 61000);
	mpath_remember(w->m, &w->saved);
	expect(w, w->saved.slow_end_ns > w->now_ns + 270 * NSEC_PER_SEC); /* 120 + 30 + 120 s */
	world_end(w);
}

/* path_timeout_ms was longer for a while, which the next process does not read anywhere. */
static void a_longer_time_out_for_a_while(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	w->settings.path_timeout_ms = 60000;
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	leave_writes(w);
	kill_world(w, 58000);
	w->settings.path_timeout_ms = 20000;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 1, 1);
	advance(w, 149000); /* 60 + 30 + 60 s */
	expect_pending(w, write);
	advance(w, 32000);
	expect_good(w, write);
	world_end(w);
}

static void set_path_timeout(struct world *w, uint32_t ms)
{
	w->settings.path_timeout_ms = ms;
	w->settings.restart_wait_ms = ms + 30000; /* as config.c has it, if nothing is said */
}

/* Longer than any command needs by itself: it is as much out as any other. */
static void a_time_out_of_half_an_hour_for_a_while(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_path_timeout(w, 1800000);
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	leave_writes(w);
	kill_world(w, 1900000);
	set_path_timeout(w, 20000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 1, 1);
	advance(w, 3629000); /* 1800 + 30 + 1800 s */
	expect_pending(w, write);
	advance(w, 902000); /* not each of many is told */
	expect_good(w, write);
	world_end(w);
}

/*
 * The administrator has made it shorter since, or the map had another table meanwhile.  And so it
 * is if the next process is killed while it waits.
 */
static void a_shorter_time_out_for_the_next_process(void)
{
	struct sim_io *write;
	struct world *w;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		w = world_new(QUEUE TWO_PATHS);
		w->settings.fence = FENCE_TIME;
		set_path_timeout(w, 60000);
		world_up(w);
		if (i == 3)
			advance(w, 200000); /* what was before it is feared no more */
		leave_writes(w);
		set_path_timeout(w, 20000);
		expect(w, i % 2 == 0 || reload(w, QUEUE TWO_PATHS) == 0);
		kill_world(w, 58000);
		set_mode(sim_path(w, "8:0"), MODE_UP);
		restart_world(w);
		if (i == 2) {
			advance(w, 500);
			kill_world(w, 0);
			restart_world(w);
		}
		write = submit_write(w, 0, 1);
		advance(w, 149000); /* 60 + 30 + 60 s */
		expect_pending(w, write);
		expect(w, w->counts.orphan_writes == 1);
		advance(w, 32000);
		expect_good(w, write);
		world_end(w);
	}
}

/* The kernel ends the old write when its own time-out is over, and counts no error for it. */
static void a_longer_time_out_for_the_next_process(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	w->timeouts_untold = true;
	w->settings.fence = FENCE_TIME;
	world_up(w);
	leave_writes(w);
	kill_world(w, 10000);
	set_path_timeout(w, 60000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 149000);
	expect_pending(w, write);
	expect(w, w->counts.orphan_writes == 1);
	advance(w, 2000);
	expect_good(w, write);
	world_end(w);
}

/* Nor is it shorter when the administrator makes it so in the wait: the old write has its own. */
static void a_shorter_time_out_during_the_wait(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	set_path_timeout(w, 60000);
	world_up(w);
	leave_writes(w);
	kill_world(w, 85000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 10000);
	set_path_timeout(w, 20000);
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	advance(w, 139000); /* 60 + 30 + 60 s */
	expect_pending(w, write);
	expect(w, w->counts.orphan_writes == 1);
	advance(w, 2000);
	expect_good(w, write);
	world_end(w);
}

/*
 * The administrator makes the time-out shorter when a kept back write is feared for longer than the
 * old one already: when it is let go it has that all the same.
 */
static void a_shorter_time_out_while_it_is_kept_back(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	set_path_timeout(w, 60000);
	world_up(w);
	sim_block(sim_path(w, "8:0"));
	submit_write(w, 0, 1);
	kill_world(w, 0);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 200000);
	set_path_timeout(w, 20000);
	expect(w, reload(w, QUEUE TWO_GROUPS) == 0);
	advance(w, 5000);
	sim_let_go(sim_path(w, "8:0"), 0, 85000);
	sim_path(w, "8:0")->nr_errors++;
	advance(w, 149000); /* 60 + 30 + 60 s */
	expect_pending(w, write);
	expect(w, w->counts.orphan_writes == 1);
	world_end(w);
}

/* Likewise longer; and nobody has left word of it: then it is ours, as we have begun. */
static void a_longer_time_out_during_the_wait(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	uint64_t now_ns = w->now_ns;
	struct sim_io *write;

	w->timeouts_untold = true;
	w->settings.fence = FENCE_TIME;
	set_path_timeout(w, 20000);
	sim_late_foreign(sim_path(w, "8:0"), 0, 4711, now_ns + 45 * NSEC_PER_SEC,
			 now_ns + 20 * NSEC_PER_SEC);
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 5000);
	set_path_timeout(w, 60000);
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	advance(w, 100000);
	expect_pending(w, write);
	expect(w, w->counts.orphan_writes == 1);
	advance(w, 46000); /* 60 + 30 + 60 s */
	expect_good(w, write);
	world_end(w);
}

/*
 * The disk is lost, or with @all each of them, so word of the second process's wait is all that is
 * left.  To the third one that is longer than restart_wait_ms, by which the kernel gives up what
 * gets path_timeout_ms; but not what was sent with a longer one, or is slow.
 */
static void third_process_without_a_fence(struct world *w, bool all, uint64_t ms, uint32_t next_ms)
{
	sim_late_lose(sim_path(w, "8:0"));
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	if (all)
		set_mode(sim_path(w, "8:16"), MODE_GONE);
	restart_world(w);
	advance(w, 2000);
	expect_notice(w, all ? "2 disks that a former process" : "1 disk that a former process");
	expect(w, message(w, "fail_if_no_path") == 0); /* which is saved with the rest */
	kill_world(w, 0);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	set_path_timeout(w, next_ms);
	third_process_waits(w, ms);
}

static void a_shorter_time_out_and_no_fence(void)
{
	struct world *w;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		w = world_new(QUEUE TWO_GROUPS);
		w->settings.fence = FENCE_NONE;
		set_path_timeout(w, 45000);
		world_up(w);
		set_mode(sim_path(w, "8:0"), MODE_HUNG);
		submit_write(w, 0, 1);
		kill_world(w, 20000);
		if (i % 2)
			set_path_timeout(w, 8000);
		third_process_without_a_fence(w, i / 2, 72700, 8000);
	}
}

/*
 * Nor if it had that time-out from its beginning, and what is told of it beside that is of a
 * process with a shorter one.  That one is what the second process tells the third, for counts.
 */
static void a_time_out_between_two_shorter_ones_and_no_fence(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct mpath_error_tally stale;

	w->settings.fence = FENCE_NONE;
	set_path_timeout(w, 20000);
	world_up(w);
	submit_write(w, 0, 1);
	advance(w, 1000);
	kill_world(w, 0);
	stale = w->tally;
	set_path_timeout(w, 45000);
	restart_world(w);
	advance(w, 1000);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	kill_world(w, 20000);
	w->tally = stale;
	third_process_without_a_fence(w, true, 72700, 8000);
}

static void an_unmap_and_no_fence(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_NONE;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_cdb(w, (const uint8_t[10]){0x42, [8] = 24}, 10, 24);
	kill_world(w, 20000);
	third_process_without_a_fence(w, false, 207700, 20000); /* see slow_write_starts() */
}

/*
 * The process in between could not map the tally: what it finds there is of the one before it,
 * which had other times.  Its own are in the memory; the next one heeds both.
 */
static void times_of_the_process_before_that(uint32_t before_ms, uint32_t own_ms, uint32_t next_ms)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct mpath_error_tally stale;
	struct sim_io *write;

	w->timeouts_untold = own_ms < next_ms;
	w->settings.fence = FENCE_TIME;
	set_path_timeout(w, before_ms);
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_good(w, write);
	kill_world(w, 0);
	stale = w->tally;
	set_path_timeout(w, own_ms);
	restart_world(w);
	advance(w, 1000);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_good(w, write);
	leave_writes(w);
	advance(w, 1000);
	kill_world(w, own_ms < next_ms ? 10000 : 98000);
	w->tally = stale;
	set_path_timeout(w, next_ms);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 149000); /* 60 + 30 + 60 s */
	expect_pending(w, write);
	advance(w, 32000);
	expect_good(w, write);
	world_end(w);
}

static void a_tally_with_a_longer_time_out(void)
{
	times_of_the_process_before_that(60000, 20000, 60000);
}

static void a_tally_with_a_shorter_time_out(void)
{
	times_of_the_process_before_that(20000, 60000, 20000);
}

/*
 * The second process has a longer time-out, and has seen that nothing is left of the first.  Then a
 * path is found that shows somebody's commands, so it waits once more, and what it tells is the
 * shorter time-out, for counts.  To the third one its write, which is out, is a slow one.
 */
static void it_waits_once_more_while_its_write_is_out(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	sim_path(w, "8:16")->refused = "no such device";
	set_path_timeout(w, 10000);
	world_up(w);
	kill_world(w, 0);
	set_path_timeout(w, 45000);
	restart_world(w);
	advance(w, 60000);
	leave_writes(w);
	sim_path(w, "8:16")->refused = NULL;
	sim_path(w, "8:16")->foreign = 1;
	advance(w, 6000);
	expect(w, !w->m->restart_over && w->saved.timeout_ms == 10000);
	kill_world(w, 55000);
	sim_path(w, "8:16")->foreign = 0;
	set_path_timeout(w, 10000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 113000); /* 6 s before: 45 + 30 + 45 s */
	expect_pending(w, write);
	expect(w, w->counts.orphan_writes == 2);
	advance(w, 28000); /* see slow_write_starts() */
	expect_good(w, write);
	world_end(w);
}

/* --- what could not be saved --- */

/* Nothing could be saved: what is told at once is there all the same. */
static struct world *killed_unsaved(struct world *w)
{
	kill_world(w, 8000);
	expect(w, !w->memory.fence_end_ns && !w->memory.slow_end_ns && !w->memory.nr_disks);
	w->cannot_save = false;
	return w;
}

/* A write is lost, and newer data written; the process dies, and the old write lands. */
static void a_lost_write_that_could_not_be_saved(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	w->cannot_save = true;
	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 1);
	submit_write(w, 0, 1);
	advance(w, 2000);
	killed_unsaved(w);
	sim_path(w, "8:0")->nr_errors = 0; /* that of the lost one: nothing else tells of it */
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 100);
	expect_notice(w, "mpatha: a former process lost writes that may still land: writes wait, "
			 "at most 1");
	expect_held(w, write, 17800, 2000);
	world_end(w);
}

/* A slow one is out, on a disk that cannot be asked any more. */
static void a_slow_write_that_could_not_be_saved(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	w->cannot_save = true;
	sim_path(w, "8:0")->transit_ms = 7000;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_cdb(w, (const uint8_t[10]){0x42, [8] = 24}, 10, 24);
	killed_unsaved(w);
	sim_path(w, "8:0")->refused = "No such device or address";
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 100);
	expect_notice(w, "mpatha: 1 disk that a former process used cannot be asked for its "
			 "writes: writes wait, at most 33");
	advance(w, 276000); /* the UNMAP has 120 s, the kernel 30, the way 7, the LUN 120 */
	expect_pending(w, write);
	advance(w, 61000);
	expect_good(w, write);
	world_end(w);
}

/* The file is of the process before, whose time-out was shorter: the tally's is the longer one. */
static void a_longer_time_out_that_could_not_be_saved(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	set_path_timeout(w, 20000);
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_good(w, write);
	kill_world(w, 0);
	w->cannot_save = true;
	set_path_timeout(w, 60000);
	restart_world(w);
	advance(w, 1000);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_good(w, write);
	leave_writes(w);
	kill_world(w, 85000);
	expect(w, w->memory.timeout_ms == 20000 && w->tally.timeout_ms == 60000);
	set_path_timeout(w, 20000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 0, 1);
	expect_to_wait(w, write, 149000, 2000); /* 60 + 30 + 60 s */
	world_end(w);
}

/* The tally was lost: that a disk is not in it does not say that it had no errors. */
static void the_tally_is_lost(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	leave_writes(w);
	kill_world(w, 58000);
	lose_the_tally(w);
	sim_late_lose(sim_path(w, "8:0"));
	set_mode(sim_path(w, "8:0"), MODE_UP);
	restart_world(w);
	write = submit_write(w, 0, 1);
	advance(w, 69000); /* 20 + 30 + 20 s */
	expect_pending(w, write);
	advance(w, 2000);
	expect_good(w, write);
	world_end(w);
}

/* That an initiator was told could not be saved: the next process tells it once more. */
static void it_was_told_and_could_not_be_saved(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *read;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x01);
	advance(w, 6000);
	expect(w, w->saved.nr_news == 1);
	w->cannot_save = true;
	read = submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, read, 0x06, 0x2a, 0x01);
	killed_in_peace(w);
	advance(w, 1000);
	read = submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, read, 0x06, 0x2a, 0x01);
	read = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, read);
	world_end(w);
}

/* A disk that left in order, and that was saved, is not feared. */
static void a_disk_that_has_left_is_not_told(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	expect(w, remove_path(w, "8:0") == 0);
	advance(w, 100);
	expect(w, message(w, "fail_if_no_path") == 0); /* which is saved with the rest */
	sim_path(w, "8:0")->not_in_table = true;
	writes_go_at_once(killed_in_peace(w));
}

int main(void)
{
	STORY(writes_wait_for_foreign_commands);
	STORY(a_probe_is_sent_during_the_count);
	STORY(nothing_foreign_nothing_waits);
	STORY(the_end_is_noticed_under_load);
	STORY(equal_counters_after_the_timeout_are_no_proof);
	STORY(an_old_write_that_the_kernel_has_lost);
	STORY(an_old_write_that_has_timed_out);
	STORY(an_old_write_times_out_early);
	STORY(killed_while_it_waits);
	STORY(killed_after_it_has_waited);
	STORY(an_old_write_is_lost_beside_short_answers);
	STORY(errors_of_our_own);
	STORY(the_foreign_path_is_lost_for_a_moment);
	STORY(counters_that_cannot_be_read);
	STORY(the_wait_has_an_end);
	STORY(a_late_path_has_foreign_commands);
	STORY(a_path_that_cannot_be_looked_at);
	STORY(a_waiting_write_has_its_deadline);
	STORY(the_foreign_path_vanishes);
	STORY(another_lun_has_commands_of_its_own);
	STORY(another_lun_gets_commands_later);
	STORY(our_own_lun_gets_commands_later);
	STORY(the_foreign_path_becomes_another_lun);
	STORY(the_foreign_path_becomes_another_lun_unseen);
	STORY(a_lost_write_that_could_not_be_saved);
	STORY(a_slow_write_that_could_not_be_saved);
	STORY(a_longer_time_out_that_could_not_be_saved);
	STORY(the_tally_is_lost);
	STORY(it_was_told_and_could_not_be_saved);
	STORY(a_disk_that_has_left_is_not_told);
	STORY(it_lets_go_of_a_write);
	STORY(it_lets_go_while_a_probe_is_out);
	STORY(it_lets_go_and_there_is_an_error);
	STORY(it_gives_the_disk_up);
	STORY(it_keeps_back_later);
	STORY(it_keeps_reads_back_too);
	STORY(it_keeps_a_slow_write_back);
	STORY(it_keeps_a_write_of_half_an_hour_back);
	STORY(killed_while_it_keeps_back);
	STORY(a_third_process_finds_it_kept_back);
	STORY(the_path_is_removed_while_it_keeps_back);
	STORY(stopped_while_it_keeps_back);
	STORY(ended_while_it_keeps_back);
	STORY(ended_where_it_was_never_used);
	STORY(ended_for_longer_than_it_would_wait);
	STORY(killed_while_the_path_is_closed);
	STORY(nothing_is_kept_back_without_fence);
	STORY(the_port_is_lost_while_we_stand_still);
	STORY(we_stand_still_from_the_beginning);
	STORY(what_was_kept_back_is_let_go_unseen);
	STORY(the_port_is_back_when_we_are);
	STORY(a_stranger_is_kept_back);
	STORY(a_write_that_was_refused_waits);
	STORY(refused_where_nobody_asks);
	STORY(refused_and_we_are_busy);
	STORY(refused_for_a_moment);
	STORY(the_path_is_dead);
	STORY(the_path_dies_slowly);
	STORY(it_was_refused_and_the_path_dies_at_once);
	STORY(it_was_refused_and_they_die_again);
	STORY(the_path_is_removed_while_it_refuses);
	STORY(nothing_was_refused_without_fence);
	STORY(the_disk_is_back_at_the_first_look);
	STORY(the_disk_is_back_and_they_die_again);
	STORY(errors_that_were_told);
	STORY(errors_before_the_last_check);
	STORY(errors_after_the_last_check);
	STORY(an_error_after_the_first_look);
	STORY(errors_that_cannot_be_counted);
	STORY(errors_of_long_ago);
	STORY(errors_under_load);
	STORY(an_error_that_was_counted_and_not_told);
	STORY(the_disk_is_gone_at_the_first_look);
	STORY(the_disk_is_offline_at_the_first_look);
	STORY(the_disk_is_back_before_it_was_missed);
	STORY(the_disk_was_about_to_leave);
	STORY(the_wait_ends_before_all_are_looked_at);
	STORY(the_disk_is_looked_at_late);
	STORY(the_disk_comes_in_by_message);
	STORY(the_disk_in_use_becomes_another_lun);
	STORY(another_disk_is_at_its_place);
	STORY(the_disk_is_not_in_the_table_any_more);
	STORY(the_table_has_other_words_for_the_disks);
	STORY(disks_that_were_not_in_use);
	STORY(a_former_process_that_has_ended);
	STORY(what_is_used_is_kept_at_once);
	STORY(killed_before_the_disk_was_missed);
	STORY(the_disk_is_back_for_the_third_process);
	STORY(a_crash_loop_does_not_wait_for_ever);
	STORY(a_crash_loop_under_reads);
	STORY(an_error_in_a_crash_loop);
	STORY(the_disk_hangs_for_the_second_process);
	STORY(without_a_fence_the_kernels_time_counts);
	STORY(the_missing_disk_was_far_away);
	STORY(no_path_is_left_in_the_table);
	STORY(more_disks_than_can_be_remembered);
	STORY(an_unmap_is_out_for_long);
	STORY(an_unmap_ends_soon);
	STORY(an_unmap_that_has_ended);
	STORY(an_unmap_that_has_ended_under_another_time_out);
	STORY(an_unmap_that_the_process_before_has_seen_end);
	STORY(a_slow_write_that_was_kept_back_for_long);
	STORY(a_slow_write_is_told_on_though_another_came_late);
	STORY(a_slow_write_is_told_on_though_its_path_leaves);
	STORY(a_longer_time_out_for_a_while);
	STORY(a_time_out_of_half_an_hour_for_a_while);
	STORY(a_shorter_time_out_for_the_next_process);
	STORY(a_shorter_time_out_during_the_wait);
	STORY(a_shorter_time_out_while_it_is_kept_back);
	STORY(a_longer_time_out_during_the_wait);
	STORY(a_shorter_time_out_and_no_fence);
	STORY(a_time_out_between_two_shorter_ones_and_no_fence);
	STORY(an_unmap_and_no_fence);
	STORY(a_tally_with_a_longer_time_out);
	STORY(a_tally_with_a_shorter_time_out);
	STORY(it_waits_once_more_while_its_write_is_out);
	STORY(a_longer_time_out_for_the_next_process);
	return end_of_stories();
}
