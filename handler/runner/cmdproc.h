/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that tcmu-runner has for each LUN, "cmdproc", is kept from the ring: we read it.
 */
#ifndef MPATH_CMDPROC_H
#define MPATH_CMDPROC_H

/*
 * Before that thread is started: returns another descriptor of the uio device that @fd is, and
 * makes @fd one from which nothing ever comes.  Or -errno, and @fd is as before.
 */
int cmdproc_take_uio(int fd);
/* The thread has ended: @fd is the uio device again, and @uio_fd is closed. */
void cmdproc_give_uio(int fd, int uio_fd);

#endif
