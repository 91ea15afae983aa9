"""Listings by cursor: pages that hold still while rows come and go.

`Cursors` is read at start-up; `CursorPage` is made per request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from msframework._tested import demand
from msframework.exceptions import InvalidInput
from msframework.pagination.keyset import Keyset, ListPlace, read_keyset, read_text_keyset
from msframework.pagination.links import PageLinks
from msframework.pagination.parameters import (
    PageErrors,
    PageRequest,
    Wrong,
    find_wrong_sizes,
    given_often,
    read_number,
    show_number,
)
from msframework.pagination.position import (
    LONGEST,
    CursorSide,
    GivenCursor,
    read_content,
    read_cursor,
    write_cursor,
)
from msframework.pagination.result import PageResult, RowSource
from msframework.pagination.values import LongValue, read_value, shorten, write_value
from msframework.table import Table
from msframework.types import JSONObject, JSONValue, Query

_WRONG: Final = "Not a cursor of this listing."
_GONE: Final = "The row that this page begins at is gone, or has changed. Begin again."


@dataclass(frozen=True, slots=True)
class CursorPage:
    """Which rows of a listing were asked for: those at a cursor, or the first ones."""

    per_page: int
    cursor: GivenCursor | None = None

    @property
    def limit(self) -> int:
        """How many rows there are at most."""
        return self.per_page

    async def fetch(
        self,
        cur: RowSource,
        query: str | Query,
        *args: object,
        total: str | int | None = None,
        order: Sequence[str] = (),
    ) -> PageResult:
        """Fetch these rows of *query*, in its own order; nothing is counted.

        Args:
            cur: the cursor of `acquire()` or `transaction()`.
            query: a peewee select with its `order_by`, or SQL text without ORDER BY.
            args: the arguments of the SQL text.
            total: not used; other pages have it.
            order: by which columns the rows of the SQL text are ordered: names that are unique
                together, each with a "-" before it where it descends.

        Raises:
            InvalidInput: the cursor is not of this listing.
            TypeError: it cannot be told by what the query is ordered.
        """
        limit = self.per_page + 1
        if isinstance(query, str):
            keyset = read_text_keyset(query, args, order)
        else:
            keyset = read_keyset(query)
        place = self._place(keyset)
        try:
            if place is not None and any(value.__class__ is LongValue for value in place[1]):
                place = await self._recall(cur, keyset, place)
            sql, values = keyset.render(place, limit)
            table = await cur.table(sql, *values)
        except TypeError as exc:
            # NOTE: the type of a key is what PostgreSQL says, and asyncpg with it. A wrong argument
            # of the service's own has the first page raise this, which has no place.
            if place is None:
                raise
            raise _refusal(_WRONG) from exc
        return self._result(keyset, place, table)

    def _place(self, keyset: Keyset) -> ListPlace | None:
        """Return the place in a listing that the caller's cursor means."""
        if self.cursor is None:
            return None
        try:
            side, written = read_content(self.cursor, keyset.digest)
            values = [read_value(each) for each in written]
            keyset.check(values)
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
            raise _refusal(_WRONG) from None
        return side, values

    async def _recall(self, cur: RowSource, keyset: Keyset, place: ListPlace) -> ListPlace:
        """Return *place* with the values whose digests it has: they are read from their row."""
        side, values = place
        sql, args = keyset.render_row(values)
        records, texts, _ = await cur.table(sql, *args)
        if not records:
            raise _refusal(_GONE)
        made = dict(texts)
        names = [key.name for key in keyset.keys]
        written = [write_value(records[0][name], made.get(name)) for name in names]
        return side, [read_value(each) for each in written]

    def _result(self, keyset: Keyset, place: ListPlace | None, table: Table) -> PageResult:
        records, texts, _ = table
        more = len(records) > self.per_page
        if more:
            del records[self.per_page :]
        prev = following = None
        if place is not None and not records:
            # Nothing is there any more: what is on the other side begins at the place itself.
            side, values = place
            written = [write_value(value, None) for value in values]
            there = _write(keyset, side.opposite, written)
            prev, following = (None, there) if side.is_back else (there, None)
        elif records:
            back = place is not None and place[0].is_back
            if back:
                records.reverse()
            if more or back:
                following = self._cursor(keyset, CursorSide.AFTER, records[-1], dict(texts))
            if more if back else place is not None:
                prev = self._cursor(keyset, CursorSide.BEFORE, records[0], dict(texts))
        numbers = {"next": following, "prev": prev, "per_page": self.per_page}
        links = PageLinks("cursor", "", prev, following)
        return PageResult.of_table(Table(records, texts, keyset.hidden), numbers, links)

    def _cursor(self, keyset: Keyset, side: CursorSide, record: Any, texts: dict[str, type]) -> str:
        written: list[JSONValue] = [
            write_value(record[key.name], texts.get(key.name)) for key in keyset.keys
        ]
        return _write(keyset, side, written)


def _write(keyset: Keyset, side: CursorSide, written: list[JSONValue]) -> str:
    """Return the cursor of a place; of the values of one that would be too long, digests."""
    text = write_cursor(keyset.digest, side, written)
    if len(text) <= LONGEST:
        return text
    # What an index finds a row by stays whole if it can: it may be long where it compresses well.
    for kept in (True, False):
        keys = zip(keyset.keys, written, strict=True)
        parts = [each if key.exact and kept else shorten(each) for key, each in keys]
        text = write_cursor(keyset.digest, side, parts)
        if len(text) <= LONGEST:
            break
    else:
        raise ValueError(
            f"a cursor of {len(text)} characters was needed; expected {LONGEST} at most, as it "
            "stands in a URL. Sort the listing by fewer columns, and give its rows a short key."
        )
    return text


def _refusal(message: str) -> InvalidInput:
    return InvalidInput({"query": {"cursor": [message]}})


@dataclass(frozen=True, slots=True)
class Cursors:
    """Pages by cursor: each says where the next one and the previous one begin.

    They cost the same anywhere in a listing, as an index finds their first row; rows that come and
    go meanwhile make no other row appear twice or never. A caller cannot jump to a page.

    Args:
        per_page: rows on a page when the caller does not say.
        max_per_page: the most that a caller may ask for.
    """

    per_page: int = 20
    max_per_page: int = 100
    decorator: ClassVar[str] = "@doc.paginate"
    component: ClassVar[str] = "CursorPagination"

    def find_mistakes(self) -> Iterator[str]:
        """Yield the mistakes of the declaration."""
        return find_wrong_sizes(per_page=self.per_page, max_per_page=self.max_per_page)

    def compile(self) -> Callable[[PageRequest, PageErrors], CursorPage | None]:
        """Return the function that reads `cursor` and `per_page` from a request's query string."""
        demand("peewee", "a listing by cursors")
        most = self.max_per_page
        usual = min(self.per_page, most)
        default = CursorPage(usual)

        def load_page(request: PageRequest, errors: PageErrors) -> CursorPage | None:
            if not request.query_string:
                return default
            args = request.get_args(keep_blank_values=True)
            wrong: Wrong = {}
            per_page = read_number(args.getlist("per_page"), usual, 1, most, wrong, "per_page")
            texts = args.getlist("cursor")
            cursor = None
            if texts:
                cursor = read_cursor(texts[0])
                if len(texts) > 1 or cursor is None:
                    wrong["cursor"] = [given_often(texts) if len(texts) > 1 else _WRONG]
            if wrong:
                errors.setdefault("query", {}).update(wrong)
                return None
            return CursorPage(per_page, cursor)

        return load_page

    def document_parameters(self) -> dict[str, JSONObject]:
        """Return `cursor` and `per_page` with their bounds."""
        usual = min(self.per_page, self.max_per_page)
        text = "Where the page begins: `next` or `prev` of another page; left out for the first."
        schema = {"type": "string", "maxLength": LONGEST, "pattern": "^[A-Za-z0-9_-]+$"}
        return {
            "cursor": {"description": text, "schema": schema},
            "per_page": show_number("Rows on a page.", 1, self.max_per_page, usual),
        }

    def document_pagination(self) -> JSONObject:
        """Return the JSON Schema of the cursors that come with a page."""
        cursor = {"type": ["string", "null"]}
        return {
            "type": "object",
            "properties": {
                "next": {**cursor, "description": "The cursor of the rows after these, if any."},
                "prev": {**cursor, "description": "The cursor of the rows before these, if any."},
                "per_page": {"type": "integer", "minimum": 1},
            },
            "required": ["next", "prev", "per_page"],
        }

    def example_error(self) -> JSONObject:
        """Return the errors of a cursor that is none."""
        return {"query": {"cursor": [_WRONG]}}
