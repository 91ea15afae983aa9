"""The request that handlers receive: Sanic's, with the span, the validated body and an id of ours.

Runs per request.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from httptools import parse_url
from httptools.parser.errors import HttpParserInvalidURLError
from multidict import istr
from sanic.compat import Header
from sanic.exceptions import BadURL, URITooLong
from sanic.request import Request as SanicRequest
from sanic.request import RequestParameters

if TYPE_CHECKING:
    from msframework.tracing import Span

_SANE_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}").fullmatch
_ITEMS = ("span", "data")
_REQUEST_ID = istr("x-request-id")
_LONGEST_URL = 65535

# What Sanic sets in every request, and most requests never read: made when it is first read.
_LATER: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(
        (
            "_ctx",
            "_id",
            "_name",
            "_protocol",
            "conn_info",
            "parsed_accept",
            "parsed_cookies",
            "parsed_credentials",
            "parsed_files",
            "parsed_form",
            "parsed_forwarded",
            "parsed_json",
            "parsed_token",
            "route",
            "stream",
        ),
        lambda: None,
    ),
    **dict.fromkeys(("_request_middleware_started", "_response_middleware_started"), lambda: False),
    "_match_info": dict,
    "_stream_id": lambda: 0,
    "parsed_args": lambda: defaultdict(RequestParameters),
    "parsed_not_grouped_args": lambda: defaultdict(list),
}


class Request(SanicRequest[Any, Any]):
    """Sanic's request, and what msframework knows of it.

    Attributes:
        span: the span of this request; `None` while tracing is off.
        data: the validated body; `None` before validation and where no body is declared.
        recorded: whether the access log has a line for this request already.
        db_state: what the data layer remembers of this request (read-your-writes).
    """

    __slots__ = ("_path", "_request_id", "data", "db_state", "recorded", "span")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.span: Span | None = None
        self.data: Any = None
        self.db_state: Any = None
        self.recorded = False
        self._request_id: str | None = None
        self._path: str | None = None

    @classmethod
    def from_head(
        cls, url: bytes, headers: Header, version: str, method: str, head: bytes, protocol: Any
    ) -> Request:
        """Make the request that `__init__` makes, with the rest of Sanic's fields left for later.

        PERF: two dicts and fifteen fields less, and *headers* are not copied
        (benchmarks/README.md, row json).

        Raises:
            BadURL: *url* is none.
            URITooLong: it is longer than its parser can count.
        """
        if len(url) > _LONGEST_URL:
            raise URITooLong("URL exceeds the maximum size of 65535 bytes")
        request = cls.__new__(cls)
        try:
            request._parsed_url = parsed = parse_url(url)
        except HttpParserInvalidURLError:
            raise BadURL(f"Bad URL: {url.decode(errors='backslashreplace')}") from None
        path: bytes | None = parsed.path
        request._path = None if path is None else path.decode()
        request.raw_url = url
        request.headers = headers
        request.version = version
        request.method = method
        request.head = head
        request.app = protocol.app
        request.transport = protocol.transport
        request.body = b""
        request.responded = False
        request.span = request.data = request.db_state = request._request_id = None
        request.recorded = False
        return request

    def __getattr__(self, name: str) -> Any:
        later = _LATER.get(name)
        if later is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = later()
        setattr(self, name, value)
        return value

    @property
    def path(self) -> str:
        """The path of the URL, as it was sent."""
        if self._path is None:
            self._path = self._parsed_url.path.decode()
        return self._path

    @property
    def id(self) -> str:
        """The id of the request: the caller's `X-Request-ID` when it is sane, else a new one."""
        if self._request_id is None:
            given = self.headers.get(_REQUEST_ID)
            if given is not None and self.app.trusts_request_id and _SANE_ID(given):
                self._request_id = given
            else:
                self._request_id = f"{random.getrandbits(128):032x}"
        return self._request_id

    async def respond(self, response: Any = None, **options: Any) -> Any:
        """Start the answer, as Sanic documents it; whatever its kind, it is signed and recorded."""
        response = await super().respond(response, **options)
        self.app.sign(self, response)
        return response

    def client(self, name: str) -> Any:
        """Return the client of the service *name*, bound to this request.

        Raises:
            KeyError: `SERVICES` has no such entry.
        """
        return self.app.clients[name].cli(self)

    def __getitem__(self, name: str) -> Any:
        if name in _ITEMS:
            return getattr(self, name)
        try:
            return getattr(self.ctx, name)
        except AttributeError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, value: Any) -> None:
        if name in _ITEMS:
            setattr(self, name, value)
        else:
            setattr(self.ctx, name, value)

    def __contains__(self, name: str) -> bool:
        return name in _ITEMS or hasattr(self.ctx, name)
