"""Spans as Zipkin v2 JSON (https://zipkin.io/zipkin-api/zipkin2-api.yaml).

Runs in the queue's task, never in a request.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from time import perf_counter, time
from typing import Any, Final

import msgspec
import orjson
from msgspec import UNSET, Raw, Struct, UnsetType

from msframework.tracing.b3 import ZEROS, short_trace_id
from msframework.tracing.redact import HIDDEN, Redactor
from msframework.tracing.span import PEER, Span, Template

MAX_VALUE: Final = 4096
MAX_TAGS: Final = 128
# Written freely by exceptions and users, so that it may hold anything.
_FREE_TEXT: Final = frozenset(("db.statement", "error", "error.message", "message", "http.url"))
# The treatment of a tag's value, by its name.
_AS_IT_IS, _SCRUBBED, _HIDDEN, _PEER_TAG = range(4)
_MAX_KNOWN: Final = 1024
_LARGEST: Final = 10**18
_KINDS: Final = {kind.lower(): kind for kind in ("SERVER", "CLIENT", "PRODUCER", "CONSUMER")}
ZipkinEndpoint = dict[str, Any]
# Name, kind, tags and peer of a template.
Known = tuple[str, "str | UnsetType", dict[str, str], "Raw | UnsetType"]


class _ZipkinSpan(Struct, rename="camel"):
    """The members of a span's JSON, in their order."""

    trace_id: str
    id: str
    parent_id: str | UnsetType
    name: str
    kind: str | UnsetType
    local_endpoint: Raw
    timestamp: int
    duration: int
    remote_endpoint: Raw | UnsetType
    tags: dict[str, str]
    annotations: list[dict[str, Any]] | UnsetType = UNSET
    debug: bool | UnsetType = UNSET


_encode: Final = msgspec.json.Encoder().encode


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
        self._templates: dict[Template, Known] = {}
        self._local = Raw(_encode(_endpoint(service_name, host, port)))

    def encode(self, span: Span) -> bytes:
        """Return *span* as one JSON object; encoded once, however many exporters ask."""
        encoded = span._encoded
        if encoded is None:
            line = self._describe(span)
            try:
                encoded = _encode(line)
            except (TypeError, UnicodeEncodeError):
                # The ids of a context that is none of ours.
                line.trace_id, line.id = _text(line.trace_id), _text(line.id)
                line.parent_id = line.parent_id and _text(line.parent_id)
                encoded = _encode(line)
            span._encoded = encoded
        return encoded

    def describe(self, span: Span) -> dict[str, Any]:
        """Return *span* as the object that Zipkin wants."""
        described: dict[str, Any] = orjson.loads(self.encode(span))
        return described

    def _describe(self, span: Span) -> _ZipkinSpan:
        """Return the members of the JSON of *span*, each as text already.

        PERF: the text that the spans of one template share is looked up (benchmarks/tracing.py,
        rows "span of … to JSON").
        """
        trace_id = span.trace_id
        if trace_id.startswith(ZEROS):
            trace_id = short_trace_id(trace_id)
        template = span._template
        if template is None or template.name != span.operation_name or template.kind != span.kind:
            name, kind = _text(span.operation_name).lower(), _kind(span.kind)
            tags: dict[str, str] = {}
            remote = self._add(span.tags, tags)
        else:
            name, kind, tags, remote = self._templates.get(template) or self._learn(template)
            tags = tags.copy()
            self._add(span._own, tags)
        offset = time() - perf_counter()
        line = _ZipkinSpan(
            trace_id,
            span.span_id,
            span.parent_id or UNSET,
            name,
            kind,
            self._local,
            int((span.start + offset) * 1e6),
            int((span.end - span.start) * 1e6) or 1,
            remote,
            tags,
        )
        if span._logs is not None:
            line.annotations = self._annotations(span.logs, offset)
        if span.carried.debug:
            line.debug = True
        return line

    def _learn(self, template: Template) -> Known:
        """Return the text that the spans of *template* share."""
        tags: dict[str, str] = {}
        remote = self._add(template.tags, tags)
        known = _text(template.name).lower(), _kind(template.kind), tags, remote
        if len(self._templates) >= _MAX_KNOWN:
            self._templates.clear()
        self._templates[template] = known
        return known

    def _add(self, tags: Mapping[str, Any], shown: dict[str, str]) -> Raw | UnsetType:
        """Add *tags* to *shown*, as texts, and return the tags of the peer."""
        ways = self._ways
        remote: Raw | UnsetType = UNSET
        # NOTE: another thread may still write to a span that it shares, hence the copy.
        items = list(tags.items())
        room = MAX_TAGS - len(shown)
        if len(items) > room:
            del items[room:]
        for key, value in items:
            name, way = ways.get(key) or self._learn_name(key)
            # PERF: `_text`, without the call for values of the usual types.
            if value.__class__ is str and value.isascii() and len(value) <= MAX_VALUE:
                text = value
            elif value.__class__ is int and -_LARGEST < value < _LARGEST:
                text = str(value)
            else:
                text = _text(value)
            if way is _AS_IT_IS:
                shown[name] = text
            elif way is _SCRUBBED:
                shown[name] = self._redactor.scrub(text)
            elif way is _HIDDEN:
                shown[name] = HIDDEN
            else:
                remote = remote or _remote(*map(tags.get, PEER))
                if name == "peer.hostname" and not _is_address(text):
                    # NOTE: an endpoint holds addresses only; the name of a host stays a tag.
                    shown[name] = text
        return remote

    def _learn_name(self, key: Any) -> tuple[str, int]:
        """Return the name of a tag, and the treatment of its values."""
        name = _text(key)
        if self._redactor.hides(name):
            way = _HIDDEN
        elif name in PEER:
            way = _PEER_TAG
        elif name in _FREE_TEXT:
            way = _SCRUBBED
        else:
            way = _AS_IT_IS
        # NOTE: 1 and True are the same key of a dict, and not the same name.
        if key.__class__ is str and len(self._ways) < _MAX_KNOWN:
            self._ways[key] = name, way
        return name, way

    def _annotations(
        self, logs: Iterable[tuple[float, Mapping[str, Any]]], offset: float
    ) -> list[dict[str, Any]]:
        return [
            {"timestamp": int((when + offset) * 1e6), "value": self._annotation(fields)}
            for when, fields in list(logs)
        ]

    def _annotation(self, fields: Mapping[str, Any]) -> str:
        if len(fields) == 1 and "event" in fields:
            return self._redactor.scrub(_text(fields["event"]))
        shown = {
            _text(key): HIDDEN if self._redactor.hides(key) else self._redactor.scrub(_text(value))
            for key, value in list(fields.items())
        }
        return _text(orjson.dumps(shown).decode())


def _kind(kind: str | None) -> str | UnsetType:
    return UNSET if kind is None else _KINDS.get(kind) or _text(kind).upper()


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


def _remote(*values: Any) -> Raw | UnsetType:
    """Return the other side, as the `peer.*` tags describe it."""
    try:
        return _read_remote(*values)
    except TypeError:  # it cannot be hashed
        return _read_remote.__wrapped__(*values)


# PERF: a service talks to few others; addresses of callers are bounded by the size.
@lru_cache(maxsize=4096, typed=True)
def _read_remote(*values: Any) -> Raw | UnsetType:
    service, ipv4, ipv6, hostname, address, port = (
        "" if value is None else _text(value) for value in values
    )
    for text in (ipv4, ipv6, hostname, address):
        if _is_address(text):
            return _member(_endpoint(service, text, port))
    host, _, tail = address.rpartition(":")
    return _member(_endpoint(service, host, port or tail))


def _member(endpoint: ZipkinEndpoint) -> Raw | UnsetType:
    return Raw(_encode(endpoint)) if endpoint else UNSET


def _endpoint(service: str, address: str, port: Any) -> ZipkinEndpoint:
    endpoint: ZipkinEndpoint = {}
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
