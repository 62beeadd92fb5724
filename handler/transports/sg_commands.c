/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of a link: down by write() to a slot's fd, and their answers back by read().
 */
#include "transports/sg_link.h"

#include <assert.h>
#include <errno.h>
#include <scsi/sg.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mpath/scsi.h"
#include "transports/sg_header.h"

#define REQUEST_SENSE 0x03

#define SG_WAIT_MAX_NS (1 * NSEC_PER_SEC) /* for a slot; then the core tries elsewhere */

/* A device was removed: in-flight commands mostly still get their answer at once. */
#define SG_HANG_UP_NS (1 * NSEC_PER_SEC)

/*
 * So many probes that were given up may be out.  The kernel ends one after 10 s, and the core gives
 * one up after 1 s at the soonest: there are more only where the kernel cannot end them.
 */
#define SG_UNANSWERED_MAX 16

/* --- sending --- */

/* TRANSPORT_OK: it is on its way. */
static enum transport_error slot_send(struct sg_slot *slot, struct mpath_io *io)
{
	struct sg_io_hdr hdr;
	int err;

	if (!sg_header_fill(&hdr, &io->cmd, slot->link->sense, slot->link->node.max_transfer_bytes))
		return TRANSPORT_REFUSED;
	if (!slot->watched) {
		err = loop_watch(slot->link->loop, &slot->watch);
		if (err)
			return TRANSPORT_BUSY;
		slot->watched = true;
	}
	sg_slot_grow_reserve(slot, io->cmd.data_len);
	if (write(slot->watch.fd, &hdr, sizeof(hdr)) < 0)
		return sg_error_of_write(errno);
	return TRANSPORT_OK;
}

static void link_send(struct path_link *link, struct sg_slot *slot, struct mpath_io *io)
{
	enum transport_error error = slot_send(slot, io);

	if (error != TRANSPORT_OK) {
		sg_put_idle(link, slot);
		sg_host_leave(link->host, 1);
		sg_fail_io(link, io, error);
		return;
	}
	/* Again: write() may have slept, and only then does the kernel's time-out begin. */
	if (io->cmd.class != CMD_READ)
		slot->sent_ns = clock_now_ns();
	io->transport_data = slot;
	slot->io = io;
	slot->state = SLOT_BUSY;
	link->nr_busy++;
	list_push_back(&link->busy_slots, &slot->node);
	list_init(&io->node); /* on no list: its slot has it */
	sg_mark_used(link);
}

/*
 * A probe would only be kept back in the kernel, as one is already that was given up; or refused
 * by the driver, as many.  That may last for hours, and each has one of the disk's requests
 * meanwhile; when all are out write() sleeps, and our loop with it.  So it waits here, until it is
 * given up like the one before.
 */
static bool is_kept_back(const struct path_link *link, const struct mpath_io *io)
{
	return io->is_probe &&
	       ((link->keeps_back && link->nr_orphans) || link->nr_unanswered >= SG_UNANSWERED_MAX);
}

/*
 * One of the device's queue depth is left to the path's own probe, so that the state of a path
 * whose commands all hang can still be asked for.
 */
static bool link_has_room(const struct path_link *link, const struct mpath_io *io)
{
	unsigned int depth = link->node.queue_depth;
	unsigned int share;

	if (is_kept_back(link, io))
		return false;
	if (link->node.shares_tags) {
		share = sg_host_share(link->host);
		if (depth > share)
			depth = share;
	}
	if (!io->is_probe && depth > 1)
		depth--;
	return link->nr_busy + link->nr_orphans < depth;
}

/*
 * The batch may have begun in time, but a write() before it sleep, or the process stand still. What
 * the core has reckoned from the try's begin, and told to a next process, is wrong then for a write
 * that has no deadline, too: it decides anew.
 */
static bool is_too_late(const struct path_link *link, const struct mpath_io *io)
{
	uint64_t now_ns;

	if (io->cmd.class == CMD_READ)
		return io->send_by_ns && loop_now_ns(link->loop) >= io->send_by_ns;
	now_ns = clock_now_ns();
	if (io->send_by_ns && now_ns >= io->send_by_ns)
		return true;
	return !io->is_probe && now_ns - io->start_ns >= SG_WAIT_MAX_NS;
}

/* Named by a TMR while it waited, or its time is over: never sent (D9). */
static bool must_not_be_sent(const struct path_link *link, const struct mpath_io *io)
{
	return io->aborted || is_too_late(link, io);
}

/* There is room for it, and an idle slot. */
static void link_send_or_fail(struct path_link *link, struct mpath_io *io)
{
	struct sg_slot *slot = sg_take_idle(link);

	if (sg_host_enter(link->host, link->nr_busy + link->nr_orphans, io->is_probe)) {
		link_send(link, slot, io);
		return;
	}
	sg_put_idle(link, slot);
	sg_fail_io(link, io, TRANSPORT_BUSY);
}

void sg_start_waiting(struct path_link *link)
{
	while (!list_empty(&link->waiting)) {
		struct mpath_io *io = list_first_entry(&link->waiting, struct mpath_io, node);

		if (must_not_be_sent(link, io)) {
			list_del(&io->node);
			sg_fail_io(link, io, TRANSPORT_BUSY);
			continue;
		}
		if (!link_has_room(link, io))
			return;
		if (list_empty(&link->idle_slots)) {
			sg_open_slots(link);
			return;
		}
		list_del(&io->node);
		link_send_or_fail(link, io);
	}
}

static bool may_send_at_once(const struct path_link *link, const struct mpath_io *io)
{
	return list_empty(&link->waiting) && !list_empty(&link->idle_slots) &&
	       !must_not_be_sent(link, io) && link_has_room(link, io);
}

void sg_submit(struct path_link *link, struct mpath_io *io)
{
	assert(!link->closed);
	io->transport_data = NULL;
	if (may_send_at_once(link, io)) {
		link_send_or_fail(link, io);
		return;
	}
	if (io->is_probe)
		list_push_front(&link->waiting, &io->node);
	else
		list_push_back(&link->waiting, &io->node);
	sg_start_waiting(link);
	if (!list_empty(&link->waiting))
		sg_tick_by(link, SG_TICK_NS);
}

/* --- waiting no more --- */

void sg_fail_waiting(struct path_link *link, enum transport_error error)
{
	struct list *node;

	while ((node = list_pop(&link->waiting)))
		sg_fail_io(link, container_of(node, struct mpath_io, node), error);
}

/*
 * What waits for a slot was submitted before the core knew of the doubt, and must not be sent
 * before the doubt is over: back it goes, and the core decides anew.
 */
static void link_return_waiting(struct path_link *link)
{
	struct mpath_io *io, *tmp;

	list_for_each_entry_safe(io, tmp, &link->waiting, node) {
		if (io->is_probe)
			continue;
		list_del(&io->node);
		sg_fail_io(link, io, TRANSPORT_BUSY);
	}
}

void sg_fail_stale(struct path_link *link, uint64_t now_ns)
{
	struct mpath_io *io, *tmp;

	list_for_each_entry_safe(io, tmp, &link->waiting, node) {
		bool may_wait = now_ns - io->start_ns < SG_WAIT_MAX_NS || is_kept_back(link, io);

		if (may_wait && !must_not_be_sent(link, io))
			continue;
		list_del(&io->node);
		sg_fail_io(link, io, TRANSPORT_BUSY);
	}
}

/* --- receiving --- */

static void slot_finish(struct sg_slot *slot)
{
	struct path_link *link = slot->link;
	struct mpath_io *io = slot->io;

	sg_slot_forget_io(slot);
	list_del(&slot->node);
	link->nr_busy--;
	sg_put_idle(link, slot);
	sg_host_leave(link->host, 1);
	io->transport_data = NULL;
	link->events->done(io);
	sg_start_waiting(link);
}

/* The device is being removed.  Most drivers end what is in flight at once: wait for that. */
static void slot_hang_up(struct sg_slot *slot)
{
	if (slot->hung_up_ns)
		return;
	slot->hung_up_ns = loop_now_ns(slot->link->loop);
	sg_tick_by(slot->link, SG_HANG_UP_NS);
}

static void slot_read_failed(struct sg_slot *slot, int err, uint32_t epoll_events)
{
	switch (err) {
	case EAGAIN:
		if (epoll_events & (EPOLLHUP | EPOLLERR))
			slot_hang_up(slot);
		return;
	case EFAULT: /* the answer was there, and is consumed */
		slot->io->result = (struct scsi_result){.transport = TRANSPORT_FAULT};
		slot->io->result.residual = (uint32_t)slot->io->cmd.data_len;
		slot_finish(slot);
		return;
	default: /* ENODEV from older kernels: the answer, if any, cannot be had */
		sg_slot_give_up(slot);
		return;
	}
}

/*
 * No answer of the target's, or one that may say that another LUN is there now.  To REQUEST SENSE
 * it says so in the data, which is for the core to read.
 */
static bool raises_doubt(const struct mpath_io *io)
{
	const struct scsi_result *result = &io->result;
	struct scsi_sense sense;

	return io->cmd.cdb[0] == REQUEST_SENSE || result->transport != TRANSPORT_OK ||
	       (result->sense_len && scsi_sense_decode(result->sense, result->sense_len, &sense) &&
		sense.key == 0x06);
}

/* The kernel has ended a probe that was given up; or the device goes away, and nobody tells. */
static void slot_answered_late(struct sg_slot *slot, uint32_t epoll_events)
{
	struct path_link *link = slot->link;

	sg_slot_close(slot);
	if (!(epoll_events & EPOLLIN))
		return;
	link->heard_ns = loop_now_ns(link->loop);
	sg_drop_orphans(link, link->nr_orphans - 1);
	sg_start_waiting(link);
}

void sg_slot_ready(struct watch *watch, uint32_t epoll_events)
{
	struct sg_slot *slot = container_of(watch, struct sg_slot, watch);
	struct sg_io_hdr hdr = {.interface_id = 'S'};

	if (slot->state != SLOT_BUSY) {
		if (slot->state == SLOT_UNANSWERED)
			slot_answered_late(slot, epoll_events);
		return; /* idle: the device went away, the next write() tells */
	}
	if (read(watch->fd, &hdr, sizeof(hdr)) < 0) {
		slot_read_failed(slot, errno, epoll_events);
		return;
	}
	sg_header_result(&hdr, slot->link->sense, slot->io);
	if (raises_doubt(slot->io))
		link_return_waiting(slot->link);
	slot_finish(slot);
}

void sg_give_up_hung_up(struct path_link *link, uint64_t now_ns)
{
	struct sg_slot *slot, *tmp;

	list_for_each_entry_safe(slot, tmp, &link->busy_slots, node) {
		if (!slot->hung_up_ns)
			continue;
		if (now_ns - slot->hung_up_ns >= SG_HANG_UP_NS)
			sg_slot_give_up(slot);
		else
			sg_tick_by(link, SG_TICK_NS);
	}
}

/* --- giving up --- */

void sg_abandon(struct path_link *link, struct mpath_io *io)
{
	struct sg_slot *slot = io->transport_data;

	if (!slot) { /* never sent, or failed and not yet reported */
		list_del(&io->node);
		sg_release_io(link, io);
		return;
	}
	assert(slot->io == io && !slot->abandoned);
	slot->abandoned = true;
	if (slot->state != SLOT_BUSY)
		return; /* it was lost, and its fd is being closed already */
	if (io->is_probe)
		sg_slot_give_up_probe(slot);
	else
		sg_slot_give_up(slot);
}
