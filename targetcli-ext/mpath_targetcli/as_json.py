# SPDX-License-Identifier: GPL-2.0-or-later
"""Maps as JSON: the field names of `multipathd list maps json`, and more of our own.

Fields of multipathd that mean nothing here (sysfs, action, host WWNs ...) are left out.  The handler's
own "json" (handler/control/json.c) has the same names and values, but for the rates.  A name says its
time's unit; sizes and rates are in bytes.
"""

import json
from typing import Any

from .model import Group, Map, Path, Thing

# Of this format, as multipathd's JSON has them.
VERSION = {"major_version": 0, "minor_version": 1}

# multipathd's words for a path's state: in the map, and by its checker.
_PATH_STATES = {"active": ("active", "ready"), "in-doubt": ("active", "i/o pending"),
                "failed": ("failed", "faulty"), "failed-by-message": ("failed", "undef"),
                "excluded": ("failed", "undef")}


def _statistics(thing: Thing) -> dict[str, Any]:
    return {"in_flight": thing["InFlight"], "reads": thing["Reads"], "writes": thing["Writes"],
            "others": thing["Others"], "read_bytes": thing["ReadBytes"],
            "write_bytes": thing["WriteBytes"], "iops": thing["Iops"],
            "read_rate": thing["ReadRate"], "write_rate": thing["WriteRate"],
            "latency_p50_us": thing["LatencyP50"], "latency_p99_us": thing["LatencyP99"],
            "latency_p999_us": thing["LatencyP999"], "errors": thing["Errors"]}


def _write_prot(read_only: bool) -> str:
    return "ro" if read_only else "rw"


def _path(path: Path, checker: str) -> dict[str, Any]:
    dm_state, checker_state = _PATH_STATES.get(path["State"], ("undef", "undef"))
    return {"dev": path["Device"] or "-", "dev_t": path["Name"], "dm_st": dm_state,
            "dev_st": "running" if path["Device"] else "unknown", "chk_st": checker_state,
            "checker": checker, "pri": path["Priority"], "number": path["Number"],
            "address": path["Address"], "uuid": path["Wwid"], "state": path["State"],
            "reason": path["Reason"], "slow": path["Slow"], "fail_count": path["FailCount"],
            "write_prot": _write_prot(path["ReadOnly"]), "alua_state": path["AluaState"],
            "queue_depth": path["QueueDepth"], "max_transfer": path["MaxTransfer"],
            **_statistics(path)}


def _group(group: Group, checker: str) -> dict[str, Any]:
    return {"selector": group["Selector"],
            "pri": -1 if group.priority is None else group.priority, "dm_st": group["State"],
            "group": group["Number"], "in_flight": group["InFlight"],
            "paths": [_path(path, checker) for path in group.paths]}


def map_fields(m: Map) -> dict[str, Any]:
    """One map."""
    return {"name": m.name, "uuid": m["Wwid"], "failback": m["Failback"],
            "queueing": "on" if m["QueueIfNoPath"] else "off", "paths": m["ValidPaths"],
            "write_prot": _write_prot(any(path["ReadOnly"] for path in m.paths)),
            "dm_st": "suspend" if m["State"] == "suspended" else "active",
            "features": m["Features"], "hwhandler": m.hw_handler, "path_faults": m["PathFaults"],
            "vend": m["Vendor"], "prod": m["Product"], "rev": m["Revision"],
            "switch_grp": m["GroupSwitches"], "hedged_reads": m["HedgedReads"],
            "hedged": m["Hedged"], "hedges_won": m["HedgesWon"], "state": m["State"], "size": m["Size"],
            "block_size": m["BlockSize"], "nr_paths": m["NrPaths"], "group": m["CurrentGroup"],
            "next_group": m["NextGroup"], "held": m["Held"], "writes_wait": m["WritesWait"], "waiting": m["Waiting"],
            "delayed": m["Delayed"], "fenced": m["Fenced"], "queue_depth": m["QueueDepth"],
            "max_transfer": m["MaxTransfer"], "cmd_time_out_ms": m["CmdTimeOut"],
            "cmd_time_out_needed_ms": m["CmdTimeOutNeeded"],
            "warning": m["Warning"], "last_event": m["LastEvent"], **_statistics(m),
            "path_groups": [_group(group, m["Checker"]) for group in m.groups]}


def document(**content: Any) -> str:
    """A whole answer: version, then content."""
    return json.dumps({**VERSION, **content}, indent=3)


def line(**content: Any) -> str:
    """The same on one line, for streams."""
    return json.dumps({**VERSION, **content})


def maps_document(maps: list[Map]) -> str:
    return document(maps=[map_fields(m) for m in maps])
