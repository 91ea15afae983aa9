"""B3 headers, single and multi, as https://github.com/openzipkin/b3-propagation describes them.

Runs per request that carries or sends them.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from msframework.tracing.span import SpanContext

_HEX = "[0-9a-fA-F]"
_SINGLE = re.compile(
    rf"(?P<trace>{_HEX}{{32}}|{_HEX}{{16}})-(?P<span>{_HEX}{{16}})"
    rf"(?:-(?P<state>[01d])(?:-(?P<parent>{_HEX}{{16}}))?)?"
).fullmatch
# As our own services send it: 128 bits, a decision, no debug.
OWN_FORM = re.compile(
    r"(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([01])(?:-(?!0{16})([0-9a-f]{16}))?"
).fullmatch
_TRACE_ID = re.compile(rf"{_HEX}{{32}}|{_HEX}{{16}}").fullmatch
_SPAN_ID = re.compile(rf"{_HEX}{{16}}").fullmatch
_DECISIONS: Final = {"1": True, "0": False, "true": True, "false": False}
ZEROS: Final = "0" * 16


class B3(NamedTuple):
    """The values of B3 headers; empty ids where they hold only a decision."""

    trace_id: str = ""
    span_id: str = ""
    parent_id: str | None = None
    sampled: bool | None = None
    debug: bool = False


def parse_single(value: str) -> B3 | None:
    """Read a `b3` header: `{trace}-{span}[-{state}[-{parent}]]`, or a state alone."""
    value = value.strip(" \t")
    if value in ("0", "1", "d"):
        return B3(sampled=value != "0", debug=value == "d")
    match = _SINGLE(value)
    if match is None:
        return None
    state = match["state"]
    return _with_ids(
        match["trace"],
        match["span"],
        match["parent"],
        None if state is None else state != "0",
        state == "d",
    )


def parse_multi(
    trace_id: str | None,
    span_id: str | None,
    parent_id: str | None,
    sampled: str | None,
    flags: str | None,
) -> B3 | None:
    """Read the `X-B3-*` headers; malformed ids leave the decision standing."""
    debug = flags is not None and flags.strip(" \t") == "1"
    decision = None if sampled is None else _DECISIONS.get(sampled.strip(" \t").lower())
    if debug:
        decision = True
    found = None
    if trace_id is not None and span_id is not None:
        trace_id, span_id = trace_id.strip(" \t"), span_id.strip(" \t")
        if _TRACE_ID(trace_id) and _SPAN_ID(span_id):
            parent = None if parent_id is None else parent_id.strip(" \t")
            if parent is not None and not _SPAN_ID(parent):
                parent = None
            found = _with_ids(trace_id, span_id, parent, decision, debug)
    if found is None and decision is not None:
        found = B3(sampled=decision, debug=debug)
    return found


def _with_ids(
    trace_id: str, span_id: str, parent_id: str | None, sampled: bool | None, debug: bool
) -> B3 | None:
    trace_id, span_id = trace_id.lower().zfill(32), span_id.lower()
    if not trace_id.strip("0") or span_id == ZEROS:
        return None
    if parent_id is not None:
        parent_id = parent_id.lower()
        if parent_id == ZEROS:
            parent_id = None
    return B3(trace_id, span_id, parent_id, sampled, debug)


def short_trace_id(trace_id: str) -> str:
    """Return the 16 digits that 64-bit systems know, where the upper half is zero."""
    return trace_id[16:] if trace_id.startswith(ZEROS) else trace_id


def format_single(context: SpanContext) -> str:
    """Return the `b3` header of *context*."""
    if context.carried.debug:
        state = "-d"
    elif context.sampled is None:
        return f"{short_trace_id(context.trace_id)}-{context.span_id}"
    else:
        state = "-1" if context.sampled else "-0"
    if context.parent_id is None:
        return f"{short_trace_id(context.trace_id)}-{context.span_id}{state}"
    return f"{short_trace_id(context.trace_id)}-{context.span_id}{state}-{context.parent_id}"


def format_multi(context: SpanContext) -> dict[str, str]:
    """Return the `X-B3-*` headers of *context*."""
    headers = {
        "X-B3-TraceId": short_trace_id(context.trace_id),
        "X-B3-SpanId": context.span_id,
    }
    if context.parent_id is not None:
        headers["X-B3-ParentSpanId"] = context.parent_id
    if context.carried.debug:
        headers["X-B3-Flags"] = "1"
    elif context.sampled is not None:
        headers["X-B3-Sampled"] = "1" if context.sampled else "0"
    return headers
