# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a machine with LUNs over several paths, for bench_handler."""

import os

BLOCK_SIZE = 512
EACH_DEV = 1000                             # tests/bench/stub/stub.h
MAP_SIZE = 4096 + (1 << 20) + 128 * 4096    # tests/bench/stub/kernel.c


def write(root, name, text=""):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(f"{text}\n")


def link(root, name, to):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    directory, base = os.path.split(os.path.join(root, to))
    # Its last word is what one reads from it, also where it leads to a directory above.
    os.symlink(os.path.join(os.path.relpath(directory, os.path.dirname(path)), base), path)


def write_all(root, directory, files):
    for name, text in files.items():
        write(root, f"{directory}/{name}", text)


def add_backstore(root, number, name, cfgstring):
    write(root, f"dev/uio{number}")
    uio = f"sys/class/uio/uio{number}"
    write(root, f"{uio}/name", f"tcm-user/{number}/{name}/{cfgstring}")
    write(root, f"{uio}/maps/map0/size", MAP_SIZE)
    write_all(root, f"sys/kernel/config/target/core/user_{number}/{name}", {
        "attrib/cmd_time_out": 30, "attrib/hw_block_size": BLOCK_SIZE, "attrib/dev_size": 0,
        "attrib/tmr_notification": 1, "control": "", "action/block_dev": "",
        "action/reset_ring": "", "wwn/vpd_unit_serial": "T10 VPD Unit Serial Number: bench",
    })


def disk_name(number):
    """sda, sdb ... sdz, sdaa: as sd names disks."""
    letters = ""
    while number >= 0:
        letters = chr(ord("a") + number % 26) + letters
        number = number // 26 - 1
    return f"sd{letters}"


def add_path(root, number):
    disk = disk_name(number)
    device = f"sys/devices/host{number}/{number}:0:0:0"
    block = f"{device}/block/{disk}"
    write_all(root, device, {
        "type": 0, "queue_depth": 254, "device_busy": 0, "device_blocked": 0, "state": "running",
        "ioerr_cnt": "0x0", "iotmo_cnt": "0x0",
    })
    write_all(root, block, {
        "dev": f"8:{16 * number}", "ro": 0, "queue/max_hw_sectors_kb": 1024,
        "queue/max_segments": 128, "queue/nr_requests": 1024, "queue/scheduler": "[none]",
    })
    link(root, f"{device}/subsystem", "sys/bus/scsi")
    link(root, f"{block}/device", device)
    link(root, f"sys/class/block/{disk}", block)
    link(root, f"sys/dev/block/8:{16 * number}", block)
    write(root, f"{device}/scsi_generic/sg{number}/dev", f"21:{number}")
    link(root, f"sys/class/scsi_generic/sg{number}", f"{device}/scsi_generic/sg{number}")
    write_all(root, f"sys/class/scsi_host/host{number}",
              {"can_queue": 1024, "state": "running", "proc_name": "bench"})
    write(root, f"dev/{disk}")
    write(root, f"dev/sg{number}")


def add_map(root, number, paths):
    disks = range(number * paths, (number + 1) * paths)
    for disk in disks:
        add_path(root, disk)
    words = " ".join(f"/dev/{disk_name(disk)} 1" for disk in disks)
    write(root, f"etc/tcmu/mpath.d/bench{number}.map",
          f"[multipath]\ntable=0 0 1 1 round-robin 0 {paths} 1 {words}\n")
    add_backstore(root, number, f"bench{number}", f"mpath/bench{number}")


def build(root, maps, paths):
    os.makedirs(os.path.join(root, "sys/bus/scsi"))
    for number in range(maps):
        add_map(root, number, paths)
    add_backstore(root, EACH_DEV, "each", "each/each")
    os.makedirs(os.path.join(root, "var/lib/tcmu-mpath"))
