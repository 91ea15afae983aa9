"""Spans as Zipkin v2 JSON (https://zipkin.io/zipkin-api/zipkin2-api.yaml).

Runs in the queue's task, never in a request.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
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
_AS_IT_IS, _SCRUBBED, _STATEMENT, _HIDDEN, _PEER_TAG, _ODD = range(6)
_MAX_KNOWN: Final = 1024
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
        self._ways: dict[str, int] = {}
        self._statements: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._local = _endpoint(service_name, host, port)

    def encode(self, span: Span) -> bytes:
        """Return *span* as one JSON object; encoded once, however many exporters ask."""
        encoded = span._encoded
        if encoded is None:
            encoded = span._encoded = orjson.dumps(self.describe(span))
        return encoded

    def describe(self, span: Span) -> dict[str, Any]:
        """Return *span* as the object that Zipkin wants."""
        offset = time() - perf_counter()
        described: dict[str, Any] = {
            "traceId": span.trace_id,
            "id": span.span_id,
            "name": self._names.get(span.operation_name) or self._learn_name(span.operation_name),
            "timestamp": int((span.start + offset) * 1e6),
            "duration": int((span.end - span.start) * 1e6) or 1,
            "localEndpoint": self._local,
        }
        if span.trace_id.startswith(ZEROS):
            described["traceId"] = short_trace_id(span.trace_id)
        if span.parent_id is not None:
            described["parentId"] = span.parent_id
        if span.kind is not None:
            described["kind"] = _KINDS.get(span.kind) or _text(span.kind).upper()
        if span.carried.debug:
            described["debug"] = True
        tags = span.tags
        if not _PEER.isdisjoint(tags):
            remote = _remote(*map(tags.get, _PEER_ORDER))
            if remote:
                described["remoteEndpoint"] = remote
        described["tags"] = self._tags(tags)
        if span.logs:
            described["annotations"] = [
                {"timestamp": int((when + offset) * 1e6), "value": self._annotation(fields)}
                for when, fields in span.logs
            ]
        return described

    def _tags(self, tags: Mapping[str, Any]) -> dict[str, str]:
        ways = self._ways
        texts: dict[str, str] = {}
        # NOTE: another thread may still write to a span that it shares, hence the copy.
        for key, value in list(tags.items())[:MAX_TAGS]:
            name = key if key.__class__ is str else _text(key)
            way = ways.get(name)
            if way is None:
                way = self._learn(name)
            if way is _AS_IT_IS:
                # PERF: `_text`, without the call for what most values are.
                plain = value.__class__ is str and value.isascii() and len(value) <= MAX_VALUE
                texts[name] = value if plain else _text(value)
            elif way is _SCRUBBED:
                texts[name] = self._redactor.scrub(_text(value))
            elif way is _STATEMENT:
                texts[name] = self._statement(_text(value))
            elif way is _HIDDEN:
                texts[_text(name)] = HIDDEN
            elif way is _ODD:
                texts[_text(name)] = _text(value)
            elif name == "peer.hostname" and not _is_address(_text(value)):
                # NOTE: an endpoint holds addresses only; the name of a host stays a tag.
                texts[name] = _text(value)
        return texts

    def _learn_name(self, name: str) -> str:
        """Return the name of an operation as Zipkin wants it."""
        low = _text(name).lower()
        if len(self._names) < _MAX_KNOWN:
            self._names[name] = low
        return low

    def _learn(self, name: str) -> int:
        """Return what is done with values of tags called *name*."""
        if self._redactor.hides(name):
            way = _HIDDEN
        elif name in _PEER:
            way = _PEER_TAG
        elif name == "db.statement":
            way = _STATEMENT
        elif name in _FREE_TEXT:
            way = _SCRUBBED
        else:
            way = _AS_IT_IS if _text(name) == name else _ODD
        if len(self._ways) < _MAX_KNOWN:
            self._ways[name] = way
        return way

    def _statement(self, text: str) -> str:
        """Return *text* scrubbed; services have few statements, each many times over."""
        found = self._statements.get(text)
        if found is None:
            found = self._redactor.scrub(text)
            if len(self._statements) >= _MAX_KNOWN:
                self._statements.clear()
            self._statements[text] = found
        return found

    def _annotation(self, fields: Mapping[str, Any]) -> str:
        if len(fields) == 1 and "event" in fields:
            return self._redactor.scrub(_text(fields["event"]))
        shown = {
            _text(key): HIDDEN if self._redactor.hides(key) else self._redactor.scrub(_text(value))
            for key, value in list(fields.items())
        }
        return _text(orjson.dumps(shown).decode())


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


def _remote(*values: Any) -> Endpoint:
    """Return the other side, as the `peer.*` tags describe it."""
    try:
        return _read_remote(*values)
    except TypeError:  # what cannot be hashed
        return _read_remote.__wrapped__(*values)


# PERF: a service talks to few others; addresses of callers are bounded by the size.
@lru_cache(maxsize=4096, typed=True)
def _read_remote(*values: Any) -> Endpoint:
    """Return the endpoint; callers share it, and only ever encode it."""
    service, ipv4, ipv6, hostname, address, port = (
        "" if value is None else _text(value) for value in values
    )
    for text in (ipv4, ipv6, hostname, address):
        if _is_address(text):
            return _endpoint(service, text, port)
    host, _, tail = address.rpartition(":")
    return _endpoint(service, host, port or tail)


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
