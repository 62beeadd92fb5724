/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VPD page B0h, the block limits: those that hold whichever way a command takes.
 *
 * The ports of an array may differ, while its controllers get new firmware for example, and so may
 * the hosts before them.  An initiator sees one LUN with one page, so it is told what all of them
 * honour.  Where a page is too short for a field, or there is none, the field is 0 (SBC-5 6.6.4).
 */
#include <string.h>

#include "mpath/scsi.h"

#include "scsi/big_endian.h"

#define CAW_LENGTH	   5
#define TRANSFER_LENGTH	   8
#define OPTIMAL_LENGTH	   12
#define ATOMIC_LENGTH	   44
#define ATOMIC_ALIGNMENT   48 /* and granularity, behind it */
#define ATOMIC_GRANULARITY 52
#define ATOMIC_IN_PARTS	   56 /* the length, when there is a boundary */
#define SBC2_LEN	   16

/* What two ways to a LUN have in common. */
enum rule {
	LIMIT,	   /* the smaller number; 0 is "no limit is reported" */
	SUPPORTED, /* the smaller number; 0 is "there is no such command" */
	ADVICE,	   /* the number if both have it, else 0, "not reported" */
	REFUSED,   /* a bit: what one refuses is not for both */
};

/*
 * Who follows no advice is slower, or has less unmapped than he asked for, but is not refused.  So
 * where two granularities differ there is no need for a common multiple, which nobody has reported,
 * and beside other alignments there may be none.
 */
static const struct field {
	uint8_t at, len;
	enum rule rule;
} fields[] = {
	{4, 1, REFUSED}, /* WSNZ: WRITE SAME of 0 blocks */
	{CAW_LENGTH, 1, SUPPORTED},
	{6, 2, ADVICE}, /* OPTIMAL TRANSFER LENGTH GRANULARITY */
	{TRANSFER_LENGTH, 4, LIMIT},
	{OPTIMAL_LENGTH, 4, LIMIT},
	{16, 4, LIMIT},	    /* MAXIMUM PREFETCH LENGTH */
	{20, 4, SUPPORTED}, /* MAXIMUM UNMAP LBA COUNT */
	{24, 4, SUPPORTED}, /* MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT */
	{28, 8, ADVICE},    /* OPTIMAL UNMAP GRANULARITY and UNMAP GRANULARITY ALIGNMENT: a pair */
	{36, 8, LIMIT},	    /* MAXIMUM WRITE SAME LENGTH */
	{ATOMIC_LENGTH, 4, SUPPORTED},
	{ATOMIC_IN_PARTS, 4, SUPPORTED},
	{60, 4, SUPPORTED}, /* MAXIMUM ATOMIC BOUNDARY SIZE */
};

static uint64_t get_field(const uint8_t *page, const struct field *field)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < field->len; i++)
		value = value << 8 | page[field->at + i];
	return value;
}

static void put_field(uint8_t *page, const struct field *field, uint64_t value)
{
	for (unsigned int i = field->len; i > 0; i--, value >>= 8)
		page[field->at + i - 1] = (uint8_t)value;
}

static uint64_t in_common(enum rule rule, uint64_t a, uint64_t b)
{
	switch (rule) {
	case LIMIT:
		return a && (!b || a < b) ? a : b;
	case SUPPORTED:
		return a < b ? a : b;
	case ADVICE:
		return a == b ? a : 0;
	case REFUSED:
		return a | b;
	}
	return 0;
}

/* What is not there becomes 0. */
static void fill_up(struct lun_page *page)
{
	if (page->len > sizeof(page->data))
		page->len = sizeof(page->data);
	memset(page->data + page->len, 0, sizeof(page->data) - page->len);
}

/*
 * Atomic writes have to be aligned, and a maximum is a multiple of the granularity.  Where these
 * differ no number is right for both: then there is none, as from arrays without such a command.
 */
static bool aligns_alike(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a + ATOMIC_ALIGNMENT, b + ATOMIC_ALIGNMENT, 8) == 0;
}

void scsi_limits_narrow(struct lun_page *limits, const struct lun_page *other)
{
	struct lun_page to = *other;
	uint8_t *page = limits->data;

	fill_up(limits);
	fill_up(&to);
	if (limits->len < to.len)
		limits->len = to.len;
	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *f = &fields[i];

		put_field(page, f, in_common(f->rule, get_field(page, f), get_field(to.data, f)));
	}
	if (!aligns_alike(page, to.data))
		memset(page + ATOMIC_LENGTH, 0, sizeof(limits->data) - ATOMIC_LENGTH);
}

uint64_t scsi_limits_transfer(const struct lun_page *limits, uint32_t block_size)
{
	return limits->len < TRANSFER_LENGTH + 4
		       ? 0
		       : (uint64_t)get_be32(limits->data + TRANSFER_LENGTH) * block_size;
}

/* COMPARE AND WRITE brings each block twice: as it should be, and as it shall be. */
static void fit_to_carrier(uint8_t *page, uint64_t blocks)
{
	uint64_t max = blocks ? blocks : 1;

	if (max > UINT32_MAX)
		max = UINT32_MAX;
	put_be32(page + TRANSFER_LENGTH,
		 (uint32_t)in_common(LIMIT, get_be32(page + TRANSFER_LENGTH), max));
	if (page[CAW_LENGTH] > blocks / 2)
		page[CAW_LENGTH] = (uint8_t)(blocks / 2);
}

static void shorten(uint8_t *length, uint32_t max)
{
	if (get_be32(length) > max)
		put_be32(length, max);
}

/* SBC wants no other length above the maximum, and those of atomic writes to be whole grains. */
static void fit_to_transfer_length(uint8_t *page)
{
	uint32_t max = get_be32(page + TRANSFER_LENGTH);
	uint32_t grain = get_be32(page + ATOMIC_GRANULARITY);
	uint32_t atomic_max = grain ? max - max % grain : max;

	if (max == 0)
		return;
	shorten(page + OPTIMAL_LENGTH, max);
	if (page[CAW_LENGTH] > max)
		page[CAW_LENGTH] = (uint8_t)max;
	shorten(page + ATOMIC_LENGTH, atomic_max);
	shorten(page + ATOMIC_IN_PARTS, atomic_max);
}

void scsi_limits_fit(struct lun_page *limits, uint32_t block_size, uint64_t max_bytes)
{
	fill_up(limits);
	if (limits->len < SBC2_LEN)
		limits->len = sizeof(limits->data);
	if (max_bytes && block_size)
		fit_to_carrier(limits->data, max_bytes / block_size);
	fit_to_transfer_length(limits->data);
}
