/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sense data in both formats, cut, deferred and lying, and the sense that we make ourselves.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/scsi.h"

static void check(const uint8_t *sense, size_t len, uint8_t code, uint8_t key, uint8_t asc,
		  uint8_t ascq)
{
	struct scsi_sense s;

	assert(scsi_sense_decode(sense, len, &s));
	assert(s.response_code == code && s.key == key && s.asc == asc && s.ascq == ascq);
	assert(s.deferred == (code == 0x71 || code == 0x73));
}

static void check_invalid(const uint8_t *sense, size_t len)
{
	struct scsi_sense s;

	memset(&s, 0xff, sizeof(s));
	assert(!scsi_sense_decode(sense, len, &s));
	assert(s.response_code == 0 && s.key == 0 && s.asc == 0 && !s.deferred);
}

/* The same error in the four response codes; the VALID bit above them changes nothing. */
static void test_four_response_codes(void)
{
	uint8_t fixed[18] = {0x70, 0, 0x02, [7] = 10, [12] = 0x04, [13] = 0x0b};
	uint8_t descriptor[8] = {0x72, 0x02, 0x04, 0x0b};

	check(fixed, sizeof(fixed), 0x70, 2, 0x04, 0x0b);
	fixed[0] = 0xf0;
	check(fixed, sizeof(fixed), 0x70, 2, 0x04, 0x0b);
	fixed[0] = 0x71;
	check(fixed, sizeof(fixed), 0x71, 2, 0x04, 0x0b);
	check(descriptor, sizeof(descriptor), 0x72, 2, 0x04, 0x0b);
	descriptor[0] = 0xf3;
	check(descriptor, sizeof(descriptor), 0x73, 2, 0x04, 0x0b);
}

/* FILEMARK, EOM, ILI and the reserved bits beside the key are no part of it. */
static void test_key_is_four_bits(void)
{
	const uint8_t fixed[18] = {0x70, 0, 0xf6, [7] = 10, [12] = 0x29};
	const uint8_t descriptor[8] = {0x72, 0xf6, 0x29, 0x00};

	check(fixed, sizeof(fixed), 0x70, 6, 0x29, 0);
	check(descriptor, sizeof(descriptor), 0x72, 6, 0x29, 0);
}

/* Behind the end nothing is read (ASan watches), wherever that is. */
static void test_each_length(void)
{
	static const uint8_t fixed[18] = {0x70, 0, 0x05, [7] = 10, [12] = 0x24, [13] = 0x01};
	static const uint8_t descriptor[18] = {0x72, 0x05, 0x24, 0x01, [7] = 10};
	struct scsi_sense s;

	for (size_t len = 0; len <= sizeof(fixed); len++) {
		uint8_t *bytes = malloc(len ? len : 1);

		assert(bytes);
		memcpy(bytes, fixed, len);
		assert(scsi_sense_decode(bytes, len, &s) == (len >= 3));
		assert(s.asc == (len > 12 ? 0x24 : 0) && s.ascq == (len > 13));
		memcpy(bytes, descriptor, len);
		assert(scsi_sense_decode(bytes, len, &s) == (len >= 2));
		assert(s.asc == (len > 2 ? 0x24 : 0) && s.ascq == (len > 3));
		free(bytes);
	}
}

/* Sense that is cut gives what is there. */
static void test_truncated(void)
{
	const uint8_t fixed[18] = {0x70, 0, 0x05, [7] = 10, [12] = 0x24, [13] = 0x01};
	const uint8_t descriptor[4] = {0x72, 0x05, 0x24, 0x01};

	check_invalid(fixed, 0);
	check_invalid(fixed, 1);
	check_invalid(fixed, 2);
	check(fixed, 3, 0x70, 5, 0, 0);
	check(fixed, 8, 0x70, 5, 0, 0);
	check(fixed, 12, 0x70, 5, 0, 0);
	check(fixed, 13, 0x70, 5, 0x24, 0);
	check(fixed, 14, 0x70, 5, 0x24, 0x01);
	check_invalid(descriptor, 1);
	check(descriptor, 2, 0x72, 5, 0, 0);
	check(descriptor, 3, 0x72, 5, 0x24, 0);
	check(descriptor, 4, 0x72, 5, 0x24, 0x01);
}

/* The additional length says where the sense ends; it may also promise more than came. */
static void test_additional_length(void)
{
	uint8_t fixed[18] = {0x70, 0, 0x05, [7] = 4, [12] = 0x24, [13] = 0x01};
	uint8_t descriptor[8] = {0x72, 0x05, 0x24, 0x01, [7] = 0xff};

	check(fixed, sizeof(fixed), 0x70, 5, 0, 0);
	check(fixed, 13, 0x70, 5, 0, 0);
	fixed[7] = 5;
	check(fixed, sizeof(fixed), 0x70, 5, 0x24, 0);
	fixed[7] = 0xff;
	check(fixed, sizeof(fixed), 0x70, 5, 0x24, 0x01);
	check(descriptor, sizeof(descriptor), 0x72, 5, 0x24, 0x01);
}

/* What is not 70h to 73h is no sense; a target that sends zeros has none. */
static void test_not_sense(void)
{
	uint8_t bytes[18] = {0};
	unsigned int code;

	for (code = 0; code < 256; code++) {
		bytes[0] = (uint8_t)code;
		if ((code & 0x7f) >= 0x70 && (code & 0x7f) <= 0x73)
			continue;
		check_invalid(bytes, sizeof(bytes));
	}
}

/* Our own sense: fixed, CHECK CONDITION, nothing transferred, nothing left of what was before. */
static void test_sense_set(void)
{
	struct scsi_result result;

	memset(&result, 0xff, sizeof(result));
	scsi_sense_set(&result, 4096, 0x05, 0x24, 0x03);
	assert(result.transport == TRANSPORT_OK && result.status == SAM_CHECK_CONDITION);
	assert(result.sense_len == 18 && result.residual == 4096);
	assert(!memcmp(result.sense, (uint8_t[18]){0x70, 0, 5, [7] = 10, [12] = 0x24, [13] = 3},
		       18));
	check(result.sense, result.sense_len, 0x70, 5, 0x24, 0x03);
}

static void check_text(const struct scsi_sense *sense, const char *expected)
{
	char text[160];
	struct strbuf sb;

	strbuf_init(&sb, text, sizeof(text));
	scsi_sense_text(sense, &sb);
	assert(!strcmp(text, expected));
}

/* Words for logs, with the numbers that a support case needs. */
static void test_text(void)
{
	check_text(&(struct scsi_sense){0x70, 2, 0x04, 0x0b, false},
		   "Not Ready 02/04/0b: "
		   "Logical unit not accessible, target port in standby state");
	check_text(&(struct scsi_sense){0x73, 3, 0x0c, 0x00, true},
		   "deferred Medium Error 03/0c/00: Write error");
	check_text(&(struct scsi_sense){0}, "no sense data");
	/* A vendor's own code has numbers only. */
	check_text(&(struct scsi_sense){0x70, 5, 0x94, 0x01, false},
		   "Illegal Request 05/94/01: vendor specific ASC=94, ASCQ=01 (hex)");
}

/* Only the VALID bit goes, and only where the field names another block than the READ's first. */
static void test_hide_progress(void)
{
	const uint8_t fixed[18] = {0xf0, 0, 0x03, 0, 0, 0x12, 0x34, 10, [12] = 0x11};
	/* clang-format off */
	const uint8_t descriptor[32] = {
		0x72, 0x03, 0x11, 0, [7] = 24,
		[8] = 0x80, 10,				       /* somebody else's descriptor */
		[20] = 0x00, 10, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34};
	/* clang-format on */
	uint8_t sense[32], expected[32];
	size_t len;

	memcpy(sense, fixed, sizeof(fixed));
	scsi_sense_hide_progress(sense, sizeof(fixed), 0x1234);
	assert(!memcmp(sense, fixed, sizeof(fixed)));
	scsi_sense_hide_progress(sense, sizeof(fixed), 0x1230);
	memcpy(expected, fixed, sizeof(fixed));
	expected[0] = 0x70;
	assert(!memcmp(sense, expected, sizeof(fixed)));

	memcpy(sense, descriptor, sizeof(sense));
	scsi_sense_hide_progress(sense, sizeof(sense), 0x1234);
	assert(!memcmp(sense, descriptor, sizeof(sense)));
	scsi_sense_hide_progress(sense, sizeof(sense), 0x1230);
	memcpy(expected, descriptor, sizeof(expected));
	expected[22] = 0;
	assert(!memcmp(sense, expected, sizeof(sense)));

	/* Whatever is cut or lies: nothing is read or written beyond the end. */
	for (len = 0; len < sizeof(sense); len++) {
		memcpy(sense, descriptor, sizeof(sense));
		scsi_sense_hide_progress(sense, len, 0);
		assert(!memcmp(sense + len, descriptor + len, sizeof(sense) - len));
	}
	memset(sense, 0xff, sizeof(sense));
	sense[0] = 0x72;
	scsi_sense_hide_progress(sense, sizeof(sense), 0);

	/* Of another length than 0Ah it is no Information descriptor: the next one's bytes were
	 * changed. */
	memcpy(sense, descriptor, sizeof(sense));
	sense[21] = 0;
	memcpy(expected, sense, sizeof(sense));
	scsi_sense_hide_progress(sense, sizeof(sense), 0x1230);
	assert(!memcmp(sense, expected, sizeof(sense)));
}

int main(void)
{
	test_four_response_codes();
	test_key_is_four_bits();
	test_each_length();
	test_truncated();
	test_additional_length();
	test_not_sense();
	test_sense_set();
	test_hide_progress();
	test_text();
	return 0;
}
