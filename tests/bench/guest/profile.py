# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the guest's CPU is, by samples of the kernel's perf: a timer, as an emulated CPU counts nothing.

What runs with interrupts off is seen where they are switched on again.
"""

import bisect
import collections
import ctypes
import functools
import mmap
import os
import struct

from lib.system import read, write

from .accounts import thread_kind

PERF_EVENT_OPEN = 298           # x86-64
PERIOD_NS = 49_999
PAGES = 1024                    # a power of two; 24 bytes a sample
SAMPLE, KERNEL_ONLY = 9, 1 << 63
IP, TID = 1, 2
SOFTWARE, CPU_CLOCK = 1, 0
ENABLE, DISABLE = 0x2400, 0x2401
DATA_HEAD = 1024                # offset in the first page


@functools.cache
def kernel_modules():
    """(sorted addresses of functions, the module of each)"""
    functions = []
    with open("/proc/kallsyms") as f:
        for line in f:
            words = line.split()
            if words[1] in "tT":
                functions.append((int(words[0], 16), words[3][1:-1] if len(words) > 3 else "kernel"))
    functions.sort()
    return [address for address, _ in functions], [module for _, module in functions]


def program_files(pid):
    """[(begin, end, name)] of what a process may execute."""
    files = []
    for line in read(f"/proc/{pid}/maps", "").splitlines():
        words = line.split()
        if "x" in words[1]:
            begin, end = (int(word, 16) for word in words[0].split("-"))
            files.append((begin, end, os.path.basename(words[5]) if len(words) > 5 else "?"))
    return files


class Profile:
    """`with Profile() as sampled`, then sampled.shares(): [((thread, program file or module), share)]."""

    def __enter__(self):
        write("/proc/sys/kernel/perf_cpu_time_max_percent", 0)
        attributes = struct.pack("=IIQQQQQ", SOFTWARE, 112, CPU_CLOCK, PERIOD_NS, IP | TID, 0, 1)
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.syscall(PERF_EVENT_OPEN, attributes.ljust(112, b"\0"), -1, 0, -1, 0)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "perf_event_open")
        self.memory = mmap.mmap(self.fd, (1 + PAGES) * mmap.PAGESIZE)
        libc.ioctl(self.fd, ENABLE, 0)
        self.libc = libc
        return self

    def __exit__(self, *_):
        self.libc.ioctl(self.fd, DISABLE, 0)
        self.seen = self._count()
        self.memory.close()
        os.close(self.fd)

    def _samples(self):
        """(address, pid, tid)"""
        head, = struct.unpack_from("=Q", self.memory, DATA_HEAD)
        at, data = 0, self.memory[mmap.PAGESIZE:]
        while at < min(head, len(data)):
            kind, _, size = struct.unpack_from("=IHH", data, at)
            if kind == SAMPLE:
                yield struct.unpack_from("=QII", data, at + 8)
            at += size

    def _count(self):
        addresses, modules = kernel_modules()
        names, files = {}, {}
        seen = collections.Counter()
        for address, pid, tid in self._samples():
            if pid == os.getpid():
                continue
            if tid not in names:
                names[tid] = thread_kind(read(f"/proc/{pid}/comm", "?"),
                                         read(f"/proc/{pid}/task/{tid}/comm", "?"))
                files[tid] = program_files(pid)
            if address & KERNEL_ONLY:
                place = modules[bisect.bisect(addresses, address) - 1]
            else:
                place = next((name for begin, end, name in files[tid] if begin <= address < end), "?")
            seen[names[tid], place] += 1
        return seen

    def shares(self):
        return [(where, n / self.seen.total()) for where, n in self.seen.most_common()]
