"""How a cursor runs a statement: on one connection, which is taken when it is needed.

Runs per request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final, Self, TypeVar

import asyncpg

from msframework.db.beyond import is_beyond, read_beyond
from msframework.db.deadline import NEVER
from msframework.db.errors import SCHEMA_CHANGED
from msframework.db.failure import (
    HARMLESS,
    MOST_ARGUMENTS,
    explain,
    is_away,
    is_unsent,
    too_many,
)
from msframework.db.lease import Lease
from msframework.db.listening import Listening
from msframework.db.shared import Shared, Source
from msframework.db.statement import Statement
from msframework.db.statement_cache import TABLE, Method
from msframework.db.stream import IdleLimit
from msframework.db.traced import note_statement
from msframework.models.sql import render

Options = dict[str, Any]
T = TypeVar("T")
# The states of a cursor; all but the first refuse a statement.
READY: Final = 0
BUSY: Final = 1
CLOSED: Final = 2
_REFUSALS: Final = {
    BUSY: "another statement is still running on this cursor: await one after the other, or "
    "open a cursor for each task",
    CLOSED: "the cursor is closed: use it inside of its `async with` block",
}


class Session:
    """One connection for the statements of a block, taken at the first of them."""

    __slots__ = (
        "_clean",
        "_idle",
        "_lease",
        "_listening",
        "_request",
        "_shared",
        "_source",
        "_span",
        "_state",
        "_stateless",
        "_used",
    )

    # What is sent before the first statement.
    _begin: str | None = None

    def __init__(self, shared: Shared, source: Source, request: Any, span: Any) -> None:
        self._shared, self._source = shared, source
        self._request, self._span = request, span
        self._stateless = shared.statements.stateless
        self._lease: Lease | None = None
        self._idle: IdleLimit | None = None
        self._listening: Listening | None = None
        self._clean = True
        self._used = False
        self._state = CLOSED

    async def __aenter__(self) -> Self:
        self._state = READY
        return self

    async def __aexit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> None:
        try:
            if self._listening is not None:
                self._listening.close(exc)
        finally:
            self._release()

    @property
    def _conn(self) -> Any:
        """The connection; `None` where none is held."""
        lease = self._lease
        return None if lease is None else lease.conn

    def _release(self) -> None:
        """Give the connection back; what still runs on it makes it unfit to be lent at once."""
        if self._idle is not None:
            self._idle.pause()
        lease = self._lease
        if lease is not None:
            self._lease = None
            clean = self._clean and self._state == READY and not lease.began
            lease.pool.give(lease, clean=clean)
        self._state = CLOSED

    # How a statement is run.

    async def _run(
        self, method: Method, give: Callable[[Any], T], query: Any, args: Any, timeout: float | None
    ) -> T:
        """Run a statement by *method* of the connection, and return what *give* makes of it."""
        if query.__class__ is not str:
            query, args = render(query, args)
        statement = self._stateless.get(query)
        if statement is None or self._state:
            statement = self._admit(query)
        # PERF: a span is made when its statement is over, so that one that is kept takes the same
        # way as all others, and no coroutine more (benchmarks/README.md, row read_one).
        began = None if self._span is None else perf_counter()
        self._state = BUSY
        held = lease = self._lease
        try:
            if lease is None:
                # PERF: as in `_connect`, with a coroutine less (benchmarks/lending.py).
                lease = self._hold(self._source.take_nowait() or await self._source.take())
                if self._begin is not None and not self._start_with(lease, method, query):
                    lease = await self._start(lease)
            deadline = lease.deadline
            if timeout is None:
                deadline.begin()
            # PERF: `StatementCache.run`, with a coroutine less (benchmarks/lending.py).
            cache, limit = lease.statements, method.limit
            kept = (cache.tables if method is TABLE else cache.prepared).get(query)
            if kept is None or limit is None:
                result = await cache.run_unprepared(method, query, args, timeout)
            else:
                result = await cache.bind_execute(kept.state, args, "", limit, False, timeout)
                if limit:
                    result = result[0] if result else None
            # PERF: `Deadline.finish`, without the call.
            deadline.due = NEVER
            if deadline.late:
                deadline.finish()
        except BaseException as exc:
            try:
                result = await self._failed(self._settled(exc), method, statement, args, timeout)
            except BaseException as failure:
                if began is not None:
                    self._note(began, held, statement, args, failure)
                raise
        self._used = True
        if self._state == BUSY:
            self._state = READY
        if began is not None:
            self._note(began, held, statement, args, result)
        return give(result)

    def _admit(self, query: str) -> Statement:
        """Return the statement *query*; notes one that is not stateless.

        Raises:
            asyncpg.InterfaceError: it cannot be run now.
        """
        if self._state:
            raise self._refusal()
        statements = self._shared.statements
        statement = statements.known.get(query) or statements.learn(query)
        if not statement.stateless:
            self._clean = False
        return statement

    def _note(
        self, began: float, held: Lease | None, statement: Statement, args: Any, outcome: Any
    ) -> None:
        """Leave the span of a statement that is over; see `note_statement`."""
        note_statement(self._shared, self._span, began, statement, args, self._lease, held, outcome)

    async def _pass(self, method: str, label: str, args: Any, options: Options) -> Any:
        """Call a method of asyncpg after which the connection must be reset."""

        async def call(conn: Any) -> Any:
            self._clean = False
            return await getattr(conn, method)(*args, **options)

        return await self.guard(call, label, timeout=options.get("timeout"))

    async def guard(
        self,
        call: Callable[[Any], Awaitable[Any]],
        label: str,
        args: Any = (),
        timeout: float | None = None,
    ) -> Any:
        """Await *call* on the connection, as if it were the statement *label* with *args*.

        Args:
            timeout: what *call* keeps to by itself; `DB_COMMAND_TIMEOUT` holds when `None`.
        """
        statement = self._admit(label)
        began, held = perf_counter(), self._lease
        try:
            result = await self._guarded(call, label, timeout)
        except BaseException as exc:
            if self._span is not None:
                self._note(began, held, statement, args, exc)
            raise
        if self._span is not None:
            self._note(began, held, statement, args, result)
        return result

    async def _guarded(
        self, call: Callable[[Any], Awaitable[Any]], label: str, timeout: float | None
    ) -> Any:
        self._state = BUSY
        try:
            lease = await self._connect()
            if timeout is None:
                lease.deadline.begin()
            result = await call(lease.conn)
            lease.deadline.finish()
        except BaseException as exc:
            exc = self._settled(exc)
            self._note_failure(exc)
            raise explain(exc, self._conn, label)  # noqa: B904 - it carries its cause
        self._used = True
        if self._state == BUSY:
            self._state = READY
        return result

    async def stream(
        self, call: Callable[[Any], Awaitable[Any]], label: str, timeout: float | None
    ) -> Any:
        """Await *call* inside of a transaction, and watch the time until the next one."""
        idle = self._idle
        if idle is None:
            idle = self._idle = IdleLimit(self._shared.cursor_idle_timeout, self._release)
        idle.pause()

        async def call_in_transaction(conn: Any) -> Any:
            await self._need_transaction(conn)
            return await call(conn)

        result = await self.guard(call_in_transaction, label, timeout=timeout)
        idle.run()
        return result

    async def _need_transaction(self, conn: Any) -> None:
        if not conn.is_in_transaction():
            assert self._lease is not None
            self._clean = False
            self._lease.began = True
            await conn.execute("BEGIN READ ONLY")

    def _refusal(self) -> Exception:
        if self._idle is not None and self._idle.expired:
            return self._idle.failure()
        refusal: Exception = asyncpg.InterfaceError(_REFUSALS[self._state])
        return refusal

    async def _connect(self) -> Lease:
        """Return the connection's lease; the first statement takes one, and may begin a block."""
        lease = self._lease
        if lease is None:
            lease = self._hold(self._source.take_nowait() or await self._source.take())
            if self._begin is not None:
                lease = await self._start(lease)
        return lease

    def _hold(self, lease: Lease) -> Lease:
        """Make *lease* this cursor's."""
        if self._state == CLOSED:
            lease.pool.give(lease, clean=True)
            raise self._refusal()
        request = self._request
        if request is None:
            request = asyncio.current_task(self._shared.loop)
        lease.holder = request
        lease.since = perf_counter()
        self._lease = lease
        return lease

    def _start_with(self, lease: Lease, method: Method, query: str) -> bool:
        """Send `_begin` ahead of *query*, or return `False` if it must be awaited."""
        raise NotImplementedError

    async def _start(self, lease: Lease) -> Lease:
        """Send `_begin` on a connection that was just taken, or on another one."""
        raise NotImplementedError

    def _settled(self, exc: BaseException) -> BaseException:
        """Return what *exc* means: a statement that was late ends by a cancellation."""
        lease = self._lease
        return exc if lease is None else lease.deadline.settle(exc)

    async def _failed(
        self,
        exc: BaseException,
        method: Method,
        statement: Statement,
        args: Any,
        timeout: float | None,
    ) -> Any:
        """Raise what happened, or run a statement again that was prepared for an older table."""
        lease, query = self._lease, statement.sql
        if isinstance(exc, asyncpg.OutdatedSchemaCacheError):
            await self._conn.reload_schema_state()
        elif lease is not None and lease.statements.was_outdated(exc, method, query):
            try:
                lease.statements.forget()
                return await self._run_again(lease, method, query, args, timeout)
            except BaseException as again:
                exc = self._settled(again)
        elif lease is not None and is_beyond(exc, method, statement):
            try:
                return await read_beyond(lease, method, query, args, timeout)
            except BaseException as again:
                exc = self._settled(again)
        self._note_failure(exc)
        if len(args) > MOST_ARGUMENTS and isinstance(exc, Exception):
            raise too_many(len(args)) from exc
        raise explain(exc, self._conn, query)

    async def _run_again(
        self, lease: Lease, method: Method, query: str, args: Any, timeout: float | None
    ) -> Any:
        """Run a statement that failed once more, and give it as much time as before."""
        if timeout is None:
            lease.deadline.begin()
        result = await lease.statements.run(method, query, args, timeout)
        lease.deadline.finish()
        return result

    def _note_failure(self, exc: BaseException) -> None:
        """Decide what a failure means for the connection."""
        if self._state == BUSY:
            self._state = READY
        if not isinstance(exc, HARMLESS) or is_unsent(exc):
            self._clean = False
        lease = self._lease
        if lease is not None:
            if is_away(exc):
                lease.retire()
            if isinstance(exc, SCHEMA_CHANGED):
                lease.pool.refresh()
            elif isinstance(exc, asyncpg.InvalidSQLStatementNameError):
                lease.statements.forget()  # somebody took them away: DEALLOCATE ALL
