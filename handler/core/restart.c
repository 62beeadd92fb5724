/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of a dead process (DESIGN D9 Restart, hazards.md H1, H3).
 *
 * When tcmu-runner was killed, its commands may still be on their way to the disk.  As long as
 * one of the paths shows commands that are not ours, no write is sent on any of them: the old
 * write could land on top of it.  Reads may go.
 *
 * A disk that it used, and that no path finds again when it is looked at first (it is offline, or
 * gone, or the map does not name it any more), cannot be asked: the kernel may have given up what
 * was out there, so that it is still on its way.  Then the time decides.
 *
 * Writes that it had lost, and had not yet repeated because their old copies might still land
 * (fence.c), are not among these: the kernel has given them up.  It has left word until when they
 * may land; before that no counter is believed.
 *
 * Some writes may take minutes: UNMAP, WRITE SAME of a large range, EXTENDED COPY; or all, if
 * path_timeout_ms was another one for a while.  While such a slow one is out, the process leaves
 * word until when it may land.  If the counters do not say in time that nothing is out any more,
 * the wait lasts so long.
 */
#include <string.h>

#include "core/multipath.h"
#include "mpath/scsi.h"

#define COUNT_INTERVAL_NS (50 * NSEC_PER_MSEC)

/* Under load a path is never idle by itself: it rests for a moment, then works for a while. */
#define REST_MAX_NS (100 * NSEC_PER_MSEC)
#define WORK_MIN_NS (200 * NSEC_PER_MSEC)

/* No slow write has been out for so long: that is told, too. */
#define SLOW_IDLE_NS (10 * NSEC_PER_SEC)
/* A time that no slow write lasts to is not believed. */
#define SLOW_FEARED_MAX_NS (3600 * NSEC_PER_SEC)

static unsigned long long ms_until(uint64_t end_ns, uint64_t now_ns)
{
	return end_ns > now_ns ? (end_ns - now_ns) / NSEC_PER_MSEC : 0;
}

static bool any_foreign(const struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		if (path->foreign)
			return true;
	return m->foreign_left;
}

/* By then the kernel has given up what the dead process had sent, and none of it can land. */
static uint64_t usual_wait_over_ns(const struct multipath *m)
{
	return m->started_ns +
	       (m->settings.restart_wait_ms + longest_fence_ms(m, m->settings.path_timeout_ms)) *
		       NSEC_PER_MSEC;
}

static uint64_t wait_over_ns(const struct multipath *m)
{
	uint64_t usual_ns = usual_wait_over_ns(m);

	return usual_ns > m->former_slow_ns ? usual_ns : m->former_slow_ns;
}

/*
 * Told to the next process at once, and for half of its time more than needed, so that not each of
 * many is news for it.
 */
void slow_write_starts(struct multipath *m, struct mpath_io *io)
{
	uint32_t timeout_ms = io->cmd.timeout_ms;
	uint64_t end_ns;

	if (timeout_ms > SLOW_MAX_MS)
		return;
	io->slow = true;
	m->nr_slow++;
	end_ns = m->now_ns +
		 (timeout_ms + KERNEL_ERROR_HANDLING_MS + longest_fence_ms(m, timeout_ms)) *
			 NSEC_PER_MSEC;
	if (end_ns <= m->slow_kept_ns)
		return;
	m->slow_kept_ns = end_ns + timeout_ms / 2 * NSEC_PER_MSEC;
	m->actions->fence_moved = true;
}

void slow_write_ends(struct multipath *m, struct mpath_io *io)
{
	io->slow = false;
	if (--m->nr_slow)
		return;
	m->slow_idle_ns = m->now_ns + SLOW_IDLE_NS;
	wake_by(m, m->slow_idle_ns);
}

/* Where there was one there will be another. */
void slow_timeout(struct multipath *m)
{
	if (!m->slow_kept_ns || m->nr_slow)
		return;
	if (m->now_ns < m->slow_idle_ns) {
		wake_by(m, m->slow_idle_ns);
		return;
	}
	m->slow_kept_ns = 0;
	m->actions->fence_over = true;
}

/* A time that no fence lasts to is not believed: writes would wait for ever. */
void restart_begins(struct multipath *m)
{
	uint64_t max_ns = m->now_ns + longest_former_fence_ms(m) * NSEC_PER_MSEC;

	m->nr_first_paths = m->next_path_id;
	if (m->nr_former_disks)
		m->restart_over = false;
	if (m->former_slow_ns > m->now_ns + SLOW_FEARED_MAX_NS)
		m->former_slow_ns = m->now_ns + SLOW_FEARED_MAX_NS;
	if (m->former_fence_ns > max_ns)
		m->former_fence_ns = max_ns;
	if (m->former_fence_ns <= m->now_ns) {
		m->former_fence_ns = 0;
		return;
	}
	m->restart_over = false;
	notice(m, NOTICE_OTHER, NULL,
	       "a former process lost writes that may still land: writes wait, at most %llu ms",
	       ms_until(m->former_fence_ns, m->now_ns));
}

static void former_fence_ends(struct multipath *m)
{
	m->former_fence_ns = 0;
	m->actions->fence_over = true;
	notice(m, NOTICE_OTHER, NULL, "no write that a former process lost can land any more");
}

/* Killed while it waits, too: the next process cannot see what the kernel gives up meanwhile. */
static void keep_wait(struct multipath *m)
{
	if (m->wait_kept_ns >= wait_over_ns(m))
		return;
	m->wait_kept_ns = wait_over_ns(m);
	m->actions->fence_moved = true;
}

/* At once: else a next process waits in vain. */
static void forget_wait(struct multipath *m)
{
	if (!m->wait_kept_ns)
		return;
	m->wait_kept_ns = 0;
	m->actions->fence_moved = true;
}

static void end_of_wait(struct multipath *m, const char *why)
{
	struct path *path;

	forget_wait(m);
	m->restart_over = true;
	m->foreign_left = false;
	m->actions->disk_left |= m->nr_former_disks > 0;
	m->nr_former_disks = 0;
	m->nr_lost_disks = 0;
	trace(m, "restart: %s, writes may go", why);
	for_each_path(m, path) {
		path->foreign = false;
		path->resting = false;
		tally_check(m, path);
	}
	list_splice(&m->held, &m->restarting);
	m->run_held = true;
}

/* All paths were looked at, and none of them leads to these. */
static void former_disks_are_lost(struct multipath *m)
{
	m->nr_lost_disks = m->nr_former_disks;
	m->nr_former_disks = 0;
	m->foreign_left = true;
	trace(m, "restart: %u disks cannot be asked", m->nr_lost_disks);
	notice(m, NOTICE_OTHER, NULL,
	       "%u disks that a former process used cannot be asked for its writes: writes wait, "
	       "at most %llu ms",
	       m->nr_lost_disks, ms_until(wait_over_ns(m), m->now_ns));
}

static void tell_slow(struct multipath *m)
{
	if (m->told_slow || m->now_ns < usual_wait_over_ns(m))
		return;
	m->told_slow = true;
	notice(m, NOTICE_OTHER, NULL,
	       "an UNMAP or another slow command of a former process may still be out: writes "
	       "wait, at most %llu ms",
	       ms_until(wait_over_ns(m), m->now_ns));
}

/*
 * A path that was looked at has not led to a disk that a former process used, or cannot be looked
 * at for a second, and one of these disks is still sought: it may be away.  Who finds it again must
 * not believe what it shows.
 */
static bool may_be_away(const struct multipath *m)
{
	const struct path *path;

	if (!m->nr_former_disks)
		return false;
	for_each_path(m, path)
		if (!path->used && (path->settled || !m->choosing_early))
			return true;
	return false;
}

/* Until each path was opened or refused once, nobody knows what is out there. */
void restart_reconsider(struct multipath *m)
{
	if (m->restart_over)
		return;
	if (m->nr_former_disks && !m->nr_unsettled && m->now_ns < wait_over_ns(m))
		former_disks_are_lost(m);
	if ((any_foreign(m) || may_be_away(m)) && m->now_ns < wait_over_ns(m))
		keep_wait(m);
	if (m->now_ns < m->former_fence_ns) {
		wake_by(m, m->former_fence_ns);
		return;
	}
	if (m->former_fence_ns)
		former_fence_ends(m);
	if (m->now_ns >= wait_over_ns(m))
		end_of_wait(m, "the wait is over");
	else if (!m->nr_unsettled && !any_foreign(m))
		end_of_wait(m, "no command of a former process is left");
	else {
		tell_slow(m);
		wake_by(m, wait_over_ns(m));
	}
}

/* The kernel has ended no command for its time-out yet. */
static bool counters_prove(const struct multipath *m)
{
	return m->now_ns < m->started_ns + m->settings.path_timeout_ms * NSEC_PER_MSEC;
}

/* The kernel has ended some of what the former process had sent, and nobody was told. */
static bool lost_unseen(struct multipath *m, struct path *path,
			const struct mpath_disk_errors *former)
{
	if (path->facts.errors <= former->errors)
		return false;
	trace(m, "restart: %s had errors that nobody was told of", path_name(path));
	notice(m, NOTICE_OTHER, path,
	       "%llu commands may have ended with an error while no process ran: they may still "
	       "land",
	       (unsigned long long)(path->facts.errors - former->errors));
	return true;
}

/*
 * The disk is the one that a former process used, so its counters know of what that has left. Found
 * later than at the first look it may have been away in between, and they prove nothing.
 */
static void find_former_disk(struct multipath *m, struct path *path)
{
	bool is_first_look = !path->settled && path->id < m->nr_first_paths && counters_prove(m);
	unsigned int i;

	if (!is_first_look || !path->facts.disk)
		return;
	for (i = 0; i < m->nr_former_disks; i++) {
		if (m->former_disks[i].disk != path->facts.disk)
			continue;
		if (lost_unseen(m, path, &m->former_disks[i]))
			return;
		tally_begins(path, path->facts.errors);
		m->former_disks[i] = m->former_disks[--m->nr_former_disks];
		path->used = true;
		return;
	}
}

/* Active: writes may be sent there.  Should this process die the next one must know. */
void restart_path_used(struct multipath *m, struct path *path)
{
	if (path->used)
		return;
	path->used = true;
	m->actions->disk_used = true;
	m->actions->errors_told = true;
}

/* All that was out there has been answered. */
void restart_path_closed(struct multipath *m, struct path *path)
{
	if (!path->used)
		return;
	path->used = false;
	m->actions->disk_left = true;
}

/* What it has had so far is known, unless there are errors of a former process among it. */
void restart_path_opened(struct multipath *m, struct path *path)
{
	tally_begins(path, m->restart_over ? path->facts.errors : 0);
	find_former_disk(m, path);
	if (!path->facts.foreign || m->now_ns >= wait_over_ns(m))
		return;
	path->foreign = true;
	path->nr_errors = 0;
	m->restart_over = false;
	wake_by(m, m->now_ns);
	notice(m, NOTICE_OTHER, path,
	       "%llu commands of a former process are still out: writes wait for them",
	       (unsigned long long)path->facts.foreign);
}

static bool is_another_lun(const struct multipath *m, const struct lun_facts *seen)
{
	return scsi_inquiry_is_ours(seen->inquiry, seen->inquiry_len) ||
	       (m->lun.known && seen->wwid[0] && strcmp(seen->wwid, m->lun.wwid) != 0);
}

/*
 * Not our LUN: what is out there is somebody else's, and no write of ours will meet it.  What was
 * seen of a device that had the name before is not forgotten: restart_path_lost().
 */
void restart_path_is_other(struct multipath *m, struct path *path)
{
	if (!path->foreign || !is_another_lun(m, &path->seen))
		return;
	path->foreign = false;
	path->resting = false;
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

/* Not good.  The device counts it, too, if the target has answered. */
void restart_path_erred(struct multipath *m, struct path *path, const struct mpath_io *io)
{
	const struct scsi_result *result = &io->result;

	if (result->transport == TRANSPORT_OK) {
		path->nr_errors++;
		tally_answered(m, path, io);
	} else if (result->transport != TRANSPORT_BUSY && result->transport != TRANSPORT_REFUSED) {
		restart_path_lost(m, path);
	}
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

void ask_for_count(struct multipath *m, struct path *path)
{
	path->counting = true;
	path->flow_at_count = path->flow;
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
	path->counting = false;
	if (path->link == LINK_CLOSING)
		close_link_if_idle(m, path);
	else if (m->restart_over && outstanding >= 0)
		tally_counted(m, path, errors);
	if (!path->foreign)
		return;
	if (outstanding == 0 && errors <= path->nr_errors && path->flow == path->flow_at_count &&
	    counters_prove(m)) {
		trace(m, "restart: %s has no foreign commands any more", path_name(path));
		path->foreign = false;
	}
	if (path->resting)
		end_of_rest(m, path);
	restart_reconsider(m);
}

static void look_after(struct multipath *m, struct path *path)
{
	bool writes_wait = !list_empty(&m->restarting);

	wake_by(m, m->now_ns + COUNT_INTERVAL_NS);
	if (path->counting)
		return;
	if (writes_wait && !path->resting && m->now_ns >= path->rest_ends_ns + WORK_MIN_NS)
		rest(m, path);
	if (path->resting && m->now_ns >= path->rest_ends_ns) {
		end_of_rest(m, path);
		return;
	}
	if (path->resting)
		wake_by(m, path->rest_ends_ns);
	if (path->link == LINK_OPEN && is_idle(path))
		ask_for_count(m, path);
}

void restart_timeout(struct multipath *m)
{
	struct path *path;

	if (m->restart_over)
		return;
	for_each_path(m, path)
		if (path->foreign)
			look_after(m, path);
	restart_reconsider(m);
}

void restart_detail(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	if (m->nr_lost_disks)
		strbuf_printf(out,
			      "  %u disks that a former process used cannot be asked for its "
			      "writes: writes wait, at most %llu ms\n",
			      m->nr_lost_disks, ms_until(wait_over_ns(m), now_ns));
	if (!m->restart_over && m->told_slow)
		strbuf_printf(out,
			      "  an UNMAP or another slow command of a former process may still be "
			      "out: writes wait, at most %llu ms\n",
			      ms_until(wait_over_ns(m), now_ns));
	if (now_ns < m->former_fence_ns)
		strbuf_printf(out,
			      "  a former process lost writes that may still land: writes wait, at "
			      "most %llu ms\n",
			      ms_until(m->former_fence_ns, now_ns));
}
