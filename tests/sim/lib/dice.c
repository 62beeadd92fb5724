/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/lib/dice.h"

#include <stdlib.h>
#include <string.h>

static uint64_t dice[NR_EXTRAS];
static enum extra hand; /* whose turn it is */
static bool has[NR_EXTRAS];

uint64_t roll(void)
{
	uint64_t z = dice[hand] += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

unsigned int below(unsigned int n)
{
	return (unsigned int)(roll() % n);
}

bool chance(unsigned int percent)
{
	return below(100) < percent;
}

/*
 * No seed that was kept before there were extras leaves such a remainder; nor, of the later
 * kinds, one that was kept before there were these.
 */
static bool may_have(enum extra extra, uint64_t seed)
{
	static const uint8_t first[] = {1, 2, 6, 9, 11, 12, 14, 15, 17, 21, 24, 26, 27, 28, 30};
	static const uint8_t later[] = {3,  5,	7,  8,	9,  13, 17, 18, 19, 21,
					24, 25, 26, 27, 29, 34, 35, 39, 42, 44};
	static const uint8_t last[] = {0,  1,  4,  5,  7,  8,  9,  10, 13, 17, 19, 23, 24,
				       25, 26, 27, 32, 33, 35, 36, 37, 43, 45, 46, 51};
	static const uint8_t newest[] = {1,  3,	 4,  5,	 6,  7,	 8,  12, 13, 14, 15, 16,
					 18, 19, 20, 21, 29, 30, 31, 34, 35, 37, 38, 40,
					 42, 45, 47, 48, 50, 51, 53, 54, 58, 60};

	if (extra < EXTRA_WORST_TIME)
		return memchr(first, (int)(seed % 31), sizeof(first)) != NULL;
	if (extra < EXTRA_RESTARTS)
		return memchr(later, (int)(seed % 47), sizeof(later)) != NULL;
	if (extra < EXTRA_TABLES)
		return memchr(last, (int)(seed % 53), sizeof(last)) != NULL;
	return memchr(newest, (int)(seed % 61), sizeof(newest)) != NULL;
}

static bool is_hot(void)
{
	return getenv("MPATH_HOT") != NULL;
}

unsigned int heat(void)
{
	return is_hot() ? 2 : 1;
}

/* What has found the most. */
static bool gets_hot(enum extra extra)
{
	return extra == EXTRA_RESTARTS || extra == EXTRA_KEPT_BACK || extra == EXTRA_TABLES ||
	       extra == EXTRA_GROUPS || extra == EXTRA_ARRAY || extra == EXTRA_KINDS;
}

void shake(uint64_t seed)
{
	bool hot = is_hot();

	for (hand = NR_EXTRAS; hand-- > NO_EXTRA;) {
		dice[hand] = (seed + ((uint64_t)hand << 56)) * 0x2545f4914f6cdd1d;
		if (hot && gets_hot(hand))
			has[hand] = chance(70);
		else
			has[hand] = hand && may_have(hand, seed) && chance(40);
	}
	hand = NO_EXTRA;
}

bool has_extra(enum extra extra)
{
	return has[extra];
}

enum extra take_dice_of(enum extra extra)
{
	enum extra before = hand;

	hand = extra;
	return before;
}

void with_dice_of(enum extra extra, struct world *w, void (*play)(struct world *w))
{
	enum extra before;

	if (!has[extra])
		return;
	before = take_dice_of(extra);
	play(w);
	take_dice_of(before);
}
