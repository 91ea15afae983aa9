"""How a connection begins and ends: first requests, refusals that arrive, and what may follow."""

import asyncio
import json

import pytest
from sanic import response as sanic_response
from sanic.response import text

from msframework.serving import strict
from msframework.serving.request import LeanRequest, Request
from tests.serving.fuzz import HANDSHAKE
from tests.serving.stranger import street_of
from tests.serving.test_head import JSON, get, post
from tests.serving.test_smuggling import ONE


async def test_a_request_that_arrives_with_its_connection_is_lean(make_service):
    service, kinds = make_service(), []

    @service.get("/kind")
    async def kind(request):
        kinds.append(type(request))

    async with street_of(service) as street:
        first = await street.meet(get(target=b"/kind"))
        both = await street.meet(get(target=b"/kind") * 2)
        late = await street.meet()
        await late.send(get(target=b"/kind"))
        outcomes = [stranger.outcome() for stranger in (first, both, late)]

    assert [outcome.statuses for outcome in outcomes] == [[200], [200, 200], [200]]
    assert kinds == [LeanRequest] * 4


async def test_a_request_behind_one_that_is_sanics_is_lean(make_service):
    service, kinds = make_service(), []

    @service.get("/kind")
    async def kind(request):
        kinds.append(type(request))

    async with street_of(service) as street:
        slow = get(b"Host: x\r\nConnection: TE\r\n", b"/kind")
        outcome = await street.exchange(slow + get(target=b"/kind") + slow)

    assert outcome.statuses == [200] * 3
    assert kinds == [Request, LeanRequest, Request]


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def small(request, make_service):
    """Return a service that reads no more than a hundred bytes of a body."""
    service = make_service(server={"fast_path": request.param, "request_max_size": 100})
    service.sizes = []

    @service.post("/echo")
    async def echo(request):
        service.sizes.append(len(request.body))

    @service.post("/stream", stream=True)
    async def stream(request):
        service.sizes.append(sum([len(piece) async for piece in request.stream]))
        return text("taken")

    @service.post("/early", stream=True)
    async def early(request):
        return text("no need to read it")

    @service.post("/duplex", stream=True)
    async def duplex(request):
        response = await request.respond()
        await response.send("begun")
        service.sizes.append(sum([len(piece) async for piece in request.stream]))
        await response.eof()

    @service.get("/ignores")
    async def ignores(request):
        return {"read": False}

    return service


LARGE = {
    "said": b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000,
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n",
}


@pytest.mark.parametrize("path", ["/echo", "/none"])
@pytest.mark.parametrize("kind", LARGE)
async def test_an_answer_to_a_body_that_is_too_large_arrives(small, serve, path, kind):
    rest = b"x" * 500_000 if kind == "chunked" else b""
    async with serve(small) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + LARGE[kind] + rest)
        await writer.drain()  # as clients do that read no answer before all is sent
        answer = await reader.read()
        writer.close()

    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == (413 if path == "/echo" else 404)
    if path == "/echo" or kind == "said":  # of a chunk nobody knows before it is read
        assert b"connection: close" in head
    if path == "/echo":
        assert json.loads(body)["code"] == 100_413
    assert small.sizes == []


async def test_bodies_up_to_the_bound_are_read_however_they_come(small):
    data = b"x" * 100
    chunks = b"".join(b"1\r\nx\r\n" for _ in range(100)) + b"0\r\n\r\n"
    async with street_of(small) as street:
        for more, status in ((b"", 200), (b"y", 413)):
            size = b"Content-Length: %d\r\n" % len(data + more)
            body = (b"1\r\ny\r\n" if more else b"") + chunks
            outcome = await street.exchange(
                post(b"Content-Type: text/plain\r\n" + size, data + more)
            )
            assert outcome.statuses == [status]
            outcome = await street.exchange(post(b"Transfer-Encoding: chunked\r\n", body))
            assert outcome.statuses == [status]

    assert small.sizes == [100, 100]


async def test_a_stream_has_no_bound_of_its_own(small):
    async with street_of(small) as street:
        size = b"Content-Length: 1000\r\n"
        outcome = await street.exchange(post(size, b"x" * 1000, b"/stream"), ONE)

    assert outcome.statuses == [200, 404]
    assert small.sizes == [1000]


async def test_a_client_that_sends_on_for_ever_is_left(small, monkeypatch):
    monkeypatch.setattr(strict, "_LEAST_LINGER", 1000)
    async with street_of(small) as street:
        stranger = await street.meet()
        await stranger.send(post(b"Content-Length: 9999\r\n", b""))
        assert not stranger.protocol.transport.is_closing()
        await stranger.send(b"x" * 500)
        assert not stranger.protocol.transport.is_closing()
        await stranger.send(b"x" * 501)

        assert stranger.protocol._task is None
        assert stranger.outcome().statuses == [413]


async def test_a_client_that_stays_after_a_refusal_is_left(small, monkeypatch):
    monkeypatch.setattr(strict, "_LINGER", 0.01)
    async with street_of(small) as street:
        stranger = await street.meet()
        await stranger.send(b"GET / HTTP/9.9\r\n\r\n")
        assert stranger.outcome().closed
        async with asyncio.timeout(30):
            await asyncio.shield(stranger.protocol._task)

        assert stranger.protocol._task is None


async def test_a_refusal_is_no_error_of_ours(small, caplog):
    async with street_of(small) as street:
        for data in (b"\0\r\n\r\n", post(b"Content-Length: 101\r\n"), get(target=b"//#")):
            await street.exchange(data)

    assert caplog.text == ""


async def test_nobody_is_told_to_go_on_with_a_body_that_is_too_large(small):
    async with street_of(small) as street:
        head = post(b"Expect: 100-continue\r\nContent-Length: 101\r\n", b"")
        outcome = await street.exchange(head)

    assert (outcome.statuses, outcome.closed) == ([413], True)


UNREAD = {
    "unknown path": (b"POST /none", 404),
    "wrong method": (b"PUT /echo", 405),
    "stream that reads nothing": (b"POST /early", 200),
    "method that ignores its body": (b"GET /ignores", 200),
    "head": (b"HEAD /ignores", 200),
}


def head_of(line, headers):
    return line + b" HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n"


@pytest.mark.parametrize("kind", UNREAD)
async def test_an_answer_says_close_where_a_body_is_too_large_to_be_read_away(small, kind):
    line, status = UNREAD[kind]
    async with street_of(small) as street:
        for size, connection in ((100, "keep-alive"), (101, "close")):
            length = b"Content-Length: %d\r\n" % size
            outcome = await street.exchange(head_of(line, length), b"x" * size)

            assert [answer[:2] for answer in outcome.answers] == [(status, connection)]
            assert outcome.closed == (connection == "close")


@pytest.mark.parametrize("kind", UNREAD)
@pytest.mark.parametrize("body", [b"", b"x" * 9], ids=["waits", "sends on"])
async def test_nobody_is_told_to_go_on_with_a_body_that_is_not_read(small, kind, body):
    line, status = UNREAD[kind]
    head = head_of(line, b"Expect: 100-continue\r\nContent-Length: 9\r\n")
    async with street_of(small) as street:
        outcome = await street.exchange(head + body)

    assert [answer[:2] for answer in outcome.answers] == [(status, "close")]
    assert outcome.closed


async def test_a_stream_that_answers_before_it_reads_has_its_client_go_on(small):
    head = head_of(b"POST /duplex", b"Expect: 100-continue\r\nContent-Length: 1000\r\n")
    async with street_of(small) as street:
        outcome = await street.exchange(head, b"x" * 1000)

    assert [answer[:2] for answer in outcome.answers] == [(100, ""), (200, "keep-alive")]
    assert not outcome.closed
    assert small.sizes == [1000]


async def test_signals_see_heads_requests_and_bodies(make_service):
    service, seen = make_service(), []

    @service.signal("http.lifecycle.read_head")
    async def on_head(head):
        seen.append(head.split(b" ")[0])

    @service.signal("http.lifecycle.request")
    async def on_request(request):
        seen.append(request.path)

    @service.signal("http.lifecycle.read_body")
    async def on_body(body):
        seen.append(body)

    @service.post("/echo")
    async def echo(request):
        seen.append(request.body)

    async with street_of(service) as street:
        await street.exchange(post(b"Content-Length: 12\r\n"))

    assert seen == [b"POST", "/echo", JSON, JSON]


@pytest.mark.parametrize("upgrade", [b"websocket", b"WebSocket", b"websocket,", b",websocket"])
@pytest.mark.parametrize("fast", [True, False])
async def test_a_websocket_takes_frames_that_arrive_with_its_request(make_service, fast, upgrade):
    service, messages = make_service(server={"fast_path": fast}), []

    @service.websocket("/feed")
    async def feed(request, ws):
        messages.append(await ws.recv())
        messages.append(await ws.recv())

    frame = b"\x81\x82\0\0\0\0hi"
    async with street_of(service) as street:
        handshake = HANDSHAKE.replace(b"\r\n\r\n", "\r\nX-Name: é\r\n\r\n".encode())
        handshake = handshake.replace(b"websocket", upgrade, 1)
        outcome = await street.exchange(handshake + frame, frame)

    assert outcome.statuses == [101]
    assert messages == ["hi", "hi"]


@pytest.mark.parametrize("fast", [True, False])
async def test_an_answer_that_a_handler_streamed_is_no_error(make_service, caplog, fast):
    service = make_service(server={"fast_path": fast})

    @service.get("/streamed")
    async def streamed(request):
        response = await request.respond(content_type="text/plain", status=202)
        await response.send("a")
        await response.eof()

    async with street_of(service) as street:
        outcome = await street.exchange(get(target=b"/streamed") * 2)

    assert outcome.statuses == [202, 202]
    assert caplog.text == ""


@pytest.mark.parametrize("fast", [True, False])
async def test_signals_hear_of_exceptions_in_compiled_handlers(make_service, fast):
    service, heard = make_service(server={"fast_path": fast}), []

    @service.signal("http.lifecycle.exception")
    async def on_exception(request, exception):
        heard.append((request.path, type(exception)))

    @service.get("/fails")
    async def fails(request):
        raise LookupError

    async with street_of(service) as street:
        await street.exchange(get(target=b"/fails"))

    assert heard == [("/fails", LookupError)]


@pytest.mark.parametrize("fast", [True, False])
async def test_a_websocket_is_not_begun_over_an_older_http(make_service, fast):
    service, begun = make_service(server={"fast_path": fast}), []

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    @service.websocket("/feed")
    async def feed(request, ws):
        begun.append(request)

    async with street_of(service) as street:
        old = HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0")
        outcome = await street.exchange(old)
        other = await street.exchange(old.replace(b"/feed", b"/one"))

    assert (outcome.statuses, outcome.closed, begun) == ([426], True, [])
    assert other.statuses == [200]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("pieces", ["whole", "two", "bytes"])
@pytest.mark.parametrize("path", [b"/streamed", b"/function", b"/file"])
async def test_an_older_http_gets_no_chunks(make_service, fast, pieces, path, tmp_path):
    service = make_service(server={"fast_path": fast})
    (tmp_path / "text").write_text("ab")

    @service.get("/streamed")
    async def streamed(request):
        response = await request.respond(content_type="text/plain")
        await response.send("a")
        await response.send("")
        await response.send("b")
        await response.eof()

    @service.get("/function")
    async def function(request):
        async def write(response):
            await response.write("a")
            await response.write("b")

        return sanic_response.ResponseStream(write, content_type="text/plain")

    @service.get("/file")
    async def file(request):
        return await sanic_response.file_stream(tmp_path / "text", chunk_size=1)

    head = get(b"Host: x\r\nConnection: keep-alive\r\n", path, version=b"HTTP/1.0")
    cuts = {"whole": [head], "two": [head[:9], head[9:]], "bytes": [bytes([b]) for b in head]}
    async with street_of(service) as street:
        stranger = await street.meet()
        await stranger.send(get(target=path), *cuts[pieces])
        outcome, received = stranger.outcome(), stranger.received
        asked = await street.exchange(head.replace(b"GET", b"HEAD"))

    (_, kept, chunks), (_, closed, plain) = outcome.answers
    assert (kept, chunks[-5:]) == ("keep-alive", b"0\r\n\r\n")
    assert (closed, plain, outcome.closed) == ("close", b"ab", True)
    assert b"transfer-encoding" not in received[received.rindex(b"HTTP/1.1 ") :].lower()
    assert [(status, body) for status, _, body in asked.answers] == [(200, b"")]


@pytest.mark.parametrize("fast", [True, False])
async def test_an_older_http_keeps_its_connection_where_the_length_is_known(make_service, fast):
    service = make_service(server={"fast_path": fast})

    @service.get("/sized")
    async def sized(request):
        response = await request.respond(headers={"Content-Length": "2"})
        await response.send("a")
        await response.send("b")

    head = get(b"Host: x\r\nConnection: keep-alive\r\n", b"/sized", version=b"HTTP/1.0")
    async with street_of(service) as street:
        outcome = await street.exchange(head, head)

    assert outcome.answers == ((200, "keep-alive", b"ab"),) * 2
