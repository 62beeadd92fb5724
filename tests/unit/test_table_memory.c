/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short memory: whichever allocation of a table fails, the caller gets -ENOMEM with words, and
 * nothing is leaked.  The sources are included here with an allocator that fails on demand.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int nr_live;
static unsigned int nr_calls;
static unsigned int fail_at; /* the call that fails, from 1; 0: none */

static void *count(void *memory)
{
	if (memory)
		nr_live++;
	return memory;
}

static void *test_malloc(size_t size)
{
	return ++nr_calls == fail_at ? NULL : count(malloc(size));
}

static void *test_calloc(size_t n, size_t size)
{
	return ++nr_calls == fail_at ? NULL : count(calloc(n, size));
}

static void *test_reallocarray(void *old, size_t n, size_t size)
{
	if (++nr_calls == fail_at)
		return NULL;
	return old ? reallocarray(old, n, size) : count(reallocarray(old, n, size));
}

static void test_free(void *memory)
{
	if (memory)
		nr_live--;
	free(memory);
}

#define malloc	     test_malloc
#define calloc	     test_calloc
#define reallocarray test_reallocarray
#define free	     test_free
#include "core/table.c"
#include "selectors/round_robin.c"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static const char two_groups[] = "0 0 2 1 round-robin 0 2 1 8:16 1 8:32 1 round-robin 0 1 0 8:48";

/* What the caller is told, call by call.  The order is the parser's and may change with it. */
static const char *const told_of_a_table[] = {
	"can't allocate multipath: out of memory",
	"couldn't split parameters: out of memory",
	"couldn't split parameters: out of memory",
	"couldn't allocate priority group: out of memory",
	"path selector constructor failed: word 5 is \"round-robin\", out of memory",
	"couldn't allocate paths: out of memory",
	"couldn't allocate paths: out of memory",
	"round-robin ps: Error allocating path context: word 10 is \"1\", out of memory",
	"round-robin ps: Error allocating path context: word 12 is \"1\", out of memory",
	"couldn't allocate priority group: out of memory",
	"path selector constructor failed: word 13 is \"round-robin\", out of memory",
	"couldn't allocate paths: out of memory",
	"couldn't allocate paths: out of memory",
	"round-robin ps: Error allocating path context: word 17 is \"8:48\", out of memory",
};

/* A list of paths is made a table's text, which is then read. */
static const char *const told_of_a_list[] = {
	"can't allocate multipath: out of memory",
	"can't allocate multipath: out of memory",
	"couldn't split parameters: out of memory",
	"couldn't split parameters: out of memory",
	"couldn't allocate priority group: out of memory",
	"path selector constructor failed: word 5 is \"round-robin\", out of memory",
	"couldn't allocate paths: out of memory",
	"couldn't allocate paths: out of memory",
	"round-robin ps: Error allocating path context: word 10 is \"1\", out of memory",
	"couldn't allocate priority group: out of memory",
	"path selector constructor failed: word 11 is \"round-robin\", out of memory",
	"couldn't allocate paths: out of memory",
	"couldn't allocate paths: out of memory",
	"round-robin ps: Error allocating path context: word 16 is \"1\", out of memory",
};

static int read_table(struct mpath_table **table, struct strbuf *error)
{
	return mpath_table_parse(two_groups, table, error);
}

static int read_list(struct mpath_table **table, struct strbuf *error)
{
	const char *const paths[] = {"/dev/sda", "/dev/sdb"};

	return mpath_table_from_paths(paths, 2, "failover", "round-robin", NULL, table, error);
}

static void test_each_allocation_may_fail(int (*read)(struct mpath_table **, struct strbuf *),
					  const char *const *expected, unsigned int nr_expected)
{
	struct mpath_table *table;
	struct strbuf error;
	char text[200];

	for (unsigned int i = 0; i < nr_expected; i++) {
		strbuf_init(&error, text, sizeof(text));
		nr_calls = 0;
		fail_at = i + 1;
		assert(read(&table, &error) == -ENOMEM);
		assert(!table && nr_live == 0);
		if (strcmp(text, expected[i]))
			fprintf(stderr, "got:      %s\nexpected: %s\n", text, expected[i]);
		assert(!strcmp(text, expected[i]));
	}

	/* That were all of them. */
	nr_calls = 0;
	fail_at = nr_expected + 1;
	assert(read(&table, &error) == 0);
	assert(nr_calls == nr_expected);
	mpath_table_free(table);
	assert(nr_live == 0);
}

/* The trial of a selector leaves nothing behind, also when a word is refused. */
static void test_a_refused_table_leaves_nothing(void)
{
	struct mpath_table *table;
	struct strbuf error;
	char text[200];

	fail_at = 0;
	strbuf_init(&error, text, sizeof(text));
	assert(mpath_table_parse("0 0 1 1 round-robin 0 2 1 8:16 1 8:32 x", &table, &error) ==
	       -EINVAL);
	assert(!table && nr_live == 0);
	assert(mpath_table_parse("0 0 1 1 round-robin 0 2 1 8:16 1", &table, &error) == -EINVAL);
	assert(!table && nr_live == 0);
}

int main(void)
{
	test_each_allocation_may_fail(read_table, told_of_a_table, NR(told_of_a_table));
	test_each_allocation_may_fail(read_list, told_of_a_list, NR(told_of_a_list));
	test_a_refused_table_leaves_nothing();
	return 0;
}
