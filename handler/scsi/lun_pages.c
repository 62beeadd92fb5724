/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What our own LUN says of itself.
 *
 * Towards the initiator the LUN is LIO's: the same vendor, serial number and WWID that any other
 * LIO backstore of that name and serial would have (DESIGN D16).  What the array can do (device
 * type, block limits, thin provisioning) is passed on; what names the array or its ports is not,
 * and neither is ALUA, since the paths behind us are no business of the initiator's.  With
 * identity=array serial number and WWID are the array's, and nothing else.
 *
 * These answers need no path, so a LUN is recognised also while all paths are down (D15).
 */
#include <stdio.h>
#include <string.h>

#include "mpath/scsi.h"

#include "scsi/big_endian.h"
#include "scsi/our_lun.h"

#define OPCODE_INQUIRY		 0x12
#define OPCODE_MODE_SENSE_6	 0x1a
#define OPCODE_READ_CAPACITY_10	 0x25
#define OPCODE_MODE_SENSE_10	 0x5a
#define OPCODE_SERVICE_ACTION_IN 0x9e
#define OPCODE_MAINTENANCE_IN	 0xa3
#define OPCODE_MAINTENANCE_OUT	 0xa4
#define SA_READ_CAPACITY_16	 0x10
#define SA_TARGET_PORT_GROUPS	 0x0a /* REPORT and SET */

#define SENSE_ILLEGAL_REQUEST 0x05
#define ASC_INVALID_OPCODE    0x20
#define ASC_INVALID_FIELD     0x24

#define MODE_CACHING 0x08
#define MODE_ALL     0x3f
#define CACHING_LEN  20

#define VPD_PAGES    0x00
#define VPD_SERIAL   0x80
#define VPD_IDENTITY 0x83
#define VPD_EXTENDED 0x86
#define VPD_LIMITS   0xb0
#define VPD_FEATURES 0xb1
#define VPD_THIN     0xb2

#define INQUIRY_LEN	  96   /* as LIO's: up to the end of the reserved bytes */
#define QUALIFIER_UNKNOWN 0x20 /* 001b: no such device now, but there may be one */
#define VERSION_SPC4	  0x06
#define IEEE_COMPANY_LIO  0x001405
#define PAGE_BUF_LEN	  512
#define CAPACITY_SIZE_LEN 12 /* of READ CAPACITY(16) data: how many blocks, and of what length */
#define SERIAL_MAX	  200

static bool refuse(struct mpath_io *io, uint8_t asc)
{
	scsi_sense_set(&io->result, (uint32_t)io->cmd.data_len, SENSE_ILLEGAL_REQUEST, asc, 0);
	return true;
}

/* First byte of INQUIRY data and of each VPD page: qualifier and device type. */
static uint8_t peripheral(const struct lun_facts *lun)
{
	return lun->known ? lun->inquiry[0] & 0x1f : QUALIFIER_UNKNOWN;
}

/* SPC-5 4.4.1: left-aligned, filled with blanks, printable ASCII only. */
static void put_text(uint8_t *field, size_t len, const char *text)
{
	size_t i;

	memset(field, ' ', len);
	for (i = 0; i < len && text[i] != '\0'; i++)
		field[i] = text[i] >= ' ' && text[i] < 0x7f ? (uint8_t)text[i] : '_';
}

/*
 * The bits that describe the array's ports, enclosure, ALUA or protection information are not
 * ours; those that describe what the medium and its commands can do are kept.
 */
static void put_array_features(uint8_t *data, const struct lun_facts *lun)
{
	uint8_t array[INQUIRY_LEN] = {0};

	memcpy(array, lun->inquiry,
	       lun->inquiry_len < sizeof(array) ? lun->inquiry_len : sizeof(array));
	data[1] = array[1] & 0x80;	   /* RMB */
	data[2] = array[2];		   /* version */
	data[5] = array[5] & 0x08;	   /* 3PC */
	data[7] = array[7] & 0x02;	   /* CMDQUE */
	memcpy(data + 58, array + 58, 16); /* version descriptors */
}

static bool answer_standard_inquiry(struct mpath_io *io, const struct lun_facts *lun,
				    const struct lun_identity *identity)
{
	uint8_t data[INQUIRY_LEN] = {0};

	data[2] = VERSION_SPC4;
	data[7] = 0x02; /* CMDQUE */
	if (lun->known)
		put_array_features(data, lun);
	data[0] = peripheral(lun);
	data[3] = 0x02; /* response data format */
	data[4] = INQUIRY_LEN - 5;
	put_text(data + 8, 8, "LIO-ORG");
	put_text(data + 16, 16, identity->name);
	put_text(data + 32, 4, "0002");
	memcpy(data + OUR_MARK_AT, OUR_MARK, sizeof(OUR_MARK) - 1);
	scsi_reply(io, data, sizeof(data));
	return true;
}

/* Pages that are the array's own words about medium and commands: they go down a path. */
static bool page_is_forwarded(uint8_t page)
{
	switch (page) {
	case VPD_EXTENDED: /* INQUIRY data, see scsi_lun_fit_answer() */
	case 0x8a:	   /* power condition */
	case 0x8d:	   /* power consumption */
	case 0x8f:	   /* third-party copy */
		return true;
	}
	return page > VPD_THIN && page <= 0xbf; /* referrals, zoned devices, ... */
}

bool scsi_lun_has_page(const struct lun_facts *lun, uint8_t page)
{
	size_t nr_pages = lun->nr_vpd_pages;

	if (nr_pages > sizeof(lun->vpd_pages))
		nr_pages = sizeof(lun->vpd_pages);
	return memchr(lun->vpd_pages, page, nr_pages) != NULL;
}

static bool page_is_shown(const struct lun_facts *lun, const struct lun_identity *identity,
			  uint8_t page)
{
	switch (page) {
	case VPD_PAGES:
		return true;
	case VPD_SERIAL:
		return !identity->is_the_arrays || lun->serial.len > 0;
	case VPD_IDENTITY:
		return !identity->is_the_arrays || lun->designators.len > 0;
	case VPD_LIMITS:
		/* An array without limits still sits behind hosts that have some. */
		return lun->known &&
		       (identity->limits->len > 0 || identity->max_transfer_bytes > 0);
	case VPD_FEATURES:
		return lun->known && lun->features.len > 0;
	case VPD_THIN:
		return lun->known && lun->thin.len > 0;
	}
	return lun->known && page_is_forwarded(page) && scsi_lun_has_page(lun, page);
}

/* Send a page whose length field is still to be set. */
static bool answer_page(struct mpath_io *io, const struct lun_facts *lun, uint8_t *page, size_t len,
			uint8_t code)
{
	page[0] = peripheral(lun);
	page[1] = code;
	page[2] = (uint8_t)((len - 4) >> 8);
	page[3] = (uint8_t)(len - 4);
	scsi_reply(io, page, len);
	return true;
}

static bool answer_page_list(struct mpath_io *io, const struct lun_facts *lun,
			     const struct lun_identity *identity)
{
	uint8_t page[4 + 256];
	size_t len = 4;
	unsigned int code;

	for (code = 0; code < 256; code++)
		if (page_is_shown(lun, identity, (uint8_t)code))
			page[len++] = (uint8_t)code;
	return answer_page(io, lun, page, len, VPD_PAGES);
}

static bool answer_names(struct mpath_io *io, const struct lun_facts *lun,
			 const struct lun_names *names, uint8_t code)
{
	uint8_t page[4 + LUN_NAMES_MAX];
	size_t len = names->len < LUN_NAMES_MAX ? names->len : LUN_NAMES_MAX;

	memcpy(page + 4, names->data, len);
	return answer_page(io, lun, page, 4 + len, code);
}

/* LIO counts the terminating NUL as part of the number; so do we, to be told from it by nobody. */
static bool answer_serial(struct mpath_io *io, const struct lun_facts *lun,
			  const struct lun_identity *identity)
{
	uint8_t page[PAGE_BUF_LEN] = {0};
	size_t len = strlen(identity->serial);

	if (identity->is_the_arrays)
		return answer_names(io, lun, &lun->serial, VPD_SERIAL);
	if (len > SERIAL_MAX)
		len = SERIAL_MAX;
	memcpy(page + 4, identity->serial, len);
	return answer_page(io, lun, page, 4 + (len > 0 ? len + 1 : 0), VPD_SERIAL);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * NAA IEEE Registered Extended: 6h, LIO's company id, then the hex digits of the serial number.
 * A serial number that is a UUID has more digits than there is room for 25 of them.
 */
static size_t put_naa_designator(uint8_t *p, const char *serial)
{
	uint8_t *id = p + 4;
	unsigned int nibble = 7; /* the first six digits are the company id */

	memset(p, 0, 20);
	p[0] = 0x01; /* binary */
	p[1] = 0x03; /* NAA, of the logical unit */
	p[3] = 16;
	put_be32(id, 0x6u << 28 | (uint32_t)IEEE_COMPANY_LIO << 4);
	for (; *serial != '\0' && nibble < 32; serial++) {
		int value = hex_value(*serial);

		if (value < 0)
			continue;
		id[nibble / 2] |= (uint8_t)(nibble % 2 ? value : value << 4);
		nibble++;
	}
	return 20;
}

/* T10 vendor id: "LIO-ORG ", then product:serial with its NUL, as LIO spells it. */
static size_t put_t10_designator(uint8_t *p, const struct lun_identity *identity)
{
	char text[16 + 1 + SERIAL_MAX + 1] = "";
	size_t len;

	if (identity->serial[0] != '\0')
		snprintf(text, sizeof(text), "%.16s:%.*s", identity->name, SERIAL_MAX,
			 identity->serial);
	len = strlen(text) + 1;
	p[0] = 0x02; /* ASCII */
	p[1] = 0x01; /* T10 vendor id, of the logical unit */
	p[2] = 0;
	p[3] = (uint8_t)(8 + len);
	put_text(p + 4, 8, "LIO-ORG");
	memcpy(p + 12, text, len);
	return 12 + len;
}

static bool answer_identity(struct mpath_io *io, const struct lun_facts *lun,
			    const struct lun_identity *identity)
{
	uint8_t page[PAGE_BUF_LEN];
	size_t len = 4;

	if (identity->is_the_arrays)
		return answer_names(io, lun, &lun->designators, VPD_IDENTITY);
	/* The serial number comes late (targetcli sets it after enable): no NAA name without it. */
	if (identity->serial[0] != '\0')
		len += put_naa_designator(page + len, identity->serial);
	len += put_t10_designator(page + len, identity);
	return answer_page(io, lun, page, len, VPD_IDENTITY);
}

static bool answer_limits(struct mpath_io *io, const struct lun_facts *lun,
			  const struct lun_identity *identity)
{
	struct lun_page limits = *identity->limits;

	scsi_limits_fit(&limits, lun->block_size, identity->max_transfer_bytes);
	return answer_page(io, lun, limits.data, limits.len, VPD_LIMITS);
}

/* As it is shown, but its header; how long it is. */
static size_t fit_kept_page(uint8_t page[LUN_VPD_MAX], const struct lun_page *kept, uint8_t code)
{
	size_t len = kept->len;

	memset(page, 0, LUN_VPD_MAX);
	if (len > LUN_VPD_MAX)
		len = LUN_VPD_MAX;
	memcpy(page, kept->data, len);
	if (len < 4)
		len = 4;
	/* The provisioning group behind the eight bytes of B2h names the array's pool. */
	if (code == VPD_THIN && len > 8) {
		page[5] &= 0xfe; /* DP */
		len = 8;
	}
	return len;
}

static bool answer_kept_page(struct mpath_io *io, const struct lun_facts *lun,
			     const struct lun_page *kept, uint8_t code)
{
	uint8_t page[LUN_VPD_MAX];
	size_t len = fit_kept_page(page, kept, code);

	return answer_page(io, lun, page, len, code);
}

static bool answer_vpd(struct mpath_io *io, const struct lun_facts *lun,
		       const struct lun_identity *identity, uint8_t code)
{
	if (!page_is_shown(lun, identity, code))
		return refuse(io, ASC_INVALID_FIELD);

	switch (code) {
	case VPD_PAGES:
		return answer_page_list(io, lun, identity);
	case VPD_SERIAL:
		return answer_serial(io, lun, identity);
	case VPD_IDENTITY:
		return answer_identity(io, lun, identity);
	case VPD_LIMITS:
		return answer_limits(io, lun, identity);
	case VPD_FEATURES:
		return answer_kept_page(io, lun, &lun->features, VPD_FEATURES);
	case VPD_THIN:
		return answer_kept_page(io, lun, &lun->thin, VPD_THIN);
	}
	return false;
}

static bool answer_inquiry(struct mpath_io *io, const struct lun_facts *lun,
			   const struct lun_identity *identity)
{
	const uint8_t *cdb = io->cmd.cdb;
	bool evpd = cdb[1] & 0x01;
	bool cmddt = cdb[1] & 0x02;

	if (cmddt || (!evpd && cdb[2] != 0))
		return refuse(io, ASC_INVALID_FIELD);
	if (evpd)
		return answer_vpd(io, lun, identity, cdb[2]);
	return answer_standard_inquiry(io, lun, identity);
}

bool scsi_lun_answers(struct mpath_io *io, const struct lun_facts *lun,
		      const struct lun_identity *identity)
{
	const uint8_t *cdb = io->cmd.cdb;

	switch (cdb[0]) {
	case OPCODE_INQUIRY:
		return answer_inquiry(io, lun, identity);
	case OPCODE_MAINTENANCE_IN:
	case OPCODE_MAINTENANCE_OUT:
		/* TPGS is 0: as any LUN without ALUA */
		if ((cdb[1] & 0x1f) == SA_TARGET_PORT_GROUPS)
			return refuse(io, ASC_INVALID_OPCODE);
		return false;
	}
	return false;
}

/*
 * SPC-5 7.7.8.  LIO does not tell us a command's task attribute or priority, and two commands may
 * take two paths: who is told that ORDERED is kept would leave the order of his writes to it.
 */
static void fit_extended_inquiry(uint8_t *page)
{
	page[4] &= (uint8_t)~0x3f; /* SPT, GRD_CHK, APP_CHK, REF_CHK: PROTECT is 0 */
	page[5] &= (uint8_t)~0x0e; /* PRIOR_SUP, HEADSUP, ORDSUP */
	page[7] &= (uint8_t)~0x30; /* NO_PI_CHK, P_I_I_SUP */
}

/* SBC-4 5.20.2.  No command with RDPROTECT or WRPROTECT is right for a LUN whose PROTECT is 0. */
static void fit_capacity_16(uint8_t *data)
{
	data[12] &= (uint8_t)~0x0f; /* P_TYPE, PROT_EN */
	data[13] &= (uint8_t)~0xf0; /* P_I_EXPONENT */
}

static bool asks_for_extended_inquiry(const uint8_t *cdb)
{
	return cdb[0] == OPCODE_INQUIRY && (cdb[1] & 0x01) && cdb[2] == VPD_EXTENDED;
}

static bool asks_for_capacity_16(const uint8_t *cdb)
{
	return cdb[0] == OPCODE_SERVICE_ACTION_IN && (cdb[1] & 0x1f) == SA_READ_CAPACITY_16;
}

void scsi_lun_fit_answer(struct mpath_io *io)
{
	const uint8_t *cdb = io->cmd.cdb;
	uint8_t data[14] = {0};
	size_t len;

	if (!asks_for_extended_inquiry(cdb) && !asks_for_capacity_16(cdb))
		return;
	len = scsi_iov_read(io, data, sizeof(data));
	if (cdb[0] == OPCODE_INQUIRY)
		fit_extended_inquiry(data);
	else
		fit_capacity_16(data);
	scsi_iov_overwrite(io, data, len);
}

static bool answer_capacity_10(struct mpath_io *io, const struct lun_facts *lun)
{
	uint64_t last_lba = lun->nr_blocks - 1;
	uint8_t data[8];

	/* SBC-4: all ones tell the initiator to ask with READ CAPACITY(16). */
	put_be32(data, last_lba > UINT32_MAX ? UINT32_MAX : (uint32_t)last_lba);
	put_be32(data + 4, lun->block_size);
	scsi_reply(io, data, sizeof(data));
	return true;
}

static bool answer_capacity_16(struct mpath_io *io, const struct lun_facts *lun)
{
	uint8_t data[LUN_CAPACITY_LEN];

	memcpy(data, lun->capacity, sizeof(data));
	put_be64(data, lun->nr_blocks - 1);
	put_be32(data + 8, lun->block_size);
	fit_capacity_16(data);
	scsi_reply(io, data, sizeof(data));
	return true;
}

bool scsi_lun_answers_capacity(struct mpath_io *io, const struct lun_facts *lun)
{
	const uint8_t *cdb = io->cmd.cdb;

	if (!lun->known || lun->nr_blocks == 0)
		return false;
	if (cdb[0] == OPCODE_READ_CAPACITY_10)
		return answer_capacity_10(io, lun);
	if (asks_for_capacity_16(cdb))
		return answer_capacity_16(io, lun);
	return false;
}

/* SPC-5 6.14 and 6.15: the current values of the caching page, or of all pages. */
static bool asks_for_cache(const uint8_t *cdb)
{
	bool all = cdb[2] == MODE_ALL && (cdb[3] == 0 || cdb[3] == 0xff);

	return (cdb[0] == OPCODE_MODE_SENSE_6 || cdb[0] == OPCODE_MODE_SENSE_10) &&
	       (all || (cdb[2] == MODE_CACHING && cdb[3] == 0));
}

bool scsi_lun_answers_cache(struct mpath_io *io)
{
	const uint8_t *cdb = io->cmd.cdb;
	size_t header = cdb[0] == OPCODE_MODE_SENSE_6 ? 4 : 8;
	size_t len = header + CACHING_LEN;
	uint8_t data[8 + CACHING_LEN] = {0};

	if (!asks_for_cache(cdb))
		return false;
	data[header == 4 ? 0 : 1] = (uint8_t)(header == 4 ? len - 1 : len - 2);
	data[header] = MODE_CACHING;
	data[header + 1] = CACHING_LEN - 2;
	data[header + 2] = 0x04; /* WCE */
	scsi_reply(io, data, len);
	return true;
}

/* --- when is it said otherwise? --- */

/* FNV-1a, with the length, so that no byte goes from one field to the next. */
static uint64_t hash_bytes(uint64_t hash, const uint8_t *data, size_t len)
{
	hash = (hash ^ len) * 0x100000001b3ull;
	while (len--)
		hash = (hash ^ *data++) * 0x100000001b3ull;
	return hash;
}

static uint64_t hash_page(uint64_t hash, const struct lun_page *kept, uint8_t code)
{
	uint8_t page[LUN_VPD_MAX];
	size_t len = fit_kept_page(page, kept, code);

	return hash_bytes(hash, page + 4, kept->len ? len - 4 : 0);
}

uint64_t scsi_lun_words(const struct lun_facts *lun)
{
	uint8_t inquiry[INQUIRY_LEN] = {0}, forwarded[256], capacity[LUN_CAPACITY_LEN];
	uint64_t hash = 0xcbf29ce484222325ull;
	size_t code;

	put_array_features(inquiry, lun);
	hash = hash_bytes(hash, inquiry, sizeof(inquiry));
	for (code = 0; code < sizeof(forwarded); code++)
		forwarded[code] =
			page_is_forwarded((uint8_t)code) && scsi_lun_has_page(lun, (uint8_t)code);
	hash = hash_bytes(hash, forwarded, sizeof(forwarded));
	hash = hash_page(hash, &lun->features, VPD_FEATURES);
	hash = hash_page(hash, &lun->thin, VPD_THIN);
	memcpy(capacity, lun->capacity, sizeof(capacity));
	fit_capacity_16(capacity);
	hash = hash_bytes(hash, capacity + CAPACITY_SIZE_LEN, sizeof(capacity) - CAPACITY_SIZE_LEN);
	hash = hash_bytes(hash, lun->serial.data, lun->serial.len);
	hash = hash_bytes(hash, lun->designators.data, lun->designators.len);
	return hash ? hash : 1;
}
