# SPDX-License-Identifier: GPL-2.0-or-later
"""Files, commands and waiting: what everything else in this library stands on."""

import glob
import os
import subprocess
import time

CONFIGFS = "/sys/kernel/config"


class NotInTime(TimeoutError):
    """What was waited for did not come: the machine may be slow.  See run_again_if_slow in
    tests/cases.py; any other TimeoutError is something that hangs, and counts."""


def write(path, text):
    """Writes a sysfs or configfs attribute.  One write() call: these files see each as a request."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, str(text).encode())
    except OSError as e:
        raise OSError(e.errno, f"{e.strerror}: writing {str(text).strip()!r}", path) from None
    finally:
        os.close(fd)


def read(path, default=None):
    """Reads an attribute without the newline at its end.  A default makes a missing file no error."""
    try:
        with open(path, errors="replace") as f:
            return f.read().strip()
    except OSError:
        if default is None:
            raise
        return default


def run(*command, check=True, timeout=120, **more):
    """Runs a command and returns its stdout.  Its stderr is in the exception if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, **more)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()}")
    return done.stdout


def unit_property(unit, name):
    """What systemd knows of a unit, such as NRestarts or Result, as text."""
    return run("systemctl", "show", "-P", name, unit).strip()


def is_free(device):
    """Nobody has claimed it: it could be mounted."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return False
    return True


def wait_for(condition, seconds, what=None):
    """Waits until condition() is true and returns its value.

    The bound is part of the test: what is not there in time raises NotInTime.  Polling is dense
    at first, since most things are there at once, and thin later, since the CPU is shared with what
    we are waiting for.
    """
    begin = time.monotonic()
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        passed = time.monotonic() - begin
        if passed > seconds:
            raise NotInTime(f"not within {seconds:g} s: {what or condition.__name__}")
        time.sleep(min(pause, max(seconds - passed, 0.001)))
        pause = min(pause * 1.5, 0.05)


def modprobe(*modules):
    """Loads modules, but runs modprobe only if one is missing.

    A guest whose clock counts instructions does not wait for its disk: to it, a busy machine's disk
    may take minutes.
    """
    missing = [m for m in modules if not os.path.isdir("/sys/module/" + m.replace("-", "_"))]
    if missing:
        run("modprobe", "-a", *missing, timeout=3600)


def mount_configfs():
    if not os.path.isdir(CONFIGFS + "/target"):
        modprobe("target_core_mod")
        if not os.path.ismount(CONFIGFS):
            run("mount", "-t", "configfs", "none", CONFIGFS)


def start_udev():
    """Starts udevd if it is not there.  Without it: no by-id names, no multipathd, and less noise."""
    if os.path.exists("/run/udev/control"):
        return
    run("/lib/systemd/systemd-udevd", "--daemon")
    run("udevadm", "trigger", "--action=add", "--subsystem-match=block",
        "--subsystem-match=scsi", "--subsystem-match=scsi_generic")
    settle_udev()


def settle_udev(seconds=60):
    """Waits for udevd's queue to be empty, if there is a udevd."""
    if os.path.exists("/run/udev/control"):
        run("udevadm", "settle", f"--timeout={seconds}")


def process_count():
    """Threads and open files of the whole guest, for "nothing is left behind" tests."""
    tasks = len(glob.glob("/proc/[0-9]*/task/*"))
    files = int(read("/proc/sys/fs/file-nr").split()[0])
    return tasks, files
