# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ways to one store, of which one can hold writes back, and a load that notices old data."""

import contextlib
import os
import subprocess

from . import cuts, dm, lio, system

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WRITER = os.environ.get("MPATH_STALE_WRITER", os.path.join(
    os.path.dirname(TESTS), "build", "debug", "tests", "e2e_stale_writer"))

SIZE_MIB = 16
STORE = "/dev/ram0"


class TwoWays:
    """One store behind a gate and iSCSI, and directly: .paths is both, the gated one first."""

    def __init__(self):
        system.modprobe("brd")
        self.undo = contextlib.ExitStack()
        try:
            self.gate = self._add(self._device("gate"), "remove")
            direct = self._add(self._device("direct"), "remove")
            target = self._add(lio.IscsiTarget(self._store(self.gate)))
            cuts.hold_hook()
            self.undo.callback(cuts.clear_nft)
            login = self._add(lio.IscsiLogin(target, replacement_timeout=1))
            loop = self._add(lio.LoopTarget(self._store(direct)))
            self.paths = [login.paths[0], loop.path]
        except BaseException:
            self.teardown()
            raise

    @staticmethod
    def _device(name):
        return dm.Device(name, f"0 {SIZE_MIB * 2048} linear {STORE} 0")

    def _add(self, thing, undo="delete"):
        self.undo.callback(getattr(thing, undo))
        return thing

    def _store(self, device):
        """The same serial number makes both the same LUN."""
        return self._add(lio.Iblock(device.name, device.dev, serial="two-ways"))

    def teardown(self):
        self.undo.close()


class Writer:
    """stale_writer on a device; check() returns (writes, stale blocks, errors) so far."""

    def __init__(self, dev):
        self.process = subprocess.Popen([WRITER, dev], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def check(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return tuple(map(int, self.process.stdout.readline().split()))

    def end(self):
        if self.process.poll() is None:
            self.process.communicate()
