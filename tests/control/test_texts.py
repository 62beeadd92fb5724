#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What mpathctl makes of the service's properties, and of dm-multipath's texts: no D-Bus here.

    tests/control/test_texts.py build/debug/tests/control/control_check_map
"""

import argparse
import contextlib
import errno
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import types
import unittest
import unittest.mock

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{REPO}/targetcli-ext")
sys.dont_write_bytecode = True

from prometheus_client.parser import text_string_to_metric_families    # noqa: E402

import sample       # noqa: E402
from mpath_targetcli import (actions, as_json, cli, client, events, importer, metrics, model, show,    # noqa: E402
                             text, top, ui)

MAPS = model.maps_of(sample.objects())
PLAIN = text.Paint(False)
CHECK_MAP = ""


class CheckTest(unittest.TestCase):
    """What Manager.Check, and so `mpathctl check`, says would be built."""

    def check(self, *lines):
        done = subprocess.run([CHECK_MAP], input="\n".join(lines), capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def test_a_list_of_paths(self):
        """What only the array will tell is not said to be none."""
        self.assertEqual(self.check("[multipath]", "paths=/dev/a;/dev/b"),
                         ["groups: 2, paths: 2", "no path: fail", "hardware handler: the array's own, if it has one",
                          "path checker: tur", "group 1: service-time", "  /dev/a",
                          "group 2: service-time", "  /dev/b",
                          "unless the hardware table has something for the array: path_checker, hw_handler, prio, "
                          "grouping, failback, pg_init_retries, pg_init_delay_msecs, no_path_retry", ""])
        said = self.check("[multipath]", "paths=/dev/a;/dev/b", "grouping=group_by_prio", "hw_handler=alua",
                          "no_path_retry=3", "no_path_timeout_write_ms=7", "polling_interval_ms=1000",
                          "path_checker=none", "failback=5", "prio=alua", "pg_init_retries=1",
                          "pg_init_delay_msecs=2")
        self.assertEqual(said[:5], ["groups: 2, paths: 2", "no path: queue, reads for 3000 ms, others for 7 ms",
                                    "hardware handler: the array's own, else alua", "path checker: none",
                                    "grouping: the paths will tell, each is by itself until then"])
        self.assertNotIn("unless", " ".join(said))
        self.assertIn("hardware handler: none", self.check("[multipath]", "paths=/dev/a", "hw_handler=none"))

    def test_a_table(self):
        said = self.check("1 queue_if_no_path 1 alua 1 1 round-robin 0 1 1 8:0 1")
        self.assertEqual(said, ["groups: 1, paths: 1", "no path: queue", "hardware handler: the array's own, else alua",
                                "path checker: tur", "group 1: round-robin", "  8:0",
                                "unless the hardware table has something for the array: path_checker", ""])
        self.assertIn("hardware handler: the array's own, if it has one",
                      self.check("1 retain_attached_hw_handler 0 1 1 round-robin 0 1 1 8:0 1"))
        self.assertIn("hardware handler: none", self.check("0 0 1 1 round-robin 0 1 1 8:0 1"))


class ModelTest(unittest.TestCase):
    def test_tree(self):
        self.assertEqual([m.name for m in MAPS], ["a", "b"])
        self.assertEqual([[path["Name"] for path in group.paths] for group in MAPS[0].groups],
                         [["8:0"], ["8:16", "8:32"]])
        self.assertEqual([path["Number"] for path in MAPS[0].paths], [0, 1, 2])
        self.assertEqual([group.priority for group in MAPS[0].groups], [50, 10])
        self.assertEqual(MAPS[1].groups[0].priority, None)

    def test_other_version(self):
        with self.assertRaisesRegex(model.OtherVersion, "no property Held: .*restart tcmu-runner"):
            model.Map("/x", {"Name": "x"})["Held"]


class TextTest(unittest.TestCase):
    def test_units(self):
        for number, wanted in ((0, "0"), (1023, "1023"), (1024, "1K"), (1536, "1.5K"),
                               (64 << 20, "64M"), (3 << 40, "3T"), (200 << 30, "200G"),
                               (1023 << 10, "1023K"), ((1 << 20) - 1, "1M"), ((1 << 40) - (1 << 20), "1T")):
            self.assertEqual(text.size(number), wanted)
        for time_us, wanted in ((0, "-"), (1, "1us"), (999, "999us"), (1000, "1ms"),
                                (3120, "3.12ms"), (999_499, "999ms"), (999_500, "1s"),
                                (2_500_000, "2.5s"), (999_499_999, "999s"), (999_500_000, "1000s"),
                                (1_234_567_890, "1235s")):
            self.assertEqual(text.microseconds(time_us), wanted)

    def test_paint(self):
        self.assertEqual(PLAIN.state("failed", 8), "failed  ")
        self.assertEqual(text.Paint(True).state("failed"), "\033[31mfailed\033[0m")
        self.assertEqual(text.Paint(True).state("enabled"), "enabled")

    def test_every_state_has_a_colour(self):
        for state in (*metrics.MAP_STATES, *metrics.PATH_STATES):
            self.assertIn(state, text.STATE_COLOURS)


class ShowTest(unittest.TestCase):
    maxDiff = None

    def test_tree(self):
        self.assertEqual(show.tree(MAPS[0], PLAIN), """\
a (36001405aa) LIO-ORG,disk active
size=64M features='1 queue_if_no_path' hwhandler='0' paths=2/3 in-flight=3 held=1 fenced=2
iops=1200 read=4M/s write=0/s p50=640us p99=3.1ms p99.9=2.5s path-faults=2 switches=1 hedged=8 won=6
answers: 3 check-condition
held: 1 write waits for commands of a former process, at most 4000 ms
warning: cmd_time_out limits "queue_if_no_path"
|-+- group 1: policy='round-robin' prio=50 status=active paths=1/1
| `- sda   8:0     active   active/optimized prio=50 in-flight=3 iops=1200 p50=600us p99=- p99.9=- failed=0
|      /dev/disk/by-path/x
`-+- group 2: policy='service-time' prio=10 status=enabled paths=1/2
  |- sdb   8:16    failed   prio=10 in-flight=0 iops=0 p50=- p99=- p99.9=- failed=2
  |    transport lost
  |    errors: 1 gone, 12 timeout
  `- sdc   8:32    active   in-flight=0 iops=0 p50=- p99=- p99.9=- failed=0 slow read-only""")

    def test_never_seen(self):
        tree = show.tree(MAPS[1], PLAIN)
        self.assertIn("b (its LUN was never seen) failing\n", tree)
        self.assertIn("  `- -     /dev/\"odd\\ excluded in-flight=0", tree)

    def test_colour(self):
        self.assertIn("\033[31mfailed  \033[0m", show.tree(MAPS[0], text.Paint(True)))


class TopTest(unittest.TestCase):
    def test_rows(self):
        lines = text.table(top.rows(MAPS), top.LEFT)
        self.assertEqual([line.split()[0] for line in lines], ["MAP", "a", "sda", "sdb", "sdc", "b",
                                                               '/dev/"odd\\'])
        self.assertEqual(lines[1].split(), ["a", "2/3", "active", "3", "1200", "4M", "0", "640us",
                                            "3.1ms", "2.5s", "2"])
        self.assertEqual(len({line.index("active") for line in lines[1:3]}), 1)

    def test_ends(self):
        looks = []
        with contextlib.redirect_stdout(io.StringIO()) as out:
            top.run(lambda: looks.append(1) or MAPS, 0.0, 2)
        self.assertEqual(len(looks), 2)
        self.assertEqual(out.getvalue().count("MAP "), 2)
        self.assertNotIn("\033", out.getvalue())

    def test_small_terminal(self):
        """The busiest are on top, and what has no room must not push them off."""
        lines = text.table(top.rows(MAPS), top.LEFT)
        self.assertEqual(top.fitted(lines, 200, 8), lines)
        self.assertEqual(top.fitted(lines, 200, 5), [*lines[:3], "4 lines more"])
        self.assertEqual(top.fitted(lines, 20, 3), [lines[0][:20], "6 lines more"])
        self.assertEqual(top.fitted(lines, 20, 1), [])

    def test_goes_on(self):
        """While tcmu-runner is restarted, and its maps come one by one."""
        answers = [MAPS, client.NotServing("gone"), client.NoAnswer("none"), client.NoSuchMap("no map a"), MAPS]

        def look():
            answer = answers.pop(0)
            if isinstance(answer, client.Error):
                raise answer
            return answer
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            top.run(look, 0.0, 5)
        self.assertEqual(out.getvalue().count("MAP "), 2)
        self.assertEqual(err.getvalue(), "mpathctl: gone\nmpathctl: none\nmpathctl: no map a\n")
        with self.assertRaises(client.NotServing), contextlib.redirect_stdout(io.StringIO()):
            answers.append(client.NotServing("gone"))
            top.run(look, 0.0, 2)


class JsonTest(unittest.TestCase):
    # dm-multipath.md C7: what multipathd's JSON calls the things that we have, too.
    MAP = {"name", "uuid", "queueing", "paths", "write_prot", "dm_st", "features", "hwhandler",
           "path_faults", "vend", "prod", "rev", "switch_grp", "failback", "path_groups"}
    GROUP = {"selector", "pri", "dm_st", "group", "paths"}
    PATH = {"dev", "dev_t", "dm_st", "dev_st", "chk_st", "checker", "pri"}

    def test_fields(self):
        document = json.loads(as_json.document(maps=[as_json.map_fields(m) for m in MAPS]))
        self.assertEqual((document["major_version"], document["minor_version"]), (0, 1))
        a, b = document["maps"]
        self.assertLessEqual(self.MAP, set(a))
        self.assertLessEqual(self.GROUP, set(a["path_groups"][0]))
        self.assertLessEqual(self.PATH, set(a["path_groups"][0]["paths"][0]))
        self.assertEqual((a["uuid"], a["queueing"], a["paths"], a["dm_st"], a["features"],
                          a["write_prot"]),
                         ("36001405aa", "on", 2, "active", "1 queue_if_no_path", "ro"))
        failed = a["path_groups"][1]["paths"][0]
        self.assertEqual((failed["dev"], failed["dev_t"], failed["dm_st"], failed["chk_st"],
                          failed["errors"]),
                         ("sdb", "8:16", "failed", "faulty", {"timeout": 12, "gone": 1}))
        self.assertEqual((b["write_prot"], b["path_groups"][0]["pri"]), ("rw", -1))

    def test_every_state_is_known(self):
        self.assertEqual(set(as_json._PATH_STATES), set(metrics.PATH_STATES))

    def test_no_property_is_left_out(self):
        """A property that the interface gets must not be forgotten here."""
        objects = sample.objects()
        before = as_json.map_fields(model.maps_of(objects)[0])
        for interface, path, elsewhere in (
                ("Map", "/map/a", {"NrGroups"}), ("Path", "/map/a/path/1", {"Map", "Group"}),
                ("Group", "/map/a/group/2", {"Map", "NrPaths", "ValidPaths"})):
            known = objects[sample.ROOT + path]["org.tcmu.Mpath1." + interface]
            for name in set(known) - elsewhere:
                value = known[name]
                known[name] = not value if isinstance(value, bool) else \
                    value + ("x" if isinstance(value, str) else 7) if not isinstance(value, dict) else {"x": 1}
                self.assertNotEqual(as_json.map_fields(model.maps_of(objects)[0]), before, name)
                known[name] = value


class MetricsTest(unittest.TestCase):
    def setUp(self):
        self.text = metrics.text(sample.manager(), MAPS)
        self.families = {family.name: family
                         for family in text_string_to_metric_families(self.text)}

    def value(self, family, **labels):
        return [found.value for found in self.families[family].samples
                if labels.items() <= found.labels.items()]

    def test_values(self):
        self.assertEqual(self.value("mpath_info", version="0.1.0"), [1])
        self.assertEqual(self.value("mpath_map_valid_paths", map="a"), [2])
        self.assertEqual(self.value("mpath_map_commands", map="a", kind="write"), [50])
        self.assertEqual(self.value("mpath_map_transferred_bytes", map="a", direction="read"), [409600])
        self.assertEqual(self.value("mpath_map_errors", map="a", kind="check-condition"), [3])
        self.assertEqual(self.value("mpath_map_latency_seconds", map="a", percentile="50"), [0.00064])
        self.assertEqual(self.value("mpath_map_latency_seconds", map="b"), [])
        self.assertEqual(self.value("mpath_map_hedged_reads", map="a"), [8])
        self.assertEqual(self.value("mpath_map_hedges_won", map="a"), [6])
        self.assertEqual(self.value("mpath_path_state", map="a", number="1", mpath_path_state="failed"), [1])
        self.assertEqual(sum(self.value("mpath_path_state", map="a", number="1")), 1)
        self.assertEqual(self.value("mpath_path_failures", map="a", address="8:16"), [2])
        self.assertEqual(self.value("mpath_path_slow", map="a", number="2"), [1])
        self.assertEqual(self.value("mpath_path_slow", map="a", number="1"), [0])

    def test_escaping(self):
        self.assertEqual(self.value("mpath_path_priority", address='/dev/"odd\\'), [-1])

    def test_text_format(self):
        """As node_exporter wants it, which refuses the whole file for one line that is wrong, and whose parser is
        not as lax as Python's: version 0.0.4, which has neither OpenMetrics' other types nor its names of counters.
        """
        self.assertTrue(self.text.endswith("\n"))
        name, told, seen = "", set(), set()
        for line in self.text[:-1].split("\n"):
            if found := re.fullmatch(r"# HELP (\w+) [^\\]+", line):
                name, kind = found[1], ""
                self.assertNotIn(name, told, "the samples of one name stand together")
                told.add(name)
            elif found := re.fullmatch(r"# TYPE (\w+) (counter|gauge)", line):
                self.assertEqual((found[1], kind), (name, ""), line)
                kind = found[2]
                self.assertEqual(kind == "counter", name.endswith("_total"), line)
            else:
                found = re.fullmatch(r'((\w+)\{\w+="(?:[^"\\]|\\["\\n])*"(?:,\w+="(?:[^"\\]|\\["\\n])*")*\}) '
                                     r"-?[0-9.]+(?:e-[0-9]+)?", line)
                self.assertTrue(found and kind, line)
                self.assertEqual(found[2], name, line)
                # promtool check metrics: these labels are a summary's and a histogram's.
                self.assertNotRegex(line, r'[{,](?:quantile|le)="')
                self.assertNotIn(found[1], seen, "twice")
                seen.add(found[1])

    def test_no_maps(self):
        list(text_string_to_metric_families(metrics.text(sample.manager(), [])))

    def test_what_lies_in_the_way(self):
        """node_exporter's directory is not root's: a link with our temporary name leads nowhere."""
        with tempfile.TemporaryDirectory() as directory:
            victim, file = directory + "/victim", directory + "/file"
            with open(victim, "w") as f:
                f.write("kept")
            os.symlink(victim, f"{file}.{os.getpid()}")
            actions.replace_file(file, "new")
            for name, content in ((victim, "kept"), (file, "new")):
                with open(name) as f:
                    self.assertEqual(f.read(), content)
            self.assertFalse(os.path.islink(file))
            self.assertEqual(sorted(os.listdir(directory)), ["file", "victim"])

    def test_other_version(self):
        """Nothing restarts tcmu-runner when the package is upgraded: an older handler may answer."""
        for interface in ("Manager", "Map", "Path"):
            for name in sample.properties(interface):
                objects, manager = sample.objects(), sample.manager()
                for found in [*objects.values(), {"org.tcmu.Mpath1.Manager": manager}]:
                    found.get("org.tcmu.Mpath1." + interface, {}).pop(name, None)
                with contextlib.suppress(model.OtherVersion):
                    metrics.text(manager, model.maps_of(objects))


class EventsTest(unittest.TestCase):
    def test_line(self):
        event = events.Event(1700000000123456, "a", "path-failed", "8:16", 1, "path 8:16 failed", 3)
        self.assertRegex(event.line(), r"^2023-11-1\d \d\d:\d\d:20\.123 a path-failed 8:16 "
                                       r"\(1 usable\): path 8:16 failed$")
        self.assertEqual(event.fields()["sequence"], 3)
        self.assertEqual(set(events.Event(1, "a", "map-added").fields()),
                         {"time_us", "map", "kind", "path", "text"})

    def test_lost(self):
        sequence = events.Sequence()
        self.assertEqual([sequence.lost("a", n) for n in (5, 6, 9)], [0, 0, 2])
        self.assertEqual(sequence.lost("b", 7), 0)
        self.assertEqual(sequence.lost("a", 1), 0)      # opened anew
        sequence.forget("a")
        self.assertEqual(sequence.lost("a", 20), 0)


TABLE = """\
mpatha: 0 131072 multipath 1 queue_if_no_path 1 alua 2 1 service-time 0 1 2 8:0 1 1 service-time 0 1 2 8:16 1 1
vg-root: 0 1024 linear 8:3 2048
mpathb: 0 131072 multipath 0 0 1 1 round-robin 0 2 1 8:32 1000 8:48 1000
"""
LISTED = """\
Nov 25 20:00:00 | /etc/multipath.conf line 3, invalid keyword: nonsense
mpatha (36001405b922ff67a) dm-0 LIO-ORG,disk
size=64M features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| |- 2:0:0:0 sda 8:0  active ready running
| `- 3:0:0:0 sdb 8:16 active ready running
`-+- policy='service-time 0' prio=10 status=enabled
  `- 4:0:0:0 sdc 8:32 failed faulty offline
36001405000000001 dm-1 LIO-ORG,other disk
size=1.0G features='0' hwhandler='0' wp=rw
`-+- policy='round-robin 0' prio=1 status=active
  |- 2:0:0:1 sdd 8:48 active ready running
  `- 3:0:0:1 sde 8:64 active ready running
"""


class ImportTest(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory(prefix="mpath-import.")
        self.addCleanup(made.cleanup)
        self.sysfs = made.name + "/sys"
        self.maps = made.name + "/maps"
        os.mkdir(self.maps)

    def put(self, name, content):
        os.makedirs(os.path.dirname(f"{self.sysfs}/{name}"), exist_ok=True)
        with open(f"{self.sysfs}/{name}", "w") as f:
            f.write(content + "\n")

    def is_taken(self, text):
        """The handler's own reader is the judge."""
        done = subprocess.run([CHECK_MAP], input=text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""), text)
        return done.stdout

    def import_map(self, found):
        file = importer.import_map(found, self.maps, self.sysfs)
        self.is_taken(self.content(found.name))
        return file

    def content(self, name):
        with open(f"{self.maps}/{name}.map") as f:
            return f.read()

    def refused(self, found, reason):
        with self.assertRaisesRegex(importer.Mistake, reason):
            self.import_map(found)
        self.assertEqual(os.listdir(self.maps), [])

    def test_listed(self):
        a, b = importer.parse(LISTED)
        self.assertEqual(a.groups, [["8:0", "8:16"], ["8:32"]])
        self.assertEqual(self.import_map(a), self.maps + "/mpatha.map")
        self.assertEqual(self.content("mpatha"), """\
# mpatha, taken over from dm-multipath by mpathctl import.
# Not taken over: no_path_retry, if it was a number: dm-multipath shows queue_if_no_path then, too
[multipath]
wwid=36001405b922ff67a
grouping=group_by_prio
selector=service-time
hw_handler=alua
no_path_retry=queue
""")
        self.import_map(b)
        self.assertEqual(self.content("36001405000000001").splitlines()[2:],
                         ["wwid=36001405000000001", "grouping=multibus", "selector=round-robin"])

    def test_a_disk_that_is_gone(self):
        """Its path is in the map still, and counts where groups are looked at."""
        found, = importer.parse("""\
mpatha (36001405b922ff67a) dm-0 LIO-ORG,disk
size=64M features='0' hwhandler='0' wp=rw
`-+- policy='service-time 0' prio=1 status=active
  |- 2:0:0:0 sda 8:0  active ready running
  `- #:#:#:# -   #:#  failed undef unknown
""")
        self.import_map(found)
        self.assertIn("grouping=multibus\n", self.content("mpatha"))

    def test_table(self):
        a, b = importer.parse(TABLE)
        self.assertEqual((a.features, a.hw_handler, a.selectors, a.groups),
                         (["queue_if_no_path"], "alua", ["service-time 0"] * 2, [["8:0"], ["8:16"]]))
        self.put("dev/block/8:16/device/wwid", "naa.6001405b922ff67a")
        self.import_map(a)
        self.assertIn("wwid=36001405b922ff67a\ngrouping=failover\n", self.content("mpatha"))
        self.assertEqual((b.features, b.hw_handler), ([], ""))

    def table(self, table):
        found, = importer.parse("m: 0 131072 multipath " + table)
        found.wwid = "36001405b922ff67a"
        return found

    def test_what_a_map_file_cannot_say(self):
        """It is dropped, and the map file and the caller say so."""
        for table, keys, dropped in (
                ("0 0 1 1 historical-service-time 2 972 0 1 1 8:0 1", ["selector=historical-service-time"],
                 ["arguments of selector historical-service-time: 972 0"]),
                ("0 0 1 1 io-affinity 0 1 1 8:0 f", [],
                 ["selector io-affinity, which only a table can have", "arguments of paths: f"]),
                ("0 0 2 1 service-time 0 1 0 8:0 round-robin 0 1 0 8:16", [],
                 ["a selector for each group (service-time, round-robin): all have the default"]),
                ("0 0 1 1 service-time 0 2 2 8:0 1 1 8:16 1 4", ["selector=service-time"],
                 ["arguments of paths: 1 4"]),
                ("0 0 1 1 service-time 0 2 2 8:0 1 1 8:16 1 0", ["selector=service-time"],
                 ["arguments of paths: 1 0"]),
                ("6 pg_init_retries 50 queue_if_no_path pg_init_delay_msecs 60 retain_attached_hw_handler "
                 "1 alua 1 1 queue-length 0 1 1 8:0 1",
                 ["selector=queue-length", "hw_handler=alua", "pg_init_retries=50", "no_path_retry=queue",
                  "pg_init_delay_msecs=60"],
                 ["no_path_retry, if it was a number: dm-multipath shows queue_if_no_path then, too"]),
                ("2 queue_mode bio 3 emc 1 0 0 0", ["hw_handler=emc 1 0"], ["queue_mode bio"]),
                ("0 2 alua 1 0 0", ["hw_handler=alua 1"], []),
                ("0 2 rdac 1 0 0", ["hw_handler=rdac"], ["arguments of hardware handler rdac: 1"]),
                ("0 1 mine 0 0", [], ["hardware handler mine"])):
            found = self.table(table)
            self.is_taken(importer.map_file(found))
            lines = importer.map_file(found).splitlines()
            self.assertEqual([line for line in lines if re.match("(selector|hw_|no_path|pg_init)", line)], keys)
            self.assertEqual(importer.dropped(found), dropped)
            self.assertEqual([line for line in lines[1:] if line[0] == "#"],
                             ["# Not taken over: " + what for what in dropped])

    def test_selectors(self):
        """Each that the handler has and takes by its name alone."""
        for name in importer.SELECTORS:
            self.assertIn(f"path selector {name}\n", self.is_taken(f"[multipath]\nwwid=3600\nselector={name}\n"))
        done = subprocess.run([CHECK_MAP], input="[multipath]\nwwid=3600\nselector=x\n",
                              capture_output=True, text=True)
        known = set(done.stderr.partition("this version has")[2].strip(": \n").split(", "))
        self.assertEqual(known - set(importer.SELECTORS), {"io-affinity"}, done.stderr)

    def test_wwid_that_no_map_file_has(self):
        for wwid in ("eui.0025388b710116a1", "nvme.1234-5678", "uuid.1-2", '1a"b', "SATA_DISK_1", "0QEMU", "3600A"):
            self.refused(importer.DmMap("m", wwid), "its WWID .* is none of a SCSI disk's")

    def test_table_named_by_its_wwid(self):
        name = "3" + "60014050000000000000000000000001"
        found, = importer.parse(TABLE.splitlines()[0].replace("mpatha", name))
        self.import_map(found)
        self.assertIn(f"wwid={name}\n", self.content(name))

    def test_wwid_unknown(self):
        self.refused(importer.parse(TABLE)[0], "WWID is not known")

    def test_paths_moved(self):
        self.put("dev/block/8:0/device/wwid", "naa.6001405b922ff67a")
        self.put("dev/block/8:16/device/wwid", "naa.6001405000000002")
        self.refused(importer.parse(TABLE)[0], "different LUNs by now .36001405000000002, 36001405b922ff67a")

    def test_active(self):
        for name, uuid in (("mpatha", "mpath-36000"), ("renamed", "mpath-36001405b922ff67a")):
            self.put("block/dm-0/dm/name", name)
            self.put("block/dm-0/dm/uuid", uuid)
            # That is how multipathd knows it, whichever of the LUN's names we do.
            self.refused(importer.parse(LISTED)[0], f"device-mapper still has it, as {name}: put its WWID {uuid[6:]} on "
                                                    f".*multipath -f {name}")
        # A volume of LVM's that happens to have the name is another thing.
        self.put("block/dm-0/dm/name", "mpatha")
        self.put("block/dm-0/dm/uuid", "LVM-1234")
        self.import_map(importer.parse(LISTED)[0])

    def put_dm(self, name, uuid, devno, wwid):
        """A dm device on a disk, which has this WWID, or none."""
        self.put("block/dm-0/dm/name", name)
        self.put("block/dm-0/dm/uuid", uuid)
        self.put("block/dm-0/slaves/sdx/dev", devno)
        if wwid:
            self.put("block/dm-0/slaves/sdx/device/wwid", wwid)

    def test_active_without_uuid(self):
        """`dmsetup create mpatha --table ... multipath ...` gives no uuid."""
        self.put("block/dm-0/dm/name", "mpatha")
        self.put("block/dm-0/dm/uuid", "")
        self.refused(importer.parse(LISTED)[0], "device-mapper still has it, as mpatha: .*dmsetup remove mpatha")

    def test_paths_are_in_a_dm_device(self):
        """Whatever it is called, whose it is, and what it makes of the disk."""
        for name, uuid in (("mine", ""), ("mine", "mpath-mine"), ("vg-root", "LVM-1234")):
            for devno, wwid in (("65:0", "naa.6001405b922ff67a"), ("8:32", "")):
                self.put_dm(name, uuid, devno, wwid)
                self.refused(importer.parse(LISTED)[0], f"device-mapper still has it, as {name}: ")
                shutil.rmtree(self.sysfs)
        # The number is another disk's by now.
        self.put_dm("mine", "", "8:32", "naa.6001405000000002")
        self.import_map(importer.parse(LISTED)[0])

    def test_a_partition_is_in_a_dm_device(self):
        self.put("block/dm-0/dm/name", "vg-root")
        self.put("block/dm-0/dm/uuid", "LVM-1234")
        self.put("block/sdx/device/wwid", "naa.6001405b922ff67a")
        self.put("block/sdx/sdx1/partition", "1")
        self.put("block/sdx/sdx1/dev", "65:1")
        os.makedirs(self.sysfs + "/block/dm-0/slaves")
        os.symlink("../../sdx/sdx1", self.sysfs + "/block/dm-0/slaves/sdx1")
        self.refused(importer.parse(LISTED)[0], "device-mapper still has it, as vg-root: ")

    def test_there_already(self):
        found = importer.parse(LISTED)[0]
        self.import_map(found)
        with open(self.maps + "/mpatha.map", "w") as f:
            f.write("mine")
        with self.assertRaisesRegex(importer.Mistake, "mpatha.map is there already"):
            self.import_map(found)
        self.assertEqual(self.content("mpatha"), "mine")

    def test_no_room(self):
        """Half a file would be in the way of the next try, and be read."""
        found = importer.parse(LISTED)[0]
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            self.refused(found, "mpatha.map: File too large")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.import_map(found)

    def test_on_disk_before_it_has_its_name(self):
        """Killed, or without power, or with a disk that fails late: there is a whole map file, or none."""
        found = importer.parse(LISTED)[0]
        seen = []

        def fails(descriptor):
            seen.append((os.listdir(self.maps), os.fstat(descriptor).st_size))
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        with unittest.mock.patch("os.fsync", fails):
            self.refused(found, "mpatha.map: Input/output error")
        (names, size), = seen
        self.assertNotIn("mpatha.map", names)
        self.assertGreater(size, 0)
        self.assertEqual(os.listdir(self.maps), [])
        self.import_map(found)
        self.assertEqual(os.listdir(self.maps), ["mpatha.map"])

    def test_name(self):
        found = importer.parse(LISTED)[0]
        for name in ("a/b", ".a", "a" * 65, "a:b", ""):
            found.name = name
            self.refused(found, "cannot be a map's here")

    def test_numbers_that_are_none(self):
        for word in ("\u00b2", "\u0663", "9" * 5000):
            with self.assertRaisesRegex(importer.Mistake, f'"{word}" is where the number of groups should be'):
                importer.parse(f"mpatha: 0 8 multipath 0 0 {word} 1 round-robin 0 1 0 8:0")

    def test_nonsense(self):
        for given, reason in (
                ("", "nothing to import"), ("No devices found\n", "nothing to import"),
                ("hello\n", "no line of dmsetup table: hello"),
                ("a: 0 1 multipath\n", "ends where the number of feature arguments"),
                ("a: 0 1 multipath 0 0 1 1 rr 0 1 1 8:0\n", "ends where a path argument"),
                ("a: 0 1 multipath 0 0 1 1 rr 0 x\n", '"x" is where the number of paths')):
            with self.assertRaisesRegex(importer.Mistake, reason):
                importer.parse(given)


class TargetcliTest(unittest.TestCase):
    """The pure parts; targetcli itself is in the VM: e2e/targetcli."""

    def test_cfgstring(self):
        self.assertEqual(ui.cfgstring_of("/dev/sda,/dev/sdb", None, None, None), "/dev/sda;/dev/sdb")
        self.assertEqual(ui.cfgstring_of(None, "36001", None, None), "wwid=36001")
        self.assertEqual(ui.cfgstring_of(None, None, "mpatha", None), "mpatha")
        self.assertEqual(ui.cfgstring_of(None, None, None, "mpatha"), "mpatha")
        with self.assertRaisesRegex(ValueError, 'paths=: "sdb", expected an absolute path name'):
            ui.cfgstring_of("/dev/sda,sdb", None, None, None)
        for name in ("/etc/tcmu/mpath.d/mpatha.map", "wwid=36001"):
            with self.assertRaisesRegex(ValueError, f'map=: "{name}", expected the name of a file in /etc/tcmu/'):
                ui.cfgstring_of(None, None, name, None)
        for words in ((None, None, None, None), ("/dev/sda", None, "mpatha", None)):
            with self.assertRaisesRegex(ValueError, "give one of paths=, wwid=, map="):
                ui.cfgstring_of(*words)

    def test_map_name(self):
        for config, wanted in (("mpath/mpatha", "mpatha"), ("mpath//dev/sda;/dev/sdb", "lun0"),
                               ("mpath/wwid=36001", "lun0")):
            self.assertEqual(ui.map_name("lun0", config), wanted)

    def test_hook(self):
        """Only targetcli's module is extended, and what goes wrong there does not come out."""
        from mpath_targetcli import hook
        finder = next(found for found in sys.meta_path if isinstance(found, hook.Finder))
        self.assertIsNone(finder.find_spec("json"))
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(directory + "/targetcli")
            for name in ("__init__", "ui_backstore"):
                with open(f"{directory}/targetcli/{name}.py", "w") as f:
                    f.write("here = True\n")
            sys.path.insert(0, directory)
            try:
                with contextlib.redirect_stderr(io.StringIO()) as err:
                    from targetcli import ui_backstore      # one that is not as we know it
            finally:
                sys.path.remove(directory)
        self.assertIsInstance(ui_backstore, types.ModuleType)
        self.assertTrue(ui_backstore.here)
        self.assertIn("tcmu-mpath: this targetcli has no commands for multipath maps", err.getvalue())
        self.assertNotIn(finder, sys.meta_path)


class DocumentsTest(unittest.TestCase):
    """Manual page and shell completion know the commands that there are."""

    def setUp(self):
        self.shown = MAPS[0]
        parser = cli.make_parser()
        self.commands = next(action.choices for action in parser._actions
                             if isinstance(action, argparse._SubParsersAction))

    def complete(self, *words):
        """What bash offers for the last word, with a mpathctl that knows the sample and has 5 s."""
        return self.bash(*words).split("|")[1].split()

    def bash(self, *words):
        """How it is told to take the offers, and these."""
        script = f"""
            compopt() {{ echo "$*"; }}
            . {REPO}/config/bash-completion/mpathctl
            timeout() {{ [ "$1 $2 $3" = "--foreground 5 mpathctl" ] && shift 3 && answer "$@"; }}
            answer() {{ if [ $1 = list ]; then printf 'a\\nb\\n'; else echo "$SHOWN"; fi; }}
            COMP_WORDS=(mpathctl "$@") COMP_CWORD=$#
            _mpathctl
            echo "|${{COMPREPLY[*]}}" """
        shown = as_json.document(maps=[as_json.map_fields(self.shown)])
        done = subprocess.run(["bash", "-c", script, "bash", *words], text=True, check=True,
                              stdout=subprocess.PIPE, env=dict(os.environ, SHOWN=shown))
        return done.stdout

    def test_version(self):
        """Told without tcmu-runner, and the package's: Python is installed as it is, so it is written twice."""
        with open(f"{REPO}/CMakeLists.txt") as f:
            version = re.search(r"(?m)^project\(tcmu-mpath VERSION ([0-9.]+) ", f.read())[1]
        out = io.StringIO()
        with contextlib.redirect_stdout(out), self.assertRaises(SystemExit) as ended:
            cli.make_parser().parse_args(["--version"])
        self.assertEqual((ended.exception.code, out.getvalue()), (0, f"mpathctl (tcmu-mpath) {version}\n"))
        self.assertEqual(self.complete("--v"), ["--version"])
        self.assertEqual(self.complete("list", "--"), ["--help", "--json"])
        with open(f"{REPO}/config/man/mpathctl.8") as f:
            self.assertIn(".B \\-\\-version\n", f.read())

    def test_completion_of_files(self):
        """A slash, and no blank, behind a directory; and what is odd in a name is quoted."""
        for words in (("check", ""), ("check", "x", ""), ("import", ""), ("reload", "a", ""), ("import", "-d", ""),
                      ("metrics", "-o", "")):
            self.assertEqual(self.bash(*words).partition("|")[0], "-o filenames\n", words)
        for words in (("",), ("fail", "a", ""), ("check", "-"), ("add", "-g", "")):
            self.assertEqual(self.bash(*words).partition("|")[0], "", words)

    def test_completion(self):
        self.assertEqual(set(self.complete("")), set(self.commands))
        self.assertEqual(self.complete("re"), ["reinstate", "remove", "release", "reload", "resume"])
        self.assertEqual(self.complete("fail", ""), ["a", "b"])
        self.assertEqual(self.complete("fail", "a", ""), ["sda", "sdb", "sdc"])
        self.assertEqual(self.complete("switch", "--json", "a", ""), ["1", "2"])
        self.assertEqual(set(self.complete("message", "a", "")), set(client.MESSAGES))
        self.assertEqual(self.complete("message", "a", "fail_path", ""), ["sda", "sdb", "sdc"])
        self.assertEqual(self.complete("message", "a", "switch_group", ""), ["1", "2"])
        self.assertEqual(self.complete("check", f"{REPO}/READM"), [f"{REPO}/README.md"])

    def test_completion_of_options(self):
        for name, command in self.commands.items():
            options = {option for action in command._actions for option in action.option_strings}
            self.assertEqual(set(self.complete(name, "-")), options - {"-h"}, name)

    def test_completion_behind_options(self):
        """The value of an option is no word of the command."""
        for option in (["-g", "2"], ["-g2"], ["--group", "2"], ["--group", "=", "2"], ["--json"]):
            self.assertEqual(self.complete("add", *option, ""), ["a", "b"], option)
        self.assertEqual(self.complete("add", "-g", ""), [])
        self.assertEqual(self.complete("add", "a", "-g", ""), ["1", "2"])
        self.assertEqual(self.complete("add", "a", "--group", "=", ""), ["1", "2"])
        self.assertEqual(self.complete("top", "-d", "1", "-n", ""), [])
        self.assertEqual(self.complete("top", "-d", "1", "-n", "3", "a", ""), ["a", "b"])
        self.assertEqual(self.complete("events", "-n", "1", ""), ["a", "b"])
        self.assertEqual(self.complete("import", "-d", f"{REPO}/targetcli"), [f"{REPO}/targetcli-ext"])
        self.assertEqual(self.complete("import", "-d", f"{REPO}/READM"), [])
        self.assertEqual(self.complete("import", "-d", "/tmp", f"{REPO}/READM"), [f"{REPO}/README.md"])
        self.assertEqual(self.complete("metrics", "-o", f"{REPO}/READM"), [f"{REPO}/README.md"])
        # What a message may have behind its first word is the map's to judge.
        self.assertEqual(self.complete("message", "a", "echo", "-n", ""), [])

    def test_messages(self):
        """Those that the handler knows, in its own words."""
        words = set()
        for file in ("core/message.c", "runtime/device_layout.c"):
            with open(f"{REPO}/handler/{file}") as f:
                words |= set(re.findall(r'strcasecmp\((?:word|message->argv\[1\]), "(\w+)"\)', f.read()))
        self.assertEqual(set(client.MESSAGES), words - {"noflush"})

    def test_messages_are_documented(self):
        with open(f"{REPO}/config/man/tcmu-mpath.8") as f:
            section = f.read().partition(".SH MESSAGES")[2].partition(".SH RELOADING")[0]
        named = set(re.findall(r"\w+", "\n".join(re.findall(r"\n\.TP\n(.*)", section))))
        self.assertLessEqual(set(client.MESSAGES), named)

    def test_taking_over_is_documented(self):
        """A map that was flushed and whose WWID is not on the blacklist comes back at once."""
        for name in ("README.md", "config/man/mpathctl.8", "config/man/tcmu-mpath.8"):
            with open(f"{REPO}/{name}") as f:
                text = f.read().replace("\\-", "-")
            flush = text.rindex("multipath -f mpatha")
            self.assertIn("multipathd reconfigure\n", text[flush - 200:flush], name)
            self.assertRegex(text[flush - 300:flush], r'blacklist \{\n\s*wwid "3\w+"\n\}\n', name)

    def test_a_path_without_device(self):
        """It has no name that would lead to it."""
        self.shown = MAPS[1]
        self.assertEqual(self.complete("fail", "b", ""), [])

    def make_page(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write(text)
            f.flush()
            return subprocess.run([f"{REPO}/config/man/make-dbus-page", f.name,
                                   f"{REPO}/config/man/org.tcmu.Mpath1.7.in"],
                                  capture_output=True, text=True)

    def test_dbus_page(self):
        """It has every member, and the generator refuses an XML whose comments do not fit."""
        with open(sample.XML) as f:
            text = f.read()
        made = self.make_page(text)
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        for name in re.findall(r'<(?:method|signal|property) name="(\w+)"', text):
            self.assertRegex(made.stdout, rf"\n\\fB{name}\\fP \(")
        for change, reason in ((("Wwid: the", "Wwidd: the"), "property Wwid: no comment"),
                               (("@words:", "@word:"), "method Message: comment and element differ")):
            made = self.make_page(text.replace(*change))
            self.assertEqual(made.returncode, 1)
            self.assertIn(reason, made.stderr)

    def test_manual_page(self):
        with open(f"{REPO}/config/man/mpathctl.8") as f:
            page = f.read().replace("\\-", "-")
        self.assertIn("-h | --help", page)
        parts = re.split(r"\n\.TP\n\.BR? ([a-z-]+)(?= |\n)", page)
        parts = {name: part for name, part in zip(parts[1::2], parts[2::2])}
        for name, command in self.commands.items():
            self.assertIn(name, parts)
            for action in command._actions:
                if action.dest not in ("help", "json"):
                    for option in action.option_strings:
                        self.assertRegex(parts[name] if name != "status" else page,
                                         rf"(?<![\w-]){option}(?![\w-])", name)


if __name__ == "__main__":
    CHECK_MAP = os.path.abspath(sys.argv.pop(1))
    unittest.main()
