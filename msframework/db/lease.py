"""One connection as a pool sees it, and what every pool can do.

Runs per request.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import asyncpg

from msframework.db.connection import limit_time
from msframework.db.deadline import NEVER, Deadline
from msframework.db.statement import ServerTags
from msframework.db.statement_cache import StatementCache
from msframework.exceptions import PoolExhausted


class Lease:
    """A connection and what must be known of it to lend it again.

    Attributes:
        conn: asyncpg's connection.
        pool: where it goes back to.
        holder: who has it now: a request, or a task.
        since: when it was lent, in `perf_counter` seconds, as the times of spans.
        began: a transaction may be open on it, so ROLLBACK comes before anything else.
        spoiled: it takes the long way back whatever its borrower says.
        retired: it is closed instead of being lent again.
        unused: maintenance rounds since it was lent last.
        expires: when its lifetime ends, on the monotonic clock.
        statements: those that stay prepared on it.
        deadline: when the statement that runs on it must have ended.
    """

    __slots__ = (
        "began",
        "conn",
        "deadline",
        "expires",
        "holder",
        "pool",
        "retired",
        "since",
        "spoiled",
        "statements",
        "unused",
    )

    def __init__(
        self,
        conn: asyncpg.Connection,
        pool: Pool,
        statements: StatementCache,
        deadline: Deadline,
        expires: float = NEVER,
    ) -> None:
        self.conn = conn
        self.pool = pool
        self.statements = statements
        self.deadline = deadline
        self.holder: object = None
        self.since = 0.0
        self.began = False
        self.spoiled = False
        self.retired = False
        self.unused = 0
        self.expires = expires

    def retire(self) -> None:
        """Have the connection closed when it comes back."""
        self.retired = self.spoiled = True

    def hand_out(self) -> None:
        """Let the borrower have the connection itself, which is closed when it comes back."""
        self.retire()
        self.statements.exposed = True
        if self.deadline.seconds < NEVER:
            limit_time(self.conn, self.deadline.seconds)


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """How many connections a pool may have, lends and keeps; who waits, and who ever had to."""

    limit: int
    used: int
    free: int
    waiting: int
    waits: int


class Pool(Protocol):
    """Lends connections; `LightPool` and `AsyncpgPool` do, with the same tests.

    Attributes:
        server: the tags by which spans tell of the server.
    """

    server: ServerTags

    @property
    def counts(self) -> PoolCounts:
        """How many connections and borrowers there are."""

    async def start(self) -> None:
        """Open the first connections."""

    async def stop(self) -> None:
        """Lend no more, wait for the lent connections, and close all."""

    def take_nowait(self) -> Lease | None:
        """Return a connection if one is free at once."""

    async def take(self) -> Lease:
        """Return a connection, waiting for it in turn."""

    def give(self, lease: Lease, *, clean: bool) -> None:
        """Take *lease* back; never waits, so a borrower that was cancelled can call it."""

    def refresh(self, *, renew: bool = False) -> None:
        """Have every connection forget its cached statements: the schema changed.

        Args:
            renew: close it instead of lending it again: the server takes no writes any more.
        """

    def expel(self) -> None:
        """Fail those who wait: the server is known to be away."""


def is_lost(conn: asyncpg.Connection) -> bool:
    """Whether *conn* has ended."""
    try:
        return bool(conn.is_closed())
    except asyncpg.InterfaceError:
        # asyncpg's pool has taken it back already, as it does with those that end while lent.
        return True


def exhausted(leases: list[Lease], size: int, waited: float) -> PoolExhausted:
    """Return the error for a borrower whose time is up; its note names those who hold a connection.

    NOTE: the names are for the log. They stand in no answer.
    """
    now = perf_counter()
    held = sorted((now - lease.since, _name(lease.holder)) for lease in leases if lease.holder)
    lines = [f"  {holder}, for {seconds:.1f} s" for seconds, holder in reversed(held)]
    exc = PoolExhausted()
    exc.add_note(
        "\n".join([f"No connection became free in {waited} s; all {size} are held by:", *lines])
    )
    return exc


def _name(holder: object) -> str:
    """Name a request by method and path, a task by its name."""
    if hasattr(holder, "get_name"):
        return f"task {holder.get_name()}"
    return f"{getattr(holder, 'method', '')} {getattr(holder, 'path', holder)}".strip()


async def reset(lease: Lease) -> None:
    """Make the connection of *lease* as it was when it was opened."""
    conn = lease.conn
    if lease.began or conn.is_in_transaction():
        await conn.execute("ROLLBACK")
    if lease.statements.stale:
        await lease.statements.renew()
    await conn.reset()
    lease.began = False
    lease.spoiled = lease.retired
