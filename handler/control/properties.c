// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Properties are told in three ways: all, one by its name, or those that have changed.  What each
 * object has is written once, in the order of config/dbus/org.tcmu.Mpath1.xml: first what never
 * changes, then what is told when it does, then the statistics, which are to be read.
 */
#include "control/properties.h"

#include <assert.h>
#include <string.h>

#include "control/state_names.h"

#define RATE_INTERVAL_NS (NSEC_PER_SEC / 2) /* rates over less say nothing */

/* --- rates --- */

static uint64_t commands(const struct io_counters *counters)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < NR_SCSI_DIRS; i++)
		n += counters->good[i];
	for (i = 0; i < NR_IO_ERRORS; i++)
		n += counters->errors[i];
	return n;
}

static uint64_t rate(uint64_t now, uint64_t since, uint64_t ns)
{
	return (uint64_t)((double)(now - since) * NSEC_PER_SEC / (double)ns);
}

void rates_update(struct rates *rates, const struct io_counters *now, uint64_t now_ns)
{
	uint64_t ns = now_ns - rates->since_ns;
	struct rates new = {
		.since_ns = now_ns,
		.commands = commands(now),
		.read_bytes = now->bytes[SCSI_DATA_IN],
		.write_bytes = now->bytes[SCSI_DATA_OUT],
	};

	if (ns < RATE_INTERVAL_NS)
		return;
	if (rates->since_ns) {
		new.iops = (unsigned int)rate(new.commands, rates->commands, ns);
		new.read_rate = rate(new.read_bytes, rates->read_bytes, ns);
		new.write_rate = rate(new.write_bytes, rates->write_bytes, ns);
	}
	*rates = new;
}

/* --- the teller --- */

void teller_begin(struct teller *teller)
{
	*teller = (struct teller){0};
	g_variant_builder_init(&teller->values, G_VARIANT_TYPE_VARDICT);
}

GVariant *teller_end(struct teller *teller)
{
	return g_variant_builder_end(&teller->values);
}

void teller_begin_one(struct teller *teller, const char *name)
{
	*teller = (struct teller){.name = name};
}

GVariant *teller_end_one(struct teller *teller)
{
	return teller->value;
}

void teller_begin_changes(struct teller *teller, uint64_t *told)
{
	teller_begin(teller);
	teller->told = told;
}

GVariant *teller_end_changes(struct teller *teller)
{
	if (teller->nr_changes)
		return teller_end(teller);
	g_variant_builder_clear(&teller->values);
	return NULL;
}

static bool tells_changes(const struct teller *teller)
{
	return teller->told != NULL;
}

/* @value is the property's, or stands for it. */
static bool wants(struct teller *teller, const char *name, uint64_t value)
{
	if (teller->name)
		return strcmp(teller->name, name) == 0;
	if (!teller->told)
		return true;
	if (teller->told[teller->nr] == value) {
		teller->nr++;
		return false;
	}
	teller->told[teller->nr++] = value;
	return true;
}

static void take(struct teller *teller, const char *name, GVariant *value)
{
	teller->nr_changes++;
	if (teller->name)
		teller->value = value;
	else
		g_variant_builder_add(&teller->values, "{sv}", name, value);
}

static void u32(struct teller *teller, const char *name, uint32_t value)
{
	if (wants(teller, name, value))
		take(teller, name, g_variant_new_uint32(value));
}

static void u64(struct teller *teller, const char *name, uint64_t value)
{
	if (wants(teller, name, value))
		take(teller, name, g_variant_new_uint64(value));
}

static void i32(struct teller *teller, const char *name, int32_t value)
{
	if (wants(teller, name, (uint32_t)value))
		take(teller, name, g_variant_new_int32(value));
}

static void boolean(struct teller *teller, const char *name, bool value)
{
	if (wants(teller, name, value))
		take(teller, name, g_variant_new_boolean(value));
}

/* FNV-1a. */
static uint64_t hash(const char *bytes)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *bytes; bytes++)
		hash = (hash ^ (uint8_t)*bytes) * 0x100000001b3;
	return hash;
}

/* What an array, a file or a table said is bytes, and D-Bus takes UTF-8 only. */
static void text(struct teller *teller, const char *name, const char *bytes)
{
	if (wants(teller, name, hash(bytes)))
		take(teller, name, g_variant_new_take_string(g_utf8_make_valid(bytes, -1)));
}

static void object(struct teller *teller, const char *name, const char *path)
{
	if (wants(teller, name, hash(path)))
		take(teller, name, g_variant_new_object_path(path));
}

static void errors(struct teller *teller, const struct io_counters *c, unsigned int nr_errors)
{
	GVariantBuilder errors;
	unsigned int i;

	if (!wants(teller, "Errors", 0))
		return;
	g_variant_builder_init(&errors, G_VARIANT_TYPE("a{st}"));
	for (i = 0; i < nr_errors; i++)
		g_variant_builder_add(&errors, "{st}", io_error_name(i), c->errors[i]);
	take(teller, "Errors", g_variant_builder_end(&errors));
}

/* --- what there is --- */

/* Maps and paths have the same, but the way's errors are the paths' only. */
static void tell_statistics(struct teller *t, const struct io_counters *c,
			    const struct latency_percentiles *latency, const struct rates *rates,
			    unsigned int nr_errors)
{
	u64(t, "Reads", c->good[SCSI_DATA_IN]);
	u64(t, "Writes", c->good[SCSI_DATA_OUT]);
	u64(t, "Others", c->good[SCSI_NO_DATA]);
	u64(t, "ReadBytes", c->bytes[SCSI_DATA_IN]);
	u64(t, "WriteBytes", c->bytes[SCSI_DATA_OUT]);
	u32(t, "Iops", rates->iops);
	u64(t, "ReadRate", rates->read_rate);
	u64(t, "WriteRate", rates->write_rate);
	errors(t, c, nr_errors);
	u64(t, "LatencyP50", latency->p50_us);
	u64(t, "LatencyP99", latency->p99_us);
	u64(t, "LatencyP999", latency->p999_us);
}

static void tell_state_of_map(struct teller *t, const struct mpath_snapshot *s)
{
	text(t, "Wwid", s->wwid);
	text(t, "Vendor", s->vendor);
	text(t, "Product", s->product);
	text(t, "Revision", s->revision);
	u64(t, "Size", s->size);
	u32(t, "BlockSize", s->block_size);
	text(t, "State", map_state_name(s->state));
	boolean(t, "QueueIfNoPath", s->queue_if_no_path);
	text(t, "Features", s->features);
	text(t, "HardwareHandler", s->hw_handler);
	text(t, "Checker", s->checker);
	text(t, "Failback", s->failback);
	u32(t, "CurrentGroup", s->current_group);
	u32(t, "NextGroup", s->next_group);
	u32(t, "NrGroups", s->nr_groups);
	u32(t, "NrPaths", s->nr_paths);
	u32(t, "ValidPaths", s->nr_valid);
	u32(t, "QueueDepth", s->queue_depth);
	u64(t, "MaxTransfer", s->max_transfer_bytes);
	u32(t, "CmdTimeOut", s->cmd_time_out_ms);
	u32(t, "CmdTimeOutNeeded", s->cmd_time_out_needed_ms);
	text(t, "Warning", s->warning);
	u64(t, "LastEvent", s->last_event);
	u64(t, "PathFaults", s->path_faults);
	u64(t, "GroupSwitches", s->group_switches);
	u32(t, "HedgedReads", s->hedged_reads);
}

void tell_map(struct teller *t, const char *name, const struct mpath_snapshot *s,
	      const struct rates *rates)
{
	if (!tells_changes(t))
		text(t, "Name", name);
	tell_state_of_map(t, s);
	if (tells_changes(t)) {
		assert(t->nr == MAP_TOLD);
		return;
	}
	u32(t, "InFlight", s->in_flight);
	u32(t, "Held", s->held + s->restarting);
	text(t, "WritesWait", s->writes_wait);
	u32(t, "Waiting", s->waiting);
	u32(t, "Delayed", s->delayed);
	u32(t, "Fenced", s->fenced);
	u64(t, "Hedged", s->hedged);
	u64(t, "HedgesWon", s->hedges_won);
	tell_statistics(t, &s->counters, &s->latency, rates, IO_ERROR_NO_RESOURCES);
}

void tell_group(struct teller *t, const char *map, const struct group_snapshot *s)
{
	if (!tells_changes(t)) {
		object(t, "Map", map);
		u32(t, "Number", s->number);
	}
	text(t, "State", group_state_name(s->state));
	text(t, "Selector", s->selector);
	u32(t, "NrPaths", s->nr_paths);
	u32(t, "ValidPaths", s->nr_valid);
	if (tells_changes(t)) {
		assert(t->nr == GROUP_TOLD);
		return;
	}
	u32(t, "InFlight", s->in_flight);
}

static void tell_state_of_path(struct teller *t, const char *map, const struct path_snapshot *s)
{
	char *group = g_strdup_printf("%s/group/%u", map, s->group);

	object(t, "Group", group);
	text(t, "Address", s->address);
	text(t, "Name", s->name);
	text(t, "Device", s->device);
	text(t, "Wwid", s->wwid);
	text(t, "State", path_state_name(s->state));
	text(t, "Reason", s->reason);
	boolean(t, "Slow", s->slow);
	u32(t, "FailCount", s->fail_count);
	boolean(t, "ReadOnly", s->read_only);
	u32(t, "QueueDepth", s->queue_depth);
	u64(t, "MaxTransfer", s->max_transfer_bytes);
	text(t, "AluaState", s->alua_state);
	i32(t, "Priority", s->priority);
	g_free(group);
}

void tell_path(struct teller *t, const char *map, const struct path_snapshot *s,
	       const struct rates *rates)
{
	if (!tells_changes(t)) {
		object(t, "Map", map);
		u32(t, "Number", s->id);
	}
	tell_state_of_path(t, map, s);
	if (tells_changes(t)) {
		assert(t->nr == PATH_TOLD);
		return;
	}
	u32(t, "InFlight", s->in_flight);
	tell_statistics(t, &s->counters, &s->latency, rates, NR_IO_ERRORS);
}
