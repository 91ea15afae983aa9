"""The command line of a project: `manage.py`, `msframework` and `python -m msframework`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from msframework._early import hear_stops

__all__ = ["execute"]


def execute(argv: Sequence[str] | None = None, *, default_settings: str | None = None) -> int:
    """Run the command line *argv* and return its exit code.

    Args:
        argv: the arguments without the program's name; those of the process when `None`.
        default_settings: the settings module where nothing else names one.
    """
    if "runserver" in (sys.argv[1:] if argv is None else argv):
        hear_stops()
    try:
        # NOTE: imported here, as a signal may come while the framework is imported, too.
        from msframework.management.cli import execute as run_command
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130
    return run_command(argv, default_settings=default_settings)
