/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a snapshot says of a map, and the line for the kernel's integrity measurement.
 */
#include <string.h>

#include "mpath/scsi.h"
#include "mpath/snapshot.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define PATHS_MAX 4

static struct group_snapshot groups[PATHS_MAX];
static struct path_snapshot paths[PATHS_MAX];
static struct mpath_snapshot shot;

static void look(struct world *w)
{
	shot.groups = groups;
	shot.paths = paths;
	shot.max_groups = PATHS_MAX;
	shot.max_paths = PATHS_MAX;
	mpath_snapshot(w->m, w->now_ns, &shot);
}

/* Before anything was seen there are words from the table, and nothing else. */
static void a_map_that_has_seen_nothing(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	sim_path(w, "8:0")->refused = "no such device";
	sim_path(w, "8:16")->refused = "no such device";
	world_up(w);
	look(w);
	expect(w, shot.nr_groups == 2 && shot.nr_paths == 2 && shot.nr_valid == 0);
	expect(w, shot.state == MAP_QUEUEING && shot.queue_if_no_path && !*shot.warning);
	set_cmd_time_out(w, 30);
	look(w);
	expect(w, shot.cmd_time_out_ms == 30000 && strstr(shot.warning, "set it to 0"));
	expect(w, shot.cmd_time_out_needed_ms == 0);
	expect(w, !shot.lun_known && !*shot.wwid && !*shot.vendor && shot.size == 0);
	expect(w, shot.queue_depth == 0 && shot.max_transfer_bytes == 0);
	expect(w, strcmp(shot.features, "1 queue_if_no_path") == 0);
	expect(w, !strcmp(shot.failback, "manual") && !strcmp(shot.checker, "tur"));
	expect(w, shot.current_group == 0 && shot.next_group == 1);
	expect(w, paths[1].state == PATH_EXCLUDED && !strcmp(paths[1].reason, "no such device"));
	expect(w, !strcmp(paths[1].address, "8:16") && !strcmp(paths[1].name, "8:16"));
	expect(w, paths[1].id == 1 && paths[1].group == 2 && !*paths[1].device && !*paths[1].wwid);

	message(w, "fail_if_no_path");
	look(w);
	expect(w, shot.state == MAP_FAILING && !shot.queue_if_no_path && !*shot.warning);
	expect(w, shot.cmd_time_out_needed_ms ==
			  22000); /* without a fence, which this world has not */
	world_end(w);
}

/* As the map file has them. */
static void words_of_settings(void)
{
	static const struct {
		enum failback failback;
		const char *word;
	} words[] = {{FAILBACK_MANUAL, "manual"},
		     {FAILBACK_IMMEDIATE, "immediate"},
		     {FAILBACK_FOLLOWOVER, "followover"},
		     {FAILBACK_DEFERRED, "86400"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct world *w = world_new(FAIL TWO_BY_TWO);

		w->settings.checker = NULL;
		w->settings.policy.failback = words[i].failback;
		w->settings.policy.failback_s = 86400;
		world_up(w);
		look(w);
		expect(w, !strcmp(shot.failback, words[i].word) && !strcmp(shot.checker, "none"));
		world_end(w);
	}
}

static void a_lun_that_is_write_protected(void)
{
	struct world *w = world_new(FAIL ONE_PATH);

	sim_path(w, "8:0")->read_only = true;
	world_up(w);
	look(w);
	expect(w, paths[0].state == PATH_ACTIVE && paths[0].read_only);
	world_end(w);
}

static void a_map_in_service(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);

	sim_path(w, "8:16")->queue_depth = 5;
	sim_path(w, "8:32")->max_transfer_bytes = 32768;
	world_up(w);
	submit_read(w, 0, 1);
	look(w);
	expect(w, shot.state == MAP_ACTIVE && shot.nr_valid == 4 && shot.lun_known);
	expect(w, strcmp(shot.wwid, mpath_lun(w->m)->wwid) == 0 && *shot.wwid);
	expect(w, !strcmp(shot.vendor, "SIM") && !strcmp(shot.product, "VIRTUAL ARRAY"));
	expect(w, strcmp(shot.revision, "0001") == 0 && !*shot.warning);
	expect(w, shot.block_size == SIM_BLOCK_SIZE);
	expect(w, shot.size == mpath_lun(w->m)->nr_blocks * SIM_BLOCK_SIZE && shot.size);
	expect(w, shot.queue_depth == 5 + 3 * sim_path(w, "8:0")->queue_depth);
	expect(w, shot.max_transfer_bytes == 32768 && paths[2].max_transfer_bytes == 32768);
	expect(w, paths[1].max_transfer_bytes == 65536); /* the array's own limit */
	expect(w, shot.in_flight == 1 && shot.current_group == 1 && shot.next_group == 0);
	expect(w, groups[0].state == GROUP_ACTIVE && groups[1].state == GROUP_ENABLED);
	expect(w, groups[0].nr_paths == 2 && groups[0].nr_valid == 2 && groups[0].in_flight == 1);
	expect(w, strcmp(groups[1].selector, "round-robin") == 0 && groups[1].in_flight == 0);
	expect(w, paths[0].state == PATH_ACTIVE && paths[0].in_flight == 1 && !*paths[0].reason);
	expect(w, strcmp(paths[0].device, "sda") == 0 && !strcmp(paths[0].wwid, shot.wwid));
	expect(w, !*paths[0].alua_state && paths[0].priority == -1);
	expect(w, !*shot.hw_handler);
	expect(w, paths[1].queue_depth == 5 && !paths[2].read_only);

	message(w, "disable_group 1");
	message(w, "fail_path 8:32");
	look(w);
	expect(w, groups[0].state == GROUP_DISABLED && groups[1].nr_valid == 1);
	expect(w, paths[2].state == PATH_FAILED_BY_MESSAGE && paths[2].fail_count == 1);
	expect(w, shot.nr_valid == 3 && shot.path_faults == 1);
	expect(w, shot.max_transfer_bytes == 32768); /* it may be back at any time */
	message(w, "switch_group 2");
	look(w);
	expect(w, shot.next_group == 2 && shot.current_group == 0);
	advance(w, 10);
	world_end(w);
}

static void expect_switches(struct world *w, uint64_t n)
{
	submit_read(w, 0, 1);
	advance(w, 50);
	look(w);
	expect(w, shot.group_switches == n);
}

/* Whoever has asked for it: a message, failback; coming back to the same group is no switch. */
static void each_switch_counts(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);

	w->settings.policy.failback = FAILBACK_IMMEDIATE;
	world_up(w);
	expect_switches(w, 0);
	message(w, "switch_group 2");
	expect_switches(w, 1);
	message(w, "switch_group 2");
	expect_switches(w, 1);
	message(w, "fail_path 8:16");
	expect_switches(w, 2);
	message(w, "reinstate_path 8:16");
	advance(w, 20);
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	expect_switches(w, 3);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1500); /* failback */
	expect_switches(w, 4);

	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	advance(w, 6000); /* its check */
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	expect_switches(w, 4);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 1500);
	expect_switches(w, 4);

	expect(w, remove_path(w, "8:16") == 0);
	expect(w, add_path(w, "8:16", 2) == 0);
	advance(w, 50);
	set_mode(sim_path(w, "8:16"), MODE_UP);
	advance(w, 1500);
	expect_switches(w, 4);
	world_end(w);
}

/* The path counts each try, the map the command once, with the time that its initiator has waited.
 */
static void a_command_over_two_paths(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	io = submit_write(w, 0, 2);
	advance(w, 10);
	expect_good(w, io);
	look(w);
	expect(w, shot.group_switches == 1 && shot.path_faults == 1);
	expect(w, paths[0].counters.errors[IO_ERROR_LOST] == 1);
	expect(w, paths[0].counters.good[SCSI_DATA_OUT] == 0);
	expect(w, paths[1].counters.good[SCSI_DATA_OUT] == 1);
	expect(w, paths[1].counters.bytes[SCSI_DATA_OUT] == 2 * SIM_BLOCK_SIZE);
	expect(w, paths[1].counters.errors[IO_ERROR_LOST] == 0);
	expect(w, shot.counters.good[SCSI_DATA_OUT] == 1);
	expect(w, shot.counters.bytes[SCSI_DATA_OUT] == 2 * SIM_BLOCK_SIZE);
	expect(w, shot.counters.errors[IO_ERROR_LOST] == 0);
	expect(w, paths[1].latency.p50_us >= 1000 && paths[1].latency.p50_us < 1100);
	expect(w, shot.latency.p50_us >= 2000 && shot.latency.p50_us < 2200);

	/* What nobody asks for is not counted: probes. */
	advance(w, 60000);
	look(w);
	expect(w, paths[1].counters.good[SCSI_DATA_IN] == 0 &&
			  paths[1].counters.good[SCSI_NO_DATA] == 0);
	world_end(w);
}

/* A read that is given up on a hung path is a time-out of that path. */
static void a_read_that_is_given_up(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_HUNG);
	io = submit_read(w, 0, 1);
	advance(w, 60000);
	expect_good(w, io);
	look(w);
	expect(w, paths[0].counters.errors[IO_ERROR_TIMEOUT] == 1);
	expect(w, paths[1].counters.good[SCSI_DATA_IN] == 1);
	world_end(w);
}

static void waiting_commands_by_kind(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	sim_path(w, "8:0")->queue_depth = 1;
	world_up(w);
	submit_read(w, 0, 1);
	submit_read(w, 1, 1);
	submit_read(w, 2, 1);
	look(w);
	expect(w, shot.in_flight == 1 && shot.waiting == 2 && shot.held == 0);
	advance(w, 10);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_read(w, 0, 1);
	advance(w, 10);
	look(w);
	expect(w, shot.in_flight == 0 && shot.held == 1 && shot.state == MAP_QUEUEING);
	message(w, "fail_if_no_path");
	advance(w, 1);
	look(w);
	expect(w, shot.counters.errors[IO_ERROR_CHECK_CONDITION] == 1);
	world_end(w);
}

/* A moment's rest because the target is busy, and the activation of a group, are both "delayed". */
static void commands_that_are_delayed(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS_ALUA);

	give_port_groups(w, TPGS_IMPLICIT | TPGS_EXPLICIT, 1);
	world_up(w);
	answer_with_status(sim_path(w, "8:0"), SAM_BUSY, 3);
	submit_write(w, 0, 1);
	advance(w, 5);
	message(w, "switch_group 2");
	submit_read(w, 1, 1);
	submit_read(w, 2, 1);
	look(w);
	expect(w, shot.delayed == 3 && shot.in_flight == 0);
	expect_detail(w, "  commands: 0 in flight, 0 held, 0 waiting for room, 3 delayed\n"
			 "  no path: fail, cmd_time_out 0 s\n"
			 "  2 commands wait for the activation of a group\n");
	advance(w, 1000);
	look(w);
	expect(w, shot.delayed == 0 && shot.counters.errors[IO_ERROR_BUSY] == 0);
	world_end(w);
}

/* What waits for a path and what waits for resume are both "held". */
static void commands_that_are_held(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_TRANSITIONING);
	submit_read(w, 0, 1);
	advance(w, 10);
	message(w, "suspend");
	submit_read(w, 1, 1);
	submit_read(w, 2, 1);
	look(w);
	expect(w, shot.held == 3);
	expect_detail(w, "  commands: 0 in flight, 3 held, 0 waiting for room, 0 delayed\n");
	expect_detail(w, "  being suspended: 2 commands wait for resume\n");
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 10000);
	message(w, "resume");
	advance(w, 10);
	look(w);
	expect(w, shot.held == 0 && shot.counters.good[SCSI_DATA_IN] == 3);
	world_end(w);
}

/* "mpathctl status" for people: each line, as the manual shows it. */
static void the_status_for_people(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS_ALUA);

	give_port_groups(w, TPGS_IMPLICIT | TPGS_EXPLICIT, 1);
	w->luns[0].groups[0].preferred = true;
	sim_path(w, "8:16")->read_only = true;
	set_cmd_time_out(w, 30);
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 100);
	submit_write(w, 0, 1);
	expect_detail(w, "mpatha: 36000d310000000000000000000000001, 2048 blocks of 512 bytes (");
	expect_detail(w,
		      "  commands: 1 in flight, 0 held, 0 waiting for room, 0 delayed\n"
		      "  no path: fail, cmd_time_out 30 s\n"
		      "  fence: none: a lost write is sent again at once, and its old copy may "
		      "land on newer data, as with dm-multipath\n"
		      "  group 1: round-robin, active\n"
		      "    sda 8:0: active [1 in flight, failed 0 times, target port group 1 "
		      "active/optimized (preferred)] 8:0\n"
		      "  group 2: round-robin, enabled\n"
		      "    sdb 8:16: active [0 in flight, failed 0 times, read-only, target port "
		      "group 2 standby] 8:16\n");
	advance(w, 10);
	message(w, "disable_group 2");
	message(w, "fail_path 8:16");
	expect_detail(w, "  group 2: round-robin, disabled\n    sdb 8:16: failed by message: "
			 "fail_path message [0 in flight, failed 1 time, ");
	world_end(w);
}

/* The message release: from now on nothing is held, and the state does not say that it is. */
static void after_release(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	message(w, "fail_path 8:0");
	look(w);
	expect(w, shot.state == MAP_QUEUEING);
	message(w, "release");
	look(w);
	expect(w, shot.state == MAP_FAILING);
	world_end(w);
}

static void a_path_that_is_back_gives_no_reason(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	submit_read(w, 0, 1);
	advance(w, 100);
	look(w);
	expect(w, paths[0].state == PATH_FAILED && *paths[0].reason);
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	look(w);
	expect(w, paths[0].state == PATH_ACTIVE && !*paths[0].reason);
	world_end(w);
}

static void suspended_and_stopped(void)
{
	struct world *w = world_new(QUEUE ONE_PATH);

	world_up(w);
	message(w, "suspend");
	submit_read(w, 0, 1);
	look(w);
	expect(w, shot.state == MAP_SUSPENDED && shot.held == 1);
	message(w, "resume");
	look(w);
	expect(w, shot.state == MAP_ACTIVE);
	stop_world(w);
	look(w);
	expect(w, shot.state == MAP_STOPPING);
	world_end(w);
}

/* What the hardware handler has learnt of a path's port group, and what it is worth. */
static void port_groups(void)
{
	static const struct {
		uint8_t state;
		bool preferred;
		const char *name;
		int priority;
	} rows[] = {
		{0x0, false, "active/optimized", 50},
		{0x0, true, "active/optimized", 50},
		{0x1, false, "active/non-optimized", 10},
		{0x2, false, "standby", 1},
		{0x2, true, "standby", 81},
		{0x3, false, "unavailable", 0},
		{0x4, false, "lba-dependent", 5},
		{0xe, false, "offline", 0},
		{0xf, false, "transitioning", 0},
	};
	struct world *w = world_new(FAIL ONE_PATH);
	struct port_group *tpg;

	world_up(w);
	tpg = &sim_path(w, "8:0")->path->tpg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*tpg = (struct port_group){.state_known = true,
					   .state = rows[i].state,
					   .preferred = rows[i].preferred};
		look(w);
		expect(w, strcmp(paths[0].alua_state, rows[i].name) == 0);
		expect(w, paths[0].priority == rows[i].priority);
	}
	*tpg = (struct port_group){0};
	world_end(w);
}

/* Two port groups; the second one becomes the optimized one when it is activated. */
static void a_map_with_a_hardware_handler(void)
{
	struct world *w =
		world_new("0 1 alua 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1");
	struct sim_io *io;

	give_port_groups(w, TPGS_IMPLICIT | TPGS_EXPLICIT, 1);
	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 100);
	look(w);
	expect(w, strcmp(shot.hw_handler, "alua") == 0);
	expect(w, strcmp(paths[0].alua_state, "active/optimized") == 0);
	message(w, "switch_group 2");
	io = submit_read(w, 0, 1);
	look(w);
	expect(w, shot.in_flight == 0 && shot.delayed == 1 && shot.current_group == 2);
	advance(w, 100);
	expect_good(w, io);
	look(w);
	expect(w, strcmp(paths[0].alua_state, "standby") == 0 && paths[0].priority == 1);
	expect(w, shot.delayed == 0);
	world_end(w);
}

/* Too little memory: what fits is filled, and the counts are true. */
/* Why, and how long at most: who only sees that commands are held would look for a path. */
static void writes_that_wait_after_a_crash(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	look(w);
	expect(w, !*shot.writes_wait);
	sim_path(w, "8:0")->foreign = 2;
	kill_world(w, 0);
	restart_world(w);
	advance(w, 100);
	expect_notice(w, "8:0: 2 commands of a former process are still out: writes wait for them");
	look(w);
	expect(w, !*shot.writes_wait);
	submit_write(w, 0, 1);
	advance(w, 100);
	look(w);
	expect(w, shot.restarting == 1);
	expect(w, strstr(shot.writes_wait,
			 "1 write waits for commands of a former process, at most "));
	expect_detail(w, "  1 write waits for commands of a former process, at most ");
	forget_notices(w);
	sim_path(w, "8:0")->foreign = 0;
	advance(w, 1500);
	expect_notice(w, "mpatha: writes wait no longer for commands of a former process");
	look(w);
	expect(w, !*shot.writes_wait);
	world_end(w);
}

/* `fenced=1` alone does not say what for, and for how long. */
static void writes_that_wait_for_a_fence(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	submit_write(w, 0, 1);
	advance(w, 5);
	look(w);
	expect(w, shot.fenced == 1);
	expect(w, !strncmp(shot.writes_wait,
			   "1 write was lost and may still land: it waits for time, at most ", 64));
	world_end(w);
}

/* A disk is away, too: each reason on its line for people, and one line for a property. */
static void two_reasons_why_writes_wait(void)
{
	struct world *w = world_new(QUEUE TWO_GROUPS);

	w->settings.fence = FENCE_TIME;
	world_up(w);
	submit_write(w, 0, 1);
	advance(w, 5);
	kill_world(w, 0);
	sim_path(w, "8:0")->refused = "No such device";
	restart_world(w);
	submit_write(w, 0, 1);
	advance(w, 3000);
	look(w);
	expect(w, strstr(shot.writes_wait,
			 "1 write waits for commands of a former process; 1 disk that a former "
			 "process used cannot be asked for its writes: writes wait, at most "));
	expect(w, !strchr(shot.writes_wait, '\n'));
	expect_detail(w,
		      "  1 write waits for commands of a former process\n  1 disk that a former ");
	world_end(w);
}

static void a_snapshot_that_is_too_small(void)
{
	struct world *w = world_new(FAIL TWO_BY_TWO);

	world_up(w);
	memset(paths, 0x55, sizeof(paths));
	shot = (struct mpath_snapshot){.paths = paths, .max_paths = 1};
	mpath_snapshot(w->m, w->now_ns, &shot);
	expect(w, shot.nr_groups == 2 && shot.nr_paths == 4);
	expect(w, paths[0].id == 0 && paths[1].id == 0x55555555);
	world_end(w);
}

static void the_line_for_integrity_measurement(void)
{
	struct world *w = world_new(FAIL TWO_GROUPS);
	struct strbuf out;

	world_up(w);
	message(w, "fail_path 8:0");
	submit_read(w, 0, 1);
	advance(w, 10);
	message(w, "disable_group 1");
	submit_read(w, 0, 1);
	advance(w, 10);
	strbuf_init(&out, w->text, sizeof(w->text));
	mpath_status_ima(w->m, &out);
	expect(w, strcmp(w->text, "target_name=multipath,target_version=1.14.0,nr_priority_groups=2"
				  ",pg_state_0=D,nr_pgpaths_0=1,path_selector_name_0=round-robin"
				  ",path_name_0_0=8:0,is_active_0_0=F,fail_count_0_0=1"
				  ",path_selector_status_0_0="
				  ",pg_state_1=A,nr_pgpaths_1=1,path_selector_name_1=round-robin"
				  ",path_name_1_0=8:16,is_active_1_0=A,fail_count_1_0=0"
				  ",path_selector_status_1_0=;") == 0);
	world_end(w);
}

int main(void)
{
	STORY(a_map_that_has_seen_nothing);
	STORY(words_of_settings);
	STORY(a_lun_that_is_write_protected);
	STORY(a_map_in_service);
	STORY(each_switch_counts);
	STORY(a_command_over_two_paths);
	STORY(a_read_that_is_given_up);
	STORY(waiting_commands_by_kind);
	STORY(commands_that_are_delayed);
	STORY(commands_that_are_held);
	STORY(the_status_for_people);
	STORY(port_groups);
	STORY(a_map_with_a_hardware_handler);
	STORY(writes_that_wait_after_a_crash);
	STORY(writes_that_wait_for_a_fence);
	STORY(two_reasons_why_writes_wait);
	STORY(a_snapshot_that_is_too_small);
	STORY(the_line_for_integrity_measurement);
	STORY(after_release);
	STORY(a_path_that_is_back_gives_no_reason);
	STORY(suspended_and_stopped);
	return end_of_stories();
}
