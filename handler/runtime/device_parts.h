/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device consists of, for the files that it is made of: device.c and device_*.c.  All of it
 * belongs to the owner thread, but for what a job has while it runs, and what the lock guards.
 */
#ifndef MPATH_DEVICE_PARTS_H
#define MPATH_DEVICE_PARTS_H

#include <pthread.h>

#include "runtime/device.h"
#include "runtime/registry.h"
#include "runtime/search.h"
#include "runtime/tally.h"
#include "runtime/worker.h"

struct kept;

/* A path as the runtime sees it; path->transport_data points here. */
struct device_path {
	struct device *device;
	struct path *path;
	struct path_link *link; /* NULL while closed */
	struct job_queue jobs;	/* so a path that hangs holds up only itself */

	struct job open;
	struct link_request request;
	char *address;		 /* the job's own: a reload may spell the path's otherwise */
	struct path_facts facts; /* what the open job has learnt */
	int open_error;
	char reason[PATH_REASON_MAX];

	struct job count;
	int64_t outstanding;
	uint64_t errors;

	struct job reset;
	int reset_error;

	struct job ask;
	uint64_t session;

	struct letter closed;
};

/* The backstore's attributes, read again and again by a worker. */
struct refresh {
	struct timer timer;
	struct job job;
	struct job_queue jobs; /* so a backstore that hangs holds up only itself */
	bool running;
	bool valid;	     /* the last reading succeeded */
	struct list waiting; /* commands, by io.node, for the end of this reading */
	struct list next;    /* and those that came after it had begun, for the next one */
	struct mpath_backstore read;
	struct mpath_backstore known; /* what the map was told last */
};

/* What is kept of the map over restarts: at most one save at a time, always of the newest. */
struct keeper {
	struct job job;
	struct job_queue jobs;
	bool running;
	bool again; /* there was news while the job ran */
	bool news;  /* for the front, with the next job */
	int failed; /* why, negative errno; to be tried again; was logged */
	bool later; /* to be saved with the next tick */

	char *backstore; /* owned; as in struct kept */

	/* The job's, while it runs. */
	struct kept *kept; /* owned; there only then, as nearly always there is nothing to save */
	bool tell_front;
	bool not_told; /* the front could not take it */
	int error;
};

struct device {
	char *name;
	char *state_name;
	char *warning; /* NULL or owned */
	char *said;    /* likewise, as in device_config, of what is in service */
	const struct path_transport_type *transport;
	const struct device_front *ops;
	void *front;

	struct multipath *map;
	struct loop *loop;
	struct timer wake;
	struct batch_end batch_end;
	bool flush_wanted; /* batch_end waits to call the front's flush */
	struct refresh refresh;
	struct keeper keeper;
	struct tally tally;
	struct search search;
	unsigned int nr_jobs; /* on the way, or with the transport to be closed */

	struct letter start;
	struct letter stop;
	struct registration registration;
	struct list pending; /* requests, by their letters: taken, but not done yet */
	bool stopping;
	bool stopped; /* the core has nothing left */

	pthread_mutex_t lock; /* for the threads that wait for us */
	pthread_cond_t changed;
	bool settled;
	bool front_done; /* nothing is left that would call the front */
	bool deserted;	 /* device_stop does not wait any more: the owner thread frees it */
	bool finished;	 /* the owner thread will not touch the device again */
};

static inline struct device_path *device_path_of(const struct mpath_io *io)
{
	return io->path->transport_data;
}

/* device.c */
extern const struct link_events device_link_events;
void device_step(struct device *d, struct mpath_event *event);
void device_start_job(struct device *d, struct job_queue *queue, struct job *job);
/* The last thing that whoever was called does: @d may be gone then. */
void device_check_finished(struct device *d);

/* device_paths.c: what a step asks for, and takes off the list */
bool device_path_new(struct device *d, struct path *path); /* false: no memory */
void device_path_free(struct device_path *dp);
bool device_create_paths(struct device *d);
void device_open_paths(struct device *d, struct list *paths);
void device_count_paths(struct device *d, struct list *paths);
void device_reset_luns(struct device *d, struct list *paths);
void device_ask_for_sessions(struct device *d, struct list *paths);
void device_close_paths(struct list *paths);
void device_free_paths(struct list *paths);

/* device_keeper.c */
void keeper_run(struct job *job);
void keeper_done(struct letter *letter);
void keeper_start(struct device *d);
void device_tell_errors(struct device *d);
void device_leave_word(struct device *d);
void device_tell_at_once(struct device *d, const struct mpath_actions *actions);
void device_keep(struct device *d, const struct mpath_actions *actions);
void device_open_tally(struct device *d, const char *backstore);
/* @kept: NULL if nothing is. */
void device_recall(const struct device *d, struct multipath *map,
		   const struct device_config *config, const struct kept *kept);

/* device_layout.c */
extern const struct search_ops device_search_ops;
void device_reload(struct device *d, const struct device_layout *layout,
		   struct mpath_message *message);
/* The messages that take memory.  False: it is none of them. */
bool device_change_message(struct device *d, struct mpath_message *message);

#endif
