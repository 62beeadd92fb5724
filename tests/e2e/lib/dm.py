# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's dm-multipath over the same paths, as what we compare ourselves with.

Driven by dmsetup alone, without udevd and multipathd: what fails over is then the kernel target, the
part that we replace.  Paths are brought back by a thread here, as multipathd's checker would.
"""

import os
import threading

from . import scsi, system
from .system import run

ENVIRONMENT = dict(os.environ, DM_DISABLE_UDEV="1")


def dmsetup(*words, **more):
    return run("dmsetup", *words, env=ENVIRONMENT, **more)


class Device:
    """Any dm device by its table; .dev is its name below /dev/mapper."""

    def __init__(self, name, table):
        self.name = name
        dmsetup("create", name, "--table", table)
        self.dev = "/dev/mapper/" + name

    def table(self):
        return dmsetup("table", self.name).strip()

    def status(self):
        return dmsetup("status", self.name).strip()

    def message(self, *words):
        dmsetup("message", self.name, "0", *words)

    def suspend(self):
        """Without flush: what comes from now on waits in dm until resume()."""
        dmsetup("suspend", "--noflush", "--nolockfs", self.name)

    def resume(self):
        dmsetup("resume", self.name)

    def remove(self):
        # A process that just ended may hold it for a moment.
        dmsetup("remove", "--retry", self.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def multipath_words(devices, features, hw_handler, grouping, selector):
    """The parameters of a table: what dm-multipath and we share."""
    groups = [[device] for device in devices] if grouping == "failover" else [list(devices)]
    words = [len(features), *features, len(hw_handler), *hw_handler, len(groups), 1]
    for group in groups:
        words += [selector, 0, len(group), 1]
        for device in group:
            words += [device, 1]
    return words


def multipath_table(paths, sectors, features=("queue_if_no_path",), hw_handler=(), grouping="failover",
                    selector="round-robin"):
    """grouping: failover (a group for each path) or multibus (one group for all)."""
    words = ["0", sectors, "multipath"] + multipath_words([path.devno for path in paths], features,
                                                          hw_handler, grouping, selector)
    return " ".join(map(str, words))


class Multipath(Device):
    """A dm-multipath map.  With reinstate (seconds), failed paths that are usable come back."""

    def __init__(self, paths, name="ref", reinstate=1.0, **table):
        system.modprobe("dm_multipath", "dm_round_robin")
        self.paths = list(paths)
        self.words = table
        self.devnos = {path.devno: path for path in self.paths}
        super().__init__(name, multipath_table(self.paths, self.paths[0].sectors, **table))
        self._suspect = False
        self._stop = threading.Event()
        self._thread = None
        if reinstate:
            self._thread = threading.Thread(target=self._check, args=(reinstate,), daemon=True)
            self._thread.start()

    def relink(self):
        """Takes the paths in by the numbers that they have now, as multipathd does after a scan.

        And has them looked at: the checker may have missed a cut that was short.
        """
        self._suspect = True
        if set(self.devnos) == {path.devno for path in self.paths}:
            return
        self.devnos = {path.devno: path for path in self.paths}
        dmsetup("load", self.name, "--table",
                multipath_table(self.paths, self.paths[0].sectors, **self.words))
        self.suspend()
        self.resume()

    def path_states(self):
        """{"8:0": "A" or "F"}"""
        words = self.status().split()
        return {word: words[i + 1] for i, word in enumerate(words) if word in self.devnos}

    def _check(self, interval):
        while not self._stop.wait(interval):
            # TEST UNIT READY first: it needs no process, and mostly nothing is wrong.
            if not all(scsi.usable(path) for path in self.paths):
                self._suspect = True
                continue
            if self._suspect:
                self._suspect = False
                for devno, state in self.path_states().items():
                    if state == "F":
                        self.message("reinstate_path", devno)

    def remove(self):
        self._stop.set()
        if self._thread:
            self._thread.join()
        # Whatever is queued for lack of paths would keep the device open.
        self.message("fail_if_no_path")
        super().remove()
