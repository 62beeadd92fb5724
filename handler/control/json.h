/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status of a map as JSON.
 */
#ifndef MPATH_JSON_H
#define MPATH_JSON_H

#include "mpath/snapshot.h"

/* One line, to be freed with g_free(). */
char *json_status(const char *map, const struct mpath_snapshot *snapshot);

#endif
