/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An administrator who cannot leave it alone: other tables for the same paths, with another
 * hardware handler, other features, groups and selectors, other settings; also while a group is
 * activated, or lost writes wait, and several in a row.  And memory that is short for a change.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/lib/dice.h"
#include "sim/lib/world.h"

static struct table_dice the_dice;
static bool knows_array; /* the administrator, at the end */

static bool drops_change(struct world *w)
{
	enum extra before = take_dice_of(EXTRA_TABLES);
	bool drops = chance(10);

	(void)w;
	take_dice_of(before);
	return drops;
}

void tables_begin(struct world *w, const struct table_dice *dice)
{
	the_dice = *dice;
	knows_array = false;
	w->drops_change = drops_change;
	w->lists_paths = chance(20);
}

static const char *some_features(void)
{
	static const char *const features[] = {
		"0",
		"1 queue_if_no_path",
		"1 retain_attached_hw_handler",
		"2 queue_if_no_path retain_attached_hw_handler",
		"2 pg_init_retries 1",
		"5 queue_if_no_path pg_init_retries 3 pg_init_delay_msecs 20",
		"4 pg_init_delay_msecs 300 queue_mode bio",
	};

	return features[below(sizeof(features) / sizeof(features[0]))];
}

static const char *some_handler(void)
{
	if (the_dice.is_sim)
		return the_dice.alua && chance(70) ? "1 alua" : "0";
	return knows_array || chance(70) ? the_dice.own_handler : "0";
}

static const char *some_selector(void)
{
	static const char *const selectors[] = {"round-robin 0", "queue-length 0", "service-time 0",
						"historical-service-time 0", "io-affinity 0"};

	return selectors[below(sizeof(selectors) / sizeof(selectors[0]))];
}

/* The same paths in the same order, so that a next process finds them by their place. */
static char *some_table(const struct world *w)
{
	unsigned int n = w->nr_table_paths, sizes[SIM_PATHS_MAX], nr_groups = 0, left, g, i, at = 0;
	struct strbuf out;
	char text[2048];

	for (left = n; left; left -= sizes[nr_groups++])
		sizes[nr_groups] = 1 + below(left < 3 ? left : 3);
	strbuf_init(&out, text, sizeof(text));
	strbuf_printf(&out, "%s ", some_features());
	strbuf_printf(&out, "%s %u %u", some_handler(), nr_groups, 1 + below(nr_groups));
	for (g = 0; g < nr_groups; g++) {
		strbuf_printf(&out, " %s %u 1", some_selector(), sizes[g]);
		for (i = 0; i < sizes[g]; i++, at++)
			strbuf_printf(&out, " %s %x", w->paths[at].name, 1u << at % 8);
	}
	return strdup(text);
}

static void some_settings(struct mpath_settings *settings)
{
	if (chance(30))
		settings->no_path_timeout_read_ms = chance(50) ? 0 : 1 + below(8000);
	if (chance(30))
		settings->no_path_timeout_write_ms = chance(50) ? 0 : 1 + below(8000);
	if (chance(30))
		settings->hedged_reads = chance(60) ? 100 : 0;
	if (chance(30))
		settings->slow_path_factor = chance(30) ? 0 : 2 + below(3);
	if (chance(30) && settings->fence != FENCE_NONE)
		settings->fence = (enum fence_kind)below(FENCE_NONE);
	if (chance(20)) {
		settings->policy.on = chance(50);
		settings->policy.grouping = (enum grouping)below(GROUPING_GROUP_BY_SERIAL + 1);
	}
	if (chance(20))
		settings->polling_interval_ms = 1000 * (1 + below(10));
	if (chance(20))
		settings->checker_timeout_ms = 1000 * (1 + below(30));
}

static void load_another(struct world *w)
{
	struct mpath_settings before = w->settings;
	const struct hw_handler_type *handler = w->m->hw.type;
	char *old = w->table;
	bool listed = w->lists_paths;

	some_settings(&w->settings);
	w->table = some_table(w);
	if (chance(20))
		w->lists_paths = !w->lists_paths;
	if (!reload(w, w->table)) {
		free(old);
		w->counts.tables++;
		w->counts.handlers += handler != w->m->hw.type;
		return;
	}
	free(w->table);
	w->table = old;
	w->settings = before;
	w->lists_paths = listed;
}

static bool is_worst_time(const struct world *w)
{
	return !list_empty(&w->m->fenced) || w->m->nr_twice || pg_init_pending(w->m) ||
	       w->m->nr_legs > 1 || !w->m->restart_over;
}

/* Orphans of the old kind: the oracle knows a wait by the settings of now only. */
void random_tables(struct world *w)
{
	unsigned int n;

	if (w->shut_down || !chance(heat() * (is_worst_time(w) ? 6 : 2)))
		return;
	for (n = chance(70) ? 1 : 2 + below(3); n-- > 0;) {
		load_another(w);
		advance_us(w, chance(50) ? 0 : below(3000));
	}
}

/* No path is used of an array that is active and passive, while nobody can activate it. */
void tables_end(struct world *w)
{
	knows_array = true;
	w->drops_change = NULL;
	free(w->table);
	w->table = some_table(w);
}
