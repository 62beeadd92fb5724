/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slow paths (settings.slow_path_factor): one that answers, but takes much longer than its peers,
 * the other paths of its priority group, gets no commands while these serve.
 *
 * Twenty times a second each path is judged by what was answered since then; stats.c has counted
 * that anyway, so that commands pay nothing for it.  A turn makes a point against the path, or a
 * part of one if it had few answers, when most of them took longer than factor times the median of
 * the group (it is slow), or more than 4 in 1000 took longer than factor times the group's 99th
 * percentile (it stalls); any other turn takes one away.  With three points it is demoted.  What is
 * slow for all paths is the array, and nobody's point.  A group's median is the lower one: that of
 * two paths is the faster one's.
 *
 * After a time, which doubles when it did not help, a demoted path is on trial: it gets one command
 * at a time, and seldom.  It comes back when enough of them were no slower than its peers'.
 *
 * The last path of a group that could serve is never demoted; when its peers are gone, or do not
 * answer, a demoted path is used again at once.  If only some of them do not answer, and have no
 * room either, it is used for what the others have failed.
 */
#include "core/multipath.h"

#define TURN_NS	       (50 * NSEC_PER_MSEC)
#define TURN_IDLE_NS   NSEC_PER_SEC
#define OVERDUE_NS     (100 * NSEC_PER_MSEC)
#define POINT	       1000 /* points are counted in thousandths */
#define POINTS_MAX     (3 * POINT)
#define STALLS_ALLOWED 4 /* in 1000 */
#define PERMILLE_SLOW  500
#define PERMILLE_TAIL  990
#define TAIL_MIN       100	 /* answers; fewer have no 99th percentile */
#define SLOWER_MIN_NS  200000ull /* less is not worth it, whatever the factor */
#define TRIAL_WAIT_S   10
#define TRIAL_WAIT_MAX 600
#define TRIAL_ANSWERS  64

/* What is fast and what is slow in a group, this time. */
struct standard {
	unsigned int nr_members; /* paths that serve */
	uint64_t median_ns;	 /* 0: not known, nobody is judged */
	uint64_t tail_ns;	 /* 0: not known */
	uint64_t slow_ns;	 /* longer is slow */
	uint64_t stall_ns;	 /* and longer is a stall */
	uint32_t answers;
	uint32_t stalled;
	bool room;	   /* one of them could take another command */
	bool full;	   /* one could not ... */
	bool full_answers; /* ... but has answered some */
};

static bool serves(const struct path *path)
{
	return path->active && !path->suspect && path->demotion == NOT_DEMOTED && !path->passive &&
	       !path->needs_activation;
}

void hide_path(struct path *path, bool hidden)
{
	path->hidden = hidden;
	sync_selector(path);
}

/* --- demoted, on trial, and back --- */

static void set_demotion(struct multipath *m, struct path *path, enum demotion demotion)
{
	m->nr_demoted += (demotion != NOT_DEMOTED) - (path->demotion != NOT_DEMOTED);
	path->demotion = demotion;
	path->slow_points = 0;
	path->stall_points = 0;
	switch (demotion) {
	case NOT_DEMOTED:
		path->depth = path->facts.queue_depth;
		path->hidden = false;
		path->alike_since_ns = m->now_ns;
		return;
	case DEMOTED:
		path->depth = 0;
		path->hidden = true;
		return;
	case ON_TRIAL:
		path->depth = 1;
		path->hidden = false;
		path->trial_answers = 0;
		return;
	}
}

void forget_demotion(struct multipath *m, struct path *path)
{
	if (path->demotion != NOT_DEMOTED)
		set_demotion(m, path, NOT_DEMOTED);
}

static void print_ms(uint64_t ns, struct strbuf *out)
{
	unsigned long long us = ns / 1000;

	strbuf_printf(out, "%llu.%02llu ms", us / 1000, us % 1000 / 10);
}

void demotion_reason(const struct path *path, struct strbuf *out)
{
	if (path->demotion == NOT_DEMOTED)
		return;
	strbuf_printf(out, path->stalls ? "slow: some of its commands take more than "
					: "slow: half of its commands take ");
	print_ms(path->slow_ns, out);
	strbuf_printf(out, path->stalls ? ", 99 in 100 of its peers' " : ", or more, its peers' ");
	print_ms(path->peers_ns, out);
}

/* The longer the less it helps. */
static void wait_for_trial(struct multipath *m, struct path *path)
{
	bool again = path->trial_wait_s &&
		     (path->demotion != NOT_DEMOTED ||
		      m->now_ns - path->alike_since_ns < TRIAL_WAIT_MAX * NSEC_PER_SEC);

	path->trial_wait_s = again ? 2 * path->trial_wait_s : TRIAL_WAIT_S;
	if (path->trial_wait_s > TRIAL_WAIT_MAX)
		path->trial_wait_s = TRIAL_WAIT_MAX;
	path->trial_ns = m->now_ns + path->trial_wait_s * NSEC_PER_SEC;
}

static void demote(struct multipath *m, struct path *path, const struct standard *standard,
		   bool stalls)
{
	bool news = path->demotion == NOT_DEMOTED;
	char text[PATH_REASON_MAX];
	struct strbuf reason;

	path->stalls = stalls;
	path->peers_ns = stalls ? standard->tail_ns : standard->median_ns;
	path->slow_ns = stalls ? standard->stall_ns : latency_span_ns(path->turn.median);
	wait_for_trial(m, path);
	set_demotion(m, path, DEMOTED);
	sync_selector(path);
	strbuf_init(&reason, text, sizeof(text));
	demotion_reason(path, &reason);
	trace(m, "path %s: demoted (%s)", path_name(path), text);
	if (news)
		notice(m, NOTICE_PATH_SLOW, path, "%s: not used while they serve", text);
	if (!list_empty(&m->backlog))
		m->run_held = true; /* who waited for room on it must look again */
}

void lift_demotion(struct multipath *m, struct path *path, const char *why)
{
	if (path->demotion == NOT_DEMOTED)
		return;
	set_demotion(m, path, NOT_DEMOTED);
	sync_selector(path);
	trace(m, "path %s: demoted no longer (%s)", path_name(path), why);
	notice(m, NOTICE_PATH_NOT_SLOW, path, "used again: %s", why);
	m->run_held = true;
}

bool lift_demotions(struct multipath *m, struct priority_group *pg, const char *why)
{
	bool any = false;
	struct path *path;

	list_for_each_entry(path, &pg->paths, node) {
		any |= path->demotion != NOT_DEMOTED;
		lift_demotion(m, path, why);
	}
	return any;
}

static void begin_trial(struct multipath *m, struct path *path)
{
	trace(m, "path %s: on trial", path_name(path));
	set_demotion(m, path, ON_TRIAL);
	sync_selector(path);
}

/* --- judging --- */

/* Commands that have been out for that long have no answer, but say enough. */
static unsigned int overdue_commands(const struct multipath *m, const struct path *path,
				     uint64_t longer_than_ns)
{
	const struct mpath_io *io;
	unsigned int n = 0;

	if (longer_than_ns < OVERDUE_NS)
		longer_than_ns = OVERDUE_NS;
	list_for_each_entry(io, &path->flying, flight) {
		if (m->now_ns - io->start_ns <= longer_than_ns)
			break;
		n += io->cmd.dir != SCSI_NO_DATA && !io->cmd.needs_ms;
	}
	return n;
}

/* One vote for each member: the span of its median, and of its 99th percentile. */
struct votes {
	unsigned int nr_medians;
	unsigned int nr_tails;
	uint32_t medians[LATENCY_SPANS];
	uint32_t tails[LATENCY_SPANS];
};

static void vote(struct path *path, struct votes *votes)
{
	uint32_t spans[LATENCY_SPANS];
	uint32_t recent = latency_recent(&path->stats.latency, spans);
	unsigned int usual = latency_span_of(spans, recent, PERMILLE_SLOW);

	if (recent >= TAIL_MIN) {
		votes->nr_tails++;
		votes->tails[latency_span_of(spans, recent, PERMILLE_TAIL)]++;
	}
	/* Who has nothing to do would answer as usual; who does not answer has no vote. */
	if (path->turn.answers)
		votes->medians[path->turn.median]++;
	else if (recent && !path->in_flight)
		votes->medians[usual]++;
	else
		return;
	votes->nr_medians++;
}

/* A span's end: no command of it has taken longer. */
static uint64_t elected_ns(const uint32_t *votes, unsigned int nr)
{
	return nr ? latency_span_ns(latency_span_of(votes, nr, PERMILLE_SLOW) + 1) : 0;
}

static uint64_t too_long_ns(const struct multipath *m, uint64_t usual_ns)
{
	uint64_t ns = m->settings.slow_path_factor * usual_ns;

	return ns < usual_ns + SLOWER_MIN_NS ? usual_ns + SLOWER_MIN_NS : ns;
}

static void ask_for_room(const struct path *path, struct standard *standard)
{
	bool room = !path->resting && path->in_flight < path->depth;

	standard->room |= room;
	standard->full |= !room;
	standard->full_answers |= !room && path->turn.answers;
}

static void set_standard(struct multipath *m, struct priority_group *pg, struct standard *standard)
{
	struct votes votes = {0};
	uint32_t spans[LATENCY_SPANS];
	struct path *path;

	list_for_each_entry(path, &pg->paths, node) {
		latency_turn_window(&path->stats.latency, m->now_ns);
		path->turn.answers = latency_since(&path->stats.latency, path->judged, spans);
		path->turn.median = latency_span_of(spans, path->turn.answers, PERMILLE_SLOW);
		if (!serves(path))
			continue;
		standard->nr_members++;
		ask_for_room(path, standard);
		standard->answers += path->turn.answers;
		vote(path, &votes);
	}
	standard->median_ns = elected_ns(votes.medians, votes.nr_medians);
	standard->tail_ns = elected_ns(votes.tails, votes.nr_tails);
	standard->slow_ns = too_long_ns(m, standard->median_ns);
	standard->stall_ns = too_long_ns(m, standard->tail_ns);
}

static uint32_t longer_than(const uint32_t *spans, uint64_t ns)
{
	unsigned int i = latency_span(ns) + 1;
	uint32_t n = 0;

	for (; i < LATENCY_SPANS; i++)
		n += spans[i];
	return n;
}

/* What was before counts for less and less. */
static void fade_in(uint64_t *sum, uint32_t n)
{
	*sum += 16 * (uint64_t)n;
	*sum -= *sum / 16;
}

static void count_slow(struct multipath *m, struct path *path, struct standard *standard)
{
	uint32_t spans[LATENCY_SPANS];
	unsigned int overdue;

	latency_since(&path->stats.latency, path->judged, spans);
	latency_mark(&path->stats.latency, path->judged);
	path->turn.stalled = standard->tail_ns ? longer_than(spans, standard->stall_ns) : 0;
	path->turn.slow = longer_than(spans, standard->slow_ns);
	fade_in(&path->lately.answers, path->turn.answers);
	fade_in(&path->lately.stalled, path->turn.stalled);
	if (serves(path))
		standard->stalled += path->turn.stalled;
	overdue = overdue_commands(m, path, standard->slow_ns);
	if (overdue && !path->turn.answers)
		path->turn.median = latency_span(
			m->now_ns -
			list_first_entry(&path->flying, struct mpath_io, flight)->start_ns);
	path->turn.slow += overdue;
	path->turn.answers += overdue;
}

/* At most a point more or less. */
static void add_points(unsigned int *points, int64_t thousandths)
{
	int64_t sum;

	if (thousandths > POINT)
		thousandths = POINT;
	if (thousandths < -POINT)
		thousandths = -POINT;
	sum = *points + thousandths;
	if (sum > POINTS_MAX)
		sum = POINTS_MAX;
	*points = sum > 0 ? (unsigned int)sum : 0;
}

/* Four answers that are all slow make a point. */
static void judge_slowness(struct path *path)
{
	int64_t too_many = 2 * (int64_t)path->turn.slow - path->turn.answers;

	add_points(&path->slow_points, too_many * POINT / 4);
}

/* Two stalls too many make a point.  If the peers stall, too, it may do so twice as often. */
static void judge_stalls(struct path *path, const struct standard *standard)
{
	bool member = serves(path);
	uint64_t stalled = standard->stalled - (member ? path->turn.stalled : 0);
	uint64_t answers = standard->answers - (member ? path->turn.answers : 0);
	uint64_t permille = answers ? 2 * 1000 * stalled / answers : 0;

	if (permille < STALLS_ALLOWED)
		permille = STALLS_ALLOWED;
	add_points(&path->stall_points,
		   ((int64_t)path->turn.stalled * 1000 - (int64_t)(path->turn.answers * permille)) /
			   2);
}

/* A turn's few stalls may be chance: its peers must have had far fewer lately. */
static bool stalls_alone(const struct path *path)
{
	uint64_t answers = 0, stalled = 0;
	const struct path *peer;

	list_for_each_entry(peer, &path->pg->paths, node) {
		if (peer == path || !serves(peer))
			continue;
		answers += peer->lately.answers;
		stalled += peer->lately.stalled;
	}
	return path->lately.stalled * answers >= 4 * stalled * path->lately.answers;
}

static bool is_guilty(const struct path *path)
{
	return path->slow_points >= POINTS_MAX ||
	       (path->stall_points >= POINTS_MAX && stalls_alone(path));
}

static void judge_path(struct multipath *m, struct path *path, struct standard *standard)
{
	if (!path->turn.answers || path->demotion == DEMOTED || !path->active || path->suspect)
		return;
	judge_slowness(path);
	judge_stalls(path, standard);
	path->trial_answers += path->turn.answers;
	if (is_guilty(path)) {
		if (serves(path) && standard->nr_members < 2)
			return;
		standard->nr_members -= serves(path);
		demote(m, path, standard, path->slow_points < path->stall_points / 2);
	} else if (path->demotion == ON_TRIAL && path->trial_answers >= TRIAL_ANSWERS &&
		   path->slow_points < POINT) {
		lift_demotion(m, path, "it is as fast as its peers");
	}
}

/* Where a checker's command takes that long, others need not be risked. */
static bool is_hopeless(const struct path *path, const struct standard *standard)
{
	return standard->tail_ns && path->last_check_ns > standard->stall_ns;
}

static void judge_demoted(struct multipath *m, struct path *path, const struct standard *standard)
{
	bool peers_are_slow = !path->stalls && standard->median_ns >= path->slow_ns;

	if (path->demotion == ON_TRIAL && path->hidden && !path->in_flight)
		hide_path(path, false);
	if (path->demotion != DEMOTED)
		return;
	if (m->now_ns >= path->trial_ns && is_hopeless(path, standard))
		path->trial_ns = m->now_ns + m->settings.polling_interval_ms * NSEC_PER_MSEC;
	if (m->now_ns >= path->trial_ns || peers_are_slow)
		begin_trial(m, path);
}

/* The first of those who wait come before all others, see wait_for_room() in queue.c. */
static bool who_was_failed_waits(const struct multipath *m)
{
	const struct mpath_io *io;

	list_for_each_entry(io, &m->backlog, node) {
		if (io->nr_suspicions)
			return true;
		if (!pair_kind(io))
			return false;
	}
	return false;
}

/* Who waits for one that does not answer need not, if the others have failed him: choose.c. */
static void look_for_silence(struct multipath *m, struct priority_group *pg,
			     const struct standard *standard)
{
	pg->full_are_silent = standard->full && !standard->full_answers;
	if (pg->full_are_silent && m->nr_demoted && who_was_failed_waits(m))
		m->run_held = true;
}

/* Its answers count from now on; how it was judged is for those that were there. */
static bool judge_group(struct multipath *m, struct priority_group *pg)
{
	struct standard standard = {0};
	bool busy = false;
	struct path *path;

	set_standard(m, pg, &standard);
	list_for_each_entry(path, &pg->paths, node) {
		count_slow(m, path, &standard);
		busy |= path->turn.answers || path->in_flight;
	}
	if (!standard.nr_members) {
		lift_demotions(m, pg, "no other path is left in its group");
		return busy;
	}
	/* Who waits although they have room wants the very path that it waits for. */
	if (!standard.answers && !standard.room && !list_empty(&m->backlog))
		lift_demotions(m, pg, "its peers do not answer");
	look_for_silence(m, pg, &standard);
	list_for_each_entry(path, &pg->paths, node) {
		if (standard.median_ns)
			judge_path(m, path, &standard);
		judge_demoted(m, path, &standard);
	}
	return busy;
}

static void stop_judging(struct multipath *m)
{
	struct priority_group *pg;

	m->judge_ns = 0;
	if (!m->nr_demoted)
		return;
	for_each_group(m, pg)
		lift_demotions(m, pg, "slow paths are used");
}

/* The same moments for all maps of a loop. */
void demote_timeout(struct multipath *m)
{
	struct priority_group *pg;
	bool busy = false;
	uint64_t turn_ns;

	if (!m->settings.slow_path_factor || m->stopping) {
		stop_judging(m);
		return;
	}
	if (m->now_ns >= m->judge_ns) {
		for_each_group(m, pg)
			busy |= judge_group(m, pg);
		turn_ns = busy ? TURN_NS : TURN_IDLE_NS;
		m->judge_ns = m->now_ns - m->now_ns % turn_ns + turn_ns;
	}
	wake_by(m, m->judge_ns);
}
