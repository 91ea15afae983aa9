"""The span of one statement. Runs per request whose trace is kept."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from msframework.db.stateless import verb_of

_MOST_SQL = 4000
_MOST_ARGUMENT = 200


class Statement(NamedTuple):
    """What a span tells of a statement; `args` is empty unless arguments are to be shown."""

    sql: str
    args: Any = ()


async def run_traced(
    tracer: Any,
    parent: Any,
    statement: Statement,
    work: Coroutine[Any, Any, Any],
    peer: Callable[[], Mapping[str, Any]],
) -> Any:
    """Await *work* inside of a span under *parent* that names the statement.

    Args:
        peer: returns the tags of the server that it ran on, once that is known.
    """
    name = f"db.{verb_of(statement.sql).lower()}"
    span = tracer.start_child(name, parent, kind="client", component="db-execute")
    with span:
        span.set_tag("db.type", "sql")
        span.set_tag("db.statement", statement.sql[:_MOST_SQL])
        if statement.args:
            shown = [repr(value)[:_MOST_ARGUMENT] for value in statement.args]
            span.set_tag("db.arguments", ", ".join(shown))
        try:
            result = await work
        finally:
            for key, value in peer().items():
                span.set_tag(key, value)
        rows = count_rows(result)
        if rows is not None:
            span.set_tag("db.rows", rows)
    return result


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
