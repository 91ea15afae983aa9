"""`nest`: columns of a joined table as one object of a row. Runs per query."""

from __future__ import annotations

from typing import Any

import peewee
from peewee import SQL, Case, Field, Node, fn

from msframework.models.key import primary_fields


def nest(*columns: Field, optional: bool = False, **named: Node) -> Node:
    """Return an object of *columns*, for a select: `nest(User.id, User.name).alias("author")`.

    PostgreSQL makes it by `jsonb_build_object`. Its keys are the names of the columns, as those of
    a row are. Values are those of JSON: decimals are texts, times have ISO 8601's form.

    Args:
        optional: the row may be missing, as a LEFT OUTER JOIN has it; the object is null then.
        named: further members, by their keys: `following=fn.COUNT(Follow.id) > 0`.

    Raises:
        TypeError: one of *columns* is no column, or holds bytes, which JSON has no form for.
        ValueError: two members have one key; or the row may be missing, and no column has a model
            with a primary key.
    """
    members: dict[str, Node] = {}
    for column in columns:
        name = getattr(_field_of(column), "column_name", None)
        if not isinstance(name, str):
            raise TypeError(f"nest() takes columns such as User.name, and got {column!r}")
        if name in members or name in named:
            raise ValueError(f"nest() has two members {name!r}: name one of them, other={name}")
        members[name] = _as_json(column)
    parts = [
        part
        for name, value in (members | named).items()
        # NOTE: PostgreSQL could not tell the type of a parameter.
        for part in (SQL("'" + name.replace("'", "''") + "'"), value)
    ]
    built: Node = fn.jsonb_build_object(*parts)
    return Case(None, [(_is_there(columns), built)]) if optional else built


def _field_of(column: Any) -> Any:
    """Return the field itself, where *column* is that of an alias of its model."""
    return column if isinstance(column, Field) else getattr(column, "field", None)


def _as_json(column: Any) -> Node:
    field = _field_of(column)
    if isinstance(field, peewee.BlobField):
        raise TypeError(f"nest() got {field.model.__name__}.{field.name}, whose values are bytes")
    node: Node = column.cast("text") if isinstance(field, peewee.DecimalField) else column
    return node


def _is_there(columns: tuple[Any, ...]) -> Node:
    """Return the condition that the joined row is there: its primary key is not null."""
    first = columns[0] if columns else None
    field = _field_of(first)
    key = primary_fields(field.model) if field is not None else ()
    if not key:
        raise ValueError("nest(optional=True) needs a column of a model with a primary key")
    owner = first.source if first is not field and first is not None else field.model
    found: Node = getattr(owner, key[0].name).is_null(False)
    return found
