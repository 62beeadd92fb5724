/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bell: any thread rings it, without memory and without waiting, and a function is called on the
 * control thread.  Rung twice before that, it is called once.
 */
#ifndef MPATH_BELL_H
#define MPATH_BELL_H

#include <glib.h>

typedef void (*bell_fn)(void *arg);

/* @priority is GLib's.  Answered on @context, until bell_free() there. */
GSource *bell_new(GMainContext *context, int priority, bell_fn answer, void *arg);
void bell_ring(GSource *bell); /* any thread */
/* It rings by itself, once, at g_get_monotonic_time() == @time_us, if it is not rung before. */
void bell_ring_at(GSource *bell, gint64 time_us);
void bell_free(GSource *bell);

#endif
