# SPDX-License-Identifier: GPL-2.0-or-later
"""From dm-multipath's maps to map files of ours: what `mpathctl import` does.

It reads what `dmsetup table` or `multipath -ll` printed while multipathd still had the maps.  A map file
names the LUN by its WWID, and the handler finds the paths: so a text of last week cannot bring a disk
into a map that has another's name by now.

Everything here is a function of texts, but for what is below /sys.
"""

import contextlib
import dataclasses
import glob
import os
import re
from collections.abc import Callable

NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,63}")
# Not an NVMe namespace's, nor one as sysfs spells it, nor of what is no page 83h: as runner/cfgstring.c.
WWID = re.compile(r"""[18][!#-&(-~]{0,254}|[23][!#-&(-@[-~]{0,254}""")
SYSFS = "/sys"


class Mistake(Exception):
    """A text that is neither of the two, or a map that cannot be taken over: why, in words."""


@dataclasses.dataclass
class DmMap:
    """A map as dm-multipath had it."""
    name: str
    wwid: str = ""              # empty: the text does not say (dmsetup table)
    features: list[str] = dataclasses.field(default_factory=list)
    hw_handler: str = ""        # with its arguments, without their number
    selectors: list[str] = dataclasses.field(default_factory=list)   # of each group: "service-time 0"
    # Paths as "8:16", or "#:#" if the disk is gone.
    groups: list[list[str]] = dataclasses.field(default_factory=list)
    path_arguments: list[str] = dataclasses.field(default_factory=list)   # of all paths


# --- dmsetup table ------------------------------------------------------------------------------

class _Words:
    """The words of a table, taken one after the other."""

    def __init__(self, line: str, words: list[str]):
        self.line = line
        self.words = words
        self.at = 0

    def take(self, what: str) -> str:
        if self.at == len(self.words):
            raise Mistake(f"the table ends where {what} should be: {self.line}")
        self.at += 1
        return self.words[self.at - 1]

    def number(self, what: str) -> int:
        word = self.take(what)
        if not re.fullmatch("[0-9]{1,10}", word):
            raise Mistake(f'"{word}" is where {what} should be: {self.line}')
        return int(word)

    def several(self, what: str) -> list[str]:
        """A count and that many words."""
        return [self.take(what) for _ in range(self.number(f"the number of {what}"))]


def _table_map(line: str) -> DmMap | None:
    """A line of dmsetup table; None if it is another target's."""
    name, colon, rest = line.partition(": ")
    words = rest.split()
    if not colon or len(words) < 3:
        raise Mistake(f"no line of dmsetup table: {line}")
    if words[2] != "multipath":
        return None
    table = _Words(line, words[3:])
    features = table.several("feature arguments")
    handler = table.several("hardware handler arguments")
    found = DmMap(name, features=features, hw_handler=" ".join(handler))
    nr_groups = table.number("the number of groups")
    table.take("the first group")
    for _ in range(nr_groups):
        selector = table.take("a path selector")
        arguments = table.several("selector arguments")
        found.selectors.append(" ".join([selector, str(len(arguments)), *arguments]))
        nr_paths = table.number("the number of paths")
        nr_arguments = table.number("the number of path arguments")
        group = []
        for _ in range(nr_paths):
            group.append(table.take("a path"))
            words = [table.take("a path argument") for _ in range(nr_arguments)]
            found.path_arguments.append(" ".join(words))
        found.groups.append(group)
    return found


# --- multipath -ll ------------------------------------------------------------------------------

#   mpatha (36001405b922ff67a) dm-0 LIO-ORG,disk
#   36001405b922ff67a dm-0 LIO-ORG,disk
_HEAD = re.compile(r"^(?:\w+: )?(?P<name>\S+)(?: \((?P<wwid>[^)\s]+)\))? dm-\d+ ")
#   size=64M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
_PROPERTIES = re.compile(r"^size=\S+ features='(?P<features>[^']*)' hwhandler='(?P<handler>[^']*)'")
#   |-+- policy='service-time 0' prio=50 status=active
_GROUP = re.compile(r"^[ |`]*-\+- policy='(?P<selector>[^']*)'")
#   | `- 2:0:0:0 sda 8:0  active ready running
#   | `- #:#:#:# -   #:#  failed undef unknown
_PATH = re.compile(r"^[ |]*[|`]- (?P<hctl>\S+) +(?P<device>\S+) +(?P<devno>\d+:\d+|#:#) ")


def _listed_maps(lines: list[str]) -> list[DmMap]:
    maps: list[DmMap] = []
    for line in lines:
        head = _HEAD.match(line)
        if head:
            maps.append(DmMap(head["name"], head["wwid"] or head["name"]))
            continue
        if not maps:
            continue                    # a warning of multipath's
        properties, group, path = _PROPERTIES.match(line), _GROUP.match(line), _PATH.match(line)
        last = maps[-1]
        if properties:
            last.features = properties["features"].split()[1:]
            last.hw_handler = " ".join(properties["handler"].split()[1:])
        elif group:
            last.selectors.append(group["selector"])
            last.groups.append([])
        elif path and last.groups:
            last.groups[-1].append(path["devno"])
    return maps


def parse(text: str) -> list[DmMap]:
    """The multipath maps of the text.  Mistake if it is neither of the two, or says nothing."""
    lines = [line for line in text.splitlines() if line.strip()]
    if any(_HEAD.match(line) for line in lines):
        return _listed_maps(lines)
    if not lines or lines == ["No devices found"]:
        raise Mistake("there is nothing to import: expected what `dmsetup table` or "
                      "`multipath -ll` prints")
    return [found for found in map(_table_map, lines) if found]


# --- what sysfs knows ---------------------------------------------------------------------------

def _read(path: str) -> str:
    try:
        with open(path, errors="replace") as f:
            return f.read().strip()
    except OSError:
        return ""


def _disk_wwid(disk: str) -> str:
    """The WWID of this directory's disk, spelt as multipath spells it; empty if it has none."""
    kind, dot, rest = _read(disk + "/device/wwid").partition(".")
    digit = {"naa": "3", "eui": "2"}.get(kind)
    return digit + rest if digit and dot else ""


def device_wwid(devno: str, sysfs: str = SYSFS) -> str:
    """The WWID of the SCSI disk "8:16"; empty if there is none."""
    return _disk_wwid(f"{sysfs}/dev/block/{devno}")


def _is_slave(slave: str, found: DmMap) -> bool:
    """Whether a slave of a dm device is a path to the map's LUN, or a partition of one."""
    if os.path.exists(slave + "/partition"):
        slave = os.path.dirname(os.path.realpath(slave))
    wwid = _disk_wwid(slave)
    if wwid:
        return wwid == found.wwid
    devno = _read(slave + "/dev")
    return any(devno in group for group in found.groups)


def _has(directory: str, found: DmMap) -> bool:
    """Whether this dm device has the map: by its uuid, its name or what it stands on.

    A table that was loaded with dmsetup has no uuid, and sysfs does not tell a dm device's type.  A path
    is lost to us whatever else is made of it.
    """
    uuid = _read(directory + "/dm/uuid")
    if uuid == "mpath-" + found.wwid:
        return True
    if (not uuid or uuid.startswith("mpath-")) and _read(directory + "/dm/name") == found.name:
        return True
    return any(_is_slave(slave, found) for slave in glob.glob(directory + "/slaves/*"))


def refuse_active(found: DmMap, sysfs: str = SYSFS) -> None:
    """Mistake if device-mapper still has this map, under its name or another."""
    for directory in sorted(glob.glob(f"{sysfs}/block/dm-*")):
        if not _has(directory, found):
            continue
        name = _read(directory + "/dm/name")
        remedy = f"take that away first, with `dmsetup remove {name}` or whatever made it"
        uuid = _read(directory + "/dm/uuid")
        if uuid.startswith("mpath-"):       # multipathd may know it by another of the LUN's names
            remedy = (f"put its WWID {uuid.removeprefix('mpath-')} on the blacklist of /etc/multipath.conf, then "
                      f"`multipathd reconfigure` and `multipath -f {name}`")
        raise Mistake(f"device-mapper still has it, as {name}: {remedy}")


def _wwid(found: DmMap, sysfs: str) -> str:
    """The map's WWID: as it was listed, or as its paths have it, or its name if that is one."""
    if found.wwid:
        return found.wwid
    seen = {wwid for group in found.groups for devno in group
            if (wwid := device_wwid(devno, sysfs))}
    if len(seen) > 1:
        raise Mistake(f"its paths lead to different LUNs by now ({', '.join(sorted(seen))}): the "
                      "text is of another time")
    if seen:
        return seen.pop()
    if re.fullmatch(r"3[0-9a-f]{16}(?:[0-9a-f]{16})?", found.name):
        return found.name
    raise Mistake("its WWID is not known, since none of its paths is there: import what "
                  "`multipath -ll` prints, which has it")


# --- map files ----------------------------------------------------------------------------------

def _grouping(groups: list[list[str]]) -> str:
    """The policy that gives such groups."""
    if len(groups) == 1 and len(groups[0]) > 1:
        return "multibus"
    if all(len(group) == 1 for group in groups):
        return "failover"
    return "group_by_prio"


# What runner/keys.c takes: selectors without arguments of groups or paths, and these handlers.
SELECTORS = ("round-robin", "queue-length", "service-time", "historical-service-time")
_HW_HANDLER = re.compile(r"(alua|emc|rdac|hp_sw)((?<=alua) [01]|(?<=emc) [01] [01])?( .*)?")


class _MapFile:
    """The lines of a map file, and what the map had that cannot be said there."""

    def __init__(self, found: DmMap):
        self.keys = [f"wwid={found.wwid}"]
        self.dropped: list[str] = []
        if found.groups:
            self.keys.append(f"grouping={_grouping(found.groups)}")
        self._take_selectors([selector.partition(" ")[::2] for selector in found.selectors])
        self._take_path_arguments(found.path_arguments)
        self._take_hw_handler(found.hw_handler)
        self._take_features(found.features)

    def _drop(self, what: str) -> None:
        if what not in self.dropped:
            self.dropped.append(what)

    def _take_selectors(self, selectors: list[tuple[str, str]]) -> None:
        names = list(dict.fromkeys(name for name, _ in selectors))
        if len(names) > 1:
            self._drop(f"a selector for each group ({', '.join(names)}): all have the default")
        elif names and names[0] not in SELECTORS:
            self._drop(f"selector {names[0]}, which only a table can have")
        elif names:
            self.keys.append(f"selector={names[0]}")
        for name, arguments in selectors:
            if arguments not in ("", "0"):
                self._drop(f"arguments of selector {name}: {arguments.partition(' ')[2]}")

    def _take_path_arguments(self, arguments: list[str]) -> None:
        """How often a path is used in a row has no meaning in dm either, and 1 is the default.

        A relative_throughput of 0 has one: the path is the last to be used.
        """
        said = [words for words in arguments
                if set(words.split()[:1]) - {"0", "1"} or set(words.split()[1:]) - {"1"}]
        if said:
            self._drop("arguments of paths: " + ", ".join(dict.fromkeys(said)))

    def _take_hw_handler(self, hw_handler: str) -> None:
        known = _HW_HANDLER.fullmatch(hw_handler)
        if known:
            self.keys.append(f"hw_handler={known[1]}{known[2] or ''}")
        if known and known[3]:
            self._drop(f"arguments of hardware handler {known[1]}:{known[3]}")
        elif hw_handler and not known:
            self._drop(f"hardware handler {hw_handler}")

    def _take_features(self, features: list[str]) -> None:
        words = iter(features)
        for word in words:
            if word == "queue_if_no_path":
                self.keys.append("no_path_retry=queue")
                # multipathd counts by itself, and has dm queue until then.
                self._drop("no_path_retry, if it was a number: dm-multipath shows queue_if_no_path then, too")
            elif word in ("pg_init_retries", "pg_init_delay_msecs"):
                self.keys.append(f"{word}={next(words, '')}")
            elif word == "queue_mode":
                self._drop(f"{word} {next(words, '')}")
            elif word != "retain_attached_hw_handler":      # it is always
                self._drop(f"feature {word}")


def map_file(found: DmMap) -> str:
    """The text of the map file for a map whose WWID is known."""
    file = _MapFile(found)
    lines = [f"# {found.name}, taken over from dm-multipath by mpathctl import.",
             *(f"# Not taken over: {what}" for what in file.dropped), "[multipath]", *file.keys]
    return "\n".join(lines) + "\n"


def dropped(found: DmMap) -> list[str]:
    """What the map had that its map file does not say."""
    return _MapFile(found).dropped


def _write_new(file: str, text: str) -> None:
    """Whole or not at all: half a map file could be a map, and would be in the way of the next import.

    It has its name, which only one that is not there can get, when it is on disk.
    """
    new = f"{file}.{os.getpid()}"       # no map file's name
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)                  # a killed process's
    with open(new, "x", encoding="utf-8") as f:
        try:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
            os.link(new, file)
        finally:                        # Ctrl-C, too
            os.unlink(new)


def import_map(found: DmMap, directory: str, sysfs: str = SYSFS,
               check: Callable[[str], None] | None = None) -> str:
    """Writes the map file and returns its name.  Mistake if the map cannot be taken over.

    check judges the file's text, with a Mistake if the handler would not take it.
    """
    if not NAME.fullmatch(found.name):
        raise Mistake("the name cannot be a map's here: rename it to 1 to 64 of the characters "
                      "A-Z a-z 0-9 . _ + - without a dot in front")
    found.wwid = _wwid(found, sysfs)
    if not WWID.fullmatch(found.wwid):
        raise Mistake(f"its WWID {found.wwid} is none of a SCSI disk's")
    refuse_active(found, sysfs)
    text = map_file(found)
    if check:
        check(text)
    file = os.path.join(directory, found.name + ".map")
    try:
        _write_new(file, text)
    except FileExistsError:
        raise Mistake(f"{file} is there already") from None
    except OSError as error:
        raise Mistake(f"{file}: {error.strerror}") from None
    return file
