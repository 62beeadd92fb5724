/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a command that meets faults: each fault of dm-multipath.md A5 and F34 alone, each
 * pair of them, and each without end; for commands of every class, on maps that queue and on maps
 * that do not, with a fence and without.  One such combination is a cell.
 *
 * What must come of a cell follows from the rows of its faults, which are written from SAM, SPC
 * and the design (D9, D10) and not from the core: see foresee().
 *
 *   sim_matrix		all cells
 *   sim_matrix CELL	that one, with all that happens in it
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define NR(table) (sizeof(table) / sizeof((table)[0]))

#define PATH_TIMEOUT_MS 200
#define FENCE_MS	300
#define ORPHANED_MS	30000  /* after its time-out, until the kernel gives a command up */
#define RETRIED_MS	6000   /* on the same path, at the most (handler/README.md: 5 s) */
#define SHORT_MS	31000  /* of something in this host: at the most */
#define STRAIGHT_MS	100    /* what needs no waiting at all */
#define TRIES_MAX	40     /* a command's budget (D10) */
#define CHECKED_MS	300000 /* all paths: what has failed comes back when all is well again */

/* --- faults --- */

/* D10: whose fault is it, and where does the command go? */
enum follows {
	UP,	    /* the target's word: to the initiator, to the bit; the path stays */
	AGAIN,	    /* it asks for patience: the same path again, bounded; then its word goes up */
	PROVE,	    /* likewise, and the path must prove that it is still our LUN (D8) */
	SHORT,	    /* the data was not taken, or not sent: as AGAIN, but its word never goes up */
	ELSEWHERE,  /* the path has failed */
	DOUBT,	    /* the path's or the command's: a probe tells, the command goes elsewhere */
	TRANSITION, /* the port group changes its state: elsewhere, or wait for it */
	SHORTAGE,   /* of something in this host: nobody's, again shortly */
	CANNOT,	    /* this path's host cannot carry it: perhaps another one's can */
};

enum scope {
	ONE,   /* this command only: a probe finds the path well */
	WHOLE, /* all on this path, probes too, until all is well again */
};

struct fault {
	const char *name;
	enum follows follows;
	bool may_have_run; /* the command, at the target (D9) */
	enum sim_mode mode;
	enum scope scope;
	bool lands; /* what ends in doubt was carried out */

	/* what the target says */
	uint8_t status;
	uint8_t code; /* of the sense: fixed (70h), deferred (71h), descriptors (72h); 0: none */
	uint8_t key, asc, ascq;
};

#define RUN  true
#define IDLE false

#define SENSE(c, k, a, q)                                                                          \
	.status = SAM_CHECK_CONDITION, .code = (c), .key = (k), .asc = (a), .ascq = (q)
#define STATUS(s)	    .mode = MODE_ANSWER, .status = (s)
#define FIXED(k, a, q)	    .mode = MODE_ANSWER, SENSE(0x70, k, a, q)
#define DEFERRED(k, a, q)   .mode = MODE_ANSWER, SENSE(0x71, k, a, q)
#define DESCRIPTOR(k, a, q) .mode = MODE_ANSWER, SENSE(0x72, k, a, q)

/* clang-format off */
static const struct fault faults[] = {
	/* What the target answers is not the path's fault (D10), H6. */
	{"reservation conflict",   UP, RUN, STATUS(SAM_RESERVATION_CONFLICT)},
	{"aca active",             UP, RUN, STATUS(SAM_ACA_ACTIVE)},
	{"task aborted",           UP, RUN, STATUS(SAM_TASK_ABORTED)},
	{"condition met",          UP, RUN, STATUS(SAM_CONDITION_MET)},
	{"unrecovered read error", UP, RUN, FIXED(0x03, 0x11, 0x00)},
	{"no address mark",        UP, RUN, FIXED(0x03, 0x13, 0x00)},
	{"no record",              UP, RUN, DESCRIPTOR(0x03, 0x14, 0x01)},
	{"deferred error",         UP, IDLE, DEFERRED(0x03, 0x0c, 0x00)},
	{"hardware error",         UP, RUN, FIXED(0x04, 0x44, 0x00)},
	{"invalid opcode",         UP, RUN, FIXED(0x05, 0x20, 0x00)},
	{"out of range",           UP, RUN, DESCRIPTOR(0x05, 0x21, 0x00)},
	{"invalid field",          UP, RUN, FIXED(0x05, 0x24, 0x00)},
	{"invalid parameter",      UP, RUN, FIXED(0x05, 0x26, 0x00)},
	{"write protected",        UP, RUN, FIXED(0x05, 0x27, 0x00)},
	{"invalid length",         UP, RUN, FIXED(0x05, 0x1a, 0x00)},
	{"sequence error",         UP, RUN, FIXED(0x05, 0x2c, 0x00)},
	{"target is full",         UP, RUN, FIXED(0x07, 0x27, 0x07)},
	{"data protect",           UP, RUN, FIXED(0x07, 0x27, 0x00)},
	{"blank check",            UP, RUN, FIXED(0x08, 0x00, 0x00)},
	{"copy aborted",           UP, RUN, FIXED(0x0a, 0x0d, 0x02)},
	{"volume overflow",        UP, RUN, FIXED(0x0d, 0x00, 0x00)},
	{"miscompare",             UP, RUN, FIXED(0x0e, 0x1d, 0x00)},
	{"protection error",       UP, RUN, FIXED(0x0b, 0x10, 0x01)},
	{"duration limit",         UP, RUN, FIXED(0x0b, 0x2e, 0x01)},
	{"no medium",              UP, RUN, FIXED(0x02, 0x3a, 0x00)},
	{"needs START UNIT",       UP, RUN, FIXED(0x02, 0x04, 0x02)},
	/* F32: what initiators must hear of */
	{"mode pages changed",     UP, IDLE, FIXED(0x06, 0x2a, 0x01)},
	{"reservation preempted",  UP, IDLE, DESCRIPTOR(0x06, 0x2a, 0x03)},

	{"busy",                   AGAIN, IDLE, STATUS(SAM_BUSY)},
	{"task set full",          AGAIN, IDLE, STATUS(SAM_TASK_SET_FULL)},
	{"becoming ready",         AGAIN, IDLE, FIXED(0x02, 0x04, 0x01)},
	{"reset by somebody",      AGAIN, IDLE, FIXED(0x06, 0x29, 0x03)},
	{"port states changed",    AGAIN, IDLE, FIXED(0x06, 0x2a, 0x06)},
	{"transition failed",      AGAIN, IDLE, FIXED(0x06, 0x2a, 0x07)},
	{"aborted command",        AGAIN, RUN, FIXED(0x0b, 0x44, 0x00)},
	{"medium error",           AGAIN, RUN, FIXED(0x03, 0x0c, 0x00)},
	{"no data",                SHORT, RUN, STATUS(SAM_GOOD)},
	{"reset",                  PROVE, IDLE, FIXED(0x06, 0x29, 0x00)},
	{"nexus lost",             PROVE, IDLE, DESCRIPTOR(0x06, 0x29, 0x07)},
	{"INQUIRY data changed",   PROVE, IDLE, FIXED(0x06, 0x3f, 0x03)},
	{"LUN list changed",       PROVE, IDLE, FIXED(0x06, 0x3f, 0x0e)},

	/* A5, B2, B3: senses of the path */
	{"standby",                ELSEWHERE, IDLE, FIXED(0x02, 0x04, 0x0b)},
	{"unavailable",            ELSEWHERE, IDLE, DESCRIPTOR(0x02, 0x04, 0x0c)},
	{"offline",                ELSEWHERE, IDLE, FIXED(0x02, 0x04, 0x12)},
	{"not the owner",          ELSEWHERE, IDLE, FIXED(0x05, 0x94, 0x01)},
	{"no such LUN, once",      DOUBT, IDLE, FIXED(0x05, 0x25, 0x00)},
	{"no such LUN",            DOUBT, IDLE, .mode = MODE_LUN_GONE, .scope = WHOLE, SENSE(0x70, 0x05, 0x25, 0x00)},
	{"in transition, once",    TRANSITION, IDLE, FIXED(0x02, 0x04, 0x0a)},
	{"in transition, a UA",    TRANSITION, IDLE, FIXED(0x06, 0x04, 0x0a)},
	{"in transition",          TRANSITION, IDLE, .mode = MODE_TRANSITIONING, .scope = WHOLE, SENSE(0x70, 0x02, 0x04, 0x0a)},

	/* No answer, and what that proves: H10. */
	{"not sent",               ELSEWHERE, IDLE, .mode = MODE_NOT_SENT, .scope = WHOLE},
	{"device gone",            ELSEWHERE, IDLE, .mode = MODE_GONE, .scope = WHOLE},
	{"lost",                   ELSEWHERE, RUN, .mode = MODE_LOST, .scope = WHOLE},
	{"done and lost",          ELSEWHERE, RUN, .mode = MODE_LOST, .scope = WHOLE, .lands = true},
	{"lost, once",             ELSEWHERE, RUN, .mode = MODE_LOST},
	{"orphaned",               ELSEWHERE, RUN, .mode = MODE_ORPHANED},
	{"time-out",               DOUBT, RUN, .mode = MODE_TIMEOUT},
	{"done, and a time-out",   DOUBT, RUN, .mode = MODE_TIMEOUT, .lands = true},
	{"adapter error",          DOUBT, RUN, .mode = MODE_FAULT},
	{"done, and an adapter error", DOUBT, RUN, .mode = MODE_FAULT, .lands = true},
	{"dead adapter",           DOUBT, RUN, .mode = MODE_FAULT, .scope = WHOLE},
	{"refused by the host",    CANNOT, IDLE, .mode = MODE_REFUSED},
	{"shortage",               SHORTAGE, IDLE, .mode = MODE_LOCAL_BUSY},
};
/* clang-format on */

static bool is_word(const struct fault *fault)
{
	return fault->mode == MODE_ANSWER || fault->code;
}

/* The target may still carry it out, or has done so. */
static bool leaves_a_copy(const struct fault *fault)
{
	return fault->may_have_run && !is_word(fault);
}

static struct scsi_result word_of(const struct fault *fault)
{
	struct scsi_result word = {.status = fault->status};

	if (!fault->code)
		return word;
	if (fault->code == 0x72) {
		word.sense_len = 20; /* with an information descriptor */
		memcpy(word.sense, (uint8_t[]){0x72, fault->key, fault->asc, fault->ascq}, 4);
		memcpy(word.sense + 7, (uint8_t[]){12, 0x00, 0x0a, 0x80, 0, 1, 2, 3}, 8);
	} else {
		sim_check_condition(&word, 0, fault->key, fault->asc, fault->ascq);
		word.sense[0] = fault->code;
		if (fault->scope == ONE)
			memcpy(word.sense + 3, (uint8_t[]){1, 2, 3, 4}, 4); /* information */
		word.status = fault->status;
	}
	return word;
}

/* --- commands, maps, cells --- */

static struct sim_io *read_block(struct world *w)
{
	return submit_read(w, 0, 1);
}

static struct sim_io *write_block(struct world *w)
{
	return submit_write(w, 0, 1);
}

static struct sim_io *compare_and_write(struct world *w)
{
	return submit_caw(w, 0, 0);
}

static struct sim_io *reserve(struct world *w)
{
	return submit_pr_out(w);
}

static struct sim_io *synchronize_cache(struct world *w)
{
	return submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
}

static struct sim_io *test_unit_ready(struct world *w)
{
	return submit_tur(w);
}

/* clang-format off */
static const struct command {
	const char *name;
	struct sim_io *(*submit)(struct world *w);
	enum cmd_class class; /* D9 */
	bool medium;	      /* only these queue (D15) */
	bool leaves_a_trace;  /* in the array, which counts it */
	uint32_t timeout_ms;
} commands[] = {
	{"READ", read_block, CMD_READ, true, false, PATH_TIMEOUT_MS},
	{"WRITE", write_block, CMD_IDEMPOTENT, true, true, PATH_TIMEOUT_MS},
	{"COMPARE AND WRITE", compare_and_write, CMD_ONCE, true, true, PATH_TIMEOUT_MS},
	{"PERSISTENT RESERVE OUT", reserve, CMD_ONCE, false, true, PATH_TIMEOUT_MS},
	{"SYNCHRONIZE CACHE", synchronize_cache, CMD_READ, true, true, 120000},
	{"TEST UNIT READY", test_unit_ready, CMD_READ, false, false, PATH_TIMEOUT_MS},
};
/* clang-format on */

static const struct map {
	const char *name;
	const char *table;
	bool queues;
	enum fence_kind fence;
} maps[] = {
	{"queueing", QUEUE TWO_PATHS, true, FENCE_NONE},
	{"queueing, with a fence", QUEUE TWO_PATHS, true, FENCE_TIME},
	{"not queueing", FAIL TWO_PATHS, false, FENCE_NONE},
	{"not queueing, with a fence", FAIL TWO_PATHS, false, FENCE_TIME},
};

struct cell {
	const struct command *command;
	const struct map *map;
	const struct fault *first, *second; /* second NULL: it is well then */
	bool for_ever;			    /* the first one, each time */
};

/* What the command meets at its @nr-th try; NULL: nothing. */
static const struct fault *fault_at(const struct cell *cell, unsigned int nr)
{
	if (nr == 0 || cell->for_ever)
		return cell->first;
	return nr == 1 ? cell->second : NULL;
}

/* --- what must come of it --- */

struct way {
	bool failed; /* until all is well again */
	bool no_lun; /* because of that */
	bool moving; /* its port group changes its state, until all is well again */
	bool tried;  /* by this command in vain, though it has not failed */
};

struct future {
	const struct cell *cell;
	struct way way[2]; /* the path that is used first, the other one */
	unsigned int at;

	struct scsi_result answer;
	bool waits;		    /* for it until all is well again */
	unsigned int tries;	    /* but for those without end */
	unsigned int executed;	    /* by the array */
	unsigned int failed[2];	    /* how often the path has */
	uint64_t least_ms, most_ms; /* until the answer, if it does not wait */
};

static void answered_by_us(struct future *f, uint8_t key, uint8_t asc, uint8_t ascq)
{
	sim_check_condition(&f->answer, 0, key, asc, ascq);
}

/* handler/README.md, "Our own answers": the target's last word is better than ours. */
static void fails(struct future *f, const struct fault *last)
{
	if (last->follows == SHORT)
		answered_by_us(f, 0x04, 0x08, 0x00);
	else if (is_word(last))
		f->answer = word_of(last);
	else if (!f->way[0].tried)
		answered_by_us(f, 0x02, 0x08, 0x00);
	else if (last->follows == CANNOT)
		answered_by_us(f, 0x05, 0x24, 0x00);
	else
		answered_by_us(f, 0x04, 0x08, 0x00);
}

/* H4, H10: what may still land is neither repeated nor answered, unless it changes nothing. */
static void add_time(struct future *f, const struct fault *fault)
{
	const struct command *command = f->cell->command;
	uint64_t ms = fault->mode == MODE_TIMEOUT ? command->timeout_ms : 0;

	if (leaves_a_copy(fault) && command->class != CMD_READ &&
	    f->cell->map->fence == FENCE_TIME) {
		ms += FENCE_MS;
		if (fault->mode == MODE_ORPHANED) /* counts from when it was sent, 1 ms ago */
			ms += command->timeout_ms + ORPHANED_MS - 1;
	}
	f->least_ms += ms;
	f->most_ms += ms;
}

/* F3: where the array has the initiators' reservations, they must hear what ends these. */
static bool ends_reservations(const struct fault *fault)
{
	return fault->key == 0x06 && fault->asc == 0x29;
}

static bool is_about_reservations(const struct command *command)
{
	return command->submit == reserve;
}

/* A cache that could not be written out need not be so a second time, though the writes are lost.
 */
static bool tells_of_lost_writes(const struct command *command, const struct fault *fault)
{
	bool aborted = fault->key == 0x0b && (fault->asc == 0x0c || fault->asc == 0x44);

	return command->submit == synchronize_cache && (fault->key == 0x03 || aborted);
}

/* On the path where the command is.  True: that is the end, with f->answer. */
static bool meet(struct future *f, const struct fault *fault)
{
	bool once = f->cell->command->class == CMD_ONCE;
	bool for_ever = f->cell->for_ever;
	struct way *here = &f->way[f->at];

	f->answer = word_of(fault);
	switch (fault->follows) {
	case UP:
		return true;
	case AGAIN:
	case PROVE:
		if (ends_reservations(fault) && is_about_reservations(f->cell->command))
			return true;
		if (tells_of_lost_writes(f->cell->command, fault))
			return true;
		f->most_ms += for_ever ? RETRIED_MS : 0;
		return for_ever || (once && fault->may_have_run);
	case SHORT:
		f->most_ms += for_ever ? RETRIED_MS : 0;
		answered_by_us(f, 0x04, 0x08, once ? 0x01 : 0x00);
		return for_ever || once;
	case ELSEWHERE:
		here->failed = true;
		break;
	case DOUBT:
		here->failed = fault->scope == WHOLE;
		here->tried = fault->scope == ONE;
		here->no_lun = here->failed && fault->mode == MODE_LUN_GONE;
		break;
	case TRANSITION:
		here->moving = fault->scope == WHOLE;
		f->waits = for_ever && fault->scope == ONE; /* for what the checker does not see */
		break;
	case SHORTAGE:
		f->most_ms += for_ever ? SHORT_MS : 0;
		f->answer.status = SAM_BUSY;
		return for_ever;
	case CANNOT:
		here->tried = true;
		break;
	}
	f->failed[f->at] += here->failed;
	if (once && fault->may_have_run)
		answered_by_us(f, 0x04, 0x08, 0x01);
	return once && fault->may_have_run;
}

/* False: no path is left. */
static bool goes_on(struct future *f, const struct fault *last)
{
	unsigned int stays = last->follows == AGAIN || last->follows == SHORT ? f->at : !f->at;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const struct way *way = &f->way[i ? !stays : stays];

		if (way->failed || way->moving || way->tried)
			continue;
		f->at = (unsigned int)(way - f->way);
		return true;
	}
	return false;
}

/* No path is left now.  True: later there will be one. */
static bool may_go_on(struct future *f)
{
	bool moves = f->way[0].moving || f->way[1].moving;

	if (f->way[0].tried && f->way[1].tried)
		return false; /* alike on every path, and the paths are good (H7) */
	if (f->way[0].no_lun && f->way[1].no_lun)
		return false; /* the LUN was removed (PDL) */
	if (f->way[0].tried != f->way[1].tried && !moves) {
		/* It had no luck on the one, but the other has failed: hardly its own fault. */
		f->at = f->way[1].tried;
		f->way[f->at].tried = false;
		return true;
	}
	f->waits = moves || (f->cell->map->queues && f->cell->command->medium);
	return f->waits;
}

static struct future foresee(const struct cell *cell)
{
	struct future f = {.cell = cell, .most_ms = STRAIGHT_MS};
	const struct fault *fault;

	while (!f.waits && (fault = fault_at(cell, f.tries))) {
		f.tries++;
		f.executed += fault->lands && cell->command->leaves_a_trace;
		add_time(&f, fault);
		if (meet(&f, fault))
			return f;
		if (goes_on(&f, fault) || may_go_on(&f))
			continue;
		fails(&f, fault);
		return f;
	}
	f.tries++;
	f.executed += cell->command->leaves_a_trace;
	f.answer = (struct scsi_result){0};
	return f;
}

/* --- the cell lives --- */

static struct cell cell;
static struct sim_path *used[2]; /* in the order of use */
static unsigned int nr_met;
static bool well_again;

static void set_fault(struct sim_path *path, const struct fault *fault)
{
	struct scsi_result word;

	set_io_mode(path, MODE_UP, 0);
	if (!fault)
		return;
	path->lands = fault->lands;
	if (fault->scope == WHOLE) {
		set_mode(path, fault->mode);
	} else if (fault->mode == MODE_ANSWER) {
		word = word_of(fault);
		answer_with(path, &word, 1);
	} else {
		set_io_mode(path, fault->mode, 1);
	}
}

static void meet_fault(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	struct mpath_io *io;

	(void)event;
	list_for_each_entry(io, &actions->start, node) {
		struct sim_path *path;

		if (io->is_probe)
			continue;
		path = io->path->transport_data;
		if (!used[0]) {
			used[0] = path;
			used[1] = path == &w->paths[0] ? &w->paths[1] : &w->paths[0];
		}
		set_fault(path, well_again ? NULL : fault_at(&cell, nr_met));
		nr_met++;
	}
}

/* Until it is answered, or waits for nothing but a path. */
static void wait_for_answer(struct world *w, const struct sim_io *io)
{
	unsigned int quiet = 0, tries = 0;

	while (io->state == SIM_IO_OUT && quiet < 300) {
		advance(w, 10);
		quiet++;
		if (io->sent || w->now_ns < io->may_land_ns || io->nr_starts != tries)
			quiet = 0;
		tries = io->nr_starts;
	}
}

static void heal(struct world *w)
{
	unsigned int i;

	well_again = true;
	for (i = 0; i < 2; i++) {
		set_io_mode(&w->paths[i], MODE_UP, 0);
		set_mode(&w->paths[i], MODE_UP);
	}
	advance(w, CHECKED_MS + STRAIGHT_MS);
}

static void check_answer(struct world *w, const struct sim_io *io, const struct future *f)
{
	const struct scsi_result *got = &io->io.result;
	uint64_t ms = (io->answered_ns - io->io.arrival_ns) / NSEC_PER_MSEC;

	expect_answer(w, io, f->answer.status);
	if (got->sense_len != f->answer.sense_len ||
	    memcmp(got->sense, f->answer.sense, got->sense_len))
		fail_at(w, __FILE__, __LINE__,
			"%u bytes of sense: %02x %02x %02x ... %02x/%02x, not %u: %02x %02x %02x "
			"... %02x/%02x",
			got->sense_len, got->sense[0], got->sense[1], got->sense[2], got->sense[12],
			got->sense[13], f->answer.sense_len, f->answer.sense[0], f->answer.sense[1],
			f->answer.sense[2], f->answer.sense[12], f->answer.sense[13]);
	if (!f->waits && (ms < f->least_ms || ms > f->most_ms))
		fail_at(w, __FILE__, __LINE__, "answered after %llu ms, not within %llu to %llu",
			(unsigned long long)ms, (unsigned long long)f->least_ms,
			(unsigned long long)f->most_ms);
}

static void check_paths(struct world *w, const struct future *f)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const struct path *path = used[i]->path;

		if (path->fail_count != f->failed[i])
			fail_at(w, __FILE__, __LINE__, "%s has failed %u times, not %u",
				used[i]->name, path->fail_count, f->failed[i]);
		expect(w, path->active == !f->failed[i]);
		expect(w, !path->suspect || f->waits || used[i]->mode == MODE_TRANSITIONING);
	}
}

static void live(void)
{
	struct future f = foresee(&cell);
	struct world *w = world_new(cell.map->table);
	struct sim_io *io;

	nr_met = 0;
	well_again = false;
	used[0] = NULL;
	w->settings.path_timeout_ms = PATH_TIMEOUT_MS;
	w->settings.recheck_interval_ms = CHECKED_MS;
	w->settings.polling_interval_ms = CHECKED_MS;
	w->settings.fence = cell.map->fence;
	w->settings.fence_time_ms = FENCE_MS;
	world_up(w);
	w->after = meet_fault;
	io = cell.command->submit(w);
	wait_for_answer(w, io);
	if (f.waits)
		expect_pending(w, io);
	else
		expect(w, io->state == SIM_IO_ANSWERED);
	advance(w, 50); /* the probes' answers */
	check_paths(w, &f);
	heal(w);
	check_answer(w, io, &f);
	if (cell.for_ever) /* a shortage is no try: nothing has left this host */
		expect(w, io->nr_starts <= TRIES_MAX || cell.first->follows == SHORTAGE);
	else
		expect(w, io->nr_starts == f.tries);
	expect(w, io->nr_executions == f.executed);

	/* All is as it was before, and the oracle reads what is there. */
	io = submit_read(w, 0, 1);
	advance(w, 10);
	expect_good(w, io);
	world_end(w);
}

/* --- all of them --- */

#define ALONE	 NR(faults) /* as the number of a second fault */
#define FOR_EVER (NR(faults) + 1)
#define SECONDS	 (NR(faults) + 2)
#define NR_CELLS (NR(faults) * SECONDS * NR(commands) * NR(maps))

static unsigned long *nr_lived;

static struct cell cell_of(unsigned long nr)
{
	unsigned long second;
	struct cell c;

	c.map = &maps[nr % NR(maps)];
	nr /= NR(maps);
	c.command = &commands[nr % NR(commands)];
	nr /= NR(commands);
	second = nr % SECONDS;
	c.second = second < ALONE ? &faults[second] : NULL;
	c.for_ever = second == FOR_EVER;
	c.first = &faults[nr / SECONDS];
	return c;
}

static bool may_be_short(const struct command *command)
{
	return command->submit == read_block || command->submit == write_block ||
	       command->submit == compare_and_write;
}

/* The first fault is the end, whatever comes next; or nothing ever waits for the fence. */
static bool is_another_cell(const struct cell *c)
{
	const struct cell alone = {.command = c->command, .map = c->map, .first = c->first};

	if ((c->second || c->for_ever) && foresee(&alone).tries == 1)
		return true;
	if (!may_be_short(c->command) &&
	    (c->first->follows == SHORT || (c->second && c->second->follows == SHORT)))
		return true;
	return c->map->fence != FENCE_NONE && !leaves_a_copy(c->first) &&
	       !(c->second && leaves_a_copy(c->second));
}

static void live_cell(unsigned long nr)
{
	static char replay[300];

	cell = cell_of(nr);
	if (is_another_cell(&cell))
		return;
	snprintf(replay, sizeof(replay), "sim_matrix %lu\n%s, %s: %s%s%s", nr, cell.command->name,
		 cell.map->name, cell.first->name, cell.second ? ", then " : "",
		 cell.second	 ? cell.second->name
		 : cell.for_ever ? ", for ever"
				 : "");
	sim_replay = replay;
	live();
	++*nr_lived;
}

static unsigned long first_cell;

static void live_row(void)
{
	unsigned long nr;

	for (nr = first_cell; nr < first_cell + NR_CELLS / NR(faults); nr++)
		live_cell(nr);
}

int main(int argc, char **argv)
{
	unsigned int i;

	nr_lived = mmap(NULL, sizeof(*nr_lived), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (nr_lived == MAP_FAILED)
		return 1;
	if (argc > 1) {
		setenv("SIM_VERBOSE", "1", 1);
		live_cell(strtoul(argv[1], NULL, 10) % NR_CELLS);
		return 0;
	}
	for (i = 0; i < NR(faults); i++) {
		first_cell = i * (NR_CELLS / NR(faults));
		tell_story(faults[i].name, live_row);
	}
	printf("%lu cells\n", *nr_lived);
	return end_of_stories();
}
