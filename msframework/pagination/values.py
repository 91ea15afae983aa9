"""The values of sort keys within a cursor: written as JSON, and read back exactly.

Runs per request. Nothing here compares values: the database does, by its own collations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from peewee import Field

from msframework.schemas.storable import why_not_storable
from msframework.types import JSONValue

# A value that JSON has no form for is a pair: the mark of its class, and a text.
_MARKS: Final[Mapping[type, tuple[str, Callable[[Any], str]]]] = MappingProxyType(
    {
        Decimal: ("decimal", str),
        UUID: ("uuid", str),
        datetime: ("datetime", datetime.isoformat),
        date: ("date", date.isoformat),
        time: ("time", time.isoformat),
        float: ("float", repr),
        bytes: ("bytes", bytes.hex),
    }
)
_INTEGER: Final = "integer"
_TEXT: Final = "text"
_BOOLEAN: Final = "boolean"
_ZONED: Final = "zoned"  # a datetime with a zone
# The marks of the values of a column, by the type that peewee gives it.
_OF_TYPE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("AUTO", "BIGAUTO", "INT", "INTEGER", "BIGINT", "SMALLINT"), _INTEGER),
        **dict.fromkeys(("CHAR", "VARCHAR", "TEXT"), _TEXT),
        **dict.fromkeys(("FLOAT", "DOUBLE", "REAL"), "float"),
        **dict.fromkeys(("DECIMAL", "NUMERIC"), "decimal"),
        **dict.fromkeys(("BLOB", "BYTEA"), "bytes"),
        "BOOL": _BOOLEAN,
        "BOOLEAN": _BOOLEAN,
        "DATE": "date",
        "DATETIME": "datetime",
        "TIMESTAMP": "datetime",
        "TIMESTAMPTZ": _ZONED,
        "TIME": "time",
        "UUID": "uuid",
    }
)
# The most digits before and after the point of a numeric (PostgreSQL's manual, "Numeric Types").
_MOST_EXPONENT: Final = 131_072
_INT8: Final = 2**63


def mark_of(field: Field) -> str:
    """Return the mark of the values of *field*; an empty text where its type is not known here."""
    return _OF_TYPE.get(str(field.field_type).upper(), "")


def write_value(value: object, made: type | None) -> JSONValue:
    """Return the JSON of *value*, a text of the class *made* where that is said.

    Raises:
        TypeError: values of this class cannot stand in a cursor.
    """
    kind = type(value)
    if made is not None and kind is str:
        return [_MARKS[Decimal if made is Decimal else UUID][0], value]
    if value is None or kind is int or kind is str or kind is bool:
        return value
    for base in kind.__mro__:
        if base in _MARKS:
            mark, write = _MARKS[base]
            if mark == "datetime" and getattr(value, "tzinfo", None) is not None:
                mark = _ZONED
            return [mark, write(value)]
    raise TypeError(
        f"a listing by cursors is sorted by values of {kind.__name__}, which a cursor cannot hold. "
        "Sort by numbers, texts, booleans, moments or UUIDs."
    )


def read_value(written: JSONValue, mark: str) -> Any:
    """Return the value that was *written*, which must be one of *mark*, or any where that is empty.

    Raises:
        ValueError: it is none.
    """
    if written is None:
        return None
    kind = type(written)
    if kind is bool:
        found, value = _BOOLEAN, written
    elif kind is int:
        found, value = _INTEGER, written
        if not -_INT8 <= written < _INT8:
            raise ValueError("too large")
    elif kind is str:
        found, value = _TEXT, written
        if why_not_storable(written) is not None:
            raise ValueError("no text of PostgreSQL's")
    else:
        found, text = written
        value = _READERS[found](text)
    if mark and found != mark:
        raise ValueError("of another type")
    return value


def _read_decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("no number") from None
    if value.is_finite() and abs(value.adjusted()) > _MOST_EXPONENT:
        raise ValueError("too large")
    return value


def _read_datetime(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is not None:
        raise ValueError("it has a zone")
    return value


def _read_zoned(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("it has no zone")
    return value


_READERS: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "decimal": _read_decimal,
        "uuid": UUID,
        "datetime": _read_datetime,
        _ZONED: _read_zoned,
        "date": date.fromisoformat,
        "time": time.fromisoformat,
        "float": float,
        "bytes": bytes.fromhex,
    }
)
