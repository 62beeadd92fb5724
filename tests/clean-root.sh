#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs both commands from a clean clone on a clean Debian: makes a bookworm root directory, clones this
# repository into it, and runs config/demo.sh (a second time by the clock) and tests/run.sh there, as
# root and without a terminal.
# Takes about an hour and 5 GB.  As root.
#
#     tests/clean-root.sh [--keep] [DIR]      DIR: where the root is made; it must not exist
#
# MPATH_SUITE=unit runs that suite instead of all.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
demo_seconds=180
keep=
if [ "${1-}" = --keep ]; then
	keep=1
	shift
fi
root=${1:-$(mktemp -d -u /var/tmp/mpath-clean.XXXXXX)}
[ "$(id -u)" = 0 ] || { echo "clean-root: needs root" >&2 && exit 1; }
[ ! -e "$root" ] || { echo "clean-root: $root exists" >&2 && exit 1; }

clean_up() {
	local mount

	for mount in dev proc; do
		umount -R "$root/$mount" 2>/dev/null || :
	done
	if [ -n "$keep" ]; then
		echo "kept: $root"
	elif ! mountpoint -q "$root/dev"; then
		rm -rf --one-file-system "$root"
	fi
}
trap clean_up EXIT

# What a fresh installation has, and git, which brought the clone.
mmdebstrap --variant=minbase --include=ca-certificates,git,systemd-sysv \
	--aptopt='Apt::Install-Recommends "false"' \
	bookworm "$root" "${MPATH_MIRROR:-http://deb.debian.org/debian}"
rm -f "$root/usr/sbin/policy-rc.d"
git clone -q "$repo" "$root/root/tcmu-mpath"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"

in_root() {
	local begin=$SECONDS

	echo "== $*"
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb CI="${CI-}" \
		http_proxy="${http_proxy-}" https_proxy="${https_proxy-}" \
		MPATH_MIRROR="${MPATH_MIRROR-}" chroot "$root" \
		sh -c 'cd /root/tcmu-mpath && exec "$@"' sh "$@" </dev/null
	echo "== $*: $((SECONDS - begin)) s"
}

in_root config/demo.sh -y
begin=$SECONDS
in_root config/demo.sh -y
if [ $((SECONDS - begin)) -gt $demo_seconds ]; then
	echo "clean-root: the demo takes more than $demo_seconds s when everything is installed" >&2
	exit 1
fi
in_root tests/run.sh -y "${MPATH_SUITE:-all}"
services=$(find "$root/etc/systemd/system/multi-user.target.wants" -name '*.service' -printf '%f\n' |
	grep -E 'tcmu|target|iscsi|multipath|tgt' || :)
if [ -n "$services" ]; then
	echo "clean-root: these services were installed on the host: $services" >&2
	exit 1
fi
echo "clean-root: both commands work"
