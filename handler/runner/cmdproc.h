/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread of tcmu-runner's that reads a LUN's ring and calls handle_cmd(), seen from outside.
 */
#ifndef MPATH_CMDPROC_H
#define MPATH_CMDPROC_H

#include <stdatomic.h>
#include <stdbool.h>

struct cmdproc {
	int uio_fd;
	char comm[16];			  /* "cmdproc-uio0" */
	atomic_int tid;			  /* 0: not known yet */
	bool begun;			  /* that thread has handed out a command */
	_Atomic unsigned long handed_out; /* commands, by that thread */
	unsigned long delivered;	  /* of these, letters that arrived; the owner thread's */
};

void cmdproc_init(struct cmdproc *cmdproc, int uio_fd, const char *uio_name);
/* On that thread itself, before a command is posted. */
void cmdproc_hands_out(struct cmdproc *cmdproc);
/* Owner thread: has libtcmu passed everything that the kernel has told it about? */
bool cmdproc_is_idle(struct cmdproc *cmdproc);

#endif
