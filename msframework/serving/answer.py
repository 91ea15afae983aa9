"""Answers as bytes: heads built beforehand, and a response that writes head and body at once.

`Heads` is filled at start-up; `Answer` is made per request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sanic.compat import Header
from sanic.exceptions import ServerError
from sanic.helpers import STATUS_CODES, has_message_body
from sanic.http import Http, Stage
from sanic.response import HTTPResponse

from msframework.clock import Clock
from msframework.headers import (
    OwnHeaders,
    Pairs,
    check_response,
    encode_lines,
    merge,
    take_framing,
)

JSON = "application/json"
# The headers of all answers to one request: those that depend on what it says.
Varying = Callable[[Any], OwnHeaders | None]
_HTTP_1: Any = Http
# NOTE: Sanic lacks some, 421 among them; Python's releases differ in the words of others.
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus} | STATUS_CODES


@dataclass(slots=True, eq=False)
class Head:
    """Everything of an answer's head that is known before the request: status line and headers.

    `keep` and `close` are the bytes up to the value of content-length, for a connection that stays
    open and for one that does not; `names` are those of all headers that every answer has.
    """

    status: int
    content_type: str
    headers: Pairs
    names: frozenset[str]
    keep: bytes
    close: bytes


class Heads:
    """The heads of one service, each built once.

    Attributes:
        headers: those of every answer, whatever the request.
        varying: what adds those that depend on the request; `None` where there are none.
        clock: the clock that every answer's `Date` is read from.
    """

    def __init__(self, headers: Pairs = (), *, fast: bool = True) -> None:
        self.headers = headers
        self.varying: Varying | None = None
        self.fast = fast
        self.clock = Clock()
        self._heads: dict[tuple[int, str], Head] = {}

    def head(self, status: int, content_type: str = JSON) -> Head:
        """Return the head for *status*; built at the first call for it.

        Raises:
            ValueError: no answer may have that status.
        """
        found = self._heads.get((status, content_type))
        if found is None:
            found = self._heads[status, content_type] = self._build(status, content_type)
        return found

    def carry(self, headers: Pairs) -> None:
        """Give every answer *headers* more, those too whose heads are built already."""
        self.headers = (*self.headers, *headers)
        for (status, content_type), head in self._heads.items():
            self._fill(head, status, content_type)

    def _build(self, status: int, content_type: str) -> Head:
        if not 200 <= status <= 599:
            raise ValueError(f"an answer cannot have the status {status!r}; expected 200 to 599")
        head = Head(status, content_type, (), frozenset(), b"", b"")
        self._fill(head, status, content_type)
        return head

    def _fill(self, head: Head, status: int, content_type: str) -> None:
        headers = self.headers
        tail = b""
        if has_message_body(status):  # type: ignore[no-untyped-call]
            headers = (*headers, ("content-type", content_type))
            tail = b"content-length: "
        start = status_line(status) + encode_lines(headers)
        head.headers = headers
        head.names = frozenset(
            ("date", "x-request-id", "x-trace-id", *(name for name, _ in headers))
        )
        head.keep = start + b"connection: keep-alive\r\n" + tail
        head.close = start + b"connection: close\r\n" + tail


def status_line(status: int) -> bytes:
    """Return the first line of an answer with *status*."""
    return b"HTTP/1.1 %d %b\r\n" % (status, _PHRASES.get(status, b"UNKNOWN"))


class StreamedResponse(HTTPResponse):
    """An answer that a handler sends piece by piece, as `request.respond()` gives it.

    Attributes:
        sent: how many bytes of body have been sent.
    """

    __slots__ = ("sent",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sent = 0

    async def send(self, data: Any = None, end_stream: bool | None = None) -> None:
        """Send a piece; see `BaseHTTPResponse.send` for the arguments.

        Raises:
            ValueError: a header that was set since `respond()` cannot be sent.
            ServerError: the pieces are longer than the `Content-Length` that was said.
        """
        stream: Any = self.stream
        if stream is not None and stream.stage is Stage.HANDLER:
            check_response(self, f"{stream.request.method} {stream.request.path}")
            if take_framing(self.headers):
                stream.keep_alive = False
        if data:
            data = data.encode() if isinstance(data, str) else data
            if self.status == 205:
                data = b""
            said = self.headers.get("content-length")
            if said is not None and self.sent + len(data) > int(said):
                raise ServerError(f"the answer is longer than its Content-Length, {said}")
            self.sent += len(data)
        if stream is not None and stream.head_only and stream.stage is Stage.RESPONSE:
            # NOTE: what Sanic has here is no coroutine function, and it awaits it.
            stream.head_response_ignored(data, bool(end_stream))
        else:
            await super().send(data, end_stream)


class Answer(HTTPResponse):
    """A whole answer: a prebuilt head, the body, and headers of this answer alone.

    It becomes an ordinary Sanic response, sent on Sanic's own path, as soon as somebody looks at
    `headers` or sets a cookie; so too for HEAD, HTTP/1.0, streams, and where a part of the
    request's body is not read yet.
    """

    __slots__ = ("_head", "_headers", "_heads", "_own", "_request")

    def __init__(
        self,
        heads: Heads,
        head: Head,
        body: bytes,
        request: Any,
        own: OwnHeaders | None = None,
    ) -> None:
        self.asgi = False
        self.body = body
        self.content_type = head.content_type
        self.stream = None
        self.status = head.status
        self._cookies = None
        self._head = head
        self._headers: Header | None = None
        self._heads = heads
        self._own = own
        self._request = request

    @property
    def headers(self) -> Header:
        """All headers of the answer; reading them gives up the prebuilt head."""
        if self._headers is None:
            self._headers = Header(self._pairs())
        return self._headers

    @headers.setter
    def headers(self, value: Any) -> None:
        self._headers = Header(value)

    def _pairs(self) -> Pairs:
        """Return the headers of every answer and its own, by the rules of each field."""
        request = self._request
        pairs = (
            *self._head.headers,
            ("date", self._heads.clock.text),
            ("x-request-id", request.id),
        )
        if request.span is not None:
            pairs = (*pairs, ("x-trace-id", request.span.trace_id))
        if self._heads.varying is not None:
            varying = self._heads.varying(request)
            pairs = pairs if varying is None else merge(pairs, varying.pairs)
        return pairs if self._own is None else merge(pairs, self._own.pairs)

    async def send(self, data: Any = None, end_stream: bool | None = None) -> None:
        """Write the answer; see `BaseHTTPResponse.send` for the arguments."""
        request = self._request
        stream: Any = request.stream
        if (
            not self._heads.fast
            or self._headers is not None
            or data is not None
            or not isinstance(stream, _HTTP_1)
            or stream.stage is not Stage.HANDLER
            or stream.head_only
            or stream.request_body
            or request.version != "1.1"
            or stream.protocol.access_log
        ):
            await super().send(data, end_stream)
            return
        if request.app._serving.stopping:
            stream.keep_alive = False
        stream.response_func = None
        stream.response_size = len(self.body or b"")
        request.app._serving.observer.end(request)
        await stream.protocol.send(self.to_bytes(stream.keep_alive))
        stream.stage = Stage.IDLE

    @property
    def is_plain(self) -> bool:
        """Whether it still goes out as it was made: nobody looked at its headers."""
        return self._headers is None

    def to_bytes(self, keep_alive: bool) -> bytes:
        """Return head and body as they go out.

        PERF: one `%` over bytes instead of a header mapping (benchmarks/README.md, row json).
        """
        head, request, body = self._head, self._request, self.body or b""
        own, vary = self._own, self._heads.varying
        varying = None if vary is None else vary(request)
        if own is not None and not own.names.isdisjoint(head.names):
            return self._merge_to_bytes(keep_alive, body)
        start = head.keep if keep_alive else head.close
        span = request.span
        trace = b"" if span is None else b"x-trace-id: %b\r\n" % span.trace_id.encode()
        if varying is not None:
            if own is not None and not own.names.isdisjoint(varying.names):
                return self._merge_to_bytes(keep_alive, body)
            trace += varying.lines
        if own is not None:
            trace += own.lines
        if head.status == 204 or head.status == 304:
            return b"%b%bx-request-id: %b\r\n%b\r\n" % (
                start,
                self._heads.clock.line,
                request.id.encode(),
                trace,
            )
        return b"%b%d\r\n%bx-request-id: %b\r\n%b\r\n%b" % (
            start,
            len(body),
            self._heads.clock.line,
            request.id.encode(),
            trace,
            body,
        )

    def _merge_to_bytes(self, keep_alive: bool, body: bytes) -> bytes:
        """Return head and body, where a header of its own meets one of every answer."""
        framing: Pairs = (("connection", "keep-alive" if keep_alive else "close"),)
        status = self._head.status
        if has_message_body(status):  # type: ignore[no-untyped-call]
            framing = (*framing, ("content-length", str(len(body))))
        else:
            body = b""
        return status_line(status) + encode_lines((*framing, *self._pairs())) + b"\r\n" + body
