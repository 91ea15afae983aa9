"""JSON of whatever a program logs: it cannot fail, and is bounded. Runs per log line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Final

import orjson

_OPTIONS: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
_MAX_DEPTH: Final = 12
_MAX_ITEMS: Final = 1000
_MAX_TEXT: Final = 32_768
MAX_LINE: Final = 32_768  # characters of a line


def encode_json(value: object) -> str:
    """Return *value* as JSON on one line, whatever it holds."""
    try:
        return orjson.dumps(value, default=safe_text, option=_OPTIONS).decode()
    except Exception:
        # Lone surrogates, integers beyond 64 bits, circles, and nesting that is too deep.
        plain = _plain(value, 0)
        return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def safe_text(value: object) -> str:
    """Return *value* as text; of an object whose `__str__` fails, its class."""
    try:
        return clean_text(str(value))
    except Exception:
        return f"<{type(value).__name__}>"


def clean_text(text: str) -> str:
    """Return *text*, bounded, with the characters escaped that UTF-8 cannot hold."""
    if len(text) > _MAX_TEXT:
        text = f"{text[: _MAX_TEXT - 1]}…"
    return escape_surrogates(text)


def cut_text(text: str, most: int) -> str:
    """Return *text* in at most about *most* characters, its beginning and its end, saying so."""
    if len(text) <= most:
        return text
    # NOTE: a secret that is cut in two could not be told, hence whole words and whole lines.
    head, tail = text[: most // 4], text[most // 4 - most :]
    head = head[: max(head.rfind(" "), head.rfind("\n"))] or head
    _, line_break, end = tail.partition("\n")
    left = len(text) - len(head) - len(end)
    return f"{head}… {left} characters left out …{line_break}{end}"


def escape_surrogates(text: object) -> str:
    """Return *text*, of any length, with the characters escaped that UTF-8 cannot hold."""
    text = str(text)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _plain(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**64 else safe_text(value)
    if isinstance(value, float):
        return float(value) if value - value == 0 else None
    if depth >= _MAX_DEPTH:
        return "…"
    try:
        if isinstance(value, Mapping):
            pairs = islice(value.items(), _MAX_ITEMS)
            return {safe_text(key): _plain(item, depth + 1) for key, item in pairs}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [_plain(item, depth + 1) for item in islice(value, _MAX_ITEMS)]
    except Exception:
        return f"<{type(value).__name__}>"
    return safe_text(value)
