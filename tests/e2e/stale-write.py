# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -s 2 -t 7500
"""A path that is lost delivers its writes after all, seconds later (measure 2 of the third issue).

The LUN has two paths to one store.  The first leads through an iSCSI session to a gate (a dm device
that is suspended): writes have arrived at the target and wait there.  Then the session is cut, the
initiator's kernel reports the writes as lost, and the multipath goes on over the second path.  While
newer data is written there, the gate is opened: the old writes land.

stale_writer.c says how many blocks have gone back in time.  With our fence there is none; the
kernel's dm-multipath lives through the same beside it, at the same moments, on a LUN like it, and is
counted: some there, or the test is blind.
"""

import random
import re
import time
from concurrent.futures import ThreadPoolExecutor

from lib import case, cuts, dm
from lib.case import count, defer, expect, expect_in_time, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import wait_for
from lib.two_ways import TwoWays, Writer

CUT = cuts.NFT_RESET

# How long lost writes are held, in seconds.  A fence has to be longer than the longest, and then there is
# what a slow guest needs: to see that the path is lost, to open the gate, to carry the writes out.
SHORTEST, LONGEST = 1.0, 60.0
FENCE_MS = int(LONGEST * 1000) + 10000
LANDING = 1.0
AROUND = 32 * 5 + 40     # commands by which the writer has been at each block again
ROUNDS = count(2, 20)
MORE_ROUNDS = 5
WRITES = count(10 ** 4, 10 ** 6)


class Side:
    """One of the two that are compared, with its ways to its store, and the load on it."""

    def __init__(self, name, ways, subject):
        self.name = name
        self.gated, self.direct = ways.paths
        self.gate = ways.gate
        self.subject = subject
        self.writer = Writer(subject.dev)
        defer(self.writer.end)
        self.commands_before = self.writer.commands()
        self.writes = self.stale = self.errors = self.fenced = 0

    def check(self):
        self.writes, self.stale, self.errors = self.writer.check()

    def is_up(self):
        return self.subject.path_states().get(self.gated.devno) == "A"

    def nr_fenced(self):
        """Lost writes that wait for their fence, of which dm-multipath has none."""
        detail = self.subject.status("detail") if isinstance(self.subject, Map) else ""
        found = re.search(r"(\d+) writes? w\w+ lost and may still land", detail)
        return int(found.group(1)) if found else 0

    def __repr__(self):
        return f"{self.name}: {self.writes} writes, {self.stale} stale blocks, {self.errors} errors"


def set_up():
    """Two ways for each, and the load only when both are there."""
    ours, other = (defer(TwoWays(number).teardown) for number in range(2))
    reference = defer(dm.Multipath(other.paths, reinstate=0.25).remove)
    served = Map(ours.paths, attributes={"cmd_time_out": 0}, fence="time", fence_time_ms=FENCE_MS)
    defer(served.delete)
    served.wait_in_use()
    served.path.timeout = 300               # the initiator's own is not what is tested here
    return Side("ours", ours, served), Side("dm-multipath", other, reference)


def fail_over(side, hold):
    """The gated path is lost with writes on it, which land `hold` seconds after that."""
    side.subject.message("switch_group", "1")
    side.gated.wait_load(100, 20)
    side.gate.suspend()
    try:
        wait_for(lambda: side.gated.in_flight >= 4, 10, "writes that wait at the gate")
        CUT.cut(side.gated)
        wait_for(lambda: not side.is_up(), 20, "the path lost")
        lost = time.monotonic()
        side.fenced = side.nr_fenced()
        side.direct.wait_load(AROUND, 60)     # an old copy of the newest data would not be seen
        time.sleep(max(lost + hold - time.monotonic(), 0))
    finally:
        side.gate.resume()
    time.sleep(LANDING)
    expect_in_time(side.nr_fenced() >= side.fenced, "fences were over before the old writes had landed")
    CUT.restore(side.gated)
    cuts.wait_usable(side.gated, 60)
    side.subject.relink()
    wait_for(side.is_up, 60, "the path back")
    side.check()


@case.limit(count(600, 7200))
def test_old_writes_land():
    runner = Runner()
    defer(runner.end)
    runner.start()
    ours, other = sides = set_up()
    schedule = random.Random(1)
    begin = time.monotonic()
    with ThreadPoolExecutor(len(sides)) as pool:
        for done in range(ROUNDS + MORE_ROUNDS):
            # What waits at the gate may be reads by chance.
            if done >= ROUNDS and other.stale:
                break
            hold = (SHORTEST, LONGEST)[done] if done < 2 else schedule.uniform(SHORTEST, LONGEST)
            list(pool.map(fail_over, sides, [hold] * len(sides)))
            note(f"held for {hold:.1f} s: {ours!r}, {ours.fenced} fenced; {other!r}")
    other.writer.end()
    while ours.writes < WRITES:
        time.sleep(1)
        ours.check()
    ours.writer.end()
    note(f"in {time.monotonic() - begin:.0f} s: {ours!r}; {other!r}")

    expect(other.stale > 0, "dm-multipath has no stale block: the writer would not see ours")
    expect(f"waits for time, at most {FENCE_MS} ms" in runner.log(), "no write has met a fence")
    for side in sides:
        commands = side.writer.commands() - side.commands_before
        expect(commands >= side.writes, f"only {commands} commands for {side!r}")
    expect(ours.writes >= WRITES, f"only {ours!r}")
    expect(ours.errors == 0, f"{ours.errors} writes or reads failed")
    expect(ours.stale == 0, f"{ours.stale} blocks went back in time")


if __name__ == "__main__":
    case.main()
