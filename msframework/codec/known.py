"""The fields, validators and schemas that the compiler knows: they behave as marshmallow's own.

A subclass counts as its built-in base as long as it overrides nothing that runs. Runs at start-up.
"""

from __future__ import annotations

from typing import Final

from marshmallow import Schema, fields, validate

from msframework.schemas.columns import (
    AddressNumber,
    Base64,
    BinaryUUID,
    Digits,
    EnumValue,
    Ticks,
)
from msframework.schemas.model import ModelSchema
from msframework.schemas.naming import Schema as NamedSchema
from msframework.schemas.reference import Reference
from msframework.schemas.storable import Storable
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
    UTCDateTime,
    ZonedDateTime,
)
from msframework.types import Field

_CUSTOM: Final = (fields.Method, fields.Function)
# NOTE: an undocumented class; where it is missing, nothing is compiled (`_tested.NAMES`).
_TEMPORAL: Final[type[Field]] = getattr(fields, "_TemporalField", fields.Field)
_ABSTRACT: Final = {fields.Field, fields.Number, fields.Mapping, _TEMPORAL}
FIELDS: Final = frozenset(
    {
        value
        for value in vars(fields).values()
        if isinstance(value, type) and issubclass(value, fields.Field)
    }
    - {*_CUSTOM}
    - _ABSTRACT
    | {AddressNumber, Base64, BinaryUUID, EnumValue, Reference, Ticks}
    | {StrictBoolean, StrictDecimal, StrictFloat, StrictInteger, StrictTimeDelta, StrictUUID}
    | {StrictDate, StrictDateTime, StrictTime, UTCDateTime, ZonedDateTime}
)
ISO: Final = ("iso", "iso8601")
_INERT: Final = {"default_error_messages", "truthy", "falsy", "reads_text", "_bind_to_schema"}
_BEHAVIOUR: Final = {
    name
    for known in FIELDS | _ABSTRACT
    for name in vars(known)
    if not name.startswith("__") and name not in _INERT
}
VALIDATORS: Final = frozenset(
    {
        value
        for value in vars(validate).values()
        if isinstance(value, type) and issubclass(value, validate.Validator)
    }
    - {validate.Validator, validate.And}
    | {Digits, Storable}
)


def field_base(field: Field) -> type[Field] | None:
    """Return the class that *field* behaves as, or `None` for one of the user's own making."""
    if not _BEHAVIOUR.isdisjoint(vars(field)):
        return None
    for known in type(field).__mro__:
        if known in FIELDS:
            return known
        if known in _CUSTOM or known in _ABSTRACT or not _BEHAVIOUR.isdisjoint(vars(known)):
            return None
    return None


def why_unknown(field: Field) -> str | None:
    """Return why marshmallow must load and dump *field*, or `None` when it need not."""
    if isinstance(field, (fields.Method, fields.Function)):
        return f"{type(field).__name__} calls the user's code"
    if field_base(field) is None:
        return f"{type(field).__name__} is a custom field"
    return None


def is_usual(field: Field) -> bool:
    """Tell whether the options of *field* leave its values in their usual form."""
    if isinstance(field, fields.Decimal):
        return field.places is None and not field.allow_nan
    if isinstance(field, (fields.Integer, fields.Float)):
        return not field.as_string
    if isinstance(field, (fields.DateTime, fields.Date, fields.Time)):
        return (field.format or field.DEFAULT_FORMAT) in ISO
    return True


def validator_base(validator: object) -> type | None:
    """Return the class that *validator* behaves as, or `None` when it is the user's own."""
    for known in type(validator).__mro__:
        if known in VALIDATORS:
            return known
        if {"__call__", "_format_error"} & vars(known).keys():
            return None
    return None


def overrides(schema: Schema, *names: str) -> bool:
    """Tell whether *schema* (its class or the object) has its own version of one of *names*."""
    for name in names:
        if name in vars(schema):
            return True
        if getattr(type(schema), name, None) is not getattr(Schema, name, None):
            return True
    return False


DUMPS: Final = ("dump", "_serialize", "_invoke_dump_processors", "_invoke_processors")
LOADS: Final = (
    "load",
    "_do_load",
    "_deserialize",
    "_call_and_store",
    "_invoke_load_processors",
    "_invoke_processors",
    "_invoke_field_validators",
    "_invoke_schema_validators",
    "_run_validator",
)


def reads_anything(schema: Schema) -> bool:
    """Tell whether only the user's own code reads the data of a dump, so that it may be anything.

    A hook before the dump is no such code: its result is read as an object.
    """
    if overrides(schema, "get_attribute", *DUMPS):
        return True
    return all(
        isinstance(field, (*_CUSTOM, fields.Constant)) for field in schema.dump_fields.values()
    )


def is_rebound(schema: Schema) -> bool:
    """Tell whether objects of the same class may differ in more than their options."""
    known = (each.on_bind_field for each in (Schema, NamedSchema, ModelSchema))
    return type(schema).on_bind_field not in known or type(schema).__init__ is not Schema.__init__
