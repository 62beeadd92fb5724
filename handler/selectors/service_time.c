/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service-time path selector
 *
 * Sends each command down the path that would be through with it first: by the bytes in flight
 * there, the command's own included, and the throughput that the table gives the path.
 *
 * Table arguments per path:	[<repeat_count> [<relative_throughput>]]; 1 and 1 if not given.
 *				repeat_count: more than 1 is taken as 1.  relative_throughput:
 *				0..100; with 0 the path is used only when all others have failed
 *				or have 0, too
 * Status words per path:	<bytes in flight> <relative_throughput>
 *
 * This is dm's service-time 0.3.0, but for two things: dm keeps the bytes in 31 bits, and takes
 * the sign of a difference from its lower 32.  A difference of 2 GiB then points the wrong way;
 * with a throughput of 100, 21 MB in flight are enough for that.
 */
#include <errno.h>
#include <stdlib.h>

#include "mpath/number.h"
#include "mpath/path_selector.h"
#include "selectors/ranking.h"

#define THROUGHPUT_MAX	 100
#define THROUGHPUT_SHIFT 7 /* a multiplication by THROUGHPUT_MAX takes no more bits */
#define IN_FLIGHT_MAX	 (UINT64_MAX >> THROUGHPUT_SHIFT)

/*
 * Paths of one throughput.  Among them the bytes alone decide; of paths with different throughputs
 * one is always better.  So only the first of each class need be compared with the others.
 */
struct st_class {
	struct list node;
	unsigned int throughput;
	unsigned int nr_paths;
	struct ranking valid; /* load: bytes in flight */
};

struct service_time {
	struct list classes;
	struct list paths; /* all */
};

struct st_path {
	struct ranked ranked;
	struct path *path;
	struct st_class *class;
	unsigned int repeat_count;
	struct list node;
};

static int st_create(struct path_selector *ps, int argc, const char *const *argv,
		     const char **error)
{
	struct service_time *st = calloc(1, sizeof(*st));

	/* dm takes any words here and uses none. */
	(void)argc;
	(void)argv;

	if (!st) {
		*error = "out of memory";
		return -ENOMEM;
	}
	list_init(&st->classes);
	list_init(&st->paths);
	ps->context = st;
	return 0;
}

static void st_destroy(struct path_selector *ps)
{
	struct service_time *st = ps->context;
	struct list *node;

	while ((node = list_pop(&st->paths)))
		free(container_of(node, struct st_path, node));
	while ((node = list_pop(&st->classes))) {
		struct st_class *class = container_of(node, struct st_class, node);

		free(class->valid.places);
		free(class);
	}
	free(st);
	ps->context = NULL;
}

/* NULL: out of memory. */
static struct st_class *st_class_of(struct service_time *st, unsigned int throughput)
{
	struct st_class *class;

	list_for_each_entry(class, &st->classes, node)
		if (class->throughput == throughput)
			return class;
	class = calloc(1, sizeof(*class));
	if (!class)
		return NULL;
	class->throughput = throughput;
	ranking_init(&class->valid);
	list_push_back(&st->classes, &class->node);
	return class;
}

static int st_parse(int argc, const char *const *argv, uint64_t *repeat_count, uint64_t *throughput,
		    const char **error)
{
	if (argc > 2) {
		*error = "service-time ps: incorrect number of arguments";
		return -EINVAL;
	}
	if (argc && !parse_number(argv[0], UINT32_MAX, repeat_count)) {
		*error = "service-time ps: invalid repeat count";
		return -EINVAL;
	}
	if (*repeat_count > 1) {
		*error = "service-time ps: repeat_count > 1 is deprecated, using 1 instead";
		*repeat_count = 1;
	}
	if (argc == 2 && !parse_number(argv[1], THROUGHPUT_MAX, throughput)) {
		*error = "service-time ps: invalid relative_throughput value";
		return -EINVAL;
	}
	return 0;
}

static int st_add_path(struct path_selector *ps, struct path *path, int argc,
		       const char *const *argv, const char **error)
{
	uint64_t repeat_count = 1, throughput = 1;
	struct service_time *st = ps->context;
	struct st_class *class;
	struct st_path *sp;
	int err = st_parse(argc, argv, &repeat_count, &throughput, error);

	if (err)
		return err;
	class = st_class_of(st, (unsigned int)throughput);
	sp = calloc(1, sizeof(*sp));
	if (!class || !sp || !ranking_reserve(&class->valid, class->nr_paths + 1)) {
		free(sp);
		*error = "service-time ps: Error allocating path context";
		return -ENOMEM;
	}
	list_init(&sp->ranked.node);
	sp->path = path;
	sp->class = class;
	sp->repeat_count = (unsigned int)repeat_count;
	path->selector_data = sp;
	list_push_back(&st->paths, &sp->node);
	class->nr_paths++;
	ranking_insert(&class->valid, &sp->ranked);
	return 0;
}

static void st_fail_path(struct path_selector *ps, struct path *path)
{
	struct st_path *sp = path->selector_data;

	(void)ps;

	ranking_remove(&sp->class->valid, &sp->ranked);
}

static void st_reinstate_path(struct path_selector *ps, struct path *path)
{
	struct st_path *sp = path->selector_data;

	(void)ps;

	ranking_insert(&sp->class->valid, &sp->ranked);
}

/* Of two paths with different throughputs: would @a be through with @nr_bytes more before @b? */
static bool st_faster(const struct st_path *a, const struct st_path *b, size_t nr_bytes)
{
	unsigned int throughput_a = a->class->throughput, throughput_b = b->class->throughput;
	uint64_t bytes_a = ranked_load(&a->ranked), bytes_b = ranked_load(&b->ranked);

	if (bytes_a == bytes_b || !throughput_a || !throughput_b)
		return throughput_a > throughput_b;

	bytes_a += nr_bytes;
	bytes_b += nr_bytes;
	if (bytes_a >= IN_FLIGHT_MAX || bytes_b >= IN_FLIGHT_MAX) {
		bytes_a >>= THROUGHPUT_SHIFT;
		bytes_b >>= THROUGHPUT_SHIFT;
	}
	/* bytes_a / throughput_a < bytes_b / throughput_b, without a division */
	bytes_a *= throughput_b;
	bytes_b *= throughput_a;
	return bytes_a != bytes_b ? bytes_a < bytes_b : throughput_a > throughput_b;
}

static struct path *st_select_path(struct path_selector *ps, const struct select_hint *hint)
{
	struct service_time *st = ps->context;
	struct st_path *best = NULL;
	struct st_class *class;

	list_for_each_entry(class, &st->classes, node) {
		struct ranked *first = ranking_first(&class->valid);
		struct st_path *sp;

		if (!first)
			continue;
		sp = container_of(first, struct st_path, ranked);
		if (!best || st_faster(sp, best, hint->nr_bytes))
			best = sp;
	}
	if (!best)
		return NULL;
	ranking_take_last_turn(&best->class->valid, &best->ranked);
	return best->path;
}

static void st_start_io(struct path_selector *ps, struct path *path, size_t nr_bytes,
			uint64_t now_ns)
{
	struct st_path *sp = path->selector_data;

	(void)ps;
	(void)now_ns;

	sp->ranked.rank += RANK_LOAD(nr_bytes);
}

static void st_end_io(struct path_selector *ps, struct path *path, size_t nr_bytes,
		      uint64_t start_ns, uint64_t now_ns)
{
	struct st_path *sp = path->selector_data;

	(void)ps;
	(void)start_ns;
	(void)now_ns;

	sp->ranked.rank -= RANK_LOAD(nr_bytes);
	ranking_lighter(&sp->class->valid, &sp->ranked);
}

static void st_status(struct path_selector *ps, struct path *path, enum status_type type,
		      struct strbuf *out)
{
	struct st_path *sp;

	(void)ps;

	if (!path) {
		strbuf_printf(out, "0 ");
		return;
	}
	sp = path->selector_data;
	switch (type) {
	case STATUS_INFO:
		strbuf_printf(out, "%llu %u ", (unsigned long long)ranked_load(&sp->ranked),
			      sp->class->throughput);
		return;
	case STATUS_TABLE:
		strbuf_printf(out, "%u %u ", sp->repeat_count, sp->class->throughput);
		return;
	}
}

const struct path_selector_type service_time_selector = {
	.name = "service-time",
	.table_args = 2,
	.info_args = 2,
	.create = st_create,
	.destroy = st_destroy,
	.add_path = st_add_path,
	.fail_path = st_fail_path,
	.reinstate_path = st_reinstate_path,
	.select_path = st_select_path,
	.start_io = st_start_io,
	.end_io = st_end_io,
	.status = st_status,
};
