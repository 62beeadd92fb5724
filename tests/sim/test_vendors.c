/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays of two controllers, for the hardware handlers emc, rdac and hp_sw: who owns the LUN, who
 * takes it over, and what the array may say to that (B3 of dm-multipath.md).  What is about single
 * answers is in tests/unit/test_emc.c and its like.
 */
#include <string.h>

#include "core/registry.h"
#include "hw_handlers/rdac_transfer.h"
#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define GROUPS		 "2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1 "
#define TWO_BY_TWO_PATHS "2 1 round-robin 0 2 1 8:0 1 8:16 1 round-robin 0 2 1 8:32 1 8:48 1 "

static const enum sim_make makes[] = {MAKE_EMC, MAKE_RDAC, MAKE_HP_SW};
#define FOR_EACH_MAKE(make) for (const enum sim_make *make = makes; make < makes + 3; make++)

static const char *const names[] = {
	[MAKE_EMC] = "emc", [MAKE_RDAC] = "rdac", [MAKE_HP_SW] = "hp_sw"};

static struct sim_lun *lun(struct world *w)
{
	return &w->luns[0];
}

/* @features and @groups as in a table. */
static struct world *new_world(const char *features, enum sim_make make, const char *groups)
{
	char table[512];
	struct world *w;

	snprintf(table, sizeof(table), "%s 1 %s %s", features, names[make], groups);
	w = world_new(table);
	give_controllers(w, make);
	return w;
}

static struct sim_io *read_and_wait(struct world *w, unsigned int ms)
{
	struct sim_io *io = submit_read(w, 0, 1);

	advance(w, ms);
	expect_good(w, io);
	return io;
}

/* A world in use: controller 0 owns the LUN, and its group is activated. */
static struct world *used_world(const char *features, enum sim_make make, const char *groups)
{
	struct world *w = new_world(features, make, groups);

	world_up(w);
	read_and_wait(w, 20);
	forget_trace(w);
	forget_notices(w);
	return w;
}

static void array_refuses(struct world *w, uint8_t key, uint8_t asc, uint8_t ascq,
			  unsigned int times)
{
	lun(w)->move = MOVE_REFUSES;
	lun(w)->excuse[0] = key;
	lun(w)->excuse[1] = asc;
	lun(w)->excuse[2] = ascq;
	lun(w)->excuses_left = times;
}

/* --- which handler --- */

static void a_handler_is_found_by_itself(void)
{
	char want[256];

	FOR_EACH_MAKE(make)
	{
		struct world *w = world_new("0 0 " GROUPS);

		give_controllers(w, *make);
		w->lists_paths = true;
		world_up(w);
		snprintf(want, sizeof(want), "0 1 %s " GROUPS, names[*make]);
		expect_table(w, want);
		read_and_wait(w, 20);
		world_end(w);
	}
}

/* --- the LUN moves --- */

/* Who owns the LUN need not be told to take it, nor is the other one touched. */
static void the_owner_is_left_in_peace(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, TWO_BY_TWO_PATHS);

		expect(w, lun(w)->nr_moves == 0 && lun(w)->owner == 0);
		expect_info(w, "2 0 1 0 2 1 A 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
		advance(w, 60000);
		expect(w, lun(w)->nr_moves == 0);
		expect_info(w, "2 0 1 0 2 1 A 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
		world_end(w);
	}
}

/* A group is lost: the other controller takes over, before a command goes there. */
static void the_other_controller_takes_over(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, TWO_BY_TWO_PATHS);
		struct sim_io *read, *write;

		set_controller_mode(w, 0, MODE_LOST);
		read = submit_read(w, 0, 1);
		write = submit_write(w, 0, 1);
		advance(w, 50);
		expect_good(w, read);
		expect_good(w, write);
		expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 1);
		expect(w, sim_path(w, "8:32")->path->fail_count == 0);
		set_controller_mode(w, 0, MODE_UP);
		advance(w, 3000);
		read_and_wait(w, 20);
		expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 1); /* failback=manual */
		message(w, "switch_group 1");
		read_and_wait(w, 50);
		expect(w, lun(w)->owner == 0 && lun(w)->nr_moves == 2);
		world_end(w);
	}
}

/* At the start nobody is asked for his size before the LUN is his. */
static void the_second_group_owns_the_lun_at_the_start(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = new_world("0", *make, GROUPS);

		lun(w)->owner = 1;
		snprintf(w->settings.wwid, sizeof(w->settings.wwid), "%s", lun(w)->wwid);
		world_up(w);
		expect(w, lun(w)->nr_moves == 0);
		read_and_wait(w, 50);
		expect(w, lun(w)->owner == 0 && lun(w)->nr_moves == 1);
		world_end(w);
	}
}

/*
 * Only passive paths, which do not tell the LUN's size, and nobody has ever seen it: no initiator
 * is shown such a LUN, so no command of his would have it moved.
 */
static void a_lun_that_nobody_has_seen(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = new_world("0", *make, "1 1 round-robin 0 2 1 8:0 1 8:16 1");

		lun(w)->owner = 1;
		lun(w)->is_shy = true;
		snprintf(w->settings.wwid, sizeof(w->settings.wwid), "%s", lun(w)->wwid);
		world_up(w);
		advance(w, 1000);
		expect(w, mpath_lun(w->m)->known);
		expect(w, lun(w)->owner == 0 && lun(w)->nr_moves == 1);
		advance(w, 10000);
		expect(w, lun(w)->nr_moves == 1);
		read_and_wait(w, 20);
		world_end(w);
	}
}

/* The array does not do it at once, or the path is not there at once: later, then. */
static void a_lun_that_nobody_has_seen_for_long(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = new_world("0", *make, GROUPS);

		lun(w)->owner = 1;
		lun(w)->is_shy = true;
		array_refuses(w, 0x04, 0x44, 0x00, 3);
		sim_path(w, "8:16")->refused = "no such device";
		snprintf(w->settings.wwid, sizeof(w->settings.wwid), "%s", lun(w)->wwid);
		world_up(w);
		advance(w, 10000);
		expect(w, mpath_lun(w->m)->known);
		expect(w, lun(w)->owner == 0 && lun(w)->nr_moves == 4);
		world_end(w);
	}
}

/* It does not tell its size, but its WWID: what it says is said of our LUN, and now. */
static void a_passive_path_hears_something(void)
{
	struct world *w = new_world("0", MAKE_HP_SW, GROUPS);
	struct sim_io *io;

	lun(w)->is_shy = true;
	world_up(w);
	read_and_wait(w, 20);
	push_ua(sim_path(w, "8:16"), 0x2a, 0x01);
	advance(w, 6000);
	expect(w, sim_path(w, "8:16")->path->passive && !sim_path(w, "8:16")->nexus.nr_uas);
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_sense(w, io, 0x06, 0x2a, 0x01);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	read_and_wait(w, 100);
	read_and_wait(w, 100); /* and not again, now that it is used */
	world_end(w);
}

/* Another host has moved it: commands follow it there, and do not ask for it back. */
static void another_host_moves_the_lun(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_io *io;

		lun(w)->owner = 1;
		io = submit_write(w, 0, 1);
		advance(w, 50);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, "8:16") && io->nr_executions == 1);
		expect(w, lun(w)->nr_moves == 0);
		expect_notice(w, "failed (");
		advance(w, 3000);
		expect(w, sim_path(w, "8:0")->path->active); /* passive, but it will do */
		read_and_wait(w, 20);
		expect(w, lun(w)->nr_moves == 0);
		world_end(w);
	}
}

/* F51: nor with followover.  That is for paths that were down, and come up as their group's first.
 */
static void followover_leaves_the_lun_to_another_host(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = new_world("0", *make, GROUPS);
		struct sim_io *io;

		w->settings.policy.failback = FAILBACK_FOLLOWOVER;
		world_up(w);
		read_and_wait(w, 20);
		lun(w)->owner = 1;
		io = submit_write(w, 0, 1);
		advance(w, 50);
		expect_good(w, io);
		advance(w, 10000);
		expect(w, sim_path(w, "8:0")->path->active);
		read_and_wait(w, 20);
		expect(w, lun(w)->nr_moves == 0);

		message(w, "fail_path 8:0");
		advance(w, 6000);
		message(w, "reinstate_path 8:0");
		advance(w, 6000);
		read_and_wait(w, 20);
		expect(w, lun(w)->nr_moves == 0);

		set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
		advance(w, 6000);
		set_mode(sim_path(w, "8:0"), MODE_UP);
		advance(w, 6000);
		read_and_wait(w, 20);
		expect(w, lun(w)->owner == 0 && lun(w)->nr_moves == 1);
		world_end(w);
	}
}

/* A path that this process has never known to be down has not come up, however late it is. */
static void followover_after_a_restart(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = new_world("0", *make, GROUPS);

		w->settings.policy.failback = FAILBACK_FOLLOWOVER;
		world_up(w);
		read_and_wait(w, 20);
		lun(w)->owner = 1;
		read_and_wait(w, 50);
		expect(w, w->m->current_pg->number == 2);
		kill_world(w, 0);
		sim_path(w, "8:0")->open_latency_ns = 3 * NSEC_PER_SEC;
		restart_world(w);
		advance(w, 1500);
		read_and_wait(w, 500);
		advance(w, 60000);
		expect(w, sim_path(w, "8:0")->path->active);
		read_and_wait(w, 50);
		expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 0);
		world_end(w);
	}
}

/* Too much to do even for the checkers' questions: that says nothing of the paths. */
static void the_array_is_overloaded(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, TWO_BY_TWO_PATHS);
		struct sim_path *p = sim_path(w, "8:48");
		unsigned int i;

		lun(w)->overloaded = true;
		set_io_mode(sim_path(w, "8:0"), MODE_FAULT, 1);
		submit_read(w, 0, 1);
		submit_read(w, 0, 1);
		for (i = 0; i < 100; i++) {
			advance(w, 1000);
			expect(w, w->m->nr_valid == 4 && w->m->nr_suspect == 0);
		}
		/* Who has failed has to prove that it is up. */
		message(w, "fail_path 8:48");
		message(w, "reinstate_path 8:48");
		advance(w, 3000);
		expect(w, !p->path->active);
		lun(w)->overloaded = false;
		advance(w, 2000);
		expect(w, p->path->active);
		read_and_wait(w, 20);
		expect(w, lun(w)->owner == 0 && lun(w)->nr_moves == 0);
		world_end(w);
	}
}

/* Nor is it a reason to give an activation up: in the kernel it would wait below the handler. */
static void an_activation_meets_an_overload(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, TWO_BY_TWO_PATHS);
		struct sim_io *io;

		lun(w)->overloaded = true;
		message(w, "switch_group 2");
		io = submit_read(w, 0, 1);
		advance(w, 5000);
		expect_pending(w, io);
		lun(w)->overloaded = false;
		advance(w, 200);
		expect_good(w, io);
		expect(w, w->m->nr_valid == 4 && w->m->nr_path_faults == 0);
		expect(w, lun(w)->owner == 1);
		world_end(w);
	}
}

/*
 * A LUN was mapped on the array: all LUNs' paths are told, and identified once more.  That is no
 * reason to move anybody to the other controller, however long the owner takes.
 */
static void a_doubt_of_identity_moves_nobody(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_io *first, *second;

		sim_path(w, "8:0")->latency_ns = 20 * NSEC_PER_MSEC;
		kernel_hears(sim_path(w, "8:0"), HEARD_IDENTITY);
		kernel_hears(sim_path(w, "8:16"), HEARD_IDENTITY);
		first = submit_read(w, 0, 1);
		advance(w, 15);
		second = submit_write(w, 0, 1);
		advance(w, 500);
		expect_good(w, first);
		expect_good(w, second);
		push_ua(sim_path(w, "8:0"), 0x3f, 0x0e);
		first = submit_read(w, 1, 1);
		advance(w, 25);
		second = submit_read(w, 2, 1);
		advance(w, 500);
		expect_good(w, first);
		expect_good(w, second);
		expect(w, lun(w)->owner == 0 && lun(w)->nr_moves == 0);
		expect(w, count_notices(w, "switched to") == 0);
		world_end(w);
	}
}

/* But if it is another LUN, or does not answer, the other controller has to do. */
static void a_doubt_of_identity_that_is_right(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_io *io;

		sim_path(w, "8:0")->nexus.lun = &w->luns[1];
		kernel_hears(sim_path(w, "8:0"), HEARD_IDENTITY);
		io = submit_read(w, 0, 1);
		advance(w, 100);
		expect_good(w, io);
		expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 1);
		world_end(w);

		w = used_world("0", *make, GROUPS);
		set_mode(sim_path(w, "8:0"), MODE_HUNG);
		kernel_hears(sim_path(w, "8:0"), HEARD_IDENTITY);
		io = submit_read(w, 0, 1);
		advance(w, w->settings.checker_timeout_ms + 100);
		expect_good(w, io);
		expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 1);
		world_end(w);
	}
}

/* It had told the LUN's WWID, and is behind another LUN now, as it says: nobody moves that one. */
static void another_lun_is_not_moved(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_path *path = sim_path(w, "8:16");

		kernel_hears(path, HEARD_IDENTITY);
		expect(w, path->path->probing == PROBE_IDENTIFY);
		while (path->path->probe_step < 3) /* READ CAPACITY */
			advance(w, 1);
		exchange_lun(path, 1);
		set_mode(sim_path(w, "8:0"), MODE_LOST);
		submit_write(w, 0, 1);
		advance(w, 1000);
		expect(w, w->luns[1].nr_moves == 0 && !path->path->active);
		world_end(w);
	}
}

/* Nobody knows of that yet, and the first to hear it is the activation. */
static void another_lun_is_found_by_an_activation(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_path *path = sim_path(w, "8:16");
		struct sim_io *io;

		exchange_lun(path, 1);
		message(w, "switch_group 2");
		io = submit_write(w, 0, 1);
		advance(w, 1000);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, "8:0") && !path->path->active);
		expect(w, w->luns[1].nr_moves == 0);
		world_end(w);
	}
}

/*
 * Whose LUN it is was asked after its group was activated, and the array had no time to tell, when
 * commands went back to the other group: the path is asked once more, also without a checker.
 */
static void a_doubt_of_identity_whose_turn_is_over(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = new_world("0", *make, GROUPS);
		struct sim_path *path = sim_path(w, "8:16");

		if (*make == MAKE_EMC)
			lun(w)->is_shy = true;
		w->settings.checker = NULL;
		world_up(w);
		read_and_wait(w, 20);
		message(w, "switch_group 2");
		submit_read(w, 0, 1);
		while (path->path->probing != PROBE_IDENTIFY)
			advance(w, 1);
		path->busy = 1000;
		path->busy_opcode = 0x12;
		kernel_hears(path, HEARD_IDENTITY);
		while (!path->path->resume_ns)
			advance(w, 1);
		message(w, "switch_group 1");
		read_and_wait(w, 100);
		expect(w, path->path->suspect);
		path->busy = 0;
		advance(w, 100);
		expect(w, path->path->active && !path->path->suspect);
		world_end(w);
	}
}

/* Likewise how large it is: a path that has not grown with the others is not used any more. */
static void a_question_of_size_whose_turn_is_over(void)
{
	struct world *w = new_world("0", MAKE_EMC, GROUPS);
	struct sim_path *path = sim_path(w, "8:16");

	w->settings.checker = NULL;
	world_up(w);
	read_and_wait(w, 20);
	message(w, "switch_group 2");
	submit_read(w, 0, 1);
	while (path->path->probing != PROBE_ACTIVATE)
		advance(w, 1);
	sim_path(w, "8:0")->nexus.nr_blocks = 4096;
	kernel_hears(path, HEARD_CAPACITY);
	while (path->path->probing != PROBE_IDENTIFY)
		advance(w, 1);
	path->busy = 1000;
	path->busy_opcode = 0x12;
	while (!path->path->resume_ns)
		advance(w, 1);
	message(w, "switch_group 1");
	read_and_wait(w, 100);
	expect(w, mpath_lun(w->m)->nr_blocks == 4096);
	path->busy = 0;
	advance(w, 100);
	expect(w, !path->path->active);
	expect_notice(w, "8:16: not used: size is 2048 x 512 bytes, the map's is 4096 x 512");
	world_end(w);
}

/* F25: it does so again and again: nothing fails, and the array is not told without a pause. */
static void two_hosts_fight(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("1 queue_if_no_path", *make, GROUPS);
		unsigned int i;

		for (i = 0; i < 200; i++) {
			struct sim_io *io = submit_write(w, i % 8, 1);

			if (i % 3)
				lun(w)->owner ^= 1;
			advance(w, 5);
			lun(w)->owner ^= i & 1;
			advance(w, 45);
			if (i % 20 == 0) {
				advance(w, 3000);
				expect_good(w, io);
			}
		}
		advance(w, 3000);
		expect(w, w->m->nr_ios == 0);
		expect(w, lun(w)->nr_moves <= 2 * 50); /* in 43 s */
		world_end(w);
	}
}

/* --- what the array says to that --- */

struct excuse {
	enum sim_make make;
	uint8_t key, asc, ascq;
	unsigned int times;	/* 0: for ever */
	unsigned int after_ms;	/* then the command is answered */
	unsigned int nr_moves;	/* the array was told */
	unsigned int nr_rounds; /* of activation of the second group; 0: it is left */
	const char *told;
};

static void make_excuses(const struct excuse *row)
{
	struct world *w = used_world("5 queue_if_no_path pg_init_retries 3 pg_init_delay_msecs 100",
				     row->make, GROUPS);
	struct sim_io *io;

	array_refuses(w, row->key, row->asc, row->ascq, row->times);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	if (row->after_ms > 50)
		advance(w, row->after_ms - 50);
	else
		advance(w, 1);
	expect_pending(w, io);
	advance(w, 100);
	expect_good(w, io);
	expect(w, lun(w)->nr_moves == row->nr_moves);
	if (row->told)
		expect_notice(w, row->told);
	expect(w, io->last_path == sim_path(w, row->nr_rounds ? "8:16" : "8:0"));
	if (row->nr_rounds)
		expect(w, w->m->pg_init_count == row->nr_rounds);
	expect(w, lun(w)->owner == (row->nr_rounds ? 1 : 0));
	world_end(w);
}

/* SCSI_DH_RETRY, SCSI_DH_DEV_TEMP_BUSY, what is asked again at once, and what is not asked again.
 */
static void excuses(void)
{
	static const struct excuse rows[] = {
		/* A unit attention: it was not even looked at. */
		{MAKE_EMC, 0x06, 0x2a, 0x01, 2, 20, 3, 1, NULL},
		{MAKE_EMC, 0x06, 0x2a, 0x01, 0, 30, 20, 0, "activation failed"},
		/* A copy within the array, and an upgrade: the other group has to do. */
		{MAKE_EMC, 0x05, 0x04, 0x00, 0, 5, 1, 0, "the array is busy, bypassing"},
		{MAKE_EMC, 0x02, 0x04, 0x03, 0, 5, 1, 0, "the array is busy, bypassing"},
		{MAKE_EMC, 0x05, 0x24, 0x00, 0, 5, 1, 0, "activation failed"},

		/* Its command lock is taken, for as long as it moves others. */
		{MAKE_RDAC, 0x05, 0x91, 0x36, 20, 4000, 21, 1, NULL},
		{MAKE_RDAC, 0x00, 0x00, 0x00, 5, 50, 6, 1, NULL},
		{MAKE_RDAC, 0x0b, 0x00, 0x00, 5, 50, 6, 1, NULL},
		{MAKE_RDAC, 0x06, 0x29, 0x00, 5, 50, 6, 1, NULL},
		/* It becomes ready: it is asked for five seconds in each round, as one that is
		   busy. */
		{MAKE_RDAC, 0x02, 0x04, 0x01, 8, 400, 9, 1, NULL},
		{MAKE_RDAC, 0x02, 0x04, 0x01, 0, 20730, 420, 0, "tried pg_init_retries times"},
		{MAKE_RDAC, 0x05, 0x26, 0x00, 0, 5, 1, 0, "activation failed"},

		/* The switch-over is under way. */
		{MAKE_HP_SW, 0x02, 0x04, 0x03, 3, 30, 4, 1, NULL},
		{MAKE_HP_SW, 0x02, 0x04, 0x03, 5, 150, 6, 2, "activating once more"},
		{MAKE_HP_SW, 0x02, 0x04, 0x03, 0, 400, 16, 0, "tried pg_init_retries times"},
		{MAKE_HP_SW, 0x04, 0x44, 0x00, 0, 5, 1, 0, "activation failed"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		make_excuses(&rows[i]);
}

/* An upgrade of the firmware, as the page says: then the group is bypassed, and no path fails. */
static void an_upgrade_of_the_firmware(void)
{
	struct world *w = used_world("2 pg_init_delay_msecs 300", MAKE_EMC, GROUPS);
	struct sim_io *io;

	lun(w)->upgrading = true;
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_pending(w, io); /* the first group cannot be activated either */
	expect_info(w, "2 1 1 0 2 2 D 0 1 0 8:0 A 0 D 0 1 0 8:16 A 0 ");
	lun(w)->upgrading = false;
	advance(w, 400);
	expect_good(w, io);
	expect(w, count_notices(w, "the array is busy, bypassing") == 2);
	expect(w,
	       sim_path(w, "8:0")->path->fail_count + sim_path(w, "8:16")->path->fail_count == 0);
	world_end(w);
}

/* Of the bypassed groups one goes on being busy, but it is not the only one to be tried. */
static void an_array_that_is_busy_with_one_group_only(void)
{
	struct world *w = used_world("2 pg_init_delay_msecs 300", MAKE_EMC, GROUPS);
	struct sim_io *io;

	message(w, "switch_group 2");
	expect(w, read_and_wait(w, 20)->last_path == sim_path(w, "8:16"));
	lun(w)->upgrading = true;
	message(w, "switch_group 1");
	io = submit_read(w, 0, 1);
	advance(w, 20);
	expect_pending(w, io);
	lun(w)->upgrading = false;
	array_refuses(w, 0x05, 0x04, 0x00, 1000000); /* who does not own the LUN: a copy is made */
	advance(w, 1000);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	world_end(w);
}

/* Commands are in group 2, and are to go back to the first; the array is busy with a copy. */
static struct world *failback_is_refused(void)
{
	struct world *w = new_world("0", MAKE_EMC, GROUPS);

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	world_up(w);
	expect(w, read_and_wait(w, 20)->last_path == sim_path(w, "8:0"));
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	expect(w, read_and_wait(w, 50)->last_path == sim_path(w, "8:16"));
	array_refuses(w, 0x05, 0x04, 0x00, 1);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	expect(w, read_and_wait(w, 50)->last_path == sim_path(w, "8:16"));
	expect_notice(w, "the array is busy, bypassing priority group 1");
	expect_info(w, "2 0 1 0 2 2 D 0 1 0 8:0 A 1 A 0 1 0 8:16 A 0 ");
	return w;
}

static void path_fails_and_comes_back(struct world *w, const char *name)
{
	set_mode(sim_path(w, name), MODE_NOT_SENT);
	advance(w, 6000);
	set_mode(sim_path(w, name), MODE_UP);
	advance(w, 2000);
}

/* As multipathd has it: when a path of the group comes up, it is a group like any other again. */
static void a_group_that_was_bypassed_is_used_again(void)
{
	struct world *w = failback_is_refused();

	advance(w, 60000);
	expect(w, read_and_wait(w, 50)->last_path == sim_path(w, "8:16"));
	expect_info(w, "2 0 1 0 2 2 D 0 1 0 8:0 A 1 A 0 1 0 8:16 A 0 ");
	path_fails_and_comes_back(w, "8:0");
	expect_notice(w, "a path has come up, enabled priority group 1");
	expect(w, read_and_wait(w, 50)->last_path == sim_path(w, "8:0"));
	expect_info(w, "2 0 1 0 2 1 A 0 1 0 8:0 A 2 E 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* But not one that the administrator has disabled, before that or after it. */
static void a_group_that_was_disabled_stays_so(void)
{
	struct world *w = failback_is_refused();

	message(w, "disable_group 1");
	path_fails_and_comes_back(w, "8:0");
	expect(w, read_and_wait(w, 50)->last_path == sim_path(w, "8:16"));
	expect_info(w, "2 0 1 0 2 2 D 0 1 0 8:0 A 2 A 0 1 0 8:16 A 0 ");

	/* The last resort is tried: it is as disabled as before. */
	array_refuses(w, 0x05, 0x04, 0x00, 1);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	submit_read(w, 0, 1);
	advance(w, 2500);
	expect(w, count_notices(w, "the array is busy, bypassing priority group 1") == 2);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	path_fails_and_comes_back(w, "8:0");
	advance(w, 4000);
	expect_no_notice(w, "a path has come up, enabled");
	world_end(w);
}

/* Nobody has asked for it: a next process knows nothing of it, also when groups have changed. */
static void a_bypass_by_the_array_is_not_remembered(void)
{
	struct world *w = failback_is_refused();
	struct mpath_memory memory;

	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disabled == 0);
	expect(w, add_path(w, "8:32", 3) == 0);
	expect_info(w, "2 0 1 0 3 2 D 0 1 0 8:0 A 1 A 0 1 0 8:16 A 0 E 0 1 0 8:32 F 0 ");
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disabled == 0);
	message(w, "disable_group 1");
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disabled == 1);
	world_end(w);
}

/* SCSI_DH_NOSYS: the array does not take us for a host that can move LUNs so. */
static void a_host_that_is_not_registered(void)
{
	struct world *w = used_world("0", MAKE_EMC, GROUPS);
	struct sim_io *io;

	lun(w)->other_mode = true;
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	expect(w, count_notices(w, "not an array that the hardware handler knows") == 2);
	expect(w, lun(w)->nr_moves == 0);
	lun(w)->other_mode = false;
	advance(w, 3000);
	read_and_wait(w, 50);
	world_end(w);
}

/* It says GOOD, and does nothing: that is found out, and no command goes astray. */
static void an_array_that_lies(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_io *io;

		lun(w)->move = MOVE_LIES;
		message(w, "switch_group 2");
		io = submit_read(w, 0, 1);
		advance(w, 100);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, "8:0") && lun(w)->owner == 0);
		world_end(w);
	}
}

/* It says GOOD, but needs a moment: asked again, as one that has said so itself. */
static void the_owner_needs_a_moment(void)
{
	struct world *w = used_world("5 queue_if_no_path pg_init_retries 9 pg_init_delay_msecs 100",
				     MAKE_RDAC, GROUPS);
	struct sim_io *io;

	lun(w)->starting = true;
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 450);
	expect_pending(w, io);
	lun(w)->starting = false;
	advance(w, 150);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	expect(w, sim_path(w, "8:16")->path->fail_count == 0);
	world_end(w);
}

/* --- models --- */

static void old_models(void)
{
	static const enum sim_make with_models[] = {MAKE_EMC, MAKE_RDAC};

	for (size_t i = 0; i < 2; i++) {
		struct world *w = new_world("0", with_models[i], GROUPS);

		lun(w)->old_model = true;
		world_up(w);
		read_and_wait(w, 20);
		message(w, "switch_group 2");
		read_and_wait(w, 50);
		expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 1);
		world_end(w);
	}
}

/* AVT: the LUN follows the commands, and nobody has to be told. */
static void a_lun_that_follows_the_commands(void)
{
	struct world *w = new_world("0", MAKE_RDAC, GROUPS);

	lun(w)->follows_io = true;
	world_up(w);
	read_and_wait(w, 20);
	message(w, "switch_group 2");
	read_and_wait(w, 20);
	expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 0);
	world_end(w);
}

/* IOSHIP: either controller serves it, and it is moved only to where the array wants it. */
static void a_lun_that_both_serve(void)
{
	struct world *w = new_world("0", MAKE_RDAC, GROUPS);

	lun(w)->ships_io = true;
	lun(w)->owner = lun(w)->preferred = 1;
	world_up(w);
	expect(w, read_and_wait(w, 20)->last_path == sim_path(w, "8:0"));
	expect(w, lun(w)->nr_moves == 0);
	message(w, "switch_group 2");
	expect(w, read_and_wait(w, 20)->last_path == sim_path(w, "8:16"));
	expect(w, lun(w)->nr_moves == 0);
	lun(w)->owner = 0;
	message(w, "switch_group 1");
	read_and_wait(w, 20);
	expect(w, lun(w)->nr_moves == 0);
	message(w, "switch_group 2");
	read_and_wait(w, 20);
	expect(w, lun(w)->nr_moves == 1 && lun(w)->owner == 1);
	expect_info(w, "2 0 1 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/*
 * Commands are told of a transition that checkers of such arrays do not see, as the pages that they
 * read are there all the time: commands have pauses, and no end but that of the transition.
 */
static void a_transition_that_the_checker_does_not_see(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_io *io, *other;

		answer_with_sense(sim_path(w, "8:0"), 0x02, 0x04, 0x0a, 84);
		io = submit_read(w, 0, 1);
		other = submit_write(w, 1, 1);
		advance(w, 500);
		expect_pending(w, io);
		expect_pending(w, other);
		expect(w, io->nr_starts <= 3 && other->nr_starts <= 3);
		advance(w, 39000);
		expect_pending(w, io);
		expect(w, io->nr_starts <= 42 && other->nr_starts <= 42);
		expect_detail(w, "port group in transition");
		advance(w, 4000);
		expect_good(w, io);
		expect_good(w, other);
		expect(w, sim_path(w, "8:0")->path->fail_count == 0 && lun(w)->nr_moves == 0);
		world_end(w);
	}
}

/* A minute is the limit: then the path fails. */
static void a_transition_without_end(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_io *io;

		answer_with_sense(sim_path(w, "8:0"), 0x02, 0x04, 0x0a, 0);
		io = submit_read(w, 0, 1);
		advance(w, 59900);
		expect_pending(w, io);
		expect(w, sim_path(w, "8:0")->path->fail_count == 0);
		advance(w, 1000);
		expect_good(w, io);
		expect(w, sim_path(w, "8:0")->path->fail_count == 1 && lun(w)->nr_moves == 1);
		expect_detail(w, "transition takes too long");
		world_end(w);
	}
}

/*
 * rdac: the array lets nobody at the LUN while it moves it, for as long as it was allowed to (20
 * s), or a controller that has just taken it over is not ready yet.  The kernel's handler has
 * commands wait below dm; no initiator knows what to make of these senses.
 */
static const uint8_t quiesced[][3] = {
	{0x02, 0x04, 0xa1}, {0x02, 0xa1, 0x02}, {0x06, 0x8b, 0x02}, {0x02, 0x04, 0x01}};
#define NR_QUIESCED (sizeof(quiesced) / sizeof(quiesced[0]))

static void an_array_that_is_quiesced(void)
{
	for (size_t i = 0; i < NR_QUIESCED; i++) {
		struct world *w = used_world("0", MAKE_RDAC, TWO_BY_TWO_PATHS);
		const uint8_t *s = quiesced[i];
		struct sim_io *read, *write;

		answer_with_sense(sim_path(w, "8:0"), s[0], s[1], s[2], 0);
		answer_with_sense(sim_path(w, "8:16"), s[0], s[1], s[2], 0);
		read = submit_read(w, 0, 1);
		write = submit_write(w, 1, 1);
		advance(w, 20000);
		expect_pending(w, read);
		expect_pending(w, write);
		expect(w, read->nr_starts + write->nr_starts <= 100);
		set_io_mode(sim_path(w, "8:0"), MODE_UP, 0);
		set_io_mode(sim_path(w, "8:16"), MODE_UP, 0);
		advance(w, 1100);
		expect_good(w, read);
		expect_good(w, write);
		expect(w, w->m->nr_path_faults == 0 && lun(w)->nr_moves == 0);
		world_end(w);
	}
}

/* Likewise, when the LUN's controller has gone for new firmware, and the other one is to take over.
 */
static void quiesced_when_it_is_to_take_over(void)
{
	for (size_t i = 0; i < NR_QUIESCED; i++) {
		struct world *w = used_world("0", MAKE_RDAC, GROUPS);
		struct sim_path *path = sim_path(w, "8:16");
		const uint8_t *s = quiesced[i];
		struct sim_io *io;

		array_refuses(w, s[0], s[1], s[2], 100000);
		set_mode(sim_path(w, "8:0"), MODE_LOST);
		io = submit_write(w, 0, 1);
		advance(w, 25000);
		expect_pending(w, io);
		expect(w, path->path->fail_count == 0);
		expect(w, lun(w)->nr_moves <= 25 * 20);
		lun(w)->move = MOVE_OBEYS;
		advance(w, 100);
		expect_good(w, io);
		expect(w, io->last_path == path && lun(w)->owner == 1);
		read_and_wait(w, 20); /* a unit attention of these is nobody else's */
		world_end(w);
	}
}

/* It has taken it over, but does not tell its size before it is ready. */
static void the_new_owner_is_not_ready_yet(void)
{
	struct world *w = used_world("0", MAKE_RDAC, GROUPS);
	struct sim_io *io;

	lun(w)->starting = true;
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_write(w, 0, 1);
	advance(w, 25000);
	expect_pending(w, io);
	expect(w, sim_path(w, "8:16")->path->fail_count == 0);
	lun(w)->starting = false;
	advance(w, 100);
	expect_good(w, io);
	expect(w, lun(w)->nr_moves == 1);
	world_end(w);
}

/* It is not answered before @ms are over; the caller says how it is then. */
static struct sim_io *write_that_waits(struct world *w, unsigned int ms)
{
	struct sim_io *io = submit_write(w, 0, 1);

	advance(w, ms - 100);
	expect_pending(w, io);
	advance(w, 300);
	return io;
}

/* For ever.  Where the other group serves, nobody waits for that for long. */
static void quiesced_for_ever(void)
{
	for (size_t i = 0; i < NR_QUIESCED; i++) {
		struct world *w = used_world("0", MAKE_RDAC, GROUPS);
		const uint8_t *s = quiesced[i];
		struct sim_io *io;

		array_refuses(w, s[0], s[1], s[2], 0);
		message(w, "switch_group 2");
		io = write_that_waits(w, 5000);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, "8:0") && lun(w)->owner == 0);
		world_end(w);

		w = used_world("0", MAKE_RDAC, GROUPS);
		array_refuses(w, s[0], s[1], s[2], 0);
		set_mode(sim_path(w, "8:0"), MODE_LOST);
		io = write_that_waits(w, 30000);
		expect_sense(w, io, 0x02, 0x08, 0x00);
		world_end(w);
	}
}

/*
 * Nor again and again: the controller that commands have left is back, and so are its paths each
 * time, but the array takes its time to let it have the LUN.
 */
static void quiesced_when_commands_are_to_go_back(void)
{
	for (size_t i = 0; i < NR_QUIESCED; i++) {
		struct world *w = new_world("0", MAKE_RDAC, TWO_BY_TWO_PATHS);
		const uint8_t *s = quiesced[i];
		unsigned int nr_good = 0;

		w->settings.policy.failback = FAILBACK_IMMEDIATE;
		world_up(w);
		read_and_wait(w, 20);
		set_controller_mode(w, 0, MODE_LOST);
		read_and_wait(w, 100);
		array_refuses(w, s[0], s[1], s[2], 0);
		set_controller_mode(w, 0, MODE_UP);
		for (unsigned int n = 0; n < 1200; n++) {
			struct sim_io *io = submit_read(w, 0, 1);

			advance(w, 10);
			nr_good += io->state == SIM_IO_ANSWERED;
			advance(w, 90);
		}
		expect(w, nr_good > 900);
		lun(w)->move = MOVE_OBEYS;
		advance(w, 60000); /* until it is asked once more */
		read_and_wait(w, 100);
		expect(w, lun(w)->owner == 0);
		world_end(w);
	}
}

/*
 * It does at last, but not at once: a second goes by each time that it is asked.  Who never gives
 * it that again never goes back.
 */
static void quiesced_for_a_second_each_time(void)
{
	struct world *w = new_world("0", MAKE_RDAC, TWO_BY_TWO_PATHS);
	unsigned int nr_moves = 0, since = 0, n;

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	world_up(w);
	read_and_wait(w, 20);
	set_controller_mode(w, 0, MODE_LOST);
	read_and_wait(w, 100);
	array_refuses(w, 0x02, 0x04, 0xa1, 0);
	set_controller_mode(w, 0, MODE_UP);
	for (n = 0; n < 1000 && lun(w)->owner; n++) {
		submit_read(w, 0, 1);
		advance(w, 100);
		since = lun(w)->nr_moves == nr_moves ? 0 : since + 1;
		nr_moves = lun(w)->nr_moves;
		if (n > 200 && since == 10)
			lun(w)->move = MOVE_OBEYS;
	}
	expect(w, lun(w)->owner == 0);
	advance(w, 2000);
	read_and_wait(w, 100);
	world_end(w);
}

/* Meanwhile its paths are up: the array lets it have the LUN when the other controller dies. */
static void quiesced_until_the_other_one_dies(void)
{
	for (unsigned int n = 0; n < 20; n++) {
		struct world *w = new_world("0", MAKE_RDAC, TWO_BY_TWO_PATHS);
		struct sim_io *io;

		w->settings.policy.failback = FAILBACK_IMMEDIATE;
		world_up(w);
		read_and_wait(w, 20);
		set_controller_mode(w, 0, MODE_LOST);
		read_and_wait(w, 100);
		array_refuses(w, 0x02, 0x04, 0xa1, 0);
		set_controller_mode(w, 0, MODE_UP);
		for (unsigned int i = 0; i < 200 + n; i++) {
			submit_read(w, 0, 1);
			advance(w, 97);
		}
		lun(w)->move = MOVE_OBEYS;
		set_controller_mode(w, 1, MODE_LOST);
		io = submit_read(w, 0, 1);
		advance(w, 1000);
		expect_good(w, io);
		world_end(w);
	}
}

/* Once it has let it have the LUN that is forgotten. */
static void quiesced_until_somebody_asks(void)
{
	struct world *w = new_world("0", MAKE_RDAC, TWO_BY_TWO_PATHS);

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	world_up(w);
	read_and_wait(w, 20);
	set_controller_mode(w, 0, MODE_LOST);
	read_and_wait(w, 100);
	array_refuses(w, 0x02, 0x04, 0xa1, 0);
	set_controller_mode(w, 0, MODE_UP);
	advance(w, 2000);
	read_and_wait(w, 10000);
	expect(w, lun(w)->owner == 1);
	lun(w)->move = MOVE_OBEYS;
	message(w, "switch_group 1");
	read_and_wait(w, 100);
	expect(w, lun(w)->owner == 0);
	set_controller_mode(w, 0, MODE_LOST);
	read_and_wait(w, 100);
	expect(w, lun(w)->owner == 1);
	set_controller_mode(w, 0, MODE_UP);
	advance(w, 6000);
	read_and_wait(w, 100);
	expect(w, lun(w)->owner == 0);
	world_end(w);
}

/* Nor once more because a path joins the map, which leaves the groups what they are. */
static void quiesced_when_a_path_joins(void)
{
	struct world *w = new_world("0", MAKE_RDAC, TWO_BY_TWO_PATHS);
	unsigned int nr_good = 0;

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	world_up(w);
	read_and_wait(w, 20);
	set_controller_mode(w, 0, MODE_LOST);
	read_and_wait(w, 100);
	array_refuses(w, 0x02, 0x04, 0xa1, 0);
	set_controller_mode(w, 0, MODE_UP);
	for (unsigned int n = 0; n < 200; n++) {
		struct sim_io *io = submit_read(w, 0, 1);

		if (n == 100) {
			expect(w, add_path(w, "8:64", 2) == 0);
			sim_path(w, "8:64")->nexus.controller = 1;
		}
		advance(w, 10);
		nr_good += n > 100 && io->state == SIM_IO_ANSWERED;
		advance(w, 90);
	}
	expect(w, nr_good > 70);
	world_end(w);
}

/* Both groups are at the controller that is to take over: paths do not fail the quicker for that.
 */
static void quiesced_whichever_group_asks(void)
{
	struct world *w = new_world("0", MAKE_RDAC, TWO_BY_TWO_PATHS);
	struct sim_io *io;
	unsigned int i;

	world_up(w);
	read_and_wait(w, 20);
	for (i = 0; i < 4; i++)
		w->paths[i].nexus.controller = 1;
	array_refuses(w, 0x02, 0x04, 0xa1, 0);
	io = submit_read(w, 0, 1);
	advance(w, 60000);
	expect_pending(w, io);
	for (i = 0; i < 4; i++)
		expect(w, w->paths[i].path->fail_count <= 8);
	lun(w)->move = MOVE_OBEYS;
	advance(w, 2000);
	expect_good(w, io);
	world_end(w);
}

/* Who reads a block, as a checker or because a message asks for that, is told the same. */
static void a_block_is_read_while_it_is_quiesced(void)
{
	for (int by_message = 0; by_message < 2; by_message++) {
		struct world *w = new_world("0", MAKE_RDAC, TWO_BY_TWO_PATHS);
		struct sim_io *io;

		if (!by_message)
			w->settings.checker = path_checker_find("directio");
		world_up(w);
		read_and_wait(w, 20);
		lun(w)->starting = true;
		io = submit_read(w, 0, 1);
		if (by_message)
			message(w, "probe_paths");
		advance(w, 20000);
		expect_pending(w, io);
		lun(w)->starting = false;
		advance(w, 1100);
		expect_good(w, io);
		expect(w, w->m->nr_path_faults == 0 && lun(w)->nr_moves == 0);
		world_end(w);
	}
}

/*
 * The controllers fail over: their ports are told of a reset, and so have to prove whose they are,
 * which a LUN that is not ready yet cannot tell wholly.  No path is at fault for that, nor is the
 * LUN to be moved for it.
 */
static void identified_while_the_owner_is_not_ready(void)
{
	struct world *w = used_world("0", MAKE_RDAC, GROUPS);
	struct sim_io *io;

	lun(w)->is_shy = true;
	lun(w)->starting = true;
	push_ua(sim_path(w, "8:0"), 0x29, 0x00);
	io = submit_read(w, 0, 1);
	advance(w, 20000);
	expect_pending(w, io);
	lun(w)->starting = false;
	advance(w, 2100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	expect(w, w->m->nr_path_faults == 0 && lun(w)->nr_moves == 0);
	world_end(w);
}

/* Two transitions with more than the pause between them are two: nobody waits for the second. */
static void a_transition_and_another(void)
{
	struct world *w = used_world("0", MAKE_RDAC, GROUPS);
	struct sim_io *io;

	for (int i = 0; i < 70; i++) {
		answer_with_sense(sim_path(w, "8:0"), 0x02, 0x04, 0x0a, 1);
		io = submit_read(w, 0, 1);
		advance(w, 20);
		expect_good(w, io);
		expect(w, io->nr_starts == 2);
		advance(w, 1000);
	}
	expect(w, sim_path(w, "8:0")->path->fail_count == 0);
	world_end(w);
}

/* --- paths that come while their group is activated --- */

/* The only path that was asked fails, and another one has come meanwhile: it is asked, too. */
static void a_path_comes_back_while_another_is_activated(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, TWO_BY_TWO_PATHS);
		struct sim_io *io;

		message(w, "fail_path 8:48");
		sim_path(w, "8:32")->latency_ns = 200 * NSEC_PER_MSEC;
		message(w, "switch_group 2");
		io = submit_read(w, 0, 1);
		advance(w, 10);
		message(w, "reinstate_path 8:48");
		advance(w, 50);
		expect(w, sim_path(w, "8:48")->path->active);
		expect_pending(w, io);
		set_mode(sim_path(w, "8:32"), MODE_LOST);
		advance(w, 300);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, "8:48"));
		expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 1);
		expect(w, sim_path(w, "8:48")->path->fail_count == 1); /* the message */
		world_end(w);
	}
}

/* Likewise one that was in doubt when its group was chosen. */
static void a_path_is_cleared_while_another_is_activated(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, TWO_BY_TWO_PATHS);
		struct sim_io *io;

		sim_path(w, "8:48")->latency_ns = 20 * NSEC_PER_MSEC;
		sim_path(w, "8:32")->latency_ns = 1000 * NSEC_PER_MSEC;
		kernel_hears(sim_path(w, "8:48"), HEARD_IDENTITY);
		message(w, "switch_group 2");
		io = submit_read(w, 0, 1);
		advance(w, 500);
		expect(w, !sim_path(w, "8:48")->path->suspect);
		expect_pending(w, io);
		set_mode(sim_path(w, "8:32"), MODE_LOST);
		advance(w, 1500);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, "8:48"));
		expect(w, lun(w)->owner == 1 && lun(w)->nr_moves == 1);
		expect(w, sim_path(w, "8:48")->path->fail_count == 0);
		world_end(w);
	}
}

/* And one that was in doubt all that time is activated before a command goes there. */
static void a_path_is_cleared_after_its_group_was_activated(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, TWO_BY_TWO_PATHS);
		struct sim_io *io;

		sim_path(w, "8:48")->latency_ns = 100 * NSEC_PER_MSEC;
		kernel_hears(sim_path(w, "8:48"), HEARD_IDENTITY);
		message(w, "switch_group 2");
		io = submit_read(w, 0, 1);
		advance(w, 50);
		expect_good(w, io);
		while (sim_path(w, "8:48")->path->suspect)
			advance(w, 1);
		expect(w, sim_path(w, "8:48")->path->needs_activation);
		for (int i = 0; i < 2; i++) {
			io = submit_read(w, 0, 1);
			advance(w, 5);
			expect_good(w, io); /* nobody waits for it */
			expect(w, io->last_path == sim_path(w, "8:32"));
		}
		advance(w, 500);
		expect(w, !sim_path(w, "8:48")->path->needs_activation);
		sim_path(w, "8:48")->latency_ns = SIM_LATENCY;
		for (int i = 0; i < 2; i++)
			io = submit_read(w, 0, 1);
		advance(w, 5);
		expect(w, sim_path(w, "8:48")->path->stats.counters.good[SCSI_DATA_IN]);
		world_end(w);
	}
}

/* Commands go back to their group while the other one is asked whether it has the LUN: it was not
 * told to take it yet, and is not now. */
static void a_group_is_left_before_it_was_told(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_io *io;

		sim_path(w, "8:16")->latency_ns = 100 * NSEC_PER_MSEC;
		message(w, "switch_group 2");
		io = submit_read(w, 0, 1);
		advance(w, 50);
		message(w, "switch_group 1");
		submit_read(w, 1, 1);
		advance(w, 1000);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, "8:0"));
		expect(w, lun(w)->owner == 0 && lun(w)->nr_moves == 0);
		expect(w, w->m->nr_path_faults == 0);
		world_end(w);
	}
}

/* --- BUSY --- */

/* The checker's INQUIRY is answered BUSY: the path is there, and nobody has to leave it or wait. */
static void a_checker_that_is_told_to_come_later(void)
{
	static const enum sim_make with_pages[] = {MAKE_EMC, MAKE_RDAC};

	for (size_t i = 0; i < 2; i++) {
		struct world *w = used_world("0", with_pages[i], GROUPS);
		struct sim_path *path = sim_path(w, "8:0");
		struct sim_io *io;

		path->busy = 1000;
		path->busy_opcode = 0x12;
		for (int s = 0; s < 90; s++) {
			advance(w, 995);
			io = submit_read(w, 0, 1);
			advance(w, 5);
			expect_good(w, io);
			expect(w, io->last_path == path && !path->path->suspect);
		}
		expect(w, path->busy < 1000);

		/* It also ends a doubt that a command has raised. */
		set_io_mode(path, MODE_FAULT, 1);
		io = submit_read(w, 0, 1);
		advance(w, 50);
		expect(w, !path->path->suspect);
		expect(w, path->path->fail_count == 0);

		/* One that has failed stays so: it is not known whether it can be used. */
		path->busy = 3;
		message(w, "fail_path 8:0");
		message(w, "reinstate_path 8:0");
		advance(w, 2500);
		expect(w, !path->path->active);
		advance(w, 1500);
		expect(w, path->path->active);
		world_end(w);
	}
}

static const uint8_t moving_opcode[] = {[MAKE_EMC] = 0x55, [MAKE_RDAC] = 0x55, [MAKE_HP_SW] = 0x1b};

static void is_too_busy_to_move(struct sim_path *path, enum sim_make make)
{
	path->busy = 100000;
	path->busy_opcode = moving_opcode[make];
}

/* A controller has died, and the other one has no time at first: the kernel would ask again, too.
 */
static void an_array_that_is_busy_when_it_is_to_take_over(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_path *path = sim_path(w, "8:16");
		struct sim_io *io;

		is_too_busy_to_move(path, *make);
		path->busy_status = *make == MAKE_RDAC ? SAM_TASK_SET_FULL : SAM_BUSY;
		set_mode(sim_path(w, "8:0"), MODE_LOST);
		io = submit_write(w, 0, 1);
		advance(w, 25000);
		expect_pending(w, io);
		expect(w, path->path->fail_count == 0);
		expect(w, 100000 - path->busy <= 25 * 20);
		path->busy = 0;
		advance(w, 100);
		expect_good(w, io);
		expect(w, io->last_path == path && lun(w)->owner == 1);
		world_end(w);
	}
}

/* For ever: then it has failed.  Nobody waits so long where there is another group. */
static void an_array_that_stays_busy(void)
{
	FOR_EACH_MAKE(make)
	{
		struct world *w = used_world("0", *make, GROUPS);
		struct sim_io *io;

		is_too_busy_to_move(sim_path(w, "8:16"), *make);
		message(w, "switch_group 2");
		io = write_that_waits(w, 5000);
		expect_good(w, io);
		expect(w, io->last_path == sim_path(w, "8:0") && lun(w)->owner == 0);
		world_end(w);

		/* All of its paths together. */
		w = used_world("0", *make, TWO_BY_TWO_PATHS);
		is_too_busy_to_move(sim_path(w, "8:32"), *make);
		is_too_busy_to_move(sim_path(w, "8:48"), *make);
		for (int i = 0; i < 2; i++) {
			message(w, "switch_group 2");
			io = write_that_waits(w, 5000);
			expect_good(w, io);
			expect(w, io->last_path->id < 2 && lun(w)->owner == 0);
			advance(w, 10000);
		}
		world_end(w);

		w = used_world("0", *make, GROUPS);
		is_too_busy_to_move(sim_path(w, "8:16"), *make);
		set_mode(sim_path(w, "8:0"), MODE_LOST);
		io = write_that_waits(w, 30000);
		expect_sense(w, io, 0x02, 0x08, 0x00);
		world_end(w);
	}
}

/* LUNs are moved together; while the array has no time for that, a map loses its interest. */
static void a_lun_that_is_not_to_be_moved_any_more(void)
{
	struct world *w = used_world("0", MAKE_RDAC, GROUPS);
	struct sim_path *path = sim_path(w, "8:16");
	struct rdac_transfer other;
	struct sim_io *io;

	path->path->facts.nexus = 7;
	rdac_transfer_begin(&other, 7, true, 200);
	is_too_busy_to_move(path, MAKE_RDAC);
	message(w, "switch_group 2");
	io = submit_write(w, 0, 1);
	advance(w, 1000);
	expect_pending(w, io);
	rdac_transfer_end(&other, RDAC_WAITS);
	path->busy = 0;
	advance(w, 200);
	expect_good(w, io);
	expect(w, io->last_path == path && lun(w)->owner == 1);
	expect(w, lun(w)->nr_misunderstood == 0); /* the array here knows but one LUN */
	world_end(w);
}

int main(void)
{
	STORY(a_handler_is_found_by_itself);
	STORY(the_owner_is_left_in_peace);
	STORY(the_other_controller_takes_over);
	STORY(the_second_group_owns_the_lun_at_the_start);
	STORY(a_lun_that_nobody_has_seen);
	STORY(a_lun_that_nobody_has_seen_for_long);
	STORY(a_passive_path_hears_something);
	STORY(another_host_moves_the_lun);
	STORY(followover_after_a_restart);
	STORY(the_array_is_overloaded);
	STORY(an_activation_meets_an_overload);
	STORY(followover_leaves_the_lun_to_another_host);
	STORY(a_doubt_of_identity_moves_nobody);
	STORY(a_doubt_of_identity_that_is_right);
	STORY(another_lun_is_not_moved);
	STORY(another_lun_is_found_by_an_activation);
	STORY(a_doubt_of_identity_whose_turn_is_over);
	STORY(a_question_of_size_whose_turn_is_over);
	STORY(two_hosts_fight);
	STORY(excuses);
	STORY(an_upgrade_of_the_firmware);
	STORY(an_array_that_is_busy_with_one_group_only);
	STORY(a_group_that_was_bypassed_is_used_again);
	STORY(a_group_that_was_disabled_stays_so);
	STORY(a_bypass_by_the_array_is_not_remembered);
	STORY(a_host_that_is_not_registered);
	STORY(an_array_that_lies);
	STORY(the_owner_needs_a_moment);
	STORY(old_models);
	STORY(a_lun_that_follows_the_commands);
	STORY(a_lun_that_both_serve);
	STORY(a_transition_that_the_checker_does_not_see);
	STORY(a_transition_without_end);
	STORY(an_array_that_is_quiesced);
	STORY(quiesced_when_it_is_to_take_over);
	STORY(the_new_owner_is_not_ready_yet);
	STORY(quiesced_for_ever);
	STORY(quiesced_when_commands_are_to_go_back);
	STORY(quiesced_for_a_second_each_time);
	STORY(quiesced_until_the_other_one_dies);
	STORY(quiesced_until_somebody_asks);
	STORY(quiesced_when_a_path_joins);
	STORY(quiesced_whichever_group_asks);
	STORY(a_block_is_read_while_it_is_quiesced);
	STORY(identified_while_the_owner_is_not_ready);
	STORY(a_transition_and_another);
	STORY(a_path_comes_back_while_another_is_activated);
	STORY(a_path_is_cleared_while_another_is_activated);
	STORY(a_path_is_cleared_after_its_group_was_activated);
	STORY(a_group_is_left_before_it_was_told);
	STORY(a_checker_that_is_told_to_come_later);
	STORY(an_array_that_is_busy_when_it_is_to_take_over);
	STORY(an_array_that_stays_busy);
	STORY(a_lun_that_is_not_to_be_moved_any_more);
	return end_of_stories();
}
