/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path selectors: which path of a priority group takes the next command.
 *
 * The interface is dm-multipath's, plus clock and CPU as arguments: a selector has no hidden
 * input, so the same calls always give the same choices.  All callbacks run on the map's owner
 * thread.  Only create and add_path may allocate; nothing may block or read a clock.
 * A selector is one file in handler/selectors/ and one line in core/registry.c.
 */
#ifndef MPATH_PATH_SELECTOR_H
#define MPATH_PATH_SELECTOR_H

#include "mpath/path.h"
#include "mpath/strbuf.h"

enum status_type { STATUS_INFO, STATUS_TABLE };

/* What a selector may know of the command to come. */
struct select_hint {
	uint64_t now_ns;
	size_t nr_bytes;
	int cpu; /* on which the command reached us, -1 if unknown */
};

struct path_selector {
	const struct path_selector_type *type; /* set before create */
	void *context; /* owned by the selector, from create to destroy; not NULL */
};

struct path_selector_type {
	const char *name;	 /* the word in the table */
	unsigned int table_args; /* words per path in the table line */
	unsigned int info_args;	 /* words per path in the INFO line */
	bool only_in_table;	 /* its paths need words that a list of paths cannot give */

	/* Set up one group's selector from its words.  0 or -errno with *error set to text. */
	int (*create)(struct path_selector *ps, int argc, const char *const *argv,
		      const char **error);
	/* Free what create and add_path took; paths may still be linked. */
	void (*destroy)(struct path_selector *ps);

	/*
	 * A new path, active, with its words from the table.  -errno with *error set, or 0; then
	 * *error may be set to a warning, for example that a word is not used as given.
	 */
	int (*add_path)(struct path_selector *ps, struct path *path, int argc,
			const char *const *argv, const char **error);
	/* The path must not be chosen any more.  Never called for a path that has failed. */
	void (*fail_path)(struct path_selector *ps, struct path *path);
	/* The path may be chosen again.  Never called for a path that has not failed. */
	void (*reinstate_path)(struct path_selector *ps, struct path *path);

	/* The path for the next command, or NULL if the group has none left. */
	struct path *(*select_path)(struct path_selector *ps, const struct select_hint *hint);

	/* Optional, in pairs: a command starts on, and has left, a path (dm: start_io, end_io). */
	void (*start_io)(struct path_selector *ps, struct path *path, size_t nr_bytes,
			 uint64_t now_ns);
	void (*end_io)(struct path_selector *ps, struct path *path, size_t nr_bytes,
		       uint64_t start_ns, uint64_t now_ns);

	/*
	 * Append words, each followed by a space: with @path NULL the group's own, count first
	 * (dm prints "0 " for most); else the path's info_args or table_args words.
	 */
	void (*status)(struct path_selector *ps, struct path *path, enum status_type type,
		       struct strbuf *out);
};

#endif
