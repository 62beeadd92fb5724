/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which LUN is this?  A path is used only if it leads to the map's LUN, and the name of a LUN is
 * its WWID, spelt as "multipath -ll" and udev print it, so that it can be compared with theirs.
 *
 * The WWID comes from VPD page 83h, from the best designator that names the logical unit itself
 * (not the port or the target).  Vendor specific designators are not used: they are unique only
 * within a vendor's model, if at all.
 */
#include <scsi/sg_lib.h>
#include <string.h>

#include "mpath/scsi.h"

#include "scsi/big_endian.h"
#include "scsi/our_lun.h"
#include "scsi/vpd83.h"

#define DESIGNATOR_T10	0x1
#define DESIGNATOR_EUI	0x2
#define DESIGNATOR_NAA	0x3
#define DESIGNATOR_NAME 0x8

#define ASSOCIATION_LUN 0

/* How much a designator is worth; multipath-tools' order. */
enum designator_rank {
	RANK_USELESS,
	RANK_NAA_LOCAL,
	RANK_T10,
	RANK_NAME,
	RANK_EUI,
	RANK_NAA_EXTENDED,
	RANK_NAA_REGISTERED,
	RANK_NAA_REGISTERED_EXTENDED,
};

struct designator {
	uint8_t type;
	uint8_t len;
	const uint8_t *id;
};

static enum designator_rank rank_naa(const struct designator *d)
{
	if (d->len != 8 && d->len != 16)
		return RANK_USELESS;

	switch (d->id[0] >> 4) {
	case 2:
		return d->len == 8 ? RANK_NAA_EXTENDED : RANK_USELESS;
	case 3:
		return d->len == 8 ? RANK_NAA_LOCAL : RANK_USELESS;
	case 5:
		return d->len == 8 ? RANK_NAA_REGISTERED : RANK_USELESS;
	case 6:
		return d->len == 16 ? RANK_NAA_REGISTERED_EXTENDED : RANK_USELESS;
	}
	return RANK_USELESS;
}

static bool has_prefix(const struct designator *d, const char *prefix)
{
	return d->len > 4 && memcmp(d->id, prefix, 4) == 0 && d->id[4] != '\0';
}

/*
 * The vendor alone ("LIO-ORG", then nothing) is no name: every LUN of the array would have it.  A
 * NUL ends the text, see spell_t10().
 */
static enum designator_rank rank_t10(const struct designator *d)
{
	unsigned int i;

	for (i = 0; i < d->len && d->id[i] != '\0'; i++)
		if (i >= 8 && d->id[i] != ' ')
			return RANK_T10;
	return RANK_USELESS;
}

static enum designator_rank rank(const struct designator *d)
{
	switch (d->type) {
	case DESIGNATOR_NAA:
		return rank_naa(d);
	case DESIGNATOR_EUI:
		return d->len == 8 || d->len == 12 || d->len == 16 ? RANK_EUI : RANK_USELESS;
	case DESIGNATOR_NAME:
		if (has_prefix(d, "eui.") || has_prefix(d, "naa.") || has_prefix(d, "iqn."))
			return RANK_NAME;
		return RANK_USELESS;
	case DESIGNATOR_T10:
		return rank_t10(d);
	}
	return RANK_USELESS;
}

/* Not <ctype.h>'s: a LUN's name must not depend on the locale. */
static char printable(uint8_t c)
{
	return c > ' ' && c < 0x7f ? (char)c : '_';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void spell_hex(const struct designator *d, struct strbuf *out)
{
	unsigned int i;

	strbuf_printf(out, "%u", d->type);
	for (i = 0; i < d->len; i++)
		strbuf_printf(out, "%02x", d->id[i]);
}

/* The prefix becomes the digit that the binary form would have; hex digits are lower case. */
static void spell_name(const struct designator *d, struct strbuf *out)
{
	bool is_iqn = has_prefix(d, "iqn.");
	unsigned int i;

	strbuf_printf(out, "%c", is_iqn ? '8' : has_prefix(d, "eui.") ? '2' : '3');
	for (i = 4; i < d->len && d->id[i] != '\0'; i++) {
		char c = printable(d->id[i]);

		strbuf_printf(out, "%c", is_iqn ? c : lower(c));
	}
}

/* Each run of blanks becomes one "_", none at the end; a NUL ends the text. */
static void spell_t10(const struct designator *d, struct strbuf *out)
{
	bool gap = false;
	unsigned int i;

	strbuf_printf(out, "1");
	for (i = 0; i < d->len && d->id[i] != '\0'; i++) {
		if (d->id[i] == ' ') {
			gap = true;
			continue;
		}
		if (gap)
			strbuf_printf(out, "_");
		gap = false;
		strbuf_printf(out, "%c", printable(d->id[i]));
	}
}

static void spell(const struct designator *d, struct strbuf *out)
{
	switch (d->type) {
	case DESIGNATOR_NAA:
	case DESIGNATOR_EUI:
		spell_hex(d, out);
		return;
	case DESIGNATOR_NAME:
		spell_name(d, out);
		return;
	case DESIGNATOR_T10:
		spell_t10(d, out);
		return;
	}
}

/* The next designator of the logical unit, whole; NULL: none is left.  @off is -1 at first. */
static const uint8_t *next_designator(const uint8_t *page, size_t len, int *off)
{
	int page_len = vpd83_designators_len(page, len);
	const uint8_t *raw;

	if (page_len < 0 || sg_vpd_dev_id_iter(page + VPD83_HEADER_LEN, page_len, off,
					       ASSOCIATION_LUN, -1, -1) != 0)
		return NULL;
	raw = page + VPD83_HEADER_LEN + *off;
	/* Else it is cut off, or the target lied about its length. */
	return *off + 4 + raw[3] <= page_len ? raw : NULL;
}

static struct designator designator_at(const uint8_t *raw)
{
	return (struct designator){.type = raw[1] & 0x0f, .len = raw[3], .id = raw + 4};
}

bool scsi_wwid_from_vpd83(const uint8_t *page, size_t len, char wwid[WWID_MAX])
{
	enum designator_rank best_rank = RANK_USELESS;
	struct designator best = {0};
	const uint8_t *raw;
	struct strbuf out;
	int off = -1;

	strbuf_init(&out, wwid, WWID_MAX);
	while ((raw = next_designator(page, len, &off))) {
		struct designator d = designator_at(raw);

		if (rank(&d) > best_rank) {
			best_rank = rank(&d);
			best = d;
		}
	}
	if (best_rank == RANK_USELESS)
		return false;
	spell(&best, &out);
	/* A name that does not fit would be the name of other LUNs as well. */
	return !out.truncated;
}

void scsi_local_name_from_vpd83(const uint8_t *page, size_t len, char name[LOCAL_NAME_MAX])
{
	const uint8_t *raw;
	int off = -1;

	name[0] = '\0';
	while ((raw = next_designator(page, len, &off))) {
		struct designator d = designator_at(raw);
		struct strbuf out;

		if (rank(&d) != RANK_NAA_LOCAL)
			continue;
		strbuf_init(&out, name, LOCAL_NAME_MAX);
		spell(&d, &out);
		return;
	}
}

bool scsi_is_local_name(const char *wwid)
{
	return strncmp(wwid, "33", 2) == 0 && strlen(wwid) == LOCAL_NAME_MAX - 1;
}

bool scsi_lun_is(const uint8_t *page, size_t len, const char *wwid)
{
	char best[WWID_MAX], local[LOCAL_NAME_MAX];

	if (scsi_wwid_from_vpd83(page, len, best) && strcmp(best, wwid) == 0)
		return true;
	scsi_local_name_from_vpd83(page, len, local);
	return local[0] && strcmp(local, wwid) == 0;
}

void scsi_lun_designators(const uint8_t *page, size_t len, struct lun_names *names)
{
	const uint8_t *raw;
	int off = -1;

	names->len = 0;
	while ((raw = next_designator(page, len, &off))) {
		size_t size = 4 + (size_t)raw[3];

		if (size > sizeof(names->data) - names->len)
			continue;
		memcpy(names->data + names->len, raw, size);
		names->len = (uint8_t)(names->len + size);
	}
}

bool scsi_capacity_decode(const uint8_t *data, size_t len, uint64_t *nr_blocks,
			  uint32_t *block_size)
{
	uint64_t last_lba;
	uint32_t size;

	if (len < 12)
		return false;
	last_lba = get_be64(data);
	size = get_be32(data + 8);
	if (size == 0 || last_lba == UINT64_MAX)
		return false;
	*nr_blocks = last_lba + 1;
	*block_size = size;
	return true;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\0';
}

void scsi_copy_padded(char *to, size_t size, const uint8_t *field, size_t len)
{
	while (len && is_blank(field[len - 1]))
		len--;
	if (len > size - 1)
		len = size - 1;
	memcpy(to, field, len);
	to[len] = '\0';
}

void scsi_copy_text(char *to, size_t size, const uint8_t *field, size_t len)
{
	scsi_copy_padded(to, size, field, len);
	for (; *to; to++)
		if (*to < ' ' || *to > '~')
			*to = ' ';
}

bool scsi_inquiry_is_ours(const uint8_t *data, size_t len)
{
	return len >= OUR_MARK_AT + sizeof(OUR_MARK) - 1 &&
	       memcmp(data + OUR_MARK_AT, OUR_MARK, sizeof(OUR_MARK) - 1) == 0;
}
