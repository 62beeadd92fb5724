// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The objects as clients see them: org.freedesktop.DBus.ObjectManager, Properties, Introspectable,
 * and our own interfaces.
 *
 * There is no GObject for each of them, which would be 25 KB for a map with two paths: GDBus is
 * told the places where such objects may be, and asks here what there is when a call comes.
 */
#include "control/exports.h"

#include <string.h>

#include "control/methods.h"
#include "mpath-dbus.h"

#define MANAGER_INTERFACE    "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

/* The D-Bus specification's. */
static const char manager_xml[] =
	"<node><interface name='" MANAGER_INTERFACE "'>"
	"<method name='GetManagedObjects'>"
	"<arg type='a{oa{sa{sv}}}' name='object_paths_interfaces_and_properties' direction='out'/>"
	"</method>"
	"<signal name='InterfacesAdded'>"
	"<arg type='o' name='object_path'/>"
	"<arg type='a{sa{sv}}' name='interfaces_and_properties'/>"
	"</signal>"
	"<signal name='InterfacesRemoved'>"
	"<arg type='o' name='object_path'/>"
	"<arg type='as' name='interfaces'/>"
	"</signal>"
	"</interface></node>";

static struct {
	GDBusConnection *connection; /* NULL: none */
	GDBusInterfaceInfo *manager_info;
	guint manager;
	guint maps;
} exports;

static const GDBusInterfaceInfo *interface_of(const struct object *object)
{
	if (object->path)
		return &org_tcmu_mpath1_path_interface;
	if (object->group)
		return &org_tcmu_mpath1_group_interface;
	return &org_tcmu_mpath1_map_interface;
}

/* a{sa{sv}} */
static GVariant *everything(const struct object *object)
{
	GVariantBuilder interfaces;
	struct teller teller;

	teller_begin(&teller);
	object_tell(object, &teller);
	g_variant_builder_init(&interfaces, G_VARIANT_TYPE("a{sa{sv}}"));
	g_variant_builder_add(&interfaces, "{s@a{sv}}", interface_of(object)->name,
			      teller_end(&teller));
	return g_variant_builder_end(&interfaces);
}

/* --- the object manager --- */

static void add_object(const char *object_path, const struct object *object, void *arg)
{
	GVariant *interfaces = g_variant_ref_sink(everything(object));

	/* From now on it is one piece of memory instead of some hundreds. */
	g_variant_get_data(interfaces);
	g_variant_builder_add(arg, "{o@a{sa{sv}}}", object_path, interfaces);
	g_variant_unref(interfaces);
}

static void call_manager(GDBusConnection *connection, const char *sender, const char *object_path,
			 const char *interface, const char *method, GVariant *parameters,
			 GDBusMethodInvocation *invocation, gpointer data)
{
	GVariantBuilder all;

	(void)connection;
	(void)sender;
	(void)object_path;
	(void)interface;
	(void)method; /* there is only this one */
	(void)parameters;
	(void)data;
	g_variant_builder_init(&all, G_VARIANT_TYPE("a{oa{sa{sv}}}"));
	objects_for_each(add_object, &all);
	g_dbus_method_invocation_return_value(invocation, g_variant_new("(a{oa{sa{sv}}})", &all));
}

static const GDBusInterfaceVTable manager_vtable = {.method_call = call_manager};

/* --- maps, groups, paths --- */

static gchar **enumerate(GDBusConnection *connection, const char *sender, const char *object_path,
			 gpointer data)
{
	(void)connection;
	(void)sender;
	(void)data;
	/* Maps it finds by what is registered below them. */
	return strcmp(object_path, OBJECTS_MAPS) == 0 ? g_new0(char *, 1)
						      : objects_below(object_path);
}

static GDBusInterfaceInfo **introspect(GDBusConnection *connection, const char *sender,
				       const char *object_path, const char *node, gpointer data)
{
	char *below = g_strjoin("/", object_path, node, NULL);
	GDBusInterfaceInfo **infos = NULL;
	struct object object;

	(void)connection;
	(void)sender;
	(void)data;
	/* GDBus's word is the place that was registered when it introspects, and else the object.
	 */
	if (objects_find(object_path, &object) || objects_find(below, &object)) {
		infos = g_new0(GDBusInterfaceInfo *, 2);
		infos[0] = g_dbus_interface_info_ref((GDBusInterfaceInfo *)interface_of(&object));
	}
	g_free(below);
	return infos;
}

static void call_object(GDBusConnection *connection, const char *sender, const char *object_path,
			const char *interface, const char *method, GVariant *parameters,
			GDBusMethodInvocation *invocation, gpointer data)
{
	struct object object;

	(void)connection;
	(void)sender;
	(void)interface;
	(void)data;
	if (!objects_find(object_path, &object)) {
		/* It has left since the call came; GDBus says the same when it has left before. */
		g_dbus_method_invocation_return_error(invocation, G_DBUS_ERROR,
						      G_DBUS_ERROR_UNKNOWN_METHOD,
						      "there is no object %s", object_path);
		return;
	}
	if (object.path)
		methods_of_path(object.map_name, object.path, method, invocation);
	else if (object.group)
		methods_of_group(object.map_name, object.group->number, method, invocation);
	else
		methods_of_map(object.map_name, method, parameters, invocation);
}

static GVariant *get_property(GDBusConnection *connection, const char *sender,
			      const char *object_path, const char *interface, const char *name,
			      GError **error, gpointer data)
{
	struct teller teller;
	struct object object;

	(void)connection;
	(void)sender;
	(void)interface;
	(void)data;
	if (!objects_find(object_path, &object)) {
		g_set_error(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD,
			    "there is no object %s", object_path);
		return NULL;
	}
	teller_begin_one(&teller, name);
	object_tell(&object, &teller);
	return teller_end_one(&teller);
}

static const GDBusInterfaceVTable object_vtable = {
	.method_call = call_object,
	.get_property = get_property,
};

/* Nothing of the object itself is handed on: it may leave before it is called. */
static const GDBusInterfaceVTable *dispatch(GDBusConnection *connection, const char *sender,
					    const char *object_path, const char *interface,
					    const char *node, gpointer *out_data, gpointer data)
{
	(void)connection;
	(void)sender;
	(void)object_path;
	(void)interface;
	(void)node;
	(void)data;
	*out_data = NULL;
	return &object_vtable;
}

static const GDBusSubtreeVTable subtree_vtable = {
	.enumerate = enumerate,
	.introspect = introspect,
	.dispatch = dispatch,
};

/* 0, and nobody sees them: something of another kind is there, which cannot be. */
static guint register_below(const char *object_path)
{
	return g_dbus_connection_register_subtree(
		exports.connection, object_path, &subtree_vtable,
		/* introspect() knows, without a list of all. */
		G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES, NULL, NULL, NULL);
}

static void unregister_below(guint *id)
{
	if (*id && exports.connection)
		g_dbus_connection_unregister_subtree(exports.connection, *id);
	*id = 0;
}

void exports_add_map(struct exported_map *map, const char *object_path)
{
	char *groups, *paths;

	if (!exports.connection)
		return;
	groups = g_strconcat(object_path, "/group", NULL);
	paths = g_strconcat(object_path, "/path", NULL);
	map->groups = register_below(groups);
	map->paths = register_below(paths);
	g_free(groups);
	g_free(paths);
}

void exports_remove_map(struct exported_map *map)
{
	unregister_below(&map->groups);
	unregister_below(&map->paths);
}

/* --- on the bus and off it --- */

static void hide(void)
{
	objects_hide();
	unregister_below(&exports.maps);
	g_dbus_connection_unregister_object(exports.connection, exports.manager);
	g_clear_object(&exports.connection);
}

void exports_show(GDBusConnection *connection)
{
	if (exports.connection)
		hide();
	if (!connection)
		return;
	exports.connection = g_object_ref(connection);
	exports.manager = g_dbus_connection_register_object(
		connection, OBJECTS_ROOT, exports.manager_info, &manager_vtable, NULL, NULL, NULL);
	exports.maps = register_below(OBJECTS_MAPS);
	objects_show();
}

bool exports_are_shown(void)
{
	return exports.connection != NULL;
}

void exports_init(void)
{
	GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(manager_xml, NULL);

	exports.manager_info = g_dbus_interface_info_ref(node->interfaces[0]);
	g_dbus_node_info_unref(node);
}

/* --- signals --- */

static void emit(const char *object_path, const char *interface, const char *name,
		 GVariant *arguments)
{
	g_variant_ref_sink(arguments);
	if (exports.connection)
		g_dbus_connection_emit_signal(exports.connection, NULL, object_path, interface,
					      name, arguments, NULL);
	g_variant_unref(arguments);
}

void exports_emit(const char *object_path, const char *name, GVariant *arguments)
{
	emit(object_path, org_tcmu_mpath1_map_interface.name, name, arguments);
}

void exports_tell_changes(const char *object_path, const struct object *object, GVariant *changes)
{
	emit(object_path, PROPERTIES_INTERFACE, "PropertiesChanged",
	     g_variant_new("(s@a{sv}as)", interface_of(object)->name, changes, NULL));
}

void exports_tell_added(const char *object_path, const struct object *object)
{
	if (exports.connection)
		emit(OBJECTS_ROOT, MANAGER_INTERFACE, "InterfacesAdded",
		     g_variant_new("(o@a{sa{sv}})", object_path, everything(object)));
}

void exports_tell_removed(const char *object_path, const struct object *object)
{
	const char *interfaces[] = {interface_of(object)->name, NULL};

	emit(OBJECTS_ROOT, MANAGER_INTERFACE, "InterfacesRemoved",
	     g_variant_new("(o^as)", object_path, interfaces));
}
