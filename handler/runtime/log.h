/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line per state change, to tcmu-runner's log and to the journal (D13).  The sinks are set
 * by runner/; without them (tests) lines go to stderr.  Any thread.
 */
#ifndef MPATH_LOG_H
#define MPATH_LOG_H

enum log_level { MPATH_LOG_ERROR, MPATH_LOG_WARN, MPATH_LOG_INFO };

/* @map and @path may be NULL. */
typedef void (*mpath_log_sink)(enum log_level level, const char *map, const char *path,
			       const char *text);
void mpath_log_set_sink(mpath_log_sink sink);

__attribute__((format(printf, 4, 5))) void mpath_log(enum log_level level, const char *map,
						     const char *path, const char *format, ...);

#endif
