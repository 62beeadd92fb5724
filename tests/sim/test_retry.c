/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an answer leads to: up to the initiator as it is, again, elsewhere, or never again.
 */
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

static void all_paths(struct world *w, enum sim_mode mode)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		set_mode(&w->paths[i], mode);
}

/* Both paths are as they were: active, never failed. */
static void expect_paths_up(struct world *w)
{
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	expect_no_notice(w, "failed");
}

/* --- what may be sent again --- */

/* A read is lost: read elsewhere.  A write, too (until there are fences), with the same bytes. */
static void reads_and_idempotent_writes_go_elsewhere(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *read, *write;

	world_up(w);
	sim_path(w, "8:0")->lands = true;
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	write = submit_write(w, 3, 2);
	advance(w, 5);
	expect_good(w, write);
	expect(w, write->nr_starts == 2 && write->nr_executions == 2);
	expect(w, w->luns[0].stamps[3] == write->stamp && w->luns[0].stamps[4] == write->stamp);
	message(w, "fail_path 8:16");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1500);
	message(w, "reinstate_path 8:16");
	advance(w, 100);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	read = submit_read(w, 3, 2);
	advance(w, 5);
	expect_good(w, read);
	world_end(w);
}

/* COMPARE AND WRITE was carried out, but its answer is lost: never again, since it would say
 * MISCOMPARE of its own work.  The one documented sense (F38). */
static void a_lost_compare_and_write_is_not_repeated(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *caw, *pr_out;

	world_up(w);
	sim_path(w, "8:0")->lands = true;
	sim_path(w, "8:16")->lands = true;
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	caw = submit_caw(w, 0, 0);
	advance(w, 5);
	expect_sense(w, caw, 0x04, 0x08, 0x01);
	expect(w, w->luns[0].stamps[0] == caw->stamp);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	pr_out = submit_pr_out(w);
	advance(w, 5);
	expect_sense(w, pr_out, 0x04, 0x08, 0x01);
	expect(w, caw->nr_starts == 1 && pr_out->nr_starts == 1);
	world_end(w);
}

/* The same when it ends in doubt by a time-out or at the host adapter, or without its path. */
static void other_losses_of_a_compare_and_write(void)
{
	static const enum sim_mode modes[] = {MODE_TIMEOUT, MODE_FAULT};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct world *w = world_new(QUEUE TWO_PATHS);
		struct sim_io *caw;

		world_up(w);
		set_io_mode(sim_path(w, "8:0"), modes[i], 1);
		caw = submit_caw(w, 0, 0);
		advance(w, 21000);
		expect_sense(w, caw, 0x04, 0x08, 0x01);
		expect(w, caw->nr_starts == 1);
		expect_paths_up(w);
		world_end(w);
	}
}

/* It was never sent, or refused by the port: then it goes elsewhere, whatever it is. */
static void what_was_never_executed_goes_elsewhere(void)
{
	static const enum sim_mode modes[] = {MODE_NOT_SENT, MODE_GONE,	       MODE_STANDBY,
					      MODE_REFUSED,  MODE_UNAVAILABLE, MODE_TRANSITIONING};
	unsigned int i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct world *w = world_new(FAIL TWO_PATHS);
		struct sim_io *caw;

		world_up(w);
		set_mode(sim_path(w, "8:0"), modes[i]);
		caw = submit_caw(w, 0, 0);
		advance(w, 5);
		expect_good(w, caw);
		expect(w, caw->nr_starts == 2 && caw->nr_executions == 1);
		world_end(w);
	}
}

/* A local resource is used up: nobody's fault, again shortly, on any path (F41). */
static void a_local_shortage_is_waited_out(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *caw, *write;

	world_up(w);
	all_paths(w, MODE_LOCAL_BUSY);
	caw = submit_caw(w, 0, 0);
	advance(w, 5000);
	expect_pending(w, caw);
	all_paths(w, MODE_UP);
	advance(w, 20);
	expect_good(w, caw);
	expect_paths_up(w);

	/* but not for ever */
	all_paths(w, MODE_LOCAL_BUSY);
	write = submit_write(w, 0, 1);
	advance(w, 29000);
	expect_pending(w, write);
	advance(w, 2000);
	expect_answer(w, write, SAM_BUSY);
	advance(w, 60000);
	expect_paths_up(w);
	world_end(w);
}

/* A shortage has its own patience, and begins anew when the command was sent in between. */
static void a_shortage_and_a_busy_target(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 1);
	io = submit_write(w, 0, 1);
	advance(w, 1);
	all_paths(w, MODE_LOCAL_BUSY);
	advance(w, 28000); /* more than the target would be asked again */
	expect_pending(w, io);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 1);
	all_paths(w, MODE_UP);
	advance(w, 3);
	all_paths(w, MODE_LOCAL_BUSY);
	advance(w, 28000);
	expect_pending(w, io);
	all_paths(w, MODE_UP);
	advance(w, 20);
	expect_good(w, io);
	world_end(w);
}

/* --- the target's word --- */

/* The target's answer goes up to the bit, and says nothing about the path (H6, F34). */
static void the_targets_word_goes_up_verbatim(void)
{
	static const struct {
		uint8_t key, asc, ascq;
	} senses[] = {
		{0x03, 0x11, 0x00}, {0x03, 0x13, 0x00}, {0x03, 0x14, 0x01}, {0x0e, 0x1d, 0x00},
		{0x05, 0x1a, 0x00}, {0x05, 0x20, 0x00}, {0x05, 0x21, 0x00}, {0x05, 0x22, 0x00},
		{0x05, 0x24, 0x00}, {0x05, 0x26, 0x00}, {0x05, 0x2c, 0x00}, {0x05, 0x55, 0x02},
		{0x05, 0x23, 0x00}, {0x05, 0x25, 0x01}, {0x07, 0x27, 0x07}, {0x07, 0x27, 0x00},
		{0x04, 0x44, 0x00}, {0x0a, 0x0d, 0x01}, {0x0d, 0x00, 0x00}, {0x08, 0x00, 0x00},
		{0x02, 0x3a, 0x00}, {0x02, 0x04, 0x02}, {0x02, 0x04, 0x03}, {0x0b, 0x10, 0x01},
		{0x0b, 0x2e, 0x01}, {0x06, 0x2a, 0x01}, {0x06, 0x2a, 0x03}, {0x06, 0x2a, 0x05},
		{0x06, 0x2a, 0x09}, {0x06, 0x38, 0x07}, {0x01, 0x17, 0x01}, {0x00, 0x00, 0x00},
		{0x0f, 0x55, 0x0a},
	};
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct scsi_result answer;
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < sizeof(senses) / sizeof(senses[0]); i++) {
		sim_check_condition(&answer, 0, senses[i].key, senses[i].asc, senses[i].ascq);
		memcpy(answer.sense + 3, "\x01\x02\x03\x04", 4); /* information: to the bit */
		answer.sense[15] = 0xc0;
		answer_with(sim_path(w, "8:0"), &answer, 1);
		answer_with(sim_path(w, "8:16"), &answer, 1);
		io = i % 2 ? submit_read(w, 0, 1) : submit_caw(w, 0, 0);
		advance(w, 5);
		expect_sense(w, io, senses[i].key, senses[i].asc, senses[i].ascq);
		expect(w, io->nr_starts == 1);
		expect(w, io->io.result.sense_len == answer.sense_len);
		expect(w, memcmp(io->io.result.sense, answer.sense, answer.sense_len) == 0);
		set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
		set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	}
	submit_read(w, 0, 1);
	expect_paths_up(w);
	world_end(w);
}

/* So do statuses without sense, GOOD with sense, and deferred errors. */
static void statuses_go_up_verbatim(void)
{
	static const uint8_t statuses[] = {SAM_CONDITION_MET, SAM_RESERVATION_CONFLICT,
					   SAM_ACA_ACTIVE, SAM_TASK_ABORTED};
	struct world *w = world_new(QUEUE ONE_PATH);
	struct scsi_result answer;
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < sizeof(statuses); i++) {
		answer_with_status(sim_path(w, "8:0"), statuses[i], 1);
		io = submit_write(w, 0, 1);
		advance(w, 2);
		expect_answer(w, io, statuses[i]);
	}
	sim_check_condition(&answer, 0, 0x03, 0x0c, 0x00);
	answer.sense[0] = 0x71; /* an earlier write was lost: not to be hidden by a retry */
	answer_with(sim_path(w, "8:0"), &answer, 1);
	io = submit_write(w, 0, 1);
	advance(w, 2);
	expect_answer(w, io, SAM_CHECK_CONDITION);
	expect(w, memcmp(io->io.result.sense, answer.sense, answer.sense_len) == 0);

	sim_check_condition(&answer, 0, 0x0f, 0x55, 0x0a);
	answer.status = SAM_GOOD; /* GOOD with sense: a duration limit was met */
	answer_with(sim_path(w, "8:0"), &answer, 1);
	io = submit_tur(w);
	advance(w, 2);
	expect_good(w, io);
	expect(w, io->io.result.sense_len == 18 && io->io.result.sense[12] == 0x55);
	expect_info(w, "2 0 0 0 1 1 A 0 1 0 8:0 A 0 ");
	world_end(w);
}

/* --- again on the same path --- */

/* BUSY is retried on the same path for a while, then it goes up as it is. */
static void busy_is_retried_and_then_goes_up(void)
{
	static const uint8_t statuses[] = {SAM_BUSY, SAM_TASK_SET_FULL};
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < 2; i++) {
		answer_with_status(sim_path(w, "8:0"), statuses[i], 3);
		answer_with_status(sim_path(w, "8:16"), statuses[i], 3);
		io = submit_caw(w, i, 0); /* it was not executed */
		advance(w, 1000);
		expect_good(w, io);
		expect(w, io->nr_starts == 4);

		answer_with_status(sim_path(w, "8:0"), statuses[i], 0);
		answer_with_status(sim_path(w, "8:16"), statuses[i], 0);
		io = submit_write(w, 2, 1);
		advance(w, 6000);
		expect_answer(w, io, statuses[i]);
		expect(w, io->nr_starts > 3 && io->nr_starts < 20);
		set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
		set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	}
	expect_paths_up(w);
	world_end(w);
}

/* The wish for the path that was busy is for one try: later the current group is what counts. */
static void a_busy_path_is_not_preferred_for_ever(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 0);
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect(w, message(w, "fail_path 8:0") == 0);
	expect(w, message(w, "fail_path 8:16") == 0);
	set_io_mode(sim_path(w, "8:32"), MODE_HUNG, 0);
	advance(w, 500);
	expect(w, io->last_path == sim_path(w, "8:32"));

	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	expect(w, message(w, "reinstate_path 8:0") == 0);
	advance(w, 100);
	set_io_mode(sim_path(w, "8:32"), MODE_LOST, 0);
	advance(w, 10);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:48"));
	world_end(w);
}

/* The time of retries is bounded, too, when each answer takes its time. */
static void slow_retries_end(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	sim_path(w, "8:0")->latency_ns = 2 * NSEC_PER_SEC;
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 0);
	io = submit_write(w, 2, 1);
	advance(w, 9000);
	expect_answer(w, io, SAM_BUSY);
	world_end(w);
}

/* After an outage the path, or another one, is asked as often as if it were the first time. */
static void an_outage_is_not_a_retry(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 4);
	io = submit_write(w, 0, 1);
	advance(w, 30);
	message(w, "fail_path 8:0");
	advance(w, 40000);
	expect_pending(w, io);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 8);
	message(w, "reinstate_path 8:0");
	advance(w, 2000);
	expect_good(w, io);
	world_end(w);
}

/* Nor is the wait for the fence of a lost write. */
static void a_fence_is_not_a_retry(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *io;

	w->settings.fence = FENCE_TIME;
	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 4);
	io = submit_write(w, 0, 1);
	advance(w, 30);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	answer_with_status(sim_path(w, "8:16"), SAM_BUSY, 8);
	advance(w, 19000);
	expect_pending(w, io);
	advance(w, 3000);
	expect_good(w, io);
	expect(w, io->nr_starts == 4 + 1 + 8 + 1);
	world_end(w);
}

/* Becoming ready, medium errors that may pass, aborted commands: again on the same path. */
static void senses_that_are_retried(void)
{
	static const struct {
		uint8_t key, asc, ascq;
	} senses[] = {{0x02, 0x04, 0x01}, {0x06, 0x04, 0x01}, {0x06, 0x29, 0x00},
		      {0x06, 0x29, 0x04}, {0x06, 0x2a, 0x06}, {0x06, 0x2a, 0x07},
		      {0x03, 0x0c, 0x00}, {0x0b, 0x44, 0x00}, {0x0b, 0x47, 0x03}};
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < sizeof(senses) / sizeof(senses[0]); i++) {
		answer_with_sense(sim_path(w, "8:0"), senses[i].key, senses[i].asc, senses[i].ascq,
				  2);
		io = submit_write(w, 0, 1);
		advance(w, 100);
		expect_good(w, io);
		expect(w, io->nr_starts == 3);

		/* bounded, and then in the target's words */
		answer_with_sense(sim_path(w, "8:0"), senses[i].key, senses[i].asc, senses[i].ascq,
				  0);
		io = submit_write(w, 0, 1);
		advance(w, 7000);
		expect_sense(w, io, senses[i].key, senses[i].asc, senses[i].ascq);
		set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	}
	expect_info(w, "2 0 0 0 1 1 A 0 1 0 8:0 A 0 ");
	world_end(w);
}

/* An aborted command may be half done: one that may run only once goes up at once. */
static void an_aborted_compare_and_write_is_not_repeated(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	answer_with_sense(sim_path(w, "8:0"), 0x0b, 0x44, 0x00, 1);
	io = submit_caw(w, 0, 0);
	advance(w, 100);
	expect_sense(w, io, 0x0b, 0x44, 0x00);
	expect(w, io->nr_starts == 1);
	world_end(w);
}

/* CHECK CONDITION whose sense got lost: asked again, the target tells. */
static void a_check_condition_without_sense(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_CHECK_CONDITION, 1);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	world_end(w);
}

/* A target that never brings its sense: without any, a disk driver would take it for good. */
static void never_any_sense(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_CHECK_CONDITION, 0);
	io = submit_read(w, 0, 1);
	advance(w, 10000);
	expect_sense(w, io, 0x04, 0x08, 0x00);
	io = submit_caw(w, 0, 0);
	advance(w, 10);
	expect_sense(w, io, 0x04, 0x08, 0x01);
	world_end(w);
}

/* Nor may it go up when there is no path for another try, or no time. */
static void no_sense_yet_and_no_path(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_CHECK_CONDITION, 0);
	io = submit_write(w, 0, 1);
	advance(w, 5);
	expect_pending(w, io);
	message(w, "fail_path 8:0");
	advance(w, 100);
	expect_sense(w, io, 0x04, 0x08, 0x00);
	world_end(w);
}

static void no_sense_yet_and_no_time(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	set_cmd_time_out(w, 2);
	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_CHECK_CONDITION, 0);
	io = submit_write(w, 0, 1);
	advance(w, 1200);
	expect_sense(w, io, 0x04, 0x08, 0x00);
	expect(w, io->nr_starts < 9);
	world_end(w);
}

/* A reset is told to each path's nexus: absorbed on all of them (F32). */
static void resets_are_absorbed(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	unsigned int i;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x29, 0x00);
	push_ua(sim_path(w, "8:0"), 0x29, 0x02);
	push_ua(sim_path(w, "8:16"), 0x29, 0x00);
	for (i = 0; i < 6; i++)
		submit_caw(w, i, 0);
	advance(w, 100);
	for (i = 0; i < 6; i++)
		expect_good(w, &w->ios[i]);
	expect_paths_up(w);
	world_end(w);
}

/* Capacity, mode pages, reservations: the initiator hears of it once, and then goes on. */
static void other_unit_attentions_are_told_once(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x09);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	world_end(w);
}

/* Also if it is our checker that the target tells: nobody else would ever hear of it. */
static void a_check_hears_a_unit_attention(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x03); /* RESERVATIONS PREEMPTED */
	advance(w, 6000);
	expect(w, sim_path(w, "8:0")->nexus.nr_uas == 0);
	io = submit_inquiry(w);
	expect_good(w, io);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_sense(w, io, 0x06, 0x2a, 0x03);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	world_end(w);
}

/* A path that is another LUN's has nothing to say of ours. */
static void a_check_of_another_lun_hears_one(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	exchange_lun(sim_path(w, "8:0"), 1);
	advance(w, 6000);
	expect(w, !sim_path(w, "8:0")->path->active);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x03);
	advance(w, 20000);
	expect(w, sim_path(w, "8:0")->nexus.nr_uas == 0);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	world_end(w);
}

/* --- the command's fault --- */

/* A poison command faults on every path while TUR is good: it is answered, the paths stay, and
 * other commands go on (H7). */
static void a_poison_command(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *poison, *others[40];
	unsigned int i;

	world_up(w);
	poison = submit_poison(w);
	for (i = 0; i < 40; i++) {
		others[i] = i % 2 ? submit_read(w, i, 1) : submit_caw(w, i, 0);
		advance(w, 1);
	}
	advance(w, 100);
	expect_sense(w, poison, 0x04, 0x08, 0x00);
	expect(w, poison->nr_starts == 2);
	for (i = 0; i < 40; i++) {
		expect_good(w, others[i]);
		expect(w, others[i]->answered_ns - others[i]->io.arrival_ns < 50 * NSEC_PER_MSEC);
	}
	expect_paths_up(w);
	world_end(w);
}

/* The same with many paths: it does not try them all. */
static void a_poison_command_and_sixteen_paths(void)
{
	struct world *w = world_new(QUEUE SIXTEEN_PATHS);
	struct sim_io *poison;
	unsigned int i;

	world_up(w);
	poison = submit_poison(w);
	advance(w, 1000);
	expect_sense(w, poison, 0x04, 0x08, 0x00);
	expect(w, poison->nr_starts <= 16);
	for (i = 0; i < 16; i++)
		expect(w, w->paths[i].path->fail_count == 0 && w->paths[i].path->active);
	world_end(w);
}

/* A fault on the one path, and the other one is lost: the command was hardly to blame for both, so
 * it goes down the first path, which is well, once more. */
static void a_fault_and_a_lost_path(void)
{
	static const enum sim_mode modes[][2] = {
		{MODE_FAULT, MODE_LOST}, {MODE_LOST, MODE_FAULT}, {MODE_REFUSED, MODE_LOST}};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct world *w = world_new(FAIL TWO_PATHS);
		struct sim_io *io;

		world_up(w);
		set_io_mode(sim_path(w, "8:0"), modes[i][0], 1);
		set_io_mode(sim_path(w, "8:16"), modes[i][1], 1);
		io = submit_read(w, 0, 1);
		advance(w, 10);
		expect_good(w, io);
		expect(w, io->nr_starts == 3);
		world_end(w);
	}
}

/* But only once: a poison command does not go round and round on the paths that are left. */
static void a_poison_command_and_a_dead_path(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *poison;

	world_up(w);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	poison = submit_poison(w);
	advance(w, 100);
	expect_sense(w, poison, 0x04, 0x08, 0x00);
	expect(w, poison->nr_starts <= 3);
	world_end(w);
}

/* Without a checker the paths prove by their identity that it was not their fault. */
static void a_poison_command_without_a_checker(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *poison, *io;

	w->settings.checker = NULL;
	world_up(w);
	poison = submit_poison(w);
	advance(w, 100);
	expect_sense(w, poison, 0x04, 0x08, 0x00);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect_paths_up(w);
	world_end(w);
}

/* No host can carry it: answered in words about the command, and the paths have not failed. */
static void a_command_that_no_host_can_carry(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_REFUSED, 0);
	set_io_mode(sim_path(w, "8:16"), MODE_REFUSED, 0);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_sense(w, io, 0x05, 0x24, 0x00);
	expect(w, io->nr_starts == 2);
	expect_paths_up(w);
	world_end(w);
}

/* One host can, the other cannot. */
static void a_command_that_one_host_can_carry(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_REFUSED, 1);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	submit_read(w, 0, 1);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* --- the path's fault --- */

/* The cables are pulled, and the first thing that is seen is a fault at the host adapter: it was
 * not the command, so it is held and not answered with an error. */
static void an_outage_that_begins_with_a_fault(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *read, *write;

	world_up(w);
	all_paths(w, MODE_FAULT);
	read = submit_read(w, 0, 1);
	write = submit_write(w, 1, 1);
	advance(w, 30000);
	expect_pending(w, read);
	expect_pending(w, write);
	expect_info(w, "2 0 0 0 1 1 E 0 2 0 8:0 F 1 8:16 F 1 ");
	all_paths(w, MODE_UP);
	advance(w, 1500);
	expect_good(w, read);
	expect_good(w, write);
	world_end(w);
}

/* A time-out puts the path in doubt; TUR is good, so it was slow for once. */
static void a_timeout_on_a_good_path(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_TIMEOUT, 1);
	io = submit_read(w, 0, 1);
	advance(w, 20100);
	expect_good(w, io);
	expect(w, io->nr_starts == 2);
	expect_paths_up(w);
	world_end(w);
}

/* 05/25/00 on one path: others may disagree, so it goes there. */
static void the_lun_is_gone_on_one_path(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LUN_GONE);
	io = submit_caw(w, 0, 0);
	advance(w, 10);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	expect_detail(w, "05/25/00");
	world_end(w);
}

/* 05/25/00 on all paths: the LUN was removed, waiting is of no use.  Not queued, and the target's
 * words for every command (PDL). */
static void the_lun_is_gone_on_all_paths(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *first, *later;

	world_up(w);
	all_paths(w, MODE_LUN_GONE);
	first = submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, first, 0x05, 0x25, 0x00);
	later = submit_write(w, 0, 1);
	advance(w, 10);
	expect_sense(w, later, 0x05, 0x25, 0x00);

	all_paths(w, MODE_UP);
	advance(w, 1500);
	later = submit_write(w, 0, 1);
	advance(w, 10);
	expect_good(w, later);
	world_end(w);
}

/* One path says that the LUN is gone, the other is lost: nobody knows, so commands are held. */
static void the_lun_is_gone_on_the_last_path(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	set_mode(sim_path(w, "8:16"), MODE_LUN_GONE);
	io = submit_read(w, 0, 1);
	advance(w, 10000);
	expect_pending(w, io);
	all_paths(w, MODE_UP);
	advance(w, 1500);
	expect_good(w, io);
	world_end(w);
}

/* The other controller owns the LUN (RDAC 05/94/01): elsewhere. */
static void the_other_controller_owns_it(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	answer_with_sense(sim_path(w, "8:0"), 0x05, 0x94, 0x01, 1);
	io = submit_caw(w, 0, 0);
	advance(w, 10);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 F 1 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* A port in transition: commands wait, also that which must run only once (F28). */
static void a_command_waits_for_a_transition(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_TRANSITIONING);
	io = submit_caw(w, 0, 0);
	advance(w, 5000);
	expect_pending(w, io);
	expect(w, io->nr_starts == 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1100);
	expect_good(w, io);
	world_end(w);
}

/* TUR is good, but commands keep hearing of a transition: that ends, in the target's words. */
static void a_transition_that_only_commands_hear_of(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	answer_with_sense(sim_path(w, "8:0"), 0x02, 0x04, 0x0a, 0);
	io = submit_read(w, 0, 1);
	advance(w, 70000);
	expect_sense(w, io, 0x02, 0x04, 0x0a);
	world_end(w);
}

/* Short transfers: what the target did not send is not made up, and no stale byte is counted. */
static void residuals_go_up(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	io = submit_cdb(w, (const uint8_t[10]){0x25}, 10, 8);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->io.result.residual == 0);
	io = submit_cdb(w, (const uint8_t[16]){0x9e, 0x10, [13] = 64}, 16, 64);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->io.result.residual == 32);
	world_end(w);
}

/*
 * GOOD, but the target has not taken all of the data: that is no answer.  Again, on the same path;
 * and if it goes on so, our own sense, never GOOD.
 */
static void a_short_write_is_not_good(void)
{
	static const struct scsi_result good = {.status = SAM_GOOD};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *write;

	world_up(w);
	answer_with(sim_path(w, "8:0"), &good, 2);
	write = submit_write(w, 3, 2);
	advance(w, 20);
	expect_good(w, write);
	expect(w, write->nr_starts == 3 && write->io.result.residual == 0);
	expect(w, w->luns[0].stamps[3] == write->stamp && w->luns[0].stamps[4] == write->stamp);

	answer_with(sim_path(w, "8:0"), &good, 0);
	answer_with(sim_path(w, "8:16"), &good, 0);
	write = submit_write(w, 3, 2);
	advance(w, 6000);
	expect_sense(w, write, 0x04, 0x08, 0x00);
	expect(w, write->nr_starts == 9);
	expect_paths_up(w);
	world_end(w);
}

/*
 * GOOD, but nothing of what was to be read has arrived.  TCMU cannot tell the initiator that: he
 * would take zeros for his data.
 */
static void an_empty_read_is_not_good(void)
{
	static const struct scsi_result good = {.status = SAM_GOOD};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *read, *write;

	world_up(w);
	write = submit_write(w, 3, 2);
	advance(w, 5);
	expect_good(w, write);
	answer_with(sim_path(w, "8:0"), &good, 2);
	answer_with(sim_path(w, "8:16"), &good, 2);
	read = submit_read(w, 3, 2);
	advance(w, 20);
	expect_good(w, read);
	expect(w, read->nr_starts == 3 && read->io.result.residual == 0);
	expect(w, sim_stamp(read->buf, 0) == write->stamp);

	answer_with(sim_path(w, "8:0"), &good, 0);
	answer_with(sim_path(w, "8:16"), &good, 0);
	read = submit_read(w, 3, 2);
	advance(w, 6000);
	expect_sense(w, read, 0x04, 0x08, 0x00);
	expect(w, read->nr_starts == 9);
	expect_paths_up(w);
	world_end(w);
}

/*
 * RECOVERED ERROR says GOOD, with a warning, and to a disk driver no other than that: he would take
 * what did not arrive for written, and zeros for his data.
 */
static void short_transfers_with_a_warning(void)
{
	struct scsi_result warning = {.status = SAM_CHECK_CONDITION,
				      .sense_len = 18,
				      .sense = {0x70, 0, 0x01, [7] = 10, [12] = 0x17},
				      .residual = SIM_BLOCK_SIZE};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io, *write;

	world_up(w);
	answer_with(sim_path(w, "8:0"), &warning, 2);
	write = submit_write(w, 3, 2);
	advance(w, 20);
	expect_good(w, write);
	expect(w, write->nr_starts == 3 && w->luns[0].stamps[4] == write->stamp);

	answer_with(sim_path(w, "8:0"), &warning, 1);
	answer_with(sim_path(w, "8:16"), &warning, 1);
	io = submit_read(w, 3, 1);
	advance(w, 20);
	expect_good(w, io);
	expect(w, io->nr_starts == 2 && sim_stamp(io->buf, 0) == write->stamp);

	answer_with(sim_path(w, "8:0"), &warning, 0);
	answer_with(sim_path(w, "8:16"), &warning, 0);
	io = submit_read(w, 3, 1);
	advance(w, 6000);
	expect_sense(w, io, 0x04, 0x08, 0x00);
	io = submit_caw(w, 0, 0);
	advance(w, 20);
	expect_sense(w, io, 0x04, 0x08, 0x01);
	expect(w, io->nr_starts == 1);
	expect_paths_up(w);
	world_end(w);
}

/* Other questions may have no answer: then they are good, and no data is shown. */
static void an_empty_list_is_good(void)
{
	static const struct scsi_result good = {.status = SAM_GOOD};
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *sense;

	world_up(w);
	answer_with(sim_path(w, "8:0"), &good, 1);
	sense = submit_cdb(w, (const uint8_t[10]){0x4d, [8] = 24}, 10, 24); /* LOG SENSE */
	advance(w, 20);
	expect_good(w, sense);
	expect(w, sense->nr_starts == 1 && sense->io.result.residual == 24);
	world_end(w);
}

/* Its path fails before it has been repeated, and no other one is left: not GOOD even then. */
static void a_short_write_and_no_path(void)
{
	static const struct scsi_result good = {.status = SAM_GOOD};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *write;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	answer_with(sim_path(w, "8:16"), &good, 0);
	write = submit_write(w, 3, 2);
	advance(w, 20);
	expect_pending(w, write);
	message(w, "fail_path 8:16");
	advance(w, 200);
	expect_sense(w, write, 0x04, 0x08, 0x00);
	world_end(w);
}

/* What may run only once is not repeated: part of it may have been done. */
static void a_short_compare_and_write_is_not_repeated(void)
{
	static const struct scsi_result good = {.status = SAM_GOOD};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *caw;

	world_up(w);
	answer_with(sim_path(w, "8:0"), &good, 1);
	caw = submit_caw(w, 0, 0);
	advance(w, 20);
	expect_sense(w, caw, 0x04, 0x08, 0x01);
	expect(w, caw->nr_starts == 1);
	expect_paths_up(w);
	world_end(w);
}

/* A list of parameters may be longer than what the target knows of it: GOOD, with a residual. */
static void a_short_parameter_list_is_good(void)
{
	static const struct scsi_result good = {.status = SAM_GOOD};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *unmap;

	world_up(w);
	answer_with(sim_path(w, "8:0"), &good, 1);
	unmap = submit_cdb(w, (const uint8_t[10]){0x42, [8] = 24}, 10, 24);
	advance(w, 20);
	expect_good(w, unmap);
	expect(w, unmap->nr_starts == 1 && unmap->io.result.residual == 24);
	world_end(w);
}

/* With UNMAP the block that comes along need not be fetched: the range is unmapped, GOOD it is. */
static void an_unmapping_write_same_is_good(void)
{
	static const struct scsi_result good = {.status = SAM_GOOD};
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	answer_with(sim_path(w, "8:0"), &good, 1);
	io = submit_cdb(w, (const uint8_t[16]){0x93, 0x08, [13] = 16}, 16, SIM_BLOCK_SIZE);
	advance(w, 20);
	expect_good(w, io);
	expect(w, io->nr_starts == 1 && io->io.result.residual == SIM_BLOCK_SIZE);

	/* but not if it was to be written */
	answer_with(sim_path(w, "8:16"), &good, 0);
	answer_with(sim_path(w, "8:0"), &good, 0);
	io = submit_cdb(w, (const uint8_t[10]){0x41, [8] = 16}, 10, SIM_BLOCK_SIZE);
	advance(w, 6000);
	expect_sense(w, io, 0x04, 0x08, 0x00);
	expect(w, io->nr_starts == 9);
	world_end(w);
}

/* --- F43: a path that is write-protected alone --- */

/* Each path has taken a write. */
static struct world *written_world(const char *table)
{
	struct world *w = world_new(table);
	unsigned int i;

	world_up(w);
	for (i = 0; i < w->nr_paths; i++)
		submit_write(w, i, 1);
	advance(w, 100);
	forget_trace(w);
	forget_notices(w);
	return w;
}

/* Writes go through the other path, each once; reads stay, and the path is no worse for it. */
static void a_path_that_is_write_protected_alone(void)
{
	struct world *w = written_world(FAIL TWO_PATHS);
	struct sim_io *io, *read = NULL;
	unsigned int i;

	sim_path(w, "8:16")->write_protected = true;
	for (i = 0; i < 6; i++) {
		io = submit_write(w, i, 1);
		advance(w, 10);
		expect_good(w, io);
		expect(w, io->nr_executions == 1 && io->last_path == sim_path(w, "8:0"));
	}
	for (i = 0; i < 2 && (!read || read->last_path != sim_path(w, "8:16")); i++) {
		read = submit_read(w, 0, 1);
		advance(w, 10);
		expect_good(w, read);
	}
	expect(w, read->last_path == sim_path(w, "8:16"));
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	expect(w, count_notices(w, "refuses writes") == 1);
	world_end(w);
}

/* So do commands that must not be repeated: this one was not carried out. */
static void once_only_and_write_protected(void)
{
	struct world *w = written_world(FAIL TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	sim_path(w, "8:16")->write_protected = true;
	for (i = 0; i < 2; i++) {
		io = submit_caw(w, 7, w->luns[0].stamps[7]);
		advance(w, 10);
		expect_good(w, io);
		expect(w, io->nr_executions == 1);
		io = submit_pr_out(w);
		advance(w, 10);
		expect_good(w, io);
		expect(w, io->nr_executions == 1);
	}
	world_end(w);
}

/* All paths say so: then it is the LUN's word, as it is, and no path is asked twice. */
static void a_lun_that_is_write_protected(void)
{
	struct world *w = written_world(QUEUE TWO_PATHS);
	struct sim_io *io;

	sim_path(w, "8:0")->write_protected = sim_path(w, "8:16")->write_protected = true;
	io = submit_write(w, 0, 1);
	advance(w, 10);
	expect_sense(w, io, 0x07, 0x27, 0x00);
	expect(w, io->nr_starts == 2 && io->nr_executions == 0);
	world_end(w);

	w = world_new(FAIL TWO_PATHS); /* nor is another one, of which nobody knows */
	world_up(w);
	sim_path(w, "8:0")->write_protected = sim_path(w, "8:16")->write_protected = true;
	io = submit_write(w, 0, 1);
	advance(w, 10);
	expect_sense(w, io, 0x07, 0x27, 0x00);
	expect(w, io->nr_starts == 1);
	world_end(w);
}

/* The other path has failed meanwhile: this one is asked once more, and has the word. */
static void write_protected_and_the_other_path_fails(void)
{
	struct world *w = written_world(QUEUE TWO_PATHS);
	struct sim_io *io;

	sim_path(w, "8:0")->write_protected = true;
	set_io_mode(sim_path(w, "8:16"), MODE_NOT_SENT, 0);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	io = submit_write(w, 0, 1);
	advance(w, 100);
	expect_sense(w, io, 0x07, 0x27, 0x00);
	expect(w, io->nr_executions == 0);
	world_end(w);
}

/* The one that takes writes is in another group, which would have to be activated. */
static void no_group_is_activated_for_a_write_protected_path(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS_ALUA);
	struct sim_io *io;

	give_port_groups(w, 2, 1);
	world_up(w);
	submit_write(w, 0, 1);
	advance(w, 50);
	message(w, "switch_group 2");
	submit_write(w, 0, 1);
	advance(w, 50);
	expect(w, w->luns[0].nr_stpg == 1);
	sim_path(w, "8:16")->write_protected = true;
	io = submit_write(w, 0, 1);
	advance(w, 50);
	expect_sense(w, io, 0x07, 0x27, 0x00);
	expect(w, w->luns[0].nr_stpg == 1);
	world_end(w);
}

int main(void)
{
	STORY(reads_and_idempotent_writes_go_elsewhere);
	STORY(a_lost_compare_and_write_is_not_repeated);
	STORY(other_losses_of_a_compare_and_write);
	STORY(what_was_never_executed_goes_elsewhere);
	STORY(a_local_shortage_is_waited_out);
	STORY(a_shortage_and_a_busy_target);
	STORY(the_targets_word_goes_up_verbatim);
	STORY(statuses_go_up_verbatim);
	STORY(busy_is_retried_and_then_goes_up);
	STORY(a_busy_path_is_not_preferred_for_ever);
	STORY(slow_retries_end);
	STORY(an_outage_is_not_a_retry);
	STORY(a_fence_is_not_a_retry);
	STORY(senses_that_are_retried);
	STORY(an_aborted_compare_and_write_is_not_repeated);
	STORY(a_check_condition_without_sense);
	STORY(never_any_sense);
	STORY(no_sense_yet_and_no_path);
	STORY(no_sense_yet_and_no_time);
	STORY(resets_are_absorbed);
	STORY(other_unit_attentions_are_told_once);
	STORY(a_check_hears_a_unit_attention);
	STORY(a_check_of_another_lun_hears_one);
	STORY(a_poison_command);
	STORY(a_poison_command_and_sixteen_paths);
	STORY(a_fault_and_a_lost_path);
	STORY(a_poison_command_and_a_dead_path);
	STORY(a_poison_command_without_a_checker);
	STORY(a_command_that_no_host_can_carry);
	STORY(a_command_that_one_host_can_carry);
	STORY(an_outage_that_begins_with_a_fault);
	STORY(a_timeout_on_a_good_path);
	STORY(the_lun_is_gone_on_one_path);
	STORY(the_lun_is_gone_on_all_paths);
	STORY(the_lun_is_gone_on_the_last_path);
	STORY(the_other_controller_owns_it);
	STORY(a_command_waits_for_a_transition);
	STORY(a_transition_that_only_commands_hear_of);
	STORY(residuals_go_up);
	STORY(a_short_write_is_not_good);
	STORY(an_empty_read_is_not_good);
	STORY(short_transfers_with_a_warning);
	STORY(an_empty_list_is_good);
	STORY(a_short_write_and_no_path);
	STORY(a_short_compare_and_write_is_not_repeated);
	STORY(a_short_parameter_list_is_good);
	STORY(an_unmapping_write_same_is_good);
	STORY(a_path_that_is_write_protected_alone);
	STORY(once_only_and_write_protected);
	STORY(a_lun_that_is_write_protected);
	STORY(write_protected_and_the_other_path_fails);
	STORY(no_group_is_activated_for_a_write_protected_path);
	return end_of_stories();
}
