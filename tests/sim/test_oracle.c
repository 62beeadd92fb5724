/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle on trial: cores that do wrong, one thing each, and the words with which it must say
 * so.  A hook between core and world (world.before, world.after) does the wrong.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

static unsigned int nr_missed;

static bool says(FILE *stream, const char *words)
{
	char text[4096];
	size_t len;

	rewind(stream);
	len = fread(text, 1, sizeof(text) - 1, stream);
	text[len] = '\0';
	/* The first line is the verdict, the rest is the trace. */
	text[strcspn(text, "\n")] = '\0';
	if (strstr(text, words))
		return true;
	printf("  it said: %s\n", text);
	return false;
}

/* The story must end badly, and for the reason given. */
static void catch (const char *name, void (*story)(void), const char *words)
{
	FILE *stream = tmpfile();
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(stream), STDERR_FILENO);
		story();
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status == 0 || !says(stream, words)) {
		printf("NOT CAUGHT: %s, expected \"%s\"\n", name, words);
		nr_missed++;
	} else {
		printf("caught: %s\n", name);
	}
	fclose(stream);
}
#define CATCH(name, words) catch (#name, name, words)

static struct mpath_io *first(struct list *list)
{
	return list_empty(list) ? NULL : list_first_entry(list, struct mpath_io, node);
}

static bool ends(const struct mpath_event *event, uint8_t opcode)
{
	return event->type == MPATH_END_IO && !event->io->is_probe &&
	       event->io->cmd.cdb[0] == opcode;
}

/* --- answers --- */

static void answer_twice(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	struct mpath_io *io = first(&actions->complete);

	(void)event;
	if (!io)
		return;
	list_del(&io->node);
	world_complete(w, io);
	list_push_back(&actions->complete, &io->node);
}

static void a_command_is_answered_twice(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->after = answer_twice;
	submit_read(w, 0, 1);
	advance(w, 10);
}

static void drop_answer(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	(void)w;
	(void)event;
	list_pop(&actions->complete);
}

static void an_answer_is_dropped(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->after = drop_answer;
	submit_read(w, 0, 1);
	advance(w, 3000);
}

static void an_answer_is_dropped_at_the_end(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->after = drop_answer;
	submit_read(w, 0, 1);
	advance(w, 10);
	world_end(w);
}

static void answer_in_flight(struct world *w, struct mpath_event *event,
			     struct mpath_actions *actions)
{
	(void)w;
	if (event->type != MPATH_ABORT)
		return;
	event->io->result = (struct scsi_result){.status = SAM_TASK_ABORTED};
	list_del(&event->io->node);
	list_push_back(&actions->complete, &event->io->node);
}

static void a_write_is_answered_before_its_own_answer(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	w->after = answer_in_flight;
	io = submit_write(w, 0, 1);
	abort_task(w, io);
}

static void leak_transport_error(struct world *w, struct mpath_event *event,
				 struct mpath_actions *actions)
{
	(void)w;
	(void)event;
	if (first(&actions->complete))
		first(&actions->complete)->result.transport = TRANSPORT_LOST;
}

static void a_transport_error_leaks(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->after = leak_transport_error;
	submit_read(w, 0, 1);
	advance(w, 10);
}

/* One wrong byte of the last answer, by the story. */
static void (*spoil)(struct scsi_result *result);

static void spoil_answer(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	(void)w;
	(void)event;
	if (first(&actions->complete))
		spoil(&first(&actions->complete)->result);
}

static void swallow_sense(struct scsi_result *result)
{
	*result = (struct scsi_result){0};
}

static void lose_sense(struct scsi_result *result)
{
	result->sense_len = 0;
}

static void flip_bit(struct scsi_result *result)
{
	result->sense[13] ^= 1;
}

static void shorten(struct scsi_result *result)
{
	result->residual = 0;
}

static void other_status(struct scsi_result *result)
{
	result->status = SAM_RESERVATION_CONFLICT;
	result->sense_len = 0;
}

static void tell_medium_error(void (*how)(struct scsi_result *result))
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	spoil = how;
	w->after = spoil_answer;
	answer_with_sense(sim_path(w, "8:0"), 0x03, 0x11, 0x00, 1);
	submit_read(w, 0, 1);
	advance(w, 10);
}

static void sense_is_swallowed(void)
{
	tell_medium_error(swallow_sense);
}

static void sense_is_lost(void)
{
	tell_medium_error(lose_sense);
}

static void a_bit_of_sense_is_wrong(void)
{
	tell_medium_error(flip_bit);
}

static void a_residual_is_wrong(void)
{
	tell_medium_error(shorten);
}

static void a_status_is_wrong(void)
{
	tell_medium_error(other_status);
}

static void fail_held(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	struct mpath_io *io = first(&w->m->held);

	(void)event;
	if (!io)
		return;
	list_del(&io->node);
	w->m->nr_ios--;
	sim_check_condition(&io->result, io->cmd.data_len, 0x02, 0x08, 0x00);
	list_push_back(&actions->complete, &io->node);
}

static void a_command_fails_though_the_map_queues(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->after = fail_held;
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 100);
}

static void answer_unsent(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	struct mpath_io *io = first(&actions->start);

	(void)w;
	(void)event;
	if (!io || io->is_probe)
		return;
	list_del(&io->node);
	io->result = (struct scsi_result){0};
	list_push_back(&actions->complete, &io->node);
}

static void a_write_is_acknowledged_but_never_sent(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->after = answer_unsent;
	submit_write(w, 0, 1);
}

/* --- data --- */

static uint64_t false_stamp;

static void falsify(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	struct mpath_io *io = first(&actions->complete);

	(void)w;
	(void)event;
	if (io && io->cmd.cdb[0] == 0x28)
		sim_put_stamp(((struct sim_io *)io->owner)->buf, 0, false_stamp);
}

static void read_falsely(uint64_t stamp)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	false_stamp = stamp;
	w->after = falsify;
	submit_write(w, 0, 1);
	advance(w, 10);
	submit_read(w, 0, 1);
	advance(w, 10);
}

static void a_read_has_what_was_there_before(void)
{
	read_falsely(0);
}

static void a_read_has_what_nobody_wrote(void)
{
	read_falsely(4711);
}

static bool at_once(struct world *w)
{
	(void)w;
	return true;
}

/* A write is done, but not answered yet: either is true of it, but not first one, then the other.
 */
static void a_read_sees_less_than_the_one_before(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *write, *read;

	world_up(w);
	w->runs_early = at_once;
	sim_path(w, "8:0")->latency_ns = 10 * NSEC_PER_SEC;
	write = submit_write(w, 0, 1);
	sim_path(w, "8:0")->latency_ns = SIM_LATENCY;
	read = submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, sim_stamp(read->buf, 0) == write->stamp);
	false_stamp = 0;
	w->after = falsify;
	submit_read(w, 0, 1);
	advance(w, 10);
}

static uint64_t later_ns(struct world *w, const struct scsi_cmd *cmd)
{
	(void)w;
	return cmd->class == CMD_IDEMPOTENT ? 500 * NSEC_PER_SEC : 0;
}

/* Nothing is wrong but the time: no fence can last that long. */
static void an_old_copy_lands_on_newer_data(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->lands_later_ns = later_ns;
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 1);
	submit_write(w, 0, 1);
	advance(w, 300000);
	submit_write(w, 0, 1);
	advance(w, 300000);
	submit_read(w, 0, 1);
	advance(w, 10);
}

static void pretend_sync(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (event->type == MPATH_SUBMIT && event->io->cmd.cdb[0] == 0x35)
		event->io->cmd.cdb[0] = 0x00;
	if (ends(event, 0x00))
		event->io->cmd.cdb[0] = 0x35;
}

static void nothing_is_synchronized(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->before = pretend_sync;
	submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
	advance(w, 10);
}

/* The array forgets what it has promised to keep. */
static void what_was_synchronized_is_lost(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	uint64_t lba = 3;

	world_up(w);
	submit_write(w, lba, 1);
	advance(w, 10);
	submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
	advance(w, 10);
	w->luns[0].stable[lba] = 0;
	lose_power(w);
	submit_read(w, lba, 1);
	advance(w, 100);
}

static void say_miscompare(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (ends(event, 0x89))
		sim_check_condition(&event->io->result, event->io->cmd.data_len, 0x0e, 0x1d, 0x00);
}

static void a_false_miscompare(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->before = say_miscompare;
	submit_caw(w, 0, 0);
	advance(w, 10);
}

/* --- where commands are sent --- */

static const char *redirect_to;

static void redirect(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	struct mpath_io *io = first(&actions->start);

	(void)event;
	if (io && !io->is_probe)
		io->path = sim_path(w, redirect_to)->path;
}

static void send_down(struct world *w, const char *name)
{
	redirect_to = name;
	w->after = redirect;
	submit_read(w, 0, 1);
}

static void a_failed_path_is_used(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 20);
	send_down(w, "8:0");
}

static void a_path_that_failed_by_message_is_used(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	expect(w, message(w, "fail_path 8:0") == 0);
	send_down(w, "8:0");
}

static void a_path_in_doubt_is_used(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_io_mode(sim_path(w, "8:0"), MODE_FAULT, 1);
	submit_read(w, 0, 1);
	advance(w, 20);
	expect(w, sim_path(w, "8:0")->path->suspect);
	send_down(w, "8:0");
}

static void a_closed_path_is_used(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	sim_path(w, "8:16")->refused = "held by md0";
	world_up(w);
	send_down(w, "8:16");
}

static void a_bypassed_group_is_used(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	world_up(w);
	submit_read(w, 0, 1);
	expect(w, message(w, "disable_group 2") == 0);
	send_down(w, "8:16");
}

static void forgive_loss(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (ends(event, 0x28) && event->io->result.transport == TRANSPORT_LOST)
		event->io->result.transport = TRANSPORT_BUSY;
}

static void a_loss_is_not_noticed(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	w->before = forgive_loss;
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 1);
	submit_read(w, 0, 1);
	advance(w, 100);
}

static void forgive_standby(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (ends(event, 0x28) && event->io->result.status == SAM_CHECK_CONDITION)
		event->io->result.status = SAM_BUSY;
}

static void a_standby_is_not_noticed(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	w->before = forgive_standby;
	answer_with_sense(sim_path(w, "8:0"), 0x02, 0x04, 0x0b, 1);
	submit_read(w, 0, 1);
	advance(w, 100);
}

/* The other LUN's WWID reads as ours. */
static void forge_wwid(struct world *w, struct mpath_event *event)
{
	struct mpath_io *io = event->io;

	if (event->type == MPATH_END_IO && io->is_probe && io->cmd.cdb[0] == 0x12 &&
	    io->cmd.cdb[2] == 0x83)
		memcpy((uint8_t *)io->cmd.iov[0].iov_base + 8, w->luns[0].naa, 16);
}

static void another_lun_is_used(uint8_t opcode)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	w->before = forge_wwid;
	w->paths[0].nexus.lun = &w->luns[1];
	world_up(w);
	if (opcode == 0x28)
		submit_read(w, 0, 1);
	else
		submit_write(w, 0, 1);
	advance(w, 10);
}

static void another_lun_is_read(void)
{
	another_lun_is_used(0x28);
}

static void another_lun_is_written(void)
{
	another_lun_is_used(0x2a);
}

static void forget_depth(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->paths[0].path->depth = 1000;
}

static void a_path_gets_too_many(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	w->paths[0].queue_depth = 1;
	world_up(w);
	w->before = forget_depth;
	submit_read(w, 0, 1);
	submit_read(w, 1, 1);
}

/* The path is on trial, and takes all that comes. */
static void forget_trial(struct world *w, struct mpath_event *event)
{
	struct path *path = w->paths[0].path;

	(void)event;
	w->m->nr_demoted += path->demotion == NOT_DEMOTED;
	path->demotion = ON_TRIAL;
}

static void a_slow_path_gets_too_many(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	w->settings.slow_path_factor = 3;
	world_up(w);
	w->before = forget_trial;
	submit_read(w, 0, 1);
	submit_read(w, 1, 1);
	submit_read(w, 2, 1);
}

static void forget_judging(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->judge_ns = UINT64_MAX;
}

/* It has been demoted, its peer does not answer, and the core does not see that. */
static void a_slow_path_is_not_used_again(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	unsigned int i;

	w->settings.slow_path_factor = 3;
	w->settings.polling_interval_ms = 60000;
	w->paths[1].queue_depth = 1;
	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_HUNG, 0);
	submit_read(w, 0, 1);
	advance(w, 10);
	while (w->paths[0].path->demotion == NOT_DEMOTED) {
		submit_read(w, 0, 1);
		advance(w, 10);
	}
	w->before = forget_judging;
	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	set_io_mode(sim_path(w, "8:16"), MODE_HUNG, 0);
	submit_read(w, 1, 1);
	submit_read(w, 2, 1);
	for (i = 0; i < 50; i++)
		advance(w, 100);
}

static void start_again(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	struct list *flying = &w->paths[0].path->flying;
	struct mpath_io *io;

	if (event->type != MPATH_MESSAGE || list_empty(flying))
		return;
	io = list_first_entry(flying, struct mpath_io, flight);
	list_del(&io->node);
	list_push_back(&actions->start, &io->node);
}

static void a_command_is_sent_twice_at_once(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	w->after = start_again;
	submit_read(w, 0, 1);
	message(w, "queue_if_no_path");
}

/* --- when, and how often --- */

static void forget_time_out(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->backstore.cmd_time_out_ms = 0;
}

static struct world *held_without_deadline(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	set_cmd_time_out(w, 10);
	world_up(w);
	w->before = forget_time_out;
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_write(w, 0, 1);
	return w;
}

static void a_write_is_sent_after_its_deadline(void)
{
	struct world *w = held_without_deadline();

	advance(w, 8300);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1600);
}

static void a_command_outlives_the_kernels_answer(void)
{
	advance(held_without_deadline(), 20000);
}

static void forget_abort(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (ends(event, 0x28) || ends(event, 0x2a))
		event->io->aborted = false;
}

static void a_command_is_sent_after_its_abort(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	w->before = forget_abort;
	set_io_mode(sim_path(w, "8:0"), MODE_NOT_SENT, 1);
	io = submit_write(w, 0, 1);
	abort_task(w, io);
	advance(w, 100);
}

static void forget_once(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (ends(event, 0x89) || ends(event, 0x5f))
		event->io->cmd.class = CMD_READ;
}

static void a_compare_and_write_is_repeated(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->before = forget_once;
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 1);
	submit_caw(w, 0, 0);
	advance(w, 100);
}

static void a_reservation_is_repeated(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->before = forget_once;
	set_io_mode(sim_path(w, "8:0"), MODE_TIMEOUT, 1);
	submit_pr_out(w);
	advance(w, 30000);
}

static bool was_told;

/* The first GOOD is taken for BUSY. */
static void take_for_busy(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (was_told || !ends(event, 0x5f))
		return;
	was_told = true;
	event->io->result = (struct scsi_result){.status = SAM_BUSY};
}

static void a_reservation_is_carried_out_twice(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->before = take_for_busy;
	submit_pr_out(w);
	advance(w, 100);
}

static void end_fences(struct world *w, struct mpath_event *event)
{
	struct mpath_io *io;

	(void)event;
	list_for_each_entry(io, &w->m->fenced, node)
		io->fence_ns = w->now_ns;
	w->m->fence_due_ns = w->now_ns;
}

/* Its old copy may still land, and then the map is stepped: for a read, which may go. */
static void lose_fenced(struct sim_io *(*submit)(struct world *w))
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	w->before = end_fences;
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 1);
	submit(w);
	advance(w, 10);
	submit_read(w, 1, 1);
	advance(w, 10);
}

static struct sim_io *submit_a_write(struct world *w)
{
	return submit_write(w, 0, 1);
}

static struct sim_io *submit_a_reservation(struct world *w)
{
	return submit_pr_out(w);
}

static void a_write_does_not_wait_for_its_fence(void)
{
	lose_fenced(submit_a_write);
}

static void an_answer_does_not_wait_for_its_fence(void)
{
	lose_fenced(submit_a_reservation);
}

static void forget_overdue(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->nr_overdue = 0;
}

static void a_write_does_not_wait_for_an_overdue_one(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	w->backstore.cmd_time_out_ms = 10000;
	w->has_backstore = true;
	world_up(w);
	w->before = forget_overdue;
	set_io_mode(sim_path(w, "8:0"), MODE_HUNG, 1);
	submit_write(w, 0, 1);
	advance(w, 11000);
	submit_write(w, 0, 1);
	advance(w, 10);
}

/* As if the path had answered just now. */
static void ask_for_session(struct world *w, struct mpath_event *event,
			    struct mpath_actions *actions)
{
	struct path *path = w->paths[0].path;

	if (event->type != MPATH_MESSAGE)
		return;
	path->asking = true;
	path->session_sent_ns = w->now_ns;
	list_push_back(&actions->session, &path->session_node);
}

static void a_session_is_new_without_an_answer(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	w->paths[0].session = 1;
	world_up(w);
	w->after = ask_for_session;
	message(w, "queue_if_no_path");
	advance(w, 10);
}

static void forget_restart(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->restart_over = true;
}

static void a_write_does_not_wait_for_orphans(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	w->before = forget_restart;
	submit_write(w, 0, 1);
}

static void believe_errors_were_told(struct world *w)
{
	unsigned int i;

	for (i = 0; i < MEMORY_DISKS_MAX; i++)
		w->tally.disks[i].errors++;
}

/* A path was away while no process ran. */
static void a_write_does_not_wait_for_an_unseen_loss(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_write(w, 0, 1);
	kill_world(w, 8000);
	sim_late_lose(sim_path(w, "8:0"));
	set_mode(sim_path(w, "8:0"), MODE_UP);
	believe_errors_were_told(w);
	restart_world(w);
	advance(w, 1000);
	submit_write(w, 0, 1);
	advance(w, 1000);
}

/* The next process is not told until when the lost write may land. */
static void a_write_does_not_wait_for_a_former_fence(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	w->settings.fence = FENCE_TIME;
	w->settings.fence_time_ms = 5000;
	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 1);
	submit_write(w, 0, 1);
	advance(w, 10);
	kill_world(w, 0);
	w->memory.fence_end_ns = 0;
	w->tally.fence_end_ns = 0;
	believe_errors_were_told(w);
	restart_world(w);
	submit_write(w, 0, 1);
	advance(w, 200);
}

static void forget_suspend(struct world *w, struct mpath_event *event)
{
	if (event->type == MPATH_SUBMIT)
		w->m->suspend = NOT_SUSPENDED;
}

static void a_command_is_sent_in_spite_of_suspend(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	w->before = forget_suspend;
	expect(w, message(w, "suspend") == 0);
	submit_read(w, 0, 1);
}

/* While it decides, the core believes that the map queues. */
static void believe_in_queueing(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->queue_if_no_path = true;
}

static void come_to_its_senses(struct world *w, struct mpath_event *event,
			       struct mpath_actions *actions)
{
	(void)event;
	(void)actions;
	w->m->queue_if_no_path = false;
}

static void a_command_is_held_though_the_map_does_not_queue(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	w->before = believe_in_queueing;
	w->after = come_to_its_senses;
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 3000);
}

/* The core does not hear of the limit that the administrator has set. */
static void forget_limit(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->settings.no_path_timeout_read_ms = 0;
}

static void a_command_is_held_for_longer_than_it_may(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	w->settings.no_path_timeout_read_ms = 3000;
	world_up(w);
	w->before = forget_limit;
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 5000);
}

static bool tells_all(struct world *w)
{
	(void)w;
	return true;
}

static void pass_on_our_reset(struct world *w, struct mpath_event *event,
			      struct mpath_actions *actions)
{
	struct mpath_io *io = first(&actions->complete);

	(void)w;
	(void)event;
	if (io && ((struct sim_io *)io->owner)->hit_by_our_reset)
		io->result = (struct scsi_result){.status = SAM_TASK_ABORTED};
}

static void an_initiator_is_told_of_our_reset(void)
{
	struct world *w = world_new(QUEUE TWO_BY_TWO);

	w->settings.fence = FENCE_LU_RESET;
	w->aborts = tells_all;
	w->after = pass_on_our_reset;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_write(w, 0, 1);
	sim_path(w, "8:16")->latency_ns = 5000 * NSEC_PER_MSEC;
	submit_read(w, 1, 1);
	sim_path(w, "8:16")->latency_ns = SIM_LATENCY;
	advance(w, 6000);
}

static void lose_wake(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	(void)w;
	(void)event;
	actions->wake_ns = 0;
}

static void a_retry_is_forgotten(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	w->after = lose_wake;
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 3);
	submit_read(w, 0, 1);
	advance(w, 3000);
}

static void forget_shutdown(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (event->type == MPATH_SHUTDOWN)
		event->type = MPATH_TIMEOUT;
}

static void a_command_waits_after_shutdown(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 100);
	w->before = forget_shutdown;
	shut_down_world(w);
}

static void abandon_flying(struct world *w, struct mpath_event *event,
			   struct mpath_actions *actions)
{
	struct list *flying = &w->paths[0].path->flying;
	struct mpath_io *io;

	if (event->type != MPATH_MESSAGE || list_empty(flying))
		return;
	io = list_first_entry(flying, struct mpath_io, flight);
	list_del(&io->node);
	list_push_back(&actions->abandon, &io->node);
}

static void a_write_is_given_up(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	w->after = abandon_flying;
	submit_write(w, 0, 1);
	message(w, "queue_if_no_path");
}

static void check_at_once(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	(void)event;
	w->paths[0].path->next_check_ns = w->now_ns;
	actions->wake_ns = w->now_ns + NSEC_PER_MSEC;
}

static void paths_are_asked_without_end(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	w->after = check_at_once;
	message(w, "queue_if_no_path");
	advance(w, 2000);
}

/* --- books --- */

static void miscount(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	(void)actions;
	if (ends(event, 0x28))
		w->paths[0].path->in_flight++;
}

static void a_counter_does_not_return_to_zero(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	w->after = miscount;
	submit_read(w, 0, 1);
	advance(w, 10);
}

static void fail_in_selector(struct world *w, struct mpath_event *event,
			     struct mpath_actions *actions)
{
	struct path *path = w->paths[0].path;

	(void)actions;
	if (event->type == MPATH_MESSAGE)
		path->pg->selector.type->fail_path(&path->pg->selector, path);
}

static void a_selector_is_told_twice(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	w->after = fail_in_selector;
	message(w, "fail_path 8:0");
}

/* --- hedged reads --- */

/* Two paths of which is known that their commands take 1 ms. */
static struct world *world_that_hedges(uint32_t percent)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	unsigned int i;

	w->settings.hedged_reads = percent;
	world_up(w);
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].path->stats.latency.now[latency_bucket(NSEC_PER_MSEC)] += 1000;
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 300);
	return w;
}

/* One of the two is hedged, and its loser comes in when there is an answer. */
static void hedge_one(struct world *w)
{
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 20);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 20);
}

static bool is_leg(const struct mpath_io *io)
{
	return io && io->is_internal && !io->is_probe;
}

static struct mpath_io *last_read;

static void answer_with_loser(struct world *w, struct mpath_event *event,
			      struct mpath_actions *actions)
{
	if (first(&actions->complete))
		last_read = first(&actions->complete);
	else if (event->type == MPATH_END_IO && is_leg(event->io) && !event->io->owner)
		world_complete(w, last_read);
}

static void both_legs_answer(void)
{
	struct world *w = world_that_hedges(100);

	w->after = answer_with_loser;
	hedge_one(w);
}

static void use_initiators_buffer(struct world *w, struct mpath_event *event,
				  struct mpath_actions *actions)
{
	struct mpath_io *io = first(&actions->start);

	(void)w;
	(void)event;
	if (is_leg(io))
		io->cmd.iov = ((struct sim_io *)io->owner)->io.cmd.iov;
}

static void a_loser_may_write_where_the_answer_is(void)
{
	struct world *w = world_that_hedges(100);

	w->after = use_initiators_buffer;
	hedge_one(w);
}

/* What the loser has brought is taken, although it was read before a write that was answered. */
static void take_losers_data(struct world *w, struct mpath_event *event)
{
	struct mpath_io *io = event->io;

	(void)w;
	if (event->type == MPATH_END_IO && is_leg(io) && io->owner && false_stamp == 4711)
		sim_put_stamp(io->cmd.iov[0].iov_base, 0, 0);
}

static void an_older_legs_data_is_used(void)
{
	struct world *w = world_that_hedges(100);

	submit_write(w, 0, 1);
	advance(w, 10);
	false_stamp = 4711;
	w->before = take_losers_data;
	hedge_one(w);
}

static void forget_budget(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->settings.hedged_reads = 100;
}

static void remember_budget(struct world *w, struct mpath_event *event,
			    struct mpath_actions *actions)
{
	(void)event;
	(void)actions;
	w->m->settings.hedged_reads = 5;
}

static void too_many_reads_are_hedged(void)
{
	struct world *w = world_that_hedges(5);

	w->before = forget_budget;
	w->after = remember_budget;
	hedge_one(w);
}

static void take_for_read(struct world *w, struct mpath_event *event)
{
	(void)w;
	if (event->type != MPATH_SUBMIT)
		return;
	event->io->cmd.cdb[0] = 0x28;
	event->io->cmd.class = CMD_READ;
}

static void take_for_write(struct world *w, struct mpath_event *event,
			   struct mpath_actions *actions)
{
	(void)w;
	(void)actions;
	if (event->type == MPATH_SUBMIT)
		event->io->cmd.cdb[0] = 0x2a;
}

static void a_write_has_a_leg(void)
{
	struct world *w = world_that_hedges(100);

	w->before = take_for_read;
	w->after = take_for_write;
	submit_write(w, 0, 1);
}

static void forget_news(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->nr_news = 0;
}

static void nobody_hears_what_a_loser_was_told(void)
{
	struct world *w = world_that_hedges(100);

	w->before = forget_news;
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 20);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x01);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 20);
	submit_read(w, 0, 1);
}

int main(void)
{
	CATCH(a_command_is_answered_twice, "is answered twice");
	CATCH(an_answer_is_dropped, "waits for nothing");
	CATCH(an_answer_is_dropped_at_the_end, "waits after SHUTDOWN");
	CATCH(a_write_is_answered_before_its_own_answer, "is answered while it is on 8:0");
	CATCH(a_transport_error_leaks, "is answered with a transport error");
	CATCH(sense_is_swallowed, "nobody gave it this answer");
	CATCH(sense_is_lost, "CHECK CONDITION without sense");
	CATCH(a_bit_of_sense_is_wrong, "nobody gave it this answer");
	CATCH(a_residual_is_wrong, "nobody gave it this answer");
	CATCH(a_status_is_wrong, "nobody gave it this answer");
	CATCH(a_command_fails_though_the_map_queues, "nobody gave it this answer");
	CATCH(a_write_is_acknowledged_but_never_sent, "nobody gave it this answer");

	CATCH(a_read_has_what_was_there_before, "read old data");
	CATCH(a_read_has_what_nobody_wrote, "which nobody wrote there");
	CATCH(a_read_sees_less_than_the_one_before, "read old data");
	CATCH(an_old_copy_lands_on_newer_data, "read old data");
	CATCH(nothing_is_synchronized, "nothing was synchronized");
	CATCH(what_was_synchronized_is_lost, "read old data");
	CATCH(a_false_miscompare, "a false MISCOMPARE");

	CATCH(a_failed_path_is_used, "is sent down 8:0, which has failed");
	CATCH(a_path_that_failed_by_message_is_used, "is sent down 8:0, which has failed");
	CATCH(a_path_in_doubt_is_used, "is sent down 8:0, which is in doubt");
	CATCH(a_closed_path_is_used, "which is not open");
	CATCH(a_bypassed_group_is_used, "goes to bypassed group 2, though 8:0 is usable");
	CATCH(a_loss_is_not_noticed, "which has failed a command");
	CATCH(a_standby_is_not_noticed, "which has failed a command");
	CATCH(another_lun_is_read, "data of another LUN was read");
	CATCH(another_lun_is_written, "a write went to another LUN");
	CATCH(a_path_gets_too_many, "has 1 commands, takes 1");
	CATCH(a_slow_path_gets_too_many, "is sent down 8:0, which is slow, though 8:16 serves");
	CATCH(a_slow_path_is_not_used_again, "waits for nothing");
	CATCH(a_command_is_sent_twice_at_once, "is started twice");

	CATCH(a_write_is_sent_after_its_deadline, "is sent after its deadline");
	CATCH(a_command_outlives_the_kernels_answer, "the kernel has answered it");
	CATCH(a_command_is_sent_after_its_abort, "is sent after its abort");
	CATCH(a_compare_and_write_is_repeated, "is sent again, but may have been executed");
	CATCH(a_reservation_is_repeated, "is sent again, but may have been executed");
	CATCH(a_reservation_is_carried_out_twice, "was executed 2 times");
	CATCH(a_write_does_not_wait_for_its_fence,
	      "is sent again while its old copy may still land");
	CATCH(an_answer_does_not_wait_for_its_fence,
	      "is answered while its old copy may still land");
	CATCH(a_write_does_not_wait_for_an_overdue_one, "which the kernel has answered, may land");
	CATCH(a_session_is_new_without_an_answer, "8:0 is taken to have answered");
	CATCH(a_write_does_not_wait_for_orphans, "has commands of a dead process");
	CATCH(a_write_does_not_wait_for_an_unseen_loss, "has commands of a dead process");
	CATCH(a_write_does_not_wait_for_a_former_fence, "what a dead process had lost may land");
	CATCH(a_command_is_sent_in_spite_of_suspend, "is sent while the map is suspended");
	CATCH(a_command_is_held_though_the_map_does_not_queue, "waits for nothing");
	CATCH(a_command_is_held_for_longer_than_it_may, "waits for nothing");
	CATCH(an_initiator_is_told_of_our_reset, "is told of a reset that was our own");
	CATCH(a_retry_is_forgotten, "waits for nothing");
	CATCH(a_command_waits_after_shutdown, "waits after SHUTDOWN");
	CATCH(a_write_is_given_up, "a write is abandoned");
	CATCH(paths_are_asked_without_end, "a storm of probes on 8:0");

	CATCH(both_legs_answer, "is answered twice");
	CATCH(a_loser_may_write_where_the_answer_is, "has a leg with the initiator's buffer");
	CATCH(an_older_legs_data_is_used, "read old data");
	CATCH(too_many_reads_are_hedged, "is one hedge too many");
	CATCH(a_write_has_a_leg, "has a leg, but is no READ");
	CATCH(nobody_hears_what_a_loser_was_told, "hear of 062a01, which nobody has heard");

	CATCH(a_counter_does_not_return_to_zero, "still counts commands");
	CATCH(a_selector_is_told_twice, "a path is failed twice");
	return nr_missed ? 1 : 0;
}
