"""Spans as Zipkin v2 JSON (https://zipkin.io/zipkin-api/zipkin2-api.yaml).

Runs in the queue's task, never in a request.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring as _quote
from time import perf_counter, time
from typing import Any, Final

import orjson

from msframework.tracing.b3 import ZEROS, short_trace_id
from msframework.tracing.redact import HIDDEN, Redactor
from msframework.tracing.span import Span

MAX_VALUE: Final = 4096
MAX_TAGS: Final = 128
_PEER_ORDER: Final = (
    "peer.service",
    "peer.ipv4",
    "peer.ipv6",
    "peer.hostname",
    "peer.address",
    "peer.port",
)
_PEER: Final = frozenset(_PEER_ORDER)
# What exceptions and users write freely, so that it may hold anything.
_FREE_TEXT: Final = frozenset(("error", "error.message", "message", "http.url"))
# What is done with a tag's value, by its name.
_AS_IT_IS, _SCRUBBED, _STATEMENT, _HIDDEN, _PEER_TAG = range(5)
_MAX_KNOWN: Final = 1024
_LARGEST: Final = 10**18
_PLAIN: Final = {str, int}
_KINDS: Final = {kind.lower(): kind for kind in ("SERVER", "CLIENT", "PRODUCER", "CONSUMER")}
Endpoint = dict[str, Any]


class Encoder:
    """Turns spans into Zipkin's JSON.

    Args:
        service_name: the name of this service, in small letters in every span.
        redactor: hides values in tags and annotations.
        host: the address this service listens on; left out when it is no single address.
        port: its port, or 0.
    """

    def __init__(
        self, service_name: str, redactor: Redactor, *, host: str = "", port: int = 0
    ) -> None:
        self._redactor = redactor
        self._ways: dict[str, tuple[str, int]] = {}
        self._statements: dict[str, str] = {}
        self._firsts: dict[tuple[tuple[str, Any], ...], tuple[str, str]] = {}
        self._named: dict[tuple[str, str | None], str] = {}
        self._local = orjson.dumps(_endpoint(service_name, host, port)).decode()

    def encode(self, span: Span) -> bytes:
        """Return *span* as one JSON object; encoded once, however many exporters ask."""
        encoded = span._encoded
        if encoded is None:
            encoded = span._encoded = self._write(span).encode()
        return encoded

    def describe(self, span: Span) -> dict[str, Any]:
        """Return *span* as the object that Zipkin wants."""
        described: dict[str, Any] = orjson.loads(self.encode(span))
        return described

    def _write(self, span: Span) -> str:
        """Return *span* as JSON.

        PERF: of parts that are JSON already; only what is new in a span is quoted
        (benchmarks/tracing.py, rows "span of … to JSON").
        """
        trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_id
        if trace_id.startswith(ZEROS):
            trace_id = short_trace_id(trace_id)
        if not f"{trace_id}{span_id}{parent_id}".isalnum():
            # A context that is none of ours.
            trace_id, span_id = _inner(trace_id), _inner(span_id)
            parent_id = None if parent_id is None else _inner(parent_id)
        parent = "" if parent_id is None else f'","parentId":"{parent_id}'
        what = (span.operation_name, span.kind)
        named = self._named.get(what) or self._learn_what(what)
        offset = time() - perf_counter()
        tags, remote = self._tags(span)
        rest = "}"
        if span._logs is not None:
            rest = f',"annotations":[{self._annotations(span.logs, offset)}]}}'
        if span.carried.debug:
            rest = f',"debug":true{rest}'
        return (
            f'{{"traceId":"{trace_id}","id":"{span_id}{parent}{named}'
            f'{int((span.start + offset) * 1e6)},"duration":'
            f'{int((span.end - span.start) * 1e6) or 1}{remote},"tags":{{{tags}}}{rest}'
        )

    def _learn_what(self, what: tuple[str, str | None]) -> str:
        """Return what a span's name and kind are in JSON, from the end of an id to the time."""
        name, kind = what
        named = f'","name":{_quote(_text(name).lower())}'
        if kind is not None:
            named += f',"kind":{_quote(_KINDS.get(kind) or _text(kind).upper())}'
        named += f',"localEndpoint":{self._local},"timestamp":'
        if len(self._named) < _MAX_KNOWN:
            self._named[what] = named
        return named

    def _tags(self, span: Span) -> tuple[str, str]:
        """Return the tags of *span* as the members of an object, and what they say of its peer."""
        tags, known = span.tags, span.known
        # NOTE: another thread may still write to a span that it shares, hence the copy.
        items = list(tags.items())[:MAX_TAGS]
        if not known:
            return self._members(items, tags)
        # PERF: what many spans begin with is looked up (benchmarks/tracing.py, row "span of
        # a statement to JSON").
        first = tuple(items[:known])
        try:
            found = self._firsts.get(first)
        except TypeError:  # somebody replaced a value by one that cannot be hashed
            return self._members(items, tags)
        if found is None:
            if not {value.__class__ for _, value in first} <= _PLAIN:  # True is 1, and says "true"
                return self._members(items, tags)
            found = self._members(first, dict(first))
            if len(self._firsts) >= _MAX_KNOWN:
                self._firsts.clear()
            self._firsts[first] = found
        rest, remote = self._members(items[known:], tags)
        members = f"{found[0]},{rest}" if found[0] and rest else found[0] or rest
        return members, remote or found[1]

    def _members(
        self, items: Iterable[tuple[str, Any]], tags: Mapping[str, Any]
    ) -> tuple[str, str]:
        """Return *items* as members of an object, and what *tags* say of the peer if one does."""
        ways = self._ways
        parts: list[str] = []
        remote = ""
        for key, value in items:
            name = key if key.__class__ is str else _text(key)
            before, way = ways.get(name) or self._learn(name)
            if way is _AS_IT_IS:
                # PERF: `_text`, without the call for what most values are.
                if value.__class__ is str and value.isascii() and len(value) <= MAX_VALUE:
                    parts.append(before + _quote(value))
                elif value.__class__ is int and -_LARGEST < value < _LARGEST:
                    parts.append(f'{before}"{value}"')
                else:
                    parts.append(before + _quote(_text(value)))
            elif way is _SCRUBBED:
                parts.append(before + _quote(self._redactor.scrub(_text(value))))
            elif way is _STATEMENT:
                parts.append(before + self._statement(_text(value)))
            elif way is _HIDDEN:
                parts.append(before + _quote(HIDDEN))
            else:
                remote = remote or _remote(*map(tags.get, _PEER_ORDER))
                if name == "peer.hostname" and not _is_address(_text(value)):
                    # NOTE: an endpoint holds addresses only; the name of a host stays a tag.
                    parts.append(before + _quote(_text(value)))
        return ",".join(parts), remote

    def _learn(self, name: str) -> tuple[str, int]:
        """Return the name of a tag as JSON with its colon, and what is done with its values."""
        if self._redactor.hides(name):
            way = _HIDDEN
        elif name in _PEER:
            way = _PEER_TAG
        elif name == "db.statement":
            way = _STATEMENT
        elif name in _FREE_TEXT:
            way = _SCRUBBED
        else:
            way = _AS_IT_IS
        known = f"{_quote(_text(name))}:", way
        if len(self._ways) < _MAX_KNOWN:
            self._ways[name] = known
        return known

    def _statement(self, text: str) -> str:
        """Return *text* scrubbed, as JSON; services have few statements, each many times over."""
        found = self._statements.get(text)
        if found is None:
            found = _quote(self._redactor.scrub(text))
            if len(self._statements) >= _MAX_KNOWN:
                self._statements.clear()
            self._statements[text] = found
        return found

    def _annotations(self, logs: Iterable[tuple[float, Mapping[str, Any]]], offset: float) -> str:
        return ",".join(
            f'{{"timestamp":{int((when + offset) * 1e6)}'
            f',"value":{_quote(self._annotation(fields))}}}'
            for when, fields in list(logs)
        )

    def _annotation(self, fields: Mapping[str, Any]) -> str:
        if len(fields) == 1 and "event" in fields:
            return self._redactor.scrub(_text(fields["event"]))
        shown = {
            _text(key): HIDDEN if self._redactor.hides(key) else self._redactor.scrub(_text(value))
            for key, value in list(fields.items())
        }
        return _text(orjson.dumps(shown).decode())


def _inner(value: object) -> str:
    """Return *value* as text between the quotes of a JSON string."""
    return _quote(_text(value))[1:-1]


def _text(value: Any) -> str:
    """Return *value* as text that JSON can hold, bounded; cannot fail."""
    if value.__class__ is bool:
        return "true" if value else "false"
    try:
        text = value if value.__class__ is str else str(value)
        if len(text) > MAX_VALUE:
            text = f"{text[: MAX_VALUE - 1]}…"
        if not text.isascii():
            text = text.encode("utf-8", "backslashreplace").decode()
    except Exception:
        return f"<{type(value).__name__}>"
    return str(text)


def _remote(*values: Any) -> str:
    """Return the member that tells of the other side, as the `peer.*` tags describe it."""
    try:
        return _read_remote(*values)
    except TypeError:  # what cannot be hashed
        return _read_remote.__wrapped__(*values)


# PERF: a service talks to few others; addresses of callers are bounded by the size.
@lru_cache(maxsize=4096, typed=True)
def _read_remote(*values: Any) -> str:
    service, ipv4, ipv6, hostname, address, port = (
        "" if value is None else _text(value) for value in values
    )
    for text in (ipv4, ipv6, hostname, address):
        if _is_address(text):
            return _member(_endpoint(service, text, port))
    host, _, tail = address.rpartition(":")
    return _member(_endpoint(service, host, port or tail))


def _member(endpoint: Endpoint) -> str:
    return f',"remoteEndpoint":{orjson.dumps(endpoint).decode()}' if endpoint else ""


def _endpoint(service: str, address: str, port: Any) -> Endpoint:
    endpoint: Endpoint = {}
    if service:
        endpoint["serviceName"] = service.lower()
    try:
        known = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        known = None
    if known is not None and not known.is_unspecified:
        endpoint[f"ipv{known.version}"] = str(known)
    try:
        number = int(port)
    except (TypeError, ValueError):
        number = 0
    if 0 < number < 65536 and endpoint:
        endpoint["port"] = number
    return endpoint


@lru_cache(maxsize=4096)
def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
