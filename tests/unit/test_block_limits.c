/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two ways to one LUN with different limits: what an initiator may rely on, field by field, with
 * what SBC-5 6.6.4 means by 0; and what becomes of it where commands cannot carry as much.
 */
#include <assert.h>
#include <string.h>

#include "mpath/scsi.h"

#define ALL_ONES UINT32_MAX

static void put(struct lun_page *page, unsigned int at, unsigned int len, uint64_t value)
{
	for (unsigned int i = len; i > 0; i--, value >>= 8)
		page->data[at + i - 1] = (uint8_t)value;
}

static uint64_t get(const struct lun_page *page, unsigned int at, unsigned int len)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < len; i++)
		value = value << 8 | page->data[at + i];
	return value;
}

/* A page with nothing but this field. */
static struct lun_page with(unsigned int at, unsigned int len, uint64_t value)
{
	struct lun_page page = {.len = 64, .data = {0x00, 0xb0, 0x00, 60}};

	put(&page, at, len, value);
	return page;
}

static struct lun_page narrow(struct lun_page a, struct lun_page b)
{
	scsi_limits_narrow(&a, &b);
	return a;
}

static bool same(const struct lun_page *a, const struct lun_page *b)
{
	return a->len == b->len && memcmp(a->data, b->data, sizeof(a->data)) == 0;
}

/* Whose page comes first makes no difference, and nothing else is touched. */
static void in_common(unsigned int at, unsigned int len, uint64_t a, uint64_t b, uint64_t expected)
{
	const struct lun_page one = with(at, len, a), other = with(at, len, b);
	const struct lun_page want = with(at, len, expected);
	struct lun_page got = narrow(one, other);

	assert(same(&got, &want));
	got = narrow(other, one);
	assert(same(&got, &want));
	got = narrow(one, one);
	assert(same(&got, &one));
}

/* 0: any number will do. */
static void a_limit(unsigned int at, unsigned int len, uint64_t high)
{
	in_common(at, len, 1, high, 1);
	in_common(at, len, high, high + 1, high);
	in_common(at, len, 0, high, high);
	in_common(at, len, 0, 0, 0);
}

/* 0: there is no such command. */
static void a_supported_length(unsigned int at, unsigned int len, uint64_t high)
{
	in_common(at, len, 1, high, 1);
	in_common(at, len, high, high + 1, high);
	in_common(at, len, 0, high, 0);
	in_common(at, len, 0, 0, 0);
}

/* 0: it is not reported. */
static void advice(unsigned int at, unsigned int len, uint64_t high)
{
	in_common(at, len, 1, high, 0);
	in_common(at, len, high, high + 1, 0);
	in_common(at, len, 0, high, 0);
	in_common(at, len, high, high, high);
}

static void test_fields(void)
{
	in_common(4, 1, 0, 1, 1); /* WSNZ */
	in_common(4, 1, 0, 0, 0);
	a_supported_length(5, 1, 0xfe);		 /* COMPARE AND WRITE */
	advice(6, 2, 0x100);			 /* optimal transfer length granularity */
	a_limit(8, 4, 0xff000000);		 /* transfer length */
	a_limit(12, 4, 0x10000);		 /* optimal transfer length */
	a_limit(16, 4, 0xff000000);		 /* prefetch length */
	a_supported_length(20, 4, ALL_ONES - 1); /* UNMAP, blocks */
	a_supported_length(24, 4, ALL_ONES - 1); /* UNMAP, descriptors */
	advice(28, 4, 0x10000);			 /* its granularity */
	advice(32, 4, 0x80000007);		 /* its alignment */
	a_limit(36, 8, 0x8000000000);		 /* WRITE SAME */
	a_supported_length(44, 4, 0x10000);	 /* WRITE ATOMIC */
	a_supported_length(56, 4, 0x10000);	 /* in several parts */
	a_supported_length(60, 4, 0x10000);	 /* one part */
}

/* Half of it would be about other blocks than what either of them means. */
static void test_granularity_and_alignment_are_a_pair(void)
{
	struct lun_page a = with(28, 4, 16), b = with(28, 4, 16);

	put(&a, 32, 4, 0x80000003);
	put(&b, 32, 4, 0x80000004);
	b = narrow(a, b);
	assert(get(&b, 28, 8) == 0);
}

static struct lun_page atomic(uint32_t alignment, uint32_t granularity)
{
	struct lun_page page = with(44, 4, 64);

	put(&page, 48, 4, alignment);
	put(&page, 52, 4, granularity);
	put(&page, 56, 4, 64);
	put(&page, 60, 4, 16);
	return page;
}

/* No length is right where grains of another size, or from another block on, are asked for. */
static void test_atomic_writes(void)
{
	const struct lun_page none = with(44, 4, 0), a = atomic(8, 4);
	struct lun_page b = atomic(8, 4);

	put(&b, 44, 4, 32);
	b = narrow(a, b);
	assert(get(&b, 44, 4) == 32 && get(&b, 48, 4) == 8 && get(&b, 52, 4) == 4);
	assert(get(&b, 56, 4) == 64 && get(&b, 60, 4) == 16);
	b = narrow(a, atomic(8, 5));
	assert(same(&b, &none));
	b = narrow(atomic(7, 4), a);
	assert(same(&b, &none));
	b = narrow(none, a);
	assert(same(&b, &none));
}

/* What is behind a page's end is none of it. */
static void test_short_pages(void)
{
	struct lun_page full = with(5, 1, 9), got;
	const struct lun_page missing = {.len = 0, .data = {[5] = 1, [36] = 1}};
	struct lun_page sbc2 = with(8, 4, 100);

	put(&full, 36, 8, 77);
	sbc2.len = 16;
	put(&sbc2, 20, 4, 5);
	put(&full, 20, 4, 6);
	got = narrow(full, sbc2);
	assert(got.len == 64 && get(&got, 5, 1) == 0 && get(&got, 8, 4) == 100);
	assert(get(&got, 20, 4) == 0 && get(&got, 36, 8) == 77);
	got = narrow(sbc2, full);
	assert(got.len == 64 && get(&got, 5, 1) == 0 && get(&got, 8, 4) == 100);
	assert(get(&got, 20, 4) == 0 && get(&got, 36, 8) == 77);
	got = narrow(full, missing);
	assert(got.len == 64 && get(&got, 5, 1) == 0 && get(&got, 36, 8) == 77);
	got = narrow(missing, missing);
	assert(got.len == 0);
	sbc2.len = 255; /* a length that our own code would never keep */
	got = narrow(full, sbc2);
	assert(got.len == 64 && get(&got, 20, 4) == 5);
}

static void test_transfer_in_bytes(void)
{
	struct lun_page page = with(8, 4, ALL_ONES);

	assert(scsi_limits_transfer(&page, 4096) == (uint64_t)ALL_ONES * 4096);
	page.len = 12;
	assert(scsi_limits_transfer(&page, 512) == (uint64_t)ALL_ONES * 512);
	page.len = 11;
	assert(scsi_limits_transfer(&page, 512) == 0);
}

static struct lun_page fit(struct lun_page page, uint64_t max_bytes)
{
	scsi_limits_fit(&page, 4096, max_bytes);
	return page;
}

static uint64_t fitting_caw(uint8_t blocks, uint64_t max_bytes)
{
	const struct lun_page page = fit(with(5, 1, blocks), max_bytes);

	return get(&page, 5, 1);
}

/* More blocks than the field can say. */
static void test_everything_is_carried(void)
{
	const struct lun_page page = fit(with(8, 4, 0), (uint64_t)4096 << 32);

	assert(get(&page, 8, 4) == ALL_ONES);
}

/* It brings two blocks for each one that it writes. */
static void test_compare_and_write_is_carried(void)
{
	struct lun_page page = with(5, 1, 9);

	assert(fitting_caw(255, 0) == 255);
	assert(fitting_caw(255, UINT64_MAX) == 255);
	assert(fitting_caw(255, 510 * 4096) == 255);
	assert(fitting_caw(255, 510 * 4096 - 1) == 254);
	assert(fitting_caw(1, 2 * 4096) == 1);
	assert(fitting_caw(1, 2 * 4096 - 1) == 0);
	put(&page, 8, 4, 7); /* the other ports take no more in a command */
	page = fit(page, 0);
	assert(get(&page, 5, 1) == 7);
}

/* Never above the transfer length, and in whole grains. */
static void test_atomic_writes_are_carried(void)
{
	struct lun_page page = fit(atomic(8, 4), 64 * 4096);

	assert(get(&page, 44, 4) == 64 && get(&page, 56, 4) == 64);
	page = fit(atomic(8, 4), 63 * 4096);
	assert(get(&page, 44, 4) == 60 && get(&page, 56, 4) == 60 && get(&page, 60, 4) == 16);
	page = fit(atomic(0, 0), 63 * 4096);
	assert(get(&page, 44, 4) == 63);
	page = fit(atomic(8, 4), 3 * 4096);
	assert(get(&page, 44, 4) == 0 && get(&page, 56, 4) == 0);
	page = fit(atomic(8, 4), 0);
	assert(get(&page, 44, 4) == 64);
}

int main(void)
{
	test_fields();
	test_granularity_and_alignment_are_a_pair();
	test_atomic_writes();
	test_short_pages();
	test_transfer_in_bytes();
	test_everything_is_carried();
	test_compare_and_write_is_carried();
	test_atomic_writes_are_carried();
	return 0;
}
