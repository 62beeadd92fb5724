/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The methods of maps, groups and paths.  GDBus has seen to it that they exist and have the
 * arguments that config/dbus/org.tcmu.Mpath1.xml says.
 */
#ifndef MPATH_METHODS_H
#define MPATH_METHODS_H

#include <gio/gio.h>

#include "mpath/snapshot.h"

/* Call @method, of map @map or of what belongs to it.  Takes the invocation over. */
void methods_of_map(const char *map, const char *method, GVariant *arguments,
		    GDBusMethodInvocation *invocation);
void methods_of_group(const char *map, unsigned int number, const char *method,
		      GDBusMethodInvocation *invocation);
void methods_of_path(const char *map, const struct path_snapshot *path, const char *method,
		     GDBusMethodInvocation *invocation);

#endif
