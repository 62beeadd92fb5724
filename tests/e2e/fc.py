# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 600
"""A LUN over two FC paths: the transport class of a SAN, with rports that block and come back.

Where the other kinds of paths are tested at length (cuts.py), this one shows that the handler works
on it, and fails over as quickly as the FC transport says that a path is gone.
"""

import time

from lib import case, cuts, mpath, scsi, system, topology
from lib.case import defer, expect, expect_in_time, note
from lib.runner import Runner


def pattern(number):
    return bytes([number]) * 65536


def test_failover():
    """Writes and reads go on while each link in turn falls, and each path comes back."""
    made = topology.FcoeVn2vn(fast_io_fail=3)
    defer(made.teardown)
    runner = Runner()
    defer(runner.end)
    runner.start()
    ours = mpath.Map(made.paths, attributes={"cmd_time_out": 0})
    defer(ours.delete)
    ours.wait_in_use()
    expect(scsi.read_capacity(ours.path) == scsi.read_capacity(made.paths[0]), "another capacity")

    (cut,) = [cut for cut in made.cuts() if "link" in cut.name]
    for number, path in enumerate(made.paths, 1):
        # To this path, whichever is in use: it is the one that is about to fall.
        ours.message("switch_group", str(number))
        expect(scsi.write10(ours.path, 128 * number, pattern(number)).good, "write before the cut")
        with cut.on(path):
            begin = time.monotonic()
            answer = scsi.write10(ours.path, 0, pattern(16 + number), timeout_ms=60000)
            stall = time.monotonic() - begin
            expect(answer.good, f"write while {path} is cut: {answer}")
            ours.wait_failed(path)
            for written in range(1, number + 1):
                answer = scsi.read16(ours.path, 128 * written, 128)
                expect(answer.good and answer.data == pattern(written), f"read: {answer}")
            expect(system.read(f"/sys/class/fc_remote_ports/{path.rport}/port_state") != "Online",
                   "the link was not cut")
        note(f"{cut.name}: a write took {stall:.2f} s; fast_io_fail_tmo is 3 s")
        # What was sent just before is lost at once; else the rport blocks for that time.
        expect_in_time(stall < 8, f"failover took {stall:.1f} s")
        cuts.wait_usable(path, 30)
        begin = time.monotonic()
        ours.wait_in_use(path)
        note(f"in use {time.monotonic() - begin:.2f} s after it was usable")
    answer = scsi.read16(made.paths[0], 0, 128)
    expect(answer.data == pattern(18), "the bare path has other data")


if __name__ == "__main__":
    case.main()
