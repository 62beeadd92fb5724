# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command of sg3_utils answers on our LUN as on a bare path, also while a path is cut.

The LUN is scsi_debug's, which knows most commands, on three hosts: two are paths of the map, the
third is the bare path.  What a lost command becomes is shown with LIO below, over iSCSI with the
answers dropped, and on a device that is removed while it works.
"""
# tests/run: -t 600

import os
import re
import shlex
import subprocess
import threading

from lib import bare, case, cuts, scsi, system, topology
from lib.bare import NOT_REPEATED, cdb10, cdb12, cdb16
from lib.case import defer, expect, expect_equal, note
from lib.mpath import Map
from lib.runner import Runner

# Where our answers may differ: DESIGN D16, and what the array promises of the order of commands, which nobody keeps over
# several paths (scsi/lun_pages.c).  What, in ours and bare, is taken out.
MAY_DIFFER = (
    r"(?m)^ *(Vendor|Product|Revision)[ a-z]*:.*\n",
    r"(?m)^ *Unit serial number:.*\n",
    r"(?m)^Serial Number '.*'\n",
    r"(?m)^ *LU name:.*\n",
    r"(?:PRIOR_SUP|HEADSUP|ORDSUP)=\d",
    r"TPGS=\d|MultiP=\d(?: \(VS=\d\))?|\[Linked=\d\]",  # ports and the parallel bus: the array's
)
# Tools print this line above what they were asked for.
HEADER = r"(?m)^(?: *DEV:)? *(Linux +scsi_debug|LIO-ORG +\w+) +(0191|0002)"

# /run/pattern: 64 blocks; /run/zero: as many zeros; /run/mode: the caching mode page.
PATTERN, ZERO, MODE = "/run/pattern", "/run/zero", "/run/mode"

# What each tool is asked to do; {dev} is the LUN.  In this order: some of them change something.
TOOLS = {
    "sg_turs": ["-v {dev}", "-n 3 {dev}"],
    "scsi_ready": ["{dev}"],
    "sg_inq": ["-v {dev}", "-p ei {dev}", "-p bdc {dev}", "-c {dev}"],
    "sg_vpd": ["-v -p ei {dev}", "-p bl {dev}", "-p bdc {dev}", "-p lbpv {dev}", "-p 0xc0 {dev}"],
    "sginfo": ["-c -C -D -e {dev}", "-G {dev}", "-d {dev}"],
    "sg_readcap": ["-v {dev}", "-v --16 {dev}"],
    "scsi_readcap": ["{dev}"],
    "sg_requests": ["-v {dev}", "-v -d {dev}"],
    "sg_modes": ["-a {dev}", "-a -6 {dev}", "-v -p 0x08 -c 1 {dev}", "-p 0x3f -c 2 {dev}"],
    "sg_wr_mode": [f"-v -p 0x08 -c {MODE} {{dev}}", "-v -p 0x3e -c 3e,0 {dev}"],
    "sg_logs": ["-a {dev}", "-v -p 0x2f {dev}", "-v -p 0x30 {dev}"],
    "scsi_temperature": ["{dev}"],
    "sg_opcodes": ["{dev}", "-v --opcode=0x28 {dev}", "-v --opcode=0x9e,0x10 {dev}", "-v --tmf {dev}"],
    "sg_rmsn": ["-v {dev}"],
    "sg_ident": ["-v {dev}"],
    "sg_timestamp": ["-v {dev}"],
    "sg_rep_pip": ["-v {dev}"],
    "sg_bg_ctl": ["-v {dev}"],
    "sg_copy_results": ["-v -p {dev}", "-v -s {dev}"],
    "sg_get_config": ["-v {dev}"],
    "sg_get_elem_status": ["-v {dev}"],
    "sg_referrals": ["-v {dev}"],
    "sg_rbuf": ["-q -s=1m {dev}"],
    "sg_read_buffer": ["-v -m desc {dev}", "-v -m data -l 512 {dev}"],
    "sg_read_attr": ["-v {dev}"],
    "sg_read_block_limits": ["-v {dev}"],
    "sg_rdac": ["-v {dev}", "-a {dev}"],
    "sg_emc_trespass": ["-d {dev}"],
    "sg_rep_zones": ["-v {dev}"],
    "sg_reset_wp": ["-v --all {dev}"],
    "sg_zone": ["-v --open --zone=0 {dev}"],
    "sg_safte": ["-v {dev}"],
    "sg_ses": ["-v {dev}"],
    "sg_ses_microcode": [f"-v -m dmc_offs_save --in={ZERO} --length=512 {{dev}}"],
    "sg_sat_identify": ["-v {dev}", "-v --len=12 {dev}"],
    "sg_sat_phy_event": ["-v {dev}"],
    "sg_sat_read_gplog": ["-v {dev}"],
    "sg_sat_set_features": ["-v --feature=0x2 {dev}"],
    "sg_stream_ctl": ["-v --get {dev}", "-v --open {dev}"],
    "sg_senddiag": ["-v -t {dev}", "-v -s 1 {dev}", "-l {dev}"],
    "sg_seek": ["-v --10 --lba=100 {dev}", "-v --lba=100 {dev}"],
    "sg_prevent": ["-v {dev}", "-v --allow {dev}"],
    "sg_test_rwbuf": ["-s 512 {dev}"],
    "sg_write_buffer": [f"-v -m data -l 512 --in={PATTERN} {{dev}}", "-v -m 0xf {dev}"],
    "sg_raw": ["-v -r 4k {dev} 28 00 00 00 00 00 00 00 08 00",
               f"-v -s 512 -i {PATTERN} {{dev}} 2a 00 00 00 00 10 00 00 01 00",
               "-v -r 64 {dev} 5a 00 3f ff 00 00 00 00 40 00",
               "-v -r 8 {dev} c1 00 00 00 00 00 00 00 08 00",
               "-v {dev} 20 00 00 00 00 00 00 00 00 00"],
    # Writing, each elsewhere; what was written is compared at the end.
    "sg_dd": [f"if={PATTERN} of={{dev}} bs=512 count=64 seek=1000",
              "if={dev} of=/run/read bs=512 count=64 skip=1000",
              "if={dev} of=/run/read bs=512 count=64 skip=1000 cdbsz=16 bpt=16",
              "if={dev} of=/dev/null bs=512 count=1 skip=200000 -v"],
    "sgm_dd": ["if={dev} of=/run/read bs=512 count=64 skip=1000"],
    "sgp_dd": ["if={dev} of=/run/read bs=512 count=64 skip=1000 thr=2"],
    "sg_read": ["if={dev} bs=512 count=512 bpt=64", "if={dev} bs=512 count=64 cdbsz=6 bpt=8"],
    "sg_verify": [f"-v --lba=1000 --count=64 --ndo=32768 --in={PATTERN} {{dev}}",
                  f"-v --lba=1000 --count=64 --ndo=32768 --in={ZERO} {{dev}}",
                  "-v --lba=0 --count=64 {dev}", "-v --16 --lba=200000 --count=1 {dev}"],
    "sg_compare_and_write": [f"-v --lba=1000 --inc={PATTERN} --inw={PATTERN} --num=1 {{dev}}",
                             f"-v --lba=1001 --inc={ZERO} --inw={ZERO} --num=1 {{dev}}"],
    "sg_write_same": [f"-v --10 --lba=2000 --num=8 --in={PATTERN} --xferlen=512 {{dev}}",
                      f"-v --16 --lba=2008 --num=8 --in={PATTERN} --xferlen=512 {{dev}}",
                      f"-v --16 --unmap --lba=2010 --num=2 --in={ZERO} --xferlen=512 {{dev}}",
                      f"-v --32 --lba=2016 --num=8 --in={PATTERN} --xferlen=512 {{dev}}"],
    "sg_unmap": ["-v --force --lba=2002 --num=2 {dev}", "-v --force --lba=200000 --num=2 {dev}"],
    "sg_write_verify": [f"-v --lba=2100 --num=8 --ilen=4096 --in={PATTERN} {{dev}}",
                        f"-v --16 --lba=2108 --num=8 --ilen=4096 --in={PATTERN} {{dev}}"],
    "sg_write_x": [f"-v --or --16 --lba=2200 --num=8 --in={PATTERN} {{dev}}",
                   f"-v --normal --16 --lba=2208 --num=8 --in={PATTERN} {{dev}}",
                   f"-v --normal --32 --lba=2216 --num=8 --in={PATTERN} {{dev}}",
                   f"-v --atomic --16 --lba=2224 --num=8 --in={PATTERN} {{dev}}",
                   f"-v --scattered=1 --16 --lba=2300,8 --combined=0 --in={PATTERN} {{dev}}",
                   f"-v --stream=1 --16 --lba=2232 --num=8 --in={PATTERN} {{dev}}"],
    "sg_read_long": ["-v --lba=100 --xfer_len=520 {dev}", "-v --16 --lba=100 --xfer_len=520 {dev}"],
    "sg_write_long": [f"-v --lba=2400 --xfer_len=520 --in={PATTERN} {{dev}}",
                      "-v --16 --wr_uncor --lba=2400 {dev}"],
    "sg_reassign": ["-v --address=2400 {dev}", "-v --grown {dev}"],
    "sg_xcopy": ["if={dev} of={dev} bs=512 count=8 skip=0 seek=3000"],
    "sg_get_lba_status": ["-v {dev}", "-v --16 --lba=100 {dev}", "-v --32 {dev}"],
    "sg_sync": ["-v {dev}", "-v --16 --lba=0 --count=64 {dev}", "-v --immed {dev}"],
    "sg_format": ["{dev}", "-v --format --quick {dev}", "-v -r {dev}"],
    "sg_sanitize": ["-v --quick --crypto {dev}", "-v --quick --overwrite --zero {dev}"],
    "sg_start": ["-v --stop {dev}", "-v --start {dev}", "-v --eject {dev}", "-v --start {dev}"],
    "scsi_stop": ["{dev}"],
    "scsi_start": ["{dev}"],
    "sg_reset": ["{dev}"],
    "scsi_mandat": ["{dev}"],
    "scsi_satl": ["{dev}"],
}

# Documented exceptions: answered by LIO or as by any LUN without ALUA.  Shown in test_exceptions().
EXCEPTIONS = {
    "sg_luns": "REPORT LUNS is answered by LIO",
    "sg_persist": "persistent reservations are answered by LIO (D14); pgr_support=0: test_lost_*",
    "sg_rtpg": "our LUN has no ALUA (D16)",
    "sg_stpg": "our LUN has no ALUA (D16)",
}

# Not commands to a disk.
NOT_RUN = {
    "rescan-scsi-bus.sh": "scans hosts",
    "scsi_logging_level": "sets the kernel's log",
    "sg_decode_sense": "decodes its arguments",
    "sg_map": "lists this machine's devices",
    "sg_map26": "lists this machine's devices",
    "sg_scan": "lists this machine's devices",
}


# Not repeated when they may have been executed; the kernel's "offline" is no proof that not (H10).
ONCE = {"sg_zone", "sg_reset_wp", "sg_sat_identify", "sg_sat_phy_event", "sg_sat_read_gplog",
        "sg_sat_set_features", "sg_senddiag", "sg_write_buffer", "sg_compare_and_write", "sg_reassign",
        "sg_sanitize"}
MEDIUM_OR_HARDWARE_ERROR = 3    # exit status of sg3_utils
NOT_REPEATED_TEXT = "Logical unit communication time-out"       # 08/01, as they spell it
NOT_REPEATED_SAT_TEXT = "ATA PASS-THROUGH (16), medium or hardware error"     # all that these say


def make_files():
    pattern = b"".join(bytes([0x40 + i]) * 512 for i in range(64))
    for name, data in ((PATTERN, pattern), (ZERO, bytes(len(pattern)))):
        with open(name, "wb") as f:
            f.write(data)
    with open(MODE, "w") as f:
        f.write("88 12 14 00 ff ff 00 00 ff ff ff ff 80 14 00 00 00 00 00 00\n")


def normal(text, device):
    """What a tool prints, without what must differ."""
    text = text.replace(device.sg_dev, "DEV").replace(os.path.basename(device.sg_dev), "SG")
    text = re.sub(HEADER, "HEADER", text)
    for pattern in MAY_DIFFER:
        text = re.sub(pattern, "", text)
    text = re.sub(r"(?m)^(time to transfer|time from|.*throughput|Average).*\n", "", text)
    text = re.sub(r"scsi\d+ channel=\d+ id=\d+", "", text)
    text = re.sub(r"Maximum transfer length: \d+ blocks", "", text)     # also what we and the host take
    # scsi_satl asks for page 89h, which tells of the disk behind the array's port: D16.
    text = re.sub(r"  unknown exit status for sg_inq: 83\n|total number of bad errors: \d+ *\n", "", text)
    return text


def run_tool(tool, options, device):
    """(exit status, what it printed) without what must differ."""
    words = [tool, *shlex.split(options.format(dev=device.sg_dev))]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=60)
    # scsi_satl counts as its errors what was taken out.
    return 0 if tool == "scsi_satl" else done.returncode, normal(done.stdout, device)


def invocations():
    return [(tool, options) for tool, all_options in TOOLS.items() for options in all_options]


def test_no_tool_forgotten():
    """The package's tools are the table's: who adds a tool has to say what it is asked."""
    installed = {os.path.basename(line) for line in system.run("dpkg", "-L", "sg3-utils").splitlines()
                 if "bin/" in line}
    expect(len(installed) > 60, f"only {len(installed)} tools in sg3-utils")
    expect_equal(installed ^ (TOOLS.keys() | EXCEPTIONS.keys() | NOT_RUN.keys()), set(),
                 "tools not in the table, or not in the package")


def scsi_debug_map(keys=(), **options):
    """(topology, map over hosts 0 and 1, the bare path on host 2)"""
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = topology.ScsiDebug(3, **options)
    defer(made.teardown)
    m = Map(made.paths[:2], "debug", features=(), recheck_interval_ms=100,
            polling_interval_ms=500, **dict(keys))
    defer(m.delete)
    m.wait_in_use()
    bare.settle(m, made.paths[2])
    return made, m, made.paths[2]


def tell_all(problems):
    expect(not problems, f"{len(problems)} differ:\n" + "\n".join(problems))


def difference(what, got, wanted):
    return f"--- {what}\n    wanted {wanted[0]} {wanted[1]!r}\n    got    {got[0]} {got[1]!r}"


@case.limit(400)
def test_tools():
    """Uncut, then each once more with its path gone offline just before: nothing must change."""
    made, m, other = scsi_debug_map(lbpu=1, lbpws=1, lbpws10=1)
    make_files()
    problems, wanted = [], {}
    for tool, options in invocations():
        what = f"{tool} {options}"
        wanted[what] = run_tool(tool, options, other)
        got = run_tool(tool, options, m)
        if got != wanted[what]:
            problems.append(difference(what, got, wanted[what]))
    bare.expect_untouched(m, "all tools")
    tell_all(problems)
    note(f"{len(TOOLS)} tools, {len(wanted)} invocations")

    for tool, all_options in TOOLS.items():
        what = f"{tool} {all_options[0]}"
        with cuts.DEVICE_STATE.on(bare.current(m)):
            got = run_tool(tool, all_options[0], m)
        m.wait_in_use()
        if tool in ONCE and got[0] == MEDIUM_OR_HARDWARE_ERROR:
            said = NOT_REPEATED_SAT_TEXT if tool.startswith("sg_sat_") else NOT_REPEATED_TEXT
            if said in got[1]:
                continue
        if got != wanted[what]:
            problems.append(difference(what + ", path cut", got, wanted[what]))
    tell_all(problems)


def test_exceptions():
    """What LIO answers, or any LUN without ALUA: works, and says no word of the array."""
    made, m, other = scsi_debug_map()
    for options in "-k", "-r", "-c", "-s":
        status, text = run_tool("sg_persist", f"--in {options} {{dev}}", m)
        expect_equal(status, 0, f"sg_persist {options}: {text}")
    status, text = run_tool("sg_luns", "-d {dev}", m)
    expect(status == 0 and "Peripheral device addressing: lun=0" in text, text)
    wanted = (0x05, 0x20, 0x00)
    for tool, options, cdb, data in (
            ("sg_rtpg", "{dev}", cdb12(0xa3, 0, 64, flags=0x0a), dict(data_in=64)),
            ("sg_stpg", "-o {dev}", cdb12(0xa4, 0, 8, flags=0x0a), dict(data_out=bytes(8)))):
        status, text = run_tool(tool, options, m)
        expect(status != 0 and "Illegal request, Invalid opcode" in text, f"{tool}: {text}")
        expect_equal(scsi.cdb(m, cdb, **data).code, wanted, tool)
    for page in 0x80, 0x83:
        ours, theirs = (scsi.inquiry(device, page) for device in (m, other))
        expect(ours.good and theirs.good and ours.data != theirs.data, f"page {page:02x}")
        expect(b"scsi_debug" not in ours.data and made.wwid[1:].encode() not in ours.data.hex().encode(),
               f"page {page:02x} names the array: {ours.data.hex(' ')}")
    bare.expect_untouched(m, "the exceptions")


# --- commands in flight when their path is lost -------------------------------------------------

LBA_A, LBA_B = 64, 128      # data to read, and what is compared
BLOCK_A, BLOCK_B = b"A" * 512, b"B" * 512


def command_table(naa):
    """[(name, CDB, data in, data out, once)]: what is sent while the path goes."""
    unmap = bytes.fromhex("0016 0010 00000000") + (600).to_bytes(8, "big") + bytes((0, 0, 0, 8)) + bytes(4)
    # The first ones first: with every acknowledgement lost, TCP sends only a few packets.
    table = [
        ("COMPARE AND WRITE", bare.caw_cdb(LBA_B), 0, BLOCK_A + BLOCK_B, True),
        ("TEST UNIT READY", bytes(6), 0, b"", False),
        ("REQUEST SENSE", bytes((3, 0, 0, 0, 64, 0)), 64, b"", False),
        ("INQUIRY", bytes((0x12, 0, 0, 0, 96, 0)), 96, b"", False),
        ("INQUIRY B1h", bytes((0x12, 1, 0xb1, 0, 64, 0)), 64, b"", False),
        ("MODE SENSE(6)", bytes((0x1a, 0, 0x3f, 0, 128, 0)), 128, b"", False),
        ("MODE SENSE(10)", cdb10(0x5a, 0x3f << 24, 128), 128, b"", False),
        ("READ CAPACITY(10)", cdb10(0x25), 8, b"", False),
        ("READ CAPACITY(16)", cdb16(0x9e, 0, 32, flags=0x10), 32, b"", False),
        ("READ(6)", bytes((8, 0, 0, LBA_A, 8, 0)), 4096, b"", False),
        ("READ(10)", cdb10(0x28, LBA_A, 8), 4096, b"", False),
        ("READ(12)", cdb12(0xa8, LBA_A, 8), 4096, b"", False),
        ("READ(16)", cdb16(0x88, LBA_A, 8), 4096, b"", False),
        ("VERIFY(10)", cdb10(0x2f, LBA_A, 8), 0, b"", False),
        ("SYNCHRONIZE CACHE(10)", cdb10(0x35), 0, b"", False),
        ("SYNCHRONIZE CACHE(16)", cdb16(0x91), 0, b"", False),
        ("PRE-FETCH(10)", cdb10(0x34, LBA_A, 8), 0, b"", False),
        ("GET LBA STATUS", cdb16(0x9e, LBA_A, 24, flags=0x12), 24, b"", False),
        ("LOG SENSE", cdb10(0x4d, 0, 64), 64, b"", False),
        ("REPORT SUPPORTED OPERATION CODES", cdb12(0xa3, 0x01280000, 64, flags=0x0c), 64, b"", False),
        ("READ(10) beyond the end", cdb10(0x28, 0x7fffffff, 8), 4096, b"", False),
        ("WRITE(6)", bytes((0x0a, 0, 0x01, 0x00, 1, 0)), 0, BLOCK_A, False),
        ("WRITE(10)", cdb10(0x2a, 300, 1), 0, BLOCK_A, False),
        ("WRITE(12)", cdb12(0xaa, 301, 1), 0, BLOCK_A, False),
        ("WRITE(16)", cdb16(0x8a, 302, 1), 0, BLOCK_A, False),
        ("WRITE AND VERIFY(10)", cdb10(0x2e, 303, 1), 0, BLOCK_A, False),
        ("WRITE SAME(10)", cdb10(0x41, 400, 8), 0, BLOCK_A, False),
        ("WRITE SAME(16)", cdb16(0x93, 416, 8), 0, BLOCK_A, False),
        ("UNMAP", cdb10(0x42, 0, len(unmap)), 0, unmap, False),
        ("START STOP UNIT", bytes((0x1b, 0, 0, 0, 1, 0)), 0, b"", False),
    ]
    if naa:
        cdb, data = bare.xcopy(naa, LBA_A, 500, 4)
        table.insert(0, ("EXTENDED COPY", cdb, 0, data, True))
        cdb, data = bare.register(0, 0x1234)
        table.insert(0, ("PERSISTENT RESERVE OUT", cdb, 0, data, True))
    return table


def prepare_data(path):
    for lba, block in ((LBA_A, BLOCK_A), (LBA_B, BLOCK_A)):
        expect(scsi.write16(path, lba, block * 8).good, "preparing the LUN")


def expect_outcome(name, got, wanted, once):
    if once:
        expect_equal(got.code, NOT_REPEATED, f"{name}, which may have been executed: {got!r}")
        expect_equal((got.status, got.host_status), (scsi.CHECK_CONDITION, 0), name)
    elif name == "INQUIRY":
        expect(got.good, f"{name}: {got!r}")
    else:
        wanted.resid = got.resid    # LIO counts what it would have sent for VERIFY
        bare.expect_same(got, wanted, f"{name}, its path lost")


def bare_answers(path, table):
    """What the table's commands answer with nothing in their way; the data is as before."""
    wanted = {}
    for name, cdb, data_in, data_out, once in table:
        if name == "PERSISTENT RESERVE OUT":
            continue        # a registration belongs to the path
        wanted[name] = scsi.cdb(path, cdb, data_in=data_in, data_out=data_out)
    prepare_data(path)
    scsi.write16(path, 500, bytes(4 * 512))
    return wanted


def send_all(m, table):
    return [(name, once, scsi.Pending(m, cdb, data_in, data_out))
            for name, cdb, data_in, data_out, once in table]


def expect_all(pending, wanted, seconds):
    """Every command has its outcome in time; returns how long the last one took."""
    longest = 0
    for name, once, command in pending:
        got = command.wait(seconds)
        expect(got is not None, f"{name}: no answer within {seconds} s")
        longest = max(longest, command.seconds)
        expect_outcome(name, got, wanted.get(name), once)
    return longest


def start_runner():
    runner = Runner()
    defer(runner.end)
    return runner.start()


def lio_map(made, **keys):
    os.makedirs("/etc/target/pr", exist_ok=True)    # or LIO refuses every registration
    m = Map(made.paths, "lio", features=(), attributes={"pgr_support": 0}, recheck_interval_ms=100, **keys)
    defer(m.delete)
    m.wait_in_use()
    bare.settle(m, *made.paths)
    return m


def naa_of(path):
    return bytes.fromhex(path.wwid[1:])


def test_lost_answers():
    """The network loses every answer: the commands are executed, and nobody can know."""
    start_runner()
    made = topology.Iscsi(2, replacement_timeout=2)
    defer(made.teardown)
    m = lio_map(made)
    table = command_table(naa_of(made.paths[0]))
    prepare_data(made.paths[1])
    wanted = bare_answers(made.paths[1], table)
    address, port = bare.current(m).portal
    system.run("nft", f"table inet mpath_{port} {{ chain input {{ type filter hook input priority 0; "
                      f"tcp sport {port} drop; }}\n}}")
    pending = send_all(m, table)
    seconds = expect_all(pending, wanted, 20)
    cuts.clear_nft()
    note(f"the last of {len(table)} commands was answered after {seconds:.1f} s")
    # They were executed: a repetition would have found that, and called it a miscompare.
    expect_equal(scsi.read16(made.paths[1], LBA_B, 1).data, BLOCK_B, "after COMPARE AND WRITE")
    expect_equal(scsi.read16(made.paths[1], 500, 4).data, BLOCK_A * 4, "after EXTENDED COPY")
    keys = scsi.cdb(made.paths[1], bytes((0x5e, 0, 0, 0, 0, 0, 0, 0, 64, 0)), data_in=64)
    expect_equal(keys.data[8:16], (0x1234).to_bytes(8, "big"), "registered key")
    m.wait_in_use(seconds=15)


def test_lost_device():
    """The device is removed while its commands work: they are executed, their answers lost."""
    # Not fenced: the fence of a write whose device is gone starts when the kernel must have given the
    # command up, which for UNMAP is after two minutes.
    made, m, other = scsi_debug_map({"fence": "none"}, lbpu=1, lbpws=1, lbpws10=1)
    # These take scsi_debug's delay many times over.
    table = [row for row in command_table(None)
             if not row[0].startswith(("SYNCHRONIZE", "PRE-FETCH", "START"))]
    prepare_data(other)
    wanted = bare_answers(other, table)
    gone = bare.current(m)
    made.set("delay", 500)      # jiffies: 2 s
    pending = send_all(m, table)
    system.wait_for(lambda: gone.in_flight >= 10, 5, "commands on the path")
    # The kernel waits here for the commands, the handler does not.
    remover = threading.Thread(target=cuts.DEVICE_DELETE.cut, args=(gone,))
    remover.start()
    defer(remover.join)
    seconds = expect_all(pending, wanted, 20)
    remover.join()
    system.wait_for(lambda: made.takes("delay", 0), 5, "scsi_debug has no command left")
    note(f"the last of {len(table)} commands was answered after {seconds:.1f} s")
    expect_equal(scsi.read16(other, LBA_B, 1).data, BLOCK_B, "after COMPARE AND WRITE")


def test_refused_by_transport():
    """Lost on the wire before it: nothing was executed, but nobody proves it."""
    start_runner()
    made = topology.LioLoopback(2)
    defer(made.teardown)
    m = lio_map(made)
    table = command_table(naa_of(made.paths[0]))
    prepare_data(made.paths[1])
    wanted = bare_answers(made.paths[1], table)
    for name, cdb, data_in, data_out, once in table:
        with cuts.TRANSPORT_STATUS.on(bare.current(m)):
            got = scsi.cdb(m, cdb, data_in=data_in, data_out=data_out)
        expect_outcome(name, got, wanted.get(name), once)
        m.wait_in_use()
        bare.settle(m)      # the loss of a nexus goes up: reservations are the array's
    expect_equal(scsi.read16(made.paths[1], LBA_B, 1).data, BLOCK_A, "after COMPARE AND WRITE")


def test_never_sent():
    """The device is gone before the command: whatever it is, the other path executes it."""
    start_runner()
    made = topology.LioLoopback(2)
    defer(made.teardown)
    m = lio_map(made)
    prepare_data(made.paths[1])
    for name, cdb, data_in, data_out, once in command_table(naa_of(made.paths[0])):
        if not once:
            continue
        with cuts.DEVICE_DELETE.on(bare.current(m)):
            got = scsi.cdb(m, cdb, data_in=data_in, data_out=data_out)
        expect(got.good, f"{name}, never sent: {got!r}")
        m.relink()
        m.wait_in_use()
    expect_equal(scsi.read16(made.paths[0], LBA_B, 1).data, BLOCK_B, "after COMPARE AND WRITE")
    expect_equal(scsi.read16(made.paths[0], 500, 4).data, BLOCK_A * 4, "after EXTENDED COPY")


def test_true_miscompare():
    """A COMPARE AND WRITE that meets other data says so, also after a failover."""
    start_runner()
    made = topology.LioLoopback(2)
    defer(made.teardown)
    m = lio_map(made)
    prepare_data(made.paths[1])
    wanted = scsi.compare_and_write(made.paths[1], LBA_B, BLOCK_B, BLOCK_B)
    expect_equal(wanted.code, (0x0e, 0x1d, 0x00), "on the bare path")
    got = scsi.compare_and_write(m, LBA_B, BLOCK_B, BLOCK_B)
    bare.expect_same(got, wanted, "MISCOMPARE")
    with cuts.DEVICE_DELETE.on(bare.current(m)):
        got = scsi.compare_and_write(m, LBA_B, BLOCK_B, BLOCK_B)
    bare.expect_same(got, wanted, "MISCOMPARE after a failover")


if __name__ == "__main__":
    case.main()
