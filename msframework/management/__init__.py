"""The command line of a project: `manage.py`, `msframework` and `python -m msframework`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["execute"]


def execute(argv: Sequence[str] | None = None, *, default_settings: str | None = None) -> int:
    """Run the command line *argv* and return its exit code.

    Args:
        argv: the arguments without the program's name; those of the process when `None`.
        default_settings: the settings module where nothing else names one.
    """
    if "runserver" in (sys.argv[1:] if argv is None else argv):
        _hear_stops()
    try:
        # NOTE: imported here, as a signal may come while the framework is imported, too.
        from msframework.management.cli import execute as run_command
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130
    return run_command(argv, default_settings=default_settings)


def _hear_stops() -> None:
    """Let SIGTERM and SIGINT end the start of a server from its first moment on.

    NOTE: the first process of a container would not hear SIGTERM (pid_namespaces(7)), and what a
    shell starts in the background does not hear SIGINT.
    """
    import signal  # here, as it takes longer to import than all else of `manage.py health`

    try:
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:
        return  # not in the first thread of the process, which alone hears signals
