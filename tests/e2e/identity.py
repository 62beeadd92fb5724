# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 900
"""A path is used only if it leads to our LUN, and only if nobody else uses it (measure 8).

Names like sda are given anew at each boot: a map that took them at their word would write to
somebody else's LUN.  And a disk that is mounted, or below LVM or dm-multipath, must not be written
to behind their back, nor they behind ours.
"""

import contextlib
import fcntl
import hashlib
import os
import struct

from lib import case, dm, fio, lio, scsi, system, topology
from lib.case import defer, expect, expect_equal, note
from lib.mpath import Map
from lib.named import Named, made, map_file
from lib.runner import Runner
from lib.system import modprobe, run, wait_for, write

SIZE_MIB = 16

# A path that cannot be had is looked at every second, one that is another LUN every five.
PICKED_UP_SECONDS = 2.5
LOOKED_AT_SECONDS = 7


def start():
    runner = Runner()
    defer(runner.end)
    return runner.start()


def checksum(path):
    """Of the whole LUN, past the page cache."""
    digest = hashlib.sha256()
    for lba in range(0, path.sectors, 128):
        answer = scsi.read16(path, lba, 128)
        expect(answer.good, f"reading {path}: {answer}")
        digest.update(answer.data)
    return digest.hexdigest()


def fill(path, word):
    data = (word.ljust(31) + "\n").encode() * 2048
    for lba in range(0, path.sectors, 128):
        expect(scsi.write10(path, lba, data).good, f"writing {path}")


def remove(path):
    name = path.sd
    write(path.device + "/delete", 1)
    wait_for(lambda: not os.path.exists(f"/sys/block/{name}"), 5, f"{name} gone")


def find_again(path, name):
    """Rescans; the kernel gives the lowest name that is free."""
    lio.scan_host(path.host)
    path.wait()
    expect_equal(path.sd, name, f"the new name of {path.hctl}")


def find_as(path, name):
    """Once the name is free: the kernel keeps it while somebody has the old device open."""
    lio.scan_host(path.host)
    path.wait()
    if path.sd == name:
        return True
    remove(path)
    return False


def two_luns():
    """Two paths to ours (sda, sdb), two to another (sdc, sdd), each filled with words of its own."""
    ours = made(topology.LioLoopback(2, SIZE_MIB, name="ours"))
    other = made(topology.LioLoopback(2, SIZE_MIB, name="other"))
    expect_equal([path.sd for path in ours.paths + other.paths], ["sda", "sdb", "sdc", "sdd"],
                 "names at the beginning")
    fill(ours.paths[0], "ours")
    fill(other.paths[0], "other")
    return ours, other


def write_is_refused(lun):
    answer = scsi.write10(lun, 0, b"\xee" * 4096)
    expect(not answer.good and answer.code, f"a write with no path: {answer}")
    note(f"a write gets {answer}")


def test_names_swapped_over_a_restart():
    """After a "reboot" the names mean other LUNs: first one of the two, then both."""
    runner = start()
    ours, other = two_luns()
    lun = made(Named(runner, "swap", "/dev/sda;/dev/sdb", export=True))
    expect_equal(lun.path.sd, "sde", "the name of our LUN")
    lun.wait_active("/dev/sda")
    lun.wait_active("/dev/sdb")
    (a, b), (c, d) = ours.paths, other.paths
    before = checksum(c)

    def reboot(order):
        expect_equal(runner.stop(), 0, "exit status")
        for path in (a, b, c, d):
            remove(path)
        for name, path in zip(("sda", "sdb", "sdc", "sdd"), order):
            find_again(path, name)
        lun.log_from = len(runner.log())
        runner.start()

    reboot((c, a, b, d))
    wrong = f"WWID is {c.wwid}, the map's is {a.wwid}"
    lun.wait_excluded("/dev/sda", wrong)
    lun.wait_active("/dev/sdb")
    result = fio.run(lun, 2, bs="512-64k", rate=4)
    expect(result.clean, f"{result!r} {result.stderr}")
    expect_equal(checksum(d), before, "the other LUN after fio on ours")
    # Its owner can have it: it is open for a look every 5 s only.
    with Named(runner, "owner", c.dev) as owner:
        owner.wait_active(c.dev, PICKED_UP_SECONDS)

    reboot((c, d, a, b))
    lun.wait_excluded("/dev/sda", wrong)
    lun.wait_excluded("/dev/sdb", wrong)
    ours_before = checksum(a)
    write_is_refused(lun)
    text = run("mpathctl", "status", "swap")
    expect(wrong in text, f"mpathctl status does not say it:\n{text}")
    lun.message("queue_if_no_path")
    with scsi.Pending(lun, bytes.fromhex("2a000000000000000800"), data_out=b"\xee" * 4096) as held:
        expect(held.wait(1.5) is None, "a write is answered, but there is no path")
        expect_equal(checksum(c), before, "the other LUN while a write is held")
        # The names mean our LUN again while the map waits: sda first, and the write goes there.
        for path in (c, d, a):
            remove(path)
        wait_for(lambda: find_as(a, "sda"), LOOKED_AT_SECONDS, "the name sda for our LUN")
        answer = held.wait(LOOKED_AT_SECONDS)
        expect(answer and answer.good, f"the write that was held: {answer}")
    lun.wait_active("/dev/sda")
    expect(checksum(a) != ours_before, "where did the write go?")
    wait_for(lambda: find_as(c, "sdb"), LOOKED_AT_SECONDS, "the name sdb")
    lun.wait_excluded("/dev/sdb", wrong)
    find_again(d, "sdc")
    expect_equal(checksum(c), before, "the other LUN at the end")


def test_name_changes_hands_in_service():
    """A path goes away under load, and another LUN gets its name while the map is in service."""
    runner = start()
    ours, other = two_luns()
    lun = made(Named(runner, "hands", "/dev/sda;/dev/sdb", export=True))
    lun.wait_active("/dev/sda")
    lun.wait_active("/dev/sdb")
    remove(other.paths[1])
    before = checksum(other.paths[0])
    load = fio.Fio(lun, 4, bs="512-64k", rate=4)
    defer(load.kill)
    load.wait_load()
    # The name is free when the map has let go of the device.
    write(ours.paths[0].device + "/delete", 1)
    wait_for(lambda: not os.path.exists("/dev/sda"), 5, "sda gone")
    wait_for(lambda: find_as(other.paths[1], "sda"), 5, "the name sda")
    lun.wait_excluded("/dev/sda", f"WWID is {other.paths[0].wwid}, the map's is")
    result = load.finish()
    expect(result.clean, f"{result!r} {result.stderr}")
    expect_equal(checksum(other.paths[0]), before, "the other LUN")
    find_again(ours.paths[0], "sdd")


def test_other_wwid_is_pinned():
    """The kept WWID counts even if no path of the old LUN is left; forget_wwid gives it up."""
    runner = start()
    ours, other = two_luns()
    with Named(runner, "pin", "/dev/sda") as lun:
        lun.wait_active("/dev/sda")
    # The backstore is made anew under its name, but sda is another LUN by now.
    for path in ours.paths + other.paths:
        remove(path)
    for name, path in zip(("sda", "sdb", "sdc", "sdd"), other.paths + ours.paths):
        find_again(path, name)
    lun = made(Named(runner, "pin", "/dev/sda"))
    lun.wait_excluded("/dev/sda", "WWID is")
    lun.message("forget_wwid")
    lun.wait_active("/dev/sda")


# --- somebody else holds the disk ---

@contextlib.contextmanager
def dm_multipath(path):
    """What multipathd makes: a map with a UUID that says so."""
    system.modprobe("dm_multipath", "dm_round_robin")
    dm.dmsetup("create", "mpathx", "--uuid", "mpath-" + path.wwid, "--table",
               dm.multipath_table([path], path.sectors))
    try:
        yield "it is a path of dm-multipath's mpathx (dm-"
    finally:
        dm.dmsetup("remove", "--retry", "mpathx")


@contextlib.contextmanager
def multipathd(path):
    """The daemon itself; it takes every disk that it finds."""
    with open("/etc/multipath.conf", "w") as f:
        f.write("defaults {\n find_multipaths no\n user_friendly_names yes\n}\n")
    # It passes over what our udev rule has marked, and this disk has been a path of the map before.
    os.unlink("/var/lib/tcmu-mpath/hold")
    wait_for(lambda: system.is_free(path.dev), 5, f"{path.dev} is nobody's")
    run("udevadm", "trigger", "--settle", path.dev)
    run("multipathd")
    try:
        wait_for(lambda: os.path.exists("/dev/mapper/mpatha"), 20, "multipathd's map")
        yield "it is a path of dm-multipath's mpatha (dm-"
    finally:
        run("multipathd", "shutdown", check=False)
        wait_for(lambda: not daemon_runs("multipathd"), 10, "multipathd gone")
        # It may have let go by itself: our udev rule has told it by now whose disk that is.
        dm.dmsetup("remove", "--retry", "mpatha", check=False)
        wait_for(lambda: "mpatha" not in dm.dmsetup("ls"), 5, "multipathd's map gone")
        # Had it the time to remember the LUN as its own, multipath's udev rules would claim it.
        with contextlib.suppress(FileNotFoundError):
            os.unlink("/etc/multipath/wwids")


def daemon_runs(name):
    return any(system.read(f"/proc/{pid}/comm", "") == name
               for pid in os.listdir("/proc") if pid.isdigit())


@contextlib.contextmanager
def lvm(path):
    """A physical volume of an active volume group."""
    run("pvcreate", "-ff", "-y", path.dev)
    run("vgcreate", "vg", path.dev)
    run("lvcreate", "-y", "-Wn", "-L", "4m", "-n", "lv", "vg")
    try:
        yield "LVM uses it for vg-lv (dm-"
    finally:
        run("vgchange", "-an", "vg")


@contextlib.contextmanager
def other_dm(path):
    with dm.Device("stranger", f"0 {path.sectors} linear {path.dev} 0"):
        yield "device-mapper uses it for stranger (dm-"


@contextlib.contextmanager
def mounted(path, what=None):
    device = what or path.dev
    run("mkfs.ext4", "-q", "-F", "-b", "1024", device)
    os.makedirs("/run/mnt", exist_ok=True)
    run("mount", device, "/run/mnt")
    try:
        yield f"{os.path.basename(device)} is mounted at /run/mnt"
    finally:
        run("umount", "/run/mnt")


def read_partitions(path):
    BLKRRPART = 0x125f

    fd = os.open(path.dev, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, BLKRRPART)
    finally:
        os.close(fd)


@contextlib.contextmanager
def mounted_partition(path):
    table = bytearray(4096)     # over LVM's label, too
    struct.pack_into("<B3xB3xII", table, 446, 0, 0x83, 2048, path.sectors - 2048)
    table[510:512] = b"\x55\xaa"
    expect(scsi.write10(path, 0, bytes(table)).good, "the partition table")
    run("blockdev", "--flushbufs", path.dev)
    read_partitions(path)
    wait_for(lambda: os.path.exists(path.dev + "1"), 5, "the partition")
    with mounted(path, path.dev + "1") as text:
        yield text


@contextlib.contextmanager
def swap(path):
    run("mkswap", "-f", path.dev)
    run("swapon", path.dev)
    try:
        yield f"{path.sd} is swap space"
    finally:
        run("swapoff", path.dev)


@contextlib.contextmanager
def lio_backstore(path):
    with lio.Iblock("stranger", path.dev):
        yield "another process, or LIO itself, holds it"


# The last two leave something on the disk, which udev would give to LVM again on multipathd's map.
HOLDERS = (dm_multipath, other_dm, mounted, swap, lio_backstore, multipathd, lvm, mounted_partition)


def test_holders():
    """A disk that somebody else uses is not used; the reason names him; when he lets go, it is."""
    runner = start()
    system.start_udev()         # for LVM and multipathd
    path = made(topology.LioLoopback(1, 64)).paths[0]
    for holder in HOLDERS:
        with contextlib.ExitStack() as stack:
            with holder(path) as text:
                lun = stack.enter_context(Named(runner, "hold", path.dev))
                lun.wait_excluded(path.dev, f"{path.sd} is in use: {text}")
                note(f"{holder.__name__}: {lun.state(path.dev)}")
            lun.wait_active(path.dev, PICKED_UP_SECONDS)


def test_two_maps_one_path():
    runner = start()
    path = made(topology.LioLoopback(1, SIZE_MIB)).paths[0]
    second = made(Named(runner, "second", "/dev/nothing-yet"))
    with Named(runner, "first", path.dev) as first:
        first.wait_active(path.dev)
        os.symlink(path.dev, "/dev/nothing-yet")
        defer(os.unlink, "/dev/nothing-yet")
        second.wait_excluded("/dev/nothing-yet",
                             f"{path.sd} is in use: it is a path of our map first")
        expect_equal(first.state(path.dev), "active", "the first map's path")
    second.wait_active("/dev/nothing-yet", PICKED_UP_SECONDS)


def refused(*command):
    """That the command fails because the device is busy."""
    try:
        run(*command, env=dm.ENVIRONMENT)
    except RuntimeError as e:
        expect("busy" in str(e) or "exclusively" in str(e), f"{command[0]} fails, but why: {e}")
        return
    expect(False, f"{' '.join(command)} succeeds on a path of ours")


def test_ours_is_ours():
    """Nobody mounts a path of ours, or puts device-mapper, swap or another LIO backstore on it."""
    runner = start()
    path = made(topology.LioLoopback(1, SIZE_MIB)).paths[0]
    system.modprobe("dm_multipath", "dm_round_robin")
    os.makedirs("/run/mnt", exist_ok=True)
    run("mkfs.ext4", "-q", "-F", path.dev)
    lun = made(Named(runner, "ours", path.dev))
    lun.wait_active(path.dev)
    refused("mount", path.dev, "/run/mnt")
    refused("dmsetup", "create", "stranger", "--table", f"0 {path.sectors} linear {path.dev} 0")
    refused("dmsetup", "create", "stranger", "--table", dm.multipath_table([path], path.sectors))
    refused("pvcreate", "-ff", "-y", path.dev)
    try:
        lio.Iblock("stranger", path.dev).delete()
    except OSError:
        pass
    else:
        expect(False, "LIO takes a path of ours as backstore")
    expect_equal(lun.state(path.dev), "active", "our path after all this")


# --- our own LUN ---

OWN_LUN = "a LUN that tcmu-mpath itself exports"


def test_own_lun_over_loopback():
    """Neither the map itself nor another takes the LUN that we export for a path."""
    runner = start()
    path = made(topology.LioLoopback(1, SIZE_MIB)).paths[0]
    expect_equal(path.sd, "sda", "the path")
    itself = made(Named(runner, "itself", "/dev/sda;/dev/sdb"))
    itself.wait_active("/dev/sda")
    itself.export()
    expect_equal(itself.path.sd, "sdb", "our LUN")
    itself.wait_excluded("/dev/sdb", OWN_LUN)
    with Named(runner, "other", "/dev/sdb") as other:
        other.wait_excluded("/dev/sdb", OWN_LUN)
    result = fio.run(itself, 1, bs="512-64k", rate=4)
    expect(result.clean, f"{result!r} {result.stderr}")
    expect_equal(itself.state("/dev/sda"), "active", "the real path")


def test_own_lun_over_iscsi():
    runner = start()
    path = made(topology.LioLoopback(1, SIZE_MIB)).paths[0]
    lun = made(Named(runner, "lun", f"{path.dev};/dev/sdb"))
    lun.wait_active(path.dev)
    with lio.IscsiTarget(lun.backstore) as target, lio.IscsiLogin(target) as login:
        expect_equal(login.paths[0].dev, "/dev/sdb", "the name of the LUN that was logged in")
        lun.wait_excluded("/dev/sdb", OWN_LUN)
        with Named(runner, "second", "/dev/sdb") as second:
            second.wait_excluded("/dev/sdb", OWN_LUN)
        expect(scsi.usable(login.paths[0]), "our LUN is not usable")


# --- whose identity initiators see (D16) ---

def designators(device):
    """Those of VPD page 83h, whole."""
    page = scsi.inquiry(device, 0x83, 1024).data
    at, end, found = 4, 4 + struct.unpack(">H", page[2:4])[0], []
    while at < end:
        found.append(page[at:at + 4 + page[at + 3]])
        at += 4 + page[at + 3]
    return found


def test_the_arrays_identity():
    """identity=array: the serial number and the names of the array's LUN, and never a path of ours."""
    runner = start()
    path = made(topology.LioLoopback(1, SIZE_MIB)).paths[0]
    map_file("same", f"paths={path.dev}", "identity=array")
    lun = made(Named(runner, "same", "same"))
    lun.wait_active(path.dev)
    lun.export()
    expect("identity=array: initiators see the array's WWID" in lun.log(), "no warning in the log")
    expect_equal(lun.path.wwid, path.wwid, "the WWID")
    expect_equal(scsi.inquiry(lun.path, 0x80).data, scsi.inquiry(path, 0x80).data, "serial number")
    of_the_lun = [d for d in designators(path) if d[1] & 0x30 == 0]
    expect_equal(designators(lun.path), of_the_lun, "the designators")
    expect(len(of_the_lun) < len(designators(path)), "the array names no port")
    with Named(runner, "other", lun.path.dev) as other:
        other.wait_excluded(lun.path.dev, OWN_LUN)
    result = fio.run(lun, 1, bs="512-64k", rate=4)
    expect(result.clean, f"{result!r} {result.stderr}")


def ports_that_differ():
    """Two ways to one store, of which one has no COMPARE AND WRITE, as with controllers of other firmware."""
    modprobe("brd")
    ways = []
    for name, has_it in ("full", 1), ("less", 0):
        # LIO wants a device for itself.
        device = dm.Device(name, f"0 {SIZE_MIB * 2048} linear /dev/ram0 0")
        defer(device.remove)
        store = lio.Iblock(name, device.dev, serial="two-ports", attributes={"emulate_caw": has_it})
        defer(store.delete)
        target = lio.LoopTarget(store)
        defer(target.delete)
        ways.append(target.path)
    return ways


def longest_compare_and_write(path):
    """In blocks, by VPD page B0h."""
    return scsi.inquiry(path, 0xb0).data[5]


def offered_by_map(paths):
    with Map(paths) as lun:
        lun.wait_in_use()
        return longest_compare_and_write(lun.path)


def test_limits_of_all_ports():
    """What goes through one port only is not offered, whichever comes first."""
    start()
    full, less = ports_that_differ()
    expect_equal([longest_compare_and_write(path) for path in (full, less)], [1, 0], "the ports' own")
    expect_equal(offered_by_map([full]), 1, "offered with one path")
    expect_equal(offered_by_map([full, less]), 0, "offered with both")
    expect_equal(offered_by_map([less, full]), 0, "offered with both, the other way round")


def test_nothing_left():
    expect_equal(lio.leftovers(), [], "left in configfs")
    expect_equal(case.devices(), [], "disks left")


if __name__ == "__main__":
    case.main()
