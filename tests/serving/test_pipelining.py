"""Requests that are sent ahead of their answers: neither others nor memory suffer from them."""

import asyncio
import socket

import pytest

from tests.conftest import new_service, serve_service

MANY = 4000
LONG = b"x" * 900


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(request):
    name = "fast" if request.param else "plain"
    return new_service(service_name=name, server={"fast_path": request.param})


async def send_ahead(address, head):
    """Send `MANY` requests over one connection, and read as many answers."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(head * MANY)
    for _ in range(MANY):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b'{"code":0,"data":{}}'))
    writer.close()


async def test_another_client_is_served_between_them(service):
    ahead, others = [], []

    @service.get("/ahead")
    async def serve_ahead(request):
        if not ahead:
            other.send(b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
        ahead.append(True)
        return {}

    @service.get("/other")
    async def serve_other(request):
        others.append(len(ahead))
        return {}

    async with serve_service(service) as address:
        with socket.create_connection(address) as other:
            await asyncio.sleep(0)
            await send_ahead(address, b"GET /ahead HTTP/1.1\r\nHost: x\r\n\r\n")

    assert len(ahead) == MANY
    assert others[0] < MANY / 2


async def test_no_more_of_them_is_read_than_is_needed(service):
    waiting = []

    @service.get("/ahead")
    async def serve_ahead(request):
        waiting.append(len(request.stream.protocol.recv_buffer))
        await asyncio.sleep(0)  # more may arrive
        return {}

    async with serve_service(service) as address:
        await send_ahead(
            address, b"GET /ahead HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n" % (b"x" * 900)
        )

    assert len(waiting) == MANY
    assert max(waiting) < MANY * len(LONG) / 4
