/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that were given up, and may still be with the device.  They are never read(): the fd is
 * closed, and in the kernel's sg.c an answer to a closed fd is freed by a kernel thread, which has
 * no memory to copy to.  Such an orphan still holds one of the host's tags, so it counts against
 * the path and its host until the device's own count shows that it has gone, or its time is long
 * over.
 *
 * That count knows nothing of what a driver refuses, again and again, for as long as it pleases
 * (another LUN of an iSCSI target hangs, and has all that the session takes).  So the fd of a probe
 * that is given up stays open, unread, until the kernel has ended the probe: poll() tells.  As long
 * as there is such a one no other orphan is taken for gone, and there are never many of them.
 */
#include "transports/sg_link.h"

#include <errno.h>

/* A driver that takes a command again is asked for the others that it has refused by then. */
#define SG_HANDED_OVER_NS (50 * NSEC_PER_MSEC)
/* An orphan is gone for certain when its time-out and the error handling after it are over. */
#define SG_ORPHAN_NS (30 * NSEC_PER_SEC)

/* --- giving up --- */

static void link_expect_orphans(struct path_link *link, uint64_t until_ns)
{
	if (link->orphans_until_ns < until_ns)
		link->orphans_until_ns = until_ns;
}

static void slot_add_orphan(struct sg_slot *slot)
{
	struct path_link *link = slot->link;
	uint64_t lasts_ns = slot->io->cmd.timeout_ms * NSEC_PER_MSEC + SG_ORPHAN_NS;

	list_del(&slot->io->node);
	link->nr_orphans++;
	link->nr_at_host++;
	if (link->orphan_lasts_ns < lasts_ns)
		link->orphan_lasts_ns = lasts_ns;
	link_expect_orphans(link, slot->io->start_ns + lasts_ns);
	sg_tick_by(link, SG_TICK_NS);
}

void sg_slot_give_up(struct sg_slot *slot)
{
	slot_add_orphan(slot);
	sg_slot_close(slot);
}

void sg_slot_give_up_probe(struct sg_slot *slot)
{
	struct path_link *link = slot->link;
	struct mpath_io *io = slot->io;

	slot_add_orphan(slot);
	sg_slot_forget_io(slot);
	sg_slot_leave(slot);
	slot->state = SLOT_UNANSWERED;
	link->nr_unanswered++;
	list_push_back(&link->unanswered, &slot->node);
	sg_release_io(link, io);
}

/* --- counting --- */

static void link_leave_host(struct path_link *link, unsigned int nr_left)
{
	if (link->nr_at_host <= nr_left)
		return;
	sg_host_leave(link->host, link->nr_at_host - nr_left);
	link->nr_at_host = nr_left;
}

void sg_drop_orphans(struct path_link *link, unsigned int nr_left)
{
	link_leave_host(link, nr_left);
	link->nr_orphans = nr_left;
	if (!nr_left)
		link->keeps_back = false;
}

static void counter_run(struct job *job)
{
	struct path_link *link = container_of(job, struct path_link, counter);

	link->outstanding = sg_counters_read(&link->counters);
}

/* What a driver has refused is not counted, and is with the device some time after the probe. */
static bool may_be_refused(const struct path_link *link)
{
	return link->nr_unanswered || link->count_ns < link->heard_ns + SG_HANDED_OVER_NS;
}

/*
 * What is out and is not in a slot is an orphan; or somebody else's, hence never more than we know
 * of.  Commands of ours that came and went meanwhile make this inexact by as many: the next tick
 * looks again.  With an I/O scheduler what is refused has one of the disk's requests, but none of
 * the host's tags.
 */
static void link_believe(struct path_link *link)
{
	int64_t others = link->outstanding - (int64_t)link->nr_busy;
	unsigned int nr_left = others > 0 ? (unsigned int)others : 0;

	if (nr_left >= link->nr_orphans)
		return;
	if (!may_be_refused(link))
		sg_drop_orphans(link, nr_left);
	else if (!link->node.shares_tags)
		link_leave_host(link, nr_left);
}

/* What the kernel keeps back is not counted, and has its whole time before it. */
static void counter_done(struct letter *letter)
{
	struct path_link *link = container_of(letter, struct path_link, counter.letter);
	uint64_t now_ns = loop_now_ns(link->loop);

	link->counting = false;
	link->keeps_back = link->outstanding == -EAGAIN;
	if (link->outstanding >= 0)
		link_believe(link);
	if (link->keeps_back || link->nr_unanswered)
		link_expect_orphans(link, now_ns + link->orphan_lasts_ns);
	else if (now_ns >= link->orphans_until_ns)
		sg_drop_orphans(link, 0);
	sg_start_waiting(link);
	sg_check_closed(link);
}

void sg_count_orphans(struct path_link *link)
{
	if (!link->nr_orphans || link->counting)
		return;
	link->counting = true;
	link->count_ns = loop_now_ns(link->loop);
	job_start(&link->openers, &link->counter);
}

void sg_orphans_init(struct path_link *link)
{
	job_init(&link->counter, link->loop, counter_run, counter_done);
}
