"""JSON as requests may send it, and as answers are written. Runs per request.

orjson reads and writes; what it is lenient about (integers beyond 64 bits become floats, nesting
to 1,024) is refused here. Every refusal is a `MalformedJSON` with the position in bytes.
"""

from __future__ import annotations

import json
import re
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

MAX_DEPTH: Final = 64
LARGEST: Final = 2**64 - 1
SMALLEST: Final = -(2**63)

_DIGITS: Final = bytes(0x30 if 0x30 <= code <= 0x39 else 0x20 for code in range(256))
_LONG: Final = b"0" * 19
_TOKEN: Final = re.compile(
    rb'"(?:[^"\\]|\\.)*"|(?P<number>-?[0-9]+(?P<real>[.eE][-+.eE0-9]*)?)|(?P<open>[\[{])|[\]}]'
    rb"|(?P<constant>NaN|-?Infinity)",
    re.DOTALL,
)
SUSPECT: Final = frozenset((float, dict, list))
_TOO_LARGE: Final = "the integer lies outside -2**63 to 2**64 - 1"
_AS_TEXT: Final = (
    Decimal,
    IPv4Address,
    IPv6Address,
    IPv4Interface,
    IPv6Interface,
    IPv4Network,
    IPv6Network,
)


def parse(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return what the strict JSON text *body* says (RFC 8259, UTF-8).

    Integers are exact; a lone surrogate escape gives the lone surrogate, for the schema to judge.

    Args:
        max_depth: how deep arrays and objects may be nested.

    Raises:
        MalformedJSON: it is no JSON, it is nested deeper, an integer is outside of
            -2**63 to 2**64 - 1, or a real number is larger than a double holds.
    """
    value = read(body, max_depth)
    # PERF: a flat object without floats needs no second look (benchmarks/schemas.py).
    if value.__class__ is not dict or not SUSPECT.isdisjoint(map(type, value.values())):
        check(body, value, max_depth)
    return value


def read(body: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Return what *body* says; whoever meets a value of a class in `SUSPECT` must `check` it.

    Raises:
        MalformedJSON: orjson refuses it, for another reason than a lone surrogate.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        return _reconsider(body, exc, max_depth)


def check(body: bytes, value: Any, max_depth: int) -> None:
    """Refuse what orjson was lenient about when it read *value* from *body*.

    Raises:
        MalformedJSON: *value* is nested too deep, or an integer in it became a float.
    """
    if _LONG in body.translate(_DIGITS):
        _check_numbers(body)
    if body.count(b"{") + body.count(b"[") > max_depth and is_deeper(value, max_depth):
        _refuse_depth(body, max_depth)


def _check_numbers(body: bytes) -> None:
    """Refuse an integer of the JSON text *body* that orjson read as a float."""
    for found in _TOKEN.finditer(body):
        digits = found["number"]
        if digits and found["real"] is None and not _is_exact(digits, False):
            raise MalformedJSON(_TOO_LARGE, position=found.start())


def is_deeper(value: Any, depth: int) -> bool:
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


def _refuse_depth(body: bytes, max_depth: int) -> NoReturn:
    depth = 0
    position = None
    for found in _TOKEN.finditer(body):
        if found["open"]:
            depth += 1
            if depth > max_depth:
                position = found.start()
                break
        elif found[0] in (b"]", b"}"):
            depth -= 1
    raise MalformedJSON(f"nested deeper than {max_depth}", position=position)


def _reconsider(body: bytes, error: orjson.JSONDecodeError, max_depth: int) -> Any:
    """Raise *error* as ours, or return the value where a surrogate was all that orjson minded."""
    message = error.msg.partition(": line ")[0]
    try:
        text = bytes(body).decode()
    except UnicodeDecodeError as exc:
        raise MalformedJSON("the body is no UTF-8", position=exc.start) from error
    if "depth limit" in message:
        _refuse_depth(body, max_depth)
    position: int | None = len(text[: error.pos].encode())
    if "surrogate" in message or "escape" in message:
        try:
            return _READER.decode(text)
        except json.JSONDecodeError as exc:
            message, position = exc.msg, len(text[: exc.pos].encode())
        except RecursionError:
            _refuse_depth(body, max_depth)
        except ValueError as exc:
            message, position = str(exc), _find_refused(body)
    raise MalformedJSON(message, position=position) from error


def _find_refused(body: bytes) -> int | None:
    """Return where the first number stands that `_READER` refuses."""
    for found in _TOKEN.finditer(body):
        digits = found["number"]
        if found["constant"] or (digits and not _is_exact(digits, found["real"] is not None)):
            return found.start()
    return None  # pragma: no cover - the reader refuses nothing else this way


def _is_exact(digits: bytes, real: bool) -> bool:
    if real:
        return abs(float(digits)) != float("inf")
    return len(digits) <= 20 and SMALLEST <= int(digits) <= LARGEST


def _read_int(digits: str) -> int:
    if len(digits) > 20 or not SMALLEST <= int(digits) <= LARGEST:
        raise ValueError(_TOO_LARGE)
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


def write_default(value: Any) -> Any:
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
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def dumps(value: Any) -> bytes:
    """Return *value* as JSON.

    Decimals, UUIDs, addresses and dates become strings, intervals seconds, NaN and Infinity null.

    Raises:
        TypeError: *value* holds something that has no form in JSON.
    """
    try:
        # NOTE: orjson 3.13.0 drops a zero of times of day with 10,000 to 99,999 microseconds, and
        # the seconds of a zone's offset, so dates and times are written in `write_default`.
        return orjson.dumps(value, write_default, orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:
        return _dump_rest(value)


def dumps_closed(value: Any) -> bytes:
    """Return *value* as `dumps` does, when it holds no time of day and no zone but UTC.

    PERF: orjson writes dates and moments itself (benchmarks/schemas.py, row renamed).
    """
    try:
        return orjson.dumps(value, write_default)
    except TypeError:
        return _dump_rest(value)


def _dump_rest(value: Any) -> bytes:
    """Write what orjson declines at first: keys that are no strings, big integers, surrogates."""
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


def _plain(value: Any, depth: int) -> Any:
    """Return *value* made of what the json module writes as orjson does."""
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


def _plain_key(key: Any) -> str:
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
