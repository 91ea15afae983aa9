"""`Reply`, which a method returns for more than data, and the statuses that have no body.

A `Reply` is made per request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from msframework.headers import Headers

# Statuses whose answers have no body; that of a 205 says so by its length (RFC 9110, 15.3.6).
BODYLESS: Final = frozenset((204, 205, 304))


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of a method that chooses among its declared statuses, or adds headers.

    A header's value is a text or a whole number, or a list of these for one that may stand on
    several lines, such as `Set-Cookie`. One of its own replaces that of every answer, but for
    lists such as `Vary`, which are added to.
    """

    data: object = None
    status: int | None = None
    headers: Headers = field(default_factory=dict)
