"""Percent-encoding (RFC 3986, 2.1), read and written strictly. Runs per request.

An escape that the lenient readers of the standard library turn into U+FFFD, or leave, is a 400.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from msframework.exceptions import BadRequest

_BROKEN: Final = re.compile("%(?![0-9A-Fa-f]{2})").search
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~/-]*").fullmatch


def decode(text: str, label: str) -> str:
    """Return *text* with its escapes decoded, once.

    Args:
        label: the place of the text, for the message: "the path".

    Raises:
        BadRequest: an escape is incomplete, or the bytes are no UTF-8.
    """
    if "%" not in text and text.isascii():
        return text
    broken = _BROKEN(text)
    if broken is not None:
        raise BadRequest(
            f"{label} has a % without two hexadecimal digits after it (at character "
            f"{broken.start()}); a percent sign itself is written %25"
        )
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError as exc:
        raise BadRequest(f"{label} is no UTF-8 once its escapes are decoded") from exc


def normalize_path(path: str) -> str:
    """Return the one spelling of *path* that all equivalent ones share (RFC 3986, 6.2.2).

    Everything but unreserved characters is escaped, in capitals, which is how Sanic's router keeps
    the literal parts of its paths. An escaped slash stays escaped: it is part of a value.

    Raises:
        BadRequest: see `decode`.
    """
    if _UNRESERVED(path):
        return path
    return "/".join([quote(decode(part, "the path"), safe="") for part in path.split("/")])
