#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The extension of targetcli, through targetcli itself; and that nothing else notices it."""

import glob
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from lib import case, lio, mpath, topology
from lib.case import defer, expect, expect_equal
from lib.runner import Runner, all_handlers
from lib.system import read, run, wait_for
from lib.targetcli import targetcli

PTH = "/usr/lib/python3/dist-packages/tcmu-mpath.pth"
NODE = "/backstores/user:mpath"


def start(n=2, runner=None):
    """tcmu-runner and a LUN over n paths."""
    runner = runner or Runner(handlers=all_handlers())
    defer(runner.end)
    runner.start()
    made = topology.LioLoopback(n)
    defer(made.teardown)
    defer(remove_backstores)
    return made


def remove_backstores():
    """What a case that failed has left."""
    for directory in glob.glob(f"{lio.TARGET}/core/user_*/*/"):
        os.rmdir(directory)


def write_map(name, **keys):
    file = f"{mpath.MAP_DIR}/{name}.map"
    with open(file, "w") as f:
        f.write("[multipath]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()))
    defer(os.unlink, file)


def delete(cli, name):
    cli.good(f"{NODE} delete {name}", f"Deleted storage object {name}")


def only(name, file):
    """A saved configuration without what is there still, the LUN below: targetcli would restore nothing."""
    with open(file) as f:
        saved = json.load(f)
    saved["storage_objects"] = [so for so in saved["storage_objects"] if so["name"] == name]
    saved["targets"] = []
    with open(file, "w") as f:
        json.dump(saved, f)


def time_out(name):
    found, = glob.glob(f"{lio.TARGET}/core/user_*/{name}/attrib/cmd_time_out")
    return read(found)


def test_create():
    """By paths, by map and by WWID: the size is the LUN's, and cmd_time_out what queueing needs."""
    made = start()
    mib = f"({made.paths[0].sectors >> 11}.0MiB)"
    write_map("waits", paths=";".join(path.dev for path in made.paths), no_path_retry="queue")
    cli = targetcli()
    cli.good(f"{NODE} help create", r"(?s)paths=/dev/sda,/dev/sdb.*CFGSTRING FORMAT")
    cli.good(f"{NODE} create name=list paths={made.paths[0].dev},{made.paths[1].dev}",
             "(?s)Created user-backed storage object list size.*"
             "Set cmd_time_out to 42: so long a lost write may be waited for")
    wait_for(lambda: mib in cli(f"{NODE} ls"), 20, "the LUN's size")
    expect_equal(time_out("list"), "42", "cmd_time_out")
    wait_for(lambda: "warning" not in mpath.map_call("list", "Status", "s", "detail"), 20,
             "the handler finds it long enough")
    delete(cli, "list")
    cli.good(f"{NODE} create name=lun0 map=waits", "Set cmd_time_out to 0: commands may wait for a path")
    expect_equal(time_out("lun0"), "0", "cmd_time_out")
    wait_for(lambda: re.search(rf"lun0 \.+ \[waits {re.escape(mib)} .*, 2 of 2 paths\]", cli(f"{NODE} ls")),
             20, "size and paths in the tree")
    delete(cli, "lun0")
    cli.good(f"{NODE} create name=lun2 wwid={made.wwid}", "Created user-backed storage object lun2")
    wait_for(lambda: re.search(rf"lun2 \.+ \[wwid={made.wwid} .*, 2 of 2 paths\]", cli(f"{NODE} ls")),
             20, "the paths to the LUN in the tree")
    # It is restored as it was, also after its dev_config was written once more, which reloads it.
    cli.good(f"{NODE}/lun2 set attribute dev_config=mpath/wwid={made.wwid}",
             f"Parameter dev_config is now 'mpath/wwid={made.wwid}'")
    cli.good(f"{NODE}/lun2 set attribute dev_config=mpath/wwid=naa.6001", "Cannot set attribute dev_config")
    cli.good("saveconfig /run/saved.json", "Configuration saved to /run/saved.json")
    delete(cli, "lun2")
    only("lun2", "/run/saved.json")
    cli.good("restoreconfig /run/saved.json", "Configuration restored from /run/saved.json")
    wait_for(lambda: re.search(rf"lun2 \.+ \[wwid={made.wwid} .*, 2 of 2 paths\]", cli(f"{NODE} ls")),
             20, "the paths to the restored LUN in the tree")
    delete(cli, "lun2")
    # As for any user-backed storage object, in scripts of yesterday.
    cli.good(f"{NODE} create lun1 0 {made.paths[0].dev}", "Created user-backed storage object lun1")
    delete(cli, "lun1")
    cli.end()


def test_refused():
    made = start()
    device = made.paths[0].dev
    cli = targetcli()
    for words, reason in (
            ("name=bad", r"give one of paths=, wwid=, map= \(or cfgstring=\), there is none"),
            (f"name=bad map=a paths={device}", "give one of .*, only one"),
            ("name=bad map=none", r"cfgstring invalid: /etc/tcmu/mpath\.d/none\.map: cannot be read"),
            ("name=bad wwid=naa.6001", 'wwid: "naa.6001", expected a WWID as "multipath -ll" prints it'),
            ("name=bad paths=sda", 'paths=: "sda", expected an absolute path name')):
        cli.good(f"{NODE} create {words}", reason)
    expect_equal(glob.glob(f"{lio.TARGET}/core/user_*/*/"), [], "left in configfs")
    cli.good(f"{NODE} create name=good paths={device}", "Created")
    cli.good(f"{NODE} create name=good paths={device}", "UserBackedStorageObject creation failed: .*exists")
    delete(cli, "good")
    write_map("mpatha", paths=device)
    cli.good(f"{NODE} create name=good map=mpatha", "Created")
    cli.good(f"{NODE} create name=bad map=mpatha", "creation failed: .*; the map mpatha has a backstore already")
    delete(cli, "good")
    cli.end()


def test_steer():
    """What the storage object's own commands do, and how they refuse."""
    made = start()
    a, b = made.paths
    write_map("mpatha", paths=f"{a.dev};{b.dev}", grouping="failover", failback="manual")
    cli = targetcli()
    cli.good(f"{NODE} create name=lun0 map=mpatha", "Created")
    lun = f"{NODE}/lun0"
    served = lambda kind: mpath.map_call("mpatha", "Status", "s", kind)     # noqa: E731
    wait_for(lambda: all(f"{path.devno} A " in served("info") for path in made.paths), 10, "in use")

    cli.good(f"{lun} status", rf"(?s)^mpatha: {made.wwid}, .*group 2: .*{b.devno}: active")
    cli.good(f"{lun} fail {a.sd}", "^$")
    wait_for(lambda: f"{a.devno} F " in served("info"), 5, "the path failed")
    # A second line for the counts that the storage object's own cache of half a second may have had.
    wait_for(lambda: "1 of 2 paths" in cli(f"{NODE} ls"), 10, "the count in the tree")
    cli.good(f"{lun} paths", rf"(?m)^{a.sd} +{a.devno} +failed-by-message +1 .*\n{b.sd} +{b.devno} +active +2 ")
    cli.good(f"{lun} reinstate {a.devno}", "^$")
    wait_for(lambda: f"{a.devno} A " in served("info"), 5, "the path is back")
    cli.good(f"{lun} switch 2", "^$")
    expect(re.match(r"2 \d+ \d+ 0 2 2 ", served("info")), f"not switched: {served('info')}")
    cli.good(f"{lun} message queue_if_no_path", "^$")
    expect(served("table").startswith("1 queue_if_no_path "), "queues")
    for line, reason in (("fail sdzz", "message: error getting device sdzz"),
                         ("switch 3", "invalid PG number supplied to switch_pg_num"),
                         ("message frobnicate 1", 'Unrecognised multipath message received: "frobnicate 1"'),
                         ("fail", "Missing required parameter path")):
        cli.good(f"{lun} {line}", reason)
    delete(cli, "lun0")
    cli.end()


def test_restarted():
    """tcmu-runner goes, and comes back, under a targetcli that runs: it says so, and goes on."""
    runner = Runner(handlers=all_handlers())
    made = start(runner=runner)
    device = made.paths[0].dev
    cli = targetcli()
    cli.good(f"{NODE} create name=lun0 paths={device}", "Created")
    runner.kill()
    for line in (f" create name=lun1 paths={device}", "/lun0 status", f"/lun0 fail {made.paths[0].sd}"):
        cli.good(NODE + line, r"no maps are served \(.*\): is tcmu-runner running\?")
    cli.good(f"{NODE} ls", r"lun0 .*, not in service\]")
    runner.start()
    cli.good(f"{NODE} create name=lun1 map=none", "cfgstring invalid: .*none.map: cannot be read")
    cli.good(f"{NODE} create name=lun1 paths={made.paths[1].dev}", "Created")
    wait_for(lambda: re.search(r"lun0 .*, 1 of 1 paths\]", cli(f"{NODE} ls")), 20, "the LUN is back")
    delete(cli, "lun1")
    delete(cli, "lun0")
    cli.end()


class Terminal:
    """targetcli on a terminal: completion needs readline, and that one."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ.update(TERM="dumb", COLUMNS="200")
            os.execvp("targetcli", ["targetcli"])
        defer(self.close)
        self.text = ""

    def wait(self, wanted, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(wanted, self.text):
            ready, _, _ = select.select([self.fd], [], [], max(end - time.monotonic(), 0))
            expect(ready, f"no {wanted!r} in {self.text!r}")
            data = os.read(self.fd, 4096).decode()
            if "\033[6n" in data:       # where is the cursor?
                os.write(self.fd, b"\033[1;1R")
            self.text += data

    def complete(self, line, wanted, tabs=1):
        """Types the line and tabs, waits for what is offered, and wipes the line.

        A tab completes what is common, the next rings, and one more lists.
        """
        self.text = ""
        os.write(self.fd, line.encode() + b"\t" * tabs)
        self.wait(wanted)
        os.write(self.fd, b"\x15")

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def test_completion():
    made = start()
    a, b = made.paths
    write_map("mpatha", paths=f"{a.dev};{b.dev}")
    cli = targetcli()
    cli.good(f"{NODE} create name=lun0 map=mpatha", "Created")
    cli.end()       # there is a lock: one targetcli at a time
    terminal = Terminal()
    terminal.wait(r"/> ")
    terminal.complete(f"{NODE} create name=x map=mp", "map=mpatha")
    os.symlink(b.dev, "/dev/mpath-only")
    defer(os.unlink, "/dev/mpath-only")
    terminal.complete(f"{NODE} create name=x paths={a.dev},/dev/mpath-o", f"paths={a.dev},/dev/mpath-only ")
    terminal.complete(f"{NODE}/lun0 message reins", "message reinstate_path")
    terminal.complete(f"{NODE}/lun0 fail s", rf"(?s){a.sd}.*{b.sd}", tabs=3)


def test_unnoticed():
    """Other programs: no word, no module of ours but the hook, no error of ours."""
    loaded = "import sys; print(*sorted(m for m in sys.modules if 'mpath' in m or m in ('gi', 'typing')))"
    expect_equal(run("python3", "-c", loaded).split(), ["mpath_targetcli", "mpath_targetcli.hook"],
                 "modules in any python3")
    hook = "/usr/lib/python3/dist-packages/mpath_targetcli/hook.py"
    for broken in ("raise RuntimeError('x')\n", "this is no Python\n"):
        with open(hook) as f:
            good = f.read()
        try:
            with open(hook, "w") as f:
                f.write(broken)
            done = subprocess.run(["python3", "-c", "print(1)"], capture_output=True, text=True)
            expect_equal((done.stdout, done.stderr, done.returncode), ("1\n", "", 0), "a broken hook")
        finally:
            with open(hook, "w") as f:
                f.write(good)


def test_without():
    """Stock targetcli, and one in which ours is broken: it creates, lists, saves and deletes."""
    made = start()
    device = made.paths[0].dev
    ui = "/usr/lib/python3/dist-packages/mpath_targetcli/ui.py"
    for victim, content, said in ((PTH, "", False), (ui, "raise RuntimeError('ours')\n", True)):
        with open(victim) as f:
            good = f.read()
        try:
            with open(victim, "w") as f:
                f.write(content)
            cli = targetcli()
            expect_equal("RuntimeError('ours')" in cli.transcript, said, "the complaint")
            cli.good(f"{NODE} create name=lun0 size=0 cfgstring={device}", "Created user-backed storage")
            wait_for(lambda: re.search(rf"lun0 \.+ \[{device} \(64\.0MiB\) deactivated\]",
                                       cli(f"{NODE} ls")), 20, "the LUN in the tree")
            cli.good("saveconfig /run/saved.json", "Configuration saved")
            with open("/run/saved.json") as f:
                saved, = json.load(f)["storage_objects"][:1]
            expect_equal((saved["name"], saved["config"]), ("lun0", f"mpath/{device}"), "what is saved")
            delete(cli, "lun0")
            cli.end()
        finally:
            with open(victim, "w") as f:
                f.write(good)


if __name__ == "__main__":
    case.main()
