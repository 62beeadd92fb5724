# SPDX-License-Identifier: GPL-2.0-or-later
"""Maps, groups and paths as they were at one moment: the reply of GetManagedObjects as a tree.

    m["State"]      a property, under its name in config/dbus/org.tcmu.Mpath1.xml

Nothing here talks to D-Bus.
"""

from typing import Any

MANAGER_INTERFACE = "org.tcmu.Mpath1.Manager"
MAP_INTERFACE = "org.tcmu.Mpath1.Map"
GROUP_INTERFACE = "org.tcmu.Mpath1.Group"
PATH_INTERFACE = "org.tcmu.Mpath1.Path"

Properties = dict[str, Any]
Objects = dict[str, dict[str, Properties]]     # object path, interface, property


class OtherVersion(Exception):
    """A property that the service does not have."""

    def __init__(self, name: str):
        super().__init__(f"the handler that runs has no property {name}: it is older than this "
                         "program; restart tcmu-runner")


class Thing:
    """What maps, groups and paths have in common: an object path, and properties."""

    def __init__(self, path: str, properties: Properties):
        self.path = path
        self.properties = properties

    def __getitem__(self, name: str) -> Any:
        try:
            return self.properties[name]
        except KeyError:
            raise OtherVersion(name) from None


class Path(Thing):
    @property
    def usable(self) -> bool:
        return self["State"] == "active"


class Group(Thing):
    def __init__(self, path: str, properties: Properties):
        super().__init__(path, properties)
        self.paths: list[Path] = []

    @property
    def priority(self) -> int | None:
        """The mean of all its paths' known priorities."""
        known = [path["Priority"] for path in self.paths if path["Priority"] >= 0]
        return sum(known) // len(known) if known else None


class Map(Thing):
    def __init__(self, path: str, properties: Properties):
        super().__init__(path, properties)
        self.groups: list[Group] = []

    @property
    def name(self) -> str:
        return self["Name"]

    @property
    def paths(self) -> list[Path]:
        """In the order of their numbers, which is the table's."""
        return sorted((path for group in self.groups for path in group.paths),
                      key=lambda path: path["Number"])

    @property
    def hw_handler(self) -> str:
        """In a table's words."""
        return f"1 {self['HardwareHandler']}" if self["HardwareHandler"] else "0"


def maps_of(objects: Objects) -> list[Map]:
    """All maps by name, with their groups and paths by number."""
    maps = {path: Map(path, found[MAP_INTERFACE])
            for path, found in objects.items() if MAP_INTERFACE in found}
    groups = {path: Group(path, found[GROUP_INTERFACE])
              for path, found in objects.items() if GROUP_INTERFACE in found}
    for group in sorted(groups.values(), key=lambda group: group["Number"]):
        maps[group["Map"]].groups.append(group)
    paths = [Path(path, found[PATH_INTERFACE])
             for path, found in objects.items() if PATH_INTERFACE in found]
    for path in sorted(paths, key=lambda path: path["Number"]):
        groups[path["Group"]].paths.append(path)
    return sorted(maps.values(), key=lambda m: m.name)
