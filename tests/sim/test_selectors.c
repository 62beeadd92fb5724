/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path selectors in a map: their words in the status lines, what they learn of the commands, and
 * that nothing is left in their counters (F13).
 */
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

/* TABLE prints what it was given, the group's words included, so that it can be given again (F7).
 */
static void table_lines(void)
{
	static const char *const lines[] = {
		"0 0 1 1 queue-length 0 2 1 8:0 1 8:16 0 ",
		"0 0 1 1 service-time 0 2 2 8:0 1 1 8:16 0 100 ",
		"0 0 1 1 historical-service-time 2 972 0 2 1 8:0 0 8:16 0 ",
		"0 0 2 1 historical-service-time 2 0 7 1 1 8:0 0 round-robin 0 1 1 8:16 1 ",
		"0 0 1 1 io-affinity 0 2 1 8:0 3 8:16 ff,0000000c ",
	};
	unsigned int i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct world *w = world_new(lines[i]);

		world_up(w);
		expect_table(w, lines[i]);
		world_end(w);
	}
}

/* What a table leaves out is printed as it is used. */
static void defaults_are_printed(void)
{
	struct world *w = world_new(FAIL "0 3 1 queue-length 0 1 0 8:0 service-time 0 1 0 8:16 "
					 "historical-service-time 1 512 1 0 8:32");

	world_up(w);
	expect_table(w, "0 0 3 1 queue-length 0 1 1 8:0 1 service-time 0 1 2 8:16 1 1 "
			"historical-service-time 2 512 0 1 1 8:32 0 ");
	expect_info(w, "2 1 0 0 3 1 E 0 1 1 8:0 A 0 0 E 0 1 2 8:16 A 0 0 1 "
		       "E 2 512 0 1 3 8:32 A 0 1024 0 0 ");
	world_end(w);
}

/* Two commands are out when their path is lost: they count where they are, and then nowhere. */
static void queue_length_counts_commands(void)
{
	struct world *w = world_new(FAIL "0 1 1 queue-length 0 2 1 8:0 1 8:16 1");

	world_up(w);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	submit_read(w, 0, 1);
	expect_info(w, "2 0 0 0 1 1 A 0 2 1 8:0 A 0 2 8:16 A 0 1 ");
	set_mode(sim_path(w, "8:0"), MODE_LOST);
	advance(w, 1);
	expect_info(w, "2 0 0 0 1 1 A 0 2 1 8:0 F 1 0 8:16 A 0 2 ");
	advance(w, 10);
	expect_info(w, "2 0 0 0 1 1 A 0 2 1 8:0 F 1 0 8:16 A 0 0 ");
	world_end(w);
}

/* A path with three times the throughput gets three times the bytes. */
static void service_time_counts_bytes(void)
{
	struct world *w = world_new(FAIL "0 1 1 service-time 0 2 2 8:0 1 1 8:16 1 3");
	unsigned int i;

	world_up(w);
	for (i = 0; i < 8; i++)
		submit_read(w, 0, 2);
	expect_info(w, "2 0 0 0 1 1 A 0 2 2 8:0 A 0 2048 1 8:16 A 0 6144 3 ");
	advance(w, 10);
	expect_info(w, "2 0 0 0 1 1 A 0 2 2 8:0 A 0 0 1 8:16 A 0 0 3 ");
	world_end(w);
}

/* A command takes 1 ms: with base_weight 0 that is the service time, and stale is 2 ms later. */
static void historical_service_time_learns_from_the_clock(void)
{
	struct world *w = world_new(FAIL "0 1 1 historical-service-time 1 0 2 1 8:0 1 8:16 1");

	world_up(w);
	submit_read(w, 0, 1);
	advance(w, 10);
	expect_info(
		w, "2 0 0 0 1 1 A 2 0 0 2 3 8:0 A 0 1024000000 0 1000103000000 8:16 A 0 1024 0 0 ");
	world_end(w);
}

static struct sim_io *submit_from(struct world *w, int cpu)
{
	w->cpu = cpu;
	return submit_read(w, 0, 1);
}

/* The path of the CPU, another one when it is lost; a CPU without a path is counted. */
static void io_affinity_follows_the_cpu(void)
{
	struct world *w = world_new(FAIL "0 1 1 io-affinity 0 2 1 8:0 1 8:16 6");

	world_up(w);
	submit_from(w, 2);
	submit_from(w, 0);
	submit_from(w, 1);
	submit_from(w, 3);
	expect_trace(w, "[100] group 1: now current\n"
			"[100] io 28: start on 8:16\n"
			"[100] io 28: start on 8:0\n"
			"[100] io 28: start on 8:16\n"
			"[100] io 28: start on 8:0\n");
	advance(w, 10);
	expect_info(w, "2 0 0 0 1 1 A 0 2 1 8:0 A 0 1 8:16 A 0 1 ");
	expect(w, message(w, "fail_path 8:16") == 0);
	forget_trace(w);
	submit_from(w, 1);
	expect_trace(w, "[110] io 28: start on 8:0\n");
	advance(w, 10);
	world_end(w);
}

int main(void)
{
	STORY(table_lines);
	STORY(defaults_are_printed);
	STORY(queue_length_counts_commands);
	STORY(service_time_counts_bytes);
	STORY(historical_service_time_learns_from_the_clock);
	STORY(io_affinity_follows_the_cpu);
	return end_of_stories();
}
