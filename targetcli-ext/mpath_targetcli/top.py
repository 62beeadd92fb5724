# SPDX-License-Identifier: GPL-2.0-or-later
"""`mpathctl top`: the load of maps and paths, again and again."""

import shutil
import sys
import time
from collections.abc import Callable

from . import text
from .client import BusGone, NoAnswer, NoSuchMap, NotServing
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


def fitted(lines: list[str], columns: int, rows: int) -> list[str]:
    """What a terminal of this size has room for, with the cursor below it."""
    if len(lines) >= rows:
        room = max(rows - 2, 0)
        lines = [*lines[:room], f"{len(lines) - room} lines more"][:rows - 1]
    return [line[:columns] for line in lines]


def _show(maps: list[Map]) -> None:
    lines, clear = text.table(rows(maps), LEFT), ""
    if sys.stdout.isatty():
        lines, clear = fitted(lines, *shutil.get_terminal_size()), _HOME_AND_CLEAR
    print(clear + "\n".join(lines), flush=True)


def run(maps: Callable[[], list[Map]], seconds: float, count: int | None) -> None:
    """Shows what maps() returns every so many seconds, `count` times or for ever.

    Once there was something to be seen it goes on when there is nothing: tcmu-runner may be restarted.
    """
    left, seen = count, False
    while True:
        try:
            _show(maps())
            seen = True
        except (NotServing, NoAnswer, NoSuchMap) as error:
            if not seen or isinstance(error, BusGone):
                raise
            print(f"mpathctl: {error}", file=sys.stderr, flush=True)
        if left is not None:
            left -= 1
            if left <= 0:
                return
        time.sleep(seconds)
