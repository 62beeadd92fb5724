#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs the tests.  README.md beside this file tells what the suites are.
#
#     tests/run.sh                    everything
#     tests/run.sh unit table         the unit tests with "table" in their name
#     tests/run.sh --long e2e         end to end, with the big counts
#
# This script installs what is missing, as root; cases.py builds and runs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/packages.sh
. "$here/lib/packages.sh"

usage() {
	cat <<-EOF
		usage: tests/run.sh [-y] [--long] [--list] [unit|sim|contract|e2e|bench|all] [PATTERN]

		PATTERN is a part of a case's name, suite/name.
		  -y      install missing Debian packages without asking
		  --long  the big counts instead of CI's
		  --list  only name the cases
	EOF
}

yes=
suite=
pattern=
options=()
while [ $# -gt 0 ]; do
	case $1 in
	-y) yes=1 ;;
	--long | --list) options+=("$1") ;;
	-h | --help) usage && exit 0 ;;
	-*) usage >&2 && exit 2 ;;
	unit | sim | contract | e2e | bench | all)
		if [ -z "$suite" ]; then suite=$1; else pattern=$1; fi
		;;
	*)
		if [ -n "$pattern" ]; then usage >&2 && exit 2; fi
		pattern=$1
		;;
	esac
	shift
done
suite=${suite:-all}

lists=("$here/../config/build-packages" "$here/host-packages")
case $suite in
contract | e2e | bench | all) lists+=("$here/vm/host-packages") ;;
esac
case $suite:${options[*]} in
bench:*--long*) lists+=("$here/bench/host-packages") ;;
esac
need_packages "$yes" "${lists[@]}"

exec python3 -B "$here/cases.py" "${options[@]}" "$suite" "$pattern"
