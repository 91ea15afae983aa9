"""The statements that stay prepared on one connection, and how they are run.

Every name of asyncpg's that is documented nowhere stands in this module: `bind_execute` and the
settings of the protocol, the state of a prepared statement, the transport. So statements run
straight with versions that this was tested with, and through asyncpg's own methods with any other,
or where an instrumentation wants to see these called. Made when a connection is opened; runs per
request.

PERF: asyncpg keeps statements, too, and comes to them through five coroutines more for each run
(benchmarks/lending.py).
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import asyncpg
from asyncpg.cursor import BaseCursor, Cursor
from asyncpg.prepared_stmt import PreparedStatement

from msframework._tested import TESTED, is_tested, is_untouched
from msframework.db.tables import TEXT_CODECS, Codecs, check_names, find_texts, is_record
from msframework.table import Texts

TESTED_ASYNCPG: Final = TESTED["asyncpg"]
_LONGEST: Final = 15 * 1024  # a longer text is not kept, as asyncpg has it
Control = Callable[[str], Awaitable[str]]
logger = logging.getLogger("msframework.db")


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A way to run a statement.

    Attributes:
        name: the method of asyncpg's connection.
        limit: how many rows are asked for, 0 for all; `None` where only asyncpg's method can.
    """

    name: str
    limit: int | None = None


FETCH: Final = Method("fetch", 0)
FETCHROW: Final = Method("fetchrow", 1)
TABLE: Final = Method("fetch", 0)  # its rows go to JSON
EXECUTE: Final = Method("execute")
EXECUTEMANY: Final = Method("executemany")
FETCHMANY: Final = Method("fetchmany")


class Opening(NamedTuple):
    """A BEGIN that is prepared on a connection.

    Attributes:
        message: the bytes that run it: Bind and Execute, without a Sync.
        statement: asyncpg's; the server keeps it as long as this refers to it.
    """

    message: bytes
    statement: PreparedStatement


class KeptStatement:
    """A statement that is prepared on a connection.

    Attributes:
        statement: asyncpg's; the server keeps it as long as this refers to it.
        state: the part of it that the protocol runs.
        has_records: whether a column holds anonymous records. It is asked at once, as asyncpg
            forgets types that are made of others; see `StatementCache._has_records`.
    """

    __slots__ = ("has_records", "state", "statement")

    def __init__(self, statement: PreparedStatement) -> None:
        self.statement, self.state = statement, statement._state
        self.has_records = any(map(is_record, statement.get_attributes()))


def supports_direct() -> bool:
    """Whether statements may run straight; warns where asyncpg's version forbids it."""
    return is_tested(
        logger, "asyncpg", asyncpg.__version__, TESTED_ASYNCPG, "running statements straight"
    )


def is_watched() -> bool:
    """Whether something else looks at asyncpg's methods, which statements therefore go through."""
    return not is_untouched(asyncpg.Connection, PreparedStatement, BaseCursor, Cursor)


class StatementCache:
    """The statements that stay prepared on one connection.

    Args:
        conn: asyncpg's connection.
        size: how many are kept at most; with 0, asyncpg's own methods run them all.

    Attributes:
        prepared: those whose rows are records, by their text.
        tables: those whose rows go to JSON, by their text.
        texts: which columns of those hold texts.
        openings: those that begin transactions, by their text.
        bind_execute: runs one that is in `prepared` or `tables`.
        control: runs the text of a COMMIT or a ROLLBACK, and returns its status.
        stale: the schema changed since they were prepared.
        exposed: the borrower has the connection itself, and may change its codecs.
    """

    __slots__ = (
        "_conn",
        "bind_execute",
        "control",
        "exposed",
        "openings",
        "prepared",
        "size",
        "stale",
        "tables",
        "texts",
    )

    def __init__(self, conn: asyncpg.Connection, size: int = 0) -> None:
        self._conn, self.size = conn, size
        self.prepared: dict[str, KeptStatement] = {}
        self.tables: dict[str, KeptStatement] = {}
        self.texts: dict[str, Texts] = {}
        self.openings: dict[str, Opening] = {}
        self.bind_execute: Any = conn._protocol.bind_execute if size else None
        # PERF: `execute`, with a coroutine less (benchmarks/README.md, row create).
        self.control: Control = (
            partial(conn._protocol.query, timeout=None) if size else conn.execute
        )
        self.stale = self.exposed = False

    # Running.

    async def run(
        self, method: Method, query: str, args: Sequence[object], timeout: float | None
    ) -> Any:
        """Run *query* by *method*, prepared or not."""
        kept, limit = self.kept_by(method).get(query), method.limit
        if kept is None or limit is None:
            return await self.run_unprepared(method, query, args, timeout)
        rows = await self.bind_execute(kept.state, args, "", limit, False, timeout)
        if limit:
            return rows[0] if rows else None
        return rows

    async def run_unprepared(
        self, method: Method, query: str, args: Sequence[object], timeout: float | None
    ) -> Any:
        """Run *query* by *method*, and keep it prepared if that is a thing to keep."""
        if method.limit is None or not self.size or len(query) > _LONGEST:
            result = await getattr(self._conn, method.name)(query, *args, timeout=timeout)
            if method is TABLE and result:
                check_names(tuple(result[0].keys()))
            return result
        kept = self.kept_by(method)
        if len(kept) >= self.size:
            # The oldest; as nobody refers to it, asyncpg closes it on the server with the next one.
            oldest = next(iter(kept))
            del kept[oldest]
            if method is TABLE:
                self.texts.pop(oldest, None)
        if method is TABLE:
            kept[query], self.texts[query] = await self._prepare_table(query, timeout)
        else:
            kept[query] = KeptStatement(await self._conn.prepare(query, timeout=timeout))
        return await self.run(method, query, args, timeout)

    async def _prepare_table(
        self, query: str, timeout: float | None
    ) -> tuple[KeptStatement, Texts]:
        """Return *query* prepared, and which of its columns come as texts."""
        statement = await self._conn.prepare(query, timeout=timeout)
        check_names([column.name for column in statement.get_attributes()])
        texts = find_texts(statement)
        if not texts or self.exposed or self._has_records():
            return KeptStatement(statement), ()
        # NOTE: a statement keeps the codecs that there are while it is prepared, and nothing else
        # is prepared on the connection meanwhile.
        with self.lent_codecs(TEXT_CODECS):
            return KeptStatement(await self._conn.prepare(query, timeout=timeout)), texts

    def _has_records(self) -> bool:
        """Tell whether a statement is kept that looks for codecs while it runs.

        NOTE: anonymous records do. A change of codecs makes asyncpg forget all types that are made
        of others, and it finds them again only when a statement is prepared.
        """
        kept = (*self.prepared.values(), *self.tables.values())
        return any(each.has_records for each in kept)

    @contextmanager
    def lent_codecs(self, codecs: Codecs) -> Iterator[None]:
        """Prepare statements with *codecs* for a while."""
        settings = self._conn._protocol.get_settings()
        try:
            for oid, (name, encode, decode, form) in codecs.items():
                settings.add_python_codec(
                    oid, name, "pg_catalog", [], "scalar", encode, decode, form
                )
            yield
        finally:
            for oid, (name, *_) in codecs.items():
                settings.remove_python_codec(oid, name, "pg_catalog")

    # Keeping.

    def kept_by(self, method: Method) -> dict[str, KeptStatement]:
        """Return the prepared statements that *method* runs."""
        return self.tables if method is TABLE else self.prepared

    def was_outdated(self, exc: BaseException, method: Method, query: str) -> bool:
        """Whether *query* failed because it was prepared before a table was altered, and no more.

        PostgreSQL finds that before it runs a statement, so outside of a transaction it can be run
        again.
        """
        return (
            isinstance(exc, asyncpg.InvalidCachedStatementError)
            and query in self.kept_by(method)
            and not self._conn.is_in_transaction()
        )

    def forget(self) -> None:
        """Prepare all statements anew: the schema changed.

        NOTE: `texts` stay, as they tell of rows that may just be on their way.
        """
        self.prepared.clear()
        self.tables.clear()
        self.openings.clear()

    def expire(self) -> None:
        """Have `renew` called before the next borrower: the schema changed."""
        self.stale = True
        self.forget()

    async def renew(self) -> None:
        """Read the schema again, and prepare all statements anew."""
        self.forget()
        self.texts.clear()
        await self._conn.reload_schema_state()
        self.stale = False

    # Beginning transactions.

    async def prepare_opening(self, begin: str) -> None:
        """Have the next transaction that begins with *begin* send it with a statement."""
        statement = await self._conn.prepare(begin)
        # The unnamed portal; no formats, no arguments, no formats of results; no limit of rows.
        bind = b"\0" + statement.get_name().encode() + b"\0" + bytes(6)
        message = b"B" + struct.pack("!i", len(bind) + 4) + bind + b"E\0\0\0\x09" + bytes(5)
        self.openings[begin] = Opening(message, statement)

    def send_opening(self, begin: str) -> bool:
        """Send *begin* ahead of the next statement, or return `False` if that can't be done.

        One Sync ends both: should BEGIN fail, PostgreSQL skips the statement (its documentation,
        "Message Flow", "Extended Query"), so it never runs outside of the transaction. asyncpg
        takes the replies to BEGIN for a part of those to the statement.
        """
        opening = self.openings.get(begin)
        if opening is None:
            return False
        transport = self._conn._transport
        if transport is None or transport.is_closing():
            return False
        transport.write(opening.message)
        return True

    def is_cancelling(self) -> bool:
        """Whether asyncpg waits for the server to end a statement that was late."""
        cancelling: bool = self._conn._protocol._is_cancelling()
        return cancelling
