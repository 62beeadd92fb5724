/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random worlds: a map, its paths and its initiators do as a seed tells them, and the oracle looks
 * on (lib/oracle.c).  A seed that fails is replayed with tests/sim/replay SEED.
 *
 *   sim_random		1 .. MPATH_SEEDS (default below)
 *   sim_random SEED	that one, with all that happens in it
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mpath/scsi.h"
#include "sim/lib/world.h"

#define SEEDS_DEFAULT 1500
#define STEPS	      250
#define FOREIGN_MAX   8

/* --- dice --- */

static uint64_t rng;

static uint64_t roll(void)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)(roll() % n);
}

static bool chance(unsigned int percent)
{
	return below(100) < percent;
}

static bool coin(struct world *w)
{
	(void)w;
	return chance(50);
}

/* --- what must have happened, so that no run is empty --- */

static const struct {
	const char *part;   /* of a sentence of the trace */
	unsigned int floor; /* of them in 1000 worlds */
} episodes[] = {
	{": start on", 100000},
	{": good", 50000},
	{": failed (transport lost)", 300},
	{": failed (device gone)", 100},
	{": failed (standby)", 100},
	{": failed (checker: down)", 200},
	{": failed (fail_path message)", 200},
	{": the probe is not answered", 500},
	{": given up on", 200},
	{": reinstated", 2000},
	{": excluded: WWID is", 15},
	{": excluded: no such device", 200},
	{": in doubt (host adapter error)", 1000},
	{": in doubt (asymmetric", 30},
	{": in doubt (port group in transition)", 100},
	{": in doubt (LUN list changed)", 100},
	{": cleared", 2000},
	{": no path -> queue", 5000},
	{": no path", 10000},
	{": waits for a path in doubt", 5000},
	{": waits for commands of a former process", 5000},
	{"restart: no command of a former process is left", 500},
	{"restart: the wait is over", 10},
	{"has no foreign commands any more", 200},
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
	{": its old copy cannot land any more (LOGICAL UNIT RESET)", 100},
	{": LOGICAL UNIT RESET failed", 20},
	{": may have been executed, not repeated", 100},
	{": tried on every path", 500},
	{": local resource used up on", 10000},
	{": refused by this host on", 500},
	{"the target has no such LUN", 50},
	{": now current", 1000},
	{": asked for", 200},
	{": bypassed", 200},
	{": close", 1000},
	{"shutdown: nothing is held", 50},
	{": waits for activation", 5000},
	{": activation, round 1", 1000},
	{": activation, round 2", 10},
	{": activated", 1000},
	{": failed (activation", 100},
	{": asked for the states of port groups", 1000},
	{"transitioning", 100},
	{": bypassed", 200},
};
#define NR_EPISODES (sizeof(episodes) / sizeof(episodes[0]))

/* Seen by the parent also when the child breaks an assertion. */
struct shared {
	uint64_t seed;
	unsigned long seen[NR_EPISODES];
	unsigned long nr_ios;
	uint64_t virtual_ms;
};
static struct shared *shared;

static void count_line(const char *line)
{
	size_t i;

	for (i = 0; i < NR_EPISODES; i++)
		shared->seen[i] += strstr(line, episodes[i].part) != NULL;
}

static void count_episodes(const struct world *w)
{
	const char *p = w->trace;
	char line[320];
	size_t len;

	for (; *p; p += len + 1) {
		len = strcspn(p, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, p);
		count_line(line);
	}
	shared->nr_ios += w->nr_ios;
	shared->virtual_ms += now_ms(w);
}

/* --- a random world --- */

/* A write of the dead process that is still on its way. */
struct foreign_write {
	struct sim_path *path;
	uint64_t lands_ns;
	uint64_t lba;
	uint64_t stamp;
};

static struct foreign_write foreign[FOREIGN_MAX];
static unsigned int nr_foreign;
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
	if (!alua || chance(50))
		return "1 queue_if_no_path";
	return "5 queue_if_no_path pg_init_retries 2 pg_init_delay_msecs 40";
}

static struct world *random_table(void)
{
	unsigned int g, i, minor = 0, nr_groups = 1 + below(3);
	struct strbuf out;
	char table[1024];

	strbuf_init(&out, table, sizeof(table));
	alua = chance(35);
	strbuf_printf(&out, "%s %s %u %u", random_features(), alua ? "1 alua" : "0", nr_groups,
		      1 + below(nr_groups));
	for (g = 0; g < nr_groups; g++) {
		unsigned int n = 1 + below(3);

		/* The argument is io-affinity's CPU mask; the others take it for a repeat_count. */
		strbuf_printf(&out, " %s %u 1", random_selector(), n);
		for (i = 0; i < n; i++)
			strbuf_printf(&out, " 8:%u %x", 16 * minor++, 1u << i);
	}
	return world_new(table);
}

static void random_foreign(struct world *w)
{
	unsigned int i, n = 1 + below(FOREIGN_MAX - 1);

	if (chance(50)) {
		w->settings.path_timeout_ms = 3000;
		w->settings.restart_wait_ms = 5000;
	}
	for (i = 0; i < n; i++) {
		struct foreign_write *f = &foreign[nr_foreign++];

		f->path = &w->paths[below(w->nr_paths)];
		f->lands_ns = w->now_ns + (1 + below(chance(70) ? w->settings.path_timeout_ms
								: w->settings.restart_wait_ms)) *
						  NSEC_PER_MSEC;
		f->lba = below(8);
		f->stamp = 1000000 + i;
		f->path->foreign++;
		f->path->refused = NULL; /* nobody could know of them */
	}
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
	}
}

static struct world *random_world(void)
{
	struct world *w = random_table();
	unsigned int i;

	if (alua)
		give_port_groups(w, (uint8_t)(1 + below(3)), (w->nr_paths + 1) / (1 + below(2)));
	w->luns[0].announced_s = (uint8_t)(chance(50) ? 0 : 2 + below(20));
	nr_foreign = 0;
	lun_may_change = chance(30);
	w->coin = coin;
	w->wake_late_ns = chance(50) ? 0 : below(3) * NSEC_PER_MSEC;
	if (chance(15))
		w->settings.checker = NULL;
	if (chance(20))
		memcpy(w->settings.wwid, w->luns[0].wwid, sizeof(w->luns[0].wwid));
	if (chance(40))
		set_cmd_time_out(w, 2 + below(30));
	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[i];

		p->queue_depth = chance(50) ? 32 : 1 + below(6);
		p->latency_ns = (1 + below(5)) * NSEC_PER_MSEC / (1 + below(3));
		p->open_latency_ns = (1 + below(30)) * NSEC_PER_MSEC;
		if (chance(5))
			p->refused = "no such device";
	}
	random_fence(w);
	if (chance(30))
		random_foreign(w);
	return w;
}

/* After their time-out the kernel does not count them any more, though they may still land (H3). */
static void hide_foreign(struct world *w)
{
	unsigned int i;

	if (w->now_ns < w->start_ns + w->settings.path_timeout_ms * NSEC_PER_MSEC)
		return;
	for (i = 0; i < w->nr_paths; i++)
		w->paths[i].hidden = w->paths[i].foreign;
}

/* Time goes on, and with it the dead process's writes. */
static void go_on(struct world *w, uint64_t ms)
{
	uint64_t until = w->now_ns + ms * NSEC_PER_MSEC;

	for (;;) {
		struct foreign_write *next = NULL;
		unsigned int i;

		for (i = 0; i < nr_foreign; i++)
			if (foreign[i].lands_ns && (!next || foreign[i].lands_ns < next->lands_ns))
				next = &foreign[i];
		if (!next || next->lands_ns > until)
			break;
		if (next->lands_ns > w->now_ns)
			advance(w, (next->lands_ns - w->now_ns) / NSEC_PER_MSEC);
		oracle_foreign_write(w, next->lba, next->stamp);
		next->path->foreign--;
		next->path->hidden = 0;
		hide_foreign(w);
		next->lands_ns = 0;
	}
	if (until > w->now_ns)
		advance(w, (until - w->now_ns) / NSEC_PER_MSEC);
	hide_foreign(w);
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
		submit_capacity(w);
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
		submit_read(w, lba, n);
		return;
	}
}

static bool may_be_disturbed(const struct sim_path *p)
{
	return p->nr_opens || !p->foreign; /* else nobody could know of its foreign commands */
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
	set_mode(p, mode);
}

static void random_io_mode(struct sim_path *p)
{
	switch (below(6)) {
	case 0:
		answer_with_status(p, chance(50) ? SAM_BUSY : SAM_TASK_SET_FULL, 1 + below(12));
		return;
	case 1:
		answer_with_status(p, SAM_RESERVATION_CONFLICT, 1 + below(3));
		return;
	case 2:
		answer_with_sense(p, 0x03, chance(50) ? 0x11 : 0x0c, 0x00, 1 + below(3));
		return;
	case 3:
		answer_with_sense(p, 0x0b, 0x44, 0x00, 1 + below(3));
		return;
	case 4:
		set_io_mode(p, MODE_UP, 0);
		return;
	default:
		set_io_mode(p, (enum sim_mode)below(MODE_ANSWER), 1 + below(10));
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

	if (!lun->nr_groups)
		return;
	if (chance(20))
		lun->stpg = (enum sim_stpg)below(STPG_TAKES_TIME + 1);
	set_port_group(w, 1 + below(lun->nr_groups), states[below(sizeof(states))], chance(50));
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

	if (which <= 2)
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

static void random_time(struct world *w)
{
	switch (below(20)) {
	case 0:
		go_on(w, below(20000));
		return;
	case 1:
	case 2:
		go_on(w, below(2000));
		return;
	default:
		go_on(w, below(12));
		return;
	}
}

static void random_event(struct world *w)
{
	struct sim_path *p = &w->paths[below(w->nr_paths)];

	switch (below(41)) {
	case 40:
		if (chance(30))
			random_change(w);
		return;
	case 0:
	case 1:
		random_mode(p);
		return;
	case 2:
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
		random_port_group(w);
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

/* All is well again: everything is answered, and every path of the LUN is back in use. */
static void heal(struct world *w)
{
	unsigned int i, g;

	set_cmd_time_out(w, 0);
	reload(w, w->table); /* with all its paths */
	for (i = 0; i < SIM_LUNS_MAX; i++) {
		w->luns[i].stpg = STPG_OBEYS;
		for (g = 0; g < w->luns[i].nr_groups; g++)
			w->luns[i].groups[g].state = ALUA_OPTIMIZED;
	}
	for (i = 0; i < w->nr_paths; i++) {
		struct sim_path *p = &w->paths[i];
		char text[64];

		p->refused = NULL;
		p->open_hangs = false;
		p->nexus.lun = lun_of_map(w);
		p->latency_ns = SIM_LATENCY;
		set_io_mode(p, MODE_UP, 0);
		set_mode(p, MODE_UP);
		snprintf(text, sizeof(text), "reinstate_path %s", p->name);
		message(w, text);
	}
	go_on(w, 90000);
	for (i = 0; i < 10 && w->m->nr_ios; i++)
		go_on(w, 30000); /* the kernel's orphans, and their fences */
	for (i = 0; i < w->nr_ios; i++)
		oracle_check(w, w->ios[i].state == SIM_IO_ANSWERED,
			     "io %u waits though all is well", i);
	for (i = 0; i < w->nr_paths; i++)
		oracle_check(w,
			     !w->paths[i].path || w->paths[i].path->leaving ||
				     (w->paths[i].path->active && !w->paths[i].path->suspect),
			     "%s is not used though all is well", w->paths[i].name);
	expect(w, mpath_lun(w->m)->known);
}

static void live(uint64_t seed)
{
	struct world *w;
	unsigned int i;

	rng = seed * 0x2545f4914f6cdd1d;
	w = random_world();
	world_start(w);
	if (chance(70))
		go_on(w, below(200));
	for (i = 0; i < STEPS; i++)
		random_event(w);
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

/* --- all of them --- */

static void run_all(unsigned int nr_seeds)
{
	for (shared->seed = 1; shared->seed <= nr_seeds; shared->seed++)
		live(shared->seed);
}

static int report(unsigned int nr_seeds)
{
	int failed = 0;
	size_t i;

	printf("%u worlds, %lu commands, %llu hours of virtual time\n", nr_seeds, shared->nr_ios,
	       (unsigned long long)shared->virtual_ms / 3600000);
	for (i = 0; i < NR_EPISODES; i++) {
		unsigned long floor = (unsigned long)episodes[i].floor * nr_seeds / 1000;
		bool enough = shared->seen[i] >= floor;

		printf("%8lu %s%s\n", shared->seen[i], episodes[i].part,
		       enough ? "" : "   <-- too few");
		failed |= !enough && nr_seeds >= 200;
	}
	return failed;
}

static unsigned int seeds_wanted(void)
{
	const char *text = getenv("MPATH_SEEDS");

	return text ? (unsigned int)strtoul(text, NULL, 10) : SEEDS_DEFAULT;
}

int main(int argc, char **argv)
{
	unsigned int nr_seeds = seeds_wanted();
	int status = 0;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	if (argc > 1) {
		setenv("SIM_VERBOSE", "1", 1);
		live(strtoull(argv[1], NULL, 10));
		return 0;
	}

	/* A child: its parent still knows the seed when an assertion or a sanitizer ends it. */
	pid = fork();
	if (pid == 0) {
		run_all(nr_seeds);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		printf("FAILED with seed %llu: replay it with\n\ttests/sim/replay %llu\n",
		       (unsigned long long)shared->seed, (unsigned long long)shared->seed);
		return 1;
	}
	return report(nr_seeds);
}
