/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays of the kinds that the hardware handlers emc, rdac and hp_sw are for.  Two controllers lead
 * to a LUN, and one of them owns it; the other one refuses what wants the medium, until a command
 * of the array's own has it take the LUN over.  What they say follows the structures of the
 * kernel's scsi_dh_*.c, as in tests/e2e/lib/two_controllers.py.
 */
#include <string.h>

#include "sim/lib/array.h"

#define RDAC_LUN 5 /* the array's own number of each LUN */

/* --- who is it? --- */

static size_t emc_inquiry(const struct sim_lun *lun, uint8_t *data)
{
	static const char serial[] = "APM00042";
	const char *model = lun->old_model ? "FC4700" : "CX3-40";
	size_t at = 161;

	memcpy(data + 8, "DGC     RAID 5          0219", 28);
	data[99] = (uint8_t)strlen(model);
	data[160] = (uint8_t)strlen(serial);
	memcpy(data + at, serial, data[160]);
	at += data[160];
	memcpy(data + at, model, data[99]);
	at += data[99];
	data[4] = (uint8_t)(at - 5);
	return at;
}

size_t sim_vendor_inquiry(const struct sim_lun *lun, uint8_t *data)
{
	switch (lun->make) {
	case MAKE_SIM:
		break;
	case MAKE_EMC:
		return emc_inquiry(lun, data);
	case MAKE_RDAC:
		memcpy(data + 8, "NETAPP  INF-01-00       0001", 28);
		return 96;
	case MAKE_HP_SW:
		memcpy(data + 8, "COMPAQ  MSA1000 VOLUME  0001", 28);
		return 96;
	}
	memcpy(data + 8, "SIM     VIRTUAL ARRAY   0001", 28);
	return 96;
}

static bool owns(const struct sim_nexus *nexus)
{
	return nexus->lun->owner == nexus->controller;
}

static size_t emc_page(const struct sim_nexus *nexus, uint8_t *data)
{
	data[3] = 60;
	data[4] = owns(nexus) ? 2 : 1;
	data[8] = (uint8_t)nexus->lun->owner;
	data[27] = 0x03;				 /* a host's port */
	data[28] = nexus->lun->other_mode ? 0x01 : 0x04; /* PNR */
	data[30] = 0x04;				 /* arraycommpath */
	data[48] = nexus->lun->upgrading;
	return 64;
}

static size_t rdac_lun_page(uint8_t *data)
{
	data[3] = 171;
	memcpy(data + 4, "edid", 4);
	data[174] = RDAC_LUN;
	return 175;
}

static size_t rdac_features_page(const struct sim_lun *lun, uint8_t *data)
{
	data[3] = 16;
	memcpy(data + 4, "swr4", 4);
	data[15] = lun->old_model ? 31 : 255;
	return 20;
}

static size_t rdac_owner_page(const struct sim_nexus *nexus, uint8_t *data)
{
	data[3] = 44;
	memcpy(data + 4, "vace", 4);
	data[8] = (uint8_t)((nexus->lun->follows_io ? 0x80 : 0) |
			    (nexus->lun->ships_io ? 0x20 : 0) | owns(nexus));
	data[9] = nexus->controller == nexus->lun->preferred;
	return 48;
}

size_t sim_vendor_page(const struct sim_nexus *nexus, uint8_t page, uint8_t *data)
{
	switch (nexus->lun->make << 8 | page) {
	case MAKE_EMC << 8 | 0xc0:
		return emc_page(nexus, data);
	case MAKE_RDAC << 8 | 0xc2:
		return rdac_features_page(nexus->lun, data);
	case MAKE_RDAC << 8 | 0xc8:
		return rdac_lun_page(data);
	case MAKE_RDAC << 8 | 0xc9:
		return rdac_owner_page(nexus, data);
	}
	return 0;
}

/* --- who may use it? --- */

/* Commands about the array, which the other controller answers as well. */
static bool is_for_everybody(const struct sim_lun *lun, const struct scsi_cmd *cmd)
{
	switch (cmd->cdb[0]) {
	case 0x03: /* REQUEST SENSE */
	case 0x12: /* INQUIRY */
	case 0x15: /* MODE SELECT(6) */
	case 0x1b: /* START STOP UNIT */
	case 0x55: /* MODE SELECT(10) */
	case 0xa0: /* REPORT LUNS */
		return true;
	case 0x00: /* TEST UNIT READY */
		return lun->make == MAKE_RDAC;
	case 0x25: /* READ CAPACITY */
	case 0x9e:
		return !lun->is_shy || lun->follows_io;
	}
	return false;
}

static void refuse_as_passive(const struct sim_lun *lun, const struct scsi_cmd *cmd,
			      struct scsi_result *result)
{
	switch (lun->make) {
	case MAKE_SIM:
		return;
	case MAKE_EMC:
		sim_check_condition(result, cmd->data_len, 0x02, 0x04, 0x03);
		return;
	case MAKE_RDAC:
		sim_check_condition(result, cmd->data_len, 0x05, 0x94, 0x01);
		return;
	case MAKE_HP_SW:
		sim_check_condition(result, cmd->data_len, 0x02, 0x04, 0x02);
		return;
	}
}

bool sim_vendor_refuses(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
			struct scsi_result *result)
{
	struct sim_lun *lun = nexus->lun;

	if (lun->make == MAKE_SIM || is_for_everybody(lun, cmd))
		return false;
	if (!owns(nexus) && lun->follows_io && cmd->medium)
		lun->owner = nexus->controller;
	if (!owns(nexus) && !lun->ships_io) {
		refuse_as_passive(lun, cmd, result);
		return true;
	}
	if (lun->starting)
		sim_check_condition(result, cmd->data_len, 0x02, 0x04, 0x01);
	return lun->starting;
}

bool sim_vendor_passive_sense(const struct sim_lun *lun, unsigned int code)
{
	return (lun->make == MAKE_EMC && code == 0x020403) ||
	       (lun->make == MAKE_HP_SW && code == 0x020402);
}

/* --- who takes it over? --- */

static bool is_zero(const uint8_t *data, size_t len)
{
	while (len--)
		if (*data++)
			return false;
	return true;
}

/* The long form has other bytes behind the two controllers; the bit is "override reservations". */
static bool is_trespass(const struct sim_lun *lun, const struct scsi_cmd *cmd)
{
	const uint8_t *data = cmd->iov[0].iov_base;

	if (lun->old_model)
		return cmd->cdb[0] == 0x15 && cmd->cdb[4] == 8 && cmd->data_len == 8 &&
		       is_zero(data, 4) && data[4] == 0x22 && data[5] == 2 &&
		       (data[6] & 0x7f) == 1 && data[7] == 0xff;
	return cmd->cdb[0] == 0x55 && cmd->cdb[8] == 19 && cmd->data_len == 19 &&
	       is_zero(data, 8) && data[8] == 0x22 && data[9] == 9 && (data[10] & 0x7f) == 1 &&
	       data[11] == 0xff && data[12] == 0xff && is_zero(data + 13, 6);
}

/* Behind the page's header: mode, quiescence time and option, and one byte for each LUN. */
static bool is_transfer(const uint8_t *page, size_t nr_luns)
{
	return is_zero(page, 32) && page[32] == 0 && page[33] == 2 && page[36] && page[37] == 2 &&
	       is_zero(page + 38, RDAC_LUN) && page[38 + RDAC_LUN] == 0x81 &&
	       is_zero(page + 39 + RDAC_LUN, nr_luns - RDAC_LUN - 1);
}

static bool is_redundant_controller_page(const struct sim_lun *lun, const struct scsi_cmd *cmd)
{
	const uint8_t *data = cmd->iov[0].iov_base;

	if (lun->old_model)
		return cmd->cdb[0] == 0x15 && cmd->cdb[4] == 110 && cmd->data_len == 110 &&
		       is_zero(data, 4) && (data[4] & 0x3f) == 0x2c && data[5] == 0x68 &&
		       is_transfer(data + 6, 32);
	return cmd->cdb[0] == 0x55 && cmd->cdb[7] == 1 && cmd->cdb[8] == 0x34 &&
	       cmd->data_len == 308 && is_zero(data, 8) && (data[8] & 0x7f) == 0x6c &&
	       data[9] == 1 && data[10] == 1 && data[11] == 0x28 && is_transfer(data + 12, 256);
}

static bool is_understood(const struct sim_lun *lun, const struct scsi_cmd *cmd)
{
	switch (lun->make) {
	case MAKE_SIM:
		return false;
	case MAKE_EMC:
		return is_trespass(lun, cmd);
	case MAKE_RDAC:
		return is_redundant_controller_page(lun, cmd);
	case MAKE_HP_SW:
		return cmd->cdb[0] == 0x1b && cmd->cdb[4] == 1;
	}
	return false;
}

static void take_over(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
		      struct scsi_result *result)
{
	struct sim_lun *lun = nexus->lun;

	*result = (struct scsi_result){0};
	switch (lun->move) {
	case MOVE_OBEYS:
		lun->owner = nexus->controller;
		return;
	case MOVE_LIES:
		return;
	case MOVE_REFUSES:
		sim_check_condition(result, cmd->data_len, lun->excuse[0], lun->excuse[1],
				    lun->excuse[2]);
		if (lun->excuses_left && !--lun->excuses_left)
			lun->move = MOVE_OBEYS;
		return;
	}
}

bool sim_vendor_moves(struct sim_nexus *nexus, const struct scsi_cmd *cmd,
		      struct scsi_result *result)
{
	struct sim_lun *lun = nexus->lun;
	uint8_t opcode = cmd->cdb[0];

	if (lun->make == MAKE_SIM || (opcode != 0x15 && opcode != 0x55 && opcode != 0x1b))
		return false;
	if (is_understood(lun, cmd)) {
		lun->nr_moves++;
		take_over(nexus, cmd, result);
	} else {
		lun->nr_misunderstood++;
		sim_check_condition(result, cmd->data_len, 0x05, 0x26, 0x00);
	}
	return true;
}
