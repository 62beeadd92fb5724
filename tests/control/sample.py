# SPDX-License-Identifier: GPL-2.0-or-later
"""A reply of GetManagedObjects as the interface's XML has it: every property, of the right type."""

import os
import xml.etree.ElementTree

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
XML = f"{REPO}/config/dbus/org.tcmu.Mpath1.xml"
ROOT = "/org/tcmu/Mpath1"

_DEFAULTS = {"s": "", "o": "/", "b": False, "u": 0, "i": 0, "t": 0, "a{st}": {}}


def properties(interface, **known):
    """All properties of an interface; those that are not given are empty or 0."""
    node = xml.etree.ElementTree.parse(XML).getroot().find(
        f"interface[@name='org.tcmu.Mpath1.{interface}']")
    result = {found.get("name"): _DEFAULTS[found.get("type")] for found in node.findall("property")}
    unknown = set(known) - set(result)
    assert not unknown, f"the interface {interface} has no {unknown}"
    return {**result, **known}


def objects():
    """Map a: two groups, one path of the second has failed.  Map b: never seen its LUN."""
    a, b = ROOT + "/map/a", ROOT + "/map/b"
    found = {
        a: ("Map", dict(
            Name="a", Wwid="36001405aa", Vendor="LIO-ORG", Product="disk", Revision="4.0",
            Size=64 << 20, BlockSize=512, State="active", QueueIfNoPath=True,
            Features="1 queue_if_no_path", Checker="tur", Failback="manual", CurrentGroup=1,
            NrGroups=2, NrPaths=3, ValidPaths=2, InFlight=3, Held=1, Fenced=2,
            WritesWait="1 write waits for commands of a former process, at most 4000 ms", Iops=1200, ReadRate=4 << 20,
            Reads=100, Writes=50, Others=7, ReadBytes=409600, WriteBytes=204800, PathFaults=2,
            GroupSwitches=1, HedgedReads=5, Hedged=8, HedgesWon=6, LatencyP50=640, LatencyP99=3100, LatencyP999=2500000,
            Errors={"check-condition": 3, "busy": 0}, LastEvent=9,
            Warning='cmd_time_out limits "queue_if_no_path"')),
        a + "/group/1": ("Group", dict(Map=a, Number=1, State="active", Selector="round-robin",
                                       NrPaths=1, ValidPaths=1, InFlight=3)),
        a + "/group/2": ("Group", dict(Map=a, Number=2, State="enabled", Selector="service-time",
                                       NrPaths=2, ValidPaths=1)),
        a + "/path/0": ("Path", dict(
            Map=a, Group=a + "/group/1", Number=0, Address="/dev/disk/by-path/x", Name="8:0",
            Device="sda", Wwid="36001405aa", State="active", Priority=50, InFlight=3, Iops=1200,
            AluaState="active/optimized", LatencyP50=600)),
        a + "/path/1": ("Path", dict(
            Map=a, Group=a + "/group/2", Number=1, Address="8:16", Name="8:16", Device="sdb",
            State="failed", Reason="transport lost", FailCount=2, Priority=10,
            Errors={"timeout": 12, "gone": 1})),
        a + "/path/2": ("Path", dict(
            Map=a, Group=a + "/group/2", Number=2, Address="/dev/sdc", Name="8:32", Device="sdc",
            State="active", Slow=True, ReadOnly=True, Priority=-1)),
        b: ("Map", dict(Name="b", State="failing", Features="0", Checker="none", NrGroups=1, NrPaths=1)),
        b + "/group/1": ("Group", dict(Map=b, Number=1, State="enabled", Selector="round-robin",
                                       NrPaths=1)),
        b + "/path/0": ("Path", dict(
            Map=b, Group=b + "/group/1", Number=0, Address='/dev/"odd\\', Name='/dev/"odd\\',
            State="excluded", Reason="No such file or directory", Priority=-1)),
    }
    # As D-Bus brings them: in any order.
    return {path: {"org.tcmu.Mpath1." + interface: properties(interface, **known)}
            for path, (interface, known) in sorted(found.items(), reverse=True)}


def manager():
    return properties("Manager", Version="0.1.0", BuildId="abc")
