# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: --icount -t 3000 long
"""Instructions for each read and write, ours beside others' (measure 3 of issue 6).

Time is instructions executed here, and there is one CPU: what a thread has used of it is exact.  All
contenders are there at once, each a LUN of the same scsi_debug over the same two hosts, which keep all
LUNs in one store: same devices, nothing to set up in between.  All but the bare ones are exported
through tcm_loop, where bench_block_load reads and writes; "sg" is bench_sg_direct on two paths.

tests/bench/report puts the figures, which are left in /out/figures.json, into results.json.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "tests", "e2e"))

from lib import case, dm, lio, mpath, runner, topology      # noqa: E402
from lib.case import count, expect, limit, note                 # noqa: E402
from lib.system import wait_for, write                          # noqa: E402
from guest import accounts, profile                             # noqa: E402

BUILT = os.path.join(REPO, "build", "release", "tests")
IMAGE = "/run/image"
SIZE_MIB = 64

ROUNDS = count(2, 3)
SECONDS = count(0.1, 0.5)       # of guest time; so many times 10^9 instructions
BLOCKS = (4096, 65536)
DIRECTIONS = ("read", "write")
DEPTHS = (1, 8, 32)
CELLS = [(block, direction, depth) for block in BLOCKS for direction in DIRECTIONS for depth in DEPTHS]
PROFILED = ((4096, "read", 32), (4096, "read", 1))
CONTENDERS = ("disk", "sg", "iblock on dm, bio", "iblock on dm, rq", "empty", "qcow", "ours")
# Those of whose commands each is to reach a path.
ON_PATHS = ("sg", "iblock on dm, bio", "iblock on dm, rq", "ours")
# An idle CPU would count as instructions; what the harness uses is left out.
IDLE_MAX = 0.005


class Contender:
    """Something that is read and written: .path of what the initiator sees, and its .paths, if any."""

    def __init__(self, path, paths=()):
        self.path = path
        self.paths = paths
        for one in (path, *paths):
            # The scheduler of a path would be a cost that sg does not have.
            write(f"/sys/block/{one.sd}/queue/scheduler", "none")
            write(f"/sys/block/{one.sd}/queue/nomerges", 2)

    def load(self, block, direction, depth):
        return subprocess.Popen([f"{BUILT}/bench_block_load", direction, str(block), str(depth),
                                 self.path.dev])

    @property
    def commands(self):
        return self.path.requests


class Direct(Contender):
    def load(self, block, direction, depth):
        return subprocess.Popen([f"{BUILT}/bench_sg_direct", direction, str(block), str(depth),
                                 *(path.sg_dev for path in self.paths)])

    @property
    def commands(self):
        return sum(path.requests for path in self.paths)


class Contenders:
    """.of has them by name."""

    def __init__(self, undo):
        self.undo = undo
        disks = topology.ScsiDebug(2, SIZE_MIB, timeout=30, max_luns=6)
        undo.callback(disks.teardown)
        self.hosts = [path.host for path in disks.paths]
        self.daemon = runner.Runner(handlers())
        undo.callback(self.daemon.end)
        self.daemon.start(seconds=60)
        sg = self.paths(1)
        self.of = {"disk": Contender(disks.paths[0]), "sg": Direct(sg[0], sg)}
        for number, mode in enumerate(("bio", "rq"), 2):
            self.add_dm(f"iblock on dm, {mode}", mode, self.paths(number))
        self.add_user("empty", "empty", "x")
        self.add_user("qcow", "qcow", IMAGE)
        self.add_ours(self.paths(4))

    def paths(self, lun):
        return [lio.Path(f"{host}:0:0:{lun}").wait() for host in self.hosts]

    def export(self, backstore):
        self.undo.callback(backstore.delete)
        target = lio.LoopTarget(backstore, wait=60)
        self.undo.callback(target.delete)
        return target.path

    def add_dm(self, name, mode, paths):
        device = dm.Multipath(paths, mode, reinstate=0, features=("queue_mode", mode), grouping="multibus")
        self.undo.callback(device.remove)
        self.of[name] = Contender(self.export(lio.Iblock(mode, device.dev)), paths)

    def add_user(self, name, handler, config):
        backstore = lio.UserBackstore(name, config, size=SIZE_MIB << 20, handler=handler)
        self.of[name] = Contender(self.export(backstore))

    def add_ours(self, paths):
        served = mpath.Map(paths, grouping="multibus")
        self.undo.callback(served.delete)
        served.wait_in_use(seconds=60)
        self.of["ours"] = Contender(served.path, paths)


def handlers():
    """A directory with the three handlers; and the image of the one that is packaged."""
    directory = "/run/bench-handlers"
    shutil.rmtree(directory, ignore_errors=True)    # of the case before
    os.makedirs(directory)
    for name in ("mpath", "qcow"):
        os.symlink(f"{runner.all_handlers()}/handler_{name}.so", f"{directory}/handler_{name}.so")
    shutil.copy(f"{BUILT}/handler_empty.so", directory)
    with open(IMAGE, "wb") as f:
        for _ in range(SIZE_MIB):
            f.write(b"\xa5" * (1 << 20))       # in memory, and no hole
    return directory


@contextlib.contextmanager
def loaded(contender, cell):
    """Its load runs, and has done something already."""
    begin = contender.commands
    process = contender.load(*cell)
    try:
        wait_for(lambda: contender.commands > begin + 300, 120, f"load on {contender.path}")
        yield
        expect(process.poll() is None, f"the load ended with {process.poll()}")
    finally:
        process.terminate()
        process.wait(60)


def measure(name, contender, cell):
    """{thread: instructions for each command}"""
    with loaded(contender, cell):
        with accounts.Account(contender) as used:
            time.sleep(SECONDS)
    if name in ON_PATHS and (name, cell[2]) != ("sg", 1):       # that one has but one fd
        for path, commands in zip(contender.paths, used.on_paths):
            share = commands / used.commands
            expect(0.45 < share < 0.55, f"{name}: {path} had {100 * share:.0f} % of the commands")
    expect(used.idle < IDLE_MAX, f"{name}, {cell}: the CPU idled {100 * used.idle:.2f} % of the time")
    return used.per_command


def one_round(contenders):
    figures = {}
    for cell in CELLS:
        figures[cell] = {name: measure(name, contenders.of[name], cell) for name in CONTENDERS}
        note(f"{title(cell)}: " + ", ".join(f"{name} {sum(threads.values()) / 1000:.2f} k"
                                            for name, threads in figures[cell].items()))
    return figures


def title(cell):
    block, direction, depth = cell
    return f"{block // 1024}k {direction} QD {depth}"


def spread(values, digits):
    return [round(value, digits) for value in (min(values), statistics.median(values), max(values))]


def ratios(totals):
    """Of one round."""
    limit = totals["empty"] + totals["sg"]
    return {"share over empty + sg": (totals["ours"] - limit) / limit,
            **{f"ours / {other}": totals["ours"] / totals[other]
               for other in ("iblock on dm, bio", "iblock on dm, rq", "empty", "qcow")}}


def summary(rounds):
    """{cell: figures with their spread}"""
    result = {}
    for cell in CELLS:
        totals = [{name: sum(threads.values()) for name, threads in figures[cell].items()}
                  for figures in rounds]
        of_rounds = [ratios(one) for one in totals]
        result[title(cell)] = {
            "instructions": {name: spread([one[name] for one in totals], 0) for name in CONTENDERS},
            "ratios": {name: spread([one[name] for one in of_rounds], 4) for name in of_rounds[0]}}
    return result


def breakdown(contender, name, cell):
    """{"threads": {thread: instructions for each command},
        "places": {"thread, program file or module of the kernel": the same}}"""
    threads = measure(name, contender, cell)
    with loaded(contender, cell):
        with profile.Profile() as sampled:
            time.sleep(2 * SECONDS)
    total = sum(threads.values())
    return {"threads": {thread: round(n) for thread, n in threads.items()},
            "places": {", ".join(where): round(share * total) for where, share in sampled.shares()
                       if share > 0.005}}


@contextlib.contextmanager
def all_contenders():
    """All Contenders, whose empty handler says at its end how many commands it has had."""
    with contextlib.ExitStack() as undo:
        made = Contenders(undo)
        yield made
        sent = made.of["empty"].commands
    line = made.daemon.wait_log("answered")
    expect(int(line.split("answered ")[1].split()[0]) > 0.9 * sent > 1000,
           f"the empty handler has not had most of {sent} commands: {line}")
    note(f"{sent} commands sent to it, {line.split(': ')[-1]}")


FIGURES: dict = {}


def save(**figures):
    FIGURES.update(figures)
    with open(os.path.join(case.OUT, "figures.json"), "w") as f:
        json.dump(FIGURES, f, indent=1)


@limit(2900)
def test_commands():
    """How many for each command."""
    with all_contenders() as contenders:
        rounds = [one_round(contenders) for _ in range(ROUNDS)]
    save(rounds=ROUNDS, cells=summary(rounds))


@limit(2900)
def test_breakdown():
    """Where they are."""
    with all_contenders() as contenders:
        found = {}
        for cell in PROFILED:
            found[title(cell)] = of_cell = {}
            for name in reversed(CONTENDERS):       # ours first
                of_cell[name] = breakdown(contenders.of[name], name, cell)
                note(f"{title(cell)}, {name}: {of_cell[name]}")
                save(breakdown=found)


if __name__ == "__main__":
    case.main()
