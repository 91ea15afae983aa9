"""Types as Python writes them become fields: `Optional[int]`, `list[int]`, `Literal["a"]`, … .

Runs at start-up.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from enum import Enum
from typing import Final

from marshmallow import fields, validate

from msframework.schemas.api import ReadField
from msframework.types import Field, FieldOptions

_LISTS: Final = (list, collections.abc.Sequence, collections.abc.MutableSequence)
_MAPPINGS: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_SETS: Final = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_LITERALS: Final = (str, int, bool)
TAKEN: Final = (
    "Write a type (str, int, float, bool, Decimal, UUID, datetime, date, time, timedelta, bytes, "
    "dict, list, Any), an Enum, X | None, Optional[X], list[X], tuple[X, Y], dict[str, X], "
    "Literal[…], Annotated[X, validator], a note such as doc.Integer(), a marshmallow field, or "
    "what describes an object: a dict, an API class, a Schema, a peewee model."
)


def is_annotation(value: object) -> bool:
    """Tell whether *value* is written with the means of `typing`, and no plain class."""
    return typing.get_origin(value) is not None or isinstance(
        value, (types.UnionType, typing.NewType)
    )


def read_annotation(value: object, read: ReadField, options: FieldOptions) -> Field:
    """Return the field of *value*, for which `is_annotation` is true.

    Args:
        read: returns the field of a part of it.
        options: of the field.

    Raises:
        TypeError: there is none; the text says why.
    """
    if isinstance(value, typing.NewType):
        return read(value.__supertype__)
    origin, args = typing.get_origin(value), typing.get_args(value)
    if origin in (list, dict) and not args:
        return read(origin)
    if origin is typing.Annotated:
        return _annotated(read(args[0]), args[1:])
    if origin is typing.Union or isinstance(value, types.UnionType):
        return _optional(value, args, read)
    if origin is typing.Literal:
        return _literal(args, read)
    if origin in _LISTS:
        return fields.List(read(args[0]), **options)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return fields.List(read(args[0]), **options)
        return fields.Tuple([read(arg) for arg in args], **options)
    if origin in _MAPPINGS:
        if args[0] is not str:
            raise TypeError(f"{value} cannot be JSON, whose keys are strings. Write dict[str, …].")
        return fields.Dict(fields.String(), read(args[1]), **options)
    if origin in _SETS:
        raise TypeError(f"{value} cannot be JSON, which has no sets. Write list[…].")
    raise TypeError(f"{value} is no type of a field. {TAKEN}")


def _optional(value: object, args: tuple[object, ...], read: ReadField) -> Field:
    kinds = [kind for kind in args if kind is not type(None)]
    if len(kinds) != 1:
        raise TypeError(f"{value} is no type of a field: it may be several. Write X or X | None.")
    found = read(kinds[0])
    found.allow_none = True
    return found


def _literal(values: tuple[object, ...], read: ReadField) -> Field:
    stated = [value for value in values if value is not None]
    kinds = {type(value) for value in stated}
    if any(isinstance(value, Enum) for value in stated):
        raise TypeError("Literal of the members of an enum is no type of a field. Write the enum.")
    if len(kinds) != 1 or not kinds <= set(_LITERALS):
        shown = ", ".join(map(repr, values))
        raise TypeError(
            f"Literal[{shown}] is no type of a field. Its values must all be texts, all integers, "
            "or all booleans; None may stand beside them."
        )
    found = read(kinds.pop())
    found.validators = [*found.validators, validate.OneOf(tuple(stated))]
    found.allow_none = found.allow_none or len(stated) < len(values)
    return found


def _annotated(found: Field, notes: tuple[object, ...]) -> Field:
    for note in notes:
        if isinstance(note, str):
            found.metadata = {"description": note, **found.metadata}
        elif isinstance(note, validate.Validator):
            found.validators = [*found.validators, note]
        else:
            raise TypeError(
                f"Annotated[…, {note!r}]: nothing would check this. Write a validator of "
                "marshmallow.validate or a text that describes the value."
            )
    return found
