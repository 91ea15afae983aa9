"""HTTP itself on raw sockets, on our fast path and on Sanic's own: the same bytes are asked for."""

import asyncio
import contextlib
import json

import pytest
from sanic import response as sanic_response

from msframework import doc

BIG = "x" * 3_000_000


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(request, make_service):
    service = make_service(server={"fast_path": request.param, "keep_alive_timeout": 30.0})

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    @service.post("/echo")
    @doc.consumes({"text": str})
    async def echo(request, body):
        return body

    @service.get("/big")
    async def big(request):
        return BIG

    @service.get("/fails")
    async def fails(request):
        raise ValueError

    @service.post("/stream", stream=True)
    async def stream(request):
        size = 0
        async for chunk in request.stream:
            size += len(chunk)
        return sanic_response.text(str(size))

    @service.get("/streamed")
    async def streamed(request):
        response = await request.respond(content_type="text/plain")
        await response.send("a")
        await response.send("b")
        await response.eof()

    @service.get("/middle")
    async def breaks_off(request):
        response = await request.respond(content_type="text/plain")
        await response.send("a")
        raise ValueError("after the first byte")

    return service


class Raw:
    """A raw connection, and one parsed answer at a time."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, text):
        self.writer.write(text if isinstance(text, bytes) else text.encode())

    async def answer(self, *, body=True):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.split("\r\n")[:-2]
        headers = dict(line.lower().split(": ", 1) for line in lines)
        data = b""
        if body and headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                data += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        elif body:
            data = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(status.split()[1]), headers, data


@pytest.fixture
async def raw(service, serve):
    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        yield Raw(reader, writer)
        writer.close()


GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"
ONE = b'{"code":0,"data":{"n":1}}'


async def test_a_connection_is_kept_alive(raw):
    for _ in range(3):
        raw.send(GET.format("/one"))
        status, headers, body = await raw.answer()
        assert (status, headers["connection"], body) == (200, "keep-alive", ONE)


async def test_pipelined_requests_are_answered_in_order(raw):
    raw.send(GET.format("/one") + GET.format("/nothing") + GET.format("/one"))

    assert [(await raw.answer())[0] for _ in range(3)] == [200, 404, 200]


async def test_connection_close_is_honoured(raw):
    raw.send("GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    _, headers, body = await raw.answer()

    assert (headers["connection"], body) == ("close", ONE)
    assert await raw.reader.read() == b""


async def test_http_1_0_is_closed_after_the_answer(raw):
    raw.send("GET /one HTTP/1.0\r\nHost: x\r\n\r\n")

    status, _, body = await raw.answer()

    assert (status, body) == (200, ONE)
    assert await raw.reader.read() == b""


async def test_head_has_the_length_and_no_body(raw):
    raw.send("HEAD /one HTTP/1.1\r\nHost: x\r\n\r\n" + GET.format("/one"))

    status, headers, _ = await raw.answer(body=False)

    assert (status, headers["content-length"]) == (200, str(len(ONE)))
    assert (await raw.answer())[2] == ONE


async def test_a_chunked_body_is_put_together(raw):
    body = b'{"text":"chunks"}'
    raw.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    raw.send(b"5\r\n" + body[:5] + b"\r\n")
    raw.send(b"%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n")

    status, _, answer = await raw.answer()

    assert (status, json.loads(answer)["data"]) == (200, {"text": "chunks"})


async def test_expect_100_continue_is_answered_before_the_body(raw):
    body = b'{"text":"x"}'
    raw.send(
        f"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}"
        "\r\n\r\n"
    )
    assert await raw.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

    raw.send(body)

    assert (await raw.answer())[0] == 200


async def test_a_body_that_comes_in_pieces(raw):
    body = b'{"text":"' + b"y" * 100_000 + b'"}'
    raw.send(f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n")
    for start in range(0, len(body), 30_000):
        raw.send(body[start : start + 30_000])
        await raw.writer.drain()

    status, _, answer = await raw.answer()

    assert (status, len(json.loads(answer)["data"]["text"])) == (200, 100_000)


async def test_a_large_answer_reaches_a_slow_reader(raw):
    raw.send(GET.format("/big") + GET.format("/one"))

    status, _, body = await raw.answer()

    assert (status, json.loads(body)["data"]) == (200, BIG)
    assert (await raw.answer())[2] == ONE


async def test_a_failing_handler_keeps_the_connection(raw):
    raw.send(GET.format("/fails") + GET.format("/one"))

    assert (await raw.answer())[0] == 500
    assert (await raw.answer())[2] == ONE


async def test_a_streamed_request_is_passed_through(raw):
    raw.send("POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabcdef")

    assert (await raw.answer())[2] == b"6"


async def test_a_streamed_answer_is_passed_through(raw):
    raw.send(GET.format("/streamed") + GET.format("/one"))

    status, headers, body = await raw.answer()

    assert (status, headers["transfer-encoding"], body) == (200, "chunked", b"ab")
    assert "x-request-id" in headers
    assert (await raw.answer())[2] == ONE


async def test_an_answer_that_breaks_off_is_not_followed_by_another(raw):
    raw.send(GET.format("/middle"))

    assert b"200 OK" in await raw.reader.readuntil(b"\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        rest = await raw.reader.read()
        assert b"HTTP/1.1 500" not in rest
        assert b"0\r\n\r\n" not in rest  # a client must not take it for whole


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /one HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /one HTTP/1.1\r\nno colon\r\n\r\n",
    ],
)
async def test_a_malformed_request_is_400_and_closes(raw, request_bytes):
    raw.send(request_bytes)

    status, headers, body = await raw.answer()

    assert (status, headers["connection"]) == (400, "close")
    assert json.loads(body)["code"] == 100400


async def test_a_reader_that_leaves_frees_the_handler(make_service, serve):
    service = make_service()
    entered, left = asyncio.Event(), asyncio.Event()

    @service.get("/wait")
    async def wait(request):
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async with serve(service) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(GET.format("/wait").encode())
        await entered.wait()
        writer.transport.abort()
        await asyncio.wait_for(left.wait(), 5)


async def test_once_stopping_answers_close_the_connection(service, serve):
    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        connection = Raw(reader, writer)
        connection.send(GET.format("/one"))
        assert (await connection.answer())[1]["connection"] == "keep-alive"
        service.stopping = True
        connection.send(GET.format("/one"))
        assert (await connection.answer())[1]["connection"] == "close"
        assert await reader.read() == b""
        writer.close()


async def test_middleware_listeners_signals_and_ctx_work_in_this_order(make_service, serve):
    service = make_service()
    order = []

    @service.before_server_start
    async def before(app):
        order.append("before_server_start")

    @service.signal("http.lifecycle.request")
    async def on_request(request):
        order.append("signal request")

    @service.on_request
    async def on_request_middleware(request):
        request.ctx.value = 1
        order.append("request middleware")

    @service.on_response
    async def on_response_middleware(request, response):
        response.headers["x-value"] = str(request.ctx.value)
        order.append("response middleware")

    @service.get("/")
    async def handler(request):
        order.append("handler")
        return {"value": request.ctx.value}

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        raw.send(GET.format("/"))
        status, headers, body = await raw.answer()
        writer.close()

    assert (status, headers["x-value"]) == (200, "1")
    assert json.loads(body)["data"] == {"value": 1}
    assert order == [
        "before_server_start",
        "signal request",
        "request middleware",
        "handler",
        "response middleware",
    ]


async def test_a_users_exception_handler_comes_before_ours(make_service, serve):
    service = make_service()

    @service.exception(LookupError)
    async def on_lookup(request, exc):
        return sanic_response.text("looked up", status=418)

    @service.get("/")
    async def handler(request):
        raise KeyError("k")

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        raw.send(GET.format("/"))
        status, _, body = await raw.answer()
        writer.close()

    assert (status, body) == (418, b"looked up")


async def test_a_websocket_is_passed_through(make_service, serve):
    import aiohttp

    service = make_service()

    @service.websocket("/feed")
    async def feed(request, ws):
        await ws.send((await ws.recv()).upper())

    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://{host}:{port}/feed") as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "HELLO"
