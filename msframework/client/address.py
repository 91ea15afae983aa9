"""The addresses of one service: paths and queries, percent-encoded. Runs per request, cached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from yarl import URL

from msframework.conf.url import http_fault
from msframework.exceptions import ImproperlyConfigured

Params: TypeAlias = Mapping[str, object] | Iterable[tuple[str, object]]

# The characters of a path and query in RFC 3986; `%` keeps text that is encoded already.
_CLEAN = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*").fullmatch
_KEPT = "-._~!$&'()*+,;=:@/?%"
_DOTS = re.compile(r"(?:^|/)(?:\.|%2[eE]){1,2}(?=/|\?|$)").search
_CACHED = 2048


class Address:
    """The address of a service, and those of its resources.

    Attributes:
        base: the address without a slash at its end, as it goes into spans.
        origin: scheme, host and port.
        prefix: the path that all paths stand behind; empty for none.
    """

    __slots__ = ("_literal", "base", "origin", "parsed", "prefix")

    def __init__(self, url: str, where: str) -> None:
        if (fault := http_fault(url)) is not None:
            raise ImproperlyConfigured(
                f"{where}: the url is {fault}; expected an http:// or https:// address. "
                "Give the scheme and host: 'http://regions:8000'."
            )
        self.base = url.rstrip("/")
        self.parsed = URL(self.base)
        self.origin = self.parsed.origin()
        # PERF: a parsed URL keeps its parts, so a known one costs a look-up (benchmarks/client.py).
        self._literal = lru_cache(_CACHED)(self._parse)
        self.prefix = self._literal("/").raw_path[:-1]

    def _parse(self, path: str) -> URL:
        return URL(f"{self.base}{path}", encoded=True)

    def of(self, path: str, params: Params | None = None) -> URL:
        """Return the address of *path*, which begins with a slash.

        Raises:
            ValueError: *path* is an absolute URL, begins with no single slash, or climbs with `..`.
        """
        return self._literal(self.path_of(path, params))

    def at(self, path: str) -> URL:
        """Return the address of *path*, which `path_of` returned."""
        return self._literal(path)

    def path_of(self, path: str, params: Params | None = None) -> str:
        """Return *path* and *params* percent-encoded, as they follow the service's own address.

        Raises:
            ValueError: as `of` does.
        """
        if path[:1] != "/" or path[:2] == "//":
            raise ValueError(
                f"{path!r} is no path of {self.base}: begin it with one slash. Absolute URLs are "
                "refused; pass allow_absolute=True to call another address than the service's."
            )
        if _CLEAN(path) is None:
            path = quote(path.partition("#")[0], safe=_KEPT)
        if "." in path or "%2" in path:
            _refuse_dots(path)
        return path if params is None else with_query(path, params)


def absolute(url: str, params: Params | None) -> URL:
    """Return *url* parsed; it was asked for with `allow_absolute=True`."""
    if (fault := http_fault(url.partition("?")[0])) is not None:
        raise ValueError(f"allow_absolute: the url is {fault}, not an http:// or https:// address")
    return URL(url if params is None else with_query(url, params))


def is_clean(path: str) -> bool:
    """Tell whether *path*, with or without a query, needs no percent-encoding."""
    return _CLEAN(path) is not None


def with_query(path: str, params: Params) -> str:
    """Return *path* with *params* added to its query."""
    pairs = params.items() if isinstance(params, Mapping) else params
    query = urlencode([pair for name, value in pairs for pair in _spread(name, value)])
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query}"


def _spread(name: str, value: Any) -> list[tuple[str, str]]:
    """Return one pair for each value; `None` is left out, as an absent parameter is."""
    if isinstance(value, list | tuple | set | frozenset):
        return [pair for item in value for pair in _spread(name, item)]
    if value is None:
        return []
    if isinstance(value, bool):
        return [(name, "true" if value else "false")]
    return [(name, str(value))]


def _refuse_dots(path: str) -> None:
    if _DOTS(path.partition("?")[0]):
        raise ValueError(f"{path!r} has a '.' or '..' in it, which would lead to another path")
