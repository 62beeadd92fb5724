# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrays of the kinds that the hardware handlers emc, rdac and hp_sw are for.

Two controllers lead to one LUN and one of them owns it: the other one refuses to read and write until
it is told to take over.  Each controller is a TCMU device of its own (puppet.Device), so it is known
who was asked; the blocks and the owner are kept here.  What they say is written after the structures
in the kernel's scsi_dh_*.c, which is on the same paths and is answered, too.
"""

import functools
import struct
import threading

from . import lio, puppet, scsi, system

NR_BLOCKS = 16384
READS = (0x28, 0x88)
WRITES = (0x2a, 0x8a)
MODE_SELECT_6, MODE_SELECT_10, START_STOP = 0x15, 0x55, 0x1b


def _extent(cdb):
    """The bytes that a READ or WRITE is about."""
    lba, blocks = struct.unpack(">2xLxH", cdb[:9]) if cdb[0] < 0x80 else struct.unpack(">2xQL", cdb[:14])
    return slice(lba * 512, (lba + blocks) * 512)


class TwoControllers:
    """`with Clariion() as array`: paths[i] leads to controller i, and owner is one of them.

    moves are the controllers that were told to take over, in order, and not_now is how often that
    will still be put off; wrong has what was said to them that such an array does not understand.
    """
    handler = None              # that of the kernel and ours
    section = None              # of mpath-hardware.conf
    vendor = product = b""
    passive = None              # what the other controller says to READ and WRITE: (key, asc, ascq)
    busy = None                 # what is said to who asks for the LUN, and has to ask again

    def __init__(self, targets=None, lun=0):
        """With targets, one for each controller, it is one more LUN behind those."""
        system.modprobe("scsi_dh_emc", "scsi_dh_rdac", "scsi_dh_hp_sw", "sd_mod", "sg")
        self.lun = lun
        self.owner = 0
        self.moves = []
        self.not_now = 0
        self.wrong = []
        self._blocks = bytearray(NR_BLOCKS * 512)
        self._lock = threading.Lock()
        self._devices = []
        self.targets = targets or []
        self._own_targets = not targets
        self.paths = []
        try:
            for i in range(2):
                execute = functools.partial(self._execute, i)
                self._devices.append(puppet.Device(execute, f"controller{i}-{lun}", NR_BLOCKS))
                if targets:
                    self.paths.append(targets[i].add_lun(self._devices[i], lun).wait())
                else:
                    self.targets.append(lio.LoopTarget(self._devices[i]))
                    self.paths.append(self.targets[i].path)
        except BaseException:
            self.delete()
            raise

    # --- what a family has of its own ---

    def inquiry(self):
        words = self.vendor.ljust(8) + self.product.ljust(16) + b"0001"
        return (bytes((0, 0, 5, 2, 91, 0, 0, 2)) + words).ljust(96, b"\0")

    def pages(self, owns):
        """The VPD pages beside those of every disk."""
        return {}

    def refuses_when_passive(self, opcode):
        return opcode in READS + WRITES

    def takes_over(self, request):
        """None: no such command.  Else whether it is the right one."""
        raise NotImplementedError

    # --- one command, to controller i ---

    def _execute(self, i, request):
        with self._lock:
            return self._answer(i, request)

    def _answer(self, i, request):
        cdb = request.cdb
        owns = i == self.owner
        right = self.takes_over(request)
        if right is not None and not (owns and cdb[0] == START_STOP):
            return self._take_over(i, request, right)
        if not owns and self.refuses_when_passive(cdb[0]):
            return request.refuse(*self.passive)
        if cdb[0] in READS:
            return request.reply(bytes(self._blocks[_extent(cdb)]), request.size)
        if cdb[0] in WRITES:
            self._blocks[_extent(cdb)] = request.data()
            return scsi.GOOD, b"", b""
        pages = {**puppet.PAGES, 0x83: puppet.identity(self.lun), **self.pages(owns)}
        pages[0x00] = puppet.vpd_page(0x00, bytes(sorted(pages)))
        return puppet.answer_as_a_disk(request, self.inquiry(), pages, NR_BLOCKS)

    def _take_over(self, i, request, right):
        if not right:
            self.wrong.append(request.cdb.hex(" ") + " | " + request.data().hex(" "))
            return request.refuse(0x05, 0x26)
        if self.not_now:
            self.not_now -= 1
            return request.refuse(*self.busy)
        self.move(i, request)
        return scsi.GOOD, b"", b""

    def move(self, i, request):
        """What was asked for is right."""
        self.moves.append(i)
        self.owner = i

    # --- the end ---

    def delete(self):
        if self._own_targets:
            for target in self.targets:
                target.delete()
        for device in self._devices:
            device.delete()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()


class Clariion(TwoControllers):
    """EMC CLARiiON in PNR mode, a model that knows the long trespass."""
    handler, section = "emc", "clariion"
    vendor, product = b"DGC", b"RAID 5"
    passive = (0x02, 0x04, 0x03)
    busy = (0x06, 0x2a, 0x01)   # a unit attention: it was not even looked at

    def inquiry(self):
        # Behind the standard data the lengths of model and serial number, and these two.
        serial, model = b"APM00042", b"CX3-40"
        data = bytearray(super().inquiry().ljust(161, b"\0")) + serial + model
        data[4] = len(data) - 5
        data[99], data[160] = len(model), len(serial)
        return bytes(data)

    def pages(self, owns):
        page = bytearray(64)
        page[4:9] = 2 if owns else 1, 0, 0, 0, self.owner   # state, default SP, -, port, current SP
        page[27], page[28], page[30] = 3, 4, 4              # a host's port, PNR, arraycommpath
        return {0xc0: puppet.vpd_page(0xc0, bytes(page[4:]))}

    def takes_over(self, request):
        if request.cdb[0] not in (MODE_SELECT_6, MODE_SELECT_10):
            return None
        data = request.data()
        if request.cdb[0] != MODE_SELECT_10 or len(data) != 19 or request.cdb[8] != 19:
            return False
        page, length, code, owner, read_owner = struct.unpack(">8xBBBBB6x", data)
        return (page, length, code, owner, read_owner) == (0x22, 9, 0x81, 0xff, 0xff)


class Rdac(TwoControllers):
    """NetApp E-Series: 256 LUNs, so the page of MODE SELECT is the expanded one.

    beside is another LUN of the same array: this one is behind the same ports.  requests are the MODE
    SELECTs for any of them that were carried out; before one that came to this LUN is, before_move()
    is called.
    """
    handler, section = "rdac", "netapp-e"
    vendor, product = b"NETAPP", b"INF-01-00"
    passive = (0x05, 0x94, 0x01)
    busy = (0x05, 0x91, 0x36)   # the command lock is taken

    NUMBER = 5                  # the array's own for the first one

    def __init__(self, beside=None):
        self.luns = beside.luns if beside else []
        self.luns.append(self)
        self.requests = beside.requests if beside else []
        self.before_move = lambda: None
        self.number = self.NUMBER + len(self.luns) - 1
        super().__init__(beside and beside.targets, len(self.luns) - 1)

    def pages(self, owns):
        lun = b"edid" + bytes(3) + b"\x10" + puppet.NAA + bytes(139) + bytes(7) + bytes((self.number,))
        return {0xc2: puppet.vpd_page(0xc2, b"swr4" + bytes(7) + b"\xff" + bytes(4)),
                0xc4: puppet.vpd_page(0xc4, b"subs" + bytes(20) + b"\x00\x31" + bytes(2)),
                0xc8: puppet.vpd_page(0xc8, lun),
                0xc9: puppet.vpd_page(0xc9, b"vace" + bytes((1 if owns else 0, 0x80)) + bytes(38))}

    def takes_over(self, request):
        if request.cdb[0] not in (MODE_SELECT_6, MODE_SELECT_10):
            return None
        data = request.data()
        if request.cdb[0] != MODE_SELECT_10 or len(data) != 308 or request.cdb[7:9] != b"\x01\x34":
            return False
        code, subpage, length, mode, quiescence, options, luns = struct.unpack(
            ">8xBBH16x16x2s2xBB256s2x", data)
        wanted = bytes(0x81 if self._is_named(luns, number) else 0 for number in range(256))
        return ((code & 0x3f, subpage, length, mode, options, luns)
                == (0x2c, 1, 0x128, b"\0\x02", 2, wanted) and quiescence > 0)

    def _is_named(self, luns, number):
        """This LUN must be among them, and others of the array may be."""
        return number == self.number or (luns[number] and number in (lun.number for lun in self.luns))

    def move(self, i, request):
        self.before_move()
        luns = request.data()[50:306]
        moved = [lun for lun in self.luns if luns[lun.number]]
        self.requests.append([lun.number for lun in moved])
        for lun in moved:
            TwoControllers.move(lun, i, request)


class HpSw(TwoControllers):
    """MSA1000: START STOP UNIT moves the LUN, and a passive controller does not even tell its size."""
    handler, section = "hp_sw", "msa1000"
    vendor, product = b"COMPAQ", b"MSA1000 VOLUME"
    passive = (0x02, 0x04, 0x02)
    busy = (0x02, 0x04, 0x03)   # it is on its way

    def refuses_when_passive(self, opcode):
        return opcode in READS + WRITES + (0x00, 0x25, 0x9e, 0x35)

    def takes_over(self, request):
        if request.cdb[0] != START_STOP:
            return None
        return request.cdb[4] == 1
