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

struct page {
	uint8_t bytes[VPD_MAX];
	size_t len;
};

static bool read_page(const char *directory, struct page *page)
{
	char wwid[WWID_MAX];
	char name[4096];
	FILE *file;

	snprintf(name, sizeof(name), "%s/device/vpd_pg83", directory);
	file = fopen(name, "re");
	if (!file)
		return false;
	page->len = fread(page->bytes, 1, sizeof(page->bytes), file);
	fclose(file);
	return scsi_wwid_from_vpd83(page->bytes, page->len, wwid);
}

/* "wwid=WWID", with blanks where GLib's key files may have some. */
static bool line_says(char *line, const struct page *page)
{
	char *value = strchr(line, '=');

	if (!value)
		return false;
	*value++ = '\0';
	line += strspn(line, BLANKS);
	line[strcspn(line, BLANKS)] = '\0';
	value += strspn(value, BLANKS);
	value[strcspn(value, BLANKS)] = '\0';
	return strcmp(line, "wwid") == 0 && scsi_lun_is(page->bytes, page->len, value);
}

static bool file_says(const char *name, const struct page *page)
{
	FILE *file = fopen(name, "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return false;
	while (!found && getline(&line, &size, file) >= 0)
		found = line_says(line, page);
	free(line);
	fclose(file);
	return found;
}

static bool any_file_says(const char *pattern, const struct page *page)
{
	bool found = false;
	glob_t files;

	if (glob(pattern, GLOB_NOSORT, NULL, &files))
		return false;
	for (size_t i = 0; i < files.gl_pathc && !found; i++)
		found = file_says(files.gl_pathv[i], page);
	globfree(&files);
	return found;
}

int main(int argc, char **argv)
{
	struct page page;

	if (argc != 2 || !read_page(argv[1], &page))
		return 1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (any_file_says(places[i], &page))
			return 0;
	return 1;
}
