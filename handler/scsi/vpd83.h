/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VPD page 83h, which names the logical unit, and the port that is asked (SPC-5 7.7.6): what all
 * who walk its designators with sg_vpd_dev_id_iter() need first.
 */
#ifndef SCSI_VPD83_H
#define SCSI_VPD83_H

#include <stddef.h>

#include "scsi/big_endian.h"

#define VPD83_HEADER_LEN 4

/* Bytes of designators behind the header, as far as they have come; -1: this is another page. */
static inline int vpd83_designators_len(const uint8_t *page, size_t len)
{
	size_t told;

	if (len < VPD83_HEADER_LEN || page[1] != 0x83)
		return -1;
	told = get_be16(page + 2);
	return (int)(told < len - VPD83_HEADER_LEN ? told : len - VPD83_HEADER_LEN);
}

#endif
