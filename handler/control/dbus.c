// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The D-Bus service org.tcmu.Mpath1
 *
 * The connection, the name, and the root object; maps, groups and paths are in objects.c.  It has a
 * thread, a GMainContext and a connection of its own: what is on tcmu-runner's connection can be
 * called by every local user, and its main thread stands still while a device is opened (D12).
 *
 * All state here belongs to the control thread.  Others hand in work as a source on its context:
 * maps that come and go (map_added, map_removed), answers of maps (call.c).
 */
#include "control/control.h"

#include <gio/gio.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "control/call.h"
#include "control/events.h"
#include "control/exports.h"
#include "control/gate.h"
#include "control/objects.h"
#include "mpath-dbus.h"
#include "mpath/version.h"
#include "runtime/device.h"
#include "runtime/log.h"

#define BUS_NAME	 "org.tcmu.Mpath1"
#define RETRY_SECONDS	 1
#define FIRST_TRY_MAX_US (2 * G_USEC_PER_SEC)

/* The D-Bus specification's, of the method RequestName. */
#define REQUEST_NAME_ALLOW_REPLACEMENT 1u
#define REQUEST_NAME_REPLACE_EXISTING  2u
#define REQUEST_NAME_DO_NOT_QUEUE      4u
#define REQUEST_NAME_PRIMARY_OWNER     1u
#define REQUEST_NAME_ALREADY_OWNER     4u

static struct {
	const struct control_hooks *hooks;
	GMainContext *context;
	GDBusConnection *connection;	    /* NULL: there is none */
	GDBusConnection *runner_connection; /* the one that tcmu-runner shares with us */
	bool serving;			    /* the name is ours */
	bool was_ours;			    /* the name, of a connection that is gone */
	bool retrying;			    /* the next try is coming */
	bool complained;		    /* about no bus or no name: once, not every second */

	GMutex lock;
	GCond tried;
	bool first_try_over; /* under the lock */
} service;

/* --- the root object --- */

#define REPORT_MAX (64 * 1024)

static void handle_check(GDBusMethodInvocation *invocation, const char *text)
{
	struct strbuf report;
	char *buffer, *valid;
	int err;

	if (!call_takes_text(invocation, text))
		return;
	buffer = g_malloc(REPORT_MAX);
	strbuf_init(&report, buffer, REPORT_MAX);
	err = service.hooks->check(text, &report);
	valid = g_utf8_make_valid(buffer, -1);
	if (err)
		call_refuse(invocation, err, valid);
	else
		g_dbus_method_invocation_return_value(invocation, g_variant_new("(s)", valid));
	g_free(valid);
	g_free(buffer);
}

static void call_root(GDBusConnection *connection, const char *sender, const char *object_path,
		      const char *interface, const char *method, GVariant *arguments,
		      GDBusMethodInvocation *invocation, gpointer data)
{
	const char *text;

	(void)connection;
	(void)sender;
	(void)object_path;
	(void)interface;
	(void)method; /* there is only this one */
	(void)data;
	g_variant_get(arguments, "(&s)", &text);
	handle_check(invocation, text);
}

static GVariant *get_of_root(GDBusConnection *connection, const char *sender,
			     const char *object_path, const char *interface, const char *name,
			     GError **error, gpointer data)
{
	(void)connection;
	(void)sender;
	(void)object_path;
	(void)interface;
	(void)error;
	(void)data;
	return g_variant_new_string(strcmp(name, "Version") == 0 ? MPATH_VERSION : MPATH_BUILD_ID);
}

static const GDBusInterfaceVTable root_vtable = {
	.method_call = call_root,
	.get_property = get_of_root,
};

/* NULL: off the bus. */
static void show_objects(GDBusConnection *connection)
{
	gate_watch(connection);
	exports_show(connection);
	if (connection)
		g_dbus_connection_register_object(
			connection, OBJECTS_ROOT,
			(GDBusInterfaceInfo *)&org_tcmu_mpath1_manager_interface, &root_vtable,
			NULL, NULL, NULL);
}

/* --- events --- */

static void send_events(void *arg)
{
	struct control_event event;

	(void)arg;
	while (gate_is_open() && events_take(&event))
		objects_event(&event);
}

static void gate_reopened(void)
{
	send_events(NULL);
	objects_send_changes();
}

/* --- maps come and go --- */

struct map_change {
	bool added;
	char name[];
};

static gboolean apply_map_change(gpointer data)
{
	const struct map_change *change = data;

	if (change->added)
		objects_add_map(change->name);
	else
		objects_remove_map(change->name);
	return G_SOURCE_REMOVE;
}

/* Any thread.  Sources of one priority run in the order in which they were attached. */
static void post_map_change(const char *map, bool added)
{
	struct map_change *change = g_malloc(sizeof(*change) + strlen(map) + 1);
	GSource *source = g_idle_source_new();

	change->added = added;
	strcpy(change->name, map);
	g_source_set_priority(source, G_PRIORITY_DEFAULT);
	g_source_set_callback(source, apply_map_change, change, g_free);
	g_source_attach(source, service.context);
	g_source_unref(source);
}

static void map_added(const char *map)
{
	post_map_change(map, true);
}

static void map_removed(const char *map)
{
	post_map_change(map, false);
}

/* --- the bus --- */

static gboolean go_on_the_bus(gpointer data);

static void retry_later(void)
{
	GSource *source;

	if (service.retrying)
		return;
	service.retrying = true;
	source = g_timeout_source_new_seconds(RETRY_SECONDS);
	g_source_set_callback(source, go_on_the_bus, NULL, NULL);
	g_source_attach(source, service.context);
	g_source_unref(source);
}

/* Only the first of a row of failures is worth a line. */
static void complain(const char *what, const char *why)
{
	if (!service.complained)
		mpath_log(MPATH_LOG_WARN, NULL, NULL, "D-Bus: %s (%s), trying again every second",
			  what, why);
	service.complained = true;
}

/* Unlike us it does not try again; and only a new tcmu-runner has its name and objects. */
static void tell_of_runner(void)
{
	if (service.runner_connection && g_dbus_connection_is_closed(service.runner_connection))
		mpath_log(MPATH_LOG_WARN, NULL, NULL,
			  "D-Bus: tcmu-runner itself has lost its connection: targetcli sees no "
			  "user: backstores until tcmu-runner is restarted");
}

/* dbus-daemon may not have read a policy file that was installed a moment ago. */
static void on_name_reply(GObject *source, GAsyncResult *result, gpointer data)
{
	GDBusConnection *connection = G_DBUS_CONNECTION(source);
	GError *error = NULL;
	GVariant *reply = g_dbus_connection_call_finish(connection, result, &error);
	guint32 code = 0;

	(void)data;
	if (reply) {
		g_variant_get(reply, "(u)", &code);
		g_variant_unref(reply);
	}
	if (connection != service.connection) {
		g_clear_error(&error);
		return; /* closed meanwhile */
	}
	if (code == REQUEST_NAME_PRIMARY_OWNER || code == REQUEST_NAME_ALREADY_OWNER) {
		service.serving = true;
		service.was_ours = false;
		service.complained = false;
		mpath_log(MPATH_LOG_INFO, NULL, NULL, "D-Bus: serving " BUS_NAME);
		tell_of_runner();
		return;
	}
	complain("cannot own " BUS_NAME, error ? error->message : "another process has it");
	g_clear_error(&error);
	retry_later();
}

/* Another process has taken it: we wait until that one ends. */
static void on_name_lost(GDBusConnection *connection, const char *sender, const char *object_path,
			 const char *interface, const char *signal, GVariant *arguments,
			 gpointer data)
{
	(void)sender;
	(void)object_path;
	(void)interface;
	(void)signal;
	(void)arguments;
	(void)data;
	if (connection != service.connection)
		return;
	complain("lost " BUS_NAME, "another process has taken it");
	service.serving = false;
	retry_later();
}

static void watch_name(void)
{
	g_dbus_connection_signal_subscribe(service.connection, "org.freedesktop.DBus",
					   "org.freedesktop.DBus", "NameLost",
					   "/org/freedesktop/DBus", BUS_NAME,
					   G_DBUS_SIGNAL_FLAGS_NONE, on_name_lost, NULL, NULL);
}

/*
 * Only a connection of ours that follows one takes the name from it, as a dbus-daemon that reads
 * nothing from us (gate.c) does not see that we have closed the former one.  Should another process
 * have got it in between, that one is told, and waits as we would.
 */
static void request_name(void)
{
	guint32 flags = REQUEST_NAME_ALLOW_REPLACEMENT | REQUEST_NAME_DO_NOT_QUEUE;

	if (service.was_ours)
		flags |= REQUEST_NAME_REPLACE_EXISTING;
	g_dbus_connection_call(service.connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
			       "org.freedesktop.DBus", "RequestName",
			       g_variant_new("(su)", BUS_NAME, flags), G_VARIANT_TYPE("(u)"),
			       G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_name_reply, NULL);
}

/* "By the peer" it may be called, too, when we have closed it while a write was under way. */
static void on_closed(GDBusConnection *connection, gboolean by_peer, GError *error, gpointer data)
{
	(void)connection;
	(void)by_peer;
	(void)data;
	complain("connection lost", error ? error->message : "closed");
	show_objects(NULL);
	g_clear_object(&service.connection);
	service.was_ours |= service.serving;
	service.serving = false;
	retry_later();
}

/*
 * tcmu-runner's own connection has exit-on-close set, GLib's default: when dbus-daemon goes, GLib
 * sends the process a SIGTERM, and every LUN of every handler with it.
 */
static void keep_runner_alive(void)
{
	if (service.runner_connection)
		return;
	service.runner_connection = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, NULL);
	if (service.runner_connection)
		g_dbus_connection_set_exit_on_close(service.runner_connection, FALSE);
}

/* May block on a bus that does not answer: this thread only. */
static GDBusConnection *open_connection(GError **error)
{
	GDBusConnection *connection;
	char *address = g_dbus_address_get_for_bus_sync(G_BUS_TYPE_SYSTEM, NULL, error);

	if (!address)
		return NULL;
	connection = g_dbus_connection_new_for_address_sync(
		address,
		G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
			G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
		NULL, NULL, error);
	g_free(address);
	return connection;
}

static bool connect_to_bus(void)
{
	GError *error = NULL;

	keep_runner_alive();
	service.connection = open_connection(&error);
	if (!service.connection) {
		complain("no connection", error->message);
		g_error_free(error);
		return false;
	}
	g_dbus_connection_set_exit_on_close(service.connection, FALSE);
	g_signal_connect(service.connection, "closed", G_CALLBACK(on_closed), NULL);
	watch_name();
	show_objects(service.connection);
	return true;
}

/* The next step to being served: a connection, then our name on it. */
static gboolean go_on_the_bus(gpointer data)
{
	(void)data;
	service.retrying = false;
	if (!service.connection && !connect_to_bus())
		retry_later();
	else if (!service.serving)
		request_name();
	return G_SOURCE_REMOVE;
}

/* --- the thread --- */

static void end_first_try(void)
{
	g_mutex_lock(&service.lock);
	service.first_try_over = true;
	g_cond_signal(&service.tried);
	g_mutex_unlock(&service.lock);
}

/*
 * GLib has a deadlock for two threads that use GDBus for the first time at once: one makes a type,
 * and wants the lock of classes to add an interface to it; the other holds that lock while it
 * initializes a class, and wants the type.  So whoever starts us, and goes on the bus with a thread
 * of its own, goes on when we are through.  A bus that does not answer holds us in poll(), with no
 * such lock.
 */
static void wait_first_try(void)
{
	gint64 end = g_get_monotonic_time() + FIRST_TRY_MAX_US;

	g_mutex_lock(&service.lock);
	while (!service.first_try_over && g_cond_wait_until(&service.tried, &service.lock, end))
		;
	g_mutex_unlock(&service.lock);
}

static void *control_thread(void *arg)
{
	GMainLoop *loop;

	(void)arg;
	pthread_setname_np(pthread_self(), "mpath-dbus");
	g_main_context_push_thread_default(service.context);
	objects_init(service.context);
	exports_init();
	go_on_the_bus(NULL);
	end_first_try();
	loop = g_main_loop_new(service.context, FALSE);
	g_main_loop_run(loop);
	return NULL;
}

static const struct device_watcher watcher = {
	.added = map_added,
	.removed = map_removed,
	.event = events_put,
};

void control_start(const struct control_hooks *hooks)
{
	pthread_t thread;
	sigset_t all, before;
	int err;

	service.hooks = hooks;
	service.context = g_main_context_new();
	call_init(service.context, hooks);
	events_init(service.context, send_events);
	gate_init(service.context, gate_reopened);
	device_watch(&watcher);

	/* Inherited by the thread, and by the worker thread that GDBus starts from it (H15). */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, control_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		mpath_log(MPATH_LOG_ERROR, NULL, NULL, "D-Bus: no thread: %s", g_strerror(err));
		return;
	}
	pthread_detach(thread);
	wait_first_try();
}
