"""Finds the endpoint of a path in two look-ups; whatever it is not sure of is Sanic's router's.

`build_matcher` runs when a worker starts; the function that it returns runs per request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from operator import itemgetter
from urllib.parse import unquote
from uuid import UUID

from sanic_routing import Route

from msframework.types import Handler, PathValues

# What may stand in a path as it is (RFC 3986, 3.3).
_is_plain = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*").fullmatch
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch

# Methods that are Sanic's business: the answer to HEAD has a head only, and OPTIONS may be a
# preflight.
SLOW_METHODS = frozenset(("HEAD", "OPTIONS"))

# What one path parameter is read by; `None` where Sanic may read more than this does.
PartReader = Callable[[str], object]
PathParams = tuple[tuple[int, str, PartReader], ...]
Segments = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """An endpoint, and where in the parts of a path its parameters stand."""

    route: Route
    handler: Handler
    params: PathParams = ()


MatchResult = tuple[Match, PathValues]
Matcher = Callable[[str, str], MatchResult | None]
EndpointsByMethod = dict[str, Match]
# What picks the literal parts of a path, and the endpoints by those parts.
PathShape = tuple[Callable[[list[str]], object], dict[object, EndpointsByMethod]]


def build_matcher(routes: Iterable[Route], handlers: Collection[Handler]) -> Matcher:
    """Return the function that finds the endpoint for a method and a path, or `None`.

    What it finds is what Sanic's router would find. It knows only endpoints in *handlers* that have
    neither middleware nor a host of their own, and no dynamic path that another route may match.

    Args:
        routes: all routes of the service.
        handlers: the compiled handlers.
    """
    everything = list(routes)
    static = _read_static([r for r in everything if not r.params and not r.regex], handlers)
    shapes, lasts = _read_shapes([r for r in everything if r.params or r.regex], handlers)

    def match(method: str, path: str) -> MatchResult | None:
        endpoints = static.get(path)
        if endpoints is not None:
            found = endpoints.get(method)
            return None if found is None else (found, {})
        # PERF: most paths with a parameter end with it (benchmarks/README.md, row read_one).
        start, _, last = path.rpartition("/")
        endpoints = lasts.get(start)
        if endpoints is not None:
            found = endpoints.get(method)
            if found is None:
                return None
            _, name, read = found.params[0]
            value = read(last)
            return None if value is None else (found, {name: value})
        parts = path.split("/")
        for pick, by_literals in shapes.get(len(parts), ()):
            candidates = by_literals.get(pick(parts))
            if candidates is not None:
                found = candidates.get(method)
                if found is None:
                    return None
                values = {}
                for place, name, read in found.params:
                    value = values[name] = read(parts[place])
                    if value is None:
                        return None
                return found, values
        return None

    return match


def _read_static(
    routes: list[Route], handlers: Collection[Handler]
) -> dict[str, EndpointsByMethod]:
    """Return the endpoints without parameters by their paths; a path of others has none.

    Sanic escapes literal parts (`a%3Ab`); those that need no escape are found without, too.
    """
    found = {}
    for parts, same in _group(routes).items():
        endpoints = _endpoints(same, handlers, ())
        found[f"/{'/'.join(parts)}"] = endpoints
        plain = f"/{'/'.join(map(unquote, parts))}"
        if _is_plain(plain):
            found[plain] = endpoints
    return found


def _group(routes: Iterable[Route]) -> dict[Segments, list[Route]]:
    """Return *routes* by their paths."""
    found: dict[Segments, list[Route]] = {}
    for route in routes:
        found.setdefault(route.parts, []).append(route)
    return found


def _endpoints(
    same: list[Route], handlers: Collection[Handler], params: PathParams
) -> EndpointsByMethod:
    """Return the endpoints by method of the routes *same*, which share one path."""
    found: EndpointsByMethod = {}
    for route in same:
        if route.requirements:
            return {}
        extra = route.extra
        middleware = extra.request_middleware or extra.response_middleware
        if route.handler in handlers and not middleware and not extra.stream:
            match = Match(route, route.handler, params)
            found |= dict.fromkeys(route.methods - SLOW_METHODS, match)
    return found


def _read_shapes(
    routes: list[Route], handlers: Collection[Handler]
) -> tuple[dict[int, list[PathShape]], dict[str, EndpointsByMethod]]:
    """Return the endpoints with parameters.

    They come by the number of parts of their paths; those whose last part is their only parameter
    by what comes before it.
    """
    shapes: dict[tuple[int, ...], dict[object, EndpointsByMethod]] = {}
    lasts: dict[str, EndpointsByMethod] = {}
    grouped = _group(routes)
    neighbours = _read_neighbours(grouped)
    for path, same in grouped.items():
        params = _read_params(same[0])
        if params is None or any(_may_overlap(path, other) for other in neighbours(path)):
            continue
        parts = ("", *path)
        if [place for place, _, _ in params] == [len(path)]:
            lasts["/".join(parts[:-1])] = _endpoints(same, handlers, params)
            continue
        dynamic = {place for place, _, _ in params}
        literals = [place for place in range(len(parts)) if place not in dynamic]
        by_literals = shapes.setdefault((len(parts), *literals), {})
        by_literals[itemgetter(*literals)(parts)] = _endpoints(same, handlers, params)
    found: dict[int, list[PathShape]] = {}
    for (size, *literals), by_literals in shapes.items():
        found.setdefault(size, []).append((itemgetter(*literals), by_literals))
    return found, lasts


def _read_neighbours(paths: Iterable[Segments]) -> Callable[[Segments], list[Segments]]:
    """Return `neighbours(path)`: the other paths that begin as *path* does, or with a parameter.

    PERF: looking at all of them takes 0.1 s for 300 paths (benchmarks/startup.py).
    """
    by_first: dict[str, list[Segments]] = {}
    for path in paths:
        by_first.setdefault("<" if _is_param(path[0]) else path[0], []).append(path)

    def neighbours(path: Segments) -> list[Segments]:
        if _is_param(path[0]):
            found = [other for some in by_first.values() for other in some]
        else:
            found = [*by_first[path[0]], *by_first.get("<", ())]
        return [other for other in found if other != path]

    return neighbours


def _may_overlap(path: Segments, other: Segments) -> bool:
    """Tell whether a request may match both; a part of unknown length may match anything."""
    for part, counterpart in zip(path, other, strict=False):
        if not _is_param(part) and not _is_param(counterpart):
            if part != counterpart:
                return False
        elif _READERS.get(_kind(counterpart)) is None and _is_param(counterpart):
            return True
    return len(path) == len(other)


def _read_params(route: Route) -> PathParams | None:
    """Return the parameters of *route*; `None` when one is of a kind that only Sanic reads."""
    if route.regex:
        return None
    found = []
    for place, param in route.params.items():
        read = _READERS.get(param.label)
        if read is None:
            return None
        found.append((place + 1, param.name, read))
    return tuple(found)


def _is_param(part: str) -> bool:
    return part.startswith("<")


def _kind(part: str) -> str:
    return part.rstrip(">").partition(":")[2] or "str"


def _read_int(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _read_str(text: str) -> str | None:
    # NOTE: a head with control characters or a # in its target is refused where Sanic reads it.
    if text and text.isascii() and text.isprintable() and "%" not in text and "#" not in text:
        return text
    return None


def _read_uuid(text: str) -> UUID | None:
    return UUID(text) if _is_uuid(text) else None


_READERS: dict[str, PartReader] = {"int": _read_int, "str": _read_str, "uuid": _read_uuid}
