# SPDX-License-Identifier: GPL-2.0-or-later
"""tests/bench/results.json, and the build that is measured."""

import json
import os
import subprocess
import sys
from typing import Any

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
RELEASE = os.path.join(REPO, "build", "release")
RESULTS = os.path.join(REPO, "tests", "bench", "results.json")


def build(*targets):
    for command in (["cmake", "--preset", "release"],
                    ["cmake", "--build", "--preset", "release", "-j2", "--target", *targets]):
        done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode:
            sys.exit(done.stdout)


def compiler():
    version = subprocess.run(["gcc", "-dumpfullversion"], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.strip()
    return f"gcc {version}"


def load() -> dict[str, Any]:
    with open(RESULTS) as f:
        return json.load(f)


def save(section, figures):
    """Replaces one section; the others stay."""
    results = load()
    results[section] = figures
    with open(RESULTS, "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")


def middle(spread):
    """Of what is recorded as [least, median, most], or of one value."""
    return spread[len(spread) // 2]


def check(figures, limits, unit):
    """Prints each figure that has a limit; how many are above theirs."""
    above = 0
    for name, limit in limits.items():
        above += figures[name] > limit
        print(f"{'FAIL' if figures[name] > limit else 'ok':4} {name}: {figures[name]:g} {unit}, "
              f"at most {limit:.4g}")
    return above
