#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tcmu-mpath-path, udev's program: is a disk a path of ours?  In a mount namespace with an /etc of its own.

    tests/control/test_udev_path.py build/debug/config/tcmu-mpath-path
"""

import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ""
WWID = "35001405b922ff67a"
# VPD page 83h: one designator, the LUN's NAA.
PAGE = bytes.fromhex("0083000c" "01030008" "5001405b922ff67a")
APART = ["unshare", "--mount", "--map-root-user"]
OURS, NOT_OURS = 0, 1


@unittest.skipIf(subprocess.run([*APART, "true"], capture_output=True).returncode, "no namespaces here")
class PathTest(unittest.TestCase):
    def ask(self, map_file):
        """What the program says of the disk when there is this map file."""
        with tempfile.TemporaryDirectory() as directory:
            os.makedirs(directory + "/etc/tcmu/mpath.d")
            os.makedirs(directory + "/disk/device")
            with open(directory + "/disk/device/vpd_pg83", "wb") as f:
                f.write(PAGE)
            with open(directory + "/etc/tcmu/mpath.d/a.map", "wb") as f:
                f.write(map_file)
            return subprocess.run([*APART, "sh", "-c", 'mount --bind "$1/etc" /etc && exec "$2" "$1/disk"', "sh",
                                   directory, PROGRAM]).returncode

    def test_map_files(self):
        """What the handler reads as the map's WWID, and nothing else."""
        for text in ("wwid=W", " wwid = W ", "wwid=W\r", "wwid\t=\tW\t\r", "wwid=\fW\f"):
            file = f"[multipath]\n{text}\n".replace("W", WWID).encode()
            self.assertEqual(self.ask(file), OURS, file)
        for text in ("wwid=Wa", "#wwid=W", "# wwid=W", "paths=W", "wwid"):
            file = f"[multipath]\r\n{text}\r\n".replace("W", WWID).encode()
            self.assertEqual(self.ask(file), NOT_OURS, file)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
