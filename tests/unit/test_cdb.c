/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a CDB means.  One row per command, written from the standards (SPC-5, SBC-4, ZBC-2, SAT-4)
 * and not from the table under test; its name is checked against libsgutils2's, so that opcode and
 * service action are those of the command that is meant.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "mpath/scsi.h"

#define USUAL	  0 /* path_timeout_ms is enough */
#define MINUTES	  120000
#define COPY_TIME 600000
#define HOUR	  3600000
#define DAY	  86400000
#define BS	  512

#define NO  SCSI_NO_DATA
#define IN  SCSI_DATA_IN
#define OUT SCSI_DATA_OUT

#define READ CMD_READ
#define SAME CMD_IDEMPOTENT
#define ONCE CMD_ONCE

struct row {
	const char *name;
	uint8_t cdb[SCSI_CDB_MAX];
	enum scsi_dir dir;
	size_t data_len;
	enum cmd_class class;
	bool medium;
	uint32_t needs_ms;
};

/* clang-format off */
static const struct row rows[] = {
	{"Test Unit Ready", {0x00}, NO, 0, READ, false, USUAL},
	{"Rezero Unit", {0x01}, NO, 0, READ, false, USUAL},
	{"Request Sense", {0x03, 0, 0, 0, 252}, IN, 252, READ, false, USUAL},
	{"Format Unit", {0x04}, NO, 0, ONCE, true, DAY},
	{"Read(6)", {0x08, 0x1f, 0xff, 0xff, 3}, IN, 3 * BS, READ, true, USUAL},
	{"Read(6)", {0x08, 0, 0, 0, 0}, IN, 256 * BS, READ, true, USUAL},
	{"Write(6)", {0x0a, 0, 0, 0, 1}, OUT, BS, SAME, true, USUAL},
	{"Write(6)", {0x0a, 0, 0, 0, 0}, OUT, 256 * BS, SAME, true, USUAL},
	{"Seek(6)", {0x0b}, NO, 0, READ, false, USUAL},
	{"Inquiry", {0x12, 1, 0x83, 0x01, 0x02}, IN, 0x102, READ, false, USUAL},
	{"Mode select(6)", {0x15, 0x10, 0, 0, 24}, OUT, 24, SAME, false, USUAL},
	{"Reserve(6)", {0x16}, NO, 0, ONCE, false, USUAL},
	{"Release(6)", {0x17}, NO, 0, ONCE, false, USUAL},
	{"Mode sense(6)", {0x1a, 0, 0x3f, 0, 255}, IN, 255, READ, false, USUAL},
	{"Start stop unit", {0x1b, 0, 0, 0, 1}, NO, 0, SAME, false, MINUTES},
	{"Receive diagnostic", {0x1c, 1, 0, 0x10, 0}, IN, 0x1000, READ, false, USUAL},
	{"Send diagnostic", {0x1d, 0x10, 0, 0, 8}, OUT, 8, ONCE, false, HOUR},
	{"Send diagnostic", {0x1d, 0x04}, NO, 0, ONCE, false, HOUR}, /* self-test */
	{"Prevent allow medium removal", {0x1e, 0, 0, 0, 1}, NO, 0, SAME, false, USUAL},
	{"Read capacity(10)", {0x25}, IN, 8, READ, false, USUAL},
	{"Read(10)", {0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0x01, 0x00}, IN, 256 * BS, READ, true, USUAL},
	{"Read(10)", {0x28}, NO, 0, READ, true, USUAL}, /* length 0 is no error */
	{"Write(10)", {0x2a, 0, 0, 0, 0, 0, 0, 0, 8}, OUT, 8 * BS, SAME, true, USUAL},
	{"Write(10)", {0x2a, 0x20, 0, 0, 0, 0, 0, 0, 8}, OUT, 8 * BS, SAME, true, USUAL}, /* WRPROTECT */
	{"Seek(10)", {0x2b}, NO, 0, READ, false, USUAL},
	{"Write and verify(10)", {0x2e, 0x02, 0, 0, 0, 0, 0, 0, 2}, OUT, 2 * BS, SAME, true, USUAL},
	{"Verify(10)", {0x2f, 0, 0, 0, 0, 0, 0, 0, 4}, NO, 0, READ, true, USUAL},
	{"Verify(10)", {0x2f, 0x02, 0, 0, 0, 0, 0, 0, 4}, OUT, 4 * BS, READ, true, USUAL},
	{"Verify(10)", {0x2f, 0x04, 0, 0, 0, 0, 0, 0, 4}, NO, 0, READ, true, USUAL}, /* reserved */
	{"Verify(10)", {0x2f, 0x06, 0, 0, 0, 0, 0, 0, 4}, OUT, BS, READ, true, USUAL},
	{"Verify(10)", {0x2f, 0x06}, NO, 0, READ, true, USUAL},
	{"Pre-fetch(10)", {0x34, 0, 0, 0, 0, 0, 0, 0, 8}, NO, 0, READ, true, USUAL},
	{"Synchronize cache(10)", {0x35}, NO, 0, READ, true, MINUTES},
	{"Read defect data(10)", {0x37, 0, 0x0d, 0, 0, 0, 0, 1, 0}, IN, 256, READ, false, USUAL},
	{"Format with preset", {0x38}, NO, 0, ONCE, true, DAY},
	{"Write buffer", {0x3b, 0x05, 0, 0, 0, 0, 0x01, 0, 0}, OUT, 65536, ONCE, false, COPY_TIME},
	{"Read buffer(10)", {0x3c, 0x02, 0, 0, 0, 0, 0, 0x02, 0}, IN, 512, READ, false, USUAL},
	{"Read long(10)", {0x3e, 0, 0, 0, 0, 0, 0, 2, 8}, IN, 520, READ, true, USUAL},
	{"Write long(10)", {0x3f, 0, 0, 0, 0, 0, 0, 2, 8}, OUT, 520, SAME, true, USUAL},
	{"Write long(10)", {0x3f, 0x40}, NO, 0, SAME, true, USUAL}, /* WR_UNCOR */
	{"Write same(10)", {0x41, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, OUT, BS, SAME, true, USUAL},
	{"Write same(10)", {0x41, 0x08, 0, 0, 0, 0, 0, 0, 1}, OUT, BS, SAME, true, USUAL}, /* UNMAP */
	{"Write same(10)", {0x41, 0x01, 0, 0, 0, 0, 0, 0, 1}, OUT, BS, SAME, true, USUAL}, /* no NDOB */
	{"Write same(10)", {0x41}, OUT, BS, SAME, true, COPY_TIME}, /* up to the end */
	{"Unmap", {0x42, 0, 0, 0, 0, 0, 0, 0, 24}, OUT, 24, SAME, true, MINUTES},
	{"Sanitize", {0x48, 0x01, 0, 0, 0, 0, 0, 0, 8}, OUT, 8, ONCE, true, DAY},
	{"Sanitize", {0x48, 0x82}, NO, 0, ONCE, true, DAY},
	{"Log select", {0x4c, 0x02}, NO, 0, ONCE, false, USUAL},
	{"Log select", {0x4c, 0x10, 0x40, 0, 0, 0, 0, 0x01, 0x04}, OUT, 260, ONCE, false, USUAL},
	{"Log sense", {0x4d, 0, 0x40, 0, 0, 0, 0, 1, 0}, IN, 256, READ, false, USUAL},
	{"Log sense", {0x4d, 1, 0x40, 0, 0, 0, 0, 1, 0}, IN, 256, SAME, false, USUAL}, /* SP */
	{"Xdwrite(10)", {0x50, 0, 0, 0, 0, 0, 0, 0, 2}, OUT, 2 * BS, ONCE, true, USUAL},
	{"Xpwrite(10)", {0x51, 0, 0, 0, 0, 0, 0, 0, 2}, OUT, 2 * BS, ONCE, true, USUAL},
	{"Xdread(10)", {0x52, 0, 0, 0, 0, 0, 0, 0, 2}, IN, 2 * BS, ONCE, true, USUAL},
	{"Mode select(10)", {0x55, 0x10, 0, 0, 0, 0, 0, 1, 0}, OUT, 256, SAME, false, USUAL},
	{"Reserve(10)", {0x56}, NO, 0, ONCE, false, USUAL},
	{"Release(10)", {0x57, 0, 0, 0, 0, 0, 0, 0, 8}, OUT, 8, ONCE, false, USUAL},
	{"Mode sense(10)", {0x5a, 0, 0x3f, 0, 0, 0, 0, 2, 0}, IN, 512, READ, false, USUAL},
	{"Persistent reserve in, read keys", {0x5e, 0, 0, 0, 0, 0, 0, 0x20, 0}, IN, 8192, READ, false, USUAL},
	{"Persistent reserve out, register", {0x5f, 0, 0, 0, 0, 0, 0, 0, 24}, OUT, 24, ONCE, false, USUAL},
	{"Read(32)", {0x7f, [7] = 24, [9] = 0x09, [31] = 8}, IN, 8 * BS, READ, true, USUAL},
	{"Verify(32)", {0x7f, [7] = 24, [9] = 0x0a, [10] = 0x02, [31] = 8}, OUT, 8 * BS, READ, true, USUAL},
	{"Verify(32)", {0x7f, [7] = 24, [9] = 0x0a, [10] = 0x06, [31] = 8}, OUT, BS, READ, true, USUAL},
	{"Verify(32)", {0x7f, [7] = 24, [9] = 0x0a, [31] = 8}, NO, 0, READ, true, USUAL},
	{"Write(32)", {0x7f, [7] = 24, [9] = 0x0b, [31] = 8}, OUT, 8 * BS, SAME, true, USUAL},
	{"Write and verify(32)", {0x7f, [7] = 24, [9] = 0x0c, [31] = 8}, OUT, 8 * BS, SAME, true, USUAL},
	{"Write same(32)", {0x7f, [7] = 24, [9] = 0x0d, [31] = 8}, OUT, BS, SAME, true, USUAL},
	{"Write same(32)", {0x7f, [7] = 24, [9] = 0x0d, [10] = 0x01, [31] = 8}, NO, 0, SAME, true, USUAL}, /* NDOB */
	{"Orwrite(32)", {0x7f, [7] = 24, [9] = 0x0e, [31] = 8}, OUT, 8 * BS, ONCE, true, USUAL},
	{"Atomic write(32)", {0x7f, [7] = 24, [9] = 0x0f, [31] = 8}, OUT, 8 * BS, SAME, true, USUAL},
	{"Write stream(32)", {0x7f, [7] = 24, [9] = 0x10, [31] = 8}, OUT, 8 * BS, SAME, true, USUAL},
	{"Write scattered(32)", {0x7f, [7] = 24, [9] = 0x11, [31] = 3}, OUT, 3 * BS, SAME, true, USUAL},
	{"Get LBA status(32)", {0x7f, [7] = 24, [9] = 0x12, [31] = 64}, IN, 64, READ, true, USUAL},
	{"Xdread(32)", {0x7f, [7] = 24, [9] = 0x03, [31] = 2}, IN, 2 * BS, ONCE, true, USUAL},
	{"Xdwrite(32)", {0x7f, [7] = 24, [9] = 0x04, [31] = 2}, OUT, 2 * BS, ONCE, true, USUAL},
	{"Xpwrite(32)", {0x7f, [7] = 24, [9] = 0x06, [31] = 2}, OUT, 2 * BS, ONCE, true, USUAL},
	{"Extended copy(LID1)", {0x83, 0, [13] = 64}, OUT, 64, ONCE, true, COPY_TIME},
	{"Extended copy", {0x83, 0x01, [13] = 64}, OUT, 64, ONCE, true, COPY_TIME},
	{"Populate token", {0x83, 0x10, [13] = 32}, OUT, 32, ONCE, true, COPY_TIME},
	{"Write using token", {0x83, 0x11, [12] = 2}, OUT, 512, ONCE, true, COPY_TIME},
	{"Copy operation abort", {0x83, 0x1c, 0, 0, 0, 1}, NO, 0, ONCE, false, USUAL},
	{"Receive copy status(LID1)", {0x84, 0, [13] = 16}, IN, 16, READ, false, USUAL},
	{"Receive copy operating parameters", {0x84, 0x03, [12] = 1}, IN, 256, READ, false, USUAL},
	{"Receive ROD token information", {0x84, 0x07, [12] = 2}, IN, 512, READ, false, USUAL},
	{"Read(16)", {0x88, [13] = 16}, IN, 16 * BS, READ, true, USUAL},
	{"Compare and write", {0x89, [13] = 1}, OUT, 2 * BS, ONCE, true, USUAL},
	{"Compare and write", {0x89, [13] = 0xff}, OUT, 510 * BS, ONCE, true, USUAL},
	{"Write(16)", {0x8a, [13] = 16}, OUT, 16 * BS, SAME, true, USUAL},
	{"Orwrite(16)", {0x8b, [13] = 16}, OUT, 16 * BS, ONCE, true, USUAL},
	{"Read attribute", {0x8c, [12] = 1}, IN, 256, READ, false, USUAL},
	{"Write attribute", {0x8d, [13] = 16}, OUT, 16, ONCE, false, USUAL},
	{"Write and verify(16)", {0x8e, [13] = 16}, OUT, 16 * BS, SAME, true, USUAL},
	{"Verify(16)", {0x8f, 0x02, [13] = 16}, OUT, 16 * BS, READ, true, USUAL},
	{"Verify(16)", {0x8f, 0x06, [13] = 16}, OUT, BS, READ, true, USUAL},
	{"Verify(16)", {0x8f, 0, [11] = 0x02, [13] = 1}, NO, 0, READ, true, COPY_TIME}, /* > 64 MiB */
	{"Verify(16)", {0x8f, 0, [11] = 0x02}, NO, 0, READ, true, USUAL}, /* 64 MiB */
	{"Pre-fetch(16)", {0x90, [13] = 8}, NO, 0, READ, true, USUAL},
	{"Synchronize cache(16)", {0x91}, NO, 0, READ, true, MINUTES},
	{"Write same(16)", {0x93, [13] = 8}, OUT, BS, SAME, true, USUAL},
	{"Write same(16)", {0x93, 0x08, [13] = 8}, OUT, BS, SAME, true, USUAL}, /* UNMAP */
	{"Write same(16)", {0x93, 0x09, [13] = 8}, NO, 0, SAME, true, USUAL}, /* NDOB */
	{"Write same(16)", {0x93, 0x01, [10] = 0x01}, NO, 0, SAME, true, COPY_TIME},
	{"Close zone", {0x94, 0x01}, NO, 0, ONCE, true, USUAL},
	{"Finish zone", {0x94, 0x02}, NO, 0, ONCE, true, MINUTES},
	{"Open zone", {0x94, 0x03}, NO, 0, ONCE, true, USUAL},
	{"Reset write pointer", {0x94, 0x04}, NO, 0, ONCE, true, MINUTES},
	{"Sequentialize zone", {0x94, 0x10}, NO, 0, ONCE, true, MINUTES},
	{"Report zones", {0x95, 0, [12] = 16}, IN, 4096, READ, true, USUAL},
	{"Report realms", {0x95, 0x06, [12] = 16}, IN, 4096, READ, true, USUAL},
	{"Report zone domains", {0x95, 0x07, [12] = 16}, IN, 4096, READ, true, USUAL},
	{"Zone activate", {0x95, 0x08, [12] = 1}, IN, 256, ONCE, true, USUAL},
	{"Zone query", {0x95, 0x09, [12] = 1}, IN, 256, READ, true, USUAL},
	{"Write stream(16)", {0x9a, [13] = 4}, OUT, 4 * BS, SAME, true, USUAL},
	{"Read buffer(16)", {0x9b, 0x02, [12] = 2}, IN, 512, READ, false, USUAL},
	{"Write atomic(16)", {0x9c, [10] = 0xff, [11] = 0xff, [13] = 4}, OUT, 4 * BS, SAME, true, USUAL},
	{"Read capacity(16)", {0x9e, 0x10, [13] = 32}, IN, 32, READ, false, USUAL},
	{"Read long(16)", {0x9e, 0x11, [12] = 2, [13] = 8}, IN, 520, READ, true, USUAL},
	{"Get LBA status(16)", {0x9e, 0x12, [13] = 24}, IN, 24, READ, true, USUAL},
	{"Report referrals", {0x9e, 0x13, [12] = 1}, IN, 256, READ, false, USUAL},
	{"Stream control", {0x9e, 0x14, [13] = 8}, IN, 8, ONCE, false, USUAL},
	{"Background control", {0x9e, 0x15, 0x40}, NO, 0, SAME, false, USUAL},
	{"Get stream status", {0x9e, 0x16, [13] = 64}, IN, 64, READ, false, USUAL},
	{"Get physical element status", {0x9e, 0x17, [12] = 4}, IN, 1024, READ, false, USUAL},
	{"Remove element and truncate", {0x9e, 0x18}, NO, 0, ONCE, true, DAY},
	{"Restore elements and rebuild", {0x9e, 0x19}, NO, 0, ONCE, true, DAY},
	{"Remove element and modify zones", {0x9e, 0x1a}, NO, 0, ONCE, true, DAY},
	{"Write long(16)", {0x9f, 0x11, [12] = 2, [13] = 8}, OUT, 520, SAME, true, USUAL},
	{"Write scattered(16)", {0x9f, 0x12, [13] = 3}, OUT, 3 * BS, SAME, true, USUAL},
	{"Report luns", {0xa0, [8] = 0x10}, IN, 4096, READ, false, USUAL},
	{"Security protocol in", {0xa2, 0, [9] = 44}, IN, 44, ONCE, false, USUAL},
	{"Security protocol in", {0xa2, 0, [4] = 0x80, [9] = 2}, IN, 1024, ONCE, false, USUAL}, /* INC_512 */
	{"Report identifying information", {0xa3, 0x05, [8] = 1}, IN, 256, READ, false, USUAL},
	{"Report target port groups", {0xa3, 0x0a, [8] = 1}, IN, 256, READ, false, USUAL},
	{"Report supported operation codes", {0xa3, 0x0c, [8] = 0x40}, IN, 16384, READ, false, USUAL},
	{"Report supported task management functions", {0xa3, 0x0d, [9] = 16}, IN, 16, READ, false, USUAL},
	{"Report timestamp", {0xa3, 0x0f, [9] = 12}, IN, 12, READ, false, USUAL},
	{"Set identifying information", {0xa4, 0x06, [9] = 12}, OUT, 12, ONCE, false, USUAL},
	{"Set target port groups", {0xa4, 0x0a, [9] = 12}, OUT, 12, ONCE, false, USUAL},
	{"Set timestamp", {0xa4, 0x0f, [9] = 12}, OUT, 12, ONCE, false, USUAL},
	{"Read(12)", {0xa8, [9] = 16}, IN, 16 * BS, READ, true, USUAL},
	{"Write(12)", {0xaa, [9] = 16}, OUT, 16 * BS, SAME, true, USUAL},
	{"Read media serial number", {0xab, 0x01, [8] = 1}, IN, 256, READ, false, USUAL},
	{"Write and verify(12)", {0xae, [9] = 16}, OUT, 16 * BS, SAME, true, USUAL},
	{"Verify(12)", {0xaf, 0x02, [9] = 16}, OUT, 16 * BS, READ, true, USUAL},
	{"Security protocol out", {0xb5, 0, [4] = 0x80, [9] = 1}, OUT, 512, ONCE, false, USUAL},
	{"Read defect data(12)", {0xb7, [8] = 1}, IN, 256, READ, false, USUAL},

	/* ATA PASS-THROUGH: flags are T_TYPE 10h, T_DIR 08h, BYT_BLOK 04h, T_LENGTH 03h */
	{"ATA pass-through(16)", {0x85, 0x06, 0x20}, NO, 0, ONCE, false, MINUTES},
	{"ATA pass-through(16)", {0x85, 0x08, 0x0e, [6] = 1}, IN, 512, ONCE, false, MINUTES}, /* IDENTIFY */
	{"ATA pass-through(16)", {0x85, 0x09, 0x0e, [5] = 1, [7] = 5}, IN, 256 * 512, ONCE, false, MINUTES},
	{"ATA pass-through(16)", {0x85, 0x08, 0x0e, [5] = 9, [6] = 1}, IN, 512, ONCE, false, MINUTES},
	{"ATA pass-through(16)", {0x85, 0x0a, 0x06, [6] = 2}, OUT, 1024, ONCE, false, MINUTES},
	{"ATA pass-through(16)", {0x85, 0x08, 0x0a, [6] = 100}, IN, 100, ONCE, false, MINUTES},
	{"ATA pass-through(16)", {0x85, 0x08, 0x0d, [4] = 2}, IN, 1024, ONCE, false, MINUTES},
	{"ATA pass-through(16)", {0x85, 0x09, 0x0d, [3] = 1, [5] = 5}, IN, 256 * 512, ONCE, false, MINUTES},
	{"ATA pass-through(16)", {0x85, 0x08, 0x1e, [6] = 2}, IN, 2 * BS, ONCE, false, MINUTES},
	{"ATA pass-through(12)", {0xa1, 0x08, 0x0e, [4] = 1}, IN, 512, ONCE, false, MINUTES},
	{"ATA pass-through(12)", {0xa1, 0x08, 0x0d, [3] = 2}, IN, 1024, ONCE, false, MINUTES},
	{"ATA pass-through(32)", {0x7f, [7] = 24, [8] = 0x1f, [9] = 0xf0, [11] = 0x0e, [23] = 1}, IN, 512, ONCE, false, MINUTES},
	{"ATA pass-through(32)", {0x7f, [7] = 24, [8] = 0x1f, [9] = 0xf0, [11] = 0x05, [21] = 1}, OUT, 512, ONCE, false, MINUTES},
};
/* clang-format on */

static struct scsi_cmd command(const uint8_t *cdb)
{
	struct scsi_cmd cmd = {0};

	memcpy(cmd.cdb, cdb, SCSI_CDB_MAX);
	cmd.cdb_len = (uint8_t)scsi_cdb_len(cdb, SCSI_CDB_MAX);
	return cmd;
}

/* The library adds what a mode or service action means: "Write buffer, download microcode". */
static void check_name(const struct row *row)
{
	char text[80];
	struct strbuf sb;

	strbuf_init(&sb, text, sizeof(text));
	scsi_cdb_name(row->cdb, SCSI_CDB_MAX, &sb);
	if (strncmp(text, row->name, strlen(row->name)) != 0)
		printf("%s: the library says %s\n", row->name, text);
	assert(strncmp(text, row->name, strlen(row->name)) == 0);
}

/* Each command of the standards, with a buffer as long as it asks for. */
static void test_every_command(void)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct scsi_cmd cmd = command(row->cdb);
		enum cdb_status status = scsi_cdb_fill(&cmd, row->data_len, BS);

		if (status != CDB_OK || cmd.dir != row->dir || cmd.data_len != row->data_len ||
		    cmd.class != row->class || cmd.medium != row->medium ||
		    cmd.needs_ms != row->needs_ms) {
			printf("row %zu %s: status %d dir %d len %zu class %d medium %d ms %u\n", i,
			       row->name, status, cmd.dir, cmd.data_len, cmd.class, cmd.medium,
			       cmd.needs_ms);
			assert(false);
		}
		check_name(row);
	}
}

static enum cdb_status fill(struct scsi_cmd *cmd, const uint8_t *cdb, size_t iov_len,
			    uint32_t block_size)
{
	*cmd = command(cdb);
	return scsi_cdb_fill(cmd, iov_len, block_size);
}

/* A short buffer is filled as far as it goes; a long one is not filled beyond what was asked. */
static void test_data_in_is_the_smaller_of_both(void)
{
	const uint8_t read_10[32] = {0x28, [8] = 8};
	const uint8_t inquiry[32] = {0x12, [4] = 36};
	const uint8_t mode_sense_6[32] = {0x1a, [4] = 0xc0};
	struct scsi_cmd cmd;

	assert(fill(&cmd, read_10, 512, 512) == CDB_OK);
	assert(cmd.dir == SCSI_DATA_IN && cmd.data_len == 512 && cmd.cut_short);
	assert(fill(&cmd, read_10, 8192, 512) == CDB_OK);
	assert(cmd.data_len == 4096 && !cmd.cut_short);
	assert(fill(&cmd, read_10, 4096, 512) == CDB_OK && !cmd.cut_short);
	assert(fill(&cmd, inquiry, 255, 512) == CDB_OK);
	assert(cmd.data_len == 36);
	assert(fill(&cmd, mode_sense_6, 4096, 512) == CDB_OK);
	assert(cmd.data_len == 192);

	/* No buffer at all: the target is told so, and reports the overflow itself. */
	assert(fill(&cmd, read_10, 0, 512) == CDB_OK);
	assert(cmd.dir == SCSI_NO_DATA && cmd.data_len == 0);
}

/* A target that asks for more data than there is would wait, or write garbage: refused. */
static void test_data_out_must_be_there(void)
{
	const uint8_t write_10[32] = {0x2a, [8] = 8};
	const uint8_t caw[32] = {0x89, [13] = 1};
	const uint8_t unmap[32] = {0x42, [8] = 24};
	struct scsi_cmd cmd;

	assert(fill(&cmd, write_10, 4095, 512) == CDB_BAD_FIELD);
	assert(fill(&cmd, write_10, 0, 512) == CDB_BAD_FIELD);
	assert(fill(&cmd, write_10, 4096, 512) == CDB_OK && cmd.data_len == 4096);
	assert(fill(&cmd, write_10, 5000, 512) == CDB_OK && cmd.data_len == 4096);
	assert(fill(&cmd, write_10, 4096, 4096) == CDB_BAD_FIELD);
	/* COMPARE AND WRITE needs both halves. */
	assert(fill(&cmd, caw, 512, 512) == CDB_BAD_FIELD);
	assert(fill(&cmd, unmap, 8, 512) == CDB_BAD_FIELD);
}

/* The largest numbers that fit into a CDB do not wrap around. */
static void test_huge_lengths(void)
{
	uint8_t cdb[32] = {0x88};
	struct scsi_cmd cmd;

	memset(cdb + 2, 0xff, 12); /* LBA and length */
	assert(fill(&cmd, cdb, 1 << 20, UINT32_MAX) == CDB_OK);
	assert(cmd.data_len == 1 << 20);
	cdb[0] = 0x8a; /* WRITE(16) */
	assert(fill(&cmd, cdb, 1 << 20, 4096) == CDB_BAD_FIELD);
	assert(fill(&cmd, cdb, 1 << 20, UINT32_MAX) == CDB_BAD_FIELD);
	/* 2^32 - 1 units of 512 bytes */
	cdb[0] = 0xb5; /* SECURITY PROTOCOL OUT */
	assert(fill(&cmd, cdb, 1 << 20, 512) == CDB_BAD_FIELD);
	/* 2^23 blocks of 512 bytes are 4 GiB, which is 0 in 32 bits */
	memset(cdb + 10, 0, 4);
	cdb[0] = 0x8a;
	cdb[11] = 0x80;
	assert(fill(&cmd, cdb, 1 << 20, 512) == CDB_BAD_FIELD);
}

/* Until the LUN was seen its block size is unknown: the initiator's word is taken. */
static void test_unknown_block_size(void)
{
	const uint8_t read_10[32] = {0x28, [8] = 8};
	const uint8_t write_10[32] = {0x2a, [8] = 8};
	const uint8_t nothing[32] = {0x2a};
	const uint8_t write_same[32] = {0x93, [13] = 8};
	struct scsi_cmd cmd;

	assert(fill(&cmd, read_10, 4096, 0) == CDB_OK && cmd.data_len == 4096);
	assert(fill(&cmd, write_10, 4096, 0) == CDB_OK && cmd.data_len == 4096);
	assert(fill(&cmd, write_same, 512, 0) == CDB_OK && cmd.data_len == 512);
	assert(fill(&cmd, nothing, 4096, 0) == CDB_OK);
	assert(cmd.dir == SCSI_NO_DATA && cmd.data_len == 0);
}

/* Lists that carry their own length, and FORMAT UNIT with FMTDATA: all that the initiator brings.
 */
static void test_length_is_not_in_the_cdb(void)
{
	const uint8_t format[32] = {0x04, 0x10};
	const uint8_t format_no_list[32] = {0x04, 0x00};
	const uint8_t reassign[32] = {0x07};
	const uint8_t ata_tpsiu[32] = {0x85, 0x08, 0x0f};
	const uint8_t ata_count_0[32] = {0x85, 0x08, 0x0e};
	const uint8_t ata_sectors[32] = {0x85, 0x08, 0x0e, [6] = 1};
	const uint8_t ata_blocks[32] = {0x85, 0x08, 0x1e, [6] = 1};
	struct scsi_cmd cmd;

	assert(fill(&cmd, format, 12, 512) == CDB_OK);
	assert(cmd.dir == SCSI_DATA_OUT && cmd.data_len == 12);
	assert(fill(&cmd, format_no_list, 12, 512) == CDB_OK);
	assert(cmd.dir == SCSI_NO_DATA && cmd.data_len == 0);
	assert(fill(&cmd, reassign, 20, 512) == CDB_OK);
	assert(cmd.dir == SCSI_DATA_OUT && cmd.data_len == 20);
	assert(cmd.class == CMD_ONCE && cmd.medium && cmd.needs_ms == MINUTES);
	assert(fill(&cmd, ata_tpsiu, 100, 512) == CDB_OK);
	assert(cmd.dir == SCSI_DATA_IN && cmd.data_len == 100);
	assert(fill(&cmd, ata_count_0, 512, 512) == CDB_OK && cmd.data_len == 512);
	/* T_TYPE: sectors of 512 bytes, or the LUN's blocks */
	assert(fill(&cmd, ata_sectors, 4096, 4096) == CDB_OK && cmd.data_len == 512);
	assert(fill(&cmd, ata_blocks, 4096, 4096) == CDB_OK && cmd.data_len == 4096);
}

static void check_unknown(const uint8_t *cdb)
{
	struct scsi_cmd cmd = command(cdb);

	if (cmd.cdb_len == 0)
		cmd.cdb_len = 10; /* vendor commands have any length */
	assert(scsi_cdb_fill(&cmd, 512, 512) == CDB_UNKNOWN);
	assert(scsi_cdb_fill(&cmd, 0, 512) == CDB_OK);
	assert(cmd.dir == SCSI_NO_DATA && cmd.data_len == 0 && cmd.class == CMD_ONCE);
	assert(!cmd.medium && cmd.needs_ms == USUAL);
}

/* Nobody told us the direction: refused with data; passed on, but only once, without. */
static void test_unknown_commands(void)
{
	static const uint8_t unknown[][32] = {
		{0xc0},			      /* vendor */
		{0xff},			      /* vendor */
		{0x02},			      /* vendor */
		{0x60},			      /* reserved group */
		{0x53},			      /* XDWRITEREAD(10): data both ways */
		{0x7f, [7] = 24, [9] = 0x07}, /* XDWRITEREAD(32) */
		{0x7f, [7] = 24, [8] = 0xff}, /* vendor's service action */
		{0x7f, [7] = 16, [9] = 0x09}, /* READ(32) in 24 bytes has no length */
		{0x83, 0x1f},		      /* service actions that do not exist */
		{0x94, 0x1f},
		{0x95, 0x1f},
		{0x9d, 0x00}, /* SERVICE ACTION BIDIRECTIONAL */
		{0x9e, 0x00},
		{0x9f, 0x00},
		{0xa9, 0x01},
		{0xab, 0x02},
	};
	size_t i;

	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		check_unknown(unknown[i]);
}

/* sg takes 32 bytes; a CDB that is cut short must not be read beyond its end. */
static void test_cdb_length(void)
{
	const uint8_t long_cdb[32] = {0x7f, [7] = 0xff};
	const uint8_t read_16[32] = {0x88, [13] = 8};
	struct scsi_cmd cmd;

	assert(scsi_cdb_len(read_16, 32) == 16);
	assert(scsi_cdb_len(read_16, 1) == 16);
	assert(scsi_cdb_len(read_16, 0) == 0);
	assert(scsi_cdb_len((const uint8_t[]){0x12}, 1) == 6);
	assert(scsi_cdb_len((const uint8_t[]){0x28}, 1) == 10);
	assert(scsi_cdb_len((const uint8_t[]){0x42}, 1) == 10);
	assert(scsi_cdb_len((const uint8_t[]){0xa8}, 1) == 12);
	assert(scsi_cdb_len((const uint8_t[]){0x60}, 1) == 0);
	assert(scsi_cdb_len((const uint8_t[]){0xc1}, 1) == 0);
	assert(scsi_cdb_len(long_cdb, 7) == 0);
	assert(scsi_cdb_len(long_cdb, 8) == 263);

	cmd = command(long_cdb);
	cmd.cdb_len = 32;
	assert(scsi_cdb_fill(&cmd, 0, 512) == CDB_TOO_LONG);
	cmd = command(read_16);
	cmd.cdb_len = 33;
	assert(scsi_cdb_fill(&cmd, 4096, 512) == CDB_TOO_LONG);
	cmd.cdb_len = 15;
	assert(scsi_cdb_fill(&cmd, 4096, 512) == CDB_BAD_FIELD);
	cmd.cdb_len = 0;
	assert(scsi_cdb_fill(&cmd, 4096, 512) == CDB_BAD_FIELD);
}

/* NACA and LINK, which our INQUIRY data says we do not have; what else is there is the vendor's. */
static void test_control_byte(void)
{
	static const struct {
		uint8_t cdb[32];
		unsigned int control;
	} cdbs[] = {
		{{0x08, [4] = 1}, 5},
		{{0x28, [8] = 1}, 9},
		{{0xa8, [9] = 1}, 11},
		{{0x88, [13] = 1}, 15},
		{{0x7f, [7] = 24, [9] = 0x09, [31] = 1}, 1},
		{{0x36}, 9}, /* LOCK UNLOCK CACHE: nobody told us of it */
	};
	struct scsi_cmd cmd;
	uint8_t cdb[32];
	size_t i;

	for (i = 0; i < sizeof(cdbs) / sizeof(cdbs[0]); i++) {
		size_t len = i == 5 ? 0 : 512;

		memcpy(cdb, cdbs[i].cdb, sizeof(cdb));
		cdb[cdbs[i].control] = 0xf8;
		assert(fill(&cmd, cdb, len, 512) == CDB_OK);
		cdb[cdbs[i].control] = 0x04;
		assert(fill(&cmd, cdb, len, 512) == CDB_BAD_FIELD);
		cdb[cdbs[i].control] = 0x01;
		assert(fill(&cmd, cdb, len, 512) == CDB_BAD_FIELD);
	}
}

/* Any bytes at all give some answer, and never more data than there is room for. */
static void test_every_opcode_with_garbage(void)
{
	struct scsi_cmd cmd;
	uint8_t cdb[32];
	unsigned int opcode, garbage;

	for (opcode = 0; opcode < 256; opcode++) {
		for (garbage = 0; garbage < 256; garbage++) {
			memset(cdb, (int)garbage, sizeof(cdb));
			cdb[0] = (uint8_t)opcode;
			cmd = command(cdb);
			if (cmd.cdb_len == 0)
				cmd.cdb_len = 32;
			if (scsi_cdb_fill(&cmd, 1000, 512) != CDB_OK)
				continue;
			assert(cmd.data_len <= 1000);
			assert((cmd.data_len == 0) == (cmd.dir == SCSI_NO_DATA));
		}
	}
}

/* Names are for logs: a CDB that is cut, or of a vendor's, has one, too. */
static void test_names(void)
{
	char text[40];
	struct strbuf sb;

	strbuf_init(&sb, text, sizeof(text));
	scsi_cdb_name((const uint8_t[]){0x7f, 0}, 2, &sb);
	assert(sb.len > 0);
	strbuf_init(&sb, text, sizeof(text));
	scsi_cdb_name((const uint8_t[]){0xc5, 0}, 2, &sb);
	assert(sb.len > 0);
	strbuf_init(&sb, text, sizeof(text));
	scsi_cdb_name((const uint8_t[]){0x28}, 0, &sb);
	assert(!strcmp(text, "Test Unit Ready"));
}

static void test_read_lba(void)
{
	static const struct {
		uint8_t cdb[32];
		size_t len;
		uint64_t lba;
	} reads[] = {
		{{0x08, 0xff, 0x12, 0x34}, 6, 0x1f1234},
		{{0x28, 0, 0xf1, 0x12, 0x34, 0x56}, 10, 0xf1123456},
		{{0xa8, 0, 0xf1, 0x12, 0x34, 0x56}, 12, 0xf1123456},
		{{0x88, 0, 0xf1, 2, 3, 4, 5, 6, 7, 8}, 16, 0xf102030405060708},
		{{0x7f, [7] = 24, [9] = 0x09, [12] = 0xf1, 2, 3, 4, 5, 6, 7, 8},
		 32,
		 0xf102030405060708},
	};
	uint64_t lba;
	size_t i;

	for (i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		assert(scsi_cdb_read_lba(reads[i].cdb, reads[i].len, &lba));
		assert(lba == reads[i].lba);
		assert(!scsi_cdb_read_lba(reads[i].cdb, reads[i].len - 1, &lba));
	}
	assert(!scsi_cdb_read_lba((const uint8_t[10]){0x2a}, 10, &lba));
	assert(!scsi_cdb_read_lba((const uint8_t[32]){0x7f, [7] = 24, [9] = 0x0b}, 32, &lba));
	assert(!scsi_cdb_read_lba(NULL, 0, &lba));
}

int main(void)
{
	test_every_command();
	test_data_in_is_the_smaller_of_both();
	test_data_out_must_be_there();
	test_huge_lengths();
	test_unknown_block_size();
	test_length_is_not_in_the_cdb();
	test_unknown_commands();
	test_cdb_length();
	test_control_byte();
	test_every_opcode_with_garbage();
	test_names();
	test_read_lba();
	return 0;
}
