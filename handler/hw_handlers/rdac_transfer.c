/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LUNs that one controller is to take over at the same time.
 *
 * When a controller dies, each of its LUNs is to be moved by the map that it belongs to, and the
 * array moves one request's LUNs at a time.  The first map asks at once, for its LUN alone; those
 * that come while it is answered wait, and the first of them that looks asks for all of them.  So
 * nobody waits for others to come, and n LUNs take about two requests.
 *
 * A LUN's number means that LUN only to who asks through the same initiator port and target port
 * (the I_T nexus), so these are what requests are collected for.
 *
 * Maps do not share a thread, and the core does not block: here are only words that are exchanged.
 * Each LUN's is its map's to set, but LUN_ASKED, which the leader sets and takes back; and the map
 * may leave at any time.  A nexus is its users': when the last one leaves, all LUNs are idle again.
 */
#include "hw_handlers/rdac_transfer.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

/* Paths through others wait for the array's command lock, as each does that is alone. */
#define NR_NEXUSES 32

enum lun_state { LUN_IDLE, LUN_WANTED, LUN_ASKED, LUN_MOVED, LUN_REFUSED };

struct rdac_nexus {
	_Atomic uint64_t key; /* whose it is, and the number of users; without any it is free */
	_Atomic bool led;
	_Atomic uint8_t luns[RDAC_NR_LUNS]; /* enum lun_state */
};

/* Of 64 bits; 48 are the nexus, and one the form of the page. */
#define USERS_BITS 15
#define USERS_MASK ((1ull << USERS_BITS) - 1)

static struct rdac_nexus nexuses[NR_NEXUSES];

static uint64_t key_of(uint64_t number, bool expanded)
{
	return (number << 1 | expanded) << USERS_BITS;
}

/* As one more of its users; or, where it is free, as the first. */
static bool use(struct rdac_nexus *nexus, uint64_t key, bool if_free)
{
	uint64_t now = atomic_load(&nexus->key);

	for (;;) {
		uint64_t users = now & USERS_MASK;

		if (users ? now - users != key || users == USERS_MASK : !if_free)
			return false;
		if (atomic_compare_exchange_weak(&nexus->key, &now, key + users + 1))
			return true;
	}
}

/*
 * The first free place is one that others of the nexus may have found at the same moment.  If not,
 * for a place before it has become free just then, they ask one after the other.
 */
static struct rdac_nexus *find_nexus(uint64_t key)
{
	for (int if_free = 0; if_free < 2; if_free++)
		for (size_t i = 0; i < NR_NEXUSES; i++)
			if (use(&nexuses[i], key, if_free))
				return &nexuses[i];
	return NULL;
}

void rdac_transfer_begin(struct rdac_transfer *transfer, uint64_t number, bool expanded,
			 uint8_t lun)
{
	*transfer = (struct rdac_transfer){.wanted = true, .lun = lun};
	if (number)
		transfer->nexus = find_nexus(key_of(number, expanded));
	if (transfer->nexus)
		atomic_store(&transfer->nexus->luns[lun], LUN_WANTED);
}

/* From one state to another, if it was that one. */
static bool turn_into(struct rdac_nexus *nexus, size_t lun, uint8_t from, uint8_t to)
{
	return atomic_compare_exchange_strong(&nexus->luns[lun], &from, to);
}

bool rdac_transfer_has(const struct rdac_transfer *transfer, uint8_t lun)
{
	return lun == transfer->lun ||
	       (transfer->nexus && atomic_load(&transfer->nexus->luns[lun]) == LUN_ASKED);
}

/* Those that were asked for before still are, if their maps have not left since. */
static void collect(struct rdac_transfer *transfer)
{
	transfer->shared = false;
	for (size_t lun = 0; lun < RDAC_NR_LUNS; lun++) {
		turn_into(transfer->nexus, lun, LUN_WANTED, LUN_ASKED);
		if (lun != transfer->lun && rdac_transfer_has(transfer, (uint8_t)lun))
			transfer->shared = true;
	}
}

static enum rdac_turn lead(struct rdac_transfer *transfer)
{
	transfer->leads = true;
	if (transfer->nexus)
		collect(transfer);
	return RDAC_LEADS;
}

enum rdac_turn rdac_transfer_turn(struct rdac_transfer *transfer)
{
	struct rdac_nexus *nexus = transfer->nexus;
	bool led = false;

	if (transfer->leads || !nexus)
		return lead(transfer);
	switch (atomic_load(&nexus->luns[transfer->lun])) {
	case LUN_MOVED:
		return RDAC_MOVED;
	case LUN_REFUSED:
		return RDAC_REFUSED;
	}
	/* While it is asked for somebody leads.  Also where another map has the same LUN, and has
	 * left. */
	return atomic_compare_exchange_strong(&nexus->led, &led, true) ? lead(transfer)
								       : RDAC_WAITS;
}

static void tell(struct rdac_transfer *transfer, enum rdac_turn turn)
{
	uint8_t state = turn == RDAC_MOVED     ? LUN_MOVED
			: turn == RDAC_REFUSED ? LUN_REFUSED
					       : LUN_WANTED;

	for (size_t lun = 0; lun < RDAC_NR_LUNS; lun++)
		turn_into(transfer->nexus, lun, LUN_ASKED, state);
}

void rdac_transfer_end(struct rdac_transfer *transfer, enum rdac_turn turn)
{
	struct rdac_nexus *nexus = transfer->nexus;

	if (nexus) {
		if (transfer->leads)
			tell(transfer, turn);
		atomic_store(&nexus->luns[transfer->lun], LUN_IDLE);
		if (transfer->leads)
			atomic_store(&nexus->led, false);
		atomic_fetch_sub(&nexus->key, 1);
	}
	memset(transfer, 0, sizeof(*transfer));
}
