# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 600
"""Every command of mpathctl, with a map in service: as it should be, and with what is refused.

What they print in every detail is in tests/control/test_mpathctl.py; import is in discover.py.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from unittest import mock

from lib import case, fio, system, topology
from lib.case import defer, expect, expect_equal
from lib.mpath import Map
from lib.runner import Runner
from lib.system import wait_for

REFUSED, USAGE, NO_SUCH_MAP, NOT_SERVING = 1, 2, 3, 4


def mpathctl(*words, status=0, stdin=""):
    """What it printed; an error's text if it was to fail.

    All of it but the process: dozens of times to start Python and to load gi would take minutes here.
    """
    from mpath_targetcli import cli
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))):
        try:
            ended = cli.main(list(words))
        except SystemExit as end:           # argparse
            ended = end.code
    expect_equal(ended, status, f"status of mpathctl {words} ({err.getvalue().strip()})")
    return err.getvalue() if status else out.getvalue()


def as_json(command, *words):
    document = json.loads(mpathctl(command, "--json", *words))
    expect_equal((document["major_version"], document["minor_version"]), (0, 1), "version of --json")
    return document


def shown():
    """The map as `show --json` has it, and its paths by number."""
    found, = as_json("show", "mpatha")["maps"]
    return found, {path["dev_t"]: path for group in found["path_groups"] for path in group["paths"]}


def start():
    runner = Runner()
    defer(runner.end)
    runner.start()
    made = topology.LioLoopback(3)
    defer(made.teardown)
    served = Map(made.paths[:2])
    defer(served.delete)
    served.wait_in_use()
    return runner, made, served


def test_seeing():
    """list, show, status, top, metrics, each also for programs."""
    _, made, served = start()
    load = fio.Fio(served, 300, rate=2)     # for as long as it takes to see all
    defer(load.kill)
    load.wait_load()
    names = [os.path.basename(path.dev) for path in served.paths]
    expect_equal(mpathctl("list"), "mpatha\n", "list")
    expect_equal([m["uuid"] for m in as_json("list")["maps"]], [made.wwid], "list --json")
    tree = mpathctl("show")
    for part in (f"mpatha ({made.wwid}) ", "policy='round-robin'", *names):
        expect(part in tree, f"{part!r} is not in {tree}")
    found, paths = shown()
    expect_equal((found["name"], found["uuid"], found["paths"], sorted(paths)),
                 ("mpatha", made.wwid, 2, sorted(path.devno for path in served.paths)), "show --json")
    expect_equal(mpathctl("status", "mpatha", "--table"), served.status("table") + "\n",
                 "status --table")
    expect(mpathctl("status", "mpatha", "--info").startswith("2 0 "), "status --info")
    expect(mpathctl("status", "mpatha", "--ima").startswith("target_name=multipath,"), "status --ima")
    expect(made.wwid in mpathctl("status", "mpatha"), "status")
    expect_equal(as_json("status", "mpatha")["map"]["uuid"], made.wwid, "status --json")
    # The second look sees a rate.
    rows = [line.split() for line in mpathctl("top", "-n", "2", "-d", "2").splitlines()]
    expect_equal([row[0] for row in rows[4:]], ["MAP", "mpatha", *names], "top")
    expect(int(rows[5][4]) > 0, f"IOPS of the map: {rows[5]}")
    metrics = mpathctl("metrics")
    for line in ('mpath_map_paths{map="mpatha"} 2', "# TYPE mpath_map_commands_total counter"):
        expect(line in metrics.splitlines(), f"{line!r} is not in {metrics}")
    result = load.stop()
    expect(result.clean and result.reads and result.writes, f"{result!r}")


def test_steering():
    """What changes the map, what others are told of it, and what is refused."""
    _, made, served = start()
    a, b = (path.devno for path in served.paths)
    third = made.paths[2]
    with open("/run/events", "w") as out:
        listener = subprocess.Popen(["mpathctl", "events", "--json", "mpatha"], stdout=out)
    defer(listener.kill)

    def listens():
        """Something happens until it is told."""
        mpathctl("disable", "mpatha", "2")
        mpathctl("enable", "mpatha", "2")
        return os.path.getsize("/run/events")
    wait_for(listens, 30, "events")

    mpathctl("fail", "mpatha", a)
    expect_equal(shown()[1][a]["state"], "failed-by-message", "after fail")
    mpathctl("reinstate", "mpatha", a)
    served.wait_in_use()
    mpathctl("disable", "mpatha", "1")
    expect_equal(shown()[0]["path_groups"][0]["dm_st"], "disabled", "after disable")
    mpathctl("enable", "mpatha", "1")
    mpathctl("switch", "mpatha", "2")
    expect_equal(shown()[0]["next_group"], 2, "after switch")
    mpathctl("add", "mpatha", third.dev)
    wait_for(lambda: shown()[1].get(third.devno, {}).get("state") == "active", 10, "after add")
    mpathctl("remove", "mpatha", third.devno)
    expect(third.devno not in shown()[1], "after remove")
    mpathctl("suspend", "mpatha")
    expect("suspended" in mpathctl("status", "mpatha"), "after suspend")
    mpathctl("resume", "mpatha")
    mpathctl("reload", "mpatha", "-", stdin=f"0 0 1 1 queue-length 0 2 1 {b} 1 {a} 1")
    wait_for(lambda: [group["selector"] for group in shown()[0]["path_groups"]] == ["queue-length"], 5,
             "after reload")
    mpathctl("reload", "mpatha")        # its map file
    wait_for(lambda: len(shown()[0]["path_groups"]) == 2, 5, "after reload of the map file")
    expect_equal(mpathctl("message", "mpatha", "fail_if_no_path"), "", "message")
    expect(not served.status("table").startswith("1 queue_if_no_path"), "after fail_if_no_path")
    mpathctl("message", "mpatha", "queue_if_no_path")
    expect("forget_wwid: a path of the map is in use" in
           mpathctl("forget-wwid", "mpatha", status=REFUSED), "forget-wwid with usable paths")

    wait_for(lambda: system.read("/run/events").count('"policy"') >= 2, 10, "the last events")
    listener.terminate()
    events = [json.loads(line)["event"] for line in system.read("/run/events").splitlines()]
    kinds = [event["kind"] for event in events]
    wanted = ["path-failed", "path-reinstated", "group-disabled", "group-enabled", "group-asked-for",
              "path-added", "path-removed", "suspended", "resumed", "reloaded", "reloaded"]
    rest = iter(kinds)
    expect(all(kind in rest for kind in wanted), f"{wanted} are not in {kinds}, in this order")
    numbers = [event["sequence"] for event in events]
    expect_equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "sequence")

    table = served.status("table")
    for words, status, part in (
            (("fail", "mpatha", "8:255"), REFUSED, "error getting device 8:255"),
            (("reinstate", "mpatha", "nonsense"), REFUSED, "nonsense"),
            (("switch", "mpatha", "9"), REFUSED, "invalid PG number"),
            (("enable", "mpatha", "x"), REFUSED, "invalid PG number"),
            (("disable", "mpatha", "0"), REFUSED, "invalid PG number"),
            (("add", "mpatha", a), REFUSED, f"path {a} is in the map already"),
            (("remove", "mpatha", "8:255"), REFUSED, "path 8:255 is not in map mpatha"),
            (("reload", "mpatha", "/none"), REFUSED, "/none: No such file"),
            (("message", "mpatha", "nonsense", "x"), REFUSED, "nonsense"),
            (("check", "0 0 1 1 nonsense 0 1 1 8:0 1"), REFUSED, "nonsense"),
            (("check", "/none"), REFUSED, "no such file"),
            (("metrics", "-o", "/none/x"), REFUSED, "/none/x: No such file"),
            (("show", "none"), NO_SUCH_MAP, "there is no map none"),
            (("top", "none"), NO_SUCH_MAP, "there is no map none"),
            (("events", "none"), NO_SUCH_MAP, "there is no map none"),
            (("status", "none"), NO_SUCH_MAP, "there is no map none"),
            (("release", "none"), NO_SUCH_MAP, "there is no map none"),
            (("suspend", "none"), NO_SUCH_MAP, "there is no map none"),
            (("resume", "none"), NO_SUCH_MAP, "there is no map none"),
            (("list", "more"), USAGE, "unrecognized arguments: more")):
        error = mpathctl(*words, status=status)
        expect(part in error, f"{part!r} is not in {error!r}")
    expect_equal(served.status("table"), table, "the table after what was refused")


def test_leaving():
    """A dry run; before a shutdown; another LUN is let in; and nobody there at all."""
    runner, _, served = start()
    expect_equal(mpathctl("check", f"/etc/tcmu/mpath.d/{served.name}.map").splitlines()[0],
                 as_json("check", f"/etc/tcmu/mpath.d/{served.name}.map")["report"].splitlines()[0],
                 "check")
    expect("paths: 1" in mpathctl("check", "0 0 1 1 round-robin 0 1 1 8:0 1"), "check of a table")
    for path in served.paths:
        mpathctl("fail", "mpatha", path.devno)
    expect_equal(shown()[0]["state"], "queueing", "state without a path")
    mpathctl("release")
    expect_equal(shown()[0]["state"], "failing", "after release")
    mpathctl("forget-wwid", "mpatha")
    expect_equal(shown()[0]["uuid"], "", "after forget-wwid")
    runner.stop()
    # The script itself, once.
    gone = subprocess.run(["mpathctl", "list"], capture_output=True, text=True)
    expect_equal(gone.returncode, NOT_SERVING, "mpathctl list without a service")
    expect("is tcmu-runner running" in gone.stderr, gone.stderr)


if __name__ == "__main__":
    case.main()
