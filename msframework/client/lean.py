"""One exchange over a connection of aiohttp's, with nothing of its session in between.

The connector, its pool and its limits, the protocol and the parser stay aiohttp's; what is left
out is all that `ClientSession` makes for each call and a plain one never needs. aiohttp does not
document some names that are used here (`_factory` and `_get` of the connector, those that `Line`
overrides): so this runs with versions that it was tested with, and aiohttp's own path with any
other, or with `FAST_PATH = False`. Runs per request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial
from typing import Any, Final, NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import LooseHeaders
from yarl import URL

from msframework._tested import is_tested
from msframework.client.connector import Connector, Request
from msframework.client.deadlines import Deadlines
from msframework.client.head import Head
from msframework.client.line import Line, Turns
from msframework.client.plan import Plan
from msframework.client.replay import send_replayable
from msframework.client.response import Response

TESTED_AIOHTTP: Final = ("3.14.",)
logger = logging.getLogger("msframework.client")


def is_known() -> bool:
    """Return whether aiohttp's version is one that this was tested with."""
    return aiohttp.__version__.startswith(TESTED_AIOHTTP)


def supports_lean(wanted: bool) -> bool:
    """Whether calls may take the lean path; warns once where only aiohttp's version forbids it."""
    if not wanted:
        return False
    return is_tested(
        logger, "aiohttp", aiohttp.__version__, TESTED_AIOHTTP, "the lean path of clients"
    )


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: Any
    body: bytes


class Sent(NamedTuple):
    """What aiohttp's response asks of what wrote the request."""

    output_size: int


class TooLarge(Exception):
    """The answer is larger than allowed."""


class BrokenOff(Exception):
    """The head of an answer came, and its body did not.

    Attributes:
        status: what the head said; the cause is what happened then.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class LeanRequest:
    """One request as it goes out: its bytes, and how long it may take.

    Attributes:
        due: the time of the loop at which the whole answer must be there; `None` for any.
        url: the whole address, where the answer shows it.
        reused: whether the connection that it got last had been used before.
    """

    __slots__ = ("body", "due", "head", "plan", "reused", "url")

    def __init__(
        self, plan: Plan, head: bytes, body: bytes, due: float | None, url: URL | None
    ) -> None:
        self.plan, self.head, self.body, self.due, self.url = plan, head, body, due, url
        self.reused = False

    @property
    def replayable(self) -> bool:
        """Whether the request may go out twice."""
        return self.plan.idempotent


class Lean:
    """The way over one connector to one address.

    Attributes:
        head: writes the heads of the calls.

    Args:
        session: whose connector it is.
        url: an address of the service.
        headers: those that go out with every call.
        timeout: the time that a connection may take to open.
        max_size: the largest answer in bytes.
    """

    __slots__ = (
        "_connector",
        "_deadlines",
        "_key",
        "_loop",
        "_max_size",
        "_request",
        "_session",
        "_timeout",
        "head",
    )

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        headers: LooseHeaders,
        timeout: aiohttp.ClientTimeout,
        max_size: int,
    ) -> None:
        assert isinstance(session.connector, Connector)
        self._session = session
        self._connector = session.connector
        self._loop = loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(loop)
        # Nobody sends it: it tells the connector where to go, and us what aiohttp would say.
        self._request = Request("GET", url, headers=headers, loop=loop, session=session)
        self._key = self._request.connection_key
        self._timeout, self._max_size = timeout, max_size
        self.head = Head(self._request.headers)

    def send(
        self, plan: Plan, head: bytes, body: bytes, timeout: float | None
    ) -> Awaitable[Answer]:
        """Send *head* and *body*, and return the whole answer.

        Args:
            timeout: seconds for all of it; `None` for any time.

        Raises:
            TimeoutError: no head of an answer came in time.
            aiohttp.ClientError: no connection, or what came is no HTTP.
            BrokenOff: the head of an answer came, and its body did not.
        """
        request = LeanRequest(plan, head, body, self._when(timeout), None)
        return send_replayable(request, self._fetch)

    def open(
        self, plan: Plan, head: bytes, body: bytes, timeout: float | None, url: URL
    ) -> Awaitable[Response]:
        """Send *head* and *body*, and return the answer once its head has come.

        As with aiohttp's own, its connection is given back with the last byte. The meaning of
        *timeout* is as for `send`.

        Raises:
            TimeoutError: no head of an answer came in time.
            aiohttp.ClientError: no connection, or what came is no HTTP.
        """
        request = LeanRequest(plan, head, body, self._when(timeout), url)
        return send_replayable(request, self._open)

    def _when(self, timeout: float | None) -> float | None:
        return self._loop.time() + timeout if timeout is not None and timeout > 0 else None

    async def _fetch(self, request: LeanRequest) -> Answer:
        """Send *request* over one connection, and return the whole answer."""
        connection, protocol = await self._take(request)
        try:
            line = _write(protocol, request)
            self._deadlines.watch(line, request.due)
            try:
                message, payload = await line.read()
                while message.code < 200 and message.code != 101:
                    message, payload = await line.read()
                try:
                    read = payload.read_nowait() if payload.is_eof() else await self._rest(payload)
                    if len(read) > self._max_size:
                        raise TooLarge
                except Exception as exc:
                    raise BrokenOff(message.code) from exc
            finally:
                self._deadlines.forget(line)
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
        return Answer(message.code, message.headers, read)

    async def _open(self, request: LeanRequest) -> Response:
        """Send *request* over one connection, and return the answer once its head has come."""
        connection, protocol = await self._take(request)
        response = self._response(request)
        try:
            line = _write(protocol, request)
            self._deadlines.watch(line, request.due)
            connection.add_callback(partial(self._deadlines.forget, line))
            await response.start(connection)
        except BaseException:
            _drop(connection)
            response.close()
            raise
        return response

    def _response(self, request: LeanRequest) -> Response:
        made: Any = Response
        response: Response = made(
            request.plan.method,
            request.url,
            writer=None,
            continue100=None,
            timer=None,
            request_info=None,
            traces=[],
            loop=self._loop,
            session=self._session,
            stream_writer=Sent(len(request.head)),
        )
        response.sent = request.head
        return response

    async def _take(self, request: LeanRequest) -> tuple[Connection, ResponseHandler | None]:
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

    async def _rest(self, payload: aiohttp.StreamReader) -> bytes:
        """Return a body that has not come whole yet, or more of it than is allowed."""
        chunks: list[bytes] = []
        left, turns = self._max_size, Turns()
        while left >= 0 and (chunk := await payload.readany()):
            chunks.append(chunk)
            left -= len(chunk)
            await turns.after(chunk)
        return b"".join(chunks)


def _write(protocol: ResponseHandler | None, request: LeanRequest) -> Line:
    """Send *request* over *protocol*, and return it, which the answer comes in by."""
    if not isinstance(protocol, Line) or (transport := protocol.transport) is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(skip_payload=request.plan.method == "HEAD", read_until_eof=True)
    if request.body:
        transport.writelines((request.head, request.body))
    else:
        transport.write(request.head)
    return protocol


def _is_writing(connection: Connection) -> bool:
    transport = connection.transport
    return transport is not None and transport.get_write_buffer_size() > 0


def _drop(connection: Connection) -> None:
    """Close *connection*, and send nothing more of what it still holds."""
    if _is_writing(connection) and connection.transport is not None:
        connection.transport.abort()
    connection.close()
