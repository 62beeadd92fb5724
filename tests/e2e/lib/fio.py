# SPDX-License-Identifier: GPL-2.0-or-later
"""Load on a device: fio in the background, its errors, miscompares and the longest stall.

The stall is the longest time in which no command ended.  fio's lat log has a line for each command
with the time of its completion and its direction, so it is the longest gap between two lines: of
all commands, of the reads, of the writes.  Only around a cut (stalls()) it is how long a read took:
writes that wait for their fence fill fio's queue, and then no read is sent.  A line costs nothing beside the command itself under TCG
(measured: no difference in IOPS with and without), and the time of the final verify does not count.

What fio 3.33's verify really does, read in its source and tried, decides how it is used here:
  - a job that is time_based never verifies what it wrote last: do_verify() stops at the run time.
    So a run has an amount (io_size) and a rate, which together make its length.
  - randrw without verify_backlog reports miscompares that are none (seeds out of step).
  - with verify_backlog, blocks are compared by position, length and check sum.  An old block of the
    same position and length would pass: so sizes are random, and not in steps of 4 KiB.
  - reads of randrw itself are not verified, only those that verify makes.
So there are two jobs, each on one half of the device: "now" verifies each block soon after it was
written, while the paths break; "end" verifies all when the load is over, so that it sees a stale
write that lands late.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from .system import read, wait_for

VERIFY_ERROR = 84       # EILSEQ, by which fio reports a miscompare
STOPPED = 128           # its exit status after SIGINT


class Result:
    """errors, miscompares: counts.  stall, read_stall, write_stall: seconds.  reads, writes: counts.

    read_gaps and write_gaps are the five longest, as (seconds, seconds after the start).  The start
    is Fio.begin, so that stalls(t, t + 2) is about what happened at a time of time.monotonic().
    """

    def __init__(self, status, report, stderr, logs, begin, begin_ms, seconds):
        self.status = status
        self.stderr = stderr
        self.report = report
        jobs = report.get("jobs", [])
        self.reads = sum(job["read"]["total_ios"] for job in jobs)
        self.writes = sum(job["write"]["total_ios"] for job in jobs)
        bad = re.findall(r"verify failed at|bad magic header|bad header|got pattern", stderr)
        self.miscompares = max(len(bad), sum(job.get("error") == VERIFY_ERROR for job in jobs))
        failed = sum(job.get("total_err", 0) for job in jobs)
        self.errors = max(failed - self.miscompares, 0)
        if status and not failed and not self.miscompares:
            self.errors += 1
        self.begin = begin
        self._gaps(logs, begin_ms, seconds * 1000)

    def _gaps(self, logs, begin_ms, end_ms):
        self._times = times = {"0": [], "1": []}
        self.took = {"0": [], "1": []}
        for text in logs:
            for line in text.splitlines():
                words = line.split(", ", 3)
                if len(words) > 2 and words[2] in times:
                    end = int(words[0]) - begin_ms
                    times[words[2]].append(end)
                    self.took[words[2]].append((end, int(words[1]) / 1e6))
        # What comes after the load's time is the verify; stalls() still wants to know.
        times = {key: [t for t in all if t <= end_ms] for key, all in times.items()}
        both = sorted(times["0"] + times["1"])
        self.read_gaps = _longest_gaps(sorted(times["0"]))
        self.write_gaps = _longest_gaps(sorted(times["1"]))
        self.gaps = _longest_gaps(both)
        self.stall, self.read_stall, self.write_stall = (
            gaps[0][0] if gaps else 0.0 for gaps in (self.gaps, self.read_gaps, self.write_gaps))

    def stalls(self, begin, end):
        """The longest that touch this time, in seconds: what a read took, and a gap between writes."""
        first, last = (begin - self.begin) * 1000, (end - self.begin) * 1000
        writes = sorted(self._times["1"])
        return (max((took for end, took in self.took["0"] if end >= first and end - took <= last),
                    default=0) / 1000,
                max((b - a for a, b in zip(writes, writes[1:]) if b >= first and a <= last),
                    default=0) / 1000)

    @property
    def completions(self):
        """When commands ended, in seconds after the start, the verify's included."""
        return sorted(t / 1000 for times in self._times.values() for t in times)

    @property
    def clean(self):
        return self.status == 0 and not self.errors and not self.miscompares

    def __repr__(self):
        return (f"<{self.reads} reads, {self.writes} writes, {self.errors} errors, "
                f"{self.miscompares} miscompares, stall {self.read_stall:.3f} s read "
                f"{self.write_stall:.3f} s write>")


def _longest_gaps(times, count=5):
    """Milliseconds, sorted, to the longest gaps in seconds with the time at which each began."""
    gaps = sorted(((b - a, a) for a, b in zip(times, times[1:])), reverse=True)[:count]
    return [(length / 1000, at / 1000) for length, at in gaps]


class Fio:
    """fio on a device: starts at once; finish() waits and returns the Result.

    seconds is the length of the load, the verify comes after it.  rate is in MiB/s for each direction:
    the default leaves the guest's CPUs half idle, so that a gap is a stall and not a busy CPU.  With
    verify=None the load runs by time and at full speed, unless a rate is given.
    More options of fio as keywords: Fio(dev, 10, rwmixread=70).  Without verify there may be several
    jobs side by side: {name: options of its own}.
    """

    def __init__(self, device, seconds, rw="randrw", bs="512-1m", depth=16, verify="crc32c",
                 rate=None, ioengine="libaio", jobs=None, **options):
        self.device = getattr(device, "dev", device)
        self.seconds = seconds
        # Not in /out: a log line per command through 9p would be part of what is measured.
        self.dir = tempfile.mkdtemp(prefix="fio.", dir="/run")
        common = {"filename": self.device, "rw": rw, "ioengine": ioengine, "direct": 1,
                  "randrepeat": 0, "continue_on_error": "all", "log_unix_epoch": 1}
        common["bsrange" if "-" in bs else "bs"] = bs
        if "-" in bs:
            common["blockalign"] = "512"
        jobs = jobs or {"load": {"iodepth": depth}}
        if verify:
            rate = rate or 32
            directions = 2 if rw in ("randrw", "rw", "readwrite") else 1
            # The length of a run is amount / rate; two commands in flight must not overlap, since
            # their order is nobody's promise; and only without a map of what was written are blocks
            # known that lie over older ones.
            common.update(verify=verify, verify_fatal=0, serialize_overlap=1, norandommap=1,
                          iodepth=max(depth // 2, 1), rate=f"{rate * 512}k",
                          io_size=f"{int(rate * 512 * directions * seconds)}k")
            jobs = {"now": {"offset": 0, "size": "50%", "verify_backlog": 16},
                    "end": {"offset": "50%", "size": "50%", "verify_backlog": 10 ** 9}}
        else:
            common.update(time_based=1, runtime=seconds)
            if rate:
                common["rate"] = f"{rate}m"
        common.update(options)
        command = ["fio", "--output-format=json", f"--output={self.dir}/report"]
        for name, words in jobs.items():
            words = dict(common, write_lat_log=f"{self.dir}/{name}", **words)
            command += [f"--name={name}"] + [f"--{key}={value}" for key, value in words.items()]
        self.expected = 0       # exit status
        self.writes_before = self._writes()
        self.begin = time.monotonic()
        self.begin_ms = time.time() * 1000
        with open(self.dir + "/stderr", "wb") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=err,
                                            stderr=err, cwd=self.dir)

    def _writes(self):
        """Writes that the device has done; nobody but fio writes."""
        number = os.stat(self.device).st_rdev
        return int(read(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat").split()[4])

    def wait_load(self, writes=8, seconds=20):
        """Waits until it writes.  Reads are no sign of load: the kernel, too, reads when fio opens."""
        wait_for(lambda: self._writes() >= self.writes_before + writes, seconds, "fio's load")
        return self

    @property
    def running(self):
        return self.process.poll() is None

    def _text(self, name):
        try:
            with open(f"{self.dir}/{name}", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def finish(self, seconds=120):
        """Waits for the end of the run and of the verify (at most `seconds` after the run's)."""
        left = self.begin + self.seconds + seconds - time.monotonic()
        try:
            self.process.wait(max(left, 1))
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"fio on {self.device} does not end") from None
        report = self._text("report")
        stderr = self._text("stderr")
        try:
            # Error messages stand before the JSON in the same file.
            messages, report = report[:report.index("{")], json.loads(report[report.index("{"):])
        except ValueError:
            messages, report = report, {}
        # "verify limited" is what fio says to norandommap; Fio() tells why it is right here.
        stderr = "".join(line + "\n" for line in (messages + stderr).splitlines()
                         if "verify limited" not in line)
        logs = [self._text(name) for name in sorted(os.listdir(self.dir))
                if re.search(r"_lat\.\d+\.log$", name) and "_clat" not in name and "_slat" not in name]
        status = self.process.returncode
        result = Result(0 if status == self.expected else status, report, stderr, logs,
                        self.begin, int(self.begin_ms), self.seconds)
        shutil.rmtree(self.dir, ignore_errors=True)
        return result

    def kill(self):
        """kill -9 and no Result, for clean-up."""
        self.process.kill()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            pass        # its I/O is stuck in the kernel; the teardown that follows will tell
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self, seconds=30):
        """Ends the load now, without the last verify."""
        self.expected = STOPPED
        self.process.send_signal(signal.SIGINT)
        return self.finish(seconds)


def run(device, seconds, **options):
    return Fio(device, seconds, **options).finish()


def under_cut(device, cut, path, seconds=8, hold=2.0, before=1.0, **options):
    """A run on device in which path is cut `before` seconds after its load was seen, for `hold`.

    The same function for our LUN and for dm-multipath over the same paths (dm.Multipath), one after
    the other in one run, is what a comparison of stalls is made of.  path must be one that carries
    load now.  Returns the Result.
    """
    load = Fio(device, seconds, **options)
    try:
        wait_for(lambda: path.in_flight > 0, 10, f"load on {path}")
        time.sleep(before)      # not a wait for anything: load to compare the cut with
        with cut.on(path):
            time.sleep(hold)
        return load.finish()
    except BaseException:
        load.kill()
        raise
