# SPDX-License-Identifier: GPL-2.0-or-later
"""The D-Bus client: calls as Python methods, D-Bus errors as Python exceptions.

    client = Client()
    for m in client.maps():
        print(m.name, m["State"], client.map(m.name).status("info"))

The interface is described in config/dbus/org.tcmu.Mpath1.xml.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from gi.repository import Gio, GLib

from . import model

BUS_NAME = "org.tcmu.Mpath1"
ROOT_PATH = "/org/tcmu/Mpath1"
ERROR_PREFIX = "org.tcmu.Mpath1.Error."

RUNNER_NAME = "org.kernel.TCMUService1"     # tcmu-runner's own

TIMEOUT_S = 30.0
BUSY_PAUSE_S = 0.1

# Around each wait for an answer; during it Python itself hears of no signal.
waiting: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext

# dm-multipath's, and ours.
MESSAGES = ("add_path", "disable_group", "enable_group", "fail_if_no_path", "fail_path",
            "forget_wwid", "probe_path", "probe_paths", "queue_if_no_path", "reinstate_path", "release",
            "remove_path", "resize", "resume", "suspend", "switch_group")


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


class BusGone(NotServing):
    """The system bus that we were on is gone: this connection will never work again."""

    def __init__(self) -> None:
        super().__init__("the system bus is gone")


class NotPermitted(Error):
    """The bus policy forbids it."""


class NoAnswer(Error):
    """There was no answer in time."""


_NOT_SERVING = ("ServiceUnknown", "NameHasNoOwner", "NoServer", "Disconnected", "FileNotFound",
                "NoReply")
_NO_OBJECT = ("UnknownMethod", "UnknownObject", "UnknownInterface")


def translated(error: GLib.Error, timeout_s: float) -> Error:
    """The exception that a GLib.Error stands for, of a call that was to take so long at most."""
    name = Gio.DBusError.get_remote_error(error) or ""
    text = error.message.removeprefix(f"GDBus.Error:{name}: ")
    last = name.rpartition(".")[2]
    if name == ERROR_PREFIX + "NoSuchMap":
        return NoSuchMap(text)
    if name.startswith(ERROR_PREFIX):
        return Refused(last, text)
    if "is not implemented" in text:    # GDBus: the object is there
        return Refused("NotSupported", text)
    if last in _NO_OBJECT:
        return NoSuchMap(text)
    if last == "AccessDenied":
        return NotPermitted("not permitted: the bus policy says who may control multipath maps; by default "
                            "root")
    if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT) or last in ("Timeout", "TimedOut"):
        return NoAnswer(f"no answer within {timeout_s:g} s")
    if not name or last in _NOT_SERVING:
        return NotServing(text)
    return Refused(last, text)


def object_path(name: str) -> str:
    """The object of the map with this name."""
    escaped = "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"_{byte:02x}"
                      for byte in name.encode())
    return f"{ROOT_PATH}/map/{escaped or '_'}"


def system_bus() -> Gio.DBusConnection:
    """GLib would wait without limit for a dbus-daemon that takes connections and says nothing."""
    late = Gio.Cancellable()
    timer = threading.Timer(TIMEOUT_S, late.cancel)
    timer.daemon = True
    timer.start()
    try:
        with waiting():
            return Gio.bus_get_sync(Gio.BusType.SYSTEM, late)
    except GLib.Error as error:
        if late.is_cancelled():
            raise NoAnswer(f"the system bus: no answer within {TIMEOUT_S:g} s") from None
        raise NotServing(f"no system bus: {error.message}") from None
    finally:
        timer.cancel()


class Map:
    """A map in service, to be talked to."""

    def __init__(self, client: "Client", name: str):
        self._client = client
        self.name = name

    def _call(self, method: str, signature: str = "()", *arguments: Any) -> Any:
        try:
            return self._client.call(object_path(self.name), model.MAP_INTERFACE, method,
                                     GLib.Variant(signature, arguments))
        except NoSuchMap:
            raise NoSuchMap(f"there is no map {self.name}") from None

    def message(self, words: list[str]) -> str:
        """Sends a message, for example ["fail_path", "8:16"], and returns the map's reply."""
        return self._call("Message", "(as)", words)[0]

    def status(self, kind: str = "detail") -> str:
        """kind: "info", "table" or "ima", as dm-multipath prints them, "detail" or "json"."""
        return self._call("Status", "(s)", kind)[0]

    def cmd_time_out_needed(self) -> int:
        """The least cmd_time_out that will do, in seconds; 0: it has to be off, commands wait for ever.

        Of this moment: the property CmdTimeOutNeeded may be a second old.
        """
        return json.loads(self.status("json"))["map"]["cmd_time_out_needed_ms"] // 1000

    def reload(self, text: str) -> None:
        """Puts another table under the map: the text of a map file, or a table."""
        self._call("Reload", "(s)", text)

    def suspend(self) -> None:
        """Holds new commands; returns when nothing is in flight any more."""
        self._call("Suspend")

    def resume(self) -> None:
        """Lets what is held go on."""
        self._call("Resume")

    def resize(self) -> None:
        """Asks the paths for the LUN's size."""
        self._call("Resize")

    def add_path(self, group: int, address: str) -> None:
        """Adds a path: "8:16", or an absolute path name.  group 0: where it fits."""
        self._call("AddPath", "(us)", group, address)

    def remove_path(self, address: str) -> None:
        """Takes a path out of the map."""
        self._call("RemovePath", "(s)", address)


class Client:
    """A connection to the service on the system bus."""

    def __init__(self) -> None:
        self.bus = system_bus()

    def call(self, path: str, interface: str, method: str,
             arguments: GLib.Variant | None = None, timeout_s: float | None = None,
             service: str = BUS_NAME) -> tuple:
        """One method call; its results as a tuple.  Never starts tcmu-runner."""
        timeout_s = timeout_s or TIMEOUT_S
        try:
            with waiting():
                answer = self.bus.call_sync(service, path, interface, method, arguments, None,
                                            Gio.DBusCallFlags.NO_AUTO_START, int(timeout_s * 1000), None)
            return answer.unpack()
        except GLib.Error as error:
            if self.bus.is_closed():
                raise BusGone() from None
            raise translated(error, timeout_s) from None

    def maps(self, timeout_s: float | None = None) -> list[model.Map]:
        """All maps, groups and paths as they are now, with one call however many there are."""
        end = time.monotonic() + (timeout_s or TIMEOUT_S)
        while True:
            try:
                objects, = self.call(ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                                     None, timeout_s)
                return model.maps_of(objects)
            except Refused as error:
                if error.name != "Busy" or time.monotonic() + BUSY_PAUSE_S > end:
                    raise
            time.sleep(BUSY_PAUSE_S)        # others ask, too: it says to try again

    def manager(self) -> model.Properties:
        """The properties of the service itself."""
        return self.call(ROOT_PATH, "org.freedesktop.DBus.Properties", "GetAll",
                         GLib.Variant("(s)", (model.MANAGER_INTERFACE,)))[0]

    def map(self, name: str) -> Map:
        """The map of this name, whether it is there or not."""
        return Map(self, name)

    def check_config(self, config: str) -> str:
        """Why tcmu-runner would not take this ("mpath/...") for a backstore; empty: it would.

        By tcmu-runner's name: targetcli's own proxy is of the process that ran when targetcli started.
        """
        good, reason = self.call("/org/kernel/TCMUService1/mpath", RUNNER_NAME, "CheckConfig",
                                 GLib.Variant("(s)", (config,)), service=RUNNER_NAME)
        return "" if good else reason or "no reason is given"

    def check(self, text: str) -> str:
        """What would be built from the text of a map file, or a table; changes nothing."""
        return self.call(ROOT_PATH, model.MANAGER_INTERFACE, "Check",
                         GLib.Variant("(s)", (text,)))[0]
