# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -s 2 -t 600 late
"""Another map takes over while fio is at work: through configfs, and through D-Bus."""

import errno
import time

from lib import case, fio, topology
from lib.case import count, defer, expect, expect_equal, expect_in_time, limit, note
from lib.mpath import Map, map_call
from lib.runner import Runner

# How a stall is judged: at most twice the longest of the control runs, or 100 ms; CPUs that are
# emulated on a busy machine stall by themselves, and the longer one looks, the longer is the longest.
CONTROL_RUNS = 3


def start():
    runner = Runner()
    defer(runner.end)
    return runner.start()


def write_map(map_, table, *lines):
    with open(map_.file, "w") as f:
        f.write(f"[multipath]\ntable={table}\n" + "".join(line + "\n" for line in lines))


def tables(names):
    """Other groups, selectors, paths: the one that begins is none of them."""
    a, b = names
    return (f"0 0 2 1 round-robin 0 1 1 {a} 1 round-robin 0 1 1 {b} 1",
            f"1 queue_if_no_path 0 1 1 round-robin 0 1 1 {b} 1",
            f"1 queue_if_no_path 0 1 1 queue-length 0 2 1 {b} 1 {a} 1",
            f"0 0 2 2 service-time 0 1 2 {b} 1 1 round-robin 0 1 1 {a} 1",
            f"0 0 1 1 service-time 0 1 2 {a} 1 1")


def longest(load):
    result = load.finish()
    expect(result.clean, f"fio: {result}")
    return max(result.stalls(load.begin + 1, load.begin + load.seconds), default=0)


@limit(count(300, 900))
def test_reload_under_load():
    """Neither an error nor a wrong byte, and no stall, though the map is another one again and again."""
    runner = start()
    with topology.LioLoopback(2) as made, Map(made.paths) as map_:
        map_.wait_in_use()
        reloads = 2 * count(20, 100)
        seconds = 2 + 0.7 * reloads
        control = max(longest(fio.Fio(map_.dev, seconds / CONTROL_RUNS, rate=8)) for _ in range(CONTROL_RUNS))
        load = fio.Fio(map_.dev, seconds, rate=8)
        defer(load.kill)
        load.wait_load()
        choice = tables(map_.names)
        for i in range(reloads):
            table = choice[i % len(choice)]
            if i % 2:
                map_call(map_.name, "Reload", "s", table)
            else:
                write_map(map_, table)
                map_.backstore.set("dev_config", "mpath/" + map_.name + "\n" * (i // 2 % 2))
            time.sleep(0.5)     # load on each of the maps
        stall = longest(load)
        note(f"{reloads} reloads, longest stall {stall:.3f} s, without any {control:.3f} s")
        expect_in_time(stall <= max(2 * control, 0.1), f"a stall of {stall:.3f} s, {control:.3f} without")
        expect_equal(runner.log().count("another table has taken over"), reloads, "reloads")


def test_refused_and_the_same():
    """What is refused leaves the map as it was, and says why; the same once more changes nothing."""
    runner = start()
    with topology.LioLoopback(2) as made, Map(made.paths) as map_:
        map_.wait_in_use()
        before = map_.status("table")
        map_.message("fail_if_no_path")
        map_.backstore.set("dev_config", "mpath/" + map_.name)
        expect("queue_if_no_path" not in map_.status("table"), "the same map was loaded again")
        write_map(map_, "0 0 1 1 no-such-selector 0 1 1 8:0 1")
        for value, number, words in (
                (map_.name, errno.EINVAL, "unknown path selector type"),
                ("other", errno.ENOENT, "other.map: cannot be read")):
            try:
                map_.backstore.set("dev_config", "mpath/" + value)
            except OSError as e:
                expect_equal(e.errno, number, f"errno of {value}")
            else:
                expect(False, f"dev_config={value} was accepted")
            runner.wait_log(words)
        expect_equal(map_.status("table"), before.replace("1 queue_if_no_path", "0"), "the table")


if __name__ == "__main__":
    case.main()
