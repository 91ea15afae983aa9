"""The run of a statement: on one connection, which is taken when it is needed.

Runs per request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final, Protocol, Self, TypeVar

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
from msframework.db.rows import as_it_is
from msframework.db.shared import Lender, Shared
from msframework.db.statement import Statement
from msframework.db.statement_cache import TABLE, Method
from msframework.db.stream import ConnectionCall, IdleLimit
from msframework.db.traced import note_statement
from msframework.models.sql import render
from msframework.table import Table

MethodOptions = dict[str, Any]
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
    """One connection for the statements of a block, taken at the first of them.

    Attributes:
        shared: all that the cursors of a database have in common.
        request: the one that the block is for; `None` without one.
        lease: the connection's; `None` before the first statement.
        scope: the transaction that all statements belong to; `None` without one.
        state: whether a statement may be run.
        clean: no statement left anything behind in the connection's session.
        used: a statement came to its end.
        idle: cuts off a stream that nobody reads.
        listening: ends the block when a connection that listens ends.
    """

    __slots__ = (
        "_source",
        "_span",
        "_stateless",
        "clean",
        "idle",
        "lease",
        "listening",
        "request",
        "scope",
        "shared",
        "state",
        "used",
    )

    def __init__(
        self,
        shared: Shared,
        source: Lender,
        request: Any,
        span: Any,
        scope: Scope | None = None,
    ) -> None:
        self.shared, self._source = shared, source
        self.request, self._span = request, span
        self._stateless = shared.statements.stateless
        self.lease: Lease | None = None
        self.idle: IdleLimit | None = None
        self.listening: Listening | None = None
        self.scope = scope
        self.clean = True
        self.used = False
        self.state = CLOSED

    async def __aenter__(self) -> Self:
        self.state = READY
        return self

    async def __aexit__(
        self, exc_type: object, exc: BaseException | None, traceback: object
    ) -> None:
        try:
            if self.listening is not None:
                self.listening.close(exc)
        finally:
            self.release()

    @property
    def conn(self) -> Any:
        """The connection; `None` where none is held."""
        lease = self.lease
        return None if lease is None else lease.conn

    def release(self) -> None:
        """Give the connection back; what still runs on it makes it unfit to be lent at once."""
        if self.idle is not None:
            self.idle.pause()
        lease = self.lease
        if lease is not None:
            self.lease = None
            clean = self.clean and self.state == READY and not lease.began
            lease.pool.give(lease, clean=clean)
        self.state = CLOSED

    # How a statement is run.

    async def run(
        self, method: Method, give: Callable[[Any], T], query: Any, args: Any, timeout: float | None
    ) -> T:
        """Run a statement by *method* of the connection, and return what *give* makes of it."""
        if query.__class__ is not str:
            query, args = render(query, args)
        statement = self._stateless.get(query)
        if statement is None or self.state:
            statement = self._admit(query)
        # PERF: a span is made when its statement is over, so that one that is kept takes the same
        # way as all others, and no coroutine more (benchmarks/README.md, row read_one).
        began = None if self._span is None else perf_counter()
        self.state = BUSY
        held = lease = self.lease
        try:
            if lease is None:
                # PERF: as in `_connect`, with a coroutine less (benchmarks/lending.py).
                lease = self._hold(self._source.take_nowait() or await self._source.take())
                scope = self.scope
                if scope is not None and not scope.begin_with(self, lease, method, query):
                    lease = await scope.begin(self, lease)
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
                result = await self._mend(self.settled(exc), method, statement, args, timeout)
            except BaseException as failure:
                if began is not None:
                    self._note(began, held, statement, args, failure)
                raise
        self.used = True
        if self.state == BUSY:
            self.state = READY
        if began is not None:
            self._note(began, held, statement, args, result)
        return give(result)

    def _admit(self, query: str) -> Statement:
        """Return the statement *query*; notes one that is not stateless.

        Raises:
            asyncpg.InterfaceError: it cannot be run now.
        """
        if self.state:
            raise self.refusal()
        statements = self.shared.statements
        statement = statements.known.get(query) or statements.learn(query)
        if not statement.stateless:
            self.clean = False
        return statement

    def _note(
        self, began: float, held: Lease | None, statement: Statement, args: Any, outcome: object
    ) -> None:
        """Leave the span of a statement that is over; see `note_statement`."""
        note_statement(self.shared, self._span, began, statement, args, self.lease, held, outcome)

    async def table(self, query: object, *args: object, timeout: float | None = None) -> Table:
        """Return all rows in the form that listings are written from: see `Table`."""
        if query.__class__ is not str:
            query, args = render(query, args)
        records = await self.run(TABLE, as_it_is, query, args, timeout)
        lease = self.lease
        return Table(records, () if lease is None else lease.statements.texts.get(query, ()))

    async def call(
        self, method: str, label: str, args: Sequence[object], options: MethodOptions
    ) -> Any:
        """Call a method of asyncpg after which the connection must be reset."""

        async def call(conn: asyncpg.Connection) -> Any:
            self.clean = False
            return await getattr(conn, method)(*args, **options)

        return await self.guard(call, label, timeout=options.get("timeout"))

    async def guard(
        self,
        call: ConnectionCall,
        label: str,
        args: Sequence[object] = (),
        timeout: float | None = None,
    ) -> Any:
        """Await *call* on the connection, as if it were the statement *label* with *args*.

        Args:
            timeout: what *call* keeps to by itself; `DB_COMMAND_TIMEOUT` holds when `None`.
        """
        statement = self._admit(label)
        began, held = perf_counter(), self.lease
        try:
            result = await self._guarded(call, label, timeout)
        except BaseException as exc:
            if self._span is not None:
                self._note(began, held, statement, args, exc)
            raise
        if self._span is not None:
            self._note(began, held, statement, args, result)
        return result

    async def _guarded(self, call: ConnectionCall, label: str, timeout: float | None) -> Any:
        self.state = BUSY
        try:
            lease = await self._connect()
            if timeout is None:
                lease.deadline.begin()
            result = await call(lease.conn)
            lease.deadline.finish()
        except BaseException as exc:
            exc = self.settled(exc)
            self.note_failure(exc)
            raise explain(exc, self.conn, label)  # noqa: B904 - it carries its cause
        self.used = True
        if self.state == BUSY:
            self.state = READY
        return result

    async def stream(self, call: ConnectionCall, label: str, timeout: float | None) -> Any:
        """Await *call* inside of a transaction, and watch the time until the next one."""
        idle = self.idle
        if idle is None:
            idle = self.idle = IdleLimit(self.shared.cursor_idle_timeout, self.release)
        idle.pause()

        async def call_in_transaction(conn: asyncpg.Connection) -> Any:
            await self._need_transaction(conn)
            return await call(conn)

        result = await self.guard(call_in_transaction, label, timeout=timeout)
        idle.run()
        return result

    async def _need_transaction(self, conn: asyncpg.Connection) -> None:
        if self.scope is None and not conn.is_in_transaction():
            assert self.lease is not None
            self.clean = False
            self.lease.began = True
            await conn.execute("BEGIN READ ONLY")

    def refusal(self) -> Exception:
        """Return the failure of a statement that cannot be run now."""
        if self.idle is not None and self.idle.expired:
            return self.idle.failure()
        refusal: Exception = asyncpg.InterfaceError(_REFUSALS[self.state])
        return refusal

    async def _connect(self) -> Lease:
        """Return the connection's lease; the first statement takes one, and may begin a block."""
        lease = self.lease
        if lease is None:
            lease = await self.take()
            if self.scope is not None:
                lease = await self.scope.begin(self, lease)
        return lease

    async def take(self) -> Lease:
        """Take a connection."""
        return self._hold(self._source.take_nowait() or await self._source.take())

    def _hold(self, lease: Lease) -> Lease:
        """Make *lease* this cursor's."""
        if self.state == CLOSED:
            lease.pool.give(lease, clean=True)
            raise self.refusal()
        request = self.request
        if request is None:
            request = asyncio.current_task(self.shared.loop)
        lease.holder = request
        lease.since = perf_counter()
        self.lease = lease
        return lease

    def settled(self, exc: BaseException) -> BaseException:
        """Return the meaning of *exc*: a statement that was late ends by a cancellation."""
        lease = self.lease
        return exc if lease is None else lease.deadline.settle(exc)

    async def _mend(
        self,
        exc: BaseException,
        method: Method,
        statement: Statement,
        args: Sequence[object],
        timeout: float | None,
    ) -> Any:
        """Raise *exc*, or run a statement again that was prepared for an older table."""
        if self.scope is not None:
            return await self.scope.mend(self, exc, method, statement, args, timeout)
        lease, query = self.lease, statement.sql
        if isinstance(exc, asyncpg.OutdatedSchemaCacheError):
            await self.conn.reload_schema_state()
        elif lease is not None and lease.statements.was_outdated(exc, method, query):
            try:
                lease.statements.forget()
                return await self.run_again(lease, method, query, args, timeout)
            except BaseException as again:
                exc = self.settled(again)
        elif lease is not None and is_beyond(exc, method, statement):
            try:
                return await read_beyond(lease, method, query, args, timeout)
            except BaseException as again:
                exc = self.settled(again)
        self.note_failure(exc)
        self.shared.note_refusal(exc, lease)
        if len(args) > MOST_ARGUMENTS and isinstance(exc, Exception):
            raise too_many(len(args)) from exc
        raise explain(exc, self.conn, query)

    async def run_again(
        self, lease: Lease, method: Method, query: str, args: Any, timeout: float | None
    ) -> Any:
        """Run a statement that failed once more, and give it as much time as before."""
        if timeout is None:
            lease.deadline.begin()
        result = await lease.statements.run(method, query, args, timeout)
        lease.deadline.finish()
        return result

    def note_failure(self, exc: BaseException) -> None:
        """Decide what a failure means for the connection."""
        if self.state == BUSY:
            self.state = READY
        if not isinstance(exc, HARMLESS) or is_unsent(exc):
            self.clean = False
        lease = self.lease
        if lease is not None:
            if is_away(exc):
                lease.retire()
            if isinstance(exc, SCHEMA_CHANGED):
                lease.pool.refresh()
            elif isinstance(exc, asyncpg.InvalidSQLStatementNameError):
                lease.statements.forget()  # somebody took them away: DEALLOCATE ALL


class Scope(Protocol):
    """The part of a transaction that its session needs."""

    def begin_with(self, session: Session, lease: Lease, method: Method, query: str) -> bool:
        """Send BEGIN ahead of *query*, or return `False` if it must be awaited."""

    async def begin(self, session: Session, lease: Lease) -> Lease:
        """Begin on *lease*, which was just taken, or on another one; returns that."""

    async def mend(
        self,
        session: Session,
        exc: BaseException,
        method: Method,
        statement: Statement,
        args: Sequence[object],
        timeout: float | None,
    ) -> Any:
        """Return the result of a statement that failed with *exc* and was run again, or raise."""
