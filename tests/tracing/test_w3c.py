"""The rules of W3C Trace Context Level 2, case by case as the W3C's own harness has them."""

import pytest

from msframework.tracing.span import PropagatedFields, SpanContext
from msframework.tracing.w3c import (
    MAX_BAGGAGE,
    MAX_TRACESTATE,
    TraceParent,
    format_baggage,
    format_traceparent,
    parse_baggage,
    parse_traceparent,
    parse_tracestate,
)

TRACE, SPAN = "12345678901234567890123456789012", "1234567890123456"


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-01", 1),
        (f"00-{TRACE}-{SPAN}-ff", 255),
        (f" \t00-{TRACE}-{SPAN}-00\t ", 0),
        (f"cc-{TRACE}-{SPAN}-01", 1),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", 1),
        (f"01-{TRACE}-{SPAN}-03-", 3),
    ],
)
def test_traceparent_is_read(value, flags):
    assert parse_traceparent(value) == TraceParent(TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"00-{TRACE}-{SPAN}-01.",
        f"00-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"cc-{TRACE}-{SPAN}-01.what-the-future-will-be-like",
        f"ff-{TRACE}-{SPAN}-01",
        f".0-{TRACE}-{SPAN}-01",
        f"0.-{TRACE}-{SPAN}-01",
        f"000-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-.{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}3-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}7-01",
        f"00-{TRACE}-{SPAN[1:]}-01",
        f"00-{TRACE}-{SPAN}-.0",
        f"00-{TRACE}-{SPAN}-0.",
        f"00-{TRACE}-{SPAN}-001",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{'A' * 32}-{SPAN}-01",
        f"0A-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
    ],
)
def test_a_malformed_traceparent_is_none(value):
    assert parse_traceparent(value) is None


@pytest.mark.parametrize(
    ("sampled", "random", "flags"),
    [(True, True, "03"), (True, False, "01"), (False, True, "02"), (None, False, "00")],
)
def test_traceparent_is_version_00_with_known_flags_only(sampled, random, flags):
    context = SpanContext(TRACE, SPAN, None, sampled, PropagatedFields(random=random))

    assert format_traceparent(context) == f"00-{TRACE}-{SPAN}-{flags}"


KEY = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@"
VALUE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")


@pytest.mark.parametrize(
    ("values", "state"),
    [
        (["foo=1,bar=2"], "foo=1,bar=2"),
        (["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        (["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (["foo=1", ""], "foo=1"),
        (["", "foo=1"], "foo=1"),
        (["foo=1,,bar=2, ,"], "foo=1,bar=2"),
        ([""], ""),
        ([f"{KEY}={VALUE}"], f"{KEY}={VALUE}"),
        (["0a=1"], "0a=1"),
        (["foo=  1"], "foo=  1"),
        ([f"{'z' * 256}=1"], f"{'z' * 256}=1"),
        ([f"{'t' * 242}@v=1"], f"{'t' * 242}@v=1"),
        ([f"a={'v' * 256}"], f"a={'v' * 256}"),
        (
            [
                ",".join(f"k{n}={n}" for n in range(20)),
                ",".join(f"k{n}={n}" for n in range(20, 32)),
            ],
            ",".join(f"k{n}={n}" for n in range(32)),
        ),
    ],
)
def test_tracestate_is_combined_in_order(values, state):
    assert parse_tracestate(values) == state


@pytest.mark.parametrize(
    "value",
    [
        "foo=1,foo=1",
        "foo=1,foo=2",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "@foo=1,bar=2",
        "_foo=1,bar=2",
        "foo=bar=baz",
        "foo=,bar=3",
        "=1,bar=3",
        "foo,bar=3",
        f"{'z' * 257}=1,foo=1",
        f"foo={'v' * 257}",
        "foo=\t1",
        "foo=é",
        "foo=1\x7f",
        ",".join(f"k{n}={n}" for n in range(33)),
    ],
)
def test_a_malformed_tracestate_is_discarded_whole(value):
    assert parse_tracestate([value]) == ""


def test_of_a_long_tracestate_long_members_go_first_then_the_last():
    long = [f"l{n}={'x' * 200}" for n in range(12)]
    short = [f"s{n}={'y' * 100}" for n in range(20)]
    members = long[:6] + short + long[6:]

    state = parse_tracestate([",".join(members)])

    assert len(state) <= MAX_TRACESTATE
    assert state == ",".join(short[: state.count(",") + 1])
    one_long = parse_tracestate([",".join([long[0], *short[:17], long[1]])])
    assert one_long == ",".join([long[0], *short[:17]])


def test_baggage_takes_allowed_keys_only():
    values = ["tenant = a%20b ;prop=1, other=2", "user=%C3%A9"]

    assert parse_baggage(values, {"tenant", "user"}) == {"tenant": "a b", "user": "é"}
    assert parse_baggage(["tenant", "x" * MAX_BAGGAGE], {"tenant"}) == {}
    assert parse_baggage(["tenant"], {"tenant"}) == {}


def test_baggage_is_written_for_allowed_keys_and_bounded():
    assert format_baggage({"tenant": "a b,é", "other": "x"}, {"tenant"}) == "tenant=a%20b%2C%C3%A9"
    assert format_baggage({"a": "1", "b": "x" * MAX_BAGGAGE}, {"a", "b"}) == "a=1"
    assert format_baggage({"a": "\ud800"}, {"a"}) == "a=%3F"
