"""Numbered pages: the argument `page` of a listing method, and its answer.

`Pages` is read at start-up; `Page` is made per request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from msframework.pagination.counting import Total, read_total
from msframework.pagination.links import PageLinks
from msframework.pagination.parameters import (
    LARGEST,
    NOT_A_NUMBER,
    PageErrors,
    PageRequest,
    Wrong,
    find_wrong_sizes,
    read_number,
    show_number,
)
from msframework.pagination.result import PageResult, RowSource
from msframework.pagination.window import fetch_window
from msframework.types import JSONObject, Query

_MAX_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of a listing was asked for; `page` counts from 1.

    Attributes:
        counts: how the rows of the whole listing are counted.
        max_page: the last page that may be asked for.
    """

    page: int
    per_page: int
    counts: Total = Total.EXACT
    max_page: int = _MAX_PAGE

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
        """Fetch this page of *query*, and count all of its rows as the declaration says.

        Args:
            cur: the cursor of `acquire()` or `transaction()`.
            query: a peewee select, or SQL text without LIMIT and OFFSET.
            args: the arguments of the SQL text.
            total: a cheaper count: a number, or SQL text (which receives *args*, too).
        """
        table, count, more, counted = await fetch_window(
            cur, self.counts, self.per_page, self.offset, query, args, total
        )
        return PageResult.of_table(table, self._numbers(count), self._links(count, more, counted))

    def result(self, rows: Sequence[object], total: int) -> PageResult:
        """Return *rows* as this page of *total* rows, for listings that fetch for themselves."""
        more = self.offset + self.per_page < total
        return PageResult(rows, self._numbers(total), self._links(total, more, True))

    def _numbers(self, total: int | None) -> dict[str, int]:
        if total is None:
            return {"page": self.page, "per_page": self.per_page}
        return {
            "page": self.page,
            "per_page": self.per_page,
            "total": total,
            "pages": -(-total // self.per_page),
        }

    def _links(self, total: int | None, more: bool, counted: bool) -> PageLinks:
        """Return the pages beside this one; those beyond `max_page` are none."""
        page, last = self.page, None
        if counted:
            assert total is not None
            pages = max(-(-total // self.per_page), 1)
            last = pages if pages <= self.max_page else None
            before = min(page - 1, pages)
        else:
            before = page - 1
        after = page + 1 if more and page < self.max_page else None
        return PageLinks("page", 1, before or None, after, last)


@dataclass(frozen=True, slots=True)
class Pages:
    """Numbered pages.

    PostgreSQL reads all rows before a page and throws them away, hence `max_page`.

    Args:
        per_page: rows on a page when the caller does not say.
        max_per_page: the most that a caller may ask for.
        total: how the rows of the whole listing are counted: "exact", by a `COUNT(*)`; "estimate",
            as the planner sees it; or "none". `True` and `False` mean exact and none.
        max_page: the last page that a caller may ask for.
    """

    per_page: int = 20
    max_per_page: int = 100
    total: str | bool = "exact"
    max_page: int = _MAX_PAGE
    decorator: ClassVar[str] = "@doc.paginate"
    component: ClassVar[str] = "Pagination"

    def find_mistakes(self) -> Iterator[str]:
        """Yield the mistakes of the declaration."""
        sizes = {
            "per_page": self.per_page,
            "max_per_page": self.max_per_page,
            "max_page": self.max_page,
        }
        mistakes = [*find_wrong_sizes(**sizes), *find_wrong_total(self.total)]
        yield from mistakes
        if not mistakes and self.max_page * self.max_per_page > LARGEST:
            yield (
                f"@doc.paginate got max_page={self.max_page} and max_per_page={self.max_per_page}; "
                f"expected no more than {LARGEST} rows, as PostgreSQL counts no further. Lower one."
            )

    def compile(self) -> Callable[[PageRequest, PageErrors], Page | None]:
        """Return the function that reads `page` and `per_page` from a request's query string."""
        most, last = self.max_per_page, self.max_page
        usual, way = min(self.per_page, most), read_total(self.total)
        default = Page(1, usual, way, last)

        def load_page(request: PageRequest, errors: PageErrors) -> Page | None:
            query = request.query_string
            if not query:
                return default
            matched = _match_usual(query)
            if matched is None:
                args = request.get_args(keep_blank_values=True)
                texts: tuple[Any, ...] = (args.getlist("page"), args.getlist("per_page"))
            else:
                texts = tuple([text] if text else [] for text in matched.groups())
            wrong: Wrong = {}
            page = read_number(texts[0], 1, 1, last, wrong, "page")
            per_page = read_number(texts[1], usual, 1, most, wrong, "per_page")
            if wrong:
                errors.setdefault("query", {}).update(wrong)
                return None
            return Page(page, per_page, way, last)

        return load_page

    def document_parameters(self) -> dict[str, JSONObject]:
        """Return `page` and `per_page` with their bounds."""
        usual = min(self.per_page, self.max_per_page)
        return {
            "page": show_number("Which page, from 1.", 1, self.max_page, 1),
            "per_page": show_number("Rows on a page.", 1, self.max_per_page, usual),
        }

    def document_pagination(self) -> JSONObject:
        """Return the JSON Schema of the numbers that come with a page."""
        least = {"page": 1, "per_page": 1}
        if read_total(self.total) is not Total.NONE:
            least |= {"total": 0, "pages": 0}
        return show_numbers(least, self.total)

    def example_error(self) -> JSONObject:
        """Return the errors of a page that is no number."""
        return {"query": {"page": [NOT_A_NUMBER]}}


def find_wrong_total(given: object) -> Iterator[str]:
    """Yield a mistake where *given* is no way of counting."""
    try:
        read_total(given)
    except ValueError:
        ways = ", ".join(f'"{way.value}"' for way in Total)
        yield f"@doc.paginate got total={given!r}; expected one of {ways}."


def show_numbers(least: dict[str, int], total: object) -> JSONObject:
    """Return the JSON Schema of the numbers of an answer, each with its least value."""
    properties: JSONObject = {
        name: {"type": "integer", "minimum": number} for name, number in least.items()
    }
    if read_total(total) is Total.ESTIMATE:
        properties["total"]["description"] = "An estimate; exact on the last page."
    return {"type": "object", "properties": properties, "required": list(least)}


# PERF: the usual parameters of listings, read without a mapping of all of them
# (benchmarks/README.md, row list).
_match_usual = re.compile(r"page=([0-9]{1,18})(?:&per_page=([0-9]{1,18}))?").fullmatch
