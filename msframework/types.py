"""Shared aliases and protocols; imports nothing of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias, TypeVar, final, runtime_checkable

from marshmallow import Schema, fields

Handler: TypeAlias = Callable[..., Any]
Row: TypeAlias = dict[str, Any]
# A decoded JSON document: a dict, a list, a text, a number, a boolean or None.
JSONValue: TypeAlias = Any
JSONObject: TypeAlias = dict[str, Any]
# The values of the names in generated source.
Namespace: TypeAlias = dict[str, object]
# A field of marshmallow, whatever it holds.
Field: TypeAlias = fields.Field[Any]
# The keyword arguments of a field.
FieldOptions: TypeAlias = dict[str, Any]
# The values of the parameters of a path, by their names.
PathValues: TypeAlias = dict[str, Any]
# A description of data: a Schema class or instance, a model, an API class, a dict such as
# `{"id": int}`, or a list of one of these.
SchemaSource: TypeAlias = type[Any] | Schema | Mapping[str, Any] | list[Any] | tuple[Any, ...]
Provider: TypeAlias = Callable[..., Any]
F = TypeVar("F", bound=Callable[..., Any])


class Query(Protocol):
    """A query of peewee: `User.select()` and its like."""

    def sql(self) -> object:
        """Return the SQL text and its arguments."""


@final
class Unset:
    """The type of `UNSET`, the mark of an argument that was left out where `None` has a meaning."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset()


@runtime_checkable
class Part(Protocol):
    """A part of a service: started before it serves, stopped in reverse order afterwards."""

    async def start(self) -> None:
        """Open the part; an exception keeps the service from starting."""

    async def stop(self) -> None:
        """Close the part; called once for each `start` that succeeded."""
