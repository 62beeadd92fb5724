/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The death of the process, what it leaves, and the next one.
 *
 * It leaves word in two places, as the runtime does (runtime/device_keeper.c): the file, w->saved
 * and w->saved_lun, may be old, and the tally, w->tally, may be of another process, or missing.
 * One of them is always right.  And it leaves commands, which late.c has from then on.
 */
#include <string.h>

#include "sim/lib/path.h"

/*
 * D9 takes the counters for a proof until the paths' time-out has passed since the start, so the
 * orphans stay countable so long here: systemd starts the next process within that time.
 */
#define DOWN_MAX_NS (2 * NSEC_PER_SEC)

uint64_t down_max_ns(const struct world *w)
{
	return w->down_max_ns ? w->down_max_ns : DOWN_MAX_NS;
}

/* A path that joined the map later: the next process finds it by its name in the table. */
static struct sim_path *path_in_table(struct world *w, struct sim_path *p)
{
	unsigned int i;

	for (i = 0; i < w->nr_table_paths; i++)
		if (strcmp(w->paths[i].name, p->name) == 0)
			return &w->paths[i];
	fail_at(w, __FILE__, __LINE__, "%s is not in the table", p->name);
}

/* The kernel ends it by then: what hung for long before the death has not its whole time anew. */
static uint64_t given_up_ns(const struct world *w, const struct mpath_io *io, uint32_t timeout_ms)
{
	uint64_t from_death_ns = w->now_ns + timeout_ms * NSEC_PER_MSEC, ends_ns;

	if (io->is_probe)
		return from_death_ns;
	ends_ns = io->start_ns + (timeout_ms + KERNEL_ERROR_HANDLING_MS) * NSEC_PER_MSEC;
	if (ends_ns < w->now_ns)
		ends_ns = w->now_ns;
	return ends_ns < from_death_ns ? ends_ns : from_death_ns;
}

static void orphan(struct world *w, const struct sim_event *e, uint64_t lands_late_ms)
{
	struct sim_io *io = e->io->is_probe ? NULL : e->io->owner;
	uint32_t timeout_ms = sim_orphan_timeout_ms(w, io ? &e->io->cmd : NULL);
	uint64_t hides_ns = given_up_ns(w, e->io, timeout_ms) + down_max_ns(w);
	uint64_t late_ns = sim_orphan_late_ns(w, timeout_ms, lands_late_ms);
	uint64_t lands_ns = late_ns ? hides_ns + late_ns
				    : w->now_ns + 1 + e->seq * 7919 % (hides_ns - w->now_ns);
	bool lands = io && !e->executed && io->io.cmd.class != CMD_READ;

	list_del(&e->io->node);
	if (io)
		io->sent = io->nr_legs = 0;
	sim_late_orphan(path_in_table(w, e->path), lands ? &e->io->cmd : NULL, io, lands_ns,
			hides_ns);
}

void kill_world(struct world *w, uint64_t lands_late_ms)
{
	unsigned int i;

	tell(w, "the process is killed");
	w->kept = *mpath_lun(w->m);
	w->memory = w->saved; /* what was in no hurry is lost */
	w->last_notice_seq = 0;
	for (i = w->nr_events; i-- > 0;) {
		struct sim_event e = w->events[i];

		if (e.type == SIM_LATE)
			continue;
		sim_event_remove(w, &w->events[i]);
		if (e.type == SIM_COMMAND || e.type == SIM_ABANDONED)
			orphan(w, &e, lands_late_ms);
	}
	for (i = 0; i < w->nr_paths; i++) {
		w->paths[i].is_open = false;
		w->paths[i].seen_blocked = false;
		w->paths[i].opening = false;
		w->paths[i].nr_out = 0;
		w->paths[i].path = NULL;
	}
	w->killed = true;
	oracle_killed(w);
	if (w->ring)
		sim_ring_killed(w);
	w->wake_ns = 0;
	w->m->nr_ios = 0; /* a process that is dead keeps nothing in order */
	mpath_destroy(w->m);
	w->m = NULL;
}

void restart_world(struct world *w)
{
	tell(w, "the process starts again");
	w->killed = false;
	w->counts.restarts++;
	w->counts.fences_kept += w->now_ns < w->lost_until_ns;
	if (w->ring)
		sim_ring_begin(w, 0);
	world_start(w);
}

/* --- in order --- */

/* Of a disk that nobody can ask, as the tally before could not be mapped, only the file tells. */
static bool fears_any_disk(const struct world *w)
{
	struct mpath_memory memory = {0};

	mpath_remember(w->m, &memory);
	while (memory.nr_disks)
		if (!memory.disks[--memory.nr_disks])
			return true;
	return false;
}

/* As device_leave_word(): who fears nothing, and has saved that, leaves none. */
static void leave_word(struct world *w, const struct mpath_error_tally *last,
		       bool only_the_file_tells)
{
	if (!w->cannot_save && !last->fence_end_ns && !last->disks[0].disk)
		w->tally = (struct mpath_error_tally){0};
	else if (!w->tally_unmapped)
		w->tally = *last;
	else
		return;
	w->tally_is_old = only_the_file_tells;
}

bool end_in_order(struct world *w, uint64_t patience_ms, uint64_t lands_late_ms)
{
	uint64_t until_ns = w->now_ns + patience_ms * NSEC_PER_MSEC;
	struct mpath_error_tally last;
	bool in_order, only_the_file_tells;

	tell(w, "the process is to end");
	stop_world(w);
	while (!w->stopped && w->now_ns < until_ns)
		advance(w, 10);
	in_order = w->stopped;
	if (in_order && !w->cannot_save)
		world_save(w);
	mpath_tell_errors(w->m, &last);
	only_the_file_tells = fears_any_disk(w);
	kill_world(w, lands_late_ms);
	if (in_order)
		leave_word(w, &last, only_the_file_tells);
	w->shut_down = w->stopping = w->stopped = false;
	return in_order;
}

/* --- what is kept, and where --- */

void world_save(struct world *w)
{
	mpath_remember(w->m, &w->saved);
	w->saved_lun = *mpath_lun(w->m);
	w->file_is_old = false;
}

void world_tell_tally(struct world *w)
{
	if (w->tally_unmapped)
		return;
	mpath_tell_errors(w->m, &w->tally);
	w->tally_is_old = fears_any_disk(w);
}

void world_keep(struct world *w, const struct mpath_actions *a)
{
	bool at_once = a->fence_moved || a->disk_used;
	bool is_saved = a->memory_changed || at_once;

	w->file_is_old |= (is_saved || a->lun_changed) && w->cannot_save;
	is_saved &= !w->cannot_save;
	if (is_saved)
		world_save(w);
	else if (a->lun_changed && !w->cannot_save)
		w->saved_lun = *mpath_lun(w->m);
	if (is_saved || a->errors_told || at_once || a->fence_over)
		world_tell_tally(w);
}

void lose_the_file(struct world *w, const struct lun_facts *lun, const struct mpath_memory *memory)
{
	oracle_check(w, w->killed && !w->tally_is_old, "no word is left");
	w->kept = w->saved_lun = *lun;
	w->memory = *memory;
	w->file_is_old = true;
	oracle_word_is_old(w);
}

void lose_the_tally(struct world *w)
{
	oracle_check(w, w->killed && !w->file_is_old, "no word is left");
	w->tally = (struct mpath_error_tally){0};
	w->tally_is_old = true;
}

/* For the oracle: what is kept of the former process, in one place or in the other. */
static void recall_tally(struct world *w)
{
	struct mpath_memory *memory = &w->memory;

	if (memory->fence_end_ns < w->tally.fence_end_ns)
		memory->fence_end_ns = w->tally.fence_end_ns;
	if (memory->slow_end_ns < w->tally.slow_end_ns)
		memory->slow_end_ns = w->tally.slow_end_ns;
	if (memory->transit_ms < w->tally.transit_ms)
		memory->transit_ms = w->tally.transit_ms;
	if (w->former_timeout_ms < w->tally.timeout_ms)
		w->former_timeout_ms = w->tally.timeout_ms;
	memory->nr_disks += w->tally.disks[0].disk != 0; /* how many is of no interest */
}

/* As device_recall(). */
void world_recall(struct world *w)
{
	w->saved = w->memory;
	/* An old file may be of a process that had used no disk yet. */
	w->former_timeout_ms =
		w->memory.nr_disks || w->memory.fence_end_ns ? w->memory.timeout_ms : 0;
	if (w->tally_unmapped) {
		oracle_check(w, !w->file_is_old, "no word is left");
		w->tally_is_old = true;
		if (w->memory.nr_disks)
			w->memory.disks[0] = 0;
	}
	w->suspended_seq = w->memory.suspended ? ++w->seq : 0;
	mpath_recall(w->m, &w->memory);
	if (w->tally_unmapped)
		return;
	mpath_recall_errors(w->m, &w->tally);
	recall_tally(w);
}
