"""One call of a decorated function: its span, and the lines that tell of it. Runs per call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any

import opentracing

from msframework.exceptions import ServiceException
from msframework.tracing.context import current_span, read_current, write_current
from msframework.tracing.span import Span, error_message
from msframework.tracing.tracer import Tracer


class LoggedFunction:
    """The facts that all calls of one function share."""

    __slots__ = ("_fields", "_level", "_log", "_span_name", "_tags", "_tracing", "name")

    def __init__(
        self,
        function: Callable[..., object],
        fields: dict[str, str | None],
        tracing: bool,
        level: int,
    ) -> None:
        self.name: str = function.__qualname__.replace("<locals>.", "")
        self._fields = {key: text for key, text in fields.items() if text}
        component = str(fields["type"])
        self._tags = ({"component": component} if component else {}) | self._fields
        self._span_name = self.name.lower()
        self._tracing, self._level = tracing, level
        self._log = logging.getLogger(function.__module__)

    def begin(self, args: tuple[object, ...]) -> LoggedCall:
        """Begin a call; its span is under the current one, or that of a request in *args*."""
        span = None
        parent = current_span() or _request_span(args)
        tracer = opentracing.global_tracer() if parent is None else parent.tracer
        if self._tracing and isinstance(tracer, Tracer):
            span = tracer.start_child(self._span_name, parent, kind=None, tags=self._tags.copy())
        call = LoggedCall(self, span, getattr(tracer, "service_name", None))
        if self._log.isEnabledFor(logging.DEBUG):
            with call.active():
                self._write(logging.DEBUG, "%s began", call, {})
        return call

    def tell(self, call: LoggedCall, exc: BaseException | None) -> None:
        """Write the line of a call that is over."""
        more: dict[str, Any] = {"duration_ms": round((perf_counter() - call.began) * 1000, 3)}
        if exc is None:
            self._write(self._level, "%s", call, more)
            return
        level, message = self._level, "%s failed"
        unexpected: BaseException | None = None
        if isinstance(exc, Exception):
            more["error"] = f"{exc.__class__.__name__}: {error_message(exc)}"
            if not (isinstance(exc, ServiceException) and exc.status_code < 500):
                level, unexpected = max(level, logging.ERROR), exc
        else:
            more["error"], message = exc.__class__.__name__, "%s was stopped"
        self._write(level, message, call, more, unexpected)

    def _write(
        self,
        level: int,
        message: str,
        call: LoggedCall,
        more: dict[str, Any],
        exc: BaseException | None = None,
    ) -> None:
        """Write one line, with the traceback of *exc* if there is one."""
        if self._log.isEnabledFor(level):
            extra = {**self._fields, "function": self.name, **more}
            if call.service:
                extra.setdefault("category", call.service)
            self._log.log(level, message, self.name, exc_info=exc, extra=extra)


class LoggedCall:
    """One call; `with call.active():` makes its span current."""

    __slots__ = ("_calls", "_previous", "began", "service", "span")

    def __init__(self, calls: LoggedFunction, span: Span | None, service: str | None) -> None:
        self._calls, self.span, self.service = calls, span, service
        self._previous: Any = None
        self.began = perf_counter()

    def active(self) -> LoggedCall:
        """Return the context manager in which the span is current."""
        return self

    def __enter__(self) -> None:
        if self.span is not None:
            self._previous = read_current()
            write_current(self.span)

    def __exit__(self, *exc_info: object) -> None:
        if self.span is not None:
            write_current(self._previous)
            self._previous = None

    def end(self, exc: BaseException | None = None) -> None:
        """Tell of the call, which *exc* may have ended, and finish its span."""
        with self.active():
            self._calls.tell(self, exc)
        if self.span is not None:
            if exc is not None:
                self.span.set_error(exc)
            self.span.finish()


def _request_span(args: tuple[object, ...]) -> Span | None:
    """Return the span of the request among the first two of *args* (`self` comes before it)."""
    for arg in args[:2]:
        span = getattr(arg, "span", None)
        if isinstance(span, Span):
            return span
    return None
