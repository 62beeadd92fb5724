# SPDX-License-Identifier: GPL-2.0-or-later
"""targetcli as a person uses it: lines typed, answers read."""

import os
import re
import select
import subprocess
import time

from .case import defer, expect, expect_equal


class Targetcli:
    """A session of stock targetcli: to start it takes seconds, a line in it does not."""

    PROMPT = "\n/> "

    def __init__(self):
        self.process = subprocess.Popen(["targetcli"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=dict(os.environ, COLUMNS="200"))
        self.transcript = ""
        self._until_prompt(60)

    def _until_prompt(self, seconds):
        # The prompt follows an empty line, or stands at the begin if there was no output.
        text = "\n"
        end = time.monotonic() + seconds
        while not text.endswith(self.PROMPT):
            ready, _, _ = select.select([self.process.stdout], [], [], max(end - time.monotonic(), 0))
            data = os.read(self.process.stdout.fileno(), 65536).decode() if ready else ""
            expect(data, f"targetcli does not answer: {text}")
            text += data
        self.transcript += text
        return text[1:-len(self.PROMPT) + 1].strip()

    def __call__(self, line, seconds=60):
        """What the line printed."""
        self.transcript += line + "\n"
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self._until_prompt(seconds)

    def good(self, line, wanted):
        """A line that prints what is wanted."""
        printed = self(line)
        expect(re.search(wanted, printed), f"{line}: {printed!r}")
        return printed

    def end(self):
        """It saves the configuration as it goes."""
        self.process.communicate(b"exit\n", timeout=60)
        expect_equal(self.process.returncode, 0, "targetcli's exit status")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def targetcli():
    session = Targetcli()
    defer(session.kill)
    return session
