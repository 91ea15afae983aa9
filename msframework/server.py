"""What we replace under Sanic's API for speed, and when it stands aside.

`build_handle_request` runs when a worker starts; the function that it returns runs per request, in
place of `Sanic.handle_request`. A route that has middleware, and every route while a signal
handler is registered, runs on Sanic's own path; so does the whole service with `FAST_PATH = False`
or on a Sanic version that this was not tested with.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from typing import Any

import sanic
from multidict import istr
from sanic.compat import Header
from sanic.exceptions import BadRequest, ExpectationFailed
from sanic.http import Http
from sanic.server.protocols.http_protocol import HttpProtocol
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from msframework.request import Request
from msframework.response import Answer

TESTED_SANIC = ("25.12.",)
HandleRequest = Callable[[Any], Coroutine[Any, Any, None]]

logger = logging.getLogger("msframework.server")
_CONNECTION = istr("connection")
_CONTENT_LENGTH = istr("content-length")
_EXPECT = istr("expect")
_TRANSFER_ENCODING = istr("transfer-encoding")
_UPGRADE = istr("upgrade")
_VERSIONS = {"HTTP/1.1": "1.1", "HTTP/1.0": "1.0"}


def supports_fast_path(wanted: bool) -> bool:
    """Whether the fast path may be used; warns once where only the Sanic version forbids it."""
    if not wanted:
        return False
    if sanic.__version__.startswith(TESTED_SANIC):
        return True
    logger.warning(
        "msframework's fast path was not tested with Sanic %s; Sanic's own path is used",
        sanic.__version__,
    )
    return False


def build_handle_request(service: Any, compiled: frozenset[Any]) -> HandleRequest:
    """Return the function that runs compiled handlers with nothing of Sanic's in between.

    Args:
        service: the service, finalized.
        compiled: the handlers that may be run so.
    """
    get_route = service.router.get
    sanic_path = service.sanic_handle_request
    # NOTE: handle_exception is looked up late, as Sanic's touch-up replaces it after this runs.

    async def handle_request(request: Any) -> None:
        try:
            route, handler, path = get_route(
                request.path, request.method, request.headers.get("host")
            )
        except Exception as exc:
            await service.handle_exception(request, exc)
            return
        extra = route.extra
        if handler not in compiled or extra.request_middleware or extra.response_middleware:
            await sanic_path(request)
            return
        request.route = route
        request._match_info = path
        stream = request.stream
        try:
            if stream.request_body and not extra.ignore_body:
                await request.receive_body()
            answer = await handler(request, **path)
            if answer.__class__ is Answer and not request.responded:
                stream.response = answer
                answer.stream = stream
                request.responded = True
                await answer.send()
            else:
                await _send_other(request, answer)
        except CancelledError:
            raise
        except Exception as exc:
            await service.handle_exception(request, exc, run_middleware=False)

    return handle_request


async def _send_other(request: Any, answer: Any) -> None:
    """Send what is no `Answer`: a response of Sanic's, or one that was started already."""
    if request.responded:
        answer = request.stream.response
    elif answer is not None:
        answer = await request.respond(answer)
    else:
        answer = request.stream.response
    if hasattr(answer, "streaming_fn"):
        await answer(request)
        await answer.eof()
    else:
        await answer.send(end_stream=True)


class LeanHttp(Http):
    """Sanic's HTTP/1.1, which reads the head of a request in fewer steps.

    A head that has not arrived whole takes Sanic's own way; the rules are the same on both.
    """

    __slots__ = ()

    async def http1_request_header(self) -> None:
        """Read the head in the buffer into `self.request`.

        Raises:
            BadRequest: the head is malformed.
            ExpectationFailed: it expects what no server of ours does.
        """
        buffer = self.recv_buffer
        end = buffer.find(b"\r\n\r\n")
        if end == -1 or end >= self.HEADER_MAX_SIZE:
            await super().http1_request_header()  # type: ignore[no-untyped-call]
            return
        head = bytes(buffer[:end])
        fields: list[tuple[str, str]] = []
        try:
            first, *lines = head.decode(errors="surrogateescape").split("\r\n")
            method, self.url, protocol = first.split(" ")
            version = _VERSIONS[protocol]
            for line in lines:
                name, value = line.split(":", 1)
                fields.append((name.lower(), value.lstrip()))
            url = self.url.encode("ascii")
        except Exception:
            raise BadRequest("Bad Request") from None
        headers = Header(fields)
        service: Any = self.protocol.app
        self.head_only = method.upper() == "HEAD"
        self.keep_alive = version == "1.1" and service.keeps_alive
        if _CONNECTION in headers:
            asked = headers.getall(_CONNECTION)[-1].lower() == "keep-alive"
            self.keep_alive = asked and service.keeps_alive
        self.upgrade_websocket = _UPGRADE in headers and headers[_UPGRADE].lower() == "websocket"
        request = Request.from_head(url, headers, version, method, head, self.protocol)
        Request._current.set(request)
        self.request_bytes_left = self.request_bytes = 0
        taken = end + 4
        if _CONTENT_LENGTH in headers or _TRANSFER_ENCODING in headers:
            taken -= self._expect_body(headers)
        del buffer[:taken]
        self.request, request.stream = request, self
        self.protocol.state["requests_count"] += 1

    def _expect_body(self, headers: Header) -> int:
        """Prepare for the body that *headers* announce; return how much of the head's end it needs.

        Raises:
            BadRequest: the length is said twice, or wrong.
            ExpectationFailed: something else than 100-continue is expected.
        """
        if (
            len(headers.getall(_CONTENT_LENGTH, ())) + len(headers.getall(_TRANSFER_ENCODING, ()))
            != 1
        ):
            raise BadRequest("Bad Request")
        if _EXPECT in headers:
            if headers[_EXPECT].lower() != "100-continue":
                raise ExpectationFailed(f"Unknown Expect: {headers[_EXPECT]}")
            self.expecting_continue = True
        if headers.get(_TRANSFER_ENCODING) == "chunked":
            self.request_body = "chunked"  # type: ignore[assignment]
            return 2  # Sanic's reader of chunks wants the line end before the first
        self.request_body = True  # type: ignore[assignment]
        try:
            self.request_bytes_left = self.request_bytes = self._safe_int(headers[_CONTENT_LENGTH])
        except Exception:
            raise BadRequest("Bad content-length") from None
        return 0


class LeanProtocol(HttpProtocol):
    """Sanic's protocol with `LeanHttp`, unless the service stands back from it."""

    @property
    def HTTP_CLASS(self) -> type[Http]:  # type: ignore[override]
        """The class that reads and answers requests."""
        return LeanHttp if self.app.lean else Http  # type: ignore[attr-defined]


class LeanWebSocketProtocol(WebSocketProtocol):
    """The same for services with websockets."""

    HTTP_CLASS = LeanProtocol.HTTP_CLASS


def choose_protocol(service: Any) -> type[HttpProtocol]:
    """Return the protocol that *service* is served with, when it names none itself."""
    if service.websocket_enabled:
        return LeanWebSocketProtocol if service.heads.fast else WebSocketProtocol
    return LeanProtocol if service.heads.fast else HttpProtocol
