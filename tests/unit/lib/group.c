/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "unit/lib/group.h"

#define WORDS_MAX 8

static int split(char *text, const char **argv)
{
	int argc = 0;
	char *word;

	for (word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		assert(argc < WORDS_MAX);
		argv[argc++] = word;
	}
	return argc;
}

int group_try_new(struct group *g, const char *selector, const char *words)
{
	const char *argv[WORDS_MAX];
	char text[200];
	int argc, err;

	*g = (struct group){.cpu = -1, .now_ns = 1};
	strcpy(text, words);
	argc = split(text, argv);
	g->ps.type = path_selector_find(selector);
	err = g->ps.type->create(&g->ps, argc, argv, &g->error);
	if (!err)
		g->paths = calloc(GROUP_PATHS_MAX, sizeof(*g->paths));
	return err;
}

void group_new(struct group *g, const char *selector, const char *words)
{
	assert(group_try_new(g, selector, words) == 0 && !g->error);
}

int group_try_add_path(struct group *g, const char *words)
{
	struct path *path = &g->paths[g->nr_paths];
	const char *argv[WORDS_MAX];
	char text[400];
	int argc, err;

	assert(g->nr_paths < GROUP_PATHS_MAX);
	strcpy(text, words);
	argc = split(text, argv);
	path->id = g->nr_paths;
	g->error = NULL;
	err = g->ps.type->add_path(&g->ps, path, argc, argv, &g->error);
	if (!err)
		g->nr_paths++;
	return err;
}

void group_add_path(struct group *g, const char *words)
{
	assert(group_try_add_path(g, words) == 0 && !g->error);
}

void group_free(struct group *g)
{
	g->ps.type->destroy(&g->ps);
	assert(!g->ps.context);
	free(g->paths);
}

void group_fail(struct group *g, unsigned int id)
{
	g->ps.type->fail_path(&g->ps, &g->paths[id]);
}

void group_reinstate(struct group *g, unsigned int id)
{
	g->ps.type->reinstate_path(&g->ps, &g->paths[id]);
}

int group_select(struct group *g, size_t nr_bytes)
{
	struct select_hint hint = {.now_ns = g->now_ns, .nr_bytes = nr_bytes, .cpu = g->cpu};
	struct path *path = g->ps.type->select_path(&g->ps, &hint);

	return path ? (int)path->id : -1;
}

void group_start_on(struct group *g, unsigned int id, size_t nr_bytes)
{
	if (g->ps.type->start_io)
		g->ps.type->start_io(&g->ps, &g->paths[id], nr_bytes, g->now_ns);
}

int group_start(struct group *g, size_t nr_bytes)
{
	int id = group_select(g, nr_bytes);

	if (id >= 0)
		group_start_on(g, (unsigned int)id, nr_bytes);
	return id;
}

void group_end(struct group *g, unsigned int id, size_t nr_bytes, uint64_t start_ns)
{
	if (g->ps.type->end_io)
		g->ps.type->end_io(&g->ps, &g->paths[id], nr_bytes, start_ns, g->now_ns);
}

void group_expect_starts(struct group *g, size_t nr_bytes, const char *ids)
{
	for (; *ids; ids++) {
		int id = group_start(g, nr_bytes);

		assert(id < 0 ? *ids == '-' : *ids == (char)('0' + id));
	}
}

void group_expect_status(struct group *g, int id, enum status_type type, const char *expected)
{
	struct strbuf out;
	char text[400];

	strbuf_init(&out, text, sizeof(text));
	g->ps.type->status(&g->ps, id < 0 ? NULL : &g->paths[id], type, &out);
	assert(!strcmp(text, expected));
}
