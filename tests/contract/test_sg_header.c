/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sg's header means: each way in which a command can end, row by row.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "mpath/scsi.h"
#include "transports/sg_header.h"

static uint8_t sense[SCSI_SENSE_MAX] = {0x70, 0, 0x05, [7] = 10, [12] = 0x24};

struct row {
	uint8_t host;
	uint8_t driver;
	uint8_t status;
	enum transport_error error;
};

static const struct row rows[] = {
	/* The target's word, whatever the SCSI layer adds to it. */
	{0x00, 0x00, 0x00, TRANSPORT_OK},
	{0x00, 0x08, 0x00, TRANSPORT_OK},
	{0x00, 0x00, 0x02, TRANSPORT_OK},
	{0x00, 0x08, 0x02, TRANSPORT_OK},
	{0x00, 0x06, 0x02, TRANSPORT_OK},
	{0x00, 0x00, 0x08, TRANSPORT_OK},
	{0x00, 0x00, 0x18, TRANSPORT_OK},
	{0x00, 0x00, 0x28, TRANSPORT_OK},
	{0x00, 0x00, 0x40, TRANSPORT_OK},
	/* The kernel's digest of a status, and the same without one. */
	{0x10, 0x00, 0x02, TRANSPORT_OK},
	{0x11, 0x00, 0x18, TRANSPORT_OK},
	{0x12, 0x00, 0x02, TRANSPORT_OK},
	{0x13, 0x00, 0x02, TRANSPORT_OK},
	{0x10, 0x00, 0x00, TRANSPORT_FAULT},
	{0x11, 0x00, 0x00, TRANSPORT_FAULT},
	/* The way was lost. */
	{0x01, 0x00, 0x00, TRANSPORT_LOST},
	{0x04, 0x00, 0x00, TRANSPORT_LOST},
	{0x0e, 0x00, 0x00, TRANSPORT_LOST},
	{0x0f, 0x00, 0x00, TRANSPORT_LOST},
	{0x14, 0x00, 0x00, TRANSPORT_LOST},
	{0x0e, 0x00, 0x02, TRANSPORT_LOST},
	/* No answer in time. */
	{0x03, 0x00, 0x00, TRANSPORT_TIMEOUT},
	{0x00, 0x06, 0x00, TRANSPORT_TIMEOUT},
	{0x03, 0x06, 0x00, TRANSPORT_TIMEOUT},
	/* Anybody's fault. */
	{0x02, 0x00, 0x00, TRANSPORT_FAULT},
	{0x05, 0x00, 0x00, TRANSPORT_FAULT},
	{0x06, 0x00, 0x00, TRANSPORT_FAULT},
	{0x07, 0x00, 0x00, TRANSPORT_FAULT},
	{0x07, 0x00, 0x02, TRANSPORT_FAULT},
	{0x08, 0x00, 0x00, TRANSPORT_FAULT},
	{0x09, 0x00, 0x00, TRANSPORT_FAULT},
	{0x0a, 0x00, 0x00, TRANSPORT_FAULT},
	{0x0b, 0x00, 0x00, TRANSPORT_FAULT},
	{0x0c, 0x00, 0x00, TRANSPORT_FAULT},
	{0x0d, 0x00, 0x00, TRANSPORT_FAULT},
	{0x15, 0x00, 0x00, TRANSPORT_FAULT},
	{0x00, 0x04, 0x00, TRANSPORT_FAULT},
};

static void test_errors(void)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct sg_io_hdr hdr = {.host_status = row->host,
					.driver_status = row->driver,
					.status = row->status,
					.sb_len_wr = 18};
		struct mpath_io io = {.cmd.data_len = 512};

		sg_header_result(&hdr, sense, &io);
		assert(io.result.transport == row->error);
		if (row->error == TRANSPORT_OK) {
			assert(io.result.status == row->status && io.result.residual == 0);
			assert(io.result.sense_len == 18 && !memcmp(io.result.sense, sense, 18));
		} else {
			assert(io.result.status == 0 && io.result.sense_len == 0);
			assert(io.result.residual == 512);
		}
	}
}

/*
 * An initiator that asks for more than it has room for: what is told then may be how much did not
 * fit.  All that there is room for has come.
 */
static void test_overflow(void)
{
	static const struct {
		uint8_t cdb[6];
		size_t room;
		int resid;
		uint32_t residual;
	} cases[] = {
		{{0x1a, [4] = 255}, 64, 191, 0}, /* MODE SENSE */
		{{0x1a, [4] = 255}, 64, 64, 64}, /* or there was nothing to tell */
		{{0x1a, [4] = 255}, 64, 40, 40}, {{0x08, [4] = 1}, 64, 448, 0}, /* READ */
		{{0x08, [4] = 1}, 384, 128, 0},
	};
	struct sg_io_hdr hdr = {0};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mpath_io io = {.cmd.cdb_len = 6};

		memcpy(io.cmd.cdb, cases[i].cdb, 6);
		assert(scsi_cdb_fill(&io.cmd, cases[i].room, 512) == CDB_OK);
		assert(io.cmd.data_len == cases[i].room);
		hdr.resid = cases[i].resid;
		sg_header_result(&hdr, sense, &io);
		assert(io.result.residual == cases[i].residual);
	}
}

/* Residuals and sense lengths that cannot be. */
static void test_lies(void)
{
	static const struct {
		int resid;
		uint32_t residual;
	} lies[] = {{0, 0}, {-1, 0}, {100, 100}, {512, 512}, {513, 512}, {1 << 30, 512}};
	struct mpath_io io = {.cmd.data_len = 512};
	struct sg_io_hdr hdr = {0};
	size_t i;

	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		hdr.resid = lies[i].resid;
		sg_header_result(&hdr, sense, &io);
		assert(io.result.residual == lies[i].residual);
	}
	hdr.sb_len_wr = 255;
	sg_header_result(&hdr, sense, &io);
	assert(io.result.sense_len == SCSI_SENSE_MAX);
}

static void test_errno(void)
{
	assert(sg_error_of_write(ENODEV) == TRANSPORT_GONE);
	assert(sg_error_of_write(ENXIO) == TRANSPORT_NOT_SENT);
	assert(sg_error_of_write(EAGAIN) == TRANSPORT_BUSY);
	assert(sg_error_of_write(ENOMEM) == TRANSPORT_BUSY);
	assert(sg_error_of_write(EDOM) == TRANSPORT_BUSY);
	assert(sg_error_of_write(EBUSY) == TRANSPORT_BUSY);
	assert(sg_error_of_write(EINVAL) == TRANSPORT_REFUSED);
	assert(sg_error_of_write(EMSGSIZE) == TRANSPORT_REFUSED);
	assert(sg_error_of_write(E2BIG) == TRANSPORT_REFUSED);
	assert(sg_error_of_write(EPERM) == TRANSPORT_REFUSED);
	assert(sg_error_of_write(EFAULT) == TRANSPORT_FAULT);
	assert(sg_error_of_write(EIO) == TRANSPORT_FAULT);

	assert(sg_error_of_open(-ENODEV) == TRANSPORT_GONE);
	assert(sg_error_of_open(-ENOENT) == TRANSPORT_GONE);
	assert(sg_error_of_open(-ENXIO) == TRANSPORT_NOT_SENT);
	assert(sg_error_of_open(-EMFILE) == TRANSPORT_BUSY);
	assert(sg_error_of_open(-ENOMEM) == TRANSPORT_BUSY);
}

/* The header of a command: direction, length, and no more of the iovec than the data takes. */
static void test_fill(void)
{
	static uint8_t data[3000];
	struct iovec iov[3] = {{data, 1000}, {data + 1000, 1000}, {data + 2000, 1000}};
	struct scsi_cmd cmd = {
		.cdb = {0x28}, .cdb_len = 10, .timeout_ms = 1234, .iov = iov, .iov_cnt = 3};
	struct sg_io_hdr hdr;

	assert(sg_header_fill(&hdr, &cmd, sense, 4096));
	assert(hdr.dxfer_direction == SG_DXFER_NONE && hdr.cmdp == cmd.cdb && hdr.cmd_len == 10);
	assert(hdr.interface_id == 'S' && hdr.timeout == 1234 && hdr.sbp == sense);
	assert(hdr.mx_sb_len == SCSI_SENSE_MAX && hdr.flags == 0x10);

	cmd.dir = SCSI_DATA_IN;
	assert(sg_header_fill(&hdr, &cmd, sense, 4096)); /* of no data */
	assert(hdr.dxfer_direction == SG_DXFER_NONE && hdr.dxfer_len == 0);

	cmd.data_len = 1000;
	assert(sg_header_fill(&hdr, &cmd, sense, 4096));
	assert(hdr.dxfer_direction == SG_DXFER_FROM_DEV && hdr.dxfer_len == 1000);
	assert(hdr.iovec_count == 0 && hdr.dxferp == data);

	cmd.dir = SCSI_DATA_OUT;
	cmd.data_len = 1001;
	assert(sg_header_fill(&hdr, &cmd, sense, 4096));
	assert(hdr.dxfer_direction == SG_DXFER_TO_DEV && hdr.dxfer_len == 1001);
	assert(hdr.iovec_count == 2 && hdr.dxferp == (void *)iov);

	cmd.data_len = 3000;
	assert(sg_header_fill(&hdr, &cmd, sense, 3000) && hdr.iovec_count == 3);
	assert(!sg_header_fill(&hdr, &cmd, sense, 2999));
}

/* More pieces than the kernel takes in one call. */
static void test_too_many_pieces(void)
{
	static uint8_t data[2000];
	static struct iovec iov[2000];
	struct scsi_cmd cmd = {
		.dir = SCSI_DATA_IN, .cdb_len = 10, .iov = iov, .iov_cnt = 2000, .data_len = 1024};
	struct sg_io_hdr hdr;
	size_t i;

	for (i = 0; i < 2000; i++)
		iov[i] = (struct iovec){data + i, 1};
	assert(sg_header_fill(&hdr, &cmd, sense, 4096) && hdr.iovec_count == 1024);
	cmd.data_len = 1025;
	assert(!sg_header_fill(&hdr, &cmd, sense, 4096));
}

int main(void)
{
	test_errors();
	test_overflow();
	test_lies();
	test_errno();
	test_fill();
	test_too_many_pieces();
	return 0;
}
