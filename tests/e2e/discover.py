# SPDX-License-Identifier: GPL-2.0-or-later
"""A map that is given by its WWID: its paths are found, as they come, go, and have other names.

Maps that dm-multipath had become such maps.
"""

import glob
import os
import subprocess

from lib import case, dm, fio, lio, topology
from lib.case import defer, expect, expect_equal
from lib.mpath import MAP_DIR, STATE_DIR, map_call
from lib.runner import Runner
from lib.system import modprobe, run, settle_udev, start_udev, wait_for, write

NAME = "found"


def path_states():
    """{"8:0": "A" or "F"}; by its name for a path that was never open."""
    words = map_call(NAME, "Status", "s", "info").split()
    return {name: word for name, word in zip(words, words[1:])
            if word in "AF" and (":" in name or "/" in name)}


def wait_paths(*paths):
    """These and no others, and all in use."""
    wait_for(lambda: path_states() == {path.devno: "A" for path in paths}, 15,
             f"the paths {paths} in use")


def forget():
    for file in f"{STATE_DIR}/{NAME}", f"{MAP_DIR}/{NAME}.map":
        if os.path.exists(file):
            os.unlink(file)


def other_lun_called(name):
    """A new LUN takes the first name that is free: the deleted disk's once nobody, as udevd, has it open."""
    other = topology.LioLoopback(1, 16, name="other")
    if other.paths[0].sd == name:
        return other
    other.teardown()
    return None


def come_back_elsewhere(path, *others):
    """Delete a path's disk; another LUN takes its name, and the disk comes back under another."""
    name = path.sd
    write(path.device + "/delete", 1)
    wait_paths(*others)
    defer(wait_for(lambda: other_lun_called(name), 20, f"another LUN called {name}").teardown)
    wait_paths(*others)
    lio.scan_host(path.host)
    path.wait()
    expect(path.sd != name, f"{name} has its name again")


def come_and_go():
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = topology.LioLoopback(3)
    defer(made.teardown)
    first, second, third = made.paths
    write(third.device + "/delete", 1)
    wait_for(lambda: not third.sd, 10, "the third path gone")

    defer(forget)
    with open(f"{MAP_DIR}/{NAME}.map", "w") as f:
        f.write(f"[multipath]\nwwid={made.wwid}\nfence_time_ms=300\n")
    backstore = lio.UserBackstore(NAME, NAME)
    defer(backstore.delete)
    wait_paths(first, second)
    target = lio.LoopTarget(backstore)
    defer(target.delete)
    load = fio.Fio(target.path.dev, 12, rate=8)
    defer(load.kill)
    load.wait_load()

    come_back_elsewhere(first, second)
    wait_paths(first, second)
    lio.scan_host(third.host)
    third.wait()
    wait_paths(first, second, third)
    result = load.finish()
    expect(result.clean, f"fio: {result}")


def test_paths_come_and_go():
    """Two are found, one is found again under another name, a third comes: fio notices nothing."""
    come_and_go()


def test_waits_for_its_paths():
    """Without any path there is a map already; the first that comes makes it a LUN."""
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = topology.LioLoopback(1)
    defer(made.teardown)
    path, = made.paths
    wwid = made.wwid
    write(path.device + "/delete", 1)
    wait_for(lambda: not path.sd, 10, "the path gone")
    defer(forget)
    backstore = lio.UserBackstore(NAME, "wwid=" + wwid)
    defer(backstore.delete)
    expect_equal(path_states(), {}, "paths")
    lio.scan_host(path.host)
    path.wait()
    wait_paths(path)


def test_two_names():
    """A LUN is asked for by its locally assigned name, as sysfs and by-id have it, or by the T10 name of multipath."""
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = topology.ScsiDebug(2)
    defer(made.teardown)
    expect(made.wwid.startswith("333333330"), f"sysfs' name is {made.wwid}")
    for name in made.wwid, "1Linux_scsi_debug_2000":
        backstore = lio.UserBackstore(NAME, "wwid=" + name)
        defer(forget)
        try:
            wait_paths(*made.paths)
        finally:
            backstore.delete()


def test_import():
    """What dm-multipath had is imported once it has it no more, and the map finds the paths."""
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = topology.LioLoopback(2)
    defer(made.teardown)
    defer(forget)
    modprobe("dm_multipath", "dm_round_robin")
    table = dm.multipath_table(made.paths, made.paths[0].sectors, grouping="multibus")
    dm.dmsetup("create", NAME, "--uuid", "mpath-" + made.wwid, "--table", table)
    printed = f"/run/{NAME}.table"
    with open(printed, "w") as f:
        f.write(f"{NAME}: {dm.dmsetup('table', NAME)}")
    refused = subprocess.run(["mpathctl", "import", printed], capture_output=True, text=True)
    dm.dmsetup("remove", "--retry", NAME)
    expect_equal(refused.returncode, 1, "status of the import of an active map")
    expect("device-mapper still has it" in refused.stderr, refused.stderr)

    file = f"{MAP_DIR}/{NAME}.map"
    expect_equal(run("mpathctl", "import", printed), file + "\n", "imported")
    backstore = lio.UserBackstore(NAME, NAME)
    defer(backstore.delete)
    wait_paths(*made.paths)
    # The hardware handler is the array's, as with multipathd.
    table = map_call(NAME, "Status", "s", "table")
    expect(table.startswith("1 queue_if_no_path 1 alua 1 1 round-robin 0 2 1 "), table)


# --- with udevd, as on every machine: it hears of a disk first, and gives it its names; from here on ---

def test_with_udevd():
    start_udev()
    defer(settle_udev)
    come_and_go()


def test_by_names_of_udev():
    """Paths by their names below by-path: used when they come, failed when they go, used again."""
    start_udev()
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = topology.Iscsi(2)
    defer(made.teardown)
    settle_udev()
    names = [next(name for name in glob.glob("/dev/disk/by-path/ip-*")
                  if os.path.realpath(name) == path.dev) for path in made.paths]
    first, second = made.paths
    write(second.device + "/delete", 1)
    wait_for(lambda: not os.path.exists(names[1]), 10, f"{names[1]} gone")
    defer(forget)
    with open(f"{MAP_DIR}/{NAME}.map", "w") as f:
        f.write(f"[multipath]\npaths={';'.join(names)}\nfence_time_ms=300\n")
    backstore = lio.UserBackstore(NAME, NAME)
    defer(backstore.delete)
    wait_for(lambda: path_states() == {first.devno: "A", names[1]: "F"}, 15, "one path")
    lio.scan_host(second.host)
    second.wait()
    wait_paths(first, second)
    devno = first.devno
    write(first.device + "/delete", 1)
    wait_for(lambda: path_states() == {devno: "F", second.devno: "A"}, 15, "the first path failed")
    lio.scan_host(first.host)
    first.wait()
    wait_paths(first, second)


if __name__ == "__main__":
    case.main()
