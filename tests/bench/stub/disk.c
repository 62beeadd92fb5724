/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk behind the sg nodes: enough to be identified as one LUN over two paths, and READ(10)
 * from a file that is in the page cache.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stub.h"

#define CHECK_CONDITION 0x02

static int file_fd;
static unsigned int paths_of_lun;

/* Each block begins with its number, and all of the file is touched: it is hot. */
void disk_begin(const char *file, unsigned int nr_paths)
{
	static uint8_t block[IO_BYTES];

	paths_of_lun = nr_paths;
	file_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert(file_fd >= 0);
	for (uint32_t i = 0; i < FILE_BLOCKS; i++) {
		memcpy(block, &i, sizeof(i));
		if (pwrite(file_fd, block, sizeof(block), (off_t)i * IO_BYTES) != sizeof(block)) {
			perror(file);
			exit(1);
		}
	}
}

void disk_check(const uint8_t *data, uint32_t block)
{
	uint32_t number;

	memcpy(&number, data, sizeof(number));
	if (number == block)
		return;
	fprintf(stderr, "read block %u instead of %u\n", number, block);
	abort();
}

uint32_t disk_some_block(void)
{
	static uint32_t random = 1;

	random = random * 1664525u + 1013904223u;
	return (random >> 8) % FILE_BLOCKS;
}

static uint32_t get_be32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void put_be32(uint8_t *bytes, uint32_t value)
{
	for (int i = 3; i >= 0; i--, value >>= 8)
		bytes[i] = (uint8_t)value;
}

void disk_read10(uint8_t cdb[10], uint32_t block)
{
	memset(cdb, 0, 10);
	cdb[0] = 0x28;
	put_be32(cdb + 2, block * (IO_BYTES / BLOCK_SIZE));
	cdb[8] = IO_BYTES / BLOCK_SIZE;
}

static void answer(struct sg_io_hdr *hdr, const uint8_t *data, size_t len)
{
	if (len > hdr->dxfer_len)
		len = hdr->dxfer_len;
	hdr->resid = (int)(hdr->dxfer_len - len);
	if (!len)
		return;
	assert(!hdr->iovec_count);
	memcpy(hdr->dxferp, data, len);
}

static void refuse(struct sg_io_hdr *hdr)
{
	static const uint8_t sense[18] = {0x70, 0, 0x05, [7] = 10, [12] = 0x20};

	hdr->status = CHECK_CONDITION;
	hdr->sb_len_wr = sizeof(sense);
	memcpy(hdr->sbp, sense, sizeof(sense));
	answer(hdr, NULL, 0);
}

static void inquiry(unsigned int lun, struct sg_io_hdr *hdr)
{
	static const uint8_t pages[] = {0, 0, 0, 3, 0x00, 0x80, 0x83};
	uint8_t serial[] = {0, 0x80, 0, 4, 'h', 'o', (uint8_t)(lun >> 8), (uint8_t)lun};
	uint8_t id[] = {0, 0x83, 0, 12, 1, 3, 0, 8, 0x50, 1, 2, 3, 4, 5, 0, 0};
	uint8_t data[36] = {[2] = 6, [4] = 31, [7] = 2};

	id[14] = (uint8_t)(lun >> 8);
	id[15] = (uint8_t)lun;
	if (!(hdr->cmdp[1] & 1)) {
		memcpy(data + 8, "BENCH   HOT FILE        1   ", 28);
		answer(hdr, data, sizeof(data));
	} else if (hdr->cmdp[2] == 0x00) {
		answer(hdr, pages, sizeof(pages));
	} else if (hdr->cmdp[2] == 0x80) {
		answer(hdr, serial, sizeof(serial));
	} else if (hdr->cmdp[2] == 0x83) {
		answer(hdr, id, sizeof(id));
	} else {
		refuse(hdr);
	}
}

static void read_capacity(struct sg_io_hdr *hdr)
{
	uint8_t data[32] = {0};

	put_be32(data + 4, FILE_BLOCKS * (IO_BYTES / BLOCK_SIZE) - 1);
	put_be32(data + 8, BLOCK_SIZE);
	answer(hdr, data, sizeof(data));
}

static void read_file(struct sg_io_hdr *hdr)
{
	const struct iovec one = {hdr->dxferp, hdr->dxfer_len};
	const struct iovec *iov = hdr->iovec_count ? hdr->dxferp : &one;
	int nr = hdr->iovec_count ? hdr->iovec_count : 1;
	ssize_t n = preadv(file_fd, iov, nr, (off_t)get_be32(hdr->cmdp + 2) * BLOCK_SIZE);

	assert(n >= 0);
	hdr->resid = (int)(hdr->dxfer_len - (size_t)n);
}

void disk_answer(unsigned int number, struct sg_io_hdr *hdr)
{
	hdr->status = 0;
	hdr->sb_len_wr = 0;
	hdr->host_status = 0;
	hdr->driver_status = 0;
	hdr->info = 0;
	switch (hdr->cmdp[0]) {
	case 0x28:
		read_file(hdr);
		return;
	case 0x00: /* TEST UNIT READY */
		answer(hdr, NULL, 0);
		return;
	case 0x12:
		inquiry(number / paths_of_lun, hdr);
		return;
	case 0x9e:
		read_capacity(hdr);
		return;
	default:
		refuse(hdr);
		return;
	}
}
