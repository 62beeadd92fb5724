/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line per state change, to tcmu-runner's log and to the journal (D13).  The sinks are set
 * by runner/; without them (tests) lines go to stderr.  Any thread.
 */
#ifndef MPATH_LOG_H
#define MPATH_LOG_H

/* Bytes of a line with NUL: the longest is an unknown key with all those that there are. */
#define LOG_TEXT_MAX 1100

enum log_level { MPATH_LOG_ERROR, MPATH_LOG_WARN, MPATH_LOG_INFO };

/*
 * @map and @path may be NULL.  Called on a thread of its own, one line at a time, so it may block:
 * the journal may well lie on a disk that waits for us.
 */
typedef void (*mpath_log_sink)(enum log_level level, const char *map, const char *path,
			       const char *text);
void mpath_log_set_sink(mpath_log_sink sink);

/* Never blocks once a sink is set; lines over what the sink can take are dropped and counted. */
__attribute__((format(printf, 4, 5))) void mpath_log(enum log_level level, const char *map,
						     const char *path, const char *format, ...);

/* Wait until the sink has taken all lines, at most @ms milliseconds: for the end of the process. */
void mpath_log_flush(unsigned int ms);

#endif
