/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The iSCSI session in which a disk's commands travel (sg_session.c).  Blocks: workers only.
 */
#ifndef MPATH_SG_SESSION_H
#define MPATH_SG_SESSION_H

#include <stdint.h>

/* The kernel's number of it; -1: there is none, or it is not iscsi_tcp's. */
int sg_session_of(const char *disk, unsigned int host);
/* As path_transport_type.session. */
uint64_t sg_session_number(int session);

#endif
