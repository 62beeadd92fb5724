/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The errors that a process knows of: the next one finds them, however it has died.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/tally.h"

static char dir[] = "/tmp/mpath-tally.XXXXXX";
static char file[64];

static const struct mpath_error_tally first = {.disks = {{17, 3}, {4711, 0}, {18, UINT64_MAX}}};
static const struct mpath_error_tally second = {.disks = {{17, 4}, {18, 7}}};

static void expect_left(const struct mpath_error_tally *expected)
{
	struct tally tally = {0};

	assert(tally_open(&tally, "map") == 0);
	assert(memcmp(tally.mapped, expected, sizeof(*expected)) == 0);
	tally_close(&tally);
	tally_close(&tally);
}

static void test_killed(void)
{
	pid_t child = fork();
	struct tally tally = {0};
	int status;

	if (child == 0) {
		if (tally_open(&tally, "map") == 0) {
			tally_tell(&tally, &first);
			tally_tell(&tally, &second);
		}
		raise(SIGKILL);
	}
	assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	expect_left(&second);
}

static void test_ended_in_order(void)
{
	struct tally tally = {0};

	assert(tally_open(&tally, "map") == 0);
	tally_tell(&tally, &first);
	tally_forget(&tally);
	tally_close(&tally);
	assert(access(file, F_OK) != 0);
	expect_left(&(struct mpath_error_tally){0});
}

/* Of another version, or garbage: nothing of it is believed. */
static void test_another_size(void)
{
	FILE *garbage = fopen(file, "w");

	assert(garbage);
	fputs("garbage", garbage);
	fclose(garbage);
	expect_left(&(struct mpath_error_tally){0});
}

static void test_cannot_be_kept(void)
{
	struct tally tally = {0};

	tally_set_dir("/proc/nowhere");
	assert(tally_open(&tally, "map") < 0);
	tally_tell(&tally, &first);
	tally_forget(&tally);
	tally_close(&tally);

	tally_set_dir(dir);
	assert(unlink(file) == 0 && symlink("/etc/passwd", file) == 0);
	assert(tally_open(&tally, "map") == -ELOOP && !tally.mapped);
	tally_close(&tally);
	assert(unlink(file) == 0);
}

int main(void)
{
	assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/map.errors", dir);
	tally_set_dir(dir);
	expect_left(&(struct mpath_error_tally){0});
	test_killed();
	test_ended_in_order();
	test_another_size();
	test_cannot_be_kept();
	assert(rmdir(dir) == 0);
	return 0;
}
