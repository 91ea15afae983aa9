"""What every request leaves behind: its span, its access line, and the headers of its answer.

`build_finish` runs at start-up; all else per request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msframework.conf.settings import Settings
from msframework.log.access import AccessLog
from msframework.response import Answer, Heads
from msframework.tracing import Tracer
from msframework.tracing.context import write_current


class Observer:
    """Ends spans and writes access lines, each once a request, whoever answered it."""

    def __init__(
        self, settings: Settings, heads: Heads, tracer: Tracer, access_log: AccessLog
    ) -> None:
        self._heads = heads
        self._tracer = tracer if settings.tracing.enabled else None
        self._record = access_log.record if settings.log.access else None

    def build_finish(self) -> Callable[[Any, Any], None] | None:
        """Return what ends a compiled request; `None` where nothing is to be left behind."""
        tracer, record = self._tracer, self._record
        if tracer is None and record is None:
            return None

        def finish(request: Any, answer: Any) -> None:
            span = request.span
            if span is not None:
                # PERF: `finish_request`, without the call where nothing is recorded
                # (benchmarks/tracing.py).
                write_current(None)
                if span.sampled and tracer is not None:
                    tracer.finish_request(span, 200 if answer is None else answer.status)
            if record is not None and answer.__class__ is Answer:
                request.recorded = True
                record(request, answer.status, len(answer.body or b""))

        return finish

    def unrouted(self, request: Any, status: int) -> None:
        """Give a request that reached no endpoint the span that an endpoint would have made."""
        if self._tracer is not None and request.span is None:
            request.span = self._tracer.start_request(request, request.method.lower())
            self._tracer.finish_request(request.span, status)

    def sign(self, request: Any, response: Any) -> None:
        """Give an answer that is not ours the headers of all answers; record what is not yet."""
        headers = getattr(response, "headers", None)
        if response.__class__ is not Answer and headers is not None:
            headers.setdefault("x-request-id", request.id)
            if request.span is not None:
                headers.setdefault("x-trace-id", request.span.trace_id)
            for name, value in self._heads.headers:
                headers.setdefault(name, value)
        if self._record is not None and not request.recorded:
            request.recorded = True
            body = getattr(response, "body", None) or b""
            self._record(request, getattr(response, "status", 200), len(body))
