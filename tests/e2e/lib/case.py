# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of one end-to-end file.

A case is a function test_* of the file; case.main() runs them in the order in which they stand.
What a case makes it hands to defer() at once, so that it is taken down in reverse also when the case
fails, and the next one starts clean.

    python3 tests/e2e/x.py [--long] [--list] [PATTERN]

Each case prints one line: `ok e2e/x/name  1.2 s`, `FAIL ...` with the reason and the logs that belong
to it, or `skip ... why`.  /out/results.json has the same for a program.
"""

import argparse
import glob
import json
import os
import signal
import sys
import time
import traceback

_long = os.environ.get("MPATH_LONG") == "1"
_cleanups = []
_logs = []
_kernel_log_at = 0

OUT = os.environ.get("MPATH_OUT", "/out")
# For what hangs, not for what is slow: with the big counts a case may take as many times longer as its
# guest (cases.py).
LIMIT_SECONDS = 300
LIMIT_LONG_SECONDS = 5 * LIMIT_SECONDS


class Skip(Exception):
    """Raised by skip()."""


class Failed(AssertionError):
    """An expectation that was not met: its text is enough, no traceback is needed."""


class TooSlow(Failed):
    """A bound of time that was not met; what has happened is right.  See run_again in tests/cases.py."""


def skip(why):
    raise Skip(why)


def count(ci, long):
    """The size of a measure: the issue's plain count in CI, the one in brackets with --long."""
    return long if _long else ci


def defer(function, *args, **kwargs):
    """Has function called when the case ends.  Returns its object if it is a bound method's."""
    _cleanups.append((function, args, kwargs))
    return getattr(function, "__self__", None)


def log_file(path):
    """A log whose end is shown when a case fails."""
    if path not in _logs:
        _logs.append(path)


def expect(condition, text):
    if not condition:
        raise Failed(text)


def expect_in_time(condition, text):
    """For a bound in seconds and nothing else."""
    if not condition:
        raise TooSlow(text)


def expect_equal(got, wanted, what):
    if got != wanted:
        raise Failed(f"{what}: {got!r}, not {wanted!r}")


def note(text):
    """A line of what was measured, between the results."""
    print(f"     {text}", flush=True)


def limit(seconds):
    """Decorator: the case's own time limit, instead of LIMIT_SECONDS."""
    def set_limit(function):
        function.limit_seconds = seconds
        return function
    return set_limit


def only_long(function):
    """Decorator: CI does without this case; it runs with --long, or if the file is given its name."""
    function.only_long = True
    return function


def _clean_up():
    """Runs what was deferred; the first failure is returned, since it must not hide another."""
    failure = None
    while _cleanups:
        function, args, kwargs = _cleanups.pop()
        try:
            function(*args, **kwargs)
        except Exception as e:
            failure = failure or f"in clean-up: {type(e).__name__}: {e}"
            traceback.print_exc(file=sys.stdout)
    return failure


def _tail(path, lines):
    try:
        with open(path, errors="replace") as f:
            return f.readlines()[-lines:]
    except OSError:
        return []


def _kernel_log():
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    lines = []
    try:
        while True:
            try:
                lines.append(os.read(fd, 8192).decode(errors="replace").splitlines()[0])
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                continue        # the kernel overwrote what we were about to read
    finally:
        os.close(fd)


def kernel_times(text):
    """The lines with this text in the kernel's log of this case: when they were written, in seconds."""
    fields = [line.split(",", 3) for line in _kernel_log() if text in line]
    return [int(words[2]) / 1e6 for words in fields if int(words[1]) > _kernel_log_at]


def _show_logs():
    for path in _logs:
        lines = _tail(path, 30)
        if lines:
            print(f"  --- the end of {path}")
            print("".join("  " + line for line in lines), end="")
    new = [line for line in _kernel_log() if int(line.split(",")[1]) > _kernel_log_at]
    print("  --- the kernel's log of this case")
    for line in new[-30:]:
        print("  " + line.partition(";")[2])


def _on_alarm(signum, frame):
    raise TimeoutError("the case's time limit")


def _run_one(function):
    """Returns (result, why)."""
    global _kernel_log_at
    lines = _kernel_log()
    _kernel_log_at = int(lines[-1].split(",")[1]) if lines else 0
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.alarm(getattr(function, "limit_seconds", count(LIMIT_SECONDS, LIMIT_LONG_SECONDS)))
    result, why = "ok", ""
    try:
        function()
    except Skip as e:
        result, why = "skip", str(e)
    except Failed as e:
        where = traceback.extract_tb(e.__traceback__)
        line = next((f for f in reversed(where) if f.filename != __file__), where[-1])
        slow = "too slow: " if isinstance(e, TooSlow) else ""
        result, why = "FAIL", f"{slow}{e} (line {line.lineno})"
    except Exception as e:
        result, why = "FAIL", f"{type(e).__name__}: {e}"
        traceback.print_exc(file=sys.stdout)
    signal.alarm(0)
    if result == "FAIL":
        _show_logs()        # before the clean-up, which fills them with its own lines
    signal.alarm(120)
    try:
        problem = _clean_up()
    except TimeoutError:
        problem = "the clean-up hangs"
    signal.alarm(0)
    if problem and result != "FAIL":
        result, why = "FAIL", problem
        _show_logs()
    return result, why


def main(functions=None):
    """Runs the calling file's cases, or only these of them, and exits."""
    module = sys.modules["__main__"]
    parser = argparse.ArgumentParser(description=(module.__doc__ or "").split("\n")[0])
    parser.add_argument("--long", action="store_true", help="the big counts")
    parser.add_argument("--list", action="store_true", help="only name the cases")
    parser.add_argument("pattern", nargs="?", default="", metavar="PATTERN")
    options = parser.parse_args([] if functions else None)
    global _long
    _long = _long or options.long

    stem = os.path.splitext(os.path.basename(module.__file__))[0]
    cases = {}
    for name, function in vars(module).items():
        if name.startswith("test_") and (functions is None or function in functions):
            full = f"e2e/{stem}/{name[len('test_'):].replace('_', '-')}"
            left_out = getattr(function, "only_long", False) and not _long and not options.pattern
            if options.pattern in full and not left_out:
                cases[full] = function
    if options.list:
        print("\n".join(cases))
        sys.exit(0)

    results = {}
    for name, function in cases.items():
        begin = time.monotonic()
        result, why = _run_one(function)
        seconds = time.monotonic() - begin
        print(f"{result} {name}  {seconds:.1f} s" + (f"  {why}" if why else ""), flush=True)
        results[name] = {"result": result, "seconds": round(seconds, 2), "why": why}
        # Written each time: should the next case take the machine down, these are not lost.
        if os.path.isdir(OUT):
            with open(os.path.join(OUT, "results.json"), "w") as f:
                json.dump(results, f, indent=1)
    if not results:
        print(f"no case matches {options.pattern!r}")
        sys.exit(2)
    failed = sum(r["result"] == "FAIL" for r in results.values())
    skipped = sum(r["result"] == "skip" for r in results.values())
    print(f"{len(results) - failed - skipped} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed else 0)


def devices():
    """Names of all SCSI disks, for "nothing is left" checks."""
    return sorted(os.path.basename(d) for d in glob.glob("/sys/block/sd*"))
