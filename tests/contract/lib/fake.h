/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fake transport: paths to disks in memory, on which anything can be made to happen.
 *
 * It keeps the contract of path_transport.h as sg does: a write's data is taken at submit, a read's
 * is copied when the answer is taken, a command that was given up lives on as an orphan and may
 * still change the disk, but nobody's memory.
 */
#ifndef TESTS_FAKE_H
#define TESTS_FAKE_H

#include <stdatomic.h>

#include "mpath/path_transport.h"

#define FAKE_BLOCK_SIZE 512
#define FAKE_NR_BLOCKS	4096

enum fake_mode {
	FAKE_GOOD,
	FAKE_HANGS,    /* commands time out after their time */
	FAKE_LOSES,    /* commands are executed, their answers lost */
	FAKE_NOT_SENT, /* commands do not get away */
	FAKE_GONE,     /* there is no such device, for open and for submit */
	FAKE_HELD,     /* open: somebody else has it */
};

struct fake_disk {
	const char *serial;
	atomic_uint nr_blocks; /* that READ CAPACITY tells; 0: FAKE_NR_BLOCKS */
	atomic_uint nr_resets; /* what came before one, by whatever path, is not carried out */
	uint8_t blocks[FAKE_NR_BLOCKS * FAKE_BLOCK_SIZE]; /* under fake's lock */
};

struct fake_path {
	struct list node;
	const char *address;
	_Atomic(const char *) number; /* the kernel's, "8:0", of "fake-8:0"; NULL: as the address */
	struct fake_disk *_Atomic disk; /* a test may give the number to another LUN, under way */
	unsigned int queue_depth;
	/* To be set from any thread; for commands that are submitted, and opens that begin, later.
	 */
	_Atomic enum fake_mode mode;
	atomic_uint delay_ms;
	atomic_uint open_ms; /* how long open takes */
	atomic_uint foreign;
	_Atomic uint64_t session; /* 0: it has none; set before it is opened */
	atomic_bool silent;	  /* does not tell whoever looks for disks what it is */
	/* What happened. */
	atomic_uint nr_opens;
	atomic_uint nr_closes;
	atomic_uint nr_submits;
	atomic_uint nr_out; /* at the device, orphans included */
	atomic_uint nr_out_max;
};

/* The path is the caller's and stays until it is removed. */
void fake_add_path(struct fake_path *path, const char *address, struct fake_disk *disk);
void fake_remove_path(struct fake_path *path);
void fake_forget_paths(void);
/* path_facts.disk */
uint64_t fake_disk_number(const struct fake_path *path);
/* Whoever looks for disks is told that some have come or gone. */
void fake_disks_changed(void);
/* The kernel has heard that this disk, "/dev/fake-8:0", may be another LUN; @node stays the
 * caller's. */
void fake_disk_doubted(const char *node);
/* Or has another size. */
void fake_disk_resized(const char *node);
/* Or unit attentions 2A/01, 38/07 of it. */
void fake_disk_modes_changed(const char *node);
void fake_disk_space_runs_out(const char *node);
/* Or has heard more than there is room for. */
void fake_news_lost(void);
/* It is there, and a map hears so in a job of its own, but has seen the disks of a look before it.
 */
void fake_comes_after_the_look(struct fake_path *path);
/* Who wants to be told of such things is refused, for this reason; 0: not any more. */
void fake_refuse_watch(int err);

extern const struct path_transport_type fake_transport;

#endif
