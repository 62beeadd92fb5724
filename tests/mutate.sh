#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Would the tests notice?  Makes small mistakes in the core, the ring and the SCSI code, one at a
# time, and runs the suites unit and sim on each.
#
#   tests/mutate.sh [SEED [N [FILE...]]]
#
# SEED (1) and N (40) choose the mistakes: the same ones in lines that are the same.  FILE limits them
# to files, as handler/core/end_io.c.  Works on a copy; the work tree is left alone.  Lists what
# survived, as FILE:LINE and the change, and closes with the score.
exec "$(dirname "$0")/tools/mutate" "$@"
