/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fences: a lost write is neither repeated nor answered while its old copy may still land (DESIGN
 * D9, hazards.md H10).  That nothing old appears after an acknowledgement, the oracle sees.
 */
#include <errno.h>
#include <string.h>

#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define FENCE_MS 20000 /* the way holds nothing back, and a command's time-out is 20 s */

static struct world *new_world(const char *table, enum fence_kind fence)
{
	struct world *w = world_new(table);

	w->settings.fence = fence;
	return w;
}

/* A write on 8:0 that is lost 1 ms later, not carried out, and the path with it. */
static struct sim_io *lose_write(struct world *w, uint64_t lba)
{
	struct sim_io *write;

	set_mode(sim_path(w, "8:0"), MODE_LOST);
	write = submit_write(w, lba, 1);
	advance(w, 1);
	expect_pending(w, write);
	return write;
}

/* The path that was lost delivers the write after all. */
static void land(struct world *w, const struct sim_io *write)
{
	w->luns[0].stamps[sim_lba(write->io.cmd.cdb)] = write->stamp;
}

static uint64_t read_stamp(struct world *w, uint64_t lba)
{
	struct sim_io *read = submit_read(w, lba, 1);

	advance(w, 2);
	expect_good(w, read);
	return sim_stamp(read->buf, 0);
}

/* The path is lost with a write on it: the write waits, reads and other writes go on; when the old
 * copy cannot land any more, the write is sent down the other path. */
static void a_lost_write_waits_for_time(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write, *other;

	world_up(w);
	write = lose_write(w, 0);
	expect_trace(w, "[100] group 1: now current\n"
			"[100] io 2a: start on 8:0\n"
			"[101] io 2a: transport lost on 8:0\n"
			"[101] path 8:0: failed (transport lost), 1 left\n"
			"[101] io 2a: its copy on 8:0 may still land, waits for its fence\n");
	expect_notice(w, "8:0: a write was lost and may still land: it waits for time, at most "
			 "20000 ms");
	expect_detail(w, "fence: time, at most 20000 ms");
	expect_detail(w, "1 write was lost and may still land: it waits for time, at most "
			 "20000 ms");
	other = submit_write(w, 1, 1);
	expect(w, read_stamp(w, 0) == 0);
	expect_good(w, other);

	advance(w, 5000);
	land(w, write);
	expect(w, read_stamp(w, 0) == write->stamp);
	forget_trace(w);
	advance(w, FENCE_MS - 5005);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	expect_trace(w, "...\n"
			"[20101] io 2a: its old copy cannot land any more (time)\n"
			"[20101] io 2a: start on 8:16\n"
			"[20102] io 2a: good\n");
	expect_notice(w, "mpatha: no lost write can land any more, after 20000 ms");
	expect(w, read_stamp(w, 0) == write->stamp);
	world_end(w);
}

/*
 * The lost write has landed, and somebody reads it, and writes the block anew.  Sent again after
 * that it would be old data on top: so the newer one waits, others do not.
 */
static void a_newer_write_is_not_overwritten(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *lost, *newer, *other;

	world_up(w);
	lost = lose_write(w, 0);
	land(w, lost);
	expect(w, read_stamp(w, 0) == lost->stamp);
	newer = submit_write(w, 0, 1);
	other = submit_write(w, 1, 1);
	advance(w, 2);
	expect_good(w, other);
	expect_pending(w, newer);
	expect_detail(w, "1 write waits for older ones to the same blocks");
	advance(w, FENCE_MS);
	expect_good(w, lost);
	advance(w, 2);
	expect_good(w, newer);
	expect(w, lost->nr_starts == 2 && read_stamp(w, 0) == newer->stamp);
	newer = submit_write(w, 0, 1);
	advance(w, 2);
	expect_good(w, newer);
	world_end(w);
}

/* What waits so can be aborted, and is answered in time. */
static void who_waits_for_an_older_write(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *lost, *aborted, *late;

	world_up(w);
	lost = lose_write(w, 0);
	aborted = submit_write(w, 0, 1);
	abort_task(w, aborted);
	expect_answer(w, aborted, SAM_TASK_ABORTED);
	set_cmd_time_out(w, 30);
	late = submit_write(w, 0, 1);
	set_cmd_time_out(w, 10);
	advance(w, 7998);
	expect_pending(w, late);
	advance(w, 10);
	expect_sense(w, late, 0x02, 0x08, 0x00);
	advance(w, FENCE_MS);
	expect(w, lost->nr_starts == 1 && !aborted->nr_starts && !late->nr_starts);
	world_end(w);

	/* The lost one is aborted; it is gone when it is answered. */
	w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	world_up(w);
	lost = lose_write(w, 0);
	late = submit_write(w, 0, 1);
	advance(w, 100);
	expect_pending(w, late);
	abort_task(w, lost);
	advance(w, 2);
	expect_pending(w, lost);
	expect_pending(w, late);
	advance(w, FENCE_MS);
	expect_answer(w, lost, SAM_TASK_ABORTED);
	expect_good(w, late);
	world_end(w);

	/* SIGTERM. */
	w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	world_up(w);
	lose_write(w, 0);
	late = submit_write(w, 0, 1);
	shut_down_world(w);
	expect_answer(w, late, SAM_BUSY);
	expect_answer(w, submit_write(w, 0, 1), SAM_BUSY);
	world_end(w);
}

/* Two are lost that write to the same block: one after the other, and none waits for ever. */
static void two_lost_writes_to_one_block(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *first, *second, *third;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	first = submit_write(w, 0, 1);
	second = submit_write(w, 0, 2);
	third = submit_write(w, 1, 1);
	advance(w, FENCE_MS + 3);
	expect_good(w, first);
	expect_pending(w, third);
	advance(w, 3);
	expect_good(w, second);
	expect_good(w, third);
	expect(w, first->answered_seq < second->answered_seq);
	expect(w, second->answered_seq < third->answered_seq);
	world_end(w);
}

/* COMPARE AND WRITE, WRITE SAME, UNMAP and what may write anywhere wait, too; all else goes on. */
static void what_waits_for_a_lost_write(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *waits[6], *goes[6];
	unsigned int i;

	world_up(w);
	lose_write(w, 2);
	waits[0] = submit_caw(w, 2, 0);
	waits[1] = submit_write_same(w, 1, 2, false);
	waits[2] = submit_unmap(w, 2, 4);
	waits[3] = submit_cdb(w, (const uint8_t[16]){0x83, [13] = 16}, 16, 16); /* EXTENDED COPY */
	waits[4] = submit_cdb(w, (const uint8_t[16]){0x85, 0x0b, 0x06, [6] = 1, [14] = 0x35}, 16,
			      512); /* ATA PASS-THROUGH: WRITE DMA EXT */
	waits[5] = submit_cdb(w, (const uint8_t[6]){0xc1}, 6, 0); /* a vendor's: who knows? */
	goes[0] = submit_caw(w, 3, 0);
	goes[1] = submit_write_same(w, 0, 2, false);
	goes[2] = submit_unmap(w, 3, 4);
	goes[3] = submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
	goes[4] = submit_pr_out(w);
	goes[5] = submit_cdb(w, (const uint8_t[16]){0x85, 0x09, 0x0e, [6] = 1, [14] = 0xec}, 16,
			     512); /* IDENTIFY DEVICE */
	advance(w, 5);
	for (i = 0; i < 5; i++)
		expect_good(w, goes[i]);
	expect_sense(w, goes[5], 0x05, 0x20, 0x00); /* the array's word: it has no SATA disk */
	for (i = 0; i < 6; i++)
		expect_pending(w, waits[i]);
	advance(w, FENCE_MS + 10);
	expect_sense(w, waits[0], 0x0e, 0x1d, 0x00);
	for (i = 1; i < 4; i++)
		expect_good(w, waits[i]);
	for (; i < 6; i++)
		expect_sense(w, waits[i], 0x05, 0x20, 0x00);
	world_end(w);
}

/*
 * The lost write is held until there is a path, which may be for ever.  What is not held without
 * one (D15) is answered as it would be otherwise, whenever the last path has gone.
 */
static void what_is_not_held_does_not_wait_without_a_path(void)
{
	const uint8_t vendors[6] = {0xc1};
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *lost, *held, *before, *after;

	world_up(w);
	lost = lose_write(w, 2);
	before = submit_cdb(w, vendors, 6, 0);
	held = submit_write(w, 2, 1);
	advance(w, 1);
	expect_pending(w, before);
	expect(w, message(w, "fail_path 8:0") == 0);
	expect(w, message(w, "fail_path 8:16") == 0);
	advance(w, 1);
	expect_sense(w, before, 0x02, 0x08, 0x00);
	after = submit_cdb(w, vendors, 6, 0);
	advance(w, 1);
	expect_sense(w, after, 0x02, 0x08, 0x00);
	expect(w, !before->nr_starts && !after->nr_starts);
	advance(w, 2 * FENCE_MS);
	expect_sense(w, submit_cdb(w, vendors, 6, 0), 0x02, 0x08, 0x00);
	expect_pending(w, lost);
	expect_pending(w, held);
	expect(w, message(w, "reinstate_path 8:16") == 0);
	advance(w, 10);
	expect_good(w, lost);
	expect_good(w, held);
	world_end(w);

	/* And so is a write if nothing is held. */
	w = new_world("0 " TWO_GROUPS, FENCE_TIME);
	world_up(w);
	lost = lose_write(w, 2);
	held = submit_write(w, 2, 1);
	advance(w, 1);
	expect_pending(w, held);
	expect(w, message(w, "fail_path 8:16") == 0);
	advance(w, 1);
	expect_sense(w, held, 0x02, 0x08, 0x00);
	expect_pending(w, lost);
	advance(w, FENCE_MS);
	expect(w, lost->state == SIM_IO_ANSWERED);
	world_end(w);
}

/* Nor for longer than others wait for a path, though the lost write does: its fence may be long. */
static void who_waits_without_a_path_has_no_more_patience(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *lost, *behind, *other;

	w->settings.no_path_timeout_write_ms = 5000;
	world_up(w);
	lost = lose_write(w, 2);
	expect(w, message(w, "fail_path 8:16") == 0);
	behind = submit_write(w, 2, 1);
	other = submit_write(w, 3, 1);
	advance(w, 4990);
	expect_pending(w, behind);
	advance(w, 20);
	expect_sense(w, other, 0x02, 0x08, 0x00);
	expect_sense(w, behind, 0x02, 0x08, 0x00);
	expect_pending(w, lost);
	advance(w, FENCE_MS);
	expect(w, lost->state == SIM_IO_ANSWERED && lost->nr_starts == 1);
	world_end(w);

	/* Or when the administrator does not want anybody to wait. */
	w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	world_up(w);
	lost = lose_write(w, 2);
	expect(w, message(w, "fail_path 8:16") == 0);
	behind = submit_write(w, 2, 1);
	advance(w, 10);
	expect_pending(w, behind);
	expect(w, message(w, "fail_if_no_path") == 0);
	expect_sense(w, behind, 0x02, 0x08, 0x00);
	expect_pending(w, lost);
	advance(w, FENCE_MS);
	world_end(w);
}

/* What sets something is sent again like a write: a LUN that was started must not be stopped then.
 */
static void settings_come_in_their_order(void)
{
	const uint8_t stop[6] = {0x1b}, start[6] = {0x1b, 0, 0, 0, 1};
	const uint8_t mode_select[10] = {0x55, 0x10, [8] = 24};
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *lost, *waits[3], *goes[3];
	unsigned int i;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	lost = submit_cdb(w, stop, 6, 0);
	advance(w, 1);
	waits[0] = submit_cdb(w, start, 6, 0);
	waits[1] = submit_cdb(w, mode_select, 10, 24);
	waits[2] = submit_cdb(w, (const uint8_t[16]){0x83, [13] = 16}, 16, 16); /* EXTENDED COPY */
	goes[0] = submit_write(w, 0, 1);
	goes[1] = submit_read(w, 1, 1);
	goes[2] = submit_pr_out(w);
	advance(w, 5);
	for (i = 0; i < 3; i++) {
		expect_good(w, goes[i]);
		expect_pending(w, waits[i]);
	}
	advance(w, 2 * 60 * 1000 + 5); /* its time-out */
	expect(w, lost->state == SIM_IO_ANSWERED && lost->nr_starts == 2);
	for (i = 0; i < 3; i++)
		expect(w, waits[i]->state == SIM_IO_ANSWERED && waits[i]->nr_starts == 1 &&
				  lost->answered_seq < waits[i]->answered_seq);
	world_end(w);
}

/* It has minutes, so who waits for it waits long: that is only for what is in its list. */
static void a_lost_unmap_holds_what_it_names(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *lost, *waits[3], *goes[3];
	unsigned int i;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	lost = submit_unmap_of_two(w, 9, 2);
	advance(w, 1);
	expect_pending(w, lost);
	waits[0] = submit_write(w, 2, 1);
	waits[1] = submit_write(w, 8, 2);
	waits[2] = submit_unmap_of_two(w, 12, 9);
	goes[0] = submit_write(w, 3, 6);
	goes[1] = submit_write(w, 10, 1);
	goes[2] = submit_unmap_of_two(w, 1, 13);
	advance(w, 5);
	for (i = 0; i < 3; i++)
		expect_good(w, goes[i]);
	for (i = 0; i < 3; i++)
		expect_pending(w, waits[i]);
	advance(w, 2 * 60 * 1000);
	expect_good(w, lost);
	for (i = 0; i < 3; i++)
		expect_good(w, waits[i]);
	world_end(w);

	/* Nor does one wait for what it does not name. */
	w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	world_up(w);
	lost = lose_write(w, 5);
	goes[0] = submit_unmap_of_two(w, 4, 6);
	waits[0] = submit_unmap_of_two(w, 4, 5);
	advance(w, 5);
	expect_good(w, goes[0]);
	expect_pending(w, waits[0]);
	advance(w, FENCE_MS);
	expect_good(w, lost);
	expect_good(w, waits[0]);
	world_end(w);
}

static unsigned int count_trace(const struct world *w, const char *what)
{
	const char *at = w->trace;
	unsigned int n = 0;

	while (at && (at = strstr(at, what))) {
		at += strlen(what);
		n++;
	}
	return n;
}

/* Of many lost writes each answer lets go who waits for that one: the others are not looked at. */
static void an_answer_lets_go_who_waits_for_it(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *lost[20], *waits[5];
	unsigned int i;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	for (i = 0; i < 20; i++)
		lost[i] = submit_write(w, i, 1);
	advance(w, 1);
	for (i = 0; i < 5; i++)
		waits[i] = submit_write(w, 19, 1);
	advance(w, FENCE_MS + 10);
	for (i = 0; i < 20; i++)
		expect_good(w, lost[i]);
	for (i = 0; i < 5; i++)
		expect_good(w, waits[i]);
	expect(w, count_trace(w, "waits for an older write") == 5);
	world_end(w);
}

/* Of many to one block each waits for the last before it, and is looked at when that is answered.
 */
static void many_lost_writes_to_one_block(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *lost[5], *newer;
	unsigned int i;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	for (i = 0; i < 5; i++)
		lost[i] = submit_write(w, 0, 1);
	advance(w, 1);
	newer = submit_write(w, 0, 1);
	advance(w, FENCE_MS + 10);
	expect_good(w, newer);
	for (i = 0; i < 5; i++)
		expect_good(w, lost[i]);
	for (i = 0; i < 4; i++)
		expect(w, lost[i]->answered_seq < lost[i + 1]->answered_seq);
	expect(w, lost[4]->answered_seq < newer->answered_seq);
	expect(w, count_trace(w, "waits for an older write") == 5);
	world_end(w);
}

/*
 * The one that is waited for waits itself, and is answered there; those behind it go on, also from
 * where they have been brought meanwhile.
 */
static void who_waits_behind_one_that_waits(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *first, *second, *third, *fourth;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	first = submit_write(w, 0, 1);
	second = submit_write(w, 0, 2);
	advance(w, 1);
	third = submit_write(w, 1, 1);
	fourth = submit_write(w, 0, 1);
	advance(w, FENCE_MS - 5);
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	advance(w, 10);
	expect(w, first->nr_starts == 2);
	abort_task(w, second);
	expect_answer(w, second, SAM_TASK_ABORTED);
	advance(w, 1);
	expect(w, third->nr_starts == 1 && !fourth->nr_starts);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 3 * FENCE_MS);
	expect_good(w, first);
	expect_good(w, third);
	expect_good(w, fourth);
	expect(w, first->answered_seq < fourth->answered_seq);
	world_end(w);

	/* All wait for resume. */
	w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	world_up(w);
	first = lose_write(w, 0);
	second = submit_write(w, 0, 1);
	third = submit_write(w, 0, 1);
	expect(w, message(w, "suspend noflush") == 0);
	advance(w, FENCE_MS + 5);
	expect_pending(w, first);
	expect_pending(w, second);
	abort_task(w, third);
	expect_answer(w, third, SAM_TASK_ABORTED);
	expect(w, message(w, "resume") == 0);
	advance(w, 5);
	expect_good(w, first);
	expect_good(w, second);
	expect(w, first->answered_seq < second->answered_seq);
	world_end(w);
}

/* The target has aborted a write half way: what is read of it is overwritten by nobody either. */
static void a_write_that_is_tried_again(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *again, *newer;

	world_up(w);
	answer_with_sense(sim_path(w, "8:0"), 0x0b, 0x44, 0x00, 3);
	again = submit_write(w, 0, 1);
	advance(w, 4);
	expect_pending(w, again);
	newer = submit_write(w, 0, 1);
	advance(w, 3);
	expect_pending(w, newer);
	advance(w, 20);
	expect_good(w, again);
	expect_good(w, newer);
	expect(w, again->nr_starts == 4 && newer->nr_starts == 1);
	expect(w, read_stamp(w, 0) == newer->stamp);
	world_end(w);
}

/* What must not be repeated is answered, but not while it may still be carried out. */
static void what_runs_once_is_answered_after_the_fence(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *caw, *pr_out;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	caw = submit_caw(w, 0, 0);
	pr_out = submit_pr_out(w);
	advance(w, FENCE_MS - 1);
	expect_pending(w, caw);
	land(w, caw);
	advance(w, 2);
	expect_sense(w, caw, 0x04, 0x08, 0x01);
	expect(w, caw->nr_starts == 1);
	advance(w, 60000); /* PERSISTENT RESERVE OUT may take longer by itself */
	expect_sense(w, pr_out, 0x04, 0x08, 0x01);
	world_end(w);
}

/* What was never sent, or was answered by the target, goes elsewhere at once. */
static void what_cannot_land_does_not_wait(void)
{
	static const enum sim_mode modes[] = {MODE_NOT_SENT,	MODE_GONE,	    MODE_STANDBY,
					      MODE_UNAVAILABLE, MODE_TRANSITIONING, MODE_REFUSED};
	struct sim_io *write;
	unsigned int i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);

		world_up(w);
		set_mode(sim_path(w, "8:0"), modes[i]);
		write = submit_write(w, 0, 1);
		advance(w, 5);
		expect_good(w, write);
		expect_no_notice(w, "may still land");
		world_end(w);
	}
}

/* Reads are sent elsewhere whatever was lost. */
static void reads_never_wait(void)
{
	static const enum sim_mode modes[] = {MODE_LOST, MODE_FAULT, MODE_ORPHANED};
	unsigned int i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
		struct sim_io *read, *sync;

		world_up(w);
		set_mode(sim_path(w, "8:0"), modes[i]);
		read = submit_read(w, 0, 1);
		sync = submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
		advance(w, 5);
		expect_good(w, read);
		expect_good(w, sync);
		world_end(w);
	}
}

/* A write that timed out, or that the adapter says failed, may land as one that was lost: also when
 * there is only its own path to repeat it on, and that is well. */
static void the_same_path_is_no_exception(void)
{
	static const enum sim_mode modes[] = {MODE_TIMEOUT, MODE_FAULT};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
		struct sim_io *write;

		world_up(w);
		set_io_mode(sim_path(w, "8:0"), modes[i], 1);
		write = submit_write(w, 0, 1);
		advance(w, (modes[i] == MODE_TIMEOUT ? 20000 : 1) + FENCE_MS - 1);
		expect_pending(w, write);
		expect(w, write->nr_starts == 1);
		advance(w, 5);
		expect_good(w, write);
		world_end(w);
	}
}

/* A path is lost that may hold back what was sent down it: that comes on top. */
static void the_way_may_hold_it(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write;

	sim_path(w, "8:0")->transit_ms = 10000;
	world_up(w);
	write = lose_write(w, 0);
	expect_detail(w, "fence: time, at most 30000 ms");
	advance(w, FENCE_MS + 9999);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);
}

/* The administrator knows better. */
static void the_fence_time_is_what_was_set(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write;

	w->settings.fence_time_ms = 500;
	sim_path(w, "8:0")->transit_ms = 10000;
	world_up(w);
	write = lose_write(w, 0);
	advance(w, 499);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);
}

/* The device went away and the kernel still has the write: the fence begins when the kernel must
 * have given it up. */
static void an_orphan_is_the_kernels_first(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_ORPHANED);
	write = submit_write(w, 0, 1);
	advance(w, 20000 + 30000 + FENCE_MS - 1);
	expect_pending(w, write);
	advance(w, 3);
	expect_good(w, write);
	world_end(w);
}

/* write() has slept for 25 s, as the host had no tag left, before the kernel had the write: its
 * time begins with that. */
static void an_orphan_that_was_sent_late(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_ORPHANED);
	sim_path(w, "8:0")->write_sleeps_ns = 25 * NSEC_PER_SEC;
	sim_path(w, "8:0")->latency_ns = 26 * NSEC_PER_SEC;
	write = submit_write(w, 0, 1);
	advance(w, 25000 + 20000 + 30000 + FENCE_MS - 1);
	expect_pending(w, write);
	advance(w, 3);
	expect_good(w, write);
	world_end(w);
}

/* A task management function names the write while it waits: it is not repeated, and its answer
 * waits, so that ABORT TASK is not complete while the write may still land. */
static void an_aborted_write_is_answered_after_its_fence(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write, *caw;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	caw = submit_caw(w, 1, 0);
	write = submit_write(w, 0, 1);
	advance(w, 1000);
	abort_task(w, write);
	abort_task(w, caw);
	expect_pending(w, write);
	advance(w, FENCE_MS - 1000);
	expect_pending(w, write);
	expect_pending(w, caw);
	advance(w, 2);
	expect_answer(w, write, SAM_TASK_ABORTED);
	expect_answer(w, caw, SAM_TASK_ABORTED);
	expect(w, write->nr_starts == 1);
	world_end(w);
}

/* The deadline passes while the write waits: it is not sent again, but answered after the fence. */
static void a_deadline_does_not_break_the_fence(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write;

	set_cmd_time_out(w, 15);
	world_up(w);
	write = lose_write(w, 0);
	advance(w, FENCE_MS - 1);
	expect_pending(w, write);
	advance(w, 2);
	expect_sense(w, write, 0x02, 0x08, 0x00);
	expect(w, write->nr_starts == 1);
	world_end(w);
}

/* SIGTERM, and close(): what waits for a fence is answered after it, and the map ends then. */
static void the_end_waits_for_fences(void)
{
	struct world *w = new_world(QUEUE ONE_PATH, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	write = lose_write(w, 0);
	shut_down_world(w);
	advance(w, 1000);
	expect_pending(w, write);
	stop_world(w);
	advance(w, FENCE_MS - 1001);
	expect_pending(w, write);
	expect(w, !w->stopped);
	advance(w, 2);
	expect_answer(w, write, SAM_BUSY);
	advance(w, 10);
	expect(w, w->stopped);
	world_end(w);
}

/* Behind its fence the write waits for a path, as any other: then it can be aborted at once. */
static void after_the_fence_it_is_held_as_others(void)
{
	struct world *w = new_world(QUEUE ONE_PATH, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	write = lose_write(w, 0);
	advance(w, FENCE_MS + 100);
	expect_pending(w, write);
	abort_task(w, write);
	expect_answer(w, write, SAM_TASK_ABORTED);
	world_end(w);
}

/* All paths are lost: the write waits for its fence and for a path, whichever comes last. */
static void fence_and_path(void)
{
	unsigned int path_first;

	for (path_first = 0; path_first < 2; path_first++) {
		struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
		struct sim_io *write;

		world_up(w);
		set_mode(sim_path(w, "8:16"), MODE_LOST);
		write = lose_write(w, 0);
		expect_answer(w, submit_inquiry(w), SAM_GOOD);
		submit_read(w, 1, 1); /* finds that the other one is lost, too */
		advance(w, path_first ? 3000 : FENCE_MS + 3000);
		expect_pending(w, write);
		set_mode(sim_path(w, "8:16"), MODE_UP);
		advance(w, path_first ? FENCE_MS - 3002 : 0);
		expect_pending(w, write);
		advance(w, 2000);
		expect_good(w, write);
		expect(w, write->last_path == sim_path(w, "8:16"));
		world_end(w);
	}
}

/* Repeated on the other path the write is lost again: another fence. */
static void lost_twice_fenced_twice(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	set_io_mode(sim_path(w, "8:16"), MODE_LOST, 1);
	write = lose_write(w, 0);
	advance(w, FENCE_MS + 1);
	expect_pending(w, write);
	expect(w, write->nr_starts == 2);
	land(w, write);
	advance(w, FENCE_MS - 1);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	expect(w, write->nr_starts == 3);
	world_end(w);
}

/* A write that breaks in every adapter ends in an error, which also waits for the last fence. */
static void giving_up_waits_too(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_FAULT, 0);
	set_io_mode(sim_path(w, "8:16"), MODE_FAULT, 0);
	write = submit_write(w, 0, 1);
	advance(w, FENCE_MS + 100);
	expect_pending(w, write);
	expect(w, write->nr_starts == 2);
	advance(w, FENCE_MS);
	expect_sense(w, write, 0x04, 0x08, 0x00);
	world_end(w);
}

/* Likewise one that leaves path after path in doubt. */
static void giving_up_on_many_paths_waits_too(void)
{
	struct world *w = new_world(QUEUE SIXTEEN_PATHS, FENCE_TIME);
	struct sim_io *write;
	unsigned int i;

	world_up(w);
	for (i = 0; i < w->nr_paths; i++)
		set_io_mode(&w->paths[i], MODE_FAULT, 0);
	write = submit_write(w, 0, 1);
	for (i = 0; i <= IO_SUSPICIONS_MAX; i++) {
		advance(w, 100);
		expect_pending(w, write);
		expect(w, write->nr_starts == i + 1);
		advance(w, FENCE_MS - 99);
	}
	advance(w, 10);
	expect_sense(w, write, 0x04, 0x08, 0x00);
	world_end(w);
}

/* fence=none: at once, as dm-multipath, and the status says what that means. */
static void without_a_fence(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_NONE);
	struct sim_io *write, *caw;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	write = submit_write(w, 0, 1);
	caw = submit_caw(w, 1, 0);
	advance(w, 3);
	expect_good(w, write);
	expect_sense(w, caw, 0x04, 0x08, 0x01);
	expect_detail(w,
		      "fence: none: a lost write is sent again at once, and its old copy may land "
		      "on newer data");
	expect_no_notice(w, "may still land");
	world_end(w);
}

/* The WWID cannot be forgotten while a write for the LUN may land: it would be answered as if it
 * were nobody's. */
static void the_lun_is_not_forgotten_meanwhile(void)
{
	struct world *w = new_world(QUEUE ONE_PATH, FENCE_TIME);

	world_up(w);
	lose_write(w, 0);
	expect(w, message(w, "forget_wwid") == -EBUSY);
	expect(w, strcmp(w->text, "forget_wwid: a lost write may still land on the LUN") == 0);
	advance(w, FENCE_MS);
	expect(w, message(w, "forget_wwid") == 0);
	world_end(w);
}

/* A path that is lost again and again fills no log. */
static void the_log_is_not_flooded(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	unsigned int i;

	w->settings.fence_time_ms = 10;
	world_up(w);
	for (i = 0; i < 100; i++) {
		set_io_mode(sim_path(w, "8:0"), MODE_FAULT, 1);
		submit_write(w, 0, 1);
		advance(w, 100);
	}
	expect(w, count_notices(w, "a write was lost and may still land") <= 2);
	expect(w, count_notices(w, "a write was lost and may still land") ==
			  count_notices(w, "no lost write can land any more"));
	world_end(w);
}

/* A dead process's writes were lost with it: they may land until the kernel has given them up, and
 * then for the fence time. */
static void a_restart_waits_for_the_fence_too(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	sim_path(w, "8:16")->transit_ms = 5000;
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 50000 + 5000 + FENCE_MS - 101);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);
}

/* The path on which it may be on its way for long has left: that makes the way no shorter. */
static void a_restart_waits_for_the_way_of_a_path_that_has_left(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	struct sim_io *write;

	sim_path(w, "8:0")->foreign = 1;
	sim_path(w, "8:0")->transit_ms = 100000;
	world_up(w);
	expect(w, remove_path(w, "8:0") == 0);
	write = submit_write(w, 0, 1);
	advance(w, w->settings.restart_wait_ms + 100000 + FENCE_MS - 101);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);
}

/* Killed: nobody ends anything, and the next process has what is on disk, and the same clock. */
static struct world *next_process(struct world *w, enum fence_kind fence)
{
	struct world *next = new_world(QUEUE TWO_PATHS, fence);

	next->memory = w->saved;
	next->now_ns = w->now_ns;
	world_end(w);
	return next;
}

/* A write was lost and waits for its fence, when the process is killed.  The kernel has given it
 * up, so no counter shows it: it lands on what the next process writes, if that does not wait. */
static void a_fence_outlives_the_process(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	struct sim_io *write, *caw;

	world_up(w);
	lose_write(w, 0);
	expect(w, w->nr_fences_moved == 1);
	advance(w, 2000);

	w = next_process(w, FENCE_TIME);
	world_up(w);
	expect_notice(w, "mpatha: a former process lost writes that may still land: writes wait, "
			 "at most 19000 ms");
	expect_detail(w, "a former process lost writes that may still land: writes wait, at most "
			 "18900 ms");
	write = submit_write(w, 0, 1);
	caw = submit_caw(w, 1, 0);
	expect(w, read_stamp(w, 0) == 0);
	advance(w, 17800); /* 10 ms before the old fence ends */
	expect_pending(w, write);
	expect_pending(w, caw);
	expect_detail(w, "2 writes wait for commands of a former process");
	oracle_foreign_write(w, 0, 4711);
	advance(w, 1200); /* a next process is told one second more */
	expect_good(w, write);
	expect_good(w, caw);
	expect_notice(w, "mpatha: no write that a former process lost can land any more");
	expect(w, read_stamp(w, 0) == write->stamp);
	expect(w, w->nr_fences_over == 1);
	world_end(w);
}

/* Killed again before the end: the third process knows of it, too. */
static void a_fence_outlives_two_processes(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	lose_write(w, 0);
	w = next_process(w, FENCE_TIME);
	world_up(w);
	expect(w, message(w, "fail_path 8:16") == 0); /* which is saved with the rest */
	w = next_process(w, FENCE_TIME);
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 20700);
	expect_pending(w, write);
	advance(w, 200);
	expect_good(w, write);
	world_end(w);
}

/* Its counters say that something is out, and they are believed when the fence has ended. */
static void fence_and_counters_of_a_former_process(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	lose_write(w, 0);
	w = next_process(w, FENCE_TIME);
	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 500);
	sim_path(w, "8:0")->foreign = 0;
	advance(w, 20100);
	expect_pending(w, write);
	advance(w, 400);
	expect_good(w, write);
	world_end(w);
}

/* The next process begins without a path, and gets one before the fence has ended. */
static void fence_and_no_path(void)
{
	struct world *w = world_new(QUEUE "0 0 0");
	struct sim_io *write;

	w->settings.fence = FENCE_TIME;
	w->memory.fence_end_ns = SIM_EPOCH + 5000 * NSEC_PER_MSEC;
	world_up(w);
	expect(w, reload(w, QUEUE ONE_PATH) == 0);
	advance(w, 1000);
	write = submit_write(w, 0, 1);
	advance(w, 3899);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);
}

/* What is over by then holds nobody up. */
static void a_fence_that_is_over(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	struct sim_io *write;

	world_up(w);
	lose_write(w, 0);
	w = next_process(w, FENCE_TIME);
	w->now_ns += (FENCE_MS + 1000) * NSEC_PER_MSEC;
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 5);
	expect_good(w, write);
	expect_no_notice(w, "former process");
	world_end(w);
}

/* Nor is there a fence in the new settings, which wait for a former process all the same. */
static void a_fence_and_new_settings_without(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	struct sim_io *write;

	w->memory.fence_end_ns = UINT64_MAX;
	w->settings.fence = FENCE_NONE;
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, w->settings.restart_wait_ms - 101);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);
}

/* No fence lasts as long as that: the wait has an end. */
static void a_remembered_time_that_cannot_be(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	struct sim_io *write;

	w->memory.fence_end_ns = UINT64_MAX;
	w->settings.fence_time_ms = 5000;
	world_up(w);
	write = submit_write(w, 0, 1);
	/* the longest time-out, the kernel's error handling, fence */
	advance(w, 3600 * 1000 + 30000 + 5000 - 101);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);

	w = new_world(QUEUE TWO_PATHS, FENCE_TIME);
	w->memory.fence_end_ns = UINT64_MAX;
	world_up(w);
	write = submit_write(w, 0, 1);
	advance(w, 2 * 3600 * 1000 + 30000 - 101);
	expect_pending(w, write);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);
}

/* Many writes are lost: that is saved once, and once more when the end moves out by a second. */
static void not_every_fence_is_saved(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	unsigned int i;

	world_up(w);
	for (i = 0; i < 8; i++)
		submit_write(w, i, 1);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 500);
	expect(w, w->nr_fences_moved == 1);
	submit_write(w, 9, 1);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 2);
	expect(w, queue_length(&w->m->fenced) == 9 && w->nr_fences_moved == 1);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 1500);
	submit_write(w, 10, 1);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 2);
	expect(w, queue_length(&w->m->fenced) == 10 && w->nr_fences_moved == 2);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	expect(w, w->nr_fences_over == 0);
	advance(w, FENCE_MS);
	expect(w, w->nr_fences_moved == 2 && w->nr_fences_over == 1);
	world_end(w);
}

/* --- the kernel answers in our place --- */

/* A write hangs on its path until the kernel answers it: its initiator may write newer data then,
 * which must not be sent before the old write is gone.  Reads go on. */
static void an_overdue_write_holds_the_others_up(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *old, *newer, *read;

	w->settings.fence_time_ms = 1000;
	set_cmd_time_out(w, 10);
	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_HUNG, 0);
	old = submit_write(w, 0, 1);
	expect(w, message(w, "fail_path 8:0") == 0);
	advance(w, 7999);
	newer = submit_write(w, 1, 1);
	advance(w, 2);
	expect_good(w, newer);
	expect_notice(w,
		      "a write is not answered within cmd_time_out, so the kernel answers it, but "
		      "it may still land: other writes wait");

	advance(w, 3000);
	newer = submit_write(w, 0, 1);
	read = submit_read(w, 0, 1);
	advance(w, 2);
	expect_good(w, read);
	expect_pending(w, newer);
	expect_detail(w, "1 write waits for older ones that the kernel has answered, and that may "
			 "still land");
	set_io_mode(sim_path(w, "8:0"), MODE_LOST, 0);
	land(w, old);
	advance(w, 900);
	expect_pending(w, newer);
	advance(w, 110);
	expect_sense(w, old, 0x02, 0x08, 0x00);
	expect_good(w, newer);
	expect(w, read_stamp(w, 0) == newer->stamp);
	expect_notice(w, "no write is overdue any more: the others go on");
	world_end(w);
}

/* The machine, or the loop, stood still when it became overdue: the next event is not the clock's.
 */
static void overdue_while_the_loop_stood_still(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *old, *held, *newer;

	set_cmd_time_out(w, 10);
	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_HUNG, 0);
	old = submit_write(w, 0, 1);
	expect(w, message(w, "fail_path 8:0") == 0);
	expect(w, message(w, "fail_path 8:16") == 0);
	advance(w, 7000);
	held = submit_write(w, 0, 1);
	w->wake_late_ns = 5 * NSEC_PER_SEC;
	advance(w, 3500);
	newer = submit_write(w, 0, 1);
	expect(w, message(w, "reinstate_path 8:16") == 0);
	advance(w, 10);
	expect_pending(w, newer);
	expect_pending(w, held);
	w->wake_late_ns = 0;
	set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
	land(w, old);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10);
	expect_good(w, old);
	expect_good(w, newer);
	world_end(w);
}

/* Likewise a write that waits for its fence; a write that waits for it has its own deadline. */
static void an_overdue_fence_holds_the_others_up(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *old, *early, *late, *aborted;

	set_cmd_time_out(w, 12);
	world_up(w);
	old = lose_write(w, 0);
	advance(w, 10100);
	early = submit_write(w, 0, 1);
	aborted = submit_write(w, 0, 1);
	abort_task(w, aborted);
	expect_answer(w, aborted, SAM_TASK_ABORTED);
	advance(w, 9800);
	expect_pending(w, early);
	late = submit_write(w, 0, 1);
	advance(w, 101);
	expect_sense(w, old, 0x02, 0x08, 0x00);
	expect_good(w, late);
	expect_good(w, early);
	world_end(w);
}

/* Nothing but the deadline wakes the map in time. */
static void overdue_soon(void)
{
	struct world *w = new_world(FAIL TWO_GROUPS, FENCE_TIME);
	struct sim_io *newer;

	set_cmd_time_out(w, 2);
	world_up(w);
	set_io_mode(sim_path(w, "8:0"), MODE_HUNG, 0);
	submit_write(w, 0, 1);
	advance(w, 1001);
	newer = submit_write(w, 0, 1);
	expect(w, newer->nr_starts == 0);
	world_end(w);
}

/* The administrator takes cmd_time_out away when the kernel has answered the write already: it is
 * not sent again, nor does it wait for itself. */
static void overdue_once_overdue_for_ever(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *old;

	set_cmd_time_out(w, 12);
	world_up(w);
	old = lose_write(w, 0);
	advance(w, 11000);
	set_cmd_time_out(w, 0);
	advance(w, FENCE_MS);
	expect_sense(w, old, 0x02, 0x08, 0x00);
	expect(w, old->nr_starts == 1);
	world_end(w);
}

/* --- sessions --- */

#define SESSION	   4711
#define TRANSIT_MS 100000

static struct world *new_iscsi_world(enum fence_kind fence)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, fence);

	sim_path(w, "8:0")->session = SESSION;
	sim_path(w, "8:0")->transit_ms = TRANSIT_MS;
	world_up(w);
	return w;
}

/* The session is there again: what it carried has arrived, or never will, and the target has its
 * own time for it.  That is shorter than what a lost connection may hold it. */
static void a_new_session_ends_the_way(void)
{
	struct world *w = new_iscsi_world(FENCE_TIME);
	struct sim_io *write = lose_write(w, 0);

	expect_notice(w, "it waits for time, at most 120000 ms");
	advance(w, 3000);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	forget_trace(w);
	advance(w, 1000);
	expect_trace(w, "...\n"
			"[3105] io 2a: its old copy is not on its way any more (new session)\n"
			"...\n");
	expect_notice(w, "8:0: a new session: what was lost in the old one is not on its way any "
			 "more");
	advance(w, FENCE_MS - 1000 + 3);
	expect_pending(w, write);
	advance(w, 3);
	expect_good(w, write);
	world_end(w);
}

/* With fence=session the target's word is enough. */
static void a_new_session_ends_the_wait(void)
{
	struct world *w = new_iscsi_world(FENCE_SESSION);
	struct sim_io *write = lose_write(w, 0);

	expect_notice(w, "it waits for a new session, at most 120000 ms");
	expect_detail(w, "fence: session, at most 120000 ms");
	expect_detail(w, "1 write was lost and may still land: it waits for a new session, at "
			 "most 120000 ms");
	advance(w, 3000);
	land(w, write);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	forget_trace(w);
	advance(w, 1100);
	expect_good(w, write);
	expect_trace(w, "...\n"
			"[3105] io 2a: its old copy cannot land any more (new session)\n"
			"...\n");
	expect_notice(w, "8:0: a new session: what was lost in the old one cannot land any more");
	expect(w, read_stamp(w, 0) == write->stamp);
	world_end(w);
}

/* A reset need not wait for what is on its way, once nothing is. */
static void a_reset_after_a_new_session(void)
{
	struct world *w = new_iscsi_world(FENCE_LU_RESET);
	struct sim_io *write = lose_write(w, 0);

	advance(w, 3000);
	expect(w, !sim_path(w, "8:16")->nr_resets);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1200);
	expect_good(w, write);
	expect(w, sim_path(w, "8:0")->nr_resets + sim_path(w, "8:16")->nr_resets == 1);
	world_end(w);
}

/* What the administrator knows is longer than the target's time-out: that counts. */
static void a_new_session_and_a_fence_time(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_TIME);
	struct sim_io *write;

	w->settings.fence_time_ms = 60000;
	sim_path(w, "8:0")->session = SESSION;
	world_up(w);
	write = lose_write(w, 0);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 59999);
	expect_pending(w, write);
	expect(w, sim_path(w, "8:0")->nr_asked > 1);
	advance(w, 2);
	expect_good(w, write);
	world_end(w);
}

/* None of these is a session that was established anew after the loss. */
static void what_is_no_new_session(void)
{
	static const enum sim_mode modes[] = {MODE_FAULT, MODE_TIMEOUT};
	struct sim_io *write;
	struct world *w;
	unsigned int i;

	/* The target redirects the login: another port, or another portal. */
	w = new_iscsi_world(FENCE_SESSION);
	write = lose_write(w, 0);
	sim_path(w, "8:0")->session = SESSION + 1;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, TRANSIT_MS + FENCE_MS - 1);
	expect_pending(w, write);
	expect(w, sim_path(w, "8:0")->nr_asked > 2);
	world_end(w);

	/* It is lost again before it can be asked which it is. */
	w = new_iscsi_world(FENCE_SESSION);
	write = lose_write(w, 0);
	sim_path(w, "8:0")->session_unknown = true;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 30000);
	expect_pending(w, write);
	sim_path(w, "8:0")->session_unknown = false;
	advance(w, 5100);
	expect_good(w, write);
	world_end(w);

	/* The adapter says that the command failed, or nothing: the old session may go on. */
	for (i = 0; i < 2; i++) {
		w = new_iscsi_world(FENCE_SESSION);
		set_io_mode(sim_path(w, "8:0"), modes[i], 1);
		write = submit_write(w, 0, 1);
		advance(w, TRANSIT_MS + FENCE_MS - 1);
		expect_pending(w, write);
		advance(w, FENCE_MS + 10);
		expect_good(w, write);
		world_end(w);
	}

	/* Another path's session says nothing of this one. */
	w = new_world(QUEUE TWO_GROUPS, FENCE_SESSION);
	sim_path(w, "8:0")->session = SESSION;
	sim_path(w, "8:16")->session = SESSION + 1;
	world_up(w);
	write = lose_write(w, 0);
	advance(w, FENCE_MS - 1);
	expect_pending(w, write);
	expect(w, sim_path(w, "8:16")->nr_asked > 1);
	world_end(w);
}

/* A probe that was sent before the loss may have been answered in the old session. */
static void an_answer_to_what_was_sent_before(void)
{
	struct world *w = new_iscsi_world(FENCE_SESSION);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *write;

	p->latency_ns = 500 * NSEC_PER_MSEC;
	set_io_mode(p, MODE_LOST, 1);
	expect(w, message(w, "probe_path 8:0") == 0);
	expect(w, p->nr_asked == 1); /* when the path came up */
	advance(w, 1);
	p->latency_ns = SIM_LATENCY;
	write = submit_write(w, 0, 1);
	advance(w, 499); /* the probe is answered now */
	expect(w, p->nr_asked == 1);
	expect_pending(w, write);
	advance(w, 4); /* and so is the next one */
	expect_good(w, write);
	world_end(w);
}

/* A path is asked, and loses a write before it has told: not in the session that was there before
 * its last answer. */
static void a_write_that_is_lost_meanwhile(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_SESSION);
	struct sim_path *p = sim_path(w, "8:16");
	struct sim_io *write;

	sim_path(w, "8:0")->session = SESSION;
	p->session = SESSION + 1;
	world_up(w);
	lose_write(w, 0);
	advance(w, 2000);
	p->session_latency_ns = 1000 * NSEC_PER_MSEC;
	advance(w, 500); /* it was checked at 2500 ms */
	expect(w, p->nr_asked == 2);
	set_io_mode(p, MODE_LOST, 1);
	write = submit_write(w, 1, 1);
	advance(w, 999); /* it has told, and is to come back now */
	expect(w, queue_length(&w->m->fenced) == 2);
	p->session_latency_ns = SIM_LATENCY;
	advance(w, 1000);
	expect_good(w, write);
	world_end(w);
}

/* The login was redirected, and the path has not told yet where it leads, when it is lost again and
 * comes back as it was. */
static void a_write_that_was_lost_elsewhere(void)
{
	struct world *w = new_iscsi_world(FENCE_SESSION);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *write;

	set_io_mode(p, MODE_LOST, 1);
	submit_read(w, 0, 1);
	advance(w, 1);
	p->session = SESSION + 1;
	p->session_latency_ns = 100 * NSEC_PER_MSEC;
	expect(w, message(w, "switch_group 1") == 0);
	advance(w, 1050); /* it is back, and asked */
	write = lose_write(w, 0);
	p->session = SESSION;
	set_mode(p, MODE_UP);
	advance(w, TRANSIT_MS);
	expect_pending(w, write);
	expect(w, p->nr_asked > 2);
	world_end(w);
}

/* The write is lost between a path's coming up and its telling the session: time decides. */
static void a_session_that_is_not_known_yet(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_SESSION);
	struct sim_io *write;

	sim_path(w, "8:0")->session = SESSION;
	sim_path(w, "8:0")->session_unknown = true;
	world_up(w);
	write = lose_write(w, 0);
	expect_notice(w, "it waits for time, at most 20000 ms");
	sim_path(w, "8:0")->session_unknown = false;
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, FENCE_MS - 2);
	expect_pending(w, write);
	advance(w, 5);
	expect_good(w, write);
	world_end(w);
}

/* The device goes away with its session: the link is closed, and opened again when it is back. */
static void a_session_outlives_the_link(void)
{
	struct world *w = new_iscsi_world(FENCE_SESSION);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *write = lose_write(w, 0);

	set_mode(p, MODE_GONE);
	advance(w, 10000);
	expect(w, !p->is_open);
	set_mode(p, MODE_UP);
	advance(w, 6100);
	expect(w, p->nr_opens == 2);
	expect_good(w, write);
	world_end(w);
}

/* --- fence=lu_reset --- */

/* The LUN is reset through the path that is left: what it had received is gone, and the write goes
 * on at once.  The unit attention that follows is dealt with. */
static void a_reset_ends_the_wait(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_LU_RESET);
	struct sim_io *write;

	world_up(w);
	write = lose_write(w, 0);
	expect_notice(w, "8:0: a write was lost and may still land: it waits for a LOGICAL UNIT "
			 "RESET, at most 20000 ms");
	expect_detail(w, "fence: lu_reset, at most 20000 ms");
	forget_trace(w);
	advance(w, 100);
	expect_good(w, write);
	expect_trace(w, "[157] path 8:16: LOGICAL UNIT RESET\n"
			"[165] io 2a: its old copy cannot land any more (LOGICAL UNIT RESET)\n"
			"[165] group 2: now current\n"
			"[165] io 2a: start on 8:16\n"
			"[166] io 2a: good\n");
	expect_notice(w, "8:16: LOGICAL UNIT RESET: the lost writes cannot land any more");
	expect(w, sim_path(w, "8:0")->nr_resets == 0 && sim_path(w, "8:16")->nr_resets == 1);
	world_end(w);
}

/* A reset ends what the LUN has received.  What the way still holds would come after it. */
static void a_reset_waits_for_what_is_on_its_way(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_LU_RESET);
	struct sim_io *write;

	sim_path(w, "8:0")->transit_ms = 10000;
	world_up(w);
	write = lose_write(w, 0);
	advance(w, 9999);
	expect(w, sim_path(w, "8:16")->nr_resets == 0);
	advance(w, 100);
	expect_good(w, write);
	world_end(w);
}

/* Commands on the healthy paths end first, and new ones wait until the reset is done: it would
 * abort them without a word. */
static void a_reset_hits_none_of_ours(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_LU_RESET);
	struct sim_io *lost, *read, *write, *late;

	sim_path(w, "8:16")->reset_latency_ns = 300 * NSEC_PER_MSEC;
	world_up(w);
	lost = lose_write(w, 0);
	sim_path(w, "8:16")->latency_ns = 200 * NSEC_PER_MSEC;
	read = submit_read(w, 1, 1);
	sim_path(w, "8:16")->latency_ns = NSEC_PER_MSEC;
	advance(w, 60); /* a reset is due, and its path has proved what it is */
	write = submit_write(w, 2, 1);
	advance(w, 138);
	expect_pending(w, read);
	expect(w, !sim_path(w, "8:16")->nr_resets && !write->nr_starts);
	advance(w, 3);
	expect_good(w, read);
	expect(w, sim_path(w, "8:16")->nr_resets == 1);
	late = submit_write(w, 3, 1);
	advance(w, 298);
	expect(w, !late->nr_starts && !write->nr_starts);
	advance(w, 1000);
	expect_good(w, lost);
	expect_good(w, write);
	expect_good(w, late);
	world_end(w);
}

/* A command on a healthy path does not end: the reset does not wait for it for ever. */
static void a_reset_does_not_wait_for_ever(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_io *lost, *hangs;

	world_up(w);
	set_io_mode(sim_path(w, "8:16"), MODE_HUNG, 1);
	lost = lose_write(w, 0);
	hangs = submit_read(w, 1, 1);
	advance(w, 1050);
	expect_pending(w, lost);
	advance(w, 20);
	expect(w, lost->nr_starts == 2);
	set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
	advance(w, 2);
	expect_good(w, hangs);
	expect_good(w, lost);
	world_end(w);
}

static void answer_task_aborted(struct sim_path *p)
{
	p->answer = (struct scsi_result){.status = SAM_TASK_ABORTED};
	set_io_mode(p, MODE_ANSWER, 1);
}

/* With TAS the target says so of what it aborts.  But it was us who wanted that, and no initiator.
 */
static void what_a_reset_aborts_is_sent_again(void)
{
	static const char *const names[] = {"fail_path 8:0", "fail_path 8:16", "fail_path 8:32",
					    "fail_path 8:48"};
	unsigned int i;
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_path *p = sim_path(w, "8:16");
	struct sim_io *lost, *write, *caw;

	world_up(w);
	set_io_mode(p, MODE_HUNG, 1);
	lost = lose_write(w, 0);
	write = submit_write(w, 1, 1);
	advance(w, 1070);
	expect(w, lost->nr_starts == 2);
	expect_pending(w, write);
	answer_task_aborted(p);
	advance(w, 2);
	expect_good(w, lost);
	expect_good(w, write);
	expect(w, write->nr_starts == 2);

	/* Later it is somebody else's doing, and his initiators are to know. */
	answer_task_aborted(p);
	write = submit_write(w, 1, 1);
	advance(w, 2);
	expect_answer(w, write, SAM_TASK_ABORTED);
	world_end(w);

	/*
	 * What may have been carried out, and must not be twice, is not sent again.  Nor is the
	 * initiator told what he would send it again for, and which he never wanted.
	 */
	w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	p = sim_path(w, "8:16");
	world_up(w);
	set_io_mode(p, MODE_HUNG, 1);
	lost = lose_write(w, 0);
	caw = submit_caw(w, 1, 0);
	advance(w, 1070);
	expect(w, lost->nr_starts == 2);
	answer_task_aborted(p);
	advance(w, 2);
	expect_sense(w, caw, 0x04, 0x08, 0x01);
	expect(w, caw->nr_starts == 1);
	world_end(w);

	/* No path is left before it can be sent again: there is no other answer to it. */
	w = new_world(FAIL TWO_BY_TWO, FENCE_LU_RESET);
	p = sim_path(w, "8:16");
	world_up(w);
	set_io_mode(p, MODE_HUNG, 1);
	lose_write(w, 0);
	write = submit_write(w, 1, 1);
	advance(w, 1070);
	expect_pending(w, write);
	for (i = 0; i < 4; i++)
		expect(w, message(w, names[i]) == 0);
	answer_task_aborted(p);
	advance(w, 100);
	expect_sense(w, write, 0x04, 0x08, 0x00);
	world_end(w);
}

/* The reset fails: another path is asked a second later; if none can, time decides. */
static void a_reset_that_fails(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_io *write, *read;
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].reset_error = -EIO;
	w->paths[3].reset_error = 0;
	w->paths[1].reset_latency_ns = 100 * NSEC_PER_MSEC;
	world_up(w);
	write = lose_write(w, 0);
	advance(w, 100);
	read = submit_read(w, 1, 1);
	advance(w, 900);
	expect_good(w, read);
	expect_notice(w,
		      "8:16: LOGICAL UNIT RESET failed (errno 5): the lost writes wait for another "
		      "one, or for time");
	expect_pending(w, write);
	advance(w, 1000);
	expect_pending(w, write);
	advance(w, 1000);
	expect_good(w, write);
	expect(w, !w->paths[0].nr_resets && w->paths[1].nr_resets == 1 &&
			  w->paths[2].nr_resets == 1 && w->paths[3].nr_resets == 1);

	w->paths[3].reset_error = -EIO;
	set_io_mode(sim_path(w, "8:16"), MODE_LOST, 1);
	write = submit_write(w, 0, 1);
	advance(w, FENCE_MS);
	expect_pending(w, write);
	advance(w, 10);
	expect_good(w, write);
	world_end(w);
}

static void expect_reset_when_back(struct world *w, struct sim_io *write)
{
	expect_pending(w, write);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1100);
	expect_good(w, write);
	expect(w, sim_path(w, "8:0")->nr_resets == 1);
}

/* No path is left: the first that comes back is asked for the reset. */
static void a_reset_waits_for_a_path(void)
{
	struct world *w = new_world(QUEUE ONE_PATH, FENCE_LU_RESET);
	struct sim_io *write;

	world_up(w);
	write = lose_write(w, 0);
	advance(w, 3000);
	expect_reset_when_back(w, write);
	world_end(w);
}

/* A write that is lost while the reset is out was perhaps not there in time: it waits for the next
 * one. */
static void a_reset_is_for_what_was_lost_before(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_io *one, *two;

	sim_path(w, "8:32")->reset_latency_ns = 400 * NSEC_PER_MSEC;
	world_up(w);
	set_io_mode(sim_path(w, "8:16"), MODE_HUNG, 0);
	submit_read(w, 2, 1);
	two = submit_write(w, 1, 1);
	expect(w, message(w, "fail_path 8:16") == 0);
	one = lose_write(w, 0);
	advance(w, 100);
	expect(w, sim_path(w, "8:32")->nr_resets == 1);
	set_io_mode(sim_path(w, "8:16"), MODE_LOST, 0);
	advance(w, 363);
	expect(w, one->nr_starts == 2 && two->nr_starts == 1);
	advance(w, 100);
	expect_good(w, one);
	expect_good(w, two);
	expect(w, sim_path(w, "8:48")->nr_resets == 1);
	world_end(w);
}

static unsigned int count_resets(const struct world *w)
{
	unsigned int i, n = 0;

	for (i = 0; i < w->nr_paths; i++)
		n += w->paths[i].nr_resets;
	return n;
}

/*
 * Another LUN is behind the path that is left, and nobody has noticed.  It is not reset, and what
 * it would answer is no proof.
 */
static void a_reset_does_not_go_to_another_lun(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_LU_RESET);
	struct sim_io *write;

	world_up(w);
	exchange_lun(sim_path(w, "8:16"), 1);
	write = lose_write(w, 0);
	advance(w, 100);
	expect(w, !sim_path(w, "8:16")->nr_resets);
	expect_notice(w, "8:16: not used: WWID is");
	expect_reset_when_back(w, write);
	world_end(w);
}

/* The path that is to bring the reset cannot prove whose LUN it is in a transition: another one
 * can. */
static void a_reset_does_not_wait_for_a_transition(void)
{
	struct world *w = new_world(QUEUE "1 alua 3 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 "
					  "8:16 1 round-robin 0 1 1 8:32 1",
				    FENCE_LU_RESET);

	give_port_groups(w, 1, 1);
	w->luns[0].groups[1].state = ALUA_OPTIMIZED;
	w->luns[0].groups[2].state = ALUA_OPTIMIZED;
	w->luns[0].tur_in_transition = true;
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	lose_write(w, 0);
	set_port_group(w, 2, ALUA_TRANSITIONING, false);
	advance(w, 5000);
	expect(w, sim_path(w, "8:32")->nr_resets == 1);
	expect_notice(w, "8:32: LOGICAL UNIT RESET: the lost writes cannot land any more");
	world_end(w);
}

/*
 * The array answers all questions in a transition, and no command: a path is cleared, and in doubt
 * again, while it proves whose LUN it is.  It is not asked for that again and again, nor are two of
 * them in turn.
 */
static void a_reset_in_a_transition_of_all_paths(void)
{
	static const char *const tables[] = {
		QUEUE "0 1 1 round-robin 0 1 1 8:0 1",
		QUEUE "0 1 1 round-robin 0 2 1 8:0 1 8:16 1",
	};

	for (unsigned int i = 0; i < 2; i++) {
		struct world *w = new_world(tables[i], FENCE_LU_RESET);
		unsigned int n;

		world_up(w);
		lose_write(w, 0);
		for (n = 0; n < w->nr_paths; n++) {
			struct sim_path *p = &w->paths[n];

			p->latency_ns = 4 * NSEC_PER_MSEC;
			set_mode(p, MODE_UP);
			answer_with_sense(p, 0x02, 0x04, 0x0a, 100000);
		}
		for (n = 0; n < 50; n++) {
			submit_read(w, n, 1);
			advance(w, 100);
		}
		world_end(w);
	}
}

/* The LUN is exchanged while the reset is on its way: perhaps that has hit the other one. */
static void a_reset_that_another_lun_may_have_got(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_io *write, *read;

	sim_path(w, "8:16")->reset_latency_ns = 400 * NSEC_PER_MSEC;
	world_up(w);
	write = lose_write(w, 0);
	advance(w, 100);
	expect(w, sim_path(w, "8:16")->nr_resets == 1);
	exchange_lun(sim_path(w, "8:16"), 1);
	read = submit_read(w, 1, 1);
	advance(w, 500);
	expect_good(w, read);
	expect(w, write->nr_starts == 1);
	land(w, write);
	expect_notice(w, "LOGICAL UNIT RESET may have gone to another LUN, as its path has not "
			 "shown its WWID since: the lost writes wait for another one, or for time");
	expect_notice(w, "8:16: not used: WWID is");
	advance(w, 1000);
	expect_good(w, write);
	expect(w, sim_path(w, "8:32")->nr_resets == 1);
	world_end(w);
}

/* Nor is it known of a path that is lost before it could be asked.  Others do not wait for that. */
static void a_reset_whose_path_is_lost_then(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_path *p;
	struct sim_io *write, *read;

	p = sim_path(w, "8:16");
	p->reset_latency_ns = 400 * NSEC_PER_MSEC;
	world_up(w);
	write = lose_write(w, 0);
	advance(w, 100);
	expect(w, p->nr_resets == 1);
	set_mode(p, MODE_HUNG);
	advance(w, 400);
	read = submit_read(w, 1, 1);
	advance(w, 500);
	expect(w, read->nr_starts == 1 && write->nr_starts == 1);
	expect(w, message(w, "fail_path 8:16") == 0);
	set_mode(p, MODE_UP);
	advance(w, 2);
	expect(w, message(w, "reinstate_path 8:16") == 0);
	advance(w, 500);
	expect_good(w, read);
	expect(w, write->nr_starts == 1);
	advance(w, 1000);
	expect_good(w, write);
	expect(w, sim_path(w, "8:32")->nr_resets == 1);
	world_end(w);
}

/*
 * A reset is not answered for a minute: others wait for it 3 s, not more, and the lost write until
 * its time.  No second one is sent meanwhile; then it is, for what was lost after the first.
 */
static void a_reset_that_hangs(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_io *lost, *read, *write, *later;

	sim_path(w, "8:16")->reset_latency_ns = 60 * NSEC_PER_SEC;
	world_up(w);
	lost = lose_write(w, 0);
	advance(w, 100);
	expect(w, sim_path(w, "8:16")->nr_resets == 1);
	read = submit_read(w, 1, 1);
	write = submit_write(w, 2, 1);
	advance(w, 2940);
	expect(w, !read->nr_starts && !write->nr_starts);
	advance(w, 20);
	expect_good(w, read);
	expect_good(w, write);
	expect_notice(w, "8:16: LOGICAL UNIT RESET is not answered: other commands wait no longer");
	advance(w, FENCE_MS - 3100);
	expect_pending(w, lost);
	advance(w, 100);
	expect_good(w, lost);

	advance(w, 30000);
	set_io_mode(sim_path(w, "8:16"), MODE_LOST, 1);
	later = submit_write(w, 3, 1);
	advance(w, 9900);
	expect_pending(w, later);
	expect(w, count_resets(w) == 1);
	advance(w, 200);
	expect_good(w, later);
	expect(w, count_resets(w) == 2);
	world_end(w);
}

/*
 * When it is answered nothing is lost any more.  What is lost an hour later has a reset of its own,
 * and need not wait until the old one is found to prove nothing.
 */
static void a_reset_that_is_answered_too_late(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_io *lost, *later;

	sim_path(w, "8:16")->reset_latency_ns = 60 * NSEC_PER_SEC;
	world_up(w);
	lost = lose_write(w, 0);
	advance(w, FENCE_MS + 100);
	expect_good(w, lost);
	advance(w, 3600000);
	expect(w, count_resets(w) == 1);

	forget_notices(w);
	set_io_mode(sim_path(w, "8:16"), MODE_LOST, 1);
	later = submit_write(w, 3, 1);
	advance(w, 10);
	expect_no_notice(w, "LOGICAL UNIT RESET may have gone to another LUN");
	expect_no_notice(w, "LOGICAL UNIT RESET: the lost writes cannot land any more");
	advance(w, 90);
	expect_good(w, later);
	expect(w, count_resets(w) == 2);
	world_end(w);
}

/* Its path fails while it is out: nobody waits for it any longer. */
static void a_reset_whose_path_fails(void)
{
	struct world *w = new_world(QUEUE TWO_BY_TWO, FENCE_LU_RESET);
	struct sim_io *lost, *write;

	sim_path(w, "8:16")->reset_latency_ns = 60 * NSEC_PER_SEC;
	world_up(w);
	lost = lose_write(w, 0);
	advance(w, 100);
	write = submit_write(w, 2, 1);
	advance(w, 100);
	expect(w, !write->nr_starts && count_resets(w) == 1);
	expect(w, message(w, "fail_path 8:16") == 0);
	advance(w, 5);
	expect_good(w, write);
	expect_pending(w, lost);
	world_end(w);
}

/*
 * The map is closed while a reset is out: its path stays open until it is back.  But it is not
 * asked any more which LUN it leads to, and so the answer proves nothing.
 */
static void closed_while_a_reset_is_out(void)
{
	struct world *w = new_world(QUEUE TWO_GROUPS, FENCE_LU_RESET);
	struct sim_io *write;

	sim_path(w, "8:16")->reset_latency_ns = 400 * NSEC_PER_MSEC;
	world_up(w);
	write = lose_write(w, 0);
	advance(w, 100);
	expect(w, sim_path(w, "8:16")->nr_resets == 1);
	stop_world(w);
	expect_pending(w, write);
	advance(w, 300);
	expect(w, sim_path(w, "8:16")->is_open);
	advance(w, 100);
	expect(w, !sim_path(w, "8:16")->is_open);
	advance(w, FENCE_MS - 510);
	expect_pending(w, write);
	advance(w, 10);
	expect_answer(w, write, SAM_BUSY);
	world_end(w);
}

/*
 * D11: a write may be out for 20 s, and then wait for its fence; were cmd_time_out over by then the
 * kernel would answer it, though it may still land, and other writes would wait.
 */
static void cmd_time_out_and_the_fence(void)
{
	struct world *w = new_world(FAIL TWO_PATHS, FENCE_TIME);

	set_cmd_time_out(w, 30);
	world_up(w);
	expect_no_notice(w, "cmd_time_out");
	advance(w, 2000);
	expect_notice(w, "the backstore's cmd_time_out of 30 s is over before a lost write may be "
			 "answered: set attribute cmd_time_out to at least 42");
	expect_detail(w,
		      "warning: cmd_time_out is over before a lost write may be answered: set it "
		      "to at least 42");
	set_cmd_time_out(w, 42);
	expect(w, !mpath_time_out_short_s(w->m) && mpath_time_out_needed_s(w->m) == 42);

	forget_notices(w);
	w->settings.path_timeout_ms = 30000;
	expect(w, reload(w, FAIL TWO_PATHS) == 0);
	advance(w, 2000);
	expect_notice(w, "set attribute cmd_time_out to at least 62");
	set_cmd_time_out(w, 0);
	expect(w, !mpath_time_out_short_s(w->m) && mpath_time_out_needed_s(w->m) == 62);
	world_end(w);
}

/* A limit of queueing comes on top; without one it is 0 that would do, which is told already. */
static void cmd_time_out_and_patience(void)
{
	struct world *w = new_world(QUEUE TWO_PATHS, FENCE_TIME);

	sim_path(w, "8:0")->transit_ms = 102000;
	w->settings.no_path_timeout_read_ms = 5000;
	w->settings.no_path_timeout_write_ms = 8000;
	set_cmd_time_out(w, 30);
	world_up(w);
	expect(w, mpath_time_out_short_s(w->m) == 20 + 102 + 20 + 8 + 2);
	set_cmd_time_out(w, 6); /* queueing itself is cut short: that is told first */
	expect(w, mpath_queueing_defeated(w->m) && !mpath_time_out_short_s(w->m));
	expect(w, mpath_time_out_needed_s(w->m) == 20 + 102 + 20 + 8 + 2);
	set_cmd_time_out(w, 8); /* writes would wait for as long */
	expect(w, mpath_queueing_defeated(w->m));
	set_cmd_time_out(w, 9);
	expect(w, !mpath_queueing_defeated(w->m));
	w->settings.no_path_timeout_read_ms = 9000;
	expect(w, reload(w, QUEUE TWO_PATHS) == 0 && mpath_queueing_defeated(w->m));
	set_cmd_time_out(w, 30);
	expect(w, !mpath_queueing_defeated(w->m));
	w->settings.no_path_timeout_read_ms = 0;
	expect(w, reload(w, QUEUE TWO_PATHS) == 0);
	expect(w, mpath_queueing_defeated(w->m) && !mpath_time_out_needed_s(w->m));
	world_end(w);
}

int main(void)
{
	STORY(a_lost_write_waits_for_time);
	STORY(a_newer_write_is_not_overwritten);
	STORY(who_waits_for_an_older_write);
	STORY(two_lost_writes_to_one_block);
	STORY(what_waits_for_a_lost_write);
	STORY(what_is_not_held_does_not_wait_without_a_path);
	STORY(who_waits_without_a_path_has_no_more_patience);
	STORY(settings_come_in_their_order);
	STORY(a_lost_unmap_holds_what_it_names);
	STORY(an_answer_lets_go_who_waits_for_it);
	STORY(many_lost_writes_to_one_block);
	STORY(who_waits_behind_one_that_waits);
	STORY(a_write_that_is_tried_again);
	STORY(what_runs_once_is_answered_after_the_fence);
	STORY(what_cannot_land_does_not_wait);
	STORY(reads_never_wait);
	STORY(the_same_path_is_no_exception);
	STORY(the_way_may_hold_it);
	STORY(the_fence_time_is_what_was_set);
	STORY(an_orphan_is_the_kernels_first);
	STORY(an_orphan_that_was_sent_late);
	STORY(an_aborted_write_is_answered_after_its_fence);
	STORY(a_deadline_does_not_break_the_fence);
	STORY(the_end_waits_for_fences);
	STORY(after_the_fence_it_is_held_as_others);
	STORY(fence_and_path);
	STORY(lost_twice_fenced_twice);
	STORY(giving_up_waits_too);
	STORY(giving_up_on_many_paths_waits_too);
	STORY(without_a_fence);
	STORY(the_lun_is_not_forgotten_meanwhile);
	STORY(the_log_is_not_flooded);
	STORY(a_restart_waits_for_the_fence_too);
	STORY(a_restart_waits_for_the_way_of_a_path_that_has_left);
	STORY(a_fence_outlives_the_process);
	STORY(a_fence_outlives_two_processes);
	STORY(fence_and_counters_of_a_former_process);
	STORY(fence_and_no_path);
	STORY(a_fence_that_is_over);
	STORY(a_fence_and_new_settings_without);
	STORY(a_remembered_time_that_cannot_be);
	STORY(not_every_fence_is_saved);
	STORY(an_overdue_write_holds_the_others_up);
	STORY(overdue_while_the_loop_stood_still);
	STORY(an_overdue_fence_holds_the_others_up);
	STORY(overdue_soon);
	STORY(overdue_once_overdue_for_ever);
	STORY(a_new_session_ends_the_way);
	STORY(a_new_session_ends_the_wait);
	STORY(a_reset_after_a_new_session);
	STORY(a_new_session_and_a_fence_time);
	STORY(what_is_no_new_session);
	STORY(an_answer_to_what_was_sent_before);
	STORY(a_write_that_is_lost_meanwhile);
	STORY(a_write_that_was_lost_elsewhere);
	STORY(a_session_that_is_not_known_yet);
	STORY(a_session_outlives_the_link);
	STORY(a_reset_ends_the_wait);
	STORY(a_reset_waits_for_what_is_on_its_way);
	STORY(a_reset_hits_none_of_ours);
	STORY(a_reset_does_not_wait_for_ever);
	STORY(what_a_reset_aborts_is_sent_again);
	STORY(a_reset_that_fails);
	STORY(a_reset_waits_for_a_path);
	STORY(a_reset_is_for_what_was_lost_before);
	STORY(a_reset_does_not_go_to_another_lun);
	STORY(a_reset_does_not_wait_for_a_transition);
	STORY(a_reset_in_a_transition_of_all_paths);
	STORY(a_reset_that_another_lun_may_have_got);
	STORY(a_reset_whose_path_is_lost_then);
	STORY(a_reset_that_hangs);
	STORY(a_reset_that_is_answered_too_late);
	STORY(a_reset_whose_path_fails);
	STORY(closed_while_a_reset_is_out);
	STORY(cmd_time_out_and_the_fence);
	STORY(cmd_time_out_and_patience);
	return end_of_stories();
}
