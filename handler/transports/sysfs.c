/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading small facts from sysfs.
 */
#include "transports/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *sysfs_block = "/sys/block";

#define FORMAT_PATH(path, format)                                                                  \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		vsnprintf(path, sizeof(path), format, args);                                       \
		va_end(args);                                                                      \
	} while (0)

static _Thread_local int shortage;

int shortage_in_errno(void)
{
	return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? -errno : 0;
}

static void note_shortage(void)
{
	int err = shortage_in_errno();

	if (err)
		shortage = err;
}

int sysfs_shortage(void)
{
	int err = shortage;

	shortage = 0;
	return err;
}

static int sysfs_open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	note_shortage();
	return -errno;
}

static bool sysfs_read_path(char *text, size_t size, const char *path)
{
	int fd = sysfs_open_path(path);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	if (n < 0)
		note_shortage();
	close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

bool sysfs_read(char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX];

	FORMAT_PATH(path, format);
	return sysfs_read_path(text, size, path);
}

bool sysfs_read_number(uint64_t *number, const char *format, ...)
{
	char path[PATH_MAX];
	char text[64];
	char *end;

	FORMAT_PATH(path, format);
	if (!sysfs_read_path(text, sizeof(text), path))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && end != text;
}

bool sysfs_read_link(char *name, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	const char *base;
	ssize_t n;

	FORMAT_PATH(path, format);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0) {
		note_shortage();
		return false;
	}
	target[n] = '\0';
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	return (size_t)snprintf(name, size, "%s", base) < size;
}

bool sysfs_first_entry(char *name, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	FORMAT_PATH(path, format);
	dir = opendir(path);
	if (!dir) {
		note_shortage();
		return false;
	}
	while (!found && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			found = (size_t)snprintf(name, size, "%s", entry->d_name) < size;
	closedir(dir);
	return found;
}

bool sysfs_exists(const char *format, ...)
{
	char path[PATH_MAX];

	FORMAT_PATH(path, format);
	if (access(path, F_OK) == 0)
		return true;
	note_shortage();
	return false;
}

int sysfs_open(const char *format, ...)
{
	char path[PATH_MAX];

	FORMAT_PATH(path, format);
	return sysfs_open_path(path);
}

bool sysfs_place(const char *disk, char place[PATH_MAX])
{
	char link[64];

	snprintf(link, sizeof(link), "/sys/class/block/%s/device", disk);
	if (realpath(link, place))
		return true;
	note_shortage();
	return false;
}
