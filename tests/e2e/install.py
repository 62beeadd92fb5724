# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: --systemd -t 600
"""The package on a machine that runs, with systemd: what works before anybody has rebooted it, and what is left.

What dpkg does with files is in package.py.
"""

import glob
import os
import subprocess

from lib import case, system
from lib.case import expect, expect_equal
from lib.system import run, wait_for

DEB = "/run/vm/package.deb"
RELEASE = "tcmu-mpath-release.service"
TIMER = "tcmu-mpath-metrics.timer"
COLLECTED = "/var/lib/prometheus/node-exporter"      # where Debian's prometheus-node-exporter looks
METRICS = f"{COLLECTED}/tcmu-mpath.prom"


def dpkg(*words):
    run("dpkg", "--force-unsafe-io", "--force-confdef", "--force-confold", *words)


def unmask_runner():
    """With our handler alone: others, rbd above all, take seconds at each start."""
    handlers = "/usr/lib/x86_64-linux-gnu/tcmu-runner"
    for other in set(glob.glob(f"{handlers}/handler_*.so")) - {f"{handlers}/handler_mpath.so"}:
        os.unlink(other)
    run("systemctl", "unmask", "tcmu-runner.service")


def is_active(unit):
    return run("systemctl", "is-active", unit, check=False).strip()


def test_first_install():
    """The machine was up before: the restart of tcmu-runner that is asked for is all that is needed.

    Without what is stopped before rtslib-fb-targetctl.service its next shutdown would wait for held commands.
    """
    unmask_runner()
    dpkg("-r", "tcmu-mpath")
    run("systemctl", "start", "rtslib-fb-targetctl.service")
    dpkg("-i", DEB)
    expect_equal(is_active(RELEASE), "inactive", "nothing is started by the package")
    run("systemctl", "restart", "tcmu-runner.service")
    wait_for(lambda: is_active(RELEASE) == "active", 20, "what releases commands at shutdown")
    # It says so by itself, however often tcmu-runner is started, and is not stopped with it.
    run("systemctl", "restart", "tcmu-runner.service")
    expect_equal(is_active(RELEASE), "active", "after another restart")
    order = run("systemctl", "show", "-P", "After", RELEASE).split()
    for unit in ("rtslib-fb-targetctl.service", "tcmu-runner.service"):
        expect(unit in order, f"{RELEASE} is not stopped before {unit}: {order}")


def test_metrics():
    """Figures come without a reboot, and are not left, to look fresh for ever, by a package that goes."""
    unmask_runner()
    run("systemctl", "start", "tcmu-runner.service")
    os.makedirs(COLLECTED, exist_ok=True)
    run("systemctl", "enable", "--now", "--quiet", TIMER)
    wait_for(lambda: "mpath_info{" in system.read(METRICS, ""), 60, "the metrics")
    with open(METRICS + ".1", "w"):     # as one that was killed leaves it
        pass
    dpkg("-r", "tcmu-mpath")
    expect_equal(is_active(TIMER), "inactive", "the timer of a package that is gone")
    expect_equal(os.listdir(COLLECTED), [], "what is left for node_exporter")
    dpkg("-P", "tcmu-mpath")
    left = subprocess.run(["find", "/etc/systemd", "/etc/tcmu", "/etc/multipath", "/var/lib", "-name", "*tcmu-mpath*"],
                          capture_output=True, text=True).stdout.split()
    expect_equal([path for path in left if not path.startswith("/var/lib/dpkg/")], [], "what a purge has left")


if __name__ == "__main__":
    case.main()
