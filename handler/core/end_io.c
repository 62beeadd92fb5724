/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an answer means: done, again, or elsewhere (DESIGN D9, D10).
 */
#include <assert.h>

#include "core/multipath.h"
#include "core/verdict.h"
#include "mpath/scsi.h"

/* Same-path retries: pauses in milliseconds.  After the last the answer goes up as it is. */
static const uint32_t retry_pause_ms[] = {0, 0, 10, 50, 100, 200, 400, 800};
#define RETRIES_MAX   (sizeof(retry_pause_ms) / sizeof(retry_pause_ms[0]))
#define RETRY_TIME_NS (5 * NSEC_PER_SEC)

/* A local resource was used up: pause, and for how long at the most. */
#define REQUEUE_PAUSE_NS (5 * NSEC_PER_MSEC)
#define REQUEUE_TIME_NS	 (30 * NSEC_PER_SEC)

/* Tries that may fail, besides one per path: ends what no other limit ends (H7). */
#define TRIES_MAX 32

bool io_suspects(const struct mpath_io *io, const struct path *path)
{
	unsigned int i;

	for (i = 0; i < io->nr_suspicions; i++)
		if (io->suspicions[i].path_id == path->id &&
		    io->suspicions[i].fail_count == path->fail_count)
			return true;
	return false;
}

/* A suspicion against a path that has really failed since is void: the command was innocent. */
static void drop_void_suspicions(const struct multipath *m, struct mpath_io *io)
{
	unsigned int i, kept = 0;

	for (i = 0; i < io->nr_suspicions; i++) {
		const struct path *path = find_path_by_id(m, io->suspicions[i].path_id);

		if (path && io->suspicions[i].fail_count == path->fail_count)
			io->suspicions[kept++] = io->suspicions[i];
	}
	io->nr_suspicions = (uint8_t)kept;
}

/* False: this command has left so many paths in doubt that it is at fault itself. */
bool note_suspicion(struct multipath *m, struct mpath_io *io, const struct path *path)
{
	drop_void_suspicions(m, io);
	if (io->nr_suspicions == IO_SUSPICIONS_MAX)
		return false;
	io->suspicions[io->nr_suspicions++] = (struct suspicion){
		.path_id = path->id,
		.fail_count = path->fail_count,
	};
	return true;
}

/*
 * All paths that are left were tried in vain, but there are others, which have failed: then it was
 * hardly the command.  Those that are left may be tried once more.
 */
bool may_try_them_again(struct multipath *m, struct mpath_io *io)
{
	const struct path *path;

	if (io->second_round)
		return false;
	for_each_path(m, path) {
		if (io_suspects(io, path))
			continue;
		trace(m, "io %02x: once more on the paths that are left", io->cmd.cdb[0]);
		io->second_round = true;
		io->nr_suspicions = 0;
		return true;
	}
	return false;
}

/* No path could carry the command to an answer: say so in our own words. */
void give_up(struct multipath *m, struct mpath_io *io)
{
	if (io->result.transport == TRANSPORT_OK)
		complete_io(m, io); /* a target's word is better than ours */
	else if (io->result.transport == TRANSPORT_REFUSED)
		complete_with_sense(m, io, 0x05, 0x24, 0x00);
	else
		complete_with_sense(m, io, 0x04, 0x08, 0x00);
}

/* No copy of the command is out, and nothing of it can land any more: it goes on. */
void no_copy_is_left(struct multipath *m, struct mpath_io *io)
{
	if (io->aborted) {
		complete_with_status(m, io, SAM_TASK_ABORTED);
		return;
	}
	switch (io->after_fence) {
	case THEN_GO_ELSEWHERE:
		map_io(m, io);
		return;
	case THEN_REFUSE:
		trace(m, "io %02x: may have been executed, not repeated", io->cmd.cdb[0]);
		complete_with_sense(m, io, 0x04, 0x08, 0x01);
		return;
	case THEN_GIVE_UP:
		give_up(m, io);
		return;
	}
}

/*
 * The path did not bring an answer that counts.  A command that was never executed goes elsewhere
 * whatever its class; otherwise the class decides.  What may still be executed waits until it
 * cannot any more, whatever becomes of it then: an answer would be as untrue as a repetition.
 */
static void leave(struct multipath *m, struct mpath_io *io, struct path *path,
		  enum after_fence after)
{
	io->after_fence = after;
	if (io->cmd.class != CMD_READ && transport_may_land(io->result.transport))
		fence_io(m, io, path);
	else
		no_copy_is_left(m, io);
}

/* What one path was asked for in vain says nothing of another, nor of this one after an outage. */
void retries_begin_anew(struct mpath_io *io)
{
	io->nr_retries = 0;
	io->retries_until_ns = 0;
	io->short_until_ns = 0;
}

/* The target has refused it for now, and commands wait for that: no limit of tries is needed. */
static void come_back_later(struct multipath *m, struct mpath_io *io, struct path *path)
{
	retries_begin_anew(io);
	leave(m, io, path, THEN_GO_ELSEWHERE);
}

static void go_elsewhere(struct multipath *m, struct mpath_io *io, struct path *path,
			 bool may_have_run)
{
	retries_begin_anew(io);
	if (may_have_run && io->cmd.class == CMD_ONCE) {
		leave(m, io, path, THEN_REFUSE);
	} else if (++io->nr_tries > TRIES_MAX + m->nr_paths) {
		trace(m, "io %02x: too many tries", io->cmd.cdb[0]);
		leave(m, io, path, THEN_GIVE_UP);
	} else {
		leave(m, io, path, THEN_GO_ELSEWHERE);
	}
}

/*
 * If its sense got lost the command has an error from now on, should it not come to another try: a
 * disk driver takes a CHECK CONDITION without sense for a false alarm, and the data for good.
 */
static void make_up_lost_sense(struct mpath_io *io)
{
	struct scsi_sense sense;

	if (io->result.status == SAM_CHECK_CONDITION &&
	    !scsi_sense_decode(io->result.sense, io->result.sense_len, &sense))
		scsi_sense_set(&io->result, (uint32_t)io->cmd.data_len, 0x04, 0x08,
			       io->cmd.class == CMD_ONCE ? 0x01 : 0x00);
}

static void retry(struct multipath *m, struct mpath_io *io, struct path *path, bool may_have_run)
{
	io->short_until_ns = 0; /* it was sent */
	make_up_lost_sense(io);
	if (!io->retries_until_ns)
		io->retries_until_ns = m->now_ns + RETRY_TIME_NS;
	if (io->nr_retries == RETRIES_MAX || m->now_ns >= io->retries_until_ns ||
	    (may_have_run && io->cmd.class == CMD_ONCE)) {
		complete_io(m, io);
		return;
	}
	trace(m, "io %02x: again on %s", io->cmd.cdb[0], path_name(path));
	if (may_have_run)
		comes_twice(m, io);
	io->prefers = true;
	io->preferred_id = path->id;
	delay_io(m, io, retry_pause_ms[io->nr_retries++] * NSEC_PER_MSEC);
}

/* From now on the command has an error: should it not come to another try, it must not be GOOD. */
static void has_not_worked(struct mpath_io *io)
{
	scsi_sense_set(&io->result, (uint32_t)io->cmd.data_len, 0x04, 0x08,
		       io->cmd.class == CMD_ONCE ? 0x01 : 0x00);
}

void retry_short_transfer(struct multipath *m, struct mpath_io *io, struct path *path)
{
	trace(m, "io %02x: %u bytes were not %s on %s", io->cmd.cdb[0], io->result.residual,
	      io->cmd.dir == SCSI_DATA_OUT ? "taken" : "sent", path_name(path));
	has_not_worked(io);
	retry(m, io, path, true);
}

static void requeue(struct multipath *m, struct mpath_io *io)
{
	io->retries_until_ns = 0; /* the target is not asked meanwhile */
	if (!io->short_until_ns)
		io->short_until_ns = m->now_ns + REQUEUE_TIME_NS;
	if (m->now_ns >= io->short_until_ns)
		complete_with_status(m, io, SAM_BUSY);
	else
		delay_io(m, io, REQUEUE_PAUSE_NS);
}

/* It goes up as it is, but some of it is our business, too. */
static void heed(struct multipath *m, struct path *path, const struct scsi_result *result)
{
	struct verdict verdict = judge(result);

	if (verdict.verdict == IO_REIDENTIFY)
		doubt_identity(m, path, verdict.why);
	if (tells_of_reset(result))
		m->reset_told_ns = m->now_ns;
	if (!is_capacity_change(result))
		return;
	m->capacity_told_ns = m->now_ns;
	capacity_changed(m);
}

/* LIO or the kernel drops the answer. */
static bool answers_nobody(const struct multipath *m, const struct mpath_io *io)
{
	return io->aborted || past_deadline(m, io);
}

/*
 * The target's word is the answer.  But LIO sends no status for a command that was aborted, and the
 * kernel takes no answer when cmd_time_out is over: what the array tells once must be told to
 * somebody else.  Rather twice than never, as the kernel's time is up a little later than ours.
 */
void pass_up(struct multipath *m, struct mpath_io *io)
{
	if (answers_nobody(m, io) && is_told_once(&io->result))
		keep_news(m, &io->result);
	complete_io(m, io);
}

/*
 * What an answer says of the path, whoever waits for it.  True: commands wait for the path's port
 * group, and that was none of the tries of this one, which was sent at @sent_ns.
 */
bool blame_path(struct multipath *m, struct path *path, uint64_t sent_ns,
		const struct scsi_result *result, const struct verdict *verdict)
{
	switch (verdict->verdict) {
	case IO_DONE:
		heed(m, path, result);
		return false;
	case IO_REIDENTIFY:
		doubt_identity(m, path, verdict->why);
		return false;
	case IO_TRANSITIONING:
		return told_transition(m, path, sent_ns, verdict->why);
	case IO_PATH_FAILED:
		path->reopen |= result->transport == TRANSPORT_GONE ||
				result->transport == TRANSPORT_NOT_SENT;
		if (result->transport == TRANSPORT_OK)
			fail_passive_path(m, path, verdict->why);
		else
			fail_path(m, path, verdict->why);
		return false;
	case IO_PATH_SUSPECT:
		suspect_path_of(m, path, sent_ns, verdict->why);
		return false;
	case IO_RETRY:
	case IO_WRITE_REFUSED:
	case IO_REQUEUE:
	case IO_CANNOT_CARRY:
		return false;
	}
	return false;
}

static void doubt(struct multipath *m, struct mpath_io *io, struct path *path,
		  const struct verdict *verdict)
{
	bool innocent = note_suspicion(m, io, path);

	if (innocent || (verdict->may_have_run && io->cmd.class == CMD_ONCE))
		go_elsewhere(m, io, path, verdict->may_have_run);
	else
		leave(m, io, path, THEN_GIVE_UP);
}

/*
 * That the kernel takes a path for read-only proves nothing (F43), but what the LUN has taken
 * through another one does.  No group is activated for it.
 */
static bool is_written_through_another(const struct multipath *m, const struct mpath_io *io,
				       const struct path *path)
{
	const struct path *other;

	for_each_path(m, other)
		if (other != path && other->active && !other->suspect && !io_suspects(io, other) &&
		    (!m->hw.type || other->pg == m->current_pg) &&
		    other->stats.counters.good[SCSI_DATA_OUT])
			return true;
	return false;
}

/* It was not carried out, so another path may be asked; if all say so, that is the answer. */
static void write_refused(struct multipath *m, struct mpath_io *io, struct path *path)
{
	if (io->cmd.class == CMD_READ || !is_written_through_another(m, io, path) ||
	    !note_suspicion(m, io, path)) {
		complete_io(m, io);
		return;
	}
	if (!path->told_refusal)
		notice(m, NOTICE_WARNING, path,
		       "refuses writes that the LUN takes through other paths: they go there");
	path->told_refusal = true;
	go_elsewhere(m, io, path, false);
}

/* Of the last one there is only known when it ended; rather ours than nobody's. */
static bool may_be_hit_by_reset(const struct multipath *m, uint64_t sent_ns)
{
	bool is_out = m->reset_state == RESET_IS_OUT || m->reset_state == RESET_HANGS;

	return m->reset_sent_ns && (is_out || sent_ns <= m->reset_state_ns);
}

/* What goes up anyway, like a HARDWARE ERROR, is none of these. */
static bool is_error_of_writing(const struct scsi_sense *sense)
{
	switch (sense->key) {
	case 0x03:
		return true;
	case 0x0b: /* aborted: a write error, or something inside of the target */
		return sense->asc == 0x0c || sense->asc == 0x44;
	}
	return false;
}

/*
 * Such an error of SYNCHRONIZE CACHE is about writes that were answered GOOD.  The target need not
 * say it twice: what it has given up it has no more to write, and that would be GOOD.  If the sense
 * got lost it may have been that.
 */
static bool tells_of_lost_writes(const struct mpath_io *io)
{
	const struct scsi_result *result = &io->result;
	uint8_t opcode = io->cmd.cdb[0];
	struct scsi_sense sense;

	if ((opcode != 0x35 && opcode != 0x91) || result->transport != TRANSPORT_OK ||
	    result->status != SAM_CHECK_CONDITION)
		return false;
	if (!scsi_sense_decode(result->sense, result->sense_len, &sense))
		return true;
	return !sense.deferred && is_error_of_writing(&sense);
}

/*
 * TASK ABORTED is for an initiator only if he, or another one, has wanted that (fence.c).  Linux
 * sends again what was answered so, also what must not be done twice.
 */
static struct verdict judge_command(struct multipath *m, struct mpath_io *io)
{
	const struct scsi_result *result = &io->result;

	if (tells_of_lost_writes(io)) {
		make_up_lost_sense(io);
		return (struct verdict){IO_DONE, true, "writes are lost"};
	}
	if (result->transport != TRANSPORT_OK || result->status != SAM_TASK_ABORTED ||
	    !may_be_hit_by_reset(m, io->start_ns))
		return judge_for(m, result);
	has_not_worked(io);
	return (struct verdict){IO_RETRY, true, "aborted by our own reset"};
}

/* An answer that is not good, and that no other leg can make up for. */
void judge_answer(struct multipath *m, struct mpath_io *io, struct path *path)
{
	struct verdict verdict = judge_command(m, io);
	bool commands_wait;

	if (verdict.verdict != IO_DONE)
		trace(m, "io %02x: %s on %s", io->cmd.cdb[0], verdict.why, path_name(path));

	commands_wait = blame_path(m, path, io->start_ns, &io->result, &verdict);
	switch (verdict.verdict) {
	case IO_DONE:
		pass_up(m, io);
		break;
	case IO_RETRY:
	case IO_REIDENTIFY:
		retry(m, io, path, verdict.may_have_run);
		break;
	case IO_TRANSITIONING:
		if (commands_wait)
			come_back_later(m, io, path);
		else
			go_elsewhere(m, io, path, verdict.may_have_run);
		break;
	case IO_PATH_FAILED:
		go_elsewhere(m, io, path, verdict.may_have_run);
		break;
	case IO_PATH_SUSPECT:
		doubt(m, io, path, &verdict);
		break;
	case IO_WRITE_REFUSED:
		write_refused(m, io, path);
		break;
	case IO_REQUEUE:
		requeue(m, io);
		break;
	case IO_CANNOT_CARRY:
		if (note_suspicion(m, io, path))
			go_elsewhere(m, io, path, false);
		else
			give_up(m, io);
		break;
	}
}

/*
 * REQUEST SENSE fetches a unit attention as data, with GOOD, and then it is over (SPC-5 6.39): the
 * initiator has it, if he gets the data, but what it says of the path and its LUN no other command
 * will hear.
 */
static __attribute__((noinline)) void hear_fetched_sense(struct multipath *m, struct mpath_io *io,
							 struct path *path)
{
	struct scsi_result told = {.status = SAM_CHECK_CONDITION};
	struct verdict verdict;
	struct scsi_sense sense;

	if (!scsi_result_is_good(&io->result))
		return;
	told.sense_len = (uint8_t)scsi_iov_read(io, told.sense, sizeof(told.sense));
	if (!scsi_result_sense(&told, &sense) || !is_told_once(&told))
		return;
	verdict = judge_for(m, &told);
	if (verdict.verdict == IO_DONE && answers_nobody(m, io))
		keep_news(m, &told);
	if (sense.deferred)
		return;
	trace(m, "io %02x: has fetched a unit attention on %s", io->cmd.cdb[0], path_name(path));
	blame_path(m, path, io->start_ns, &told, &verdict);
}

/* Not good, whoever has asked: what is to be known of that besides the answer. */
void path_erred(struct multipath *m, struct path *path, const struct mpath_io *io)
{
	enum told_by_both what;

	restart_path_erred(m, path, io);
	if (is_told_by_both(&io->result, &what))
		is_second_word(m, path, what, ANSWER_TELLS);
}

void end_io(struct multipath *m, struct mpath_io *io)
{
	struct path *path = io->path;

	io_stats_count_on_path(&path->stats, io, m->now_ns - io->start_ns);
	take_off_path(m, io);
	if (opcode_marks[io->cmd.cdb[0]] == FETCHES_SENSE)
		hear_fetched_sense(m, io, path);
	if (opcode_marks[io->cmd.cdb[0]] == ABOUT_LUN && scsi_is_done(&io->result))
		scsi_lun_fit_answer(io);
	if (scsi_result_is_whole(&io->result)) {
		complete_io(m, io); /* nothing to judge */
	} else if (is_short_transfer(&io->cmd, &io->result)) {
		retry_short_transfer(m, io, path);
	} else if (scsi_result_is_good(&io->result)) {
		complete_io(m, io);
	} else {
		path_erred(m, path, io);
		judge_answer(m, io, path);
	}
	if (!list_empty(&m->backlog))
		run_backlog(m);
}

void read_was_given_up(struct multipath *m, struct mpath_io *io, struct path *path)
{
	go_elsewhere(m, io, path, true);
}

/* The transport has let go of a read, or of a leg, that was given up.  The path that it was on. */
struct path *take_back_abandoned(struct multipath *m, struct mpath_io *io)
{
	struct path *path = io->path;

	assert(io->abandoned);
	io->abandoned = false;
	io->result = (struct scsi_result){.transport = TRANSPORT_TIMEOUT};
	io_stats_count_on_path(&path->stats, io, m->now_ns - io->start_ns);
	take_off_path(m, io);
	path_erred(m, path, io);
	return path;
}

/* Its buffer is the initiator's again. */
void io_abandoned(struct multipath *m, struct mpath_io *io)
{
	struct path *path = take_back_abandoned(m, io);

	read_was_given_up(m, io, path);
	if (!list_empty(&m->backlog))
		run_backlog(m);
}
