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
from functools import partial
from typing import Any, Final, NamedTuple

import aiohttp
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

    async def send(self, plan: Plan, head: bytes, body: bytes, timeout: float | None) -> Answer:
        """Send *head* and *body*, and return the whole answer.

        An idempotent call goes out again where a connection that had been used before was closed
        under it.

        Args:
            timeout: seconds for all of it; `None` for any time.

        Raises:
            TimeoutError: no head of an answer came in time.
            aiohttp.ClientError: no connection, or what came is no HTTP.
            BrokenOff: the head of an answer came, and its body did not.
        """
        when = self._when(timeout)
        while True:
            connection, reused = await self._take(when)
            try:
                answer = await self._exchange(connection, plan, head, body, when)
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                _drop(connection)
                if not (reused and plan.idempotent):
                    raise
                continue
            except BaseException:
                # A connection with an answer that nobody reads would give it to the next call.
                _drop(connection)
                raise
            if body and _is_writing(connection):
                # The service answered before it had read all, and may not read the rest either.
                _drop(connection)
            else:
                connection.release()
            return answer

    async def open(
        self, plan: Plan, head: bytes, body: bytes, timeout: float | None, url: URL
    ) -> Response:
        """Send *head* and *body*, and return the answer once its head has come.

        As with aiohttp's own, its connection is given back with the last byte. What may go out
        again, and what *timeout* means, is as for `send`.

        Raises:
            TimeoutError: no head of an answer came in time.
            aiohttp.ClientError: no connection, or what came is no HTTP.
        """
        when = self._when(timeout)
        while True:
            connection, reused = await self._take(when)
            response = self._response(plan.method, url, head)
            try:
                line = _write(connection, plan, head, body)
                self._deadlines.watch(line, when)
                connection.add_callback(partial(self._deadlines.forget, line))
                await response.start(connection)
            except BaseException as exc:
                _drop(connection)
                response.close()
                hung_up = isinstance(exc, (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError))
                if not (hung_up and reused and plan.idempotent):
                    raise
            else:
                return response

    def _when(self, timeout: float | None) -> float | None:
        return self._loop.time() + timeout if timeout is not None and timeout > 0 else None

    def _response(self, method: str, url: URL, head: bytes) -> Response:
        made: Any = Response
        response: Response = made(
            method,
            url,
            writer=None,
            continue100=None,
            timer=None,
            request_info=None,
            traces=[],
            loop=self._loop,
            session=self._session,
            stream_writer=Sent(len(head)),
        )
        response.sent = head
        return response

    async def _take(self, when: float | None) -> tuple[Connection, bool]:
        """Return a connection, and whether it had been used before."""
        # NOTE: with no traces `_get` never waits, so no time can run out in it.
        while (connection := await self._connector._get(self._key, [])) is not None:
            protocol = connection.protocol
            # NOTE: what came while a connection lay idle is no answer to what goes out next.
            if protocol is not None and not protocol.should_close:
                return connection, True
            connection.close()
        async with asyncio.timeout_at(when):
            connection = await self._connector.connect(self._request, [], self._timeout)
        return connection, self._request.reused

    async def _exchange(
        self, connection: Connection, plan: Plan, head: bytes, body: bytes, when: float | None
    ) -> Answer:
        line, deadlines = _write(connection, plan, head, body), self._deadlines
        deadlines.watch(line, when)
        try:
            try:
                message, payload = await line.read()
                while message.code < 200 and message.code != 101:
                    message, payload = await line.read()
            except HttpProcessingError as exc:
                raise aiohttp.ClientPayloadError("no HTTP") from exc
            try:
                read = payload.read_nowait() if payload.is_eof() else await self._rest(payload)
                if len(read) > self._max_size:
                    raise TooLarge
            except Exception as exc:
                raise BrokenOff(message.code) from exc
        finally:
            deadlines.forget(line)
        return Answer(message.code, message.headers, read)

    async def _rest(self, payload: aiohttp.StreamReader) -> bytes:
        """Return a body that has not come whole yet, or more of it than is allowed."""
        chunks: list[bytes] = []
        left, turns = self._max_size, Turns()
        while left >= 0 and (chunk := await payload.readany()):
            chunks.append(chunk)
            left -= len(chunk)
            await turns.after(chunk)
        return b"".join(chunks)


def _write(connection: Connection, plan: Plan, head: bytes, body: bytes) -> Line:
    """Send *head* and *body* over *connection*, and return what the answer comes in by."""
    protocol, transport = connection.protocol, connection.transport
    if transport is None or not isinstance(protocol, Line):
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(skip_payload=plan.method == "HEAD", read_until_eof=True)
    if body:
        transport.writelines((head, body))
    else:
        transport.write(head)
    return protocol


def _is_writing(connection: Connection) -> bool:
    transport = connection.transport
    return transport is not None and transport.get_write_buffer_size() > 0


def _drop(connection: Connection) -> None:
    """Close *connection*, and send nothing more of what it still holds."""
    if _is_writing(connection) and connection.transport is not None:
        connection.transport.abort()
    connection.close()
