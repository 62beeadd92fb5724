/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ranking of paths, least loaded first: a heap in which who has become heavier keeps its place
 * until it comes up.
 *
 * dm's selectors walk a list, take the first of the least loaded, and move it to the tail.  So the
 * order among equals is the order of their last turns, and a turn is a number that only grows:
 * (load, turn) says the same as dm's list, and its least can be found without a walk.
 *
 * A command makes its path heavier, an answer makes it lighter, and both happen at any place.  Who
 * gets heavier does nothing: ranking_first() puts right whom it finds in front, until the first is
 * what it seems.  Who gets lighter rises at once.  So most commands cost one way down the heap.
 */
#ifndef MPATH_RANKING_H
#define MPATH_RANKING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct rank {
	uint64_t load;
	uint64_t turn;
};

/* Embedded in the selector's path. */
struct ranked {
	struct rank rank;   /* the true one */
	unsigned int place; /* NOT_RANKED while it is in no ranking */
};

#define NOT_RANKED ((unsigned int)-1)

struct ranking_place {
	struct rank rank; /* what it was when it was put here: the true one or before it */
	struct ranked *who;
};

/* Children of place i are at RANKING_ARITY * i + 1 and on: four of them are in two cache lines. */
#define RANKING_ARITY 4

struct ranking {
	struct ranking_place *places; /* owned */
	unsigned int nr;
	unsigned int size;
};

static inline bool rank_before(const struct rank *a, const struct rank *b)
{
	return a->load != b->load ? a->load < b->load : a->turn < b->turn;
}

/* Room for @size of them.  False: out of memory. */
static inline bool ranking_reserve(struct ranking *r, unsigned int size)
{
	struct ranking_place *places;

	if (size <= r->size)
		return true;
	places = reallocarray(r->places, size, sizeof(*places));
	if (!places)
		return false;
	r->places = places;
	r->size = size;
	return true;
}

static inline void ranking_put(struct ranking *r, unsigned int at, struct ranking_place place)
{
	r->places[at] = place;
	place.who->place = at;
}

static inline void ranking_rise(struct ranking *r, unsigned int at, struct ranking_place place)
{
	while (at) {
		unsigned int parent = (at - 1) / RANKING_ARITY;

		if (!rank_before(&place.rank, &r->places[parent].rank))
			break;
		ranking_put(r, at, r->places[parent]);
		at = parent;
	}
	ranking_put(r, at, place);
}

static inline void ranking_sink(struct ranking *r, unsigned int at, struct ranking_place place)
{
	unsigned int first, end, least, i;

	while ((first = RANKING_ARITY * at + 1) < r->nr) {
		end = first + RANKING_ARITY < r->nr ? first + RANKING_ARITY : r->nr;
		least = first;
		for (i = first + 1; i < end; i++)
			if (rank_before(&r->places[i].rank, &r->places[least].rank))
				least = i;
		if (!rank_before(&r->places[least].rank, &place.rank))
			break;
		ranking_put(r, at, r->places[least]);
		at = least;
	}
	ranking_put(r, at, place);
}

static inline void ranking_insert(struct ranking *r, struct ranked *who)
{
	ranking_rise(r, r->nr++, (struct ranking_place){.rank = who->rank, .who = who});
}

static inline void ranking_remove(struct ranking *r, struct ranked *who)
{
	unsigned int at = who->place;
	struct ranking_place last = r->places[--r->nr];

	who->place = NOT_RANKED;
	if (last.who == who)
		return;
	if (rank_before(&last.rank, &r->places[at].rank))
		ranking_rise(r, at, last);
	else
		ranking_sink(r, at, last);
}

/* After @who has become lighter; who has become heavier needs no call. */
static inline void ranking_lighter(struct ranking *r, struct ranked *who)
{
	if (who->place != NOT_RANKED && rank_before(&who->rank, &r->places[who->place].rank))
		ranking_rise(r, who->place, (struct ranking_place){.rank = who->rank, .who = who});
}

/* The least loaded, of equals the one whose turn is the longest ago; NULL: there is none. */
static inline struct ranked *ranking_first(struct ranking *r)
{
	struct ranked *who;

	if (!r->nr)
		return NULL;
	while (who = r->places[0].who, rank_before(&r->places[0].rank, &who->rank))
		ranking_sink(r, 0, (struct ranking_place){.rank = who->rank, .who = who});
	return who;
}

#endif
