"""The peewee queries, SQL texts and functions that the generated actions use.

The queries are built at start-up, and bound to values per request.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, Final

import peewee
from marshmallow import Schema
from peewee import SQL

from msframework.codec.kinds import WrongKind, name_kind
from msframework.collection.bulk import BulkKey
from msframework.collection.declaration import Bound, Collection
from msframework.collection.parents import Parents
from msframework.collection.shapes import (
    column_of,
    foreign_key,
    is_one_of,
    members_of,
    read_columns,
)
from msframework.exceptions import Conflict, Forbidden, NotFound
from msframework.models.key import primary_fields, referenced_field
from msframework.models.sql import render
from msframework.schemas import as_schema
from msframework.schemas.model import has_server_default
from msframework.schemas.naming import wire_name
from msframework.types import Row

# The name, in a row, of whether it lies within its collection's scope.
IN_SCOPE: Final = "msframework_in_scope"
# Fields whose values asyncpg takes as they come from a path.
_AS_THEY_ARE: Final = (
    peewee.AutoField,
    peewee.BigAutoField,
    peewee.BigIntegerField,
    peewee.CharField,
    peewee.IntegerField,
    peewee.SmallIntegerField,
    peewee.TextField,
    peewee.UUIDField,
)


class Queries:
    """The constant parts of the statements of one collection.

    Attributes:
        columns: the columns of the rows that are written and read.
        created: those of a row that `create` answers.
        whole: all columns, for rows that seams get.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.model: Any = collection.model
        shapes = collection.shapes
        self.keys = primary_fields(self.model)
        always = [*self.keys, *(each.field for each in collection.lookup)]
        self.whole = tuple(self.model._meta.sorted_fields)
        self.columns = read_columns(self.model, shapes.detail, always)
        if collection.cls.created_schema is None:
            self.created = self.columns
        else:
            shown = as_schema(shapes.created, where=collection.where, for_load=False)
            self.created = read_columns(self.model, shown, always)
        if not {"after_create", "after_update", "after_commit"}.isdisjoint(collection.seams):
            self.columns = self._with_whole(self.columns)
            self.created = self._with_whole(self.created)

    def _with_whole(self, columns: Sequence[peewee.Node]) -> tuple[peewee.Node, ...]:
        """Return all columns, and whatever else *columns* are."""
        rest = [each for each in columns if not isinstance(each, peewee.Field)]
        return (*self.whole, *rest)

    def list(self) -> Any:
        """Return the select of a list, without any condition; filters order it, or the key."""
        columns = read_columns(self.model, self._collection.shapes.rows, self.keys)
        query = self.model.select(*columns)
        return query if self._collection.filters is not None else query.order_by(*self.keys)

    def read(self) -> Any:
        """Return the select of one row, without any condition."""
        return self.model.select(*self.columns)

    def locked(self) -> Any:
        """Return the locking select of all columns of one row, without any condition."""
        return self.model.select(*self.whole).for_update()

    def text_of_read(self, bounds: Sequence[Bound]) -> str:
        """Return the SQL text that reads the row of *bounds*."""
        return self._text(self.read(), bounds)

    def text_of_delete(self, bounds: Sequence[Bound]) -> str:
        """Return the SQL text that deletes the row of *bounds*, and gives its key."""
        return self._text(self.model.delete().returning(*self.keys), bounds)

    def _text(self, query: Any, bounds: Sequence[Bound]) -> str:
        holes = [each.field == SQL(f"${number}") for number, each in enumerate(bounds, 1)]
        return render(query.where(*holes))[0]

    def bulk_key(self, body: Schema | None = None) -> BulkKey:
        """Return the key by which bulk actions name rows: the primary key, without parents.

        Args:
            body: the schema of their rows, for those that have a body.
        """
        collection, schema = self._collection, self._collection.shapes.detail
        outer = [each.field for each in collection.parents]
        keys = [key for key in self.keys if not is_one_of(key, outer)]
        names, wires = [], []
        for key in keys:
            for name, field in schema.fields.items():
                if column_of(self.model, field, name) is key:
                    names.append(field.attribute or name)
                    wires.append(wire_name(field, name))
        shared = [foreign_key(key) for key in outer if isinstance(key, peewee.ForeignKeyField)]
        most = collection.cls.bulk_size
        members = {} if body is None else dict(members_of(self.model, body))
        return BulkKey(keys, names, wires, collection.noun.one, most, shared, members)

    def parents(self) -> Parents:
        """Return the parents of new rows, with the exception for one that is not there."""
        fields = [each.field for each in self._collection.parents]
        raises = self._collection.cls.raises
        keys = [foreign_key(each) for each in fields if isinstance(each, peewee.ForeignKeyField)]
        missing = next((raises[key] for key in keys if key in raises), NotFound)
        return Parents(self.model, fields, missing)

    def bulk_name(self) -> str:
        """Return the member of a bulk delete's query that holds the keys."""
        assert self._collection.shapes.bulk_delete is not None
        return next(iter(self._collection.shapes.bulk_delete.load_fields))

    def defaults(self) -> dict[str, object]:
        """Return the values of a replaced row in the columns that a body may leave out."""
        found: dict[str, object] = {}
        schema = self._collection.shapes.write
        for name, field in schema.load_fields.items():
            column = column_of(self.model, field, name)
            if column is not None and not field.required:
                if has_server_default(column):
                    found[field.attribute or name] = SQL("DEFAULT")
                elif column.null:
                    found[field.attribute or name] = None
        return found


def is_plain(bounds: Sequence[Bound]) -> bool:
    """Tell whether the values of *bounds* are arguments of an SQL text as they come."""
    return all(referenced_field(each.field).__class__ in _AS_THEY_ARE for each in bounds)


def missing_row(noun: str, *key: object) -> NotFound:
    """Return the exception for a row that is not there, or lies outside of scope."""
    return NotFound(error=f"no {noun} {', '.join(map(str, key))}")


def check_body(schema: str, body: object) -> None:
    """Refuse a body that is no dict of columns, or a list of them.

    Raises:
        WrongKind: the `post_load` of *schema* made another one of it.
    """
    for values in body if isinstance(body, list) else (body,):
        if not isinstance(values, MutableMapping):
            raise WrongKind(
                f"{schema}: its post_load returned {name_kind(values)}; expected the dict that it "
                "is given, of which a row is made"
            )


def only_row(nouns: str, rows: Sequence[Row]) -> Row | None:
    """Return the only one of *rows*; `None` where there is none.

    Raises:
        Conflict: there are several; in a transaction nothing of what was done to them is stored.
    """
    if len(rows) > 1:
        raise Conflict(error=f"there are several such {nouns}")
    return rows[0] if rows else None


def in_scope(columns: Sequence[peewee.Node], scope: Any) -> Sequence[peewee.Node]:
    """Return the columns that a write gives back, and whether its row lies within *scope*."""
    return columns if scope is None else (*columns, scope.alias(IN_SCOPE))


def check_scope(row: Row, scope: object) -> None:
    """Take the mark of `in_scope` out of a written *row*.

    Raises:
        Forbidden: the row lies outside of *scope* now; its transaction is rolled back.
    """
    if scope is not None and row.pop(IN_SCOPE) is not True:
        raise Forbidden
