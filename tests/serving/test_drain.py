"""The end of connections: who is answered, who is told to go, and who is cut off."""

import asyncio
import ssl

import pytest
import websockets

from msframework.conf.settings import TLSSettings
from msframework.serving.tls import ServerTLS
from tests.certificates import Authority
from tests.serving.running import read_answer, request, running

QUIET = 1.0


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def build(request, make_service):
    """Return what builds a service, on either path; `entered` is set when a handler runs."""

    def build(**server):
        service = make_service(
            service_name=f"drained_{request.param}",
            server={"fast_path": request.param, "graceful_timeout": 60.0} | server,
        )
        service.ctx.entered, service.ctx.go = asyncio.Event(), asyncio.Event()
        add_routes(service)
        return service

    return build


def add_routes(service):
    """Give *service* handlers that wait for a word."""
    loop = asyncio.get_running_loop()

    async def enter(app):
        """Tell the test, and wait for its word."""
        loop.call_soon_threadsafe(app.ctx.entered.set)
        while not app.ctx.go.is_set():
            await asyncio.sleep(0.005)

    @service.get("/wait")
    async def wait(request):
        await enter(request.app)
        return {"waited": True}

    @service.post("/post")
    async def post(request):
        return {"size": len(request.body)}

    @service.get("/now")
    async def now(request):
        return {"now": True}

    @service.get("/stream")
    async def stream(request):
        response = await request.respond(content_type="text/plain")
        await response.send("begun ")
        await enter(request.app)
        await response.send("ended")

    @service.websocket("/feed")
    async def feed(request, ws):
        async for message in ws:
            await ws.send(message)

    @service.websocket("/brief")
    async def brief(request, ws):
        pass

    @service.websocket("/cancelled")
    async def cancelled(request, ws):
        raise asyncio.CancelledError

    @service.websocket("/sending")
    async def sending(request, ws):
        while True:
            await ws.send("a")
            await asyncio.sleep(0.01)


async def stopped(run):
    """Ask *run* to stop, and wait until it no longer accepts."""
    run.stop.make()
    while run.sock.fileno() >= 0 and not run.service.stopping:
        await asyncio.sleep(0.002)


async def test_what_was_asked_is_answered_and_the_connection_closed(build):
    async with running(service := build()) as run:
        waiting, one = await run.send(request("/wait"))
        await service.ctx.entered.wait()
        half, two = await run.send(request("/post", body=b'{"a": 1}')[:-4])
        streaming, three = await run.send(request("/stream"))
        await streaming.readuntil(b"begun ")
        idle, four = await run.send(request("/now"))
        await read_answer(idle)
        await stopped(run)
        four.write(request("/now"))
        two.write(b": 1}")
        answers = [await read_answer(idle), await read_answer(half)]
        service.ctx.go.set()
        answers.append(await read_answer(waiting))
        rest = await streaming.read()
        assert await run.end() == 0
        for writer in (one, two, three, four):
            writer.close()

    assert [body for _, body in answers] == [
        b'{"code":0,"data":{"now":true}}',
        b'{"code":0,"data":{"size":8}}',
        b'{"code":0,"data":{"waited":true}}',
    ]
    assert all(b"connection: close" in head for head, _ in answers)
    assert rest.endswith(b"ended\r\n0\r\n\r\n")


async def test_requests_that_came_together_are_all_answered(build):
    async with running(service := build()) as run:
        reader, writer = await run.send(request("/wait") + request("/now") * 2)
        await service.ctx.entered.wait()
        await stopped(run)
        service.ctx.go.set()
        heads = [(await read_answer(reader))[0] for _ in range(3)]
        assert await reader.read() == b""
        writer.close()

    assert [b"connection: close" in head for head in heads] == [False, False, True]


async def test_an_idle_connection_is_closed_when_it_was_silent_for_a_while(build):
    loop = asyncio.get_running_loop()
    async with running(build()) as run:
        silent_since = loop.time()
        reader, writer = await run.send(request("/now"))
        await read_answer(reader)
        await stopped(run)
        assert await reader.read() == b""
        passed = loop.time() - silent_since
        writer.close()

    assert QUIET * 0.9 < passed < 50.0


async def test_websockets_go_away_at_once(build):
    async with running(build()) as run:
        async with websockets.connect(f"ws://127.0.0.1:{run.port}/feed") as feed:
            await feed.send("one")
            assert await feed.recv() == "one"
            await stopped(run)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await feed.recv()
        assert await run.end() == 0

    assert closed.value.rcvd.code == 1001


HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
# Masked (RFC 6455, 5.3), by nothing.
TEXT = b"\x81\x83" + bytes(4) + b"two"
ANSWER = b"\x88\x82" + bytes(4) + b"\x03\xe8"


@pytest.mark.parametrize("path", [b"/brief", b"/cancelled", b"/sending"])
async def test_a_websocket_stays_until_its_client_answers_the_close(build, path):
    async with running(build()) as run:
        reader, writer = await run.send(HANDSHAKE % path)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        if path == b"/sending":
            await stopped(run)
        while (await reader.readexactly(1)) != b"\x88":
            await reader.readexactly((await reader.readexactly(1))[0])
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(TEXT)
        with pytest.raises(TimeoutError):  # neither an end nor a reset
            async with asyncio.timeout(0.1):
                await reader.read(1)
        writer.write(ANSWER)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_a_client_that_never_answers_the_close_is_not_waited_for(build, monkeypatch):
    monkeypatch.setattr("msframework.serving.websocket._PATIENCE", 0.05)
    async with running(build()) as run:
        reader, writer = await run.send(HANDSHAKE % b"/brief")
        async with asyncio.timeout(30):
            assert (await reader.read()).endswith(b"\x88\x02\x03\xe8")
        writer.close()


@pytest.mark.punctual
async def test_what_outlasts_the_grace_period_is_answered_503_or_broken_off(build, caplog):
    async with running(service := build(graceful_timeout=0.3)) as run:
        waiting, one = await run.send(request("/wait"))
        await service.ctx.entered.wait()
        streaming, two = await run.send(request("/stream"))
        await streaming.readuntil(b"begun ")
        half, three = await run.send(request("/post", body=b'{"a": 1}')[:-4])
        head_only, four = await run.send(request("/now")[:-4])
        await stopped(run)
        answers = [await read_answer(each) for each in (waiting, half, head_only)]
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await streaming.readuntil(b"0\r\n\r\n")
        assert await run.end() == 0
        for writer in (one, two, three, four):
            writer.close()

    assert [head[:13] for head, _ in answers] == [b"http/1.1 503 "] * 3
    assert all(b"connection: close" in head for head, _ in answers)
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert sum("did not end within the grace period" in text for text in said) == 1
    assert sum("/stream was broken off: The service stops" in text for text in said) == 1


@pytest.mark.punctual
async def test_a_handler_that_ignores_its_end_is_cut_off(build, caplog):
    service, loop = build(graceful_timeout=0.1, part_stop_timeout=0.1), asyncio.get_running_loop()

    @service.get("/stubborn")
    async def stubborn(request):
        while True:
            try:
                loop.call_soon_threadsafe(service.ctx.entered.set)
                await asyncio.sleep(3)
            except asyncio.CancelledError:
                pass

    async with running(service) as run:
        reader, writer = await run.send(request("/stubborn"))
        await service.ctx.entered.wait()
        await stopped(run)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readuntil(b"\r\n\r\n")
        assert await run.end() == 0
        writer.close()

    assert "GET /stubborn was cut off" in caplog.text


@pytest.mark.punctual
async def test_half_a_head_is_answered_and_not_logged_as_cut_off(build, caplog):
    service = build(graceful_timeout=0.1, part_stop_timeout=0.1)

    async with running(service) as run:
        reader, writer = await run.send(b"GET /one HT")
        await stopped(run)
        answer = await reader.read()  # and does not close its half
        assert await run.end() == 0
        writer.close()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert "cut off" not in caplog.text


async def test_a_handshake_of_tls_that_has_begun_comes_to_its_end(build, tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue()
    service = build()
    service._serving.tls = ServerTLS(TLSSettings(cert=pair.cert, key=pair.key), 5.0)
    context = ssl.create_default_context(cafile=authority.ca)
    async with running(service) as run:
        reader, writer = await run.connect()
        while not service._serving.tls.pending:
            await asyncio.sleep(0.002)
        await stopped(run)
        await writer.start_tls(context, server_hostname="localhost")
        writer.write(request("/now"))
        head, body = await read_answer(reader)
        assert await run.end() == 0
        writer.close()

    assert b"connection: close" in head
    assert b'"now":true' in body
