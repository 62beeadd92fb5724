/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue-length path selector
 *
 * Sends each command down the path with the fewest commands in flight.  Ties go to the path that
 * was used longest ago, so idle paths take turns.
 *
 * Table arguments per path:	[<repeat_count>], 1 if not given; more than 1 is taken as 1
 * Status words per path:	<in-flight>
 *
 * This is dm's queue-length 0.2.0.
 */
#include <errno.h>
#include <stdlib.h>

#include "mpath/number.h"
#include "mpath/path_selector.h"
#include "selectors/ranking.h"

struct queue_length {
	struct ranking valid; /* load: commands in flight */
	struct list paths;    /* all */
	unsigned int nr_paths;
};

struct ql_path {
	struct ranked ranked;
	struct path *path;
	unsigned int repeat_count;
	struct list node;
};

static int ql_create(struct path_selector *ps, int argc, const char *const *argv,
		     const char **error)
{
	struct queue_length *ql = calloc(1, sizeof(*ql));

	/* dm takes any words here and uses none. */
	(void)argc;
	(void)argv;

	if (!ql) {
		*error = "out of memory";
		return -ENOMEM;
	}
	ranking_init(&ql->valid);
	list_init(&ql->paths);
	ps->context = ql;
	return 0;
}

static void ql_destroy(struct path_selector *ps)
{
	struct queue_length *ql = ps->context;
	struct list *node;

	while ((node = list_pop(&ql->paths)))
		free(container_of(node, struct ql_path, node));
	free(ql->valid.places);
	free(ql);
	ps->context = NULL;
}

static int ql_add_path(struct path_selector *ps, struct path *path, int argc,
		       const char *const *argv, const char **error)
{
	struct queue_length *ql = ps->context;
	uint64_t repeat_count = 1;
	struct ql_path *qp;

	if (argc > 1) {
		*error = "queue-length ps: incorrect number of arguments";
		return -EINVAL;
	}
	if (argc == 1 && !parse_number(argv[0], UINT32_MAX, &repeat_count)) {
		*error = "queue-length ps: invalid repeat count";
		return -EINVAL;
	}
	if (repeat_count > 1) {
		*error = "queue-length ps: repeat_count > 1 is deprecated, using 1 instead";
		repeat_count = 1;
	}

	qp = calloc(1, sizeof(*qp));
	if (!qp || !ranking_reserve(&ql->valid, ql->nr_paths + 1)) {
		free(qp);
		*error = "queue-length ps: Error allocating path information";
		return -ENOMEM;
	}
	list_init(&qp->ranked.node);
	qp->path = path;
	qp->repeat_count = (unsigned int)repeat_count;
	path->selector_data = qp;
	list_push_back(&ql->paths, &qp->node);
	ql->nr_paths++;
	ranking_insert(&ql->valid, &qp->ranked);
	return 0;
}

static void ql_fail_path(struct path_selector *ps, struct path *path)
{
	struct queue_length *ql = ps->context;
	struct ql_path *qp = path->selector_data;

	ranking_remove(&ql->valid, &qp->ranked);
}

static void ql_reinstate_path(struct path_selector *ps, struct path *path)
{
	struct queue_length *ql = ps->context;
	struct ql_path *qp = path->selector_data;

	ranking_insert(&ql->valid, &qp->ranked);
}

static struct path *ql_select_path(struct path_selector *ps, const struct select_hint *hint)
{
	struct queue_length *ql = ps->context;
	struct ranked *first = ranking_first(&ql->valid);

	(void)hint;

	if (!first)
		return NULL;
	ranking_take_last_turn(&ql->valid, first);
	return container_of(first, struct ql_path, ranked)->path;
}

static void ql_start_io(struct path_selector *ps, struct path *path, size_t nr_bytes,
			uint64_t now_ns)
{
	struct ql_path *qp = path->selector_data;

	(void)ps;
	(void)nr_bytes;
	(void)now_ns;

	qp->ranked.rank += RANK_LOAD(1);
}

static void ql_end_io(struct path_selector *ps, struct path *path, size_t nr_bytes,
		      uint64_t start_ns, uint64_t now_ns)
{
	struct queue_length *ql = ps->context;
	struct ql_path *qp = path->selector_data;

	(void)nr_bytes;
	(void)start_ns;
	(void)now_ns;

	qp->ranked.rank -= RANK_LOAD(1);
	ranking_lighter(&ql->valid, &qp->ranked);
}

static void ql_status(struct path_selector *ps, struct path *path, enum status_type type,
		      struct strbuf *out)
{
	struct ql_path *qp;

	(void)ps;

	if (!path) {
		strbuf_printf(out, "0 ");
		return;
	}
	qp = path->selector_data;
	switch (type) {
	case STATUS_INFO:
		strbuf_printf(out, "%llu ", (unsigned long long)ranked_load(&qp->ranked));
		return;
	case STATUS_TABLE:
		strbuf_printf(out, "%u ", qp->repeat_count);
		return;
	}
}

const struct path_selector_type queue_length_selector = {
	.name = "queue-length",
	.table_args = 1,
	.info_args = 1,
	.create = ql_create,
	.destroy = ql_destroy,
	.add_path = ql_add_path,
	.fail_path = ql_fail_path,
	.reinstate_path = ql_reinstate_path,
	.select_path = ql_select_path,
	.start_io = ql_start_io,
	.end_io = ql_end_io,
	.status = ql_status,
};
