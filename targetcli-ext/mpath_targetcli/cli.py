# SPDX-License-Identifier: GPL-2.0-or-later
"""mpathctl: see and steer multipath maps from a shell.  mpathctl.8 is its manual page.

Here are the words of the command line and the exit codes; actions.py has what they do.
"""

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator

from . import VERSION, actions

# Exit codes, as the manual page lists them; USAGE is argparse's.
OK, REFUSED, USAGE, NO_SUCH_MAP, NOT_SERVING, NOT_PERMITTED, NO_ANSWER = 0, 1, 2, 3, 4, 5, 6


class Commands:
    """The subparsers, and what they have in common."""

    def __init__(self, parser: argparse.ArgumentParser):
        self._parsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(self, name: str, run: Callable, help_text: str,
            needs_service: bool = True) -> argparse.ArgumentParser:
        command = self._parsers.add_parser(name, help=help_text, description=help_text)
        # Where it was given before the command it must not be forgotten.
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="for programs")
        command.set_defaults(run=run, needs_service=needs_service)
        return command

    def add_for_map(self, name: str, run: Callable, help_text: str) -> argparse.ArgumentParser:
        command = self.add(name, run, help_text)
        command.add_argument("map", metavar="MAP")
        command.set_defaults(object=None)
        return command

    def add_for_path(self, name: str, run: Callable, help_text: str) -> argparse.ArgumentParser:
        command = self.add_for_map(name, run, help_text)
        command.add_argument("object", metavar="PATH", help="8:16, sdb, /dev/sdb, or as in the table")
        return command

    def add_for_group(self, name: str, run: Callable, help_text: str) -> argparse.ArgumentParser:
        command = self.add_for_map(name, run, help_text)
        command.add_argument("object", metavar="GROUP", help="its number; they count from 1")
        return command


def only_digits(word: str) -> str:
    """Python would also take 1_0, and digits of other scripts.  ValueError if there are such."""
    if not word.isascii() or "_" in word:
        raise ValueError(word)
    return word


def positive(word: str) -> int:
    """As D-Bus takes it."""
    try:
        number = int(only_digits(word))
    except ValueError:
        number = 0
    if not 1 <= number <= 0xffffffff:
        raise argparse.ArgumentTypeError(f'"{word}", expected a number from 1 to {0xffffffff}')
    return number


def duration(word: str) -> float:
    try:
        seconds = float(only_digits(word))
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f'"{word}", expected 0.1 to 3600 seconds')
    return seconds


def add_seeing(commands: Commands) -> None:
    commands.add("list", actions.do_list, "name all maps")
    commands.add("show", actions.do_show, "show maps, groups and paths as a tree") \
        .add_argument("maps", metavar="MAP", nargs="*", help="all if none is named")

    command = commands.add_for_map("status", actions.do_status, "show a map as the handler prints it")
    command.set_defaults(kind=None)
    kind = command.add_mutually_exclusive_group()
    for name, what in (("detail", "for people: each path, and why one is not used (default)"),
                       ("info", "as dmsetup status prints it"),
                       ("table", "as dmsetup table prints it"),
                       ("ima", "as the kernel measures it")):
        kind.add_argument("--" + name, dest="kind", action="store_const", const=name, help=what)

    command = commands.add("top", actions.do_top, "show the load of maps and paths, again and again")
    command.add_argument("-d", "--delay", dest="seconds", type=duration, default=2.0,
                         metavar="SECONDS", help="between two looks (default 2)")
    command.add_argument("-n", "--count", type=positive, metavar="N", help="end after N looks")
    command.add_argument("maps", metavar="MAP", nargs="*", help="all if none is named")

    command = commands.add("events", actions.do_events, "tell what happens, as it happens")
    command.add_argument("-n", "--count", type=positive, metavar="N", help="end after N events")
    command.add_argument("map", metavar="MAP", nargs="?", help="of this map only")

    commands.add("metrics", actions.do_metrics, "print all counters for Prometheus") \
        .add_argument("-o", "--output", metavar="FILE", help="replace this file instead")


def add_steering(commands: Commands) -> None:
    command = commands.add_for_map("message", actions.do_message,
                                   "send a map a message, as dmsetup message does")
    # From the first on they may look like options, also "--": it is the map's to judge.
    command.add_argument("words", metavar="WORD", nargs=argparse.PARSER, help="for example fail_path 8:16")

    commands.add_for_path("fail", actions.sends("fail_path"), "take a path out of service")
    commands.add_for_path("reinstate", actions.sends("reinstate_path"), "let a path be used again")
    command = commands.add_for_path("add", actions.do_add, "add a path to a map in service")
    command.add_argument("-g", "--group", type=positive, default=0, metavar="GROUP",
                         help="the number of its group; one above the last makes a new one (default: "
                              "the only group, a new one if each path has its own, or the one to "
                              "which its priority brings it)")
    commands.add_for_path("remove", actions.do_remove, "take a path out of a map in service")
    commands.add_for_group("switch", actions.sends("switch_group"), "use this group from now on")
    commands.add_for_group("enable", actions.sends("enable_group"), "let a group be chosen again")
    commands.add_for_group("disable", actions.sends("disable_group"),
                           "choose a group only if no other can be used")
    commands.add_for_map("forget-wwid", actions.sends("forget_wwid"),
                         "let the paths lead to another LUN from now on")
    commands.add("release", actions.do_release, "let no command wait any more: before a shutdown") \
        .add_argument("maps", metavar="MAP", nargs="*", help="all if none is named")
    commands.add_for_map("reload", actions.do_reload, "put another table under a map in service") \
        .add_argument("file", metavar="FILE", nargs="?",
                      help=f"map file or table, - for standard input (default {actions.MAP_DIR}/MAP.map)")
    commands.add_for_map("suspend", actions.calls("suspend"), "hold new commands")
    commands.add_for_map("resume", actions.calls("resume"), "let held commands go on")


def add_preparing(commands: Commands) -> None:
    commands.add("check", actions.do_check, "tell what would be built, and change nothing") \
        .add_argument("words", metavar="FILE|TABLE", nargs=argparse.ONE_OR_MORE,
                      help="a map file, - for standard input, or the words of a table")
    command = commands.add("import", actions.do_import, "write map files for maps of dm-multipath",
                           needs_service=False)
    command.add_argument("-d", "--directory", default=actions.MAP_DIR, metavar="DIRECTORY",
                         help=f"where to write them (default {actions.MAP_DIR})")
    command.add_argument("file", metavar="FILE", nargs="?", default="-",
                         help="what dmsetup table or multipath -ll printed (default standard input)")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mpathctl", description="See and steer the multipath maps of tcmu-runner.",
        epilog="Exit status: 0 done, 1 refused, 2 usage, 3 no such map, 4 no maps are "
               "served, 5 not permitted, 6 no answer.")
    parser.add_argument("--version", action="version", version=f"%(prog)s (tcmu-mpath) {VERSION}",
                        help="print the version and end")
    parser.add_argument("--json", action="store_true", help="for programs; also behind COMMAND")
    commands = Commands(parser)
    add_seeing(commands)
    add_steering(commands)
    add_preparing(commands)
    return parser


@contextlib.contextmanager
def ended_by_interrupts() -> Iterator[None]:
    """Ctrl-C ends us by the signal itself, unless it was to be ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def complain(error: Exception | str | None) -> None:
    print(f"mpathctl: {error}", file=sys.stderr)


def run_with_service(options: argparse.Namespace) -> int:
    from . import client, model

    codes = {client.Refused: REFUSED, client.NoSuchMap: NO_SUCH_MAP,
             client.NotServing: NOT_SERVING, client.NotPermitted: NOT_PERMITTED,
             client.NoAnswer: NO_ANSWER}
    try:
        options.run(client.Client(), options)
    except client.NotServing as error:
        print(f"mpathctl: no maps are served: {error}\n"
              "mpathctl: is tcmu-runner running, and was it restarted since tcmu-mpath was "
              "installed?", file=sys.stderr)
        return NOT_SERVING
    except client.Error as error:
        complain(error)
        return codes[type(error)]
    except model.OtherVersion as error:
        complain(error)
        return NOT_SERVING
    return OK


def open_what_is_closed() -> None:
    """Where our caller has closed a descriptor Python has None, and the next file that is opened comes there.

    What can only fail is put there; but nobody misses what would have been told on standard error.
    """
    for descriptor, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)      # the lowest that is free: this one
    sys.stdin = sys.stdin or open(0, closefd=False)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)


def forget_output() -> None:
    """Nobody is to try again to write what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(argv: list[str] | None) -> int:
    try:
        options = make_parser().parse_args(argv)    # first: --help must not wait for gi
    except SystemExit:                  # that was --help, or a mistake
        sys.stdout.flush()
        raise
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")   # no character set must end us
    from . import client
    client.waiting = ended_by_interrupts
    status = run_with_service(options) if options.needs_service else options.run(None, options)
    sys.stdout.flush()
    return status


def main(argv: list[str] | None = None) -> int:
    open_what_is_closed()
    try:
        return run(argv)
    except actions.Mistake as error:
        complain(error)
        return REFUSED
    except UnicodeEncodeError as error:     # a word of the command line; D-Bus takes UTF-8 only
        word = os.fsencode(error.object).decode(errors="backslashreplace")
        complain(f'"{word}" is no UTF-8 text')
        return USAGE
    except BrokenPipeError:             # mpathctl ... | head
        forget_output()
        return OK
    except OSError as error:            # mpathctl ... > /dev/full
        forget_output()
        complain(error.strerror)
        return REFUSED
    except KeyboardInterrupt:
        return 130
