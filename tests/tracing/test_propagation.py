import string
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from sanic.compat import Header

from msframework.tracing import Propagator, Sampler, SpanContext, Tracer, extract, inject
from msframework.tracing.span import PropagatedFields, Span
from msframework.tracing.unsampled import SilentSpan, UnsampledSpan
from msframework.tracing.w3c import format_traceparent
from tests.examples import EXAMPLES, some_examples

TRACE, SPAN, OTHER = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1", "1" * 32
ALL = ("sampled", "debug", "baggage")

hex_id = st.text("0123456789abcdef", min_size=16, max_size=16).filter(lambda text: text.strip("0"))
trace_ids = st.builds(lambda high, low: high + low, hex_id | st.just("0" * 16), hex_id)
members = st.dictionaries(
    st.from_regex(r"[a-z0-9][a-z0-9_\-*/@]{0,20}", fullmatch=True),
    st.from_regex(
        r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,20}[\x21-\x2b\x2d-\x3c\x3e-\x7e]", fullmatch=True
    ),
    max_size=32,
)
contexts = st.builds(
    SpanContext,
    trace_ids,
    hex_id,
    st.none() | hex_id,
    st.booleans(),
    st.builds(
        PropagatedFields,
        random=st.booleans(),
        tracestate=members.map(lambda found: ",".join(f"{k}={v}" for k, v in found.items())),
        baggage=st.dictionaries(st.sampled_from("ab"), st.text(max_size=20)),
    ),
)


def facts(context):
    carried = context.carried
    return (
        context.trace_id,
        context.span_id,
        context.sampled,
        carried.debug,
        carried.random,
        carried.tracestate,
        dict(carried.baggage),
    )


@pytest.mark.parametrize(
    "formats", [("b3", "traceparent"), ("b3multi", "b3", "traceparent"), ("traceparent",), ()]
)
@some_examples
@given(contexts, st.booleans(), st.booleans())
def test_lines_say_what_is_injected(formats, context, debug, plain):
    if plain:
        context.carried.tracestate, context.carried.baggage = "", {}
    context.carried.debug = debug
    propagator = Propagator(formats, ALL, ("a", "b"))
    make = UnsampledSpan if not context.sampled else partial(Span, tags={}, start=0.0)
    span = make(Tracer(), "", None, context.trace_id, context.parent_id, context.carried)
    headers = {}
    propagator.inject(span, headers)

    lines = propagator.lines(span)

    assert lines == "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def test_lines_under_a_span_say_what_a_child_of_it_would():
    tracer = Tracer(sampler=Sampler(0.0))
    parent = tracer.start_span("a")

    found = tracer.extract(
        dict(line.split(": ") for line in tracer.propagator.lines_under(parent).splitlines())
    )

    assert facts(found)[::2] == facts(tracer.start_child("b", parent).context)[::2]
    assert (found.trace_id, found.parent_id) == (parent.trace_id, parent.span_id)
    assert found.span_id not in (parent.span_id, "")


def test_a_line_break_is_not_written_into_a_head():
    carried = PropagatedFields(tracestate="a=1\r\nx: 2")
    span = Span(Tracer(), "", None, None, None, carried, {}, 0.0)

    with pytest.raises(ValueError, match="line break"):
        Propagator().lines(span)


def test_a_silent_span_writes_no_lines():
    assert Propagator().lines(SilentSpan(Tracer())) == ""


@some_examples
@given(contexts, st.booleans())
def test_what_is_injected_is_extracted(context, debug):
    if debug:
        context.carried.debug = True
        context.sampled = True
    propagator = Propagator(("b3", "traceparent"), ALL, ("a", "b"))
    headers = {}
    propagator.inject(context, headers)

    found = propagator.extract(headers)

    assert facts(found) == facts(context)
    assert found.parent_id == context.parent_id


@some_examples
@given(contexts, st.sampled_from(["b3", "b3multi", "traceparent"]), st.randoms())
def test_each_format_alone_carries_the_trace_whatever_the_case(context, format, random):
    headers = {}
    Propagator((format,), ALL).inject(context, headers)
    mixed = {
        "".join(random.choice((letter.upper(), letter.lower())) for letter in name): value
        for name, value in headers.items()
    }

    found = Propagator((), ALL).extract(mixed)

    assert (found.trace_id, found.span_id, found.sampled) == (
        context.trace_id,
        context.span_id,
        context.sampled,
    )


B3_NAMES = ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags", "x-b3-parentspanid"]
names = st.sampled_from([*B3_NAMES, "b3", "traceparent", "tracestate", "baggage", "accept"])
pieces = st.sampled_from([TRACE, SPAN, "-", "00", "01", "1", "d", "ff", "0" * 32, "a=1", ",", " "])
values = st.text(max_size=60) | st.lists(pieces, max_size=8).map("".join)


@some_examples
@given(st.lists(st.tuples(names, values), max_size=8))
def test_no_header_can_break_extraction(headers):
    found = Propagator(trust=ALL, baggage=("a",)).extract(CIMultiDict(headers))

    if found is not None and found.trace_id:
        assert set(found.trace_id) <= set(string.hexdigits.lower())
        assert (len(found.trace_id), len(found.span_id)) == (32, 16)
        assert found.trace_id.strip("0")
        again = {}
        Propagator().inject(found, again)
        assert Propagator().extract(again).trace_id == found.trace_id


own_b3 = st.sampled_from([f"{TRACE}-{SPAN}-1", f"{TRACE}-{SPAN}-0-{SPAN}", f"{OTHER}-{SPAN}-1"])
own_parent = st.sampled_from(
    [f"00-{TRACE}-{SPAN}-0{flags}" for flags in "0123"]
    + [f"00-{OTHER}-{SPAN}-01", f"00-{TRACE}-{SPAN}-ff", f"00-{'0' * 32}-{SPAN}-01"]
)
usual = st.one_of(
    st.tuples(st.just("b3"), own_b3),
    st.tuples(st.just("traceparent"), own_parent),
    st.tuples(st.just("tracestate"), st.sampled_from(["a=1", "b=2,c=3", "malformed", ""])),
    st.tuples(st.just("x-b3-sampled"), st.sampled_from("01")),
    st.tuples(st.just("baggage"), st.just("a=1")),
)


@settings(some_examples, max_examples=3 * EXAMPLES)
@given(st.lists(usual, max_size=4), st.sampled_from([(), ("sampled",), ALL]))
def test_the_short_ways_read_what_the_long_way_does(headers, trust):
    propagator = Propagator(trust=trust, baggage=("a",))

    found, expected = propagator.extract(Header(headers)), propagator.read_all(Header(headers))

    assert (found is None) == (expected is None)
    if found is not None:
        expected = SpanContext(*expected)
        assert facts(found) == facts(expected)
        assert found.parent_id == expected.parent_id


B3 = f"{TRACE}-{SPAN}-1"
PARENT = f"00-{TRACE}-{SPAN}-03"


@pytest.mark.parametrize(
    ("headers", "trace_id", "sampled", "tracestate"),
    [
        (
            [("b3", B3), ("traceparent", f"00-{OTHER}-{SPAN}-00"), ("tracestate", "a=1")],
            TRACE,
            True,
            "",
        ),
        ([("b3", B3), ("traceparent", PARENT), ("tracestate", "a=1")], TRACE, True, "a=1"),
        ([("b3", "nonsense"), ("traceparent", PARENT), ("tracestate", "a=1")], TRACE, True, "a=1"),
        ([("b3", B3), ("b3", B3), ("x-b3-traceid", OTHER), ("x-b3-spanid", SPAN)], OTHER, None, ""),
        ([("b3", B3), ("x-b3-traceid", OTHER), ("x-b3-spanid", SPAN)], TRACE, True, ""),
        (
            [("traceparent", PARENT), ("traceparent", PARENT), ("b3", f"{OTHER}-{SPAN}-0")],
            OTHER,
            False,
            "",
        ),
        ([("b3", "0"), ("traceparent", PARENT)], TRACE, False, ""),
        ([("x-b3-sampled", "0"), ("traceparent", PARENT)], TRACE, False, ""),
        (
            [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")],
            TRACE,
            True,
            "a=1,b=2",
        ),
        ([("traceparent", PARENT), ("tracestate", "a=1,a=2")], TRACE, True, ""),
        ([("b3", "0"), ("tracestate", "a=1")], "", False, ""),
        ([("b3", f"{TRACE}-{SPAN}-1-{'0' * 16}")], TRACE, True, ""),
    ],
)
def test_the_order_of_preference(headers, trace_id, sampled, tracestate):
    found = Propagator().extract(Header(headers))

    assert (found.trace_id, found.sampled, found.tracestate) == (trace_id, sampled, tracestate)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", PARENT), ("traceparent", PARENT)],
        [("tracestate", "a=1")],
        [("b3", "")],
        [("x-b3-traceid", TRACE)],
        [("trace-parent", PARENT)],
    ],
)
def test_what_is_absent_or_malformed_is_none(headers):
    assert Propagator().extract(Header(headers)) is None


def test_the_random_flag_goes_on_and_unknown_flags_do_not():
    for flags, sent in (("ff", "03"), ("01", "01"), ("02", "02"), ("fc", "00")):
        found = Propagator().extract({"traceparent": f"00-{TRACE}-{SPAN}-{flags}"})
        assert format_traceparent(found)[-2:] == sent
    for flags in ("01", "03"):
        found = Propagator().extract({"b3": B3, "traceparent": f"00-{TRACE}-{SPAN}-{flags}"})
        assert found.carried.random is (flags == "03")


@pytest.mark.parametrize(
    ("trust", "header", "sampled", "debug"),
    [
        ((), f"{TRACE}-{SPAN}-1", None, False),
        ((), f"{TRACE}-{SPAN}-d", None, False),
        (("sampled",), f"{TRACE}-{SPAN}-d", True, False),
        (("debug",), f"{TRACE}-{SPAN}-d", True, True),
        (("debug",), f"{TRACE}-{SPAN}-0", None, False),
    ],
)
def test_callers_force_only_what_they_are_trusted_with(trust, header, sampled, debug):
    found = Propagator(trust=trust).extract({"b3": header})

    assert found.trace_id == TRACE
    assert (found.sampled, found.debug) == (sampled, debug)


def test_baggage_needs_trust_and_a_place_on_the_list():
    headers = {"b3": B3, "baggage": "tenant=x,other=y"}

    assert Propagator(baggage=("tenant",)).extract(headers).baggage == {}
    trusting = Propagator(trust=("sampled", "baggage"), baggage=("tenant",))
    assert trusting.extract(headers).baggage == {"tenant": "x"}


def test_baggage_that_is_not_on_the_list_stays_here():
    span = Tracer(propagator=Propagator(baggage=("tenant", "not a token"))).start_span("a")
    span.set_baggage_item("secret", "1").set_baggage_item("not a token", "2")
    headers = {}
    inject(span, headers)
    assert "baggage" not in headers

    span.set_baggage_item("tenant", "x")
    inject(span, headers)
    assert headers["baggage"] == "tenant=x"


def test_all_formats_are_written_on_demand():
    headers = {}
    Propagator(("b3", "b3multi", "traceparent")).inject(
        SpanContext(TRACE, SPAN, None, True), headers
    )

    assert headers == {
        "b3": B3,
        "X-B3-TraceId": TRACE,
        "X-B3-SpanId": SPAN,
        "X-B3-Sampled": "1",
        "traceparent": PARENT,
    }


def test_headers_of_any_kind_are_read():
    odd = {b"B3": B3.encode(), 1: "x", "accept": None}

    assert extract(odd).trace_id == TRACE
    assert extract({"traceparent": [PARENT]}).trace_id == TRACE
    assert extract({"traceparent": [PARENT, PARENT]}) is None


def test_a_context_can_be_injected_by_hand():
    headers = {}
    inject(extract({"b3": B3}), headers)

    assert headers == {"b3": B3, "traceparent": f"00-{TRACE}-{SPAN}-01"}
