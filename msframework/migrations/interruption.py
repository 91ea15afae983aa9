"""Ctrl-C and SIGTERM during a run: the statement is cancelled, and the state is reported.

Without this, SIGTERM would end the process at once, and PostgreSQL would go on with the statement,
and hold its locks, until it is through. Runs at start-up.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from msframework.exceptions import ImproperlyConfigured


class Interrupted(ImproperlyConfigured):
    """A run of migrations was ended by a signal; the text says what is left in the database.

    Args:
        cause: what the signal raised.
    """

    def __init__(self, text: str, cause: KeyboardInterrupt) -> None:
        super().__init__(text)
        # The code that shells give a process which the signal ends: 130, or 143.
        number = signal.SIGTERM if isinstance(cause, Terminated) else signal.SIGINT
        self.exit_code = 128 + number


class Terminated(KeyboardInterrupt):
    """SIGTERM, which is raised as Ctrl-C is."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM interrupt the run as Ctrl-C does, unless the program has a handler of its own."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Terminated
