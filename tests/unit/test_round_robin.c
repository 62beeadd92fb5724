/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * round-robin, as dm's 1.2.0: everyone in turn, and who comes back is next.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/registry.h"

#define NR_PATHS 4

struct group {
	struct path_selector ps;
	struct path paths[NR_PATHS];
};

static const struct select_hint hint = {.cpu = -1};

static int add_path(struct group *g, unsigned int id, const char *word, const char **error)
{
	*error = NULL;
	g->paths[id].id = id;
	return g->ps.type->add_path(&g->ps, &g->paths[id], word ? 1 : 0, &word, error);
}

static void new_group(struct group *g, unsigned int nr_paths)
{
	const char *error = NULL;

	memset(g, 0, sizeof(*g));
	g->ps.type = path_selector_find("round-robin");
	assert(g->ps.type->create(&g->ps, 0, NULL, &error) == 0);
	for (unsigned int id = 0; id < nr_paths; id++)
		assert(add_path(g, id, NULL, &error) == 0 && !error);
}

static void free_group(struct group *g)
{
	g->ps.type->destroy(&g->ps);
}

static void fail(struct group *g, unsigned int id)
{
	g->ps.type->fail_path(&g->ps, &g->paths[id]);
}

static void reinstate(struct group *g, unsigned int id)
{
	g->ps.type->reinstate_path(&g->ps, &g->paths[id]);
}

/* The next commands go to these paths: "0120", and '-' is none. */
static void expect_turns(struct group *g, const char *turns)
{
	for (; *turns; turns++) {
		struct path *path = g->ps.type->select_path(&g->ps, &hint);

		assert(path ? (char)('0' + path->id) == *turns : *turns == '-');
	}
}

static void expect_status(struct group *g, struct path *path, enum status_type type,
			  const char *expected)
{
	struct strbuf out;
	char text[64];

	strbuf_init(&out, text, sizeof(text));
	g->ps.type->status(&g->ps, path, type, &out);
	assert(!strcmp(text, expected));
}

static void test_everyone_in_turn_in_table_order(void)
{
	struct group g;

	new_group(&g, 3);
	expect_turns(&g, "0120120");
	free_group(&g);
}

static void test_one_path_is_always_the_next(void)
{
	struct group g;

	new_group(&g, 1);
	expect_turns(&g, "000");
	fail(&g, 0);
	expect_turns(&g, "--");
	reinstate(&g, 0);
	expect_turns(&g, "00");
	free_group(&g);
}

static void test_a_group_without_paths_has_none(void)
{
	struct group g;

	new_group(&g, 0);
	expect_turns(&g, "-");
	free_group(&g);
}

static void test_a_failed_path_is_left_out(void)
{
	struct group g;

	new_group(&g, 4);
	expect_turns(&g, "0");
	fail(&g, 2); /* a path in the middle */
	expect_turns(&g, "13013");
	fail(&g, 0); /* the path whose turn it is */
	expect_turns(&g, "1313");
	fail(&g, 3); /* the path that was used last */
	expect_turns(&g, "11");
	fail(&g, 1);
	expect_turns(&g, "-");
	free_group(&g);
}

/* F15: dm puts it at the head of its list. */
static void test_a_path_that_comes_back_is_next_and_nobody_loses_a_turn(void)
{
	struct group g;

	new_group(&g, 4);
	fail(&g, 1);
	expect_turns(&g, "0230");
	reinstate(&g, 1);
	expect_turns(&g, "1230123");
	free_group(&g);
}

static void test_of_two_that_come_back_the_later_one_is_first(void)
{
	struct group g;

	new_group(&g, 4);
	fail(&g, 1);
	fail(&g, 3);
	expect_turns(&g, "02");
	reinstate(&g, 1);
	reinstate(&g, 3);
	expect_turns(&g, "31023102");
	free_group(&g);
}

static void test_all_down_and_back(void)
{
	struct group g;

	new_group(&g, 3);
	for (unsigned int id = 0; id < 3; id++)
		fail(&g, id);
	expect_turns(&g, "-");
	for (unsigned int id = 0; id < 3; id++)
		reinstate(&g, id);
	expect_turns(&g, "210210");
	free_group(&g);
}

static void test_status_words(void)
{
	const char *error;
	struct group g;

	new_group(&g, 0);
	assert(add_path(&g, 0, NULL, &error) == 0);
	assert(add_path(&g, 1, "1", &error) == 0 && !error);
	assert(add_path(&g, 2, "0", &error) == 0 && !error);
	expect_status(&g, NULL, STATUS_INFO, "0 ");
	expect_status(&g, NULL, STATUS_TABLE, "0 ");
	expect_status(&g, &g.paths[0], STATUS_INFO, "");
	expect_status(&g, &g.paths[0], STATUS_TABLE, "1 ");
	expect_status(&g, &g.paths[1], STATUS_TABLE, "1 ");
	expect_status(&g, &g.paths[2], STATUS_TABLE, "0 "); /* dm keeps it, too */
	assert(g.ps.type->table_args == 1 && g.ps.type->info_args == 0);
	free_group(&g);
}

static void test_more_than_one_command_per_turn_is_taken_as_one_with_a_warning(void)
{
	const char *error;
	struct group g;

	new_group(&g, 0);
	assert(add_path(&g, 0, "1000", &error) == 0);
	assert(!strcmp(error, "round-robin ps: repeat_count > 1 is deprecated, using 1 instead"));
	assert(add_path(&g, 1, "4294967295", &error) == 0);
	assert(!strcmp(error, "round-robin ps: repeat_count > 1 is deprecated, using 1 instead"));
	expect_status(&g, &g.paths[0], STATUS_TABLE, "1 ");
	expect_turns(&g, "0101");
	free_group(&g);
}

static void test_bad_words_are_refused(void)
{
	static const char *const bad[] = {"", "x", "1x", "-1", "+1", "0x1", "1 ", "4294967296"};
	const char *const two[] = {"1", "1"};
	const char *error;
	struct group g;

	new_group(&g, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert(add_path(&g, 1, bad[i], &error) == -EINVAL);
		assert(!strcmp(error, "round-robin ps: invalid repeat count"));
	}
	error = NULL;
	assert(g.ps.type->add_path(&g.ps, &g.paths[1], 2, two, &error) == -EINVAL);
	assert(!strcmp(error, "round-robin ps: incorrect number of arguments"));

	/* What was refused takes no turns. */
	expect_turns(&g, "00");
	free_group(&g);
}

static void test_words_for_the_group_are_ignored_as_in_dm(void)
{
	const char *const words[] = {"7", "x"};
	const char *error = NULL;
	struct path_selector ps = {.type = path_selector_find("round-robin")};

	assert(ps.type->create(&ps, 2, words, &error) == 0 && !error);
	ps.type->destroy(&ps);
}

/* Freed whole, whatever its paths were doing: the leak sanitizer looks. */
static void test_destroy_with_failed_and_valid_paths(void)
{
	struct group g;

	new_group(&g, 4);
	fail(&g, 0);
	fail(&g, 2);
	free_group(&g);
	assert(!g.ps.context);
}

int main(void)
{
	test_everyone_in_turn_in_table_order();
	test_one_path_is_always_the_next();
	test_a_group_without_paths_has_none();
	test_a_failed_path_is_left_out();
	test_a_path_that_comes_back_is_next_and_nobody_loses_a_turn();
	test_of_two_that_come_back_the_later_one_is_first();
	test_all_down_and_back();
	test_status_words();
	test_more_than_one_command_per_turn_is_taken_as_one_with_a_warning();
	test_bad_words_are_refused();
	test_words_for_the_group_are_ignored_as_in_dm();
	test_destroy_with_failed_and_valid_paths();
	return 0;
}
