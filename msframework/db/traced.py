"""The span of one statement. Runs per request whose trace is kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from msframework.db.stateless import verb_of

_MOST_SQL = 4000
_MOST_ARGUMENT = 200


def start_span(tracer: Any, parent: Any, sql: str, args: Sequence[Any]) -> Any:
    """Begin the span of a statement under *parent*.

    Args:
        args: what it is run with; empty unless arguments are to be shown.
    """
    span = tracer.start_child(_name_of(sql), parent, kind="client", component="db-execute")
    span.set_tag("db.type", "sql")
    span.set_tag("db.statement", sql[:_MOST_SQL])
    if args:
        shown = [repr(value)[:_MOST_ARGUMENT] for value in args]
        span.set_tag("db.arguments", ", ".join(shown))
    return span


def note_rows(span: Any, result: Any) -> None:
    """Note on *span* how many rows a statement returned or changed, where that is known."""
    rows = count_rows(result)
    if rows is not None:
        span.set_tag("db.rows", rows)


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
