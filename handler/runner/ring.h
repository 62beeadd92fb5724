/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * We own the ring (DESIGN D3): libtcmu only reads it, and every response is written here.  All
 * quirks of TCMU and of libtcmu are in this module.
 *
 * Commands come in two ways: libtcmu hands most of them to handle_cmd(), and the ring finds those
 * that libtcmu steps over.  Responses go into the ring's slots in the order in which commands
 * end; the slot need not be the command's own.
 *
 * Thread: the map's owner thread, except for ring_cmd_get().
 */
#ifndef MPATH_RING_H
#define MPATH_RING_H

#include <stdatomic.h>

#include "mpath/io.h"
#include "mpath/tcmu_runner_abi.h"
#include "runner/ring_entry.h"
#include "runtime/loop.h"

#define RING_HASH_SIZE 64 /* the kernel gives the lowest free id, so ids are small */

/* --- commands --- */

struct ring_cmd_pool;

struct ring_cmd {
	struct mpath_io io; /* io.owner is the ring_cmd */
	struct letter letter;
	void *front;		    /* the poster's, for the letter */
	struct ring_cmd_pool *pool; /* NULL: malloc'ed by itself */
	struct ring_cmd *next_free;
	struct list by_id;	     /* ring.by_id, while the core has it */
	struct tcmulib_cmd *lib_cmd; /* owned, holds the iovec; NULL for a dropped opcode */
	uint16_t id;
	bool refused; /* io.result is set already: answer it, the core need not see it */
};

_Static_assert(sizeof(struct ring_cmd) <= 512, "what a command takes beside its data");

/*
 * Commands of one LUN, so that the I/O path does not allocate: some are there from the start, and
 * it grows by chunks to the largest number that was ever in flight, as far as there is memory.  The
 * cmdproc thread takes, the owner thread gives back.
 */
struct ring_cmd_pool {
	struct ring_cmd *free; /* the taker's */
	_Atomic(struct ring_cmd *) returned;
	struct ring_cmd_chunk *chunks;
};

bool ring_cmd_pool_init(struct ring_cmd_pool *pool);	/* false: no memory */
void ring_cmd_pool_destroy(struct ring_cmd_pool *pool); /* all are back */
/* NULL: no memory.  A command with a zeroed io comes back. */
struct ring_cmd *ring_cmd_get(struct ring_cmd_pool *pool);
void ring_cmd_put(struct ring_cmd *cmd); /* its lib_cmd is not to be used any more */

/* --- the ring --- */

/* What the ring needs of the world; the tests have their own. */
struct ring_ops {
	/* Tell the kernel that the tail has moved. */
	void (*kick)(void *arg);
	/*
	 * Has libtcmu passed everything that the kernel has told it about?  True only with proof;
	 * asked seldom, as it costs some system calls.
	 */
	bool (*libtcmu_idle)(void *arg);
	/* Fill in a dropped command's io, as handle_cmd() does it for the others. */
	void (*prepare)(void *arg, struct ring_cmd *cmd);
	void (*submit)(void *arg, struct mpath_io *io);
	/* A task management function named this command. */
	void (*abort)(void *arg, struct mpath_io *io);
};

struct ring {
	struct ring_view view;
	const struct ring_ops *ops;
	void *arg;
	uint32_t passed;    /* libtcmu does not look at anything before this any more */
	uint32_t peeked;    /* bytes from there on whose TMRs we have acted upon already */
	uint32_t tail;	    /* the next response goes here */
	uint32_t published; /* mailbox->tail */
	bool broken;	    /* what we found there makes no sense: write nothing more */
	bool given_up;	    /* and so all that is out or held was aborted */
	bool closing;	    /* nobody is there any more to submit to */
	unsigned int outstanding;
	struct list by_id[RING_HASH_SIZE];

	/* Commands that came late to us: see ring_look(). */
	uint64_t looked_ns;
	bool late; /* those before late_to ... */
	uint32_t late_to;
	uint64_t late_since_ns;	  /* ... came after this */
	uint64_t passed_since_ns; /* the entry passed last came after this; 0: a moment ago */

	/* The first entry that libtcmu may not have passed, and since when it has been that. */
	bool waiting;
	uint32_t waiting_at;
	uint32_t waiting_head;
	uint64_t waiting_since_ns;
};

/* 0, or -EINVAL: this is no mailbox that we know. */
int ring_init(struct ring *ring, void *base, size_t len, const struct ring_ops *ops, void *arg);

/*
 * Before ring_take(): what stands in the ring now?  An entry does not tell when the kernel has put
 * it there, from when its cmd_time_out counts, and libtcmu may have been held up (a stopped
 * process, a debugger).  Then io.arrival_ns becomes the time at which the entry was not there yet.
 */
#define RING_LATE_NS (1500 * 1000 * 1000ull)
void ring_look(struct ring *ring, uint64_t now_ns);
/* handle_cmd() was called for @cmd (its letter arrives): start it, and all that stood before it. */
void ring_take(struct ring *ring, struct ring_cmd *cmd);
/* As above when there was no memory for a ring_cmd: answered TASK SET FULL.  Frees @lib_cmd. */
void ring_take_overflow(struct ring *ring, struct tcmulib_cmd *lib_cmd);

/* Write the response of a command that ring_ops.submit got, and free it. */
void ring_complete(struct ring *ring, struct mpath_io *io);
/* Publish what was written, with one kick. */
void ring_flush(struct ring *ring);

/* Look for what libtcmu does not tell us about.  Every RING_TICK_NS while ring_busy(). */
#define RING_TICK_NS	  (100 * 1000 * 1000ull)
#define RING_IDLE_TICK_NS (1000 * 1000 * 1000ull)
void ring_tick(struct ring *ring, uint64_t now_ns);
bool ring_busy(const struct ring *ring);

/*
 * libtcmu will not read the ring again, and nothing may be submitted any more.  What is left there
 * is all ours: what libtcmu would have dropped is answered BUSY.
 */
void ring_close(struct ring *ring);

#endif
