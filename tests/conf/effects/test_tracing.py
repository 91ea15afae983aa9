"""What the settings of tracing do. Spans are looked at where they leave: in the log `zipkin`."""

import asyncio
import json

import pytest
from aiohttp import web

from tests.client.conftest import Upstream, upstream  # noqa: F401 - a fixture

TRACE = "5af7183fb1d4cf5f5af7183fb1d4cf5f"


def routes(service):
    @service.get("/one")
    async def one(request):
        return 1

    @service.get("/livez")
    async def livez(request):
        return 1

    @service.get("/ask")
    async def ask(request):
        return await request.client("other").call("GET", "/thing")

    @service.get("/baggage")
    async def baggage(request):
        return dict(request.span.context.baggage)

    @service.get("/select")
    async def select(request):
        async with request.app.db.acquire(request) as cur:
            return await cur.fetchval("SELECT $1::text", "an argument")


@pytest.fixture
def spans_of(serve, lines_of):
    """Return a function that gives the spans of asking for *paths*."""

    async def spans_of(*paths, headers=None, **values):
        written = lines_of("zipkin")
        written.clear()
        async with serve(routes, **values) as running:
            for path in paths:
                await running.ask(path, headers=headers)
        return [json.loads(line) for block in written for line in block.splitlines()]

    return spans_of


async def test_tracing(spans_of):
    assert await spans_of("/one", TRACING=False) == []


async def test_trace_log(spans_of):
    assert len(await spans_of("/one")) == 1
    assert await spans_of("/one", TRACE_LOG=False) == []


async def test_trace_sample_rate(spans_of):
    assert await spans_of(*["/one"] * 20, TRACE_SAMPLE_RATE=0.0) == []


async def test_trace_sample_routes(spans_of):
    spans = await spans_of("/one", "/ask", TRACE_SAMPLE_ROUTES={"GET /one": 0.0})

    assert {span["name"] for span in spans} == {"get /ask"}


async def test_trace_never(spans_of):
    assert await spans_of("/livez") == []
    names = [span["name"] for span in await spans_of("/one", "/livez", TRACE_NEVER=("/one",))]
    assert names == ["get /livez"]


async def test_trust_peers(spans_of):
    headers = {"b3": f"{TRACE}-00f067aa0ba902b7-1"}
    values = {"headers": headers, "TRACE_SAMPLE_RATE": 0.0}

    assert len(await spans_of("/one", **values)) == 1
    assert await spans_of("/one", TRUST_PEERS=(), **values) == []


async def test_trace_baggage(serve):
    async with serve(routes, TRACE_BAGGAGE=("tenant",), TRUST_PEERS=("baggage",)) as running:
        answer = await running.ask(
            "/baggage",
            headers={
                "baggage": "tenant=a,other=b",
                "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
            },
        )

    assert answer.said["data"] == {"tenant": "a"}


@pytest.mark.parametrize(
    ("kind", "header"), [("b3", "b3"), ("b3multi", "x-b3-traceid"), ("traceparent", "traceparent")]
)
async def test_trace_propagation(serve, upstream, kind, header):  # noqa: F811
    services = {"other": {"url": upstream.url}}
    async with serve(routes, SERVICES=services, TRACE_PROPAGATION=(kind,)) as running:
        answer = await running.ask("/ask")

    sent = answer.said["data"]["headers"]
    assert {"b3", "x-b3-traceid", "traceparent"} & sent.keys() == {header}


async def test_trace_sql_arguments(spans_of, database):
    for wanted in (True, False):
        spans = await spans_of("/select", DATABASE_URL=database, TRACE_SQL_ARGUMENTS=wanted)
        assert ("an argument" in json.dumps(spans)) is wanted


class Collector:
    """Takes spans over HTTP, and keeps how many came in each POST."""

    def __init__(self):
        self.posts, self.came, self.answering = [], asyncio.Event(), asyncio.Event()
        self.answering.set()

    async def take(self, request):
        self.posts.append(len(await request.json()))
        self.came.set()
        await self.answering.wait()
        return web.Response(status=202)


@pytest.fixture
async def collector():
    """Serve a collector; its address is `url`."""
    collector, app = Collector(), web.Application()
    app.router.add_post("/api/v2/spans", collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/api/v2/spans"
    yield collector
    collector.answering.set()
    await runner.cleanup()


@pytest.fixture
def post(serve, collector):
    """Return a function that asks *times*, and gives the sizes of the POSTs and the service."""

    async def post(times=1, **values):
        values = {"ZIPKIN_SERVER": collector.url, "TRACE_LOG": False, **values}
        async with serve(routes, **values) as running:
            for _ in range(times):
                await running.ask("/one")
        return collector.posts, running.service

    return post


async def test_zipkin_server(post):
    assert sum((await post())[0]) == 1


async def test_trace_batch_size(post):
    posts, _ = await post(6, TRACE_BATCH_SIZE=2)

    assert sum(posts) == 6
    assert max(posts) == 2


async def test_trace_batch_bytes(post):
    posts, _ = await post(4, TRACE_BATCH_BYTES=1)

    assert posts == [1, 1, 1, 1]


async def test_trace_queue_size(serve):
    values = {"TRACE_QUEUE_SIZE": 2, "TRACE_BATCH_SIZE": 2, "TRACE_FLUSH_INTERVAL": 60.0}
    async with serve(routes, **values) as running:
        running.service.queue.lanes[0]._loop = None  # nobody takes them
        for _ in range(5):
            await running.ask("/one")
        assert running.service.queue.dropped["queue_full"] == 3


@pytest.mark.punctual
async def test_trace_flush_interval(serve, collector):
    values = {"ZIPKIN_SERVER": collector.url, "TRACE_FLUSH_INTERVAL": 0.01}
    async with serve(routes, **values) as running, asyncio.timeout(0.9):
        await running.ask("/one")
        await collector.came.wait()  # long before a second, which is the default


async def test_trace_export_timeout(serve, collector):
    collector.answering.clear()
    values = {"ZIPKIN_SERVER": collector.url, "TRACE_FLUSH_INTERVAL": 0.01}
    async with serve(routes, TRACE_EXPORT_TIMEOUT=0.01, **values) as running:
        await running.ask("/one")
        async with asyncio.timeout(30):
            while not running.service.queue.dropped["timeout"]:
                await asyncio.sleep(0.01)


EXPORTER = """
class Exporter:
    name = "mine"
    taken = []

    def __init__(self, settings):
        self.settings = settings

    async def start(self):
        pass

    async def export(self, spans):
        self.taken += spans

    async def stop(self):
        pass
"""


async def test_trace_exporters(serve, tmp_path, monkeypatch):
    (tmp_path / "effect_exporter.py").write_text(EXPORTER)
    monkeypatch.syspath_prepend(tmp_path)

    async with serve(routes, TRACE_EXPORTERS=("effect_exporter.Exporter",)) as running:
        await running.ask("/one")

    from effect_exporter import Exporter

    assert [span.operation_name for span in Exporter.taken] == ["get /one"]
