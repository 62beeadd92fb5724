/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for paths.  Every map is told when disks have come or gone, so that it looks at its
 * paths, and what unit attentions the kernel has heard on them.  For a map that is given by its
 * WWID, it is looked up then which disks lead to that LUN, and now and then, as such news may get
 * lost.  A worker looks, the owner thread compares (finder.h).
 *
 * Owner thread, or before the map is in service, if nothing else is said.
 */
#ifndef MPATH_SEARCH_H
#define MPATH_SEARCH_H

#include "mpath/path.h"
#include "runtime/finder.h"
#include "runtime/loop.h"
#include "runtime/worker.h"

struct search_ops {
	struct finder_ops paths;
	/* Something has happened to disks; those with the WWID are paths already. */
	void (*news)(void *arg, const struct disk_news *news);
	void (*idle)(void *arg); /* no job runs any more; the last thing that is done */
};

/* Part of a map in service.  All but the job's is the owner thread's. */
struct search {
	const char *map; /* its name, for the log */
	const struct disk_finder *finder;
	const struct search_ops *ops;
	void *arg;
	struct loop *loop;

	bool on; /* the map is given by its WWID */
	char wwid[WWID_MAX];
	char *selector;		      /* owned: of the groups of paths that are found */
	struct found_disks known;     /* those that have become paths */
	struct disk_monitor *monitor; /* NULL: there is none yet */
	int monitor_error;	      /* why */
	struct watch watch;
	bool watched; /* from search_begin to search_stop, if it is possible */
	bool deaf;    /* it was not, and that was logged */
	bool stopped;
	struct timer timer;
	uint64_t began_ns; /* the last look */
	struct job_queue jobs;
	struct job job;
	bool running;
	bool again;  /* there was news while the job ran */
	bool failed; /* was logged */

	/* The job's, while it runs. */
	char job_wwid[WWID_MAX]; /* empty: it only listens */
	struct disk_news job_news;
	struct disk_monitor *job_monitor; /* a new one, with its fd, or why not */
	int job_fd;
	int job_monitor_error;
	struct found_disks seen;
	int error;
};

/* @finder: NULL if paths must be named, and nobody tells of disks. */
void search_init(struct search *search, const char *map, const struct disk_finder *finder,
		 const struct search_ops *ops, void *arg);
void search_attach(struct search *search, struct loop *loop);

/* Look for these from now on.  @selector is the search's from now on.  There must be a finder. */
void search_for(struct search *search, const char *wwid, char *selector);
/* Before the map is in service: what is there already.  Blocks. */
void search_first(struct search *search);
/* The map has these paths, by whatever name; takes them over. */
void search_knows(struct search *search, struct found_disks *present);

/* The map is in service: look, and listen for news. */
void search_begin(struct search *search);
/* The map's paths are named from now on. */
void search_end(struct search *search);

/* The map ends: after this there may still be a job, until ops->idle. */
void search_stop(struct search *search);
bool search_is_idle(const struct search *search);
void search_free(struct search *search);

#endif
