/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fences: the proof that the old copy of a write cannot land any more (DESIGN D9, hazards.md H10).
 *
 * A path was lost while it had a write, and nobody knows whether the target has executed it, or
 * will.  Were it sent down another path at once and answered, the initiator could write newer data,
 * and the old copy could land on top of it.  So it waits, neither repeated nor answered, for
 *
 *   time	 at most transit_ms after the loss an old copy is at the target or nowhere, and
 *		 there it is executed within its own time-out, as the administrator has set it, or
 *		 never; or fence_time_ms from the loss, if he knows better;
 *   session	 until its path has a new session (iSCSI), which ended what the old one had sent,
 *		 if the target does as the standard says;
 *   lu_reset	 as soon as it is at the target or nowhere, a LOGICAL UNIT RESET through another
 *		 path aborts what is there.  If it fails: time.  The path proves whose LUN it leads
 *		 to before that, and once more after it: were another one behind it by now, that
 *		 one would be reset, and its answer would prove nothing (D8).
 *
 * While the reset is out, and for a moment before it, no command is sent: those on the other paths
 * would be aborted, too, and nobody would tell us.  But the kernel may take minutes for it, and so
 * long nobody is to wait: what is aborted later ends with its time-out.
 *
 * With fence=none the write goes on at once, as in dm-multipath.
 */
#include "core/multipath.h"
#include "core/restart.h"

/* A path is seldom lost with one write only: one reset for all of them. */
#define RESET_GATHER_NS (50 * NSEC_PER_MSEC)
/* Commands on the paths that are left get so long to end by themselves. */
#define RESET_DRAIN_NS (1 * NSEC_PER_SEC)
/* And they wait so long for its answer. */
#define RESET_REST_NS  (3 * NSEC_PER_SEC)
#define RESET_AGAIN_NS (1 * NSEC_PER_SEC)

/* What the next process is told is so much later, so that not every write is news for it. */
#define KEEP_AHEAD_NS (1 * NSEC_PER_SEC)

/* The log tells of fenced writes at most every 10 s. */
#define TELL_AGAIN_NS (10 * NSEC_PER_SEC)

/* --- time --- */

/* When does the kernel's part end, so that nothing more is sent? */
static uint64_t given_up_ns(const struct multipath *m, const struct mpath_io *io)
{
	uint64_t lasts_ns = (io->cmd.timeout_ms + KERNEL_ERROR_HANDLING_MS) * NSEC_PER_MSEC;

	if (io->result.transport != TRANSPORT_ORPHANED)
		return m->now_ns;
	return later(m->now_ns, later(io->start_ns, io->sent_ns) + lasts_ns);
}

static uint64_t fence_ms(const struct multipath *m, uint32_t transit_ms, uint32_t timeout_ms)
{
	return m->settings.fence_time_ms ? m->settings.fence_time_ms : transit_ms + timeout_ms;
}

/* A path that has left, and may come again, makes it no shorter: its writes are still out there. */
uint64_t longest_fence_ms(const struct multipath *m, uint32_t timeout_ms)
{
	if (m->settings.fence == FENCE_NONE)
		return 0;
	return fence_ms(m, m->longest_transit_ms, timeout_ms);
}

/*
 * What may a former process have remembered at most, a fence or its own wait?  It may have had
 * other settings, and the way that held its write is perhaps not there any more, so only the
 * administrator knows a limit below the longest that he can set.
 */
#define FENCE_MAX_MS (60 * 60 * 1000)

uint64_t longest_former_fence_ms(const struct multipath *m)
{
	const struct mpath_settings *s = &m->settings;

	if (s->fence == FENCE_NONE)
		return s->restart_wait_ms;
	return PATH_TIMEOUT_MAX_MS + KERNEL_ERROR_HANDLING_MS +
	       (s->fence_time_ms ? s->fence_time_ms : FENCE_MAX_MS);
}

/* --- for the next process --- */

static void keep_end(struct multipath *m, uint64_t end_ns)
{
	if (end_ns <= m->fence_kept_ns)
		return;
	m->fence_kept_ns = end_ns + KEEP_AHEAD_NS;
	m->actions->fence_moved = true;
}

static void keep_no_end(struct multipath *m)
{
	if (!m->fence_kept_ns || !list_empty(&m->fenced))
		return;
	m->fence_kept_ns = 0;
	m->actions->fence_over = true;
}

/* --- in and out --- */

static const char *waits_for(const struct multipath *m, const struct mpath_io *io)
{
	if (m->settings.fence == FENCE_LU_RESET)
		return "a LOGICAL UNIT RESET";
	return m->settings.fence == FENCE_SESSION && io->lost_session ? "a new session" : "time";
}

static void tell_fenced(struct multipath *m, const struct mpath_io *io, struct path *path)
{
	if (m->fence_told || (m->fence_told_ns && m->now_ns - m->fence_told_ns < TELL_AGAIN_NS))
		return;
	m->fence_told = true;
	m->fence_told_ns = m->now_ns;
	notice(m, NOTICE_WRITES_WAIT, path,
	       "a write was lost and may still land: it waits for %s, at most %llu ms",
	       waits_for(m, io), (unsigned long long)((io->fence_ns - m->now_ns) / NSEC_PER_MSEC));
}

static void tell_free(struct multipath *m)
{
	if (!m->fence_told || !list_empty(&m->fenced))
		return;
	m->fence_told = false;
	notice(m, NOTICE_OTHER, NULL, "no lost write can land any more, after %llu ms",
	       (unsigned long long)((m->now_ns - m->fence_told_ns) / NSEC_PER_MSEC));
}

/* Each step asks for it, and there may be thousands of them. */
static void due_by(struct multipath *m, uint64_t at_ns)
{
	if (!m->fence_due_ns || at_ns < m->fence_due_ns)
		m->fence_due_ns = at_ns;
	wake_by(m, m->fence_due_ns);
}

/* io->after_fence says what comes then. */
void fence_io(struct multipath *m, struct mpath_io *io, struct path *lost_on)
{
	uint64_t from = given_up_ns(m, io);

	if (m->settings.fence == FENCE_NONE) {
		no_copy_is_left(m, io);
		return;
	}
	io->arrived_ns = from + lost_on->facts.transit_ms * NSEC_PER_MSEC;
	io->fence_ns =
		from + fence_ms(m, lost_on->facts.transit_ms, io->cmd.timeout_ms) * NSEC_PER_MSEC;
	io->lost_ns = m->now_ns;
	io->lost_session = io->result.transport == TRANSPORT_LOST ? lost_on->session : 0;
	trace(m, "io %02x: its copy on %s may still land, waits for its fence", io->cmd.cdb[0],
	      path_name(lost_on));
	list_push_back(&m->fenced, &io->node);
	if (io->after_fence == THEN_GO_ELSEWHERE)
		comes_twice(m, io);
	due_by(m, io->fence_ns);
	keep_end(m, io->fence_ns);
	tell_fenced(m, io, lost_on);
}

static void pass(struct multipath *m, struct mpath_io *io, const char *why)
{
	trace(m, "io %02x: its old copy cannot land any more (%s)", io->cmd.cdb[0], why);
	list_del(&io->node);
	io->fence_ns = 0;
	no_copy_is_left(m, io);
}

static void pass_by_time(struct multipath *m)
{
	struct mpath_io *io, *next;

	if (m->now_ns < m->fence_due_ns && !list_empty(&m->fenced)) {
		wake_by(m, m->fence_due_ns);
		return;
	}
	m->fence_due_ns = 0;
	list_for_each_entry_safe(io, next, &m->fenced, node) {
		if (m->now_ns >= io->fence_ns)
			pass(m, io, "time");
		else
			due_by(m, io->fence_ns);
	}
}

/* --- a new session --- */

static void ask_for_session(struct multipath *m, struct path *path, uint64_t sent_ns)
{
	if (path->asking)
		return;
	path->asking = true;
	path->session_sent_ns = sent_ns;
	list_push_back(&m->actions->session, &path->session_node);
}

/* Until it is told, a write that is lost on the path is not known to belong to any session. */
void learn_session(struct multipath *m, struct path *path)
{
	if (!path->facts.has_sessions)
		return;
	path->session = 0;
	ask_for_session(m, path, 0);
}

/* To a command that was sent when writes were lost already: is that session here again? */
void path_has_answered(struct multipath *m, struct path *path, uint64_t sent_ns)
{
	const struct mpath_io *io;

	if (!path->facts.has_sessions)
		return;
	list_for_each_entry(io, &m->fenced, node) {
		if (io->lost_session && io->lost_ns < sent_ns) {
			ask_for_session(m, path, sent_ns);
			return;
		}
	}
}

/*
 * The target has closed the connection that the old copy was sent on (see path_transport.h): so it
 * has arrived, or never will.  What has arrived it was to end; but there are targets that do not
 * wait for what they have handed to their disks, so that counts only if the administrator says so.
 */
static void session_is_new(struct multipath *m, struct mpath_io *io)
{
	uint64_t done_ns = m->now_ns + io->cmd.timeout_ms * NSEC_PER_MSEC;

	io->lost_session = 0;
	if (m->settings.fence == FENCE_SESSION) {
		pass(m, io, "new session");
		return;
	}
	if (io->arrived_ns > m->now_ns)
		io->arrived_ns = m->now_ns;
	if (io->fence_ns > done_ns && !m->settings.fence_time_ms)
		io->fence_ns = done_ns;
	due_by(m, io->fence_ns);
	trace(m, "io %02x: its old copy is not on its way any more (new session)", io->cmd.cdb[0]);
}

static void tell_new_session(struct multipath *m, struct path *path)
{
	if (!m->fence_told)
		return; /* nor was it told that they were lost */
	notice(m, NOTICE_OTHER, path, "a new session: %s",
	       m->settings.fence == FENCE_SESSION
		       ? "what was lost in the old one cannot land any more"
		       : "what was lost in the old one is not on its way any more");
}

void path_told_session(struct multipath *m, struct path *path, uint64_t session)
{
	struct mpath_io *io, *next;
	bool is_new = false;

	path->asking = false;
	path->session = session;
	if (path->link == LINK_CLOSING)
		close_link_if_idle(m, path);
	list_for_each_entry_safe(io, next, &m->fenced, node) {
		if (!session || io->lost_session != session || io->lost_ns >= path->session_sent_ns)
			continue;
		session_is_new(m, io);
		is_new = true;
	}
	if (is_new)
		tell_new_session(m, path);
}

/* --- overdue writes --- */

/* Until then no write that is out is overdue. */
void overdue_by(struct multipath *m, uint64_t at_ns)
{
	if (!m->overdue_due_ns || at_ns < m->overdue_due_ns)
		m->overdue_due_ns = at_ns;
	wake_by(m, m->overdue_due_ns);
}

/*
 * When cmd_time_out is over the kernel answers in our place, and tells nobody (hazards.md H4). What
 * is held is answered before that; a write that is on a path, or fenced, cannot be.  Its initiator
 * takes it for ended then, and newer data that he writes must not be overtaken by it: no further
 * write is sent until it is gone.
 */
static void check_overdue(struct multipath *m, struct mpath_io *io)
{
	if (io->cmd.class == CMD_READ || io->overdue)
		return;
	if (!past_deadline(m, io)) {
		overdue_by(m, io_deadline(m, io));
		return;
	}
	trace(m, "io %02x: overdue, and may still land: other writes wait", io->cmd.cdb[0]);
	io->overdue = true;
	if (m->nr_overdue++ == 0)
		notice(m, NOTICE_WRITES_WAIT, NULL,
		       "a write is not answered within cmd_time_out, so the kernel answers it, but "
		       "it may still land: other writes wait");
}

void overdue_timeout(struct multipath *m)
{
	struct path *path;
	struct mpath_io *io;

	m->overdue_due_ns = 0;
	if (!m->backstore.cmd_time_out_ms)
		return;
	for_each_path(m, path)
		list_for_each_entry(io, &path->flying, flight)
			check_overdue(m, io);
	list_for_each_entry(path, &m->leaving, map_node)
		list_for_each_entry(io, &path->flying, flight)
			check_overdue(m, io);
	list_for_each_entry(io, &m->fenced, node)
		check_overdue(m, io);
}

void overdue_io_ends(struct multipath *m, struct mpath_io *io)
{
	if (!io->overdue)
		return;
	io->overdue = false;
	if (--m->nr_overdue)
		return;
	list_splice(&m->held, &m->restarting);
	m->run_held = true;
	notice(m, NOTICE_OTHER, NULL, "no write is overdue any more: the others go on");
}

/* --- LOGICAL UNIT RESET --- */

static void set_reset_state(struct multipath *m, enum reset_state state)
{
	bool rested = resting_for_reset(m);

	m->reset_state = state;
	m->reset_state_ns = m->now_ns;
	if (rested && !resting_for_reset(m))
		m->run_held = true; /* what came meanwhile waits for room */
}

static bool is_usable(const struct path *path)
{
	return path->active && !path->suspect && path->link == LINK_OPEN;
}

/* In turn, so that one that fails is not asked again and again. */
static struct path *path_for_reset(const struct multipath *m)
{
	struct path *path, *first = NULL;

	for_each_path(m, path) {
		if (!is_usable(path))
			continue;
		if (path->id > m->last_reset_id)
			return path;
		if (!first)
			first = path;
	}
	return first;
}

/* The one that was chosen; NULL: it has failed or left, and what comes later proves nothing. */
static struct path *path_with_reset(const struct multipath *m)
{
	struct path *path = find_path_by_id(m, m->last_reset_id);

	return path && path->active && path->link == LINK_OPEN ? path : NULL;
}

static void ask_for_proof(struct multipath *m, struct path *path)
{
	m->reset_proved = false;
	path->recheck_identity = true; /* only what it is asked from now on counts */
	probe_path_now(m, path);
}

/* It leads to our LUN, as far as can be told. */
void path_has_proved(struct multipath *m, const struct path *path)
{
	if (path->id == m->last_reset_id)
		m->reset_proved = true;
}

static bool has_drained(const struct multipath *m)
{
	const struct path *path;

	for_each_path(m, path)
		if (is_usable(path) && path->in_flight)
			return false;
	return true;
}

/* When would a reset help the first of them? */
static uint64_t reset_due_ns(const struct multipath *m)
{
	const struct list *node;
	uint64_t due = UINT64_MAX;

	for (node = m->fenced.next; node != &m->fenced; node = node->next) {
		const struct mpath_io *io = container_of(node, struct mpath_io, node);

		if (io->arrived_ns < due)
			due = io->arrived_ns;
	}
	due += RESET_GATHER_NS;
	return due < m->reset_again_ns ? m->reset_again_ns : due;
}

static bool wants_reset(const struct multipath *m)
{
	return !list_empty(&m->fenced) && m->settings.fence == FENCE_LU_RESET;
}

static void begin_reset(struct multipath *m)
{
	struct path *path = path_for_reset(m);
	uint64_t due;

	if (!wants_reset(m) || !path)
		return;
	due = reset_due_ns(m);
	if (m->now_ns < due) {
		wake_by(m, due);
		return;
	}
	m->reset_state = RESET_IS_PREPARED;
	m->last_reset_id = path->id;
	ask_for_proof(m, path);
}

static void send_reset(struct multipath *m, struct path *path)
{
	trace(m, "path %s: LOGICAL UNIT RESET", path_name(path));
	set_reset_state(m, RESET_IS_OUT);
	m->reset_sent_ns = m->now_ns;
	path->resetting = true;
	list_push_back(&m->actions->reset, &path->reset_node);
}

static void choose_another_for_reset(struct multipath *m)
{
	m->reset_state = RESET_IDLE;
	begin_reset(m);
}

/*
 * Others do not wait meanwhile.  Who is in doubt may not be able to prove anything for minutes; but
 * if all are, time and again, they are not asked in turn as fast as they answer.
 */
static void prepare_reset(struct multipath *m)
{
	struct path *path = path_with_reset(m);

	if (!wants_reset(m) || !path) {
		choose_another_for_reset(m);
	} else if (m->reset_proved) {
		set_reset_state(m, RESET_DRAINS);
	} else if (!is_usable(path) && path_for_reset(m)) {
		m->reset_again_ns = m->now_ns + RESET_AGAIN_NS;
		choose_another_for_reset(m);
	}
}

static void drain_for_reset(struct multipath *m)
{
	struct path *path = path_with_reset(m);

	if (!wants_reset(m) || !path || !is_usable(path)) {
		set_reset_state(m, RESET_IDLE);
		begin_reset(m);
		return;
	}
	if (has_drained(m) || m->now_ns >= m->reset_state_ns + RESET_DRAIN_NS)
		send_reset(m, path);
	else
		wake_by(m, m->reset_state_ns + RESET_DRAIN_NS);
}

/* NULL: it has failed or left the map, and will hardly bring an answer. */
static struct path *path_of_reset(const struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		if (path->resetting && path->active)
			return path;
	return NULL;
}

static void wait_for_reset(struct multipath *m)
{
	struct path *path = path_of_reset(m);
	uint64_t until_ns = m->reset_state_ns + RESET_REST_NS;

	if (path && m->now_ns < until_ns) {
		wake_by(m, until_ns);
		return;
	}
	notice(m, NOTICE_OTHER, path,
	       "LOGICAL UNIT RESET is not answered: other commands wait no longer");
	set_reset_state(m, RESET_HANGS);
}

/* The target's word: of what had reached it when the reset was sent, nothing can land any more. */
static void reset_counts(struct multipath *m, struct path *path)
{
	struct mpath_io *io, *next;

	m->reset_state = RESET_IDLE;
	notice(m, NOTICE_OTHER, path, "LOGICAL UNIT RESET: the lost writes cannot land any more");
	list_for_each_entry_safe(io, next, &m->fenced, node)
		if (io->arrived_ns <= m->reset_sent_ns)
			pass(m, io, "LOGICAL UNIT RESET");
}

static void reset_proves_nothing(struct multipath *m)
{
	m->reset_state = RESET_IDLE;
	m->reset_again_ns = m->now_ns + RESET_AGAIN_NS;
	notice(m, NOTICE_OTHER, NULL,
	       "LOGICAL UNIT RESET may have gone to another LUN, as its path has not shown its "
	       "WWID since: the lost writes wait for another one, or for time");
}

static void believe_reset(struct multipath *m)
{
	struct path *path = path_with_reset(m);

	if (list_empty(&m->fenced))
		m->reset_state = RESET_IDLE;
	else if (!path)
		reset_proves_nothing(m);
	else if (m->reset_proved)
		reset_counts(m, path);
}

static void look_at_reset(struct multipath *m)
{
	if (m->reset_state == RESET_IS_ANSWERED)
		believe_reset(m);
	if (m->reset_state == RESET_IDLE)
		begin_reset(m);
	if (m->reset_state == RESET_IS_PREPARED)
		prepare_reset(m);
	if (m->reset_state == RESET_DRAINS)
		drain_for_reset(m);
	else if (m->reset_state == RESET_IS_OUT)
		wait_for_reset(m);
}

void path_was_reset(struct multipath *m, struct path *path, int error)
{
	bool is_for_none = list_empty(&m->fenced); /* it came too late, and nobody looks at it */

	path->resetting = false;
	set_reset_state(m, error || is_for_none ? RESET_IDLE : RESET_IS_ANSWERED);
	if (path->link == LINK_CLOSING)
		close_link_if_idle(m, path);
	if (error) {
		trace(m, "path %s: LOGICAL UNIT RESET failed", path_name(path));
		notice(m, NOTICE_OTHER, path, "LOGICAL UNIT RESET failed (errno %d): %s", -error,
		       "the lost writes wait for another one, or for time");
		m->reset_again_ns = m->now_ns + RESET_AGAIN_NS;
		return;
	}
	if (!is_for_none && path_with_reset(m))
		ask_for_proof(m, path);
}

/* --- after each step --- */

void look_at_fences(struct multipath *m)
{
	pass_by_time(m);
	look_at_reset(m);
	tell_free(m);
	keep_no_end(m);
}

/* --- status --- */

static const char *const kind_names[] = {
	[FENCE_TIME] = "time", [FENCE_SESSION] = "session", [FENCE_LU_RESET] = "lu_reset"};

static void kind_detail(const struct multipath *m, struct strbuf *out)
{
	switch (m->settings.fence) {
	case FENCE_NONE:
		strbuf_printf(out, "  fence: none: a lost write is sent again at once, and its old "
				   "copy may land on newer data, as with dm-multipath\n");
		return;
	case FENCE_TIME:
	case FENCE_SESSION:
	case FENCE_LU_RESET:
		strbuf_printf(out, "  fence: %s, at most %llu ms\n", kind_names[m->settings.fence],
			      (unsigned long long)longest_fence_ms(m, m->settings.path_timeout_ms));
		return;
	}
}

void fence_reason(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	const char *last_waits_for = "time";
	const struct mpath_io *io;
	uint64_t last = now_ns;
	unsigned int n = 0;

	list_for_each_entry(io, &m->fenced, node) {
		n++;
		if (io->fence_ns <= last)
			continue;
		last = io->fence_ns;
		last_waits_for = waits_for(m, io);
	}
	if (n)
		strbuf_printf(out, "%u write%s lost and may still land: %s for %s, at most %llu ms",
			      n, n == 1 ? " was" : "s were", n == 1 ? "it waits" : "they wait",
			      last_waits_for,
			      (unsigned long long)((last - now_ns) / NSEC_PER_MSEC));
}

void fence_detail(const struct multipath *m, uint64_t now_ns, struct strbuf *out)
{
	struct strbuf reason;
	char text[160];

	kind_detail(m, out);
	strbuf_init(&reason, text, sizeof(text));
	fence_reason(m, now_ns, &reason);
	if (text[0])
		strbuf_printf(out, "  %s\n", text);
}
