"""Fields that take only what the document of a service says.

Schemas derived from models, dicts and API classes use them in the place of
marshmallow's, which also take `"5"` and `1.9` for an integer and `"yes"` for a boolean. Runs per
request.
"""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Self, TypeAlias

from marshmallow import Schema, fields
from marshmallow.utils import is_aware

from msframework.json_text import LARGEST, SMALLEST

# The object whose member a field reads.
Whole: TypeAlias = Mapping[str, object] | None

LARGEST_EXPONENT: Final = 1000
DECIMAL: Final = r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?"
_is_decimal = re.compile(DECIMAL).fullmatch
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch
_is_integer = re.compile(r"-?[0-9]+").fullmatch
# Doubles hold whole numbers up to here; beyond, the digits that were sent may be others.
_LARGEST_EXACT: Final = 2**53
_MOST_DIGITS: Final = 20
_ENDS: Final = (dt.datetime.max, dt.datetime.min)
_SPECIAL: Final = frozenset(("nan", "inf", "infinity"))
_WIDE: Final = decimal.Context(prec=3 * LARGEST_EXPONENT)


class Textual:
    """A field of which there is a twin that reads text: in a path, a query, a form, a header."""

    reads_text = False

    def reading_text(self) -> Self:
        """Return the twin."""
        twin = copy.copy(self)
        twin.reads_text = True
        return twin


class StrictInteger(Textual, fields.Integer):
    """A whole number: `5`, `5.0` and `5e0`, which JSON Schema calls integers; never `"5"`."""

    def _validated(self, value: object) -> int:
        if value.__class__ is int:
            return int(value)
        if isinstance(value, str):
            if not self.reads_text or not _is_integer(value):
                raise self.make_error("invalid", input=value)
            return self._within_64_bits(Decimal(value))
        if isinstance(value, float):
            if not (value.is_integer() and -_LARGEST_EXACT <= value <= _LARGEST_EXACT):
                raise self.make_error("invalid", input=value)
            return int(value)
        if isinstance(value, Decimal):
            return self._within_64_bits(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return int(value)

    def _within_64_bits(self, value: Decimal) -> int:
        if not value.is_finite():
            raise self.make_error("invalid", input=value)
        if value.adjusted() > _MOST_DIGITS or not SMALLEST <= value <= LARGEST:
            raise self.make_error("too_large", input=value)
        if value != int(value):
            raise self.make_error("invalid", input=value)
        return int(value)


class StrictFloat(Textual, fields.Float):
    """A number of JSON, as a double."""

    def _validated(self, value: object) -> float:
        if isinstance(value, str) and not (self.reads_text and _is_decimal(value)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class StrictDecimal(fields.Decimal):
    """A decimal number, written as a string or as a number of JSON; every digit is kept."""

    default_error_messages = {  # noqa: RUF012
        "exponent": f"Must have an exponent of at most {LARGEST_EXPONENT}."
    }

    def _validated(self, value: object) -> Decimal:
        if isinstance(value, str) and not _is_decimal(value):
            special = value.lstrip("+-").lower() in _SPECIAL
            raise self.make_error("special" if special else "invalid", input=value)
        return super()._validated(value)

    def _format_num(self, value: object) -> Decimal:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if number.is_finite():
            if not has_small_exponent(number):
                raise self.make_error("exponent", input=value)
            if self.places is not None:
                return number.quantize(self.places, self.rounding, _WIDE)
        return number


def read_decimal(text: str) -> Decimal:
    """Return the decimal that *text* is.

    Raises:
        ValueError: it is none.

    PERF: a number written as Python would write it needs no expression (benchmarks/schemas.py, row
    load derived).
    """
    number = Decimal(text)
    if (
        (str(number) != text and not _is_decimal(text))
        or not -LARGEST_EXPONENT <= number.adjusted() <= LARGEST_EXPONENT
        or not number.is_finite()  # whose adjusted() is 0
    ):
        raise ValueError(text)
    return number


def has_small_exponent(number: Decimal) -> bool:
    """Tell whether writing *number* without an exponent takes little more than its own digits."""
    # NOTE: adjusted() is 0 for NaN and Infinity.
    return -LARGEST_EXPONENT <= number.adjusted() <= LARGEST_EXPONENT and number.is_finite()


class StrictBoolean(Textual, fields.Boolean):
    """True or false; as text also marshmallow's words for them (`true`, `1`, `on`, `no`, …)."""

    def _deserialize(self, value: object, attr: str | None, data: Whole, **kwargs: object) -> bool:
        if value is True or value is False:
            return bool(value)
        if not self.reads_text or not isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class StrictUUID(fields.UUID):
    """A UUID in its 36 characters, as paths take it."""

    def _validated(self, value: object) -> uuid.UUID:
        if isinstance(value, str) and not _is_uuid(value):
            raise self.make_error("invalid_uuid", input=value)
        return super()._validated(value)


def read_uuid(text: str) -> uuid.UUID:
    """Return the UUID that *text* is.

    Raises:
        ValueError: it is none, or written in another way.
    """
    if not _is_uuid(text):
        raise ValueError(text)
    return uuid.UUID(text)


class OrText:
    """A field of times; a text is dumped as it is.

    Times beyond those of Python (the year 10000, infinite intervals) are read as texts.
    """

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: object) -> Any:
        if isinstance(value, str):
            return value
        return super()._serialize(value, attr, obj, **kwargs)  # type: ignore[misc]


class StrictDate(OrText, fields.Date):
    """A date."""


class StrictTime(OrText, fields.Time):
    """A time of day, without a zone, which no column keeps."""

    default_error_messages = {"zone": "Must be a time of day without a time zone."}  # noqa: RUF012

    def _deserialize(
        self, value: object, attr: str | None, data: Whole, **kwargs: object
    ) -> dt.time:
        found = super()._deserialize(value, attr, data, **kwargs)
        if not has_no_zone(found):
            raise self.make_error("zone", input=value)
        return found


def has_no_zone(time: dt.time) -> bool:
    """Tell whether *time* is a time of day and no more."""
    return time.tzinfo is None


class StrictDateTime(OrText, fields.DateTime):
    """A moment, with its zone or without."""


class StrictTimeDelta(Textual, OrText, fields.TimeDelta):
    """An interval, as a number of seconds."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Whole, **kwargs: object
    ) -> dt.timedelta:
        is_text = isinstance(value, str)
        if isinstance(value, bool) or (is_text and not (self.reads_text and _is_decimal(value))):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class UTCDateTime(OrText, fields.NaiveDateTime):
    """A moment for a column without a zone: one that is given is converted to UTC and dropped."""

    def __init__(self, *, timezone: dt.timezone | None = dt.UTC, **kwargs: Any) -> None:
        super().__init__(timezone=timezone, **kwargs)

    def _deserialize(
        self, value: object, attr: str | None, data: Whole, **kwargs: object
    ) -> dt.datetime:
        try:
            return super()._deserialize(value, attr, data, **kwargs)
        except OverflowError as exc:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from exc


class ZonedDateTime(OrText, fields.AwareDateTime):
    """A moment with its zone, which lies in the years 1 to 9999 of UTC.

    The first and the last of these are `-infinity` and `infinity` to asyncpg, which reads them
    without a zone.
    """

    def _serialize(self, value: Any, attr: str | None, obj: object, **kwargs: object) -> Any:
        if value in _ENDS:
            value = value.replace(tzinfo=dt.UTC)
        return super()._serialize(value, attr, obj, **kwargs)

    def _deserialize(
        self, value: object, attr: str | None, data: Whole, **kwargs: object
    ) -> dt.datetime:
        found = super()._deserialize(value, attr, data, **kwargs)
        if not is_in_utc(found):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        return found


def is_in_utc(moment: dt.datetime) -> bool:
    """Tell whether *moment* has a zone, and UTC has a year for it."""
    # NOTE: one without would be converted from the zone of the machine, and year 0 is no year.
    if not is_aware(moment):
        return False
    if not 1 < moment.year < 9999:
        try:
            moment.astimezone(dt.UTC)
        except OverflowError:
            return False
    return True


class NestedTexts(fields.Nested):
    """An object whose members are texts, as `?filter[age]=3` gives them.

    Args:
        field: the field that it is the twin of.
    """

    def __init__(self, field: fields.Nested) -> None:
        self.__dict__.update(field.__dict__)
        self._texts = read_text_schema(field.schema)

    @property
    def schema(self) -> Schema:
        """The schema of the object, which reads texts."""
        return self._texts


def read_text_schema(schema: Schema) -> Schema:
    """Return *schema* for the text of a path, a query, a form or a header."""
    twins = {name: reading_text(field) for name, field in schema.load_fields.items()}
    if all(twins[name] is field for name, field in schema.load_fields.items()):
        return schema
    twin = copy.copy(schema)
    twin.load_fields = twins
    return twin


def reading_text(field: Any) -> Any:
    """Return *field*, or its twin that reads text."""
    if isinstance(field, Textual):
        return field.reading_text()
    if type(field) is fields.Nested and not (field.many or field.schema.many):
        return NestedTexts(field)
    if getattr(field, "is_json", False):
        return field  # which reads the values of JSON, not texts
    for name in ("inner", "id_field"):
        inner = getattr(field, name, None)
        if isinstance(inner, fields.Field):
            twin = reading_text(inner)
            if twin is not inner:
                field = copy.copy(field)
                setattr(field, name, twin)
    if isinstance(field, fields.Tuple):
        parts = [reading_text(part) for part in field.tuple_fields]
        if any(twin is not part for twin, part in zip(parts, field.tuple_fields, strict=True)):
            field = copy.copy(field)
            field.tuple_fields = parts
    return field
