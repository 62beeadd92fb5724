/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link of the sg transport, as its files know it: sg.c opens and closes it, sg_slots.c has its
 * file descriptors, sg_commands.c sends and receives, sg_orphans.c knows what was given up and may
 * still be with the device.
 *
 * All functions are the owner thread's, unless they say otherwise.
 */
#ifndef SG_LINK_H
#define SG_LINK_H

#include "mpath/core.h"
#include "mpath/path_transport.h"
#include "runtime/worker.h"
#include "transports/sg_device.h"
#include "transports/sg_host.h"

#define SG_OPEN_AT_ONCE 8 /* slots that one job opens */
#define SG_TICK_NS	(200 * NSEC_PER_MSEC)
#define SG_TRIM_NS	(10 * NSEC_PER_SEC) /* a slot that was not needed for so long is closed */

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
	uint64_t sent_ns;    /* a write: the kernel had it by then */
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

/* --- sg.c --- */

/* Both are reported later, by a letter: with @error, or as one that was given up. */
void sg_fail_io(struct path_link *link, struct mpath_io *io, enum transport_error error);
void sg_release_io(struct path_link *link, struct mpath_io *io);

/* When @delay_ns from now is: what has seconds comes at a full one. */
uint64_t sg_time_in(const struct path_link *link, uint64_t delay_ns);
/* The link's timer, for whatever is not in a hurry. */
void sg_tick_by(struct path_link *link, uint64_t delay_ns);

/* When the last job is back, one more closes what is left. */
void sg_check_closed(struct path_link *link);

/* --- sg_slots.c --- */

void sg_slots_init(struct path_link *link);
/* The link's sg node, with a small buffer; negative: errno.  Any thread. */
int sg_open_fd(const struct path_link *link);
/* With its fd; the loop does not know it yet.  Any thread. */
int sg_slot_new(struct path_link *link, struct sg_slot **slot);
void sg_add_slot(struct path_link *link, struct sg_slot *slot);
/* As many as there are commands that wait, if there may be more. */
void sg_open_slots(struct path_link *link);
/* There is one. */
struct sg_slot *sg_take_idle(struct path_link *link);
void sg_put_idle(struct path_link *link, struct sg_slot *slot);
/* For a command of @data_len bytes that is about to be sent. */
void sg_slot_grow_reserve(struct sg_slot *slot, size_t data_len);
void sg_slot_forget_io(struct sg_slot *slot);
/* Off its list: no command will use it any more. */
void sg_slot_leave(struct sg_slot *slot);
/* Off the loop, too; a worker closes the fd, and only then is its command handed back. */
void sg_slot_close(struct sg_slot *slot);
void sg_mark_used(struct path_link *link);
/* Closes the slots that were not needed for a while. */
void sg_trim_slots(struct path_link *link, uint64_t now_ns);

/* --- sg_commands.c --- */

void sg_submit(struct path_link *link, struct mpath_io *io);
void sg_abandon(struct path_link *link, struct mpath_io *io);
/* What waits for a slot or for room, as far as there is. */
void sg_start_waiting(struct path_link *link);
void sg_fail_waiting(struct path_link *link, enum transport_error error);
/* Who has waited for too long, or must not be sent any more. */
void sg_fail_stale(struct path_link *link, uint64_t now_ns);
/* Whose device went away some time ago, and whose answer has not come. */
void sg_give_up_hung_up(struct path_link *link, uint64_t now_ns);
/* The loop's call: the fd of a slot is readable, or its device goes away. */
void sg_slot_ready(struct watch *watch, uint32_t epoll_events);

/* --- sg_orphans.c --- */

void sg_orphans_init(struct path_link *link);
/* The command is out, and nobody will read its answer. */
void sg_slot_give_up(struct sg_slot *slot);
/* Likewise; the fd stays open, and what the answer was to go to is free at once. */
void sg_slot_give_up_probe(struct sg_slot *slot);
/* All but @nr_left are gone. */
void sg_drop_orphans(struct path_link *link, unsigned int nr_left);
/* Asks the device how many there are; a worker's, and counted when it is back. */
void sg_count_orphans(struct path_link *link);

#endif
