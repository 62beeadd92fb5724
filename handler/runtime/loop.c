/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owner threads: the one place where anything waits.
 *
 * A loop sleeps until a letter comes, a file descriptor is ready or a timer is due; then it does
 * all that there is to do as one batch: letters, descriptors, timers, and at last what was asked
 * for once per batch (the kick of the ring).  Under load a batch holds many commands, so that the
 * system calls around it are shared by all of them.
 */
#include "runtime/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "mpath/core.h"
#include "runtime/thread.h"

#define LOOP_EVENTS_MAX 128
#define LOOPS_MAX	64

/* A timer that is so late was held up by a standstill: of this thread, or of the whole machine. */
#define LOOP_LATE_NS (100 * NSEC_PER_MSEC)
/* In so many batches in a row the kernel tells of all that is ready, 8192 descriptors. */
#define LOOP_FULL_MAX 64

struct loop {
	struct list node;
	unsigned int nr_maps; /* under loops_lock */
	int epoll_fd;
	int event_fd;

	_Atomic(struct list *) letters; /* the newest, and by letter.node.next the older ones */

	/* Owner thread only. */
	bool posted_to_self; /* there are letters, and nobody has written to event_fd */
	uint64_t now_ns;
	struct list timers; /* by queued_ns */
	struct list batch_ends;
	struct epoll_event events[LOOP_EVENTS_MAX];
	int nr_events;
	int next_event;	      /* those from here on are still to be looked at */
	unsigned int nr_full; /* batches in a row that had no room for more events */
	uint64_t looks_ns;    /* it was not later when the kernel was asked what is ready ... */
	uint64_t heard_ns;    /* ... and what was ready by then is heard in this batch */
};

static pthread_mutex_t loops_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list loops = {&loops, &loops};
static unsigned int nr_loops;

static _Thread_local struct loop *current_loop;

uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

bool loop_is_current(const struct loop *loop)
{
	return current_loop == loop;
}

uint64_t loop_now_ns(const struct loop *loop)
{
	return loop->now_ns;
}

void loop_read_clock(struct loop *loop)
{
	assert(loop_is_current(loop));
	loop->now_ns = clock_now_ns();
}

/* --- letters --- */

void loop_post(struct loop *loop, struct letter *letter)
{
	struct list *newest = atomic_load_explicit(&loop->letters, memory_order_relaxed);

	do
		letter->node.next = newest;
	while (!atomic_compare_exchange_weak_explicit(&loop->letters, &newest, &letter->node,
						      memory_order_release, memory_order_relaxed));
	if (newest)
		return; /* whoever posted the first one has seen to it that the loop looks */
	if (loop_is_current(loop))
		loop->posted_to_self = true;
	else
		eventfd_write(loop->event_fd, 1);
}

/*
 * Take all of them, the oldest first, then read the clock: so nothing in these letters is from the
 * future.
 */
static void loop_begin_batch(struct loop *loop, struct list *letters)
{
	struct list *node, *older;

	node = atomic_exchange_explicit(&loop->letters, NULL, memory_order_acquire);
	list_init(letters);
	for (; node; node = older) {
		older = node->next;
		list_push_front(letters, node);
	}
	loop->posted_to_self = false;
	loop->now_ns = clock_now_ns();
}

static void loop_deliver(struct list *letters)
{
	struct list *node;

	while ((node = list_pop(letters))) {
		struct letter *letter = container_of(node, struct letter, node);

		letter->deliver(letter);
	}
}

/* --- file descriptors --- */

int loop_watch(struct loop *loop, struct watch *watch)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = watch};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event))
		return -errno;
	return 0;
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
	int i;

	assert(loop_is_current(loop));
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	/* The kernel may have reported it already, later in this batch: forget that. */
	for (i = loop->next_event; i < loop->nr_events; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
}

static void loop_call_ready(struct loop *loop)
{
	while (loop->next_event < loop->nr_events) {
		struct epoll_event *event = &loop->events[loop->next_event++];
		struct watch *watch = event->data.ptr;

		/* NULL: unwatched in this batch, or our own event_fd, which needs no reading:
		 * edge-triggered, each write to it is an event of its own. */
		if (watch)
			watch->ready(watch, event->events);
	}
}

/* --- timers --- */

static void loop_queue_timer(struct loop *loop, struct timer *timer)
{
	struct list *before = loop->timers.prev;

	/* From the back: a new timer is mostly due after those that wait already. */
	while (before != &loop->timers &&
	       container_of(before, struct timer, node)->queued_ns > timer->due_ns)
		before = before->prev;
	timer->queued_ns = timer->due_ns;
	list_push_front(before, &timer->node);
}

void loop_timer_set(struct loop *loop, struct timer *timer, uint64_t due_ns)
{
	assert(loop_is_current(loop));
	timer->due_ns = due_ns;
	if (!due_ns) {
		list_del(&timer->node);
		return;
	}
	/* A timer that is put off stays where it is, and is queued anew when its turn comes: a
	 * deadline that moves with each command costs nothing. */
	if (!list_empty(&timer->node) && timer->queued_ns <= due_ns)
		return;
	list_del(&timer->node);
	loop_queue_timer(loop, timer);
}

/* n < 0: EINTR, from a debugger, or as the process was stopped: nothing was told. */
static void loop_note_heard(struct loop *loop, int n)
{
	if (n < 0 || (n == LOOP_EVENTS_MAX && ++loop->nr_full < LOOP_FULL_MAX))
		return;
	loop->nr_full = 0;
	loop->heard_ns = loop->looks_ns;
}

/*
 * Timers end patience.  One that is late finds unanswered what was answered in time, if that is
 * ready and was not heard yet: so it waits until the kernel was asked once more.
 */
static bool loop_may_fire(const struct loop *loop, const struct timer *timer)
{
	return timer->queued_ns <= loop->heard_ns || loop->now_ns - timer->queued_ns < LOOP_LATE_NS;
}

static void loop_fire_timers(struct loop *loop)
{
	struct list due, *node;

	/* Take those that are due first: what they set again has its turn in the next batch. */
	list_init(&due);
	while (!list_empty(&loop->timers)) {
		struct timer *first = list_first_entry(&loop->timers, struct timer, node);

		if (first->queued_ns > loop->now_ns || !loop_may_fire(loop, first))
			break;
		list_del(&first->node);
		list_push_back(&due, &first->node);
	}
	while ((node = list_pop(&due))) {
		struct timer *timer = container_of(node, struct timer, node);

		if (timer->due_ns > loop->now_ns)
			loop_queue_timer(loop, timer); /* it was put off: now to its place */
		else
			timer->fire(timer, loop->now_ns);
	}
}

/* Milliseconds to sleep, rounded up: timers of one millisecond fire together. */
static int loop_timeout_ms(struct loop *loop)
{
	struct timer *first;
	uint64_t ms, now_ns;

	loop->looks_ns = loop->now_ns;
	if (loop->posted_to_self)
		return 0;
	if (list_empty(&loop->timers))
		return -1;
	first = list_first_entry(&loop->timers, struct timer, node);
	now_ns = clock_now_ns();
	loop->looks_ns = now_ns;
	if (first->queued_ns <= now_ns)
		return 0;
	ms = (first->queued_ns - now_ns + 999999) / 1000000;
	return ms < 60000 ? (int)ms : 60000;
}

/* --- batch ends --- */

void loop_at_batch_end(struct loop *loop, struct batch_end *batch_end)
{
	assert(loop_is_current(loop));
	if (list_empty(&batch_end->node))
		list_push_back(&loop->batch_ends, &batch_end->node);
}

static void loop_end_batch(struct loop *loop)
{
	struct list *node;

	while ((node = list_pop(&loop->batch_ends))) {
		struct batch_end *batch_end = container_of(node, struct batch_end, node);

		batch_end->end(batch_end);
	}
}

/* --- life --- */

static void *loop_run(void *arg)
{
	struct loop *loop = arg;
	struct list letters;

	current_loop = loop;
	for (;;) {
		int n = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS_MAX,
				   loop_timeout_ms(loop));

		loop_note_heard(loop, n);
		loop->nr_events = n < 0 ? 0 : n;
		loop->next_event = 0;
		loop_begin_batch(loop, &letters);
		loop_deliver(&letters);
		loop_call_ready(loop);
		loop_fire_timers(loop);
		loop_end_batch(loop);
	}
	return NULL;
}

static void loop_free(struct loop *loop)
{
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->event_fd >= 0)
		close(loop->event_fd);
	free(loop);
}

static struct loop *loop_start(unsigned int number)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
	struct loop *loop = calloc(1, sizeof(*loop));
	char name[16];

	if (!loop)
		return NULL;
	list_init(&loop->timers);
	list_init(&loop->batch_ends);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->event_fd < 0 ||
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event)) {
		loop_free(loop);
		return NULL;
	}
	snprintf(name, sizeof(name), "mpath-loop%u", number);
	if (thread_start(name, loop_run, loop)) {
		loop_free(loop);
		return NULL;
	}
	return loop;
}

static unsigned int loops_wanted(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (cpus < 1)
		return 1;
	return cpus < LOOPS_MAX ? (unsigned int)cpus : LOOPS_MAX;
}

struct loop *loop_acquire(void)
{
	struct loop *best = NULL;
	struct loop *loop;

	pthread_mutex_lock(&loops_lock);
	list_for_each_entry(loop, &loops, node)
		if (!best || loop->nr_maps < best->nr_maps)
			best = loop;
	if ((!best || best->nr_maps) && nr_loops < loops_wanted()) {
		loop = loop_start(nr_loops);
		if (loop) {
			list_push_back(&loops, &loop->node);
			nr_loops++;
			best = loop;
		}
	}
	if (best)
		best->nr_maps++;
	pthread_mutex_unlock(&loops_lock);
	return best;
}

/* The thread stays for the next map: there are never more than CPUs, and they sleep. */
void loop_release(struct loop *loop)
{
	pthread_mutex_lock(&loops_lock);
	assert(loop->nr_maps > 0);
	loop->nr_maps--;
	pthread_mutex_unlock(&loops_lock);
}
