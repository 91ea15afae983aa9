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

from msframework.tracing.b3 import short_trace_id
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
_FREE_TEXT: Final = frozenset(("error", "error.message", "message", "http.url", "db.statement"))
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
        self._local = _endpoint(service_name, host, port)

    def encode(self, span: Span) -> bytes:
        """Return *span* as one JSON object; encoded once, however many exporters ask."""
        try:
            return span._encoded
        except AttributeError:
            pass
        encoded = orjson.dumps(self.describe(span))
        span._encoded = encoded
        return encoded

    def describe(self, span: Span) -> dict[str, Any]:
        """Return *span* as the object that Zipkin wants."""
        offset = time() - perf_counter()
        described: dict[str, Any] = {
            "traceId": short_trace_id(span.trace_id),
            "id": span.span_id,
            "name": _text(span.operation_name).lower(),
            "timestamp": int((span.start + offset) * 1e6),
            "duration": max(1, round((span.end - span.start) * 1e6)),
            "localEndpoint": self._local,
        }
        if span.parent_id is not None:
            described["parentId"] = span.parent_id
        if span.kind is not None:
            described["kind"] = _text(span.kind).upper()
        if span.carried.debug:
            described["debug"] = True
        tags = span.tags
        if not _PEER.isdisjoint(tags):
            remote = _remote(tags)
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
        redactor = self._redactor
        texts: dict[str, str] = {}
        # NOTE: another thread may still write to a span that it shares, hence the copy.
        for key, value in list(tags.items())[:MAX_TAGS]:
            name = key if key.__class__ is str else _text(key)
            # NOTE: an endpoint holds addresses only; the name of a host stays a tag.
            if name in _PEER and (name != "peer.hostname" or _is_address(_text(value))):
                continue
            if redactor.hides(name):
                texts[name] = HIDDEN
                continue
            text = _text(value)
            texts[_text(name)] = redactor.scrub(text) if name in _FREE_TEXT else text
        return texts

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
    if value is True or value is False:
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


def _remote(tags: Mapping[str, Any]) -> Endpoint:
    """Return the other side, as the `peer.*` tags describe it."""
    return _read_remote(
        *(_text(tags[key]) if key in tags else "" for key in _PEER_ORDER),
    )


# PERF: a service talks to few others; addresses of callers are bounded by the size.
@lru_cache(maxsize=4096)
def _read_remote(
    service: str, ipv4: str, ipv6: str, hostname: str, address: str, port: str
) -> Endpoint:
    """Return the endpoint; callers share it, and only ever encode it."""
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
