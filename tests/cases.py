#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds what the asked-for cases need, runs them, and says how they ended.

tests/run.sh is what a person types; it starts this one.  Where cases come from:

    CTest               unit, sim, contract: by label, in the preset debug; contract in tsan too
    TOOL_CASES below    unit: what judges sources and builds; bench: exact figures
    tests/SUITE/*.py    e2e, contract, bench: run in the VM by tests/vm/run

A file for the VM may say in a line of its own what it wants:

    # tests/run: -m 2048 -t 900 --systemd       these options of tests/vm/run
    # tests/run: host                           it runs on the host and starts VMs by itself
    # tests/run: host long                      and only with --long, or if the pattern names it
    # tests/run: late                           after the others, and two at a time instead of three:
                                                for bounds of a second

What it prints is kept in build/tests/SUITE-NAME/; if it writes /out/results.json, its cases are
counted one by one, else it is one case that passes with exit status 0 and is skipped with 77.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(HERE)
BUILD = os.path.join(REPO, "build")
SUITES = ("unit", "sim", "contract", "e2e", "bench")
SKIPPED = 77
VM_MEMORY = 2048
VM_SECONDS = 1500
# VMs at a time on two CPUs, as they wait half of their time; and of those that count seconds.
VM_JOBS, VM_JOBS_LATE = 3, 2
LONG_TIMES = 5      # the big counts may take so many times longer

# A VM case that was too slow is run so many times more, with no other guest beside it.
TRIES_ALONE = 2
TOO_SLOW = ("too slow: ", "NotInTime: ")        # case.TooSlow, and who waited for something

# name, command, what the preset debug does not show
TOOL_CASES = (
    ("unit/clang", ["tests/tools/clang"]),                  # clang's warnings
    ("unit/coverage", ["tests/tools/coverage"]),            # lines that no test reaches
    ("unit/lint", ["tests/tools/lint"]),                    # scripts
    ("bench/gates", ["tests/bench/gates"]),                 # instructions per command: the core
    ("bench/handler", ["tests/bench/handler"]),             # and the handler; kicks, system calls
    ("bench/growth", ["tests/bench/growth", "--gate"]),     # with many maps
)

PRESETS = {"unit": ("debug",), "sim": ("debug",), "contract": ("debug", "tsan")}
# What is built of a preset, if not all.
TARGETS = {"tsan": "tests_contract"}

print_lock = threading.Lock()


def say(text):
    with print_lock:
        print(text, flush=True)


class Results:
    """How the cases ended, told as it happens."""

    def __init__(self):
        self.of = collections.OrderedDict()
        self.why = {}

    def add(self, name, result, seconds, why=""):
        with print_lock:
            self.of[name] = result
            self.why[name] = why
            print(f"{result:4} {name}  {seconds:.1f} s" + (f"  {why}" if why else ""), flush=True)

    def count(self, result):
        return sum(r == result for r in self.of.values())

    def of_file(self, name):
        return [case for case in self.of if case == name or case.startswith(name + "/")]


def invoking_user():
    """For subprocess: with sudo, builds and host tests run as the user who typed it."""
    if os.geteuid() or not int(os.environ.get("SUDO_UID", 0)):
        return {}
    import pwd
    entry = pwd.getpwuid(int(os.environ["SUDO_UID"]))
    return {"user": entry.pw_uid, "group": entry.pw_gid,
            "extra_groups": os.getgrouplist(entry.pw_name, entry.pw_gid),
            "env": dict(os.environ, HOME=entry.pw_dir, USER=entry.pw_name)}


def give_build_away():
    """What root wrote below build/ (VM output, an older run) belongs to the user, too."""
    user = invoking_user()
    if user:
        os.makedirs(BUILD, exist_ok=True)
        subprocess.run(["chown", "-R", f"{user['user']}:{user['group']}", BUILD], check=True)


def quiet(command, what):
    """Runs a build step; on failure shows what it printed, and ends everything."""
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace", **invoking_user())
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-80:]))
        sys.exit(f"FAIL {what}: {shlex.join(command)}")
    return done.stdout


class Builds:
    """Each preset is configured and built at most once, and only if a case wants it."""

    def __init__(self):
        self.configured = set()
        self.built = set()
        self.lock = threading.RLock()

    def configure(self, preset):
        with self.lock:
            if preset not in self.configured:
                # A line for each object, which nobody reads here, would be a process for each.
                quiet(["cmake", "--preset", preset, "-DCMAKE_RULE_MESSAGES=OFF"],
                      f"configuring {preset}")
                self.configured.add(preset)

    def build(self, preset):
        with self.lock:
            self.configure(preset)
            if preset not in self.built:
                begin = time.monotonic()
                quiet(["cmake", "--build", "--preset", preset, "-j", str(os.cpu_count() or 1),
                       "--target", TARGETS.get(preset, "all")], f"building {preset}")
                say(f"     built {preset} in {time.monotonic() - begin:.0f} s")
                self.built.add(preset)

    def package(self):
        if "package" not in self.built:
            self.build("release")
            quiet(["sh", "-c", "cd build/release && rm -f tcmu-mpath_*.deb && cpack -G DEB"],
                  "the package")
            self.built.add("package")


# --- CTest ---

def ctest_tests(preset):
    """All tests of a configured preset: {name: set of labels}."""
    listing = json.loads(quiet(["ctest", "--test-dir", f"build/{preset}", "--show-only=json-v1"],
                               "listing tests"))
    tests = {}
    for test in listing["tests"]:
        labels = next((p["value"] for p in test.get("properties", []) if p["name"] == "LABELS"), [])
        tests[test["name"]] = set(labels)
    return tests


def case_name(test, preset):
    return test if preset == "debug" else f"{test}.{preset}"


CTEST_LINE = re.compile(r"^ *\d+/\d+ Test +#\d+: (\S+) [ .]*(.*?) +([\d.]+) sec")


def run_ctest(preset, tests, results):
    """Runs tests of one preset and reports each as it ends."""
    directory = f"build/{preset}"
    junit = os.path.join(REPO, directory, "results.xml")
    regex = "^(" + "|".join(re.escape(t) for t in tests) + ")$"
    process = subprocess.Popen(
        ["ctest", "--test-dir", directory, "-R", regex, "-j", str(os.cpu_count() or 1),
         "--output-junit", junit, "--no-tests=error", "--test-output-size-failed", "200000"],
        cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        text=True, errors="replace", **invoking_user())
    ended, failed = set(), set()
    for line in process.stdout:
        match = CTEST_LINE.match(line)
        if not match:
            continue
        name, how, seconds = match.group(1), match.group(2), float(match.group(3))
        ended.add(name)
        if how == "Passed":
            results.add(case_name(name, preset), "ok", seconds)
        elif "Skipped" in how:
            results.add(case_name(name, preset), "skip", seconds)
        else:
            failed.add(name)
            results.add(case_name(name, preset), "FAIL", seconds, how.strip("* "))
    process.wait()
    for name in tests:
        if name not in ended:
            results.add(case_name(name, preset), "FAIL", 0, "CTest did not run it")
    if failed:
        show_failed(junit, failed)


def show_failed(junit, failed):
    for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
        if case.get("name") in failed:
            say(f"--- {case.get('name')} printed:")
            say("\n".join((case.findtext("system-out") or "").splitlines()[-60:]))


def ctest_cases(suite, pattern, builds):
    """[(preset, [tests])] of a suite that match."""
    found = []
    for preset in PRESETS.get(suite, ()):
        builds.configure(preset)
        tests = [name for name, labels in ctest_tests(preset).items()
                 if suite in labels and pattern in case_name(name, preset)]
        if tests:
            found.append((preset, tests))
    return found


# --- tools ---

def run_tool(name, command, results):
    begin = time.monotonic()
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace", **invoking_user())
    result = {0: "ok", SKIPPED: "skip"}.get(done.returncode, "FAIL")
    lines = done.stdout.splitlines()
    results.add(name, result, time.monotonic() - begin, lines[-1] if lines else "")
    if result == "FAIL":
        say("\n".join(lines[-60:]))


# --- the VM ---

class VmFile:
    """tests/SUITE/NAME.py: a script for the guest."""

    def __init__(self, suite, path, pattern):
        self.suite = suite
        self.stem = os.path.splitext(os.path.basename(path))[0]
        self.name = f"{suite}/{self.stem}"
        self.path = path
        with open(path) as f:
            text = f.read()
        match = re.search(r"^# tests/run: *(.*)$", text, re.M)
        options = shlex.split(match.group(1)) if match else []
        self.long = "long" in options
        self.late = "late" in options
        options = [word for word in options if word not in ("long", "late")]
        self.on_host = options == ["host"]
        self.options, self.memory, self.seconds = self.machine([] if self.on_host else options)
        # Such a file can name its cases without running anything.
        self.cases = []
        if "case.main()" in text:
            listed = subprocess.run([sys.executable, "-B", path, "--list"], capture_output=True,
                                    text=True, **invoking_user())
            if listed.returncode:
                sys.exit(f"FAIL {path} --list:\n{listed.stderr}")
            self.cases = [self.renamed(name) for name in listed.stdout.split()]
        self.all = pattern in self.name
        self.matching = self.cases if self.all else [c for c in self.cases if pattern in c]
        self.wanted = (self.all or bool(self.matching)) and \
            (not self.long or bool(pattern) or os.environ.get("MPATH_LONG") == "1")
        self.pattern = "" if self.all else pattern

    def renamed(self, name):
        """case.py calls every case e2e/..., whatever its suite."""
        return self.name + name.removeprefix(f"e2e/{self.stem}")

    @staticmethod
    def machine(options):
        """Other options of tests/vm/run, the guest's memory in MiB, and its time in seconds."""
        parser = argparse.ArgumentParser(add_help=False)
        parser.add_argument("-m", type=int, default=VM_MEMORY)
        parser.add_argument("-t", type=int, default=VM_SECONDS)
        known, others = parser.parse_known_args(options)
        return others, known.m, known.t

    def command(self, out, long, pattern):
        if self.on_host:
            command = [sys.executable, "-B", self.path]
        else:
            seconds = self.seconds * (LONG_TIMES if long else 1)
            command = [os.path.join(HERE, "vm", "run"), "--out", out, "-m", str(self.memory),
                       "-t", str(seconds), *self.options, self.path]
        return command + ([pattern] if pattern else [])

    def run(self, results, long, only=""):
        """All cases that match, or one of them."""
        pattern = only.removeprefix(f"{self.suite}/") or self.pattern
        out = os.path.join(BUILD, "tests", self.name.replace("/", "-"))
        os.makedirs(out, exist_ok=True)
        for left in ("results.json", "output.log"):
            if os.path.exists(os.path.join(out, left)):
                os.unlink(os.path.join(out, left))
        begin = time.monotonic()
        lines = []
        reported = set()
        with open(os.path.join(out, "output.log"), "w") as log:
            process = subprocess.Popen(self.command(out, long, pattern), cwd=REPO, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                       errors="replace", env=dict(os.environ, MPATH_OUT=out)
                                       if self.on_host else None)
            try:
                for line in process.stdout:
                    log.write(line)
                    log.flush()
                    lines.append(line.rstrip("\n"))
                    self.report_line(lines, reported, results)
            except BaseException:
                process.terminate()
                process.wait()
                raise
        status = process.wait()
        self.report_rest(out, status, lines, reported, results, time.monotonic() - begin,
                         [only] if only else self.matching)

    LINE = re.compile(r"^(ok|FAIL|skip) (\S+)  ([\d.]+) s(?:  (.*))?$")

    def report_line(self, lines, reported, results):
        match = self.LINE.match(lines[-1])
        if not match:
            return
        name = self.renamed(match.group(2))
        reported.add(name)
        results.add(name, match.group(1), float(match.group(3)), match.group(4) or "")
        if match.group(1) == "FAIL":
            say("\n".join("  | " + line for line in lines[-45:-1]))

    def report_rest(self, out, status, lines, reported, results, seconds, matching):
        """What only the exit status tells: a file without cases, one that did not get to its end."""
        if not reported:
            result = {0: "ok", SKIPPED: "skip"}.get(status, "FAIL")
            results.add(self.name, result, seconds, lines[-1] if lines else "")
            if result == "FAIL":
                say("\n".join("  | " + line for line in lines[-45:]))
            return
        missing = [name for name in matching if name not in reported]
        failed = any(results.of[name] == "FAIL" for name in reported)
        if missing or (status and not failed):
            why = {124: "time limit", 125: "the guest broke"}.get(status, f"exit status {status}")
            if missing:
                why += f"; not run: {' '.join(missing)}"
            results.add(self.name, "FAIL", seconds, why)
            say("\n".join("  | " + line for line in lines[-45:]))
        if failed or missing:
            say(f"     all that it printed: {os.path.relpath(out, REPO)}/output.log")


def vm_files(suite, pattern):
    if suite not in ("contract", "e2e", "bench"):
        return []
    directory = os.path.join(HERE, suite)
    files = [VmFile(suite, os.path.join(directory, name), pattern)
             for name in sorted(os.listdir(directory)) if name.endswith(".py")] \
        if os.path.isdir(directory) else []
    return sorted((f for f in files if f.wanted), key=lambda f: f.late)


def available_mib():
    with open("/proc/meminfo") as f:
        return int(re.search(r"MemAvailable: *(\d+)", f.read()).group(1)) // 1024


def vm_jobs(suite, files):
    """Three VMs at a time if there is room; figures want the machine for themselves."""
    if suite == "bench":
        return 1
    if "MPATH_VM_JOBS" in os.environ:
        return int(os.environ["MPATH_VM_JOBS"])
    biggest = sorted((f.memory for f in files), reverse=True)[:VM_JOBS]
    room = available_mib() > sum(biggest) + 1024 * len(biggest)
    return VM_JOBS if room and (os.cpu_count() or 1) > 1 else 1


def build_for_guests(builds):
    # Mostly fetched, meanwhile; and once, before two guests want it at the same time.
    image = subprocess.Popen([os.path.join(HERE, "vm", "build-image")], stdout=subprocess.DEVNULL)
    builds.package()
    builds.build("debug")       # the sanitized handler, and the guest's programs
    if image.wait():
        sys.exit("FAIL the guest's image")


def run_in_guests(suite, files, results, long):
    late = threading.Semaphore(VM_JOBS_LATE)

    def run(f):
        with late if f.late else contextlib.nullcontext():
            f.run(results, long)

    with concurrent.futures.ThreadPoolExecutor(vm_jobs(suite, files)) as pool:
        for future in [pool.submit(run, f) for f in files]:
            future.result()


def rerun_in_guests(files, results, long):
    for f in files:
        for number in range(1, TRIES_ALONE + 1):
            run_again_if_slow(f, results, long, number)


def run_again_if_slow(f, results, long, number):
    """Bounds of a second mean little in an emulated guest beside another one: what was too slow there
    gets the machine for itself, and then it counts.  What was wrong is wrong, and is not tried again.
    What each run printed is kept."""
    failed = [name for name in results.of_file(f.name) if results.of[name] == "FAIL"]
    if not all(results.why[name].startswith(TOO_SLOW) for name in failed):
        return
    out = os.path.join(BUILD, "tests", f.name.replace("/", "-"))
    for name in failed:
        say(f"     again, alone: {name}")
        os.replace(os.path.join(out, "output.log"),
                   os.path.join(out, f"output-{number}-before-{os.path.basename(name)}.log"))
        del results.of[name]
        f.run(results, long, only="" if name == f.name else name)


# --- all of it ---

class Plan:
    """What of a suite is asked for, and where it runs."""

    def __init__(self, suite, pattern, builds):
        self.suite = suite
        self.tests = ctest_cases(suite, pattern, builds)
        self.tools = [t for t in TOOL_CASES if t[0].startswith(suite + "/") and pattern in t[0]]
        self.files = vm_files(suite, pattern)

    def names(self):
        return [case_name(name, preset) for preset, names in self.tests for name in names] + \
            [t[0] for t in self.tools] + sum((f.matching or [f.name] for f in self.files), [])

    def run_on_host(self, builds, results):
        for preset, names in self.tests:
            builds.build(preset)
            run_ctest(preset, names, results)
        for tool in self.tools:
            run_tool(*tool, results)


def run_on_host(plans, builds, results):
    for plan in plans:
        plan.run_on_host(builds, results)


def run_beside_guests(plans, builds, results):
    """Guests wait a lot, but must not be made to wait: this takes what they leave of the CPUs, and a
    little more, for here are some who count seconds, too."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    run_on_host(plans, builds, results)


def run_plans(plans, builds, results, long):
    guests = [plan for plan in plans if plan.files]
    if not guests:
        run_on_host(plans, builds, results)
        return
    build_for_guests(builds)
    with concurrent.futures.ThreadPoolExecutor(1) as host:
        on_host = host.submit(run_beside_guests, plans, builds, results)
        for plan in guests:
            run_in_guests(plan.suite, plan.files, results, long)
        on_host.result()
    for plan in guests:
        rerun_in_guests(plan.files, results, long)


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("suite", choices=SUITES + ("all",))
    parser.add_argument("pattern", nargs="?", default="")
    options = parser.parse_args()
    suites = SUITES if options.suite == "all" else (options.suite,)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if options.long:
        os.environ["MPATH_LONG"] = "1"

    results = Results()
    builds = Builds()
    begin = time.monotonic()
    give_build_away()
    try:
        plans = [Plan(suite, options.pattern, builds) for suite in suites]
        if options.list:
            print("\n".join(name for plan in plans for name in plan.names()))
            return 0
        run_plans(plans, builds, results, options.long)
    finally:
        give_build_away()
    failed = [name for name, result in results.of.items() if result == "FAIL"]
    for name in failed:         # once more, and why: of a long output the end is what is kept
        print(f"failed: {name}  {results.why[name]}")
    if not results.of:
        print(f"no case matches {options.suite} {options.pattern}")
    print(f"{results.count('ok')} passed, {len(failed)} failed, {results.count('skip')} skipped"
          f" in {time.monotonic() - begin:.0f} s")
    if failed or not results.of or results.count("ok") == 0:
        return 1
    return 1 if results.count("skip") and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
