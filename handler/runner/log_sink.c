// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Log lines for people (D13): "journalctl MPATH_MAP=mpatha" shows one map's history.
 *
 * Runs on the log's own thread, as both sinks may wait for a disk.
 */
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "mpath/tcmu_runner_abi.h"
#include "runner/log_sink.h"

/* tcmu-runner cuts off what is more than 255 bytes with its own words, also the end of the line. */
#define RUNNER_LINE_MAX 240

static void piece_to_runner(enum log_level level, const char *line, int len)
{
	/* Function and line are for tcmu-runner's developers; the device is in the text. */
	switch (level) {
	case MPATH_LOG_ERROR:
		tcmu_err_message(NULL, "mpath", 0, "%.*s\n", len, line);
		return;
	case MPATH_LOG_WARN:
		tcmu_warn_message(NULL, "mpath", 0, "%.*s\n", len, line);
		return;
	case MPATH_LOG_INFO:
		tcmu_info_message(NULL, "mpath", 0, "%.*s\n", len, line);
		return;
	}
}

static void to_runner(enum log_level level, const char *line)
{
	size_t len;

	for (len = strlen(line); len > RUNNER_LINE_MAX; len = strlen(line)) {
		piece_to_runner(level, line, RUNNER_LINE_MAX);
		line += RUNNER_LINE_MAX;
	}
	piece_to_runner(level, line, (int)len);
}

static int priority(enum log_level level)
{
	switch (level) {
	case MPATH_LOG_ERROR:
		return LOG_ERR;
	case MPATH_LOG_WARN:
		return LOG_WARNING;
	case MPATH_LOG_INFO:
		return LOG_INFO;
	}
	return LOG_INFO;
}

/* sd_journal_send() adds where in our code it was called, which says nothing here. */
static void to_journal(enum log_level level, const char *map, const char *path, const char *line)
{
	if (map && path)
		sd_journal_send("MESSAGE=%s", line, "PRIORITY=%d", priority(level),
				"SYSLOG_IDENTIFIER=tcmu-mpath", "MPATH_MAP=%s", map,
				"MPATH_PATH=%s", path, NULL);
	else if (map)
		sd_journal_send("MESSAGE=%s", line, "PRIORITY=%d", priority(level),
				"SYSLOG_IDENTIFIER=tcmu-mpath", "MPATH_MAP=%s", map, NULL);
	else
		sd_journal_send("MESSAGE=%s", line, "PRIORITY=%d", priority(level),
				"SYSLOG_IDENTIFIER=tcmu-mpath", NULL);
}

void log_sink_write(enum log_level level, const char *map, const char *path, const char *text)
{
	char line[LOG_TEXT_MAX + 200]; /* and the names */

	snprintf(line, sizeof(line), "%s%s%s%s%s%s", map ? map : "", map ? ": " : "",
		 path ? "path " : "", path ? path : "", path ? ": " : "", text);
	to_runner(level, line);
	to_journal(level, map, path, line);
}
