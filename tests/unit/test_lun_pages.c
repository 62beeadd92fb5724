/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What our LUN says of itself: LIO's identity, the array's abilities, nothing of the array's ports.
 * The expected bytes of page 83h are those of the kernel's target for the same name and serial.
 */
#include <assert.h>
#include <string.h>

#include "mpath/scsi.h"

#define SERIAL "b922ff67-a0c1-4d2e-9f3b-0123456789ab"

struct world {
	struct lun_facts lun;
	struct lun_identity identity;
	struct mpath_io io;
	uint8_t data[512];
	struct iovec iov;
	size_t len; /* bytes of the last answer */
};

/* An array with everything set that must not be shown. */
static void setup(struct world *w)
{
	static const uint8_t pages[] = {0x00, 0x80, 0x83, 0x85, 0x86, 0x87, 0x88, 0x89,
					0x8f, 0xb0, 0xb1, 0xb2, 0xb6, 0xc0, 0xc9};
	struct lun_facts *lun = &w->lun;

	memset(w, 0, sizeof(*w));
	w->identity =
		(struct lun_identity){.name = "disk0", .serial = SERIAL, .limits = &w->lun.limits};
	lun->known = true;
	lun->nr_blocks = 0x10000;
	lun->block_size = 512;
	lun->inquiry_len = 96;
	memset(lun->inquiry, 0xff, sizeof(lun->inquiry));
	lun->inquiry[0] = 0x00;
	lun->inquiry[2] = 0x07;
	lun->inquiry[58] = 0x04; /* a version descriptor */
	lun->inquiry[59] = 0xc0;
	lun->nr_vpd_pages = sizeof(pages);
	memcpy(lun->vpd_pages, pages, sizeof(pages));
	lun->limits = (struct lun_page){.len = 64, .data = {0x60, 0xb0, 0, 60, 1, 1, 0, 8}};
	lun->features = (struct lun_page){.len = 64, .data = {0x60, 0xb1, 0, 60, 0, 1}};
	lun->thin = (struct lun_page){.len = 8, .data = {0x60, 0xb2, 0, 4, 0, 0xe0, 2}};
}

/* Send a CDB with a buffer of @room bytes; true when it was answered without a path. */
static bool ask(struct world *w, const uint8_t *cdb, size_t room, bool (*answers)(struct world *w))
{
	struct scsi_cmd *cmd = &w->io.cmd;

	memset(w->data, 0xee, sizeof(w->data));
	w->iov = (struct iovec){w->data, room};
	*cmd = (struct scsi_cmd){.iov = &w->iov, .iov_cnt = 1};
	memcpy(cmd->cdb, cdb, 16);
	cmd->cdb_len = (uint8_t)scsi_cdb_len(cdb, 16);
	assert(scsi_cdb_fill(cmd, room, 512) == CDB_OK);
	memset(&w->io.result, 0xff, sizeof(w->io.result));
	if (!answers(w))
		return false;
	w->len = cmd->data_len - w->io.result.residual;
	assert(w->len == sizeof(w->data) || w->data[w->len] == 0xee);
	return true;
}

static bool lun_answers(struct world *w)
{
	return scsi_lun_answers(&w->io, &w->lun, &w->identity);
}

static bool capacity_answers(struct world *w)
{
	return scsi_lun_answers_capacity(&w->io, &w->lun);
}

static bool ask_inquiry(struct world *w, uint8_t flags, uint8_t page, uint8_t room)
{
	const uint8_t cdb[16] = {0x12, flags, page, 0, room};

	return ask(w, cdb, room, lun_answers);
}

static void inquiry(struct world *w)
{
	assert(ask_inquiry(w, 0, 0, 255));
	assert(w->io.result.transport == TRANSPORT_OK && w->io.result.status == SAM_GOOD);
}

/* A VPD page that is answered; header and length are checked here for all of them. */
static void vpd(struct world *w, uint8_t page, uint8_t peripheral)
{
	assert(ask_inquiry(w, 1, page, 255));
	assert(w->io.result.transport == TRANSPORT_OK && w->io.result.status == SAM_GOOD);
	assert(w->data[0] == peripheral && w->data[1] == page);
	assert(4 + (size_t)(w->data[2] << 8 | w->data[3]) == w->len);
}

static void check_refused(const struct world *w, uint8_t asc)
{
	struct scsi_sense sense;

	assert(w->io.result.status == SAM_CHECK_CONDITION && w->len == 0);
	assert(scsi_sense_decode(w->io.result.sense, w->io.result.sense_len, &sense));
	assert(sense.key == 5 && sense.asc == asc && sense.ascq == 0);
}

/* LIO's names, the array's medium; no ALUA, no ports, no enclosure, no protection information. */
static void test_standard_inquiry(void)
{
	struct world w;

	setup(&w);
	inquiry(&w);
	assert(w.len == 96 && w.data[4] == 91);
	assert(w.data[0] == 0x00 && w.data[1] == 0x80 && w.data[2] == 0x07 && w.data[3] == 0x02);
	assert(w.data[5] == 0x08); /* 3PC; neither SCCS, TPGS nor PROTECT */
	assert(w.data[6] == 0x00); /* neither ENCSERV nor MULTIP */
	assert(w.data[7] == 0x02); /* CMDQUE */
	assert(!memcmp(w.data + 8, "LIO-ORG disk0           0002", 28));
	assert(!memcmp(w.data + 36, "tcmu-mpath\0\0\0\0\0\0\0\0\0\0", 20));
	assert(w.data[58] == 0x04 && w.data[59] == 0xc0);
	assert(scsi_inquiry_is_ours(w.data, w.len));
}

/* A fixed disk without queueing stays one; a zoned disk stays one. */
static void test_array_features_are_kept(void)
{
	struct world w;

	setup(&w);
	memset(w.lun.inquiry, 0, sizeof(w.lun.inquiry));
	w.lun.inquiry[0] = 0x14;
	w.lun.inquiry[2] = 0x05;
	w.lun.inquiry_len = 36;
	inquiry(&w);
	assert(w.len == 96 && w.data[0] == 0x14 && w.data[1] == 0 && w.data[2] == 0x05);
	assert(w.data[5] == 0 && w.data[7] == 0 && w.data[58] == 0);
}

/* What the path called itself when it was seen (a qualifier) is not the LUN's. */
static void test_qualifier_of_the_array_is_not_kept(void)
{
	struct world w;

	setup(&w);
	w.lun.inquiry[0] = 0x20;
	inquiry(&w);
	assert(w.data[0] == 0x00);
	vpd(&w, 0x80, 0x00);
}

static void test_names_are_cut_and_cleaned(void)
{
	struct world w;

	setup(&w);
	w.identity.name = "a-name-longer-than-16";
	inquiry(&w);
	assert(!memcmp(w.data + 16, "a-name-longer-th0002", 20));
	w.identity.name = "a\tb\xc3";
	inquiry(&w);
	assert(!memcmp(w.data + 16, "a_b_            0002", 20));
	w.identity.name = "";
	inquiry(&w);
	assert(!memcmp(w.data + 16, "                0002", 20));
}

/* The allocation length cuts, without a residual; a longer buffer has one. */
static void test_allocation_length(void)
{
	const uint8_t cdb[16] = {0x12, 0, 0, 0, 36};
	struct world w;

	setup(&w);
	assert(ask_inquiry(&w, 0, 0, 5) && w.len == 5 && w.io.result.residual == 0);
	assert(w.data[4] == 91);
	assert(ask_inquiry(&w, 0, 0, 0) && w.len == 0 && w.io.result.status == SAM_GOOD);
	assert(ask_inquiry(&w, 0, 0, 200) && w.len == 96 && w.io.result.residual == 104);
	/* A buffer that is longer than the CDB allows is not used. */
	assert(ask(&w, cdb, 255, lun_answers) && w.len == 36 && w.io.result.residual == 0);
}

/* Only pages that say nothing of the array's ports and names; sorted. */
static void test_page_list(void)
{
	static const uint8_t expected[] = {0x00, 0x80, 0x83, 0x86, 0x8f, 0xb0, 0xb1, 0xb2, 0xb6};
	struct world w;

	setup(&w);
	vpd(&w, 0x00, 0x00);
	assert(w.len == 4 + sizeof(expected) && !memcmp(w.data + 4, expected, sizeof(expected)));
}

/* What is listed is answered, here or by the array; what is not listed is refused. */
static void test_every_page(void)
{
	struct world w;
	unsigned int page;

	setup(&w);
	for (page = 0; page < 256; page++) {
		switch (page) {
		case 0x86:
		case 0x8f:
		case 0xb6:
			assert(!ask_inquiry(&w, 1, (uint8_t)page, 255));
			break;
		case 0x00:
		case 0x80:
		case 0x83:
		case 0xb0:
		case 0xb1:
		case 0xb2:
			vpd(&w, (uint8_t)page, 0x00);
			break;
		default:
			assert(ask_inquiry(&w, 1, (uint8_t)page, 255));
			check_refused(&w, 0x24);
			break;
		}
	}
}

/* Page 86h is the array's, but neither task attributes nor protection information come so far. */
static void test_extended_inquiry(void)
{
	static const uint8_t fits[9] = {0xff, 0xff, 0xff, 0xff, 0xc0, 0xf1, 0xff, 0xcf, 0xff};
	static const uint8_t cut[9] = {0xff, 0xff, 0xff, 0xff, 0xc0, 0xf1, 0xff, 0xff, 0xff};
	struct world w;

	setup(&w);
	assert(!ask_inquiry(&w, 1, 0x86, 9));
	memset(w.data, 0xff, 9);
	w.io.result = (struct scsi_result){0};
	scsi_lun_fit_answer(&w.io);
	assert(!memcmp(w.data, fits, sizeof(fits)) && w.data[9] == 0xee);

	/* Only what has come. */
	memset(w.data, 0xff, 9);
	w.io.result.residual = 3;
	scsi_lun_fit_answer(&w.io);
	assert(!memcmp(w.data, cut, sizeof(cut)));

	/* Nothing else of the pages. */
	assert(!ask_inquiry(&w, 1, 0xb6, 9));
	memset(w.data, 0xff, 9);
	w.io.result = (struct scsi_result){0};
	scsi_lun_fit_answer(&w.io);
	assert(w.data[4] == 0xff && w.data[5] == 0xff && w.data[7] == 0xff);
}

/* PROTECT is 0, so READ CAPACITY(16) says nothing of protection information either. */
static void test_protection_information(void)
{
	static const uint8_t cdb[16] = {0x9e, 0x10, [13] = 32};
	static const uint8_t other[16] = {0x9e, 0x12, [13] = 32};
	struct world w;

	setup(&w);
	memset(w.lun.capacity, 0xff, sizeof(w.lun.capacity));
	assert(ask(&w, cdb, 32, capacity_answers) && w.data[12] == 0xf0 && w.data[13] == 0x0f);

	memset(w.data, 0xff, 32);
	w.io.result = (struct scsi_result){0};
	scsi_lun_fit_answer(&w.io);
	assert(w.data[11] == 0xff && w.data[12] == 0xf0 && w.data[13] == 0x0f &&
	       w.data[14] == 0xff);

	assert(!ask(&w, other, 32, capacity_answers));
	memset(w.data, 0xff, 32);
	scsi_lun_fit_answer(&w.io);
	assert(w.data[12] == 0xff && w.data[13] == 0xff);
}

/* An array without VPD pages, or with a list that is too long to be one. */
static void test_page_list_of_odd_arrays(void)
{
	struct world w;

	setup(&w);
	w.lun.nr_vpd_pages = 0;
	w.lun.limits.len = w.lun.features.len = w.lun.thin.len = 0;
	vpd(&w, 0x00, 0x00);
	assert(w.len == 7 && !memcmp(w.data + 4, "\x00\x80\x83", 3));
	assert(ask_inquiry(&w, 1, 0xb0, 255));
	check_refused(&w, 0x24);

	w.lun.nr_vpd_pages = 255;
	memset(w.lun.vpd_pages, 0xff, sizeof(w.lun.vpd_pages));
	vpd(&w, 0x00, 0x00);
	assert(w.len == 7);
}

static void test_bad_inquiry_fields(void)
{
	struct world w;

	setup(&w);
	assert(ask_inquiry(&w, 0, 0x83, 255)); /* page code without EVPD */
	check_refused(&w, 0x24);
	assert(ask_inquiry(&w, 2, 0, 255)); /* CMDDT */
	check_refused(&w, 0x24);
	assert(ask_inquiry(&w, 3, 0, 255));
	check_refused(&w, 0x24);
	assert(w.io.result.residual == 255);
}

static void test_serial(void)
{
	struct world w;

	setup(&w);
	vpd(&w, 0x80, 0x00);
	assert(w.len == 4 + sizeof(SERIAL) && !memcmp(w.data + 4, SERIAL, sizeof(SERIAL)));
	w.identity.serial = "";
	vpd(&w, 0x80, 0x00);
	assert(w.len == 4);
}

/* Byte for byte what LIO says for this name and serial, the target port's designators left out. */
static void test_identity(void)
{
	static const uint8_t naa[] = {0x01, 0x03, 0x00, 0x10, 0x60, 0x01, 0x40, 0x5b, 0x92, 0x2f,
				      0xf6, 0x7a, 0x0c, 0x14, 0xd2, 0xe9, 0xf3, 0xb0, 0x12, 0x34};
	static const char t10[] = "LIO-ORG disk0:" SERIAL;
	char wwid[WWID_MAX];
	struct world w;

	setup(&w);
	vpd(&w, 0x83, 0x00);
	assert(!memcmp(w.data + 4, naa, sizeof(naa)));
	assert(!memcmp(w.data + 24, (uint8_t[]){0x02, 0x01, 0x00, sizeof(t10)}, 4));
	assert(!memcmp(w.data + 28, t10, sizeof(t10)));
	assert(w.len == 28 + sizeof(t10));
	assert(scsi_wwid_from_vpd83(w.data, w.len, wwid));
	assert(!strcmp(wwid, "36001405b922ff67a0c14d2e9f3b01234"));
}

static void check_naa(const char *serial, const char *expected)
{
	char wwid[WWID_MAX];
	struct world w;

	setup(&w);
	w.identity.serial = serial;
	vpd(&w, 0x83, 0x00);
	assert(scsi_wwid_from_vpd83(w.data, w.len, wwid));
	assert(!strcmp(wwid, expected));
}

/* What is no hex digit is left out; a short serial is filled with zeros, upper case is the same. */
static void test_naa_from_odd_serials(void)
{
	check_naa("1", "360014051000000000000000000000000");
	check_naa("ABCDEF", "36001405abcdef0000000000000000000");
	check_naa("my serial 12", "36001405ea12000000000000000000000");
	check_naa("xyz", "360014050000000000000000000000000");
	check_naa("0123456789abcdef0123456789abcdef0123", "360014050123456789abcdef012345678");
}

/* Until targetcli has set the serial there is no name that another LUN could not have, too. */
static void test_identity_without_serial(void)
{
	char wwid[WWID_MAX];
	struct world w;

	setup(&w);
	w.identity.serial = "";
	vpd(&w, 0x83, 0x00);
	assert(w.len == 4 + 4 + 9 && !memcmp(w.data + 8, "LIO-ORG ", 9));
	assert(!scsi_wwid_from_vpd83(w.data, w.len, wwid));
}

/* The longest names there can be still make a page whose lengths are right. */
static void test_identity_with_long_names(void)
{
	char serial[300];
	struct world w;

	setup(&w);
	memset(serial, 'f', sizeof(serial));
	serial[sizeof(serial) - 1] = '\0';
	w.identity.serial = serial;
	w.identity.name = serial;
	vpd(&w, 0x80, 0x00);
	assert(ask(&w, (uint8_t[16]){0x12, 1, 0x83, 2, 0}, 512, lun_answers));
	assert(4 + (size_t)(w.data[2] << 8 | w.data[3]) == w.len);
	assert(w.data[24 + 3] == 8 + 16 + 1 + 200 + 1 && w.len == 28u + w.data[24 + 3]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void set_limits(struct world *w, uint8_t array_max, uint8_t array_optimal, uint64_t ours)
{
	w->lun.limits.data[11] = array_max;
	w->lun.limits.data[15] = array_optimal;
	w->identity.max_transfer_bytes = ours;
	vpd(w, 0xb0, 0x00);
}

static void check_limits(uint8_t array_max, uint8_t array_optimal, uint64_t ours, uint32_t max,
			 uint32_t optimal)
{
	struct world w;

	setup(&w);
	set_limits(&w, array_max, array_optimal, ours);
	assert(be32(w.data + 8) == max && be32(w.data + 12) == optimal);
	assert(w.len == 64 && w.data[4] == 1 && w.data[7] == 8);
	assert(w.data[5] == (ours == 0 || ours >= 2 * 512)); /* COMPARE AND WRITE of one block */
}

/* The smaller of the array's and ours; 0 means no limit; the optimum is never above it.  The rest
 * is in unit/block_limits. */
static void test_block_limits(void)
{
	check_limits(0, 0, 0, 0, 0);
	check_limits(0, 9, 0, 0, 9);
	check_limits(64, 32, 0, 64, 32);
	check_limits(64, 32, 128 * 512, 64, 32);
	check_limits(64, 32, 16 * 512, 16, 16);
	check_limits(0, 32, 16 * 512, 16, 16);
	check_limits(0, 0, 16 * 512 + 511, 16, 0);
	check_limits(0, 0, 100, 1, 0);
	check_limits(0, 0, UINT64_MAX, UINT32_MAX, 0);
	check_limits(200, 0, UINT64_MAX, 200, 0);
}

/* SBC-2's page is shorter; an array without one still sits behind hosts that have limits. */
static void test_block_limits_of_old_arrays(void)
{
	struct world w;

	setup(&w);
	w.lun.limits.len = 12;
	set_limits(&w, 64, 0, 16 * 512);
	assert(w.len == 64 && be32(w.data + 8) == 16);
	w.lun.limits.len = 16;
	set_limits(&w, 64, 200, 16 * 512);
	assert(w.len == 16 && be32(w.data + 8) == 16 && be32(w.data + 12) == 16);
	w.lun.limits = (struct lun_page){0};
	set_limits(&w, 0, 0, 16 * 512);
	assert(w.len == 64 && be32(w.data + 8) == 16);
	vpd(&w, 0x00, 0x00);
	assert(memchr(w.data + 4, 0xb0, w.len - 4));
	/* A length that our own code would never keep. */
	w.lun.limits.len = 255;
	vpd(&w, 0xb0, 0x00);
	assert(w.len == 64);
}

/* The array's other pages as they are, but for its pool's name. */
/* identity=array: serial number and designators are the array's, and nothing else. */
static void test_identity_of_the_array(void)
{
	static const struct lun_names serial = {4, "  S1"};
	static const struct lun_names names = {12, {1, 3, 0, 8, 0x52, 2, 3, 4, 5, 6, 7, 8}};
	struct world w;

	setup(&w);
	w.identity.is_the_arrays = true;
	w.lun.serial = serial;
	w.lun.designators = names;
	vpd(&w, 0x80, 0);
	assert(w.len == 8 && !memcmp(w.data + 4, "  S1", 4));
	vpd(&w, 0x83, 0);
	assert(w.len == 16 && !memcmp(w.data + 4, names.data, 12));
	inquiry(&w);
	assert(!memcmp(w.data + 8, "LIO-ORG disk0           0002tcmu-mpath", 38));
	assert((w.data[5] & 0x30) == 0); /* TPGS */

	w.lun.serial.len = w.lun.designators.len = LUN_NAMES_MAX;
	memset(w.lun.designators.data, 0x5a, LUN_NAMES_MAX);
	assert(ask(&w, (const uint8_t[16]){0x12, 1, 0x83, 1, 0}, 256, lun_answers));
	assert(w.len == 256 && w.data[255] == 0x5a && w.data[2] == 0 && w.data[3] == 252);
}

/* An array without the page, or one whose page nobody has read: no other name than its own. */
static void test_identity_of_an_array_without_names(void)
{
	struct world w;

	setup(&w);
	w.identity.is_the_arrays = true;
	assert(ask_inquiry(&w, 1, 0x80, 255));
	check_refused(&w, 0x24);
	assert(ask_inquiry(&w, 1, 0x83, 255));
	check_refused(&w, 0x24);
	vpd(&w, 0x00, 0);
	assert(w.data[4] == 0x00 && w.data[5] == 0x86);
}

static void test_features_and_thin(void)
{
	struct world w;

	setup(&w);
	vpd(&w, 0xb1, 0x00);
	assert(w.len == 64 && w.data[5] == 1);
	vpd(&w, 0xb2, 0x00);
	assert(w.len == 8 && w.data[5] == 0xe0 && w.data[6] == 2);
	w.lun.thin.len = 28;
	w.lun.thin.data[5] = 0xe1;
	vpd(&w, 0xb2, 0x00);
	assert(w.len == 8 && w.data[5] == 0xe0);
	w.lun.features.len = 255;
	vpd(&w, 0xb1, 0x00);
	assert(w.len == 64);
}

/* RTPG and STPG as by a LUN without ALUA; the other maintenance commands are the array's. */
static void test_no_alua(void)
{
	struct world w;

	setup(&w);
	assert(ask(&w, (uint8_t[16]){0xa3, 0x0a, [9] = 64}, 64, lun_answers));
	check_refused(&w, 0x20);
	assert(ask(&w, (uint8_t[16]){0xa3, 0x2a, [9] = 64}, 64, lun_answers)); /* extended header */
	check_refused(&w, 0x20);
	assert(ask(&w, (uint8_t[16]){0xa4, 0x0a, [9] = 8}, 8, lun_answers));
	assert(w.io.result.status == SAM_CHECK_CONDITION && w.io.result.sense[12] == 0x20);
	assert(!ask(&w, (uint8_t[16]){0xa3, 0x0c, [9] = 64}, 64, lun_answers));
	assert(!ask(&w, (uint8_t[16]){0xa4, 0x0f, [9] = 8}, 8, lun_answers));
	assert(!ask(&w, (uint8_t[16]){0x00}, 0, lun_answers));
	assert(!ask(&w, (uint8_t[16]){0x28, [8] = 1}, 512, lun_answers));
}

/* Before the LUN was ever seen: not there yet, but with a name. */
static void test_unknown_lun(void)
{
	struct world w;

	setup(&w);
	w.lun = (struct lun_facts){0};
	inquiry(&w);
	assert(w.len == 96 && w.data[0] == 0x20 && w.data[2] == 0x06 && w.data[4] == 91);
	assert(w.data[5] == 0 && w.data[6] == 0 && w.data[7] == 0x02);
	assert(!memcmp(w.data + 8, "LIO-ORG disk0           0002", 28));
	assert(scsi_inquiry_is_ours(w.data, w.len));
	vpd(&w, 0x00, 0x20);
	assert(w.len == 7 && !memcmp(w.data + 4, "\x00\x80\x83", 3));
	vpd(&w, 0x80, 0x20);
	vpd(&w, 0x83, 0x20);
	/* It has no other pages than it lists. */
	w.identity.max_transfer_bytes = 65536;
	assert(ask_inquiry(&w, 1, 0xb0, 255));
	check_refused(&w, 0x24);
	assert(ask_inquiry(&w, 1, 0xc0, 255));
	check_refused(&w, 0x24);
	assert(!ask(&w, (uint8_t[16]){0x25}, 8, capacity_answers));
	assert(!ask(&w, (uint8_t[16]){0x9e, 0x10, [13] = 32}, 32, capacity_answers));
}

static void check_capacity_10(uint64_t nr_blocks, uint32_t last_lba)
{
	struct world w;

	setup(&w);
	w.lun.nr_blocks = nr_blocks;
	assert(ask(&w, (uint8_t[16]){0x25}, 8, capacity_answers) && w.len == 8);
	assert(be32(w.data) == last_lba && be32(w.data + 4) == 512);
}

static void test_capacity_10(void)
{
	check_capacity_10(1, 0);
	check_capacity_10(0x10000, 0xffff);
	check_capacity_10(0xffffffff, 0xfffffffe);
	/* ffffffff: ask READ CAPACITY(16) */
	check_capacity_10(0x100000000, 0xffffffff);
	check_capacity_10(0x100000001, 0xffffffff);
	check_capacity_10(UINT64_MAX, 0xffffffff);
}

/* The array's own data, thin provisioning bits included. */
/* What the number is made of: all that is shown of the array's words, and nothing else. */
static void test_words_of_the_array(void)
{
	struct world w;
	uint64_t words;

	setup(&w);
	words = scsi_lun_words(&w.lun);
	assert(words && words == scsi_lun_words(&w.lun));
	memcpy(w.lun.inquiry + 8, "OTHER   ARRAY           0003", 28);
	w.lun.inquiry[5] &= 0xc8; /* TPGS, PROTECT */
	w.lun.nr_blocks *= 2;
	w.lun.capacity[3] = 1;	/* the size, too */
	w.lun.capacity[12] = 3; /* PROT_EN */
	w.lun.limits.data[5] = 9;
	w.lun.vpd_pages[3] = 0x84; /* not shown, as 85h is not */
	w.lun.features.data[0] = 0;
	assert(scsi_lun_words(&w.lun) == words);

	w.lun.inquiry[5] &= 0xf7; /* 3PC */
	assert(scsi_lun_words(&w.lun) != words);
	setup(&w);
	w.lun.vpd_pages[4] = 0x84; /* 86h has gone */
	assert(scsi_lun_words(&w.lun) != words);
	setup(&w);
	w.lun.features.data[5] = 2;
	assert(scsi_lun_words(&w.lun) != words);
	setup(&w);
	w.lun.thin = (struct lun_page){0};
	assert(scsi_lun_words(&w.lun) != words);
	setup(&w);
	w.lun.capacity[14] = 0x80; /* LBPME */
	assert(scsi_lun_words(&w.lun) != words);
	setup(&w);
	w.lun.designators = (struct lun_names){.len = 4, .data = {1, 3, 0, 0}};
	assert(scsi_lun_words(&w.lun) != words);
}

static void test_capacity_16(void)
{
	const uint8_t cdb[16] = {0x9e, 0x10, [13] = 32};
	struct world w;

	setup(&w);
	w.lun.nr_blocks = 0x123456789b;
	w.lun.capacity[13] = 0x03; /* eight logical blocks in a physical one */
	w.lun.capacity[14] = 0xc0; /* LBPME, LBPRZ */
	assert(ask(&w, cdb, 32, capacity_answers) && w.len == 32);
	assert(be32(w.data) == 0x12 && be32(w.data + 4) == 0x3456789a && be32(w.data + 8) == 512);
	assert(w.data[13] == 0x03 && w.data[14] == 0xc0);
	assert(ask(&w, cdb, 12, capacity_answers) && w.len == 12);
	assert(!ask(&w, (uint8_t[16]){0x9e, 0x12, [13] = 24}, 24, capacity_answers));
	assert(!ask(&w, (uint8_t[16]){0x12, [4] = 36}, 36, capacity_answers));
	w.lun.nr_blocks = 0;
	assert(!ask(&w, cdb, 32, capacity_answers));
}

int main(void)
{
	test_standard_inquiry();
	test_array_features_are_kept();
	test_qualifier_of_the_array_is_not_kept();
	test_names_are_cut_and_cleaned();
	test_allocation_length();
	test_page_list();
	test_every_page();
	test_extended_inquiry();
	test_protection_information();
	test_page_list_of_odd_arrays();
	test_bad_inquiry_fields();
	test_serial();
	test_identity();
	test_naa_from_odd_serials();
	test_identity_without_serial();
	test_identity_with_long_names();
	test_block_limits();
	test_block_limits_of_old_arrays();
	test_identity_of_the_array();
	test_identity_of_an_array_without_names();
	test_features_and_thin();
	test_no_alua();
	test_unknown_lun();
	test_capacity_10();
	test_words_of_the_array();
	test_capacity_16();
	return 0;
}
