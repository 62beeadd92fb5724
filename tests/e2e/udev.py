#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths of our maps are nobody else's: what udev, multipath and LVM make of them."""

import os
import struct
import subprocess

from lib import case, mpath, system, topology
from lib.case import defer, expect, expect_equal
from lib.runner import Runner
from lib.system import run

MARK = "BELONGS_TO_TCMU_MPATH"
BLACKLIST = "/etc/multipath/conf.d/tcmu-mpath.conf"
NOTHING = {MARK: None, "UDISKS_IGNORE": None, "SYSTEMD_READY": None}
OURS = {MARK: "1", "UDISKS_IGNORE": "1", "SYSTEMD_READY": "0"}


def start(size_mib=64):
    system.start_udev()
    made = topology.LioLoopback(2, size_mib)
    defer(made.teardown)
    return made


def look_again(*devices):
    for device in devices:
        run("udevadm", "trigger", "--action=change", "--settle", device)


def properties(device):
    lines = run("udevadm", "info", "-q", "property", "-n", device).splitlines()
    return dict(line.split("=", 1) for line in lines)


def expect_marks(device, wanted, fs_type):
    known = properties(device)
    for name, value in {**wanted, "ID_FS_TYPE": fs_type}.items():
        expect_equal(known.get(name), value, f"{name} of {device}")


def make_partition(disk, start, sectors):
    """One of type "Linux LVM", in the table of DOS."""
    with open(disk, "r+b") as f:
        f.seek(446)
        f.write(struct.pack("<B3sB3sLL", 0, b"", 0x8e, b"", start, sectors) + bytes(48) + b"\x55\xaa")
    run("blockdev", "--rereadpt", disk)


def map_file(**keys):
    file = mpath.MAP_DIR + "/marked.map"
    with open(file, "w") as f:
        f.write("[multipath]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()))
    defer(lambda: os.path.exists(file) and os.unlink(file))
    return file


def test_by_map_file():
    """A WWID in a map file is enough: no handler runs, as at boot.  Partitions follow their disk."""
    made = start()
    disk = made.paths[0].dev
    make_partition(disk, 8192, 16384)
    system.wait_for(lambda: os.path.exists(disk + "1"), 10, "the partition")
    run("pvcreate", "-q", "-y", disk + "1")
    look_again(disk, disk + "1")
    expect_marks(disk, NOTHING, None)
    expect_marks(disk + "1", NOTHING, "LVM2_member")
    file = map_file(wwid=made.wwid, paths=";".join(path.dev for path in made.paths))
    look_again(disk, disk + "1", made.paths[1].dev)
    for device in (disk, made.paths[1].dev, disk + "1"):
        expect_marks(device, OURS, "mpath_member")
    with open(file) as f:
        lines = f.read().replace("=", " = ")
    with open(file, "w", newline="\r\n") as f:       # as an editor elsewhere writes it
        f.write(lines)
    look_again(disk)
    expect_marks(disk, OURS, "mpath_member")
    # The map is given up: the disk is like any other again.
    os.unlink(file)
    look_again(disk, disk + "1")
    expect_marks(disk + "1", NOTHING, "LVM2_member")


def test_by_memory():
    """A map of paths alone: its LUN is known from the first time it was seen."""
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = start()
    disk = made.paths[0].dev
    run("pvcreate", "-q", "-y", disk)
    look_again(disk)
    expect_marks(disk, NOTHING, "LVM2_member")
    with mpath.Map(made.paths, name="remembered", export=False) as m:
        m.wait_in_use()
        runner.stop()
        look_again(disk)
        expect_marks(disk, OURS, "mpath_member")
        # It is free now, as at boot: still LVM is not told of it.
        os.close(os.open(disk, os.O_RDONLY | os.O_EXCL))
        runner.start()
    look_again(disk)
    expect_marks(disk, NOTHING, "LVM2_member")


def test_others():
    """Another LUN, and one whose WWID only begins so, are nothing of ours."""
    made = start()
    map_file(wwid="3600140500000000000000000000000ff", paths=made.paths[0].dev)
    look_again(made.paths[0].dev)
    expect_marks(made.paths[0].dev, NOTHING, None)
    map_file(wwid=made.wwid[:-1], paths=made.paths[0].dev)
    look_again(made.paths[0].dev)
    expect_marks(made.paths[0].dev, NOTHING, None)
    for words in ([], [""], ["/nonsense"], ["/sys/class/block/loop0"], ["/sys", "/sys"]):
        done = subprocess.run(["/usr/lib/udev/tcmu-mpath-path", *words])
        expect_equal(done.returncode, 1, f"status of tcmu-mpath-path {words}")


def test_t10_name():
    """An array may have a T10 name as its best, where sysfs' wwid is another of its names."""
    system.start_udev()
    made = topology.ScsiDebug(1)
    defer(made.teardown)
    defer(run, "udevadm", "settle")
    disk = made.paths[0].dev
    expect(made.wwid.startswith("33333333"), f"sysfs' name is {made.wwid}")
    look_again(disk)
    expect_marks(disk, NOTHING, None)
    # Either will do: multipath takes the one, sysfs and by-id have the other.
    for name in "1Linux_scsi_debug_2000", made.wwid:
        file = map_file(wwid=name, paths=disk)
        look_again(disk)
        expect_marks(disk, OURS, "mpath_member")
        os.unlink(file)


def test_multipath():
    """multipath would make a map of the paths, were they not ours."""
    made = start()
    system.modprobe("dm_multipath")
    with open("/etc/multipath.conf", "w") as f:
        f.write("defaults {\n\tfind_multipaths no\n}\n")
    defer(os.unlink, "/etc/multipath.conf")
    look_again(*(path.dev for path in made.paths))
    expect(made.wwid in run("multipath", "-d", "-v2"), "multipath would take the paths")
    map_file(wwid=made.wwid, paths=made.paths[0].dev)
    look_again(*(path.dev for path in made.paths))
    expect(made.wwid not in run("multipath", "-d", "-v2", check=False), "multipath takes our paths")
    # That is our blacklist's doing.
    os.rename(BLACKLIST, BLACKLIST + ".away")
    defer(os.rename, BLACKLIST + ".away", BLACKLIST)
    expect(made.wwid in run("multipath", "-d", "-v2"), "multipath would not take them anyway")


if __name__ == "__main__":
    case.main()
