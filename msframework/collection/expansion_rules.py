"""What `expand` of a `ModelResource` must keep to, and the mistakes in it. Runs at start-up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, Final

import peewee
from marshmallow import Schema

from msframework.collection.expansion import (
    USUAL_LIMIT,
    BatchedExpansion,
    Expansion,
    as_expansion,
    name_of_schema,
    steps_before,
)
from msframework.collection.links import ListLink, find_key, find_lists, name_relations
from msframework.collection.shapes import is_schema
from msframework.filters.scope import model_of, why_wrong_scope
from msframework.problem import Problem

# The most objects of one row that lists within lists may have.
_MOST: Final = 1000


def find_wrong_expansions(
    where: str, expand: Any, model: type[peewee.Model], schemas: Iterable[Schema]
) -> Iterator[Problem]:
    """Yield the mistakes in the declarations of *expand* for rows of *model*."""
    if not isinstance(expand, Mapping):
        yield Problem(where, f"expand is {expand!r:.100}", "schemas by names of relations")
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
        return ("is no name", "the name of a relation")
    each = as_expansion(given)
    is_batched = isinstance(each, BatchedExpansion)
    if not is_batched and (not is_schema(each.schema) or model_of(each.schema) is None):
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
    return why or _why_too_many(path, expand, model)


def _why(each: Expansion, owner: Any, name: str) -> tuple[str, ...]:
    """Return the mistake of the relation *name* of the model *owner*."""
    key, lists = find_key(owner, name), find_lists(owner, name)
    if key is None and len(lists) != 1:
        return _why_none(owner, name, lists)
    target: Any = lists[0].target if key is None else key.rel_model
    shown: Any = model_of(each.schema)
    if shown is not target:
        return (
            f"shows {target.__name__} by {name_of_schema(each.schema)}, whose model is "
            f"{shown.__name__}",
            f"a schema of {target.__name__}",
        )
    if key is not None:
        why = _why_wrong_key(key, None) or _why_wrong_object(each)
    else:
        why = _why_wrong_key(lists[0].field, lists[0].onward) or _why_wrong_list(each, target)
    return why or why_wrong_scope(each.scope, target)


def _why_none(owner: Any, name: str, lists: Sequence[ListLink]) -> tuple[str, ...]:
    """Return why *name* of *owner* is no relation, or not one alone."""
    if lists:
        keys = [f"{each.target.__name__}.{each.field.name}" for each in lists]
        advice = "Give each a backref of its own."
        return (f"is the backref of {' and of '.join(keys)}", "", advice)
    known = name_relations(owner)
    found = f"is no relation of {owner.__name__}"
    return (found, f"one of its {known}") if known else (found,)


def _why_wrong_key(
    key: peewee.ForeignKeyField, onward: peewee.ForeignKeyField | None
) -> tuple[str, ...]:
    """Return why objects cannot be found by the foreign *key*, and by the one *onward*."""
    between: Any = key.model
    if key is onward:
        return (
            f"goes through {between.__name__}, both of whose keys refer to "
            f"{key.rel_model.__name__}",
            "",
            "Expand the backref of one of them, and the other below it.",
        )
    for field in (key, onward):
        if field is None:
            continue
        if isinstance(field.rel_field, peewee.CompositeKey) or not field.rel_field:
            return (
                f"goes by {field.model.__name__}.{field.name}, and {field.rel_model.__name__} has "
                "a composite key, or none",
                "a foreign key to one column",
                "Name a unique column: ForeignKeyField(…, field=…).",
            )
    return ()


def _why_wrong_object(each: Expansion) -> tuple[str, ...]:
    """Return the mistake of one object that is declared as a list."""
    if each.limit != USUAL_LIMIT or each.order:
        return ("has a limit or an order, and is one object", "", "Drop them.")
    return ()


def _why_wrong_list(each: Expansion, target: Any) -> tuple[str, ...]:
    """Return the mistake in the limit or the order of a list of *target*."""
    limit: Any = each.limit
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= _MOST:
        return (f"has the limit {limit!r:.100}", f"a number from 1 to {_MOST}")
    order: Any = each.order
    if not isinstance(order, Sequence):
        return (f"has the order {order!r:.100}", "a tuple of names of columns")
    known = target._meta.combined
    for name in order:
        if not isinstance(name, str) or name.removeprefix("-") not in known:
            columns = ", ".join(each.name for each in target._meta.sorted_fields)
            return (
                f"is ordered by {name!r:.100}, which is no column of {target.__name__}",
                f"some of {columns}",
            )
    if not order and not target._meta.primary_key:
        return (f"has no order, as {target.__name__} has no primary key", "", "Write order=….")
    return ()


def _why_too_many(path: str, expand: Mapping[str, Any], model: Any) -> tuple[str, ...]:
    """Return whether the list at *path* lies in others, and all may hold too many objects."""
    owner, limits = model, []
    for step in (*steps_before(path), path):
        if owner is None:
            return ()  # a mistake of its own
        each = as_expansion(expand[step])
        is_list = not isinstance(each, BatchedExpansion) and (
            find_key(owner, step.rpartition(".")[2]) is None
        )
        if is_list:
            limits.append(each.limit)
        owner = model_of(each.schema)
    if not is_list or not limits[1:] or not all(isinstance(each, int) for each in limits):
        return ()
    if prod(limits) <= _MOST:
        return ()
    told = " × ".join(map(str, limits))
    advice = f"Write Expansion({name_of_schema(each.schema)}, limit=…)."
    return (f"may answer {told} objects for each row", f"{_MOST} at most", advice)


def _fields_of(schema: Any) -> Iterable[str]:
    made: Schema = schema() if isinstance(schema, type) else schema
    return made.fields
