# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ways to one store, of which one can hold writes back, and a load that notices old data."""

import contextlib
import os
import subprocess

from . import cuts, dm, dmioctl, lio, system

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WRITER = os.environ.get("MPATH_STALE_WRITER", os.path.join(
    os.path.dirname(TESTS), "build", "debug", "tests", "e2e_stale_writer"))

SIZE_MIB = 16
STORE = "/dev/ram0"


class Gate:
    """A dm device through which nothing goes while it is suspended; both at once, without a process."""

    def __init__(self, device):
        self.name = device.name
        self.control = dmioctl.Control()

    def suspend(self):
        self.control.suspend(self.name)

    def resume(self):
        self.control.resume(self.name)

    def close(self):
        self.control.close()


class TwoWays:
    """One store behind a gate and iSCSI, and directly: .paths is both, the gated one first.

    With another number it is another store, and another LUN.
    """

    def __init__(self, number=0):
        system.modprobe("brd")
        self.number = number
        self.undo = contextlib.ExitStack()
        try:
            gated, direct = (self._add(self._device(name), "remove") for name in ("gated", "direct"))
            self.gate = self._add(Gate(gated), "close")
            target = self._add(lio.IscsiTarget(
                self._store(gated), f"iqn.2026-01.org.tcmu-mpath:target{number}",
                port=lio.ISCSI_PORT + number))
            cuts.hold_hook()
            self.undo.callback(cuts.clear_nft)
            login = self._add(lio.IscsiLogin(target, replacement_timeout=1))
            loop = self._add(lio.LoopTarget(self._store(direct)))
            self.paths = [login.paths[0], loop.path]
        except BaseException:
            self.teardown()
            raise

    def _device(self, name):
        return dm.Device(f"{name}{self.number}",
                         f"0 {SIZE_MIB * 2048} linear /dev/ram{self.number} 0")

    def _add(self, thing, undo="delete"):
        self.undo.callback(getattr(thing, undo))
        return thing

    def _store(self, device):
        """The same serial number makes both the same LUN."""
        return self._add(lio.Iblock(device.name, device.dev, serial=f"two-ways{self.number}"))

    def teardown(self):
        self.undo.close()


class Writer:
    """stale_writer on a device; check() returns (writes, stale blocks, errors) so far."""

    def __init__(self, dev):
        # What it writes side by side is to stay commands of their own.
        number = os.stat(dev).st_rdev
        self.sysfs = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
        system.write(self.sysfs + "/queue/nomerges", 2)
        self.process = subprocess.Popen([WRITER, dev], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def check(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return tuple(map(int, self.process.stdout.readline().split()))

    def commands(self):
        """Writes that the device has carried out since there is one."""
        return int(system.read(self.sysfs + "/stat").split()[4])

    def end(self):
        if self.process.poll() is None:
            self.process.communicate()
