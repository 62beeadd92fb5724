/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker pool.
 *
 * A thread takes the next queue that has work and no other worker, runs one job of it, and puts
 * the queue back at the end.  So a path whose device hangs in open() holds one worker, however
 * many jobs wait behind that one, and all other paths go on.  Threads are started when all are
 * busy and end when they have had nothing to do for a while.
 */
#include "runtime/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "runtime/log.h"
#include "runtime/thread.h"

/*
 * More than there are paths that hang at once: while a host adapter is in error recovery, open()
 * of each disk behind it waits, for minutes.  Who comes after the last worker waits with them,
 * whatever his path is.  A worker costs 64 KiB of locked memory, and ends when it has no work.
 */
#define WORKERS_MAX	512
#define WORKER_IDLE_SEC 30

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_work;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;
static struct list pool_queues = {&pool_queues, &pool_queues}; /* those with work, not running */
static unsigned int nr_ready;				       /* queues on pool_queues */
static unsigned int nr_workers;
static unsigned int nr_idle;

static void pool_init(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool_work, &attr);
	pthread_condattr_destroy(&attr);
}

static void pool_push(struct job_queue *queue)
{
	list_push_back(&pool_queues, &queue->node);
	nr_ready++;
}

static struct job_queue *pool_pop(void)
{
	struct list *node = list_pop(&pool_queues);

	assert(node);
	nr_ready--;
	return container_of(node, struct job_queue, node);
}

/* False: nothing to do for so long that this worker should end. */
static bool pool_wait(void)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WORKER_IDLE_SEC;
	nr_idle++;
	while (list_empty(&pool_queues) && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&pool_work, &pool_lock, &until);
	nr_idle--;
	return !list_empty(&pool_queues);
}

static void pool_run_one(void)
{
	struct job_queue *queue = pool_pop();
	struct job *job = container_of(list_pop(&queue->jobs), struct job, node);

	queue->running = true;
	pthread_mutex_unlock(&pool_lock);
	job->run(job);
	pthread_mutex_lock(&pool_lock);
	queue->running = false;
	if (!list_empty(&queue->jobs))
		pool_push(queue);
	/*
	 * Last, because its delivery may free job and queue; and under the lock, so that the
	 * queue's next job cannot be delivered before this one.
	 */
	loop_post(job->loop, &job->letter);
}

static void *worker_run(void *arg)
{
	(void)arg;

	pthread_mutex_lock(&pool_lock);
	while (!list_empty(&pool_queues) || pool_wait())
		pool_run_one();
	nr_workers--;
	pthread_mutex_unlock(&pool_lock);
	return NULL;
}

/* Under pool_lock: the new thread waits for it. */
static void pool_grow(void)
{
	int err;

	if (nr_workers == WORKERS_MAX)
		return;
	err = thread_start("mpath-worker", worker_run, NULL);
	if (!err)
		nr_workers++;
	else
		mpath_log(MPATH_LOG_ERROR, NULL, NULL, "cannot start a thread (error %d)", -err);
}

bool workers_ready(void)
{
	bool ready;

	pthread_once(&pool_once, pool_init);
	pthread_mutex_lock(&pool_lock);
	if (!nr_workers)
		pool_grow();
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
		pool_push(queue);
		/* An idle worker that was woken is idle until it runs: count the work instead. */
		if (nr_ready > nr_idle)
			pool_grow();
		pthread_cond_signal(&pool_work);
	}
	pthread_mutex_unlock(&pool_lock);
}
