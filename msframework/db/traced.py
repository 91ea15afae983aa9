"""The span of one statement. Runs per request whose trace is kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from time import perf_counter
from typing import Any

from msframework.db.lease import Lease
from msframework.db.shared import Shared
from msframework.db.stateless import verb_of
from msframework.tracing.span import Span

_MOST_SQL = 4000
_MOST_ARGUMENT = 200


def note_statement(
    shared: Shared,
    parent: Span,
    began: float,
    sql: str,
    args: Sequence[Any],
    lease: Lease | None,
    held: Lease | None,
    outcome: Any,
) -> None:
    """Leave the span of the statement *sql*, which is over, under *parent*.

    Args:
        began: when the statement was asked for, in `perf_counter` seconds.
        args: what it was run with; shown only if *shared* says so.
        lease: the connection's lease; `None` where none was got.
        held: the same, before the statement.
        outcome: what the statement gave, or the exception that it ended with.
    """
    name, known = _describe(sql)
    tags = dict(known)
    if lease is not None:
        tags.update(lease.pool.tags)
    carried = parent.carried
    span = Span(
        shared.tracer, name, "client", parent.trace_id, parent.span_id, carried, tags, began
    )
    span.known = len(tags)
    if args and shared.trace_arguments:
        tags["db.arguments"] = ", ".join(map(_show, args))
    if isinstance(outcome, BaseException):
        span.set_error(outcome)
    else:
        rows = count_rows(outcome)
        if rows is not None:
            tags["db.rows"] = rows
    if held is None:
        lent = perf_counter() if lease is None else lease.since
        tags["db.pool_wait_us"] = round((lent - began) * 1e6)
    span.finish()


# PERF: reading a text again costs as much as the rest of its span (benchmarks/lending.py).
@lru_cache(maxsize=1024)
def _describe(sql: str) -> tuple[str, dict[str, Any]]:
    """Return the name of a statement's span, `db.select` and the like, and what tells of it."""
    tags = {"component": "db-execute", "db.type": "sql", "db.statement": sql[:_MOST_SQL]}
    return f"db.{verb_of(sql).lower()}", tags


def _show(value: Any) -> str:
    """Return *value* as Python shows it, bounded; cannot fail, as the statement has been run."""
    try:
        return repr(value)[:_MOST_ARGUMENT]
    except Exception:
        return f"<{type(value).__name__}>"


def count_rows(result: Any) -> int | None:
    """Return how many rows a statement returned or changed; `None` where that is not known."""
    if result is None:
        return 0
    if isinstance(result, list):
        return len(result)
    if isinstance(result, str):
        count = result.rpartition(" ")[2]
        return int(count) if count.isdigit() else None
    return 1 if hasattr(result, "keys") else None
