"""The deadlines of the calls of one channel, with one timer for all of them.

Runs per request. PERF: a timer of its own for each call costs ten times as much as an entry in a
dict (benchmarks/client.py).
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Waiting(Protocol):
    """A party that waits for an answer."""

    def expire(self) -> None:
        """Raise a `TimeoutError` in the task that waits."""


class ResponseDeadlines:
    """The deadlines of all that wait for an answer; ends those that are late."""

    __slots__ = ("_due", "_loop", "_next", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[Waiting, float] = {}
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, waiting: Waiting, when: float | None) -> None:
        """End *waiting* at the loop's time *when*, unless it is forgotten before; `None`: never."""
        if when is None:
            return
        self._due[waiting] = when
        if self._timer is None or when < self._next:
            self._set(when)

    def forget(self, waiting: Waiting) -> None:
        """Let *waiting* be: its answer came, or it was given up."""
        self._due.pop(waiting, None)

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        self._timer = self._loop.call_at(when, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        # NOTE: a timer may fire within the clock's resolution before its time.
        now = max(self._loop.time(), self._next)
        late = [waiting for waiting, when in self._due.items() if when <= now]
        for waiting in late:
            del self._due[waiting]
            waiting.expire()
        if self._due:
            self._set(min(self._due.values()))
