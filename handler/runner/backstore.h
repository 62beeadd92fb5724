/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backstore in configfs: what targetcli shows and sets as attributes of user:mpath/NAME.
 *
 * While a backstore is removed the kernel holds its configfs directory and waits for our close().
 * Whoever of us looked up a name in that directory then would wait for ever (tcmu-runner.md 7).
 * So the files are looked up once, in open(), and later opened anew through /proc/self/fd, which
 * takes no directory's lock; after the removal has begun that gives an error.
 */
#ifndef MPATH_BACKSTORE_H
#define MPATH_BACKSTORE_H

#include "mpath/core.h"

enum backstore_file {
	BACKSTORE_CMD_TIME_OUT,
	BACKSTORE_BLOCK_SIZE,
	BACKSTORE_SIZE,
	BACKSTORE_TMR_NOTIFICATION,
	BACKSTORE_SERIAL,
	BACKSTORE_CONTROL,
	NR_BACKSTORE_FILES,
};

struct backstore {
	char name[128];
	char instance[80]; /* another one when it is created anew, or the machine started */
	int fds[NR_BACKSTORE_FILES]; /* O_PATH, or -1 */
};

/* 0 or -errno with words in @error.  @uio_name is "uio0". */
int backstore_open(struct backstore *backstore, const char *uio_name, struct strbuf *error);
void backstore_close(struct backstore *backstore);

/* Any thread.  False: they cannot be read now. */
bool backstore_read(const struct backstore *backstore, struct mpath_backstore *attributes);
/* 0 or -errno. */
int backstore_set_size(const struct backstore *backstore, uint64_t size);
/* The kernel shall tell about task management; old kernels cannot.  0 or -errno. */
int backstore_want_tmr(const struct backstore *backstore);

/* Does a backstore with this cfgstring exist in the kernel? */
bool backstore_exists(const char *cfgstring);

#endif
