# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -s 2 -t 1200 late
"""No path is left (measure 3 of the first issue): what waits, what is answered, and what never lands.

The array is LIO behind three ports.  Two are the map's paths and are cut; the third is "another way",
by which somebody else writes to the same LUN meanwhile.
"""

import fcntl
import os
import signal
import struct
import time

from lib import case, cuts, fio, lio, scsi, topology
from lib.case import count, defer, expect, expect_equal, expect_in_time, limit, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import modprobe, read, run, wait_for, write

CUT = cuts.TRANSPORT_STATUS
LBA = 2048
OLD, NEW, HELD = (bytes([n]) * 4096 for n in (1, 2, 3))

SG_SCSI_RESET = 0x2284
SG_SCSI_RESET_DEVICE = 1
SG_SCSI_RESET_NO_ESCALATE = 0x100

DID_TIME_OUT = 3


class World:
    """A map over two of the array's three ports, in service."""

    def __init__(self, cmd_time_out=0, features=("queue_if_no_path",), iscsi=False):
        self.made = topology.LioLoopback(3)
        defer(self.made.teardown)
        self.paths = self.made.paths[:2]
        self.other_way = self.made.paths[2]
        self.cut = False
        self.runner = Runner()
        defer(self.runner.end)
        self.runner.start()
        self.map = Map(self.paths, features=features, attributes={"cmd_time_out": cmd_time_out},
                       export=not iscsi)
        defer(self.map.delete)
        self.lun = self._login() if iscsi else self.map.path
        defer(self.restore)
        self.map.wait_in_use()
        expect(scsi.usable(self.lun), "the map's LUN is not usable")
        # The kernel looks for partitions when a disk appears, and open() waits for that: no command
        # but ours may be held later.
        os.close(os.open(self.lun.dev, os.O_RDONLY))

    def _login(self):
        target = defer(lio.IscsiTarget(self.map.backstore).delete)
        # The initiator's own patience with a silent target must not come before what we test.
        return defer(lio.IscsiLogin(target, noop_seconds=0).logout).paths[0]

    def cut_all(self):
        self.cut = True
        for path in self.paths:
            CUT.cut(path)
        # The checker looks at a good path only now and then: the loss is noticed by a command, one
        # that is not held.
        scsi.test_unit_ready(self.lun)
        self.map.wait_failed()

    def restore(self):
        """Returns when the paths are usable, with the time at which the first one was."""
        if self.cut:
            self.cut = False
            for path in self.paths:
                CUT.restore(path)
        cuts.wait_usable(self.paths[0], 10)
        return time.monotonic()

    def write(self, device, data, timeout_ms=30000):
        """A command that is sent and not waited for."""
        cdb = struct.pack(">BBLBHB", 0x2a, 0, LBA, 0, len(data) // 512, 0)
        command = scsi.Pending(device, cdb, data_out=data, timeout_ms=timeout_ms)
        defer(command.close)
        return command

    def read(self, device):
        answer = scsi.read10(device, LBA, len(OLD) // 512)
        expect(answer.good, f"read of {device}: {answer}")
        return answer.data

    def held_write(self, data=HELD, timeout_ms=30000):
        command = self.write(self.lun, data, timeout_ms)
        self.map.wait_held()
        return command


def answer_of(command, seconds, what):
    answer = command.wait(seconds)
    expect(answer is not None, f"{what}: no answer within {seconds} s")
    return answer


def check_newer_data_stays(world):
    """The paths return after a held write was given up and newer data was written elsewhere."""
    expect(scsi.write10(world.other_way, LBA, NEW).good, "write by the other way")
    world.restore()
    world.map.wait_in_use()
    for device in (world.lun, *world.made.paths):
        cuts.wait_usable(device, 5)         # takes the unit attentions of a reset
    # Whatever was held is started before a command that comes after it, and what was started on
    # these paths before is done when a cache is flushed on each.
    for path in (world.lun, *world.paths):
        expect(scsi.synchronize_cache(path).good, f"flush of {path}")
    commands = world.map.commands()
    expect(not any(commands.values()), f"still there: {commands}")
    for device in (world.lun, *world.made.paths):
        expect(world.read(device) == NEW, f"{device}: the held write has landed on newer data")


@limit(count(120, 300))
def test_all_paths_down():
    """fio runs on while both paths are away for 15 s (40)."""
    world = World()
    seconds = count(15, 40)
    load = fio.Fio(world.lun, seconds + 8, rate=8)
    defer(load.kill)
    load.wait_load()
    world.cut_all()
    begin = time.monotonic()
    # Of each of fio's jobs one at least: what overlaps with that, and all behind it, is not sent.
    world.map.wait_held(2)
    wait_for(lambda: time.monotonic() - begin >= seconds, seconds + 1, "the outage's length")
    usable = world.restore()
    wait_for(lambda: not world.map.commands()["held"], 5, "nothing held")
    result = load.finish()
    note(f"{result!r}")
    expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
    resumed = result.begin + min(t for t in result.completions if result.begin + t > usable - 0.2)
    note(f"down {usable - begin:.2f} s, resumed {resumed - usable:.2f} s after a path was usable")
    expect(max(result.stalls(begin, usable)) >= seconds - 1, "the load did not stall")
    expect(resumed - usable <= 1.5, f"resumed only after {resumed - usable:.2f} s")


def test_without_queueing():
    """The error is seen at once, and the command is not done later."""
    world = World(features=())
    expect(scsi.write10(world.lun, LBA, OLD).good, "write")
    world.cut_all()
    begin = time.monotonic()
    answer = answer_of(world.write(world.lun, HELD), 5, "write without a path")
    seconds = time.monotonic() - begin
    note(f"{answer} after {seconds:.3f} s")
    expect_equal((answer.status, answer.code), (scsi.CHECK_CONDITION, (2, 8, 0)), "answer")
    expect_in_time(seconds < 1, f"the error took {seconds:.2f} s")
    begin = time.monotonic()
    try:
        with open(world.lun.dev, "rb", buffering=0) as f:
            f.read(4096)
        error = None
    except OSError as e:
        error = e
    seconds = time.monotonic() - begin
    note(f"block I/O: {error} after {seconds:.3f} s")
    expect(error is not None, f"no error after {seconds:.2f} s")
    expect_in_time(seconds < 1, f"{error} after {seconds:.2f} s")
    check_newer_data_stays(world)


def test_error_under_load():
    """The paths go while commands are under way: these end with an error, too, and at once."""
    world = World(features=())
    load = fio.Fio(world.lun, 4, rate=8, verify=None)
    defer(load.kill)
    load.wait_load()
    world.cut_all()
    result = load.finish()
    note(f"{result!r}")
    expect(result.errors > 0 and result.stall < 1, f"{result!r}")


@limit(60)
def test_deadline():
    """cmd_time_out 10 s: the held write is answered before the kernel would, and never lands."""
    world = World(cmd_time_out=10)
    expect(scsi.write10(world.lun, LBA, OLD).good, "write")
    world.cut_all()
    begin = time.monotonic()
    command = world.held_write()
    answer = answer_of(command, 12, "held write")
    seconds = time.monotonic() - begin
    note(f"{answer} after {seconds:.2f} s")
    expect_in_time(7 < seconds < 10, f"answered after {seconds:.2f} s")
    expect_equal((answer.status, answer.code), (scsi.CHECK_CONDITION, (2, 8, 0)), "answer")
    check_newer_data_stays(world)


@limit(90)
def test_kernel_answers_first():
    """tcmu-runner stands still while its deadline passes: the kernel answers, the write never lands."""
    world = World(cmd_time_out=10)
    expect(scsi.write10(world.lun, LBA, OLD).good, "write")
    world.cut_all()
    command = world.held_write()
    os.kill(world.runner.pid, signal.SIGSTOP)
    defer(os.kill, world.runner.pid, signal.SIGCONT)
    answer = answer_of(command, 14, "held write")
    note(f"{answer} after {command.seconds:.2f} s")
    expect(not answer.good, f"{answer}")
    for path in world.paths:
        CUT.restore(path)
    expect(scsi.write10(world.other_way, LBA, NEW).good, "write by the other way")
    os.kill(world.runner.pid, signal.SIGCONT)
    check_newer_data_stays(world)


def abort_task(world):
    """The initiator's SCSI layer loses patience with a held write and aborts it."""
    expect(scsi.write10(world.lun, LBA, OLD).good, "write")
    world.cut_all()
    # Time-outs are kept in steps of a second or two: so the kernel's log says how long it took.
    answer = answer_of(world.held_write(timeout_ms=2000), 10, "ABORT TASK of a held write")
    begin, end = (case.kernel_times("ABORT_TASK: " + text) for text in ("Found", "Sending"))
    expect_equal((len(begin), len(end)), (1, 1), "ABORT TASKs")
    seconds = end[0] - begin[0]
    note(f"{answer}, ABORT TASK was answered after {seconds:.3f} s")
    expect_equal(answer.host_status, DID_TIME_OUT, "host_status")
    expect_in_time(seconds < 1, f"ABORT TASK was answered after {seconds:.2f} s")
    expect_equal(world.map.commands()["held"], 0, "held commands")
    check_newer_data_stays(world)


@limit(90)
def test_abort_task():
    abort_task(World())


@limit(90)
def test_abort_task_iscsi():
    abort_task(World(iscsi=True))


def lun_reset(world):
    expect(scsi.write10(world.lun, LBA, OLD).good, "write")
    world.cut_all()
    commands = [world.held_write() for _ in range(5)]
    world.map.wait_held(5)
    fd = os.open(world.lun.sg_dev, os.O_RDWR | os.O_NONBLOCK)
    defer(os.close, fd)
    begin = time.monotonic()
    fcntl.ioctl(fd, SG_SCSI_RESET,
                struct.pack("i", SG_SCSI_RESET_DEVICE | SG_SCSI_RESET_NO_ESCALATE))
    seconds = time.monotonic() - begin
    answers = [answer_of(command, 1, "held write after a LUN RESET") for command in commands]
    note(f"LUN RESET answered after {seconds:.3f} s, held writes: {answers}")
    expect_in_time(seconds < 1, f"LUN RESET was answered after {seconds:.2f} s")
    expect_equal(world.map.commands()["held"], 0, "held commands")
    check_newer_data_stays(world)
    return answers


@limit(90)
def test_lun_reset():
    """On tcm_loop, which ends a command that was reset without a status: its initiator reads GOOD."""
    lun_reset(World())


@limit(90)
def test_lun_reset_iscsi():
    for answer in lun_reset(World(iscsi=True)):
        expect(not answer.good, f"a held write that was reset: {answer}")


@limit(120)
def test_queueing_outlives_aborts():
    """No cmd_time_out, and an initiator that loses patience: it aborts, repeats, and sees no error."""
    world = World()
    world.lun.timeout = 3
    load = fio.Fio(world.lun, 15, rate=8)
    defer(load.kill)
    load.wait_load()
    world.cut_all()
    begin = time.monotonic()
    world.map.wait_held(1)
    # Each command is aborted twice or three times.
    wait_for(lambda: time.monotonic() - begin >= 10, 11, "the outage's length")
    world.restore()
    result = load.finish()
    note(f"{result!r}")
    expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")


@limit(120)
def test_sigterm_and_restart():
    """tcmu-runner is restarted while commands are held."""
    world = World()
    load = fio.Fio(world.lun, 10, rate=8)
    defer(load.kill)
    load.wait_load()
    world.cut_all()
    # One of each of fio's jobs, as above.
    world.map.wait_held(2)
    begin = time.monotonic()
    world.runner.stop()
    stopped = time.monotonic() - begin
    world.runner.start()
    world.map.wait_held(1, 10)
    seconds = time.monotonic() - begin
    note(f"SIGTERM {stopped:.2f} s, restart {seconds - stopped:.2f} s")
    expect_in_time(seconds < 5, f"SIGTERM and restart took {seconds:.2f} s")
    world.restore()
    result = load.finish()
    note(f"{result!r}")
    expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")


@limit(120)
def test_delete_while_held():
    """targetcli delete: fail_if_no_path, then 5 s, not counting how long targetcli takes to start."""
    world = World()
    world.cut_all()
    command = world.held_write()
    begin = time.monotonic()
    run("targetcli", "/backstores/user:mpath", "ls")
    idle = time.monotonic() - begin
    begin = time.monotonic()
    run("mpathctl", "message", world.map.name, "fail_if_no_path")
    answer = answer_of(command, 1, "held write")
    expect(not answer.good, f"{answer}")
    expect_equal(world.map.commands()["held"], 0, "held commands")
    begin = time.monotonic()
    run("targetcli", "/backstores/user:mpath", "delete", world.map.name)
    seconds = time.monotonic() - begin
    note(f"targetcli delete {seconds:.2f} s; ls {idle:.2f} s")
    expect(not os.path.isdir(world.map.backstore.dir), "the backstore is still there")
    expect_in_time(seconds - idle < 5, f"delete took {seconds - idle:.2f} s longer than ls")
    # The kernel lets go of the paths.
    for path in world.paths:
        fd = os.open(path.dev, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK)
        os.close(fd)


def start_no_disks():
    """Linux starts a disk that is NOT READY when it finds it, and waits 100 s for that."""
    BLIST_NOSTARTONADD = 0x1000
    flags = "/sys/module/scsi_mod/parameters/default_dev_flags"

    modprobe("sd_mod")
    defer(write, flags, read(flags))
    write(flags, BLIST_NOSTARTONADD)


def test_scanned_without_a_path():
    """sd must think of a cache when nobody can be asked, and flush it, also when paths are back."""
    start_no_disks()
    world = World(features=())
    lun = world.lun

    def is_attached():
        return read(f"/sys/class/scsi_disk/{lun.hctl}/cache_type", "").strip()

    def attributes():
        return (is_attached(), read(f"/sys/block/{lun.sd}/queue/write_cache").strip(),
                read(f"/sys/block/{lun.sd}/ro").strip(), lun.sectors)

    before = attributes()
    expect_equal(before[0], "write through", "the array's cache")
    wanted = ("write back", "write back", *before[2:])
    world.cut_all()
    write(lun.device + "/rescan", 1)
    expect_equal(attributes(), wanted, "rescanned without a path")
    write(lun.device + "/delete", 1)
    lio.scan_host(lun.host)
    lun.wait()
    wait_for(is_attached, 5, "sd has looked at the disk")
    wait_for(lambda: attributes() == wanted, 5, f"{wanted} of the disk found without a path")
    answer = scsi.cdb(lun, bytes((0x03, 0, 0, 0, 18, 0)), data_in=18)
    expect(answer.good and answer.data[2] == 2, f"REQUEST SENSE: {answer}")
    world.restore()
    world.map.wait_in_use()
    expect_equal(attributes(), wanted, "with paths again")
    fd = os.open(lun.dev, os.O_RDWR)
    defer(os.close, fd)
    os.pwrite(fd, NEW, LBA * 512)
    os.fsync(fd)
    expect(world.read(world.other_way) == NEW, "what was synchronized is not on the array")


def test_defeated_queueing():
    """queue_if_no_path with a cmd_time_out: log and status say that the kernel will not wait."""
    world = World(cmd_time_out=30)
    line = world.runner.wait_log("queue_if_no_path is limited by the backstore's cmd_time_out of 30 s")
    note(line)
    expect("warning: cmd_time_out limits queue_if_no_path" in world.map.status("detail"),
           world.map.status("detail"))
    world.map.unexport()        # the kernel lets nobody change it below an export
    world.map.backstore.set("cmd_time_out", "0")
    wait_for(lambda: "warning" not in world.map.status("detail"), 5, "the warning is gone")


if __name__ == "__main__":
    case.main()
