/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a map remembers of its LUN, as a key file:
 *
 *   [lun]
 *   wwid=36001405b922ff67a...
 *   nr_blocks=131072
 *   ...
 *   sha256=...
 *
 * The last line is the checksum of everything before it.  A file that is torn, or was edited, is
 * not believed: the map then pins the LUN anew, as if it had never seen one.
 */
#include "runtime/state.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_DIR      "/var/lib/tcmu-mpath"
#define STATE_GROUP    "lun"
#define STATE_CHECKSUM "sha256="
#define STATE_SIZE_MAX 65536

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

/* --- bytes as hexadecimal text --- */

static void state_set_bytes(GKeyFile *file, const char *key, const uint8_t *data, size_t len)
{
	GString *hex = g_string_sized_new(2 * len + 1);
	size_t i;

	for (i = 0; i < len; i++)
		g_string_append_printf(hex, "%02x", data[i]);
	g_key_file_set_string(file, STATE_GROUP, key, hex->str);
	g_string_free(hex, TRUE);
}

/* The number of bytes, or -1: missing, not hexadecimal, or longer than @max. */
static int state_get_bytes(GKeyFile *file, const char *key, uint8_t *data, size_t max)
{
	char *hex = g_key_file_get_string(file, STATE_GROUP, key, NULL);
	size_t len = hex ? strlen(hex) : 1;
	int result = -1;
	size_t i;

	if (len % 2 || len / 2 > max)
		goto out;
	for (i = 0; i < len / 2; i++) {
		int high = g_ascii_xdigit_value(hex[2 * i]);
		int low = g_ascii_xdigit_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			goto out;
		data[i] = (uint8_t)(high << 4 | low);
	}
	result = (int)(len / 2);
out:
	g_free(hex);
	return result;
}

static bool state_get_page(GKeyFile *file, const char *key, struct lun_page *page)
{
	int len = state_get_bytes(file, key, page->data, sizeof(page->data));

	page->len = (uint8_t)(len > 0 ? len : 0);
	return len >= 0;
}

static bool state_get_number(GKeyFile *file, const char *key, uint64_t max, uint64_t *number)
{
	GError *error = NULL;

	*number = g_key_file_get_uint64(file, STATE_GROUP, key, &error);
	if (!error)
		return *number <= max;
	g_error_free(error);
	return false;
}

/* --- the file's text --- */

static char *state_to_text(const struct lun_facts *lun)
{
	GKeyFile *file = g_key_file_new();
	char *body, *text, *sum;

	g_key_file_set_string(file, STATE_GROUP, "wwid", lun->wwid);
	g_key_file_set_uint64(file, STATE_GROUP, "nr_blocks", lun->nr_blocks);
	g_key_file_set_uint64(file, STATE_GROUP, "block_size", lun->block_size);
	state_set_bytes(file, "inquiry", lun->inquiry, lun->inquiry_len);
	state_set_bytes(file, "capacity", lun->capacity, sizeof(lun->capacity));
	state_set_bytes(file, "vpd_pages", lun->vpd_pages, lun->nr_vpd_pages);
	state_set_bytes(file, "limits", lun->limits.data, lun->limits.len);
	state_set_bytes(file, "features", lun->features.data, lun->features.len);
	state_set_bytes(file, "thin", lun->thin.data, lun->thin.len);

	body = g_key_file_to_data(file, NULL, NULL);
	sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, body, -1);
	text = g_strdup_printf("%s" STATE_CHECKSUM "%s\n", body, sum);
	g_free(sum);
	g_free(body);
	g_key_file_free(file);
	return text;
}

static bool state_checksum_ok(const char *text, size_t len)
{
	char *line = g_strrstr_len(text, (gssize)len, "\n" STATE_CHECKSUM);
	char *sum, *want;
	bool ok;

	if (!line)
		return false;
	line++;
	sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text,
					  (gsize)(line - text));
	want = g_strdup_printf(STATE_CHECKSUM "%s\n", sum);
	ok = strlen(line) == strlen(want) && strcmp(line, want) == 0;
	g_free(want);
	g_free(sum);
	return ok;
}

static bool state_get_lun(GKeyFile *file, struct lun_facts *lun)
{
	char *wwid = g_key_file_get_string(file, STATE_GROUP, "wwid", NULL);
	int inquiry_len, nr_pages;
	uint64_t block_size;
	bool ok;

	ok = wwid && wwid[0] && strlen(wwid) < sizeof(lun->wwid);
	if (ok)
		snprintf(lun->wwid, sizeof(lun->wwid), "%s", wwid);
	g_free(wwid);
	inquiry_len = state_get_bytes(file, "inquiry", lun->inquiry, sizeof(lun->inquiry));
	nr_pages = state_get_bytes(file, "vpd_pages", lun->vpd_pages, sizeof(lun->vpd_pages));
	if (!ok || inquiry_len < 0 || nr_pages < 0 ||
	    !state_get_number(file, "nr_blocks", UINT64_MAX, &lun->nr_blocks) ||
	    !state_get_number(file, "block_size", UINT32_MAX, &block_size) ||
	    state_get_bytes(file, "capacity", lun->capacity, sizeof(lun->capacity)) !=
		    sizeof(lun->capacity) ||
	    !state_get_page(file, "limits", &lun->limits) ||
	    !state_get_page(file, "features", &lun->features) ||
	    !state_get_page(file, "thin", &lun->thin))
		return false;
	lun->block_size = (uint32_t)block_size;
	lun->inquiry_len = (uint8_t)inquiry_len;
	lun->nr_vpd_pages = (uint8_t)nr_pages;
	lun->known = true;
	return true;
}

static int state_from_text(const char *text, size_t len, struct lun_facts *lun,
			   struct strbuf *error)
{
	GKeyFile *file;
	int err = -EINVAL;

	if (len > STATE_SIZE_MAX || strlen(text) != len || !state_checksum_ok(text, len)) {
		strbuf_printf(error, "its checksum is wrong");
		return -EINVAL;
	}
	file = g_key_file_new();
	*lun = (struct lun_facts){0};
	if (g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, NULL) &&
	    state_get_lun(file, lun))
		err = 0;
	else
		strbuf_printf(error, "a value is missing or not understood");
	g_key_file_free(file);
	return err;
}

/* --- the file --- */

static int state_read(const char *path, char **text, size_t *len, struct strbuf *error)
{
	GError *gerror = NULL;
	int err;

	if (g_file_get_contents(path, text, len, &gerror))
		return 0;
	err = g_error_matches(gerror, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? -ENOENT : -EIO;
	strbuf_printf(error, "%s", gerror->message);
	g_error_free(gerror);
	return err;
}

int state_load(const char *name, struct lun_facts *lun, struct strbuf *error)
{
	char *path, *text;
	size_t len;
	int err;

	if (!state_name_ok(name)) {
		strbuf_printf(error, "\"%s\" cannot be a file name", name);
		return -EIO;
	}
	path = state_path(name, "");
	err = state_read(path, &text, &len, error);
	if (!err) {
		err = state_from_text(text, len, lun, error);
		g_free(text);
	}
	g_free(path);
	return err;
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

int state_save(const char *name, const struct lun_facts *lun)
{
	char *path, *tmp, *text;
	int err;

	if (!state_name_ok(name))
		return -EINVAL;
	if (g_mkdir_with_parents(state_dir, 0700))
		return -errno;
	path = state_path(name, "");
	tmp = state_path(name, ".tmp~");
	text = state_to_text(lun);
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

int state_forget(const char *name)
{
	char *path;
	int err = 0;

	if (!state_name_ok(name))
		return -EINVAL;
	path = state_path(name, "");
	if (unlink(path))
		err = errno == ENOENT ? 0 : -errno;
	else
		err = state_sync_dir();
	g_free(path);
	return err;
}
