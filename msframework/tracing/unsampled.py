"""Spans that record nothing: of traces that are not kept, and of tracers that are off.

Runs per request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import opentracing

from msframework.tracing.span import EMPTY, OWN, PropagatedFields, Span, new_trace_id


class UnsampledSpan(Span):
    """A span of a trace that is not kept: it has ids for headers and logs, and records nothing."""

    # NOTE: nearly all are read, so it is no property here that makes it late.
    __slots__ = ("trace_id",)
    sampled = False
    tags: Mapping[str, Any] = EMPTY  # type: ignore[assignment]
    start = 0.0
    end = 0.0
    _logs = None
    _encoded = None

    # NOTE: the parent's __init__ is left out on purpose; the class has its attributes.
    def __init__(
        self,
        tracer: opentracing.Tracer,
        name: str,
        kind: str | None,
        trace_id: str | None,
        parent_id: str | None,
        carried: PropagatedFields,
    ) -> None:
        self._tracer = tracer
        self.operation_name = name
        self.kind = kind
        self.trace_id = new_trace_id() if trace_id is None else trace_id  # type: ignore[misc]
        self._span_id = None
        self.parent_id = parent_id
        self.carried = carried

    def set_tag(self, key: str, value: Any) -> Span:
        """Do nothing."""
        return self

    def log_kv(self, key_values: Mapping[str, Any], timestamp: float | None = None) -> Span:
        """Do nothing."""
        return self

    def set_error(self, exc: BaseException) -> Span:
        """Do nothing."""
        return self

    def finish(self, finish_time: float | None = None) -> None:
        """Do nothing."""


class SilentSpan(UnsampledSpan):
    """The span of a tracer that is switched off: without ids, and sent to nobody."""

    __slots__ = ()

    def __init__(self, tracer: opentracing.Tracer) -> None:
        super().__init__(tracer, "", None, "", None, OWN)
        self._span_id = ""

    def set_operation_name(self, operation_name: str) -> Span:
        """Do nothing: this span is shared."""
        return self

    def set_baggage_item(self, key: str, value: str) -> Span:
        """Do nothing: this span is shared."""
        return self
