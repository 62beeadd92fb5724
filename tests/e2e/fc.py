# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 600
"""Fibre Channel on both sides: a LUN over two FC paths, and a LUN of ours exported over FC.

Where the other kinds of paths are tested at length (cuts.py), this one shows that the handler works
on the transport class of a SAN, with rports that block and come back.
"""

import struct
import time

from lib import case, cuts, fcoe, fio, mpath, scsi, system, topology
from lib.case import defer, expect, expect_in_time, note
from lib.runner import Runner
from lib.targetcli import targetcli


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


def load(path):
    result = fio.Fio(path, 4).finish()
    note(f"{result!r}")
    expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")


def test_export():
    """All with targetcli: a LUN of ours behind tcm_fc, whose link falls and comes back.

    Nothing is in flight when it falls: with a command whose answer it cannot send any more, tcm_fc (of
    Linux 6.1) tries again without a pause, for ever.  Commands that come meanwhile wait in the
    initiator, as with any LUN behind FC.
    """
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = topology.LioLoopback(2)
    defer(made.teardown)
    link = fcoe.Link(0)
    defer(link.delete)
    port, initiator = ("naa." + wwpn.replace(":", "") for wwpn in (link.target_wwpn,
                                                                   link.initiator_wwpn))
    cli = targetcli()
    cli.good("/backstores/user:mpath create name=fc paths=" + ",".join(path.dev for path in made.paths),
             "Created user-backed storage object fc")
    defer(cli.good, "/backstores/user:mpath delete fc", "Deleted storage object fc")
    cli.good(f"/tcm_fc create {port}", "Created target")
    defer(cli.good, f"/tcm_fc delete {port}", "Deleted Target")
    cli.good(f"/tcm_fc/{port}/luns create /backstores/user:mpath/fc", "Created LUN 0")
    cli.good(f"/tcm_fc/{port}/acls create {initiator}", "Created mapped LUN 0")
    defer(link.disable)
    link.enable()
    path = link.path("off", 60)
    defer(system.write, path.device + "/delete", 1)
    load(path)

    expect(scsi.write10(path, 0, pattern(1)).good, "write before the link falls")
    system.run("ip", "link", "set", path.link, "down")
    defer(system.run, "ip", "link", "set", path.link, "up")
    state = f"/sys/class/fc_remote_ports/{path.rport}/port_state"
    system.wait_for(lambda: system.read(state) == "Blocked", 10, "the port blocked")
    with scsi.Pending(path, struct.pack(">BBLBHB", 0x28, 0, 0, 0, 128, 0), data_in=65536) as reading:
        expect(reading.wait(2) is None, "the read is answered without a link")
        system.run("ip", "link", "set", path.link, "up")
        answer = reading.wait(20)
    expect(answer and answer.good and answer.data == pattern(1), f"the read that waited: {answer}")
    load(path)


if __name__ == "__main__":
    case.main()
