/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of a dead process: what each disk shows of them (DESIGN D9 Restart, hazards.md H3).
 *
 * That nothing of a dead process is left on a path is proved by a count of what is out there and
 * of the errors that there were, taken while nothing of ours is on it.  How long writes wait while
 * there is no such proof is restart_wait.c's subject.
 *
 * While the remote port of a disk is lost, and not given up yet, the kernel keeps commands back,
 * uncounted and without a time-out, and sends them when it is found again, be it after minutes.
 * So no wait ends while it keeps back what is for a disk that the dead process used; and only from
 * then on these have their time, as if they had been sent at that moment.  A next process fears the
 * same disks, whether or not this one came to use them.
 *
 * A driver may also refuse a command (another LUN of the target hangs, and has all that the session
 * takes): the block layer has it then, and nothing says so.  What is sent there next waits with it.
 * So a disk that the dead process used must first answer a question of ours: what was there before
 * that has been handed over, and is counted.  Does it not answer, though nothing is out, it is
 * taken for one for which something is kept back.
 *
 * Counts are numbers of commands and of errors; times are of the clock of events, in ns.  A count
 * is asked for in mpath_actions.count and answered by an event; one at a time is out for each path
 * (path.counting), and until then its link stays open.  The fields are the path's; all runs on the
 * map's owner thread, inside of a step.
 */
#include <errno.h>
#include <string.h>

#include "core/restart.h"
#include "mpath/scsi.h"

#define COUNT_INTERVAL_NS (50 * NSEC_PER_MSEC)
/* A path that is never idle is counted, too, but for no proof. */
#define COUNT_BUSY_NS (1 * NSEC_PER_SEC)

/* Under load a path is never idle by itself: it rests for a moment, then works for a while. */
#define REST_MAX_NS (100 * NSEC_PER_MSEC)
#define WORK_MIN_NS (200 * NSEC_PER_MSEC)

/* What the kernel does not keep back any more is with the device after so long. */
#define LET_GO_NS (1 * NSEC_PER_SEC)
/* A driver is asked again for what it has refused within some milliseconds. */
#define HANDED_OVER_NS (50 * NSEC_PER_MSEC)
/* No driver keeps a question for so long, if it does not refuse it, before it is counted. */
#define UNHEARD_NS (500 * NSEC_PER_MSEC)

void forget_foreign(struct path *path)
{
	path->foreign = false;
	path->feared = false;
	path->kept_back = false;
	path->kept_back_ns = 0;
	path->let_go_ns = 0;
	path->resting = false;
}

/*
 * The kernel has ended no command for its time-out yet, which is the one that it was sent with;
 * what it keeps back has none.
 */
static bool counters_prove(const struct multipath *m, const struct path *path)
{
	uint64_t from_ns = later(m->started_ns, path->kept_back_ns);

	return m->now_ns < from_ns + restart_least_timeout_ms(m) * NSEC_PER_MSEC;
}

/*
 * What the kernel has just let go may be on its way to the device, and counted nowhere: since when
 * is not known before the first look that does not find it kept back.
 */
static bool is_sent(const struct multipath *m, const struct path *path)
{
	uint64_t let_go_ns = later(path->let_go_ns, m->stood_still_ns);

	return !let_go_ns || path->count_ns >= let_go_ns + LET_GO_NS;
}

/* What a driver had refused before it took our question has been handed over by then. */
static bool is_heard(const struct path *path, uint64_t now_ns)
{
	return path->heard_ns && now_ns >= path->heard_ns + HANDED_OVER_NS;
}

static void tell_lost_unseen(struct multipath *m, struct path *path, uint64_t known)
{
	trace(m, "restart: %s had errors that nobody was told of", path_name(path));
	if (path->facts.errors == ERRORS_UNKNOWN)
		notice(m, NOTICE_WRITES_WAIT, path,
		       "commands may have ended with an error while no process ran, their number "
		       "is not known: they may still land");
	else
		notice(m, NOTICE_WRITES_WAIT, path,
		       "%llu commands may have ended with an error while no process ran: they may "
		       "still land",
		       (unsigned long long)(path->facts.errors - known));
}

/* The kernel has ended some of what the former process had sent, and nobody was told. */
static bool lost_unseen(struct multipath *m, struct path *path,
			const struct mpath_disk_errors *former)
{
	if (path->facts.errors <= former->errors)
		return false;
	tell_lost_unseen(m, path, former->errors);
	return true;
}

static void swap_disks(struct mpath_disk_errors *a, struct mpath_disk_errors *b)
{
	struct mpath_disk_errors was = *a;

	*a = *b;
	*b = was;
}

/*
 * The disk is the one that a former process used, so its counters know of what that has left. Found
 * later than at the first look it may have been away in between, and they prove nothing.
 */
static void find_former_disk(struct multipath *m, struct path *path)
{
	bool is_first_look =
		!path->settled && path->id < m->nr_first_paths && counters_prove(m, path);
	unsigned int i;

	if (!is_first_look || !path->facts.disk)
		return;
	for (i = 0; i < m->nr_former_disks; i++) {
		if (m->former_disks[i].disk != path->facts.disk)
			continue;
		if (lost_unseen(m, path, &m->former_disks[i]))
			return;
		tally_begins(path, true);
		swap_disks(&m->former_disks[i], &m->former_disks[--m->nr_former_disks]);
		path->used = true;
		return;
	}
}

/* By a former process; those that were found are there still, behind the others. */
static bool was_in_use(const struct multipath *m, const struct path *path)
{
	unsigned int i;

	for (i = 0; i < m->nr_recalled_disks; i++)
		if (!m->former_disks[i].disk || m->former_disks[i].disk == path->facts.disk)
			return true;
	return false;
}

/* Active: writes may be sent there.  Should this process die the next one must know. */
void restart_path_used(struct multipath *m, struct path *path)
{
	if (path->used)
		return;
	path->used = true;
	m->actions->disk_used = true;
}

/*
 * All that was out there of ours has been answered.  What a former process has left may be there
 * still: a next one is told as long as it is feared, also when this one ends.
 */
void restart_path_closed(struct multipath *m, struct path *path)
{
	bool feared = path->feared;

	forget_foreign(path);
	path->feared = feared;
	if (!path->used)
		return;
	path->used = false;
	m->actions->disk_left = true;
}

/* --- what the kernel keeps back --- */

static void tell_kept_back(struct multipath *m, struct path *path)
{
	if (m->told_kept_back)
		return;
	m->told_kept_back = true;
	trace(m, "restart: the kernel keeps commands back on %s", path_name(path));
	notice(m, NOTICE_WRITES_WAIT, path,
	       "the kernel keeps commands of a former process back: writes wait until it lets "
	       "them go, or gives them up, and then at most %llu ms",
	       (unsigned long long)kept_back_lasts_ms(m));
}

/* dm would not know of them, and fence=none is its way. */
static void note_kept_back(struct multipath *m, struct path *path, uint64_t seen_ns)
{
	if (!path->feared || m->settings.fence == FENCE_NONE)
		return;
	path->kept_back = true;
	path->kept_back_ns = seen_ns;
	m->kept_back_ns = m->now_ns;
	tell_kept_back(m, path);
}

/*
 * A path that leaves the map is looked after as long as the kernel keeps commands back there, so
 * its link is not closed; unless it is to be opened anew, or the map ends.
 */
bool restart_needs_link(const struct multipath *m, const struct path *path)
{
	return path->kept_back && path->leaving && !m->stopping;
}

void restart_link_closes(struct multipath *m, struct path *path)
{
	restart_path_lost(m, path);
	if (path->leaving || !path->kept_back)
		return;
	path->kept_back = false;
	path->let_go_ns = m->now_ns;
}

void restart_stops(struct multipath *m)
{
	struct path *path;

	list_for_each_entry(path, &m->leaving, map_node)
		if (path->kept_back)
			close_link_if_idle(m, path);
}

/* --- commands of a former process, path by path --- */

/* That nothing is counted is no proof where a former process was: see the top. */
static bool may_have_foreign(const struct multipath *m, const struct path *path)
{
	return path->facts.foreign || (!m->restart_over && was_in_use(m, path));
}

/*
 * What it has had so far is known, unless there are errors of a former process among it, and the
 * next one is not told yet how long these are feared.
 */
void restart_path_opened(struct multipath *m, struct path *path)
{
	tally_begins(path, m->restart_over || m->wait_kept_ns);
	path->heard_ns = 0;
	path->mute = true;
	path->feared = false;
	notice_standstill(m);
	find_former_disk(m, path);
	if (!may_have_foreign(m, path) || m->now_ns >= wait_over_ns(m))
		return;
	path->foreign = true;
	path->feared = was_in_use(m, path);
	path->nr_errors = 0;
	wait_begins(m);
	wake_by(m, m->now_ns);
	if (path->facts.kept_back)
		note_kept_back(m, path, m->started_ns);
	if (path->kept_back || !path->facts.foreign)
		return;
	m->told_waiting = true;
	notice(m, NOTICE_WRITES_WAIT, path,
	       "%llu commands of a former process are still out: writes wait for them, at most "
	       "%llu ms",
	       (unsigned long long)path->facts.foreign, restart_lasts_ms(m, m->now_ns));
}

static bool is_another_lun(const struct multipath *m, const struct lun_facts *seen)
{
	return scsi_inquiry_is_ours(seen->inquiry, seen->inquiry_len) ||
	       (m->lun.known && seen->wwid[0] && strcmp(seen->wwid, m->lun.wwid) != 0);
}

/*
 * Not our LUN: what is out there is somebody else's, and no write of ours will meet it; unless the
 * former process has used the disk, when it led to ours.  What was seen of a device that had the
 * name before is not forgotten: restart_path_lost().
 */
void restart_path_is_other(struct multipath *m, struct path *path)
{
	if (!path->foreign || !is_another_lun(m, &path->seen))
		return;
	if (path->feared)
		restart_path_lost(m, path);
	else
		forget_foreign(path);
	restart_reconsider(m);
}

static void end_of_rest(struct multipath *m, struct path *path)
{
	path->resting = false;
	path->rest_ends_ns = m->now_ns;
	m->run_held = true;
}

/*
 * A command of ours was lost on the path, or it is closed: the kernel may end the old ones, too,
 * while they are still on their way.  From now on no count is a proof.
 */
void restart_path_lost(struct multipath *m, struct path *path)
{
	if (!path->foreign)
		return;
	trace(m, "restart: foreign commands may be lost on %s", path_name(path));
	m->foreign_left = true;
	path->foreign = false;
	if (path->resting)
		end_of_rest(m, path);
}

static bool has_left(const struct scsi_result *result)
{
	return result->transport != TRANSPORT_BUSY && result->transport != TRANSPORT_REFUSED;
}

/*
 * Each question is lost at once, and nothing else was there: a driver that says so does not refuse.
 * It may have until then, and have lost what it took with our question: that is an error more than
 * ours, which the next count shows.
 */
static bool is_dead(const struct multipath *m, const struct path *path)
{
	return path->mute && !path->kept_back_ns && !path->facts.foreign &&
	       m->now_ns < path->probe.start_ns + UNHEARD_NS;
}

/* Not good.  The device counts it, too, if the target has answered, or the driver in its place. */
void restart_path_erred(struct multipath *m, struct path *path, const struct mpath_io *io)
{
	const struct scsi_result *result = &io->result;

	if (result->transport == TRANSPORT_OK) {
		path->nr_errors++;
		tally_answered(m, path, io);
	} else if (has_left(result)) {
		if (is_dead(m, path))
			path->nr_errors += transport_may_land(result->transport);
		else
			restart_path_lost(m, path);
	}
}

/* A question was answered, if only by the driver. */
void restart_path_heard(const struct multipath *m, struct path *path)
{
	if (path->probe.result.transport == TRANSPORT_OK)
		path->mute = false;
	if (!path->heard_ns && has_left(&path->probe.result))
		path->heard_ns = m->now_ns;
}

/* Nobody can count them any more; or, if it was not looked at yet, know whether there are any. */
void restart_path_leaves(struct multipath *m, struct path *path)
{
	if (!m->restart_over && !path->settled)
		m->foreign_left = true;
	restart_path_lost(m, path);
	restart_reconsider(m);
}

static bool is_idle(const struct path *path)
{
	return path->in_flight == 0 && path->probing == PROBE_NONE;
}

/* It has been asked, and has not answered anything since it was opened. */
static bool is_unheard(const struct path *path)
{
	return !path->heard_ns && path->probing != PROBE_NONE;
}

void ask_for_count(struct multipath *m, struct path *path)
{
	path->counting = true;
	path->count_ns = m->now_ns;
	path->flow_at_count = path->flow - !is_idle(path); /* else it is no proof */
	list_push_back(&m->actions->count, &path->action_node);
}

/* Reads wait so long for room on the path, or go elsewhere. */
static void rest(struct multipath *m, struct path *path)
{
	trace(m, "restart: %s rests to be counted", path_name(path));
	path->resting = true;
	path->rest_ends_ns = m->now_ns + REST_MAX_NS;
}

/* A command has left the resting path. */
void restart_path_drains(struct multipath *m, struct path *path)
{
	if (path->in_flight == 0)
		wake_by(m, m->now_ns);
}

/*
 * A question of ours has been out for a while, and with the device is nothing: it is refused.  And
 * so is the next one, until one is answered.
 */
static bool is_refused(const struct path *path, int64_t outstanding)
{
	return outstanding == 0 && path->link == LINK_OPEN && is_unheard(path) &&
	       (path->kept_back || path->count_ns >= path->probe.start_ns + UNHEARD_NS);
}

static bool is_kept_back(const struct path *path, int64_t outstanding)
{
	if (outstanding == -EAGAIN)
		return path->link == LINK_OPEN || path->leaving;
	return is_refused(path, outstanding);
}

/*
 * The count was taken some time between the question and now.  It is a proof only if nothing at
 * all is out, and none of ours was on the path meanwhile: a command of ours is in the device's
 * counters some time after it was sent, so it must not be taken off the count.  If the device has
 * had more errors than we, one of the old ones may be lost, and still on its way.  Counters that
 * become equal only after the old commands' time-out prove nothing: newer kernels count a command
 * as done before its abort has ended (H3).  Then the time alone decides.
 */
void restart_path_counted(struct multipath *m, struct path *path, int64_t outstanding,
			  uint64_t errors)
{
	bool kept_back = is_kept_back(path, outstanding);
	bool alone = path->flow == path->flow_at_count;

	notice_standstill(m);
	path->counting = false;
	if (path->kept_back && !kept_back)
		path->let_go_ns = m->now_ns;
	path->kept_back = false;
	if (kept_back)
		note_kept_back(m, path, path->count_ns);
	if (path->link == LINK_CLOSING)
		close_link_if_idle(m, path);
	else if (m->restart_over && outstanding >= 0)
		tally_counted(m, path, errors);
	if (!path->foreign)
		return;
	if (outstanding > 0 && alone)
		path->facts.foreign = (uint64_t)outstanding; /* it may have been refused before */
	if (outstanding == 0 && errors <= path->nr_errors && alone && counters_prove(m, path) &&
	    is_sent(m, path) && is_heard(path, path->count_ns)) {
		trace(m, "restart: %s has no foreign commands any more", path_name(path));
		path->foreign = false;
		path->feared = false;
	}
	if (path->resting)
		end_of_rest(m, path);
	restart_reconsider(m);
}

static bool is_busy_for_long(const struct multipath *m, const struct path *path)
{
	return path->feared && !path->resting &&
	       m->now_ns >= later(m->started_ns, path->count_ns) + COUNT_BUSY_NS;
}

/* Idle, for a proof; or it hangs, perhaps because the kernel keeps all back there. */
static bool is_to_be_counted(const struct multipath *m, const struct path *path)
{
	if (is_unheard(path))
		return m->now_ns >= path->probe.start_ns + UNHEARD_NS;
	return (is_idle(path) && is_heard(path, m->now_ns)) || is_busy_for_long(m, path);
}

static void look_after(struct multipath *m, struct path *path)
{
	bool writes_wait = !list_empty(&m->restarting) && is_heard(path, m->now_ns);

	wake_by(m, m->now_ns + COUNT_INTERVAL_NS);
	if (path->counting)
		return;
	if (!path->foreign || path->kept_back) {
		/* Not for a proof: it need not be idle. */
		if (path->link == LINK_OPEN || restart_needs_link(m, path))
			ask_for_count(m, path);
		return;
	}
	if (writes_wait && !path->resting && m->now_ns >= path->rest_ends_ns + WORK_MIN_NS)
		rest(m, path);
	if (path->resting && m->now_ns >= path->rest_ends_ns) {
		end_of_rest(m, path);
		return;
	}
	if (path->resting)
		wake_by(m, path->rest_ends_ns);
	if (path->link == LINK_OPEN && is_to_be_counted(m, path))
		ask_for_count(m, path);
}

void restart_timeout(struct multipath *m)
{
	struct path *path;

	if (m->restart_over)
		return;
	for_each_path(m, path)
		if (path->foreign || (path->feared && path->link != LINK_CLOSED))
			look_after(m, path);
	list_for_each_entry(path, &m->leaving, map_node)
		if (path->kept_back)
			look_after(m, path);
	restart_reconsider(m);
}
