"""The budget of bytes for all bodies that one worker holds at once. Runs per request.

Only bodies that Sanic's own path reads count: the fast path leaves it those above `MOST_UNCOUNTED`,
which arrive in pieces in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msframework.exceptions import ServiceUnavailable

MOST_UNCOUNTED: Final = 65_536


class Bodies:
    """The bytes of all bodies that are held; `held` is their sum."""

    __slots__ = ("_most", "held")

    def __init__(self, most: int) -> None:
        self.held, self._most = 0, most

    def hold(self, size: int) -> None:
        """Count *size* more bytes; `give_back` them, whatever comes of the request.

        Raises:
            ServiceUnavailable: there would be more than may be held.
        """
        if self.held + size > self._most:
            raise BodiesFull
        self.held += size

    def give_back(self, size: int) -> None:
        """Count *size* bytes no more."""
        self.held -= size


class BodiesFull(ServiceUnavailable):
    """The bodies of other requests leave no room for this one; it is worth another try."""

    headers: Mapping[str, str] = {"Retry-After": "1"}

    def __init__(self) -> None:
        super().__init__("The service holds as many bodies as it can.")
