# SPDX-License-Identifier: GPL-2.0-or-later
"""Load on a device: fio in the background, its errors, miscompares and the longest stall.

The stall is the longest time in which no command ended although there were some to end.  fio's
lat log has a line for each command with the time of its completion and its direction, so the stall
is the longest gap between two lines: of all commands, of the reads, and of the writes.

verify: every block carries its own check sum and position.  Blocks are verified once the run time
is over (or verify_backlog commands after they were written, with that argument): so a stale write
that lands late is seen.  A run must therefore end by itself, by seconds; stop() ends it unverified.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time

VERIFY_ERROR = 84       # EILSEQ, by which fio reports a miscompare


class Result:
    """errors, miscompares: counts.  stall, read_stall, write_stall: seconds.  reads, writes: counts.

    read_gaps and write_gaps are the five longest, as (seconds, seconds after the start).
    """

    def __init__(self, status, report, stderr, log_lines):
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
        self._gaps(log_lines)

    def _gaps(self, lines):
        times = {"0": [], "1": []}
        for line in lines:
            words = line.split(", ", 3)
            if len(words) > 2 and words[2] in times:
                times[words[2]].append(int(words[0]))
        both = sorted(times["0"] + times["1"])
        self.read_gaps = _longest_gaps(sorted(times["0"]))
        self.write_gaps = _longest_gaps(sorted(times["1"]))
        self.gaps = _longest_gaps(both)
        self.stall, self.read_stall, self.write_stall = (
            gaps[0][0] if gaps else 0.0 for gaps in (self.gaps, self.read_gaps, self.write_gaps))

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

    More options of fio as keywords: Fio(dev, 10, rwmixread=70, rate_iops=500).
    """

    def __init__(self, device, seconds, rw="randrw", bs="512-1m", depth=16, verify="crc32c",
                 ioengine="libaio", **options):
        self.device = getattr(device, "dev", device)
        self.seconds = seconds
        # Not in /out: a log line per command through 9p would be part of what is measured.
        self.dir = tempfile.mkdtemp(prefix="fio.", dir="/run")
        words = {"name": "load", "filename": self.device, "rw": rw,
                 "bsrange" if "-" in bs else "bs": bs, "iodepth": depth, "ioengine": ioengine,
                 "direct": 1, "time_based": 1, "runtime": seconds, "randrepeat": 0,
                 "write_lat_log": self.dir + "/log", "continue_on_error": "all",
                 "output-format": "json", "output": self.dir + "/report"}
        if verify:
            # With random sizes two commands in flight may overlap; their order is nobody's promise.
            words.update(verify=verify, verify_fatal=0, serialize_overlap=1)
        if "blocksize_unaligned" not in options and "-" in bs:
            words["blockalign"] = "512"
        words.update(options)
        self.begin = time.monotonic()
        with open(self.dir + "/stderr", "wb") as err:
            self.process = subprocess.Popen(
                ["fio"] + [f"--{key}={value}" for key, value in words.items()],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err, cwd=self.dir)

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
        lines = self._text("log_lat.1.log").splitlines()
        result = Result(self.process.returncode, report, messages + stderr, lines)
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
        self.process.send_signal(2)
        return self.finish(seconds)


def run(device, seconds, **options):
    return Fio(device, seconds, **options).finish()


def format_table(rows):
    """Lines of (label, Result), for a log."""
    return "\n".join(f"{label:30} {result!r}" for label, result in rows)


def exists():
    return shutil.which("fio") is not None and os.path.isdir("/run")
