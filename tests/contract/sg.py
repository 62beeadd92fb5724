# SPDX-License-Identifier: GPL-2.0-or-later
"""The sg transport: the contract of all transports, and what only sg promises, on scsi_debug.

The work is done by build/debug/tests/contract_guest_sg (with ASan); here the guest is prepared,
and disks are taken away from it by others.
"""
# tests/run: -s 2 -t 600

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(REPO, "tests", "e2e"))

from lib import case, system, topology              # noqa: E402
from lib.case import defer, expect, note            # noqa: E402

PROGRAM = os.environ.get("MPATH_GUEST_SG",
                         os.path.join(REPO, "build", "debug", "tests", "contract_guest_sg"))


def scsi_debug(**options):
    made = topology.ScsiDebug(timeout=3, **options)
    defer(made.teardown)
    return made


def run_program(*words):
    done = subprocess.run([PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    for line in done.stdout.splitlines():
        note(line)
    expect(done.returncode == 0, f"exit status {done.returncode}")


class Holder:
    """guest_sg open: the lines that it printed, and the paths until close()."""

    def __init__(self, name, *addresses):
        self.process = subprocess.Popen([PROGRAM, "open", name, *addresses],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        defer(self.close)
        self.lines = []
        for line in self.process.stdout:
            if line == "ready\n":
                return
            self.lines.append(line.rstrip("\n"))
            note(self.lines[-1])
        raise case.Failed("guest_sg died")

    def close(self):
        if self.process.poll() is None:
            self.process.communicate("")
            expect(self.process.returncode == 0, "guest_sg broke at its end")


def expect_line(lines, begin, *parts):
    line = next((line for line in lines if line.startswith(begin + ": ")), "")
    for part in parts:
        expect(part in line, f"{line!r} has no {part!r}")


def refused(address, *parts, name="m"):
    holder = Holder(name, address)
    expect_line(holder.lines, address, "refused: ", *parts)
    holder.close()


def opened(address, *parts, name="m"):
    holder = Holder(name, address)
    expect_line(holder.lines, address, "opened ", *parts)
    holder.close()


def what_opens(address):
    """The line that opening it is told in."""
    holder = Holder("m", address)
    holder.close()
    return holder.lines[0]


@case.limit(400)
def test_contract():
    paths = scsi_debug().paths
    run_program("contract", paths[0].dev, paths[1].dev)


@case.limit(200)
def test_own():
    run_program("own", scsi_debug(n=1).paths[0].dev)


def sysfs(name, file):
    with open(f"/sys/class/block/{name}/{file}") as f:
        return f.read().strip()


def test_names():
    """Every way to name a disk, and words that are none."""
    path = scsi_debug(n=1).paths[0].dev
    name = os.path.basename(path)
    number = sysfs(name, "dev")
    sg = "/dev/" + os.listdir(f"/sys/class/block/{name}/device/scsi_generic")[0]
    for address in (path, number, sg):
        opened(address, f"{number} {name} ", "unstable")
    os.makedirs("/dev/disk/by-test", exist_ok=True)
    for target, link in ((path, "disk"), (sg, "sg")):
        os.symlink(target, f"/dev/disk/by-test/{link}")
        defer(os.unlink, f"/dev/disk/by-test/{link}")
        holder = Holder("m", f"/dev/disk/by-test/{link}")
        expect("unstable" not in holder.lines[0], holder.lines[0])
        expect_line(holder.lines, f"/dev/disk/by-test/{link}", f"opened {number} {name} ")
        holder.close()
    refused("/dev/sdzz", "no such device")
    refused("8:2400", "no such device")
    refused("/etc/passwd", "not a disk")
    refused("/dev/null", "not a disk")


def test_not_scsi():
    system.modprobe("loop")
    with open("/run/loop.img", "wb") as f:
        f.truncate(8 << 20)
    loop = system.run("losetup", "-f", "--show", "/run/loop.img").strip()
    defer(system.run, "losetup", "-d", loop)
    refused(loop, f"{os.path.basename(loop)} is not a SCSI device")
    refused("/dev/vda", "vda is not a SCSI device")


def test_not_a_disk():
    """An sg node that is no disk's: scsi_debug as an enclosure."""
    system.run("modprobe", "scsi_debug", "ptype=13", "add_host=1", "delay=0")
    defer(system.run, "rmmod", "scsi_debug")
    node = system.wait_for(lambda: next(
        (name for name in sorted(os.listdir("/sys/class/scsi_generic"))
         if not os.path.exists(f"/sys/class/scsi_generic/{name}/device/block")), None), 10, "sg node")
    refused(f"/dev/{node}", f"{node} is not a disk")


def test_module_is_loaded():
    """The module sg is not there: it is loaded, and its nodes are waited for."""
    path = scsi_debug(n=1).paths[0].dev
    system.run("rmmod", "sg")
    expect(not os.path.exists("/sys/class/scsi_generic"), "sg is still there")
    opened(path)


def test_held_by_others():
    """A disk that is in use is refused, and the reason names who has it."""
    path = scsi_debug(n=1).paths[0].dev
    name = os.path.basename(path)
    sectors = int(sysfs(name, "size"))

    system.run("dmsetup", "create", "holder", "--table", f"0 {sectors} linear {path} 0")
    refused(path, f"{name} is in use: device-mapper uses it for holder (dm-")
    system.run("dmsetup", "remove", "holder")

    system.run("mkfs.ext4", "-q", "-F", path)
    os.makedirs("/run/mounted", exist_ok=True)
    system.run("mount", path, "/run/mounted")
    refused(path, f"{name} is mounted at /run/mounted")
    system.run("umount", "/run/mounted")

    system.run("mkswap", path)
    system.run("swapon", path)
    refused(path, f"{name} is swap space")
    system.run("swapoff", path)

    fd = os.open(path, os.O_RDONLY | os.O_EXCL)
    refused(path, "another process")
    os.close(fd)
    opened(path)


def test_partitions():
    path = scsi_debug(n=1, num_parts=1).paths[0].dev
    name = os.path.basename(path)
    system.wait_for(lambda: os.path.exists(f"/sys/class/block/{name}1"), 10, "the partition")
    refused(path + "1", f"{name}1 is a partition: name the whole disk")
    system.run("mkfs.ext4", "-q", "-F", path + "1")
    os.makedirs("/run/mounted", exist_ok=True)
    system.run("mount", path + "1", "/run/mounted")
    refused(path, f"{name}1 is mounted at /run/mounted")
    system.run("umount", "/run/mounted")


def test_lvm():
    path = scsi_debug(n=1).paths[0].dev
    system.run("vgcreate", "-y", "vgheld", path)
    defer(system.run, "vgremove", "-y", "vgheld")
    system.run("lvcreate", "-y", "-Wn", "-Zn", "--noudevsync", "-L", "8m", "-n", "lvheld", "vgheld")
    refused(path, "LVM uses it for vgheld-lvheld (dm-")


def test_claim():
    """What is a path of ours cannot be mounted or mapped; one map may name a disk twice."""
    path = scsi_debug(n=1).paths[0].dev
    sectors = int(sysfs(os.path.basename(path), "size"))
    system.run("mkfs.ext4", "-q", "-F", path)
    os.makedirs("/run/mounted", exist_ok=True)
    holder = Holder("m", path, path)
    expect(all(": opened " in line for line in holder.lines), "the same disk twice in one map")
    for words in (("mount", path, "/run/mounted"),
                  ("dmsetup", "create", "x", "--table", f"0 {sectors} linear {path} 0")):
        done = subprocess.run(words, capture_output=True, text=True)
        expect(done.returncode != 0 and "busy" in done.stderr.lower(), f"{words[0]}: {done.stderr}")
    refused(path, "another process")
    holder.close()
    system.run("mount", path, "/run/mounted")
    system.run("umount", "/run/mounted")


def test_commands_of_a_dead_process():
    """Who opens a disk after a crash sees the commands that are still out, until they are not."""
    path = scsi_debug(n=1).paths[0].dev
    done = subprocess.run([PROGRAM, "die", path], stdin=subprocess.DEVNULL)
    expect(done.returncode == -9, f"exit status {done.returncode}")
    opened(path, "foreign 3")
    system.wait_for(lambda: "foreign 0" in what_opens(path), 5, "no command is out any more")


def test_read_only():
    path = scsi_debug(n=1, wp=1).paths[0].dev
    opened(path, "read-only")


if __name__ == "__main__":
    case.main()
