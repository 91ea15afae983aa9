"""The rows of a listing from one place on: LIMIT and OFFSET. Runs per request."""

from __future__ import annotations

from typing import Final, NamedTuple

from msframework.models.sql import PaginatedQuery
from msframework.pagination.counting import Total, count_rows
from msframework.pagination.result import RowSource
from msframework.table import Table
from msframework.types import Query

_WINDOW: Final = ("window",)


class Window(NamedTuple):
    """Some rows of a listing.

    Attributes:
        total: how many rows the listing has; `None` where they are not counted.
        more: whether there are rows after these.
        counted: whether *total* is more than an estimate.
    """

    table: Table
    total: int | None
    more: bool
    counted: bool


async def fetch_window(
    cur: RowSource,
    way: Total,
    limit: int,
    offset: int,
    query: str | Query,
    args: tuple[object, ...],
    total: str | int | None,
) -> Window:
    """Fetch *limit* rows of *query* from *offset* on, and count all of them by *way*.

    Where they are not counted one more row is fetched, which tells whether there are more.
    """
    listing: str | PaginatedQuery
    listing = (
        query if isinstance(query, str) else PaginatedQuery(query, args if total is None else ())
    )
    count = None
    if way is not Total.NONE:
        count = await count_rows(cur, way, listing, args, total)
    exact = count is not None and (way is Total.EXACT or total is not None)
    most = limit if exact else limit + 1
    # PERF: the rows come last, as they are written next: another statement in between lets
    # other requests drive them out of the processor's caches (benchmarks/README.md, row list).
    sql, values = _window_of(listing, args, most, offset)
    table = await cur.table(sql, *values)
    records = table.records
    if exact:
        assert count is not None
        return Window(table, count, offset + limit < count, True)
    found = len(records)
    if found > limit:
        del records[limit:]
        return Window(table, None if count is None else max(count, offset + found), True, False)
    if count is not None and (found or not offset):
        return Window(table, offset + found, False, True)
    return Window(table, None if count is None else min(count, offset), False, False)


def _window_of(
    query: str | PaginatedQuery, args: tuple[object, ...], most: int, offset: int
) -> tuple[str, tuple[object, ...]]:
    """Return the text of *most* rows of *query* from *offset* on, and the arguments."""
    if isinstance(query, str):
        number = len(args)
        # NOTE: on a line of its own, as the text may end with a comment.
        sql = f"{query}\nLIMIT ${number + 1} OFFSET ${number + 2}"
        return sql, (*args, most, offset)
    return query.render(_WINDOW, lambda it: it.limit(most).offset(offset), (most, offset))
