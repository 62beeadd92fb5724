/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command as sg's header, an answer's header as a result, and what errors mean (sg_header.c).
 */
#ifndef MPATH_SG_HEADER_H
#define MPATH_SG_HEADER_H

#include <scsi/sg.h>

#include "mpath/io.h"

/*
 * Fill @hdr for write().  It points to @cmd, and to @sense (SCSI_SENSE_MAX bytes) for the answer.
 * False: this path cannot carry the command.
 */
bool sg_header_fill(struct sg_io_hdr *hdr, struct scsi_cmd *cmd, uint8_t *sense,
		    uint64_t max_transfer_bytes);

/* Fill io->result from what read() brought. */
void sg_header_result(const struct sg_io_hdr *hdr, const uint8_t *sense, struct mpath_io *io);

/* A command was not accepted (errno), or no fd could be opened for it (-errno). */
enum transport_error sg_error_of_write(int err);
enum transport_error sg_error_of_open(int err);

#endif
