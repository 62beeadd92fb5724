# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that have booted: saved once, started again and again.

Under emulation a boot and the installation of our package take 10 s of a CPU, and twice that beside
another guest.  What comes after is the same each time, so the machine's state is kept in a file, by
QEMU's migration, and each run goes on from there in 1 s, or starts systemd there.  A guest of --icount or
--disk boots.  No state outlives a boot of this machine, for the guest knows its time stamp counter's frequency.
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
        return f"it has not booted within {BOOT_SECONDS} s"


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
        # QEMU only knows that it has written to a pipe.
        part = shlex.quote(path + ".part")
        self.call("migrate", uri=f"exec:cat >{part} && mv {part} {shlex.quote(path)}")
        end = time.monotonic() + BOOT_SECONDS
        while not os.path.exists(path):
            state = self.call("query-migrate")
            if state["status"] in ("failed", "cancelled") or time.monotonic() > end:
                raise NotBooted(f"the machine cannot be saved: {state.get('error-desc', state)}")
            time.sleep(0.05)


def key_of(options, image, package):
    """Everything that a state depends on."""
    key = hashlib.sha256()
    version = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, check=True,
                             stdin=subprocess.DEVNULL).stdout
    key.update(version + f"{image} {machine.REPO} {options.memory} {options.cpus}".encode())
    made = os.stat(os.path.join(image, "root.erofs"))       # perhaps anew, with the same name
    key.update(f"{made.st_ino} {made.st_mtime_ns}".encode())
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
        try:
            wait_booted(output)
        except Hung as why:
            if os.path.exists(os.path.join(control, "started")):
                raise NotBooted(f"{why}, though its kernel has") from None
            raise
        state = os.path.join(tmp, "state")
        Monitor(qmp).save(state)
        shutil.copy(os.path.join(out, "dmesg.log"), path + ".log")
        os.rename(state, path)


def forget(path):
    for name in (path, path + ".log"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def forget_old(cache):
    """The caller has the lock of one size only, but what another run forgets is old for us, too."""
    def age(path):
        try:
            return os.path.getmtime(path)
        except FileNotFoundError:
            return 0

    states = sorted(glob.glob(os.path.join(cache, "booted-????????????????")), key=age)
    for path in states[:-KEPT]:
        forget(path)


def saved_guest(options, image, package):
    """The file with the state of a guest as asked for, made if there is none.

    Beside it, with .log behind its name, is the kernel's log up to there.  Raises NotBooted.
    """
    cache = os.path.dirname(image)
    path = os.path.join(cache, "booted-" + key_of(options, image, package))
    with open(os.path.join(cache, f"booted-{options.memory}-{options.cpus}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            boot_and_save(options, image, package, path)
            forget_old(cache)
        os.utime(path)
    return path
