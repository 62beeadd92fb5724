/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words for states that D-Bus and JSON use; config/dbus/org.tcmu.Mpath1.xml lists them.
 */
#ifndef MPATH_STATE_NAMES_H
#define MPATH_STATE_NAMES_H

#include "mpath/snapshot.h"

const char *map_state_name(enum map_state state);
const char *group_state_name(enum group_state state);
const char *path_state_name(enum path_state state);

#endif
