# SPDX-License-Identifier: GPL-2.0-or-later
"""D-Bus and mpathctl in the guest: the real bus, the shipped policy, tcmu-runner and maps in service.

What needs no map in service is in tests/control/test_control.py.
"""

import json
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree

from lib import case, cuts, dbus, fio, scsi, topology
from lib.case import defer, expect, expect_equal, note
from lib.mpath import BUS_NAME, Map, map_call
from lib.runner import Runner
from lib.system import read, run, wait_for, write

ROOT = "/org/tcmu/Mpath1"
NOBODY = 65534


def start_runner():
    runner = Runner()
    defer(runner.end)
    return runner.start()


def start(n=2):
    """tcmu-runner and a topology."""
    runner = start_runner()
    made = topology.LioLoopback(n)
    defer(made.teardown)
    return runner, made


def serve(made, paths=None, **options):
    """A map over all paths of a topology, or over these, in service."""
    served = Map(paths or made.paths, **options)
    defer(served.delete)
    served.wait_in_use()
    return served


def mpathctl(*words, status=0, user=None):
    """What it printed; an error's text if it was to fail."""
    done = subprocess.run(["mpathctl", *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, user=user, timeout=60)
    expect_equal(done.returncode, status, f"status of mpathctl {words} ({done.stderr.strip()})")
    expect_equal(bool(done.stderr), status != 0, f"mpathctl {words} complains")
    return done.stderr if status else done.stdout


def objects():
    with dbus.Bus() as bus:
        return bus.managed_objects(BUS_NAME, ROOT)


def test_come_and_go():
    _, made = start()
    wait_for(lambda: objects() == {}, 10, "the service")
    with Map(made.paths, name="a-b.c"):
        wait_for(objects, 5, "the map's object")
        there = objects()[ROOT + "/map/a_2db_2ec"]
        expect_equal(there[BUS_NAME + ".Map"]["Name"], "a-b.c", "the map's object")
        expect_equal(mpathctl("list"), "a-b.c\n", "mpathctl list")
    wait_for(lambda: objects() == {}, 5, "no objects")
    expect_equal(mpathctl("list"), "", "mpathctl list")


def test_status_and_messages():
    _, made = start()
    served = serve(made)
    a, b = (path.devno for path in made.paths)
    expect_equal(mpathctl("status", "mpatha", "--info"),
                 f"2 0 0 0 2 1 A 0 1 0 {a} A 0 E 0 1 0 {b} A 0 \n", "INFO")
    expect_equal(mpathctl("status", "mpatha", "--table"),
                 f"1 queue_if_no_path 0 2 1 round-robin 0 1 1 {a} 1 round-robin 0 1 1 {b} 1 \n",
                 "TABLE")
    detail = mpathctl("status", "mpatha")
    for part in ("mpatha: ", made.wwid, "tcmu-mpath ", "no path: queue", a, b, "active"):
        expect(part in detail, f"{part!r} is not in {detail}")

    mpathctl("message", "mpatha", "fail_path", a)
    expect_equal(served.path_states(), {a: "F", b: "A"}, "after fail_path")
    expect("failed by message" in mpathctl("status", "mpatha"), "the reason is not shown")
    time.sleep(2.5)     # two checks of a failed path: it must stay so
    expect_equal(served.path_states(), {a: "F", b: "A"}, "later")
    mpathctl("message", "mpatha", "reinstate_path", a)
    served.wait_in_use()

    mpathctl("message", "mpatha", "disable_group", "1")
    expect("D 0 1 0 " + a in mpathctl("status", "mpatha", "--info"), "disable_group")
    mpathctl("message", "mpatha", "enable_group", "1")
    mpathctl("message", "mpatha", "switch_group", "2")
    expect(mpathctl("status", "mpatha", "--info").startswith("2 0 0 0 2 2 "), "switch_group")
    mpathctl("message", "mpatha", "fail_if_no_path")
    expect(mpathctl("status", "mpatha", "--table").startswith("0 0 2 "), "fail_if_no_path")
    mpathctl("message", "mpatha", "queue_if_no_path")
    expect(mpathctl("status", "mpatha", "--table").startswith("1 queue_if_no_path "), "queue_if_no_path")


def test_errors():
    _, made = start()
    serve(made)
    for words, text in (
            (["frobnicate"], "Invalid multipath message arguments. Expected 2 arguments, got 1."),
            (["frobnicate", "1"], 'Unrecognised multipath message received: "frobnicate 1". frobnicate: expected queue'),
            (["fail_path", "/dev/nonsense"], "message: error getting device /dev/nonsense"),
            (["switch_group", "3"], "invalid PG number supplied to switch_pg_num"),
            (["disable_group", "0"], "invalid PG number supplied to bypass_pg"),
            (["forget_wwid"], "forget_wwid: a path of the map is in use")):
        expect(text in mpathctl("message", "mpatha", *words, status=1), f"error of {words}")
    expect_equal(mpathctl("status", "mpathz", status=3), "mpathctl: there is no map mpathz\n", "no map")
    try:
        with dbus.Bus() as bus:
            bus.call(BUS_NAME, ROOT + "/map/mpatha", BUS_NAME + ".Map", "Status", "s", "nonsense")
        expect(False, "an unknown kind of status is answered")
    except dbus.DBusError as e:
        expect_equal(e.name, BUS_NAME + ".Error.InvalidArgument", "error name")


MAP, GROUP, PATH = (f"{BUS_NAME}.{name}" for name in ("Map", "Group", "Path"))


def test_objects():
    """What the objects say is what LIO, the kernel and the load say."""
    _, made = start()
    served = serve(made)
    load = fio.Fio(served, 4)
    defer(load.kill)
    base = ROOT + "/map/mpatha"
    wait_for(lambda: objects()[base][MAP]["Iops"] > 0, 20, "a rate")
    there = objects()
    expect_equal(sorted(path.removeprefix(base) for path in there),
                 ["", "/group/1", "/group/2", "/path/0", "/path/1"], "objects")
    served_map = there[base][MAP]
    for name, value in (("Wwid", made.wwid), ("State", "active"), ("QueueIfNoPath", True),
                        ("NrPaths", 2), ("ValidPaths", 2), ("CurrentGroup", 1), ("BlockSize", 512),
                        ("Vendor", "LIO-ORG"), ("GroupSwitches", 0), ("PathFaults", 0)):
        expect_equal(served_map[name], value, name)
    expect_equal(served_map["Size"], int(read(f"/sys/block/{os.path.basename(served.dev)}/size")) * 512,
                 "Size")
    for name in ("Reads", "ReadBytes", "LatencyP50", "LatencyP999", "MaxTransfer", "QueueDepth"):
        expect(served_map[name] > 0, f"{name} is {served_map[name]}")
    expect(served_map["LatencyP50"] <= served_map["LatencyP99"] <= served_map["LatencyP999"], "order")
    for number, path in enumerate(made.paths):
        shown = there[f"{base}/path/{number}"][PATH]
        for name, value in (("Name", path.devno), ("Device", os.path.basename(path.dev)),
                            ("Wwid", made.wwid), ("State", "active"), ("Reason", ""),
                            ("Address", served.names[number]),
                            ("Group", f"{base}/group/{number + 1}")):
            expect_equal(shown[name], value, f"{name} of path {number}")
    expect(there[base + "/path/0"][PATH]["Reads"] > 0, "reads of the first path")
    expect_equal(there[base + "/path/1"][PATH]["Reads"], 0, "reads of the second path")
    result = load.finish()
    expect(result.clean, f"{result!r}")


def properties_of(interface):
    """Their names, as the installed description of the service has them."""
    root = xml.etree.ElementTree.parse("/usr/share/dbus-1/interfaces/org.tcmu.Mpath1.xml").getroot()
    found = [i for i in root.iter("interface") if i.get("name") == interface]
    return sorted(p.get("name") for i in found for p in i.iter("property"))


def test_every_property():
    """All that are described are there, and of an idle map's each has the value that it must have."""
    runner, made = start()
    served = serve(made)
    result = fio.Fio(served, 2).finish()
    expect(result.clean, f"{result!r}")
    base = ROOT + "/map/mpatha"
    wait_for(lambda: objects()[base][MAP]["Iops"] == 0, 10, "the rates of an idle map")
    there = objects()
    for path, interface in (("", MAP), ("/group/1", GROUP), ("/path/0", PATH)):
        expect_equal(sorted(there[base + path][interface]), properties_of(interface), f"properties of {path}")
    shown = there[base][MAP]
    for name, value in (("Product", "RAMDISK-MCP"), ("Revision", "4.0"), ("HardwareHandler", ""),
                        ("Checker", "tur"), ("Failback", "manual"), ("Features", "1 queue_if_no_path"),
                        ("NextGroup", 0), ("NrGroups", 2), ("CmdTimeOut", 30000), ("CmdTimeOutNeeded", 0),
                        ("Warning", "cmd_time_out limits queue_if_no_path: set it to 0"), ("InFlight", 0),
                        ("Held", 0), ("Waiting", 0), ("Delayed", 0), ("Fenced", 0), ("ReadRate", 0),
                        ("WriteRate", 0)):
        expect_equal(shown[name], value, name)
    expect_equal(sorted(shown["Errors"]), ["busy", "check-condition", "other", "reservation-conflict",
                                           "task-aborted", "task-set-full"], "kinds of errors")
    # fio's, and what the kernel itself has read and asked.
    expect(shown["Writes"] == result.writes and shown["WriteBytes"] >= 512 * result.writes, f"{shown}")
    expect(shown["Reads"] > result.reads and shown["ReadBytes"] > shown["WriteBytes"], f"{shown}")
    for number in 0, 1:
        group, path = there[f"{base}/group/{number + 1}"][GROUP], there[f"{base}/path/{number}"][PATH]
        for name, value in (("Map", base), ("Number", number + 1), ("NrPaths", 1), ("ValidPaths", 1),
                            ("InFlight", 0), ("Selector", "round-robin"),
                            ("State", "enabled" if number else "active")):
            expect_equal(group[name], value, f"{name} of group {number + 1}")
        for name, value in (("Map", base), ("Number", number), ("AluaState", ""), ("Priority", -1),
                            ("ReadOnly", False), ("FailCount", 0), ("InFlight", 0), ("Iops", 0),
                            ("Writes", 0 if number else shown["Writes"]),
                            ("WriteBytes", 0 if number else shown["WriteBytes"])):
            expect_equal(path[name], value, f"{name} of path {number}")
        expect(all(count == 0 for kind, count in path["Errors"].items() if kind != "check-condition"),
               f"errors of path {number}: {path['Errors']}")
    with dbus.Bus() as bus:
        version, build = (bus.get(BUS_NAME, ROOT, BUS_NAME + ".Manager", name) for name in ("Version", "BuildId"))
    runner.wait_log(f"tcmu-mpath {version} ({build})")
    for part, method, *words in (("Nonsense", "Get", "ss", MAP, "Nonsense"), ("org.x", "Get", "ss", "org.x", "State"),
                                 ("not writable", "Set", "ssv", MAP, "State", "x")):
        refused("org.freedesktop.DBus.Error.InvalidArgs", part, base, "org.freedesktop.DBus.Properties", method,
                *words)


def test_methods():
    """Each method does what it says, at once for who reads the properties; events tell of it."""
    _, made = start()
    serve(made)
    base = ROOT + "/map/mpatha"
    watcher = dbus.Watcher(BUS_NAME)
    defer(watcher.close)
    with dbus.Bus() as bus:
        def call(path, interface, method, *args):
            return bus.call(BUS_NAME, base + path, interface, method, *args)

        def get(path, interface, name):
            return bus.get(BUS_NAME, base + path, interface, name)

        call("/path/0", PATH, "Fail")
        expect_equal(get("/path/0", PATH, "State"), "failed-by-message", "after Fail")
        expect_equal(get("", MAP, "ValidPaths"), 1, "usable paths after Fail")
        call("/path/0", PATH, "Probe")
        time.sleep(1.5)
        expect_equal(get("/path/0", PATH, "State"), "failed-by-message", "after Probe")
        call("/path/0", PATH, "Reinstate")
        wait_for(lambda: get("/path/0", PATH, "State") == "active", 10, "Reinstate")
        call("/group/1", GROUP, "Disable")
        expect_equal(get("/group/1", GROUP, "State"), "disabled", "after Disable")
        call("/group/1", GROUP, "Enable")
        expect(get("/group/1", GROUP, "State") != "disabled", "after Enable")
        call("/group/2", GROUP, "Switch")
        expect_equal(get("", MAP, "NextGroup"), 2, "after Switch")
        expect(call("", MAP, "Status", "s", "ima").startswith("target_name=multipath,"), "IMA")
        status = json.loads(call("", MAP, "Status", "s", "json"))
        expect_equal(status["map"]["uuid"], made.wwid, "uuid in JSON")
        call("", MAP, "Resize")
        try:
            call("", MAP, "Resize", "t", 1 << 30)
            expect(False, "Resize takes a size")
        except dbus.DBusError as e:
            expect_equal(e.name, "org.freedesktop.DBus.Error.InvalidArgs", "error name")
        table = call("", MAP, "Status", "s", "table")
        report = bus.call(BUS_NAME, ROOT, BUS_NAME + ".Manager", "Check", "s", table)
        expect("groups: 2, paths: 2" in report, report)
        for text, part in (("0 0 1 1 nonsense 0 0 0", "nonsense"),
                           ("[multipath]\ntable=" + table + "\ncolour=red\n", "colour: unknown key")):
            try:
                bus.call(BUS_NAME, ROOT, BUS_NAME + ".Manager", "Check", "s", text)
                expect(False, f"{text} passes")
            except dbus.DBusError as e:
                expect_equal(e.name, BUS_NAME + ".Error.InvalidArgument", "error name")
                expect(part in e.message, e.message)
        last = get("", MAP, "LastEvent")
    expect(last > 4, f"{last} events")
    wait_for(lambda: watcher.of("Event", base) and watcher.of("Event", base)[-1].args[0] >= last, 10, "the last event")
    told = [s.args[2] for s in watcher.of("Event", base)]
    order = [told.index(kind) for kind in ("path-failed", "path-reinstated", "group-disabled", "group-enabled")]
    expect(order == sorted(order), f"events {order} in {told}")


def test_signals():
    """Objects come and go, states change, and whoever watches hears of all of it, in order."""
    _, made = start()
    watcher = dbus.Watcher(BUS_NAME)
    defer(watcher.close)
    base = ROOT + "/map/mpatha"
    everything = {base, f"{base}/group/1", f"{base}/group/2", f"{base}/path/0", f"{base}/path/1"}

    def told_of(member):
        return {s.args[0] for s in watcher.of(member, ROOT)}

    def event(kind, text=""):
        return watcher.wait("Event", lambda args: args[2] == kind and text in args[5], kind, 20)

    served = serve(made)
    wait_for(lambda: told_of("InterfacesAdded") >= everything, 10, "InterfacesAdded")
    added = {s.args[0]: s.args[1] for s in watcher.of("InterfacesAdded")}
    expect_equal(added[base][MAP]["Name"]["data"], "mpatha", "what InterfacesAdded says of the map")

    # The state of a path changes 60 times; it is told of at most ten times a second.  Of all of them: who
    # listens may be late, and then hears of many at once.
    began, begin = len(watcher.take()), time.monotonic()
    with dbus.Bus() as bus:
        for _ in range(30):
            for word in "fail_path", "reinstate_path":
                map_call("mpatha", "Message", "as", [word, made.paths[1].devno], bus=bus)
    event("path-failed", "fail_path message")
    keys = watcher.wait("Uevent", lambda args: args[0]["DM_ACTION"] == "PATH_FAILED", "PATH_FAILED").args[0]
    expect_equal(keys, {"DM_TARGET": "multipath", "DM_ACTION": "PATH_FAILED", "DM_SEQNUM": "1",
                        "DM_PATH": made.paths[1].devno, "DM_NR_VALID_PATHS": "1", "DM_NAME": "mpatha",
                        "DM_UUID": "mpath-" + made.wwid}, "what dm's uevent says")
    wait_for(lambda: served.path_states()[made.paths[1].devno] == "A", 10, "the path is back")

    def states():
        return [s.args[1]["State"]["data"] for s in watcher.take()[began:] if s.member == "PropertiesChanged"
                and s.path == base + "/path/1" and "State" in s.args[1]]
    wait_for(lambda: states()[-1:] == ["active"], 20, "the last State that is told is active")
    time.sleep(1)       # and is the last
    expect_equal(states()[-1], "active", "the last State that is told")
    changes = [s for s in watcher.take()[began:] if s.member == "PropertiesChanged"]
    told = sum(s.path == base + "/path/1" for s in changes)
    seconds = time.monotonic() - begin
    expect(2 < told <= 10 * seconds + 1, f"{told} changes of the path are told in {seconds:.1f} s")
    expect(not any("Iops" in s.args[1] for s in changes), "a statistic is told")

    for path in made.paths:
        cuts.TRANSPORT_STATUS.cut(path)
        defer(cuts.TRANSPORT_STATUS.restore, path)
    event("no-path")
    with scsi.Pending(served.path, bytes(6)) as command:
        event("queueing-started")
        for path in made.paths:
            cuts.TRANSPORT_STATUS.restore(path)
        event("path-reinstated")
        event("queueing-stopped")
        expect(command.wait(5) is not None, "the held command is not answered")
    served.wait_in_use()
    served.message("switch_group", "2")
    expect(scsi.usable(served.path), "the LUN")
    event("group-switched", "2")
    try:
        served.backstore.set("dev_config", "mpath/other")
        expect(False, "dev_config=other is accepted")
    except OSError:
        pass
    event("refused", "other.map: cannot be read")

    served.delete()
    wait_for(lambda: told_of("InterfacesRemoved") >= everything, 10, "InterfacesRemoved")
    numbers = [s.args[0] for s in watcher.of("Event", base)]
    expect_equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "sequence numbers")


def refused(name, part, path, interface, method, *words):
    """A call with bad input: it has this error, by its last word or whole, whose message has this part."""
    try:
        with dbus.Bus() as bus:
            bus.call(BUS_NAME, path, interface, method, *words)
    except dbus.DBusError as error:
        expect_equal(error.name if "." in name else error.name.rpartition(".")[2], name, f"error of {method} {words}")
        expect(part in error.message, f"{part!r} is not in {error.message!r}")
    else:
        expect(False, f"{method} {words} is accepted")


def test_a_map_changes_in_service():
    """Paths come and go, another table takes over, the map stands still: the load notices nothing, and
    what is refused changes nothing."""
    _, made = start(3)
    served = serve(made, made.paths[:2])
    base = ROOT + "/map/mpatha"
    third = made.paths[2]
    load = fio.Fio(served, 12)
    defer(load.kill)
    load.wait_load()
    with dbus.Bus() as bus:
        def call(method, *words):
            return bus.call(BUS_NAME, base, MAP, method, *words)

        def get(path, interface, name):
            return bus.get(BUS_NAME, base + path, interface, name)

        call("AddPath", "us", 0, third.dev)
        wait_for(lambda: base + "/path/2" in objects(), 5, "the object of the third path")
        wait_for(lambda: get("/path/2", PATH, "State") == "active", 5, "the third path in use")
        expect_equal(get("/path/2", PATH, "Group"), base + "/group/3", "its group")
        call("Message", "as", ["switch_group", "3"])
        wait_for(lambda: get("/path/2", PATH, "Reads") > 0, 10, "load on the third path")
        faults = get("", MAP, "PathFaults")
        before = get("/path/0", PATH, "Reads")
        call("RemovePath", "s", third.devno)
        wait_for(lambda: base + "/path/2" not in objects(), 5, "the third path's object gone")
        wait_for(lambda: get("/path/0", PATH, "Reads") > before, 10, "load on the others")

        call("Suspend")
        expect_equal(get("", MAP, "State"), "suspended", "state")
        expect_equal(get("", MAP, "InFlight"), 0, "in flight after Suspend")
        wait_for(lambda: get("", MAP, "Held") > 0, 5, "held commands")
        call("Resume")
        wait_for(lambda: get("", MAP, "Held") == 0 and get("", MAP, "State") == "active", 5, "resumed")

        a, b = (path.devno for path in made.paths[:2])
        call("Reload", "s", f"0 0 1 1 queue-length 0 2 1 {b} 1 {a} 1")
        wait_for(lambda: get("", MAP, "NrGroups") == 1, 5, "the new table's group")
        expect_equal(get("/group/1", GROUP, "Selector"), "queue-length", "selector")
        # The same paths by other names: they stay, with what was counted.
        before = get("/path/0", PATH, "Reads"), get("/path/1", PATH, "Reads")
        call("Reload", "s", "0 0 1 1 queue-length 0 2 1 " + " 1 ".join(reversed(served.names)) + " 1")
        expect_equal(get("", MAP, "ValidPaths"), 2, "usable paths at once")
        wait_for(lambda: get("/path/1", PATH, "Address") == served.names[1], 5, "the other names")
        expect(get("/path/0", PATH, "Reads") >= before[0] and get("/path/1", PATH, "Reads") >= before[1],
               "the paths count anew")
        table = call("Status", "s", "table")
        map_ = (base, MAP)
        for name, part, *words in (
                ("InvalidArgument", "no-such-selector", *map_, "Reload", "s",
                 f"0 0 1 1 no-such-selector 0 1 1 {a} 1"),
                ("InvalidArgument", f"path {a} is in the map already", *map_, "AddPath", "us", 1, a),
                ("InvalidArgument", "expected a number from 1 to 1, or 2", *map_, "AddPath", "us", 9,
                 third.dev),
                ("InvalidArgument", "error getting device", *map_, "AddPath", "us", 1, "nonsense"),
                ("InvalidArgument", "path 8:255 is not in map mpatha", *map_, "RemovePath", "s", "8:255"),
                ("InvalidArgument", "a message has at least one word", *map_, "Message", "as", []),
                ("InvalidArgs", "", *map_, "Suspend", "s", "now"),
                ("InvalidArgs", "", *map_, "Resume", "s", "now"),
                ("InvalidArgs", "", base + "/path/0", PATH, "Fail", "s", "now"),
                ("InvalidArgs", "", base + "/path/0", PATH, "Reinstate", "s", "now"),
                ("InvalidArgs", "", base + "/path/0", PATH, "Probe", "s", "now"),
                ("InvalidArgs", "", base + "/group/1", GROUP, "Enable", "s", "now"),
                ("InvalidArgs", "", base + "/group/1", GROUP, "Disable", "s", "now"),
                ("InvalidArgs", "", base + "/group/1", GROUP, "Switch", "s", "now"),
                ("UnknownMethod", "", base + "/group/9", GROUP, "Switch"),
                ("UnknownMethod", "", base + "/path/9", PATH, "Fail"),
                ("UnknownMethod", "", ROOT + "/map/none", MAP, "Suspend")):
            refused(name, part, *words)
        expect_equal(call("Status", "s", "table"), table, "the table after what was refused")
        expect_equal(get("", MAP, "PathFaults"), faults, "faults")
    result = load.finish()
    expect(result.clean, f"{result!r}")


def test_the_array_grows():
    """The initiator gets the array's unit attention, and the new size; so does who reads properties."""
    runner = start_runner()
    made = topology.ScsiDebug(2, size_mib=64)
    defer(made.teardown)
    served = serve(made)
    base = ROOT + "/map/mpatha"
    expect(scsi.usable(served.path), "the LUN")
    with dbus.Bus() as bus:
        expect_equal(bus.get(BUS_NAME, base, MAP, "Size"), 64 << 20, "Size")
        made.set("virtual_gb", 1)
        wait_for(lambda: scsi.test_unit_ready(served.path).code == (0x06, 0x2a, 0x09), 10,
                 "the unit attention")
        wait_for(lambda: bus.get(BUS_NAME, base, MAP, "Size") == 1 << 30, 5, "Size")
    wait_for(lambda: scsi.read_capacity(served.path)[0] << 9 == 1 << 30, 5, "READ CAPACITY")
    wait_for(lambda: served.backstore.get("dev_size") == str(1 << 30), 5, "dev_size")
    runner.wait_log("the LUN is now")
    expect(scsi.test_unit_ready(served.path).good, "one unit attention is enough")


def test_the_array_grows_and_is_rescanned():
    """The kernel meets the unit attention in our place, as no command and no check of ours does."""
    runner = start_runner()
    made = topology.ScsiDebug(2, size_mib=64)
    defer(made.teardown)
    served = serve(made, polling_interval_ms=3600000)
    expect(scsi.usable(served.path), "the LUN")
    made.set("virtual_gb", 1)
    for path in made.paths:
        write(path.device + "/rescan", 1)
    runner.wait_log("the LUN is now")
    wait_for(lambda: scsi.test_unit_ready(served.path).code == (0x06, 0x2a, 0x09), 10,
             "the unit attention")
    wait_for(lambda: scsi.read_capacity(served.path)[0] << 9 == 1 << 30, 5, "READ CAPACITY")


def test_who_may():
    """Another user reads everything and changes nothing; nothing of ours can be reached through
    tcmu-runner's name."""
    _, made = start()
    served = serve(made)

    def by_nobody(path, interface, method, *args):
        return subprocess.run(["busctl", "--system", "call", BUS_NAME, ROOT + path,
                               interface, method, *args], user=NOBODY, capture_output=True, text=True)
    for call in (("", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"),
                 ("/map/mpatha", "org.freedesktop.DBus.Properties", "GetAll", "s", MAP),
                 ("/map/mpatha", "org.freedesktop.DBus.Properties", "Get", "ss", MAP, "State"),
                 ("/map/mpatha", MAP, "Status", "s", "info"),
                 ("/map/mpatha/path/0", "org.freedesktop.DBus.Introspectable", "Introspect")):
        done = by_nobody(*call)
        expect_equal(done.returncode, 0, f"{call} by nobody: {done.stderr}")
    for call in (("/map/mpatha", MAP, "Message", "as", "1", "fail_if_no_path"),
                 ("/map/mpatha/path/0", PATH, "Fail"), ("/map/mpatha/group/1", GROUP, "Disable"),
                 ("", BUS_NAME + ".Manager", "Check", "s", "x"),
                 ("/map/mpatha", "org.freedesktop.DBus.Properties", "Set", "ssv", MAP, "State",
                  "s", "x")):
        done = by_nobody(*call)
        expect("denied" in done.stderr.lower(), f"{call} by nobody: {done.stdout}{done.stderr}")
    expect_equal(mpathctl("list", user=NOBODY), "mpatha\n", "mpathctl list by nobody")
    expect("not permitted" in mpathctl("message", "mpatha", "fail_if_no_path", status=5, user=NOBODY),
           "mpathctl by nobody")
    expect("queue_if_no_path" in served.status("table"), "nobody has changed the map")
    with dbus.Bus() as bus:
        there = bus.managed_objects("org.kernel.TCMUService1", "/org/kernel/TCMUService1")
        expect(not [path for path in there if "Mpath1" in path], f"on the runner's name: {there}")
        for interface, member in ((MAP, "Status"),
                                  ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects")):
            path = ROOT if "ObjectManager" in interface else ROOT + "/map/mpatha"
            words = () if "ObjectManager" in interface else ("s", "info")
            try:
                bus.call("org.kernel.TCMUService1", path, interface, member, *words)
                expect(False, f"{member} is answered on tcmu-runner's name")
            except dbus.DBusError:
                pass


def test_the_group_may():
    """The last policy of the shipped file, copied as it says: members of mpath-admin steer, too."""
    _, made = start()
    served = serve(made)
    admin = int(run("getent", "group", "mpath-admin").split(":")[2])

    def by_member(status):
        done = subprocess.run(["mpathctl", "message", "mpatha", "fail_if_no_path"], user=NOBODY, group=admin,
                              extra_groups=[], capture_output=True, text=True)
        expect_equal(done.returncode, status, f"by a member: {done.stderr}")

    by_member(5)
    shipped = read("/usr/share/dbus-1/system.d/org.tcmu.Mpath1.conf")
    policy = re.search(r'<policy group="mpath-admin">.*?</policy>', shipped, re.S).group(0)
    own = "/etc/dbus-1/system.d/org.tcmu.Mpath1.conf"
    with open(own, "w") as f:
        f.write('<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" '
                '"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n'
                f"<busconfig>{policy}</busconfig>\n")

    def reload_policy():
        with dbus.Bus() as bus:
            bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")

    defer(reload_policy)
    defer(os.unlink, own)
    reload_policy()
    by_member(0)
    expect("queue_if_no_path" not in served.status("table"), "the member's message")


def bus_daemon():
    return next(int(pid) for pid in os.listdir("/proc") if pid.isdigit()
                and read(f"/proc/{pid}/comm", "") == "dbus-daemon")


def test_bus_restarts():
    """dbus-daemon dies under I/O and comes back: tcmu-runner goes on, and so does control."""
    runner, made = start()
    served = serve(made)
    load = fio.Fio(served, 8)
    defer(load.kill)
    wait_for(lambda: any(path.in_flight for path in made.paths), 10, "load")
    os.kill(bus_daemon(), signal.SIGKILL)
    time.sleep(2)       # the service tries in vain meanwhile
    expect(runner.running, "tcmu-runner went with dbus-daemon")
    for name in ("pid", "system_bus_socket"):
        if os.path.exists("/run/dbus/" + name):
            os.unlink("/run/dbus/" + name)
    subprocess.run(["dbus-daemon", "--system", "--fork"], check=True)
    begin = time.monotonic()

    def served_again():
        with dbus.Bus() as bus:
            return bus.has_owner(BUS_NAME)
    wait_for(served_again, 10, "the service")
    note(f"served again after {time.monotonic() - begin:.1f} s")
    expect_equal(mpathctl("list"), "mpatha\n", "mpathctl list")
    result = load.finish()
    expect(result.clean, f"{result!r}")


def test_held():
    """Control answers while commands are held, and lets them go."""
    _, made = start()
    served = serve(made, attributes={"cmd_time_out": 0})
    defer(lambda: [cuts.TRANSPORT_STATUS.restore(path) for path in made.paths])
    for path in made.paths:
        cuts.TRANSPORT_STATUS.cut(path)
    served.wait_failed()
    reader = subprocess.Popen(["dd", f"if={served.dev}", "of=/dev/null", "bs=4k", "count=1",
                               "iflag=direct"], stderr=subprocess.DEVNULL)
    defer(reader.kill)
    served.wait_held()
    expect("1 held" in mpathctl("status", "mpatha"), "status of held commands")
    expect(reader.poll() is None, "the read ended")
    mpathctl("message", "mpatha", "fail_if_no_path")
    expect(reader.wait(10) != 0, "the read should fail now")


if __name__ == "__main__":
    case.main()
