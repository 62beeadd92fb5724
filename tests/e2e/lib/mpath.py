# SPDX-License-Identifier: GPL-2.0-or-later
"""A map of ours in service: map file, backstore, export, and what control says of it."""

import os
import time

from . import dbus, lio
from .dm import multipath_words
from .system import wait_for

BUS_NAME = "org.tcmu.Mpath1"
MAP_DIR = "/etc/tcmu/mpath.d"
STATE_DIR = "/var/lib/tcmu-mpath"
NAMES_DIR = "/run/mpath-names"


def object_path(name):
    # In a D-Bus path every byte but letters and digits is written as _XX.
    return "/org/tcmu/Mpath1/map/" + "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in name)


def map_call(name, method, signature, *args, seconds=2, bus=None):
    """A method of a map's D-Bus object, which comes a moment after the map: so long is waited for it.

    Without a bus through a connection of its own, which takes as long as the call.
    """
    if bus is None:
        with dbus.Bus() as own:
            return map_call(name, method, signature, *args, seconds=seconds, bus=own)
    end = time.monotonic() + seconds
    while True:
        try:
            return bus.call(BUS_NAME, object_path(name), BUS_NAME + ".Map", method, signature, *args)
        except dbus.DBusError as error:
            if not error.name.endswith(".UnknownMethod") or time.monotonic() > end:
                raise
        time.sleep(0.05)


class Map:
    """`with Map(paths) as m`: m.dev, m.sg_dev is the LUN as an initiator on tcm_loop sees it.

    The table is dm's, with the same words as dm.multipath_table().  Each path has a symbolic link as
    its name, as udev would make one; relink() does udev's work after a device was deleted and found
    again.  keys are further lines of the map file, attributes those of the backstore, set before it
    is exported.  tcmu-runner (runner.Runner) must run.

    With listed the map file has paths= and grouping= instead of a table: then our own policies and
    the hardware table are at work; for grouping and failback only as far as the case asks for it.

    A lost write waits for its fence for FENCE_MS only, if keys do not say something else: in the
    guest no way holds a write back for longer, unless a test makes it.
    """
    FENCE_MS = 300

    def __init__(self, paths, name="mpatha", features=("queue_if_no_path",), grouping="failover",
                 attributes=(), export=True, listed=False, **keys):
        self.name = name
        self.paths = list(paths)
        self.names = [f"{NAMES_DIR}/{name}-{i}" for i in range(len(self.paths))]
        self.file = f"{MAP_DIR}/{name}.map"
        self.backstore = self.target = None
        os.makedirs(NAMES_DIR, exist_ok=True)
        self.relink()
        keys.setdefault("fence_time_ms", self.FENCE_MS)
        self.fence_ms = keys["fence_time_ms"]
        if listed:
            lines = {"paths": ";".join(self.names), "grouping": grouping, "failback": "manual",
                     "no_path_retry": "queue"}
        else:
            words = multipath_words(self.names, features, (), grouping, "round-robin")
            lines = {"table": " ".join(map(str, words))}
        with open(self.file, "w") as f:
            f.write("[multipath]\n")
            f.writelines(f"{key}={value}\n" for key, value in {**lines, **keys}.items())
        try:
            self.backstore = lio.UserBackstore(name, name, attributes=attributes)
            if export:
                self.target = lio.LoopTarget(self.backstore)
        except BaseException:
            self.delete()
            raise

    @property
    def path(self):
        return self.target.path

    @property
    def dev(self):
        return self.path.dev

    @property
    def sg_dev(self):
        return self.path.sg_dev

    def relink(self):
        for path, name in zip(self.paths, self.names):
            if path.dev and (not os.path.islink(name) or os.readlink(name) != path.dev):
                os.symlink(path.dev, name + ".new")
                os.rename(name + ".new", name)

    def message(self, *words):
        return map_call(self.name, "Message", "as", list(words))

    def status(self, kind="info"):
        return map_call(self.name, "Status", "s", kind)

    def path_states(self):
        """{"8:0": "A" or "F"}, as INFO has it; by the name in the table for what was never open."""
        words = self.status().split()
        return {words[i - 1]: word for i, word in enumerate(words) if word in "AF" and i > 7
                and not words[i - 1].isdigit() and words[i + 1].isdigit()}

    def groups(self):
        """[("A", ["8:0", "8:16"]), ...]: state and paths of each group, as INFO has them."""
        words = iter(self.status().split()[4:])

        def take(number):
            return [next(words) for _ in range(number)]

        nr_groups, _ = take(2)
        groups = []
        for _ in range(int(nr_groups)):
            state, nr_of_selector = take(2)
            take(int(nr_of_selector))
            nr_paths, nr_of_path = map(int, take(2))
            # A path's name, "A" or "F", the fail count, and what the selector says of it.
            groups.append((state, [take(3 + nr_of_path)[0] for _ in range(nr_paths)]))
        return groups

    def in_use(self, path):
        return self.path_states().get(path.devno) == "A"

    def wait_in_use(self, *paths, seconds=10):
        for path in paths or self.paths:
            wait_for(lambda path=path: self.in_use(path), seconds, f"{path} in use by {self.name}")

    def wait_failed(self, *paths, seconds=10):
        for path in paths or self.paths:
            wait_for(lambda path=path: not self.in_use(path), seconds,
                     f"{path} seen as failed by {self.name}")

    def commands(self):
        """{"in flight": n, "held": n, ...} of the status text."""
        line = next(line for line in self.status("detail").splitlines() if "commands:" in line)
        words = (word.strip().split(" ", 1) for word in line.split(":", 1)[1].split(","))
        return {what: int(number) for number, what in words}

    def wait_held(self, n=1, seconds=20):
        wait_for(lambda: self.commands()["held"] >= n, seconds, f"{n} commands held")

    def unexport(self):
        if self.target:
            self.target.delete()
        self.target = None

    def delete(self):
        try:
            # What is held for lack of paths would keep the export busy.
            if self.backstore:
                self.message("fail_if_no_path")
        except dbus.DBusError:
            pass        # it is not in service any more
        self.unexport()
        if self.backstore:
            self.backstore.delete()
        self.backstore = None
        # Else the next map of this name would want the same LUN.
        for name in [self.file, f"{STATE_DIR}/{self.name}", *self.names]:
            if os.path.lexists(name):
                os.unlink(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()
