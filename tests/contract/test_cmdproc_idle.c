/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When is libtcmu known to be idle?  Only when all that proves it is seen at once: cmdproc sleeps
 * in ppoll(), has taken the kernel's last event, and all that it has handed out has arrived.  What
 * cannot be looked at is no proof.  The uio device is a socket here, cmdproc a thread of ours.
 */
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runner/cmdproc.h"

/* The true one is tcmu-runner's business, too. */
void lock_memory(void);
void lock_memory(void)
{
}

enum work {
	WORK_WALK,  /* over the ring */
	WORK_SLEEP, /* elsewhere than in ppoll() */
	WORK_POLL,  /* for the kernel's next event */
	WORK_END,
};

static int uio_fd, kernel_fd; /* the two ends */
static _Atomic enum work wanted, reached;
static atomic_bool takes_events;
static int wake_fds[2];

static void take_events(void)
{
	uint32_t event;

	while (recv(uio_fd, &event, sizeof(event), MSG_DONTWAIT) > 0)
		;
}

/* Like tcmu-runner's, but that it also wakes up when the test wants something else. */
static void poll_uio(void)
{
	struct pollfd fds[2] = {{.fd = wake_fds[0], .events = POLLIN}, {.fd = uio_fd}};
	char byte;

	fds[1].events = takes_events ? POLLIN : 0;
	ppoll(fds, 2, NULL, NULL);
	if (fds[0].revents)
		assert(read(wake_fds[0], &byte, 1) == 1);
	if (fds[1].revents)
		take_events();
}

static void *run(void *arg)
{
	struct pollfd wake = {.fd = wake_fds[0], .events = POLLIN};
	struct cmdproc *cmdproc = arg;
	enum work work;
	char byte;

	prctl(PR_SET_NAME, "cmdproc-uio7");
	if (cmdproc)
		cmdproc_hands_out(cmdproc);
	for (;;) {
		work = wanted;
		reached = work;
		switch (work) {
		case WORK_WALK:
			sched_yield();
			break;
		case WORK_SLEEP:
			assert(poll(&wake, 1, -1) == 1);
			assert(read(wake_fds[0], &byte, 1) == 1);
			break;
		case WORK_POLL:
			poll_uio();
			break;
		case WORK_END:
			return NULL;
		}
	}
}

static void want(enum work work)
{
	enum work before = wanted;

	wanted = work;
	if (before == WORK_SLEEP || before == WORK_POLL)
		assert(write(wake_fds[1], "", 1) == 1);
	while (reached != work)
		sched_yield();
}

/* The kernel was asked to raise what it has not told yet, by a kick. */
static unsigned int nr_kicks(void)
{
	unsigned int nr = 0;
	uint32_t kick;

	while (recv(kernel_fd, &kick, sizeof(kick), MSG_DONTWAIT) == sizeof(kick))
		nr++;
	return nr;
}

/* A thread takes a moment to fall asleep. */
static bool becomes_idle(struct cmdproc *cmdproc)
{
	for (unsigned int ms = 0; ms < 5000; ms++) {
		const struct timespec one_ms = {.tv_nsec = 1000000};

		if (cmdproc_is_idle(cmdproc))
			return true;
		nr_kicks();
		nanosleep(&one_ms, NULL);
	}
	return false;
}

static void expect_busy(struct cmdproc *cmdproc)
{
	for (unsigned int i = 0; i < 200; i++) {
		const struct timespec a_moment = {.tv_nsec = 100000};

		assert(!cmdproc_is_idle(cmdproc));
		nr_kicks();
		nanosleep(&a_moment, NULL);
	}
}

static void raise_event(void)
{
	const uint32_t event = 1;

	assert(send(kernel_fd, &event, sizeof(event), 0) == sizeof(event));
}

static pthread_t start(struct cmdproc *cmdproc, bool hands_out)
{
	pthread_t thread;

	cmdproc_init(cmdproc, uio_fd, "uio7");
	wanted = WORK_POLL;
	reached = WORK_END;
	takes_events = true;
	assert(!pthread_create(&thread, NULL, run, hands_out ? cmdproc : NULL));
	while (reached != WORK_POLL)
		sched_yield();
	return thread;
}

static void end(pthread_t thread)
{
	if (wanted != WORK_END)
		want(WORK_END);
	pthread_join(thread, NULL);
}

/* It walks, or sleeps where it would not see the kernel's next event. */
static void test_at_work(void)
{
	struct cmdproc cmdproc;
	pthread_t thread = start(&cmdproc, false);

	assert(becomes_idle(&cmdproc));
	want(WORK_SLEEP);
	expect_busy(&cmdproc);
	want(WORK_WALK);
	expect_busy(&cmdproc);
	want(WORK_POLL);
	assert(becomes_idle(&cmdproc));
	end(thread);
}

/* The kernel has raised an event, and the thread has not heard of it yet. */
static void test_event(void)
{
	struct cmdproc cmdproc;
	pthread_t thread = start(&cmdproc, false);

	takes_events = false;
	want(WORK_SLEEP);
	want(WORK_POLL);
	assert(becomes_idle(&cmdproc));
	raise_event();
	expect_busy(&cmdproc);
	takes_events = true;
	want(WORK_SLEEP);
	want(WORK_POLL);
	assert(becomes_idle(&cmdproc));
	end(thread);
}

/* Its letter is on its way: what stands before that command may be libtcmu's still. */
static void test_letter_on_its_way(void)
{
	struct cmdproc cmdproc;
	pthread_t thread = start(&cmdproc, true);

	expect_busy(&cmdproc);
	cmdproc.delivered++;
	assert(becomes_idle(&cmdproc));
	end(thread);
}

/* The kernel is asked first; if that fails, or nothing can be opened, nobody knows. */
static void test_nothing_can_be_seen(void)
{
	struct cmdproc cmdproc;
	pthread_t thread = start(&cmdproc, false);
	struct rlimit limit, none;
	int fd = cmdproc.uio_fd;

	assert(becomes_idle(&cmdproc));
	nr_kicks();
	assert(cmdproc_is_idle(&cmdproc) && nr_kicks() == 1);
	assert(!getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	assert(!setrlimit(RLIMIT_NOFILE, &none));
	expect_busy(&cmdproc);
	assert(!setrlimit(RLIMIT_NOFILE, &limit));
	cmdproc.uio_fd = -1;
	expect_busy(&cmdproc);
	cmdproc.uio_fd = fd;
	assert(becomes_idle(&cmdproc));
	end(thread);
}

/* The LUN was removed, and its thread's number is another's, which sleeps in the same way. */
static void test_number_of_another(void)
{
	struct cmdproc cmdproc;
	pthread_t thread = start(&cmdproc, true);

	cmdproc.delivered++;
	assert(becomes_idle(&cmdproc));
	pthread_setname_np(thread, "somebody-else");
	expect_busy(&cmdproc);
	end(thread);
	expect_busy(&cmdproc);
}

int main(void)
{
	int ends[2];

	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	uio_fd = ends[0];
	kernel_fd = ends[1];
	assert(!pipe(wake_fds));
	test_at_work();
	test_event();
	test_letter_on_its_way();
	test_nothing_can_be_seen();
	test_number_of_another();
	return 0;
}
