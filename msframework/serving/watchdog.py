"""`Watchdog`: ends a process that hangs while it stops. Runs while a service stops."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import threading
from contextlib import suppress
from typing import Final

_STDERR: Final = 2
_PULSE: Final = 1.0  # seconds between two signs of life of the loop
# Seconds beyond the allowed ones, for the pulse and a busy machine.
MARGIN: Final = 4.0
_PRINTING: Final = 1.0  # seconds for the stacks, which somebody has to read


def exit_later(seconds: float) -> None:
    """Have the process print the stack of every thread after *seconds*, and exit with code 1.

    NOTE: where nobody reads what is printed, the printing never ends. Then SIGALRM ends the
    process, unless the service handles that signal.
    """
    with suppress(RuntimeError, ValueError):  # no thread can be started
        faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)
    if signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:
        signal.setitimer(signal.ITIMER_REAL, seconds + _PRINTING)


class Watchdog:
    """Ends the process when its loop does not turn during a stop, or the stop takes too long.

    What ends it (`exit_later`) needs neither the loop nor the interpreter's lock. It watches
    until the process has ended, so that threads cannot keep the process alive, either. Made outside
    of the main thread, as in tests, it does nothing.
    """

    def __init__(self) -> None:
        self._until = self._pause = 0.0
        self._is_ours = threading.current_thread() is threading.main_thread()

    def expect(self, pause: float) -> None:
        """Allow the loop *pause* seconds until `begin`, in any thread."""
        if not self._until:
            self._arm(pause + MARGIN)

    def begin(self, total: float, pause: float) -> None:
        """Allow *total* seconds in all, and *pause* seconds without a turn of the running loop."""
        beats = self._until > 0
        self._until = asyncio.get_running_loop().time() + total + MARGIN
        self.allow(pause)
        if not beats:
            self._beat()

    def allow(self, pause: float) -> None:
        """Allow the loop to stand still for *pause* seconds from now on."""
        self._pause = pause + MARGIN

    def end_within(self, seconds: float) -> None:
        """Allow *seconds* until the process has ended, whatever the loop does."""
        self._until = 0.0
        self._arm(seconds)

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        left = self._until - loop.time()
        if left > 0:
            self._arm(min(left, self._pause))
            loop.call_later(_PULSE, self._beat)

    def _arm(self, seconds: float) -> None:
        if self._is_ours:
            exit_later(seconds)
