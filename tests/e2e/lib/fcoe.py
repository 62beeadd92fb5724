# SPDX-License-Identifier: GPL-2.0-or-later
"""Fibre Channel without an adapter: FCoE between the two ends of a veth pair."""

import glob
import os

from . import system
from .lio import Path
from .system import read, run, wait_for, write

BUS = "/sys/bus/fcoe"


def _controller(interface):
    found = glob.glob(f"/sys/class/net/{interface}/ctlr_*")
    return found[0] if found else None


class Link:
    """An initiator's port and a target's, without a switch between them (VN2VN); not enabled yet.

    Port names are written with colons, as in LIO's configfs.
    """

    def __init__(self, number):
        system.modprobe("fcoe", "tcm_fc", "veth")
        self.interfaces = initiator, target = f"fci{number}", f"fct{number}"
        run("ip", "link", "add", initiator, "address", f"02:00:00:00:0a:{number:02x}", "mtu", "2500",
            "type", "veth", "peer", "name", target, "address", f"02:00:00:00:0b:{number:02x}",
            "mtu", "2500")
        for interface in self.interfaces:
            run("ip", "link", "set", interface, "up")
            write(BUS + "/ctlr_create", interface)
            write(_controller(interface) + "/mode", "vn2vn")
        self.initiator_wwpn, self.target_wwpn = (self._wwpn(name) for name in self.interfaces)

    @staticmethod
    def _wwpn(interface):
        host = glob.glob(_controller(interface) + "/host*/fc_host/host*")[0]
        digits = read(host + "/port_name")[2:].rjust(16, "0")
        return ":".join(digits[i:i + 2] for i in range(0, 16, 2))

    def enable(self):
        """The target must be complete: what comes later is not seen."""
        for interface in self.interfaces:
            write(_controller(interface) + "/enabled", 1)

    def path(self, fast_io_fail, dev_loss, seconds=20):
        """The LUN as the initiator sees it, with .link, whose fall cuts it, and .rport."""
        initiator, target = self.interfaces
        ctlr = _controller(initiator)
        found = wait_for(lambda: glob.glob(ctlr + "/host*/rport-*/target*/*:*:*:0"), seconds,
                         f"LUN on {initiator}")
        path = Path(os.path.basename(found[0]), link=target).wait()
        path.rport = os.path.basename(glob.glob(ctlr + "/host*/rport-*")[0])
        for name, value in (("dev_loss_tmo", dev_loss), ("fast_io_fail_tmo", fast_io_fail)):
            write(f"/sys/class/fc_remote_ports/{path.rport}/{name}", value)
        return path

    def disable(self):
        for interface in self.interfaces:
            if _controller(interface):
                write(_controller(interface) + "/enabled", 0)

    def delete(self):
        """Disabled before, and without a target on it."""
        for interface in self.interfaces:
            if _controller(interface):
                write(BUS + "/ctlr_destroy", interface)
                wait_for(lambda name=interface: not _controller(name), 10,
                         f"controller of {interface} gone")
        run("ip", "link", "del", self.interfaces[0])
