/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map at one moment, for those who show it.
 */
#include "mpath/snapshot.h"

#include <string.h>

#include "core/multipath.h"
#include "mpath/scsi.h"

/* Cut if need be.  memcpy: gcc warns of every strncpy that may cut. */
static void copy_word(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

enum path_state path_state(const struct path *path)
{
	if (path->failed_by_message)
		return PATH_FAILED_BY_MESSAGE;
	if (path->suspect)
		return PATH_IN_DOUBT;
	if (path->active)
		return PATH_ACTIVE;
	return path->identified || path->held_out_ns ? PATH_FAILED : PATH_EXCLUDED;
}

enum group_state group_state(const struct multipath *m, const struct priority_group *pg)
{
	if (pg->bypassed)
		return GROUP_DISABLED;
	return pg == m->current_pg ? GROUP_ACTIVE : GROUP_ENABLED;
}

static enum map_state map_state(const struct multipath *m)
{
	if (m->stopping)
		return MAP_STOPPING;
	if (m->suspend != NOT_SUSPENDED)
		return MAP_SUSPENDED;
	if (m->nr_valid)
		return MAP_ACTIVE;
	return m->queue_if_no_path && !m->shutdown ? MAP_QUEUEING : MAP_FAILING;
}

unsigned int queue_length(const struct list *queue)
{
	const struct list *node;
	unsigned int n = 0;

	for (node = queue->next; node != queue; node = node->next)
		n++;
	return n;
}

static void snapshot_path(struct path *path, uint64_t now_ns, struct path_snapshot *s)
{
	struct strbuf reason;

	latency_turn_window(&path->stats.latency, now_ns);
	*s = (struct path_snapshot){
		.id = path->id,
		.group = path->pg->number,
		.state = path_state(path),
		.alua_state = path->tpg.state_known ? scsi_alua_state_name(path->tpg.state) : "",
		.priority = path_priority(path),
		.read_only = path->facts.read_only,
		.slow = path->demotion != NOT_DEMOTED,
		.fail_count = path->fail_count,
		.in_flight = path->in_flight,
		.queue_depth = path->facts.queue_depth,
		.max_transfer_bytes = path_max_transfer(path),
		.counters = path->stats.counters,
		.latency = latency_percentiles(&path->stats.latency),
	};
	copy_word(s->address, sizeof(s->address), path->address);
	copy_word(s->name, sizeof(s->name), path_name(path));
	copy_word(s->device, sizeof(s->device), path->facts.device);
	copy_word(s->wwid, sizeof(s->wwid), path->seen.wwid);
	copy_word(s->reason, sizeof(s->reason), path->reason);
	if (path->reason[0])
		return;
	strbuf_init(&reason, s->reason, sizeof(s->reason));
	demotion_reason(path, &reason);
}

static void snapshot_group(const struct multipath *m, const struct priority_group *pg,
			   struct group_snapshot *s)
{
	const struct path *path;

	*s = (struct group_snapshot){
		.number = pg->number,
		.state = group_state(m, pg),
		.selector = pg->selector.type->name,
		.nr_paths = pg->nr_paths,
	};
	list_for_each_entry(path, &pg->paths, node) {
		s->nr_valid += path->active;
		s->in_flight += path->in_flight;
	}
}

static void snapshot_lun(const struct lun_facts *lun, struct mpath_snapshot *s)
{
	s->lun_known = lun->known;
	if (!lun->known)
		return;
	copy_word(s->wwid, sizeof(s->wwid), lun->wwid);
	s->size = lun->nr_blocks * lun->block_size;
	s->block_size = lun->block_size;
	if (lun->inquiry_len < 36)
		return;
	scsi_copy_text(s->vendor, sizeof(s->vendor), lun->inquiry + 8, 8);
	scsi_copy_text(s->product, sizeof(s->product), lun->inquiry + 16, 16);
	scsi_copy_text(s->revision, sizeof(s->revision), lun->inquiry + 32, 4);
}

static void snapshot_limits(const struct multipath *m, struct mpath_snapshot *s)
{
	const struct path *path;

	for_each_path(m, path)
		if (path->active)
			s->queue_depth += path->facts.queue_depth;
	s->max_transfer_bytes = map_max_transfer(m);
}

/* Its seconds, if it is deferred. */
static void print_failback(const struct mpath_policy *policy, struct strbuf *out)
{
	switch (policy->failback) {
	case FAILBACK_MANUAL:
		strbuf_printf(out, "manual");
		return;
	case FAILBACK_IMMEDIATE:
		strbuf_printf(out, "immediate");
		return;
	case FAILBACK_FOLLOWOVER:
		strbuf_printf(out, "followover");
		return;
	case FAILBACK_DEFERRED:
		strbuf_printf(out, "%u", policy->failback_s);
		return;
	}
}

/* Of this process, and of a former one. */
static void snapshot_writes_wait(const struct multipath *m, uint64_t now_ns,
				 struct mpath_snapshot *s)
{
	struct strbuf why, lost;
	char text[160];

	strbuf_init(&why, s->writes_wait, sizeof(s->writes_wait));
	status_writes_wait(m, now_ns, "; ", &why);
	strbuf_init(&lost, text, sizeof(text));
	fence_reason(m, now_ns, &lost);
	if (text[0])
		strbuf_printf(&why, "%s%s", why.len ? "; " : "", text);
}

static void snapshot_map(struct multipath *m, uint64_t now_ns, struct mpath_snapshot *s)
{
	struct strbuf features, warning, failback;

	latency_turn_window(&m->stats.latency, now_ns);
	*s = (struct mpath_snapshot){
		.groups = s->groups,
		.paths = s->paths,
		.max_groups = s->max_groups,
		.max_paths = s->max_paths,
		.nr_groups = m->nr_groups,
		.nr_paths = m->nr_paths,
		.taken_ns = now_ns,
		.state = map_state(m),
		.queue_if_no_path = m->queue_if_no_path,
		.hw_handler = m->hw.type ? m->hw.type->name : "",
		.checker = m->settings.checker ? m->settings.checker->name : "none",
		.current_group = m->current_pg ? m->current_pg->number : 0,
		.next_group = m->next_pg ? m->next_pg->number : 0,
		.nr_valid = m->nr_valid,
		.cmd_time_out_ms = m->backstore.cmd_time_out_ms,
		.cmd_time_out_needed_ms = mpath_time_out_needed_s(m) * 1000,
		.in_flight = m->nr_in_flight,
		.held = queue_length(&m->held) + queue_length(&m->suspended),
		.waiting = queue_length(&m->backlog),
		.delayed = queue_length(&m->delayed) + queue_length(&m->activating),
		.restarting = queue_length(&m->restarting),
		.fenced = queue_length(&m->fenced),
		.last_event = m->last_sequence,
		.path_faults = m->nr_path_faults,
		.group_switches = m->nr_group_switches,
		.hedged_reads = m->settings.hedged_reads,
		.hedged = m->nr_hedged,
		.hedges_won = m->nr_hedges_won,
		.counters = m->stats.counters,
		.latency = latency_percentiles(&m->stats.latency),
	};
	strbuf_init(&features, s->features, sizeof(s->features));
	status_features(m, &features);
	strbuf_init(&failback, s->failback, sizeof(s->failback));
	print_failback(&m->settings.policy, &failback);
	strbuf_init(&warning, s->warning, sizeof(s->warning));
	status_warning(m, &warning);
	snapshot_writes_wait(m, now_ns, s);
	snapshot_lun(&m->lun, s);
	snapshot_limits(m, s);
}

void mpath_snapshot(struct multipath *m, uint64_t now_ns, struct mpath_snapshot *s)
{
	struct path *path;
	unsigned int i;

	snapshot_map(m, now_ns, s);
	for (i = 0; i < s->nr_groups && i < s->max_groups; i++)
		snapshot_group(m, &m->groups[i], &s->groups[i]);
	i = 0;
	for_each_path(m, path)
		if (i < s->max_paths)
			snapshot_path(path, now_ns, &s->paths[i++]);
}
