/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dm-multipath table: parameters as "dmsetup table" prints them, with or without what stands
 * before them (NAME:, START LENGTH multipath).  Parsing is pure: devices are only words here.
 *
 * A parsed table is one allocation tree, owned by the caller: mpath_table_free().
 */
#ifndef MPATH_TABLE_H
#define MPATH_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "mpath/strbuf.h"

struct path_selector_type;
struct hw_handler_type;

#define TABLE_GROUPS_MAX    1024	 /* priority groups in a table, and paths in a group */
#define TABLE_TEXT_MAX	    (256 * 1024) /* bytes */
#define TABLE_WORD_MAX	    4095	 /* bytes: the longest path name */
#define TABLE_WARNINGS_MAX  4
#define PG_INIT_RETRIES_MAX 50
#define PG_INIT_DELAY_MAX   60000 /* milliseconds */
#define TABLE_WARNING_SIZE  160

enum queue_mode { QUEUE_MODE_RQ, QUEUE_MODE_BIO };

struct table_path {
	char *address; /* "8:16" or an absolute path name */
	char **argv;   /* the selector's words for this path */
	int argc;
	/* for a reload: what the path name led to then, "8:16"; empty: nobody has looked */
	char device[16];
};

struct table_group {
	const struct path_selector_type *selector;
	char **selector_argv;
	int selector_argc;
	struct table_path *paths;
	unsigned int nr_paths;
};

struct mpath_table {
	bool has_length;     /* START LENGTH stood before the parameters; START was 0 */
	uint64_t nr_sectors; /* LENGTH, in 512-byte sectors */

	bool queue_if_no_path;
	bool retain_attached_hw_handler;
	unsigned int pg_init_retries; /* 0: not given */
	int pg_init_delay_msecs;      /* -1: not given */
	enum queue_mode queue_mode;

	const struct hw_handler_type *hw_handler; /* NULL: none */
	char **hw_argv;
	int hw_argc;
	bool find_hw_handler; /* none was named, but not because there shall be none */

	struct table_group *groups;
	unsigned int nr_groups;
	unsigned int initial_group; /* counts from 1, may exceed nr_groups; 0 without groups */

	/* For the log: what was accepted, but will not be done as the words say; each kind once. */
	char warnings[TABLE_WARNINGS_MAX][TABLE_WARNING_SIZE];
	unsigned int nr_warnings;

	char *text;   /* owned: the words that the pointers above point to */
	char **words; /* owned: the vector that the argvs above point into */
};

/*
 * Parse @text.  On success *table is the caller's.  On a mistake: -EINVAL (or -ENOMEM), *table is
 * NULL, and @error gets appended: dm's words, then which word and what was expected, for example:
 *   invalid number of feature args: word 1 is "9", expected a number from 0 to 8
 *   invalid number of paths: the table ends after word 6, expected a number from 1 to 1024
 * Words are counted from 1 over the parameters, without what stands before them.
 *
 * The grammar is Linux 6.1's (up to 8 feature args; the seed had 6).  Any white space separates
 * words, a backslash takes the next character as it is.  Selectors see their words here already,
 * so a table that parses can be created.
 */
int mpath_table_parse(const char *text, struct mpath_table **table, struct strbuf *error);
void mpath_table_free(struct mpath_table *table);

/*
 * Appends "WORD", and what was expected; returns -EINVAL.  The word is cut and escaped: the text
 * ends up in logs and in D-Bus strings, which must be UTF-8.
 */
__attribute__((format(printf, 3, 4))) int mpath_refuse_word(struct strbuf *error, const char *word,
							    const char *expected, ...);

/* Is @word a device, as a table takes it?  If not, what was expected is appended to @error. */
bool mpath_table_takes_device(const char *word, struct strbuf *error);

/*
 * The table for a list of paths without a table of their own.  @grouping is multipathd's word
 * ("failover": one group per path, "multibus": one group), @selector as in a table.  @hw_handler
 * are a table's words with their number in front ("1 alua"), "0" for none; NULL: the array's own is
 * found.
 */
int mpath_table_from_paths(const char *const *addresses, unsigned int nr_addresses,
			   const char *grouping, const char *selector, const char *hw_handler,
			   struct mpath_table **table, struct strbuf *error);

#endif
