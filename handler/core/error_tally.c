/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many commands of a disk have ended with an error that we know of (DESIGN D9 Restart, H3).
 *
 * The kernel counts each disk's errors.  Should this process die, it may end a write that was out
 * with an error, while the write is still on its way; and if the path is up again when the next
 * process looks, that counter alone can tell.  So the number that is explained is left for it:
 * what the disk had before it was used, and each error that we were told of since.
 *
 * Rather too few than too many: only what the target has answered is counted for certain by the
 * kernel, too.  A command that was lost, or that the kernel has sent again by itself (BUSY), or
 * somebody else's, makes the kernel's number larger than ours, and a restart would wait in vain.
 * So with each check of the path the kernel's number is taken over: from a count, when all that was
 * out at that time has been answered.
 *
 * Errors that a former process has left unexplained are not told as known before the end of the
 * wait for them is (restart_wait.c): then they are, as who waits sends no write.  So the next
 * process, should this one die, has what is left of that wait, and all of it for newer errors only.
 *
 * What is told of this is there for the next process at once, while what memory.c has must be
 * written to a disk, which takes its time, and may fail.  So the end of fences and slow writes, and
 * the disks in use, are told here, too.
 */
#include "core/multipath.h"

static void tell(struct multipath *m, const struct path *path)
{
	m->actions->errors_told |= path->used;
}

void tally_begins(struct path *path, bool explained)
{
	bool counted = path->facts.errors != ERRORS_UNKNOWN;

	path->errors_known = counted ? path->facts.errors : 0;
	path->errors_feared = !explained;
	path->errors_next_ns = 0;
}

uint64_t told_errors(const struct path *path)
{
	return path->errors_feared ? 0 : path->errors_known;
}

/* Of what was out when the count was taken nobody knows whether that has it. */
void tally_answered(struct multipath *m, struct path *path, const struct mpath_io *io)
{
	path->errors_known++;
	if (path->errors_next_ns && io->start_ns > path->errors_next_ns)
		path->errors_next++;
	tell(m, path);
}

static bool was_out(const struct path *path)
{
	const struct mpath_io *oldest = list_first_entry(&path->flying, struct mpath_io, flight);

	return (path->in_flight && oldest->start_ns <= path->errors_next_ns) ||
	       (path->probing != PROBE_NONE && path->probe.start_ns <= path->errors_next_ns);
}

static void accept_count(struct multipath *m, struct path *path)
{
	if (was_out(path))
		return;
	path->errors_next_ns = 0;
	if (path->errors_known >= path->errors_next)
		return;
	path->errors_known = path->errors_next;
	tell(m, path);
}

/* @errors: since the link was opened. */
void tally_counted(struct multipath *m, struct path *path, uint64_t errors)
{
	path->errors_next = path->facts.errors + errors;
	path->errors_next_ns = m->now_ns;
	accept_count(m, path);
}

/* A former process's errors are not ours to explain, as long as its writes are feared. */
void tally_check(struct multipath *m, struct path *path)
{
	if (path->errors_next_ns)
		accept_count(m, path);
	else if (m->restart_over && path->used && path->link == LINK_OPEN && !path->counting)
		ask_for_count(m, path);
}

/* --- out of a map, and into the next one --- */

/* Two paths of one disk: each has been told of its own only. */
static void add_disk(void *to, const struct mpath_disk_errors *in_use)
{
	struct mpath_error_tally *tally = to;
	unsigned int i = 0;

	while (i < MEMORY_DISKS_MAX && tally->disks[i].disk && tally->disks[i].disk != in_use->disk)
		i++;
	if (i == MEMORY_DISKS_MAX || !in_use->disk)
		return;
	if (!tally->disks[i].disk || tally->disks[i].errors > in_use->errors)
		tally->disks[i] = *in_use;
}

void mpath_tell_errors(const struct multipath *m, struct mpath_error_tally *tally)
{
	*tally = (struct mpath_error_tally){.transit_ms = m->longest_transit_ms,
					    .timeout_ms = restart_least_timeout_ms(m)};
	tell_ends(m, &tally->fence_end_ns, &tally->slow_end_ns);
	tell_disks_in_use(m, add_disk, tally);
}

/* An earlier version may have left two, for it moved entries: the lesser is right for certain. */
static uint64_t errors_of(const struct mpath_error_tally *tally, uint64_t disk)
{
	uint64_t errors = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < MEMORY_DISKS_MAX; i++)
		if (tally->disks[i].disk == disk && tally->disks[i].errors < errors)
			errors = tally->disks[i].errors;
	return errors == UINT64_MAX ? 0 : errors;
}

void mpath_recall_errors(struct multipath *m, const struct mpath_error_tally *tally)
{
	unsigned int i;

	if (m->former_fence_ns < tally->fence_end_ns)
		m->former_fence_ns = tally->fence_end_ns;
	if (m->former_slow_ns < tally->slow_end_ns)
		m->former_slow_ns = tally->slow_end_ns;
	for (i = 0; i < MEMORY_DISKS_MAX; i++)
		if (tally->disks[i].disk)
			recall_disk(m, tally->disks[i].disk);
	recall_times(m, tally->transit_ms, tally->timeout_ms);
	for (i = 0; i < m->nr_former_disks; i++)
		m->former_disks[i].errors = errors_of(tally, m->former_disks[i].disk);
}
