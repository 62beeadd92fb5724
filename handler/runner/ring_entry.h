/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the TCMU ring: where the next entry is, what it is, and which bytes it names.
 *
 * Pure: works on any memory that looks like a mailbox, so the tests and the fuzzer run it on
 * their own.  Nothing in the ring is believed: each offset, length and count is checked against
 * the mapping, and what is used twice is copied first.
 */
#ifndef MPATH_RING_ENTRY_H
#define MPATH_RING_ENTRY_H

#include <stdbool.h>
#include <sys/uio.h>

#include "mpath/io.h"
#include "mpath/tcmu_ring_abi.h"

/* A mapped mailbox.  What the kernel sets once is copied at ring_view_init(). */
struct ring_view {
	uint8_t *base; /* of the mapping: the mailbox, the ring, the data */
	size_t len;
	uint32_t ring_off;
	uint32_t ring_size;
	uint16_t flags; /* RING_CAN_... */
};

enum ring_entry_kind {
	ENTRY_NONE, /* the kernel has written nothing more */
	ENTRY_SKIP, /* padding, or an opcode that nobody knows: needs no response */
	ENTRY_TMR,  /* task management: needs no response */
	ENTRY_CMD,
	ENTRY_BROKEN, /* not an entry */
};

struct ring_entry {
	enum ring_entry_kind kind;
	uint32_t at;   /* offset into the ring */
	uint32_t next; /* of the entry behind it */
	uint32_t len;  /* bytes; never crosses the end of the ring */
	uint16_t id;   /* of a command */
};

/* False: this is no mailbox of version 2 that fits into @len bytes. */
bool ring_view_init(struct ring_view *view, void *base, size_t len);

/* The kernel's head, with everything before it visible. */
uint32_t ring_view_head(const struct ring_view *view);
uint32_t ring_view_tail(const struct ring_view *view);
/* Publish the responses: everything before @tail is answered. */
void ring_view_set_tail(const struct ring_view *view, uint32_t tail);

/* The entry at @at, if it lies before @head. */
struct ring_entry ring_entry_at(const struct ring_view *view, uint32_t at, uint32_t head);

/* How many commands does this TMR name, and which?  Count and ids are bounded by the entry. */
size_t ring_tmr_count(const struct ring_view *view, const struct ring_entry *entry);
uint16_t ring_tmr_id(const struct ring_view *view, const struct ring_entry *entry, size_t i);

/*
 * The CDB of a command into @cdb, as far as there is room; returns its length as the kernel counts
 * it, 0 if it does not lie in the ring.
 */
size_t ring_entry_cdb(const struct ring_view *view, const struct ring_entry *entry,
		      uint8_t cdb[SCSI_CDB_MAX]);
/*
 * The data of a command: fills up to @max iovecs, and returns how many it has; none if
 * one points outside the mapping.
 */
size_t ring_entry_iov(const struct ring_view *view, const struct ring_entry *entry,
		      struct iovec *iov, size_t max);
/* Likewise: nothing of another command's is left there. */
void ring_entry_zero_data(const struct ring_view *view, const struct ring_entry *entry);

/*
 * The response for @io: status, sense, and a read length where that is allowed.  Also zeroes
 * whatever @io has not filled of the initiator's buffer.
 */
void ring_response_fill(const struct ring_view *view, const struct mpath_io *io,
			struct ring_response *response);
/* Write @response for command @id into the slot of @entry. */
void ring_response_write(const struct ring_view *view, const struct ring_entry *entry, uint16_t id,
			 const struct ring_response *response);

#endif
