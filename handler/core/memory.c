/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What messages have set, the group in use, until when lost writes may land, and the disks in use,
 * out of a map and into the next one.
 *
 * A path that was failed stays failed as long as the table names it; a group stays disabled, or the
 * one in use, as long as the table has one of the same paths.  What the table does not know any
 * more is dropped.
 *
 * Paths that are found, and groups that the policies form, come after the map was created: what was
 * set for them waits until then (struct awaited), and is remembered for the next process, too.
 * As to groups it ends when the administrator says something newer about them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/multipath.h"

/* FNV-1a, with the NUL, so that "ab" "c" is not "a" "bc". */
static uint64_t hash_word(uint64_t hash, const char *word)
{
	do {
		hash = (hash ^ (uint8_t)*word) * 0x100000001b3ull;
	} while (*word++);
	return hash;
}

#define HASH_START 0xcbf29ce484222325ull

static uint64_t path_hash(const struct path *path)
{
	return hash_word(HASH_START, path->address);
}

/* Do groups come to be by themselves? */
static bool has_own_groups(const struct multipath *m)
{
	return m->settings.policy.on || m->settings.finds_paths;
}

/* In a table the order of paths is the administrator's, else it may be another one each time. */
static uint64_t group_hash(const struct multipath *m, const struct priority_group *pg)
{
	uint64_t hash = HASH_START, sum = 0;
	const struct path *path;

	list_for_each_entry(path, &pg->paths, node) {
		hash = hash_word(hash, path->address);
		sum += path_hash(path);
	}
	return has_own_groups(m) ? sum : hash;
}

static void add(uint64_t *hashes, unsigned int *nr, unsigned int max, uint64_t hash)
{
	if (*nr < max)
		hashes[(*nr)++] = hash;
}

static bool contains(const uint64_t *hashes, unsigned int nr, uint64_t hash)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (hashes[i] == hash)
			return true;
	return false;
}

static bool take_out(uint64_t *hashes, unsigned int *nr, uint64_t hash)
{
	unsigned int i;

	for (i = 0; i < *nr; i++) {
		if (hashes[i] != hash)
			continue;
		hashes[i] = hashes[--*nr];
		return true;
	}
	return false;
}

static void tell_disk(const struct path *path, disk_in_use_fn *tell, void *to)
{
	if (path->used || path->feared)
		tell(to, &(struct mpath_disk_errors){path->facts.disk, told_errors(path)});
}

/* Those of a former process, too, as long as its writes are feared. */
void tell_disks_in_use(const struct multipath *m, disk_in_use_fn *tell, void *to)
{
	const struct path *path;
	unsigned int i;

	for (i = 0; i < m->nr_former_disks; i++)
		tell(to, &m->former_disks[i]);
	for_each_path(m, path)
		tell_disk(path, tell, to);
	list_for_each_entry(path, &m->leaving, map_node)
		tell_disk(path, tell, to);
}

static void remember_disk(void *to, const struct mpath_disk_errors *in_use)
{
	struct mpath_memory *memory = to;

	if (contains(memory->disks, memory->nr_disks, in_use->disk))
		return;
	if (memory->nr_disks < MEMORY_DISKS_MAX)
		memory->disks[memory->nr_disks++] = in_use->disk;
	else
		memory->disks[0] = 0;
}

/* Those that the list begins with are not the ones that commands will use. */
static uint64_t hash_in_use(const struct multipath *m)
{
	const struct priority_group *in_use = m->next_pg ? m->next_pg : m->current_pg;

	return in_use && !groups_to_come(m) ? group_hash(m, in_use) : m->awaited_group;
}

static void remember_groups(const struct multipath *m, struct mpath_memory *memory)
{
	const struct priority_group *pg;
	unsigned int i;

	for_each_group(m, pg)
		if (pg->bypassed && !pg->bypassed_by_array)
			add(memory->disabled, &memory->nr_disabled, MEMORY_GROUPS_MAX,
			    group_hash(m, pg));
	for (i = 0; m->awaited && i < m->awaited->nr_disabled; i++)
		add(memory->disabled, &memory->nr_disabled, MEMORY_GROUPS_MAX,
		    m->awaited->disabled[i]);
}

static void remember_paths(const struct multipath *m, struct mpath_memory *memory)
{
	const struct path *path;
	unsigned int i;

	for_each_path(m, path)
		if (path->failed_by_message)
			add(memory->failed, &memory->nr_failed, MEMORY_PATHS_MAX, path_hash(path));
	for (i = 0; m->awaited && i < m->awaited->nr_failed; i++)
		add(memory->failed, &memory->nr_failed, MEMORY_PATHS_MAX, m->awaited->failed[i]);
}

_Static_assert(MEMORY_NEWS_MAX == NEWS_WITH_SUMS, "no news is lost with the process");

static void remember_news(const struct multipath *m, struct mpath_memory *memory)
{
	for (; memory->nr_news < m->nr_news; memory->nr_news++) {
		const struct scsi_result *from = &m->news[memory->nr_news];
		struct mpath_news *to = &memory->news[memory->nr_news];

		to->len = from->sense_len;
		memcpy(to->sense, from->sense, from->sense_len);
	}
}

void mpath_remember(struct multipath *m, struct mpath_memory *memory)
{
	bool queues = m->queue_if_no_path || m->saved_queue_if_no_path;

	memset(memory, 0, sizeof(*memory)); /* padding too: memories may be compared */
	tell_ends(m, &memory->fence_end_ns, &memory->slow_end_ns);
	if (queues != m->queue_in_table)
		memory->queueing = queues ? MEMORY_QUEUEING_ON : MEMORY_QUEUEING_OFF;
	memory->suspended = m->suspend != NOT_SUSPENDED;
	memory->current_group = hash_in_use(m);
	remember_groups(m, memory);
	remember_paths(m, memory);
	remember_news(m, memory);
	memory->array_reserves = m->array_reserves;
	memory->former_blocks = m->former_blocks;
	memory->transit_ms = m->longest_transit_ms;
	memory->timeout_ms = restart_least_timeout_ms(m);
	tell_disks_in_use(m, remember_disk, memory);
}

static void recall_queueing(struct multipath *m, enum memory_queueing queueing)
{
	bool on = queueing == MEMORY_QUEUEING_ON;

	if (queueing == MEMORY_QUEUEING_AS_TABLE || m->queue_if_no_path == on)
		return;
	m->queue_if_no_path = on;
	notice(m, NOTICE_POLICY, NULL, "%s, as before the restart",
	       on ? "queue_if_no_path" : "fail_if_no_path");
}

static void recall_disabled(struct multipath *m, struct priority_group *pg)
{
	set_bypass(m, pg, true, "as before the restart, disabled");
	/* The table asked for it, before it was disabled. */
	if (m->next_pg == pg)
		m->next_pg = NULL;
	if (m->current_pg != pg)
		return;
	m->current_pg = NULL; /* as by the message */
	m->run_held = true;
}

static void recall_group(struct multipath *m, struct priority_group *pg)
{
	uint64_t hash = group_hash(m, pg);

	if (m->awaited && take_out(m->awaited->disabled, &m->awaited->nr_disabled, hash))
		recall_disabled(m, pg);
	if (hash == m->awaited_group && may_begin_with(m, pg)) {
		m->next_pg = pg;
		m->next_is_ours = false;
	}
}

/* Groups have come to be, perhaps some that what was set for groups has waited for. */
void recall_groups(struct multipath *m)
{
	struct priority_group *pg;

	if (!m->awaited && !m->awaited_group)
		return;
	for_each_group(m, pg)
		recall_group(m, pg);
}

void recall_path(struct multipath *m, struct path *path)
{
	if (!m->awaited || !take_out(m->awaited->failed, &m->awaited->nr_failed, path_hash(path)))
		return;
	path->failed_by_message = true;
	snprintf(path->reason, sizeof(path->reason), "fail_path message");
	notice(m, NOTICE_OTHER, path, "failed by message, as before the restart");
}

void forget_awaited_groups(struct multipath *m)
{
	m->awaited_group = 0;
	if (m->awaited)
		m->awaited->nr_disabled = 0;
}

/* It says itself how its groups are to be; what it does not name, nobody means any more. */
void memory_new_table(struct multipath *m)
{
	forget_awaited_groups(m);
	if (m->awaited && !m->settings.finds_paths)
		m->awaited->nr_failed = 0;
}

static void recall_paths_and_groups(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		recall_path(m, path);
	if (!groups_to_come(m))
		recall_groups(m);
	if (!has_own_groups(m))
		forget_awaited_groups(m);
	if (!m->settings.finds_paths)
		m->awaited->nr_failed = 0;
}

/* Memory for what has to wait; in most maps that is nothing. */
static struct awaited *keep_waiting(struct multipath *m, const struct awaited *awaited)
{
	struct awaited *kept;

	if (!awaited->nr_disabled && !awaited->nr_failed)
		return NULL;
	kept = malloc(sizeof(*kept));
	if (kept)
		*kept = *awaited;
	else
		notice(m, NOTICE_WARNING, NULL,
		       "not enough memory: what messages have set for paths and groups that come "
		       "later is forgotten");
	return kept;
}

static void recall_messages(struct multipath *m, const struct mpath_memory *memory)
{
	struct awaited awaited = {.nr_disabled = memory->nr_disabled,
				  .nr_failed = memory->nr_failed};

	memcpy(awaited.disabled, memory->disabled, sizeof(awaited.disabled));
	memcpy(awaited.failed, memory->failed, sizeof(awaited.failed));
	m->awaited_group = memory->current_group;
	m->awaited = &awaited;
	recall_paths_and_groups(m);
	m->awaited = keep_waiting(m, &awaited);
}

static bool is_former_disk(const struct multipath *m, uint64_t disk)
{
	unsigned int i;

	for (i = 0; i < m->nr_former_disks; i++)
		if (m->former_disks[i].disk == disk)
			return true;
	return false;
}

/* Most maps have but a few, so there is no room for more from the beginning. */
static bool reserve_former_disk(struct multipath *m)
{
	size_t nr = m->nr_former_disks + 1;
	struct mpath_disk_errors *more;

	if (nr == 1)
		return true;
	if (nr > MEMORY_DISKS_MAX)
		return false;
	more = reallocarray(m->former_disks, nr, sizeof(*more));
	if (!more)
		return false;
	m->former_disks = more;
	return true;
}

/* 0 stands for those that there is no room for, as in struct mpath_memory. */
void recall_disk(struct multipath *m, uint64_t disk)
{
	if (is_former_disk(m, disk))
		return;
	if (reserve_former_disk(m))
		m->former_disks[m->nr_former_disks++] = (struct mpath_disk_errors){.disk = disk};
	else
		m->former_disks[0].disk = 0;
}

/*
 * How long commands may be out on these disks, or on those that could not be asked any more, so
 * that word of a wait is all that was left; 0: nobody said.  Memory and tally may be of different
 * processes, if one of them could not be kept for a while: so both count, each way.
 */
void recall_times(struct multipath *m, uint32_t transit_ms, uint32_t timeout_ms)
{
	if (!m->nr_former_disks && !m->former_fence_ns)
		return;
	if (m->longest_transit_ms < transit_ms)
		m->longest_transit_ms = transit_ms;
	m->former_timeout_ms = (uint32_t)lesser_limit(m->former_timeout_ms, timeout_ms);
	if (m->former_longest_ms < timeout_ms)
		m->former_longest_ms = timeout_ms;
}

static void recall_disks(struct multipath *m, const struct mpath_memory *memory)
{
	unsigned int i;

	for (i = 0; i < memory->nr_disks; i++)
		recall_disk(m, memory->disks[i]);
	recall_times(m, memory->transit_ms, memory->timeout_ms);
}

/*
 * Commands were going somewhere: that this process sees its paths for the first time does not mean
 * that they have come up, and that commands have to follow them (failback=followover).
 */
static void recall_paths(struct multipath *m)
{
	struct path *path;

	for_each_path(m, path)
		path->was_down = false;
}

static void recall_news(struct multipath *m, const struct mpath_memory *memory)
{
	if (m->kept_is_other)
		return; /* nor does anybody want to know what was said of that one */
	for (m->nr_news = 0; m->nr_news < memory->nr_news; m->nr_news++) {
		const struct mpath_news *from = &memory->news[m->nr_news];
		struct scsi_result *to = &m->news[m->nr_news];

		*to = (struct scsi_result){.status = SAM_CHECK_CONDITION, .sense_len = from->len};
		memcpy(to->sense, from->sense, from->len);
	}
}

void mpath_recall(struct multipath *m, const struct mpath_memory *memory)
{
	if (memory->current_group)
		recall_paths(m);
	m->former_fence_ns = memory->fence_end_ns;
	recall_disks(m, memory);
	m->former_slow_ns = memory->slow_end_ns;
	recall_news(m, memory);
	m->array_reserves = memory->array_reserves;
	if (!m->lun.known && !m->kept_is_other)
		m->former_blocks = memory->former_blocks;
	recall_queueing(m, memory->queueing);
	recall_messages(m, memory);
	if (memory->suspended)
		recall_suspension(m);
}
