/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a restart of the process: what messages have set holds, and the group in use is used, as
 * far as the table still has what it was set for.
 */
#include <string.h>

#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define BOTH 3

/* Lists of paths: each is a group of its own before the policy forms others. */
#define HEAD	  "2 queue_if_no_path retain_attached_hw_handler 0 4 1 "
#define A	  "round-robin 0 1 1 8:0 1 "
#define B	  "round-robin 0 1 1 8:16 1 "
#define C	  "round-robin 0 1 1 8:32 1 "
#define D	  "round-robin 0 1 1 8:48 1 "
#define LIST	  HEAD A B C D
#define BACKWARDS HEAD D C B A

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

/* --- lists of paths: their groups are formed after the map was created --- */

/* The array's port group 1, with 8:16 and 8:48, is optimized. */
static struct world *list_world(const char *list)
{
	struct world *w = world_new(list);

	w->settings.policy = (struct mpath_policy){
		.on = true, .grouping = GROUPING_GROUP_BY_PRIO, .failback = FAILBACK_MANUAL};
	mix_port_groups(w, BOTH);
	return w;
}

/* To be started.  The array goes on as it is. */
static struct world *next_list_world(struct world *w, const char *list)
{
	struct world *next = list_world(list);

	memcpy(next->luns[0].groups, w->luns[0].groups, sizeof(w->luns[0].groups));
	mpath_remember(w->m, &next->memory);
	world_end(w);
	return next;
}

static unsigned int port_group_of_read(struct world *w)
{
	struct sim_io *read = submit_read(w, 0, 1);

	advance(w, 50);
	expect_good(w, read);
	return read->last_path->nexus.group;
}

static void a_group_of_a_list_stays_disabled(void)
{
	struct mpath_memory memory;
	struct world *w = list_world(LIST);

	world_up(w);
	expect(w, port_group_of_read(w) == 1);
	expect(w, message(w, "disable_group 2") == 0);

	w = next_list_world(w, LIST);
	world_start(w);
	mpath_remember(w->m, &memory); /* before there are groups */
	expect(w, memory.nr_disabled == 1);
	advance(w, 200);
	expect_notice(w, "as before the restart, disabled priority group 2");
	expect_info(w, "2 1 0 0 2 1 E 0 2 0 8:16 A 0 8:48 A 0 D 0 2 0 8:0 A 0 8:32 A 0 ");

	/* The order within a group is the policy's: the administrator may change the list's. */
	w = next_list_world(w, BACKWARDS);
	world_up(w);
	expect_info(w, "2 1 0 0 2 1 E 0 2 0 8:48 A 0 8:16 A 0 D 0 2 0 8:32 A 0 8:0 A 0 ");
	expect(w, message(w, "enable_group 2") == 0);
	w = next_list_world(w, LIST);
	world_up(w);
	expect_no_notice(w, "as before the restart");
	world_end(w);
}

/* The groups are those of the list, so nothing has to be formed. */
static void a_list_whose_groups_are_right(void)
{
	struct world *w = list_world(LIST);

	w->settings.policy.grouping = GROUPING_FAILOVER;
	w->settings.policy.prio = PRIO_CONST;
	world_up(w);
	message(w, "disable_group 1");
	message(w, "switch_group 3");
	message(w, "disable_group 2");
	w = next_list_world(w, LIST);
	w->settings.policy.grouping = GROUPING_FAILOVER;
	w->settings.policy.prio = PRIO_CONST;
	world_up(w);
	expect_info(w, "2 1 0 0 4 3 E 0 1 0 8:0 A 0 D 0 1 0 8:16 A 0 E 0 1 0 8:32 A 0 "
		       "E 0 1 0 8:48 A 0 ");
	world_end(w);
}

/* Group 1 would be the better one, but commands have gone to the other, which the array is at. */
static void the_group_in_use_of_a_list_is_used_again(void)
{
	struct world *w = list_world(LIST);
	struct mpath_memory memory;

	w->luns[0].groups[0].preferred = true;
	world_up(w);
	expect(w, port_group_of_read(w) == 1);
	message(w, "switch_group 2");
	expect(w, port_group_of_read(w) == 2);
	advance(w, 10000);
	expect(w, w->luns[0].nr_stpg == 1 && port_group_of_read(w) == 2);

	w = next_list_world(w, LIST);
	world_start(w);
	mpath_remember(w->m, &memory);
	expect(w, memory.current_group == w->memory.current_group);
	advance(w, 200);
	expect_info(w, "2 1 0 0 2 2 E 0 2 0 8:16 A 0 8:48 A 0 E 0 2 0 8:0 A 0 8:32 A 0 ");

	/* Once more, before a command has come. */
	w = next_list_world(w, LIST);
	world_up(w);
	expect(w, port_group_of_read(w) == 2);
	advance(w, 10000);
	expect(w, port_group_of_read(w) == 2);
	expect(w, w->luns[0].nr_stpg == 0);
	world_end(w);
}

/* Where the array has moved the LUN to, there commands go: nobody asks for it back. */
static void the_array_has_moved_the_lun_meanwhile(void)
{
	struct world *w = list_world(LIST);

	world_up(w);
	expect(w, port_group_of_read(w) == 1);
	w = next_list_world(w, LIST);
	set_port_group(w, 1, ALUA_NON_OPTIMIZED, false);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	world_up(w);
	expect(w, port_group_of_read(w) == 2);
	advance(w, 10000);
	expect(w, port_group_of_read(w) == 2);
	expect(w, w->luns[0].nr_stpg == 0);
	world_end(w);
}

/* Group 1 was disabled.  A path of it hangs at first, so it is not known which group that was. */
static struct world *group_is_late(void)
{
	struct world *w = list_world(LIST);

	world_up(w);
	expect(w, message(w, "disable_group 1") == 0);
	w = next_list_world(w, LIST);
	sim_path(w, "8:48")->open_hangs = true;
	world_start(w);
	advance(w, 3000);
	expect_info(w, "2 1 0 0 3 1 E 0 1 0 8:16 A 0 E 0 2 0 8:0 A 0 8:32 A 0 E 0 1 0 8:48 F 0 ");
	return w;
}

static void path_does_not_hang_any_more(struct world *w)
{
	sim_path(w, "8:48")->open_hangs = false;
	set_mode(sim_path(w, "8:48"), MODE_UP);
	advance(w, 5000);
}

/* Commands are in it by then: they leave it, as when a message disables it. */
static void a_group_is_formed_later(void)
{
	struct world *w = group_is_late();
	struct mpath_memory memory;

	expect(w, port_group_of_read(w) == 1);
	path_does_not_hang_any_more(w);
	expect_notice(w, "as before the restart, disabled priority group 1");
	expect(w, port_group_of_read(w) == 2);

	/* That was once.  The array has moved the LUN there, so it is the first group by now. */
	message(w, "enable_group 2");
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_disabled == 0);
	world_end(w);
}

/* What the administrator says of groups now counts more than what he has said of others before. */
static void newer_words_about_groups(void)
{
	static const struct {
		const char *words; /* NULL: a table */
		bool forgotten;
	} rows[] = {{"enable_group 2", true},
		    {"switch_group 1", true},
		    {NULL, true},
		    {"disable_group 3", false},
		    {"fail_if_no_path", false}};
	unsigned int i;

	for (i = 0; i < 5; i++) {
		struct world *w = group_is_late();

		if (rows[i].words)
			expect(w, message(w, rows[i].words) == 0);
		else
			expect(w, reload(w, LIST) == 0);
		path_does_not_hang_any_more(w);
		expect(w,
		       count_notices(w, "as before the restart, disabled") == !rows[i].forgotten);
		world_end(w);
	}
}

/* --- paths that are found: they come after the map was created, and in any order --- */

static struct world *finding_world(struct world *before)
{
	struct world *w = world_new("0 0 0 0");

	w->settings.finds_paths = true;
	if (before) {
		mpath_remember(before->m, &w->memory);
		world_end(before);
	}
	world_up(w);
	return w;
}

static void find(struct world *w, const char *first, const char *second)
{
	expect(w, add_found_path(w, first) == 0);
	expect(w, add_found_path(w, second) == 0);
	advance(w, 2000);
}

static void a_found_path_stays_failed(void)
{
	struct world *w = finding_world(NULL);

	find(w, "8:0", "8:16");
	expect(w, message(w, "fail_path 8:16") == 0);
	w = finding_world(w);
	w = finding_world(w); /* no disk was there */
	find(w, "8:0", "8:16");
	expect_notice(w, "8:16: failed by message, as before the restart");
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 F 0 ");
	advance(w, 30000);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 F 0 ");

	/* That was once. */
	expect(w, remove_path(w, "8:16") == 0);
	advance(w, 100);
	expect(w, add_found_path(w, "8:16") == 0);
	advance(w, 2000);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	w = finding_world(w);
	find(w, "8:0", "8:16");
	expect_no_notice(w, "as before the restart");
	world_end(w);
}

/* As many as can be remembered have been waited for since long; one more has no room. */
static void more_failed_paths_than_can_be_remembered(void)
{
	struct world *w = world_new("0 0 0 0");
	struct mpath_memory memory = {0};
	unsigned int i;

	w->settings.finds_paths = true;
	w->memory.nr_failed = MEMORY_PATHS_MAX;
	for (i = 0; i < MEMORY_PATHS_MAX; i++)
		w->memory.failed[i] = 1000 + i;
	world_up(w);
	find(w, "8:0", "8:16");
	expect(w, message(w, "fail_path 8:16") == 0);
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_failed == MEMORY_PATHS_MAX);
	expect(w, memory.failed[MEMORY_PATHS_MAX - 1] == 1000 + MEMORY_PATHS_MAX - 2);
	world_end(w);
}

static void groups_of_found_paths(void)
{
	struct world *w = finding_world(NULL);
	struct sim_io *read;

	find(w, "8:0", "8:16");
	expect(w, message(w, "switch_group 2") == 0);
	expect(w, message(w, "disable_group 1") == 0);
	w = finding_world(w);
	find(w, "8:0", "8:16");
	expect_info(w, "2 1 0 0 2 2 D 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	w = finding_world(w);
	find(w, "8:16", "8:0");
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:16 A 0 D 0 1 0 8:0 A 0 ");
	message(w, "enable_group 2");

	/* What is in use by now is not left for what was in use once. */
	w = finding_world(w);
	expect(w, add_found_path(w, "8:0") == 0);
	advance(w, 2000);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, add_found_path(w, "8:16") == 0);
	advance(w, 2000);
	read = submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, read->last_path == sim_path(w, "8:0"));
	world_end(w);
}

/* Another map file: what a table does not name is forgotten at once, whatever comes later. */
static void found_paths_and_then_a_table(void)
{
	struct world *w = finding_world(NULL);
	struct mpath_memory memory;

	find(w, "8:0", "8:16");
	expect(w, message(w, "fail_path 8:16") == 0);
	expect(w, message(w, "disable_group 2") == 0);
	w = next_process(w, FAIL ONE_PATH);
	mpath_remember(w->m, &memory);
	expect(w, memory.nr_failed == 0 && memory.nr_disabled == 0);
	expect(w, add_path(w, "8:16", 2) == 0);
	advance(w, 2000);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	world_end(w);

	/* The same, without a restart between that and the table. */
	w = finding_world(NULL);
	find(w, "8:0", "8:16");
	expect(w, message(w, "fail_path 8:16") == 0);
	w = finding_world(w);
	w->settings.finds_paths = false;
	expect(w, reload(w, FAIL ONE_PATH) == 0);
	expect(w, add_path(w, "8:16", 2) == 0);
	advance(w, 2000);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
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
	STORY(a_group_of_a_list_stays_disabled);
	STORY(a_list_whose_groups_are_right);
	STORY(the_group_in_use_of_a_list_is_used_again);
	STORY(the_array_has_moved_the_lun_meanwhile);
	STORY(a_group_is_formed_later);
	STORY(newer_words_about_groups);
	STORY(a_found_path_stays_failed);
	STORY(more_failed_paths_than_can_be_remembered);
	STORY(groups_of_found_paths);
	STORY(found_paths_and_then_a_table);
	return end_of_stories();
}
