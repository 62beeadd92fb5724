# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine: how QEMU is called for it."""

import ctypes
import mmap
import os
import shlex
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))


def tsc_khz():
    """The frequency of this CPU's time stamp counter, which QEMU hands on to the guest.

    The guest would measure it at boot, and be wrong by ten times and more if this machine is busy
    in that moment: its seconds would then take a tenth of ours.
    """
    code = bytes.fromhex("0f31" "48c1e220" "4809d0" "c3")   # rdtsc; edx:eax as rax; ret
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(
        ctypes.addressof(ctypes.c_char.from_buffer(memory)))

    def both():
        # Of many tries the one that was interrupted least.
        tries = [(time.monotonic_ns(), rdtsc(), time.monotonic_ns()) for _ in range(50)]
        begin, ticks, end = min(tries, key=lambda t: t[2] - t[0])
        return (begin + end) / 2, ticks

    ns, ticks = both()
    time.sleep(0.05)
    ns_after, ticks_after = both()
    return round((ticks_after - ticks) / (ns_after - ns) * 1e6)


def qemu_arguments(options, image, out, control, output, qmp, saved):
    def share(tag, path, more=""):
        return ["-virtfs", f"local,path={path.replace(',', ',,')},mount_tag={tag},"
                           f"security_model=none,multidevs=remap{more}"]

    append = ["console=ttyS0", "loglevel=7", "panic=-1", "mitigations=off", "nokaslr",
              "random.trust_cpu=on", "tsc=reliable", "no_timer_check", "log_buf_len=1M",
              # A busy host can stop a guest CPU for long; that is no lockup of the guest's.
              "sysctl.kernel.watchdog_thresh=60", "rcupdate.rcu_cpu_stall_timeout=120",
              "audit=0", "net.ifnames=0", f"vm.repo={REPO}"]
    if options.disk:
        append.append("vm.disk=1")
    if qmp:
        append.append("vm.save=1")
    cpus = 1 if options.icount else options.cpus
    if options.icount:
        accel = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
    else:
        accel = ["-accel", "tcg,thread=multi"]
        if os.uname().machine == "x86_64":
            append.append(f"tsc_early_khz={tsc_khz()}")
    arguments = ["qemu-system-x86_64", *accel, "-cpu", "max", "-smp", str(cpus),
                 "-m", str(options.memory), "-nodefaults", "-no-user-config",
                 "-machine", "q35,usb=off,smm=off", "-display", "none", "-no-reboot", "-nic", "none",
                 "-kernel", f"{image}/vmlinux", "-initrd", f"{image}/initramfs",
                 "-append", " ".join(append),
                 "-chardev", f"file,id=serial,append=on,path={out.replace(',', ',,')}/dmesg.log",
                 "-serial", "chardev:serial",
                 "-device", "virtio-serial-pci",
                 "-chardev", f"socket,id=out,fd={output.fileno()}",
                 "-device", "virtserialport,chardev=out,name=out,nr=1",
                 "-drive", f"if=none,id=root,format=raw,readonly=on,file={image}/root.erofs",
                 "-device", "virtio-blk-pci,drive=root,serial=root",
                 *share("repo", REPO, ",readonly=on"), *share("out", out), *share("ctl", control)]
    if options.disk:
        arguments += ["-drive", f"if=none,id=disk,format=raw,file={options.disk}",
                      "-device", "virtio-blk-pci,drive=disk,serial=disk"]
    if qmp:
        arguments += ["-chardev", f"socket,id=qmp,fd={qmp.fileno()}", "-mon", "qmp,mode=control"]
    if saved:
        arguments += ["-incoming", f"exec:cat {shlex.quote(saved)}"]
    return arguments


def die_with_parent():
    """Run in the child: should we be killed with -9, no virtual machine stays behind."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(options, image, out, control, output, qmp=None, saved=None):
    """Starts QEMU.  Returns its Popen object; it dies with us.

    options as of run.  out, control: directories that the guest sees.  output: our end's peer, a
    socket for what the guest prints, and for the word that a saved guest waits for.  qmp: a socket
    for QEMU's monitor; the guest then stops after its boot, to be saved.  saved: the file with such a
    guest, which goes on where it was, with the same options.  The sockets stay the caller's.
    """
    sockets = [s for s in (output, qmp) if s]
    with open(os.path.join(control, "qemu.log"), "w") as log:
        return subprocess.Popen(
            qemu_arguments(options, image, out, control, output, qmp, saved),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=[s.fileno() for s in sockets], preexec_fn=die_with_parent,
            start_new_session=True)
