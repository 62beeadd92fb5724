# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: long
"""The test VM itself: do topologies, cuts and load do what the other cases rely on?  After an edit of
tests/e2e/lib; what is broken here breaks them, too, in CI."""

import time

from lib import case, cuts, dm, fio, lio, scsi, system, topology
from lib.case import defer, expect, expect_equal, expect_in_time, note
from lib.runner import Runner, all_handlers, check_config


def check_paths(made, n):
    """n paths, all usable, one LUN: what is written through one is read through each other."""
    expect_equal(len(made.paths), n, "paths")
    expect_equal(len({path.wwid for path in made.paths}), 1, "number of WWIDs")
    for i, path in enumerate(made.paths):
        expect(scsi.usable(path), f"{path} is not usable")
        expect_equal(scsi.read_capacity(path), (made.sectors, 512), "capacity")
        data = bytes([i + 1]) * 4096
        answer = scsi.write10(path, 8 * i, data)
        expect(answer.good, f"write on {path}: {answer}")
        for other in made.paths:
            answer = scsi.read16(other, 8 * i, 8)
            expect(answer.good and answer.data == data, f"read on {other}: {answer}")
    note(f"{made.name}: WWID {made.wwid}")


def check_cut(cut, path, others):
    """The path goes, the others stay, the path comes back."""
    begin = time.monotonic()
    with cut.on(path):
        lost = system.wait_for(lambda: not scsi.usable(path), 15, f"{path} not usable") and time.monotonic()
        for other in others:
            expect(scsi.usable(other) != cut.all_paths, f"{other} after {cut} of {path}")
    back = time.monotonic()
    cuts.wait_usable(path, 60)
    note(f"{cut.name}: gone after {lost - begin:.2f} s, back after {time.monotonic() - back:.2f} s")


def check_topology(made, n=2):
    defer(made.teardown)
    check_paths(made, n)
    for cut in made.cuts():
        for path in made.paths:
            check_cut(cut, path, [other for other in made.paths if other is not path])


def test_lio_loopback():
    check_topology(topology.LioLoopback())


def test_scsi_debug():
    check_topology(topology.ScsiDebug(timeout=3))


def test_iscsi():
    check_topology(topology.Iscsi())


def test_fcoe():
    check_topology(topology.FcoeVn2vn())


def test_sixteen_paths():
    for kind in (topology.LioLoopback, topology.ScsiDebug, topology.Iscsi):
        with kind(16) as made:
            check_paths(made, 16)


def test_load():
    """fio on the kernel's dm-multipath while a path is cut: what our own cases compare with."""
    with topology.LioLoopback() as made:
        with dm.Multipath(made.paths, reinstate=0.5) as ref:
            result = fio.under_cut(ref, cuts.TRANSPORT_STATUS, made.paths[0], 8)
            system.wait_for(lambda: set(ref.path_states().values()) == {"A"}, 15,
                            "paths back in the map")
    note(repr(result))
    expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
    expect(result.reads > 20 and result.writes > 20, f"hardly any load: {result!r}")
    expect_in_time(result.stall < 2, f"stall of {result.stall} s")


def test_miscompare_is_found():
    """A sector changed behind fio's back, in each half: the harness must not be blind."""
    with topology.LioLoopback() as made:
        for half in 0, 1:
            load = fio.Fio(made.paths[0], 4)
            defer(load.kill)
            end = load.begin + 4
            while time.monotonic() < end:
                for lba in range(half * made.sectors // 2, (half + 1) * made.sectors // 2, 1024):
                    scsi.write10(made.paths[1], lba, bytes(512))
            result = load.finish()
            expect(result.miscompares > 0, f"half {half}: {result!r}")


def test_one_hung_path():
    """A host held as in error recovery: its commands wait, the other path's do not."""
    with topology.ScsiDebug() as made, cuts.HOST_RECOVERY.on(made.paths[0]):
        with scsi.Pending(made.paths[0], bytes(6)) as hung:
            expect(hung.wait(0.5) is None, "the command is answered on a held host")
            expect(scsi.usable(made.paths[1]), "the other path")
            cuts.HOST_RECOVERY.restore(made.paths[0])
            answer = hung.wait(5)
            expect(answer is not None, "the command is not answered when the host runs again")
            cuts.HOST_RECOVERY.cut(made.paths[0])


def test_half_of_sixteen_hung():
    """Packets of 8 sessions out of 16 are dropped, and nothing tells the initiator."""
    with topology.Iscsi(16, noop_seconds=0) as made:
        for path in made.paths[::2]:
            cuts.NFT_DROP.cut(path)
        hung = [scsi.Pending(path, bytes(6)) for path in made.paths[::2]]
        for path in made.paths[1::2]:
            begin = time.monotonic()
            answer = scsi.synchronize_cache(path)
            expect(answer.good and time.monotonic() - begin < 1, f"{path}: {answer}")
        expect(not any(command.wait(0) for command in hung), "an answer over a dropped path")
        for path in made.paths[::2]:
            cuts.NFT_DROP.restore(path)
        for command in hung:
            expect(command.wait(10) is not None, "no answer after the path is back")


def test_iscsi_export():
    """A backstore exported over iSCSI and logged in again, as the demo does."""
    with lio.Ramdisk("export", 16) as backstore, lio.IscsiTarget(backstore) as target:
        with lio.IscsiLogin(target) as login:
            expect(scsi.usable(login.paths[0]), "not usable")
            expect_equal(login.paths[0].sectors, 32768, "sectors")


def test_runner():
    """tcmu-runner with one of its own handlers: starts, serves, is killed, serves again."""
    runner = Runner(handlers=all_handlers())
    defer(runner.end)
    runner.start()
    with open("/run/cd", "wb") as f:
        f.write(bytes(1 << 20))
    accepted, reason = check_config("/run/cd", handler="fbo")
    expect(accepted, f"fbo refuses: {reason}")
    with lio.UserBackstore("cd", "/run/cd", 1 << 20, handler="fbo") as backstore:
        expect(backstore.uio, "no uio device")
        with lio.LoopTarget(backstore, wait=0) as target:
            system.wait_for(lambda: target.path.sg, 5, "the exported device")
            expect(scsi.usable(target.path), "not usable")
            runner.kill()
            expect(not scsi.usable(target.path), "answered without a tcmu-runner")
            runner.start()
            cuts.wait_usable(target.path, 20)
    expect(runner.resources()[2] > 0, "no threads")
    expect_equal(runner.stop(), 0, "tcmu-runner's exit status")


def test_by_id():
    system.start_udev()
    with topology.LioLoopback() as made:
        system.settle_udev()
        names = [path.by_id for path in made.paths if path.by_id]
        expect(names, "no path has the by-id name")
        expect(made.wwid[1:] in names[0], f"by-id name {names[0]}")


def test_nothing_left():
    expect_equal(lio.leftovers(), [], "left in configfs")
    expect_equal(case.devices(), [], "disks left")


if __name__ == "__main__":
    case.main()
