# SPDX-License-Identifier: GPL-2.0-or-later
"""What end-to-end tests need inside the test VM (tests/vm/run).

    system    sysfs and configfs, commands, wait_for(): never a plain sleep to wait for something
    scsi      SCSI commands by ioctl, and usable(path): the bare-path judge of "usable"
    lio       the kernel's target: backstores, loopback and iSCSI exports
    topology  one LUN over several paths, of four kinds
    cuts      the ways in which a path breaks, and back
    dm        the kernel's dm-multipath over the same paths, to compare with
    fio       load with verify, and the longest stall
    runner    tcmu-runner itself
    mpath     a map of ours in service
    named     a map by its cfgstring, and what is said of paths that cannot be used
    bare      our LUN beside a bare path: the same answer
    puppet    an array that says what it is told to
    two_controllers  arrays for the hardware handlers emc, rdac and hp_sw
    targetcli targetcli's shell, line by line
    dbus      calls on the system bus without the second that `import gi` takes
    case      the cases of a file: run, report, clean up

A process costs 60-100 ms in the guest.  So files are written and ioctls made from here rather than
by tools, and tools are used only where the kernel's interface is one of theirs (iscsiadm, nft, ip,
dmsetup, fio).
"""
