# SPDX-License-Identifier: GPL-2.0-or-later
"""mpathctl: see and steer multipath maps from a shell.  mpathctl.8 is its manual page."""

import argparse
import os
import sys

# Exit codes, as the manual page lists them; 2 is argparse's.
OK, REFUSED, NO_SUCH_MAP, NOT_SERVING, NOT_PERMITTED, NO_ANSWER = 0, 1, 3, 4, 5, 6


def do_list(client, _options) -> None:
    for found in client.maps():
        print(found.name)


def do_message(client, options) -> None:
    reply = client.map(options.map).message([options.word, *options.words])
    if reply:
        print(reply)


def do_status(client, options) -> None:
    print(client.map(options.map).status(options.kind).rstrip("\n"))


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="mpathctl", description="See and steer the multipath maps of tcmu-runner.",
        epilog="Exit status: 0 done, 1 the map refused, 2 usage, 3 no such map, 4 no maps are "
               "served, 5 not permitted, 6 no answer.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("list", help="name all maps")
    command.set_defaults(run=do_list)

    command = commands.add_parser("message", help="send a map a message, as dmsetup message does")
    command.set_defaults(run=do_message)
    command.add_argument("map", metavar="MAP")
    command.add_argument("word", metavar="WORD", help="for example fail_path")
    # The rest may look like options: it is the map's to judge.
    command.add_argument("words", metavar="WORD", nargs=argparse.REMAINDER,
                         help="for example 8:16")

    command = commands.add_parser("status", help="show a map")
    command.set_defaults(run=do_status, kind="detail")
    command.add_argument("map", metavar="MAP")
    kind = command.add_mutually_exclusive_group()
    for name, text in (("detail", "for people: each path, and why one is not used (default)"),
                       ("info", "as dmsetup status prints it"),
                       ("table", "as dmsetup table prints it")):
        kind.add_argument("--" + name, dest="kind", action="store_const", const=name, help=text)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    options = parse_arguments(argv)     # first: --help must not wait for gi
    from . import client

    codes = {client.Refused: REFUSED, client.NoSuchMap: NO_SUCH_MAP,
             client.NotServing: NOT_SERVING, client.NotPermitted: NOT_PERMITTED,
             client.NoAnswer: NO_ANSWER}
    try:
        options.run(client.Client(), options)
        sys.stdout.flush()
    except client.NotServing as error:
        print(f"mpathctl: no maps are served: {error}\n"
              "mpathctl: is tcmu-runner running, and was it restarted since tcmu-mpath was "
              "installed?", file=sys.stderr)
        return NOT_SERVING
    except client.Error as error:
        print(f"mpathctl: {error}", file=sys.stderr)
        return codes[type(error)]
    except BrokenPipeError:             # mpathctl ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return OK
