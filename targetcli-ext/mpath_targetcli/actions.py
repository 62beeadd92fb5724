# SPDX-License-Identifier: GPL-2.0-or-later
"""What each command of mpathctl does: client calls, and how their results are printed.

The modules for show, top, events, metrics and import are imported when they are used: a shell waits
for `mpathctl list`.
"""

import argparse
import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from . import as_json, text

if TYPE_CHECKING:
    from .client import Client
    from .importer import DmMap
    from .model import Map

MAP_DIR = "/etc/tcmu/mpath.d"
MAP_FILE_MAX = 1 << 20      # bytes; the handler reads no more either
LISTING_MAX = 64 << 20      # of dm's maps
Options = argparse.Namespace


Command = Callable[["Client", Options], None]


class Mistake(Exception):
    """Something that is wrong before anybody was asked, in words."""


def read_file(name: str, limit: int = MAP_FILE_MAX) -> str:
    """A text file; "-" is standard input.

    D-Bus's texts end at a NUL, and the half of a file that stands before it may be a map, too.
    """
    try:
        if name == "-":
            content = sys.stdin.buffer.read(limit + 1)
        else:
            with open(name, "rb") as f:
                content = f.read(limit + 1)
        if len(content) > limit:
            raise Mistake(f"{name}: is larger than {limit >> 20} MiB")
        if b"\0" in content:
            raise Mistake(f"{name}: there is a NUL byte in the file")
        return content.decode()
    except OSError as error:
        raise Mistake(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Mistake(f"{name}: is no UTF-8 text") from None


@contextlib.contextmanager
def told_of(file: str) -> Iterator[None]:
    """The handler gets a text, and calls it "the map": who has several files wants to know which it is."""
    from .client import Refused
    try:
        yield
    except Refused as error:
        its = "the map: "
        if not str(error).startswith(its) or file == "-":
            raise
        raise Refused(error.name, f"{file}: {str(error)[len(its):]}") from None


# --- to see -------------------------------------------------------------------------------------

def chosen_maps(client: "Client", names: list[str]) -> "list[Map]":
    """The maps of these names, in this order; all maps if there are none."""
    from .client import NoSuchMap
    maps = client.maps()
    by_name = {m.name: m for m in maps}
    for name in names:
        if name not in by_name:
            raise NoSuchMap(f"there is no map {name}")
    return [by_name[name] for name in names] if names else maps


def do_list(client: "Client", options: Options) -> None:
    maps = client.maps()
    if options.json:
        print(as_json.maps_document(maps))
        return
    for m in maps:
        print(m.name)


def do_show(client: "Client", options: Options) -> None:
    maps = chosen_maps(client, options.maps)
    if options.json:
        print(as_json.maps_document(maps))
        return
    from . import show
    paint = text.terminal_paint()
    for m in maps:
        print(show.tree(m, paint))


def do_status(client: "Client", options: Options) -> None:
    m = client.map(options.map)
    if not options.json:
        print(m.status(options.kind or "detail").rstrip("\n"))
    elif options.kind:
        print(as_json.document(map=m.name, **{options.kind: m.status(options.kind).rstrip("\n")}))
    else:
        print(m.status("json"))


def do_top(client: "Client", options: Options) -> None:
    if options.json:
        print(as_json.maps_document(chosen_maps(client, options.maps)))
        return
    from . import top
    top.run(lambda: chosen_maps(client, options.maps), options.seconds, options.count)


def do_events(client: "Client", options: Options) -> None:
    from . import events
    if options.map:
        chosen_maps(client, [options.map])
    events.follow(client, options.map, options.count, options.json)


def replace_file(name: str, content: str) -> None:
    """Who reads the file never sees half of it.  A device would be gone: /dev/null, for everybody."""
    file = os.path.realpath(name)
    if os.path.exists(file) and not os.path.isfile(file):
        raise Mistake(f"{name}: is no regular file")
    new = f"{file}.{os.getpid()}"       # somebody else may be at it, too
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)              # a killed process's, or a link to another file
        with open(new, "x", encoding="utf-8") as f:
            f.write(content)
        os.rename(new, file)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise Mistake(f"{name}: {error.strerror}") from None


def do_metrics(client: "Client", options: Options) -> None:
    if options.json:
        exposition = as_json.maps_document(client.maps()) + "\n"
    else:
        from . import metrics
        exposition = metrics.text(client.manager(), client.maps())
    if options.output:
        replace_file(options.output, exposition)
    else:
        print(exposition, end="")


# --- to steer -----------------------------------------------------------------------------------

def tell_reply(reply: str, options: Options) -> None:
    if options.json:
        print(as_json.document(map=options.map, reply=reply))
    elif reply:
        print(reply.rstrip("\n"))


def do_message(client: "Client", options: Options) -> None:
    # As dmsetup takes it: all of it quoted is no message with a blank in its name.
    words = options.words if len(options.words) > 1 else options.words[0].split() or [""]
    tell_reply(client.map(options.map).message(words), options)


def sends(message: str) -> "Command":
    """A command that is one of dm-multipath's messages, with what the command line names."""
    def send(client: "Client", options: Options) -> None:
        words = [message] if options.object is None else [message, options.object]
        tell_reply(client.map(options.map).message(words), options)
    return send


def calls(method: str) -> "Command":
    """A command that is a method of the map."""
    def call(client: "Client", options: Options) -> None:
        getattr(client.map(options.map), method)()
        tell_reply("", options)
    return call


def do_release(client: "Client", options: Options) -> None:
    from .release import release
    names, errors = release(client, options.maps)
    if options.json:
        print(as_json.document(released=[name for name in names if name not in errors]), flush=True)
    reasons = list(errors.values())
    for reason in reasons[:-1]:
        print(f"mpathctl: {reason}", file=sys.stderr)
    if reasons:
        raise reasons[-1]


def why_not_used(client: "Client", name: str, address: str) -> str:
    """Of a path that was added just now; empty if it is used, or nothing is known of it yet."""
    give_up = time.monotonic() + 2
    while time.monotonic() < give_up:
        added = [path for m in client.maps() if m.name == name for path in m.paths
                 if path["Address"] == address]
        if any(path.usable or path["Reason"] for path in added):
            return "; ".join(path["Reason"] for path in added if not path.usable)
        time.sleep(0.1)
    return ""


def do_add(client: "Client", options: Options) -> None:
    # A map that has the path already knows "sdb"; this one has to be told where it is.
    is_disk = re.fullmatch("sd[a-z]+", options.object)
    address = f"/dev/{options.object}" if is_disk else options.object
    client.map(options.map).add_path(options.group, address)
    tell_reply("", options)
    # A map takes any name, as its disk may come later.  But a typing error should not wait for ever unseen.
    reason = why_not_used(client, options.map, address)
    if reason:
        print(f"mpathctl: added, but not used: {reason}", file=sys.stderr)


def do_remove(client: "Client", options: Options) -> None:
    client.map(options.map).remove_path(options.object)
    tell_reply("", options)


def do_reload(client: "Client", options: Options) -> None:
    file = options.file or f"{MAP_DIR}/{options.map}.map"
    if not options.file:            # a wrong name is no missing file
        chosen_maps(client, [options.map])
    with told_of(file):
        client.map(options.map).reload(read_file(file))
    tell_reply("", options)


def do_check(client: "Client", options: Options) -> None:
    words = options.words
    is_file = len(words) == 1 and (words[0] == "-" or os.path.exists(words[0]))
    if len(words) == 1 and not is_file and " " not in words[0]:
        raise Mistake(f"{words[0]}: there is no such file, and it is no table")
    with told_of(words[0] if is_file else "-"):
        report = client.check(read_file(words[0]) if is_file else " ".join(words))
    if options.json:
        print(as_json.document(report=report))
    else:
        print(report.rstrip("\n"))


def check_of_service() -> Callable[[str], None] | None:
    """Has the handler read the text of a map file; None if there is none that could."""
    from . import client, importer
    try:
        service = client.Client()
        service.manager()
    except client.Error:
        return None

    def check(text: str) -> None:
        try:
            service.check(text)
        except client.Refused as error:
            raise importer.Mistake(f"the handler does not take it: {error}") from None
        except client.Error:
            pass                        # gone meanwhile, or it does not answer to everybody
    return check


def import_one(m: "DmMap", options: Options, check: Callable[[str], None] | None) -> dict[str, Any]:
    """Imports a map and tells about it; what --json prints of it."""
    from . import importer
    dropped = importer.dropped(m)
    result = {"name": m.name, "file": "", "error": "", "dropped": dropped}
    try:
        result["file"] = importer.import_map(m, options.directory, check=check)
    except importer.Mistake as error:
        print(f"mpathctl: {m.name}: {error}", file=sys.stderr)
        return {**result, "error": str(error), "uuid": m.wwid}
    for what in dropped:
        print(f"mpathctl: {m.name}: not taken over: {what}", file=sys.stderr)
    if not options.json:
        print(result["file"])
    return {**result, "uuid": m.wwid}


def do_import(_client: None, options: Options) -> int:
    from . import importer
    try:
        found = importer.parse(read_file(options.file, LISTING_MAX))
    except importer.Mistake as error:
        raise Mistake(str(error)) from None
    check = check_of_service()
    results = [import_one(m, options, check) for m in found]
    if options.json:
        print(as_json.document(imported=results))
    return 1 if any(result["error"] for result in results) else 0
