"""What a service may make a client do: answers without an end, and such that grow when unpacked."""

import asyncio
import zlib
from contextlib import asynccontextmanager

import pytest

from msframework.client import Client
from msframework.client.protocol import MOST_WAITING
from msframework.exceptions import UpstreamError
from tests.client.conftest import counted_turns

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
TINY, END = b"1\r\n \r\n", b"1\r\n1\r\n0\r\n\r\n"
SHORT = 0.3


@pytest.fixture(autouse=True)
def way():
    """Leave aiohttp's version what it is: of another one too little is known to bound it."""


@pytest.fixture(params=[True, False], ids=["lean", "aiohttp"])
async def answered(request):
    """Return a function that calls a service which answers each request by *write(writer)*."""
    servers = []

    async def ask(write, *, method="call", timeout=60.0, max_size=10_000_000):
        async def serve(reader, writer):
            try:
                while await reader.readuntil(b"\r\n\r\n"):
                    await write(writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        client = Client(url=f"http://127.0.0.1:{port}", fast=request.param, max_size=max_size)
        await client.start()
        try:
            if method == "call":
                return await client.call("GET", "/x", timeout=timeout)
            async with client.get("/x", timeout=timeout) as response:
                return await response.json()
        finally:
            await client.stop()

    yield ask
    for server in servers:
        server.close()


def sent(*parts):
    """Return what writes *parts*, each on its own."""

    async def write(writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    return write


@pytest.fixture
def listening_for():
    """Return a function that opens a service which answers once, and tells when it is left."""

    @asynccontextmanager
    async def listen(answer):
        closed = asyncio.Event()

        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await reader.read()
            writer.close()
            closed.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", closed

    return listen


@pytest.fixture(params=["call", "get"])
def method(request):
    return request.param


async def test_some_answers_before_the_answer_are_read_over(answered, method):
    body = HEAD + b"Content-Length: 10\r\n\r\n" + b'{"data":1}'

    assert await answered(sent(HINT * 3 + body), method=method) in (1, {"data": 1})
    assert await answered(sent(HINT, HINT, body), method=method) in (1, {"data": 1})


async def test_answers_that_nobody_asked_for_end_the_connection(answered, method):
    async def write(writer):
        while True:
            writer.write(HINT * 1000)
            await writer.drain()

    with pytest.raises(UpstreamError) as caught:
        await answered(write, method=method)

    assert caught.value.status_code == 502


async def test_they_postpone_no_deadline(answered, method):
    async def write(writer):
        while True:
            writer.write(HINT)
            await writer.drain()
            await asyncio.sleep(SHORT / 10)

    with pytest.raises(UpstreamError) as caught:
        await answered(write, method=method, timeout=SHORT)

    assert caught.value.status_code == 504


async def test_more_whole_answers_than_may_wait_are_refused(answered):
    one = HEAD + b"Content-Length: 2\r\n\r\n{}"

    with pytest.raises(UpstreamError) as caught:
        await answered(sent(one * (MOST_WAITING + 1)))

    assert caught.value.status_code == 502


@pytest.mark.parametrize(
    "rest",
    [b"zz\r\n", b"1\r\n22\r\n", b"0\r\na\0: b\r\n\r\n", b"0\r\na: " + b"b" * 20_000],
    ids=["size", "chunk", "trailer", "long"],
)
async def test_a_rest_that_is_no_http_is_not_waited_for(answered, method, rest):
    async def write(writer):
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n")
        for _ in range(50):  # so that the rest is mostly read apart from the head
            await asyncio.sleep(0)
        writer.write(rest)
        await writer.drain()

    with pytest.raises(UpstreamError, match="answered 200") as caught:
        async with asyncio.timeout(30):
            await answered(write, method=method)

    assert caught.value.upstream_error == "its answer is broken"


@pytest.mark.parametrize(
    "status", ["000", "017", "099", "101", "0200", "20", "2x0", " 200", "\t200"]
)
@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_a_status_that_is_none_is_refused_at_once(answered, method, status, body):
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    with pytest.raises(UpstreamError, match="gave no answer") as caught:
        async with asyncio.timeout(30):
            await answered(sent(head + body + HEAD + b"Content-Length: 2\r\n\r\n{}"), method=method)

    assert caught.value.upstream_error == "its answer is broken"


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 18446744073709551615",
        b"Content-Length: 99999999999999999999999",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: 2, 2",
        b"Content-Length: -2",
        b"Content-Length: +2",
        b"Content-Length: 0x2",
        b"Content-Length:",
        b"Content-Length: 2\r\n 0",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2",
        b"Transfer-Encoding: identity\r\nContent-Length: 2",
        b"Content-Length: 2\r\nX: a\rb",
        b"Content-Length: 2\r\nX: a\0b",
        b"Content-Length: 2\r\nX : a",
        b"Content-Length: 2\r\n: a",
        b"Content-Length: 2\r\nX",
    ],
)
async def test_a_head_that_is_no_http_is_refused_at_once(answered, method, lines):
    with pytest.raises(UpstreamError, match="gave no answer") as caught:
        async with asyncio.timeout(30):
            await answered(sent(b"HTTP/1.1 200 X\r\n" + lines + b"\r\n\r\n{}"), method=method)

    assert caught.value.upstream_error == "its answer is broken"


@pytest.mark.parametrize("fast", [True, False])
async def test_a_connection_that_a_refused_answer_came_over_is_closed(listening_for, fast):
    async with listening_for(b"HTTP/1.1 101 X\r\n\r\n") as (url, closed):
        client = Client(url=url, fast=fast)
        with pytest.raises(UpstreamError):
            await client.call("GET", "/x", timeout=60)
        await asyncio.wait_for(closed.wait(), 30)
        await client.close()


@pytest.mark.parametrize("fast", [True, False])
async def test_a_switch_of_protocols_that_was_asked_for_is_an_answer(listening_for, fast):
    switch = b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    async with listening_for(switch) as (url, _):
        client = Client(url=url, fast=fast)
        headers = {"Connection": "upgrade", "Upgrade": "x"}
        async with client.get("/x", headers=headers, timeout=60) as response:
            assert response.status == 101
        await client.close()


async def test_a_packed_answer_is_read_whatever_ends_the_connection(answered, method):
    async def write(writer):
        writer.write(with_gzip(packed(4_000_000)))
        await writer.drain()
        writer.close()

    async with asyncio.timeout(30):
        assert await answered(write, method=method) == 1


def packed(size):
    """Return the gzip form of *size* spaces and a number."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b" " * size + b"1") + packer.flush()


def with_gzip(body):
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def test_what_grows_too_large_when_it_is_unpacked_is_refused(answered, method):
    with pytest.raises(UpstreamError, match="answered 200") as caught:
        await answered(sent(with_gzip(packed(30_000_000))), method=method, max_size=5_000_000)

    assert caught.value.upstream_error == "its answer is larger than 5000000 bytes"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(with_gzip(packed(4_000_000)), id="packed"),
        pytest.param(
            HEAD + b"Content-Length: 4000001\r\n\r\n" + b" " * 4_000_000 + b"1", id="plain"
        ),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + TINY * 200_000 + END, id="chunked"
        ),
    ],
)
async def test_others_run_while_a_large_answer_is_read(answered, method, body):
    async with counted_turns() as turns:
        assert await answered(sent(body), method=method, timeout=30.0) == 1

    assert turns["given"] > 10


async def test_what_came_before_the_end_of_a_connection_is_read(answered, method):
    async def write(writer):
        writer.write(HEAD + b"Connection: close\r\n\r\n" + b" " * 600_000 + b"1")
        writer.close()

    assert await answered(write, method=method) == 1
