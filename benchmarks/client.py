"""What a call to another service costs beside aiohttp's own; prints JSON (microseconds of CPU).

Two calls at a time, as in a fan-out, to a server in a process of its own, on kept-alive
connections. Run it with `python -m benchmarks.client`.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import uvloop

from msframework.client import Client
from msframework.tracing import Sampler, Tracer

CALLS = 10_000
BODY = b'{"code":0,"data":{"id":1,"name":"City 1","country":"XX"}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Upstream(asyncio.Protocol):
    """Answers every packet with the same bytes."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(HEAD % len(BODY) + BODY)


def serve(port: Any) -> None:
    """Serve until the process is ended; puts the port into *port*."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


class Nowhere:
    """A recorder that keeps nothing."""

    def record(self, span: Any) -> None:
        """Do nothing."""


async def cost(call: Callable[[int], Awaitable[Any]]) -> float:
    """Return the CPU time of one call, in microseconds."""
    await asyncio.gather(call(1), call(2))
    began = time.process_time()
    for number in range(CALLS // 2):
        await asyncio.gather(call(number), call(number + 1))
    return round((time.process_time() - began) / CALLS * 1e6, 1)


async def measure(url: str) -> dict[str, float]:
    """Return the cost of a call by the way it is made."""
    found = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def plain(number: int) -> Any:
            async with session.get(f"{url}/cities/{number}") as res:
                return orjson.loads(await res.read())["data"]

        found["aiohttp"] = await cost(plain)
    tracers = {
        "untraced": Tracer(enabled=False),
        "unsampled": Tracer(sampler=Sampler(0.0)),
        "sampled": Tracer(recorder=Nowhere()),
    }
    for name, tracer in tracers.items():
        client = Client(url=url, tracer=tracer)

        async def call(number: int, client: Client = client) -> Any:
            return await client.call("GET", "/cities/{id}", id=number)

        found[f"call, {name}"] = await cost(call)
        await client.close()
    return found


def main() -> None:
    """Run the server beside the measurement."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        print(json.dumps(uvloop.run(measure(f"http://127.0.0.1:{ours.recv()}")), indent=2))
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
