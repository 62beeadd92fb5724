# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -m 1024 -t 1500
"""A path that is lost delivers its writes after all, seconds later (measure 2 of the third issue).

The LUN has two paths to one store.  The first leads through an iSCSI session to a gate (a dm device
that is suspended): writes have arrived at the target and wait there.  Then the session is cut, the
initiator's kernel reports the writes as lost, and both multipaths go on over the second path.  While
newer data is written there, the gate is opened: the old writes land.

stale_writer.c says how many blocks have gone back in time.  With our fence there is none; the same
schedule on the kernel's dm-multipath is run beside it and counted: some there, or the test is blind.
"""

import random
import time

from lib import case, cuts, dm
from lib.case import count, defer, expect, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import wait_for
from lib.two_ways import TwoWays, Writer

CUT = cuts.NFT_RESET

# How long writes are held, in seconds; a fence has to be longer than the longest.  CI has the writes
# that fit into a minute of an emulated CPU: the third issue's 10^4 and 60 s would be ten of them.
HOLD = count((1.0, 2.5), (1.0, 60.0))
FENCE_MS = int(HOLD[1] * 1000) + 1500
ROUNDS = count(2, 40)
MORE_ROUNDS = 5
WRITES = count(1000, 1000000)


def one_failover(ways, subject, hold):
    """The path is lost with writes on it, which land `hold` seconds after that."""
    gated, direct = ways.paths
    subject.message("switch_group", "1")
    gated.wait_load(100)
    ways.gate.suspend()
    try:
        wait_for(lambda: gated.in_flight >= 4, 10, "writes that wait at the gate")
        CUT.cut(gated)
        lost = time.monotonic()
        wait_for(lambda: subject.path_states().get(gated.devno) != "A", 20, "the path lost")
        if isinstance(subject, dm.Multipath):
            direct.wait_load(100, 20)       # newer data is there
        time.sleep(max(lost + hold - time.monotonic(), 0))
    finally:
        ways.gate.resume()
    time.sleep(0.2)
    direct.wait_load(100, FENCE_MS / 1000 + 20)
    CUT.restore(gated)
    cuts.wait_usable(gated, 60)
    subject.relink()
    wait_for(lambda: subject.path_states().get(gated.devno) == "A", 20, "the path back")


def fail_over(ways, subject, want_stale=False):
    """Returns what the writer has counted, after each failover a check of all blocks.

    What waits at the gate may be reads by chance: with want_stale there are more failovers then.
    """
    schedule = random.Random(1)
    writer = Writer(subject.dev)
    defer(writer.end)
    begin = time.monotonic()
    counted = writer.check()
    for done in range(ROUNDS + MORE_ROUNDS):
        if done >= ROUNDS and not (want_stale and counted[1] == 0):
            break
        hold = schedule.uniform(*HOLD)
        one_failover(ways, subject, hold)
        counted = writer.check()
        note(f"{type(subject).__name__}: held for {hold:.1f} s: "
             f"{counted[0]} writes, {counted[1]} stale blocks, {counted[2]} errors")
    while counted[0] < WRITES:
        time.sleep(0.5)
        counted = writer.check()
    writer.end()
    note(f"{type(subject).__name__}: {counted[0]} verified writes, {counted[1]} stale blocks, in "
         f"{time.monotonic() - begin:.0f} s")
    return counted


@case.limit(count(300, 7200))
def test_old_writes_land():
    ways = TwoWays()
    defer(ways.teardown)
    with dm.Multipath(ways.paths, reinstate=0.25) as subject:
        _, stale, _ = fail_over(ways, subject, want_stale=True)
    expect(stale > 0, "dm-multipath has no stale block: the writer would not see ours")

    runner = Runner()
    defer(runner.end)
    runner.start()
    subject = Map(ways.paths, attributes={"cmd_time_out": 0}, fence="time", fence_time_ms=FENCE_MS)
    defer(subject.delete)
    subject.wait_in_use()
    subject.path.timeout = 300              # the initiator's own is not what is tested here
    writes, stale, errors = fail_over(ways, subject)
    expect(f"waits for time, at most {FENCE_MS} ms" in runner.log(), "no write has met a fence")
    expect(writes >= WRITES, f"only {writes} writes")
    expect(errors == 0, f"{errors} writes or reads failed")
    expect(stale == 0, f"{stale} blocks went back in time")


if __name__ == "__main__":
    case.main()
