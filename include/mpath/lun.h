/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we know of the LUN behind the paths: it must be the same on every path (DESIGN D8), it is
 * kept over restarts together with the pinned WWID, and identity pages and capacity are answered
 * from it while no path is usable (D15).
 */
#ifndef MPATH_LUN_H
#define MPATH_LUN_H

#include <stdbool.h>
#include <stdint.h>

#define WWID_MAX	 256 /* bytes with NUL; multipath-tools' WWID_SIZE is 128 */
#define LUN_INQUIRY_MAX	 96
#define LUN_VPD_MAX	 64 /* bytes kept of each of the pages B0h, B1h, B2h */
#define LUN_CAPACITY_LEN 32
#define LOCAL_NAME_MAX	 18  /* with NUL */
#define LUN_NAMES_MAX	 252 /* bytes kept of the names that the array gives the LUN */

struct lun_page {
	uint8_t len; /* 0: the LUN does not have the page */
	uint8_t data[LUN_VPD_MAX];
};

struct lun_names {
	uint8_t len; /* 0: none, or nobody wants to know (identity=lio) */
	uint8_t data[LUN_NAMES_MAX];
};

struct lun_facts {
	bool known;	     /* false: the map never saw its LUN; nothing below is valid */
	char wwid[WWID_MAX]; /* spelt as "multipath -ll" prints it */
	char local_name[LOCAL_NAME_MAX]; /* by which it may be asked for, or empty */
	uint64_t nr_blocks;
	uint32_t block_size; /* bytes */
	uint8_t inquiry_len;
	uint8_t inquiry[LUN_INQUIRY_MAX];   /* the array's standard INQUIRY data */
	uint8_t capacity[LUN_CAPACITY_LEN]; /* the array's READ CAPACITY(16) data */
	uint8_t nr_vpd_pages;
	uint8_t vpd_pages[64];	      /* the array's page 00h: the pages that it has */
	struct lun_page limits;	      /* VPD B0h: block limits */
	struct lun_page features;     /* VPD B1h: block device characteristics */
	struct lun_page thin;	      /* VPD B2h: logical block provisioning */
	struct lun_names serial;      /* VPD 80h: the number */
	struct lun_names designators; /* VPD 83h: those of the LUN, not of the array's ports */
};

#endif
