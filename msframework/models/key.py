"""The key of one row: its condition, its name in a message, and whether it can mean several rows.

Runs per query; what a model's keys are is found once for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from operator import and_
from typing import Any, Final, TypeAlias

import peewee
from peewee import CompositeKey, Expression, Field

# A model and its parts, whose attributes no type describes.
ModelClass: TypeAlias = type[peewee.Model]
# FieldValues by the names of fields or columns, or by the fields themselves.
FieldValues: TypeAlias = Mapping[Any, object]
FieldNames: TypeAlias = Iterable[str | Field]
_LONGEST_VALUE: Final = 100


class RowKey:
    """One row of a model, by its primary key or by other fields that are unique.

    Args:
        key: the value of the primary key; several in its order, or a mapping of fields, where it
            has several members or another key is meant.

    Attributes:
        values: the fields of the key, and their values.

    Raises:
        ValueError: *key* lacks a member, or several rows might have it.
    """

    __slots__ = ("model", "values")

    def __init__(self, model: ModelClass, key: object) -> None:
        self.model = model
        if isinstance(key, Mapping):
            self.values = read_values(model, key)
            _check_unique(model, self.values)
        else:
            self.values = _read_primary(model, key)

    @property
    def condition(self) -> Expression:
        """The condition that the row alone meets."""
        return reduce(and_, (field == value for field, value in self.values.items()))

    def __str__(self) -> str:
        return describe_row(self.model, self.values)


def read_values(model: ModelClass, values: FieldValues) -> dict[Field, object]:
    """Return *values* by their fields.

    Raises:
        ValueError: the model has no field of a name; values are never shown.
    """
    known: dict[str, Field] = model._meta.combined
    found = {}
    for name, value in values.items():
        field = name if isinstance(name, Field) else known.get(name)
        if field is None or known.get(field.name) is not field:
            raise ValueError(
                f"{model.__name__} has no field {getattr(name, 'name', name)!r}; it has "
                f"{', '.join(sorted(model._meta.fields))}"
            )
        found[field] = value
    return found


def read_fields(model: ModelClass, columns: str | Field | FieldNames) -> tuple[Field, ...]:
    """Return the fields that *columns*, one or several, name; fails as `read_values` does."""
    several = (columns,) if isinstance(columns, (str, Field)) else columns
    return tuple(read_values(model, dict.fromkeys(several)))


def primary_fields(model: ModelClass) -> tuple[Field, ...]:
    """Return the fields of the primary key; none where the model has no key."""
    key = model._meta.primary_key
    if not key:
        return ()
    if isinstance(key, CompositeKey):
        return tuple(model._meta.fields[name] for name in key.field_names)
    return (key,)


def referenced_field(field: Field) -> Field:
    """Return the field that the foreign key *field* refers to in the end; any other as it is."""
    while isinstance(field, peewee.ForeignKeyField):
        field = field.rel_field
    return field


def _read_primary(model: ModelClass, key: object) -> dict[Field, object]:
    fields = primary_fields(model)
    if not fields:
        raise ValueError(f"{model.__name__} has no primary key: name a unique field, {{field: …}}")
    members = (key,) if len(fields) == 1 else key
    if not isinstance(members, Sequence) or isinstance(members, str):
        members = ()
    if len(members) != len(fields):
        raise ValueError(
            f"the key of {model.__name__} is ({', '.join(field.name for field in fields)}), and "
            f"was given {len(members) or 'one value'}"
        )
    return dict(zip(fields, members, strict=True))


def _check_unique(model: ModelClass, given: Iterable[Field]) -> None:
    found = frozenset(given)
    if not any(key <= found for key in unique_keys(model)):
        names = ", ".join(field.name for field in given)
        raise ValueError(
            f"several rows of {model.__name__} may have the same ({names}): name its primary key, "
            "or fields that the model says are unique"
        )


@lru_cache(maxsize=1024)
def unique_keys(model: ModelClass) -> tuple[frozenset[Field], ...]:
    """Return the sets of fields of which no two rows have the same values."""
    meta = model._meta
    keys = [primary_fields(model)]
    keys += [(field,) for field in meta.sorted_fields if field.unique]
    keys += [tuple(parts) for parts in _indexed(model)]
    return tuple(frozenset(key) for key in keys if key)


def _indexed(model: ModelClass) -> Iterator[list[Field]]:
    """Yield the fields of each unique index that covers all rows."""
    for index in model._meta.indexes:
        if isinstance(index, (list, tuple)):
            parts, unique = index
        else:
            # NOTE: an index that cannot be read counts as one that is not unique.
            unique = getattr(index, "_unique", False) and getattr(index, "_where", 0) is None
            parts = getattr(index, "_expressions", ())
        fields = [model._meta.combined.get(part, part) for part in parts] if unique else []
        if all(isinstance(field, Field) for field in fields):
            yield fields


def describe_row(model: ModelClass, values: Mapping[Field, object]) -> str:
    """Return the model, and the key of a row: `User with id 5`."""
    shown = ", ".join(f"{field.name} {_show(value)}" for field, value in values.items())
    return f"{model.__name__} with {shown}" if shown else model.__name__


def _show(value: object) -> str:
    shown = repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}…"


def describe_wanted(query: object) -> str | None:
    """Return the row that *query* asks for; `None` where it is no query of a model.

    Of its conditions the members of the primary key are named with their values; other values may
    be secrets.
    """
    model = getattr(query, "model", None)
    if not isinstance(model, type) or not issubclass(model, peewee.Model):
        return None
    key = primary_fields(model)
    asked = {
        node.lhs: node.rhs
        for node in _conditions(getattr(query, "_where", None))
        if isinstance(node.lhs, Field) and node.op == peewee.OP.EQ
    }
    if all(field in asked for field in key):
        return describe_row(model, {field: asked[field] for field in key})
    return describe_row(model, {})


def _conditions(node: object) -> Iterator[Any]:
    """Yield the conditions that all have to hold."""
    if not isinstance(node, Expression):
        return
    if node.op == peewee.OP.AND:
        yield from _conditions(node.lhs)
        yield from _conditions(node.rhs)
    elif not isinstance(node.rhs, peewee.Node):
        yield node
