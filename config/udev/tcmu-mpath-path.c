/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcmu-mpath-path DIRECTORY: is a disk a path of one of our maps?  For 59-tcmu-mpath.rules; the
 * directory is the block device's in sysfs.
 *
 * The disk's WWID is found as the handler finds it, in what the kernel has read from the disk (VPD
 * page 83h): sysfs' own wwid spells it otherwise, and may have chosen another of its names.
 * Exit status: 0 yes, 1 no.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/scsi.h"

#define VPD_MAX 4096
#define BLANKS	" \t\n\f\r" /* a file may have been written where lines end with CR and LF */

/* What is kept of maps, and what the administrator has written. */
static const char *const places[] = {"/var/lib/tcmu-mpath/*", "/etc/tcmu/mpath.d/*.map"};

static bool read_wwid(const char *directory, char wwid[WWID_MAX])
{
	uint8_t page[VPD_MAX];
	char name[4096];
	FILE *file;
	size_t len;

	snprintf(name, sizeof(name), "%s/device/vpd_pg83", directory);
	file = fopen(name, "re");
	if (!file)
		return false;
	len = fread(page, 1, sizeof(page), file);
	fclose(file);
	return scsi_wwid_from_vpd83(page, len, wwid);
}

/* "wwid=WWID", with blanks where GLib's key files may have some. */
static bool line_says(char *line, const char *wwid)
{
	char *value = strchr(line, '=');
	size_t len;

	if (!value)
		return false;
	*value++ = '\0';
	line += strspn(line, BLANKS);
	line[strcspn(line, BLANKS)] = '\0';
	value += strspn(value, BLANKS);
	len = strcspn(value, BLANKS);
	return strcmp(line, "wwid") == 0 && len == strlen(wwid) && memcmp(value, wwid, len) == 0;
}

static bool file_says(const char *name, const char *wwid)
{
	FILE *file = fopen(name, "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return false;
	while (!found && getline(&line, &size, file) >= 0)
		found = line_says(line, wwid);
	free(line);
	fclose(file);
	return found;
}

static bool any_file_says(const char *pattern, const char *wwid)
{
	bool found = false;
	glob_t files;

	if (glob(pattern, GLOB_NOSORT, NULL, &files))
		return false;
	for (size_t i = 0; i < files.gl_pathc && !found; i++)
		found = file_says(files.gl_pathv[i], wwid);
	globfree(&files);
	return found;
}

int main(int argc, char **argv)
{
	char wwid[WWID_MAX];

	if (argc != 2 || !read_wwid(argv[1], wwid))
		return 1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (any_file_says(places[i], wwid))
			return 0;
	return 1;
}
