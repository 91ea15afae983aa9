"""What `transaction()` gives: a cursor whose statements take effect together, or not at all.

Runs per request.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any, Literal, Self

import asyncpg

from msframework.db.beyond import is_beyond, read_beyond
from msframework.db.cursor import Cursor
from msframework.db.deadline import finish
from msframework.db.direct import LIMITS, is_under_way, prepare_opening, send_opening
from msframework.db.errors import SCHEMA_CHANGED
from msframework.db.failure import explain
from msframework.db.hooks import Callback, CommitHooks
from msframework.db.lease import Lease, is_lost
from msframework.db.prepared import kept_by, run_statement
from msframework.db.shared import Shared, Source
from msframework.db.state import BUSY, CLOSED, READY
from msframework.exceptions import DatabaseUnavailable, TransactionAborted

Isolation = Literal["read_committed", "repeatable_read", "serializable"]
_ISOLATION = {
    "read_committed": " ISOLATION LEVEL READ COMMITTED",
    "repeatable_read": " ISOLATION LEVEL REPEATABLE READ",
    "serializable": " ISOLATION LEVEL SERIALIZABLE",
}

# What may be run once more, at the beginning of a transaction.
_REPEATED = frozenset({"execute", *LIMITS})

# The innermost transaction of this context, so that a nested one becomes a savepoint.
_current: ContextVar[Transaction | None] = ContextVar("msframework_db_transaction", default=None)


def begin_text(isolation: str | None, readonly: bool, deferrable: bool, *, write: bool) -> str:
    """Return the BEGIN of a transaction.

    Args:
        write: say READ WRITE, as the connection's transactions are read-only by default.

    Raises:
        ValueError: *isolation* is none of PostgreSQL's.
    """
    text = "BEGIN"
    if isolation is not None:
        if isolation not in _ISOLATION:
            raise ValueError(
                f"isolation is {isolation!r}, expected one of {', '.join(sorted(_ISOLATION))}"
            )
        text += _ISOLATION[isolation]
    if readonly:
        text += " READ ONLY"
    elif write:
        text += " READ WRITE"
    return text + " DEFERRABLE" if deferrable else text


def find_outer(shared: Shared) -> Transaction | None:
    """Return the transaction of *shared* that is open in this task, if there is one."""
    outer = _current.get()
    if outer is None or not outer.is_open_in_task(shared):
        return None
    return outer


class Transaction(Cursor):
    """A cursor whose statements are committed at the end of the block, or rolled back.

    BEGIN is sent before the first statement, or along with it if both are prepared; without a
    statement, nothing is sent at all. An exception or a cancellation rolls back; a COMMIT that
    fails raises.
    """

    __slots__ = (
        "_begin",
        "_depth",
        "_doomed",
        "_hooks",
        "_previous",
        "_readonly",
        "_task",
        "_together",
    )

    def __init__(
        self,
        shared: Shared,
        source: Source,
        request: Any,
        span: Any,
        begin: str,
        *,
        readonly: bool,
    ) -> None:
        super().__init__(shared, source, request, span)
        self._begin = begin
        self._readonly = readonly
        self._depth = 0
        self._doomed = False
        self._hooks: CommitHooks | None = None
        self._task: Any = None
        self._previous: Transaction | None = None
        self._together = False

    def is_open_in_task(self, shared: Shared) -> bool:
        """Whether a transaction that begins now would lie inside of this one."""
        return (
            self._shared is shared
            and self._state != CLOSED
            and self._task is asyncio.current_task(shared.loop)
        )

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task(self._shared.loop)
        self._previous = _current.get()
        _current.set(self)
        self._state = READY
        return self

    async def __aexit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> None:
        hooks, failure = self._hooks, None
        if hooks is not None and exc is None and not self._doomed:
            try:
                await hooks.run_before()
            except BaseException as raised:
                exc = failure = raised
        _current.set(self._previous)
        try:
            if self._lease is None:
                if self._idle is not None and self._idle.expired and exc is None:
                    raise self._idle.failure()
                if self._doomed and exc is None:
                    raise TransactionAborted()
            elif exc is None:
                await self._commit()
            elif isinstance(exc, Exception):
                await self._roll_back()
            else:
                # Cancelled: the pool's own task rolls back, as this one must end.
                self._clean = False
        finally:
            self._release()
        if failure is not None:
            raise failure
        if hooks is not None and exc is None:
            await hooks.run_after()

    def before_commit(self, callback: Callback) -> None:
        """Call `callback()` at the end of the block, inside of the transaction.

        What it raises rolls back. A plain function, or a coroutine function; several run in the
        order in which they were registered, those of a savepoint unless that is rolled back.
        """
        self._own_hooks().before.append(callback)

    def after_commit(self, callback: Callback) -> None:
        """Call `callback()` once the transaction is committed and its connection given back.

        What it raises is logged: nothing is undone, and the other callbacks run. It does not run
        where the COMMIT fails, or where nobody knows its outcome.
        """
        self._own_hooks().after.append(callback)

    def _own_hooks(self) -> CommitHooks:
        if self._state == CLOSED:
            raise self._refusal()
        if self._hooks is None:
            self._hooks = CommitHooks()
        return self._hooks

    def transaction(self) -> Savepoint:
        """Return a savepoint: `async with cur.transaction()` rolls back alone if it fails."""
        return Savepoint(self)

    async def _commit(self) -> None:
        if self._state == BUSY:
            self._clean = False
            raise self._refusal()
        if self._doomed:
            await self._roll_back()
            raise TransactionAborted()
        status = await self._control("COMMIT")
        assert self._lease is not None
        self._lease.began = False
        if status != "COMMIT":
            # A statement failed, and its exception was caught inside of the block.
            raise TransactionAborted()

    async def _roll_back(self) -> None:
        """Roll back; the exception that asked for it matters more than a failure to do so."""
        if self._state != READY or is_lost(self._conn):
            self._clean = False
            return
        try:
            await self._control("ROLLBACK")
        except Exception:
            return
        assert self._lease is not None
        self._lease.began = False

    async def _control(self, sql: str) -> str:
        """Send COMMIT or its like; no span is made, and a failure leaves the connection unclean."""
        lease = self._lease
        assert lease is not None
        lease.timing.begin(lease)
        try:
            status: str = await lease.conn.execute(sql)
            finish(lease)
        except BaseException as exc:
            exc = self._settled(exc)
            self._note_failure(exc)
            self._clean = False
            raise explain(exc, self._conn, sql)  # noqa: B904 - it carries its cause
        return status

    def _start_with(self, lease: Lease, method: str, query: str) -> bool:
        """Send BEGIN ahead of *query*, which saves a round trip; `False` if it must be awaited."""
        if method not in LIMITS or query not in kept_by(lease, method):
            return False
        assert self._begin is not None
        if not send_opening(lease, self._begin):
            return False
        lease.began = self._together = True
        self._note_write()
        return True

    async def _start(self, lease: Lease) -> Lease:
        """Begin; a connection that turns out to be dead is replaced by the next."""
        begin = self._begin
        assert begin is not None
        for _ in range(self._shared.max_size):
            lease.began = True
            lease.timing.begin(lease)
            try:
                await lease.conn.execute(begin)
                if lease.keeps and begin not in lease.openings:
                    await prepare_opening(lease, begin)
            except BaseException as exc:
                self._not_begun(self._settled(exc), lease, begin)
                lease = self._hold(self._source.take_nowait() or await self._source.take())
                continue
            finish(lease)
            self._note_write()
            return lease
        raise DatabaseUnavailable()

    def _note_write(self) -> None:
        if not self._readonly and self._shared.affinity is not None:
            self._shared.affinity.note_write(self._request)

    def _not_begun(self, exc: BaseException, lease: Lease, sql: str) -> None:
        """Give a dead connection back, as another one serves as well; else raise *exc*.

        As nothing was begun, the next statement of the block begins; after a cancellation nobody
        knows, so what it begins is not committed.
        """
        self._doomed = self._doomed or not isinstance(exc, Exception)
        replaced = isinstance(exc, Exception) and is_lost(lease.conn)
        if not replaced:
            self._note_failure(exc)
            exc = explain(exc, lease.conn, sql)
        self._lease = self._conn = None
        lease.pool.give(lease, clean=False)
        if not replaced:
            raise exc

    async def _failed(
        self, exc: BaseException, method: str, query: str, args: Any, timeout: float | None
    ) -> Any:
        """Begin again where that helps and nothing was done yet; else raise."""
        if isinstance(exc, Exception) and not self._used and method in _REPEATED:
            try:
                if await self._begin_again(exc, query):
                    lease = self._lease
                    assert lease is not None
                    if timeout is None:
                        lease.timing.begin(lease)
                    result = await run_statement(lease, method, query, args, timeout)
                    finish(lease)
                    return result
            except BaseException as again:
                exc = self._settled(again)
        lease = self._lease
        if not isinstance(exc, Exception) and self._together and not self._used and lease:
            self._not_begun(exc, lease, query)
        if lease is not None and is_beyond(exc, method, query, self._known.get(query)):
            try:
                return await read_beyond(lease, method, query, args, timeout)
            except BaseException as again:
                exc = self._settled(again)
        self._note_failure(exc)
        failure = explain(exc, self._conn, query)
        if isinstance(exc, asyncpg.ReadOnlySQLTransactionError) and not self._readonly:
            # The server was the primary and isn't any more.
            if self._lease is not None:
                self._lease.retire()
            failure = DatabaseUnavailable()
            failure.__cause__ = exc
        raise failure

    async def _begin_again(self, exc: Exception, query: str) -> bool:
        """Begin again after the first statement failed with *exc*, or return `False`.

        Nothing was committed, so the same may be done on another connection.
        """
        lease = self._lease
        if lease is None:
            return False
        together = self._together and not lease.conn.is_in_transaction()
        if together and not is_under_way(exc, lease):
            # It was sent along with a BEGIN that didn't take place.
            self._together = False
            self._not_begun(exc, lease, query)
            await self._start(self._hold(self._source.take_nowait() or await self._source.take()))
            return True
        if not isinstance(exc, SCHEMA_CHANGED):
            return False
        self._note_failure(exc)
        self._state = BUSY
        lease.timing.begin(lease)
        await lease.conn.execute("ROLLBACK")
        await lease.conn.reload_schema_state()
        await lease.conn.execute(self._begin)
        finish(lease)
        return True

    async def _need_transaction(self, conn: Any) -> None:
        """Do nothing: there is one."""


class Savepoint:
    """A transaction inside of a transaction, on the same connection and cursor."""

    __slots__ = ("_mark", "_name", "_outer")

    def __init__(self, outer: Transaction) -> None:
        self._outer = outer
        self._name = ""
        self._mark = (0, 0)

    async def __aenter__(self) -> Transaction:
        outer = self._outer
        outer._depth += 1
        self._name = f"msframework_{outer._depth}"
        if outer._hooks is not None:
            self._mark = outer._hooks.mark()
        try:
            await self._send(f"SAVEPOINT {self._name}")
        except BaseException:
            outer._depth -= 1
            raise
        return outer

    async def __aexit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> None:
        outer = self._outer
        outer._depth -= 1
        release = f"RELEASE SAVEPOINT {self._name}"
        back = f"ROLLBACK TO SAVEPOINT {self._name}; {release}"
        if exc is None:
            try:
                await self._send(release)
            except asyncpg.PostgresError:
                await self._send_back(back)
                raise
        elif isinstance(exc, Exception):
            await self._send_back(back)
        else:
            outer._doomed = True

    async def _send_back(self, sql: str) -> None:
        """Roll back to the savepoint; if that fails the whole transaction must not be committed."""
        if self._outer._hooks is not None:
            self._outer._hooks.drop_from(self._mark)
        try:
            await self._send(sql)
        except BaseException as exc:
            self._outer._doomed = True
            if not isinstance(exc, Exception):
                raise

    async def _send(self, sql: str) -> None:
        async def send(conn: Any) -> None:
            await conn.execute(sql)

        clean = self._outer._clean
        await self._outer.guard(send, sql)
        # A savepoint ends with its transaction: nothing of it is left in the session.
        self._outer._clean = clean
