"""`Caller`: the calls of another service, for one request or for none. Runs per request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Unpack

from msframework.client.address import Params, absolute
from msframework.client.channel import Channel
from msframework.client.exchange import Exchange, Options
from msframework.client.failure import refuse_answer, upstream_error
from msframework.client.outgoing import OutgoingRequest
from msframework.context import RequestContext
from msframework.exceptions import MalformedJSON
from msframework.strict_json import parse
from msframework.types import UNSET, JSONValue, Unset


class Caller:
    """The methods of a client; `_request` is the request that the calls belong to, if any."""

    __slots__ = ("_channel", "_request")

    def __init__(self, channel: Channel, request: RequestContext | None) -> None:
        self._channel, self._request = channel, request

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Exchange:
        """Call *path*; `async with` gives the answer, of any status.

        Raises:
            UpstreamError: on entering the block, when no answer came.
            ValueError: *path* is no path of this service.
        """
        channel, params = self._channel, options.get("params")
        if options.get("allow_absolute", False):
            url, target = absolute(path, params), None
        else:
            target = channel.address.path_of(path, params)
            url = channel.address.at(target)
        outgoing = OutgoingRequest(
            channel.plan(method, ""),
            target,
            url,
            options.get("json"),
            options.get("data"),
            options.get("headers"),
            options.get("timeout", channel.total_timeout),
            options.get("allow_redirects", False),
        )
        return Exchange(channel, self._request, outgoing)

    def get(self, path: str, **options: Unpack[Options]) -> Exchange:
        """GET *path*."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Unpack[Options]) -> Exchange:
        """POST to *path*."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Unpack[Options]) -> Exchange:
        """PUT *path*."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[Options]) -> Exchange:
        """PATCH *path*."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[Options]) -> Exchange:
        """DELETE *path*."""
        return self.request("DELETE", path, **options)

    def head(self, path: str, **options: Unpack[Options]) -> Exchange:
        """HEAD *path*."""
        return self.request("HEAD", path, **options)

    def options(self, path: str, **options: Unpack[Options]) -> Exchange:
        """Ask for the OPTIONS of *path*."""
        return self.request("OPTIONS", path, **options)

    async def call(
        self,
        method: str,
        path: str,
        /,
        *,
        passing: Collection[int] = (),
        params: Params | None = None,
        json: object = None,
        data: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | Unset | None = UNSET,
        whole: bool = False,
        **path_params: object,
    ) -> JSONValue:
        """Call *path*, a template such as `/cities/{id}`, and return the data of the answer.

        Args:
            passing: statuses that are handed on as our own exceptions of that status.
            whole: whether to return the envelope with the data in it, rather than the data.
            path_params: the values of the template, percent-encoded.

        Returns:
            The content of the envelope; `None` for an answer without a body.

        Raises:
            UpstreamError: no answer came, or none of a success (2xx).
            ServiceException: an answer with a status in *passing*.
            BadRequest: a path parameter is empty, `.` or `..`.
            TypeError: a path parameter is missing or left over.
        """
        channel = self._channel
        plan = channel.plan(method, path)
        filled = plan.fill(path_params)
        if params is not None or not plan.plain:
            filled = channel.address.path_of(filled, params)
        total = channel.total_timeout if isinstance(timeout, Unset) else timeout
        outgoing = OutgoingRequest(plan, filled, None, json, data, headers, total)
        expected = tuple(passing)
        answer = await Exchange(channel, self._request, outgoing, expected).fetch()
        status, body = answer.status, answer.body
        if not 200 <= status < 300:
            raise refuse_answer(channel.name, status, answer.headers, body, expected)
        if not body:
            return None
        try:
            found = parse(body)
        except MalformedJSON as exc:
            raise upstream_error(channel.name, status, error="its answer is no JSON") from exc
        return found if whole else channel.envelope.unwrap(found)


class BoundClient(Caller):
    """A client whose calls carry the span and the id of one request."""

    __slots__ = ()
