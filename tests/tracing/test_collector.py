"""The Zipkin exporter against a real server on the loopback."""

import asyncio
import socket
import time

import orjson
import pytest

from msframework.tracing import Encoder, SpansDropped, Tracer, ZipkinExporter
from msframework.tracing.collector import ATTEMPTS, MAX_HALVINGS
from msframework.tracing.redact import Redactor

ENCODER = Encoder("users", Redactor())


def make_spans(count, **tags):
    tracer = Tracer()
    for number in range(count):
        tracer.start_span(f"span {number}", tags=dict(tags)).finish()
    return tracer.recorder.spans


@pytest.fixture
async def exporter(collector):
    exporter = ZipkinExporter(collector.url, ENCODER, timeout=60, backoff=0.001)
    await exporter.start()
    yield exporter
    await exporter.stop()


async def drop_reasons(exporter, spans):
    with pytest.raises(SpansDropped) as caught:
        await exporter.export(spans)
    return caught.value.reasons


async def test_a_batch_is_one_post_of_zipkins_json(collector, exporter):
    spans = make_spans(40)
    await exporter.export(spans)

    (body,) = collector.bodies
    assert orjson.loads(body) == [
        ENCODER.describe(span) | {"timestamp": found["timestamp"]}
        for span, found in zip(spans, orjson.loads(body), strict=True)
    ]


async def test_a_batch_of_many_bytes_is_several_posts(collector):
    exporter = ZipkinExporter(collector.url, ENCODER, batch_bytes=1500, timeout=60)
    await exporter.start()
    await exporter.export(make_spans(10, text="x" * 300))
    await exporter.stop()

    assert len(collector.bodies) > 3
    assert max(map(len, collector.bodies)) <= 1500
    assert len(collector.spans) == 10


async def test_a_span_of_too_many_bytes_goes_alone(collector):
    exporter = ZipkinExporter(collector.url, ENCODER, batch_bytes=10, timeout=60)
    await exporter.start()
    await exporter.export(make_spans(2))
    await exporter.stop()

    assert [len(orjson.loads(body)) for body in collector.bodies] == [1, 1]


@pytest.mark.parametrize("statuses", [[500], [503, 599]])
async def test_server_errors_are_tried_again(collector, exporter, statuses):
    collector.statuses = statuses
    await exporter.export(make_spans(1))

    assert len(collector.spans) == 1


async def test_server_errors_without_end_drop_the_batch(collector, exporter):
    collector.statuses = [500] * ATTEMPTS

    assert await drop_reasons(exporter, make_spans(3)) == {"collector_error": 3}
    assert collector.statuses == []


@pytest.mark.parametrize("status", [400, 404, 429, 302])
async def test_what_is_refused_is_dropped_at_once(collector, exporter, status):
    collector.statuses = [status]

    assert await drop_reasons(exporter, make_spans(2)) == {"refused": 2}
    assert collector.bodies == []
    await exporter.export(make_spans(1))
    assert len(collector.spans) == 1


async def test_a_batch_that_is_too_large_is_halved(collector, exporter):
    collector.default = lambda body: 413 if len(orjson.loads(body)) > 2 else 202

    await exporter.export(make_spans(9))

    assert len(collector.spans) == 9
    assert max(len(orjson.loads(body)) for body in collector.bodies) == 2


async def test_only_the_span_that_is_too_large_is_dropped(collector, exporter):
    collector.default = lambda body: 413 if b"span 3" in body else 202

    assert await drop_reasons(exporter, make_spans(8)) == {"too_large": 1}
    assert len(collector.spans) == 7


async def test_a_collector_that_finds_all_too_large_is_not_asked_for_every_span(
    collector, exporter
):
    posts = []
    collector.default = lambda body: posts.append(body) or 413

    assert await drop_reasons(exporter, make_spans(256)) == {"too_large": 256}
    assert len(posts) == 2 * MAX_HALVINGS + 1

    posts.clear()
    assert await drop_reasons(exporter, make_spans(256)) == {"too_large": 256}
    assert len(posts) == 3

    collector.default = lambda body: 413 if len(orjson.loads(body)) > 2 else 202
    for _ in range(6):
        assert await drop_reasons(exporter, make_spans(8)) == {"too_large": 8}
    for _ in range(2):
        await exporter.export(make_spans(9))


async def test_a_batch_that_was_lost_otherwise_keeps_none_from_being_halved(collector, exporter):
    collector.statuses = [400]
    assert await drop_reasons(exporter, make_spans(9)) == {"refused": 9}

    collector.default = lambda body: 413 if len(orjson.loads(body)) > 2 else 202
    await exporter.export(make_spans(9))


@pytest.mark.punctual
async def test_a_collector_that_takes_nothing_is_asked_more_and_more_rarely(collector):
    exporter = ZipkinExporter(collector.url, ENCODER, backoff=0.02, timeout=60)
    await exporter.start()
    collector.statuses = [400] * 4
    for _ in range(4):
        await drop_reasons(exporter, make_spans(1))

    began = time.monotonic()
    await exporter.export(make_spans(1))
    assert time.monotonic() - began >= 0.02 * 2**4 / 2

    began = time.monotonic()
    await exporter.export(make_spans(1))
    assert time.monotonic() - began < 0.02 * 2**4 / 2
    await exporter.stop()


async def test_a_collector_that_is_dead_costs_the_batch():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        exporter = ZipkinExporter(url, ENCODER, backoff=0.001)
        await exporter.start()
        assert await drop_reasons(exporter, make_spans(2)) == {"unreachable": 2}
        await exporter.stop()


async def test_a_collector_that_is_slow_costs_the_batch(collector):
    collector.slow = asyncio.Event()
    exporter = ZipkinExporter(collector.url, ENCODER, timeout=0.02, backoff=0.001)
    await exporter.start()

    assert await drop_reasons(exporter, make_spans(2)) == {"timeout": 2}
    await exporter.stop()


async def test_exporting_makes_no_spans(collector, exporter):
    tracer = Tracer()
    with tracer.start_active_span("parent"):
        await exporter.export(make_spans(1))

    assert [span.operation_name for span in tracer.recorder.spans] == ["parent"]


async def test_stopping_what_never_started_is_fine():
    await ZipkinExporter("http://127.0.0.1:9/", ENCODER).stop()
