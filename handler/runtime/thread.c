/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting our threads.  They live inside tcmu-runner, whose own threads must get the signals: its
 * ring thread ends for good when a signal interrupts its poll (hazards.md H15).
 */
#include "runtime/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

#define STACK_USED (64 * 1024)

struct thread_entry {
	char name[16];
	void *(*run)(void *arg);
	void *arg;
};

void thread_does_io(void)
{
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

/* More than any of our threads needs: pages that are there are locked (runner/lock_memory.c). */
static void touch_stack(void)
{
	volatile char pages[STACK_USED];

	for (size_t i = 0; i < sizeof(pages); i += 4096)
		pages[i] = 0;
}

static void *thread_run(void *data)
{
	struct thread_entry entry = *(struct thread_entry *)data;

	free(data);
	pthread_setname_np(pthread_self(), entry.name);
	thread_does_io();
	touch_stack();
	return entry.run(entry.arg);
}

/* Everything but what a crash raises: that must still kill us at once, with its core. */
static void signals_to_block(sigset_t *set)
{
	sigfillset(set);
	sigdelset(set, SIGSEGV);
	sigdelset(set, SIGBUS);
	sigdelset(set, SIGFPE);
	sigdelset(set, SIGILL);
	sigdelset(set, SIGABRT);
}

int thread_start(const char *name, void *(*run)(void *arg), void *arg)
{
	struct thread_entry *entry = calloc(1, sizeof(*entry));
	sigset_t block, old;
	pthread_t thread;
	int err;

	if (!entry)
		return -ENOMEM;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->run = run;
	entry->arg = arg;

	/* A thread inherits the mask, so there is no moment in which it could get a signal. */
	signals_to_block(&block);
	pthread_sigmask(SIG_SETMASK, &block, &old);
	err = pthread_create(&thread, NULL, thread_run, entry);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		free(entry);
		return -err;
	}
	pthread_detach(thread);
	return 0;
}
