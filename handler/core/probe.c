/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking after paths: opening them, asking whether they are usable (the checker) and whether
 * they lead to our LUN (identify.c), closing them.
 *
 * A failed path is asked every recheck_interval, a good one every polling_interval, spread in
 * time.  A path comes back when the checker says up and then its identity is confirmed (D8).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/multipath.h"
#include "core/registry.h"
#include "core/verdict.h"
#include "mpath/scsi.h"

/* The kernel's own time-out of a probe.  We stop waiting for it long before. */
#define PROBE_TIMEOUT_MS 10000

/* The first LUN seen is pinned: wait for the path that the table names first. */
#define IDENTIFY_LATER_NS (50 * NSEC_PER_MSEC)

/* An activation finds this host short of something, or the array busy: a pause, and for how long at
 * the most; the array is waited for only so long where another group can be used. */
#define SHORT_PAUSE_NS (50 * NSEC_PER_MSEC)
#define SHORT_TIME_NS  (30 * NSEC_PER_SEC)
#define BUSY_TIME_NS   (5 * NSEC_PER_SEC)

static void converse(struct multipath *m, struct path *path, const struct scsi_answer *answer);

static void check_at(struct multipath *m, struct path *path, uint64_t at_ns)
{
	path->next_check_ns = path->read_probe == READ_WANTED ? m->now_ns : at_ns;
	wake_by(m, path->next_check_ns);
}

static void check_again(struct multipath *m, struct path *path)
{
	uint64_t interval_ms = path->active && !path->suspect ? m->settings.polling_interval_ms
							      : m->settings.recheck_interval_ms;

	check_at(m, path, m->now_ns + interval_ms * NSEC_PER_MSEC);
}

/*
 * A good path's checks keep their place in the interval, each path another one.  These are full
 * seconds, so that an idle machine wakes up once for all maps.
 */
static void check_in_turn(struct multipath *m, struct path *path)
{
	uint64_t interval = m->settings.polling_interval_ms * NSEC_PER_MSEC;
	uint64_t place = interval * (path->id % m->nr_paths) / m->nr_paths;
	uint64_t at = m->now_ns - m->now_ns % interval + place;

	if (interval >= NSEC_PER_SEC)
		at -= place % NSEC_PER_SEC;

	check_at(m, path, at > m->now_ns ? at : at + interval);
}

static void begin(struct multipath *m, struct path *path, enum probe_purpose purpose)
{
	assert(path->link == LINK_OPEN && path->probing == PROBE_NONE);
	path->probing = purpose;
	path->probe_step = 0;
	path->probe_retries = 0;
	if (purpose == PROBE_IDENTIFY)
		path->recheck_identity = false; /* what raises a doubt from now on is news */
	if (purpose == PROBE_CHECK) {
		path->checker = m->settings.checker;
		if (path->read_probe == READ_WANTED) {
			path->checker = path_checker_find("directio");
			path->read_probe = READ_IS_OUT;
		}
		memset(path->checker_context, 0, path->checker->context_size);
	}
	converse(m, path, NULL);
}

/*
 * What to ask a path: a good one whether it is up; one that has failed whether it is still our LUN,
 * too, but not before its checker is content.
 */
static void begin_check(struct multipath *m, struct path *path)
{
	path->next_check_ns = 0;
	tally_check(m, path);
	if (path->read_probe == READ_WANTED ||
	    (m->settings.checker && !(path->active && path->recheck_identity)))
		begin(m, path, PROBE_CHECK);
	else if (path->recheck_identity || (!path->active && !path->failed_by_message))
		begin(m, path, PROBE_IDENTIFY);
	else
		path_settled(m, path); /* failed by message before it was looked at */
}

/*
 * A path that has failed is given less time, so that it is soon asked again; but twice as much each
 * time that it has not answered, since an array may be slow for all of them.
 */
static uint64_t patience_with_failed_ms(const struct multipath *m, const struct path *path)
{
	uint64_t ms = m->settings.recheck_interval_ms, enough = m->settings.checker_timeout_ms;
	unsigned int i;

	for (i = 0; i < path->nr_unanswered && ms < enough; i++)
		ms = 2 * ms < enough ? 2 * ms : enough;
	return ms;
}

/* We wait so long for a probe; the kernel's time-out would come much later. */
static uint64_t probe_patience_ns(const struct multipath *m, const struct path *path)
{
	uint64_t ms;

	/* Of what may take long the handler says so itself. */
	if (path->probe.cmd.timeout_ms > PROBE_TIMEOUT_MS)
		return path->probe.cmd.timeout_ms * NSEC_PER_MSEC;
	ms = path->active ? m->settings.checker_timeout_ms : patience_with_failed_ms(m, path);

	return (ms < 1000 ? 1000 : ms) * NSEC_PER_MSEC;
}

/*
 * Nearly all data goes into the path's own buffer, as paths are asked side by side.  The map has
 * one for answers that are longer, for one path at a time: whose it is until it has been answered,
 * or given up for good.  Nobody waits for it: who does not get it has to ask for less.
 */
static struct scsi_question new_question(const struct multipath *m, struct path *path)
{
	bool is_free = !m->long_reader || m->long_reader == path;

	return (struct scsi_question){
		.cmd = &path->probe.cmd,
		.data = path->probe_buf,
		.room = is_free ? PATH_PROBE_BUF_SIZE : PATH_PROBE_OWN_SIZE,
	};
}

static void long_answer_is_over(struct multipath *m, const struct path *path)
{
	if (m->long_reader == path)
		m->long_reader = NULL;
}

static const uint8_t *answer_buffer(const struct multipath *m, const struct path *path)
{
	return m->long_reader == path ? m->long_answer : path->probe_buf;
}

/* What nobody looks at may come over itself. */
static void fit_into_own_buffer(struct path *path)
{
	struct scsi_cmd *cmd = &path->probe.cmd;
	size_t left = cmd->data_len;

	for (cmd->iov_cnt = 0; left; cmd->iov_cnt++) {
		size_t len = left < PATH_PROBE_OWN_SIZE ? left : PATH_PROBE_OWN_SIZE;

		path->probe_iov[cmd->iov_cnt] =
			(struct iovec){.iov_base = path->probe_buf, .iov_len = len};
		left -= len;
	}
}

static void set_buffer(struct multipath *m, struct path *path)
{
	struct scsi_cmd *cmd = &path->probe.cmd;

	cmd->iov = path->probe_iov;
	if (cmd->data_len <= PATH_PROBE_OWN_SIZE || cmd->medium) {
		long_answer_is_over(m, path);
		fit_into_own_buffer(path);
		return;
	}
	assert(!m->long_reader || m->long_reader == path);
	m->long_reader = path;
	path->probe_iov[0] = (struct iovec){.iov_base = m->long_answer, .iov_len = cmd->data_len};
	cmd->iov_cnt = 1;
}

static void send_probe(struct multipath *m, struct path *path)
{
	struct mpath_io *io = &path->probe;

	assert(io->cmd.data_len <= PATH_PROBE_BUF_SIZE);
	set_buffer(m, path);
	io->path = path;
	io->start_ns = m->now_ns;
	path->flow++;
	list_push_back(&m->actions->start, &io->node);
	wake_by(m, m->now_ns + probe_patience_ns(m, path));
}

static void end_probe(struct multipath *m, struct path *path)
{
	hw_conversation_over(path);
	if (path->probing == PROBE_CHECK && path->read_probe == READ_IS_OUT)
		path->read_probe = READ_NONE;
	path->probing = PROBE_NONE;
	path->resume_ns = 0;
	long_answer_is_over(m, path);
	if (path->link == LINK_CLOSING)
		close_link_if_idle(m, path);
}

/* The path does not answer, or not as a path should. */
static void path_down(struct multipath *m, struct path *path, const char *why)
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
	path->in_transition = path->active;
	if (path->active)
		suspect_path(m, path, why);
	else if (!path->settled)
		exclude_path(m, path, why);
	path_settled(m, path);
	check_at(m, path, m->now_ns + m->settings.recheck_interval_ms * NSEC_PER_MSEC);
}

static void path_up(struct multipath *m, struct path *path)
{
	bool stays_out = path->failed_by_message || is_held_out(m, path);

	path->lun_gone = false;
	if (path->recheck_identity || (!path->active && !stays_out)) {
		begin(m, path, PROBE_IDENTIFY);
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

static void checked(struct multipath *m, struct path *path, enum check_result result)
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
	tell_untold(m, path);
	if (!passive) {
		lun_identified(m, &path->seen);
		learn_limits(path);
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

/* Commands may wait for the probe's answer: so room for it is not waited for without end. */
static uint64_t patience_ends(const struct multipath *m, struct mpath_io *io)
{
	if (!io->short_until_ns)
		io->short_until_ns = m->now_ns + SHORT_TIME_NS;
	return io->short_until_ns;
}

static void identified(struct multipath *m, struct path *path, enum identify_result result,
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
		    m->now_ns >= patience_ends(m, &path->probe)) {
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
		restart_path_is_other(m, path);
		path_settled(m, path);
		/* Perhaps it is somebody else's disk: he is to find it free. */
		close_link(m, path);
		return;
	case IDENTIFY_DOWN:
		path_down(m, path, reason);
		return;
	case IDENTIFY_OK:
		if (path->recheck_identity) {
			begin(m, path, PROBE_IDENTIFY);
			return;
		}
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
		if (path->hw_explicit)
			path_identified(m, path, true);
		else
			path_down(m, path, reason);
		return;
	}
}

/* --- activation, and the states of port groups --- */

void activate_path(struct multipath *m, struct path *path)
{
	trace(m, "path %s: activate", path_name(path));
	path->probing = PROBE_ACTIVATE;
	path->probe.short_until_ns = 0;
	m->hw.type->begin(&m->hw, path, HW_ACTIVATE);
	converse(m, path, NULL);
}

void refresh_path(struct multipath *m, struct path *path)
{
	path->probing = PROBE_REFRESH;
	m->hw.type->begin(&m->hw, path, HW_REFRESH);
	converse(m, path, NULL);
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

/* Ends a conversation in which the array is given time.  False: it is not in such a pause. */
bool stop_waiting(struct multipath *m, struct path *path)
{
	if (!path->resume_ns || path->link != LINK_OPEN)
		return false;
	end_probe(m, path);
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
	case IDENTIFY_ASK:
	case IDENTIFY_OTHER:
	case IDENTIFY_DOWN:
		return HW_FAIL_PATH;
	}
	return HW_FAIL_PATH;
}

static void activation_identified(struct multipath *m, struct path *path,
				  enum identify_result result)
{
	if (m->activating_path == path && path->probing == PROBE_NONE)
		activation_over(m, path, after_activation(result));
}

/* No answer will come, or none that counts. */
static void conversation_lost(struct multipath *m, struct path *path)
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
		begin(m, path, PROBE_IDENTIFY);
	else
		activation_over(m, path, result);
}

static void converse_with_array(struct multipath *m, struct path *path,
				const struct scsi_answer *answer)
{
	struct scsi_question question = new_question(m, path);
	enum hw_result result;
	uint64_t wait_ns = 0;

	path->resume_ns = 0;
	path->probe.cmd = (struct scsi_cmd){.timeout_ms = PROBE_TIMEOUT_MS};
	result = m->hw.type->go_on(&m->hw, path, m->now_ns, answer, &question, &wait_ns);
	if (result == HW_SEND) {
		send_probe(m, path);
	} else if (result == HW_WAIT) {
		assert(!path->probe.cmd.cdb_len); /* see resume() */
		long_answer_is_over(m, path);
		if (m->activating_path == path && answer && !scsi_has_no_room(answer->result))
			m->pg_init_busy_ns = 0; /* it has time to say that this takes time */
		path->resume_ns = m->now_ns + wait_ns;
		wake_by(m, path->resume_ns);
	} else {
		array_has_said(m, path, result);
	}
}

static void converse(struct multipath *m, struct path *path, const struct scsi_answer *answer)
{
	struct scsi_question question = new_question(m, path);
	char text[PATH_REASON_MAX];
	struct strbuf reason;

	if (path->probing == PROBE_ACTIVATE || path->probing == PROBE_REFRESH) {
		converse_with_array(m, path, answer);
		return;
	}
	strbuf_init(&reason, text, sizeof(text));
	path->probe.cmd = (struct scsi_cmd){.timeout_ms = PROBE_TIMEOUT_MS};
	if (path->probing == PROBE_CHECK) {
		enum check_result result =
			path->checker->check(path->checker_context, answer, &question);
		if (result != CHECK_ASK) {
			trace(m, "path %s: checked", path_name(path));
			checked(m, path, result);
			return;
		}
	} else {
		enum identify_result result = identify(path, answer, &question, &reason);

		if (result != IDENTIFY_ASK) {
			identified(m, path, result, text);
			activation_identified(m, path, result);
			return;
		}
	}
	send_probe(m, path);
}

/*
 * Who talks about the states of port groups needs no other to be told of them, and a path in
 * standby says so whenever it is asked.
 */
static bool may_be_news(const struct path *path)
{
	return path->probing != PROBE_ACTIVATE && path->probing != PROBE_REFRESH &&
	       judge(&path->probe.result).verdict != IO_PATH_FAILED;
}

/*
 * A write that was answered GOOD is lost, which is told once: who asks again in our conversations
 * gets another answer, and the initiators never hear of it, if not from us (SPC-5 4.4.6).
 */
static void listen_for_losses(struct multipath *m, const struct path *path)
{
	if (!scsi_is_deferred(&path->probe.result))
		return;
	trace(m, "path %s: a deferred error", path_name(path));
	keep_news(m, &path->probe.result);
}

/*
 * It may be another LUN now.  The target tells each nexus once, so this is told to all paths that
 * lead to the same disk: it may be in two groups, or have left the map and come again.
 */
void doubt_identity(struct multipath *m, const struct path *path, const char *why)
{
	struct path *other;

	for_each_path(m, other) {
		if (other->link != LINK_OPEN || !is_same_disk(other, path))
			continue;
		other->recheck_identity = true;
		suspect_path(m, other, why);
	}
}

/*
 * A passive path has proved whose it is, too.  Of a LUN that was never seen nobody can have
 * believed anything.
 */
static void hear_for_initiators(struct multipath *m, struct path *path)
{
	if (!m->lun.known)
		return;
	if (path->identified || path->passive)
		keep_news(m, &path->probe.result);
	else
		keep_until_identified(path, &path->probe.result);
}

/*
 * A unit attention is told once: what a probe hears of the LUN's identity nobody else will.  Nor,
 * what is the initiators' business; but it is perhaps another LUN that speaks.
 */
static void listen_for_doubts(struct multipath *m, struct path *path)
{
	struct verdict generic = judge(&path->probe.result), verdict;

	if (may_be_news(path))
		verdict = judge_for(m, &path->probe.result);
	else
		verdict = judge_reset(m, &path->probe.result, generic);
	if (is_capacity_change(&path->probe.result))
		capacity_changed(m);
	else if (verdict.verdict == IO_DONE && is_told_once(&path->probe.result))
		hear_for_initiators(m, path);
	if (generic.verdict == IO_REIDENTIFY)
		doubt_identity(m, path, generic.why);
}

static bool another_group_will_do(const struct multipath *m)
{
	const struct priority_group *pg;

	for_each_group(m, pg)
		if (pg != m->current_pg && has_usable_path(pg))
			return true;
	return false;
}

/* Perhaps because it takes over from a controller that has died.  For all paths together. */
static uint64_t array_patience_ends(struct multipath *m)
{
	if (!m->pg_init_busy_ns)
		m->pg_init_busy_ns = m->now_ns;
	return m->pg_init_busy_ns + (another_group_will_do(m) ? BUSY_TIME_NS : SHORT_TIME_NS);
}

/*
 * A command of an activation has not left this host, or has found the array busy: the same command
 * again in a moment, as the kernel does it for commands of its own.
 */
static bool waits_for_room(struct multipath *m, struct path *path)
{
	struct mpath_io *io = &path->probe;
	uint64_t ends_ns;

	if (m->activating_path != path)
		return false;
	if (io->result.transport == TRANSPORT_BUSY) {
		ends_ns = patience_ends(m, io); /* neither the path's fault nor the array's (H7) */
	} else {
		io->short_until_ns = 0;
		if (!scsi_has_no_room(&io->result))
			return false;
		ends_ns = array_patience_ends(m);
	}
	if (m->now_ns >= ends_ns)
		return false;
	path->resume_ns = m->now_ns + SHORT_PAUSE_NS;
	wake_by(m, path->resume_ns);
	return true;
}

void probe_answered(struct multipath *m, struct path *path)
{
	struct mpath_io *io = &path->probe;
	struct scsi_answer answer = {.result = &io->result, .data = answer_buffer(m, path)};

	path->flow++;
	if (!scsi_result_is_good(&io->result))
		path_erred(m, path, io);
	restart_path_heard(m, path);
	if (io->result.residual < io->cmd.data_len)
		answer.len = io->cmd.data_len - io->result.residual;
	listen_for_losses(m, path);
	if (io->result.transport == TRANSPORT_GONE || io->result.transport == TRANSPORT_NOT_SENT)
		path->reopen = true;
	if (path->link != LINK_OPEN) {
		end_probe(m, path);
		return;
	}
	if (io->result.transport == TRANSPORT_OK)
		path_has_answered(m, path, io->start_ns);
	listen_for_doubts(m, path);
	if (path->probing == PROBE_CHECK && io->result.transport == TRANSPORT_OK) {
		path->last_check_ns = m->now_ns - io->start_ns;
		policy_check_answered(m, path);
	}
	if (!waits_for_room(m, path))
		converse(m, path, &answer);
}

void abandon_probe(struct multipath *m, struct path *path)
{
	if (path->probing == PROBE_NONE || path->probe.abandoned)
		return;
	hw_conversation_over(path);
	if (path->resume_ns) {
		path->probing = PROBE_NONE; /* no command is out */
		path->resume_ns = 0;
		long_answer_is_over(m, path);
		return;
	}
	path->probe.abandoned = true;
	list_del(&path->probe.node); /* as in abandon_io() */
	list_push_back(&m->actions->abandon, &path->probe.node);
}

void probe_abandoned(struct multipath *m, struct path *path)
{
	path->flow++;
	path->probe.abandoned = false;
	/* It was kept back like the others, if it began before these were let go: that is why. */
	if (!path->kept_back && path->probe.start_ns > path->kept_back_ns)
		restart_path_lost(m, path);
	end_probe(m, path);
	path_settled(m, path);
	if (path->link == LINK_OPEN)
		check_at(m, path, m->now_ns);
}

static void give_up_reads(struct multipath *m, struct path *path)
{
	struct mpath_io *io;

	list_for_each_entry(io, &path->flying, flight)
		if (io->cmd.class == CMD_READ)
			abandon_io(m, io);
}

/*
 * The path swallows commands.  Reads that are out there are given up, which is always safe, and
 * go elsewhere; writes have to wait for their own answer.
 */
static void probe_hung(struct multipath *m, struct path *path)
{
	trace(m, "path %s: the probe is not answered", path_name(path));
	if (!path->active)
		path->nr_unanswered++;
	path_down(m, path, "checker: no answer");
	conversation_lost(m, path);
	give_up_reads(m, path);
	abandon_probe(m, path);
}

static void open_link(struct multipath *m, struct path *path)
{
	path->next_check_ns = 0;
	path->link = LINK_OPENING;
	list_push_back(&m->actions->open, &path->action_node);
}

static void path_due(struct multipath *m, struct path *path)
{
	switch (path->link) {
	case LINK_CLOSED:
		open_link(m, path);
		return;
	case LINK_OPEN:
		if (path->reopen)
			close_link(m, path);
		else
			begin_check(m, path);
		return;
	case LINK_OPENING:
	case LINK_CLOSING:
		path->next_check_ns = 0; /* the answer schedules the next */
		return;
	}
}

/* After a pause: a command that has not left this host yet goes now, or the handler says which. */
static void resume(struct multipath *m, struct path *path)
{
	path->resume_ns = 0;
	if (path->probe.cmd.cdb_len)
		send_probe(m, path);
	else
		converse(m, path, NULL);
}

static void path_timeout(struct multipath *m, struct path *path)
{
	uint64_t patience_ends;

	if (path->probing != PROBE_NONE) {
		if (path->probe.abandoned)
			return;
		if (path->resume_ns) {
			if (m->now_ns >= path->resume_ns)
				resume(m, path);
			else
				wake_by(m, path->resume_ns);
			return;
		}
		patience_ends = path->probe.start_ns + probe_patience_ns(m, path);
		if (m->now_ns >= patience_ends)
			probe_hung(m, path);
		else
			wake_by(m, patience_ends);
		return;
	}
	if (!path->next_check_ns)
		return;
	if (m->now_ns >= path->next_check_ns)
		path_due(m, path);
	else
		wake_by(m, path->next_check_ns);
}

void paths_timeout(struct multipath *m)
{
	struct path *path;

	if (m->stopping)
		return;
	for_each_path(m, path) {
		path_timeout(m, path);
		quiet_is_over(m, path);
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

/* Who had asked did not hear it, and its command may have been executed where it should not. */
void kernel_has_heard(struct multipath *m, struct path *path, enum mpath_heard heard)
{
	if (m->stopping)
		return;
	switch (heard) {
	case HEARD_RESET:
		want_refresh(m);
		if (!note_reset(m, path, KERNEL_TELLS_RESET))
			doubt_identity(m, path, "reset, or a new nexus");
		tell_reset(m);
		return;
	case HEARD_STATES:
		want_refresh(m);
		return;
	case HEARD_IDENTITY:
		doubt_identity(m, path, "INQUIRY data or LUN list changed");
		return;
	case HEARD_CAPACITY:
		capacity_changed(m);
		return;
	case HEARD_ANYTHING:
		want_refresh(m);
		doubt_identity(m, path, "may be another LUN: news of it were lost");
		tell_reset(m);
		capacity_changed(m);
		return;
	}
}

/* A name means one disk: a path that had it before goes by its word in the table again. */
static void take_name(struct multipath *m, const struct path *path)
{
	struct path *other;

	for_each_path(m, other) {
		if (has_device(other) || !is_same_disk(other, path))
			continue;
		other->facts.name[0] = '\0';
		other->facts.device[0] = '\0';
	}
}

void path_opened(struct multipath *m, struct path *path, const struct path_facts *facts)
{
	assert(path->link == LINK_OPENING);
	path->link = LINK_OPEN;
	path->reopen = false;
	path->nr_unanswered = 0;
	path->told_refusal = false;
	path->facts = *facts;
	take_name(m, path);
	if (!path->facts.queue_depth)
		path->facts.queue_depth = 1;
	path->depth = path->facts.queue_depth;
	if (m->longest_transit_ms < facts->transit_ms)
		m->longest_transit_ms = facts->transit_ms;
	trace(m, "path %s: open", path_name(path));
	if (m->stopping || path->leaving) {
		close_link(m, path);
		return;
	}
	if (facts->unstable_name && !path->settled)
		notice(m, NOTICE_OTHER, path,
		       "%s may name another disk after a reboot: use /dev/disk/by-path",
		       path->address);
	memset(path->resets, 0, sizeof(path->resets)); /* of another disk, perhaps */
	restart_path_opened(m, path);
	begin_check(m, path);
}

void path_refused(struct multipath *m, struct path *path, const char *reason)
{
	assert(path->link == LINK_OPENING);
	path->link = LINK_CLOSED;
	if (path->leaving) {
		path_gone(m, path);
		return;
	}
	if (m->stopping)
		return;
	flaky_path_bad(m, path);
	exclude_path(m, path, reason);
	path_settled(m, path);
	check_again(m, path);
}

void path_closed(struct multipath *m, struct path *path)
{
	uint64_t pause_ms = path->reopen ? 0 : m->settings.polling_interval_ms;

	assert(path->link == LINK_CLOSING);
	path->link = LINK_CLOSED;
	restart_path_closed(m, path);
	if (path->leaving) {
		path_gone(m, path);
		return;
	}
	/* While another LUN is looked at, nobody else can have it: seldom. */
	if (!m->stopping)
		check_at(m, path, m->now_ns + pause_ms * NSEC_PER_MSEC);
}

void close_link(struct multipath *m, struct path *path)
{
	if (path->link != LINK_OPEN)
		return;
	trace(m, "path %s: close", path_name(path));
	path->link = LINK_CLOSING;
	path->identified = false;
	path->was_down = true;
	if (!m->stopping)
		fail_path(m, path, "the device went away");
	restart_link_closes(m, path);
	conversation_lost(m, path);
	hw_detach(path);
	give_up_reads(m, path);
	abandon_probe(m, path);
	close_link_if_idle(m, path);
}

/* The runtime may close the link once nothing of ours is out there. */
void close_link_if_idle(struct multipath *m, struct path *path)
{
	if (path->in_flight || path->probing != PROBE_NONE || path->counting || path->resetting ||
	    path->asking || restart_needs_link(m, path))
		return;
	list_push_back(&m->actions->close, &path->action_node);
}
