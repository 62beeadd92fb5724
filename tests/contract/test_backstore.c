/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backstore in configfs when file descriptors are short: by its instance what a former process
 * has left is believed, by its attributes commands have deadlines, so neither may be guessed.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char here[] = "/tmp/mpath-backstore.XXXXXX";
static const char *refused; /* what ends in this cannot be opened ... */
static int refused_error;   /* ... for this reason */
static int nr_open;

static bool is_refused(const char *path)
{
	size_t len = refused ? strlen(refused) : 0;

	if (!len || strlen(path) < len || strcmp(path + strlen(path) - len, refused) != 0)
		return false;
	errno = refused_error;
	return true;
}

static int opened(int fd)
{
	nr_open += fd >= 0;
	return fd;
}

static int openat_here(int dirfd, const char *path, int flags)
{
	return is_refused(path) ? -1 : opened(openat(dirfd, path, flags));
}

/* The kernel's files are those of the same name in @here. */
static int open_here(const char *path, int flags)
{
	char file[100];

	if (is_refused(path))
		return -1;
	if (strncmp(path, "/proc/self/fd/", 14) == 0)
		return opened(open(path, flags));
	snprintf(file, sizeof(file), "%s%s", here, strrchr(path, '/'));
	return opened(open(file, flags));
}

static int close_here(int fd)
{
	nr_open--;
	return close(fd);
}

#define open(path, flags)	   open_here(path, flags)
#define openat(dirfd, path, flags) openat_here(dirfd, path, flags)
#define close(fd)		   close_here(fd)
#include "runner/backstore.c"
#undef open
#undef openat
#undef close

static void make(const char *name, const char *text)
{
	char path[100];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", here, name);
	if (!text) {
		assert(mkdir(path, 0700) == 0);
		return;
	}
	file = fopen(path, "w");
	assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void make_backstore(void)
{
	make("name", "tcm-user/0/lun/mpath/mpatha\n");
	make("boot_id", "0dbc6a40-79d4-4a5f-9b1a-3a3b1c1f7e5d\n");
	make("lun", NULL);
	make("lun/attrib", NULL);
	make("lun/attrib/cmd_time_out", "30\n");
	make("lun/attrib/hw_block_size", "512\n");
	make("lun/attrib/dev_size", "1048576\n");
	make("lun/attrib/tmr_notification", "1\n");
	make("lun/wwn", NULL);
	make("lun/wwn/vpd_unit_serial", "T10 VPD Unit Serial Number: 0123\n");
	make("lun/control", "");
}

static int try_open(char words[300])
{
	struct backstore backstore;
	struct strbuf error;
	int err;

	strbuf_init(&error, words, 300);
	nr_open = 0;
	err = backstore_open(&backstore, "uio0", &error);
	if (!err)
		backstore_close(&backstore);
	assert(nr_open == 0);
	return err;
}

static void test_all_is_well(void)
{
	struct mpath_backstore attributes;
	struct backstore backstore;
	char words[300];
	struct strbuf error;

	strbuf_init(&error, words, sizeof(words));
	assert(backstore_open(&backstore, "uio0", &error) == 0);
	assert(strcmp(backstore.name, "lun") == 0);
	assert(strncmp(backstore.instance, "0dbc6a40-79d4-4a5f-9b1a-3a3b1c1f7e5d ", 37) == 0);
	assert(backstore_read(&backstore, &attributes));
	assert(attributes.cmd_time_out_ms == 30000 && strcmp(attributes.serial, "0123") == 0);
	backstore_close(&backstore);
}

/* Neither a later process nor this one may take them for those of another boot, or for none. */
static void test_short_of_files(void)
{
	static const char *const files[] = {"/boot_id",
					    "attrib/cmd_time_out",
					    "attrib/dev_size",
					    "attrib/hw_block_size",
					    "wwn/vpd_unit_serial",
					    "control",
					    "attrib/tmr_notification",
					    "/uio0/name"};
	char words[300];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		refused = files[i];
		refused_error = EMFILE;
		assert(try_open(words) == -EMFILE);
		assert(strstr(words, files[i]) && strstr(words, ": Too many open files"));
	}
	refused = NULL;
	assert(try_open(words) == 0);
}

/* An older kernel. */
static void test_no_such_attribute(void)
{
	char words[300];

	refused = "attrib/tmr_notification";
	refused_error = ENOENT;
	assert(try_open(words) == 0);
	refused = NULL;
}

int main(void)
{
	char command[64];

	assert(mkdtemp(here));
	make_backstore();
	test_all_is_well();
	test_no_such_attribute();
	test_short_of_files();
	snprintf(command, sizeof(command), "rm -r %s", here);
	return system(command) ? 1 : 0;
}
