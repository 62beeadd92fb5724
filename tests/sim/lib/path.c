/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of the virtual world: what becomes of a command, an open, a count.
 */
#include "sim/lib/path.h"

#include <errno.h>
#include <string.h>

#include "core/registry.h"
#include "mpath/scsi.h"

/* A device that comes back is at the port where it was; a new one is in the first group. */
static unsigned int port_group_of(const struct sim_path *p)
{
	const struct world *w = p->w;
	unsigned int i;

	for (i = p->id; i-- > 0;)
		if (strcmp(w->paths[i].name, p->name) == 0)
			return w->paths[i].nexus.group;
	return w->luns[0].nr_groups ? 1 : 0;
}

/* Likewise; else paths of one group are at one controller. */
static unsigned int controller_of(const struct sim_path *p, unsigned int controller)
{
	const struct world *w = p->w;
	unsigned int i;

	for (i = p->id; i-- > 0;)
		if (strcmp(w->paths[i].name, p->name) == 0)
			return w->paths[i].nexus.controller;
	return controller % 2;
}

struct sim_path *sim_disk_of(struct sim_path *p)
{
	struct sim_path *first = p->w->paths;

	while (first != p && strcmp(first->name, p->name) != 0)
		first++;
	return first;
}

struct sim_path *sim_path_add(struct world *w, const char *address, unsigned int controller)
{
	struct sim_path *p = &w->paths[w->nr_paths];

	oracle_check(w, w->nr_paths < SIM_PATHS_MAX, "too many paths");
	p->w = w;
	list_init(&p->carried);
	p->id = w->nr_paths++;
	p->controller = controller;
	if (address[0] == '/')
		snprintf(p->name, sizeof(p->name), "8:%u", 16 * p->id);
	else
		snprintf(p->name, sizeof(p->name), "%s", address);
	snprintf(p->device, sizeof(p->device), "sd%c%c", p->id < 26 ? 'a' + (int)p->id : 'z',
		 p->id < 26 ? '\0' : 'a' + (int)p->id - 26);
	p->nexus = (struct sim_nexus){
		.lun = &w->luns[0], .nr_blocks = SIM_NR_BLOCKS, .block_size = SIM_BLOCK_SIZE};
	if (w->grown_to)
		p->nexus.nr_blocks = w->grown_to;
	p->nexus.group = port_group_of(p);
	p->nexus.controller = controller_of(p, controller);
	p->disk = sim_disk_of(p) == p ? ++w->nr_disks : sim_disk_of(p)->disk;
	p->nexus.port = (uint8_t)(p->id + 1);
	p->latency_ns = SIM_LATENCY;
	p->reset_latency_ns = SIM_LATENCY;
	p->session_latency_ns = SIM_LATENCY;
	p->open_latency_ns = SIM_LATENCY;
	p->queue_depth = 32;
	p->max_transfer_bytes = 1 << 20;
	return p;
}

struct sim_path *sim_path(struct world *w, const char *name)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (strcmp(w->paths[i].name, name) == 0)
			return &w->paths[i];
	fail_at(w, __FILE__, __LINE__, "no path %s in this world", name);
}

/* --- open, close, count --- */

void sim_path_begin_open(struct sim_path *p)
{
	oracle_check(p->w, !p->is_open && !p->opening, "%s is opened twice", p->name);
	p->opening = true;
	sim_event_add(p->w, SIM_OPENED, p, NULL,
		      p->open_hangs ? 0 : p->w->now_ns + p->open_latency_ns);
}

void sim_path_gone(struct world *w, struct sim_path *p)
{
	oracle_check(w, !p->is_open && !p->opening, "%s is gone, but it is open", p->name);
	oracle_check(w, list_empty(&p->carried), "%s is gone with commands on it", p->name);
	mpath_path_free(p->path);
	p->path = NULL;
	w->nr_gone++;
}

/* Whatever comes under its name is another one. */
static const char *disk_is_gone(struct sim_path *p)
{
	struct world *w = p->w;
	unsigned int i;

	w->nr_disks++;
	sim_disk_of(p)->nr_errors = 0;
	for (i = 0; i < w->nr_paths; i++)
		if (strcmp(w->paths[i].name, p->name) == 0)
			w->paths[i].disk = w->nr_disks;
	return "no such device";
}

/* As the counters show them, which are the disk's: the path may have left, and joined again. */
static int64_t foreign_now(struct sim_path *p)
{
	const struct sim_path *disk = sim_disk_of(p);

	if (p->blocked)
		return p->silent ? 0 : -EAGAIN;
	return p->w->now_ns < p->uncounted_until_ns ? 0 : disk->foreign - disk->hidden;
}

const char *sim_path_open(struct sim_path *p, struct path_facts *facts)
{
	int64_t foreign = foreign_now(p);

	p->opening = false;
	if (p->refused)
		return p->refused;
	if (p->mode == MODE_GONE)
		return disk_is_gone(p);
	*facts = (struct path_facts){
		.unstable_name = p->unstable_name,
		.read_only = p->read_only,
		.queue_depth = p->queue_depth,
		.max_transfer_bytes = p->max_transfer_bytes,
		.foreign = foreign < 0 ? 1 : (uint64_t)foreign, /* nobody can tell */
		.kept_back = foreign == -EAGAIN,
		.transit_ms = p->transit_ms,
		.disk = p->disk,
		.errors = sim_disk_of(p)->nr_errors,
		.has_sessions = p->session != 0,
	};
	memcpy(facts->name, p->name, sizeof(p->name));
	memcpy(facts->device, p->device, sizeof(p->device));
	if (p->w->longest_transit_ms < p->transit_ms)
		p->w->longest_transit_ms = p->transit_ms;
	p->is_open = true;
	p->errors_at_open = sim_disk_of(p)->nr_errors;
	p->nr_opens++;
	p->seen_blocked = facts->kept_back;
	return NULL;
}

void sim_path_begin_close(struct sim_path *p)
{
	unsigned int i;

	oracle_check(p->w, p->is_open, "%s is closed, but not open", p->name);
	for (i = 0; i < p->w->nr_events; i++)
		oracle_check(p->w, p->w->events[i].path != p || p->w->events[i].type == SIM_LATE,
			     "%s is closed while it is busy", p->name);
	p->is_open = false;
	p->seen_blocked = false;
	sim_event_add(p->w, SIM_CLOSED, p, NULL, p->w->now_ns + sim_work_ns(p->w));
}

void sim_path_close(struct sim_path *p)
{
	p->nr_closes++;
}

/* As in /sys: all commands of the device that are out, ours, a dead process's. */
static int64_t count_now(struct sim_path *p)
{
	int64_t n = foreign_now(p);
	unsigned int i;

	if (p->uncountable)
		return -ENODEV;
	if (p->blocked)
		return n;
	for (i = 0; i < p->w->nr_events; i++)
		n += p->w->events[i].path == p && p->w->events[i].io;
	return n;
}

/* The counters are read at some time between question and answer: now early, now late. */
void sim_path_begin_count(struct sim_path *p)
{
	int64_t outstanding = count_now(p);
	uint64_t errors = sim_disk_of(p)->nr_errors;
	struct sim_event *e;

	oracle_check(p->w, p->is_open, "%s is counted, but not open", p->name);
	e = sim_event_add(p->w, SIM_COUNTED, p, NULL, p->w->now_ns + SIM_LATENCY);
	e->outstanding = e->seq % 2 ? outstanding : INT64_MIN;
	e->errors = errors;
}

int64_t sim_path_count(struct sim_path *p, const struct sim_event *e, uint64_t *errors)
{
	bool is_late = e->outstanding == INT64_MIN;
	int64_t outstanding;

	*errors = (is_late ? sim_disk_of(p)->nr_errors : e->errors) - p->errors_at_open;
	outstanding = is_late ? count_now(p) : e->outstanding;
	if (outstanding < 0)
		*errors = e->seq; /* of the count before */
	if (outstanding == -EAGAIN) {
		p->seen_blocked = true;
		p->w->told_blocked_ns = p->w->now_ns;
	} else {
		p->w->let_go_unheard = false;
	}
	return outstanding;
}

/* --- LOGICAL UNIT RESET --- */

void sim_path_begin_reset(struct sim_path *p)
{
	struct sim_event *e;

	oracle_check(p->w, p->is_open, "a reset is sent down %s, which is not open", p->name);
	oracle_check(p->w, p->w->settings.fence == FENCE_LU_RESET, "a reset that nobody wanted");
	oracle_check(p->w, p->path->active && !p->path->suspect,
		     "a reset is sent down %s, which is not usable", p->name);
	p->nr_resets++;
	e = sim_event_add(p->w, SIM_RESET, p, NULL, p->w->now_ns + p->reset_latency_ns);
	e->sent_ns = p->w->now_ns;
}

/* What was with the target is aborted; its own nexus gets the command's answer, others a UA. */
int sim_path_reset(struct sim_path *p, uint64_t sent_ns)
{
	unsigned int i;

	if (p->reset_error)
		return p->reset_error;
	if (strcmp(p->nexus.lun->wwid, p->w->m->lun.wwid) == 0)
		oracle_reset(p->w, sent_ns);
	sim_reset_ends(p->w, p->nexus.lun, true);
	sim_late_reset_lun(p->w, p->nexus.lun, sent_ns);
	for (i = 0; i < p->w->nr_paths; i++)
		if (p->w->paths[i].nexus.lun == p->nexus.lun &&
		    p->w->paths[i].nexus.nr_uas < SIM_UAS_MAX)
			push_ua(&p->w->paths[i], 0x29, 0x03);
	return 0;
}

/* --- sessions --- */

void sim_path_begin_ask(struct sim_path *p)
{
	oracle_check(p->w, p->is_open, "%s is asked for its session, but not open", p->name);
	oracle_check(p->w, p->session, "%s is asked for its session, but has none", p->name);
	p->nr_asked++;
	sim_event_add(p->w, SIM_SESSION, p, NULL, p->w->now_ns + p->session_latency_ns)->sent_ns =
		p->path->session_sent_ns;
}

/* An answer is proof that there is one; whether it is the one in which a write was lost is another
 * question. */
uint64_t sim_path_session(struct sim_path *p, uint64_t sent_ns)
{
	if (p->session_unknown)
		return 0;
	oracle_new_session(p->w, p, sent_ns);
	sim_late_new_session(p);
	return p->session;
}

/* --- commands --- */

static enum sim_mode mode_for(struct sim_path *p, const struct mpath_io *io)
{
	if (io->is_probe)
		return p->mode;
	if (io->owner && ((struct sim_io *)io->owner)->poison && p->mode == MODE_UP)
		return MODE_FAULT;
	return p->io_mode != MODE_UP ? p->io_mode : p->mode;
}

static uint64_t due_ns(struct sim_path *p, const struct mpath_io *io)
{
	switch (mode_for(p, io)) {
	case MODE_HUNG:
		return 0;
	case MODE_TIMEOUT:
		return p->w->now_ns + io->cmd.timeout_ms * NSEC_PER_MSEC;
	default:
		return p->w->now_ns + p->latency_ns;
	}
}

static void execute(struct sim_path *p, struct mpath_io *io, struct scsi_result *result);

/* As sg does it (transports/sg_commands.c), which takes the step's time for a READ. */
static bool is_sent_too_late(const struct world *w, const struct mpath_io *io)
{
	if (io->is_probe || io->cmd.class == CMD_READ)
		return false;
	return (io->send_by_ns && w->now_ns >= io->send_by_ns) ||
	       w->now_ns - io->start_ns >= NSEC_PER_SEC;
}

/* Where the array is quick and the way back long, a command is done long before it is answered. */
static void run_early(struct sim_path *p, struct sim_event *e)
{
	if (!p->w->runs_early || e->too_late || mode_for(p, e->io) != MODE_UP ||
	    !p->w->runs_early(p->w))
		return;
	sim_path_run(p, e);
	p->w->counts.early_runs++;
}

void sim_path_run(struct sim_path *p, struct sim_event *e)
{
	if (e->too_late || mode_for(p, e->io) != MODE_UP)
		return;
	e->executed = true;
	execute(p, e->io, &e->result);
}

void sim_path_submit(struct sim_path *p, struct mpath_io *io)
{
	bool too_late = is_sent_too_late(p->w, io);
	uint64_t due = too_late ? p->w->now_ns + SIM_LATENCY : due_ns(p, io);
	struct sim_event *e;

	oracle_check(p->w, !sim_event_of(p->w, io), "a command is started twice");
	oracle_check(p->w, io->cmd.cdb_len, "a command without a CDB is started");
	if (due && p->w->jitter_ns)
		due += p->w->jitter_ns(p);
	if (io->is_probe) {
		p->nr_probes++;
		oracle_probed(p->w, p);
	} else {
		oracle_started(p->w, io, p, too_late);
		p->nr_out++;
		if (p->nr_out > p->max_out)
			p->max_out = p->nr_out;
	}
	list_push_back(&p->carried, &io->node);
	e = sim_event_add(p->w, SIM_COMMAND, p, io, due);
	e->sent_ns = p->w->now_ns;
	e->too_late = too_late;
	p->w->counts.too_late += too_late;
	run_early(p, e);
}

static bool is_read_or_write(const struct mpath_io *io)
{
	return !io->is_probe && io->cmd.data_len &&
	       (io->cmd.cdb[0] == 0x28 || io->cmd.cdb[0] == 0x2a);
}

/*
 * Only so many bytes are transferred, of a WRITE whole blocks: @cmd is made to be about these.  How
 * many are missing.
 */
static uint32_t cut_short(struct sim_path *p, struct scsi_cmd *cmd)
{
	uint32_t all = (uint32_t)cmd->data_len, part = p->short_of < all ? p->short_of : all;
	struct sim_counts *counts = &p->w->counts;

	p->short_left--;
	if (cmd->dir == SCSI_DATA_OUT)
		part -= part % SIM_BLOCK_SIZE;
	cmd->cdb[8] = (uint8_t)((part + SIM_BLOCK_SIZE - 1) / SIM_BLOCK_SIZE);
	if (!part)
		counts->short_answers++;
	else if (part == all)
		counts->warnings += p->short_warns;
	else if (cmd->dir == SCSI_DATA_OUT)
		counts->part_writes++;
	else
		counts->part_reads++;
	return all - part;
}

static void say_short(const struct sim_path *p, struct scsi_result *result, uint32_t missing)
{
	*result = (struct scsi_result){0};
	if (p->short_warns)
		sim_check_condition(result, 0, 0x01, 0x17, 0x00);
	result->residual = missing;
}

/* The target carries the command out, if it does not object. */
static void execute(struct sim_path *p, struct mpath_io *io, struct scsi_result *result)
{
	bool changed, is_short = p->short_left && is_read_or_write(io);
	unsigned int nr_uas = p->nexus.nr_uas;
	struct scsi_cmd cmd = io->cmd;
	uint32_t missing = 0;

	if (io->is_probe && p->busy && io->cmd.cdb[0] == p->busy_opcode) {
		p->busy--;
		p->w->counts.busy_probes++;
		*result = (struct scsi_result){.status = p->busy_status ? p->busy_status : SAM_BUSY,
					       .residual = (uint32_t)io->cmd.data_len};
		return;
	}
	if (p->write_protected && !io->is_probe && io->cmd.class != CMD_READ) {
		sim_check_condition(result, io->cmd.data_len, 0x07, 0x27, 0x00);
		return;
	}
	if (is_short) {
		missing = cut_short(p, &cmd);
		if (missing == cmd.data_len) {
			say_short(p, result, missing);
			return;
		}
	}
	changed = sim_execute(&p->nexus, &cmd, result);

	p->w->counts.fetched += io->cmd.cdb[0] == 0x03 && nr_uas > p->nexus.nr_uas;
	p->w->counts.unit_attentions += nr_uas - p->nexus.nr_uas;
	if (!io->is_probe && changed) {
		tell(p->w, "io %u is carried out through %s%s", ((struct sim_io *)io->owner)->id,
		     p->name, missing ? ", in part" : "");
		((struct sim_io *)io->owner)->nr_executions += !missing;
		((struct sim_io *)io->owner)->copied = p->nexus.lun->copied;
		oracle_check(p->w, strcmp(p->nexus.lun->wwid, mpath_lun(p->w->m)->wwid) == 0,
			     "a write went to another LUN");
	}
	if (!io->is_probe && io->cmd.dir == SCSI_DATA_IN && result->status == SAM_GOOD &&
	    io->cmd.medium)
		oracle_check(p->w, strcmp(p->nexus.lun->wwid, mpath_lun(p->w->m)->wwid) == 0,
			     "data of another LUN was read");
	if (is_short && scsi_result_is_good(result))
		say_short(p, result, missing);
}

/* Before its fence; without one only what nobody will repeat lands late. */
static uint64_t later_ns(struct sim_path *p, const struct sim_io *io)
{
	struct world *w = p->w;
	uint64_t later = w->lands_later_ns ? w->lands_later_ns(w, &io->io.cmd) : 0;

	if (!later || w->settings.fence == FENCE_NONE)
		return later;
	return io->may_land_ns > w->now_ns + 1 ? 1 + later % (io->may_land_ns - w->now_ns - 1) : 0;
}

/* What the transport says is one thing; the array may do as it was told now, later, or never. */
static void land_or_not(struct sim_path *p, struct mpath_io *io)
{
	struct world *w = p->w;
	bool lands = w->coin ? w->coin(w) : p->lands;
	struct scsi_result ignored;
	uint64_t later;

	if (io->is_probe || io->cmd.dir == SCSI_DATA_IN)
		return;
	if (lands) {
		execute(p, io, &ignored);
		return;
	}
	later = later_ns(p, io->owner);
	if (later)
		sim_late_copy(p, io, w->now_ns + later);
}

/* An orphan within its time-out and 30 s; had the kernel one for longer, then until now. */
static uint64_t kernel_gives_up_ns(const struct sim_path *p, const struct mpath_io *io,
				   enum transport_error error)
{
	uint64_t has_it_ns = io->sent_ns;
	uint64_t at = has_it_ns + (io->cmd.timeout_ms + 30000) * NSEC_PER_MSEC;

	return error == TRANSPORT_ORPHANED && at > p->w->now_ns ? at : p->w->now_ns;
}

static void in_doubt(struct sim_path *p, struct mpath_io *io, enum transport_error error,
		     bool executed)
{
	if (!io->is_probe && io->owner) {
		((struct sim_io *)io->owner)->nr_doubts++;
		oracle_lost(p->w, io->owner, p, kernel_gives_up_ns(p, io, error),
			    error == TRANSPORT_LOST);
	}
	if (!executed)
		land_or_not(p, io);
	io->result =
		(struct scsi_result){.transport = error, .residual = (uint32_t)io->cmd.data_len};
}

static void not_sent(struct mpath_io *io, enum transport_error error)
{
	io->result =
		(struct scsi_result){.transport = error, .residual = (uint32_t)io->cmd.data_len};
}

/* The port is alive, but passive: it answers who it is, but lets nobody at the medium. */
static void port_state(struct sim_path *p, struct mpath_io *io, uint8_t ascq)
{
	if (io->cmd.cdb[0] == 0x12)
		execute(p, io, &io->result);
	else
		sim_check_condition(&io->result, io->cmd.data_len, 0x02, 0x04, ascq);
}

/* The LUN knows who it is and takes START STOP UNIT, but has no medium. */
static void stopped(struct sim_path *p, struct mpath_io *io)
{
	if (io->cmd.cdb[0] == 0x1b)
		io->result = (struct scsi_result){.status = SAM_GOOD};
	else if (io->cmd.cdb[0] == 0x00 || io->cmd.medium)
		sim_check_condition(&io->result, io->cmd.data_len, 0x02, 0x04, 0x02);
	else
		execute(p, io, &io->result);
}

static void lun_gone(struct sim_path *p, struct mpath_io *io)
{
	uint8_t type = p->nexus.device_type;

	if (io->cmd.cdb[0] == 0x12 && !(io->cmd.cdb[1] & 1)) {
		p->nexus.device_type = 0x7f;
		execute(p, io, &io->result);
		p->nexus.device_type = type;
		return;
	}
	sim_check_condition(&io->result, io->cmd.data_len, 0x05, 0x25, 0x00);
}

/* As the test has it.  RECOVERED ERROR comes with all of the data, if no residual says otherwise.
 */
static void answer(struct sim_path *p, struct mpath_io *io)
{
	struct scsi_sense sense;

	if (scsi_result_sense(&p->answer, &sense) && sense.key == 0x01 && !sense.deferred) {
		if (!p->answer.residual)
			execute(p, io, &io->result);
		io->result = p->answer;
		return;
	}
	io->result = p->answer;
	io->result.residual = (uint32_t)io->cmd.data_len;
}

/* What was carried out already cannot be answered with "not ready", or "never sent". */
static enum sim_mode mode_at_the_end(struct sim_path *p, const struct sim_event *e)
{
	enum sim_mode mode = mode_for(p, e->io);

	if (!e->executed || mode == MODE_LOST || mode == MODE_FAULT || mode == MODE_TIMEOUT ||
	    mode == MODE_ORPHANED)
		return mode;
	return mode == MODE_GONE || mode == MODE_NOT_SENT ? MODE_LOST : MODE_UP;
}

static void bring_result(struct sim_path *p, const struct sim_event *e)
{
	struct mpath_io *io = e->io;

	if (e->too_late) {
		not_sent(io, TRANSPORT_BUSY);
		return;
	}
	if (e->swallowed) {
		in_doubt(p, io, TRANSPORT_TIMEOUT, true);
		return;
	}
	switch (mode_at_the_end(p, e)) {
	case MODE_UP:
	case MODE_HUNG: /* set while the answer was on its way */
		if (e->executed)
			io->result = e->result;
		else
			execute(p, io, &io->result);
		return;
	case MODE_LOST:
		in_doubt(p, io, TRANSPORT_LOST, e->executed);
		return;
	case MODE_ORPHANED:
		io->sent_ns = e->sent_ns + p->write_sleeps_ns;
		in_doubt(p, io, TRANSPORT_ORPHANED, e->executed);
		return;
	case MODE_FAULT:
		in_doubt(p, io, TRANSPORT_FAULT, e->executed);
		return;
	case MODE_TIMEOUT:
		in_doubt(p, io, TRANSPORT_TIMEOUT, e->executed);
		return;
	case MODE_NOT_SENT:
		not_sent(io, TRANSPORT_NOT_SENT);
		return;
	case MODE_GONE:
		not_sent(io, TRANSPORT_GONE);
		return;
	case MODE_LOCAL_BUSY:
		not_sent(io, TRANSPORT_BUSY);
		return;
	case MODE_REFUSED:
		not_sent(io, TRANSPORT_REFUSED);
		return;
	case MODE_STANDBY:
		port_state(p, io, 0x0b);
		return;
	case MODE_UNAVAILABLE:
		port_state(p, io, 0x0c);
		return;
	case MODE_TRANSITIONING:
		port_state(p, io, 0x0a);
		return;
	case MODE_STOPPED:
		stopped(p, io);
		return;
	case MODE_LUN_GONE:
		lun_gone(p, io);
		return;
	case MODE_ANSWER:
		answer(p, io);
		return;
	}
}

static void leave_rubbish(const struct scsi_cmd *cmd)
{
	for (size_t i = 0; i < cmd->iov_cnt; i++)
		memset(cmd->iov[i].iov_base, 0xa5, cmd->iov[i].iov_len);
}

/*
 * As sg leaves it: behind the sense there is what was there before; of what was not done the driver
 * says that nothing is missing, or something, and what is in the buffers is no data.
 */
static void carry(struct sim_path *p, const struct sim_event *e)
{
	static const uint32_t halves[] = {0, 1, 2}; /* of the data, that are missing */
	struct mpath_io *io = e->io;
	struct scsi_result *result = &io->result;

	*result = (struct scsi_result){0};
	bring_result(p, e);
	memset(result->sense + result->sense_len, 0xa5, SCSI_SENSE_MAX - result->sense_len);
	if (scsi_is_done(result) || transport_never_sent(result->transport))
		return;
	if (io->cmd.dir == SCSI_DATA_IN && e->seq % 2)
		leave_rubbish(&io->cmd);
	if (result->transport == TRANSPORT_OK)
		result->residual = (uint32_t)io->cmd.data_len / 2 * halves[e->seq % 3];
}

/* An answer after which the command, not the path, may be at fault. */
static bool is_fault(const struct scsi_result *result)
{
	switch (result->transport) {
	case TRANSPORT_OK:
		return result->status != SAM_GOOD;
	case TRANSPORT_BUSY:
	case TRANSPORT_REFUSED:
	case TRANSPORT_TIMEOUT:
	case TRANSPORT_FAULT:
		return true;
	case TRANSPORT_NOT_SENT:
	case TRANSPORT_GONE:
	case TRANSPORT_LOST:
	case TRANSPORT_ORPHANED:
		return false;
	}
	return true;
}

/* GOOD, but it has not taken all that the initiator sent, or has sent nothing. */
static bool was_short(const struct mpath_io *io)
{
	if (!scsi_result_is_good(&io->result) || !io->cmd.data_len)
		return false;
	return io->cmd.dir == SCSI_DATA_OUT ? io->result.residual
					    : io->result.residual == io->cmd.data_len;
}

static void sim_io_is_back(struct sim_io *sio, const struct mpath_io *io)
{
	sio->sent--;
	sio->nr_legs -= io->is_internal;
}

/* What was never sent the disk has not heard of. */
static bool is_counted_error(const struct scsi_result *result)
{
	return !scsi_result_is_good(result) && !transport_never_sent(result->transport);
}

void sim_path_answer(struct sim_path *p, const struct sim_event *e)
{
	struct mpath_io *io = e->io;
	struct sim_io *sio = io->owner;

	carry(p, e);
	if (io->result.transport == TRANSPORT_OK && io->start_ns > p->heard_sent_ns)
		p->heard_sent_ns = io->start_ns;
	oracle_told(p->w, p, io);
	list_del(&io->node);
	sim_disk_of(p)->nr_errors += is_counted_error(&io->result);
	if (io->is_probe)
		return;
	if (p->io_mode != MODE_UP && p->io_left && --p->io_left == 0)
		p->io_mode = MODE_UP;
	p->nr_out--;
	if (!sio)
		return; /* a leg that nobody waits for */
	sio->nr_faults += is_fault(&io->result) || was_short(io);
	sim_io_is_back(sio, io);
}

/*
 * Until now its answer may have come in, whole or in part: what it has left in the buffers is to
 * be taken for rubbish.
 */
void sim_path_let_go(struct sim_path *p, struct mpath_io *io)
{
	if (io->is_probe)
		return;
	if (io->cmd.dir == SCSI_DATA_IN) {
		leave_rubbish(&io->cmd);
		p->w->counts.late_answers++;
	}
	p->nr_out--;
	if (io->owner)
		sim_io_is_back(io->owner, io);
}

/* --- what a test sets --- */

/* Commands that are out hear of it a moment later. */
static void share_fate(struct sim_path *p)
{
	struct world *w = p->w;
	unsigned int i;

	for (i = 0; i < w->nr_events; i++) {
		struct sim_event *e = &w->events[i];

		if (e->path == p && e->type == SIM_COMMAND && !e->swallowed && !e->too_late)
			e->due_ns = due_ns(p, e->io);
		if (e->path == p && e->type == SIM_OPENED && !e->due_ns && !p->open_hangs)
			e->due_ns = w->now_ns + SIM_LATENCY;
	}
}

void set_mode(struct sim_path *p, enum sim_mode mode)
{
	p->mode = mode;
	share_fate(p);
}

void set_io_mode(struct sim_path *p, enum sim_mode mode, unsigned int count)
{
	p->io_mode = mode;
	p->io_left = count;
	share_fate(p);
}

void answer_with(struct sim_path *p, const struct scsi_result *answer, unsigned int count)
{
	p->answer = *answer;
	p->io_mode = MODE_ANSWER;
	p->io_left = count;
}

void answer_with_status(struct sim_path *p, uint8_t status, unsigned int count)
{
	answer_with(p, &(struct scsi_result){.status = status}, count);
}

void answer_with_sense(struct sim_path *p, uint8_t key, uint8_t asc, uint8_t ascq,
		       unsigned int count)
{
	struct scsi_result answer;

	sim_check_condition(&answer, 0, key, asc, ascq);
	answer_with(p, &answer, count);
}

void push_ua(struct sim_path *p, uint8_t asc, uint8_t ascq)
{
	oracle_check(p->w, p->nexus.nr_uas < SIM_UAS_MAX, "too many unit attentions");
	p->nexus.uas[p->nexus.nr_uas++] = (uint16_t)(asc << 8 | ascq);
}

void push_deferred(struct sim_path *p, uint8_t key, uint8_t asc, uint8_t ascq)
{
	memcpy(p->nexus.deferred, (uint8_t[]){key, asc, ascq}, 3);
	p->nexus.nr_deferred = 1;
}

void give_port_groups(struct world *w, uint8_t tpgs, unsigned int paths_per_group)
{
	unsigned int nr_groups = (w->nr_paths + paths_per_group - 1) / paths_per_group;
	unsigned int i, nr;

	oracle_check(w, nr_groups <= SIM_GROUPS_MAX, "too many port groups");
	for (i = 0; i < SIM_LUNS_MAX; i++) {
		w->luns[i].tpgs = tpgs;
		w->luns[i].nr_groups = nr_groups;
		for (nr = 0; nr < nr_groups; nr++)
			w->luns[i].groups[nr] = (struct sim_port_group){
				.id = (uint16_t)(nr + 1),
				.state = nr ? ALUA_STANDBY : ALUA_OPTIMIZED,
			};
	}
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.group = i / paths_per_group + 1;
}

void mix_port_groups(struct world *w, uint8_t tpgs)
{
	give_port_groups(w, tpgs, 2);
	sim_path(w, "8:0")->nexus.group = 2;
	sim_path(w, "8:16")->nexus.group = 1;
	sim_path(w, "8:32")->nexus.group = 2;
	sim_path(w, "8:48")->nexus.group = 1;
	set_port_group(w, 2, ALUA_NON_OPTIMIZED, false);
}

void give_controllers(struct world *w, enum sim_make make)
{
	static const char *const checkers[] = {
		[MAKE_SIM] = "tur",
		[MAKE_EMC] = "emc_clariion",
		[MAKE_RDAC] = "rdac",
		[MAKE_HP_SW] = "hp_sw",
	};
	unsigned int i;

	for (i = 0; i < SIM_LUNS_MAX; i++) {
		w->luns[i].make = make;
		w->luns[i].is_shy = make != MAKE_EMC;
	}
	w->settings.checker = path_checker_find(checkers[make]);
}

void set_port_group(struct world *w, unsigned int group, uint8_t state, bool ua)
{
	unsigned int i;

	w->luns[0].groups[group - 1].state = state;
	for (i = 0; ua && i < w->nr_paths; i++)
		if (w->paths[i].nexus.nr_uas < 4)
			push_ua(&w->paths[i], 0x2a, 0x06);
}

void set_controller_mode(struct world *w, unsigned int controller, enum sim_mode mode)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].controller == controller)
			set_mode(&w->paths[i], mode);
}

void lose_power(struct world *w)
{
	unsigned int i;

	tell(w, "the array loses power");
	w->counts.power_losses++;
	for (i = 0; i < SIM_LUNS_MAX; i++)
		sim_lose_power(&w->luns[i]);
	oracle_power_lost(w);
	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].nexus.nr_uas < SIM_UAS_MAX)
			push_ua(&w->paths[i], 0x29, 0x01);
}

void exchange_lun_saying(struct sim_path *p, unsigned int number, uint8_t asc, uint8_t ascq)
{
	p->nexus.lun = &p->w->luns[number];
	push_ua(p, asc, ascq);
}

void exchange_lun(struct sim_path *p, unsigned int number)
{
	exchange_lun_saying(p, number, 0x3f, 0x0e);
}
