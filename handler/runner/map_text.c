// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A map that comes as text, and what would be built from it
 */
#include "runner/map_text.h"

#include <string.h>

#include "mpath/grouping.h"
#include "mpath/hardware.h"
#include "mpath/hw_handler.h"
#include "mpath/path_checker.h"
#include "mpath/path_selector.h"
#include "runner/config.h"

static unsigned int count_paths(const struct mpath_table *table)
{
	unsigned int i, n = 0;

	for (i = 0; i < table->nr_groups; i++)
		n += table->groups[i].nr_paths;
	return n;
}

static void report_groups(const struct mpath_table *table, struct strbuf *report)
{
	unsigned int i, k;

	for (i = 0; i < table->nr_groups; i++) {
		const struct table_group *group = &table->groups[i];

		strbuf_printf(report, "group %u: %s\n", i + 1, group->selector->name);
		for (k = 0; k < group->nr_paths; k++)
			strbuf_printf(report, "  %s\n", group->paths[k].address);
	}
}

static void report_no_path(bool queue, const struct mpath_settings *settings, struct strbuf *report)
{
	uint32_t read_ms = settings->no_path_timeout_read_ms;
	uint32_t write_ms = settings->no_path_timeout_write_ms;

	strbuf_printf(report, "no path: %s", queue ? "queue" : "fail");
	if (queue && read_ms)
		strbuf_printf(report, ", reads for %u ms", read_ms);
	if (queue && write_ms)
		strbuf_printf(report, ", others for %u ms", write_ms);
	strbuf_printf(report, "\n");
}

/* As handler_for() of core/hw.c decides when the array is known. */
static void report_hw_handler(const struct mpath_table *table, struct strbuf *report)
{
	strbuf_printf(report, "hardware handler: ");
	if (table->hw_handler)
		strbuf_printf(report, "the array's own, else %s\n", table->hw_handler->name);
	else if (table->find_hw_handler || table->retain_attached_hw_handler)
		strbuf_printf(report, "the array's own, if it has one\n");
	else
		strbuf_printf(report, "none\n");
}

static void report_grouping(const struct mpath_policy *policy, struct strbuf *report)
{
	if (policy->on && policy->grouping != GROUPING_FAILOVER &&
	    policy->grouping != GROUPING_MULTIBUS)
		strbuf_printf(report,
			      "grouping: the paths will tell, each is by itself until then\n");
}

/* What the array may change, by its section of the hardware table. */
static void report_left_open(unsigned int left_open, struct strbuf *report)
{
	static const struct {
		unsigned int bit;
		const char *key;
	} keys[] = {
		{HARDWARE_CHECKER, "path_checker"},
		{HARDWARE_HW_HANDLER, "hw_handler"},
		{HARDWARE_PRIO, "prio"},
		{HARDWARE_GROUPING, "grouping"},
		{HARDWARE_FAILBACK, "failback"},
		{HARDWARE_PG_INIT_RETRIES, "pg_init_retries"},
		{HARDWARE_PG_INIT_DELAY, "pg_init_delay_msecs"},
		{HARDWARE_NO_PATH_RETRY, "no_path_retry"},
	};
	const char *before = "unless the hardware table has something for the array: ";

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!(left_open & keys[i].bit))
			continue;
		strbuf_printf(report, "%s%s", before, keys[i].key);
		before = ", ";
	}
	if (left_open)
		strbuf_printf(report, "\n");
}

static void report_map(const struct map_config *config, struct strbuf *report)
{
	const struct mpath_table *table = config->table;
	const struct mpath_settings *settings = &config->settings;
	unsigned int i;

	strbuf_printf(report, "groups: %u, paths: %u\n", table->nr_groups, count_paths(table));
	report_no_path(table->queue_if_no_path, settings, report);
	report_hw_handler(table, report);
	strbuf_printf(report, "path checker: %s\n",
		      settings->checker ? settings->checker->name : "none");
	if (settings->wwid[0])
		strbuf_printf(report, "wwid: %s\n", settings->wwid);
	if (settings->identity == IDENTITY_ARRAY)
		strbuf_printf(report, "identity: the array's\n");
	if (config->find_selector)
		strbuf_printf(report, "finds its paths: path selector %s\n", config->find_selector);
	report_grouping(&settings->policy, report);
	report_groups(table, report);
	report_left_open(settings->left_open, report);
	for (i = 0; i < table->nr_warnings; i++)
		strbuf_printf(report, "warning: %s\n", table->warnings[i]);
}

static int parse(const char *text, struct map_config **config, struct strbuf *error)
{
	return map_config_parse(&config_default_paths, "the map", text, config, error);
}

int map_text_check(const char *text, struct strbuf *report)
{
	struct map_config *config;
	int err = parse(text, &config, report);

	if (err)
		return err;
	report_map(config, report);
	map_config_free(config);
	return 0;
}

int map_text_load(const char *text, struct device_layout *layout, void **owner,
		  struct strbuf *error)
{
	struct map_config *config;
	int err = parse(text, &config, error);

	*owner = config;
	if (err)
		return err;
	map_config_look_up(config);
	*layout = (struct device_layout){.table = config->table,
					 .settings = &config->settings,
					 .find_selector = config->find_selector};
	return 0;
}

void map_text_free(void *owner)
{
	map_config_free(owner);
}
