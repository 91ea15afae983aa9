"""marshmallow fields for columns whose rows hold something else than their Python type.

asyncpg's rows hold the values that PostgreSQL stores: an enum's value, ticks for a timestamp
column, a number for an address. These fields dump that as well as peewee's own form, and load the
forms that peewee's `db_value` takes. Runs per request.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import ipaddress
import uuid
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from marshmallow import ValidationError, fields
from marshmallow.validate import Validator

from msframework.schemas.strict import StrictUUID, Textual, UTCDateTime, Whole

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_OUT_OF_RANGE: Final = (OverflowError, ValueError, OSError)


class EnumValue(Textual, fields.Enum[Any]):
    """An enum by its value; dumps a member, or the value as the column holds it."""

    def __init__(self, enum: type[Enum], **kwargs: Any) -> None:
        super().__init__(enum, by_value=True, **kwargs)

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: object) -> Any:
        return value.value if isinstance(value, self.enum) else value

    def _deserialize(self, value: object, attr: str | None, data: Whole, **kwargs: object) -> Any:
        if self.reads_text and isinstance(value, str):
            for member in self.enum:
                if str(member.value) == value:
                    return member
        found = super()._deserialize(value, attr, data, **kwargs)
        # NOTE: to Python, true is 1 and "red" may be a member of its own.
        if isinstance(value, bool) is not isinstance(getattr(found, "value", None), bool):
            raise self.make_error("unknown", choices=self.choices_text)
        return found


class Base64(fields.Field[bytes]):
    """Bytes, as a base64 string (RFC 4648, section 4)."""

    default_error_messages = {"invalid": "Not a valid base64 string."}  # noqa: RUF012

    def _serialize(
        self, value: bytes | None, attr: str | None, obj: object, **kwargs: object
    ) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    def _deserialize(self, value: Any, attr: str | None, data: Whole, **kwargs: object) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error) as exc:
            raise self.make_error("invalid") from exc


class BinaryUUID(StrictUUID):
    """A UUID that its column holds as 16 bytes."""

    def _serialize(
        self, value: object, attr: str | None, obj: object, **kwargs: object
    ) -> str | None:
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = uuid.UUID(bytes=bytes(value))
        return super()._serialize(value, attr, obj, **kwargs)


class Ticks(UTCDateTime):
    """A moment that its column holds as a whole number: seconds since 1970, or parts of them.

    A moment that the column would not give back is refused. A number beyond the years of Python is
    dumped as its digits.

    Args:
        column: peewee's `TimestampField`; its resolution and zone say what the number means.
    """

    default_error_messages = {  # noqa: RUF012
        "inexact": "Must be a moment that is stored as it is, in steps of {step:.7g} s."
    }

    def __init__(self, column: Any, **kwargs: Any) -> None:
        super().__init__(timezone=dt.UTC if column.utc else None, **kwargs)
        self.column = column

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: object) -> Any:
        if isinstance(value, (int, float)):
            try:
                value = self._read(value)
            except _OUT_OF_RANGE:
                return str(value)
        return super()._serialize(value, attr, obj, **kwargs)

    def _deserialize(
        self, value: object, attr: str | None, data: Whole, **kwargs: object
    ) -> dt.datetime:
        found = super()._deserialize(value, attr, data, **kwargs)
        try:
            kept = self._read(self.column.db_value(found))
        except _OUT_OF_RANGE as exc:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from exc
        if kept != found:
            raise self.make_error("inexact", input=value, step=1 / self.column.resolution)
        return found

    def _read(self, ticks: float) -> dt.datetime:
        """Return the moment that the column means by *ticks*; peewee's own reading has less years.

        Raises:
            OverflowError, ValueError, OSError: there is none.
        """
        microseconds = round(ticks * self.column.ticks_to_microsecond)
        moment = _EPOCH + dt.timedelta(microseconds=microseconds)
        if not self.column.utc:
            moment = moment.astimezone()
        return moment.replace(tzinfo=None)


class AddressNumber(fields.IPv4):
    """An IPv4 address that its column holds as a number; loads the text that peewee takes."""

    def _serialize(
        self, value: object, attr: str | None, obj: object, **kwargs: object
    ) -> str | None:
        if isinstance(value, (int, str)):
            value = ipaddress.IPv4Address(value)
        return super()._serialize(value, attr, obj, **kwargs)

    def _deserialize(self, value: object, attr: str | None, data: Whole, **kwargs: object) -> Any:
        return str(super()._deserialize(value, attr, data, **kwargs))


class Digits(Validator):
    """Refuses decimals that `numeric(max_digits, places)` would not hold exactly.

    Args:
        max_digits: digits in all.
        places: how many of them stand after the point.
    """

    message_whole = "Ensure that there are no more than {whole} digits before the decimal point."
    message_places = "Ensure that there are no more than {places} decimal places."

    def __init__(self, max_digits: int, places: int) -> None:
        self.max_digits, self.places = max_digits, places
        self.whole = max_digits - places

    def _repr_args(self) -> str:
        return f"max_digits={self.max_digits!r}, places={self.places!r}"

    def __call__(self, value: object) -> object:
        if not isinstance(value, Decimal) or not value.is_finite() or not value:
            return value
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
        if -(exponent + zeros) > self.places:
            raise ValidationError(self.message_places.format(places=self.places))
        if value.adjusted() >= self.whole:
            raise ValidationError(self.message_whole.format(whole=self.whole))
        return value
