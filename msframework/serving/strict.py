"""Sanic's HTTP/1.1 with the strict reader of heads and bodies. Runs per request.

`StrictHttp` reads a request wherever the fast path does not. It takes the place of those
steps of Sanic's that say where a request ends, as both paths must agree on that for any bytes.
"""

from __future__ import annotations

from asyncio import CancelledError, Task, sleep, timeout
from contextlib import suppress
from time import perf_counter
from typing import Any, Final

from sanic.compat import Header
from sanic.exceptions import (
    MethodNotAllowed,
    PayloadTooLarge,
    RequestCancelled,
    SanicException,
    ServerError,
)
from sanic.http import Stage

from msframework.aio import is_failure
from msframework.headers import OwnHeaders
from msframework.serving.answer import Answer
from msframework.serving.body import (
    LONGEST_LINE,
    LONGEST_TRAILERS,
    MOST_EXTENSIONS,
    BodyRefused,
    check_trailer,
    read_chunk_line,
    take_chunks,
)
from msframework.serving.head import (
    CHUNKED,
    HEAD_END,
    HeadRefused,
    RequestHead,
    check_start,
    read_head,
)
from msframework.serving.hosts import check_host
from msframework.serving.sending import CONTINUE, SendingHttp

_IDLE, _REQUEST, _HANDLER = Stage.IDLE, Stage.REQUEST, Stage.HANDLER
_RESPONSE = Stage.RESPONSE
_LINE_END = b"\r\n"
_LINGER: Final = 5.0  # seconds that a client has to read an answer that ends its connection
_LEAST_LINGER: Final = 1_000_000  # bytes that are read away meanwhile, at least


class StrictHttp(SendingHttp):
    """Sanic's HTTP/1.1, which tells for itself where requests begin and end."""

    # NOTE: `_extensions` counts bytes; `_unread` says that where the request ends is not known yet.
    __slots__ = ("_extensions", "_unread")
    protocol: Any
    request: Any
    response: Any
    request_body: Any
    request_bytes: Any
    request_bytes_left: Any
    response_func: Any

    async def http1(self) -> None:
        """Serve the requests of one connection."""
        try:
            await self._serve_all()
        except CancelledError:
            raise
        except BaseException as exc:
            await self._give_up(exc, self.protocol._task)

    async def _give_up(self, exc: BaseException, task: Task[Any] | None) -> None:
        """Report a `BaseException` that came out of a request, and end the connection."""
        if not is_failure(exc, task):
            raise exc
        failures, request = self.protocol.serving.failures, self.request
        self.keep_alive = False
        if request is None:
            await failures.report(None, exc)
        else:
            await failures.break_off(request, exc)

    async def _serve_all(self) -> None:
        """Serve requests until the connection is to be closed."""
        while self.keep_alive and self.stage is _IDLE:
            self.init_for_request()  # type: ignore[no-untyped-call]
            await self.await_request()
            self.stage = _REQUEST
            self.response_func = self.http1_response_header
            try:
                await self._serve_one()
            except CancelledError as exc:
                if not self.protocol.transport:
                    return
                await self._answer_cancelled(exc)
            except Exception as exc:
                await self.error_response(exc)
            await self._finish()
            if self.recv_buffer:  # of a client that sends ahead: all others come first
                await sleep(0)

    async def await_request(self) -> None:
        """Wait for the first bytes of a request: here, and nowhere else, one may begin."""
        if not self.recv_buffer:
            await self._receive_more()

    async def _serve_one(self) -> None:
        """Read one request and have it answered."""
        self.perft0 = None  # that of the request before it
        await self.http1_request_header()
        self.stage, self.perft0 = _HANDLER, perf_counter()
        if self.url == "*":
            await self._answer_for_all()
        else:
            await self.protocol.request_handler(self.request)
        if self.stage is _HANDLER and not self.upgrade_websocket:
            raise ServerError("Handler produced no response")
        if self.stage is _RESPONSE:
            await self.response.send(end_stream=True)

    async def _answer_for_all(self) -> None:
        """Answer `OPTIONS *`, which asks the server and none of its paths."""
        serving, request = self.protocol.serving, self.request
        check_host(serving.hosts, request)
        head = serving.heads.head(204)
        own = OwnHeaders({"allow": ", ".join(serving.methods)}, "OPTIONS *")
        answer = Answer(serving.heads, head, b"", request, own)
        response = await request.respond(answer)
        await response.send(end_stream=True)
        serving.observer.end(request)

    async def _answer_cancelled(self, exc: CancelledError) -> None:
        """Answer as Sanic does for a request that its time-outs ended."""
        lost = self.protocol.conn_info.lost
        failure: Any = RequestCancelled() if lost else self.exception or exc
        self.exception, self.keep_alive = None, False
        await self.error_response(failure)

    async def _finish(self) -> None:
        """Read away the rest of a request that was answered early, or close."""
        stays = self.keep_alive and self.stage is _IDLE
        if stays and self.request_body:
            # NOTE: the connection is not idle until the request has ended.
            self.stage = _REQUEST
            self.request_max_size = min(self.request_max_size, self.protocol.request_max_size)
            try:
                while self.request_body:
                    await self.read()
                self.stage = _IDLE
            except SanicException:
                self.stage, self.keep_alive, stays = _IDLE, False, False
        unread = self._unread or self.request_body or self.recv_buffer
        if unread and not stays and self.stage is _IDLE:
            await self._linger()
        if self.request:
            self.request.stream = None
        if self.response:
            self.response.stream = None

    async def _linger(self) -> None:
        """Close the answering half, and read on for a while (RFC 9112, 9.6).

        A connection that is closed with bytes unread is reset, and an answer that the client has
        not read yet is lost.
        """
        protocol, buffer = self.protocol, self.recv_buffer
        transport = protocol.transport
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof():
            with suppress(OSError):  # the client is gone
                transport.write_eof()
        left = max(_LEAST_LINGER, 4 * protocol.request_max_size) - len(buffer)
        with suppress(TimeoutError):
            async with timeout(_LINGER):
                while left >= 0:
                    buffer.clear()
                    await protocol.receive_more()
                    left -= len(buffer)

    # Heads.

    async def http1_request_header(self) -> None:
        """Receive a head, and make the request of it.

        Raises:
            SanicException: it is refused.
        """
        protocol = self.protocol
        app, serving = protocol.app, protocol.serving
        self._unread = True
        raw = await self._receive_head()
        self.head_only = raw.startswith(b"HEAD ")
        if serving.has_signal("http.lifecycle.read_head"):
            await self.dispatch("http.lifecycle.read_head", inline=True, context={"head": raw})
        head = read_head(raw, serving.head_limits)
        self.keep_alive = head.keep_alive and app.config.KEEP_ALIVE
        connects = head.method == "CONNECT"
        self.url = "*" if connects else head.target
        request = protocol.request_class(
            url_bytes=self.url.encode(),
            headers=Header(head.pairs),
            head=raw,
            version=head.version,
            method=head.method,
            transport=protocol.transport,
            app=app,
        )
        protocol.request_class._current.set(request)
        self.request, request.stream = request, self
        request.conn_info = protocol.conn_info
        protocol.state["requests_count"] += 1
        self._expect_body(head)
        if serving.has_signal("http.lifecycle.request"):
            await self.dispatch("http.lifecycle.request", inline=True, context={"request": request})
        if connects:
            check_host(serving.hosts, request)
            raise MethodNotAllowed("There is no tunnel here.", "CONNECT", serving.methods)
        self._unread = False

    async def _receive_head(self) -> bytes:
        """Return the bytes of the next head, and take them out of the buffer."""
        buffer, limits = self.recv_buffer, self.protocol.serving.head_limits
        seen = 0
        while True:
            # NOTE: an empty line before a request is passed over (RFC 9112, 2.2).
            start = 2 if buffer.startswith(_LINE_END) else 0
            end = buffer.find(HEAD_END, max(start, seen - 3))
            if end >= 0:
                head = bytes(buffer[start : end + len(HEAD_END)])
                check_start(head, limits)
                del buffer[: end + len(HEAD_END)]
                return head.removesuffix(HEAD_END)
            check_start(buffer[start:], limits, seen - start)
            seen = len(buffer)
            await self._receive_more()

    def _expect_body(self, head: RequestHead) -> None:
        """Prepare to read the body that *head* announces."""
        upgrades = ",".join(self.request.headers.getall("upgrade", ())).lower()
        may_upgrade = head.method == "GET" and head.version == "1.1"
        self.upgrade_websocket = may_upgrade and "websocket" in upgrades
        if self.upgrade_websocket and head.length:
            raise HeadRefused("A request for a websocket has a body.")
        self.expecting_continue = head.expects
        self.request_bytes = self.request_bytes_left = self._extensions = 0
        if head.length == CHUNKED:
            self.request_body = "chunked"
        elif head.length is not None and head.length > 0:
            self.request_body = True
            self.request_bytes = self.request_bytes_left = head.length

    def create_empty_request(self) -> None:
        """Make the request that an answer to a refused head is for."""
        self.url = None
        super().create_empty_request()
        self.request.conn_info = self.protocol.conn_info

    # Bodies.

    async def read(self) -> bytes | None:
        """Return some bytes of the body; `None` once it has ended.

        Raises:
            SanicException: the body is refused; the connection is closed after the answer.
        """
        if not self.request_body:
            return None
        try:
            self._check_size()
            if self.expecting_continue:
                self.expecting_continue = False
                await self._send(CONTINUE)
            if not self.request_bytes_left:
                await self._begin_chunk()
                self._check_size()
        except SanicException:
            self.keep_alive = self.expecting_continue = False
            raise
        return await self._receive_data() if self.request_body else None

    def _check_size(self) -> None:
        if self.request_bytes > self.request_max_size:
            raise PayloadTooLarge("Request body exceeds the size limit")

    async def _receive_data(self) -> bytes:
        buffer = self.recv_buffer
        if not buffer:
            await self._receive_more()
        data = bytes(buffer[: self.request_bytes_left])
        del buffer[: len(data)]
        self.request_bytes_left -= len(data)
        if not self.request_bytes_left:
            if self.request_body is True:
                self.request_body = None
            else:
                more = take_chunks(buffer, self.request_max_size - self.request_bytes)
                self.request_bytes += len(more)
                data += more
        if self.protocol.serving.has_signal("http.lifecycle.read_body"):
            await self.dispatch("http.lifecycle.read_body", inline=True, context={"body": data})
        return data

    async def _begin_chunk(self) -> None:
        """Read the line before the data of a chunk; after the last one the body has ended."""
        if self.request_bytes and await self._receive_line(0):
            raise BodyRefused("A chunk is not as long as it says.")
        size, extensions = read_chunk_line(await self._receive_line(LONGEST_LINE))
        self._extensions += extensions
        if self._extensions > MOST_EXTENSIONS:
            raise BodyRefused("The chunks of the body have too many extensions.")
        self.request_bytes += size
        self.request_bytes_left = size
        if size:
            return
        left = LONGEST_TRAILERS
        while line := await self._receive_line(left):
            check_trailer(line)
            left = max(left - len(line) - 2, 0)
        self.request_body = None

    async def _receive_line(self, longest: int) -> bytes:
        """Take a line of at most *longest* bytes out of the buffer, and return it without its end.

        Raises:
            BodyRefused: there is no such line.
        """
        buffer = self.recv_buffer
        while True:
            end = buffer.find(_LINE_END, 0, longest + 2)
            # NOTE: a CR at the very end may yet become the end of the line.
            line = bytes(buffer[: longest + 2]).removesuffix(b"\r") if end < 0 else buffer[:end]
            if len(line) > longest or b"\r" in line or b"\n" in line:
                raise BodyRefused("The body is not made of the lines of a chunked one.")
            if end >= 0:
                del buffer[: end + 2]
                return bytes(line)
            await self._receive_more()
