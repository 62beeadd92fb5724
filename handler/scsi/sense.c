/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sense data: what a target says about a command that it did not complete as usual.
 *
 * SPC has two formats, fixed (70h, 71h) and descriptor (72h, 73h); the odd codes are deferred
 * errors, which are about a command that was answered before.  Sense comes from the wire: it may
 * be cut, or lie about its length.
 */
#include <scsi/sg_lib.h>
#include <string.h>

#include "mpath/scsi.h"

#define SENSE_FIXED		   0x70
#define SENSE_FIXED_DEFERRED	   0x71
#define SENSE_DESCRIPTOR	   0x72
#define SENSE_DESCRIPTOR_DEFERRED  0x73
#define SENSE_FIXED_LEN		   18
#define SENSE_DESCRIPTOR_LEN	   8
#define DESCRIPTOR_INFORMATION	   0x00
#define DESCRIPTOR_INFORMATION_LEN 0x0a

static bool decode_fixed(const uint8_t *sense, size_t len, struct scsi_sense *out)
{
	size_t end = len;

	if (len < 3)
		return false;
	/* Byte 7 counts the bytes after it; what lies behind them is not sense. */
	if (len > 7 && sense[7] + 8u < end)
		end = sense[7] + 8u;

	out->key = sense[2] & 0x0f;
	out->asc = end > 12 ? sense[12] : 0;
	out->ascq = end > 13 ? sense[13] : 0;
	return true;
}

static bool decode_descriptor(const uint8_t *sense, size_t len, struct scsi_sense *out)
{
	if (len < 2)
		return false;
	out->key = sense[1] & 0x0f;
	out->asc = len > 2 ? sense[2] : 0;
	out->ascq = len > 3 ? sense[3] : 0;
	return true;
}

bool scsi_sense_decode(const uint8_t *sense, size_t len, struct scsi_sense *out)
{
	uint8_t response_code = len > 0 ? sense[0] & 0x7f : 0;
	bool valid = false;

	*out = (struct scsi_sense){0};
	switch (response_code) {
	case SENSE_FIXED:
	case SENSE_FIXED_DEFERRED:
		valid = decode_fixed(sense, len, out);
		break;
	case SENSE_DESCRIPTOR:
	case SENSE_DESCRIPTOR_DEFERRED:
		valid = decode_descriptor(sense, len, out);
		break;
	}
	if (!valid)
		return false;
	out->response_code = response_code;
	out->deferred = response_code & 1;
	return true;
}

bool scsi_result_sense(const struct scsi_result *result, struct scsi_sense *sense)
{
	return result->transport == TRANSPORT_OK && result->status == SAM_CHECK_CONDITION &&
	       scsi_sense_decode(result->sense, result->sense_len, sense);
}

bool scsi_is_done(const struct scsi_result *result)
{
	struct scsi_sense sense;

	return scsi_result_is_good(result) ||
	       (scsi_result_sense(result, &sense) && sense.key == 0x01 && !sense.deferred);
}

bool scsi_has_no_room(const struct scsi_result *result)
{
	return result->transport == TRANSPORT_OK &&
	       (result->status == SAM_BUSY || result->status == SAM_TASK_SET_FULL);
}

bool scsi_is_deferred(const struct scsi_result *result)
{
	struct scsi_sense sense;

	return scsi_result_sense(result, &sense) && sense.deferred;
}

void scsi_sense_set(struct scsi_result *result, uint32_t data_len, uint8_t key, uint8_t asc,
		    uint8_t ascq)
{
	*result = (struct scsi_result){
		.transport = TRANSPORT_OK,
		.status = SAM_CHECK_CONDITION,
		.sense_len = SENSE_FIXED_LEN,
		.residual = data_len,
	};
	result->sense[0] = SENSE_FIXED;
	result->sense[2] = key;
	result->sense[7] = SENSE_FIXED_LEN - 8;
	result->sense[12] = asc;
	result->sense[13] = ascq;
}

void scsi_reply_sense(struct mpath_io *io, uint8_t key, uint8_t asc, uint8_t ascq)
{
	const uint8_t descriptor[SENSE_DESCRIPTOR_LEN] = {SENSE_DESCRIPTOR, key, asc, ascq};
	struct scsi_result fixed;

	if (io->cmd.cdb[1] & 0x01) { /* DESC */
		scsi_reply(io, descriptor, sizeof(descriptor));
		return;
	}
	scsi_sense_set(&fixed, 0, key, asc, ascq);
	scsi_reply(io, fixed.sense, fixed.sense_len);
}

static uint64_t get_be(const uint8_t *p, unsigned int width)
{
	uint64_t value = 0;

	while (width--)
		value = value << 8 | *p++;
	return value;
}

static bool is_information(const uint8_t *descriptor)
{
	return descriptor[0] == DESCRIPTOR_INFORMATION &&
	       descriptor[1] == DESCRIPTOR_INFORMATION_LEN;
}

static void hide_in_descriptors(uint8_t *sense, size_t len, uint64_t lba)
{
	size_t end = len > 7 && sense[7] + 8u < len ? sense[7] + 8u : len;
	size_t at;

	for (at = 8; at + 12 <= end; at += 2u + sense[at + 1])
		if (is_information(sense + at) && get_be(sense + at + 4, 8) != lba)
			sense[at + 2] &= 0x7f;
}

void scsi_sense_hide_progress(uint8_t *sense, size_t len, uint64_t lba)
{
	switch (len > 0 ? sense[0] & 0x7f : 0) {
	case SENSE_FIXED:
	case SENSE_FIXED_DEFERRED:
		if (len < 7 || get_be(sense + 3, 4) != lba)
			sense[0] &= 0x7f;
		return;
	case SENSE_DESCRIPTOR:
	case SENSE_DESCRIPTOR_DEFERRED:
		hide_in_descriptors(sense, len, lba);
		return;
	}
}

void scsi_sense_text(const struct scsi_sense *sense, struct strbuf *out)
{
	static const char prefix[] = "Additional sense: ";
	char key[40];
	char text[100];
	const char *start = text;

	if (sense->response_code == 0) {
		strbuf_printf(out, "no sense data");
		return;
	}
	sg_get_sense_key_str(sense->key, sizeof(key), key);
	sg_get_asc_ascq_str(sense->asc, sense->ascq, sizeof(text), text);
	if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
		start += sizeof(prefix) - 1;
	strbuf_printf(out, "%s%s %02x/%02x/%02x: %s", sense->deferred ? "deferred " : "", key,
		      sense->key, sense->asc, sense->ascq, start);
}
