/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables that the stories begin with: QUEUE or FAIL, then the groups.
 */
#ifndef SIM_TABLES_H
#define SIM_TABLES_H

#define FAIL  "0 "
#define QUEUE "1 queue_if_no_path "

#define ONE_PATH	"0 1 1 round-robin 0 1 1 8:0 1"
#define TWO_PATHS	"0 1 1 round-robin 0 2 1 8:0 1 8:16 1"
#define TWO_GROUPS	"0 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1"
#define TWO_PATHS_ALUA	"1 alua 1 1 round-robin 0 2 1 8:0 1 8:16 1"
#define TWO_GROUPS_ALUA "1 alua 2 1 round-robin 0 1 1 8:0 1 round-robin 0 1 1 8:16 1"
#define TWO_BY_TWO_ALUA "1 alua 2 1 round-robin 0 2 1 8:0 1 8:16 1 round-robin 0 2 1 8:32 1 8:48 1"
/* two paths to each of two controllers */
#define TWO_BY_TWO "0 2 1 round-robin 0 2 1 8:0 1 8:16 1 round-robin 0 2 1 8:32 1 8:48 1"
#define SIXTEEN_PATHS                                                                              \
	"0 1 1 round-robin 0 16 1 8:0 1 8:16 1 8:32 1 8:48 1 8:64 1 8:80 1 8:96 1 8:112 1 "        \
	"8:128 1 8:144 1 8:160 1 8:176 1 8:192 1 8:208 1 8:224 1 8:240 1"

#endif
