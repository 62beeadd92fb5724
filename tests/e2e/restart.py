# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: --systemd -t 3600 late
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


def pid(after=0):
    """Of the tcmu-runner that runs now, and is not the one that was killed last."""
    def find():
        # Beside it in the unit's group are those that wait for its name (ExecStartPost).
        return next((int(word) for word in read(PROCESSES, "").split() if int(word) != after
                     and read(f"/proc/{word}/comm", "") == "tcmu-runner"), 0)
    return wait_for(find, 10, "a tcmu-runner")


def restarts():
    return int(unit_property(UNIT, "NRestarts"))


def set_up(seconds_for_paths=20):
    """The service, and a map over two paths in two groups."""
    os.makedirs(os.path.dirname(OURS_ONLY), exist_ok=True)
    with open(OURS_ONLY, "w") as f:
        f.write("[Service]\nExecStart=\n"
                f"ExecStart=/usr/bin/tcmu-runner --handler-path {our_handler_only()}\n")
    run("systemctl", "unmask", UNIT)
    run("systemctl", "daemon-reload")
    case.log_file("/var/log/tcmu-runner.log")
    defer(run, "systemctl", "stop", UNIT)
    run("systemctl", "restart", UNIT)
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


def test_kills():
    """fio verifies what it writes, while the process dies at random moments, also while it starts."""
    served = set_up()
    reader = defer(Reader(served.dev).close)
    kills = count(15, 1000)
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    note(f"seed {seed}")
    before = restarts()
    load = fio.Fio(served, kills * 3, bs="512-64k", rate=1, depth=8)
    defer(load.kill)
    load.wait_load(seconds=60)
    begin = time.monotonic()
    waits = []
    victim = 0
    for number in range(kills):
        time.sleep(rng.uniform(0, 0.6))
        victim = pid(victim)
        os.kill(victim, 9)
        killed = time.monotonic()
        if rng.random() < 0.7 or number == kills - 1:
            waits.append(reader.wait_seconds(killed))
    expect(load.running, "the load ended too early")
    took = time.monotonic() - begin
    expect_equal(restarts() - before, kills, "restarts by systemd")
    result = load.finish()
    waits.sort()
    note(f"{kills} kills in {took:.0f} s; a read after a kill took {waits[len(waits) // 2]:.2f} s, "
         f"{waits[-1]:.2f} s at most")
    note(f"{result!r}")
    expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
    expect(result.writes > 20 * kills, f"hardly any load: {result!r}")
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
