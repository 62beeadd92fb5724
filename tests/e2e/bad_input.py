# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 900
"""Wrong devices, wrong words: excluded or refused with a reason, and nothing is left (measure 9).

What cannot be a path does not keep the others from working: it is excluded, and log and status say
why.  What cannot be a configuration is refused before anything exists, in words that reach the
administrator at targetcli's prompt.
"""

import glob
import os
import struct
import subprocess

from lib import case, dm, lio, scsi, system, topology
from lib.case import defer, expect, expect_equal, note
from lib.named import Named, made, map_file
from lib.runner import Runner
from lib.system import CONFIGFS, run, wait_for, write

PICKED_UP_SECONDS = 2.5


def start():
    runner = Runner()
    defer(runner.end)
    return runner.start()


# --- devices ---

def test_not_there_yet():
    """Neither path exists when the backstore is made; each is picked up when it comes."""
    runner = start()
    lun = made(Named(runner, "later", "/dev/sda;/dev/sdb"))
    lun.wait_excluded("/dev/sda", "/dev/sda: no such device")
    lun.wait_excluded("/dev/sdb", "/dev/sdb: no such device")
    expect("its LUN was never seen" in lun.status(), lun.status())
    expect_equal(lun.backstore.get("dev_size"), "0", "the size of a LUN that nobody has seen")

    target = lio.LoopTarget(lun.backstore, wait=0)
    path = target.path
    wait_for(lambda: path.sg, 5, "an sg node of the LUN that was never seen")
    answer = scsi.inquiry(path)
    expect_equal(answer.data[0] >> 5, 1, "peripheral qualifier")
    expect_equal(scsi.test_unit_ready(path).code, (0x02, 0x04, 0x00), "TEST UNIT READY")
    expect_equal(scsi.read10(path, 0, 1).code, (0x02, 0x04, 0x00), "READ")
    target.delete()

    made(topology.LioLoopback(2, 16))
    lun.wait_active("/dev/sda", PICKED_UP_SECONDS)
    lun.wait_active("/dev/sdb", PICKED_UP_SECONDS)
    wait_for(lambda: lun.backstore.get("dev_size") == str(16 << 20), 2, "the backstore's size")
    expect(scsi.usable(lun.export()), "our LUN is not usable")


def test_not_a_path():
    """All that is no SCSI disk stands beside one that is; that one works."""
    runner = start()
    disk = made(topology.LioLoopback(1, 16)).paths[0]
    plain = made(topology.LioLoopback(1, 16, name="plain")).paths[0]
    dm_device = dm.Device("plain", f"0 {plain.sectors} linear {plain.dev} 0")
    defer(dm_device.remove)
    system.modprobe("loop")
    with open("/run/file", "wb") as f:
        f.truncate(1 << 20)
    loop = run("losetup", "--find", "--show", "/run/file").strip()
    defer(run, "losetup", "-d", loop)

    words = {"/dev/null": "/dev/null is not a disk",
             "/run/file": "/run/file is not a disk",
             "/run": "/run is not a disk",
             loop: f"{os.path.basename(loop)} is not a SCSI device",
             "/dev/mapper/plain": "is not a SCSI device",
             "/dev/nowhere": "/dev/nowhere: no such device",
             "/dev/vda": "vda is not a SCSI device"}
    lun = made(Named(runner, "odd", ";".join([*words, disk.dev])))
    lun.wait_active(disk.dev)
    for word, text in words.items():
        lun.wait_excluded(word, text)
    note("\n     ".join(lun.status().splitlines()))
    expect(scsi.usable(lun.export()), "our LUN is not usable")
    info = lun.status("info")
    expect_equal((info.count("8:0 A 0 "), info.count(" F 0 ")), (1, len(words)), f"A and F in {info}")


def test_not_a_disk():
    """An enclosure, by its sg node."""
    runner = start()
    system.modprobe("sg")
    run("modprobe", "scsi_debug", "ptype=13", "add_host=1")
    defer(run, "rmmod", "scsi_debug")
    node = "/dev/" + wait_for(lambda: os.listdir("/sys/class/scsi_generic"), 10, "an sg node")[0]
    wait_for(lambda: os.path.exists(node), 5, node)
    lun = made(Named(runner, "enclosure", node))
    lun.wait_excluded(node, f"{os.path.basename(node)} is not a disk")


def test_partition():
    runner = start()
    path = made(topology.LioLoopback(1, 16)).paths[0]
    table = bytearray(512)
    struct.pack_into("<B3xB3xII", table, 446, 0, 0x83, 2048, path.sectors - 2048)
    table[510:] = b"\x55\xaa"
    expect(scsi.write10(path, 0, bytes(table)).good, "the partition table")
    write(path.device + "/delete", 1)
    lio.scan_host(path.host)
    path.wait()
    wait_for(lambda: os.path.exists(path.dev + "1"), 5, "the partition")
    lun = made(Named(runner, "part", path.dev + "1"))
    lun.wait_excluded(path.dev + "1", f"{path.sd}1 is a partition: name the whole disk")


def test_other_wwid():
    """The first path decides which LUN it is; wwid= decides before that."""
    runner = start()
    one = made(topology.LioLoopback(1, 16, name="one")).paths[0]
    two = made(topology.LioLoopback(1, 16, name="two")).paths[0]
    lun = made(Named(runner, "mixed", f"{one.dev};{two.dev}"))
    lun.wait_active(one.dev)
    lun.wait_excluded(two.dev, f"WWID is {two.wwid}, the map's is {one.wwid}")
    lun.delete()

    map_file("wanted", f"paths={one.dev};{two.dev}", f"wwid={two.wwid}")
    with Named(runner, "wanted", "wanted") as lun:
        lun.wait_active(two.dev)
        lun.wait_excluded(one.dev, f"WWID is {one.wwid}, the map's is {two.wwid}")


def test_other_size():
    """Two LUNs with one WWID, which happens where somebody has cloned one: sizes must agree."""
    runner = start()
    paths = []
    for size_mib in (16, 32):
        backstore = made(lio.Ramdisk(f"size{size_mib}", size_mib, serial="cloned"))
        paths.append(made(lio.LoopTarget(backstore)).path)
    expect_equal(paths[0].wwid, paths[1].wwid, "WWIDs")
    lun = made(Named(runner, "sizes", ";".join(path.dev for path in paths)))
    lun.wait_active(paths[0].dev)
    lun.wait_excluded(paths[1].dev, "size is 65536 x 512 bytes, the map's is 32768 x 512")


def test_block_size():
    """A 4Kn LUN needs hw_block_size=4096, and says so."""
    runner = start()
    made(topology.ScsiDebug(1, 16, sector_size=4096))
    with Named(runner, "blocks", "/dev/sda") as lun:
        lun.wait_excluded("/dev/sda", "has 4096-byte blocks, the backstore 512-byte ones: create it "
                                      "with control=hw_block_size=4096")
    with Named(runner, "blocks4k", "/dev/sda", control={"hw_block_size": 4096}) as lun:
        lun.wait_active("/dev/sda")
        path = lun.export()
        expect_equal(scsi.read_capacity(path), (4096, 4096), "capacity")
        data = os.urandom(8192)
        expect(scsi.write10(path, 4094, data, block_size=4096).good, "WRITE")
        expect_equal(scsi.read10(path, 4094, 2, block_size=4096).data, data, "what was written")


def test_table_length():
    runner = start()
    path = made(topology.LioLoopback(1, 16)).paths[0]
    map_file("long", f"table=0 {path.sectors + 1} multipath 0 0 1 1 round-robin 0 1 1 {path.dev} 1")
    lun = made(Named(runner, "long", "long"))
    lun.wait_excluded(path.dev, f"has {path.sectors} blocks of 512 bytes, the table's LENGTH is "
                                f"{path.sectors + 1}")


# --- words ---

def targetcli(*commands):
    """One targetcli for all commands, as it takes seconds to start.  Its output for each."""
    lines = []
    for command in commands:
        lines += [command, "pwd"]       # what the next prompt would be for a person
    done = subprocess.run(["targetcli"], input="\n".join([*lines, "exit"]) + "\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return done.stdout


REFUSED = (
    # cfgstring, what the administrator reads
    ("nomap", "/etc/tcmu/mpath.d/nomap.map: cannot be read: No such file or directory"),
    (".hidden", 'cfgstring: ".hidden" is no name of a map, expected 1 to 64 of the characters'),
    ("wwid=naa.3600", 'cfgstring: wwid: "naa.3600", expected a WWID as "multipath -ll" prints it'),
    ("/dev/sda;sdb", 'cfgstring: path 2 is "sdb", expected an absolute path name'),
    ("/dev/sda;/dev/sda", 'cfgstring: path 2 is "/dev/sda", as path 1 is: each path can be there once'),
    ("tcmur_cmd_time_out=5", "cfgstring: tcmur_cmd_time_out is not possible here"),
    ("notable", "/etc/tcmu/mpath.d/notable.map: "),
    ("badkey", "/etc/tcmu/mpath.d/badkey.map: colour: unknown key, expected one of table,"),
    ("tocome", "/etc/tcmu/mpath.d/tocome.map: reservation_key: this key is not supported: nothing is registered"),
    ("both", "/etc/tcmu/mpath.d/both.map: there are both table= and paths=, expected one of them"),
    ("badtime", '/etc/tcmu/mpath.d/badtime.map: polling_interval_ms: "soon", expected a number of '
                "milliseconds from 100 to 3600000"),
    ("noheader", "/etc/tcmu/mpath.d/noheader.map: "),
    ("feature", 'invalid number of feature args: word 1 is "9", expected a number from 0 to 8'),
    ("short", "invalid number of paths: the table ends after word "),
    ("selector", "unknown path selector type: word "),
    ("handler", "unknown hardware handler type"),
    ("start", "START"),
)


def bad_files():
    map_file("notable")
    map_file("badkey", "paths=/dev/sda", "colour=red")
    map_file("tocome", "paths=/dev/sda", "reservation_key=file")
    map_file("both", "paths=/dev/sda", "table=0 0 1 1 round-robin 0 1 1 /dev/sda 1")
    map_file("badtime", "paths=/dev/sda", "polling_interval_ms=soon")
    map_file("noheader", "paths=/dev/sda", header="")
    map_file("feature", "table=9 queue_if_no_path 0 1 1 round-robin 0 1 1 /dev/sda 1")
    map_file("short", "table=0 0 1 1 round-robin 0")
    map_file("selector", "table=0 0 1 1 fastest 0 1 1 /dev/sda 1")
    map_file("handler", "table=0 1 magic 1 1 round-robin 0 1 1 /dev/sda 1")
    map_file("start", "table=8 100 multipath 0 0 1 1 round-robin 0 1 1 /dev/sda 1")


def core_objects():
    return [d for d in glob.glob(CONFIGFS + "/target/core/*_*") if "alua" not in d]


def test_words_through_targetcli():
    """What targetcli's user reads; and that nothing of the refused backstore stays in the kernel."""
    runner = start()
    bad_files()
    before = core_objects()
    log_from = len(runner.log())
    text = targetcli(*(f"/backstores/user:mpath create name=x size=0 cfgstring={cfgstring}"
                       for cfgstring, _ in REFUSED))
    flat = " ".join(text.split())
    for cfgstring, words in REFUSED:
        expect(words in flat, f"{cfgstring}: not \"{words}\" in\n{text}")
    expect_equal(core_objects(), before, "what the refused backstores left in configfs")
    expect_equal(glob.glob("/sys/class/uio/*"), [], "uio devices")
    expect("in service" not in runner.log()[log_from:], "a map is in service")


def test_words_past_targetcli():
    """Who writes to configfs directly is not asked first: the open fails, and nothing is left."""
    runner = start()
    bad_files()
    for cfgstring in ("nomap", "badkey", "feature", "/dev/sda;sdb"):
        try:
            Named(runner, "x", cfgstring).delete()
        except OSError as e:
            note(f"{cfgstring}: {e.strerror}")
        else:
            expect(False, f"{cfgstring} is accepted")
        expect_equal(lio.leftovers(), [], f"left of {cfgstring}")
    runner.wait_log("badkey.map: colour: unknown key")
    runner.wait_log("invalid number of feature args")
    # And it serves on.
    path = made(topology.LioLoopback(1, 16)).paths[0]
    with Named(runner, "good", path.dev) as lun:
        lun.wait_active(path.dev)


def test_nothing_left():
    expect_equal(lio.leftovers(), [], "left in configfs")
    expect_equal(core_objects(), [], "left in configfs")
    expect_equal(case.devices(), [], "disks left")


if __name__ == "__main__":
    case.main()
