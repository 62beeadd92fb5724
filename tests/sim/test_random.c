/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random worlds: a map, its paths and its initiators do as a seed tells them, and the oracle looks
 * on (lib/oracle.c).  A seed that fails is replayed with tests/sim/replay SEED.
 *
 *   sim_random		those in seeds/, then MPATH_SEEDS (default below) from MPATH_FIRST_SEED
 *			(1) on, in as many processes as there are CPUs; with MPATH_LONG=1 as many
 *			as it takes for 10^8 commands
 *			or, with MPATH_HOT=1, in worlds where much more happens: no floors there
 *   sim_random SEED	that one, with all that happens in it
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mpath/scsi.h"
#include "sim/lib/dice.h"
#include "sim/lib/restart_dice.h"
#include "sim/lib/world.h"

#define SEEDS_DEFAULT 1000
#define LONG_COMMANDS 100000000ull
#define STEPS	      250
#define FOREIGN_MAX   7
#define JOBS_MAX      64

/* In fewer a rare episode may be missing by chance. */
#define WORLDS_TO_TELL 500

/* --- what a world rolls by itself --- */

static bool coin(struct world *w)
{
	(void)w;
	return chance(50);
}

static bool seldom(struct world *w)
{
	(void)w;
	return chance(20);
}

static uint64_t jitter_ns(struct sim_path *p)
{
	(void)p;
	return chance(80) ? below(100) * 1000 : below(20) * NSEC_PER_MSEC;
}

/* COMPARE AND WRITE looks before it writes. */
static bool writes_blindly(const struct scsi_cmd *cmd)
{
	return cmd->class == CMD_IDEMPOTENT || cmd->cdb[0] == 0x83 || cmd->cdb[0] == 0x8b;
}

/*
 * Without a fence not the writes that are sent again, or answered, at once: as under dm-multipath
 * nothing keeps the old copy from landing on newer data.
 */
static uint64_t lands_later_ns(struct world *w, const struct scsi_cmd *cmd)
{
	if ((writes_blindly(cmd) && w->settings.fence == FENCE_NONE) || chance(50))
		return 0;
	return (1 + below(60000)) * NSEC_PER_MSEC;
}

/* Seldom full blocks. */
static size_t piece(struct world *w, size_t left)
{
	enum extra before = take_dice_of(EXTRA_PIECES);
	size_t n;

	(void)w;
	n = chance(70) ? 1 + below(chance(50) ? 20 : 700) : SIM_BLOCK_SIZE;
	take_dice_of(before);
	return n < left ? n : left;
}

static void cut_buffers(struct world *w)
{
	w->piece = piece;
	world_cut_buffers(w);
}

/* Of workers: mostly at once, or nearly. */
static uint64_t work_ns(struct world *w)
{
	enum extra before = take_dice_of(EXTRA_SLOW_WORK);
	uint64_t ns;

	(void)w;
	ns = chance(80) ? below(3) * SIM_LATENCY : below(5000) * NSEC_PER_MSEC;
	take_dice_of(before);
	return ns;
}

static void slow_work(struct world *w)
{
	w->work_ns = work_ns;
}

/* Mostly it is the CPU that is wanted by others, seldom a page. */
static uint64_t falls_behind_ms(struct world *w)
{
	enum extra before = take_dice_of(EXTRA_LATE_SENDS);
	uint64_t ms = chance(97) ? 0 : chance(70) ? 1 + below(300) : 1 + below(4000);

	(void)w;
	take_dice_of(before);
	return ms;
}

static void late_sends(struct world *w)
{
	w->falls_behind_ms = falls_behind_ms;
}

/* --- what must have happened, so that no run is empty --- */

static const struct {
	const char *part;   /* of a sentence of the trace */
	unsigned int floor; /* of them in 1000 worlds */
} episodes[] = {
	{": start on", 100000},
	{": good", 50000},
	{": failed (transport lost)", 250},
	{": failed (device gone)", 100},
	{": failed (standby)", 100},
	{": failed (checker: down)", 200},
	{": failed (fail_path message)", 150},
	{": the probe is not answered", 500},
	{": given up on", 200},
	{": reinstated", 2000},
	{": excluded: WWID is", 10},
	{": excluded: no such device", 200},
	{": in doubt (host adapter error)", 1000},
	{": in doubt (asymmetric", 30},
	{": in doubt (port group in transition)", 100},
	{": in doubt (LUN list changed)", 100},
	{": cleared", 2000},
	{": demoted (slow: half", 30},
	{": on trial", 1},
	{": demoted no longer (no other path", 1},
	{": hedged, it is late on", 300},
	{", its other leg is out", 100},
	{": no path -> queue", 5000},
	{": no path", 10000},
	{": waits for a path in doubt", 5000},
	{": waits for commands of a former process", 5000},
	{"restart: no command of a former process is left", 500},
	{"restart: the wait is over", 10},
	{"restart: the kernel keeps commands back on", 60},
	{"disks cannot be asked", 100},
	{"has no foreign commands any more", 100},
	{"foreign commands may be lost on", 10},
	{"rests to be counted", 2000},
	{": deadline passed", 500},
	{": aborted", 500},
	{": status 40", 300},
	{": status 08", 1000},
	{": again on", 2000},
	{": leaves the map", 200},
	{"another table has taken over", 500},
	{": its copy on", 400},
	{": its old copy cannot land any more (time)", 200},
	{": its old copy cannot land any more (LOGICAL UNIT RESET)", 40},
	{": LOGICAL UNIT RESET failed", 5},
	{": its old copy cannot land any more (new session)", 2},
	{": its old copy is not on its way any more", 5},
	{": may have been executed, not repeated", 100},
	{": overdue, and may still land", 20},
	{": waits for an older write to the same blocks", 500},
	{": tried on every path", 500},
	{": local resource used up on", 10000},
	{": refused by this host on", 500},
	{"the target has no such LUN", 50},
	{": now current", 1000},
	{": asked for", 200},
	{"groups are formed anew", 100},
	{": asked for, failback to", 5},
	{": bypassed", 200},
	{": close", 1000},
	{"shutdown: nothing is held", 50},
	{"suspend: what waits is ended", 200},
	{"suspend: what waits goes on waiting", 200},
	{": waits for resume", 1000},
	{"] suspended", 200},
	{"] resume", 200},
	{": waits for activation", 5000},
	{": activation, round 1", 1000},
	{": activation, round 2", 20},
	{": activated", 1000},
	{": failed (activation", 100},
	{": failed (activation: tried pg_init_retries times)", 40},
	{": failed (activation: not an array", 1},
	{": failed (passive)", 100},
	{": bypassed (the array is busy", 15},
	{": asked for the states of port groups", 1000},
	{"transitioning", 80},
	{": bypassed", 200},
};
#define NR_EPISODES (sizeof(episodes) / sizeof(episodes[0]))

/* And what the world itself has counted. */
static const struct {
	const char *what;
	size_t offset;	    /* in struct sim_counts */
	unsigned int floor; /* in 1000 worlds */
} tallies[] = {
	{"copies landed late", offsetof(struct sim_counts, late_landings), 200},
	{"reads given up may have left rubbish", offsetof(struct sim_counts, late_answers), 200},
	{"commands were done long before their answer", offsetof(struct sim_counts, early_runs),
	 5000},
	{"restarts after a crash", offsetof(struct sim_counts, restarts), 200},
	{"orphans of a crash", offsetof(struct sim_counts, orphans), 500},
	{"orphans' writes landed", offsetof(struct sim_counts, orphan_writes), 200},
	{"writes through another gateway", offsetof(struct sim_counts, gateway_writes), 2000},
	{"LUN resets by an initiator", offsetof(struct sim_counts, lun_resets), 200},
	{"losses of power", offsetof(struct sim_counts, power_losses), 200},
	{"answers after the kernel's", offsetof(struct sim_counts, expired), 20},
	{"unit attentions", offsetof(struct sim_counts, unit_attentions), 2000},
	{"rounds of a ring", offsetof(struct sim_counts, ring_rounds), 100},
	{"task management functions in a ring", offsetof(struct sim_counts, ring_tmrs), 500},
	{"caches synchronized", offsetof(struct sim_counts, sync_caches), 2000},
	{"fences outlived their process", offsetof(struct sim_counts, fences_kept), 20},
	{"writes that a dead process had lost landed", offsetof(struct sim_counts, lost_landings),
	 10},
	{"orphans' writes landed through paths that were not open",
	 offsetof(struct sim_counts, unseen_landings), 100},
	{"orphans' writes that were kept back were let go", offsetof(struct sim_counts, let_go),
	 60},
	{"orphans' writes landed after they were let go",
	 offsetof(struct sim_counts, let_go_landings), 40},
	{"the loop stood still", offsetof(struct sim_counts, standstills), 200},
	{"what happened meanwhile was heard later", offsetof(struct sim_counts, held_up), 1000},
	{"deferred errors were heard by commands", offsetof(struct sim_counts, deferred), 100},
	{"deferred errors were heard by probes", offsetof(struct sim_counts, deferred_to_probes),
	 20},
	{"probes were answered BUSY", offsetof(struct sim_counts, busy_probes), 1000},
	{"blocks were unmapped, or written the same", offsetof(struct sim_counts, unmaps), 1300},
	{"answers without data to what has some", offsetof(struct sim_counts, short_answers), 500},
	{"initiators were told of other pages", offsetof(struct sim_counts, pages_told), 20},
	{"unit attentions were fetched by REQUEST SENSE", offsetof(struct sim_counts, fetched), 50},
	{"reads were hedged", offsetof(struct sim_counts, hedges), 300},
	{"legs came in when their read was answered", offsetof(struct sim_counts, loose_answers),
	 200},
	{"READs of other forms were good", offsetof(struct sim_counts, other_reads), 500},
	{"WRITEs of other forms were good", offsetof(struct sim_counts, other_writes), 500},
	{"blocks were copied", offsetof(struct sim_counts, copies), 200},
	{"caches were to be synchronized later", offsetof(struct sim_counts, syncs_at_once), 100},
	{"buffers were in pieces", offsetof(struct sim_counts, in_pieces), 5000},
	{"reads brought a part of the data", offsetof(struct sim_counts, part_reads), 200},
	{"writes took a part of the data", offsetof(struct sim_counts, part_writes), 50},
	{"all of the data came with a warning", offsetof(struct sim_counts, warnings), 100},
	{"somebody acted at the worst time", offsetof(struct sim_counts, worst_acts), 500},
	{"settings changed at the worst time", offsetof(struct sim_counts, worst_settings), 80},
	{"lost writes were aborted", offsetof(struct sim_counts, aborts_of_lost), 10},
	{"the kernel told of what it has heard", offsetof(struct sim_counts, heard), 500},
	{"hedged reads were aborted", offsetof(struct sim_counts, aborts_of_hedged), 4},
	{"held commands were aborted", offsetof(struct sim_counts, aborts_of_held), 150},
	{"ends in order while writes were feared", offsetof(struct sim_counts, ends_in_order), 10},
	{"restarts with an old file, or none", offsetof(struct sim_counts, old_words), 50},
	{"restarts without a tally", offsetof(struct sim_counts, lost_tallies), 30},
	{"deaths before all paths were looked at", offsetof(struct sim_counts, early_deaths), 10},
	{"restarts with another time-out", offsetof(struct sim_counts, other_timeouts), 50},
	{"other tables", offsetof(struct sim_counts, tables), 1000},
	{"other tables with another hardware handler", offsetof(struct sim_counts, handlers), 100},
	{"changes that nothing came of", offsetof(struct sim_counts, dropped_changes), 100},
	{"the loop fell behind before it sent", offsetof(struct sim_counts, late_sends), 500},
	{"writes were not sent as it was too late", offsetof(struct sim_counts, too_late), 50},
	{"the LUN grew", offsetof(struct sim_counts, growths), 200},
	{"the LUN grew, and nobody told", offsetof(struct sim_counts, silent_growths), 100},
	{"a reset ended commands in silence", offsetof(struct sim_counts, swallowed), 50},
	{"a reset ended commands with TASK ABORTED", offsetof(struct sim_counts, task_aborts), 100},
};
#define NR_TALLIES (sizeof(tallies) / sizeof(tallies[0]))

/* Of one process; seen by the parent also when an assertion has ended it. */
struct shared {
	uint64_t seed;
	unsigned long nr_worlds;
	unsigned long seen[NR_EPISODES];
	unsigned long counted[NR_TALLIES];
	unsigned long nr_ios;
	uint64_t virtual_ms;
};
static struct shared *shared;

static void count_episodes(const struct world *w)
{
	for (size_t i = 0; i < NR_EPISODES; i++)
		shared->seen[i] += lines_with(w->trace, episodes[i].part);
	for (size_t i = 0; i < NR_TALLIES; i++) {
		unsigned long n;

		memcpy(&n, (const char *)&w->counts + tallies[i].offset, sizeof(n));
		shared->counted[i] += n;
	}
	shared->nr_worlds++;
	shared->nr_ios += w->nr_ios;
	shared->virtual_ms += now_ms(w);
}

/* --- a random world --- */

static enum sim_make make;  /* whose array it is */
static bool alua;	    /* the map has that hardware handler */
static bool lun_may_change; /* then nobody forgets the WWID, and no block is another LUN's */

static const char *random_selector(void)
{
	static const char *const selectors[] = {"round-robin 0", "queue-length 0", "service-time 0",
						"historical-service-time 0", "io-affinity 0"};

	return selectors[below(sizeof(selectors) / sizeof(selectors[0]))];
}

static const char *random_features(void)
{
	if (chance(30))
		return "0";
	if ((!alua && make == MAKE_SIM) || chance(50))
		return "1 queue_if_no_path";
	return "5 queue_if_no_path pg_init_retries 2 pg_init_delay_msecs 40";
}

static const char *random_handler(void)
{
	switch (make) {
	case MAKE_SIM:
		break;
	case MAKE_EMC:
		return chance(30) ? "3 emc 0 1" : "1 emc";
	case MAKE_RDAC:
		return "1 rdac";
	case MAKE_HP_SW:
		return "1 hp_sw";
	}
	return alua ? "1 alua" : "0";
}

static struct world *random_table(void)
{
	unsigned int g, i, minor = 0, nr_groups = 1 + below(3), first = 1 + below(nr_groups);
	struct strbuf out;
	char table[1024];

	strbuf_init(&out, table, sizeof(table));
	alua = chance(35) && make == MAKE_SIM;
	strbuf_printf(&out, "%s ", random_features());
	strbuf_printf(&out, "%s %u %u", random_handler(), nr_groups, first);
	for (g = 0; g < nr_groups; g++) {
		unsigned int n = 1 + below(3);

		/* The argument is io-affinity's CPU mask; the others take it for a repeat_count. */
		strbuf_printf(&out, " %s %u 1", random_selector(), n);
		for (i = 0; i < n; i++)
			strbuf_printf(&out, " 8:%u %x", 16 * minor++, 1u << i);
	}
	return world_new(table);
}

/* The process that was here before has left writes behind. */
static void random_foreign(struct world *w)
{
	uint64_t hides_ns;
	unsigned int i, n = 1 + below(FOREIGN_MAX);

	if (chance(50)) {
		w->settings.path_timeout_ms = 3000;
		w->settings.restart_wait_ms = 5000;
	}
	hides_ns = w->now_ns + w->settings.path_timeout_ms * NSEC_PER_MSEC;
	for (i = 0; i < n; i++) {
		struct sim_path *p = &w->paths[below(w->nr_paths)];
		unsigned int within_ms =
			chance(70) ? w->settings.path_timeout_ms : w->settings.restart_wait_ms;
		uint64_t lands_ns = w->now_ns + (1 + below(within_ms)) * NSEC_PER_MSEC;

		sim_late_foreign(p, below(8), 1000000 + i, lands_ns, hides_ns);
		p->refused = NULL; /* nobody could know of them */
		w->memory.disks[w->memory.nr_disks++] = p->disk;
	}
	w->tally_is_old = true; /* only the file tells of them, until somebody tells once more */
}

/* Priority groups as the policies form them. */
static void random_policy(struct world *w)
{
	struct mpath_policy *policy = &w->settings.policy;

	policy->on = chance(30);
	policy->grouping = (enum grouping)below(GROUPING_GROUP_BY_SERIAL + 1);
	policy->prio = (enum prioritizer)below(PRIO_PATH_LATENCY + 1);
	policy->failback = (enum failback)below(FAILBACK_DEFERRED + 1);
	policy->failback_s = 1 + below(5);
}

/* What the map does not say itself, it learns when it meets its LUN. */
static void random_hardware(struct world *w)
{
	static _Alignas(struct hardware_table) char
		memory[sizeof(struct hardware_table) + sizeof(struct hardware_rule)];
	struct hardware_table *hardware = (struct hardware_table *)memory;

	hardware->nr_rules = 1;
	hardware->rules[0] = (struct hardware_rule){
		.name = "random",
		.vendor = "SIM",
		.product = "*",
		.wants_tpgs = chance(50),
		.says = HARDWARE_PRIO | HARDWARE_GROUPING | HARDWARE_FAILBACK,
		.policy = {.grouping = (enum grouping)below(GROUPING_GROUP_BY_SERIAL + 1),
			   .failback = (enum failback)below(FAILBACK_DEFERRED),
			   .prio = (enum prioritizer)below(PRIO_PATH_LATENCY + 1)},
	};
	w->settings.hardware = hardware;
	w->settings.left_open = below(4) * HARDWARE_PRIO + below(2) * HARDWARE_FAILBACK;
}

/* Nothing is drawn for sessions, so that the worlds of the seeds that are kept stay the same. */
static void random_sessions(struct sim_path *p)
{
	uint64_t ms = p->reset_latency_ns / NSEC_PER_MSEC;

	p->session = ms % 5 ? p->id + 1 : 0;
	p->session_latency_ns = (ms % 7 ? ms % 5 : 5 * ms) * NSEC_PER_MSEC;
}

/* As above. */
static void random_slow_path_factor(struct world *w)
{
	uint64_t ms = w->paths[0].open_latency_ns / NSEC_PER_MSEC;

	if (ms % 2)
		w->settings.slow_path_factor = 2 + (uint32_t)(ms % 3);
}

/* As above: every third. */
static void random_hedged_reads(struct world *w)
{
	if (w->paths[0].open_latency_ns / NSEC_PER_MSEC % 3 == 0)
		w->settings.hedged_reads = 100;
}

/* As if there had been many commands: some hundred are too few for a map to know what is late. */
static void pretend_history(struct world *w)
{
	unsigned int i;

	if (!w->settings.hedged_reads)
		return;
	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].path)
			w->paths[i].path->stats.latency.now[latency_bucket(2 * NSEC_PER_MSEC)] +=
				200;
}

static void random_fence(struct world *w)
{
	unsigned int i;

	w->settings.fence = (enum fence_kind)below(FENCE_NONE + 1);
	w->settings.fence_time_ms = chance(70) ? 1 + below(3000) : 0;
	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[i];

		p->transit_ms = chance(70) ? 0 : below(500);
		p->reset_error = chance(70) ? 0 : -EIO;
		p->reset_latency_ns = (1 + below(100)) * NSEC_PER_MSEC;
		random_sessions(p);
		if (p->reset_latency_ns % (9 * NSEC_PER_MSEC) == 0)
			p->reset_latency_ns *= 60; /* others wait 3 s for it */
	}
}

/* An array of two controllers, which may be the same for all paths. */
static void random_controllers(struct world *w)
{
	unsigned int i;

	give_controllers(w, make);
	for (i = 0; i < SIM_LUNS_MAX; i++) {
		w->luns[i].owner = below(2);
		w->luns[i].is_shy = chance(50);
		w->luns[i].old_model = make == MAKE_RDAC && chance(50);
		w->luns[i].follows_io = make == MAKE_RDAC && chance(20);
		w->luns[i].ships_io = make == MAKE_RDAC && chance(20);
	}
	if (chance(10))
		w->settings.checker = NULL;
	/* Else a map whose paths all lead to the other one cannot know which LUN it is to move. */
	memcpy(w->settings.wwid, w->luns[0].wwid, sizeof(w->luns[0].wwid));
}

static void begin_restarts(struct world *w)
{
	restarts_begin(w, lun_may_change);
}

static void begin_groups(struct world *w)
{
	w->luns[0].tells_own_group = chance(80);
}

static void begin_tables(struct world *w)
{
	tables_begin(w, &(struct table_dice){make == MAKE_SIM, alua, random_handler()});
}

static struct world *random_world(void)
{
	struct world *w = random_table();
	unsigned int i;

	if (alua) {
		uint8_t tpgs = (uint8_t)(1 + below(3));

		give_port_groups(w, tpgs, (w->nr_paths + 1) / (1 + below(2)));
	}
	w->luns[0].announced_s = (uint8_t)(chance(50) ? 0 : 2 + below(20));
	lun_may_change = chance(30);
	w->coin = coin;
	w->lands_later_ns = lands_later_ns;
	if (chance(50))
		w->runs_early = seldom;
	if (chance(50))
		w->jitter_ns = jitter_ns;
	if (chance(30))
		sim_ring_begin(w, 0 - 8 * below(500));
	w->is_slow = seldom;
	w->wake_late_ns = chance(50) ? 0 : below(3) * NSEC_PER_MSEC;
	if (chance(15))
		w->settings.checker = NULL;
	if (chance(20))
		memcpy(w->settings.wwid, w->luns[0].wwid, sizeof(w->luns[0].wwid));
	if (chance(40))
		set_cmd_time_out(w, 2 + below(30));
	if (make != MAKE_SIM)
		random_controllers(w);
	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[i];

		p->queue_depth = chance(50) ? 32 : 1 + below(6);
		p->latency_ns = (1 + below(5)) * NSEC_PER_MSEC;
		p->latency_ns /= 1 + below(3);
		p->open_latency_ns = (1 + below(30)) * NSEC_PER_MSEC;
		if (chance(5))
			p->refused = "no such device";
	}
	random_slow_path_factor(w);
	random_hedged_reads(w);
	random_fence(w);
	random_policy(w);
	if (chance(20))
		w->settings.flaky = (struct mpath_flaky){1 + below(3), 1 + below(3), 1 + below(9)};
	if (chance(30))
		random_hardware(w);
	if (chance(30))
		random_foreign(w);
	with_dice_of(EXTRA_PIECES, w, cut_buffers);
	with_dice_of(EXTRA_RESTARTS, w, begin_restarts);
	with_dice_of(EXTRA_SLOW_WORK, w, slow_work);
	with_dice_of(EXTRA_GROUPS, w, begin_groups);
	with_dice_of(EXTRA_TABLES, w, begin_tables);
	with_dice_of(EXTRA_LATE_SENDS, w, late_sends);
	with_dice_of(EXTRA_ARRAY, w, arrays_begin);
	return w;
}

/* --- what happens in it --- */

static void random_submit(struct world *w)
{
	uint64_t lba = below(8);
	unsigned int n = 1 + below(3);

	switch (below(20)) {
	case 0:
		submit_tur(w);
		return;
	case 1:
		submit_inquiry(w);
		return;
	case 2:
		if (chance(50))
			submit_capacity(w);
		else /* more than there is to say */
			submit_cdb(w, (const uint8_t[16]){0x9e, 0x10, [13] = 64}, 16, 64);
		return;
	case 3:
		submit_cdb(w, (const uint8_t[10]){0x35}, 10, 0);
		return;
	case 4:
	case 5:
		submit_caw(w, lba, w->luns[0].stamps[lba]);
		return;
	case 6:
		submit_pr_out(w);
		return;
	case 7:
		if (chance(30))
			submit_poison(w);
		else if (chance(30))
			submit_vendor(w);
		return;
	case 8:
	case 9:
	case 10:
	case 11:
	case 12:
	case 13:
		submit_write(w, lba, n);
		return;
	default:
		pretend_history(w);
		submit_read(w, lba, n);
		return;
	}
}

/* Arrays of two controllers know no transition: the LUN is here, or there. */
static enum sim_mode mode_of_make(enum sim_mode mode)
{
	return make != MAKE_SIM && mode == MODE_TRANSITIONING ? MODE_STANDBY : mode;
}

/* A login may be redirected, and a session be lost again before anybody could ask for it. */
static void random_session(struct sim_path *p)
{
	bool is_down = p->mode == MODE_LOST && list_empty(&p->carried) && !p->path->active;

	if (p->session && is_down && p->w->seq % 5 == 0)
		p->session ^= 256;
	p->session_unknown = p->w->seq % 10 == 0;
}

static void random_mode(struct sim_path *p)
{
	enum sim_mode mode = (enum sim_mode)below(MODE_ANSWER);

	if (chance(60))
		mode = chance(60) ? MODE_UP : chance(60) ? MODE_LOST : MODE_GONE;
	if (!may_be_disturbed(p))
		return;
	/* Another LUN under the same name: only a device that vanished comes back as another. */
	if (p->mode == MODE_GONE && !p->is_open && lun_may_change)
		p->nexus.lun = &p->w->luns[chance(50)];
	if (p->nexus.lun != &p->w->luns[0] && mode != MODE_GONE)
		mode = MODE_UP;
	if (p->path)
		random_session(p);
	if (mode == MODE_LOST && p->foreign && p->w->seq % 2)
		sim_late_lose(p); /* and nothing of ours need have been on it */
	set_mode(p, mode_of_make(mode));
}

static void random_io_mode(struct sim_path *p)
{
	unsigned int what = below(6), times = 1 + below(3);
	bool heads = chance(50);

	switch (what) {
	case 0:
		answer_with_status(p, heads ? SAM_BUSY : SAM_TASK_SET_FULL, 4 * times);
		return;
	case 1:
		answer_with_status(p, SAM_RESERVATION_CONFLICT, times);
		return;
	case 2:
		answer_with_sense(p, 0x03, heads ? 0x11 : 0x0c, 0x00, times);
		return;
	case 3:
		answer_with_sense(p, 0x0b, 0x44, 0x00, times);
		return;
	case 4:
		set_io_mode(p, MODE_UP, 0);
		return;
	default:
		set_io_mode(p, mode_of_make((enum sim_mode)below(MODE_ANSWER)), 3 * times);
		return;
	}
}

static void random_ua(struct sim_path *p)
{
	static const uint16_t uas[] = {0x2900, 0x2904, 0x2a06, 0x2a09, 0x3f0e, 0x3f03, 0x040a};
	uint16_t ua = uas[below(sizeof(uas) / sizeof(uas[0]))];

	if (p->nexus.nr_uas < 4)
		push_ua(p, (uint8_t)(ua >> 8), (uint8_t)ua);
}

/* The array changes states by itself, or what it does when it is asked to. */
static void random_port_group(struct world *w)
{
	static const uint8_t states[] = {ALUA_OPTIMIZED,     ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED,
					 ALUA_STANDBY,	     ALUA_STANDBY,   ALUA_UNAVAILABLE,
					 ALUA_TRANSITIONING, ALUA_OFFLINE};
	struct sim_lun *lun = &w->luns[0];
	unsigned int group;
	uint8_t state;

	if (!lun->nr_groups)
		return;
	if (chance(20))
		lun->stpg = (enum sim_stpg)below(STPG_TAKES_TIME + 1);
	group = 1 + below(lun->nr_groups);
	state = states[below(sizeof(states))];
	set_port_group(w, group, state, chance(50));
}

/* Another host moves the LUN, or the array has something else to do than to obey. */
static void random_owner(struct world *w)
{
	static const uint8_t excuses[][3] = {
		{0x02, 0x04, 0x01}, {0x02, 0x04, 0x03}, {0x05, 0x04, 0x00}, {0x05, 0x91, 0x36},
		{0x06, 0x29, 0x00}, {0x0b, 0x00, 0x00}, {0x05, 0x26, 0x00},
	};
	struct sim_path *p = &w->paths[below(w->nr_paths)];
	struct sim_lun *lun = &w->luns[0];

	switch (below(7)) {
	case 6:
		p->write_protected = chance(60);
		return;
	case 0:
	case 1:
		lun->owner ^= 1;
		return;
	case 2:
		lun->move = MOVE_OBEYS;
		lun->upgrading = lun->other_mode = lun->starting = false;
		return;
	case 3:
		lun->move = MOVE_REFUSES;
		memcpy(lun->excuse, excuses[below(sizeof(excuses) / 3)], 3);
		lun->excuses_left = below(9);
		if (lun->excuse[0] == 0x06 && !lun->excuses_left)
			lun->excuses_left = 9; /* for ever no array has news that it tells once */
		return;
	case 4:
		lun->upgrading = chance(30);
		lun->other_mode = chance(10);
		return;
	case 5:
		lun->starting = chance(50);
		return;
	}
}

static bool has_orphans(const struct world *w)
{
	unsigned int i;

	if (w->now_ns < w->lost_until_ns)
		return true;
	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].foreign)
			return true;
	return false;
}

/* Its initiator cannot know of a dead gateway's orphans, and nobody can keep them from it. */
static void random_gateway_write(struct world *w)
{
	if (!has_orphans(w) && strcmp(mpath_lun(w->m)->wwid, w->luns[0].wwid) == 0)
		gateway_write(w, below(8));
}

/* A controller dies, is passive, or is on its way from one to the other. */
static void random_controller(struct world *w)
{
	static const enum sim_mode modes[] = {
		MODE_UP, MODE_UP, MODE_UP, MODE_LOST, MODE_STANDBY, MODE_TRANSITIONING, MODE_HUNG};
	enum sim_mode mode = modes[below(sizeof(modes) / sizeof(modes[0]))];
	unsigned int i, controller = w->paths[below(w->nr_paths)].controller;

	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[i];

		if (p->controller == controller && p->nexus.lun == &w->luns[0] &&
		    may_be_disturbed(p))
			set_mode(p, mode_of_make(mode));
	}
}

static void random_open(struct sim_path *p)
{
	if (!may_be_disturbed(p))
		return;
	p->refused = chance(60) ? NULL : chance(70) ? "no such device" : "held by md0";
	p->open_hangs = chance(10);
	if (!p->open_hangs)
		set_mode(p, p->mode); /* an open that hung goes on */
}

static void random_message(struct world *w)
{
	static const char *const words[] = {
		"fail_path",	   "reinstate_path", "reinstate_path",	 "disable_group",
		"enable_group",	   "switch_group",   "queue_if_no_path", "queue_if_no_path",
		"fail_if_no_path", "forget_wwid",
	};
	unsigned int which = below(sizeof(words) / sizeof(words[0]));
	char text[64];

	if (make != MAKE_SIM && chance(20)) /* drawn in no world that was there before */
		snprintf(text, sizeof(text), "probe_paths");
	else if (which <= 2)
		snprintf(text, sizeof(text), "%s %s", words[which],
			 w->paths[below(w->nr_paths)].name);
	else if (which <= 5)
		snprintf(text, sizeof(text), "%s %u", words[which], 1 + below(3));
	else
		snprintf(text, sizeof(text), "%s", words[which]);
	if (which != 9 || !lun_may_change)
		message(w, text);
}

/* Another layout takes over: the same table, a path less or more, other groups. */
static void random_change(struct world *w)
{
	struct sim_path *p = &w->paths[below(w->nr_paths)];
	unsigned int assignment[SIM_PATHS_MAX], i;

	switch (below(4)) {
	case 0:
		reload(w, w->table);
		return;
	case 1:
		if (!p->blocked || !p->foreign || p->seen_blocked) /* else it could not be asked */
			remove_path(w, p->name);
		return;
	case 2:
		if (w->nr_paths < SIM_PATHS_MAX / 2)
			add_path(w, p->name, 1);
		return;
	case 3:
		for (i = 0; i < SIM_PATHS_MAX; i++)
			assignment[i] = 1 + below(3);
		regroup(w, assignment);
		return;
	}
}

static void random_suspend(struct world *w)
{
	if (w->suspended_seq)
		message(w, "resume");
	else if (chance(15))
		message(w, chance(50) ? "suspend" : "suspend noflush");
}

static void random_abort(struct world *w)
{
	unsigned int i, n = 1 + below(w->nr_ios + 1);

	for (i = w->nr_ios; i-- > 0;) {
		struct sim_io *io = &w->ios[i];

		if (io->state == SIM_IO_OUT && --n == 0) {
			abort_task(w, io);
			return;
		}
	}
}

/* Meanwhile a port may be back, also one that the loop did not see was lost. */
static void random_standstill(struct world *w)
{
	if (!chance(3) || w->shut_down)
		return;
	stand_still(w, chance(60) ? below(1000) : below(8000));
	if (chance(50))
		with_dice_of(EXTRA_KEPT_BACK, w, random_ends_of_blocks);
}

/* A write that was answered GOOD is lost, and whatever comes next through a path is told so. */
static void random_deferred(struct world *w)
{
	static const uint8_t errors[][3] = {
		{0x03, 0x0c, 0x00}, {0x04, 0x44, 0x00}, {0x01, 0x0c, 0x01}, {0x03, 0x0c, 0x02}};
	struct sim_path *p = &w->paths[below(w->nr_paths)];
	const uint8_t *error = errors[below(sizeof(errors) / sizeof(errors[0]))];

	if (!chance(4) || p->nexus.nr_deferred)
		return;
	push_deferred(p, error[0], error[1], error[2]);
	p->nexus.deferred_descriptor = chance(50);
}

/*
 * The array has no time for questions of some kind: of the checkers, of the identity check, or to
 * take the LUN over.  Or it thinks better of which group it prefers, and of how long it needs.
 */
static void random_busy(struct world *w)
{
	static const uint8_t opcodes[] = {0x00, 0x12, 0x9e, 0x28, 0xa3, 0xa4, 0x15, 0x55, 0x1b};
	static const uint8_t statuses[] = {SAM_BUSY, SAM_BUSY, SAM_TASK_SET_FULL,
					   SAM_RESERVATION_CONFLICT};
	struct sim_path *p = &w->paths[below(w->nr_paths)];
	struct sim_lun *lun = &w->luns[0];

	if (chance(2) && lun->nr_groups)
		lun->groups[below(lun->nr_groups)].preferred = chance(50);
	if (chance(2))
		lun->announced_s = (uint8_t)below(30);
	if (!chance(4))
		return;
	p->busy = chance(50) ? 1 + below(8) : below(400);
	p->busy_opcode = opcodes[below(sizeof(opcodes))];
	p->busy_status = statuses[below(sizeof(statuses))];
	if (p->busy_opcode == 0x12 && p->busy_status == SAM_RESERVATION_CONFLICT)
		p->busy_status = SAM_BUSY; /* SPC-2 5.5.1: it is carried out all the same */
}

/* What changes blocks otherwise than by WRITE; and a target that says GOOD, and has done nothing.
 */
static void random_command(struct world *w)
{
	struct sim_path *p = &w->paths[below(w->nr_paths)];
	unsigned int what = below(40), n = 2 + below(3);
	uint64_t lba = below(8);

	switch (what) {
	case 0:
	case 1:
		submit_unmap(w, lba, n);
		return;
	case 2:
	case 3:
		submit_write_same(w, lba, n, chance(50));
		return;
	case 4:
		submit_cdb(w, (const uint8_t[6]){0x03, [4] = 18}, 6, 18);
		return;
	case 5:
		p->short_left = 1 + below(12);
		p->short_warns = chance(50);
		p->short_of = 0;
		return;
	case 6:
		random_ua(p);
		submit_cdb(w, (const uint8_t[6]){0x03, [4] = 252}, 6, 252);
		return;
	}
}

static void put_number(uint8_t *at, unsigned int width, uint64_t number)
{
	for (; width--; number >>= 8)
		at[width] = (uint8_t)number;
}

/* The many forms of READ and WRITE; and such as run once. */
static const struct {
	uint8_t opcode, action, len, lba_at, lba_width, nr_at, nr_width;
} forms[] = {
	{0x08, 0, 6, 1, 3, 4, 1},	{0x0a, 0, 6, 1, 3, 4, 1},	{0xa8, 0, 12, 2, 4, 6, 4},
	{0xaa, 0, 12, 2, 4, 6, 4},	{0x88, 0, 16, 2, 8, 10, 4},	{0x8a, 0, 16, 2, 8, 10, 4},
	{0x7f, 0x09, 32, 12, 8, 28, 4}, {0x7f, 0x0b, 32, 12, 8, 28, 4}, {0x2e, 0, 10, 2, 4, 7, 2},
	{0x8e, 0, 16, 2, 8, 10, 4},	{0xae, 0, 12, 2, 4, 6, 4},	{0x9c, 0, 16, 2, 8, 12, 2},
	{0x8b, 0, 16, 2, 8, 10, 4},	{0x8b, 0, 16, 2, 8, 10, 4},
};
#define NR_FORMS (sizeof(forms) / sizeof(forms[0]))

static void random_form(struct world *w, uint64_t lba)
{
	unsigned int form = below(NR_FORMS), n = 1 + below(3);
	uint8_t cdb[32] = {forms[form].opcode};

	if (cdb[0] == 0x7f) {
		cdb[7] = 24;
		cdb[9] = forms[form].action;
	}
	put_number(cdb + forms[form].lba_at, forms[form].lba_width, lba);
	put_number(cdb + forms[form].nr_at, forms[form].nr_width, n);
	submit_blocks(w, cdb, forms[form].len);
}

static void random_kind(struct world *w)
{
	uint64_t lba = below(8);

	switch (below(24)) {
	case 0:
		submit_copy_of(w, below(8), lba);
		return;
	case 1:
		submit_cdb(w, (const uint8_t[16]){0x84, 0x04, [13] = 64}, 16, 64);
		return;
	case 2:
		submit_cdb(w, (const uint8_t[16]){0x91, chance(50) ? 0x02 : 0}, 16, 0);
		return;
	case 3:
		submit_caw(w, lba, UINT64_MAX); /* what nobody writes */
		return;
	case 4:
	case 5:
	case 6:
		random_form(w, lba);
		return;
	}
}

/* A part of the data comes, or is taken; or all of it, with a warning. */
static void random_part(struct world *w)
{
	struct sim_path *p = &w->paths[below(w->nr_paths)];

	if (!chance(4))
		return;
	p->short_left = 1 + below(6);
	p->short_warns = chance(40);
	p->short_of = chance(30) ? SIM_IO_BYTES : 1 + below(3 * SIM_BLOCK_SIZE);
}

/* --- what comes at the worst time --- */

static bool is_lost(const struct sim_io *io)
{
	return io->state == SIM_IO_OUT && !io->tmr && (io->io.fence_ns || io->io.twice);
}

static bool is_hedged(const struct sim_io *io)
{
	return io->state == SIM_IO_OUT && !io->tmr && io->nr_legs == 2;
}

static bool is_held(const struct sim_io *io)
{
	return io->state == SIM_IO_OUT && !io->tmr && !io->sent && !io->in_ring && !io->io.fence_ns;
}

/* One of those; the last one that has come most often. */
static struct sim_io *one_that(struct world *w, bool (*is_such)(const struct sim_io *io))
{
	struct sim_io *found = NULL;
	unsigned int i;

	for (i = w->nr_ios; i-- > 0 && !(found && chance(50));)
		if (is_such(&w->ios[i]))
			found = &w->ios[i];
	return found;
}

static struct sim_path *path_in_use(struct world *w)
{
	unsigned int i, first = below(w->nr_paths);

	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[(first + i) % w->nr_paths];

		if (p->path && p->path->active && p->path->pg == w->m->current_pg)
			return p;
	}
	return NULL;
}

/* Two legs are out for a moment only: one path stalls until there are some. */
static struct sim_io *wait_for_hedge(struct world *w)
{
	struct sim_path *p = path_in_use(w);
	struct sim_io *io = NULL;
	uint64_t latency_ns;
	unsigned int i;

	if (!w->settings.hedged_reads || !p)
		return NULL;
	pretend_history(w);
	advance(w, 250);
	latency_ns = p->latency_ns;
	p->latency_ns = 60 * NSEC_PER_MSEC;
	for (i = 0; i < 6; i++)
		submit_read(w, below(8), 1 + below(3));
	for (i = 0; !(io = one_that(w, is_hedged)) && w->m->nr_legs && i < 20; i++)
		advance_us(w, 1000);
	p->latency_ns = latency_ns;
	return io;
}

static void random_worst_abort(struct world *w)
{
	struct sim_io *io;

	if (chance(w->settings.hedged_reads ? 60 : 0) && (io = wait_for_hedge(w)))
		w->counts.aborts_of_hedged++;
	else if (chance(80) && (io = one_that(w, is_lost)))
		w->counts.aborts_of_lost++;
	else if ((io = one_that(w, is_held)))
		w->counts.aborts_of_held++;
	if (io)
		abort_task(w, io);
}

static bool may_have_orphans(const struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].blocked || w->paths[i].foreign)
			return true;
	return !w->m->restart_over || w->now_ns < w->lost_until_ns;
}

/* Of what decides on commands that are out or held.  A map with fences keeps one, and the others
 * have none. */
static void random_settings(struct world *w)
{
	struct mpath_settings before = w->settings, *settings = &w->settings;

	if (chance(50))
		settings->hedged_reads = chance(50) ? 100 : 0;
	if (chance(50))
		settings->slow_path_factor = chance(50) ? 0 : 2 + below(3);
	if (chance(50) && settings->fence != FENCE_NONE)
		settings->fence = (enum fence_kind)below(FENCE_NONE);
	if (chance(30) && !may_have_orphans(w))
		settings->fence_time_ms = chance(60) ? 1 + below(3000) : 0;
	if (chance(20))
		settings->flaky = (struct mpath_flaky){1 + below(3), 1 + below(3), 1 + below(9)};
	if (reload(w, w->table))
		w->settings = before;
	else
		w->counts.worst_settings++;
}

static bool is_worst_time(const struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_paths; i++)
		if (w->paths[i].path && !w->paths[i].path->identified)
			return true;
	return !list_empty(&w->m->fenced) || w->m->nr_twice || w->m->nr_legs > 1 ||
	       pg_init_pending(w->m);
}

/*
 * Somebody acts just while lost writes wait, reads are out twice, a group is activated, or a path
 * is being identified.
 */
static void random_worst_time(struct world *w)
{
	bool any_lost = !list_empty(&w->m->fenced) || w->m->nr_twice;

	if (w->shut_down || !is_worst_time(w) || !chance(any_lost ? 12 : 5))
		return;
	w->counts.worst_acts++;
	switch (below(16)) {
	case 0:
		reset_lun(w);
		return;
	case 1:
	case 2:
		random_change(w);
		return;
	case 3:
	case 4:
		random_settings(w);
		return;
	case 5:
	case 6:
		random_message(w);
		return;
	case 7:
		random_suspend(w);
		return;
	case 8:
		set_cmd_time_out(w, chance(50) ? 0 : 2 + below(40));
		return;
	case 9:
		if (chance(20))
			random_crash(w);
		return;
	default:
		random_worst_abort(w);
		return;
	}
}

/*
 * As the kernel tells of it, of one disk, or after news were lost of all; and of disks that come
 * and go.  A path that leaves the map is told nothing any more.
 */
static void random_heard(struct world *w)
{
	enum mpath_heard heard = (enum mpath_heard)below(HEARD_ANYTHING + 1);
	bool any = heard == HEARD_ANYTHING;
	unsigned int i, which = below(w->nr_paths);

	if (!chance(6))
		return;
	w->counts.heard++;
	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[i];

		if (p->path && !p->path->leaving && (any || i == which))
			kernel_hears(p, heard);
	}
	if (any || chance(20))
		disks_changed(w);
}

static void random_time(struct world *w)
{
	switch (below(20)) {
	case 0:
		advance(w, below(20000));
		return;
	case 1:
	case 2:
		advance(w, below(2000));
		return;
	default:
		advance(w, below(12));
		return;
	}
}

static void random_event(struct world *w)
{
	struct sim_path *p = &w->paths[below(w->nr_paths)];

	switch (below(45)) {
	case 44:
		random_suspend(w);
		return;
	case 43:
		if (chance(30))
			random_change(w);
		return;
	case 40:
		if (chance(10))
			random_controller(w);
		else if (chance(list_empty(&w->m->fenced) ? 6 : 40) && !w->shut_down)
			random_crash(w);
		return;
	case 41:
		random_gateway_write(w);
		return;
	case 42:
		if (chance(15))
			reset_lun(w);
		else if (chance(10))
			lose_power(w);
		return;
	case 0:
	case 1:
		random_mode(p);
		return;
	case 2:
		if (!p->blocked)
			random_io_mode(p);
		return;
	case 3:
		random_ua(p);
		return;
	case 4:
		random_open(p);
		return;
	case 5:
		random_message(w);
		return;
	case 6:
		random_abort(w);
		return;
	case 7:
		if (chance(20))
			set_cmd_time_out(w, chance(50) ? 0 : 2 + below(40));
		return;
	case 8:
		p->latency_ns = chance(95) ? (1 + below(40)) * NSEC_PER_MSEC / 4
					   : below(7000) * NSEC_PER_MSEC;
		return;
	case 9:
		if (make == MAKE_SIM)
			random_port_group(w);
		else
			random_owner(w);
		return;
	case 10:
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
		random_time(w);
		return;
	default:
		random_submit(w);
		return;
	}
}

/* --- how it ends --- */

/* The LUN that the map has pinned, or may pin. */
static struct sim_lun *lun_of_map(struct world *w)
{
	return strcmp(mpath_lun(w->m)->wwid, w->luns[1].wwid) ? &w->luns[0] : &w->luns[1];
}

static void tell_groups(struct world *w)
{
	unsigned int g;

	for (g = 1; g <= w->luns[0].nr_groups; g++)
		set_port_group(w, g, ALUA_OPTIMIZED, true);
}

/* Whoever tells of them, and of however many: all have been asked, if a check has met the news. */
static void check_groups(struct world *w)
{
	unsigned int i;

	for (i = 0; w->settings.checker && i < w->nr_paths; i++) {
		const struct path *path = w->paths[i].path;

		if (path && !path->leaving && path->tpg.state_known)
			oracle_check(w, path->tpg.state == ALUA_OPTIMIZED,
				     "%s is not known to be optimized", w->paths[i].name);
	}
}

/* A check may have come just when an activation had the array move the LUN: the next one tells. */
static bool comes_into_use(struct world *w, const struct sim_path *p)
{
	for (unsigned int i = 0; i < 20; i++) {
		if (!p->path || p->path->leaving || (p->path->active && !p->path->suspect))
			return true;
		advance(w, 100);
	}
	return false;
}

/* All is well again: everything is answered, and every path of the LUN is back in use. */
static void heal(struct world *w)
{
	bool is_slow = has_extra(EXTRA_KINDS) || has_extra(EXTRA_RESTARTS);
	unsigned int patience = is_slow ? 80 : has_extra(EXTRA_COMMANDS) ? 40 : 10;
	unsigned int i, g;

	for (i = 0; i < w->nr_paths; i++) {
		random_end_of_block(&w->paths[i]);
		if (w->paths[i].blocked)
			sim_block_ends(&w->paths[i]); /* this process does not see it */
	}
	for (i = 0; i < w->nr_paths; i++)
		while (!is_seen(&w->paths[i]))
			advance(w, 10);
	set_cmd_time_out(w, 0);
	message(w, "resume");
	with_dice_of(EXTRA_TABLES, w, tables_end);
	with_dice_of(EXTRA_ARRAY, w, arrays_end);
	reload(w, w->table); /* with all its paths */
	for (i = 0; i < SIM_LUNS_MAX; i++) {
		w->luns[i].stpg = STPG_OBEYS;
		w->luns[i].move = MOVE_OBEYS;
		w->luns[i].upgrading = w->luns[i].other_mode = w->luns[i].starting = false;
		for (g = 0; g < w->luns[i].nr_groups; g++)
			w->luns[i].groups[g].state = ALUA_OPTIMIZED;
	}
	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[i];
		char text[64];

		p->refused = NULL;
		p->open_hangs = false;
		p->write_protected = false;
		p->busy = 0;
		p->short_left = 0;
		p->nexus.lun = lun_of_map(w);
		p->latency_ns = SIM_LATENCY;
		p->session_unknown = false;
		set_io_mode(p, MODE_UP, 0);
		set_mode(p, MODE_UP);
		snprintf(text, sizeof(text), "reinstate_path %s", p->name);
		message(w, text);
	}
	advance(w, 1000);
	/* An answer that was on its way may have shown another LUN first. */
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].nexus.lun = lun_of_map(w);
	with_dice_of(EXTRA_GROUPS, w, tell_groups);
	advance(w, 89000);
	/* The kernel's orphans, and their fences; of an UNMAP 10.5 minutes after it was let go,
	 * and a copy may take as long by itself. */
	for (i = 0; i < patience && w->m->nr_ios; i++)
		advance(w, 30000);
	advance(w, 10000); /* what waited so long may have found out that a path is passive */
	for (i = 0; i < w->nr_ios; i++)
		oracle_check(w, w->ios[i].state == SIM_IO_ANSWERED,
			     "io %u waits though all is well", i);
	for (i = 0; i < w->nr_paths; i++)
		oracle_check(w, comes_into_use(w, &w->paths[i]),
			     "%s is not used though all is well", w->paths[i].name);
	with_dice_of(EXTRA_GROUPS, w, check_groups);
	expect(w, mpath_lun(w->m)->known);
}

/* Nothing is drawn for that: as above. */
static enum sim_make make_of(uint64_t seed)
{
	return seed % 5 == 1 ? (enum sim_make)(MAKE_EMC + seed / 5 % 3) : MAKE_SIM;
}

/* --- the short way of a command through the map, and the long one (core/short_way.c) --- */

static uint64_t record; /* a hash of what the core was told, and what it had done */

static void put_on_record(uint64_t what)
{
	record = (record ^ what) * 0x9e3779b97f4a7c15;
	record ^= record >> 29;
}

static void record_step(struct world *w, struct mpath_event *event, struct mpath_actions *actions)
{
	const struct mpath_io *io;

	(void)w;
	put_on_record(event->now_ns + event->type);
	put_on_record(actions->wake_ns);
	list_for_each_entry(io, &actions->start, node) {
		put_on_record(io->path->id);
		put_on_record(io->start_ns ^ io->send_by_ns);
		put_on_record(((uint64_t)io->cmd.timeout_ms << 8) + io->cmd.cdb[0]);
	}
	list_for_each_entry(io, &actions->complete, node) {
		put_on_record(io->arrival_ns);
		put_on_record(((uint64_t)io->result.residual << 8) + io->result.status);
	}
}

static void close_short_way(struct world *w, struct mpath_event *event)
{
	(void)event;
	w->m->calm = false;
}

static void random_page(struct world *w)
{
	random_pages(w, roll());
}

static void live_once(uint64_t seed, bool only_long_way)
{
	struct world *w;
	unsigned int i;

	shake(seed);
	make = make_of(seed);
	w = random_world();
	record = 0;
	w->after = record_step;
	if (only_long_way)
		w->before = close_short_way;
	world_start(w);
	if (chance(70))
		advance(w, below(200));
	for (i = 0; i < STEPS; i++) {
		random_event(w);
		with_dice_of(EXTRA_KEPT_BACK, w, random_block);
		with_dice_of(EXTRA_STANDSTILL, w, random_standstill);
		with_dice_of(EXTRA_DEFERRED, w, random_deferred);
		with_dice_of(EXTRA_BUSY, w, random_busy);
		with_dice_of(EXTRA_COMMANDS, w, random_command);
		with_dice_of(EXTRA_WORST_TIME, w, random_worst_time);
		with_dice_of(EXTRA_PIECES, w, random_part);
		with_dice_of(EXTRA_KINDS, w, random_kind);
		with_dice_of(EXTRA_RESTARTS, w, random_deaths);
		with_dice_of(EXTRA_HEARD, w, random_heard);
		with_dice_of(EXTRA_PAGES, w, random_page);
		with_dice_of(EXTRA_TABLES, w, random_tables);
		with_dice_of(EXTRA_ARRAY, w, random_arrays);
	}
	if (chance(50)) {
		heal(w);
	} else if (chance(30)) {
		shut_down_world(w);
		for (i = 0; i < 40; i++)
			random_event(w);
	}
	count_episodes(w);
	world_end(w);
}

/* Some live twice, and must fare the same. */
static void live(uint64_t seed)
{
	uint64_t first;

	live_once(seed, false);
	if (seed % 8 != 3)
		return;
	first = record;
	live_once(seed, true);
	if (record == first)
		return;
	fprintf(stderr, "seed %llu: the short way and the long one do not do the same\n",
		(unsigned long long)seed);
	abort();
}

/* --- all of them --- */

/* Seeds that have found something: each is a file that tells what. */
static void live_found_seeds(void)
{
	DIR *dir = opendir(SEEDS_DIR);
	struct dirent *entry;

	if (!dir) {
		fprintf(stderr, "no directory %s\n", SEEDS_DIR);
		exit(1);
	}
	while ((entry = readdir(dir))) {
		shared->seed = strtoull(entry->d_name, NULL, 10);
		if (shared->seed)
			live(shared->seed);
	}
	closedir(dir);
}

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static void run_share(unsigned int job, unsigned int nr_jobs)
{
	bool is_long = getenv("MPATH_LONG") != NULL;
	unsigned long first = number_from("MPATH_FIRST_SEED", 1);
	unsigned long nr_seeds = number_from("MPATH_SEEDS", SEEDS_DEFAULT);

	if (job == 0 && heat() == 1) /* in heat these would be other worlds */
		live_found_seeds();
	for (shared->seed = first + job;
	     is_long ? shared->nr_ios < LONG_COMMANDS / nr_jobs : shared->seed < first + nr_seeds;
	     shared->seed += nr_jobs)
		live(shared->seed);
}

static bool report_line(unsigned long n, unsigned int floor, unsigned long nr_worlds,
			const char *what)
{
	bool enough = n >= (unsigned long)floor * nr_worlds / 1000;

	printf("%10lu %s%s\n", n, what, enough ? "" : "   <-- too few");
	return enough || nr_worlds < WORLDS_TO_TELL || heat() > 1;
}

static int report(const struct shared *jobs, unsigned int nr_jobs)
{
	struct shared sum = {0};
	bool enough = true;
	size_t i;

	for (unsigned int job = 0; job < nr_jobs; job++) {
		for (i = 0; i < NR_EPISODES; i++)
			sum.seen[i] += jobs[job].seen[i];
		for (i = 0; i < NR_TALLIES; i++)
			sum.counted[i] += jobs[job].counted[i];
		sum.nr_worlds += jobs[job].nr_worlds;
		sum.nr_ios += jobs[job].nr_ios;
		sum.virtual_ms += jobs[job].virtual_ms;
	}
	printf("%lu worlds, %lu commands, %llu hours of virtual time\n", sum.nr_worlds, sum.nr_ios,
	       (unsigned long long)sum.virtual_ms / 3600000);
	for (i = 0; i < NR_EPISODES; i++)
		enough &= report_line(sum.seen[i], episodes[i].floor, sum.nr_worlds,
				      episodes[i].part);
	for (i = 0; i < NR_TALLIES; i++)
		enough &= report_line(sum.counted[i], tallies[i].floor, sum.nr_worlds,
				      tallies[i].what);
	return !enough;
}

static unsigned int jobs_wanted(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (unsigned int)n;
}

int main(int argc, char **argv)
{
	unsigned int job, nr_jobs = jobs_wanted();
	struct shared *jobs;
	pid_t pids[JOBS_MAX];
	bool failed = false;
	int status;

	jobs = mmap(NULL, nr_jobs * sizeof(*jobs), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (jobs == MAP_FAILED)
		return 1;
	shared = jobs;
	if (argc > 1) {
		setenv("SIM_VERBOSE", "1", 1);
		live(strtoull(argv[1], NULL, 10));
		return 0;
	}

	/* Children: their parent still knows the seed when an assertion or a sanitizer ends one. */
	for (job = 0; job < nr_jobs; job++) {
		shared = &jobs[job];
		pids[job] = fork();
		if (pids[job] == 0) {
			run_share(job, nr_jobs);
			exit(0);
		}
	}
	for (job = 0; job < nr_jobs; job++) {
		if (pids[job] > 0 && waitpid(pids[job], &status, 0) == pids[job] && status == 0)
			continue;
		failed = true;
		printf("FAILED with seed %llu: replay it with\n\ttests/sim/replay %llu\n",
		       (unsigned long long)jobs[job].seed, (unsigned long long)jobs[job].seed);
	}
	return failed ? 1 : report(jobs, nr_jobs);
}
