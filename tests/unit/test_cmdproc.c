/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcmu-runner cancels cmdproc when a LUN is removed, also while its first command is handed out:
 * not while files are open for that.
 */
#include <assert.h>
#include <pthread.h>

#include "runner/cmdproc.c"

static unsigned int nr_locked;

static bool may_be_cancelled(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_setcancelstate(state, NULL);
	return state == PTHREAD_CANCEL_ENABLE;
}

/* The true one reads a file: each call for that is a cancellation point. */
void lock_memory(void)
{
	assert(!may_be_cancelled());
	nr_locked++;
}

int main(void)
{
	struct cmdproc cmdproc;

	cmdproc_init(&cmdproc, -1, "uio0");
	cmdproc_hands_out(&cmdproc);
	assert(may_be_cancelled());
	cmdproc_hands_out(&cmdproc);
	assert(nr_locked == 1 && atomic_load(&cmdproc.handed_out) == 2);
	assert(atomic_load(&cmdproc.tid) == (int)gettid());
	return 0;
}
