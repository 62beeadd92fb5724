#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""handler/control and mpathctl over a real dbus-daemon of our own, with maps that are not there.

    tests/control/test_control.py build/debug/tests/control_server
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

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


def wait_for(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


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

    def __init__(self, bus):
        self.log = f"{bus.dir.name}/log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [SERVER], stdin=subprocess.PIPE, stdout=log, text=True,
                env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address))

    def say(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def log_text(self):
        with open(self.log) as log:
            return log.read()

    def serving(self, times=1):
        """Waits until it was on the bus so many times."""
        wait_for(lambda: self.log_text().count("serving org.tcmu.Mpath1") >= times, "on the bus")

    def stop(self):
        self.process.stdin.close()
        return self.process.wait(10)


class ControlTest(unittest.TestCase):
    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.dir.cleanup)
        self.addCleanup(self.bus.stop)
        self.server = None

    def start(self, *maps):
        self.bus.start()
        self.start_server(*maps)
        self.server.serving()

    def start_server(self, *maps):
        self.server = Server(self.bus)
        self.addCleanup(self.end_server)
        for name in maps:
            self.server.say("add", name)

    def end_server(self):
        if self.server.process.poll() is None:
            self.assertEqual(self.server.stop(), 0)
        else:
            self.fail(f"the server is gone, status {self.server.process.returncode}")

    def popen(self, *args, user=None):
        # Another user may not be able to read the repository.
        source = f"{self.bus.dir.name}/targetcli-ext" if user else f"{REPO}/targetcli-ext"
        return subprocess.Popen(
            ["/usr/bin/python3", f"{source}/mpathctl", *args], text=True, user=user,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
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

    def test_flood(self):
        """More calls than it takes at once (dbus-daemon itself allows a client 128): some are
        refused, none is lost."""
        self.start("mpatha")
        from gi.repository import Gio, GLib
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
        self.assertEqual(len(replies), 64)
        client.close_sync()
        self.assertEqual(self.mpathctl("message", "mpatha", "echo", "y"), "[y]\n")

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
        self.bus.stop()
        wait_for(lambda: "connection lost" in self.server.log_text(), "noticed")
        self.server.say("add", "mpathb")        # while there is no bus
        time.sleep(2.5)
        self.bus.start()
        self.server.serving(2)
        self.assertEqual(self.mpathctl("list"), "mpatha\nmpathb\n")
        self.assertEqual(self.server.log_text().count("trying again"), 1)

    def test_no_bus_yet(self):
        self.start_server("mpatha")
        wait_for(lambda: "no connection" in self.server.log_text(), "noticed")
        self.assertIn("no maps are served: no system bus", self.mpathctl("list", status=4))
        self.bus.start()
        self.server.serving()
        self.assertEqual(self.mpathctl("list"), "mpatha\n")

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

    def test_policy(self):
        """The policy file as shipped: root, and nobody else."""
        shipped = f"<include>{REPO}/config/dbus/org.tcmu.Mpath1.conf</include>"
        self.bus.start(DENY_ALL, shipped)
        self.start_server("mpatha")
        if os.geteuid():
            wait_for(lambda: "cannot own" in self.server.log_text(), "the name is refused")
            return
        self.server.serving()
        self.assertEqual(self.mpathctl("list"), "mpatha\n")
        shutil.copytree(f"{REPO}/targetcli-ext", f"{self.bus.dir.name}/targetcli-ext")
        os.chmod(self.bus.dir.name, 0o755)
        denied = "mpathctl: not permitted: only root may control multipath maps\n"
        for args in (("list",), ("status", "mpatha"), ("message", "mpatha", "echo")):
            self.assertEqual(self.mpathctl(*args, status=5, user=65534), denied)


if __name__ == "__main__":
    SERVER = os.path.abspath(sys.argv.pop(1))
    unittest.main()
