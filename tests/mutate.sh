#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Would the tests notice?  Makes small mistakes in the core, the ring, the SCSI code and the plug-ins,
# and runs the suites unit and sim on each.
#
#   tests/mutate.sh [SEED [N [FILE|FILE:LINE...]]]
#
# SEED (1) and N (40) choose the mistakes: the same ones in lines that are the same.  FILE limits them
# to files, as handler/core/end_io.c; of FILE:LINE each one is made.  Works on copies, build/mutate*;
# the work tree is left alone.  Lists what survived, as FILE:LINE and the change, and closes with the
# score.  MUTATE_JOBS=N: so many at a time (all CPUs); MUTATE_QUICK=1: without what is slow.
exec "$(dirname "$0")/tools/mutate" "$@"
