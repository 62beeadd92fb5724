/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which group, which path: dm-multipath's order (dm-multipath.md A5, as the 6.1 kernel has it):
 * a group that was asked for, the current group while it has a path, every group that is not
 * bypassed, the bypassed ones.  Of the latter, unlike dm, the one comes first whose array was busy
 * the longest ago: while one goes on being busy, another may be so no more.
 */
#include "core/flight.h"

/* Why a group had nothing for this command. */
struct misses {
	bool full;     /* a usable path has all the commands that it takes */
	bool tried;    /* a usable path was tried by this command already */
	bool in_doubt; /* the group in use is, and is not left for that: it will be told */
	bool early;    /* it has a path that nobody has looked at yet */
	bool passive;  /* a path has to be activated before it can be used */
};

/* Then no other group is asked. */
static bool must_wait(const struct misses *misses)
{
	return misses->full || misses->early || misses->in_doubt || misses->passive;
}

static bool has_room(const struct multipath *m, const struct path *path)
{
	return path->in_flight < path->depth && !path->resting && !resting_for_reset(m);
}

/* In the current group.  The paths of others are activated when it is their group's turn. */
static bool must_be_activated(const struct multipath *m, const struct path *path)
{
	return (path->needs_activation || path->passive) && path->pg == m->current_pg &&
	       !m->queue_io;
}

static bool takes(struct multipath *m, struct path *path, const struct mpath_io *io,
		  struct misses *misses)
{
	if (!path->active || path->suspect)
		return false;
	if (io->nr_suspicions && io_suspects(io, path)) {
		misses->tried = true;
		return false;
	}
	if (must_be_activated(m, path)) {
		pg_init_one(m, path); /* its group may have been activated without it */
		misses->passive = true;
		return false;
	}
	if (!has_room(m, path)) {
		misses->full = true;
		return false;
	}
	return true;
}

/* Another path of the group in use, for what has to move nobody and to wait for nothing. */
bool may_take_second_leg(const struct path *path, const struct mpath_io *io)
{
	const struct multipath *m = path->m;

	return path->active && !path->suspect && path->selectable &&
	       path->demotion == NOT_DEMOTED && !must_be_activated(m, path) &&
	       !pg_init_pending(m) && !m->queue_io && !io_suspects(io, path) && has_room(m, path);
}

static struct path *any_that_takes(struct multipath *m, struct priority_group *pg,
				   const struct mpath_io *io, struct misses *misses)
{
	struct path *path;

	list_for_each_entry(path, &pg->paths, node)
		if (path->demotion == NOT_DEMOTED && takes(m, path, io, misses))
			return path;
	return NULL;
}

/* Though it is demoted: no other path is of use to this command. */
static bool takes_all_the_same(struct multipath *m, struct path *path, const struct mpath_io *io,
			       struct misses *misses)
{
	unsigned int depth = path->depth;
	bool taken;

	path->depth = path->facts.queue_depth;
	taken = takes(m, path, io, misses);
	path->depth = depth;
	return taken;
}

static struct path *any_demoted_that_takes(struct multipath *m, struct priority_group *pg,
					   const struct mpath_io *io, struct misses *misses)
{
	struct path *path;

	list_for_each_entry(path, &pg->paths, node) {
		if (path->demotion == NOT_DEMOTED || !takes_all_the_same(m, path, io, misses))
			continue;
		hide_path(path, false); /* the selector will hear of the command */
		return path;
	}
	return NULL;
}

/* A peer that has no room may do; but it does not answer either, and the others have failed. */
static bool is_full_in_vain(const struct priority_group *pg, const struct misses *misses)
{
	return misses->tried && pg->full_are_silent;
}

/* The selector's choice was of no use.  With demoted paths in the map that may have been one. */
static __attribute__((noinline)) struct path *choose_another(struct multipath *m,
							     struct priority_group *pg,
							     struct path *path, struct mpath_io *io,
							     struct misses *misses)
{
	if (m->nr_demoted && path->demotion != NOT_DEMOTED) {
		hide_path(path, true);
		*misses = (struct misses){0};
		path = select_path(m, pg, io);
		if (path && takes(m, path, io, misses))
			return path;
	}
	path = any_that_takes(m, pg, io, misses);
	if (path || !m->nr_demoted || (misses->full && !is_full_in_vain(pg, misses)))
		return path;
	return any_demoted_that_takes(m, pg, io, misses);
}

static struct path *selectors_choice(struct multipath *m, struct priority_group *pg,
				     const struct mpath_io *io)
{
	struct path *path = m->selected;

	m->selected = NULL;
	return path ? path : select_path(m, pg, io);
}

/* The selector's choice, or if that cannot take this command any path of the group that can. */
static struct path *choose_in_group(struct multipath *m, struct priority_group *pg,
				    struct mpath_io *io, struct misses *misses)
{
	struct path *path = selectors_choice(m, pg, io);

	if (!path && m->nr_demoted && lift_demotions(m, pg, "no other path is left in its group"))
		path = select_path(m, pg, io);
	if (!path)
		return NULL;
	if (takes(m, path, io, misses))
		return path;
	return choose_another(m, pg, path, io, misses);
}

static void switch_group(struct multipath *m, struct priority_group *pg)
{
	if (pg == m->current_pg)
		return;
	trace(m, "group %u: now current", pg->number);
	notice_group(m, NOTICE_GROUP_SWITCHED, pg, "switched to");
	if (!m->current_pg)
		not_for_the_log(m);
	if (m->used_pg && m->used_pg != pg)
		m->nr_group_switches++;
	m->used_pg = pg;
	m->current_pg = pg;
	m->current_is_asked_for = false;
	m->awaited_group = 0;
	m->actions->group_changed = true;
	pg_init_switched(m);
}

/*
 * In dm all paths are there with the map.  Ours are looked at first, each in its time, and which
 * group comes to be used must not depend on which of them is the quickest.
 */
static bool has_unsettled_path(const struct priority_group *pg)
{
	const struct path *path;

	list_for_each_entry(path, &pg->paths, node)
		if (!path->settled)
			return true;
	return false;
}

/*
 * Where groups must be activated, such a command has to move everybody; then at least it waits
 * until the group in use is not in doubt any more.
 */
static bool would_leave_doubt(const struct multipath *m, const struct priority_group *pg)
{
	const struct path *path;

	if (pg == m->current_pg || !m->current_pg)
		return false;
	list_for_each_entry(path, &m->current_pg->paths, node)
		if (path->suspect)
			return true;
	return false;
}

/*
 * A command that is suspected of breaking paths by itself must not move everybody else to another
 * group: only the others' choice changes the current group.
 */
static struct path *try_group(struct multipath *m, struct priority_group *pg, struct mpath_io *io,
			      struct misses *misses)
{
	struct path *path = choose_in_group(m, pg, io, misses);

	if (path && io->nr_suspicions && m->hw.type && would_leave_doubt(m, pg)) {
		misses->in_doubt = true;
		return NULL;
	}
	if (path && (!io->nr_suspicions || m->hw.type))
		switch_group(m, pg);
	if (!path && m->choosing_early)
		misses->early = has_unsettled_path(pg);
	return path;
}

static struct path *try_groups(struct multipath *m, struct mpath_io *io, struct misses *misses)
{
	struct priority_group *pg;
	struct path *path;

	for_each_group(m, pg) {
		if (pg->bypassed)
			continue;
		path = try_group(m, pg, io, misses);
		if (path || must_wait(misses))
			return path;
	}
	return NULL;
}

static bool comes_before(const struct priority_group *a, const struct priority_group *b)
{
	return a->busy_ns < b->busy_ns || (a->busy_ns == b->busy_ns && a->number < b->number);
}

/* After @last; NULL: the first. */
static struct priority_group *next_bypassed(const struct multipath *m,
					    const struct priority_group *last)
{
	struct priority_group *pg, *next = NULL;

	for_each_group(m, pg)
		if (pg->bypassed && (!last || comes_before(last, pg)) &&
		    (!next || comes_before(pg, next)))
			next = pg;
	return next;
}

static struct path *try_bypassed_groups(struct multipath *m, struct mpath_io *io,
					struct misses *misses)
{
	struct priority_group *pg = NULL;
	struct path *path;

	while ((pg = next_bypassed(m, pg))) {
		path = try_group(m, pg, io, misses);
		if (path || must_wait(misses))
			return path;
	}
	return NULL;
}

static bool may_be_another_lun(const struct path *path)
{
	return path->suspect && (path->recheck_identity || path->probing == PROBE_IDENTIFY);
}

static uint64_t in_transition_since_ns(const struct priority_group *pg)
{
	const struct path *path;
	uint64_t since_ns = 0;

	list_for_each_entry(path, &pg->paths, node)
		if (is_in_transition(path) && path->tpg.since_ns > since_ns)
			since_ns = path->tpg.since_ns;
	return since_ns;
}

/* As the array has said since then. */
static bool serves_already(const struct priority_group *pg, uint64_t since_ns)
{
	const struct path *path;

	list_for_each_entry(path, &pg->paths, node)
		if (path->active && !path->suspect &&
		    (!is_optimized(path) || path->tpg.told_ns < since_ns))
			return false;
	return true;
}

/*
 * The next group of use has the LUN already, as the array says; not before the transition, in which
 * it may lose it: some arrays tell of the group that is asked only.
 */
bool need_not_move(const struct multipath *m, const struct priority_group *from)
{
	uint64_t since_ns = in_transition_since_ns(from);
	const struct priority_group *pg;

	for_each_group(m, pg)
		if (pg != from && !pg->bypassed && has_usable_path(pg))
			return serves_already(pg, since_ns);
	return false;
}

/*
 * The array moves the group: asking for another one would move it once more.  Or a path is perhaps
 * another LUN: that is told in milliseconds, and hardly ever so.  When a LUN is mapped, the array
 * says it of all others: no reason to move them.  Where no hardware handler activates groups, the
 * others may be tried.
 */
static bool will_be_told(const struct multipath *m, const struct priority_group *pg)
{
	const struct path *path;
	bool in_transition = false;

	if (!m->hw.type)
		return false;
	list_for_each_entry(path, &pg->paths, node) {
		if (path->in_transition ? is_optimized(path) : may_be_another_lun(path))
			return true; /* what was told of groups is from before that */
		in_transition |= path->in_transition;
	}
	return in_transition && !need_not_move(m, pg);
}

static struct path *choose(struct multipath *m, struct mpath_io *io, struct misses *misses)
{
	struct priority_group *asked_for = m->next_pg;
	struct path *path;

	if (asked_for && !io->nr_suspicions && !groups_to_come(m)) {
		path = try_group(m, asked_for, io, misses);
		if (must_wait(misses) && !path)
			return NULL; /* it is still asked for */
		m->next_pg = NULL;
		if (path) {
			m->current_is_asked_for = !m->next_is_ours;
			return path;
		}
	}
	if (m->current_pg) {
		path = try_group(m, m->current_pg, io, misses);
		if (path)
			return path;
		misses->in_doubt |= will_be_told(m, m->current_pg);
		if (must_wait(misses))
			return NULL;
	}
	if (groups_to_come(m))
		return NULL;
	path = try_groups(m, io, misses);
	if (path || must_wait(misses))
		return path;
	return try_bypassed_groups(m, io, misses);
}

/* All paths may look dead because some are only in doubt: their probes will tell soon. */
static bool may_improve(const struct multipath *m)
{
	return m->nr_suspect || still_settling(m) || groups_to_come(m);
}

/*
 * Who finds no path forgets the current group.  In dm a command that comes back from the last path
 * does not look for another one, unless it can be queued.
 */
static void forget_current(struct multipath *m, const struct mpath_io *io)
{
	if (io->nr_tries && !m->queue_if_no_path)
		return;
	m->queue_io = false;
	m->current_pg = NULL;
}

/* A command that asks for its last path again: commands may have left its group meanwhile. */
static bool group_is_ready(const struct path *path)
{
	const struct multipath *m = path->m;

	return !m->hw.type || (path->pg == m->current_pg && !m->queue_io);
}

/* Other paths know nothing of what it asks for. */
static bool takes_preferred(struct multipath *m, struct path *path, const struct mpath_io *io,
			    struct misses *misses)
{
	return pair_kind(io) ? takes_all_the_same(m, path, io, misses) : takes(m, path, io, misses);
}

/* Flattened: most commands need but one step of each function here, and calls cost more. */
__attribute__((flatten)) enum choice choose_path(struct multipath *m, struct mpath_io *io,
						 struct path **path)
{
	struct misses misses = {0};

	if (pg_init_pending(m))
		return CHOSE_WAIT_FOR_ACTIVATION;
	if (io->prefers) {
		io->prefers = false;
		*path = find_path_by_id(m, io->preferred_id); /* NULL: it has left */
		if (*path && group_is_ready(*path) && takes_preferred(m, *path, io, &misses)) {
			if ((*path)->hidden)
				hide_path(*path, false);
			return CHOSE_PATH;
		}
		if (misses.full && pair_kind(io))
			return CHOSE_WAIT_FOR_ROOM;
		misses = (struct misses){0};
	}

	if (m->nr_valid == 0) {
		forget_current(m, io);
	} else {
		*path = choose(m, io, &misses);
		if (*path)
			return m->hw.type && m->queue_io ? CHOSE_WAIT_FOR_ACTIVATION : CHOSE_PATH;
		if (misses.full)
			return CHOSE_WAIT_FOR_ROOM;
		if (misses.passive)
			return CHOSE_WAIT_FOR_ACTIVATION;
	}
	if (may_improve(m))
		return CHOSE_WAIT_FOR_PATH;
	return misses.tried ? CHOSE_EXHAUSTED : CHOSE_NONE;
}

/*
 * A LUN that was never seen is shown to nobody, so there is no command for which a group would be
 * activated; and before that its paths may not tell the LUN's size.  So it is done as for a
 * command that has come, and gone again.
 */
void activate_unseen_lun(struct multipath *m)
{
	struct mpath_io command = {.cpu = -1};
	struct path *path;

	if (!m->hw.type || !m->nr_valid || still_settling(m) || m->suspend != NOT_SUSPENDED ||
	    m->shutdown)
		return;
	choose_path(m, &command, &path);
}
