"""How a transaction begins: along with its first statement, ahead of it, or once more.

Runs per request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from msframework.db.beyond import is_beyond, read_beyond
from msframework.db.errors import SCHEMA_CHANGED
from msframework.db.failure import explain
from msframework.db.lease import Lease, is_lost
from msframework.db.session import BUSY, Session
from msframework.db.statement import Statement
from msframework.db.statement_cache import EXECUTE, TABLE, Method
from msframework.exceptions import DatabaseUnavailable


class Beginning:
    """The BEGIN of one transaction, as its session needs it: see `Scope`.

    Args:
        text: the BEGIN.
        readonly: the transaction writes nothing.

    Attributes:
        text: the BEGIN.
        doomed: the transaction must not be committed.
    """

    __slots__ = ("_readonly", "_together", "doomed", "text")

    def __init__(self, text: str, *, readonly: bool) -> None:
        self.text, self._readonly = text, readonly
        self._together = self.doomed = False

    def begin_with(self, session: Session, lease: Lease, method: Method, query: str) -> bool:
        """Send BEGIN ahead of *query*, which saves a round trip; `False` if it must be awaited."""
        statements = lease.statements
        # PERF: `kept_by`, without the call (benchmarks/README.md, row create).
        kept = statements.tables if method is TABLE else statements.prepared
        if method.limit is None or query not in kept:
            return False
        if not statements.send_opening(self.text):
            return False
        lease.began = self._together = True
        self._note_write(session)
        return True

    async def begin(self, session: Session, lease: Lease) -> Lease:
        """Begin; a connection that turns out to be dead is replaced by the next."""
        begin = self.text
        for _ in range(session.shared.max_size):
            lease.began = True
            lease.deadline.begin()
            try:
                await lease.conn.execute(begin)
                if lease.statements.size and begin not in lease.statements.openings:
                    await lease.statements.prepare_opening(begin)
            except BaseException as exc:
                self._not_begun(session, session.settled(exc), lease, begin)
                lease = await session.take()
                continue
            lease.deadline.finish()
            self._note_write(session)
            return lease
        raise DatabaseUnavailable()

    def _note_write(self, session: Session) -> None:
        if not self._readonly and session.shared.affinity is not None:
            session.shared.affinity.note_write(session.request)

    def _not_begun(self, session: Session, exc: BaseException, lease: Lease, sql: str) -> None:
        """Give a dead connection back, as another one serves as well; else raise *exc*.

        As nothing was begun, the next statement of the block begins; after a cancellation nobody
        knows, so what it begins is not committed.
        """
        self.doomed = self.doomed or not isinstance(exc, Exception)
        replaced = isinstance(exc, Exception) and is_lost(lease.conn)
        if not replaced:
            session.note_failure(exc)
            exc = explain(exc, lease.conn, sql)
        session.lease = None
        lease.pool.give(lease, clean=False)
        if not replaced:
            raise exc

    async def mend(
        self,
        session: Session,
        exc: BaseException,
        method: Method,
        statement: Statement,
        args: Sequence[object],
        timeout: float | None,
    ) -> Any:
        """Begin again where that helps and nothing was done yet; else raise."""
        query = statement.sql
        repeatable = method.limit is not None or method is EXECUTE
        if isinstance(exc, Exception) and not session.used and repeatable:
            try:
                if await self._begin_again(session, exc, query):
                    lease = session.lease
                    assert lease is not None
                    return await session.run_again(lease, method, query, args, timeout)
            except BaseException as again:
                exc = session.settled(again)
        lease = session.lease
        if not isinstance(exc, Exception) and self._together and not session.used and lease:
            self._not_begun(session, exc, lease, query)
        if lease is not None and is_beyond(exc, method, statement):
            try:
                return await read_beyond(lease, method, query, args, timeout)
            except BaseException as again:
                exc = session.settled(again)
        session.note_failure(exc)
        failure = explain(exc, session.conn, query)
        if isinstance(exc, asyncpg.ReadOnlySQLTransactionError) and not self._readonly:
            # The server was the primary and isn't any more.
            if session.lease is not None:
                session.lease.retire()
                session.shared.note_refusal(exc, session.lease)
            failure = DatabaseUnavailable()
            failure.__cause__ = exc
        raise failure

    async def _begin_again(self, session: Session, exc: Exception, query: str) -> bool:
        """Begin again after the first statement failed with *exc*, or return `False`.

        Nothing was committed, so the same may be done on another connection.
        """
        lease = session.lease
        if lease is None:
            return False
        together = self._together and not lease.conn.is_in_transaction()
        if together and not _is_under_way(exc, lease):
            # It was sent along with a BEGIN that didn't take place.
            self._together = False
            self._not_begun(session, exc, lease, query)
            await self.begin(session, await session.take())
            return True
        if not isinstance(exc, SCHEMA_CHANGED):
            return False
        session.note_failure(exc)
        session.state = BUSY
        lease.deadline.begin()
        await lease.conn.execute("ROLLBACK")
        await lease.conn.reload_schema_state()
        await lease.conn.execute(self.text)
        lease.deadline.finish()
        return True


def _is_under_way(exc: Exception, lease: Lease) -> bool:
    """Whether the statement was late, and the server has not ended it yet."""
    late = isinstance(exc, TimeoutError) and not is_lost(lease.conn)
    return late and lease.statements.is_cancelling()
