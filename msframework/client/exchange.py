"""One call to another service, from its span to the end of its answer. Runs per request."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import Any, Final, TypedDict

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from msframework.client.address import Params
from msframework.client.channel import Channel
from msframework.client.failure import read_failure, tell
from msframework.client.lean import Lean
from msframework.client.plain import begin_plain, read_body
from msframework.client.plan import Plan
from msframework.client.response import Response
from msframework.client.span import begin_span, fail_span, tag_answer, tag_call
from msframework.context import RequestContext
from msframework.strict_json import dumps
from msframework.tracing import Span

# aiohttp writes a larger body in a task of its own, while the answer may be read already.
_LARGEST: Final = 65_536


class Options(TypedDict, total=False):
    """What a call may say beside its method and path.

    Attributes:
        params: the query; `None` values are left out, lists give one pair for each item.
        json: the body, sent as JSON; `None` sends no body.
        data: the body as bytes, a form, or whatever aiohttp takes; not together with *json*.
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
    """One attempt: `async with` sends it and gives the answer, leaving the block lets go of it.

    The span ends when the last byte of the answer has come, at the latest with the block.

    Args:
        url: the whole address.
        template: what the span shows as path; that of *url* when there is none.
        path: what follows the prefix of the service, when the call may take the lean path.
    """

    __slots__ = (
        "_channel",
        "_method",
        "_options",
        "_passing",
        "_path",
        "_request",
        "_response",
        "_span",
        "_template",
        "_url",
    )

    def __init__(
        self,
        channel: Channel,
        request: RequestContext | None,
        method: str,
        url: URL,
        template: str | None,
        options: Options,
        passing: tuple[int, ...] = (),
        path: str | None = None,
    ) -> None:
        self._channel, self._request = channel, request
        self._method, self._url, self._template, self._path = method, url, template, path
        self._options, self._passing = options, passing
        self._span: Span | None = None
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        try:
            response = await self._send()
        except BaseException as exc:
            failure = read_failure(self._channel.name, exc)
            self._fail_span(failure or exc)
            if failure is None:
                raise
            tell(failure, exc)
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

    def _send(self) -> Awaitable[aiohttp.ClientResponse]:
        channel, options = self._channel, self._options
        session, lean = channel.session(), channel.lean()
        if self._path is not None and lean is not None and not options.get("allow_redirects"):
            plan = channel.plan(self._method, "")
            body = read_body(plan, options.get("headers"), options.get("json"), options.get("data"))
            if body is not None and len(body[1]) <= _LARGEST:
                return self._open(lean, plan, self._path, body)
        sent = self._sendable()
        sent["headers"] = self._start_span(sent["headers"])
        return session.request(self._method, self._url, **sent)

    def _open(
        self, lean: Lean, plan: Plan, path: str, body: tuple[str, bytes]
    ) -> Awaitable[aiohttp.ClientResponse]:
        channel, options = self._channel, self._options
        span, lines = begin_plain(channel, self._request, plan)
        self._span = span
        if span is not None and span.sampled:
            tag_call(span, channel, self._method, self._documented_url())
        head = lean.head.write(plan, path, lines + body[0], options.get("headers"))
        total = options.get("timeout", channel.total_timeout)
        return lean.open(plan, head, body[1], total, self._url)

    def _sendable(self) -> dict[str, Any]:
        """Return aiohttp's arguments for what the call was given."""
        options, channel = self._options, self._channel
        redirects = options.get("allow_redirects", False)
        data, json, headers = options.get("data"), options.get("json"), options.get("headers")
        if json is not None:
            if data is not None:
                raise ValueError("give the body as json or as data, not as both")
            data = dumps(json)
            # NOTE: pairs in a list are headers, too, and a name may stand twice.
            headers, given = CIMultiDict({"Content-Type": "application/json"}), headers
            headers.update(given or ())
        sent: dict[str, Any] = {"allow_redirects": redirects, "data": data, "headers": headers}
        if "timeout" in options:
            sent["timeout"] = channel.timeout_of(options["timeout"])
        if redirects or options.get("allow_absolute"):
            sent["middlewares"] = channel.middlewares
        return sent

    def _start_span(self, given: Mapping[str, str] | None) -> Mapping[str, str]:
        """Begin the span, and return the headers of the call: ours, and those that were *given*."""
        channel, request = self._channel, self._request
        headers = {} if request is None else {"X-Request-ID": request.id}
        method = self._method.lower()
        name = method if self._template is None else f"{method} {self._template}"
        span = self._span = begin_span(channel, request, name)
        if span is not None and channel.tracer is not None:
            channel.tracer.propagator.inject(span, headers)
            if span.sampled:
                tag_call(span, channel, self._method, self._documented_url())
        if given is None:
            return headers
        # NOTE: a name in another case would go out twice, hence the case-insensitive dict.
        merged = CIMultiDict(headers)
        merged.update(given)
        return merged

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
