/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps in service, by name: how control finds a device, from any thread.
 */
#ifndef MPATH_DEVICE_REGISTRY_H
#define MPATH_DEVICE_REGISTRY_H

#include "mpath/list.h"
#include "runtime/device.h"

/* Embedded in a device. */
struct registration {
	struct list node;
	const char *name;
	struct device *device;
	struct loop *loop;
	struct letter shutdown; /* its deliver is the device's */
	bool shutdown_posted;
	bool listed; /* requests may still be posted */
};

void registration_init(struct registration *registration, struct device *device);
/*
 * Take the name, and with it all that is kept of that map; it stays the caller's.  False: a device
 * of this name is there already.
 */
bool registry_add(struct registration *registration, const char *name);
/* From now on requests are posted to the device. */
void registry_list(struct registration *registration);
/* No request is posted to the device any more after this; the name stays taken. */
void registry_unlist(struct registration *registration);
/* Nothing happens under the name any more.  One that was not added is fine. */
void registry_remove(struct registration *registration);

/* Tell the watcher.  Owner thread. */
void registry_event(const struct registration *registration, const struct mpath_notice *notice);

/* device.c: answers one request, on the owner thread. */
void device_handle_request(struct letter *letter);

#endif
