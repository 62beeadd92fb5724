/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the array tells once, and a command of our own has heard: the next commands of initiators
 * are told instead (SAM-5 5.14, SPC-5 4.4.6).  Nothing of it gets lost without a word.
 */
#include <string.h>

#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

/* The next command is told so, and is not sent. */
static void is_told(struct world *w, uint8_t response, uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct sim_io *io = submit_write(w, 0, 1);

	expect_answer(w, io, SAM_CHECK_CONDITION);
	expect(w, io->io.result.sense[0] == response && io->io.result.sense[2] == key);
	expect(w, io->io.result.sense[12] == asc && io->io.result.sense[13] == ascq);
	expect(w, !io->nr_starts);
	expect(w, io->io.result.residual == io->io.cmd.data_len);
}

static void is_told_nothing(struct world *w)
{
	struct sim_io *io = submit_write(w, 0, 1);

	advance(w, 20);
	expect_good(w, io);
}

/* --- a command that nobody listens to any more --- */

/* A write is out, and is told what the path has to say only after @ms. */
static struct sim_io *slow_write(struct world *w, uint64_t ms)
{
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *io;

	p->latency_ns = ms * NSEC_PER_MSEC;
	io = submit_write(w, 0, 1);
	advance(w, 1);
	p->latency_ns = SIM_LATENCY;
	return io;
}

/* LIO sends no status for it, or TASK ABORTED: the array has told it to nobody. */
static void an_aborted_command_hears_it(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x03);
	io = slow_write(w, 10);
	abort_task(w, io);
	advance(w, 20);
	expect_sense(w, io, 0x06, 0x2a, 0x03);
	is_told(w, 0x70, 0x06, 0x2a, 0x03);
	is_told_nothing(w);

	push_deferred(sim_path(w, "8:0"), 0x03, 0x0c, 0x00);
	io = slow_write(w, 10);
	abort_task(w, io);
	advance(w, 20);
	expect_answer(w, io, SAM_CHECK_CONDITION);
	is_told(w, 0x71, 0x03, 0x0c, 0x00);
	is_told_nothing(w);
	world_end(w);
}

/* When cmd_time_out is over the kernel does not take an answer any more. */
static void a_command_that_has_expired_hears_it(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	w->backstore.cmd_time_out_ms = 10000;
	w->has_backstore = true;
	world_up(w);
	io = slow_write(w, 9000);
	advance(w, 8900);
	push_deferred(sim_path(w, "8:0"), 0x03, 0x0c, 0x00);
	advance(w, 200);
	expect_answer(w, io, SAM_CHECK_CONDITION);
	is_told(w, 0x71, 0x03, 0x0c, 0x00);
	is_told_nothing(w);

	/* One that is early enough has told it itself. */
	io = slow_write(w, 7000);
	advance(w, 6900);
	push_deferred(sim_path(w, "8:0"), 0x03, 0x0c, 0x00);
	advance(w, 200);
	expect_answer(w, io, SAM_CHECK_CONDITION);
	is_told_nothing(w);
	world_end(w);
}

/*
 * We have stood still (a machine that was halted), and it has waited in the ring: the kernel has
 * answered it already.
 */
static void a_command_that_comes_too_late_is_not_told(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	w->backstore.cmd_time_out_ms = 10000;
	w->has_backstore = true;
	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x03);
	io = slow_write(w, 10);
	abort_task(w, io);
	advance(w, 20);
	w->came_ago_ns = 11 * NSEC_PER_SEC;
	io = submit_write(w, 0, 1);
	w->came_ago_ns = 0;
	expect_sense(w, io, 0x02, 0x08, 0x00);
	is_told(w, 0x70, 0x06, 0x2a, 0x03);
	is_told_nothing(w);
	world_end(w);
}

/* --- more than is kept one by one --- */

/* A reset is what makes initiators take nothing for granted, whatever it was that changed. */
static void more_unit_attentions_than_are_kept(void)
{
	static const uint16_t uas[] = {0x2a00, 0x2a01, 0x2a03, 0x2a04, 0x2a05, 0x3807, 0x3f01};
	struct world *w = world_new(FAIL ONE_PATH);
	unsigned int i;

	world_up(w);
	for (i = 0; i < sizeof(uas) / sizeof(uas[0]); i++) {
		push_ua(sim_path(w, "8:0"), (uint8_t)(uas[i] >> 8), (uint8_t)uas[i]);
		advance(w, 5001);
	}
	expect(w, !sim_path(w, "8:0")->nexus.nr_uas);
	for (i = 0; i < NEWS_MAX; i++)
		is_told(w, 0x70, 0x06, (uint8_t)(uas[i] >> 8), (uint8_t)uas[i]);
	is_told(w, 0x70, 0x06, 0x29, 0x00);
	is_told_nothing(w);
	world_end(w);
}

/* The process ends before there was a command: the next one's commands are told, and once. */
static void a_loss_that_nobody_heard_before_the_restart(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	world_up(w);
	push_deferred(sim_path(w, "8:0"), 0x03, 0x0c, 0x00);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x01);
	advance(w, 10001);
	expect(w, !sim_path(w, "8:0")->nexus.nr_uas);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 100);
	is_told(w, 0x71, 0x03, 0x0c, 0x00);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 100);
	is_told(w, 0x70, 0x06, 0x2a, 0x01);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 100);
	is_told_nothing(w);
	world_end(w);
}

/* The administrator has named another LUN since: of that one no write is lost; but it is another.
 */
static void a_loss_of_another_lun(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	world_up(w);
	push_deferred(sim_path(w, "8:0"), 0x03, 0x0c, 0x00);
	advance(w, 10001);
	kill_world(w, 0);
	exchange_lun(sim_path(w, "8:0"), 1);
	strcpy(w->settings.wwid, w->luns[1].wwid);
	restart_world(w);
	advance(w, 100);
	expect_notice(w, "the LUN is");
	is_told(w, 0x70, 0x06, 0x3f, 0x03);
	is_told_nothing(w);
	world_end(w);
}

/* That a write is lost is said of each, or of all, but never taken for a mere change. */
static void more_losses_than_are_kept(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	uint8_t i;

	world_up(w);
	for (i = 0; i < NEWS_MAX + 3; i++) {
		push_deferred(p, 0x04, 0x44, i);
		advance(w, 5001);
	}
	push_ua(p, 0x2a, 0x01);
	advance(w, 5001);
	expect(w, !p->nexus.nr_uas && !p->nexus.nr_deferred);
	for (i = 0; i < NEWS_MAX; i++)
		is_told(w, 0x71, 0x04, 0x44, i);
	is_told(w, 0x71, 0x03, 0x0c, 0x00);
	is_told(w, 0x70, 0x06, 0x29, 0x00);
	is_told_nothing(w);
	world_end(w);
}

/* --- resets, which end reservations --- */

#define submit_reserve(w) submit_cdb(w, (const uint8_t[6]){0x16}, 6, 0)

/* Reservations are LIO's: no such command comes so far, and a reset is the array's own business. */
static void a_reset_without_reservations(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *write;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x29, 0x03);
	write = submit_write(w, 0, 1);
	advance(w, 20);
	expect_good(w, write);
	expect(w, write->nr_starts == 2);
	push_ua(sim_path(w, "8:0"), 0x29, 0x03);
	advance(w, 5001);
	is_told_nothing(w);
	world_end(w);
}

/* They are the array's: who believes to have one must not write before he has heard of the reset.
 */
static void a_reset_that_may_end_a_reservation(void)
{
	struct world *w;
	struct sim_io *io;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		w = world_new(FAIL ONE_PATH);
		world_up(w);
		io = i == 0 ? submit_reserve(w) : i == 1 ? submit_pr_out(w) : submit_pr_in(w);
		advance(w, 5);
		push_ua(sim_path(w, "8:0"), 0x29, 0x02 + i);
		io = submit_write(w, 0, 1);
		advance(w, 20);
		expect_sense(w, io, 0x06, 0x29, 0x02 + (uint8_t)i);
		expect(w, io->nr_executions == 0 && io->nr_starts == 1);
		is_told_nothing(w);

		push_ua(sim_path(w, "8:0"), 0x29, 0x07); /* the checker hears it */
		advance(w, 5001);
		expect(w, !sim_path(w, "8:0")->nexus.nr_uas && sim_path(w, "8:0")->path->active);
		is_told(w, 0x70, 0x06, 0x29, 0x07);
		is_told_nothing(w);
		world_end(w);
	}
}

/* scsi_dh_alua has the command repeated that was told: only the kernel's uevent tells of it. */
static void a_reset_that_the_kernel_keeps(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	world_up(w);
	kernel_hears(sim_path(w, "8:0"), HEARD_RESET);
	advance(w, 5);
	is_told_nothing(w); /* reservations are LIO's */
	submit_pr_in(w);
	advance(w, 9000);
	kernel_hears(sim_path(w, "8:0"), HEARD_RESET); /* perhaps it was before */
	advance(w, 1000);
	is_told_nothing(w);
	kernel_hears(sim_path(w, "8:0"), HEARD_RESET);
	advance(w, 5);
	is_told(w, 0x70, 0x06, 0x29, 0x00);
	kernel_hears(sim_path(w, "8:0"), HEARD_RESET); /* by the other paths, too */
	advance(w, 5);
	is_told_nothing(w);
	advance(w, 10000);
	kernel_hears(sim_path(w, "8:0"), HEARD_RESET);
	advance(w, 5);
	is_told(w, 0x70, 0x06, 0x29, 0x00);
	world_end(w);
}

/* Nobody has kept it: who was told need not be told again. */
static void a_reset_that_the_kernel_hears_of_only(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	submit_pr_in(w);
	advance(w, 5);
	push_ua(sim_path(w, "8:0"), 0x29, 0x00);
	io = submit_write(w, 0, 1);
	advance(w, 20);
	expect_sense(w, io, 0x06, 0x29, 0x00);
	kernel_hears(sim_path(w, "8:0"), HEARD_RESET);
	advance(w, 5);
	is_told_nothing(w);
	world_end(w);
}

/* Who has a reservation has it from before the restart: he must hear of the reset all the same. */
static void a_reset_after_a_restart(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	submit_pr_in(w);
	advance(w, 5);
	expect(w, w->nr_memory_changes == 1); /* not with each of them */
	submit_pr_in(w);
	advance(w, 5);
	expect(w, w->nr_memory_changes == 1);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 20000);
	is_told_nothing(w);
	push_ua(sim_path(w, "8:0"), 0x29, 0x03);
	io = submit_write(w, 0, 1);
	advance(w, 20);
	expect_sense(w, io, 0x06, 0x29, 0x03);
	expect(w, io->nr_executions == 0);
	world_end(w);
}

/* The first question of a path brings it, when nobody knows yet whose LUN that is. */
static void a_reset_while_nobody_is_there(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	submit_pr_in(w);
	advance(w, 5);
	kill_world(w, 0);
	push_ua(p, 0x29, 0x03);
	restart_world(w);
	advance(w, 20000);
	is_told(w, 0x70, 0x06, 0x29, 0x03);
	is_told_nothing(w);

	kill_world(w, 0);
	push_ua(p, 0x29, 0x03);
	push_ua(p, 0x2a, 0x03);
	restart_world(w);
	advance(w, 20000);
	is_told(w, 0x70, 0x06, 0x29, 0x00); /* which stands for all */
	is_told_nothing(w);
	world_end(w);
}

static void a_disk_comes_again_with_a_new_nexus(void)
{
	struct sim_path *p;
	struct world *w;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		w = world_new(FAIL ONE_PATH);
		p = sim_path(w, "8:0");
		world_up(w);
		submit_pr_in(w);
		advance(w, 5);
		set_mode(p, MODE_GONE);
		submit_read(w, 0, 1);
		advance(w, 3000);
		expect(w, !p->is_open);
		if (i)
			exchange_lun_saying(p, 1, 0x29, 0x07);
		else
			push_ua(p, 0x29, 0x07);
		set_mode(p, MODE_UP);
		advance(w, 6000);
		if (!i) {
			is_told(w, 0x70, 0x06, 0x29, 0x07);
			is_told_nothing(w);
		}
		world_end(w);
	}
}

/* So it is when the states of the port groups are asked for. */
static void a_reset_that_the_hardware_handler_hears(void)
{
	struct world *w = world_new(FAIL TWO_PATHS_ALUA);
	unsigned int nr_rtpg;

	give_port_groups(w, 1, 2);
	world_up(w);
	submit_pr_in(w);
	advance(w, 20);
	nr_rtpg = w->luns[0].nr_rtpg;
	push_ua(sim_path(w, "8:0"), 0x29, 0x00);
	kernel_hears(sim_path(w, "8:0"), HEARD_STATES);
	advance(w, 2500);
	expect(w, w->luns[0].nr_rtpg == nr_rtpg + 1 && !sim_path(w, "8:0")->nexus.nr_uas);
	is_told(w, 0x70, 0x06, 0x29, 0x00);
	is_told_nothing(w);
	world_end(w);
}

/* --- what is the initiators', and only the kernel has heard --- */

static const struct {
	enum mpath_heard heard;
	uint8_t asc, ascq;
} kernel_words[] = {{HEARD_MODE, 0x2a, 0x01}, {HEARD_SPACE, 0x38, 0x07}};

/* scsi_dh_alua has the command repeated that was told of 2A/01; 38/07 a rescan may have met. */
static void a_word_that_the_kernel_keeps(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t asc = kernel_words[i].asc, ascq = kernel_words[i].ascq;
		struct world *w = world_new(FAIL TWO_PATHS);

		world_up(w);
		kernel_hears(sim_path(w, "8:0"), kernel_words[i].heard);
		kernel_hears(sim_path(w, "8:16"), kernel_words[i].heard);
		is_told(w, 0x70, 0x06, asc, ascq);
		is_told_nothing(w);
		kernel_hears(sim_path(w, "8:0"), kernel_words[i].heard); /* again, at once */
		kill_world(w, 0);
		restart_world(w);
		advance(w, 100);
		is_told(w, 0x70, 0x06, asc, ascq);
		is_told_nothing(w);
		world_end(w);
	}
}

/* Who was told, by his own command or after one of ours, need not be told again. */
static void a_word_that_the_kernel_hears_of_only(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t asc = kernel_words[i].asc, ascq = kernel_words[i].ascq;
		struct world *w = world_new(FAIL ONE_PATH);
		struct sim_path *p = sim_path(w, "8:0");
		struct sim_io *io;

		world_up(w);
		push_ua(p, asc, ascq);
		io = submit_write(w, 0, 1);
		advance(w, 20);
		expect_sense(w, io, 0x06, asc, ascq);
		kernel_hears(p, kernel_words[i].heard);
		is_told_nothing(w);

		push_ua(p, asc, ascq); /* the checker hears it */
		advance(w, 5001);
		expect(w, !p->nexus.nr_uas);
		is_told(w, 0x70, 0x06, asc, ascq);
		kernel_hears(p, kernel_words[i].heard);
		is_told_nothing(w);

		kernel_hears(p, kernel_words[i].heard); /* once more, and that it has kept */
		is_told(w, 0x70, 0x06, asc, ascq);
		is_told_nothing(w);
		world_end(w);
	}
}

/* One word of the kernel's is not taken for another. */
static void another_word_than_was_told(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *io;

	world_up(w);
	push_ua(p, 0x29, 0x03);
	io = submit_write(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	kernel_hears(p, HEARD_MODE);
	is_told(w, 0x70, 0x06, 0x2a, 0x01);
	kernel_hears(p, HEARD_RESET);
	is_told_nothing(w);
	world_end(w);
}

/* It may have been any word; that space is running out nobody is told without knowing it. */
static void a_word_that_got_lost(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	kernel_hears(sim_path(w, "8:0"), HEARD_ANYTHING);
	kernel_hears(sim_path(w, "8:16"), HEARD_ANYTHING);
	is_told(w, 0x70, 0x06, 0x2a, 0x01);
	is_told_nothing(w);
	world_end(w);
}

/* It speaks of another LUN, which the initiators have never seen. */
static void a_word_about_another_lun(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:16");

	world_up(w);
	exchange_lun(p, 1);
	kernel_hears(p, HEARD_IDENTITY);
	advance(w, 1000);
	expect_notice(w, "8:16: not used: WWID is");
	kernel_hears(p, HEARD_MODE);
	is_told_nothing(w);
	world_end(w);
}

/* --- REQUEST SENSE --- */

/* Its data is the initiator's, to the last bit; not sent again. */
static struct sim_io *fetch_sense(struct world *w, uint8_t asc, uint8_t ascq)
{
	struct sim_io *io = submit_cdb(w, (const uint8_t[6]){0x03, [4] = 18}, 6, 18);

	advance(w, 2);
	expect_good(w, io);
	expect(w, io->buf[2] == 0x06 && io->buf[12] == asc && io->buf[13] == ascq);
	expect(w, io->nr_starts == 1);
	return io;
}

/*
 * It may be another LUN by now, and the array has said so, once, to a REQUEST SENSE: no further
 * write may go there.
 */
static void an_exchanged_lun_is_told_to_request_sense(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *write;

	world_up(w);
	exchange_lun(p, 1);
	fetch_sense(w, 0x3f, 0x0e);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	expect(w, write->nr_executions == 0);
	expect_answer(w, write, SAM_CHECK_CONDITION);
	expect_notice(w, "8:0: not used: WWID is");
	world_end(w);
}

static void another_size_is_told_to_request_sense(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	w->paths[0].nexus.nr_blocks = w->paths[1].nexus.nr_blocks = 4096;
	push_ua(sim_path(w, "8:0"), 0x2a, 0x09);
	fetch_sense(w, 0x2a, 0x09);
	advance(w, 100);
	expect_notice(w, "the LUN is now");
	world_end(w);
}

/* As are other states of the port groups. */
static void other_states_are_told_to_request_sense(void)
{
	struct world *w = world_new(FAIL TWO_PATHS_ALUA);
	unsigned int nr_rtpg;

	give_port_groups(w, 1, 2);
	world_up(w);
	is_told_nothing(w); /* the group is activated for it */
	nr_rtpg = w->luns[0].nr_rtpg;
	push_ua(sim_path(w, "8:0"), 0x2a, 0x06);
	push_ua(sim_path(w, "8:16"), 0x2a, 0x06);
	fetch_sense(w, 0x2a, 0x06);
	advance(w, 100);
	expect(w, w->luns[0].nr_rtpg == nr_rtpg + 1);
	world_end(w);
}

/* When cmd_time_out is over the kernel takes no data either. */
static void a_request_sense_that_has_expired_fetches_it(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *io;

	w->backstore.cmd_time_out_ms = 10000;
	w->has_backstore = true;
	world_up(w);
	p->latency_ns = 9000 * NSEC_PER_MSEC;
	io = submit_cdb(w, (const uint8_t[6]){0x03, [4] = 18}, 6, 18);
	advance(w, 1);
	p->latency_ns = SIM_LATENCY;
	advance(w, 8900);
	push_ua(p, 0x2a, 0x03);
	advance(w, 200);
	expect_good(w, io);
	is_told(w, 0x70, 0x06, 0x2a, 0x03);
	is_told_nothing(w);
	world_end(w);
}

/* What has nothing to say of path and LUN says nothing. */
static void other_sense_is_not_ours(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x2a, 0x01);
	fetch_sense(w, 0x2a, 0x01);
	io = submit_cdb(w, (const uint8_t[6]){0x03, [4] = 252}, 6, 252);
	advance(w, 2);
	expect_good(w, io);
	expect(w, io->io.result.residual == 252 - 18 && io->buf[2] == 0);
	io = submit_cdb(w, (const uint8_t[6]){0x03}, 6, 0);
	advance(w, 2);
	expect_good(w, io);
	is_told_nothing(w);
	world_end(w);
}

int main(void)
{
	STORY(a_reset_without_reservations);
	STORY(a_reset_that_may_end_a_reservation);
	STORY(a_reset_that_the_kernel_keeps);
	STORY(a_reset_that_the_kernel_hears_of_only);
	STORY(a_reset_after_a_restart);
	STORY(a_reset_while_nobody_is_there);
	STORY(a_disk_comes_again_with_a_new_nexus);
	STORY(a_reset_that_the_hardware_handler_hears);
	STORY(a_word_that_the_kernel_keeps);
	STORY(a_word_that_the_kernel_hears_of_only);
	STORY(another_word_than_was_told);
	STORY(a_word_that_got_lost);
	STORY(a_word_about_another_lun);
	STORY(an_exchanged_lun_is_told_to_request_sense);
	STORY(another_size_is_told_to_request_sense);
	STORY(other_states_are_told_to_request_sense);
	STORY(a_request_sense_that_has_expired_fetches_it);
	STORY(other_sense_is_not_ours);
	STORY(an_aborted_command_hears_it);
	STORY(a_command_that_has_expired_hears_it);
	STORY(a_command_that_comes_too_late_is_not_told);
	STORY(more_unit_attentions_than_are_kept);
	STORY(more_losses_than_are_kept);
	STORY(a_loss_that_nobody_heard_before_the_restart);
	STORY(a_loss_of_another_lun);
	return end_of_stories();
}
