# SPDX-License-Identifier: GPL-2.0-or-later
"""Our LUN beside a bare path to the same LUN: the same command to both, the same answer."""

import struct

from . import case, scsi
from .system import wait_for

# The one sense of a command that must not be repeated and may have been executed.
NOT_REPEATED = (0x04, 0x08, 0x01)


def counters(m):
    """{"8:0": ("A", 0)}: state and fail_count of each path, as INFO has them."""
    words = m.status().split()
    return {path.devno: next((words[i + 1], int(words[i + 2])) for i, word in enumerate(words)
                             if word == path.devno) for path in m.paths}


def expect_untouched(m, what):
    """No path has failed, not once, and none is in doubt for more than a moment."""
    case.expect_equal(counters(m), {path.devno: ("A", 0) for path in m.paths}, f"paths after {what}")
    wait_for(lambda: "in doubt" not in m.status("detail"), 5, f"no path in doubt after {what}")


def current(m):
    """The path that takes the commands of a map with grouping=failover."""
    words = m.status().split()
    at = words.index("A", 6)
    devno = next(word for word in words[at:] if ":" in word)
    return next(path for path in m.paths if path.devno == devno)


def settle(*devices):
    """Unit attentions of setting up are told and gone."""
    for device in devices:
        wait_for(lambda device=device: scsi.test_unit_ready(device).good, 5, f"{device} ready")


def result(answer):
    """What must be the same: everything that came from the target.

    Not a residual beside sense: TCMU has none there, and no data either (handler/README.md).
    """
    with_sense = answer.status == scsi.CHECK_CONDITION
    return (f"status {answer.status:02x}", f"host {answer.host_status:02x}", answer.sense.hex(" "),
            0 if with_sense else answer.resid, b"" if with_sense else answer.data)


def expect_same(ours, bare, what):
    if result(ours) == result(bare):
        return
    shown = "\n".join(f"    {name}: {r[:4]} {r[4][:64].hex(' ')}"
                      for name, r in (("ours", result(ours)), ("bare", result(bare))))
    raise case.Failed(f"{what}: our LUN does not answer as the bare path:\n{shown}")


def same(m, bare, cdb, what, **data):
    """Sends a command to the bare path and to our LUN, and returns the answer that both gave."""
    wanted = scsi.cdb(bare, cdb, **data)
    got = scsi.cdb(m, cdb, **data)
    expect_same(got, wanted, what)
    return got


# --- CDBs ---------------------------------------------------------------------------------------

def cdb10(opcode, lba=0, length=0, flags=0):
    return struct.pack(">BBLBHB", opcode, flags, lba, 0, length, 0)


def cdb12(opcode, lba=0, length=0, flags=0):
    return struct.pack(">BBLLBB", opcode, flags, lba, length, 0, 0)


def cdb16(opcode, lba=0, length=0, flags=0):
    return struct.pack(">BBQLBB", opcode, flags, lba, length, 0, 0)


def caw_cdb(lba, blocks=1):
    return struct.pack(">BBQBBBBBB", 0x89, 0, lba, 0, 0, 0, blocks, 0, 0)


def xcopy(naa, source, destination, blocks):
    """EXTENDED COPY(LID1) within one LUN: (CDB, parameter list).  naa: its 16-byte designator."""
    target = struct.pack(">BBHBBBB", 0xe4, 0, 0, 1, 3, 0, 16) + naa + bytes(4) + b"\0\0\2\0"
    segment = struct.pack(">BBHHHHHQQ", 0x02, 0, 0x18, 0, 0, 0, blocks, source, destination)
    header = struct.pack(">BBHLLL", 1, 0, len(target), 0, len(segment), 0)
    data = header + target + segment
    return struct.pack(">BBQLBB", 0x83, 0, 0, len(data), 0, 0), data


def register(key, new):
    """PERSISTENT RESERVE OUT, REGISTER."""
    return struct.pack(">BBBHLB", 0x5f, 0, 0, 0, 24, 0), struct.pack(">QQ8x", key, new)


def reserve(key, kind):
    return struct.pack(">BBBHLB", 0x5f, 1, kind, 0, 24, 0), struct.pack(">Q16x", key)


def clear(key):
    return struct.pack(">BBBHLB", 0x5f, 3, 0, 0, 24, 0), struct.pack(">Q16x", key)
