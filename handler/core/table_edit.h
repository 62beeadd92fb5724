/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New tables out of old ones.  They take memory: not on the I/O path.
 */
#ifndef MPATH_TABLE_EDIT_H
#define MPATH_TABLE_EDIT_H

#include "mpath/hw_handler.h"
#include "mpath/path_selector.h"
#include "mpath/table.h"

/* On success *copy is the caller's; -ENOMEM or -EINVAL with words in @error. */
int mpath_table_copy(const struct mpath_table *table, struct mpath_table **copy,
		     struct strbuf *error);

/* Features and hardware handler are @head's, the groups @groups'.  As mpath_table_copy(). */
int mpath_table_with_groups(const struct mpath_table *head, const struct mpath_table *groups,
			    struct mpath_table **table, struct strbuf *error);

/*
 * The same paths in other groups: @assignment has a group number, from 1, for each path in table
 * order; 0 leaves the path out.  A number that nobody has is left out, too.  A group has the
 * selector that its first path had.  @new_path (or NULL) is added to the end of @new_group; then
 * the table must have a group already.
 */
int mpath_table_regroup(const struct mpath_table *table, const unsigned int *assignment,
			char *new_path, unsigned int new_group, struct mpath_table **result,
			struct strbuf *error);

/* The word and a space; a backslash takes the next character as it is, as the parser does. */
void mpath_table_print_word(const char *word, struct strbuf *out);

/* The hardware handler's words, count first: "2 alua 1 ", or "0 ". */
void mpath_table_print_hw_handler(const struct mpath_table *table, struct strbuf *out);

#endif
