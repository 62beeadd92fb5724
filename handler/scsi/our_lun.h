/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mark by which we know our own LUNs (hazards.md H13), in the vendor-specific bytes of
 * standard INQUIRY data: a map that found itself as a path would deadlock on itself.
 */
#ifndef MPATH_SCSI_OUR_LUN_H
#define MPATH_SCSI_OUR_LUN_H

#define OUR_MARK    "tcmu-mpath"
#define OUR_MARK_AT 36

#endif
