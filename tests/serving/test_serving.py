"""HTTP itself on raw sockets, on our fast path and on Sanic's own: the same bytes are asked for."""

import asyncio
import contextlib
import json

import pytest
from sanic import response as sanic_response

from msframework import Blueprint, doc
from msframework.serving.request import LeanRequest, Request
from msframework.testing.server import Server, serving
from tests.serving.watched import WatchedTransport

BIG = "x" * 3_000_000
JSON = "Content-Type: application/json\r\n"


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

    @service.get("/item/<number:int>")
    async def item(request, number):
        return {"number": number, "query": request.args.get("q"), "url": request.url}

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
    raw.send(f"POST /echo HTTP/1.1\r\nHost: x\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n")
    raw.send(b"5\r\n" + body[:5] + b"\r\n")
    raw.send(b"%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n")

    status, _, answer = await raw.answer()

    assert (status, json.loads(answer)["data"]) == (200, {"text": "chunks"})


async def test_expect_100_continue_is_answered_before_the_body(raw):
    body = b'{"text":"x"}'
    raw.send(
        f"POST /echo HTTP/1.1\r\nHost: x\r\n{JSON}Expect: 100-continue\r\n"
        f"Content-Length: {len(body)}"
        "\r\n\r\n"
    )
    assert await raw.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

    raw.send(body)

    assert (await raw.answer())[0] == 200


async def test_a_body_that_comes_in_pieces(raw):
    body = b'{"text":"' + b"y" * 100_000 + b'"}'
    raw.send(f"POST /echo HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n\r\n")
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


async def test_a_head_that_comes_in_pieces_is_put_together(raw):
    for piece in ("GET /item/7 HTT", "P/1.1\r\nHo", "st: x\r\n", "\r\n"):
        raw.send(piece)
        await raw.writer.drain()

    assert json.loads((await raw.answer())[2])["data"]["number"] == 7
    raw.send(GET.format("/one"))
    assert (await raw.answer())[2] == ONE


async def test_kinds_of_requests_take_turns_on_one_connection(raw):
    body = b'{"text":"x"}'
    head = f"POST /echo HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n\r\n"
    post = head.encode() + body
    chunked = (
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )
    expected = {"/one": ONE, "/streamed": b"ab"}
    for _ in range(2):
        for path, content in expected.items():
            raw.send(GET.format(path))
            assert (await raw.answer())[::2] == (200, content)
        for request in (post, chunked, post):
            raw.send(request)
            status, _, answer = await raw.answer()
            assert (status, json.loads(answer)["data"]) == (200, {"text": "x"})
        raw.send(GET.format("/nothing"))
        assert (await raw.answer())[0] == 404


async def test_what_follows_a_request_at_once_is_served_in_order(raw):
    body = b'{"text":"x"}'
    head = f"POST /echo HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: {len(body)}\r\n\r\n"
    post = head.encode() + body
    raw.send(post + GET.format("/item/1?q=a").encode() + post + b"GET /item/2 HTTP/1.1\r\n")

    assert json.loads((await raw.answer())[2])["data"] == {"text": "x"}
    assert json.loads((await raw.answer())[2])["data"]["number"] == 1
    assert json.loads((await raw.answer())[2])["data"] == {"text": "x"}
    raw.send("Host: x\r\n\r\n")
    assert json.loads((await raw.answer())[2])["data"]["number"] == 2


@pytest.mark.parametrize(
    ("target", "status", "number", "query"),
    [
        ("/item/5", 200, 5, None),
        ("/item/-5", 200, -5, None),
        ("/item/5/", 200, 5, None),
        ("/item/5?q=%C3%A9&x", 200, 5, "é"),
        ("/item/5?", 200, 5, None),
        ("/item/five", 404, None, None),
        ("/item", 404, None, None),
        ("//item/5", 404, None, None),
        ("http://x/item/5?q=1", 200, 5, "1"),
        ("/item/99999999999999999999", 200, 99999999999999999999, None),
    ],
)
async def test_targets_are_read_alike(raw, target, status, number, query):
    raw.send(GET.format(target) + GET.format("/one"))

    found, _, body = await raw.answer()

    assert found == status
    if status == 200:
        data = json.loads(body)["data"]
        assert (data["number"], data["query"]) == (number, query)
        assert data["url"].startswith("http://x/item/")
    assert (await raw.answer())[2] == ONE


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("X-Request-ID: mine-1\r\n", "mine-1"),
        ("x-request-id:mine-1\r\nX-REQUEST-ID: mine-2\r\n", "mine-1"),
        ("X-Request-ID: not sane\r\n", None),
        ("", None),
    ],
)
async def test_request_ids_are_taken_over_or_made(raw, headers, expected):
    raw.send(f"GET /one HTTP/1.1\r\nHost: x\r\n{headers}\r\n" * 2)

    ids = [(await raw.answer())[1]["x-request-id"] for _ in range(2)]

    if expected is None:
        assert [len(one) for one in ids] == [32, 32]
        assert ids[0] != ids[1]
    else:
        assert ids == [expected] * 2


async def test_all_of_a_request_can_be_read(make_service, serve):
    seen = {}
    service = make_service()

    @service.post("/all/<name>")
    async def read_all(request, name):
        seen.update(
            args=dict(request.args),
            cookies=dict(request.cookies),
            ctx=request.ctx is request.ctx,
            head=request.raw_headers,
            host=request.host,
            ip=request.ip,
            json=request.json,
            line=request.request_line,
            match_info=request.match_info,
            not_grouped=request.query_args,
            repeated=request.headers.getall("x-a"),
            first=request.fields["x-a"],
            repeats=request.repeats,
            route=request.route.path,
            scheme=request.scheme,
            token=request.token,
            url=request.url,
            endpoint=request.endpoint,
            accept=str(request.accept),
            current=type(request).get_current() is request,
        )
        return None

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        raw.send(
            "POST /all/n?a=1&b=2 HTTP/1.1\r\nHost: shop:80\r\nX-A: 1\r\nx-a: 2\r\n"
            "Authorization: Bearer t\r\nCookie: c=d\r\nAccept: text/html\r\n"
            "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n" + '{"j":1}'
        )
        assert (await raw.answer())[0] == 200
        writer.close()

    assert seen.pop("head").startswith(b"Host: shop:80")
    assert seen == {
        "args": {"a": ["1"], "b": ["2"]},
        "cookies": {"c": ["d"]},
        "ctx": True,
        "host": "shop:80",
        "ip": "127.0.0.1",
        "json": {"j": 1},
        "line": b"POST /all/n?a=1&b=2 HTTP/1.1",
        "match_info": {"name": "n"},
        "not_grouped": [("a", "1"), ("b", "2")],
        "repeated": ["1", "2"],
        "first": "1",
        "repeats": True,
        "route": "all/<name:str>",
        "scheme": "http",
        "token": "t",
        "url": "http://shop:80/all/n?a=1&b=2",
        "endpoint": "testing.read_all",
        "accept": "text/html",
        "current": True,
    }


@pytest.mark.parametrize("fast", [True, False])
async def test_a_handler_that_takes_too_long_is_answered_for(make_service, serve, fast):
    service = make_service(server={"fast_path": fast, "response_timeout": 0.1})
    ended = asyncio.Event()

    @service.get("/slow")
    async def slow(request):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        raw.send(GET.format("/slow"))
        status, headers, body = await raw.answer()
        await asyncio.wait_for(ended.wait(), 30)
        assert (status, headers["connection"]) == (503, "close")
        assert json.loads(body)["code"] == 100503
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("fast", [True, False])
async def test_a_body_that_is_too_large_is_413(make_service, serve, fast):
    service = make_service(server={"fast_path": fast, "request_max_size": 10})

    @service.post("/echo")
    @doc.consumes({"text": str})
    async def echo(request, body):
        return body

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        raw.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n" + '{"text":"x"}')
        assert (await raw.answer())[0] == 413
        writer.close()


async def test_a_request_that_arrived_is_answered_although_the_service_stops(make_service, serve):
    service = make_service()
    entered, go_on = asyncio.Event(), asyncio.Event()

    @service.get("/wait")
    async def wait(request):
        entered.set()
        await go_on.wait()
        return {"n": 1}

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        raw.send(GET.format("/wait"))
        await entered.wait()
        service._serving.stopping = True
        go_on.set()
        status, headers, body = await raw.answer()
        assert (status, headers["connection"], body) == (200, "close", ONE)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("fast", [True, False])
async def test_reading_goes_on_once_a_full_buffer_is_answered(make_service, fast):
    service = make_service(server={"fast_path": fast})
    entered, go_on = asyncio.Event(), asyncio.Event()

    @service.get("/wait")
    async def wait(request):
        entered.set()
        await go_on.wait()

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    async with serving(service) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        raw = Raw(reader, writer)
        raw.send(GET.format("/wait"))
        await entered.wait()
        (connection,) = server._server.connections
        whole = GET.format("/one")
        count = service.config.REQUEST_BUFFER_SIZE // len(whole) + 1  # reading is paused then
        raw.send(whole * count)
        while len(connection.recv_buffer) < len(whole) * count:
            await asyncio.sleep(0)
        go_on.set()
        for _ in range(count + 1):
            assert (await raw.answer())[0] == 200
        raw.send(whole)
        assert (await asyncio.wait_for(raw.answer(), 30))[2] == ONE
        writer.close()


async def test_a_request_keeps_its_connection_from_counting_as_idle(make_service):
    service = make_service()

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    server = Server(service)
    await server.start()
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    raw = Raw(reader, writer)
    raw.send(GET.format("/one"))
    assert (await raw.answer())[2] == ONE
    (connection,) = server._server.connections
    connection.data_received(GET.format("/one").encode())

    closed = connection.close_if_idle()  # as a stop does, before the request's task has run

    assert not closed
    assert (await raw.answer())[2] == ONE
    writer.close()
    await server.stop()


class Crowd:
    """Several connections to one service, whose requests arrive in the same turn of the loop."""

    def __init__(self):
        self.events, self.raws, self.connections = [], [], []
        self.on_call, self.waiting = None, self.wait_forever

    async def wait_forever(self):
        self.events.append("waits")
        await asyncio.Event().wait()

    async def join(self, server):
        host, _, port = server.url.removeprefix("http://").partition(":")
        known = set(server._server.connections)
        raw = Raw(*await asyncio.open_connection(host, int(port)))
        raw.send(GET.format("/call"))
        assert (await raw.answer())[0] == 200
        (connection,) = set(server._server.connections) - known
        connection.transport = WatchedTransport(
            connection.transport, lambda: self.events.append("written")
        )
        self.raws.append(raw)
        self.connections.append(connection)

    def arrive(self):
        for connection in self.connections:
            connection.data_received(GET.format("/call").encode())

    async def hold(self, number):
        self.raws[number].send(GET.format("/wait"))
        while "waits" not in self.events:
            await asyncio.sleep(0)

    async def statuses(self, *numbers):
        raws = [self.raws[number] for number in numbers] or self.raws
        return [(await raw.answer())[0] for raw in raws]


@pytest.fixture
async def make_crowd(make_service):
    service, crowd = make_service(), Crowd()

    @service.get("/call")
    async def call(request):
        if crowd.on_call is not None:
            crowd.on_call()

    @service.get("/wait")
    async def wait(request):
        await crowd.waiting()

    @service.get("/text")
    async def text(request):
        return sanic_response.text("by Sanic")

    async with serving(service) as server:

        async def make(size):
            for _ in range(size):
                await crowd.join(server)
            crowd.on_call = lambda: crowd.events.append("handled")
            return crowd

        crowd.service = service
        yield make
        for raw in crowd.raws:
            raw.writer.close()


async def test_answers_of_one_turn_are_written_together(make_crowd):
    crowd = await make_crowd(3)

    crowd.arrive()

    assert await crowd.statuses() == [200, 200, 200]
    assert crowd.events == ["handled"] * 3 + ["written"] * 3


async def test_an_answer_that_is_alone_is_written_at_once(make_crowd):
    crowd = await make_crowd(1)
    loop = asyncio.get_running_loop()
    crowd.on_call = lambda: loop.call_soon(crowd.events.append, "next turn")

    crowd.arrive()

    assert await crowd.statuses() == [200]
    assert crowd.events == ["written", "next turn"]


async def test_a_stop_closes_no_connection_whose_answer_waits(make_crowd):
    crowd = await make_crowd(3)
    crowd.on_call = lambda: [connection.close_if_idle() for connection in crowd.connections]

    crowd.arrive()

    assert await crowd.statuses() == [200, 200, 200]
    assert all(connection.close_if_idle() for connection in crowd.connections)


async def test_a_peer_that_is_gone_costs_the_others_nothing(make_crowd):
    crowd = await make_crowd(3)
    calls = []

    def leave():
        calls.append(1)
        if len(calls) == 2:
            crowd.connections[0].transport.abort()

    crowd.on_call = leave
    crowd.arrive()

    assert await crowd.statuses(1, 2) == [200, 200]
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await crowd.statuses(0)
    assert crowd.events == ["written"] * 2


async def test_a_write_that_fails_costs_the_others_nothing(make_crowd, caplog):
    crowd = await make_crowd(3)
    crowd.connections[1].transport.write = None

    crowd.arrive()

    assert await crowd.statuses(0, 2) == [200, 200]
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await crowd.statuses(1)
    assert "an answer could not be written" in caplog.text


async def test_a_peer_that_closes_its_side_gets_its_answer(make_crowd):
    crowd = await make_crowd(3)
    await crowd.hold(2)  # as long as one is busy, the others' answers wait
    del crowd.connections[2], crowd.events[:]
    first, loop = crowd.connections[0], asyncio.get_running_loop()

    def end():  # as the loop does when it reads the end, here before the answers are written
        if not first.eof_received():
            first.transport.close()

    def on_call():
        if "handled" not in crowd.events:
            loop.call_soon(end)
        crowd.events.append("handled")

    crowd.on_call = on_call
    crowd.arrive()

    assert await crowd.statuses(0, 1) == [200, 200]
    assert await crowd.raws[0].reader.read() == b""
    assert crowd.events == ["handled"] * 2 + ["written"] * 2


async def test_answers_wait_for_no_more_than_so_many_others(make_crowd):
    crowd = await make_crowd(40)

    crowd.arrive()

    assert await crowd.statuses() == [200] * 40
    assert crowd.events[:64] == ["handled"] * 32 + ["written"] * 32


async def test_a_connection_that_was_lost_waits_for_nothing_more(make_crowd):
    crowd = await make_crowd(2)
    gone, other = crowd.connections
    left = asyncio.Event()

    async def ends_all_the_same():
        crowd.events.append("waits")
        with contextlib.suppress(asyncio.CancelledError):
            await left.wait()

    crowd.waiting = ends_all_the_same
    task = gone._task
    await crowd.hold(0)
    crowd.raws[0].writer.transport.abort()

    async with asyncio.timeout(30):
        while not task.done():
            await asyncio.sleep(0)
    assert other._task is not None


@pytest.mark.parametrize(
    "last",
    ["HEAD /call HTTP/1.1\r\nHost: x\r\n\r\n", GET.format("/text"), GET.format("/call") * 3],
    ids=["of Sanic's", "another response", "pipelined"],
)
async def test_connections_that_serve_are_counted(make_crowd, last):
    crowd = await make_crowd(2)
    outbox = crowd.service._serving.outbox
    assert outbox.busy == 0
    gone, stays = crowd.raws

    await crowd.hold(0)
    stays.send(last)
    assert (await stays.answer(body=not last.startswith("HEAD")))[0] == 200
    assert outbox.busy >= 1
    gone.writer.close()
    stays.writer.close()

    async with asyncio.timeout(30):
        while outbox.busy:
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("fast", "text", "lean"),
    [
        (True, "GET /kind HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (True, "GET /kind?a=1 HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n", True),
        (True, "GET /kind/ HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (True, "POST /kind HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1", True),
        (True, "GET /kind HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", False),
        (True, "GET /kind HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False),
        (False, "GET /kind HTTP/1.1\r\nHost: x\r\n\r\n", False),
    ],
)
async def test_what_takes_the_fast_path(make_service, serve, fast, text, lean):
    service = make_service(server={"fast_path": fast})
    kinds = []

    @service.route("/kind", methods=["GET", "POST"])
    async def kind(request):
        kinds.append(type(request))

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        raw.send(text)
        assert (await raw.answer())[0] == 200
        writer.close()

    assert kinds == [LeanRequest if lean else Request]


async def test_a_request_class_of_the_users_own_is_used(make_service, serve):
    class Own(Request):
        __slots__ = ()

    service = make_service()
    service.request_class = Own
    kinds = []

    @service.get("/")
    async def kind(request):
        kinds.append(type(request))

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        raw.send(GET.format("/"))
        assert (await raw.answer())[0] == 200
        writer.close()

    assert kinds == [Own]


async def test_middleware_of_one_route_leaves_the_others_their_fast_path(make_service, serve):
    service = make_service()
    blueprint = Blueprint("guarded", url_prefix="/guarded")

    @blueprint.on_request
    async def guard(request):
        request.ctx.guarded = True

    @blueprint.get("/")
    async def guarded(request):
        return {"guarded": request.ctx.guarded}

    @service.get("/free")
    async def free(request):
        return {"guarded": hasattr(request.ctx, "guarded")}

    service.blueprint(blueprint)
    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        raw = Raw(reader, writer)
        for path, guarded in (("/free", False), ("/guarded/", True), ("/free", False)):
            raw.send(GET.format(path))
            assert json.loads((await raw.answer())[2])["data"] == {"guarded": guarded}
        writer.close()


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
        await asyncio.wait_for(left.wait(), 30)


async def test_once_stopping_answers_close_the_connection(service, serve):
    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        connection = Raw(reader, writer)
        connection.send(GET.format("/one"))
        assert (await connection.answer())[1]["connection"] == "keep-alive"
        service._serving.stopping = True
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
