/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our declaration of the TCMU ring against the kernel's: fails to compile if they differ.  A file
 * of its own, because the kernel's header and <sys/uio.h> both define struct iovec.
 */
#include <linux/target_core_user.h>

#include "mpath/tcmu_ring_abi.h"

#define SAME_OFFSET(ours, our_member, theirs, their_member)                                        \
	_Static_assert(offsetof(struct ours, our_member) == offsetof(struct theirs, their_member), \
		       #theirs "." #their_member);                                                 \
	_Static_assert(sizeof(((struct ours *)0)->our_member) ==                                   \
			       sizeof(((struct theirs *)0)->their_member),                         \
		       "size of " #theirs "." #their_member)

SAME_OFFSET(ring_mailbox, version, tcmu_mailbox, version);
SAME_OFFSET(ring_mailbox, flags, tcmu_mailbox, flags);
SAME_OFFSET(ring_mailbox, ring_off, tcmu_mailbox, cmdr_off);
SAME_OFFSET(ring_mailbox, ring_size, tcmu_mailbox, cmdr_size);
SAME_OFFSET(ring_mailbox, head, tcmu_mailbox, cmd_head);
SAME_OFFSET(ring_mailbox, tail, tcmu_mailbox, cmd_tail);

SAME_OFFSET(ring_header, len_op, tcmu_cmd_entry_hdr, len_op);
SAME_OFFSET(ring_header, cmd_id, tcmu_cmd_entry_hdr, cmd_id);
SAME_OFFSET(ring_header, kflags, tcmu_cmd_entry_hdr, kflags);
SAME_OFFSET(ring_header, uflags, tcmu_cmd_entry_hdr, uflags);

SAME_OFFSET(ring_request, header, tcmu_cmd_entry, hdr);
SAME_OFFSET(ring_request, iov_cnt, tcmu_cmd_entry, req.iov_cnt);
SAME_OFFSET(ring_request, iov_bidi_cnt, tcmu_cmd_entry, req.iov_bidi_cnt);
SAME_OFFSET(ring_request, iov_dif_cnt, tcmu_cmd_entry, req.iov_dif_cnt);
SAME_OFFSET(ring_request, cdb_off, tcmu_cmd_entry, req.cdb_off);
_Static_assert(offsetof(struct ring_request, iov) == offsetof(struct tcmu_cmd_entry, req.iov),
	       "tcmu_cmd_entry.req.iov");
_Static_assert(sizeof(struct ring_iovec) == sizeof(struct iovec), "iovec");

SAME_OFFSET(ring_response, header, tcmu_cmd_entry, hdr);
SAME_OFFSET(ring_response, scsi_status, tcmu_cmd_entry, rsp.scsi_status);
SAME_OFFSET(ring_response, read_len, tcmu_cmd_entry, rsp.read_len);
SAME_OFFSET(ring_response, sense, tcmu_cmd_entry, rsp.sense_buffer);
_Static_assert(sizeof(struct ring_response) == sizeof(struct tcmu_cmd_entry), "tcmu_cmd_entry");

SAME_OFFSET(ring_tmr, header, tcmu_tmr_entry, hdr);
SAME_OFFSET(ring_tmr, type, tcmu_tmr_entry, tmr_type);
SAME_OFFSET(ring_tmr, cmd_cnt, tcmu_tmr_entry, cmd_cnt);
_Static_assert(offsetof(struct ring_tmr, cmd_ids) == offsetof(struct tcmu_tmr_entry, cmd_ids),
	       "tcmu_tmr_entry.cmd_ids");
_Static_assert(sizeof(struct ring_tmr) == sizeof(struct tcmu_tmr_entry), "tcmu_tmr_entry");

_Static_assert(RING_VERSION == TCMU_MAILBOX_VERSION, "version");
_Static_assert(RING_CAN_READ_LEN == TCMU_MAILBOX_FLAG_CAP_READ_LEN, "READ_LEN");
_Static_assert(RING_CAN_TMR == TCMU_MAILBOX_FLAG_CAP_TMR, "TMR");
_Static_assert(RING_OP_MASK == TCMU_OP_MASK, "op mask");
_Static_assert(RING_OP_PAD == TCMU_OP_PAD && RING_OP_CMD == TCMU_OP_CMD &&
		       RING_OP_TMR == TCMU_OP_TMR,
	       "opcodes");
_Static_assert(RING_ALIGN == TCMU_OP_ALIGN_SIZE, "alignment");
_Static_assert(RING_UFLAG_READ_LEN == TCMU_UFLAG_READ_LEN, "uflag");
