"""`Tracing`: the tracer of a service, its queue and exporters, as one part. Runs at start-up."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

import opentracing

from msframework._imports import import_object
from msframework.conf.settings import Settings
from msframework.tracing.collector import ZipkinExporter
from msframework.tracing.exporter import Exporter, LogExporter
from msframework.tracing.propagation import Propagator
from msframework.tracing.queue import SpanQueue
from msframework.tracing.redact import Redactor
from msframework.tracing.sampler import build_sampler
from msframework.tracing.span import Span, SpanContext
from msframework.tracing.tracer import Tracer
from msframework.tracing.zipkin import Encoder


class Tracing:
    """The tracing of one service, as a part.

    Attributes:
        tracer: the tracer of the service, set as `opentracing.tracer` at start.
        queue: finished spans on their way out.
    """

    def __init__(self, settings: Settings, exporters: Sequence[Exporter] | None = None) -> None:
        tracing = settings.tracing
        if exporters is None:
            exporters = build_exporters(settings) if tracing.enabled else ()
        self.queue = SpanQueue(
            exporters,
            size=tracing.queue_size,
            batch_size=tracing.batch_size,
            interval=tracing.flush_interval,
        )
        self.tracer = Tracer(
            settings.service_name,
            sampler=build_sampler(settings),
            recorder=self.queue,
            propagator=Propagator(tracing.propagation, tracing.trust_peers, tracing.baggage),
            enabled=tracing.enabled,
        )
        self._previous: Any = None

    async def start(self) -> None:
        """Start the exporters, and become `opentracing.tracer`."""
        await self.queue.start()
        self._previous = opentracing.global_tracer()
        opentracing.set_global_tracer(self.tracer)

    async def stop(self) -> None:
        """Send the spans that are left within 2 s, and restore `opentracing.tracer`."""
        if opentracing.global_tracer() is self.tracer:
            opentracing.set_global_tracer(self._previous)
        self._previous = None
        await self.queue.stop()


def build_tracer(settings: Settings) -> Tracing:
    """Build the tracing of the service that *settings* describe.

    Raises:
        ImproperlyConfigured: `TRACE_EXPORTERS` names an exporter that is not there.
    """
    return Tracing(settings)


def build_exporters(settings: Settings) -> list[Exporter]:
    """Build the exporters that *settings* name."""
    tracing = settings.tracing
    encoder = build_encoder(settings)
    exporters: list[Exporter] = []
    if tracing.zipkin_server:
        exporters.append(
            ZipkinExporter(
                tracing.zipkin_server,
                encoder,
                timeout=tracing.export_timeout,
                batch_bytes=tracing.batch_bytes,
            )
        )
    if tracing.log_spans:
        exporters.append(LogExporter(encoder))
    exporters.extend(
        import_object(path, where="TRACE_EXPORTERS")(settings) for path in tracing.exporters
    )
    return exporters


def build_encoder(settings: Settings) -> Encoder:
    """Build the encoder of this service's spans as Zipkin's JSON."""
    server = settings.server
    has_port = not server.host.startswith(("unix:", "fd:"))
    return Encoder(
        settings.service_name,
        Redactor(settings.log.redact),
        host=server.host,
        port=server.port if has_port else 0,
    )


def extract(headers: Any) -> SpanContext | None:
    """Return the trace context in *headers*, or `None`, with the trust of `opentracing.tracer`."""
    tracer = opentracing.global_tracer()
    propagator = tracer.propagator if isinstance(tracer, Tracer) else Propagator()
    return propagator.extract(headers)


def inject(span: Span | SpanContext, headers: MutableMapping[str, str]) -> None:
    """Write the context of *span* into *headers*, in the formats that its tracer writes."""
    tracer = span.tracer if isinstance(span, Span) else opentracing.global_tracer()
    propagator = tracer.propagator if isinstance(tracer, Tracer) else Propagator()
    propagator.inject(span, headers)
