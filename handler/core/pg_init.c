/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pg_init: before commands use a priority group, the hardware handler activates its paths, one
 * after the other.  Commands wait meanwhile (dm-multipath.md A6).
 *
 * A round asks each active path of the current group once.  Who answers "try again" causes
 * another round after pg_init_delay_msecs, up to pg_init_retries.
 */
#include <assert.h>

#include "core/multipath.h"

/* dm's DM_PG_INIT_DELAY_MSECS, when the table does not say */
#define DELAY_DEFAULT_MS 2000

static bool is_idle(const struct multipath *m)
{
	return !m->activating_path && list_empty(&m->pg_init_paths);
}

/* Paths of another group have no turn any more: they would take the LUN away from this one. */
static void forget_waiting(struct multipath *m)
{
	while (list_pop(&m->pg_init_paths))
		;
	m->pg_init_due_ns = 0;
}

/* A handler may wait for the array for minutes, but not for a path that has no turn any more. */
static void leave_waiting(struct multipath *m)
{
	struct path *path = m->activating_path;

	if (!path || !stop_waiting(m, path))
		return;
	m->activating_path = NULL;
}

/* Commands use another group from now on, or this one anew (dm: __switch_pg). */
void pg_init_switched(struct multipath *m)
{
	struct path *path;

	forget_waiting(m);
	if (m->activating_path && m->activating_path->pg != m->current_pg)
		leave_waiting(m);
	list_for_each_entry(path, &m->current_pg->paths, node)
		path->hw_has_moved = false;
	m->pg_init_count = 0;
	m->queue_io = m->hw.type != NULL;
	m->pg_init_required = m->hw.type != NULL;
	m->pg_init_delayed = m->hw.type && m->current_pg->bypassed;
}

bool pg_init_is_over(const struct multipath *m)
{
	return m->current_pg && !m->queue_io && !m->pg_init_required;
}

/*
 * Only the layout has changed, and the group goes on being used: paths that have joined it are
 * activated alone, and those that have left it have no turn any more.
 */
void pg_init_newcomers(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		if (path->pg != m->current_pg)
			pg_init_path_failed(m, path);
		else if (path->active && !path->was_in_current)
			pg_init_one(m, path);
}

/* Other paths are in the current group now, or another table says how: activate it anew. */
void pg_init_relayout(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		path->needs_activation = false;
	forget_waiting(m);
	m->pg_init_required = false;
	if (m->hw.type && m->current_pg)
		pg_init_switched(m);
}

bool has_usable_path(const struct priority_group *pg)
{
	const struct path *path;

	list_for_each_entry(path, &pg->paths, node)
		if (path->active && !path->suspect)
			return true;
	return false;
}

/* Commands wait for it, and it is worth it. */
bool pg_init_pending(const struct multipath *m)
{
	return m->hw.type && m->queue_io && m->current_pg && has_usable_path(m->current_pg);
}

/* If it was told that it has begun, and commands have waited for it. */
static void tell_end(struct multipath *m)
{
	if (!m->queue_io || !m->current_pg || !m->pg_init_count)
		return;
	trace(m, "group %u: activation is over", m->current_pg->number);
	notice_group(m, NOTICE_PG_INIT, m->current_pg, "done with activating");
	not_for_the_log(m); /* what has come of it says enough */
}

static void end_of_round(struct multipath *m)
{
	if (m->pg_init_required)
		return; /* another round follows */
	m->pg_init_due_ns = 0;
	m->run_held = true;
	tell_end(m);
	m->queue_io = false;
}

static void begin_round(struct multipath *m)
{
	uint64_t delay_ms = 0;
	struct path *path;

	m->pg_init_required = false;
	if (!m->current_pg || m->stopping)
		return;
	if (m->pg_init_delayed)
		delay_ms = m->pg_init_delay_msecs >= 0 ? (uint64_t)m->pg_init_delay_msecs
						       : DELAY_DEFAULT_MS;
	m->pg_init_count++;
	m->pg_init_busy_ns = 0;
	m->pg_init_due_ns = m->now_ns + delay_ms * NSEC_PER_MSEC;
	wake_by(m, m->pg_init_due_ns);
	trace(m, "group %u: activation, round %u in %u ms", m->current_pg->number, m->pg_init_count,
	      (unsigned int)delay_ms);
	if (m->pg_init_count == 1)
		notice_group(m, NOTICE_PG_INIT, m->current_pg, "activating");
	else
		notice_group(m, NOTICE_PG_INIT, m->current_pg, "activating once more");
	if (m->pg_init_count == 1)
		not_for_the_log(m); /* that commands switch to the group says enough */

	list_for_each_entry(path, &m->current_pg->paths, node) {
		if (path->active && !path->suspect)
			list_push_back(&m->pg_init_paths, &path->pg_init_node);
		path->needs_activation = path->active && path->suspect; /* when it is cleared */
	}
	if (is_idle(m))
		end_of_round(m);
}

/* A path that is being checked has its turn when it has answered. */
static struct path *next_path(struct multipath *m)
{
	struct path *path;

	list_for_each_entry(path, &m->pg_init_paths, pg_init_node)
		if (path->link == LINK_OPEN && path->probing == PROBE_NONE)
			return path;
	return NULL;
}

static void activate_in_turn(struct multipath *m)
{
	struct path *path;

	while (!m->activating_path && m->now_ns >= m->pg_init_due_ns && (path = next_path(m))) {
		list_del(&path->pg_init_node);
		m->activating_path = path;
		activate_path(m, path);
	}
}

/*
 * Start what can start.  An activation may be over at once, and so may a round that causes another
 * one.  As in dm nothing starts while the map is suspended; what is under way ends.
 */
void pg_init_run(struct multipath *m)
{
	if (m->suspend == SUSPENDED)
		return;
	activate_in_turn(m);
	while (m->pg_init_required && is_idle(m)) {
		begin_round(m);
		activate_in_turn(m);
	}
}

void pg_init_timeout(struct multipath *m)
{
	if (!list_empty(&m->pg_init_paths) && m->now_ns < m->pg_init_due_ns)
		wake_by(m, m->pg_init_due_ns);
}

/*
 * As in dm, a path that comes back to the current group is activated alone, and at once; so is one
 * that turns out to be passive.  While a round is under way it becomes part of that: it may be the
 * only one that is left of it.
 */
void pg_init_one(struct multipath *m, struct path *path)
{
	if (!m->hw.type || path->pg != m->current_pg || m->pg_init_required ||
	    !list_empty(&path->pg_init_node) || m->activating_path == path)
		return;
	if (is_idle(m))
		m->pg_init_busy_ns = 0;
	path->needs_activation = true;
	list_push_back(&m->pg_init_paths, &path->pg_init_node);
}

/* It has failed, or is leaving: its turn is over before it came. */
void pg_init_path_failed(struct multipath *m, struct path *path)
{
	path->needs_activation = false;
	if (m->activating_path == path)
		leave_waiting(m);
	else if (list_empty(&path->pg_init_node))
		return;
	list_del(&path->pg_init_node);
	if (is_idle(m))
		end_of_round(m);
}

/* The array is busy with itself: another group, and nobody is at fault. */
static void bypass(struct multipath *m, struct priority_group *pg)
{
	bypass_busy_group(m, pg);
	if (pg != m->current_pg)
		return;
	tell_end(m);
	m->current_pg = NULL;
	m->pg_init_required = false;
	forget_waiting(m);
}

/*
 * A path that asks alone, when the others of its group are in use, is not worth another round
 * that commands would wait for: it fails, and its checker brings it back.
 */
static void try_again(struct multipath *m, struct path *path)
{
	if (path->pg != m->current_pg || !path->active)
		return;
	if (!m->queue_io || m->pg_init_count > m->pg_init_retries) {
		fail_path(m, path, "activation: tried pg_init_retries times");
		return;
	}
	m->pg_init_required = true;
	m->pg_init_delayed = true;
}

static void take_result(struct multipath *m, struct path *path, enum hw_result result)
{
	switch (result) {
	case HW_SEND:
	case HW_WAIT:
		assert(!"the conversation goes on");
		return;
	case HW_DONE:
		trace(m, "path %s: activated", path_name(path));
		if (path->pg)
			path->pg->impatient_ns = 0;
		if (!m->pg_init_required && path->pg == m->current_pg)
			lift_bypass(m, path->pg, "its activation was successful, enabled");
		return;
	case HW_NOSYS:
		fail_path(m, path, "activation: not an array that the hardware handler knows");
		return;
	case HW_BYPASS_PG:
		bypass(m, path->pg);
		return;
	case HW_RETRY:
		try_again(m, path);
		return;
	case HW_FAIL_PATH:
		fail_path(m, path, "activation failed");
		return;
	}
}

/* The conversation with the path is over, or the path is lost (dm: pg_init_done). */
void pg_init_done(struct multipath *m, struct path *path, enum hw_result result)
{
	assert(m->activating_path == path);
	m->activating_path = NULL;
	path->needs_activation = false;
	take_result(m, path, result);
	if (is_idle(m))
		end_of_round(m);
	if (!pg_init_pending(m))
		m->run_held = true;
}
