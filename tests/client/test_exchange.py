"""The span of a call: one for each, from the sending to the last byte of the answer."""

import asyncio

import pytest

from msframework.exceptions import ServiceException, UpstreamError
from msframework.tracing import Sampler, Tracer
from tests.client.conftest import BoundRequest, opened


async def test_a_call_is_a_client_span_with_its_template(client, upstream, spans):
    await client.call("GET", "/cities/{id}", id=1, params={"token": "t"})

    (span,) = spans
    port = int(upstream.url.rpartition(":")[2])
    assert (span.operation_name, span.kind) == ("get /cities/{id}", "client")
    assert span.tags == {
        "component": "http-client",
        "http.method": "GET",
        "http.url": f"{upstream.url}/cities/{{id}}",
        "http.status_code": 200,
        "peer.service": "regions",
        "peer.hostname": "127.0.0.1",
        "peer.port": port,
    }


async def test_a_raw_call_shows_its_path_without_query(client, upstream, spans):
    async with client.get("/cities/1?token=t", params={"key": "k"}):
        pass

    assert spans[0].operation_name == "get"
    assert spans[0].tags["http.url"] == f"{upstream.url}/cities/1"


async def test_the_span_ends_with_the_last_byte(client, upstream, spans):
    go_on, done = asyncio.Event(), asyncio.Event()

    async def slow(reader, writer):
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n1")
        await go_on.wait()
        writer.write(b"2")
        done.set()

    upstream.answers["/c"] = slow

    async with client.get("/c") as res:
        assert spans == []
        go_on.set()
        assert await res.read() == b"12"
        assert len(spans) == 1
    assert len(spans) == 1
    assert "error" not in spans[0].tags


async def test_the_span_ends_with_the_block_when_nobody_reads(client, upstream, spans):
    async def half(reader, writer):
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n1")
        await reader.read()

    upstream.answers["/c"] = half

    async with client.get("/c"):
        assert spans == []

    assert len(spans) == 1
    await upstream.closed.wait()


@pytest.mark.parametrize(("status", "passing", "error"), [(404, (), True), (404, (404,), None)])
async def test_what_failed_unexpectedly_is_marked(client, upstream, spans, status, passing, error):
    upstream.answers["/c"] = status, b""

    with pytest.raises(ServiceException):
        await client.call("GET", "/c", passing=passing)

    assert spans[0].tags["http.status_code"] == status
    assert spans[0].tags.get("error") is error


async def test_no_answer_marks_the_span_and_shows_no_query(tracer, spans):
    async with opened(url="http://127.0.0.1:9", name="regions", tracer=tracer) as client:
        with pytest.raises(UpstreamError):
            await client.call("GET", "/c", params={"token": "hidden"})

    (span,) = spans
    assert span.tags["error"] is True
    assert span.tags["error.message"] == "the connection failed"
    assert "hidden" not in repr(span.tags)


async def test_an_unsampled_call_sends_its_decision_and_records_nothing(upstream):
    tracer = Tracer("testing", sampler=Sampler(0.0))

    async with opened(url=upstream.url, tracer=tracer) as client:
        sent = await client.call("GET", "/c")

    assert sent["headers"]["traceparent"].endswith(("-00", "-02"))
    assert tracer.recorder.spans == []


async def test_an_unsampled_request_hands_its_decision_and_a_span_of_its_own_on(upstream):
    tracer = Tracer("testing", sampler=Sampler(0.0))
    span = tracer.start_span("get /users/{id}")

    async with opened(url=upstream.url, tracer=tracer) as client:
        bound = client.cli(BoundRequest("a", span))
        sent = [await bound.call("GET", "/c") for _ in range(2)]
        async with bound.get("/c") as res:
            sent.append((await res.json())["data"])

    ids = [one["headers"]["b3"].split("-") for one in sent]
    assert {(trace, state, parent) for trace, _, state, parent in ids} == {
        (span.trace_id, "0", span.span_id)
    }
    assert len({own for _, own, _, _ in ids} - {span.span_id}) == 3
    for one, (trace, own, _, _) in zip(sent, ids, strict=True):
        assert one["headers"]["traceparent"] == f"00-{trace}-{own}-02"
    assert tracer.recorder.spans == []


async def test_a_tracer_that_is_off_sends_nothing(upstream):
    tracer = Tracer("testing", enabled=False)

    async with opened(url=upstream.url, tracer=tracer) as client:
        sent = await client.call("GET", "/c")

    assert "traceparent" not in sent["headers"]


async def test_calls_at_the_same_time_have_spans_of_their_own(client, spans):
    await asyncio.gather(*(client.call("GET", "/c/{id}", id=n) for n in range(20)))

    assert len({span.span_id for span in spans}) == 20
