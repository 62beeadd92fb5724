# SPDX-License-Identifier: GPL-2.0-or-later
"""What each thread of the guest executes while commands are carried out, where time is instructions."""

import os
import time

from lib.system import read


def thread_kind(process, thread):
    """A name that stays the same when there are more of them, or they do something else."""
    name = thread.rstrip("0123456789:/")
    for prefix in ("kworker", "cmdproc", "ksoftirqd", "io_wqe", "iou"):
        if name.startswith(prefix):
            return prefix
    return "initiator" if process.startswith("bench_") else name


def executed():
    """{(pid, tid): (kind, ns)} of all threads but ours."""
    threads = {}
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        process = read(f"/proc/{pid}/comm", "")
        try:
            tids = os.listdir(f"/proc/{pid}/task")
        except FileNotFoundError:
            continue
        for tid in tids:
            task = f"/proc/{pid}/task/{tid}"
            used = read(task + "/schedstat", "")
            if used:
                kind = thread_kind(process, read(task + "/comm", process))
                threads[pid, tid] = (kind, int(used.split()[0]))
    return threads


class Account:
    """`with Account(contender) as used`: what happened in the body.

    .per_command: {kind of thread: ns for each command}; .on_paths: commands of each of its paths;
    .idle: the part of the time in which nobody did anything.
    """

    def __init__(self, contender):
        self.contender = contender

    def _look(self):
        # Nobody does anything while we look: so all belongs to one moment.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        try:
            return (time.monotonic_ns(), time.clock_gettime_ns(time.CLOCK_PROCESS_CPUTIME_ID),
                    executed(), self.contender.commands,
                    [path.requests for path in self.contender.paths])
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def __enter__(self):
        self.before = self._look()
        return self

    def __exit__(self, *_):
        begin, own_begin, before, commands, on_paths = self.before
        end, own_end, after, commands_after, on_paths_after = self._look()
        self.commands = commands_after - commands
        self.on_paths = [b - a for a, b in zip(on_paths, on_paths_after)]
        used = {}
        for thread, (kind, ns) in after.items():
            used[kind] = used.get(kind, 0) + ns - before.get(thread, (kind, 0))[1]
        self.idle = 1 - (sum(used.values()) + own_end - own_begin) / (end - begin)
        self.per_command = {kind: ns / self.commands for kind, ns in used.items()
                            if ns > 5 * self.commands}
