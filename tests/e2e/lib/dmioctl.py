# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's device-mapper without dmsetup: a process for each call would cost more than the call.

The layout is that of <linux/dm-ioctl.h>; all numbers are in the machine's byte order.
"""

import fcntl
import os
import re
import stat
import struct

from . import system

_CONTROL = "/dev/mapper/control"
# version[3], data_size, data_start, target_count, open_count, flags, event_nr, -, dev, name, uuid
_HEADER = struct.Struct("=3I2I2iI2IQ128s129s7x")
_TARGET = struct.Struct("=QQiI16s")
_CREATE, _REMOVE, _SUSPEND, _LOAD, _STATUS, _MESSAGE = 3, 4, 6, 9, 12, 14
_SUSPEND_FLAG, _STATUS_TABLE_FLAG = 1 << 1, 1 << 4
_SKIP_LOCKFS_FLAG, _NOFLUSH_FLAG, _IMA_FLAG = 1 << 10, 1 << 11, 1 << 19
_BUFFER = 16384


class Refused(OSError):
    """The kernel's errno, and in .text what its log says of it."""

    def __init__(self, error, text):
        super().__init__(error.errno, error.strerror)
        self.text = text


class _Log:
    """The kernel's log from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def new_lines(self):
        lines = []
        while True:
            try:
                lines.append(os.read(self.fd, 8192).decode(errors="replace")
                             .partition(";")[2].splitlines()[0])
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                continue        # overwritten before it was read


class Control:
    def __init__(self):
        system.modprobe("dm_mod", "dm_multipath", "dm_round_robin", "dm_queue_length",
                        "dm_service_time")
        self.fd = os.open(_CONTROL, os.O_RDWR)
        self.log = _Log()

    def close(self):
        os.close(self.fd)
        os.close(self.log.fd)

    def call(self, number, name, data=b"", flags=0, targets=0):
        """The answer: (its flags, the device's number, the bytes behind the header)."""
        buffer = bytearray(_BUFFER)
        _HEADER.pack_into(buffer, 0, 4, 0, 0, _BUFFER, _HEADER.size, targets, 0, flags, 0, 0, 0,
                          name.encode(), b"")
        buffer[_HEADER.size:_HEADER.size + len(data)] = data
        fcntl.ioctl(self.fd, 0xc0000000 | _HEADER.size << 16 | 0xfd << 8 | number, buffer)
        fields = _HEADER.unpack_from(buffer)
        return fields[7], fields[10], bytes(buffer[fields[4]:fields[3]])

    def suspend(self, name, noflush=True):
        """What comes from now on waits in dm until resume(); without a flush that has already come, too."""
        self.call(_SUSPEND, name, flags=_SUSPEND_FLAG | _SKIP_LOCKFS_FLAG |
                  (_NOFLUSH_FLAG if noflush else 0))

    def resume(self, name):
        self.call(_SUSPEND, name)       # without the flag it resumes


def _padded(text):
    """The C string, up to the next multiple of 8."""
    data = text.encode() + b"\0"
    return data + bytes(-len(data) % 8)


class Device:
    """A device with one target.  Refused: the kernel does not take its parameters."""

    def __init__(self, control, name, target, sectors, parameters):
        self.control = control
        self.name = name
        self.target = target
        _, device, _ = control.call(_CREATE, name)
        self.node = f"/dev/dm-{os.minor(device)}"
        try:
            self.load(sectors, parameters)
            self.resume()
        except BaseException:
            self.remove()
            raise

    def load(self, sectors, parameters):
        """The table that takes over with the next resume()."""
        self.load_targets([(sectors, self.target, parameters)])

    def load_targets(self, targets):
        """The same for a table of several lines: [(sectors, target, parameters)], one after the other."""
        data, start = b"", 0
        for sectors, target, parameters in targets:
            words = _padded(parameters)
            data += _TARGET.pack(start, sectors, 0, _TARGET.size + len(words), target.encode()) + words
            start += sectors
        self.control.log.new_lines()
        try:
            self.control.call(_LOAD, self.name, data, targets=len(targets))
        except OSError as error:
            lines = self.control.log.new_lines()
            said = [line.partition(mark)[2] for mark in (": ioctl: ", f": {self.target}: ")
                    for line in lines if mark in line]
            text = said[-1] if said else ""
            raise Refused(error, re.sub(r" \(-E\w+\)$", "", text)) from None

    def _line(self, flags):
        _, _, data = self.control.call(_STATUS, self.name, flags=flags)
        return data[_TARGET.size:].partition(b"\0")[0].decode()

    def info(self):
        return self._line(0)

    def table(self):
        return self._line(_STATUS_TABLE_FLAG)

    def ima(self):
        """What the kernel measures for IMA."""
        return self._line(_IMA_FLAG)

    def suspend(self, noflush=False):
        self.control.suspend(self.name, noflush)

    def resume(self):
        self.control.resume(self.name)

    def message(self, *words):
        """OSError if the kernel refuses it."""
        self.control.call(_MESSAGE, self.name, struct.pack("=Q", 0) + _padded(" ".join(words)))

    def wait_node(self):
        system.wait_for(lambda: os.path.exists(self.node) and
                        stat.S_ISBLK(os.stat(self.node).st_mode), 5, self.node)
        return self.node

    def remove(self):
        self.control.call(_REMOVE, self.name)


class Multipath(Device):
    def __init__(self, control, name, sectors, parameters):
        super().__init__(control, name, "multipath", sectors, parameters)
