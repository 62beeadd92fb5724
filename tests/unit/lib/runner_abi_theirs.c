/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcmu-runner's structs as its own header declares them.  A file of its own, because both headers
 * use the same names.
 */
#ifdef HAVE_TCMU_RUNNER_H /* CMake has looked */
#include <tcmu-runner.h>
#endif

#include "unit/lib/runner_abi.h"

#ifdef HAVE_TCMU_RUNNER_H
const size_t runner_abi_theirs[] = {RUNNER_ABI_FIELDS(RUNNER_ABI_OFFSET) RUNNER_ABI_SIZES};
const size_t runner_abi_nr_theirs = sizeof(runner_abi_theirs) / sizeof(runner_abi_theirs[0]);
#else
const size_t runner_abi_theirs[] = {0};
const size_t runner_abi_nr_theirs = 0;
#endif
