# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -s 2 -m 256 -t 5400
"""Memory is short, and what would free it has to be written by tcmu-runner itself.

An initiator on the same host (loopback) has a file system on our LUN.  The kernel wants memory, so
it writes dirty pages, so tcmu-runner has to work: should that wait for memory, nobody moves any more.
"""

import contextlib
import glob
import json
import mmap
import os
import re
import signal
import time

from lib import case, fio, lio, topology
from lib.case import count, defer, expect, expect_equal, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import read, run, write

CGROUP = "/sys/fs/cgroup"
MIB = 1 << 20

# include/linux/sched.h: what PR_SET_IO_FLUSHER sets.
PF_MEMALLOC_NOIO = 0x00080000
PF_LOCAL_THROTTLE = 0x00100000


class Cgroup:
    def __init__(self, name):
        write(f"{CGROUP}/cgroup.subtree_control", "+memory")
        self.dir = f"{CGROUP}/{name}"
        os.mkdir(self.dir)

    def add(self, pid):
        write(self.dir + "/cgroup.procs", pid)

    def set(self, name, value):
        write(f"{self.dir}/memory.{name}", value)

    def number(self, name):
        return int(read(f"{self.dir}/memory.{name}"))

    def events(self):
        return dict(line.split() for line in read(self.dir + "/memory.events").splitlines())

    def delete(self):
        os.rmdir(self.dir)


class Service:
    """tcmu-runner, and a map over two paths."""

    shared = None       # the one of the cases that take the same

    def __init__(self, **options):
        self.undo = contextlib.ExitStack()
        self.runner = Runner(**options)
        self.undo.callback(self.runner.end)
        try:
            self.runner.start()
            paths = self.undo.enter_context(topology.LioLoopback(size_mib=40)).paths
            self.served = self.undo.enter_context(Map(paths, attributes={"cmd_time_out": 0}))
            self.served.wait_in_use()
            self.served.path.timeout = 120
            # So that each thread of the I/O path has worked.
            fio.run(self.served, 1, bs="4k", verify=None, rate=1)
        except BaseException:
            self.end()
            raise

    def end(self):
        Service.shared = None
        self.undo.close()


def shared_service():
    Service.shared = Service.shared or Service()
    return Service.shared


def threads(pid):
    """{name: flags} of the threads on the I/O path."""
    found = {}
    for task in glob.glob(f"/proc/{pid}/task/*"):
        name = read(task + "/comm", "")
        if name.startswith(("mpath-loop", "mpath-worker")):
            found[name] = int(read(task + "/stat").rpartition(")")[2].split()[6])
    return found


def locked_kib(pid):
    return int(re.search(r"^VmLck:\s*(\d+)", read(f"/proc/{pid}/status"), re.M).group(1))


def test_without_privilege():
    """It is said, and everything works but for that."""
    service = Service(log_dir="/run/tcmu-log-unprivileged",
                      prefix=("prlimit", "--memlock=65536", "setpriv", "--bounding-set",
                              "-sys_resource,-ipc_lock"))
    defer(service.end)
    service.runner.wait_log("cannot lock memory: an initiator on this host may hang")
    expect_equal(locked_kib(service.runner.pid), 0, "KiB locked")
    result = fio.run(service.served, 2, bs="4k-64k", rate=4)
    expect(result.clean, f"{result!r}\n{result.stderr[-1000:]}")


def test_prepared():
    """Memory stays, and no thread on the I/O path is made to wait for I/O when it wants some."""
    runner = shared_service().runner
    flags = threads(runner.pid)
    note(f"locked: {locked_kib(runner.pid)} KiB, threads: {sorted(flags)}")
    expect(any(name.startswith("mpath-loop") for name in flags), f"no loop thread: {flags}")
    for name, bits in flags.items():
        expect(bits & PF_MEMALLOC_NOIO and bits & PF_LOCAL_THROTTLE, f"{name} has flags {bits:#x}")
    # Code that has not run yet is there, too.
    expect(locked_kib(runner.pid) > 1024, "hardly anything is locked")
    with open(f"/proc/{runner.pid}/smaps") as f:
        maps = re.split(r"^(?=[0-9a-f]+-)", f.read(), flags=re.M)
    ours = [text for text in maps if "handler_mpath.so" in text.split("\n")[0]]
    expect(ours, "our plug-in is not mapped")
    for text in ours:
        size, resident = (int(re.search(rf"^{key}:\s*(\d+)", text, re.M).group(1))
                          for key in ("Size", "Rss"))
        expect_equal(resident, size, f"KiB resident of {text.splitlines()[0]}")
    expect("cannot lock memory" not in runner.log(), "a false alarm")


def eat(cgroup, leave_mib):
    """A child that holds all memory but so much.  Returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        cgroup.add(os.getpid())
        held = []
        while True:
            available = int(re.search(r"MemAvailable:\s*(\d+)", read("/proc/meminfo")).group(1)) >> 10
            if available > leave_mib:
                block = mmap.mmap(-1, MIB)
                block[:] = b"\x5a" * MIB
                held.append(block)
            elif available < leave_mib // 2 and held:
                held.pop().close()      # or somebody is killed for want of memory
            else:
                time.sleep(0.05)
    finally:
        os._exit(0)


def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@case.limit(5000)
def test_pressure():
    """A file system on our LUN is written as fast as it goes, and memory is short for everybody."""
    seconds = count(60, 3600)
    daemon = Cgroup("daemon")
    defer(daemon.delete)
    eater = Cgroup("eater")
    defer(eater.delete)
    service = shared_service()
    defer(service.end)
    runner, served = service.runner, service.served
    run("mkfs.ext4", "-q", "-F", served.dev)
    os.makedirs("/run/mnt", exist_ok=True)
    run("mount", served.dev, "/run/mnt")
    defer(run, "umount", "/run/mnt")

    # What it has stays where it is charged: from here on there is next to nothing more.
    daemon.add(runner.pid)
    daemon.set("high", 2 * MIB)
    daemon.set("max", 8 * MIB)
    defer(end, eat(eater, 24))
    time.sleep(1)
    begin = time.monotonic()
    report = json.loads(run(
        "fio", "--output-format=json", "--name=load", "--filename=/run/mnt/file", "--size=24m",
        "--rw=randwrite", "--bs=4k", "--ioengine=psync", "--fsync=64", "--fallocate=none",
        "--time_based", f"--runtime={seconds}", "--verify=crc32c", "--verify_backlog=256",
        timeout=seconds + 120))
    job = report["jobs"][0]
    writes = job["write"]["total_ios"]
    note(f"{writes} writes, {job['sync']['total_ios']} fsyncs, the longest took "
         f"{job['sync']['lat_ns']['max'] / 1e9:.1f} s, in {time.monotonic() - begin:.0f} s")
    note(f"daemon's cgroup: {daemon.number('current') >> 10} KiB more, {daemon.events()}; "
         + re.search(r"MemAvailable:.*", read("/proc/meminfo")).group(0))
    expect_equal(job["error"], 0, "fio's error")
    expect(writes > 20 * seconds, "hardly any load")
    expect(runner.running, "tcmu-runner was killed")
    expect_equal(daemon.events()["oom_kill"], "0", "kills in the daemon's cgroup")


def test_nothing_left():
    expect_equal(lio.leftovers(), [], "left in configfs")
    expect_equal(case.devices(), [], "disks left")


if __name__ == "__main__":
    case.main()
