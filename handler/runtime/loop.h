/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owner threads.  A loop is one thread that owns any number of maps; there are about as many
 * loops as CPUs, not as many as maps.  Everything waits in one place: loop.c.
 *
 * A loop never blocks: what may block (open, close, sysfs, configfs, files) is a job for a worker
 * (worker.h).  All our threads block all signals (hazards.md H15).
 */
#ifndef MPATH_LOOP_H
#define MPATH_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "mpath/core.h"
#include "mpath/list.h"

struct loop;

/*
 * Something for the owner thread.  Embedded in what it is about, so posting never allocates.
 * Letters of one poster are delivered in the order in which they were posted.
 */
struct letter {
	struct list node;
	void (*deliver)(struct letter *letter); /* owner thread; may free the letter */
};

/* A file descriptor that the loop watches (edge-triggered, EPOLLIN). */
struct watch {
	int fd;
	void (*ready)(struct watch *watch, uint32_t epoll_events); /* owner thread */
};

/* One timer; coalesced with the others of its loop.  list_init(&node) before its first use. */
struct timer {
	struct list node;
	uint64_t due_ns;    /* monotonic */
	uint64_t queued_ns; /* the loop's: where it stands in the queue, at most due_ns */
	void (*fire)(struct timer *timer, uint64_t now_ns); /* owner thread */
};

/* Called once at the end of each batch of letters and events, when it was asked for. */
struct batch_end {
	struct list node;			  /* list_init() before its first use */
	void (*end)(struct batch_end *batch_end); /* owner thread */
};

/* The loop that has the fewest maps; starts threads on first use.  NULL: no thread, no memory. */
struct loop *loop_acquire(void);
void loop_release(struct loop *loop);

/* Any thread, without a lock. */
void loop_post(struct loop *loop, struct letter *letter);
bool loop_is_current(const struct loop *loop);

/* Owner thread.  loop_now_ns() is read once per batch ... */
uint64_t loop_now_ns(const struct loop *loop);
/* ... and again for what must not seem earlier than it is: the thread may have stood still. */
void loop_read_clock(struct loop *loop);
/* What is not in a hurry comes at full seconds, so that an idle machine wakes up once for all. */
static inline uint64_t full_second_ns(uint64_t ns)
{
	return ns - ns % NSEC_PER_SEC;
}
int loop_watch(struct loop *loop, struct watch *watch); /* 0 or -errno */
/* Before the fd is closed; ready is not called any more, not even in this batch. */
void loop_unwatch(struct loop *loop, struct watch *watch);
void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t due_ns); /* 0: off */
void loop_at_batch_end(struct loop *loop, struct batch_end *batch_end);

uint64_t clock_now_ns(void); /* CLOCK_MONOTONIC; any thread */

#endif
