/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An initiator on the same host may have to write pages before there is memory again, and we are
 * the ones to write them (hazards.md H14): what a command needs must not have been paged out.
 */
#ifndef MPATH_LOCK_MEMORY_H
#define MPATH_LOCK_MEMORY_H

/* Once, at the start.  Without the privilege it says so and goes on. */
void lock_memory_begin(void);

/*
 * What is there now stays: to be called when memory was taken for something that I/O will need. Any
 * thread; takes about a millisecond.
 */
void lock_memory(void);

#endif
