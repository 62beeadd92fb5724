/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of a map, as a file: see state_text.c for what stands in it.
 */
#include "runtime/state.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_DIR "/var/lib/tcmu-mpath"

static const char *state_dir = STATE_DIR;

void state_set_dir(const char *dir)
{
	state_dir = dir;
}

static bool state_name_ok(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < 200;
}

static char *state_path(const char *name, const char *suffix)
{
	return g_strdup_printf("%s/%s%s", state_dir, name, suffix);
}

/* More than a file may have is read as one byte more, and not believed.  The length or -errno. */
static int state_read_all(int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, KEPT_TEXT_MAX + 1 - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	} while (n > 0);
	text[len] = '\0';
	return (int)len;
}

static int state_read(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int len;

	if (fd < 0)
		return -errno;
	len = state_read_all(fd, text);
	close(fd);
	return len;
}

int state_load(const char *name, struct kept *kept, struct strbuf *error)
{
	char *path, *text;
	int len;

	if (!state_name_ok(name)) {
		strbuf_printf(error, "\"%s\" cannot be a file name", name);
		return -EINVAL;
	}
	path = state_path(name, "");
	text = g_try_malloc(KEPT_TEXT_MAX + 2);
	len = text ? state_read(path, text) : -ENOMEM;
	if (len < 0)
		strbuf_printf(error, "%s: %s", path, strerror(-len));
	else
		len = state_from_text(text, (size_t)len, kept, error);
	g_free(text);
	g_free(path);
	return len;
}

static int state_write(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

static int state_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = state_write(fd, text);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

/* A rename or an unlink is only safe on disk when its directory is. */
static int state_sync_dir(void)
{
	int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

int state_save(const char *name, const struct kept *kept)
{
	char *path, *tmp, *text;
	int err;

	if (!state_name_ok(name))
		return -EINVAL;
	if (g_mkdir_with_parents(state_dir, 0700))
		return -errno;
	path = state_path(name, "");
	tmp = state_path(name, ".tmp~");
	text = state_to_text(kept);
	err = state_write_file(tmp, text);
	if (!err && rename(tmp, path))
		err = -errno;
	if (!err)
		err = state_sync_dir();
	g_free(text);
	g_free(tmp);
	g_free(path);
	return err;
}
