/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ranking of paths, least loaded first, of equals the one whose turn is the longest ago.
 *
 * dm's selectors walk a list, keep the least loaded, and move it to the tail.  This has the same
 * list, so it makes the same choices, and finds them without the walk:
 *  - An idle path can have nobody before it but those whose turn is longer ago.  With more paths
 *    than commands these are few, so the first few of the list are looked at.
 *  - Else a heap knows.  Turns are numbers that only grow, so (load, turn) says the same as the
 * list.
 *
 * A command makes its path heavier, an answer makes it lighter, and both happen at any place.  Who
 * gets heavier, or has had its turn, keeps its place in the heap until it comes up: ranking_first()
 * puts right whom it finds in front, until the first is what it seems.  Who gets lighter rises at
 * once.
 */
#ifndef MPATH_RANKING_H
#define MPATH_RANKING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "mpath/list.h"

/* Load and turn in one number, so that a comparison needs no branch. */
typedef unsigned __int128 rank_t;

#define RANK_LOAD(load) ((rank_t)(load) << 64)

/* Embedded in the selector's path.  To change the load, add or take off RANK_LOAD(). */
struct ranked {
	struct list node;   /* in ranking.turns */
	rank_t rank;	    /* the true one */
	unsigned int place; /* NOT_RANKED while it is in no ranking */
};

#define NOT_RANKED ((unsigned int)-1)

struct ranking_place {
	rank_t rank; /* what it was when it was put here: the true one or before it */
	struct ranked *who;
};

/* The children of place i are at RANKING_ARITY * i + 1 and on. */
#define RANKING_ARITY 4

/* So many paths are looked at for an idle one: about what the heap costs. */
#define RANKING_LOOKS 12

struct ranking {
	struct ranking_place *places; /* owned */
	unsigned int nr;
	unsigned int size;
	struct list turns; /* ranked.node: the longest ago first */
	uint64_t nr_turns;
};

static inline void ranking_init(struct ranking *r)
{
	*r = (struct ranking){0};
	list_init(&r->turns);
}

static inline uint64_t ranked_load(const struct ranked *who)
{
	return (uint64_t)(who->rank >> 64);
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

static inline void ranking_put(struct ranking *r, unsigned int at, rank_t rank, struct ranked *who)
{
	r->places[at] = (struct ranking_place){rank, who};
	who->place = at;
}

static inline void ranking_rise(struct ranking *r, unsigned int at, rank_t rank, struct ranked *who)
{
	while (at) {
		unsigned int parent = (at - 1) / RANKING_ARITY;

		if (rank >= r->places[parent].rank)
			break;
		ranking_put(r, at, r->places[parent].rank, r->places[parent].who);
		at = parent;
	}
	ranking_put(r, at, rank, who);
}

static inline void ranking_sink(struct ranking *r, unsigned int at, rank_t rank, struct ranked *who)
{
	unsigned int first, end, least, i;

	while ((first = RANKING_ARITY * at + 1) < r->nr) {
		end = first + RANKING_ARITY < r->nr ? first + RANKING_ARITY : r->nr;
		least = first;
		for (i = first + 1; i < end; i++)
			least = r->places[i].rank < r->places[least].rank ? i : least;
		if (rank <= r->places[least].rank)
			break;
		ranking_put(r, at, r->places[least].rank, r->places[least].who);
		at = least;
	}
	ranking_put(r, at, rank, who);
}

/* Last in turn: dm's tail. */
static inline void ranking_take_last_turn(struct ranking *r, struct ranked *who)
{
	who->rank = RANK_LOAD(ranked_load(who)) | ++r->nr_turns;
	list_del(&who->node);
	list_push_back(&r->turns, &who->node);
}

/* @who.node is on no list. */
static inline void ranking_insert(struct ranking *r, struct ranked *who)
{
	ranking_take_last_turn(r, who);
	ranking_rise(r, r->nr++, who->rank, who);
}

static inline void ranking_remove(struct ranking *r, struct ranked *who)
{
	unsigned int at = who->place;
	struct ranking_place last = r->places[--r->nr];

	list_del(&who->node);
	who->place = NOT_RANKED;
	if (last.who == who)
		return;
	if (last.rank < r->places[at].rank)
		ranking_rise(r, at, last.rank, last.who);
	else
		ranking_sink(r, at, last.rank, last.who);
}

/* After @who has become lighter; who has become heavier needs no call. */
static inline void ranking_lighter(struct ranking *r, struct ranked *who)
{
	if (who->place != NOT_RANKED && who->rank < r->places[who->place].rank)
		ranking_rise(r, who->place, who->rank, who);
}

/* NULL: not one of the first few is idle. */
static inline struct ranked *ranking_first_idle(struct ranking *r)
{
	struct list *node = r->turns.next;

	for (int looks = 0; looks < RANKING_LOOKS && node != &r->turns;
	     looks++, node = node->next) {
		struct ranked *who = container_of(node, struct ranked, node);

		if (!ranked_load(who))
			return who;
	}
	return NULL;
}

/* NULL: there is none. */
static inline struct ranked *ranking_first(struct ranking *r)
{
	struct ranked *who;

	if (!r->nr)
		return NULL;
	/* Nobody is lighter than the heap's first was: without an idle one there, there is none. */
	who = r->places[0].rank < RANK_LOAD(1) ? ranking_first_idle(r) : NULL;
	if (who)
		return who;
	while (who = r->places[0].who, r->places[0].rank < who->rank)
		ranking_sink(r, 0, who->rank, who);
	return who;
}

#endif
