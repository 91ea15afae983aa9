"""The span of one call: begun before it is sent, tagged by its answer. Runs per request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msframework.context import RequestContext
from msframework.exceptions import UpstreamError
from msframework.tracing import Span, current_span

if TYPE_CHECKING:
    from msframework.client.channel import Channel


def begin_span(channel: Channel, request: RequestContext | None, name: str) -> Span | None:
    """Return a span under the current one, or that of *request*; `None` without a tracer."""
    tracer = channel.tracer
    if tracer is None:
        return None
    parent = current_span()
    if parent is None and request is not None:
        parent = request.span
    return tracer.start_child(name, parent, kind="client", tags={"component": "http-client"})


def tag_call(span: Span, channel: Channel, method: str, url: str) -> None:
    """Note what is called, in a *span* that is kept."""
    span.tags.update(channel.peer_tags)
    span.set_tag("http.method", method)
    span.set_tag("http.url", url)


def tag_answer(span: Span, status: int, passing: tuple[int, ...]) -> None:
    """Note the status of the answer; one that is not in *passing* may be an error."""
    if span.sampled:
        span.set_tag("http.status_code", status)
        if status >= 400 and status not in passing:
            span.set_tag("error", True)


def fail_span(span: Span, exc: BaseException) -> None:
    """Note what kept the call from its end, and end *span*."""
    span.set_error(exc)
    if isinstance(exc, UpstreamError):
        span.set_tag("error.message", str(exc.upstream_error))
    span.finish()
