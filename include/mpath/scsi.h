/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI bytes: encode and decode, no policy.  Pure; every byte that comes in may be hostile.
 * What libsgutils2 has (sense and opcode texts, designator iteration) is called, not rewritten.
 */
#ifndef MPATH_SCSI_H
#define MPATH_SCSI_H

#include "mpath/conversation.h"
#include "mpath/io.h"
#include "mpath/lun.h"
#include "mpath/strbuf.h"

/* --- cdb.c: what a CDB means --- */

enum cdb_status {
	CDB_OK,
	CDB_UNKNOWN,   /* an opcode or service action with data whose direction nobody told us */
	CDB_BAD_FIELD, /* less data than its CDB says, a CDB shorter than its opcode says, or one
			  that asks for ACA, or a link to the next command */
	CDB_TOO_LONG,  /* longer than SCSI_CDB_MAX */
};

/*
 * Fill cmd->dir, class, medium, data_len and needs_ms from cmd->cdb.  @iov_len is what the
 * initiator expects to transfer, @block_size the LUN's (0: unknown, then the initiator's word is
 * taken).  The fields are valid only after CDB_OK.
 */
enum cdb_status scsi_cdb_fill(struct scsi_cmd *cmd, size_t iov_len, uint32_t block_size);
/* False: nobody knows what it does; it has no data, else scsi_cdb_fill() refuses it. */
bool scsi_cdb_is_known(const struct scsi_cmd *cmd);
/*
 * Is the data of this command, as filled, blocks of the medium, all of which the target must take?
 * So is WRITE SAME's one block, but not with UNMAP.
 */
bool scsi_cdb_writes_blocks(const struct scsi_cmd *cmd);
/* Bytes of a CDB by its first bytes (@avail of them); 0: cannot tell (vendor group). */
size_t scsi_cdb_len(const uint8_t *cdb, size_t avail);
/* The first block of a READ of any length.  False: another command. */
bool scsi_cdb_read_lba(const uint8_t *cdb, size_t len, uint64_t *lba);
/* The name of the command, for people ("Write(10)"). */
void scsi_cdb_name(const uint8_t *cdb, size_t len, struct strbuf *out);

/* --- sense.c --- */

struct scsi_sense {
	uint8_t response_code; /* 70h..73h, 0: none or not decodable */
	uint8_t key;
	uint8_t asc;
	uint8_t ascq;
	bool deferred; /* about an earlier command: this one was not executed because of it */
};

/* Fixed and descriptor format; truncated sense gives what is there.  False: no valid sense. */
bool scsi_sense_decode(const uint8_t *sense, size_t len, struct scsi_sense *out);
/* Likewise of a result: did the target answer with CHECK CONDITION, and sense? */
bool scsi_result_sense(const struct scsi_result *result, struct scsi_sense *sense);
/* Did it do what it was told, with all data?  GOOD, or RECOVERED ERROR: that with a warning. */
bool scsi_is_done(const struct scsi_result *result);
/* Did the target answer that it has no room for the command now?  BUSY, or TASK SET FULL. */
bool scsi_has_no_room(const struct scsi_result *result);
/* Did the target answer with a deferred error?  Then it has not carried out the command. */
bool scsi_is_deferred(const struct scsi_result *result);
/* Fixed-format sense into a result, with CHECK CONDITION and the whole transfer as residual. */
void scsi_sense_set(struct scsi_result *result, uint32_t data_len, uint8_t key, uint8_t asc,
		    uint8_t ascq);
/* Answer REQUEST SENSE: GOOD, with that as its data, in the format that was asked for. */
void scsi_reply_sense(struct mpath_io *io, uint8_t key, uint8_t asc, uint8_t ascq);
/*
 * Take back the VALID bit of the information field, unless the field names @lba.  To an initiator
 * it says that all blocks of a read before the named one have arrived.
 */
void scsi_sense_hide_progress(uint8_t *sense, size_t len, uint64_t lba);
/* "Not Ready 02/04/0b: Logical unit not accessible, ...", for logs and status. */
void scsi_sense_text(const struct scsi_sense *sense, struct strbuf *out);

/* --- answer.c: what to make of an answer, for conversations --- */

enum scsi_outcome {
	OUTCOME_GOOD,
	OUTCOME_SENSE,	  /* CHECK CONDITION with sense; but see OUTCOME_AGAIN */
	OUTCOME_AGAIN,	  /* not executed, for a reason that passes (a unit attention, a deferred
			     error, BUSY): ask again, not for ever */
	OUTCOME_CONFLICT, /* another initiator has reserved the LUN: not executed, the path is good
			   */
	OUTCOME_LOST,	  /* the path brought no answer, or one that no target should give */
};

/* @sense is filled for OUTCOME_SENSE, and when a unit attention is the reason to ask again. */
enum scsi_outcome scsi_outcome(const struct scsi_answer *answer, struct scsi_sense *sense);

/* --- rtpg.c: target port groups and their asymmetric access states (SPC-5) --- */

enum alua_state {
	ALUA_OPTIMIZED = 0x0,
	ALUA_NON_OPTIMIZED = 0x1,
	ALUA_STANDBY = 0x2,
	ALUA_UNAVAILABLE = 0x3,
	ALUA_LBA_DEPENDENT = 0x4,
	ALUA_OFFLINE = 0xe,
	ALUA_TRANSITIONING = 0xf,
};

/* INQUIRY's TPGS field. */
#define TPGS_IMPLICIT 1
#define TPGS_EXPLICIT 2

/* States that a group supports, as REPORT TARGET PORT GROUPS has them. */
#define ALUA_SUPPORTS_OPTIMIZED 0x01
#define ALUA_SUPPORTS_ALL	0xdf

struct scsi_port_group {
	uint16_t id;
	uint8_t state; /* enum alua_state, or a value that SPC does not know */
	uint8_t supported;
	bool preferred;
};

/* A walk over REPORT TARGET PORT GROUPS data. */
struct rtpg_walk {
	const uint8_t *data;
	size_t end;
	size_t at;
	bool is_cut;	      /* the target has more to tell than came */
	uint8_t transition_s; /* how long a transition may take; 0: the target does not say */
};

/* @extended: with the header that announces the transition time; older targets refuse it. */
void scsi_rtpg_ask(const struct scsi_question *next, bool extended, size_t len);
/* They have asked for @len bytes, and the target has more to tell. */
bool scsi_rtpg_is_cut(const struct scsi_answer *answer, size_t len);
/* False: too short to be what was asked for. */
bool scsi_rtpg_begin(struct rtpg_walk *walk, const uint8_t *data, size_t len);
/* False after the last whole descriptor, whatever lengths the target claims. */
bool scsi_rtpg_next(struct rtpg_walk *walk, struct scsi_port_group *group);
/* SET TARGET PORT GROUPS: @group to active/optimized; the others are the target's choice. */
void scsi_stpg_ask(const struct scsi_question *next, uint16_t group);
/* The group of the port that brought this page 83h.  False: it does not say. */
bool scsi_port_group_from_vpd83(const uint8_t *page, size_t len, uint16_t *group);
/* "active/optimized", as multipath-tools and sysfs spell it. */
const char *scsi_alua_state_name(uint8_t state);

/* --- identity.c: which LUN is this? --- */

/*
 * The WWID that multipath-tools gives this page 83h, for example "36001405b922ff67a...".  False:
 * no usable designator of the logical unit (vendor specific ones, and T10 ones that consist of
 * nothing but the vendor, are not: other LUNs would have the same).
 */
bool scsi_wwid_from_vpd83(const uint8_t *page, size_t len, char wwid[WWID_MAX]);
/*
 * Its locally assigned NAA name, spelt likewise, which comes last there, but first in sysfs' wwid
 * and udev's scsi_id, and so below /dev/disk/by-id.  Nobody keeps such names apart: other LUNs may
 * have the same one.  Empty: it has none.
 */
void scsi_local_name_from_vpd83(const uint8_t *page, size_t len, char name[LOCAL_NAME_MAX]);
/* Such a name, and not one of those that no other LUN has. */
bool scsi_is_local_name(const char *wwid);
/* Whether it may be asked for by this WWID: it is the first of these, or the second. */
bool scsi_lun_is(const uint8_t *page, size_t len, const char *wwid);
/*
 * VPD page 83h's designators of the logical unit, as they are, one behind the other; what does not
 * fit whole is left out.
 */
void scsi_lun_designators(const uint8_t *page, size_t len, struct lun_names *names);
/* READ CAPACITY(16) data.  False: too short, or no block size. */
bool scsi_capacity_decode(const uint8_t *data, size_t len, uint64_t *nr_blocks,
			  uint32_t *block_size);
/* A text field of INQUIRY data, without the padding behind it, as far as it fits with its NUL. */
void scsi_copy_padded(char *to, size_t size, const uint8_t *field, size_t len);
/* The same for people: what is no printable ASCII is a blank, as in sysfs. */
void scsi_copy_text(char *to, size_t size, const uint8_t *field, size_t len);
/* Is this standard INQUIRY data of one of our own LUNs (H13)? */
bool scsi_inquiry_is_ours(const uint8_t *data, size_t len);

/* --- block_limits.c: VPD page B0h --- */

/* Take back from @limits what @other, of another way to the same LUN, does not allow. */
void scsi_limits_narrow(struct lun_page *limits, const struct lun_page *other);
/* What the array takes in one command, in bytes; 0: no limit, or it does not say. */
uint64_t scsi_limits_transfer(const struct lun_page *limits, uint32_t block_size);
/* Make it a page for initiators whose commands travel with @max_bytes at most (0: any number). */
void scsi_limits_fit(struct lun_page *limits, uint32_t block_size, uint64_t max_bytes);

/* --- lun_pages.c: what our own LUN says of itself (DESIGN D15, D16) --- */

struct lun_identity {
	const char *name;	       /* of the storage object */
	const char *serial;	       /* vpd_unit_serial; may be empty */
	bool is_the_arrays;	       /* identity=array: the pages 80h and 83h are the array's */
	const struct lun_page *limits; /* VPD B0h, as it holds on all paths */
	uint64_t max_transfer_bytes;   /* that every path can carry; 0: no limit */
};

/*
 * Answers to INQUIRY and to commands that every LUN of ours answers alike.  @lun may be unknown
 * (known == false): then INQUIRY has qualifier 001b.  Returns true when io->result and the data
 * are set, false when the command has to go down a path.  The data is written into io->cmd.iov.
 */
bool scsi_lun_answers(struct mpath_io *io, const struct lun_facts *lun,
		      const struct lun_identity *identity);
/* The array has answered one of the others: what is not true of our LUN is taken out of its data.
 */
void scsi_lun_fit_answer(struct mpath_io *io);
/* READ CAPACITY from what is kept, for the time when no path is usable.  True as above. */
bool scsi_lun_answers_capacity(struct mpath_io *io, const struct lun_facts *lun);
/*
 * MODE SENSE, when nobody can be asked about the write cache: there may be one.  Who does not get
 * to know takes it for none, and does not ask again.  True as above.
 */
bool scsi_lun_answers_cache(struct mpath_io *io);
/* Has the array listed it? */
bool scsi_lun_has_page(const struct lun_facts *lun, uint8_t page);
/*
 * A number, never 0, by which to compare what initiators are shown of the array's own words, but
 * for the size and the block limits.
 */
uint64_t scsi_lun_words(const struct lun_facts *lun);

/* --- overlap.c --- */

/* May it write to blocks at all, or set something that a command like it sets, too? */
bool scsi_may_write(const struct scsi_cmd *cmd);
/* From which to which, if it may write?  Rather more than fewer. */
struct block_range scsi_written_blocks(const struct scsi_cmd *cmd);
/*
 * Is there a block that both write to?  The ranges are theirs by scsi_written_blocks(); of UNMAP
 * the list is looked at, too, but of two UNMAPs each list beside the other's range only.
 */
bool scsi_writes_meet(const struct scsi_cmd *a, struct block_range range_a,
		      const struct scsi_cmd *b, struct block_range range_b);

/* --- iov.c --- */

/* Copy @len bytes into the iovec, at most io->cmd.data_len; GOOD, residual set. */
void scsi_reply(struct mpath_io *io, const void *data, size_t len);
/* Up to @len bytes of the command's data, from byte @at on; how many there are. */
size_t scsi_cmd_read(const struct scsi_cmd *cmd, size_t at, void *to, size_t len);
/* Up to @len bytes of what the target has sent; how many there are. */
size_t scsi_iov_read(const struct mpath_io *io, void *to, size_t len);
/* Put @len bytes in the place of the first that it has sent. */
void scsi_iov_overwrite(const struct mpath_io *io, const void *data, size_t len);
/* Zero everything from byte @from of the iovec on: no stale byte goes to the initiator. */
void scsi_iov_zero_from(const struct iovec *iov, size_t iov_cnt, size_t from);
size_t scsi_iov_len(const struct iovec *iov, size_t iov_cnt);

#endif
