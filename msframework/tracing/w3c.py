"""W3C Trace Context Level 2 (`traceparent`, `tracestate`) and W3C Baggage.

Runs per request that carries or sends them. Rules are those of
https://www.w3.org/TR/trace-context-2/ and https://www.w3.org/TR/baggage/.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from msframework.tracing.span import SpanContext

SAMPLED: Final = 0x01
RANDOM: Final = 0x02
MAX_MEMBERS: Final = 32
# NOTE: at least 512 have to be passed on; one member alone may be 513 characters long.
MAX_TRACESTATE: Final = 2048
LONG_MEMBER: Final = 128
MAX_BAGGAGE: Final = 8192

_PARENT = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
).fullmatch
# Sent today: version 00, and no flags but these two.
OWN_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-0([0-3])").fullmatch
_MEMBER = re.compile(
    r"(?P<key>[a-z0-9][a-z0-9_\-*/@]{0,255})="
    r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
).fullmatch


class TraceParent(NamedTuple):
    """The fields of a `traceparent` header that version 00 knows."""

    trace_id: str
    span_id: str
    flags: int


def parse_traceparent(value: str) -> TraceParent | None:
    """Read a `traceparent` header of version 00 or a later one; `None` when it is malformed."""
    match = _PARENT(value.strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, flags, tail = match.groups()
    if version == "ff" or (version == "00" and tail is not None):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceParent(trace_id, span_id, int(flags, 16))


def format_traceparent(context: SpanContext) -> str:
    """Return the `traceparent` header of *context*: version 00, flags that are not known zero."""
    flags = (SAMPLED if context.sampled else 0) | (RANDOM if context.carried.random else 0)
    return f"00-{context.trace_id}-{context.span_id}-0{flags}"


def parse_tracestate(values: Iterable[str]) -> str:
    """Combine the `tracestate` headers in their order; empty when any member is malformed.

    More than 32 members and keys given twice count as malformed. Empty members are left out, and
    a list that is too long to pass on is cut as the recommendation says.
    """
    members: dict[str, str] = {}
    for part in ",".join(values).split(","):
        text = part.strip(" \t")
        if not text:
            continue
        # NOTE: spaces before a member are its surroundings, so a key never begins with one.
        match = _MEMBER(text)
        if match is None or match["key"] in members or len(members) == MAX_MEMBERS:
            return ""
        members[match["key"]] = text
    return _shorten(list(members.values()))


def _shorten(members: list[str]) -> str:
    """Join *members*; of too many, long ones go first, from the end, then the last ones."""
    total = sum(map(len, members)) + max(len(members) - 1, 0)
    for limit in (LONG_MEMBER, 0):
        for index in reversed(range(len(members))):
            if total <= MAX_TRACESTATE:
                break
            if len(members[index]) > limit:
                total -= len(members.pop(index)) + 1
    return ",".join(members)


def parse_baggage(values: Iterable[str], allowed: Collection[str]) -> dict[str, str]:
    """Read the *allowed* keys of `baggage` headers; properties after `;` are left out."""
    text = ",".join(values)
    baggage: dict[str, str] = {}
    if len(text) > MAX_BAGGAGE:
        return baggage
    for member in text.split(","):
        key, equals, value = member.partition(";")[0].partition("=")
        key = key.strip(" \t")
        if equals and key in allowed:
            baggage[key] = unquote(value.strip(" \t"))
    return baggage


def format_baggage(baggage: Mapping[str, str], allowed: Collection[str]) -> str:
    """Return the `baggage` header of the *allowed* items; empty for none, bounded in size."""
    members: list[str] = []
    size = 0
    for key, value in baggage.items():
        if key not in allowed:
            continue
        member = f"{key}={quote(value, safe='', errors='replace')}"
        size += len(member) + 1
        if size > MAX_BAGGAGE:
            break
        members.append(member)
    return ",".join(members)
