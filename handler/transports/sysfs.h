/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading small facts from sysfs.  Blocks now and then: workers only.
 */
#ifndef MPATH_SYSFS_H
#define MPATH_SYSFS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the kernel lists its disks; a test's is another place. */
extern const char *sysfs_block;

/* The first line of a file, without its end.  False: it cannot be read. */
__attribute__((format(printf, 3, 4))) bool sysfs_read(char *text, size_t size, const char *format,
						      ...);
/* A number in any of C's notations. */
__attribute__((format(printf, 2, 3))) bool sysfs_read_number(uint64_t *number, const char *format,
							     ...);
/* The last component of what a symbolic link points to. */
__attribute__((format(printf, 3, 4))) bool sysfs_read_link(char *name, size_t size,
							   const char *format, ...);
/* The first entry of a directory. */
__attribute__((format(printf, 3, 4))) bool sysfs_first_entry(char *name, size_t size,
							     const char *format, ...);
__attribute__((format(printf, 1, 2))) bool sysfs_exists(const char *format, ...);
/* For who reads it more than once.  The fd, or -errno. */
__attribute__((format(printf, 1, 2))) int sysfs_open(const char *format, ...);
/* Where the disk is: below its host, target and session. */
bool sysfs_place(const char *disk, char place[PATH_MAX]);

/* -errno if file descriptors or memory are short, and 0 if errno says anything else. */
int shortage_in_errno(void);

/*
 * What cannot be read for lack of file descriptors or memory looks like what is not there.  -errno:
 * so it was here, on this thread, since this was asked last; or 0.
 */
int sysfs_shortage(void);

#endif
