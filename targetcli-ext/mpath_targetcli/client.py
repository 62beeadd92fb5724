# SPDX-License-Identifier: GPL-2.0-or-later
"""The D-Bus client: maps as Python objects, D-Bus errors as Python exceptions.

    for m in Client().maps():
        print(m.name, m.status("info"))

The interface is described in config/dbus/org.tcmu.Mpath1.xml.
"""

from gi.repository import Gio, GLib

BUS_NAME = "org.tcmu.Mpath1"
ROOT_PATH = "/org/tcmu/Mpath1"
MAP_INTERFACE = "org.tcmu.Mpath1.Map"
ERROR_PREFIX = "org.tcmu.Mpath1.Error."

TIMEOUT_MS = 30000


class Error(Exception):
    """Why a call failed, in words."""


class Refused(Error):
    """The map said no.  name is the last word of the D-Bus error: InvalidArgument, Busy, ..."""

    def __init__(self, name: str, text: str):
        super().__init__(text)
        self.name = name


class NoSuchMap(Error):
    """There is no such map, or no longer."""


class NotServing(Error):
    """Nobody serves maps: no bus, no tcmu-runner, or one without our handler."""


class NotPermitted(Error):
    """The bus policy forbids it."""


class NoAnswer(Error):
    """There was no answer in time."""


_NOT_SERVING = ("ServiceUnknown", "NameHasNoOwner", "NoServer", "Disconnected", "FileNotFound",
                "NoReply")
_NO_OBJECT = ("UnknownMethod", "UnknownObject", "UnknownInterface")


def _translated(error: GLib.Error) -> Error:
    """The exception that a GLib.Error stands for."""
    name = Gio.DBusError.get_remote_error(error) or ""
    text = error.message.removeprefix(f"GDBus.Error:{name}: ")
    last = name.rpartition(".")[2]
    if name == ERROR_PREFIX + "NoSuchMap":
        return NoSuchMap(text)
    if name.startswith(ERROR_PREFIX):
        return Refused(last, text)
    if last in _NO_OBJECT:
        return NoSuchMap(text)
    if last == "AccessDenied":
        return NotPermitted("not permitted: only root may control multipath maps")
    if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT) or last in ("Timeout", "TimedOut"):
        return NoAnswer(f"no answer within {TIMEOUT_MS // 1000} s")
    if not name or last in _NOT_SERVING:
        return NotServing(text)
    return Refused(last, text)


class Map:
    """A map in service."""

    def __init__(self, client: "Client", path: str, properties: dict):
        self._client = client
        self.path = path
        self.name: str = properties["Name"]

    def message(self, words: list[str]) -> str:
        """Sends a message, for example ["fail_path", "8:16"], and returns the map's reply."""
        return self._client.call(self.path, MAP_INTERFACE, "Message",
                                 GLib.Variant("(as)", (words,)))[0]

    def status(self, kind: str = "detail") -> str:
        """kind: "info" or "table", as dm-multipath prints them, or "detail"."""
        return self._client.call(self.path, MAP_INTERFACE, "Status",
                                 GLib.Variant("(s)", (kind,)))[0]


class Client:
    """A connection to the service on the system bus."""

    def __init__(self) -> None:
        try:
            self._bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
        except GLib.Error as error:
            raise NotServing(f"no system bus: {error.message}") from None

    def call(self, path: str, interface: str, method: str, arguments: GLib.Variant | None = None):
        """One method call; its results as a tuple.  Never starts tcmu-runner."""
        try:
            return self._bus.call_sync(BUS_NAME, path, interface, method, arguments, None,
                                       Gio.DBusCallFlags.NO_AUTO_START, TIMEOUT_MS, None).unpack()
        except GLib.Error as error:
            raise _translated(error) from None

    def maps(self) -> list[Map]:
        """All maps by name, with one call however many there are."""
        objects, = self.call(ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        return sorted((Map(self, path, interfaces[MAP_INTERFACE])
                       for path, interfaces in objects.items() if MAP_INTERFACE in interfaces),
                      key=lambda m: m.name)

    def map(self, name: str) -> Map:
        """The map of this name."""
        for found in self.maps():
            if found.name == name:
                return found
        raise NoSuchMap(f"there is no map {name}")
