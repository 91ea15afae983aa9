import logging
from dataclasses import replace

import opentracing
import pytest

from msframework.conf.settings import LogSettings, Settings, TracingSettings
from msframework.exceptions import ImproperlyConfigured
from msframework.tracing import MemoryExporter, Tracing, build_tracer, extract, inject
from msframework.tracing.service import build_encoder
from msframework.types import Part


def make_settings(**tracing):
    return Settings(service_name="users", tracing=TracingSettings(log_spans=False, **tracing))


def make_memory(settings):
    return MemoryExporter(build_encoder(settings))


def test_tracing_is_a_part():
    assert isinstance(build_tracer(Settings()), Part)


async def test_opentracing_has_the_tracer_while_the_service_runs():
    before = opentracing.global_tracer()
    tracing = build_tracer(make_settings())
    await tracing.start()
    assert opentracing.global_tracer() is tracing.tracer
    await tracing.stop()

    assert opentracing.global_tracer() is before


async def test_of_two_services_the_last_to_stop_leaves_things_as_they_were():
    before = opentracing.global_tracer()
    first, second = build_tracer(make_settings()), build_tracer(make_settings())
    await first.start()
    await second.start()
    await second.stop()
    assert opentracing.global_tracer() is first.tracer
    await first.stop()

    assert opentracing.global_tracer() is before


async def test_spans_arrive_at_the_collector(collector):
    tracing = build_tracer(make_settings(zipkin_server=collector.url, flush_interval=0.01))
    await tracing.start()
    tracing.tracer.start_span("work").finish()
    await collector.wait_for(1)
    tracing.tracer.start_span("last").finish()
    await tracing.stop()

    assert [span["name"] for span in collector.spans] == ["work", "last"]
    assert collector.spans[0]["localEndpoint"]["serviceName"] == "users"
    assert tracing.queue.exported == 2


async def test_spans_arrive_in_the_log_unless_switched_off(caplog):
    caplog.set_level(logging.INFO, "zipkin")
    for log_spans in (True, False):
        settings = replace(make_settings(), tracing=TracingSettings(log_spans=log_spans))
        tracing = build_tracer(settings)
        await tracing.start()
        tracing.tracer.start_span(f"{log_spans}").finish()
        await tracing.stop()

    assert ['"name":"true"' in message for message in caplog.messages] == [True]


async def test_settings_name_further_exporters():
    tracing = build_tracer(make_settings(exporters=(f"{__name__}.make_memory",)))
    await tracing.start()
    tracing.tracer.start_span("work").finish()
    await tracing.stop()

    (lane,) = tracing.queue.lanes
    assert [span["name"] for span in lane.exporter.spans] == ["work"]


def test_an_exporter_that_is_not_there_is_named():
    with pytest.raises(ImproperlyConfigured, match=r"TRACE_EXPORTERS: 'nowhere\.Exporter'"):
        build_tracer(make_settings(exporters=("nowhere.Exporter",)))


async def test_keys_of_the_settings_are_hidden():
    settings = replace(make_settings(), log=LogSettings(redact=("pin",)))
    memory = make_memory(settings)
    tracing = Tracing(settings, [memory])
    await tracing.start()
    tracing.tracer.start_span("a", tags={"pin": "1234", "password": "shown"}).finish()
    await tracing.stop()

    assert memory.spans[0]["tags"] == {"pin": "***", "password": "shown"}


async def test_tracing_that_is_off_makes_no_exporter_and_no_header():
    tracing = build_tracer(
        replace(Settings(), tracing=TracingSettings(enabled=False, zipkin_server="http://x/"))
    )
    await tracing.start()
    headers = {}
    with tracing.tracer.start_active_span("a") as scope:
        inject(scope.span, headers)
    await tracing.stop()

    assert tracing.queue.lanes == ()
    assert headers == {}


async def test_extracting_by_hand_trusts_what_the_service_trusts():
    header = {"b3": f"{'1' * 32}-{'2' * 16}-d"}
    tracing = build_tracer(make_settings(trust_peers=("debug",)))
    await tracing.start()
    assert extract(header).debug
    await tracing.stop()

    assert not extract(header).debug


async def test_injecting_by_hand_writes_what_the_service_writes():
    tracing = build_tracer(make_settings(propagation=("b3multi",)))
    headers = {}
    inject(tracing.tracer.start_span("a"), headers)

    assert headers.keys() == {"X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled"}
