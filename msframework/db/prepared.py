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
from msframework.db.tables import check_names, prepare_table

TABLE: Final = "table"
_LONGEST: Final = 15 * 1024  # a longer text is not kept, as asyncpg has it


async def run_statement(
    lease: Lease, method: str, query: str, args: Sequence[Any], timeout: float | None
) -> Any:
    """Run *query* by *method* on *lease*, prepared or not."""
    statement, limit = kept_by(lease, method).get(query), LIMITS.get(method)
    if statement is None or limit is None:
        return await run_unprepared(lease, method, query, args, timeout)
    rows = await lease.run(statement._state, args, "", limit, False, timeout)
    if limit:
        return rows[0] if rows else None
    return rows


async def run_unprepared(
    lease: Lease, method: str, query: str, args: Sequence[Any], timeout: float | None
) -> Any:
    """Run *query* by *method* on *lease*, and keep it prepared if that is a thing to keep."""
    conn = lease.conn
    if method not in LIMITS or not lease.keeps or len(query) > _LONGEST:
        run = conn.fetch if method == TABLE else getattr(conn, method)
        result = await run(query, *args, timeout=timeout)
        if method == TABLE and result:
            check_names(tuple(result[0].keys()))
        return result
    kept = kept_by(lease, method)
    if len(kept) >= lease.keeps:
        # The oldest; as nobody refers to it, asyncpg closes it on the server with the next one.
        oldest = next(iter(kept))
        del kept[oldest]
        if method == TABLE:
            lease.texts.pop(oldest, None)
    if method == TABLE:
        kept[query], lease.texts[query] = await prepare_table(lease, query, timeout)
    else:
        kept[query] = await conn.prepare(query, timeout=timeout)
    return await run_statement(lease, method, query, args, timeout)


def kept_by(lease: Lease, method: str) -> dict[str, Any]:
    """Return the prepared statements of *lease* that *method* runs."""
    return lease.tables if method == TABLE else lease.prepared


def was_outdated(exc: BaseException, lease: Lease, method: str, query: str) -> bool:
    """Whether *query* failed because it was prepared before a table was altered, and no more.

    PostgreSQL finds that before it runs a statement, so outside of a transaction it can be run
    again.
    """
    return (
        isinstance(exc, asyncpg.InvalidCachedStatementError)
        and query in kept_by(lease, method)
        and not lease.conn.is_in_transaction()
    )


async def run_again(
    lease: Lease, method: str, query: str, args: Sequence[Any], timeout: float | None
) -> Any:
    """Forget what is prepared on *lease*, and run *query*."""
    lease.forget()
    if timeout is None:
        lease.timing.begin(lease)
    result = await run_statement(lease, method, query, args, timeout)
    finish(lease)
    return result
