"""Numbered pages: the argument `page` of a listing method, and its answer.

`Pages` is read at start-up; `Page` is made per request.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from peewee import SQL, Select, fn

from msframework.table import Table
from msframework.types import JSONObject, Query

PageErrors = dict[str, Any]


class RowSource(Protocol):
    """The methods of a cursor that a page is fetched by."""

    def fetchval(self, query: str | Query, *args: object) -> Awaitable[Any]:
        """Return one value of the first row."""

    def table(self, query: str | Query, *args: object) -> Awaitable[Table]:
        """Return all rows in the form that listings are written from."""


class PageResult:
    """The rows of one page and the numbers that go with them.

    The records of `Page.fetch` become dicts when `rows` is first read; an answer is
    written without them.
    """

    __slots__ = ("_rows", "_table", "pagination")

    def __init__(self, rows: Sequence[object], pagination: Mapping[str, object]) -> None:
        self._rows: Sequence[object] | None = rows
        self._table: Table | None = None
        self.pagination = pagination

    @classmethod
    def of_table(cls, table: Table, pagination: Mapping[str, object]) -> Self:
        """Return the page of the rows that one statement gave."""
        result = cls((), pagination)
        result._rows, result._table = None, table
        return result

    @property
    def rows(self) -> Sequence[Any]:
        """The rows: plain dicts where they come from the database; changes to them stay.

        From the first reading on these are sent.
        """
        rows = self._rows
        if rows is None:
            assert self._table is not None
            rows = self._rows = self._table.rows()
            self._table = None
        return rows

    @property
    def table(self) -> Table | None:
        """The rows as they came, until somebody reads them; `None` for other rows."""
        return self._table

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        assert isinstance(other, PageResult)
        return (self.rows, self.pagination) == (other.rows, other.pagination)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rows={self.rows!r}, pagination={self.pagination!r})"


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
        self, cur: RowSource, query: str | Query, *args: object, total: str | int | None = None
    ) -> PageResult:
        """Fetch this page of *query*, and count all of its rows unless the rule says not to.

        Args:
            cur: the cursor of `acquire()` or `transaction()`.
            query: a peewee select, or SQL text without LIMIT and OFFSET.
            args: the arguments of the SQL text.
            total: a cheaper count: a number, or SQL text (which receives *args*, too).
        """
        numbers = {"page": self.page, "per_page": self.per_page}
        if self.counts:
            if not isinstance(total, int):
                total = await cur.fetchval(_count_of(query) if total is None else total, *args)
            numbers = self._numbers(int(total or 0))
        # PERF: the rows come last, as they are written next: another statement in between lets
        # other requests drive them out of the processor's caches (benchmarks/README.md, row list).
        if isinstance(query, str):
            count = len(args)
            sql = f"{query} LIMIT ${count + 1} OFFSET ${count + 2}"
            table = await cur.table(sql, *args, self.per_page, self.offset)
        else:
            select: Any = query
            table = await cur.table(select.limit(self.per_page).offset(self.offset))
        return PageResult.of_table(table, numbers)

    def result(self, rows: Sequence[object], total: int) -> PageResult:
        """Return *rows* as this page of *total* rows, for listings that fetch for themselves."""
        return PageResult(rows, self._numbers(total))

    def _numbers(self, total: int) -> dict[str, int]:
        return {
            "page": self.page,
            "per_page": self.per_page,
            "total": total,
            "pages": -(-total // self.per_page),
        }


def _count_of(query: Any) -> str | Query:
    """Return the query that counts the rows of *query*."""
    if isinstance(query, str):
        return f"SELECT count(*) FROM ({query}) AS counted"  # noqa: S608 - the service's own SQL
    inner = query.order_by().limit(None).offset(None).alias("counted")
    return Select([inner], [fn.COUNT(SQL("*"))])


@dataclass(frozen=True, slots=True)
class Pages:
    """Numbered pages; their `total` is a `COUNT(*)` unless switched off.

    PostgreSQL reads all rows before a page and throws them away, hence `max_page`.
    """

    per_page: int = 20
    max_per_page: int = 100
    total: bool = True
    max_page: int = 10_000
    decorator: ClassVar[str] = "@doc.paginate"

    def find_mistakes(self) -> Iterator[str]:
        """Yield the mistakes of the declaration."""
        if self.per_page < 1 or self.max_per_page < 1:
            yield "@doc.paginate needs per_page and max_per_page of 1 or more."

    def compile(self) -> Callable[[Any, PageErrors], Page | None]:
        """Return the function that reads `page` and `per_page` from a request's query string."""
        default = Page(1, self.per_page, self.total)
        usual, largest, last = self.per_page, self.max_per_page, self.max_page
        bound, last_bound = (
            f"Must be greater than or equal to 1 and less than or equal to {most}."
            for most in (largest, last)
        )

        def load_page(request: Any, errors: PageErrors) -> Page | None:
            query = request.query_string
            if not query:
                return default
            matched = _match_usual(query)
            if matched is None:
                args = request.get_args(keep_blank_values=True)
                texts: tuple[Any, ...] = (args.getlist("page"), args.getlist("per_page"))
            else:
                texts = tuple([text] if text else [] for text in matched.groups())
            wrong: dict[str, list[str]] = {}
            page = _number(texts[0], 1, last, wrong, "page", last_bound)
            per_page = _number(texts[1], usual, largest, wrong, "per_page", bound)
            if wrong:
                errors.setdefault("query", {}).update(wrong)
                return None
            return Page(page, per_page, default.counts)

        return load_page

    def document_parameters(self) -> dict[str, JSONObject]:
        """Return `page` and `per_page` with their bounds."""
        page = {"type": "integer", "minimum": 1, "maximum": self.max_page, "default": 1}
        per_page = {**page, "maximum": self.max_per_page, "default": self.per_page}
        return {
            "page": {"description": "Which page, from 1.", "schema": page},
            "per_page": {"description": "Rows on a page.", "schema": per_page},
        }

    def document_pagination(self) -> JSONObject:
        """Return the JSON Schema of the numbers that come with a page."""
        least = {"page": 1, "per_page": 1} | ({"total": 0, "pages": 0} if self.total else {})
        properties = {name: {"type": "integer", "minimum": most} for name, most in least.items()}
        return {"type": "object", "properties": properties, "required": list(least)}

    def example_error(self) -> JSONObject:
        """Return the errors of a page that is no number."""
        return {"query": {"page": ["Not a valid integer."]}}


# PERF: the usual parameters of listings, read without a mapping of all of them
# (benchmarks/README.md, row list).
_match_usual = re.compile(r"page=([0-9]{1,18})(?:&per_page=([0-9]{1,18}))?").fullmatch


def _number(
    texts: list[str],
    default: int,
    largest: int,
    wrong: dict[str, list[str]],
    name: str,
    message: str,
) -> int:
    """Return the number that a parameter says; note in *wrong* why it is none."""
    if not texts:
        return default
    if len(texts) > 1:
        wrong[name] = [f"Given {len(texts)} times, but takes one value."]
        return default
    text = texts[0]
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20):
        wrong[name] = ["Not a valid integer."]
        return default
    number = int(text)
    if not 1 <= number <= largest:
        wrong[name] = [message]
        return default
    return number
