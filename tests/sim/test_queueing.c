/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that wait: for a path, for room, for a moment; deadlines, aborts, and the end.
 */
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

static void lose_all(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_LOST);
}

static void heal_all(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], MODE_UP);
}

/* The last path fails with queue_if_no_path on: commands are held, and go when a path is back. */
static void the_last_path_fails_while_queueing(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *read, *write, *later;

	world_up(w);
	lose_all(w);
	read = submit_read(w, 0, 1);
	advance(w, 3);
	write = submit_write(w, 0, 1);
	expect_trace(w, "[100] group 1: now current\n"
			"[100] io 28: start on 8:0\n"
			"[101] io 28: transport lost on 8:0\n"
			"[101] path 8:0: failed (transport lost), 1 left\n"
			"[101] io 28: start on 8:16\n"
			"[102] io 28: transport lost on 8:16\n"
			"[102] path 8:16: failed (transport lost), 0 left\n"
			"[102] io 28: no path -> queue\n"
			"[103] io 2a: no path -> queue\n");
	expect_notice(w, "no usable path is left: commands are queued (queue_if_no_path)");
	expect_info(w, "2 0 0 0 1 1 E 0 2 0 8:0 F 1 8:16 F 1 ");

	/* for minutes, if need be */
	advance(w, 600000);
	expect_pending(w, read);
	expect_pending(w, write);
	later = submit_read(w, 0, 1);
	forget_trace(w);

	/* within 1.5 s of a path's being usable */
	heal_all(w);
	advance(w, 1500);
	expect_good(w, read);
	expect_good(w, write);
	expect_good(w, later);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 1 ");
	world_end(w);
}

/* One path is back: what was held goes, in its order, exactly once (F12). */
static void held_commands_go_in_their_order(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *caw;

	world_up(w);
	lose_all(w);
	submit_tur(w);
	submit_tur(w);
	advance(w, 5);
	submit_read(w, 0, 1);
	submit_write(w, 1, 1);
	caw = submit_caw(w, 2, 0);
	advance(w, 200);
	forget_trace(w);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 1200);
	expect_trace(w, "[1108] path 8:16: reinstated, 1 usable\n"
			"[1108] group 1: now current\n"
			"[1108] io 28: start on 8:16\n"
			"[1108] io 2a: start on 8:16\n"
			"[1108] io 89: start on 8:16\n"
			"[1109] io 28: good\n"
			"[1109] io 2a: good\n"
			"[1109] io 89: good\n");
	expect_good(w, caw);
	world_end(w);
}

/* Without queueing the last path's error is seen at once, and the next commands' too. */
static void the_last_path_fails_without_queueing(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	lose_all(w);
	io = submit_read(w, 0, 1);
	advance(w, 2);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	expect(w, io->io.result.residual == 512);
	expect_notice(w, "no usable path is left: commands fail");
	io = submit_write(w, 0, 1);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

/* If the last path's target said why, its words are the answer (F35). */
static void the_last_path_says_why(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_STANDBY);
	io = submit_read(w, 0, 1);
	advance(w, 2);
	expect_sense(w, io, 0x02, 0x04, 0x0b);
	world_end(w);
}

/* fail_if_no_path releases what is held; queue_if_no_path holds again. */
static void fail_if_no_path_releases_the_held(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *one, *two;

	world_up(w);
	lose_all(w);
	one = submit_read(w, 0, 1);
	advance(w, 100);
	two = submit_caw(w, 0, 0);
	expect_pending(w, one);
	expect_pending(w, two);
	expect(w, message(w, "fail_if_no_path") == 0);
	expect_sense(w, one, 0x02, 0x08, 0x00);
	expect_sense(w, two, 0x02, 0x08, 0x00);
	expect(w, message(w, "fail_if_no_path") == 0);
	one = submit_read(w, 0, 1);
	expect_sense(w, one, 0x02, 0x08, 0x00);
	expect(w, message(w, "queue_if_no_path") == 0);
	one = submit_read(w, 0, 1);
	advance(w, 10000);
	expect_pending(w, one);
	heal_all(w);
	advance(w, 1500);
	expect_good(w, one);
	world_end(w);
}

/* Only commands that want the medium are held (D15). */
static void other_commands_are_not_held(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	message(w, "fail_path 8:0");
	message(w, "fail_path 8:16");
	io = submit_tur(w);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	io = submit_pr_out(w);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	io = submit_capacity(w);
	expect_good(w, io);
	io = submit_inquiry(w);
	expect_good(w, io);
	world_end(w);
}

/* --- deadlines --- */

/* cmd_time_out is 10 s: a held command is answered at 8 s, before the kernel would do so; data
 * that was written by another way since is not overwritten when the paths return (H4). */
static void a_held_command_has_a_deadline(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write, *read;

	set_cmd_time_out(w, 10);
	world_up(w);
	expect(w, mpath_queueing_defeated(w->m));
	advance(w, 2000);
	expect_notice(w, "queue_if_no_path is limited by the backstore's cmd_time_out of 10 s");
	expect_detail(w, "warning: cmd_time_out limits queue_if_no_path");
	lose_all(w);
	write = submit_write(w, 0, 1);
	advance(w, 5000);
	read = submit_read(w, 0, 1);
	advance(w, 2999);
	expect_pending(w, write);
	advance(w, 1);
	expect_sense(w, write, 0x02, 0x08, 0x00);
	expect_pending(w, read);
	oracle_foreign_write(w, 0, 4711); /* by another way */
	heal_all(w);
	advance(w, 2500);
	expect_good(w, read);
	expect(w, w->luns[0].stamps[0] == 4711);
	world_end(w);
}

/* A command that is retried is not sent after its deadline either. */
static void a_retry_has_a_deadline(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	set_cmd_time_out(w, 10);
	world_up(w);
	set_mode(sim_path(w, "8:0"),
		 MODE_TIMEOUT); /* after 20 s: the kernel has answered by then */
	io = submit_read(w, 0, 1);
	advance(w, 8500);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 5);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	expect(w, io->nr_starts == 1);

	/* nor one that waits for a moment after BUSY */
	heal_all(w);
	advance(w, 3000);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 0);
	answer_with_status(sim_path(w, "8:16"), SAM_BUSY, 0);
	sim_path(w, "8:0")->latency_ns = 3 * NSEC_PER_SEC;
	sim_path(w, "8:16")->latency_ns = 3 * NSEC_PER_SEC;
	io = submit_write(w, 0, 1);
	advance(w, 12000);
	expect(w, io->state == SIM_IO_ANSWERED);
	world_end(w);
}

/* What the target said last is a better answer than ours, be it busy or held for a path (D10). */
static void a_deadline_and_the_targets_word(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *busy, *standby, *unsent;

	set_cmd_time_out(w, 2);
	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 0);
	answer_with_status(sim_path(w, "8:16"), SAM_BUSY, 0);
	busy = submit_write(w, 0, 1);
	advance(w, 999);
	expect_pending(w, busy);
	advance(w, 1);
	expect_answer(w, busy, SAM_BUSY);

	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	set_mode(sim_path(w, "8:0"), MODE_STANDBY);
	set_mode(sim_path(w, "8:16"), MODE_STANDBY);
	standby = submit_write(w, 0, 1);
	advance(w, 10);
	unsent = submit_write(w, 0, 1);
	advance(w, 989);
	expect_pending(w, standby);
	advance(w, 100);
	expect_sense(w, standby, 0x02, 0x04, 0x0b);
	expect_sense(w, unsent, 0x02, 0x08, 0x00);
	world_end(w);
}

/* A short cmd_time_out leaves at least half of it for waiting. */
static void a_short_cmd_time_out(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	set_cmd_time_out(w, 2);
	world_up(w);
	lose_all(w);
	io = submit_read(w, 0, 1);
	advance(w, 999);
	expect_pending(w, io);
	advance(w, 500);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

/* rtslib sets cmd_time_out after open(): it counts for commands that are held already. */
static void a_cmd_time_out_that_comes_later(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	lose_all(w);
	io = submit_read(w, 0, 1);
	advance(w, 20000);
	expect_pending(w, io);
	set_cmd_time_out(w, 60);
	expect_pending(w, io);
	advance(w, 37999);
	expect_pending(w, io);
	advance(w, 2);
	expect_sense(w, io, 0x02, 0x08, 0x00);

	io = submit_read(w, 0, 1);
	advance(w, 20000);
	set_cmd_time_out(w, 10); /* it is long over */
	expect_sense(w, io, 0x02, 0x08, 0x00);

	set_cmd_time_out(w, 0);
	expect(w, !mpath_queueing_defeated(w->m));
	io = submit_read(w, 0, 1);
	advance(w, 100000);
	expect_pending(w, io);
	heal_all(w);
	advance(w, 1500);
	expect_good(w, io);
	world_end(w);
}

/* rtslib restores cmd_time_out after the LUN was opened with the default: no false alarm for that;
 * and if it is set back, we say so. */
static void a_cmd_time_out_of_0_that_is_restored(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	set_cmd_time_out(w, 30);
	world_up(w);
	advance(w, 1000);
	set_cmd_time_out(w, 0);
	advance(w, 10000);
	expect_no_notice(w, "cmd_time_out");
	set_cmd_time_out(w, 30);
	advance(w, 1999);
	expect_no_notice(w, "cmd_time_out");
	advance(w, 1);
	expect_notice(w, "queue_if_no_path is limited by the backstore's cmd_time_out of 30 s");
	world_end(w);
}

/* Without queue_if_no_path a cmd_time_out defeats nothing. */
static void a_cmd_time_out_without_queueing(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	set_cmd_time_out(w, 30);
	world_up(w);
	expect(w, !mpath_queueing_defeated(w->m));
	expect_no_notice(w, "cmd_time_out");
	message(w, "queue_if_no_path");
	expect_notice(w, "cmd_time_out of 30 s");
	world_end(w);
}

/* --- task management --- */

/* ABORT TASK of a held command: answered at once, and never sent. */
static void abort_of_a_held_command(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write, *other;

	world_up(w);
	lose_all(w);
	write = submit_write(w, 0, 1);
	other = submit_read(w, 0, 1);
	advance(w, 1000);
	abort_task(w, write);
	expect_answer(w, write, SAM_TASK_ABORTED);
	expect_pending(w, other);
	heal_all(w);
	advance(w, 1500);
	expect_good(w, other);
	expect(w, w->luns[0].nr_writes == 0);
	world_end(w);
}

/* ABORT TASK of a command that waits a moment after BUSY. */
static void abort_of_a_delayed_command(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 0);
	io = submit_write(w, 0, 1);
	advance(w, 200);
	expect_pending(w, io);
	expect(w, !io->sent);
	abort_task(w, io);
	expect_answer(w, io, SAM_TASK_ABORTED);
	advance(w, 5000);
	world_end(w);
}

/* ABORT TASK of one that waits for room. */
static void abort_of_a_command_without_room(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *first, *second, *third;

	sim_path(w, "8:0")->queue_depth = 1;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	first = submit_write(w, 0, 1);
	second = submit_write(w, 0, 1);
	third = submit_write(w, 0, 1);
	abort_task(w, second);
	expect_answer(w, second, SAM_TASK_ABORTED);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10);
	expect_good(w, first);
	expect_good(w, third);
	world_end(w);
}

/* ABORT TASK of a read on a hung path: it is given up there, then answered. */
static void abort_of_a_read_in_flight(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	abort_task(w, io);
	expect_pending(w, io); /* its buffer is not ours to give back yet */
	advance(w, 2);
	expect_answer(w, io, SAM_TASK_ABORTED);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	world_end(w);
}

/* ABORT TASK of a write in flight: it may still land, so its own answer is waited for. */
static void abort_of_a_write_in_flight(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *good, *lost;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	good = submit_write(w, 0, 1);
	lost = submit_write(w, 1, 1);
	abort_task(w, good);
	abort_task(w, lost);
	advance(w, 4000);
	expect_pending(w, good);
	expect_pending(w, lost);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 10);
	expect_good(w, good);
	expect_answer(w, lost, SAM_TASK_ABORTED); /* not sent again */
	world_end(w);
}

/* LUN RESET names all of them; twice is no more than once. */
static void abort_of_everything(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	unsigned int i;

	sim_path(w, "8:0")->queue_depth = 2;
	sim_path(w, "8:16")->queue_depth = 2;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	for (i = 0; i < 12; i++) {
		if (i % 2)
			submit_read(w, i, 1);
		else
			submit_write(w, i, 1);
	}
	for (i = 0; i < 24; i++)
		if (w->ios[i % 12].state == SIM_IO_OUT)
			abort_task(w, &w->ios[i % 12]);
	advance(w, 10);
	for (i = 4; i < 12; i++)
		expect_answer(w, &w->ios[i], SAM_TASK_ABORTED);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 10);
	for (i = 0; i < 12; i++)
		expect(w, w->ios[i].state == SIM_IO_ANSWERED);
	world_end(w);
}

/* --- the end --- */

/* SIGTERM: what is held is answered BUSY, and nothing is held any more. */
static void shutdown_answers_what_waits(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *held, *in_flight;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	in_flight = submit_write(w, 1, 1);
	message(w, "fail_path 8:0");
	message(w, "fail_path 8:16");
	held = submit_read(w, 0, 1);
	advance(w, 50);
	expect_pending(w, held);
	shut_down_world(w);
	expect_answer(w, held, SAM_BUSY);
	expect_pending(w, in_flight);
	lose_all(w);
	advance(w, 10);
	expect_answer(w, in_flight, SAM_BUSY);
	held = submit_read(w, 0, 1);
	expect_answer(w, held, SAM_BUSY);
	world_end(w);
}

/* The message release: the same, while the daemon goes on; a path that comes back is used. */
static void release_answers_what_waits(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *held, *late;

	world_up(w);
	message(w, "fail_path 8:0");
	message(w, "fail_path 8:16");
	held = submit_write(w, 0, 1);
	advance(w, 50);
	expect_pending(w, held);
	expect(w, message(w, "release") == 0);
	expect_answer(w, held, SAM_BUSY);
	late = submit_write(w, 0, 1);
	expect_answer(w, late, SAM_BUSY);
	message(w, "reinstate_path 8:0");
	advance(w, 50);
	late = submit_write(w, 0, 1);
	advance(w, 50);
	expect_answer(w, late, SAM_GOOD);
	world_end(w);
}

/* SIGTERM while writes wait for a dead process's commands: they too are not held any more. */
static void shutdown_during_the_restart_wait(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *before, *after;

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	before = submit_write(w, 0, 1);
	expect_pending(w, before);
	shut_down_world(w);
	expect_answer(w, before, SAM_BUSY);
	after = submit_write(w, 0, 1);
	expect_answer(w, after, SAM_BUSY);
	world_end(w);
}

/* SIGTERM while a path asks for patience: no more of it. */
static void shutdown_while_the_target_is_busy(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_TASK_SET_FULL, 0);
	sim_path(w, "8:0")->latency_ns = 50 * NSEC_PER_MSEC;
	io = submit_write(w, 0, 1);
	advance(w, 10);
	shut_down_world(w);
	advance(w, 60);
	expect(w, io->state == SIM_IO_ANSWERED);
	expect(w, io->io.result.status == SAM_BUSY || io->io.result.status == SAM_TASK_SET_FULL);
	world_end(w);
}

/* SIGTERM when all paths are in doubt or have no room. */
static void shutdown_without_room(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	sim_path(w, "8:0")->queue_depth = 1;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_read(w, 0, 1);
	io = submit_read(w, 0, 1);
	expect_pending(w, io);
	shut_down_world(w);
	expect_answer(w, io, SAM_BUSY);
	io = submit_read(w, 0, 1);
	expect_answer(w, io, SAM_BUSY);
	world_end(w);
}

/* close() with everything that can be on its way: reads are given up at once, writes are waited
 * for, the rest is answered BUSY; then the paths are closed. */
static void stop_with_everything_in_flight(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *read, *write, *waits;

	sim_path(w, "8:0")->queue_depth = 1;
	sim_path(w, "8:16")->queue_depth = 1;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	read = submit_read(w, 0, 1);
	write = submit_write(w, 0, 1);
	waits = submit_write(w, 1, 1);
	advance(w, 4990); /* probes are out as well */
	stop_world(w);
	expect_answer(w, waits, SAM_BUSY);
	expect_pending(w, read);
	advance(w, 2);
	expect_answer(w, read, SAM_BUSY);
	advance(w, 20000);
	expect_pending(w, write);
	expect(w, !w->stopped);
	waits = submit_read(w, 0, 1);
	expect_answer(w, waits, SAM_BUSY);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 10);
	expect_good(w, write);
	expect(w, w->stopped);
	world_end(w);
}

/* close() before the paths were even opened. */
static void stop_before_anything_is_open(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	sim_path(w, "8:16")->open_latency_ns = NSEC_PER_SEC;
	world_start(w);
	io = submit_write(w, 0, 1);
	advance(w, 1);
	stop_world(w);
	expect_answer(w, io, SAM_BUSY);
	expect(w, !w->stopped);
	advance(w, 2000);
	expect(w, w->stopped);
	world_end(w);
}

/* close() while a path is refused, closing, or being counted. */
static void stop_in_the_middle_of_things(void)
{
	struct world *w = world_new(QUEUE TWO_BY_TWO);

	sim_path(w, "8:0")->refused = "no such device";
	sim_path(w, "8:16")->foreign = 3;
	world_up(w);
	set_mode(sim_path(w, "8:32"), MODE_GONE);
	set_mode(sim_path(w, "8:48"), MODE_STANDBY);
	advance(w, 5000);
	while (now_ms(w) < 60000 && !sim_path(w, "8:16")->path->counting)
		advance(w, 1);
	stop_world(w);
	advance(w, 10);
	expect(w, w->stopped);
	world_end(w);
}

/* --- room --- */

/* Never more commands on a path than it takes; the rest waits for room, nobody is forgotten. */
static void the_backlog_drains(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	unsigned int i;

	sim_path(w, "8:0")->queue_depth = 3;
	sim_path(w, "8:16")->queue_depth = 5;
	world_up(w);
	for (i = 0; i < 100; i++)
		submit_read(w, i % 60, 1);
	expect(w, sim_path(w, "8:0")->nr_out == 3);
	expect(w, sim_path(w, "8:16")->nr_out == 5);
	advance(w, 1);
	expect(w, sim_path(w, "8:0")->nr_out == 3);
	expect(w, sim_path(w, "8:16")->nr_out == 5);
	advance(w, 20);
	for (i = 0; i < 100; i++)
		expect_good(w, &w->ios[i]);
	world_end(w);
}

/* Who waits for room is taken along when the path fails. */
static void the_backlog_survives_its_path(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	unsigned int i;

	sim_path(w, "8:0")->queue_depth = 2;
	sim_path(w, "8:16")->queue_depth = 2;
	world_up(w);
	for (i = 0; i < 20; i++)
		submit_write(w, i, 1);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 20);
	for (i = 0; i < 20; i++)
		expect_good(w, &w->ios[i]);
	world_end(w);
}

/* A waiting command that ends without being sent does not keep the room from the next one. */
static void nobody_in_the_backlog_is_forgotten(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *first, *second, *third;

	set_cmd_time_out(w, 10);
	sim_path(w, "8:0")->queue_depth = 1;
	world_up(w);
	sim_path(w, "8:0")->latency_ns = 8 * NSEC_PER_SEC;
	first = submit_write(w, 0, 1);
	second = submit_write(w, 0, 1);
	advance(w, 500);
	third = submit_write(w, 0, 1);
	w->wake_late_ns = 5 * NSEC_PER_MSEC;
	advance(w, 7500); /* the first is answered when the second is past its deadline */
	sim_path(w, "8:0")->latency_ns = SIM_LATENCY;
	advance(w, 20);
	expect_good(w, first);
	expect_sense(w, second, 0x02, 0x08, 0x00);
	expect(w, third->nr_starts == 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10);
	expect_good(w, third);
	world_end(w);
}

/*
 * The first in the backlog has tried one path already, and waits for room on another one that
 * hangs: those behind it use the one that it cannot.
 */
static void nobody_waits_behind_a_suspicious_command(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *hangs, *suspicious, *others[3];
	unsigned int i;

	sim_path(w, "8:0")->queue_depth = 1;
	sim_path(w, "8:16")->queue_depth = 1;
	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_HUNG, 1);
	set_io_mode(sim_path(w, "8:16"), MODE_FAULT, 1);
	hangs = submit_write(w, 1, 1);
	suspicious = submit_read(w, 0, 1);
	advance(w, 1); /* a fault on 8:16 */
	for (i = 0; i < 3; i++)
		others[i] = submit_write(w, 2 + i, 1);
	advance(w, 10);
	for (i = 0; i < 3; i++)
		expect_good(w, others[i]);
	expect_pending(w, suspicious);
	expect_pending(w, hangs);
	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	advance(w, 10);
	expect_good(w, suspicious);
	expect_good(w, hangs);
	world_end(w);
}

/* And the other way round: it does not wait behind those that wait for the path that it shuns. */
static void a_suspicious_command_waits_behind_nobody(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *suspicious, *others[2];

	sim_path(w, "8:0")->queue_depth = 1;
	sim_path(w, "8:16")->queue_depth = 1;
	world_up(w);
	set_io_mode(sim_path(w, "8:16"), MODE_HUNG, 1);
	expect(w, message(w, "switch_group 2") == 0);
	submit_write(w, 0, 1);
	expect(w, message(w, "switch_group 1") == 0);
	set_io_mode(sim_path(w, "8:0"), MODE_FAULT, 1);
	suspicious = submit_read(w, 1, 1);
	others[0] = submit_write(w, 2, 1);
	others[1] = submit_write(w, 3, 1);
	advance(w, 1); /* a fault on 8:0; 8:16 is full */
	set_io_mode(sim_path(w, "8:0"), MODE_HUNG, 0);
	advance(w, 2); /* 8:0 is cleared, takes the next command, and hangs */
	expect_pending(w, suspicious);
	set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	advance(w, 2);
	expect_good(w, suspicious);
	expect_pending(w, others[0]);
	expect_pending(w, others[1]);
	world_end(w);
}

/* Everybody waits for room on a path that hangs; when its checker raises a doubt they go elsewhere.
 */
static void nobody_waits_for_room_on_a_path_in_doubt(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *hangs, *waits;

	sim_path(w, "8:0")->queue_depth = 1;
	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_HUNG, 0);
	hangs = submit_write(w, 0, 1);
	waits = submit_write(w, 1, 1);
	expect_pending(w, waits);
	set_mode(sim_path(w, "8:0"), MODE_TRANSITIONING);
	advance(w, 5100); /* a check */
	expect_good(w, waits);
	expect_pending(w, hangs);
	world_end(w);
}

/* SPC-5 6.39: it asks for the LUN's state, and that is its data; an error would be its own. */
static void fetches(struct world *w, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct sim_io *fixed = submit_cdb(w, (const uint8_t[6]){0x03, [4] = 252}, 6, 252);
	struct sim_io *descriptor = submit_cdb(w, (const uint8_t[6]){0x03, 1, [4] = 252}, 6, 252);

	expect_good(w, fixed);
	expect(w, fixed->buf[0] == 0x70 && fixed->buf[2] == key && fixed->buf[7] == 10);
	expect(w, fixed->buf[12] == asc && fixed->buf[13] == ascq);
	expect(w, fixed->io.result.residual == 252 - 18);
	expect_good(w, descriptor);
	expect(w, descriptor->buf[0] == 0x72 && descriptor->buf[1] == key);
	expect(w, descriptor->buf[2] == asc && descriptor->buf[3] == ascq && !descriptor->buf[7]);
	expect(w, descriptor->io.result.residual == 252 - 8);
}

static void request_sense_without_a_path(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 10000);
	fetches(w, 0x02, 0x08, 0x00);
	set_mode(sim_path(w, "8:0"), MODE_LUN_GONE);
	advance(w, 10000);
	fetches(w, 0x05, 0x25, 0x00);
	world_end(w);

	w = world_new(QUEUE ONE_PATH);
	sim_path(w, "8:0")->refused = "no such device";
	world_up(w);
	fetches(w, 0x02, 0x04, 0x00);
	world_end(w);
}

/*
 * SPC-5 6.7.1: no state of the LUN is a reason not to answer INQUIRY.  What only the array can say
 * may be asked for again; and a LUN that nobody knows has no more pages than it lists.
 */
static void inquiry_without_a_path(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *list;
	unsigned int page;

	sim_path(w, "8:0")->nexus.boasts = true;
	world_up(w);
	list = submit_cdb(w, (const uint8_t[6]){0x12, 1, 0, 0, 255}, 6, 255);
	expect_good(w, list);
	expect(w, memchr(list->buf + 4, 0x86, list->buf[3]));
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 10000);
	expect_good(w, submit_inquiry(w));
	for (page = 0; page < 256; page++) {
		const uint8_t cdb[6] = {0x12, 1, (uint8_t)page, 0, 255};
		struct sim_io *io = submit_cdb(w, cdb, 6, 255);

		if (!memchr(list->buf + 4, (int)page, list->buf[3]))
			expect_sense(w, io, 0x05, 0x24, 0x00);
		else if (page == 0x86)
			expect_sense(w, io, 0x0b, 0x08, 0x00);
		else
			expect_good(w, io);
	}
	world_end(w);

	w = world_new(QUEUE ONE_PATH);
	sim_path(w, "8:0")->refused = "no such device";
	world_up(w);
	expect_sense(w, submit_cdb(w, (const uint8_t[6]){0x12, 1, 0xb0, 0, 255}, 6, 255), 0x05,
		     0x24, 0x00);
	world_end(w);
}

int main(void)
{
	STORY(the_last_path_fails_while_queueing);
	STORY(held_commands_go_in_their_order);
	STORY(the_last_path_fails_without_queueing);
	STORY(the_last_path_says_why);
	STORY(fail_if_no_path_releases_the_held);
	STORY(other_commands_are_not_held);
	STORY(a_held_command_has_a_deadline);
	STORY(a_retry_has_a_deadline);
	STORY(a_deadline_and_the_targets_word);
	STORY(a_short_cmd_time_out);
	STORY(a_cmd_time_out_that_comes_later);
	STORY(a_cmd_time_out_of_0_that_is_restored);
	STORY(a_cmd_time_out_without_queueing);
	STORY(abort_of_a_held_command);
	STORY(abort_of_a_delayed_command);
	STORY(abort_of_a_command_without_room);
	STORY(abort_of_a_read_in_flight);
	STORY(abort_of_a_write_in_flight);
	STORY(abort_of_everything);
	STORY(shutdown_answers_what_waits);
	STORY(release_answers_what_waits);
	STORY(shutdown_during_the_restart_wait);
	STORY(shutdown_while_the_target_is_busy);
	STORY(shutdown_without_room);
	STORY(stop_with_everything_in_flight);
	STORY(stop_before_anything_is_open);
	STORY(stop_in_the_middle_of_things);
	STORY(the_backlog_drains);
	STORY(the_backlog_survives_its_path);
	STORY(nobody_in_the_backlog_is_forgotten);
	STORY(nobody_waits_behind_a_suspicious_command);
	STORY(a_suspicious_command_waits_behind_nobody);
	STORY(nobody_waits_for_room_on_a_path_in_doubt);
	STORY(request_sense_without_a_path);
	STORY(inquiry_without_a_path);
	return end_of_stories();
}
