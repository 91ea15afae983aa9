"""Cookies as requests send them (RFC 6265, 4.2). Runs per request.

Sanic's own reader takes half a second for one quoted value of 16 kB.
"""

from __future__ import annotations

import re
from typing import Final

from sanic.cookies.request import COOKIE_NAME_RESERVED_CHARS

_is_broken: Final = COOKIE_NAME_RESERVED_CHARS.search
_ESCAPE: Final = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")


def parse_cookies(text: str) -> dict[str, list[str]]:
    """Return the values of each cookie in *text*, in their order, without pairs that are none."""
    found: dict[str, list[str]] = {}
    for item in text.split(";"):
        name, equals, value = item.partition("=")
        name, value = name.strip(), value.strip()
        if not equals:
            if not name:
                continue
            # A value without a name, as browsers send it.
            name, value = "", name
        if _is_broken(name) is None:
            found.setdefault(name, []).append(_unquote(value))
    return found


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPE.sub(_read_escape, value[1:-1])


def _read_escape(found: re.Match[str]) -> str:
    return chr(int(found[1], 8)) if found[1] is not None else found[2]
