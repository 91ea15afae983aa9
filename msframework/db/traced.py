"""The span of one statement. Runs per request whose trace is kept."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import lru_cache
from time import monotonic
from typing import Any

from msframework.db.lease import Lease
from msframework.db.shared import Shared
from msframework.db.stateless import verb_of

_MOST_SQL = 4000
_MOST_ARGUMENT = 200


async def run_traced(
    shared: Shared,
    parent: Any,
    sql: str,
    args: Sequence[Any],
    work: Coroutine[Any, Any, Any],
    get_lease: Callable[[], Lease | None],
) -> Any:
    """Await *work* inside of a span under *parent* that tells of the statement and where it ran.

    Args:
        args: what the statement is run with; shown only if `shared` says so.
        get_lease: returns the connection's lease, once there is one.
    """
    span = _start_span(shared.tracer, parent, sql, args if shared.trace_arguments else ())
    asked, held = monotonic(), get_lease()
    with span:
        try:
            result = await work
            rows = count_rows(result)
            if rows is not None:
                span.set_tag("db.rows", rows)
        finally:
            lease = get_lease()
            if lease is not None:
                for key, value in lease.pool.tags.items():
                    span.set_tag(key, value)
            if held is None:
                lent = monotonic() if lease is None else lease.since
                span.set_tag("db.pool_wait_us", round((lent - asked) * 1e6))
    return result


def _start_span(tracer: Any, parent: Any, sql: str, args: Sequence[Any]) -> Any:
    span = tracer.start_child(_name_of(sql), parent, kind="client", component="db-execute")
    span.set_tag("db.type", "sql")
    span.set_tag("db.statement", sql[:_MOST_SQL])
    if args:
        shown = [repr(value)[:_MOST_ARGUMENT] for value in args]
        span.set_tag("db.arguments", ", ".join(shown))
    return span


# PERF: reading a text again costs as much as the rest of its span (benchmarks/lending.py).
@lru_cache(maxsize=1024)
def _name_of(sql: str) -> str:
    """Return the name of a statement's span: `db.select` and the like."""
    return f"db.{verb_of(sql).lower()}"


def count_rows(result: Any) -> int | None:
    """Return how many rows a statement returned or changed; `None` where that is not known."""
    if isinstance(result, list):
        return len(result)
    if isinstance(result, str):
        count = result.rpartition(" ")[2]
        return int(count) if count.isdigit() else None
    if result is None:
        return 0
    return 1 if hasattr(result, "keys") else None
