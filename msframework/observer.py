"""The traces that every request leaves: its span, its access line, and the headers of its answer.

`build_finish` and `trace` run at start-up; all else per request.
"""

from __future__ import annotations

import functools
import inspect
import logging
from asyncio import CancelledError
from collections.abc import Callable
from typing import Any

from sanic.exceptions import RequestCancelled
from sanic.http import Stage
from sanic.response import HTTPResponse

from msframework.conf.settings import Settings
from msframework.headers import WORDS, Pairs, check_response, take_framing, unite
from msframework.log.access import AccessLog
from msframework.metrics.requests import RequestCounter
from msframework.operation import path_template
from msframework.serving.answer import Answer, Heads
from msframework.serving.request import LeanRequest, Request
from msframework.tracing import Tracer
from msframework.tracing.context import write_current
from msframework.types import Handler

CLIENT_LEFT = 499
_LEAN: Any = LeanRequest
Finish = Callable[[Any, Any], None]
logger = logging.getLogger("msframework.requests")


class Observer:
    """Ends spans and writes access lines, each once a request, whoever answered it."""

    def __init__(
        self,
        settings: Settings,
        heads: Heads,
        tracer: Tracer,
        access_log: AccessLog,
        counter: RequestCounter | None = None,
    ) -> None:
        self._heads = heads
        self._tracer = tracer if settings.tracing.enabled else None
        self._record = access_log.record if settings.log.access else None
        self.counter = counter

    def build_finish(self, method: str = "", template: str = "") -> Finish | None:
        """Return `finish(request, answer)` for the fast path; `None` if nothing is recorded.

        Args:
            method: that of the operation; "" for requests of any.
            template: its path, by which its requests are counted.
        """
        tracer, record, counter = self._tracer, self._record, self.counter
        if tracer is None and record is None and counter is None:
            return None
        operation = None if counter is None else counter.of_operation(method, template)
        find_begins = None if operation is None else operation.begins.get

        def finish(request: Any, answer: Any) -> None:
            is_plain = request.__class__ is _LEAN and answer.__class__ is Answer
            if not is_plain or request.responded:
                return  # middleware may answer otherwise, or a stream ends later: see `end`
            request.recorded = True
            span = request.span
            if counter is not None and operation is not None and find_begins is not None:
                if not method:
                    counter.count(request, _route_of(request), answer.status)
                elif span is not None and span.sampled:
                    # NOTE: at once, so that its exemplar stands at the bucket that it counts in.
                    operation.count(request, answer.status)
                elif begins := find_begins(answer.status):
                    # PERF: as `note`, without the call (benchmarks/metrics.py).
                    begins.append(request.stream.perft0)
                else:
                    operation.note(request, answer.status)
            if span is not None:
                # PERF: `finish_request`, without the call for nothing (benchmarks/tracing.py).
                write_current(None)
                if span.sampled and tracer is not None:
                    tracer.finish_request(span, answer.status)
            if record is not None:
                record(request, answer.status, len(answer.body or b""))

        return finish

    def begin(self, request: Request, template: str) -> None:
        """Begin the span of a request before its handler does, unless it has one."""
        if self._tracer is not None and request.span is None:
            name = f"{request.method.lower()} {template}"
            request.span = self._tracer.start_request(request, name)

    def trace(self, handler: Handler, template: str) -> Handler:
        """Return *handler*, one that is not compiled, with a span begun before it."""
        if self._tracer is None:
            return handler

        @functools.wraps(handler)
        async def handle_traced(request: Request, *args: object, **path: object) -> Any:
            self.begin(request, template)
            answer = handler(request, *args, **path)
            return await answer if inspect.isawaitable(answer) else answer

        return handle_traced

    def ensure_span(self, request: Request) -> None:
        """Begin the span of a request that reached no endpoint, unless it has one."""
        if self._tracer is not None and request.span is None:
            request.span = self._tracer.start_request(request, request.method.lower())

    def end(self, request: Any, status: int | None = None) -> None:
        """End a request whose answer is over, whole or not; does nothing the second time.

        Args:
            status: how it ended; that of the answer when `None`.
        """
        if request.recorded:
            self.settle()
            return
        request.recorded = True
        stream = request.stream
        response: Any = None if stream is None else stream.response
        if status is None:
            whole = response is not None and stream.stage is not Stage.FAILED
            status = response.status if whole else 500
        if self.counter is not None:
            self.counter.count(request, _route_of(request), status)
        if self._tracer is not None and request.span is not None:
            self._tracer.finish_request(request.span, status)
        if self._record is not None:
            size = getattr(response, "sent", None)
            if size is None:
                size = len(getattr(response, "body", None) or b"")
            self._record(request, status, size)
        elif status == CLIENT_LEFT:
            logger.info("%s %s: the client left before the answer", request.method, request.path)

    def settle(self) -> None:
        """Count the requests whose answers are about to be written."""
        if self.counter is not None:
            self.counter.settle()

    def end_cancelled(self, request: Any, exc: CancelledError) -> None:
        """End a request that was cancelled after its answer had begun, or when the server stops.

        NOTE: else Sanic answers for it, or has `end_abandoned` called.
        """
        stream = request.stream
        if stream is None or (stream.stage is Stage.HANDLER and stream.protocol.transport):
            return
        stopped = stream.protocol.transport is None  # by the server, whose patience is over
        if not stopped and (request.conn_info.lost or isinstance(exc, RequestCancelled)):
            self.end_abandoned(request)
        elif stream.stage is Stage.IDLE:
            self.end(request)
        else:
            logger.warning(
                "%s %s was broken off: %s",
                request.method,
                request.path,
                stream.exception or ("the server stops" if stopped else "it was cancelled"),
            )
            self.end(request, 503)

    def end_abandoned(self, request: Request) -> None:
        """End a request whose client hung up: no error, and one line at INFO."""
        self.ensure_span(request)
        self.end(request, CLIENT_LEFT)

    def headers_of(self, request: Request) -> Pairs:
        """Return the headers of every answer to *request* but `Date`."""
        pairs: Pairs = (*self._heads.headers, ("x-request-id", request.id))
        if request.span is not None:
            pairs = (*pairs, ("x-trace-id", request.span.trace_id))
        if self._heads.varying is not None:
            varying = self._heads.varying(request)
            pairs = pairs if varying is None else (*pairs, *varying.pairs)
        return pairs

    def sign(self, request: Any, response: Any) -> None:
        """Give an answer the headers of all answers, by the rules of each field.

        One of ours has them, unless somebody changed its headers.

        Raises:
            ValueError: it has a header that cannot be sent.
        """
        if response.__class__ is Answer and response.is_plain:
            return
        headers = getattr(response, "headers", None)
        if headers is None:
            return
        check_response(response, name_of(request))
        if take_framing(headers) and request.stream is not None:
            request.stream.keep_alive = False
        if response.content_type is None:
            response.content_type = "application/octet-stream"  # Sanic would send "None"
        if response.status == 205 and isinstance(response, HTTPResponse):
            response.body = b""
        headers.setdefault("date", self._heads.clock.text)
        for name, value in self.headers_of(request):
            if name in WORDS and name in headers:
                headers[name] = unite(value, ", ".join(headers.getall(name)))
            else:
                headers.setdefault(name, value)


def _route_of(request: Request) -> str:
    """Return the template of the route of *request*; "" without one."""
    route = request.route
    return "" if route is None else path_template(f"/{route.path}")


def name_of(request: Request) -> str:
    """Return the name of the handler of *request*, for messages."""
    route = request.route
    return request.method if route is None else f"{request.method} {route.name}"
