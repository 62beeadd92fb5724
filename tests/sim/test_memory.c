/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a restart of the process: what messages have set holds, and the group in use is used, as
 * far as the table still has what it was set for.
 */
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

/* As an upgrade finds it: written by an earlier version, so these numbers must never change. */
static void what_an_earlier_version_wrote(void)
{
	static const struct mpath_memory kept = {
		.queueing = MEMORY_QUEUEING_ON,
		.current_group = 0xa4430a3dafe4c25c, /* FNV-1a of "8:32\0" "8:48\0" */
		.disabled = {0x100ad06dfd14d942},    /* "8:0\0" "8:16\0" */
		.nr_disabled = 1,
		.failed = {0x916fd4470859f5d9}, /* "8:48\0" */
		.nr_failed = 1,
	};
	struct world *w = world_new(FAIL TWO_BY_TWO);

	w->memory = kept;
	world_up(w);
	expect_info(w, "2 1 0 0 2 2 D 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 F 0 ");
	expect_notice(w, "queue_if_no_path, as before the restart");
	world_end(w);
}

/* The same table, or another, in a new process. */
static struct world *next_process(struct world *w, const char *table)
{
	struct world *next = world_new(table);

	mpath_remember(w->m, &next->memory);
	world_end(w);
	world_up(next);
	return next;
}

/* All that can be set, and nothing that was not. */
static void messages_hold(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);
	struct sim_io *read;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 5);
	expect(w, message(w, "queue_if_no_path") == 0);
	expect(w, message(w, "disable_group 1") == 0);
	expect(w, message(w, "fail_path 8:48") == 0);
	expect(w, w->nr_memory_changes == 3);

	w = next_process(w, FAIL TWO_BY_TWO);
	expect_notice(w, "queue_if_no_path, as before the restart");
	expect_notice(w, "as before the restart, disabled priority group 1");
	expect_notice(w, "8:48: failed by message, as before the restart");
	expect(w, count_notices(w, "as before the restart") == 3);
	expect_table(w, "1 queue_if_no_path 0 2 1 round-robin 0 2 1 8:0 1 8:16 1 "
			"round-robin 0 2 1 8:32 1 8:48 1 ");
	read = submit_read(w, 0, 1);
	advance(w, 5);
	expect_good(w, read);
	expect_info(w, "2 0 0 0 2 2 D 0 2 0 8:0 A 0 8:16 A 0 A 0 2 0 8:32 A 0 8:48 F 0 ");
	expect_detail(w, "sdd 8:48: failed by message: fail_path message");

	/* It stays failed, however often it is checked, until a message says otherwise. */
	advance(w, 30000);
	expect(w, sim_path(w, "8:48")->nr_probes > 2);
	expect_info(w, "2 0 0 0 2 2 D 0 2 0 8:0 A 0 8:16 A 0 A 0 2 0 8:32 A 0 8:48 F 0 ");
	expect(w, message(w, "reinstate_path 8:48") == 0);
	expect(w, message(w, "enable_group 1") == 0);
	expect(w, message(w, "switch_group 1") == 0);
	expect(w, message(w, "fail_if_no_path") == 0);
	advance(w, 100);

	/* And what was taken back holds, too. */
	w = next_process(w, FAIL TWO_BY_TWO);
	expect_no_notice(w, "as before the restart");
	expect_info(w, "2 1 0 0 2 1 E 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	world_end(w);
}

/* The array does not have to move the LUN back to the group that the table names first. */
static void the_group_in_use_is_used_again(void)
{
	struct world *w = world_new(QUEUE TWO_BY_TWO);
	struct sim_io *read;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 5);
	expect(w, w->nr_group_changes == 1);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 1000);
	expect(w, w->nr_group_changes == 2);
	expect(w, w->nr_memory_changes == 0);

	w = next_process(w, QUEUE TWO_BY_TWO);
	expect_info(w, "2 1 0 0 2 2 E 0 2 0 8:0 A 0 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	read = submit_read(w, 0, 1);
	advance(w, 5);
	expect_good(w, read);
	expect(w, read->last_path == sim_path(w, "8:32"));

	/* Asked for, but not used yet. */
	expect(w, message(w, "switch_group 1") == 0);
	w = next_process(w, QUEUE TWO_BY_TWO);
	read = submit_read(w, 0, 1);
	advance(w, 5);
	expect(w, read->last_path == sim_path(w, "8:0"));
	world_end(w);
}

/* That group has no path any more: it is no reason to wait for it. */
static void the_group_in_use_is_gone(void)
{
	struct world *w = world_new(QUEUE TWO_BY_TWO);
	struct world *next = world_new(QUEUE TWO_BY_TWO);
	struct sim_io *read;

	world_up(w);
	expect(w, message(w, "switch_group 2") == 0);
	mpath_remember(w->m, &next->memory);
	world_end(w);
	w = next;
	sim_path(w, "8:32")->refused = "no such device";
	sim_path(w, "8:48")->refused = "no such device";
	world_up(w);
	read = submit_read(w, 0, 1);
	advance(w, 5);
	expect_good(w, read);
	world_end(w);
}

/*
 * The table was changed in the meantime.  A path goes by its word, a group by all its paths: what
 * the table does not have any more is dropped, and nothing else is taken for it.
 */
static void another_table(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);

	world_up(w);
	expect(w, message(w, "fail_path 8:0") == 0);
	expect(w, message(w, "fail_path 8:16") == 0);
	expect(w, message(w, "disable_group 1") == 0);
	expect(w, message(w, "disable_group 2") == 0);

	w = next_process(w, "0 0 3 1 round-robin 0 2 1 8:32 1 8:48 1 "
			    "round-robin 0 1 1 8:16 1 round-robin 0 1 1 8:64 1");
	expect_info(w, "2 1 0 0 3 1 D 0 2 0 8:32 A 0 8:48 A 0 E 0 1 0 8:16 F 0 E 0 1 0 8:64 A 0 ");
	world_end(w);
}

/* queue_if_no_path of the table, other than then, is the administrator's newest word. */
static void queueing_was_changed_in_the_table(void)
{
	struct world *w = world_new(QUEUE TWO_PATHS);

	world_up(w);
	expect(w, message(w, "fail_if_no_path") == 0);
	w = next_process(w, QUEUE TWO_PATHS);
	expect_notice(w, "fail_if_no_path, as before the restart");
	expect(w, message(w, "queue_if_no_path") == 0);
	w = next_process(w, FAIL TWO_PATHS);
	expect_table(w, "0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1 ");
	world_end(w);
}

/* The disks in use are remembered, each once; also one of which the kernel tells no number. */
static void disks_in_use(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);
	struct mpath_memory memory;

	sim_path(w, "8:0")->disk = 0;
	sim_path(w, "8:48")->disk = sim_path(w, "8:32")->disk;
	world_up(w);
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disks == 3 && memory.disks[0] == 0);
	expect(w, memory.disks[1] == sim_path(w, "8:16")->disk);
	expect(w, memory.disks[2] == sim_path(w, "8:32")->disk);
	world_end(w);
}

int main(void)
{
	STORY(what_an_earlier_version_wrote);
	STORY(messages_hold);
	STORY(disks_in_use);
	STORY(the_group_in_use_is_used_again);
	STORY(the_group_in_use_is_gone);
	STORY(another_table);
	STORY(queueing_was_changed_in_the_table);
	return end_of_stories();
}
