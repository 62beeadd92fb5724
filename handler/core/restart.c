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
 * the wait lasts so long.  And it leaves word of the time-out of the others, as path_timeout_ms may
 * be another one when the next process reads it: the counters are believed for the shorter one, and
 * the wait is as for a slow write if that process had the longer one.
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
 * A port may also be lost while we stand still (a machine that was halted).  So a wait does not end
 * before there was time to look, and what is counted then is seen as if it had just been let go.
 */
#include <errno.h>
#include <string.h>

#include "core/flight.h"
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
/* Who was not woken for so long looks for this long before the time ends his wait. */
#define STILL_NS (2 * NSEC_PER_SEC)
#define LOOK_NS	 (5 * NSEC_PER_SEC)
/* What the next process is told of a wait whose end moves is so much later. */
#define KEEP_AHEAD_NS (10 * NSEC_PER_SEC)

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

/* Not only feared where nothing can be seen: a next process would find that as this one does. */
static bool any_seen(const struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		if (path->foreign && (path->facts.foreign || path->kept_back_ns))
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

/* What was kept back may last so long from then on, a slow one, too, if there may be one. */
static uint64_t kept_back_lasts_ms(const struct multipath *m)
{
	const struct mpath_settings *s = &m->settings;
	uint64_t slow_ms = SLOW_MAX_MS + KERNEL_ERROR_HANDLING_MS;

	if (!m->former_slow_ns)
		return s->restart_wait_ms + longest_fence_ms(m, s->path_timeout_ms);
	return (s->restart_wait_ms > slow_ms ? s->restart_wait_ms : slow_ms) +
	       longest_fence_ms(m, SLOW_MAX_MS);
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

static uint64_t wait_over_ns(const struct multipath *m)
{
	uint64_t over_ns = later(usual_wait_over_ns(m), m->former_slow_ns);

	if (m->stood_still_ns)
		over_ns = later(over_ns, m->stood_still_ns + LOOK_NS);
	if (!m->kept_back_ns)
		return over_ns;
	return later(over_ns, m->kept_back_ns + kept_back_lasts_ms(m) * NSEC_PER_MSEC);
}

static bool any_kept_back(const struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		if (path->kept_back)
			return true;
	list_for_each_entry(path, &m->leaving, map_node)
		if (path->kept_back)
			return true;
	return false;
}

/* Until it has ended, or cannot land any more. */
static uint64_t longest_out_ms(const struct multipath *m, uint32_t timeout_ms)
{
	return timeout_ms + KERNEL_ERROR_HANDLING_MS + longest_fence_ms(m, timeout_ms);
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
	end_ns = m->now_ns + longest_out_ms(m, timeout_ms) * NSEC_PER_MSEC;
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

/* Writes that are out have more time than those of a next process, or of this one from now on. */
static void tell_writes_out(struct multipath *m, const struct path *path)
{
	struct mpath_io *io;

	list_for_each_entry(io, &path->flying, flight)
		if (!io->slow && is_slow_write(m, io))
			slow_write_starts(m, io);
}

/* path_timeout_ms may be another one from now on.  If it is longer its writes are slow ones. */
void restart_takes_timeout(struct multipath *m)
{
	const struct path *path;

	if (m->settings.path_timeout_ms >= m->first_timeout_ms)
		return;
	m->first_timeout_ms = m->settings.path_timeout_ms;
	m->actions->fence_moved = true;
	for_each_path(m, path)
		tell_writes_out(m, path);
	list_for_each_entry(path, &m->leaving, map_node)
		tell_writes_out(m, path);
}

/* For the next process: what it finds there may be from before us, too. */
uint32_t restart_least_timeout_ms(const struct multipath *m)
{
	uint32_t former_ms = m->restart_over ? 0 : m->former_timeout_ms;

	return former_ms && former_ms < m->first_timeout_ms ? former_ms : m->first_timeout_ms;
}

/* It was made shorter since the former process began: that one's writes are slow ones now. */
static void fear_longer_timeouts(struct multipath *m)
{
	uint32_t timeout_ms = m->former_timeout_ms;

	if (timeout_ms <= m->settings.path_timeout_ms)
		return;
	m->former_slow_ns =
		later(m->former_slow_ns, m->now_ns + longest_out_ms(m, timeout_ms) * NSEC_PER_MSEC);
}

/* A time that no fence lasts to is not believed: writes would wait for ever. */
void restart_begins(struct multipath *m)
{
	uint64_t max_ns = m->now_ns + longest_former_fence_ms(m) * NSEC_PER_MSEC;

	m->watched_ns = m->now_ns;
	m->nr_first_paths = m->next_path_id;
	m->nr_recalled_disks = m->nr_former_disks;
	if (m->nr_former_disks)
		m->restart_over = false;
	fear_longer_timeouts(m);
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
	m->wait_kept_ns = wait_over_ns(m) + (m->kept_back_ns ? KEEP_AHEAD_NS : 0);
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

static void forget_foreign(struct path *path)
{
	path->foreign = false;
	path->feared = false;
	path->kept_back = false;
	path->kept_back_ns = 0;
	path->resting = false;
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
	m->kept_back_ns = 0;
	m->stood_still_ns = 0;
	trace(m, "restart: %s, writes may go", why);
	for_each_path(m, path) {
		m->actions->disk_left |= path->feared && !path->used;
		forget_foreign(path);
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
	       "%u disk%s that a former process used cannot be asked for its writes: writes wait, "
	       "at most %llu ms",
	       m->nr_lost_disks, noun_s(m->nr_lost_disks), ms_until(wait_over_ns(m), m->now_ns));
}

static void tell_slow(struct multipath *m)
{
	if (m->told_slow || m->kept_back_ns || m->now_ns < usual_wait_over_ns(m))
		return;
	m->told_slow = true;
	notice(m, NOTICE_OTHER, NULL,
	       "an UNMAP or another slow command of a former process may still be out: writes "
	       "wait, at most %llu ms",
	       ms_until(wait_over_ns(m), m->now_ns));
}

/* Most waits are over sooner, and nobody wants to read of them. */
static void tell_waiting(struct multipath *m)
{
	if (m->told_waiting || list_empty(&m->restarting) || m->kept_back_ns || m->nr_lost_disks ||
	    m->now_ns < m->started_ns + COUNT_BUSY_NS)
		return;
	m->told_waiting = true;
	notice(m, NOTICE_OTHER, NULL,
	       "writes wait for commands that a former process may have left, at most %llu ms",
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

/* As long as the wait is not over something is due each second at least. */
static void notice_standstill(struct multipath *m)
{
	if (!m->restart_over && m->settings.fence != FENCE_NONE &&
	    m->now_ns > m->watched_ns + STILL_NS) {
		trace(m, "restart: nobody has looked for a while");
		m->stood_still_ns = m->now_ns;
	}
	m->watched_ns = m->now_ns;
}

/* Until each path was opened or refused once, nobody knows what is out there. */
void restart_reconsider(struct multipath *m)
{
	if (m->restart_over)
		return;
	notice_standstill(m);
	wake_by(m, m->now_ns + COUNT_BUSY_NS);
	if (any_kept_back(m))
		m->kept_back_ns = m->now_ns;
	if (m->nr_former_disks && !m->nr_unsettled && m->now_ns < wait_over_ns(m))
		former_disks_are_lost(m);
	if ((any_seen(m) || may_be_away(m)) && m->now_ns < wait_over_ns(m))
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
		tell_waiting(m);
		tell_slow(m);
		wake_by(m, wait_over_ns(m));
	}
}

/*
 * The kernel has ended no command for its time-out yet, which is the one that it was sent with;
 * what it keeps back has none.
 */
static bool counters_prove(const struct multipath *m, const struct path *path)
{
	uint64_t from_ns = later(m->started_ns, path->kept_back_ns);
	uint32_t timeout_ms = m->settings.path_timeout_ms;

	if (m->former_timeout_ms && m->former_timeout_ms < timeout_ms)
		timeout_ms = m->former_timeout_ms;
	return m->now_ns < from_ns + timeout_ms * NSEC_PER_MSEC;
}

/* What the kernel has just let go may be on its way to the device, and counted nowhere. */
static bool is_sent(const struct multipath *m, const struct path *path)
{
	uint64_t let_go_ns = later(path->kept_back_ns, m->stood_still_ns);

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
		notice(m, NOTICE_OTHER, path,
		       "commands may have ended with an error while no process ran, their number "
		       "is not known: they may still land");
	else
		notice(m, NOTICE_OTHER, path,
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
		tally_begins(path, path->facts.errors);
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

/* All that was out there has been answered. */
void restart_path_closed(struct multipath *m, struct path *path)
{
	forget_foreign(path);
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
	notice(m, NOTICE_OTHER, path,
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
	if (!path->leaving)
		path->kept_back = false;
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

/* What it has had so far is known, unless there are errors of a former process among it. */
void restart_path_opened(struct multipath *m, struct path *path)
{
	tally_begins(path, m->restart_over ? path->facts.errors : 0);
	path->heard_ns = 0;
	path->mute = true;
	notice_standstill(m);
	find_former_disk(m, path);
	if (!may_have_foreign(m, path) || m->now_ns >= wait_over_ns(m))
		return;
	path->foreign = true;
	path->feared = was_in_use(m, path);
	path->nr_errors = 0;
	m->restart_over = false;
	wake_by(m, m->now_ns);
	if (path->facts.kept_back)
		note_kept_back(m, path, m->started_ns);
	if (path->kept_back || !path->facts.foreign)
		return;
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
		if (path->foreign || path->feared)
			look_after(m, path);
	list_for_each_entry(path, &m->leaving, map_node)
		if (path->kept_back)
			look_after(m, path);
	restart_reconsider(m);
}

static void kept_back_detail(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	if (m->restart_over || !m->kept_back_ns)
		return;
	if (any_kept_back(m))
		strbuf_printf(out,
			      "  the kernel keeps commands of a former process back: writes wait "
			      "until it lets them go, or gives them up, and then at most %llu ms\n",
			      (unsigned long long)kept_back_lasts_ms(m));
	else
		strbuf_printf(out,
			      "  the kernel has kept commands of a former process back: writes "
			      "wait, at most %llu ms\n",
			      ms_until(wait_over_ns(m), now_ns));
}

void restart_detail(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	kept_back_detail(m, now_ns, out);
	if (m->nr_lost_disks)
		strbuf_printf(out,
			      "  %u disk%s that a former process used cannot be asked for its "
			      "writes: writes wait, at most %llu ms\n",
			      m->nr_lost_disks, noun_s(m->nr_lost_disks),
			      ms_until(wait_over_ns(m), now_ns));
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
