"""Lists of related objects: one statement fetches those of all rows.

`RelatedLists` is made at start-up; its `fetch` runs per request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import peewee
from marshmallow import Schema, fields, validate
from peewee import SQL, Entity

from msframework.collection.chosen import key_of
from msframework.collection.joins import Joins, bind_scope
from msframework.collection.links import ListLink
from msframework.db.cursor import Cursor
from msframework.filters.columns import quote
from msframework.models.key import primary_fields
from msframework.models.sql import render
from msframework.principal import Principal
from msframework.serving.request import Request
from msframework.types import Field, Row

_OWNER: Final = "msframework_owner"  # the table of the rows that the objects belong to
_OF: Final = "msframework_of"  # the key of such a row, beside each of its objects
_ORDER: Final = "msframework_order_"
_FOUND: Final = "msframework_found"


class RelatedLists:
    """A backref or many-to-many field: a batch whose objects are rows of the database.

    A LATERAL subselect for each owner (PostgreSQL's manual, 7.2.1.5) reads no more than `limit`
    rows, however many there are, where an index has the key and the order.

    Attributes:
        limit: how many objects of a row are answered at most.
    """

    is_remote = False

    def __init__(
        self,
        path: str,
        link: ListLink,
        columns: Sequence[peewee.Node],
        order: Sequence[str],
        limit: int,
        *,
        joins: Joins,
        scope: Callable[..., Any] | None,
        always: bool,
    ) -> None:
        self.path, self.key, self.limit = path, link.key, limit
        self.always, self.has_scope = always, scope is not None or joins.has_scope
        self._joins, self._scope = joins, scope
        self._order = tuple(read_order(link.target, order))
        self._query = self._select(link, columns)
        meta: Any = link.key.model._meta
        names = [meta.schema, meta.table_name] if meta.schema else [meta.table_name]
        self._table = ".".join(map(quote, names))

    def empty(self) -> list[Row]:
        """Return the list of a row without objects."""
        return []

    def member(self, schema: Schema) -> Field:
        """Return the field of a schema that shows the list."""
        return fields.List(
            fields.Nested(schema), dump_only=True, validate=validate.Length(max=self.limit)
        )

    async def fetch(
        self,
        keys: Sequence[Any],
        asked: Collection[str],
        request: Request,
        principal: Principal | None,
        cur: Cursor,
    ) -> Mapping[Any, object]:
        """Return the objects of each of *keys* that has some, in one statement."""
        query = await bind_scope(self._query, self._scope, request, principal)
        query, joined = await self._joins.join(query, asked, request, principal)
        inner, args = render(query)
        names = [str(key_of(node)) for node in query.selected_columns]
        rows = await cur.fetch(self._write(inner, names, len(args) + 1), *args, keys)
        found: dict[Any, list[Row]] = {}
        for row in rows:
            found.setdefault(row.pop(_OF), []).append(row)
        self._joins.fold(rows, joined)
        return found

    def _select(self, link: ListLink, columns: Sequence[peewee.Node]) -> Any:
        """Return the select of the objects of one owner."""
        target: Any = link.target
        query = target.select(*columns)
        field: Any = link.field
        if link.onward is not None:
            between = link.onward.model.alias()
            field = getattr(between, field.name)
            on = getattr(between, link.onward.name) == link.onward.rel_field
            query = peewee.Select.join(query, between, on=on)
        query = query.where(field == Entity(_OWNER, link.key.column_name))
        query = query.select_extend(
            *(column.alias(f"{_ORDER}{number}") for number, (column, _) in enumerate(self._order))
        )
        directed = [column.desc() if falls else column.asc() for column, falls in self._order]
        # NOTE: a number in the text, as the planner does not know the value of an argument.
        return query.order_by(*directed).limit(SQL(str(self.limit)))

    def _write(self, inner: str, names: Sequence[str], number: int) -> str:
        """Return the statement around the select of one owner's objects.

        Args:
            names: what that selects.
            number: that of the argument of the owners' keys, whose type is their column's.
        """
        key = f"{quote(_OWNER)}.{quote(self.key.column_name)}"
        shown = [quote(name) for name in names if not name.startswith(_ORDER)]
        selected = ", ".join(f"{quote(_FOUND)}.{name}" for name in shown)
        order = ", ".join(
            f"{quote(_FOUND)}.{quote(f'{_ORDER}{index}')}{' DESC' if falls else ''}"
            for index, (_, falls) in enumerate(self._order)
        )
        return (
            f"SELECT {key} AS {quote(_OF)}, {selected} FROM {self._table} AS {quote(_OWNER)} "  # noqa: S608 - quoted
            f"CROSS JOIN LATERAL ({inner}) AS {quote(_FOUND)} "
            f"WHERE {key} = ANY(${number}) ORDER BY {order}"
        )


def read_order(
    model: type[peewee.Model], names: Sequence[str]
) -> Iterator[tuple[peewee.Field, bool]]:
    """Yield the columns of *names*, and whether each descends; then the primary key.

    That has the direction of the last of them, so that one index serves the whole order.
    """
    meta: Any = model._meta
    seen, falls = set(), False
    for name in names:
        column, falls = meta.combined[name.removeprefix("-")], name.startswith("-")
        seen.add(column.name)
        yield column, falls
    for column in primary_fields(model):
        if column.name not in seen:
            yield column, falls
