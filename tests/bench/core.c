/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core costs: a command's way in and back, by the calls that the runtime makes for it,
 * beside a dispatcher that does nothing but that, called in the same way.  WHAT is "bare" or a path
 * selector.
 *
 * bench_core run WHAT PATHS PAIRS
 *	for callgrind: one command ends, the next starts, QUEUE_DEPTH are in flight
 * bench_core time WHAT PATHS
 *	ns for such a pair
 * bench_core held COMMANDS
 *	ns for each of so many held commands when a path comes back
 * bench_core lost COMMANDS
 *	so many writes are lost, as many come that must wait for these: ns for each that is lost,
 *	each that comes, each that may go when old copies cannot land any more, and each answer
 * bench_core memory PATHS
 *	bytes of a command, of a path's part that every command touches, of a map
 * bench_core touch WHAT PATHS PAIRS
 *	for lackey: first says where in memory each path is, its histogram, what its selector keeps
 *	of it, and the word that is written before and after the pairs
 */
#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/multipath.h"

#define QUEUE_DEPTH  32
#define CLOCK_NS     1000 /* between two batches of QUEUE_DEPTH steps: one clock reading for each */
#define TIMED_PAIRS  5000
#define TIMED_ROUNDS 201

struct bench {
	void (*submit)(struct bench *bench, struct mpath_io *io);
	void (*end)(struct bench *bench, struct mpath_io *io);
	struct multipath *m;
	struct path *paths; /* the bare dispatcher's */
	unsigned int nr_paths, next_path;
	struct mpath_actions actions;
	struct mpath_event event;
	struct mpath_io *ios;
	unsigned int in_flight[QUEUE_DEPTH]; /* indices of ios */
	unsigned int steps;
	uint32_t random;
};

static void step(struct bench *bench, enum mpath_event_type type, struct mpath_io *io)
{
	bench->event.type = type;
	bench->event.io = io;
	mpath_step(bench->m, &bench->event, &bench->actions);
}

/* --- what is measured: callgrind counts in these functions and what they call --- */

/* The long way, which the first command goes. */
static void step_and_pop(struct bench *bench, enum mpath_event_type type, struct mpath_io *io,
			 struct list *done)
{
	step(bench, type, io);
	assert(list_pop(done) == &io->node);
}

static void measured_core_submit(struct bench *bench, struct mpath_io *io)
{
	if (!mpath_submit_short(bench->m, io, bench->event.now_ns))
		step_and_pop(bench, MPATH_SUBMIT, io, &bench->actions.start);
}

static void measured_core_end(struct bench *bench, struct mpath_io *io)
{
	if (!mpath_end_io_short(bench->m, io, bench->event.now_ns))
		step_and_pop(bench, MPATH_END_IO, io, &bench->actions.complete);
}

/* The least that could be done: the next path, and the list by which one knows what is where. */
static void measured_bare_submit(struct bench *bench, struct mpath_io *io)
{
	struct path *path = &bench->paths[bench->next_path];

	bench->next_path = bench->next_path + 1 < bench->nr_paths ? bench->next_path + 1 : 0;
	io->path = path;
	io->start_ns = bench->event.now_ns;
	path->in_flight++;
	list_push_back(&path->flying, &io->flight);
}

static void measured_bare_end(struct bench *bench, struct mpath_io *io)
{
	(void)bench;

	io->path->in_flight--;
	io->path = NULL;
	list_del(&io->flight);
}

/* --- a map whose paths have all been looked at --- */

/* Each path has a CPU of its own. */
static void print_cpu(struct strbuf *out, unsigned int i)
{
	strbuf_printf(out, " 8:%u %x", i, 1u << i % 32);
	for (unsigned int word = 0; word < i / 32; word++)
		strbuf_printf(out, ",0");
}

static char *table_text(const char *selector, unsigned int nr_paths)
{
	size_t size = 100 + 96 * (size_t)nr_paths;
	char *text = malloc(size);
	struct strbuf out;

	strbuf_init(&out, text, size);
	strbuf_printf(&out, "1 queue_if_no_path 0 1 1 %s 0 %u 1", selector, nr_paths);
	for (unsigned int i = 0; i < nr_paths; i++) {
		if (!strcmp(selector, "io-affinity"))
			print_cpu(&out, i);
		else
			strbuf_printf(&out, " 8:%u 1", i);
	}
	assert(!out.truncated);
	return text;
}

static struct multipath *new_map(const char *selector, unsigned int nr_paths)
{
	char *text = table_text(selector, nr_paths);
	struct mpath_settings settings;
	struct mpath_table *table;
	struct multipath *m;
	struct strbuf error;
	char error_text[200];

	strbuf_init(&error, error_text, sizeof(error_text));
	mpath_settings_init(&settings);
	if (mpath_table_parse(text, &table, &error)) {
		fprintf(stderr, "%s\n", error_text);
		exit(1);
	}
	m = mpath_create("bench", table, &settings, NULL, &error);
	assert(m);
	mpath_table_free(table);
	free(text);
	return m;
}

static void bring_up(struct bench *bench)
{
	struct multipath *m = bench->m;
	struct path *path;

	m->actions = &bench->actions;
	m->now_ns = bench->event.now_ns;
	m->started = true;
	m->started_ns = m->now_ns;
	m->lun.known = true;
	for_each_path(m, path) {
		path->link = LINK_OPEN;
		path->identified = true;
		path->next_check_ns = 0; /* nothing is due by itself */
		path->depth = path->facts.queue_depth = 1024;
		reinstate_path(m, path);
		path_settled(m, path);
	}
	m->restart_over = true;
	m->run_held = false;
	m->wake_ns = 0;
	mpath_check_invariants(m);
}

static void new_bench(struct bench *bench, const char *what, unsigned int nr_paths,
		      unsigned int nr_ios)
{
	*bench = (struct bench){.nr_paths = nr_paths, .random = 1, .event.now_ns = NSEC_PER_SEC};
	mpath_actions_init(&bench->actions);
	if (!strcmp(what, "bare")) {
		bench->submit = measured_bare_submit;
		bench->end = measured_bare_end;
		bench->paths = calloc(nr_paths, sizeof(*bench->paths));
		for (unsigned int i = 0; i < nr_paths; i++)
			list_init(&bench->paths[i].flying);
	} else {
		bench->submit = measured_core_submit;
		bench->end = measured_core_end;
		bench->m = new_map(what, nr_paths);
		bring_up(bench);
	}
	bench->ios = calloc(nr_ios, sizeof(*bench->ios));
	for (unsigned int i = 0; i < nr_ios; i++) {
		struct mpath_io *io = &bench->ios[i];

		list_init(&io->node);
		list_init(&io->flight);
		io->cmd = (struct scsi_cmd){.cdb = {0x28},
					    .cdb_len = 10,
					    .dir = SCSI_DATA_IN,
					    .class = CMD_READ,
					    .medium = true,
					    .data_len = 4096};
	}
}

static void free_bench(struct bench *bench)
{
	mpath_destroy(bench->m);
	free(bench->paths);
	free(bench->ios);
}

/* --- commands --- */

static void tick(struct bench *bench)
{
	if (++bench->steps % QUEUE_DEPTH == 0)
		bench->event.now_ns += CLOCK_NS;
}

static void start(struct bench *bench, struct mpath_io *io)
{
	tick(bench);
	io->arrival_ns = bench->event.now_ns;
	io->cpu = (int)(bench->steps % bench->nr_paths);
	bench->submit(bench, io);
	assert(io->path);
}

static void end(struct bench *bench, struct mpath_io *io)
{
	tick(bench);
	io->result = (struct scsi_result){.transport = TRANSPORT_OK, .status = SAM_GOOD};
	bench->end(bench, io);
	assert(!io->path);
}

/* Any of those in flight: answers do not come in the order of the commands. */
static unsigned int any(struct bench *bench)
{
	bench->random = bench->random * 1664525 + 1013904223;
	return (bench->random >> 16) % QUEUE_DEPTH;
}

static void fill(struct bench *bench)
{
	for (unsigned int i = 0; i < QUEUE_DEPTH; i++) {
		bench->in_flight[i] = i;
		start(bench, &bench->ios[i]);
	}
}

static void run_pairs(struct bench *bench, unsigned int pairs)
{
	while (pairs--) {
		struct mpath_io *io = &bench->ios[bench->in_flight[any(bench)]];

		end(bench, io);
		start(bench, io);
	}
}

static void drain(struct bench *bench)
{
	for (unsigned int i = 0; i < QUEUE_DEPTH; i++)
		end(bench, &bench->ios[bench->in_flight[i]]);
}

/* --- the measures --- */

static void run(const char *what, unsigned int nr_paths, unsigned int pairs)
{
	struct bench bench;

	new_bench(&bench, what, nr_paths, QUEUE_DEPTH);
	fill(&bench);
	run_pairs(&bench, pairs);
	drain(&bench);
	free_bench(&bench);
}

static volatile unsigned int window; /* 1: now every touch counts */

/* The bare dispatcher is not asked for: it has no selector. */
static void touch(const char *what, unsigned int nr_paths, unsigned int pairs)
{
	struct bench bench;
	struct path *path;

	new_bench(&bench, what, nr_paths, QUEUE_DEPTH);
	fill(&bench);
	printf("window %p %zu\n", (void *)&window, sizeof(window));
	for_each_path(bench.m, path) {
		printf("path %p %zu\n", (void *)path, sizeof(*path));
		printf("histogram %p %zu\n", (void *)&path->stats.latency,
		       sizeof(path->stats.latency));
		printf("selector %p %zu\n", path->selector_data,
		       malloc_usable_size(path->selector_data));
	}
	fflush(stdout);
	window = 1;
	run_pairs(&bench, pairs);
	window = 0;
	drain(&bench);
	free_bench(&bench);
}

static double clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure_time(const char *what, unsigned int nr_paths)
{
	struct bench bench;
	double best = 0;

	new_bench(&bench, what, nr_paths, QUEUE_DEPTH);
	fill(&bench);
	for (unsigned int round = 0; round < TIMED_ROUNDS; round++) {
		double begin = clock_ns(), ns;

		run_pairs(&bench, TIMED_PAIRS);
		ns = (clock_ns() - begin) / TIMED_PAIRS;
		if (!round || ns < best)
			best = ns;
	}
	printf("%s %u %.1f\n", what, nr_paths, best);
	drain(&bench);
	free_bench(&bench);
}

/* All paths fail, commands come and are held, the paths come back. */
static void measure_held(unsigned int nr_ios)
{
	struct bench bench;
	struct path *path;
	struct list *node;
	double begin, ns;

	new_bench(&bench, "round-robin", 2, nr_ios);
	bench.m->actions = &bench.actions;
	for_each_path(bench.m, path)
		fail_path(bench.m, path, "bench");
	for (unsigned int i = 0; i < nr_ios; i++)
		step(&bench, MPATH_SUBMIT, &bench.ios[i]);
	assert(queue_length(&bench.m->held) == nr_ios);

	bench.m->actions = &bench.actions;
	for_each_path(bench.m, path) {
		path->depth = path->facts.queue_depth = nr_ios;
		reinstate_path(bench.m, path);
	}
	begin = clock_ns();
	step(&bench, MPATH_TIMEOUT, NULL);
	ns = clock_ns() - begin;
	assert(queue_length(&bench.actions.start) == nr_ios);
	printf("held %u %.1f\n", nr_ios, ns / nr_ios);

	while ((node = list_pop(&bench.actions.start)))
		end(&bench, container_of(node, struct mpath_io, node));
	free_bench(&bench);
}

/* WRITE(16) of a block. */
static void make_write(struct mpath_io *io, unsigned int lba)
{
	io->cmd = (struct scsi_cmd){.cdb = {0x8a, [6] = (uint8_t)(lba >> 24), (uint8_t)(lba >> 16),
					    (uint8_t)(lba >> 8), (uint8_t)lba, [13] = 1},
				    .cdb_len = 16,
				    .dir = SCSI_DATA_OUT,
				    .class = CMD_IDEMPOTENT,
				    .medium = true,
				    .data_len = 512};
}

static void lose(struct bench *bench, struct mpath_io *io)
{
	io->result = (struct scsi_result){.transport = TRANSPORT_LOST};
	step(bench, MPATH_END_IO, io);
}

static double ns_each(double begin, unsigned int nr)
{
	return (clock_ns() - begin) / nr;
}

/* Half of them on either path, which is lost with them; it is well again at once. */
static void lose_all(struct bench *bench, unsigned int nr)
{
	struct list *node;
	struct path *path;

	for (unsigned int i = 0; i < nr; i++)
		lose(bench, &bench->ios[i]);
	while ((node = list_pop(&bench->actions.start)))
		assert(!node);
	bench->m->actions = &bench->actions;
	for_each_path(bench->m, path)
		reinstate_path(bench->m, path);
}

static void answer_all(struct bench *bench)
{
	struct list *node;

	while ((node = list_pop(&bench->actions.start))) {
		struct mpath_io *io = container_of(node, struct mpath_io, node);

		io->result = (struct scsi_result){.transport = TRANSPORT_OK};
		step(bench, MPATH_END_IO, io);
		assert(!io->path);
	}
}

static void measure_lost(unsigned int nr)
{
	double lost, come, go, answers, begin;
	struct bench bench;
	struct path *path;

	new_bench(&bench, "round-robin", 2, 2 * nr);
	for_each_path(bench.m, path)
		path->depth = path->facts.queue_depth = 2 * nr;
	for (unsigned int i = 0; i < 2 * nr; i++)
		make_write(&bench.ios[i], i % nr * 1000);
	for (unsigned int i = 0; i < nr; i++) {
		step(&bench, MPATH_SUBMIT, &bench.ios[i]);
		list_del(&bench.ios[i].node);
	}
	begin = clock_ns();
	lose_all(&bench, nr);
	lost = ns_each(begin, nr);

	begin = clock_ns();
	for (unsigned int i = nr; i < 2 * nr; i++)
		step(&bench, MPATH_SUBMIT, &bench.ios[i]);
	come = ns_each(begin, nr);
	assert(queue_length(&bench.m->restarting) == nr);

	bench.event.now_ns += 3600 * NSEC_PER_SEC;
	begin = clock_ns();
	step(&bench, MPATH_TIMEOUT, NULL);
	go = ns_each(begin, nr);
	assert(queue_length(&bench.actions.start) == nr);

	begin = clock_ns();
	answer_all(&bench);
	answers = ns_each(begin, nr);
	printf("lost %u %.1f %.1f %.1f %.1f\n", nr, lost, come, go, answers);
	assert(!bench.m->nr_ios);
	free_bench(&bench);
}

static void measure_memory(unsigned int nr_paths)
{
	size_t before, map;
	struct multipath *m;

	printf("command %zu\n", sizeof(struct mpath_io)); /* takes the buffer of stdout */
	printf("hot-path %zu\n", PATH_HOT_BYTES);
	before = mallinfo2().uordblks;
	m = new_map("round-robin", nr_paths);
	map = mallinfo2().uordblks - before;
	printf("map %zu\n", map);
	mpath_destroy(m);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "run"))
		run(argv[2], (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]));
	else if (argc == 5 && !strcmp(argv[1], "touch"))
		touch(argv[2], (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]));
	else if (argc == 4 && !strcmp(argv[1], "time"))
		measure_time(argv[2], (unsigned int)atoi(argv[3]));
	else if (argc == 3 && !strcmp(argv[1], "held"))
		measure_held((unsigned int)atoi(argv[2]));
	else if (argc == 3 && !strcmp(argv[1], "lost"))
		measure_lost((unsigned int)atoi(argv[2]));
	else if (argc == 3 && !strcmp(argv[1], "memory"))
		measure_memory((unsigned int)atoi(argv[2]));
	else {
		fprintf(stderr,
			"usage: bench_core run WHAT PATHS PAIRS | time WHAT PATHS | "
			"held COMMANDS | lost COMMANDS | memory PATHS | touch WHAT PATHS PAIRS\n");
		return 2;
	}
	return 0;
}
