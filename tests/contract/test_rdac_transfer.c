/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LUNs of one controller, each lost by a map of its own again and again, on threads of their own:
 * who is told that his LUN was moved is told the truth, and everybody is told.
 */
#include "hw_handlers/rdac_transfer.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define NEXUS	  7
#define NR_MAPS	  4
#define NR_LOSSES 2000
#define SEVERAL	  5 /* of that many requests one is refused, and one is lost */

static atomic_uint nr_moves[NR_MAPS]; /* of each LUN, by whomsoever */
static atomic_uint nr_requests, nr_together;
static atomic_bool array_is_asked;

/* The array: nobody else asks it at the same time, since all ask through one nexus. */
static bool ask_array(const struct rdac_transfer *transfer)
{
	unsigned int nr = atomic_fetch_add(&nr_requests, 1);
	bool was_asked = atomic_exchange(&array_is_asked, true);

	assert(!was_asked && rdac_transfer_has(transfer, transfer->lun));
	atomic_fetch_add(&nr_together, transfer->shared);
	sched_yield();
	for (unsigned int lun = 0; nr % SEVERAL > 1 && lun < NR_MAPS; lun++)
		if (rdac_transfer_has(transfer, (uint8_t)lun))
			atomic_fetch_add(&nr_moves[lun], 1);
	atomic_store(&array_is_asked, false);
	return nr % SEVERAL > 1;
}

/* One request of the map; true: its LUN was moved. */
static bool try_to_move(struct rdac_transfer *transfer)
{
	static atomic_uint nr_lost;
	bool moved;

	for (;;) {
		switch (rdac_transfer_turn(transfer)) {
		case RDAC_LEADS:
			moved = ask_array(transfer);
			rdac_transfer_end(transfer, moved ? RDAC_MOVED
						    : atomic_fetch_add(&nr_lost, 1) % 2
							    ? RDAC_REFUSED
							    : RDAC_WAITS);
			return moved;
		case RDAC_WAITS:
			sched_yield();
			break;
		case RDAC_MOVED:
			rdac_transfer_end(transfer, RDAC_WAITS);
			return true;
		case RDAC_REFUSED:
			rdac_transfer_end(transfer, RDAC_WAITS);
			return false;
		}
	}
}

static void *map_thread(void *arg)
{
	atomic_uint *moves = arg;
	uint8_t lun = (uint8_t)(moves - nr_moves);
	struct rdac_transfer transfer;

	for (unsigned int i = 0; i < NR_LOSSES; i++) {
		unsigned int before = atomic_load(moves);

		do
			rdac_transfer_begin(&transfer, NEXUS, true, lun);
		while (!try_to_move(&transfer));
		assert(atomic_load(moves) > before);
		if (i % 7 == 0) { /* and one that gives up */
			rdac_transfer_begin(&transfer, NEXUS, true, lun);
			rdac_transfer_end(&transfer, RDAC_WAITS);
		}
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[NR_MAPS];
	struct rdac_transfer last;

	for (unsigned int i = 0; i < NR_MAPS; i++)
		assert(pthread_create(&threads[i], NULL, map_thread, &nr_moves[i]) == 0);
	for (unsigned int i = 0; i < NR_MAPS; i++)
		pthread_join(threads[i], NULL);
	assert(atomic_load(&nr_together) > 0);

	/* Nothing is left of it. */
	rdac_transfer_begin(&last, NEXUS, true, NR_MAPS);
	assert(rdac_transfer_turn(&last) == RDAC_LEADS && !last.shared);
	rdac_transfer_end(&last, RDAC_MOVED);
	return 0;
}
