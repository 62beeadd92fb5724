# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run: -t 900
"""A storage administrator's days: LVM and XFS on a LUN of ours, a cluster's reservations, a saved configuration."""

import glob
import hashlib
import os
import re
import subprocess
import types

from lib import bare, case, cuts, dm, lio, mpath, scsi, system, topology
from lib.case import defer, expect, expect_equal
from lib.mpath import Map
from lib.runner import Runner, all_handlers
from lib.system import read, run, wait_for, write
from lib.targetcli import targetcli

MIB = 1 << 20
GUEST_IQN = "iqn.2026-01.org.tcmu-mpath:client"


def start_runner(**options):
    runner = Runner(**options)
    defer(runner.end)
    return runner.start()


# --- LVM and XFS --------------------------------------------------------------------------------

class GrowingArray(topology.LioLoopback):
    """Two ports of an array whose LUN is a part of a RAM disk."""

    SIZE_MIB = 640

    def __init__(self, size_mib):
        run("modprobe", "brd", "rd_nr=1", f"rd_size={self.SIZE_MIB * 1024}")
        defer(run, "rmmod", "brd")
        self.disk = dm.Device("array", self._table(size_mib))
        defer(self.disk.remove)
        store = lio.Iblock("array", self.disk.dev)
        defer(store.delete)
        super().__init__(2, backstore=store)
        defer(self.teardown)

    @staticmethod
    def _table(size_mib):
        return f"0 {size_mib * 2048} linear /dev/ram0 0"

    def grow(self, size_mib):
        dm.dmsetup("load", "array", "--table", self._table(size_mib))
        self.disk.resume()


def put_files(directory, names):
    """Files of random bytes, on the disk when it returns; their check sums by name."""
    sums = {}
    for name in names:
        data = os.urandom(MIB)
        sums[name] = hashlib.sha256(data).digest()
        with open(f"{directory}/{name}", "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
    return sums


def sums_of(directory):
    sums = {}
    for name in os.listdir(directory):
        with open(f"{directory}/{name}", "rb") as f:
            sums[name] = hashlib.sha256(f.read()).digest()
    return sums


def put_files_while_a_path_fails(m, directory, names):
    path = bare.current(m)
    half = len(names) // 2
    sums = put_files(directory, names[:1])
    cuts.TRANSPORT_STATUS.cut(path)
    sums |= put_files(directory, names[1:half])
    expect(not m.in_use(path), "the path has not failed")
    cuts.TRANSPORT_STATUS.restore(path)
    sums |= put_files(directory, names[half:])
    m.wait_in_use(path)
    return sums


def lvm(command, *words):
    """It says nothing but what it was asked for: no warning of a duplicate, or of a path.

    With README.md's word for it.  What the array is made of is on this machine for the test only.
    """
    config = 'devices { external_device_info_source="udev" global_filter=["a|^/dev/sd|", "r|.*|"] }'
    done = subprocess.run([command, *words, "--config", config],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    expect_equal((done.returncode, done.stderr), (0, ""), " ".join((command, *words)))
    return done.stdout


@case.only_long
@case.limit(400)
def test_lvm():
    """A volume group on our LUN, a file system that is written while paths fail, and grows with the LUN."""
    system.modprobe("dm_mod", "xfs")
    start_runner()
    system.start_udev()
    array = GrowingArray(384)
    m = Map(array.paths, recheck_interval_ms=100)
    defer(m.delete)
    m.wait_in_use()
    # Their WWID is known now: as the man page has it, udev is to look again.
    run("udevadm", "trigger", "--settle", "--subsystem-match=block")
    lvm("pvcreate", m.dev)
    lvm("vgcreate", "vg", m.dev)
    lvm("lvcreate", "-y", "-l", "100%FREE", "-n", "data", "vg")
    defer(lvm, "vgremove", "-f", "vg")
    expect_equal(lvm("pvs", "--noheadings", "-o", "pv_name").split(), [m.dev], "physical volumes")
    run("mkfs.xfs", "-q", "/dev/vg/data")
    os.makedirs("/run/data", exist_ok=True)
    run("mount", "/dev/vg/data", "/run/data")
    defer(run, "umount", "/run/data")
    sums = put_files_while_a_path_fails(m, "/run/data", [f"a{i}" for i in range(8)])

    before = os.statvfs("/run/data").f_blocks
    array.grow(640)
    for path in array.paths:
        write(path.device + "/rescan", 1)
    wait_for(lambda: m.backstore.get("dev_size") == str(640 * MIB), 20, "the LUN's new size")
    write(m.path.device + "/rescan", 1)
    expect_equal(m.path.sectors, 640 * 2048, "the initiator's disk")
    lvm("pvresize", m.dev)
    lvm("lvextend", "-l", "+100%FREE", "/dev/vg/data")
    run("xfs_growfs", "/run/data")
    after = os.statvfs("/run/data").f_blocks
    expect(after > before * 1.5, f"{before} blocks, and {after} after it has grown")
    sums |= put_files_while_a_path_fails(m, "/run/data", [f"b{i}" for i in range(8)])
    run("umount", "/run/data")
    run("xfs_repair", "-n", "/dev/vg/data")
    run("mount", "/dev/vg/data", "/run/data")
    expect_equal(sums_of("/run/data"), sums, "check sums")


# --- persistent reservations --------------------------------------------------------------------

KEY_A, KEY_B = "0xa1", "0xb2"
OK, CONFLICT = 0, 24        # exit statuses of sg_persist


def let_lio_keep_registrations():
    """Without this directory, which targetcli makes, it refuses them."""
    os.makedirs("/etc/target/pr", exist_ok=True)


def persist(device, *words, status=OK):
    done = subprocess.run(["sg_persist", *words, device.sg_dev], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    said = done.stdout + done.stderr
    expect_equal(done.returncode, status, f"sg_persist {' '.join(words)} {device}: {said}")
    return said


def registered(device):
    return sorted(re.findall(r"^ +(0x[0-9a-f]+)$", persist(device, "--in", "--read-keys"), re.M))


def holder(device):
    """(key, type) of the reservation; nothing without one."""
    said = persist(device, "--in", "--read-reservation")
    return re.findall(r"Key=(0x[0-9a-f]+)\n.*type: (.*)", said)


def writes(device):
    return scsi.write10(device, 0, bytes(512)).status


def test_cluster():
    """Two nodes fence each other by hand, while paths come and go below: LIO keeps who may write."""
    start_runner()
    let_lio_keep_registrations()
    made = topology.LioLoopback(2)
    defer(made.teardown)
    m = Map(made.paths, recheck_interval_ms=100)
    defer(m.delete)
    m.wait_in_use()
    a, b = m.path, lio.LoopTarget(m.backstore)
    defer(b.delete)
    b = b.path
    bare.settle(a, b)
    persist(a, "--out", "--register", f"--param-sark={KEY_A}")
    cuts.TRANSPORT_STATUS.cut(made.paths[0])
    persist(b, "--out", "--register", f"--param-sark={KEY_B}")
    expect_equal(registered(a), [KEY_A, KEY_B], "keys")
    persist(a, "--out", "--reserve", f"--param-rk={KEY_A}", "--prout-type=5")
    expect_equal(holder(b), [(KEY_A, "Write Exclusive, registrants only")], "reservation")
    expect_equal((writes(a), writes(b)), (scsi.GOOD, scsi.GOOD), "both are members")
    cuts.TRANSPORT_STATUS.restore(made.paths[0])
    m.wait_in_use()
    persist(b, "--out", "--reserve", f"--param-rk={KEY_B}", "--prout-type=5", status=CONFLICT)

    # B takes over, with no path there at all: that is the gateway's business, not the array's.
    for path in made.paths:
        cuts.TRANSPORT_STATUS.cut(path)
    persist(b, "--out", "--preempt", f"--param-rk={KEY_B}", f"--param-sark={KEY_A}", "--prout-type=5")
    expect_equal(registered(b), [KEY_B], "keys after the preemption")
    for path in made.paths:
        cuts.TRANSPORT_STATUS.restore(path)
    m.wait_in_use()
    wait_for(lambda: writes(a) != scsi.CHECK_CONDITION, 5, "A was told that it was preempted")
    expect_equal((writes(a), writes(b)), (scsi.RESERVATION_CONFLICT, scsi.GOOD), "A is locked out")
    expect(scsi.read10(a, 0, 1).good, "A may still read")
    bare.settle(a)
    persist(a, "--out", "--release", f"--param-rk={KEY_A}", "--prout-type=5", status=CONFLICT)
    persist(b, "--out", "--release", f"--param-rk={KEY_B}", "--prout-type=5")
    expect_equal(holder(a), [], "reservation after its release")
    expect_equal(writes(a), scsi.GOOD, "A writes again")
    persist(b, "--out", "--clear", f"--param-rk={KEY_B}")
    expect_equal(registered(a), [], "keys at the end")


def test_reservation_at_the_array():
    """pgr_support=0: who has registered through a path is a stranger on the other, as the man page says."""
    start_runner()
    made = topology.LioLoopback(2)
    defer(made.teardown)
    let_lio_keep_registrations()
    m = Map(made.paths, attributes={"pgr_support": 0}, recheck_interval_ms=100)
    defer(m.delete)
    m.wait_in_use()
    bare.settle(m, *made.paths)
    first = bare.current(m)
    second, = set(made.paths) - {first}
    persist(m, "--out", "--register", f"--param-sark={KEY_A}")
    expect_equal((registered(m), registered(second)), ([KEY_A], [KEY_A]), "keys")
    persist(m, "--out", "--reserve", f"--param-rk={KEY_A}", "--prout-type=1")
    expect_equal((writes(m), writes(second)), (scsi.GOOD, scsi.RESERVATION_CONFLICT), "who writes")

    cuts.DEVICE_STATE.cut(first)
    wait_for(lambda: writes(m) == scsi.RESERVATION_CONFLICT, 10, "the other path's word")
    expect_equal(holder(m), [(KEY_A, "Write Exclusive")], "the lost path has it still")
    expect(m.in_use(second), "a reservation fails no path")
    # Out of it as from any host that died: who is left registers, and preempts.
    persist(m, "--out", "--register", f"--param-sark={KEY_B}")
    persist(m, "--out", "--preempt", f"--param-rk={KEY_B}", f"--param-sark={KEY_A}", "--prout-type=1")
    expect_equal((registered(m), holder(m)), ([KEY_B], [(KEY_B, "Write Exclusive")]), "after the preemption")
    expect_equal(writes(m), scsi.GOOD, "it writes")
    cuts.DEVICE_STATE.restore(first)
    m.wait_in_use()
    # The path that is back has heard that its registration was preempted, and one command of ours is told.
    wait_for(lambda: writes(m) == scsi.GOOD, 5, "it stays on its path")
    persist(m, "--out", "--release", f"--param-rk={KEY_B}", "--prout-type=1")
    persist(m, "--out", "--clear", f"--param-rk={KEY_B}")
    expect_equal((registered(m), holder(m)), ([], []), "at the end")
    expect(scsi.write10(first, 0, bytes(512)).status != scsi.RESERVATION_CONFLICT, "nothing is left")


# --- a saved configuration ----------------------------------------------------------------------

IQN = "iqn.2026-01.org.tcmu-mpath:admin"
NODE = "/backstores/user:mpath"


def luns_of(hosts, lun):
    return [lio.Path(f"{host}:0:0:{lun}").wait(15) for host in hosts]


def facts_of(path):
    """What its initiator knows a LUN by."""
    return scsi.inquiry(path, 0x83).data.hex(), path.sectors


def is_protected(path):
    return read(f"/sys/block/{path.sd}/ro") == "1"


@case.only_long
@case.limit(400)
def test_saved_configuration():
    """Three forms of a backstore behind one ACL, one of them write-protected: cleared, and restored."""
    runner = start_runner(handlers=all_handlers())
    made = topology.ScsiDebug(2, max_luns=3, size_mib=16)
    defer(made.teardown)
    hosts = [path.host for path in made.paths]
    listed, by_wwid, by_file = (luns_of(hosts, lun) for lun in range(3))
    with open(f"{mpath.MAP_DIR}/mapped.map", "w") as f:
        f.write("[multipath]\npaths=" + ";".join(path.dev for path in by_file) + "\nno_path_retry=queue\n")
    defer(os.unlink, f"{mpath.MAP_DIR}/mapped.map")
    defer(run, "targetctl", "clear")
    cli = targetcli()
    cli.good(f"{NODE} create name=listed paths={listed[0].dev},{listed[1].dev}", "Created")
    cli.good(f"{NODE} create name=bywwid wwid={by_wwid[0].wwid}", "Created")
    cli.good(f"{NODE} create name=byfile map=mapped", "(?s)Created.*Set cmd_time_out to 0")
    tpg = f"/iscsi/{IQN}/tpg1"
    cli.good(f"/iscsi create {IQN}", "Created TPG 1")
    for name in ("listed", "bywwid", "byfile"):
        cli.good(f"{tpg}/luns create {NODE}/{name}", "Created LUN")
    cli.good(f"{tpg} set attribute authentication=0 generate_node_acls=0", "generate_node_acls is now '0'")
    with open("/etc/iscsi/initiatorname.iscsi") as f:
        initiator = re.search(r"^InitiatorName=(.*)$", f.read(), re.M)[1]
    cli.good(f"{tpg}/acls create {initiator} add_mapped_luns=false", "Created Node ACL")
    acl = f"{tpg}/acls/{initiator}"
    for number, protected in enumerate((0, 1, 0)):
        cli.good(f"{acl} create {number} {number} {protected}", "Created mapped LUN|Created Mapped LUN")
    cli.good("saveconfig", "Configuration saved")
    cli.end()

    target = types.SimpleNamespace(iqn=IQN, portals=[("127.0.0.1", lio.ISCSI_PORT)], tpgts=[None])

    def look():
        """The three LUNs as the initiator has them; what is written before the look is there in the next."""
        with lio.IscsiLogin(target, wait=30) as login:
            host = login.paths[0].hctl.rsplit(":", 1)[0]
            luns = [lio.Path(f"{host}:{number}").wait(15) for number in range(3)]
            for lun in luns:
                wait_for(lambda lun=lun: scsi.usable(lun), 20, f"{lun} usable")
            # Only the kernel knows of it, and refuses; MODE SENSE is ours, and says that it can be written.
            expect(not any(is_protected(lun) for lun in luns), "MODE SENSE says more than the man page")
            expect_equal(scsi.write10(luns[1], 0, bytes(512)).code, (0x07, 0x27, 0x00), "a write to the second")
            expect(scsi.write10(luns[0], 0, bytes(512)).good, "a write to the first")
            expect(scsi.write10(luns[2], 0, bytes(512)).good, "a write to the third")
            return [facts_of(lun) for lun in luns]

    before = look()
    run("targetctl", "clear")
    expect_equal(glob.glob(f"{lio.TARGET}/core/user_*/*/"), [], "left after targetctl clear")
    wait_for(lambda: all(system.is_free(path.dev) for path in (*listed, *by_wwid, *by_file)), 10, "free disks")
    done = subprocess.run(["targetctl", "restore"], capture_output=True, text=True, timeout=60)
    expect_equal((done.returncode, done.stdout, done.stderr), (0, "", ""), "targetctl restore")
    expect_equal(look(), before, "identity and size")
    for name, wanted in (("listed", "42"), ("byfile", "0")):
        found, = glob.glob(f"{lio.TARGET}/core/user_*/{name}/attrib/cmd_time_out")
        expect_equal(read(found), wanted, f"cmd_time_out of {name}")
    # The machine comes up in the other order, too: the configuration first, then tcmu-runner.
    run("targetctl", "clear")
    runner.stop()
    runner.start()
    run("targetctl", "restore")
    expect_equal(look(), before, "after a restart of tcmu-runner")


if __name__ == "__main__":
    case.main()
