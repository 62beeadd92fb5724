# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -s 2 -t 400
"""What ends the wait of a lost write before its time, at a real target: LIO.

fence=session: writes have arrived at the target and wait there, behind an iSCSI session that is cut.
While they do, the network is whole again: the target lets nobody in.  When they have been carried
out, the session is established anew, and that ends the wait.

fence=lu_reset: writes take their time in the target.  The iSCSI path is cut with some of them out,
and a LOGICAL UNIT RESET through the other path, which leads to the same LUN of the target, ends the
wait.

In both no block has gone back in time (stale_writer.c), and the wait is by far shorter than the
fence's time.
"""

import contextlib
import time

from lib import case, cuts, dm, lio, system
from lib.case import defer, expect, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import wait_for, write
from lib.two_ways import SIZE_MIB, STORE, TwoWays, Writer

CUT = cuts.NFT_RESET
FENCE_MS = 120000
SOON_SECONDS = 40       # of a CPU that is emulated


class OneLun:
    """A LUN of LIO's whose writes take delay_ms, through iSCSI and tcm_loop: .paths is both."""

    def __init__(self, delay_ms):
        system.modprobe("brd", "dm-delay")
        with contextlib.ExitStack() as undo:
            delay = dm.Device("slow", f"0 {SIZE_MIB * 2048} delay {STORE} 0 0 {STORE} 0 {delay_ms}")
            undo.callback(delay.remove)
            store = undo.enter_context(lio.Iblock("one-lun", delay.dev, serial="one-lun"))
            target = undo.enter_context(lio.IscsiTarget(store))
            cuts.hold_hook()
            undo.callback(cuts.clear_nft)
            login = undo.enter_context(lio.IscsiLogin(target, replacement_timeout=1))
            loop = undo.enter_context(lio.LoopTarget(store))
            self.paths = [login.paths[0], loop.path]
            self.undo = undo.pop_all()

    def teardown(self):
        self.undo.close()


def serve(paths, fence):
    runner = Runner()
    defer(runner.end)
    runner.start()
    subject = Map(paths, attributes={"cmd_time_out": 0}, fence=fence, fence_time_ms=FENCE_MS)
    defer(subject.delete)
    subject.wait_in_use()
    subject.path.timeout = 300              # the initiator's own is not what is tested here
    writer = Writer(subject.dev)
    defer(writer.end)
    subject.message("switch_group", "1")
    paths[0].wait_load(50, 20)
    return runner, subject, writer


def check(writer, runner):
    """The wait is over: each block has what was written last."""
    runner.wait_log("no lost write can land any more", SOON_SECONDS)
    writes, stale, errors = writer.check()
    note(f"{writes} writes, {stale} stale blocks, {errors} errors")
    expect(errors == 0, f"{errors} writes or reads failed")
    expect(stale == 0, f"{stale} blocks went back in time")


@case.limit(200)
def test_session():
    ways = TwoWays()
    defer(ways.teardown)
    gated = ways.paths[0]
    runner, subject, writer = serve(ways.paths, "session")
    ways.gate.suspend()
    try:
        wait_for(lambda: gated.in_flight >= 4, 10, "writes that wait at the gate")
        CUT.cut(gated)
        runner.wait_log("it waits for a new session, at most", 20)
        subject.wait_failed(gated)
        CUT.restore(gated)
        time.sleep(3)                       # more than a login takes
        expect("a new session:" not in runner.log(), "the target does not wait for its old writes")
    finally:
        ways.gate.resume()
    begin = time.monotonic()
    runner.wait_log("a new session: what was lost in the old one cannot land any more", SOON_SECONDS)
    note(f"a new session {time.monotonic() - begin:.1f} s after the gate was opened")
    check(writer, runner)


@case.limit(200)
def test_lu_reset():
    retries = "/proc/sys/net/ipv4/tcp_orphan_retries"
    write(retries, "1")                     # a lost connection's socket is done with after 0.6 s
    defer(write, retries, "0")
    lun = OneLun(delay_ms=400)
    defer(lun.teardown)
    cut = lun.paths[0]
    runner, subject, writer = serve(lun.paths, "lu_reset")
    wait_for(lambda: cut.in_flight >= 4, 10, "writes that are under way")
    CUT.cut(cut)
    begin = time.monotonic()
    runner.wait_log("it waits for a LOGICAL UNIT RESET, at most", 20)
    runner.wait_log("LOGICAL UNIT RESET: the lost writes cannot land any more", SOON_SECONDS)
    note(f"reset {time.monotonic() - begin:.1f} s after the cut")
    check(writer, runner)
    lun.paths[1].wait_load(20, 20)          # the path goes on
    CUT.restore(cut)


if __name__ == "__main__":
    case.main()
