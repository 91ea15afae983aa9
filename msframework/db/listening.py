"""A block that listens ends, with an exception, when its connection does.

Runs per call of `add_listener`. There is no reconnecting: what was notified meanwhile is lost, so
whoever listens must look anew at what it listens for, and only it knows how.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg

from msframework.exceptions import DatabaseUnavailable


class Listening:
    """Cancels the task of a block when *conn* ends; `close` turns that into an exception.

    This is how `asyncio.timeout` ends a block: whatever it waits for.
    """

    __slots__ = ("_cancels", "_conn", "_ended", "_task")

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._conn, self._task = conn, asyncio.current_task()
        self._cancels = 0 if self._task is None else self._task.cancelling()
        self._ended = False
        conn.add_termination_listener(self._end)

    def _end(self, conn: asyncpg.Connection) -> None:
        if self._task is not None:
            self._ended = True
            self._task.cancel()

    def close(self, exc: BaseException | None) -> None:
        """Let the block end with *exc*.

        Raises:
            DatabaseUnavailable: the connection ended, and with it the block.
        """
        task, self._task = self._task, None
        if task is None or not self._ended:
            with suppress(asyncpg.InterfaceError):  # asyncpg's pool took it back: it just ended
                self._conn.remove_termination_listener(self._end)
            return
        if task.uncancel() <= self._cancels and isinstance(exc, asyncio.CancelledError):
            failure = DatabaseUnavailable()
            failure.add_note(
                "the connection that listened ended; listen anew, and look at what was missed"
            )
            raise failure from exc
