/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Target port groups: REPORT TARGET PORT GROUPS, SET TARGET PORT GROUPS, and which group a path's
 * port belongs to (SPC-5 6.36, 6.46 and 7.7.6).
 *
 * All lengths in the data are the target's claims, and are held against what has really come.
 */
#include <scsi/sg_lib.h>

#include "mpath/path.h"
#include "mpath/scsi.h"

#include "scsi/big_endian.h"
#include "scsi/vpd83.h"

#define MAINTENANCE_IN	0xa3
#define MAINTENANCE_OUT 0xa4
#define PORT_GROUPS	0x0a /* service action, for both */
#define EXTENDED_HEADER 0x20

#define STPG_LEN       8
#define HEADER_LEN     4
#define EXT_HEADER_LEN 8
#define DESCRIPTOR_LEN 8 /* without its ports, of 4 bytes each */

#define DESIGNATOR_PORT_GROUP 0x5
#define ASSOCIATION_PORT      1

void scsi_rtpg_ask(const struct scsi_question *next, bool extended, size_t len)
{
	const uint8_t cdb[12] = {
		MAINTENANCE_IN,
		PORT_GROUPS | (extended ? EXTENDED_HEADER : 0),
		[8] = (uint8_t)(len >> 8),
		[9] = (uint8_t)len,
	};

	ask_scsi(next, cdb, sizeof(cdb), SCSI_DATA_IN, len);
}

bool scsi_rtpg_is_cut(const struct scsi_answer *answer, size_t len)
{
	return answer->len == len && get_be32(answer->data) > len - HEADER_LEN;
}

bool scsi_rtpg_begin(struct rtpg_walk *walk, const uint8_t *data, size_t len)
{
	size_t claimed;

	if (len < HEADER_LEN)
		return false;
	claimed = get_be32(data);
	*walk = (struct rtpg_walk){
		.data = data, .end = len, .at = HEADER_LEN, .is_cut = claimed > len - HEADER_LEN};
	if (claimed < len - HEADER_LEN)
		walk->end = HEADER_LEN + claimed;

	/* Where a plain reply has a group's state and 0, the extended header has its format. */
	if (walk->end >= EXT_HEADER_LEN && (data[4] & 0x70) == 0x10) {
		walk->transition_s = data[5];
		walk->at = EXT_HEADER_LEN;
	}
	return true;
}

/* LIO leaves out what does not fit whole: nothing is there then, and not group 0. */
static bool is_nothing(const uint8_t *descriptor)
{
	static const uint8_t nothing[DESCRIPTOR_LEN];

	return memcmp(descriptor, nothing, DESCRIPTOR_LEN) == 0;
}

bool scsi_rtpg_next(struct rtpg_walk *walk, struct scsi_port_group *group)
{
	const uint8_t *d = walk->data + walk->at;

	if (walk->end - walk->at < DESCRIPTOR_LEN || (walk->is_cut && is_nothing(d)))
		return false;
	*group = (struct scsi_port_group){
		.id = get_be16(d + 2),
		.state = d[0] & 0x0f,
		.supported = d[1],
		.preferred = d[0] & 0x80,
	};
	walk->at += DESCRIPTOR_LEN + 4u * d[7];
	if (walk->at > walk->end)
		walk->at = walk->end; /* the ports are cut off, the group itself is not */
	return true;
}

void scsi_stpg_ask(const struct scsi_question *next, uint16_t group)
{
	const uint8_t cdb[12] = {MAINTENANCE_OUT, PORT_GROUPS, [9] = STPG_LEN};
	const uint8_t data[STPG_LEN] = {
		[4] = ALUA_OPTIMIZED, [6] = (uint8_t)(group >> 8), [7] = (uint8_t)group};

	memcpy(next->data, data, sizeof(data));
	ask_scsi(next, cdb, sizeof(cdb), SCSI_DATA_OUT, sizeof(data));
}

/* Of the first designator that names it. */
bool scsi_port_group_from_vpd83(const uint8_t *page, size_t len, uint16_t *group)
{
	int page_len = vpd83_designators_len(page, len), off = -1;

	while (page_len > 0 &&
	       sg_vpd_dev_id_iter(page + VPD83_HEADER_LEN, page_len, &off, ASSOCIATION_PORT,
				  DESIGNATOR_PORT_GROUP, 1) == 0) {
		const uint8_t *d = page + VPD83_HEADER_LEN + off;

		if (off + 8 > page_len)
			return false;
		if (d[3] < 4)
			continue;
		*group = get_be16(d + 6);
		return true;
	}
	return false;
}

const char *scsi_alua_state_name(uint8_t state)
{
	switch (state) {
	case ALUA_OPTIMIZED:
		return "active/optimized";
	case ALUA_NON_OPTIMIZED:
		return "active/non-optimized";
	case ALUA_STANDBY:
		return "standby";
	case ALUA_UNAVAILABLE:
		return "unavailable";
	case ALUA_LBA_DEPENDENT:
		return "lba-dependent";
	case ALUA_OFFLINE:
		return "offline";
	case ALUA_TRANSITIONING:
		return "transitioning";
	}
	return "unknown";
}
