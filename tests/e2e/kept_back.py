# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 400
"""tcmu-runner is killed while a port is blocked, and the kernel keeps back what it had sent there.

A write to a blocked path stays in the kernel, counted nowhere and without a time-out, and outlives the
process that has sent it.  When the port is back it is carried out, on top of what was written meanwhile:
so nothing may be written meanwhile, on any path, and by no initiator.

The kernel hopes for a port as long as fast_io_fail_tmo (fibre channel) or replacement_timeout (iSCSI)
say: here longer than the case.

It is the same when a driver takes no command, and nothing says so: an iSCSI session takes so many as its
target allows (CmdSN), for all LUNs together, and another LUN hangs.  A process that lives on then must not
use up the disk's requests with its probes.
"""

import contextlib
import glob
import struct
import time

from lib import case, cuts, dm, lio, scsi, system, topology
from lib.case import defer, expect, expect_equal, expect_in_time, limit, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import read, wait_for, write

LBA = 2048
BEFORE, OLD, NEW = (bytes([n]) * 4096 for n in (1, 2, 3))
NAMES = {BEFORE: "before", OLD: "old", NEW: "new"}
LONG_MS = 200000            # no initiator is to lose its patience here

KEPT_BACK = ("the kernel keeps commands of a former process back: writes wait until it lets them go, or gives "
             "them up, and then at most")
WAIT_SECONDS = 3            # longer than the wait that has nothing but time (test_fibre_channel)
REQUESTS = 8                # of a disk: the least are 4; with open-iscsi's defaults there are 226
MANY_PROBES_SECONDS = 2 * REQUESTS
SOON_SECONDS = 20           # of a CPU that is emulated; for the kernel to log in, it may be, and for us


def send_write(device, data):
    cdb = struct.pack(">BBLBHB", 0x2a, 0, LBA, 0, len(data) // 512, 0)
    return scsi.Pending(device, cdb, data_out=data, timeout_ms=LONG_MS)


def send_read(device):
    cdb = struct.pack(">BBLBHB", 0x28, 0, LBA, 0, len(BEFORE) // 512, 0)
    return scsi.Pending(device, cdb, data_in=len(BEFORE), timeout_ms=LONG_MS)


def content(device):
    """What is in the two places there: "before before" to begin with."""
    answer = scsi.read10(device, LBA, 2 * len(BEFORE) // 512, timeout_ms=LONG_MS)
    expect(answer.good, f"read: {answer}")
    return " ".join(NAMES.get(answer.data[at:at + len(BEFORE)], "?") for at in (0, len(BEFORE)))


def give_up(backstore):
    """The kernel answers what it had handed to the dead process, as it would at cmd_time_out."""
    for attribute, value in (("block_dev", 1), ("reset_ring", 2), ("block_dev", 0)):
        write(f"{backstore.dir}/action/{attribute}", value)


def is_left_alone(path):
    """A new path is checked once more after recheck_interval_ms: a second."""
    before = path.requests
    time.sleep(2)
    return path.requests == before


class Window(topology.Topology):
    """An iSCSI LUN, and beside it another one that can hang, so that the session takes no command any more."""
    name = "window"
    DEPTH = 4

    def __init__(self):
        super().__init__()
        system.modprobe("brd")
        with contextlib.ExitStack() as undo:
            self.backstore = undo.enter_context(lio.Ramdisk("wlun"))
            self.disk = undo.enter_context(dm.Device("hung", "0 8192 linear /dev/ram0 0"))
            hung = undo.enter_context(lio.Iblock("hung", self.disk.dev))
            target = undo.enter_context(lio.IscsiTarget(self.backstore))
            target.add_lun(hung, 1)
            write(target.tpgts[0] + "/attrib/default_cmdsn_depth", self.DEPTH)
            login = undo.enter_context(lio.IscsiLogin(target))
            self.paths = login.paths
            self.neighbour = lio.Path(self.paths[0].hctl[:-1] + "1").wait()
            self.undo = undo.pop_all()

    def teardown(self):
        self.undo.close()

    @contextlib.contextmanager
    def on(self, _):
        """The cut."""
        self.disk.suspend()
        with contextlib.ExitStack() as sent:
            sent.callback(self.disk.resume)
            for _ in range(self.DEPTH):
                sent.enter_context(send_write(self.neighbour, NEW))
            wait_for(self.is_blocked, 10, "the window closed")
            yield

    def is_blocked(self):
        return read(self.neighbour.device + "/device_busy") == str(self.DEPTH)


class Story:
    """A map whose first path can be blocked, and whose second leads to the same LUN past all that."""

    def __init__(self, made, cut, is_blocked=None, **keys):
        defer(made.teardown)
        self.cut = cut
        self.blocked = made.paths[0]
        self.is_blocked = is_blocked or (lambda: read(self.blocked.device + "/state") == "blocked")
        self.other = defer(lio.LoopTarget(made.backstore).delete).path
        self.runner = Runner(log_dir=f"/run/tcmu-log-{made.name}")
        defer(self.runner.end)
        self.runner.start()
        # A path that is blocked is not to fail before there is a write on it; and each path has its
        # place in the interval, counted from the start of the machine.
        self.map = Map([self.blocked, self.other], attributes={"cmd_time_out": 0},
                       polling_interval_ms=3600000, **keys)
        defer(self.map.delete)
        self.map.wait_in_use()
        wait_for(lambda: is_left_alone(self.blocked), 30, "the last of the first checks")
        self.map.path.timeout = LONG_MS // 1000
        self.map.message("switch_group", "1")
        expect(scsi.write10(self.map, LBA, 2 * BEFORE).good, "a write while all is well")

    def die_with_a_write(self):
        """It is on the blocked path, and its initiator is told that it has failed."""
        with send_write(self.map, 2 * OLD) as old:
            wait_for(lambda: self.map.commands()["in flight"], 5, "the write on its way")
            self.runner.kill()
            give_up(self.map.backstore)
            answer = old.wait(10)
            expect(answer and answer.code == (2, 8, 0), f"the write that is kept back: {answer}")

    def expect_to_wait(self, new):
        expect_equal(new.wait(WAIT_SECONDS), None, "a newer write, with the port blocked")
        for what, text in (("status", self.map.status("detail")), ("log", self.runner.log())):
            expect(KEPT_BACK in text, f"the {what} does not say why it waits:\n{text}")
        expect(self.is_blocked(), "the port is not blocked any more")


def newer_data_waits(story):
    with story.cut.on(story.blocked):
        wait_for(story.is_blocked, 30, "the port blocked")
        story.die_with_a_write()
        story.runner.start()
        new = defer(send_write(story.map, NEW).close)
        expect_equal(content(story.map), "before before", "a read, which does not wait")
        story.expect_to_wait(new)
    cuts.wait_usable(story.blocked, 60)
    begin = time.monotonic()
    answer = new.wait(60)
    waited = time.monotonic() - begin
    expect(answer and answer.good, f"the newer write: {answer}")
    note(f"written {waited:.1f} s after the port was back")
    story.map.wait_in_use()
    expect("former process" not in story.map.status("detail"), story.map.status("detail"))
    # The old write was twice as long: what is behind the newer one tells that it was carried out.
    for path in (story.blocked, story.other):
        expect_equal(content(path), "new old", f"what {path} has")
    expect_in_time(waited < SOON_SECONDS, f"a write waited for {waited:.1f} s when the port was back")


@limit(200)
def test_fibre_channel():
    """What libfc sends at once, when the port is back, it is told to send again, and the kernel counts
    that as errors.  So the time decides, which is short here; and it must not end while the port is blocked."""
    made = topology.FcoeVn2vn(n=1, fast_io_fail=150, dev_loss=180)
    newer_data_waits(Story(made, cuts.FC_LINK_DOWN, restart_wait_ms=2000))


@limit(100)
def test_iscsi_window():
    """The disk is running, and nothing is counted; but who asks it something is not answered."""
    made = Window()
    newer_data_waits(Story(made, made, made.is_blocked))


def where_threads_sleep(runner):
    return [read(task + "/wchan", "gone") for task in glob.glob(f"/proc/{runner.pid}/task/*")]


@limit(200)
def test_probes_do_not_pile_up():
    """Each that is refused has one of the disk's requests, also after it was given up.  Were all out, the
    next one would sleep, and with it the loop, all its maps and their healthy paths."""
    made = Window()
    defer(made.teardown)
    hung = made.paths[0]
    write(f"/sys/block/{hung.sd}/queue/nr_requests", REQUESTS)
    other = defer(lio.LoopTarget(made.backstore).delete).path
    runner = Runner()
    defer(runner.end)
    runner.start()
    m = Map([hung, other], attributes={"cmd_time_out": 0}, polling_interval_ms=1000,
            checker_timeout_ms=1000, recheck_interval_ms=1000)
    defer(m.delete)
    m.wait_in_use()
    with made.on(hung):
        m.wait_failed(hung)
        end = time.monotonic() + MANY_PROBES_SECONDS
        while time.monotonic() < end:
            with send_read(m) as sent:
                answer = sent.wait(SOON_SECONDS)
            expect(answer and answer.good, f"a read past the path that hangs: {answer}; "
                   f"where the threads sleep: {where_threads_sleep(runner)}")
            time.sleep(1)
    begin = time.monotonic()
    m.wait_in_use(hung, seconds=SOON_SECONDS)
    note(f"in use {time.monotonic() - begin:.1f} s after the window was open again")


@limit(200)
def test_iscsi():
    """With all the time in the world the count of commands ends the wait."""
    made = topology.Iscsi(n=1, replacement_timeout=150)
    newer_data_waits(Story(made, cuts.NFT_RESET))


if __name__ == "__main__":
    case.main()
