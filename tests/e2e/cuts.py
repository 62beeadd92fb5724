# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -s 2 -t 1500 late
"""Paths are cut under load, each in turn, in every way there is (measure 2 of the first issue).

fio runs with verify on our LUN while each path is cut and restored.  Nothing of it may reach the
initiator: no error, no miscompare.  A path must be in use again within 2 s of being usable, where a
TEST UNIT READY on the bare path is the judge of usable.

Where the transport reports a loss at once, the stall is compared with that of the kernel's
dm-multipath under the same load over the same paths, and with how long our LUN stalls when nothing
is cut at all, because a CPU that is emulated on a busy machine stalls by itself.  A stall is how long a
read took, or a time without the end of a write (lib/fio.py).  What counts is the
median over all cuts of a kind: at most 3 times the longer of the two, or of 0.1 s.  A kind that was
slower is done twice more before it is believed, and all its cuts count.  A write that is lost waits for
its fence besides, by so much it may be longer; with fence=none it may not.
"""

import contextlib
import statistics
import time

from lib import case, cuts, dm, fio, topology
from lib.case import count, defer, expect, expect_in_time, limit, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import wait_for, write

BACK_SECONDS = 2.0
TIMES_WORSE = 3
# What is less nobody can tell from what emulated CPUs do by themselves.
STALL_SECONDS = 0.1

# In MiB/s for each direction: what an emulated CPU that is shared can do with time to spare.
RATE = 12

# How long a run of fio is at most; what a cut takes as a rule, and at most while there is load.
ROUND_SECONDS = 40
RULE_SECONDS = {True: 2.5, False: 6}
CUT_SECONDS = {True: 4, False: 12}


class NoCut(cuts.Cut):
    """The control: everything that a cut does but the cut."""
    name = "none"

    def cut(self, path):
        pass

    restore = cut


NO_CUT = NoCut()


class Event:
    """One cut, by the clock."""

    def __init__(self, cut, path):
        self.cut = cut
        self.path = path
        self.begin = time.monotonic()


@contextlib.contextmanager
def restored(cut, path):
    """Cuts path; restore() is called by the body, and in any case at the end."""
    done = []

    def restore():
        if not done:
            done.append(True)
            cut.restore(path)

    cut.cut(path)
    try:
        yield restore
    finally:
        restore()


def wait_failed(subject, paths, seconds=20):
    wait_for(lambda: all(subject.path_states().get(path.devno) != "A" for path in paths), seconds,
             f"{paths} failed in the map")


def one_cut(subject, cut, index):
    """Cuts the path that carries the load and waits until it is back.  Returns the Event."""
    path = subject.paths[index]
    others = [other for other in subject.paths if other is not path]
    subject.message("switch_group", str(index + 1))
    path.wait_load(10)

    event = Event(cut, path)
    if cut is NO_CUT:
        path.wait_load(30)
        event.end = time.monotonic()
        return event
    with restored(cut, path) as restore:
        wait_failed(subject, subject.paths if cut.all_paths else [path])
        if cut.at_once:         # else all that fio has to send may be writes that hang
            others[0].wait_load(20)
        event.restored = time.monotonic()
        restore()
    subject.relink()
    for path in subject.paths if cut.all_paths else [path]:
        cuts.wait_usable(path, 60)
        usable = time.monotonic()
        wait_for(lambda: subject.path_states().get(path.devno) == "A", 15, f"{path} in use")
        event.back = time.monotonic() - usable
    event.end = time.monotonic()
    return event


def plan_of(made, times, at_once_only=False):
    """Each cut on each path in turn, so many times; first the control."""
    kinds = [cut for cut in made.cuts() if cut.at_once or not at_once_only]
    plan = [(NO_CUT, index) for index in range(len(made.paths))] * max(times, 2)
    for cut in kinds:
        # Not one of the cuts, but the one hang of a single path that these topologies have.
        rounds = max(times // 2, 1) if cut is cuts.HOST_RECOVERY else times
        plan += [(cut, index) for index in range(len(made.paths))] * rounds
    return plan


def cut_all(subject, plan):
    """Goes through the plan under load, in as many runs of fio as it takes.  Returns the Events."""
    events = []
    while plan:
        wanted = sum(RULE_SECONDS[cut.at_once] for cut, _ in plan)
        last = plan[-1][0].at_once
        wanted += CUT_SECONDS[last] - RULE_SECONDS[last]
        load = fio.Fio(subject, min(wanted, ROUND_SECONDS), rate=RATE)
        round_begin = len(events)
        try:
            load.wait_load()
            while plan:
                cut, index = plan[0]
                left = load.begin + load.seconds - time.monotonic()
                if left < CUT_SECONDS[cut.at_once] and len(events) > round_begin:
                    break
                plan.pop(0)
                events.append(one_cut(subject, cut, index))
                expect(load.running, f"the load ended before {cut} of {subject.paths[index]}")
            result = load.finish()
        except BaseException:
            load.kill()
            note(subject.status())
            raise
        note(f"{type(subject).__name__}: {len(events) - round_begin} cuts under {result!r}")
        expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
        for event in events[round_begin:]:
            event.stalls = result.stalls(event.begin, event.end)
    return events


def by_kind(events):
    kinds = {}
    for event in events:
        kinds.setdefault(event.cut, []).append(event)
    return kinds


def medians(events):
    """The median stall of the reads, and of the writes."""
    return [statistics.median(event.stalls[i] for event in events) for i in range(2)]


def longest(events):
    return [max(event.stalls[i] for event in events) for i in range(2)]


def report(title, events):
    for cut, some in by_kind(events).items():
        text = " | ".join(f"{event.stalls[0]:.2f} {event.stalls[1]:.2f}" for event in some)
        back = ", ".join(f"{event.back:.2f}" for event in some if cut is not NO_CUT)
        note(f"{title} {cut.name}: stalls read, write {text}" + (f"; back after {back} s" if back else ""))


def check_back(events):
    for event in events:
        if event.cut is not NO_CUT:
            expect_in_time(event.back <= BACK_SECONDS,
                           f"{event.path} is in use {event.back:.2f} s after it was usable, after "
                           f"{event.cut}")


def judged_stalls(ours, reference, fence_seconds):
    """{cut: [(within the bound, text) of reads, of writes]}, of those cuts that are compared."""
    control = medians([event for event in ours if event.cut is NO_CUT])
    reference = by_kind(reference)
    judged = {}
    for cut, events in by_kind(ours).items():
        if not cut.at_once or cut is NO_CUT:
            continue
        stalls, theirs = medians(events), medians(reference[cut])
        most, their_most = longest(events), longest(reference[cut])
        judged[cut] = []
        for i, what in enumerate(("reads", "writes")):
            bound = TIMES_WORSE * max(theirs[i], control[i], STALL_SECONDS)
            bound += fence_seconds if i else 0
            judged[cut].append((
                stalls[i] <= bound,
                f"{cut.name}, {what}: stall {stalls[i]:.3f} s, dm-multipath {theirs[i]:.3f} s, "
                f"without a cut {control[i]:.3f} s; the longest {most[i]:.3f} and {their_most[i]:.3f} s"))
    return judged


def check_stalls(subject, ours, reference, fence_seconds):
    """The machine's own stall in one of two cuts moves the median of their kind: so it is done again."""
    judged = judged_stalls(ours, reference, fence_seconds)
    slow = [cut for cut, verdicts in judged.items() if not all(good for good, _ in verdicts)]
    if slow:
        note(f"measured again: {', '.join(cut.name for cut in slow)}")
        more = cut_all(subject, [(cut, index) for cut in slow for index in range(len(subject.paths))] * 2)
        report("tcmu-mpath, again", more)
        check_back(more)
        judged = judged_stalls(ours + more, reference, fence_seconds)
    for good, text in sum(judged.values(), []):
        note(text)
        expect_in_time(good, text)


# What dm-multipath did, of each topology: one measure for all that is compared with it.
_references = {}


def reference_on(made, times):
    kind = type(made)
    if kind not in _references:
        with dm.Multipath(made.paths, reinstate=0.25) as subject:
            _references[kind] = cut_all(subject, plan_of(made, times, at_once_only=True))
        report("dm-multipath", _references[kind])
    return _references[kind]


def measure(made, times=count(2, 10), at_once_only=False, **keys):
    """The whole measure on one topology."""
    defer(made.teardown)
    reference = reference_on(made, max(times // 2, 1))

    runner = Runner()
    defer(runner.end)
    runner.start()
    # A path that hangs without a word is found by its checks: these would take most of the time.
    subject = Map(made.paths, attributes={"cmd_time_out": 0}, polling_interval_ms=1000,
                  checker_timeout_ms=1000, **keys)
    defer(subject.delete)
    subject.wait_in_use()
    ours = cut_all(subject, plan_of(made, times, at_once_only))
    report("tcmu-mpath", ours)
    check_back(ours)
    fenced = keys.get("fence") != "none"
    check_stalls(subject, ours, reference, subject.fence_ms / 1000 if fenced else 0)


@limit(count(600, 3000))
def test_lio_loopback():
    measure(topology.LioLoopback())


@limit(count(600, 3000))
def test_without_fence():
    measure(topology.LioLoopback(), times=count(1, 10), at_once_only=True, fence="none")


@limit(count(600, 3000))
def test_scsi_debug():
    measure(topology.ScsiDebug(timeout=3), path_timeout_ms=3000)


@limit(count(600, 3000))
def test_iscsi():
    # So that the socket of a lost connection is done with after 0.6 s, not 102 s.
    write("/proc/sys/net/ipv4/tcp_orphan_retries", "1")
    defer(write, "/proc/sys/net/ipv4/tcp_orphan_retries", "0")
    measure(topology.Iscsi(replacement_timeout=2, noop_timeout=1), fence_time_ms=1000)


if __name__ == "__main__":
    case.main()
