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

/* Killed in between, it has left an entry that says less: 0, or the disk's own number. */
static void tell(struct mpath_disk_errors *kept, const struct mpath_disk_errors *now)
{
	if (kept->disk != now->disk) {
		__atomic_store_n(&kept->errors, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&kept->disk, now->disk, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&kept->errors, now->errors, __ATOMIC_RELEASE);
}

void tally_tell(struct tally *tally, const struct mpath_error_tally *now)
{
	struct mpath_error_tally *told;
	unsigned int i;

	if (!tally->mapped)
		return;
	told = &tally->mapped->told;
	__atomic_store_n(&told->fence_end_ns, now->fence_end_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&told->slow_end_ns, now->slow_end_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&told->transit_ms, now->transit_ms, __ATOMIC_RELEASE);
	__atomic_store_n(&told->timeout_ms, now->timeout_ms, __ATOMIC_RELEASE);
	for (i = 0; i < MEMORY_DISKS_MAX; i++)
		tell(&told->disks[i], &now->disks[i]);
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
