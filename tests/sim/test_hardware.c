/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hardware table: what a map does not say is filled in when it meets its LUN.
 */
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "mpath/scsi.h"
#include "sim/lib/tables.h"
#include "sim/lib/world.h"

#define BOTH	 3
#define ALL_OPEN (2 * HARDWARE_PG_INIT_DELAY - 1)

#define A "round-robin 0 1 1 8:0 1 "
#define B "round-robin 0 1 1 8:16 1 "

#define TWO_ALONE "0 0 2 1 " A B
#define TOGETHER  "1 1 round-robin 0 2 1 8:0 1 8:16 1 "

#define MULTIBUS .says = HARDWARE_GROUPING, .policy = {.grouping = GROUPING_MULTIBUS}

/* One rule, for a list of paths that says nothing itself. */
static struct world *new_world(const char *table, const struct hardware_rule *rule)
{
	static _Alignas(struct hardware_table) char memory[8192];
	struct hardware_table *hardware = (struct hardware_table *)memory;
	struct world *w = world_new(table);

	hardware->nr_rules = 1;
	memcpy(hardware->rules, rule, sizeof(*rule));
	w->settings.hardware = hardware;
	w->settings.left_open = ALL_OPEN;
	return w;
}

static void expect_rule(struct world *w, const char *name)
{
	expect(w, w->m->hardware_met);
	if (name)
		expect(w, w->m->hardware_rule && !strcmp(w->m->hardware_rule->name, name));
	else
		expect(w, !w->m->hardware_rule);
}

/* --- which rule --- */

static void meets(const char *vendor, const char *product, bool wants_tpgs, bool has_tpgs,
		  bool fits)
{
	struct hardware_rule rule = {.name = "rule", .wants_tpgs = wants_tpgs, MULTIBUS};
	struct world *w;

	strcpy(rule.vendor, vendor);
	strcpy(rule.product, product);
	w = new_world(TWO_ALONE, &rule);
	if (has_tpgs)
		give_port_groups(w, BOTH, 2);
	world_up(w);
	expect_rule(w, fits ? "rule" : NULL);
	if (fits)
		expect_notice(w, "the array is [rule] of the hardware table");
	else
		expect_no_notice(w, "hardware table");
	world_end(w);
}

/* Patterns are for the whole words, without the blanks behind them. */
static void patterns(void)
{
	meets("SIM", "VIRTUAL ARRAY", false, false, true);
	meets("*", "*", false, true, true);
	meets("S?M", "VIRTUAL*", false, false, true);
	meets("[A-Z]IM", "VIRTUAL [AB]RRAY", false, false, true);
	meets("SIM", "VIRTUAL", false, false, false);
	meets("SI", "*", false, false, false);
	meets("sim", "*", false, false, false);
	meets("*", "*", true, false, false);
	meets("*", "*", true, true, true);
}

static void the_first_rule_that_fits(void)
{
	struct hardware_rule rule = {.name = "other", .vendor = "OTHER", .product = "*"};
	struct world *w = new_world(TWO_ALONE, &rule);
	struct hardware_table *hardware = (struct hardware_table *)w->settings.hardware;

	hardware->nr_rules = 3;
	rule = (struct hardware_rule){.name = "first", .vendor = "SIM", .product = "*"};
	memcpy(&hardware->rules[1], &rule, sizeof(rule));
	rule = (struct hardware_rule){.name = "second", .vendor = "*", .product = "*"};
	memcpy(&hardware->rules[2], &rule, sizeof(rule));
	world_up(w);
	expect_rule(w, "first");
	world_end(w);
}

/* --- what it says --- */

/* Groups are the rule's before the first command goes anywhere. */
static void a_rule_groups_the_paths(void)
{
	const struct hardware_rule rule = {.name = "r", .vendor = "SIM", .product = "*", MULTIBUS};
	struct world *w = new_world(TWO_ALONE, &rule);
	struct sim_io *io;

	world_start(w);
	io = submit_read(w, 0, 1);
	advance(w, 100);
	expect_good(w, io);
	expect_table(w, "0 0 " TOGETHER);
	expect_detail(w, "hardware table: [r]");
	world_end(w);
}

/* Serial numbers are asked for before the rule is known that wants them. */
static void a_rule_groups_by_serial_number(void)
{
	const struct hardware_rule rule = {.name = "r",
					   .vendor = "SIM",
					   .product = "*",
					   .says = HARDWARE_GROUPING,
					   .policy = {.grouping = GROUPING_GROUP_BY_SERIAL}};
	struct world *w = new_world("0 0 3 1 " A B "round-robin 0 1 1 8:32 1 ", &rule);

	sim_path(w, "8:16")->nexus.serial = "2";
	world_up(w);
	expect_table(w, "0 0 2 1 round-robin 0 2 1 8:0 1 8:32 1 round-robin 0 1 1 8:16 1 ");
	expect(w, w->nr_regroups == 1);
	world_end(w);
}

/*
 * What is shipped for arrays with port groups.  Without a handler that asks for their states
 * nothing tells which paths belong together.
 */
static void a_rule_for_arrays_with_port_groups(void)
{
	const struct hardware_rule rule = {
		.name = "alua",
		.vendor = "*",
		.product = "*",
		.wants_tpgs = true,
		.says = HARDWARE_GROUPING | HARDWARE_FAILBACK,
		.policy = {.grouping = GROUPING_GROUP_BY_PRIO, .failback = FAILBACK_IMMEDIATE}};
	struct world *w = new_world(TWO_ALONE, &rule);

	give_port_groups(w, BOTH, 1);
	set_port_group(w, 2, ALUA_OPTIMIZED, false);
	w->lists_paths = true;
	world_up(w);
	expect_table(w, "0 1 alua 1 1 round-robin 0 2 1 8:0 1 8:16 1 ");
	world_end(w);

	w = new_world(TWO_ALONE, &rule); /* hw_handler=none */
	give_port_groups(w, BOTH, 1);
	world_up(w);
	expect_rule(w, "alua");
	expect_table(w, "0 0 2 1 " A B);
	world_end(w);

	w = new_world(TWO_ALONE, &rule);
	w->lists_paths = true;
	world_up(w);
	expect_rule(w, NULL);
	expect_table(w, "0 0 2 1 " A B);
	world_end(w);
}

static void a_rule_for_failback(void)
{
	const struct hardware_rule rule = {.name = "r",
					   .vendor = "SIM",
					   .product = "*",
					   .says = HARDWARE_FAILBACK,
					   .policy = {.failback = FAILBACK_IMMEDIATE}};
	struct world *w = new_world(TWO_ALONE, &rule);
	struct sim_io *io;

	world_up(w);
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:16"));
	set_mode(sim_path(w, "8:0"), MODE_UP);
	advance(w, 2000);
	io = submit_read(w, 0, 1);
	advance(w, 50);
	expect_good(w, io);
	expect(w, io->last_path == sim_path(w, "8:0"));
	world_end(w);
}

/* What the administrator says counts more, word by word. */
static void a_map_says_it_itself(void)
{
	const struct hardware_rule rule = {
		.name = "r",
		.vendor = "SIM",
		.product = "*",
		.says = ALL_OPEN,
		.checker = path_checker_find("directio"),
		.queue_if_no_path = true,
		.policy = {.grouping = GROUPING_MULTIBUS, .failback = FAILBACK_IMMEDIATE}};
	struct world *w = new_world(TWO_ALONE, &rule);

	w->settings.left_open = 0;
	world_up(w);
	expect_rule(w, "r");
	expect_table(w, "0 0 2 1 " A B);
	expect(w, w->m->settings.checker == path_checker_find("tur"));
	expect(w, !w->m->settings.policy.on);
	world_end(w);

	w = new_world(TWO_ALONE, &rule);
	w->settings.left_open = HARDWARE_CHECKER;
	world_up(w);
	expect_table(w, "0 0 2 1 " A B);
	expect(w, w->m->settings.checker == path_checker_find("directio"));
	world_end(w);
}

/* No checker at all: then nobody is asked. */
static void a_rule_for_the_checker(void)
{
	const struct hardware_rule rule = {.name = "r",
					   .vendor = "SIM",
					   .product = "*",
					   .says = HARDWARE_CHECKER,
					   .checker = NULL};
	struct world *w = new_world(TWO_ALONE, &rule);
	unsigned int probes;

	world_up(w);
	advance(w, 10000);
	probes = sim_path(w, "8:16")->nr_probes;
	advance(w, 60000);
	expect(w, sim_path(w, "8:16")->nr_probes == probes);
	world_end(w);
}

static const struct hardware_rule patient = {.name = "r",
					     .vendor = "SIM",
					     .product = "*",
					     .says = HARDWARE_NO_PATH_RETRY,
					     .queue_if_no_path = true,
					     .no_path_retries = 2};

/* Two times the polling interval, as multipathd counts. */
static void a_rule_for_patience(void)
{
	struct world *w = new_world(TWO_ALONE, &patient);
	struct sim_io *io;

	world_up(w);
	expect_table(w, "1 queue_if_no_path 0 2 1 " A B);
	w->settings.no_path_timeout_read_ms =
		10000; /* for the oracle, who does not know the rule */
	set_mode(sim_path(w, "8:0"), MODE_NOT_SENT);
	set_mode(sim_path(w, "8:16"), MODE_NOT_SENT);
	io = submit_read(w, 0, 1);
	advance(w, 9000);
	expect_pending(w, io);
	advance(w, 2000);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

/* A message came first, while no path was there. */
static void a_message_counts_more(void)
{
	struct world *w = new_world("1 queue_if_no_path 0 2 1 " A B, &patient);
	struct sim_path *a, *b;

	a = sim_path(w, "8:0");
	b = sim_path(w, "8:16");
	a->refused = b->refused = "not there";
	world_up(w);
	expect(w, message(w, "fail_if_no_path") == 0);
	a->refused = b->refused = NULL;
	advance(w, 3000);
	expect_rule(w, "r");
	expect_table(w, "0 0 2 1 " A B);
	world_end(w);
}

/* A LUN that is known from an earlier run need not be met again. */
static void a_restart_without_paths(void)
{
	struct world *w = new_world(TWO_ALONE, &patient);
	struct sim_io *io;

	world_up(w);
	kill_world(w, 0);
	sim_path(w, "8:0")->refused = "not there";
	sim_path(w, "8:16")->refused = "not there";
	restart_world(w);
	io = submit_read(w, 0, 1);
	advance(w, 5000);
	expect_pending(w, io);
	sim_path(w, "8:0")->refused = NULL;
	advance(w, 2000);
	expect_good(w, io);
	world_end(w);
}

/* The rule wants groups, but there is nothing to make them of: nobody waits for them. */
static void a_restart_whose_path_is_removed(void)
{
	const struct hardware_rule rule = {.name = "r", .vendor = "SIM", .product = "*", MULTIBUS};
	struct world *w = new_world("0 0 1 1 " A, &rule);
	struct sim_io *io;

	world_up(w);
	kill_world(w, 0);
	sim_path(w, "8:0")->open_hangs = true;
	restart_world(w);
	expect(w, remove_path(w, "8:0") == 0);
	io = submit_read(w, 0, 1);
	advance(w, 2000);
	expect_sense(w, io, 0x02, 0x08, 0x00);
	world_end(w);
}

/* --- the hardware handler --- */

static const struct hardware_rule no_handler = {
	.name = "r", .vendor = "SIM", .product = "*", .says = HARDWARE_HW_HANDLER};

static struct world *alua_world(const struct hardware_rule *rule)
{
	struct world *w = new_world("1 retain_attached_hw_handler 0 2 1 " A B, rule);

	give_port_groups(w, BOTH, 1);
	return w;
}

/* The array's own handler is not to be used.  But a table says it itself. */
static void a_rule_against_the_handler(void)
{
	struct world *w = alua_world(&no_handler);

	w->lists_paths = true;
	world_up(w);
	expect_table(w, "1 retain_attached_hw_handler 0 2 1 " A B);
	world_end(w);

	w = alua_world(&no_handler);
	world_up(w);
	expect_table(w, "1 retain_attached_hw_handler 1 alua 2 1 " A B);
	world_end(w);
}

static void a_rule_for_the_handler(void)
{
	struct hardware_rule rule = no_handler;
	struct world *w;

	rule.hw_handler = hw_handler_find("hp_sw");
	w = new_world(TWO_ALONE, &rule);
	w->lists_paths = true;
	world_up(w);
	expect_table(w, "0 1 hp_sw 2 1 " A B);
	world_end(w);
}

static const struct hardware_rule patient_activation = {.name = "r",
							.vendor = "SIM",
							.product = "*",
							.says = HARDWARE_PG_INIT_RETRIES |
								HARDWARE_PG_INIT_DELAY,
							.pg_init_retries = 2,
							.pg_init_delay_msecs = 300};

/* How often, and with which pause, the array is asked to move the LUN; a table says it itself. */
static void a_rule_for_activation(void)
{
	struct world *w = new_world("0 1 alua 2 1 " A B, &patient_activation);
	struct sim_io *io;

	give_port_groups(w, BOTH, 1);
	w->lists_paths = true;
	world_up(w);
	expect_table(w, "4 pg_init_retries 2 pg_init_delay_msecs 300 1 alua 2 1 " A B);
	message(w, "switch_group 2");
	w->luns[0].stpg = STPG_REFUSES;
	io = submit_read(w, 0, 1);
	advance(w, 650);
	expect(w, w->luns[0].nr_stpg == 3);
	expect_good(w, io); /* in the first group */
	world_end(w);

	w = new_world("2 pg_init_retries 1 1 alua 2 1 " A B, &patient_activation);
	give_port_groups(w, BOTH, 1);
	w->settings.left_open = HARDWARE_CHECKER;
	world_up(w);
	expect_table(w, "2 pg_init_retries 1 1 alua 2 1 " A B);
	world_end(w);
}

/* --- the LUN is another one --- */

static void forget_the_lun(struct world *w)
{
	message(w, "fail_path 8:0");
	message(w, "fail_path 8:16");
	expect(w, message(w, "forget_wwid") == 0);
}

static void come_back(struct world *w)
{
	message(w, "reinstate_path 8:0");
	message(w, "reinstate_path 8:16");
	advance(w, 3000);
}

/* The array is forgotten, and what suits it with it. */
static void a_rule_for_activation_is_forgotten(void)
{
	struct world *w = new_world("2 pg_init_retries 1 1 alua 2 1 " A B, &patient_activation);

	give_port_groups(w, BOTH, 1);
	w->settings.left_open = HARDWARE_PG_INIT_DELAY;
	world_up(w);
	expect_table(w, "4 pg_init_retries 1 pg_init_delay_msecs 300 1 alua 2 1 " A B);
	forget_the_lun(w);
	expect_table(w, "2 pg_init_retries 1 1 alua 2 1 " A B);
	world_end(w);
}

static void forgotten_and_met_again(void)
{
	struct world *w = new_world(TWO_ALONE, &patient);

	world_up(w);
	forget_the_lun(w);
	expect(w, !w->m->hardware_met);
	expect_table(w, "0 0 2 1 " A B);
	come_back(w);
	expect_rule(w, "r");
	expect_table(w, "1 queue_if_no_path 0 2 1 " A B);
	world_end(w);
}

/* The handler of the LUN that is forgotten is none for one without port groups. */
static void another_lun_without_port_groups(void)
{
	struct world *w = world_new("1 retain_attached_hw_handler 0 2 1 " A B);

	give_port_groups(w, BOTH, 2);
	world_up(w);
	expect_table(w, "1 retain_attached_hw_handler 1 alua 2 1 " A B);
	forget_the_lun(w);
	sim_path(w, "8:0")->nexus.group = sim_path(w, "8:16")->nexus.group = 0;
	come_back(w);
	expect_table(w, "1 retain_attached_hw_handler 0 2 1 " A B);
	expect_notice(w, "the array needs no hardware handler");
	world_end(w);
}

/* Another configuration takes over: what it says is looked up anew, at once. */
static void another_table(void)
{
	struct world *w = new_world(TWO_ALONE, &patient);

	world_up(w);
	w->settings.left_open = 0;
	expect(w, reload(w, TWO_ALONE) == 0);
	expect_table(w, "0 0 2 1 " A B);
	w->settings.left_open = ALL_OPEN;
	expect(w, reload(w, TWO_ALONE) == 0);
	expect_table(w, "1 queue_if_no_path 0 2 1 " A B);
	w->settings.hardware = NULL;
	expect(w, reload(w, TWO_ALONE) == 0);
	expect_rule(w, NULL);
	expect_table(w, "0 0 2 1 " A B);
	world_end(w);
}

/* Also while no path is there: the LUN is known from an earlier run, and so is what suits it. */
static void another_table_without_paths(void)
{
	struct world *w = new_world(TWO_ALONE, &patient);

	w->settings.left_open = 0;
	world_up(w);
	kill_world(w, 0);
	sim_path(w, "8:0")->refused = "not there";
	sim_path(w, "8:16")->refused = "not there";
	restart_world(w);
	expect_table(w, "0 0 2 1 " A B);
	w->settings.left_open = ALL_OPEN;
	expect(w, reload(w, TWO_ALONE) == 0);
	expect_rule(w, "r");
	expect_table(w, "1 queue_if_no_path 0 2 1 " A B);
	world_end(w);
}

int main(void)
{
	STORY(patterns);
	STORY(the_first_rule_that_fits);
	STORY(a_rule_groups_the_paths);
	STORY(a_rule_groups_by_serial_number);
	STORY(a_rule_for_arrays_with_port_groups);
	STORY(a_rule_for_failback);
	STORY(a_map_says_it_itself);
	STORY(a_rule_for_the_checker);
	STORY(a_rule_for_patience);
	STORY(a_message_counts_more);
	STORY(a_restart_without_paths);
	STORY(a_restart_whose_path_is_removed);
	STORY(a_rule_against_the_handler);
	STORY(a_rule_for_the_handler);
	STORY(a_rule_for_activation);
	STORY(forgotten_and_met_again);
	STORY(a_rule_for_activation_is_forgotten);
	STORY(another_lun_without_port_groups);
	STORY(another_table);
	STORY(another_table_without_paths);
	return end_of_stories();
}
