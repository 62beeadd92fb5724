/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker pool.
 *
 * A thread takes the next queue that has work and no other worker, runs one job of it, and puts
 * the queue back at the end.  So a path whose device hangs in open() holds one worker, however
 * many jobs wait behind that one, and all other paths go on.
 *
 * Mostly nothing hangs, and WORKERS_FEW do all there is, also when hundreds of paths are checked at
 * once.  One more sees to it: when none of them has come to its next job for a while they are taken
 * to hang, and twice as many may run.  Threads end when they have had nothing to do for long; the
 * one that slept last is woken first, so that those that are too many do end.
 */
#include "runtime/worker.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "mpath/core.h"
#include "runtime/log.h"
#include "runtime/thread.h"

/*
 * More than there are paths that hang at once: while a host adapter is in error recovery, open()
 * of each disk behind it waits, for minutes.  Who comes after the last worker waits with them,
 * whatever his path is.  A worker costs 64 KiB of locked memory, and ends when it has no work.
 */
#define WORKERS_MAX    512
#define WORKERS_FEW    4
#define WORKER_IDLE_NS (30 * NSEC_PER_SEC)
#define PATIENCE_NS    (20 * NSEC_PER_MSEC)

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_condattr_t wake_attr; /* the monotonic clock */
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;
static struct list pool_queues = {&pool_queues, &pool_queues}; /* those with work, not running */
static unsigned int nr_workers;
static unsigned int nr_running;
static unsigned int may_run = WORKERS_FEW;
static uint64_t nr_taken;			      /* jobs, so far */
static bool is_watched;				      /* a worker looks whether the others hang */
static bool is_short_of_threads;		      /* as was logged */
static struct list sleepers = {&sleepers, &sleepers}; /* the last one first */

struct sleeper {
	struct list node; /* on sleepers, until it is woken */
	pthread_cond_t wake;
};

static void pool_init(void)
{
	pthread_condattr_init(&wake_attr);
	pthread_condattr_setclock(&wake_attr, CLOCK_MONOTONIC);
}

/* --- waiting --- */

static bool has_work(void)
{
	return !list_empty(&pool_queues);
}

/* True: until the end. */
static bool sleep_until(struct sleeper *me, uint64_t ns)
{
	struct timespec until = {.tv_sec = (time_t)(ns / NSEC_PER_SEC),
				 .tv_nsec = (long)(ns % NSEC_PER_SEC)};

	return pthread_cond_timedwait(&me->wake, &pool_lock, &until) == ETIMEDOUT;
}

static void wake_one(void)
{
	struct list *node = list_pop(&sleepers);

	if (node)
		pthread_cond_signal(&container_of(node, struct sleeper, node)->wake);
}

/* There is work, and as many as may run do so.  Nobody can wake us: each new job would. */
static void watch_them(struct sleeper *me)
{
	uint64_t before = nr_taken, end_ns = clock_now_ns() + PATIENCE_NS;

	is_watched = true;
	while (!sleep_until(me, end_ns))
		;
	is_watched = false;
	if (nr_taken == before && has_work())
		may_run = 2 * may_run < WORKERS_MAX ? 2 * may_run : WORKERS_MAX;
}

/* False: nothing to do for so long that this worker should end. */
static bool wait_for_work(struct sleeper *me)
{
	uint64_t end_ns = clock_now_ns() + WORKER_IDLE_NS;
	bool is_over = false;

	for (;;) {
		if (has_work() && nr_running < may_run)
			return true;
		if (has_work() && !is_watched) {
			watch_them(me);
			continue;
		}
		if (is_over)
			return false;
		list_push_front(&sleepers, &me->node);
		is_over = sleep_until(me, end_ns);
		list_del(&me->node);
	}
}

/* --- working --- */

static void *worker_run(void *arg);

/* Under pool_lock, for which the new thread waits: so that one is there that does not run. */
static void keep_one_free(void)
{
	int err;

	if (nr_workers > nr_running || nr_workers == WORKERS_MAX)
		return;
	err = thread_start("mpath-worker", worker_run, NULL);
	if (!err)
		nr_workers++;
	else if (!is_short_of_threads)
		mpath_log(MPATH_LOG_ERROR, NULL, NULL, "cannot start a thread: %s", strerror(-err));
	is_short_of_threads = err != 0;
}

static struct job_queue *take_queue(void)
{
	struct job_queue *queue = container_of(list_pop(&pool_queues), struct job_queue, node);

	queue->running = true;
	nr_taken++;
	nr_running++;
	keep_one_free();
	if (has_work())
		wake_one(); /* who runs, too, or watches */
	return queue;
}

static void put_queue(struct job_queue *queue)
{
	queue->running = false;
	if (!list_empty(&queue->jobs))
		list_push_back(&pool_queues, &queue->node);
	if (--nr_running < WORKERS_FEW)
		may_run = WORKERS_FEW;
}

static void run_one(void)
{
	struct job_queue *queue = take_queue();
	struct job *job = container_of(list_pop(&queue->jobs), struct job, node);

	pthread_mutex_unlock(&pool_lock);
	job->run(job);
	pthread_mutex_lock(&pool_lock);
	put_queue(queue);
	/*
	 * Last, because its delivery may free job and queue; and under the lock, so that the
	 * queue's next job cannot be delivered before this one.
	 */
	loop_post(job->loop, &job->letter);
}

static void *worker_run(void *arg)
{
	struct sleeper me;

	(void)arg;
	pthread_cond_init(&me.wake, &wake_attr);
	list_init(&me.node);
	pthread_mutex_lock(&pool_lock);
	while (wait_for_work(&me))
		run_one();
	nr_workers--;
	pthread_mutex_unlock(&pool_lock);
	pthread_cond_destroy(&me.wake);
	return NULL;
}

bool workers_ready(void)
{
	bool ready;

	pthread_once(&pool_once, pool_init);
	pthread_mutex_lock(&pool_lock);
	keep_one_free();
	ready = nr_workers > 0;
	pthread_mutex_unlock(&pool_lock);
	return ready;
}

void job_queue_init(struct job_queue *queue)
{
	list_init(&queue->jobs);
	list_init(&queue->node);
	queue->running = false;
}

void job_init(struct job *job, struct loop *loop, void (*run)(struct job *job),
	      void (*deliver)(struct letter *letter))
{
	*job = (struct job){.loop = loop, .run = run, .letter.deliver = deliver};
	list_init(&job->node);
	list_init(&job->letter.node);
}

void job_start(struct job_queue *queue, struct job *job)
{
	pthread_once(&pool_once, pool_init);
	pthread_mutex_lock(&pool_lock);
	list_push_back(&queue->jobs, &job->node);
	if (!queue->running && list_empty(&queue->node)) {
		list_push_back(&pool_queues, &queue->node);
		keep_one_free();
		wake_one();
	}
	pthread_mutex_unlock(&pool_lock);
}
