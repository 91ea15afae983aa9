"""Finds faults that a parser of JSON does not report: lost digits, repeated keys, their places.

The text was read before, so it is well formed. Runs per request, where something is suspect.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Final, NoReturn

from msframework.exceptions import MalformedJSON

LARGEST: Final = 2**64 - 1
SMALLEST: Final = -(2**63)
TOO_LARGE: Final = "the integer lies outside -2**63 to 2**64 - 1"

_DIGITS: Final = bytes(0x30 if 0x30 <= code <= 0x39 else 0x20 for code in range(256))
_LONG: Final = b"0" * 19
_MOST_DIGITS: Final = 1000
_TOKEN: Final = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(?P<number>-?[0-9]+(?P<real>[.eE][-+.eE0-9]*)?)'
    rb"|(?P<open>[\[{])|[\]}]|(?P<constant>NaN|-?Infinity)",
    re.DOTALL,
)
# A string with the colon that makes it a key, a string, or an end of an object.
_KEY: Final = re.compile(
    rb'(?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+")(?P<colon>[ \t\n\r]*+:)?|(?P<open>\{)|\}', re.DOTALL
)


def check_numbers(body: bytes, known: Counter[int] | None = None) -> None:
    """Refuse an integer of *body* that orjson read as a float.

    Args:
        known: how often an integer was read exactly in another way.
    """
    if _LONG not in body.translate(_DIGITS):
        return
    for found in _TOKEN.finditer(body):
        digits = found["number"]
        if digits and found["real"] is None and not _is_exact(digits, False):
            if known and len(digits) <= _MOST_DIGITS and known[int(digits)] > 0:
                known[int(digits)] -= 1
                continue
            raise MalformedJSON(TOO_LARGE, position=found.start())


def find_refused_number(body: bytes) -> int | None:
    """Return where the first number stands that a strict reader refuses."""
    for found in _TOKEN.finditer(body):
        digits = found["number"]
        if found["constant"] or (digits and not _is_exact(digits, found["real"] is not None)):
            return found.start()
    return None  # pragma: no cover - the reader refuses nothing else this way


def _is_exact(digits: bytes, real: bool) -> bool:
    if real:
        return abs(float(digits)) != float("inf")
    return len(digits) <= 20 and SMALLEST <= int(digits) <= LARGEST


def refuse_depth(body: bytes, max_depth: int) -> NoReturn:
    """Refuse *body*, which is nested deeper than *max_depth*."""
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


def refuse_repeated_keys(body: bytes) -> None:
    """Refuse *body* if a key stands twice in one of its objects.

    Raises:
        MalformedJSON: there is such a key; the position is that of the second.
    """
    if not _repeats_key(body):
        return
    seen: set[bytes] = set()
    outer: list[set[bytes]] = []
    for found in _KEY.finditer(body):
        if found["open"]:
            outer.append(seen)
            seen = set()
        elif found["text"] is None:
            seen = outer.pop()
        elif found["colon"]:
            key = found["text"]
            if b"\\" in key:
                key = json.dumps(json.loads(key)).encode()
            elif not key.isascii():
                key = json.dumps(key.decode()[1:-1]).encode()
            if key in seen:
                raise MalformedJSON("the key stands twice in an object", position=found.start())
            seen.add(key)


class _Repeated(Exception):
    """A key stands twice in an object."""


def _repeats_key(body: bytes) -> bool:
    """Tell whether a key stands twice, at the speed of a parser."""
    try:
        _PAIRS.decode(bytes(body).decode())
    except _Repeated:
        return True
    except RecursionError:  # whoever looks at the depth refuses it
        pass
    return False


def _refuse_pairs(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _Repeated


# NOTE: numbers stay texts, since an integer of thousands of digits costs more than it tells.
_PAIRS: Final = json.JSONDecoder(object_pairs_hook=_refuse_pairs, parse_int=len, parse_float=len)
