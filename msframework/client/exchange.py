"""One call to another service, from its span to the end of its answer. Runs per request."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict
from yarl import URL

from msframework.client.channel import Channel
from msframework.client.failure import read_failure
from msframework.client.response import Response
from msframework.exceptions import UpstreamError
from msframework.tracing import Span, current_span

if TYPE_CHECKING:
    from msframework.request import Request


class Exchange:
    """One attempt: `async with` sends it and gives the answer, leaving the block lets go of it.

    The span ends when the last byte of the answer has come, at the latest with the block.
    """

    __slots__ = (
        "_channel",
        "_method",
        "_options",
        "_passing",
        "_request",
        "_response",
        "_span",
        "_template",
        "_url",
    )

    def __init__(
        self,
        channel: Channel,
        request: Request | None,
        method: str,
        url: URL,
        template: str | None,
        options: dict[str, Any],
        passing: tuple[int, ...] = (),
    ) -> None:
        self._channel, self._request = channel, request
        self._method, self._url, self._template = method, url, template
        self._options, self._passing = options, passing
        self._span: Span | None = None
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        session = self._channel.session()
        headers: dict[str, str] = {}
        if self._request is not None:
            headers["X-Request-ID"] = self._request.id
        self._start_span(headers)
        options = self._options
        if (given := options.pop("headers", None)) is not None:
            # NOTE: a name in another case would go out twice, hence the case-insensitive dict.
            options["headers"] = CIMultiDict(headers)
            options["headers"].update(given)
        else:
            options["headers"] = headers
        try:
            response = await session.request(self._method, self._url, **options)
        except BaseException as exc:
            failure = read_failure(self._channel.name, exc)
            self._fail_span(failure or exc)
            if failure is None:
                raise
            raise failure from exc
        assert isinstance(response, Response)
        self._response = response
        response.service = self._channel.name
        response.max_size = self._channel.max_size
        if self._span is not None:
            self._tag_status(response.status)
            response.content.on_eof(self._end_span)
        return response

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._response is not None
        try:
            await self._response.__aexit__(exc_type, exc, traceback)
        finally:
            if exc is not None:
                self._fail_span(exc)
            self._end_span()

    def _start_span(self, headers: dict[str, str]) -> None:
        channel = self._channel
        tracer = channel.tracer
        if tracer is None:
            return
        parent = current_span()
        if parent is None and self._request is not None:
            parent = self._request.span
        method = self._method.lower()
        name = method if self._template is None else f"{method} {self._template}"
        span = tracer.start_child(name, parent, kind="client", component="http-client")
        self._span = span
        tracer.propagator.inject(span, headers)
        if span.sampled:
            span.tags.update(channel.peer_tags)
            span.set_tag("http.method", self._method)
            span.set_tag("http.url", self._documented_url())

    def _documented_url(self) -> str:
        """Return the address without query, and without values where a template is known."""
        if self._template is not None:
            return f"{self._channel.address.base}{self._template}"
        return str(self._url.with_query(None).with_fragment(None))

    def _tag_status(self, status: int) -> None:
        span = self._span
        if span is not None and span.sampled:
            span.set_tag("http.status_code", status)
            if status >= 400 and status not in self._passing:
                span.set_tag("error", True)

    def _fail_span(self, exc: BaseException) -> None:
        if (span := self._span) is not None:
            span.set_error(exc)
            if isinstance(exc, UpstreamError):
                span.set_tag("error.message", str(exc.upstream_error))
            self._end_span()

    def _end_span(self) -> None:
        if (span := self._span) is not None:
            self._span = None
            span.finish()
