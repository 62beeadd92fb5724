/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One method call in flight: from D-Bus to the map's owner thread and back.
 */
#ifndef MPATH_CALL_H
#define MPATH_CALL_H

#include <gio/gio.h>

/*
 * Hand @words (NULL-terminated) to map @map and answer @invocation, which is taken over, with its
 * reply or with a named error.  Control thread, whose context is @context; returns at once.
 */
void call_map(GMainContext *context, GDBusMethodInvocation *invocation, const char *map,
	      const char *const *words);

#endif
