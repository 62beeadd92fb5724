/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring is ours (DESIGN D3): we take the entries that the kernel puts there, and write the
 * responses.  Nobody else reads it, see cmdproc.h.  All quirks of TCMU are in this module.
 *
 * Responses go into the ring's slots in the order in which commands end; the slot need not be the
 * command's own.
 *
 * Thread: the map's owner thread.
 */
#ifndef MPATH_RING_H
#define MPATH_RING_H

#include "mpath/io.h"
#include "runner/ring_entry.h"

#define RING_HASH_SIZE 64 /* the kernel gives the lowest free id, so ids are small */

/* --- commands --- */

struct ring_cmd_pool;

struct ring_cmd {
	struct mpath_io io; /* io.owner is the ring_cmd */
	struct ring_cmd_pool *pool;
	struct ring_cmd *next_free;
	struct list by_id; /* ring.by_id, while the core has it */
	struct iovec *iov; /* owned: where io.cmd.iov is, and stays for the next command */
	size_t iov_max;
	uint16_t id;
	bool refused; /* io.result is set already: answer it, the core need not see it */
};

_Static_assert(sizeof(struct ring_cmd) <= 512, "what a command takes beside its data");

/*
 * Commands of one LUN, so that the I/O path does not allocate: some are there from the start, and
 * it grows by chunks to the largest number that was ever in flight, as far as there is memory.
 */
struct ring_cmd_pool {
	struct ring_cmd *free;
	struct ring_cmd_chunk *chunks;
};

bool ring_cmd_pool_init(struct ring_cmd_pool *pool);	/* false: no memory */
void ring_cmd_pool_destroy(struct ring_cmd_pool *pool); /* all are back */
/* With a zeroed io.  NULL: no memory. */
struct ring_cmd *ring_cmd_get(struct ring_cmd_pool *pool);
/* cmd->iov has room for @iov_cnt afterwards.  False: no memory. */
bool ring_cmd_make_room(struct ring_cmd *cmd, size_t iov_cnt);
void ring_cmd_put(struct ring_cmd *cmd);

/* --- the ring --- */

/* What the ring needs of the world; the tests have their own. */
struct ring_ops {
	/* Tell the kernel that the tail has moved. */
	void (*kick)(void *arg);
	/* What is the time?  Not when the batch began, see ring_take(). */
	uint64_t (*read_clock)(void *arg);
	/* The CDB, the iovecs and the time are there: fill in the rest of @cmd's io. */
	void (*prepare)(void *arg, struct ring_cmd *cmd);
	void (*submit)(void *arg, struct mpath_io *io);
	/* A task management function named this command. */
	void (*abort)(void *arg, struct mpath_io *io);
};

/* Around the ring, one behind the other or at the same place: published, tail, passed, the head. */
struct ring {
	struct ring_view view;
	const struct ring_ops *ops;
	void *arg;
	struct ring_cmd_pool *cmds;
	uint32_t passed;    /* everything before this was taken */
	uint32_t tail;	    /* the next response goes here */
	uint32_t published; /* mailbox->tail */
	bool broken;	    /* what we found there makes no sense: write nothing more */
	bool given_up;	    /* and so all that is out or held was aborted */
	bool closing;	    /* nobody is there any more to submit to */
	uint64_t looked_ns; /* when it was looked at last; 0: never */
	unsigned int outstanding;
	struct list by_id[RING_HASH_SIZE];
};

/* 0, or -EINVAL: this is no mailbox that we know.  @cmds stays the caller's. */
int ring_init(struct ring *ring, void *base, size_t len, struct ring_cmd_pool *cmds,
	      const struct ring_ops *ops, void *arg);

/*
 * Take what the kernel has put there, and start it.  An entry does not tell when it came, from when
 * its cmd_time_out counts, and we may have been held up (a stopped process, a debugger): if nobody
 * has looked for so long, io.arrival_ns is when it was not there yet.
 */
#define RING_LATE_NS (1500 * 1000 * 1000ull)
void ring_take(struct ring *ring);

/* Write the response of a command that ring_ops.submit got, and free it. */
void ring_complete(struct ring *ring, struct mpath_io *io);
/* Publish what was written, with one kick. */
void ring_flush(struct ring *ring);

/* Look whether all is in order: every RING_TICK_NS while ring_busy(), else RING_IDLE_TICK_NS. */
#define RING_TICK_NS	  (100 * 1000 * 1000ull)
#define RING_IDLE_TICK_NS (1000 * 1000 * 1000ull)
void ring_tick(struct ring *ring);
bool ring_busy(const struct ring *ring);

/* Nothing may be submitted any more: what is left there is answered BUSY. */
void ring_close(struct ring *ring);

#endif
