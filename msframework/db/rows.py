"""asyncpg's records as the rows that a cursor returns. Runs per request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import asyncpg

from msframework.types import Row


def to_dict(row: asyncpg.Record | None) -> Row | None:
    """Return a record as a dict; `None` for no record."""
    # PERF: dict(record) looks each column up again, and `strict=` alone costs a tenth of a
    # microsecond (benchmarks/lending.py).
    if row is None:
        return None
    made = dict(zip(row.keys(), row))  # noqa: B905
    if len(made) != len(row):
        raise ColumnsAlike(row.keys())
    return made


def to_dicts(rows: Sequence[asyncpg.Record]) -> list[Row]:
    """Return records of one query as dicts."""
    if not rows:
        return []
    names = tuple(rows[0].keys())
    made = [dict(zip(names, row)) for row in rows]  # noqa: B905
    if len(made[0]) != len(names):
        raise ColumnsAlike(names)
    return made


class ColumnsAlike(ValueError):
    """A statement names several columns alike: of those a dict would keep the last only."""

    def __init__(self, names: Iterable[str]) -> None:
        counts = Counter(names)
        alike = ", ".join(repr(name) for name, count in counts.items() if count > 1)
        super().__init__(
            f"the statement gives several columns the name {alike}, and a row has room for one. "
            "Name them apart with AS, or take records(), whose values have numbers."
        )


def value_of(column: int) -> Callable[[asyncpg.Record | None], Any]:
    """Return what takes *column* out of a record; `None` of no record."""

    def value(row: asyncpg.Record | None) -> Any:
        return None if row is None else row[column]

    return value


def as_it_is(result: object) -> Any:
    """Return *result*."""
    return result
