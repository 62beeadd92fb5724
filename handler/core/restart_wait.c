/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of a dead process: what is feared of them, and how long writes wait for it (DESIGN D9
 * Restart, hazards.md H1, H3).
 *
 * When tcmu-runner was killed, its commands may still be on their way to the disk.  As long as
 * one of the paths shows commands that are not ours, no write is sent on any of them: the old
 * write could land on top of it.  Reads may go.  What paths show is restart_count.c's subject; here
 * is what follows from it for the map, and what the next process must be told.
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
 * A port may be lost while we stand still (a machine that was halted).  So a wait does not end
 * before there was time to look, and what is counted then is seen as if it had just been let go.
 *
 * Times are of the clock of events (mpath_event.now_ns), in ns; settings are in ms.  Nothing is
 * owned here: the fields are the map's (multipath.h), former_disks with them.  Like all of the core
 * it runs on the map's owner thread, inside of a step.
 */
#include "core/flight.h"
#include "core/restart.h"

/* What is feared is looked after that often; a wait that is over sooner is not told. */
#define LOOK_AFTER_NS (1 * NSEC_PER_SEC)

/* Who was not woken for so long looks for this long before the time ends his wait. */
#define STILL_NS (2 * NSEC_PER_SEC)
#define LOOK_NS	 (5 * NSEC_PER_SEC)
/* What the next process is told of a wait whose end moves is so much later. */
#define KEEP_AHEAD_NS (10 * NSEC_PER_SEC)

/* No slow write has been out for so long: that is told, too. */
#define SLOW_IDLE_NS (10 * NSEC_PER_SEC)
/* A time that no slow write lasts to is not believed: as it is told, and its fence. */
#define SLOW_FEARED_MAX_NS (3 * PATH_TIMEOUT_MAX_MS * NSEC_PER_MSEC)

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

/*
 * What was kept back may last so long from then on: it has all of its time, also if that is longer
 * than ours by now, and a slow one, too, if there may be one.
 */
uint64_t kept_back_lasts_ms(const struct multipath *m)
{
	const struct mpath_settings *s = &m->settings;
	uint32_t timeout_ms = m->former_longest_ms;
	uint64_t given_up_ms;

	if (!m->former_slow_ns && timeout_ms <= s->path_timeout_ms)
		return s->restart_wait_ms + longest_fence_ms(m, s->path_timeout_ms);
	if (m->former_slow_ns && timeout_ms < SLOW_MAX_MS)
		timeout_ms = SLOW_MAX_MS;
	given_up_ms = (uint64_t)timeout_ms + KERNEL_ERROR_HANDLING_MS;
	return (s->restart_wait_ms > given_up_ms ? s->restart_wait_ms : given_up_ms) +
	       longest_fence_ms(m, timeout_ms);
}

uint64_t wait_over_ns(const struct multipath *m)
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

/* --- what a next process has to fear of ours --- */

/* Until it has ended, or cannot land any more. */
static uint64_t longest_out_ms(const struct multipath *m, uint32_t timeout_ms)
{
	return timeout_ms + KERNEL_ERROR_HANDLING_MS + longest_fence_ms(m, timeout_ms);
}

/*
 * Told to the next process at once, and for half of its time more than needed, so that not each of
 * many is news for it.
 */
static void keep_slow(struct multipath *m, uint32_t timeout_ms)
{
	uint64_t end_ns = m->now_ns + longest_out_ms(m, timeout_ms) * NSEC_PER_MSEC;
	uint64_t due_ns;

	if (end_ns >= m->slow_kept_ns) {
		m->slow_kept_ns = end_ns + timeout_ms / 2 * NSEC_PER_MSEC;
		m->actions->fence_moved = true;
	}
	due_ns = m->now_ns + (m->slow_kept_ns - end_ns);
	if (due_ns < m->slow_due_ns)
		m->slow_due_ns = due_ns;
	wake_by(m, m->slow_due_ns);
}

void slow_write_starts(struct multipath *m, struct mpath_io *io)
{
	if (io->cmd.needs_ms > SLOW_MAX_MS)
		return;
	io->slow = true;
	if (!m->nr_slow++)
		m->slow_due_ns = UINT64_MAX;
	keep_slow(m, io->cmd.timeout_ms);
}

void slow_write_ends(struct multipath *m, struct mpath_io *io)
{
	io->slow = false;
	if (--m->nr_slow)
		return;
	m->slow_idle_ns = m->now_ns + SLOW_IDLE_NS;
	wake_by(m, m->slow_idle_ns);
}

static uint32_t slowest_timeout_ms(const struct path *path, uint32_t least_ms)
{
	const struct mpath_io *io;

	list_for_each_entry(io, &path->flying, flight)
		if (io->slow && io->cmd.timeout_ms > least_ms)
			least_ms = io->cmd.timeout_ms;
	return least_ms;
}

/* One that is still out may have been kept back, and has all of its time when it is let go. */
static void tell_slow_once_more(struct multipath *m)
{
	uint32_t timeout_ms = 0;
	const struct path *path;

	if (m->now_ns < m->slow_due_ns) {
		wake_by(m, m->slow_due_ns);
		return;
	}
	for_each_path(m, path)
		timeout_ms = slowest_timeout_ms(path, timeout_ms);
	list_for_each_entry(path, &m->leaving, map_node)
		timeout_ms = slowest_timeout_ms(path, timeout_ms);
	m->slow_due_ns = UINT64_MAX;
	keep_slow(m, timeout_ms);
}

/* Where there was one there will be another. */
void slow_timeout(struct multipath *m)
{
	if (m->nr_slow)
		tell_slow_once_more(m);
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
	uint32_t told_ms = restart_least_timeout_ms(m);
	struct mpath_io *io;

	list_for_each_entry(io, &path->flying, flight)
		if (!io->slow && outlasts(io, told_ms))
			slow_write_starts(m, io);
}

/*
 * It was made shorter since the former process began, before this one did or since: that one's
 * writes are slow ones now.
 */
static void fear_longer_timeouts(struct multipath *m)
{
	uint32_t timeout_ms = m->former_longest_ms;
	uint64_t end_ns = m->started_ns + longest_out_ms(m, timeout_ms) * NSEC_PER_MSEC;

	if (timeout_ms > m->settings.path_timeout_ms && end_ns > m->now_ns)
		m->former_slow_ns = later(m->former_slow_ns, end_ns);
}

static void tell_all_writes_out(struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		tell_writes_out(m, path);
	list_for_each_entry(path, &m->leaving, map_node)
		tell_writes_out(m, path);
}

/* path_timeout_ms may be another one from now on.  If it is longer its writes are slow ones. */
void restart_takes_timeout(struct multipath *m)
{
	if (m->settings.path_timeout_ms >= m->first_timeout_ms)
		return;
	m->first_timeout_ms = m->settings.path_timeout_ms;
	m->actions->fence_moved = true;
	fear_longer_timeouts(m);
	tell_all_writes_out(m);
}

/* Once more, perhaps: the time-out that is told is again that of a former process, too. */
void wait_begins(struct multipath *m)
{
	if (!m->restart_over)
		return;
	m->restart_over = false;
	tell_all_writes_out(m);
}

/* For the next process: what it finds there may be from before us, too. */
uint32_t restart_least_timeout_ms(const struct multipath *m)
{
	uint32_t former_ms = m->restart_over ? 0 : m->former_timeout_ms;

	return former_ms && former_ms < m->first_timeout_ms ? former_ms : m->first_timeout_ms;
}

static uint64_t last_end_ns(const struct multipath *m)
{
	/* Never both: while the former one holds, no write is sent that could be lost. */
	uint64_t fence_ns = m->fence_kept_ns ? m->fence_kept_ns : m->former_fence_ns;

	return later(fence_ns, m->wait_kept_ns);
}

/*
 * Until when what may land of ours, or of what we wait for.  If that had more time than the next
 * process is told, it is slow to it.
 */
void tell_ends(const struct multipath *m, uint64_t *fence_end_ns, uint64_t *slow_end_ns)
{
	bool had_more = m->former_longest_ms > restart_least_timeout_ms(m);

	*fence_end_ns = last_end_ns(m);
	*slow_end_ns = m->slow_kept_ns;
	if (!m->restart_over)
		*slow_end_ns = later(*slow_end_ns, m->former_slow_ns);
	if (had_more)
		*slow_end_ns = later(*slow_end_ns, m->wait_kept_ns);
}

/* --- what we fear of a former process --- */

/* A time that no fence lasts to is not believed: writes would wait for ever. */
void restart_begins(struct multipath *m)
{
	uint64_t max_ns = m->now_ns + longest_former_fence_ms(m) * NSEC_PER_MSEC;

	m->watched_ns = m->now_ns;
	m->nr_first_paths = m->next_path_id;
	m->nr_recalled_disks = m->nr_former_disks;
	if (m->nr_former_disks)
		m->restart_over = false;
	if (!m->former_longest_ms) /* nobody has said: as ours */
		m->former_longest_ms = m->settings.path_timeout_ms;
	fear_longer_timeouts(m);
	if (m->former_slow_ns > m->now_ns + SLOW_FEARED_MAX_NS)
		m->former_slow_ns = m->now_ns + SLOW_FEARED_MAX_NS;
	max_ns = later(max_ns, m->former_slow_ns); /* its wait was for these, too */
	if (m->former_fence_ns > max_ns)
		m->former_fence_ns = max_ns;
	if (m->former_fence_ns <= m->now_ns) {
		m->former_fence_ns = 0;
		return;
	}
	m->restart_over = false;
	notice(m, NOTICE_WRITES_WAIT, NULL,
	       "a former process lost writes that may still land: writes wait, at most %llu ms",
	       ms_until(m->former_fence_ns, m->now_ns));
}

static void former_fence_ends(struct multipath *m)
{
	m->former_fence_ns = 0;
	m->actions->fence_over = true;
	notice(m, NOTICE_OTHER, NULL, "no write that a former process lost can land any more");
}

/* That end is told: what has ended with an error before is not on its way for longer. */
static void explain_errors(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		path->errors_feared = false;
}

/* Killed while it waits, too: the next process cannot see what the kernel gives up meanwhile. */
static void keep_wait(struct multipath *m)
{
	explain_errors(m);
	if (m->wait_kept_ns >= wait_over_ns(m))
		return;
	m->wait_kept_ns = wait_over_ns(m) + (m->kept_back_ns ? KEEP_AHEAD_NS : 0);
	m->actions->fence_moved = true;
}

/* At once: else a next process waits in vain, and tells the one after it of slow writes, too. */
static void forget_wait(struct multipath *m)
{
	if (!m->wait_kept_ns && !m->former_slow_ns)
		return;
	m->wait_kept_ns = 0;
	m->actions->fence_moved = true;
}

static void tell_end(struct multipath *m)
{
	if (m->told_waiting || m->told_slow || m->told_kept_back || m->nr_lost_disks)
		notice(m, NOTICE_OTHER, NULL,
		       "writes wait no longer for commands of a former process");
	m->told_waiting = false;
	m->told_slow = false;
	m->told_kept_back = false;
}

/*
 * Only what a former process has told of is feared any more, and no disk shows anything: that wait
 * does not begin anew for who comes next.
 */
static void forget_own_wait(struct multipath *m)
{
	if (m->wait_kept_ns && !m->nr_unsettled && !any_foreign(m))
		forget_wait(m);
}

static void end_of_wait(struct multipath *m, const char *why)
{
	struct path *path;

	forget_wait(m);
	explain_errors(m);
	tell_end(m);
	m->restart_over = true;
	/* Its disks are told already, and so nobody tells that our writes have another time-out. */
	if (m->former_timeout_ms && m->former_timeout_ms != m->first_timeout_ms)
		m->actions->fence_moved = true;
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
	m->actions->errors_told = true; /* those of the disks that are there: explain_errors() */
	trace(m, "restart: %u disks cannot be asked", m->nr_lost_disks);
	notice(m, NOTICE_WRITES_WAIT, NULL,
	       "%u disk%s that a former process used cannot be asked for its writes: writes wait, "
	       "at most %llu ms",
	       m->nr_lost_disks, noun_s(m->nr_lost_disks), ms_until(wait_over_ns(m), m->now_ns));
}

static void tell_slow(struct multipath *m)
{
	if (m->told_slow || m->kept_back_ns || m->now_ns < usual_wait_over_ns(m))
		return;
	m->told_slow = true;
	notice(m, NOTICE_WRITES_WAIT, NULL,
	       "an UNMAP or another slow command of a former process may still be out: writes "
	       "wait, at most %llu ms",
	       ms_until(wait_over_ns(m), m->now_ns));
}

/* Most waits are over sooner, and nobody wants to read of them. */
static void tell_waiting(struct multipath *m)
{
	if (m->told_waiting || list_empty(&m->restarting) || m->kept_back_ns || m->nr_lost_disks ||
	    m->now_ns < m->started_ns + LOOK_AFTER_NS)
		return;
	m->told_waiting = true;
	notice(m, NOTICE_WRITES_WAIT, NULL,
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
void notice_standstill(struct multipath *m)
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
	wake_by(m, m->now_ns + LOOK_AFTER_NS);
	if (any_kept_back(m))
		m->kept_back_ns = m->now_ns;
	if (m->nr_former_disks && !m->nr_unsettled && m->now_ns < wait_over_ns(m))
		former_disks_are_lost(m);
	if ((any_seen(m) || may_be_away(m)) && m->now_ns < wait_over_ns(m))
		keep_wait(m);
	if (m->now_ns < m->former_fence_ns) {
		forget_own_wait(m);
		wake_by(m, m->former_fence_ns);
		return;
	}
	if (m->former_fence_ns)
		former_fence_ends(m);
	if (m->stopping) /* nobody looks what is kept back any more: it is over for the next one */
		return;
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

static void kept_back_reason(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	if (m->restart_over || !m->kept_back_ns)
		return;
	if (any_kept_back(m))
		strbuf_printf(out,
			      "the kernel keeps commands of a former process back: writes wait "
			      "until it lets them go, or gives them up, and then at most %llu ms",
			      (unsigned long long)kept_back_lasts_ms(m));
	else
		strbuf_printf(out,
			      "the kernel has kept commands of a former process back: writes "
			      "wait, at most %llu ms",
			      ms_until(wait_over_ns(m), now_ns));
}

static void lost_disks_reason(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	if (m->nr_lost_disks)
		strbuf_printf(out,
			      "%u disk%s that a former process used cannot be asked for its "
			      "writes: writes wait, at most %llu ms",
			      m->nr_lost_disks, noun_s(m->nr_lost_disks),
			      ms_until(wait_over_ns(m), now_ns));
}

static void slow_reason(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	if (!m->restart_over && m->told_slow)
		strbuf_printf(out,
			      "an UNMAP or another slow command of a former process may still be "
			      "out: writes wait, at most %llu ms",
			      ms_until(wait_over_ns(m), now_ns));
}

static void former_fence_reason(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	if (now_ns < m->former_fence_ns)
		strbuf_printf(out,
			      "a former process lost writes that may still land: writes wait, at "
			      "most %llu ms",
			      ms_until(m->former_fence_ns, now_ns));
}

void restart_reasons(const struct multipath *m, uint64_t now_ns, const char *between,
		     struct strbuf *out)
{
	static void (*const reasons[])(const struct multipath *m, uint64_t now_ns,
				       struct strbuf *out) = {kept_back_reason, lost_disks_reason,
							      slow_reason, former_fence_reason};
	char text[200];
	struct strbuf reason;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		strbuf_init(&reason, text, sizeof(text));
		reasons[i](m, now_ns, &reason);
		if (text[0])
			strbuf_printf(out, "%s%s", out->len ? between : "", text);
	}
}

unsigned long long restart_lasts_ms(const struct multipath *m, uint64_t now_ns)
{
	return ms_until(wait_over_ns(m), now_ns);
}
