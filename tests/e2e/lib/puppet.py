# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrays that say what a test tells them to.

They are TCMU devices whose rings are served here, without tcmu-runner, behind loopback targets.
Between them and us are the kernel's real SCSI layers; only the answers are made up.
"""

import mmap
import os
import select
import struct
import threading

from . import lio, scsi
from .system import read, wait_for

OP_MASK, OP_CMD = 7, 1
READ_LEN = 0x02

NR_BLOCKS = 2048
NAA = bytes.fromhex("60022a11000000000000000000000001")


def vpd_page(code, data):
    return bytes((0, code)) + len(data).to_bytes(2, "big") + data


def identity(lun):
    """VPD page 83h of another LUN."""
    naa = NAA[:-1] + bytes((NAA[-1] + lun,))
    return vpd_page(0x83, bytes((1, 3, 0, 16)) + naa)


PAGES = {
    0x00: vpd_page(0x00, bytes((0x00, 0x80, 0x83))),
    0x80: vpd_page(0x80, b"PUPPET-1"),
    0x83: identity(0),
}
INQUIRY = (bytes((0, 0, 6, 2, 91, 0, 0, 2)) + b"PUPPET  " + b"ARRAY           " + b"0001").ljust(96, b"\0")


def fixed(key, asc, ascq, information=0):
    """18 bytes of fixed format; with information the VALID bit is set."""
    return struct.pack(">BBBLBLBBBBH", 0x70 | (0x80 if information else 0), 0, key, information, 10, 0,
                       asc, ascq, 0, 0, 0)


def descriptor(key, asc, ascq, information):
    """Descriptor format with an information descriptor."""
    return bytes((0x72, key, asc, ascq, 0, 0, 0, 12, 0, 10, 0x80, 0)) + information.to_bytes(8, "big")


def long_descriptor(key, asc, ascq):
    """As long as sense data goes through LIO: 96 bytes."""
    return bytes((0x72, key, asc, ascq, 0, 0, 0, 88)) + bytes((0x80, 86)) + bytes(range(1, 87))


class Request:
    """A command in the ring: its CDB, the size of its buffer, and data(), which the initiator sent."""

    def __init__(self, memory, at):
        nr_iovs, = struct.unpack_from("<I", memory, at + 8)
        cdb_at, = struct.unpack_from("<Q", memory, at + 24)
        self._memory = memory
        self.iovs = [struct.unpack_from("<QQ", memory, at + 48 + 16 * i) for i in range(nr_iovs)]
        self.cdb = memory[cdb_at:cdb_at + 16]
        self.size = sum(size for _, size in self.iovs)

    def data(self):
        return b"".join(self._memory[base:base + size] for base, size in self.iovs)

    def refuse(self, key, asc, ascq=0):
        return scsi.CHECK_CONDITION, fixed(key, asc, ascq), b""

    def reply(self, data, wanted):
        return scsi.GOOD, b"", data[:min(wanted, self.size)]


class Device(lio.UserBackstore):
    """A TCMU device for which execute(Request) gives (status, sense, data)."""

    def __init__(self, execute, name="x", nr_blocks=NR_BLOCKS):
        self._execute = execute
        self._stop = threading.Event()
        self._thread = None
        # A handler that tcmu-runner does not have; nobody answers the kernel's netlink question.
        super().__init__("puppet", name, nr_blocks * 512, handler="puppet",
                         control={"nl_reply_supported": -1})
        try:
            uio = wait_for(lambda: self.uio, 5, "the puppet's uio device")
            self._fd = os.open("/dev/" + uio, os.O_RDWR | os.O_NONBLOCK)
        except BaseException:
            self.delete()
            raise
        size = int(read(f"/sys/class/uio/{uio}/maps/map0/size"), 16)
        self._memory = mmap.mmap(self._fd, size)
        self._ring, self._ring_size = struct.unpack_from("<II", self._memory, 4)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while not self._stop.is_set():
            if not poll.poll(100):
                continue
            try:
                os.read(self._fd, 4)
            except BlockingIOError:
                continue
            while self._serve_ring():
                pass

    def _serve_ring(self):
        head, = struct.unpack_from("<I", self._memory, 12)
        tail = begin = struct.unpack_from("<I", self._memory, 64)[0]
        while tail != head:
            at = self._ring + tail
            len_op, = struct.unpack_from("<I", self._memory, at)
            if len_op & OP_MASK == OP_CMD:
                self._answer(at)
            tail = (tail + (len_op & ~OP_MASK)) % self._ring_size
        if tail == begin:
            return False
        struct.pack_into("<I", self._memory, 64, tail)
        os.write(self._fd, bytes(4))
        return True

    def _answer(self, at):
        request = Request(self._memory, at)
        status, sense, data = self._execute(request)
        left = data
        for base, size in request.iovs:
            self._memory[base:base + min(size, len(left))] = left[:size]
            left = left[size:]
        self._memory[at + 8:at + 112] = struct.pack("<BBHI96s", status, 0, 0, len(data), sense)
        self._memory[at + 7] = READ_LEN if data else 0

    def delete(self):
        self._stop.set()
        if self._thread:
            self._thread.join()
            os.close(self._fd)
            self._memory.close()
        super().delete()


def answer_as_a_disk(request, inquiry, pages, nr_blocks):
    """(status, sense, data) for what is asked of every disk, but its blocks."""
    cdb = request.cdb
    opcode = cdb[0]
    if opcode == 0x12:
        wanted = int.from_bytes(cdb[3:5], "big")
        if not cdb[1] & 1:
            return request.reply(inquiry, wanted)
        return request.reply(pages[cdb[2]], wanted) if cdb[2] in pages else request.refuse(0x05, 0x24)
    if opcode == 0x25:
        return request.reply(struct.pack(">LL", nr_blocks - 1, 512), 8)
    if opcode == 0x9e and cdb[1] == 0x10:
        return request.reply(struct.pack(">QL", nr_blocks - 1, 512).ljust(32, b"\0"),
                             int.from_bytes(cdb[10:14], "big"))
    if opcode in (0x00, 0x35, 0x91, 0x1b, 0x1e):
        return scsi.GOOD, b"", b""
    return request.refuse(0x05, 0x20)


class Array:
    """`with Array(2) as array`: array.paths; say(), say_data() and good() set what READ and WRITE get."""

    def __init__(self, n):
        self.targets = []
        self.good()
        self.lun = Device(self._execute)
        try:
            for _ in range(n):
                self.targets.append(lio.LoopTarget(self.lun))
            self.paths = [target.path for target in self.targets]
        except BaseException:
            self.delete()
            raise

    def good(self):
        self.words = None

    def say(self, status, sense=b"", count=-1):
        """The answer to READ and WRITE from now on, or to the next count of them."""
        self.words = [status, sense, None, count]

    def say_data(self, data):
        """READ is answered GOOD with so much data, though more was asked for."""
        self.words = [scsi.GOOD, b"", data, -1]

    def _execute(self, request):
        """(status, sense, data)"""
        cdb, size = request.cdb, request.size
        opcode = cdb[0]
        if opcode in (0x28, 0x2a) and self.words:
            status, sense, data, count = self.words
            if count > 0:
                self.words[3] -= 1
            if count != 0:
                return status, sense, data[:size] if data else b""
        if opcode in (0x28, 0x88, 0x08):
            return request.reply(bytes(size), size)
        if opcode in (0x2a, 0x8a):
            return scsi.GOOD, b"", b""
        return answer_as_a_disk(request, INQUIRY, PAGES, NR_BLOCKS)

    # --- the end ---

    def delete(self):
        for target in self.targets:
            target.delete()
        self.lun.delete()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()
