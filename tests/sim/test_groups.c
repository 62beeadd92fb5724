/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Priority groups, dm's messages, and the status lines.
 */
#include <errno.h>
#include <string.h>

#include "sim/lib/tables.h"
#include "sim/lib/world.h"

/* The first group's last path fails: the second group takes over.  dm does not go back by itself.
 */
static void the_next_group_takes_over(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect_trace(w, "[100] group 1: now current\n"
			"[100] io 28: start on 8:0\n"
			"[101] io 28: transport lost on 8:0\n"
			"[101] path 8:0: failed (transport lost), 1 left\n"
			"[101] group 2: now current\n"
			"[101] io 28: start on 8:16\n"
			"[102] io 28: good\n");
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 F 1 A 0 1 0 8:16 A 0 ");
	expect_notice(w, "switched to priority group 2");

	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	submit_read(w, 0, 1);
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 A 1 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/*
 * In dm the command that comes back from the last path is answered without a look at the others:
 * the group stays current until the next command finds no path in it (e2e/differential).
 */
static void the_last_path_leaves_its_group_current(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	message(w, "fail_path 8:16");
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 F 1 E 0 1 0 8:16 F 1 ");
	submit_read(w, 0, 1);
	expect_info(w, "2 0 0 0 2 1 E 0 1 0 8:0 F 1 E 0 1 0 8:16 F 1 ");
	world_end(w);
}

/* The table's initial group is used first; it is a wish for one time only. */
static void the_initial_group_is_first(void)
{
	struct world *w = world_new(FAIL "0 2 2 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1");

	world_up(w);
	expect_info(w, "2 1 0 0 2 2 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	submit_read(w, 0, 1);
	advance(w, 1);
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* An initial group beyond the last is no mistake; nobody asks for it. */
static void an_initial_group_that_does_not_exist(void)
{
	struct world *w = world_new(FAIL "0 2 7 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1");

	world_up(w);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	submit_read(w, 0, 1);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* disable_group: commands go to the next group; enable_group: back, since dm chooses anew. */
static void disable_and_enable_group(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 5);
	expect(w, message(w, "disable_group 1") == 0);
	expect_info(w, "2 0 0 0 2 1 D 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	submit_read(w, 0, 1);
	advance(w, 5);
	expect_info(w, "2 0 0 0 2 2 D 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	expect(w, message(w, "ENABLE_GROUP 1") == 0);
	expect_info(w, "2 0 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	submit_read(w, 0, 1);
	advance(w, 5);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* A bypassed group is used when no other has a path; it shows D even while it is current. */
static void a_bypassed_group_is_the_last_resort(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1); /* uses up the table's wish for group 1, which dm grants anyhow */
	advance(w, 5);
	expect(w, message(w, "disable_group 1") == 0);
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 2 1 D 0 1 0 8:0 A 0 E 0 1 0 8:16 F 1 ");
	world_end(w);
}

/* Both groups disabled: in their order, as if none was. */
static void all_groups_bypassed(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	message(w, "disable_group 1");
	message(w, "disable_group 2");
	submit_read(w, 0, 1);
	advance(w, 10);
	expect_info(w, "2 0 0 0 2 1 D 0 1 0 8:0 A 0 D 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* switch_group takes effect with the next command, and clears bypass on all groups (F10). */
static void switch_group(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	world_up(w);
	message(w, "disable_group 2");
	submit_read(w, 0, 1);
	advance(w, 5);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 A 0 D 0 1 0 8:16 A 0 ");
	expect(w, message(w, "switch_group 2") == 0);
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	submit_read(w, 0, 1);
	advance(w, 5);
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* A switch to a group without a usable path: the wish is used up, and nothing loops (F11). */
static void switch_to_a_dead_group(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	message(w, "fail_path 8:16");
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 5);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 F 1 ");
	message(w, "reinstate_path 8:16");
	advance(w, 100);
	submit_read(w, 0, 1);
	expect_info(w, "2 0 0 0 2 1 A 0 1 0 8:0 A 0 E 0 1 0 8:16 A 1 ");
	world_end(w);
}

/* A switch to a group that has no room for the moment is not forgotten. */
static void switch_to_a_full_group(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	sim_path(w, "8:16")->queue_depth = 1;
	world_up(w);
	message(w, "switch_group 2");
	set_mode(sim_path(w, "8:16"), MODE_HUNG);
	submit_write(w, 0, 1);
	message(w, "switch_group 1");
	submit_read(w, 0, 1);
	advance(w, 5);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	advance(w, 5);
	expect_pending(w, io);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 5);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* A command that breaks paths by itself does not move the others, nor uses up their wish. */
static void a_suspicious_command_moves_nobody(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 5);
	io = submit_poison(w);
	message(w, "switch_group 2");
	advance(w, 50);
	expect_sense(w, io, 0x04, 0x08, 0x00);
	submit_read(w, 0, 1);
	advance(w, 5);
	expect_info(w, "2 0 0 0 2 2 E 0 1 0 8:0 A 0 A 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* dm's words for what is wrong with a message. */
static void messages_that_are_refused(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	static const char *const wrong_groups[] = {"0", "3", "1x", "x", "", "4294967297", "-1"};
	char text[64];
	unsigned int i;

	world_up(w);
	for (i = 0; i < sizeof(wrong_groups) / sizeof(wrong_groups[0]); i++) {
		if (!wrong_groups[i][0])
			continue;
		snprintf(text, sizeof(text), "disable_group %s", wrong_groups[i]);
		expect(w, message(w, text) == -EINVAL);
		expect(w, strstr(w->text, "invalid PG number supplied to bypass_pg"));
		snprintf(text, sizeof(text), "enable_group %s", wrong_groups[i]);
		expect(w, message(w, text) == -EINVAL);
		snprintf(text, sizeof(text), "switch_group %s", wrong_groups[i]);
		expect(w, message(w, text) == -EINVAL);
		expect(w, strstr(w->text, "invalid PG number supplied to switch_pg_num"));
	}
	expect(w, message(w, "fail_path 8:99") == -EINVAL);
	expect(w, strstr(w->text, "8:99"));
	expect(w, message(w, "reinstate_path") == -EINVAL);
	expect(w, strcmp(w->text, "Invalid multipath message arguments. Expected 2 arguments, "
				  "got 1. reinstate_path: expected a path behind it") == 0);
	expect(w, message(w, "fail_path 8:0 8:16") == -EINVAL);
	expect(w, strcmp(w->text, "Invalid multipath message arguments. Expected 2 arguments, "
				  "got 3. fail_path: expected a path behind it") == 0);
	expect(w, message(w, "") == -EINVAL);
	expect(w, strstr(w->text, "got 0."));
	expect(w, message(w, "explode now") == -EINVAL);
	expect(w, strncmp(w->text, "Unrecognised multipath message received: \"explode", 49) == 0);
	expect(w, strstr(w->text, "explode: expected queue_if_no_path, ") &&
			  strstr(w->text, ", add_path or remove_path"));
	expect(w, message(w, "explode") == -EINVAL);
	expect(w, strstr(w->text, "got 1. explode: expected queue_if_no_path, "));
	/* Who wrote a word too many is not told that the word before it is none. */
	expect(w, message(w, "Resume now") == -EINVAL);
	expect(w, strcmp(w->text, "Unrecognised multipath message received: \"Resume now\". "
				  "resume: expected nothing behind it") == 0);
	expect(w, message(w, "suspend flush") == -EINVAL);
	expect(w, strstr(w->text, "\"suspend flush\". suspend: expected noflush or nothing "
				  "behind it"));
	expect(w, message(w, "queue_if_no_path 5") == -EINVAL);
	expect(w, strstr(w->text, "queue_if_no_path: expected nothing behind it"));
	expect(w, message(w, "add_path") == -EINVAL);
	expect(w, strstr(w->text, "add_path: expected a path, and perhaps the number of a "
				  "priority group, behind it"));
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 1 0 8:16 A 0 ");
	world_end(w);
}

/* fail_path: the path stays failed though it is well, is shown so, and twice counts once (F8). */
static void fail_path_and_reinstate_path(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);
	unsigned int probes;

	world_up(w);
	expect(w, message(w, "fail_path 8:0") == 0);
	expect(w, message(w, "Fail_Path sda") == 0);
	advance(w, 30000);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 1 8:16 A 0 ");
	expect_detail(w, "8:0: failed by message");

	/* It must prove that it is well, and who it is, before it is used again. */
	probes = sim_path(w, "8:0")->nr_probes;
	expect(w, message(w, "reinstate_path /dev/sda") == 0);
	advance(w, 20);
	expect(w, sim_path(w, "8:0")->nr_probes > probes + 1);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 1 8:16 A 0 ");
	expect(w, message(w, "reinstate_path 8:0") == 0);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* reinstate_path of a path that is dead: it comes back when it is well. */
static void reinstate_path_of_a_dead_path(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	message(w, "fail_path 8:0");
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 3000);
	expect(w, message(w, "reinstate_path 8:0") == 0);
	advance(w, 3000);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 F 1 8:16 A 0 ");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1500);
	expect_info(w, "2 1 0 0 1 1 E 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* A path that failed by itself and then by message as well: the message keeps it failed. */
static void fail_path_of_a_failed_path(void)
{
	struct world *w = world_new(FAIL TWO_PATHS);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect(w, message(w, "fail_path 8:0") == 0);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10000);
	expect_info(w, "2 0 0 0 1 1 A 0 2 0 8:0 F 1 8:16 A 0 ");
	world_end(w);
}

/* The same device in two groups: a message is for both. */
static void one_device_in_two_groups(void)
{
	struct world *w =
		world_new(FAIL "0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 2 1 8:0 1 8:16 1");

	world_up(w);
	expect(w, message(w, "fail_path 8:0") == 0);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 F 1 E 0 2 0 8:0 F 1 8:16 A 0 ");
	expect(w, message(w, "reinstate_path 8:0") == 0);
	advance(w, 20);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 1 E 0 2 0 8:0 A 1 8:16 A 0 ");
	world_end(w);
}

/* TABLE prints what it was given, so that it can be given again (F7). */
static int message_to_path(struct world *w, const char *message, unsigned int id, const char *name)
{
	const char *words[] = {message, name};
	struct mpath_message msg = {.argc = 2, .argv = words, .by_id = true, .path_id = id};
	struct mpath_event event = {.type = MPATH_MESSAGE, .message = &msg};

	strbuf_init(&msg.reply, w->text, sizeof(w->text));
	world_step(w, &event);
	return msg.error;
}

/* As D-Bus means it: the name may be an old one, or only the beginning of a long one. */
static void a_path_that_is_meant_by_its_id(void)
{
	struct world *w =
		world_new(FAIL "0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 2 1 8:0 1 8:16 1");

	world_up(w);
	expect(w, message_to_path(w, "fail_path", 2, "8:0") == 0);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 A 0 E 0 2 0 8:0 A 0 8:16 F 1 ");
	expect(w, message_to_path(w, "reinstate_path", 2, "8:0") == 0);
	advance(w, 10);
	/* dm's word is about the device. */
	expect(w, message_to_path(w, "fail_path", 1, "8:16") == 0);
	expect_info(w, "2 1 0 0 2 1 E 0 1 0 8:0 F 1 E 0 2 0 8:0 F 1 8:16 A 1 ");
	expect(w, message_to_path(w, "probe_path", 3, "8:16") == -EINVAL);
	expect(w, strcmp(w->text, "message: error getting device 8:16: not in map mpatha") == 0);
	world_end(w);
}

static void table_lines(void)
{
	static const char *const lines[] = {
		"0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1 ",
		"1 queue_if_no_path 0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1 ",
		"3 queue_if_no_path pg_init_retries 50 0 1 1 round-robin 0 1 1 8:0 1 ",
		"5 queue_if_no_path pg_init_retries 3 pg_init_delay_msecs 0 0 1 1 "
		"round-robin 0 1 1 8:0 1 ",
		"2 pg_init_delay_msecs 60000 0 1 1 round-robin 0 1 1 8:0 1 ",
		"3 retain_attached_hw_handler queue_mode bio 0 1 1 round-robin 0 1 1 8:0 1 ",
		"8 queue_if_no_path pg_init_retries 3 pg_init_delay_msecs 5 "
		"retain_attached_hw_handler queue_mode bio 0 2 2 round-robin 0 1 1 8:0 1 "
		"round-robin 0 1 1 8:16 1 ",
		"0 0 0 0 ",
		"0 2 alua 1 1 1 round-robin 0 1 1 8:0 1 ",
		"0 1 rdac 1 1 round-robin 0 1 1 8:0 1 ",
		"0 0 1 1 queue-length 0 2 1 8:0 1 8:16 1 ",
		"0 0 1 1 service-time 0 2 2 8:0 1 0 8:16 1 100 ",
		"0 0 2 1 historical-service-time 2 972 0 2 1 8:0 0 8:16 0 "
		"historical-service-time 2 0 7 1 1 8:32 0 ",
		"0 0 1 1 historical-service-time 2 1023 4294967295 1 1 8:0 0 ",
		"0 0 2 1 io-affinity 0 2 1 8:0 1 8:16 fffffffe io-affinity 0 1 1 8:32 3,00000000 ",
	};
	unsigned int i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct world *w = world_new(lines[i]);

		world_up(w);
		expect_table(w, lines[i]);
		world_end(w);
	}
}

/* queue_mode rq is the default, so it is not printed; repeat_count is always 1. */
static void table_lines_that_change(void)
{
	struct world *w = world_new(
		"3 QUEUE_IF_NO_PATH queue_mode mq 0 1 1 round-robin 0 2 1 8:0 1000 8:16 1");

	world_up(w);
	expect_table(w, "1 queue_if_no_path 0 1 1 round-robin 0 2 1 8:0 1 8:16 1 ");
	message(w, "fail_if_no_path");
	expect_table(w, "0 0 1 1 round-robin 0 2 1 8:0 1 8:16 1 ");
	message(w, "QUEUE_if_no_path");
	message(w, "switch_group 1");
	expect_table(w, "1 queue_if_no_path 0 1 1 round-robin 0 2 1 8:0 1 8:16 1 ");
	world_end(w);
}

/* "0 0 0 0" is a map without paths: legal, and every command fails. */
static void a_map_without_paths(void)
{
	struct world *w = world_new("1 queue_if_no_path 0 0 0");
	struct sim_io *io;

	world_up(w);
	expect(w, mpath_settled(w->m));
	expect_info(w, "2 1 0 0 0 0 ");
	expect_table(w, "1 queue_if_no_path 0 0 0 ");
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_sense(w, io, 0x02, 0x04, 0x00);
	expect(w, message(w, "switch_group 1") == -EINVAL);
	expect(w, message(w, "fail_path 8:0") == -EINVAL);
	world_end(w);
}

/* Two by two paths: a group is left only when its last path has failed. */
static void a_group_is_left_with_its_last_path(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);
	struct sim_io *io;

	world_up(w);
	submit_read(w, 0, 1);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_write(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 2 1 A 0 2 0 8:0 F 1 8:16 A 0 E 0 2 0 8:32 A 0 8:48 A 0 ");
	set_mode(sim_path(w, "8:16"), MODE_LOST);
	io = submit_write(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	expect_info(w, "2 0 0 0 2 2 E 0 2 0 8:0 F 1 8:16 F 1 A 0 2 0 8:32 A 0 8:48 A 0 ");
	world_end(w);
}

/* The first group's path is looked at last: commands wait for it, rather than go to the second
 * group and stay there. */
static void the_order_of_groups_is_no_race(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *io;

	sim_path(w, "8:0")->open_latency_ns = 300 * NSEC_PER_MSEC;
	snprintf(w->settings.wwid, sizeof(w->settings.wwid), "%s", w->luns[0].wwid);
	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 250);
	expect_pending(w, io);
	expect_info(w, "2 0 0 0 2 1 E 0 1 0 8:0 F 0 E 0 1 0 8:16 A 0 ");
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	world_end(w);
}

/* The same with the group that the table asks for first. */
static void the_initial_group_is_waited_for(void)
{
	struct world *w = world_new(QUEUE "0 2 2 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1");
	struct sim_io *io;

	sim_path(w, "8:16")->open_latency_ns = 300 * NSEC_PER_MSEC;
	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 250);
	expect_pending(w, io);
	advance(w, 100);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	world_end(w);
}

/* Its open hangs: after a second commands go to the other group. */
static void a_group_that_hangs_is_not_waited_for_long(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);
	struct sim_io *io;

	sim_path(w, "8:0")->open_hangs = true;
	snprintf(w->settings.wwid, sizeof(w->settings.wwid), "%s", w->luns[0].wwid);
	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 950);
	expect_pending(w, io);
	advance(w, 60);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	world_end(w);
}

int main(void)
{
	STORY(the_next_group_takes_over);
	STORY(the_last_path_leaves_its_group_current);
	STORY(the_initial_group_is_first);
	STORY(an_initial_group_that_does_not_exist);
	STORY(disable_and_enable_group);
	STORY(a_bypassed_group_is_the_last_resort);
	STORY(all_groups_bypassed);
	STORY(switch_group);
	STORY(switch_to_a_dead_group);
	STORY(switch_to_a_full_group);
	STORY(a_suspicious_command_moves_nobody);
	STORY(messages_that_are_refused);
	STORY(fail_path_and_reinstate_path);
	STORY(reinstate_path_of_a_dead_path);
	STORY(fail_path_of_a_failed_path);
	STORY(one_device_in_two_groups);
	STORY(a_path_that_is_meant_by_its_id);
	STORY(table_lines);
	STORY(table_lines_that_change);
	STORY(a_map_without_paths);
	STORY(a_group_is_left_with_its_last_path);
	STORY(the_order_of_groups_is_no_race);
	STORY(the_initial_group_is_waited_for);
	STORY(a_group_that_hangs_is_not_waited_for_long);
	return end_of_stories();
}
