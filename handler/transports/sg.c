/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sg transport: SCSI disks of this host, through their /dev/sgN.
 *
 * Every command goes down as the SCSI command that it is, by write() to an sg node, and its answer
 * comes back by read(): status, sense and residual are the array's own, and neither sd nor scsi_dh
 * nor a kernel retry stands between.  Data is copied by the kernel inside write() and read(), so
 * that no page of the initiator's is touched at any other time (DESIGN D6, hazards.md H1, H2).
 *
 * A link has slots, each an fd of its own with one command at a time (sg_slots.c, sg_commands.c).
 * A command that is given up is never read(): its fd is closed, by a worker, and only then is it
 * handed back (sg_orphans.c).
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
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "transports/claim.h"
#include "transports/sg_link.h"
#include "transports/sg_session.h"
#include "transports/sysfs.h"

#define SG_DEPTH_MAX 256 /* slots of a link; each is an fd */

/* Missing in glibc's scsi/sg.h: do what was asked for, or fail, but nothing wider. */
#ifndef SG_SCSI_RESET_NO_ESCALATE
#define SG_SCSI_RESET_NO_ESCALATE 0x100
#endif

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

void sg_fail_io(struct path_link *link, struct mpath_io *io, enum transport_error error)
{
	io->result =
		(struct scsi_result){.transport = error, .residual = (uint32_t)io->cmd.data_len};
	io->transport_data = NULL;
	list_push_back(&link->failed, &io->node);
	link_post_report(link);
}

void sg_release_io(struct path_link *link, struct mpath_io *io)
{
	io->transport_data = NULL;
	list_push_back(&link->released, &io->node);
	link_post_report(link);
}

/* --- the timer for whatever is not in a hurry --- */

uint64_t sg_time_in(const struct path_link *link, uint64_t delay_ns)
{
	uint64_t at_ns = loop_now_ns(link->loop) + delay_ns;

	return delay_ns < NSEC_PER_SEC ? at_ns : full_second_ns(at_ns);
}

void sg_tick_by(struct path_link *link, uint64_t delay_ns)
{
	uint64_t due_ns = sg_time_in(link, delay_ns);

	if (list_empty(&link->tick.node) || link->tick.due_ns > due_ns)
		loop_timer_set(link->loop, &link->tick, due_ns);
}

static void link_tick(struct timer *timer, uint64_t now_ns)
{
	struct path_link *link = container_of(timer, struct path_link, tick);

	if (link->closed)
		return;
	sg_fail_stale(link, now_ns);
	sg_give_up_hung_up(link, now_ns);
	sg_count_orphans(link);
	sg_trim_slots(link, now_ns);
	sg_start_waiting(link);
	if (link->nr_orphans || !list_empty(&link->waiting))
		sg_tick_by(link, SG_TICK_NS);
	else if (link->nr_open > 1 || link->active)
		sg_tick_by(link, SG_TRIM_NS);
}

/* --- what the core asks --- */

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
	sg_slots_init(link);
	sg_orphans_init(link);
	list_init(&link->waiting);
	list_init(&link->failed);
	list_init(&link->released);
	list_init(&link->tick.node);
	link->tick.fire = link_tick;
	link->report.deliver = link_report;
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
	if (!sg_slot_new(link, &slot)) /* so that the first command need not wait for one */
		sg_add_slot(link, slot);
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

void sg_check_closed(struct path_link *link)
{
	struct sg_slot *slot;

	if (!link->closed || link->opening || link->counting || link->nr_closing)
		return;
	loop_timer_set(link->loop, &link->tick, 0);
	list_for_each_entry(slot, &link->idle_slots, node)
		if (slot->watched)
			loop_unwatch(link->loop, &slot->watch);
	sg_drop_orphans(link, 0); /* the next open counts them as foreign */
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
		sg_slot_close(slot);
	sg_check_closed(link);
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
