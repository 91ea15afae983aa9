"""The rows of one page, and all that is answered with them. Made per request."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, Self

from msframework.pagination.links import PageLinks
from msframework.table import Table
from msframework.types import Query


class RowSource(Protocol):
    """The methods of a cursor that a page is fetched by."""

    def fetchval(self, query: str | Query, *args: object) -> Awaitable[Any]:
        """Return one value of the first row."""

    def table(self, query: str | Query, *args: object) -> Awaitable[Table]:
        """Return all rows in the form that listings are written from."""


class PageResult:
    """The rows of one page and the numbers that go with them.

    The records of `fetch` become dicts when `rows` is first read; an answer is written without
    them.

    Attributes:
        pagination: what the answer says beside the rows.
        links: the other pages, for the `Link` header; `None` where none is sent.
    """

    __slots__ = ("_rows", "_table", "links", "pagination")

    def __init__(
        self,
        rows: Sequence[object],
        pagination: Mapping[str, object],
        links: PageLinks | None = None,
    ) -> None:
        self._rows: Sequence[object] | None = rows
        self._table: Table | None = None
        self.pagination = pagination
        self.links = links

    @classmethod
    def of_table(
        cls, table: Table, pagination: Mapping[str, object], links: PageLinks | None = None
    ) -> Self:
        """Return the page of the rows that one statement gave."""
        result = cls((), pagination, links)
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
