/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a path is asked whether it is usable, and what follows from its answers.
 *
 * A failed path is asked every recheck_interval, a good one every polling_interval, spread in
 * time.  A path comes back when the checker says up and then its identity is confirmed (D8).
 */
#include <assert.h>

#include "core/multipath.h"
#include "core/probe.h"
#include "core/verdict.h"
#include "mpath/scsi.h"

/* The first LUN seen is pinned: wait for the path that the table names first. */
#define IDENTIFY_LATER_NS (50 * NSEC_PER_MSEC)

void check_at(struct multipath *m, struct path *path, uint64_t at_ns)
{
	path->next_check_ns = path->read_probe == READ_WANTED ? m->now_ns : at_ns;
	wake_by(m, path->next_check_ns);
}

/* After a pause; but who has asked for the path's state (probe_paths) does not wait for that. */
void check_again(struct multipath *m, struct path *path)
{
	uint64_t interval_ms = path->active && !path->suspect ? m->settings.polling_interval_ms
							      : m->settings.recheck_interval_ms;

	check_at(m, path, m->now_ns + interval_ms * NSEC_PER_MSEC);
}

/*
 * A good path's checks keep their place in the interval, each path another one.  These are full
 * seconds, so that an idle machine wakes up once for all maps.
 */
void check_in_turn(struct multipath *m, struct path *path)
{
	uint64_t interval = m->settings.polling_interval_ms * NSEC_PER_MSEC;
	uint64_t place = interval * (path->id % m->nr_paths) / m->nr_paths;
	uint64_t at = m->now_ns - m->now_ns % interval + place;

	if (interval >= NSEC_PER_SEC)
		at -= place % NSEC_PER_SEC;

	check_at(m, path, at > m->now_ns ? at : at + interval);
}

/* Failed by message.  But what a dead process has left there only an answer can tell. */
static bool may_rest_unasked(const struct path *path)
{
	return path->failed_by_message && !path->foreign;
}

/*
 * What to ask a path: a good one whether it is up; one that has failed whether it is still our LUN,
 * too, but not before its checker is content.
 */
void begin_check(struct multipath *m, struct path *path)
{
	path->next_check_ns = 0;
	path->asked_later = false;
	tally_check(m, path);
	if (path->read_probe == READ_WANTED ||
	    (m->settings.checker && !(path->active && path->recheck_identity)))
		begin_probe(m, path, PROBE_CHECK);
	else if (path->recheck_identity || (!path->active && !may_rest_unasked(path)))
		begin_probe(m, path, PROBE_IDENTIFY);
	else
		path_settled(m, path); /* failed by message before it was looked at */
}

/* The path does not answer, or not as a path should. */
void path_down(struct multipath *m, struct path *path, const char *why)
{
	flaky_path_bad(m, path);
	path->was_down = true;
	if (path->active && path->ghost)
		fail_passive_path(m, path, why);
	else if (path->active)
		fail_path(m, path, why);
	else if (path->reason[0] == '\0' || !path->settled)
		exclude_path(m, path, why);
	path_settled(m, path);
	check_again(m, path);
}

static void path_in_transition(struct multipath *m, struct path *path)
{
	const char *why = "asymmetric access state transition";

	if (!path->suspect_since_ns)
		path->suspect_since_ns = m->now_ns;
	if (transition_lasts_too_long(m, path, path->suspect_since_ns)) {
		path_down(m, path, TRANSITION_TOO_LONG);
		return;
	}
	if (path->active) {
		note_transition(m, path);
		suspect_path(m, path, why);
	} else if (!path->settled) {
		exclude_path(m, path, why);
	}
	path_settled(m, path);
	check_again(m, path);
}

static void path_up(struct multipath *m, struct path *path)
{
	bool stays_out = path->failed_by_message || is_held_out(m, path);

	path->lun_gone = false;
	if (path->recheck_identity || (!path->active && !stays_out) ||
	    (path->active && nobody_says_what_is_shown(m, path))) {
		begin_probe(m, path, PROBE_IDENTIFY);
	} else if (stays_out) {
		path_settled(m, path);
		check_again(m, path);
	} else {
		flaky_path_good(m, path);
		clear_suspicion(m, path);
		check_in_turn(m, path);
		policy_path_checked(m);
	}
}

/*
 * In standby: with a hardware handler that can activate it, such a path is as good as any, and so
 * it is in dm.  Whether it has one is known after it was identified.
 */
static void path_ghost(struct multipath *m, struct path *path)
{
	bool unknown = list_empty(&path->hw_node) && may_have_hw_handler(m);

	if (path->hw_explicit || unknown)
		path_up(m, path);
	else
		path_down(m, path, "checker: ghost (standby)");
}

/* Our own shortage says nothing about the path (H7), nor do errors of others' commands. */
static bool says_nothing(const struct scsi_result *result)
{
	return result->transport == TRANSPORT_BUSY || scsi_is_deferred(result);
}

/* What the hardware handler takes for a transition the checker does not know as one. */
static bool is_told_to_wait(struct multipath *m, const struct path *path)
{
	return judge_for(m, &path->probe.result).verdict == IO_TRANSITIONING;
}

void checked(struct multipath *m, struct path *path, enum check_result result)
{
	end_probe(m, path);
	if (path->link != LINK_OPEN)
		return;

	path->ghost = result == CHECK_GHOST;
	switch (result) {
	case CHECK_ASK:
		assert(!"the conversation goes on");
		return;
	case CHECK_UP:
		path_up(m, path);
		return;
	case CHECK_LUN_NOT_READY:
		/* With no other path this one will do: it carries START STOP UNIT, too. */
		if (path->active || !m->nr_valid)
			path_up(m, path);
		else
			path_down(m, path, "checker: the LUN is not ready");
		return;
	case CHECK_ANSWERS: /* it has too much to do to say more: the way to it is good */
		if (path->active)
			path_up(m, path);
		else
			check_again(m, path);
		return;
	case CHECK_DOWN:
		if (is_told_to_wait(m, path))
			path_in_transition(m, path);
		else
			path_down(m, path, "checker: down");
		return;
	case CHECK_GHOST:
		path_ghost(m, path);
		return;
	case CHECK_PENDING:
		if (says_nothing(&path->probe.result))
			check_at(m, path,
				 m->now_ns + m->settings.recheck_interval_ms * NSEC_PER_MSEC);
		else
			path_in_transition(m, path);
		return;
	case CHECK_LUN_GONE:
		path_down(m, path, "the target has no such LUN (05/25/00)");
		path->lun_gone = true;
		m->run_held = true;
		return;
	}
}

bool attach_hw_handler(struct multipath *m, struct path *path)
{
	char text[PATH_REASON_MAX];
	struct strbuf reason;

	strbuf_init(&reason, text, sizeof(text));
	if (hw_attach(m, path, &reason)) {
		policy_path_known(m, path);
		return true;
	}
	exclude_path(m, path, text);
	path_settled(m, path);
	check_again(m, path);
	return false;
}

/* It is our LUN, as far as can be told. */
static void path_identified(struct multipath *m, struct path *path, bool passive)
{
	path->identified = !passive;
	path->passive = passive;
	path->asked_size = false;
	path_has_proved(m, path);
	tell_untold(m, path);
	if (!passive) {
		learn_limits(path);
		lun_identified(m, path);
		keep_limits(m);
	}
	clear_suspicion(m, path);
	if (!path->failed_by_message && !is_held_out(m, path))
		reinstate_path(m, path);
	learn_session(m, path);
	if (passive && path->active)
		pg_init_one(m, path);
	path_settled(m, path);
	if (path->held_out_ns)
		check_again(m, path);
	else
		check_in_turn(m, path);
}

/*
 * In a transition, or in what the hardware handler takes for one, the array does not tell a LUN's
 * size, whoever asks.  Of a path in use the question stands until that is over, as the checker's;
 * nor is it to be activated for that.
 */
static bool must_be_asked_later(struct multipath *m, const struct path *path)
{
	return path->active && path->identified && is_told_to_wait(m, path);
}

static void ask_later(struct multipath *m, struct path *path)
{
	path->recheck_identity = true;
	path_in_transition(m, path);
}

void identified(struct multipath *m, struct path *path, enum identify_result result,
		const char *reason)
{
	end_probe(m, path);
	if (path->link != LINK_OPEN)
		return;
	if (!scsi_has_no_room(&path->probe.result))
		path->probe.short_until_ns = 0;

	switch (result) {
	case IDENTIFY_ASK:
		assert(!"the conversation goes on");
		return;
	case IDENTIFY_LATER:
		if (scsi_has_no_room(&path->probe.result) &&
		    m->now_ns >= patience_with_room_ends(m, &path->probe)) {
			path_down(m, path, "cannot be identified: the target is busy");
			return;
		}
		path->recheck_identity = path->active; /* the doubt stands */
		check_at(m, path, m->now_ns + IDENTIFY_LATER_NS);
		return;
	case IDENTIFY_OTHER:
		path->tpg.state_known = false;
		path->untold = 0;
		exclude_path(m, path, reason);
		if (shows_larger_lun(path))
			doubt_size(m);
		restart_path_is_other(m, path);
		path_settled(m, path);
		/* Perhaps it is somebody else's disk: he is to find it free. */
		close_link(m, path);
		return;
	case IDENTIFY_DOWN:
		if (must_be_asked_later(m, path))
			ask_later(m, path);
		else
			path_down(m, path, reason);
		return;
	case IDENTIFY_DOUBTED:
		begin_probe(m, path, PROBE_IDENTIFY);
		return;
	case IDENTIFY_OK:
		if (!attach_hw_handler(m, path))
			return;
		if (path->ghost && !path->hw_explicit)
			path_down(m, path, "checker: ghost (standby)");
		else
			path_identified(m, path, false);
		return;
	case IDENTIFY_PASSIVE:
		if (!attach_hw_handler(m, path))
			return;
		if (must_be_asked_later(m, path))
			ask_later(m, path);
		else if (path->hw_explicit)
			path_identified(m, path, true);
		else
			path_down(m, path, reason);
		return;
	}
}

void probe_path_now(struct multipath *m, struct path *path)
{
	if (path->link == LINK_OPEN && path->probing == PROBE_NONE && !path->reopen)
		begin_check(m, path);
	else if (path->probing != PROBE_CHECK && path->probing != PROBE_IDENTIFY)
		check_at(m, path, m->now_ns);
}

void look_at_paths(struct multipath *m)
{
	struct path *path;

	if (m->stopping)
		return;
	for_each_path(m, path)
		probe_path_now(m, path);
}

/*
 * As dm's DM_MPATH_PROBE_PATHS: a block is read on each active path of the group that commands use,
 * but side by side, and not a second time for who asks meanwhile.  False: there is nothing to wait
 * for.
 */
bool probe_group_in_use(struct multipath *m)
{
	struct path *path;

	if (m->current_pg && !m->queue_io)
		list_for_each_entry(path, &m->current_pg->paths, node) {
			if (!path->active || path->read_probe != READ_NONE)
				continue;
			path->read_probe = READ_WANTED;
			probe_path_now(m, path);
		}
	return probes_are_out(m);
}

bool probes_are_out(const struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		if (path->read_probe != READ_NONE)
			return true;
	return false;
}
