"""The span of one call: begun before it is sent, tagged by its answer. Runs per request."""

from __future__ import annotations

from msframework.client.channel import Channel
from msframework.client.outgoing import OutgoingRequest
from msframework.context import RequestContext
from msframework.exceptions import UpstreamError
from msframework.tracing import Span, current_span


def begin_span(
    channel: Channel, request: RequestContext | None, outgoing: OutgoingRequest
) -> Span | None:
    """Return the span of *outgoing*, whose header lines then name *request* and the trace.

    PERF: under a span that is not kept there is none; only its id goes out (benchmarks/client.py).
    """
    lines = "" if request is None else f"X-Request-ID: {request.id}\r\n"
    tracer, span = channel.tracer, None
    if tracer is not None and tracer.enabled:
        parent = current_span()
        if parent is None and request is not None:
            parent = request.span
        if parent is not None and not parent.sampled:
            lines += tracer.propagator.lines_under(parent)
        else:
            name, tags = outgoing.plan.name, {"component": "http-client"}
            span = tracer.start_child(name, parent, kind="client", tags=tags)
            lines += tracer.propagator.lines(span)
            if span.sampled:
                _tag_call(span, channel, outgoing)
    outgoing.lines = lines
    return span


def _tag_call(span: Span, channel: Channel, outgoing: OutgoingRequest) -> None:
    """Note the service, the method, and the address without its query or its values."""
    plan, url = outgoing.plan, outgoing.url
    span.tags.update(channel.peer_tags)
    span.set_tag("http.method", plan.method)
    shown = plan.url if url is None else str(url.with_query(None).with_fragment(None))
    span.set_tag("http.url", shown)


def tag_answer(span: Span, status: int, passing: tuple[int, ...]) -> None:
    """Note the status of the answer; one that is not in *passing* may be an error."""
    if span.sampled:
        span.set_tag("http.status_code", status)
        if status >= 400 and status not in passing:
            span.set_tag("error", True)


def fail_span(span: Span, exc: BaseException) -> None:
    """Note the failure of the call, and end *span*."""
    span.set_error(exc)
    if isinstance(exc, UpstreamError):
        span.set_tag("error.message", str(exc.upstream_error))
    span.finish()
