# SPDX-License-Identifier: GPL-2.0-or-later
"""What the array says reaches the initiator to the bit, and no path suffers for it.

Each command goes to a bare path and to our LUN: status, sense data, residual and data must be the
same, and every path must stay up without one failure.  05/2C and 05/55 cannot be had from the
guest's parts: puppet.py's array says them.
"""
# tests/run: -t 600

import fcntl
import os
import re
import subprocess
import threading
import time

from lib import bare, case, lio, puppet, scsi, system, topology
from lib.bare import caw_cdb, cdb10, cdb12, cdb16, same
from lib.case import count, defer, expect, expect_equal, expect_in_time, note
from lib.mpath import Map
from lib.runner import Runner

# scsi_debug's opts
MEDIUM_ERROR, RECOVERED, SHORT_TRANSFER, LOST_READS = 0x2, 0x8, 0x100, 0x80
MEDIUM_ERROR_LBA = 0x1234


def start_runner():
    runner = Runner()
    defer(runner.end)
    return runner.start()


def map_over(made, name, n=2, export=True, **keys):
    """A map over the first n paths; the one behind them is the bare path."""
    m = Map(made.paths[:n], name, features=(), export=export, **keys)
    defer(m.delete)
    m.wait_in_use()
    if export:
        bare.settle(m, *made.paths)
    return m


def scsi_debug_map(n=2, **options):
    start_runner()
    made = topology.ScsiDebug(n + 1, **options)
    defer(made.teardown)
    return made, map_over(made, "debug", n=n), made.paths[n]


def lio_map(**keys):
    start_runner()
    os.makedirs("/etc/target/pr", exist_ok=True)    # or LIO refuses every registration
    made = topology.LioLoopback(3)
    defer(made.teardown)
    return made, map_over(made, "lio", **keys), made.paths[2]


def expect_code(answer, code, what):
    expect_equal(answer.code, code, what)


def medium_and_miscompare(made, m, other):
    """The same commands in fixed and in descriptor format."""
    made.set("opts", MEDIUM_ERROR)
    for name, cdb, blocks in (("READ(6)", bytes((8, 0, 0x12, 0x34, 16, 0)), 16),
                              ("READ(10)", cdb10(0x28, MEDIUM_ERROR_LBA, 1), 1),
                              ("READ(12)", cdb12(0xa8, MEDIUM_ERROR_LBA, 8), 8),
                              ("READ(16)", cdb16(0x88, MEDIUM_ERROR_LBA, 8), 8)):
        answer = same(m, other, cdb, name, data_in=512 * blocks)
        expect_code(answer, (0x03, 0x11, 0x00), name)
    # The one bit that differs: sense that promises the blocks before the bad one, which TCMU cannot
    # carry beside it.  Linux would take what stands in the buffer for them.
    cdb = cdb10(0x28, MEDIUM_ERROR_LBA - 4, 8)
    wanted, got = (scsi.cdb(device, cdb, data_in=4096).sense for device in (other, m))
    if wanted[0] & 0x7f == 0x70:
        expect(wanted[0] & 0x80, f"the bare path says no block: {wanted.hex(' ')}")
        wanted = bytes((0x70,)) + wanted[1:]
    expect_equal(got, wanted, "sense of a READ that begins before the bad block")
    made.set("opts", 0)
    block = bytes(range(256)) * 2
    expect(scsi.write10(other, 64, block * 2).good, "preparing the LUN")
    for name, cdb, data in (
            ("COMPARE AND WRITE", caw_cdb(64), bytes(512) + block),
            ("COMPARE AND WRITE, second block", caw_cdb(64, 2), block + bytes(512) + block * 2),
            ("VERIFY(10)", cdb10(0x2f, 64, 1, flags=2), bytes(512)),
            ("VERIFY(16)", cdb16(0x8f, 64, 1, flags=2), bytes(512))):
        answer = same(m, other, cdb, name, data_out=data)
        expect_code(answer, (0x0e, 0x1d, 0x00), name)


def test_medium_error_and_miscompare():
    made, m, other = scsi_debug_map()
    medium_and_miscompare(made, m, other)
    expect_equal(scsi.cdb(other, bytes((0, 0, 0, 0, 0, 0))).good, True, "bare path")
    made.set("dsense", 1)
    answer = same(m, other, cdb10(0x28, 0x7fffffff, 1), "READ beyond the end", data_in=512)
    expect_equal(answer.sense[0], 0x72, "descriptor format")
    medium_and_miscompare(made, m, other)
    bare.expect_untouched(m, "medium errors and miscompares")


def test_illegal_requests():
    """ILLEGAL REQUEST of every kind that scsi_debug and LIO have."""
    made, m, other = scsi_debug_map(lbpu=1)
    seen = set()
    for name, cdb, data in (
            ("unknown opcode", bytes((0x0c, 0, 0, 0, 0, 0)), {}),
            ("unknown service action", cdb16(0x9e, 0, 32, flags=0x1f), {}),
            ("READ beyond the end", cdb10(0x28, 0x7fffffff, 8), dict(data_in=4096)),
            ("READ(16) at the end of numbers", cdb16(0x88, 2**64 - 1, 8), dict(data_in=4096)),
            ("WRITE beyond the end", cdb10(0x2a, 131071, 8), dict(data_out=bytes(4096))),
            ("reserved bits in READ(10)", cdb10(0x28, 0, 1, flags=0xe0), dict(data_in=512)),
            ("reserved bits in TEST UNIT READY", bytes((0, 0, 0xff, 0, 0, 0)), {}),
            ("mode page 3eh", bytes((0x1a, 0, 0x3e, 0, 64, 0)), dict(data_in=64)),
            ("saved mode pages", bytes((0x1a, 0, 0xff, 0, 64, 0)), dict(data_in=64)),
            ("mode page that is not there", bytes((0x15, 0x10, 0, 0, 8, 0)),
             dict(data_out=bytes((0, 0, 0, 0, 0x3e, 2, 0, 0)))),
            ("mode page longer than its list", bytes((0x15, 0x10, 0, 0, 6, 0)),
             dict(data_out=bytes((0, 0, 0, 0, 0x08, 0x12)))),
            ("mode list without PF", bytes((0x15, 0, 0, 0, 8, 0)), dict(data_out=bytes(8))),
            ("log page 30h", cdb10(0x4d, 0x70000000, 64), dict(data_in=64)),
            ("READ(10) of a wrong group", cdb10(0x28, 0, 0, flags=0x01), {}),
            ("COMPARE AND WRITE beyond the end", caw_cdb(131072), dict(data_out=bytes(1024)))):
        answer = same(m, other, cdb, name, **data)
        if answer.code:
            seen.add(answer.code)
    bare.expect_untouched(m, "illegal requests to scsi_debug")
    note("scsi_debug: " + " ".join("%02x/%02x/%02x" % code for code in sorted(seen)))
    # scsi_debug takes no notice of it; our INQUIRY data says that there is no ACA.
    expect_code(scsi.cdb(m, bytes((0, 0, 0, 0, 0, 4))), (0x05, 0x24, 0x00), "NACA")
    for asc in 0x20, 0x21, 0x24, 0x26, 0x1a:
        expect(any(code[:2] == (0x05, asc) for code in seen), f"05/{asc:02x} was not among the answers")


def test_illegal_requests_lio():
    made, m, other = lio_map(attributes={"pgr_support": 0})
    seen = set()
    naa = bytes.fromhex(other.wwid[1:])
    cdb, good = bare.xcopy(naa, 0, 500, 4)
    wrong_type = good[:16] + b"\xe0" + good[17:]
    pr_cdb, pr_data = bare.register(0, 0x77)
    for name, cdb, data in (
            ("XCOPY with an unknown descriptor", cdb, dict(data_out=wrong_type)),
            ("XCOPY of a LUN that is not there", cdb,
             dict(data_out=good.replace(naa, naa[:15] + b"\xee"))),
            ("XCOPY of a truncated list", cdb[:10] + (20).to_bytes(4, "big") + cdb[14:],
             dict(data_out=good[:20])),
            ("PR OUT of a wrong length", pr_cdb[:8] + bytes((20, 0)), dict(data_out=pr_data[:20])),
            ("PR OUT of an unknown action", bytes((0x5f, 0x1f)) + pr_cdb[2:], dict(data_out=pr_data)),
            ("UNMAP without a header", cdb10(0x42, 0, 4), dict(data_out=bytes(4))),
            ("UNMAP list of a wrong length", cdb10(0x42, 0, 24),
             dict(data_out=bytes.fromhex("ffff fff0 00000000") + bytes(16))),
            ("WRITE SAME of too much", cdb16(0x93, 0, 0x1000), dict(data_out=bytes(512))),
            ("RDPROTECT", cdb10(0x28, 0, 1, flags=0x20), dict(data_in=512)),
            ("COMPARE AND WRITE of two blocks", caw_cdb(0, 2), dict(data_out=bytes(2048))),
            ("READ beyond the end", cdb16(0x88, 2**63, 1), dict(data_in=512))):
        seen.add(same(m, other, cdb, name, **data).code)
    bare.expect_untouched(m, "illegal requests to LIO")
    note("LIO: " + " ".join("%02x/%02x/%02x" % code for code in sorted(seen - {None})))


def test_reservation_conflict():
    """Another initiator reserves the LUN on the array: ours hears so, as on a bare path."""
    made, m, other = lio_map()
    witness = made.paths[1]
    for cdb, data in (bare.register(0, 0xabc), bare.reserve(0xabc, 3)):
        expect(scsi.cdb(other, cdb, data_out=data).good, "reserving from outside")
    for name, cdb, data in (("READ", cdb10(0x28, 0, 1), dict(data_in=512)),
                            ("WRITE", cdb10(0x2a, 0, 1), dict(data_out=bytes(512))),
                            ("COMPARE AND WRITE", caw_cdb(0), dict(data_out=bytes(1024)))):
        answer = same(m, witness, cdb, name, **data)
        expect_equal(answer.status, scsi.RESERVATION_CONFLICT, name)
    expect(scsi.test_unit_ready(m).status in (scsi.GOOD, scsi.RESERVATION_CONFLICT), "TUR")
    bare.expect_untouched(m, "reservation conflicts")
    cdb, data = bare.clear(0xabc)
    expect(scsi.cdb(other, cdb, data_out=data).good, "clearing the reservation")
    system.wait_for(lambda: scsi.write10(m, 0, bytes(512)).good, 5, "writing after the reservation")
    bare.expect_untouched(m, "the reservation")


def test_array_says_anything():
    """A puppet for an array: what no part of the guest would ever say."""
    start_runner()
    with puppet.Array(3) as array:
        m = Map(array.paths[:2], "puppet", features=())
        defer(m.delete)
        m.wait_in_use()
        bare.settle(m, *array.paths)
        other = array.paths[2]
        codes = [(0x05, 0x1a, 0), (0x05, 0x20, 0), (0x05, 0x21, 0), (0x05, 0x24, 0), (0x05, 0x26, 4),
                 (0x05, 0x2c, 0), (0x05, 0x2c, 5), (0x05, 0x55, 0), (0x05, 0x55, 3), (0x05, 0x55, 4),
                 (0x05, 0x23, 9), (0x05, 0x49, 0), (0x05, 0x25, 1), (0x03, 0x11, 0),
                 (0x04, 0x44, 0), (0x07, 0x27, 0), (0x07, 0x27, 7), (0x0a, 0x0d, 2), (0x0d, 0, 0),
                 (0x02, 0x04, 3), (0x02, 0x3a, 0), (0x06, 0x2a, 9), (0x06, 0x38, 7), (0x0e, 0x1d, 0),
                 (0x0b, 0x10, 1)]
        for code in codes:
            for sense in (puppet.fixed(*code), puppet.fixed(*code, information=0x123),
                          puppet.descriptor(*code, 0x123), puppet.long_descriptor(*code)):
                array.say(scsi.CHECK_CONDITION, sense)
                for cdb, data in ((cdb10(0x28, 0x123, 8), dict(data_in=4096)),
                                  (cdb10(0x2a, 0x100, 8), dict(data_out=bytes(4096)))):
                    answer = same(m, other, cdb, "sense " + sense.hex(" "), **data)
                    expect_equal(answer.sense, sense, "what the puppet was told to say")
        deferred = b"\x71" + puppet.fixed(0x03, 0x0c, 0)[1:]
        array.say(scsi.CHECK_CONDITION, deferred)
        expect_equal(same(m, other, cdb10(0x2a), "deferred error", data_out=b"").sense, deferred, "sense")
        for status in scsi.RESERVATION_CONFLICT, 0x04, 0x30:
            array.say(status)
            answer = same(m, other, cdb10(0x28, 0, 8), f"status {status:02x}", data_in=4096)
            expect_equal(answer.status, status, "status")
        for status in scsi.BUSY, scsi.TASK_SET_FULL:
            array.say(status, count=3)
            answer = scsi.cdb(m, cdb10(0x28, 0, 8), data_in=4096)
            expect(answer.good, f"after three times status {status:02x}: {answer!r}")
        for size in 1, 100, 511, 512, 4000, 4096:
            array.say_data(bytes([size % 251 + 1]) * size)
            answer = same(m, other, cdb10(0x28, 0, 8), f"{size} bytes of 4096", data_in=4096)
            expect_equal((answer.resid, len(answer.data)), (4096 - size, size), "residual")
        array.good()
        bare.expect_untouched(m, "all that an array can say")
    note(f"{4 * len(codes)} senses")


def test_residuals():
    made, m, other = scsi_debug_map()
    for size in 4, 36, 100, 512, 4096:
        for name, cdb in (("MODE SENSE(10)", cdb10(0x5a, 0x3f000000, size)),
                          ("LOG SENSE", cdb10(0x4d, 0, size)),
                          ("REPORT SUPPORTED OPERATION CODES", cdb12(0xa3, 0, size, flags=0x0c)),
                          ("READ CAPACITY(16)", cdb16(0x9e, 0, size, flags=0x10)),
                          ("REQUEST SENSE", bytes((3, 0, 0, 0, min(size, 252), 0)))):
            same(m, other, cdb, f"{name}, {size} bytes", data_in=4096)
    made.set("every_nth", 1)
    made.set("opts", SHORT_TRANSFER)
    short = 0
    for blocks in 2, 16, 128:
        answer = same(m, other, cdb10(0x28, 0, blocks), f"short READ of {blocks}", data_in=512 * blocks)
        short += answer.resid > 0
    made.set("opts", 0)
    made.set("every_nth", 0)
    expect_equal(short, 3, "short reads")
    bare.expect_untouched(m, "residuals")


def test_recovered_error():
    """A warning beside data: TCMU carries one of them, and the data is what counts."""
    made, m, other = scsi_debug_map()
    data = bytes(range(256)) * 16
    expect(scsi.write10(other, 0, data).good, "preparing the LUN")
    made.set("every_nth", 1)
    made.set("opts", RECOVERED)
    cdb = cdb10(0x28, 0, 8)
    wanted, got = (scsi.cdb(device, cdb, data_in=4096) for device in (other, m))
    expect(wanted.code and wanted.code[0] == 0x01 and wanted.data == data, f"bare path: {wanted!r}")
    expect(got.good, f"{got!r}")
    expect(got.data == data, "a READ with a warning has other data")
    bare.expect_same(scsi.cdb(m, cdb10(0x2a, 0, 8), data_out=data),
                     scsi.cdb(other, cdb10(0x2a, 0, 8), data_out=data), "WRITE")
    made.set("opts", 0)
    made.set("every_nth", 0)
    bare.expect_untouched(m, "recovered errors")


PATTERN = b"\xa5\x5a\xc3\x3c" * (256 << 8)      # 256 KiB


def fill_ring(m):
    """Has every page of the ring's data area (8 MiB by default) carry the pattern."""
    for _ in range(2):
        pending = [scsi.Pending(m, cdb10(0x2a, 4096 + 512 * i, 512), data_out=PATTERN)
                   for i in range(24)]
        for command in pending:
            answer = command.wait(20)
            expect(answer and answer.good, f"WRITE of the pattern: {answer!r}")


def raw_bytes(device, cdb, size):
    """Everything that a command leaves in the initiator's buffer, past its residual too."""
    request = scsi.Command(cdb, size)
    with scsi.Opened(device) as fd:
        fcntl.ioctl(fd, scsi.SG_IO, request.header)
    return request.answer(), request.buffer.raw


def test_no_stale_bytes():
    """After the ring has carried a pattern, no short answer brings any of it back."""
    made, m, other = scsi_debug_map()
    fill_ring(m)
    expect_equal(scsi.read10(m, 4096, 512).data, PATTERN, "the pattern on the LUN")
    made.set("every_nth", 1)
    for opts, name, cdb, size in (
            (0, "INQUIRY", bytes((0x12, 0, 0, 0xff, 0xff, 0)), 65535),
            (0, "INQUIRY 00h", bytes((0x12, 1, 0, 0xff, 0xff, 0)), 65535),
            (0, "INQUIRY 83h", bytes((0x12, 1, 0x83, 0xff, 0xff, 0)), 65535),
            (0, "INQUIRY B0h", bytes((0x12, 1, 0xb0, 0xff, 0xff, 0)), 65535),
            (0, "INQUIRY of no page", bytes((0x12, 1, 0xc5, 0xff, 0xff, 0)), 65535),
            (0, "MODE SENSE(10)", cdb10(0x5a, 0x3f000000, 0xffff), 65535),
            (0, "LOG SENSE", cdb10(0x4d, 0, 0xffff), 65535),
            (0, "READ CAPACITY(10)", cdb10(0x25), 4096),
            (0, "READ CAPACITY(16)", cdb16(0x9e, 0, 65536, flags=0x10), 65536),
            (0, "REPORT SUPPORTED OPERATION CODES", cdb12(0xa3, 0, 65536, flags=0x0c), 65536),
            (0, "RTPG", cdb12(0xa3, 0, 65536, flags=0x0a), 65536),
            (0, "unknown opcode", bytes((0x0c, 0, 0, 0, 0, 0)), 65536),
            (0, "vendor opcode", bytes((0xc1,)) + bytes(9), 65536),
            (0, "TEST UNIT READY with a buffer", bytes(6), 65536),
            (0, "WRITE with a buffer to read", cdb10(0x2a, 0, 8), 65536),
            (0, "READ beyond the end", cdb10(0x28, 0x7fffffff, 128), 65536),
            (SHORT_TRANSFER, "short READ", cdb10(0x28, 0, 128), 65536),
            (MEDIUM_ERROR, "READ with a medium error", cdb10(0x28, MEDIUM_ERROR_LBA - 64, 128), 65536)):
        made.set("opts", opts)
        answer, data = raw_bytes(m, cdb, size)
        for word in (PATTERN[i:i + 4] for i in range(4)):
            expect(word not in data, f"{name}: stale bytes at {data.find(word)} ({answer!r})")
    made.set("opts", 0)
    made.set("every_nth", 0)
    bare.expect_untouched(m, "short answers")


def test_vendor_opcodes():
    """What no standard knows is answered all the same, and soon."""
    made, m, other = scsi_debug_map()
    slowest = 0
    for opcode in (0xc1, 0xc0, 0xff, 0xe5, 0x65, 0x60, 0x7e):
        cdb = bytes((opcode,)) + bytes(9)
        wanted = scsi.cdb(other, cdb)
        with scsi.Pending(m, cdb) as command:       # alone in the ring, and the last
            answer = command.wait(5)
            expect(answer is not None, f"{opcode:02x} is not answered")
            slowest = max(slowest, answer.duration_ms / 1000)
        bare.expect_same(answer, wanted, f"opcode {opcode:02x}")
    note(f"slowest answer {slowest:.2f} s")
    expect(slowest < 1, f"{slowest:.2f} s for a vendor opcode")

    # Among others, and one with data, whose direction nobody can know.
    pending = []
    for i in range(8):
        pending.append((scsi.Pending(m, cdb10(0x28, 8 * i, 8), 4096), scsi.GOOD))
        pending.append((scsi.Pending(m, bytes((0xc1 + i,)) + bytes(9)), scsi.CHECK_CONDITION))
        pending.append((scsi.Pending(m, bytes((0xd1 + i,)) + bytes(9), 512), scsi.CHECK_CONDITION))
    for command, status in pending:
        answer = command.wait(5)
        expect(answer is not None and answer.status == status, f"among others: {answer!r}")
        expect(answer.duration_ms < 1500, f"among others: {answer.duration_ms} ms")
    bare.expect_untouched(m, "vendor opcodes")


def test_poison_swallowed():
    """Every path swallows this READ, and is good otherwise: it ends, the paths stay."""
    start_runner()
    made = topology.ScsiDebug(3)
    defer(made.teardown)
    m = map_over(made, "poison", path_timeout_ms=1000)
    defer(made.set, "opts", 0)
    defer(made.set, "every_nth", 0)
    made.set("opts", LOST_READS)
    made.set("every_nth", 1)
    begin = time.monotonic()
    answer = scsi.cdb(m, cdb10(0x28, 0, 8), data_in=4096, timeout_ms=60000)
    seconds = time.monotonic() - begin
    note(f"ended after {seconds:.1f} s: {answer!r}")
    expect_equal((answer.status, answer.host_status), (scsi.CHECK_CONDITION, 0), "the end")
    expect_equal(answer.code, (0x04, 0x08, 0x00), "the end")
    expect_in_time(seconds < 15, f"{seconds:.1f} s for two paths with a time-out of 1 s")
    # Once for each path, not again and again.
    expect_equal(m.commands()["in flight"], 0, "in flight")
    bare.expect_untouched(m, "a command that every path swallows")
    made.set("every_nth", 0)
    made.set("opts", 0)
    expect(scsi.read10(m, 0, 8).good, "an ordinary READ after it")


def test_poison_too_large():
    """More data than a host below takes in one command: refused, or done, but no path's fault."""
    made, m, other = scsi_debug_map()
    pattern = bytes(range(256)) * 4096      # 1 MiB
    for i in range(7):
        expect(scsi.write10(other, 2048 * i, pattern).good, "preparing the LUN")
    for mib in 1, 2, 7:
        begin = time.monotonic()
        try:
            answer = scsi.cdb(m, cdb10(0x28, 0, 2048 * mib), data_in=mib << 20)
        except OSError as e:
            note(f"{mib} MiB: the initiator's host does not take it: {e}")
            continue
        note(f"{mib} MiB: {answer!r} after {time.monotonic() - begin:.2f} s")
        if not answer.good:
            expect_equal(answer.code, (0x05, 0x24, 0x00), f"READ of {mib} MiB")
        else:
            expect(answer.data == pattern * mib, f"READ of {mib} MiB: other data")
    bare.expect_untouched(m, "large commands")
    expect(scsi.read10(m, 0, 8).good, "an ordinary READ after it")


# --- iscsi-test-cu ------------------------------------------------------------------------------

# Without Verify10 and Verify16: LIO's own LUN fails half of them, and takes half a minute for it.
SUITES = ("Read10", "Write16", "Inquiry", "TestUnitReady", "CompareAndWrite", "Unmap",
          "WriteSame16", "ReadCapacity10", "ReadCapacity16", "ModeSense6", "Mandatory",
          "PrinReadKeys", "ProutRegister", "ReportSupportedOpcodes", "OrWrite", "Prefetch10",
          "StartStopUnit")
# The same tests once more, with CDBs of another length: ten seconds each.
TWINS = ("Read6", "Read12", "Read16", "Write10", "Write12", "WriteVerify10")


def iscsi_test(target, results):
    """Fills {test: passed} from iscsi-test-cu's suites."""
    (host, port), = target.portals
    address = f"iscsi://{host}:{port}/{target.iqn}/0"
    for suite in SUITES + count((), TWINS):
        begin = time.monotonic()
        done = subprocess.run(["iscsi-test-cu", "-d", "-v", f"--test=SCSI.{suite}", address],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=120)
        results[suite] = done.stdout
        if time.monotonic() - begin > 3:
            note(f"{target.iqn[-1]} {suite} {time.monotonic() - begin:.1f} s")
        # Between a test's name and its result stands what it had to say.
        for part in done.stdout.split("  Test: ")[1:]:
            name, _, rest = part.partition(" ")
            verdict = re.search(r"(?m)(?:\.\.\.|^ *)(passed|FAILED)", rest)
            results[f"{suite}.{name}"] = verdict is not None and verdict[1] == "passed"


def test_iscsi_test_cu():
    """What LIO's own LUN passes, ours passes."""
    start_runner()
    reference, below = (lio.Fileio(name, f"/run/{name}") for name in ("reference", "below"))
    defer(reference.delete)
    defer(below.delete)
    made = topology.LioLoopback(2, backstore=below)
    defer(made.teardown)
    m = map_over(made, "suites", export=False)
    runs = []
    for i, backstore in enumerate((reference, m.backstore)):
        target = lio.IscsiTarget(backstore, f"iqn.2026-01.org.tcmu-mpath:suites{i}", port=3270 + i)
        defer(target.delete)
        results = {}
        thread = threading.Thread(target=iscsi_test, args=(target, results), daemon=True)
        runs.append((thread, results))
        thread.start()
    for thread, _ in runs:
        thread.join()
    wanted, got = runs[0][1], runs[1][1]
    passed = [test for test, result in wanted.items() if result is True]
    failed = [test for test in passed if got.get(test) is not True]
    note(f"{len(passed)} tests pass on LIO's LUN, {len(failed)} of them fail on ours; "
         f"{sum(result is False for result in wanted.values())} fail on LIO's")
    expect(len(passed) > count(60, 80), f"only {len(passed)} tests pass on LIO's LUN")
    suites = sorted({test.split(".")[0] for test in failed})
    expect(not failed, " ".join(failed) + "\n" + "\n".join(got[suite] for suite in suites))
    bare.expect_untouched(m, "iscsi-test-cu")


if __name__ == "__main__":
    case.main()
