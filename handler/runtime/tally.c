/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TALLY_DIR   "/run/tcmu-mpath"
#define TALLY_MAGIC 0x32796c6c61746d00ull

static const char *tally_dir = TALLY_DIR;

void tally_set_dir(const char *dir)
{
	tally_dir = dir;
}

/* Of another size it is not ours.  With its memory, as there may be none when it is written to. */
static int tally_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size != sizeof(struct tally_file) && ftruncate(fd, 0))
		return -errno;
	return -posix_fallocate(fd, 0, sizeof(struct tally_file));
}

/* Killed in between, it has left nothing that is believed. */
static void tally_begin(struct tally_file *file, const char *boot)
{
	bool is_good = file->magic == TALLY_MAGIC && memchr(file->boot, '\0', TALLY_BOOT_MAX) &&
		       strcmp(file->boot, boot) == 0;

	if (is_good)
		return;
	__atomic_store_n(&file->magic, 0, __ATOMIC_RELEASE);
	memset(&file->told, 0, sizeof(file->told));
	g_strlcpy(file->boot, boot, TALLY_BOOT_MAX);
	__atomic_store_n(&file->magic, TALLY_MAGIC, __ATOMIC_RELEASE);
}

static int tally_map(struct tally *tally, const char *boot)
{
	int fd = open(tally->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *mem = MAP_FAILED;
	int err;

	if (fd < 0)
		return -errno;
	err = tally_size(fd);
	if (!err) {
		mem = mmap(NULL, sizeof(*tally->mapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		err = mem == MAP_FAILED ? -errno : 0;
	}
	close(fd);
	if (err)
		return err;
	tally->mapped = mem;
	tally_begin(tally->mapped, boot);
	return 0;
}

int tally_open(struct tally *tally, const char *name, const char *boot)
{
	if (g_mkdir_with_parents(tally_dir, 0700))
		return -errno;
	tally->path = g_strdup_printf("%s/%s.errors", tally_dir, name);
	return tally_map(tally, boot);
}

/* Of another size it is what we have begun ourselves, and had no room for. */
bool tally_is_left(const struct tally *tally)
{
	struct stat st;

	return tally->path && stat(tally->path, &st) == 0 &&
	       st.st_size == sizeof(struct tally_file);
}

/* MEMORY_DISKS_MAX: it is not there.  Mostly it is at @i. */
static unsigned int place_of(const struct mpath_disk_errors *disks, uint64_t disk, unsigned int i)
{
	if (disks[i].disk == disk)
		return i;
	for (i = 0; i < MEMORY_DISKS_MAX && disks[i].disk != disk; i++)
		;
	return i;
}

static void tell_disk(struct mpath_disk_errors *kept, uint64_t disk)
{
	__atomic_store_n(&kept->disk, disk, __ATOMIC_RELEASE);
}

static void tell_errors(struct mpath_disk_errors *kept, uint64_t errors)
{
	__atomic_store_n(&kept->errors, errors, __ATOMIC_RELEASE);
}

/*
 * A disk that is told keeps its place as long as it is: moved, it would be in neither for a moment.
 * Then there is room for the others.
 */
static void tell_disks(struct mpath_disk_errors *kept, const struct mpath_disk_errors *now)
{
	bool is_told[MEMORY_DISKS_MAX + 1] = {false};
	unsigned int i, place, room = 0;

	for (i = 0; i < MEMORY_DISKS_MAX; i++) {
		if (!kept[i].disk)
			continue;
		place = place_of(now, kept[i].disk, i);
		if (place == MEMORY_DISKS_MAX || is_told[place])
			tell_disk(&kept[i], 0);
		else
			tell_errors(&kept[i], now[place].errors);
		is_told[place] = true;
	}
	for (i = 0; i < MEMORY_DISKS_MAX; i++) {
		if (!now[i].disk || is_told[i])
			continue;
		room = place_of(kept, 0, room);
		tell_errors(&kept[room], now[i].errors);
		tell_disk(&kept[room], now[i].disk);
	}
}

void tally_tell(struct tally *tally, const struct mpath_error_tally *now)
{
	struct mpath_error_tally *told;

	if (!tally->mapped)
		return;
	told = &tally->mapped->told;
	__atomic_store_n(&told->fence_end_ns, now->fence_end_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&told->slow_end_ns, now->slow_end_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&told->transit_ms, now->transit_ms, __ATOMIC_RELEASE);
	__atomic_store_n(&told->timeout_ms, now->timeout_ms, __ATOMIC_RELEASE);
	tell_disks(told->disks, now->disks);
}

void tally_forget(struct tally *tally)
{
	if (tally->path)
		unlink(tally->path);
}

void tally_close(struct tally *tally)
{
	if (tally->mapped)
		munmap(tally->mapped, sizeof(*tally->mapped));
	g_free(tally->path);
	*tally = (struct tally){0};
}
