/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which LUN is it?  The WWID is pinned, size and blocks must agree, and what is known of the LUN
 * answers for it while no path is usable (DESIGN D8, D15, D16).
 */
#include <errno.h>
#include <string.h>

#include "mpath/version.h"
#include "scsi/our_lun.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define WWID_1 "36000d310000000000000000000000001"
#define WWID_2 "36000d310000000000000000000000002"

/* What an earlier run kept of LUN 1. */
static void keep_lun(struct world *w)
{
	struct world *before = world_new(FAIL ONE_PATH);

	world_up(before);
	w->kept = *mpath_lun(before->m);
	world_end(before);
}

/* Two LUNs behind the paths of a new map: the path that the table names first decides, even if it
 * is the slowest. */
static void the_tables_first_path_decides(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	sim_path(w, "8:0")->open_latency_ns = 500 * NSEC_PER_MSEC;
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	world_up(w);
	advance(w, 2000);
	expect_notice(w, "the LUN is " WWID_2);
	expect_notice(w, "8:16: not used: WWID is " WWID_1 ", the map's is " WWID_2);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 F 0 ");
	expect(w, strcmp(mpath_lun(w->m)->wwid, WWID_2) == 0);
	world_end(w);
}

/* A disk that fails soon says so with each answer, which is a good one. */
static void answers_with_a_warning(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	answer_with_sense(sim_path(w, "8:0"), 0x01, 0x5d, 0x00, 0);
	answer_with_sense(sim_path(w, "8:16"), 0x01, 0x5d, 0x00, 0);
	sim_path(w, "8:0")->mode = sim_path(w, "8:16")->mode = MODE_ANSWER;
	world_up(w);
	expect_notice(w, "the LUN is " WWID_1);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* The first path is not to be had: the next one decides. */
static void the_first_path_that_can_be_had_decides(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	sim_path(w, "8:0")->refused = "no such device";
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	world_up(w);
	expect_notice(w, "the LUN is " WWID_1);
	sim_path(w, "8:0")->refused = NULL;
	advance(w, 2000);
	expect_notice(w, "8:0: not used: WWID is " WWID_2 ", the map's is " WWID_1);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 0 8:16 A 0 ");
	world_end(w);
}

/* The WWID of an earlier run is pinned: names that were swapped by a reboot lead nowhere. */
static void the_kept_wwid_is_pinned(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	keep_lun(w);
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	sim_path(w, "8:16")->nexus.lun = &w->luns[1];
	world_up(w);
	expect_notice(w, "8:0: not used: WWID is " WWID_2 ", the map's is " WWID_1);
	expect_notice(w, "8:16: not used: WWID is " WWID_2);
	io = submit_write(w, 0, 1);
	advance(w, 10000);
	expect_pending(w, io);
	expect(w, w->luns[1].nr_writes == 0 && w->nr_lun_changes == 0);

	sim_path(w, "8:16")->nexus.lun = &w->luns[0];
	advance(w, 5100);
	expect_good(w, io);
	expect(w, w->luns[0].nr_writes == 1);
	world_end(w);
}

/* wwid= in the map: not what was kept, nor what comes first. */
static void the_configured_wwid_counts(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	keep_lun(w);
	snprintf(w->settings.wwid, sizeof(w->settings.wwid), WWID_2);
	sim_path(w, "8:16")->nexus.lun = &w->luns[1];
	world_start(w);
	expect(w, !mpath_lun(w->m)->known);
	advance(w, 100);
	expect_notice(w, "8:0: not used: WWID is " WWID_1 ", the map's is " WWID_2);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 0 8:16 A 0 ");
	world_end(w);
}

#define LOCAL_WWID "33333333300000001"

static void give_local_names(struct world *w)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		memcpy(w->luns[i].local_naa, "\x33\x33\x33\x33\x00\x00\x00\x01", 8);
		w->luns[i].t10_number = (uint8_t)i;
		snprintf(w->luns[i].wwid, sizeof(w->luns[i].wwid), "1SIM_x%u", i + 1);
	}
}

static struct world *lun_with_a_local_name(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	give_local_names(w);
	return w;
}

/* What was kept is that LUN, by whichever of its names the map asks for it now. */
static void expect_to_know_kept(const struct lun_facts *kept, const char *asked_for)
{
	struct world *w = lun_with_a_local_name();

	w->kept = *kept;
	strcpy(w->settings.wwid, asked_for);
	world_start(w);
	expect(w, mpath_lun(w->m)->known);
	advance(w, 100);
	expect_info(w, "2 1 0 0 1 1 E 0 1 0 8:0 A 0 ");
	world_end(w);
}

/* It has two names: sysfs, and udev's links, have the one that is the last here. */
static void a_lun_may_be_asked_for_by_its_local_name(void)
{
	struct lun_facts kept;
	struct world *w = lun_with_a_local_name();

	strcpy(w->settings.wwid, LOCAL_WWID);
	world_up(w);
	expect_notice(w, "the LUN is 1SIM_x1");
	expect_info(w, "2 1 0 0 1 1 E 0 1 0 8:0 A 0 ");
	kept = *mpath_lun(w->m);
	world_end(w);

	expect_to_know_kept(&kept, "");
	expect_to_know_kept(&kept, LOCAL_WWID);

	w = lun_with_a_local_name();
	strcpy(w->settings.wwid, "33333333300000002");
	world_start(w);
	advance(w, 100);
	expect_notice(w, "8:0: not used: WWID is 1SIM_x1, the map's is 33333333300000002");
	world_end(w);
}

static struct world *two_luns_with_a_local_name(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	give_local_names(w);
	strcpy(w->settings.wwid, LOCAL_WWID);
	return w;
}

/* Nobody keeps such names apart: two LUNs that have the same one are two LUNs all the same. */
static void a_local_name_is_perhaps_not_the_only_ones(void)
{
	struct world *w = two_luns_with_a_local_name();
	struct lun_facts kept;

	sim_path(w, "8:16")->nexus.lun = &w->luns[1];
	world_up(w);
	expect_notice(w, "8:16: not used: WWID is 1SIM_x2, the map's is 1SIM_x1, and both LUNs are "
			 "called " LOCAL_WWID);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 F 0 ");
	kept = *mpath_lun(w->m);
	world_end(w);

	/* Also when the other one's path comes first the next time. */
	w = two_luns_with_a_local_name();
	w->kept = kept;
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	world_up(w);
	expect_notice(w, "8:0: not used: WWID is 1SIM_x2");
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 0 8:16 A 0 ");
	world_end(w);

	/* In a new map the first path decides, though the other one is faster. */
	w = two_luns_with_a_local_name();
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	sim_path(w, "8:0")->latency_ns = 20 * NSEC_PER_MSEC;
	world_start(w);
	advance(w, 1000);
	expect_notice(w, "the LUN is 1SIM_x2");
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 F 0 ");
	world_end(w);
}

/* A unit attention says that the LUNs have changed (3F/0E): who it is is asked again, before any
 * other command goes there. */
static void a_changed_lun_list_is_looked_at(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *one, *two;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x3f, 0x0e);
	one = submit_write(w, 0, 1);
	advance(w, 1);
	two = submit_write(w, 1, 1);
	submit_read(w, 1, 1);
	advance(w, 1);
	expect(w, two->last_path == sim_path(w, "8:16"));
	expect(w, sim_path(w, "8:0")->nr_out == 0);
	advance(w, 20);
	expect_good(w, one);
	expect_good(w, two);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	expect_no_notice(w, "failed");
	world_end(w);
}

/* It is another LUN: not a byte goes there; the path is excluded and says why. */
static void an_exchanged_lun_is_excluded(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	exchange_lun(sim_path(w, "8:0"), 1);
	io = submit_write(w, 0, 1);
	for (i = 0; i < 30; i++) {
		submit_write(w, i, 1);
		advance(w, 1);
	}
	expect_good(w, io);
	expect(w, w->luns[1].nr_writes == 0);
	expect_notice(w, "8:0: not used: WWID is " WWID_2);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	expect_detail(w, "8:0: excluded: WWID is " WWID_2);

	/* Its owner finds it free: it is opened for a look every 5 s only.  And back again: */
	expect(w, !sim_path(w, "8:0")->is_open);
	exchange_lun(sim_path(w, "8:0"), 0);
	advance(w, 5100);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* A target that was set up anew while its session was down has no more to say than this. */
static void a_new_nexus_may_lead_to_another_lun(void)
{
	static const uint8_t qualifiers[] = {0x00, 0x01, 0x07};
	struct world *w;
	unsigned int i;

	for (i = 0; i < 4 * sizeof(qualifiers); i++) {
		bool probe_hears = i & 1, array_reserves = i & 2;
		struct sim_io *io = NULL;

		w = world_new(QUEUE TWO_PATHS);
		world_up(w);
		if (array_reserves) {
			submit_pr_in(w);
			submit_read(w, 0, 1); /* so that 8:0 has the next turn */
		}
		advance(w, 20);
		exchange_lun_saying(sim_path(w, "8:0"), 1, 0x29, qualifiers[i / 4]);
		if (probe_hears)
			advance(w, 5100);
		else
			io = submit_write(w, 0, 1);
		advance(w, 20);
		if (io && array_reserves)
			expect_sense(w, io, 0x06, 0x29, qualifiers[i / 4]);
		else if (io)
			expect_good(w, io);
		expect(w, w->luns[1].nr_writes == 0);
		expect_notice(w, "8:0: not used: WWID is " WWID_2);
		expect(w, !sim_path(w, "8:0")->path->active && sim_path(w, "8:16")->path->active);
		world_end(w);
	}
}

/* The checker's TUR is the one that hears the unit attention: it must not swallow it. */
static void the_checker_hears_of_an_exchanged_lun(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	unsigned int i;

	world_up(w);
	exchange_lun(sim_path(w, "8:0"), 1);
	advance(w, 5100);
	for (i = 0; i < 8; i++)
		submit_write(w, i, 1);
	advance(w, 20);
	expect(w, w->luns[1].nr_writes == 0);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	world_end(w);
}

/* The kernel has kept the unit attention for itself: no path, no checker hears of it. */
static void kernel_hears_of_an_exchanged_lun(enum mpath_heard heard)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	unsigned int i;

	world_up(w);
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	kernel_hears(sim_path(w, "8:0"), heard);
	for (i = 0; i < 30; i++) {
		submit_write(w, i, 1);
		advance(w, 1);
	}
	expect(w, w->luns[1].nr_writes == 0);
	expect_notice(w, "8:0: not used: WWID is " WWID_2);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	kernel_hears(sim_path(w, "8:0"), heard); /* closed, it is looked at anyhow */
	advance(w, 10);
	expect(w, !sim_path(w, "8:0")->is_open);
	world_end(w);
}

static void the_kernel_hears_of_an_exchanged_lun(void)
{
	kernel_hears_of_an_exchanged_lun(HEARD_IDENTITY);
	kernel_hears_of_an_exchanged_lun(HEARD_RESET);
}

static bool is_in_use(struct world *w, const char *info)
{
	kernel_hears(sim_path(w, "8:0"), HEARD_RESET);
	submit_write(w, 0, 1);
	expect_info(w, info);
	advance(w, 100);
	return !sim_path(w, "8:0")->path->recheck_identity;
}

/*
 * The kernel tells of each reset, also of those that a path's own answers have told of, and later:
 * the path has proved its identity by then, and is not left for another group once more.  What it
 * tells beyond that, or long after, is another reset.
 */
static void the_kernel_hears_of_a_reset_that_we_have_seen(void)
{
	static const char in_use[] = "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ";
	static const char left[] = "2 0 0 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ";
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x29, 0x07);
	advance(w, 5001); /* the checker has heard it */
	expect(w, !sim_path(w, "8:0")->nexus.nr_uas);
	io = submit_write(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	expect(w, is_in_use(w, in_use));
	expect(w, is_in_use(w, left));

	message(w, "switch_group 1");
	push_ua(sim_path(w, "8:0"), 0x29, 0x03);
	submit_write(w, 0, 1);
	advance(w, 10500);
	expect(w, is_in_use(w, left));
	world_end(w);
}

/* In two groups it is one disk: any path may have the answer, the kernel's word is for the first.
 */
static void the_kernel_hears_of_a_reset_that_another_group_has_seen(void)
{
	struct world *w =
		world_new(FAIL "0 2 1 round-robin 0 2 1 8:16 1 8:0 1 round-robin 0 1 1 8:0 1");
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	push_ua(&w->paths[2], 0x29, 0x07);
	io = submit_write(w, 0, 1);
	advance(w, 20);
	expect_good(w, io);
	kernel_hears(&w->paths[1], HEARD_RESET);
	expect(w, !w->paths[1].path->suspect && !w->paths[2].path->suspect);
	kernel_hears(&w->paths[1], HEARD_RESET);
	expect(w, w->paths[1].path->suspect && w->paths[2].path->suspect);
	world_end(w);
}

/* The kernel was faster: its next word is about another reset, which it has kept for itself. */
static void the_kernel_hears_of_a_reset_before_we_read_the_answer(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	struct sim_io *io;

	world_up(w);
	push_ua(p, 0x29, 0x07);
	io = submit_write(w, 0, 1);
	kernel_hears(p, HEARD_RESET);
	expect(w, p->path->suspect);
	advance(w, 100);
	expect_good(w, io);
	expect(w, !p->path->suspect);
	kernel_hears(p, HEARD_RESET);
	expect(w, p->path->suspect);
	world_end(w);
}

/* Which of its words were lost is not known: a reset that was seen need not be the only one. */
static void the_kernel_has_heard_what_nobody_knows(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	push_ua(p, 0x29, 0x07);
	submit_write(w, 0, 1);
	advance(w, 100);
	expect(w, p->path->identified && !p->path->suspect);
	kernel_hears(p, HEARD_ANYTHING);
	expect(w, p->path->suspect);
	world_end(w);
}

/* 8:0 is in both groups: one nexus, which is told once. */
static struct world *exchanged_in_two_groups(void)
{
	struct world *w =
		world_new(QUEUE "0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 2 1 8:0 1 8:16 1");

	world_up(w);
	w->paths[0].nexus.lun = &w->luns[1];
	w->paths[1].nexus.lun = &w->luns[1];
	return w;
}

static void no_write_gets_there(struct world *w)
{
	unsigned int i;

	for (i = 0; i < 30; i++) {
		submit_write(w, i, 1);
		advance(w, 1);
	}
	advance(w, 20);
	expect(w, w->luns[1].nr_writes == 0);
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 F 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	world_end(w);
}

static void an_exchanged_lun_in_two_groups(void)
{
	struct world *w = exchanged_in_two_groups();

	push_ua(&w->paths[0], 0x3f, 0x0e);
	no_write_gets_there(w);
}

static void the_checker_hears_of_a_lun_in_two_groups(void)
{
	struct world *w = exchanged_in_two_groups();

	push_ua(&w->paths[0], 0x3f, 0x0e);
	advance(w, 5100);
	no_write_gets_there(w);
}

static void the_kernel_hears_of_a_lun_in_two_groups(void)
{
	struct world *w = exchanged_in_two_groups();

	kernel_hears(&w->paths[0], HEARD_IDENTITY);
	no_write_gets_there(w);
}

/* So does the identity check itself: a second exchange while it asks about the first. */
static void an_exchange_during_the_identity_check(void)
{
	unsigned int ms;

	for (ms = 1; ms < 12; ms++) {
		struct world *w = world_new(QUEUE TWO_PATHS);
		unsigned int i;

		world_up(w);
		sim_path(w, "8:0")->latency_ns = 3 * NSEC_PER_MSEC;
		push_ua(sim_path(w, "8:0"), 0x3f, 0x03);
		submit_write(w, 0, 1);
		submit_write(w, 1, 1);
		advance(w, 2);
		submit_write(w, 0, 1);
		advance(w, 2 + 2 * ms);
		exchange_lun(sim_path(w, "8:0"), 1);
		advance(w, 100);
		sim_path(w, "8:0")->latency_ns = SIM_LATENCY;
		for (i = 0; i < 8; i++) {
			submit_write(w, i, 1);
			advance(w, 1);
		}
		advance(w, 100);
		expect(w, w->luns[1].nr_writes == 0);
		expect(w, !sim_path(w, "8:0")->path->active);
		world_end(w);
	}
}

/* Two commands bring the same news, the second while the first is being looked into. */
static void news_during_the_identity_check(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *one, *two;

	world_up(w);
	push_ua(sim_path(w, "8:0"), 0x3f, 0x03);
	one = submit_read(w, 0, 1);
	advance(w, 1);
	expect(w, sim_path(w, "8:0")->path->suspect);
	two = submit_read(w, 0, 1);
	expect_pending(w, two);
	advance(w, 50);
	expect_good(w, one);
	expect_good(w, two);
	world_end(w);
}

/* This host is short of something while a path in doubt is asked who it is: the doubt stands. */
static void a_shortage_during_the_identity_check(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct world *w = world_new(QUEUE TWO_PATHS);
		struct sim_path *p = sim_path(w, "8:0");

		if (i)
			w->settings.checker = NULL;
		world_up(w);
		push_ua(p, 0x3f, 0x0e);
		submit_read(w, 0, 1);
		advance(w, 1);
		expect(w, p->path->suspect);
		set_mode(p, MODE_LOCAL_BUSY);
		advance(w, 300);
		p->nexus.lun = &w->luns[1];
		set_mode(p, MODE_UP);
		advance(w, 2500);
		expect_notice(w, "8:0: not used: WWID is " WWID_2);
		p->nexus.lun = &w->luns[0];
		advance(w, 5100);
		expect(w, p->path->active);
		world_end(w);
	}
}

/* A path that was in doubt about its identity, was lost then, and comes back in standby: it needs
 * the checker's word as any other before it is used. */
static void a_doubt_does_not_replace_the_checker(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	push_ua(p, 0x3f, 0x0e);
	submit_read(w, 0, 1);
	advance(w, 1);
	set_mode(p, MODE_LOST);
	advance(w, 100);
	expect(w, !p->path->active);
	set_mode(p, MODE_UP);
	forget_trace(w);
	advance(w, 1200);
	expect_trace(w, "[1109] path 8:0: reinstated, 2 usable\n");
	expect(w, p->path->fail_count == 1);
	world_end(w);
}

/* A path with another size is excluded: it is not the same LUN for the initiator. */
static void sizes_must_agree(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);

	sim_path(w, "8:16")->nexus.nr_blocks = SIM_NR_BLOCKS - 1;
	sim_path(w, "8:32")->nexus.nr_blocks = SIM_NR_BLOCKS + 1;
	sim_path(w, "8:48")->nexus.block_size = 4096;
	world_up(w);
	expect_notice(w, "8:16: not used: size is 2047 x 512 bytes, the map's is 2048 x 512");
	expect_notice(w, "8:32: not used: size is 2049 x 512 bytes, the map's is 2048 x 512");
	expect_notice(w, "8:48: not used: size is 2048 x 4096 bytes, the map's is 2048 x 512");
	expect_info(w, "2 1 0 0 2 1 E 0 2 0 8:0 A 0 8:16 F 0 E 0 2 0 8:32 F 0 8:48 F 0 ");
	world_end(w);
}

/* A LUN that grew while nobody used it is taken as it is; one that shrank only if that is meant. */
static void a_lun_that_grew_is_taken(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	keep_lun(w);
	sim_path(w, "8:0")->nexus.nr_blocks = 4096;
	sim_path(w, "8:16")->nexus.nr_blocks = 4096;
	world_up(w);
	advance(w, 2000);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	expect(w, mpath_lun(w->m)->nr_blocks == 4096 && w->nr_lun_changes >= 1);
	expect_notice(w, "the LUN is now " WWID_1 ", 4096 blocks of 512 bytes");
	world_end(w);

	w = world_new(FAIL TWO_PATHS);
	keep_lun(w);
	sim_path(w, "8:0")->nexus.nr_blocks = 1024;
	sim_path(w, "8:16")->nexus.nr_blocks = 1024;
	world_up(w);
	expect_notice(w, "8:0: not used: size is 1024 x 512 bytes");
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 0 8:16 F 0 ");
	expect(w, message(w, "forget_wwid") == 0);
	advance(w, 2000);
	expect(w, mpath_lun(w->m)->nr_blocks == 1024);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

static void grow(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++) {
		w->paths[i].nexus.nr_blocks = 4096;
		push_ua(&w->paths[i], 0x2a, 0x09);
	}
}

/* The array's word goes up; all paths are asked, agree, and stay in use. */
static void a_lun_grows_in_service(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	grow(w);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096 && w->nr_lun_changes == 2);
	expect_notice(w, "the LUN is now " WWID_1 ", 4096 blocks of 512 bytes");
	expect_no_notice(w, "not used");
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* A probe got the unit attention: initiators hear of it from us, once, and not with INQUIRY. */
static void a_lun_grows_and_a_probe_hears_of_it(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	grow(w);
	advance(w, 6000);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	io = submit_inquiry(w);
	advance(w, 10);
	expect_good(w, io);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* All paths are asked at once, and the target has too much to do: it is asked until it has time. */
static void a_lun_grows_under_load(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	grow(w);
	advance(w, 4900);
	w->luns[0].overloaded = true;
	kernel_hears(sim_path(w, "8:0"), HEARD_CAPACITY);
	advance(w, 2000);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	w->luns[0].overloaded = false;
	advance(w, 1000);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* Commands wait for a path in doubt: for a target that has too much to do, but not without end. */
static void a_doubt_under_load(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	w->luns[0].overloaded = true;
	kernel_hears(sim_path(w, "8:0"), HEARD_IDENTITY);
	io = submit_read(w, 0, 1);
	advance(w, 20000);
	expect_pending(w, io);
	w->luns[0].overloaded = false;
	advance(w, 1000);
	expect_good(w, io);
	expect(w, sim_path(w, "8:0")->path->fail_count == 0);

	w->luns[0].overloaded = true;
	kernel_hears(sim_path(w, "8:0"), HEARD_IDENTITY);
	io = submit_read(w, 0, 1);
	advance(w, 29000);
	expect_pending(w, io);
	advance(w, 2000);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	expect_detail(w, "failed: cannot be identified: the target is busy");
	w->luns[0].overloaded = false;
	advance(w, 2000);
	expect(w, sim_path(w, "8:0")->path->active);
	world_end(w);
}

/* The kernel was told, or has read the size itself: a path each, or only one of them. */
static void a_lun_grows_and_the_kernel_hears_of_it(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.nr_blocks = 4096;
	kernel_hears(sim_path(w, "8:16"), HEARD_CAPACITY);
	advance(w, 100);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	kernel_hears(sim_path(w, "8:0"), HEARD_CAPACITY);
	io = submit_write(w, 0, 1);
	advance(w, 100);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	io = submit_write(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* The array says nothing; the administrator does. */
static void resize_by_message(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.nr_blocks = 4096;
	advance(w, 6000);
	expect(w, mpath_lun(w->m)->nr_blocks == SIM_NR_BLOCKS);
	expect(w, message(w, "resize") == 0);
	advance(w, 100);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	io = submit_write(w, 0, 1);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* A path that still has the old size is not used any more. */
static void a_path_does_not_grow_with_the_others(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	grow(w);
	sim_path(w, "8:16")->nexus.nr_blocks = SIM_NR_BLOCKS;
	advance(w, 6000);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	expect_notice(w, "8:16: not used: size is 2048 x 512 bytes, the map's is 4096 x 512");
	world_end(w);
}

/* All paths were down while the LUN grew; they come back one after the other, and agree. */
static void a_lun_grows_during_an_outage(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < 2; i++)
		set_mode(&w->paths[i], MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 3000);
	for (i = 0; i < 2; i++) {
		w->paths[i].nexus.nr_blocks = 4096;
		set_mode(&w->paths[i], MODE_UP);
	}
	advance(w, 6500);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 1 8:16 A 1 ");
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	io = submit_read(w, 0, 1);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	io = submit_capacity(w);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->buf[6] == 0x0f && io->buf[7] == 0xff);
	world_end(w);
}

static void one_command_is_told_of_the_size(struct world *w)
{
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, 10);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
}

/* And once more in the same minute: what a command was told then is not what it is told now. */
static void a_lun_grows_twice(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	grow(w);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	advance(w, 10000);
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.nr_blocks = 8192;
	kernel_hears(sim_path(w, "8:0"), HEARD_CAPACITY);
	advance(w, 100);
	expect(w, mpath_lun(w->m)->nr_blocks == 8192);
	one_command_is_told_of_the_size(w);
	world_end(w);
}

/* The path comes back, and has told the old size already; nobody will be told of it again. */
static void a_lun_grows_while_its_path_is_identified(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");
	unsigned int nr_probes;

	world_up(w);
	set_mode(p, MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 500);
	p->latency_ns = 100 * NSEC_PER_MSEC;
	set_mode(p, MODE_UP);
	nr_probes = p->nr_probes + 6; /* checker, INQUIRY, its pages, 83h, the size; then B0h */
	while (p->nr_probes < nr_probes)
		advance(w, 10);
	expect(w, !p->path->active && p->path->seen.nr_blocks == SIM_NR_BLOCKS);
	p->nexus.nr_blocks = 4096;
	kernel_hears(p, HEARD_CAPACITY);
	advance(w, 5000);
	p->latency_ns = SIM_LATENCY;
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	one_command_is_told_of_the_size(w);
	world_end(w);
}

/* Initiators have lived through the restart, and have the old size. */
static void a_lun_grows_during_a_restart(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	keep_lun(w);
	grow(w);
	world_up(w);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	one_command_is_told_of_the_size(w);
	world_end(w);
}

/* A path that is down, and cannot be asked, does not speak for the old size either. */
static void a_lun_grows_while_a_path_is_down(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	advance(w, 6000);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 F 1 ");
	grow(w);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, io, 0x06, 0x2a, 0x09);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 6000);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 A 0 8:16 A 1 ");
	world_end(w);
}

/* The array says nothing: a path that comes back shows it, and who is in use is asked as well. */
static void a_lun_grows_and_nobody_tells(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);
	unsigned int i;

	world_up(w);
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.nr_blocks = 4096;
	for (i = 0; i < w->nr_paths; i++) {
		set_mode(&w->paths[i], MODE_LOST);
		advance(w, 6000);
		set_mode(&w->paths[i], MODE_UP);
		advance(w, 8000);
		expect(w, w->paths[i].path->active && w->paths[i].path->fail_count == 1);
		expect(w, mpath_lun(w->m)->nr_blocks == 4096 && w->m->nr_valid == 4);
	}
	expect_notice(w, "the LUN is now " WWID_1 ", 4096 blocks of 512 bytes");
	one_command_is_told_of_the_size(w);
	world_end(w);
}

/* Those that come back do not speak for the others, however late these answer. */
static void paths_that_alone_show_more(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);
	unsigned int i;

	world_up(w);
	for (i = 2; i < 4; i++) {
		w->paths[i].nexus.nr_blocks = 4096;
		set_mode(&w->paths[i], MODE_LOST);
	}
	advance(w, 6000);
	w->paths[0].latency_ns = w->paths[1].latency_ns = 700 * NSEC_PER_MSEC;
	set_mode(&w->paths[2], MODE_UP);
	advance(w, 500);
	set_mode(&w->paths[3], MODE_UP);
	advance(w, 60000);
	expect(w, mpath_lun(w->m)->nr_blocks == SIM_NR_BLOCKS);
	expect_info(w, "2 1 0 0 2 1 E 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 F 1 8:48 F 1 ");
	expect_notice(w, "8:48: not used: size is 4096 x 512 bytes, the map's is 2048 x 512");
	world_end(w);
}

/* Two are as large as they say; one has not been told yet, and is used again once it was. */
static void a_port_hears_late_that_the_lun_has_grown(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);
	unsigned int i;

	world_up(w);
	set_mode(&w->paths[3], MODE_LOST);
	advance(w, 6000);
	for (i = 1; i < 4; i++)
		w->paths[i].nexus.nr_blocks = 4096;
	w->paths[1].latency_ns = w->paths[2].latency_ns = 50 * NSEC_PER_MSEC;
	set_mode(&w->paths[3], MODE_UP);
	advance(w, 6000);
	w->paths[1].latency_ns = w->paths[2].latency_ns = SIM_LATENCY;
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	expect_info(w, "2 1 0 0 2 1 E 0 2 0 8:0 F 1 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 1 ");
	one_command_is_told_of_the_size(w);
	w->paths[0].nexus.nr_blocks = 4096;
	advance(w, 6000);
	expect(w, w->m->nr_valid == 4);
	world_end(w);
}

/* 4Kn LUNs need a backstore of that block size; the reason says what to type. */
static void the_backstores_block_size_counts(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	w->backstore.block_size = 512;
	w->backstore.size = 1 << 20;
	w->has_backstore = true;
	sim_path(w, "8:0")->nexus.block_size = 4096;
	world_up(w);
	expect_notice(w, "8:0: not used: has 4096-byte blocks, the backstore 512-byte ones: "
			 "create it with control=hw_block_size=4096");
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 0 8:16 A 0 ");
	expect_no_notice(w, "the backstore's size is");
	world_end(w);
}

/* The backstore's size is not the LUN's: initiators see the LUN's, and the log says so. */
static void the_backstores_size_is_another(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	w->backstore.size = 12345 * 512;
	w->has_backstore = true;
	world_up(w);
	expect_notice(w, "the backstore's size is 6320640 bytes, the LUN's 1048576: initiators see "
			 "the LUN's");
	world_end(w);
}

/* Who serves the backstore sets its size anew when the LUN grows: that is nothing to be told. */
static void the_backstores_size_follows(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	w->backstore.size = 2048 * 512;
	w->has_backstore = true;
	world_up(w);
	grow(w);
	message(w, "resize");
	advance(w, 100);
	expect_notice(w, "4096 blocks of 512 bytes");
	expect_no_notice(w, "the backstore's size is");
	world_end(w);
}

/* LENGTH in the table is at most the LUN's. */
static void the_tables_length_counts(void)
{
	struct world *w = world_new("0 2049 multipath " FAIL ONE_PATH);

	world_up(w);
	expect_notice(w, "8:0: not used: has 2048 blocks of 512 bytes, the table's LENGTH is 2049");
	world_end(w);

	w = world_new("0 2048 multipath " FAIL ONE_PATH);
	world_up(w);
	expect_info(w, "2 1 0 0 1 1 E 0 1 0 8:0 A 0 ");
	world_end(w);
}

/* What cannot be a path of any map: our own LUN, no disk, no LUN, no name. */
static void devices_that_cannot_be_paths(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);

	sim_path(w, "8:0")->nexus.ours = true;
	sim_path(w, "8:16")->nexus.device_type = 0x05;
	sim_path(w, "8:32")->nexus.device_type = 0x3f;
	sim_path(w, "8:48")->nexus.no_wwid = true;
	world_up(w);
	expect_notice(w, "8:0: not used: a LUN that tcmu-mpath itself exports");
	expect_notice(w, "8:16: not used: not a disk");
	expect_notice(w, "8:32: not used: the target has no LUN here");
	expect_notice(w, "8:48: not used: no WWID: VPD page 83h names no logical unit");
	expect(w, mpath_settled(w->m) && !mpath_lun(w->m)->known);
	expect_detail(w, "its LUN was never seen (tcmu-mpath " MPATH_VERSION
			 ", build " MPATH_BUILD_ID ")\n");
	world_end(w);
}

/* Resets while a path is asked: absorbed, with a bound; then it is asked again a second later. */
static void resets_while_a_path_is_looked_at(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	for (i = 0; i < 4; i++)
		push_ua(sim_path(w, "8:0"), 0x29, 0x00);
	for (i = 0; i < 12; i++)
		push_ua(sim_path(w, "8:16"), 0x29, 0x00);
	world_up(w);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 F 0 ");
	advance(w, 3000);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	world_end(w);
}

/* --- forget_wwid --- */

/* While a path is in use the pinned LUN cannot be forgotten. */
static void forget_wwid_is_refused_while_in_use(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	expect(w, message(w, "forget_wwid") == -EBUSY);
	expect(w, strcmp(w->text, "forget_wwid: a path of the map is in use") == 0);
	message(w, "fail_path 8:0");
	expect(w, message(w, "forget_wwid") == -EBUSY);
	expect(w, w->nr_forgets == 0 && mpath_lun(w->m)->known);
	world_end(w);
}

/* Initiators take it for the LUN that they know, and its pages and size are other ones. */
static void is_told_of_the_new_lun(struct world *w, bool resized)
{
	if (resized)
		expect_sense(w, submit_write(w, 0, 1), 0x06, 0x2a, 0x09);
	expect_sense(w, submit_write(w, 0, 1), 0x06, 0x3f, 0x03);
}

/* All paths lead to a new LUN: after forget_wwid it is the map's. */
static void forget_wwid_takes_the_new_lun(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	keep_lun(w);
	sim_path(w, "8:0")->nexus.lun = &w->luns[1];
	sim_path(w, "8:16")->nexus.lun = &w->luns[1];
	sim_path(w, "8:0")->nexus.nr_blocks = sim_path(w, "8:16")->nexus.nr_blocks = 1024;
	world_up(w);
	expect(w, message(w, "FORGET_wwid") == 0);
	expect(w, w->nr_forgets == 1);
	expect(w, !mpath_lun(w->m)->known);
	expect_notice(w, "the pinned WWID is forgotten");
	advance(w, 3000);
	expect_notice(w, "the LUN is " WWID_2);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 0 8:16 A 0 ");
	is_told_of_the_new_lun(w, true);
	io = submit_write(w, 0, 1);
	advance(w, 5);
	expect_good(w, io);
	expect(w, w->luns[1].nr_writes == 1);
	world_end(w);
}

/* Paths that are down are not in use.  What is held was meant for the LUN that is forgotten: it
 * must not go to another one. */
static void forget_wwid_during_an_outage(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *held;
	unsigned int i;

	world_up(w);
	for (i = 0; i < 2; i++)
		set_mode(&w->paths[i], MODE_LOST);
	held = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_pending(w, held);
	expect(w, message(w, "forget_wwid") == 0);
	for (i = 0; i < 2; i++) {
		exchange_lun(&w->paths[i], 1);
		set_mode(&w->paths[i], MODE_UP);
	}
	advance(w, 3000);
	expect_answer(w, held, SAM_CHECK_CONDITION);
	expect(w, w->luns[1].nr_writes == 0);
	expect_notice(w, "the LUN is " WWID_2);
	is_told_of_the_new_lun(w, false);
	held = submit_write(w, 0, 1);
	advance(w, 5);
	expect_good(w, held);
	world_end(w);
}

/* As is usual when a LUN is replaced, everything is started anew before the new one is seen. */
static void a_restart_between_forget_wwid_and_the_new_lun(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	for (i = 0; i < 2; i++)
		set_mode(&w->paths[i], MODE_LOST);
	submit_write(w, 0, 1);
	advance(w, 1000);
	expect(w, message(w, "forget_wwid") == 0);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 1000);
	kill_world(w, 0);
	for (i = 0; i < 2; i++) {
		exchange_lun(&w->paths[i], 1);
		w->paths[i].nexus.nr_blocks = 1024;
		set_mode(&w->paths[i], MODE_UP);
	}
	restart_world(w);
	advance(w, 120000);
	expect_notice(w, "the LUN is " WWID_2);
	is_told_of_the_new_lun(w, true);
	kill_world(w, 0);
	restart_world(w);
	advance(w, 120000);
	io = submit_write(w, 0, 1);
	advance(w, 5);
	expect_good(w, io);
	world_end(w);
}

/* --- no path yet --- */

/* A map that never saw its LUN: INQUIRY with qualifier 001b, everything else NOT READY, nothing
 * is held (D15). */
static void a_lun_that_was_never_seen(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	sim_path(w, "8:0")->refused = "no such device";
	sim_path(w, "8:16")->refused = "no such device";
	world_up(w);
	io = submit_inquiry(w);
	expect_good(w, io);
	expect(w, io->buf[0] >> 5 == 1);
	io = submit_read(w, 0, 1);
	expect_sense(w, io, 0x02, 0x04, 0x00);
	io = submit_tur(w);
	expect_sense(w, io, 0x02, 0x04, 0x00);
	io = submit_capacity(w);
	expect_sense(w, io, 0x02, 0x04, 0x00);

	sim_path(w, "8:0")->refused = NULL;
	advance(w, 1500);
	io = submit_inquiry(w);
	expect_good(w, io);
	expect(w, io->buf[0] == 0);
	io = submit_read(w, 0, 1);
	advance(w, 5);
	expect_good(w, io);
	world_end(w);
}

/*
 * The array keeps the order of ORDERED commands; we do not know which ones these are.  Nor does an
 * initiator hear of protection information, which INQUIRY says there is none of.
 */
static void nothing_is_promised_that_is_not_kept(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	sim_path(w, "8:0")->nexus.boasts = sim_path(w, "8:16")->nexus.boasts = true;
	world_up(w);
	io = submit_cdb(w, (const uint8_t[6]){0x12, 1, 0x86, 0, 64}, 6, 64);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->nr_starts == 1 && io->buf[4] == 0xc0 && io->buf[5] == 0xf1);
	io = submit_cdb(w, (const uint8_t[16]){0x9e, 0x10, [13] = 32}, 16, 32);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->nr_starts == 1 && io->buf[10] == 2 && io->buf[12] == 0);
	world_end(w);
}

/* What was kept of the LUN answers INQUIRY and capacity from the first moment; commands for the
 * medium are held. */
static void a_lun_that_was_kept_answers(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *inquiry, *capacity, *vpd, *read;

	keep_lun(w);
	sim_path(w, "8:0")->refused = "no such device";
	sim_path(w, "8:16")->refused = "no such device";
	snprintf(w->backstore.name, sizeof(w->backstore.name), "lun1");
	snprintf(w->backstore.serial, sizeof(w->backstore.serial), "0123456789abcdef");
	w->has_backstore = true;
	world_start(w);
	inquiry = submit_inquiry(w);
	expect_good(w, inquiry);
	expect(w, inquiry->buf[0] == 0 && memcmp(inquiry->buf + 16, "lun1", 4) == 0);
	advance(w, 100);
	vpd = submit_cdb(w, (const uint8_t[6]){0x12, 1, 0x83, 0, 255}, 6, 255);
	expect_good(w, vpd);
	expect(w, !memmem(vpd->buf, 255, w->luns[0].naa, 16)); /* not the array's (D16) */
	capacity = submit_capacity(w);
	expect_good(w, capacity);
	expect(w, capacity->buf[6] == 0x07 && capacity->buf[7] == 0xff);
	expect(w, capacity->buf[10] == 0x02);
	read = submit_read(w, 0, 1);
	advance(w, 10000);
	expect_pending(w, read);
	sim_path(w, "8:16")->refused = NULL;
	advance(w, 1500);
	expect_good(w, read);
	expect(w, w->nr_lun_changes == 0); /* it is as it was */
	world_end(w);
}

static struct sim_io *submit_vpd(struct world *w, uint8_t page)
{
	return submit_cdb(w, (const uint8_t[6]){0x12, 1, page, 0, 255}, 6, 255);
}

/* The pages 80h and 83h of LUN 1, without what names its ports. */
static void expect_names_of_the_array(struct world *w)
{
	struct sim_io *serial = submit_vpd(w, 0x80), *designators = submit_vpd(w, 0x83);

	expect_good(w, serial);
	expect(w, memcmp(serial->buf, "\0\x80\0\x04SIM1", 8) == 0);
	expect_good(w, designators);
	expect(w,
	       designators->buf[3] == 20 && memcmp(designators->buf + 8, w->luns[0].naa, 16) == 0);
}

/* identity=array (D16): its names are kept, and answer also while no path is there. */
static void the_lun_shows_the_arrays_names(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS), *after;
	struct sim_io *inquiry;

	sim_path(w, "8:0")->nexus.group = 1;
	sim_path(w, "8:16")->nexus.group = 2;
	w->settings.identity = IDENTITY_ARRAY;
	world_up(w);
	expect_notice(w, "identity=array: initiators see the array's WWID and serial number");
	expect_names_of_the_array(w);
	inquiry = submit_inquiry(w);
	expect_good(w, inquiry);
	expect(w, memcmp(inquiry->buf + 8, "LIO-ORG", 7) == 0);
	expect(w, memcmp(inquiry->buf + OUR_MARK_AT, OUR_MARK, sizeof(OUR_MARK) - 1) == 0);

	after = world_new(QUEUE TWO_PATHS);
	after->kept = *mpath_lun(w->m);
	after->settings.identity = IDENTITY_ARRAY;
	sim_path(after, "8:0")->refused = "no such device";
	sim_path(after, "8:16")->refused = "no such device";
	world_start(after);
	expect_names_of_the_array(after);
	world_end(after);
	world_end(w);
}

/* What was kept of it while it showed LIO's: no initiator may hear that it has no name. */
static void the_arrays_names_are_waited_for(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *io;

	keep_lun(w);
	w->settings.identity = IDENTITY_ARRAY;
	world_start(w);
	io = submit_vpd(w, 0x83);
	expect_pending(w, io);
	advance(w, 20);
	expect_good(w, io);
	expect(w, memcmp(io->buf + 8, w->luns[0].naa, 16) == 0);
	expect_names_of_the_array(w);
	world_end(w);
}

/* Initiators know the LUN by its names: they stay as long as it is in service. */
static void the_names_do_not_change_in_service(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	w->settings.identity = IDENTITY_ARRAY;
	expect(w, reload(w, FAIL TWO_PATHS) == -EINVAL);
	expect(w, strstr(w->text, "identity is another one, expected the map's"));
	expect(w, submit_vpd(w, 0x80)->buf[3] != 4);
	world_end(w);
}

/* An INQUIRY that comes before the paths were looked at waits, rather than to say 001b. */
static void an_inquiry_waits_for_the_first_look(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_start(w);
	io = submit_inquiry(w);
	expect_pending(w, io);
	advance(w, 20);
	expect_good(w, io);
	expect(w, io->buf[0] == 0);
	world_end(w);
}

/* ALUA is ours to deny; block limits are the least of all paths; other pages are the array's. */
static void what_the_lun_says_of_itself(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	sim_path(w, "8:0")->max_transfer_bytes = 64 * 512;
	sim_path(w, "8:16")->max_transfer_bytes = 32 * 512;
	world_up(w);
	io = submit_cdb(w, (const uint8_t[12]){0xa3, 0x0a, [9] = 64}, 12, 64);
	expect_sense(w, io, 0x05, 0x20, 0x00);
	io = submit_cdb(w, (const uint8_t[6]){0x12, 1, 0xb0, 0, 64}, 6, 64);
	expect_good(w, io);
	expect(w, io->buf[11] == 32);
	io = submit_cdb(w, (const uint8_t[12]){0xa3, 0x0c, [9] = 64}, 12, 64);
	advance(w, 2);
	expect_sense(w, io, 0x05, 0x20, 0x00); /* the array's word for REPORT SUPPORTED OPCODES */
	expect(w, io->nr_starts == 1);
	world_end(w);
}

/* In blocks, as initiators are told; programs are told the same. */
static uint8_t max_transfer(struct world *w)
{
	struct sim_io *io = submit_cdb(w, (const uint8_t[6]){0x12, 1, 0xb0, 0, 64}, 6, 64);
	struct mpath_snapshot shot = {0};

	expect_good(w, io);
	mpath_snapshot(w->m, w->now_ns, &shot);
	expect(w, shot.max_transfer_bytes == io->buf[11] * 512);
	return io->buf[11];
}

/* A port of the array may take less than the others, and the initiator's command may go there. */
static void the_port_that_takes_least(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	sim_path(w, "8:16")->nexus.max_transfer = 16;
	world_up(w);
	expect(w, max_transfer(w) == 16);
	sim_path(w, "8:16")->nexus.max_transfer = 64;
	set_mode(sim_path(w, "8:16"), MODE_LUN_GONE);
	advance(w, 10000);
	expect(w, max_transfer(w) == 16); /* it may be back before a command that is on its way */
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 10000);
	expect(w, max_transfer(w) == 64);
	world_end(w);
}

static void expect_limits(struct world *w, uint8_t caw, uint8_t unmap, uint8_t write_same)
{
	struct sim_io *io = submit_vpd(w, 0xb0);

	expect_good(w, io);
	expect(w, io->buf[5] == caw);
	expect(w, io->buf[23] == unmap && (io->buf[27] != 0) == (unmap != 0));
	expect(w, io->buf[43] == write_same);
}

static void set_limits(struct world *w, const char *name, uint8_t caw, uint8_t unmap,
		       uint8_t write_same)
{
	struct sim_nexus *nexus = &sim_path(w, name)->nexus;

	nexus->max_caw = caw;
	nexus->max_unmap = unmap;
	nexus->max_write_same = write_same;
}

/* Time to be found gone, or there again, and then to be asked who it is. */
static void comes_and_goes(struct world *w, const char *name)
{
	set_mode(sim_path(w, name), MODE_LUN_GONE);
	advance(w, 10000);
	set_mode(sim_path(w, name), MODE_UP);
	advance(w, 10000);
}

/* The page is never that of one path: what one of them does not allow is not shown. */
static void what_all_ports_allow(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	set_limits(w, "8:0", 8, 200, 0);
	set_limits(w, "8:16", 1, 100, 50);
	sim_path(w, "8:16")->refused = "no such device";
	world_up(w);
	expect_limits(w, 8, 200, 0);
	sim_path(w, "8:16")->refused = NULL;
	advance(w, 2000); /* the narrower one joins */
	expect_limits(w, 1, 100, 50);
	set_limits(w, "8:0", 0, 0, 20); /* the first one gets other firmware */
	comes_and_goes(w, "8:0");
	expect_limits(w, 0, 0, 20);
	set_limits(w, "8:0", 9, 99, 99);
	comes_and_goes(w, "8:0");
	expect_limits(w, 1, 99, 50);
	expect(w, reload(w, FAIL "0 1 1 round-robin 0 1 1 8:16 1") == 0);
	advance(w, 100); /* and is taken away */
	expect_limits(w, 1, 100, 50);
	world_end(w);
}

/* Who has no such page promises nothing; who does not show it for once has not lost it. */
static void a_port_without_block_limits(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_nexus *nexus = &sim_path(w, "8:16")->nexus;

	set_limits(w, "8:0", 8, 200, 70);
	set_limits(w, "8:16", 1, 100, 0);
	nexus->hides_limits = true;
	world_up(w);
	expect_limits(w, 8, 200, 70);
	nexus->hides_limits = false;
	comes_and_goes(w, "8:16");
	expect_limits(w, 1, 100, 70);
	nexus->hides_limits = true;
	comes_and_goes(w, "8:16");
	expect_limits(w, 1, 100, 70);
	nexus->no_limits = true;
	comes_and_goes(w, "8:16");
	expect_limits(w, 0, 0, 70);
	world_end(w);
}

/*
 * An adapter may not say how much has come: what lies behind the end of a page is not the array's
 * word.  Nor is another page than the one that was asked for.
 */
static void limits_that_are_no_limits(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_nexus *nexus = &sim_path(w, "8:16")->nexus;

	set_limits(w, "8:0", 8, 200, 70);
	set_limits(w, "8:16", 4, 100, 50);
	nexus->cuts_limits = true;
	world_up(w);
	expect_limits(w, 4, 0, 70);
	nexus->cuts_limits = false;
	comes_and_goes(w, "8:16");
	expect_limits(w, 4, 100, 50);
	set_limits(w, "8:16", 1, 1, 1);
	nexus->mistakes_limits = true;
	comes_and_goes(w, "8:16");
	expect_limits(w, 4, 100, 50);
	world_end(w);
}

/* The limits of a LUN that is forgotten do not count for the next one. */
static void limits_are_forgotten_with_the_lun(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct path_snapshot paths[2];
	struct mpath_snapshot shot = {.paths = paths, .max_paths = 2};

	set_limits(w, "8:0", 8, 200, 0);
	set_limits(w, "8:16", 1, 100, 50);
	sim_path(w, "8:16")->nexus.max_transfer = 16;
	world_up(w);
	for (unsigned int i = 0; i < 2; i++)
		set_mode(&w->paths[i], MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 1000);
	expect(w, message(w, "forget_wwid") == 0);
	exchange_lun(&w->paths[0], 1);
	set_mode(&w->paths[0], MODE_UP);
	advance(w, 3000);
	expect_notice(w, "the LUN is " WWID_2);
	expect_limits(w, 8, 200, 0);
	expect(w, max_transfer(w) == 128);
	mpath_snapshot(w->m, w->now_ns, &shot);
	expect(w, paths[1].max_transfer_bytes == sim_path(w, "8:16")->max_transfer_bytes);
	world_end(w);
}

/* A page may be missing, but not the LUN: it goes away while its last pages are asked for. */
static void the_lun_goes_while_it_is_looked_at(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	world_start(w);
	advance(w, 6);
	expect(w, sim_path(w, "8:0")->nr_probes >= 5);
	expect(w, !mpath_lun(w->m)->known);
	set_mode(sim_path(w, "8:0"), MODE_LUN_GONE);
	advance(w, 500);
	expect(w, !mpath_lun(w->m)->known);
	expect_notice(w, "8:0: not used: cannot be identified");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	expect(w, mpath_lun(w->m)->known);
	world_end(w);
}

/* What an answer has not brought is not taken from the one before. */
static void an_answer_that_is_too_short(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_path *p = sim_path(w, "8:0");

	world_up(w);
	p->nexus.short_inquiry = 35;
	push_ua(p, 0x3f, 0x03);
	submit_read(w, 0, 1);
	advance(w, 100);
	expect_notice(w, "8:0: not used: INQUIRY data is too short");
	p->nexus.short_inquiry = 36;
	disks_changed(w);
	advance(w, 15000);
	expect(w, w->m->nr_valid == 1);
	world_end(w);
}

/* Eight unit attentions are heard out while a path is identified; with more it has to wait. */
static void unit_attentions_during_the_identity_check(void)
{
	for (unsigned int n = 8; n <= 9; n++) {
		struct world *w = world_new(FAIL ONE_PATH);

		w->settings.checker = NULL;
		for (unsigned int i = 0; i < n; i++)
			push_ua(sim_path(w, "8:0"), 0x29, 0x00);
		world_start(w);
		advance(w, 100);
		expect(w, w->m->nr_valid == (n == 8));
		advance(w, 2000);
		expect(w, w->m->nr_valid == 1);
		world_end(w);
	}
}

/* Whenever it is asked the array says that its LUNs have changed: not without a pause. */
static void an_array_that_raises_doubts_without_end(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *path = sim_path(w, "8:0");
	unsigned int flow;

	world_up(w);
	push_ua(path, 0x3f, 0x0e);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	advance(w, 1);
	flow = path->path->flow;
	for (unsigned int ms = 0; ms < 2000; ms++) {
		if (!path->nexus.nr_uas && path->path->probe_step < 2)
			push_ua(path, 0x3f, 0x0e); /* for READ CAPACITY */
		advance(w, 1);
	}
	expect(w, path->path->suspect);
	expect(w, path->path->flow - flow < 800);
	path->nexus.nr_uas = 0;
	advance(w, 200);
	expect(w, !path->path->suspect);
	world_end(w);
}

int main(void)
{
	STORY(the_tables_first_path_decides);
	STORY(answers_with_a_warning);
	STORY(the_first_path_that_can_be_had_decides);
	STORY(the_kept_wwid_is_pinned);
	STORY(the_configured_wwid_counts);
	STORY(a_lun_may_be_asked_for_by_its_local_name);
	STORY(a_local_name_is_perhaps_not_the_only_ones);
	STORY(a_changed_lun_list_is_looked_at);
	STORY(an_exchanged_lun_is_excluded);
	STORY(a_new_nexus_may_lead_to_another_lun);
	STORY(the_checker_hears_of_an_exchanged_lun);
	STORY(the_kernel_hears_of_an_exchanged_lun);
	STORY(the_kernel_hears_of_a_reset_that_we_have_seen);
	STORY(the_kernel_hears_of_a_reset_that_another_group_has_seen);
	STORY(the_kernel_hears_of_a_reset_before_we_read_the_answer);
	STORY(the_kernel_has_heard_what_nobody_knows);
	STORY(an_exchanged_lun_in_two_groups);
	STORY(the_checker_hears_of_a_lun_in_two_groups);
	STORY(the_kernel_hears_of_a_lun_in_two_groups);
	STORY(an_exchange_during_the_identity_check);
	STORY(news_during_the_identity_check);
	STORY(an_array_that_raises_doubts_without_end);
	STORY(a_shortage_during_the_identity_check);
	STORY(a_doubt_does_not_replace_the_checker);
	STORY(sizes_must_agree);
	STORY(a_lun_that_grew_is_taken);
	STORY(a_lun_grows_in_service);
	STORY(a_lun_grows_and_a_probe_hears_of_it);
	STORY(a_lun_grows_under_load);
	STORY(a_doubt_under_load);
	STORY(a_lun_grows_and_the_kernel_hears_of_it);
	STORY(resize_by_message);
	STORY(a_path_does_not_grow_with_the_others);
	STORY(a_lun_grows_twice);
	STORY(a_lun_grows_while_its_path_is_identified);
	STORY(a_lun_grows_during_a_restart);
	STORY(a_lun_grows_during_an_outage);
	STORY(a_lun_grows_while_a_path_is_down);
	STORY(a_lun_grows_and_nobody_tells);
	STORY(paths_that_alone_show_more);
	STORY(a_port_hears_late_that_the_lun_has_grown);
	STORY(the_backstores_block_size_counts);
	STORY(the_backstores_size_is_another);
	STORY(the_backstores_size_follows);
	STORY(the_tables_length_counts);
	STORY(devices_that_cannot_be_paths);
	STORY(resets_while_a_path_is_looked_at);
	STORY(forget_wwid_is_refused_while_in_use);
	STORY(forget_wwid_takes_the_new_lun);
	STORY(forget_wwid_during_an_outage);
	STORY(a_restart_between_forget_wwid_and_the_new_lun);
	STORY(a_lun_that_was_never_seen);
	STORY(a_lun_that_was_kept_answers);
	STORY(the_lun_shows_the_arrays_names);
	STORY(the_arrays_names_are_waited_for);
	STORY(the_names_do_not_change_in_service);
	STORY(an_inquiry_waits_for_the_first_look);
	STORY(what_the_lun_says_of_itself);
	STORY(the_port_that_takes_least);
	STORY(what_all_ports_allow);
	STORY(nothing_is_promised_that_is_not_kept);
	STORY(a_port_without_block_limits);
	STORY(limits_that_are_no_limits);
	STORY(limits_are_forgotten_with_the_lun);
	STORY(the_lun_goes_while_it_is_looked_at);
	STORY(an_answer_that_is_too_short);
	STORY(unit_attentions_during_the_identity_check);
	return end_of_stories();
}
