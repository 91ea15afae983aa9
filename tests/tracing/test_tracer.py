import asyncio
import socket

import aiohttp
import opentracing
import pytest
from opentracing import Format
from sanic import Sanic
from sanic.request import Request as SanicRequest
from sanic.response import text

from msframework.serving.request import Request
from msframework.tracing import MemoryRecorder, Propagator, Sampler, Tracer, current_span

B3 = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"


@pytest.fixture
def tracer():
    return Tracer("users")


def test_a_request_is_a_server_span_and_current_until_it_ends(tracer, make_request):
    span = tracer.start_request(make_request(path="/users/7"), "get /users/{id}")
    assert current_span() is span
    tracer.finish_request(span, 200)

    assert current_span() is None
    assert tracer.recorder.spans == [span]
    assert (span.operation_name, span.kind) == ("get /users/{id}", "server")
    assert span.tags == {
        "component": "sanic",
        "http.method": "GET",
        "http.url": "/users/7",
        "peer.address": "192.0.2.7",
        "http.status_code": 200,
    }


def test_a_tracer_that_is_off_makes_nothing_current(make_request):
    tracer = Tracer(enabled=False)
    span = tracer.start_request(make_request(), "get /")
    assert current_span() is None
    tracer.finish_request(span, 500)

    assert tracer.recorder.spans == []


@pytest.mark.parametrize(("status", "error"), [(499, None), (500, True), (503, True)])
def test_only_a_failure_of_the_server_is_an_error(tracer, make_request, status, error):
    span = tracer.start_request(make_request(client_ip=""), "get /")
    tracer.finish_request(span, status)

    assert span.tags.get("error") == error


def test_a_request_goes_on_with_its_callers_trace(tracer, make_request):
    span = tracer.start_request(make_request({"b3": B3}), "get /")

    assert f"{span.trace_id}-{span.parent_id}-1" == B3
    assert span.span_id != span.parent_id


def test_a_caller_who_only_decides_gets_a_new_trace(tracer, make_request):
    span = tracer.start_request(make_request({"b3": "0"}), "get /")
    tracer.finish_request(span, 200)

    assert not span.sampled
    assert len(span.trace_id) == 32
    headers = {}
    tracer.inject(span, headers)
    assert headers["traceparent"].endswith("-02")


def test_what_a_handler_left_open_goes_with_the_request(tracer, make_request):
    span = tracer.start_request(make_request(), "get /")
    tracer.start_active_span("never closed")
    tracer.finish_request(span, 200)

    assert current_span() is None


def test_a_child_is_under_the_current_span_and_not_current(tracer):
    with tracer.start_active_span("parent") as scope:
        child = tracer.start_child("select", tags={"component": "db"})
        assert current_span() is scope.span

    assert child.parent_id == scope.span.span_id
    assert child.trace_id == scope.span.trace_id
    assert (child.kind, child.tags) == ("client", {"component": "db"})


def test_a_child_without_a_parent_is_a_root(tracer):
    assert tracer.start_child("job", kind=None).parent_id is None
    assert not Tracer(sampler=Sampler(0)).start_child("job").sampled


def test_the_children_of_what_is_not_sampled_are_not_either():
    tracer = Tracer(sampler=Sampler(0))
    parent = tracer.start_span("a")
    child = tracer.start_child("b", parent)
    grandchild = tracer.start_span("c", child_of=child)

    assert (child.sampled, grandchild.sampled) == (False, False)
    assert parent.trace_id == child.trace_id == grandchild.trace_id
    assert grandchild.parent_id == child.span_id != parent.span_id


def test_sampling_priority_of_a_root_counts():
    kept = Tracer(sampler=Sampler(0)).start_span("a", tags={"sampling.priority": 1})
    left = Tracer().start_span("a", tags={"sampling.priority": 0})

    assert (kept.sampled, left.sampled) == (True, False)


def test_the_first_child_of_reference_is_the_parent(tracer):
    one, two = tracer.start_span("one"), tracer.start_span("two")
    references = [
        opentracing.child_of(None),
        opentracing.follows_from(one.context),
        opentracing.child_of(two.context),
    ]

    assert tracer.start_span("a", references=references).parent_id == two.span_id
    assert tracer.start_span("b", references=references[:2]).parent_id == one.span_id
    assert tracer.start_span("c", references=opentracing.child_of(one.context)).parent_id
    assert tracer.start_span("d", references=[]).parent_id is None
    assert tracer.start_span("e", references=references[:1]).parent_id is None


def test_a_parent_of_another_tracer_is_no_parent(tracer):
    assert tracer.start_span("a", child_of=opentracing.SpanContext()).parent_id is None


def test_a_decision_without_ids_is_inherited(tracer):
    denied = tracer.extract({"b3": "0"})

    span = tracer.start_span("a", child_of=denied)

    assert not span.sampled
    assert span.parent_id is None


def test_a_silent_parent_starts_a_new_trace(tracer):
    silent = Tracer(enabled=False).start_span("a")

    assert len(tracer.start_span("b", child_of=silent).trace_id) == 32


def test_kind_is_not_a_tag_and_the_callers_dict_is_left_alone(tracer):
    tags = {"span.kind": "producer", "a": 1}
    span = tracer.start_span("send", tags=tags)

    assert (span.kind, span.tags) == ("producer", {"a": 1})
    assert tags == {"span.kind": "producer", "a": 1}


@pytest.mark.parametrize("format", [Format.TEXT_MAP, Format.HTTP_HEADERS, Format.BINARY])
def test_each_format_carries_the_span(tracer, format):
    span = tracer.start_span("a")
    carrier = bytearray() if format == Format.BINARY else {}
    tracer.inject(span.context, format, carrier)

    found = tracer.extract(format, carrier)

    assert (found.trace_id, found.span_id, found.sampled) == (span.trace_id, span.span_id, True)


def test_headers_are_enough_to_inject_and_extract(tracer):
    span, headers = tracer.start_span("a"), {}
    tracer.inject(span, headers)

    assert tracer.extract(headers).span_id == span.span_id


@pytest.mark.parametrize(
    ("format", "carrier"),
    [(Format.TEXT_MAP, 1), (Format.HTTP_HEADERS, None), (Format.BINARY, {"b3": B3})],
)
def test_a_carrier_that_does_not_fit_is_refused(tracer, format, carrier):
    with pytest.raises(opentracing.InvalidCarrierException):
        tracer.inject(tracer.start_span("a").context, format, carrier)
    with pytest.raises(opentracing.InvalidCarrierException):
        tracer.extract(format, carrier)


@pytest.mark.parametrize("carrier", [b"\xff", b"{", b"[1]"])
def test_a_binary_carrier_that_cannot_be_read_is_corrupted(tracer, carrier):
    with pytest.raises(opentracing.SpanContextCorruptedException):
        tracer.extract(Format.BINARY, carrier)


def test_an_empty_binary_carrier_holds_nothing(tracer):
    assert tracer.extract(Format.BINARY, b"") is None


def test_the_memory_of_spans_is_bounded(monkeypatch):
    monkeypatch.setattr("msframework.tracing.recorder.MAX_SPANS", 1)
    recorder = MemoryRecorder()
    tracer = Tracer(recorder=recorder)
    for name in ("a", "b"):
        tracer.start_span(name).finish()

    assert ([span.operation_name for span in recorder.spans], recorder.dropped) == (["a"], 1)
    recorder.clear()
    assert (recorder.spans, recorder.dropped) == ([], 0)


class PlainRequest(SanicRequest):
    """Sanic's request, with what the tracer reads of ours."""

    fields, repeats = Request.fields, Request.repeats


async def test_the_requests_of_one_connection_share_nothing(unused_app_name):
    tracer = Tracer(propagator=Propagator(trust=("sampled",)))
    app = Sanic(unused_app_name, request_class=PlainRequest, configure_logging=False)
    seen = []

    @app.get("/<number:int>")
    async def handle(request, number):
        seen.append(current_span())
        span = tracer.start_request(request, "get /{number}")
        try:
            tracer.start_active_span("left open")
            await asyncio.sleep(0)
            return text(span.trace_id)
        finally:
            tracer.finish_request(span, 200)

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    host, port = sock.getsockname()
    server = await app.create_server(sock=sock, return_asyncio_server=True, access_log=False)
    await server.startup()
    try:
        reader, writer = await asyncio.open_connection(host, port)
        requests = [f"GET /{number} HTTP/1.1\r\nhost: x\r\n\r\n" for number in range(5)]
        writer.write("".join(requests).encode())  # pipelined
        for _ in requests:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(32)
        writer.close()
        async with aiohttp.ClientSession() as session:  # kept alive
            for number in range(5):
                async with session.get(f"http://{host}:{port}/{number}") as answer:
                    assert answer.status == 200
    finally:
        await server.close()

    assert seen == [None] * 10
    traces = {span.trace_id for span in tracer.recorder.spans}
    assert len(traces) == 10
    assert {span.parent_id for span in tracer.recorder.spans} == {None}


@pytest.fixture
def unused_app_name():
    Sanic._app_registry.clear()
    yield "one_connection"
    Sanic._app_registry.clear()
