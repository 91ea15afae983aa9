"""The span of one statement. Runs per request whose trace is kept."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from msframework.db.lease import Lease
from msframework.db.shared import TIMED_ONLY, Shared
from msframework.db.statement import NO_SERVER, Statement
from msframework.tracing.span import Span, Tags

_MOST_ARGUMENT = 200


def note_statement(
    shared: Shared,
    parent: Any,
    began: float,
    statement: Statement,
    args: Sequence[object],
    lease: Lease | None,
    held: Lease | None,
    outcome: Any,
) -> None:
    """Leave the span of *statement*, which is over, under *parent*.

    Args:
        began: when the statement was asked for, in `perf_counter` seconds.
        args: what it was run with; shown only if *shared* says so.
        lease: the connection's lease; `None` where none was got.
        held: the same, before the statement.
        outcome: what the statement gave, or the exception that it ended with.
    """
    if shared.observe is not None:
        shared.observe(statement.kind, perf_counter() - began, outcome)
        if parent is TIMED_ONLY:
            return
    template = statement.template(NO_SERVER if lease is None else lease.pool.server)
    own: Tags = {}
    if args and shared.trace_arguments:
        own["db.arguments"] = ", ".join(map(_show, args))
    failed = isinstance(outcome, BaseException)
    if not failed:
        rows = count_rows(outcome)
        if rows is not None:
            own["db.rows"] = rows
    if held is None:
        lent = perf_counter() if lease is None else lease.since
        own["db.pool_wait_us"] = round((lent - began) * 1e6)
    span = Span(
        shared.tracer,
        template.name,
        "client",
        parent.trace_id,
        parent.span_id,
        parent.carried,
        own,
        began,
        template,
    )
    if failed:
        span.set_error(outcome)
    span.finish()


def _show(value: object) -> str:
    """Return *value* as Python shows it, bounded; cannot fail, as the statement has been run."""
    try:
        return repr(value)[:_MOST_ARGUMENT]
    except Exception:
        return f"<{type(value).__name__}>"


def count_rows(result: object) -> int | None:
    """Return how many rows a statement returned or changed; `None` where that is not known."""
    if result is None:
        return 0
    if isinstance(result, list):
        return len(result)
    if isinstance(result, str):
        count = result.rpartition(" ")[2]
        return int(count) if count.isdigit() else None
    return 1 if hasattr(result, "keys") else None
