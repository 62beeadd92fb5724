/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hedged reads (settings.hedged_reads): a READ that has been out for longer than nearly all others
 * of its path is sent a second time, down another path of the group, and the first good answer is
 * the initiator's.
 *
 * Where that may be, a READ does not go down a path itself.  It waits here (multipath.on_legs), and
 * a "leg" goes in its place: a command of the core's own, with a buffer of its own, of which the
 * winner's is copied.  So no leg can touch the initiator's buffer, at any time, and one that has
 * lost need not be given up: it is read out, its path is judged by its answer as by any other, and
 * what the array says but once is heard.  The read's states, and what ends each:
 *
 * One leg: if it is good, the read is answered.  Else it is as if the read itself had been on the
 * path: answered, again, or elsewhere, with a fresh leg.  If it is late, and all conditions of
 * try_hedge() are met, it gets another one.
 *
 * Two legs: if one is good, the read is answered, and the other one is loose.  If one is not, its
 * path is judged, and the read has one leg; but what is told once (a unit attention that goes up, a
 * deferred error) is its answer at once.
 *
 * Answered, or aborted: its legs are loose, nobody waits for them.  What one still hears that is
 * told once, the next command is told (keep_news()).
 *
 * Nobody can tell a hedged read from one that was carried out between its first leg's start and its
 * answer: each leg reads what is there at some moment in between.  That the second of two legs is
 * good after a RESERVATION CONFLICT or a medium error is as if only that had been sent; both stay
 * as they are, and if both legs say so the initiator hears it.
 *
 * What is late is known from the histograms (stats.c), anew every HEDGE_LEARN_NS.  A fresh leg
 * brings hedged_reads/100 of a hedge, so that no more reads are hedged than that, ever.
 */
#include <assert.h>
#include <stdlib.h>

#include "core/multipath.h"
#include "core/verdict.h"
#include "mpath/scsi.h"

#define HEDGE_LEGS	128
#define HEDGE_BYTES	(64 * 1024) /* what is longer is never hedged */
#define HEDGE_LEARN_NS	(250 * NSEC_PER_MSEC)
#define HEDGE_PAUSE_NS	(NSEC_PER_MSEC / 2) /* between two looks at what is out */
#define HEDGE_AGAIN_NS	(5 * NSEC_PER_MSEC) /* for what could not be hedged */
#define HEDGE_AFTER_MIN (NSEC_PER_MSEC)	    /* what takes no longer is not late */
#define ANSWERS_MIN	200		    /* of the path, or nobody knows what is late */
#define CREDIT_ONE	100		    /* for one hedge */
#define CREDIT_MAX	(64 * CREDIT_ONE)   /* saved up, as a path may swallow many at once */

struct leg {
	struct mpath_io io;
	struct mpath_io *read; /* for which it is out; NULL: none waits for it */
	struct leg *twin;      /* the other leg that is out for it; NULL: none */
	bool is_second;
	bool was_hedged; /* once is enough: who is told BUSY need not be asked again and again */
	struct iovec iov;
	uint8_t *buf;
};

struct hedge {
	struct list free; /* leg.io.node */
	unsigned int credit;
	struct leg legs[HEDGE_LEGS];
	uint8_t buffers[HEDGE_LEGS][HEDGE_BYTES];
};

/* --- legs --- */

struct hedge *hedge_new(void)
{
	struct hedge *hedge = calloc(1, sizeof(*hedge));
	unsigned int i;

	if (!hedge)
		return NULL;
	list_init(&hedge->free);
	for (i = 0; i < HEDGE_LEGS; i++) {
		struct leg *leg = &hedge->legs[i];

		leg->buf = hedge->buffers[i];
		leg->io.is_internal = true;
		list_init(&leg->io.flight);
		list_push_back(&hedge->free, &leg->io.node);
	}
	return hedge;
}

void hedge_free(struct hedge *hedge)
{
	free(hedge);
}

static struct leg *leg_of(struct mpath_io *io)
{
	assert(io->is_internal && !io->is_probe);
	return container_of(io, struct leg, io);
}

void hedge_settings_changed(struct multipath *m)
{
	m->closer_look = m->stopping || m->settings.hedged_reads;
	assert(!m->settings.hedged_reads || m->hedge);
}

bool may_be_hedged(const struct multipath *m, const struct mpath_io *io)
{
	uint64_t lba;

	return m->settings.hedged_reads && io->cmd.class == CMD_READ &&
	       io->cmd.data_len <= HEDGE_BYTES && !list_empty(&m->hedge->free) &&
	       scsi_cdb_read_lba(io->cmd.cdb, io->cmd.cdb_len, &lba);
}

/* The one used last first: its buffer is in the cache. */
static struct leg *send_leg(struct multipath *m, struct mpath_io *read, struct path *path)
{
	struct leg *leg = leg_of(container_of(list_pop(&m->hedge->free), struct mpath_io, node));

	leg->io.cmd = read->cmd;
	leg->iov = (struct iovec){.iov_base = leg->buf, .iov_len = read->cmd.data_len};
	leg->io.cmd.iov = &leg->iov;
	leg->io.cmd.iov_cnt = 1;
	leg->io.arrival_ns = read->arrival_ns;
	leg->io.cpu = read->cpu;
	leg->io.owner = read->owner;
	leg->io.aborted = false;
	leg->read = read;
	leg->twin = NULL;
	leg->is_second = false;
	leg->was_hedged = false;
	m->nr_legs++;
	start_io(m, &leg->io, path);
	return leg;
}

/* Its answer is judged: it may be used again. */
static void put_leg(struct multipath *m, struct leg *leg)
{
	leg->read = NULL;
	leg->twin = NULL;
	m->nr_legs--;
	list_push_front(&m->hedge->free, &leg->io.node);
}

static void loosen(struct leg *leg)
{
	leg->read = NULL;
	leg->twin = NULL;
	leg->io.owner = NULL;
	leg->io.aborted = true; /* if it was not sent yet it need not be */
}

/* The read is to be answered without them. */
void loosen_legs(struct mpath_io *io)
{
	struct leg *leg = io->leg;

	if (!leg)
		return;
	io->leg = NULL;
	if (leg->twin)
		loosen(leg->twin);
	loosen(leg);
}

/* --- when --- */

static void hedge_by(struct multipath *m, uint64_t at_ns)
{
	if (m->hedge_due_ns && m->hedge_due_ns <= at_ns)
		return;
	m->hedge_due_ns = at_ns;
	wake_by(m, at_ns);
}

static void learn_by(struct multipath *m)
{
	if (m->hedge_learn_ns)
		return;
	m->hedge_learn_ns = m->now_ns + HEDGE_LEARN_NS;
	wake_by(m, m->hedge_learn_ns);
}

void start_on_leg(struct multipath *m, struct mpath_io *io, struct path *path)
{
	unsigned int credit = m->hedge->credit + m->settings.hedged_reads;

	m->hedge->credit = credit < CREDIT_MAX ? credit : CREDIT_MAX;
	io->leg = send_leg(m, io, path);
	list_push_back(&m->on_legs, &io->node);
	learn_by(m);
	if (path->hedge_after_ns)
		hedge_by(m, m->now_ns + path->hedge_after_ns);
}

/* A span's end: no command of it has taken longer. */
static uint64_t permille_ns(const uint32_t *spans, uint32_t total, unsigned int permille)
{
	return latency_span_ns(latency_span_of(spans, total, permille) + 1);
}

/*
 * The 99th percentile.  Where one in a hundred stalls, that would be a stall: then three times what
 * 95 in 100 take.
 */
static void learn_what_is_late(struct multipath *m, struct path *path)
{
	uint32_t spans[LATENCY_SPANS];
	uint32_t recent;
	uint64_t after;

	latency_turn_window(&path->stats.latency, m->now_ns);
	recent = latency_recent(&path->stats.latency, spans);
	path->hedge_after_ns = 0;
	if (recent < ANSWERS_MIN)
		return;
	after = permille_ns(spans, recent, 990);
	if (after > 3 * permille_ns(spans, recent, 950))
		after = 3 * permille_ns(spans, recent, 950);
	path->hedge_after_ns = after > HEDGE_AFTER_MIN ? after : HEDGE_AFTER_MIN;
}

/* --- where --- */

/*
 * A path of whose reads most are late would be of no help.  When all paths are slow, none is
 * hedged.
 */
static bool is_late(const struct multipath *m, const struct path *path)
{
	unsigned int late = 0, in_time = 0;
	const struct mpath_io *io;

	list_for_each_entry(io, &path->flying, flight) {
		if (io->cmd.class != CMD_READ)
			continue;
		if (m->now_ns - io->start_ns >= path->hedge_after_ns)
			late++;
		else
			in_time++;
	}
	return late > in_time;
}

static struct path *path_for_hedge(const struct multipath *m, const struct mpath_io *read,
				   const struct path *first)
{
	struct path *best = NULL, *path;

	if (!first->pg || first->pg != m->current_pg)
		return NULL;
	list_for_each_entry(path, &first->pg->paths, node)
		if (path != first && path->hedge_after_ns && !is_late(m, path) &&
		    may_take_second_leg(path, read) && (!best || path->in_flight < best->in_flight))
			best = path;
	return best;
}

static bool may_hedge(const struct multipath *m, const struct mpath_io *read)
{
	return m->suspend == NOT_SUSPENDED && !m->shutdown && !past_deadline(m, read) &&
	       m->hedge->credit >= CREDIT_ONE && !list_empty(&m->hedge->free);
}

static bool try_hedge(struct multipath *m, struct leg *leg)
{
	struct mpath_io *read = leg->read;
	struct path *path;

	if (!may_hedge(m, read))
		return false;
	path = path_for_hedge(m, read, leg->io.path);
	if (!path)
		return false;
	trace(m, "io %02x: hedged, it is late on %s", read->cmd.cdb[0], path_name(leg->io.path));
	m->hedge->credit -= CREDIT_ONE;
	m->nr_hedged++;
	leg->twin = send_leg(m, read, path);
	leg->twin->twin = leg;
	leg->twin->is_second = true;
	leg->was_hedged = true;
	return true;
}

static bool may_want_hedge(const struct mpath_io *io)
{
	const struct leg *leg;

	if (!io->is_internal || io->abandoned)
		return false;
	leg = container_of(io, struct leg, io);
	return leg->read && !leg->was_hedged && !leg->is_second;
}

static void hedge_late_reads(struct multipath *m, struct path *path)
{
	struct mpath_io *io;

	if (!path->hedge_after_ns)
		return;
	list_for_each_entry(io, &path->flying, flight) {
		uint64_t due = io->start_ns + path->hedge_after_ns;

		if (!may_want_hedge(io))
			continue;
		if (m->now_ns < due) {
			hedge_by(m, due > m->now_ns + HEDGE_PAUSE_NS ? due
								     : m->now_ns + HEDGE_PAUSE_NS);
			return; /* those behind it went later */
		}
		if (!try_hedge(m, leg_of(io)))
			hedge_by(m, m->now_ns + HEDGE_AGAIN_NS);
	}
}

void hedge_timeout(struct multipath *m)
{
	struct path *path;

	if (!m->settings.hedged_reads || m->stopping) {
		m->hedge_due_ns = 0;
		m->hedge_learn_ns = 0;
		return;
	}
	if (m->hedge_learn_ns && m->now_ns >= m->hedge_learn_ns) {
		m->hedge_learn_ns = 0;
		for_each_path(m, path)
			learn_what_is_late(m, path);
		if (m->nr_legs)
			learn_by(m);
		m->hedge_due_ns = m->now_ns;
	}
	if (m->hedge_due_ns && m->now_ns >= m->hedge_due_ns) {
		m->hedge_due_ns = 0;
		for_each_path(m, path)
			hedge_late_reads(m, path);
	}
	if (m->hedge_due_ns)
		wake_by(m, m->hedge_due_ns);
	if (m->hedge_learn_ns)
		wake_by(m, m->hedge_learn_ns);
}

/* --- a leg ends --- */

/* It becomes the read's, with GOOD. */
static void copy_data(struct mpath_io *read, const struct leg *leg)
{
	uint32_t residual = leg->io.result.residual;
	size_t len = leg->io.cmd.data_len;

	scsi_reply(read, leg->buf, residual < len ? len - residual : 0);
}

static void read_is_good(struct multipath *m, struct mpath_io *read, const struct leg *leg)
{
	m->nr_hedges_won += leg->is_second;
	loosen_legs(read);
	list_del(&read->node);
	copy_data(read, leg);
	complete_io(m, read);
}

/* The other leg may still bring a good answer. */
static void one_leg_failed(struct multipath *m, struct mpath_io *read, struct path *path)
{
	struct verdict verdict = judge_for(m, &read->result);

	trace(m, "io %02x: %s on %s, its other leg is out", read->cmd.cdb[0], verdict.why,
	      path_name(path));
	if (verdict.verdict == IO_PATH_SUSPECT || verdict.verdict == IO_CANNOT_CARRY)
		note_suspicion(m, read, path);
	blame_path(m, path, read->start_ns, &read->result, &verdict);
	if (verdict.verdict != IO_DONE || !is_told_once(&read->result))
		return;
	loosen_legs(read);
	list_del(&read->node);
	pass_up(m, read);
}

static void loose_leg_failed(struct multipath *m, const struct mpath_io *io, struct path *path)
{
	const struct scsi_result *result = &io->result;
	struct verdict verdict = judge_for(m, result);

	blame_path(m, path, io->start_ns, result, &verdict);
	if (verdict.verdict == IO_DONE && is_told_once(result))
		keep_news(m, result);
}

/* GOOD, perhaps with a warning, but nothing has arrived. */
static void leg_is_empty(struct multipath *m, struct leg *leg, struct path *path)
{
	struct mpath_io *read = leg->read;

	if (read)
		read->result = leg->io.result;
	put_leg(m, leg); /* the read may need it at once */
	if (!read)
		return;
	if (read->leg) {
		trace(m, "io %02x: nothing was sent on %s, its other leg is out", read->cmd.cdb[0],
		      path_name(path));
		return;
	}
	list_del(&read->node);
	retry_short_transfer(m, read, path);
}

/* What is not good may have data all the same: RECOVERED ERROR, see ring_entry.c. */
static void hand_over(struct mpath_io *read, const struct leg *leg)
{
	copy_data(read, leg);
	read->result = leg->io.result;
	read->start_ns = leg->io.start_ns;
}

/* It is out no more; @read is NULL if none waits for it. */
static void detach(struct leg *leg)
{
	if (leg->twin)
		leg->twin->twin = NULL;
	if (leg->read)
		leg->read->leg = leg->twin;
}

static void leg_failed(struct multipath *m, struct leg *leg, struct path *path)
{
	struct mpath_io *read = leg->read;

	path_erred(m, path, &leg->io);
	if (!read) {
		loose_leg_failed(m, &leg->io, path);
		put_leg(m, leg);
		return;
	}
	hand_over(read, leg);
	put_leg(m, leg); /* the read may need it at once */
	if (read->leg) {
		one_leg_failed(m, read, path);
		return;
	}
	list_del(&read->node);
	judge_answer(m, read, path);
}

void leg_answered(struct multipath *m, struct mpath_io *io)
{
	struct leg *leg = leg_of(io);
	struct path *path = io->path;

	io_stats_count_on_path(&path->stats, io, m->now_ns - io->start_ns);
	take_off_path(m, io);
	detach(leg);
	if (is_short_transfer(&io->cmd, &io->result)) {
		leg_is_empty(m, leg, path);
	} else if (!scsi_result_is_good(&io->result)) {
		leg_failed(m, leg, path);
	} else {
		if (leg->read)
			read_is_good(m, leg->read, leg);
		put_leg(m, leg);
	}
	if (!list_empty(&m->backlog))
		run_backlog(m);
}

/* As io_abandoned(). */
void leg_abandoned(struct multipath *m, struct mpath_io *io)
{
	struct path *path = take_back_abandoned(m, io);
	struct leg *leg = leg_of(io);
	struct mpath_io *read = leg->read;

	detach(leg);
	put_leg(m, leg);
	if (read && !read->leg) {
		read->result = io->result;
		list_del(&read->node);
		read_was_given_up(m, read, path);
	}
	if (!list_empty(&m->backlog))
		run_backlog(m);
}

/* --- what others want to know --- */

void hedge_detail(const struct multipath *m, struct strbuf *out)
{
	if (m->settings.hedged_reads)
		strbuf_printf(out, "  hedged reads: %llu sent twice, %llu answered by the second\n",
			      (unsigned long long)m->nr_hedged,
			      (unsigned long long)m->nr_hedges_won);
}

/* See mpath_check_invariants(). */
bool hedge_is_consistent(const struct multipath *m)
{
	const struct mpath_io *io;
	unsigned int nr_legs = 0;
	const struct path *path;
	unsigned int nr_free = 0;

	list_for_each_entry(io, &m->on_legs, node) {
		const struct leg *leg = io->leg;

		if (!leg || leg->read != io || io->path || !leg->io.path || io->aborted)
			return false;
		if (leg->twin && (leg->twin->read != io || leg->twin->twin != leg ||
				  leg->twin->io.path == leg->io.path))
			return false;
	}
	for_each_path(m, path)
		list_for_each_entry(io, &path->flying, flight)
			nr_legs += io->is_internal;
	list_for_each_entry(path, &m->leaving, map_node)
		list_for_each_entry(io, &path->flying, flight)
			nr_legs += io->is_internal;
	if (m->hedge)
		list_for_each_entry(io, &m->hedge->free, node)
			nr_free++;
	return nr_legs == m->nr_legs && (!m->hedge || nr_free + nr_legs == HEDGE_LEGS);
}
