"""The mistakes in the schemas of a collection: what its bodies load, and whose rows they show.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import peewee
from marshmallow import INCLUDE, fields

from msframework.collection.action import CollectionAction
from msframework.collection.shapes import column_of, vary
from msframework.exceptions import ImproperlyConfigured
from msframework.filters.columns import ColumnKind, kind_of_column
from msframework.filters.scope import model_of
from msframework.problem import Problem
from msframework.schemas import as_schema

_OBJECTS: Final = (ColumnKind.ARRAY, ColumnKind.JSONB, ColumnKind.OTHER)


def find_wrong_schemas(
    where: str, cls: Any, schemas: Mapping[str, Any], model: type[peewee.Model]
) -> Iterator[Problem]:
    """Yield the schemas that cannot show rows of *model*, and a `created_schema` that is none.

    Args:
        schemas: those of *cls* by their attributes, without `created_schema`.
    """
    created = cls.created_schema
    for name, schema in {**schemas, "created_schema": created}.items():
        other = model_of(schema)
        if other is not None and not (issubclass(model, other) or issubclass(other, model)):
            found = f"{name} is derived from {other.__name__}, and its rows are of {model.__name__}"
            yield Problem(where, found, f"a schema of {model.__name__}")
    if created is not None:
        try:
            as_schema(created, where="created_schema", for_load=False)
        except (TypeError, ValueError, ImproperlyConfigured) as exc:
            yield Problem(where, f"created_schema is {created!r:.100}", advice=str(exc))


def find_wrong_bodies(
    where: str,
    cls: Any,
    model: type[peewee.Model],
    actions: Iterable[CollectionAction],
    seams: Collection[str],
) -> Iterator[Problem]:
    """Yield the members of bodies that are no values of columns, and that no seam takes out.

    Args:
        actions: those that no method of the class takes the place of.
        seams: the names of its seams.
    """
    create, change = cls.create_schema or cls.schema, cls.schema
    for action in actions:
        if action.method in ("GET", "DELETE"):
            continue
        creates = action.method == "POST"
        schema = vary(create if creates else change)
        if schema.unknown == INCLUDE:
            found = f"{action.name} takes members that its schema does not declare: INCLUDE"
            advice = "Leave it out: they would be columns, dump_only ones too."
            yield Problem(where, found, advice=advice)
        seam = "before_create" if creates else "before_update"
        for name, field in schema.load_fields.items() if seam not in seams else ():
            column = column_of(model, field, name)
            what = ""
            if column is None:
                what = f"which is no column of {model.__name__}"
            elif isinstance(field, fields.Nested) and kind_of_column(column) not in _OBJECTS:
                what = f"an object, for the column {column.column_name!r}"
            if what:
                found = f"{action.name} loads {name!r}, {what}"
                advice = f"Make it dump_only, or take it out of values in {seam}."
                yield Problem(where, found, advice=advice)
