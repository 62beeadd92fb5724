/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the processes of a random world die, what they leave, and what the next ones find.
 */
#include "sim/lib/restart_dice.h"

#include "sim/lib/dice.h"

bool is_seen(const struct sim_path *p)
{
	bool was_missed = !p->path || p->path->settled;

	/* Else nobody could know of its foreign commands. */
	return p->nr_opens || !p->foreign || (was_missed && p->foreign == p->hidden);
}

/* Is it known to the process that lives? */
static bool is_known_to_be_blocked(const struct sim_path *p)
{
	return p->silent ? p->path && p->path->kept_back : p->seen_blocked;
}

/* What the kernel keeps back it has to itself. */
bool may_be_disturbed(const struct sim_path *p)
{
	return is_seen(p) && !p->blocked;
}

static void random_word(struct world *w);

/* Another death, soon; what the kernel gives up in between, only the dead one has seen. */
static void random_death_in_the_wait(struct world *w)
{
	unsigned int i;

	advance(w, below(3000));
	for (i = 0; i < w->nr_paths; i++)
		if (chance(50) && may_be_disturbed(&w->paths[i]))
			sim_late_lose(&w->paths[i]);
	random_crash(w);
}

/* It is to be looked at for the first time.  Is anything of the dead process out there? */
static bool first_look(struct sim_path *p)
{
	p->nr_opens = 0;
	p->not_in_table = false;
	if (!p->foreign && !p->blocked)
		return false;
	p->refused = NULL;
	p->open_hangs = false;
	if (p->blocked)
		return false;
	if (p->mode == MODE_GONE)
		p->mode = MODE_UP;
	return true;
}

/*
 * What is out there can be seen when the new process opens the path; or it cannot be opened, or is
 * another disk by then, or the table does not name it any more; or it was away, and is back, and
 * only a counter tells.  Nothing is drawn for that: as above.
 */
static void random_first_look(struct sim_path *p)
{
	struct world *w = p->w;

	if (!first_look(p))
		return;
	if ((w->seq + p->id) % 3)
		return;
	sim_late_lose(p);
	switch (w->seq / 3 % 5) {
	case 0:
		p->refused = "No such device or address";
		return;
	case 1:
		p->mode = MODE_GONE;
		return;
	case 2:
		p->disk = ++w->nr_disks;
		return;
	case 3:
		p->not_in_table = p->id < w->nr_table_paths;
		return;
	}
}

static uint64_t late_max_ms(const struct world *w, uint32_t timeout_ms)
{
	uint64_t ms = w->settings.restart_wait_ms - w->settings.path_timeout_ms -
		      down_max_ns(w) / NSEC_PER_MSEC;

	if (w->settings.fence == FENCE_NONE)
		return ms;
	return ms + (w->settings.fence_time_ms ? w->settings.fence_time_ms : timeout_ms);
}

/* So long after its time-out an orphan lands at the latest; 2 s of it the process is down. */
static uint64_t lands_late_max_ms(const struct world *w)
{
	return late_max_ms(w, w->settings.path_timeout_ms);
}

/*
 * The port is back, or the disk goes, and all that the kernel has kept back there.  A process that
 * is in its wait has seen by then that something is kept back: no port is lost for a moment only.
 */
void random_end_of_block(struct sim_path *p)
{
	struct world *w = p->w;
	uint64_t late_ms = lands_late_max_ms(w);

	if (!p->blocked || (p->foreign && !w->killed && !is_known_to_be_blocked(p)))
		return;
	if (chance(15))
		sim_block_ends(p);
	else
		sim_let_go(p, w->killed ? 0 : below(500),
			   chance(70) || !late_ms ? 0 : 1 + below((unsigned int)late_ms));
}

void random_ends_of_blocks(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (chance(30))
			random_end_of_block(&w->paths[i]);
}

void random_crash(struct world *w)
{
	uint64_t wait_ms = lands_late_max_ms(w);
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (!is_seen(&w->paths[i]))
			return;
	kill_world(w, chance(70) || !wait_ms ? 0 : 1 + below((unsigned int)wait_ms));
	with_dice_of(EXTRA_RESTARTS, w, random_word);
	advance(w, below(2000));
	with_dice_of(EXTRA_KEPT_BACK, w, random_ends_of_blocks);
	for (i = 0; i < w->nr_paths; i++)
		random_first_look(&w->paths[i]);
	restart_world(w);
	if (chance(30))
		random_death_in_the_wait(w);
}

/*
 * The kernel loses a port, and has what is sent there wait for it, be it over a death of ours.  Of
 * that fence=none knows nothing: the old write would land on newer data, as with dm.  Nor can a
 * path be asked that is being closed as it has left the map: there the time is all there is.
 */
void random_block(struct world *w)
{
	struct sim_path *p = &w->paths[below(w->nr_paths)];

	if (w->settings.fence == FENCE_NONE)
		return;
	if (p->blocked) {
		if (chance(4))
			random_end_of_block(p);
		else if (chance(4) && !w->shut_down)
			random_crash(w);
		else if (chance(10))
			advance(w, below(30000));
	} else if (p->is_open && p->path && is_seen(p) && !p->refused && p->mode == MODE_UP &&
		   !(p->foreign && p->path->leaving) && chance(p->foreign ? 20 : 2)) {
		p->io_mode = MODE_UP;
		if (has_extra(EXTRA_REFUSED) &&
		    !p->foreign) /* what was counted is with the device */
			sim_refuse(p);
		else
			sim_block(p);
	}
}

/* --- EXTRA_RESTARTS: one after the other, and what they leave is old, or missing --- */

/* The file as it once was: nothing was saved since, as the worker hangs. */
static struct {
	struct lun_facts lun;
	struct mpath_memory memory;
} old_files[4];
#define OLD_FILES_MAX (sizeof(old_files) / sizeof(old_files[0]))
static unsigned int nr_old_files;
static bool any_lun; /* who has lost the file would take another LUN for the map's */

void restarts_begin(struct world *w, bool lun_may_change)
{
	nr_old_files = 0;
	any_lun = lun_may_change && !w->settings.wwid[0];
	w->late_max_ms = late_max_ms;
	w->longest_timeout_ms = w->settings.path_timeout_ms;
	w->timeouts_untold = chance(30);
	if (!w->timeouts_untold)
		return;
	/* Then a count proves something only to who looks in time: README.md, "After a crash". */
	w->down_max_ns = 10 * NSEC_PER_SEC;
	w->settings.restart_wait_ms = w->settings.path_timeout_ms + KERNEL_ERROR_HANDLING_MS;
}

static void remember_file(struct world *w)
{
	unsigned int i = nr_old_files++ % OLD_FILES_MAX;

	old_files[i].lun = w->saved_lun;
	old_files[i].memory = w->saved;
}

/* The disk is full for a while.  Who has no tally either leaves no word, and says so. */
static void random_saves(struct world *w)
{
	if (!w->cannot_save) {
		w->cannot_save = !w->tally_unmapped;
		return;
	}
	w->cannot_save = false;
	world_save(w);
	world_tell_tally(w);
}

static void choose_timeout(struct world *w)
{
	static const uint32_t timeouts[] = {3000, 8000, 20000, 45000};
	uint32_t more_ms = w->settings.restart_wait_ms - w->settings.path_timeout_ms;
	uint32_t timeout_ms = timeouts[below(sizeof(timeouts) / sizeof(timeouts[0]))];

	w->settings.path_timeout_ms = timeout_ms;
	w->settings.restart_wait_ms = timeout_ms + more_ms;
	if (w->longest_timeout_ms < timeout_ms)
		w->longest_timeout_ms = timeout_ms;
}

static void random_timeout(struct world *w)
{
	struct mpath_settings before = w->settings;

	choose_timeout(w);
	if (reload(w, w->table))
		w->settings = before;
}

static void random_old_file(struct world *w)
{
	static const struct lun_facts no_lun;
	static const struct mpath_memory no_memory;
	unsigned int nr = nr_old_files < OLD_FILES_MAX ? nr_old_files : OLD_FILES_MAX, i;

	w->counts.old_words++;
	if (!nr || chance(30)) {
		lose_the_file(w, any_lun ? &w->kept : &no_lun, &no_memory);
		return;
	}
	i = below(nr);
	lose_the_file(w, any_lun ? &w->kept : &old_files[i].lun, &old_files[i].memory);
}

/* What the dead process has left: the file or the tally tells all, but not always both. */
static void random_word(struct world *w)
{
	w->tally_unmapped = false;
	if (w->file_is_old && !any_lun)
		w->kept = w->saved_lun;
	w->counts.old_words += w->file_is_old;
	if (!w->tally_is_old && chance(30)) {
		random_old_file(w);
	} else if (!w->file_is_old && chance(40)) {
		w->counts.lost_tallies++;
		w->tally_unmapped = !w->cannot_save && chance(50);
		if (!w->tally_unmapped)
			lose_the_tally(w);
	}
}

/* Who was ended in order may be killed, as that takes too long. */
static void random_end(struct world *w)
{
	uint64_t late_ms = lands_late_max_ms(w);
	bool fears = !w->m->restart_over;

	late_ms = chance(60) || !late_ms ? 0 : 1 + below((unsigned int)late_ms);
	w->counts.early_deaths += !mpath_settled(w->m);
	if (chance(40))
		w->counts.ends_in_order +=
			end_in_order(w, below(chance(70) ? 500 : 20000), late_ms) && fears;
	else
		kill_world(w, late_ms);
}

/* Or before it has looked at all of its paths, unless only a look in time tells. */
static bool may_die(const struct world *w)
{
	unsigned int i;

	for (i = 0; w->timeouts_untold && i < w->nr_paths; i++)
		if (!is_seen(&w->paths[i]))
			return false;
	return true;
}

static void random_writes(struct world *w, unsigned int nr)
{
	while (nr-- > 0)
		submit_write(w, below(8), 1 + below(3));
}

/* All disks are there, and but for an error nothing tells of what the kernel has ended. */
static void only_errors_tell(struct world *w)
{
	unsigned int percent = chance(50) ? 100 : below(100), i;

	for (i = 0; i < w->nr_paths; i++) {
		bool was_seen = is_seen(&w->paths[i]);

		if (first_look(&w->paths[i]) && was_seen && chance(percent))
			sim_late_lose(&w->paths[i]);
	}
}

static void random_first_looks(struct world *w)
{
	unsigned int i;

	/* The more where nobody has told how many there were. */
	if (chance(w->tally_is_old ? 80 : 30)) {
		only_errors_tell(w);
		return;
	}
	for (i = 0; i < w->nr_paths; i++)
		random_first_look(&w->paths[i]);
}

/* And so it is between two looks. */
static void random_losses(struct world *w)
{
	unsigned int percent = chance(30) ? 100 : 20, i;

	for (i = 0; i < w->nr_paths; i++)
		if (chance(percent) && may_be_disturbed(&w->paths[i]))
			sim_late_lose(&w->paths[i]);
}

static void random_restart(struct world *w)
{
	random_end(w);
	random_word(w);
	if (chance(30)) {
		w->counts.other_timeouts++;
		choose_timeout(w);
	}
	advance(w, below(2000));
	if (chance(50))
		with_dice_of(EXTRA_KEPT_BACK, w, random_ends_of_blocks);
	random_first_looks(w);
	restart_world(w);
	random_writes(w, below(4));
	advance(w, chance(50) ? below(40) : below(4000));
	random_losses(w);
	advance(w, chance(50) ? 0 : below(4000));
}

static void random_restarts(struct world *w)
{
	unsigned int n = chance(50) ? 1 : 2 + below(2);

	if (chance(30))
		advance(w, 80000);  /* nothing is feared any more of what was lost before */
	random_writes(w, below(8)); /* most are on their way, and are left behind */
	advance_us(w, below(1000));
	while (n-- > 0 && may_die(w))
		random_restart(w);
}

void random_deaths(struct world *w)
{
	if (w->shut_down)
		return;
	if (chance(10))
		remember_file(w);
	switch (below(80 / heat())) {
	case 0:
	case 1:
	case 2:
		random_saves(w);
		return;
	case 3:
		random_timeout(w);
		return;
	case 4:
		random_restarts(w);
		return;
	}
}
