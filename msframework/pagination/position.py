"""A place in an ordered listing, and its form on the wire: the cursor. Runs per request.

A cursor is the base64url (RFC 4648, 5) of a version, a digest and JSON. The digest covers the JSON
and the ordering that it belongs to: a cursor that was altered, or is of another listing, is told
from ours. It is no signature: whoever makes a cursor of his own gets a place in a listing that he
may read anyway, as the values only ever become arguments.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Final

from msframework.types import JSONValue

_VERSION: Final = b"\x01"
_DIGEST: Final = 9  # with the version ten bytes
_HEAD: Final = len(_VERSION) + _DIGEST
# Of a cursor. A path and query have 8192 bytes by default.
LONGEST: Final = 6000


class CursorSide(Enum):
    """Which rows are asked for, seen from a place."""

    AFTER = "after"
    FROM = "from"  # and the row of that place itself
    BEFORE = "before"
    UNTIL = "until"  # and the row of that place itself

    @property
    def is_back(self) -> bool:
        """Whether it is asked for in the direction opposite to the listing's."""
        return self in (CursorSide.BEFORE, CursorSide.UNTIL)

    @property
    def includes(self) -> bool:
        """Whether the row of the place is among those that are asked for."""
        return self in (CursorSide.FROM, CursorSide.UNTIL)

    @property
    def opposite(self) -> CursorSide:
        """The rows that are not asked for."""
        return _OPPOSITES[self]


_OPPOSITES: Final = {
    CursorSide.AFTER: CursorSide.UNTIL,
    CursorSide.UNTIL: CursorSide.AFTER,
    CursorSide.BEFORE: CursorSide.FROM,
    CursorSide.FROM: CursorSide.BEFORE,
}


@dataclass(frozen=True, slots=True)
class GivenCursor:
    """What a caller gave as a cursor, before it is compared with a listing."""

    digest: bytes
    content: bytes


def read_cursor(text: str) -> GivenCursor | None:
    """Return the cursor that *text* is; `None` where it is none of any listing."""
    # NOTE: the two are the other alphabet's; CPython 3.15 warns of what it decodes them to.
    if len(text) > LONGEST or not text.isascii() or "+" in text or "/" in text:
        return None
    given = text.encode()
    try:
        raw = urlsafe_b64decode(given + b"=" * (-len(given) % 4))
    except ValueError:
        return None
    # NOTE: several texts are decoded to the same bytes; ours is the only right one.
    if urlsafe_b64encode(raw).rstrip(b"=") != given or not raw.startswith(_VERSION):
        return None
    return GivenCursor(raw[len(_VERSION) : _HEAD], raw[_HEAD:])


def write_cursor(ordering: bytes, side: CursorSide, values: list[JSONValue]) -> str:
    """Return the cursor of a place in a listing with the digest *ordering*."""
    content = json.dumps([side.value, values], ensure_ascii=False, separators=(",", ":")).encode()
    raw = _VERSION + _digest(ordering, content) + content
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_content(cursor: GivenCursor, ordering: bytes) -> tuple[CursorSide, list[JSONValue]]:
    """Return the side and the values of *cursor*.

    Raises:
        ValueError: it is not of a listing with the digest *ordering*, or not as we made it.
    """
    if _digest(ordering, cursor.content) != cursor.digest:
        raise ValueError("not of this listing")
    side, values = json.loads(cursor.content)
    return CursorSide(side), values


def _digest(ordering: bytes, content: bytes) -> bytes:
    return blake2b(content, key=ordering, digest_size=_DIGEST).digest()
