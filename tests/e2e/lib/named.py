# SPDX-License-Identifier: GPL-2.0-or-later
"""A map by its cfgstring, and what log and status say of each word in it.

Other than mpath.Map this is for paths that are missing, wrong or somebody else's.
"""

import os
import re

from . import dbus, lio
from .case import defer, expect
from .mpath import MAP_DIR, map_call
from .system import wait_for

# The names of a backstore and of the word's device, and the state with its reason:
#     sda 8:0: excluded: sda is in use: sda is mounted at /mnt [0 in flight, failed 0 times] /dev/sda
LINE = re.compile(r"^    (?P<device>\S+) (?P<name>\S+): (?P<state>.*) "
                  r"\[(?P<counts>\d+ in flight[^]]*)\] (?P<word>\S+)$")


def made(thing):
    """Taken down when the case ends."""
    defer(thing.delete if hasattr(thing, "delete") else thing.teardown)
    return thing


def map_file(name, *lines, header="[multipath]"):
    """A map file of these lines, for this case."""
    path = f"{MAP_DIR}/{name}.map"
    with open(path, "w") as f:
        f.write("\n".join([header, *lines]) + "\n")
    defer(lambda: os.path.exists(path) and os.unlink(path))


class Named:
    """A backstore with this cfgstring, without export unless asked for: then .path is the LUN.

    For a cfgstring of paths the map has the backstore's name, else give map_name.
    """

    def __init__(self, runner, name, cfgstring, export=False, map_name=None, **backstore):
        self.runner = runner
        self.name = map_name or name
        self.target = None
        self.log_from = len(runner.log())
        self.backstore = lio.UserBackstore(name, cfgstring, **backstore)
        wait_for(self.is_on_bus, 5, f"{self.name} on the bus")
        if export:
            self.export()

    def export(self):
        self.target = lio.LoopTarget(self.backstore)
        return self.path

    @property
    def path(self):
        return self.target.path

    @property
    def sg_dev(self):
        return self.path.sg_dev

    @property
    def dev(self):
        return self.path.dev

    def is_on_bus(self):
        try:
            return self.status()
        except dbus.DBusError:
            return None

    def status(self, kind="detail"):
        return map_call(self.name, "Status", "s", kind)

    def message(self, *words):
        return map_call(self.name, "Message", "as", list(words))

    def log(self):
        """What was logged since this backstore was made."""
        return self.runner.log()[self.log_from:]

    def state(self, word):
        """ "active", or "excluded: why", of the path that the table names by this word."""
        for line in self.status().splitlines():
            match = LINE.match(line)
            if match and match["word"] == word:
                return match["state"]
        raise KeyError(f"no path {word} in\n{self.status()}")

    def wait_active(self, word, seconds=5):
        wait_for(lambda: self.state(word) == "active", seconds, f"{word} active in {self.name}")

    def wait_excluded(self, word, text, seconds=5):
        """Not used, with this text in the reason, in status and log."""
        def excluded():
            state = self.state(word)
            return state.startswith("excluded: ") and text in state
        try:
            wait_for(excluded, seconds, "exclusion")
        except TimeoutError:
            expect(False, f"{word}: expected \"excluded: ...{text}...\" in\n{self.status()}")
        # A path whose state changes again and again is logged every 10 s only.
        wait_for(lambda: any("not used: " in line and text in line and self.name in line
                             for line in self.log().splitlines()),
                 13, f"\"not used: ...{text}...\" in the log")

    def delete(self):
        if self.target:
            self.target.delete()
        self.backstore.delete()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()
