"""Trace context out of headers, and into them; for servers, clients, and by hand.

Runs per request. The order of preference is `b3`, `X-B3-*`, `traceparent`; a malformed header
counts as absent. Where B3 and `traceparent` name the same trace, `tracestate` goes along.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Any, Final, Protocol

from multidict import CIMultiDict, CIMultiDictProxy, istr

from msframework.headers import TOKEN
from msframework.tracing.b3 import (
    B3,
    OWN_FORM,
    ZEROS,
    format_multi,
    format_single,
    parse_multi,
    parse_single,
)
from msframework.tracing.span import EMPTY, OWN, PropagatedFields, Span, SpanContext, new_span_id
from msframework.tracing.w3c import (
    OWN_PARENT,
    RANDOM,
    SAMPLED,
    TraceParent,
    format_baggage,
    format_traceparent,
    parse_baggage,
    parse_traceparent,
    parse_tracestate,
)

TRUSTED_BY_DEFAULT: Final = ("sampled", "request_id")
FORMATS: Final = ("b3", "traceparent")
_is_token = re.compile(TOKEN).fullmatch

# PERF: istr is folded once, not per look-up (benchmarks/tracing.py, row "extract of none").
_B3 = istr("b3")
_TRACE_ID = istr("x-b3-traceid")
_SPAN_ID = istr("x-b3-spanid")
_PARENT_ID = istr("x-b3-parentspanid")
_SAMPLED = istr("x-b3-sampled")
_FLAGS = istr("x-b3-flags")
_TRACEPARENT = istr("traceparent")
_TRACESTATE = istr("tracestate")
_BAGGAGE = istr("baggage")
_REMOTE: Final = PropagatedFields(random=False)
_REMOTE_RANDOM: Final = PropagatedFields()
# The fields of a SpanContext, in its order.
ContextFields = tuple[str, str, str | None, bool | None, PropagatedFields]


class Carrier(Protocol):
    """Headers as requests have them.

    Attributes:
        fields: the first value of each header, by its name in small letters.
        repeats: whether some header is there more than once.
        headers: all of them.
    """

    fields: dict[str, str]
    repeats: bool
    headers: Any


class _FoldedHeaders:
    """Any headers as a `Carrier`."""

    __slots__ = ("fields", "headers", "repeats")

    def __init__(self, headers: CIMultiDict[str]) -> None:
        self.headers = headers
        self.fields: dict[str, str] = {}
        for name, value in headers.items():
            self.fields.setdefault(name.lower(), value)
        self.repeats = len(self.fields) != len(headers)


class LazyPropagatedFields(PropagatedFields):
    """Reads `tracestate` when somebody asks for it: only calls of other services do.

    PERF: reading costs several times as much as all other headers (benchmarks/tracing.py).
    """

    __slots__ = ("_text", "_values")

    def __init__(self, random: bool, values: Sequence[str]) -> None:
        self.debug, self.random, self.baggage = False, random, EMPTY
        self._values = values
        self._text: str | None = None

    @property
    def tracestate(self) -> str:  # type: ignore[override]
        """The combined value; empty when it is malformed."""
        if self._text is None:
            self._text = parse_tracestate(self._values)
        return self._text


class Propagator:
    """Reads and writes the headers that carry a trace from process to process.

    Args:
        formats: the headers that are written: `b3`, `b3multi`, `traceparent`. All are read.
        trust: the properties that callers may force: `sampled`, `debug`, `baggage`.
        baggage: the keys that are passed on; a key that is no HTTP token is never written.
    """

    __slots__ = (
        "_b3",
        "_b3multi",
        "_baggage",
        "_debug",
        "_default",
        "_read_baggage",
        "_sampled",
        "_w3c",
    )

    def __init__(
        self,
        formats: Collection[str] = FORMATS,
        trust: Collection[str] = TRUSTED_BY_DEFAULT,
        baggage: Collection[str] = (),
    ) -> None:
        self._b3, self._b3multi = "b3" in formats, "b3multi" in formats
        self._w3c = "traceparent" in formats
        self._default = self._b3 and self._w3c and not self._b3multi
        self._sampled, self._debug = "sampled" in trust, "debug" in trust
        self._baggage = frozenset(key for key in baggage if _is_token(key))
        self._read_baggage = "baggage" in trust and bool(self._baggage)

    def extract(self, headers: Mapping[str, Any]) -> SpanContext | None:
        """Return the caller's context; `None` when *headers* hold none. Never raises.

        The context has empty ids where the headers hold only a decision.
        """
        folded: Any = headers
        if not isinstance(headers, (CIMultiDict, CIMultiDictProxy)):
            folded = fold(headers)
        found = self.read(_FoldedHeaders(folded))
        return None if found is None else SpanContext(*found)

    def read(self, carrier: Carrier) -> ContextFields | None:
        """Return the fields of the context that `extract` returns: requests need no more.

        PERF: the headers of our own services, and a `traceparent` alone, take a short way; a test
        compares it with the long one (benchmarks/tracing.py, rows "extract of …").
        """
        fields, found = carrier.fields, None
        parent, multi = fields.get("traceparent"), "x-b3-traceid" in fields
        multi = multi or "x-b3-sampled" in fields or "x-b3-flags" in fields
        if parent is None and not multi and "b3" not in fields:
            return None
        if not carrier.repeats and not self._read_baggage:
            if "b3" in fields:
                found = self._read_own(fields)
            elif parent is not None and not multi:
                found = self._read_parent(parent, fields)
        return self.read_all(carrier.headers) if found is None else found

    def _read_own(self, fields: Mapping[str, str]) -> ContextFields | None:
        """Read the headers of a service of ours; `None` leaves all others to the long way."""
        match = OWN_FORM(fields["b3"])
        if match is None:
            return None
        trace_id, span_id, state, parent_id = match.groups()
        carried, parent = _REMOTE, fields.get("traceparent")
        if parent is not None:
            if parent != f"00-{trace_id}-{span_id}-0{'3' if state == '1' else '2'}":
                return None
            carried = _REMOTE_RANDOM
            if "tracestate" in fields:
                carried = LazyPropagatedFields(True, (fields["tracestate"],))
        return trace_id, span_id, parent_id, state == "1" if self._sampled else None, carried

    def _read_parent(self, parent: str, fields: Mapping[str, str]) -> ContextFields | None:
        """Read a `traceparent` of version 00 with known flags, where there are no B3 headers."""
        match = OWN_PARENT(parent)
        if match is None:
            return None
        trace_id, span_id, flags = match.groups()
        if "tracestate" in fields:
            carried: PropagatedFields = LazyPropagatedFields(flags in "23", (fields["tracestate"],))
        else:
            carried = _REMOTE_RANDOM if flags in "23" else _REMOTE
        return trace_id, span_id, None, flags in "13" if self._sampled else None, carried

    def read_all(self, headers: CIMultiDict[str]) -> ContextFields | None:
        """Return the same as `read`, for headers of any form."""
        b3, parent = _read_b3(headers), None
        value = _single(headers, _TRACEPARENT)
        if value is not None:
            parent = parse_traceparent(value)
        if b3 is None and parent is None:
            return None
        if b3 is not None and (b3.trace_id or parent is None):
            same = parent is not None and parent.trace_id == b3.trace_id
            carried = self._carry(headers, b3.debug, parent if same else None)
            sampled = self._decision(b3.sampled, carried)
            return b3.trace_id, b3.span_id, b3.parent_id, sampled, carried
        assert parent is not None
        carried = self._carry(headers, b3 is not None and b3.debug, parent)
        decision = bool(parent.flags & SAMPLED) if b3 is None else b3.sampled
        sampled = self._decision(decision, carried)
        return parent.trace_id, parent.span_id, None, sampled, carried

    def _decision(self, asked: bool | None, carried: PropagatedFields) -> bool | None:
        if carried.debug:
            return True
        return asked if self._sampled else None

    def _carry(
        self, headers: CIMultiDict[str], debug: bool, parent: TraceParent | None
    ) -> PropagatedFields:
        carried = PropagatedFields(
            debug and self._debug, parent is not None and bool(parent.flags & RANDOM)
        )
        if parent is not None and _TRACESTATE in headers:
            carried.tracestate = parse_tracestate(headers.getall(_TRACESTATE))
        if self._read_baggage and _BAGGAGE in headers:
            carried.baggage = parse_baggage(headers.getall(_BAGGAGE), self._baggage)
        return carried

    def inject(self, span: Span | SpanContext, headers: MutableMapping[str, str]) -> None:
        """Write the context of *span* into *headers*, in the formats that settings name."""
        context = span.context if isinstance(span, Span) else span
        if not context.trace_id:
            return
        if self._b3:
            headers["b3"] = format_single(context)
        if self._b3multi:
            headers.update(format_multi(context))
        if self._w3c:
            headers["traceparent"] = format_traceparent(context)
        carried = context.carried
        if carried is OWN:
            return
        if self._w3c and carried.tracestate:
            headers["tracestate"] = carried.tracestate
        if self._baggage and carried.baggage:
            baggage = format_baggage(carried.baggage, self._baggage)
            if baggage:
                headers["baggage"] = baggage

    def lines(self, span: Span) -> str:
        """Return the headers of `inject` as lines of a head; each ends with its line break.

        Raises:
            ValueError: a value has a line break in it.
        """
        return self._write(span.trace_id, span.span_id, span.parent_id, span.sampled, span.carried)

    def lines_under(self, parent: Span) -> str:
        """Return the lines of a span under *parent*, which is not kept; nobody else needs one.

        Raises:
            ValueError: a value has a line break in it.
        """
        trace_id = parent.trace_id
        return self._write(trace_id, new_span_id(), parent.span_id, False, parent.carried)

    def _write(
        self,
        trace_id: str,
        span_id: str,
        parent_id: str | None,
        sampled: bool,
        carried: PropagatedFields,
    ) -> str:
        """Return the lines of one context.

        PERF: the formats that are sent by default, of a trace that carries nothing else, need no
        context and no dict (benchmarks/client.py).
        """
        if not trace_id:
            return ""
        if (
            not self._default
            or trace_id.startswith(ZEROS)
            or carried.debug
            or (carried is not OWN and (carried.tracestate or carried.baggage))
        ):
            headers: dict[str, str] = {}
            self.inject(SpanContext(trace_id, span_id, parent_id, sampled, carried), headers)
            return _as_lines(headers)
        state = "1" if sampled else "0"
        flags = (SAMPLED if sampled else 0) | (RANDOM if carried.random else 0)
        b3 = f"b3: {trace_id}-{span_id}-{state}{'' if parent_id is None else '-' + parent_id}"
        return f"{b3}\r\ntraceparent: 00-{trace_id}-{span_id}-0{flags}\r\n"


def _as_lines(headers: dict[str, str]) -> str:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header of the trace has a line break in it")
    return "".join([f"{line}\r\n" for line in lines])


def _read_b3(headers: CIMultiDict[str]) -> B3 | None:
    value = _single(headers, _B3)
    if value is not None:
        single = parse_single(value)
        if single is not None:
            return single
    return parse_multi(
        _single(headers, _TRACE_ID),
        _single(headers, _SPAN_ID),
        _single(headers, _PARENT_ID),
        _single(headers, _SAMPLED),
        _single(headers, _FLAGS),
    )


def _single(headers: CIMultiDict[str], name: istr) -> str | None:
    """Return the one value of a header; `None` when it is absent or was sent more than once."""
    if name not in headers:
        return None
    values = headers.getall(name)
    return values[0] if len(values) == 1 else None


def fold(headers: Mapping[Any, Any]) -> CIMultiDict[str]:
    """Return any mapping as one that ignores case, without values that are no text."""
    folded: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        key = name.decode("latin-1") if isinstance(name, bytes) else name
        for text in value if isinstance(value, (list, tuple)) else (value,):
            content = text.decode("latin-1") if isinstance(text, bytes) else text
            if isinstance(key, str) and isinstance(content, str):
                folded.add(key, content)
    return folded
