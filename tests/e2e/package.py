# SPDX-License-Identifier: GPL-2.0-or-later
"""The package: what is in it, an upgrade under I/O, removal, purge.

The last case takes the package away, so the order in which they stand matters.
"""

import os
import re
import shutil
import stat
import subprocess
import time

from lib import case, fio, topology
from lib.case import defer, expect, expect_equal
from lib.mpath import Map
from lib.runner import Runner, all_handlers
from lib.system import run, wait_for

DEB = "/run/vm/package.deb"
CONF = "/etc/tcmu/mpath.conf"
STATE = "/var/lib/tcmu-mpath"
HINT = "systemctl restart tcmu-runner"

WANTED = """
/etc/tcmu/mpath.conf /etc/tcmu/mpath-hardware.conf /etc/tcmu/mpath.d
/usr/lib/x86_64-linux-gnu/tcmu-runner/handler_mpath.so
/usr/lib/python3/dist-packages/mpath_targetcli/client.py /usr/sbin/mpathctl
/usr/lib/python3/dist-packages/tcmu-mpath.pth /usr/share/bash-completion/completions/mpathctl
/usr/lib/systemd/system/tcmu-mpath-release.service
/usr/lib/systemd/system/tcmu-mpath-metrics.service /usr/lib/systemd/system/tcmu-mpath-metrics.timer
/usr/lib/systemd/system/tcmu-runner.service.d/tcmu-mpath.conf
/usr/lib/systemd/system/rtslib-fb-targetctl.service.d/tcmu-mpath.conf
/usr/lib/udev/rules.d/59-tcmu-mpath.rules /usr/lib/udev/tcmu-mpath-path
/etc/multipath/conf.d/tcmu-mpath.conf
/usr/share/dbus-1/system.d/org.tcmu.Mpath1.conf /usr/share/dbus-1/interfaces/org.tcmu.Mpath1.xml
/usr/lib/sysusers.d/tcmu-mpath.conf
/usr/share/doc/tcmu-mpath/copyright /usr/share/doc/tcmu-mpath/changelog.gz
/usr/share/doc/tcmu-mpath/examples
/usr/share/man/man8/mpathctl.8.gz /usr/share/man/man8/tcmu-mpath.8.gz
/usr/share/man/man7/org.tcmu.Mpath1.7.gz
""".split()
PROGRAMS = ("/usr/lib/udev/tcmu-mpath-path",)


def dpkg(*words):
    """Runs dpkg and returns all that it printed."""
    done = subprocess.run(["dpkg", "--force-unsafe-io", *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect_equal(done.returncode, 0, f"dpkg {words}: {done.stdout}")
    return done.stdout


def installed_version():
    return run("dpkg-query", "-W", "-f", "${Version}", "tcmu-mpath")


def next_version():
    """The package again, with a higher version and another mpath.conf."""
    tree = "/run/next"
    shutil.rmtree(tree, ignore_errors=True)
    run("dpkg-deb", "-R", DEB, tree)
    control = f"{tree}/DEBIAN/control"
    with open(control) as f:
        text = f.read()
    with open(control, "w") as f:
        f.write(re.sub(r"^Version: .*", lambda m: m.group() + "+next", text, flags=re.M))
    with open(tree + CONF, "a") as f:
        f.write("\n# a line of the next version\n")
    # So that the running handler's file is really replaced.
    with open(f"{tree}/usr/lib/x86_64-linux-gnu/tcmu-runner/handler_mpath.so", "ab") as f:
        f.write(b"\0")
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, "/run/next.deb")
    return "/run/next.deb"


def test_contents():
    listed = {}
    for line in run("dpkg-deb", "-c", DEB).splitlines():
        words = line.split()
        listed["/" + words[5].strip("./")] = words
    for path in WANTED:
        expect(path in listed, f"{path} is not in the package")
    for path, words in listed.items():
        mode = {"d": "drwxr-xr-x"}.get(words[0][0]) or \
            ("-rwxr-xr-x" if path.startswith("/usr/sbin/") or path in PROGRAMS else "-rw-r--r--")
        expect_equal((words[0], words[1]), (mode, "root/root"), path)
    expect_equal(run("dpkg", "-V", "tcmu-mpath"), "", "dpkg -V")
    control = run("dpkg-deb", "-f", DEB)
    for package in ("tcmu-runner", "python3-gi", "dbus", "libc6", "libglib2.0-0"):
        expect(re.search(rf"^Depends: .*\b{re.escape(package)}\b", control, re.M), f"Depends: {package}")
    conffiles = run("dpkg-query", "-W", "-f", "${Conffiles}", "tcmu-mpath").split()[::2]
    for path in (CONF, "/etc/tcmu/mpath-hardware.conf"):
        expect(path in conffiles, f"{path} is no conffile: {conffiles}")


def test_nothing_started():
    """Installing it has started nothing."""
    names = [open(f"/proc/{pid}/comm").read().strip() for pid in os.listdir("/proc") if pid.isdigit()]
    expect("tcmu-runner" not in names, "tcmu-runner runs")


def test_units():
    """systemd reads units and drop-ins without a complaint."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "rtslib-fb-targetctl.service",
                           "tcmu-mpath-release.service", "tcmu-mpath-metrics.timer"],
                          capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "tcmu-mpath" in line]
    expect_equal(ours, [], "systemd-analyze verify")


class Served:
    """A LUN in service under load."""

    def __init__(self):
        self.runner = Runner(handlers=all_handlers())
        defer(self.runner.end)
        self.runner.start()
        made = topology.LioLoopback(2)
        defer(made.teardown)
        self.map = Map(made.paths)
        defer(self.map.delete)
        self.map.wait_in_use()

    def load(self, seconds):
        load = fio.Fio(self.map, seconds)
        defer(load.kill)
        wait_for(lambda: any(path.in_flight for path in self.map.paths), 10, "load")
        return load


def test_upgrade():
    """Under I/O, with an edited conffile: nothing stops, the edit stays, the new one waits."""
    served = Served()
    load = served.load(15)
    pid = served.runner.pid
    with open(CONF, "a") as f:
        f.write("\n# edited here\n")
    before = installed_version()
    printed = dpkg("--force-confdef", "--force-confold", "-i", next_version())
    expect_equal(installed_version(), before + "+next", "version")
    expect(HINT in printed, f"how to restart is not said: {printed}")
    expect(served.runner.running and served.runner.pid == pid, "tcmu-runner was restarted")
    with open(CONF) as f:
        text = f.read()
    expect("# edited here" in text and "next version" not in text, "the edited conffile was replaced")
    expect(os.path.exists(CONF + ".dpkg-dist"), "the new conffile is not there")
    time.sleep(1)       # I/O after the upgrade, before the restart
    served.runner.restart()
    expect_equal(run("mpathctl", "list"), "mpatha\n", "mpathctl list")
    result = load.finish()
    expect(result.clean, f"{result!r}\n{result.stderr[-1000:]}")


def test_remove():
    """In use: it says which LUNs lose their handler, and they work until tcmu-runner restarts."""
    served = Served()
    load = served.load(5)
    printed = dpkg("-r", "tcmu-mpath")
    expect("WARNING" in printed and "/backstores/user:mpath/mpatha" in printed,
           f"no warning: {printed}")
    expect(load.finish().clean, "I/O after the removal")
    expect(os.path.exists(CONF), "the conffile is gone")
    expect(os.path.exists(f"{STATE}/mpatha"), "what is known of the LUN is gone")
    expect(not os.path.exists("/usr/sbin/mpathctl"), "mpathctl is there")
    expect(not os.path.exists("/usr/lib/python3/dist-packages/mpath_targetcli"), "byte code is left")
    # And it can come back.
    dpkg("--force-confdef", "--force-confold", "-i", DEB)
    expect_equal(run("mpathctl", "list"), "mpatha\n", "mpathctl list")


def test_purge_in_use():
    """What is remembered of a LUN in service stays: the next process has to know it."""
    served = Served()
    printed = dpkg("-P", "tcmu-mpath")
    expect(f"{STATE} is kept" in printed, f"not said: {printed}")
    expect(os.path.exists(f"{STATE}/mpatha"), "what is known of the LUN is gone")
    dpkg("-i", DEB)
    served.runner.restart()
    served.map.wait_in_use()


def test_purge():
    with open("/etc/tcmu/mpath.d/mine.map", "w") as f:
        f.write("[multipath]\npaths=/dev/sda\n")
    os.makedirs(STATE, exist_ok=True)
    dpkg("-P", "tcmu-mpath")
    for path in (CONF, CONF + ".dpkg-dist", STATE, "/usr/share/doc/tcmu-mpath"):
        expect(not os.path.exists(path), f"{path} is left")
    expect(os.path.exists("/etc/tcmu/mpath.d/mine.map"), "the administrator's map file is gone")
    expect(stat.S_ISREG(os.stat("/etc/tcmu/tcmu.conf").st_mode), "tcmu-runner's own file")


if __name__ == "__main__":
    case.main()
