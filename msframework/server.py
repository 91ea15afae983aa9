"""What we replace under Sanic's API for speed, and when it stands aside.

`build_accept` runs when a worker starts; the rest runs per request. Between two requests that Sanic
serves, `LeanHttp` serves all that need nothing of Sanic's: those that arrived whole, for a compiled
endpoint without middleware. It stands aside while a handler of an HTTP signal is registered, with
`FAST_PATH = False`, and on a Sanic version that this was not tested with.
"""

from __future__ import annotations

import logging
import re
from asyncio import CancelledError, Future
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any

import sanic
from sanic.exceptions import RequestCancelled
from sanic.http import Http, Stage
from sanic.server.protocols.http_protocol import HttpProtocol
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from msframework._tested import is_tested
from msframework.matcher import Match, build_matcher
from msframework.request import LeanRequest, Pairs, Request
from msframework.response import Answer
from msframework.types import Handler

TESTED_SANIC = ("25.12.",)
logger = logging.getLogger("msframework.server")

# A request that was taken, its handler, its path parameters, and how many bytes it took.
Accepted = tuple[LeanRequest, Handler, dict[str, Any], int]
Accept = Callable[[Any, bytes], Accepted | None]

_HEAD_END = b"\r\n\r\n"
# Requests with one of these need more than the fast path knows.
_SPECIAL = frozenset(("expect", "transfer-encoding", "upgrade"))
# Headers of which callers send the same few lines again and again.
_ALIKE = frozenset(
    (
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-type",
        "host",
        "origin",
        "user-agent",
    )
)
_MOST_LINES = 1024
_LONGEST_LINE = 256
_PLAIN_TARGET = re.compile(r"/(?!/)[!\"$-~]*").fullmatch
_PLAIN_QUERY = re.compile(r"[!\"$-~]*").fullmatch
_LONGEST = 8192  # characters of a target
_MOST_ANSWERS = 32
# PERF: to look up an attribute of a class takes longer than most steps of a request.
_IDLE, _REQUEST = Stage.IDLE, Stage.REQUEST
_HANDLER, _RESPONSE = Stage.HANDLER, Stage.RESPONSE
_set_current = Request._current.set


def supports_fast_path(wanted: bool) -> bool:
    """Whether the fast path may be used; warns once where only the Sanic version forbids it."""
    if not wanted:
        return False
    return is_tested(logger, "Sanic", sanic.__version__, TESTED_SANIC, "the fast path")


def build_accept(service: Any, handlers: frozenset[Any]) -> Accept:
    """Return `accept(http, data)`, which takes a request out of *data* if it can be served leanly.

    Args:
        service: the service, finalized.
        handlers: the compiled handlers.
    """
    match = build_matcher(service.router.routes, handlers)
    get_route = service.router.get
    largest = service.config.REQUEST_MAX_SIZE
    known: dict[str, tuple[str, str]] = {}

    def find(method: str, target: str, path: str, host: str | None) -> Any:
        """Ask Sanic's router, where `match` is not sure."""
        if method == "HEAD" or _PLAIN_TARGET(target) is None:
            return None
        try:
            route, handler, params = get_route(path, method, host)
        except Exception:  # Sanic's own path answers for it
            return None
        extra = route.extra
        if handler not in handlers or extra.request_middleware or extra.response_middleware:
            return None
        return None if extra.stream else (Match(route, handler), dict(params))

    def learn(line: str) -> tuple[str, str]:
        """Read a header; raises `ValueError` for what is none."""
        name, value = line.split(":", 1)
        pair = name.lower(), value.lstrip()
        if pair[0] in _ALIKE and len(line) <= _LONGEST_LINE:
            if len(known) >= _MOST_LINES:
                known.clear()
            known[line] = pair
        return pair

    def accept(http: Any, data: bytes) -> Accepted | None:
        end = data.find(_HEAD_END)
        if end < 0 or end >= http.HEADER_MAX_SIZE:
            return None
        head = data[:end]
        try:
            first, *lines = head.decode().split("\r\n")
            method, target, version = first.split(" ")
            # PERF: lines that were seen before need no parsing (benchmarks/README.md, row json).
            pairs = [known.get(line) or learn(line) for line in lines]
        except ValueError:
            return None
        fields = dict(pairs)
        if version != "HTTP/1.1" or not _SPECIAL.isdisjoint(fields) or len(target) > _LONGEST:
            return None
        connection = fields.get("connection")
        if connection is not None and connection.lower() != "keep-alive":
            return None
        path, _, query = target.partition("?")
        found = match(method, path) or find(method, target, path, fields.get("host"))
        if found is None or (query and _PLAIN_QUERY(query) is None):
            return None
        endpoint, params = found
        body, taken = b"", end + 4
        if "content-length" in fields:
            size = read_length(pairs)
            if size is None or endpoint.route.extra.ignore_body or len(data) < taken + size:
                return None
            body = data[taken : taken + size]
            taken += size
        if len(fields) != len(pairs):
            fields = dict(reversed(pairs))
        request = LeanRequest(
            http, endpoint.route, method, target, path, query, head, body, pairs, fields, params
        )
        return request, endpoint.handler, params, taken

    def read_length(pairs: Pairs) -> int | None:
        """Return the one length that is said; `None` for what Sanic has to judge."""
        said = [value for name, value in pairs if name == "content-length"]
        text = said[0]
        if len(said) > 1 or not (text.isascii() and text.isdecimal() and len(text) < 12):
            return None
        size = int(text)
        return size if size <= largest else None

    return accept


class Outbox:
    """Answers that wait to be written together, until what is ready to run has run.

    PERF: Python's code and the kernel's push each other out of the processor's caches, so many
    calls of the kernel in a row take less (benchmarks/README.md, row json).

    Attributes:
        busy: connections with a request on the fast path; one that is alone has nothing to wait
            for.
    """

    __slots__ = ("_answers", "busy")

    def __init__(self) -> None:
        self._answers: list[tuple[LeanHttp, bytes]] = []
        self.busy = 0

    def put(self, http: LeanHttp, data: bytes) -> None:
        """Have *data* written to the connection of *http*, which is not idle until then.

        NOTE: callbacks run in their order, so it is written before any data that arrives later is
        looked at; `eof_received` flushes before a connection is closed.
        """
        answers, protocol = self._answers, http.protocol
        protocol._time = monotonic()
        answers.append((http, data))
        http.stage = _RESPONSE
        if self.busy <= 1 or len(answers) >= _MOST_ANSWERS:
            self.flush()
        elif len(answers) == 1:
            protocol.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits."""
        answers, self._answers = self._answers, []
        for http, data in answers:
            transport = http.protocol.transport
            if http.stage is _RESPONSE:
                http.stage = _IDLE
            try:
                if transport and not transport.is_closing():
                    transport.write(data)
            except Exception:
                logger.exception("an answer could not be written")
                transport.abort()


class LeanHttp(Http):
    """Sanic's HTTP/1.1, which serves lean requests while Sanic waits for the next one.

    Sanic awaits `_receive_more` for the first bytes of a request, and for more of it afterwards.
    """

    __slots__ = ()
    protocol: Any
    request: Any
    response: Any

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)  # type: ignore[no-untyped-call]
        if not protocol.access_log:
            self._receive_more = self._receive

    async def _receive(self) -> None:
        """Serve lean requests, or wait for more of the one that Sanic serves.

        Raises:
            CancelledError: the connection is to be closed.
        """
        if self.stage is _IDLE:
            # PERF: a task of its own, so that nothing of Sanic's stands between the loop and the
            # handler whenever a request waits (benchmarks/README.md, row read_one).
            protocol, outbox = self.protocol, self.protocol.app.outbox
            outbox.busy += 1
            try:
                await protocol.loop.create_task(self._serve())
            finally:
                if protocol.waiter is None:
                    outbox.busy -= 1
                protocol.waiter = None
        else:
            await self.protocol.receive_more()

    async def _serve(self) -> None:
        """Serve lean requests until one comes that is not; leave that one to Sanic.

        Raises:
            CancelledError: the connection is to be closed.
        """
        protocol, buffer = self.protocol, self.recv_buffer
        protocol.transport.resume_reading()
        self.response_func = self.http1_response_header
        service, create_future = protocol.app, protocol.loop.create_future
        outbox = service.outbox
        while True:
            if buffer:
                data = bytes(buffer)
                buffer.clear()
                protocol.transport.resume_reading()
            else:
                protocol.waiter = waiter = create_future()
                outbox.busy -= 1
                data = await waiter
            accepted = service.accept(self, data)
            if accepted is None:
                buffer[:0] = data
                self.init_for_request()  # type: ignore[no-untyped-call]
                return
            request, handler, params, taken = accepted
            if taken < len(data):
                buffer[:0] = data[taken:]
            self.perft0 = perf_counter()
            self.request, self.stage = request, _HANDLER
            _set_current(request)
            protocol.state["requests_count"] += 1
            late = b""
            try:
                answer = await handler(request, **params)
                if answer.__class__ is Answer and answer.is_plain and not request.responded:
                    self.keep_alive = keep_alive = not service.stopping
                    data = answer.to_bytes(keep_alive)
                    ready = protocol._can_write.is_set() and not protocol.conn_info.lost
                    if keep_alive and ready and not buffer:
                        late = data
                    else:
                        await protocol.send(data)
                    self.stage = _IDLE
                else:
                    await self._send_other(request, answer)
            except CancelledError as exc:
                await self._answer_cancelled(exc)
                raise
            except Exception as exc:
                await self.error_response(exc)
            request.stream = self.request = None
            if not self.keep_alive or self.stage is not _IDLE:
                # NOTE: so ends a connection's task; Sanic then closes the connection.
                raise CancelledError
            if late:
                outbox.put(self, late)
            # Nothing of a request is held while the next one is waited for.
            data, late, accepted, request, params, answer = b"", b"", None, None, None, None

    async def _send_other(self, request: Any, answer: Any) -> None:
        """Send what is no plain `Answer`: a response of Sanic's, or one that was begun already."""
        if request.responded:
            answer = self.response
        elif answer is not None:
            answer = await request.respond(answer)
        else:
            answer = self.response
        if hasattr(answer, "streaming_fn"):
            await answer(request)
            await answer.eof()
        else:
            await answer.send(end_stream=True)
        self.response.stream = None
        self.response, self.response_func = None, self.http1_response_header

    async def _answer_cancelled(self, exc: CancelledError) -> None:
        """Answer as Sanic does for a request that its time-outs ended."""
        protocol = self.protocol
        if not protocol.transport:
            return
        lost = protocol.conn_info.lost
        failure: Any = RequestCancelled() if lost else self.exception or exc
        self.exception, self.keep_alive = None, False
        await self.error_response(failure)


class LeanProtocol(HttpProtocol):
    """Sanic's protocol with `LeanHttp`, unless the service stands back from it."""

    __slots__ = ("waiter",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.waiter: Future[bytes] | None = None

    @property
    def HTTP_CLASS(self) -> type[Http]:  # type: ignore[override]
        """The class that reads and answers requests."""
        service: Any = self.app
        return LeanHttp if service.lean else Http

    def data_received(self, data: bytes) -> None:
        """Hand *data* to whoever waits for a request, without a copy."""
        if not _hand_over(self, data):
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """Write the answers that wait: the transport is closed after this."""
        service: Any = self.app
        service.outbox.flush()
        return super().eof_received()


class LeanWebSocketProtocol(WebSocketProtocol):
    """The same for services with websockets."""

    __slots__ = ("waiter",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.waiter: Future[bytes] | None = None

    HTTP_CLASS = LeanProtocol.HTTP_CLASS

    def data_received(self, data: bytes) -> None:
        """Hand *data* to whoever waits for a request, without a copy."""
        if not _hand_over(self, data):
            super().data_received(data)  # type: ignore[no-untyped-call]

    def eof_received(self) -> bool | None:
        """Write the answers that wait: the transport is closed after this."""
        service: Any = self.app
        service.outbox.flush()
        return super().eof_received()


def _hand_over(protocol: Any, data: bytes) -> bool:
    """Give *data* to `LeanHttp` when that waits for it; tell whether it does."""
    waiter = protocol.waiter
    if waiter is None or waiter.done() or not data:
        return False
    protocol.waiter = None
    protocol._time = monotonic()
    # NOTE: a server that stops closes what is idle, so this one is not idle from now on.
    protocol._http.stage = _REQUEST
    protocol.app.outbox.busy += 1
    waiter.set_result(data)
    return True


def choose_protocol(service: Any) -> type[HttpProtocol]:
    """Return the protocol that *service* is served with, when it names none itself."""
    if service.websocket_enabled:
        return LeanWebSocketProtocol if service.heads.fast else WebSocketProtocol
    return LeanProtocol if service.heads.fast else HttpProtocol
