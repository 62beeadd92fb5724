# SPDX-License-Identifier: GPL-2.0-or-later
"""Between tcmu-runner and us: the ring, opening and closing, configuration, restart."""

import ctypes
import errno
import os
import re
import struct
import time

from lib import case, cuts, lio, scsi, system, topology
from lib.case import count, defer, expect, expect_equal, expect_in_time, note
from lib.mpath import map_call
from lib.runner import Runner, check_config

CONF = "/etc/tcmu/mpath.conf"
MAPS = "/etc/tcmu/mpath.d"


def start():
    runner = Runner()
    defer(runner.end)
    return runner.start()


def write_map(name, text):
    path = f"{MAPS}/{name}.map"
    with open(path, "w") as f:
        f.write("[multipath]\n" + text)
    return path


def remove_map(name):
    if os.path.exists(f"{MAPS}/{name}.map"):
        os.unlink(f"{MAPS}/{name}.map")


def forget(name):
    """The next map of this name may have another LUN."""
    for path in (f"/var/lib/tcmu-mpath/{name}", f"/var/lib/tcmu-mpath/.last-good/{name}.map",
                 f"/var/lib/tcmu-mpath/.last-good/{name}.paths"):
        if os.path.exists(path):
            os.unlink(path)


def status(name, kind):
    return map_call(name, "Status", "s", kind)


class Lun:
    """A map over all paths of a topology, exported by tcm_loop: .path is what the initiator sees."""

    def __init__(self, runner, made, name="m", keys="", cmd_time_out=0, size=0):
        forget(name)
        defer(forget, name)
        write_map(name, "paths=" + ";".join(path.dev for path in made.paths)
                  + "\ngrouping=failover\nfailback=manual\nfence_time_ms=300\n" + keys)
        defer(remove_map, name)
        self.target = None
        self.backstore = lio.UserBackstore(name, name, size,
                                           attributes={"cmd_time_out": cmd_time_out})
        defer(self.delete)
        self.target = lio.LoopTarget(self.backstore)
        self.path = self.target.path

    def delete(self):
        if self.target:
            self.target.delete()
        if self.backstore:
            self.backstore.delete()
        self.target = self.backstore = None


def make(n=2, **options):
    made = topology.ScsiDebug(n, **options)
    defer(made.teardown)
    return made


def timed(function, *args):
    begin = time.monotonic()
    result = function(*args)
    return result, time.monotonic() - begin


def test_size():
    """Size 0 takes the LUN's, at once; another size is said to be wrong, and the LUN works."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    expect_equal(lun.backstore.get("dev_size"), "67108864", "size")
    expect_equal(lun.path.sectors, 131072, "sectors")
    expect_equal(lun.backstore.get("tmr_notification"), "1", "tmr_notification")
    lun.delete()
    lun = Lun(runner, made, "n", size=1 << 20)
    runner.wait_log("n: the backstore's size is 1048576 bytes, the LUN has 67108864")
    expect_equal(lun.path.sectors, 131072, "sectors")


def test_path_of_another_map():
    """A disk is a path of one map only, however often the other one tries."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    forget("other")
    defer(forget, "other")
    with lio.UserBackstore("other", ";".join(path.dev for path in made.paths)) as other:
        runner.wait_log(f"other: path {made.paths[1].dev}: not used: {made.paths[1].sd} is in use: "
                        "it is a path of our map m")
        time.sleep(4)
        expect_equal(other.get("dev_size"), "0", "size of the other")
        expect("other: path sd" not in runner.log(), "the other map got a path")
        expect(scsi.read10(lun.path, 0, 8).good, "read")
        lun.delete()
        runner.wait_log(f"other: path {made.paths[0].sd}: reinstated")


def test_residuals():
    """Short answers come with the residual that the array gave, also to a longer buffer."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    scsi.write10(lun.path, 0, b"\xee" * 4096)
    for command, length in (
            (struct.pack(">BBBHB", 0x12, 0, 0, 36, 0), 512),                # CDB asks for less
            (struct.pack(">BBQLBB", 0x9e, 0x10, 0, 512, 0, 0), 512),        # the target has less
            (struct.pack(">BBBHB", 0x12, 1, 0x00, 255, 0), 255),
            (bytes([0x1a, 0, 0x3f, 0, 255, 0]), 255),
            (bytes([0x1a, 0, 0x08, 0, 4, 0]), 255),
            (bytes([0x03, 0, 0, 0, 18, 0]), 252)):
        scsi.read10(lun.path, 0, 8)             # fills the data area with something else
        ours = scsi.cdb(lun.path, command, data_in=length)
        expect(ours.good, f"{command.hex()}: {ours}")
        if command[0] != 0x12:
            bare = scsi.cdb(made.paths[0], command, data_in=length)
            expect_equal(ours.resid, bare.resid, f"residual of {command.hex()}")
            expect_equal(ours.data, bare.data, f"data of {command.hex()}")
        expect(0xee not in ours.data, f"{command.hex()} shows another command's data")
    expect_equal(scsi.cdb(lun.path, struct.pack(">BBBHB", 0x12, 0, 0, 36, 0), data_in=512).resid,
                 476, "residual of INQUIRY")


def test_reservation_conflict():
    """A status that tcmu-runner does not know: set on the array from outside, it reaches us."""
    made = topology.LioLoopback()
    defer(made.teardown)
    runner = start()
    ours, other = made.paths
    forget("m")
    defer(forget, "m")
    backstore = lio.UserBackstore("m", ours.dev, attributes={"cmd_time_out": 0})
    defer(backstore.delete)
    target = lio.LoopTarget(backstore)
    defer(target.delete)
    cuts.wait_usable(other, 5)                  # its unit attentions are gone
    answer = scsi.cdb(other, bytes([0x16, 0, 0, 0, 0, 0]))
    expect(answer.good, f"RESERVE(6): {answer}")
    answer = scsi.write10(target.path, 0, bytes(512))
    expect_equal(answer.status, scsi.RESERVATION_CONFLICT, "status of a write")
    expect("path" not in runner.log().split("in service")[-1], "something happened to the path")
    expect(scsi.cdb(other, bytes([0x17, 0, 0, 0, 0, 0])).good, "RELEASE(6)")
    system.wait_for(lambda: scsi.write10(target.path, 0, bytes(512)).good, 5, "a good write")


def test_vendor_opcodes():
    """Opcodes that libtcmu does not know are answered as others are."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    slowest = 0
    for opcode in (0xc1, 0x65, 0xff, 0x7e, 0xc0):
        answer, seconds = timed(scsi.cdb, lun.path, bytes([opcode]) + bytes(9))
        expect_equal(answer.code, (5, 0x20, 0), f"sense of {opcode:02x}h")
        slowest = max(slowest, seconds)
    expect_in_time(slowest < 2, f"the slowest took {slowest:.1f} s")
    note(f"the slowest of a vendor's opcodes took {slowest:.2f} s")
    # With data nobody knows in which direction it goes.
    answer = scsi.cdb(lun.path, bytes([0xc1]) + bytes(9), data_in=512)
    expect_equal(answer.code, (5, 0x20, 0), "sense with data")
    # Several at once, among others; then the ring is empty, or SIGTERM would hang.
    pending = [scsi.Pending(lun.path, bytes([0xc1]) + bytes(9)) for _ in range(20)]
    expect(scsi.read10(lun.path, 0, 8).good, "read beside them")
    for command in pending:
        answer = command.wait(5)
        expect(answer and answer.code == (5, 0x20, 0), f"one of many: {answer}")
    expect_equal(runner.stop(), 0, "exit status")
    runner.start()
    cuts.wait_usable(lun.path, 10)


class Frozen:
    """One thread of a process does not get the CPU: the debugger's way, as nothing else stops one."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
    WALL = 0x40000000

    def __init__(self, pid, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
        self.tid = next(int(tid) for tid in os.listdir(f"/proc/{pid}/task")
                        if system.read(f"/proc/{pid}/task/{tid}/comm") == name)

    def _ptrace(self, request):
        if self.libc.ptrace(request, self.tid, None, None):
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")

    def __enter__(self):
        self._ptrace(self.SEIZE)
        self._ptrace(self.INTERRUPT)
        os.waitpid(self.tid, self.WALL)
        return self

    def __exit__(self, *_):
        self._ptrace(self.DETACH)


def test_cmdproc_is_not_asked():
    """tcmu-runner's thread for the LUN does not run at all: commands are answered all the same."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    vendor = bytes([0xc1]) + bytes(9)
    with Frozen(runner.pid, "cmdproc-" + lun.backstore.uio):
        for _ in range(count(5, 20)):
            commands = [scsi.Pending(lun.path, vendor), scsi.Pending(lun.path, bytes(6)),
                        scsi.Pending(lun.path, vendor)]
            for command, code in zip(commands, ((5, 0x20, 0), None, (5, 0x20, 0))):
                answer = command.wait(5)
                expect(answer is not None and answer.code == code, f"{answer}")
    expect_equal(runner.stop(), 0, "exit status")
    runner.start()


def test_kill():
    """kill -9 with commands in the ring: the next tcmu-runner serves on."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    for _ in range(count(3, 10)):
        pending = [scsi.Pending(lun.path, struct.pack(">BBLBHB", 0x28, 0, 8 * i, 0, 8, 0),
                                data_in=4096) for i in range(16)]
        runner.kill()
        runner.start()
        for command in pending:
            answer = command.wait(20)
            expect(answer and answer.good, f"a read over the restart: {answer}")
    expect(scsi.write10(lun.path, 0, bytes(512)).good, "write")


def test_serial():
    """The serial number is set after the LUN is opened; the pages have it."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    answer = scsi.inquiry(lun.path, 0x80)
    expect_equal(answer.data[4:].decode().rstrip("\0"), lun.backstore.serial, "VPD 80h")
    serial = lun.backstore.serial.replace("-", "")
    expect(serial[:10] in scsi.inquiry(lun.path, 0x83).data.hex(), "VPD 83h")
    expect(0x83 in scsi.inquiry(lun.path, 0x00).data[4:], "VPD 00h")


def test_reconfig():
    """A restore writes all attributes as they are; what is refused has its errno."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    lun.backstore.set("dev_config", "mpath/m")
    lun.backstore.set("dev_config", "mpath/m\n")
    lun.backstore.set("dev_size", 67108864)
    lun.backstore.set("emulate_write_cache", 0)
    for attribute, value, number in (("dev_config", "mpath/other", errno.ENOENT),
                                     ("dev_size", 1 << 20, errno.EOPNOTSUPP),
                                     ("emulate_write_cache", 1, errno.EOPNOTSUPP)):
        try:
            lun.backstore.set(attribute, value)
        except OSError as e:
            expect_equal(e.errno, number, f"errno of {attribute}")
        else:
            expect(False, f"{attribute}={value} was accepted")
    runner.wait_log("m: configuration refused: the size is the LUN's and cannot be set")
    expect(scsi.read10(lun.path, 0, 8).good, "read")
    # The newline is in the kernel's cfgstring now, and there after a restart.
    runner.restart()
    cuts.wait_usable(lun.path, 10)


def test_check_config():
    """What targetcli shows to its user."""
    start()
    for cfgstring, reason in (
            ("", "cfgstring: nothing behind"),
            ("no-such-map", f"{MAPS}/no-such-map.map: cannot be read: No such file or directory"),
            ("/dev/a;b", 'cfgstring: path 2 is "b", expected an absolute path name'),
            ("/dev/a;tcmur_cmd_time_out=3", "cfgstring: tcmur_cmd_time_out is not possible"),
            ("/dev/\u00e9", "cfgstring: byte C3h")):
        accepted, why = check_config(cfgstring)
        expect(not accepted, f"{cfgstring} is accepted")
        expect(reason in why, f"{cfgstring}: {why}")
    accepted, why = check_config("/dev/sda;/dev/sdb")
    expect(accepted, f"refused: {why}")
    write_map("x", "paths=/dev/a\nno_path_retry=1001\n")
    defer(remove_map, "x")
    accepted, why = check_config("x")
    expect(not accepted and "no_path_retry" in why, why)


def test_invalid_file_at_restart():
    """A typo in a map file does not take the LUN away; a new backstore hears of it."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    write_map("m", "paths=" + made.paths[0].dev + "\nno_path_retry=sometimes\n")
    runner.restart()
    cuts.wait_usable(lun.path, 10)
    runner.wait_log('m: the last good configuration is used, because: '
                    f'{MAPS}/m.map: no_path_retry: "sometimes", expected fail, queue or a number up to 1000')
    detail = str(status("m", "detail"))
    expect("last good" in detail, "not in the status")
    build = re.search(r"\(tcmu-mpath (\S+), build ([^)]+)\)", detail)
    expect(build, f"no version and build in the status: {detail}")
    runner.wait_log(f"tcmu-mpath {build[1]} ({build[2]})")
    remove_map("m")
    runner.restart()
    cuts.wait_usable(lun.path, 10)
    accepted, why = check_config("other")
    expect(not accepted, "a new map needs its file")


def test_no_path_at_all():
    """A map whose paths do not exist yet is in service, and works once they come."""
    runner = start()
    forget("late")
    defer(forget, "late")
    backstore = lio.UserBackstore("late", "/dev/sda;/dev/sdb", attributes={"cmd_time_out": 0})
    try:
        made = make()
    finally:
        defer(backstore.delete)
    expect_equal(sorted(path.dev for path in made.paths), ["/dev/sda", "/dev/sdb"], "devices")
    runner.wait_log("late: path sda: reinstated", 10)
    system.wait_for(lambda: backstore.get("dev_size") == "67108864", 5, "the LUN's size")
    with lio.LoopTarget(backstore) as target:
        expect(scsi.read10(target.path, 0, 8).good, "read")


def test_second_map_of_the_name():
    """Two backstores on one map would fight for its paths: the second is refused."""
    runner, made = start(), make()
    lun = Lun(runner, made)
    try:
        with lio.UserBackstore("second", "m"):
            expect(False, "accepted")
    except OSError:
        pass
    runner.wait_log("mpath/m: ")
    expect(scsi.read10(lun.path, 0, 8).good, "read")


if __name__ == "__main__":
    case.main()
