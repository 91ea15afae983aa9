"""The number of rows of a listing: counted, or as the planner estimates it. Runs per request."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from peewee import SQL, Select, fn

from msframework.models.sql import render
from msframework.pagination.result import RowSource
from msframework.types import Query


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
    query: str | Query,
    args: tuple[object, ...],
    total: str | int | None,
) -> int:
    """Return how many rows *query* has; *total* is a cheaper count, as of `Page.fetch`."""
    if isinstance(total, int):
        return total
    if total is None and way is Total.ESTIMATE:
        return await _estimate(cur, query, args)
    return int(await cur.fetchval(_count_of(query) if total is None else total, *args) or 0)


async def _estimate(cur: RowSource, query: str | Query, args: tuple[object, ...]) -> int:
    """Return the planner's estimate of the rows of *query*."""
    if not isinstance(query, str):
        unordered: Any = query
        query, args = render(unordered.order_by(), args)
    plan: Any = await cur.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *args)
    if isinstance(plan, str):
        plan = json.loads(plan)
    return int(plan[0]["Plan"]["Plan Rows"])


def _count_of(query: Any) -> str | Query:
    """Return the query that counts the rows of *query*."""
    if isinstance(query, str):
        return f"SELECT count(*) FROM ({query}\n) AS counted"  # noqa: S608 - the service's own SQL
    inner = query.order_by().limit(None).offset(None).alias("counted")
    return Select([inner], [fn.COUNT(SQL("*"))])
