/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Now and then a LUN's pages change: new firmware, port by port, or of all ports at once; the array
 * tells of it, or does not.
 */
#include "sim/lib/world.h"

static void change(struct sim_path *p, bool is_rotation, bool tells)
{
	if (is_rotation)
		p->nexus.rotation = !p->nexus.rotation;
	else
		p->nexus.provisioning ^= 0x80;
	oracle_pages_change(p->w);
	if (tells)
		push_ua(p, 0x3f, 0x03);
}

void random_pages(struct world *w, uint64_t roll)
{
	unsigned int chosen = (unsigned int)(roll >> 40) % w->nr_paths, i;
	bool all = roll >> 33 & 1, is_rotation = roll >> 34 & 1, tells = roll >> 35 & 1;

	if ((roll & 0xffff) % 100 >= 4)
		return;
	for (i = 0; i < w->nr_paths; i++)
		if (all || i == chosen)
			change(&w->paths[i], is_rotation, tells);
}
