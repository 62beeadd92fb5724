/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same choices as dm, ties included: each selector beside a model that does what dm does, which
 * is to walk a list, keep the better one, and move it to the tail.  Random commands, answers,
 * failures and returns, on 1 to 70 paths.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/lib/group.h"

#define PATHS_MAX    70
#define COMMANDS_MAX 400
#define STEPS	     500

struct model_path {
	uint64_t in_flight, bytes;
	unsigned int throughput;
	uint64_t service_time, stale_after;
	bool failed;
};

struct command {
	unsigned int id;
	size_t nr_bytes;
	uint64_t start_ns;
};

struct model {
	const char *selector;
	/* Does dm's comparison prefer @a, which comes later in the list? */
	bool (*better)(const struct model *model, const struct model_path *a,
		       const struct model_path *b, size_t nr_bytes);
	uint64_t threshold;

	struct group g;
	struct model_path paths[PATHS_MAX];
	unsigned int order[PATHS_MAX]; /* the valid ones, the head first */
	unsigned int nr_valid;
	struct command commands[COMMANDS_MAX];
	unsigned int nr_commands;
	uint64_t random;
};

static unsigned int random_below(struct model *model, unsigned int limit)
{
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return (unsigned int)(model->random % limit);
}

/* --- dm's comparisons, each as its sign says --- */

static bool ql_better(const struct model *model, const struct model_path *a,
		      const struct model_path *b, size_t nr_bytes)
{
	(void)model;
	(void)nr_bytes;
	return a->in_flight < b->in_flight;
}

static bool st_better(const struct model *model, const struct model_path *a,
		      const struct model_path *b, size_t nr_bytes)
{
	uint64_t time_a = (a->bytes + nr_bytes) * b->throughput;
	uint64_t time_b = (b->bytes + nr_bytes) * a->throughput;

	(void)model;
	if (a->throughput == b->throughput)
		return a->bytes < b->bytes;
	if (a->bytes == b->bytes || !a->throughput || !b->throughput || time_a == time_b)
		return a->throughput > b->throughput;
	return time_a < time_b;
}

static bool hst_better(const struct model *model, const struct model_path *a,
		       const struct model_path *b, size_t nr_bytes)
{
	uint64_t high = a->service_time > b->service_time ? a->service_time : b->service_time;
	uint64_t low = a->service_time > b->service_time ? b->service_time : a->service_time;
	uint64_t now = model->g.now_ns;
	int64_t difference = (int64_t)a->in_flight - (int64_t)b->in_flight;

	(void)nr_bytes;
	if (high <= model->threshold * low)
		return difference < 0;
	if ((!a->in_flight && a->stale_after < now) || (!b->in_flight && b->stale_after < now) ||
	    (!a->in_flight && !b->in_flight))
		return (int64_t)(!b->in_flight * a->stale_after) <
		       (int64_t)(!a->in_flight * b->stale_after);
	if ((1 + a->in_flight) * a->service_time > (1 + b->in_flight) * b->service_time)
		return b->stale_after < now ? difference < 0 : false;
	return a->stale_after < now ? difference < 0 : true;
}

/* --- the list --- */

static void take_out(struct model *model, unsigned int id)
{
	unsigned int from, to = 0;

	for (from = 0; from < model->nr_valid; from++)
		if (model->order[from] != id)
			model->order[to++] = model->order[from];
	assert(to + 1 == model->nr_valid);
	model->nr_valid = to;
}

static void put_last(struct model *model, unsigned int id)
{
	model->order[model->nr_valid++] = id;
}

static int model_select(struct model *model, size_t nr_bytes)
{
	const struct model_path *best = NULL;
	unsigned int i, id = 0;

	for (i = 0; i < model->nr_valid; i++) {
		const struct model_path *path = &model->paths[model->order[i]];

		if (best && !model->better(model, path, best, nr_bytes))
			continue;
		best = path;
		id = model->order[i];
	}
	if (!best)
		return -1;
	take_out(model, id);
	put_last(model, id);
	return (int)id;
}

/* Averages have a test of their own: here what the selector says is taken. */
static void read_service_times(struct model *model)
{
	unsigned int id;

	for (id = 0; id < model->g.nr_paths; id++) {
		struct model_path *path = &model->paths[id];
		struct strbuf out;
		char text[100];
		char *end;

		strbuf_init(&out, text, sizeof(text));
		model->g.ps.type->status(&model->g.ps, &model->g.paths[id], STATUS_INFO, &out);
		path->service_time = strtoull(text, &end, 10);
		assert(path->in_flight == strtoull(end, &end, 10));
		path->stale_after = strtoull(end, NULL, 10);
	}
}

/* --- what happens --- */

static void start(struct model *model, unsigned int id, size_t nr_bytes)
{
	group_start_on(&model->g, id, nr_bytes);
	model->paths[id].in_flight++;
	model->paths[id].bytes += nr_bytes;
	model->commands[model->nr_commands++] = (struct command){id, nr_bytes, model->g.now_ns};
}

static void choose_and_start(struct model *model)
{
	static const size_t sizes[] = {0, 512, 4096, 4096, 4096, 65536, 1 << 20};
	size_t nr_bytes = sizes[random_below(model, sizeof(sizes) / sizeof(sizes[0]))];
	int expected, got;

	if (model->nr_commands == COMMANDS_MAX)
		return;
	if (model->better == hst_better)
		read_service_times(model);
	expected = model_select(model, nr_bytes);
	got = group_select(&model->g, nr_bytes);
	if (got != expected) {
		printf("%s, %u paths: chose %d, dm %d\n", model->selector, model->g.nr_paths, got,
		       expected);
		assert(!"another choice than dm's");
	}
	/* Sometimes the chosen path is full, and the command goes elsewhere. */
	if (got >= 0)
		start(model,
		      random_below(model, 50) ? (unsigned int)got
					      : random_below(model, model->g.nr_paths),
		      nr_bytes);
}

/* Mostly the older ones. */
static void end(struct model *model)
{
	unsigned int nr = model->nr_commands;
	unsigned int i;
	struct command command;

	if (!nr)
		return;
	i = random_below(model, random_below(model, 4) && nr > 8 ? 8 : nr);
	command = model->commands[i];
	memmove(&model->commands[i], &model->commands[i + 1],
		(nr - i - 1) * sizeof(model->commands[0]));
	model->nr_commands--;
	model->paths[command.id].in_flight--;
	model->paths[command.id].bytes -= command.nr_bytes;
	group_end(&model->g, command.id, command.nr_bytes, command.start_ns);
}

static void fail_or_reinstate(struct model *model)
{
	unsigned int id = random_below(model, model->g.nr_paths);
	struct model_path *path = &model->paths[id];

	if (path->failed) {
		group_reinstate(&model->g, id);
		put_last(model, id);
	} else {
		group_fail(&model->g, id);
		take_out(model, id);
	}
	path->failed = !path->failed;
}

/* @fill: of ten events, how many start a command. */
static void live(struct model *model, unsigned int steps, unsigned int fill)
{
	while (steps--) {
		model->g.now_ns += random_below(model, 3000);
		if (!random_below(model, 40))
			fail_or_reinstate(model);
		else if (random_below(model, 10) < fill)
			choose_and_start(model);
		else
			end(model);
	}
}

static void compare(struct model *model, const char *group_words, unsigned int nr_paths,
		    uint64_t seed)
{
	bool has_throughput = model->better == st_better;
	char words[20];
	unsigned int id;

	memset(model->paths, 0, sizeof(model->paths));
	model->nr_valid = model->nr_commands = 0;
	model->random = seed * 0x9e3779b97f4a7c15u + 1;
	group_new(&model->g, model->selector, group_words);
	for (id = 0; id < nr_paths; id++) {
		unsigned int throughput = seed % 2 ? 1 : random_below(model, 5);

		snprintf(words, sizeof(words), has_throughput ? "1 %u" : "1", throughput);
		group_add_path(&model->g, words);
		model->paths[id].throughput = throughput;
		put_last(model, id);
	}
	live(model, STEPS, 7); /* until many are in flight */
	live(model, STEPS, 5);
	live(model, STEPS, 3); /* mostly idle */
	while (model->nr_commands)
		end(model);
	if (model->better == hst_better)
		read_service_times(model); /* F13: nothing in flight */
	group_free(&model->g);
}

static void compare_all_sizes(struct model *model, const char *group_words)
{
	static const unsigned int sizes[] = {1, 2, 3, 4, 5, 6, 8, 21, PATHS_MAX};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (uint64_t seed = 1; seed <= 4; seed++)
			compare(model, group_words, sizes[i], seed);
}

static struct model model;

int main(void)
{
	model = (struct model){.selector = "queue-length", .better = ql_better};
	compare_all_sizes(&model, "");
	model = (struct model){.selector = "service-time", .better = st_better};
	compare_all_sizes(&model, "");
	model = (struct model){.selector = "historical-service-time", .better = hst_better};
	compare_all_sizes(&model, "");
	compare_all_sizes(&model, "0");
	model.threshold = 1;
	compare_all_sizes(&model, "972 1");
	model.threshold = 3;
	compare_all_sizes(&model, "500 3");
	return 0;
}
