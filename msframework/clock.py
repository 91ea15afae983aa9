"""The value of `Date` (RFC 9110, 6.6.1), formatted once a second. Runs while a service does."""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from email.utils import formatdate
from time import time


class Clock:
    """The current second, as answers carry it.

    PERF: a request only reads it (benchmarks/README.md, row json).

    Attributes:
        text: the value of the header.
        line: the whole line of the header, as bytes.
    """

    __slots__ = ("_timer", "line", "text")

    def __init__(self) -> None:
        self._timer: TimerHandle | None = None
        self.read()

    def read(self) -> None:
        """Take the time."""
        self.text = formatdate(time(), usegmt=True)
        self.line = b"date: %b\r\n" % self.text.encode()

    def _tick(self) -> None:
        self.read()
        self._timer = get_running_loop().call_later(1.0 - time() % 1.0, self._tick)

    async def start(self) -> None:
        """Read the time at the beginning of every second from now on."""
        self._tick()

    async def stop(self) -> None:
        """Leave the time as it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
