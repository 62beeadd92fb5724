/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an array does now and then: the LUN grows, and it tells of that, or each port shows it when
 * it has heard of it, and says nothing; another host
 * resets the LUN, and what we have there is aborted, with TASK ABORTED (TAS=1) or without a word;
 * and it has news for initiators that are not about paths.
 */
#include "mpath/scsi.h"
#include "sim/lib/dice.h"
#include "sim/lib/world.h"

static bool aborts_with_status(struct world *w)
{
	enum extra before = take_dice_of(EXTRA_ARRAY);
	bool tells = chance(70);

	(void)w;
	take_dice_of(before);
	return tells;
}

void arrays_begin(struct world *w)
{
	w->aborts = aborts_with_status;
}

static bool is_hit(const struct sim_event *e, const struct sim_lun *lun)
{
	const struct sim_io *io = e->io ? e->io->owner : NULL;

	return e->type == SIM_COMMAND && !e->io->is_probe && io && e->path->nexus.lun == lun &&
	       e->path->mode == MODE_UP && e->path->io_mode == MODE_UP && !e->executed &&
	       !e->swallowed && !e->too_late;
}

void sim_reset_ends(struct world *w, const struct sim_lun *lun, bool ours)
{
	unsigned int i;

	for (i = 0; w->aborts && i < w->nr_events; i++) {
		struct sim_event *e = &w->events[i];
		struct sim_io *io;

		if (!is_hit(e, lun))
			continue;
		io = e->io->owner;
		tell(w, "a reset ends io %u", io->id);
		io->hit_by_our_reset |= ours;
		if (!w->aborts(w)) {
			w->counts.swallowed++;
			e->swallowed = true;
			e->due_ns = e->sent_ns + e->io->cmd.timeout_ms * NSEC_PER_MSEC;
			continue;
		}
		w->counts.task_aborts++;
		e->executed = true;
		e->result = (struct scsi_result){.status = SAM_TASK_ABORTED,
						 .residual = (uint32_t)e->io->cmd.data_len};
	}
}

static void push_to_all(struct world *w, uint8_t asc, uint8_t ascq)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].nexus.lun == &w->luns[0] && w->paths[i].nexus.nr_uas < 4)
			push_ua(&w->paths[i], asc, ascq);
}

static void begin_growth(struct world *w)
{
	w->counts.growths++;
	w->grown_to = (w->grown_to ? w->grown_to : SIM_NR_BLOCKS) + 8 + below(100);
	tell(w, "the LUN grows to %llu blocks", (unsigned long long)w->grown_to);
}

/* All ports have heard of it. */
void arrays_end(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths && w->grown_to; i++)
		w->paths[i].nexus.nr_blocks = w->grown_to;
}

static void grow(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].nexus.nr_uas >= 4)
			return; /* there is no room to tell */
	begin_growth(w);
	arrays_end(w);
	push_to_all(w, 0x2a, 0x09);
}

static void grow_silently(struct world *w)
{
	unsigned int i;

	begin_growth(w);
	w->counts.silent_growths++;
	for (i = 0; i < w->nr_paths; i++)
		if (chance(60))
			w->paths[i].nexus.nr_blocks = w->grown_to;
}

/* Of a LUN that has grown the array tells again, be it by a third unit attention. */
static void random_news(struct world *w)
{
	static const uint16_t news[] = {0x2a01, 0x3807, 0x2a09, 0x2903};
	uint16_t what = news[below(sizeof(news) / sizeof(news[0]))];
	struct sim_path *p = &w->paths[below(w->nr_paths)];

	if (chance(50))
		push_to_all(w, (uint8_t)(what >> 8), (uint8_t)what);
	else if (p->nexus.nr_uas < 4)
		push_ua(p, (uint8_t)(what >> 8), (uint8_t)what);
}

void random_arrays(struct world *w)
{
	switch (below(120 / heat())) {
	case 0:
		grow(w);
		return;
	case 1:
	case 2:
		sim_reset_ends(w, &w->luns[0], false);
		push_to_all(w, 0x29, 0x03);
		return;
	case 3:
	case 4:
		random_news(w);
		return;
	case 5:
		grow_silently(w);
		return;
	case 6:
	case 7:
		arrays_end(w);
		return;
	}
}
