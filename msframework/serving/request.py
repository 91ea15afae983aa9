"""The request that handlers receive: Sanic's, with the span, the validated body and an id of ours.

Runs per request.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from random import getrandbits
from types import SimpleNamespace
from typing import Any

from httptools import parse_url
from sanic.compat import Header
from sanic.cookies.request import CookieRequestParameters
from sanic.request import Request as SanicRequest
from sanic.request import RequestParameters
from sanic.response import BaseHTTPResponse, HTTPResponse
from sanic_routing import Route

from msframework.application import Application
from msframework.client import BoundClient
from msframework.exceptions import BadRequest
from msframework.inputs.cookies import parse_cookies
from msframework.inputs.encoding import decode_body, read_coding
from msframework.inputs.form import read_form
from msframework.inputs.media import JSON, read_content_type, require_utf8
from msframework.inputs.urlencoded import TextPairs, group_pairs, parse_query
from msframework.principal import Principal
from msframework.serving.answer import StreamedResponse
from msframework.strict_json import parse
from msframework.tracing import Span
from msframework.types import JSONValue, PathValues

_SANE_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}").fullmatch
_ITEMS = ("span", "data")


def choose_id(given: str | None, trusts: bool) -> str:
    """Return the caller's `X-Request-ID` when it is sane and trusted, else a new one."""
    if given is not None and trusts and _SANE_ID(given):
        return given
    return getrandbits(128).to_bytes(16, "big").hex()


def _constant(value: object, request: object) -> Any:
    return value


class Late:
    """A slot of Sanic's request that *make* fills when it is first read."""

    def __init__(self, slot: Any, make: Callable[[LeanRequest], object]) -> None:
        self._get, self._set, self._make = slot.__get__, slot.__set__, make

    def __get__(self, request: LeanRequest, owner: type | None = None) -> Any:
        try:
            return self._get(request)
        except AttributeError:
            value = self._make(request)
            self._set(request, value)
            return value

    def __set__(self, request: object, value: object) -> None:
        self._set(request, value)


class Request(SanicRequest[Application, SimpleNamespace]):
    """Sanic's request, with the facts of msframework.

    Attributes:
        span: the span of this request; `None` while tracing is off.
        data: the validated body; `None` before validation and where no body is declared.
        principal: the authenticated caller; `None` for an anonymous one, and before admission.
        admitted: the `admit` that admitted it; `None` before that, `False` where it was refused.
        recorded: whether the request is over, its span finished and its access line noted.
        rates: the counts of rate limits that admission has asked for; `None` before that.
        db_state: the note of the data layer on this request (read-your-writes).
    """

    __slots__ = (
        "_request_id",
        "admitted",
        "data",
        "db_state",
        "principal",
        "rates",
        "recorded",
        "span",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.span: Span | None = None
        self.principal: Principal | None = None
        self.admitted: object = None
        self.rates: tuple[Any, ...] | None = None
        self.data: JSONValue = None
        self.db_state: object = None
        self.recorded = False
        self._request_id: str | None = None

    @property
    def id(self) -> str:
        """The id of the request: the caller's `X-Request-ID` when it is sane, else a new one."""
        if self._request_id is None:
            given = self.headers.get("x-request-id")
            self._request_id = choose_id(given, self.app._serving.trusts_request_id)
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

        Before that the guards are asked, as nothing is read for a caller who may not send it. A
        compressed body is decoded, and the headers then are those of one that never was.

        Raises:
            Unauthorized: credentials are missing or wrong.
            Forbidden: the guards do not allow the caller.
            ServiceUnavailable: the worker holds as much of bodies as it may.
            UnsupportedMediaType: it is encoded in a way that is not read.
        """
        if self.admitted is None:
            await self.app._admit(self)
        stream: Any = self.stream
        protocol: Any = getattr(stream, "protocol", None)
        hold: Callable[[int], None] | None = getattr(protocol, "hold", None)
        if self.body or hold is None:
            await super().receive_body()  # type: ignore[no-untyped-call]
        else:
            self.app._serving.set_aside(self)  # it waits for its client, not for us
            pieces = []
            async for data in stream:
                hold(len(data))
                pieces.append(data)
            self.body = b"".join(pieces)
            self.app._serving.take_back(self)
        if "content-encoding" in self.headers:
            await self._decode_body(hold)
        if hold is not None:
            protocol.read_on()

    async def _decode_body(self, hold: Callable[[int], None] | None) -> None:
        coding = read_coding(self.headers)
        if coding is not None and self.body:
            largest = self.app.config.REQUEST_MAX_SIZE
            self.body = await decode_body(self.body, coding, largest, hold)
            del self.headers["content-encoding"]
            self.headers["content-length"] = str(len(self.body))

    async def respond(
        self,
        response: BaseHTTPResponse | None = None,
        *,
        status: int = 200,
        headers: Header | dict[str, str] | None = None,
        content_type: str | None = None,
    ) -> HTTPResponse:
        """Start the answer, as Sanic documents it; whatever its kind, it is signed."""
        if response is None:
            response = StreamedResponse(status=status, headers=headers, content_type=content_type)
            self.app._serving.set_aside(self)
        started: HTTPResponse = await super().respond(response)
        self.app._serving.sign(self, started)
        return started

    # What handlers read for themselves goes through the same strict readers as what they declare.

    def load_json(self, loads: Callable[[bytes], JSONValue] | None = None) -> JSONValue:
        """Return the value of the body; `None` for an empty one, as Sanic documents it.

        Raises:
            MalformedJSON: it is no strict JSON.
            BadRequest: its Content-Type is broken.
            UnsupportedMediaType: it is in another charset than UTF-8.
        """
        if loads is not None or not self.body:
            return super().load_json(loads)
        media_type = read_content_type(self.headers)
        if media_type is not None:
            require_utf8(media_type, JSON)
        max_depth = self.app.settings.server.json_max_depth
        self.parsed_json = parse(self.body, max_depth=max_depth)
        return self.parsed_json

    def get_form(self, keep_blank_values: bool = True) -> RequestParameters:
        """Return the fields of the form; there are none where the body is no form.

        Raises:
            BadRequest: the form is malformed.
            PayloadTooLarge: it has too many fields, or a field is too large.
        """
        fields, files = read_form(self)
        if not keep_blank_values:
            kept = {name: [value for value in values if value] for name, values in fields.items()}
            fields = {name: values for name, values in kept.items() if values}
        self.parsed_files = RequestParameters(files)
        self.parsed_form = RequestParameters(fields)
        return self.parsed_form

    def get_args(
        self,
        keep_blank_values: bool = False,
        strict_parsing: bool = False,
        encoding: str = "utf-8",
        errors: str = "strict",
    ) -> RequestParameters:
        """Return the parameters of the query string, as Sanic documents it.

        Raises:
            BadRequest: the query string is malformed, unless *errors* says otherwise.
        """
        if strict_parsing or (encoding, errors) != ("utf-8", "strict"):
            return super().get_args(keep_blank_values, strict_parsing, encoding, errors)
        key = (keep_blank_values, strict_parsing, encoding, errors)
        if key not in self.parsed_args:
            pairs = self.get_query_args(keep_blank_values)
            self.parsed_args[key] = RequestParameters(group_pairs(pairs))
        return self.parsed_args[key]

    def get_query_args(
        self,
        keep_blank_values: bool = False,
        strict_parsing: bool = False,
        encoding: str = "utf-8",
        errors: str = "strict",
    ) -> TextPairs:
        """Return the parameters of the query string in their order; see `get_args`."""
        if strict_parsing or (encoding, errors) != ("utf-8", "strict"):
            return super().get_query_args(keep_blank_values, strict_parsing, encoding, errors)
        key = (keep_blank_values, strict_parsing, encoding, errors)
        if key not in self.parsed_not_grouped_args:
            pairs = parse_query(self.query_string, self.app.settings.server)
            if not keep_blank_values:
                pairs = [pair for pair in pairs if pair[1]]
            self.parsed_not_grouped_args[key] = pairs
        return self.parsed_not_grouped_args[key]

    # NOTE: a type checker learns nothing from Sanic's properties, which these names are.
    args: RequestParameters = property(get_args)  # type: ignore[assignment]
    query_args: TextPairs = property(get_query_args)  # type: ignore[assignment]
    form: RequestParameters
    files: RequestParameters

    def get_cookies(self) -> RequestParameters:
        """Return the cookies of all `Cookie` lines (RFC 9113, 8.2.3).

        Raises:
            BadRequest: there are more than `MAX_FIELDS`.
        """
        text = "; ".join(self.headers.getall("cookie", ()))
        most = self.app.settings.server.max_fields
        if text.count(";") >= most:
            raise BadRequest(f"there are more than {most} cookies")
        self.parsed_cookies = CookieRequestParameters(parse_cookies(text))
        return self.parsed_cookies

    def client(self, name: str) -> BoundClient:
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

    def __setitem__(self, name: str, value: object) -> None:
        if name in _ITEMS:
            setattr(self, name, value)
        else:
            setattr(self.ctx, name, value)

    def __contains__(self, name: str) -> bool:
        return name in _ITEMS or hasattr(self.ctx, name)


class LeanRequest(Request):
    """A request of the fast path: attributes that few handlers read are made at the first reading.

    Attributes:
        pairs: name and value of each header, in their order.
        target: path and query, as they were sent.
    """

    # NOTE: these are properties of the classes above, computed each time.
    __slots__ = ("fields", "id", "pairs", "path", "query_string", "repeats", "target")
    # NOTE: it takes the place of the slot. Its handler asks the guards, and nobody before that.
    admitted = True

    def __init__(
        self,
        http: Any,
        route: Route,
        method: str,
        target: str,
        path: str,
        query: str,
        head: bytes,
        body: bytes,
        pairs: TextPairs,
        fields: dict[str, str],
        params: PathValues,
        request_id: str,
    ) -> None:
        # PERF: what Sanic's own does, with nothing parsed, copied or made for later
        # (benchmarks/README.md, row json).
        protocol = http.protocol
        self.app = protocol.app
        self.body = body
        self.conn_info = protocol.conn_info
        self.fields = fields  # type: ignore[misc]
        self.head = head
        self.id = request_id  # type: ignore[misc]
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


# What Sanic's own sets, and most handlers never read: made when somebody does.
_LATE: dict[str, Callable[[LeanRequest], object]] = {
    "_ctx": partial(_constant, None),
    "_id": partial(_constant, None),
    "_name": partial(_constant, None),
    "_parsed_url": lambda request: parse_url(request.raw_url),
    "_protocol": partial(_constant, None),
    "_request_middleware_started": partial(_constant, False),
    "_response_middleware_started": partial(_constant, False),
    "_stream_id": partial(_constant, 0),
    "headers": lambda request: Header(request.pairs),
    "parsed_accept": partial(_constant, None),
    "parsed_args": lambda request: defaultdict(RequestParameters),
    "parsed_cookies": partial(_constant, None),
    "parsed_credentials": partial(_constant, None),
    "parsed_files": partial(_constant, None),
    "parsed_form": partial(_constant, None),
    "parsed_forwarded": partial(_constant, None),
    "parsed_json": partial(_constant, None),
    "parsed_not_grouped_args": lambda request: defaultdict(list),
    "parsed_token": partial(_constant, None),
    "principal": partial(_constant, None),
    "rates": partial(_constant, None),
    "raw_url": lambda request: request.target.encode(),
    "version": partial(_constant, "1.1"),
}
for _name, _make in _LATE.items():
    # NOTE: a Sanic that has no such slot has no fast path either; see `supports_fast_path`.
    _slot = getattr(Request, _name, None)
    if hasattr(_slot, "__set__"):
        setattr(LeanRequest, _name, Late(_slot, _make))
