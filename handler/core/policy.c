/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When do priority groups have to be formed anew, and when do commands go back to a better one?
 * multipathd's part (dm-multipath.md C2, C3).  Groups are formed for maps that are given as a list
 * of paths; those of a table stay as it has them, a better group stands further ahead there.
 *
 * Memory is needed for new groups, and a step takes none: it asks for them (mpath_actions.regroup),
 * and they come with the next step.
 *
 * Failback is about paths that come up again.  When the array itself moves the LUN, by changing the
 * states of its port groups, commands follow it at once: who stayed would use the slow way, and
 * must not ask for the LUN's return, as another initiator may have moved it.
 */
#include <limits.h>
#include <stdlib.h>

#include "core/multipath.h"
#include "mpath/scsi.h"

/* For so long commands wait until enough is known to form the groups. */
#define FORMING_MAX_NS (1 * NSEC_PER_SEC)

#define REGROUP_INTERVAL_NS (1 * NSEC_PER_SEC)

#define NO_PATH_ID UINT_MAX

/* --- priorities --- */

static bool wants_alua(const struct multipath *m)
{
	switch (m->settings.policy.prio) {
	case PRIO_ALUA:
	case PRIO_DETECT:
		return true;
	case PRIO_CONST:
	case PRIO_PATH_LATENCY:
		return false;
	}
	return false;
}

/* And gets it. */
static bool by_alua(const struct multipath *m)
{
	return wants_alua(m) && m->hw.type && m->hw.type->can_refresh;
}

/* A port group in transition keeps what it had: where it goes is not known. */
static int priority_of(const struct multipath *m, const struct path *path)
{
	if (m->settings.policy.prio == PRIO_PATH_LATENCY)
		return prio_path_latency(path->check_us, m->settings.policy.latency_base,
					 path->prio);
	if (!by_alua(m))
		return prio_const();
	if (list_empty(&path->hw_node) || path->tpg.state == ALUA_TRANSITIONING)
		return PRIO_UNDEF;
	return prio_alua(&path->tpg, m->settings.policy.exclusive_pref_bit);
}

/* For people: where no policy is at work the array's own word. */
int path_priority(const struct path *path)
{
	const struct multipath *m = path->m;

	if (m->settings.policy.on && !by_alua(m))
		return path->prio;
	return prio_alua(&path->tpg, m->settings.policy.exclusive_pref_bit);
}

/*
 * The latency of a path is that of its checks, which unused paths have, too.  multipathd reads
 * io_num blocks each time; here so many checks make a mean, in which the last one counts 1/io_num.
 */
void policy_check_answered(struct multipath *m, struct path *path)
{
	const struct mpath_policy *policy = &m->settings.policy;
	int64_t us = (int64_t)(m->now_ns - path->probe.start_ns) / 1000;
	int64_t mean_us = (int64_t)path->check_us;

	if (path->nr_checks < policy->latency_checks || !path->nr_checks)
		path->nr_checks++;
	mean_us += ((us ? us : 1) - mean_us) / (int64_t)path->nr_checks;
	path->check_us = (uint64_t)mean_us;
	if (policy->on && policy->prio == PRIO_PATH_LATENCY && priority_of(m, path) != path->prio)
		doubt_groups(m);
}

/* What was in standby may be the way now: the checker's next turn would be late. */
static void look_at_failed_paths(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		if (!path->active && !path->failed_by_message && path->link == LINK_OPEN)
			probe_path_now(m, path);
}

static void learn_priorities(struct multipath *m)
{
	bool moved = false;
	struct path *path;

	for_each_path(m, path) {
		int prio = priority_of(m, path);

		if (prio == PRIO_UNDEF || prio == path->prio)
			continue;
		trace(m, "path %s: priority %d", path_name(path), prio);
		path->moved_to = path->prio != PRIO_UNDEF && is_optimized(path);
		moved |= path->prio != PRIO_UNDEF;
		path->prio = prio;
	}
	if (!moved || !by_alua(m))
		return;
	m->array_moved = true;
	look_at_failed_paths(m);
}

/*
 * As multipathd asks for priorities with each check: the unit attention that told of a move may
 * have been lost, and commands are answered on the slower paths, too.  Mostly one answer tells of
 * all groups; but if nobody tells, all paths have been asked.  Where priorities are nobody's
 * business, failback may still wait for the end of a transition: an activation has met it, or
 * nobody has told since.
 */
void policy_path_checked(struct multipath *m)
{
	uint64_t interval_ns = m->settings.polling_interval_ms * NSEC_PER_MSEC;

	if (((m->settings.policy.on && by_alua(m)) || any_in_transition(m)) && !m->refreshing &&
	    m->now_ns - m->states_asked_ns >= interval_ns)
		want_refresh(m);
}

/* --- the better group --- */

/* Not one in transition: they would wait for its end. */
static bool may_take_commands(const struct priority_group *pg)
{
	const struct path *path;

	list_for_each_entry(path, &pg->paths, node)
		if (path->active && !path->suspect && !is_in_transition(path))
			return true;
	return false;
}

static struct priority_group *best_group(const struct multipath *m)
{
	struct priority_group *pg;

	for_each_group(m, pg)
		if (!pg->bypassed && may_take_commands(pg))
			return pg;
	return NULL;
}

/* By the next command, if nobody else has a say. */
static const struct priority_group *group_in_use(const struct multipath *m)
{
	return m->next_pg && m->next_is_ours ? m->next_pg : m->current_pg;
}

static bool is_better(const struct multipath *m, const struct priority_group *pg)
{
	const struct priority_group *in_use = group_in_use(m);

	return pg && in_use && pg->number < in_use->number;
}

/* Who has asked for it already, and whose commands have not moved yet, only needs patience. */
static bool is_worth_asking_for(const struct multipath *m, const struct priority_group *pg)
{
	return is_better(m, pg) && pg != m->next_pg;
}

/* As the message switch_group: the next command moves. */
static void use_group(struct multipath *m, struct priority_group *pg, const char *why)
{
	trace(m, "group %u: asked for, %s", pg->number, why);
	notice_group(m, NOTICE_GROUP_ASKED_FOR, pg, why);
	m->failback_due_ns = 0;
	m->current_pg = NULL;
	m->next_pg = pg;
	m->next_is_ours = true;
	m->run_held = true;
}

static const struct path *first_path(const struct priority_group *pg)
{
	return list_first_entry(&pg->paths, struct path, node);
}

/*
 * What was in use before a restart is used again, unless the array has moved the LUN meanwhile: to
 * ask for it back would be wrong.
 */
bool may_begin_with(const struct multipath *m, const struct priority_group *pg)
{
	return !m->settings.policy.on || !by_alua(m) || is_optimized(first_path(pg));
}

/* One that has come up in a transition could not have commands yet, and so it is as if just now. */
static bool has_another_usable_path(const struct priority_group *pg, unsigned int path_id)
{
	const struct path *path;

	list_for_each_entry(path, &pg->paths, node)
		if (path->active && !path->suspect && path->id != path_id && !path->too_early)
			return true;
	return false;
}

/*
 * Not anew for what is only looked at again: priorities are asked for all the time.  An array that
 * was too busy to let the group have the LUN is left alone: else its paths would fail again and
 * again for that, and be down when the group in use is lost.
 */
static void defer_failback(struct multipath *m, const struct priority_group *best)
{
	const struct mpath_policy *policy = &m->settings.policy;
	uint64_t wait_s = policy->failback == FAILBACK_DEFERRED ? policy->failback_s : 0;

	if (m->failback_due_ns)
		return;
	m->failback_due_ns = m->now_ns + wait_s * NSEC_PER_SEC;
	if (m->failback_due_ns < best->impatient_ns)
		m->failback_due_ns = best->impatient_ns;
	wake_by(m, m->failback_due_ns);
	trace(m, "failback in %u s",
	      (unsigned int)((m->failback_due_ns - m->now_ns) / NSEC_PER_SEC));
}

static void fail_back_now(struct multipath *m, struct priority_group *best)
{
	if (m->now_ns < best->impatient_ns)
		defer_failback(m, best);
	else
		use_group(m, best, "failback to");
}

static void fail_back(struct multipath *m, struct priority_group *best)
{
	switch (m->settings.policy.failback) {
	case FAILBACK_MANUAL:
		return;
	case FAILBACK_IMMEDIATE:
		fail_back_now(m, best);
		return;
	case FAILBACK_FOLLOWOVER:
		if (!has_another_usable_path(best, m->came_up_id))
			fail_back_now(m, best);
		return;
	case FAILBACK_DEFERRED:
		defer_failback(m, best);
		return;
	}
}

/* Whose paths have to come up first is followed then; and once. */
static bool is_moved_to(struct multipath *m, const struct priority_group *pg)
{
	struct path *path;

	if (!is_optimized(first_path(pg)) || !(m->array_moved || first_path(pg)->moved_to))
		return false;
	m->array_moved = false;
	for_each_path(m, path)
		path->moved_to = false;
	return true;
}

static void forget_the_early(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		path->too_early &= is_in_transition(path);
}

static void look_for_better_group(struct multipath *m)
{
	struct priority_group *best = best_group(m);
	bool moved = best && is_moved_to(m, best);

	if (is_worth_asking_for(m, best)) {
		if (moved)
			use_group(m, best, "the array has moved the LUN to");
		else
			fail_back(m, best);
	}
	forget_the_early(m);
}

/*
 * Followover is for such as were down: one that was up all the time, but has failed commands, may
 * have lost the LUN to another host, which wants it where it is.
 */
static void may_fail_back(struct multipath *m, const struct path *path, bool was_down)
{
	m->came_up_id = was_down ? path->id : NO_PATH_ID;
	if (!groups_to_come(m))
		look_for_better_group(m);
}

/* As in multipathd the time until failback begins anew with each. */
void policy_path_up(struct multipath *m, struct path *path, bool was_down)
{
	path->too_early = was_down && is_in_transition(path);
	m->failback_due_ns = 0;
	may_fail_back(m, path, was_down);
}

/* It was only in doubt.  In the group in use that is no reason to stay for longer, nor to go. */
void policy_path_cleared(struct multipath *m, const struct path *path, bool by_array)
{
	if (!is_better(m, path->pg))
		return;
	m->failback_due_ns = 0;
	may_fail_back(m, path, !by_array);
}

static bool is_about(const struct path *told, const struct priority_group *pg)
{
	const struct path *path;

	list_for_each_entry(path, &pg->paths, node)
		if (path->tpg.known && path->tpg.id == told->tpg.id)
			return true;
	return false;
}

/*
 * Of the path's port group, as the array says: a transition is over in which commands could not
 * follow, or it has given the LUN back.  If the group is not optimized the array has moved the LUN;
 * nor is it about a better group if it was the one in use that has waited for that.  Where groups
 * are formed anew for that, they are looked at then.
 */
void policy_state_changed(struct multipath *m, const struct path *path)
{
	const struct priority_group *best = best_group(m);

	if (!m->settings.policy.on && best && is_about(path, best) && is_optimized(path))
		may_fail_back(m, path, path->too_early);
}

/* The administrator wants another group: a path that came up before is no reason to leave it. */
void policy_told_to_switch(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		path->too_early = false;
	m->came_up_id = NO_PATH_ID;
	m->next_is_ours = false;
}

/* As in multipathd any failure cancels it; what is still better has to stay so all the time. */
void policy_path_failed(struct multipath *m)
{
	const struct priority_group *best = best_group(m);

	if (!m->failback_due_ns)
		return;
	trace(m, "failback cancelled");
	m->failback_due_ns = 0;
	if (is_better(m, best))
		defer_failback(m, best);
}

static void failback_timeout(struct multipath *m)
{
	struct priority_group *best;

	if (!m->failback_due_ns)
		return;
	if (m->now_ns < m->failback_due_ns) {
		wake_by(m, m->failback_due_ns);
		return;
	}
	m->failback_due_ns = 0;
	best = best_group(m);
	if (is_better(m, best))
		use_group(m, best, "failback to");
}

/* --- forming groups --- */

bool groups_to_come(const struct multipath *m)
{
	return m->settings.policy.on && !m->groups_formed;
}

void doubt_groups(struct multipath *m)
{
	if (!m->settings.policy.on)
		return;
	m->groups_doubted = true;
	wake_by(m, m->now_ns);
}

/* The handler is attached: which port group it has is known, but perhaps not its state. */
void policy_path_known(struct multipath *m, const struct path *path)
{
	if (m->settings.policy.on && by_alua(m) && !path->tpg.state_known)
		want_refresh(m);
	doubt_groups(m);
}

static bool by_serial(const struct multipath *m)
{
	return m->settings.policy.on && m->settings.policy.grouping == GROUPING_GROUP_BY_SERIAL;
}

/* Before the first path is identified the hardware table may still come to it. */
bool wants_serial(const struct multipath *m)
{
	bool may_come =
		!m->hardware_met && m->hardware && m->settings.left_open & HARDWARE_GROUPING;

	return by_serial(m) || may_come;
}

/* Paths that were identified when nobody wanted to know.  They have a second, as new ones. */
static void ask_for_serials(struct multipath *m)
{
	struct path *path;

	m->settling_since_ns = m->now_ns;
	for_each_path(m, path) {
		if (!path->identified || path->serial_known)
			continue;
		path->recheck_identity = true;
		path->next_check_ns = m->now_ns;
		wake_by(m, m->now_ns);
	}
}

/* To form them by half of the facts would move the LUN, only to move it back a moment later. */
static bool facts_are_to_come(const struct multipath *m)
{
	const struct path *path;

	if (m->nr_unsettled)
		return true;
	if (by_alua(m))
		list_for_each_entry(path, &m->hw.paths, hw_node)
			if (!path->tpg.state_known)
				return true;
	if (by_serial(m))
		for_each_path(m, path)
			if (path->identified && !path->serial_known)
				return true;
	return false;
}

static uint64_t regroup_not_before(const struct multipath *m)
{
	if (m->groups_formed)
		return m->regroup_next_ns;
	return facts_are_to_come(m) ? m->settling_since_ns + FORMING_MAX_NS : m->now_ns;
}

void policy_timeout(struct multipath *m)
{
	uint64_t not_before_ns;

	if (m->stopping)
		return;
	failback_timeout(m);
	if (!m->settings.policy.on || !m->groups_doubted)
		return;
	not_before_ns = regroup_not_before(m);
	if (m->now_ns < not_before_ns) {
		wake_by(m, not_before_ns);
		return;
	}
	learn_priorities(m);
	m->groups_doubted = false;
	m->regroup_asked = true;
	m->actions->regroup = true;
}

/*
 * Port groups were to tell which paths belong together, and nobody asks for their states
 * (hw_handler=none), or there are none (emc, rdac, hp_sw): all paths would be alike, and share one
 * group over both controllers.  prio=const says that they are.
 */
static bool would_mix_controllers(const struct multipath *m)
{
	bool has_port_groups = m->lun.inquiry[5] & 0x30;

	return m->settings.policy.grouping == GROUPING_GROUP_BY_PRIO && wants_alua(m) &&
	       !by_alua(m) && (m->hw.type || has_port_groups);
}

static enum grouping grouping_of(const struct multipath *m)
{
	return would_mix_controllers(m) ? GROUPING_FAILOVER : m->settings.policy.grouping;
}

static void describe_paths(const struct multipath *m, struct grouping_path *paths)
{
	const struct path *path;

	for_each_path(m, path)
		*paths++ = (struct grouping_path){
			.prio = path->prio,
			.usable = true, /* a failure is no reason to move a path */
			.tpg = path->tpg.known ? path->tpg.id : 0,
			.serial = path->serial,
		};
}

static bool are_in_place(const struct multipath *m, const unsigned int *numbers)
{
	const struct path *path;

	for_each_path(m, path)
		if (path->pg->number != *numbers++)
			return false;
	return true;
}

struct mpath_change *mpath_change_policy(struct multipath *m, struct strbuf *error)
{
	struct grouping_group *groups = calloc(m->nr_paths + 1, sizeof(*groups));
	struct grouping_path *paths = calloc(m->nr_paths + 1, sizeof(*paths));
	unsigned int *numbers = calloc(m->nr_paths + 1, sizeof(*numbers));
	struct mpath_change *change = NULL;
	bool right = false;

	if (groups && paths && numbers) {
		describe_paths(m, paths);
		group_paths(grouping_of(m), paths, m->nr_paths, groups, numbers);
		right = are_in_place(m, numbers);
		if (!right)
			change = mpath_change_regroup(m, numbers, error);
	} else {
		strbuf_printf(error, "not enough memory for the map");
	}
	if (!right && !change)
		m->groups_doubted = true;
	free(groups);
	free(paths);
	free(numbers);
	return change;
}

static void groups_are_formed(struct multipath *m)
{
	m->regroup_asked = false;
	if (!m->groups_formed)
		m->run_held = true;
	m->groups_formed = true;
}

/* Groups are as the array's last word has them: what was not followed was no move. */
static void look_at_formed_groups(struct multipath *m)
{
	groups_are_formed(m);
	recall_groups(m);
	look_for_better_group(m);
	if (!m->groups_doubted)
		m->array_moved = false;
}

/* The answer is that nothing has to be changed, or cannot be now. */
void policy_is_content(struct multipath *m)
{
	look_at_formed_groups(m);
	if (!m->groups_doubted)
		return;
	m->regroup_next_ns = m->now_ns + REGROUP_INTERVAL_NS;
	wake_by(m, m->regroup_next_ns);
}

/* Other groups are in place, nothing is activated yet. */
void policy_takes_over(struct multipath *m, bool is_reload)
{
	if (is_reload) {
		m->groups_formed = false;
		m->failback_due_ns = 0;
		m->next_is_ours = false;
		if (by_serial(m))
			ask_for_serials(m);
		doubt_groups(m);
		return;
	}
	if (!m->regroup_asked)
		return;
	if (!m->groups_formed)
		m->next_pg = NULL; /* the first of the list, which may be the last now */
	m->regroup_next_ns = m->now_ns + REGROUP_INTERVAL_NS;
	trace(m, "groups are formed anew");
	notice(m, NOTICE_OTHER, NULL, "paths are in %u priority group%s now", m->nr_groups,
	       noun_s(m->nr_groups));
	look_at_formed_groups(m);
}
