/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paths of a device: what the transport does with their links for the map.  What may block is a
 * job for a worker, one at a time for each path, and comes back as an event.
 */
#include "runtime/device_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The word that is to be resolved; if memory is short, the one before. */
static void device_path_note_address(struct device_path *dp)
{
	char *address = strdup(dp->path->address);

	if (!address)
		return;
	free(dp->address);
	dp->address = address;
	dp->request.address = address;
}

static void path_open_run(struct job *job)
{
	struct device_path *dp = container_of(job, struct device_path, open);
	struct strbuf reason;

	strbuf_init(&reason, dp->reason, sizeof(dp->reason));
	dp->facts = (struct path_facts){0};
	dp->open_error = dp->device->transport->open(&dp->request, &dp->link, &dp->facts, &reason);
}

static void path_opened(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, open.letter);
	struct mpath_event event = {.path = dp->path};

	dp->device->nr_jobs--;
	if (dp->open_error) {
		dp->link = NULL;
		event.type = MPATH_PATH_REFUSED;
		event.reason = dp->reason;
	} else {
		event.type = MPATH_PATH_OPENED;
		event.facts = &dp->facts;
	}
	device_step(dp->device, &event);
}

static void path_count_run(struct job *job)
{
	struct device_path *dp = container_of(job, struct device_path, count);

	dp->outstanding = dp->device->transport->count_outstanding(dp->link, &dp->errors);
}

static void path_counted(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, count.letter);

	dp->device->nr_jobs--;
	device_step(dp->device, &(struct mpath_event){.type = MPATH_PATH_COUNTED,
						      .path = dp->path,
						      .outstanding = dp->outstanding,
						      .errors = dp->errors});
}

static void path_reset_run(struct job *job)
{
	struct device_path *dp = container_of(job, struct device_path, reset);

	dp->reset_error = dp->device->transport->reset_lun(dp->link);
}

static void path_was_reset(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, reset.letter);

	dp->device->nr_jobs--;
	device_step(dp->device, &(struct mpath_event){.type = MPATH_PATH_RESET,
						      .path = dp->path,
						      .reset_error = dp->reset_error});
}

static void path_ask_run(struct job *job)
{
	struct device_path *dp = container_of(job, struct device_path, ask);

	dp->session = dp->device->transport->session(dp->link);
}

static void path_told_session(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, ask.letter);

	dp->device->nr_jobs--;
	device_step(dp->device, &(struct mpath_event){.type = MPATH_PATH_SESSION,
						      .path = dp->path,
						      .session = dp->session});
}

static void path_closed(struct letter *letter)
{
	struct device_path *dp = container_of(letter, struct device_path, closed);

	dp->device->nr_jobs--;
	device_step(dp->device, &(struct mpath_event){.type = MPATH_PATH_CLOSED, .path = dp->path});
}

static void path_close(struct device_path *dp)
{
	struct path_link *link = dp->link;

	assert(link);
	dp->link = NULL;
	dp->device->nr_jobs++;
	dp->device->transport->close(link, &dp->closed);
}

void device_path_free(struct device_path *dp)
{
	if (!dp)
		return;
	free(dp->address);
	free(dp);
}

bool device_path_new(struct device *d, struct path *path)
{
	struct device_path *dp = calloc(1, sizeof(*dp));

	path->transport_data = dp;
	if (!dp)
		return false;
	dp->device = d;
	dp->path = path;
	job_queue_init(&dp->jobs);
	job_init(&dp->open, d->loop, path_open_run, path_opened);
	job_init(&dp->count, d->loop, path_count_run, path_counted);
	job_init(&dp->reset, d->loop, path_reset_run, path_was_reset);
	job_init(&dp->ask, d->loop, path_ask_run, path_told_session);
	dp->closed.deliver = path_closed;
	dp->request = (struct link_request){
		.map = d->name, .loop = d->loop, .events = &device_link_events};
	device_path_note_address(dp);
	return dp->address != NULL;
}

/* --- what a step asks for --- */

void device_open_paths(struct device *d, struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, action_node);
		struct device_path *dp = path->transport_data;

		assert(!dp->link);
		device_path_note_address(dp);
		device_start_job(d, &dp->jobs, &dp->open);
	}
}

/* They have left the map. */
void device_free_paths(struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, action_node);

		device_path_free(path->transport_data);
		mpath_path_free(path);
	}
}

void device_count_paths(struct device *d, struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, action_node);
		struct device_path *dp = path->transport_data;

		assert(dp->link);
		device_start_job(d, &dp->jobs, &dp->count);
	}
}

void device_reset_luns(struct device *d, struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, reset_node);
		struct device_path *dp = path->transport_data;

		assert(dp->link);
		device_start_job(d, &dp->jobs, &dp->reset);
	}
}

void device_ask_for_sessions(struct device *d, struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths))) {
		struct path *path = container_of(node, struct path, session_node);
		struct device_path *dp = path->transport_data;

		assert(dp->link);
		device_start_job(d, &dp->jobs, &dp->ask);
	}
}

void device_close_paths(struct list *paths)
{
	struct list *node;

	while ((node = list_pop(paths)))
		path_close(container_of(node, struct path, action_node)->transport_data);
}

bool device_create_paths(struct device *d)
{
	struct path *path;
	unsigned int i;

	for (i = 0; (path = mpath_path(d->map, i)); i++)
		if (!device_path_new(d, path))
			return false;
	return true;
}
