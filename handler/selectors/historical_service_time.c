/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * historical-service-time path selector
 *
 * Sends each command down the path that has been answering fastest lately, weighed by the commands
 * in flight there.  A path that has not answered for long is tried again by one command if it is
 * idle; if it is in use it gets no more commands than the others have.
 *
 * Table arguments of the group:	[<base_weight> [<threshold_multiplier>]], 972 and 0 if not
 *					given.  base_weight: 0..1023, how much of the past counts
 *					after 17 ms, in 1/1024.  threshold_multiplier: service
 *					times up to so many times longer count as equal; then the
 *					commands in flight decide alone.  0 and 1: only equal ones
 * Table arguments per path:		[<repeat_count>], which is not used
 * Status words per path:		<service time in ns/1024> <in flight> <stale after, in ns>
 *
 * This is dm's historical-service-time 0.1.1, to the bit of its fixed point, with one clock where
 * dm has two.
 */
#include <errno.h>
#include <stdlib.h>

#include "mpath/number.h"
#include "mpath/path_selector.h"

/* Service times and weights are fixed point, with 1024 for 1. */
#define FIXED_SHIFT 10
#define FIXED_1	    (1u << FIXED_SHIFT)
#define FIXED_MAX   (UINT64_MAX >> FIXED_SHIFT)
#define BASE_WEIGHT 972 /* 0.95 */
/* From so many commands in flight on, service times are taken without their fraction. */
#define IN_FLIGHT_MANY FIXED_1

/* The weight of the past shrinks in steps of 2^24 ns, and after the last of them it is nothing. */
#define WEIGHT_STEP_SHIFT 24
#define NR_WEIGHTS	  64

struct historical_service_time {
	struct list valid; /* in dm's order: who was used last is the last */
	struct list failed;
	unsigned int nr_valid;
	unsigned int threshold;
	uint32_t weights[NR_WEIGHTS]; /* [i]: base_weight ^ (i + 1); the last is 0 */
};

struct hst_path {
	struct list node;
	struct path *path;
	uint64_t service_time;
	uint64_t stale_after_ns;
	uint64_t last_finish_ns;
	uint32_t in_flight;
};

/* --- Fixed point --- */

static uint64_t fixed_round(uint64_t product)
{
	return (product + FIXED_1 / 2) >> FIXED_SHIFT;
}

/* By squaring, as dm does: multiplying one by one would round to other weights. */
static uint32_t fixed_power(uint64_t base, unsigned int exponent)
{
	uint64_t power = FIXED_1;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			power = fixed_round(power * base);
		base = fixed_round(base * base);
	}
	return (uint32_t)power;
}

static uint64_t weigh(uint64_t past, uint64_t now, uint32_t weight_of_past)
{
	return fixed_round(past * weight_of_past + now * (FIXED_1 - weight_of_past));
}

/* --- Group and paths --- */

static int hst_parse(int argc, const char *const *argv, uint64_t *base_weight, uint64_t *threshold,
		     const char **error)
{
	if (argc > 2) {
		*error = "historical-service-time ps: expected at most base_weight and "
			 "threshold_multiplier";
		return -EINVAL;
	}
	if (argc && !parse_number(argv[0], FIXED_1 - 1, base_weight)) {
		*error = "historical-service-time ps: expected a base_weight from 0 to 1023";
		return -EINVAL;
	}
	if (argc == 2 && !parse_number(argv[1], UINT32_MAX, threshold)) {
		*error = "historical-service-time ps: expected a number as threshold_multiplier";
		return -EINVAL;
	}
	return 0;
}

static int hst_create(struct path_selector *ps, int argc, const char *const *argv,
		      const char **error)
{
	uint64_t base_weight = BASE_WEIGHT, threshold = 0;
	struct historical_service_time *hst;
	int err = hst_parse(argc, argv, &base_weight, &threshold, error);

	if (err)
		return err;
	hst = calloc(1, sizeof(*hst));
	if (!hst) {
		*error = "out of memory";
		return -ENOMEM;
	}
	list_init(&hst->valid);
	list_init(&hst->failed);
	hst->threshold = (unsigned int)threshold;
	for (unsigned int i = 0; i < NR_WEIGHTS - 1; i++)
		hst->weights[i] = fixed_power(base_weight, i + 1);
	ps->context = hst;
	return 0;
}

static void hst_free_paths(struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths)))
		free(container_of(node, struct hst_path, node));
}

static void hst_destroy(struct path_selector *ps)
{
	struct historical_service_time *hst = ps->context;

	hst_free_paths(&hst->valid);
	hst_free_paths(&hst->failed);
	free(hst);
	ps->context = NULL;
}

static int hst_add_path(struct path_selector *ps, struct path *path, int argc,
			const char *const *argv, const char **error)
{
	struct historical_service_time *hst = ps->context;
	uint64_t repeat_count;
	struct hst_path *hp;

	if (argc > 1) {
		*error = "historical-service-time ps: incorrect number of arguments";
		return -EINVAL;
	}
	if (argc == 1 && !parse_number(argv[0], UINT32_MAX, &repeat_count)) {
		*error = "historical-service-time ps: invalid repeat count";
		return -EINVAL;
	}

	hp = calloc(1, sizeof(*hp));
	if (!hp) {
		*error = "historical-service-time ps: Error allocating path context";
		return -ENOMEM;
	}
	hp->path = path;
	hp->service_time = FIXED_1;
	path->selector_data = hp;
	list_push_back(&hst->valid, &hp->node);
	hst->nr_valid++;
	return 0;
}

static void hst_fail_path(struct path_selector *ps, struct path *path)
{
	struct historical_service_time *hst = ps->context;
	struct hst_path *hp = path->selector_data;

	list_del(&hp->node);
	list_push_front(&hst->failed, &hp->node);
	hst->nr_valid--;
}

static void hst_reinstate_path(struct path_selector *ps, struct path *path)
{
	struct historical_service_time *hst = ps->context;
	struct hst_path *hp = path->selector_data;

	list_del(&hp->node);
	list_push_back(&hst->valid, &hp->node);
	hst->nr_valid++;
}

/* --- The choice --- */

static bool hst_alike(const struct historical_service_time *hst, const struct hst_path *a,
		      const struct hst_path *b)
{
	if (a->service_time > b->service_time)
		return a->service_time <= hst->threshold * b->service_time;
	return b->service_time <= hst->threshold * a->service_time;
}

static bool is_stale(const struct hst_path *hp, uint64_t now_ns)
{
	return hp->stale_after_ns < now_ns;
}

static bool is_idle(const struct hst_path *hp)
{
	return !hp->in_flight;
}

/* Would @a take longer for one command more?  Not if both would take the same time. */
static bool hst_slower(const struct hst_path *a, const struct hst_path *b)
{
	uint64_t time_a = a->service_time, time_b = b->service_time;

	if (a->in_flight == b->in_flight)
		return time_a > time_b;
	/* The products then have room below 2^20 in flight, however slow the paths are. */
	if (a->in_flight >= IN_FLIGHT_MANY || b->in_flight >= IN_FLIGHT_MANY) {
		time_a >>= FIXED_SHIFT;
		time_b >>= FIXED_SHIFT;
	}
	return (1 + (uint64_t)a->in_flight) * time_a > (1 + (uint64_t)b->in_flight) * time_b;
}

/* Does @hp, which comes later in the list, take the place of @best? */
static bool hst_better(const struct historical_service_time *hst, const struct hst_path *hp,
		       const struct hst_path *best, uint64_t now_ns)
{
	bool fewer = hp->in_flight < best->in_flight;

	if (hst_alike(hst, hp, best))
		return fewer;
	if (is_idle(hp) && is_idle(best))
		return hp->stale_after_ns < best->stale_after_ns;
	if (is_idle(hp) && is_stale(hp, now_ns))
		return best->stale_after_ns > 0; /* who has never answered keeps its place in dm */
	if (is_idle(best) && is_stale(best, now_ns))
		return false;
	/* Who wins but is stale gets as many commands as the other, and not more. */
	if (hst_slower(hp, best))
		return is_stale(best, now_ns) && fewer;
	return !is_stale(hp, now_ns) || fewer;
}

static struct path *hst_select_path(struct path_selector *ps, const struct select_hint *hint)
{
	struct historical_service_time *hst = ps->context;
	struct hst_path *best = NULL;
	struct hst_path *hp;

	list_for_each_entry(hp, &hst->valid, node)
		if (!best || hst_better(hst, hp, best, hint->now_ns))
			best = hp;
	if (!best)
		return NULL;
	list_del(&best->node);
	list_push_back(&hst->valid, &best->node);
	return best->path;
}

/* --- Commands --- */

static void hst_start_io(struct path_selector *ps, struct path *path, size_t nr_bytes,
			 uint64_t now_ns)
{
	struct hst_path *hp = path->selector_data;

	(void)ps;
	(void)nr_bytes;
	(void)now_ns;

	hp->in_flight++;
}

/* As if the path did one command at a time: one that waited behind another was not served then. */
static uint64_t hst_service_ns(const struct hst_path *hp, uint64_t start_ns, uint64_t now_ns)
{
	if (start_ns < hp->last_finish_ns)
		start_ns = hp->last_finish_ns;
	return now_ns < start_ns ? 0 : now_ns - start_ns;
}

static void hst_end_io(struct path_selector *ps, struct path *path, size_t nr_bytes,
		       uint64_t start_ns, uint64_t now_ns)
{
	struct historical_service_time *hst = ps->context;
	struct hst_path *hp = path->selector_data;
	uint64_t service_ns = hst_service_ns(hp, start_ns, now_ns);
	uint64_t step = service_ns >> WEIGHT_STEP_SHIFT;
	uint64_t now = service_ns > FIXED_MAX >> FIXED_SHIFT ? FIXED_MAX : service_ns * FIXED_1;

	(void)nr_bytes;

	hp->in_flight--;
	hp->last_finish_ns = now_ns;
	hp->service_time = weigh(hp->service_time, now,
				 hst->weights[step < NR_WEIGHTS ? step : NR_WEIGHTS - 1]);
	hp->stale_after_ns = now_ns + hst->nr_valid * (hp->service_time >> FIXED_SHIFT);
}

static void hst_status(struct path_selector *ps, struct path *path, enum status_type type,
		       struct strbuf *out)
{
	struct historical_service_time *hst = ps->context;
	struct hst_path *hp;

	if (!path) {
		/* The first weight is the base itself. */
		strbuf_printf(out, "2 %u %u ", hst->weights[0], hst->threshold);
		return;
	}
	hp = path->selector_data;
	switch (type) {
	case STATUS_INFO:
		strbuf_printf(out, "%llu %u %llu ", (unsigned long long)hp->service_time,
			      hp->in_flight, (unsigned long long)hp->stale_after_ns);
		return;
	case STATUS_TABLE:
		strbuf_printf(out, "0 ");
		return;
	}
}

const struct path_selector_type historical_service_time_selector = {
	.name = "historical-service-time",
	.table_args = 1,
	.info_args = 3,
	.create = hst_create,
	.destroy = hst_destroy,
	.add_path = hst_add_path,
	.fail_path = hst_fail_path,
	.reinstate_path = hst_reinstate_path,
	.select_path = hst_select_path,
	.start_io = hst_start_io,
	.end_io = hst_end_io,
	.status = hst_status,
};
