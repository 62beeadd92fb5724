/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VPD page C9h of the arrays of the rdac hardware handler: does the controller behind this port own
 * the LUN, and if not, what becomes of commands that come to it all the same?
 */
#ifndef MPATH_RDAC_PAGE_H
#define MPATH_RDAC_PAGE_H

#define RDAC_OWNER_PAGE	   0xc9
#define RDAC_OWNER_ASK_LEN 48
#define RDAC_OWNER_AT	   8
#define RDAC_OWNER_AVT	   0x80 /* the LUN moves by itself with the commands */
#define RDAC_OWNER_IOSHIP  0x20 /* they are sent on to its owner */
#define RDAC_OWNER_OURS	   0x01
#define RDAC_OWNER_TPG	   0x10 /* the next ones tell the states of the controllers' port groups */
#define RDAC_STATE_AT	   10 /* enum alua_state, in the low bits: of the controller that was asked */
#define RDAC_STATE_ALT_AT  12 /* and of the other one */

#endif
