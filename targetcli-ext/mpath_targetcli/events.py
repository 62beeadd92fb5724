# SPDX-License-Identifier: GPL-2.0-or-later
"""`mpathctl events`: what happens to maps and paths, line by line as it happens."""

import dataclasses
import datetime
import sys
from collections.abc import Callable
from typing import Any

from gi.repository import Gio, GLib

from . import as_json, client, model

OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"


@dataclasses.dataclass
class Event:
    """One of the service's Event signals, or the coming or going of a map."""
    time_us: int
    map: str
    kind: str
    path: str = ""
    valid_paths: int | None = None
    text: str = ""
    sequence: int | None = None

    def fields(self) -> dict[str, Any]:
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}

    def line(self) -> str:
        """For people, in local time."""
        time = datetime.datetime.fromtimestamp(self.time_us / 1e6)
        words = [time.isoformat(sep=" ", timespec="milliseconds"), self.map, self.kind]
        if self.path:
            words.append(self.path)
        if self.valid_paths is not None:
            words.append(f"({self.valid_paths} usable)")
        return " ".join(words) + (f": {self.text}" if self.text else "")


class Sequence:
    """Notices events that a map has sent and we have not got."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def lost(self, name: str, number: int) -> int:
        """How many are missing between this event of a map and the one before it."""
        before = self._last.get(name, number - 1)
        self._last[name] = number
        # A map that was opened anew counts from 1 again.
        return max(number - before - 1, 0)

    def forget(self, name: str) -> None:
        self._last.pop(name, None)


class Follower:
    """Calls `tell` with each event, and `warn` with what is to be said besides, until stopped."""

    def __init__(self, connection: client.Client, only: str | None,
                 tell: Callable[[Event], None], warn: Callable[[str], None]):
        self._bus = connection.bus
        self._only = only
        self._tell = tell
        self._warn = warn
        self._sequence = Sequence()
        self._names: dict[str, str] = {}        # by object path
        self._subscribe(client.BUS_NAME, model.MAP_INTERFACE, "Event", self._on_event)
        self._subscribe(client.BUS_NAME, OBJECT_MANAGER, "InterfacesAdded", self._on_added)
        self._subscribe(client.BUS_NAME, OBJECT_MANAGER, "InterfacesRemoved", self._on_removed)
        # After the subscription, so that nothing is missed between the two.
        for m in connection.maps():
            self._names[m.path] = m.name
        Gio.bus_watch_name_on_connection(self._bus, client.BUS_NAME, Gio.BusNameWatcherFlags.NONE,
                                         None, self._on_vanished)

    def _subscribe(self, sender: str, interface: str, signal: str, function: Callable) -> None:
        self._bus.signal_subscribe(sender, interface, signal, None, None, Gio.DBusSignalFlags.NONE,
                                   function)

    def _pass_on(self, event: Event) -> None:
        if self._only in (None, event.map):
            self._tell(event)

    def _on_event(self, _bus: Any, _sender: str, path: str, _interface: str, _signal: str,
                  parameters: GLib.Variant) -> None:
        sequence, time_us, kind, about, valid_paths, text = parameters.unpack()
        name = self._names.get(path, path)
        lost = self._sequence.lost(name, sequence)
        if lost and self._only in (None, name):
            self._warn(f"{lost} events of {name} were lost" if lost > 1 else f"an event of {name} was lost")
        self._pass_on(Event(time_us, name, kind, about, valid_paths, text, sequence))

    def _on_added(self, _bus: Any, _sender: str, _path: str, _interface: str, _signal: str,
                  parameters: GLib.Variant) -> None:
        path, interfaces = parameters.unpack()
        if model.MAP_INTERFACE in interfaces:
            self._names[path] = interfaces[model.MAP_INTERFACE]["Name"]
            self._pass_on(Event(GLib.get_real_time(), self._names[path], "map-added"))

    def _on_removed(self, _bus: Any, _sender: str, _path: str, _interface: str, _signal: str,
                    parameters: GLib.Variant) -> None:
        path, interfaces = parameters.unpack()
        if model.MAP_INTERFACE in interfaces and path in self._names:
            name = self._names.pop(path)
            self._sequence.forget(name)
            self._pass_on(Event(GLib.get_real_time(), name, "map-removed"))

    def _on_vanished(self, _bus: Any, _name: str) -> None:
        self._warn("tcmu-runner is gone; waiting for it")
        for name in self._names.values():
            self._sequence.forget(name)


def follow(connection: client.Client, only: str | None, count: int | None, json: bool) -> None:
    """Prints events until there were `count` of them, or for ever.

    NotServing if the bus goes, OSError if nothing can be printed.
    """
    loop = GLib.MainLoop()
    left = count
    ended_by: Exception | None = None

    def tell(event: Event) -> None:
        nonlocal left
        try:
            print(as_json.line(event=event.fields()) if json else event.line(), flush=True)
        except OSError as error:
            end(error)
            return
        if left is not None:
            left -= 1
            if not left:
                loop.quit()

    def warn(text: str) -> None:
        print(f"mpathctl: {text}", file=sys.stderr, flush=True)

    def end(why: Exception) -> None:
        nonlocal ended_by
        ended_by = why
        loop.quit()

    def closed(_bus: Any, _by_peer: bool, _error: GLib.Error | None) -> None:
        end(client.BusGone())

    # GLib's own way is to kill us.
    connection.bus.set_exit_on_close(False)
    connection.bus.connect("closed", closed)
    Follower(connection, only, tell, warn)
    loop.run()
    if ended_by:
        raise ended_by
