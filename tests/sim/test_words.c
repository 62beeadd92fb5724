/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the administrator reads: why a path is not used, why a message or a table is refused, and
 * what he is warned of.  Each sentence says what is wrong, and where it can what would be right.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define OTHER_WWID "36000d310000000000000000000000002"

static void expect_reply(struct world *w, const char *words, int error, const char *reply)
{
	expect(w, message(w, words) == error);
	if (strcmp(w->text, reply) != 0)
		fail_at(w, __FILE__, __LINE__, "expected \"%s\", got \"%s\"", reply, w->text);
}

/* dm's texts, and what would have been right. */
static void why_a_message_is_refused(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	expect_reply(w, "disable_group 3", -EINVAL,
		     "invalid PG number supplied to bypass_pg: \"3\", expected 1 to 2");
	expect_reply(w, "switch_group x", -EINVAL,
		     "invalid PG number supplied to switch_pg_num: \"x\", expected 1 to 2");
	expect_reply(w, "fail_path 9:9", -EINVAL,
		     "message: error getting device 9:9: not in map mpatha");
	message(w, "fail_path 8:0");
	message(w, "fail_path 8:16");
	expect_reply(w, "probe_paths", -ENOTCONN, "no path is usable");
	submit_read(w, 0, 1);
	expect_reply(w, "suspend", 0, "");
	expect_reply(w, "fail_if_no_path", -EBUSY, "the map is suspended: only resume helps");
	expect_reply(w, "resume", 0, "");
	expect_reply(w, "release", 0, "");
	expect_reply(w, "suspend noflush", -ESHUTDOWN,
		     "suspend: the map is shut down, nothing is held");
	world_end(w);
}

/* A word of no bytes is seen, too. */
static void a_message_without_a_word(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	const char *words[] = {""};
	struct mpath_message msg = {.argc = 1, .argv = words};
	struct mpath_event event = {.type = MPATH_MESSAGE, .message = &msg};

	world_up(w);
	strbuf_init(&msg.reply, w->text, sizeof(w->text));
	world_step(w, &event);
	expect(w, msg.error == -EINVAL);
	expect(w, strstr(w->text, "got 1. \"\": expected queue_if_no_path, "));
	world_end(w);
}

/* What is counted once is one. */
static void one_and_many(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	message(w, "fail_path 8:16");
	expect_detail(w, "[0 in flight, failed 1 time]");
	message(w, "reinstate_path 8:16");
	advance(w, 100);
	message(w, "fail_path 8:16");
	expect_detail(w, "[0 in flight, failed 2 times]");
	expect_reply(w, "suspend noflush", 0, "");
	submit_read(w, 0, 1);
	expect_detail(w, "suspended: 1 command waits for resume");
	submit_read(w, 0, 1);
	expect_detail(w, "suspended: 2 commands wait for resume");
	expect_reply(w, "resume", 0, "");
	advance(w, 100);
	world_end(w);
}

/* The initiators know the LUN by what cannot be changed in service. */
static void why_a_table_is_refused(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	w->settings.identity = IDENTITY_ARRAY;
	expect(w, reload(w, FAIL TWO_GROUPS) != 0);
	expect(w, strcmp(w->text, "identity is another one, expected the map's: initiators know "
				  "the LUN by it") == 0);
	w->settings.identity = w->m->settings.identity;
	snprintf(w->settings.wwid, sizeof(w->settings.wwid), OTHER_WWID);
	expect(w, reload(w, FAIL TWO_GROUPS) != 0);
	expect(w, strcmp(w->text, "wwid is " OTHER_WWID ", expected the map's: "
				  "36000d310000000000000000000000001") == 0);
	w->settings.wwid[0] = '\0';
	expect(w, reload(w, "0 0 0 0") == 0);
	expect(w, add_path(w, "8:0", 0) != 0);
	expect(w, strcmp(w->text, "the map has no priority group: reload it with a table") == 0);
	world_end(w);
}

/* A path that fails, or that does not even begin. */
static void why_a_path_is_not_used(void)
{
	static const struct {
		enum sim_mode mode;
		unsigned int seconds;
		const char *failed;
		const char *excluded;
	} rows[] = {
		{MODE_LUN_GONE, 10, "the target has no such LUN (05/25/00)",
		 "the target has no such LUN (05/25/00)"},
		{MODE_STANDBY, 10, "checker: ghost (standby)", "checker: ghost (standby)"},
		{MODE_LOST, 10, "checker: down", "checker: down"},
		{MODE_TRANSITIONING, 70, "asymmetric access state transition takes too long",
		 "asymmetric access state transition"},
		{MODE_STOPPED, 10, NULL, "checker: the LUN is not ready"},
	};
	char text[128];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = world_new(FAIL TWO_PATHS);

		world_up(w);
		set_mode(sim_path(w, "8:16"), rows[i].mode);
		advance(w, rows[i].seconds * 1000);
		snprintf(text, sizeof(text), "8:16: failed (%s), 1 of 2 usable", rows[i].failed);
		if (rows[i].failed)
			expect_notice(w, text);
		else
			expect_no_notice(w, "8:16: failed");
		world_end(w);

		w = world_new(FAIL TWO_PATHS);
		set_mode(sim_path(w, "8:16"), rows[i].mode);
		sim_path(w, "8:16")->open_latency_ns = 200 * NSEC_PER_MSEC;
		world_start(w);
		advance(w, 1000);
		snprintf(text, sizeof(text), "8:16: not used: %s", rows[i].excluded);
		expect_notice(w, text);
		world_end(w);
	}
}

/* Neither usable nor failed, or on its way out. */
static void paths_in_between(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	sim_path(w, "8:0")->foreign = 1;
	world_up(w);
	expect_detail(w, "    sda 8:0: active [0 in flight, failed 0 times, has commands of a "
			 "former process] 8:0\n");
	sim_path(w, "8:0")->foreign = 0;
	advance(w, 1000);
	kernel_hears(sim_path(w, "8:0"), HEARD_IDENTITY);
	expect_detail(w, "    sda 8:0: in doubt: INQUIRY data or LUN list changed [0 in flight, "
			 "failed 0 times] 8:0\n");
	advance(w, 1000);
	expect_detail(w, "    sda 8:0: active [0 in flight, failed 0 times] 8:0\n");
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	submit_write(w, 0, 1);
	submit_write(w, 1, 1);
	expect(w, remove_path(w, "8:16") == 0);
	expect_notice(w, "8:16: removed, 1 of 1 usable");
	expect_detail(w, "  leaving: sdb 8:16 [1 in flight]\n");
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 1000);
	world_end(w);
}

static void what_is_warned_of(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->has_backstore = true;
	w->backstore.size = 4096;
	w->settings.identity = IDENTITY_ARRAY;
	world_up(w);
	expect_notice(w, "the LUN is 36000d310000000000000000000000001, 2048 blocks of 512 bytes");
	expect_notice(w, "the backstore's size is 4096 bytes, the LUN's 1048576: initiators see "
			 "the LUN's");
	expect_notice(w, "identity=array: initiators see the array's WWID and serial number; who "
			 "sees the array's LUN too takes both for one");
	set_cmd_time_out(w, 30);
	expect_detail(w, "  warning: cmd_time_out limits queue_if_no_path: set it to 0\n");
	message(w, "switch_group 2");
	expect_notice(w, "asked to switch to priority group 2");
	message(w, "suspend noflush");
	expect_notice(w, "mpatha: suspended (noflush)");
	world_end(w);
}

int main(void)
{
	STORY(why_a_message_is_refused);
	STORY(a_message_without_a_word);
	STORY(one_and_many);
	STORY(why_a_table_is_refused);
	STORY(why_a_path_is_not_used);
	STORY(paths_in_between);
	STORY(what_is_warned_of);
	return end_of_stories();
}
