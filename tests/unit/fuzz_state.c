/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the file of what is kept of a map, with a wrong checksum or with the right one: it
 * is refused, or taken; what was taken is what comes back after it was saved.  And any facts: they
 * come back as they were.
 *
 * fuzz parses: runtime/state_text.c runtime/state.c
 * fuzz runs: 2000
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

static int load(const char *name, struct kept *kept)
{
	char text[200];
	struct strbuf error;
	int err;

	strbuf_init(&error, text, sizeof(text));
	memset(kept, 0, sizeof(*kept));
	err = state_load(name, kept, &error);
	assert(err == 0 || err == -EINVAL || err == -ENOENT);
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
	assert(lun->serial.len <= LUN_NAMES_MAX && lun->designators.len <= LUN_NAMES_MAX);
}

static bool names_are_same(const struct lun_names *a, const struct lun_names *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static bool pages_are_same(const struct lun_page *a, const struct lun_page *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

static void check_same(const struct lun_facts *a, const struct lun_facts *b)
{
	assert(!strcmp(a->wwid, b->wwid));
	assert(!strcmp(a->local_name, b->local_name));
	assert(a->nr_blocks == b->nr_blocks && a->block_size == b->block_size);
	assert(a->inquiry_len == b->inquiry_len && !memcmp(a->inquiry, b->inquiry, a->inquiry_len));
	assert(!memcmp(a->capacity, b->capacity, sizeof(a->capacity)));
	assert(a->nr_vpd_pages == b->nr_vpd_pages &&
	       !memcmp(a->vpd_pages, b->vpd_pages, a->nr_vpd_pages));
	assert(pages_are_same(&a->limits, &b->limits));
	assert(pages_are_same(&a->features, &b->features));
	assert(pages_are_same(&a->thin, &b->thin));
	assert(names_are_same(&a->serial, &b->serial));
	assert(names_are_same(&a->designators, &b->designators));
}

static void check_kept(const struct kept *kept)
{
	assert(kept->memory.queueing <= MEMORY_QUEUEING_OFF);
	assert(kept->memory.nr_failed <= MEMORY_PATHS_MAX);
	assert(kept->memory.nr_disabled <= MEMORY_GROUPS_MAX);
	assert(kept->memory.nr_disks <= MEMORY_DISKS_MAX);
	assert(memchr(kept->backstore, '\0', sizeof(kept->backstore)));
	if (kept->lun.known)
		check_lun(&kept->lun);
}

static void check_saved(const struct kept *kept)
{
	struct kept again;

	assert(!state_save("m", kept));
	assert(!load("m", &again));
	check_kept(&again);
	assert(kept->lun.known == again.lun.known);
	if (kept->lun.known)
		check_same(&kept->lun, &again.lun);
	assert(!strcmp(kept->backstore, again.backstore));
	assert(kept->memory.queueing == again.memory.queueing);
	assert(kept->memory.current_group == again.memory.current_group);
	assert(kept->memory.fence_end_ns == again.memory.fence_end_ns);
	assert(kept->memory.slow_end_ns == again.memory.slow_end_ns);
	assert(kept->memory.nr_failed == again.memory.nr_failed &&
	       !memcmp(kept->memory.failed, again.memory.failed,
		       kept->memory.nr_failed * sizeof(kept->memory.failed[0])));
	assert(kept->memory.nr_disabled == again.memory.nr_disabled &&
	       !memcmp(kept->memory.disabled, again.memory.disabled,
		       kept->memory.nr_disabled * sizeof(kept->memory.disabled[0])));
	assert(kept->memory.nr_news == again.memory.nr_news &&
	       !memcmp(kept->memory.news, again.memory.news, sizeof(kept->memory.news)));
	assert(kept->memory.array_reserves == again.memory.array_reserves);
	assert(kept->memory.former_blocks == again.memory.former_blocks);
	assert(kept->memory.suspended == again.memory.suspended);
	assert(kept->memory.transit_ms == again.memory.transit_ms);
	assert(kept->memory.timeout_ms == again.memory.timeout_ms);
	assert(kept->memory.nr_disks == again.memory.nr_disks &&
	       !memcmp(kept->memory.disks, again.memory.disks,
		       kept->memory.nr_disks * sizeof(kept->memory.disks[0])));
}

/* The bytes as a file; with @seal the checksum is made to fit. */
static void check_text(const uint8_t *data, size_t size, bool seal)
{
	GString *text = g_string_new_len((const char *)data, (gssize)size);
	struct kept kept;
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
	if (!load("m", &kept)) {
		assert(seal || size > 64);
		check_kept(&kept);
		check_saved(&kept);
	}
}

/* Text is printable (unit/fuzz-vpd). */
static void make_printable(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '_';
}

static void check_facts(const uint8_t *data, size_t size)
{
	struct kept kept = {0};
	struct lun_facts *lun = &kept.lun;

	/* What comes first is fuzzed first: the small numbers. */
	if (size < 4)
		return;
	lun->known = data[0] & 1;
	kept.memory.array_reserves = data[0] & 2;
	kept.memory.suspended = data[0] & 4;
	kept.memory.former_blocks = kept.memory.array_reserves ? data[0] : 0;
	kept.memory.nr_news = data[0] % 2 * (data[3] % (MEMORY_NEWS_MAX + 1));
	kept.memory.queueing = data[1] % (MEMORY_QUEUEING_OFF + 1);
	kept.memory.nr_failed = data[2] * 2u % (MEMORY_PATHS_MAX + 1);
	kept.memory.nr_disabled = data[3] % (MEMORY_GROUPS_MAX + 1);
	data += 4;
	size -= 4;
	memcpy(kept.backstore, data, size < 16 ? size : 16);
	memcpy(kept.memory.failed, data,
	       size < sizeof(kept.memory.failed) ? size : sizeof(kept.memory.failed));
	kept.memory.current_group = kept.memory.failed[0];
	kept.memory.disabled[0] = ~kept.memory.failed[0];
	kept.memory.fence_end_ns = kept.memory.failed[1];
	kept.memory.transit_ms = (uint32_t)kept.memory.failed[2];
	kept.memory.timeout_ms = (uint32_t)kept.memory.failed[1];
	kept.memory.nr_disks = kept.memory.nr_failed % (MEMORY_DISKS_MAX + 1);
	memcpy(kept.memory.disks, kept.memory.failed, sizeof(kept.memory.disks));
	kept.memory.slow_end_ns = kept.memory.failed[0];
	for (unsigned int i = 0; i < kept.memory.nr_news; i++) {
		kept.memory.news[i].len = (uint8_t)(kept.memory.failed[i] % (SCSI_SENSE_MAX + 1));
		memcpy(kept.memory.news[i].sense, kept.memory.failed, kept.memory.news[i].len);
	}
	make_printable(kept.backstore, sizeof(kept.backstore));
	if (lun->known) {
		memcpy((char *)lun + 1, data, size < sizeof(*lun) - 1 ? size : sizeof(*lun) - 1);
		if (!lun->wwid[0])
			lun->wwid[0] = '3';
		make_printable(lun->wwid, sizeof(lun->wwid));
		make_printable(lun->local_name, sizeof(lun->local_name));
		lun->inquiry_len %= LUN_INQUIRY_MAX + 1;
		lun->nr_vpd_pages %= sizeof(lun->vpd_pages) + 1;
		lun->limits.len %= LUN_VPD_MAX + 1;
		lun->features.len %= LUN_VPD_MAX + 1;
		lun->thin.len %= LUN_VPD_MAX + 1;
		lun->serial.len %= LUN_NAMES_MAX + 1;
		lun->designators.len %= LUN_NAMES_MAX + 1;
	}
	check_saved(&kept);
}

/* A name is never a way out of the directory. */
static void check_name(const uint8_t *data, size_t size)
{
	char *name = g_strndup((const char *)data, size);
	struct kept kept;
	int err = load(name, &kept);

	assert(err);
	if (strchr(name, '/') || name[0] == '.' || !name[0])
		assert(err == -EINVAL);
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
