/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The initiator's buffer: in TCMU's data area, in pieces.  What we answer ourselves is copied into
 * it here, and what a short answer leaves is cleared, since the area held other commands' data.  An
 * answer that tells us something, too, is read here.
 */
#include <string.h>

#include "mpath/scsi.h"

size_t scsi_iov_len(const struct iovec *iov, size_t iov_cnt)
{
	size_t len = 0;
	size_t i;

	for (i = 0; i < iov_cnt; i++)
		len += iov[i].iov_len;
	return len;
}

void scsi_iov_zero_from(const struct iovec *iov, size_t iov_cnt, size_t from)
{
	size_t i;

	for (i = 0; i < iov_cnt; i++) {
		if (from >= iov[i].iov_len) {
			from -= iov[i].iov_len;
			continue;
		}
		memset((char *)iov[i].iov_base + from, 0, iov[i].iov_len - from);
		from = 0;
	}
}

static size_t copy_to_iov(const struct iovec *iov, size_t iov_cnt, const char *data, size_t len)
{
	size_t done = 0;
	size_t i;

	for (i = 0; i < iov_cnt && done < len; i++) {
		size_t n = iov[i].iov_len < len - done ? iov[i].iov_len : len - done;

		if (n == 0)
			continue;
		memcpy(iov[i].iov_base, data + done, n);
		done += n;
	}
	return done;
}

size_t scsi_cmd_read(const struct scsi_cmd *cmd, size_t at, void *to, size_t len)
{
	size_t room = at < cmd->data_len ? cmd->data_len - at : 0;
	size_t done = 0, i;

	if (len > room)
		len = room;
	for (i = 0; i < cmd->iov_cnt && done < len; i++) {
		const struct iovec *iov = &cmd->iov[i];
		size_t n;

		if (at >= iov->iov_len) {
			at -= iov->iov_len;
			continue;
		}
		n = iov->iov_len - at < len - done ? iov->iov_len - at : len - done;
		memcpy((char *)to + done, (const char *)iov->iov_base + at, n);
		done += n;
		at = 0;
	}
	return done;
}

size_t scsi_iov_read(const struct mpath_io *io, void *to, size_t len)
{
	const struct scsi_cmd *cmd = &io->cmd;

	if (len > cmd->data_len - io->result.residual)
		len = cmd->data_len - io->result.residual;
	return scsi_cmd_read(cmd, 0, to, len);
}

void scsi_iov_overwrite(const struct mpath_io *io, const void *data, size_t len)
{
	copy_to_iov(io->cmd.iov, io->cmd.iov_cnt, data, len);
}

void scsi_reply(struct mpath_io *io, const void *data, size_t len)
{
	struct scsi_cmd *cmd = &io->cmd;
	size_t copied = copy_to_iov(cmd->iov, cmd->iov_cnt, data,
				    len < cmd->data_len ? len : cmd->data_len);

	io->result = (struct scsi_result){
		.transport = TRANSPORT_OK,
		.status = SAM_GOOD,
		.residual = (uint32_t)(cmd->data_len - copied),
	};
}
