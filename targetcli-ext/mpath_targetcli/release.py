# SPDX-License-Identifier: GPL-2.0-or-later
"""`mpathctl release`: no command waits any more, in any map.

systemd runs it while the machine goes down.  One map that is busy or does not answer must not keep the
others, so all are told at once; and it has to end before it is killed (TimeoutStopSec).
"""

import time
from typing import Any

from gi.repository import Gio, GLib

from . import client, model

LIMIT_S = 15
PAUSE_MS = 100      # before one that was busy is told again


class _Round:
    """All that has to be told, until it is done or the time is over."""

    def __init__(self, connection: client.Client, end: float):
        self.errors: dict[str, client.Error] = {}
        self._connection = connection
        self._end = end
        self._loop = GLib.MainLoop()
        self._open: set[str] = set()

    def run(self, names: list[str]) -> None:
        self._open = set(names)
        for name in self._open:
            self._tell(name)
        if self._open:
            self._loop.run()

    def _left_ms(self) -> int:
        return max(int((self._end - time.monotonic()) * 1000), 1)

    def _tell(self, name: str) -> bool:
        self._connection.bus.call(
            client.BUS_NAME, client.object_path(name), model.MAP_INTERFACE, "Message",
            GLib.Variant("(as)", (["release"],)), None, Gio.DBusCallFlags.NO_AUTO_START,
            self._left_ms(), None, self._told, name)
        return GLib.SOURCE_REMOVE

    def _told(self, bus: Any, result: Any, name: str) -> None:
        try:
            bus.call_finish(result)
        except GLib.Error as problem:
            error = client.translated(problem, LIMIT_S)
            busy = isinstance(error, client.Refused) and error.name == "Busy"
            if not isinstance(error, client.NoAnswer):
                self.errors[name] = error
            if busy and self._left_ms() > PAUSE_MS:
                GLib.timeout_add(PAUSE_MS, self._tell, name)
                return
            # What the map said last, if it had said anything.
            self.errors.setdefault(name, error)
        else:
            self.errors.pop(name, None)
        self._open.discard(name)
        if not self._open:
            self._loop.quit()


def _about(name: str, error: client.Error) -> client.Error:
    """The error, with the map's name in it."""
    if isinstance(error, client.NoSuchMap):
        return client.NoSuchMap(f"there is no map {name}")
    if isinstance(error, client.Refused):
        return client.Refused(error.name, f"{name}: {error}")
    return type(error)(f"{name}: {error}")


def release(connection: client.Client,
            only: list[str]) -> tuple[list[str], dict[str, client.Error]]:
    """Tells these maps, or all: their names, and what went wrong, by name and in their order."""
    end = time.monotonic() + LIMIT_S
    names = only or [m.name for m in connection.maps(LIMIT_S)]
    work = _Round(connection, end)
    work.run(names)
    errors = {name: _about(name, work.errors[name]) for name in names if name in work.errors}
    if not only:        # one that went away meanwhile is as it should be
        errors = {name: error for name, error in errors.items()
                  if not isinstance(error, client.NoSuchMap)}
    return names, errors
