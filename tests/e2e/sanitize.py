# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 900
"""The handler built with ASan and UBSan, inside an ordinary tcmu-runner (measure 10).

Everything that can happen to a map happens here, and at the end tcmu-runner stops: no report of a
bad access, of undefined behaviour, or of memory that nobody owns any more.  The handler is the
preset debug's, which tests/run.sh has built; MPATH_SANITIZED names another directory.
"""

import fcntl
import glob
import os
import random
import re
import struct

from lib import case, cuts, dbus, fio, lio, scsi, system, topology
from lib.case import defer, expect, expect_equal, note
from lib.mpath import BUS_NAME
from lib.named import Named, made, map_file
from lib.runner import Runner, check_config
from lib.system import wait_for, write

HERE = os.path.dirname(os.path.abspath(__file__))
HANDLERS = os.environ.get("MPATH_SANITIZED", os.path.join(HERE, "../../build/debug/handler"))
REPORTS = "/run/sanitizers"

ENVIRONMENT = {
    "LD_PRELOAD": "libasan.so.8",
    "ASAN_OPTIONS": f"log_path={REPORTS}/asan:detect_leaks=1:strict_string_checks=1:"
                    "detect_stack_use_after_return=1:disable_coredump=1:"
                    # LSan of gcc 12 crashes over thread-local storage of what was dlclosed.
                    "intercept_tls_get_addr=0",
    "UBSAN_OPTIONS": f"log_path={REPORTS}/ubsan:print_stacktrace=1",
}


def reports():
    return "\n".join(open(path, errors="replace").read() for path in sorted(glob.glob(REPORTS + "/*")))


class Sanitized:
    """tcmu-runner with the sanitized handler; end() stops it and looks for reports."""

    def __init__(self):
        expect(os.path.exists(HANDLERS + "/handler_mpath.so"), f"no handler in {HANDLERS}")
        os.makedirs(REPORTS, exist_ok=True)
        for path in glob.glob(REPORTS + "/*"):
            os.unlink(path)
        self.runner = Runner(handlers=HANDLERS, environment=ENVIRONMENT)
        defer(self.runner.end)
        self.runner.start(60)
        with open(f"/proc/{self.runner.pid}/maps") as f:
            maps = f.read()
        expect("libasan" in maps and HANDLERS.split("..")[-1] in maps, "the handler is not sanitized")

    def end(self):
        status = self.runner.stop(60)
        text = reports()
        expect(not text, f"tcmu-runner ended with {status}:\n{text[:6000]}")
        expect_equal(status, 0, "tcmu-runner's exit status")


def load_with_cuts(lun, paths):
    load = fio.Fio(lun, 8, bs="512-256k", rate=4)
    defer(load.kill)
    load.wait_load()
    for cut in (cuts.TRANSPORT_STATUS, cuts.ALUA_STANDBY, cuts.DEVICE_STATE, cuts.HOST_RECOVERY):
        for path in paths:
            with cut.on(path):
                wait_for(lambda: lun.state(path.dev) != "active", 10, f"{cut} seen on {path}")
            wait_for(lambda: lun.state(path.dev) == "active", 10, f"{path} back after {cut}")
    result = load.finish()
    expect(result.clean, f"{result!r}\n{result.stderr[-2000:]}")
    note(f"{result!r}")


def odd_commands(lun, paths):
    """A vendor's opcode, unaligned lengths, sense, a LUN reset with commands out."""
    path = lun.path
    scsi.cdb(path, b"\xc1" + bytes(9))
    scsi.cdb(path, b"\x7f" + bytes(31), data_in=512)
    scsi.cdb(path, bytes(6), data_in=512)
    for length in (1, 35, 36, 255):
        scsi.inquiry(path, None, length)
        for page in (0x00, 0x80, 0x83, 0xb0, 0xb2, 0xff):
            scsi.inquiry(path, page, length)
    expect(not scsi.read10(path, 0xfffffff0, 8).good, "a READ beyond the end")
    scsi.compare_and_write(path, 0, bytes(512), bytes(512))
    scsi.cdb(path, bytes.fromhex("5e000000000000010000"), data_in=256)
    for cut in (cuts.HOST_RECOVERY,):
        with cut.on(paths[0]), cut.on(paths[1]):
            pending = [scsi.Pending(lun, bytes.fromhex("28000000000000000800"), data_in=4096)
                       for _ in range(8)]
            SG_SCSI_RESET = 0x2284
            with scsi.Opened(path) as fd:
                fcntl.ioctl(fd, SG_SCSI_RESET, struct.pack("i", 1))
            for command in pending:
                command.close()
    wait_for(lambda: scsi.usable(path), 20, "our LUN after the reset")


WORDS = ["fail_path", "reinstate_path", "switch_group", "disable_group", "enable_group", "8:0", "8:16",
         "/dev/sda", "0", "1", "2", "99999999999999999999", "-1", "", " ", "%s%n", "é", "\\", "x" * 4000,
         "queue_if_no_path", "fail_if_no_path", "forget_wwid", "status", "info", "detail"]


def garbage(name):
    """Words at random, and calls that are none."""
    rng = random.Random(1)
    path = "/org/tcmu/Mpath1/map/" + name
    with dbus.Bus() as bus:
        def call(member, signature, *args):
            try:
                bus.call(BUS_NAME, path, BUS_NAME + ".Map", member, signature, *args)
            except dbus.DBusError:
                pass
        for _ in range(200):
            call("Message", "as", [rng.choice(WORDS) for _ in range(rng.randrange(5))])
        call("Message", "as", ["x"] * 33)
        call("Message", "as", ["x" * 5000])
        call("Message", "s", "fail_path")
        call("Message", "")
        for kind in ("info", "table", "detail", "", "x" * 5000, "%n"):
            call("Status", "s", kind)
        call("Status", "u", 7)
        call("Nothing", "")
        for words in (["enable_group", "1"], ["enable_group", "2"], ["reinstate_path", "8:0"],
                      ["reinstate_path", "8:16"], ["queue_if_no_path"]):
            call("Message", "as", words)


def reload_is_refused(lun):
    for attribute, value in (("dev_config", "mpath/another"), ("dev_size", 1 << 20),
                             ("emulate_write_cache", 1)):
        try:
            write(f"{lun.backstore.dir}/attrib/{attribute}", value)
        except OSError:
            continue
        expect(False, f"{attribute} can be changed")


def bad_configurations():
    map_file("bad", "table=9 queue_if_no_path 0 1 1 round-robin 0 1 1 /dev/sda 1")
    map_file("keys", "colour=red")
    for cfgstring in ("", "bad", "keys", "nothing", "/dev/sda;", ";;;", "/" + "x" * 250, "wwid=",
                      "é", "/dev/sda;/dev/sda"):
        accepted, _ = check_config(cfgstring)
        expect(not accepted, f"{cfgstring!r} is accepted")


def test_life():
    sanitized = Sanitized()
    topo = made(topology.LioLoopback(2, 32))
    paths = topo.paths
    map_file("life", "no_path_retry=queue", "fence_time_ms=300", "grouping=failover", "failback=manual",
             "paths=" + ";".join(path.dev for path in paths))
    lun = Named(sanitized.runner, "life", "life", attributes={"cmd_time_out": 0})
    defer(lambda: lun.backstore.dir and os.path.isdir(lun.backstore.dir) and lun.delete())
    lun.wait_active(paths[0].dev)
    lun.wait_active(paths[1].dev)
    lun.export().timeout = 120
    load_with_cuts(lun, paths)
    odd_commands(lun, paths)
    garbage("life")
    reload_is_refused(lun)
    bad_configurations()
    lun.wait_active(paths[0].dev, 10)

    # A path that is another LUN now, one that nobody can have, and a second map on the same disk.
    with Named(sanitized.runner, "second", f"{paths[0].dev};/dev/nowhere;{lun.dev}") as second:
        second.wait_excluded(paths[0].dev, "it is a path of our map life")
        second.wait_excluded(lun.dev, "a LUN that tcmu-mpath itself exports")
        garbage("second")

    # Deleted with everything still in it: paths gone, commands held, a READ in the path.
    with cuts.HOST_RECOVERY.on(paths[0]):
        reads = [scsi.Pending(lun, bytes.fromhex("28000000000000000800"), data_in=4096)
                 for _ in range(4)]
        with cuts.DEVICE_STATE.on(paths[1]):
            writes = [scsi.Pending(lun, bytes.fromhex("2a000000000000000800"), data_out=bytes(4096))
                      for _ in range(4)]
            lun.message("fail_if_no_path")
            for command in reads + writes:
                command.wait(0.1)
                command.close()
    lun.delete()

    # And SIGTERM with a map in service.
    topo2 = made(topology.LioLoopback(1, 16, name="last"))
    last = made(Named(sanitized.runner, "last", topo2.paths[0].dev))
    last.wait_active(topo2.paths[0].dev)
    last.export()
    sanitized.end()


def expect_reported(program, text):
    program = "import ctypes; c = ctypes.CDLL(None); c.malloc.restype = ctypes.c_void_p; " + program
    os.makedirs(REPORTS, exist_ok=True)
    system.run("python3", "-c", program, check=False, env=dict(os.environ, **ENVIRONMENT))
    expect(re.search(text, reports()), f"expected {text!r} in the reports:\n{reports()[:2000]}")


def test_reports_are_seen():
    """A bad access and a leak by way of the same options end in a report: we are not blind."""
    expect_reported("p = c.malloc(64); c.free(ctypes.c_void_p(p)); c.memset(ctypes.c_void_p(p), 1, 64)",
                    "heap-use-after-free")
    # Many, as of a few Python keeps the address somewhere for a while: these are no leaks.
    expect_reported("[c.malloc(1000) and None for _ in range(1000)]", r"leak of \d{3,}000 byte")


def test_nothing_left():
    expect_equal(lio.leftovers(), [], "left in configfs")
    expect_equal(case.devices(), [], "disks left")


if __name__ == "__main__":
    case.main()
