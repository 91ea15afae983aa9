"""What `transaction()` gives: a cursor whose statements take effect together, or not at all.

Runs per request.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any, Literal, Self

import asyncpg

from msframework.context import RequestContext
from msframework.db.beginning import Beginning
from msframework.db.cursor import Cursor
from msframework.db.failure import explain
from msframework.db.hooks import Callback, CommitHooks
from msframework.db.lease import Lease, is_lost
from msframework.db.model_statements import Run
from msframework.db.session import BUSY, CLOSED, READY, Session
from msframework.db.shared import Lender, Shared
from msframework.exceptions import TransactionAborted

Isolation = Literal["read_committed", "repeatable_read", "serializable"]
_ISOLATION = {
    "read_committed": " ISOLATION LEVEL READ COMMITTED",
    "repeatable_read": " ISOLATION LEVEL REPEATABLE READ",
    "serializable": " ISOLATION LEVEL SERIALIZABLE",
}

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


def current_transaction() -> Transaction | None:
    """Return the innermost transaction of this context, if there is one."""
    return _current.get()


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

    __slots__ = ("_beginning", "_depth", "_hooks", "_previous", "_run", "_session", "_task")
    _run: Run
    _session: Session

    def __init__(
        self,
        shared: Shared,
        source: Lender,
        request: RequestContext | None,
        span: Any,
        begin: str,
        *,
        readonly: bool,
    ) -> None:
        self._beginning = Beginning(begin, readonly=readonly)
        self._session = Session(shared, source, request, span, self._beginning)
        self._run = self._session.run
        self._depth = 0
        self._hooks: CommitHooks | None = None
        self._task: asyncio.Task[object] | None = None
        self._previous: Transaction | None = None

    def is_open_in_task(self, shared: Shared) -> bool:
        """Whether a transaction that begins now would lie inside of this one."""
        return (
            self._session.shared is shared
            and self._session.state != CLOSED
            and self._task is asyncio.current_task(shared.loop)
        )

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task(self._session.shared.loop)
        self._previous = _current.get()
        _current.set(self)
        self._session.state = READY
        return self

    async def __aexit__(
        self, exc_type: object, exc: BaseException | None, traceback: object
    ) -> None:
        hooks, failure = self._hooks, None
        if hooks is not None and exc is None and not self._beginning.doomed:
            try:
                await hooks.run_before()
            except BaseException as raised:
                exc = failure = raised
        _current.set(self._previous)
        session = self._session
        lease = session.lease
        try:
            if lease is None:
                if session.idle is not None and session.idle.expired and exc is None:
                    raise session.idle.failure()
                if self._beginning.doomed and exc is None:
                    raise TransactionAborted()
            elif exc is None:
                if session.state == BUSY or self._beginning.doomed:
                    await self._refuse_commit()
                status = await self._control(lease, "COMMIT")
                lease.began = False
                if status != "COMMIT":
                    # A statement failed, and its exception was caught inside of the block.
                    raise TransactionAborted()
            elif isinstance(exc, Exception):
                await self._roll_back()
            else:
                # Cancelled: the pool's own task rolls back, as this one must end.
                session.clean = False
        finally:
            session.release()
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
        if self._session.state == CLOSED:
            raise self._session.refusal()
        if self._hooks is None:
            self._hooks = CommitHooks()
        return self._hooks

    def transaction(self) -> Savepoint:
        """Return a savepoint: `async with cur.transaction()` rolls back alone if it fails."""
        return Savepoint(self)

    async def _refuse_commit(self) -> None:
        """Raise the reason why nothing can be committed; roll back where that is possible."""
        session = self._session
        if session.state == BUSY:
            session.clean = False
            raise session.refusal()
        await self._roll_back()
        raise TransactionAborted()

    async def _roll_back(self) -> None:
        """Roll back; the exception that asked for it matters more than a failure to do so."""
        session, lease = self._session, self._session.lease
        assert lease is not None
        if session.state != READY or is_lost(lease.conn):
            session.clean = False
            return
        try:
            await self._control(lease, "ROLLBACK")
        except Exception:
            return
        lease.began = False

    async def _control(self, lease: Lease, sql: str) -> str:
        """Send COMMIT or its like; no span is made, and a failure leaves the connection unclean."""
        session, deadline = self._session, lease.deadline
        deadline.begin()
        try:
            status = await lease.statements.control(sql)
            deadline.finish()
        except BaseException as exc:
            exc = session.settled(exc)
            session.note_failure(exc)
            session.clean = False
            raise explain(exc, session.conn, sql)  # noqa: B904 - it carries its cause
        return status


async def start_over(tx: Transaction) -> None:
    """Undo the innermost block of *tx*, of which a statement failed, and begin it once more.

    NOTE: what it did is lost, so whoever calls this lets it fail again, or calls `doom`.
    """
    # NOTE: AND CHAIN would not do: after a failure it keeps no READ WRITE.
    again = f"ROLLBACK; {tx._beginning.text}"
    sql = f"ROLLBACK TO SAVEPOINT {_name_of(tx._depth)}" if tx._depth else again
    await _send_control(tx._session, sql)


def doom(tx: Transaction) -> None:
    """Let *tx* be rolled back at its end, however its block ends."""
    tx._beginning.doomed = True


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
        self._name = _name_of(outer._depth)
        if outer._hooks is not None:
            self._mark = outer._hooks.mark()
        try:
            await self._send(f"SAVEPOINT {self._name}")
        except BaseException:
            outer._depth -= 1
            raise
        return outer

    async def __aexit__(
        self, exc_type: object, exc: BaseException | None, traceback: object
    ) -> None:
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
            outer._beginning.doomed = True

    async def _send_back(self, sql: str) -> None:
        """Roll back to the savepoint; if that fails the whole transaction must not be committed."""
        if self._outer._hooks is not None:
            self._outer._hooks.drop_from(self._mark)
        try:
            await self._send(sql)
        except BaseException as exc:
            self._outer._beginning.doomed = True
            if not isinstance(exc, Exception):
                raise

    async def _send(self, sql: str) -> None:
        await _send_control(self._outer._session, sql)


def _name_of(depth: int) -> str:
    """Return the name of the savepoint that is the block at *depth*."""
    return f"msframework_{depth}"


async def _send_control(session: Session, sql: str) -> None:
    """Send a statement that does nothing but control the transaction."""

    async def send(conn: asyncpg.Connection) -> None:
        await conn.execute(sql)

    clean = session.clean
    await session.guard(send, sql)
    # What it does ends with the transaction: nothing of it is left in the session.
    session.clean = clean
