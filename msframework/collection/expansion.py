"""`Expansion`: related objects that are answered within a row, as a `ModelResource` declares them.

Read at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import peewee
from marshmallow import Schema

from msframework.collection.batches import Batch
from msframework.filters.crossing import RelatedRows
from msframework.filters.scope import UNSAID, RowScope, model_of, read_scope, why_wrong_scope
from msframework.problem import Problem


class Expansion:
    """A related object that is answered within a row, under the name of its foreign key.

        expand = {"author": Expansion(AuthorSchema, scope=Authors, always=True)}

    Args:
        schema: the object.
        scope: whose rows callers may see: a ModelResource class, a function of request and
            principal that returns an expression, or `None` for all rows. It must be said where a
            collection of the model has a scope.
        always: whether it is answered without being asked for.
    """

    __slots__ = ("always", "schema", "scope")

    def __init__(
        self,
        schema: type[Schema] | Schema,
        *,
        scope: RowScope = UNSAID,
        always: bool = False,
    ) -> None:
        self.schema, self.scope, self.always = schema, scope, always


class BatchedExpansion(Expansion):
    """An expansion whose objects come after the rows, under any name: what further kinds derive.

    Its own objects are no rows, so that nothing goes through it.
    """

    __slots__ = ()

    def why_wrong(self, model: type[peewee.Model]) -> tuple[str, ...]:
        """Return the mistake for rows of *model*, what is expected and what to do, if there is one.

        They follow the name of the expansion in a message.
        """
        raise NotImplementedError

    def find_key(self, model: type[peewee.Model]) -> peewee.Field:
        """Return the column of *model* by which the objects are found."""
        raise NotImplementedError

    def batch(self, path: str, model: type[peewee.Model]) -> Batch:
        """Return what fetches the objects at *path* of rows of *model*."""
        raise NotImplementedError


def as_expansion(given: Any) -> Expansion:
    """Return *given*, a schema or an `Expansion`, as the latter."""
    return given if isinstance(given, Expansion) else Expansion(given)


def related_rows(expand: Mapping[str, Any]) -> dict[str, RelatedRows]:
    """Return what *expand*, which is right, declares of related rows, by path."""
    found = {path: as_expansion(given) for path, given in expand.items()}
    return {
        path: RelatedRows(each.schema, each.scope)
        for path, each in found.items()
        if not isinstance(each, BatchedExpansion)
    }


def find_wrong_expansions(
    where: str, expand: Any, model: type[peewee.Model], schemas: Iterable[Schema]
) -> Iterator[Problem]:
    """Yield the mistakes in the declarations of *expand* for rows of *model*."""
    if not isinstance(expand, Mapping):
        yield Problem(where, f"expand is {expand!r:.100}", "schemas by names of foreign keys")
        return
    taken = {name for schema in schemas for name in schema.fields}
    for path, given in expand.items():
        why = _why_wrong(path, given, expand, model, taken)
        if why:
            yield Problem(where, f"expand[{path!r}] {why[0]}", *why[1:])


def _why_wrong(
    path: object,
    given: Any,
    expand: Mapping[str, Any],
    model: type[peewee.Model],
    taken: Iterable[str],
) -> tuple[str, ...]:
    """Return the mistake of an entry, what is expected and what to do; nothing without one."""
    if not isinstance(path, str):
        return ("is no name", "the name of a foreign key")
    each = as_expansion(given)
    is_batched = isinstance(each, BatchedExpansion)
    if not is_batched and (not _is_schema(each.schema) or model_of(each.schema) is None):
        return (f"is {each.schema!r:.100}", "a schema that is derived from a model")
    before, _, name = path.rpartition(".")
    if before and before not in expand:
        return (f"goes through {before!r}, which is not declared", "", f"Declare {before!r} too.")
    outer = as_expansion(expand[before]) if before else None
    if isinstance(outer, BatchedExpansion):
        return (f"goes through {before!r}, whose objects have no relations",)
    owner: Any = model if outer is None else model_of(outer.schema)
    if owner is None:
        return ()  # its schema is a mistake of its own
    why = each.why_wrong(owner) if isinstance(each, BatchedExpansion) else _why(each, owner, name)
    if not why and name in (taken if outer is None else _fields_of(outer.schema)):
        key = owner._meta.combined.get(name)
        advice = (
            "Rename it." if key is None else f"Call that {key.column_name!r}, which is the key."
        )
        why = ("takes the name of a field that the schema has", "", advice)
    return why


def _why(each: Expansion, owner: Any, name: str) -> tuple[str, ...]:
    """Return the mistake of the relation *name* of the model *owner*."""
    field = owner._meta.combined.get(name)
    if not isinstance(field, peewee.ForeignKeyField) or field.name != name:
        keys = [each.name for each in owner._meta.sorted_fields if _is_key(each)]
        return (
            f"is no foreign key of {owner.__name__}",
            f"one of {', '.join(keys)}" if keys else "",
        )
    if model_of(each.schema) is not field.rel_model:
        return (
            f"shows {field.rel_model.__name__} by {name_of_schema(each.schema)}, whose model is "
            f"{model_of(each.schema).__name__}",
            f"a schema of {field.rel_model.__name__}",
        )
    return why_wrong_scope(each.scope, field.rel_model)


def _is_key(field: peewee.Field) -> bool:
    return isinstance(field, peewee.ForeignKeyField)


def _is_schema(thing: object) -> bool:
    return isinstance(thing, Schema) or (isinstance(thing, type) and issubclass(thing, Schema))


def _fields_of(schema: Any) -> Iterable[str]:
    made: Schema = schema() if isinstance(schema, type) else schema
    return made.fields


def name_of_schema(schema: Any) -> str:
    return str(getattr(schema, "__name__", type(schema).__name__))


def scope_function(each: Expansion) -> Callable[..., Any] | None:
    """Return the function of an expansion's scope, by its name; `None` for all rows."""
    return read_scope(each.scope)
