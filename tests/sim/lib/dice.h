/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dice of random worlds: one in an expression, as C does not say which of two is rolled first.
 *
 * What worlds learned later has dice of its own, and is not in all of them: so the worlds of the
 * seeds that are kept stay the same.
 */
#ifndef SIM_DICE_H
#define SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct world;

enum extra {
	NO_EXTRA,
	EXTRA_KEPT_BACK,
	EXTRA_STANDSTILL,
	EXTRA_DEFERRED,
	EXTRA_BUSY,
	EXTRA_COMMANDS,
	EXTRA_REFUSED, /* what EXTRA_KEPT_BACK keeps back, it does without a word */
	EXTRA_WORST_TIME,
	EXTRA_PIECES,
	EXTRA_KINDS,	  /* of commands, that EXTRA_COMMANDS does not have */
	EXTRA_RESTARTS,	  /* one after the other, and what they leave is old, or missing */
	EXTRA_HEARD,	  /* the kernel tells of what it has heard */
	EXTRA_SLOW_WORK,  /* to give up, or to close, takes a while */
	EXTRA_GROUPS,	  /* a controller tells of its own port group only */
	EXTRA_PAGES,	  /* of the LUN change */
	EXTRA_TABLES,	  /* another table, and other settings, take over */
	EXTRA_LATE_SENDS, /* the loop stands still between a step and what that asks for */
	EXTRA_ARRAY,	  /* the LUN grows; a reset aborts what others have sent */
	NR_EXTRAS
};

/* The world's of that seed, from their first roll on. */
void shake(uint64_t seed);
bool has_extra(enum extra extra);
/* So many times as often it happens: with MPATH_HOT most worlds have extras, and more of them. */
unsigned int heat(void);
/* Takes its dice, and says whose were in use. */
enum extra take_dice_of(enum extra extra);
/* If it has that: whatever @play meets rolls these dice, too. */
void with_dice_of(enum extra extra, struct world *w, void (*play)(struct world *w));

uint64_t roll(void);
unsigned int below(unsigned int n);
bool chance(unsigned int percent);

#endif
