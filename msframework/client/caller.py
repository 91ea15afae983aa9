"""What can be asked of another service, for one request or for none. Runs per request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from msframework.client.address import Params, absolute
from msframework.client.channel import Channel
from msframework.client.exchange import Exchange
from msframework.client.failure import refuse_answer, upstream_error
from msframework.client.plain import ask, read_body
from msframework.exceptions import MalformedJSON
from msframework.strict_json import dumps, parse
from msframework.types import UNSET, Unset

if TYPE_CHECKING:
    from msframework.request import Request


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
    json: Any
    data: Any
    headers: Mapping[str, str] | None
    timeout: float | None
    allow_redirects: bool
    allow_absolute: bool


class Caller:
    """The methods of a client; `_request` is the request that the calls belong to, if any."""

    __slots__ = ("_channel", "_request")

    def __init__(self, channel: Channel, request: Request | None) -> None:
        self._channel, self._request = channel, request

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Exchange:
        """Call *path*; `async with` gives the answer, whatever its status is.

        Raises:
            UpstreamError: on entering the block, when no answer came.
            ValueError: *path* is no path of this service.
        """
        params = options.pop("params", None)
        anywhere = options.pop("allow_absolute", False)
        address = self._channel.address
        url = absolute(path, params) if anywhere else address.of(path, params)
        sent = self._sendable(options)
        if anywhere or sent["allow_redirects"]:
            sent["middlewares"] = self._channel.middlewares
        return Exchange(self._channel, self._request, method.upper(), url, None, sent)

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
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | Unset | None = UNSET,
        **path_params: Any,
    ) -> Any:
        """Call *path*, a template such as `/cities/{id}`, and return the data of the answer.

        Args:
            passing: statuses that are handed on as our own exceptions of that status.
            path_params: the values of the template, percent-encoded.

        Returns:
            What the envelope held; `None` where nothing was sent.

        Raises:
            UpstreamError: no answer came, or none of a success (2xx).
            ServiceException: an answer with a status in *passing*.
            BadRequest: a path parameter is empty, `.` or `..`.
            TypeError: a path parameter is missing or left over.
        """
        channel = self._channel
        plan = channel.plan(method, path)
        filled = plan.fill(path_params)
        expected = tuple(passing)
        lean = channel.lean()
        plain = None if lean is None else read_body(plan, headers, json, data)
        if lean is not None and plain is not None:
            if params is not None or not plan.plain:
                filled = channel.address.path_of(filled, params)
            total = channel.total_timeout if isinstance(timeout, Unset) else timeout
            status, answered, body = await ask(
                channel, lean, plan, self._request, filled, plain, headers, total, expected
            )
        else:
            url = channel.address.of(filled, params)
            options = self._sendable(
                {"json": json, "data": data, "headers": headers, "timeout": timeout}
            )
            exchange = Exchange(channel, self._request, plan.method, url, path, options, expected)
            async with exchange as response:
                body = await response.read()
            status, answered = response.status, response.headers
        if not 200 <= status < 300:
            raise refuse_answer(channel.name, status, answered, body, expected)
        if not body:
            return None
        try:
            return channel.envelope.unwrap(parse(body))
        except MalformedJSON as exc:
            raise upstream_error(channel.name, status, error="its answer is no JSON") from exc

    def _sendable(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return aiohttp's arguments for *options*, which the exchange may change."""
        sent: dict[str, Any] = {"allow_redirects": options.get("allow_redirects", False)}
        headers, json = options.get("headers"), options.get("json")
        data, timeout = options.get("data"), options.get("timeout", UNSET)
        if json is not None:
            if data is not None:
                raise ValueError("give the body as json or as data, not as both")
            data = dumps(json)
            headers = {"Content-Type": "application/json", **(headers or {})}
        if data is not None:
            sent["data"] = data
        if headers is not None:
            sent["headers"] = headers
        if timeout is not UNSET:
            sent["timeout"] = self._channel.timeout_of(timeout)
        return sent


class BoundClient(Caller):
    """A client whose calls carry the span and the id of one request."""

    __slots__ = ()
