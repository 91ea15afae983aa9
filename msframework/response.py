"""Answers as bytes: heads built beforehand, and a response that writes head and body at once.

`Heads` is filled at start-up; `Answer` is made per request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sanic.compat import Header
from sanic.helpers import STATUS_CODES, has_message_body
from sanic.http import Http, Stage
from sanic.response import HTTPResponse

JSON = "application/json"
_HTTP_1: Any = Http


@dataclass(frozen=True, slots=True)
class Reply:
    """What a method returns to choose among its declared statuses, or to add headers."""

    data: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """Everything of an answer's head that is known before the request: status line and headers.

    `keep` and `close` are the bytes up to the value of content-length, for a connection that stays
    open and for one that does not.
    """

    status: int
    content_type: str
    headers: tuple[tuple[str, str], ...]
    keep: bytes
    close: bytes


class Heads:
    """The heads of one service, each built once."""

    def __init__(self, headers: tuple[tuple[str, str], ...] = (), *, fast: bool = True) -> None:
        self.headers = headers
        self.fast = fast
        self._heads: dict[tuple[int, str], Head] = {}

    def head(self, status: int, content_type: str = JSON) -> Head:
        """Return the head for *status*; built at the first call for it."""
        found = self._heads.get((status, content_type))
        if found is None:
            found = self._heads[status, content_type] = self._build(status, content_type)
        return found

    def _build(self, status: int, content_type: str) -> Head:
        phrase = STATUS_CODES.get(status, b"UNKNOWN")
        lines = [b"HTTP/1.1 %d %b" % (status, phrase)]
        lines += [f"{name}: {value}".encode() for name, value in self.headers]
        if has_message_body(status):  # type: ignore[no-untyped-call]
            lines.append(b"content-type: " + content_type.encode())
            tail = b"content-length: "
        else:
            tail = b""
        start = b"\r\n".join(lines) + b"\r\n"
        return Head(
            status,
            content_type,
            self.headers,
            start + b"connection: keep-alive\r\n" + tail,
            start + b"connection: close\r\n" + tail,
        )


class Answer(HTTPResponse):
    """A whole answer: a prebuilt head, the body, and headers of this answer alone.

    It becomes an ordinary Sanic response, sent on Sanic's own path, as soon as somebody looks at
    `headers` or sets a cookie; so too for HEAD, HTTP/1.0, `Expect: 100-continue` and streams.
    """

    __slots__ = ("_extra", "_fast", "_head", "_headers", "_request")

    def __init__(
        self,
        heads: Heads,
        head: Head,
        body: bytes,
        request: Any,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.asgi = False
        self.body = body
        self.content_type = head.content_type
        self.stream = None
        self.status = head.status
        self._cookies = None
        self._fast = heads.fast
        self._head = head
        self._headers: Header | None = None
        self._request = request
        self._extra = extra

    @property
    def headers(self) -> Header:
        """All headers of the answer; reading them gives up the prebuilt head."""
        if self._headers is None:
            self._headers = Header(self._head.headers)
            self._headers["x-request-id"] = self._request.id
            if self._request.span is not None:
                self._headers["x-trace-id"] = self._request.span.trace_id
            if self._extra:
                self._headers.update(self._extra)
        return self._headers

    @headers.setter
    def headers(self, value: Any) -> None:
        self._headers = Header(value)

    async def send(self, data: Any = None, end_stream: bool | None = None) -> None:
        """Write the answer; see `BaseHTTPResponse.send` for the arguments."""
        request = self._request
        stream: Any = request.stream
        if (
            not self._fast
            or self._headers is not None
            or data is not None
            or not isinstance(stream, _HTTP_1)
            or stream.stage is not Stage.HANDLER
            or stream.head_only
            or stream.expecting_continue
            or request.version != "1.1"
            or stream.protocol.access_log
        ):
            await super().send(data, end_stream)
            return
        if request.app.stopping:
            stream.keep_alive = False
        stream.response_func = None
        stream.response_size = len(self.body or b"")
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
        start = head.keep if keep_alive else head.close
        span = request.span
        trace = b"" if span is None else b"x-trace-id: %b\r\n" % span.trace_id.encode()
        if self._extra:
            trace += b"".join(
                f"{_clean(name)}: {_clean(value)}\r\n".encode()
                for name, value in self._extra.items()
            )
        if head.status == 204 or head.status == 304:
            return b"%bx-request-id: %b\r\n%b\r\n" % (start, request.id.encode(), trace)
        return b"%b%d\r\nx-request-id: %b\r\n%b\r\n%b" % (
            start,
            len(body),
            request.id.encode(),
            trace,
            body,
        )


def _clean(value: object) -> str:
    """Take out of a header what would end it."""
    return str(value).translate(_UNSAFE)


_UNSAFE = str.maketrans("", "", "\r\n\x00")
