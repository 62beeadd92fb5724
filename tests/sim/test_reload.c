/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map is changed while it is in service.  The oracle sees to it that no command is lost, doubled
 * or stale meanwhile, and that each selector gets an end for each start.
 */
#include <errno.h>
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define RR(paths) "0 1 1 round-robin 0 " paths

/* The same table once more: nothing happens to paths and commands. */
static void test_the_same_table(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	message(w, "fail_path 8:16");
	io = submit_write(w, 0, 1);
	expect(w, reload(w, FAIL TWO_GROUPS) == 0);
	expect_pending(w, io);
	advance(w, 10);
	expect_good(w, io);
	expect(w, sim_path(w, "8:0")->nr_opens == 1 && sim_path(w, "8:0")->nr_closes == 0);
	/* dm: a new table has chosen no group yet */
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 F 1 ");
	expect_notice(w, "another table has taken over, 1 of 2 paths usable");
	world_end(w);
}

/* Reads on a path that leaves go elsewhere at once; its writes are waited for; then it is closed.
 */
static void test_a_busy_path_leaves(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *read, *write, *other;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	read = submit_read(w, 0, 1);  /* on 8:0 */
	other = submit_read(w, 1, 1); /* on 8:16 */
	write = submit_write(w, 2, 1);
	forget_trace(w);
	expect(w, reload(w, FAIL RR("1 1 8:16 1")) == 0);
	advance(w, 10);
	expect_good(w, read);
	expect_good(w, other);
	expect_pending(w, write);
	expect(w, sim_path(w, "8:0")->is_open && !w->nr_gone);
	expect_trace(w, "[   100] path 8:0: leaves the map\n"
			"[   100] path 8:0: close\n"
			"[   100] io 28: given up on 8:0\n"
			"[   100] another table has taken over\n"
			"[   101] group 1: now current\n"
			"[   101] io 28: start on 8:16\n"
			"[   101] io 28: good\n"
			"[   102] io 28: good\n");
	expect_info(w, "2 0 0 0 1 1 A 0 1 0 8:16 A 0 ");
	expect_detail(w, "leaving: sda 8:0 [1 in flight]");

	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10);
	expect_good(w, write);
	expect(w, !sim_path(w, "8:0")->is_open && w->nr_gone == 1);
	world_end(w);
}

/* The write's path leaves and then loses it: the write goes to a path that is there now. */
static void test_a_write_is_lost_on_a_path_that_leaves(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *write, *busy;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	write = submit_write(w, 2, 1);
	busy = submit_write(w, 3, 1);
	expect(w, reload(w, FAIL RR("1 1 8:16 1")) == 0);
	advance(w, 100);
	expect_pending(w, write);
	expect_pending(w, busy);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 100);
	expect_good(w, write);
	expect_good(w, busy);
	expect(w, write->last_path == sim_path(w, "8:16"));
	expect(w, w->nr_gone == 1);
	world_end(w);
}

/* BUSY on a path that has left is not tried there again. */
static void test_a_retry_does_not_go_back(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 3);
	io = submit_write(w, 0, 1);
	advance(w, 4); /* the third try on 8:0 comes after 10 ms */
	expect_pending(w, io);
	expect(w, remove_path(w, "8:0") == 0);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	world_end(w);
}

/* Held commands stay held, and go down the first new path that is found good. */
static void test_what_is_held_stays_held(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_write(w, 0, 1);
	advance(w, 100);
	expect_pending(w, io);
	expect(w, reload(w, QUEUE RR("1 1 8:16 1")) == 0);
	expect_pending(w, io);
	advance(w, 100);
	expect_good(w, io);
	world_end(w);
}

/* No path stays: commands wait for the new ones to be looked at, though the map does not queue. */
static void test_all_paths_are_others(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	expect(w, reload(w, FAIL "0 2 2 round-robin 0 1 1 8:32 1 round-robin 0 1 1 8:48 1") == 0);
	io = submit_read(w, 0, 1);
	expect_pending(w, io);
	advance(w, 100);
	expect_good(w, io);
	expect(w, w->nr_gone == 2);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	/* the initial group, though the other one may have been ready sooner */
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:32 A 0 A 0 1 0 8:48 A 0 ");
	world_end(w);
}

/* A group that was asked for is forgotten with its table, if the new one asks for none. */
static void test_the_group_that_was_asked_for(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	message(w, "switch_group 2");
	expect(w, reload(w, FAIL "0 2 7 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1") == 0);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	world_end(w);
}

/* New paths that cannot be had do not hold up commands for ever. */
static void test_the_new_paths_hang(void)
{
	struct world *w = world_new(FAIL ONE_PATH);
	struct sim_io *io;

	world_up(w);
	expect(w, reload(w, FAIL RR("1 1 8:16 1")) == 0);
	sim_path(w, "8:16")->open_hangs = true;
	io = submit_read(w, 0, 1);
	advance(w, 5000);
	expect_pending(w, io);
	advance(w, 6000);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

/* Features, and with them what waits: fail_if_no_path by table. */
static void test_features_change(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_write(w, 0, 1);
	advance(w, 100);
	expect_pending(w, io);
	expect(w, reload(w, "2 pg_init_retries 7 " ONE_PATH) == 0);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	expect_table(w, "2 pg_init_retries 7 0 1 1 round-robin 0 1 1 8:0 1 ");
	world_end(w);
}

/* Another spelling of the same device is the same path. */
static void test_another_spelling(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	expect(w, reload(w, FAIL RR("2 1 /dev/sdb 1 8:0 1")) == 0);
	advance(w, 100);
	expect(w, w->nr_paths == 2 && !w->nr_gone);
	expect(w, strcmp(mpath_path(w->m, 0)->address, "/dev/sdb") == 0);
	expect_table(w, FAIL RR("2 1 8:16 1 8:0 1 "));
	world_end(w);
}

/* udev's link to the same device, too; and a new path in its group is none of the old ones. */
static void test_a_link_to_the_same_device(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	link_to(w, "/dev/disk/a", "8:0");
	link_to(w, "/dev/disk/b", "8:16");
	io = submit_write(w, 0, 1);
	expect(w, reload(w, FAIL RR("2 1 /dev/disk/b 1 /dev/disk/a 1")) == 0);
	expect_notice(w, "another table has taken over, 2 of 2 paths usable");
	advance(w, 100);
	expect_good(w, io);
	expect(w, w->nr_paths == 2 && !w->nr_gone);
	expect(w, strcmp(mpath_path(w->m, 0)->address, "/dev/disk/b") == 0);
	expect_table(w, FAIL RR("2 1 8:16 1 8:0 1 "));
	expect(w, add_path(w, "8:32", 1) == 0);
	advance(w, 100);
	expect_table(w, FAIL RR("3 1 8:16 1 8:0 1 8:32 1 "));
	world_end(w);
}

/* A checker, shorter intervals: from now on. */
static void test_settings_change(void)
{
	extern const struct path_checker_type tur_checker;
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int before;

	w->settings.checker = NULL;
	world_up(w);
	before = sim_path(w, "8:0")->nr_probes;
	advance(w, 20000);
	expect(w, sim_path(w, "8:0")->nr_probes == before);
	w->settings.checker = &tur_checker;
	w->settings.polling_interval_ms = 1000;
	expect(w, reload(w, FAIL TWO_PATHS) == 0);
	advance(w, 10000);
	expect(w, sim_path(w, "8:0")->nr_probes >= before + 9);

	/* While one is being asked: the question is forgotten. */
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	advance(w, 1000);
	w->settings.checker = NULL;
	expect(w, reload(w, FAIL TWO_PATHS) == 0);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10000);
	before = sim_path(w, "8:0")->nr_probes;
	advance(w, 20000);
	expect(w, sim_path(w, "8:0")->nr_probes <= before + 1);
	world_end(w);
}

/* The probe that is out is not waited for as long as it was to be. */
static void test_a_shorter_checker_timeout(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	w->settings.checker_timeout_ms = 60000;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	advance(w, 20000);
	expect(w, sim_path(w, "8:0")->path->active);
	w->settings.checker_timeout_ms = 3000;
	expect(w, reload(w, FAIL TWO_GROUPS) == 0);
	advance(w, 1);
	expect(w, !sim_path(w, "8:0")->path->active);
	world_end(w);
}

/* What does not fit the LUN is refused, and nothing has changed. */
static void test_refused(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	expect(w, reload(w, "0 4096 multipath " FAIL TWO_PATHS) == -EINVAL);
	expect(w, strstr(w->text, "LENGTH is 4096 sectors, expected at most the LUN's 2048"));
	strcpy(w->settings.wwid, "36001405000000000000000000000000");
	expect(w, reload(w, FAIL ONE_PATH) == -EINVAL);
	expect(w, strstr(w->text, "expected the map's: 36000d31"));
	expect_table(w, FAIL TWO_PATHS " ");
	expect_no_notice(w, "taken over");
	world_end(w);
}

/* A path more, a path less: counters, features by message and the groups' states stay. */
static void test_add_and_remove(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	message(w, "queue_if_no_path");
	message(w, "disable_group 1");
	message(w, "fail_path 8:0");
	io = submit_write(w, 0, 1);
	expect(w, add_path(w, "8:32", 1) == 0);
	advance(w, 100);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 2 2 D 0 2 0 8:0 F 1 8:32 A 0 A 0 1 0 8:16 A 0 ");
	expect_notice(w, "8:32: added to priority group 1");
	expect_notice(w, "8:32: usable, 2 of 3 usable");

	expect(w, remove_path(w, "8:0") == 0);
	expect(w, remove_path(w, "sdb") == 0); /* group 2, which is in use */
	advance(w, 100);
	expect_info(w, "2 0 0 0 1 1 D 0 1 0 8:32 A 0 ");
	expect_table(w, QUEUE RR("1 1 8:32 1 "));
	expect_notice(w, "8:0: removed, 2 of 2 usable");
	expect(w, w->nr_gone == 2);
	world_end(w);
}

/* Several leave at once: each line has the numbers of the map that is left. */
static void test_several_are_removed(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);

	world_up(w);
	expect(w, reload(w, FAIL "0 1 1 round-robin 0 1 1 8:48 1") == 0);
	expect_notice(w, "8:0: removed, 1 of 1 usable");
	expect_notice(w, "8:32: removed, 1 of 1 usable");
	world_end(w);
}

/* The last path may be removed: then the map has none, and its commands wait or fail. */
static void test_remove_the_last(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	struct sim_io *io;

	world_up(w);
	expect(w, remove_path(w, "8:0") == 0);
	io = submit_write(w, 0, 1);
	advance(w, 20000);
	expect_pending(w, io);
	expect_table(w, "1 queue_if_no_path 0 0 0 ");
	expect(w, add_path(w, "8:16", 0) == -EINVAL);
	expect(w, strstr(w->text, "no priority group"));
	expect(w, reload(w, QUEUE ONE_PATH) == 0);
	advance(w, 100);
	expect_good(w, io);
	world_end(w);
}

/* Removed and added again while a write is still out there: two paths for a while. */
static void test_removed_and_added_again(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *before;
	struct sim_io *io;

	world_up(w);
	before = sim_path(w, "8:0");
	set_mode(before, MODE_HUNG);
	io = submit_write(w, 0, 1);
	expect(w, remove_path(w, "8:0") == 0);
	expect(w, add_path(w, "8:0", 0) == 0);
	advance(w, 3000);
	expect_pending(w, io);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:16 A 0 8:0 A 0 ");
	expect(w, !w->nr_gone && before->is_open);
	set_mode(before, MODE_UP);
	advance(w, 100);
	expect_good(w, io);
	expect(w, w->nr_gone == 1);
	world_end(w);
}

static void test_bad_input(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);

	world_up(w);
	expect(w, add_path(w, "8:16", 1) == -EINVAL);
	expect(w, strcmp(w->text, "path 8:16 is in the map already") == 0);
	expect(w, add_path(w, "8:64", 4) == -EINVAL);
	expect(w, strstr(w->text, "expected a number from 1 to 2, or 3 for a new one"));
	expect(w, add_path(w, "8:64", 0) == -EINVAL);
	expect(w, remove_path(w, "8:64") == -EINVAL);
	expect(w, strcmp(w->text, "path 8:64 is not in map mpatha") == 0);
	expect(w, add_path(w, "8:64", 3) == 0);
	advance(w, 100);
	expect_table(w, "0 0 3 1 round-robin 0 2 1 8:0 1 8:16 1 round-robin 0 2 1 8:32 1 8:48 1 "
			"round-robin 0 1 1 8:64 1 ");
	world_end(w);
}

/* A policy exchanges the groups under load: no command notices, the one in use stays in use. */
static void test_regroup(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);
	static const unsigned int swapped[] = {2, 2, 1, 1}, split[] = {1, 3, 3, 2};
	struct sim_io *io, *queued;
	unsigned int i;

	world_up(w);
	for (i = 0; i < 4; i++)
		w->paths[i].queue_depth = 1;
	io = submit_write(w, 0, 1);
	queued = submit_write(w, 1, 1);
	expect(w, regroup(w, swapped) == 0);
	expect_info(w, "2 0 0 0 2 2 E 0 2 0 8:32 A 0 8:48 A 0 A 0 2 0 8:0 A 0 8:16 A 0 ");
	advance(w, 100);
	expect_good(w, io);
	expect_good(w, queued);
	expect(w, regroup(w, split) == 0);
	expect_info(w, "2 0 0 0 3 2 E 0 1 0 8:32 A 0 A 0 1 0 8:16 A 0 E 0 2 0 8:48 A 0 8:0 A 0 ");
	expect(w, !w->nr_gone);
	world_end(w);
}

/* Commands of a dead process were out on the path that is removed: writes wait for the time. */
static void test_a_path_leaves_with_foreign_commands(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	w->paths[0].foreign = 1;
	world_up(w);
	io = submit_write(w, 0, 1);
	expect(w, remove_path(w, "8:0") == 0);
	advance(w, 45000);
	expect_pending(w, io);
	advance(w, 6000);
	expect_good(w, io);
	world_end(w);
}

/* A path that is being opened leaves; the map is stopped while another one drains. */
static void test_leaving_and_stopping(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_io *io;

	world_up(w);
	expect(w, add_path(w, "8:32", 0) == 0);
	sim_path(w, "8:32")->open_latency_ns = 300 * NSEC_PER_MSEC;
	advance(w, 100);
	expect(w, remove_path(w, "8:32") == 0);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	io = submit_write(w, 0, 1);
	expect(w, remove_path(w, "8:0") == 0);
	advance(w, 300);
	expect(w, w->nr_gone == 1); /* 8:32, once it had been opened */
	stop_world(w);
	advance(w, 1000);
	expect(w, !w->stopped);
	expect_pending(w, io);
	world_end(w);
}

/*
 * path_timeout_ms changes: a command has the one of the moment at which it is sent, also one that
 * came before; what is out keeps the old one, and so does its fence.
 */
static void test_another_time_out(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *out, *held;

	w->settings.fence = FENCE_TIME;
	w->settings.path_timeout_ms = 60000;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	out = submit_write(w, 0, 1);
	message(w, "fail_path 8:16");
	message(w, "fail_path 8:0");
	held = submit_write(w, 1, 1);
	w->settings.path_timeout_ms = 5000;
	expect(w, reload(w, QUEUE TWO_GROUPS) == 0);

	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	message(w, "reinstate_path 8:16");
	advance(w, 10);
	expect_good(w, held);
	expect(w, held->io.cmd.timeout_ms == 5000);
	advance(w, 59900);
	expect_pending(w, out);
	advance(w, 200);
	expect_good(w, out);
	expect(w, out->io.cmd.timeout_ms == 5000);
	world_end(w);
}

/* Nobody has looked at the path, so nobody knows what a dead process has left there: time tells. */
static void test_a_path_leaves_before_it_was_looked_at(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);
	struct sim_io *write, *read;

	world_start(w);
	expect(w, remove_path(w, "8:0") == 0);
	write = submit_write(w, 0, 1);
	read = submit_read(w, 0, 1);
	advance(w, 1000);
	expect_good(w, read);
	expect_pending(w, write);
	advance(w, w->settings.restart_wait_ms);
	expect_good(w, write);
	world_end(w);
}

/* The paths in use join others: commands go on there, in whichever group that is. */
static void the_group_in_use_joins_another(void)
{
	static const unsigned int together[] = {2, 2, 1};
	struct world *w = world_new("0 0 3 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1 "
				    "round-robin 0 1 1 8:32 1");

	world_up(w);
	message(w, "switch_group 2");
	submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, regroup(w, together) == 0);
	advance(w, 10);
	expect(w, w->m->current_pg && w->m->current_pg->number == 2);
	world_end(w);
}

/* A map that finds its paths: the first makes the first group, each other one of its own. */
static void found_paths(void)
{
	struct world *w = world_new("0 0 0 0");
	struct sim_io *io;

	world_up(w);
	expect(w, add_found_path(w, "8:0") == 0);
	expect(w, add_found_path(w, "8:16") == 0);
	advance(w, 2000);
	expect_table(w, FAIL TWO_GROUPS " ");
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	world_end(w);
}

/* With multibus all paths are in one. */
static void found_paths_with_multibus(void)
{
	struct world *w = world_new("0 0 0 0");

	w->settings.policy.grouping = GROUPING_MULTIBUS;
	world_up(w);
	expect(w, add_found_path(w, "8:0") == 0);
	expect(w, add_found_path(w, "8:16") == 0);
	advance(w, 2000);
	expect_table(w, FAIL TWO_PATHS " ");
	world_end(w);
}

#define TWO_LINKS "0 1 1 round-robin 0 2 1 /dev/disk/a 1 /dev/disk/b 1"

/* The device of the first path goes away, and its link is closed. */
static struct world *world_with_a_dead_path(void)
{
	struct world *w = world_new(FAIL TWO_LINKS);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_GONE);
	submit_read(w, 0, 1);
	advance(w, 3000);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	return w;
}

/* What the kernel called by that name is gone; the disk of the second path comes back with it. */
static struct sim_path *take_its_name(struct world *w)
{
	struct sim_path *b = sim_path(w, "8:16");

	set_mode(b, MODE_GONE);
	submit_read(w, 0, 1);
	advance(w, 3000);
	strcpy(b->name, "8:0");
	strcpy(b->device, "sda");
	set_mode(b, MODE_UP);
	advance(w, 3000);
	return b;
}

/* A name means one disk: that of the path that is open, not the one that had it before. */
static void a_name_that_is_another_paths_now(void)
{
	struct world *w = world_with_a_dead_path();
	struct sim_path *b = take_its_name(w);
	struct path *a = mpath_path(w->m, 0);

	expect_info(w, "2 0 0 0 1 1 A 0 2 0 /dev/disk/a F 1 8:0 A 1 ");
	expect(w, message(w, "fail_path 8:0") == 0);
	expect(w, !a->failed_by_message && b->path->failed_by_message);
	expect(w, message(w, "fail_path /dev/disk/a") == 0);
	expect(w, a->failed_by_message);
	expect(w, message(w, "reinstate_path sda") == 0);
	expect(w, a->failed_by_message && !b->path->failed_by_message);
	expect(w, remove_path(w, "/dev/sda") == 0);
	expect(w, w->nr_paths == 2 && mpath_path(w->m, 0) == a && !mpath_path(w->m, 1));
	world_end(w);
}

/* A disk that nobody has yet comes under the name of a path that is dead: it is a path more. */
static void a_new_path_with_the_name_of_a_dead_one(void)
{
	struct world *w = world_with_a_dead_path();

	expect(w, add_path(w, "/dev/sdb", 0) == -EINVAL);
	expect(w, strcmp(w->text, "path /dev/sdb is in the map already") == 0);
	expect(w, add_path(w, "/dev/sda", 0) == 0);
	advance(w, 100);
	expect_info(w, "2 0 0 0 1 1 A 0 3 0 8:0 F 1 8:16 A 0 8:32 A 0 ");
	world_end(w);
}

/* Nor can it be had: who speaks of it does not mean the dead one. */
static void a_refused_path_with_the_name_of_a_dead_one(void)
{
	struct world *w = world_with_a_dead_path();
	struct path *a = mpath_path(w->m, 0);

	expect(w, message(w, "fail_path sda") == 0);
	expect(w, a->failed_by_message); /* as long as nobody else is meant */
	expect(w, message(w, "reinstate_path sda") == 0);
	expect(w, add_path(w, "/dev/sda", 0) == 0);
	sim_path(w, "8:32")->refused = "sda is in use: sda is mounted at /mnt";
	advance(w, 100);
	expect_info(w, "2 0 0 0 1 1 A 0 3 0 8:0 F 1 8:16 A 0 /dev/sda F 0 ");
	expect(w, message(w, "fail_path sda") == 0);
	expect(w, message(w, "fail_path /dev/sda") == 0);
	expect(w, !a->failed_by_message && mpath_path(w->m, 2)->failed_by_message);
	expect(w, remove_path(w, "/dev/sda") == 0);
	expect(w, w->nr_gone == 1 && mpath_path(w->m, 0) == a && mpath_path(w->m, 1));
	world_end(w);
}

/* Likewise in a new table, which still has the dead one by its own word. */
static void a_table_with_the_name_of_a_dead_path(void)
{
	struct world *w = world_with_a_dead_path();
	struct path *a = mpath_path(w->m, 0);

	message(w, "fail_path 8:0");
	expect(w, reload(w, FAIL RR("3 1 /dev/sda 1 /dev/disk/a 1 /dev/disk/b 1")) == 0);
	expect(w, mpath_path(w->m, 1) == a);
	expect(w, a->failed_by_message && !mpath_path(w->m, 0)->failed_by_message);
	advance(w, 100);
	expect_info(w, "2 1 0 0 1 1 E 0 3 0 8:32 A 0 8:0 F 1 8:16 A 0 ");
	world_end(w);
}

int main(void)
{
	STORY(test_the_same_table);
	STORY(test_a_busy_path_leaves);
	STORY(test_a_write_is_lost_on_a_path_that_leaves);
	STORY(test_a_retry_does_not_go_back);
	STORY(test_what_is_held_stays_held);
	STORY(test_all_paths_are_others);
	STORY(test_the_group_that_was_asked_for);
	STORY(test_the_new_paths_hang);
	STORY(test_features_change);
	STORY(test_another_spelling);
	STORY(test_a_link_to_the_same_device);
	STORY(a_name_that_is_another_paths_now);
	STORY(a_new_path_with_the_name_of_a_dead_one);
	STORY(a_refused_path_with_the_name_of_a_dead_one);
	STORY(a_table_with_the_name_of_a_dead_path);
	STORY(test_settings_change);
	STORY(test_another_time_out);
	STORY(test_a_shorter_checker_timeout);
	STORY(test_refused);
	STORY(test_add_and_remove);
	STORY(test_several_are_removed);
	STORY(test_remove_the_last);
	STORY(test_removed_and_added_again);
	STORY(test_bad_input);
	STORY(test_regroup);
	STORY(test_a_path_leaves_with_foreign_commands);
	STORY(test_a_path_leaves_before_it_was_looked_at);
	STORY(test_leaving_and_stopping);
	STORY(the_group_in_use_joins_another);
	STORY(found_paths);
	STORY(found_paths_with_multibus);
	return end_of_stories();
}
