"""Prepared statements that are kept with a connection. Runs per request.

PERF: asyncpg keeps statements, too, and comes to them through five coroutines more for each run
(benchmarks/lending.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from msframework.db.deadline import finish
from msframework.db.direct import LIMITS
from msframework.db.lease import Lease

_LONGEST: Final = 15 * 1024  # a longer text is not kept, as asyncpg has it


async def run_unprepared(
    lease: Lease, method: str, query: str, args: Sequence[Any], timeout: float | None
) -> Any:
    """Run *query* by *method* on *lease*, and keep it prepared if that is a thing to keep."""
    conn = lease.conn
    if method not in LIMITS or not lease.keeps or len(query) > _LONGEST:
        return await getattr(conn, method)(query, *args, timeout=timeout)
    prepared = lease.prepared
    if len(prepared) >= lease.keeps:
        # The oldest; as nobody refers to it, asyncpg closes it on the server with the next one.
        del prepared[next(iter(prepared))]
    prepared[query] = statement = await conn.prepare(query, timeout=timeout)
    return await getattr(statement, method)(*args, timeout=timeout)


def was_outdated(exc: BaseException, lease: Lease, query: str) -> bool:
    """Whether *query* failed because it was prepared before a table was altered, and no more.

    PostgreSQL finds that before it runs a statement, so outside of a transaction it can be run
    again.
    """
    return (
        isinstance(exc, asyncpg.InvalidCachedStatementError)
        and query in lease.prepared
        and not lease.conn.is_in_transaction()
    )


async def run_again(
    lease: Lease, method: str, query: str, args: Sequence[Any], timeout: float | None
) -> Any:
    """Forget what is prepared on *lease*, and run *query*."""
    lease.prepared.clear()
    if timeout is None:
        lease.timing.begin(lease)
    result = await getattr(lease.conn, method)(query, *args, timeout=timeout)
    finish(lease)
    return result
