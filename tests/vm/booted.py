# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that have booted: saved once, started again and again.

Under emulation a boot and the installation of our package take 10 s of a CPU, and twice that beside
another guest.  What comes after is the same each time, so the machine's state is kept in a file, by
QEMU's migration, and each run goes on from there in 1 s.  A guest of --systemd, --icount or --disk
boots, as does what has this wrong: nothing of a state may outlive a boot of this machine, since
the guest has its time stamp counter's frequency.
"""

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

import machine

BOOT_SECONDS = 150      # busy machine; an idle one needs 12
KEPT = 6                # files, of 200 to 300 MB


class NotBooted(Exception):
    """Why there is no state, or what the guest printed."""


class Hung(NotBooted):
    """The guest's kernel has stopped in its boot, as an emulated machine may."""

    def __str__(self):
        return f"it did not come to its script within {BOOT_SECONDS} s"


class Monitor:
    """QEMU's monitor (QMP) on a connected socket."""

    def __init__(self, stream):
        self.file = stream.makefile("rw", buffering=1)
        self.file.readline()                    # its greeting
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        for line in self.file:
            answer = json.loads(line)
            if "error" in answer:
                raise NotBooted(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]         # else it is an event
        raise NotBooted("QEMU has ended")

    def save(self, path):
        self.call("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.call("migrate", uri=f"exec:cat >{shlex.quote(path)}")
        while True:
            state = self.call("query-migrate")
            if state["status"] == "completed":
                return
            if state["status"] in ("failed", "cancelled"):
                raise NotBooted(f"the machine cannot be saved: {state.get('error-desc', state)}")
            time.sleep(0.05)


def key_of(options, image, package):
    """Everything that a state depends on."""
    key = hashlib.sha256()
    version = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, check=True,
                             stdin=subprocess.DEVNULL).stdout
    key.update(version + f"{image} {machine.REPO} {options.memory} {options.cpus}".encode())
    for path in ["/proc/sys/kernel/random/boot_id", package, *(
            os.path.join(machine.HERE, name) for name in ("init", "resume", "install-package", "machine.py"))]:
        if path:
            with open(path, "rb") as f:
                key.update(hashlib.sha256(f.read()).digest())
    return key.hexdigest()[:16]


def wait_booted(output):
    """The word comes on output, or what went wrong."""
    output.settimeout(BOOT_SECONDS)
    printed = b""
    while not printed.endswith(b"booted\n"):
        try:
            data = output.recv(65536)
        except TimeoutError:
            raise Hung() from None
        if not data:
            raise NotBooted(printed.decode(errors="replace"))
        printed += data


def boot_and_save(options, image, package, path):
    with contextlib.ExitStack() as stack:
        tmp = stack.enter_context(tempfile.TemporaryDirectory(
            prefix="tmp.", dir=os.path.dirname(path)))
        control, out = os.path.join(tmp, "ctl"), os.path.join(tmp, "out")
        os.mkdir(control)
        os.mkdir(out)
        if package:
            shutil.copy(package, control)
        output, outputs_peer = (stack.enter_context(s) for s in socket.socketpair())
        qmp, qmps_peer = (stack.enter_context(s) for s in socket.socketpair())
        qemu = machine.start(options, image, out, control, outputs_peer, qmp=qmps_peer)
        stack.callback(qemu.wait)
        stack.callback(qemu.kill)
        outputs_peer.close()
        qmps_peer.close()
        wait_booted(output)
        state = os.path.join(tmp, "state")
        Monitor(qmp).save(state)
        shutil.copy(os.path.join(out, "dmesg.log"), path + ".log")
        os.rename(state, path)


def forget_old(cache):
    states = sorted(glob.glob(os.path.join(cache, "booted-????????????????")), key=os.path.getmtime)
    for path in states[:-KEPT]:
        os.unlink(path)
        os.unlink(path + ".log")


def saved_guest(options, image, package):
    """The file with the state of a guest as asked for, made if there is none.

    Beside it, with .log behind its name, is the kernel's log up to there.  Raises NotBooted.
    """
    cache = os.path.dirname(image)
    path = os.path.join(cache, "booted-" + key_of(options, image, package))
    with open(os.path.join(cache, f"booted-{options.memory}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            boot_and_save(options, image, package, path)
            forget_old(cache)
        os.utime(path)
    return path
