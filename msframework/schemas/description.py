"""Dicts, API classes and lists of them become Schemas. Runs at start-up."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Any, Final, get_args, get_origin

from marshmallow import Schema, fields
from peewee import Model

from msframework.schemas.annotation import TAKEN, is_annotation, read_annotation
from msframework.schemas.api import Note
from msframework.schemas.columns import Base64, EnumValue
from msframework.schemas.storable import guard
from msframework.schemas.strict import (
    StrictBoolean,
    StrictDate,
    StrictDateTime,
    StrictDecimal,
    StrictFloat,
    StrictInteger,
    StrictTime,
    StrictTimeDelta,
    StrictUUID,
)
from msframework.types import Field, FieldOptions

_TYPES: Final[dict[object, tuple[type[Field], FieldOptions]]] = {
    str: (fields.String, {}),
    int: (StrictInteger, {}),
    float: (StrictFloat, {}),
    bool: (StrictBoolean, {}),
    decimal.Decimal: (StrictDecimal, {"as_string": True}),
    uuid.UUID: (StrictUUID, {}),
    dt.datetime: (StrictDateTime, {}),
    dt.date: (StrictDate, {}),
    dt.time: (StrictTime, {}),
    dt.timedelta: (StrictTimeDelta, {}),
    bytes: (Base64, {}),
    dict: (fields.Dict, {}),
    list: (fields.List, {"cls_or_instance": fields.Raw}),
    Any: (fields.Raw, {"allow_none": True}),
}


class DescribedSchema(Schema):
    """The schema of a dict or an API class."""

    class Meta:
        register = False

    def on_bind_field(self, field_name: str, field_obj: Field) -> None:
        """Keep text that PostgreSQL cannot hold out of loaded data."""
        guard(field_obj)


Models = Callable[[type[Model]], type[Schema]]


class Describer:
    """Reads descriptions on behalf of one place.

    Args:
        where: that place, for error messages.
        for_load: whether it reads input: the members of a dict or API class are required then.
        models: makes the schema class of a peewee model; models are no description without it.
        for_texts: whether it reads a location that has no null, so that `X | None` may be absent.
    """

    def __init__(
        self, where: str, for_load: bool, models: Models | None = None, *, for_texts: bool = False
    ) -> None:
        self.where, self.for_load, self.models = where, for_load, models
        self._for_texts = for_texts
        self._classes: dict[object, type[Schema]] = {}

    def schema(self, thing: object) -> Schema:
        """Return the Schema instance that *thing* describes.

        Raises:
            TypeError: it describes nothing; the text says what to pass.
        """
        if isinstance(thing, Schema):
            return thing
        if get_origin(thing) is list:
            thing = list(get_args(thing))
        if isinstance(thing, (list, tuple)) and len(thing) == 1:
            inner = self.schema(thing[0])
            return inner if inner.many else _as_many(inner)
        if isinstance(thing, Mapping):
            return self.read_dict(thing)()
        found = self.schema_class(thing)
        if found is None:
            raise self.refuse(thing)
        return found()

    def schema_class(self, thing: object) -> type[Schema] | None:
        """Return the Schema class of a class, or `None` when it is of another kind."""
        if not isinstance(thing, type):
            return None
        if issubclass(thing, Schema):
            return thing
        if issubclass(thing, Model):
            return None if self.models is None else self.models(thing)
        return self.read_api_class(thing)

    def refuse(self, thing: object) -> TypeError:
        """Return the error for a *thing* that describes nothing."""
        is_media_type = isinstance(thing, str) and "/" in thing
        kind = "a media type, and no schema: bodies are JSON" if is_media_type else "no schema"
        return TypeError(
            f"{self.where}: {thing!r} is {kind}. Pass a Schema class or instance, a peewee "
            "model, a dict such as {'id': int}, an API class, or a list with one of these."
        )

    def read_dict(self, members: Mapping[object, object]) -> type[Schema]:
        """Return the schema class of a dict of members."""
        found = {}
        for key, value in members.items():
            if not isinstance(key, str):
                raise TypeError(f"{self.where}: {key!r} is no key of a JSON object; pass a string.")
            field = found[key] = self._member(key, value)
            if not isinstance(value, (Note, fields.Field)):
                # An answer, too, has what stands in its dict.
                field.required = not self._may_be_absent(value, field)
        return DescribedSchema.from_dict(found)

    def read_api_class(self, thing: type) -> type[Schema] | None:
        """Return the schema class of an API class, or `None` when it has no members."""
        if thing in self._classes:
            return self._classes[thing]
        names = [
            name
            for base in reversed(thing.__mro__)
            for name, value in vars(base).items()
            if not name.startswith("_") and self.is_noted(value)
        ]
        if not names:
            return None
        # NOTE: a class that holds itself, in a list say, finds its schema by this promise.
        self._classes[thing] = DescribedSchema
        members = {
            name: self._member(f"{thing.__name__}.{name}", getattr(thing, name), thing)
            for name in dict.fromkeys(names)
        }
        name = thing.__name__
        built = DescribedSchema.from_dict(members, name=name.removesuffix("Api") + "Schema")
        built.__doc__ = thing.__doc__
        self._classes[thing] = built
        return built

    def is_noted(self, value: object) -> bool:
        """Tell whether an attribute of an API class describes a member."""
        if isinstance(value, (Note, fields.Field, Schema)) or value in _SIMPLE:
            return True
        if isinstance(value, (list, tuple)):
            return len(value) == 1 and self.is_noted(value[0])
        return isinstance(value, (type, dict)) or is_annotation(value)

    def _member(self, name: str, value: object, inside: type | None = None) -> Field:
        """Return the field for the member *name* of a dict or an API class."""
        try:
            return self.field(value, inside)
        except TypeError as exc:
            text = str(exc)
            if text.startswith(self.where):
                raise
            raise TypeError(f"{self.where}: {name}: {text}") from exc

    def field(self, value: object, inside: type | None = None) -> Field:
        """Return the field for one member of a dict or an API class."""
        options: FieldOptions = {"required": self.for_load}
        if isinstance(value, fields.Field):
            return value
        if isinstance(value, Note):
            return value.build(partial(self.field, inside=inside), self.for_load)
        if is_annotation(value):
            found = read_annotation(value, partial(self.field, inside=inside), options)
            found.required = found.required and not self._may_be_absent(value, found)
            return found
        if isinstance(value, (list, tuple)) and len(value) == 1:
            return fields.List(self.field(value[0], inside), **options)
        if isinstance(value, type) and issubclass(value, fields.Field):
            return value(**options)
        if value in _SIMPLE:
            field_class, fixed = _TYPES[value]
            return field_class(**{**options, **fixed})
        if isinstance(value, type) and issubclass(value, Enum):
            return EnumValue(value, **options)
        if isinstance(value, type) and value in self._classes:
            return fields.Nested(lambda: self._classes[value](), **options)
        if not isinstance(value, (Schema, Mapping)) and self.schema_class(value) is None:
            raise TypeError(f"{value!r} is no type of a field. {TAKEN}")
        return fields.Nested(self.schema(value), **options)

    def _may_be_absent(self, value: object, field: Field) -> bool:
        return self._for_texts and is_annotation(value) and field.allow_none


class _Simple:
    """The types of `_TYPES`; unlike a dict it may be asked for what cannot be hashed."""

    def __contains__(self, value: object) -> bool:
        return value is Any or (isinstance(value, type) and value in _TYPES)


_SIMPLE: Final = _Simple()


def _as_many(schema: Schema) -> Schema:
    """Return a copy of *schema* for a list of its objects."""
    many = copy.copy(schema)
    many.many = True
    return many
