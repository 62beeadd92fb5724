# SPDX-License-Identifier: GPL-2.0-or-later
"""All maps in Prometheus's text format (0.0.4), which node_exporter's textfile collector reads, too.

Not as OpenMetrics: node_exporter refuses a whole file for one of the types that only that has (info, stateset).
"""

from collections.abc import Iterator

from .model import Map, Properties, Thing

MAP_STATES = ("active", "queueing", "failing", "suspended", "stopping")
PATH_STATES = ("active", "in-doubt", "failed", "failed-by-message", "excluded")

# name, help text, property
MAP_GAUGES = (
    ("size_bytes", "Size of the LUN; 0 if it was never seen.", "Size"),
    ("paths", "Paths of the map.", "NrPaths"),
    ("valid_paths", "Usable paths of the map.", "ValidPaths"),
    ("current_group", "Number of the group in use.", "CurrentGroup"),
    ("held_commands", "Commands that wait for a path.", "Held"),
    ("waiting_commands", "Commands that wait for room on a path.", "Waiting"),
    ("delayed_commands", "Commands that are tried again.", "Delayed"),
    ("fenced_commands", "Lost writes whose old copy may still land.", "Fenced"))

Labels = dict[str, str]
Sample = tuple[Labels, float]


def _labels(labels: Labels) -> str:
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
               for name, value in labels.items()}
    return ",".join(f'{name}="{value}"' for name, value in escaped.items())


def _family(name: str, kind: str, text: str, samples: list[Sample]) -> list[str]:
    """A metric family: its samples must not be mixed with another's."""
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}",
            *(f"{name}{{{_labels(labels)}}} {value}" for labels, value in samples)]


def _state_set(name: str, labels: Labels, states: tuple[str, ...], state: str) -> Iterator[Sample]:
    """1 for the state that it is, 0 for all others."""
    return (({**labels, name: one}, int(one == state)) for one in states)


# For things that have the statistics of both maps and paths: (labels, thing).
Things = list[tuple[Labels, Thing]]


def _gauge(things: Things, key: str) -> list[Sample]:
    return [(labels, thing[key]) for labels, thing in things]


def _counter(things: Things, keys: dict[str, str], label: str) -> list[Sample]:
    """Several properties as one counter, told apart by a label."""
    return [({**labels, label: value}, thing[key])
            for labels, thing in things for key, value in keys.items()]


def _one_counter(things: Things, key: str) -> list[Sample]:
    return [(labels, thing[key]) for labels, thing in things]


def _errors(things: Things) -> list[Sample]:
    return [({**labels, "kind": kind}, number)
            for labels, thing in things for kind, number in sorted(thing["Errors"].items())]


def _latency(things: Things) -> list[Sample]:
    """0 means that there were no commands: then there is none.  The label "quantile" is a summary's."""
    return [({**labels, "percentile": percentile}, thing[key] / 1e6)
            for labels, thing in things
            for key, percentile in (("LatencyP50", "50"), ("LatencyP99", "99"),
                                    ("LatencyP999", "99.9")) if thing[key]]


def _statistics(prefix: str, things: Things) -> list[str]:
    """What maps and paths both have."""
    lines = _family(f"{prefix}_in_flight_commands", "gauge", "Commands on the way.",
                    _gauge(things, "InFlight"))
    lines += _family(f"{prefix}_commands_total", "counter", "Commands answered with GOOD.",
                     _counter(things, {"Reads": "read", "Writes": "write", "Others": "other"}, "kind"))
    lines += _family(f"{prefix}_transferred_bytes_total", "counter", "Data of those commands.",
                     _counter(things, {"ReadBytes": "read", "WriteBytes": "write"}, "direction"))
    lines += _family(f"{prefix}_errors_total", "counter", "What was not GOOD, by kind.", _errors(things))
    # No summary: its sum and count, which we have not, node_exporter would make up, as 0.
    lines += _family(f"{prefix}_latency_seconds", "gauge",
                     "From the arrival of a command to its answer, in the last 10 to 20 s.",
                     _latency(things))
    return lines


def _of_maps(maps: list[Map]) -> list[str]:
    things: Things = [({"map": m.name}, m) for m in maps]
    lines = _family("mpath_map_info", "gauge", "The LUN of a map.",
                    [({"map": m.name, "wwid": m["Wwid"], "vendor": m["Vendor"],
                       "product": m["Product"], "revision": m["Revision"]}, 1) for m in maps])
    lines += _family("mpath_map_state", "gauge", "What becomes of commands now.",
                     [sample for m in maps
                      for sample in _state_set("mpath_map_state", {"map": m.name}, MAP_STATES, m["State"])])
    for name, help_text, key in MAP_GAUGES:
        lines += _family("mpath_map_" + name, "gauge", help_text, _gauge(things, key))
    lines += _family("mpath_map_path_faults_total", "counter", "How often a path has failed.",
                     _one_counter(things, "PathFaults"))
    lines += _family("mpath_map_group_switches_total", "counter", "How often the group changed.",
                     _one_counter(things, "GroupSwitches"))
    lines += _family("mpath_map_hedged_reads_total", "counter", "READs that were sent a second time.",
                     _one_counter(things, "Hedged"))
    lines += _family("mpath_map_hedges_won_total", "counter", "Those that were answered by the second.",
                     _one_counter(things, "HedgesWon"))
    return lines + _statistics("mpath_map", things)


def _of_paths(maps: list[Map]) -> list[str]:
    # The address is in the table, and may be there twice: number tells the two apart.
    things: Things = [({"map": m.name, "number": str(path["Number"]), "address": path["Address"]},
                       path) for m in maps for path in m.paths]
    lines = _family("mpath_path_info", "gauge", "The device of a path.",
                    [({**labels, "device": thing["Device"], "name": thing["Name"]}, 1)
                     for labels, thing in things])
    lines += _family("mpath_path_state", "gauge", "Whether the path is used.",
                     [sample for labels, thing in things
                      for sample in _state_set("mpath_path_state", labels, PATH_STATES,
                                               thing["State"])])
    lines += _family("mpath_path_slow", "gauge", "1: not used while its peers serve, which are faster.",
                     [(labels, int(thing["Slow"])) for labels, thing in things])
    lines += _family("mpath_path_priority", "gauge", "Higher is better; -1 if not known.",
                     _gauge(things, "Priority"))
    lines += _family("mpath_path_failures_total", "counter", "How often it has failed.",
                     _one_counter(things, "FailCount"))
    return lines + _statistics("mpath_path", things)


def text(manager: Properties, maps: list[Map]) -> str:
    """The whole exposition.  OtherVersion if the handler is too old for it."""
    service = Thing("", manager)
    lines = _family("mpath_info", "gauge", "tcmu-mpath.",
                    [({"version": service["Version"], "build": service["BuildId"]}, 1)])
    return "\n".join(lines + _of_maps(maps) + _of_paths(maps)) + "\n"
