"""asyncpg's records as what a cursor gives. Runs per request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msframework.types import Row


def to_dict(row: Any) -> Row | None:
    """Return a record as a dict; `None` for no record."""
    # PERF: dict(record) looks each column up again, and `strict=` alone costs a tenth of a
    # microsecond (benchmarks/lending.py).
    return None if row is None else dict(zip(row.keys(), row))  # noqa: B905


def to_dicts(rows: Any) -> list[Row]:
    """Return records of one query as dicts."""
    if not rows:
        return []
    names = tuple(rows[0].keys())
    return [dict(zip(names, row)) for row in rows]  # noqa: B905


def value_of(column: int) -> Callable[[Any], Any]:
    """Return what takes *column* out of a record; `None` of no record."""

    def value(row: Any) -> Any:
        return None if row is None else row[column]

    return value


def as_it_is(result: Any) -> Any:
    """Return *result*."""
    return result
