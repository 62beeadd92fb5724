# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: --icount -t 3400 long
"""Paths that are lost, hang, or become slow, beside dm-multipath with multipathd (measure 4 of issue 6).

Each run is a load on a LUN with two paths, fio reading and fio writing, in which one path breaks after
some seconds of health and is restored later.  Contenders take turns over the same devices.  What is told
of a run is what happened from the break to the restoration: a command that it holds up counts with all
that it took.

A second here is 10^9 instructions of a guest with one CPU, and what waits costs none.  So a busy
machine, which would make an emulated guest stall by itself for longer than a failover takes, is not in
the figures.  A command takes some milliseconds, those of its path's device, when all is well.

tests/bench/report puts the figures, which are left in /out/figures.json, into results.json.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "tests", "e2e"))

from lib import case, cuts, dm, fio, mpath, system              # noqa: E402
from lib.case import count, defer, expect, limit, note          # noqa: E402
from lib.runner import Runner                                   # noqa: E402
from lib.system import wait_for                                 # noqa: E402
from guest import ways                                          # noqa: E402

ROUNDS = count(1, 3)
HEALTHY_SECONDS = count(2, 5)
DEPTH = 4           # of the reads, and of the writes
FENCE_MS = 2000
CONFIG = "/etc/multipath.conf"

# --- contenders -----------------------------------------------------------------------------------


class Theirs:
    """The kernel's dm-multipath, in the hands of multipathd: .dev."""

    def __init__(self, paths, defaults=(), overrides=()):
        self.paths = paths
        with open(CONFIG, "w") as f:
            # Without find_multipaths it takes only what somebody has told it to take.
            for section, lines in (("defaults", ("find_multipaths no", *defaults)),
                                   ("blacklist", ('devnode "^(vd|ram|dm-)"',)), ("overrides", overrides)):
                f.write("\n\t".join((f"{section} {{", *lines)) + "\n}\n")
        # To udev they may still be ours.
        system.run("udevadm", "trigger", "--action=change", "--settle", *(path.dev for path in paths))
        self.name = paths[0].wwid
        self.dev = f"/dev/mapper/{self.name}"
        self.process = subprocess.Popen(["multipathd", "-d", "-s", "-v", "1"], stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: os.path.exists(self.dev) and self.status().count(" A ") >= len(paths), 60,
                     "multipathd's map")
        except BaseException:
            self.delete()
            raise

    def status(self):
        return dm.dmsetup("status", self.name, check=False)

    def table(self):
        return dm.dmsetup("table", self.name).strip()

    def delete(self):
        self.process.terminate()
        self.process.wait(30)
        if os.path.exists(self.dev):
            dm.dmsetup("message", self.name, "0", "fail_if_no_path", check=False)
            dm.dmsetup("remove", "--retry", self.name)


class Ours:
    def __init__(self, paths, **keys):
        keys = {"fence_time_ms": FENCE_MS, "failback": "immediate", "grouping": "group_by_prio", **keys}
        self.map = mpath.Map(paths, listed=True, attributes={"cmd_time_out": 0}, **keys)
        self.delete = self.map.delete
        try:
            self.map.wait_in_use(seconds=60)
        except BaseException:
            self.delete()
            raise
        self.dev = self.map.dev

    def table(self):
        return self.map.status("table")


# What an administrator who wants it quick would say: overrides of multipathd, and our keys.
THEIR_BEST = {
    "defaults": ("polling_interval 1", "max_polling_interval 1", "checker_timeout 1"),
    "overrides": ("path_grouping_policy multibus", 'path_selector "queue-length 0"', "path_checker directio",
                  "no_path_retry queue", "fast_io_fail_tmo 1", "failback immediate")}
OUR_BEST = {"selector": "queue-length 0", "path_checker": "directio", "polling_interval_ms": 1000,
            "checker_timeout_ms": 1000, "slow_path_factor": 3}
# And what our map can do beyond that for reads; with the ticks of a guest, 4 times slower may be 3.25 times.
HEDGED = {**OUR_BEST, "slow_path_factor": 2, "hedged_reads": 5}

CONTENDERS = {
    "multipathd": Theirs,
    "multipathd, tuned": lambda paths: Theirs(paths, **THEIR_BEST),
    "ours": Ours,
    "ours, tuned": lambda paths: Ours(paths, **OUR_BEST),
    "ours, hedged": lambda paths: Ours(paths, **HEDGED),
    "ours, tuned, fence=none": lambda paths: Ours(paths, fence="none", **OUR_BEST),
}

# --- scenarios ------------------------------------------------------------------------------------


class Scenario:
    """What befalls the path in use, and for how long.

    base_ms is what a path's device takes when all is well, a multiple of a tick of the guest's kernel;
    bare_ms what a read takes at least on the path when it is slow.
    """

    def __init__(self, name, cut, seconds, base_ms=4, bare_ms=None):
        self.name = name
        self.cut = cut
        self.seconds = seconds
        self.base_ms = base_ms
        self.bare_ms = bare_ms


# --- one run --------------------------------------------------------------------------------------


class Run:
    """What fio saw of one direction, between two moments of time.monotonic()."""

    def __init__(self, result, direction, begin, end):
        self.errors = result.errors
        first, last = (1000 * (moment - result.begin) for moment in (begin, end))
        took = sorted(result.took[direction])
        self.held = [ms for ended, ms in took if ended >= first and ended - ms <= last]
        ends = [ended for ended, _ in took]
        self.iops = sum(first <= ended <= last for ended in ends) / (end - begin)
        self.gap = max((b - a for a, b in zip(ends, ends[1:]) if b >= first and a <= last), default=0)

    def percentile(self, part):
        ordered = sorted(self.held)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0

    def figures(self):
        return {"errors": self.errors, "iops": round(self.iops, 1), "longest gap, ms": round(self.gap, 1),
                "longest, ms": round(max(self.held, default=0), 1),
                **{f"p{100 * part:g}, ms": round(self.percentile(part), 2) for part in (0.5, 0.99, 0.999)},
                "commands": len(self.held)}


def path_in_use(paths):
    """The one that carries more."""
    before = [path.requests for path in paths]
    wait_for(lambda: sum(path.requests for path in paths) > sum(before) + 100, 60, "load on the paths")
    return max(paths, key=lambda path: path.requests - before[paths.index(path)])


def expect_broken(scenario, path):
    """The path really is what the scenario says."""
    if scenario.bare_ms:
        took = statistics.median(ways.bare_read_ms(path) for _ in range(3))
        expect(took >= scenario.bare_ms, f"a read on the slow path takes {took:.1f} ms")
    elif scenario.cut.at_once:
        wait_for(lambda: path.in_flight == 0, 5, f"{path} without commands")
    else:
        answered = path.requests - path.in_flight
        wait_for(lambda: path.in_flight > 0, 5, f"commands held by {path}")
        time.sleep(0.5)
        expect(path.requests - path.in_flight <= answered + 2 * DEPTH, f"{path} answers")


def one_run(scenario, subject, paths):
    """{"reads": {"healthy": Run, "broken": Run}, "writes": ...}"""
    seconds = HEALTHY_SECONDS + scenario.seconds + 3
    load = fio.Fio(subject.dev, seconds, bs="4k", verify=None, norandommap=1, iodepth=DEPTH,
                   jobs={"reads": {"rw": "randread"}, "writes": {"rw": "randwrite"}})
    try:
        path = path_in_use(paths)
        begin = time.monotonic()
        time.sleep(HEALTHY_SECONDS)
        with scenario.cut.on(path):
            cut = time.monotonic()
            expect_broken(scenario, path)
            time.sleep(max(cut + scenario.seconds - time.monotonic(), 0))
            restored = time.monotonic()
        result = load.finish()
    except BaseException:
        load.kill()
        raise
    return result, {what: {"healthy": Run(result, direction, begin + 0.5, cut - 0.1),
                           "broken": Run(result, direction, cut, restored)}
                    for what, direction in (("reads", "0"), ("writes", "1"))}, (cut, restored)


def measure(scenario, contender, made, lines):
    """The figures of one contender in one scenario; its course goes to lines."""
    made.set(scenario.base_ms)
    for path in made.paths:
        cuts.wait_usable(path, 60)      # again, after the contender before
    subject = CONTENDERS[contender](made.paths)
    try:
        note(f"{contender}: {subject.table()}")
        result, runs, moments = one_run(scenario, subject, made.paths)
    finally:
        subject.delete()
    lines[scenario.name, contender] = {
        "cut": [moment - result.begin for moment in moments],
        "reads": thin(result.took["0"]), "writes": thin(result.took["1"])}
    figures = {what: {state: run.figures() for state, run in both.items()} for what, both in runs.items()}
    for what, both in figures.items():
        note(f"{scenario.name}, {contender}, {what}: healthy {both['healthy']}, broken {both['broken']}")
    return figures


def thin(took):
    """[(second, the worst ms of a twentieth of a second)]: enough for a plot."""
    worst = {}
    for ended, ms in took:
        worst[int(ended // 50)] = max(worst.get(int(ended // 50), 0), ms)
    return [(round(at / 20, 2), round(ms, 1)) for at, ms in sorted(worst.items())]


class Figures:
    """Of all cases: .rounds, a {scenario: {contender: figures}} of each; .lines, the course of a run."""

    def __init__(self):
        self.rounds = [{} for _ in range(ROUNDS)]
        self.lines = {}

    def save(self):
        with open(os.path.join(case.OUT, "figures.json"), "w") as f:
            json.dump({"rounds": self.rounds,
                       "lines": [[*key, line] for key, line in self.lines.items()]}, f)


FIGURES = Figures()


def measure_all(make, scenario, contenders):
    """Contenders take turns on the paths that make() gives."""
    system.start_udev()
    runner = Runner()
    defer(runner.end)
    runner.start(seconds=60)
    defer(lambda: os.path.exists(CONFIG) and os.unlink(CONFIG))
    made = make()
    defer(made.teardown)
    system.settle_udev()
    for figures, contender in itertools.product(FIGURES.rounds, contenders):
        figures.setdefault(scenario.name, {})[contender] = measure(scenario, contender, made, FIGURES.lines)
        FIGURES.save()


ALL = tuple(CONTENDERS)
NO_LOSS = ALL[:-1]


@limit(1500)
def test_reported_loss():
    measure_all(ways.Ways, Scenario("reported loss", cuts.TRANSPORT_STATUS, 4), ALL)


@limit(1500)
def test_30_ms():
    slow = ways.Slow("+30 ms", ways.delay(34))
    measure_all(ways.Ways, Scenario("+30 ms", slow, 8, bare_ms=34), NO_LOSS)


@limit(1500)
def test_stalls():
    stalls = ways.Slow("stalls", ways.delay(4, 0, ways.SECTORS - ways.RARE),
                       ways.delay(54, ways.SECTORS - ways.RARE, ways.RARE))
    measure_all(ways.Ways, Scenario("1 % stalls of 50 ms", stalls, 8, bare_ms=54), NO_LOSS)


@limit(1500)
def test_slower():
    slow = ways.Slow("4 times slower", ways.delay(48))
    measure_all(ways.Ways, Scenario("4 times slower", slow, 8, base_ms=12, bare_ms=48), NO_LOSS)


@limit(1500)
def test_hung_command():
    measure_all(ways.Ways, Scenario("hung command", ways.Hung(), 12), NO_LOSS)


@limit(1500)
def test_dropped_packets():
    """With open-iscsi's own times, but for replacement_timeout, which multipathd would set, too."""
    measure_all(lambda: ways.Iscsi(replacement_timeout=5, noop_seconds=5, noop_timeout=5),
                Scenario("dropped packets", cuts.NFT_DROP, 20), ("multipathd", "ours", "ours, hedged"))


@limit(1500)
def test_dropped_packets_quick():
    measure_all(lambda: ways.Iscsi(replacement_timeout=1, noop_seconds=1, noop_timeout=1),
                Scenario("dropped packets, tuned", cuts.NFT_DROP, 8), ALL[1:2] + ALL[3:])


if __name__ == "__main__":
    case.main()
