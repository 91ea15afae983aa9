"""API classes: another service's objects, described by notes.

    class ProvinceApi:
        id = doc.Integer("id")
        name = doc.String("name")

    class CityApi:
        id = doc.Integer("id")
        name = doc.String("name")
        province = ProvinceApi          # or doc.Object(ProvinceApi), doc.List(ProvinceApi)

Runs at start-up: `as_schema` turns such a class into a Schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from marshmallow import fields, validate

from msframework.schemas.strict import (
    StrictBoolean,
    StrictDate,
    StrictDateTime,
    StrictDecimal,
    StrictFloat,
    StrictInteger,
)
from msframework.types import Field, FieldOptions

ReadField = Callable[[object], Field]


class Note:
    """One attribute of an API class.

    Args:
        description: the meaning of the value.
        required: whether it must be sent; `None` leaves that to the place where the class is used
            (consumed: it must).
        name: its key in JSON, when that is not the attribute's name.
        choices: the values that are allowed.
        null: whether it may be null.
    """

    field_class: type[Field] = fields.Raw
    options: ClassVar[FieldOptions] = {}

    def __init__(
        self,
        description: str = "",
        required: bool | None = None,
        name: str | None = None,
        choices: Iterable[object] | None = None,
        null: bool = False,
    ) -> None:
        self.description = description
        self.required = required
        self.name = name
        self.choices = None if choices is None else tuple(choices)
        self.null = null

    def field_options(self, required: bool) -> FieldOptions:
        """Return the arguments of the marshmallow field; *required* where the note does not say."""
        options: FieldOptions = {
            **self.options,
            "required": required if self.required is None else self.required,
            "data_key": self.name,
            "allow_none": self.null,
            "metadata": {"description": self.description} if self.description else {},
        }
        if self.choices is not None:
            options["validate"] = validate.OneOf(self.choices)
        return options

    def build(self, read: ReadField, required: bool) -> Field:
        """Return the field; *read* turns whatever an attribute may hold into one."""
        return self.field_class(**self.field_options(required))


class String(Note):
    """Text."""

    field_class = fields.String


class Integer(Note):
    """A whole number."""

    field_class = StrictInteger


class Float(Note):
    """A real number."""

    field_class = StrictFloat


class Decimal(Note):
    """A decimal number, as a string."""

    field_class = StrictDecimal
    options: ClassVar[FieldOptions] = {"as_string": True}


class Boolean(Note):
    """True or false."""

    field_class = StrictBoolean


class Date(Note):
    """A date, ISO 8601."""

    field_class = StrictDate


class DateTime(Note):
    """A date with its time, ISO 8601."""

    field_class = StrictDateTime


class Object(Note):
    """An object that another API class (or Schema, model, dict) describes."""

    def __init__(
        self,
        of: object,
        description: str = "",
        required: bool | None = None,
        name: str | None = None,
        choices: Iterable[object] | None = None,
        null: bool = False,
    ) -> None:
        super().__init__(description, required, name, choices, null)
        self.of = of

    def build(self, read: ReadField, required: bool) -> Field:
        inner = read(self.of)
        if not isinstance(inner, fields.Nested):
            raise TypeError(f"doc.Object got {self.of!r}, which describes no object")
        return fields.Nested(inner.nested, **self.field_options(required))


class Container(Note):
    """A value with values of one kind inside, which *of* describes."""

    def __init__(
        self,
        of: object = None,
        description: str = "",
        required: bool | None = None,
        name: str | None = None,
        choices: Iterable[object] | None = None,
        null: bool = False,
    ) -> None:
        super().__init__(description, required, name, choices, null)
        self.of = of


class List(Container):
    """A list; its items are described by another note, API class, Schema, model or type."""

    def build(self, read: ReadField, required: bool) -> Field:
        of = self.of[0] if isinstance(self.of, (list, tuple)) and len(self.of) == 1 else self.of
        return fields.List(fields.Raw() if of is None else read(of), **self.field_options(required))


class Dictionary(Container):
    """An object with any keys; *of* describes its values."""

    def build(self, read: ReadField, required: bool) -> Field:
        values = None if self.of is None else read(self.of)
        return fields.Dict(fields.String(), values, **self.field_options(required))
