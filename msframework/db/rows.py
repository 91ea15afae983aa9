"""asyncpg's records as plain dicts. Runs per request."""

from __future__ import annotations

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
