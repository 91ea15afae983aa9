"""`SendingHttp`: Sanic's HTTP/1.1, which says for itself where an answer ends. Runs per request.

So a request is recorded right before the last bytes of its answer are written: a worker that is
killed as soon as a client has them has counted it.
"""

from __future__ import annotations

from typing import Any, Final

from sanic.helpers import has_message_body
from sanic.http import Http, Stage
from sanic.log import logger

from msframework.serving.answer import status_line

_IDLE, _RESPONSE = Stage.IDLE, Stage.RESPONSE
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class SendingHttp(Http):
    """Sanic's HTTP/1.1, with the heads of the fast path, and requests that are recorded in time."""

    __slots__ = ()
    protocol: Any
    request: Any
    request_body: Any
    request_bytes: Any
    response: Any
    response_bytes_left: int
    response_func: Any

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        """Send the head of an answer, and the part of its body that is there."""
        response = self.response
        body = getattr(response, "body", None)
        if self.request_body:
            self._settle(is_final=end_stream or bool(body) or response.status >= 400)
        if body and not data:
            data, end_stream = body, True
        self.response_func = None
        if has_message_body(response.status):  # type: ignore[no-untyped-call]
            data = self._frame(data, end_stream)
        else:
            self._drop_body(data, end_stream)
            data, end_stream = b"", True
        self.response_size = len(data)
        is_last = end_stream or (
            self.response_func == self.http1_response_normal and not self.response_bytes_left
        )
        if self.head_only:
            data, is_last, self.response_func = b"", True, self.head_response_ignored
        response.headers["connection"] = "keep-alive" if self.keep_alive else "close"
        if self.protocol.access_log:
            self.log_response()
        if is_last:
            await self._record()
        await self._send(self._head() + data)
        self.stage = _IDLE if end_stream else _RESPONSE

    def _head(self) -> bytes:
        """Return the head of the answer, and before it what the client waits for."""
        response, start = self.response, b""
        if self.expecting_continue:
            self.expecting_continue, start = False, CONTINUE
        fields = b"".join([b"%b: %b\r\n" % pair for pair in response.processed_headers])
        return b"%b%b%b\r\n" % (start, status_line(response.status), fields)

    def _frame(self, data: bytes, end_stream: bool) -> bytes:
        """Say where the body ends, and what sends the rest of it; return *data* as it goes out."""
        headers = self.response.headers
        if end_stream:
            if not self.head_only or "content-length" not in headers:  # it may be that of GET
                headers["content-length"] = len(data)
        elif "content-length" in headers:
            self.response_bytes_left = int(headers["content-length"]) - len(data)
            self.response_func = self.http1_response_normal
        elif self.request.version == "1.0":
            # It ends with its connection: HTTP/1.0 has no chunks (RFC 9112, 6.1).
            self.keep_alive, self.response_func = False, self._send_unsized
        else:
            headers["transfer-encoding"] = "chunked"
            self.response_func = self.http1_response_chunked
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return data

    def _drop_body(self, data: bytes, end_stream: bool) -> None:
        """Warn of a body that an answer of this status cannot have."""
        response = self.response
        if response.headers.popall("content-length", None) or data or not end_stream:
            logger.warning(
                f"Message body set in response on {self.request.path}. "
                f"A {response.status} response may only have headers, no body."
            )

    def _settle(self, *, is_final: bool) -> None:
        """Decide whether a body that is not read yet ends the connection, before a head says so.

        Args:
            is_final: whether nobody reads the body after this answer, which is no stream's.
        """
        if is_final:
            self.request_max_size = min(self.request_max_size, self.protocol.request_max_size)
            if self.expecting_continue:
                # NOTE: whether the body still comes, nobody knows (RFC 9110, 10.1.1).
                self.expecting_continue = self.keep_alive = False
        if self.request_bytes > self.request_max_size:  # `_finish` will not read it away
            self.keep_alive = False

    # The pieces that follow the head.

    async def http1_response_chunked(self, data: bytes, end_stream: bool) -> None:
        """Send a piece of an answer in chunks."""
        if end_stream:
            await self._record()
        await super().http1_response_chunked(data, end_stream)

    async def http1_response_normal(self, data: bytes, end_stream: bool) -> None:
        """Send a piece of an answer whose length was said."""
        if len(data) == self.response_bytes_left:
            await self._record()
        await super().http1_response_normal(data, end_stream)

    async def _send_unsized(self, data: bytes, end_stream: bool) -> None:
        """Send a piece of an answer that ends with its connection."""
        if end_stream:
            await self._record()
        if data:
            await self._send(data)
        if end_stream:
            self.response_func, self.stage = None, _IDLE

    async def _record(self) -> None:
        """Record the request, as soon as the last bytes of its answer can be written."""
        protocol = self.protocol
        await protocol._can_write.wait()
        if not protocol.transport.is_closing():
            protocol.serving.observer.end(self.request)
