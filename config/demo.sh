#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shows what tcmu-mpath is for: a LUN over two paths is exported over iSCSI, and what runs on it does
# not notice when a path goes, nor when both go and come back.
#
#     config/demo.sh [-y]      builds the package and tells the story in a virtual machine:
#                              nothing on this machine is touched but for missing Debian packages
#     config/demo.sh --host    tells it on this machine, whose kernel must have LIO and TCMU and
#                              where tcmu-mpath is installed; with objects named mpathdemo only,
#                              which are gone afterwards.  tcmu-runner and iscsid are started, and stay
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$here")

# --- the virtual machine -------------------------------------------------------------------------

as_user() {
	# With sudo, what is built belongs to the user who typed it.
	if [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ]; then
		setpriv --reuid="$SUDO_UID" --regid="$SUDO_GID" --init-groups "$@"
	else
		"$@"
	fi
}

build_package() {
	if [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ]; then
		mkdir -p "$repo/build"
		chown -R "$SUDO_UID:$SUDO_GID" "$repo/build"
	fi
	cd "$repo"
	as_user cmake --preset release -DMPATH_TESTS=OFF
	as_user cmake --build --preset release -j "$(nproc)"
	cd build/release
	rm -f tcmu-mpath_*.deb
	as_user cpack -G DEB
}

demo_in_vm() {
	local log

	# shellcheck source=tests/lib/packages.sh
	. "$repo/tests/lib/packages.sh"
	need_packages "$yes" "$here/build-packages" "$repo/tests/vm/host-packages"

	echo "Building the package ..."
	log=$(mktemp)
	build_package >"$log" 2>&1 || { tail -50 "$log" && rm -f "$log" && exit 1; }
	rm -f "$log"
	echo "Starting a virtual machine with it ..."
	"$repo/tests/vm/run" -s 2 -t 600 "$here/demo.sh" --host
}

# --- the story -----------------------------------------------------------------------------------

name=mpathdemo
wwn_prefix=naa.500140500000dee # two targets that stand for the two ports of an array
iqn=iqn.2026-01.org.tcmu-mpath:$name
port=3269
lio=/sys/kernel/config/target
map_file=/etc/tcmu/mpath.d/$name.map
work=/run/$name
paths=()
disk=
fio_pid=
before_fio=0

chapter() {
	printf '\n\033[1m== %s\033[0m\n\n' "$*"
}

# Shows a command and runs it.
run() {
	printf '\033[36m# %s\033[0m\n' "$*"
	# targetcli's first run warns that it has no preferences yet.
	"$@" 2>&1 | sed -e '/Could not load preferences/d' -e 's/^/    /'
}

wait_until() {
	local tries=100

	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo "demo: waited in vain for: $*" >&2 && return 1; }
		sleep 0.1
	done
}

check_host() {
	local tool missing=()

	[ "$(id -u)" = 0 ] || { echo "demo: --host needs root" >&2 && exit 1; }
	for tool in targetcli tcmu-runner iscsiadm fio mkfs.ext4 mpathctl; do
		command -v $tool >/dev/null || missing+=("$tool")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		echo "demo: missing: ${missing[*]}" >&2
		echo "demo: apt install tcmu-runner targetcli-fb open-iscsi fio ./tcmu-mpath_*.deb" >&2
		exit 1
	fi
	modprobe -a target_core_user target_core_mod tcm_loop iscsi_target_mod iscsi_tcp sd_mod sg ||
		{ echo "demo: this kernel cannot do it; leave out --host to use a virtual machine" >&2; exit 1; }
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	if [ -e $map_file ] || [ -e $work ]; then
		echo "demo: $map_file or $work exists: is another demo running?" >&2
		exit 1
	fi
}

start_daemons() {
	if [ -d /run/systemd/system ]; then
		systemctl start tcmu-runner iscsid
	else
		mkdir -p /etc/target /run/lock
		# In a session of its own: Ctrl-C is for the demo, not for the daemon.
		pgrep -x tcmu-runner >/dev/null || setsid tcmu-runner --tcmu-log-dir /run >/dev/null &
		pgrep -x iscsid >/dev/null || iscsid
	fi
	wait_until mpathctl list || {
		echo "demo: tcmu-runner does not serve maps: systemctl restart tcmu-runner?" >&2
		exit 1
	}
}

# Stands for a disk array: one LUN (a RAM disk of LIO), two ports.  Prints nothing, sets paths.
make_array() {
	local core=$lio/core/rd_mcp_9990/$name side target address

	# Where targetcli wants LIO to keep its data; it cannot be set any more once there is a LUN.
	mkdir -p /etc/rtslib-fb-target
	{ echo /etc/rtslib-fb-target >$lio/dbroot; } 2>/dev/null || :
	mkdir -p "$core"
	echo rd_pages=32768 >"$core/control" # 128 MiB
	echo 1 >"$core/enable"
	cat /proc/sys/kernel/random/uuid >"$core/wwn/vpd_unit_serial"
	for side in a b; do
		target=$lio/loopback/$wwn_prefix$side/tpgt_1
		mkdir -p "$target"
		echo naa.500140500000ded$side >"$target/nexus"
		mkdir "$target/lun/lun_0"
		ln -s "$core" "$target/lun/lun_0/$name"
		address=$(cat "$target/address")
		wait_until test -d /sys/bus/scsi/devices/"$address":0/block
		paths+=("/dev/$(ls /sys/bus/scsi/devices/"$address":0/block)")
	done
}

# cable A|B offline|online
cable() {
	local side=a

	[ "$1" = A ] || side=b
	echo "$2" >"$lio/loopback/$wwn_prefix$side/tpgt_1/transport_status"
}

completed() {
	awk '{ print $1 + $5 }' "/sys/block/${disk#/dev/}/stat"
}

# What fio gets done in so many seconds.
watch_io() {
	local seconds=$1 before after

	before=$(completed)
	sleep "$seconds"
	after=$(completed)
	echo "I/O completed by the initiator in these $seconds seconds: $((after - before))"
}

status() {
	run mpathctl status $name
}

clean_up() {
	local status=$? side

	trap '' INT TERM
	set +e
	if [ $status != 0 ]; then
		echo
		echo "demo: stopped, status $status"
	fi
	chapter "Cleaning up"
	# First the paths, so that no command is held; then in reverse.
	cable A online 2>/dev/null
	cable B online 2>/dev/null
	[ -z "$fio_pid" ] || { kill "$fio_pid" && wait "$fio_pid"; } 2>/dev/null
	{
		mountpoint -q $work/mnt && umount $work/mnt
		iscsiadm -m node -T $iqn -u
		iscsiadm -m node -T $iqn -o delete
		iscsiadm -m discoverydb -t st -p 127.0.0.1:$port -o delete
		if [ -d $lio/iscsi/$iqn ]; then
			targetcli /iscsi delete $iqn
		fi
		for backstore in "$lio"/core/user_*/"$name"; do
			[ -d "$backstore" ] && targetcli /backstores/user:mpath delete $name
		done
		for side in a b; do
			target=$lio/loopback/$wwn_prefix$side
			[ -d "$target" ] || continue
			rm -f "$target/tpgt_1/lun/lun_0/$name"
			rmdir "$target/tpgt_1/lun/lun_0"
			echo NULL >"$target/tpgt_1/nexus"
			rmdir "$target/tpgt_1" "$target"
		done
		if [ -d $lio/core/rd_mcp_9990 ]; then
			rmdir $lio/core/rd_mcp_9990/$name $lio/core/rd_mcp_9990
		fi
	} >/dev/null 2>"$work/clean-up.log"
	rm -f $map_file /var/lib/tcmu-mpath/$name /var/lib/tcmu-mpath/.last-good/$name.map
	if compgen -G "$lio/core/*/$name" >/dev/null || [ -d "$lio/iscsi/$iqn" ]; then
		echo "Something is left:"
		cat "$work/clean-up.log"
		ls -d "$lio"/core/*/$name "$lio/iscsi/$iqn" 2>/dev/null
	else
		echo "Nothing of the demo is left."
	fi
	rm -rf $work
}

tell() {
	check_host
	trap clean_up EXIT
	trap 'exit 130' INT TERM
	mkdir -p $work/mnt
	start_daemons

	chapter "An array with one LUN and two ports: two SCSI disks that are the same"
	make_array
	for path in "${paths[@]}"; do
		echo "$path  $(cat "/sys/block/${path#/dev/}/device/wwid")"
	done

	chapter "A multipath map: its file, and a backstore that names it"
	cat >$map_file <<-END
		[multipath]
		paths=${paths[0]};${paths[1]}
		no_path_retry=queue
		# A lost write waits for so long, until its old copy cannot land on newer data any more.
		# Without this line: long enough for any array (man tcmu-mpath, FENCES).
		fence_time_ms=500
	END
	run cat $map_file
	run targetcli /backstores/user:mpath create name=$name size=0 cfgstring=$name
	# Commands may wait for a path for ever, so the kernel must not answer them after 30 s.
	run targetcli /backstores/user:mpath/$name set attribute cmd_time_out=0
	status

	chapter "Exported over iSCSI, as any backstore"
	run targetcli /iscsi create $iqn
	# Nobody but this machine may reach it.
	run targetcli /iscsi/$iqn/tpg1/portals delete 0.0.0.0 3260
	run targetcli /iscsi/$iqn/tpg1/portals create 127.0.0.1 $port
	run targetcli /iscsi/$iqn/tpg1/luns create /backstores/user:mpath/$name
	run targetcli /iscsi/$iqn/tpg1 set attribute authentication=0 generate_node_acls=1 demo_mode_write_protect=0

	chapter "An initiator logs in, makes a file system, and works on it (fio, verifying what it reads)"
	run iscsiadm -m discovery -t st -p 127.0.0.1:$port
	run iscsiadm -m node -T $iqn -l
	wait_until find_disk
	run mkfs.ext4 -q "$disk"
	run mount "$disk" $work/mnt
	before_fio=$(completed)
	fio --name=$name --directory=$work/mnt --size=8m --rw=randrw --bs=4k --direct=1 --iodepth=4 \
		--ioengine=libaio --verify=crc32c --verify_backlog=64 --time_based --runtime=1000 \
		>$work/fio.log 2>&1 &
	fio_pid=$!
	wait_until some_io
	watch_io 3

	chapter "Path A is cut"
	cable A offline
	watch_io 3
	status
	echo
	echo "It is repaired:"
	cable A online
	wait_until all_active
	status
	watch_io 2

	chapter "Both paths are cut: I/O is held, not failed"
	cable A offline
	cable B offline
	sleep 1
	watch_io 4
	status
	echo
	echo "One is back:"
	cable B online
	watch_io 3
	cable A online
	wait_until all_active
	status

	chapter "What the initiator saw"
	kill -INT $fio_pid
	wait $fio_pid || : # 128, as it was interrupted
	fio_pid=
	if ! grep -q "^$name: .* err= 0" $work/fio.log; then
		cat $work/fio.log
		exit 1
	fi
	echo "fio: no error, and every block it read was the one it had written."
	grep -E 'read: IOPS|write: IOPS' $work/fio.log || :
	run umount $work/mnt
	run fsck.ext4 -fn "$disk"
}

find_disk() {
	local session device

	for session in /sys/class/iscsi_session/session*; do
		[ "$(cat "$session/targetname")" = $iqn ] || continue
		for device in "$session"/device/target*/*/block/*; do
			[ -d "$device" ] && disk=/dev/${device##*/}
		done
	done
	[ -b "$disk" ]
}

some_io() {
	[ "$(completed)" -gt $((before_fio + 200)) ]
}

all_active() {
	[ "$(mpathctl status $name | grep -c ': active')" = 2 ]
}

for_your_own() {
	cat <<-'END'

		== For LUNs of your own

		With tcmu-mpath installed (build/release/tcmu-mpath_*.deb) and tcmu-runner restarted, as root:

		    cat >/etc/tcmu/mpath.d/mpatha.map <<EOF
		    [multipath]
		    paths=/dev/disk/by-path/FIRST;/dev/disk/by-path/SECOND
		    no_path_retry=queue
		    EOF
		    targetcli /backstores/user:mpath create name=lun0 size=0 cfgstring=mpatha
		    targetcli /backstores/user:mpath/lun0 set attribute cmd_time_out=0
		    mpathctl status mpatha

		or without a file, failing I/O when there is no path:

		    targetcli '/backstores/user:mpath create name=lun0 size=0 cfgstring=/dev/sdX;/dev/sdY'

		Then export it with targetcli as any other backstore.  README.md and "man tcmu-mpath" have more.
	END
}

# --- which of them -------------------------------------------------------------------------------

yes=
host=
for argument in "$@"; do
	case $argument in
	-y) yes=1 ;;
	--host) host=1 ;;
	*)
		echo "usage: config/demo.sh [-y] [--host]" >&2
		exit 2
		;;
	esac
done

if [ -z "$host" ]; then
	demo_in_vm
	exit
fi
tell
trap - INT TERM EXIT
clean_up
for_your_own
