"""Takes a request out of received bytes where it can be served without Sanic's own steps.

`build_accept` runs when a worker starts; its result runs per request.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import sanic

from msframework._tested import TESTED, demand, is_tested
from msframework.serving.bodies import MOST_UNCOUNTED
from msframework.serving.head import HEAD_END, FieldPairs, HeadLimits, read_field
from msframework.serving.hosts import Hosts
from msframework.serving.matcher import SLOW_METHODS, Match, MatchResult, build_matcher
from msframework.serving.request import LeanRequest, choose_id
from msframework.serving.router import Lookup, Router
from msframework.types import Handler, PathValues

logger = logging.getLogger("msframework.server")

# A request that was taken, its handler, its path parameters, and how many bytes it took.
Accepted = tuple[LeanRequest, Handler, PathValues, int]
Accept = Callable[[object, bytes], Accepted | None]
HeaderField = tuple[str, str]

# Requests with one of these need more than the fast path knows.
_SPECIAL = frozenset(("content-encoding", "expect", "transfer-encoding", "upgrade"))
# Headers of which callers send the same few lines again and again.
_ALIKE = frozenset(
    (
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-type",
        "host",
        "origin",
        "user-agent",
    )
)
_MOST_LINES = 1024
_LONGEST_LINE = 256
_LONGEST_NAME = 64
_PLAIN_TARGET = re.compile(r"/(?!/)[!\"$-~]*").fullmatch
_PLAIN_QUERY = re.compile(r"[!\"$-~]*").fullmatch


def supports_fast_path(wanted: bool) -> bool:
    """Whether the fast path may be used; warns once where only Sanic's version forbids it.

    Raises:
        ImproperlyConfigured: Sanic lacks names for which there is no other way.
    """
    demand("sanic", "serving")
    if not wanted:
        return False
    return is_tested(logger, "Sanic", sanic.__version__, TESTED["sanic"], "the fast path")


def build_accept(
    router: Router,
    handlers: frozenset[Handler],
    *,
    largest: int,
    limits: HeadLimits,
    hosts: Hosts | None,
    trusts_request_id: bool,
) -> Accept:
    """Return `accept(http, data)`, which takes a request out of *data* if it can be served leanly.

    Args:
        router: the router of the service, finalized.
        handlers: the compiled handlers.
        largest: bytes of a body that is taken.
        limits: those of a head.
        hosts: the names that the service answers to; `None` for any.
        trusts_request_id: whether the `X-Request-ID` of a caller is taken over.
    """
    match = build_matcher(router.routes, handlers)
    largest = min(largest, MOST_UNCOUNTED)
    longest, longest_target, most_lines = limits.size, limits.target, limits.lines
    # PERF: a head that is shorter is within both (a header line has four characters at least).
    harmless = min(longest_target, 4 * most_lines)
    known: dict[str, HeaderField] = {}
    find, learn = _build_find(router.look_up, handlers), _build_learn(known)

    def accept(http: object, data: bytes) -> Accepted | None:
        end = data.find(HEAD_END)
        if end < 0 or end > longest:
            return None
        head = data[:end]
        try:
            first, *lines = head.decode().split("\r\n")
            method, target, version = first.split(" ")
            # PERF: lines that were seen before need no parsing (benchmarks/README.md, row json).
            pairs = [known.get(line) or learn(line) for line in lines]
        except ValueError:
            return None
        fields = dict(pairs)
        if version != "HTTP/1.1" or target[:1] != "/" or "host" not in fields:
            return None
        if end > harmless and (len(target) > longest_target or len(pairs) > most_lines):
            return None
        if hosts is not None and not hosts.allows(fields["host"]):
            return None
        path, _, query = target.partition("?")
        found = match(method, path) or find(method, target, path, fields["host"])
        if found is None or (query and _PLAIN_QUERY(query) is None):
            return None
        endpoint, params = found
        body, taken = b"", end + 4
        if "content-length" in fields:
            size = _read_length(pairs, largest)
            if size is None or endpoint.route.extra.ignore_body or len(data) < taken + size:
                return None
            body = data[taken : taken + size]
            taken += size
        if len(fields) != len(pairs):
            if sum(name == "host" for name, _ in pairs) > 1:
                return None
            fields = dict(reversed(pairs))
        request_id = choose_id(fields.get("x-request-id"), trusts_request_id)
        request = LeanRequest(
            http,
            endpoint.route,
            method,
            target,
            path,
            query,
            head,
            body,
            pairs,
            fields,
            params,
            request_id,
        )
        return request, endpoint.handler, params, taken

    return accept


def _build_find(look_up: Lookup, handlers: frozenset[Handler]) -> Callable[..., MatchResult | None]:
    """Return `find(method, target, path, host)`, which asks Sanic's router."""

    def find(method: str, target: str, path: str, host: str | None) -> MatchResult | None:
        if method in SLOW_METHODS or _PLAIN_TARGET(target) is None:
            return None
        try:
            route, handler, params = look_up(path, method, host)
        except Exception:  # Sanic's own path answers for it
            return None
        extra = route.extra
        if handler not in handlers or extra.request_middleware or extra.response_middleware:
            return None
        return None if extra.stream else (Match(route, handler), dict(params))

    return find


def _build_learn(known: dict[str, HeaderField]) -> Callable[[str], HeaderField]:
    """Return `learn(line)`, which reads a header line and adds those that come again to *known*."""
    usual: dict[str, str] = {}

    def learn(line: str) -> HeaderField:
        """Read a header; raises `ValueError` for one that is none, or that Sanic has to read."""
        # PERF: what `read_field` does, for names that came before, of fields without rules of
        # their own (benchmarks/README.md, row json).
        name, value = line.split(":", 1)
        field = usual.get(name)
        if field is not None and value.isprintable():
            return field, value.strip(" ")
        field, value = pair = read_field(line)
        if field in _SPECIAL or (field == "connection" and value.lower() != "keep-alive"):
            raise ValueError("the fast path knows nothing of it")
        if field in _ALIKE:
            if len(line) <= _LONGEST_LINE:
                if len(known) >= _MOST_LINES:
                    known.clear()
                known[line] = pair
        elif len(name) <= _LONGEST_NAME:
            if len(usual) >= _MOST_LINES:
                usual.clear()
            usual[name] = field
        return pair

    return learn


def _read_length(pairs: FieldPairs, largest: int) -> int | None:
    """Return the one length that is said; `None` where Sanic has to judge."""
    said = [value for name, value in pairs if name == "content-length"]
    text = said[0]
    if len(said) > 1 or not (text.isascii() and text.isdecimal() and len(text) < 12):
        return None
    size = int(text)
    return size if size <= largest else None
