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

#define FORMAT_PATH(path, format)                                                                  \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		vsnprintf(path, sizeof(path), format, args);                                       \
		va_end(args);                                                                      \
	} while (0)

static bool sysfs_read_path(char *text, size_t size, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
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
	if (n < 0)
		return false;
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
	if (!dir)
		return false;
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
	return access(path, F_OK) == 0;
}
