# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways in which a path breaks, and how it comes back.

A cut has a name and the functions applies(topology), cut(path), restore(path); `with cut.on(path)`
does both.

    at_once      the transport reports the loss at once: the cuts for which a bound on the stall is
                 promised.  The others are noticed by a time-out of the transport or of the command.
    all_paths    it hits every path of the topology, whatever path it was given

scsi_debug's opts=4 every_nth=1 is all_paths: in 6.1 both are parameters of the module (per-device
error injection through debugfs came with 6.7).  HostRecovery is what we have instead for one hanging
path among healthy ones, and so is a dropped iSCSI path without keep-alive.
"""

import contextlib
import os

from . import lio
from .system import run, wait_for, write


class Cut:
    name = None
    at_once = True
    all_paths = False

    def applies(self, topology):
        raise NotImplementedError

    def cut(self, path):
        raise NotImplementedError

    def restore(self, path):
        raise NotImplementedError

    @contextlib.contextmanager
    def on(self, path):
        self.cut(path)
        try:
            yield
        finally:
            self.restore(path)

    def __repr__(self):
        return f"<cut {self.name}>"


class AluaState(Cut):
    """The path's port group goes to a state that takes no I/O: sense 02/04/0b or 0c."""

    def __init__(self, name, state):
        self.name = "alua-" + name
        self.state = state

    def applies(self, topology):
        return topology.name == "lio-loopback"

    def cut(self, path):
        write(path.group + "/alua_access_state", self.state)

    def restore(self, path):
        write(path.group + "/alua_access_state", path.alua_state)


class AluaOffline(Cut):
    """The path's port goes offline: sense 02/04/12.  (State 14 of a group gets 05/24/00 from LIO.)"""
    name = "alua-offline"

    def applies(self, topology):
        return topology.name == "lio-loopback"

    def _offline(self, path, offline):
        tpgt = path.tpgt if hasattr(path, "tpgt") else path.target.tpgt      # iSCSI, or loopback
        write(tpgt + "/lun/lun_0/alua_tg_pt_offline", offline)

    def cut(self, path):
        self._offline(path, 1)

    def restore(self, path):
        self._offline(path, 0)


class TransportStatus(Cut):
    """tcm_loop's wire: host_status 0x0e at once; afterwards unit attention 06/29/07."""
    name = "transport-status"

    def applies(self, topology):
        return topology.name == "lio-loopback"

    def cut(self, path):
        write(path.target.tpgt + "/transport_status", "offline")

    def restore(self, path):
        write(path.target.tpgt + "/transport_status", "online")


class DeviceState(Cut):
    """The SCSI layer refuses the device: ENODEV or ENXIO instead of any SCSI answer."""
    name = "device-state"

    def applies(self, topology):
        return True

    def cut(self, path):
        write(path.device + "/state", "offline\n")

    def restore(self, path):
        write(path.device + "/state", "running\n")


class DeviceDelete(Cut):
    """The device is removed, and found again by a scan: perhaps under another name."""
    name = "device-delete"

    def applies(self, topology):
        return True

    def cut(self, path):
        # The new device would have the default again; so would one in the field, by a udev rule.
        path.timeout_before = path.timeout
        write(path.device + "/delete", "1")

    def restore(self, path):
        # Without wild cards tcm_loop's hosts refuse (they claim to have no LUN at all).
        lio.scan_host(path.host)
        path.wait().timeout = path.timeout_before


class ScsiDebugHang(Cut):
    """scsi_debug forgets every command: host_status 3 after the command's time-out."""
    name = "every-nth-hang"
    at_once = False
    all_paths = True

    _dir = "/sys/bus/pseudo/drivers/scsi_debug"

    def applies(self, topology):
        return topology.name == "scsi-debug"

    def cut(self, path):
        write(self._dir + "/opts", "4")
        write(self._dir + "/every_nth", "1")

    def restore(self, path):
        write(self._dir + "/every_nth", "0")
        write(self._dir + "/opts", "0")


class HostRecovery(Cut):
    """The path's host is held as if in error recovery: commands wait in the kernel, unanswered.

    It is the one hang that every transport has for a single path.  The command is not with the
    device yet, and its time-out does not run: it waits until restore().  Not while commands that
    ScsiDebugHang swallowed still time out: the host's real error handling needs its own state.
    """
    name = "host-recovery"
    at_once = False

    def applies(self, topology):
        return topology.name in ("lio-loopback", "scsi-debug")

    def _state(self, path, state):
        write(f"/sys/class/scsi_host/host{path.host}/state", state + "\n")

    def cut(self, path):
        self._state(path, "recovery")

    def restore(self, path):
        self._state(path, "running")


class Nft(Cut):
    """The network loses the path's packets, or resets its connections (the resets themselves pass)."""
    at_once = False

    def __init__(self, name, verdict):
        self.name = "nft-" + name
        self.verdict = verdict

    def applies(self, topology):
        return topology.name == "iscsi"

    def _table(self, path):
        return f"mpath_{path.portal[1]}"

    def cut(self, path):
        port = path.portal[1]
        rules = "; ".join(f"tcp {end} {port} {self.verdict}" for end in ("dport", "sport"))
        run("nft", f"table inet {self._table(path)} {{ chain input {{ type filter hook input priority 0; "
                   f"{rules}; }}\n}}")

    def restore(self, path):
        run("nft", "delete", "table", "inet", self._table(path))


def hold_hook():
    """To be called before there is load that Nft is to cut: installs a hook that does nothing, and stays.

    When the first hook comes and when the last one goes, the kernel patches its network code.  With
    both CPUs running through it QEMU has once kept the trap that stands there in between: each CPU
    then traps for ever.
    """
    run("nft", "table inet held { chain input { type filter hook input priority 0; }; }")


def clear_nft():
    """Takes away every cut of the network, for a teardown after a test that failed."""
    if os.path.isdir("/sys/module/nf_tables"):
        for line in run("nft", "list", "tables").splitlines():
            if " mpath_" in line:
                run("nft", "delete", *line.split())


class TpgtDisable(Cut):
    """The target closes the portal group: sessions end, logins are refused."""
    name = "tpgt-disable"
    at_once = False

    def applies(self, topology):
        return topology.name == "iscsi"

    def cut(self, path):
        write(path.tpgt + "/enable", "0")

    def restore(self, path):
        write(path.tpgt + "/enable", "1")


class FcLinkDown(Cut):
    """The target's end of the link goes down: rport blocked, errors after fast_io_fail_tmo."""
    name = "fc-link-down"
    at_once = False

    def applies(self, topology):
        return topology.name == "fcoe"

    def cut(self, path):
        run("ip", "link", "set", path.link, "down")

    def restore(self, path):
        run("ip", "link", "set", path.link, "up")


ALUA_STANDBY = AluaState("standby", 2)
ALUA_UNAVAILABLE = AluaState("unavailable", 3)
ALUA_OFFLINE = AluaOffline()
TRANSPORT_STATUS = TransportStatus()
DEVICE_STATE = DeviceState()
DEVICE_DELETE = DeviceDelete()
SCSI_DEBUG_HANG = ScsiDebugHang()
HOST_RECOVERY = HostRecovery()
NFT_DROP = Nft("drop", "drop")
NFT_RESET = Nft("reset", "tcp flags & rst == 0 reject with tcp reset")
TPGT_DISABLE = TpgtDisable()
FC_LINK_DOWN = FcLinkDown()

ALL = (ALUA_STANDBY, ALUA_UNAVAILABLE, ALUA_OFFLINE, TRANSPORT_STATUS, DEVICE_STATE, DEVICE_DELETE,
       HOST_RECOVERY, SCSI_DEBUG_HANG, NFT_DROP, NFT_RESET, TPGT_DISABLE, FC_LINK_DOWN)


def wait_usable(path, seconds):
    """Waits until the bare path is usable, by scsi.usable()."""
    from . import scsi
    wait_for(lambda: scsi.usable(path), seconds, f"{path} usable")
