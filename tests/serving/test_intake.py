"""The frames of a websocket: taken as fast as its handler and its client go, and no faster."""

import asyncio
import gc

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame

from tests.conftest import new_service, serve_service

UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
MASK = b"\x80\0\0\0\0"
MESSAGE, PING = b"\x82" + MASK, b"\x89" + MASK
MANY = 4_000_000
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"


@pytest.fixture
def service():
    return new_service()


async def open_socket(address):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(UPGRADE)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_a_client_that_reads_no_pong_is_not_read_either(service):
    @service.websocket("/socket")
    async def wait(request, socket):
        await socket.recv()

    async with serve_service(service) as address:
        _, writer = await open_socket(address)
        writer.write(PING * MANY)
        left = await level(writer.transport.get_write_buffer_size)
        writer.transport.abort()

    assert left > MANY * len(PING) / 2


async def level(size):
    """Return *size()* once it changes no more."""
    seen = [size()]
    while len(seen) < 5 or len(set(seen[-5:])) > 1:
        await asyncio.sleep(0.2)
        seen.append(size())
    return seen[-1]


async def test_few_are_taken_apart_at_once_and_other_clients_come_between(service):
    got, others, frames = [], [], []
    gc.collect()
    before = count_frames()

    @service.websocket("/socket")
    async def count(request, socket):
        async for message in socket:
            if not got:
                frames.append(count_frames() - before)
                other.write(b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
            got.append(message)
            if len(got) == 20_000:
                break

    @service.get("/other")
    async def serve_other(request):
        others.append(len(got))
        return {}

    async with serve_service(service) as address:
        _, other = await asyncio.open_connection(*address)
        reader, writer = await open_socket(address)
        writer.write(MESSAGE * 20_000)
        assert (await reader.readexactly(4))[:2] == b"\x88\x02"  # the handler has ended
        writer.write(CLOSE)
        assert await reader.read() == b""
        for each in (writer, other):
            each.close()

    assert frames[0] < 1_000
    assert others[0] < 10_000


def count_frames():
    return sum(type(each) is Frame for each in gc.get_objects())


async def test_every_message_arrives_in_its_order(service):
    sent = [bytes([number % 256]) * (number * 37 % 9000) for number in range(300)]
    got = []

    @service.websocket("/socket")
    async def take(request, socket):
        for _ in sent:
            got.append(await socket.recv())
            await asyncio.sleep(0)
        await socket.send("all")

    async with serve_service(service) as (host, port):
        async with connect(f"ws://{host}:{port}/socket", ping_interval=None) as socket:
            for message in sent:
                await socket.send(message)
            assert await socket.recv() == "all"

    assert got == sent


async def test_what_a_handler_leaves_does_not_hide_the_end(service):
    ended = asyncio.Event()

    @service.websocket("/socket")
    async def leave(request, socket):
        await socket.recv()
        await ended.wait()

    async with serve_service(service) as address:
        reader, writer = await open_socket(address)
        writer.write(MESSAGE * 5_000 + CLOSE)
        await asyncio.sleep(0.05)
        ended.set()
        assert (await reader.readexactly(4))[:2] == b"\x88\x02"
        assert await reader.read() == b""
        writer.close()


async def test_the_end_of_the_data_comes_after_all_of_it(service, caplog):
    @service.websocket("/socket")
    async def take(request, socket):
        async for _ in socket:
            pass

    async with serve_service(service) as address:
        for count in (1, 5_000, 50_000):
            reader, writer = await open_socket(address)
            writer.write(MESSAGE * count)
            writer.write_eof()
            await reader.read()
            writer.close()

    assert not [each for each in caplog.records if each.levelname in ("ERROR", "CRITICAL")]
