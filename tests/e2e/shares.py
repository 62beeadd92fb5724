# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: --icount -m 2048 -t 3600
"""Each selector sends as much down each path as the kernel's does (measure 2 of issue 4).

The same reads go through dm-multipath and through our map, over the same paths, one after the other.
What each path got is compared.  Time is instructions executed here, and a delay costs nothing, so paths
can be slow enough for all else not to matter: what a command meets above the selector is longer here
than in dm.  historical-service-time and io-affinity are not in this kernel: unit/selector_models,
unit/historical_service_time and unit/io_affinity.
"""

import contextlib
import os

from lib import case, dbus, dmioctl, lio, mpath, system
from lib.case import count, defer, expect, limit, note
from lib.runner import Runner
from lib.system import read, run, wait_for, write

STORE = "/dev/ram0"
SECTORS = 16 << 11
DEPTH = 8       # commands for each path, at a time
NAME = "shares"
NR_PATHS = count((4,), (2, 4, 8))

# Milliseconds, for as many paths as there are.
EQUAL = [20] * 8
UNEQUAL = [20, 40, 60, 80, 20, 40, 60, 80]


class Selector:
    """What it is told of a path, how far a share may be from dm's, and how many reads show that.

    What service-time balances are bytes, of as many sizes as there are: which path is the better one
    by a few is chance.
    """

    def __init__(self, name, args, bound, reads):
        self.name = name.split(",")[0]
        self.args = args
        self.bound = bound
        self.reads = reads


SELECTORS = {name: Selector(name, *more) for name, *more in (
    ("round-robin", lambda i: ["1"], 0.02, 480),
    ("queue-length", lambda i: ["1"], 0.02, 960),
    ("service-time", lambda i: ["1", "1"], 0.05, count(1920, 3840)),
    ("service-time, weighed", lambda i: ["1", str(1 + 2 * (i % 3))], 0.05, count(1920, 3840)))}


class Store:
    """One LUN over eight paths, each behind a delay of its own."""

    def __init__(self, undo):
        system.modprobe("brd", "dm_delay")
        self.control = dmioctl.Control()
        undo.callback(self.control.close)
        self.delays, self.paths = [], []
        for i in range(8):
            delay = dmioctl.Device(self.control, f"delay{i}", "delay", SECTORS, f"{STORE} 0 20")
            undo.callback(delay.remove)
            delay.wait_node()
            backstore = lio.Iblock(f"way{i}", delay.node, serial="shares")
            undo.callback(backstore.delete)
            target = lio.LoopTarget(backstore, wait=60)
            undo.callback(target.delete)
            write(f"/sys/block/{target.path.sd}/queue/nomerges", 2)
            self.delays.append(delay)
            self.paths.append(target.path)

    def set(self, milliseconds):
        for delay, ms in zip(self.delays, milliseconds):
            delay.load(SECTORS, f"{STORE} 0 {ms}")
            delay.resume()


def words(paths, selector):
    args = SELECTORS[selector].args
    devices = [" ".join([path.devno, *args(i)]) for i, path in enumerate(paths)]
    return f"0 0 1 1 {SELECTORS[selector].name} 0 {len(paths)} {len(args(0))} {' '.join(devices)}"


class Theirs:
    def __init__(self, store, undo):
        self.map = dmioctl.Multipath(store.control, NAME, SECTORS, words(store.paths, "round-robin"))
        undo.callback(self.map.remove)
        self.dev = self.map.wait_node()

    def load(self, table):
        self.map.load(SECTORS, table)
        self.map.resume()


class Ours:
    def __init__(self, store, undo):
        self.wwid = store.paths[0].wwid
        self.bus = undo.enter_context(dbus.Bus())
        self.file = f"{mpath.MAP_DIR}/{NAME}.map"
        with open(self.file, "w") as f:
            f.write(self.text(words(store.paths, "round-robin")))
        backstore = lio.UserBackstore(NAME, NAME, attributes={"cmd_time_out": 0})
        undo.callback(backstore.delete)
        target = lio.LoopTarget(backstore, wait=60)
        undo.callback(target.delete)
        self.dev = target.path.dev

    def text(self, table):
        return f"[multipath]\ntable={table}\nwwid={self.wwid}\npath_checker=none\n"

    def load(self, table):
        mpath.map_call(NAME, "Reload", "s", self.text(table), bus=self.bus)
        wait_for(lambda: " F " not in mpath.map_call(NAME, "Status", "s", "info", bus=self.bus), 60,
                 "all paths in use")


def counted(delay):
    """(reads, sectors) that came out of the path."""
    fields = read(f"/sys/block/{os.path.basename(delay.node)}/stat").split()
    return int(fields[0]), int(fields[2])


def shares(side, delays, selector):
    """What came out of each path, in bytes."""
    wanted = selector.reads * max(1, len(delays) // 4)
    before = [counted(delay) for delay in delays]
    run("fio", "--name=reads", f"--filename={side.dev}", "--rw=randread",
        f"--bsrange={'4k-32k' if selector.name == 'service-time' else '4k-4k'}", "--direct=1",
        "--ioengine=libaio", f"--iodepth={DEPTH * len(delays)}", "--io_size=1g", f"--number_ios={wanted}",
        "--norandommap", "--randseed=20261126", "--allrandrepeat=1", timeout=1200)
    after = [counted(delay) for delay in delays]
    reads = sum(end[0] - begin[0] for begin, end in zip(before, after))
    expect(wanted <= reads <= wanted * 1.01, f"{reads} reads, not {wanted}")
    got = [end[1] - begin[1] for begin, end in zip(before, after)]
    return [sectors / sum(got) for sectors in got]


def measure(store, make):
    """{(selector, number of paths, "equal" or "unequal"): shares}"""
    measured = {}
    with contextlib.ExitStack() as undo:
        side = make(store, undo)
        write(f"/sys/block/{side.dev.split('/')[-1]}/queue/nomerges", 2)
        for kind, delays in (("equal", EQUAL), ("unequal", UNEQUAL)):
            store.set(delays)
            for nr_paths in NR_PATHS:
                for name, selector in SELECTORS.items():
                    side.load(words(store.paths[:nr_paths], name))
                    measured[name, nr_paths, kind] = shares(side, store.delays[:nr_paths], selector)
    return measured


@limit(3000)
def test_shares():
    runner = Runner()
    defer(runner.end)
    runner.start(seconds=60)
    undo = contextlib.ExitStack()
    defer(undo.close)
    store = Store(undo)
    theirs, ours = measure(store, Theirs), measure(store, Ours)
    wrong = []
    for key, kernel in theirs.items():
        bound = SELECTORS[key[0]].bound
        off = max(abs(a - b) / b for a, b in zip(ours[key], kernel))
        text = (f"{key[0]}, {key[1]} {key[2]} paths: dm {percent(kernel)}, ours {percent(ours[key])}, "
                f"{100 * off:.1f} % off")
        note(text)
        if off > bound:
            wrong.append(text)
    expect(not wrong, "\n".join(["shares differ:", *wrong]))


def percent(shares):
    return " ".join(f"{100 * share:.1f}" for share in shares)


if __name__ == "__main__":
    case.main()
