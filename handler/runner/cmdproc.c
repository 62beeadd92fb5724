// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whoever reads a ring must be the only one: a response overlays the request in its slot, and
 * libtcmu would take sense bytes for the address of a CDB (hazards.md H9).  It would also step over
 * opcodes that it does not know, and over task management, without a word to us; and a thread more
 * would be woken for each command.
 *
 * cmdproc begins with a read() of the uio descriptor, which libtcmu has opened not to block, then
 * looks into the ring, and waits for the descriptor to be ready.  So it is given the end of a pipe
 * to which nobody ever writes: there it waits for good, at a place where it can be cancelled, and
 * would so if it polled first.  The ring stays mapped, and libtcmu needs the descriptor for nothing
 * else until it closes it.
 */
#include "runner/cmdproc.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int silent_fd = -1; /* one for all LUNs; its other end stays open, too */

static void open_silent(void)
{
	int ends[2];

	if (!pipe2(ends, O_CLOEXEC))
		silent_fd = ends[0];
}

/* tcmu-runner's main thread opens its devices, one after another. */
int cmdproc_take_uio(int fd)
{
	int uio_fd;

	if (silent_fd < 0)
		open_silent();
	if (silent_fd < 0)
		return -errno;
	uio_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (uio_fd < 0)
		return -errno;
	if (dup3(silent_fd, fd, O_CLOEXEC) < 0) {
		int err = -errno;

		close(uio_fd);
		return err;
	}
	return uio_fd;
}

void cmdproc_give_uio(int fd, int uio_fd)
{
	dup3(uio_fd, fd, O_CLOEXEC);
	close(uio_fd);
}
