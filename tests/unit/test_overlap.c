/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To which blocks may a command write, and do those of two commands meet?
 */
#include <assert.h>
#include <string.h>

#include "mpath/scsi.h"

static struct scsi_cmd cmd(const uint8_t *cdb, size_t len)
{
	struct scsi_cmd cmd = {.cdb_len = (uint8_t)len};

	memcpy(cmd.cdb, cdb, len);
	return cmd;
}

#define CMD(...) cmd((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* WRITE(16) of @nr blocks. */
static struct scsi_cmd write_16(uint64_t lba, uint32_t nr)
{
	struct scsi_cmd w = {.cdb = {0x8a}, .cdb_len = 16};
	unsigned int i;

	for (i = 0; i < 8; i++)
		w.cdb[2 + i] = (uint8_t)(lba >> (56 - 8 * i));
	for (i = 0; i < 4; i++)
		w.cdb[10 + i] = (uint8_t)(nr >> (24 - 8 * i));
	return w;
}

static bool both_meet(const struct scsi_cmd *a, const struct scsi_cmd *b)
{
	struct block_range range_a = scsi_written_blocks(a), range_b = scsi_written_blocks(b);
	bool meet = scsi_writes_meet(a, range_a, b, range_b);

	assert(scsi_writes_meet(b, range_b, a, range_a) == meet);
	return meet;
}

static bool meets(const struct scsi_cmd *a, uint64_t lba)
{
	struct scsi_cmd b = write_16(lba, 1);

	return both_meet(a, &b);
}

/* It writes from @first to @last, and nowhere else. */
static void check_range(struct scsi_cmd a, uint64_t first, uint64_t last)
{
	assert(meets(&a, first) && meets(&a, last));
	assert(!first || !meets(&a, first - 1));
	assert(last == UINT64_MAX || !meets(&a, last + 1));
}

static void check_nothing(struct scsi_cmd a)
{
	struct scsi_cmd format = CMD(0x04, 0, 0, 0, 0, 0);

	assert(!both_meet(&a, &format));
	assert(!both_meet(&a, &a));
}

/* Each kind of CDB has its own place for address and length. */
static void test_places(void)
{
	check_range(CMD(0x0a, 0xff, 0x01, 0x02, 3, 0), 0x1f0102, 0x1f0104);
	check_range(CMD(0x0a, 0, 0, 1, 0, 0), 1, 256);
	check_range(CMD(0x2a, 0, 1, 2, 3, 4, 0, 1, 0, 0), 0x01020304, 0x01020403);
	check_range(CMD(0x2e, 0, 0, 0, 0, 4, 9, 0, 1, 0), 4, 4);
	check_range(CMD(0x50, 0, 0, 0, 0, 4, 9, 0, 2, 0), 4, 5);
	check_range(CMD(0x51, 0, 0, 0, 0, 4, 9, 0, 2, 0), 4, 5);
	check_range(CMD(0x41, 0, 0, 0, 0, 4, 9, 0, 2, 0), 4, 5);
	check_range(CMD(0xaa, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0, 0), 4, 0x10003);
	check_range(CMD(0xae, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0), 4, 5);
	check_range(CMD(0x89, 0, 0, 0, 0, 1, 0, 0, 0, 4, 9, 9, 9, 2, 0, 0), 0x100000004,
		    0x100000005);
	check_range(CMD(0x8a, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 1, 0, 0, 0, 0), 0x100000004,
		    0x100010003);
	check_range(CMD(0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0), 4, 5);
	check_range(CMD(0x8e, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0), 4, 5);
	check_range(CMD(0x93, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0), 4, 5);
	check_range(CMD(0x9a, 0, 0, 0, 0, 0, 0, 0, 0, 4, 9, 9, 0, 2, 0, 0), 4, 5);
	check_range(CMD(0x9c, 0, 0, 0, 0, 0, 0, 0, 0, 4, 9, 9, 0, 2, 0, 0), 4, 5);
}

/* The 32-byte commands, by their service action. */
static void test_variable_length(void)
{
	static const uint8_t actions[] = {0x04, 0x06, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10};
	struct scsi_cmd a = {.cdb = {0x7f, [7] = 0x18, [12] = 1, [19] = 4, [31] = 2},
			     .cdb_len = 32};
	unsigned int i;

	for (i = 0; i < sizeof(actions); i++) {
		a.cdb[9] = actions[i];
		check_range(a, 0x0100000000000004, 0x0100000000000005);
	}
	a.cdb[9] = 0x11; /* WRITE SCATTERED: its list is not read */
	check_range(a, 0, UINT64_MAX);
	a.cdb[9] = 0x0b;
	a.cdb_len = 24; /* there is no such command */
	check_range(a, 0, UINT64_MAX);
}

static void test_no_blocks(void)
{
	check_nothing(CMD(0x2a, 0, 0, 0, 0, 4, 0, 0, 0, 0));
	check_nothing(CMD(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0));
	/* But to WRITE SAME these are all that are left. */
	check_range(CMD(0x41, 0, 0, 0, 0, 4, 0, 0, 0, 0), 4, UINT64_MAX);
	check_range(CMD(0x93, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0), 4, UINT64_MAX);
	check_range(CMD(0x93, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0, UINT64_MAX - 1);
}

/* A range that passes the end of all numbers ends there. */
static void test_overflow(void)
{
	check_range(write_16(UINT64_MAX, 1), UINT64_MAX, UINT64_MAX);
	check_range(write_16(UINT64_MAX - 1, UINT32_MAX), UINT64_MAX - 1, UINT64_MAX);
}

static bool meet_commands(struct scsi_cmd a, struct scsi_cmd b)
{
	return both_meet(&a, &b);
}

/* They are about no block, but meet each other. */
static void test_settings(void)
{
	struct scsi_cmd select_6 = CMD(0x15, 0x10, 0, 0, 24, 0);
	struct scsi_cmd select_10 = CMD(0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0);
	struct scsi_cmd background = {.cdb = {0x9e, 0x15}, .cdb_len = 16};

	assert(meet_commands(select_6, select_10) && meet_commands(select_6, background));
	assert(meet_commands(CMD(0x1b, 0, 0, 0, 0, 0), CMD(0x1b, 0, 0, 0, 1, 0)));
	assert(meet_commands(CMD(0x1e, 0, 0, 0, 0, 0), CMD(0x1e, 0, 0, 0, 1, 0)));
	assert(meet_commands(CMD(0x4d, 1, 0, 0, 0, 0, 0, 0, 4, 0), select_10));
	assert(meet_commands(select_10, CMD(0x04, 0, 0, 0, 0, 0)));
	assert(!meet_commands(select_10, write_16(0, UINT32_MAX)));
	background.cdb[1] = 0x18; /* REMOVE ELEMENT AND TRUNCATE */
	check_range(background, 0, UINT64_MAX);
}

/* Who does not tell, or is not known, may write everywhere. */
static void test_everywhere(void)
{
	check_range(CMD(0x04, 0, 0, 0, 0, 0), 0, UINT64_MAX);
	check_range(CMD(0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0, UINT64_MAX);
	check_range(CMD(0x3f, 0, 0, 0, 0, 4, 0, 0, 0, 0), 0, UINT64_MAX);
	check_range(CMD(0xc1, 0, 0, 0, 0, 4, 0, 0, 0, 0), 0, UINT64_MAX);
}

struct unmap {
	uint8_t list[8 + 3 * 16];
	struct iovec iov[2];
	struct scsi_cmd cmd;
};

static void descriptor(struct unmap *u, unsigned int nr, uint8_t lba, uint8_t nr_blocks)
{
	u->list[8 + 16 * nr + 7] = lba;
	u->list[8 + 16 * nr + 11] = nr_blocks;
}

/* In two pieces, of which the first ends within a descriptor. */
static void setup(struct unmap *u)
{
	*u = (struct unmap){.list = {[3] = 3 * 16}};
	u->iov[0] = (struct iovec){u->list, 13};
	u->iov[1] = (struct iovec){u->list + 13, sizeof(u->list) - 13};
	u->cmd = (struct scsi_cmd){.cdb = {0x42}, .cdb_len = 10};
	u->cmd.iov = u->iov;
	u->cmd.iov_cnt = 2;
	u->cmd.data_len = sizeof(u->list);
}

static void test_unmap(void)
{
	struct unmap u;

	setup(&u);
	check_nothing(u.cmd);
	descriptor(&u, 1, 40, 8);
	check_range(u.cmd, 40, 47);
	descriptor(&u, 0, 80, 1);
	check_range(u.cmd, 40, 80);
	descriptor(&u, 2, 30, 2);
	check_range(u.cmd, 30, 80);
	assert(meets(&u.cmd, 31) && meets(&u.cmd, 40) && meets(&u.cmd, 47));
	assert(!meets(&u.cmd, 32) && !meets(&u.cmd, 39) && !meets(&u.cmd, 48) &&
	       !meets(&u.cmd, 79));

	/* No more than its length says, and than has come. */
	u.list[3] = 2 * 16;
	check_range(u.cmd, 40, 80);
	u.list[3] = 2 * 16 + 15;
	check_range(u.cmd, 40, 80);
	u.list[2] = 0xff;
	u.cmd.data_len = 8 + 16;
	check_range(u.cmd, 80, 80);
	u.cmd.data_len = 7;
	check_nothing(u.cmd);
}

/* Its list counts, whichever of the two it is. */
static void test_unmap_and_others(void)
{
	struct scsi_cmd format = CMD(0x04, 0, 0, 0, 0, 0);
	struct scsi_cmd between = write_16(41, 39), across = write_16(41, 40);
	struct unmap u, v;

	setup(&u);
	descriptor(&u, 0, 80, 1);
	descriptor(&u, 1, 40, 1);
	assert(!both_meet(&u.cmd, &between) && both_meet(&u.cmd, &across));
	assert(both_meet(&u.cmd, &format));

	setup(&v);
	descriptor(&v, 0, 39, 1);
	descriptor(&v, 1, 81, 9);
	assert(!both_meet(&u.cmd, &v.cmd));
	descriptor(&v, 2, 60, 1);
	assert(both_meet(&u.cmd, &v.cmd)); /* rather more than fewer */
	descriptor(&v, 2, 80, 1);
	assert(both_meet(&u.cmd, &v.cmd));
}

/* As scsi_cdb_fill() has understood it. */
static bool may_write(struct scsi_cmd a, size_t data_len)
{
	assert(scsi_cdb_fill(&a, data_len, 512) == CDB_OK);
	return scsi_may_write(&a);
}

static void test_may_write(void)
{
	struct scsi_cmd ata_32 = {.cdb = {0x7f, [7] = 0x18, [8] = 0x1f, 0xf0, 0x0b, 0x06},
				  .cdb_len = 32};

	assert(may_write(CMD(0x2a, 0, 0, 0, 0, 4, 0, 0, 1, 0), 512));
	assert(may_write(CMD(0x04, 0, 0, 0, 0, 0), 0));
	assert(!may_write(CMD(0x28, 0, 0, 0, 0, 4, 0, 0, 1, 0), 512));
	assert(!may_write(CMD(0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0));
	assert(!may_write(CMD(0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0), 24));

	/* WRITE DMA EXT, IDENTIFY DEVICE, WRITE UNCORRECTABLE EXT. */
	assert(may_write(CMD(0x85, 0x0b, 0x06, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x35, 0), 512));
	assert(!may_write(CMD(0x85, 0x09, 0x0e, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xec, 0), 512));
	assert(may_write(CMD(0x85, 0x07, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x45, 0), 0));
	assert(may_write(CMD(0xa1, 0x0a, 0x06, 0, 1, 0, 0, 0, 0, 0xca, 0, 0), 512));
	ata_32.cdb[23] = 1;
	assert(may_write(ata_32, 512));

	assert(may_write(CMD(0x1b, 0, 0, 0, 0, 0), 0));
	assert(may_write(CMD(0x4d, 1, 0, 0, 0, 0, 0, 0, 4, 0), 4));
	assert(!may_write(CMD(0x4d, 0, 0, 0, 0, 0, 0, 0, 4, 0), 4));

	/* SECURITY PROTOCOL OUT may erase all; what nobody knows may do anything. */
	assert(may_write(CMD(0xb5, 1, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0), 512));
	assert(!may_write(CMD(0xa2, 1, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0), 512));
	assert(may_write(CMD(0xc1, 0, 0, 0, 0, 0), 0));
	assert(may_write(CMD(0x2c, 0, 0, 0, 0, 4, 0, 0, 8, 0), 0)); /* ERASE(10) */
	assert(!may_write(CMD(0xa3, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0));
	assert(may_write(CMD(0x9f, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0));
}

int main(void)
{
	test_may_write();
	test_places();
	test_variable_length();
	test_no_blocks();
	test_overflow();
	test_everywhere();
	test_settings();
	test_unmap();
	test_unmap_and_others();
	return 0;
}
