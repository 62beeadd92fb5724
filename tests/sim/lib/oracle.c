/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold in every world, whatever happens in it.  Written from SAM, the design (D6..D11)
 * and dm's documents, not from the core:
 *
 *  - each command is answered exactly once, and not while it is still on a path;
 *  - with the last word of a target, to the bit, or with one of our own answers that
 *    handler/README.md lists, for the reason that it gives there;
 *  - only a READ is on two paths at once, where the map hedges, and in buffers of the map's own; of
 *    100 reads no more than it was told are; what one of the two hears after the answer, and is the
 *    initiators', the next command hears;
 *  - it is sent only down a path that is open, active, identified and not in doubt, and never more
 *    of them than the path's queue depth; never down one that has failed a command, unless a probe
 *    was answered well since; not down a bypassed group while there is a better one;
 *  - it is not sent after its deadline, nor after a task management function named it, nor, if it
 *    may be executed only once, after an answer that leaves that in doubt;
 *  - what waits is answered before the kernel would do so, and nothing waits after SHUTDOWN;
 *  - a lost write is neither repeated nor answered while its old copy may still land, unless the
 *    map has no fence;
 *  - no write is sent while the kernel has answered an older one that may still be carried out;
 *  - no write is sent while commands of a dead process are out, or may land that it had lost;
 *  - nothing is sent that came after the map was suspended, before it is resumed;
 *  - a read has the block's last acknowledged write, or one that was under way with it, and never
 *    an older one than another read before it; nor one that was lost, and read, before the block
 *    was written anew; what SYNCHRONIZE CACHE has covered survives a loss of power;
 *  - while the map queues, no command fails for lack of paths, and where it does not queue none
 *    waits for one; none waits while a path would take it;
 *  - a path that is demoted gets no command while a peer of its group serves, but for one at a time
 *    on trial; it does not keep commands waiting when its peers do not answer;
 *  - a deferred error, which the array tells once, is told to an initiator, whoever has heard it;
 *  - paths are asked after with moderation; counters return to zero;
 *  - whoever hears of each event knows by their numbers which groups are disabled, which one is in
 *    use, and when the last usable path has gone;
 *  - selectors hear of each start and end once, and of changes only.
 */
#include <stdlib.h>
#include <string.h>

#include "mpath/scsi.h"
#include "sim/lib/world.h"

struct write_record {
	uint64_t stamp;
	uint64_t submitted_seq;
	uint64_t answered_seq; /* UINT64_MAX: not yet */
	uint64_t seen_seq;     /* when the first read that has seen it was answered; UINT64_MAX */
	uint64_t lost_seq;     /* when it was, first, and it may be sent again; 0: it was not */
	bool good;
	bool elsewhere; /* through another gateway, which knows nothing of ours */
};

/* Before that point in the order of things it has become the block's content for certain. */
static uint64_t done_seq(const struct write_record *record)
{
	if (record->good && record->answered_seq < record->seen_seq)
		return record->answered_seq;
	return record->seen_seq;
}

/*
 * From then on what is written comes after it: it has been seen, and who comes after its loss must
 * not be overtaken by its next copy.
 */
static uint64_t fixed_seq(const struct write_record *record)
{
	uint64_t seq = record->seen_seq;

	if (!record->lost_seq || seq >= record->answered_seq)
		return record->answered_seq;
	return seq < record->lost_seq ? record->lost_seq : seq;
}

struct block_history {
	struct write_record *writes;
	size_t nr, size;
};

#define UNTOLD_MAX 16

struct oracle {
	struct block_history blocks[SIM_BLOCKS];
	unsigned int first_out;	 /* all commands before it are answered */
	uint64_t synced_seq;	 /* what was answered before that is safe from a loss of power */
	uint64_t power_lost_seq; /* what was under way then promises nothing */
	const struct priority_group *asked_for; /* by the table or a message, when the step began */
	bool awaits_group;			/* then, that a former process used */
	bool any_group;				/* the groups are being exchanged */
	uint64_t changed_ns;			/* when they were: paths are looked at anew */
	const struct priority_group *current;	/* where the last command went; NULL: all is open */
	const struct priority_group *before;	/* the same when the step began */
	const struct priority_group *perhaps;	/* where one has stayed since */
	uint64_t awake_ns;			/* when the loop went on after it had stood still */
	bool waited; /* for a former process; another time-out from then on makes it no longer */
	bool lacked_page; /* the map has shown its LUN without one that the array has refused once
			   */
	uint64_t looks_until_ns; /* for what the kernel keeps back, as it was for long */
	uint64_t hedge_credit;	 /* one hundredth of a hedge each */
	bool told_disabled[SIM_PATHS_MAX + 1]; /* by events, so far; by the groups' numbers */
	unsigned int told_in_use;	       /* likewise */
	unsigned int nr_valid;		       /* usable paths when the step began */
	bool told_no_path;		       /* since then */
	/* Said to a leg or a probe, and to no initiator. */
	struct {
		unsigned int code; /* news_of() */
		uint64_t heard_seq;
	} untold[UNTOLD_MAX];
	unsigned int nr_untold;
	bool news_overflow; /* they were too many to be told one by one */
	bool news_full;	    /* once there was no room for one more, be it that pages changed */
	uint64_t no_path_since_ns; /* 0: there is one */
	uint64_t reset_told_ns;	   /* when an initiator was told of one last, or is to be */
	/* Said to probes of paths that might lead elsewhere: is told if it turns out otherwise. */
	unsigned int early[UNTOLD_MAX];
	unsigned int nr_early;
	unsigned int page_changes; /* of ports, and of those who may speak for them */
	unsigned int pages_told;   /* 06/3F/03 */
	bool refused_page; /* not to all who asked: so who has changed its word is told later */
};

/* So long a command may pause for reasons of its own: its last retry comes after 0.8 s. */
#define PAUSE_MAX_NS (1500 * NSEC_PER_MSEC)
/* For the answer to a LOGICAL UNIT RESET, which they should not meet. */
#define RESET_WAIT_NS (3 * NSEC_PER_SEC)
/* What the kernel hears of a reset is no news for so long after an initiator was told of one, or
 * has begun to reserve. */
#define RESET_KNOWN_NS (10 * NSEC_PER_SEC)

static struct world *the_world; /* the selector's calls do not bring it along */

void oracle_stepping(struct world *w)
{
	the_world = w;
	w->oracle->asked_for = w->m->next_pg;
	w->oracle->awaits_group = w->m->awaited_group;
	w->oracle->before = w->oracle->current;
	w->oracle->nr_valid = w->m->nr_valid;
	w->oracle->told_no_path = false;
}

void oracle_new(struct world *w)
{
	unsigned int i;

	w->oracle = calloc(1, sizeof(*w->oracle));
	for (i = 0; i < SIM_BLOCKS; i++)
		oracle_foreign_write(w, i, 0); /* what is there at the beginning */
}

void oracle_free(struct world *w)
{
	unsigned int i;

	for (i = 0; i < SIM_BLOCKS; i++)
		free(w->oracle->blocks[i].writes);
	free(w->oracle);
}

/* --- blocks --- */

static struct write_record *find_write(struct block_history *block, uint64_t stamp)
{
	size_t i;

	for (i = 0; i < block->nr; i++)
		if (block->writes[i].stamp == stamp)
			return &block->writes[i];
	return NULL;
}

static void add_write(struct world *w, uint64_t lba, const struct write_record *record)
{
	struct block_history *block = &w->oracle->blocks[lba];

	if (block->nr == block->size) {
		block->size = block->size ? 2 * block->size : 8;
		block->writes = realloc(block->writes, block->size * sizeof(*block->writes));
	}
	block->writes[block->nr++] = *record;
}

void oracle_foreign_write(struct world *w, uint64_t lba, uint64_t stamp)
{
	w->luns[0].stamps[lba] = stamp;
	if (!find_write(&w->oracle->blocks[lba], stamp))
		add_write(w, lba, &(struct write_record){.stamp = stamp, .seen_seq = UINT64_MAX});
}

void oracle_gateway_write(struct world *w, uint64_t lba, uint64_t stamp)
{
	struct write_record record = {
		.stamp = stamp, .seen_seq = UINT64_MAX, .good = true, .elsewhere = true};

	record.submitted_seq = ++w->seq;
	record.answered_seq = ++w->seq;
	add_write(w, lba, &record);
}

/* What was not synchronized may be gone: nobody has promised it any more. */
void oracle_power_lost(struct world *w)
{
	unsigned int i;
	size_t nr;

	w->oracle->power_lost_seq = ++w->seq;
	for (i = 0; i < SIM_BLOCKS; i++) {
		struct block_history *block = &w->oracle->blocks[i];

		for (nr = 0; nr < block->nr; nr++) {
			struct write_record *record = &block->writes[nr];

			if (done_seq(record) < w->oracle->synced_seq)
				continue;
			record->good = false;
			record->seen_seq = UINT64_MAX;
		}
	}
}

static unsigned int written_blocks(const struct sim_io *io)
{
	return io->stamp ? sim_nr_blocks(io->io.cmd.cdb) : 0;
}

static void note_loss(struct world *w, const struct sim_io *io)
{
	unsigned int i;

	for (i = 0; i < written_blocks(io); i++) {
		struct write_record *record =
			find_write(&w->oracle->blocks[sim_lba(io->io.cmd.cdb) + i], io->stamp);

		if (!record->lost_seq && io->io.cmd.class == CMD_IDEMPOTENT)
			record->lost_seq = ++w->seq;
	}
}

static bool blocks_exist(const struct sim_io *io)
{
	return sim_lba(io->io.cmd.cdb) + sim_nr_blocks(io->io.cmd.cdb) <= SIM_BLOCKS;
}

static void check_block_read(struct world *w, const struct sim_io *io, uint64_t lba, uint64_t stamp)
{
	struct block_history *block = &w->oracle->blocks[lba];
	struct write_record *seen = find_write(block, stamp);
	size_t i;

	oracle_check(w, seen, "io %u read stamp %llu, which nobody wrote there", io->id,
		     (unsigned long long)stamp);
	for (i = 0; i < block->nr; i++) {
		const struct write_record *later = &block->writes[i];

		oracle_check(w,
			     later->submitted_seq <= (later->elsewhere ? seen->answered_seq
								       : fixed_seq(seen)) ||
				     done_seq(later) >= io->submitted_seq,
			     "io %u read old data: block %llu has stamp %llu, but %llu was there",
			     io->id, (unsigned long long)lba, (unsigned long long)stamp,
			     (unsigned long long)later->stamp);
	}
	if (seen->seen_seq > io->answered_seq && io->submitted_seq > w->oracle->power_lost_seq)
		seen->seen_seq = io->answered_seq;
}

/* --- commands --- */

/* Commands of which a second execution does harm (D9), among those that initiators here use. */
static bool runs_once(const struct sim_io *io)
{
	switch (io->io.cmd.cdb[0]) {
	case 0x89:
	case 0x8b:
	case 0x5f:
	case 0x83:
	case 0xc1: /* nobody knows what it does */
		return true;
	}
	return false;
}

/* Commands that leave a trace in the array. */
static bool changes(const struct sim_io *io)
{
	return runs_once(io) || io->stamp;
}

/* May commands wait for a path?  A map that never saw its LUN has nothing to wait for (D15). */
static bool may_wait(const struct world *w)
{
	return w->m->queue_if_no_path && mpath_lun(w->m)->known;
}

/* For as long as it takes? */
static bool queues(const struct world *w)
{
	return may_wait(w) && !w->settings.no_path_timeout_read_ms &&
	       !w->settings.no_path_timeout_write_ms;
}

/* By resume, or queue_if_no_path. */
void oracle_waits_anew(struct world *w)
{
	w->oracle->no_path_since_ns = 0;
}

void oracle_submitted(struct world *w, struct sim_io *io)
{
	unsigned int i;

	if (io->id < w->oracle->first_out)
		w->oracle->first_out = io->id;
	io->submitted_seq = ++w->seq;
	if (opcode_marks[io->io.cmd.cdb[0]] == ABOUT_RESERVATIONS && !w->m->array_reserves)
		w->oracle->reset_told_ns = w->now_ns;
	io->queueing_lapsed = !queues(w);
	for (i = 0; i < written_blocks(io); i++)
		add_write(w, sim_lba(io->io.cmd.cdb) + i,
			  &(struct write_record){.stamp = io->stamp,
						 .submitted_seq = io->submitted_seq,
						 .answered_seq = UINT64_MAX,
						 .seen_seq = UINT64_MAX});
}

/* Two seconds before the kernel answers; there is no text for less than four (we take half). */
static uint64_t deadline_ns(const struct world *w, const struct sim_io *io)
{
	uint64_t limit_ms = w->backstore.cmd_time_out_ms;

	limit_ms -= limit_ms < 4000 ? limit_ms / 2 : 2000;
	return io->io.arrival_ns + limit_ms * NSEC_PER_MSEC;
}

/* D9: by the time that was set; else what the way holds, and then the target's own time. */
static uint64_t fence_ms(const struct world *w, const struct sim_path *p, uint32_t timeout_ms)
{
	if (w->settings.fence == FENCE_NONE)
		return 0;
	return w->settings.fence_time_ms ? w->settings.fence_time_ms : p->transit_ms + timeout_ms;
}

/* A write is known to be of a session if the core has been told what that is, and it was lost. */
void oracle_lost(struct world *w, struct sim_io *io, struct sim_path *p, uint64_t from_ns,
		 bool is_lost)
{
	if (io->io.cmd.class == CMD_READ || w->settings.fence == FENCE_NONE)
		return;
	io->arrived_ns = from_ns + p->transit_ms * NSEC_PER_MSEC;
	io->may_land_ns = from_ns + fence_ms(w, p, io->io.cmd.timeout_ms) * NSEC_PER_MSEC;
	io->unproved_until_ns = 0;
	io->lost_ns = w->now_ns;
	note_loss(w, io);
	io->lost_session = is_lost && p->path->session ? p->session : 0;
}

/* It cannot land any more, but that has to be proved: if it cannot be, it waits as before. */
void oracle_reset(struct world *w, uint64_t sent_ns)
{
	unsigned int i;

	for (i = w->oracle->first_out; i < w->nr_ios; i++) {
		struct sim_io *io = &w->ios[i];

		if (io->arrived_ns > sent_ns || !io->may_land_ns)
			continue;
		io->unproved_until_ns = io->may_land_ns;
		io->may_land_ns = 0;
	}
}

static uint64_t fenced_until_ns(const struct sim_io *io)
{
	bool may_wait = io->io.fence_ns && io->unproved_until_ns > io->may_land_ns;

	return may_wait ? io->unproved_until_ns : io->may_land_ns;
}

/* RFC 7143: the target has closed the old connection, and is to have ended what came over it. */
void oracle_new_session(struct world *w, const struct sim_path *p, uint64_t sent_ns)
{
	unsigned int i;

	oracle_check(w, sent_ns <= p->heard_sent_ns, "%s is taken to have answered", p->name);
	for (i = w->oracle->first_out; i < w->nr_ios; i++) {
		struct sim_io *io = &w->ios[i];
		uint64_t done_ns = w->now_ns + io->io.cmd.timeout_ms * NSEC_PER_MSEC;

		if (io->lost_session != p->session || io->lost_ns >= sent_ns)
			continue;
		io->lost_session = 0;
		if (io->arrived_ns > w->now_ns)
			io->arrived_ns = w->now_ns;
		if (w->settings.fence == FENCE_SESSION)
			io->may_land_ns = 0;
		else if (io->may_land_ns > done_ns && !w->settings.fence_time_ms)
			io->may_land_ns = done_ns;
	}
}

static void check_fence(struct world *w, const struct sim_io *io, const char *what)
{
	oracle_check(w, w->now_ns >= io->may_land_ns,
		     "io %u is %s while its old copy may still land", io->id, what);
}

/* The initiator of such a one takes it for ended (H4), and writes newer data. */
static void check_overdue(struct world *w, const struct sim_io *io)
{
	unsigned int i;

	if (io->io.cmd.class == CMD_READ || !w->backstore.cmd_time_out_ms)
		return;
	for (i = w->oracle->first_out; i < w->nr_ios; i++) {
		const struct sim_io *old = &w->ios[i];
		bool may_land = old->sent || w->now_ns < old->may_land_ns;

		oracle_check(w,
			     old == io || old->state != SIM_IO_OUT || !may_land ||
				     old->io.cmd.class == CMD_READ ||
				     w->now_ns < old->io.arrival_ns + w->backstore.cmd_time_out_ms *
									      NSEC_PER_MSEC,
			     "io %u is sent while io %u, which the kernel has answered, may land",
			     io->id, old->id);
	}
}

/* The former process may have given its writes more time than this one would. */
static uint64_t longer_timeout_ends_ns(const struct world *w, const struct sim_path *longest)
{
	uint32_t timeout_ms = w->memory.nr_disks ? w->former_timeout_ms : 0;
	uint64_t ms = timeout_ms + KERNEL_ERROR_HANDLING_MS + fence_ms(w, longest, timeout_ms);

	return timeout_ms > w->settings.path_timeout_ms ? w->start_ns + ms * NSEC_PER_MSEC : 0;
}

/*
 * How long a way is, is known when a path was opened, maybe by a former process; it may have left.
 * And that process may have left word of writes that take longer than others.
 */
static uint64_t restart_ends_ns(const struct world *w)
{
	struct sim_path longest = {.transit_ms = w->longest_transit_ms};
	uint64_t fence = fence_ms(w, &longest, w->settings.path_timeout_ms);
	uint64_t ends_ns = w->start_ns + (w->settings.restart_wait_ms + fence) * NSEC_PER_MSEC;
	uint64_t longer_ns = longer_timeout_ends_ns(w, &longest);

	ends_ns = ends_ns > longer_ns ? ends_ns : longer_ns;
	return ends_ns > w->memory.slow_end_ns ? ends_ns : w->memory.slow_end_ns;
}

/*
 * What the counters of an open path show; and writes that they do not show, or that are on a path
 * which cannot be opened.  Of these a process can know only from the one that has left them.  What
 * is known to be another LUN's is nobody's concern.
 */
static bool may_have_orphans(const struct sim_path *p)
{
	return (p->is_open && p->foreign > p->hidden + sim_late_harmless(p)) ||
	       ((p->is_open || p->w->counts.restarts) && sim_late_has_orphan_write(p));
}

/* However long it takes; dm does not wait for it. */
static bool keeps_orphans_back(const struct sim_path *p)
{
	return p->blocked && p->w->settings.fence != FENCE_NONE && sim_late_has_orphan_write(p);
}

/* What the kernel has kept back has all of its time from when it is let go, be it a slow write. */
static uint64_t kept_back_ends_ns(const struct world *w, uint64_t let_go_ns)
{
	struct sim_path longest = {.transit_ms = w->longest_transit_ms};
	uint32_t slow_ms = w->memory.slow_end_ns ? 600000 : w->settings.path_timeout_ms;
	uint64_t wait_ms = w->memory.slow_end_ns ? slow_ms + 30000 : w->settings.restart_wait_ms;
	unsigned int i;

	if (w->settings.fence == FENCE_NONE)
		return 0;
	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].blocked)
			return UINT64_MAX;
	return let_go_ns + (wait_ms + fence_ms(w, &longest, slow_ms)) * NSEC_PER_MSEC;
}

/*
 * The longest that a process may fear what another one has left, if that may have had another
 * time-out: it takes what is kept back there for a slow write then.
 */
static uint64_t longest_wait_ends_ns(const struct world *w, uint64_t let_go_ns)
{
	struct sim_path longest = {.transit_ms = w->longest_transit_ms};
	uint32_t timeout_ms = let_go_ns ? SLOW_MAX_MS : w->longest_timeout_ms;
	uint64_t ms = timeout_ms + KERNEL_ERROR_HANDLING_MS + fence_ms(w, &longest, timeout_ms);

	if (!w->longest_timeout_ms)
		return 0;
	return (let_go_ns > w->start_ns ? let_go_ns : w->start_ns) + ms * NSEC_PER_MSEC;
}

/* Whoever has sent it, and whatever was counted: it lands in its time. */
static void check_no_orphan(struct world *w, const struct sim_io *io)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		oracle_check(w, !sim_late_has_orphan_write(&w->paths[i]),
			     "io %u: a write is sent while one of a dead process may land through "
			     "%s",
			     io->id, w->paths[i].name);
}

static void check_restart(struct world *w, const struct sim_io *io)
{
	unsigned int i;

	if (!changes(io))
		return;
	oracle_check(w, w->now_ns >= w->lost_until_ns,
		     "io %u: a write is sent while what a dead process had lost may land", io->id);
	for (i = 0; i < w->nr_paths; i++)
		oracle_check(w, !keeps_orphans_back(&w->paths[i]),
			     "io %u: a write is sent while the kernel keeps one back on %s", io->id,
			     w->paths[i].name);
	for (i = 0;
	     w->let_go_ns && w->now_ns < kept_back_ends_ns(w, w->let_go_ns) && i < w->nr_paths; i++)
		oracle_check(w, !sim_late_was_kept_back(&w->paths[i]),
			     "io %u: a write is sent while one that the kernel had kept back on %s "
			     "may land",
			     io->id, w->paths[i].name);
	if (w->late_max_ms)
		check_no_orphan(w, io);
	if (w->oracle->waited || w->now_ns >= restart_ends_ns(w))
		return;
	for (i = 0; i < w->nr_paths; i++)
		oracle_check(w, !may_have_orphans(&w->paths[i]),
			     "io %u: a write is sent while %s has commands of a dead process",
			     io->id, w->paths[i].name);
}

static bool is_in_map(const struct sim_path *p)
{
	return p->path && !p->path->leaving;
}

/* May this command go there, but for lack of room? */
static bool is_usable(const struct sim_path *p, const struct sim_io *io)
{
	const struct path *path = p->path;

	return is_in_map(p) && path->active && !path->suspect && path->identified &&
	       path->link == LINK_OPEN && !io_suspects(&io->io, path);
}

static const struct sim_path *better_path(const struct world *w, const struct sim_io *io)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (is_usable(&w->paths[i], io) && !w->paths[i].path->pg->bypassed)
			return &w->paths[i];
	return NULL;
}

static void all_go_to(struct world *w, const struct priority_group *pg)
{
	w->oracle->current = pg;
	w->oracle->perhaps = NULL;
}

/* It goes again to where it was, as the target asked for; a hedged read was on two paths. */
static bool stays(const struct sim_io *io, const struct sim_path *p)
{
	return io->last_path == p || io->path_before == p;
}

/* By the table or a message; or a former process has used it, disabled as it is. */
static bool was_asked_for(const struct world *w, const struct priority_group *pg)
{
	bool recalled = w->oracle->awaits_group && !w->m->awaited_group;

	return pg == w->oracle->asked_for || recalled;
}

/* When commands move to a bypassed group there was none better.  They may stay there (dm). */
static void check_group(struct world *w, const struct sim_io *io, const struct sim_path *p)
{
	const struct priority_group *pg = p->path->pg;
	const struct sim_path *better;

	if (pair_kind(&io->io) && p->path->pg != w->m->current_pg)
		return; /* it goes where the copy went */
	if (io->io.nr_suspicions && w->m->hw.type)
		all_go_to(w, pg); /* groups must be activated: it moves the others, too */
	if (io->io.nr_suspicions || w->oracle->any_group)
		return; /* on its own way; or there is no old order yet */
	if (stays(io, p)) {
		w->oracle->perhaps = pg; /* whether the others are there nobody knows */
		return;
	}
	/* Of several commands in a step one may stay, and another one move the others. */
	if (pg->bypassed && pg != w->oracle->current && pg != w->oracle->before &&
	    pg != w->oracle->perhaps && !was_asked_for(w, pg)) {
		better = better_path(w, io);
		oracle_check(w, !better, "io %u goes to bypassed group %u, though %s is usable",
			     io->id, pg->number, better->name);
	}
	all_go_to(w, pg);
}

static bool has_suspicious_command(const struct world *w)
{
	unsigned int i;

	for (i = w->oracle->first_out; i < w->nr_ios; i++)
		if (w->ios[i].state == SIM_IO_OUT && w->ios[i].io.nr_suspicions)
			return true;
	return false;
}

/* They move when the map says so: until the group is activated, none is sent. */
static void check_switch(struct world *w, unsigned int number)
{
	static const struct sim_io any_io;
	const struct priority_group *pg = &w->m->groups[number - 1];
	const struct sim_path *better;

	if (pg->bypassed && !was_asked_for(w, pg) && !w->oracle->any_group &&
	    !has_suspicious_command(w)) {
		better = better_path(w, &any_io);
		oracle_check(w, !better, "commands move to bypassed group %u, though %s is usable",
			     number, better->name);
	}
	all_go_to(w, pg);
}

/* --- what events tell --- */

static void check_events(struct world *w)
{
	const struct priority_group *pg;
	unsigned int number;

	for (number = 1; number <= SIM_PATHS_MAX; number++) {
		pg = number <= w->m->nr_groups ? &w->m->groups[number - 1] : NULL;
		oracle_check(w, w->oracle->told_disabled[number] == (pg && pg->bypassed),
			     "group %u is %s, and nobody was told", number,
			     pg && pg->bypassed ? "disabled" : "disabled no more");
	}
	oracle_check(w, !w->m->current_pg || w->m->current_pg->number == w->oracle->told_in_use,
		     "group %u is in use, and %u was told", w->m->current_pg->number,
		     w->oracle->told_in_use);
	oracle_check(w, !w->oracle->nr_valid || w->m->nr_valid || w->oracle->told_no_path,
		     "the last usable path is gone, and nobody was told");
}

/* The oldest events were lost. */
void oracle_missed_events(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->m->nr_groups; i++)
		w->oracle->told_disabled[i + 1] = w->m->groups[i].bypassed;
}

void oracle_event(struct world *w, const struct mpath_notice *notice)
{
	w->oracle->told_no_path |= notice->kind == NOTICE_NO_PATH;
	if (notice->kind == NOTICE_GROUP_DISABLED || notice->kind == NOTICE_GROUP_ENABLED)
		w->oracle->told_disabled[notice->group] = notice->kind == NOTICE_GROUP_DISABLED;
	if (notice->kind != NOTICE_GROUP_SWITCHED)
		return;
	w->oracle->told_in_use = notice->group;
	check_switch(w, notice->group);
}

/* Each may be told once, and not before. */
void oracle_pages_change(struct world *w)
{
	w->oracle->page_changes++;
}

/* Ports that differ: whose word counts is decided anew. */
static void speakers_change(struct world *w)
{
	w->oracle->page_changes += w->oracle->page_changes != 0;
}

/* An administrator has spoken of groups: they are chosen from anew (dm clears current_pg). */
void oracle_regrouped(struct world *w)
{
	all_go_to(w, NULL);
}

/* Another layout takes over; it keeps the group in use. */
void oracle_changes(struct world *w, bool begins)
{
	if (begins)
		speakers_change(w);
	w->oracle->any_group = begins;
	w->oracle->changed_ns = w->now_ns;
	all_go_to(w, w->m->current_pg);
}

static bool is_demoted(const struct sim_path *p)
{
	return p->path->demotion != NOT_DEMOTED;
}

/* The others have failed it: how long it waits for this one is seen in check_idleness(). */
static bool has_no_room(const struct sim_path *p, const struct sim_io *io)
{
	return io->io.nr_suspicions && (p->path->resting || p->nr_out >= p->queue_depth);
}

/* A path that is much slower than its peers.  Of a copy, or the like, these know nothing. */
static void check_demoted(struct world *w, const struct sim_io *io, const struct sim_path *p)
{
	unsigned int i;

	if (!is_demoted(p) || (p->path->demotion == ON_TRIAL && !p->nr_out) || pair_kind(&io->io))
		return;
	for (i = 0; i < w->nr_paths; i++) {
		const struct sim_path *peer = &w->paths[i];

		oracle_check(w,
			     peer == p || !is_usable(peer, io) || is_demoted(peer) ||
				     has_no_room(peer, io) || peer->path->needs_activation ||
				     peer->path->pg != p->path->pg,
			     "io %u is sent down %s, which is slow, though %s serves", io->id,
			     p->name, peer->name);
	}
}

/* There are cores here that do wrong by not knowing. */
static bool core_has_deadline(const struct world *w)
{
	return w->m->backstore.cmd_time_out_ms != 0;
}

/* By the settings of now, unless the command by itself takes longer. */
static void check_time_out(struct world *w, const struct sim_io *io, const struct scsi_cmd *cmd)
{
	uint32_t ms = w->settings.path_timeout_ms;

	if (ms < cmd->needs_ms)
		ms = cmd->needs_ms;
	oracle_check(w, cmd->timeout_ms == ms, "io %u is sent with a time-out of %u ms, not %u",
		     io->id, cmd->timeout_ms, ms);
}

static bool is_in(const struct iovec *iov, const void *p)
{
	const char *base = iov->iov_base;

	return (const char *)p >= base && (const char *)p < base + iov->iov_len;
}

/* Whatever becomes of it, it cannot touch the initiator's buffer. */
static void check_leg(struct world *w, struct sim_io *io, const struct mpath_io *leg,
		      const struct sim_path *p)
{
	oracle_check(w, sim_is_block_read(io->io.cmd.cdb) && io->io.cmd.class == CMD_READ,
		     "io %u has a leg, but is no READ", io->id);
	oracle_check(w, w->m->settings.hedged_reads, "io %u has a leg, but nobody wants to hedge",
		     io->id);
	oracle_check(w, !memcmp(leg->cmd.cdb, io->io.cmd.cdb, sizeof(leg->cmd.cdb)),
		     "io %u has a leg that is another command", io->id);
	for (size_t i = 0; i < io->io.cmd.iov_cnt; i++)
		oracle_check(w, !is_in(&io->io.cmd.iov[i], leg->cmd.iov[0].iov_base),
			     "io %u has a leg with the initiator's buffer", io->id);
	if (!io->sent) {
		w->oracle->hedge_credit += w->m->settings.hedged_reads;
		return;
	}
	oracle_check(w, io->sent == 1 && io->nr_legs == 1, "io %u has too many legs", io->id);
	oracle_check(w, io->last_path != p, "io %u has two legs on %s", io->id, p->name);
	oracle_check(w, w->oracle->hedge_credit >= 100, "io %u is one hedge too many", io->id);
	oracle_check(w, !w->m->suspend && !w->shut_down, "io %u is hedged at the end", io->id);
	w->oracle->hedge_credit -= 100;
	w->counts.hedges++;
}

static unsigned int key_and_code(const struct scsi_result *result)
{
	const uint8_t *sense = result->sense;

	if (sense[0] == 0x72 || sense[0] == 0x73)
		return (unsigned int)((sense[1] & 0x0f) << 16 | sense[2] << 8 | sense[3]);
	return (unsigned int)((sense[2] & 0x0f) << 16 | sense[12] << 8 | sense[13]);
}

/* The same in another format, or about another command, is something else to be told. */
static unsigned int news_of(const struct scsi_result *result)
{
	return key_and_code(result) | (result->sense[0] & 0x03u) << 24;
}

/* It would have been told, instead of being sent. */
static void check_untold(struct world *w, const struct sim_io *io)
{
	uint8_t opcode = io->io.cmd.cdb[0];

	unsigned int i;

	if (io->nr_starts || w->shut_down || opcode == 0x12 || opcode == 0xa0 || opcode == 0x03)
		return;
	for (i = 0; i < w->oracle->nr_untold; i++)
		oracle_check(w, io->submitted_seq < w->oracle->untold[i].heard_seq,
			     "io %u is sent, and does not hear of %06x, which nobody has heard",
			     io->id, w->oracle->untold[i].code);
}

/* A READ may come late (path_transport.h), as it changes nothing. */
static bool may_be_sent_at(const struct world *w, const struct mpath_io *mio,
			   const struct sim_io *io, bool too_late)
{
	uint64_t at_ns = too_late || mio->cmd.class == CMD_READ ? mio->start_ns : w->now_ns;

	return !w->backstore.cmd_time_out_ms || at_ns < deadline_ns(w, io);
}

void oracle_started(struct world *w, const struct mpath_io *mio, struct sim_path *p, bool too_late)
{
	const struct path *path = p->path;
	struct sim_io *io = mio->owner;

	oracle_check(w, io->state == SIM_IO_OUT, "io %u is sent, but not out", io->id);
	if (mio->is_internal)
		check_leg(w, io, mio, p);
	else
		oracle_check(w, !io->sent, "io %u is sent twice at once", io->id);
	oracle_check(w, !io->tmr, "io %u is sent after its abort", io->id);
	oracle_check(w, !w->stopping, "io %u is sent after STOP", io->id);
	oracle_check(w, !w->suspended_seq || io->submitted_seq < w->suspended_seq || w->shut_down,
		     "io %u is sent while the map is suspended", io->id);
	oracle_check(w, may_be_sent_at(w, mio, io, too_late), "io %u is sent after its deadline",
		     io->id);
	oracle_check(w, mio->send_by_ns == (core_has_deadline(w) ? deadline_ns(w, io) : 0),
		     "io %u is sent, and its transport does not know its deadline", io->id);
	oracle_check(w, !runs_once(io) || !io->nr_doubts,
		     "io %u is sent again, but may have been executed", io->id);
	oracle_check(w, path->active && !path->failed_by_message,
		     "io %u is sent down %s, which has failed", io->id, p->name);
	oracle_check(w, !path->suspect, "io %u is sent down %s, which is in doubt", io->id,
		     p->name);
	oracle_check(w, path->identified, "io %u is sent down %s, which is not identified", io->id,
		     p->name);
	oracle_check(w, p->nr_out < p->queue_depth, "io %u: %s has %u commands, takes %u", io->id,
		     p->name, p->nr_out, p->queue_depth);
	oracle_check(w, !p->down, "io %u is sent down %s, which has failed a command", io->id,
		     p->name);
	check_time_out(w, io, &mio->cmd);
	check_untold(w, io);
	if (!too_late) {
		check_restart(w, io);
		check_fence(w, io, "sent again");
		check_overdue(w, io);
	}
	check_group(w, io, p);
	check_demoted(w, io, p);
	if (!p->nr_out)
		p->served_ns = w->now_ns;
	io->sent++;
	io->nr_legs += mio->is_internal;
	io->could_run_since_ns = 0;
	io->nr_starts++;
	io->path_before = mio->is_internal ? io->last_path : NULL;
	io->last_path = p;
}

/* --- what targets say, and what it says of the path --- */

/* What only the array's own handler understands goes up without it, as any answer does. */
static bool is_path_sense(const struct world *w, const struct sim_lun *lun,
			  const struct scsi_result *result)
{
	const uint8_t *sense = result->sense;
	unsigned int code = (unsigned int)(sense[12] << 8 | sense[13]);

	if (result->status != SAM_CHECK_CONDITION || (sense[0] & 0x7f) != 0x70)
		return false;
	if (w->m->hw.type && sim_vendor_passive_sense(lun, (unsigned int)sense[2] << 16 | code))
		return true;
	switch (sense[2] & 0x0f) {
	case 0x02: /* the target port group is not active */
		return code == 0x040a || code == 0x040b || code == 0x040c || code == 0x0412;
	case 0x05: /* no such LUN; not the owner */
		return code == 0x2500 || code == 0x9401;
	case 0x06: /* in transition; it may be another LUN by now */
		return code == 0x040a || code == 0x3f03 || code == 0x3f0e || code == 0x2900 ||
		       code == 0x2901 || code == 0x2907;
	}
	return false;
}

static bool is_bad_for_path(const struct world *w, const struct sim_lun *lun,
			    const struct scsi_result *result)
{
	switch (result->transport) {
	case TRANSPORT_OK:
		return is_path_sense(w, lun, result);
	case TRANSPORT_BUSY:
	case TRANSPORT_REFUSED:
		return false;
	case TRANSPORT_NOT_SENT:
	case TRANSPORT_GONE:
	case TRANSPORT_LOST:
	case TRANSPORT_ORPHANED:
	case TRANSPORT_TIMEOUT:
	case TRANSPORT_FAULT:
		return true;
	}
	return true;
}

static bool is_reset(unsigned int code)
{
	return code >> 8 == 0x0629;
}

/* About the way, or a reset, which each path repeats, unless it ends their reservations. */
static bool is_kept_from_initiators(const struct world *w, unsigned int code)
{
	return (is_reset(code) && !w->m->array_reserves) || code >> 8 == 0x0604 ||
	       code == 0x062a06 || code == 0x062a07 || code == 0x063f03 || code == 0x063f0e;
}

static bool is_deferred(const struct scsi_result *result)
{
	return result->transport == TRANSPORT_OK && result->status == SAM_CHECK_CONDITION &&
	       (result->sense[0] & 0x7d) == 0x71;
}

static bool lacks_page(const struct lun_facts *lun)
{
	return lun->known && ((!lun->features.len && scsi_lun_has_page(lun, 0xb1)) ||
			      (!lun->thin.len && scsi_lun_has_page(lun, 0xb2)));
}

/* Else the LUN's pages are always the same, whoever shows them. */
static bool pages_may_change(const struct world *w)
{
	unsigned int i;

	if (w->nr_forgets || w->m->kept_is_other || w->oracle->lacked_page)
		return true;
	if (w->oracle->page_changes)
		return w->oracle->refused_page || w->oracle->pages_told < w->oracle->page_changes;

	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].nexus.rotation || w->paths[i].nexus.provisioning ||
		    w->paths[i].nexus.hides_features)
			return true;
	return false;
}

/*
 * What the map may keep for the next commands.  That the LUN has grown it works out itself, and
 * that its pages have changed, which take room, too.
 */
static unsigned int may_keep(const struct world *w)
{
	return w->oracle->nr_untold + w->oracle->nr_early + (w->grown_to != 0);
}

static void nobody_has_heard(struct world *w, unsigned int code)
{
	unsigned int i;

	for (i = 0; i < w->oracle->nr_untold; i++)
		if (w->oracle->untold[i].code == code)
			return; /* the same, for them */
	oracle_check(w, w->oracle->nr_untold < UNTOLD_MAX, "too much that nobody has heard");
	if (is_reset(code))
		w->oracle->reset_told_ns = w->now_ns;
	w->oracle->untold[w->oracle->nr_untold].code = code;
	w->oracle->untold[w->oracle->nr_untold++].heard_seq = ++w->seq;
	/* The map keeps what was heard early, too, and what it has found out itself. */
	w->oracle->news_overflow |= may_keep(w) + pages_may_change(w) > NEWS_MAX;
	w->oracle->news_full |= may_keep(w) >= NEWS_MAX;
}

static void may_be_told(struct world *w, unsigned int code)
{
	unsigned int i;

	for (i = 0; i < w->oracle->nr_early; i++)
		if (w->oracle->early[i] == code)
			return;
	oracle_check(w, w->oracle->nr_early < UNTOLD_MAX, "too much that is heard too early");
	w->oracle->early[w->oracle->nr_early++] = code;
}

/* It may have kept that for itself, or some command of ours has been told, too. */
void oracle_kernel_hears(struct world *w, enum mpath_heard heard)
{
	/* A path that was identified meanwhile may have told it first. */
	bool is_new = w->now_ns - w->oracle->reset_told_ns >= RESET_KNOWN_NS &&
		      w->now_ns - w->m->reset_told_ns >= RESET_KNOWN_NS;

	if ((heard == HEARD_RESET || heard == HEARD_ANYTHING) && w->m->array_reserves) {
		if (is_new)
			nobody_has_heard(w, 0x062900);
		else
			may_be_told(w, 0x062900); /* by a process that has begun since */
	}
	if (heard == HEARD_MODE || heard == HEARD_ANYTHING)
		may_be_told(w, 0x062a01);
	if (heard == HEARD_SPACE)
		may_be_told(w, 0x063807);
}

/* Mode pages, space: no hardware handler has a use for it. */
static bool is_for_initiators_only(unsigned int code)
{
	return code == 0x062a01 || code == 0x063807;
}

/* What an initiator is to hear, and none of them did. */
static void hear_unit_attention(struct world *w, const struct scsi_result *result)
{
	unsigned int code = key_and_code(result);

	if (result->transport != TRANSPORT_OK || result->status != SAM_CHECK_CONDITION ||
	    code >> 16 != 0x06 || is_kept_from_initiators(w, code))
		return;
	if (may_have_hw_handler(w->m) && !is_reset(code) && !is_for_initiators_only(code))
		return;
	nobody_has_heard(w, news_of(result));
}

static void hear_for_nobody(struct world *w, const struct scsi_result *result)
{
	if (is_deferred(result))
		nobody_has_heard(w, news_of(result));
	else
		hear_unit_attention(w, result);
}

static void hear_loose_leg(struct world *w, const struct scsi_result *result)
{
	w->counts.loose_answers++;
	hear_for_nobody(w, result);
}

static void hear_early(struct world *w, const struct scsi_result *result)
{
	unsigned int code = key_and_code(result);

	if (result->transport == TRANSPORT_OK && result->status == SAM_CHECK_CONDITION &&
	    code >> 16 == 0x06)
		may_be_told(w, code);
}

/* The map works out itself what has become of the size. */
static void hear_probe(struct world *w, const struct sim_path *p, const struct scsi_result *result)
{
	if (is_deferred(result)) {
		nobody_has_heard(w, news_of(result));
		w->counts.deferred_to_probes++;
	} else if (!p->path->identified) {
		hear_early(w, result);
	} else if (key_and_code(result) != 0x062a09) {
		hear_unit_attention(w, result);
	}
}

static bool is_past_deadline(const struct world *w, const struct sim_io *io)
{
	return w->backstore.cmd_time_out_ms && w->now_ns >= deadline_ns(w, io);
}

/* A REQUEST SENSE that nobody waits for has fetched it: into the ring, if there is one. */
static void hear_fetched(struct world *w, const struct mpath_io *mio)
{
	uint8_t sense[18] = {0};

	if (mio->cmd.cdb[0] != 0x03 || !scsi_result_is_good(&mio->result))
		return;
	scsi_iov_read(mio, sense, sizeof(sense));
	if (sense[2] == 0x06)
		may_be_told(w, 0x060000u | (unsigned int)sense[12] << 8 | sense[13]);
}

static bool is_refused_page(const struct mpath_io *mio)
{
	const uint8_t *cdb = mio->cmd.cdb;

	return cdb[0] == 0x12 && cdb[1] & 0x01 && cdb[2] != 0xb0 &&
	       mio->result.transport == TRANSPORT_OK && mio->result.status != SAM_GOOD;
}

void oracle_told(struct world *w, struct sim_path *p, const struct mpath_io *mio)
{
	struct sim_io *io = mio->owner;
	bool bad = is_bad_for_path(w, p->nexus.lun, &mio->result);

	if (mio->is_probe) {
		w->oracle->refused_page |= is_refused_page(mio);
		hear_probe(w, p, &mio->result);
		/* With a hardware handler a passive path is up, and activated when it is wanted. */
		if (mio->result.transport == TRANSPORT_OK && (!bad || may_have_hw_handler(w->m)))
			p->down = false;
		return;
	}
	p->down |= bad;
	p->served_ns = w->now_ns;
	if (!io) {
		hear_loose_leg(w, &mio->result);
		return;
	}
	if (io->tmr || io->overdue || is_past_deadline(w, io)) {
		hear_for_nobody(w, &mio->result);
		hear_fetched(w, mio);
	}
	if (is_deferred(&mio->result)) {
		io->heard_loss = news_of(&mio->result);
		w->counts.deferred++;
	}
	io->was_told |= mio->result.transport == TRANSPORT_OK;
	if (mio->result.transport == TRANSPORT_OK)
		io->told = mio->result;
}

/* A path is asked seven questions when it is identified, five times each at the most. */
#define PROBES_PER_SECOND_MAX 200

void oracle_probed(struct world *w, struct sim_path *p)
{
	if (w->now_ns - p->probes_since_ns >= NSEC_PER_SEC) {
		p->probes_since_ns = w->now_ns;
		p->recent_probes = 0;
	}
	oracle_check(w, ++p->recent_probes <= PROBES_PER_SECOND_MAX, "a storm of probes on %s",
		     p->name);
}

static bool is_last_word(const struct sim_io *io)
{
	const struct scsi_result *a = &io->told, *b = &io->io.result;

	return io->was_told && a->status == b->status && a->sense_len == b->sense_len &&
	       a->residual == b->residual && memcmp(a->sense, b->sense, a->sense_len) == 0;
}

/* --- answers --- */

static bool is_busy(const struct sim_io *io)
{
	return io->io.result.status == SAM_BUSY;
}

/* The map knows its LUN, and answers these in its stead (D15, D16). */
static bool is_kept(const struct sim_io *io)
{
	switch (io->io.cmd.cdb[0]) {
	case 0x12:
	case 0x1a:
	case 0x25:
	case 0x5a:
	case 0x9e:
	case 0xa3:
	case 0xa4:
		return true;
	}
	return false;
}

static bool fetches_sense(const struct sim_io *io)
{
	return io->io.cmd.cdb[0] == 0x03;
}

/* And what it has got is about one. */
static bool is_for_any_state(const struct sim_io *io)
{
	return (fetches_sense(io) || io->io.cmd.cdb[0] == 0x12) &&
	       key_and_code(&io->io.result) >> 16 == 0x02;
}

/* What stands for news that there was no room for: a reset, or a write that is lost (deferred). */
#define SUM_OF_CHANGES 0x062900u
#define SUM_OF_LOSSES  0x01030c00u

static bool is_loss(unsigned int code)
{
	return code >> 24 == 1 || code >> 24 == 3;
}

static bool is_summed_up(unsigned int code, unsigned int untold)
{
	return (code == SUM_OF_CHANGES && !is_loss(untold)) ||
	       (code == SUM_OF_LOSSES && is_loss(untold));
}

/* By each path, so it may come again.  Or for several: as one, or as there was no room for it. */
static bool was_heard_early(const struct world *w, unsigned int code)
{
	unsigned int i;

	for (i = 0; i < w->oracle->nr_early; i++)
		if (w->oracle->early[i] == code || code == SUM_OF_CHANGES)
			return true;
	return false;
}

/* The LUN has grown, or a leg or a probe was told it, and this command is the first one after that.
 */
static bool tells_news(const struct world *w, const struct sim_io *io)
{
	unsigned int code = news_of(&io->io.result), i;

	if (io->nr_starts || io->io.result.status != SAM_CHECK_CONDITION)
		return false;
	for (i = 0; i < w->oracle->nr_untold; i++)
		if (w->oracle->untold[i].code == code ||
		    (w->oracle->news_overflow && is_summed_up(code, w->oracle->untold[i].code)))
			return true;
	if (code == 0x063f03 || (code == SUM_OF_CHANGES && w->oracle->news_full))
		return (code == SUM_OF_CHANGES && w->grown_to) || pages_may_change(w) ||
		       was_heard_early(w, code);
	return code == 0x062a09 || was_heard_early(w, code);
}

/*
 * Once for each time that it was told.  What stands for others, for which there was no room, may
 * have been told for itself; and some of these came when there was room again: they come, too, or
 * do not.
 */
static void was_told_news(struct world *w, const struct sim_io *io)
{
	unsigned int code = news_of(&io->io.result), i, kept = 0;

	if (code == 0x063f03) {
		w->oracle->pages_told++;
		w->counts.pages_told++;
	}
	for (i = 0; i < w->oracle->nr_untold; i++) {
		unsigned int other = w->oracle->untold[i].code;

		if (other == code)
			continue;
		if (!w->oracle->news_overflow || !is_summed_up(code, other))
			w->oracle->untold[kept++] = w->oracle->untold[i];
		else
			may_be_told(w, other);
	}
	w->oracle->nr_untold = kept;
	w->oracle->news_overflow &= kept != 0;
}

/* handler/README.md, "Our own answers". */
static bool is_documented_sense(struct world *w, const struct sim_io *io)
{
	const uint8_t *sense = io->io.result.sense;

	if (is_deferred(&io->io.result))
		return tells_news(w, io);
	if (io->io.result.sense_len < 14 || sense[0] != 0x70)
		return false;
	switch (sense[2] << 16 | sense[12] << 8 | sense[13]) {
	case 0x020800: /* no path is usable */
		return io->queueing_lapsed || !queues(w) || !io->io.cmd.medium ||
		       is_past_deadline(w, io);
	case 0x020400: /* the map has never seen its LUN */
		return !mpath_lun(w->m)->known;
	case 0x040801: /* it may have been executed */
		return runs_once(io) && (io->nr_doubts || io->nr_faults);
	case 0x040800: /* failed alike on every path */
	case 0x052400: /* no host adapter can carry it */
		return io->nr_faults || io->nr_doubts;
	case 0x052500: /* every path says that there is no such LUN */
		return true;
	}
	return tells_news(w, io);
}

static bool is_documented(struct world *w, const struct sim_io *io)
{
	const struct scsi_result *result = &io->io.result;

	switch (result->status) {
	case SAM_GOOD:
		return is_kept(io) || fetches_sense(io);
	case SAM_CHECK_CONDITION:
		return (is_kept(io) || is_documented_sense(w, io)) && !is_for_any_state(io);
	case SAM_TASK_ABORTED:
		return io->tmr;
	case SAM_BUSY: /* the end, or this host has been short of something for long */
		return w->shut_down || io->nr_faults;
	}
	return false;
}

/* The array has removed the LUN: waiting for it would be of no use. */
static bool lun_was_removed(const struct sim_io *io)
{
	const uint8_t *sense = io->io.result.sense;

	return sense[2] == 0x05 && sense[12] == 0x25 && sense[13] == 0x00;
}

/* While the map queues, a command that nothing is wrong with ends well, however paths may fail. */
static bool may_fail(struct world *w, const struct sim_io *io)
{
	return io->queueing_lapsed || !queues(w) || !io->io.cmd.medium || io->nr_faults ||
	       io->nr_starts >= 30 || (runs_once(io) && io->nr_doubts) || io->tmr ||
	       (w->shut_down && is_busy(io)) || lun_was_removed(io) || w->backstore.cmd_time_out_ms;
}

static void count_kind(struct world *w, const struct sim_io *io)
{
	const uint8_t *cdb = io->io.cmd.cdb;

	if (cdb[0] == 0x83)
		w->counts.copies++;
	else if (sim_is_block_read(cdb))
		w->counts.other_reads += cdb[0] != 0x28;
	else if (io->stamp)
		w->counts.other_writes +=
			cdb[0] != 0x2a && cdb[0] != 0x89 && cdb[0] != 0x42 && cdb[0] != 0x93;
	else
		w->counts.syncs_at_once += cdb[0] == 0x91 && cdb[1] & 0x02;
}

static void check_good(struct world *w, struct sim_io *io)
{
	const struct scsi_cmd *cmd = &io->io.cmd;

	oracle_check(w, !io->stamp || io->nr_executions, "io %u is good, but was never done",
		     io->id);
	w->counts.unmaps += cmd->cdb[0] == 0x42 || cmd->cdb[0] == 0x93;
	count_kind(w, io);
	oracle_check(w,
		     !sim_is_block_read(cmd->cdb) || !cmd->data_len ||
			     io->io.result.residual < cmd->data_len,
		     "io %u is good, but has brought nothing", io->id);
	if ((cmd->cdb[0] == 0x35 || cmd->cdb[0] == 0x91) && !(cmd->cdb[1] & 0x02)) {
		oracle_check(w, io->nr_executions, "io %u: nothing was synchronized", io->id);
		w->counts.sync_caches++;
		if (io->submitted_seq > w->oracle->synced_seq)
			w->oracle->synced_seq = io->submitted_seq;
	}
	oracle_check(w, !io->stamp || cmd->cdb[0] == 0x42 || !io->io.result.residual,
		     "io %u is good, but only a part was written", io->id);
}

/* With GOOD, or a warning: what has come. */
static void check_data(struct world *w, const struct sim_io *io)
{
	const struct scsi_cmd *cmd = &io->io.cmd;
	unsigned int i;

	if (cmd->cdb[0] == 0x83 && io->stamp)
		check_block_read(w, io, io->buf[8], io->copied);
	if (!sim_is_block_read(cmd->cdb) || !blocks_exist(io))
		return;
	for (i = 0; i < (cmd->data_len - io->io.result.residual) / SIM_BLOCK_SIZE; i++)
		check_block_read(w, io, sim_lba(cmd->cdb) + i, sim_stamp(io->buf, i));
}

static void close_writes(struct world *w, struct sim_io *io, bool good)
{
	unsigned int i;

	for (i = 0; i < written_blocks(io); i++) {
		struct write_record *record =
			find_write(&w->oracle->blocks[sim_lba(io->io.cmd.cdb) + i], io->stamp);

		record->answered_seq = io->answered_seq;
		record->good = good && io->submitted_seq > w->oracle->power_lost_seq;
	}
}

static bool is_warning(const struct scsi_result *result)
{
	return result->status == SAM_CHECK_CONDITION && result->sense[0] == 0x70 &&
	       result->sense[2] == 0x01;
}

/*
 * To a disk driver it is as good as GOOD, and he is told of no residual.  Of a READ the ring tells
 * it, if there is some data: ring_entry.c.
 */
static bool is_warned_of_nothing(const struct sim_io *io)
{
	const struct scsi_result *result = &io->io.result;

	if (!is_warning(result))
		return false;
	return (io->io.cmd.cdb[0] == 0x28 && result->residual == io->io.cmd.data_len) ||
	       (io->io.cmd.cdb[0] == 0x2a && result->residual);
}

void oracle_answered(struct world *w, struct sim_io *io)
{
	const struct scsi_result *result = &io->io.result;
	bool good = result->transport == TRANSPORT_OK && result->status == SAM_GOOD;

	if (result->status == SAM_CHECK_CONDITION && is_reset(key_and_code(result)))
		w->oracle->reset_told_ns = w->now_ns;
	oracle_check(w, io->state == SIM_IO_OUT, "io %u is answered twice", io->id);
	oracle_check(w, result->status != SAM_TASK_ABORTED || io->tmr || !io->hit_by_our_reset,
		     "io %u is told of a reset that was our own", io->id);
	oracle_check(w, io->sent == io->nr_legs, "io %u is answered while it is on %s", io->id,
		     io->last_path->name);
	io->sent = io->nr_legs = 0;
	oracle_check(w, result->transport == TRANSPORT_OK,
		     "io %u is answered with a transport error", io->id);
	check_fence(w, io, "answered");
	oracle_check(w, !runs_once(io) || io->nr_executions <= 1, "io %u was executed %u times",
		     io->id, io->nr_executions);
	oracle_check(w, result->status != SAM_CHECK_CONDITION || result->sense_len,
		     "io %u: CHECK CONDITION without sense", io->id);
	oracle_check(w, !is_warned_of_nothing(io),
		     "io %u is done, with a warning, but nothing was transferred", io->id);
	oracle_check(w,
		     io->io.cmd.cdb[0] != 0x89 || !io->nr_executions || good ||
			     result->sense[2] != 0x0e,
		     "io %u: a false MISCOMPARE", io->id);
	oracle_check(w, is_last_word(io) || is_documented(w, io),
		     "io %u (%02x): nobody gave it this answer: status %02x, sense %02x/%02x/%02x",
		     io->id, io->io.cmd.cdb[0], result->status, result->sense[2], result->sense[12],
		     result->sense[13]);
	oracle_check(w,
		     !io->heard_loss || (is_deferred(result) && news_of(result) == io->heard_loss),
		     "io %u has heard that a write is lost (%06x), and does not tell", io->id,
		     io->heard_loss);
	oracle_check(w, good || tells_news(w, io) || may_fail(w, io),
		     "io %u fails (status %02x) though the map queues", io->id, result->status);
	if (tells_news(w, io))
		was_told_news(w, io);
	io->answered_seq = ++w->seq;
	w->counts.expired +=
		w->backstore.cmd_time_out_ms &&
		w->now_ns >= io->io.arrival_ns + w->backstore.cmd_time_out_ms * NSEC_PER_MSEC;
	close_writes(w, io, good);
	if (good)
		check_good(w, io);
	if (good || is_warning(result))
		check_data(w, io);
}

/* The kernel has reset the ring: it has answered all that was out. */
void oracle_killed(struct world *w)
{
	unsigned int i;

	speakers_change(w);
	memset(w->oracle->told_disabled, 0, sizeof(w->oracle->told_disabled));
	w->oracle->told_in_use = 0;
	for (i = w->oracle->first_out; i < w->nr_ios; i++) {
		struct sim_io *io = &w->ios[i];

		if (io->state != SIM_IO_OUT)
			continue;
		if (io->may_land_ns > w->lost_until_ns)
			w->lost_until_ns = io->may_land_ns;
		io->state = SIM_IO_ANSWERED;
		io->orphaned = true;
		io->answered_seq = ++w->seq;
		close_writes(w, io, false);
	}
	all_go_to(w, NULL);
	w->oracle->hedge_credit = 0;
	w->oracle->waited = false;
	w->oracle->no_path_since_ns = 0;
	if (w->file_is_old)
		oracle_word_is_old(w);
}

/*
 * What was not saved is lost with the process.  What was, the next one tells, also if the dead one
 * has told it since, once more.
 */
void oracle_word_is_old(struct world *w)
{
	struct oracle *oracle = w->oracle;
	unsigned int i;

	oracle->news_overflow = false;
	for (i = 0; i < w->memory.nr_news; i++) {
		const struct mpath_news *news = &w->memory.news[i];
		struct scsi_result result = {.sense_len = news->len};

		memcpy(result.sense, news->sense, news->len);
		oracle->untold[i].code = news_of(&result);
		oracle->untold[i].heard_seq = ++w->seq;
	}
	oracle->nr_untold = w->memory.nr_news;
}

/* What the former LUN has told is not said of the next one. */
void oracle_lun_forgotten(struct world *w)
{
	w->oracle->nr_untold = 0;
	w->oracle->nr_early = 0;
}

/* --- after each step --- */

/* Peers that have not answered for so long do not serve. */
#define SILENT_NS (500 * NSEC_PER_MSEC)

/*
 * A group in which every usable path is full is waited for, so only worlds without one tell, and
 * without a hardware handler: with one, groups are waited for until they are activated.
 */
static bool could_run(struct world *w, const struct sim_io *io)
{
	bool room[SIM_PATHS_MAX + 1] = {false}, full[SIM_PATHS_MAX + 1] = {false};
	bool spare[SIM_PATHS_MAX + 1] = {false}, serves[SIM_PATHS_MAX + 1] = {false};
	bool any = false;
	unsigned int i;

	if (may_have_hw_handler(w->m) || pair_kind(&io->io))
		return false;
	for (i = 0; i < w->nr_paths; i++) {
		const struct sim_path *p = &w->paths[i];
		unsigned int group;

		if (!is_usable(p, io))
			continue;
		group = p->path->pg->number;
		any = true;
		if (p->path->resting || p->nr_out >= p->queue_depth)
			full[group] = true;
		else if (is_demoted(p))
			spare[group] = true;
		else
			room[group] = true;
		if (!is_demoted(p))
			serves[group] |= w->now_ns - p->served_ns < SILENT_NS;
	}
	for (i = 1; i <= SIM_PATHS_MAX; i++)
		if (full[i] && !room[i] && (!spare[i] || serves[i]))
			return false;
	return any;
}

/* As the administrator has set it: from when the last path was lost, or waiting began anew. */
static bool is_past_no_path_limit(const struct world *w, const struct sim_io *io)
{
	uint64_t ms = io->io.cmd.class == CMD_READ ? w->settings.no_path_timeout_read_ms
						   : w->settings.no_path_timeout_write_ms;

	return ms && w->oracle->no_path_since_ns &&
	       w->now_ns >= w->oracle->no_path_since_ns + ms * NSEC_PER_MSEC;
}

/* No path, none in doubt, and no leave to wait for one, or no longer. */
static bool waits_for_nothing(struct world *w, const struct sim_io *io)
{
	unsigned int i;

	if (may_wait(w) && io->io.cmd.medium && !is_past_no_path_limit(w, io))
		return false;
	for (i = 0; i < w->nr_paths; i++)
		if (is_in_map(&w->paths[i]) &&
		    (w->paths[i].path->active || !w->paths[i].path->settled))
			return false;
	return true;
}

/* When a loop that stood still hears that something is kept back, that may be over. */
static uint64_t told_let_go_ns(const struct world *w)
{
	return w->let_go_ns > w->told_blocked_ns ? w->let_go_ns : w->told_blocked_ns;
}

/* Then writes wait, and not every path has been looked at. */
static bool is_starting(const struct world *w, const struct sim_io *io)
{
	uint64_t ends_ns = changes(io) ? restart_ends_ns(w) : w->start_ns + NSEC_PER_SEC;

	if (changes(io) && w->now_ns < longest_wait_ends_ns(w, told_let_go_ns(w)))
		return !w->m->restart_over;
	if (changes(io) && (w->now_ns < kept_back_ends_ns(w, told_let_go_ns(w)) ||
			    w->now_ns < w->oracle->looks_until_ns))
		return !w->m->restart_over;
	if (changes(io) && w->now_ns < w->memory.fence_end_ns)
		return true; /* a former process had lost writes */
	return w->now_ns < ends_ns && !w->m->restart_over;
}

/* A write that was under way at its deadline: the others have to wait until it is gone (H4). */
static void note_overdue(struct world *w, struct sim_io *io)
{
	io->overdue |= io->io.cmd.class != CMD_READ && is_past_deadline(w, io) &&
		       (io->sent || w->now_ns < fenced_until_ns(io));
}

static bool waits_for_overdue(const struct world *w, const struct sim_io *io)
{
	unsigned int i;

	for (i = w->oracle->first_out; i < w->nr_ios; i++)
		if (w->ios[i].overdue && w->ios[i].state == SIM_IO_OUT)
			return io->io.cmd.class != CMD_READ;
	return false;
}

static bool write_the_same_block(const struct sim_io *a, const struct sim_io *b)
{
	uint64_t lba_a = sim_lba(a->io.cmd.cdb), lba_b = sim_lba(b->io.cmd.cdb);

	return !a->stamp || !b->stamp || a->io.cmd.cdb[0] == 0x83 || b->io.cmd.cdb[0] == 0x83 ||
	       (lba_a < lba_b + sim_nr_blocks(b->io.cmd.cdb) &&
		lba_b < lba_a + sim_nr_blocks(a->io.cmd.cdb));
}

static bool was_sent_in_vain(const struct sim_io *io)
{
	return io->nr_starts > 1 || (io->nr_starts && !io->sent);
}

static bool may_write(const struct sim_io *io)
{
	uint8_t opcode = io->io.cmd.cdb[0];

	if (io->io.cmd.medium || io->io.cmd.class == CMD_IDEMPOTENT ||
	    opcode >= 0xc0 /* vendors' */)
		return io->io.cmd.class != CMD_READ;
	return opcode == 0x85 /* ATA PASS-THROUGH */ || opcode == 0xb5 /* SECURITY PROTOCOL OUT */;
}

/* An older write to the same block may have been carried out, and is sent again. */
static bool waits_for_older(const struct world *w, const struct sim_io *io)
{
	unsigned int i;

	if (!may_write(io))
		return false;
	for (i = w->oracle->first_out; i < w->nr_ios; i++) {
		const struct sim_io *older = &w->ios[i];

		if (older != io && older->state == SIM_IO_OUT && was_sent_in_vain(older) &&
		    older->io.cmd.class == CMD_IDEMPOTENT && write_the_same_block(older, io))
			return true;
	}
	return false;
}

/* A LOGICAL UNIT RESET is out: it would hit them. */
static bool waits_for_reset(const struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_events; i++)
		if (w->events[i].type == SIM_RESET &&
		    w->now_ns < w->events[i].sent_ns + RESET_WAIT_NS)
			return true;
	return false;
}

static void check_idleness(struct world *w, struct sim_io *io)
{
	if (is_starting(w, io) || w->m->suspend || pg_init_pending(w->m) ||
	    waits_for_overdue(w, io) || waits_for_older(w, io) || waits_for_reset(w) ||
	    (!could_run(w, io) && !waits_for_nothing(w, io))) {
		io->could_run_since_ns = 0;
		return;
	}
	if (io->could_run_since_ns <= w->oracle->changed_ns)
		io->could_run_since_ns = w->now_ns;
	oracle_check(w, w->now_ns - io->could_run_since_ns <= PAUSE_MAX_NS,
		     "io %u (%02x) waits for nothing", io->id, io->io.cmd.cdb[0]);
}

/* Nobody waits; what is out are legs, if the map hedges. */
static void check_all_quiet(struct world *w)
{
	unsigned int i, legs = 0;

	for (i = 0; i < w->nr_paths; i++) {
		const struct sim_path *p = &w->paths[i];

		legs += p->nr_out;
		oracle_check(w, !p->path || p->path->in_flight == p->nr_out,
			     "%s still counts commands", p->name);
	}
	oracle_check(w, !w->m->nr_ios && w->m->nr_in_flight == legs && w->m->nr_legs == legs,
		     "the map still counts commands");
}

static void check_waiting(struct world *w, struct sim_io *io)
{
	uint32_t limit_ms = w->backstore.cmd_time_out_ms;

	oracle_check(w, !w->shut_down, "io %u waits after SHUTDOWN", io->id);
	oracle_check(w, !limit_ms || w->now_ns < io->io.arrival_ns + limit_ms * NSEC_PER_MSEC,
		     "io %u waits, but the kernel has answered it", io->id);
	oracle_check(w, !io->tmr, "io %u waits after its abort", io->id);
	check_idleness(w, io);
}

/* Since when has the loop had a chance to do something about it? */
static uint64_t looked_ns(const struct world *w, const struct sim_io *io)
{
	uint64_t free_ns = fenced_until_ns(io);

	return free_ns > w->oracle->awake_ns ? free_ns : w->oracle->awake_ns;
}

/* handler/README.md, "After a crash": from 2 s on, also if they are of many short standstills.
 */
#define LOOKS_AGAIN_NS (5 * NSEC_PER_SEC)

/* That excuses what comes late, by as much; what is sent, and what is answered, is no better. */
void oracle_stood_still(struct world *w, uint64_t ns)
{
	unsigned int i;

	w->oracle->awake_ns = w->now_ns;
	w->oracle->looks_until_ns = w->now_ns + LOOKS_AGAIN_NS;
	if (w->let_go_unheard)
		w->told_blocked_ns = told_let_go_ns(w) + ns;
	for (i = w->oracle->first_out; i < w->nr_ios; i++) {
		w->ios[i].held_up_ns += ns;
		if (w->ios[i].could_run_since_ns)
			w->ios[i].could_run_since_ns += ns;
	}
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].served_ns += ns;
}

/* Who was late by the old time stays late: the kernel has answered. */
void oracle_time_out_changes(struct world *w)
{
	unsigned int i;

	for (i = w->oracle->first_out; i < w->nr_ios; i++)
		if (w->ios[i].state == SIM_IO_OUT) {
			w->ios[i].queueing_lapsed |= is_past_deadline(w, &w->ios[i]);
			note_overdue(w, &w->ios[i]);
		}
}

void oracle_stepped(struct world *w)
{
	unsigned int i;

	while (w->oracle->first_out < w->nr_ios &&
	       w->ios[w->oracle->first_out].state == SIM_IO_ANSWERED)
		w->oracle->first_out++;
	if (w->oracle->first_out == w->nr_ios)
		check_all_quiet(w);
	check_events(w);
	w->oracle->lacked_page |= lacks_page(mpath_lun(w->m));
	if (w->m->nr_valid)
		w->oracle->no_path_since_ns = 0;
	else if (!w->oracle->no_path_since_ns)
		w->oracle->no_path_since_ns = w->now_ns;
	w->oracle->waited |= w->longest_timeout_ms && w->now_ns >= restart_ends_ns(w);
	for (i = w->oracle->first_out; i < w->nr_ios; i++) {
		struct sim_io *io = &w->ios[i];

		if (io->state != SIM_IO_OUT)
			continue;
		io->queueing_lapsed |= !queues(w) || is_past_deadline(w, io);
		note_overdue(w, io);
		if (io->in_ring)
			oracle_check(w,
				     w->stopping || w->now_ns - io->io.arrival_ns <=
							    NSEC_PER_SEC + io->held_up_ns,
				     "io %u stands in the ring, and nobody sees it", io->id);
		else if (!io->sent && w->now_ns > looked_ns(w, io) + w->wake_late_ns)
			check_waiting(w, io);
	}
}

void oracle_ended(struct world *w)
{
	unsigned int i;

	oracle_check(w, w->stopped, "the map does not stop");
	oracle_check(w, !w->nr_events, "something is still on its way");
	for (i = 0; i < SIM_LUNS_MAX; i++)
		oracle_check(w, !w->luns[i].nr_misunderstood,
			     "the array was told what it does not understand");
	for (i = 0; i < w->nr_ios; i++)
		oracle_check(w, w->ios[i].state == SIM_IO_ANSWERED, "io %u was never answered", i);
	for (i = 0; i < w->nr_paths; i++) {
		const struct path *path = w->paths[i].path;

		oracle_check(w, !path || list_empty(&path->flying), "%s still has commands",
			     w->paths[i].name);
		oracle_check(w, !w->paths[i].is_open, "%s is still open", w->paths[i].name);
	}
	check_all_quiet(w);
}

/* --- the selector, watched --- */

struct watched {
	struct path_selector inner;
	int in_flight;
	bool failed[SIM_PATH_IDS];
};

/* What stands in the table instead of a selector type: the same, with all calls checked. */
struct watched_type {
	struct path_selector_type type;
	const struct path_selector_type *inner;
};

static int watch_create(struct path_selector *ps, int argc, const char *const *argv,
			const char **error)
{
	struct watched *watch = calloc(1, sizeof(*watch));

	watch->inner.type = container_of(ps->type, struct watched_type, type)->inner;
	ps->context = watch;
	return watch->inner.type->create(&watch->inner, argc, argv, error);
}

static void watch_destroy(struct path_selector *ps)
{
	struct watched *watch = ps->context;

	oracle_check(the_world, watch->in_flight == 0 || the_world->killed,
		     "%d more starts than ends at the selector", watch->in_flight);
	watch->inner.type->destroy(&watch->inner);
	free(watch);
}

static int watch_add_path(struct path_selector *ps, struct path *path, int argc,
			  const char *const *argv, const char **error)
{
	struct watched *watch = ps->context;

	return watch->inner.type->add_path(&watch->inner, path, argc, argv, error);
}

static void watch_fail_path(struct path_selector *ps, struct path *path)
{
	struct watched *watch = ps->context;

	oracle_check(the_world, !watch->failed[path->id % SIM_PATH_IDS], "a path is failed twice");
	watch->failed[path->id % SIM_PATH_IDS] = true;
	watch->inner.type->fail_path(&watch->inner, path);
}

static void watch_reinstate_path(struct path_selector *ps, struct path *path)
{
	struct watched *watch = ps->context;

	oracle_check(the_world, watch->failed[path->id % SIM_PATH_IDS],
		     "a path is reinstated twice");
	watch->failed[path->id % SIM_PATH_IDS] = false;
	watch->inner.type->reinstate_path(&watch->inner, path);
}

static struct path *watch_select_path(struct path_selector *ps, const struct select_hint *hint)
{
	struct watched *watch = ps->context;

	oracle_check(the_world, hint->now_ns == the_world->now_ns, "the hint has another time");
	return watch->inner.type->select_path(&watch->inner, hint);
}

static void watch_start_io(struct path_selector *ps, struct path *path, size_t nr_bytes,
			   uint64_t now_ns)
{
	struct watched *watch = ps->context;

	oracle_check(the_world, !watch->failed[path->id % SIM_PATH_IDS],
		     "a command starts on a failed path");
	watch->in_flight++;
	if (watch->inner.type->start_io)
		watch->inner.type->start_io(&watch->inner, path, nr_bytes, now_ns);
}

static void watch_end_io(struct path_selector *ps, struct path *path, size_t nr_bytes,
			 uint64_t start_ns, uint64_t now_ns)
{
	struct watched *watch = ps->context;

	oracle_check(the_world, watch->in_flight > 0, "an end without a start at the selector");
	oracle_check(the_world, start_ns <= now_ns, "a command ends before it starts");
	watch->in_flight--;
	if (watch->inner.type->end_io)
		watch->inner.type->end_io(&watch->inner, path, nr_bytes, start_ns, now_ns);
}

static void watch_status(struct path_selector *ps, struct path *path, enum status_type type,
			 struct strbuf *out)
{
	struct watched *watch = ps->context;

	watch->inner.type->status(&watch->inner, path, type, out);
}

const struct path_selector_type *oracle_selector(const struct path_selector_type *type)
{
	static struct watched_type watched[8];
	unsigned int i;

	for (i = 0; watched[i].inner; i++)
		if (watched[i].inner == type)
			return &watched[i].type;
	watched[i].inner = type;
	watched[i].type = (struct path_selector_type){
		.name = type->name,
		.table_args = type->table_args,
		.info_args = type->info_args,
		.create = watch_create,
		.destroy = watch_destroy,
		.add_path = watch_add_path,
		.fail_path = watch_fail_path,
		.reinstate_path = watch_reinstate_path,
		.select_path = watch_select_path,
		.start_io = watch_start_io,
		.end_io = watch_end_io,
		.status = watch_status,
	};
	return &watched[i].type;
}
