# SPDX-License-Identifier: GPL-2.0-or-later
"""tcmu-runner as a process that a test starts, kills and starts again."""

import glob
import os
import signal
import subprocess

from . import case, dbus, system
from .system import wait_for

BUS_NAME = "org.kernel.TCMUService1"
OUR_NAME = "org.tcmu.Mpath1"        # our handler's own connection, a moment later


class Runner:
    """One tcmu-runner.  stop() is SIGTERM, as systemd stops it; kill() is -9.

    handlers is the directory of the plug-ins, by default one with ours alone: loading all_handlers(),
    rbd above all, takes seconds.  If MPATH_PRELOAD is set it becomes LD_PRELOAD, for a handler with
    sanitizers inside an ordinary tcmu-runner; the sanitizers' own settings come as MPATH_ASAN_OPTIONS
    and so on.  prefix are words of a command that starts it.
    """

    def __init__(self, handlers=None, log_dir="/run/tcmu-log", environment=None, debug=False,
                 prefix=()):
        self.handlers = handlers or our_handler_only()
        self.prefix = prefix
        self.log_dir = log_dir
        self.debug = debug
        self.environment = dict(os.environ, **(environment or {}))
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if "MPATH_" + name in os.environ:
                self.environment.setdefault(name, os.environ["MPATH_" + name])
        if "MPATH_PRELOAD" in os.environ:
            self.environment.setdefault("LD_PRELOAD", os.environ["MPATH_PRELOAD"])
        self.log_path = log_dir + "/tcmu-runner.log"
        self.stderr_path = log_dir + "/stderr"
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, seconds=20):
        """Starts it and waits until it is on the bus, which is when it can serve.  Returns self."""
        system.modprobe("target_core_user")
        system.mount_configfs()
        os.makedirs(self.log_dir, exist_ok=True)
        command = [*self.prefix, "tcmu-runner", "--tcmu-log-dir", self.log_dir,
                   "--handler-path", self.handlers]
        if self.debug:
            command.append("-d")
        with open(self.stderr_path, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, env=self.environment)
        case.log_file(self.log_path)
        case.log_file(self.stderr_path)
        with dbus.Bus() as bus:
            wait_for(lambda: self._on_bus(bus), seconds, "tcmu-runner on the bus")
        return self

    def _on_bus(self, bus):
        if self.process.poll() is not None:
            raise RuntimeError(f"tcmu-runner ended with {self.process.returncode}: "
                               f"see {self.stderr_path}")
        return bus.has_owner(BUS_NAME) and (not self._has_our_handler() or bus.has_owner(OUR_NAME))

    def _has_our_handler(self):
        return os.path.exists(self.handlers + "/handler_mpath.so")

    def stop(self, seconds=20):
        """SIGTERM; TimeoutError if it does not end in time.  Returns its exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        return self._wait(seconds, "SIGTERM")

    def kill(self, seconds=10):
        """kill -9, wherever it is."""
        if self.process is None:
            return None
        self.process.kill()
        return self._wait(seconds, "SIGKILL")

    def _wait(self, seconds, what):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"tcmu-runner still runs {seconds} s after {what}") from None
        self.process = None
        return status

    def restart(self, seconds=20):
        self.stop()
        return self.start(seconds)

    def end(self):
        """For clean-up: gone, however it takes."""
        if self.running:
            try:
                self.stop(5)
            except TimeoutError:
                self.kill()

    def log(self):
        """All that it logged, over all starts."""
        return system.read(self.log_path, "")

    def wait_log(self, text, seconds=5):
        """Waits for a line that contains text and returns it."""
        def find():
            return next((line for line in self.log().splitlines() if text in line), None)
        return wait_for(find, seconds, f"{text!r} in the log")

    def resources(self):
        """(RSS in KiB, open files, threads): what must not grow.

        The RSS without mapped files: how much of its programs is in memory is chance.
        """
        status = dict(line.split(":", 1) for line in
                      system.read(f"/proc/{self.pid}/status").splitlines())
        rss = sum(int(status[kind].split()[0]) for kind in ("RssAnon", "RssShmem"))
        return (rss, len(os.listdir(f"/proc/{self.pid}/fd")), int(status["Threads"]))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.end()


def our_handler_only():
    """A directory with our handler alone."""
    directory = "/run/handlers"
    name = directory + "/handler_mpath.so"
    os.makedirs(directory, exist_ok=True)
    if not os.path.exists(name):
        os.symlink(glob.glob("/usr/lib/*/tcmu-runner/handler_mpath.so")[0], name)
    return directory


def all_handlers():
    """The system's directory, where our package and Debian's have put theirs."""
    return glob.glob("/usr/lib/*/tcmu-runner")[0]


def check_config(cfgstring, handler="mpath", bus=None):
    """What targetcli asks before it creates: (accepted, reason)."""
    if bus is None:
        with dbus.Bus() as own:
            return check_config(cfgstring, handler, own)
    return bus.call(BUS_NAME, f"/org/kernel/TCMUService1/{handler}", BUS_NAME, "CheckConfig", "s",
                    f"{handler}/{cfgstring}")
