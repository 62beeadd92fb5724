// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gate: what clients and a slow bus can make us keep in memory is bounded
 *
 * GDBus reads calls as fast as they come, queues them for the control thread, and queues replies
 * and signals for the bus; none of its queues has a limit.  So calls are counted on their way in,
 * and no more than CALLS_MAX are let in until all of them were dispatched and what was sent has
 * left the process; of one client CLIENT_CALLS_MAX, once half of the room is taken.  Signals wait
 * in the same way, after SIGNALS_MAX of them, and whoever sends them keeps only the newest.
 *
 * Calls are served one after another, and nearly all take no time.  To tell everything of all maps
 * takes as long as some hundred others, and everybody may ask for it: there is room for a few.
 *
 * dbus-daemon reads no more from a process of which 127 MB are on their way, and a client that
 * asks, and does not read what it is told, has them on their way for as long as it likes.  Who
 * comes anew is read again.
 */
#include "control/gate.h"

#include <string.h>

#include "control/bell.h"
#include "runtime/log.h"

#define CALLS_MAX	 512
#define CLIENT_CALLS_MAX 16
/* Likewise, of those that ask for everything: who has not called yet gets the second half. */
#define ALL_MAX	       8
#define CLIENT_ALL_MAX 1
#define SIGNALS_MAX    512
/* So many more are told to try again, which is short; then calls are dropped. */
#define REFUSED_MAX 10000
#define FLUSH_S	    15 /* what was sent leaves in milliseconds */

#define BUSY_ERROR "org.tcmu.Mpath1.Error.Busy"

static struct {
	/* the control thread's */
	GSource *idle; /* a bell, answered when nothing else is to be done */
	GSource *late; /* likewise, when what was sent has not left in time */
	void (*reopened)(void);
	GDBusConnection *connection;
	bool flushing;
	unsigned int signals; /* sent since it was last opened */

	/* since the gate was last opened, under the lock */
	GMutex lock;
	unsigned int let_in;
	unsigned int let_in_for_all;
	unsigned int refused;
	GHashTable *clients; /* unique name -> calls that were let in */
} gate;

static void open_gate(void)
{
	gate.signals = 0;
	g_mutex_lock(&gate.lock);
	gate.let_in = 0;
	gate.let_in_for_all = 0;
	gate.refused = 0;
	g_hash_table_remove_all(gate.clients);
	g_mutex_unlock(&gate.lock);
}

enum pass { PASS_IN, PASS_REFUSED, PASS_DROPPED };

/* Who wants no reply is dropped instead of refused, which costs nothing. */
static enum pass count_call(const char *client, bool wants_reply, bool wants_all)
{
	enum pass pass = PASS_IN;
	unsigned int calls;

	g_mutex_lock(&gate.lock);
	calls = GPOINTER_TO_UINT(g_hash_table_lookup(gate.clients, client));
	if (is_room(gate.let_in, CALLS_MAX, calls, CLIENT_CALLS_MAX) &&
	    (!wants_all || is_room(gate.let_in_for_all, ALL_MAX, calls, CLIENT_ALL_MAX))) {
		gate.let_in++;
		gate.let_in_for_all += wants_all;
		g_hash_table_replace(gate.clients, g_strdup(client), GUINT_TO_POINTER(calls + 1));
	} else {
		pass = wants_reply && gate.refused++ < REFUSED_MAX ? PASS_REFUSED : PASS_DROPPED;
	}
	g_mutex_unlock(&gate.lock);
	return pass;
}

static void refuse(GDBusConnection *connection, GDBusMessage *call)
{
	GDBusMessage *reply = g_dbus_message_new_method_error_literal(
		call, BUSY_ERROR, "too many calls at once, try again");
	g_dbus_connection_send_message(connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL,
				       NULL);
	g_object_unref(reply);
}

/* GDBus's own thread. */
static GDBusMessage *filter(GDBusConnection *connection, GDBusMessage *message, gboolean incoming,
			    gpointer data)
{
	const char *sender = g_dbus_message_get_sender(message);
	const char *method = g_dbus_message_get_member(message);
	bool wants_reply, wants_all;

	(void)data;
	if (!incoming ||
	    g_dbus_message_get_message_type(message) != G_DBUS_MESSAGE_TYPE_METHOD_CALL)
		return message;
	wants_reply = !(g_dbus_message_get_flags(message) & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
	wants_all = method && strcmp(method, "GetManagedObjects") == 0;
	switch (count_call(sender ? sender : "", wants_reply, wants_all)) {
	case PASS_IN:
		bell_ring(gate.idle);
		return message;
	case PASS_REFUSED:
		refuse(connection, message);
		break;
	case PASS_DROPPED:
		break;
	}
	g_object_unref(message);
	return NULL;
}

static void end_flush(void)
{
	gate.flushing = false;
	bell_ring_at(gate.late, -1); /* never */
	open_gate();
}

static void on_flushed(GObject *source, GAsyncResult *result, gpointer data)
{
	(void)data;
	g_dbus_connection_flush_finish(G_DBUS_CONNECTION(source), result, NULL);
	if (G_DBUS_CONNECTION(source) != gate.connection)
		return; /* its successor has a state of its own */
	end_flush();
	gate.reopened();
}

/* "closed" tells the others, who see to it that there is a connection again. */
static void leave_the_bus(void *arg)
{
	(void)arg;
	if (!gate.flushing)
		return;
	mpath_log(MPATH_LOG_WARN, NULL, NULL,
		  "D-Bus: nothing was taken from us for %d s (a client that does not read its "
		  "answers?)",
		  FLUSH_S);
	g_dbus_connection_close(gate.connection, NULL, NULL, NULL);
}

/* Of low priority: the calls that were let in have been dispatched. */
static void start_flush(void *arg)
{
	(void)arg;
	if (!gate.connection || gate.flushing)
		return;
	gate.flushing = true;
	bell_ring_at(gate.late, g_get_monotonic_time() + FLUSH_S * G_USEC_PER_SEC);
	g_dbus_connection_flush(gate.connection, NULL, on_flushed, NULL);
}

void gate_init(GMainContext *context, void (*reopened)(void))
{
	gate.reopened = reopened;
	gate.clients = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	gate.idle = bell_new(context, G_PRIORITY_LOW, start_flush, NULL);
	gate.late = bell_new(context, G_PRIORITY_DEFAULT, leave_the_bus, NULL);
}

void gate_watch(GDBusConnection *connection)
{
	gate.connection = connection;
	end_flush();
	if (connection)
		g_dbus_connection_add_filter(connection, filter, NULL, NULL);
}

bool gate_is_open(void)
{
	return gate.connection && !gate.flushing && gate.signals < SIGNALS_MAX;
}

void gate_sent(void)
{
	gate.signals++;
	bell_ring(gate.idle);
}
