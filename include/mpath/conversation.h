/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversations: hardware handlers, checkers and the identity check do not send SCSI commands,
 * they name the next one and are called again with its answer (DESIGN D2).  So a port group that
 * stays "transitioning" for a minute takes no thread, and microseconds in the simulator.
 */
#ifndef MPATH_CONVERSATION_H
#define MPATH_CONVERSATION_H

#include <string.h>

#include "mpath/io.h"

/* The answer to the previous command of a conversation. */
struct scsi_answer {
	const struct scsi_result *result;
	const uint8_t *data; /* what a DATA_IN command brought */
	size_t len;	     /* bytes of it, the residual already taken off */
};

/*
 * The next command.  The core owns the buffer: a conversation sets cdb, cdb_len and dir, and
 * data_len of at most @room; for DATA_OUT it fills @data first, PATH_PROBE_OWN_SIZE bytes at most.
 * Of a READ (cmd.medium) nobody is shown the data: up to PATH_PROBE_BUF_SIZE bytes.
 */
struct scsi_question {
	struct scsi_cmd *cmd; /* zeroed by the core, timeout_ms preset */
	uint8_t *data;
	size_t room; /* PATH_PROBE_OWN_SIZE, or PATH_PROBE_BUF_SIZE if that can be had now */
};

/* Name the next command. */
static inline void ask_scsi(const struct scsi_question *next, const uint8_t *cdb, uint8_t cdb_len,
			    enum scsi_dir dir, size_t data_len)
{
	memcpy(next->cmd->cdb, cdb, cdb_len);
	next->cmd->cdb_len = cdb_len;
	next->cmd->dir = dir;
	next->cmd->data_len = data_len;
}

/* A block of the medium, to see whether it can be read. */
static inline void ask_scsi_block(const struct scsi_question *next, size_t block_size)
{
	const uint8_t read_10[10] = {0x28, [8] = 1};

	ask_scsi(next, read_10, sizeof(read_10), SCSI_DATA_IN, block_size);
	next->cmd->medium = true;
}

/* INQUIRY, standard (@page negative) or of a vital product data page. */
static inline void ask_scsi_inquiry(const struct scsi_question *next, int page, uint16_t len)
{
	const uint8_t cdb[6] = {0x12, page >= 0, page >= 0 ? (uint8_t)page : 0, (uint8_t)(len >> 8),
				(uint8_t)len};

	ask_scsi(next, cdb, sizeof(cdb), SCSI_DATA_IN, len);
}

#endif
