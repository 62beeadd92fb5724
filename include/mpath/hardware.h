/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hardware table: what suits which array, by the vendor and product words of its standard
 * INQUIRY data.  It fills in what neither the map file nor mpath.conf says.  The runner reads it
 * from a file; the core looks into it when a map meets its LUN.
 */
#ifndef MPATH_HARDWARE_H
#define MPATH_HARDWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mpath/grouping.h"

struct hw_handler_type;
struct path_checker_type;

#define HARDWARE_NAME_MAX    32 /* bytes with NUL */
#define HARDWARE_PATTERN_MAX 64

/* Bits: what a rule says, and what a map leaves open. */
enum hardware_word {
	HARDWARE_HW_HANDLER = 1,
	HARDWARE_CHECKER = 2,
	HARDWARE_PRIO = 4,
	HARDWARE_GROUPING = 8,
	HARDWARE_FAILBACK = 16,
	HARDWARE_NO_PATH_RETRY = 32,
	HARDWARE_PG_INIT_RETRIES = 64,
	HARDWARE_PG_INIT_DELAY = 128,
};

struct hardware_rule {
	char name[HARDWARE_NAME_MAX];	   /* for people */
	char vendor[HARDWARE_PATTERN_MAX]; /* fnmatch(3)'s, for the word without its blanks */
	char product[HARDWARE_PATTERN_MAX];
	bool wants_tpgs; /* only arrays with target port groups */

	unsigned int says;			  /* HARDWARE_ bits: which of these count */
	const struct hw_handler_type *hw_handler; /* NULL: none */
	const struct path_checker_type *checker;  /* NULL: none */
	struct mpath_policy policy;
	uint32_t pg_init_retries; /* as a table's features */
	uint32_t pg_init_delay_msecs;
	bool queue_if_no_path;
	uint32_t no_path_retries; /* times the polling interval; 0: without limit */
};

/* One piece of memory: a copy is a memcpy. */
struct hardware_table {
	unsigned int nr_rules;
	struct hardware_rule rules[];
};

static inline size_t hardware_table_size(unsigned int nr_rules)
{
	return sizeof(struct hardware_table) + nr_rules * sizeof(struct hardware_rule);
}

/* The first rule for the array of @inquiry, standard INQUIRY data; NULL: there is none. */
const struct hardware_rule *hardware_find(const struct hardware_table *table,
					  const uint8_t *inquiry, size_t len);

#endif
