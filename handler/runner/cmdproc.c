// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Is libtcmu idle?  The proof behind "passed" in ring.c (hazards.md H9).
 *
 * The kernel writes an entry, moves the head and raises the uio event, under the device's
 * cmdr_lock.  The cmdproc thread loops: read() the uio fd, which takes the event; walk the ring up
 * to the head; sleep in ppoll() until there is an event.
 *
 * We look, in this order (the caller has taken the head before):
 *  1. write() to the uio fd.  The kernel takes cmdr_lock for it, so whoever moved the head before
 *     has raised its event by now (one that raises it later is ring.c's matter: age).
 *  2. The uio fd is not readable.  So that event was taken by a read() that is over.
 *  3. The thread sleeps in ppoll().  After that read() it has walked to a head that is at least
 *     ours, for it does so before each ppoll().
 *  4. All that it handed out has arrived here.  So what stands unpassed was not handed out.
 * The other way round, asleep first, it could wake up in between and be in the midst of its walk.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner/cmdproc.h"
#include "runner/lock_memory.h"
#include "runtime/thread.h"

void cmdproc_init(struct cmdproc *cmdproc, int uio_fd, const char *uio_name)
{
	cmdproc->uio_fd = uio_fd;
	cmdproc->delivered = 0;
	cmdproc->begun = false;
	atomic_init(&cmdproc->tid, 0);
	atomic_init(&cmdproc->handed_out, 0);
	/* Cut as the kernel cuts it. */
	snprintf(cmdproc->comm, sizeof(cmdproc->comm), "cmdproc-%s", uio_name);
}

/* Removal cancels this thread: not while it has a file open. */
static __attribute__((noinline)) void begin(struct cmdproc *cmdproc)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	cmdproc->begun = true;
	thread_does_io();
	lock_memory();
	atomic_store_explicit(&cmdproc->tid, (int)gettid(), memory_order_relaxed);
	pthread_setcancelstate(state, NULL);
}

void cmdproc_hands_out(struct cmdproc *cmdproc)
{
	if (!cmdproc->begun)
		begin(cmdproc);
	atomic_fetch_add_explicit(&cmdproc->handed_out, 1, memory_order_release);
}

/* One line of /proc/self/task/TID/FILE. */
static bool read_task_file(int tid, const char *file, char *text, size_t size)
{
	char name[64];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/self/task/%d/%s", tid, file);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static bool has_comm(const struct cmdproc *cmdproc, int tid)
{
	char comm[32];

	return read_task_file(tid, "comm", comm, sizeof(comm)) && !strcmp(comm, cmdproc->comm);
}

static int find_thread(const struct cmdproc *cmdproc)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int found = 0;

	if (!dir)
		return 0;
	while (!found && (entry = readdir(dir))) {
		int tid = atoi(entry->d_name);

		if (tid > 0 && has_comm(cmdproc, tid))
			found = tid;
	}
	closedir(dir);
	return found;
}

/* Asked each time, as a thread that has ended leaves its number to others. */
static int thread_id(struct cmdproc *cmdproc)
{
	int tid = atomic_load_explicit(&cmdproc->tid, memory_order_relaxed);

	return tid && has_comm(cmdproc, tid) ? tid : find_thread(cmdproc);
}

/* "running", or the number of the system call that the thread sleeps in, and its arguments. */
static bool sleeps_in_ppoll(int tid)
{
	char text[256];
	char *end;

	if (!read_task_file(tid, "syscall", text, sizeof(text)))
		return false;
	return strtol(text, &end, 10) == SYS_ppoll && end != text && *end == ' ';
}

static bool is_readable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, 0) != 0;
}

bool cmdproc_is_idle(struct cmdproc *cmdproc)
{
	const uint32_t nothing = 0;
	int tid = thread_id(cmdproc);

	if (!tid || write(cmdproc->uio_fd, &nothing, sizeof(nothing)) != sizeof(nothing) ||
	    is_readable(cmdproc->uio_fd) || !sleeps_in_ppoll(tid))
		return false;
	return atomic_load_explicit(&cmdproc->handed_out, memory_order_acquire) ==
	       cmdproc->delivered;
}
