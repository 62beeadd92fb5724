/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcmu-runner's cmdproc does not come to the ring, whatever the kernel tells; when its LUN is
 * removed it can be cancelled, and then the descriptor is what it was.  The uio device is a socket
 * here.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runner/cmdproc.h"

static int uio[2]; /* tcmu-runner's end and the kernel's */
static atomic_bool has_begun, has_come_to_the_ring;

/* As libtcmu does it before it looks into the ring. */
static void *cmdproc(void *arg)
{
	uint32_t event;

	(void)arg;
	atomic_store(&has_begun, true);
	while (read(uio[0], &event, sizeof(event)) < 0 && errno == EINTR)
		;
	atomic_store(&has_come_to_the_ring, true);
	return NULL;
}

static bool is_readable(int fd, int ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, ms) == 1;
}

static void test_kept_from_the_ring(void)
{
	const uint32_t event = 1;
	pthread_t thread;
	void *ended;
	int fd = cmdproc_take_uio(uio[0]);

	assert(fd >= 0 && fd != uio[0] && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	assert(!pthread_create(&thread, NULL, cmdproc, NULL));
	while (!atomic_load(&has_begun))
		usleep(1000);
	assert(write(uio[1], &event, sizeof(event)) == sizeof(event));
	assert(is_readable(fd, 10000) && !is_readable(uio[0], 50));
	assert(!atomic_load(&has_come_to_the_ring));
	assert(write(fd, &event, sizeof(event)) == sizeof(event));
	assert(is_readable(uio[1], 10000));

	pthread_cancel(thread);
	assert(!pthread_join(thread, &ended) && ended == PTHREAD_CANCELED);
	cmdproc_give_uio(uio[0], fd);
	assert(is_readable(uio[0], 10000) && fcntl(uio[0], F_GETFD) == FD_CLOEXEC);
	assert(fcntl(fd, F_GETFD) < 0);
}

/* No descriptors are left: it says so, and tcmu-runner's is as it was. */
static void test_no_descriptors(void)
{
	struct rlimit limit, none;

	assert(!getrlimit(RLIMIT_NOFILE, &limit));
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
	assert(!setrlimit(RLIMIT_NOFILE, &none));
	assert(cmdproc_take_uio(uio[0]) == -EMFILE);
	assert(!setrlimit(RLIMIT_NOFILE, &limit));
	assert(is_readable(uio[0], 0)); /* what was told before */
}

int main(void)
{
	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, uio));
	test_kept_from_the_ring();
	test_no_descriptors();
	return 0;
}
