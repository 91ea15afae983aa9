"""What calls to another service cost beside aiohttp's own; prints JSON (microseconds of CPU).

Two calls at a time, as in a fan-out, to a server in a process of its own, on kept-alive
connections; medians of rounds in which the ways take turns. The rows "call" are those of a request
with an id and a span. Run it with `python -m benchmarks.client`.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import uvloop

from msframework.aio import async_request
from msframework.client import Client
from msframework.tracing import Sampler, Span, Tracer

ROUNDS, PAIRS = 11, 1_000
BODY = b'{"code":0,"data":{"id":1,"name":"City 1","country":"XX"}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
Call = Callable[[int], Awaitable[Any]]


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


class Asking:
    """What a client reads of the request that a call belongs to."""

    id = "0123456789abcdef0123456789abcdef"

    def __init__(self, span: Span) -> None:
        self.span = span


class Raw(asyncio.Protocol):
    """The least that a call can be: bytes out, bytes in, nothing looked at."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.answer.set_result(data)

    def ask(self, data: bytes) -> asyncio.Future[bytes]:
        """Send *data*; the result is what comes next."""
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self.answer


async def open_raw(url: str) -> Call:
    """Return the way without a client."""
    host, _, port = url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    idle = [(await loop.create_connection(Raw, host, int(port)))[1] for _ in range(2)]

    async def raw(number: int) -> Any:
        line = idle.pop()
        data = await line.ask(b"GET /cities/%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
        idle.append(line)
        return orjson.loads(data.partition(b"\r\n\r\n")[2])["data"]

    return raw


def read_with(session: aiohttp.ClientSession, url: str) -> Call:
    """Return the way of aiohttp alone."""

    async def plain(number: int) -> Any:
        async with session.get(f"{url}/cities/{number}") as res:
            return orjson.loads(await res.read())["data"]

    return plain


def call_with(client: Client, tracer: Tracer) -> Call:
    """Return the way of `call`."""
    asking: Any = Asking(tracer.start_span("get /users/{id}/full"))
    bound = client.cli(asking)
    return lambda number: bound.call("GET", "/cities/{id}", id=number)


def get_with(client: Client, tracer: Tracer) -> Call:
    """Return the way of `get`."""
    asking: Any = Asking(tracer.start_span("get /users/{id}/full"))
    bound = client.cli(asking)

    async def get(number: int) -> Any:
        async with bound.get(f"/cities/{number}") as res:
            return (await res.json())["data"]

    return get


async def cost(call: Call, gather: Callable[[Call, int], Awaitable[Any]]) -> float:
    """Return the CPU time of one call among two at a time, in microseconds."""
    for number in range(50):
        await gather(call, number)
    began = time.process_time()
    for number in range(PAIRS):
        await gather(call, number)
    return (time.process_time() - began) / PAIRS / 2 * 1e6


async def at_once(call: Call, number: int) -> None:
    """Make two calls as aiohttp's users do."""
    await asyncio.gather(call(number), call(number + 1))


async def together(call: Call, number: int) -> None:
    """Make two calls as ours do."""
    record: dict[str, Any] = {}
    await async_request([[record, "a", call(number)], [record, "b", call(number + 1)]])


async def measure(url: str) -> dict[str, float]:
    """Return the cost of a call by the way it is made."""
    unsampled, sampled = Tracer(sampler=Sampler(0.0)), Tracer(recorder=Nowhere())
    silent = Tracer(enabled=False)
    clients = {
        "call, untraced": (Client(url=url, tracer=silent), silent, call_with),
        "call, unsampled": (Client(url=url, tracer=unsampled), unsampled, call_with),
        "call, sampled": (Client(url=url, tracer=sampled), sampled, call_with),
        "call, through the session": (
            Client(url=url, tracer=unsampled, fast=False),
            unsampled,
            call_with,
        ),
        "get": (Client(url=url, tracer=unsampled), unsampled, get_with),
    }
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        ways = {
            "bytes out and in": (await open_raw(url), at_once),
            "aiohttp": (read_with(session, url), at_once),
        } | {
            name: (make(client, tracer), together)
            for name, (client, tracer, make) in clients.items()
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (call, gather) in ways.items():
                found[name].append(await cost(call, gather))
    for client, _, _ in clients.values():
        await client.close()
    return {name: round(statistics.median(times), 1) for name, times in found.items()}


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
