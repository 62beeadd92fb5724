// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events on their way from the owner threads to D-Bus: a ring of fixed size.  When nobody takes
 * them the oldest go, and the gap in the sequence numbers tells the client so.
 */
#include "control/events.h"

#include <pthread.h>
#include <stdio.h>

#define EVENTS_MAX 512

static struct {
	pthread_mutex_t lock;
	GSource *bell;
	unsigned int first;
	unsigned int nr;
	struct control_event ring[EVENTS_MAX];
} events = {.lock = PTHREAD_MUTEX_INITIALIZER};

void events_put(const char *map, const struct mpath_notice *notice)
{
	struct control_event *event;

	pthread_mutex_lock(&events.lock);
	if (events.nr == EVENTS_MAX) {
		events.first = (events.first + 1) % EVENTS_MAX;
		events.nr--;
	}
	event = &events.ring[(events.first + events.nr++) % EVENTS_MAX];
	event->notice = *notice;
	event->time_us = g_get_real_time();
	snprintf(event->map, sizeof(event->map), "%s", map);
	pthread_mutex_unlock(&events.lock);
	bell_ring(events.bell);
}

bool events_take(struct control_event *event)
{
	bool found;

	pthread_mutex_lock(&events.lock);
	found = events.nr > 0;
	if (found) {
		*event = events.ring[events.first];
		events.first = (events.first + 1) % EVENTS_MAX;
		events.nr--;
	}
	pthread_mutex_unlock(&events.lock);
	return found;
}

void events_init(GMainContext *context, bell_fn ready)
{
	events.bell = bell_new(context, G_PRIORITY_DEFAULT, ready, NULL);
}
