/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tcmu-runner and libtcmu tell a handler of its device, played.
 */
#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

#include "mpath/tcmu_runner_abi.h"

/* "uio0", with blocks of FAKE_BLOCK_SIZE. */
struct tcmu_device {
	void *private;
	int fd;
	char cfgstring[64];
	void *shared; /* the mailbox and what belongs to it: the test's */
	size_t shared_len;
	_Atomic uint64_t num_lbas;
};

#endif
