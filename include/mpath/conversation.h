/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversations: hardware handlers, checkers and the identity check do not send SCSI commands,
 * they name the next one and are called again with its answer (DESIGN D2).  So a port group that
 * stays "transitioning" for a minute takes no thread, and microseconds in the simulator.
 */
#ifndef MPATH_CONVERSATION_H
#define MPATH_CONVERSATION_H

#include "mpath/io.h"

/* The answer to the previous command of a conversation. */
struct scsi_answer {
	const struct scsi_result *result;
	const uint8_t *data; /* what a DATA_IN command brought */
	size_t len;	     /* bytes of it, the residual already taken off */
};

/*
 * The next command.  The core owns the buffer: a conversation sets cdb, cdb_len and dir, and
 * data_len of at most PATH_PROBE_BUF_SIZE; for DATA_OUT it fills @data first.
 */
struct scsi_question {
	struct scsi_cmd *cmd; /* zeroed by the core, timeout_ms preset */
	uint8_t *data;	      /* PATH_PROBE_BUF_SIZE bytes */
};

#endif
