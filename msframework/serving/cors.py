"""The CORS headers of answers, and the answers to preflights (Fetch, 3.3).

Built when a worker starts. A service without CORS origins has none of it; where any origin may read
all answers, they have the same headers, built beforehand; else `headers_of` runs per answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sanic_routing import Route

from msframework.cors import ANY, CORS, compile_pattern
from msframework.exceptions import Forbidden
from msframework.headers import OwnHeaders, Pairs
from msframework.routing import find_mounted, group_paths
from msframework.serving.answer import Answer, Heads
from msframework.serving.head import shorten
from msframework.serving.request import LeanRequest, Request
from msframework.serving.router import Router

# Headers of trace propagation, which a traced page sends with every request.
TRACING: Final = (
    "X-Request-ID",
    "traceparent",
    "tracestate",
    "b3",
    "X-B3-TraceId",
    "X-B3-SpanId",
    "X-B3-ParentSpanId",
    "X-B3-Sampled",
    "X-B3-Flags",
)
# The methods allowed for a path that does not exist, where the settings name none.
USUAL: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_ASKS_METHOD: Final = "access-control-request-method"
_ASKS_PRIVATE: Final = "access-control-request-private-network"
_PREFLIGHT_VARY: Final = "Access-Control-Request-Method, Access-Control-Request-Headers"
_MOST_KNOWN: Final = 1024
_LONGEST: Final = 300  # a scheme, a name of 253 characters, a port
_WHERE: Final = "ACCESS_CONTROL_*"


class Sharing:
    """One `CORS`, compiled: its grants by the value of `Origin`.

    Args:
        cors: the declaration.
        accepted: further headers that pages may send.
    """

    __slots__ = ("_cors", "_exact", "_granted", "_headers", "_known", "_otherwise", "_patterns")

    def __init__(self, cors: CORS, accepted: Iterable[str]) -> None:
        names = {name.lower(): name for name in (*cors.headers, *TRACING, *accepted)}
        self._cors = cors
        self._headers = ", ".join(names.values())
        self._exact = {origin for origin in cors.origins if ANY not in origin}
        self._patterns = tuple(
            compile_pattern(each) for each in cors.origins if ANY in each and each != ANY
        )
        granted: dict[str, str] = {}
        if cors.credentials:
            granted["access-control-allow-credentials"] = "true"
        if cors.expose:
            granted["access-control-expose-headers"] = ", ".join(cors.expose)
        self._granted = granted
        usual = {"vary": "Origin"} if self.constant is None else dict(self.constant)
        self._otherwise = OwnHeaders(usual, _WHERE) if usual else None
        self._known: dict[str | None, OwnHeaders | None] = {None: self._otherwise}

    @property
    def constant(self) -> Pairs | None:
        """The headers of every answer; `None` where they depend on the origin."""
        if self._cors.is_open:
            return (("access-control-allow-origin", ANY), *self._granted.items())
        return None if self._cors.origins else ()

    def grant(self, origin: str | None) -> OwnHeaders | None:
        """Return the headers of an answer to a page of *origin*."""
        try:
            return self._known[origin]
        except KeyError:
            return self._learn(origin)

    def _learn(self, origin: str | None) -> OwnHeaders | None:
        """Work out the headers for *origin*, and remember them."""
        grant = self._otherwise
        if origin is not None and self.constant is None and self.allows(origin):
            given = {"access-control-allow-origin": origin, **self._granted, "vary": "Origin"}
            grant = OwnHeaders(given, _WHERE)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        if origin is None or len(origin) <= _LONGEST:
            self._known[origin] = grant
        return grant

    def allows(self, origin: str) -> bool:
        """Return whether pages of *origin* may read answers."""
        if self._cors.is_open or origin in self._exact:
            return True
        return len(origin) <= _LONGEST and any(each.fullmatch(origin) for each in self._patterns)

    def answer_preflight(
        self, origin: str, methods: Sequence[str], *, asks_private: bool
    ) -> dict[str, str]:
        """Return the headers of the answer to a preflight of *origin* (Fetch, 4.8).

        Args:
            methods: those of the path.
            asks_private: whether it comes from a public network (Private Network Access, 3.2).
        """
        cors = self._cors
        vary = _PREFLIGHT_VARY if cors.is_open else f"Origin, {_PREFLIGHT_VARY}"
        if cors.private_network:
            vary += ", Access-Control-Request-Private-Network"
        if not self.allows(origin):
            return {"vary": vary} if cors.origins else {}
        wanted = [method for method in methods if method in cors.methods or not cors.methods]
        headers = {
            "access-control-allow-origin": ANY if cors.is_open else origin,
            "access-control-allow-methods": ", ".join(wanted),
            "access-control-allow-headers": self._headers,
            "access-control-max-age": str(cors.max_age),
            "vary": vary,
        }
        if cors.credentials:
            headers["access-control-allow-credentials"] = "true"
        if cors.private_network and asks_private:
            headers["access-control-allow-private-network"] = "true"
        return headers


@dataclass(slots=True, eq=False)
class SharedPath:
    """One path: its methods, and the sharing of each; `None` for one without CORS."""

    methods: tuple[str, ...]
    sharing: dict[str, Sharing | None]

    def of(self, method: str) -> Sharing | None:
        """Return the sharing of *method*, or that of the path for one that it lacks."""
        if method in self.sharing:
            return self.sharing[method]
        return next((each for each in self.sharing.values() if each is not None), None)


class CrossOrigin:
    """The sharing of all answers of a service.

    Args:
        heads: the heads of its answers.
        router: its router, which finds the path of a request without a route.
        default: the sharing of whatever has none of its own.
        paths: the paths by the identity of their routes.

    Attributes:
        preflights: the heads of the answers to preflights, which have no other CORS headers.
    """

    __slots__ = ("_default", "_heads", "_paths", "_router", "_varies_by_path", "preflights")

    def __init__(
        self, heads: Heads, router: Router, default: Sharing | None, paths: dict[int, SharedPath]
    ) -> None:
        self._heads, self._router, self._default, self._paths = heads, router, default, paths
        self.preflights = Heads(heads.headers, fast=heads.fast)
        self.preflights.clock = heads.clock
        used = {id(each) for path in paths.values() for each in path.sharing.values()}
        self._varies_by_path = used - {id(default)} != set()

    def begin(self) -> None:
        """Give the heads the constant headers, or `headers_of` where they depend on the request."""
        default = self._default
        if default is not None and not self._varies_by_path and default.constant is not None:
            self._heads.carry(default.constant)
        else:
            self._heads.varying = self.headers_of

    def headers_of(self, request: Request) -> OwnHeaders | None:
        """Return the headers that an answer to *request* has for its origin."""
        # PERF: most services share all that they answer alike (benchmarks/README.md, row json).
        sharing = self.sharing_of(request) if self._varies_by_path else self._default
        if sharing is None:
            return None
        # PERF: `fields` of a request that is not lean are made anew at each reading.
        fields = request.fields if request.__class__ is LeanRequest else request.headers
        return sharing.grant(fields.get("origin"))

    def sharing_of(self, request: Request) -> Sharing | None:
        """Return the sharing of the path of *request*."""
        path = self._path_of(request)
        return self._default if path is None else path.of(request.method)

    def _path_of(self, request: Request) -> SharedPath | None:
        """Return the path of *request*; `None` where it does not exist."""
        route = request.route
        if route is None:
            try:
                # NOTE: every path has OPTIONS.
                host = request.headers.getone("host", None)
                route, _, _ = self._router.look_up(request.path, "OPTIONS", host)
            except Exception:  # it does not exist, or the head is malformed
                return None
        return self._paths.get(id(route))

    def answer(self, request: Any) -> Answer | None:
        """Return the answer to a preflight; `None` for another request, or where there is no CORS.

        It comes before authentication: a browser sends no credentials with it (Fetch, 4.8).
        """
        if request.method != "OPTIONS":
            return None
        fields = request.headers
        origin, asked = fields.get("origin"), fields.get(_ASKS_METHOD)
        if origin is None or asked is None:
            return None
        path = self._path_of(request)
        sharing = self._default if path is None else path.of(asked)
        if sharing is None:
            return None
        methods = USUAL if path is None else path.methods
        asks_private = fields.get(_ASKS_PRIVATE) == "true"
        headers = sharing.answer_preflight(origin, methods, asks_private=asks_private)
        if path is not None:
            headers["allow"] = ", ".join(methods)
        own = OwnHeaders(headers, _WHERE) if headers else None
        return Answer(self.preflights, self.preflights.head(204), b"", request, own)


def check_websocket(request: Any, cors: CrossOrigin | None) -> None:
    """Refuse the websocket of a page whose origin is not allowed.

    A browser opens one without a preflight, and sends its cookies, certificate and password along
    (RFC 6455, 10.2). Allowed are pages of the same host, clients without `Origin`, and every page
    where there is neither CORS nor a guard.

    Raises:
        Forbidden: its origin is not allowed.
    """
    origin = request.headers.get("origin")
    sharing = None if cors is None else cors.sharing_of(request)
    is_asked = bool(getattr(request.route.extra, "admits", None))
    if origin is None or (not is_asked if sharing is None else sharing.allows(origin)):
        return
    host = request.headers.get("host", "")
    if origin.partition("://")[2].lower() != host.lower():
        raise Forbidden(f"pages of {shorten(origin)} may not open this websocket")


def build_cross_origin(service: Any) -> CrossOrigin | None:
    """Return the sharing of *service*, whose routes are complete; `None` without CORS."""
    authenticators = service.authenticators.values()
    accepted = [
        each.header
        for each in authenticators
        if each.header not in (None, "authorization", "cookie")
    ]
    made: dict[int, Sharing] = {}
    cors = service.settings.server.cors
    default = Sharing(cors, accepted) if cors.origins else None

    def find(route: Route) -> Sharing | None:
        mounted = find_mounted(route, service.blueprints.values())
        own = getattr(mounted.blueprint, "cors", None)
        if own is not None and id(own) not in made:
            made[id(own)] = Sharing(own, accepted)
        return default if own is None else made[id(own)]

    paths = {
        id(route): path
        for routes in group_paths(service.router.routes)
        for path in (_read_path(routes, find),)
        for route in routes
    }
    if default is None and not made:
        return None
    return CrossOrigin(service._serving.heads, service.router, default, paths)


def _read_path(routes: list[Route], find: Callable[[Route], Sharing | None]) -> SharedPath:
    owners = {method: route for route in routes for method in route.methods}
    methods = sorted(owners)
    sharing = {name: find(owners[name]) for name in methods if not _is_ours(owners[name])}
    return SharedPath(tuple(methods), sharing)


def _is_ours(route: Route) -> bool:
    """Whether it is the OPTIONS that was added to a path."""
    return bool(getattr(route.handler, "__msframework_plain__", False)) and route.methods == {
        "OPTIONS"
    }
