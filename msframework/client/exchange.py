"""One call to another service, from its span to the end of its answer. Runs per request."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from types import TracebackType
from typing import TypedDict

from msframework.client.address import Params
from msframework.client.channel import Channel
from msframework.client.failure import read_failure, tell
from msframework.client.outgoing import OutgoingRequest
from msframework.client.response import Response
from msframework.client.span import begin_span, fail_span, tag_answer
from msframework.client.transport import BufferedResponse
from msframework.context import RequestContext
from msframework.exceptions import UpstreamError
from msframework.tracing import Span


class Options(TypedDict, total=False):
    """The options of a call beside its method and path.

    Attributes:
        params: the query; `None` values are left out, lists give one pair for each item.
        json: the body, sent as JSON; `None` sends no body.
        data: the body as bytes, a form, or any other that aiohttp takes; not together with *json*.
        headers: further headers, instead of the framework's own of the same name.
        timeout: seconds for the whole call, instead of the service's own.
        allow_redirects: follow redirects; they are handed back otherwise.
        allow_absolute: take a whole URL, of another address than the service's.
    """

    params: Params | None
    json: object
    data: object
    headers: Mapping[str, str] | None
    timeout: float | None
    allow_redirects: bool
    allow_absolute: bool


class Exchange:
    """One request and its answer, with a span around both and one form of failure.

    `fetch` gives the answer with its whole body. `async with` gives the answer once its head has
    come, and lets go of it at the end of the block. The span ends when the last byte of the answer
    has come, at the latest with the block.

    Args:
        request: the request that the call belongs to, if any.
        passing: statuses that are no error.
    """

    __slots__ = ("_began", "_channel", "_outgoing", "_passing", "_request", "_response", "_span")

    def __init__(
        self,
        channel: Channel,
        request: RequestContext | None,
        outgoing: OutgoingRequest,
        passing: tuple[int, ...] = (),
    ) -> None:
        self._channel, self._request = channel, request
        self._outgoing, self._passing = outgoing, passing
        self._span: Span | None = None
        self._response: Response | None = None
        self._began = 0.0 if channel.timer is None else perf_counter()

    async def fetch(self) -> BufferedResponse:
        """Send the request, and return the whole answer, of any status.

        Raises:
            UpstreamError: none came.
        """
        outgoing = self._outgoing
        try:
            transport = self._channel.transport()
            self._span = begin_span(self._channel, self._request, outgoing)
            answer = await transport.fetch(outgoing)
        except BaseException as exc:
            if (failure := self._read_failure(exc)) is None:
                raise
            raise failure from exc
        if (timer := self._channel.timer) is not None:
            timer.answered(answer.status, perf_counter() - self._began)
        if (span := self._span) is not None:
            self._span = None
            tag_answer(span, answer.status, self._passing)
            span.finish()
        return answer

    async def __aenter__(self) -> Response:
        outgoing = self._outgoing
        try:
            transport = self._channel.transport()
            self._span = begin_span(self._channel, self._request, outgoing)
            response = self._response = await transport.open(outgoing)
        except BaseException as exc:
            if (failure := self._read_failure(exc)) is None:
                raise
            raise failure from exc
        if (timer := self._channel.timer) is not None:
            timer.answered(response.status, perf_counter() - self._began)
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

    def _read_failure(self, exc: BaseException) -> UpstreamError | None:
        """Return the failure that *exc* means to the caller, and end the span with it.

        `None` stands for an exception that is raised as it is; see `read_failure`.
        """
        status = self._outgoing.status
        failure = read_failure(self._channel.name, exc, status)
        if (timer := self._channel.timer) is not None:
            timer.failed(failure or exc, perf_counter() - self._began)
        if self._span is not None and status is not None:
            tag_answer(self._span, status, self._passing)
        self._fail_span(failure or exc)
        if failure is not None:
            tell(failure, exc)
        return failure

    def _fail_span(self, exc: BaseException) -> None:
        if (span := self._span) is not None:
            self._span = None
            fail_span(span, exc)

    def _end_span(self) -> None:
        if (span := self._span) is not None:
            self._span = None
            span.finish()
