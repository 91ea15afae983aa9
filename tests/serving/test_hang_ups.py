"""Clients that hang up while their request is in the database, with a pool that they share."""

import asyncio
import logging

import pytest

from tests.db.conftest import server, url

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
        async with asyncio.timeout(20):
            while len(started) < CLIENTS:
                await asyncio.sleep(0.01)
            for writer in writers:
                writer.transport.abort()
            while len(ended) < CLIENTS:
                await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"}"), 20)).endswith(b'"data":1}')
        writer.close()

    assert hooked == []
    told = [record for record in caplog.records if record.name.startswith("msframework.requests")]
    assert len(told) == CLIENTS
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
