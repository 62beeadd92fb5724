# SPDX-License-Identifier: GPL-2.0-or-later
"""Control of multipath maps in tcmu-runner, from Python.

client.py    the D-Bus client: no text for people, no arguments
model.py     what it brings: maps, groups, paths as they were at one moment

cli.py       mpathctl: its command line
actions.py   its commands
show.py top.py events.py metrics.py importer.py as_json.py text.py     one subject each

hook.py      brings ui.py into targetcli
ui.py        what targetcli has more below /backstores/user:mpath
"""

VERSION = "0.1.0"       # the project's in CMakeLists.txt; the handler's own is on D-Bus
