/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/lib/array.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "mpath/scsi.h"
#include "scsi/our_lun.h"

#define SIM_INQUIRY_MAX 192 /* bytes; of no page more is said here */

void sim_lun_init(struct sim_lun *lun, unsigned int number)
{
	size_t i, len;

	*lun = (struct sim_lun){.naa = {0x60, 0x00, 0xd3, 0x10, [15] = (uint8_t)number}};
	len = (size_t)snprintf(lun->wwid, sizeof(lun->wwid), "3");
	for (i = 0; i < sizeof(lun->naa); i++)
		len += (size_t)snprintf(lun->wwid + len, sizeof(lun->wwid) - len, "%02x",
					lun->naa[i]);
}

void sim_scatter(const struct iovec *iov, size_t cnt, const uint8_t *data)
{
	for (size_t i = 0; i < cnt; i++) {
		memcpy(iov[i].iov_base, data, iov[i].iov_len);
		data += iov[i].iov_len;
	}
}

void sim_gather(const struct iovec *iov, size_t cnt, uint8_t *data)
{
	for (size_t i = 0; i < cnt; i++) {
		memcpy(data, iov[i].iov_base, iov[i].iov_len);
		data += iov[i].iov_len;
	}
}

uint64_t sim_stamp(const uint8_t *data, unsigned int nr)
{
	uint64_t stamp;

	memcpy(&stamp, data + (size_t)nr * SIM_BLOCK_SIZE, sizeof(stamp));
	return stamp;
}

void sim_put_stamp(uint8_t *data, unsigned int nr, uint64_t stamp)
{
	memcpy(data + (size_t)nr * SIM_BLOCK_SIZE, &stamp, sizeof(stamp));
}

static uint64_t be(const uint8_t *p, unsigned int width)
{
	uint64_t value = 0;

	while (width--)
		value = value << 8 | *p++;
	return value;
}

static void put_be(uint8_t *p, unsigned int width, uint64_t value)
{
	while (width--) {
		p[width] = (uint8_t)value;
		value >>= 8;
	}
}

uint64_t sim_lba(const uint8_t *cdb)
{
	switch (cdb[0] >> 5) {
	case 0:
		return be(cdb + 1, 3) & 0x1fffff;
	case 1:
	case 2:
	case 5:
		return be(cdb + 2, 4);
	case 3:
		return be(cdb + 12, 8);
	}
	return be(cdb + 2, 8);
}

unsigned int sim_nr_blocks(const uint8_t *cdb)
{
	switch (cdb[0]) {
	case 0x08:
	case 0x0a:
		return cdb[4];
	case 0x28:
	case 0x2a:
	case 0x2e:
	case 0x41:
		return (unsigned int)be(cdb + 7, 2);
	case 0x42:
		return cdb[6];
	case 0x7f:
		return (unsigned int)be(cdb + 28, 4);
	case 0x83:
		return cdb[14];
	case 0x89:
		return cdb[13];
	case 0x88:
	case 0x8a:
	case 0x8b:
	case 0x8e:
	case 0x93:
		return (unsigned int)be(cdb + 10, 4);
	case 0x9c:
		return (unsigned int)be(cdb + 12, 2);
	case 0xa8:
	case 0xaa:
	case 0xae:
		return (unsigned int)be(cdb + 6, 4);
	}
	return 0;
}

bool sim_is_block_read(const uint8_t *cdb)
{
	switch (cdb[0]) {
	case 0x08:
	case 0x28:
	case 0x88:
	case 0xa8:
		return true;
	case 0x7f:
		return cdb[9] == 0x09;
	}
	return false;
}

void sim_check_condition(struct scsi_result *result, size_t data_len, uint8_t key, uint8_t asc,
			 uint8_t ascq)
{
	*result = (struct scsi_result){
		.status = SAM_CHECK_CONDITION,
		.sense_len = 18,
		.sense = {0x70, 0, key, [7] = 10, [12] = asc, [13] = ascq},
		.residual = (uint32_t)data_len,
	};
}

static void reply(const struct scsi_cmd *cmd, struct scsi_result *result, const uint8_t *data,
		  size_t len)
{
	if (len > cmd->data_len)
		len = cmd->data_len;
	if (len)
		memcpy(cmd->iov[0].iov_base, data, len);
	*result = (struct scsi_result){.residual = (uint32_t)(cmd->data_len - len)};
}

static void inquiry(struct sim_nexus *nexus, const struct scsi_cmd *cmd, struct scsi_result *result)
{
	uint8_t data[SIM_INQUIRY_MAX] = {nexus->device_type, 0, 0x06, 0x12, 91, 0, 0, 0x02};
	size_t len = sim_vendor_inquiry(nexus->lun, data);

	if (nexus->group)
		data[5] = (uint8_t)(nexus->lun->tpgs << 4);
	if (nexus->ours)
		memcpy(data + OUR_MARK_AT, OUR_MARK, sizeof(OUR_MARK) - 1);
	reply(cmd, result, data, nexus->short_inquiry ? nexus->short_inquiry : len);
}

static void vpd(struct sim_nexus *nexus, const struct scsi_cmd *cmd, struct scsi_result *result)
{
	uint8_t data[SIM_INQUIRY_MAX] = {nexus->device_type, cmd->cdb[2]};
	size_t len = sim_vendor_page(nexus, cmd->cdb[2], data);

	if (len) {
		reply(cmd, result, data, len);
		return;
	}
	switch (cmd->cdb[2]) {
	case 0x00:
		if (nexus->no_limits)
			memcpy(data + 3, "\x04\x00\x80\x83\xb1", 5);
		else
			memcpy(data + 3, "\x05\x00\x80\x83\xb0\xb1", 6);
		if (nexus->boasts)
			data[4u + data[3]++] = 0x86;
		if (nexus->provisioning)
			data[4u + data[3]++] = 0xb2;
		reply(cmd, result, data, 4u + data[3]);
		return;
	case 0x80:
		data[3] = (uint8_t)strlen(nexus->serial ? nexus->serial : "SIM1");
		memcpy(data + 4, nexus->serial ? nexus->serial : "SIM1", data[3]);
		reply(cmd, result, data, 4u + data[3]);
		return;
	case 0x83:
		if (nexus->no_wwid) {
			reply(cmd, result, data, 4);
			return;
		}
		memcpy(data + 3, "\x14\x01\x03\x00\x10", 5);
		memcpy(data + 8, nexus->lun->naa, 16);
		if (nexus->lun->local_naa[0]) {
			memcpy(data + 3, "\x1a\x02\x01\x00\x0aSIM     x1", 15);
			data[17] = (uint8_t)(data[17] + nexus->lun->t10_number);
			memcpy(data + 18, "\x01\x03\x00\x08", 4);
			memcpy(data + 22, nexus->lun->local_naa, 8);
			reply(cmd, result, data, 4u + data[3]);
			return;
		}
		if (nexus->group && !nexus->no_group_id) {
			data[3] += 16;
			memcpy(data + 24, "\x61\x94\x00\x04", 4);
			data[31] = nexus->port;
			memcpy(data + 32, "\x61\x95\x00\x04", 4);
			put_be(data + 38, 2, nexus->group);
		}
		reply(cmd, result, data, 4u + data[3]);
		return;
	case 0x86:
		if (!nexus->boasts)
			break;
		data[3] = 60;
		memset(data + 4, 0xff, 60);
		reply(cmd, result, data, 64);
		return;
	case 0xb0:
		if (nexus->no_limits || nexus->hides_limits)
			break;
		data[1] = nexus->mistakes_limits ? 0xb1 : 0xb0;
		data[3] = nexus->cuts_limits ? 12 : 60;
		data[5] = nexus->max_caw;
		put_be(data + 8, 4, nexus->max_transfer ? nexus->max_transfer : 128);
		put_be(data + 20, 4, nexus->max_unmap);
		put_be(data + 24, 4, nexus->max_unmap ? UINT32_MAX : 0);
		put_be(data + 36, 8, nexus->max_write_same);
		reply(cmd, result, data, 64);
		return;
	case 0xb1:
		if (nexus->hides_features)
			break;
		data[3] = 60;
		put_be(data + 4, 2, nexus->rotation ? nexus->rotation : 7200);
		reply(cmd, result, data, 64);
		return;
	case 0xb2:
		if (!nexus->provisioning)
			break;
		data[3] = 4;
		data[5] = nexus->provisioning;
		data[6] = 2; /* thin */
		reply(cmd, result, data, 8);
		return;
	}
	sim_check_condition(result, cmd->data_len, 0x05, 0x24, 0x00);
}

static void read_capacity_16(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			     struct scsi_result *result)
{
	uint8_t data[32] = {0};

	put_be(data, 8, nexus->nr_blocks - 1);
	put_be(data + 8, 4, nexus->block_size);
	if (nexus->boasts)
		data[12] = 0x03; /* P_TYPE 1, PROT_EN */
	if (nexus->provisioning)
		data[14] = 0x80; /* LBPME */
	reply(cmd, result, data, sizeof(data));
}

static void read_capacity_10(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			     struct scsi_result *result)
{
	uint8_t data[8] = {0};

	put_be(data, 4, nexus->nr_blocks - 1);
	put_be(data + 4, 4, nexus->block_size);
	reply(cmd, result, data, sizeof(data));
}

static bool in_range(const struct scsi_cmd *cmd, struct scsi_result *result)
{
	if (sim_lba(cmd->cdb) + sim_nr_blocks(cmd->cdb) <= SIM_BLOCKS)
		return true;
	sim_check_condition(result, cmd->data_len, 0x05, 0x21, 0x00);
	return false;
}

static void read_blocks(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			struct scsi_result *result)
{
	uint8_t *data = cmd->iov[0].iov_base;
	unsigned int i;

	if (!in_range(cmd, result))
		return;
	for (i = 0; i < sim_nr_blocks(cmd->cdb); i++)
		sim_put_stamp(data, i, nexus->lun->stamps[sim_lba(cmd->cdb) + i]);
	*result = (struct scsi_result){0};
}

static bool write_blocks(struct sim_nexus *nexus, const struct scsi_cmd *cmd, const uint8_t *data,
			 struct scsi_result *result)
{
	unsigned int i;

	if (!in_range(cmd, result))
		return false;
	for (i = 0; i < sim_nr_blocks(cmd->cdb); i++)
		nexus->lun->stamps[sim_lba(cmd->cdb) + i] = sim_stamp(data, i);
	nexus->lun->nr_writes++;
	*result = (struct scsi_result){0};
	return true;
}

/* The buffer brings what should be there, then what is to be written. */
static bool compare_and_write(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			      struct scsi_result *result)
{
	const uint8_t *data = cmd->iov[0].iov_base;
	unsigned int i, n = sim_nr_blocks(cmd->cdb);

	if (!in_range(cmd, result))
		return false;
	for (i = 0; i < n; i++) {
		if (nexus->lun->stamps[sim_lba(cmd->cdb) + i] != sim_stamp(data, i)) {
			sim_check_condition(result, cmd->data_len, 0x0e, 0x1d, 0x00);
			return false;
		}
	}
	return write_blocks(nexus, cmd, data + (size_t)n * SIM_BLOCK_SIZE, result);
}

/* One block to all of the range, be it to be written or unmapped. */
static bool write_same(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
		       struct scsi_result *result)
{
	uint64_t stamp = sim_stamp(cmd->iov[0].iov_base, 0);
	unsigned int i;

	if (!in_range(cmd, result))
		return false;
	for (i = 0; i < sim_nr_blocks(cmd->cdb); i++)
		nexus->lun->stamps[sim_lba(cmd->cdb) + i] = stamp;
	nexus->lun->nr_writes++;
	*result = (struct scsi_result){0};
	return true;
}

/*
 * By its list.  What a block that is unmapped has to say then is the array's matter (LBPRZ 0): here
 * a stamp, of which the list tells where it has four bytes that are reserved.
 */
static bool unmap(struct sim_nexus *nexus, const struct scsi_cmd *cmd, struct scsi_result *result)
{
	const uint8_t *list = cmd->iov[0].iov_base;
	size_t end = 8 + be(list + 2, 2), at;

	if (end > cmd->data_len || be(list, 2) + 2 != end) {
		sim_check_condition(result, cmd->data_len, 0x05, 0x26, 0x00);
		return false;
	}
	if (!in_range(cmd, result))
		return false;
	for (at = 8; at + 16 <= end; at += 16) {
		uint64_t lba = be(list + at, 8), i;

		for (i = 0; i < be(list + at + 8, 4); i++)
			nexus->lun->stamps[(lba + i) % SIM_BLOCKS] = be(list + at + 12, 4);
	}
	nexus->lun->nr_writes++;
	*result = (struct scsi_result){0};
	return true;
}

/*
 * One block: which one, and where it goes, the CDB says, and what it is known by there the list,
 * where they have bytes that are reserved; what was read is what would be there.
 */
static bool copy(struct sim_nexus *nexus, const struct scsi_cmd *cmd, struct scsi_result *result)
{
	const uint8_t *list = cmd->iov[0].iov_base;

	nexus->knows_copy = true;
	*result = (struct scsi_result){0};
	if (!sim_nr_blocks(cmd->cdb))
		return true;
	if (!in_range(cmd, result))
		return false;
	nexus->lun->copied = nexus->lun->stamps[list[8] % SIM_BLOCKS];
	nexus->lun->stamps[sim_lba(cmd->cdb)] = sim_stamp(list, 0);
	nexus->lun->nr_writes++;
	return true;
}

static bool variable_length(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			    struct scsi_result *result)
{
	if (cmd->cdb[9] == 0x0b)
		return write_blocks(nexus, cmd, cmd->iov[0].iov_base, result);
	read_blocks(nexus, cmd, result);
	return false;
}

static void report_port_groups(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			       struct scsi_result *result)
{
	struct sim_lun *lun = nexus->lun;
	uint8_t data[8 + 12 * SIM_GROUPS_MAX] = {0};
	bool extended = cmd->cdb[1] & 0x20;
	size_t at = extended ? 8 : 4;
	unsigned int i;

	if (!lun->nr_groups || (extended && lun->no_extended_header)) {
		sim_check_condition(result, cmd->data_len, 0x05, lun->nr_groups ? 0x24 : 0x20,
				    0x00);
		return;
	}
	if (extended) {
		data[4] = 0x10;
		data[5] = lun->announced_s;
	}
	for (i = 0; i < lun->nr_groups; i++) {
		if (lun->tells_own_group && i + 1 != nexus->group)
			continue;
		data[at] = (uint8_t)(lun->groups[i].state | (lun->groups[i].preferred ? 0x80 : 0));
		data[at + 1] = 0xcf;
		put_be(data + at + 2, 2, lun->groups[i].id);
		data[at + 7] = 1;
		put_be(data + at + 10, 2, i + 1);
		at += 12;
	}
	put_be(data, 4, at - 4);
	lun->nr_rtpg++;
	reply(cmd, result, data, at);
}

static void set_port_groups(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			    struct scsi_result *result)
{
	const uint8_t *data = cmd->iov[0].iov_base;
	struct sim_lun *lun = nexus->lun;
	unsigned int i;

	lun->nr_stpg++;
	lun->last_stpg = (uint16_t)be(data + 6, 2);
	if (!(lun->tpgs & 2) || lun->stpg == STPG_REFUSES || cmd->data_len != 8 || data[4]) {
		sim_check_condition(result, cmd->data_len, 0x05, 0x67, 0x0a);
		return;
	}
	for (i = 0; i < lun->nr_groups; i++) {
		bool chosen = lun->groups[i].id == lun->last_stpg;

		lun->groups[i].state = chosen ? 0x0 : 0x2;
		if (lun->stpg == STPG_TAKES_TIME)
			lun->groups[i].state = 0xf;
	}
	*result = (struct scsi_result){0};
	if (lun->stpg == STPG_COMPLAINS)
		sim_check_condition(result, cmd->data_len, 0x0b, 0x00, 0x00);
}

/* SPC-5 5.18.2: what a port answers that has no access now; the array here is a strict one. */
static bool group_has_no_access(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
				struct scsi_result *result)
{
	static const uint8_t why[16] = {[0x2] = 0x0b, [0x3] = 0x0c, [0xe] = 0x12, [0xf] = 0x0a};
	const struct sim_lun *lun = nexus->lun;
	uint8_t ascq = nexus->group ? why[lun->groups[nexus->group - 1].state] : 0;

	switch (cmd->cdb[0]) {
	case 0x03:
	case 0x12:
	case 0xa0:
	case 0xa3:
	case 0xa4:
		return false;
	case 0x00:
		if (lun->tur_in_transition && ascq == 0x0a)
			return false;
	}
	if (ascq)
		sim_check_condition(result, cmd->data_len, 0x02, 0x04, ascq);
	return ascq != 0;
}

static uint16_t take_attention(struct sim_nexus *nexus)
{
	uint16_t ua = nexus->uas[0];

	nexus->nr_uas--;
	memmove(nexus->uas, nexus->uas + 1, nexus->nr_uas * sizeof(ua));
	return ua;
}

/* SAM-5 5.14: INQUIRY, REPORT LUNS and REQUEST SENSE do not report a unit attention so. */
static bool attention(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
		      struct scsi_result *result)
{
	uint8_t opcode = cmd->cdb[0];
	uint16_t ua;

	if (!nexus->nr_uas || opcode == 0x12 || opcode == 0xa0 || opcode == 0x03)
		return false;
	ua = take_attention(nexus);
	sim_check_condition(result, cmd->data_len, 0x06, (uint8_t)(ua >> 8), (uint8_t)ua);
	return true;
}

/* SPC-5 6.39: what is pending becomes its data, and is over then. */
static void request_sense(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			  struct scsi_result *result)
{
	uint8_t data[18] = {0x70, [7] = 10};

	if (nexus->nr_uas) {
		uint16_t ua = take_attention(nexus);

		data[2] = 0x06;
		data[12] = (uint8_t)(ua >> 8);
		data[13] = (uint8_t)ua;
	}
	reply(cmd, result, data, sizeof(data));
}

/* SPC-5 4.4.6: about a command that was answered before; this one is not carried out. */
static bool deferred_error(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			   struct scsi_result *result)
{
	const uint8_t *error = nexus->deferred;
	uint8_t opcode = cmd->cdb[0];

	if (!nexus->nr_deferred || opcode == 0x12 || opcode == 0xa0 || opcode == 0x03)
		return false;
	nexus->nr_deferred--;
	sim_check_condition(result, cmd->data_len, error[0], error[1], error[2]);
	result->sense[0] = 0x71;
	if (nexus->deferred_descriptor) {
		memset(result->sense, 0, result->sense_len);
		result->sense_len = 8;
		result->sense[0] = 0x73;
		memcpy(result->sense + 1, error, sizeof(nexus->deferred));
	}
	return true;
}

/* SPC-2 5.5.1: what is carried out all the same. */
static bool reserved(const struct sim_nexus *nexus, const struct scsi_cmd *cmd,
		     struct scsi_result *result)
{
	uint8_t opcode = cmd->cdb[0];

	if (!nexus->lun->reserved || opcode == 0x12 || opcode == 0xa0 || opcode == 0x03)
		return false;
	*result = (struct scsi_result){.status = SAM_RESERVATION_CONFLICT,
				       .residual = (uint32_t)cmd->data_len};
	return true;
}

static bool synchronize_cache(struct sim_nexus *nexus, struct scsi_result *result)
{
	memcpy(nexus->lun->stable, nexus->lun->stamps, sizeof(nexus->lun->stable));
	*result = (struct scsi_result){0};
	return true;
}

/* An initiator's number for a copy is one of its nexus. */
static void receive_copy_results(const struct sim_nexus *nexus, const struct scsi_cmd *cmd,
				 struct scsi_result *result)
{
	static const uint8_t status[32];

	if (nexus->knows_copy)
		reply(cmd, result, status, sizeof(status));
	else
		sim_check_condition(result, cmd->data_len, 0x05, 0x24, 0x00);
}

/* So it is with what WRITE BUFFER and the like have brought. */
static void fetch(const struct sim_nexus *nexus, uint8_t what, const struct scsi_cmd *cmd,
		  struct scsi_result *result)
{
	static const uint8_t data[32];

	if (nexus->knows & what)
		reply(cmd, result, data, sizeof(data));
	else
		sim_check_condition(result, cmd->data_len, 0x05, 0x2c, 0x00);
}

static bool keep(struct sim_nexus *nexus, uint8_t what, struct scsi_result *result)
{
	nexus->knows |= what;
	*result = (struct scsi_result){0};
	return true;
}

void sim_lose_power(struct sim_lun *lun)
{
	memcpy(lun->stamps, lun->stable, sizeof(lun->stamps));
}

static bool overloaded(const struct sim_nexus *nexus, const struct scsi_cmd *cmd,
		       struct scsi_result *result)
{
	if (nexus->lun->overloaded)
		*result = (struct scsi_result){.status = SAM_TASK_SET_FULL,
					       .residual = (uint32_t)cmd->data_len};
	return nexus->lun->overloaded;
}

bool sim_execute(struct sim_nexus *nexus, const struct scsi_cmd *cmd, struct scsi_result *result)
{
	return !overloaded(nexus, cmd, result) && !deferred_error(nexus, cmd, result) &&
	       !attention(nexus, cmd, result) && !reserved(nexus, cmd, result) &&
	       !group_has_no_access(nexus, cmd, result) &&
	       !sim_vendor_refuses(nexus, cmd, result) && sim_carry_out(nexus, cmd, result);
}

static bool carry_out(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
		      struct scsi_result *result)
{
	if (sim_vendor_moves(nexus, cmd, result))
		return false;
	switch (cmd->cdb[0]) {
	case 0x12:
		if (cmd->cdb[1] & 1)
			vpd(nexus, cmd, result);
		else
			inquiry(nexus, cmd, result);
		return false;
	case 0x03:
		request_sense(nexus, cmd, result);
		return false;
	case 0xa3:
		report_port_groups(nexus, cmd, result);
		return false;
	case 0xa4:
		set_port_groups(nexus, cmd, result);
		return false;
	case 0x9e:
		read_capacity_16(nexus, cmd, result);
		return false;
	case 0x25:
		read_capacity_10(nexus, cmd, result);
		return false;
	case 0x08:
	case 0x28:
	case 0x88:
	case 0xa8:
		read_blocks(nexus, cmd, result);
		return false;
	case 0x0a:
	case 0x2a:
	case 0x2e: /* WRITE AND VERIFY */
	case 0x8a:
	case 0x8b: /* ORWRITE, of which is known here only that it is to run once */
	case 0x8e:
	case 0x9c: /* WRITE ATOMIC */
	case 0xaa:
	case 0xae:
		return write_blocks(nexus, cmd, cmd->iov[0].iov_base, result);
	case 0x89:
		return compare_and_write(nexus, cmd, result);
	case 0x41:
	case 0x93:
		return write_same(nexus, cmd, result);
	case 0x42:
		return unmap(nexus, cmd, result);
	case 0x00:
		*result = (struct scsi_result){0};
		return false;
	case 0x35:
	case 0x91:
		if (!(cmd->cdb[1] & 0x02))
			return synchronize_cache(nexus, result);
		*result = (struct scsi_result){0}; /* IMMED: later */
		return false;
	case 0x7f:
		return variable_length(nexus, cmd, result);
	case 0x83: /* EXTENDED COPY */
		return copy(nexus, cmd, result);
	case 0x84:
		receive_copy_results(nexus, cmd, result);
		return false;
	case 0x3b: /* WRITE BUFFER */
		return keep(nexus, SIM_BUFFER, result);
	case 0x3c:
		fetch(nexus, SIM_BUFFER, cmd, result);
		return false;
	case 0x1d: /* SEND DIAGNOSTIC */
		return keep(nexus, SIM_DIAGNOSTIC, result);
	case 0x1c:
		fetch(nexus, SIM_DIAGNOSTIC, cmd, result);
		return false;
	case 0xb5: /* SECURITY PROTOCOL OUT */
		return keep(nexus, SIM_SECURITY, result);
	case 0xa2:
		fetch(nexus, SIM_SECURITY, cmd, result);
		return false;
	case 0x5f: /* PERSISTENT RESERVE OUT: done, whatever it was */
		*result = (struct scsi_result){0};
		return true;
	}
	sim_check_condition(result, cmd->data_len, 0x05, 0x20, 0x00);
	return false;
}

/* To the array the buffer is in one piece, wherever its pieces are. */
bool sim_carry_out(struct sim_nexus *nexus, const struct scsi_cmd *cmd, struct scsi_result *result)
{
	uint8_t data[SIM_TRANSFER_MAX];
	struct iovec iov = {data, cmd->data_len};
	struct scsi_cmd flat = *cmd;
	bool changed;

	if (cmd->iov_cnt <= 1)
		return carry_out(nexus, cmd, result);
	assert(scsi_iov_len(cmd->iov, cmd->iov_cnt) <= sizeof(data));
	sim_gather(cmd->iov, cmd->iov_cnt, data);
	flat.iov = &iov;
	flat.iov_cnt = 1;
	changed = carry_out(nexus, &flat, result);
	if (cmd->dir == SCSI_DATA_IN)
		sim_scatter(cmd->iov, cmd->iov_cnt, data);
	return changed;
}
