"""The number of rows of a listing: counted, or as the planner estimates it. Runs per request."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Final

from peewee import SQL, Select, fn

from msframework.models.sql import PaginatedQuery
from msframework.pagination.result import RowSource

_COUNT: Final = ("count",)
_UNORDERED: Final = ("unordered",)


class Total(Enum):
    """How the rows of a listing are counted.

    A `COUNT(*)` reads all of them. The estimate is the planner's, of the statistics that ANALYZE
    (and autovacuum with it) left: it costs a plan, whatever the table holds.
    """

    EXACT = "exact"
    ESTIMATE = "estimate"
    NONE = "none"


def read_total(given: object) -> Total:
    """Return the way of counting that *given* names.

    Raises:
        ValueError: it names none.
    """
    if given is True or given is False:
        return Total.EXACT if given else Total.NONE
    return Total(given)


async def count_rows(
    cur: RowSource,
    way: Total,
    query: str | PaginatedQuery,
    args: tuple[object, ...],
    total: str | int | None,
) -> int:
    """Return how many rows *query* has; *total* is a cheaper count, as of `Page.fetch`."""
    if isinstance(total, int):
        return total
    if total is not None:
        return int(await cur.fetchval(total, *args) or 0)
    if way is Total.ESTIMATE:
        return await _estimate(cur, query, args)
    if isinstance(query, str):
        sql = f"SELECT count(*) FROM ({query}\n) AS counted"  # noqa: S608 - the service's own SQL
        return int(await cur.fetchval(sql, *args) or 0)
    sql, values = query.render(_COUNT, _count_of)
    return int(await cur.fetchval(sql, *values) or 0)


async def _estimate(cur: RowSource, query: str | PaginatedQuery, args: tuple[object, ...]) -> int:
    """Return the planner's estimate of the rows of *query*."""
    if not isinstance(query, str):
        query, args = query.render(_UNORDERED, _unordered)
    plan: Any = await cur.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *args)
    if isinstance(plan, str):
        plan = json.loads(plan)
    return int(plan[0]["Plan"]["Plan Rows"])


def _unordered(query: Any) -> Any:
    return query.order_by()


def _count_of(query: Any) -> Any:
    """Return the query that counts the rows of *query*."""
    inner = query.order_by().limit(None).offset(None).alias("counted")
    return Select([inner], [fn.COUNT(SQL("*"))])
