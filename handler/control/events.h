/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events on their way from the owner threads to D-Bus.
 */
#ifndef MPATH_EVENTS_H
#define MPATH_EVENTS_H

#include "control/bell.h"
#include "mpath/core.h"

struct control_event {
	char map[MPATH_NAME_MAX];
	gint64 time_us; /* since 1970 */
	struct mpath_notice notice;
};

/* Before the first device.  @ready is called on @context when there are events to take. */
void events_init(GMainContext *context, bell_fn ready);
/* Owner threads; never waits for anybody. */
void events_put(const char *map, const struct mpath_notice *notice);
/* Control thread.  False: there is none. */
bool events_take(struct control_event *event);

#endif
