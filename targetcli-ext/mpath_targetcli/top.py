# SPDX-License-Identifier: GPL-2.0-or-later
"""`mpathctl top`: the load of maps and paths, again and again."""

import sys
import time
from collections.abc import Callable

from . import text
from .model import Map, Thing

_HOME_AND_CLEAR = "\033[H\033[J"

HEAD = ["MAP", "PATH", "STATE", "FLY", "IOPS", "READ/s", "WRITE/s", "P50", "P99", "P99.9", "FAILED"]
LEFT = 3        # columns of words; numbers follow


def _load(thing: Thing) -> list[str]:
    return [str(thing["InFlight"]), str(thing["Iops"]), text.size(thing["ReadRate"]),
            text.size(thing["WriteRate"]), text.microseconds(thing["LatencyP50"]),
            text.microseconds(thing["LatencyP99"]), text.microseconds(thing["LatencyP999"])]


def rows(maps: list[Map]) -> list[list[str]]:
    """A row for each map, the busiest first, and below it one for each of its paths."""
    result = [HEAD]
    for m in sorted(maps, key=lambda m: (-m["Iops"], m.name)):
        result.append([m.name, f"{m['ValidPaths']}/{m['NrPaths']}", m["State"], *_load(m),
                       str(m["PathFaults"])])
        result.extend(["", path["Device"] or path["Name"], path["State"], *_load(path),
                       str(path["FailCount"])] for path in m.paths)
    return result


def run(maps: Callable[[], list[Map]], seconds: float, count: int | None) -> None:
    """Shows what maps() returns every so many seconds, `count` times or for ever."""
    clears = sys.stdout.isatty()
    while True:
        lines = text.table(rows(maps()), LEFT)
        print((_HOME_AND_CLEAR if clears else "") + "\n".join(lines), flush=True)
        if count is not None:
            count -= 1
            if count <= 0:
                return
        time.sleep(seconds)
