/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A path's probe: the one command of ours that may be out on it beside those of initiators.  It
 * asks whether the path is usable (check.c) and whether it leads to our LUN (identify.c), and
 * carries what the hardware handler says to the array (array_talk.c).
 */
#include <assert.h>
#include <string.h>

#include "core/multipath.h"
#include "core/probe.h"
#include "core/registry.h"
#include "mpath/scsi.h"

static void converse(struct multipath *m, struct path *path, const struct scsi_answer *answer);

void begin_probe(struct multipath *m, struct path *path, enum probe_purpose purpose)
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
struct scsi_question new_question(const struct multipath *m, struct path *path)
{
	bool is_free = !m->long_reader || m->long_reader == path;

	return (struct scsi_question){
		.cmd = &path->probe.cmd,
		.data = path->probe_buf,
		.room = is_free ? PATH_PROBE_BUF_SIZE : PATH_PROBE_OWN_SIZE,
	};
}

void long_answer_is_over(struct multipath *m, const struct path *path)
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

void send_probe(struct multipath *m, struct path *path)
{
	struct mpath_io *io = &path->probe;

	assert(io->cmd.data_len <= PATH_PROBE_BUF_SIZE);
	set_buffer(m, path);
	io->path = path;
	io->start_ns = m->now_ns;
	path->probe_waits_ns = m->now_ns;
	path->flow++;
	list_push_back(&m->actions->start, &io->node);
	wake_by(m, m->now_ns + probe_patience_ns(m, path));
}

void end_probe(struct multipath *m, struct path *path)
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

/* Commands may wait for the probe's answer: so room for it is not waited for without end. */
uint64_t patience_with_room_ends(const struct multipath *m, struct mpath_io *io)
{
	if (!io->short_until_ns)
		io->short_until_ns = m->now_ns + SHORT_TIME_NS;
	return io->short_until_ns;
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

void give_up_reads(struct multipath *m, struct path *path)
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

/*
 * After a pause the handler says what is sent.  There may have been no room for its command, and
 * that is not sent as it was: perhaps nobody wants all of it any more (rdac).
 */
static void resume(struct multipath *m, struct path *path)
{
	path->resume_ns = 0;
	if (path->probing == PROBE_IDENTIFY)
		send_probe(m, path);
	else
		converse(m, path, NULL);
}

/*
 * Nobody has looked when its time was over: the loop stood still, perhaps before it sent the probe,
 * or the whole machine did, and the answer is still on its way.  With all paths asked at the same
 * time all of them would fail for nothing.
 */
static bool has_time_once_more(const struct multipath *m, const struct path *path)
{
	return m->woken_late && path->probe_waits_ns == path->probe.start_ns;
}

static void give_time_once_more(struct multipath *m, struct path *path)
{
	trace(m, "path %s: the probe has its time once more", path_name(path));
	path->probe_waits_ns = m->now_ns;
	wake_by(m, m->now_ns + probe_patience_ns(m, path));
}

static void probe_timeout(struct multipath *m, struct path *path)
{
	uint64_t due_ns;

	if (path->probe.abandoned)
		return;
	due_ns = path->resume_ns ? path->resume_ns
				 : path->probe_waits_ns + probe_patience_ns(m, path);
	if (m->now_ns < due_ns)
		wake_by(m, due_ns);
	else if (path->resume_ns)
		resume(m, path);
	else if (has_time_once_more(m, path))
		give_time_once_more(m, path);
	else
		probe_hung(m, path);
}

static void path_timeout(struct multipath *m, struct path *path)
{
	if (path->probing != PROBE_NONE)
		probe_timeout(m, path);
	else if (path->next_check_ns && m->now_ns >= path->next_check_ns)
		path_due(m, path);
	else if (path->next_check_ns)
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
