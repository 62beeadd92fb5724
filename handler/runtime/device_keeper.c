/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of a map over restarts: a worker saves it when it has changed (state.h), the tally
 * has at once what cannot wait for a worker (tally.h), and the next process recalls both.
 */
#include "runtime/device_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/log.h"
#include "runtime/state.h"

/*
 * The front first: a next process takes a backstore's size that is not the one which is kept for
 * the administrator's.
 */
void keeper_run(struct job *job)
{
	struct device *d = container_of(job, struct device, keeper.job);
	struct keeper *keeper = &d->keeper;

	keeper->not_told = keeper->tell_front && keeper->kept->lun.known && d->ops->lun_changed &&
			   !d->ops->lun_changed(d->front, &keeper->kept->lun);
	keeper->error = state_save(d->state_name, keeper->kept);
}

/* Without the pinned WWID on disk, a restart could take another LUN for ours: say so, try again. */
static void keeper_check_error(struct device *d)
{
	struct keeper *keeper = &d->keeper;

	if (keeper->error && !keeper->failed)
		mpath_log(MPATH_LOG_ERROR, d->name, NULL,
			  "WWID and state of the LUN cannot be kept over a restart: %s",
			  strerror(-keeper->error));
	if (!keeper->error && keeper->failed)
		mpath_log(MPATH_LOG_INFO, d->name, NULL,
			  "WWID and state of the LUN are kept over a restart now");
	keeper->failed = keeper->error;
}

/*
 * Not from the heap: all maps save when they are used for the first time, and nearly never again,
 * and what they had for that would stay with the process.
 */
static struct kept *new_kept(const char *backstore)
{
	struct kept *kept = mmap(NULL, sizeof(*kept), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (kept == MAP_FAILED)
		return NULL;
	snprintf(kept->backstore, sizeof(kept->backstore), "%s", backstore);
	return kept;
}

static void free_kept(struct kept *kept)
{
	munmap(kept, sizeof(*kept));
}

void keeper_start(struct device *d)
{
	struct keeper *keeper = &d->keeper;

	if (keeper->running) {
		keeper->again = true;
		return;
	}
	keeper->kept = new_kept(keeper->backstore);
	if (!keeper->kept) {
		keeper->error = -ENOMEM;
		keeper_check_error(d);
		return;
	}
	keeper->running = true;
	keeper->again = false;
	keeper->later = false;
	keeper->tell_front = keeper->news && !d->front_done;
	keeper->news = false;
	keeper->kept->lun = *mpath_lun(d->map);
	mpath_remember(d->map, &keeper->kept->memory);
	device_start_job(d, &keeper->jobs, &keeper->job);
}

void device_tell_errors(struct device *d)
{
	struct mpath_error_tally now;

	mpath_tell_errors(d->map, &now);
	tally_tell(&d->tally, &now);
}

/* The tally of a former process that could not be read: what it tells is feared as long. */
static bool is_unread(const struct device *d)
{
	struct mpath_memory memory = {0};

	if (d->tally.mapped)
		return false;
	mpath_remember(d->map, &memory);
	return memory.nr_disks;
}

/*
 * The map has ended, and nobody needs the tally any more; unless the file does not know how it has
 * ended, or a former process's commands are still feared: for a time, and on disks whose errors are
 * known.
 */
void device_leave_word(struct device *d)
{
	struct mpath_error_tally last;

	mpath_tell_errors(d->map, &last);
	if (d->keeper.failed || last.fence_end_ns || last.disks[0].disk)
		tally_tell(&d->tally, &last);
	else if (!is_unread(d))
		tally_forget(&d->tally);
}

void keeper_done(struct letter *letter)
{
	struct device *d = container_of(letter, struct device, keeper.job.letter);
	struct keeper *keeper = &d->keeper;

	d->nr_jobs--;
	keeper->running = false;
	free_kept(keeper->kept);
	keeper->kept = NULL;
	keeper_check_error(d);
	keeper->news |= keeper->not_told;
	keeper->later |= keeper->not_told;
	if (!keeper->error)
		device_tell_errors(d); /* disks that have left are not in the file any more */
	if (keeper->again)
		keeper_start(d);
	device_check_finished(d);
}

/*
 * Before a command is sent, or answered: whatever becomes of this process, and of the file below,
 * the next one must know what may land.
 */
void device_tell_at_once(struct device *d, const struct mpath_actions *actions)
{
	if (actions->errors_told || actions->fence_moved || actions->fence_over ||
	    actions->disk_used)
		device_tell_errors(d);
}

/*
 * A change of the group in use is no hurry, and where paths flap it comes often: that waits for the
 * next tick.  So do the end of a fence and a disk that is left, unless there is no next tick.
 */
void device_keep(struct device *d, const struct mpath_actions *actions)
{
	bool is_over = actions->fence_over || actions->disk_left;

	if (actions->lun_changed)
		d->keeper.news = true;
	if (actions->group_changed || is_over)
		d->keeper.later = true;
	if (actions->lun_changed || actions->forget_wwid || actions->memory_changed ||
	    actions->fence_moved || actions->disk_used || (is_over && d->stopping))
		keeper_start(d);
}

/* --- by the next process --- */

void device_open_tally(struct device *d, const char *backstore)
{
	char boot[KEPT_BACKSTORE_MAX];
	int err;

	snprintf(boot, sizeof(boot), "%.*s", (int)strcspn(backstore, " "), backstore);
	err = tally_open(&d->tally, d->state_name, boot);
	if (err)
		mpath_log(
			MPATH_LOG_WARN, d->name, NULL,
			"errors of the disks cannot be kept over a restart, writes will wait after "
			"one: %s",
			strerror(-err));
}

static bool same_boot(const char *backstore, const char *other)
{
	size_t len = strcspn(backstore, " ");

	return len == strcspn(other, " ") && strncmp(backstore, other, len) == 0;
}

static void forget_messages(struct mpath_memory *memory)
{
	memory->queueing = MEMORY_QUEUEING_AS_TABLE;
	memory->suspended = false;
	memory->current_group = 0;
	memory->nr_failed = 0;
	memory->nr_disabled = 0;
}

static void recall_the_array(struct mpath_memory *memory, const struct mpath_memory *kept)
{
	memory->array_reserves = kept->array_reserves;
	memory->former_blocks = kept->former_blocks;
	memory->nr_news = kept->nr_news;
	memcpy(memory->news, kept->news, sizeof(memory->news));
}

static void fear_any_disk(struct mpath_memory *memory)
{
	memory->disks[0] = 0;
	memory->nr_disks += !memory->nr_disks;
}

/*
 * Like dm's, what messages have set ends with the backstore.  A write that was lost, or left
 * behind, may land whatever backstore the LUN is in by now, until a reboot, which also begins
 * another clock.  Initiators outlive that: they are to hear what the array has said, and to whom a
 * reservation belongs.  @kept is NULL if nothing is.
 */
void device_recall(const struct device *d, struct multipath *map,
		   const struct device_config *config, const struct kept *kept)
{
	bool is_known = kept && same_boot(kept->backstore, config->backstore);
	struct mpath_memory memory = {0};

	if (is_known)
		memory = kept->memory;
	if (kept)
		recall_the_array(&memory, &kept->memory);
	if (!is_known || strcmp(kept->backstore, config->backstore) != 0)
		forget_messages(&memory);
	/* Nobody knows what the former process has told there: it is feared like a lost disk. */
	if (!d->tally.mapped && (memory.nr_disks || tally_is_left(&d->tally)))
		fear_any_disk(&memory);
	mpath_recall(map, &memory);
	if (d->tally.mapped)
		mpath_recall_errors(map, &d->tally.mapped->told);
}
