"""The request that handlers receive: Sanic's, with the span, the validated body and an id of ours.

Runs per request.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from random import getrandbits
from typing import Any

from httptools import parse_url
from sanic.compat import Header
from sanic.request import Request as SanicRequest
from sanic.request import RequestParameters

from msframework.response import StreamedResponse
from msframework.tracing import Span

_SANE_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}").fullmatch
_ITEMS = ("span", "data")
_SLOTS: Any = SanicRequest
# Name and value of each header, in their order.
Pairs = list[tuple[str, str]]


def choose_id(given: str | None, trusts: bool) -> str:
    """Return the caller's `X-Request-ID` when it is sane and trusted, else a new one."""
    if given is not None and trusts and _SANE_ID(given):
        return given
    return getrandbits(128).to_bytes(16, "big").hex()


def _constant(value: Any, request: Any) -> Any:
    return value


class Late:
    """A slot of Sanic's request that *make* fills when it is first read."""

    def __init__(self, slot: Any, make: Callable[[Any], Any]) -> None:
        self._get, self._set, self._make = slot.__get__, slot.__set__, make

    def __get__(self, request: Any, owner: type | None = None) -> Any:
        try:
            return self._get(request)
        except AttributeError:
            value = self._make(request)
            self._set(request, value)
            return value

    def __set__(self, request: Any, value: Any) -> None:
        self._set(request, value)


class Request(SanicRequest[Any, Any]):
    """Sanic's request, and what msframework knows of it.

    Attributes:
        span: the span of this request; `None` while tracing is off.
        data: the validated body; `None` before validation and where no body is declared.
        recorded: whether the request is over, its span finished and its access line noted.
        db_state: what the data layer remembers of this request (read-your-writes).
    """

    __slots__ = ("_request_id", "data", "db_state", "recorded", "span")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.span: Span | None = None
        self.data: Any = None
        self.db_state: Any = None
        self.recorded = False
        self._request_id: str | None = None

    @property
    def id(self) -> str:
        """The id of the request: the caller's `X-Request-ID` when it is sane, else a new one."""
        if self._request_id is None:
            given = self.headers.get("x-request-id")
            self._request_id = choose_id(given, self.app.trusts_request_id)
        return self._request_id

    @property
    def fields(self) -> dict[str, str]:
        """The first value of each header, by its name in small letters."""
        fields: dict[str, str] = {}
        for name, value in self.headers.items():
            fields.setdefault(name.lower(), value)
        return fields

    @property
    def repeats(self) -> bool:
        """Whether some header was sent more than once."""
        return len(self.fields) != len(self.headers)

    async def receive_body(self) -> None:
        """Read the whole body, unless it is there; bytes count until the request is over.

        Raises:
            ServiceUnavailable: the worker holds as much of bodies as it may.
        """
        stream: Any = self.stream
        protocol: Any = getattr(stream, "protocol", None)
        if self.body or not hasattr(protocol, "hold"):
            await super().receive_body()  # type: ignore[no-untyped-call]
            return
        pieces = []
        async for data in stream:
            protocol.hold(len(data))
            pieces.append(data)
        self.body = b"".join(pieces)
        if protocol.transport is not None:
            # NOTE: a full buffer halts reading, and a client that hangs up would not be noticed.
            protocol.transport.resume_reading()

    async def respond(self, response: Any = None, **options: Any) -> Any:
        """Start the answer, as Sanic documents it; whatever its kind, it is signed."""
        if response is None:
            response, options = StreamedResponse(**options), {}
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


class LeanRequest(Request):
    """A request of the fast path: what most handlers never read is made when it is first read.

    Attributes:
        pairs: name and value of each header, in their order.
        target: path and query, as they were sent.
    """

    # NOTE: these are properties of the classes above, computed each time.
    __slots__ = ("fields", "id", "pairs", "path", "query_string", "repeats", "target")

    _parsed_url = Late(_SLOTS._parsed_url, lambda request: parse_url(request.raw_url))
    headers = Late(_SLOTS.headers, lambda request: Header(request.pairs))
    parsed_args = Late(_SLOTS.parsed_args, lambda request: defaultdict(RequestParameters))
    parsed_not_grouped_args = Late(
        _SLOTS.parsed_not_grouped_args, lambda request: defaultdict(list)
    )
    raw_url = Late(_SLOTS.raw_url, lambda request: request.target.encode())

    def __init__(
        self,
        http: Any,
        route: Any,
        method: str,
        target: str,
        path: str,
        query: str,
        head: bytes,
        body: bytes,
        pairs: Pairs,
        fields: dict[str, str],
        params: dict[str, Any],
    ) -> None:
        # PERF: what Sanic's own does, with nothing parsed, copied or made for later
        # (benchmarks/README.md, row json).
        protocol = http.protocol
        self.app = app = protocol.app
        self.body = body
        self.conn_info = protocol.conn_info
        self.fields = fields  # type: ignore[misc]
        self.head = head
        self.id = choose_id(fields.get("x-request-id"), app.trusts_request_id)  # type: ignore[misc]
        self.method = method
        self.pairs = pairs
        self.path = path  # type: ignore[misc]
        self.query_string = query  # type: ignore[misc]
        self.repeats = len(fields) != len(pairs)  # type: ignore[misc]
        self.responded = self.recorded = False
        self.route = route
        self.stream = http
        self.target = target
        self.transport = protocol.transport
        self._match_info = params
        self.data = self.db_state = self.span = None


# What Sanic's own sets, and most handlers never read.
for _name, _default in (
    ("_ctx", None),
    ("_id", None),
    ("_name", None),
    ("_protocol", None),
    ("_request_middleware_started", False),
    ("_response_middleware_started", False),
    ("_stream_id", 0),
    ("parsed_accept", None),
    ("parsed_cookies", None),
    ("parsed_credentials", None),
    ("parsed_files", None),
    ("version", "1.1"),
    ("parsed_form", None),
    ("parsed_forwarded", None),
    ("parsed_json", None),
    ("parsed_token", None),
):
    setattr(LeanRequest, _name, Late(getattr(_SLOTS, _name), partial(_constant, _default)))
