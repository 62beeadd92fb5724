/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where log lines go: tcmu-runner's log, and the journal with the map's and path's names. */
#ifndef MPATH_LOG_SINK_H
#define MPATH_LOG_SINK_H

#include "runtime/log.h"

void log_sink_write(enum log_level level, const char *map, const char *path, const char *text);

#endif
