# SPDX-License-Identifier: GPL-2.0-or-later
"""SCSI commands through sg, and usable(): the judge of whether a path works.

Everything goes through the ioctl or the asynchronous interface of sg directly: a process for each
command would cost a hundred times as much as the command.
"""

import ctypes
import fcntl
import os
import select
import struct
import time

SG_IO = 0x2285
SG_DXFER_NONE, SG_DXFER_TO_DEV, SG_DXFER_FROM_DEV = -1, -2, -3

GOOD = 0x00
CHECK_CONDITION = 0x02
BUSY = 0x08
RESERVATION_CONFLICT = 0x18
TASK_SET_FULL = 0x28
TASK_ABORTED = 0x40

UNIT_ATTENTION = 0x6


class SgHeader(ctypes.Structure):
    """struct sg_io_hdr of <scsi/sg.h>."""
    _fields_ = [
        ("interface_id", ctypes.c_int), ("dxfer_direction", ctypes.c_int),
        ("cmd_len", ctypes.c_ubyte), ("mx_sb_len", ctypes.c_ubyte),
        ("iovec_count", ctypes.c_ushort), ("dxfer_len", ctypes.c_uint),
        ("dxferp", ctypes.c_void_p), ("cmdp", ctypes.c_void_p), ("sbp", ctypes.c_void_p),
        ("timeout", ctypes.c_uint), ("flags", ctypes.c_uint), ("pack_id", ctypes.c_int),
        ("usr_ptr", ctypes.c_void_p), ("status", ctypes.c_ubyte),
        ("masked_status", ctypes.c_ubyte), ("msg_status", ctypes.c_ubyte),
        ("sb_len_wr", ctypes.c_ubyte), ("host_status", ctypes.c_ushort),
        ("driver_status", ctypes.c_ushort), ("resid", ctypes.c_int),
        ("duration", ctypes.c_uint), ("info", ctypes.c_uint)]


class Answer:
    """What came back: status, host_status, driver_status, sense (bytes), data (bytes), resid."""

    def __init__(self, header, sense, data):
        self.status = header.status
        self.host_status = header.host_status
        self.driver_status = header.driver_status
        self.sense = bytes(sense[:header.sb_len_wr])
        self.resid = header.resid
        self.data = data
        self.duration_ms = header.duration

    @property
    def good(self):
        return self.status == GOOD and self.host_status == 0

    @property
    def code(self):
        """(key, asc, ascq), or None without sense data; fixed and descriptor format."""
        sense = self.sense
        if len(sense) >= 4 and sense[0] & 0x7f in (0x72, 0x73):
            return sense[1] & 0xf, sense[2], sense[3]
        if len(sense) >= 14 and sense[0] & 0x7f in (0x70, 0x71):
            return sense[2] & 0xf, sense[12], sense[13]
        return None

    def __repr__(self):
        text = f"status {self.status:02x}"
        if self.host_status:
            text += f" host {self.host_status:02x}"
        if self.driver_status & 0xf:
            text += f" driver {self.driver_status:02x}"
        if self.code:
            text += " sense %02x/%02x/%02x" % self.code
        if self.resid:
            text += f" resid {self.resid}"
        return f"<{text}>"


class Command:
    """One command with the memory that it needs: it may not move while the kernel has it."""

    def __init__(self, cdb, data_in=0, data_out=b"", timeout_ms=30000):
        self.header = header = SgHeader()
        self.cdb = ctypes.create_string_buffer(bytes(cdb), len(cdb))
        self.sense = (ctypes.c_ubyte * 252)()
        self.data_in = data_in
        header.interface_id = ord("S")
        header.cmd_len = len(cdb)
        header.cmdp = ctypes.addressof(self.cdb)
        header.mx_sb_len = len(self.sense)
        header.sbp = ctypes.addressof(self.sense)
        header.timeout = int(timeout_ms)
        header.dxfer_direction = SG_DXFER_NONE
        if data_in and data_out:
            raise ValueError("sg moves data in one direction only")
        if data_in:
            header.dxfer_direction = SG_DXFER_FROM_DEV
            self.buffer = ctypes.create_string_buffer(data_in)
        elif data_out:
            header.dxfer_direction = SG_DXFER_TO_DEV
            self.buffer = ctypes.create_string_buffer(bytes(data_out), len(data_out))
        else:
            return
        header.dxfer_len = len(self.buffer)
        header.dxferp = ctypes.addressof(self.buffer)

    def answer(self):
        data = b""
        if self.data_in:
            data = self.buffer.raw[:self.data_in - max(self.header.resid, 0)]
        return Answer(self.header, self.sense, data)


class Opened:
    """`with Opened(device) as fd`, where device is an fd, a name, or anything with .sg_dev."""

    def __init__(self, device):
        self.device = device

    def __enter__(self):
        if isinstance(self.device, int):
            self.fd = None
            return self.device
        # O_NONBLOCK, since an open must not wait for a host in error recovery.
        self.fd = os.open(getattr(self.device, "sg_dev", self.device), os.O_RDWR | os.O_NONBLOCK)
        return self.fd

    def __exit__(self, *_):
        if self.fd is not None:
            os.close(self.fd)


def cdb(device, command, data_in=0, data_out=b"", timeout_ms=30000):
    """Sends the bytes `command` and waits: the Answer, or OSError if the kernel did not send it."""
    request = Command(command, data_in, data_out, timeout_ms)
    with Opened(device) as fd:
        fcntl.ioctl(fd, SG_IO, request.header)
    return request.answer()


class Pending:
    """A command that was sent and not waited for, on an sg device of its own.

    For what must be seen from outside: a command that hangs, or what is answered meanwhile.
    Never sleeps in the kernel, unlike SG_IO, whose sleep cannot be interrupted.
    """

    def __init__(self, device, command, data_in=0, data_out=b"", timeout_ms=30000):
        self.request = Command(command, data_in, data_out, timeout_ms)
        self.begin = time.monotonic()
        self.fd = os.open(getattr(device, "sg_dev", device), os.O_RDWR | os.O_NONBLOCK)
        try:
            os.write(self.fd, bytes(self.request.header))
        except OSError:
            self.close()
            raise

    def wait(self, seconds):
        """The Answer, or None if there is none yet.  An answer closes the command."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if not any(event & select.POLLIN for _, event in poll.poll(int(seconds * 1000))):
            return None
        self.seconds = time.monotonic() - self.begin
        header = bytearray(bytes(self.request.header))
        got = os.readv(self.fd, [header])
        ctypes.memmove(ctypes.addressof(self.request.header), bytes(header), got)
        self.close()
        return self.request.answer()

    def close(self):
        """Gives the command up: what still comes for it goes nowhere."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- commands by name ---------------------------------------------------------------------------

def test_unit_ready(device, timeout_ms=30000):
    return cdb(device, bytes(6), timeout_ms=timeout_ms)


def inquiry(device, page=None, length=255):
    evpd = 0 if page is None else 1
    return cdb(device, struct.pack(">BBBHB", 0x12, evpd, page or 0, length, 0), data_in=length)


def read_capacity(device):
    """(number of blocks, bytes per block), by READ CAPACITY (16)."""
    answer = cdb(device, struct.pack(">BBQLBB", 0x9e, 0x10, 0, 32, 0, 0), data_in=32)
    if not answer.good:
        raise OSError(f"READ CAPACITY: {answer}")
    last, size = struct.unpack(">QL", answer.data[:12])
    return last + 1, size


def read10(device, lba, blocks, block_size=512, timeout_ms=30000):
    return cdb(device, struct.pack(">BBLBHB", 0x28, 0, lba, 0, blocks, 0),
               data_in=blocks * block_size, timeout_ms=timeout_ms)


def write10(device, lba, data, block_size=512, timeout_ms=30000):
    return cdb(device, struct.pack(">BBLBHB", 0x2a, 0, lba, 0, len(data) // block_size, 0),
               data_out=data, timeout_ms=timeout_ms)


def read16(device, lba, blocks, block_size=512, timeout_ms=30000):
    return cdb(device, struct.pack(">BBQLBB", 0x88, 0, lba, blocks, 0, 0),
               data_in=blocks * block_size, timeout_ms=timeout_ms)


def write16(device, lba, data, block_size=512, timeout_ms=30000):
    return cdb(device, struct.pack(">BBQLBB", 0x8a, 0, lba, len(data) // block_size, 0, 0),
               data_out=data, timeout_ms=timeout_ms)


def synchronize_cache(device, timeout_ms=30000):
    return cdb(device, struct.pack(">BBLBHB", 0x35, 0, 0, 0, 0, 0), timeout_ms=timeout_ms)


def compare_and_write(device, lba, compare, data, timeout_ms=30000):
    """COMPARE AND WRITE; compare and data have the same length."""
    return cdb(device, struct.pack(">BBQBBBBBB", 0x89, 0, lba, 0, 0, 0, len(data) // 512, 0, 0),
               data_out=compare + data, timeout_ms=timeout_ms)


def usable(path, seconds=1.0):
    """Whether the bare path answers TEST UNIT READY with GOOD within the time.

    This is the judge in every test of "the path works": it asks the path itself and nothing of ours.
    A unit attention only says that something happened before, so the command is repeated.  A path
    that hangs costs the time and leaves nothing sleeping in the kernel; the command that hangs there
    has the path's own time-out, so that it triggers no error handling earlier than any other would.
    """
    end = time.monotonic() + seconds
    timeout_ms = 30000
    for _ in range(5):
        try:
            if hasattr(path, "timeout"):
                timeout_ms = path.timeout * 1000
            with Pending(path, bytes(6), timeout_ms=timeout_ms) as command:
                answer = command.wait(max(end - time.monotonic(), 0))
        except (OSError, TypeError):
            return False        # there is no such device now, or it refuses
        if answer is None:
            return False
        if answer.good:
            return True
        if answer.code is None or answer.code[0] != UNIT_ATTENTION:
            return False
    return False
