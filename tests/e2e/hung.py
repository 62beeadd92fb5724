# SPDX-License-Identifier: GPL-2.0-or-later
"""Half of sixteen paths hang: their commands are never answered.  Who uses the others must not notice."""
# tests/run: -s 2 -t 600 late

import time

from lib import bare, case, cuts, scsi, topology
from lib.bare import cdb10
from lib.case import defer, expect, expect_equal, expect_in_time, note
from lib.mpath import Map
from lib.runner import Runner

N = 16
TUR, SYNC = bytes(6), cdb10(0x35)
# A hung path is found by its next check (polling_interval) when that is not answered in time.
POLLING_MS, PATIENCE_MS = 1000, 1000
FOUND_SECONDS = (POLLING_MS + PATIENCE_MS) / 1000


def start(made):
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = made()
    defer(made.teardown)
    return made


def make_map(paths, name, **keys):
    m = Map(paths, name, features=("queue_if_no_path",), attributes={"cmd_time_out": 0},
            polling_interval_ms=POLLING_MS, checker_timeout_ms=PATIENCE_MS, recheck_interval_ms=200,
            **keys)
    defer(m.delete)
    return m


def release(paths):
    """Never fails: runs also as clean-up after a release."""
    for path in paths:
        cuts.HOST_RECOVERY.restore(path)


def answered(command, seconds):
    """Whether it ends well in time; .took is then how long it really was out, by the kernel's clock."""
    answer = command.wait(seconds)
    command.took = answer.duration_ms / 1000 if answer else None
    return answer is not None and answer.good


def expect_prompt(devices, seconds, what):
    """TUR and SYNCHRONIZE CACHE on every device, again and again for some seconds: each within 1 s."""
    slowest, rounds = 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pending = [(m, scsi.Pending(m, cdb)) for m in devices for cdb in (TUR, SYNC)]
        for m, command in pending:
            expect(answered(command, 5), f"{what}: {m.name} does not answer within 5 s, or not well")
            slowest = max(slowest, command.took)
        rounds += 1
    note(f"{what}: slowest of {rounds * len(devices) * 2} answers {slowest:.3f} s")
    expect(slowest < 1, f"{what}: an answer after {slowest:.2f} s")


@case.limit(200)
def test_sixteen_maps():
    """Sixteen maps share the handler's threads, and the paths of eight of them hang."""
    made = start(lambda: topology.ScsiDebug(N, timeout=30))
    maps = [make_map([path], f"m{i}") for i, path in enumerate(made.paths)]
    for m in maps:
        m.wait_in_use()
        bare.settle(m)
    hung, healthy = maps[::2], maps[1::2]
    defer(release, made.paths[::2])
    for path in made.paths[::2]:
        cuts.HOST_RECOVERY.cut(path)
    swallowed = []
    for m in hung:
        swallowed += [(m, name, scsi.Pending(m, cdb, data_in, data_out))
                      for name, cdb, data_in, data_out in (
                          ("TUR", TUR, 0, b""), ("SYNC", SYNC, 0, b""),
                          ("READ", cdb10(0x28, 0, 8), 4096, b""),
                          ("WRITE", cdb10(0x2a, 0, 8), 0, bytes(4096)),
                          ("INQUIRY", bytes((0x12, 1, 0xb1, 0, 64, 0)), 64, b""))]
    expect_prompt(healthy, 2 * FOUND_SECONDS + 2, "healthy maps")
    for m in hung:
        m.wait_failed(seconds=FOUND_SECONDS + 2)
    for m in healthy:
        expect_equal(set(bare.counters(m).values()), {("A", 0)}, f"paths of {m.name}")
    for m, name, command in swallowed:
        answer = command.wait(0)
        if name == "INQUIRY":
            expect(answer is not None and answer.good, f"{m.name}: INQUIRY needs no path: {answer!r}")
        elif name == "TUR":
            expect(answer is not None and answer.code == (0x02, 0x08, 0x00),
                   f"{m.name}: TUR waits for no path: {answer!r}")
        else:
            expect(answer is None, f"{m.name}: {name} answered by a path that does not: {answer!r}")
    begin = time.monotonic()
    release(made.paths[::2])
    for m, name, command in swallowed:
        expect(command.fd < 0 or answered(command, 10), f"{m.name}: {name} not answered after the release")
    for m in hung:
        m.wait_in_use()
    note(f"all answered and back {time.monotonic() - begin:.2f} s after the release")
    expect_prompt(maps, 1, "after the release")


@case.limit(200)
def test_one_map():
    """One map over sixteen paths in turn: what is on a hung path is re-driven, the rest is not held up."""
    made = start(lambda: topology.LioLoopback(N))
    m = make_map(made.paths, "one", grouping="multibus")
    m.wait_in_use()
    bare.settle(m, *made.paths)
    hung = made.paths[::2]
    defer(release, hung)
    for path in hung:
        cuts.HOST_RECOVERY.cut(path)
    reads = [scsi.Pending(m, cdb) for cdb in (TUR, SYNC) for _ in range(N)]
    reads += [scsi.Pending(m, cdb10(0x28, 8 * i, 8), 4096) for i in range(N)]
    writes = [scsi.Pending(m, cdb10(0x2a, 1000 + 8 * i, 8), data_out=bytes([i]) * 4096)
              for i in range(N)]
    for command in reads:
        expect(answered(command, FOUND_SECONDS + 5), "a read on a hung path was not re-driven")
    at_once = sum(command.took < 1 for command in reads)
    note(f"{at_once} of {len(reads)} answered within 1 s, the last after "
         f"{max(command.took for command in reads):.2f} s")
    expect_equal(at_once >= len(reads) // 2, True, f"{at_once} of {len(reads)} within 1 s")
    expect_in_time(max(command.took for command in reads) < FOUND_SECONDS + 1.5, "re-driven too late")
    m.wait_failed(*hung)
    expect_prompt([m], 3, "eight of sixteen paths")

    # A write may still land: it waits for its own answer (D9).  The others were not held up.
    waiting = [command for command in writes if command.wait(0) is None]
    expect_equal(len(waiting), N // 2, "writes on hung paths")
    release(hung)
    released = time.monotonic()
    for command in waiting:
        expect(answered(command, 10), "a write was not answered after the release")
    m.wait_in_use()
    note(f"all back {time.monotonic() - released:.2f} s after the release")
    expect_equal({path.devno: ("A", int(path in hung)) for path in made.paths}, bare.counters(m), "paths")
    for i in range(N):
        expect_equal(scsi.read10(m, 1000 + 8 * i, 8).data, bytes([i]) * 4096, f"write {i}")
    expect_prompt([m], 1, "after the release")


@case.limit(200)
def test_dropped_sessions():
    """The same over iSCSI: packets of eight sessions are dropped, and nobody says so."""
    made = start(lambda: topology.Iscsi(N, noop_seconds=0, replacement_timeout=120))
    m = make_map(made.paths, "iscsi", grouping="multibus")
    m.wait_in_use()
    bare.settle(m, *made.paths)
    hung = made.paths[::2]
    for path in hung:
        cuts.NFT_DROP.cut(path)
    pending = [scsi.Pending(m, cdb) for cdb in (TUR, SYNC) for _ in range(N)]
    for command in pending:
        expect(answered(command, FOUND_SECONDS + 5), "a command on a hung path was not re-driven")
    at_once = sum(command.took < 1 for command in pending)
    note(f"{at_once} of {len(pending)} answered within 1 s")
    expect(at_once >= len(pending) // 2, f"{at_once} of {len(pending)} within 1 s")
    m.wait_failed(*hung)
    expect_prompt([m], 3, "eight of sixteen sessions")
    cuts.clear_nft()
    m.wait_in_use(seconds=30)


if __name__ == "__main__":
    case.main()
