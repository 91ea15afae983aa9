"""What the cursors of one `Database` share. Made at start-up, read per request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import asyncpg

from msframework.db.affinity import Affinity
from msframework.db.lease import Lease, Pool
from msframework.db.statement import Kind, Statements

Observe = Callable[[Kind, float, object], None]
# Stands where the span of a statement would: it is timed, and leaves none.
TIMED_ONLY: Final = object()


class Lender(Protocol):
    """Lends connections: one pool, or whichever replica is fit to be read from."""

    def take_nowait(self) -> Lease | None:
        """Return a connection if one is free at once."""

    async def take(self) -> Lease:
        """Return a connection, waiting for it in turn."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the cursors of one `Database` share.

    Args:
        statements: the facts of the SQL texts that were run.
        tracer: makes the spans of statements; `None` for none.
        trace_arguments: spans show the arguments, too.
        cursor_idle_timeout: seconds after which a stream that nobody reads is cut off; 0 for never.
        max_size: connections of a pool at most.
        affinity: remembers which requests wrote; `None` where there are no replicas.
        loop: where they run, which saves looking it up; `None` before the start.
        observe: counts a statement by its kind, duration and outcome; `None` if nobody reads that.
        writer: the pool of the primary, where the address asks for a server that takes writes.
    """

    statements: Statements
    tracer: Any
    trace_arguments: bool
    cursor_idle_timeout: float
    max_size: int
    affinity: Affinity | None
    loop: asyncio.AbstractEventLoop | None = None
    observe: Observe | None = None
    writer: Pool | None = None

    def note_refusal(self, exc: BaseException, lease: Lease | None) -> None:
        """Have the connections replaced that led to the primary, if *exc* says it is none any more.

        Where a proxy keeps them open, each would fail once more; a new one is asked what it is.
        """
        if self.writer is None or lease is None or lease.pool is not self.writer:
            return
        if isinstance(exc, asyncpg.ReadOnlySQLTransactionError):
            self.writer.refresh(renew=True)
