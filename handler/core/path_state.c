/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A path fails, comes back, is in doubt.  dm's counters are kept as dm keeps them: fail_count and
 * the number of valid paths change only when a path really fails or is reinstated.
 */
#include <stdio.h>
#include <string.h>

#include "core/multipath.h"
#include "core/probe.h"

/* A path in transition is in doubt for that long, then it has failed; the array may announce it. */
#define TRANSITION_MAX_S 60

/* The selector chooses among paths that are active, not in doubt, and not demoted. */
void sync_selector(struct path *path)
{
	struct path_selector *ps = &path->pg->selector;
	bool want = path->active && !path->suspect && !path->hidden;

	if (want == path->selectable)
		return;
	path->selectable = want;
	if (want)
		ps->type->reinstate_path(ps, path);
	else
		ps->type->fail_path(ps, path);
}

static void set_reason(struct path *path, const char *reason)
{
	snprintf(path->reason, sizeof(path->reason), "%s", reason);
}

static void end_of_doubt(struct multipath *m, struct path *path)
{
	if (!path->suspect)
		return;
	path->suspect = false;
	path->in_transition = false;
	path->asked_later = false;
	path->suspect_since_ns = 0;
	m->nr_suspect--;
}

/* Programs always hear of it; the log only if it was told of the path's failing, too. */
void tell_last_path(struct multipath *m, bool logged)
{
	if (m->nr_valid)
		return;
	notice(m, NOTICE_NO_PATH, NULL, "no usable path is left: commands %s",
	       m->queue_if_no_path ? "are queued (queue_if_no_path)" : "fail");
	if (!logged)
		not_for_the_log(m);
}

static void take_out(struct multipath *m, struct path *path, const char *why)
{
	bool logged;

	path->active = false;
	path->asked_size = false;
	path->read_probe = READ_NONE;
	path->fail_count++;
	m->nr_path_faults++;
	if (--m->nr_valid == 0)
		last_path_is_lost(m);
	/* Who waited for this path's probe, or for room on it, must look again. */
	if (path->suspect || !list_empty(&m->backlog) ||
	    (!list_empty(&m->activating) && !pg_init_pending(m)))
		m->run_held = true;
	end_of_doubt(m, path);
	path->transition_over_ns = 0;
	forget_demotion(m, path);
	sync_selector(path);
	set_reason(path, why);
	pg_init_path_failed(m, path);
	policy_path_failed(m);
	check_again(m, path);

	trace(m, "path %s: failed (%s), %u left", path_name(path), why, m->nr_valid);
	logged = notice(m, NOTICE_PATH_FAILED, path, "failed (%s), %u of %u usable", why,
			m->nr_valid, m->nr_paths);
	tell_last_path(m, logged);
}

void fail_path(struct multipath *m, struct path *path, const char *why)
{
	if (!path->active)
		return;
	flaky_path_failed(m, path);
	take_out(m, path, why);
}

/* For dm it has failed, too, but nothing is wrong with it: the array has the LUN elsewhere now. */
void fail_passive_path(struct multipath *m, struct path *path, const char *why)
{
	if (path->active)
		take_out(m, path, why);
}

void reinstate_path(struct multipath *m, struct path *path)
{
	if (path->active)
		return;
	path->active = true;
	path->nr_unanswered = 0;
	restart_path_used(m, path);
	path->lun_gone = false;
	path->suspect_since_ns = 0;
	path->reason[0] = '\0';
	m->nr_valid++;
	m->run_held = true;
	sync_selector(path);
	pg_init_one(m, path);

	trace(m, "path %s: reinstated, %u usable", path_name(path), m->nr_valid);
	if (path->settled)
		notice(m, NOTICE_PATH_REINSTATED, path, "reinstated, %u of %u usable", m->nr_valid,
		       m->nr_paths);
	else
		notice(m, NOTICE_PATH_USABLE, path, "usable, %u of %u usable", m->nr_valid,
		       m->nr_paths);
	bypass_path_up(m, path->pg);
	policy_path_up(m, path, path->was_down);
	path->was_down = false;
}

static void begin_doubt(struct multipath *m, struct path *path, const char *why)
{
	if (!m->settings.checker)
		path->recheck_identity = true;
	trace(m, "path %s: in doubt (%s)", path_name(path), why);
	path->suspect = true;
	m->nr_suspect++;
	if (!list_empty(&m->backlog))
		m->run_held = true; /* who waited for room on it must look again */
	sync_selector(path);
	set_reason(path, why);
}

/*
 * Perhaps the path, perhaps the command: no new command goes there until a probe has told.  The
 * path has not failed.  Without a checker the identity check is the judge.
 */
void suspect_path(struct multipath *m, struct path *path, const char *why)
{
	if (!path->active || path->suspect)
		return;
	begin_doubt(m, path, why);
	probe_path_now(m, path);
}

static uint64_t good_commands(const struct path *path)
{
	const struct io_counters *counters = &path->stats.counters;

	return counters->good[SCSI_NO_DATA] + counters->good[SCSI_DATA_IN] +
	       counters->good[SCSI_DATA_OUT];
}

/* The probe has let commands go a moment ago, and of these none was good. */
static bool was_cleared_in_vain(const struct multipath *m, const struct path *path,
				uint64_t sent_ns)
{
	return path->cleared_ns && sent_ns >= path->cleared_ns &&
	       m->now_ns - path->cleared_ns < m->settings.recheck_interval_ms * NSEC_PER_MSEC &&
	       good_commands(path) == path->good_when_cleared;
}

static bool has_usable_sibling(const struct path *path)
{
	const struct path *other;

	list_for_each_entry(other, &path->pg->paths, node)
		if (other != path && other->active && !other->suspect)
			return true;
	return false;
}

/*
 * As suspect_path(), for a command that was sent at @sent_ns.  Where questions get through and
 * nothing else, each probe would send the next ones into the same trouble.  But where the group has
 * no other path nobody waits for that: it may be the command, and not the path.
 */
void suspect_path_of(struct multipath *m, struct path *path, uint64_t sent_ns, const char *why)
{
	if (!path->active || path->suspect || !was_cleared_in_vain(m, path, sent_ns) ||
	    !has_usable_sibling(path)) {
		suspect_path(m, path, why);
		return;
	}
	begin_doubt(m, path, why);
	path->asked_later = true;
	check_again(m, path);
}

/* A command has found no other path: the sibling has failed since, or has failed the command. */
void end_pauses(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path) {
		if (!path->asked_later)
			continue;
		path->asked_later = false;
		probe_path_now(m, path);
	}
}

bool transition_lasts_too_long(const struct multipath *m, const struct path *path,
			       uint64_t since_ns)
{
	uint64_t limit_s = path->tpg.transition_s ? path->tpg.transition_s : TRANSITION_MAX_S;

	return m->now_ns - since_ns >= limit_s * NSEC_PER_SEC;
}

/* The checker lets commands go, and the next one is told the same again. */
static bool is_unseen_by_checker(const struct multipath *m, const struct path *path,
				 uint64_t sent_ns)
{
	return path->transition_over_ns && sent_ns >= path->transition_over_ns &&
	       m->now_ns - path->transition_over_ns <
		       m->settings.recheck_interval_ms * NSEC_PER_MSEC;
}

/* One that goes on unseen by the checker is no new one. */
static void enter_transition(struct multipath *m, struct path *path, bool goes_on)
{
	if (!path->in_transition && !goes_on)
		path->transition_ns = m->now_ns;
	path->in_transition = true;
}

/* The checker is told of it. */
void note_transition(struct multipath *m, struct path *path)
{
	enter_transition(m, path, is_unseen_by_checker(m, path, m->now_ns));
}

/*
 * A command is told that the port group changes its state.  The checker is asked when that is over;
 * but not every one sees it (emc_clariion and rdac read pages that are there all the time).  Then
 * there is a pause before commands try again: true, and that was none of the command's tries.
 */
bool told_transition(struct multipath *m, struct path *path, uint64_t sent_ns, const char *why)
{
	bool again = is_unseen_by_checker(m, path, sent_ns);

	if (!path->active)
		return false;
	if (again && transition_lasts_too_long(m, path, path->transition_ns)) {
		fail_path(m, path, TRANSITION_TOO_LONG);
		return false;
	}
	enter_transition(m, path, again);
	if (path->suspect)
		return true;
	if (!again) {
		suspect_path(m, path, why);
		return false;
	}
	begin_doubt(m, path, why);
	check_again(m, path);
	return true;
}

void clear_suspicion(struct multipath *m, struct path *path)
{
	bool by_array = path->in_transition;

	if (!path->suspect)
		return;
	trace(m, "path %s: cleared", path_name(path));
	if (by_array)
		path->transition_over_ns = m->now_ns;
	end_of_doubt(m, path);
	path->cleared_ns = m->now_ns;
	path->good_when_cleared = good_commands(path);
	sync_selector(path);
	path->reason[0] = '\0';
	m->run_held = true;
	if (path->needs_activation)
		pg_init_one(m, path);		/* its group was activated without it */
	policy_path_cleared(m, path, by_array); /* who did not wait for it may come back */
}

/* Not a way to our LUN, or not to be had: told once for each new reason. */
void exclude_path(struct multipath *m, struct path *path, const char *reason)
{
	bool news = strcmp(path->reason, reason) != 0;

	path->identified = false;
	path->was_down = true;
	fail_path(m, path, reason);
	set_reason(path, reason);
	sync_selector(path);
	if (!news)
		return;
	trace(m, "path %s: excluded: %s", path_name(path), reason);
	notice(m, NOTICE_PATH_EXCLUDED, path, "not used: %s", reason);
}

void path_settled(struct multipath *m, struct path *path)
{
	if (path->settled)
		return;
	path->settled = true;
	m->nr_unsettled--;
	m->run_held = true;
	sync_selector(path);
	doubt_groups(m);
	restart_reconsider(m);
}

bool still_settling(const struct multipath *m)
{
	return m->nr_unsettled && !m->settling_over;
}

void settling_timeout(struct multipath *m)
{
	uint64_t early_ends_ns = m->settling_since_ns + CHOOSING_EARLY_NS;
	uint64_t ends_ns = m->settling_since_ns + SETTLING_MAX_NS;

	if (!still_settling(m))
		return;
	if (m->now_ns < early_ends_ns) {
		wake_by(m, early_ends_ns);
		return;
	}
	if (m->choosing_early) {
		trace(m, "%u paths are not looked at yet, commands go to the others",
		      m->nr_unsettled);
		m->choosing_early = false;
		m->run_held = true;
	}
	if (m->now_ns < ends_ns) {
		wake_by(m, ends_ns);
		return;
	}
	trace(m, "%u paths cannot be looked at, the others go on", m->nr_unsettled);
	m->settling_over = true;
	m->run_held = true;
}
