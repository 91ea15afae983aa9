"""Ends statements that take longer than `DB_COMMAND_TIMEOUT`: one timer for all of a pool.

asyncpg would set a timer for each statement and take it away again. Runs per request.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from time import monotonic
from typing import Final, TypeVar

E = TypeVar("E", bound="BaseException | None")
NEVER: Final = float("inf")
_NOBODY: Final = "a statement ran outside of any task"


class Deadline:
    """The time at which the statement that runs on one connection must have ended.

    A statement that is late ends as in `asyncio.timeout`: its task is cancelled, asyncpg cancels
    the statement on the server, and `settle` makes a TimeoutError of the cancellation, unless
    somebody else cancelled the task, too.

    Attributes:
        seconds: the time that a statement may take.
        due: when the one that runs is late, on the monotonic clock; NEVER for none.
        late: it was late, so its task was cancelled.
        task: the one that runs it.
    """

    __slots__ = ("_cancels", "_loop", "_timer", "due", "late", "seconds", "task")
    due: float
    late: bool
    task: asyncio.Task[object] | None

    def __init__(self, timer: Deadlines, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._timer, self._loop, self.seconds = timer, loop, seconds
        self._cancels = 0
        self.clear()

    def begin(self) -> None:
        """Note that the current task begins a statement, until `finish` or `settle`."""
        task = current_task(self._loop)
        assert task is not None, _NOBODY
        self.task, self._cancels = task, task.cancelling()
        self.due = due = monotonic() + self.seconds
        timer = self._timer
        if due < timer.next:
            timer.plan(due)

    def finish(self) -> None:
        """End the statement, which came to its end."""
        self.due = NEVER
        if self.late:
            self.settle(None)

    def settle(self, exc: E) -> E | TimeoutError:
        """End the statement, and return the meaning of the *exc* that came out of it."""
        self.due = NEVER
        if not self.late:
            return exc
        self.late = False
        assert self.task is not None
        # NOTE: a cancellation of somebody else's is still there when ours is taken back.
        others = self.task.uncancel() > self._cancels
        if others or not isinstance(exc, asyncio.CancelledError):
            return exc
        late = TimeoutError()
        late.__cause__ = exc
        return late

    def expire(self) -> None:
        """End the statement because it is late."""
        assert self.task is not None
        self.due, self.late = NEVER, True
        self.task.cancel()

    def clear(self) -> None:
        """Forget the statement."""
        self.due, self.late, self.task = NEVER, False, None


class Untimed(Deadline):
    """The deadline of a connection that keeps to the time by itself."""

    __slots__ = ()

    def __init__(self) -> None:
        self.seconds = NEVER
        self.clear()

    def begin(self) -> None:
        """Do nothing."""


class Deadlines:
    """The deadlines of a pool, and the timer that they share.

    Args:
        seconds: how long a statement may take.

    Attributes:
        next: when the timer goes off, on the monotonic clock.
    """

    __slots__ = ("_deadlines", "_loop", "_seconds", "_timer", "next")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadlines: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.next = NEVER

    def start(self) -> None:
        """Work for the loop that runs now."""
        self._loop = asyncio.get_running_loop()

    def add(self) -> Deadline:
        """Return the deadline of one more connection."""
        deadline = Deadline(self, self._loop, self._seconds)
        self._deadlines.add(deadline)
        return deadline

    def remove(self, deadline: Deadline) -> None:
        """Forget *deadline*, whose connection is gone."""
        self._deadlines.discard(deadline)

    def stop(self) -> None:
        """Take the timer away."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.next = None, NEVER

    def plan(self, due: float) -> None:
        """Have the timer go off at *due*."""
        self.stop()
        self.next = due
        self._timer = self._loop.call_later(due - monotonic(), self._sweep)

    def _sweep(self) -> None:
        """End the statements that are late.

        With one limit for all, there is at most one sweep in that time.
        """
        self.next = NEVER
        now = monotonic()
        for deadline in self._deadlines:
            if deadline.due <= now:
                deadline.expire()
        due = min((deadline.due for deadline in self._deadlines), default=NEVER)
        if due < NEVER:
            self.plan(due)
