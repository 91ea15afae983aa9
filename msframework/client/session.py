"""aiohttp's own way to a service: through its session. Runs per request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import aiohttp
from aiohttp.client_middlewares import ClientMiddlewareType
from multidict import CIMultiDict

from msframework.client.address import Address
from msframework.client.connector import OriginFilter, ReplayableRequest
from msframework.client.head import parse_lines
from msframework.client.outgoing import OutgoingRequest
from msframework.client.replay import send_replayable
from msframework.client.response import Response
from msframework.client.transport import BufferedResponse
from msframework.conf.settings import ServiceEntry

# NOTE: a session makes requests of `request_class`, which is more than aiohttp's type says.
_REPLAY: Final = cast(ClientMiddlewareType, send_replayable)


def open_session(
    entry: ServiceEntry,
    connector: aiohttp.BaseConnector,
    headers: dict[str, str],
    unpacks: bool = True,
) -> aiohttp.ClientSession:
    """Return a session for the service of *entry*, which sends *headers* with every call.

    Args:
        unpacks: whether aiohttp unpacks the bodies of answers; the connections do so otherwise.
    """
    session = aiohttp.ClientSession(
        auto_decompress=unpacks,
        connector=connector,
        # Cookies of one caller must not go out with the call of another.
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        middlewares=(_REPLAY,),
        request_class=ReplayableRequest,
        response_class=Response,
        timeout=timeout_of(entry, entry.total_timeout),
    )
    # NOTE: aiohttp would send again on fresh connections too; `send_replayable` does not.
    session._retry_connection = False
    return session


def timeout_of(entry: ServiceEntry, total: float | None) -> aiohttp.ClientTimeout:
    """Return aiohttp's form of a time-out after *total* seconds; `None` for never."""
    return aiohttp.ClientTimeout(total=total, connect=entry.connect_timeout)


class SessionTransport:
    """The way through aiohttp's session, which takes every request.

    Args:
        session: made by `open_session`.
        entry: the time-outs and headers of the service.
        address: where the service is.
        service: its name in errors.
        max_size: the largest answer in bytes.
    """

    __slots__ = ("_address", "_beyond", "_entry", "_max_size", "_service", "_session")

    def __init__(
        self,
        session: aiohttp.ClientSession,
        entry: ServiceEntry,
        address: Address,
        service: str,
        max_size: int,
    ) -> None:
        self._session, self._entry, self._address = session, entry, address
        self._service, self._max_size = service, max_size
        # The middlewares of a call that may leave the service's address.
        self._beyond: Sequence[ClientMiddlewareType] = (
            _REPLAY,
            OriginFilter(address.origin, tuple(entry.headers)),
        )

    async def fetch(self, outgoing: OutgoingRequest) -> BufferedResponse:
        """Send *outgoing*, and return the answer with its whole body."""
        async with await self.open(outgoing) as response:
            body = await response.read()
        return BufferedResponse(response.status, response.headers, body)

    async def open(self, outgoing: OutgoingRequest) -> Response:
        """Send *outgoing*, and return the answer once its head has come."""
        url, outgoing.status = outgoing.url, None
        if url is None:
            assert outgoing.path is not None
            url = self._address.at(outgoing.path)
        options = self._options(outgoing)
        response = await self._session.request(outgoing.plan.method, url, **options)
        assert isinstance(response, Response)
        response.service, response.max_size = self._service, self._max_size
        outgoing.status = response.status
        return response

    def _options(self, outgoing: OutgoingRequest) -> dict[str, Any]:
        """Return the arguments of aiohttp's `request` for *outgoing*."""
        # NOTE: a name in another case would go out twice, hence the case-insensitive dict; and
        # pairs in a list are headers, too, in which a name may stand twice.
        headers: CIMultiDict[str] = CIMultiDict(parse_lines(outgoing.lines))
        if outgoing.is_json:
            headers["Content-Type"] = "application/json"
        headers.update(outgoing.headers or ())
        redirects = outgoing.redirects
        options = {"allow_redirects": redirects, "data": outgoing.data, "headers": headers}
        if outgoing.timeout != self._entry.total_timeout:
            options["timeout"] = timeout_of(self._entry, outgoing.timeout)
        if redirects or outgoing.path is None:
            options["middlewares"] = self._beyond
        return options
