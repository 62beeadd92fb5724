# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts ui.py into targetcli when that is started, and does nothing in any other program.

targetcli has no place for extensions, so tcmu-mpath.pth has each python3 import this file.  Hence it
is small, imports nothing but sys and cannot fail: it waits for the import of targetcli.ui_backstore,
which no other program imports.
"""

import sys

TYPE_CHECKING = False       # typing's, without importing it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

WANTED = "targetcli.ui_backstore"


def _extend(module: "ModuleType") -> None:
    try:
        from . import ui
        ui.extend(module)
    except Exception as error:  # whatever it is: stock targetcli can do without us
        print(f"tcmu-mpath: this targetcli has no commands for multipath maps: {error!r}",
              file=sys.stderr)


class Finder:
    """First in sys.meta_path; finds WANTED as Python would, but has it extended after its import."""

    def find_spec(self, name: str, path: "Sequence[str] | None" = None,
                  _target: "ModuleType | None" = None) -> "ModuleSpec | None":
        if name != WANTED:
            return None
        sys.meta_path.remove(self)
        from importlib.machinery import PathFinder
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_extend(module: "ModuleType") -> None:
            execute(module)
            _extend(module)
        setattr(spec.loader, "exec_module", execute_and_extend)
        return spec


sys.meta_path.insert(0, Finder())
