/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random reads or writes on a block device, so many at a time, until a signal ends it: what fio
 * would do with libaio and O_DIRECT, but begun in no time.  tests/bench/instructions.py runs it.
 *
 *   block_load read|write BYTES DEPTH DEVICE
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STORE_BYTES (32u << 20)
#define DEPTH_MAX   256

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t some_offset(unsigned int io_bytes)
{
	static uint32_t random = 1;

	random = random * 1664525u + 1013904223u;
	return (int64_t)((random >> 8) % (STORE_BYTES / io_bytes)) * io_bytes;
}

static void submit(aio_context_t context, struct iocb **iocbs, long nr)
{
	for (long i = 0; i < nr; i++)
		iocbs[i]->aio_offset = some_offset((unsigned int)iocbs[i]->aio_nbytes);
	if (syscall(SYS_io_submit, context, nr, iocbs) != nr)
		fail("io_submit");
}

static struct iocb *new_iocb(int fd, bool is_write, unsigned int io_bytes)
{
	struct iocb *iocb = calloc(1, sizeof(*iocb));
	void *data = aligned_alloc(4096, io_bytes);

	if (!iocb || !data)
		fail("memory");
	memset(data, 0x5a, io_bytes);
	iocb->aio_fildes = (uint32_t)fd;
	iocb->aio_lio_opcode = is_write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	iocb->aio_buf = (uintptr_t)data;
	iocb->aio_nbytes = io_bytes;
	return iocb;
}

static void run(aio_context_t context, struct iocb **iocbs, long depth)
{
	struct io_event events[DEPTH_MAX];
	long nr = depth;

	for (;;) {
		submit(context, iocbs, nr);
		nr = syscall(SYS_io_getevents, context, 1L, depth, events, NULL);
		for (long i = 0; i < nr; i++) {
			iocbs[i] = (struct iocb *)(uintptr_t)events[i].obj;
			if ((uint64_t)events[i].res != iocbs[i]->aio_nbytes) {
				fprintf(stderr, "a command ended with %lld\n", events[i].res);
				exit(1);
			}
		}
	}
}

int main(int argc, char **argv)
{
	static struct iocb *iocbs[DEPTH_MAX];
	aio_context_t context = 0;
	int depth = argc == 5 ? atoi(argv[3]) : 0;
	int fd;

	if (depth < 1 || depth > DEPTH_MAX) {
		fprintf(stderr, "usage: block_load read|write BYTES DEPTH DEVICE\n");
		return 2;
	}
	fd = open(argv[4], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_io_setup, depth, &context))
		fail(argv[4]);
	for (int i = 0; i < depth; i++)
		iocbs[i] = new_iocb(fd, !strcmp(argv[1], "write"), (unsigned int)atoi(argv[2]));
	run(context, iocbs, depth);
}
