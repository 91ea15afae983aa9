"""Rows one by one, and prepared statements: both live as long as their cursor's block.

Runs per request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from typing import Any, Protocol, Self

from asyncpg import Attribute, Connection, InterfaceError, Type
from asyncpg.prepared_stmt import PreparedStatement

from msframework.db.rows import to_dict, to_dicts
from msframework.exceptions import DatabaseUnavailable
from msframework.types import Row

ConnectionCall = Callable[[Connection], Awaitable[Any]]


class Owner(Protocol):
    """The cursor whose connection is used."""

    @property
    def conn(self) -> Any:
        """The connection; `None` where none is held."""

    async def guard(
        self,
        call: ConnectionCall,
        label: str,
        args: Sequence[object] = (),
        timeout: float | None = None,
    ) -> Any:
        """Await *call* on the connection."""

    async def stream(self, call: ConnectionCall, label: str, timeout: float | None) -> Any:
        """Await *call* on the connection, inside of a transaction."""


class RowStream:
    """The rows of one query as dicts: iterate it, or await it for `fetch`, `fetchrow`, `forward`.

    Args:
        cur: the cursor whose connection it reads from.
        prefetch: rows that are fetched at once while it is iterated.
        timeout: seconds for one fetch; `DB_COMMAND_TIMEOUT` when `None`.
    """

    __slots__ = ("_args", "_buffer", "_cur", "_done", "_portal", "_prefetch", "_query", "_timeout")

    def __init__(
        self, cur: Owner, query: str, args: Sequence[object], prefetch: int, timeout: float | None
    ) -> None:
        if prefetch < 1:
            raise ValueError(f"prefetch is {prefetch}: at least one row must be fetched at once")
        self._cur = cur
        self._query, self._args = query, args
        self._prefetch, self._timeout = prefetch, timeout
        self._buffer: deque[Row] = deque()
        self._portal: Any = None
        self._done = False

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._open().__await__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Row:
        if not self._buffer and not self._done:
            rows = await self._ask("fetch", self._prefetch)
            self._done = len(rows) < self._prefetch
            self._buffer.extend(to_dicts(rows))
        if not self._buffer:
            raise StopAsyncIteration
        return self._buffer.popleft()

    async def fetch(self, n: int, *, timeout: float | None = None) -> list[Row]:
        """Return the next *n* rows, fewer at the end."""
        return to_dicts(await self._ask("fetch", n, timeout=timeout))

    async def fetchrow(self, *, timeout: float | None = None) -> Row | None:
        """Return the next row, or `None` at the end."""
        return to_dict(await self._ask("fetchrow", timeout=timeout))

    async def forward(self, n: int, *, timeout: float | None = None) -> int:
        """Skip *n* rows, and return how many there were to skip."""
        skipped: int = await self._ask("forward", n, timeout=timeout)
        return skipped

    async def _open(self) -> Self:
        if self._portal is None:
            self._portal = await self._cur.stream(self._make_portal, self._query, self._timeout)
        return self

    async def _make_portal(self, conn: Connection) -> Any:
        return await conn.cursor(self._query, *self._args, timeout=self._timeout)

    async def _ask(self, method: str, *args: object, timeout: float | None = None) -> Any:
        await self._open()
        portal, seconds = self._portal, timeout or self._timeout

        async def ask(conn: Connection) -> Any:
            return await getattr(portal, method)(*args, timeout=seconds)

        return await self._cur.stream(ask, self._query, seconds)


class IdleLimit:
    """Cuts a stream off that nobody reads, so that it doesn't hold its connection for ever.

    Args:
        seconds: the time between two fetches at most; 0 for no limit.
        cut: called when the time is up.

    Attributes:
        expired: whether the time was up.
    """

    __slots__ = ("_cut", "_handle", "_seconds", "expired")

    def __init__(self, seconds: float, cut: Callable[[], None]) -> None:
        self._seconds, self._cut = seconds, cut
        self._handle: asyncio.TimerHandle | None = None
        self.expired = False

    def pause(self) -> None:
        """Stop the clock: a fetch is running, or the block has ended."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def failure(self) -> DatabaseUnavailable:
        """Return what whoever reads on receives after the time was up."""
        failure = DatabaseUnavailable()
        failure.add_note(f"nobody read from the stream for {self._seconds} s: it was cut off")
        return failure

    def run(self) -> None:
        """Start the clock: the next fetch must come in time."""
        if self._seconds:
            self._handle = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        self.expired = True
        self._handle = None
        self._cut()


class Prepared:
    """A prepared statement, as asyncpg has it, with rows as dicts."""

    __slots__ = ("_conn", "_cur", "_query", "_statement")

    def __init__(self, cur: Owner, statement: PreparedStatement, query: str) -> None:
        self._cur, self._statement, self._query = cur, statement, query
        self._conn = cur.conn

    async def fetch(self, *args: object, timeout: float | None = None) -> list[Row]:
        """Return all rows."""
        return to_dicts(await self._call("fetch", args, timeout))

    async def fetchrow(self, *args: object, timeout: float | None = None) -> Row | None:
        """Return the first row, or `None` when there is none."""
        return to_dict(await self._call("fetchrow", args, timeout))

    async def fetchval(self, *args: object, column: int = 0, timeout: float | None = None) -> Any:
        """Return one value of the first row, or `None` when there is no row."""
        row = await self._call("fetchrow", args, timeout)
        return None if row is None else row[column]

    async def executemany(
        self, args: Iterable[Sequence[object]], *, timeout: float | None = None
    ) -> None:
        """Run it once for each of *args*: all of them take effect, or none."""
        await self._call("executemany", (args,), timeout)

    async def _call(self, method: str, args: Sequence[object], timeout: float | None) -> Any:
        work = getattr(self._statement, method)

        async def call(conn: Connection) -> Any:
            if conn is not self._conn:
                raise InterfaceError("its connection was given back: prepare the statement again")
            return await work(*args, timeout=timeout)

        return await self._cur.guard(call, self._query, args, timeout)

    def get_query(self) -> str:
        """Return the SQL text."""
        return self._query

    def get_statusmsg(self) -> str:
        """Return the status of the last run."""
        status: str = self._statement.get_statusmsg()
        return status

    def get_parameters(self) -> tuple[Type, ...]:
        """Return the types of the parameters."""
        types: tuple[Type, ...] = self._statement.get_parameters()
        return types

    def get_attributes(self) -> tuple[Attribute, ...]:
        """Return names and types of the columns."""
        attributes: tuple[Attribute, ...] = self._statement.get_attributes()
        return attributes
