# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 900
"""Backstores that come and go leave nothing in tcmu-runner (measure 10).

After a quarter of the rounds memory pools, threads and caches have their size: from there on
memory, open files and threads must stay where they are.
"""

import os
import statistics
import subprocess

from lib import case, lio, scsi, topology
from lib.case import count, defer, expect, expect_equal, note
from lib.named import Named, map_file
from lib.runner import Runner
from lib.system import wait_for, write

# What malloc does with the same amounts in another order: much less than a leak of a map each round.
RSS_NOISE_KIB = 256
# tcmu-runner's log passes through a ring of 32,768 entries, which nobody has touched at first.
LOG_ENTRY_BYTES = 256
WORKERS_NOISE = 2
HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage/enabled"


def start():
    # They come and go as the kernel likes, 2 MiB at a time.
    write(HUGE_PAGES, "never")
    # Each thread's own part of malloc has holes of its own, and which thread does what is chance.
    runner = Runner(environment={"MALLOC_ARENA_MAX": "1"})
    defer(runner.end)
    return runner.start()


def settled(runner):
    """(RSS, open files, threads) when what a delete leaves to workers is done, and lines in the log."""
    last = []

    def is_settled():
        last.append(runner.resources())
        return len(last) > 5 and len(set(last[-5:])) == 1
    wait_for(is_settled, 10, "tcmu-runner at rest")
    return *last[-1], runner.log().count("\n")


def expect_no_growth(samples):
    """Of settled(): after the first quarter, the second, and so on.  A leak is seen in each quarter;
    one step is a thread that has met more work at once than before, and what goes up and down is no leak."""
    early, late = samples[0], samples[-1]
    expect_equal(late[1], early[1], "open files")
    # Workers come when several jobs wait at once, and go when they have had nothing to do.
    expect(late[2] <= early[2] + WORKERS_NOISE, f"threads have grown: {early[2]} -> {late[2]}")
    rss = [sample[0] - sample[3] * LOG_ENTRY_BYTES // 1024 for sample in samples]
    growth = min(rss[-1] - rss[0],
                 statistics.median_low(b - a for a, b in zip(rss, rss[1:])) * (len(rss) - 1))
    text = f"RSS without tcmu-runner's log {' -> '.join(map(str, rss))} KiB"
    note(f"{text}; files {early[1]} -> {late[1]}, threads {early[2]} -> {late[2]}")
    expect(growth <= RSS_NOISE_KIB, f"it grows: {text}")


def use(lun, number):
    """Data through the LUN, an opcode that nobody knows, and control."""
    data = bytes([number % 255 + 1]) * 65536
    path = lun.export()
    for lba in range(0, 2048, 128):
        expect(scsi.write10(path, lba, data).good, "WRITE")
    for lba in range(0, 2048, 128):
        expect_equal(scsi.read10(path, lba, 128).data == data, True, "data that was read")
    answer = scsi.cdb(path, b"\xc1" + bytes(9))
    expect_equal(answer.code, (0x05, 0x20, 0x00), f"a vendor's opcode: {answer}")
    expect("active" in lun.status(), lun.status())
    lun.message("switch_group", "2")


@case.limit(900)
def test_rounds():
    runner = start()
    made = topology.LioLoopback(2, 16)
    defer(made.teardown)
    rounds = count(52, 200)
    samples = []
    for number in range(rounds):
        # Every other one has a path that cannot be had.
        paths = [path.dev for path in made.paths] + ["/dev/nowhere"] * (number % 2)
        map_file("round", "paths=" + ";".join(paths), "grouping=failover", "failback=manual")
        with Named(runner, "round", "round") as lun:
            lun.wait_active(paths[0])
            use(lun, number)
        if (number + 1) % (rounds // 4) == 0:
            samples.append(settled(runner))
    expect_no_growth(samples)
    expect(not os.listdir("/sys/class/uio"), "a uio device is left")


def test_refused_configurations():
    """Each attempt that fails goes through other ways out of the code."""
    runner = start()
    samples = []
    for number in range(40):
        for cfgstring in ("nomap", "/dev/sda;sdb", "wwid=naa.3"):
            try:
                lio.UserBackstore("refused", cfgstring).delete()
            except OSError:
                continue
            expect(False, f"{cfgstring} is accepted")
        if number % 10 == 9:
            samples.append(settled(runner))
    expect_no_growth(samples)


def test_targetcli():
    """Three rounds by targetcli; the first one is what the others are compared with."""
    runner = start()
    made = topology.LioLoopback(2, 16)
    defer(made.teardown)
    names = ";".join(path.dev for path in made.paths)
    samples = []
    for _ in range(3):
        commands = [f"/backstores/user:mpath create name=t size=0 cfgstring={names}",
                    "/loopback create naa.50014050000000ee",
                    "/loopback/naa.50014050000000ee/luns create /backstores/user:mpath/t",
                    "/loopback delete naa.50014050000000ee",
                    "/backstores/user:mpath delete t"]
        done = subprocess.run(["targetcli"], input="\n".join([*commands, "exit"]) + "\n", text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        for text in ("Created user-backed storage object t", "Created LUN 0",
                     "Deleted storage object t"):
            expect(text in done.stdout, f"not \"{text}\" in\n{done.stdout}")
        expect(not any("user_" in left for left in lio.leftovers()), f"left: {lio.leftovers()}")
        samples.append(settled(runner))
    expect_no_growth(samples)


def test_nothing_left():
    expect_equal(lio.leftovers(), [], "left in configfs")
    expect_equal(case.devices(), [], "disks left")
    expect(not os.listdir("/sys/class/uio"), "uio devices left")


if __name__ == "__main__":
    case.main()
