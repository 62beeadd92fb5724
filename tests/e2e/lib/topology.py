# SPDX-License-Identifier: GPL-2.0-or-later
"""One LUN over several paths, in the four ways that the guest's kernel can make one.

Each class has .paths, .wwid, .sectors, .block_size and .teardown(), and works in `with`.  They differ
in how their paths can break (cuts.py) and in what they tell the initiator about it:

    LioLoopback  ALUA, sense data, an error of the transport at once: the richest
    ScsiDebug    commands that are never answered; medium errors; reservations
    Iscsi        a real network below: time-outs, resets, logins
    FcoeVn2vn    a real FC transport class: blocked rports, fast_io_fail, dev_loss
"""

import errno
import glob
import os

from . import cuts, fcoe, lio, system
from .lio import Path
from .system import read, run, wait_for, write


class Topology:
    name = None
    paths = ()

    def __init__(self):
        # Wherever ALUA devices appear, Debian's kernel uses its scsi_dh: it has to be there as in
        # the field, since it changes what block I/O on the path does.
        system.modprobe("scsi_dh_alua", "scsi_dh_emc", "scsi_dh_hp_sw", "scsi_dh_rdac", "sd_mod", "sg")

    @property
    def wwid(self):
        return self.paths[0].wwid

    @property
    def sectors(self):
        return self.paths[0].sectors

    @property
    def block_size(self):
        return int(read(f"/sys/block/{self.paths[0].sd}/queue/logical_block_size"))

    def cuts(self):
        """The cuts that work here."""
        return [cut for cut in cuts.ALL if cut.applies(self)]

    def teardown(self):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.teardown()


class LioLoopback(Topology):
    """(a) A LIO ramdisk (or any backstore) behind n tcm_loop targets, each a port group of its own.

    Path i has .group (its ALUA group's directory, id 101 + i) and .target.tpgt.  states gives the
    groups' ALUA states: 0 optimized, 1 non-optimized, 2 standby, 3 unavailable.  access says who may
    change them: 1 the array, 3 the initiators, too.
    """
    name = "lio-loopback"

    def __init__(self, n=2, size_mib=64, states=None, backstore=None, name="lun", access=3):
        super().__init__()
        states = states or [0] * n
        self._own = backstore is None
        self.backstore = backstore or lio.Ramdisk(name, size_mib)
        self.targets = []
        try:
            for i in range(n):
                group = self.backstore.add_alua_group(f"gp{i + 1}", 101 + i, access=access)
                self.targets.append(lio.LoopTarget(self.backstore, group, wait=0))
                # Only a group with a port in it takes every state.
                write(group + "/alua_access_state", states[i])
                self.targets[i].path.alua_state = states[i]
            self.paths = [target.path.wait() for target in self.targets]
        except Exception:
            self.teardown()
            raise

    def teardown(self):
        for target in self.targets:
            target.delete()
        for path in self.paths:
            os.rmdir(path.group)
        if self._own:
            self.backstore.delete()


class ScsiDebug(Topology):
    """(b) scsi_debug with n hosts that are paths to one store.

    The module exists once: one of these at a time.  Options (opts, delay, lbpu ...) are the module's
    and can be changed through set().  timeout is each path's command time-out, in seconds.
    """
    name = "scsi-debug"
    PARAMETERS = "/sys/bus/pseudo/drivers/scsi_debug"

    def __init__(self, n=2, size_mib=64, timeout=5, **options):
        super().__init__()
        self.timeout = timeout
        words = dict(add_host=n, dev_size_mb=size_mib, vpd_use_hostno=0, delay=0, **options)
        run("modprobe", "scsi_debug", *(f"{key}={value}" for key, value in words.items()))
        try:
            hosts = wait_for(lambda: self._hosts(n), 15, f"{n} scsi_debug hosts")
            self.paths = [Path(f"{host}:0:0:0", adapter=i).wait(15) for i, host in enumerate(hosts)]
            for path in self.paths:
                path.timeout = timeout
        except Exception:
            self.teardown()
            raise

    @staticmethod
    def _hosts(n):
        hosts = []
        for i in range(n):
            found = glob.glob(f"/sys/bus/pseudo/devices/adapter{i}/host*")
            if not found:
                return None
            hosts.append(int(os.path.basename(found[0])[len("host"):]))
        return hosts

    def get(self, parameter):
        return read(f"{self.PARAMETERS}/{parameter}")

    def set(self, parameter, value):
        write(f"{self.PARAMETERS}/{parameter}", value)

    def takes(self, parameter, value):
        """Sets it, if scsi_debug allows that: some may not change while it has commands."""
        try:
            self.set(parameter, value)
        except OSError as e:
            if e.errno != errno.EBUSY:
                raise
            return False
        return True

    def teardown(self):
        self.set("every_nth", 0)
        self.set("opts", 0)
        # A command that hangs keeps the module until its time-out and the error handling are over.
        seconds = 10 + 3 * self.timeout
        wait_for(lambda: read("/sys/module/scsi_debug/refcnt", "0") == "0", seconds,
                 "scsi_debug unused")
        run("rmmod", "scsi_debug")


class Iscsi(Topology):
    """(c) A LIO ramdisk behind one iSCSI target with n portals, logged in by open-iscsi.

    Path i has .portal (address, port), .tpgt and .session.  noop_seconds=0 makes a dropped path hang
    until the command's time-out, without a word from the transport.  With states each portal is a port
    group of its own, as in LioLoopback.
    """
    name = "iscsi"

    def __init__(self, n=2, size_mib=64, replacement_timeout=5, noop_seconds=1, noop_timeout=2,
                 backstore=None, name="ilun", states=(), access=3):
        super().__init__()
        self._own = backstore is None
        self.backstore = backstore or lio.Ramdisk(name, size_mib)
        self.target = self.login = None
        cuts.hold_hook()
        self.groups = []
        try:
            for i in range(len(states)):
                self.groups.append(self.backstore.add_alua_group(f"gp{i + 1}", 101 + i, access=access))
            self.target = lio.IscsiTarget(self.backstore, portals=n, groups=self.groups)
            for group, state in zip(self.groups, states):
                write(group + "/alua_access_state", state)
            self.login = lio.IscsiLogin(self.target, replacement_timeout, noop_seconds,
                                        noop_timeout)
            self.paths = self.login.paths
            for path, group, state in zip(self.paths, self.groups, states):
                path.group, path.alua_state = group, state
        except Exception:
            self.teardown()
            raise

    def teardown(self):
        cuts.clear_nft()
        if self.login:
            self.login.logout()
        if self.target:
            self.target.delete()
        for group in self.groups:
            os.rmdir(group)
        if self._own:
            self.backstore.delete()


class FcoeVn2vn(Topology):
    """(d) A LIO ramdisk behind tcm_fc, n FCoE links over veth pairs without a switch (VN2VN).

    Path i has .link (the network interface whose fall cuts it) and .rport.  The target's side must
    be complete before the link is enabled: the other order shows no LUN.
    """
    name = "fcoe"

    def __init__(self, n=2, size_mib=64, fast_io_fail=3, dev_loss=60, name="flun"):
        super().__init__()
        system.mount_configfs()
        self.backstore = lio.Ramdisk(name, size_mib)
        self.links = []
        self.targets = []
        try:
            for i in range(n):
                self.links.append(fcoe.Link(i))
                self.targets.append(lio.FcTarget(self.backstore, self.links[i].target_wwpn,
                                                 self.links[i].initiator_wwpn))
            for link in self.links:
                link.enable()
            self.paths = [link.path(fast_io_fail, dev_loss) for link in self.links]
        except Exception:
            self.teardown()
            raise

    def teardown(self):
        for path in self.paths:
            if os.path.exists(path.device):
                write(path.device + "/delete", 1)
        for link in self.links:
            link.disable()
        for target in self.targets:
            target.delete()
        for link in self.links:
            link.delete()
        self.backstore.delete()


ALL = (LioLoopback, ScsiDebug, Iscsi, FcoeVn2vn)
