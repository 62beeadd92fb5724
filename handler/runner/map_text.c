// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A map that comes as text, and what would be built from it
 */
#include "runner/map_text.h"

#include <string.h>

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

static void report_map(const struct map_config *config, struct strbuf *report)
{
	const struct mpath_table *table = config->table;
	const struct mpath_settings *settings = &config->settings;
	unsigned int i;

	strbuf_printf(report, "groups: %u, paths: %u\n", table->nr_groups, count_paths(table));
	strbuf_printf(report, "no path: %s\n", table->queue_if_no_path ? "queue" : "fail");
	strbuf_printf(report, "hardware handler: %s\n",
		      table->hw_handler ? table->hw_handler->name : "none");
	strbuf_printf(report, "path checker: %s\n",
		      settings->checker ? settings->checker->name : "none");
	if (settings->wwid[0])
		strbuf_printf(report, "wwid: %s\n", settings->wwid);
	if (settings->identity == IDENTITY_ARRAY)
		strbuf_printf(report, "identity: the array's\n");
	if (config->find_selector)
		strbuf_printf(report, "finds its paths: path selector %s\n", config->find_selector);
	report_groups(table, report);
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
