"""JSON as requests may send it, and as answers are written. Runs per request.

orjson reads and writes; where it is lenient (integers beyond 64 bits become floats, nesting
to 1,024, keys that stand twice) is refused here. Every refusal is a `MalformedJSON` with the
position in bytes.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, Final, NoReturn

import orjson

from msframework.exceptions import MalformedJSON
from msframework.json_text import (
    LARGEST,
    SMALLEST,
    TOO_LARGE,
    check_numbers,
    find_refused_number,
    refuse_depth,
    refuse_repeated_keys,
)
from msframework.pg_values import WRITERS
from msframework.types import JSONValue

MAX_DEPTH: Final = 64
SUSPECT: Final = frozenset((float, dict, list))
_AS_TEXT: Final = (
    Decimal,
    IPv4Address,
    IPv6Address,
    IPv4Interface,
    IPv6Interface,
    IPv4Network,
    IPv6Network,
)


def parse(body: bytes, *, max_depth: int = MAX_DEPTH) -> JSONValue:
    """Return the value of the strict JSON text *body* (RFC 8259, UTF-8).

    Integers are exact; a lone surrogate escape gives the lone surrogate, for the schema to judge.

    Args:
        max_depth: how deep arrays and objects may be nested.

    Raises:
        MalformedJSON: it is no JSON, it is nested deeper, a key stands twice in an object, an
            integer is outside of -2**63 to 2**64 - 1, or a real number is larger than a double
            holds.
    """
    value = read(body, max_depth)
    check_keys(body, value)
    # PERF: a flat object without floats needs no second look (benchmarks/schemas.py).
    if value.__class__ is not dict or not SUSPECT.isdisjoint(map(type, value.values())):
        check(body, value, max_depth)
    return value


def read(body: bytes, max_depth: int = MAX_DEPTH) -> JSONValue:
    """Return the value of *body*; whoever meets a value of a class in `SUSPECT` must `check` it.

    Raises:
        MalformedJSON: orjson refuses it, for another reason than a lone surrogate.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        return _reconsider(body, exc, max_depth)


def check(body: bytes, value: object, max_depth: int, known: Counter[int] | None = None) -> None:
    """Refuse a *body* that orjson was lenient about when it read *value* from it.

    Args:
        known: how often an integer beyond 64 bits was read exactly, in another way.

    Raises:
        MalformedJSON: *value* is nested too deep, or an integer in it became a float.
    """
    check_numbers(body, known)
    check_depth(body, value, max_depth)


def check_depth(body: bytes, value: object, max_depth: int) -> None:
    """Refuse *value*, which was read from *body*, when it is nested too deep.

    Raises:
        MalformedJSON: it is.
    """
    if body.count(b"{") + body.count(b"[") > max_depth and is_deeper(value, max_depth):
        refuse_depth(body, max_depth)


def check_keys(body: bytes, value: object) -> None:
    """Refuse *body* when a key stands twice in one of its objects; orjson read *value*.

    NOTE: of two equal keys, every parser takes another; a check that runs before us may have seen
    the other one.

    PERF: a body has at least as many colons as keys. If it has no more than there are keys in
    *value*, or than *value* has when it is written again, no key is missing; an escaped colon in
    *body* alone can hide one (benchmarks/hostile.py).

    Raises:
        MalformedJSON: there is such a key.
    """
    colons = body.count(b":")
    if colons == (len(value) if value.__class__ is dict else 0):
        return
    try:
        written = orjson.dumps(value)
    except TypeError:  # a lone surrogate, or nested too deep
        refuse_repeated_keys(body)
        return
    if colons != written.count(b":") or b"\\u003" in body:
        refuse_repeated_keys(body)


def is_deeper(value: object, depth: int) -> bool:
    """Tell whether arrays and objects in *value* are nested deeper than *depth*."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(depth):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
    return bool(level)


def _reconsider(body: bytes, error: orjson.JSONDecodeError, max_depth: int) -> JSONValue:
    """Raise *error* as ours, or return the value where a surrogate was all that orjson minded."""
    message = error.msg.partition(": line ")[0]
    try:
        text = bytes(body).decode()
    except UnicodeDecodeError as exc:
        raise MalformedJSON("the body is no UTF-8", position=exc.start) from error
    if "depth limit" in message:
        refuse_depth(body, max_depth)
    position: int | None = len(text[: error.pos].encode())
    if "surrogate" in message or "escape" in message:
        try:
            return _READER.decode(text)
        except json.JSONDecodeError as exc:
            message, position = exc.msg, len(text[: exc.pos].encode())
        except RecursionError:
            refuse_depth(body, max_depth)
        except ValueError as exc:
            message, position = str(exc), find_refused_number(body)
    raise MalformedJSON(message, position=position) from error


def _read_int(digits: str) -> int:
    if len(digits) > 20 or not SMALLEST <= int(digits) <= LARGEST:
        raise ValueError(TOO_LARGE)
    return int(digits)


def _read_float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("the number is larger than a double holds")
    return value


def _read_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


_READER: Final = json.JSONDecoder(
    parse_int=_read_int, parse_float=_read_float, parse_constant=_read_constant
)


def write_default(value: object) -> Any:
    """Return the JSON form of a *value* that orjson does not know, or does not write rightly.

    Raises:
        TypeError: there is none.
    """
    if value.__class__ is datetime and (value.tzinfo is None or value.tzinfo is UTC):
        return orjson.Fragment(orjson.dumps(value))
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, _AS_TEXT):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "hex") and hasattr(value, "int"):
        return str(value)
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {key: value[key] for key in value.keys()}  # noqa: SIM118 - an asyncpg Record
    write = WRITERS.get(type(value))
    if write is None:
        raise TypeError(f"{type(value).__name__} has no form in JSON")
    return write(value)


def dumps(value: object) -> bytes:
    """Return *value* as JSON.

    Decimals, UUIDs, addresses and dates become strings, bytes base64, intervals seconds, NaN and
    Infinity null.

    Raises:
        TypeError: *value* holds something that has no form in JSON.
    """
    try:
        # NOTE: orjson 3.13.0 drops a zero of times of day with 10,000 to 99,999 microseconds, and
        # the seconds of a zone's offset, so dates and times are written in `write_default`.
        return orjson.dumps(value, write_default, orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:
        return _dump_rest(value)


def dumps_closed(value: object) -> bytes:
    """Return *value* as `dumps` does, when it holds no time of day and no zone but UTC.

    PERF: orjson writes dates and moments itself (benchmarks/schemas.py, row renamed).
    """
    try:
        return orjson.dumps(value, write_default)
    except TypeError:
        return _dump_rest(value)


def _dump_rest(value: object) -> bytes:
    """Write values that orjson declines at first: keys of other types, big integers, surrogates."""
    try:
        options = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
        return orjson.dumps(value, write_default, options)
    except TypeError:
        plain = _plain(value, 0)
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(plain, separators=(",", ":")).encode()


def _plain(value: object, depth: int) -> Any:
    """Return *value* made of types that the json module writes as orjson does."""
    if depth > 254:
        raise TypeError("nested deeper than 254")
    if value is None or value is True or value is False or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, (date, time)):
        return value.isoformat()
    try:
        return json.loads(orjson.dumps(value))  # whatever orjson writes, big integers included
    except TypeError:
        return _plain(write_default(value), depth + 1)


def _plain_key(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(int(key))
    if isinstance(key, (date, time)):
        return key.isoformat()
    try:
        (text,) = orjson.loads(orjson.dumps({key: None}, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:
        text = str(_plain(write_default(key), 0))
    return str(text)
