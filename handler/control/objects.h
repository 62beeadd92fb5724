/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects on D-Bus: maps, groups and paths, kept equal to the maps in service by snapshots.
 * Everything here is the control thread's.
 */
#ifndef MPATH_OBJECTS_H
#define MPATH_OBJECTS_H

#include <gio/gio.h>

#include "control/events.h"
#include "control/properties.h"
#include "mpath/list.h"

#define OBJECTS_ROOT "/org/tcmu/Mpath1"
#define OBJECTS_MAPS OBJECTS_ROOT "/map"

void objects_init(GMainContext *context); /* once */
/* They are on the bus now, or not any more. */
void objects_show(void);
void objects_hide(void);

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

/* --- for exports.c, as long as nothing else happens --- */

struct map_object;

/* A map, or one of its groups or paths. */
struct object {
	const struct map_object *map;
	const char *map_name;
	const struct group_snapshot *group; /* NULL: it is none */
	const struct path_snapshot *path;   /* likewise */
};

/* False: there is none. */
bool objects_find(const char *object_path, struct object *found);
/* The last words of the objects whose paths are @object_path and a word: free with g_strfreev(). */
char **objects_below(const char *object_path);
void object_tell(const struct object *object, struct teller *teller);
/* Of all there are. */
typedef void object_fn(const char *object_path, const struct object *object, void *arg);
void objects_for_each(object_fn *fn, void *arg);

#endif
