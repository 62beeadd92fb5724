/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our threads: named, detached, deaf to signals, and not made to wait for memory that only their
 * own work can free (hazards.md H14, H15).
 */
#ifndef MPATH_THREAD_H
#define MPATH_THREAD_H

/* @name has at most 15 characters.  0 or -errno. */
int thread_start(const char *name, void *(*run)(void *arg), void *arg);

/*
 * The calling thread takes part in I/O: memory reclaim must not wait for I/O that this thread has
 * to do.  Done for our own; without CAP_SYS_RESOURCE (tests) it fails and nothing is lost.
 */
void thread_does_io(void);

#endif
