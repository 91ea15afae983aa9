"""Requests that need no server, and a collector that does as it is told."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import orjson
import pytest
from aiohttp import web
from sanic.compat import Header


@pytest.fixture
def make_request():
    """Return a function that makes what the tracer reads of a request."""

    def make(headers=(), method="GET", path="/", client_ip="192.0.2.7"):
        headers = Header(list(dict(headers).items()))
        return SimpleNamespace(
            headers=headers,
            fields={name.lower(): value for name, value in headers.items()},
            repeats=False,
            method=method,
            path=path,
            conn_info=SimpleNamespace(client_ip=client_ip) if client_ip else None,
        )

    return make


class Collector:
    """A Zipkin collector on the loopback: keeps what it is sent, answers `statuses` in turn."""

    def __init__(self):
        self.bodies = []
        self.statuses = []
        self.default = 202
        self.slow = None
        self.received = asyncio.Condition()
        self.url = ""

    @property
    def spans(self):
        return [span for body in self.bodies for span in orjson.loads(body)]

    async def take(self, request):
        body = await request.read()
        if self.slow is not None:
            await self.slow.wait()
        status = self.statuses.pop(0) if self.statuses else self.default
        if callable(status):
            status = status(body)
        async with self.received:
            if status < 300:
                self.bodies.append(body)
            self.received.notify_all()
        return web.Response(status=status)

    async def wait_for(self, count):
        async with self.received:
            await self.received.wait_for(lambda: len(self.spans) >= count)


@asynccontextmanager
async def run_collector():
    collector = Collector()
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/api/v2/spans", collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    collector.url = f"http://127.0.0.1:{port}/api/v2/spans"
    try:
        yield collector
    finally:
        if collector.slow is not None:
            collector.slow.set()
        await runner.cleanup()


@pytest.fixture
async def collector():
    async with run_collector() as collector:
        yield collector
