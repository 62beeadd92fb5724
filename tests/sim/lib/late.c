/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of commands that nobody waits for any more: the path was lost, the command timed out or
 * was given up, or the process died.  The array may carry them out all the same, seconds or
 * minutes later (hazards.md H1, H4, H10).
 */
#include <stdlib.h>
#include <string.h>

#include "sim/lib/path.h"

struct sim_late {
	struct sim_path *path;
	struct sim_io *io;	/* whose copy it is; NULL: no initiator of this world's */
	struct sim_nexus nexus; /* as it was when the copy was sent */
	uint64_t lands_ns;
	bool orphan; /* counts in path->foreign */
	bool hidden; /* and in path->hidden */
	bool let_go; /* it was kept back once */
	bool unseen; /* or was sent when such as had been were on their way to the counters */
	struct scsi_cmd cmd;
	struct iovec iov;
	uint8_t data[SIM_IO_BYTES];
};

static struct sim_late *new_late(struct sim_path *p, const struct scsi_cmd *cmd)
{
	struct sim_late *late = calloc(1, sizeof(*late));

	late->path = p;
	late->nexus = p->nexus;
	if (!cmd)
		return late;
	late->cmd = *cmd;
	late->iov = (struct iovec){late->data, cmd->data_len};
	sim_gather(cmd->iov, cmd->iov_cnt, late->data);
	late->cmd.iov = &late->iov;
	late->cmd.iov_cnt = cmd->iov_cnt ? 1 : 0;
	return late;
}

static void wait_until(struct sim_late *late, uint64_t due_ns)
{
	struct world *w = late->path->w;
	unsigned int i, n = 0;

	for (i = 0; i < w->nr_events; i++)
		n += w->events[i].type == SIM_LATE;
	oracle_check(w, n < SIM_LATE_MAX, "too many late copies");
	if (late->orphan && late->path->blocked)
		due_ns = 0; /* nobody knows when */
	sim_event_add(w, SIM_LATE, late->path, NULL, due_ns)->late = late;
}

void sim_late_copy(struct sim_path *p, const struct mpath_io *io, uint64_t lands_ns)
{
	struct sim_late *late = new_late(p, &io->cmd);

	late->io = io->owner;
	late->lands_ns = lands_ns;
	wait_until(late, lands_ns);
}

void sim_late_orphan(struct sim_path *p, const struct scsi_cmd *cmd, struct sim_io *io,
		     uint64_t lands_ns, uint64_t hides_ns)
{
	struct sim_late *late = new_late(p, cmd);

	late->io = io;
	late->lands_ns = lands_ns;
	late->orphan = true;
	late->unseen = p->w->now_ns < p->uncounted_until_ns;
	p->foreign++;
	p->w->counts.orphans++;
	wait_until(late, lands_ns < hides_ns ? lands_ns : hides_ns);
}

uint32_t sim_orphan_timeout_ms(const struct world *w, const struct scsi_cmd *cmd)
{
	bool has_own = cmd && cmd->timeout_ms && !cmd->needs_ms;

	return has_own ? cmd->timeout_ms : w->settings.path_timeout_ms;
}

uint64_t sim_orphan_late_ns(const struct world *w, uint32_t timeout_ms, uint64_t late_ms)
{
	uint64_t max_ms = w->late_max_ms ? w->late_max_ms(w, timeout_ms) : late_ms;

	return (late_ms < max_ms ? late_ms : max_ms) * NSEC_PER_MSEC;
}

void sim_late_foreign(struct sim_path *p, uint64_t lba, uint64_t stamp, uint64_t lands_ns,
		      uint64_t hides_ns)
{
	uint8_t data[SIM_BLOCK_SIZE] = {0};
	struct iovec iov = {data, sizeof(data)};
	struct scsi_cmd cmd = {
		.cdb = {0x2a, [5] = (uint8_t)lba, [8] = 1},
		.cdb_len = 10,
		.dir = SCSI_DATA_OUT,
		.iov = &iov,
		.iov_cnt = 1,
		.data_len = sizeof(data),
		.timeout_ms = p->w->settings.path_timeout_ms,
	};

	sim_put_stamp(data, 0, stamp);
	sim_late_orphan(p, &cmd, NULL, lands_ns, hides_ns);
}

static void forget(struct sim_late *late)
{
	struct sim_path *p = late->path;

	p->foreign -= late->orphan;
	p->hidden -= late->hidden;
	free(late);
}

static void land(struct world *w, struct sim_late *late)
{
	struct scsi_result ignored;

	if (!late->cmd.cdb_len)
		return;
	tell(w, "a late copy of io %d lands through %s", late->io ? (int)late->io->id : -1,
	     late->path->name);
	w->counts.late_landings++;
	w->counts.orphan_writes += late->orphan;
	w->counts.let_go_landings += late->let_go;
	w->counts.unseen_landings += late->orphan && !late->path->is_open;
	w->counts.lost_landings += !late->orphan && late->io && late->io->orphaned;
	if (!late->io)
		oracle_foreign_write(w, sim_lba(late->cmd.cdb), sim_stamp(late->data, 0));
	if (sim_carry_out(&late->nexus, &late->cmd, &ignored) && late->io)
		late->io->nr_executions++;
}

/* The kernel has ended it, and counts it no more, but as an error. */
static void hide(struct sim_late *late, bool is_error)
{
	late->hidden = true;
	late->path->hidden++;
	sim_disk_of(late->path)->nr_errors += is_error;
}

void sim_late_lose(struct sim_path *p)
{
	unsigned int i;

	for (i = 0; i < p->w->nr_events; i++) {
		struct sim_event *e = &p->w->events[i];

		if (e->type != SIM_LATE || e->path != p || !e->late->orphan || e->late->hidden)
			continue;
		tell(p->w, "the kernel ends an orphan on %s with an error", p->name);
		hide(e->late, true);
		e->due_ns = e->late->lands_ns;
	}
}

void sim_late_due(struct world *w, struct sim_late *late)
{
	if (w->now_ns < late->lands_ns) {
		hide(late, !w->timeouts_untold);
		wait_until(late, late->lands_ns);
		return;
	}
	land(w, late);
	forget(late);
}

/* What the kernel has of a dead process, and has not ended yet. */
static struct sim_late *kept_back_by(const struct sim_event *e, const struct sim_path *p)
{
	bool is_kept = e->type == SIM_LATE && e->path == p && e->late->orphan && !e->late->hidden;

	return is_kept ? e->late : NULL;
}

/* A path that leaves and joins again meanwhile is the same disk. */
static void set_blocked(struct sim_path *p, bool blocked, enum sim_mode mode)
{
	struct world *w = p->w;
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++) {
		if (strcmp(w->paths[i].name, p->name) != 0)
			continue;
		w->paths[i].blocked = blocked;
		w->paths[i].silent = false;
		w->paths[i].seen_blocked = false;
		set_mode(&w->paths[i], mode);
	}
	if (!blocked)
		w->let_go_ns = w->now_ns;
	w->let_go_unheard = !blocked;
}

void sim_block(struct sim_path *p)
{
	unsigned int i;

	tell(p->w, "the kernel keeps back what is on %s", p->name);
	set_blocked(p, true, MODE_HUNG);
	for (i = 0; i < p->w->nr_events; i++)
		if (kept_back_by(&p->w->events[i], sim_disk_of(p)))
			p->w->events[i].due_ns = 0;
}

void sim_refuse(struct sim_path *p)
{
	struct world *w = p->w;
	unsigned int i;

	tell(w, "the driver refuses what is for %s, and nothing says so", p->name);
	sim_block(p);
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].silent |= strcmp(w->paths[i].name, p->name) == 0;
}

static void land_at(struct sim_event *e, struct sim_late *late, uint64_t lands_ns,
		    uint64_t hides_ns)
{
	late->lands_ns = lands_ns;
	late->let_go = true;
	late->path->w->counts.let_go += late->cmd.cdb_len != 0;
	e->due_ns = lands_ns < hides_ns ? lands_ns : hides_ns;
}

void sim_unblock(struct sim_path *p)
{
	uint64_t lands_ns = p->w->now_ns + SIM_LATENCY;
	struct sim_late *late;
	unsigned int i;

	tell(p->w, "the kernel lets go what was on %s", p->name);
	for (i = 0; i < p->w->nr_events; i++)
		if ((late = kept_back_by(&p->w->events[i], sim_disk_of(p))))
			land_at(&p->w->events[i], late, lands_ns, lands_ns);
	set_blocked(p, false, MODE_UP);
}

static void let_go(struct sim_event *e, struct sim_late *late, uint64_t lands_late_ms)
{
	const struct world *w = late->path->w;
	uint32_t timeout_ms = sim_orphan_timeout_ms(w, &late->cmd);
	uint64_t late_ns = sim_orphan_late_ns(w, timeout_ms, lands_late_ms);
	uint64_t timeout_ns = timeout_ms * NSEC_PER_MSEC;
	uint64_t lands_ns = late_ns ? timeout_ns + late_ns : 1 + e->seq * 7919 % timeout_ns;

	/* Who is dead cannot count from now on. */
	if (w->killed && w->timeouts_untold)
		timeout_ns += down_max_ns(w);
	land_at(e, late, w->now_ns + lands_ns, w->now_ns + timeout_ns);
}

void sim_let_go(struct sim_path *p, uint64_t uncounted_ms, uint64_t lands_late_ms)
{
	struct world *w = p->w;
	struct sim_late *late;
	unsigned int i;

	tell(w, "the kernel lets go what was on %s, bit by bit", p->name);
	for (i = 0; i < w->nr_events; i++)
		if ((late = kept_back_by(&w->events[i], sim_disk_of(p))))
			let_go(&w->events[i], late, lands_late_ms);
	p->uncounted_until_ns = w->now_ns + uncounted_ms * NSEC_PER_MSEC;
	set_blocked(p, false, MODE_UP);
}

void sim_block_ends(struct sim_path *p)
{
	tell(p->w, "the kernel gives %s up", p->name);
	sim_late_drop_session(sim_disk_of(p));
	set_blocked(p, false, MODE_GONE);
}

static bool is_for_map(const struct sim_late *late)
{
	const struct lun_facts *lun = mpath_lun(late->path->w->m);

	return !lun->known || strcmp(late->nexus.lun->wwid, lun->wwid) == 0;
}

/*
 * Refused, or not counted for a while when it, or what was before it, was let go: who does not fear
 * the disk takes it for idle, and it is.
 */
static bool is_uncounted_probe(const struct sim_late *late)
{
	return !late->cmd.cdb_len && (late->path->silent || late->let_go || late->unseen);
}

/* What is another LUN's, or changes nothing and cannot be seen. */
unsigned int sim_late_harmless(const struct sim_path *p)
{
	unsigned int i, n = 0;

	for (i = 0; i < p->w->nr_events; i++) {
		const struct sim_event *e = &p->w->events[i];

		n += e->type == SIM_LATE && e->path == p && e->late->orphan && !e->late->hidden &&
		     (!is_for_map(e->late) || is_uncounted_probe(e->late));
	}
	return n;
}

/* A process's that we have seen: one before has left no word, so it may be a stranger's disk. */
static bool has_orphan_write(const struct sim_path *p, bool let_go)
{
	unsigned int i;

	for (i = 0; i < p->w->nr_events; i++) {
		const struct sim_event *e = &p->w->events[i];

		if (e->type == SIM_LATE && e->path == p && e->late->orphan && e->late->io &&
		    e->late->cmd.cdb_len && e->late->let_go >= let_go && is_for_map(e->late))
			return true;
	}
	return false;
}

bool sim_late_has_orphan_write(const struct sim_path *p)
{
	return has_orphan_write(p, false);
}

bool sim_late_was_kept_back(const struct sim_path *p)
{
	return p->w->settings.fence != FENCE_NONE && has_orphan_write(p, true);
}

static void drop(struct world *w, bool (*hit)(const struct sim_late *late, const void *arg),
		 const void *arg)
{
	unsigned int i;

	for (i = w->nr_events; i-- > 0;) {
		struct sim_event *e = &w->events[i];

		if (e->type != SIM_LATE || !hit(e->late, arg))
			continue;
		forget(e->late);
		sim_event_remove(w, e);
	}
}

static bool is_on(const struct sim_late *late, const void *path)
{
	return late->path == path;
}

void sim_late_drop_session(struct sim_path *p)
{
	drop(p->w, is_on, p);
}

static bool is_over(const struct sim_late *late, const void *path)
{
	const struct sim_path *p = path;

	return late->path->session == p->session && !late->orphan && late->io &&
	       late->lands_ns >= late->io->may_land_ns;
}

void sim_late_new_session(struct sim_path *p)
{
	drop(p->w, is_over, p);
}

static bool is_in_doubt(const struct sim_late *late, const void *arg)
{
	(void)arg;
	return !late->orphan;
}

struct lun_reset {
	struct sim_lun *lun;
	uint64_t sent_ns;
};

static bool is_reset(const struct sim_late *late, const void *arg)
{
	const struct lun_reset *reset = arg;

	return late->nexus.lun == reset->lun && is_in_doubt(late, NULL) && late->io &&
	       late->io->arrived_ns <= reset->sent_ns;
}

void sim_late_reset_lun(struct world *w, struct sim_lun *lun, uint64_t sent_ns)
{
	drop(w, is_reset, &(struct lun_reset){.lun = lun, .sent_ns = sent_ns});
}
