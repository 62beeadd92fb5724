/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The errors of its disks that a map knows of, and until when its writes may land, kept for the
 * process after this one (DESIGN D9 Restart): see struct mpath_error_tally.  They change with each
 * error, and must be known at once, whatever becomes of the disk that the rest is kept on.  So they
 * are in memory that outlives the process: one file per map below /run/tcmu-mpath, mapped.
 */
#ifndef MPATH_TALLY_H
#define MPATH_TALLY_H

#include <stdbool.h>

#include "mpath/memory.h"

#define TALLY_BOOT_MAX 80

/* One page: each map has its own, in memory, whether it is idle or not. */
struct tally_file {
	struct mpath_error_tally told;
	uint64_t magic;		   /* of this version; else nothing of it is believed */
	char boot[TALLY_BOOT_MAX]; /* likewise: the start of the machine that the clock is of */
};
_Static_assert(sizeof(struct tally_file) <= 4096, "it is one page");

struct tally {
	char *path;
	struct tally_file *mapped; /* NULL: it cannot be kept, or is not open */
};

/* The directory; tests set their own (kept, not copied). */
void tally_set_dir(const char *dir);

/*
 * Setup only, blocks.  @name is a file name, @boot a word for this start of the machine.  What is
 * mapped is what a former process has left, until tally_tell(); without one all is empty.  0 or
 * -errno: then none is kept, and what a next process finds is what it must fear most.
 */
int tally_open(struct tally *tally, const char *name, const char *boot);
/* Has a former process of this start of the machine left one, be it that it cannot be mapped? */
bool tally_is_left(const struct tally *tally);
/*
 * Owner thread; no system call.  Killed at any moment, no disk has more errors than @now says, none
 * that was told and is now is missing, and no end is another than it was or is.
 */
void tally_tell(struct tally *tally, const struct mpath_error_tally *now);
/* The map has ended in order, and fears nothing: nobody needs it any more. */
void tally_forget(struct tally *tally);
/* One that is not open is fine. */
void tally_close(struct tally *tally);

#endif
