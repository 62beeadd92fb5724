/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspend and resume as dm does them, and how long commands wait for a path.
 */
#include <errno.h>
#include <string.h>

#include "mpath/memory.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

static bool is_suspended(struct world *w)
{
	return w->m->suspend == SUSPENDED;
}

/* What is out comes back, what is new waits for resume. */
static void test_flush(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *out, *new;

	world_up(w);
	forget_notices(w);
	out = submit_write(w, 0, 1);
	expect(w, message(w, "suspend") == 0);
	new = submit_write(w, 1, 1);
	expect(w, !is_suspended(w));
	advance(w, 100);
	expect_good(w, out);
	expect_pending(w, new);
	expect(w, is_suspended(w));
	expect_notice(w, "mpatha: suspended");
	expect_detail(w, "suspended: 1 command waits for resume");
	expect(w, message(w, "resume") == 0);
	advance(w, 100);
	expect_good(w, new);
	expect_notice(w, "mpatha: resumed");
	expect_table(w, QUEUE TWO_PATHS " ");
	world_end(w);
}

/* F36: a flush ends without a path though the map queues: what waits fails; then it queues again.
 */
static void test_flush_without_a_path(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *held, *new;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	held = submit_write(w, 0, 1);
	advance(w, 100);
	expect_pending(w, held);
	message(w, "suspend");
	expect_sense(w, held, 0x02, 0x08, 0x00);
	expect(w, is_suspended(w));
	new = submit_write(w, 1, 1);
	message(w, "resume");
	expect_pending(w, new);
	expect_table(w, QUEUE ONE_PATH " ");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	expect_good(w, new);
	world_end(w);
}

static void ask_to_suspend(struct world *w, struct mpath_message *asked)
{
	static const char *const words[] = {"suspend"};
	struct mpath_event event = {.type = MPATH_MESSAGE, .message = asked};

	*asked = (struct mpath_message){.argc = 1, .argv = words};
	strbuf_init(&asked->reply, w->text, sizeof(w->text));
	world_step(w, &event);
	w->suspended_seq = ++w->seq;
}

/* Who asks for it gets his answer when the last command is back, or when it cannot come any more.
 */
static void test_who_has_asked_is_told(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct mpath_message asked;

	world_up(w);
	submit_write(w, 0, 1);
	ask_to_suspend(w, &asked);
	expect(w, asked.pending && !mpath_message_done(w->m, &asked));
	advance(w, 100);
	expect(w, mpath_message_done(w->m, &asked) && !asked.pending && asked.error == 0);
	expect(w, mpath_message_done(w->m, &asked));
	message(w, "resume");

	submit_write(w, 0, 1);
	ask_to_suspend(w, &asked);
	message(w, "resume");
	expect(w, mpath_message_done(w->m, &asked) && !asked.pending && asked.error == -EINTR);

	submit_write(w, 0, 1);
	ask_to_suspend(w, &asked);
	stop_world(w);
	expect(w, mpath_message_done(w->m, &asked) && asked.error == -ESHUTDOWN);
	world_end(w);
}

/* noflush: nothing fails, what waits waits on; also what comes back from a path that is lost. */
static void test_noflush(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *out;

	world_up(w);
	out = submit_write(w, 0, 1);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	expect(w, message(w, "suspend noflush") == 0);
	expect(w, !is_suspended(w));
	advance(w, 10000);
	expect(w, is_suspended(w));
	expect_pending(w, out);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 5000);
	message(w, "resume");
	advance(w, 100);
	expect_good(w, out);
	world_end(w);
}

/* dm shows the table of such a map without queue_if_no_path then; nothing fails all the same. */
static void test_noflush_of_a_bio_based_map(void)
{
	struct world *w = world_new("3 queue_if_no_path queue_mode bio " ONE_PATH);
	struct sim_io *held;

	world_up(w);
	expect(w, message(w, "fail_path 8:0") == 0);
	held = submit_write(w, 0, 1);
	expect(w, message(w, "suspend noflush") == 0);
	expect_table(w, "3 retain_attached_hw_handler queue_mode bio " ONE_PATH " ");
	advance(w, 10000);
	expect_pending(w, held);
	expect(w, message(w, "resume") == 0);
	expect_table(w,
		     "4 queue_if_no_path retain_attached_hw_handler queue_mode bio " ONE_PATH " ");
	advance(w, 1000);
	expect_pending(w, held);
	expect(w, message(w, "reinstate_path 8:0") == 0);
	advance(w, 10);
	expect_good(w, held);
	world_end(w);
}

/* Held and delayed commands are pushed back, too. */
static void test_noflush_with_commands_that_wait(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *busy;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 0);
	answer_with_status(sim_path(w, "8:16"), SAM_BUSY, 0);
	busy = submit_write(w, 0, 1);
	advance(w, 200);
	message(w, "suspend noflush");
	advance(w, 20);
	expect(w, is_suspended(w));
	expect_pending(w, busy);
	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	message(w, "resume");
	advance(w, 100);
	expect_good(w, busy);
	world_end(w);
}

/* A write that its path does not answer holds up the suspension, as it must. */
static void test_a_write_in_flight_is_waited_for(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *out;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	out = submit_write(w, 0, 1);
	message(w, "suspend noflush");
	advance(w, 10000);
	expect(w, !is_suspended(w));
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 100);
	expect(w, is_suspended(w));
	expect_good(w, out);
	message(w, "resume");
	world_end(w);
}

/* dm-multipath.md A4: -EBUSY, whatever the message; resume and ours work. */
static void test_messages_when_suspended(void)
{
	static const char *const words[] = {
		"queue_if_no_path", "fail_if_no_path",	   "disable_group 1", "enable_group 1",
		"switch_group 1",   "reinstate_path 8:16", "fail_path 8:16",  "nonsense",
	};
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	world_up(w);
	message(w, "suspend");
	expect(w, is_suspended(w));
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		expect(w, message(w, words[i]) == -EBUSY);
	expect(w, message(w, "suspend") == 0);
	expect(w, message(w, "suspend noflush") == 0);
	expect(w, message(w, "suspend x") == -EBUSY);
	expect(w, message(w, "resume") == 0);
	expect(w, message(w, "resume") == 0);
	expect(w, message(w, "suspend x") == -EINVAL);
	expect(w, message(w, "queue_if_no_path") == 0);
	world_end(w);
}

/* F36: fail_if_no_path while it is being suspended is meant for what was saved, too. */
static void test_fail_if_no_path_wins(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct mpath_memory memory;
	struct sim_io *out;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	out = submit_write(w, 0, 1);
	message(w, "suspend");
	mpath_remember(w->m, &memory);
	expect(w, memory.queueing == MEMORY_QUEUEING_AS_TABLE); /* the saved value counts */
	expect(w, message(w, "fail_if_no_path") == 0);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 100);
	expect_good(w, out);
	message(w, "resume");
	expect_table(w, FAIL ONE_PATH " ");
	world_end(w);
}

/* That is told, and kept for a next process, as at any other time. */
static void test_fail_if_no_path_is_told(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct mpath_memory memory;
	unsigned int changes;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	message(w, "suspend");
	changes = w->nr_memory_changes;
	expect_events(w, "lun\npath-usable 8:0 group 1\ngroup-switched group 1\n");
	expect(w, message(w, "fail_if_no_path") == 0);
	expect_events(w, "policy\n");
	expect_notice(w, "fail_if_no_path");
	expect(w, w->nr_memory_changes == changes + 1);
	mpath_remember(w->m, &memory);
	expect(w, memory.queueing == MEMORY_QUEUEING_OFF);
	expect(w, message(w, "fail_if_no_path") == 0);
	expect_events(w, "");
	world_end(w);
}

/* A command that came while the map was suspended is one of those that a later flush ends. */
static void test_a_flush_ends_what_had_waited_for_resume(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	message(w, "suspend");
	io = submit_write(w, 0, 1);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	message(w, "resume");
	advance(w, 100);
	expect_pending(w, io);
	message(w, "suspend");
	expect_sense(w, io, 0x02, 0x08, 0x00);
	expect(w, is_suspended(w));
	message(w, "resume");
	world_end(w);
}

/* What a flush had saved is used up by its resume: a later fail_if_no_path lasts. */
static void test_fail_if_no_path_lasts(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct mpath_memory memory;

	world_up(w);
	message(w, "suspend");
	message(w, "resume");
	expect_table(w, QUEUE ONE_PATH " ");
	expect(w, message(w, "fail_if_no_path") == 0);
	mpath_remember(w->m, &memory);
	expect(w, memory.queueing == MEMORY_QUEUEING_OFF);
	message(w, "suspend noflush");
	message(w, "resume");
	expect_table(w, FAIL ONE_PATH " ");
	world_end(w);
}

/* What waits for resume can be aborted, has its deadline, and is answered at shutdown. */
static void test_no_command_waits_for_ever(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *aborted, *late, *last;

	set_cmd_time_out(w, 10);
	world_up(w);
	message(w, "suspend");
	aborted = submit_write(w, 0, 1);
	late = submit_write(w, 1, 1);
	abort_task(w, aborted);
	expect_answer(w, aborted, SAM_TASK_ABORTED);
	advance(w, 7900);
	expect_pending(w, late);
	advance(w, 200);
	expect_sense(w, late, 0x02, 0x08, 0x00);
	last = submit_write(w, 2, 1);
	expect_pending(w, last);
	shut_down_world(w);
	expect_answer(w, last, SAM_BUSY);
	last = submit_write(w, 2, 1);
	advance(w, 100);
	expect(w, last->state == SIM_IO_ANSWERED);
	world_end(w);
}

/* Nothing is held after shutdown: so it cannot be suspended any more. */
static void test_no_suspension_after_shutdown(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	shut_down_world(w);
	expect(w, message(w, "suspend") == -ESHUTDOWN);
	expect(w, message(w, "suspend noflush") == -ESHUTDOWN);
	io = submit_write(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	world_end(w);
}

/* A table is loaded while the map is suspended, as dmsetup does it. */
static void test_reload_while_suspended(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	message(w, "suspend noflush");
	io = submit_write(w, 0, 1);
	expect(w, reload(w, QUEUE "0 1 1 round-robin 0 1 1 8:16 1") == 0);
	advance(w, 1000);
	expect_pending(w, io);
	message(w, "resume");
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	world_end(w);
}

/* Reads and writes wait for a path as long as each may, and what comes later does not wait. */
static void test_no_path_timeouts(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *read, *write;

	w->settings.no_path_timeout_read_ms = 3000;
	w->settings.no_path_timeout_write_ms = 8000;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	read = submit_read(w, 0, 1);
	write = submit_write(w, 0, 1);
	advance(w, 2900);
	expect_pending(w, read);
	advance(w, 200);
	expect_sense(w, read, 0x02, 0x08, 0x00);
	read = submit_read(w, 0, 1);
	expect_sense(w, read, 0x02, 0x08, 0x00);
	advance(w, 4800);
	expect_pending(w, write);
	advance(w, 200);
	expect_sense(w, write, 0x02, 0x08, 0x00);
	expect_table(w, QUEUE ONE_PATH " ");

	/* With the path, patience is back. */
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	read = submit_read(w, 0, 1);
	advance(w, 2000);
	expect_pending(w, read);
	message(w, "queue_if_no_path"); /* so it is with the message */
	advance(w, 2000);
	expect_pending(w, read);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	expect_good(w, read);
	world_end(w);
}

/* The time begins with the map when it has no path from the start; resume begins it anew. */
static void test_no_path_from_the_start(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	w->kept = (struct lun_facts){.known = true, .nr_blocks = 2048, .block_size = 512};
	strcpy(w->kept.wwid, w->luns[0].wwid);
	w->settings.no_path_timeout_read_ms = 5000;
	sim_path(w, "8:0")->refused = "no such device";
	world_up(w);
	advance(w, 3900);
	io = submit_read(w, 0, 1);
	expect_pending(w, io);
	message(w, "suspend noflush");
	message(w, "resume");
	advance(w, 2000);
	expect_pending(w, io);
	advance(w, 3000);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

/* A cmd_time_out that is longer than every limit defeats nothing. */
static void test_limits_and_cmd_time_out(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	w->settings.no_path_timeout_read_ms = 3000;
	w->settings.no_path_timeout_write_ms = 8000;
	world_up(w);
	set_cmd_time_out(w, 30);
	advance(w, 10000);
	expect(w, !mpath_queueing_defeated(w->m));
	expect_no_notice(w, "cmd_time_out");
	set_cmd_time_out(w, 8);
	advance(w, 10000);
	expect(w, mpath_queueing_defeated(w->m));
	world_end(w);
}

/* Somebody copies the LUN, and nothing is to be written meanwhile, whoever is killed. */
static void stays_suspended(const char *how, bool in_order)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	message(w, how);
	expect(w, is_suspended(w));
	if (in_order)
		expect(w, end_in_order(w, 1000, 0));
	else
		kill_world(w, 0);
	restart_world(w);
	expect(w, is_suspended(w));
	expect_notice(w, "mpatha: suspended, as before the restart");
	io = submit_write(w, 0, 1);
	advance(w, 60000);
	expect_pending(w, io);
	expect_table(w, QUEUE TWO_PATHS " ");
	kill_world(w, 0);
	restart_world(w);
	expect(w, is_suspended(w));
	expect(w, message(w, "resume") == 0);
	io = submit_write(w, 0, 1);
	advance(w, 60000);
	expect_good(w, io);
	kill_world(w, 0);
	restart_world(w);
	expect(w, !is_suspended(w));
	world_end(w);
}

/* tcmu-runner is told to end, and has not ended yet. */
static void is_resumed_at_the_end(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	message(w, "suspend");
	message(w, "release");
	message(w, "resume");
	kill_world(w, 0);
	restart_world(w);
	expect(w, !is_suspended(w));
	world_end(w);
}

/* Who has asked for it is told that it has failed, and does not resume what was not suspended. */
static void was_not_suspended_at_the_end(bool in_order)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct mpath_message asked;
	struct sim_io *io;

	world_up(w);
	submit_write(w, 0, 1);
	ask_to_suspend(w, &asked);
	expect(w, asked.pending);
	message(w, "release");
	expect(w, mpath_message_done(w->m, &asked) && asked.error == -EINTR);
	if (in_order)
		expect(w, end_in_order(w, 1000, 0));
	else
		kill_world(w, 0);
	w->shut_down = false;
	restart_world(w);
	expect(w, !is_suspended(w));
	io = submit_write(w, 0, 1);
	advance(w, 60000);
	expect_good(w, io);
	world_end(w);
}

/* tcmu-runner is told to end, and waits until its rings are empty: what was held comes again. */
static void is_not_written_to_at_the_end(const char *how)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	message(w, how);
	io = submit_write(w, 0, 1);
	shut_down_world(w);
	expect_answer(w, io, SAM_BUSY);
	io = submit_write(w, 0, 1);
	expect_answer(w, io, SAM_BUSY);
	expect(w, w->luns[0].stamps[0] == 0);
	expect(w, message(w, "resume") == 0);
	io = submit_write(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	world_end(w);
}

/*
 * A write is lost, and the process dies while it waits for its fence, in a map that is being
 * suspended.  Resumed before there is a path, the next one still waits for what may land.
 */
static void fears_what_was_lost_before(void)
{
	struct world *w = world_new("3 queue_if_no_path queue_mode bio " TWO_PATHS);
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	w->settings.no_path_timeout_write_ms = 5000;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	write = submit_write(w, 0, 1);
	message(w, "suspend noflush");
	advance(w, 25000);
	expect_pending(w, write);
	kill_world(w, 10000);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	restart_world(w);
	expect(w, is_suspended(w));
	write = submit_write(w, 0, 1);
	advance(w, 6000);
	expect_pending(w, write);
	expect(w, reload(w, "3 queue_if_no_path queue_mode bio " TWO_PATHS) == 0);
	expect(w, message(w, "resume") == 0);
	advance(w, 4000);
	expect_pending(w, write);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 3000);
	expect_pending(w, write);
	advance(w, 60000);
	expect_good(w, write);
	world_end(w);
}

static void test_restart_while_suspended(void)
{
	fears_what_was_lost_before();
	was_not_suspended_at_the_end(true);
	was_not_suspended_at_the_end(false);
	is_not_written_to_at_the_end("suspend");
	is_not_written_to_at_the_end("suspend noflush");
	is_resumed_at_the_end();
	stays_suspended("suspend", false);
	stays_suspended("suspend", true);
	stays_suspended("suspend noflush", false);
}

int main(void)
{
	STORY(test_flush);
	STORY(test_flush_without_a_path);
	STORY(test_who_has_asked_is_told);
	STORY(test_noflush);
	STORY(test_noflush_of_a_bio_based_map);
	STORY(test_noflush_with_commands_that_wait);
	STORY(test_a_write_in_flight_is_waited_for);
	STORY(test_messages_when_suspended);
	STORY(test_fail_if_no_path_wins);
	STORY(test_fail_if_no_path_is_told);
	STORY(test_a_flush_ends_what_had_waited_for_resume);
	STORY(test_fail_if_no_path_lasts);
	STORY(test_no_command_waits_for_ever);
	STORY(test_no_suspension_after_shutdown);
	STORY(test_reload_while_suspended);
	STORY(test_restart_while_suspended);
	STORY(test_no_path_timeouts);
	STORY(test_no_path_from_the_start);
	STORY(test_limits_and_cmd_time_out);
	return end_of_stories();
}
