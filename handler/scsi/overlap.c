/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To which blocks may a command write?
 *
 * Told are the blocks of what initiators write all the time.  Of any other command it is taken that
 * it may write everywhere (FORMAT UNIT, EXTENDED COPY).  What sets something else (MODE SELECT,
 * START STOP UNIT) meets others of these, and those that may do anything.  UNMAP has a list of
 * them: its range is from the first block of that to the last, but whether it writes to others'
 * blocks the list tells.
 */
#include "mpath/scsi.h"

#include "scsi/big_endian.h"

#define OPCODE_UNMAP	 0x42
#define UNMAP_HEADER	 8
#define UNMAP_DESCRIPTOR 16

static const struct block_range all_blocks = {0, UINT64_MAX};
static const struct block_range no_blocks = {1, 0};
/* No LUN has this block: it stands for what is set, and is no block. */
static const struct block_range settings = {UINT64_MAX, UINT64_MAX};

static struct block_range blocks(uint64_t first, uint64_t nr)
{
	if (!nr)
		return no_blocks;
	return (struct block_range){first,
				    nr - 1 > UINT64_MAX - first ? UINT64_MAX : first + nr - 1};
}

/* WRITE SAME: 0 blocks are all up to the end. */
static struct block_range same_blocks(uint64_t first, uint64_t nr)
{
	return blocks(first, nr ? nr : UINT64_MAX);
}

static bool is_none(struct block_range range)
{
	return range.last < range.first;
}

static struct block_range widen(struct block_range a, struct block_range b)
{
	if (is_none(b))
		return a;
	if (is_none(a))
		return b;
	return (struct block_range){a.first < b.first ? a.first : b.first,
				    a.last > b.last ? a.last : b.last};
}

static bool meet(struct block_range a, struct block_range b)
{
	if (is_none(a) || is_none(b))
		return false;
	return a.first <= b.last && b.first <= a.last;
}

/* --- UNMAP's list --- */

struct unmap_walk {
	const struct scsi_cmd *cmd;
	size_t at, end;
};

static void begin_walk(struct unmap_walk *walk, const struct scsi_cmd *cmd)
{
	uint8_t header[UNMAP_HEADER];

	*walk = (struct unmap_walk){.cmd = cmd, .at = UNMAP_HEADER};
	if (scsi_cmd_read(cmd, 0, header, sizeof(header)) == sizeof(header))
		walk->end = UNMAP_HEADER + (size_t)get_be16(header + 2);
}

/* No more than its length says, and than has come. */
static bool next_of_walk(struct unmap_walk *walk, struct block_range *range)
{
	uint8_t descriptor[UNMAP_DESCRIPTOR];

	if (walk->at + UNMAP_DESCRIPTOR > walk->end ||
	    scsi_cmd_read(walk->cmd, walk->at, descriptor, UNMAP_DESCRIPTOR) < UNMAP_DESCRIPTOR)
		return false;
	walk->at += UNMAP_DESCRIPTOR;
	*range = blocks(get_be64(descriptor), get_be32(descriptor + 8));
	return true;
}

static struct block_range unmapped_blocks(const struct scsi_cmd *cmd)
{
	struct block_range all = no_blocks, one;
	struct unmap_walk walk;

	begin_walk(&walk, cmd);
	while (next_of_walk(&walk, &one))
		all = widen(all, one);
	return all;
}

static bool unmaps_in(const struct scsi_cmd *cmd, struct block_range range)
{
	struct unmap_walk walk;
	struct block_range one;

	begin_walk(&walk, cmd);
	while (next_of_walk(&walk, &one))
		if (meet(one, range))
			return true;
	return false;
}

/* --- any command --- */

static struct block_range blocks_32(const uint8_t *cdb)
{
	uint64_t first = get_be64(cdb + 12);
	uint32_t nr = get_be32(cdb + 28);

	switch (get_be16(cdb + 8)) {
	case 0x0004: /* XDWRITE */
	case 0x0006: /* XPWRITE */
	case 0x000b: /* WRITE */
	case 0x000c: /* WRITE AND VERIFY */
	case 0x000e: /* ORWRITE */
	case 0x000f: /* WRITE ATOMIC */
	case 0x0010: /* WRITE STREAM */
		return blocks(first, nr);
	case 0x000d: /* WRITE SAME */
		return same_blocks(first, nr);
	}
	return all_blocks;
}

struct block_range scsi_written_blocks(const struct scsi_cmd *cmd)
{
	const uint8_t *cdb = cmd->cdb;

	switch (cdb[0]) {
	case 0x15: /* MODE SELECT(6) */
	case 0x1b: /* START STOP UNIT */
	case 0x1e: /* PREVENT ALLOW MEDIUM REMOVAL */
	case 0x4d: /* LOG SENSE, that saves parameters */
	case 0x55: /* MODE SELECT(10) */
		return settings;
	case 0x0a: /* WRITE(6) */
		return blocks(get_be32(cdb) & 0x1fffff, cdb[4] ? cdb[4] : 256);
	case 0x2a: /* WRITE(10) */
	case 0x2e: /* WRITE AND VERIFY(10) */
	case 0x50: /* XDWRITE(10) */
	case 0x51: /* XPWRITE(10) */
		return blocks(get_be32(cdb + 2), get_be16(cdb + 7));
	case 0x41: /* WRITE SAME(10) */
		return same_blocks(get_be32(cdb + 2), get_be16(cdb + 7));
	case OPCODE_UNMAP:
		return unmapped_blocks(cmd);
	case 0x7f:
		return cmd->cdb_len < 32 ? all_blocks : blocks_32(cdb);
	case 0x89: /* COMPARE AND WRITE */
		return blocks(get_be64(cdb + 2), cdb[13]);
	case 0x8a: /* WRITE(16) */
	case 0x8b: /* ORWRITE(16) */
	case 0x8e: /* WRITE AND VERIFY(16) */
		return blocks(get_be64(cdb + 2), get_be32(cdb + 10));
	case 0x93: /* WRITE SAME(16) */
		return same_blocks(get_be64(cdb + 2), get_be32(cdb + 10));
	case 0x9a: /* WRITE STREAM(16) */
	case 0x9c: /* WRITE ATOMIC(16) */
		return blocks(get_be64(cdb + 2), get_be16(cdb + 12));
	case 0x9e: /* SERVICE ACTION IN(16) */
		return (cdb[1] & 0x1f) == 0x15 /* BACKGROUND CONTROL */ ? settings : all_blocks;
	case 0xaa: /* WRITE(12) */
	case 0xae: /* WRITE AND VERIFY(12) */
		return blocks(get_be32(cdb + 2), get_be32(cdb + 6));
	}
	return all_blocks;
}

bool scsi_writes_meet(const struct scsi_cmd *a, struct block_range range_a,
		      const struct scsi_cmd *b, struct block_range range_b)
{
	if (!meet(range_a, range_b))
		return false;
	return (a->cdb[0] != OPCODE_UNMAP || unmaps_in(a, range_b)) &&
	       (b->cdb[0] != OPCODE_UNMAP || unmaps_in(b, range_a));
}

/*
 * Nobody queues them, so they do not count as access to the medium; but what goes to the disk, or
 * has no data, may write there.
 */
static bool is_ata_write(const struct scsi_cmd *cmd)
{
	switch (cmd->cdb[0]) {
	case 0x85: /* ATA PASS-THROUGH(16) */
	case 0xa1: /* ATA PASS-THROUGH(12) */
		return cmd->dir != SCSI_DATA_IN;
	case 0x7f: /* ATA PASS-THROUGH(32) */
		return cmd->dir != SCSI_DATA_IN && cmd->cdb_len >= 10 &&
		       get_be16(cmd->cdb + 8) == 0x1ff0;
	}
	return false;
}

/* Nor do these.  An unknown one may be anything: ERASE, or a vendor's. */
static bool may_erase(const struct scsi_cmd *cmd)
{
	return cmd->cdb[0] == 0xb5 /* SECURITY PROTOCOL OUT */ || !scsi_cdb_is_known(cmd);
}

bool scsi_may_write(const struct scsi_cmd *cmd)
{
	if (cmd->class == CMD_ONCE)
		return cmd->medium || is_ata_write(cmd) || may_erase(cmd);
	return cmd->class == CMD_IDEMPOTENT;
}
