/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a CDB with a buffer of any size: either it is refused, or what the table says of it
 * holds together: nothing is moved past the buffer, data that goes out is all there, and bytes
 * behind the CDB mean nothing.
 *
 * fuzz parses: scsi/cdb.c
 * fuzz runs: 300000
 */
#include <assert.h>
#include <string.h>

#include "mpath/scsi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t cdb_len;
	uint8_t block_shift; /* 0: the block size is unknown */
	uint8_t iov_len[4];
	uint8_t cdb[SCSI_CDB_MAX];
};

static enum cdb_status fill(struct scsi_cmd *cmd, const struct input *in, uint8_t behind,
			    size_t iov_len, uint32_t block_size)
{
	memset(cmd, behind, sizeof(*cmd));
	cmd->cdb_len = in->cdb_len;
	memcpy(cmd->cdb, in->cdb, in->cdb_len < SCSI_CDB_MAX ? in->cdb_len : SCSI_CDB_MAX);
	return scsi_cdb_fill(cmd, iov_len, block_size);
}

static void check_same(const struct scsi_cmd *a, const struct scsi_cmd *b)
{
	assert(a->dir == b->dir && a->data_len == b->data_len && a->class == b->class);
	assert(a->medium == b->medium && a->needs_ms == b->needs_ms);
}

static uint64_t be(const uint8_t *bytes, unsigned int width)
{
	uint64_t value = 0;

	while (width--)
		value = value << 8 | *bytes++;
	return value;
}

/* READ and WRITE once more, in as few words as there can be; false: something else. */
static bool plain_length(const uint8_t *cdb, uint64_t *nr_blocks)
{
	switch (cdb[0]) {
	case 0x08:
	case 0x0a:
		*nr_blocks = cdb[4] ? cdb[4] : 256;
		return true;
	case 0x28:
	case 0x2a:
		*nr_blocks = be(cdb + 7, 2);
		return true;
	case 0xa8:
	case 0xaa:
		*nr_blocks = be(cdb + 6, 4);
		return true;
	case 0x88:
	case 0x8a:
		*nr_blocks = be(cdb + 10, 4);
		return true;
	}
	return false;
}

static void check_plain(const struct scsi_cmd *cmd, size_t iov_len, uint32_t block_size)
{
	bool is_write = cmd->cdb[0] & 2;
	uint64_t nr_blocks, length;

	if (!block_size || !plain_length(cmd->cdb, &nr_blocks))
		return;
	length = nr_blocks * block_size;
	assert(cmd->medium && cmd->class == (is_write ? CMD_IDEMPOTENT : CMD_READ));
	assert(cmd->data_len == (length < iov_len ? length : iov_len));
	if (cmd->data_len)
		assert(cmd->dir == (is_write ? SCSI_DATA_OUT : SCSI_DATA_IN));
}

static void check_filled(const struct scsi_cmd *cmd, const struct input *in, size_t iov_len,
			 uint32_t block_size)
{
	struct scsi_cmd again;

	assert(cmd->cdb_len > 0 && cmd->cdb_len <= SCSI_CDB_MAX);
	assert(scsi_cdb_len(cmd->cdb, cmd->cdb_len) <= cmd->cdb_len);
	assert(cmd->data_len <= iov_len);
	assert((cmd->data_len == 0) == (cmd->dir == SCSI_NO_DATA));
	assert(cmd->dir == SCSI_NO_DATA || cmd->dir == SCSI_DATA_IN || cmd->dir == SCSI_DATA_OUT);
	assert(cmd->class == CMD_READ || cmd->class == CMD_IDEMPOTENT || cmd->class == CMD_ONCE);
	check_plain(cmd, iov_len, block_size);

	/* What is moved does not hang on what else would fit into the buffer. */
	assert(fill(&again, in, 0, cmd->data_len, block_size) == CDB_OK);
	check_same(cmd, &again);
	/* A buffer too small for data that goes out is refused, never cut. */
	if (cmd->dir == SCSI_DATA_OUT && block_size && cmd->data_len < iov_len)
		assert(fill(&again, in, 0, cmd->data_len - 1, block_size) == CDB_BAD_FIELD);
}

static void check_name(const struct input *in)
{
	char text[100];
	struct strbuf name;

	strbuf_init(&name, text, sizeof(text));
	scsi_cdb_name(in->cdb, in->cdb_len < SCSI_CDB_MAX ? in->cdb_len : SCSI_CDB_MAX, &name);
	assert(name.len && !name.truncated);
	for (size_t i = 0; i < name.len; i++)
		assert(text[i] >= ' ' && text[i] <= '~');
}

static void check_read_lba(const struct input *in)
{
	size_t len = in->cdb_len < SCSI_CDB_MAX ? in->cdb_len : SCSI_CDB_MAX;
	uint64_t lba;

	if (!scsi_cdb_read_lba(in->cdb, len, &lba))
		return;
	assert(len >= scsi_cdb_len(in->cdb, len));
	switch (in->cdb[0]) {
	case 0x28:
	case 0xa8:
		assert(lba == be(in->cdb + 2, 4));
		return;
	case 0x88:
		assert(lba == be(in->cdb + 2, 8));
		return;
	default:
		assert(in->cdb[0] == 0x08 || in->cdb[0] == 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {0};
	struct scsi_cmd cmd, other;
	enum cdb_status status;
	uint32_t block_size;
	size_t iov_len;

	memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
	iov_len = (size_t)be(in.iov_len, sizeof(in.iov_len));
	block_size = in.block_shift % 8 ? 256u << in.block_shift % 8 : 0;

	status = fill(&cmd, &in, 0, iov_len, block_size);
	assert(status == fill(&other, &in, 0xff, iov_len, block_size));
	switch (status) {
	case CDB_OK:
		check_same(&cmd, &other);
		check_filled(&cmd, &in, iov_len, block_size);
		break;
	case CDB_UNKNOWN:
		assert(iov_len);
		break;
	case CDB_BAD_FIELD:
		break;
	case CDB_TOO_LONG:
		assert(in.cdb_len > SCSI_CDB_MAX || in.cdb[0] == 0x7f);
		break;
	}
	check_name(&in);
	check_read_lba(&in);
	return 0;
}
