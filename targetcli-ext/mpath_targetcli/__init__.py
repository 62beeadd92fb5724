# SPDX-License-Identifier: GPL-2.0-or-later
"""Control of multipath maps in tcmu-runner, from Python.

client.py   the D-Bus client: no text for people, no arguments
cli.py      mpathctl
"""
