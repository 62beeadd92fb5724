# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -s 2 --systemd -t 7500 late
"""tcmu-runner as a service of systemd: killed at any moment, it is back before anybody minds.

The unit is the package's, with one change: only our handler is loaded.  Loading the others, rbd above
all, takes seconds in an emulated guest and has nothing to do with us.
"""

import mmap
import os
import random
import time

from lib import case, dbus, fio, topology
from lib.case import count, defer, expect, expect_equal, expect_in_time, note
from lib.mpath import Map
from lib.runner import our_handler_only
from lib.system import read, run, unit_property, wait_for

UNIT = "tcmu-runner.service"
PROCESSES = f"/sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs"
OURS_ONLY = f"/run/systemd/system/{UNIT}.d/test.conf"

KILLS = count(30, 1000)
RUN_SECONDS = 20        # of fio, until it verifies all and begins anew


def pid(after=0):
    """Of the tcmu-runner that runs now, and is not the one that was killed last."""
    def find():
        # Beside it in the unit's group are those that wait for its name (ExecStartPost).
        return next((int(word) for word in read(PROCESSES, "").split() if int(word) != after
                     and read(f"/proc/{word}/comm", "") == "tcmu-runner"), 0)
    return wait_for(find, 30, "a tcmu-runner")


def restarts():
    return int(unit_property(UNIT, "NRestarts"))


def start_service():
    """The package's unit, with our handler only.  It goes on between the cases."""
    if os.path.exists(OURS_ONLY):
        return
    os.makedirs(os.path.dirname(OURS_ONLY), exist_ok=True)
    with open(OURS_ONLY, "w") as f:
        f.write("[Service]\nExecStart=\n"
                f"ExecStart=/usr/bin/tcmu-runner --handler-path {our_handler_only()}\n")
    # As "systemctl unmask" does it, but that has systemd read all its units, and the drop-in needs that, too.
    os.unlink(f"/etc/systemd/system/{UNIT}")
    run("systemctl", "daemon-reload")
    run("systemctl", "start", UNIT)


def set_up(seconds_for_paths=20):
    """The service, and a map over two paths in two groups."""
    start_service()
    case.log_file("/var/log/tcmu-runner.log")
    paths = defer(topology.LioLoopback().teardown).paths
    served = defer(Map(paths, attributes={"cmd_time_out": 0}).delete)
    served.path.timeout = 120
    served.wait_in_use(seconds=seconds_for_paths)
    return served


def on_bus(served):
    try:
        return served.status()
    except dbus.DBusError:
        return None


class Reader:
    """Reads the LUN past all caches, and says how long it had to wait."""

    def __init__(self, device):
        self.fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
        self.buffer = mmap.mmap(-1, 4096)

    def wait_seconds(self, begin):
        expect_equal(os.preadv(self.fd, [self.buffer], 0), 4096, "bytes read")
        return time.monotonic() - begin

    def close(self):
        os.close(self.fd)


class Load:
    """fio on the LUN, one run after the other: each verifies what it has written."""

    def __init__(self, served):
        self.served = served
        self.fio = None
        self.writes = 0
        self.stall = 0.0

    def keep_on(self, seconds):
        """There is load when this returns; a run that begins now writes for so long."""
        if self.fio and self.fio.running:
            return
        self.finish()
        self.fio = fio.Fio(self.served, seconds, bs="512-64k", rate=1, depth=8)
        self.fio.wait_load(seconds=60)

    def finish(self):
        if not self.fio:
            return
        # How long it has stood still with all the kills is not its fault.
        result = self.fio.finish(time.monotonic() - self.fio.begin + 120)
        expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
        self.writes += result.writes
        # Not result.stall: the kills make a run longer, and that knows only the time it was made for.
        ends = result.completions
        self.stall = max([self.stall, *(b - a for a, b in zip(ends, ends[1:]))])

    def kill(self):
        if self.fio and self.fio.running:
            self.fio.kill()


@case.limit(count(300, 7200))
def test_kills():
    """fio verifies what it writes, while the process dies at random moments, also while it starts."""
    served = set_up()
    reader = defer(Reader(served.dev).close)
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    note(f"seed {seed}")
    before = restarts()
    load = Load(served)
    defer(load.kill)
    begin = time.monotonic()
    waits = []
    victim = out = 0
    serves = True
    for left in range(KILLS, 0, -1):
        load.keep_on(min(left * 1.2, RUN_SECONDS))
        # Some die when they have served for a moment, the others at any moment of their start.
        time.sleep(rng.uniform(0, 0.6 if serves else 1.2))
        victim = pid(victim)
        out += served.path.in_flight
        os.kill(victim, 9)
        killed = time.monotonic()
        serves = rng.random() < 0.4 or left == 1
        if left % 100 == 1:
            note(f"{KILLS - left + 1} kills in {time.monotonic() - begin:.0f} s")
        if serves:
            waits.append(reader.wait_seconds(killed))
    waits.sort()
    note(f"{KILLS} kills in {time.monotonic() - begin:.0f} s, with {out} commands out; a read after a "
         f"kill took {waits[len(waits) // 2]:.2f} s, {waits[-1]:.2f} s at most")
    load.finish()
    note(f"{load.writes} writes of fio, the longest stall {load.stall:.2f} s")
    expect_equal(restarts() - before, KILLS, "restarts by systemd")
    # Some 10 for each kill, on a busy machine: they have only the moments in which it is served.
    expect(load.writes > 3 * KILLS, f"hardly any load: {load.writes} writes")
    expect(out > KILLS, f"hardly any commands were out: {out}")
    # From kill -9 to a read's data: systemd, the start, the paths, the map.  Half of the restarts take
    # 1.7 s in an emulated guest; the bound leaves room for a busy machine, not for a wait of seconds.
    expect_in_time(waits[len(waits) // 2] < 3, f"restarts take too long: {waits}")


def test_kept():
    """What messages have set holds over a crash, and ends with the backstore."""
    served = set_up()
    first, second = served.paths
    served.message("fail_path", first.devno)
    served.message("disable_group", "1")
    served.message("fail_if_no_path")
    before = pid()
    wait_for(lambda: "queueing=off" in read("/var/lib/tcmu-mpath/mpatha", ""), 5, "the state file")
    os.kill(before, 9)
    reader = defer(Reader(served.dev).close)
    reader.wait_seconds(time.monotonic())
    expect(pid() != before, "it was not killed")
    wait_for(lambda: on_bus(served), 10, "the map on the bus")
    wait_for(lambda: served.path_states() == {first.devno: "F", second.devno: "A"}, 10, "path states")
    detail = served.status("detail")
    for text in ("failed by message", "group 1: round-robin, disabled", "no path: fail"):
        expect(text in detail, f"{text!r} is not in\n{detail}")
    expect(served.status("table").startswith("0 0 2 "), served.status("table"))

    # The same map for a new backstore begins as the table says; the WWID is still pinned.
    served.unexport()
    served.backstore.delete()
    served.backstore = None
    kept = "".join(line for line in open("/var/lib/tcmu-mpath/mpatha") if line.startswith("wwid="))
    expect_equal(kept, f"wwid={first.wwid}\n", "the kept WWID")
    again = defer(Map(served.paths, attributes={"cmd_time_out": 0}).delete)
    again.wait_in_use(*again.paths)
    expect(again.status("table").startswith("1 queue_if_no_path 0 2 "), again.status("table"))


if __name__ == "__main__":
    case.main()
