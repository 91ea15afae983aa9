"""`Tracer`: opentracing's API for everybody, and the short ways that compiled code takes.

Runs per request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from random import random
from time import perf_counter
from typing import Any, Final

import opentracing
from opentracing import Format

from msframework.tracing.context import (
    ActiveScope,
    ScopeManager,
    current_span,
    read_current,
    write_current,
)
from msframework.tracing.propagation import Propagator
from msframework.tracing.recorder import MemoryRecorder, Recorder
from msframework.tracing.sampler import NEVER, Sampler
from msframework.tracing.span import (
    OWN,
    PropagatedFields,
    Span,
    SpanContext,
    Tags,
    Template,
    new_ids,
    to_perf_counter,
)
from msframework.tracing.unsampled import SilentSpan, UnsampledSpan

_TEXT: Final = (Format.TEXT_MAP, Format.HTTP_HEADERS)
_PRIORITY: Final = "sampling.priority"
_MAX_KNOWN: Final = 1024
_make = object.__new__


class Tracer(opentracing.Tracer):  # type: ignore[misc]
    """Makes spans, and hands finished ones to its recorder.

    Args:
        service_name: the name of this service in spans.
        sampler: which new traces are kept; all by default.
        recorder: where finished spans go; memory by default (`tracer.recorder.spans`).
        propagator: the headers that are written, and the trust in callers.
        enabled: a tracer that is switched off hands out one span that does nothing.
    """

    def __init__(
        self,
        service_name: str = "msframework",
        *,
        sampler: Sampler | None = None,
        recorder: Recorder | None = None,
        propagator: Propagator | None = None,
        enabled: bool = True,
    ) -> None:
        super().__init__(ScopeManager())
        self.service_name = service_name
        self.sampler = Sampler() if sampler is None else sampler
        self.recorder: Any = MemoryRecorder() if recorder is None else recorder
        self.propagator = Propagator() if propagator is None else propagator
        self.enabled = enabled
        # PERF: bound once; these run for every span (benchmarks/tracing.py).
        self.record = self.recorder.record
        self._decide = self.sampler.decide
        self._rates = self.sampler.rates
        self._read = self.propagator.read
        self._silent = SilentSpan(self)
        self._templates: dict[tuple[str, str, str], Template] = {}

    # Called by compiled handlers, the data layer and the client.

    def start_request(self, request: Any, name: str) -> Span:
        """Begin the span of *request* and make it current, whatever was current before.

        Args:
            name: the method in small letters and the route's template: `get /users/{id}`.
        """
        if not self.enabled:
            return self._silent
        found = self._read(request)
        trace_id: str | None
        parent_id: str | None
        if found is None:
            trace_id = parent_id = asked = None
            carried = OWN
        else:
            trace_id, parent_id, _, asked, carried = found
            if not trace_id:
                trace_id = parent_id = None
                carried = _restart(carried)
        # PERF: `Sampler.decide`, without the call where the name is known.
        rate = self._rates.get(name, NEVER)
        if rate < 0.0:
            asked = self._decide(name, asked)
        elif asked is None:
            asked = rate >= 1.0 or random() < rate  # noqa: S311
        span: Span
        if asked:
            connection = request.conn_info
            key = name, request.method, "" if connection is None else connection.client_ip
            template = self._templates.get(key) or self._learn(*key)
            own = {"http.url": request.path}
            span = Span(
                self, name, "server", trace_id, parent_id, carried, own, perf_counter(), template
            )
        else:
            # PERF: no call of `__init__` for the span of most requests (benchmarks/tracing.py).
            made: Any = _make(UnsampledSpan)
            made._tracer = self
            made.operation_name, made.kind = name, "server"
            made.parent_id, made.carried = parent_id, carried
            if trace_id is None:
                ids = new_ids()
                made.trace_id, made._span_id = ids[:32], ids[32:]
            else:
                made.trace_id, made._span_id = trace_id, None
            span = made
        write_current(span)
        return span

    def finish_request(self, span: Span, status: int) -> None:
        """End *span* with the answer's *status*, and leave nothing current.

        All requests of a connection run in one task, so whatever a handler left current (a scope
        that it never closed) goes here, too.
        """
        write_current(None)
        if span.sampled:
            span.set_tag("http.status_code", status)
            if status >= 500:
                span.tags.setdefault("error", True)
            span.finish()

    def _learn(self, name: str, method: str, address: str) -> Template:
        """Return the template of the spans of requests for *name* from *address*."""
        tags = {"component": "sanic", "http.method": method}
        if address:
            tags["peer.address"] = address
        if len(self._templates) >= _MAX_KNOWN:
            self._templates.clear()
        template = self._templates[name, method, address] = Template(name, "server", tags)
        return template

    def start_child(
        self,
        name: str,
        parent: Span | None = None,
        *,
        kind: str | None = "client",
        tags: Tags | None = None,
    ) -> Span:
        """Begin a span under *parent*, or the current one, or as a root where there is none.

        The span is not made current. Under a parent that is not sampled it records nothing.

        Args:
            tags: its first tags; they become the span's own.
        """
        if parent is None:
            parent = read_current()
            if parent.__class__ is ActiveScope:
                parent = parent.span
            if parent is None:
                return self._start_root(name, kind, tags)
        if not self.enabled:
            return self._silent
        if not parent.sampled:
            return UnsampledSpan(self, name, kind, parent.trace_id, parent.span_id, parent.carried)
        if tags is None:
            tags = {}
        trace_id, span_id = parent.trace_id, parent.span_id
        return Span(self, name, kind, trace_id, span_id, parent.carried, tags, perf_counter())

    def _start_root(self, name: str, kind: str | None, tags: Tags | None) -> Span:
        if not self.enabled:
            return self._silent
        if not self._decide(name):
            return UnsampledSpan(self, name, kind, None, None, OWN)
        if tags is None:
            tags = {}
        return Span(self, name, kind, None, None, OWN, tags, perf_counter())

    # opentracing's own API.

    def start_span(
        self,
        operation_name: str | None = None,
        child_of: Any = None,
        references: Any = None,
        tags: Tags | None = None,
        start_time: float | None = None,
        ignore_active_span: bool = False,
    ) -> Span:
        """Begin a span, as opentracing describes it; `span.kind` and `sampling.priority` count."""
        if not self.enabled:
            return self._silent
        name = operation_name or ""
        parent = child_of
        if parent is None:
            if references is not None:
                parent = _first_parent(references)
            if parent is None and not ignore_active_span:
                parent = read_current()
                if parent.__class__ is ActiveScope:
                    parent = parent.span
        kind = None
        if tags is None:
            tags = {}
        else:
            tags = dict(tags)
            kind = tags.pop("span.kind", None)
        if parent is None:
            trace_id = parent_id = asked = None
            carried = OWN
        else:
            trace_id, parent_id, asked, carried = _inherit(parent)
        # PERF: names that are always kept need no call (benchmarks/tracing.py).
        if asked is None and (tags or self._rates.get(name) != 1.0):
            asked = self._decide(name, _priority(tags) if tags else None)
        elif asked is None:
            asked = True
        if not asked:
            return UnsampledSpan(self, name, kind, trace_id, parent_id, carried)
        start = perf_counter() if start_time is None else to_perf_counter(start_time)
        return Span(self, name, kind, trace_id, parent_id, carried, tags, start)

    def start_active_span(
        self,
        operation_name: str,
        child_of: Any = None,
        references: Any = None,
        tags: Tags | None = None,
        start_time: float | None = None,
        ignore_active_span: bool = False,
        finish_on_close: bool = True,
    ) -> ActiveScope:
        """Begin a span and make it current until the scope that this returns is closed."""
        span = self.start_span(
            operation_name, child_of, references, tags, start_time, ignore_active_span
        )
        scope: ActiveScope = self._scope_manager.activate(span, finish_on_close)
        return scope

    @property
    def active_span(self) -> Span | None:
        """The current span, or `None`."""
        return current_span()

    def inject(self, span_context: Any, format: Any, carrier: Any = None) -> None:
        """Write a span or its context into *carrier*; `inject(span, headers)` is enough.

        Raises:
            opentracing.UnsupportedFormatException: *format* is none of opentracing's.
            opentracing.InvalidCarrierException: *carrier* does not fit the format.
        """
        if carrier is None and isinstance(format, MutableMapping):
            format, carrier = Format.HTTP_HEADERS, format
        if format in _TEXT:
            if not isinstance(carrier, MutableMapping):
                raise opentracing.InvalidCarrierException
            self.propagator.inject(span_context, carrier)
        elif format == Format.BINARY:
            if not isinstance(carrier, bytearray):
                raise opentracing.InvalidCarrierException
            headers: dict[str, str] = {}
            self.propagator.inject(span_context, headers)
            carrier.extend(json.dumps(headers).encode())
        else:
            raise opentracing.UnsupportedFormatException(format)

    def extract(self, format: Any, carrier: Any = None) -> SpanContext | None:
        """Return the context in *carrier*, or `None`; `extract(headers)` is enough.

        Raises:
            opentracing.UnsupportedFormatException: *format* is none of opentracing's.
            opentracing.InvalidCarrierException: *carrier* does not fit the format.
            opentracing.SpanContextCorruptedException: a binary carrier cannot be read.
        """
        if carrier is None and isinstance(format, Mapping):
            format, carrier = Format.HTTP_HEADERS, format
        if format in _TEXT:
            if not isinstance(carrier, Mapping):
                raise opentracing.InvalidCarrierException
            return self.propagator.extract(carrier)
        if format != Format.BINARY:
            raise opentracing.UnsupportedFormatException(format)
        if not isinstance(carrier, (bytes, bytearray)):
            raise opentracing.InvalidCarrierException
        try:
            headers = json.loads(carrier) if carrier else {}
        except ValueError as exc:
            raise opentracing.SpanContextCorruptedException from exc
        if not isinstance(headers, dict):
            raise opentracing.SpanContextCorruptedException
        return self.propagator.extract(headers)


def _restart(carried: PropagatedFields) -> PropagatedFields:
    """Return the carried values of a new trace whose caller sent a decision, and no ids."""
    return PropagatedFields(carried.debug, True, "", carried.baggage)


def _priority(tags: Tags) -> bool | None:
    """Return the decision of the tag `sampling.priority`, if it is there."""
    priority = tags.get(_PRIORITY)
    return None if priority is None else bool(priority)


def _first_parent(references: Any) -> Any:
    """Return the context that *references* name first, child-of before follows-from."""
    if references is None:
        return None
    known: Sequence[Any] = [references] if hasattr(references, "referenced_context") else references
    given = [item for item in known if item.referenced_context is not None]
    given.sort(key=lambda item: item.type != opentracing.ReferenceType.CHILD_OF)
    return given[0].referenced_context if given else None


def _inherit(parent: Any) -> tuple[str | None, str | None, bool | None, Any]:
    """Return the trace id, parent id, decision and carried values of a child of *parent*."""
    if not isinstance(parent, (Span, SpanContext)):
        return None, None, None, OWN
    if not parent.trace_id:
        context = parent.context if isinstance(parent, Span) else parent
        return None, None, context.sampled, _restart(context.carried)
    return parent.trace_id, parent.span_id, parent.sampled, parent.carried
