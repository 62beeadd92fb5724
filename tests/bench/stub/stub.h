/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for the real handler_mpath.so and the real libtcmu.so.2, in one process and without the
 * kernel's TCMU and SCSI:
 *
 *	calls.c		system calls: files of /dev, /sys and /etc come from a directory, uio and sg
 *			devices are played, and calls are counted
 *	disk.c		what the played disk answers: READs come from a hot file
 *	memory.c	what they need themselves
 *	kernel.c	the kernel's side of the TCMU ring, and the initiator behind it
 *	runner.c	what tcmu-runner does for a handler
 *	main.c		the contenders
 *
 * The program defines open(), read(), write() and so on itself; libraries find these before libc's.
 */
#ifndef MPATH_BENCH_STUB_H
#define MPATH_BENCH_STUB_H

#include <scsi/sg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpath/tcmu_runner_abi.h"

#define DEPTH_MAX   128
#define BLOCK_SIZE  512
#define IO_BYTES    4096
#define FILE_BLOCKS 4096u /* of IO_BYTES; each begins with its number */
#define NR_PATHS    2	  /* of the contenders that have no maps */
#define MAPS_MAX    1000
#define EACH_DEV    MAPS_MAX	   /* the uio devices below are the handler's, a map each */
#define RING_DEV    (MAPS_MAX + 1) /* the ring alone */

/* --- calls.c --- */

/* Whose system calls are they?  Each belongs to one thread. */
enum role {
	ROLE_NONE,
	ROLE_CMDPROC, /* tcmu-runner's thread: its calls, libtcmu's, and those in handle_cmd() */
	ROLE_LOOP,    /* the handler's; also the main thread's, where that is a contender */
	NR_ROLES
};

struct calls {
	uint64_t transport; /* the write() and read() of an sg node */
	uint64_t others;
};

extern struct calls calls[NR_ROLES];	   /* so far */
extern struct calls exact_calls[NR_ROLES]; /* when the last exact run ended */
extern _Thread_local enum role role;

void calls_begin(const char *root); /* absolute names are looked for below this directory */

/*
 * Exact figures: time passes only by being looked at.  It ends with the last answer.  (The
 * initiator's commands come from within the loop's own kicks, so there is nobody to race with.)
 */
void exact_begin(void);
void exact_end(void);
/* Time passes in that way also between one exact run and the next: nothing becomes due. */
void clock_stop(bool stop);

/* --- memory.c --- */

/* Zeroed memory, for good: "memfd:stub" in smaps, so that it is told from the handler's. */
void *stub_memory(size_t len);

/* --- disk.c --- */

/* sg nodes 0 to @nr_paths - 1 lead to the first LUN, and so on; all read @file. */
void disk_begin(const char *file, unsigned int nr_paths);
/* What sg node @number says to @hdr's command: data, status, sense, residual. */
void disk_answer(unsigned int number, struct sg_io_hdr *hdr);
void disk_check(const uint8_t *data, uint32_t block);
uint32_t disk_some_block(void); /* pseudo-random */
void disk_read10(uint8_t cdb[10], uint32_t block);

/* --- kernel.c --- */

/* One TCMU device: /dev/uioN. */
struct kernel_dev;

struct kernel_dev *kernel_dev(unsigned int number);
void *kernel_memory(struct kernel_dev *dev, size_t *len);
int kernel_event_fd(struct kernel_dev *dev);
void kernel_kick(struct kernel_dev *dev); /* write() to the uio fd */
uint64_t kernel_kicks(void);		  /* of all devices, so far */
/* @depth READs in the ring at any time, until @commands have been answered. */
void kernel_start(struct kernel_dev *dev, unsigned int depth, unsigned int commands, bool exact);
void kernel_wait(struct kernel_dev *dev);
/* The ring alone: all that is in it is answered, and the next commands come.  False: no more. */
bool kernel_answer_all(struct kernel_dev *dev);

/* --- runner.c --- */

void runner_begin(const char *handler, struct tcmur_handler *other);
int runner_uio_fd(struct tcmu_device *dev);

#endif
