# SPDX-License-Identifier: GPL-2.0-or-later
"""config/demo.sh --host, as it is told on a machine whose kernel has LIO."""
# tests/run: -s 2 -t 2000

import os
import re
import signal
import subprocess
import time

from lib import case, lio
from lib.case import defer, expect, expect_equal, expect_in_time, limit, note, only_long
from lib.system import run, wait_for

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOG = "/run/demo.log"

# What it may take, also on a CPU that is emulated beside another guest.
SECONDS = 180


class Demo:
    def __init__(self):
        with open(LOG, "wb") as log:
            # A session of its own, as a terminal gives it: Ctrl-C goes to all of it.
            self.process = subprocess.Popen([f"{REPO}/config/demo.sh", "--host"], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True)
        case.log_file(LOG)
        defer(self.kill)

    def text(self):
        with open(LOG) as log:
            return log.read()

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait_text(self, text, seconds=500):
        wait_for(lambda: text in self.text() or self.process.poll() is not None, seconds, text)
        expect(text in self.text(), f"the demo ended before {text!r}")


def nothing_left():
    known = run("iscsiadm", "-m", "discoverydb", check=False)
    expect("3269" not in known, f"iscsid remembers {known}")
    expect_equal(lio.leftovers(), [], "left in configfs")
    expect_equal(case.devices(), [], "disks left")
    for path in ("/etc/tcmu/mpath.d/mpathdemo.map", "/var/lib/tcmu-mpath/mpathdemo",
                 "/var/lib/tcmu-mpath/.last-good/mpathdemo.map", "/run/mpathdemo"):
        expect(not os.path.exists(path), f"left: {path}")


@only_long
@limit(900)
def test_interrupted():
    """Ctrl-C in the worst moment, with commands held: everything is taken down all the same."""
    demo = Demo()
    demo.wait_text("Both paths are cut")
    time.sleep(3)       # into the outage
    os.killpg(demo.process.pid, signal.SIGINT)
    begin = time.monotonic()
    expect_equal(demo.process.wait(200), 130, "exit status")
    note(f"cleaned up in {time.monotonic() - begin:.0f} s")
    expect("Nothing of the demo is left." in demo.text(), "the demo says that something is left")
    nothing_left()


@limit(900)
def test_told():
    begin = time.monotonic()
    demo = Demo()
    expect_equal(demo.process.wait(800), 0, "exit status")
    seconds = time.monotonic() - begin
    note(f"told in {seconds:.0f} s")
    expect_in_time(seconds < SECONDS, f"the demo took {seconds:.0f} s")
    text = demo.text()
    done = [int(n) for n in re.findall(r"I/O completed by the initiator .*: (\d+)", text)]
    expect_equal(len(done), 5, "measures of I/O")
    expect_equal([n > 0 for n in done], [True, True, True, False, True], f"I/O goes on: {done}")
    for part in (r"failed: ", r"no path: queue", r"[1-9]\d* held", r"fio: no error",
                 r"For LUNs of your own"):
        expect(re.search(part, text), f"not told: {part}")
    nothing_left()


if __name__ == "__main__":
    case.main()
