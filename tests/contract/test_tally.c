/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The errors that a process knows of, and until when its writes may land: the next one finds them,
 * however it has died.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/tally.h"

static char dir[] = "/tmp/mpath-tally.XXXXXX";
static char file[64];

static const struct mpath_error_tally first = {.disks = {{17, 3}, {4711, 0}, {18, UINT64_MAX}},
					       .fence_end_ns = 5,
					       .slow_end_ns = UINT64_MAX};
static const struct mpath_error_tally second = {.disks = {{17, 4}, {18, 7}},
						.fence_end_ns = UINT64_MAX - 1,
						.transit_ms = 9,
						.timeout_ms = 20000};

static const struct mpath_error_tally nothing;

static bool is_full; /* /run */

int posix_fallocate(int fd, off_t offset, off_t len)
{
	return is_full ? ENOSPC : ftruncate(fd, offset + len) ? errno : 0;
}

static bool is_told(const struct mpath_error_tally *told, const struct mpath_disk_errors *one)
{
	for (unsigned int i = 0; i < MEMORY_DISKS_MAX; i++)
		if (told->disks[i].disk == one->disk)
			return told->disks[i].errors == one->errors;
	return false;
}

/* Wherever its disks stand. */
static bool says(const struct mpath_error_tally *told, const struct mpath_error_tally *other)
{
	for (unsigned int i = 0; i < MEMORY_DISKS_MAX; i++)
		if (other->disks[i].disk && !is_told(told, &other->disks[i]))
			return false;
	return told->fence_end_ns == other->fence_end_ns &&
	       told->slow_end_ns == other->slow_end_ns && told->transit_ms == other->transit_ms &&
	       told->timeout_ms == other->timeout_ms;
}

static void expect_left(const struct mpath_error_tally *expected)
{
	struct tally tally = {0};

	assert(tally_open(&tally, "map", "boot") == 0);
	assert(says(&tally.mapped->told, expected) && says(expected, &tally.mapped->told));
	tally_close(&tally);
	tally_close(&tally);
}

static void test_killed(void)
{
	pid_t child = fork();
	struct tally tally = {0};
	int status;

	if (child == 0) {
		if (tally_open(&tally, "map", "boot") == 0) {
			tally_tell(&tally, &first);
			tally_tell(&tally, &second);
		}
		raise(SIGKILL);
	}
	assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	expect_left(&second);
}

static bool is_there(const struct tally_file *left, uint64_t disk)
{
	for (unsigned int i = 0; i < MEMORY_DISKS_MAX; i++)
		if (left->told.disks[i].disk == disk)
			return true;
	return false;
}

/* What is told changes from @before to @after, and all the time @disk is in both. */
static void kill_at_each_moment(const struct mpath_error_tally *before,
				const struct mpath_error_tally *after, uint64_t disk)
{
	struct tally tally = {0};
	int status;
	pid_t child;

	assert(tally_open(&tally, "map", "boot") == 0);
	tally_tell(&tally, before);
	child = fork();
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(0); /* not here */
		raise(SIGSTOP);
		tally_tell(&tally, after);
		_exit(0);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		assert(is_there(tally.mapped, disk));
		assert(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
	}
	tally_forget(&tally);
	tally_close(&tally);
}

/* A disk that was used before does not leave its place to the one that is used now. */
static void test_killed_while_it_tells(void)
{
	static const struct mpath_error_tally one = {.disks = {{18, 7}}};
	static const struct mpath_error_tally two = {.disks = {{17, 4}, {18, 7}}};
	static const struct mpath_error_tally turned = {.disks = {{18, 8}, {19, 1}, {17, 3}}};

	kill_at_each_moment(&one, &two, 18);
	kill_at_each_moment(&two, &one, 18);
	kill_at_each_moment(&two, &turned, 17);
	kill_at_each_moment(&two, &turned, 18);
}

static void test_ended_in_order(void)
{
	struct tally tally = {0};

	assert(tally_open(&tally, "map", "boot") == 0);
	tally_tell(&tally, &first);
	tally_forget(&tally);
	tally_close(&tally);
	assert(access(file, F_OK) != 0);
	expect_left(&nothing);
}

static void leave(const struct mpath_error_tally *told, const char *boot)
{
	struct tally tally = {0};

	assert(tally_open(&tally, "map", boot) == 0);
	tally_tell(&tally, told);
	tally_close(&tally);
}

/* Another clock, and other disks. */
static void test_another_boot(void)
{
	leave(&first, "boot");
	expect_left(&first);
	leave(&second, "another");
	expect_left(&nothing);
	leave(&second, "boo");
	expect_left(&nothing);
}

static void write_file(const void *data, size_t len)
{
	FILE *out = fopen(file, "w");

	assert(out && fwrite(data, 1, len, out) == len && fclose(out) == 0);
}

/* Of another version, or garbage: nothing of it is believed. */
static void test_garbage(void)
{
	static struct tally_file garbage;
	FILE *in;

	write_file("garbage", 7);
	expect_left(&nothing);
	memset(&garbage, 'x', sizeof(garbage));
	write_file(&garbage, sizeof(garbage));
	expect_left(&nothing);

	leave(&first, "boot");
	in = fopen(file, "r");
	assert(in && fread(&garbage, sizeof(garbage), 1, in) == 1 && fclose(in) == 0);
	garbage.magic++;
	write_file(&garbage, sizeof(garbage));
	expect_left(&nothing);
	garbage.magic--;
	memset(garbage.boot, 'b', sizeof(garbage.boot));
	write_file(&garbage, sizeof(garbage));
	expect_left(&nothing);
}

/* Of another size: what it says may mean something else. */
static void test_earlier_version(void)
{
	leave(&first, "boot");
	assert(truncate(file, sizeof(struct tally_file) + 128) == 0);
	expect_left(&nothing);
	leave(&first, "boot");
	assert(truncate(file, sizeof(first.disks)) == 0);
	expect_left(&nothing);
	leave(&second, "boot");
	expect_left(&second);
}

/* It has left one disk twice, and now there are as many as there is room for. */
static void test_one_disk_twice(void)
{
	struct mpath_error_tally full = second;
	struct tally tally = {0};
	unsigned int i;

	leave(&first, "boot");
	for (i = 0; i < MEMORY_DISKS_MAX; i++)
		full.disks[i] = (struct mpath_disk_errors){17 + i, i};
	assert(tally_open(&tally, "map", "boot") == 0);
	tally.mapped->told.disks[3] = tally.mapped->told.disks[0];
	tally_tell(&tally, &full);
	tally_close(&tally);
	expect_left(&full);
}

/* What there was no room for was never told. */
static void test_no_room(void)
{
	struct tally tally = {0};

	leave(&first, "boot");
	is_full = true;
	assert(tally_open(&tally, "map", "boot") == -ENOSPC && !tally.mapped);
	assert(tally_is_left(&tally));
	tally_forget(&tally);
	tally_close(&tally);
	assert(tally_open(&tally, "map", "boot") == -ENOSPC && !tally.mapped);
	assert(!tally_is_left(&tally));
	tally_close(&tally);
	is_full = false;
	expect_left(&nothing);
}

static void test_cannot_be_kept(void)
{
	struct tally tally = {0};

	tally_set_dir("/proc/nowhere");
	assert(tally_open(&tally, "map", "boot") < 0);
	assert(!tally_is_left(&tally));
	tally_tell(&tally, &first);
	tally_forget(&tally);
	tally_close(&tally);

	tally_set_dir(dir);
	assert(unlink(file) == 0 && symlink("/etc/passwd", file) == 0);
	assert(tally_open(&tally, "map", "boot") == -ELOOP && !tally.mapped);
	tally_close(&tally);
	assert(unlink(file) == 0);
}

int main(void)
{
	assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/map.errors", dir);
	tally_set_dir(dir);
	expect_left(&nothing);
	test_killed();
	test_killed_while_it_tells();
	test_ended_in_order();
	test_another_boot();
	test_garbage();
	test_earlier_version();
	test_one_disk_twice();
	test_no_room();
	test_cannot_be_kept();
	assert(rmdir(dir) == 0);
	return 0;
}
