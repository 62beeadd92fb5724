/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of a map over restarts, and its text.  Pure but for the memory that GLib takes.
 */
#ifndef MPATH_STATE_TEXT_H
#define MPATH_STATE_TEXT_H

#include "mpath/lun.h"
#include "mpath/memory.h"
#include "mpath/strbuf.h"

#define KEPT_BACKSTORE_MAX 80
#define KEPT_TEXT_MAX	   65536

struct kept {
	struct lun_facts lun; /* known: false if there is none */
	/*
	 * memory is of the backstore of this name, made anew for each backstore and each start of
	 * the machine, which is the first word; printable ASCII.
	 */
	char backstore[KEPT_BACKSTORE_MAX];
	struct mpath_memory memory;
};

/* The caller frees it with g_free(). */
char *state_to_text(const struct kept *kept);
/* @text has @len bytes and a NUL.  0, or -EINVAL with the reason in @error. */
int state_from_text(const char *text, size_t len, struct kept *kept, struct strbuf *error);

#endif
