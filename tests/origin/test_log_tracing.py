"""Chapter LOG & Distributed Tracing System: JSON lines, `@logger`, and spans for Zipkin."""

import asyncio
import json
import logging
import time

import aiohttp
import opentracing
import pytest

from msframework.client import Client
from msframework.log import JsonFormatter, Redactor, logger
from msframework.testing import TestClient
from msframework.tracing import Tracer
from msframework.tracing.zipkin import Encoder
from tests.origin.patches import LOGGER
from tests.origin.support import PATIENCE, reading, run_block, settle

YML = "使用官方logging, 配置文件为logging.yml, sanic版本要0.6.0及以上。"
JSON_LINES = "JsonFormatter将日志转成json格式，用于输入到ES"
AS_LOG = "以日志的方式输出, 可以使用fluentd, logstash等日志收集再输入到Zipkin。"
CHAIN = (
    "Opentracing跟踪每一个请求，记录请求所经过的每一个微服务，以链条的方式串联起来，"
    "对分析微服务的性能瓶颈至关重要。"
)
QUEUE = "生成的span先无阻塞的放入queue中，在task中消费队列的span。"


def read_log(process, wanted):
    """Return the lines of the process's log once `wanted(lines)` says yes."""
    deadline = time.monotonic() + PATIENCE
    while True:
        lines = [json.loads(line) for line in process.log.read_text().splitlines()]
        if wanted(lines):
            return lines
        assert time.monotonic() < deadline, lines
        time.sleep(0.02)


@pytest.fixture
def lines():
    """What functions of this module log, as JSON."""
    with reading(__name__, JsonFormatter()) as lines:
        yield lines


@pytest.fixture
def tracer():
    """The tracer of the process, which keeps its spans."""
    tracer, before = Tracer("app-name"), opentracing.global_tracer()
    opentracing.set_global_tracer(tracer)
    yield tracer
    opentracing.set_global_tracer(before)


@pytest.mark.origin(YML, JSON_LINES, AS_LOG)
async def test_logging_yml_says_where_lines_go_and_each_is_json(process):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{process.url}/users/loop") as response:
            trace_id = response.headers["x-trace-id"]

    def is_there(lines):
        names = {each["name"] for each in lines if each.get("traceId") == trace_id}
        served = {each["message"] for each in lines if each.get("trace_id") == trace_id}
        return "get /users/loop" in names and "GET /users/loop 200" in served

    lines = await asyncio.to_thread(read_log, process, is_there)

    (line,) = [each for each in lines if each.get("trace_id") == trace_id]
    assert (line["service"], line["level"]) == ("user-service", "INFO")
    assert line["@timestamp"].endswith("Z")
    assert line["logger"] == "msframework.access"


@pytest.mark.origin(
    AS_LOG,
    "使用opentracing框架，但是在输出时转换成zipkin格式。",
    "使用opentracing为分布式追踪系统。",
)
async def test_spans_are_lines_in_zipkin_s_format(client, spans):
    answer = await client.get("/users/loop")

    trace_id = answer.headers["x-trace-id"]
    span = spans.of_trace(trace_id, "get /users/loop")["get /users/loop"]
    assert len(span["traceId"]) == 32
    assert len(span["id"]) == 16
    assert span["kind"] == "SERVER"
    assert abs(span["timestamp"] / 1e6 - time.time()) < 60
    assert span["duration"] >= 1
    assert span["localEndpoint"]["serviceName"] == "user-service"
    assert all(isinstance(value, str) for value in span["tags"].values())


@pytest.mark.origin("使用opentracing框架，但是在输出时转换成zipkin格式。")
async def test_spans_made_through_the_opentracing_api_are_among_them(make_service, serve):
    service = make_service(tracing={"flush_interval": 0.01})

    @service.get("/")
    async def work(request):
        with opentracing.tracer.start_active_span("by hand") as scope:
            scope.span.set_tag("answer", 42)
            scope.span.log_kv({"event": "checked"})
        return None

    with reading("zipkin") as lines:
        async with serve(service) as (host, port):
            async with TestClient(f"http://{host}:{port}") as client:
                trace_id = (await client.get("/")).headers["x-trace-id"]
            await settle(lambda: service.queue.exported == 2)
        found = lines.of_trace(trace_id, "by hand", "get /")

    assert found["by hand"]["parentId"] == found["get /"]["id"]
    assert found["by hand"]["tags"]["answer"] == "42"
    assert found["by hand"]["annotations"][0]["value"] == "checked"


@pytest.mark.origin("Zipkin是支持HTTP输入的。")
async def test_spans_are_posted_to_a_zipkin_server(make_service, serve, upstream):
    service = make_service(
        tracing={"zipkin_server": f"{upstream.url}/api/v2/spans", "flush_interval": 0.01}
    )

    @service.get("/")
    async def show(request):
        return None

    async with serve(service) as (host, port):
        async with TestClient(f"http://{host}:{port}") as client:
            trace_id = (await client.get("/")).headers["x-trace-id"]
        (span,) = await asyncio.to_thread(upstream.posted.get, timeout=PATIENCE)

    assert (span["traceId"], span["name"]) == (trace_id, "get /")


@pytest.mark.origin(CHAIN)
async def test_one_trace_goes_through_several_services(make_service, serve):
    def build(name, **changes):
        service = make_service(service_name=name, tracing={"flush_interval": 0.01}, **changes)
        service.ctx.client = None
        return service

    second, first = build("second"), build("first")

    @second.get("/")
    async def last(request):
        return request.span.trace_id

    @first.get("/")
    async def show(request):
        return await request.app.client.cli(request).call("GET", "/")

    with reading("zipkin") as lines:
        async with serve(second) as (host, port):
            first.client = Client(url=f"http://{host}:{port}")
            async with serve(first) as (near, port):
                async with TestClient(f"http://{near}:{port}", first.operations) as client:
                    answer = await client.get("/")
                await first.client.close()
                await settle(lambda: first.queue.exported == 2)
            await settle(lambda: second.queue.exported == 1)
        lines.wait(lambda seen: len(seen) == 3)

    trace_id = answer.headers["x-trace-id"]
    assert answer.json["data"] == trace_id
    parents = {each["id"]: each.get("parentId") for each in lines.seen}
    chain = [
        (each["localEndpoint"]["serviceName"], each["kind"])
        for each in sorted(lines.seen, key=lambda each: _depth(parents, each["id"]))
    ]
    assert {each["traceId"] for each in lines.seen} == {trace_id}
    assert chain == [("first", "SERVER"), ("first", "CLIENT"), ("second", "SERVER")]


def _depth(parents, span_id):
    """Return how many spans there are above one."""
    depth = 0
    while parents.get(span_id) is not None:
        span_id, depth = parents[span_id], depth + 1
    return depth


class Stuck:
    """An exporter that never gets a batch out."""

    name = "stuck"

    def __init__(self, settings):
        pass

    async def start(self):
        pass

    async def export(self, spans):
        await asyncio.get_running_loop().create_future()

    async def stop(self):
        pass


@pytest.mark.origin(QUEUE)
async def test_a_full_queue_holds_no_request_up(make_service, serve, monkeypatch):
    from tests.origin import support

    monkeypatch.setattr(support, "Stuck", Stuck, raising=False)
    service = make_service(
        tracing={
            "exporters": ("tests.origin.support:Stuck",),
            "log_spans": False,
            "queue_size": 2,
            "batch_size": 1,
            "flush_interval": 0.01,
        }
    )

    @service.get("/")
    async def show(request):
        return None

    async with serve(service) as (host, port):
        async with TestClient(f"http://{host}:{port}") as client:
            statuses = [(await client.get("/")).status for _ in range(10)]
        dropped = service.queue.dropped["queue_full"]

    assert statuses == [200] * 10
    assert dropped >= 7  # two wait, and one is on its way


@pytest.mark.origin("后期可以添加上采样频率。")
@pytest.mark.parametrize(("rate", "exported"), [(1.0, 5), (0.0, 0)])
async def test_a_share_of_the_requests_can_be_traced(make_service, serve, rate, exported):
    service = make_service(tracing={"sample_rate": rate, "flush_interval": 0.01})

    @service.get("/")
    async def show(request):
        return None

    async with serve(service) as (host, port):
        async with TestClient(f"http://{host}:{port}") as client:
            for _ in range(5):
                await client.get("/")

    assert service.queue.exported == exported


@pytest.mark.origin(
    "LOG & Distributed Tracing System, code 1",
    "type: 日志类型，如 method, route",
    "category: 日志类别，默认为app的name",
    "detail: 日志详细信息",
    "description: 日志描述，默认为函数的注释",
    "level: 日志级别，默认为INFO",
)
async def test_a_call_is_a_line_as_printed(client, person, served, spans):
    await client.create_user(json=person)

    with reading("service.clients", JsonFormatter()) as lines:
        answer = await client.get_users_list(id=1)
        (line,) = lines.wait(bool)

    trace_id = answer.headers["x-trace-id"]
    span = spans.of_trace(trace_id, "get_city_by_id", "get /users/{id}")["get_city_by_id"]
    said = {"type": "method", "category": "test", "detail": "detail", "description": "des"}
    assert said.items() <= line.items()
    assert (line["function"], line["level"]) == ("get_city_by_id", "INFO")
    assert line["duration_ms"] > 0
    assert (line["trace_id"], line["span_id"]) == (trace_id, span["id"])
    assert said.items() <= span["tags"].items()


@pytest.mark.origin("LOG & Distributed Tracing System, code 1")
async def test_the_function_itself_works_as_before(make_service, serve, upstream):
    block = run_block(LOGGER, logger=logger, logging=logging, __name__=__name__)
    service = make_service()
    service.client = Client(url=upstream.url)

    @service.get("/<id:int>")
    async def show(request, id):
        return await block["get_city_by_id"](request, id)

    async with serve(service) as (host, port):
        async with TestClient(f"http://{host}:{port}") as client:
            answer = await client.get("/5")
        await service.client.close()

    assert answer.json["data"]["id"] == 5
    assert block["get_city_by_id"].__name__ == "get_city_by_id"


@pytest.mark.origin(
    "category: 日志类别，默认为app的name",
    "description: 日志描述，默认为函数的注释",
    "level: 日志级别，默认为INFO",
    "tracing: 日志追踪，默认为True",
    "type: 日志类型，如 method, route",
)
def test_what_is_left_out_has_a_default_also_on_plain_functions(lines, tracer):
    @logger()
    def add(a, b):
        """Add two numbers.

        More is said here.
        """
        return a + b

    assert add(1, 2) == 3

    (line,) = lines.wait(bool)
    (span,) = tracer.recorder.spans
    assert line["category"] == "app-name"
    assert line["description"] == "Add two numbers."
    assert (line["level"], line["type"]) == ("INFO", "method")
    assert line["span_id"] == span.span_id
    assert "detail" not in line


@pytest.mark.origin("tracing: 日志追踪，默认为True", "level: 日志级别，默认为INFO")
async def test_tracing_can_be_off_and_the_level_another(lines, tracer):
    @logger(type="route", tracing=False, level=logging.WARNING)
    async def fetch():
        return 1

    await fetch()

    (line,) = lines.wait(bool)
    assert (line["type"], line["level"]) == ("route", "WARNING")
    assert tracer.recorder.spans == []


@pytest.mark.origin("LOG & Distributed Tracing System, code 1", JSON_LINES)
@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_a_failure_is_logged_with_its_traceback(lines, tracer, kind):
    if kind == "plain":

        @logger(type="method")
        def fail():
            raise RuntimeError("out of order")
    else:

        @logger(type="method")
        async def fail():
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        result = fail()
        await result

    (line,) = lines.wait(bool)
    assert (line["level"], line["error"]) == ("ERROR", "RuntimeError: out of order")
    assert line["stack"][0] == "Traceback (most recent call last):"
    assert 'raise RuntimeError("out of order")' in line["exception"]
    assert tracer.recorder.spans[0].tags["error"] is True


@pytest.mark.origin("LOG & Distributed Tracing System, code 1", JSON_LINES)
def test_no_secret_is_in_a_line(lines, tracer):
    @logger(type="method")
    def log_in(name, password):
        logging.getLogger(__name__).info(
            "login with password=%s", password, extra={"form": {"token": password, "name": name}}
        )
        raise RuntimeError(f"postgresql://ada:{password}@db refused")

    with pytest.raises(RuntimeError):
        log_in("Ada", "hunter2")

    said, failed = lines.wait(lambda seen: len(seen) == 2)
    assert "hunter2" not in json.dumps([said, failed])
    assert said["form"] == {"token": "***", "name": "Ada"}
    assert "hunter2" not in str(Encoder("app-name", Redactor()).describe(tracer.recorder.spans[0]))


@pytest.mark.origin(JSON_LINES)
def test_more_words_can_be_hidden():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "paid", (), None)
    record.iban, record.amount = "DE02", 7

    line = json.loads(JsonFormatter(redact=("iban",)).format(record))

    assert (line["iban"], line["amount"], line["message"]) == ("***", 7, "paid")
