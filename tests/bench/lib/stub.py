# SPDX-License-Identifier: GPL-2.0-or-later
"""bench_handler: the real handler_mpath.so and libtcmu in the machine of tests/bench/stub."""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

import machine
import results

BENCH = os.path.join(results.RELEASE, "tests", "bench_handler")
HANDLER = os.path.join(results.RELEASE, "handler", "handler_mpath.so")
LIBTCMU = "libtcmu.so.2"
BUILDS = ("handler_mpath", "bench_handler")    # to be built

Figures = collections.namedtuple("Figures", "commands ns kicks transport loop cmdproc switches")


def is_possible():
    """Says so if not."""
    if subprocess.run([sys.executable, "-c", f"import ctypes; ctypes.CDLL('{LIBTCMU}')"],
                      stderr=subprocess.DEVNULL).returncode == 0:
        return True
    print(f"there is no {LIBTCMU} here: apt-get install libtcmu2")
    return False


class Machine:
    """bench_handler with its files, on one CPU."""

    def __init__(self, prefix=(), maps=1, paths=2):
        self.root = tempfile.mkdtemp(prefix="bench-handler-")
        machine.build(self.root, maps, paths)
        cpu = str(min(os.sched_getaffinity(0)))
        self.pin = ["taskset", "-c", cpu]
        with open(os.path.join(self.root, "log"), "w") as log:
            self.process = subprocess.Popen(
                [*self.pin, *prefix, BENCH, self.root, HANDLER, str(maps), str(paths)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True,
                # The handler's D-Bus thread has nothing to do with the host's bus.
                env=dict(os.environ, LD_BIND_NOW="1",
                         DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.root}/bus"))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.root)

    def log(self):
        with open(os.path.join(self.root, "log")) as f:
            return f.read()

    def run(self, contender, depth, commands):
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{contender} {depth} {commands}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench_handler has failed:\n{self.log()}")
        return Figures(*(int(word) for word in answer.split()))

    def end(self):
        """Its input ends; so does it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def cost_of_objects(file):
    """Instructions in each program file, without what it calls."""
    names, cost, current = {}, collections.Counter(), ""
    with open(file) as f:
        lines = iter(f)
        for line in lines:
            if line.startswith("ob="):
                number, name = re.match(r"ob=(\(\d+\))(?: (.*))?", line).groups()
                if name:
                    names[number] = os.path.basename(name)
                current = names[number]
            elif line.startswith(("cob=", "cfi=", "fi=", "fe=", "fl=", "cfn=", "fn=")):
                number, name = re.match(r"\w+=(\(\d+\))(?: (.*))?", line).groups()
                if line.startswith("cob=") and name:
                    names[number] = os.path.basename(name)
            elif line.startswith("calls="):
                next(lines)
            elif re.match(r"[\d+*-]\S* \d+$", line):
                cost[current] += int(line.split()[1])
    return cost


def count(work, maps=1, paths=2):
    """cost_of_objects() of the exact runs in work(Machine)."""
    with tempfile.TemporaryDirectory() as directory:
        file = f"{directory}/out"
        with Machine(["valgrind", "--tool=callgrind", "--fair-sched=yes", "--instr-atstart=no",
                      "--max-threads=2000", f"--callgrind-out-file={file}"], maps, paths) as m:
            work(m)
            m.end()
            if not os.path.exists(file):
                sys.exit(f"callgrind has failed:\n{m.log()}")
        return cost_of_objects(file)
