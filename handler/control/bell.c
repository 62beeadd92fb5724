// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bell is a GSource whose time has come when it is rung.
 */
#include "control/bell.h"

struct bell {
	GSource source;
	bell_fn answer;
	void *arg;
};

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct bell *bell = (struct bell *)source;

	(void)callback;
	(void)data;
	/* First: what comes from now on rings it again. */
	g_source_set_ready_time(source, -1);
	bell->answer(bell->arg);
	return G_SOURCE_CONTINUE;
}

GSource *bell_new(GMainContext *context, int priority, bell_fn answer, void *arg)
{
	static GSourceFuncs functions = {.dispatch = dispatch};
	GSource *source = g_source_new(&functions, sizeof(struct bell));
	struct bell *bell = (struct bell *)source;

	bell->answer = answer;
	bell->arg = arg;
	g_source_set_priority(source, priority);
	g_source_attach(source, context);
	return source;
}

void bell_ring(GSource *bell)
{
	g_source_set_ready_time(bell, 0);
}

void bell_ring_at(GSource *bell, gint64 time_us)
{
	g_source_set_ready_time(bell, time_us);
}

void bell_free(GSource *bell)
{
	g_source_destroy(bell);
	g_source_unref(bell);
}
