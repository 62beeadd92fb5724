# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -s 2 -t 900
"""tcmu-runner is killed with -9 while its commands are on a slow device (measure 4).

A command that was sent goes on without the process that sent it.  So a LUN here has two paths to one
store: a slow one, where commands arrive 6 s late, and a fast one.  What the dead process left on the
slow path could land on top of newer data that came over the fast one; what it had asked for could be
written into memory that serves another command by then.  Neither may happen.

The slow path is a gate that a case closes and opens: commands wait there for at least 6 s, and if
the machine is busy as long as it takes to look at what shall be looked at before they land.
"""

import contextlib
import fcntl
import hashlib
import mmap
import os
import re
import select
import struct
import time

from lib import case, dbus, dm, fio, lio, scsi, system
from lib.case import count, defer, expect, expect_equal, expect_in_time, note
from lib.mpath import MAP_DIR, STATE_DIR, map_call
from lib.runner import Runner
from lib.system import wait_for

LATE_SECONDS = 6
TWICE_SECONDS = 25
SIZE_MIB = 16
BLOCK = 64 << 10
NR_WRITES = 8
NR_READS = 8
READ_LBA = 16384            # where what is read stands: not written by any case

SLOW_GROUP = "1"
FAST_GROUP = "2"


def pattern(word, i):
    """A block that says of itself, in each 32 bytes, what it is."""
    return f"{word} {i}".ljust(31).encode() + b"\n"


def block_of(word, i):
    return pattern(word, i) * (BLOCK // 32)


class SlowAndFast:
    """A LUN over a slow path (group 1) and a fast one (group 2, where a new process begins)."""

    def __init__(self, number, **keys):
        self.name = f"kill{number}"
        self.store = f"/dev/ram{number}"
        self.undo = contextlib.ExitStack()
        try:
            self.gate = self._device(f"slow{number}")
            self.slow = self._path(self.gate)
            self.fast = self._path(self._device(f"fast{number}"))
            self._write_map(keys)
            self.backstore = self._add(lio.UserBackstore(self.name, self.name,
                                                         attributes={"cmd_time_out": 0}))
            self.target = self._add(lio.LoopTarget(self.backstore))
            self.path = self.target.path
            # The initiator's own time-out is not what is tested here.
            self.path.timeout = 120
            self.undo.callback(self.gate.resume)
            self.fast_is_used = wait_for(self._kept_group, 5, "the state file")
        except BaseException:
            self.delete()
            raise

    def _add(self, thing, undo="delete"):
        self.undo.callback(getattr(thing, undo))
        return thing

    def _device(self, name):
        return self._add(dm.Device(name, f"0 {SIZE_MIB * 2048} linear {self.store} 0"), "remove")

    def _path(self, device):
        """The same serial number makes both the same LUN."""
        backstore = self._add(lio.Iblock(device.name, device.dev, serial=self.name))
        return self._add(lio.LoopTarget(backstore)).path

    def _write_map(self, keys):
        with open(f"{MAP_DIR}/{self.name}.map", "w") as f:
            f.write("[multipath]\ntable=1 queue_if_no_path 0 2 2 "
                    f"round-robin 0 1 1 {self.slow.dev} 1 round-robin 0 1 1 {self.fast.dev} 1\n")
            f.writelines(f"{key}={value}\n" for key, value in keys.items())

    @property
    def dev(self):
        return self.path.dev

    def delete(self):
        self.undo.close()

    def status(self):
        return map_call(self.name, "Status", "s", "detail")

    def use_slow_path(self):
        """From now on commands are late, until let_land() or a new process."""
        self.gate.suspend()
        self.late_until = time.monotonic() + LATE_SECONDS
        map_call(self.name, "Message", "as", ["switch_group", SLOW_GROUP])

    def _kept_group(self):
        """What the next process takes for the group in use."""
        return re.findall("^current_group=.*", system.read(f"{STATE_DIR}/{self.name}", ""), re.M)

    def leave_slow_path(self):
        """What is on the slow path stays there; the next process begins with the fast one."""
        map_call(self.name, "Message", "as", ["switch_group", FAST_GROUP])
        wait_for(lambda: self._kept_group() == self.fast_is_used, 5, "the group kept")

    def let_land(self):
        """What is on the slow path arrives, 6 s late; returns when it has."""
        time.sleep(max(self.late_until - time.monotonic(), 0))
        self.gate.resume()
        wait_for(lambda: self.slow.in_flight == 0, 5, "the slow path idle")

    def read_store(self, lba, length):
        """What is on the store, past all paths and caches."""
        with mmap.mmap(-1, length) as buffer:
            fd = os.open(self.store, os.O_RDONLY | os.O_DIRECT)
            try:
                expect_equal(os.preadv(fd, [buffer], lba * 512), length, "bytes read from the store")
            finally:
                os.close(fd)
            return buffer[:]

    def write_store(self, lba, data):
        with mmap.mmap(-1, len(data)) as buffer:
            buffer[:] = data
            fd = os.open(self.store, os.O_RDWR | os.O_DIRECT)
            try:
                expect_equal(os.pwritev(fd, [buffer], lba * 512), len(data), "bytes written")
            finally:
                os.close(fd)


def lba_of(i):
    return i * (BLOCK // 512)


def send_writes(lun, word):
    return [scsi.Pending(lun.path, struct.pack(">BBLBHB", 0x2a, 0, lba_of(i), 0, BLOCK // 512, 0),
                         data_out=block_of(word, i), timeout_ms=120000) for i in range(NR_WRITES)]


def send_reads(lun):
    return [scsi.Pending(lun.path, struct.pack(">BBLBHB", 0x28, 0, READ_LBA + lba_of(i), 0,
                                               BLOCK // 512, 0),
                         data_in=BLOCK, timeout_ms=120000) for i in range(NR_READS)]


def collect(lun, pending, seconds, what):
    """All answers, each of which must be good."""
    end = time.monotonic() + seconds
    for i, command in enumerate(pending):
        answer = command.wait(max(end - time.monotonic(), 0))
        expect(answer is not None,
               f"{what} {i} is not answered within {seconds} s\n{lun.status()}"
               f"initiator: {lun.path.in_flight} out, slow {lun.slow.in_flight}, fast {lun.fast.in_flight}")
        expect(answer.good, f"{what} {i}: {answer}")
        if command.request.data_in:
            expect(answer.data == block_of("read", i), f"{what} {i} brought other data")


class DataArea:
    """The memory that ring and initiators share: what stands in it, page by page."""

    def __init__(self, runner, lun):
        self.memory = f"/proc/{runner.pid}/mem"
        uio = "/dev/" + lun.backstore.uio
        with open(f"/proc/{runner.pid}/maps") as f:
            begin = next(line for line in f if line.rstrip().endswith(uio)).split("-")[0]
        self.begin = int(begin, 16)

    def pages(self):
        fd = os.open(self.memory, os.O_RDONLY)
        try:
            _, _, off, size = struct.unpack("<HHII", os.pread(fd, 12, self.begin))
            at = self.begin + off + size
            found = []
            while True:
                try:
                    found.append(os.pread(fd, 4096, at + 4096 * len(found)))
                except OSError:     # from here on it was never used
                    return found
        finally:
            os.close(fd)

    def count(self, word):
        return sum(page.startswith(word.encode() + b" ") for page in self.pages())

    def digest(self):
        return [hashlib.sha256(page).hexdigest() for page in self.pages()]

    def expect_unchanged(self, before):
        """Watches it for a while: what is late may be a little later still."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            expect(self.digest() == before, "the data area has changed: a late read landed in it")


def load_slow_path(lun):
    """Reads and "old" writes, all of them on the slow path."""
    lun.write_store(READ_LBA, b"".join(block_of("read", i) for i in range(NR_READS)))
    lun.use_slow_path()
    writes, reads = send_writes(lun, "old"), send_reads(lun)
    for command in writes + reads:
        defer(command.close)
    wait_for(lambda: lun.slow.in_flight >= NR_WRITES + NR_READS, 5, "commands on the slow path")
    return writes, reads


def start(runner, lun):
    """tcmu-runner is on the bus a moment before its maps."""
    runner.start()

    def is_on_bus():
        try:
            return lun.status()
        except dbus.DBusError:
            return None
    wait_for(is_on_bus, 5, "the map on the bus")


def kill(runner, lun):
    """Kills and starts; says when the commands of the dead process were still out last."""
    lun.leave_slow_path()
    runner.kill()
    expect(lun.slow.in_flight >= NR_WRITES + NR_READS,
           f"only {lun.slow.in_flight} commands have outlived their process")
    start(runner, lun)


def set_up(numbers, **keys):
    system.run("modprobe", "brd", f"rd_nr={len(numbers)}", f"rd_size={SIZE_MIB * 1024}")
    defer(system.run, "rmmod", "brd")
    runner = Runner()
    defer(runner.end)
    runner.start()
    luns = []
    for number in numbers:
        luns.append(SlowAndFast(number, **keys))
        defer(luns[-1].delete)
    return runner, luns


def keeps_reads_back(lun, reads):
    """Whether it is the initiator that waits with the reads, until a write is answered.

    The kernel answers BUSY to what the dead process had, and to what is sent again until the new one takes
    commands.  The first of these may be in the ring before the initiator has heard of the last BUSY; and
    who is told BUSY while a command is out sends nothing before that is answered (Linux' device_blocked).
    """
    end = time.monotonic() + 3
    while len(select.select([read.fd for read in reads], [], [], 0)[0]) < len(reads):
        if time.monotonic() > end:
            return int(system.read(lun.path.device + "/device_blocked")) > 0
        time.sleep(0.05)
    return False


def look_at_waiting_writes(runner, lun, writes):
    """They wait in the ring's data area, where the old reads had their place."""
    area = DataArea(runner, lun)
    text = lun.status()
    expect(f"{NR_WRITES} writes wait for commands of a former process" in text, text)
    expect(area.count("old") >= NR_WRITES * BLOCK // 4096, "the writes are not in the data area")
    before = area.digest()
    expect(lun.slow.in_flight >= NR_WRITES + NR_READS, "the old commands landed early")
    expect(not any(command.wait(0) for command in writes), "a write did not wait")
    return area, before


def one_kill(runner, lun, other, twice):
    """The initiator (its SCSI layer) sends again what was lost, and after that newer data.

    Returns whether it has sent all of that again at once, so that each was where it ought to be.
    """
    writes, reads = load_slow_path(lun)
    sent = time.monotonic()
    kill(runner, lun)
    if twice:
        kill(runner, lun)
    restarted = time.monotonic()

    # Reads need not wait for anybody.
    kept_back = keeps_reads_back(lun, reads)
    if not kept_back:
        collect(lun, reads, 5, "read")
        area, before = look_at_waiting_writes(runner, lun, writes)
    read_at = time.monotonic()

    for each in lun, other:
        each.let_land()
    landed = time.monotonic()
    # Who was killed while it waited has seen what the next one cannot: then the time decides.
    collect(lun, writes, TWICE_SECONDS if twice else 3, "old write")
    if kept_back:
        collect(lun, reads, 3, "read")
    else:
        area.expect_unchanged(before)
    collect(lun, send_writes(lun, "new"), 3, "newer write")
    note(f"after sending: restarted {restarted - sent:.1f} s, "
         f"reads {'kept back by the initiator' if kept_back else 'answered'} {read_at - sent:.1f} s, "
         f"landed {landed - sent:.1f} s, newer data written {time.monotonic() - sent:.1f} s")
    return not kept_back


def expect_store(lun, word):
    for i in range(NR_WRITES):
        data = lun.read_store(lba_of(i), BLOCK)
        expect(data == block_of(word, i), f"block {i} of the store has {data[:32]!r}")


@case.limit(900)
def test_kill():
    """One LUN is looked at command by command; fio verifies another, which dies with it."""
    runner, (lun, other) = set_up([0, 1], restart_wait_ms=20000, fence_time_ms=1000)
    rounds = count(5, 20)
    whole = 0
    for number in range(rounds):
        load = fio.Fio(other, LATE_SECONDS + 2, bs="512-64k", rate=4)
        defer(load.kill)
        load.wait_load()
        other.use_slow_path()
        # fio may wait with all others for the first that does not come back.
        wait_for(lambda: other.slow.in_flight >= 1, 20, "load on the slow path")
        other.leave_slow_path()
        whole += one_kill(runner, lun, other, twice=number == rounds - 1)
        expect_store(lun, "new")
        result = load.finish()
        note(f"{result!r}")
        expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
        expect(result.writes > 50, f"hardly any load: {result!r}")
    expect(whole >= rounds // 2, f"in {rounds - whole} of {rounds} rounds the initiator has kept reads back")


def test_slow_path_is_offline():
    """The new process cannot ask the slow path's disk what is out there: it waits for the time."""
    runner, (lun,) = set_up([0], restart_wait_ms=7000, fence_time_ms=1000)
    writes, reads = load_slow_path(lun)
    lun.leave_slow_path()
    runner.kill()
    system.write(lun.slow.device + "/state", "offline\n")
    start(runner, lun)
    started = time.monotonic()
    kept_back = keeps_reads_back(lun, reads)
    if not kept_back:
        collect(lun, reads, 5, "read")
    text = lun.status()
    expect("1 disk that a former process used cannot be asked for its writes" in text, text)
    lun.let_land()
    expect(not any(command.wait(0) for command in writes), "a write did not wait")
    collect(lun, writes, 15, "old write")
    note(f"writes were answered {time.monotonic() - started:.1f} s after the start")
    expect(time.monotonic() - started > 7, "they did not wait for the time")
    if kept_back:
        collect(lun, reads, 3, "read")
    collect(lun, send_writes(lun, "new"), 3, "newer write")
    expect_store(lun, "new")
    system.write(lun.slow.device + "/state", "running\n")


def errors(path):
    return int(system.read(path.device + "/ioerr_cnt"), 0)


def read_past_the_end(path):
    with contextlib.closing(scsi.Pending(path, struct.pack(">BBLBHB", 0x28, 0, 0x7fffffff, 0, 1, 0),
                                         data_in=512, timeout_ms=10000)) as command:
        answer = command.wait(10)
        expect(answer is not None and not answer.good, f"a read past the end: {answer}")


def write_after_restart(runner, lun, seconds):
    """Sends writes to the process that has just started: how long did they take?"""
    start(runner, lun)
    begin = time.monotonic()
    writes = send_writes(lun, "new")
    for command in writes:
        defer(command.close)
    collect(lun, writes, seconds, "write")
    return time.monotonic() - begin


def test_errors_of_a_disk():
    """What the kernel has ended with an error between two processes is feared; what was told is not."""
    runner, (lun,) = set_up([0], restart_wait_ms=7000, fence_time_ms=1000)
    map_call(lun.name, "Message", "as", ["switch_group", FAST_GROUP])
    before = errors(lun.fast)
    for _ in range(3):
        read_past_the_end(lun.path)
    expect(errors(lun.fast) >= before + 3, f"{errors(lun.fast)} errors of the path, {before} before")
    runner.kill()
    took = write_after_restart(runner, lun, 5)
    expect("while no process ran" not in runner.log(), "errors that were told are feared")

    runner.kill()
    read_past_the_end(lun.fast)
    waited = write_after_restart(runner, lun, 20)
    runner.wait_log("1 commands may have ended with an error while no process ran", 1)
    note(f"writes took {took:.1f} s, and {waited:.1f} s after an error that nobody was told of")
    expect(waited > 6, "they did not wait for the time")
    expect_store(lun, "new")


def test_without_the_wait():
    """The same with a restart wait of 0: the old writes land on newer ones.  We are not blind."""
    runner, (lun,) = set_up([0], restart_wait_ms=0, fence="none")
    writes, reads = load_slow_path(lun)
    kill(runner, lun)
    collect(lun, reads + writes, 5, "old command")
    collect(lun, send_writes(lun, "new"), 5, "newer write")
    expect_store(lun, "new")
    lun.let_land()
    expect_store(lun, "old")


def test_given_up_read():
    """A LUN reset ends reads of a living process; they must not land in the next command's data."""
    SG_SCSI_RESET, SG_SCSI_RESET_DEVICE = 0x2284, 1

    runner, (lun,) = set_up([0])
    lun.write_store(READ_LBA, b"".join(block_of("read", i) for i in range(NR_READS)))
    lun.use_slow_path()
    reads = send_reads(lun)
    for command in reads:
        defer(command.close)
    wait_for(lambda: lun.slow.in_flight >= NR_READS, 5, "reads on the slow path")
    begin = time.monotonic()
    with scsi.Opened(lun.path) as fd:
        fcntl.ioctl(fd, SG_SCSI_RESET, struct.pack("i", SG_SCSI_RESET_DEVICE))
    note(f"LUN reset after {time.monotonic() - begin:.2f} s")
    expect_in_time(time.monotonic() - begin < 2, "the LUN reset takes too long")
    # (tcm_loop gives an aborted command the status GOOD, so it is no use to look at that.)
    for i, command in enumerate(reads):
        expect(command.wait(1), f"read {i} is not answered after the LUN reset")
    expect(lun.slow.in_flight >= NR_READS, "the reads were not given up, but answered")

    # In the same places of the data area, and on the same path, so that they stay there for long.
    wait_for(lambda: scsi.test_unit_ready(lun.path).good, 2, "unit attentions gone")
    writes = send_writes(lun, "new")
    wait_for(lambda: lun.slow.in_flight >= NR_READS + NR_WRITES, 5, "writes behind the reads")
    area = DataArea(runner, lun)
    before = area.digest()
    expect_equal(area.count("new"), NR_WRITES * BLOCK // 4096, "pages of the writes")
    lun.let_land()
    collect(lun, writes, 3, "write")
    area.expect_unchanged(before)
    expect_store(lun, "new")


def test_nothing_left():
    expect_equal(lio.leftovers(), [], "left in configfs")
    expect_equal(case.devices(), [], "disks left")


if __name__ == "__main__":
    case.main()
