/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers: a few threads for what may block.  A job runs on one of them and is then delivered to
 * a loop.  Jobs of one queue run one after another, in order; different queues run side by side,
 * so that a path that hangs in open() does not hold up another.
 */
#ifndef MPATH_WORKER_H
#define MPATH_WORKER_H

#include "runtime/loop.h"

struct job_queue {
	struct list jobs; /* the worker pool's */
	struct list node;
	bool running;
};

struct job {
	struct letter letter; /* letter.deliver: on the owner thread, after run; may free the job */
	struct list node;
	struct job_queue *queue;
	struct loop *loop; /* NULL: the job is not delivered, run() frees it */
	void (*run)(struct job *job); /* a worker; may block */
};

void job_queue_init(struct job_queue *queue);
void job_start(struct job_queue *queue, struct job *job); /* any thread; never blocks */

#endif
