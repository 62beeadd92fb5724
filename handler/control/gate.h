/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients and a slow bus can make us keep in memory is bounded here.
 */
#ifndef MPATH_GATE_H
#define MPATH_GATE_H

#include <gio/gio.h>
#include <stdbool.h>

/* Of @max there are @taken.  The second half is for who has less than @his_max of them. */
static inline bool is_room(unsigned int taken, unsigned int max, unsigned int his,
			   unsigned int his_max)
{
	return taken < max / 2 || (taken < max && his < his_max);
}

/* Control thread, before the first connection.  @reopened is called on it: see gate_is_open(). */
void gate_init(GMainContext *context, void (*reopened)(void));
/* Let no more method calls in through @connection than are allowed; NULL: it is gone. */
void gate_watch(GDBusConnection *connection);

/*
 * May signals be sent?  Not while many that were sent before are still on their way to the bus:
 * keep them, or what they are about, until reopened is called.  Control thread.
 */
bool gate_is_open(void);
/* A signal was sent, or those of one map. */
void gate_sent(void);

#endif
