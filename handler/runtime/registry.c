/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps in service, by name.
 *
 * Requests are posted under the lock: a device that leaves the list first and posts its own STOP
 * afterwards has all of them before the STOP, and none after it.
 */
#include "runtime/registry.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list registrations = {&registrations, &registrations};
static const struct device_watcher *registry_watcher;

/* Under registry_lock. */
static struct registration *registry_find(const char *name)
{
	struct registration *r;

	list_for_each_entry(r, &registrations, node)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}

void device_watch(const struct device_watcher *watcher)
{
	registry_watcher = watcher;
}

void registration_init(struct registration *registration, struct device *device)
{
	list_init(&registration->node);
	registration->device = device;
}

bool registry_add(struct registration *registration, const char *name)
{
	bool taken;

	registration->name = name;
	pthread_mutex_lock(&registry_lock);
	taken = registry_find(name) != NULL;
	if (!taken)
		list_push_back(&registrations, &registration->node);
	pthread_mutex_unlock(&registry_lock);
	return !taken;
}

void registry_list(struct registration *registration)
{
	pthread_mutex_lock(&registry_lock);
	registration->listed = true;
	pthread_mutex_unlock(&registry_lock);

	if (registry_watcher)
		registry_watcher->added(registration->name);
}

void registry_unlist(struct registration *registration)
{
	pthread_mutex_lock(&registry_lock);
	registration->listed = false;
	pthread_mutex_unlock(&registry_lock);

	if (registry_watcher)
		registry_watcher->removed(registration->name);
}

void registry_event(const struct registration *registration, const struct mpath_notice *notice)
{
	if (registry_watcher && registry_watcher->event)
		registry_watcher->event(registration->name, notice);
}

void registry_remove(struct registration *registration)
{
	pthread_mutex_lock(&registry_lock);
	list_del(&registration->node);
	pthread_mutex_unlock(&registry_lock);
}

bool device_request(const char *map, struct device_request *request)
{
	struct registration *r;
	bool found;

	pthread_mutex_lock(&registry_lock);
	r = registry_find(map);
	found = r && r->listed;
	if (found) {
		request->device = r->device;
		request->letter.deliver = device_handle_request;
		loop_post(r->loop, &request->letter);
	}
	pthread_mutex_unlock(&registry_lock);
	return found;
}

void device_shutdown_all(void)
{
	struct registration *r;

	pthread_mutex_lock(&registry_lock);
	list_for_each_entry(r, &registrations, node) {
		if (!r->listed || r->shutdown_posted)
			continue;
		r->shutdown_posted = true;
		loop_post(r->loop, &r->shutdown);
	}
	pthread_mutex_unlock(&registry_lock);
}
