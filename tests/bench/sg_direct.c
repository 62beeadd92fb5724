/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the paths cost without any handler: reads or writes through sg, an fd for each command that
 * is out, two system calls for each command, until a signal ends it.  tests/bench/instructions.py
 * runs it.
 *
 *   sg_direct read|write BYTES DEPTH SG...
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <scsi/sg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Missing in glibc's scsi/sg.h. */
#ifndef SG_FLAG_Q_AT_TAIL
#define SG_FLAG_Q_AT_TAIL 0x10
#endif

#define BLOCK_SIZE  512u
#define STORE_BYTES (32u << 20)
#define DEPTH_MAX   256u
#define TIMEOUT_MS  30000u

struct slot {
	int fd;
	uint8_t *data;
	uint8_t cdb[10];
	uint8_t sense[32];
};

static bool is_write;
static unsigned int io_bytes;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void slot_open(struct slot *slot, const char *node)
{
	int reserve = (int)io_bytes;

	slot->fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (slot->fd < 0 || ioctl(slot->fd, SG_SET_RESERVED_SIZE, &reserve))
		fail(node);
	slot->data = aligned_alloc(4096, io_bytes);
	if (!slot->data)
		fail("memory");
	memset(slot->data, 0x5a, io_bytes);
}

static uint32_t some_block(void)
{
	static uint32_t random = 1;

	random = random * 1664525u + 1013904223u;
	return (random >> 8) % (STORE_BYTES / io_bytes) * (io_bytes / BLOCK_SIZE);
}

static void slot_send(struct slot *slot)
{
	uint32_t block = some_block(), count = io_bytes / BLOCK_SIZE;
	struct sg_io_hdr hdr = {
		.interface_id = 'S',
		.dxfer_direction = is_write ? SG_DXFER_TO_DEV : SG_DXFER_FROM_DEV,
		.cmd_len = sizeof(slot->cdb),
		.cmdp = slot->cdb,
		.mx_sb_len = sizeof(slot->sense),
		.sbp = slot->sense,
		.dxfer_len = io_bytes,
		.dxferp = slot->data,
		.timeout = TIMEOUT_MS,
		.flags = SG_FLAG_Q_AT_TAIL,
	};

	memset(slot->cdb, 0, sizeof(slot->cdb));
	slot->cdb[0] = is_write ? 0x2a : 0x28;
	for (unsigned int i = 0; i < 4; i++)
		slot->cdb[2 + i] = (uint8_t)(block >> (24 - 8 * i));
	slot->cdb[7] = (uint8_t)(count >> 8);
	slot->cdb[8] = (uint8_t)count;
	if (write(slot->fd, &hdr, sizeof(hdr)) < 0)
		fail("write");
}

static void slot_receive(struct slot *slot)
{
	struct pollfd pfd = {.fd = slot->fd, .events = POLLIN};
	struct sg_io_hdr hdr = {.interface_id = 'S'};

	while (read(slot->fd, &hdr, sizeof(hdr)) < 0) {
		if (errno != EAGAIN)
			fail("read");
		poll(&pfd, 1, -1);
	}
	if (hdr.status || hdr.host_status || hdr.resid) {
		fprintf(stderr, "status %02x, host %02x, %d bytes missing\n", hdr.status,
			hdr.host_status, hdr.resid);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static struct slot slots[DEPTH_MAX];
	unsigned int depth = argc > 4 ? (unsigned int)atoi(argv[3]) : 0;

	if (!depth || depth > DEPTH_MAX) {
		fprintf(stderr, "usage: sg_direct read|write BYTES DEPTH SG...\n");
		return 2;
	}
	is_write = !strcmp(argv[1], "write");
	io_bytes = (unsigned int)atoi(argv[2]);
	for (unsigned int i = 0; i < depth; i++)
		slot_open(&slots[i], argv[4 + i % (unsigned int)(argc - 4)]);
	for (unsigned int i = 0; i < depth; i++)
		slot_send(&slots[i]);
	for (unsigned int i = 0;; i = (i + 1) % depth) {
		slot_receive(&slots[i]);
		slot_send(&slots[i]);
	}
}
