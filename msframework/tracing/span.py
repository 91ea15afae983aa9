"""Spans: the record of one piece of work, and the part that crosses to other processes.

Runs per request. Ids are made when somebody first reads them. Times are `perf_counter` seconds
until a span is exported, so that no clock change makes a duration wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from random import getrandbits
from time import perf_counter, time
from types import MappingProxyType
from typing import Any, Final

import opentracing

logger = logging.getLogger("msframework.tracing")
MAX_LOGS: Final = 128
_FIRST_BITS: Final = 1 << 191 | 1 << 63
Tags = dict[str, Any]
EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})
# The tags that tell of the other side of a call.
PEER: Final = (
    "peer.service",
    "peer.ipv4",
    "peer.ipv6",
    "peer.hostname",
    "peer.address",
    "peer.port",
)


def new_trace_id() -> str:
    """Return 128 random bits as 32 hex digits."""
    # PERF: a quarter of the time of formatting (benchmarks/tracing.py, row "ids").
    return (getrandbits(128) or 1).to_bytes(16, "big").hex()


def new_span_id() -> str:
    """Return 64 random bits as 16 hex digits."""
    return (getrandbits(64) or 1).to_bytes(8, "big").hex()


def new_ids() -> str:
    """Return a new trace id and a new span id as one text of 48 digits."""
    # NOTE: neither may be zero. The first bit of each is set for that, as W3C Trace Context Level 2
    # wants the last 56 of a trace id to be random.
    return (getrandbits(192) | _FIRST_BITS).to_bytes(24, "big").hex()


class PropagatedFields:
    """The values that descend from span to span and to other processes, beside ids and decision.

    Attributes:
        debug: B3's debug flag: keep this trace whatever the sampler says.
        random: the trace id is random (the random-trace-id flag of W3C Trace Context Level 2).
        tracestate: the W3C header's value, as it came in; empty for none.
        baggage: the application's own items.
    """

    __slots__ = ("baggage", "debug", "random", "tracestate")

    def __init__(
        self,
        debug: bool = False,
        random: bool = True,
        tracestate: str = "",
        baggage: Mapping[str, str] = EMPTY,
    ) -> None:
        self.debug, self.random = debug, random
        self.tracestate, self.baggage = tracestate, baggage


OWN: Final = PropagatedFields()


class SpanContext(opentracing.SpanContext):  # type: ignore[misc]
    """The identity of a span for its children, here or in another process.

    Attributes:
        trace_id: 32 hex digits; empty when the caller sent a decision and no ids.
        span_id: 16 hex digits; empty as above.
        parent_id: 16 hex digits, or `None` at the root.
        sampled: the decision; `None` when it is left to the receiver.
        carried: debug, tracestate, baggage.
    """

    __slots__ = ("carried", "parent_id", "sampled", "span_id", "trace_id")

    def __init__(
        self,
        trace_id: str,
        span_id: str,
        parent_id: str | None = None,
        sampled: bool | None = None,
        carried: PropagatedFields = OWN,
    ) -> None:
        self.trace_id, self.span_id, self.parent_id = trace_id, span_id, parent_id
        self.sampled, self.carried = sampled, carried

    @property
    def baggage(self) -> dict[str, str]:
        """The baggage items, as a dict of their own."""
        return dict(self.carried.baggage)

    @property
    def debug(self) -> bool:
        """Whether the trace is kept whatever samplers say."""
        return self.carried.debug

    @property
    def tracestate(self) -> str:
        """The value of the W3C `tracestate` header."""
        return self.carried.tracestate

    def __repr__(self) -> str:
        return f"<SpanContext {self.trace_id}-{self.span_id} sampled={self.sampled}>"


class Template:
    """The name, kind and first tags that many spans share.

    Exporters write it once (`Encoder`), and a span's own tags are all that is written for each.
    """

    __slots__ = ("kind", "name", "tags")

    def __init__(self, name: str, kind: str | None, tags: Mapping[str, Any]) -> None:
        self.name, self.kind, self.tags = name, kind, tags


class Span(opentracing.Span):  # type: ignore[misc]
    """One piece of work that is recorded.

    Attributes:
        operation_name: lower-case and of low cardinality, such as `get /users/{id}`.
        kind: `server`, `client`, `producer`, `consumer`, or `None` for local work.
        start: `perf_counter` seconds; `end` likewise, 0.0 until it is finished.
    """

    __slots__ = (
        "_encoded",
        "_logs",
        "_own",
        "_span_id",
        "_template",
        "_trace_id",
        "_tracer",
        "carried",
        "end",
        "kind",
        "operation_name",
        "parent_id",
        "start",
    )
    sampled = True
    # Made when they are first needed.
    _encoded: bytes | None
    _logs: list[tuple[float, Mapping[str, Any]]] | None
    _span_id: str | None

    def __init__(
        self,
        tracer: opentracing.Tracer,
        name: str,
        kind: str | None,
        trace_id: str | None,
        parent_id: str | None,
        carried: PropagatedFields,
        tags: Tags,
        start: float,
        template: Template | None = None,
    ) -> None:
        self._tracer = tracer
        self.operation_name = name
        self.kind = kind
        self._trace_id = trace_id
        self.parent_id = parent_id
        self.carried = carried
        self._own = tags
        self._template = template
        self.start = start
        self.end = 0.0
        self._span_id = self._logs = self._encoded = None

    @property
    def tracer(self) -> opentracing.Tracer:
        """The tracer that made it."""
        return self._tracer

    @property
    def trace_id(self) -> str:
        """The id of the trace: 32 hex digits."""
        if self._trace_id is None:
            self._trace_id = new_trace_id()
        return self._trace_id

    @property
    def span_id(self) -> str:
        """The id of this span: 16 hex digits."""
        if self._span_id is None:
            self._span_id = new_span_id()
        return self._span_id

    @property
    def tags(self) -> Tags:
        """The tags; values are turned into text when the span is exported."""
        template, own = self._template, self._own
        if template is not None:
            # NOTE: it stays the same dict, as another thread may be writing to it.
            tags = {**template.tags, **own}
            own.clear()
            own.update(tags)
            self._template = None
        return own

    @property
    def logs(self) -> Sequence[tuple[float, Mapping[str, Any]]]:
        """The annotations: the time (`perf_counter` seconds) and the values of each `log_kv`."""
        return () if self._logs is None else self._logs

    @property
    def context(self) -> SpanContext:
        """The identity of the span for its children and for other processes."""
        return SpanContext(self.trace_id, self.span_id, self.parent_id, self.sampled, self.carried)

    @property
    def start_time(self) -> float:
        """When it began, in seconds since the epoch."""
        return self.start + time() - perf_counter()

    @property
    def duration(self) -> float | None:
        """Seconds that it took; `None` until it is finished."""
        return self.end - self.start if self.end else None

    def set_operation_name(self, operation_name: str) -> Span:
        """Give it another name."""
        self.operation_name = operation_name
        return self

    def set_tag(self, key: str, value: Any) -> Span:
        """Note *value* under *key*; a later value replaces an earlier one."""
        template = self._template
        if template is None or not (key in template.tags or key in PEER):
            self._own[key] = value
        else:
            self.tags[key] = value
        return self

    def log_kv(self, key_values: Mapping[str, Any], timestamp: float | None = None) -> Span:
        """Add an annotation: *key_values*, now or at *timestamp* (seconds since the epoch)."""
        logs = self._logs
        if logs is None:
            logs = self._logs = []
        if len(logs) < MAX_LOGS:
            logs.append((to_perf_counter(timestamp), key_values))
        return self

    def set_error(self, exc: BaseException) -> Span:
        """Note that the work failed with *exc*: `error`, `error.kind` and `error.message`."""
        self.set_tag("error", True)
        self.set_tag("error.kind", type(exc).__name__)
        self.set_tag("error.message", error_message(exc))
        return self

    def set_baggage_item(self, key: str, value: str) -> Span:
        """Give *value* to all spans that begin under this one from now on."""
        old = self.carried
        baggage = {**old.baggage, key: str(value)}
        self.carried = PropagatedFields(old.debug, old.random, old.tracestate, baggage)
        return self

    def get_baggage_item(self, key: str) -> str | None:
        """Return the baggage item *key*, or `None`."""
        return self.carried.baggage.get(key)

    def finish(self, finish_time: float | None = None) -> None:
        """End it, now or at *finish_time* (seconds since the epoch); never awaits, never raises."""
        if self.end:
            return
        self.end = perf_counter() if finish_time is None else to_perf_counter(finish_time)
        try:
            self._tracer.record(self)
        except Exception:
            logger.exception("a span could not be recorded")

    def __exit__(self, exc_type: Any, exc: BaseException | None, traceback: Any) -> None:
        if exc is not None:
            self.set_error(exc)
        self.finish()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.operation_name!r} {self.trace_id}-{self.span_id}>"


def to_perf_counter(timestamp: float | None) -> float:
    """Return the `perf_counter` of *timestamp* (seconds since the epoch), or of now."""
    now = perf_counter()
    return now if timestamp is None else timestamp - time() + now


def error_message(exc: BaseException) -> str:
    """Return the text of *exc*; of a database error only its SQLSTATE, as the rest holds values."""
    state = getattr(exc, "sqlstate", None)
    if state is not None:
        return f"SQLSTATE {state}"
    try:
        return str(exc)
    except Exception:
        return "(no text)"
