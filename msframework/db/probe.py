"""`PrimaryProbe`: asks whether PostgreSQL answers, on a connection of its own.

Runs per probe of the service's readiness, a second apart; nothing is opened before the first.
"""

from __future__ import annotations

import asyncio
from asyncio import Task
from contextlib import suppress
from typing import Any, Final

import asyncpg

from msframework.conf.address import read_address
from msframework.conf.settings import DatabaseSettings
from msframework.db.opening import AddressOpener

Rows = list[tuple[Any, ...]]
_QUESTION: Final = "SELECT 1"
_PARTING: Final = 0.5  # seconds for a last word to the server
_LOST: Final = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)


class PrimaryProbe:
    """One round trip to the primary at a time.

    NOTE: the connections of the pool cannot tell: all of them may be lent, which is no failure, and
    one that is lent to a probe while the server hangs would be missing afterwards.

    Args:
        url: where the primary is.
        settings: its times.
    """

    def __init__(self, url: str, settings: DatabaseSettings) -> None:
        self._opener = AddressOpener(read_address(url), settings.connect_timeout)
        self._timeout = settings.connect_timeout
        self._conn: asyncpg.Connection | None = None
        self._asking: Task[str | None] | None = None
        self._lock, self._closed = asyncio.Lock(), False

    def start(self) -> None:
        """Let questions be asked, again after `stop`."""
        self._lock, self._closed = asyncio.Lock(), False

    async def ready(self) -> str | None:
        """Return why PostgreSQL does not answer; `None` when it does.

        NOTE: a question that is not answered yet goes on when its asker is cancelled, and the next
        asker waits for the same: a server that hangs is not sent more and more of them.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def fetch(self, query: str) -> Rows:
        """Return the rows of *query*, on the same connection."""
        async with self._lock:
            conn = await self._open()
            rows: list[Any] = await self._bounded(conn, conn.fetch(query))
        return [tuple(row) for row in rows]

    async def _ask(self) -> str | None:
        """Ask once, and once more where the connection had ended since the last time."""
        try:
            kept = self._conn is not None
            try:
                await self._run()
            except _LOST as exc:
                if not kept or isinstance(exc, TimeoutError):  # which is an OSError
                    raise
                self.cut_off()
                await self._run()
        except asyncpg.TooManyConnectionsError:
            return None  # it answers, and the pool has its connections
        except TimeoutError:
            self.cut_off()
            return f"no answer within {self._timeout} s"
        except Exception as exc:
            self.cut_off()
            return f"{type(exc).__name__} was raised"
        return None

    async def _run(self) -> None:
        async with self._lock:
            conn = await self._open()
            await self._bounded(conn, conn.execute(_QUESTION))

    async def _open(self) -> asyncpg.Connection:
        if self._closed:
            raise asyncpg.InterfaceError("the probe is closed")
        if self._conn is None or self._conn.is_closed():
            self._conn = await self._opener.open(
                statement_cache_size=0,
                server_settings={"application_name": "msframework readiness"},
            )
        return self._conn

    async def _bounded(self, conn: asyncpg.Connection, work: Any) -> Any:
        """Return the result of *work* on *conn*, which ends with it when it takes too long.

        NOTE: asyncpg's own time-out, and cancelling it, would open another connection to ask a
        server that hangs for an end of the statement.
        """
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait([task], timeout=self._timeout)
        except asyncio.CancelledError:
            await self._end(conn, task)
            raise
        if not done:
            await self._end(conn, task)
            raise TimeoutError
        return task.result()

    async def _end(self, conn: asyncpg.Connection, task: Task[Any]) -> None:
        conn.terminate()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # taken, as it is the end that was asked for

    def cut_off(self) -> None:
        """End the connection without a word to the server."""
        conn, self._conn = self._conn, None
        if conn is not None and not conn.is_closed():
            conn.terminate()

    async def stop(self) -> None:
        """Close the connection; one that is waited for is cut off."""
        self._closed = True
        asking, self._asking = self._asking, None
        if asking is not None and not asking.done():
            asking.cancel()
            await asyncio.wait([asking])
        conn, self._conn = self._conn, None
        if conn is not None and not conn.is_closed():
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await conn.close(timeout=_PARTING)
