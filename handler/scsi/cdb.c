/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a CDB means: in which direction its data goes and how much, whether it may be executed
 * twice, whether it touches the medium, and how long it may take.
 *
 * TCMU hands us a CDB and a buffer but no direction, so this table is the only source for it: a
 * command that is missing here and carries data is refused.  The rows follow SPC-5, SBC-4, ZBC-2
 * and SAT-4, and the obsolete commands that disks still meet.
 *
 * Transfer lengths do not include protection information: our LUNs say PROTECT 0, and a target
 * that is asked for it all the same refuses or cuts the data by itself.
 */
#include <scsi/sg_lib.h>
#include <string.h>

#include "mpath/scsi.h"

#define OPCODE_WRITE_SAME_10   0x41
#define OPCODE_VARIABLE_LENGTH 0x7f
#define OPCODE_LOG_SENSE       0x4d

/* For commands that may take longer than one ordinary try on a path. */
#define TIMEOUT_MINUTES_MS (2u * 60 * 1000)	  /* spin-up, cache flush, UNMAP */
#define TIMEOUT_COPY_MS	   (10u * 60 * 1000)	  /* copies, microcode, large ranges */
#define TIMEOUT_HOUR_MS	   (60u * 60 * 1000)	  /* foreground self-tests */
#define TIMEOUT_DAY_MS	   (24u * 60 * 60 * 1000) /* FORMAT UNIT, SANITIZE of a large disk */

/* A range above this takes longer than one ordinary command. */
#define LARGE_RANGE_BYTES (64ull << 20)

/* Where a CDB says how much data it moves. */
enum length_rule {
	LEN_UNTOLD,    /* not in the table */
	LEN_NONE,      /* no data */
	LEN_FIXED,     /* always @at bytes */
	LEN_BYTES,     /* the field counts bytes */
	LEN_INC_512,   /* bytes, or units of 512 bytes with INC_512 */
	LEN_BLOCKS,    /* the field counts blocks */
	LEN_BLOCKS_6,  /* READ(6), WRITE(6): 0 means 256 blocks */
	LEN_TWICE,     /* COMPARE AND WRITE: the compare data, then the write data */
	LEN_ONE_BLOCK, /* WRITE SAME: one block, none with NDOB; the field is the range */
	LEN_BYTCHK,    /* VERIFY: BYTCHK decides; the field is the range */
	LEN_FMTDATA,   /* FORMAT UNIT: with FMTDATA all that comes, else nothing */
	LEN_WHOLE,     /* the list carries its own length: all that comes */
	LEN_ATA,       /* ATA PASS-THROUGH: @at is the byte with T_LENGTH, T_DIR, ... */
	LEN_BY_ACTION, /* the service action decides */
};

enum cdb_time { USUAL, MINUTES, BY_RANGE, COPY_TIME, HOUR, DAY };

struct cdb_rule {
	enum length_rule length;
	uint8_t at;    /* the field's first byte ... */
	uint8_t width; /* ... and its bytes */
	enum scsi_dir dir;
	enum cmd_class class;
	bool medium;
	enum cdb_time time;
};

struct action_rule {
	uint16_t action;
	struct cdb_rule rule;
};

/*
 * Classes (DESIGN D9).
 * READ leaves no trace, also when a lost copy runs late.  So do SYNCHRONIZE CACHE, PRE-FETCH, SEEK
 * and VERIFY, whatever they carry.
 * SAME puts the same bytes to the same place, or sets a setting to the same value.
 * ONCE counts, compares, toggles, opens, uses up what it fetches (SECURITY PROTOCOL IN, XDREAD),
 * resets counters (LOG SELECT), changes who may access the LUN, or destroys more than it names:
 * a second FORMAT UNIT that lands after the first would erase a disk that is in use again.
 */
/* clang-format off */
#define NO	SCSI_NO_DATA
#define IN	SCSI_DATA_IN
#define OUT	SCSI_DATA_OUT
#define READ	CMD_READ
#define SAME	CMD_IDEMPOTENT
#define ONCE	CMD_ONCE
#define MEDIUM	true

/* Columns: those of struct cdb_rule. */

static const struct cdb_rule opcode_rules[256] = {
	[0x00] = {LEN_NONE,       0, 0, NO,  READ, 0,      USUAL},  /* TEST UNIT READY */
	[0x01] = {LEN_NONE,       0, 0, NO,  READ, 0,      USUAL},  /* REZERO UNIT */
	[0x03] = {LEN_BYTES,      4, 1, IN,  READ, 0,      USUAL},  /* REQUEST SENSE */
	[0x04] = {LEN_FMTDATA,    0, 0, OUT, ONCE, MEDIUM, DAY},    /* FORMAT UNIT */
	[0x07] = {LEN_WHOLE,      0, 0, OUT, ONCE, MEDIUM, MINUTES}, /* REASSIGN BLOCKS */
	[0x08] = {LEN_BLOCKS_6,   4, 1, IN,  READ, MEDIUM, USUAL},  /* READ(6) */
	[0x0a] = {LEN_BLOCKS_6,   4, 1, OUT, SAME, MEDIUM, USUAL},  /* WRITE(6) */
	[0x0b] = {LEN_NONE,       0, 0, NO,  READ, 0,      USUAL},  /* SEEK(6) */
	[0x12] = {LEN_BYTES,      3, 2, IN,  READ, 0,      USUAL},  /* INQUIRY */
	[0x15] = {LEN_BYTES,      4, 1, OUT, SAME, 0,      USUAL},  /* MODE SELECT(6) */
	[0x16] = {LEN_NONE,       0, 0, NO,  ONCE, 0,      USUAL},  /* RESERVE(6) */
	[0x17] = {LEN_NONE,       0, 0, NO,  ONCE, 0,      USUAL},  /* RELEASE(6) */
	[0x1a] = {LEN_BYTES,      4, 1, IN,  READ, 0,      USUAL},  /* MODE SENSE(6) */
	[0x1b] = {LEN_NONE,       0, 0, NO,  SAME, 0,      MINUTES}, /* START STOP UNIT */
	[0x1c] = {LEN_BYTES,      3, 2, IN,  READ, 0,      USUAL},  /* RECEIVE DIAGNOSTIC RESULTS */
	[0x1d] = {LEN_BYTES,      3, 2, OUT, ONCE, 0,      HOUR},   /* SEND DIAGNOSTIC */
	[0x1e] = {LEN_NONE,       0, 0, NO,  SAME, 0,      USUAL},  /* PREVENT ALLOW REMOVAL */
	[0x25] = {LEN_FIXED,      8, 0, IN,  READ, 0,      USUAL},  /* READ CAPACITY(10) */
	[0x28] = {LEN_BLOCKS,     7, 2, IN,  READ, MEDIUM, USUAL},  /* READ(10) */
	[0x2a] = {LEN_BLOCKS,     7, 2, OUT, SAME, MEDIUM, USUAL},  /* WRITE(10) */
	[0x2b] = {LEN_NONE,       0, 0, NO,  READ, 0,      USUAL},  /* SEEK(10) */
	[0x2e] = {LEN_BLOCKS,     7, 2, OUT, SAME, MEDIUM, USUAL},  /* WRITE AND VERIFY(10) */
	[0x2f] = {LEN_BYTCHK,     7, 2, OUT, READ, MEDIUM, BY_RANGE}, /* VERIFY(10) */
	[0x34] = {LEN_NONE,       0, 0, NO,  READ, MEDIUM, USUAL},  /* PRE-FETCH(10) */
	[0x35] = {LEN_NONE,       0, 0, NO,  READ, MEDIUM, MINUTES}, /* SYNCHRONIZE CACHE(10) */
	[0x37] = {LEN_BYTES,      7, 2, IN,  READ, 0,      USUAL},  /* READ DEFECT DATA(10) */
	[0x38] = {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, DAY},    /* FORMAT WITH PRESET */
	[0x3b] = {LEN_BYTES,      6, 3, OUT, ONCE, 0,      COPY_TIME}, /* WRITE BUFFER */
	[0x3c] = {LEN_BYTES,      6, 3, IN,  READ, 0,      USUAL},  /* READ BUFFER(10) */
	[0x3e] = {LEN_BYTES,      7, 2, IN,  READ, MEDIUM, USUAL},  /* READ LONG(10) */
	[0x3f] = {LEN_BYTES,      7, 2, OUT, SAME, MEDIUM, USUAL},  /* WRITE LONG(10) */
	[0x41] = {LEN_ONE_BLOCK,  7, 2, OUT, SAME, MEDIUM, BY_RANGE}, /* WRITE SAME(10) */
	[0x42] = {LEN_BYTES,      7, 2, OUT, SAME, MEDIUM, MINUTES}, /* UNMAP */
	[0x48] = {LEN_BYTES,      7, 2, OUT, ONCE, MEDIUM, DAY},    /* SANITIZE */
	[0x4c] = {LEN_BYTES,      7, 2, OUT, ONCE, 0,      USUAL},  /* LOG SELECT */
	[0x4d] = {LEN_BYTES,      7, 2, IN,  READ, 0,      USUAL},  /* LOG SENSE */
	[0x50] = {LEN_BLOCKS,     7, 2, OUT, ONCE, MEDIUM, USUAL},  /* XDWRITE(10) */
	[0x51] = {LEN_BLOCKS,     7, 2, OUT, ONCE, MEDIUM, USUAL},  /* XPWRITE(10) */
	[0x52] = {LEN_BLOCKS,     7, 2, IN,  ONCE, MEDIUM, USUAL},  /* XDREAD(10) */
	[0x55] = {LEN_BYTES,      7, 2, OUT, SAME, 0,      USUAL},  /* MODE SELECT(10) */
	[0x56] = {LEN_BYTES,      7, 2, OUT, ONCE, 0,      USUAL},  /* RESERVE(10) */
	[0x57] = {LEN_BYTES,      7, 2, OUT, ONCE, 0,      USUAL},  /* RELEASE(10) */
	[0x5a] = {LEN_BYTES,      7, 2, IN,  READ, 0,      USUAL},  /* MODE SENSE(10) */
	[0x5e] = {LEN_BYTES,      7, 2, IN,  READ, 0,      USUAL},  /* PERSISTENT RESERVE IN */
	[0x5f] = {LEN_BYTES,      5, 4, OUT, ONCE, 0,      USUAL},  /* PERSISTENT RESERVE OUT */
	[0x7f] = {LEN_BY_ACTION,  0, 0, NO,  ONCE, 0,      USUAL},  /* 32-byte commands */
	[0x83] = {LEN_BY_ACTION,  0, 0, NO,  ONCE, 0,      USUAL},  /* THIRD-PARTY COPY OUT */
	[0x84] = {LEN_BYTES,     10, 4, IN,  READ, 0,      USUAL},  /* THIRD-PARTY COPY IN */
	[0x85] = {LEN_ATA,        2, 0, NO,  ONCE, 0,      MINUTES}, /* ATA PASS-THROUGH(16) */
	[0x88] = {LEN_BLOCKS,    10, 4, IN,  READ, MEDIUM, USUAL},  /* READ(16) */
	[0x89] = {LEN_TWICE,     13, 1, OUT, ONCE, MEDIUM, USUAL},  /* COMPARE AND WRITE */
	[0x8a] = {LEN_BLOCKS,    10, 4, OUT, SAME, MEDIUM, USUAL},  /* WRITE(16) */
	[0x8b] = {LEN_BLOCKS,    10, 4, OUT, ONCE, MEDIUM, USUAL},  /* ORWRITE(16) */
	[0x8c] = {LEN_BYTES,     10, 4, IN,  READ, 0,      USUAL},  /* READ ATTRIBUTE */
	[0x8d] = {LEN_BYTES,     10, 4, OUT, ONCE, 0,      USUAL},  /* WRITE ATTRIBUTE */
	[0x8e] = {LEN_BLOCKS,    10, 4, OUT, SAME, MEDIUM, USUAL},  /* WRITE AND VERIFY(16) */
	[0x8f] = {LEN_BYTCHK,    10, 4, OUT, READ, MEDIUM, BY_RANGE}, /* VERIFY(16) */
	[0x90] = {LEN_NONE,       0, 0, NO,  READ, MEDIUM, USUAL},  /* PRE-FETCH(16) */
	[0x91] = {LEN_NONE,       0, 0, NO,  READ, MEDIUM, MINUTES}, /* SYNCHRONIZE CACHE(16) */
	[0x93] = {LEN_ONE_BLOCK, 10, 4, OUT, SAME, MEDIUM, BY_RANGE}, /* WRITE SAME(16) */
	[0x94] = {LEN_BY_ACTION,  0, 0, NO,  ONCE, 0,      USUAL},  /* ZBC OUT */
	[0x95] = {LEN_BY_ACTION,  0, 0, NO,  ONCE, 0,      USUAL},  /* ZBC IN */
	[0x9a] = {LEN_BLOCKS,    12, 2, OUT, SAME, MEDIUM, USUAL},  /* WRITE STREAM(16) */
	[0x9b] = {LEN_BYTES,     10, 4, IN,  READ, 0,      USUAL},  /* READ BUFFER(16) */
	[0x9c] = {LEN_BLOCKS,    12, 2, OUT, SAME, MEDIUM, USUAL},  /* WRITE ATOMIC(16) */
	[0x9e] = {LEN_BY_ACTION,  0, 0, NO,  ONCE, 0,      USUAL},  /* SERVICE ACTION IN(16) */
	[0x9f] = {LEN_BY_ACTION,  0, 0, NO,  ONCE, 0,      USUAL},  /* SERVICE ACTION OUT(16) */
	[0xa0] = {LEN_BYTES,      6, 4, IN,  READ, 0,      USUAL},  /* REPORT LUNS */
	[0xa1] = {LEN_ATA,        2, 0, NO,  ONCE, 0,      MINUTES}, /* ATA PASS-THROUGH(12) */
	[0xa2] = {LEN_INC_512,    6, 4, IN,  ONCE, 0,      USUAL},  /* SECURITY PROTOCOL IN */
	[0xa3] = {LEN_BYTES,      6, 4, IN,  READ, 0,      USUAL},  /* MAINTENANCE IN */
	[0xa4] = {LEN_BYTES,      6, 4, OUT, ONCE, 0,      USUAL},  /* MAINTENANCE OUT */
	[0xa8] = {LEN_BLOCKS,     6, 4, IN,  READ, MEDIUM, USUAL},  /* READ(12) */
	[0xaa] = {LEN_BLOCKS,     6, 4, OUT, SAME, MEDIUM, USUAL},  /* WRITE(12) */
	[0xab] = {LEN_BY_ACTION,  0, 0, NO,  ONCE, 0,      USUAL},  /* SERVICE ACTION IN(12) */
	[0xae] = {LEN_BLOCKS,     6, 4, OUT, SAME, MEDIUM, USUAL},  /* WRITE AND VERIFY(12) */
	[0xaf] = {LEN_BYTCHK,     6, 4, OUT, READ, MEDIUM, BY_RANGE}, /* VERIFY(12) */
	[0xb5] = {LEN_INC_512,    6, 4, OUT, ONCE, 0,      USUAL},  /* SECURITY PROTOCOL OUT */
	[0xb7] = {LEN_BYTES,      6, 4, IN,  READ, 0,      USUAL},  /* READ DEFECT DATA(12) */
};

static const struct action_rule variable_length_rules[] = {
	{0x0003, {LEN_BLOCKS,    28, 4, IN,  ONCE, MEDIUM, USUAL}}, /* XDREAD(32) */
	{0x0004, {LEN_BLOCKS,    28, 4, OUT, ONCE, MEDIUM, USUAL}}, /* XDWRITE(32) */
	{0x0006, {LEN_BLOCKS,    28, 4, OUT, ONCE, MEDIUM, USUAL}}, /* XPWRITE(32) */
	{0x0009, {LEN_BLOCKS,    28, 4, IN,  READ, MEDIUM, USUAL}}, /* READ(32) */
	{0x000a, {LEN_BYTCHK,    28, 4, OUT, READ, MEDIUM, BY_RANGE}}, /* VERIFY(32) */
	{0x000b, {LEN_BLOCKS,    28, 4, OUT, SAME, MEDIUM, USUAL}}, /* WRITE(32) */
	{0x000c, {LEN_BLOCKS,    28, 4, OUT, SAME, MEDIUM, USUAL}}, /* WRITE AND VERIFY(32) */
	{0x000d, {LEN_ONE_BLOCK, 28, 4, OUT, SAME, MEDIUM, BY_RANGE}}, /* WRITE SAME(32) */
	{0x000e, {LEN_BLOCKS,    28, 4, OUT, ONCE, MEDIUM, USUAL}}, /* ORWRITE(32) */
	{0x000f, {LEN_BLOCKS,    28, 4, OUT, SAME, MEDIUM, USUAL}}, /* WRITE ATOMIC(32) */
	{0x0010, {LEN_BLOCKS,    28, 4, OUT, SAME, MEDIUM, USUAL}}, /* WRITE STREAM(32) */
	{0x0011, {LEN_BLOCKS,    28, 4, OUT, SAME, MEDIUM, USUAL}}, /* WRITE SCATTERED(32) */
	{0x0012, {LEN_BYTES,     28, 4, IN,  READ, MEDIUM, USUAL}}, /* GET LBA STATUS(32) */
	{0x1ff0, {LEN_ATA,       11, 0, NO,  ONCE, 0,      MINUTES}}, /* ATA PASS-THROUGH(32) */
};

static const struct action_rule copy_out_rules[] = {
	{0x00, {LEN_BYTES,     10, 4, OUT, ONCE, MEDIUM, COPY_TIME}}, /* EXTENDED COPY(LID1) */
	{0x01, {LEN_BYTES,     10, 4, OUT, ONCE, MEDIUM, COPY_TIME}}, /* EXTENDED COPY(LID4) */
	{0x10, {LEN_BYTES,     10, 4, OUT, ONCE, MEDIUM, COPY_TIME}}, /* POPULATE TOKEN */
	{0x11, {LEN_BYTES,     10, 4, OUT, ONCE, MEDIUM, COPY_TIME}}, /* WRITE USING TOKEN */
	{0x1c, {LEN_NONE,       0, 0, NO,  ONCE, 0,      USUAL}},   /* COPY OPERATION ABORT */
};

/* All once: between two copies another command may have written to the zone. */
static const struct action_rule zbc_out_rules[] = {
	{0x01, {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, USUAL}},   /* CLOSE ZONE */
	{0x02, {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, MINUTES}}, /* FINISH ZONE */
	{0x03, {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, USUAL}},   /* OPEN ZONE */
	{0x04, {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, MINUTES}}, /* RESET WRITE POINTER */
	{0x10, {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, MINUTES}}, /* SEQUENTIALIZE ZONE */
};

static const struct action_rule zbc_in_rules[] = {
	{0x00, {LEN_BYTES,     10, 4, IN,  READ, MEDIUM, USUAL}},   /* REPORT ZONES */
	{0x06, {LEN_BYTES,     10, 4, IN,  READ, MEDIUM, USUAL}},   /* REPORT REALMS */
	{0x07, {LEN_BYTES,     10, 4, IN,  READ, MEDIUM, USUAL}},   /* REPORT ZONE DOMAINS */
	{0x08, {LEN_BYTES,     10, 4, IN,  ONCE, MEDIUM, USUAL}},   /* ZONE ACTIVATE */
	{0x09, {LEN_BYTES,     10, 4, IN,  READ, MEDIUM, USUAL}},   /* ZONE QUERY */
};

static const struct action_rule service_in_16_rules[] = {
	{0x10, {LEN_BYTES,     10, 4, IN,  READ, 0,      USUAL}},   /* READ CAPACITY(16) */
	{0x11, {LEN_BYTES,     12, 2, IN,  READ, MEDIUM, USUAL}},   /* READ LONG(16) */
	{0x12, {LEN_BYTES,     10, 4, IN,  READ, MEDIUM, USUAL}},   /* GET LBA STATUS(16) */
	{0x13, {LEN_BYTES,     10, 4, IN,  READ, 0,      USUAL}},   /* REPORT REFERRALS */
	{0x14, {LEN_BYTES,     10, 4, IN,  ONCE, 0,      USUAL}},   /* STREAM CONTROL */
	{0x15, {LEN_NONE,       0, 0, NO,  SAME, 0,      USUAL}},   /* BACKGROUND CONTROL */
	{0x16, {LEN_BYTES,     10, 4, IN,  READ, 0,      USUAL}},   /* GET STREAM STATUS */
	{0x17, {LEN_BYTES,     10, 4, IN,  READ, 0,      USUAL}},   /* GET ELEMENT STATUS */
	{0x18, {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, DAY}},     /* REMOVE ELEMENT */
	{0x19, {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, DAY}},     /* RESTORE ELEMENTS */
	{0x1a, {LEN_NONE,       0, 0, NO,  ONCE, MEDIUM, DAY}},     /* REMOVE ELEMENT, ZONES */
};

static const struct action_rule service_out_16_rules[] = {
	{0x11, {LEN_BYTES,     12, 2, OUT, SAME, MEDIUM, USUAL}},   /* WRITE LONG(16) */
	{0x12, {LEN_BLOCKS,    10, 4, OUT, SAME, MEDIUM, USUAL}},   /* WRITE SCATTERED(16) */
};

static const struct action_rule service_in_12_rules[] = {
	{0x01, {LEN_BYTES,      6, 4, IN,  READ, 0,      USUAL}},   /* READ MEDIA SERIAL NUMBER */
};

#undef NO
#undef IN
#undef OUT
#undef READ
#undef SAME
#undef ONCE
/* clang-format on */

static uint64_t be_field(const uint8_t *cdb, unsigned int at, unsigned int width)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < width; i++)
		value = value << 8 | cdb[at + i];
	return value;
}

static const struct cdb_rule *find_action(const struct action_rule *rules, size_t nr_rules,
					  unsigned int action)
{
	size_t i;

	for (i = 0; i < nr_rules; i++)
		if (rules[i].action == action)
			return &rules[i].rule;
	return NULL;
}

#define FIND_ACTION(rules, action) find_action(rules, sizeof(rules) / sizeof((rules)[0]), action)

static const struct cdb_rule *find_action_rule(const uint8_t *cdb, size_t cdb_len)
{
	unsigned int action = cdb[1] & 0x1f;

	switch (cdb[0]) {
	case OPCODE_VARIABLE_LENGTH:
		/* All of these are 32 bytes long; what is shorter has no transfer length. */
		if (cdb_len < 32)
			return NULL;
		return FIND_ACTION(variable_length_rules, (unsigned int)be_field(cdb, 8, 2));
	case 0x83:
		return FIND_ACTION(copy_out_rules, action);
	case 0x94:
		return FIND_ACTION(zbc_out_rules, action);
	case 0x95:
		return FIND_ACTION(zbc_in_rules, action);
	case 0x9e:
		return FIND_ACTION(service_in_16_rules, action);
	case 0x9f:
		return FIND_ACTION(service_out_16_rules, action);
	case 0xab:
		return FIND_ACTION(service_in_12_rules, action);
	}
	return NULL;
}

static const struct cdb_rule *find_rule(const struct scsi_cmd *cmd)
{
	const struct cdb_rule *rule = &opcode_rules[cmd->cdb[0]];

	if (rule->length == LEN_UNTOLD)
		return NULL;
	if (rule->length == LEN_BY_ACTION)
		return find_action_rule(cmd->cdb, cmd->cdb_len);
	return rule;
}

bool scsi_cdb_is_known(const struct scsi_cmd *cmd)
{
	return find_rule(cmd) != NULL;
}

/* The byte with BYTCHK, NDOB, ...: it moved in the 32-byte commands. */
static uint8_t option_byte(const uint8_t *cdb)
{
	return cdb[0] == OPCODE_VARIABLE_LENGTH ? cdb[10] : cdb[1];
}

/* What a command moves, as the initiator sees it. */
struct transfer {
	const uint8_t *cdb;
	uint64_t iov_len;
	uint64_t block_size; /* 0: unknown */
};

/* Without a block size the initiator's own expectation is the best guess. */
static uint64_t blocks_to_bytes(const struct transfer *t, uint64_t nr_blocks)
{
	if (nr_blocks == 0)
		return 0;
	return t->block_size ? nr_blocks * t->block_size : t->iov_len;
}

/* SBC-4: BYTCHK 01b brings all blocks, 11b one block to compare all with, else there is no data. */
static uint64_t verify_length(const struct transfer *t, uint64_t nr_blocks)
{
	switch (option_byte(t->cdb) >> 1 & 3) {
	case 1:
		return blocks_to_bytes(t, nr_blocks);
	case 3:
		return nr_blocks ? blocks_to_bytes(t, 1) : 0;
	}
	return 0;
}

static uint64_t write_same_length(const struct transfer *t)
{
	bool ndob = t->cdb[0] != OPCODE_WRITE_SAME_10 && (option_byte(t->cdb) & 1);

	return ndob ? 0 : blocks_to_bytes(t, 1);
}

/* SAT-4: T_LENGTH tells which ATA register holds the count. */
static uint64_t ata_count(const uint8_t *cdb, unsigned int t_length)
{
	bool features = t_length == 1;
	bool extend = cdb[1] & 1;

	switch (cdb[0]) {
	case 0xa1:
		return features ? cdb[3] : cdb[4];
	case 0x85:
		if (features)
			return extend ? be_field(cdb, 3, 2) : cdb[4];
		return extend ? be_field(cdb, 5, 2) : cdb[6];
	}
	return features ? be_field(cdb, 20, 2) : be_field(cdb, 22, 2);
}

static uint64_t ata_length(const struct transfer *t, uint8_t flags)
{
	unsigned int t_length = flags & 3;
	uint64_t count;

	if (t_length == 0)
		return 0;
	count = ata_count(t->cdb, t_length);
	if (t_length == 3 || count == 0)
		return t->iov_len;
	if (!(flags & 0x04)) /* BYT_BLOK */
		return count;
	return flags & 0x10 ? blocks_to_bytes(t, count) : count * 512; /* T_TYPE */
}

static uint64_t transfer_length(const struct transfer *t, const struct cdb_rule *rule)
{
	uint64_t field = be_field(t->cdb, rule->at, rule->width);

	switch (rule->length) {
	case LEN_UNTOLD:
	case LEN_BY_ACTION:
	case LEN_NONE:
		return 0;
	case LEN_FIXED:
		return rule->at;
	case LEN_BYTES:
		return field;
	case LEN_INC_512:
		return t->cdb[4] & 0x80 ? field * 512 : field;
	case LEN_BLOCKS:
		return blocks_to_bytes(t, field);
	case LEN_BLOCKS_6:
		return blocks_to_bytes(t, field ? field : 256);
	case LEN_TWICE:
		return blocks_to_bytes(t, 2 * field);
	case LEN_ONE_BLOCK:
		return write_same_length(t);
	case LEN_BYTCHK:
		return verify_length(t, field);
	case LEN_FMTDATA:
		return t->cdb[1] & 0x10 ? t->iov_len : 0;
	case LEN_WHOLE:
		return t->iov_len;
	case LEN_ATA:
		return ata_length(t, t->cdb[rule->at]);
	}
	return 0;
}

static enum scsi_dir transfer_dir(const uint8_t *cdb, const struct cdb_rule *rule)
{
	if (rule->length != LEN_ATA)
		return rule->dir;
	return cdb[rule->at] & 0x08 ? SCSI_DATA_IN : SCSI_DATA_OUT; /* T_DIR */
}

/* A range of 0 blocks is nothing to VERIFY, but everything up to the end to WRITE SAME. */
static bool range_is_large(const struct transfer *t, const struct cdb_rule *rule)
{
	uint64_t nr_blocks = be_field(t->cdb, rule->at, rule->width);
	uint64_t block_size = t->block_size ? t->block_size : 512;

	if (nr_blocks == 0)
		return rule->length == LEN_ONE_BLOCK;
	return nr_blocks * block_size > LARGE_RANGE_BYTES;
}

static uint32_t needs_ms(const struct transfer *t, const struct cdb_rule *rule)
{
	switch (rule->time) {
	case USUAL:
		return 0;
	case MINUTES:
		return TIMEOUT_MINUTES_MS;
	case BY_RANGE:
		return range_is_large(t, rule) ? TIMEOUT_COPY_MS : 0;
	case COPY_TIME:
		return TIMEOUT_COPY_MS;
	case HOUR:
		return TIMEOUT_HOUR_MS;
	case DAY:
		return TIMEOUT_DAY_MS;
	}
	return 0;
}

static enum cmd_class command_class(const uint8_t *cdb, const struct cdb_rule *rule)
{
	if (cdb[0] == OPCODE_LOG_SENSE && (cdb[1] & 1))
		return CMD_IDEMPOTENT;
	return rule->class;
}

/* Without data there is no direction to get wrong; what it does to the LUN, nobody knows. */
static enum cdb_status fill_unknown(struct scsi_cmd *cmd, size_t iov_len)
{
	if (iov_len > 0)
		return CDB_UNKNOWN;
	cmd->dir = SCSI_NO_DATA;
	cmd->class = CMD_ONCE;
	cmd->medium = false;
	cmd->cut_short = false;
	cmd->data_len = 0;
	cmd->needs_ms = 0;
	return CDB_OK;
}

/*
 * SAM-5 5.2: our INQUIRY data has NORMACA 0, as linked commands have it, and who does not support
 * them refuses them.  Were they passed on, an error would leave an auto contingent allegiance
 * behind, in which the array answers ACA ACTIVE to all initiators; none could clear it, since their
 * task management ends at LIO.
 */
#define CONTROL_NACA 0x04
#define CONTROL_LINK 0x01

static bool control_is_refused(const uint8_t *cdb, size_t cdb_len)
{
	size_t at = cdb[0] == OPCODE_VARIABLE_LENGTH ? 1 : cdb_len - 1;

	return cdb_len && (cdb[at] & (CONTROL_NACA | CONTROL_LINK));
}

enum cdb_status scsi_cdb_fill(struct scsi_cmd *cmd, size_t iov_len, uint32_t block_size)
{
	struct transfer t = {.cdb = cmd->cdb, .iov_len = iov_len, .block_size = block_size};
	const struct cdb_rule *rule;
	uint64_t length;
	size_t cdb_len;

	if (cmd->cdb_len > SCSI_CDB_MAX)
		return CDB_TOO_LONG;
	cdb_len = scsi_cdb_len(cmd->cdb, cmd->cdb_len);
	if (cdb_len > SCSI_CDB_MAX)
		return CDB_TOO_LONG;
	if (cmd->cdb_len == 0 || cmd->cdb_len < cdb_len)
		return CDB_BAD_FIELD;
	if (control_is_refused(cmd->cdb, cdb_len))
		return CDB_BAD_FIELD;

	rule = find_rule(cmd);
	if (!rule)
		return fill_unknown(cmd, iov_len);

	length = transfer_length(&t, rule);
	cmd->dir = length ? transfer_dir(cmd->cdb, rule) : SCSI_NO_DATA;
	if (cmd->dir == SCSI_DATA_OUT && length > iov_len)
		return CDB_BAD_FIELD;
	cmd->cut_short = length > iov_len;
	cmd->data_len = cmd->cut_short ? iov_len : (size_t)length;
	if (cmd->data_len == 0)
		cmd->dir = SCSI_NO_DATA;
	cmd->class = command_class(cmd->cdb, rule);
	cmd->medium = rule->medium;
	cmd->needs_ms = needs_ms(&t, rule);
	return CDB_OK;
}

/* WRITE SAME with UNMAP: a target that unmaps the range need not fetch the block (SBC-4). */
static bool may_unmap_instead(const struct scsi_cmd *cmd)
{
	return option_byte(cmd->cdb) & 0x08;
}

bool scsi_cdb_writes_blocks(const struct scsi_cmd *cmd)
{
	const struct cdb_rule *rule = find_rule(cmd);

	if (!rule || cmd->dir != SCSI_DATA_OUT)
		return false;
	return rule->length == LEN_BLOCKS || rule->length == LEN_BLOCKS_6 ||
	       rule->length == LEN_TWICE ||
	       (rule->length == LEN_ONE_BLOCK && !may_unmap_instead(cmd));
}

/* SAM: the first three bits of the opcode are the group, the group gives the length. */
size_t scsi_cdb_len(const uint8_t *cdb, size_t avail)
{
	if (avail == 0)
		return 0;
	if (cdb[0] == OPCODE_VARIABLE_LENGTH)
		return avail < 8 ? 0 : 8 + (size_t)cdb[7];

	switch (cdb[0] >> 5) {
	case 0:
		return 6;
	case 1:
	case 2:
		return 10;
	case 4:
		return 16;
	case 5:
		return 12;
	}
	return 0;
}

bool scsi_cdb_read_lba(const uint8_t *cdb, size_t len, uint64_t *lba)
{
	if (len == 0 || len < scsi_cdb_len(cdb, len))
		return false;
	switch (cdb[0]) {
	case 0x08: /* READ(6) */
		*lba = be_field(cdb, 1, 3) & 0x1fffff;
		return true;
	case 0x28: /* READ(10) */
	case 0xa8: /* READ(12) */
		*lba = be_field(cdb, 2, 4);
		return true;
	case 0x88: /* READ(16) */
		*lba = be_field(cdb, 2, 8);
		return true;
	case OPCODE_VARIABLE_LENGTH:
		if (len < 32 || be_field(cdb, 8, 2) != 0x0009) /* READ(32) */
			return false;
		*lba = be_field(cdb, 12, 8);
		return true;
	}
	return false;
}

void scsi_cdb_name(const uint8_t *cdb, size_t len, struct strbuf *out)
{
	uint8_t whole[SCSI_CDB_MAX] = {0}; /* the library looks at the service action, too */
	char name[80];

	memcpy(whole, cdb, len < sizeof(whole) ? len : sizeof(whole));
	sg_get_command_name(whole, 0, sizeof(name), name);
	strbuf_printf(out, "%s", name);
}
