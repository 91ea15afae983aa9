import logging

import orjson
import pytest

from msframework.tracing import Encoder, LogExporter, MemoryExporter, SpansDropped, Tracer
from msframework.tracing.exporter import MAX_LINE
from msframework.tracing.redact import Redactor

ENCODER = Encoder("users", Redactor())


@pytest.fixture
def spans():
    tracer = Tracer()
    for number in range(150):
        tracer.start_span(f"span {number}").finish()
    return tracer.recorder.spans


async def test_the_log_gets_one_line_of_zipkins_json_for_each_span(caplog, spans):
    caplog.set_level(logging.INFO, "zipkin")
    exporter = LogExporter(ENCODER)
    await exporter.start()
    await exporter.export(spans)
    await exporter.stop()

    lines = "\n".join(record.getMessage() for record in caplog.records).splitlines()
    assert [orjson.loads(line)["name"] for line in lines] == [f"span {n}" for n in range(150)]


async def test_a_log_that_is_off_costs_no_encoding(spans):
    log = logging.getLogger("test.zipkin.off")
    log.setLevel(logging.WARNING)
    await LogExporter(ENCODER, log).export(spans)

    assert spans[0]._encoded is None


async def test_memory_keeps_zipkins_objects(spans):
    exporter = MemoryExporter(ENCODER)
    await exporter.start()
    await exporter.export(spans)
    await exporter.stop()

    assert exporter.spans[0]["name"] == "span 0"
    assert len(exporter.spans) == 150


def test_what_was_dropped_can_be_read():
    assert str(SpansDropped({"refused": 2, "timeout": 1})) == "2 refused, 1 timeout"


@pytest.mark.parametrize("tags", [3, 128])
async def test_a_span_is_no_longer_line_than_lines_may_be(caplog, tags):
    caplog.set_level(logging.INFO, "zipkin")
    tracer = Tracer()
    span = tracer.start_span("long")
    for number in range(tags):
        span.set_tag(f"tag{number}" + "k" * 1000, "\x01" * 4000)
    span.finish()
    exporter = LogExporter(ENCODER)

    await exporter.export(tracer.recorder.spans)

    (line,) = (record.getMessage() for record in caplog.records)
    assert len(line) <= MAX_LINE
    assert orjson.loads(line)["tags"]["cut"] == "true"
