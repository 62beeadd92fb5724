/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects on D-Bus: maps, groups and paths, kept equal to the maps in service by snapshots.
 * Everything here is the control thread's.
 */
#ifndef MPATH_OBJECTS_H
#define MPATH_OBJECTS_H

#include <gio/gio.h>

#include "control/events.h"
#include "mpath/list.h"
#include "mpath/snapshot.h"

#define OBJECTS_ROOT "/org/tcmu/Mpath1"

/* Once; the manager shows the objects wherever it has a connection. */
GDBusObjectManagerServer *objects_init(GMainContext *context);

void objects_add_map(const char *name);
void objects_remove_map(const char *name);
void objects_event(const struct control_event *event);
/* Signals may be sent again (gate.h). */
void objects_send_changes(void);

/* A wish for a snapshot that is taken from now on. */
struct refresh {
	struct list node;
	/* The properties say what the map said then; NULL: the map went away. */
	void (*done)(struct refresh *refresh, const struct mpath_snapshot *snapshot);
};

/* False: there is no such map.  done is called exactly once otherwise. */
bool objects_refresh(const char *map, struct refresh *refresh);

#endif
