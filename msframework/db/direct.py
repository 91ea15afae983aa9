"""Straight to asyncpg's protocol: statements without its layers, and BEGIN without its own journey.

`bind_execute` of the protocol and the name of a prepared statement are asyncpg's, but documented
nowhere: so this runs with versions that it was tested with, and asyncpg's own methods with any
other, or where an instrumentation wants to see them called. Runs when a pool is made and when a
connection is opened; `send_opening` runs per request.
"""

from __future__ import annotations

import logging
import struct
from typing import Any, Final, NamedTuple

import asyncpg
from asyncpg.cursor import BaseCursor, Cursor
from asyncpg.prepared_stmt import PreparedStatement

from msframework._tested import is_tested, is_untouched
from msframework.db.lease import Lease, is_lost

TESTED_ASYNCPG: Final = ("0.32.",)
# What runs straight, and how many rows it asks for; 0 for all.
LIMITS: Final = {"fetch": 0, "fetchrow": 1, "table": 0}
logger = logging.getLogger("msframework.db")


class Opening(NamedTuple):
    """A BEGIN that is prepared on a connection.

    Attributes:
        message: what runs it: Bind and Execute, without a Sync.
        statement: asyncpg's; the server keeps it as long as this refers to it.
    """

    message: bytes
    statement: Any


def supports_direct() -> bool:
    """Whether statements may run straight; warns where asyncpg's version forbids it."""
    return is_tested(
        logger, "asyncpg", asyncpg.__version__, TESTED_ASYNCPG, "running statements straight"
    )


def is_watched() -> bool:
    """Whether something else looks at asyncpg's methods, which statements therefore go through."""
    return not is_untouched(asyncpg.Connection, PreparedStatement, BaseCursor, Cursor)


async def prepare_opening(lease: Lease, begin: str) -> None:
    """Have the next transaction on *lease* that begins with *begin* send it with a statement."""
    statement = await lease.conn.prepare(begin)
    # The unnamed portal; no formats, no arguments, no formats of results; no limit of rows.
    bind = b"\0" + statement.get_name().encode() + b"\0" + bytes(6)
    message = b"B" + struct.pack("!i", len(bind) + 4) + bind + b"E\0\0\0\x09" + bytes(5)
    lease.openings[begin] = Opening(message, statement)


def send_opening(lease: Lease, begin: str) -> bool:
    """Send *begin* ahead of the statement that comes next, or return `False` if that can't be done.

    One Sync ends both: should BEGIN fail, PostgreSQL skips the statement (its documentation,
    "Message Flow", "Extended Query"), so it never runs outside of the transaction. asyncpg takes
    the replies to BEGIN for a part of those to the statement.
    """
    opening = lease.openings.get(begin)
    transport = lease.conn._transport
    if opening is None or transport is None or transport.is_closing():
        return False
    transport.write(opening.message)
    return True


def is_under_way(exc: Exception, lease: Lease) -> bool:
    """Whether the statement was late: asyncpg still waits for what it came to on the server."""
    conn = lease.conn
    return isinstance(exc, TimeoutError) and not is_lost(conn) and conn._protocol._is_cancelling()
