"""The kernel tells since when the bytes of a connection wait."""

import asyncio
import socket
import sys
import time
from types import SimpleNamespace

import pytest

from msframework.serving.arrival import seconds_since_data

WAITED = 0.05


@pytest.fixture
async def transport():
    """A server's transport with bytes that the loop has not read for `WAITED` seconds."""
    made = asyncio.get_running_loop().create_future()

    class Unread(asyncio.Protocol):
        def connection_made(self, transport):
            transport.pause_reading()
            made.set_result(transport)

    server = await asyncio.get_running_loop().create_server(Unread, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        found = await made
        client.sendall(b"GET / HTTP/1.1\r\n")
        time.sleep(WAITED)  # noqa: ASYNC251 (a loop that is late)
        yield found
        found.abort()
    server.close()
    await server.wait_closed()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_the_time_counts_from_bytes_that_were_not_read(transport):
    assert WAITED / 2 < seconds_since_data(transport) < 30


async def test_a_closed_connection_has_no_time(transport):
    transport.abort()
    await asyncio.sleep(0)
    assert seconds_since_data(transport) == 0.0


def test_a_unix_socket_has_no_time():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = SimpleNamespace(get_extra_info={"socket": ours}.get)
        assert seconds_since_data(transport) == 0.0
