/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the file of what a map remembers of its LUN, with a wrong checksum or with the right
 * one: it is refused, or taken; what was taken is what comes back after it was saved.  And any
 * facts: either they come back as they were, or not at all.
 *
 * fuzz builds: runtime/state.c
 * fuzz needs: glib-2.0
 */
#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];
static char file[80];

/* In memory where there is such a place: state_save() syncs. */
static void make_dir(void)
{
	const char *where = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	snprintf(dir, sizeof(dir), "%s/fuzz-state.XXXXXX", where);
	assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/m", dir);
	state_set_dir(dir);
}

static void remove_dir(void)
{
	unlink(file);
	rmdir(dir);
}

static int load(const char *name, struct lun_facts *lun)
{
	char text[200];
	struct strbuf error;
	int err;

	strbuf_init(&error, text, sizeof(text));
	memset(lun, 0, sizeof(*lun));
	err = state_load(name, lun, &error);
	assert(err == 0 || err == -EINVAL || err == -ENOENT || err == -EIO);
	assert(err ? error.len > 0 : !error.len);
	return err;
}

static void check_lun(const struct lun_facts *lun)
{
	assert(lun->known && lun->wwid[0] && memchr(lun->wwid, '\0', sizeof(lun->wwid)));
	assert(lun->inquiry_len <= sizeof(lun->inquiry));
	assert(lun->nr_vpd_pages <= sizeof(lun->vpd_pages));
	assert(lun->limits.len <= LUN_VPD_MAX && lun->features.len <= LUN_VPD_MAX);
	assert(lun->thin.len <= LUN_VPD_MAX);
}

static bool pages_are_same(const struct lun_page *a, const struct lun_page *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static void check_same(const struct lun_facts *a, const struct lun_facts *b)
{
	assert(!strcmp(a->wwid, b->wwid));
	assert(a->nr_blocks == b->nr_blocks && a->block_size == b->block_size);
	assert(a->inquiry_len == b->inquiry_len && !memcmp(a->inquiry, b->inquiry, a->inquiry_len));
	assert(!memcmp(a->capacity, b->capacity, sizeof(a->capacity)));
	assert(a->nr_vpd_pages == b->nr_vpd_pages &&
	       !memcmp(a->vpd_pages, b->vpd_pages, a->nr_vpd_pages));
	assert(pages_are_same(&a->limits, &b->limits));
	assert(pages_are_same(&a->features, &b->features));
	assert(pages_are_same(&a->thin, &b->thin));
}

static void check_saved(const struct lun_facts *lun)
{
	struct lun_facts again;

	assert(!state_save("m", lun));
	assert(!load("m", &again));
	check_lun(&again);
	check_same(lun, &again);
}

/* The bytes as a file; with @seal the checksum is made to fit. */
static void check_text(const uint8_t *data, size_t size, bool seal)
{
	GString *text = g_string_new_len((const char *)data, (gssize)size);
	struct lun_facts lun;
	char *sum;
	FILE *f;

	if (seal) {
		if (!size || data[size - 1] != '\n')
			g_string_append_c(text, '\n');
		sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *)text->str,
						  text->len);
		g_string_append_printf(text, "sha256=%s\n", sum);
		g_free(sum);
	}
	f = fopen(file, "w");
	assert(f && fwrite(text->str, 1, text->len, f) == text->len);
	assert(!fclose(f));
	g_string_free(text, TRUE);
	if (!load("m", &lun)) {
		assert(seal || size > 64);
		check_lun(&lun);
		check_saved(&lun);
	}
}

static void check_facts(const uint8_t *data, size_t size)
{
	struct lun_facts lun;

	if (size < sizeof(lun))
		return;
	memcpy(&lun, data, sizeof(lun));
	lun.known = true;
	lun.wwid[sizeof(lun.wwid) - 1] = '\0';
	/* A WWID is printable (unit/fuzz-vpd), and there is one. */
	if (!lun.wwid[0])
		lun.wwid[0] = '3';
	for (char *c = lun.wwid; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '_';
	lun.inquiry_len %= LUN_INQUIRY_MAX + 1;
	lun.nr_vpd_pages %= sizeof(lun.vpd_pages) + 1;
	lun.limits.len %= LUN_VPD_MAX + 1;
	lun.features.len %= LUN_VPD_MAX + 1;
	lun.thin.len %= LUN_VPD_MAX + 1;
	check_saved(&lun);
}

/* A name is never a way out of the directory. */
static void check_name(const uint8_t *data, size_t size)
{
	char *name = g_strndup((const char *)data, size);
	struct lun_facts lun;
	int err = load(name, &lun);

	assert(err);
	if (strchr(name, '/') || name[0] == '.' || !name[0])
		assert(err == -EIO);
	g_free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!dir[0]) {
		make_dir();
		atexit(remove_dir);
	}
	if (!size)
		return 0;
	switch (data[0]) {
	case 'r':
		check_text(data + 1, size - 1, false);
		break;
	case 'f':
		check_facts(data + 1, size - 1);
		break;
	case 'n':
		unlink(file);
		check_name(data + 1, size - 1);
		break;
	default:
		check_text(data + 1, size - 1, true);
		break;
	}
	return 0;
}
