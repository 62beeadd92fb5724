/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared memory between the kernel's TCMU and us: mailbox, command entries, responses.
 *
 * The layout is that of <linux/target_core_user.h>, which cannot be included beside <sys/uio.h>
 * (both define struct iovec).  Therefore it is declared here, and
 * tests/unit/lib/kernel_ring_abi.c, which includes the kernel's header and not <sys/uio.h>, holds
 * the two against each other.
 */
#ifndef MPATH_TCMU_RING_ABI_H
#define MPATH_TCMU_RING_ABI_H

#include <stddef.h>
#include <stdint.h>

#define RING_VERSION 2

/* ring_mailbox.flags: what this kernel can do. */
#define RING_CAN_READ_LEN (1u << 1) /* short reads with a residual */
#define RING_CAN_TMR	  (1u << 2) /* tells about task management */

struct ring_mailbox {
	uint16_t version;
	uint16_t flags;
	uint32_t ring_off;  /* of the ring, from here */
	uint32_t ring_size; /* bytes */
	uint32_t head;	    /* the kernel's: it writes here next; an offset into the ring */
	uint8_t pad[48];
	uint32_t tail; /* ours: everything before it is answered */
};

/* The low bits of len_op; the rest is the length of the entry in bytes. */
#define RING_OP_MASK 7u
#define RING_OP_PAD  0u
#define RING_OP_CMD  1u
#define RING_OP_TMR  2u

#define RING_ALIGN 8u

struct ring_header {
	uint32_t len_op;
	uint16_t cmd_id;
	uint8_t kflags;
	uint8_t uflags;
};

#define RING_UFLAG_READ_LEN 0x2

struct ring_iovec {
	uint64_t offset; /* from the mailbox */
	uint64_t len;
};

struct ring_request {
	struct ring_header header;
	uint32_t iov_cnt;
	uint32_t iov_bidi_cnt;
	uint32_t iov_dif_cnt;
	uint64_t cdb_off; /* from the mailbox; the kernel puts the CDB behind the iovecs */
	uint64_t pad[2];
	struct ring_iovec iov[];
};

/* Overlays the request. */
struct ring_response {
	struct ring_header header;
	uint8_t scsi_status;
	uint8_t pad[3];
	uint32_t read_len;
	uint8_t sense[96];
};

struct ring_tmr {
	struct ring_header header;
	uint8_t type;
	uint8_t pad[3];
	uint32_t cmd_cnt;
	uint64_t pads[2];
	uint16_t cmd_ids[];
};

_Static_assert(offsetof(struct ring_mailbox, flags) == 2, "tcmu_mailbox.flags");
_Static_assert(offsetof(struct ring_mailbox, ring_off) == 4, "tcmu_mailbox.cmdr_off");
_Static_assert(offsetof(struct ring_mailbox, ring_size) == 8, "tcmu_mailbox.cmdr_size");
_Static_assert(offsetof(struct ring_mailbox, head) == 12, "tcmu_mailbox.cmd_head");
_Static_assert(offsetof(struct ring_mailbox, tail) == 64, "tcmu_mailbox.cmd_tail");
_Static_assert(sizeof(struct ring_header) == 8, "tcmu_cmd_entry_hdr");
_Static_assert(offsetof(struct ring_request, cdb_off) == 24, "tcmu_cmd_entry.req.cdb_off");
_Static_assert(offsetof(struct ring_request, iov) == 48, "tcmu_cmd_entry.req.iov");
_Static_assert(offsetof(struct ring_response, scsi_status) == 8, "tcmu_cmd_entry.rsp.scsi_status");
_Static_assert(offsetof(struct ring_response, read_len) == 12, "tcmu_cmd_entry.rsp.read_len");
_Static_assert(offsetof(struct ring_response, sense) == 16, "tcmu_cmd_entry.rsp.sense_buffer");
_Static_assert(sizeof(struct ring_response) == 112, "tcmu_cmd_entry");
_Static_assert(offsetof(struct ring_tmr, cmd_ids) == 32, "tcmu_tmr_entry.cmd_ids");

#endif
