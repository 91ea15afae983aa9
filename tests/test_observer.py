"""What a request leaves behind, however it ends: one line, one span, and what hooks are shown."""

import asyncio
import contextlib
import json
import logging

import aiohttp
import pytest
from sanic import response as sanic_response
from sanic.http import Stage
from sanic.response import ResponseStream

from msframework import ServiceException
from msframework.log import logger as logged
from msframework.testing.server import serving
from msframework.tracing.context import current_span

BROKEN = ["compiled", "stream", "responsestream", "streamed-responsestream", "length", "short"]


class Watched:
    """A service, and what its requests leave behind."""

    def __init__(self, service, caplog):
        self.service, self._caplog = service, caplog
        self.hooked, self.spans = [], []
        service.on_error(lambda request, exc, span: self.hooked.append((exc, span)))
        service.tracer.record = self.spans.append
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.over = asyncio.Event()

    @property
    def lines(self):
        """The access lines; complete once the server has stopped."""
        return [
            json.loads(line)
            for record in self._caplog.records
            if record.name == "msframework.access"
            for line in record.getMessage().splitlines()
        ]

    @property
    def errors(self):
        """Whatever was logged at WARNING or above, by anybody."""
        return [record for record in self._caplog.records if record.levelno >= logging.WARNING]

    @property
    def told(self):
        """Whatever was logged at INFO or above of requests."""
        return [record for record in self._caplog.records if record.levelno >= logging.INFO]


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def watched(request, make_service, caplog):
    caplog.set_level(logging.INFO)
    service = make_service(
        server={"fast_path": request.param, "keep_alive_timeout": 30.0},
        log={"access": True},
        tracing={"enabled": True, "sample_rate": 1.0},
    )
    watched = Watched(service, caplog)
    declare(service, watched)
    return watched


def declare(service, watched):
    @service.get("/one")
    async def one(request):
        return {"n": 1}

    @service.get("/span")
    async def span(request):
        return {"span": current_span() is request.span}

    @service.post("/body")
    async def body(request):
        return {"size": len(request.body)}

    @service.get("/wait")
    async def wait(request):
        watched.entered.set()
        try:
            await watched.go.wait()
        finally:
            watched.over.set()
        return {}

    async def write(response):
        await response.send("a")
        watched.entered.set()
        await watched.go.wait()
        raise ValueError("in the middle")

    @service.get("/compiled")
    async def compiled(request):
        await write(await request.respond(content_type="text/plain"))

    @service.get("/stream", stream=True)
    async def stream(request):
        await write(await request.respond(content_type="text/plain"))

    @service.get("/responsestream")
    async def response_stream(request):
        return ResponseStream(lambda response: write(response.response))

    @service.get("/streamed-responsestream", stream=True)
    async def streamed_response_stream(request):
        return ResponseStream(lambda response: write(response.response))

    @service.get("/length")
    async def length(request):
        await write(await request.respond(headers={"Content-Length": "3"}))

    @service.get("/short")
    async def short(request):
        answer = await request.respond(headers={"Content-Length": "3"})
        await answer.send("a")
        watched.entered.set()
        await watched.go.wait()
        await answer.eof()

    @service.get("/expected")
    async def expected(request):
        answer = await request.respond()
        await answer.send("a")
        raise ServiceException("late", status_code=404)

    @service.get("/whole")
    async def whole(request):
        answer = await request.respond(content_type="text/plain")
        await answer.send("abc", end_stream=True)
        raise ValueError("after the end")

    @logged
    async def work():
        await asyncio.sleep(0)

    async def write_all(response):
        watched.entered.set()
        await response.send("abc")
        await watched.go.wait()
        await work()
        watched.inside = current_span()
        await response.send("defg")

    @service.get("/good")
    async def good(request):
        answer = await request.respond(content_type="text/plain")
        watched.request = request
        await write_all(answer)
        await answer.eof()

    @service.get("/good-stream", stream=True)
    async def good_stream(request):
        watched.request = request
        await write_all(await request.respond(content_type="text/plain"))

    @service.get("/good-responsestream")
    async def good_response_stream(request):
        watched.request = request
        return ResponseStream(lambda response: write_all(response.response))

    @service.get("/good-streamed-responsestream", stream=True)
    async def good_streamed_response_stream(request):
        watched.request = request
        return ResponseStream(lambda response: write_all(response.response))

    @service.get("/endless")
    async def endless(request):
        answer = await request.respond(content_type="text/plain")
        watched.entered.set()
        try:
            while True:
                await answer.send("x" * 100_000)
        finally:
            watched.over.set()

    @service.post("/upload", stream=True)
    async def upload(request):
        watched.entered.set()
        try:
            async for _ in request.stream:
                pass
        finally:
            watched.over.set()
        return sanic_response.text("done")

    @service.websocket("/ws/<what:str>")
    async def websocket(request, ws, what):
        watched.entered.set()
        try:
            watched.inside = current_span()
            watched.request = request
            if what == "fail":
                raise ValueError("in a websocket")
            if what == "refuse":
                raise ServiceException("no", message="not for you", status_code=403)
            if what == "send":
                while True:
                    await ws.send("x" * 10_000)
            await work()
            await ws.recv()
            if what == "fail-later":
                raise ValueError("in a websocket")
        finally:
            watched.over.set()


GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"


async def until(condition):
    """Let the loop run until *condition* holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("early", [True, False], ids=["at once", "later"])
@pytest.mark.parametrize("path", BROKEN)
async def test_an_answer_that_fails_is_broken_off_and_told_once(watched, serve, path, early):
    if early:
        watched.go.set()
    async with serve(watched.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write((GET.format("/one") + GET.format(f"/{path}")).encode())
        await reader.readuntil(b'"n":1}}')
        await watched.entered.wait()
        data = b""
        if not early:
            data = await reader.readuntil(b"a" if path in ("length", "short") else b"a\r\n")
            watched.go.set()
        with contextlib.suppress(ConnectionError):
            data += await asyncio.wait_for(reader.read(), 30)
        writer.close()

    assert b"0\r\n\r\n" not in data
    assert b" 500 " not in data
    assert len(watched.hooked) == 1
    (error,) = watched.errors
    assert error.name == "msframework.errors"
    assert error.trace_id == watched.hooked[0][1].trace_id
    assert [(line["path"], line["status"], line["bytes"]) for line in watched.lines] == [
        ("/one", 200, 25),
        (f"/{path}", 500, 1),
    ]
    assert watched.lines[1]["trace_id"] == error.trace_id
    _, span = watched.spans
    assert span.tags["http.status_code"] == 500
    assert span.tags["error"]


async def test_what_is_expected_comes_too_late_once_the_answer_has_begun(watched, serve):
    async with serve(watched.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET.format("/expected").encode())
        with contextlib.suppress(ConnectionError):
            assert b"0\r\n\r\n" not in await asyncio.wait_for(reader.read(), 30)
        writer.close()

    assert len(watched.hooked) == len(watched.errors) == 1


async def test_a_failure_after_a_whole_answer_is_told_and_the_answer_stands(watched, serve):
    async with serve(watched.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(2):
            writer.write(GET.format("/whole").encode())
            assert b"\r\ncontent-length: 3\r\n" in await reader.readuntil(b"\r\n\r\nabc")
        writer.close()

    assert len(watched.hooked) == len(watched.errors) == 2
    assert [line["status"] for line in watched.lines] == [200, 200]


@pytest.mark.parametrize("path", ["good", "good-stream", "good-responsestream"])
async def test_line_and_span_cover_the_whole_of_a_stream(watched, serve, path):
    async with serve(watched.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET.format(f"/{path}").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"abc\r\n")
        assert watched.spans == []
        await asyncio.sleep(0.05)
        watched.go.set()
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(GET.format("/span").encode())
        assert b'{"span":true}' in await reader.readuntil(b"}}")
        writer.close()

    request = watched.request
    assert watched.inside is request.span
    assert f"x-trace-id: {request.span.trace_id}".encode() in head
    work, whole, _ = watched.spans
    assert work.operation_name.endswith("work")
    assert work.parent_id == whole.span_id
    assert whole is request.span
    assert whole.operation_name == f"get /{path}"
    assert whole.duration >= 0.05
    line = watched.lines[0]
    assert (line["status"], line["bytes"]) == (200, 7)
    assert line["duration_ms"] >= 50
    assert line["trace_id"] == whole.trace_id


async def test_a_span_ends_with_its_request(watched, serve):
    """What one request of a connection leaves is not there for the next, traced or not."""
    seen = []

    @watched.service.exception(ZeroDivisionError)
    async def handle(request, exc):
        seen.append(current_span())
        return sanic_response.text("zero")

    @watched.service.on_request
    async def look(request):
        seen.append(current_span())

    watched.go.set()
    async with serve(watched.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for path in ("/good", "/good-stream", "/good-responsestream", "/nothing", "/one"):
            writer.write(GET.format(path).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"0\r\n\r\n" if b"chunked" in head else b"}")
        writer.close()

    assert seen == [None] * 5


@pytest.mark.parametrize("path", ["wait", "compiled", "stream", "responsestream", "good"])
async def test_a_client_that_hangs_up_is_no_error(watched, serve, path):
    async with serve(watched.service) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(GET.format(f"/{path}").encode())
        await watched.entered.wait()
        writer.transport.abort()
        await until(lambda: watched.spans)

    assert watched.hooked == watched.errors == []
    (line,) = watched.lines
    assert (line["path"], line["status"], line["level"]) == (f"/{path}", 499, "INFO")
    (span,) = watched.spans
    assert span.tags["http.status_code"] == 499
    assert "error" not in span.tags
    assert len(watched.told) == 1


async def test_a_reader_that_leaves_a_long_answer_is_no_error(watched, serve):
    async with serve(watched.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET.format("/endless").encode())
        await reader.read(1000)
        writer.transport.abort()
        await asyncio.wait_for(watched.over.wait(), 30)
        await until(lambda: watched.spans)

    assert watched.hooked == watched.errors == []
    (line,) = watched.lines
    assert line["status"] == 499
    assert line["bytes"] > 0


@pytest.mark.parametrize(
    "text",
    [
        "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        "POST /bo",
    ],
    ids=["length", "chunked", "streamed", "streamed chunked", "head"],
)
async def test_an_upload_that_is_left_half_is_no_error(watched, text):
    async with serving(watched.service) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(text.encode())
        await until(lambda: any(map(is_reading, server._server.connections)))
        writer.transport.abort()
        await until(lambda: watched.spans)

    assert watched.hooked == watched.errors == []
    assert [line["status"] for line in watched.lines] == [499]
    assert [span.tags["http.status_code"] for span in watched.spans] == [499]


def is_reading(connection):
    """Whether a connection of the server has got a part of a request."""
    http = getattr(connection, "_http", None)  # none before the first bytes
    return http is not None and (connection.recv_buffer or http.stage is Stage.HANDLER)


async def test_many_hang_ups_are_a_line_each_and_nothing_else(watched, serve, caplog):
    count = 300
    async with serve(watched.service) as (host, port):
        for _ in range(count // 30):
            writers = [(await asyncio.open_connection(host, port))[1] for _ in range(30)]
            for number, writer in enumerate(writers):
                writer.write(GET.format(("/wait", "/stream", "/good")[number % 3]).encode())
            await watched.entered.wait()
            await asyncio.sleep(0.01)
            for writer in writers:
                writer.transport.abort()
        await until(lambda: len(watched.spans) == count)

    assert watched.hooked == watched.errors == []
    assert [line["status"] for line in watched.lines] == [499] * count
    size = sum(len(record.getMessage()) for record in caplog.records)
    assert size < count * 500


async def test_without_an_access_log_a_hang_up_is_one_line(make_service, serve, caplog):
    caplog.set_level(logging.INFO)
    service = make_service(log={"access": False})
    watched = Watched(service, caplog)
    declare(service, watched)

    async with serve(service) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(GET.format("/wait").encode())
        await watched.entered.wait()
        writer.transport.abort()
        await until(lambda: watched.spans)

    (record,) = watched.told
    assert record.levelno == logging.INFO
    assert "GET /wait" in record.getMessage()


async def test_a_websocket_that_fails_closes_with_1011_and_is_told_once(watched, serve):
    async with serve(watched.service) as (host, port), aiohttp.ClientSession() as session:
        for what in ("fail", "fail-later"):
            async with session.ws_connect(f"http://{host}:{port}/ws/{what}") as ws:
                if what == "fail-later":
                    await ws.send_str("go on")
                message = await ws.receive()
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1011)

    assert len(watched.hooked) == len(watched.errors) == 2
    spans = [span for span in watched.spans if span.kind == "server"]
    for (exc, hooked), error, span in zip(watched.hooked, watched.errors, spans, strict=True):
        assert str(exc) == "in a websocket"
        assert hooked is span
        assert error.trace_id == span.trace_id
        assert span.tags["error"]


async def test_a_websocket_that_refuses_closes_with_1008_and_its_message(watched, serve):
    async with serve(watched.service) as (host, port), aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://{host}:{port}/ws/refuse") as ws:
            message = await ws.receive()

    assert (message.data, message.extra) == (1008, "not for you")
    assert watched.hooked == watched.errors == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("x" * 200, "x" * 123),
        ("é" * 100, "é" * 61),
        ("𝄞" * 100, "𝄞" * 30),
        ("a\ud800b", "a?b"),
        ("\udcff" * 200, "?" * 123),
    ],
)
async def test_the_reason_of_a_close_is_as_long_as_a_frame_can_say(watched, serve, message, reason):
    @watched.service.websocket("/refuses")
    async def refuses(request, ws):
        raise ServiceException("no", message=message, status_code=403)

    async with serve(watched.service) as (host, port), aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://{host}:{port}/refuses") as ws:
            closed = await ws.receive()

    assert (closed.data, closed.extra) == (1008, reason)
    assert watched.hooked == watched.errors == []


async def test_a_websocket_has_a_span_and_a_line_for_all_its_time(watched, serve):
    async with serve(watched.service) as (host, port), aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://{host}:{port}/ws/echo") as ws:
            await watched.entered.wait()
            assert [span for span in watched.spans if span.kind == "server"] == []
            headers = ws._response.headers
            assert headers.getall("x-request-id") == [watched.request.id]
            assert headers.getall("x-trace-id") == [watched.request.span.trace_id]
            assert len(headers.getall("date")) == 1
            await ws.send_str("bye")
            message = await ws.receive()

    assert message.data == 1000
    work, whole = watched.spans
    assert work.parent_id == whole.span_id
    assert whole is watched.inside is watched.request.span
    assert whole.operation_name == "get /ws/{what}"
    assert whole.tags["http.status_code"] == 101
    (line,) = watched.lines
    assert (line["status"], line["trace_id"]) == (101, whole.trace_id)
    assert watched.errors == []


@pytest.mark.parametrize("what", ["echo", "send"])
@pytest.mark.parametrize("how", ["abort", "close"])
async def test_a_peer_that_leaves_a_websocket_is_no_error(watched, serve, what, how):
    async with serve(watched.service) as (host, port), aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"http://{host}:{port}/ws/{what}")
        await watched.entered.wait()
        if how == "abort":
            ws._response.connection.transport.abort()
        await ws.close()
        await until(lambda: [span for span in watched.spans if span.kind == "server"])

    assert watched.hooked == watched.errors == []
    assert [line["status"] for line in watched.lines] == [101]


async def test_a_server_that_stops_closes_its_websockets_with_1001(watched, serve):
    async with aiohttp.ClientSession() as session:
        async with serve(watched.service) as (host, port):
            ws = await session.ws_connect(f"http://{host}:{port}/ws/echo")
            await watched.entered.wait()
        message = await ws.receive()
        await ws.close()

    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    assert watched.hooked == watched.errors == []


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),  # a text that is no UTF-8
        (b"\x81\x01a", 1002),  # not masked
        (b"\xff\x80\x00\x00\x00\x00", 1002),  # no such frame
        (b"\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00", 1009),  # too large
    ],
    ids=["no UTF-8", "no mask", "no opcode", "too large"],
)
async def test_frames_that_are_none_are_no_error_of_ours(watched, serve, frame, code):
    async with serve(watched.service) as (host, port), aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"http://{host}:{port}/ws/echo")
        await watched.entered.wait()
        ws._response.connection.transport.write(frame)
        message = await ws.receive()
        await ws.close()
        await until(lambda: [span for span in watched.spans if span.kind == "server"])

    assert message.data == code
    assert watched.hooked == []
    assert [record for record in watched.errors if record.levelno >= logging.ERROR] == []


async def test_a_body_that_breaks_after_the_answer_began_is_no_error_of_ours(watched, serve):
    @watched.service.post("/echo", stream=True)
    async def echo(request):
        answer = await request.respond(content_type="text/plain")
        async for chunk in request.stream:
            await answer.send(chunk)

    async with serve(watched.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"3\r\nabc\r\n")
        await reader.readuntil(b"abc\r\n")
        writer.write(b"zz\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"0\r\n\r\n" not in await asyncio.wait_for(reader.read(), 30)
        writer.close()

    assert watched.hooked == watched.errors == []
    assert [line["status"] for line in watched.lines] == [400]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 426),
        ({"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x"}, 400),
        ({"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "1"}, 400),
    ],
)
async def test_a_handshake_that_is_none_is_answered_in_the_envelope(
    watched, serve, headers, status
):
    async with serve(watched.service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/ws/echo", headers=headers) as response:
            assert response.status == status
            assert (await response.json())["code"] == 100000 + status

    assert watched.hooked == watched.errors == []
    assert [line["status"] for line in watched.lines] == [status]
