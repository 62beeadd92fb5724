# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's SCSI target through configfs: backstores, and exports of them.

Each object makes its directories when it is created and removes them in delete(), in the order in
which the kernel lets them go.  None of it runs a process, except the iSCSI login.
"""

import glob
import os
import uuid

from . import system
from .system import CONFIGFS, read, run, wait_for, write

TARGET = CONFIGFS + "/target"
ISCSI_PORT = 3260


class Path:
    """A SCSI device as the initiator sees it, known by its H:C:T:L.

    The names sdX and sgN are looked up each time, because a device that was deleted and found again
    may come back under another one; they are None while the device is not there.
    """

    def __init__(self, hctl, **attributes):
        self.hctl = hctl
        self.__dict__.update(attributes)

    @property
    def device(self):
        return "/sys/bus/scsi/devices/" + self.hctl

    @property
    def host(self):
        return int(self.hctl.split(":")[0])

    def _child(self, kind):
        try:
            names = os.listdir(f"{self.device}/{kind}")
        except FileNotFoundError:
            return None
        return names[0] if names else None

    @property
    def sd(self):
        return self._child("block")

    @property
    def sg(self):
        return self._child("scsi_generic")

    @property
    def dev(self):
        return self.sd and "/dev/" + self.sd

    @property
    def sg_dev(self):
        return self.sg and "/dev/" + self.sg

    @property
    def devno(self):
        """ "8:16", as dm tables name it."""
        return self.sd and read(f"{self.device}/block/{self.sd}/dev")

    @property
    def by_id(self):
        """The by-id name with the WWID, of the path that udev gave it to; needs start_udev().

        All paths of a LUN have the same one: it points to the last that udev saw, and is None for
        the others.
        """
        names = glob.glob("/dev/disk/by-id/wwn-*") + glob.glob("/dev/disk/by-id/scsi-3*")
        return next((n for n in names if os.path.realpath(n) == self.dev), None)

    @property
    def by_path(self):
        """The by-path name, which is each path's own where the transport has one."""
        names = sorted(glob.glob("/dev/disk/by-path/*"))
        return next((n for n in names if os.path.realpath(n) == self.dev), None)

    @property
    def wwid(self):
        """As `multipath -ll` spells it."""
        text = read(self.device + "/wwid")
        kind, _, rest = text.partition(".")
        return {"naa": "3", "eui": "2", "t10": "1"}.get(kind, "") + rest

    @property
    def sectors(self):
        # Not by /sys/block/sdX: that link is made after the device's node is there.
        return int(read(f"{self.device}/block/{self.sd}/size"))

    @property
    def in_flight(self):
        """Commands in the path, those of dead processes included."""
        return (int(read(self.device + "/iorequest_cnt"), 16)
                - int(read(self.device + "/iodone_cnt"), 16))

    @property
    def requests(self):
        """Commands that were ever sent down the path."""
        return int(read(self.device + "/iorequest_cnt", "0"), 16)

    def wait_load(self, commands=20, seconds=10):
        """Waits until the path has carried so many commands more: some in flight may be a probe."""
        begin = self.requests
        wait_for(lambda: self.requests >= begin + commands, seconds, f"load on {self}")

    @property
    def timeout(self):
        return int(read(self.device + "/timeout"))

    @timeout.setter
    def timeout(self, seconds):
        write(self.device + "/timeout", seconds)

    def wait(self, seconds=10):
        """Waits until the device is there with its names, and returns self."""
        wait_for(lambda: self.sg and self.sd and os.path.exists(self.dev)
                 and os.path.exists(self.sg_dev), seconds, f"sd and sg of {self.hctl}")
        return self

    def __repr__(self):
        return f"<path {self.hctl} {self.sd}>"


def scan_host(host, channel="-", target="-", lun="-"):
    write(f"/sys/class/scsi_host/host{host}/scan", f"{channel} {target} {lun}")


def _next_hba(plugin):
    """LIO puts each backstore below an HBA directory that is its own: plugin_0, plugin_1 ..."""
    number = 0
    while os.path.isdir(f"{TARGET}/core/{plugin}_{number}"):
        number += 1
    return f"{TARGET}/core/{plugin}_{number}"


class Backstore:
    """A LUN's storage in LIO.  `control` are the plugin's parameters, in order."""

    def __init__(self, plugin, name, control, serial=None, attributes=()):
        system.mount_configfs()
        os.makedirs("/var/target/pr", exist_ok=True)
        os.makedirs("/etc/target", exist_ok=True)
        self.name = name
        self.plugin = plugin
        self.serial = serial or str(uuid.uuid5(uuid.NAMESPACE_OID, name))
        self.hba = _next_hba(plugin)
        self.dir = f"{self.hba}/{name}"
        os.mkdir(self.hba)
        try:
            os.mkdir(self.dir)
            for key, value in control:
                write(self.dir + "/control", f"{key}={value}")
            self._enable()
            for key, value in dict(attributes).items():
                self.set(key, value)
        except Exception:
            self.delete()
            raise

    def _enable(self):
        write(self.dir + "/wwn/vpd_unit_serial", self.serial)
        write(self.dir + "/enable", 1)

    def get(self, attribute):
        return read(f"{self.dir}/attrib/{attribute}")

    def set(self, attribute, value):
        write(f"{self.dir}/attrib/{attribute}", value)

    @property
    def info(self):
        return read(self.dir + "/info")

    def add_alua_group(self, name, number, state=0, access=3):
        """A target port group of its own; returns its directory.  access: 1 implicit, 3 also explicit."""
        group = f"{self.dir}/alua/{name}"
        os.mkdir(group)
        write(group + "/tg_pt_gp_id", number)
        write(group + "/alua_access_type", access)
        write(group + "/alua_access_state", state)
        return group

    def delete(self):
        for group in glob.glob(self.dir + "/alua/*"):
            if os.path.basename(group) != "default_tg_pt_gp":
                os.rmdir(group)
        for directory in (self.dir, self.hba):
            if os.path.isdir(directory):
                os.rmdir(directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()


class Ramdisk(Backstore):
    """Memory of the kernel; gone with delete()."""

    def __init__(self, name, size_mib=64, serial=None, attributes=()):
        super().__init__("rd_mcp", name, [("rd_pages", size_mib * 256)], serial, attributes)


class Fileio(Backstore):
    """A file, made sparse if missing; on a persistent disk it survives a reboot."""

    def __init__(self, name, path, size_mib=64, serial=None, attributes=()):
        system.modprobe("target_core_file")
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.truncate(size_mib << 20)
        super().__init__("fileio", name, [("fd_dev_name", path), ("fd_dev_size", size_mib << 20)],
                         serial, attributes)


class Iblock(Backstore):
    """A block device, for instance a dm-delay one: a path that is slow or stops."""

    def __init__(self, name, device, serial=None, attributes=()):
        system.modprobe("target_core_iblock")
        super().__init__("iblock", name, [("udev_path", device)], serial, attributes)


class UserBackstore(Backstore):
    """A TCMU device: what `targetcli /backstores/user:mpath create` makes.

    size 0 takes the LUN's.  cmd_time_out and the like are attributes; control holds what must be
    said before enable (hw_block_size, max_data_area_mb ...).  A refusal by the handler is an
    OSError from enable.
    """

    def __init__(self, name, cfgstring, size=0, handler="mpath", serial=None, attributes=(),
                 control=()):
        system.modprobe("target_core_user")
        parameters = [("dev_config", f"{handler}/{cfgstring}"), ("dev_size", size)]
        super().__init__("user", name, parameters + list(dict(control).items()), serial, attributes)

    def _enable(self):
        # In rtslib's order, which is what a handler meets in the field: it is opened before the
        # serial number is known.
        write(self.dir + "/enable", 1)
        write(self.dir + "/wwn/vpd_unit_serial", self.serial)

    @property
    def uio(self):
        """ "uio0": the device through which the handler serves this backstore."""
        wanted = f"tcm-user/{self.hba.rsplit('_', 1)[1]}/{self.name}/"
        for path in glob.glob("/sys/class/uio/uio*/name"):
            if read(path, "").startswith(wanted):
                return path.split("/")[4]
        return None


def _link_lun(tpgt, backstore, lun=0, group=None):
    directory = f"{tpgt}/lun/lun_{lun}"
    os.makedirs(directory)
    os.symlink(backstore.dir, directory + "/backstore")
    if group:
        write(directory + "/alua_tg_pt_gp", os.path.basename(group))


def _unlink_luns(tpgt):
    for lun in glob.glob(tpgt + "/lun/lun_*"):
        for link in os.listdir(lun):
            if os.path.islink(f"{lun}/{link}"):
                os.unlink(f"{lun}/{link}")
        os.rmdir(lun)


class LoopTarget:
    """A backstore as a local disk through tcm_loop: .path is what the initiator sees."""

    _next = 0

    def __init__(self, backstore, group=None, naa=None, wait=10):
        system.modprobe("tcm_loop", "sd_mod", "sg")
        system.mount_configfs()
        if naa is None:
            naa = f"naa.5001405{LoopTarget._next:09x}"      # rtslib would choke on another form
            LoopTarget._next += 1
        self.dir = f"{TARGET}/loopback/{naa}"
        self.tpgt = self.dir + "/tpgt_1"
        os.makedirs(self.tpgt)
        write(self.tpgt + "/nexus", naa.replace("naa.5001405", "naa.5001406"))
        self.path = self.add_lun(backstore, 0, group)
        if wait:
            try:
                self.path.wait(wait)
            except Exception:
                self.delete()
                raise

    def add_lun(self, backstore, lun, group=None):
        """Another one behind the same port; returns its Path, which may take a moment to be there."""
        _link_lun(self.tpgt, backstore, lun, group)
        return Path(f"{read(self.tpgt + '/address')}:{lun}", target=self, group=group)

    def delete(self):
        _unlink_luns(self.tpgt)
        if read(self.tpgt + "/nexus", ""):
            write(self.tpgt + "/nexus", "NULL")
        os.rmdir(self.tpgt)
        os.rmdir(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()


class FcTarget:
    """A backstore exported through tcm_fc to one initiator; port names are written with colons."""

    def __init__(self, backstore, wwpn, initiator):
        self.directory = f"{TARGET}/fc/{wwpn}"
        self.tpgt = self.directory + "/tpgt_1"
        self.acl = f"{self.tpgt}/acls/{initiator}"
        os.makedirs(self.tpgt)
        _link_lun(self.tpgt, backstore)
        os.makedirs(self.acl + "/lun_0")
        os.symlink(f"{self.tpgt}/lun/lun_0", self.acl + "/lun_0/lun")

    def delete(self):
        os.unlink(self.acl + "/lun_0/lun")
        os.rmdir(self.acl + "/lun_0")
        os.rmdir(self.acl)
        _unlink_luns(self.tpgt)
        os.rmdir(self.tpgt)
        os.rmdir(self.directory)


class IscsiTarget:
    """A backstore behind one iSCSI target with a portal group for each of n portals.

    Portal i (from 0) is 127.0.0.(1+i):(3260+i): a port of its own, so that a packet filter can cut
    one path by it.  groups are the target port groups of the portal groups, if each is to have its own.
    """

    def __init__(self, backstore, iqn="iqn.2026-01.org.tcmu-mpath:target", portals=1,
                 port=ISCSI_PORT, groups=()):
        system.modprobe("iscsi_target_mod")
        system.mount_configfs()
        self.iqn = iqn
        self.dir = f"{TARGET}/iscsi/{iqn}"
        self.portals = [(f"127.0.0.{1 + i}", port + i) for i in range(portals)]
        self.tpgts = [f"{self.dir}/tpgt_{i + 1}" for i in range(portals)]
        os.makedirs(self.dir)
        for i, (tpgt, (address, number)) in enumerate(zip(self.tpgts, self.portals)):
            os.mkdir(tpgt)
            os.mkdir(f"{tpgt}/np/{address}:{number}")
            for name, value in (("authentication", 0), ("generate_node_acls", 1),
                                ("demo_mode_write_protect", 0), ("cache_dynamic_acls", 1)):
                write(f"{tpgt}/attrib/{name}", value)
            _link_lun(tpgt, backstore, group=groups[i] if groups else None)
            write(tpgt + "/enable", 1)

    def add_lun(self, backstore, lun):
        """Another one behind all portals; for those who log in after this."""
        for tpgt in self.tpgts:
            _link_lun(tpgt, backstore, lun)

    def delete(self):
        for tpgt, (address, number) in zip(self.tpgts, self.portals):
            write(tpgt + "/enable", 0)
            _unlink_luns(tpgt)
            os.rmdir(f"{tpgt}/np/{address}:{number}")
            os.rmdir(tpgt)
        os.rmdir(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()


class IscsiLogin:
    """open-iscsi's sessions to every portal of a target: .paths in the portals' order.

    noop_seconds 0 switches the keep-alive off: then a dropped connection makes commands hang, as
    nothing tells the initiator.
    """

    def __init__(self, target, replacement_timeout=5, noop_seconds=1, noop_timeout=2, wait=15):
        system.modprobe("iscsi_tcp", "sd_mod", "sg")
        self.target = target
        start_iscsid()
        address, port = target.portals[0]
        run("iscsiadm", "-m", "discovery", "-t", "st", "-p", f"{address}:{port}")
        settings = {"node.session.timeo.replacement_timeout": replacement_timeout,
                    "node.conn[0].timeo.noop_out_interval": noop_seconds,
                    "node.conn[0].timeo.noop_out_timeout": noop_timeout if noop_seconds else 0,
                    "node.session.initial_login_retry_max": 8}
        # The records are text files; iscsiadm would take a process for each of these words.
        for record in glob.glob(f"/etc/iscsi/nodes/{target.iqn}/*/default"):
            _edit_record(record, settings)
        run("iscsiadm", "-m", "node", "-T", target.iqn, "--login")
        try:
            self.paths = [self._path(i, wait) for i in range(len(target.portals))]
        except Exception:
            self.logout()
            raise

    def _session(self, index):
        address, port = self.target.portals[index]
        for connection in glob.glob("/sys/class/iscsi_connection/connection*"):
            if (read(connection + "/persistent_address", "") != address
                    or read(connection + "/persistent_port", "") != str(port)):
                continue
            return "session" + os.path.basename(connection)[len("connection"):].split(":")[0]
        return None

    def _path(self, index, wait):
        session = wait_for(lambda: self._session(index), wait, f"iSCSI session {index}")
        where = f"/sys/class/iscsi_session/{session}/device/target*/*:*:*:0"
        hctl = os.path.basename(wait_for(lambda: glob.glob(where), wait, f"LUN of {session}")[0])
        return Path(hctl, session=session, portal=self.target.portals[index],
                    tpgt=self.target.tpgts[index]).wait(wait)

    def logout(self):
        run("iscsiadm", "-m", "node", "-T", self.target.iqn, "--logout", check=False)
        run("iscsiadm", "-m", "node", "-T", self.target.iqn, "-o", "delete", check=False)

    delete = logout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.logout()


def _edit_record(path, settings):
    with open(path) as f:
        lines = [line for line in f if line.split(" = ")[0] not in settings]
    at = next(i for i, line in enumerate(lines) if line.startswith("# END RECORD"))
    lines[at:at] = [f"{key} = {value}\n" for key, value in settings.items()]
    with open(path, "w") as f:
        f.writelines(lines)


def start_iscsid():
    """Starts iscsid if it does not run (the image masks its unit)."""
    for comm in glob.glob("/proc/[0-9]*/comm"):
        if read(comm, "") == "iscsid":
            return
    os.makedirs("/run/lock/iscsi", exist_ok=True)
    run("iscsid")


def leftovers():
    """Directories in LIO's configfs that somebody created: empty after a clean test."""
    found = glob.glob(TARGET + "/core/*/*/") + glob.glob(TARGET + "/loopback/naa.*/")
    found += glob.glob(TARGET + "/iscsi/iqn.*/") + glob.glob(TARGET + "/fc/*:*/")
    return [d for d in found if not d.startswith(TARGET + "/core/alua/")]
