/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the hardware handler says to the array, by a path's probe: the activation of a group
 * (pg_init.c), and the question for the states of port groups (hw.c).
 */
#include <assert.h>

#include "core/multipath.h"
#include "core/probe.h"
#include "mpath/scsi.h"

/* An activation finds this host short of something, or the array busy: a pause, and for how long
 * at the most the array is waited for where another group can be used. */
#define SHORT_PAUSE_NS (50 * NSEC_PER_MSEC)
#define BUSY_TIME_NS   (5 * NSEC_PER_SEC)
/* So long after that time it has it anew. */
#define IMPATIENT_NS (60 * NSEC_PER_SEC)

/* An array has no more than some dozen things to say at a time that it says once. */
#define OTHER_NEWS_MAX 16

static void begin_activation(struct multipath *m, struct path *path)
{
	trace(m, "path %s: activate", path_name(path));
	path->probing = PROBE_ACTIVATE;
	path->probe_retries = 0;
	path->probe.short_until_ns = 0;
	m->hw.type->begin(&m->hw, path, HW_ACTIVATE);
	converse_with_array(m, path, NULL);
}

void activate_path(struct multipath *m, struct path *path)
{
	path->activation = NOT_ANEW;
	begin_activation(m, path);
}

void refresh_path(struct multipath *m, struct path *path)
{
	path->probing = PROBE_REFRESH;
	path->probe_retries = 0;
	m->hw.type->begin(&m->hw, path, HW_REFRESH);
	converse_with_array(m, path, NULL);
}

/* The next check had to wait for the conversation.  A path that is leaving has none. */
static void go_on_checking(struct multipath *m, struct path *path)
{
	if (path->leaving)
		return;
	if (path->next_check_ns)
		wake_by(m, path->next_check_ns);
	else
		check_in_turn(m, path);
}

/*
 * Ends a conversation in which the array is given time.  False: it is not in such a pause.  A doubt
 * whose LUN it is, or how large, stands until that has been told.
 */
bool stop_waiting(struct multipath *m, struct path *path)
{
	bool is_doubted = path->probing == PROBE_IDENTIFY && path->active &&
			  (path->suspect || path->identified);

	if (!path->resume_ns || path->link != LINK_OPEN)
		return false;
	end_probe(m, path);
	path->recheck_identity |= is_doubted;
	if (is_doubted)
		check_at(m, path, m->now_ns);
	else
		go_on_checking(m, path);
	return true;
}

static void activation_over(struct multipath *m, struct path *path, enum hw_result result)
{
	pg_init_done(m, path, result);
	go_on_checking(m, path);
}

/*
 * A path whose size was not to be had before has told it now, or is not our LUN.  One that does not
 * tell it yet, although the array says that it is done, is asked again as if the array had said so:
 * scsi_dh would have let commands go there, and be refused.
 */
static enum hw_result after_activation(enum identify_result result)
{
	switch (result) {
	case IDENTIFY_OK:
		return HW_DONE;
	case IDENTIFY_PASSIVE:
	case IDENTIFY_LATER:
		return HW_RETRY;
	case IDENTIFY_DOUBTED:
	case IDENTIFY_ASK:
	case IDENTIFY_OTHER:
	case IDENTIFY_DOWN:
		return HW_FAIL_PATH;
	}
	return HW_FAIL_PATH;
}

/* No answer will come, or none that counts. */
void conversation_lost(struct multipath *m, struct path *path)
{
	if (m->activating_path == path)
		pg_init_done(m, path, HW_FAIL_PATH);
	if (m->refreshing == path)
		refreshed(m, HW_FAIL_PATH);
}

static void array_has_said(struct multipath *m, struct path *path, enum hw_result result)
{
	enum probe_purpose purpose = path->probing;

	end_probe(m, path);
	if (purpose == PROBE_REFRESH) {
		refreshed(m, result);
		go_on_checking(m, path);
		return;
	}
	tell_port_groups(m);
	if (result == HW_DONE && path->passive && path->active)
		begin_probe(m, path, PROBE_IDENTIFY);
	else
		activation_over(m, path, result);
}

/*
 * Commands have left its group, or it has failed, while the array had a question of its activation.
 * With the answer that is over: nobody waits for what is still to be said, and it would move the
 * LUN.
 */
static bool turn_is_over(const struct multipath *m, const struct path *path)
{
	return m->activating_path == path &&
	       (!path->active || (m->current_pg && path->pg != m->current_pg));
}

/*
 * It may be another LUN, as the array has said meanwhile, perhaps to the very question whether ours
 * is there: that one is not to be moved.  Once: then the activation begins anew, or goes on.
 */
static bool must_be_identified_first(const struct multipath *m, const struct path *path)
{
	return m->activating_path == path && path->recheck_identity && path->activation == NOT_ANEW;
}

static void identify_first(struct multipath *m, struct path *path)
{
	end_probe(m, path);
	path->activation = ANEW_IF_OURS;
	begin_probe(m, path, PROBE_IDENTIFY);
}

void activation_identified(struct multipath *m, struct path *path, enum identify_result result)
{
	bool is_ours = result == IDENTIFY_OK || result == IDENTIFY_PASSIVE;

	if (m->activating_path != path || path->probing != PROBE_NONE)
		return;
	if (path->activation == ANEW_IF_OURS && is_ours && !turn_is_over(m, path)) {
		path->activation = IS_ANEW;
		begin_activation(m, path);
	} else {
		activation_over(m, path, after_activation(result));
	}
}

/*
 * The array has not looked at the question, and the next answer may be another such: they are none
 * of the few tries that a handler gives an array that is busy.
 */
static bool was_told_other_news(struct path *path, const struct scsi_answer *answer)
{
	struct scsi_sense sense;

	return answer && scsi_outcome(answer, &sense) == OUTCOME_AGAIN &&
	       is_told_once(answer->result) && path->probe_retries++ < OTHER_NEWS_MAX;
}

static bool was_asked_to_move(const struct priority_group *pg)
{
	const struct path *path;

	list_for_each_entry(path, &pg->paths, node)
		if (path->hw_has_moved)
			return true;
	return false;
}

/*
 * The array was changing its states before it was asked to, which may take minutes.  Commands need
 * not wait for that, unless the administrator wants them here.
 */
static bool is_kept_waiting(const struct multipath *m, const struct path *path)
{
	return m->activating_path == path && is_in_transition(path) && !m->current_is_asked_for &&
	       !was_asked_to_move(path->pg) && need_not_move(m, path->pg);
}

/*
 * The transition has just been heard of.  An array that tells of the group that is asked only must
 * be asked for the others, too, to see who serves; else nobody may do that before it is over.
 */
static void ask_who_serves(struct multipath *m, const struct path *path)
{
	if (is_in_transition(path) && path->tpg.since_ns == m->now_ns)
		want_refresh(m);
}

/* As if a command had been told.  It is activated once that is over, if commands are here then. */
static void leave_transition(struct multipath *m, struct path *path)
{
	pg_init_path_failed(m, path);
	tell_port_groups(m);
	told_transition(m, path, m->now_ns, "port group in transition");
	path->needs_activation = path->suspect;
}

/* Busy, or quiesced: it may do what is asked for in a while. */
static bool is_not_now(const struct multipath *m, const struct scsi_result *result)
{
	return scsi_has_no_room(result) || asks_for_patience(m, result);
}

void converse_with_array(struct multipath *m, struct path *path, const struct scsi_answer *answer)
{
	struct scsi_question question = new_question(m, path);
	enum hw_result result;
	uint64_t wait_ns = 0;

	path->resume_ns = 0;
	path->probe.cmd = (struct scsi_cmd){.timeout_ms = PROBE_TIMEOUT_MS};
	if (was_told_other_news(path, answer))
		answer = NULL; /* as after a pause: the same question */
	result = m->hw.type->go_on(&m->hw, path, m->now_ns, answer, &question, &wait_ns);
	if ((result == HW_SEND || result == HW_WAIT) && turn_is_over(m, path))
		result = HW_RETRY;
	if ((result == HW_SEND || result == HW_WAIT) && must_be_identified_first(m, path)) {
		identify_first(m, path);
	} else if (result == HW_SEND) {
		send_probe(m, path);
	} else if (result == HW_WAIT) {
		long_answer_is_over(m, path);
		if (m->activating_path == path && answer && !is_not_now(m, answer->result))
			m->pg_init_busy_ns = 0; /* it has time to say that this takes time */
		path->resume_ns = m->now_ns + wait_ns;
		wake_by(m, path->resume_ns);
		ask_who_serves(m, path);
		if (is_kept_waiting(m, path))
			leave_transition(m, path);
	} else {
		array_has_said(m, path, result);
	}
}

/* With @rested only one whose array has not been too busy lately. */
static bool another_group_will_do(const struct multipath *m, bool rested)
{
	const struct priority_group *pg;

	for_each_group(m, pg)
		if (pg != m->current_pg && has_usable_path(pg) &&
		    (!rested || m->now_ns >= pg->impatient_ns))
			return true;
	return false;
}

/*
 * Perhaps because it takes over from a controller that has died.  For all paths together.  Where
 * another group can be used it has that time now and then only: a path that has failed for that is
 * back in a second, and failback may send commands there again.  But not never: it may be done a
 * moment after each time that it is asked.  And the administrator may ask as often as he likes.
 */
static bool has_time(struct multipath *m, struct priority_group *pg)
{
	bool had_its_time = m->now_ns < pg->impatient_ns && !m->current_is_asked_for &&
			    another_group_will_do(m, true);

	if (!m->pg_init_busy_ns)
		m->pg_init_busy_ns = m->now_ns;
	if (!another_group_will_do(m, false))
		return m->now_ns < m->pg_init_busy_ns + SHORT_TIME_NS;
	if (had_its_time)
		return false;
	if (m->now_ns < m->pg_init_busy_ns + BUSY_TIME_NS)
		return true;
	pg->impatient_ns = m->now_ns + IMPATIENT_NS;
	return false;
}

/*
 * A command of an activation has not left this host, or has found the array busy: once more in a
 * moment, as the kernel does it for commands of its own.
 */
bool waits_for_room(struct multipath *m, struct path *path)
{
	struct mpath_io *io = &path->probe;

	if (m->activating_path != path || turn_is_over(m, path))
		return false;
	if (io->result.transport == TRANSPORT_BUSY) {
		if (m->now_ns >= patience_with_room_ends(m, io))
			return false; /* neither the path's fault nor the array's (H7) */
	} else {
		io->short_until_ns = 0;
		if (!is_not_now(m, &io->result) || !has_time(m, path->pg))
			return false;
	}
	path->resume_ns = m->now_ns + SHORT_PAUSE_NS;
	wake_by(m, path->resume_ns);
	return true;
}
