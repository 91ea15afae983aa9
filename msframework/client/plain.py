"""`call()` on the lean path: span, head, exchange, and what its failures mean. Runs per request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msframework.client.channel import Channel
from msframework.client.failure import read_failure, tell, upstream_error
from msframework.client.head import are_plain
from msframework.client.lean import Answer, BrokenOff, Lean, TooLarge
from msframework.client.plan import Plan
from msframework.client.span import fail_span, tag_answer, tag_call
from msframework.context import RequestContext
from msframework.exceptions import UpstreamError
from msframework.strict_json import dumps
from msframework.tracing import Span, current_span


def read_body(
    plan: Plan, headers: Mapping[str, str] | None, json: Any, data: Any
) -> tuple[str, bytes] | None:
    """Return the header lines of a body, and the body; `None` for a call that is not plain.

    Raises:
        ValueError: the body is given twice.
    """
    if plan.without_body is None or not (headers is None or are_plain(headers)):
        return None
    if json is not None:
        if data is not None:
            raise ValueError("give the body as json or as data, not as both")
        data, kind = dumps(json), "application/json"
    elif data is None:
        return plan.without_body, b""
    elif type(data) is bytes:
        kind = "application/octet-stream"
    else:
        return None
    return f"Content-Length: {len(data)}\r\nContent-Type: {kind}\r\n", data


def begin_plain(
    channel: Channel, request: RequestContext | None, plan: Plan
) -> tuple[Span | None, str]:
    """Return the span of a call, and the header lines that say whose call it is.

    PERF: under a span that is not kept there is none; only its id goes out (benchmarks/client.py).
    """
    lines = "" if request is None else f"X-Request-ID: {request.id}\r\n"
    tracer = channel.tracer
    if tracer is None or not tracer.enabled:
        return None, lines
    parent = current_span()
    if parent is None and request is not None:
        parent = request.span
    if parent is not None and not parent.sampled:
        return None, lines + tracer.propagator.lines_under(parent)
    span = tracer.start_child(plan.name, parent, kind="client", tags={"component": "http-client"})
    return span, lines + tracer.propagator.lines(span)


async def ask(
    channel: Channel,
    lean: Lean,
    plan: Plan,
    request: RequestContext | None,
    path: str,
    body: tuple[str, bytes],
    headers: Mapping[str, str] | None,
    timeout: float | None,
    passing: tuple[int, ...],
) -> Answer:
    """Call *path* and return the whole answer, whatever its status is.

    Raises:
        UpstreamError: none came.
    """
    span, lines = begin_plain(channel, request, plan)
    if span is not None and span.sampled:
        tag_call(span, channel, plan.method, plan.url)
    try:
        head = lean.head.write(plan, path, lines + body[0], headers)
        answer = await lean.send(plan, head, body[1], timeout)
    except BaseException as exc:
        if span is not None and isinstance(exc, BrokenOff):
            tag_answer(span, exc.status, passing)
        failure = _read(channel, exc)
        if span is not None:
            fail_span(span, failure or exc)
        if failure is None:
            raise
        tell(failure, exc.__cause__ or exc if isinstance(exc, BrokenOff) else exc)
        raise failure from exc
    if span is not None:
        tag_answer(span, answer.status, passing)
        span.finish()
    return answer


def _read(channel: Channel, exc: BaseException) -> UpstreamError | None:
    """Return what *exc* means to the caller; `None` when it is not of the way."""
    if not isinstance(exc, BrokenOff):
        return read_failure(channel.name, exc)
    cause = exc.__cause__
    if isinstance(cause, TooLarge):
        error = f"its answer is larger than {channel.max_size} bytes"
        return upstream_error(channel.name, exc.status, error=error)
    failure = read_failure(channel.name, cause, exc.status) if cause is not None else None
    return failure or upstream_error(channel.name, exc.status, error="its answer is broken")
