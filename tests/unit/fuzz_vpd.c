/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as what an array tells of its LUN (page 83h, READ CAPACITY, INQUIRY, or all that was
 * kept of it), and any CDB asked of ours: nothing is read or written outside, a WWID is a word,
 * what the array says of itself does not shine through where ours has to stand, and of two ports'
 * limits it does not matter whose come first.
 *
 * fuzz parses: scsi/identity.c scsi/lun_pages.c scsi/block_limits.c
 * fuzz runs: 100000
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mpath/scsi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 600

static uint8_t *exact_copy(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert(copy);
	memcpy(copy, bytes, len);
	return copy;
}

/* --- what comes from the array --- */

static void check_wwid(const uint8_t *data, size_t len)
{
	uint8_t *page = exact_copy(data, len);
	char wwid[WWID_MAX];
	size_t wwid_len, declared;

	memset(wwid, 0xff, sizeof(wwid));
	if (scsi_wwid_from_vpd83(page, len, wwid)) {
		char again[WWID_MAX];

		assert(memchr(wwid, '\0', sizeof(wwid)));
		wwid_len = strlen(wwid);
		assert(wwid_len >= 1 && strchr("1238", wwid[0]));
		for (size_t i = 0; i < wwid_len; i++)
			assert(wwid[i] > ' ' && wwid[i] <= '~');
		/* What lies behind the page is not the page. */
		declared = 4 + (size_t)(page[2] << 8 | page[3]);
		assert(scsi_wwid_from_vpd83(page, declared < len ? declared : len, again));
		assert(!strcmp(wwid, again));
		assert(scsi_lun_is(page, len, wwid));
	}
	free(page);
}

/* What is kept of a page are whole designators. */
static void check_designators(const uint8_t *data, size_t len)
{
	uint8_t *page = exact_copy(data, len);
	struct lun_names names;
	size_t off = 0;

	scsi_lun_designators(page, len, &names);
	assert(names.len <= sizeof(names.data));
	while (off < names.len)
		off += 4 + (size_t)names.data[off + 3];
	assert(off == names.len);
	free(page);
}

static void check_capacity(const uint8_t *data, size_t len)
{
	uint8_t *bytes = exact_copy(data, len);
	uint64_t nr_blocks = 0;
	uint32_t block_size = 0;

	if (scsi_capacity_decode(bytes, len, &nr_blocks, &block_size))
		assert(nr_blocks && block_size && len >= 12);
	scsi_inquiry_is_ours(bytes, len);
	free(bytes);
}

static struct lun_page narrow(struct lun_page limits, const struct lun_page *other)
{
	scsi_limits_narrow(&limits, other);
	assert(limits.len <= sizeof(limits.data));
	return limits;
}

static bool is_narrow(const struct lun_page *limits, const struct lun_page *other)
{
	const struct lun_page again = narrow(*limits, other);

	return again.len == limits->len && !memcmp(again.data, limits->data, sizeof(again.data));
}

static void check_limits(const uint8_t *data, size_t len)
{
	struct lun_page pages[3], all, others;

	for (size_t i = 0; i < sizeof(pages); i++)
		((uint8_t *)pages)[i] = data[i % len];
	all = narrow(narrow(pages[0], &pages[1]), &pages[2]);
	others = narrow(pages[2], &pages[0]);
	others = narrow(pages[1], &others);
	assert(all.len == others.len && !memcmp(all.data + 4, others.data + 4, LUN_VPD_MAX - 4));
	for (unsigned int i = 0; i < 3; i++)
		assert(is_narrow(&all, &pages[i]));
	scsi_limits_fit(&all, data[0] * 256u, (uint64_t)data[0] << data[len - 1] % 64);
	assert(all.len >= 16 && all.len <= LUN_VPD_MAX);
	if (all.data[8] == 0 && all.data[9] == 0 && all.data[10] == 0 && all.data[11] != 0)
		assert(all.data[5] <= all.data[11]);
}

/* --- what our LUN answers --- */

struct question {
	struct mpath_io io;
	struct iovec iov[3];
	uint8_t *buf[3];
	size_t room;
	uint8_t flat[ROOM];
};

/* A buffer in three pieces, each with nothing but ASan's red zone behind it. */
static void ask(struct question *q, const uint8_t *cdb, size_t room)
{
	memset(q, 0, sizeof(*q));
	q->room = room;
	for (unsigned int i = 0; i < 3; i++) {
		size_t len = i < 2 ? room / 5 * i : room - room / 5;

		q->buf[i] = malloc(len ? len : 1);
		assert(q->buf[i]);
		memset(q->buf[i], 0xee, len);
		q->iov[i] = (struct iovec){q->buf[i], len};
	}
	memcpy(q->io.cmd.cdb, cdb, 16);
	q->io.cmd.cdb_len = 16;
	q->io.cmd.iov = q->iov;
	q->io.cmd.iov_cnt = 3;
	memset(&q->io.result, 0xff, sizeof(q->io.result));
}

static void gather(struct question *q)
{
	size_t at = 0;

	for (unsigned int i = 0; i < 3; i++) {
		memcpy(q->flat + at, q->buf[i], q->iov[i].iov_len);
		at += q->iov[i].iov_len;
		free(q->buf[i]);
	}
	assert(at == q->room);
}

static void check_answer(const struct question *q)
{
	const struct scsi_result *result = &q->io.result;
	size_t len;

	assert(result->transport == TRANSPORT_OK);
	assert(result->status == SAM_GOOD || result->status == SAM_CHECK_CONDITION);
	assert(result->residual <= q->io.cmd.data_len);
	len = q->io.cmd.data_len - result->residual;
	assert(result->status == SAM_GOOD || !len);
	for (size_t i = len; i < q->room; i++)
		assert(q->flat[i] == 0xee);
}

static void check_inquiry(const struct question *q)
{
	size_t len = q->io.cmd.data_len - q->io.result.residual;
	const uint8_t *cdb = q->io.cmd.cdb;

	if (cdb[0] != 0x12 || q->io.result.status != SAM_GOOD)
		return;
	if (!(cdb[1] & 1)) {
		if (len >= 8)
			assert(!(q->flat[5] & 0x31)); /* no ALUA, no protection information */
		if (len >= 46)
			assert(scsi_inquiry_is_ours(q->flat, len));
		return;
	}
	if (len >= 4) {
		assert(q->flat[1] == cdb[2]);
		assert(len <= 4u + (q->flat[2] << 8 | q->flat[3]));
		/* All of it comes when there is room. */
		assert(len == q->io.cmd.data_len ||
		       len == 4u + (size_t)(q->flat[2] << 8 | q->flat[3]));
	}
}

/* The identity is ours: an array with other pages makes no difference to it, but with
 * identity=array. */
static void check_identity(const struct question *q, const struct lun_identity *identity)
{
	const struct lun_facts unknown = {0};
	const uint8_t *cdb = q->io.cmd.cdb;
	struct question other;

	if (identity->is_the_arrays || cdb[0] != 0x12 || cdb[1] != 1 ||
	    (cdb[2] != 0x80 && cdb[2] != 0x83))
		return;
	ask(&other, cdb, q->room);
	other.io.cmd.data_len = q->io.cmd.data_len;
	assert(scsi_lun_answers(&other.io, &unknown, identity));
	gather(&other);
	assert(q->room < 1 || !memcmp(q->flat + 1, other.flat + 1, q->room - 1));
}

static void check_our_lun(const uint8_t *data, size_t size)
{
	struct {
		uint8_t cdb[16];
		uint8_t room[2];
		uint8_t data_len[2];
		uint8_t max_transfer[4];
		char name[20];
		char serial[60];
		struct lun_facts lun;
	} in = {0};
	struct lun_identity identity = {.name = in.name, .serial = in.serial};
	struct question q;
	size_t room;
	bool answered;

	/* Over and over, so that few bytes reach the far end, too. */
	for (size_t i = 0; i < sizeof(in); i++)
		((uint8_t *)&in)[i] = data[i % size];
	in.name[sizeof(in.name) - 1] = '\0';
	in.serial[sizeof(in.serial) - 1] = '\0';
	in.lun.known = data[size - 1] & 1;
	identity.is_the_arrays = data[size - 1] & 2;
	identity.limits = &in.lun.limits;
	identity.max_transfer_bytes = (uint64_t)in.max_transfer[0] << 24 | in.max_transfer[3];
	room = (size_t)(in.room[0] << 8 | in.room[1]) % ROOM;

	for (unsigned int capacity = 0; capacity < 2; capacity++) {
		ask(&q, in.cdb, room);
		q.io.cmd.data_len =
			room ? (size_t)(in.data_len[0] << 8 | in.data_len[1]) % room : 0;
		answered = capacity ? scsi_lun_answers_capacity(&q.io, &in.lun)
				    : scsi_lun_answers(&q.io, &in.lun, &identity);
		gather(&q);
		if (!answered)
			continue;
		check_answer(&q);
		check_inquiry(&q);
		if (!capacity)
			check_identity(&q, &identity);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	switch (data[0] % 4) {
	case 0:
		check_wwid(data + 1, size - 1);
		check_designators(data + 1, size - 1);
		return 0;
	case 1:
		check_capacity(data + 1, size - 1);
		if (size > 1)
			check_limits(data + 1, size - 1);
		return 0;
	}
	if (size > 1)
		check_our_lun(data + 1, size - 1);
	return 0;
}
