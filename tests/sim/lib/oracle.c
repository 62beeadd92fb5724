/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold in every world, whatever happens in it.  Written from SAM, the design (D6..D11)
 * and dm's documents, not from the core:
 *
 *  - each command is answered exactly once, and not while it is still on a path;
 *  - it is sent only down a path that is open, active, identified and not in doubt, and never more
 *    of them than the path's queue depth;
 *  - it is not sent after its deadline, nor after a task management function named it, nor, if it
 *    may be executed only once, after an answer that leaves that in doubt;
 *  - what waits is answered before the kernel would do so, and nothing waits after SHUTDOWN;
 *  - a lost write is neither repeated nor answered while its old copy may still land, unless the
 *    map has no fence;
 *  - no write is sent while the kernel has answered an older one that may still be carried out;
 *  - no write is sent while commands of a dead process are out;
 *  - a read has the block's last acknowledged write, or one that was under way with it;
 *  - while the map queues, no command fails for lack of paths;
 *  - selectors hear of each start and end once, and of changes only.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/lib/world.h"

struct write_record {
	uint64_t stamp;
	uint64_t submitted_seq;
	uint64_t answered_seq; /* UINT64_MAX: not yet */
	bool good;
};

struct block_history {
	struct write_record *writes;
	size_t nr, size;
};

struct oracle {
	struct block_history blocks[SIM_BLOCKS];
	unsigned int first_out; /* all commands before it are answered */
};

static struct world *the_world; /* the selector's calls do not bring it along */

void oracle_stepping(struct world *w)
{
	the_world = w;
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
		add_write(w, lba, &(struct write_record){.stamp = stamp});
}

static unsigned int written_blocks(const struct sim_io *io)
{
	return io->stamp ? sim_nr_blocks(io->io.cmd.cdb) : 0;
}

static bool blocks_exist(const struct sim_io *io)
{
	return sim_lba(io->io.cmd.cdb) + sim_nr_blocks(io->io.cmd.cdb) <= SIM_BLOCKS;
}

static void check_block_read(struct world *w, const struct sim_io *io, unsigned int nr)
{
	struct block_history *block = &w->oracle->blocks[sim_lba(io->io.cmd.cdb) + nr];
	uint64_t stamp = sim_stamp(io->buf, nr);
	struct write_record *seen = find_write(block, stamp);
	size_t i;

	oracle_check(w, seen, "io %u read stamp %llu, which nobody wrote there", io->id,
		     (unsigned long long)stamp);
	for (i = 0; i < block->nr; i++) {
		const struct write_record *later = &block->writes[i];

		oracle_check(w,
			     !later->good || later->submitted_seq <= seen->answered_seq ||
				     later->answered_seq >= io->submitted_seq,
			     "io %u read old data: stamp %llu, but %llu was acknowledged before",
			     io->id, (unsigned long long)stamp, (unsigned long long)later->stamp);
	}
}

/* --- commands --- */

/* A map that never saw its LUN has nothing to wait for (D15). */
static bool queues(const struct world *w)
{
	return w->m->queue_if_no_path && mpath_lun(w->m)->known &&
	       !w->settings.no_path_timeout_read_ms && !w->settings.no_path_timeout_write_ms;
}

void oracle_submitted(struct world *w, struct sim_io *io)
{
	unsigned int i;

	io->submitted_seq = ++w->seq;
	io->queueing_lapsed = !queues(w);
	for (i = 0; i < written_blocks(io); i++)
		add_write(w, sim_lba(io->io.cmd.cdb) + i,
			  &(struct write_record){.stamp = io->stamp,
						 .submitted_seq = io->submitted_seq,
						 .answered_seq = UINT64_MAX});
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

void oracle_lost(struct world *w, struct sim_io *io, struct sim_path *p, uint64_t from_ns)
{
	if (io->io.cmd.class == CMD_READ || w->settings.fence == FENCE_NONE)
		return;
	io->arrived_ns = from_ns + p->transit_ms * NSEC_PER_MSEC;
	io->may_land_ns = from_ns + fence_ms(w, p, io->io.cmd.timeout_ms) * NSEC_PER_MSEC;
}

void oracle_reset(struct world *w, uint64_t sent_ns)
{
	unsigned int i;

	for (i = w->oracle->first_out; i < w->nr_ios; i++)
		if (w->ios[i].arrived_ns <= sent_ns)
			w->ios[i].may_land_ns = 0;
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

static uint64_t restart_ends_ns(const struct world *w)
{
	uint64_t ms, longest = 0;
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++) {
		if (!w->paths[i].path || !w->paths[i].nr_opens)
			continue;
		ms = fence_ms(w, &w->paths[i], w->settings.path_timeout_ms);
		if (ms > longest)
			longest = ms;
	}
	return w->start_ns + (w->settings.restart_wait_ms + longest) * NSEC_PER_MSEC;
}

static void check_restart(struct world *w, const struct sim_io *io)
{
	unsigned int i;

	if (io->io.cmd.class == CMD_READ || w->now_ns >= restart_ends_ns(w))
		return;
	for (i = 0; i < w->nr_paths; i++)
		oracle_check(w, !w->paths[i].is_open || !w->paths[i].foreign,
			     "io %u: a write is sent while %s has commands of a dead process",
			     io->id, w->paths[i].name);
}

void oracle_started(struct world *w, struct sim_io *io, struct sim_path *p)
{
	const struct path *path = p->path;

	oracle_check(w, io->state == SIM_IO_OUT, "io %u is sent, but not out", io->id);
	oracle_check(w, !io->sent, "io %u is sent twice at once", io->id);
	oracle_check(w, !io->tmr, "io %u is sent after its abort", io->id);
	oracle_check(w, !w->stopping, "io %u is sent after STOP", io->id);
	oracle_check(w, !w->backstore.cmd_time_out_ms || w->now_ns < deadline_ns(w, io),
		     "io %u is sent after its deadline", io->id);
	oracle_check(w, io->io.cmd.class != CMD_ONCE || !io->nr_doubts,
		     "io %u is sent again, but may have been executed", io->id);
	oracle_check(w, path->active && !path->failed_by_message,
		     "io %u is sent down %s, which has failed", io->id, p->name);
	oracle_check(w, !path->suspect, "io %u is sent down %s, which is in doubt", io->id,
		     p->name);
	oracle_check(w, path->identified, "io %u is sent down %s, which is not identified", io->id,
		     p->name);
	oracle_check(w, p->nr_out < p->queue_depth, "io %u: %s has %u commands, takes %u", io->id,
		     p->name, p->nr_out, p->queue_depth);
	check_restart(w, io);
	check_fence(w, io, "sent again");
	check_overdue(w, io);
	io->sent = true;
	io->nr_starts++;
	io->last_path = p;
}

static bool is_busy(const struct sim_io *io)
{
	return io->io.result.status == SAM_BUSY;
}

/* The array has removed the LUN: waiting for it would be of no use. */
static bool lun_was_removed(const struct sim_io *io)
{
	const uint8_t *sense = io->io.result.sense;

	return sense[2] == 0x05 && sense[12] == 0x25 && sense[13] == 0x00;
}

/* While the map queues, a command that nothing is wrong with ends well, however paths may fail. */
/* The LUN has grown, and this command is the first one after that. */
static bool tells_capacity(const struct sim_io *io)
{
	const uint8_t *sense = io->io.result.sense;

	return !io->nr_starts && (sense[2] & 0xf) == 0x06 && sense[12] == 0x2a && sense[13] == 0x09;
}

static bool may_fail(struct world *w, const struct sim_io *io)
{
	return io->queueing_lapsed || !queues(w) || !io->io.cmd.medium || io->nr_faults ||
	       io->nr_starts >= 30 || (io->io.cmd.class == CMD_ONCE && io->nr_doubts) || io->tmr ||
	       (w->shut_down && is_busy(io)) || lun_was_removed(io) || w->backstore.cmd_time_out_ms;
}

static void check_good(struct world *w, struct sim_io *io)
{
	const struct scsi_cmd *cmd = &io->io.cmd;
	unsigned int i;

	oracle_check(w, !io->stamp || io->nr_executions, "io %u is good, but was never done",
		     io->id);
	if ((cmd->cdb[0] == 0x28 || cmd->cdb[0] == 0x88) && blocks_exist(io))
		for (i = 0; i < sim_nr_blocks(cmd->cdb); i++)
			check_block_read(w, io, i);
}

static void close_writes(struct world *w, struct sim_io *io, bool good)
{
	unsigned int i;

	for (i = 0; i < written_blocks(io); i++) {
		struct write_record *record =
			find_write(&w->oracle->blocks[sim_lba(io->io.cmd.cdb) + i], io->stamp);

		record->answered_seq = io->answered_seq;
		record->good = good;
	}
}

void oracle_answered(struct world *w, struct sim_io *io)
{
	const struct scsi_result *result = &io->io.result;
	bool good = result->transport == TRANSPORT_OK && result->status == SAM_GOOD;

	oracle_check(w, io->state == SIM_IO_OUT, "io %u is answered twice", io->id);
	oracle_check(w, !io->sent, "io %u is answered while it is on %s", io->id,
		     io->last_path->name);
	oracle_check(w, result->transport == TRANSPORT_OK,
		     "io %u is answered with a transport error", io->id);
	check_fence(w, io, "answered");
	oracle_check(w, io->io.cmd.class != CMD_ONCE || io->nr_executions <= 1,
		     "io %u was executed %u times", io->id, io->nr_executions);
	oracle_check(w, result->status != SAM_CHECK_CONDITION || result->sense_len,
		     "io %u: CHECK CONDITION without sense", io->id);
	oracle_check(w,
		     io->io.cmd.cdb[0] != 0x89 || !io->nr_executions || good ||
			     result->sense[2] != 0x0e,
		     "io %u: a false MISCOMPARE", io->id);
	oracle_check(w, good || tells_capacity(io) || may_fail(w, io),
		     "io %u fails (status %02x) though the map queues", io->id, result->status);
	io->answered_seq = ++w->seq;
	close_writes(w, io, good);
	if (good)
		check_good(w, io);
}

/* --- after each step --- */

static void check_waiting(struct world *w, struct sim_io *io)
{
	uint32_t limit_ms = w->backstore.cmd_time_out_ms;

	oracle_check(w, !w->shut_down, "io %u waits after SHUTDOWN", io->id);
	oracle_check(w, !limit_ms || w->now_ns < io->io.arrival_ns + limit_ms * NSEC_PER_MSEC,
		     "io %u waits, but the kernel has answered it", io->id);
	oracle_check(w, !io->tmr, "io %u waits after its abort", io->id);
}

void oracle_stepped(struct world *w)
{
	unsigned int i;

	while (w->oracle->first_out < w->nr_ios &&
	       w->ios[w->oracle->first_out].state == SIM_IO_ANSWERED)
		w->oracle->first_out++;
	for (i = w->oracle->first_out; i < w->nr_ios; i++) {
		struct sim_io *io = &w->ios[i];

		if (io->state != SIM_IO_OUT)
			continue;
		io->queueing_lapsed |= !queues(w) || (w->backstore.cmd_time_out_ms &&
						      w->now_ns >= deadline_ns(w, io));
		if (!io->sent && w->now_ns >= io->may_land_ns)
			check_waiting(w, io);
	}
}

void oracle_ended(struct world *w)
{
	unsigned int i;

	oracle_check(w, w->stopped, "the map does not stop");
	oracle_check(w, !w->nr_events, "something is still on its way");
	for (i = 0; i < w->nr_ios; i++)
		oracle_check(w, w->ios[i].state == SIM_IO_ANSWERED, "io %u was never answered", i);
	for (i = 0; i < w->nr_paths; i++) {
		const struct path *path = w->paths[i].path;

		oracle_check(w, !path || (!path->in_flight && list_empty(&path->flying)),
			     "%s still counts commands", w->paths[i].name);
		oracle_check(w, !w->paths[i].is_open, "%s is still open", w->paths[i].name);
	}
	oracle_check(w, !w->m->nr_ios && !w->m->nr_in_flight, "the map still counts commands");
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

	oracle_check(the_world, watch->in_flight == 0, "%d more starts than ends at the selector",
		     watch->in_flight);
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
