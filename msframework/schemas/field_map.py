"""The type table: which marshmallow field a column of peewee 4.5 becomes. Runs at start-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import peewee
from marshmallow import fields, validate
from playhouse import fields as extra
from playhouse import postgres_ext

from msframework._tested import demand
from msframework.models.base import DateTimeTZField
from msframework.schemas.columns import (
    AddressNumber,
    Base64,
    BinaryUUID,
    Digits,
    EnumValue,
    Ticks,
)
from msframework.schemas.strict import (
    StrictBoolean,
    StrictDate,
    StrictDecimal,
    StrictFloat,
    StrictInteger,
    StrictTime,
    StrictTimeDelta,
    StrictUUID,
    UTCDateTime,
    ZonedDateTime,
)
from msframework.types import Field, FieldOptions

Make = Callable[[Any, FieldOptions], Field]
LARGEST_REAL: Final = 3.4028234663852886e38


def _simple(field_class: type[Field], **fixed: Any) -> Make:
    def make(column: object, options: FieldOptions) -> Field:
        return field_class(**fixed, **options)

    return make


def _check(options: FieldOptions, *validators: validate.Validator) -> None:
    options["validate"] = [*validators, *options.get("validate", ())]


def _integer(bits: int) -> Make:
    def make(column: object, options: FieldOptions) -> Field:
        _check(options, validate.Range(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
        return StrictInteger(**options)

    return make


def _text(column: object, options: FieldOptions) -> Field:
    length = getattr(column, "max_length", None)
    if length:
        _check(options, validate.Length(max=length))
    return fields.String(**options)


def _real(column: object, options: FieldOptions) -> Field:
    if not isinstance(column, peewee.DoubleField):
        _check(options, validate.Range(-LARGEST_REAL, LARGEST_REAL))
    return StrictFloat(**options)


def _decimal(column: peewee.DecimalField, options: FieldOptions) -> Field:
    if column.auto_round:
        options |= {"places": column.decimal_places, "rounding": column.rounding}
    _check(options, Digits(column.max_digits, column.decimal_places))
    return StrictDecimal(as_string=True, **options)


def _enum(column: extra.EnumFieldMixin, options: FieldOptions) -> Field:
    options.pop("validate", None)  # the choices are the enum's own values
    return EnumValue(column.enum_class, **options)


def _ticks(column: peewee.TimestampField, options: FieldOptions) -> Field:
    return Ticks(column, **options)


def _array(column: postgres_ext.ArrayField, options: FieldOptions) -> Field:
    demand("peewee", "an array column")
    inner = make_field(column._ArrayField__field, {"allow_none": True})
    for _ in range(column.dimensions - 1):
        inner = fields.List(inner)
    return fields.List(inner, **options)


def _hstore(column: object, options: FieldOptions) -> Field:
    return fields.Dict(fields.String(), fields.String(allow_none=True), **options)


def _naive(column: object, options: FieldOptions) -> Field:
    # NOTE: asyncpg refuses aware values for a timestamp without time zone; they become UTC.
    return UTCDateTime(**options)


def _foreign_key(column: peewee.ForeignKeyField, options: FieldOptions) -> Field:
    return make_field(column.rel_field, options)


def _read_only(make: Make) -> Make:
    def made(column: object, options: FieldOptions) -> Field:
        options |= {"dump_only": True, "required": False}
        return make(column, options)

    return made


# The first class of a column's MRO that stands here decides.
FIELD_MAP: Final[dict[type, Make]] = {
    peewee.ForeignKeyField: _foreign_key,
    peewee.BigAutoField: _integer(64),
    peewee.AutoField: _integer(32),
    peewee.BigIntegerField: _integer(64),
    peewee.SmallIntegerField: _integer(16),
    peewee.IntegerField: _integer(32),
    peewee.FloatField: _real,
    peewee.DecimalField: _decimal,
    peewee.CharField: _text,
    peewee.TextField: _text,
    peewee.BlobField: _simple(Base64),
    peewee.BinaryUUIDField: _simple(BinaryUUID),
    peewee.UUIDField: _simple(StrictUUID),
    peewee.DateTimeField: _naive,
    peewee.DateField: _simple(StrictDate),
    peewee.TimeField: _simple(StrictTime),
    peewee.TimestampField: _ticks,
    peewee.IPField: _simple(AddressNumber),
    peewee.BooleanField: _simple(StrictBoolean),
    peewee.JSONField: _simple(fields.Raw),
    peewee.AnyField: _simple(fields.Raw),
    peewee.BareField: _simple(fields.Raw),
    extra.EnumFieldMixin: _enum,
    postgres_ext.ArrayField: _array,
    DateTimeTZField: _simple(ZonedDateTime),
    postgres_ext.DateTimeTZField: _simple(ZonedDateTime),
    postgres_ext.HStoreField: _hstore,
    postgres_ext.JSONField: _simple(fields.Raw),
    postgres_ext.TSVectorField: _read_only(_simple(fields.String)),
    postgres_ext.IntervalField: _simple(StrictTimeDelta),
}


def make_field(column: peewee.Field, options: FieldOptions) -> Field:
    """Return the marshmallow field for *column*, made with *options* and its type's own checks.

    Raises:
        LookupError: the type table has no class of the column.
    """
    for column_class in type(column).__mro__:
        make = FIELD_MAP.get(column_class)
        if make is not None:
            return make(column, options)
    raise LookupError(type(column).__name__)
