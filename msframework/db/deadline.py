"""Ends statements that take longer than `DB_COMMAND_TIMEOUT`: one timer for all of a pool.

asyncpg would set a timer for each statement and take it away again. Runs per request.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import Iterable
from time import monotonic
from typing import Final, TypeVar

from msframework.db.connection import TimedConnection
from msframework.db.lease import NEVER, Lease

E = TypeVar("E", bound="BaseException | None")
_NOBODY: Final = "a statement ran outside of any task"


class Deadlines:
    """When the statements that run on the connections of a pool must have ended.

    A statement that is late ends as in `asyncio.timeout`: its task is cancelled, asyncpg cancels
    the statement on the server, and `settle` makes a TimeoutError of the cancellation, unless
    somebody else cancelled the task, too.

    Args:
        seconds: how long a statement may take.
        leases: those of the pool; it may change them later on.
    """

    __slots__ = ("_leases", "_loop", "_next", "_seconds", "_timer")

    def __init__(self, seconds: float, leases: Iterable[Lease]) -> None:
        self._seconds, self._leases = seconds, leases
        self._timer: asyncio.TimerHandle | None = None
        self._next = NEVER  # when the timer goes off, on the monotonic clock

    def start(self) -> None:
        """Work for the loop that runs now."""
        self._loop = asyncio.get_running_loop()

    def begin(self, lease: Lease) -> None:
        """Note that the current task begins a statement on *lease*, until `finish`, `settle`."""
        task = current_task(self._loop)
        assert task is not None, _NOBODY
        lease.task, lease.cancels = task, task.cancelling()
        lease.due = due = monotonic() + self._seconds
        if due < self._next:
            self._plan(due)

    def hand_out(self, lease: Lease) -> None:
        """Have the connection of *lease* keep to the time by itself: it is used directly."""
        # NOTE: both classes have the same fields; the connection is closed when it comes back.
        lease.conn.limit = self._seconds
        lease.conn.__class__ = TimedConnection

    def stop(self) -> None:
        """Take the timer away."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._next = None, NEVER

    def _plan(self, due: float) -> None:
        self.stop()
        self._next = due
        self._timer = self._loop.call_later(due - monotonic(), self._sweep)

    def _sweep(self) -> None:
        """End what is late. With one limit for all, there is one sweep in that time at most."""
        self._next = NEVER
        now = monotonic()
        for lease in self._leases:
            if lease.due <= now:
                assert lease.task is not None
                lease.due, lease.late = NEVER, True
                lease.task.cancel()
        due = min((lease.due for lease in self._leases), default=NEVER)
        if due < NEVER:
            self._plan(due)


class Untimed:
    """The same for connections that keep to the time by themselves."""

    __slots__ = ()

    def begin(self, lease: Lease) -> None:
        """Do nothing."""

    def hand_out(self, lease: Lease) -> None:
        """Do nothing."""


def finish(lease: Lease) -> None:
    """End the statement on *lease*, which came to its end."""
    lease.due = NEVER
    if lease.late:
        settle(lease, None)


def settle(lease: Lease, exc: E) -> E | TimeoutError:
    """End the statement on *lease*, and return what the *exc* that came out of it means."""
    lease.due = NEVER
    if not lease.late:
        return exc
    lease.late = False
    assert lease.task is not None
    # NOTE: a cancellation of somebody else's is still there when ours is taken back.
    others = lease.task.uncancel() > lease.cancels
    if others or not isinstance(exc, asyncio.CancelledError):
        return exc
    late = TimeoutError()
    late.__cause__ = exc
    return late
