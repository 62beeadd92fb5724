# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers and states for people: units, and colour on a terminal."""

import os
import sys

_COLOURS = {"green": "\033[32m", "yellow": "\033[33m", "red": "\033[31m", "bold": "\033[1m"}
_RESET = "\033[0m"

# What the colour of a state says: it works, it may, it does not.
STATE_COLOURS = {"active": "green", "enabled": "", "disabled": "yellow",
                 "in-doubt": "yellow", "queueing": "yellow", "suspended": "yellow",
                 "stopping": "yellow", "failing": "red", "failed": "red",
                 "failed-by-message": "red", "excluded": "red"}


class Paint:
    """Colours text, or leaves it as it is."""

    def __init__(self, colours: bool):
        self.colours = colours

    def __call__(self, text: str, colour: str) -> str:
        return f"{_COLOURS[colour]}{text}{_RESET}" if self.colours and colour else text

    def state(self, state: str, width: int = 0) -> str:
        return self(state.ljust(width), STATE_COLOURS.get(state, ""))


def terminal_paint() -> Paint:
    """Colours if standard output is a terminal, and NO_COLOR (no-color.org) does not forbid it."""
    return Paint(sys.stdout.isatty() and not os.environ.get("NO_COLOR")
                 and os.environ.get("TERM") != "dumb")


def size(nr_bytes: int) -> str:
    """As multipath -ll has it: 64M, 1.5G."""
    value, unit = float(nr_bytes), ""
    for larger in "KMGTPE":
        if value < 1023.5:      # what is more would be rounded to 1024
            break
        value, unit = value / 1024, larger
    text = f"{value:.1f}".rstrip("0").rstrip(".") if value < 100 else f"{value:.0f}"
    return text + unit


def microseconds(time_us: int) -> str:
    """A latency: 640us, 3.1ms, 2.5s, 1235s for what has waited for a path; "-" for none."""
    if not time_us:
        return "-"
    if time_us < 1000:
        return f"{time_us}us"
    if time_us < 1000 * 1000:
        return f"{time_us / 1000:.3g}ms" if time_us < 999500 else "1s"
    return f"{time_us / 1e6:.3g}s" if time_us < 999_500_000 else f"{time_us / 1e6:.0f}s"


def counts(errors: dict[str, int]) -> str:
    """{"timeout": 2, "busy": 1} as "1 busy, 2 timeout"; what is 0 is left out."""
    return ", ".join(f"{number} {kind}" for kind, number in sorted(errors.items()) if number)


def table(rows: list[list[str]], left: int) -> list[str]:
    """Lines with aligned columns: the first `left` of them to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [" ".join(cell.ljust(width) if i < left else cell.rjust(width)
                     for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in rows]
