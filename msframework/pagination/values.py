"""The values of sort keys within a cursor: written as JSON, and read back exactly.

Runs per request. Nothing here compares values: the database does, by its own collations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

from msframework.schemas.storable import why_not_storable
from msframework.types import JSONValue

_MICROSECOND: Final = timedelta(microseconds=1)
# A value that JSON has no form for is a pair: the mark of its class, and a text.
_MARKS: Final[Mapping[type, tuple[str, Callable[[Any], str]]]] = MappingProxyType(
    {
        Decimal: ("decimal", str),
        UUID: ("uuid", str),
        datetime: ("datetime", datetime.isoformat),
        date: ("date", date.isoformat),
        time: ("time", time.isoformat),
        timedelta: ("interval", lambda value: str(value // _MICROSECOND)),
        float: ("float", repr),
        bytes: ("bytes", bytes.hex),
    }
)
_LONG: Final = "long"
_SHORT: Final = 64  # characters; the digest of a longer value is shorter than the value
# The most digits before and after the point of a numeric (PostgreSQL's manual, "Numeric Types").
_MOST_EXPONENT: Final = 131_072
_INT8: Final = 2**63


class LongValue(NamedTuple):
    """A value of which a cursor has the digest alone: the SHA-256 of its text in PostgreSQL."""

    digest: bytes


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
            return [mark, write(value)]
    raise TypeError(
        f"a listing by cursors is sorted by values of {kind.__name__}, which a cursor cannot hold. "
        "Sort by numbers, texts, booleans, moments or UUIDs."
    )


def shorten(written: JSONValue) -> JSONValue:
    """Return the digest in place of a value that was *written* long."""
    mark, text = written if isinstance(written, list) else ("", written)
    if not isinstance(text, str) or len(text) <= _SHORT:
        return written
    if mark == "bytes":
        text = f"\\x{text}"
    elif mark == "decimal":
        text = f"{Decimal(text):f}"
    return [_LONG, sha256(text.encode()).hexdigest()]


def read_value(written: JSONValue) -> Any:
    """Return the value that was *written*, a `LongValue` of one that was shortened.

    Raises:
        ValueError: it is none.
    """
    if written is None:
        return None
    kind = type(written)
    if kind is bool:
        return written
    if kind is int:
        if not -_INT8 <= written < _INT8:
            raise ValueError("too large")
        return written
    if kind is str:
        if why_not_storable(written) is not None:
            raise ValueError("no text of PostgreSQL's")
        return written
    mark, text = written
    return _READERS[mark](text)


def _read_decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("no number") from None
    if value.is_finite() and abs(value.adjusted()) > _MOST_EXPONENT:
        raise ValueError("too large")
    return value


def _read_interval(text: str) -> timedelta:
    return timedelta(microseconds=int(text))


def _read_digest(text: str) -> LongValue:
    return LongValue(bytes.fromhex(text))


_READERS: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "decimal": _read_decimal,
        "uuid": UUID,
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "time": time.fromisoformat,
        "interval": _read_interval,
        "float": float,
        "bytes": bytes.fromhex,
        _LONG: _read_digest,
    }
)
