# SPDX-License-Identifier: GPL-2.0-or-later
"""Two paths to one store, each through a dm device of its own, which can be slow or hang; and iSCSI's."""

import contextlib
import mmap
import os
import time

from lib import cuts, dmioctl, lio, system, topology

STORE = "/dev/ram0"
SECTORS = 16 << 11
RARE = SECTORS // 100           # the end of the store, which one in a hundred commands meets


def delay(ms, begin=0, sectors=SECTORS):
    """A line of a dm table.  dm-delay without a delay would still wait for its thread."""
    if not ms:
        return (sectors, "linear", f"{STORE} {begin}")
    return (sectors, "delay", f"{STORE} {begin} {ms}")


def backstore(undo, name, serial):
    """A LUN on a dm device over the store: (the one, the other)."""
    system.modprobe("brd", "dm_delay")
    control = dmioctl.Control()
    undo.callback(control.close)
    device = dmioctl.Device(control, name, "linear", SECTORS, f"{STORE} 0")
    undo.callback(device.remove)
    lun = lio.Iblock(name, device.wait_node(), serial=serial)
    undo.callback(lun.delete)
    return lun, device


class Ways:
    """.paths of tcm_loop, each with a device of its own, .way."""

    def __init__(self):
        self.undo = contextlib.ExitStack()
        self.paths = []
        try:
            for i in range(2):
                lun, device = backstore(self.undo, f"way{i}", "ways")
                target = lio.LoopTarget(lun, wait=60)
                self.undo.callback(target.delete)
                target.path.way = device
                self.paths.append(target.path)
        except BaseException:
            self.teardown()
            raise

    def set(self, ms):
        """How long a command takes there when all is well."""
        for path in self.paths:
            path.base = [delay(ms)]
            become(path.way, path.base)

    def teardown(self):
        self.undo.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.teardown()


class Iscsi(topology.Iscsi):
    """Two portals of one such device."""

    def __init__(self, **times):
        self.undo = contextlib.ExitStack()
        lun, self.way = backstore(self.undo, "store", "store")
        try:
            super().__init__(backstore=lun, **times)
        except BaseException:
            self.undo.close()
            raise

    def set(self, ms):
        become(self.way, [delay(ms)])

    def teardown(self):
        super().teardown()
        self.undo.close()


def become(device, lines):
    device.load_targets(lines)
    device.resume()


class Slow(cuts.Cut):
    """The path's device becomes another one."""

    def __init__(self, name, *lines):
        self.name = name
        self.lines = lines

    def cut(self, path):
        become(path.way, self.lines)

    def restore(self, path):
        become(path.way, path.base)


class Hung(cuts.Cut):
    """Reads and writes get no answer; the target itself still answers what needs no device."""
    name = "hung"
    at_once = False

    def cut(self, path):
        path.way.suspend(noflush=True)

    def restore(self, path):
        path.way.resume()


def bare_read_ms(path):
    """How long a read at the end of the store takes on the path itself, whoever has claimed it."""
    fd = os.open(path.dev, os.O_RDONLY | os.O_DIRECT)
    try:
        begin = time.monotonic()
        os.preadv(fd, [mmap.mmap(-1, mmap.PAGESIZE)], (SECTORS - 8) * 512)
        return 1000 * (time.monotonic() - begin)
    finally:
        os.close(fd)
