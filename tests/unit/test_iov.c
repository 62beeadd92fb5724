/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The initiator's buffer: our answers are spread over its pieces, and no stale byte stays in it.
 */
#include <assert.h>
#include <string.h>

#include "mpath/scsi.h"

struct world {
	char area[16];
	struct iovec iov[4];
	struct mpath_io io;
};

/* Sixteen stale bytes in pieces of 3, 0, 5 and 8. */
static void setup(struct world *w, size_t data_len)
{
	*w = (struct world){.io.cmd.iov_cnt = 4, .io.cmd.data_len = data_len};
	memset(w->area, '#', sizeof(w->area));
	w->iov[0] = (struct iovec){w->area, 3};
	w->iov[1] = (struct iovec){NULL, 0};
	w->iov[2] = (struct iovec){w->area + 3, 5};
	w->iov[3] = (struct iovec){w->area + 8, 8};
	w->io.cmd.iov = w->iov;
	memset(&w->io.result, 0xff, sizeof(w->io.result));
}

static void check_reply(struct world *w, const char *area, uint32_t residual)
{
	assert(!memcmp(w->area, area, sizeof(w->area)));
	assert(w->io.result.transport == TRANSPORT_OK && w->io.result.status == SAM_GOOD);
	assert(w->io.result.sense_len == 0 && w->io.result.residual == residual);
}

static void test_len(void)
{
	struct world w;

	setup(&w, 16);
	assert(scsi_iov_len(w.iov, 4) == 16);
	assert(scsi_iov_len(w.iov, 2) == 3);
	assert(scsi_iov_len(NULL, 0) == 0);
}

/* An answer goes into the pieces in order; what it leaves of data_len is the residual. */
static void test_reply(void)
{
	struct world w;

	setup(&w, 16);
	scsi_reply(&w.io, "abcdefghij", 10);
	check_reply(&w, "abcdefghij######", 6);

	setup(&w, 16);
	scsi_reply(&w.io, "abcdefghijklmnop", 16);
	check_reply(&w, "abcdefghijklmnop", 0);

	setup(&w, 16);
	scsi_reply(&w.io, "", 0);
	check_reply(&w, "################", 16);
}

/* The allocation length cuts the answer: that is no residual. */
static void test_reply_is_cut(void)
{
	struct world w;

	setup(&w, 4);
	scsi_reply(&w.io, "abcdefghij", 10);
	check_reply(&w, "abcd############", 0);

	setup(&w, 0);
	scsi_reply(&w.io, "abcdefghij", 10);
	check_reply(&w, "################", 0);
}

/* A buffer that is shorter than data_len says is our own mistake, but nobody's memory. */
static void test_reply_stays_in_the_buffer(void)
{
	struct world w;

	setup(&w, 100);
	scsi_reply(&w.io, "abcdefghijklmnopqrst", 20);
	check_reply(&w, "abcdefghijklmnop", 84);
}

static void check_zero_from(size_t from, const char *area)
{
	struct world w;

	setup(&w, 16);
	scsi_iov_zero_from(w.iov, 4, from);
	assert(!memcmp(w.area, area, sizeof(w.area)));
}

/* Cleared from a byte on, wherever a piece begins or ends. */
static void test_zero_from(void)
{
	check_zero_from(0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	check_zero_from(2, "##\0\0\0\0\0\0\0\0\0\0\0\0\0");
	check_zero_from(3, "###\0\0\0\0\0\0\0\0\0\0\0\0");
	check_zero_from(8, "########\0\0\0\0\0\0\0");
	check_zero_from(15, "###############");
	check_zero_from(16, "################");
	check_zero_from(1000, "################");
}

int main(void)
{
	test_len();
	test_reply();
	test_reply_is_cut();
	test_reply_stays_in_the_buffer();
	test_zero_from();
	return 0;
}
