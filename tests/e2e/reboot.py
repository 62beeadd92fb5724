#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: host long
"""A gateway goes down while commands wait for a path, and comes up again: nobody types anything.

    tests/e2e/reboot.py             on the host: boots the guest twice, with systemd and one disk
    tests/vm/run --systemd --disk FILE tests/e2e/reboot.py first    only the first boot

The array is main.py's: LUNs of scsi_debug whose content is kept on the disk.  A multipathd that would
take every disk starts with the machine, and must not get hold of our paths.
"""

import datetime
import glob
import json
import os
import sys
import time

import main
from lib import case, dbus, lio, mpath, scsi, system
from lib.case import expect, expect_equal, expect_in_time, note
from lib.targetcli import targetcli

# The emulated machine may be slow: or what so many starts of a Python with gi take, of which it needs
# two, beside what systemd itself starts and ends.
SHUTDOWN_SECONDS = 10
SHUTDOWN_STARTS = 12
HANDLERS = "/usr/lib/x86_64-linux-gnu/tcmu-runner"
# A map whose commands wait for a path, and one that needs no file.
WAITS = main.Lun("waits", "waits", main.LIST.devices, 8192)
PAIR = main.Lun("pair", "/dev/sde;/dev/sdf", main.PAIR.devices, 16384, "naa.5001405000000012")
LUNS = (WAITS, PAIR)
UNITS = ("main-test.service", "tcmu-runner.service", "rtslib-fb-targetctl.service",
         "multipathd.service")


def paths():
    """The LUNs as initiators see them, one after the other."""
    for lun in LUNS:
        lun.wait_paths()
    system.wait_for(lambda: scsi.usable(PAIR.path), 20, "pair usable")
    yield PAIR, PAIR.path
    with lio.IscsiLogin(main.INITIATOR, wait=30) as login:
        yield WAITS, login.paths[0]


def expect_served(generation):
    for lun, path in paths():
        main.expect_identity(lun, path)
        main.expect_content(lun, path, generation)


# --- the first boot -----------------------------------------------------------------------------

def test_first():
    """An array, and two LUNs made with targetcli."""
    os.makedirs(main.KEPT)
    # Loading what is not used here takes long, at each start.
    for other in set(glob.glob(f"{HANDLERS}/handler_*.so")) - {f"{HANDLERS}/handler_mpath.so"}:
        os.unlink(other)
    with open("/etc/systemd/system/main-test.service", "w") as f:
        f.write(main.PATHS_UNIT)
    with open("/etc/multipath.conf", "w") as f:
        f.write("defaults {\n\tfind_multipaths no\n}\n")
    system.run("systemctl", "unmask", "tcmu-runner.service", "multipathd.service")
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "add-wants", "multi-user.target", *UNITS)
    system.run("systemctl", "start", "main-test.service")
    with open(f"{mpath.MAP_DIR}/waits.map", "w") as f:
        f.write("[multipath]\npaths=/dev/san/path0;/dev/san/path1\nno_path_retry=queue\n")
    system.run("systemctl", "start", "tcmu-runner.service", "rtslib-fb-targetctl.service")

    cli = targetcli()
    cli.good("/backstores/user:mpath create name=waits map=waits", "Set cmd_time_out to 0")
    cli.good("/backstores/user:mpath create name=pair paths=/dev/sde,/dev/sdf", "Set cmd_time_out to 42")
    cli.good(f"/loopback create {PAIR.naa}", "Created target")
    cli.good(f"/loopback/{PAIR.naa}/luns create /backstores/user:mpath/pair", "Created LUN 0")
    cli.good(f"/iscsi create {main.IQN}", "Created TPG 1")
    cli.good(f"/iscsi/{main.IQN}/tpg1 set attribute authentication=0 generate_node_acls=1 "
             "demo_mode_write_protect=0 cache_dynamic_acls=1", "generate_node_acls is now '1'")
    cli.good(f"/iscsi/{main.IQN}/tpg1/luns create /backstores/user:mpath/waits", "Created LUN 0")
    cli.good("saveconfig", "Configuration saved")
    cli.end()
    with open(f"{main.KEPT}/facts", "w") as f:
        json.dump({"serials": {lun.name: lun.serial for lun in LUNS}}, f)
    for lun, path in paths():
        main.write(lun, path, 1)
    expect_served(1)


def reads():
    with dbus.Bus() as bus:
        return bus.get(mpath.BUS_NAME, "/org/tcmu/Mpath1/map/waits", mpath.BUS_NAME + ".Map", "Reads")


def test_hold():
    """Both paths of a map are out of service and a read waits: so the machine is shut down."""
    # An initiator without a SCSI device on this machine, which would stand in the way itself.  It
    # connects only to a LUN that is ready, so it reads before the paths go.
    system.run("systemd-run", "--unit=reader", "--quiet", "iscsi-perf", "-m", "1", "-b", "8",
               f"iscsi://127.0.0.1:{lio.ISCSI_PORT}/{main.IQN}/0")
    begin = reads()
    system.wait_for(lambda: reads() > begin, 20, "reads")
    for device in WAITS.devices:
        mpath.map_call("waits", "Message", "as", ["fail_path", device])
    system.wait_for(lambda: "1 held" in mpath.map_call("waits", "Status", "s", "detail"), 10, "held")
    begin = time.time()
    system.run("python3", "-c", "import gi")
    with open(f"{main.KEPT}/ended", "w") as f:
        json.dump({"at": time.time(), "start": time.time() - begin}, f)
    os.sync()


# --- the second boot ----------------------------------------------------------------------------

def test_restored():
    """All is served as before, and only we have the paths.  What messages have failed is not any more."""
    for unit in UNITS:
        expect_equal(system.run("systemctl", "is-active", unit, check=False).strip(), "active", unit)
    expect_served(1)
    said = [line for line in main.journal("rtslib-fb-targetctl").splitlines()
            if "annot" in line or "rror" in line or "ould not" in line]
    expect_equal(said, [], "what the restore complains of")
    ours = {os.path.basename(device) for lun in LUNS for device in lun.devices}
    for name in glob.glob("/sys/block/dm-*"):
        slaves = set(os.listdir(name + "/slaves"))
        expect(not slaves & ours, f"{system.read(name + '/dm/name')} has {slaves & ours}")
    # It did take the two disks that are in no map.
    expect(glob.glob("/sys/block/dm-*"), "multipathd takes nothing")


def test_went_down():
    """From the end of the first boot's script to that of tcmu-runner: LUNs released and taken away."""
    with open("/var/log/tcmu-runner.log", errors="replace") as f:
        ends = [line for line in f if "Exiting..." in line]
    with open(f"{main.KEPT}/ended") as f:
        ended = json.load(f)
    seconds = datetime.datetime.fromisoformat(ends[-1][:23]).timestamp() - ended["at"]
    note(f"with a command held the LUNs were gone after {seconds:.1f} s, where Python starts in "
         f"{ended['start']:.1f} s")
    expect(seconds > 0, "tcmu-runner had ended before")
    expect_in_time(seconds < max(SHUTDOWN_SECONDS, SHUTDOWN_STARTS * ended["start"]),
                   f"{seconds:.1f} s to go down")


def test_metrics():
    """node_exporter's file is there while maps are served, and goes with tcmu-runner."""
    directory = "/var/lib/prometheus/node-exporter"
    service = "tcmu-mpath-metrics.service"
    os.makedirs(directory)
    system.run("systemctl", "start", service)
    text = system.read(directory + "/tcmu-mpath.prom")
    expect('mpath_map_valid_paths{map="waits"} 2' in text, f"metrics: {text[:2000]}")
    system.run("systemctl", "stop", "rtslib-fb-targetctl.service", "tcmu-runner.service")
    system.run("systemctl", "start", service, check=False)
    expect_equal(os.listdir(directory), [], "left for node_exporter")
    expect_equal(system.unit_property(service, "Result"), "exit-code", service)


def test_other_order():
    """The configuration is restored while there is no tcmu-runner: it serves the LUNs when it comes."""
    # As after a boot: it has not heard of a tcmu-runner yet, whose word it would wait for.  The kernel
    # loads it by itself only once.
    system.run("modprobe", "-r", "target_core_user")
    system.run("modprobe", "target_core_user")
    begin = time.monotonic()
    system.run("targetctl", "restore")
    note(f"restored without tcmu-runner in {time.monotonic() - begin:.1f} s")
    system.run("systemctl", "start", "tcmu-runner.service")
    # This machine's own initiator has looked for its disk in vain; one on a network comes again.
    for lun in LUNS:
        lun.wait_paths()
    address = system.read(f"{lio.TARGET}/loopback/{PAIR.naa}/tpgt_1/address")
    lio.scan_host(int(address.partition(":")[0]))
    expect_served(1)
    # No service has restored them, so none takes them away before tcmu-runner ends: this machine's own
    # initiator would wait 42 s for each of its last commands.
    system.run("targetctl", "clear")


BOOTS = {"first": (test_first, test_hold),
         "second": (test_restored, test_went_down, test_metrics, test_other_order)}


if __name__ == "__main__":
    role = sys.argv[1] if len(sys.argv) > 1 else ""
    if role == "--list":
        case.main()
    elif role in BOOTS:
        case.log_file("/var/log/tcmu-runner.log")
        case.main(BOOTS[role])
    else:
        # A pattern is of no use: each case goes on where the one before it ended.
        sys.exit(main.on_host(__file__, BOOTS))
