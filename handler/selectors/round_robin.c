/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * round-robin path selector
 *
 * Each command takes the next path in turn.  A path that comes back is the next one to be used,
 * so it proves itself at once; nobody else loses a turn.
 *
 * Table arguments per path:	[<repeat_count>], 1 if not given; more than 1 is taken as 1
 * Status words per path:	none
 *
 * This is dm's round-robin 1.2.0.  Its list of valid paths, where the head is taken and moved to
 * the tail, is kept as a ring without a head: then a turn is one step of a pointer.
 */
#include <errno.h>
#include <stdlib.h>

#include "mpath/number.h"
#include "mpath/path_selector.h"

struct round_robin {
	struct list *next; /* the ring of valid paths, at the one whose turn it is; NULL: none */
	struct list failed;
};

struct rr_path {
	struct list node; /* in the ring or on failed */
	struct path *path;
	unsigned int repeat_count;
};

/* Last in turn: dm's tail. */
static void ring_append(struct round_robin *rr, struct list *node)
{
	if (rr->next)
		list_push_back(rr->next, node);
	else
		rr->next = node;
}

static void ring_remove(struct round_robin *rr, struct list *node)
{
	if (rr->next == node)
		rr->next = list_empty(node) ? NULL : node->next;
	list_del(node);
}

static int rr_create(struct path_selector *ps, int argc, const char *const *argv,
		     const char **error)
{
	struct round_robin *rr = calloc(1, sizeof(*rr));

	/* dm takes any words here and uses none. */
	(void)argc;
	(void)argv;

	if (!rr) {
		*error = "out of memory";
		return -ENOMEM;
	}
	list_init(&rr->failed);
	ps->context = rr;
	return 0;
}

static void rr_destroy(struct path_selector *ps)
{
	struct round_robin *rr = ps->context;
	struct list *node;

	while (rr->next) {
		node = rr->next;
		ring_remove(rr, node);
		free(container_of(node, struct rr_path, node));
	}
	while ((node = list_pop(&rr->failed)))
		free(container_of(node, struct rr_path, node));

	free(rr);
	ps->context = NULL;
}

static int rr_add_path(struct path_selector *ps, struct path *path, int argc,
		       const char *const *argv, const char **error)
{
	uint64_t repeat_count = 1;
	struct rr_path *rp;

	if (argc > 1) {
		*error = "round-robin ps: incorrect number of arguments";
		return -EINVAL;
	}
	if (argc == 1 && !parse_number(argv[0], UINT32_MAX, &repeat_count)) {
		*error = "round-robin ps: invalid repeat count";
		return -EINVAL;
	}
	if (repeat_count > 1) {
		*error = "round-robin ps: repeat_count > 1 is deprecated, using 1 instead";
		repeat_count = 1;
	}

	rp = calloc(1, sizeof(*rp));
	if (!rp) {
		*error = "round-robin ps: Error allocating path context";
		return -ENOMEM;
	}
	list_init(&rp->node);
	rp->path = path;
	rp->repeat_count = (unsigned int)repeat_count;
	path->selector_data = rp;
	ring_append(ps->context, &rp->node);
	return 0;
}

static void rr_fail_path(struct path_selector *ps, struct path *path)
{
	struct round_robin *rr = ps->context;
	struct rr_path *rp = path->selector_data;

	ring_remove(rr, &rp->node);
	list_push_front(&rr->failed, &rp->node);
}

static void rr_reinstate_path(struct path_selector *ps, struct path *path)
{
	struct round_robin *rr = ps->context;
	struct rr_path *rp = path->selector_data;

	list_del(&rp->node);
	ring_append(rr, &rp->node);
	rr->next = &rp->node; /* last in turn, and now the turn is its: dm's head */
}

static struct path *rr_select_path(struct path_selector *ps, const struct select_hint *hint)
{
	struct round_robin *rr = ps->context;
	struct list *node = rr->next;

	(void)hint;

	if (!node)
		return NULL;
	rr->next = node->next;
	return container_of(node, struct rr_path, node)->path;
}

static void rr_status(struct path_selector *ps, struct path *path, enum status_type type,
		      struct strbuf *out)
{
	struct rr_path *rp;

	(void)ps;

	if (!path) {
		strbuf_printf(out, "0 ");
		return;
	}
	rp = path->selector_data;
	switch (type) {
	case STATUS_INFO:
		return;
	case STATUS_TABLE:
		strbuf_printf(out, "%u ", rp->repeat_count);
		return;
	}
}

const struct path_selector_type round_robin_selector = {
	.name = "round-robin",
	.table_args = 1,
	.info_args = 0,
	.create = rr_create,
	.destroy = rr_destroy,
	.add_path = rr_add_path,
	.fail_path = rr_fail_path,
	.reinstate_path = rr_reinstate_path,
	.select_path = rr_select_path,
	.status = rr_status,
};
