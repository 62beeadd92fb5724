/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command as the header that sg takes, and what comes back as a result.
 *
 * sg tells three things at once: what the target said (status and sense), what the host adapter's
 * driver said (host_status), and, from old kernels, what the SCSI layer said (driver_status).  The
 * target's word counts if the driver has nothing against it.
 */
#include "transports/sg_header.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "mpath/scsi.h"

/* Missing in glibc's scsi/sg.h.  Without it the last command in is the first one out. */
#ifndef SG_FLAG_Q_AT_TAIL
#define SG_FLAG_Q_AT_TAIL 0x10
#endif

/* The kernel's include/scsi/scsi_status.h: not exported to programs. */
enum host_byte {
	DID_OK = 0x00,
	DID_NO_CONNECT = 0x01,
	DID_TIME_OUT = 0x03,
	DID_BAD_TARGET = 0x04,
	DID_TRANSPORT_DISRUPTED = 0x0e,
	DID_TRANSPORT_FAILFAST = 0x0f,
	DID_TARGET_FAILURE = 0x10,
	DID_NEXUS_FAILURE = 0x11,
	DID_ALLOC_FAILURE = 0x12,
	DID_MEDIUM_ERROR = 0x13,
	DID_TRANSPORT_MARGINAL = 0x14,
};

#define DRIVER_BYTE_MASK    0x0f
#define DRIVER_BYTE_TIMEOUT 0x06
#define DRIVER_BYTE_SENSE   0x08

/* --- the command --- */

/* Entries of the iovec that the data takes; of iovec and length, sg takes what is shorter. */
static size_t iov_entries(const struct scsi_cmd *cmd)
{
	size_t bytes = 0, i;

	for (i = 0; i < cmd->iov_cnt && bytes < cmd->data_len; i++)
		bytes += cmd->iov[i].iov_len;
	assert(bytes >= cmd->data_len);
	return i;
}

static bool fill_data(struct sg_io_hdr *hdr, const struct scsi_cmd *cmd,
		      uint64_t max_transfer_bytes)
{
	size_t entries = iov_entries(cmd);

	/* The kernel would say "no memory" to what is too long, as if that could change. */
	if (cmd->data_len > max_transfer_bytes || entries > IOV_MAX)
		return false;
	hdr->dxfer_direction = cmd->dir == SCSI_DATA_IN ? SG_DXFER_FROM_DEV : SG_DXFER_TO_DEV;
	hdr->dxfer_len = (unsigned int)cmd->data_len;
	if (entries == 1) {
		hdr->dxferp = cmd->iov[0].iov_base;
		return true;
	}
	hdr->iovec_count = (unsigned short)entries;
	hdr->dxferp = (void *)(uintptr_t)cmd->iov; /* sg_iovec_t is struct iovec; only read */
	return true;
}

bool sg_header_fill(struct sg_io_hdr *hdr, struct scsi_cmd *cmd, uint8_t *sense,
		    uint64_t max_transfer_bytes)
{
	*hdr = (struct sg_io_hdr){
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_NONE,
		.cmd_len = cmd->cdb_len,
		.cmdp = cmd->cdb,
		.mx_sb_len = SCSI_SENSE_MAX,
		.sbp = sense,
		.timeout = cmd->timeout_ms,
		.flags = SG_FLAG_Q_AT_TAIL,
	};
	if (cmd->dir == SCSI_NO_DATA || !cmd->data_len)
		return true;
	return fill_data(hdr, cmd, max_transfer_bytes);
}

enum transport_error sg_error_of_open(int err)
{
	switch (err) {
	case -ENODEV:
	case -ENOENT:
		return TRANSPORT_GONE;
	case -ENXIO:
		return TRANSPORT_NOT_SENT;
	default:
		return TRANSPORT_BUSY; /* no fds, no memory: ours to wait for */
	}
}

enum transport_error sg_error_of_write(int err)
{
	switch (err) {
	case ENODEV:
		return TRANSPORT_GONE;
	case ENXIO:
		return TRANSPORT_NOT_SENT;
	case EAGAIN:
	case ENOMEM:
	case EBUSY:
	case EDOM: /* sixteen commands on one fd: never ours, but not the path's fault either */
		return TRANSPORT_BUSY;
	case EINVAL: /* more than the adapter takes */
	case EMSGSIZE:
	case E2BIG:
	case EPERM:
		return TRANSPORT_REFUSED;
	default:
		return TRANSPORT_FAULT;
	}
}

/* --- the answer --- */

static bool target_answered(const struct sg_io_hdr *hdr)
{
	unsigned int driver_byte = hdr->driver_status & DRIVER_BYTE_MASK;

	switch (hdr->host_status) {
	case DID_OK:
		return hdr->status || !driver_byte || driver_byte == DRIVER_BYTE_SENSE;
	/* The kernel's digest of a status; most versions take it back before we see it. */
	case DID_TARGET_FAILURE:
	case DID_NEXUS_FAILURE:
	case DID_ALLOC_FAILURE:
	case DID_MEDIUM_ERROR:
		return hdr->status != 0;
	default:
		return false;
	}
}

static enum transport_error error_of_answer(const struct sg_io_hdr *hdr)
{
	if (target_answered(hdr))
		return TRANSPORT_OK;
	switch (hdr->host_status) {
	case DID_NO_CONNECT:
	case DID_BAD_TARGET:
	case DID_TRANSPORT_DISRUPTED:
	case DID_TRANSPORT_FAILFAST:
	case DID_TRANSPORT_MARGINAL:
		return TRANSPORT_LOST;
	case DID_TIME_OUT:
		return TRANSPORT_TIMEOUT;
	case DID_OK:
		if ((hdr->driver_status & DRIVER_BYTE_MASK) == DRIVER_BYTE_TIMEOUT)
			return TRANSPORT_TIMEOUT;
		return TRANSPORT_FAULT;
	default:
		return TRANSPORT_FAULT;
	}
}

/* libiscsi tells in the same place what there was no room for.  A READ brings all its blocks. */
static bool is_overflow(const struct scsi_cmd *cmd, size_t resid)
{
	uint64_t lba;

	return cmd->cut_short &&
	       (resid > cmd->data_len || scsi_cdb_read_lba(cmd->cdb, cmd->cdb_len, &lba));
}

/* Drivers have been seen to count wrongly; a residual is between nothing and everything. */
static __attribute__((noinline)) uint32_t residual_of(const struct sg_io_hdr *hdr,
						      const struct scsi_cmd *cmd)
{
	if (is_overflow(cmd, (size_t)hdr->resid))
		return 0;
	return (uint32_t)((size_t)hdr->resid < cmd->data_len ? (size_t)hdr->resid : cmd->data_len);
}

static void take_sense(const struct sg_io_hdr *hdr, const uint8_t *sense,
		       struct scsi_result *result)
{
	result->sense_len = hdr->sb_len_wr < SCSI_SENSE_MAX ? hdr->sb_len_wr : SCSI_SENSE_MAX;
	memcpy(result->sense, sense, result->sense_len);
}

void sg_header_result(const struct sg_io_hdr *hdr, const uint8_t *sense, struct mpath_io *io)
{
	struct scsi_result *result = &io->result;

	result->transport = error_of_answer(hdr);
	result->status = 0;
	result->sense_len = 0;
	result->residual = 0;
	if (result->transport != TRANSPORT_OK) {
		result->residual = (uint32_t)io->cmd.data_len;
		return;
	}
	result->status = hdr->status;
	if (hdr->sb_len_wr)
		take_sense(hdr, sense, result);
	if (hdr->resid > 0)
		result->residual = residual_of(hdr, &io->cmd);
}
