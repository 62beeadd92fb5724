/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of a map, as the text of a key file:
 *
 *   [state]
 *   version=1
 *   [lun]
 *   wwid=36001405b922ff67a...
 *   nr_blocks=131072
 *   ...
 *   [set]
 *   backstore=...
 *   queueing=off
 *   suspended=1
 *   failed_paths=...
 *   fence_end_ns=0
 *   slow_end_ns=0
 *   used_disks=...
 *   used_transit_ms=0
 *   used_timeout_ms=0
 *   array_reserves=0
 *   former_blocks=131072
 *   news_1=...
 *   ...
 *   sha256=...
 *
 * The last line is the checksum of everything before it.  A file that is torn, was edited or is of
 * another version is not believed: the map then pins the LUN anew, as if it had never seen one.
 * Where writes may still land it does not depend on this file alone: see tally.h.
 * [lun] is missing while no LUN was seen; suspended, if it is not; former_blocks, if none was
 * forgotten since the last one was; news_1 and the like while there is nothing to be told;
 * fence_end_ns, slow_end_ns, used_disks, used_transit_ms, used_timeout_ms and array_reserves in
 * files of earlier versions; the array's names (serial, designators) without identity=array;
 * local_name where the LUN has none.
 * Bytes, hashes and the numbers of disks are hexadecimal.
 */
#include "runtime/state_text.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define VERSION	      1
#define GROUP_STATE   "state"
#define GROUP_LUN     "lun"
#define GROUP_SET     "set"
#define LINE_CHECKSUM "sha256="

/* The order of enum memory_queueing. */
static const char *const queueing_words[] = {"table", "on", "off"};

/* --- bytes as hexadecimal text --- */

static void state_set_bytes(GKeyFile *file, const char *group, const char *key, const uint8_t *data,
			    size_t len)
{
	GString *hex = g_string_sized_new(2 * len + 1);
	size_t i;

	for (i = 0; i < len; i++)
		g_string_append_printf(hex, "%02x", data[i]);
	g_key_file_set_string(file, group, key, hex->str);
	g_string_free(hex, TRUE);
}

/* The number of bytes, or -1: missing, not hexadecimal, or longer than @max. */
static int state_get_bytes(GKeyFile *file, const char *group, const char *key, uint8_t *data,
			   size_t max)
{
	char *hex = g_key_file_get_string(file, group, key, NULL);
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
	int len = state_get_bytes(file, GROUP_LUN, key, page->data, sizeof(page->data));

	page->len = (uint8_t)(len > 0 ? len : 0);
	return len >= 0;
}

/* What came into the file later, or what not every map has, may be missing. */
static bool state_has(GKeyFile *file, const char *group, const char *key)
{
	return g_key_file_has_key(file, group, key, NULL);
}

/* Only a map with identity=array has them. */
static void state_set_names(GKeyFile *file, const char *key, const struct lun_names *names)
{
	if (names->len > 0)
		state_set_bytes(file, GROUP_LUN, key, names->data, names->len);
}

static bool state_get_names(GKeyFile *file, const char *key, struct lun_names *names)
{
	int len;

	if (!state_has(file, GROUP_LUN, key))
		return true;
	len = state_get_bytes(file, GROUP_LUN, key, names->data, sizeof(names->data));
	names->len = (uint8_t)(len > 0 ? len : 0);
	return len >= 0;
}

static bool state_get_number(GKeyFile *file, const char *group, const char *key, uint64_t max,
			     uint64_t *number)
{
	GError *error = NULL;

	*number = g_key_file_get_uint64(file, group, key, &error);
	if (!error)
		return *number <= max;
	g_error_free(error);
	return false;
}

/* --- the LUN --- */

static void state_set_lun(GKeyFile *file, const struct lun_facts *lun)
{
	g_key_file_set_string(file, GROUP_LUN, "wwid", lun->wwid);
	if (lun->local_name[0])
		g_key_file_set_string(file, GROUP_LUN, "local_name", lun->local_name);
	g_key_file_set_uint64(file, GROUP_LUN, "nr_blocks", lun->nr_blocks);
	g_key_file_set_uint64(file, GROUP_LUN, "block_size", lun->block_size);
	state_set_bytes(file, GROUP_LUN, "inquiry", lun->inquiry, lun->inquiry_len);
	state_set_bytes(file, GROUP_LUN, "capacity", lun->capacity, sizeof(lun->capacity));
	state_set_bytes(file, GROUP_LUN, "vpd_pages", lun->vpd_pages, lun->nr_vpd_pages);
	state_set_bytes(file, GROUP_LUN, "limits", lun->limits.data, lun->limits.len);
	state_set_bytes(file, GROUP_LUN, "features", lun->features.data, lun->features.len);
	state_set_bytes(file, GROUP_LUN, "thin", lun->thin.data, lun->thin.len);
	state_set_names(file, "serial", &lun->serial);
	state_set_names(file, "designators", &lun->designators);
}

static bool state_get_name(GKeyFile *file, const char *key, char *name, size_t size)
{
	char *text = g_key_file_get_string(file, GROUP_LUN, key, NULL);
	bool ok = text && text[0] && strlen(text) < size;

	if (ok)
		snprintf(name, size, "%s", text);
	g_free(text);
	return ok;
}

static bool state_get_lun(GKeyFile *file, struct lun_facts *lun)
{
	int inquiry_len, nr_pages;
	uint64_t block_size;
	bool ok;

	ok = state_get_name(file, "wwid", lun->wwid, sizeof(lun->wwid));
	if (ok && state_has(file, GROUP_LUN, "local_name"))
		ok = state_get_name(file, "local_name", lun->local_name, sizeof(lun->local_name));
	inquiry_len =
		state_get_bytes(file, GROUP_LUN, "inquiry", lun->inquiry, sizeof(lun->inquiry));
	nr_pages = state_get_bytes(file, GROUP_LUN, "vpd_pages", lun->vpd_pages,
				   sizeof(lun->vpd_pages));
	if (!ok || inquiry_len < 0 || nr_pages < 0 ||
	    !state_get_number(file, GROUP_LUN, "nr_blocks", UINT64_MAX, &lun->nr_blocks) ||
	    !state_get_number(file, GROUP_LUN, "block_size", UINT32_MAX, &block_size) ||
	    state_get_bytes(file, GROUP_LUN, "capacity", lun->capacity, sizeof(lun->capacity)) !=
		    sizeof(lun->capacity) ||
	    !state_get_page(file, "limits", &lun->limits) ||
	    !state_get_page(file, "features", &lun->features) ||
	    !state_get_page(file, "thin", &lun->thin) ||
	    !state_get_names(file, "serial", &lun->serial) ||
	    !state_get_names(file, "designators", &lun->designators))
		return false;
	lun->block_size = (uint32_t)block_size;
	lun->inquiry_len = (uint8_t)inquiry_len;
	lun->nr_vpd_pages = (uint8_t)nr_pages;
	lun->known = true;
	return true;
}

/* --- what messages have set --- */

static void state_set_hashes(GKeyFile *file, const char *key, const uint64_t *hashes,
			     unsigned int nr)
{
	GString *text = g_string_sized_new(17 * (gsize)nr + 1);
	unsigned int i;

	for (i = 0; i < nr; i++)
		g_string_append_printf(text, "%s%016" G_GINT64_MODIFIER "x", i ? " " : "",
				       hashes[i]);
	g_key_file_set_string(file, GROUP_SET, key, text->str);
	g_string_free(text, TRUE);
}

static bool parse_hash(const char *word, uint64_t *hash)
{
	char *end;

	if (strlen(word) != 16 || !g_ascii_isxdigit(word[0]))
		return false;
	*hash = g_ascii_strtoull(word, &end, 16);
	return *end == '\0';
}

static bool state_get_hashes(GKeyFile *file, const char *key, uint64_t *hashes, unsigned int max,
			     unsigned int *nr)
{
	char *text = g_key_file_get_string(file, GROUP_SET, key, NULL);
	char **words = g_strsplit(text ? text : "", " ", -1);
	bool ok = text != NULL;

	for (*nr = 0; ok && words[*nr]; (*nr)++)
		ok = *nr < max && parse_hash(words[*nr], &hashes[*nr]);
	g_strfreev(words);
	g_free(text);
	return ok;
}

/* One key for each: a map that keeps none has none of them. */
static const char *const news_keys[MEMORY_NEWS_MAX] = {"news_1", "news_2", "news_3",
						       "news_4", "news_5", "news_6"};

static void state_set_news(GKeyFile *file, const struct mpath_memory *memory)
{
	unsigned int i;

	for (i = 0; i < memory->nr_news; i++)
		state_set_bytes(file, GROUP_SET, news_keys[i], memory->news[i].sense,
				memory->news[i].len);
}

static bool state_get_news(GKeyFile *file, struct mpath_memory *memory)
{
	unsigned int i;
	int len;

	for (i = 0; i < MEMORY_NEWS_MAX && state_has(file, GROUP_SET, news_keys[i]); i++) {
		len = state_get_bytes(file, GROUP_SET, news_keys[i], memory->news[i].sense,
				      SCSI_SENSE_MAX);
		if (len < 0)
			return false;
		memory->news[i].len = (uint8_t)len;
	}
	memory->nr_news = i;
	return true;
}

static void state_set_memory(GKeyFile *file, const struct kept *kept)
{
	const struct mpath_memory *memory = &kept->memory;

	g_key_file_set_string(file, GROUP_SET, "backstore", kept->backstore);
	g_key_file_set_string(file, GROUP_SET, "queueing", queueing_words[memory->queueing]);
	if (memory->suspended)
		g_key_file_set_uint64(file, GROUP_SET, "suspended", 1);
	state_set_hashes(file, "current_group", &memory->current_group, 1);
	state_set_hashes(file, "failed_paths", memory->failed, memory->nr_failed);
	state_set_hashes(file, "disabled_groups", memory->disabled, memory->nr_disabled);
	g_key_file_set_uint64(file, GROUP_SET, "fence_end_ns", memory->fence_end_ns);
	g_key_file_set_uint64(file, GROUP_SET, "slow_end_ns", memory->slow_end_ns);
	state_set_hashes(file, "used_disks", memory->disks, memory->nr_disks);
	g_key_file_set_uint64(file, GROUP_SET, "used_transit_ms", memory->transit_ms);
	g_key_file_set_uint64(file, GROUP_SET, "used_timeout_ms", memory->timeout_ms);
	g_key_file_set_uint64(file, GROUP_SET, "array_reserves", memory->array_reserves);
	if (memory->former_blocks)
		g_key_file_set_uint64(file, GROUP_SET, "former_blocks", memory->former_blocks);
	state_set_news(file, memory);
}

static bool state_get_word(GKeyFile *file, const char *key, char *word, size_t size)
{
	char *text = g_key_file_get_string(file, GROUP_SET, key, NULL);
	bool ok = text && strlen(text) < size;

	if (ok)
		strcpy(word, text);
	g_free(text);
	return ok;
}

static bool state_get_queueing(GKeyFile *file, enum memory_queueing *queueing)
{
	char word[8];
	unsigned int i;

	if (!state_get_word(file, "queueing", word, sizeof(word)))
		return false;
	for (i = 0; i < G_N_ELEMENTS(queueing_words); i++) {
		if (strcmp(word, queueing_words[i]) == 0) {
			*queueing = (enum memory_queueing)i;
			return true;
		}
	}
	return false;
}

static bool state_get_later_number(GKeyFile *file, const char *key, uint64_t max, uint64_t *number)
{
	*number = 0;
	return !state_has(file, GROUP_SET, key) ||
	       state_get_number(file, GROUP_SET, key, max, number);
}

static bool state_get_disks(GKeyFile *file, struct mpath_memory *memory)
{
	uint64_t transit_ms, timeout_ms;
	bool ok = state_get_later_number(file, "used_transit_ms", UINT32_MAX, &transit_ms) &&
		  state_get_later_number(file, "used_timeout_ms", UINT32_MAX, &timeout_ms);

	memory->transit_ms = (uint32_t)(ok ? transit_ms : 0);
	memory->timeout_ms = (uint32_t)(ok ? timeout_ms : 0);
	return ok && (!state_has(file, GROUP_SET, "used_disks") ||
		      state_get_hashes(file, "used_disks", memory->disks, MEMORY_DISKS_MAX,
				       &memory->nr_disks));
}

static bool state_get_flag(GKeyFile *file, const char *key, bool *flag)
{
	uint64_t number;
	bool ok = state_get_later_number(file, key, 1, &number);

	*flag = ok && number;
	return ok;
}

static bool state_get_memory(GKeyFile *file, struct kept *kept)
{
	struct mpath_memory *memory = &kept->memory;
	unsigned int one;

	return state_get_word(file, "backstore", kept->backstore, sizeof(kept->backstore)) &&
	       state_get_queueing(file, &memory->queueing) &&
	       state_get_hashes(file, "current_group", &memory->current_group, 1, &one) &&
	       one == 1 &&
	       state_get_hashes(file, "failed_paths", memory->failed, MEMORY_PATHS_MAX,
				&memory->nr_failed) &&
	       state_get_hashes(file, "disabled_groups", memory->disabled, MEMORY_GROUPS_MAX,
				&memory->nr_disabled) &&
	       state_get_later_number(file, "fence_end_ns", UINT64_MAX, &memory->fence_end_ns) &&
	       state_get_later_number(file, "slow_end_ns", UINT64_MAX, &memory->slow_end_ns) &&
	       state_get_disks(file, memory) &&
	       state_get_flag(file, "array_reserves", &memory->array_reserves) &&
	       state_get_flag(file, "suspended", &memory->suspended) &&
	       state_get_later_number(file, "former_blocks", UINT64_MAX, &memory->former_blocks) &&
	       state_get_news(file, memory);
}

/* --- the whole --- */

char *state_to_text(const struct kept *kept)
{
	GKeyFile *file = g_key_file_new();
	char *body, *text, *sum;

	g_key_file_set_integer(file, GROUP_STATE, "version", VERSION);
	if (kept->lun.known)
		state_set_lun(file, &kept->lun);
	state_set_memory(file, kept);

	body = g_key_file_to_data(file, NULL, NULL);
	sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, body, -1);
	text = g_strdup_printf("%s" LINE_CHECKSUM "%s\n", body, sum);
	g_free(sum);
	g_free(body);
	g_key_file_free(file);
	return text;
}

static bool state_checksum_ok(const char *text, size_t len)
{
	char *line = g_strrstr_len(text, (gssize)len, "\n" LINE_CHECKSUM);
	char *sum, *want;
	bool ok;

	if (!line)
		return false;
	line++;
	sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text,
					  (gsize)(line - text));
	want = g_strdup_printf(LINE_CHECKSUM "%s\n", sum);
	ok = strlen(line) == strlen(want) && strcmp(line, want) == 0;
	g_free(want);
	g_free(sum);
	return ok;
}

static bool state_get(GKeyFile *file, struct kept *kept, struct strbuf *error)
{
	int version = g_key_file_get_integer(file, GROUP_STATE, "version", NULL);

	if (version != VERSION) {
		strbuf_printf(error, "its version is %d, expected %d", version, VERSION);
		return false;
	}
	*kept = (struct kept){0};
	if ((!g_key_file_has_group(file, GROUP_LUN) || state_get_lun(file, &kept->lun)) &&
	    state_get_memory(file, kept))
		return true;
	strbuf_printf(error, "a value is missing or not understood");
	return false;
}

int state_from_text(const char *text, size_t len, struct kept *kept, struct strbuf *error)
{
	GKeyFile *file;
	int err = -EINVAL;

	if (len > KEPT_TEXT_MAX || strlen(text) != len || !state_checksum_ok(text, len)) {
		strbuf_printf(error, "its checksum is wrong");
		return -EINVAL;
	}
	file = g_key_file_new();
	if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, NULL))
		strbuf_printf(error, "it is no key file");
	else if (state_get(file, kept, error))
		err = 0;
	g_key_file_free(file);
	return err;
}
