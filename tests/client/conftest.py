"""A raw HTTP server whose answers a test scripts, and which counts its connections."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from msframework.client import Client
from msframework.tracing import Tracer


class Upstream:
    """Answers with what `answers` holds by path, else echoes the request as JSON data."""

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.connections = 0
        self.tasks = set()
        self.closed = asyncio.Event()
        self.arrived = asyncio.Event()

    async def serve(self, reader, writer):
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self.handle(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.transport.abort()

    async def handle(self, head, reader, writer):
        line, *lines = head.strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        text = body.decode(errors="replace")
        request = {"method": method, "target": target, "headers": headers, "body": text}
        self.requests.append(request)
        self.arrived.set()
        answer = self.answers.get(target.partition("?")[0])
        if callable(answer):
            await answer(reader, writer)
        elif answer is None:
            whole = reply(200, {"code": 0, "data": request})
            writer.write(whole.partition(b"{")[0] if method == "HEAD" else whole)
        else:
            status, content, *lines = answer
            writer.write(reply(status, content, **(lines[0] if lines else {})))


def reply(status, body=b"", **headers):
    """Return the bytes of an answer."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


@pytest.fixture(autouse=True, params=["lean", "aiohttp"])
def way(request, monkeypatch):
    """Which way plain calls go: ours, or that of an aiohttp which it was not tested with."""
    if request.param == "aiohttp":
        monkeypatch.setattr("msframework.client.lean.TESTED_AIOHTTP", ())
    return request.param


@asynccontextmanager
async def listening(**options):
    """Serve an upstream; *options* are those of a server of asyncio."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, **options)
    upstream.port = server.sockets[0].getsockname()[1]
    upstream.url = f"http://127.0.0.1:{upstream.port}"
    async with server:
        yield upstream
        for task in upstream.tasks:
            task.cancel()
        await asyncio.gather(*upstream.tasks, return_exceptions=True)


@pytest.fixture
async def upstream():
    async with listening() as upstream:
        yield upstream


@pytest.fixture
def tracer():
    return Tracer("testing")


@pytest.fixture
def spans(tracer):
    """The spans that have ended."""
    return tracer.recorder.spans


@pytest.fixture
async def client(upstream, tracer):
    client = Client(url=upstream.url, name="regions", tracer=tracer)
    yield client
    await client.close()


@asynccontextmanager
async def opened(**options):
    """Give a client that is closed afterwards."""
    client = Client(**options)
    try:
        yield client
    finally:
        await client.close()


class BoundRequest:
    """What a client reads of a request: its id and span."""

    def __init__(self, id, span=None):
        self.id, self.span = id, span


@asynccontextmanager
async def counted_turns():
    """Yield a Counter of the turns that the loop gives others while the block waits."""
    turns, ended = Counter(), asyncio.Event()

    async def count():
        while not ended.is_set():
            turns["given"] += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    try:
        yield turns
    finally:
        ended.set()
        await task
