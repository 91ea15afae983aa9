"""Connections of one service: which were used before, and what that means when one breaks.

Runs per request. A connection that lay idle may be closed by the other side in the very moment in
which a call is written to it. An idempotent call is then sent again on another connection, as RFC
9112 (9.3.1) allows; that is no retry of an answer that failed, and a fresh connection gets none.
"""

from __future__ import annotations

from typing import Any, Final

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType
from aiohttp.connector import Connection
from yarl import URL

# RFC 9110, 9.2.2.
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class Request(aiohttp.ClientRequest):
    """aiohttp's request, which knows whether its connection had been used before."""

    reused = False


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector, which tells a request whether its connection had been used before."""

    async def connect(self, req: Any, traces: Any, timeout: aiohttp.ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        # NOTE: what came while a connection lay idle is no answer to what goes out next.
        while connection.protocol is None or connection.protocol.should_close:
            connection.close()
            connection = await super().connect(req, traces, timeout)
        protocol: Any = connection.protocol
        req.reused = getattr(protocol, "used", False)
        protocol.used = True
        return connection


async def send_again(
    request: aiohttp.ClientRequest, handler: ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send *request*, again while the connection it got was closed under it (a middleware)."""
    assert isinstance(request, Request)
    while True:
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            body = request.body
            used_up = bool(body) and getattr(body, "consumed", True)
            if not request.reused or used_up or request.method not in _IDEMPOTENT:
                raise


class KeepSecrets:
    """A middleware: a service's own headers don't follow a call to another origin."""

    __slots__ = ("_names", "_origin")

    def __init__(self, origin: URL, names: tuple[str, ...]) -> None:
        self._origin, self._names = origin, names

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send *request* without those headers where it leaves the origin."""
        if request.url.origin() != self._origin:
            for name in self._names:
                request.headers.popall(name, None)
        return await handler(request)
