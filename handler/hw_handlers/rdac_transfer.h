/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LUNs that one controller is to take over at the same time, in one MODE SELECT, as scsi_dh_rdac
 * collects them (rdac_transfer.c).
 *
 * The LUNs are of different maps, so of different threads: all of this may be called from any
 * thread, and none of it waits for another.  Who finds a request on its way asks again later.
 */
#ifndef MPATH_RDAC_TRANSFER_H
#define MPATH_RDAC_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#define RDAC_NR_LUNS 256

struct rdac_nexus;

/* A LUN that is to be moved.  All zero: it is not. */
struct rdac_transfer {
	struct rdac_nexus *nexus; /* NULL: for itself alone */
	bool wanted;
	bool leads;  /* its path asks for all */
	bool shared; /* of who leads: others' LUNs, too */
	uint8_t lun;
};

enum rdac_turn {
	RDAC_LEADS,   /* ask for what it has */
	RDAC_WAITS,   /* another does, perhaps for us: ask again */
	RDAC_MOVED,   /* another has moved our LUN */
	RDAC_REFUSED, /* what was asked for together was refused */
};

/*
 * The LUN @lun of path_facts.nexus @number is to be moved.  With 0 for the nexus, or where more are
 * busy than there is room for, it is moved for itself.  @expanded, as the page has it: LUNs are
 * told together that fit into the same page.
 */
void rdac_transfer_begin(struct rdac_transfer *transfer, uint64_t number, bool expanded,
			 uint8_t lun);

/* Whose turn is it?  Of who leads it adds those that have come since. */
enum rdac_turn rdac_transfer_turn(struct rdac_transfer *transfer);

/* Of who leads: is @lun to be moved? */
bool rdac_transfer_has(const struct rdac_transfer *transfer, uint8_t lun);

/*
 * It is over, for whatever reason; nothing if it was not begun.  @turn is what others hear whose
 * LUNs were asked for, too: RDAC_MOVED, RDAC_REFUSED, or RDAC_WAITS if one of them has to ask.
 */
void rdac_transfer_end(struct rdac_transfer *transfer, enum rdac_turn turn);

#endif
