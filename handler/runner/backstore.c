// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The backstore's attributes in configfs; see backstore.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/backstore.h"
#include "runner/cfgstring.h"

#define UIO_DIR	   "/sys/class/uio"
#define CONFIG_DIR "/sys/kernel/config/target/core"
#define BOOT_ID	   "/proc/sys/kernel/random/boot_id"

static const char *const file_names[NR_BACKSTORE_FILES] = {
	[BACKSTORE_CMD_TIME_OUT] = "attrib/cmd_time_out",
	[BACKSTORE_BLOCK_SIZE] = "attrib/hw_block_size",
	[BACKSTORE_SIZE] = "attrib/dev_size",
	[BACKSTORE_TMR_NOTIFICATION] = "attrib/tmr_notification", /* since Linux 5.10 */
	[BACKSTORE_SERIAL] = "wwn/vpd_unit_serial",
	[BACKSTORE_CONTROL] = "control",
};

/* Without the newline at its end.  0, or -errno; -ENODATA: it is empty. */
static int read_line(const char *file, char *text, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	int err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n <= 0)
		err = n ? -errno : -ENODATA;
	close(fd);
	if (err)
		return err;
	text[n] = '\0';
	if (text[n - 1] == '\n')
		text[n - 1] = '\0';
	return 0;
}

/* What uio calls a device of ours: "tcm-user/HBA/NAME/CFGSTRING". */
struct uio_words {
	char text[1024];
	const char *hba;
	const char *name;
	const char *cfgstring;
};

/* 0, or -errno; -EINVAL: it is another device's. */
static int read_uio_name(const char *uio_name, struct uio_words *words)
{
	char file[300];
	char *hba, *name, *cfgstring;
	int err;

	snprintf(file, sizeof(file), UIO_DIR "/%s/name", uio_name);
	err = read_line(file, words->text, sizeof(words->text));
	if (err)
		return err;
	if (strncmp(words->text, "tcm-user/", strlen("tcm-user/")) != 0)
		return -EINVAL;
	hba = words->text + strlen("tcm-user/");
	name = strchr(hba, '/');
	cfgstring = name ? strchr(name + 1, '/') : NULL;
	if (!cfgstring)
		return -EINVAL;
	*name = *cfgstring = '\0';
	words->hba = hba;
	words->name = name + 1;
	words->cfgstring = cfgstring + 1;
	return 0;
}

bool backstore_exists(const char *cfgstring)
{
	DIR *dir = opendir(UIO_DIR);
	struct dirent *entry;
	struct uio_words words;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.' && !read_uio_name(entry->d_name, &words) &&
			cfgstring_equal(words.cfgstring, cfgstring);
	closedir(dir);
	return found;
}

/*
 * A directory in configfs keeps its inode as long as it exists, and no two have had the same.  What
 * a former process has left is believed by this, and forgotten under another one: no guess will do.
 */
static int name_instance(struct backstore *backstore, int dirfd, struct strbuf *error)
{
	char boot[64];
	struct stat st;
	int err = read_line(BOOT_ID, boot, sizeof(boot));

	if (!err && fstat(dirfd, &st))
		err = -errno;
	if (err) {
		strbuf_printf(error, "%s: %s", BOOT_ID, strerror(-err));
		return err;
	}
	snprintf(backstore->instance, sizeof(backstore->instance), "%.36s %ju", boot,
		 (uintmax_t)st.st_ino);
	return 0;
}

/* What is not there is one thing; what is, and cannot be had, would be missed as long as we run. */
static int open_files(struct backstore *backstore, int dirfd, struct strbuf *error)
{
	for (unsigned int i = 0; i < NR_BACKSTORE_FILES; i++) {
		backstore->fds[i] = openat(dirfd, file_names[i], O_PATH | O_CLOEXEC);
		if (backstore->fds[i] < 0 && errno != ENOENT) {
			int err = -errno;

			strbuf_printf(error, "%s/%s: %s", backstore->name, file_names[i],
				      strerror(-err));
			return err;
		}
	}
	return 0;
}

int backstore_open(struct backstore *backstore, const char *uio_name, struct strbuf *error)
{
	struct uio_words words;
	char dir[512];
	int dirfd, err;

	err = read_uio_name(uio_name, &words);
	if (err == -EINVAL)
		strbuf_printf(error, UIO_DIR "/%s/name does not name a backstore", uio_name);
	else if (err)
		strbuf_printf(error, UIO_DIR "/%s/name: %s", uio_name, strerror(-err));
	if (err)
		return err;
	snprintf(backstore->name, sizeof(backstore->name), "%s", words.name);
	snprintf(dir, sizeof(dir), CONFIG_DIR "/user_%s/%s", words.hba, words.name);
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0) {
		err = -errno;
		strbuf_printf(error, "%s: %s", dir, strerror(-err));
		return err;
	}
	for (unsigned int i = 0; i < NR_BACKSTORE_FILES; i++)
		backstore->fds[i] = -1;
	err = open_files(backstore, dirfd, error);
	if (!err)
		err = name_instance(backstore, dirfd, error);
	close(dirfd);
	if (err)
		backstore_close(backstore);
	return err;
}

void backstore_close(struct backstore *backstore)
{
	for (unsigned int i = 0; i < NR_BACKSTORE_FILES; i++)
		if (backstore->fds[i] >= 0)
			close(backstore->fds[i]);
}

static void file_path(const struct backstore *backstore, enum backstore_file file, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", backstore->fds[file]);
}

static bool read_attribute(const struct backstore *backstore, enum backstore_file file, char *text,
			   size_t size)
{
	char path[32];

	if (backstore->fds[file] < 0)
		return false;
	file_path(backstore, file, path);
	return read_line(path, text, size) == 0;
}

static bool read_number(const struct backstore *backstore, enum backstore_file file,
			uint64_t *number)
{
	char text[32];
	char *end;

	if (!read_attribute(backstore, file, text, sizeof(text)))
		return false;
	*number = strtoull(text, &end, 10);
	return end != text && !*end;
}

static int write_attribute(const struct backstore *backstore, enum backstore_file file,
			   const char *text)
{
	char path[32];
	int err = 0;
	int fd;

	if (backstore->fds[file] < 0)
		return -ENOENT;
	file_path(backstore, file, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static void read_serial(const struct backstore *backstore, struct mpath_backstore *attributes)
{
	char text[256];
	const char *serial;

	/* "T10 VPD Unit Serial Number: 0123abcd" */
	if (!read_attribute(backstore, BACKSTORE_SERIAL, text, sizeof(text)))
		return;
	serial = strchr(text, ':');
	if (!serial)
		return;
	serial += 1 + strspn(serial + 1, " ");
	snprintf(attributes->serial, sizeof(attributes->serial), "%.*s",
		 (int)sizeof(attributes->serial) - 1, serial);
}

bool backstore_read(const struct backstore *backstore, struct mpath_backstore *attributes)
{
	uint64_t seconds, block_size, size;

	if (!read_number(backstore, BACKSTORE_CMD_TIME_OUT, &seconds) ||
	    !read_number(backstore, BACKSTORE_BLOCK_SIZE, &block_size) ||
	    !read_number(backstore, BACKSTORE_SIZE, &size))
		return false;

	*attributes = (struct mpath_backstore){
		.cmd_time_out_ms =
			seconds > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)seconds * 1000,
		.block_size = (uint32_t)block_size,
		.size = size,
	};
	snprintf(attributes->name, sizeof(attributes->name), "%.*s",
		 (int)sizeof(attributes->name) - 1, backstore->name);
	read_serial(backstore, attributes);
	return true;
}

int backstore_set_size(const struct backstore *backstore, uint64_t size)
{
	char text[48];

	snprintf(text, sizeof(text), "dev_size=%ju", (uintmax_t)size);
	return write_attribute(backstore, BACKSTORE_CONTROL, text);
}

int backstore_want_tmr(const struct backstore *backstore)
{
	uint64_t on;

	/* A restore of an old configuration may have switched it off again. */
	if (read_number(backstore, BACKSTORE_TMR_NOTIFICATION, &on) && on)
		return 0;
	return write_attribute(backstore, BACKSTORE_TMR_NOTIFICATION, "1");
}
