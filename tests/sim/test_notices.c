/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices: each event once, in order and numbered, whatever the log leaves out.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define EXPLICIT 2

/* The world looks at the numbers of all notices: here is what they are about. */
static void test_a_map_is_born(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	expect_events(w, "lun\n"
			 "path-usable 8:0 group 1\n"
			 "path-usable 8:16 group 2\n");
	submit_read(w, 0, 1);
	advance(w, 100);
	expect_events(w, "group-switched group 1\n");
	world_end(w);
}

/* A path fails, and comes back: dm's two events, and what follows from them. */
static void test_the_last_path_fails_and_comes_back(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 100);
	expect_events(w, "lun\npath-usable 8:0 group 1\ngroup-switched group 1\n");

	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 100);
	expect_events(w, "path-failed 8:0 group 1\nno-path\nqueueing-started\n");

	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	expect_events(w, "path-reinstated 8:0 group 1\ngroup-switched group 1\nqueueing-stopped\n");
	world_end(w);
}

/* It may go by being removed, too; or because a new table has others, which must prove themselves.
 */
static void test_the_last_path_is_removed(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	message(w, "fail_path 8:0");
	expect(w, remove_path(w, "8:16") == 0);
	expect_events(w, "lun\n"
			 "path-usable 8:0 group 1\n"
			 "path-usable 8:16 group 1\n"
			 "path-failed 8:0 group 1\n"
			 "path-removed 8:16 group 1\n"
			 "no-path\n");
	expect_notice(w, "no usable path is left: commands fail");
	world_end(w);

	w = world_new(QUEUE ONE_PATH);
	world_up(w);
	expect(w, reload(w, QUEUE "0 1 1 round-robin 0 1 1 8:16 1") == 0);
	advance(w, 100);
	expect_events(w, "lun\n"
			 "path-usable 8:0 group 1\n"
			 "path-added 8:16 group 1\n"
			 "path-removed 8:0 group 1\n"
			 "no-path\n"
			 "reloaded\n"
			 "path-usable 8:16 group 1\n");
	expect_no_notice(w, "no usable path is left");
	world_end(w);
}

/* Without a path, queueing begins and ends with the message, too. */
static void test_queueing_by_message(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 100);
	expect_events(w, "lun\n"
			 "path-usable 8:0 group 1\n"
			 "group-switched group 1\n"
			 "path-failed 8:0 group 1\n"
			 "no-path\n");
	message(w, "queue_if_no_path");
	expect_events(w, "policy\nqueueing-started\n");
	message(w, "fail_if_no_path");
	expect_events(w, "policy\nqueueing-stopped\n");
	world_end(w);
}

static void test_groups(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	expect_events(w, "lun\npath-usable 8:0 group 1\npath-usable 8:16 group 2\n");
	message(w, "disable_group 1");
	message(w, "enable_group 1");
	message(w, "switch_group 2");
	submit_read(w, 0, 1);
	expect_events(w, "group-disabled group 1\n"
			 "group-enabled group 1\n"
			 "group-asked-for group 2\n"
			 "group-switched group 2\n");
	world_end(w);
}

/* switch_group lifts them all, as dm does. */
static void test_groups_are_enabled_by_a_switch(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	message(w, "disable_group 1");
	message(w, "switch_group 2");
	message(w, "disable_group 1");
	message(w, "disable_group 2");
	message(w, "switch_group 1");
	expect_events(w, "lun\npath-usable 8:0 group 1\npath-usable 8:16 group 2\n"
			 "group-disabled group 1\n"
			 "group-enabled group 1\n"
			 "group-asked-for group 2\n"
			 "group-disabled group 1\n"
			 "group-disabled group 2\n"
			 "group-enabled group 1\n"
			 "group-enabled group 2\n"
			 "group-asked-for group 1\n");
	world_end(w);
}

/* Other groups: by their new numbers, which are disabled now, and which one is in use. */
static void test_groups_have_other_numbers(void)
{
	static const unsigned int swapped[] = {2, 1}, together[] = {1, 1};
	struct world *w = world_new("0 0 2 3 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1");

	world_up(w);
	message(w, "disable_group 1");
	submit_read(w, 0, 1);
	advance(w, 10);
	expect_events(w, "lun\npath-usable 8:0 group 1\npath-usable 8:16 group 2\n"
			 "group-disabled group 1\n"
			 "group-switched group 2\n");
	expect(w, regroup(w, swapped) == 0);
	expect_events(w, "group-enabled group 1\n"
			 "group-disabled group 2\n"
			 "group-switched group 1\n");
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:16 A 0 D 0 1 0 8:0 A 0 ");
	expect_notice(w, "in use is now priority group 1");
	expect(w, regroup(w, together) == 0);
	expect_events(w, "group-enabled group 2\n");
	expect_notice(w, "disabled, and gone: priority group 2");
	world_end(w);
}

/* A new table begins as in dm: what was disabled is so no more. */
static void test_a_table_enables_groups(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	message(w, "disable_group 2");
	expect(w, reload(w, FAIL TWO_GROUPS) == 0);
	expect_events(w, "lun\npath-usable 8:0 group 1\npath-usable 8:16 group 2\n"
			 "group-disabled group 2\n"
			 "group-enabled group 2\n"
			 "reloaded\n");
	world_end(w);
}

/* An activation that was successful enables a group, too, and that has to be kept: the state file
 * says so. */
static void test_a_group_is_enabled_by_its_activation(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS_ALUA);

	give_port_groups(w, EXPLICIT, 1);
	world_up(w);
	message(w, "disable_group 2");
	message(w, "fail_path 8:0");
	expect(w, w->nr_memory_changes == 2);
	submit_read(w, 0, 1);
	advance(w, 3000);
	expect_events(w, "lun\npath-usable 8:0 group 1\npath-usable 8:16 group 2\n"
			 "group-disabled group 2\n"
			 "path-failed 8:0 group 1\n"
			 "group-switched group 2\n"
			 "pg-init group 2\n"
			 "other\nother\n"
			 "group-enabled group 2\n"
			 "pg-init group 2\n");
	expect(w, w->nr_memory_changes == 3 && w->saved.nr_disabled == 0);
	world_end(w);
}

/* It begins, is repeated, and ends, with success or without; the log has but what is odd. */
static void test_activations(void)
{
	struct world *w = world_new("4 pg_init_retries 1 pg_init_delay_msecs 0 " TWO_GROUPS_ALUA);

	give_port_groups(w, EXPLICIT, 1);
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect_events(w, "lun\npath-usable 8:0 group 1\npath-usable 8:16 group 2\n"
			 "group-switched group 1\n"
			 "pg-init group 1\n"
			 "other\nother\n"
			 "pg-init group 1\n");
	forget_notices(w);
	w->luns[0].stpg = STPG_REFUSES;
	message(w, "switch_group 2");
	submit_read(w, 0, 1);
	advance(w, 100);
	expect_events(w, "group-asked-for group 2\n"
			 "group-switched group 2\n"
			 "pg-init group 2\n"
			 "pg-init group 2\n"
			 "path-failed 8:16 group 2\n"
			 "pg-init group 2\n"
			 "group-switched group 1\n"
			 "pg-init group 1\n"
			 "pg-init group 1\n");
	expect(w, count_notices(w, "activating") == 1);
	expect_notice(w, "activating once more priority group 2");

	/* Nobody has waited for this one. */
	w->luns[0].stpg = STPG_OBEYS;
	message(w, "fail_path 8:0");
	advance(w, 10);
	expect_events(w, "path-failed 8:0 group 1\nno-path\n");
	message(w, "reinstate_path 8:0");
	advance(w, 3000);
	expect_events(w, "path-reinstated 8:0 group 1\n"
			 "path-reinstated 8:16 group 2\n");
	world_end(w);
}

/* The array is busy: that ends it, too, for those who saw it begin. */
static void test_an_activation_that_finds_the_array_busy(void)
{
	struct world *w = world_new("0 1 emc 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1");

	give_controllers(w, MAKE_EMC);
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 20);
	expect_events(w, "lun\npath-usable 8:0 group 1\npath-usable 8:16 group 2\n"
			 "group-switched group 1\n"
			 "pg-init group 1\n"
			 "pg-init group 1\n");
	w->luns[0].move = MOVE_REFUSES;
	memcpy(w->luns[0].excuse, (uint8_t[]){0x05, 0x04, 0x00}, 3);
	w->luns[0].excuses_left = 1;
	message(w, "switch_group 2");
	submit_read(w, 0, 1);
	advance(w, 20);
	expect_events(w, "group-asked-for group 2\n"
			 "group-switched group 2\n"
			 "pg-init group 2\n"
			 "group-disabled group 2\n"
			 "pg-init group 2\n"
			 "group-switched group 1\n"
			 "pg-init group 1\n"
			 "pg-init group 1\n");
	world_end(w);
}

/* 20 times up and down in 20 s: the log has a few lines, programs hear of each. */
static void test_flapping_is_told_to_programs(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int i;

	world_up(w);
	expect_events(w, "lun\npath-usable 8:0 group 1\npath-usable 8:16 group 1\n");
	forget_notices(w);
	for (i = 0; i < 20; i++) {
		message(w, "fail_path 8:16");
		message(w, "reinstate_path 8:16");
		advance(w, 1000);
		expect_events(w, "path-failed 8:16 group 1\npath-reinstated 8:16 group 1\n");
	}
	expect(w, count_notices(w, "8:16: ") < 10);
	world_end(w);
}

/* Who watches for the last path's failing hears of it each time; the log is not filled. */
static void test_the_last_path_flaps(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);
	unsigned int i;

	world_up(w);
	expect_events(w, "lun\npath-usable 8:0 group 1\n");
	for (i = 0; i < 20; i++) {
		message(w, "fail_path 8:0");
		message(w, "reinstate_path 8:0");
		advance(w, 1000);
		expect_events(w, "path-failed 8:0 group 1\nno-path\nqueueing-started\n"
				 "path-reinstated 8:0 group 1\nqueueing-stopped\n");
	}
	expect(w, count_notices(w, "no usable path is left") < 5);
	world_end(w);
}

/* A path that is refused each time for another reason: as many events, a few lines in the log. */
static void test_ever_new_reasons(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	struct sim_path *b = sim_path(w, "8:16");
	unsigned int i;

	b->refused = "no such device";
	world_up(w);
	for (i = 0; i < 20; i++) {
		b->refused = i % 2 ? "no such device" : "no access";
		advance(w, 2000);
	}
	expect(w, count_notices(w, "8:16: not used: ") == 5);
	expect(w, count_notices(w, "8:16: failed (") == 0);
	expect_notice(w, "5 changes in the last 10 s not logged");
	world_end(w);
}

static const struct mpath_notice *next_with_uevent(struct world *w, struct strbuf *keys)
{
	static struct mpath_notice notice;

	while (mpath_next_notice(w->m, &notice)) {
		strbuf_init(keys, w->text, sizeof(w->text));
		if (mpath_uevent(&notice, "mpatha", mpath_lun(w->m)->wwid, keys))
			return &notice;
	}
	return NULL;
}

static void step_message(struct world *w, const char *word, const char *path)
{
	const char *argv[] = {word, path};
	char text[256];
	struct mpath_message message = {.argc = 2, .argv = argv};
	struct mpath_actions actions;

	strbuf_init(&message.reply, text, sizeof(text));
	mpath_actions_init(&actions);
	mpath_step(w->m,
		   &(struct mpath_event){
			   .type = MPATH_MESSAGE, .now_ns = w->now_ns, .message = &message},
		   &actions);
	w->wake_ns = actions.wake_ns;
}

/* Nobody takes them for a while: the oldest are lost, which is said where they were. */
static void test_more_than_there_is_room_for(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct mpath_notice notice;
	uint64_t first, nr = 0;
	char lost[sizeof(notice.text)];
	unsigned int i;

	world_up(w);
	first = w->last_notice_seq;
	for (i = 0; i < 1000; i++)
		step_message(w, i % 2 ? "enable_group" : "disable_group", "1");
	expect(w, mpath_next_notice(w->m, &notice) && notice.summary && !notice.sequence);
	memcpy(lost, notice.text, sizeof(lost));
	while (mpath_next_notice(w->m, &notice)) {
		if (nr++)
			expect(w, notice.sequence == w->last_notice_seq + 1);
		w->last_notice_seq = notice.sequence;
		expect(w, notice.kind == ((notice.sequence - first) % 2 ? NOTICE_GROUP_DISABLED
									: NOTICE_GROUP_ENABLED));
		expect(w, strstr(notice.text, "priority group 1"));
	}
	expect(w, w->last_notice_seq == first + 1000 && nr >= 10 + 3 * 2 && nr < 1000);
	snprintf(w->text, sizeof(w->text), "%d lines were lost here", 1000 - (int)nr);
	expect(w, strcmp(lost, w->text) == 0);
	world_end(w);
}

/* A configuration that cannot be used is told to programs; the log has had it in full length. */
static void test_a_refused_configuration(void)
{
	struct mpath_event event = {.type = MPATH_REFUSED, .reason = "m.map: no such policy"};
	struct world *w = world_new(FAIL ONE_PATH);

	world_up(w);
	world_step(w, &event);
	expect_no_notice(w, "no such policy");
	expect_events(w, "lun\npath-usable 8:0 group 1\nrefused\n");
	world_end(w);
}

/* The words that programs know events by: those of config/dbus/org.tcmu.Mpath1.xml. */
static void test_the_words_for_events(void)
{
	static const char *const words[] = {
		[NOTICE_PATH_FAILED] = "path-failed",
		[NOTICE_PATH_REINSTATED] = "path-reinstated",
		[NOTICE_PATH_USABLE] = "path-usable",
		[NOTICE_PATH_EXCLUDED] = "path-excluded",
		[NOTICE_PATH_ADDED] = "path-added",
		[NOTICE_PATH_REMOVED] = "path-removed",
		[NOTICE_PATH_SLOW] = "path-slow",
		[NOTICE_PATH_NOT_SLOW] = "path-not-slow",
		[NOTICE_GROUP_SWITCHED] = "group-switched",
		[NOTICE_GROUP_ASKED_FOR] = "group-asked-for",
		[NOTICE_GROUP_DISABLED] = "group-disabled",
		[NOTICE_GROUP_ENABLED] = "group-enabled",
		[NOTICE_PG_INIT] = "pg-init",
		[NOTICE_NO_PATH] = "no-path",
		[NOTICE_QUEUEING_STARTED] = "queueing-started",
		[NOTICE_QUEUEING_STOPPED] = "queueing-stopped",
		[NOTICE_POLICY] = "policy",
		[NOTICE_LUN] = "lun",
		[NOTICE_LUN_RESIZED] = "lun-resized",
		[NOTICE_SUSPENDED] = "suspended",
		[NOTICE_RESUMED] = "resumed",
		[NOTICE_RELOADED] = "reloaded",
		[NOTICE_REFUSED] = "refused",
		[NOTICE_WRITES_WAIT] = "writes-wait",
		[NOTICE_WARNING] = "warning",
		[NOTICE_OTHER] = "other",
	};

	for (unsigned int kind = 0; kind < sizeof(words) / sizeof(*words); kind++)
		assert(strcmp(mpath_notice_name((enum mpath_notice_kind)kind), words[kind]) == 0);
}

/* dm-uevent's keys, and its own numbers, which count nothing else (dm-multipath.md A9). */
static void test_the_keys_of_a_uevent(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	const struct mpath_notice *notice;
	struct strbuf keys;

	world_up(w);
	step_message(w, "disable_group", "1");
	step_message(w, "enable_group", "1");
	expect(w, !next_with_uevent(w, &keys));
	step_message(w, "fail_path", "8:16");
	notice = next_with_uevent(w, &keys);
	expect(w, notice && notice->kind == NOTICE_PATH_FAILED && notice->nr_valid == 1);
	expect(w, strcmp(w->text, "DM_TARGET=multipath\n"
				  "DM_ACTION=PATH_FAILED\n"
				  "DM_SEQNUM=1\n"
				  "DM_PATH=8:16\n"
				  "DM_NR_VALID_PATHS=1\n"
				  "DM_NAME=mpatha\n"
				  "DM_UUID=mpath-36000d310000000000000000000000001\n") == 0);
	w->last_notice_seq = notice->sequence;
	forget_trace(w);
	message(w, "reinstate_path 8:16");
	advance(w, 1000);
	expect_events(w, "lun\n"
			 "path-usable 8:0 group 1\n"
			 "path-usable 8:16 group 2\n"
			 "path-reinstated 8:16 group 2\n");
	world_end(w);
}

int main(void)
{
	STORY(test_a_map_is_born);
	STORY(test_the_last_path_fails_and_comes_back);
	STORY(test_the_last_path_is_removed);
	STORY(test_queueing_by_message);
	STORY(test_groups);
	STORY(test_groups_are_enabled_by_a_switch);
	STORY(test_groups_have_other_numbers);
	STORY(test_a_table_enables_groups);
	STORY(test_a_group_is_enabled_by_its_activation);
	STORY(test_activations);
	STORY(test_an_activation_that_finds_the_array_busy);
	STORY(test_flapping_is_told_to_programs);
	STORY(test_the_last_path_flaps);
	STORY(test_ever_new_reasons);
	STORY(test_more_than_there_is_room_for);
	STORY(test_a_refused_configuration);
	STORY(test_the_words_for_events);
	STORY(test_the_keys_of_a_uevent);
	return end_of_stories();
}
