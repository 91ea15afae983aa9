"""Signals that come while a server starts: each ends the start, and none is lost.

An exception that a handler raises may be swallowed: Python ignores what is raised in a finalizer or
in the callback of a weak reference, as each import has one. So a signal is held, too, and heard
again by the server that was started in spite of it.
"""

from __future__ import annotations

import sys
from typing import Final

HELD: Final[list[int]] = []


def end(number: int, frame: object) -> None:
    """End the start by SIGTERM, with exit code 0."""
    HELD[:] = [number]
    sys.exit(0)


def interrupt(number: int, frame: object) -> None:
    """End the start by SIGINT, as Control-C does."""
    HELD[:] = [number]
    raise KeyboardInterrupt


def hold(number: int, frame: object) -> None:
    """Keep a hang-up until its meaning is known."""
    # NOTE: a mask would not keep it, as another thread may take what the first one blocks
    # (signal(7)).
    HELD[:] = [number]


def hear_stops() -> None:
    """Let SIGTERM and SIGINT end the start of a server from its first moment on.

    NOTE: the first process of a container would not hear SIGTERM (pid_namespaces(7)), and what a
    shell starts in the background does not hear SIGINT. A hang-up, as of `systemctl reload`, would
    end the process, and systemd take that for a good end.
    """
    import signal  # here, as it takes longer to import than all else of `manage.py health`

    try:
        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, interrupt)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # what nohup does
            signal.signal(signal.SIGHUP, hold)
    except ValueError:
        return  # not in the first thread of the process, which alone hears signals
