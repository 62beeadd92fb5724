/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log when its sink hangs: tcmu-runner ends all the same, in the time that it was told.
 */
#include <assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mpath/core.h"
#include "runtime/log.h"
#include "runtime/loop.h"

#define HOUR_S 3600

static sem_t may_write;

/* The time of day is set back by an hour as soon as it was looked at. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int err = (int)syscall(SYS_clock_gettime, clock, ts);

	if (clock == CLOCK_REALTIME)
		ts->tv_sec += HOUR_S;
	return err;
}

static void sink(enum log_level level, const char *map, const char *path, const char *text)
{
	(void)level;
	(void)map;
	(void)path;
	(void)text;
	sem_wait(&may_write);
}

/* Who waits for the log does so for a while, not until some time of day. */
static void test_the_clock_is_set_back(void)
{
	uint64_t begin_ns = clock_now_ns();

	mpath_log(MPATH_LOG_INFO, NULL, NULL, "a line");
	alarm(10);
	mpath_log_flush(100);
	alarm(0);
	assert(clock_now_ns() - begin_ns >= 100 * NSEC_PER_MSEC);
	sem_post(&may_write);
	mpath_log_flush(10000);
}

int main(void)
{
	sem_init(&may_write, 0, 0);
	mpath_log_set_sink(sink);
	test_the_clock_is_set_back();
	printf("ok   the clock is set back\n");
	return 0;
}
