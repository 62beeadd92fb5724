#!/usr/bin/env python3
# tests/run: -t 1800 long
# SPDX-License-Identifier: GPL-2.0-or-later
"""64 LUNs of two paths each become maps, one after the other: does the last one take longer than the first?

Beside them fileio backstores, which look for nothing.  The maps are given by their WWIDs, so that each looks for its
paths among all disks, and hears of all that happens to these, from the kernel: udevd would take the guest minutes for
so many.  $MPATH_DEB chooses the package.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from lib import case, lio, mpath, system
from lib.case import defer, note
from lib.runner import Runner
from lib.system import run, wait_for

LUNS = 64
SHOWN = 1, 2, 8, 16, 24, 32, 48, 64


def cpu_seconds(pid):
    fields = system.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_disks():
    system.modprobe("sd_mod", "sg")
    run("modprobe", "scsi_debug", "add_host=2", f"max_luns={LUNS}", "vpd_use_hostno=0", "dev_size_mb=8", "delay=0")
    defer(run, "rmmod", "scsi_debug")
    wait_for(lambda: sum(name.startswith("sd") for name in os.listdir("/sys/block")) == 2 * LUNS, 120, "disks")


def is_in_use(name):
    words = mpath.map_call(name, "Status", "s", "info").split()
    return sum(word == "A" and ":" in before for before, word in zip(words, words[1:])) == 2


def timed(make):
    begin = time.monotonic()
    defer(make().delete)
    return time.monotonic() - begin


def make_map(number, runner):
    used = cpu_seconds(runner.pid)
    begin = time.monotonic()
    seconds = timed(lambda: lio.UserBackstore(f"m{number}", f"wwid=1Linux_scsi_debug_{1999 + number}"))
    wait_for(lambda: is_in_use(f"m{number}"), 100, "both paths in use")
    if number in SHOWN:
        note(f"{number}: made in {seconds:.2f} s, in use after {time.monotonic() - begin:.2f} s, "
             f"tcmu-runner's CPU {cpu_seconds(runner.pid) - used:.2f} s; "
             f"fileio {timed(lambda: lio.Fileio(f'f{number}', f'/run/f{number}', 1)):.2f} s")


@case.limit(1500)
def test_one_after_the_other():
    make_disks()
    runner = Runner()
    defer(runner.end)
    runner.start()
    for number in range(1, LUNS + 1):
        make_map(number, runner)
    for seconds, what in (31, "half a minute of rest"), (5, "an event"):
        used = cpu_seconds(runner.pid)
        if what == "an event":
            system.write("/sys/block/sda/uevent", "add")
        time.sleep(seconds)
        note(f"{what}: {cpu_seconds(runner.pid) - used:.2f} s of CPU")


if __name__ == "__main__":
    case.main()
