"""The one loop that sends a request again: an idempotent one whose reused connection was closed.

Runs per request. A connection that lay idle may be closed by the other side in the very moment in
which a request is written to it. An idempotent request then goes out again on another connection,
as RFC 9112 (9.3.1) allows; that is no retry of an answer that failed, and a request on a fresh
connection gets none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import aiohttp

# RFC 9110, 9.2.2.
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class Replayable(Protocol):
    """A request as the loop sees it.

    Attributes:
        reused: whether the connection that it got last had been used before.
    """

    reused: bool

    @property
    def replayable(self) -> bool:
        """Whether the request may go out twice, and still can."""


R = TypeVar("R", bound=Replayable)
T = TypeVar("T")


async def send_replayable(request: R, send: Callable[[R], Awaitable[T]]) -> T:
    """Return the result of *send*, called again while the request lost a reused connection."""
    while True:
        try:
            return await send(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            if not (request.reused and request.replayable):
                raise
