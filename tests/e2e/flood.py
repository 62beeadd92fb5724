# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: --icount -t 3600 long
"""Ten clients flood D-Bus while fio reads: that costs the reads nothing (measure 3 of issue 5).

Time is instructions executed here, and there is one CPU: what a thread has used of it is exact.  The
same flood goes in turns to our service and to the same service in a process of its own, over a
dbus-daemon of its own.  What counts is what tcmu-runner's threads but those of control have executed
for each read.
"""

import os
import socket
import statistics
import struct
import subprocess
import sys
import time

from lib import case, fio, topology
from lib.case import count, defer, expect, note
from lib.mpath import BUS_NAME, Map
from lib.runner import Runner
from lib.system import read, wait_for

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVER = f"{REPO}/build/release/tests/control/control_server"
ROOT = "/org/tcmu/Mpath1"
SYSTEM_BUS = "/run/dbus/system_bus_socket"
CLIENTS = 10
ROUNDS = 3
SECONDS = count(2, 7)       # 20 s of it in all
WORSE = 1.05
CONTROL_THREADS = ("mpath-dbus", "gdbus")
GROWTH_MAX_KIB = 64 << 10

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/other-bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
</policy></busconfig>
"""


def messages():
    """(Hello, the calls of a round of a client): bytes.  dbus-daemon lets a client wait for 128 replies."""
    from gi.repository import Gio, GLib

    def call(serial, name, path, interface, member, *words):
        message = Gio.DBusMessage.new_method_call(name, path, interface, member)
        message.set_serial(serial)
        if words:
            message.set_body(GLib.Variant(*words))
        return message.to_blob(Gio.DBusCapabilityFlags.NONE)
    hello = call(1, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")
    ask = ((ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"),
           (ROOT + "/map/mpatha", BUS_NAME + ".Map", "Status", "(s)", ("info",)))
    return hello, [call(2 + i, BUS_NAME, *ask[i % 2]) for i in range(100)]


class Reader:
    """What comes from a bus, a message after the other."""

    def __init__(self, client):
        self.client = client
        self.data = b""

    def _need(self, length):
        while len(self.data) < length:
            more = self.client.recv(65536)
            if not more:
                raise ConnectionResetError
            self.data += more

    def skip(self, number):
        """So many messages; a header tells how long each is."""
        for _ in range(number):
            self._need(16)
            body, fields = struct.unpack("<4xL4xL", self.data[:16])
            length = 16 + (fields + 7) // 8 * 8 + body
            self._need(length)
            self.data = self.data[length:]


def flood(bus, hello, calls, reads):
    """A client that asks as fast as it can, for ever; it reads the answers, or does not."""
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.connect(bus)
        client.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        client.recv(1024)
        reader = Reader(client)
        try:
            client.sendall(b"BEGIN\r\n" + hello)
            reader.skip(2)      # the reply, and NameAcquired
            while True:
                client.sendall(b"".join(calls))
                if reads:
                    reader.skip(len(calls))
        except OSError:
            client.close()      # dbus-daemon has thrown us out


class Flood:
    """`with Flood(bus, messages)`: ten clients, one of which does not read."""

    def __init__(self, bus, messages):
        self.pids = []
        for i in range(CLIENTS):
            pid = os.fork()
            if not pid:
                try:
                    flood(bus, *messages, i > 0)
                finally:
                    os._exit(0)
            self.pids.append(pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def start_other_service():
    """The same maps' names on the other bus, with nothing behind them."""
    with open("/run/other-bus.conf", "w") as f:
        f.write(CONFIG)
    daemon = subprocess.Popen(["dbus-daemon", "--config-file=/run/other-bus.conf", "--nofork"])
    defer(daemon.kill)
    wait_for(lambda: os.path.exists("/run/other-bus"), 20, "the other bus")
    with open("/run/other-service.log", "w") as log:
        service = subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=log, text=True, env=dict(
            os.environ, DBUS_SYSTEM_BUS_ADDRESS="unix:path=/run/other-bus"))
    defer(service.kill)
    service.stdin.write("add mpatha\n")
    service.stdin.flush()
    wait_for(lambda: "serving" in read("/run/other-service.log"), 20, "the other service")


def executed(runner):
    """What each thread of tcmu-runner has executed, by name."""
    names = {}
    for thread in os.listdir(f"/proc/{runner.pid}/task"):
        task = f"/proc/{runner.pid}/task/{thread}"
        name = read(task + "/comm")
        names[name] = names.get(name, 0) + int(read(task + "/schedstat").split()[0])
    return names


def reads_done(device):
    return int(read(f"/sys/block/{os.path.basename(device)}/stat").split()[0])


class Measured:
    """What happened in SECONDS."""

    def __init__(self, runner, device):
        before, reads = executed(runner), reads_done(device)
        begin = time.monotonic()
        time.sleep(SECONDS)
        self.seconds = time.monotonic() - begin
        self.reads = reads_done(device) - reads
        used = {name: n - before.get(name, 0) for name, n in executed(runner).items()}
        self.control = sum(used.get(name, 0) for name in CONTROL_THREADS)
        self.per_read = (sum(used.values()) - self.control) / max(self.reads, 1)

    def __repr__(self):
        return (f"{self.per_read:.0f} instructions for each of {self.reads} reads in "
                f"{self.seconds:.1f} s, control {self.control / 1e6:.0f} million")


def test_flood():
    runner = Runner()
    defer(runner.end)
    runner.start(seconds=60)
    made = topology.LioLoopback(2)
    defer(made.teardown)
    served = Map(made.paths)
    defer(served.delete)
    served.wait_in_use(seconds=60)
    start_other_service()
    sent = messages()
    load = fio.Fio(served, 3600, rw="randread", bs="4k", depth=8, verify=None)
    defer(load.kill)
    wait_for(lambda: reads_done(served.dev) > 1000, 60, "load")
    before = runner.resources()[0]
    quiet = Measured(runner, served.dev)
    note(f"without a flood: {quiet}")
    ours, other, most = [], [], before
    for _ in range(ROUNDS):
        for bus, results in ((SYSTEM_BUS, ours), ("/run/other-bus", other)):
            with Flood(bus, sent):
                time.sleep(1)
                results.append(Measured(runner, served.dev))
                most = max(most, runner.resources()[0])
            note(f"flood of {bus}: {results[-1]}")
            sys.stdout.flush()
    expect(min(result.control for result in ours) > 2 * max(result.control for result in other),
           "the flood of our service did not reach it")
    cost, reference = (statistics.median(result.per_read for result in results)
                       for results in (ours, other))
    note(f"{cost:.0f} instructions per read, {reference:.0f} with the flood elsewhere: "
         f"{cost / reference:.3f}; memory grew by {most - before} KiB")
    expect(cost <= WORSE * reference, f"a read costs {cost / reference:.3f} of what it should")
    expect(most - before <= GROWTH_MAX_KIB, f"memory grew by {most - before} KiB")


if __name__ == "__main__":
    case.main()
