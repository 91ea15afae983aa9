"""asyncpg's methods, on a connection that is taken when it is needed.

Runs per request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import asyncpg

from msframework.db.listening import Listening
from msframework.db.model_statements import ModelStatements, Result
from msframework.db.rows import as_it_is, to_dict, to_dicts, value_of
from msframework.db.session import READY, Session
from msframework.db.statement_cache import (
    EXECUTE,
    EXECUTEMANY,
    FETCH,
    FETCHMANY,
    FETCHROW,
)
from msframework.db.stream import Prepared, RowStream
from msframework.models.sql import render
from msframework.table import Table
from msframework.types import Query, Row

# The arguments are asyncpg's connection, the server's process id, channel and payload.
Listener = Callable[[asyncpg.Connection, int, str, str], object]


class Cursor(ModelStatements):
    """Runs statements on one connection, which is taken at the first of them.

    Queries are SQL text with `$1` and its arguments, or peewee queries. Rows are plain dicts.
    Statements raise asyncpg's exceptions (`db.translate` says what they answer), `TypeError` for
    an argument of a wrong type, and `DatabaseUnavailable` when the connection or the time is lost.
    """

    __slots__ = ()

    async def __aenter__(self) -> Self:
        """Begin the block."""
        raise NotImplementedError

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the block."""
        raise NotImplementedError

    # Queries.

    def fetch(
        self, query: str | Query, *args: object, timeout: float | None = None
    ) -> Result[list[Row]]:
        """Return all rows."""
        return self._run(FETCH, to_dicts, query, args, timeout)

    def fetchrow(
        self, query: str | Query, *args: object, timeout: float | None = None
    ) -> Result[Row | None]:
        """Return the first row, or `None` when there is none."""
        return self._run(FETCHROW, to_dict, query, args, timeout)

    def fetchval(
        self, query: str | Query, *args: object, column: int = 0, timeout: float | None = None
    ) -> Result[Any]:
        """Return one value of the first row, or `None` when there is no row."""
        return self._run(FETCHROW, value_of(column), query, args, timeout)

    def records(
        self, query: str | Query, *args: object, timeout: float | None = None
    ) -> Result[list[asyncpg.Record]]:
        """Return all rows as asyncpg's records: immutable, and cheaper than dicts."""
        return self._run(FETCH, as_it_is, query, args, timeout)

    def record(
        self, query: str | Query, *args: object, timeout: float | None = None
    ) -> Result[asyncpg.Record | None]:
        """Return the first row as asyncpg's record, or `None` when there is none."""
        return self._run(FETCHROW, as_it_is, query, args, timeout)

    def table(
        self, query: str | Query, *args: object, timeout: float | None = None
    ) -> Result[Table]:
        """Return all rows in the form that listings are written from: see `Table`."""
        return self._session.table(query, *args, timeout=timeout)

    def execute(
        self, query: str | Query, *args: object, timeout: float | None = None
    ) -> Result[str]:
        """Run a statement, or several without arguments, and return the last one's status."""
        return self._run(EXECUTE, as_it_is, query, args, timeout)

    def executemany(
        self, query: str, args: Iterable[Sequence[object]], *, timeout: float | None = None
    ) -> Result[None]:
        """Run a statement once for each of *args*: all of them take effect, or none."""
        return self._run(EXECUTEMANY, as_it_is, query, (args,), timeout)

    def fetchmany(
        self, query: str, args: Iterable[Sequence[object]], *, timeout: float | None = None
    ) -> Result[list[Row]]:
        """Run a statement once for each of *args*, and return the rows of all of them."""
        return self._run(FETCHMANY, to_dicts, query, (args,), timeout)

    async def prepare(self, query: str | Query, *, timeout: float | None = None) -> Prepared:
        """Return a prepared statement, which ends with the block."""
        text: Any = query
        if text.__class__ is not str:
            text, _ = render(text, ())
        session = self._session
        statement = await session.guard(
            lambda conn: conn.prepare(text, timeout=timeout), text, timeout=timeout
        )
        return Prepared(session, statement, text)

    def cursor(
        self, query: str | Query, *args: object, prefetch: int = 50, timeout: float | None = None
    ) -> RowStream:
        """Return the rows of *query* one by one: `async for row in cur.cursor(…)`.

        No more than *prefetch* rows are held. Awaited, it gives `fetch`, `fetchrow` and `forward`
        instead. Under `acquire()` it opens a read-only transaction that lasts until the end of the
        block. A stream that nobody reads for `DB_CURSOR_IDLE_TIMEOUT` is cut off.
        """
        text: Any = query
        if text.__class__ is not str:
            text, args = render(text, args)
        return RowStream(self._session, text, args, prefetch, timeout)

    # COPY and LISTEN, as asyncpg has them.

    async def copy_from_table(self, table_name: str, **options: object) -> str:
        """Copy a table to a file, a path or a coroutine function."""
        label = f"COPY {table_name} TO STDOUT"
        status: str = await self._session.call("copy_from_table", label, (table_name,), options)
        return status

    async def copy_from_query(self, query: str | Query, *args: object, **options: object) -> str:
        """Copy the rows of a query to a file, a path or a coroutine function."""
        text: Any = query
        if text.__class__ is not str:
            text, args = render(text, args)
        label = f"COPY ({text}) TO STDOUT"
        status: str = await self._session.call("copy_from_query", label, (text, *args), options)
        return status

    async def copy_to_table(self, table_name: str, **options: object) -> str:
        """Copy a file, a path or an asynchronous iterable to a table."""
        label = f"COPY {table_name} FROM STDIN"
        status: str = await self._session.call("copy_to_table", label, (table_name,), options)
        return status

    async def copy_records_to_table(self, table_name: str, **options: object) -> str:
        """Copy records to a table, in PostgreSQL's binary format."""
        label = f"COPY {table_name} FROM STDIN"
        status: str = await self._session.call(
            "copy_records_to_table", label, (table_name,), options
        )
        return status

    async def add_listener(self, channel: str, callback: Listener) -> None:
        """Call `callback(connection, pid, channel, payload)` for each NOTIFY during the block.

        When the connection ends, so does the block, whatever it waits for: with
        `DatabaseUnavailable`. A transaction hears nothing before its end, and is not watched.
        """
        session = self._session
        await session.call("add_listener", f"LISTEN {channel}", (channel, callback), {})
        if session.scope is None and session.listening is None:
            session.listening = Listening(session.conn)

    async def remove_listener(self, channel: str, callback: Listener) -> None:
        """Take a listener away again."""
        await self._session.call("remove_listener", f"UNLISTEN {channel}", (channel, callback), {})

    def give_back(self) -> None:
        """Give the connection back before the end of the block, to wait for something else.

        A later statement takes another one. Nothing happens in a transaction, nor where a statement
        left something in the session of the connection: a setting, a stream, a listener.
        """
        session, lease = self._session, self._session.lease
        if lease is None or session.scope is not None or lease.began or lease.spoiled:
            return
        if session.clean and session.state == READY:
            session.release()
            session.state = READY

    async def connection(self) -> asyncpg.Connection:
        """Return asyncpg's connection itself, for what this class lacks.

        It is closed after the block, as nobody knows what was done to it.
        """
        session = self._session

        async def retire(conn: asyncpg.Connection) -> asyncpg.Connection:
            assert session.lease is not None
            session.lease.hand_out()
            return conn

        conn: asyncpg.Connection = await session.guard(retire, "CONNECTION")
        return conn


class ReadCursor(Session, Cursor):
    """The cursor of `acquire()`: its own session, so that a read makes one object alone."""

    __slots__ = ()

    _run = Session.run

    @property
    def _session(self) -> Session:
        return self
