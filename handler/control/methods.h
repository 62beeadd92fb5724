/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The methods of maps, groups and paths.
 */
#ifndef MPATH_METHODS_H
#define MPATH_METHODS_H

#include "mpath-dbus.h"

/* Answer the method calls of an object of map @map, which is copied. */
void methods_of_map(MpathDbusMap *object, const char *map);
void methods_of_group(MpathDbusGroup *object, const char *map);
void methods_of_path(MpathDbusPath *object, const char *map);

#endif
