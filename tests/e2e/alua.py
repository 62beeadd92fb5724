# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: late
"""ALUA for real: LIO's target port groups, the kernel's scsi_dh_alua beside us, fio with verify throughout.

Initiators move a LUN (SET TARGET PORT GROUPS), the array moves it, takes its time for that, or takes
groups out of service.  Nothing of it may reach our initiator: no error, no miscompare.

LIO never takes a group's state away because another one becomes optimized, as arrays with one owner
do: move() and one_owner() play that part.
"""

import datetime
import os
import statistics
import threading
import time

from lib import case, cuts, fio, topology
from lib.case import count, defer, expect, expect_equal, expect_in_time, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import read, wait_for, write

OPTIMIZED, NON_OPTIMIZED, STANDBY, UNAVAILABLE, TRANSITIONING = 0, 1, 2, 3, 15
IMPLICIT, EXPLICIT = 1, 3

# So soon I/O must have followed when the array has moved the LUN.
FOLLOWS_SECONDS = 1.0

TRANSITION_SECONDS = 20

# In MiB/s for each direction: enough that each path shows at once whether it carries load.
RATE = 6


def start_runner():
    runner = Runner()
    defer(runner.end)
    return runner.start()


def map_of(made, name, **keys):
    """A map by our own policies."""
    # What is held may have to wait for a transition: the kernel must not answer it meanwhile.
    m = Map(made.paths, name, listed=True, attributes={"cmd_time_out": 0}, **keys)
    try:
        m.wait_in_use(*[path for path in made.paths if path.alua_state < STANDBY])
    except BaseException:
        m.delete()
        raise
    return m


def map_over(made, name="alua", **keys):
    """The same over a topology that is taken down after it."""
    defer(made.teardown)
    m = map_of(made, name, **keys)
    defer(m.delete)
    return m


def load_on(m, seconds, rate=RATE, **options):
    load = fio.Fio(m, seconds, rate=rate, **options)
    defer(load.kill)
    return load.wait_load(seconds=60)     # the fourth of four, on one emulated CPU


def lasting(m, load, left, usual, most):
    """A load for what is left to be done, of which each takes so many seconds: this one, if it lasts for the
    next of it on a busy machine, too, or else another one, when this one has verified all."""
    if load:
        if load.begin + load.seconds - time.monotonic() >= most:
            return load
        finish(load)
    return load_on(m, most + usual * left)


def finish(*loads):
    """They have lasted as long as the story, and are clean.  Returns their results."""
    for load in loads:
        expect_in_time(load.running, f"the load on {load.device} ended before the story")
    results = [load.finish() for load in loads]
    for result in results:
        note(f"{result!r}")
        expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
    return results


def state(path):
    return int(read(path.group + "/alua_access_state"))


def set_state(path, new):
    write(path.group + "/alua_access_state", new)


def failures(m):
    """How often each path has failed."""
    words = m.status().split()
    return {path: int(words[words.index(path.devno) + 2]) for path in m.paths}


def used(m):
    """The paths of the priority group in use."""
    return next((devnos for state, devnos in m.groups() if state == "A"), [])


# --- the initiator moves the LUN ----------------------------------------------------------------

# A path is lost, or its group leaves it nothing to do.
LOSSES = (cuts.TRANSPORT_STATUS, cuts.ALUA_UNAVAILABLE, cuts.ALUA_OFFLINE, cuts.ALUA_STANDBY,
          cuts.DEVICE_STATE)


def one_owner(owner, other):
    """As an array with one owner would have done it by itself, at once: before the other one is back."""
    set_state(other, STANDBY)
    other.alua_state = STANDBY      # this is what a cut restores
    owner.alua_state = OPTIMIZED


def lose_groups(made, losses):
    """The group in use is lost: the other one, in standby, is activated by SET TARGET PORT GROUPS."""
    start_runner()
    m = map_over(made, grouping="failover")
    expect(m.status("table").split("1 alua")[1:], f"no handler alua: {m.status('table')}")
    m.wait_in_use()
    load = None
    for i, cut in enumerate(losses):
        load = lasting(m, load, len(losses) - i, usual=1.5, most=5)
        here, there = made.paths[i % 2], made.paths[1 - i % 2]
        here.wait_load()
        expect_equal(state(there), STANDBY, f"{there} before {here} is lost")
        with cut.on(here):
            there.wait_load()
            expect_equal((state(there), read(there.group + "/alua_access_status")),
                         (OPTIMIZED, "Altered by Explicit STPG"), f"{there} after {cut} of {here}")
            one_owner(there, here)
        m.wait_in_use()         # a path in standby is one in use, too
    finish(load)


def test_explicit_activation():
    lose_groups(topology.LioLoopback(states=[OPTIMIZED, STANDBY], access=EXPLICIT), LOSSES * count(1, 8))


def test_explicit_activation_iscsi():
    lose_groups(topology.Iscsi(states=[OPTIMIZED, STANDBY], access=EXPLICIT),
                (cuts.ALUA_UNAVAILABLE, cuts.ALUA_OFFLINE, cuts.DEVICE_STATE) * count(1, 8))


# --- the array moves the LUN --------------------------------------------------------------------

def leaves_in(state):
    """A move: the group that is left is in this state, and the other one optimized."""
    def change_states(here, there):
        set_state(there, OPTIMIZED)
        set_state(here, state)
    return change_states


def exchange_ports(here, there):
    """A move without a change of states: the ports change places in the groups."""
    here.group, there.group = there.group, here.group
    for path in here, there:
        write(path.target.tpgt + "/lun/lun_0/alua_tg_pt_gp", os.path.basename(path.group))


def seconds_until_used(m, path):
    """This path, and no other, and commands are seen there."""
    begin = time.monotonic()
    wait_for(lambda: used(m) == [path.devno], 10, f"{path} alone in use")
    path.wait_load()
    return time.monotonic() - begin


def follow(made, moves):
    """The array moves the LUN in these ways; I/O must have followed within a second.

    To see that takes its time also where nothing moves: that comes on top.  A port in another group is
    as good as another port: its path is identified anew first, which takes longer.
    """
    start_runner()
    m = map_over(made, grouping="group_by_prio", failback="manual")
    load = None
    before, after = [], []
    for i, move in enumerate(moves):
        load = lasting(m, load, len(moves) - i, usual=3, most=8)
        here, there = made.paths[i % 2], made.paths[1 - i % 2]
        before.append(seconds_until_used(m, here))
        move(here, there)
        seconds = seconds_until_used(m, there)
        if move is exchange_ports:
            note(f"{made.name}: ports have changed places, I/O has followed after {seconds:.2f} s")
        else:
            after.append(seconds)
        # Groups are formed anew once in a second at most: an array that moves a LUN twice flaps.
        time.sleep(1)
    text = f"{made.name}: I/O has followed after " + ", ".join(f"{s:.2f}" for s in after)
    text += f" s, to see that takes {statistics.median(before):.2f} s"
    note(text)
    finish(load)
    expect_in_time(statistics.median(after) <= FOLLOWS_SECONDS + statistics.median(before), text)


MOVES = (leaves_in(STANDBY), leaves_in(NON_OPTIMIZED))
MORE_MOVES = (leaves_in(UNAVAILABLE), leaves_in(NON_OPTIMIZED))


def test_implicit_change():
    """Whatever the group that was left is good for now; and where a port moves to another group."""
    follow(topology.LioLoopback(states=[OPTIMIZED, STANDBY], access=IMPLICIT),
           count(MOVES, MORE_MOVES * 20) + (exchange_ports, exchange_ports))


def test_implicit_change_iscsi():
    follow(topology.Iscsi(states=[OPTIMIZED, STANDBY], access=IMPLICIT), MOVES * count(1, 20))


# --- it takes its time --------------------------------------------------------------------------

def slow_group(path):
    write(path.group + "/trans_delay_msecs", TRANSITION_SECONDS * 1000)
    write(path.group + "/implicit_trans_secs", TRANSITION_SECONDS + 10)     # what it announces


def moves_slowly(path):
    """The array begins to move the path's group, and takes its time.  Returns at once."""
    transition = threading.Thread(target=set_state, args=(path, NON_OPTIMIZED))
    transition.start()
    defer(transition.join)


def test_transitions():
    """A long "transitioning": where the array moves a group, and where we have asked it to.

    Commands wait, no path fails for it, and all goes on when it is over.  All at once: each is a LUN of
    its own.
    """
    start_runner()
    moved = [topology.LioLoopback(states=[OPTIMIZED, STANDBY], access=IMPLICIT, name="moved"),
             topology.Iscsi(states=[OPTIMIZED, STANDBY], access=IMPLICIT, name="imoved")]
    asked = topology.LioLoopback(states=[OPTIMIZED, STANDBY], access=EXPLICIT, name="asked")
    maps = [map_over(made, made.backstore.name, grouping="group_by_prio") for made in moved]
    maps.append(map_over(asked, "asked"))
    loads = [load_on(m, TRANSITION_SECONDS + 12, rate=3) for m in maps]
    slow = [made.paths[0] for made in moved] + [asked.paths[1]]
    for path in slow:
        slow_group(path)
    before = [failures(m) for m in maps]

    begin = time.monotonic()
    for made in moved:
        moves_slowly(made.paths[0])
    with cuts.TRANSPORT_STATUS.on(asked.paths[0]):
        for path in slow:
            wait_for(lambda path=path: state(path) == TRANSITIONING, 5, f"{path} in transition")
        for path in slow:
            wait_for(lambda path=path: state(path) != TRANSITIONING, TRANSITION_SECONDS + 5,
                     f"the end of {path}'s transition")
        over = time.monotonic()
        asked.paths[1].wait_load()
    for made in moved:
        made.paths[0].wait_load()
    note(f"the transitions took {over - begin:.1f} s, I/O went on {time.monotonic() - over:.1f} s later")

    before[-1][asked.paths[0]] += 1     # it was cut
    for m, result, then in zip(maps, finish(*loads), before):
        stall = max(result.stalls(begin, over))
        text = f"{m.name}: a stall of {stall:.1f} s in {TRANSITION_SECONDS} s of transition"
        note(text)
        expect(stall >= TRANSITION_SECONDS - 2, text)
        expect_in_time(stall <= TRANSITION_SECONDS + 5, text)
        expect_equal(failures(m), then, f"failures of {m.name}'s paths")


# --- and back -----------------------------------------------------------------------------------

POLICIES = ("immediate", "manual", "followover", "2")
FAILBACK_STATES = (OPTIMIZED, OPTIMIZED, NON_OPTIMIZED)
SEEN_SECONDS = 4.0      # after that no failback is to be expected any more
BACK = "failback to priority group 1"       # as the log says it


class Story:
    """A LUN with two optimized paths in one group and a third that is not, and its failback.

    When a path was up and when I/O went back says the log: who asks four maps in turn sees both late.
    A line of the log may be late itself, never early.
    """

    def __init__(self, runner, policy, made, m, cut):
        self.runner = runner
        self.policy = policy
        self.m = m
        self.cut = cut
        self.first, self.second, self.third = made.paths

    def is_back(self):
        return self.first.devno in used(self.m)

    def restore(self, path):
        self.lines_before = len(self.lines())
        self.up_seen = None
        self.still_down = time.time()
        self.restored = path
        self.cut.restore(path)

    def look(self):
        """Has all been seen that is to be expected?"""
        if self.up_seen is None:
            now = time.time()
            if self.m.in_use(self.restored):
                self.up_seen = time.monotonic()
            else:
                self.still_down = now
        return self.up_seen and (self.is_back() or time.monotonic() > self.up_seen + SEEN_SECONDS)

    def lines(self):
        return [line for line in self.runner.log().splitlines() if f" {self.m.name}: " in line]

    def when(self, text):
        """The time of the first line since restore() with this text, in seconds; None: there is none."""
        for line in self.lines()[self.lines_before:]:
            if text in line:
                return datetime.datetime.fromisoformat(line[:23]).timestamp()
        return None

    def expect_never_back(self, what):
        what = f"failback {self.policy}, {what}"
        expect(not self.is_back() and self.when(BACK) is None, f"{what}: I/O is back")
        note(f"{what}: never")

    def expect_back(self, what, least, most):
        """In seconds, after the restored path is up."""
        what = f"failback {self.policy}, {what}"
        expect_in_time(self.is_back(), f"{what}: I/O is not back")
        back = wait_for(lambda: self.when(BACK), 10, f"the log of {what}")
        expect(back - self.still_down >= least,
               f"{what}: {back - self.still_down:.2f} s after the path was still down, not {least}")
        up = self.when(f"path {self.restored.sd}: reinstated")
        expect(up is not None, f"{what}: {self.restored} is up, and the log does not say so")
        after = back - up
        note(f"{what}: after {after:.2f} s")
        expect_in_time(after <= most, f"{what}: after {after:.2f} s, not {most}")


def wait_checked(path):
    """A check has found it down: followover counts no loss that only commands have noticed."""
    def errors():
        return int(read(path.device + "/ioerr_cnt"), 16)
    before = errors()       # nothing but checks goes there any more
    wait_for(lambda: errors() > before or read(path.device + "/state").strip() != "running", 20,
             f"a check of {path}")


def watch(stories):
    """All at once, until the slowest failback would have been seen."""
    wait_for(lambda: all([story.look() for story in stories]), 30, "the restored paths are up")


def lose_and_restore(stories, loads):
    """When the better group's first path is up, and for some, when its second one is."""
    wanted = {"immediate": (0, 1.0), "followover": (0, 1.0), "2": (1.9, SEEN_SECONDS)}

    for story in stories:
        expect(story.is_back(), f"{story.policy} does not begin with the optimized group")
        for path in story.first, story.second:
            story.cut.cut(path)
    for story in stories:
        story.third.wait_load()
        wait_checked(story.first)
    for story in stories:
        story.restore(story.first)
    watch(stories)
    for story in stories:
        what = "the first path of the group is up"
        if story.policy in wanted:
            story.expect_back(what, *wanted[story.policy])
        else:
            story.expect_never_back(what)

    # The others would not stay for long where the administrator wants them.
    patient = [story for story in stories if story.policy in ("manual", "followover")]
    for story in patient:
        story.m.message("switch_group", "2")
        story.third.wait_load()
    for story in patient:
        story.restore(story.second)
    watch(patient)
    for story in patient:
        story.expect_never_back("another path of the group is up")
        story.third.wait_load()

    finish(*loads)


def test_failback():
    """Each policy, all at once."""
    runner = start_runner()
    stories = []
    for policy in POLICIES:
        made = topology.LioLoopback(3, 32, FAILBACK_STATES, name="lun-" + policy, access=IMPLICIT)
        m = map_over(made, "failback-" + policy, grouping="group_by_prio", failback=policy)
        stories.append(Story(runner, policy, made, m, cuts.TRANSPORT_STATUS))
    lose_and_restore(stories, [load_on(story.m, 30, rate=1, bs="512-64k") for story in stories])


def test_failback_iscsi():
    """Where a path is lost with its connection, and comes back with a login."""
    runner = start_runner()
    for policy in count(("2",), POLICIES):
        with topology.Iscsi(3, 32, states=FAILBACK_STATES, access=IMPLICIT) as made, \
                map_of(made, "failback-" + policy, grouping="group_by_prio", failback=policy) as m:
            load = load_on(m, 40, rate=1, bs="512-64k")
            lose_and_restore([Story(runner, policy, made, m, cuts.NFT_RESET)], [load])


if __name__ == "__main__":
    case.main()
