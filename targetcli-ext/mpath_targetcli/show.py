# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree of `mpathctl show`, in the spirit of `multipath -ll`."""

from . import text
from .model import Group, Map, Path, Thing
from .text import Paint


def _latencies(thing: Thing) -> str:
    return " ".join(f"{name}={text.microseconds(thing[key])}" for name, key in
                    (("p50", "LatencyP50"), ("p99", "LatencyP99"), ("p99.9", "LatencyP999")))


def _map_lines(m: Map, paint: Paint) -> list[str]:
    array = f" {m['Vendor']},{m['Product']}" if m["Vendor"] else ""
    lines = [f"{paint(m.name, 'bold')} ({m['Wwid'] or 'its LUN was never seen'}){array} "
             f"{paint.state(m['State'])}",
             f"size={text.size(m['Size'])} features='{m['Features']}' hwhandler='{m.hw_handler}' "
             f"paths={m['ValidPaths']}/{m['NrPaths']} in-flight={m['InFlight']} held={m['Held']}",
             f"iops={m['Iops']} read={text.size(m['ReadRate'])}/s write={text.size(m['WriteRate'])}/s "
             f"{_latencies(m)} path-faults={m['PathFaults']} switches={m['GroupSwitches']}"]
    if m["Fenced"]:
        lines[1] += f" fenced={m['Fenced']}"
    if m["HedgedReads"]:
        lines[2] += f" hedged={m['Hedged']} won={m['HedgesWon']}"
    errors = text.counts(m["Errors"])
    if errors:
        lines.append(f"answers: {errors}")
    if m["WritesWait"]:
        lines.append(paint(f"held: {m['WritesWait']}", "yellow"))
    if m["Warning"]:
        lines.append(paint(f"warning: {m['Warning']}", "yellow"))
    return lines


def _group_line(group: Group, paint: Paint) -> str:
    priority = "" if group.priority is None else f" prio={group.priority}"
    return (f"group {group['Number']}: policy='{group['Selector']}'{priority} "
            f"status={paint.state(group['State'])} paths={group['ValidPaths']}/{group['NrPaths']}")


def _path_lines(path: Path, paint: Paint) -> list[str]:
    words = [f"{path['Device'] or '-':<5} {path['Name']:<7}", paint.state(path["State"], 8)]
    if path["AluaState"]:
        words.append(path["AluaState"])
    if path["Priority"] >= 0:
        words.append(f"prio={path['Priority']}")
    words.append(f"in-flight={path['InFlight']} iops={path['Iops']} {_latencies(path)} "
                 f"failed={path['FailCount']}")
    if path["Slow"]:
        words.append("slow")
    if path["ReadOnly"]:
        words.append("read-only")
    lines = [" ".join(words)]
    if path["Reason"]:
        lines.append(f"  {path['Reason']}")
    if path["Address"] not in (path["Name"], "/dev/" + path["Device"]):
        lines.append(f"  {path['Address']}")
    errors = text.counts(path["Errors"])
    if errors:
        lines.append(f"  errors: {errors}")
    return lines


def tree(m: Map, paint: Paint) -> str:
    """The lines of one map."""
    lines = _map_lines(m, paint)
    for group in m.groups:
        last_group = group is m.groups[-1]
        lines.append(("`-+- " if last_group else "|-+- ") + _group_line(group, paint))
        trunk = "  " if last_group else "| "
        for path in group.paths:
            last_path = path is group.paths[-1]
            first, *more = _path_lines(path, paint)
            lines.append(trunk + ("`- " if last_path else "|- ") + first)
            lines.extend(trunk + ("   " if last_path else "|  ") + line for line in more)
    return "\n".join(lines)
