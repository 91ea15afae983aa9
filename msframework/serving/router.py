"""Sanic's router for paths in any spelling, whose parameters arrive decoded, exactly once.

Slashes at the end of a path cost no more than other characters.

`finalize` runs when a worker starts, `get` per request that the fast path does not find by itself.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from sanic.exceptions import MethodNotAllowed, NotFound, SanicException
from sanic.router import Router as SanicRouter
from sanic_routing import Route
from sanic_routing.exceptions import NoMethod
from sanic_routing.exceptions import NotFound as NoRoute

from msframework.inputs.percent import normalize_path
from msframework.routing import ALL_METHODS
from msframework.serving.head import shorten
from msframework.types import Handler, PathValues

# A route, its handler, and the parameters of a path.
_Resolved = tuple[Route, Handler, PathValues]
Lookup = Callable[[str, str, str | None], _Resolved]

# Stands for a slash that is part of a value; no decoded text can hold it.
_SLASH: Final = "\udc2f"
_INT: Final = re.compile(r"^-?[0-9]+$")
_FLOAT: Final = re.compile(r"^-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)$")
_DATE: Final = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_UUID: Final = re.compile(r"^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")
_MOST_SLASHES: Final = 2  # that are left out one by one


# What Python reads more leniently than the document says: `1_000`, `nan`, a UUID in braces.


def strict_int(text: str) -> int:
    """Return the integer that a part of a path is."""
    return int(_checked(text, _INT))


def strict_float(text: str) -> float:
    """Return the number that a part of a path is."""
    return float(_checked(text, _FLOAT))


def strict_date(text: str) -> date:
    """Return the day that a part of a path is."""
    return datetime.strptime(_checked(text, _DATE), "%Y-%m-%d").date()


def strict_uuid(text: str) -> UUID:
    """Return the UUID that a part of a path is."""
    return UUID(_checked(text, _UUID))


def _checked(text: str, pattern: re.Pattern[str]) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not of its kind")
    return text


_KINDS: Final = {
    "int": (strict_int, _INT),
    "float": (strict_float, _FLOAT),
    "ymd": (strict_date, _DATE),
    "uuid": (strict_uuid, _UUID),
}


class _Found:
    """The parameters of a match, as Sanic's router asks for them."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def groupdict(self) -> dict[str, str]:
        """Return the parameters by name."""
        return self._values


class _DecodedPattern:
    """The regular expression of one path, matched with decoded text; stands in for Sanic's own."""

    __slots__ = ("_match",)

    def __init__(self, route: Any) -> None:
        twin = copy.copy(route)
        twin.parts = tuple(
            part if part.startswith("<") else re.escape(unquote(part)) for part in route.parts
        )
        twin._compile_regex()
        self._match = re.compile(twin.pattern, re.DOTALL).fullmatch

    def match(self, path: str) -> _Found | None:
        """Return the parameters of *path*, normalized as it is; `None` where it is another."""
        decoded = path
        if "%" in path:
            parts = [unquote(part).replace("/", _SLASH) for part in path.split("/")]
            decoded = "/".join(parts)
        found = self._match(decoded)
        if found is None:
            return None
        return _Found(
            {name: quote(text.replace(_SLASH, "/")) for name, text in found.groupdict().items()}
        )


class Router(SanicRouter):
    """Sanic's router, which finds a path in all of its spellings (RFC 3986, 6.2.2).

    Attributes:
        look_up: Sanic's `get`, which remembers the last paths that were found, for callers that
            do not need to know why one was not.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.look_up: Lookup = super().get
        self._has_hosts = False
        for label, (cast, pattern) in _KINDS.items():
            self.register_pattern(label, cast, pattern)

    def finalize(self, *args: object, **options: object) -> None:
        """Close the routes, as Sanic does."""
        super().finalize(*args, **options)
        groups = sorted(self.regex_routes.values(), key=lambda group: group.pattern_idx)
        patterns: Any = [_DecodedPattern(group.routes[0]) for group in groups]
        self._matchers = patterns
        self._has_hosts = any(route.requirements for route in self.routes)

    def get(  # type: ignore[override]  # Sanic's is in a cache
        self, path: str, method: str, host: str | None
    ) -> _Resolved:
        """Return the route of *path*, its handler, and the parameters, decoded.

        Raises:
            BadRequest: *path* is malformed.
            NotFound: there is no such path.
            MethodNotAllowed: it has no such method; `Allow` names those it has.
        """
        try:
            return self.look_up(path, method, host)
        except (MethodNotAllowed, NotFound) as exc:
            raise self._explain(exc, path, method, host) from None

    def _explain(
        self, exc: SanicException, path: str, method: str, host: str | None
    ) -> SanicException:
        """Return the failure of a request for *path*, which has no such method or is nowhere."""
        is_refused = isinstance(exc, MethodNotAllowed)
        # NOTE: where a path is one host's own, Sanic's router knows of no other methods.
        if not is_refused and not self._has_hosts:
            return exc
        allow = ", ".join(find_allowed(self.look_up, path, host))
        if allow:
            return MethodNotAllowed(
                f"{shorten(method)} is not allowed here; allowed are {allow}",
                headers={"Allow": allow},
            )
        # NOTE: Sanic looks for the method before it looks at a strict slash.
        return NotFound(f"Requested URL {shorten(path)} not found") if is_refused else exc

    def _get(self, path: str, method: str, host: str | None) -> _Resolved:
        """Return route, handler and parameters of *path*, for `look_up` to remember."""
        try:
            return self._find(path, method, host)
        except NotFound as exc:
            raise NotFound(shorten(str(exc))) from None

    def _find(self, path: str, method: str, host: str | None) -> _Resolved:
        """Do the same as `_get`, with messages of any length."""
        route, handler, found = super()._get(normalize_path(path), method, host)
        if not found or route.extra.static:  # Sanic decodes the path of a file by itself
            return route, handler, found
        params = {
            name: unquote(value) if isinstance(value, str) else value
            for name, value in found.items()
        }
        if route.regex:
            _read_kinds(route, params, path)
        return route, handler, params

    def resolve(self, path: str, **options: Any) -> Any:
        """Find route, handler and parameters.

        Sanic's tries the path, then the path without its last slash, and so on, each time by a call
        of itself.
        """
        bare = path.rstrip("/")
        if len(path) - len(bare) > _MOST_SLASHES and not self._matches(path, **options):
            path = f"{bare}//"
        return super().resolve(path, **options)

    def _matches(self, path: str, *, method: str | None = None, extra: object = None) -> bool:
        """Whether a route has *path* as it is."""
        basket: dict[str, PathValues] = {"__params__": {}, "__matches__": {}}
        try:
            self.find_route(path, method, self, basket, extra)
        except (NoRoute, NoMethod):
            return False
        return True


def find_allowed(look_up: Lookup, path: str, host: str | None) -> list[str]:
    """Return the methods that *look_up* finds at *path*, in their order in `Allow`."""
    found = []
    for method in sorted(ALL_METHODS):
        with suppress(SanicException):
            look_up(path, method, host)
            found.append(method)
    return found


def _read_kinds(route: Route, params: PathValues, path: str) -> None:
    """Read the parameters that Sanic leaves as text where another of the path is an expression."""
    for param in route.params.values():
        if param.label in _KINDS and isinstance(params[param.name], str):
            try:
                params[param.name] = param.cast(params[param.name])
            except ValueError:
                raise NotFound(f"Requested URL {path} not found") from None
