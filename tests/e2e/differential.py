# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -m 2048 -t 900
"""Our map and the kernel's dm-multipath on twin LUNs, driven by one process: the same tables are taken
or refused, the same messages and the same losses of paths lead to the same status lines.

The reference is the dm-multipath of the guest's kernel.  Paths are not checked by anybody (checker
"none"; no multipathd).  Device names are written as P0, P1 ... on both sides; else lines are compared byte
for byte.  Where we differ on purpose a case of test_exceptions() says what each side answers.
"""

import contextlib
import glob
import mmap
import os
import random
import re

from lib import case, dbus, dmioctl, lio, mpath, tables, topology
from lib.case import count, defer, expect, expect_equal, limit, note
from lib.runner import Runner, check_config
from lib.system import wait_for, write

DEVICES = 4
SEED = 20261125


class Twins:
    """LUN "theirs" for the kernel and LUN "ours", each over the same number of paths."""

    def __init__(self):
        self.runner = Runner()
        defer(self.runner.end)
        self.runner.start()
        self.theirs = topology.LioLoopback(DEVICES, size_mib=16, name="theirs")
        defer(self.theirs.teardown)
        self.ours = topology.LioLoopback(DEVICES, size_mib=16, name="ours")
        defer(self.ours.teardown)
        self.dm = dmioctl.Control()
        defer(self.dm.close)
        self.their_names = {f"P{i}": path.devno for i, path in enumerate(self.theirs.paths)}
        self.our_names = {f"P{i}": path.devno for i, path in enumerate(self.ours.paths)}

    def kernel_map(self, table):
        return dmioctl.Multipath(self.dm, "theirs", self.theirs.sectors, table.text(self.their_names))

    def our_map(self, table, **options):
        return OurMap(table.text(self.our_names), self.ours.wwid, **options)

    def cut(self, index, state):
        for made in (self.theirs, self.ours):
            write(made.paths[index].target.tpgt + "/transport_status", state)


class OurMap:
    """A map file with this table, and its backstore."""
    NAME = "twin"

    def __init__(self, parameters, wwid, export=False):
        self.file = f"{mpath.MAP_DIR}/{self.NAME}.map"
        self.backstore = self.target = None
        write_map(self.file, parameters, wwid)
        try:
            self.backstore = lio.UserBackstore(self.NAME, self.NAME, size=16 << 20,
                                               attributes={"cmd_time_out": 0})
            wait_for(self._is_there, 5, "our map on the bus")
            if export:
                self.target = lio.LoopTarget(self.backstore)
        except BaseException:
            self.remove()
            raise

    def _is_there(self):
        try:
            return self.info()
        except dbus.DBusError:
            return None

    def info(self):
        return mpath.map_call(self.NAME, "Status", "s", "info")

    def table(self):
        return mpath.map_call(self.NAME, "Status", "s", "table")

    def message(self, *words):
        mpath.map_call(self.NAME, "Message", "as", list(words))

    def remove(self):
        if self.target:
            self.message("fail_if_no_path")
            self.target.delete()
        if self.backstore:
            self.backstore.delete()
        for name in glob.glob(f"{mpath.STATE_DIR}/{self.NAME}*") + [self.file]:
            if os.path.exists(name):
                os.unlink(name)


def write_map(path, parameters, wwid):
    with open(path, "w") as f:
        f.write(f"[multipath]\ntable={parameters}\nwwid={wwid}\npath_checker=none\n")


def neutral(line, names):
    """The line with P0, P1 ... for the devices."""
    for name, devno in names.items():
        line = re.sub(rf"(?<= ){devno}(?= )", name, line)
    return line


def settled_alike(what, theirs, ours, seconds=5):
    """Waits until both functions give the same line; else shows the two."""
    try:
        wait_for(lambda: theirs() == ours(), seconds)
    except TimeoutError:
        expect(False, f"{what}:\n  kernel {theirs()}\n  ours   {ours()}")


# --- tables ---


def compare_good(twins, table):
    text = table.text({})
    theirs = twins.kernel_map(table)
    try:
        ours = twins.our_map(table)
        try:
            for kind in ("info", "table"):
                settled_alike(f"{kind} of {text}",
                              lambda: neutral(getattr(theirs, kind)(), twins.their_names),
                              lambda: neutral(getattr(ours, kind)(), twins.our_names))
        finally:
            ours.remove()
    finally:
        theirs.remove()


def compare_bad(twins, table, error):
    """Both refuse, with the same words."""
    text = table.text({})
    try:
        twins.kernel_map(table).remove()
        expect(False, f"the kernel takes {text}: the mistake is none ({error})")
    except dmioctl.Refused as refused:
        kernel_text = refused.text
    expect(error in kernel_text, f"the kernel says {kernel_text!r}, not {error!r}, of {text}")
    name = f"{mpath.MAP_DIR}/bad.map"
    write_map(name, table.text(twins.our_names), twins.ours.wwid)
    accepted, reason = check_config("bad")
    os.unlink(name)
    expect(not accepted, f"we take {text}, the kernel says {kernel_text!r}")
    expect(kernel_text in reason, f"the kernel says {kernel_text!r}, we {reason!r}, of {text}")


@limit(600)
def test_tables():
    """300 tables, half of them wrong in one place, each mistake three times at least."""
    twins = Twins()
    choice = random.Random(SEED)
    good, bad = count(60, 150), count(60, 150)
    mistakes = list(tables.mistakes().items())
    for _ in range(good):
        compare_good(twins, tables.good(choice, DEVICES))
    for i in range(max(bad, 3 * len(mistakes))):
        error, mistake = mistakes[i % len(mistakes)]
        compare_bad(twins, tables.bad(choice, DEVICES, mistake), error)
    note(f"{good} tables taken alike, {max(bad, 3 * len(mistakes))} refused alike")


# --- messages and losses ---


def read_block(device):
    """One block, past every cache.  False: an error."""
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
    page = mmap.mmap(-1, 4096)
    try:
        return os.preadv(fd, [page], 0) == 4096
    except OSError:
        return False
    finally:
        os.close(fd)


class Walk:
    """A map on both sides and what happens to it; the step's words tell the story of a difference."""

    def __init__(self, twins, choice):
        self.twins = twins
        self.choice = choice
        self.table = tables.good(choice, DEVICES, min_groups=1)
        self.story = [self.table.text({})]
        self.cuts = set()
        self.queueing = "queue_if_no_path" in self.table.text({}).lower()
        self.undo = contextlib.ExitStack()
        with self.undo:
            self.theirs = twins.kernel_map(self.table)
            self.undo.callback(self.theirs.remove)
            self.ours = twins.our_map(self.table, export=True)
            self.undo.callback(self.ours.remove)
            self.node = self.theirs.wait_node()
            self.undo = self.undo.pop_all()
        self.devices = sorted({path for group in self.table.groups for path in group.paths})

    def their_info(self):
        return neutral(self.theirs.info(), self.twins.their_names)

    def our_info(self):
        return neutral(self.ours.info(), self.twins.our_names)

    def message(self, *words):
        """To both; both take it or refuse it."""
        refused = []
        for side, names in ((self.theirs, self.twins.their_names), (self.ours, self.twins.our_names)):
            try:
                side.message(*[names.get(word, word) for word in words])
                refused.append(False)
            except (OSError, dbus.DBusError):
                refused.append(True)
        expect(refused[0] == refused[1], f"{self.story}: refused by (kernel, us): {refused}")

    def io_ends(self):
        """Does a command end, here and now?"""
        info = self.their_info().split()
        usable = [word for at, word in enumerate(info)
                  if word in self.devices and info[at + 1] == "A"]
        return not self.queueing or any(int(path[1:]) not in self.cuts for path in usable)

    # The steps.  Each returns its words, or None when it makes no sense now.

    def step_io(self):
        if not self.io_ends():
            return None
        # So many that each path of a group has its turn, wherever its selector stands: the scan of
        # our disk has moved ours on.
        for _ in range(DEVICES):
            theirs, ours = read_block(self.node), read_block(self.ours.target.path.dev)
            expect(theirs == ours, f"{self.story}: READ is (kernel, us) {theirs}, {ours}")
        return "READ"

    def step_cut(self):
        path = self.choice.randrange(DEVICES)
        if path in self.cuts:
            return None
        self.twins.cut(path, "offline")
        self.cuts.add(path)
        return f"cut P{path}"

    def step_restore(self):
        if not self.cuts:
            return None
        path = self.choice.choice(sorted(self.cuts))
        self.twins.cut(path, "online")
        self.cuts.discard(path)
        # Ours comes back by itself, dm's by the message: test_exceptions(), X4.
        if f"P{path}" in self.devices:
            self.message("reinstate_path", f"P{path}")
        return f"restore P{path}"

    def step_fail(self):
        return self._step("fail_path", self.choice.choice(self.devices))

    def step_reinstate(self):
        # Of a path that is still cut: test_exceptions().
        usable = [path for path in self.devices if int(path[1:]) not in self.cuts]
        return self._step("reinstate_path", self.choice.choice(usable)) if usable else None

    def step_group(self):
        word = self.choice.choice(("disable_group", "enable_group", "switch_group"))
        return self._step(word, str(self.choice.randint(1, len(self.table.groups))))

    def step_queueing(self):
        on = self.choice.random() < 0.5
        self.queueing = on
        return self._step("queue_if_no_path" if on else "fail_if_no_path")

    def step_nonsense(self):
        return self._step(*self.choice.choice((
            ("switch_group", "0"), ("switch_group", str(len(self.table.groups) + 1)),
            ("disable_group", "1x"), ("enable_group", "-1"), ("fail_path", "99:99"),
            ("reinstate_path", "nothing"), ("bypass_group", "1"), ("fail_path",),
            ("queue_if_no_path", "1"), ("switch_group", "1", "2"))))

    def _step(self, *words):
        self.story.append(" ".join(words))
        self.message(*words)
        self.story.pop()
        return " ".join(words)

    STEPS = ([step_io] * 6 + [step_cut] * 2 + [step_restore] * 2 + [step_fail] * 3 + [step_reinstate] * 3
             + [step_group] * 4 + [step_queueing] + [step_nonsense])

    def go(self, steps):
        # The scan of our export has read already: now there has been a read on both.
        self.step_io()
        settled_alike(f"at the start of {self.story}", self.their_info, self.our_info)
        for _ in range(steps):
            words = None
            while words is None:
                words = self.choice.choice(self.STEPS)(self)
            self.story.append(words)
            settled_alike(f"{self.story}", self.their_info, self.our_info)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for path in self.cuts:
            self.twins.cut(path, "online")
        self.undo.close()


@limit(900)
def test_sequences():
    """Random messages, losses of paths and reads: INFO is the same after each."""
    twins = Twins()
    choice = random.Random(SEED + 1)
    walks, steps = count(8, 200), 30
    for _ in range(walks):
        with Walk(twins, choice) as walk:
            walk.go(steps)
    note(f"{walks} sequences of {steps} steps")


# --- where we differ on purpose ---


def pair(twins, undo, table):
    theirs = twins.kernel_map(table)
    undo.callback(theirs.remove)
    ours = twins.our_map(table, export=True)
    undo.callback(ours.remove)
    return theirs, ours


def expect_infos(twins, theirs, ours, their_line, our_line):
    settled_alike("the kernel", lambda: their_line, lambda: neutral(theirs.info(), twins.their_names))
    settled_alike("ours", lambda: our_line, lambda: neutral(ours.info(), twins.our_names))


def two_groups():
    return tables.Table([], ["0"], [tables.Group("round-robin", ["P0"], []),
                                    tables.Group("round-robin", ["P1"], [])], "1")


def refused_text(twins, table):
    """What the kernel says of a table that it does not take."""
    try:
        twins.kernel_map(table).remove()
    except dmioctl.Refused as refused:
        return refused.text
    return None


def x1_reinstating_a_path_that_is_cut(twins, undo):
    """dm takes the message's word; we look at the path first (D8), and it stays failed."""
    theirs, ours = pair(twins, undo, two_groups())
    twins.cut(0, "offline")
    undo.callback(twins.cut, 0, "online")
    for side, names in ((theirs, twins.their_names), (ours, twins.our_names)):
        side.message("fail_path", names["P0"])
        side.message("reinstate_path", names["P0"])
        read_block(theirs.wait_node() if side is theirs else ours.target.path.dev)
    expect_infos(twins, theirs, ours,
                 "2 0 0 0 2 2 E 0 1 0 P0 F 2 A 0 1 0 P1 A 0 ",
                 "2 0 0 0 2 2 E 0 1 0 P0 F 1 A 0 1 0 P1 A 0 ")


def x2_a_path_that_is_not_there(twins, undo):
    """dm refuses the table; we wait for the path to come, and use the others."""
    table = tables.Table([], ["0"], [tables.Group("round-robin", ["P0", "99:99"], [])], "1")
    expect_equal(refused_text(twins, table), "error getting device", "the kernel")
    ours = twins.our_map(table)
    undo.callback(ours.remove)
    settled_alike("ours", lambda: "2 1 0 0 1 1 E 0 2 0 P0 A 0 99:99 F 0 ",
                  lambda: neutral(ours.info(), twins.our_names))


def x3_a_handler_that_does_not_exist(twins, undo):
    """dm says that it cannot be attached; we that we do not know it, and which we know."""
    table = tables.Table([], ["1", "no-such"], [tables.Group("round-robin", ["P0"], [])], "1")
    expect_equal(refused_text(twins, table), "error attaching hardware handler", "the kernel")
    name = f"{mpath.MAP_DIR}/bad.map"
    write_map(name, table.text(twins.our_names), twins.ours.wwid)
    undo.callback(os.unlink, name)
    accepted, reason = check_config("bad")
    expect(not accepted and 'unknown hardware handler type: word 3 is "no-such"' in reason,
           f"ours: {accepted}, {reason}")


def x4_a_failed_path_that_works_again(twins, undo):
    """Without multipathd dm's stays failed; ours comes back once it has proved to be our LUN."""
    theirs, ours = pair(twins, undo, two_groups())
    twins.cut(0, "offline")
    undo.callback(twins.cut, 0, "online")
    read_block(theirs.wait_node())
    read_block(ours.target.path.dev)
    twins.cut(0, "online")
    expect_infos(twins, theirs, ours,
                 "2 0 0 0 2 2 E 0 1 0 P0 F 1 A 0 1 0 P1 A 0 ",
                 "2 0 0 0 2 2 E 0 1 0 P0 A 1 A 0 1 0 P1 A 0 ")


EXCEPTIONS = (x1_reinstating_a_path_that_is_cut, x2_a_path_that_is_not_there,
              x3_a_handler_that_does_not_exist, x4_a_failed_path_that_works_again)


def test_exceptions():
    """Each difference that is meant to be there is still there, word for word, on both sides."""
    twins = Twins()
    for exception in EXCEPTIONS:
        with contextlib.ExitStack() as undo:
            exception(twins, undo)
        note(exception.__name__)


if __name__ == "__main__":
    case.main()
