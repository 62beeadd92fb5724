/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The WWID of a LUN: the spelling must be that of "multipath -ll", and a page that lies must give
 * no name rather than a wrong one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/scsi.h"

struct page {
	uint8_t bytes[1024];
	size_t len;
};

static void start(struct page *p)
{
	*p = (struct page){.bytes = {0x00, 0x83}, .len = 4};
}

static void add_raw(struct page *p, uint8_t code_set, uint8_t association, uint8_t type,
		    const void *id, size_t len)
{
	uint8_t *d = p->bytes + p->len;

	d[0] = code_set;
	d[1] = (uint8_t)(association << 4 | type);
	d[3] = (uint8_t)len;
	memcpy(d + 4, id, len);
	p->len += 4 + len;
	p->bytes[2] = (uint8_t)((p->len - 4) >> 8);
	p->bytes[3] = (uint8_t)(p->len - 4);
}

#define LUN  0
#define PORT 1

#define add_hex(p, association, type, ...)                                                         \
	add_raw(p, 1, association, type, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))
#define add_text(p, type, text) add_raw(p, 2, LUN, type, text, sizeof(text) - 1)

#define NAA_6 0x60, 0x01, 0x40, 0x5b, 0x92, 0x2f, 0xf6, 0x7a, 0, 0, 0, 0, 0, 0, 0, 0xAB
#define NAA_5 0x50, 0x01, 0x43, 0x80, 0x12, 0x34, 0x56, 0x78
#define NAA_2 0x20, 0x01, 0x43, 0x80, 0x12, 0x34, 0x56, 0x78
#define NAA_3 0x30, 0x01, 0x43, 0x80, 0x12, 0x34, 0x56, 0x78
#define EUI   0x00, 0x25, 0x38, 0x5a, 0x71, 0xb0, 0x00, 0x01

static void check(const struct page *p, const char *expected)
{
	char wwid[WWID_MAX];

	memset(wwid, 'x', sizeof(wwid));
	assert(scsi_wwid_from_vpd83(p->bytes, p->len, wwid));
	assert(!strcmp(wwid, expected));
}

static void check_none(const struct page *p)
{
	char wwid[WWID_MAX];

	assert(!scsi_wwid_from_vpd83(p->bytes, p->len, wwid));
}

/* From the least to the best: each one that is added wins over those before it. */
static void test_precedence(void)
{
	struct page p;

	start(&p);
	check_none(&p);
	add_text(&p, 0, "vendor specific");
	check_none(&p);
	add_hex(&p, LUN, 3, NAA_3);
	check(&p, "33001438012345678");
	add_text(&p, 1, "LIO-ORG disk:1234");
	check(&p, "1LIO-ORG_disk:1234");
	add_text(&p, 8, "iqn.2026-01.com.example:x");
	check(&p, "82026-01.com.example:x");
	add_hex(&p, LUN, 2, EUI);
	check(&p, "20025385a71b00001");
	add_hex(&p, LUN, 3, NAA_2);
	check(&p, "32001438012345678");
	add_hex(&p, LUN, 3, NAA_5);
	check(&p, "35001438012345678");
	add_hex(&p, LUN, 3, NAA_6);
	check(&p, "36001405b922ff67a00000000000000ab");
}

/* Of two equals the first counts: an array may list a second name for the same LUN. */
static void test_first_of_equals(void)
{
	struct page p;

	start(&p);
	add_hex(&p, LUN, 3, NAA_6);
	add_hex(&p, LUN, 3, 0x60, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	add_hex(&p, LUN, 3, NAA_5);
	check(&p, "36001405b922ff67a00000000000000ab");
}

/* Names of the target port and of the target device are the same for all LUNs behind them. */
static void test_only_the_lun(void)
{
	struct page p;

	start(&p);
	add_hex(&p, PORT, 3, NAA_6);
	add_hex(&p, 2, 3, NAA_6);
	add_hex(&p, 3, 3, NAA_6);
	check_none(&p);
	add_hex(&p, LUN, 3, NAA_5);
	check(&p, "35001438012345678");
}

/* sg3-utils-udev takes the locally assigned name last, as above; udev's own scsi_id takes it first.
 */
static void test_two_names(void)
{
	struct page p;

	start(&p);
	assert(!scsi_lun_is(p.bytes, p.len, ""));
	add_hex(&p, PORT, 3, NAA_5);
	add_hex(&p, LUN, 3, NAA_3);
	add_hex(&p, LUN, 2, EUI);
	assert(scsi_lun_is(p.bytes, p.len, "20025385a71b00001"));
	assert(scsi_lun_is(p.bytes, p.len, "33001438012345678"));
	assert(!scsi_lun_is(p.bytes, p.len, "3300143801234567"));
	assert(!scsi_lun_is(p.bytes, p.len, "35001438012345678"));
	assert(!scsi_lun_is(p.bytes, p.len, ""));
	assert(scsi_is_local_name("33001438012345678"));
	assert(!scsi_is_local_name("35001438012345678") && !scsi_is_local_name("3300143801234567"));
	/* None but that: what is worth less may be another LUN's, too. */
	add_hex(&p, LUN, 3, NAA_5);
	assert(!scsi_lun_is(p.bytes, p.len, "20025385a71b00001"));
	assert(scsi_lun_is(p.bytes, p.len, "33001438012345678"));
}

static void check_t10(const char *text, size_t len, const char *expected)
{
	struct page p;

	start(&p);
	add_raw(&p, 2, LUN, 1, text, len);
	if (expected)
		check(&p, expected);
	else
		check_none(&p);
}

#define T10(text, expected) check_t10(text, sizeof(text) - 1, expected)

/* Runs of blanks become one "_", none at the end, a NUL ends it. */
static void test_t10(void)
{
	T10("LIO-ORG disk0:1234-56", "1LIO-ORG_disk0:1234-56");
	T10("ATA     QEMU HARDDISK                       QM00001 ", "1ATA_QEMU_HARDDISK_QM00001");
	T10("Linux   scsi_debug      2000", "1Linux_scsi_debug_2000");
	T10("LIO-ORG disk0:1234\0", "1LIO-ORG_disk0:1234");
	T10("LIO-ORG a\tb\nc", "1LIO-ORG_a_b_c");
	/* Nothing but the vendor: every LUN of the array has that. */
	T10("LIO-ORG ", NULL);
	T10("LIO-ORG \0", NULL);
	T10("LIO-ORG         ", NULL);
	T10("LIO", NULL);
	/* A NUL ends the text: what is left of these is the vendor's name. */
	T10("LIO-ORG\0disk0:1234", NULL);
	T10("ACME\0\0\0\0disk0", NULL);
	T10("ACME    \0disk0", NULL);
	T10("", NULL);
}

/* A name's prefix is the type of the binary form; hex is lower case, an iqn is left as it is. */
static void test_names(void)
{
	struct page p;

	start(&p);
	add_text(&p, 8, "naa.6001405B922FF67A00000000000000AB\0\0\0");
	check(&p, "36001405b922ff67a00000000000000ab");
	start(&p);
	add_text(&p, 8, "eui.0025385A71B00001");
	check(&p, "20025385a71b00001");
	start(&p);
	add_text(&p, 8, "iqn.2026-01.com.example:Disk,L,0x0001\0\0");
	check(&p, "82026-01.com.example:Disk,L,0x0001");
	start(&p);
	add_text(&p, 8, "uuid.1234");
	add_text(&p, 8, "naa.");
	add_text(&p, 8, "naa.\0\0\0\0");
	add_text(&p, 8, "na");
	check_none(&p);
}

/* A designator of the wrong length is not what it says. */
static void test_wrong_lengths(void)
{
	struct page p;

	start(&p);
	add_hex(&p, LUN, 3, 0x60, 0x01, 0x40, 0x5b, 0, 0, 0, 0);
	add_hex(&p, LUN, 3, NAA_5, 0, 0, 0, 0, 0, 0, 0, 0);
	add_hex(&p, LUN, 3, 0x50);
	add_hex(&p, LUN, 2, 0x00, 0x25);
	add_hex(&p, LUN, 3, 0x90, 0, 0, 0, 0, 0, 0, 0);
	add_raw(&p, 1, LUN, 3, "", 0);
	add_raw(&p, 1, LUN, 2, "", 0);
	add_raw(&p, 1, LUN, 8, "", 0);
	check_none(&p);
	/* EUI-64 has three lengths. */
	add_hex(&p, LUN, 2, EUI, 1, 2, 3, 4);
	check(&p, "20025385a71b0000101020304");
	start(&p);
	add_hex(&p, LUN, 2, EUI, 1, 2, 3, 4, 5, 6, 7, 8);
	check(&p, "20025385a71b000010102030405060708");
}

/* Other types (port group, LU group, MD5, UUID, reserved) name nothing that we use. */
static void test_other_types(void)
{
	struct page p;
	unsigned int type;

	start(&p);
	for (type = 4; type < 16; type++)
		if (type != 8)
			add_hex(&p, LUN, (uint8_t)type, NAA_6);
	check_none(&p);
}

/* In memory of just this size: the sanitizer sees a look behind it. */
static bool cut_at(const struct page *p, size_t len, char wwid[WWID_MAX])
{
	uint8_t *bytes = malloc(len ? len : 1);
	bool found;

	assert(bytes);
	memcpy(bytes, p->bytes, len);
	found = scsi_wwid_from_vpd83(bytes, len, wwid);
	free(bytes);
	return found;
}

/* A page that is cut, or promises more than it has, gives what is whole. */
static void test_hostile_lengths(void)
{
	char wwid[WWID_MAX];
	struct page p;
	size_t len;

	start(&p);
	add_hex(&p, LUN, 3, NAA_5);
	add_hex(&p, LUN, 3, NAA_6);
	for (len = 0; len < 4 + 12; len++)
		assert(!cut_at(&p, len, wwid));
	for (; len < p.len; len++) {
		assert(cut_at(&p, len, wwid));
		assert(!strcmp(wwid, "35001438012345678"));
	}
	check(&p, "36001405b922ff67a00000000000000ab");

	p.bytes[2] = 0xff; /* page length */
	check(&p, "36001405b922ff67a00000000000000ab");
	p.bytes[4 + 12 + 3] = 0xff; /* length of the second designator */
	check(&p, "35001438012345678");
	p.bytes[4 + 3] = 0xff;
	check_none(&p);
	p.bytes[1] = 0x80; /* another page */
	check_none(&p);
}

/* The longest text there can be fits. */
static void test_longest(void)
{
	char wwid[WWID_MAX];
	char text[255];
	struct page p;

	memset(text, 'x', sizeof(text));
	start(&p);
	add_raw(&p, 2, LUN, 1, text, 254);
	assert(scsi_wwid_from_vpd83(p.bytes, p.len, wwid) && strlen(wwid) == 255);
	/* Cut, it might be another LUN's as well. */
	start(&p);
	add_raw(&p, 2, LUN, 1, text, 255);
	check_none(&p);
}

/* What another gateway, or an XCOPY, may call the LUN: all its names, none of the ports'. */
static void test_designators(void)
{
	struct lun_names names;
	struct page p;
	char text[255];

	start(&p);
	add_hex(&p, PORT, 3, NAA_5);
	add_hex(&p, LUN, 3, NAA_6);
	add_hex(&p, PORT, 4, 0, 0, 0, 1);
	add_text(&p, 1, "LIO-ORG disk");
	scsi_lun_designators(p.bytes, p.len, &names);
	assert(names.len == 20 + 16);
	assert(!memcmp(names.data, (uint8_t[]){1, 3, 0, 16, NAA_6}, 20));
	assert(!memcmp(names.data + 20, "\x02\x01\0\x0cLIO-ORG disk", 16));

	/* Cut off by the target: only what is whole. */
	scsi_lun_designators(p.bytes, p.len - 1, &names);
	assert(names.len == 20);
	scsi_lun_designators(p.bytes, 3, &names);
	assert(names.len == 0);

	/* No room for one leaves the others. */
	memset(text, 'x', sizeof(text));
	start(&p);
	add_hex(&p, LUN, 3, NAA_5);
	add_raw(&p, 2, LUN, 1, text, LUN_NAMES_MAX - 4 - 12 + 1);
	add_hex(&p, LUN, 3, NAA_6);
	scsi_lun_designators(p.bytes, p.len, &names);
	assert(names.len == 12 + 20 && names.data[12 + 4] == 0x60);
}

static void test_capacity(void)
{
	uint8_t data[32] = {0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0x10, 0};
	uint64_t nr_blocks;
	uint32_t block_size;

	assert(scsi_capacity_decode(data, 32, &nr_blocks, &block_size));
	assert(nr_blocks == 0x80000001 && block_size == 4096);
	assert(scsi_capacity_decode(data, 12, &nr_blocks, &block_size));
	assert(!scsi_capacity_decode(data, 11, &nr_blocks, &block_size));
	assert(!scsi_capacity_decode(data, 0, &nr_blocks, &block_size));
	/* More blocks than can be counted; blocks of no bytes. */
	memset(data, 0xff, 8);
	assert(!scsi_capacity_decode(data, 32, &nr_blocks, &block_size));
	data[7] = 0xfe;
	assert(scsi_capacity_decode(data, 32, &nr_blocks, &block_size));
	assert(nr_blocks == UINT64_MAX);
	memset(data + 8, 0, 4);
	assert(!scsi_capacity_decode(data, 32, &nr_blocks, &block_size));
}

/* What an array calls itself is written on terminals and into logs. */
static void test_texts_are_text(void)
{
	char text[9];

	scsi_copy_text(text, sizeof(text), (const uint8_t *)"A\033[2J\n\xe9Z", 8);
	assert(!strcmp(text, "A [2J  Z"));
	scsi_copy_text(text, sizeof(text), (const uint8_t *)"AB\0    ", 7);
	assert(!strcmp(text, "AB"));
	scsi_copy_text(text, sizeof(text), (const uint8_t *)"too long as it is", 17);
	assert(!strcmp(text, "too long"));
}

static void test_our_own_lun_is_recognised(void)
{
	uint8_t data[96] = {0};

	assert(!scsi_inquiry_is_ours(data, sizeof(data)));
	memcpy(data + 36, "tcmu-mpath", 10);
	assert(scsi_inquiry_is_ours(data, sizeof(data)));
	assert(scsi_inquiry_is_ours(data, 46));
	assert(!scsi_inquiry_is_ours(data, 45));
	assert(!scsi_inquiry_is_ours(data, 0));
}

int main(void)
{
	test_precedence();
	test_first_of_equals();
	test_only_the_lun();
	test_two_names();
	test_t10();
	test_names();
	test_wrong_lengths();
	test_other_types();
	test_hostile_lengths();
	test_longest();
	test_designators();
	test_capacity();
	test_texts_are_text();
	test_our_own_lun_is_recognised();
	return 0;
}
