"""The settings that bound the connections of a worker."""

import asyncio


async def test_max_connections(serve):
    async with serve(lambda service: None, MAX_CONNECTIONS=1) as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        answer = await running.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.close()

    assert answer.startswith(b"HTTP/1.1 503 ")
