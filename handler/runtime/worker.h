/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers: a few threads for what may block.  A job runs on one of them and is then delivered to
 * a loop.  Jobs of one queue run one after another, in order; different queues run side by side,
 * so that a path that hangs in open() does not hold up another.
 */
#ifndef MPATH_WORKER_H
#define MPATH_WORKER_H

#include "runtime/loop.h"

/* Belongs to what its jobs are about.  May be freed when all its jobs have been delivered. */
struct job_queue {
	struct list jobs; /* the worker pool's */
	struct list node;
	bool running;
};

struct job {
	struct letter letter; /* letter.deliver: on the owner thread, after run; may free the job */
	struct list node;     /* in its queue */
	struct loop *loop;
	void (*run)(struct job *job); /* a worker; may block */
};

void job_queue_init(struct job_queue *queue);
void job_init(struct job *job, struct loop *loop, void (*run)(struct job *job),
	      void (*deliver)(struct letter *letter));
void job_start(struct job_queue *queue, struct job *job); /* any thread; never blocks */

static inline struct job *job_of_letter(struct letter *letter)
{
	return container_of(letter, struct job, letter);
}

/*
 * There is at least one worker, or one could be started.  To be asked before the first job; and now
 * and then, as long as jobs wait: when all workers hang nobody else tries to start one.
 */
bool workers_ready(void);

#endif
