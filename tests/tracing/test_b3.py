import pytest

from msframework.tracing.b3 import (
    B3,
    format_multi,
    format_single,
    parse_multi,
    parse_single,
    short_trace_id,
)
from msframework.tracing.span import PropagatedFields, SpanContext

TRACE, SPAN, PARENT = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1", "05e3ac9a4f6e3b90"
SHORT = "64fe8b2a57d3eff7"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f"{TRACE}-{SPAN}-1-{PARENT}", B3(TRACE, SPAN, PARENT, True)),
        (f"{TRACE}-{SPAN}-0", B3(TRACE, SPAN, None, False)),
        (f"{TRACE}-{SPAN}-d", B3(TRACE, SPAN, None, True, True)),
        (f"{TRACE}-{SPAN}", B3(TRACE, SPAN)),
        (f"{SHORT}-{SPAN}-1", B3(SHORT.zfill(32), SPAN, None, True)),
        (f" {TRACE.upper()}-{SPAN.upper()}-1\t", B3(TRACE, SPAN, None, True)),
        (f"{TRACE}-{SPAN}-1-{'0' * 16}", B3(TRACE, SPAN, None, True)),
        ("0", B3(sampled=False)),
        ("1", B3(sampled=True)),
        ("d", B3(sampled=True, debug=True)),
    ],
)
def test_a_single_header_is_read(value, found):
    assert parse_single(value) == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2",
        "true",
        TRACE,
        f"{TRACE}-",
        f"{TRACE}-{SPAN}-",
        f"{TRACE}-{SPAN}-2",
        f"{TRACE}-{SPAN}-1-{PARENT}-1",
        f"{TRACE[:-1]}-{SPAN}-1",
        f"{TRACE}-{SPAN[:-1]}-1",
        f"{'0' * 32}-{SPAN}-1",
        f"{TRACE}-{'0' * 16}-1",
        f"{TRACE}-{SPAN}-1\n",
        f"g{TRACE[1:]}-{SPAN}-1",
    ],
)
def test_a_malformed_single_header_is_none(value):
    assert parse_single(value) is None


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ((TRACE, SPAN, PARENT, "1", None), B3(TRACE, SPAN, PARENT, True)),
        ((SHORT, SPAN, None, "0", None), B3(SHORT.zfill(32), SPAN, None, False)),
        ((TRACE, SPAN, "nonsense", None, None), B3(TRACE, SPAN)),
        ((TRACE, SPAN, None, "True", None), B3(TRACE, SPAN, None, True)),
        ((TRACE, SPAN, None, "0", "1"), B3(TRACE, SPAN, None, True, True)),
        ((TRACE, None, None, "1", None), B3(sampled=True)),
        ((TRACE, "x", None, "0", None), B3(sampled=False)),
        ((None, None, None, "false", None), B3(sampled=False)),
        ((None, None, None, None, " 1 "), B3(sampled=True, debug=True)),
        ((None, None, None, "maybe", "0"), None),
        ((TRACE, "0" * 16, None, None, None), None),
        ((None, None, None, None, None), None),
    ],
)
def test_multi_headers_are_read(headers, found):
    assert parse_multi(*headers) == found


@pytest.mark.parametrize(
    ("context", "header"),
    [
        (SpanContext(TRACE, SPAN, None, True), f"{TRACE}-{SPAN}-1"),
        (SpanContext(TRACE, SPAN, PARENT, False), f"{TRACE}-{SPAN}-0-{PARENT}"),
        (SpanContext(TRACE, SPAN, PARENT, None), f"{TRACE}-{SPAN}"),
        (SpanContext(TRACE, SPAN, None, True, PropagatedFields(debug=True)), f"{TRACE}-{SPAN}-d"),
        (SpanContext(SHORT.zfill(32), SPAN, None, True), f"{SHORT}-{SPAN}-1"),
    ],
)
def test_a_single_header_is_written(context, header):
    assert format_single(context) == header


def test_multi_headers_are_written():
    assert format_multi(SpanContext(TRACE, SPAN, PARENT, False)) == {
        "X-B3-TraceId": TRACE,
        "X-B3-SpanId": SPAN,
        "X-B3-ParentSpanId": PARENT,
        "X-B3-Sampled": "0",
    }
    debug = format_multi(SpanContext(TRACE, SPAN, None, True, PropagatedFields(debug=True)))
    assert debug == {"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Flags": "1"}
    assert "X-B3-Sampled" not in format_multi(SpanContext(TRACE, SPAN))


def test_only_64_bit_ids_are_shortened():
    assert short_trace_id(SHORT.zfill(32)) == SHORT
    assert short_trace_id(TRACE) == TRACE
