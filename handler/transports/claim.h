/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claims: nobody else uses a disk that is a path of ours (claim.c).  Blocks: workers only.
 */
#ifndef MPATH_CLAIM_H
#define MPATH_CLAIM_H

#include "mpath/strbuf.h"
#include "transports/sg_device.h"

struct claim;

/*
 * Claim @disk for @map.  The paths of one map may share a disk (dm allows that).  0, or -errno with
 * the reason: who holds it.
 */
int claim_take(const struct sg_disk *disk, const char *map, struct claim **claim,
	       struct strbuf *reason);
void claim_release(struct claim *claim);

#endif
