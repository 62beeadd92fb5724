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

/* Take the name.  False: a device of this name is there already. */
bool registry_add(struct registration *registration);
/* From now on requests are posted to the device. */
void registry_list(struct registration *registration);
/* No request is posted to the device any more after this; the name stays taken. */
void registry_unlist(struct registration *registration);
void registry_remove(struct registration *registration);

/* Tell the watcher.  Owner thread. */
void registry_event(const struct registration *registration, const struct mpath_notice *notice);

/* device.c: answers one request, on the owner thread. */
void device_handle_request(struct letter *letter);

#endif
