/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One method call in flight: from D-Bus to the map's owner thread and back.  Control thread;
 * returns at once, and answers the invocation, which is taken over, with a reply or a named error.
 */
#ifndef MPATH_CALL_H
#define MPATH_CALL_H

#include <gio/gio.h>

#include "control/control.h"
#include "mpath/snapshot.h"

#define CALL_ERROR_PREFIX "org.tcmu.Mpath1.Error."

void call_init(GMainContext *context, const struct control_hooks *hooks);

enum call_reply { CALL_RETURNS_TEXT, CALL_RETURNS_NOTHING };

/*
 * Hand @words (NULL-terminated) to map @map.  Answered when the objects' properties say what the
 * map did of it.
 */
void call_map(GDBusMethodInvocation *invocation, const char *map, const char *const *words,
	      enum call_reply reply);

/* The same for a message to a path: @words[1] is its name, but @path_id tells which is meant. */
void call_path(GDBusMethodInvocation *invocation, const char *map, const char *const *words,
	       unsigned int path_id);

/* Put the map that @text describes in place of map @map's table. */
void call_reload(GDBusMethodInvocation *invocation, const char *map, const char *text);

/* Answer with what @text makes of a new snapshot; what it returns is freed with g_free(). */
void call_snapshot(GDBusMethodInvocation *invocation, const char *map,
		   char *(*text)(const char *map, const struct mpath_snapshot *snapshot));

/* False: @text is longer than a map file may be; the invocation was answered. */
bool call_takes_text(GDBusMethodInvocation *invocation, const char *text);

/* Refuse with the error's name (a negative errno) and @text. */
void call_refuse(GDBusMethodInvocation *invocation, int error, const char *text);

#endif
