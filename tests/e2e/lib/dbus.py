# SPDX-License-Identifier: GPL-2.0-or-later
"""Method calls on the system bus.

By python3-dbus: `import gi` takes 1 s warm and 4 s cold in the guest, and busctl is a process each
time; waiting for a name to appear would cost more than what it waits for.
"""

import json
import os
import subprocess

from .system import wait_for

try:
    import dbus as libdbus
except ImportError:
    libdbus = None      # on the host, where a file's cases are only listed

ADDRESS = "unix:path=/run/dbus/system_bus_socket"


class DBusError(Exception):
    """An error answer: .name and .message."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


def _plain(value):
    """The binding's types as Python's own, so that they print and compare as one expects."""
    if isinstance(value, libdbus.Boolean):
        return bool(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return value


class Bus:
    """A connection of its own to the system bus.  Variants come back as their value."""

    def __init__(self, address=ADDRESS, timeout=30):
        self.timeout = timeout
        self.connection = libdbus.bus.BusConnection(address)
        self.connection.set_exit_on_disconnect(False)
        self.name = self.connection.get_unique_name()

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, destination, path, interface, member, signature="", *args):
        """call("org.x", "/org/x", "org.x.I", "Message", "as", ["fail_path", "8:0"])"""
        try:
            return _plain(self.connection.call_blocking(destination, path, interface, member,
                                                        signature, args, timeout=self.timeout))
        except libdbus.DBusException as error:
            raise DBusError(error.get_dbus_name(), error.get_dbus_message()) from None

    def has_owner(self, name):
        return self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                         "NameHasOwner", "s", name)

    def get(self, destination, path, interface, name):
        """A property."""
        return self.call(destination, path, "org.freedesktop.DBus.Properties", "Get", "ss",
                         interface, name)

    def managed_objects(self, destination, path):
        return self.call(destination, path, "org.freedesktop.DBus.ObjectManager",
                         "GetManagedObjects")


class Watcher:
    """All signals of a name, as busctl monitor sees them.

    signals, in order: each has .path, .member and .args.
    """

    class Signal:
        def __init__(self, message):
            self.path = message["path"]
            self.member = message["member"]
            self.args = message["payload"]["data"]

    def __init__(self, name):
        self.signals = []
        self._next = 0
        self._rest = b""
        self._process = subprocess.Popen(
            ["busctl", "--system", "--json=short", "monitor", f"--match=type='signal',sender='{name}'"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._process.stderr.readline()         # "Monitoring bus message stream."
        os.set_blocking(self._process.stdout.fileno(), False)

    def take(self):
        """What has come."""
        while data := self._process.stdout.read(65536):
            *lines, self._rest = (self._rest + data).split(b"\n")
            self.signals += [self.Signal(json.loads(line)) for line in lines if line.strip()]
        return self.signals

    def of(self, member, path=None):
        return [s for s in self.take() if s.member == member and path in (None, s.path)]

    def wait(self, member, wanted, what, seconds=10):
        """Until there is a signal of which wanted(its args) is true, and which came after the one that
        was waited for last.  Returns it."""
        def find():
            return next((n for n, s in enumerate(self.take()) if n >= self._next and s.member == member
                         and wanted(s.args)), None)
        wait_for(lambda: find() is not None, seconds, f"{member} {what}")
        self._next = find() + 1
        return self.signals[self._next - 1]

    def close(self):
        self._process.kill()
        self._process.wait()
