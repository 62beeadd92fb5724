# SPDX-License-Identifier: GPL-2.0-or-later
"""What targetcli has more below /backstores/user:mpath.  hook.py loads it.

The classes are made from the ones of the targetcli that runs: 2.1.53 of Debian 12 and 3.x take theirs
from different packages, and agree in what is used here.
"""

import contextlib
import glob
import os
import readline
import stat
import time
from collections.abc import Iterator
from typing import Any

from . import client, model, text

MAP_DIR = "/etc/tcmu/mpath.d"
WWID_LINKS = "/dev/disk/by-id/scsi-"


def cfgstring_of(paths: str | None, wwid: str | None, map: str | None,
                 cfgstring: str | None) -> str:
    """The one of them that was given, as a cfgstring.  ValueError if it was not exactly one right one."""
    given = [word for word in (paths, wwid, map, cfgstring) if word]
    if len(given) != 1:
        raise ValueError("give one of paths=, wwid=, map= (or cfgstring=), "
                         f"{'only one' if given else 'there is none'}")
    if paths:
        # A comma needs no quotes in a shell, and could not be in a cfgstring.
        words = paths.replace(",", ";").split(";")
        for word in words:
            if not word.startswith("/"):    # else it would be the name of a map file
                raise ValueError(f'paths=: "{word}", expected an absolute path name')
        return ";".join(words)
    if map and map.startswith(("/", "wwid=")):      # else it would be something else
        raise ValueError(f'map=: "{map}", expected the name of a file in {MAP_DIR}, without .map')
    return "wwid=" + wwid if wwid else given[0]


def map_name(backstore: str, config: str) -> str:
    """The map that a backstore with this config ("mpath/...") stands for."""
    cfgstring = config.partition("/")[2]
    return backstore if cfgstring.startswith(("/", "wwid=")) else cfgstring


def _time_out_needed(made: client.Map) -> int:
    """The cmd_time_out for a map that was made just now.  Its object comes a moment later."""
    give_up = time.monotonic() + 5
    while True:
        try:
            return made.cmd_time_out_needed()
        except client.NoSuchMap:
            if time.monotonic() >= give_up:
                raise
        time.sleep(0.1)


def _why_refused(map: str) -> str:
    """The kernel hands no reason on."""
    try:
        if any(m.name == map for m in client.Client().maps()):
            return f"the map {map} has a backstore already"
    except client.Error:
        pass
    return "tcmu-runner's log has the reason if the handler refused it"


def _only(words: list[str]) -> list[str]:
    """Completions as configshell takes them: a space behind the only one."""
    return [words[0] + " "] if len(words) == 1 and not words[0].endswith("/") else words


def _let_lists_be_completed() -> None:
    """For configshell a word to complete begins behind a comma, and is of no parameter then.

    Nothing else that it completes has a comma in it.
    """
    readline.set_completer_delims(readline.get_completer_delims().replace(",", ""))


def extend(stock: Any) -> None:
    """stock: the module targetcli.ui_backstore."""

    @contextlib.contextmanager
    def told() -> Iterator[None]:
        """What a map refuses is what targetcli says."""
        try:
            yield
        except client.NotServing as error:
            raise stock.ExecutionError(f"no maps are served ({error}): is tcmu-runner running?") from None
        except (client.Error, model.OtherVersion) as error:
            raise stock.ExecutionError(str(error)) from None

    class MpathStorageObject(stock.UIUserBackedStorageObject):
        """A multipath LUN."""

        def _map(self) -> client.Map:
            return client.Client().map(map_name(self.rtsnode.name, self.rtsnode.config))

        def _now(self) -> model.Map | None:
            """The map as it is; None if it is not in service."""
            return self.parent.maps().get(map_name(self.rtsnode.name, self.rtsnode.config or "/"))

        def _send(self, *words: str) -> None:
            self.assert_root()
            with told():
                reply = self._map().message(list(words))
            if reply:
                self.shell.con.display(reply.rstrip("\n"))

        def summary(self) -> tuple[str, bool]:
            description, healthy = super().summary()
            now = self._now()
            if now is None:
                return f"{description}, not in service", False
            try:
                return (f"{description}, {now['ValidPaths']} of {now['NrPaths']} paths",
                        healthy and now["ValidPaths"] > 0)
            except model.OtherVersion:
                return description, healthy

        def ui_command_status(self) -> None:
            '''
            Displays the LUN, its groups, and each path: its state and, if it is not used, why.
            '''
            with told():
                self.shell.con.display(self._map().status("detail").rstrip("\n"))

        def ui_command_paths(self) -> None:
            '''
            Displays the paths: device, name in messages, group, state, priority, commands in
            flight, how often it has failed and, if it is not used, why.
            '''
            now = self._now()
            if now is None:
                raise stock.ExecutionError("the map is not in service")
            rows = [["DEVICE", "NAME", "STATE", "GROUP", "PRIO", "FLY", "FAILED", "REASON"]]
            with told():
                rows.extend([path["Device"] or "-", path["Name"], path["State"],
                             str(group["Number"]), str(path["Priority"]), str(path["InFlight"]),
                             str(path["FailCount"]), path["Reason"]]
                            for group in now.groups for path in group.paths)
            self.shell.con.display("\n".join(text.table(rows, 3)))

        def ui_command_message(self, word: str, *words: str) -> None:
            '''
            Sends the map one of dm-multipath's messages, as dmsetup message does, for example
            "message queue_if_no_path" or "message fail_path 8:16".

            SEE ALSO
            ========
            man tcmu-mpath
            '''
            self._send(word, *words)

        def ui_complete_message(self, _parameters: dict, typed: str, current_param: str) -> list[str]:
            return _only([word for word in client.MESSAGES if word.startswith(typed)]
                         if current_param == "word" else [])

        def ui_command_fail(self, path: str) -> None:
            '''
            Takes a path out of service until it is reinstated.
            '''
            self._send("fail_path", path)

        def ui_command_reinstate(self, path: str) -> None:
            '''
            Lets a path be used again, as soon as it proves usable.
            '''
            self._send("reinstate_path", path)

        def _complete_path(self, _parameters: dict, typed: str, _current_param: str) -> list[str]:
            now = self._now()
            names = {path["Device"] or path["Name"] for path in now.paths} if now else set()
            return _only(sorted(name for name in names if name.startswith(typed)))

        ui_complete_fail = ui_complete_reinstate = _complete_path

        def ui_command_switch(self, group: str) -> None:
            '''
            Uses another group of paths from now on. Groups are numbered from 1.
            '''
            self._send("switch_group", group)

        def ui_complete_switch(self, _parameters: dict, typed: str, _current_param: str) -> list[str]:
            now = self._now()
            numbers = [str(group["Number"]) for group in now.groups] if now else []
            return _only([number for number in numbers if number.startswith(typed)])

    class MpathBackstore(stock.UIUserBackedBackstore):
        """user:mpath"""

        _maps: dict[str, model.Map] = {}
        _maps_until = 0.0

        def maps(self) -> dict[str, model.Map]:
            """All maps by name; asked for once while `ls` goes through them."""
            if time.monotonic() > self._maps_until:
                try:
                    self._maps = {m.name: m for m in client.Client().maps()}
                except client.Error:
                    self._maps = {}
                self._maps_until = time.monotonic() + 0.5
            return self._maps

        def refresh(self) -> None:
            self.so_cls = MpathStorageObject
            _let_lists_be_completed()
            super().refresh()

        def ui_command_create(self, name: str, size: str = "0", cfgstring: str | None = None,
                              wwn: str | None = None, hw_max_sectors: str | None = None,
                              control: str | None = None, paths: str | None = None,
                              wwid: str | None = None, map: str | None = None) -> Any:
            '''
            Creates a multipath LUN from one of
                - paths=/dev/sda,/dev/sdb         these paths
                - wwid=36001405b922ff67a          all paths to the LUN with this WWID
                - map=mpatha                      what /etc/tcmu/mpath.d/mpatha.map says
            The size is the LUN's. cmd_time_out is set to what the map needs: 0 where commands may
            wait for a path without limit, else the longest that a lost write may be waited for.

            EXAMPLE
            =======
            create name=lun0 map=mpatha
            ---------------------------
            The size, and cfgstring in place of paths, wwid and map, are there for scripts that
            were written for other user-backed storage objects.
            '''
            self.assert_root()
            try:
                cfgstring = cfgstring_of(paths, wwid, map, cfgstring)
            except ValueError as error:
                raise stock.ExecutionError(str(error)) from None
            config = f"{self.handler}/{cfgstring}"
            with told():
                reason = client.Client().check_config(config)
            if reason:
                raise stock.ExecutionError(f"cfgstring invalid: {reason}")
            try:
                created = stock.UserBackedStorageObject(
                    name, size=stock.human_to_bytes(size), config=config,
                    wwn=self.ui_eval_param(wwn, "string", None), hw_max_sectors=hw_max_sectors,
                    control=control)
            except Exception as error:
                raise stock.ExecutionError(f"UserBackedStorageObject creation failed: {error}; "
                                           f"{_why_refused(map_name(name, config))}") from None
            node = MpathStorageObject(created, self)
            self.shell.log.info(f"Created user-backed storage object {name} size {created.size}.")
            if not created.size:
                self.shell.log.warning("No path has answered yet: the size is not known.")
            self._set_time_out(created)
            return self.new_node(node)

        def _set_time_out(self, created: Any) -> None:
            """The kernel must not answer commands that the map still has."""
            try:
                seconds = _time_out_needed(client.Client().map(map_name(created.name, created.config)))
            except (client.Error, KeyError) as error:       # KeyError: the handler is an older one
                self.shell.log.warning(f"cmd_time_out is left as it is: {error}")
                return
            if seconds and seconds <= int(created.get_attribute("cmd_time_out")):
                return
            created.set_attribute("cmd_time_out", seconds)
            why = "so long a lost write may be waited for" if seconds else "commands may wait for a path"
            self.shell.log.info(f"Set cmd_time_out to {seconds}: {why}.")

        def ui_complete_create(self, _parameters: dict, typed: str, current_param: str) -> list[str]:
            if current_param == "paths":
                before, comma, last = typed.rpartition(",")
                return _only([before + comma + path for path in stock.complete_path(last, stat.S_ISBLK)])
            if current_param == "map":
                names = [os.path.basename(file)[:-len(".map")]
                         for file in glob.glob(MAP_DIR + "/*.map")]
            elif current_param == "wwid":
                names = [link[len(WWID_LINKS):] for link in glob.glob(WWID_LINKS + "3*")
                         if "-part" not in link]
            else:
                names = []
            return _only(sorted(name for name in names if name.startswith(typed)))

    stock_class = stock.UIUserBackedBackstore

    def new(cls: type, _parent: Any, name: str, *_args: Any) -> Any:
        # Not a factory in its place: 2.1.53 says super(UIUserBackedBackstore, self).
        return object.__new__(MpathBackstore if cls is stock_class and name == "mpath" else cls)

    stock_class.__new__ = staticmethod(new)
