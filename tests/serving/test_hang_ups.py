"""Clients that hang up: amid statements with a pool that they share, and at any other moment."""

import asyncio
import contextlib
import logging
import random

import pytest

from tests.db.conftest import server, url
from tests.test_observer import GET, Watched, declare

__all__ = ["server", "url"]

CLIENTS = 60


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_hanging_up_amid_a_statement_is_a_line_each(make_service, serve, url, caplog, fast):
    caplog.set_level(logging.INFO)
    service = make_service(
        server={"fast_path": fast}, log={"access": False}, database={"url": url, "max_size": 5}
    )
    hooked = []
    service.on_error(lambda request, exc, span: hooked.append(exc))
    started, ended = [], []

    @service.get("/read")
    async def read(request):
        started.append(request)
        try:
            async with request.app.db.acquire(request) as cur:
                return await cur.fetchval("SELECT pg_sleep(30)")
        finally:
            ended.append(request)

    @service.get("/write")
    async def write(request):
        started.append(request)
        try:
            async with request.app.db.transaction(request) as cur:
                await cur.execute("SELECT pg_sleep(30)")
        finally:
            ended.append(request)

    @service.get("/count")
    async def count(request):
        async with request.app.db.acquire(request) as cur:
            return await cur.fetchval("SELECT 1")

    async with serve(service) as (host, port):
        writers = []
        for number in range(CLIENTS):
            _, writer = await asyncio.open_connection(host, port)
            writer.write(
                f"GET /{('read', 'write')[number % 2]} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
            writers.append(writer)
        async with asyncio.timeout(30):
            while len(started) < CLIENTS:
                await asyncio.sleep(0.01)
            for writer in writers:
                writer.transport.abort()
            while len(ended) < CLIENTS:
                await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"}"), 30)).endswith(b'"data":1}')
        writer.close()

    assert hooked == []
    told = [record for record in caplog.records if record.name.startswith("msframework.requests")]
    assert len(told) == CLIENTS
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


WEBSOCKET = (
    "GET /ws/{} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
STREAMS = ("good", "good-stream", "good-responsestream", "endless")
REQUESTS = [
    *(GET.format(f"/{name}") for name in ("one", "wait", "nothing", "span", *STREAMS)),
    WEBSOCKET.format("echo"),
    WEBSOCKET.format("send"),
    "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
    "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
    "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
    "HEAD /good HTTP/1.1\r\nHost: x\r\n\r\n",
    "FOO /wait HTTP/1.1\r\nHost: x\r\n\r\n",
]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_hanging_up_at_any_moment_is_no_error(make_service, serve, caplog, fast):
    caplog.set_level(logging.INFO)
    service = make_service(server={"fast_path": fast}, log={"access": False})
    watched = Watched(service, caplog)
    declare(service, watched)
    dice = random.Random(7)

    async def hang_up(host, port):
        reader, writer = await asyncio.open_connection(host, port)
        text = "".join(dice.choices(REQUESTS, k=dice.choice((1, 1, 2)))).encode()
        writer.write(text[: dice.choice((len(text), len(text), dice.randint(1, len(text))))])
        await asyncio.sleep(dice.choice((0, 0, 0.001, 0.005)))
        if dice.random() < 0.3:
            with contextlib.suppress(TimeoutError, ConnectionError):
                await asyncio.wait_for(reader.read(10), 0.01)
        if dice.random() < 0.5:
            writer.transport.abort()
        else:
            writer.close()

    async with serve(service) as address:
        for _ in range(24):
            await asyncio.gather(*(hang_up(*address) for _ in range(25)))

    assert watched.hooked == []
    assert [record.getMessage() for record in watched.errors] == []
