/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slots of a link, each an fd of its own with one command at a time.  (One fd could carry 16,
 * but only the first one uses the fd's buffer; the others cost four times as much.)  They are
 * opened by a worker when they are needed, used last in, first out, and closed when they have been
 * idle.
 */
#include "transports/sg_link.h"

#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transports/sg_header.h"

/*
 * An fd's buffer: the kernel allocates it in elements of 32 KiB, so less saves nothing.  A slot
 * that gets a larger command grows its buffer, up to the second figure; what is larger still is
 * allocated by the kernel each time.  Idle slots are closed, and their buffers with them.
 */
#define SG_RESERVE_MIN (32 * 1024)
#define SG_RESERVE_MAX (128 * 1024)

#define SG_OPEN_RETRY_NS (1 * NSEC_PER_SEC)

/* --- closing --- */

void sg_slot_leave(struct sg_slot *slot)
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

void sg_slot_close(struct sg_slot *slot)
{
	struct path_link *link = slot->link;

	if (slot->watched)
		loop_unwatch(link->loop, &slot->watch);
	slot->watched = false;
	sg_slot_leave(slot);
	slot->state = SLOT_CLOSING;
	job_start(&link->closers, &slot->closer);
}

static void slot_closer_run(struct job *job)
{
	close(container_of(job, struct sg_slot, closer)->watch.fd);
}

static void link_lose(struct path_link *link, struct mpath_io *io, uint64_t sent_ns)
{
	io->sent_ns = sent_ns;
	sg_fail_io(link, io, TRANSPORT_ORPHANED);
}

static void slot_closed(struct letter *letter)
{
	struct sg_slot *slot = container_of(letter, struct sg_slot, closer.letter);
	struct path_link *link = slot->link;
	struct mpath_io *io = slot->io;
	uint64_t sent_ns = slot->sent_ns;
	bool abandoned = slot->abandoned;

	free(slot);
	link->nr_closing--;
	if (io && abandoned)
		sg_release_io(link, io);
	else if (io)
		link_lose(link, io, sent_ns);
	sg_start_waiting(link);
	sg_check_closed(link);
}

/* --- opening --- */

int sg_open_fd(const struct path_link *link)
{
	int reserve = SG_RESERVE_MIN;
	int fd = sg_open_node(link->node.name, link->node.dev, S_IFCHR, O_RDWR | O_NONBLOCK);

	/* The system's default may be anything (/proc/scsi/sg/def_reserved_size). */
	if (fd >= 0)
		ioctl(fd, SG_SET_RESERVED_SIZE, &reserve);
	return fd;
}

int sg_slot_new(struct path_link *link, struct sg_slot **slot)
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
	(*slot)->watch.ready = sg_slot_ready;
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
		link->open_error = sg_slot_new(link, &link->opened[link->nr_opened]);
		if (link->open_error)
			return;
		link->nr_opened++;
	}
}

void sg_add_slot(struct path_link *link, struct sg_slot *slot)
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
		sg_add_slot(link, link->opened[i]);
	if (link->open_error)
		link->open_again_ns = loop_now_ns(link->loop) + SG_OPEN_RETRY_NS;
	if (link->nr_open > 1)
		sg_tick_by(link, SG_TRIM_NS);
	sg_start_waiting(link);
	sg_check_closed(link);
}

void sg_open_slots(struct path_link *link)
{
	unsigned int possible = link->node.queue_depth - link->nr_open - link->nr_closing;
	unsigned int wanted = 0;
	struct list *node;

	if (link->opening)
		return;
	if (loop_now_ns(link->loop) < link->open_again_ns) {
		if (!link->nr_open)
			sg_fail_waiting(link, sg_error_of_open(link->open_error));
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

void sg_slots_init(struct path_link *link)
{
	list_init(&link->idle_slots);
	list_init(&link->busy_slots);
	list_init(&link->unanswered);
	job_queue_init(&link->closers);
	job_queue_init(&link->openers);
	job_init(&link->opener, link->loop, opener_run, opener_done);
}

/* --- idle and busy --- */

/* Its buffer is idle now; the allocation takes no longer than the one that it saves. */
void sg_slot_grow_reserve(struct sg_slot *slot, size_t data_len)
{
	int reserve = slot->reserve;

	if (data_len <= (size_t)reserve || data_len > SG_RESERVE_MAX)
		return;
	while ((size_t)reserve < data_len)
		reserve *= 2;
	ioctl(slot->watch.fd, SG_SET_RESERVED_SIZE, &reserve);
	slot->reserve = reserve; /* also when memory was short: do not ask again for each command */
}

void sg_slot_forget_io(struct sg_slot *slot)
{
	slot->io = NULL;
	slot->hung_up_ns = 0;
	slot->abandoned = false;
}

void sg_put_idle(struct path_link *link, struct sg_slot *slot)
{
	slot->state = SLOT_IDLE;
	list_push_front(&link->idle_slots, &slot->node);
	link->nr_idle++;
}

struct sg_slot *sg_take_idle(struct path_link *link)
{
	struct sg_slot *slot = list_first_entry(&link->idle_slots, struct sg_slot, node);

	list_del(&slot->node);
	link->nr_idle--;
	if (link->nr_idle_min > link->nr_idle)
		link->nr_idle_min = link->nr_idle;
	return slot;
}

void sg_mark_used(struct path_link *link)
{
	link->used = true;
	if (link->active)
		return;
	link->active = true;
	sg_host_set_active(link->host, true);
	sg_tick_by(link, SG_TRIM_NS);
}

void sg_trim_slots(struct path_link *link, uint64_t now_ns)
{
	unsigned int surplus = link->nr_idle_min;

	if (now_ns < link->trim_ns)
		return;
	link->trim_ns = sg_time_in(link, SG_TRIM_NS);
	if (surplus == link->nr_open && surplus)
		surplus--; /* one stays */
	while (surplus--)
		sg_slot_close(container_of(link->idle_slots.prev, struct sg_slot, node));
	link->nr_idle_min = link->nr_idle;
	if (link->active && !link->used && !link->nr_busy) {
		link->active = false;
		sg_host_set_active(link->host, false);
	}
	link->used = false;
}
