/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sg transport: SCSI disks of this host, through their /dev/sgN.
 *
 * Every command goes down as the SCSI command that it is, by write() to an sg node, and its answer
 * comes back by read(): status, sense and residual are the array's own, and neither sd nor scsi_dh
 * nor a kernel retry stands between.  Data is copied by the kernel inside write() and read(), so
 * that no page of the initiator's is touched at any other time (DESIGN D6, hazards.md H1, H2).
 *
 * A link has slots, each an fd of its own with one command at a time.  (One fd could carry 16, but
 * only the first one uses the fd's buffer; the others cost four times as much.)  Slots are opened
 * by a worker when they are needed, used last in, first out, and closed when they have been idle.
 *
 * A command that is given up is never read(): its fd is closed, by a worker, and only then is it
 * handed back.  In sg.c an answer to a closed fd is freed by a kernel thread, which has no memory
 * to copy to.  Such an orphan still holds one of the host's tags, so it counts against the path and
 * its host until the device's own count shows that it has gone, or its time is long over.
 *
 * That count knows nothing of what a driver refuses, again and again, for as long as it pleases
 * (another LUN of an iSCSI target hangs, and has all that the session takes).  So the fd of a probe
 * that is given up stays open, unread, until the kernel has ended the probe: poll() tells.  As long
 * as there is such a one no other orphan is taken for gone, and there are never many of them.
 *
 * Besides the slots a link holds /dev/sdX with O_EXCL, so that nobody else uses the disk (claim.c),
 * and one sg fd without commands, the anchor: as long as that is open, the kernel cannot give
 * sgN's number to another disk, and a slot can be opened by name.
 */
#include "mpath/path_transport.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mpath/core.h"
#include "mpath/scsi.h"
#include "runtime/worker.h"
#include "transports/claim.h"
#include "transports/sg_device.h"
#include "transports/sg_header.h"
#include "transports/sg_host.h"
#include "transports/sg_session.h"
#include "transports/sysfs.h"

#define REQUEST_SENSE 0x03

/*
 * An fd's buffer: sg.c allocates it in elements of 32 KiB, so less saves nothing.  A slot that gets
 * a larger command grows its buffer, up to the second figure; what is larger still is allocated by
 * the kernel each time.  Idle slots are closed, and their buffers with them.
 */
#define SG_RESERVE_MIN (32 * 1024)
#define SG_RESERVE_MAX (128 * 1024)

#define SG_OPEN_AT_ONCE	 8   /* slots that one job opens */
#define SG_DEPTH_MAX	 256 /* slots of a link; each is an fd */
#define SG_TICK_NS	 (200 * NSEC_PER_MSEC)
#define SG_TRIM_NS	 (10 * NSEC_PER_SEC) /* a slot that was not needed for so long is closed */
#define SG_WAIT_MAX_NS	 (1 * NSEC_PER_SEC)  /* for a slot; then the core tries elsewhere */
#define SG_OPEN_RETRY_NS (1 * NSEC_PER_SEC)

/*
 * So many probes that were given up may be out.  The kernel ends one after 10 s, and the core gives
 * one up after 1 s at the soonest: there are more only where the kernel cannot end them.
 */
#define SG_UNANSWERED_MAX 16
/* A driver that takes a command again is asked for the others that it has refused by then. */
#define SG_HANDED_OVER_NS (50 * NSEC_PER_MSEC)

/* Missing in glibc's scsi/sg.h: do what was asked for, or fail, but nothing wider. */
#ifndef SG_SCSI_RESET_NO_ESCALATE
#define SG_SCSI_RESET_NO_ESCALATE 0x100
#endif

/* A device was removed: in-flight commands mostly still get their answer at once. */
#define SG_HANG_UP_NS (1 * NSEC_PER_SEC)
/* An orphan is gone for certain when its time-out and the error handling after it are over. */
#define SG_ORPHAN_NS (30 * NSEC_PER_SEC)

enum slot_state {
	SLOT_IDLE,	 /* on link->idle_slots */
	SLOT_BUSY,	 /* on link->busy_slots, with a command */
	SLOT_UNANSWERED, /* on link->unanswered: its probe was given up, and handed back */
	SLOT_CLOSING,	 /* on no list: a worker closes it; what it carried is handed back then */
};

struct sg_slot {
	struct path_link *link;
	struct list node;
	enum slot_state state;
	struct watch watch;
	bool watched;
	int reserve;	     /* bytes of the fd's buffer */
	struct mpath_io *io; /* NULL: none */
	uint64_t hung_up_ns; /* the device went away meanwhile; 0: no */
	bool abandoned;	     /* nobody waits for the answer; else it is reported as lost */
	struct job closer;
};

struct path_link {
	struct loop *loop;
	const struct link_events *events;
	struct sg_node node;
	struct claim *claim;
	struct sg_host *host;
	int anchor_fd;
	struct sg_counters counters;
	int64_t errors_at_open; /* negative: could not be read */

	/* The rest belongs to the owner thread, once it has the link. */
	/* Slots are owned, node.queue_depth of them at most; each has an fd. */
	struct list idle_slots; /* the one used last first */
	struct list busy_slots;
	struct list unanswered;
	unsigned int nr_open; /* idle and busy */
	unsigned int nr_idle;
	unsigned int nr_busy;
	unsigned int nr_unanswered;
	unsigned int nr_closing;       /* these, too: no new slot takes their place */
	unsigned int nr_idle_min;      /* since the last trimming */
	uint8_t sense[SCSI_SENSE_MAX]; /* of the answer that is being read */
	struct job_queue closers;

	struct list waiting;  /* commands that wait for a slot */
	struct list failed;   /* commands whose result is set; reported by the letter */
	struct list released; /* given up before they were sent; likewise */
	struct letter report;
	bool report_posted;

	struct job opener;
	struct job_queue openers;
	bool opening;
	unsigned int nr_to_open; /* the job's, while opening */
	unsigned int nr_opened;
	struct sg_slot *opened[SG_OPEN_AT_ONCE];
	int open_error;
	uint64_t open_again_ns; /* it failed: not before */

	struct job counter;
	bool counting;
	int64_t outstanding;	 /* the job's, while counting */
	uint64_t count_ns;	 /* when it began */
	uint64_t heard_ns;	 /* the kernel has ended an unanswered probe */
	bool keeps_back;	 /* the kernel did, when the orphans were counted last */
	unsigned int nr_orphans; /* unanswered probes, too */
	unsigned int nr_at_host; /* of these: with one of the host's tags */
	uint64_t orphans_until_ns;
	uint64_t orphan_lasts_ns; /* the longest of them */

	struct timer tick;
	uint64_t trim_ns;
	bool active; /* counted as a user of the host */
	bool used;   /* since the last trimming */
	struct job end;
	struct letter *closed; /* sg_close was called; delivered at the end */
};

static void link_start_waiting(struct path_link *link);
static void link_check_closed(struct path_link *link);
static void slot_ready(struct watch *watch, uint32_t epoll_events);
static void slot_closer_run(struct job *job);
static void slot_closed(struct letter *letter);

/* --- reporting, later, on the owner thread --- */

static void link_post_report(struct path_link *link)
{
	if (link->report_posted)
		return;
	link->report_posted = true;
	loop_post(link->loop, &link->report);
}

static void link_report(struct letter *letter)
{
	struct path_link *link = container_of(letter, struct path_link, report);
	struct list *node;

	link->report_posted = false;
	while ((node = list_pop(&link->released)))
		link->events->abandoned(container_of(node, struct mpath_io, node));
	while ((node = list_pop(&link->failed)))
		link->events->done(container_of(node, struct mpath_io, node));
}

static void link_fail_io(struct path_link *link, struct mpath_io *io, enum transport_error error)
{
	io->result =
		(struct scsi_result){.transport = error, .residual = (uint32_t)io->cmd.data_len};
	io->transport_data = NULL;
	list_push_back(&link->failed, &io->node);
	link_post_report(link);
}

static void link_release(struct path_link *link, struct mpath_io *io)
{
	io->transport_data = NULL;
	list_push_back(&link->released, &io->node);
	link_post_report(link);
}

static void link_fail_waiting(struct path_link *link, enum transport_error error)
{
	struct list *node;

	while ((node = list_pop(&link->waiting)))
		link_fail_io(link, container_of(node, struct mpath_io, node), error);
}

/* --- the timer for whatever is not in a hurry --- */

/* What has seconds comes at a full one. */
static uint64_t link_time_in(const struct path_link *link, uint64_t delay_ns)
{
	uint64_t at_ns = loop_now_ns(link->loop) + delay_ns;

	return delay_ns < NSEC_PER_SEC ? at_ns : full_second_ns(at_ns);
}

static void link_tick_by(struct path_link *link, uint64_t delay_ns)
{
	uint64_t due_ns = link_time_in(link, delay_ns);

	if (list_empty(&link->tick.node) || link->tick.due_ns > due_ns)
		loop_timer_set(link->loop, &link->tick, due_ns);
}

/* --- slots: opening --- */

static int sg_open_fd(const struct path_link *link)
{
	int reserve = SG_RESERVE_MIN;
	int fd = sg_open_node(link->node.name, link->node.dev, S_IFCHR, O_RDWR | O_NONBLOCK);

	/* The system's default may be anything (/proc/scsi/sg/def_reserved_size). */
	if (fd >= 0)
		ioctl(fd, SG_SET_RESERVED_SIZE, &reserve);
	return fd;
}

/* With its fd; the loop does not know it yet. */
static int slot_new(struct path_link *link, struct sg_slot **slot)
{
	int fd = sg_open_fd(link);

	if (fd < 0)
		return fd;
	*slot = calloc(1, sizeof(**slot));
	if (!*slot) {
		close(fd);
		return -ENOMEM;
	}
	(*slot)->link = link;
	(*slot)->watch.fd = fd;
	(*slot)->watch.ready = slot_ready;
	(*slot)->reserve = SG_RESERVE_MIN;
	job_init(&(*slot)->closer, link->loop, slot_closer_run, slot_closed);
	return 0;
}

static void opener_run(struct job *job)
{
	struct path_link *link = container_of(job, struct path_link, opener);

	link->nr_opened = 0;
	link->open_error = 0;
	while (link->nr_opened < link->nr_to_open) {
		link->open_error = slot_new(link, &link->opened[link->nr_opened]);
		if (link->open_error)
			return;
		link->nr_opened++;
	}
}

static void link_add_slot(struct path_link *link, struct sg_slot *slot)
{
	slot->state = SLOT_IDLE;
	list_push_back(&link->idle_slots, &slot->node);
	link->nr_open++;
	link->nr_idle++;
}

static void opener_done(struct letter *letter)
{
	struct path_link *link = container_of(letter, struct path_link, opener.letter);
	unsigned int i;

	link->opening = false;
	for (i = 0; i < link->nr_opened; i++)
		link_add_slot(link, link->opened[i]);
	if (link->open_error)
		link->open_again_ns = loop_now_ns(link->loop) + SG_OPEN_RETRY_NS;
	if (link->nr_open > 1)
		link_tick_by(link, SG_TRIM_NS);
	link_start_waiting(link);
	link_check_closed(link);
}

static void link_open_slots(struct path_link *link)
{
	unsigned int possible = link->node.queue_depth - link->nr_open - link->nr_closing;
	unsigned int wanted = 0;
	struct list *node;

	if (link->opening)
		return;
	if (loop_now_ns(link->loop) < link->open_again_ns) {
		if (!link->nr_open)
			link_fail_waiting(link, sg_error_of_open(link->open_error));
		return; /* else there will be a slot when one of the commands ends */
	}
	for (node = link->waiting.next; node != &link->waiting; node = node->next)
		if (++wanted == SG_OPEN_AT_ONCE)
			break;
	if (wanted > possible)
		wanted = possible;
	if (!wanted)
		return;
	link->opening = true;
	link->nr_to_open = wanted;
	job_start(&link->openers, &link->opener);
}

/* --- slots: closing --- */

static void slot_forget_io(struct sg_slot *slot)
{
	slot->io = NULL;
	slot->hung_up_ns = 0;
	slot->abandoned = false;
}

/* Off its list: no command will use it any more. */
static void slot_leave(struct sg_slot *slot)
{
	struct path_link *link = slot->link;

	list_del(&slot->node);
	if (slot->state == SLOT_UNANSWERED) {
		link->nr_unanswered--;
		return;
	}
	if (slot->state == SLOT_IDLE)
		link->nr_idle--;
	else
		link->nr_busy--;
	link->nr_open--;
	link->nr_closing++;
}

/* Off the loop, too; a worker closes the fd. */
static void slot_close(struct sg_slot *slot)
{
	struct path_link *link = slot->link;

	if (slot->watched)
		loop_unwatch(link->loop, &slot->watch);
	slot->watched = false;
	slot_leave(slot);
	slot->state = SLOT_CLOSING;
	job_start(&link->closers, &slot->closer);
}

static void slot_closer_run(struct job *job)
{
	close(container_of(job, struct sg_slot, closer)->watch.fd);
}

static void slot_closed(struct letter *letter)
{
	struct sg_slot *slot = container_of(letter, struct sg_slot, closer.letter);
	struct path_link *link = slot->link;
	struct mpath_io *io = slot->io;
	bool abandoned = slot->abandoned;

	free(slot);
	link->nr_closing--;
	if (io && abandoned)
		link_release(link, io);
	else if (io)
		link_fail_io(link, io, TRANSPORT_ORPHANED);
	link_start_waiting(link);
	link_check_closed(link);
}

static void link_expect_orphans(struct path_link *link, uint64_t until_ns)
{
	if (link->orphans_until_ns < until_ns)
		link->orphans_until_ns = until_ns;
}

/* The command is out and nobody will read its answer: an orphan from now on. */
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
	link_tick_by(link, SG_TICK_NS);
}

static void slot_give_up(struct sg_slot *slot)
{
	slot_add_orphan(slot);
	slot_close(slot);
}

/* Nobody will read the answer, so what it was to go to is free at once. */
static void slot_give_up_probe(struct sg_slot *slot)
{
	struct path_link *link = slot->link;
	struct mpath_io *io = slot->io;

	slot_add_orphan(slot);
	slot_forget_io(slot);
	slot_leave(slot);
	slot->state = SLOT_UNANSWERED;
	link->nr_unanswered++;
	list_push_back(&link->unanswered, &slot->node);
	link_release(link, io);
}

/* --- orphans --- */

static void link_leave_host(struct path_link *link, unsigned int nr_left)
{
	if (link->nr_at_host <= nr_left)
		return;
	sg_host_leave(link->host, link->nr_at_host - nr_left);
	link->nr_at_host = nr_left;
}

static void link_drop_orphans(struct path_link *link, unsigned int nr_left)
{
	link_leave_host(link, nr_left);
	link->nr_orphans = nr_left;
	if (!nr_left)
		link->keeps_back = false;
}

/* The commands first: what has ended by then, and with an error, is among the errors. */
static int64_t sg_count_outstanding(struct path_link *link, uint64_t *errors)
{
	int64_t outstanding = sg_counters_read(&link->counters);
	int64_t now = sg_counters_errors(&link->counters);

	if (outstanding < 0)
		return outstanding;
	if (now < 0 || link->errors_at_open < 0)
		return -ENODEV;
	*errors = (uint64_t)(now - link->errors_at_open);
	return outstanding;
}

/* The anchor takes no commands, so nobody closes it meanwhile. */
static int sg_reset_lun(struct path_link *link)
{
	int what = SG_SCSI_RESET_DEVICE | SG_SCSI_RESET_NO_ESCALATE;

	return ioctl(link->anchor_fd, SG_SCSI_RESET, &what) ? -errno : 0;
}

static uint64_t sg_session(struct path_link *link)
{
	return sg_session_number(link->node.session);
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
		link_drop_orphans(link, nr_left);
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
		link_drop_orphans(link, 0);
	link_start_waiting(link);
	link_check_closed(link);
}

static void link_count_orphans(struct path_link *link)
{
	if (!link->nr_orphans || link->counting)
		return;
	link->counting = true;
	link->count_ns = loop_now_ns(link->loop);
	job_start(&link->openers, &link->counter);
}

/* --- sending --- */

/* Its buffer is idle now; the allocation takes no longer than the one that it saves. */
static void slot_grow_reserve(struct sg_slot *slot, size_t data_len)
{
	int reserve = slot->reserve;

	if (data_len <= (size_t)reserve || data_len > SG_RESERVE_MAX)
		return;
	while ((size_t)reserve < data_len)
		reserve *= 2;
	ioctl(slot->watch.fd, SG_SET_RESERVED_SIZE, &reserve);
	slot->reserve = reserve; /* also when memory was short: do not ask again for each command */
}

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
	slot_grow_reserve(slot, io->cmd.data_len);
	if (write(slot->watch.fd, &hdr, sizeof(hdr)) < 0)
		return sg_error_of_write(errno);
	return TRANSPORT_OK;
}

static void link_put_idle(struct path_link *link, struct sg_slot *slot)
{
	slot->state = SLOT_IDLE;
	list_push_front(&link->idle_slots, &slot->node);
	link->nr_idle++;
}

/* There is one. */
static struct sg_slot *link_take_idle(struct path_link *link)
{
	struct sg_slot *slot = list_first_entry(&link->idle_slots, struct sg_slot, node);

	list_del(&slot->node);
	link->nr_idle--;
	if (link->nr_idle_min > link->nr_idle)
		link->nr_idle_min = link->nr_idle;
	return slot;
}

static void link_mark_used(struct path_link *link)
{
	link->used = true;
	if (link->active)
		return;
	link->active = true;
	sg_host_set_active(link->host, true);
	link_tick_by(link, SG_TRIM_NS);
}

static void link_send(struct path_link *link, struct sg_slot *slot, struct mpath_io *io)
{
	enum transport_error error = slot_send(slot, io);

	if (error != TRANSPORT_OK) {
		link_put_idle(link, slot);
		sg_host_leave(link->host, 1);
		link_fail_io(link, io, error);
		return;
	}
	io->transport_data = slot;
	slot->io = io;
	slot->state = SLOT_BUSY;
	link->nr_busy++;
	list_push_back(&link->busy_slots, &slot->node);
	list_init(&io->node); /* on no list: its slot has it */
	link_mark_used(link);
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

/* Named by a TMR while it waited, or its time is over: never sent (D9). */
static bool must_not_be_sent(const struct path_link *link, const struct mpath_io *io)
{
	return io->aborted || (io->send_by_ns && loop_now_ns(link->loop) >= io->send_by_ns);
}

/* There is room for it, and an idle slot. */
static void link_send_or_fail(struct path_link *link, struct mpath_io *io)
{
	struct sg_slot *slot = link_take_idle(link);

	if (sg_host_enter(link->host, link->nr_busy + link->nr_orphans, io->is_probe)) {
		link_send(link, slot, io);
		return;
	}
	link_put_idle(link, slot);
	link_fail_io(link, io, TRANSPORT_BUSY);
}

static void link_start_waiting(struct path_link *link)
{
	while (!list_empty(&link->waiting)) {
		struct mpath_io *io = list_first_entry(&link->waiting, struct mpath_io, node);

		if (must_not_be_sent(link, io)) {
			list_del(&io->node);
			link_fail_io(link, io, TRANSPORT_BUSY);
			continue;
		}
		if (!link_has_room(link, io))
			return;
		if (list_empty(&link->idle_slots)) {
			link_open_slots(link);
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

static void sg_submit(struct path_link *link, struct mpath_io *io)
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
	link_start_waiting(link);
	if (!list_empty(&link->waiting))
		link_tick_by(link, SG_TICK_NS);
}

/* --- receiving --- */

static void slot_finish(struct sg_slot *slot)
{
	struct path_link *link = slot->link;
	struct mpath_io *io = slot->io;

	slot_forget_io(slot);
	list_del(&slot->node);
	link->nr_busy--;
	link_put_idle(link, slot);
	sg_host_leave(link->host, 1);
	io->transport_data = NULL;
	link->events->done(io);
	link_start_waiting(link);
}

/* The device is being removed.  Most drivers end what is in flight at once: wait for that. */
static void slot_hang_up(struct sg_slot *slot)
{
	if (slot->hung_up_ns)
		return;
	slot->hung_up_ns = loop_now_ns(slot->link->loop);
	link_tick_by(slot->link, SG_HANG_UP_NS);
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
		slot_give_up(slot);
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
		link_fail_io(link, io, TRANSPORT_BUSY);
	}
}

/* The kernel has ended a probe that was given up; or the device goes away, and nobody tells. */
static void slot_answered_late(struct sg_slot *slot, uint32_t epoll_events)
{
	struct path_link *link = slot->link;

	slot_close(slot);
	if (!(epoll_events & EPOLLIN))
		return;
	link->heard_ns = loop_now_ns(link->loop);
	link_drop_orphans(link, link->nr_orphans - 1);
	link_start_waiting(link);
}

static void slot_ready(struct watch *watch, uint32_t epoll_events)
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

/* --- giving up --- */

static void sg_abandon(struct path_link *link, struct mpath_io *io)
{
	struct sg_slot *slot = io->transport_data;

	if (!slot) { /* never sent, or failed and not yet reported */
		list_del(&io->node);
		link_release(link, io);
		return;
	}
	assert(slot->io == io && !slot->abandoned);
	slot->abandoned = true;
	if (slot->state != SLOT_BUSY)
		return; /* it was lost, and its fd is being closed already */
	if (io->is_probe)
		slot_give_up_probe(slot);
	else
		slot_give_up(slot);
}

/* --- the tick --- */

static void link_fail_stale(struct path_link *link, uint64_t now_ns)
{
	struct mpath_io *io, *tmp;

	list_for_each_entry_safe(io, tmp, &link->waiting, node) {
		bool may_wait = now_ns - io->start_ns < SG_WAIT_MAX_NS || is_kept_back(link, io);

		if (may_wait && !must_not_be_sent(link, io))
			continue;
		list_del(&io->node);
		link_fail_io(link, io, TRANSPORT_BUSY);
	}
}

static void link_give_up_hung_up(struct path_link *link, uint64_t now_ns)
{
	struct sg_slot *slot, *tmp;

	list_for_each_entry_safe(slot, tmp, &link->busy_slots, node) {
		if (!slot->hung_up_ns)
			continue;
		if (now_ns - slot->hung_up_ns >= SG_HANG_UP_NS)
			slot_give_up(slot);
		else
			link_tick_by(link, SG_TICK_NS);
	}
}

static void link_trim(struct path_link *link, uint64_t now_ns)
{
	unsigned int surplus = link->nr_idle_min;

	if (now_ns < link->trim_ns)
		return;
	link->trim_ns = link_time_in(link, SG_TRIM_NS);
	if (surplus == link->nr_open && surplus)
		surplus--; /* one stays */
	while (surplus--)
		slot_close(container_of(link->idle_slots.prev, struct sg_slot, node));
	link->nr_idle_min = link->nr_idle;
	if (link->active && !link->used && !link->nr_busy) {
		link->active = false;
		sg_host_set_active(link->host, false);
	}
	link->used = false;
}

static void link_tick(struct timer *timer, uint64_t now_ns)
{
	struct path_link *link = container_of(timer, struct path_link, tick);

	if (link->closed)
		return;
	link_fail_stale(link, now_ns);
	link_give_up_hung_up(link, now_ns);
	link_count_orphans(link);
	link_trim(link, now_ns);
	link_start_waiting(link);
	if (link->nr_orphans || !list_empty(&link->waiting))
		link_tick_by(link, SG_TICK_NS);
	else if (link->nr_open > 1 || link->active)
		link_tick_by(link, SG_TRIM_NS);
}

/* --- open --- */

static void link_close_all(struct path_link *link)
{
	struct list *node;

	while ((node = list_pop(&link->idle_slots))) {
		struct sg_slot *slot = container_of(node, struct sg_slot, node);

		close(slot->watch.fd);
		free(slot);
	}
	if (link->anchor_fd >= 0)
		close(link->anchor_fd);
	sg_counters_close(&link->counters);
	if (link->host)
		sg_host_put(link->host);
	if (link->claim)
		claim_release(link->claim); /* last: until here the disk is ours */
}

static void end_run(struct job *job)
{
	link_close_all(container_of(job, struct path_link, end));
}

static void end_done(struct letter *letter)
{
	struct path_link *link = container_of(letter, struct path_link, end.letter);
	struct letter *closed = link->closed;

	free(link);
	closed->deliver(closed);
}

static void link_init(struct path_link *link, const struct link_request *request)
{
	link->loop = request->loop;
	link->events = request->events;
	link->anchor_fd = -1;
	link->counters = (struct sg_counters){-1, -1, -1, -1, -1, -1, false};
	list_init(&link->idle_slots);
	list_init(&link->busy_slots);
	list_init(&link->unanswered);
	list_init(&link->waiting);
	list_init(&link->failed);
	list_init(&link->released);
	list_init(&link->tick.node);
	link->tick.fire = link_tick;
	link->report.deliver = link_report;
	job_queue_init(&link->closers);
	job_queue_init(&link->openers);
	job_init(&link->opener, link->loop, opener_run, opener_done);
	job_init(&link->counter, link->loop, counter_run, counter_done);
	job_init(&link->end, link->loop, end_run, end_done);
}

/* Is the node that was opened the disk that is claimed?  Names may have changed in between. */
static bool anchor_is_disk(const struct path_link *link)
{
	struct sg_scsi_id id;

	if (ioctl(link->anchor_fd, SG_GET_SCSI_ID, &id))
		return false;
	return (unsigned int)id.host_no == link->node.host &&
	       (unsigned int)id.channel == link->node.channel &&
	       (unsigned int)id.scsi_id == link->node.target &&
	       (unsigned int)id.lun == (unsigned int)link->node.lun;
}

static int link_open_anchor(struct path_link *link, struct strbuf *reason)
{
	link->anchor_fd = sg_open_fd(link);
	if (link->anchor_fd < 0) {
		int err = link->anchor_fd;

		if (err == -EBUSY)
			strbuf_printf(reason, "/dev/%s is held by another process with O_EXCL",
				      link->node.name);
		else
			strbuf_printf(reason, "/dev/%s: %s", link->node.name, strerror(-err));
		return err;
	}
	if (!anchor_is_disk(link)) {
		strbuf_printf(reason, "/dev/%s is not the disk any more that it was",
			      link->node.name);
		return -ENODEV;
	}
	return 0;
}

/*
 * Nothing of that is read again while the link is open: what may be on its way would be taken to
 * arrive sooner, the host to take one command at a time, and the commands that are out for unknown.
 */
static int check_all_is_known(const struct sg_disk *disk, struct strbuf *reason)
{
	int err = sysfs_shortage();

	if (err)
		strbuf_printf(reason, "not all is known of %s: %s", disk->name, strerror(-err));
	return err;
}

static int link_open(struct path_link *link, const struct sg_disk *disk, const char *map,
		     struct strbuf *reason)
{
	struct sg_slot *slot;
	int err;

	err = claim_take(disk, map, &link->claim, reason);
	if (err)
		return err;
	err = sg_node_find(disk, &link->node, reason);
	if (err)
		return err;
	err = link_open_anchor(link, reason);
	if (err)
		return err;
	sg_counters_open(&link->counters, disk, &link->node);
	err = check_all_is_known(disk, reason);
	if (err)
		return err;
	link->host = sg_host_get(link->node.host, link->node.can_queue);
	if (!link->host) {
		strbuf_printf(reason, "out of memory");
		return -ENOMEM;
	}
	if (link->node.queue_depth > SG_DEPTH_MAX)
		link->node.queue_depth = SG_DEPTH_MAX;
	if (!slot_new(link, &slot)) /* so that the first command need not wait for one */
		link_add_slot(link, slot);
	return 0;
}

/* Of host:channel:target; and 1 more, so that it is never 0. */
static uint64_t nexus_of(const struct sg_node *node)
{
	if (node->host >= 0xffffff || node->channel > 0xff || node->target > 0xffff)
		return 0;
	return ((uint64_t)node->host << 24 | node->channel << 16 | node->target) + 1;
}

static void link_fill_facts(struct path_link *link, const struct sg_disk *disk,
			    struct path_facts *facts)
{
	const struct sg_node *node = &link->node;
	int64_t foreign = sg_counters_read(&link->counters);

	/* What has ended since, and with an error, is among these. */
	link->errors_at_open = sg_counters_errors(&link->counters);
	*facts = (struct path_facts){
		.unstable_name = disk->unstable_name,
		.read_only = node->read_only,
		.queue_depth = node->queue_depth > 1 ? node->queue_depth - 1 : 1,
		.max_transfer_bytes = node->max_transfer_bytes,
		.transit_ms = node->transit_ms,
		.nexus = nexus_of(node),
		.has_sessions = node->session >= 0,
		/* Nobody can tell: so there may be some. */
		.foreign = foreign < 0 ? 1 : (uint64_t)foreign,
		.kept_back = foreign == -EAGAIN,
		.disk = node->number,
		.errors =
			link->errors_at_open < 0 ? ERRORS_UNKNOWN : (uint64_t)link->errors_at_open,
	};
	snprintf(facts->name, sizeof(facts->name), "%u:%u", major(disk->dev), minor(disk->dev));
	snprintf(facts->device, sizeof(facts->device), "%s", disk->name);
}

/* What was not found for want of files or memory may well be there. */
static int add_shortage(int err, struct strbuf *reason)
{
	int shortage = sysfs_shortage();

	if (!shortage)
		return err;
	strbuf_printf(reason, ": %s", strerror(-shortage));
	return shortage;
}

static int sg_open(const struct link_request *request, struct path_link **link,
		   struct path_facts *facts, struct strbuf *reason)
{
	struct path_link *fresh;
	struct sg_disk disk;
	int err;

	sysfs_shortage(); /* of others' */
	err = sg_disk_resolve(request->address, &disk, reason);
	if (err)
		return add_shortage(err, reason);
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh) {
		strbuf_printf(reason, "out of memory");
		return -ENOMEM;
	}
	link_init(fresh, request);
	err = link_open(fresh, &disk, request->map, reason);
	if (err) {
		link_close_all(fresh);
		free(fresh);
		return add_shortage(err, reason);
	}
	link_fill_facts(fresh, &disk, facts);
	*link = fresh;
	return 0;
}

/* --- close --- */

/* When the last job is back, one more closes what is left. */
static void link_check_closed(struct path_link *link)
{
	struct sg_slot *slot;

	if (!link->closed || link->opening || link->counting || link->nr_closing)
		return;
	loop_timer_set(link->loop, &link->tick, 0);
	list_for_each_entry(slot, &link->idle_slots, node)
		if (slot->watched)
			loop_unwatch(link->loop, &slot->watch);
	link_drop_orphans(link, 0); /* the next open counts them as foreign */
	if (link->active)
		sg_host_set_active(link->host, false);
	job_start(&link->closers, &link->end);
}

static void sg_close(struct path_link *link, struct letter *closed)
{
	struct sg_slot *slot, *tmp;

	assert(!link->nr_busy && list_empty(&link->waiting) && list_empty(&link->failed) &&
	       list_empty(&link->released));
	link->closed = closed;
	list_for_each_entry_safe(slot, tmp, &link->unanswered, node)
		slot_close(slot);
	link_check_closed(link);
}

const struct path_transport_type sg_transport = {
	.name = "sg",
	.finder = &sg_finder,
	.open = sg_open,
	.count_outstanding = sg_count_outstanding,
	.reset_lun = sg_reset_lun,
	.session = sg_session,
	.submit = sg_submit,
	.abandon = sg_abandon,
	.close = sg_close,
};
