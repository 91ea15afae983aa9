"""aiohttp's connections and requests, which know whether a connection was used before.

Runs per request.
"""

from __future__ import annotations

from ssl import SSLContext
from typing import Any

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType
from aiohttp.connector import Connection
from yarl import URL

from msframework.client.replay import IDEMPOTENT


class ReplayableRequest(aiohttp.ClientRequest):
    """aiohttp's request, which knows whether its connection had been used before."""

    reused = False
    context: SSLContext | None = None

    @property
    def ssl(self) -> SSLContext | bool | aiohttp.Fingerprint:
        """The TLS of the request's own service, or what aiohttp makes of the system's CAs."""
        return self.context or super().ssl

    @property
    def replayable(self) -> bool:
        """Whether the request is idempotent, with a body that can be read once more."""
        body = self.body
        consumed = bool(body) and getattr(body, "consumed", True)
        return self.method in IDEMPOTENT and not consumed


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector, which tells a request whether its connection had been used before.

    Args:
        limit: the most connections.
        origin: the origin of the service.
        context: the TLS of that origin; others neither see its certificate nor have its CA.

    Attributes:
        context: the same, for connections that begin from now on.
    """

    def __init__(
        self, limit: int = 100, origin: URL | None = None, context: SSLContext | None = None
    ) -> None:
        super().__init__(limit=limit)
        self._origin, self.context = origin, context

    async def connect(self, req: Any, traces: Any, timeout: aiohttp.ClientTimeout) -> Connection:
        # NOTE: a failure to connect is none of the connection that the request had before.
        req.reused = False
        if self.context is not None and req.url.origin() == self._origin:
            req.context = self.context
        connection = await super().connect(req, traces, timeout)
        # NOTE: bytes that came while a connection lay idle are no answer to the next request.
        while connection.protocol is None or connection.protocol.should_close:
            connection.close()
            connection = await super().connect(req, traces, timeout)
        protocol: Any = connection.protocol
        req.reused = getattr(protocol, "used", False)
        protocol.used, protocol.may_switch = True, "Upgrade" in req.headers
        return connection


class OriginFilter:
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
