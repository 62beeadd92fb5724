/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: lines are handed to a thread that writes them.
 *
 * An owner thread must never wait for the log.  The journal and tcmu-runner's log file are on
 * disks; when these are exported by us, waiting for the log while a path is lost would be waiting
 * for ourselves.  So lines go through a fixed ring; when it is full they are counted, and the
 * count is logged.
 */
#include "runtime/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "runtime/thread.h"

#define LOG_LINES 256 /* what a few hundred failing paths say at once */

struct log_line {
	enum log_level level;
	bool has_map;
	bool has_path;
	char map[66];
	char path[66];
	char text[LOG_TEXT_MAX];
};

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t log_more = PTHREAD_COND_INITIALIZER;
static pthread_cond_t log_empty = PTHREAD_COND_INITIALIZER;
static mpath_log_sink log_sink;
static bool log_thread_runs;
static struct log_line log_lines[LOG_LINES];
static unsigned int log_first;
static unsigned int nr_log_lines; /* the one that is being written counts */
static unsigned int nr_log_dropped;

static void log_write(mpath_log_sink sink, const struct log_line *line)
{
	sink(line->level, line->has_map ? line->map : NULL, line->has_path ? line->path : NULL,
	     line->text);
}

/* Under log_lock, which is dropped while the sink writes. */
static void log_write_dropped(unsigned int nr_dropped)
{
	struct log_line line = {.level = MPATH_LOG_WARN};
	mpath_log_sink sink = log_sink;

	nr_log_dropped = 0;
	snprintf(line.text, sizeof(line.text), "%u log lines were dropped", nr_dropped);
	pthread_mutex_unlock(&log_lock);
	log_write(sink, &line);
	pthread_mutex_lock(&log_lock);
}

static void *log_run(void *arg)
{
	(void)arg;

	pthread_mutex_lock(&log_lock);
	for (;;) {
		struct log_line line;
		mpath_log_sink sink;

		while (!nr_log_lines)
			pthread_cond_wait(&log_more, &log_lock);
		line = log_lines[log_first];
		sink = log_sink;
		pthread_mutex_unlock(&log_lock);
		log_write(sink, &line);
		pthread_mutex_lock(&log_lock);
		log_first = (log_first + 1) % LOG_LINES;
		nr_log_lines--;
		if (nr_log_lines)
			continue;
		if (nr_log_dropped)
			log_write_dropped(nr_log_dropped);
		pthread_cond_broadcast(&log_empty);
	}
	return NULL;
}

void mpath_log_set_sink(mpath_log_sink sink)
{
	pthread_mutex_lock(&log_lock);
	log_sink = sink;
	if (!log_thread_runs)
		log_thread_runs = thread_start("mpath-log", log_run, NULL) == 0;
	pthread_mutex_unlock(&log_lock);
}

static void log_to_stderr(const struct log_line *line)
{
	static const char *const levels[] = {"error", "warning", "info"};

	fprintf(stderr, "tcmu-mpath %s: %s%s%s%s%s%s\n", levels[line->level],
		line->has_map ? line->map : "", line->has_map ? ": " : "",
		line->has_path ? "path " : "", line->has_path ? line->path : "",
		line->has_path ? ": " : "", line->text);
}

static void log_enqueue(const struct log_line *line)
{
	if (nr_log_lines == LOG_LINES) {
		nr_log_dropped++;
		return;
	}
	log_lines[(log_first + nr_log_lines) % LOG_LINES] = *line;
	nr_log_lines++;
	pthread_cond_signal(&log_more);
}

void mpath_log(enum log_level level, const char *map, const char *path, const char *format, ...)
{
	struct log_line line = {.level = level, .has_map = map, .has_path = path};
	bool queued;
	va_list args;

	snprintf(line.map, sizeof(line.map), "%s", map ? map : "");
	snprintf(line.path, sizeof(line.path), "%s", path ? path : "");
	va_start(args, format);
	vsnprintf(line.text, sizeof(line.text), format, args);
	va_end(args);

	pthread_mutex_lock(&log_lock);
	queued = log_sink && log_thread_runs;
	if (queued)
		log_enqueue(&line);
	pthread_mutex_unlock(&log_lock);
	if (!queued)
		log_to_stderr(&line);
}

void mpath_log_flush(unsigned int ms)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&log_lock);
	while (nr_log_lines && err != ETIMEDOUT)
		err = pthread_cond_clockwait(&log_empty, &log_lock, CLOCK_MONOTONIC, &until);
	pthread_mutex_unlock(&log_lock);
}
