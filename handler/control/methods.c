// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The methods of maps, groups and paths: each is a message to the map, in dm-multipath's words
 * where it has any.  What the words mean is the map's business.
 */
#include "control/methods.h"

#include "control/call.h"
#include "control/json.h"

/* Which handler belongs to which method's signal. */
#define ON(object, method, handler)                                                                \
	g_signal_connect_data(object, "handle-" method, G_CALLBACK(handler), g_strdup(map),        \
			      free_name, 0)

static void free_name(gpointer data, GClosure *closure)
{
	(void)closure;
	g_free(data);
}

/* --- maps --- */

static gboolean handle_message(MpathDbusMap *object, GDBusMethodInvocation *invocation,
			       const char *const *words, gpointer map)
{
	(void)object;
	call_map(invocation, map, words, CALL_RETURNS_TEXT);
	return TRUE;
}

static gboolean handle_status(MpathDbusMap *object, GDBusMethodInvocation *invocation,
			      const char *kind, gpointer map)
{
	const char *const words[] = {"status", kind, NULL};

	(void)object;
	if (g_str_equal(kind, "json"))
		call_snapshot(invocation, map, json_status);
	else
		call_map(invocation, map, words, CALL_RETURNS_TEXT);
	return TRUE;
}

static gboolean handle_reload(MpathDbusMap *object, GDBusMethodInvocation *invocation,
			      const char *text, gpointer map)
{
	(void)object;
	call_reload(invocation, map, text);
	return TRUE;
}

static gboolean map_message(GDBusMethodInvocation *invocation, const char *map,
			    const char *const *words)
{
	call_map(invocation, map, words, CALL_RETURNS_NOTHING);
	return TRUE;
}

static gboolean handle_add_path(MpathDbusMap *object, GDBusMethodInvocation *invocation,
				unsigned int group, const char *address, gpointer map)
{
	char number[16];

	(void)object;
	g_snprintf(number, sizeof(number), "%u", group);
	return map_message(invocation, map,
			   (const char *const[]){"add_path", address, group ? number : NULL, NULL});
}

static gboolean handle_remove_path(MpathDbusMap *object, GDBusMethodInvocation *invocation,
				   const char *address, gpointer map)
{
	(void)object;
	return map_message(invocation, map, (const char *const[]){"remove_path", address, NULL});
}

static gboolean handle_suspend(MpathDbusMap *object, GDBusMethodInvocation *invocation,
			       gpointer map)
{
	(void)object;
	return map_message(invocation, map, (const char *const[]){"suspend", "noflush", NULL});
}

static gboolean handle_resume(MpathDbusMap *object, GDBusMethodInvocation *invocation, gpointer map)
{
	(void)object;
	return map_message(invocation, map, (const char *const[]){"resume", NULL});
}

static gboolean handle_resize(MpathDbusMap *object, GDBusMethodInvocation *invocation, gpointer map)
{
	(void)object;
	return map_message(invocation, map, (const char *const[]){"resize", NULL});
}

void methods_of_map(MpathDbusMap *object, const char *map)
{
	ON(object, "message", handle_message);
	ON(object, "status", handle_status);
	ON(object, "reload", handle_reload);
	ON(object, "add-path", handle_add_path);
	ON(object, "remove-path", handle_remove_path);
	ON(object, "suspend", handle_suspend);
	ON(object, "resume", handle_resume);
	ON(object, "resize", handle_resize);
}

/* --- groups --- */

static gboolean group_message(MpathDbusGroup *object, GDBusMethodInvocation *invocation,
			      const char *map, const char *message)
{
	char *number = g_strdup_printf("%u", mpath_dbus_group_get_number(object));
	const char *const words[] = {message, number, NULL};

	call_map(invocation, map, words, CALL_RETURNS_NOTHING);
	g_free(number);
	return TRUE;
}

static gboolean handle_enable(MpathDbusGroup *object, GDBusMethodInvocation *invocation,
			      gpointer map)
{
	return group_message(object, invocation, map, "enable_group");
}

static gboolean handle_disable(MpathDbusGroup *object, GDBusMethodInvocation *invocation,
			       gpointer map)
{
	return group_message(object, invocation, map, "disable_group");
}

static gboolean handle_switch(MpathDbusGroup *object, GDBusMethodInvocation *invocation,
			      gpointer map)
{
	return group_message(object, invocation, map, "switch_group");
}

void methods_of_group(MpathDbusGroup *object, const char *map)
{
	ON(object, "enable", handle_enable);
	ON(object, "disable", handle_disable);
	ON(object, "switch", handle_switch);
}

/* --- paths --- */

static gboolean path_message(MpathDbusPath *object, GDBusMethodInvocation *invocation,
			     const char *map, const char *message)
{
	const char *const words[] = {message, mpath_dbus_path_get_name(object), NULL};

	call_map(invocation, map, words, CALL_RETURNS_NOTHING);
	return TRUE;
}

static gboolean handle_fail(MpathDbusPath *object, GDBusMethodInvocation *invocation, gpointer map)
{
	return path_message(object, invocation, map, "fail_path");
}

static gboolean handle_reinstate(MpathDbusPath *object, GDBusMethodInvocation *invocation,
				 gpointer map)
{
	return path_message(object, invocation, map, "reinstate_path");
}

static gboolean handle_probe(MpathDbusPath *object, GDBusMethodInvocation *invocation, gpointer map)
{
	return path_message(object, invocation, map, "probe_path");
}

void methods_of_path(MpathDbusPath *object, const char *map)
{
	ON(object, "fail", handle_fail);
	ON(object, "reinstate", handle_reinstate);
	ON(object, "probe", handle_probe);
}
