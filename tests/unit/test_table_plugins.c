/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables and plug-ins that this version does not have: a hardware handler, and a selector that
 * refuses its words.  The table's source is included here with a registry of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/registry.h"

/* It likes any two words, but for "bad". */
static bool fake_set_params(struct hw_handler *hh, int argc, const char *const *argv,
			    const char **expected)
{
	(void)hh;

	*expected = "expected two good words";
	return argc == 2 && strcmp(argv[1], "bad") != 0;
}

static const struct hw_handler_type fake_handler = {.name = "fake", .set_params = fake_set_params};
static const struct hw_handler_type plain_handler = {.name = "plain"};

static int picky_create(struct path_selector *ps, int argc, const char *const *argv,
			const char **error)
{
	(void)ps;
	(void)argv;

	*error = "picky ps: I do not like words";
	return argc ? -EINVAL : 0;
}

static void picky_destroy(struct path_selector *ps)
{
	(void)ps;
}

/* A warning for each path, named by its word. */
static int picky_add_path(struct path_selector *ps, struct path *path, int argc,
			  const char *const *argv, const char **error)
{
	static const char *const warnings[] = {"a", "b", "c", "d", "e", "f"};

	(void)ps;
	(void)path;

	if (argc != 1)
		return 0;
	*error = warnings[argv[0][0] - 'a'];
	return 0;
}

static const struct path_selector_type picky_selector = {
	.name = "picky",
	.create = picky_create,
	.destroy = picky_destroy,
	.add_path = picky_add_path,
};

static const struct hw_handler_type *find_handler(const char *name)
{
	return name[0] == 'f' ? &fake_handler : !strcmp(name, "plain") ? &plain_handler : NULL;
}

static const struct path_selector_type *find_selector(const char *name)
{
	return name[0] == 'p' ? &picky_selector : NULL;
}

#define hw_handler_find	   find_handler
#define path_selector_find find_selector
#include "core/table.c"

static char error_text[400];

static struct mpath_table *parse_text(const char *text)
{
	struct mpath_table *table;
	struct strbuf error;

	strbuf_init(&error, error_text, sizeof(error_text));
	mpath_table_parse(text, &table, &error);
	return table;
}

static void test_a_hardware_handler_gets_its_words(void)
{
	struct mpath_table *t = parse_text("0 3 fake one two 1 1 picky 0 1 0 8:16");

	assert(t && t->hw_handler == &fake_handler && t->hw_argc == 2);
	assert(!strcmp(t->hw_argv[0], "one") && !strcmp(t->hw_argv[1], "two"));
	assert(t->nr_groups == 1);
	mpath_table_free(t);

	t = parse_text("0 1 fake 0 0");
	assert(t && t->hw_handler == &fake_handler && t->hw_argc == 0);
	mpath_table_free(t);

	t = parse_text("2 queue_mode bio 1 fake 0 0");
	assert(t && !t->hw_handler && t->nr_warnings == 1);
	mpath_table_free(t);
}

/* dm's text; with dm's order: the words are looked at when there is a path for them. */
static void test_words_that_a_hardware_handler_refuses(void)
{
	struct mpath_table *t;

	assert(!parse_text("0 3 fake one bad 1 1 picky 0 1 0 8:16"));
	assert(!strcmp(error_text, "unable to set hardware handler parameters: word 4 is \"one\", "
				   "expected two good words"));
	assert(!parse_text("0 2 plain one 1 1 picky 0 1 0 8:16"));
	assert(!strcmp(error_text, "unable to set hardware handler parameters: word 4 is \"one\", "
				   "expected no word behind its name"));
	assert(!parse_text("0 3 fake one bad 1 1 picky 0 1 0 nowhere"));
	assert(!strncmp(error_text, "error getting device", 20));

	t = parse_text("0 3 fake one bad 0 0");
	assert(t && t->hw_argc == 2);
	mpath_table_free(t);
	t = parse_text("0 1 plain 1 1 picky 0 1 0 8:16");
	assert(t && t->hw_argc == 0);
	mpath_table_free(t);
}

static void test_a_selector_may_refuse_its_words(void)
{
	assert(!parse_text("0 0 1 1 picky 1 word 1 0 8:16"));
	assert(!strcmp(error_text, "path selector constructor failed: word 5 is \"picky\", "
				   "picky ps: I do not like words"));
	assert(!parse_text("0 0 2 1 picky 0 1 0 8:16 picky 2 a b 1 0 8:16"));
	assert(!strcmp(error_text, "path selector constructor failed: word 10 is \"picky\", "
				   "picky ps: I do not like words"));
}

/* The table keeps a few kinds of warnings; what is beyond that is dropped, not overwritten. */
static void test_many_kinds_of_warnings(void)
{
	struct mpath_table *t =
		parse_text("0 0 1 1 picky 0 6 1 8:0 a 8:0 b 8:0 b 8:0 c 8:0 d 8:0 e");

	assert(t && t->nr_warnings == TABLE_WARNINGS_MAX);
	assert(!strcmp(t->warnings[0], "a: word 10 is \"a\""));
	assert(!strcmp(t->warnings[1], "b: word 12 is \"b\""));
	assert(!strcmp(t->warnings[3], "d: word 18 is \"d\""));
	mpath_table_free(t);
}

int main(void)
{
	test_a_hardware_handler_gets_its_words();
	test_words_that_a_hardware_handler_refuses();
	test_a_selector_may_refuse_its_words();
	test_many_kinds_of_warnings();
	return 0;
}
