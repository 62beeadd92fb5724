/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as sense: what is made of them is what libsgutils2 makes of them, can be put into
 * words, and leads to a verdict.
 *
 * fuzz parses: scsi/sense.c core/verdict.c
 * fuzz runs: 200000
 */
#include <assert.h>
#include <scsi/sg_lib.h>
#include <stdlib.h>
#include <string.h>

#include "core/verdict.h"
#include "mpath/scsi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Its own length check is only half there: what lies behind the additional length is cut here. */
static void check_against_sgutils(const uint8_t *sense, size_t len, const struct scsi_sense *ours)
{
	struct sg_scsi_sense_hdr theirs;

	assert(sg_scsi_normalize_sense(sense, (int)len, &theirs));
	assert(theirs.response_code == ours->response_code);
	assert(theirs.sense_key == ours->key);
	assert(theirs.asc == ours->asc && theirs.ascq == ours->ascq);
}

static void check_words(const struct scsi_sense *sense, size_t room)
{
	char *text = malloc(room);
	struct strbuf out;

	assert(text);
	strbuf_init(&out, text, room);
	scsi_sense_text(sense, &out);
	assert(strlen(text) == out.len && out.len < room);
	assert(room < 160 || (out.len && !out.truncated));
	for (size_t i = 0; i < out.len; i++)
		assert(text[i] >= ' ' && text[i] <= '~');
	free(text);
}

static void check_decode(const uint8_t *bytes, size_t len)
{
	uint8_t *sense = malloc(len ? len : 1);
	struct scsi_sense out;

	assert(sense);
	memcpy(sense, bytes, len);
	memset(&out, 0xff, sizeof(out));
	if (scsi_sense_decode(sense, len, &out)) {
		assert(out.response_code >= 0x70 && out.response_code <= 0x73);
		assert(out.response_code == (sense[0] & 0x7f));
		assert(out.deferred == (out.response_code & 1) && out.key < 16);
		check_against_sgutils(sense, len, &out);
	} else {
		assert(!out.response_code && !out.key && !out.asc && !out.ascq && !out.deferred);
		assert(len < 3 || (sense[0] & 0x7c) != 0x70);
	}
	check_words(&out, 160);
	check_words(&out, 1 + len % 40);
	free(sense);
}

/* The sense that we make says what it was asked to say. */
static void check_set(const uint8_t *bytes, size_t len)
{
	struct scsi_result result;
	struct scsi_sense sense;

	if (len < 3)
		return;
	scsi_sense_set(&result, 512, bytes[0] & 0xf, bytes[1], bytes[2]);
	assert(result.transport == TRANSPORT_OK && result.status == SAM_CHECK_CONDITION);
	assert(result.residual == 512 && result.sense_len <= sizeof(result.sense));
	assert(scsi_sense_decode(result.sense, result.sense_len, &sense));
	assert(sense.key == (bytes[0] & 0xf) && sense.asc == bytes[1] && sense.ascq == bytes[2]);
}

static void check_verdict(const uint8_t *bytes, size_t len)
{
	struct scsi_result result = {0};
	struct verdict verdict;

	if (len < 2)
		return;
	result.transport = bytes[0] < 0x80 ? TRANSPORT_OK : bytes[0] % (TRANSPORT_FAULT + 1);
	result.status = bytes[0] & 1 ? SAM_CHECK_CONDITION : bytes[1];
	len -= 2;
	result.sense_len = (uint8_t)(len < SCSI_SENSE_MAX ? len : SCSI_SENSE_MAX);
	memcpy(result.sense, bytes + 2, result.sense_len);
	verdict = judge(&result);
	assert(verdict.verdict >= IO_DONE && verdict.verdict <= IO_CANNOT_CARRY);
	if (verdict.verdict != IO_DONE)
		assert(verdict.why && verdict.why[0]);
	if (transport_never_sent(result.transport))
		assert(!verdict.may_have_run && verdict.verdict != IO_DONE);
	if (result.transport == TRANSPORT_OK && result.status == SAM_GOOD)
		assert(verdict.verdict == IO_DONE);
}

/* Hiding how far a command came takes at most that away, and once is enough. */
static void check_hide_progress(const uint8_t *bytes, size_t len)
{
	uint64_t lba = len ? bytes[len - 1] : 0;
	uint8_t *sense = malloc(len ? len : 1), *once = malloc(len ? len : 1);
	struct scsi_sense before, after;

	assert(sense && once);
	memcpy(sense, bytes, len);
	scsi_sense_hide_progress(sense, len, lba);
	if (scsi_sense_decode(bytes, len, &before)) {
		assert(scsi_sense_decode(sense, len, &after));
		assert(before.key == after.key && before.asc == after.asc &&
		       before.ascq == after.ascq);
	}
	memcpy(once, sense, len);
	scsi_sense_hide_progress(sense, len, lba);
	assert(!memcmp(once, sense, len));
	free(once);
	free(sense);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_hide_progress(data, size);
	check_decode(data, size);
	check_set(data, size);
	check_verdict(data, size);
	return 0;
}
