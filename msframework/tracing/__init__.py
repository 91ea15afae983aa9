"""Tracing: opentracing's API over slotted spans, a bounded queue, and exporters."""

from msframework.tracing.collector import ZipkinExporter
from msframework.tracing.context import ScopeManager, current_span
from msframework.tracing.exporter import Exporter, LogExporter, MemoryExporter, SpansDropped
from msframework.tracing.propagation import Propagator
from msframework.tracing.queue import SpanQueue
from msframework.tracing.recorder import MemoryRecorder, Recorder
from msframework.tracing.sampler import Sampler
from msframework.tracing.service import Tracing, build_tracer, extract, inject
from msframework.tracing.span import Span, SpanContext
from msframework.tracing.tracer import Tracer
from msframework.tracing.zipkin import Encoder

__all__ = [
    "Encoder",
    "Exporter",
    "LogExporter",
    "MemoryExporter",
    "MemoryRecorder",
    "Propagator",
    "Recorder",
    "Sampler",
    "ScopeManager",
    "Span",
    "SpanContext",
    "SpanQueue",
    "SpansDropped",
    "Tracer",
    "Tracing",
    "ZipkinExporter",
    "build_tracer",
    "current_span",
    "extract",
    "inject",
]
