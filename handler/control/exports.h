/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the objects are shown on the bus: what clients ask, and what they are told.  Control thread.
 */
#ifndef MPATH_EXPORTS_H
#define MPATH_EXPORTS_H

#include <gio/gio.h>
#include <stdbool.h>

#include "control/objects.h"

void exports_init(void); /* once */
/* NULL: off the bus. */
void exports_show(GDBusConnection *connection);
bool exports_are_shown(void);

/* The groups and paths of a map. */
struct exported_map {
	guint groups;
	guint paths;
};
void exports_add_map(struct exported_map *map, const char *object_path);
void exports_remove_map(struct exported_map *map);

/* Signals.  @arguments is taken over; there may be nobody who hears them. */
void exports_emit(const char *object_path, const char *name, GVariant *arguments); /* a map's */
void exports_tell_changes(const char *object_path, const struct object *object, GVariant *changes);
void exports_tell_added(const char *object_path, const struct object *object);
void exports_tell_removed(const char *object_path, const struct object *object);

#endif
