// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The status of a map as JSON, with the field names of multipathd's "show map MAP json" (its
 * version 0.1), so that what reads that reads this.  What multipathd does not have stands beside
 * it, in words of ours; what we do not have is left out.  as_json.py says the same of D-Bus's
 * properties, and the rates besides, which a moment does not have.
 */
#include "control/json.h"

#include <json-glib/json-glib.h>

#include "control/state_names.h"
#include "mpath/version.h"

#define MAJOR_VERSION 0
#define MINOR_VERSION 1

static void add(GVariantBuilder *object, const char *key, GVariant *value)
{
	g_variant_builder_add(object, "{sv}", key, value);
}

static void add_text(GVariantBuilder *object, const char *key, const char *bytes)
{
	char *text = g_utf8_make_valid(bytes, -1);

	add(object, key, g_variant_new_take_string(text));
}

static void add_number(GVariantBuilder *object, const char *key, uint64_t number)
{
	add(object, key, g_variant_new_int64((gint64)number));
}

static void add_counters(GVariantBuilder *object, const struct io_counters *c,
			 const struct latency_percentiles *latency, unsigned int nr_errors)
{
	GVariantBuilder errors;
	unsigned int i;

	add_number(object, "reads", c->good[SCSI_DATA_IN]);
	add_number(object, "writes", c->good[SCSI_DATA_OUT]);
	add_number(object, "others", c->good[SCSI_NO_DATA]);
	add_number(object, "read_bytes", c->bytes[SCSI_DATA_IN]);
	add_number(object, "write_bytes", c->bytes[SCSI_DATA_OUT]);
	add_number(object, "latency_p50_us", latency->p50_us);
	add_number(object, "latency_p99_us", latency->p99_us);
	add_number(object, "latency_p999_us", latency->p999_us);
	g_variant_builder_init(&errors, G_VARIANT_TYPE_VARDICT);
	for (i = 0; i < nr_errors; i++)
		add_number(&errors, io_error_name(i), c->errors[i]);
	add(object, "errors", g_variant_builder_end(&errors));
}

/* multipathd's word for what its checker has found. */
static const char *checker_state(const struct path_snapshot *p)
{
	switch (p->state) {
	case PATH_ACTIVE:
		return "ready";
	case PATH_IN_DOUBT:
		return "i/o pending";
	case PATH_FAILED:
		return "faulty";
	case PATH_FAILED_BY_MESSAGE:
	case PATH_EXCLUDED:
		return "undef";
	}
	return "undef";
}

static GVariant *path_json(const struct mpath_snapshot *s, const struct path_snapshot *p)
{
	bool active = p->state == PATH_ACTIVE || p->state == PATH_IN_DOUBT;
	GVariantBuilder path;

	g_variant_builder_init(&path, G_VARIANT_TYPE_VARDICT);
	add_text(&path, "dev", *p->device ? p->device : "-");
	add_text(&path, "dev_t", p->name);
	add_text(&path, "dm_st", active ? "active" : "failed");
	add_text(&path, "dev_st", *p->device ? "running" : "unknown");
	add_text(&path, "chk_st", checker_state(p));
	add_text(&path, "checker", s->checker);
	add(&path, "pri", g_variant_new_int64(p->priority));
	add_number(&path, "number", p->id);
	add_text(&path, "address", p->address);
	add_text(&path, "uuid", p->wwid);
	add_text(&path, "state", path_state_name(p->state));
	add_text(&path, "reason", p->reason);
	add(&path, "slow", g_variant_new_boolean(p->slow));
	add_text(&path, "write_prot", p->read_only ? "ro" : "rw");
	add_text(&path, "alua_state", p->alua_state);
	add_number(&path, "fail_count", p->fail_count);
	add_number(&path, "in_flight", p->in_flight);
	add_number(&path, "queue_depth", p->queue_depth);
	add_number(&path, "max_transfer", p->max_transfer_bytes);
	add_counters(&path, &p->counters, &p->latency, NR_IO_ERRORS);
	return g_variant_builder_end(&path);
}

/* The mean of what is known of all its paths' priorities; -1: nothing is. */
static int group_priority(const struct mpath_snapshot *s, unsigned int group)
{
	unsigned int i, known = 0;
	int sum = 0;

	for (i = 0; i < s->nr_paths; i++) {
		if (s->paths[i].group != group || s->paths[i].priority < 0)
			continue;
		sum += s->paths[i].priority;
		known++;
	}
	return known ? sum / (int)known : -1;
}

static GVariant *group_json(const struct mpath_snapshot *s, const struct group_snapshot *g)
{
	GVariantBuilder group, paths;
	unsigned int i;

	g_variant_builder_init(&group, G_VARIANT_TYPE_VARDICT);
	add_number(&group, "group", g->number);
	add_text(&group, "selector", g->selector);
	add(&group, "pri", g_variant_new_int64(group_priority(s, g->number)));
	add_text(&group, "dm_st", group_state_name(g->state));
	add_number(&group, "in_flight", g->in_flight);
	g_variant_builder_init(&paths, G_VARIANT_TYPE("av"));
	for (i = 0; i < s->nr_paths; i++)
		if (s->paths[i].group == g->number)
			g_variant_builder_add(&paths, "v", path_json(s, &s->paths[i]));
	add(&group, "paths", g_variant_builder_end(&paths));
	return g_variant_builder_end(&group);
}

static bool is_read_only(const struct mpath_snapshot *s)
{
	unsigned int i;

	for (i = 0; i < s->nr_paths; i++)
		if (s->paths[i].read_only)
			return true;
	return false;
}

static GVariant *map_json(const char *name, const struct mpath_snapshot *s)
{
	GVariantBuilder map, groups;
	char *hw_handler = *s->hw_handler ? g_strconcat("1 ", s->hw_handler, NULL) : g_strdup("0");
	unsigned int i;

	g_variant_builder_init(&map, G_VARIANT_TYPE_VARDICT);
	add_text(&map, "name", name);
	add_text(&map, "uuid", s->wwid);
	add_text(&map, "failback", s->failback);
	add_text(&map, "queueing", s->queue_if_no_path ? "on" : "off");
	add_number(&map, "paths", s->nr_valid);
	add_number(&map, "nr_paths", s->nr_paths);
	add_text(&map, "write_prot", is_read_only(s) ? "ro" : "rw");
	add_text(&map, "dm_st", s->state == MAP_SUSPENDED ? "suspend" : "active");
	add_text(&map, "features", s->features);
	add_text(&map, "hwhandler", hw_handler);
	add_number(&map, "path_faults", s->path_faults);
	add_number(&map, "switch_grp", s->group_switches);
	add_number(&map, "hedged_reads", s->hedged_reads);
	add_number(&map, "hedged", s->hedged);
	add_number(&map, "hedges_won", s->hedges_won);
	add_text(&map, "vend", s->vendor);
	add_text(&map, "prod", s->product);
	add_text(&map, "rev", s->revision);
	add_text(&map, "state", map_state_name(s->state));
	add_number(&map, "group", s->current_group);
	add_number(&map, "next_group", s->next_group);
	add_text(&map, "warning", s->warning);
	add_number(&map, "last_event", s->last_event);
	add_number(&map, "size", s->size);
	add_number(&map, "block_size", s->block_size);
	add_number(&map, "queue_depth", s->queue_depth);
	add_number(&map, "max_transfer", s->max_transfer_bytes);
	add_number(&map, "cmd_time_out_ms", s->cmd_time_out_ms);
	add_number(&map, "cmd_time_out_needed_ms", s->cmd_time_out_needed_ms);
	add_number(&map, "in_flight", s->in_flight);
	add_number(&map, "held", s->held + s->restarting);
	add_text(&map, "writes_wait", s->writes_wait);
	add_number(&map, "waiting", s->waiting);
	add_number(&map, "delayed", s->delayed);
	add_number(&map, "fenced", s->fenced);
	add_counters(&map, &s->counters, &s->latency, IO_ERROR_NO_RESOURCES);
	g_variant_builder_init(&groups, G_VARIANT_TYPE("av"));
	for (i = 0; i < s->nr_groups; i++)
		g_variant_builder_add(&groups, "v", group_json(s, &s->groups[i]));
	add(&map, "path_groups", g_variant_builder_end(&groups));
	g_free(hw_handler);
	return g_variant_builder_end(&map);
}

char *json_status(const char *name, const struct mpath_snapshot *snapshot)
{
	GVariantBuilder all;
	GVariant *value;
	char *text;

	g_variant_builder_init(&all, G_VARIANT_TYPE_VARDICT);
	add_number(&all, "major_version", MAJOR_VERSION);
	add_number(&all, "minor_version", MINOR_VERSION);
	add_text(&all, "tcmu_mpath_version", MPATH_VERSION);
	add(&all, "map", map_json(name, snapshot));
	value = g_variant_ref_sink(g_variant_builder_end(&all));
	text = json_gvariant_serialize_data(value, NULL);
	g_variant_unref(value);
	return text;
}
