"""Time-outs that no client can postpone: raw connections, on the fast path and on Sanic's own."""

import asyncio
import contextlib
import json
import os
import socket
import ssl
from contextlib import asynccontextmanager

import pytest
from sanic import response as sanic_response
from sanic.response import ResponseStream

from msframework import doc
from msframework.conf.settings import TLSSettings
from msframework.serving.tls import ServerTLS
from tests.certificates import Authority

pytestmark = pytest.mark.punctual
SOON = 100.0  # what is awaited comes long before
SHORT = 0.3
POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def make(request, make_service):
    """Return a function that makes a service with some short time-outs."""

    def make(**server):
        service = make_service(server={"fast_path": request.param, **server})
        service.ended, service.released = asyncio.Event(), asyncio.Event()

        @service.get("/one")
        async def one(request):
            return {"n": 1}

        @service.get("/big")
        async def big(request):
            return "x" * 20_000_000

        @service.post("/echo")
        @doc.consumes({"text": str})
        async def echo(request, body):
            return body

        @service.post("/early", stream=True)
        async def early(request):
            return sanic_response.text("early")

        @service.post("/stream", stream=True)
        async def stream(request):
            size = 0
            async for chunk in request.stream:
                size += len(chunk)
            return sanic_response.text(str(size))

        @service.get("/slow")
        async def slow(request):
            try:
                await asyncio.Event().wait()
            finally:
                service.ended.set()

        @service.post("/slow-to-read", stream=True)
        async def slow_to_read(request):
            await asyncio.Event().wait()

        @service.get("/ticks")
        async def ticks(request):
            async def write(response):
                for _ in range(3):
                    await response.write("tick")
                    await asyncio.sleep(2 * SHORT)

            return ResponseStream(write)

        @service.get("/flood")
        async def flood(request):
            response = await request.respond(content_type="text/plain")
            try:
                while True:
                    await response.send("x" * 60_000)
            finally:
                service.ended.set()

        @service.get("/stubborn")
        async def stubborn(request):
            while not service.released.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await service.released.wait()
            return {}

        @service.websocket("/socket")
        async def echo_text(request, ws):
            await ws.send("first")
            while True:
                await ws.send(await ws.recv())

        return service

    return make


@asynccontextmanager
async def connected(serve, service):
    """Serve *service*, and yield a function that opens a connection to it."""
    writers = []
    async with serve(service) as (host, port):

        async def connect(*, size=None):
            sock = socket.socket()
            if size is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
            reader, writer = await asyncio.open_connection(sock=sock, limit=2**16)
            writers.append(writer)
            return reader, writer

        try:
            yield connect
        finally:
            for writer in writers:
                writer.close()


async def drip(writer, data=b"x", every=SHORT / 6):
    """Send *data* byte by byte, again and again, until the connection ends."""
    while not writer.is_closing():
        for byte in data:
            writer.write(bytes([byte]))
            try:
                await writer.drain()
            except ConnectionError:
                return
            await asyncio.sleep(every)


async def rest_of(reader):
    """Return everything up to the end of the connection, whichever way it ends."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(SOON):
            while data := await reader.read(2**20):
                answer += data
    return answer


async def one(reader, writer):
    """Have one ordinary request answered."""
    writer.write(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len(b'{"code":0,"data":{"n":1}}'))


def status_of(answer):
    """Return the status of *answer*, which says that the connection closes, in the envelope."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    status = int(head.split()[1])
    assert json.loads(body)["code"] == 100_000 + status
    return status


async def ask(connect, data, *, dripped=b"", later=False, answered=False):
    """Return all that *data* is answered with, on a connection of its own.

    Args:
        dripped: what comes after it byte by byte, again and again.
        later: whether another request is answered on the connection before.
        answered: whether an answer comes first, of which the head is left out.
    """
    reader, writer = await connect()
    if later:
        await one(reader, writer)
    writer.write(data)
    if answered:
        await reader.readuntil(b"\r\n\r\n")
    task = asyncio.create_task(drip(writer, dripped)) if dripped else None
    try:
        return await rest_of(reader)
    finally:
        if task:
            task.cancel()


async def ask_all(connect, cases):
    """Return the answers by case: *cases* are what `ask` takes, and wait at the same time."""
    answers = await asyncio.gather(*(ask(connect, data, **how) for data, how in cases.values()))
    return dict(zip(cases, answers, strict=True))


def in_both_places(cases):
    """Return each of *cases* as the first request of a connection, and as a later one."""
    return {
        (name, later): (data, {**how, "later": later})
        for name, (data, how) in cases.items()
        for later in (False, True)
    }


async def test_a_head_that_never_ends_is_408(make, serve):
    head = b"GET /one HTTP/1.1\r\nHost: x\r\nX-A: "
    cases = in_both_places({"silent": (head, {}), "drips": (head, {"dripped": b"x"})})
    async with connected(serve, make(request_timeout=SHORT)) as connect:
        answers = await ask_all(connect, cases)

    assert {case: status_of(answer) for case, answer in answers.items()} == dict.fromkeys(
        cases, 408
    )


BODIES = {
    "none": (POST + b"Content-Length: 1000\r\n\r\n", b""),
    "cut": (POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 600, b""),
    "dripped": (POST + b"Content-Length: 1000\r\n\r\n", b"x"),
    "chunked": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b""),
    "chunks dripped": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "expected": (POST + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n", b""),
    "no websocket": (POST + b"Upgrade: websocket\r\nContent-Length: 1000\r\n\r\n", b"x"),
    "streamed": (
        POST.replace(b"/echo", b"/stream") + b"Content-Length: 1000\r\n\r\n",
        b"x",
    ),
    "trailers dripped": (
        POST.replace(b"/echo", b"/stream") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
        b"",
    ),
}


async def test_a_body_that_never_comes_is_408(make, serve):
    cases = in_both_places(
        {name: (head, {"dripped": dripped}) for name, (head, dripped) in BODIES.items()}
    )
    async with connected(serve, make(body_timeout=SHORT)) as connect:
        answers = await ask_all(connect, cases)

    found = {
        case: status_of(answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))
        for case, answer in answers.items()
    }
    assert found == dict.fromkeys(cases, 408)


async def test_a_body_that_is_read_away_after_the_answer_ends_too(make, serve):
    cases = {
        (path, dripped): (
            POST.replace(b"/echo", path) + b"Content-Length: 1000\r\n\r\n",
            {"dripped": dripped, "answered": True},
        )
        for path in (b"/early", b"/nothing")
        for dripped in (b"", b"x")
    }
    async with connected(serve, make(body_timeout=SHORT)) as connect:
        await ask_all(connect, cases)


async def test_the_descriptors_of_a_hundred_bodies_that_never_come_are_free_again(make, serve):
    async with connected(serve, make(body_timeout=SHORT)) as connect:
        before = len(os.listdir("/proc/self/fd"))
        pairs = [await connect() for _ in range(100)]
        for _, writer in pairs:
            writer.write(POST + b"Content-Length: 1000\r\n\r\nx")

        answers = await asyncio.gather(*(rest_of(reader) for reader, _ in pairs))

        assert {status_of(answer) for answer in answers} == {408}
        for _, writer in pairs:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(SOON):
            while len(os.listdir("/proc/self/fd")) > before:
                await asyncio.sleep(0.01)


async def test_a_slow_body_that_keeps_the_rate_is_read(make, serve):
    service = make(body_timeout=SHORT, body_min_rate=50, response_timeout=SHORT)
    async with connected(serve, service) as connect:
        reader, writer = await connect()
        writer.write(POST.replace(b"/echo", b"/stream") + b"Content-Length: 200\r\n\r\n")
        for _ in range(20):
            await asyncio.sleep(SHORT / 6)
            writer.write(b"x" * 10)

        assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == b"200"


async def test_a_fast_beginning_saves_no_time_for_a_long_pause(make, serve):
    async with connected(serve, make(body_timeout=SHORT, body_min_rate=1)) as connect:
        reader, writer = await connect()
        writer.write(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 60_000)

        assert status_of(await rest_of(reader)) == 408


async def test_each_body_of_a_connection_has_its_own_time(make, serve):
    async with connected(serve, make(body_timeout=SHORT)) as connect:
        reader, writer = await connect()
        for _ in range(6):
            writer.write(POST + b"Content-Length: 12\r\n\r\n")
            await asyncio.sleep(SHORT / 3)
            writer.write(b'{"text":"a"}')
            assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == b"200"
            await reader.readexactly(len(b'{"code":0,"data":{"text":"a"}}'))


async def test_what_drips_in_gives_a_handler_no_more_time(make, serve):
    get = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
    post = b"POST /slow-to-read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    cases = {
        (data, dripped): (data, {"dripped": dripped})
        for data in (get, post)
        for dripped in (b"", b"x")
    }
    async with connected(serve, make(response_timeout=SHORT)) as connect:
        answers = await ask_all(connect, cases)

    assert {case: status_of(answer) for case, answer in answers.items()} == dict.fromkeys(
        cases, 503
    )


async def test_a_handler_that_does_not_end_keeps_no_connection(make, serve, monkeypatch):
    monkeypatch.setattr("msframework.serving.timeouts._LINGER", SHORT)
    service = make(response_timeout=SHORT, graceful_timeout=0.1)
    async with connected(serve, service) as connect:
        reader, writer = await connect()
        writer.write(b"GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n")

        assert await rest_of(reader) == b""
        service.released.set()


async def test_an_idle_connection_is_closed_without_a_word(make, serve):
    cases = in_both_places({"nothing": (b"", {})})
    async with connected(serve, make(keep_alive_timeout=SHORT)) as connect:
        answers = await ask_all(connect, cases)

    assert answers == dict.fromkeys(cases, b"")


@pytest.mark.parametrize("path", [b"/big", b"/flood"])
@pytest.mark.parametrize("close", [False, True], ids=["keep", "close"])
async def test_a_client_that_does_not_read_its_answer_is_hung_up_on(make, serve, path, close):
    service = make(write_timeout=SHORT)
    async with connected(serve, service) as connect:
        reader, writer = await connect(size=4096)
        end = b"Connection: close\r\n\r\n" if close else b"\r\n"
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + end)

        async with asyncio.timeout(SOON):
            while not service._serving.watch.clocks:
                await asyncio.sleep(0.01)
            while service._serving.watch.clocks:
                await asyncio.sleep(0.01)
            if path == b"/flood":
                await service.ended.wait()
        assert len(await rest_of(reader)) < 20_000_000


@pytest.mark.parametrize("close", [False, True], ids=["keep", "close"])
async def test_a_slow_client_that_reads_gets_the_whole_answer(make, serve, close):
    service = make(write_timeout=SHORT, keep_alive_timeout=SHORT, response_timeout=SHORT)
    async with connected(serve, service) as connect:
        reader, writer = await connect(size=4096)
        end = b"Connection: close\r\n\r\n" if close else b"\r\n"
        writer.write(b"GET /big HTTP/1.1\r\nHost: x\r\n" + end)
        head = await reader.readuntil(b"\r\n\r\n")

        for _ in range(6):
            await asyncio.sleep(SHORT / 2)
            await reader.readexactly(1_000_000)

        assert b"20000020" in head
        await asyncio.wait_for(reader.readexactly(20_000_020 - 6_000_000), SOON)
        assert await rest_of(reader) == b""


async def test_a_stream_may_be_slow_as_long_as_its_client_reads(make, serve):
    service = make(
        response_timeout=SHORT, write_timeout=SHORT, keep_alive_timeout=SHORT, body_timeout=SHORT
    )
    async with connected(serve, service) as connect:
        reader, writer = await connect()
        writer.write(b"GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n")

        answer = await rest_of(reader)

        assert answer.count(b"tick") == 3
        assert answer.endswith(b"0\r\n\r\n")


async def test_a_websocket_has_none_of_these_times(make, serve):
    shortest = dict.fromkeys(
        ("request_timeout", "body_timeout", "response_timeout", "keep_alive_timeout"), SHORT
    )
    async with connected(serve, make(**shortest, write_timeout=SHORT)) as connect:
        reader, writer = await connect()
        writer.write(
            b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(7) == b"\x81\x05first"

        await asyncio.sleep(4 * SHORT)
        writer.write(b"\x81\x82\x00\x00\x00\x00hi")

        assert await reader.readexactly(4) == b"\x81\x02hi"


async def test_over_tls_the_same_times_hold(make, serve, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue()
    context = ssl.create_default_context(cafile=authority.ca)
    shortest = ("request_timeout", "body_timeout", "keep_alive_timeout", "write_timeout")
    service = make(**dict.fromkeys(shortest, SHORT))
    async with serve(service) as address:
        service._serving.tls = ServerTLS(TLSSettings(cert=pair.cert, key=pair.key), SHORT)

        writers = []

        async def connect(context=context):
            name = "localhost" if context else None
            reader, writer = await asyncio.open_connection(
                *address, ssl=context, server_hostname=name
            )
            writers.append(writer)
            return reader, writer

        head = b"GET /one HTTP/1.1\r\nHost: x\r\nX-A: "
        cases = {name: (data, {"dripped": dripped}) for name, (data, dripped) in BODIES.items()}
        cases |= {"head": (head, {}), "head dripped": (head, {"dripped": b"x"}), "idle": (b"", {})}
        answers = await ask_all(connect, in_both_places(cases))
        assert [answers.pop(("idle", later)) for later in (False, True)] == [b"", b""]
        found = {
            status_of(answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))
            for answer in answers.values()
        }
        assert found == {408}

        reader, _ = await connect(None)  # a handshake that never begins
        assert await rest_of(reader) == b""
        async with asyncio.timeout(SOON):
            while service._serving.watch.clocks:
                await asyncio.sleep(0.01)
        for writer in writers:
            writer.close()
