"""Numbered pages: what a listing method receives as `page`, and what it answers.

`compile_page` runs at start-up; `Page` is made per request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, Select, fn

from msframework.operation import PageRule
from msframework.types import Row

Errors = dict[str, Any]
_MAX_OFFSET = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PageResult:
    """The rows of one page and the numbers that go with them."""

    rows: Sequence[Any]
    pagination: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of a listing was asked for; `page` counts from 1."""

    page: int
    per_page: int
    counts: bool = True

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return (self.page - 1) * self.per_page

    @property
    def limit(self) -> int:
        """How many rows this page holds at most."""
        return self.per_page

    async def fetch(
        self, cur: Any, query: Any, *args: Any, total: str | int | None = None
    ) -> PageResult:
        """Fetch this page of *query*, and count all of its rows unless the rule says not to.

        Args:
            cur: what `acquire()` or `transaction()` gave.
            query: a peewee select, or SQL text without LIMIT and OFFSET.
            args: the arguments of the SQL text.
            total: a cheaper count: a number, or SQL text (which receives *args*, too).
        """
        rows: Sequence[Row]
        if isinstance(query, str):
            count = len(args)
            sql = f"{query} LIMIT ${count + 1} OFFSET ${count + 2}"
            rows = await cur.fetch(sql, *args, self.per_page, self.offset)
        else:
            rows = await cur.fetch(query.limit(self.per_page).offset(self.offset))
        if not self.counts:
            return PageResult(rows, {"page": self.page, "per_page": self.per_page})
        if total is None:
            total = _count_of(query)
        if not isinstance(total, int):
            total = await cur.fetchval(total, *args)
        return self.result(rows, int(total or 0))

    def result(self, rows: Sequence[Any], total: int) -> PageResult:
        """Return *rows* as this page of *total* rows, for listings that fetch for themselves."""
        return PageResult(
            rows,
            {
                "page": self.page,
                "per_page": self.per_page,
                "total": total,
                "pages": -(-total // self.per_page),
            },
        )


def _count_of(query: Any) -> Any:
    """Return the query that counts the rows of *query*."""
    if isinstance(query, str):
        return f"SELECT count(*) FROM ({query}) AS counted"  # noqa: S608 - the service's own SQL
    inner = query.order_by().limit(None).offset(None).alias("counted")
    return Select([inner], [fn.COUNT(SQL("*"))])


def compile_page(rule: PageRule) -> Callable[[Any, Errors], Page | None]:
    """Return the function that reads `page` and `per_page` from a request's query string."""
    default = Page(1, rule.per_page, rule.total)
    largest = rule.max_per_page
    bound = f"Must be greater than or equal to 1 and less than or equal to {largest}."

    def load_page(request: Any, errors: Errors) -> Page | None:
        if not request.query_string:
            return default
        get = request.args.get
        wrong: dict[str, list[str]] = {}
        page = _number(get("page"), 1, _MAX_OFFSET // largest, wrong, "page", _AT_LEAST_ONE)
        per_page = _number(get("per_page"), rule.per_page, largest, wrong, "per_page", bound)
        if wrong:
            errors.setdefault("query", {}).update(wrong)
            return None
        return Page(page, per_page, rule.total)

    return load_page


_AT_LEAST_ONE = "Must be greater than or equal to 1."


def _number(
    text: str | None,
    default: int,
    largest: int,
    wrong: dict[str, list[str]],
    name: str,
    message: str,
) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20):
        wrong[name] = ["Not a valid integer."]
        return default
    number = int(text)
    if not 1 <= number <= largest:
        wrong[name] = [message]
        return default
    return number
