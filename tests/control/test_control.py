#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""handler/control and mpathctl over a real dbus-daemon of our own, with maps that are not there.

    tests/control/test_control.py build/debug/tests/control_server
"""

import glob
import json
import multiprocessing
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from gi.repository import Gio, GLib

ROOT = "/org/tcmu/Mpath1"
MANAGED = "org.freedesktop.DBus.ObjectManager.GetManagedObjects"
REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVER = ""

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={dir}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    {policy}
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  {include}
</busconfig>
"""
ALLOW_ALL = '<allow own="*"/><allow send_type="method_call"/>'
DENY_ALL = '<deny own="*"/><deny send_type="method_call"/>'


# Nothing here is about speed, and CI's machine has other things to do.
PATIENCE = 60


def wait_for(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Client:
    """A connection of its own, and the signals that it has seen."""

    def __init__(self, address):
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                 | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        self.bus = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        self.signals = []   # (object, member, arguments)
        self.bus.signal_subscribe("org.tcmu.Mpath1", None, None, None, None,
                                  Gio.DBusSignalFlags.NONE, self._signal)

    def _signal(self, _bus, _sender, path, _interface, member, arguments):
        self.signals.append((path.removeprefix(ROOT), member, arguments.unpack()))

    def call(self, path, method, signature="()", *arguments):
        """call("/map/mpatha", "Map.Status", "(s)", "info"): what it returned, or the error."""
        interface, _, member = method.rpartition(".")
        if not interface.startswith("org."):
            interface = f"org.tcmu.Mpath1.{interface}"
        try:
            values = self.bus.call_sync("org.tcmu.Mpath1", ROOT + path, interface, member,
                                        GLib.Variant(signature, arguments), None,
                                        Gio.DBusCallFlags.NO_AUTO_START, 60000, None).unpack()
        except GLib.Error as error:
            name = Gio.DBusError.get_remote_error(error)
            if not name:
                raise       # no answer at all
            return f"{name.rpartition('.')[2]}{error.message.removeprefix(f'GDBus.Error:{name}')}"
        return values[0] if values else None

    def objects(self):
        """Everything, with the common beginnings of names left out."""
        return {path.removeprefix(ROOT): {interface.removeprefix("org.tcmu.Mpath1."): values
                                          for interface, values in interfaces.items()}
                for path, interfaces in self.call("", MANAGED).items()}

    def get(self, path, name):
        """get("/map/mpatha", "Map.State")"""
        interface, name = name.split(".")
        return self.call(path, "org.freedesktop.DBus.Properties.Get", "(ss)",
                         f"org.tcmu.Mpath1.{interface}", name)

    def ask_bus(self, method, *arguments, signature):
        return self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus",
                                  "org.freedesktop.DBus", method, GLib.Variant(signature, arguments),
                                  None, Gio.DBusCallFlags.NONE, 60000, None).unpack()[0]

    def iterate(self):
        while GLib.MainContext.default().iteration(False):
            pass

    def wait_signal(self, condition, what, seconds=PATIENCE):
        def seen():
            self.iterate()
            return any(condition(*signal) for signal in self.signals)
        wait_for(seen, what, seconds)

    def listen(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.iterate()
            time.sleep(0.01)


def message(number, flags, *what):
    call = Gio.DBusMessage.new_method_call(*what)
    call.set_serial(number)
    call.set_flags(flags)
    return call.to_blob(Gio.DBusCapabilityFlags.NONE)


def connect(path):
    """A client's socket: GDBus reads whatever comes."""
    uid = str(os.geteuid()).encode().hex().encode()
    hello = message(1, Gio.DBusMessageFlags.NONE, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                    "org.freedesktop.DBus", "Hello")
    client = socket.socket(socket.AF_UNIX)   # closed by the end of this process
    client.connect(path)
    client.sendall(b"\0AUTH EXTERNAL " + uid + b"\r\nBEGIN\r\n" + hello)
    return client


def flood(path, reads, count):
    """A client that calls so often, as fast as it can, and reads what comes back, or does not."""
    # Of calls that want a reply dbus-daemon itself lets only 128 through.
    calls = message(2, Gio.DBusMessageFlags.NO_REPLY_EXPECTED, "org.tcmu.Mpath1", ROOT,
                    *MANAGED.rsplit(".", 1)) * count
    client = connect(path)
    client.settimeout(0.2)
    try:
        while calls:
            if select.select([], [client], [], 0.05)[1]:
                calls = calls[client.send(calls[:65536]):]
            while reads and select.select([client], [], [], 0)[0]:
                client.recv(1 << 20)
    except OSError:
        pass    # dbus-daemon has thrown us out


def ask_and_not_read(path):
    """A client that asks for everything again and again, and never reads what it is told."""
    client = connect(path)
    for number in range(2, 10000):
        client.sendall(message(number, Gio.DBusMessageFlags.NONE, "org.tcmu.Mpath1", ROOT,
                               *MANAGED.rsplit(".", 1)))
        time.sleep(0.05)


class Bus:
    """A dbus-daemon; not started yet."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="mpath-dbus.")
        self.address = f"unix:path={self.dir.name}/bus"
        self.process = None

    def configure(self, policy=ALLOW_ALL, include=""):
        with open(f"{self.dir.name}/config", "w") as f:
            f.write(CONFIG.format(dir=self.dir.name, policy=policy, include=include))

    def start(self, *args):
        self.configure(*args)
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self.dir.name}/config", "--nofork"],
            stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(f"{self.dir.name}/bus"), "dbus-daemon's socket")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            os.unlink(f"{self.dir.name}/bus")


class Server:
    """handler/control in a process of its own."""

    def __init__(self, bus, *options):
        self.log = f"{bus.dir.name}/log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [SERVER, *options], stdin=subprocess.PIPE, stdout=log, text=True,
                env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address,
                         # What was freed counts as freed, when memory is measured.
                         ASAN_OPTIONS="quarantine_size_mb=1"))

    def say(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    def wakes(self):
        """How often the control thread has slept and woken up."""
        for task in glob.glob(f"/proc/{self.process.pid}/task/*"):
            with open(f"{task}/comm") as comm, open(f"{task}/status") as status:
                if comm.read() == "mpath-dbus\n":
                    return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", status.read())[1])
        raise AssertionError("no control thread")

    def log_text(self):
        with open(self.log) as log:
            return log.read()

    def serving(self, times=1):
        """Waits until it was on the bus so many times."""
        wait_for(lambda: self.log_text().count("serving org.tcmu.Mpath1") >= times, "on the bus")

    def did(self, command, times):
        """Waits until it has done this command so many times."""
        wait_for(lambda: self.log_text().count(f"did {command}\n") >= times, command)

    def stop(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


class ControlTest(unittest.TestCase):
    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.dir.cleanup)
        self.addCleanup(self.bus.stop)
        self.server = None

    def start(self, *maps):
        """On the bus, with the objects of all these maps."""
        self.bus.start()
        self.start_server(*maps)
        self.server.serving()
        if maps:
            client = Client(self.bus.address)
            wait_for(lambda: sum(path.endswith("/path/1") for path in client.objects()) == len(maps),
                     "the objects")
            client.bus.close_sync()

    def start_server(self, *maps, options=()):
        self.server = Server(self.bus, *options)
        self.addCleanup(self.end_server)
        for name in maps:
            self.server.say("add", name)

    def end_server(self):
        if self.server.process.poll() is None:
            self.assertEqual(self.server.stop(), 0)
        else:
            self.fail(f"the server is gone, status {self.server.process.returncode}")

    def popen(self, *args, user=None, stdin=None, stdout=subprocess.PIPE):
        # Another user may not be able to read the repository.
        source = f"{self.bus.dir.name}/targetcli-ext" if user else f"{REPO}/targetcli-ext"
        return subprocess.Popen(
            ["/usr/bin/python3", f"{source}/mpathctl", *args], text=True, user=user,
            stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
            env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus.address,
                     PYTHONPATH=source, PYTHONDONTWRITEBYTECODE="1"))

    def mpathctl(self, *args, status=0, user=None):
        """Runs it and returns what it printed: standard error if it was to fail."""
        process = self.popen(*args, user=user)
        out, err = process.communicate(timeout=40)
        self.assertEqual(process.returncode, status, out + err)
        self.assertEqual(err == "", status == 0, err)
        return err if status else out

    def gdbus(self, path, method, *args):
        return subprocess.run(
            ["gdbus", "call", "--address", self.bus.address, "-d", "org.tcmu.Mpath1", "-o", path,
             "-m", method, *args], capture_output=True, text=True, timeout=40)

    def test_list(self):
        self.start()
        self.assertEqual(self.mpathctl("list"), "")
        for name in ("mpathb", "mpatha", "a.b", "a_2eb", "0+x-y"):
            self.server.say("add", name)
        wait_for(lambda: self.mpathctl("list").split() ==
                 ["0+x-y", "a.b", "a_2eb", "mpatha", "mpathb"], "all listed")
        self.server.say("remove", "mpathb")
        wait_for(lambda: "mpathb" not in self.mpathctl("list"), "no longer listed")

    def test_object(self):
        """What a client of another kind sees: the paths and the interface."""
        self.start("a.b")
        result = self.gdbus("/org/tcmu/Mpath1", "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
        self.assertIn("'/org/tcmu/Mpath1/map/a_2eb'", result.stdout)
        self.assertIn("{'org.tcmu.Mpath1.Map': {'Name': <'a.b'>", result.stdout)
        result = self.gdbus("/org/tcmu/Mpath1/map/a_2eb", "org.tcmu.Mpath1.Map.Status", "info")
        self.assertEqual(result.stdout, "('the info of this map',)\n")

    def client(self):
        client = Client(self.bus.address)
        self.addCleanup(client.bus.close_sync)
        return client

    def start_client(self, *maps):
        self.start(*maps)
        return self.client()

    STATISTICS = {"Writes": 0, "Others": 0, "WriteBytes": 0, "Iops": 0, "ReadRate": 0,
                  "WriteRate": 0}
    TARGET_ERRORS = {"check-condition": 0, "reservation-conflict": 0, "busy": 0,
                     "task-set-full": 0, "task-aborted": 0, "other": 0}

    def test_everything_is_shown(self):
        """Every property of every object, and no other."""
        client = self.start_client("mpatha")
        self.server.say("reads", "mpatha", "3")
        wait_for(lambda: client.get("/map/mpatha", "Map.Reads") == 3, "three reads")
        wait_for(lambda: client.get("/map/mpatha", "Map.Iops") == 0, "a second later")
        objects = client.objects()
        self.assertEqual(sorted(objects), [f"/map/mpatha{more}" for more in
                                           ("", "/group/1", "/group/2", "/path/0", "/path/1")])
        self.assertEqual(objects["/map/mpatha"]["Map"], {
            "Name": "mpatha", "Wwid": "36001405b922ff67a", "Vendor": "caf\ufffd",
            "Product": "ARRAY", "Revision": "", "Size": 1 << 30, "BlockSize": 512,
            "State": "active", "QueueIfNoPath": True, "Features": "1 queue_if_no_path",
            "HardwareHandler": "alua", "Checker": "tur", "Failback": "followover", "CurrentGroup": 0,
            "NextGroup": 0, "NrGroups": 2, "NrPaths": 2, "ValidPaths": 2, "QueueDepth": 0,
            "MaxTransfer": 0, "CmdTimeOut": 30000, "CmdTimeOutNeeded": 42000,
            "Warning": "look after this", "LastEvent": 0,
            "PathFaults": 0, "GroupSwitches": 0, "HedgedReads": 4, "Hedged": 2, "HedgesWon": 1, "InFlight": 0, "Held": 0, "Waiting": 0,
            "WritesWait": "writes wait",
            "Delayed": 0, "Fenced": 4, "Reads": 3, "ReadBytes": 1536, "LatencyP50": 1000, "LatencyP99": 2000,
            "LatencyP999": 3000, "Errors": self.TARGET_ERRORS, **self.STATISTICS})
        self.assertEqual(objects["/map/mpatha/group/2"], {"Group": {
            "Map": ROOT + "/map/mpatha", "Number": 2, "State": "enabled",
            "Selector": "round-robin", "NrPaths": 0, "ValidPaths": 0, "InFlight": 0}})
        self.assertEqual(objects["/map/mpatha/path/0"], {"Path": {
            "Map": ROOT + "/map/mpatha", "Group": ROOT + "/map/mpatha/group/1", "Number": 0,
            "Address": "/dev/disk/by-path/0", "Name": "8:0", "Device": "sda",
            "Wwid": "36001405b922ff67a", "State": "active", "Reason": "", "FailCount": 0,
            "Slow": False, "ReadOnly": False, "QueueDepth": 32, "MaxTransfer": 1 << 20, "AluaState": "standby",
            "Priority": 1, "InFlight": 0, "Reads": 3, "ReadBytes": 0, "LatencyP50": 100,
            "LatencyP99": 200, "LatencyP999": 300, **self.STATISTICS,
            "Errors": {**self.TARGET_ERRORS, "no-resources": 0, "refused": 0, "not-sent": 0,
                       "gone": 0, "lost": 0, "timeout": 0, "fault": 0}}})
        self.assertEqual(objects["/map/mpatha/path/1"]["Path"]["Group"],
                         ROOT + "/map/mpatha/group/2")
        for path, interfaces in objects.items():
            for interface, values in interfaces.items():
                for name, value in values.items():
                    self.assertEqual(client.get(path, f"{interface}.{name}"), value, name)
        self.assertIn("InvalidArgs", client.get("/map/mpatha", "Map.Nonsense"))

    def test_objects_are_as_described(self):
        """What a client finds by introspection, and of which types the values are."""
        client = self.start_client("mpatha")

        def asked(path, method, *words):
            return client.bus.call_sync(
                "org.tcmu.Mpath1", ROOT + path, *method.rsplit(".", 1),
                GLib.Variant(f"({'s' * len(words)})", words) if words else None, None,
                Gio.DBusCallFlags.NO_AUTO_START, 60000, None)

        def introspect(path):
            text, = asked(path, "org.freedesktop.DBus.Introspectable.Introspect")
            return Gio.DBusNodeInfo.new_for_xml(text)

        for path, below in (("", ["map"]), ("/map", ["mpatha"]), ("/map/mpatha", ["group", "path"]),
                            ("/map/mpatha/group", ["1", "2"]), ("/map/mpatha/path", ["0", "1"])):
            self.assertEqual(sorted(node.path for node in introspect(path).nodes), below)
        for path, interface in (("/map/mpatha", "Map"), ("/map/mpatha/group/1", "Group"),
                                ("/map/mpatha/path/0", "Path"), ("", "Manager")):
            name = f"org.tcmu.Mpath1.{interface}"
            described = {each.name: each.signature
                         for each in introspect(path).lookup_interface(name).properties}
            values = asked(path, "org.freedesktop.DBus.Properties.GetAll", name).get_child_value(0)
            self.assertEqual({key: values.lookup_value(key, None).get_type_string()
                              for key in values.unpack()}, described)
        self.server.say("add", "a.b")
        wait_for(lambda: "/map/a_2eb/path/1" in client.objects(), "another map")
        for path in ("/map/mpatha/path/00", "/map/mpatha/path/2", "/map/a_2Eb",
                     "/map/mpatha/group/0", "/map/mpatha/paths", "/map/mpathb", "/map/mpatha_"):
            self.assertEqual(introspect(path).interfaces, [], path)
            self.assertIn("UnknownMethod", client.call(path, "Map.Resume"))

    def test_nothing_can_be_set(self):
        client = self.start_client("mpatha")
        for path, interface, name in (("/map/mpatha", "Map", "Wwid"),
                                      ("/map/mpatha/group/1", "Group", "State"),
                                      ("/map/mpatha/path/0", "Path", "State")):
            answer = client.call(path, "org.freedesktop.DBus.Properties.Set", "(ssv)",
                                 f"org.tcmu.Mpath1.{interface}", name, GLib.Variant("s", "x"))
            self.assertIn("InvalidArgs", answer)
            self.assertNotEqual(client.get(path, f"{interface}.{name}"), "x")

    def test_rates(self):
        client = self.start_client("mpatha")
        self.server.say("reads", "mpatha", "1000")
        wait_for(lambda: client.get("/map/mpatha", "Map.Iops") > 0, "a rate")
        self.assertIn(client.get("/map/mpatha", "Map.Iops"), range(300, 2001))
        self.assertIn(client.get("/map/mpatha", "Map.ReadRate"), range(300 * 512, 2001 * 512))
        self.assertGreater(client.get("/map/mpatha/path/0", "Path.Iops"), 0)
        self.assertEqual(client.get("/map/mpatha/path/1", "Path.Iops"), 0)
        wait_for(lambda: client.get("/map/mpatha", "Map.Iops") == 0, "a second without reads")
        self.assertEqual(client.get("/map/mpatha", "Map.ReadRate"), 0)

    def test_root_object(self):
        client = self.start_client("mpatha")
        self.assertRegex(client.get("", "Manager.Version"), r"^\d+\.\d+\.\d+$")
        self.assertTrue(client.get("", "Manager.BuildId"))
        self.assertEqual(client.call("", "Manager.Check", "(s)", "good"), "groups: 2")
        self.assertEqual(client.call("", "Manager.Check", "(s)", "bad"),
                         'InvalidArgument: word 1 is "bad", expected good')

    def test_methods_of_groups(self):
        """When a method has returned, the properties say what it has done."""
        client = self.start_client("mpatha")
        for method, name, value in (("Disable", "State", "disabled"),
                                    ("Enable", "State", "enabled")):
            self.assertIsNone(client.call("/map/mpatha/group/2", f"Group.{method}"))
            self.assertEqual(client.get("/map/mpatha/group/2", f"Group.{name}"), value)
            self.assertEqual(client.get("/map/mpatha/group/1", "Group.State"), "enabled")
        self.assertIsNone(client.call("/map/mpatha/group/2", "Group.Switch"))
        self.assertEqual(client.get("/map/mpatha", "Map.NextGroup"), 2)
        for method in ("Enable", "Disable", "Switch"):
            self.assertIn("UnknownMethod", client.call("/map/mpatha/group/3", f"Group.{method}"))
            self.assertIn("InvalidArgs", client.call("/map/mpatha/group/1", f"Group.{method}",
                                                     "(s)", "too much"))

    def test_methods_of_maps(self):
        client = self.start_client("mpatha")
        self.assertIsNone(client.call("/map/mpatha", "Map.AddPath", "(us)", 2, "/dev/disk/by-id/x"))
        added = client.objects()["/map/mpatha/path/2"]["Path"]
        self.assertEqual((added["Address"], added["Group"]),
                         ("/dev/disk/by-id/x", ROOT + "/map/mpatha/group/2"))
        self.assertIsNone(client.call("/map/mpatha", "Map.AddPath", "(us)", 0, "8:80"))
        self.assertEqual(client.objects()["/map/mpatha/path/3"]["Path"]["Address"], "8:80")
        self.assertIsNone(client.call("/map/mpatha", "Map.RemovePath", "(s)", "8:0"))
        self.assertNotIn("/map/mpatha/path/0", client.objects())
        self.assertIsNone(client.call("/map/mpatha", "Map.Resize"))
        client.wait_signal(lambda *signal: signal[1] == "Event" and signal[2][5] == "resize",
                           "the map was told")
        self.assertIn("InvalidArgs", client.call("/map/mpatha", "Map.Resize", "(t)", 1 << 30))
        self.assertIsNone(client.call("/map/mpatha", "Map.Reload", "(s)", "good"))
        self.assertIn("/map/mpatha/path/4", client.objects())
        self.assertEqual(client.call("/map/mpatha", "Map.Reload", "(s)", "bad"),
                         "InvalidArgument: word 1 is bad")
        self.assertEqual(client.call("/map/mpatha", "Map.Reload", "(s)", "busy"), "Busy: not now")
        self.assertNotIn("/map/mpatha/path/5", client.objects())
        self.server.say("forget", "mpatha")
        wait_for(lambda: client.call("/map/mpatha", "Map.Reload", "(s)", "good")
                 == "NoSuchMap: there is no map mpatha", "gone")
        self.assertIn("still loaded: 0", self.server.log_text())
        self.assertNotIn("still loaded: 1", self.server.log_text())
        for method, *arguments in (("AddPath", "(us)", 1, "8:0"), ("RemovePath", "(s)", "8:0"),
                                   ("Resize",)):
            self.assertEqual(client.call("/map/mpatha", f"Map.{method}", *arguments),
                             "NoSuchMap: there is no map mpatha")

    def test_methods_of_paths(self):
        client = self.start_client("mpatha")
        path = "/map/mpatha/path/1"
        self.assertIsNone(client.call(path, "Path.Fail"))
        self.assertEqual(client.get(path, "Path.State"), "failed-by-message")
        self.assertEqual(client.get(path, "Path.Reason"), "fail_path message")
        self.assertEqual(client.get(path, "Path.FailCount"), 1)
        self.assertEqual(client.get("/map/mpatha/path/0", "Path.State"), "active")
        self.assertIsNone(client.call(path, "Path.Reinstate"))
        self.assertEqual(client.get(path, "Path.State"), "active")
        self.assertEqual(client.get(path, "Path.Reason"), "")
        self.assertIsNone(client.call(path, "Path.Probe"))
        self.assertEqual(client.get(path, "Path.Errors")["lost"], 1)
        for method in ("Fail", "Reinstate", "Probe"):
            self.assertIn("UnknownMethod", client.call("/map/mpatha/path/2", f"Path.{method}"))
        self.server.say("forget", "mpatha")
        wait_for(lambda: client.call(path, "Path.Fail") == "NoSuchMap: there is no map mpatha", "gone")
        self.assertEqual(client.call("/map/mpatha", "Map.Status", "(s)", "json"),
                         "NoSuchMap: there is no map mpatha")

    def test_a_method_is_of_its_path(self):
        """A disk has another number since the objects were looked at: another path has its name."""
        client = self.start_client("mpatha")
        for i in range(1, 11):
            self.server.say("swap", "mpatha")
            self.server.did("swap mpatha", i)
            self.assertIsNone(client.call("/map/mpatha/path/0", "Path.Fail"))
            self.assertEqual(client.get("/map/mpatha/path/0", "Path.FailCount"), i)
            self.assertEqual(client.get("/map/mpatha/path/1", "Path.FailCount"), 0)

    def test_paths_come_and_go(self):
        client = self.start_client("mpatha")
        new = ROOT + "/map/mpatha/path/2"
        before = {ROOT + path for path in client.objects()}     # word of these may come only now
        self.server.say("grow", "mpatha")
        client.wait_signal(lambda *signal: signal[1] == "InterfacesAdded" and signal[2][0] == new,
                           "a path is added")
        client.listen(1.5)
        added = [signal[2] for signal in client.signals
                 if signal[1] == "InterfacesAdded" and signal[2][0] not in before]
        self.assertEqual([path for path, _ in added], [new])
        interfaces = added[0][1]
        self.assertEqual(interfaces["org.tcmu.Mpath1.Path"]["Address"], "/dev/disk/by-path/2")
        self.assertEqual(client.get("/map/mpatha", "Map.NrPaths"), 3)
        self.assertEqual(client.objects()["/map/mpatha/path/2"]["Path"]["Name"], "8:32")

        client.signals.clear()
        self.server.say("shrink", "mpatha")
        client.wait_signal(lambda *signal: signal[1] == "InterfacesRemoved", "a path is removed")
        client.listen(1.5)
        removed = [signal[2] for signal in client.signals if signal[1].startswith("Interfaces")]
        self.assertEqual(removed, [(ROOT + "/map/mpatha/path/0", ["org.tcmu.Mpath1.Path"])])
        self.assertEqual(sorted(path for path in client.objects() if "/path/" in path),
                         ["/map/mpatha/path/1", "/map/mpatha/path/2"])

        client.signals.clear()
        self.server.say("remove", "mpatha")
        client.wait_signal(lambda _, member, arguments: member == "InterfacesRemoved"
                           and arguments[0] == ROOT + "/map/mpatha", "the map is removed")
        self.assertEqual(client.objects(), {})

    def test_many_paths(self):
        """More than there is room for at first."""
        self.start("mpatha")
        client = self.client()
        self.server.say("add", "mpathb", "30")
        wait_for(lambda: len([path for path in client.objects() if "mpathb/path/" in path]) == 30,
                 "all paths")

    def test_sixty_four_maps(self):
        self.start(*(f"m{i:02}" for i in range(64)))
        client = self.client()
        wait_for(lambda: len(client.objects()) == 64 * 5, "all objects")
        self.assertEqual(len(self.mpathctl("list").split()), 64)

    def test_changes_are_told(self):
        """Once for each object with all that has changed, and never for statistics."""
        client = self.start_client("mpatha")
        client.listen(0.5)
        client.signals.clear()
        self.server.say("reads", "mpatha", "5")
        client.call("/map/mpatha/path/0", "Path.Fail")
        client.wait_signal(lambda path, member, _: (path, member) ==
                           ("/map/mpatha/path/0", "PropertiesChanged"), "the path's change")
        client.listen(1.5)
        self.assertEqual([signal for signal in client.signals if signal[1] == "PropertiesChanged"], [
            ("/map/mpatha", "PropertiesChanged", ("org.tcmu.Mpath1.Map", {"LastEvent": 1}, [])),
            ("/map/mpatha/path/0", "PropertiesChanged", ("org.tcmu.Mpath1.Path", {
                "State": "failed-by-message", "Reason": "fail_path message", "FailCount": 1}, []))])
        self.assertEqual(client.get("/map/mpatha", "Map.Reads"), 5)

    def test_changes_are_told_ten_times_a_second(self):
        """Hundreds of changes: few signals, and the last of them tells how it ended."""
        client = self.start_client("mpatha")
        client.listen(0.5)
        client.signals.clear()
        begin = time.monotonic()
        calls = 0
        while calls < 200 or time.monotonic() < begin + 2:
            self.assertIsNone(client.call("/map/mpatha/path/0", "Path.Fail"))
            self.assertIsNone(client.call("/map/mpatha/path/0", "Path.Reinstate"))
            calls += 2
        client.call("/map/mpatha/path/0", "Path.Fail")
        seconds = time.monotonic() - begin
        path = "/map/mpatha/path/0"
        client.wait_signal(lambda *signal: signal[:2] == (path, "PropertiesChanged")
                           and signal[2][1].get("FailCount") == calls // 2 + 1, "the last change")
        client.listen(0.5)
        changes = [signal for signal in client.signals if signal[:2] == (path, "PropertiesChanged")]
        self.assertGreater(len(changes), 5)
        self.assertLess(len(changes), 10 * seconds + 3)
        self.assertEqual(changes[-1][2][1]["FailCount"], calls // 2 + 1)
        self.assertEqual(client.get(path, "Path.State"), "failed-by-message")

    def test_events(self):
        client = self.start_client("mpatha", "mpathb")
        begin = time.time()
        client.call("/map/mpatha/path/0", "Path.Fail")
        client.call("/map/mpatha/path/0", "Path.Reinstate")
        self.server.say("events", "mpathb", "100")
        client.wait_signal(lambda path, member, arguments: (path, member) == ("/map/mpathb", "Event")
                           and arguments[0] == 100, "the last event")
        of_a = [signal[2] for signal in client.signals if signal[:2] == ("/map/mpatha", "Event")]
        of_b = [signal[2] for signal in client.signals if signal[:2] == ("/map/mpathb", "Event")]
        self.assertEqual([event[:1] + event[2:] for event in of_a],
                         [(1, "path-failed", "8:0", 1, "failed"),
                          (2, "path-reinstated", "8:0", 1, "reinstated")])
        for event in of_a:
            self.assertTrue(begin - 1 < event[1] / 1e6 < time.time() + 1, event)
        self.assertEqual([event[0] for event in of_b], list(range(1, 101)))
        self.assertEqual({event[2:] for event in of_b}, {("lun", "", 1, "something happened")})
        wait_for(lambda: client.get("/map/mpathb", "Map.LastEvent") == 100, "the last event's number")

    def test_an_event_before_the_object(self):
        """The map says something before it was asked for the first time."""
        client = self.start_client()
        names = [f"m{i}" for i in range(20)]
        for name in names:
            self.server.say("add", name)
            self.server.say("events", name, "1")
        wait_for(lambda: len([path for path in client.objects() if "/path/1" in path]) == 20,
                 "the objects")
        for name in names:
            wait_for(lambda name=name: client.get(f"/map/{name}", "Map.LastEvent") == 1, name)

    def test_kinds_of_events_are_described(self):
        with open(f"{REPO}/handler/core/notice.c") as f:
            kinds = re.findall(r'return "([a-z-]+)";', f.read())
        with open(f"{REPO}/config/dbus/org.tcmu.Mpath1.xml") as f:
            described = f.read().partition("Event:")[2].partition("@path:")[0]
        self.assertIn("path-failed", kinds)
        self.assertEqual(set(kinds), set(re.findall(r'"([a-z-]+)"', described)))

    def test_json(self):
        client = self.start_client("mpatha")
        client.call("/map/mpatha/path/1", "Path.Fail")
        text = client.call("/map/mpatha", "Map.Status", "(s)", "json")
        status = json.loads(text)
        self.assertEqual((status["major_version"], status["minor_version"]), (0, 1))
        found = status["map"]
        for name, value in (("name", "mpatha"), ("uuid", "36001405b922ff67a"), ("queueing", "on"),
                            ("paths", 2), ("dm_st", "active"), ("features", "1 queue_if_no_path"),
                            ("hwhandler", "1 alua"), ("failback", "followover"), ("write_prot", "rw"), ("path_faults", 0), ("switch_grp", 0), ("hedged_reads", 4), ("hedged", 2), ("hedges_won", 1), ("vend", "caf\ufffd"),
                            ("prod", "ARRAY"), ("rev", ""), ("size", 1 << 30), ("fenced", 4)):
            self.assertEqual(found[name], value, name)
        self.assertEqual([(group["group"], group["selector"], group["dm_st"])
                          for group in found["path_groups"]],
                         [(1, "round-robin", "enabled"), (2, "round-robin", "enabled")])
        path, = found["path_groups"][1]["paths"]
        for name, value in (("dev", "sdb"), ("dev_t", "8:16"), ("dm_st", "failed"),
                            ("chk_st", "undef"), ("checker", "tur"), ("dev_st", "running"), ("reason", "fail_path message"), ("slow", False),
                            ("alua_state", "standby"), ("pri", 1)):
            self.assertEqual(path[name], value, name)
        path, = found["path_groups"][0]["paths"]
        self.assertEqual((path["dm_st"], path["chk_st"]), ("active", "ready"))

    def test_many_clients_flood(self):
        """Ten clients ask as fast as they can, one does not read the answers: memory is bounded,
        and others are answered."""
        client = self.start_client(*(f"m{i}" for i in range(8)))
        path = f"{self.bus.dir.name}/bus"
        before = most = self.server.rss_kib()
        fork = multiprocessing.get_context("fork")
        floods = [fork.Process(target=flood, args=(path, i > 0, 3000)) for i in range(10)]
        for process in floods:
            process.start()
        answers = 0
        while any(process.is_alive() for process in floods):
            most = max(most, self.server.rss_kib())
            self.assertEqual(client.call("/map/m3", "Map.Status", "(s)", "info"),
                             "the info of this map")
            answers += 1
        for process in floods:
            process.join()
        self.assertLess(most - before, 64 << 10)
        self.assertGreater(answers, 0)
        self.assertEqual(client.call("/map/m3", "Map.Status", "(s)", "info"),
                         "the info of this map")

    def test_the_bus_is_stuck(self):
        """dbus-daemon stands still: what we would tell is not heaped up; the newest is told then."""
        client = self.start_client("mpatha")
        client.listen(0.5)
        client.signals.clear()
        self.bus.process.send_signal(signal.SIGSTOP)
        for i in range(4):
            self.server.say("events", "mpatha", "40000")
            self.server.did("events mpatha", i + 1)
        self.bus.process.send_signal(signal.SIGCONT)
        client.wait_signal(lambda _, member, arguments: member == "Event" and arguments[0] == 160000,
                           "the last event")
        numbers = [signal[2][0] for signal in client.signals if signal[1] == "Event"]
        self.assertEqual(numbers, sorted(set(numbers)))
        # So many wait here, in GDBus and in the socket, 500 each.
        self.assertLess(len(numbers), 2000)

    def test_message(self):
        self.start("mpatha")
        self.assertEqual(self.mpathctl("message", "mpatha", "echo", "8:16", "", "-x", "--table", "ü"),
                         "[8:16][][-x][--table][ü]\n")
        self.assertEqual(self.mpathctl("message", "mpatha", "echo"), "")

    def test_status(self):
        self.start("mpatha")
        self.assertEqual(self.mpathctl("status", "mpatha"), "the detail of this map\n")
        for kind in ("info", "table", "detail"):
            self.assertEqual(self.mpathctl("status", "mpatha", "--" + kind),
                             f"the {kind} of this map\n")

    def test_refused(self):
        self.start("mpatha")
        self.assertEqual(self.mpathctl("message", "mpatha", "nonsense", status=1),
                         "mpathctl: unknown message nonsense\n")
        self.assertEqual(self.mpathctl("message", "mpatha", "error", "16", status=1),
                         "mpathctl: Device or resource busy\n")
        for number, name in ((22, "InvalidArgument"), (2, "NotFound"), (19, "NotFound"),
                             (16, "Busy"), (95, "NotSupported"), (7, "LimitsExceeded"),
                             (5, "Failed")):
            result = self.gdbus("/org/tcmu/Mpath1/map/mpatha", "org.tcmu.Mpath1.Map.Message",
                                f"['error', '{number}', 'why']")
            self.assertIn(f"org.tcmu.Mpath1.Error.{name}: why", result.stderr)

    def test_no_such_map(self):
        self.start("mpatha")
        self.assertEqual(self.mpathctl("status", "mpathz", status=3),
                         "mpathctl: there is no map mpathz\n")
        self.server.say("forget", "mpatha")     # gone, but its object is not yet
        self.assertEqual(self.mpathctl("status", "mpatha", status=3),
                         "mpathctl: there is no map mpatha\n")

    def test_usage(self):
        for args in ((), ("message",), ("message", "mpatha"), ("status",), ("frobnicate",),
                     ("status", "mpatha", "--info", "--table")):
            self.assertIn("usage: mpathctl", self.mpathctl(*args, status=2))
        self.assertIn("Exit status", self.mpathctl("--help"))

    def test_limits(self):
        self.start("mpatha")
        message = ("/org/tcmu/Mpath1/map/mpatha", "org.tcmu.Mpath1.Map.Message")
        for words, answer in (("@as []", "InvalidArgument: a message has at least one word"),
                              (str(["echo"] * 33), "LimitsExceeded: a message has at most 32 words"),
                              (str(["echo", "x" * 4093]), "LimitsExceeded: a message has at most"),
                              (str(["long", "20000"]), "LimitsExceeded: the answer is longer")):
            self.assertIn("org.tcmu.Mpath1.Error." + answer, self.gdbus(*message, words).stderr)
        self.assertIn("x" * 4092, self.gdbus(*message, str(["echo", "x" * 4092])).stdout)
        self.assertEqual(self.gdbus(*message, str(["echo"] * 32)).stdout, "('" + "[echo]" * 31 + "',)\n")
        self.assertEqual(len(self.mpathctl("message", "mpatha", "long", "13000")), 130001)
        self.assertEqual(self.mpathctl("message", "mpatha", "latin1"), "caf\ufffd\n")

    def test_texts_have_a_limit(self):
        """Map files' own; who reads them is one thread for all."""
        client = self.start_client("mpatha")
        text = "x" * (1 << 20)
        for path, method in (("", "Manager.Check"), ("/map/mpatha", "Map.Reload")):
            self.assertEqual(client.call(path, method, "(s)", text + "x"),
                             "LimitsExceeded: a map has at most 1 MiB")
            self.assertNotIn("LimitsExceeded", client.call(path, method, "(s)", text) or "")

    def test_a_client_does_not_read(self):
        """dbus-daemon reads no more from who has too much on its way, which are answers that nobody
        reads: others are answered again before long, whomever GDBus blames for the close."""
        self.bus.start(ALLOW_ALL, '<limit name="max_incoming_bytes">500000</limit>')
        self.start_server(*(f"m{i}" for i in range(8)), options=["blames-bus"])
        self.server.serving()
        lazy = multiprocessing.get_context("fork").Process(
            target=ask_and_not_read, args=(f"{self.bus.dir.name}/bus",))
        lazy.start()
        self.addCleanup(lazy.join)
        self.addCleanup(lazy.kill)
        wait_for(lambda: "nothing was taken from us" in self.server.log_text(), "noticed")
        os.kill(lazy.pid, signal.SIGSTOP)   # it has what it has, and does not ask the next one
        self.server.serving(2)
        self.assertEqual(self.client().call("/map/m3", "Map.Status", "(s)", "info"),
                         "the info of this map")

    def test_another_process(self):
        """Which takes the name has it for as long as it lives; then it is ours again."""
        self.start()
        client = Client(self.bus.address)
        name = "org.tcmu.Mpath1"
        self.assertEqual(client.ask_bus("RequestName", name, 2, signature="(su)"), 1)
        wait_for(lambda: "another process has taken it" in self.server.log_text(), "it is told")
        time.sleep(2.5)     # it has tried again
        self.assertEqual(client.ask_bus("GetNameOwner", name, signature="(s)"),
                         client.bus.get_unique_name())
        client.bus.close_sync()
        self.server.serving(2)

    def test_flood(self):
        """More calls than a client may have under way (dbus-daemon itself allows 128): some are
        refused, none is lost."""
        self.start("mpatha")
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                 | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        client = Gio.DBusConnection.new_for_address_sync(self.bus.address, flags, None, None)
        loop = GLib.MainLoop()
        replies, errors = [], []

        def send(*words):
            client.call("org.tcmu.Mpath1", "/org/tcmu/Mpath1/map/mpatha", "org.tcmu.Mpath1.Map",
                        "Message", GLib.Variant("(as)", (words,)), None,
                        Gio.DBusCallFlags.NONE, 30000, None, ended)

        def ended(_source, result):
            try:
                replies.append(client.call_finish(result).unpack()[0])
            except GLib.Error as error:
                errors.append(Gio.DBusError.get_remote_error(error))
            if len(replies) + len(errors) == 121:
                loop.quit()

        send("sleep", "500")
        for _ in range(120):
            send("echo", "x")
        loop.run()
        self.assertEqual(set(errors), {"org.tcmu.Mpath1.Error.Busy"})
        self.assertGreaterEqual(len(errors), 50)
        self.assertIn(len(replies), range(16, 65))
        client.close_sync()
        self.assertEqual(self.mpathctl("message", "mpatha", "echo", "y"), "[y]\n")

    def ask_for_all(self, clients):
        """Each of them asks a hundred times for all objects; then the service sees it all at once."""
        replies, errors = [0] * clients, []

        def ended(bus, result, i):
            try:
                bus.call_finish(result)
                replies[i] += 1
            except GLib.Error as error:
                errors.append(Gio.DBusError.get_remote_error(error))

        self.server.process.send_signal(signal.SIGSTOP)
        askers = [self.client() for _ in range(clients)]
        for i, asker in enumerate(askers):
            for _ in range(100):
                asker.bus.call("org.tcmu.Mpath1", ROOT, *MANAGED.rsplit(".", 1), None, None,
                               Gio.DBusCallFlags.NONE, 60000, None, ended, i)
            asker.bus.flush_sync()
        return askers, replies, errors

    def test_many_ask_for_all(self):
        """What is told of all maps takes long: whoever asks for it again and again gets it a few times at
        once, and who has not asked yet does not wait for long, or hears to try again, as mpathctl does."""
        self.start(*(f"m{i}" for i in range(20)))
        askers, replies, errors = self.ask_for_all(6)
        list_maps = self.popen("list")
        time.sleep(3)       # it asks, too
        self.server.process.send_signal(signal.SIGCONT)
        wait_for(lambda: askers[0].iterate() or sum(replies) + len(errors) == 600, "all are answered")
        self.assertEqual(set(errors), {"org.tcmu.Mpath1.Error.Busy"})
        self.assertLess(sum(replies), 100)
        self.assertGreater(replies[0], 1)
        out, err = list_maps.communicate(timeout=40)
        self.assertEqual((list_maps.returncode, err), (0, ""))
        self.assertEqual(len(out.splitlines()), 20)

    def test_a_map_that_hangs(self):
        """What it is asked again and again is not answered, but other maps are."""
        client = self.start_client("mpatha", "mpathb")
        self.server.say("hang", "mpatha")
        self.server.did("hang mpatha", 1)
        for _ in range(100):
            client.bus.call("org.tcmu.Mpath1", ROOT + "/map/mpatha", "org.tcmu.Mpath1.Map", "Status",
                            GLib.Variant("(s)", ("info",)), None, Gio.DBusCallFlags.NONE, 60000, None)
        self.assertEqual(client.call("/map/mpatha", "Map.Status", "(s)", "info"),
                         "Busy: too many calls at once, try again")
        self.assertEqual(client.call("/map/mpathb", "Map.Status", "(s)", "info"),
                         "the info of this map")
        self.assertIsNone(client.call("/map/mpathb/path/0", "Path.Fail"))

    def test_everybody_asks(self):
        """Of maps that do not answer everybody may ask the status: that leaves room for root's messages."""
        client = self.start_client(*(f"m{i}" for i in range(20)))
        for i in range(1, 20):
            self.server.say("hang", f"m{i}")
            self.server.did(f"hang m{i}", 1)
            for _ in range(4):
                client.bus.call("org.tcmu.Mpath1", f"{ROOT}/map/m{i}", "org.tcmu.Mpath1.Map", "Status",
                                GLib.Variant("(s)", ("info",)), None, Gio.DBusCallFlags.NONE, 60000,
                                None)
        self.assertEqual(client.call("/map/m0", "Map.Status", "(s)", "info"),
                         "Busy: too many calls at once, try again")
        self.assertIsNone(client.call("/map/m0/path/0", "Path.Fail"))

    def test_client_leaves(self):
        """A client that does not wait for its answer, and a map that goes before it gives one."""
        self.start("mpatha")
        client = self.popen("message", "mpatha", "sleep", "1500")
        time.sleep(1)
        self.server.say("remove", "mpatha")
        client.kill()
        client.communicate()
        time.sleep(1)
        self.server.say("add", "mpatha")
        wait_for(lambda: self.mpathctl("list") == "mpatha\n", "listed again")

    def test_bus_restarts(self):
        self.start("mpatha")
        self.assertNotIn("no user: backstores", self.server.log_text())
        self.bus.stop()
        wait_for(lambda: "connection lost" in self.server.log_text(), "noticed")
        self.server.say("add", "mpathb")        # while there is no bus
        time.sleep(2.5)
        self.bus.start()
        self.server.serving(2)
        self.assertEqual(self.mpathctl("list"), "mpatha\nmpathb\n")
        self.assertEqual(self.server.log_text().count("trying again"), 1)
        wait_for(lambda: "no user: backstores until tcmu-runner is restarted" in self.server.log_text(),
                 "what else was lost is told")

    def test_one_try_at_a_time(self):
        """The name was refused, and then the bus goes: both want another try, but it is one."""
        self.bus.start(DENY_ALL)
        self.start_server("mpatha")
        wait_for(lambda: "cannot own" in self.server.log_text(), "the name is refused")
        self.bus.stop()
        self.bus.start()
        self.server.serving()
        self.assertEqual(self.mpathctl("list"), "mpatha\n")
        self.assertEqual(self.server.log_text().count("serving org.tcmu.Mpath1"), 1)

    def test_beside_tcmu_runner(self):
        """Its main thread goes on the bus when ours does: neither waits for the other for ever."""
        self.bus.start()
        self.start_server(options=["beside-runner"])
        self.server.serving()
        wait_for(lambda: "tcmu-runner is on the bus" in self.server.log_text(), "tcmu-runner")

    def test_bus_does_not_answer(self):
        """tcmu-runner goes on without it."""
        self.bus.start()
        self.bus.process.send_signal(signal.SIGSTOP)
        self.start_server("mpatha")
        self.server.did("add mpatha", 1)
        self.bus.process.send_signal(signal.SIGCONT)
        self.server.serving()

    def test_no_bus_yet(self):
        self.start_server("mpatha")
        wait_for(lambda: "no connection" in self.server.log_text(), "noticed")
        self.assertIn("no maps are served: no system bus", self.mpathctl("list", status=4))
        self.bus.start()
        self.server.serving()
        self.assertEqual(self.mpathctl("list"), "mpatha\n")

    def test_idle_without_bus(self):
        """
        Once a second it looks for the bus and at the maps, and wakes up a few times for that; load makes that
        rarer only.
        """
        self.start_server("mpatha", "mpathb")
        wait_for(lambda: "no connection" in self.server.log_text(), "noticed")
        before, since = self.server.wakes(), time.monotonic()
        wait_for(lambda: self.server.wakes() - before >= 14, "the clock ticks")
        self.assertGreater(time.monotonic() - since, 2)

    def test_not_running(self):
        self.bus.start()
        self.assertIn("is tcmu-runner running", self.mpathctl("list", status=4))

    def test_policy_comes_late(self):
        """The policy file is read after we wanted the name: a package installed a moment ago."""
        self.bus.start(DENY_ALL)
        self.start_server("mpatha")
        wait_for(lambda: "cannot own" in self.server.log_text(), "noticed")
        self.bus.configure()
        self.bus.process.send_signal(signal.SIGHUP)
        self.server.serving()
        self.assertEqual(self.mpathctl("list"), "mpatha\n")

    def start_with_policy(self, policy):
        """False: we are not root, so that the name is refused."""
        with open(f"{self.bus.dir.name}/policy", "w") as f:
            f.write(policy)
        self.bus.start(DENY_ALL, f"<include>{self.bus.dir.name}/policy</include>")
        self.start_server("mpatha")
        if os.geteuid():
            wait_for(lambda: "cannot own" in self.server.log_text(), "the name is refused")
            return False
        self.server.serving()
        wait_for(lambda: "/map/mpatha/path/1" in self.client().objects(), "the objects")
        os.chmod(self.bus.dir.name, 0o755)
        return True

    def by_nobody(self, path, method, *args):
        """What gdbus says when another user calls."""
        done = subprocess.run(
            ["gdbus", "call", "--address", self.bus.address, "-d", "org.tcmu.Mpath1", "-o",
             ROOT + path, "-m", method, *args], capture_output=True, text=True, timeout=40,
            user=65534, group=65534, extra_groups=[])
        return done.stdout + done.stderr

    READING = (
        ("", "org.freedesktop.DBus.ObjectManager.GetManagedObjects"),
        ("/map/mpatha", "org.freedesktop.DBus.Properties.Get", "org.tcmu.Mpath1.Map", "State"),
        ("/map/mpatha/path/0", "org.freedesktop.DBus.Properties.GetAll", "org.tcmu.Mpath1.Path"),
        ("/map/mpatha/group/1", "org.freedesktop.DBus.Introspectable.Introspect"),
        ("/map/mpatha", "org.freedesktop.DBus.Peer.Ping"),
        ("/map/mpatha", "org.tcmu.Mpath1.Map.Status", "json"),
        ("/map/mpatha", "org.tcmu.Mpath1.Map.Status", "info"),
    )
    CHANGING = (
        ("/map/mpatha", "org.tcmu.Mpath1.Map.Message", "['echo', 'x']"),
        ("/map/mpatha/group/1", "org.tcmu.Mpath1.Group.Disable"),
        ("/map/mpatha/group/1", "org.tcmu.Mpath1.Group.Enable"),
        ("/map/mpatha/group/1", "org.tcmu.Mpath1.Group.Switch"),
        ("/map/mpatha/path/0", "org.tcmu.Mpath1.Path.Fail"),
        ("/map/mpatha/path/0", "org.tcmu.Mpath1.Path.Reinstate"),
        ("/map/mpatha/path/0", "org.tcmu.Mpath1.Path.Probe"),
        ("", "org.tcmu.Mpath1.Manager.Check", "good"),
    )

    def test_policy(self):
        """The policy file as shipped: everybody reads, root does the rest."""
        with open(f"{REPO}/config/dbus/org.tcmu.Mpath1.conf") as f:
            shipped = f.read()
        if not self.start_with_policy(shipped):
            return
        for call in self.READING:
            self.assertNotIn("AccessDenied", self.by_nobody(*call), call)
            self.assertNotIn("Error:", self.by_nobody(*call), call)
        for call in self.CHANGING:
            self.assertIn("org.freedesktop.DBus.Error.AccessDenied", self.by_nobody(*call), call)
        self.assertIn("AccessDenied", self.by_nobody(
            "/map/mpatha", "org.freedesktop.DBus.Properties.Set", "org.tcmu.Mpath1.Map", "State",
            "<'x'>"))
        client = self.client()
        self.assertEqual(client.get("/map/mpatha", "Map.LastEvent"), 0)
        for path, method, *_ in self.CHANGING[1:7]:
            self.assertIsNone(client.call(path, method), method)
        shutil.copytree(f"{REPO}/targetcli-ext", f"{self.bus.dir.name}/targetcli-ext")
        self.assertEqual(self.mpathctl("list", user=65534), "mpatha\n")
        denied = "mpathctl: not permitted: the bus policy says who may control multipath maps; by default root\n"
        self.assertEqual(self.mpathctl("message", "mpatha", "echo", status=5, user=65534), denied)
        self.assertEqual(self.mpathctl("check", "0 0 0 0", status=5, user=65534), denied)

    def test_policy_of_the_group(self):
        """With the shipped comment taken away, members of the group may do what root may."""
        with open(f"{REPO}/config/dbus/org.tcmu.Mpath1.conf") as f:
            policy = re.sub(r"<!--\s*(<policy group=.*</policy>)\s*-->", r"\1", f.read(), flags=re.S)
        self.assertIn('\n  <policy group="mpath-admin">', policy)
        if not self.start_with_policy(policy.replace("mpath-admin", "nogroup")):
            return
        for call in self.READING + self.CHANGING:
            self.assertNotIn("Error:", self.by_nobody(*call), call)


if __name__ == "__main__":
    SERVER = os.path.abspath(sys.argv.pop(1))
    unittest.main()
