# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrays with two controllers, of which one owns the LUN: the hardware handlers emc, rdac and hp_sw.

They are played by the test (lib/two_controllers.py); between them and us is the kernel with its own
scsi_dh for each.  The map is a list of paths, and all else is found by itself: the handler, and what
the hardware table says.  fio's verify runs throughout.
"""

import subprocess
import threading

from lib import case, cuts, fio
from lib.case import count, defer, expect, expect_equal, expect_in_time, note
from lib.mpath import Map
from lib.runner import Runner
from lib.system import read, wait_for
from lib.two_controllers import Clariion, HpSw, Rdac

ROUNDS = count(1, 20)


def expect_moves(array, moves, what):
    expect_equal(array.moves, moves, f"controllers that were told to take over, {what}")
    expect_equal(array.wrong, [], "commands that the array does not understand")


def lose_controller(m, array, number):
    """Its path breaks under load: the other one takes over, told so once."""
    lost, other = m.paths[number], m.paths[1 - number]
    lost.wait_load()
    moves = list(array.moves)
    with cuts.TRANSPORT_STATUS.on(lost):
        other.wait_load()
        expect_moves(array, moves + [1 - number], f"after {lost} was lost")
    m.wait_in_use(lost)


def lives(make):
    runner = Runner()
    defer(runner.end)
    runner.start()
    array = make()
    defer(array.delete)
    for path in array.paths:
        expect_equal(read(path.device + "/dh_state"), array.handler, f"the kernel's handler of {path}")
    m = Map(array.paths, make.handler, listed=True, attributes={"cmd_time_out": 0})
    defer(m.delete)
    m.wait_in_use()
    expect(f" 1 {array.handler} 2 1 " in m.status("table"), m.status("table"))
    runner.wait_log(f"the array is [{array.section}] of the hardware table")
    load = fio.Fio(m, 4 + count(4, 6) * ROUNDS, rate=1, bs="512-32k")
    defer(load.kill)
    load.wait_load()

    for _ in range(ROUNDS):
        lose_controller(m, array, 0)

        # Another host has moved it: ours follows, it does not take it back.
        moves = list(array.moves)
        array.owner = 0
        m.paths[0].wait_load()
        expect_moves(array, moves, "after another host has moved the LUN")
        m.wait_in_use(m.paths[1])

        array.not_now = 3
        lose_controller(m, array, 0)
        expect_equal(array.not_now, 0, "refusals left")
        lose_controller(m, array, 1)

    expect_in_time(load.running, "the load ended before the story")
    result = load.finish()
    note(f"{array.handler}: {len(array.moves)} moves under {result!r}")
    expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
    wait_for(lambda: set(m.path_states().values()) == {"A"}, 5, "both paths in use")


def test_emc():
    lives(Clariion)


def test_rdac():
    lives(Rdac)


NR_LUNS = 6
TOGETHER = 3        # requests at the most: the first one, all others, and one for who came late


def waits(m):
    """Commands of this map wait for an activation."""
    return int(m.status("info").split()[1]) > 0


def test_rdac_together():
    """A controller dies, and its LUNs, each of a map of its own, are moved in few MODE SELECTs.

    The array takes its time for the first one: until all maps want theirs.
    """
    runner = Runner()
    defer(runner.end)
    runner.start()
    luns = []
    for _ in range(NR_LUNS):
        luns.append(Rdac(luns[0] if luns else None))
    defer(lambda: [lun.delete() for lun in luns])
    maps = [Map(lun.paths, f"lun{lun.lun}", listed=True, attributes={"cmd_time_out": 0}) for lun in luns]
    for m in maps:
        defer(m.delete)
    for m in maps:
        m.wait_in_use()

    # Each LUN that was mapped was told to the others, and nobody has moved for that.
    expect_equal([lun.moves for lun in luns], [[]] * NR_LUNS, "moves before the controller died")
    all_want = threading.Event()
    for lun in luns:
        lun.before_move = lambda: all_want.wait(60)
    with cuts.TRANSPORT_STATUS.on(luns[0].paths[0]):
        readers = [subprocess.Popen(["dd", f"if={m.dev}", "of=/dev/null", "bs=4096", "count=1",
                                     "iflag=direct"], stderr=subprocess.DEVNULL) for m in maps]
        wait_for(lambda: all(waits(m) for m in maps), 30, "all maps on their way to the other controller")
        all_want.set()
        expect_equal([reader.wait(60) for reader in readers], [0] * NR_LUNS, "results of dd")
        requests = list(luns[0].requests)
    note(f"LUNs that were moved together: {requests}")
    expect_equal([lun.moves for lun in luns], [[1]] * NR_LUNS, "moves of each LUN")
    expect_equal([lun.wrong for lun in luns], [[]] * NR_LUNS, "commands that the array does not understand")
    expect_in_time(len(requests) <= TOGETHER, f"{len(requests)} MODE SELECTs: {requests}")
    for m in maps:
        m.wait_in_use()


def test_hp_sw():
    lives(HpSw)


if __name__ == "__main__":
    case.main()
