"""Listings by limit and offset, for callers who know nothing else.

`Offsets` is read at start-up; `OffsetPage` is made per request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from msframework.pagination.counting import Total, read_total
from msframework.pagination.links import PageLinks
from msframework.pagination.pages import find_wrong_total, show_numbers
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

_MAX_OFFSET = 1_000_000


@dataclass(frozen=True, slots=True)
class OffsetPage:
    """The rows of a listing that were asked for: *limit* of them at most, from *offset* on.

    Attributes:
        rule: the declaration.
    """

    limit: int
    offset: int
    rule: Offsets

    async def fetch(
        self, cur: RowSource, query: str | Query, *args: object, total: str | int | None = None
    ) -> PageResult:
        """Fetch these rows of *query*; the arguments are those of `Page.fetch`."""
        way = read_total(self.rule.total)
        table, count, more, counted = await fetch_window(
            cur, way, self.limit, self.offset, query, args, total
        )
        return PageResult.of_table(table, self._numbers(count), self._links(count, more, counted))

    def result(self, rows: Sequence[object], total: int) -> PageResult:
        """Return *rows* as these of *total* rows, for listings that fetch for themselves."""
        more = self.offset + self.limit < total
        return PageResult(rows, self._numbers(total), self._links(total, more, True))

    def _numbers(self, total: int | None) -> dict[str, int]:
        numbers = dict(zip(self.rule.names, (self.limit, self.offset), strict=True))
        return numbers if total is None else numbers | {"total": total}

    def _links(self, total: int | None, more: bool, counted: bool) -> PageLinks:
        limit, offset, furthest = self.limit, self.offset, self.rule.max_offset
        last = None
        if counted:
            assert total is not None
            last = max(total - 1, 0) // limit * limit
        return PageLinks(
            self.rule.names[1],
            0,
            max(offset - limit, 0) if offset else None,
            offset + limit if more and offset + limit <= furthest else None,
            last if last is not None and last <= furthest else None,
        )


@dataclass(frozen=True, slots=True)
class Offsets:
    """Limit and offset, as the parameters of a listing.

    PostgreSQL reads all rows before an offset and throws them away, hence `max_offset`.

    Args:
        limit: how many rows are sent when the caller does not say.
        max_limit: the most that a caller may ask for.
        total: as that of `Pages`.
        max_offset: the largest offset that a caller may ask for.
        names: the names of the two parameters, which stand in the answer, too.
    """

    limit: int = 20
    max_limit: int = 100
    total: str | bool = "exact"
    max_offset: int = _MAX_OFFSET
    names: tuple[str, str] = ("limit", "offset")
    decorator: ClassVar[str] = "@doc.paginate"
    component: ClassVar[str] = "OffsetPagination"

    def find_mistakes(self) -> Iterator[str]:
        """Yield the mistakes of the declaration."""
        sizes = {
            "limit": self.limit,
            "max_limit": self.max_limit,
            "max_offset": self.max_offset,
        }
        mistakes = [*find_wrong_sizes(**sizes), *find_wrong_total(self.total)]
        yield from mistakes
        if not mistakes and self.max_offset + self.max_limit > LARGEST:
            yield (
                f"@doc.paginate got max_offset={self.max_offset}; expected no more than {LARGEST} "
                "rows with max_limit, as PostgreSQL counts no further. Lower it."
            )
        if len({*self.names, "total"}) != 3 or not all(map(str.isidentifier, self.names)):
            yield (
                f"@doc.paginate got names={self.names!r}; expected the names of limit and offset, "
                'as ("limit", "offset"), and not "total".'
            )

    def compile(self) -> Callable[[PageRequest, PageErrors], OffsetPage | None]:
        """Return the function that reads both parameters from a request's query string."""
        limited, started = self.names
        most, furthest = self.max_limit, self.max_offset
        usual = min(self.limit, most)
        default = OffsetPage(usual, 0, self)

        def load_page(request: PageRequest, errors: PageErrors) -> OffsetPage | None:
            if not request.query_string:
                return default
            args = request.get_args(keep_blank_values=True)
            wrong: Wrong = {}
            limit = read_number(args.getlist(limited) or [], usual, 1, most, wrong, limited)
            offset = read_number(args.getlist(started) or [], 0, 0, furthest, wrong, started)
            if wrong:
                errors.setdefault("query", {}).update(wrong)
                return None
            return OffsetPage(limit, offset, self)

        return load_page

    def document_parameters(self) -> dict[str, JSONObject]:
        """Return both parameters with their bounds."""
        limited, started = self.names
        usual = min(self.limit, self.max_limit)
        return {
            limited: show_number("How many rows at most.", 1, self.max_limit, usual),
            started: show_number("How many rows to leave out.", 0, self.max_offset, 0),
        }

    def document_pagination(self) -> JSONObject:
        """Return the JSON Schema of the numbers that come with the rows."""
        least = dict(zip(self.names, (1, 0), strict=True))
        if read_total(self.total) is not Total.NONE:
            least["total"] = 0
        return show_numbers(least, self.total)

    def example_error(self) -> JSONObject:
        """Return the errors of a limit that is no number."""
        return {"query": {self.names[0]: [NOT_A_NUMBER]}}
