"""`LeanTransport`: plain requests over connections of aiohttp's, without its session.

The connector, its pool and its limits, the protocol and the parser stay aiohttp's; left out is
everything that `ClientSession` makes for each call and a plain one never needs. aiohttp does not
document some names that are used here (`_factory` and `_get` of the connector, those that
`BoundedProtocol` overrides): so this runs with versions that it was tested with, and aiohttp's own
path with any other, or with `FAST_PATH = False`. Runs per request.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from msframework._tested import TESTED, is_tested, missing_names
from msframework.client.body import BodyTooLarge, read_bounded
from msframework.client.connector import Connector, ReplayableRequest
from msframework.client.deadlines import ResponseDeadlines
from msframework.client.head import HeadWriter, are_plain
from msframework.client.outgoing import OutgoingRequest
from msframework.client.protocol import BoundedProtocol
from msframework.client.replay import send_replayable
from msframework.client.response import Response
from msframework.client.transport import BufferedResponse, Transport

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.typedefs import LooseHeaders

TESTED_AIOHTTP: Final = TESTED["aiohttp"]
logger = logging.getLogger("msframework.client")
# aiohttp writes a larger body in a task of its own, while the answer may be read already.
_LARGEST: Final = 65_536


def is_known() -> bool:
    """Return whether aiohttp's version is one that this was tested with, and has all names."""
    return aiohttp.__version__.startswith(TESTED_AIOHTTP) and not missing_names("aiohttp")


def supports_lean(wanted: bool) -> bool:
    """Whether calls may take the lean path; warns once where only aiohttp's version forbids it."""
    if not wanted:
        return False
    return is_tested(
        logger, "aiohttp", aiohttp.__version__, TESTED_AIOHTTP, "the lean path of clients"
    )


class WrittenSize(NamedTuple):
    """The size of a request, in the place of the writer that aiohttp's response asks for it."""

    output_size: int


class WireRequest:
    """The bytes of one request, and the time that it may take.

    Attributes:
        due: the time of the loop at which the whole answer must be there; `None` for any.
        reused: whether the connection that it got last had been used before.
    """

    __slots__ = ("body", "due", "head", "outgoing", "reused")

    def __init__(
        self, outgoing: OutgoingRequest, head: bytes, body: bytes, due: float | None
    ) -> None:
        self.outgoing, self.head, self.body, self.due = outgoing, head, body, due
        self.reused = False

    @property
    def replayable(self) -> bool:
        """Whether the request is idempotent, and no answer to it has begun."""
        return self.outgoing.plan.idempotent and self.outgoing.status is None


class LeanTransport:
    """The way over connections of aiohttp's without its session.

    Args:
        other: the way of requests that are not plain.
        session: whose connector it is.
        url: an address of the service.
        headers: those that go out with every call.
        timeout: the time that a connection may take to open.
        service: the name of the service in errors.
        max_size: the largest answer in bytes.
    """

    __slots__ = (
        "_connector",
        "_deadlines",
        "_head",
        "_key",
        "_loop",
        "_max_size",
        "_other",
        "_request",
        "_service",
        "_session",
        "_timeout",
    )

    def __init__(
        self,
        other: Transport,
        session: aiohttp.ClientSession,
        url: URL,
        headers: LooseHeaders,
        timeout: aiohttp.ClientTimeout,
        service: str,
        max_size: int,
    ) -> None:
        assert isinstance(session.connector, Connector)
        self._other, self._session = other, session
        self._connector = session.connector
        self._loop = loop = asyncio.get_running_loop()
        self._deadlines = ResponseDeadlines(loop)
        # Nobody sends it: it names the destination to the connector, and has aiohttp's own headers.
        self._request = ReplayableRequest("GET", url, headers=headers, loop=loop, session=session)
        self._key = self._request.connection_key
        self._timeout, self._service, self._max_size = timeout, service, max_size
        self._head = HeadWriter(self._request.headers)

    def fetch(self, outgoing: OutgoingRequest) -> Awaitable[BufferedResponse]:
        """Send *outgoing*, and return the answer with its whole body."""
        request = self._prepare(outgoing)
        if request is None:
            return self._other.fetch(outgoing)
        return send_replayable(request, self._fetch)

    def open(self, outgoing: OutgoingRequest) -> Awaitable[Response]:
        """Send *outgoing*, and return the answer once its head has come.

        As with aiohttp's own, its connection is given back with the last byte.
        """
        request = self._prepare(outgoing, _LARGEST)
        if request is None:
            return self._other.open(outgoing)
        return send_replayable(request, self._open)

    def _prepare(self, outgoing: OutgoingRequest, largest: int = sys.maxsize) -> WireRequest | None:
        """Return the bytes of *outgoing*; `None` when it is not plain.

        Args:
            largest: the size of a body that is still plain.
        """
        plan, path, headers = outgoing.plan, outgoing.path, outgoing.headers
        if plan.without_body is None or path is None or outgoing.redirects:
            return None
        if headers is not None and not are_plain(headers):
            return None
        lines, body = outgoing.lines, outgoing.data
        if body is None:
            lines, body = lines + plan.without_body, b""
        elif type(body) is bytes and len(body) <= largest:
            kind = "application/json" if outgoing.is_json else "application/octet-stream"
            lines += f"Content-Length: {len(body)}\r\nContent-Type: {kind}\r\n"
        else:
            return None
        timeout, outgoing.status = outgoing.timeout, None
        due = self._loop.time() + timeout if timeout is not None and timeout > 0 else None
        return WireRequest(outgoing, self._head.write(plan, path, lines, headers), body, due)

    async def _fetch(self, request: WireRequest) -> BufferedResponse:
        """Send *request* over one connection, and return the whole answer."""
        connection, protocol = await self._take(request)
        try:
            protocol = _write(protocol, request)
            self._deadlines.watch(protocol, request.due)
            try:
                message, payload = await protocol.read()
                while message.code < 200:
                    message, payload = await protocol.read()
                request.outgoing.status = message.code
                if not payload.is_eof():
                    body = await read_bounded(payload, self._max_size)
                elif len(body := payload.read_nowait()) > self._max_size:
                    raise BodyTooLarge(self._max_size)
            finally:
                self._deadlines.forget(protocol)
        except BaseException as exc:
            # A connection with an answer that nobody reads would give it to the next call.
            _drop(connection)
            if isinstance(exc, HttpProcessingError):
                raise aiohttp.ClientPayloadError("no HTTP") from exc
            raise
        if request.body and _is_writing(connection):
            # The service answered before it had read all, and may not read the rest either.
            _drop(connection)
        else:
            connection.release()
        return BufferedResponse(message.code, message.headers, body)

    async def _open(self, request: WireRequest) -> Response:
        """Send *request* over one connection, and return the answer once its head has come."""
        connection, protocol = await self._take(request)
        response = self._response(request)
        try:
            protocol = _write(protocol, request)
            self._deadlines.watch(protocol, request.due)
            connection.add_callback(partial(self._deadlines.forget, protocol))
            await response.start(connection)
            request.outgoing.status = response.status
        except BaseException:
            _drop(connection)
            response.close()
            raise
        return response

    def _response(self, request: WireRequest) -> Response:
        made: Any = Response
        response: Response = made(
            request.outgoing.plan.method,
            request.outgoing.url,
            writer=None,
            continue100=None,
            timer=None,
            request_info=None,
            traces=[],
            loop=self._loop,
            session=self._session,
            stream_writer=WrittenSize(len(request.head)),
        )
        response.sent = request.head
        response.service, response.max_size = self._service, self._max_size
        return response

    async def _take(self, request: WireRequest) -> tuple[Connection, ResponseHandler | None]:
        """Return a connection and its protocol."""
        # NOTE: with no traces `_get` never waits, so no time can run out in it.
        while (connection := await self._connector._get(self._key, [])) is not None:
            protocol = connection.protocol
            # NOTE: bytes that came while a connection lay idle are no answer to the next request.
            if protocol is not None and not protocol.should_close:
                request.reused = True
                return connection, protocol
            connection.close()
        request.reused = False
        async with asyncio.timeout_at(request.due):
            connection = await self._connector.connect(self._request, [], self._timeout)
        request.reused = self._request.reused
        return connection, connection.protocol


def _write(protocol: ResponseHandler | None, request: WireRequest) -> BoundedProtocol:
    """Send *request* over *protocol*, and return the protocol, by which the answer comes in."""
    if not isinstance(protocol, BoundedProtocol) or (transport := protocol.transport) is None:
        raise aiohttp.ServerDisconnectedError
    method, protocol.may_switch = request.outgoing.plan.method, False
    protocol.set_response_params(
        skip_payload=method == "HEAD", read_until_eof=True, auto_decompress=False
    )
    if request.body:
        transport.writelines((request.head, request.body))
    else:
        transport.write(request.head)
    return protocol


def _is_writing(connection: Connection) -> bool:
    transport = connection.transport
    return transport is not None and transport.get_write_buffer_size() > 0


def _drop(connection: Connection) -> None:
    """Close *connection*, and send nothing more of the bytes that it still holds."""
    if _is_writing(connection) and connection.transport is not None:
        connection.transport.abort()
    connection.close()
