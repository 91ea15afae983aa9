"""`?fields=`: the fields of a row that a caller may choose, and the select of those alone.

`read_choice` runs at start-up, `FieldChoice.narrow` per request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import peewee
from marshmallow import Schema, fields, missing

from msframework.codec.known import DUMPS, overrides
from msframework.collection.shapes import column_of, rename
from msframework.problem import Problem
from msframework.schemas.model import ALL
from msframework.schemas.naming import wire_name
from msframework.types import Field

# Fields that make what they answer, whatever the row holds.
_MADE: Final = (fields.Method, fields.Function, fields.Constant)


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """The fields of one answer that a caller may choose from.

    Attributes:
        schema: the schema of the answer, any of whose fields may be left out.
        wires: the names of the fields, by what callers call them.
        keys: the keys of their values in a row, by their names.
    """

    schema: Schema
    wires: Mapping[str, str]
    keys: Mapping[str, str]

    def narrow(self, query: Any, names: Iterable[str]) -> Any:
        """Return the select *query* of the columns of *names* alone."""
        wanted = {self.keys[name] for name in names}
        return query.select(*(each for each in query.selected_columns if key_of(each) in wanted))


def key_of(node: Any) -> object:
    """Return the key that a selected *node* has in a row."""
    return node.column_name if isinstance(node, peewee.Field) else getattr(node, "name", None)


def read_choice(said: Any, schema: Schema) -> FieldChoice:
    """Return the choice of the fields *said*, as far as *schema* answers them."""
    part = rename(schema, "Part", partial=True)
    for field in part.dump_fields.values():
        field.dump_default = missing
    found = {
        name: field
        for name, field in part.dump_fields.items()
        if (said is ALL or name in said) and not isinstance(field, _MADE)
    }
    return FieldChoice(
        part,
        {wire_name(field, name): name for name, field in found.items()},
        {name: field.attribute or name for name, field in found.items()},
    )


def find_wrong_choice(
    where: str, said: Any, schemas: Collection[Schema], model: type[peewee.Model]
) -> Iterator[Problem]:
    """Yield the mistakes in the fields *said* of *schemas*."""
    if not said and said is not None:
        return
    if said is not ALL:
        if isinstance(said, str) or not isinstance(said, Collection):
            text = "ALL" if said in ("__all__", "*", "all") else f"({said!r},)"
            advice = f"Write fields = {text}." if isinstance(said, str) else ""
            yield Problem(where, f"fields is {said!r}", "a tuple of names, or ALL", advice)
            return
        known = list(dict.fromkeys(name for each in schemas for name in each.dump_fields))
        for name in said:
            if name not in known:
                found = f"fields names {name!r}, which no answer has"
                yield Problem(where, found, f"some of {', '.join(known)}")
    for schema in {type(each): each for each in schemas}.values():
        for why in _why_whole(schema, model):
            found = f"fields chooses from {type(schema).__name__}, {why}"
            advice = "Answer columns alone, or leave fields out."
            yield Problem(where, found, advice=advice)


def _why_whole(schema: Schema, model: type[peewee.Model]) -> Iterator[str]:
    """Yield why the answers of *schema* need whole rows."""
    if overrides(schema, "get_attribute", *DUMPS):
        yield "which reads rows in its own way"
    for hook in ("pre_dump", "post_dump"):
        if schema._hooks.get(hook):
            yield f"which has a {hook} hook"
    for name, field in schema.dump_fields.items():
        column = column_of(model, field, name)
        if isinstance(field, _MADE):
            yield f"whose field {name!r} is no column"
        elif column is None and field.dump_default is not missing:
            yield f"whose field {name!r} is no column, and has a default"
        elif isinstance(column, peewee.ForeignKeyField) and _is_object(column, field, name):
            yield f"whose field {name!r} is a related object"


def _is_object(column: peewee.Field, field: Field, name: str) -> bool:
    return str(field.attribute or name) != str(column.column_name)
