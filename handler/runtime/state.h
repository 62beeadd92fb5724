/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of a map over restarts (DESIGN D8, D15): the pinned WWID, size and identity pages of
 * its LUN, and what messages have set.  One file per map under /var/lib/tcmu-mpath.  Blocks:
 * workers and setup only.
 */
#ifndef MPATH_STATE_H
#define MPATH_STATE_H

#include "runtime/state_text.h"

/* The directory; tests set their own (kept, not copied). */
void state_set_dir(const char *dir);

/*
 * 0 with *kept set; -ENOENT: nothing is kept; -EINVAL: the file is damaged; other -errno: it could
 * not be read, and nobody knows what stands in it.  In words in @error.
 */
int state_load(const char *name, struct kept *kept, struct strbuf *error);
/* Either the old or the new file survives a crash, never half of one.  0 or -errno. */
int state_save(const char *name, const struct kept *kept);

#endif
