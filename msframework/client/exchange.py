"""One call to another service, from its span to the end of its answer. Runs per request."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict
from yarl import URL

from msframework.client.channel import Channel
from msframework.client.failure import read_failure
from msframework.client.response import Response
from msframework.client.span import begin_span, fail_span, tag_answer, tag_call
from msframework.tracing import Span

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
            tag_answer(self._span, response.status, self._passing)
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
        method = self._method.lower()
        name = method if self._template is None else f"{method} {self._template}"
        span = self._span = begin_span(channel, self._request, name)
        if span is None or channel.tracer is None:
            return
        channel.tracer.propagator.inject(span, headers)
        if span.sampled:
            tag_call(span, channel, self._method, self._documented_url())

    def _documented_url(self) -> str:
        """Return the address without query, and without values where a template is known."""
        if self._template is not None:
            return f"{self._channel.address.base}{self._template}"
        return str(self._url.with_query(None).with_fragment(None))

    def _fail_span(self, exc: BaseException) -> None:
        if (span := self._span) is not None:
            self._span = None
            fail_span(span, exc)

    def _end_span(self) -> None:
        if (span := self._span) is not None:
            self._span = None
            span.finish()
