#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command of mpathctl over a real dbus-daemon: once as it should be, once with bad input.

    tests/control/test_mpathctl.py build/debug/tests/control_server
"""

import errno
import itertools
import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import test_control
from test_control import REPO, ControlTest as Base, wait_for

sys.path.insert(0, f"{REPO}/targetcli-ext")
sys.dont_write_bytecode = True

from prometheus_client.parser import text_string_to_metric_families

USAGE, NO_SUCH_MAP, NOT_SERVING, NO_ANSWER, INTERRUPTED = 2, 3, 4, 6, 130

# Each command that is for a map or more, with what else it needs.
FOR_A_MAP = (("show",), ("status",), ("message", "echo"), ("fail", "8:0"), ("reinstate", "8:0"),
             ("add", "8:64"), ("remove", "8:0"), ("switch", "1"), ("enable", "1"), ("disable", "1"),
             ("forget-wwid",), ("release",), ("reload", "/dev/null"), ("suspend",), ("resume",),
             ("top", "-n", "1"), ("events", "-n", "1"))


class MpathctlTest(Base):
    def json(self, *args):
        """What a command prints with --json."""
        document = json.loads(self.mpathctl(args[0], "--json", *args[1:]))
        self.assertEqual((document.pop("major_version"), document.pop("minor_version")), (0, 1))
        return document

    def state(self, name):
        """The state of a path of mpatha."""
        group, = [group for group in self.json("show", "mpatha")["maps"][0]["path_groups"]
                  if name in [path["dev_t"] for path in group["paths"]]]
        return next(path["state"] for path in group["paths"] if path["dev_t"] == name)

    # --- to see ---

    def test_list(self):
        self.start("b", "a")
        self.assertEqual(self.mpathctl("list"), "a\nb\n")
        maps = self.json("list")["maps"]
        self.assertEqual([(m["name"], m["uuid"], m["nr_paths"]) for m in maps],
                         [("a", "36001405b922ff67a", 2), ("b", "36001405b922ff67a", 2)])
        self.assertEqual(json.loads(self.mpathctl("--json", "list"))["maps"], maps)
        self.assertIn("unrecognized arguments: nonsense", self.mpathctl("list", "nonsense", status=USAGE))

    def monitor_calls(self):
        """Says what dbus-daemon sees of method calls from now on, of whoever and to whomever."""
        monitor = subprocess.Popen(["dbus-monitor", "--address", self.bus.address, "--profile",
                                    "type=method_call"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(monitor.stdout.close)
        for line in monitor.stdout:         # its own name is the last that it hears as no monitor
            if "NameLost" in line:
                break
        return monitor

    def calls_of(self, run):
        """What run() makes dbus-daemon see of method calls."""
        monitor = self.monitor_calls()
        run()
        # The last that is said, by one whom we know.
        self.gdbus("/", "org.freedesktop.DBus.Peer.TheEnd")
        members = []
        for line in monitor.stdout:
            words = line.split()
            if words[0] == "mc":
                members.append(words[-1])
            if words[-1] == "TheEnd":
                break
        monitor.kill()
        monitor.wait()
        # gdbus itself says Hello, and then what it was asked to.
        return members[:members.index("Hello", 1)]

    def test_many_maps_are_listed_at_once(self):
        """64 maps with two calls, and in hardly more time than Python needs to load gi."""
        self.start(*(f"m{i:02}" for i in range(64)))
        wait_for(lambda: len(self.mpathctl("list").split()) == 64, "all maps")
        calls = self.calls_of(lambda: self.mpathctl("list"))
        self.assertEqual(calls, ["Hello", "GetManagedObjects"])

        def cpu_seconds(run):
            """Not what the clock says: other tests run beside this one."""
            def used():
                usage = resource.getrusage(resource.RUSAGE_CHILDREN)
                return usage.ru_utime + usage.ru_stime
            before = used()
            run()
            return used() - before
        gi = cpu_seconds(lambda: subprocess.run(["/usr/bin/python3", "-c", "import gi"], check=True))
        for _ in range(10):     # on a machine that is busy any CPU is slower, now and then
            took = cpu_seconds(lambda: self.mpathctl("list"))
            if took < gi + 0.3:
                return
        self.fail(f"{took} s of CPU time, and {gi} s of them for gi")

    def test_show(self):
        self.start("b", "a")
        tree = self.mpathctl("show")
        self.assertRegex(tree, r"(?s)^a \(36001405b922ff67a\) .*\nb \(36001405b922ff67a\) ")
        self.assertRegex(tree, r"\n\|-\+- group 1: policy='round-robin' .*\n\| `- sda   8:0     active ")
        self.assertNotIn("\033", tree)
        self.assertRegex(self.mpathctl("show", "b", "a"), r"(?s)^b .*\na ")
        self.assertEqual([m["name"] for m in self.json("show", "b")["maps"]], ["b"])

    def test_status(self):
        self.start("mpatha")
        for kind in ("info", "table", "ima", "detail"):
            self.assertEqual(self.mpathctl("status", "mpatha", "--" + kind), f"the {kind} of this map\n")
            self.assertEqual(self.json("status", "mpatha", "--" + kind),
                             {"map": "mpatha", kind: f"the {kind} of this map"})
        self.assertEqual(self.json("status", "mpatha")["map"]["name"], "mpatha")
        self.assertIn("not allowed with", self.mpathctl("status", "mpatha", "--info", "--ima", status=USAGE))

    def test_one_json(self):
        """The handler's own and mpathctl's say the same of a map; but a moment has no rates."""
        self.start("mpatha", "mpathb")
        self.server.say("reads", "mpatha", "3")
        self.mpathctl("fail", "mpatha", "8:0")
        self.mpathctl("message", "mpathb", "suspend", "noflush")
        wait_for(lambda: self.json("show", "mpathb")["maps"][0]["state"] == "suspended", "suspended")
        wait_for(lambda: self.json("show", "mpatha")["maps"][0]["reads"] == 3, "read")

        def without_rates(thing):
            for name in ("iops", "read_rate", "write_rate"):
                del thing[name]
            return thing
        for name in ("mpatha", "mpathb"):
            shown, = self.json("show", name)["maps"]
            for path in (path for group in shown["path_groups"] for path in group["paths"]):
                without_rates(path)
            self.maxDiff = None
            self.assertEqual(self.json("status", name)["map"], without_rates(shown))
        self.assertEqual(shown["dm_st"], "suspend")

    def test_top(self):
        self.start("mpatha")
        self.assertEqual([line.split()[0] for line in self.mpathctl("top", "-n", "1").splitlines()],
                         ["MAP", "mpatha", "sda", "sdb"])
        self.assertEqual(self.json("top", "mpatha")["maps"][0]["name"], "mpatha")
        for words in (("-n", "0"), ("-d", "x"), ("-d", "0")):
            self.assertIn("expected", self.mpathctl("top", *words, status=USAGE))

    def follow(self, *args):
        """`mpathctl events`, which has subscribed: what comes from now on is queued for it."""
        before = self.subscriptions()
        process = self.popen("events", *args)
        wait_for(lambda: self.subscriptions() > before, "subscribed")
        return process

    def subscriptions(self):
        """So many clients hear of objects that go, which is what they subscribe to last."""
        rules = test_control.subprocess.run(
            ["gdbus", "call", "--address", self.bus.address, "-d", "org.freedesktop.DBus", "-o",
             "/org/freedesktop/DBus", "-m", "org.freedesktop.DBus.Debug.Stats.GetAllMatchRules"],
            capture_output=True, text=True, check=True)
        return rules.stdout.count("InterfacesRemoved")

    def test_events(self):
        self.start("mpatha", "mpathb")
        everything, of_a = self.follow("-n", "4"), self.follow("-n", "2", "--json", "mpatha")
        self.server.say("events", "mpathb", "1")
        self.mpathctl("fail", "mpatha", "8:0")
        self.server.say("add", "mpathc")
        self.server.say("remove", "mpatha")
        out, err = everything.communicate(timeout=60)
        self.assertEqual((everything.returncode, err), (0, ""))
        lines = out.splitlines()
        self.assertRegex(lines[0], r"^\d{4}-.* mpathb lun \(1 usable\): something happened$")
        self.assertRegex(lines[1], r" mpatha path-failed 8:0 \(1 usable\): failed$")
        self.assertEqual({" ".join(line.split()[2:]) for line in lines[2:]},
                         {"mpathc map-added", "mpatha map-removed"})
        out, err = of_a.communicate(timeout=60)
        events = [json.loads(line)["event"] for line in out.splitlines()]
        self.assertEqual([(event["map"], event["kind"]) for event in events],
                         [("mpatha", "path-failed"), ("mpatha", "map-removed")])
        self.assertIn('"0", expected a number from 1', self.mpathctl("events", "-n", "0", status=USAGE))

    def test_metrics(self):
        self.start("mpatha")
        text = self.mpathctl("metrics")
        families = {family.name: family for family in text_string_to_metric_families(text)}
        self.assertEqual(families["mpath_map_paths"].samples[0].value, 2)
        self.assertEqual(self.json("metrics")["maps"][0]["name"], "mpatha")
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(self.mpathctl("metrics", "-o", directory + "/x.prom"), "")
            self.assertEqual(os.listdir(directory), ["x.prom"])
            with open(directory + "/x.prom") as f:
                self.assertEqual(f.read(), text)
            self.assertEqual(self.mpathctl("metrics", "--json", "-o", directory + "/x.prom"), "")
            with open(directory + "/x.prom") as f:
                self.assertEqual(json.load(f)["maps"][0]["name"], "mpatha")
            self.assertEqual(self.mpathctl("metrics", "-o", directory + "/none/x", status=1),
                             f"mpathctl: {directory}/none/x: No such file or directory\n")

    # --- to steer ---

    def test_message(self):
        self.start("mpatha")
        self.assertEqual(self.mpathctl("message", "mpatha", "echo", "a", "--json"), "[a][--json]\n")
        self.assertEqual(self.mpathctl("message", "mpatha", "echo", "--", "a", "--"), "[--][a][--]\n")
        self.assertEqual(self.json("message", "mpatha", "echo", "a"), {"map": "mpatha", "reply": "[a]"})
        self.assertEqual(self.mpathctl("message", "mpatha", "echo a  b"), "[a][b]\n")
        self.assertEqual(self.mpathctl("message", "mpatha", "echo", "a b"), "[a b]\n")
        self.assertIn("unknown message", self.mpathctl("message", "mpatha", "", status=1))
        self.assertEqual(self.mpathctl("message", "mpatha", "nonsense", status=1),
                         "mpathctl: unknown message nonsense\n")

    def test_fail_and_reinstate(self):
        self.start("mpatha")
        self.assertEqual(self.mpathctl("fail", "mpatha", "8:0"), "")
        wait_for(lambda: self.state("8:0") == "failed-by-message", "failed")
        self.assertEqual(self.json("reinstate", "mpatha", "8:0"), {"map": "mpatha", "reply": ""})
        wait_for(lambda: self.state("8:0") == "active", "reinstated")
        for command in ("fail", "reinstate"):
            self.assertIn("Invalid argument", self.mpathctl(command, "mpatha", "8:99", status=1))

    def test_groups(self):
        self.start("mpatha")

        def group():
            return self.json("show", "mpatha")["maps"][0]["path_groups"][0]["dm_st"]
        self.mpathctl("disable", "mpatha", "1")
        wait_for(lambda: group() == "disabled", "disabled")
        self.mpathctl("enable", "mpatha", "1")
        wait_for(lambda: group() == "enabled", "enabled")
        self.mpathctl("switch", "mpatha", "2")
        wait_for(lambda: self.json("show", "mpatha")["maps"][0]["next_group"] == 2, "switched")
        for command in ("switch", "disable", "enable"):
            self.assertIn("Invalid argument", self.mpathctl(command, "mpatha", "9", status=1))

    def test_other_paths(self):
        """add, remove and reload on a map in service."""
        self.start("mpatha")

        def addresses(number):
            groups = self.json("show", "mpatha")["maps"][0]["path_groups"]
            return [path["address"] for group in groups if group["group"] == number
                    for path in group["paths"]]
        self.assertEqual(self.mpathctl("add", "-g", "2", "mpatha", "/dev/x"), "")
        wait_for(lambda: "/dev/x" in addresses(2), "added to the group")
        self.assertEqual(self.json("add", "mpatha", "/dev/y"), {"map": "mpatha", "reply": ""})
        wait_for(lambda: "/dev/y" in addresses(1) + addresses(2), "added")
        for word, address in (("sdz", "/dev/sdz"), ("8:80", "8:80")):
            self.mpathctl("add", "mpatha", word)
            wait_for(lambda address=address: address in addresses(1) + addresses(2), word)
        # It is taken, since it may come; but who has mistyped a name is told.
        process = self.popen("add", "mpatha", "/dev/nosuch")
        self.assertEqual(process.communicate(timeout=40),
                         ("", "mpathctl: added, but not used: no such device\n"))
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.mpathctl("remove", "mpatha", "8:0"), "")
        wait_for(lambda: "/dev/disk/by-path/0" not in addresses(1), "removed")
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("good")
            f.flush()
            before = len(addresses(1) + addresses(2))
            self.assertEqual(self.mpathctl("reload", "mpatha", f.name), "")
            wait_for(lambda: len(addresses(1) + addresses(2)) == before + 1, "reloaded")
            f.seek(0)
            f.truncate()
            f.write("bad")
            f.flush()
            self.assertEqual(self.mpathctl("reload", "mpatha", f.name, status=1),
                             "mpathctl: word 1 is bad\n")
        for words, file in (((), "/etc/tcmu/mpath.d/mpatha.map"), (("/none",), "/none")):
            self.assertEqual(self.mpathctl("reload", "mpatha", *words, status=1),
                             f"mpathctl: {file}: No such file or directory\n")

    def test_suspend(self):
        self.start("mpatha")
        self.assertEqual(self.mpathctl("suspend", "mpatha"), "")
        self.assertEqual(self.json("resume", "mpatha"), {"map": "mpatha", "reply": ""})
        for command in ("suspend", "resume"):
            self.assertIn("usage", self.mpathctl(command, "mpatha", "more", status=USAGE))

    def test_forget_wwid_and_release(self):
        self.start("a", "b", "c")

        def events():
            return [m["last_event"] for m in self.json("list")["maps"]]
        self.assertEqual(self.mpathctl("forget-wwid", "a"), "")
        wait_for(lambda: events() == [1, 0, 0], "the message has reached one map")
        self.assertEqual(self.mpathctl("release", "c", "b"), "")
        wait_for(lambda: events() == [1, 1, 1], "the message has reached two maps")
        self.assertEqual(self.json("release"), {"released": ["a", "b", "c"]})
        wait_for(lambda: events() == [2, 2, 2], "the message has reached all maps")
        self.assertIn("usage", self.mpathctl("forget-wwid", "a", "b", status=USAGE))
        self.assertIn("usage", self.mpathctl("release", "--all", status=USAGE))

    def python(self, code, *args):
        """What it returned and printed."""
        done = subprocess.run(["/usr/bin/python3", "-c", "import sys\n" + code, *args],
                              capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, PYTHONPATH=f"{REPO}/targetcli-ext",
                                       PYTHONDONTWRITEBYTECODE="1",
                                       DBUS_SYSTEM_BUS_ADDRESS=self.bus.address))
        return done.returncode, done.stdout, done.stderr

    def release_within(self, seconds, *args):
        """`mpathctl release` with another limit."""
        return self.python("from mpath_targetcli import cli, release\n"
                           f"release.LIMIT_S = {seconds}\nsys.exit(cli.main(['release', *sys.argv[1:]]))",
                           *args)

    def released(self):
        return [m["name"] for m in self.json("list")["maps"] if m["last_event"]]

    def test_release_tries_again_when_busy(self):
        self.start("a", "b", "c")
        self.server.say("busy", "a", "3")
        self.server.did("busy a", 1)
        self.assertEqual(self.release_within(20), (0, "", ""))
        wait_for(lambda: self.released() == ["a", "b", "c"], "all are released")

    def test_release_goes_on(self):
        """What a map says, or does not, is not the others' fault; nor may systemd have to wait."""
        self.start("a", "b", "c", "d")
        for words in (("busy", "a", "1000000"), ("hang", "b")):
            self.server.say(*words)
            self.server.did(" ".join(words[:2]), 1)
        began = time.monotonic()
        status, out, err = self.release_within(10, "--json")
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual((status, json.loads(out)["released"]), (NO_ANSWER, ["c", "d"]))
        self.assertEqual(sorted(err.splitlines()), ["mpathctl: a: Device or resource busy",
                                                    "mpathctl: b: no answer within 10 s"])
        wait_for(lambda: self.released() == ["c", "d"], "the others are released")
        self.assertEqual(self.release_within(20, "zz", "c"), (NO_SUCH_MAP, "", "mpathctl: there is no map zz\n"))

    def test_release_tells_why(self):
        """A map that was busy, and was asked again as the time ended, was busy: it did answer."""
        self.start("a")
        for words in (("busy", "a", "1"), ("hang", "a")):
            self.server.say(*words)
            self.server.did(" ".join(words[:2]), 1)
        self.assertEqual(self.release_within(10, "a"), (1, "", "mpathctl: a: Device or resource busy\n"))

    def test_release_when_nobody_answers(self):
        self.start("a")
        self.server.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.server.process.send_signal, signal.SIGCONT)
        self.assertEqual(self.release_within(1), (NO_ANSWER, "", "mpathctl: no answer within 1 s\n"))

    def test_release_is_in_time(self):
        """Before systemd kills it."""
        from mpath_targetcli import release
        with open(f"{REPO}/config/systemd/tcmu-mpath-release.service") as f:
            stop_s = int(re.search("TimeoutStopSec=(\\d+)s", f.read())[1])
        self.assertLessEqual(release.LIMIT_S, stop_s - 5)

    def test_check(self):
        self.start()
        self.assertEqual(self.mpathctl("check", "good", "map", status=1),
                         'mpathctl: word 1 is "good map", expected good\n')
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("good")
            f.flush()
            self.assertEqual(self.mpathctl("check", f.name), "groups: 2\n")
            self.assertEqual(self.json("check", f.name), {"report": "groups: 2"})
            f.write(" and more")
            f.flush()
            self.assertIn('word 1 is "good and more"', self.mpathctl("check", f.name, status=1))
        self.assertEqual(self.mpathctl("check", "/none", status=1),
                         "mpathctl: /none: there is no such file, and it is no table\n")

    def test_whose_mistake_it_is(self):
        """The handler gets a text; only here it is known of which file."""
        self.start("mpatha")
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("the map: a key is wrong")
            f.flush()
            for words in (("check",), ("reload", "mpatha")):
                self.assertEqual(self.mpathctl(*words, f.name, status=1), f"mpathctl: {f.name}: a key is wrong\n")
        self.assertEqual(self.mpathctl("check", "the map: a word is wrong", status=1),
                         "mpathctl: the map: a word is wrong\n")

    def test_files_that_are_no_text(self):
        """Nothing of such a file is sent: half of a map file may be a map, too."""
        self.start("mpatha")
        nul = "there is a NUL byte in the file"
        for content, why in ((b"good\0, and what a crash left of the rest", nul), (b"caf\xe9", "is no UTF-8 text"),
                             (b"\0" * (2 << 20), "is larger than 1 MiB")):
            with tempfile.NamedTemporaryFile() as f:
                f.write(content)
                f.flush()
                for words in (("check",), ("reload", "mpatha")):
                    self.assertEqual(self.mpathctl(*words, f.name, status=1), f"mpathctl: {f.name}: {why}\n")
        for name in ("/dev/zero", "-"):     # standard input is a terminal, or nothing, in this test
            with open("/dev/zero", "rb") as endless:
                process = self.popen("check", name, stdin=endless)
                self.assertIn("is larger than 1 MiB", process.communicate(timeout=60)[1])
                self.assertEqual(process.returncode, 1)
        self.assertEqual(len(self.json("show", "mpatha")["maps"][0]["path_groups"][0]["paths"]), 1)

    # --- all of them ---

    def test_no_such_map(self):
        self.start("mpatha")
        for command, *words in FOR_A_MAP:
            options = words if command in ("top", "events") else []
            words = [] if options else words
            self.assertEqual(self.mpathctl(command, *options, "mpathz", *words, status=NO_SUCH_MAP),
                             "mpathctl: there is no map mpathz\n", command)
        self.assertIn("the following arguments are required: WORD\n", self.mpathctl("message", "a", status=USAGE))
        # It is not the map file that is missing.
        self.assertEqual(self.mpathctl("reload", "mpathz", status=NO_SUCH_MAP), "mpathctl: there is no map mpathz\n")

    def test_not_serving(self):
        self.bus.start()
        for command, *words in FOR_A_MAP:
            options = words if command in ("top", "events") else []
            words = [] if options else words
            self.assertIn("no maps are served", self.mpathctl(command, *options, "mpatha", *words,
                                                              status=NOT_SERVING), command)
        for command in ("list", "metrics"):
            self.assertIn("no maps are served", self.mpathctl(command, status=NOT_SERVING), command)

    def listed(self, directory, more=""):
        """A file of what `multipath -ll` printed: mpatha, and more."""
        with open(directory + "/listed", "w") as f:
            f.write("mpatha (36001405b922ff67a) dm-0 LIO-ORG,disk\n" + more)
        return f.name

    def test_import(self):
        """Needs no bus."""
        with tempfile.TemporaryDirectory() as directory:
            source = self.listed(directory, "mpath:b (36001405b922ff67b) dm-1 LIO-ORG,disk\n")
            os.mkdir(directory + "/maps")
            text = self.mpathctl("import", "-d", directory + "/maps", source, status=1)
            self.assertRegex(text, "^mpathctl: mpath:b: the name cannot be a map's here")
            self.assertEqual(os.listdir(directory + "/maps"), ["mpatha.map"])
            os.unlink(directory + "/maps/mpatha.map")
            self.listed(directory)
            self.assertEqual(self.json("import", "-d", directory + "/maps", source)["imported"],
                             [{"name": "mpatha", "file": directory + "/maps/mpatha.map", "error": "",
                               "dropped": [], "uuid": "36001405b922ff67a"}])
            os.unlink(directory + "/maps/mpatha.map")
            self.assertEqual(self.mpathctl("import", "-d", directory + "/maps", source),
                             directory + "/maps/mpatha.map\n")
            self.assertEqual(self.mpathctl("import", "/none", status=1),
                             "mpathctl: /none: No such file or directory\n")

    def test_import_says_what_is_dropped(self):
        with tempfile.TemporaryDirectory() as directory:
            source = self.listed(directory, "size=64M features='2 queue_mode bio' hwhandler='1 alua' wp=rw\n")
            process = self.popen("import", "-d", directory, source)
            out, err = process.communicate(timeout=40)
            self.assertEqual((process.returncode, out, err),
                             (0, directory + "/mpatha.map\n",
                              "mpathctl: mpatha: not taken over: queue_mode bio\n"))
            os.unlink(directory + "/mpatha.map")
            process = self.popen("import", "--json", "-d", directory, source)
            out, err = process.communicate(timeout=40)
            imported, = json.loads(out)["imported"]
            self.assertEqual(imported["dropped"], ["queue_mode bio"])

    def test_import_asks_the_service(self):
        """Which refuses this file: it is not written."""
        self.start()
        with tempfile.TemporaryDirectory() as directory:
            source = self.listed(directory)
            self.assertRegex(self.mpathctl("import", "-d", directory, source, status=1),
                             '^mpathctl: mpatha: the handler does not take it: word 1 is "# mpatha, ')
            self.assertEqual(os.listdir(directory), ["listed"])

    # --- what a shell does with it ---

    def test_words_that_are_no_text(self):
        self.start("mpatha")
        for words in (("status", b"\xff"), ("fail", "mpatha", b"\xff"), ("message", "mpatha", "echo", b"\xff"),
                      ("release", b"\xff"), ("check", b"0 \xff"), ("reload", b"\xff", "/dev/null")):
            self.assertRegex(self.mpathctl(*words, status=USAGE), r'^mpathctl: "(0 )?\\xff" is no UTF-8 text\n$')

    def test_terminals_of_another_time(self):
        """What a character set does not have is written as what it is, and nothing ends."""
        self.start("mpatha")
        for words in (("show",), ("show", "--json"), ("metrics",)):
            status, out, err = self.python("from mpath_targetcli import cli\nsys.stdout.reconfigure(encoding='latin-1')\n"
                                           "sys.exit(cli.main(sys.argv[1:]))", *words)
            self.assertEqual((status, err), (0, ""), words)
            self.assertIn("caf\\ufffd", out)
        self.assertEqual(json.loads(self.python("from mpath_targetcli import cli\nsys.stdout.reconfigure(encoding='ascii')\n"
                                                "sys.exit(cli.main(sys.argv[1:]))", "message", "--json", "mpatha", "echo",
                                                "\u00e9\U0001f600")[1])["reply"], "[\u00e9\U0001f600]")

    def test_nowhere_to_write(self):
        self.start("mpatha")
        for words in (("show",), ("list", "--json"), ("metrics",), ("top", "-n", "1")):
            with open("/dev/full", "w") as full:
                process = self.popen(*words, stdout=full)
                self.assertEqual(process.communicate(timeout=60)[1], "mpathctl: No space left on device\n", words)
                self.assertEqual(process.returncode, 1)
        with open("/dev/full", "w") as full:
            process = self.popen("events", "mpatha", stdout=full)
            wait_for(lambda: self.server.say("events", "mpatha", "1") or process.poll() is not None, "it ends")
            self.assertEqual(process.communicate()[1], "mpathctl: No space left on device\n")
            self.assertEqual(process.returncode, 1)

    def in_a_shell(self, redirection, *words):
        """Status, output and errors of a command with a redirection that subprocess does not have."""
        process = subprocess.Popen(
            ["sh", "-c", f'exec /usr/bin/python3 {REPO}/targetcli-ext/mpathctl "$@" {redirection}', "sh", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus.address, PYTHONDONTWRITEBYTECODE="1",
                     PYTHONPATH=f"{REPO}/targetcli-ext"))
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def test_closed_descriptors(self):
        """Of a daemon, or a terminal that is gone: only what has to be read or written there is an error."""
        self.start("mpatha")
        bad = "mpathctl: Bad file descriptor\n"
        self.assertEqual(self.in_a_shell(">&-", "list"), (1, "", bad))
        self.assertEqual(self.in_a_shell(">&-", "events", "-n", "1", "none"),
                         (NO_SUCH_MAP, "", "mpathctl: there is no map none\n"))
        self.assertEqual(self.in_a_shell(">&- <&-", "fail", "mpatha", "8:0"), (0, "", ""))
        self.assertEqual(self.state("8:0"), "failed-by-message")
        self.assertEqual(self.in_a_shell("<&-", "check", "-"), (1, "", "mpathctl: -: Bad file descriptor\n"))
        self.assertEqual(self.in_a_shell("2>&-", "show", "none"), (NO_SUCH_MAP, "", ""))
        self.assertEqual(self.in_a_shell("2>&-", "nonsense"), (USAGE, "", ""))
        self.assertEqual(self.in_a_shell("2>&-", "list"), (0, "mpatha\n", ""))

    def test_help_that_nobody_reads(self):
        for words in (("--help",), ("fail", "--help")):
            with open("/dev/full", "w") as full:
                process = self.popen(*words, stdout=full)
                self.assertEqual(process.communicate(timeout=60)[1], "mpathctl: No space left on device\n", words)
                self.assertEqual(process.returncode, 1)
            process = self.popen(*words)
            process.stdout.close()
            self.assertEqual(process.stderr.read(), "", words)
            process.stderr.close()
            self.assertEqual(process.wait(60), 0, words)

    def test_metrics_replace_only_files(self):
        """Never a device, whoever asks; a link stays one."""
        self.start("mpatha")
        with tempfile.TemporaryDirectory() as directory:
            fifo, link, file = (f"{directory}/{name}" for name in ("fifo", "link", "file"))
            os.mkfifo(fifo)
            os.symlink("file", link)
            for name in (fifo, directory):
                self.assertEqual(self.mpathctl("metrics", "-o", name, status=1),
                                 f"mpathctl: {name}: is no regular file\n")
            self.assertEqual(self.mpathctl("metrics", "-o", link), "")
            self.assertTrue(os.path.islink(link))
            self.assertTrue(os.path.getsize(file))
            self.assertEqual(sorted(os.listdir(directory)), ["fifo", "file", "link"])

    def test_metrics_side_by_side(self):
        """The timer, and somebody by hand: each has written all of its own, and nothing else is left."""
        self.start("mpatha")
        with tempfile.TemporaryDirectory() as directory:
            file = directory + "/file"
            for _ in range(3):
                processes = [self.popen("metrics", "-o", file) for _ in range(8)]
                for process in processes:
                    _, err = process.communicate(timeout=60)
                    self.assertEqual((process.returncode, err), (0, ""))
                with open(file) as f:
                    self.assertEqual(f.read(), self.mpathctl("metrics"))
            self.assertEqual(os.listdir(directory), ["file"])
            self.assertEqual(os.stat(file).st_mode & 0o777, 0o644)

    def test_the_bus_goes(self):
        """Who looks again and again, or follows events, is told, and not ended by a signal."""
        self.start("mpatha")
        top = self.popen("top", "-d", "0.1")
        self.assertTrue(top.stdout.readline().startswith("MAP"))
        following = self.follow()
        self.bus.stop()
        for process in top, following:
            _, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode, err.splitlines()[-2:]),
                             (NOT_SERVING, ["mpathctl: no maps are served: the system bus is gone",
                                            "mpathctl: is tcmu-runner running, and was it restarted since "
                                            "tcmu-mpath was installed?"]))

    def test_no_answer(self):
        self.start("mpatha")
        self.server.say("hang", "mpatha")
        self.server.did("hang mpatha", 1)
        self.assertEqual(self.python("from mpath_targetcli import cli, client\nclient.TIMEOUT_S = 0.5\n"
                                     "sys.exit(cli.main(sys.argv[1:]))", "message", "mpatha", "echo"),
                         (NO_ANSWER, "", "mpathctl: no answer within 0.5 s\n"))

    def test_top_while_tcmu_runner_is_restarted(self):
        self.start("mpatha")
        process = self.popen("top", "-d", "0.1", "mpatha")
        self.assertTrue(process.stdout.readline().startswith("MAP"))
        self.assertEqual(self.server.stop(), 0)
        self.assertIn("mpathctl: ", process.stderr.readline())
        self.server = test_control.Server(self.bus)     # ended as the first one would have been
        self.server.say("add", "mpatha")
        # Many more looks than there were before.
        looks = (line for line in process.stdout if line.startswith("MAP"))
        self.assertEqual(len(list(itertools.islice(looks, 50))), 50)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    def test_interrupted(self):
        self.start("mpatha")
        process = self.popen("top", "-d", "60")
        self.assertTrue(process.stdout.readline().startswith("MAP"))
        for waiting in (process, self.follow()):
            waiting.send_signal(signal.SIGINT)
            _, err = waiting.communicate(timeout=60)
            self.assertEqual((waiting.returncode, err), (INTERRUPTED, ""))

    def test_interrupted_while_nobody_answers(self):
        """Long before the 30 s are over."""
        self.start("mpatha")
        self.server.say("hang", "mpatha")
        self.server.did("hang mpatha", 1)
        monitor = self.monitor_calls()
        process = self.popen("message", "mpatha", "echo")
        for line in monitor.stdout:
            if line.split()[-1] == "Message":
                break
        monitor.kill()
        monitor.wait()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        # By the signal: 130 for a shell.
        self.assertEqual((process.returncode, out, err), (-signal.SIGINT, "", ""))

    def bus_that_says_nothing(self):
        """It takes connections."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(f"{self.bus.dir.name}/bus")
        listener.listen()
        return listener

    def test_no_answer_of_the_bus(self):
        self.bus_that_says_nothing()
        self.assertEqual(self.python("from mpath_targetcli import cli, client\nclient.TIMEOUT_S = 0.5\n"
                                     "sys.exit(cli.main(sys.argv[1:]))", "list"),
                         (NO_ANSWER, "", "mpathctl: the system bus: no answer within 0.5 s\n"))

    def test_interrupted_while_the_bus_does_not_answer(self):
        listener = self.bus_that_says_nothing()
        process = self.popen("list")
        connection, _ = listener.accept()
        self.addCleanup(connection.close)
        self.assertEqual(connection.recv(1), b"\0")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out, err), (-signal.SIGINT, "", ""))

    def test_nobody_reads_on(self):
        """mpathctl ... | head -0"""
        self.start("mpatha")
        for words in (("list",), ("show",), ("metrics",), ("top",), ("list", "--json"), ("status", "mpatha")):
            process = self.popen(*words)
            process.stdout.close()
            self.assertEqual(process.stderr.read(), "", words)
            process.stderr.close()
            self.assertEqual(process.wait(60), 0, words)
        process = self.follow()
        process.stdout.close()
        self.server.say("events", "mpatha", "1")
        self.assertEqual(process.stderr.read(), "")
        process.stderr.close()
        self.assertEqual(process.wait(60), 0)

    def on_a_terminal(self, *args, **environment):
        """What it prints there."""
        ours, its = pty.openpty()
        process = subprocess.Popen(
            ["/usr/bin/python3", f"{REPO}/targetcli-ext/mpathctl", *args], stdout=its,
            env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus.address, PYTHONDONTWRITEBYTECODE="1",
                     PYTHONPATH=f"{REPO}/targetcli-ext", **environment))
        os.close(its)
        printed = b""
        with open(ours, "rb", buffering=0) as terminal:
            try:
                while some := terminal.read(4096):
                    printed += some
            except OSError as error:            # EIO: it is gone
                self.assertEqual(error.errno, errno.EIO)
        self.assertEqual(process.wait(60), 0)
        return printed.decode()

    def test_colours(self):
        """On a terminal that has them, unless NO_COLOR is set, to anything but nothing."""
        self.start("mpatha")
        for environment, coloured in (({"TERM": "xterm", "NO_COLOR": ""}, True),
                                      ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                                      ({"TERM": "dumb", "NO_COLOR": ""}, False)):
            printed = self.on_a_terminal("show", **environment)
            self.assertIn("mpatha", printed)
            self.assertEqual("\033[32mactive" in printed, coloured, environment)
            self.assertEqual("\033" in printed, coloured, environment)
        self.assertIn("\033[H\033[J", self.on_a_terminal("top", "-n", "1", TERM="xterm"))

    def test_usage(self):
        for words in ((), ("nonsense",), ("fail", "mpatha"), ("switch",), ("check",), ("add", "mpatha"),
                      ("add", "-g", "0", "mpatha", "sda"), ("status", "mpatha", "more")):
            self.assertIn("usage: mpathctl", self.mpathctl(*words, status=USAGE))
        for words, said in ((("add", "-g", "0", "m", "sda"), '-g/--group: "0", expected a number from 1 to 4294967295'),
                            (("add", "-g", "4294967296", "m", "sda"), '"4294967296", expected a number from 1'),
                            (("top", "-n", "x"), '-n/--count: "x", expected a number from 1'),
                            (("top", "-n", "1_0"), '"1_0", expected a number from 1'),
                            (("top", "-n", "\u0663"), '"\u0663", expected a number from 1'),
                            (("top", "-d", "1_0"), '"1_0", expected 0.1 to 3600 seconds'),
                            (("top", "-d", "nan"), '-d/--delay: "nan", expected 0.1 to 3600 seconds'),
                            (("top", "-d", "0"), '"0", expected 0.1 to 3600 seconds')):
            self.assertIn(said, self.mpathctl(*words, status=USAGE))


# Its own tests are run by its own file.
for name in [name for name in dir(Base) if name.startswith("test_") and name not in vars(MpathctlTest)]:
    setattr(MpathctlTest, name, None)


if __name__ == "__main__":
    test_control.SERVER = os.path.abspath(sys.argv.pop(1))
    del Base
    unittest.main()
