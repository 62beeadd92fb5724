/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A write that may have been carried out, and is to be sent again, must not land on what was
 * written since.
 *
 * Its first copy is perhaps on the LUN, and somebody has read it there, and written newer data that
 * we have answered: the second copy would be old data on top of that.  So from the moment when its
 * answer is lost, who wants to write to the same blocks waits until it has been answered.  It has
 * no answer yet, nor has he, so their order is ours to choose.
 *
 * What was written after its first copy had landed, but before we knew of the loss, nobody has
 * looked at: that would take a look at each write.
 */
#include "core/multipath.h"
#include "mpath/scsi.h"

/* It has perhaps been carried out, and will be sent again. */
void comes_twice(struct multipath *m, struct mpath_io *io)
{
	struct mpath_io **at = &m->twice;

	if (io->twice || io->cmd.class != CMD_IDEMPOTENT || !io->cmd.medium || io->aborted ||
	    m->settings.fence == FENCE_NONE)
		return;
	while (*at)
		at = &(*at)->next_twice;
	io->twice = true;
	io->next_twice = NULL;
	*at = io;
}

/*
 * It is answered.  That it is aborted is not enough: of two copies the first may be there, and the
 * other one land.
 */
void comes_no_more(struct multipath *m, struct mpath_io *io)
{
	struct mpath_io **at = &m->twice;
	struct block_range freed;

	if (!io->twice)
		return;
	while (*at != io)
		at = &(*at)->next_twice;
	*at = io->next_twice;
	io->twice = false;
	if (list_empty(&m->restarting))
		return;
	freed = scsi_written_blocks(&io->cmd);
	m->freed = m->run_restarting ? scsi_widen_range(m->freed, freed) : freed;
	m->run_restarting = true;
	m->run_held = true;
}

/* Only those who have waited for what is answered now: there may be many, behind many. */
void let_go_behind_older(struct multipath *m, struct list *todo)
{
	struct mpath_io *io, *next;

	m->run_restarting = false;
	list_for_each_entry_safe(io, next, &m->restarting, node) {
		if (!scsi_ranges_meet(m->freed, scsi_written_blocks(&io->cmd)))
			continue;
		list_del(&io->node);
		list_push_back(todo, &io->node);
	}
}

/* Of those that come twice themselves one waits only for the ones that were lost before it. */
bool must_wait_for_older(const struct multipath *m, const struct mpath_io *io)
{
	const struct mpath_io *older;
	struct block_range written;

	if (!scsi_may_write(&io->cmd))
		return false;
	written = scsi_written_blocks(&io->cmd);
	for (older = m->twice; older && older != io; older = older->next_twice)
		if (scsi_writes_meet(&older->cmd, scsi_written_blocks(&older->cmd), &io->cmd,
				     written))
			return true;
	return false;
}
