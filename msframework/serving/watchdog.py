"""`Watchdog`: ends a process that hangs while it stops. Runs while a service stops."""

from __future__ import annotations

import asyncio
import faulthandler
import threading
from contextlib import suppress
from typing import Final

_STDERR: Final = 2
_PULSE: Final = 1.0  # seconds between two signs of life of the loop
# Seconds beyond what is allowed: for the pulse, and for a machine that is busy.
MARGIN: Final = 4.0


class Watchdog:
    """Ends the process when its loop stands still during a stop, or the stop takes too long.

    It prints the stack of every thread and leaves with exit code 1 (`faulthandler`), which needs
    neither the loop nor the interpreter's lock. It stays until the process has ended: what still
    runs in threads cannot keep it either. Made in another thread than the first, such as a test's,
    it does nothing: that process is not the service's.
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
        """Allow *seconds* to the end of the process."""
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
            with suppress(RuntimeError, ValueError):  # there is no thread to be had
                faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)
