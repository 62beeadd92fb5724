/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The binary interfaces that we declare ourselves are those of tcmu-runner and the kernel.
 *
 * Most of it is asserted when this is compiled: in mpath/tcmu_runner_abi.h, mpath/tcmu_ring_abi.h
 * and unit/lib/kernel_ring_abi.c.  Here our offsets meet the system's tcmu-runner.h; Debian has
 * none, so usually there is nothing to compare.
 */
#include <assert.h>
#include <stdio.h>

#include "mpath/tcmu_ring_abi.h"
#include "mpath/tcmu_runner_abi.h"
#include "unit/lib/runner_abi.h"

static const size_t ours[] = {RUNNER_ABI_FIELDS(RUNNER_ABI_OFFSET) RUNNER_ABI_SIZES};

int main(void)
{
	if (!runner_abi_nr_theirs) {
		printf("no tcmu-runner.h here: only the documented layout was checked\n");
		return 0;
	}
	assert(runner_abi_nr_theirs == sizeof(ours) / sizeof(ours[0]));
	for (size_t i = 0; i < runner_abi_nr_theirs; i++) {
		if (ours[i] != runner_abi_theirs[i])
			fprintf(stderr, "field %zu: %zu, theirs %zu\n", i, ours[i],
				runner_abi_theirs[i]);
		assert(ours[i] == runner_abi_theirs[i]);
	}
	return 0;
}
