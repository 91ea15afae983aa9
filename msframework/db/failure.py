"""What a failed statement means: a sick connection, a mistake in its arguments, or neither.

Runs per request, when something failed.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from msframework.db.errors import hide_values
from msframework.db.lease import is_lost
from msframework.exceptions import DatabaseUnavailable, ServiceException

# Failures after which the session is as it was: the server refused the statement, or there is no
# session.
HARMLESS = (asyncpg.PostgresError, asyncpg.DataError, ServiceException)
_MOST_SQL = 2000
MOST_ARGUMENTS: Final = 32_767
# The server ends the session, or cannot take writes any more after a failover.
_AWAY_STATES = frozenset({"57P01", "57P02", "57P03", "57P05"})


def is_away(exc: BaseException) -> bool:
    """Whether the connection that raised *exc* must not be lent again."""
    # NOTE: TimeoutError is an OSError too; the connection survives it, its statement is cancelled.
    if isinstance(exc, TimeoutError):
        return False
    return isinstance(exc, OSError) or getattr(exc, "sqlstate", None) in _AWAY_STATES


def is_unsent(exc: BaseException) -> bool:
    """Whether asyncpg could not send the arguments of a statement that was parsed already.

    NOTE: nothing ended that exchange (no Sync was sent), so PgBouncer would keep a server's
    connection for this one until the next statement on it.
    """
    return isinstance(exc, asyncpg.DataError) and exc.__cause__ is not None


def explain(exc: BaseException, conn: asyncpg.Connection, sql: str) -> BaseException:
    """Return the exception to raise for *exc*: *exc* itself with a note, or one of ours.

    Args:
        conn: the connection it ran on; `None` when none was taken.
        sql: the text of the statement; its arguments are never shown.
    """
    if not isinstance(exc, Exception) or isinstance(exc, ServiceException) or conn is None:
        return exc
    hide_values(exc)
    if isinstance(exc, asyncpg.DataError) and _is_wrong_type(exc.__cause__):
        return _wrong_type(exc, sql)
    if isinstance(exc, asyncpg.InterfaceError) and str(MOST_ARGUMENTS) in str(exc):
        return too_many(None)
    if is_lost(conn) or is_away(exc):
        return _unavailable(exc, f"the connection was lost during: {sql[:_MOST_SQL]}")
    if isinstance(exc, TimeoutError):
        return _unavailable(exc, f"it took longer than its time limit: {sql[:_MOST_SQL]}")
    if isinstance(exc, (asyncpg.PostgresError, asyncpg.InterfaceError)):
        exc.add_note(f"The statement was: {sql[:_MOST_SQL]}")
    if isinstance(exc, asyncpg.ReadOnlySQLTransactionError):
        exc.add_note("acquire() is for reading. Use transaction() to write.")
    if isinstance(exc, asyncpg.PostgresSyntaxError) and 'near "%"' in str(exc):
        exc.add_note("Arguments are written $1, $2, … in SQL text.")
    return exc


def too_many(count: int | None) -> ValueError:
    """Return the error of a statement with *count* arguments, which is more than can be sent."""
    return ValueError(
        f"a statement has {count or 'too many'} arguments; expected {MOST_ARGUMENTS} at most. "
        "Pass each list as one argument (`id = ANY($1)`, `unnest($1::int[], $2::text[])`), or "
        "send the rows in parts, by executemany(), or by copy_records_to_table()."
    )


def _is_wrong_type(cause: BaseException | None) -> bool:
    # NOTE: whether a moment has a zone may be the caller's choice, so it is a matter of its value.
    return isinstance(cause, (TypeError, AttributeError)) and "offset-naive" not in str(cause)


def _wrong_type(exc: BaseException, sql: str) -> TypeError:
    """Name the parameter and what is wrong with its type; the value itself is left out."""
    place = str(exc).partition("query argument ")[2].partition(": ")[0] or "an argument"
    failure = TypeError(f"parameter {place}: {exc.__cause__}")
    failure.add_note(f"The statement was: {sql[:_MOST_SQL]}")
    # NOTE: asyncpg's text shows the value, which may be a secret.
    failure.__suppress_context__ = True
    return failure


def _unavailable(exc: BaseException, note: str) -> DatabaseUnavailable:
    failure = DatabaseUnavailable()
    failure.add_note(note)
    failure.__cause__ = exc
    return failure
