"""Failures beside handlers: middleware, exception handlers, tasks, time-outs; each is told once."""

import asyncio
import contextlib
import gc
import logging

import aiohttp
import pytest
from sanic import response as sanic_response
from yarl import URL

from msframework import Blueprint, NotFound
from msframework.envelope import DefaultEnvelope
from msframework.testing.server import serving


class Watch:
    """A service, and what its hooks and the log are told."""

    def __init__(self, service, caplog):
        self.service, self._caplog = service, caplog
        self.hooked = []
        self.told = asyncio.Event()
        service.on_error(self.hook)

    def hook(self, request, exc, span):
        self.hooked.append((request, exc, span))
        self.told.set()

    @property
    def errors(self):
        return [record for record in self._caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def watch(request, make_service, caplog):
    caplog.set_level(logging.INFO)
    service = make_service(
        server={"fast_path": request.param, "response_timeout": 0.4, "keep_alive_timeout": 30.0},
        log={"access": False},
    )

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    @service.get("/zero")
    async def zero(request):
        return 1 / 0

    @service.get("/plain", stream=True)
    async def plain(request):
        raise ZeroDivisionError

    return Watch(service, caplog)


async def get(serve, service, *paths):
    """Return status, headers and JSON of each path, all on one connection."""
    found = []
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        for path in paths:
            async with session.get(f"http://{host}:{port}{path}") as response:
                found.append((response.status, response.headers, await response.json()))
    return found


@pytest.mark.parametrize("kind", ["request", "response"])
async def test_middleware_that_fails_is_told_once(watch, serve, kind):
    @watch.service.middleware(kind)
    async def fail(request, response=None):
        raise ValueError("in middleware")

    ((status, headers, body),) = await get(serve, watch.service, "/one")

    assert status == (500 if kind == "request" else 200)
    assert body["code"] == (100500 if kind == "request" else 0)
    assert "x-request-id" in headers
    assert "date" in headers
    assert [str(exc) for _, exc, _ in watch.hooked] == ["in middleware"]
    assert len(watch.errors) == 1


@pytest.mark.parametrize("path", ["/zero", "/plain", "/nothing"])
@pytest.mark.parametrize("awaits", [True, False])
async def test_an_exception_handler_that_fails_is_told_and_answered_for(watch, serve, path, awaits):
    if awaits:

        @watch.service.exception(Exception)
        async def handle(request, exc):
            raise ValueError("in a handler of exceptions")
    else:

        @watch.service.exception(Exception)
        def handle_at_once(request, exc):
            raise ValueError("in a handler of exceptions")

    ((status, headers, body), (again, _, _)) = await get(serve, watch.service, path, "/one")

    assert (status, body["code"], again) == (500, 100500, 200)
    assert "x-request-id" in headers
    assert [str(exc) for _, exc, _ in watch.hooked] == ["in a handler of exceptions"]
    assert len(watch.errors) == 1


@pytest.mark.parametrize("when", ["before", "while", "named"])
async def test_a_task_that_fails_is_told_once(watch, serve, when):
    async def work():
        await asyncio.sleep(0)
        raise ValueError("in a task")

    service = watch.service
    if when == "before":
        service.add_task(work())
    else:

        @service.after_server_start
        async def begin(app):
            app.add_task(work(), name="work" if when == "named" else None)

    async with serve(service):
        await asyncio.wait_for(watch.told.wait(), 30)
        await asyncio.sleep(0)
        if when == "named":
            with pytest.raises(ValueError, match="in a task"):
                await service.get_task("work")
    gc.collect()

    ((request, exc, span),) = watch.hooked
    assert (request, str(exc), span) == (None, "in a task", None)
    (error,) = watch.errors
    assert error.getMessage() == "a task failed: ValueError"


async def test_a_task_that_is_cancelled_is_no_failure(watch, serve):
    @watch.service.after_server_start
    async def begin(app):
        app.add_task(asyncio.Event().wait(), name="work")

    async with serve(watch.service):
        pass

    assert watch.hooked == []


async def test_a_handler_that_lets_a_cancellation_through_is_answered_for(watch, serve):
    @watch.service.get("/cancelled")
    async def cancelled(request):
        raise asyncio.CancelledError

    ((status, _, body),) = await get(serve, watch.service, "/cancelled")

    assert (status, body["code"]) == (500, 100500)
    assert len(watch.hooked) == len(watch.errors) == 1


async def test_a_second_respond_breaks_the_answer_off(watch, serve):
    @watch.service.get("/twice")
    async def twice(request):
        answer = await request.respond()
        await answer.send("a")
        await request.respond(sanic_response.text("b"))

    async with serve(watch.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /twice HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            data = await asyncio.wait_for(reader.read(), 30)
        except ConnectionResetError:
            data = b""
        writer.close()

    assert b"0\r\n\r\n" not in data
    assert len(watch.hooked) == len(watch.errors) == 1


class Failing(DefaultEnvelope):
    """An envelope that cannot say what went wrong."""

    def error(self, facts):
        if facts.path == "/odd":
            raise LookupError("in the envelope")
        return super().error(facts)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", ["no JSON", "envelope"])
async def test_a_failure_that_cannot_be_told_is_a_plain_500(watch, serve, stream, kind):
    if kind == "envelope":
        watch.service._serving.failures.envelope = Failing()

    @watch.service.get("/odd", stream=stream)
    async def odd(request):
        raise NotFound(error=object())

    ((status, _, body), (again, _, _)) = await get(serve, watch.service, "/odd", "/one")

    assert (status, body["code"], again) == (500, 100500, 200)
    assert len(watch.hooked) == len(watch.errors) == 1


async def test_a_request_that_the_server_ends_at_its_stop_is_no_clients_fault(make_service, caplog):
    caplog.set_level(logging.INFO)
    service = make_service(server={"graceful_timeout": 0.05}, log={"access": False})
    watch, entered = Watch(service, caplog), asyncio.Event()
    spans = []
    service.tracer.record = spans.append

    @service.get("/wait")
    async def wait(request):
        entered.set()
        await asyncio.Event().wait()

    async with serving(service) as server:
        port = int(server.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await entered.wait()
    writer.close()

    assert watch.hooked == []
    assert [error.getMessage() for error in watch.errors] == [
        "GET /wait was broken off: the server stops"
    ]
    assert [span.tags["http.status_code"] for span in spans] == [503]


@pytest.mark.parametrize("sent", ["", "a"])
@pytest.mark.parametrize("second", [{"x": 1}, [], "", 0, sanic_response.text("two")])
async def test_what_is_returned_beside_a_response_is_an_error(watch, serve, sent, second):
    @watch.service.get("/second")
    async def twice(request):
        answer = await request.respond(content_type="text/plain")
        if sent:
            await answer.send(sent)
        return second

    async with serve(watch.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(2):
            writer.write(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"}}")
        writer.write(b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            data = b""
            while sent or not data.endswith(b"}"):
                piece = await asyncio.wait_for(reader.read(1 << 16), 30)
                if not piece:
                    break
                data += piece
        except ConnectionResetError:
            pass
        writer.close()

    if sent:
        assert b"\r\n0\r\n\r\n" not in data
    else:
        assert data.startswith(b"HTTP/1.1 500 ")
        assert b'"code":100500' in data
    assert len(watch.hooked) == len(watch.errors) == 1
    assert "after request.respond()" in str(watch.hooked[0][1])


@pytest.mark.parametrize("kind", ["nothing", "itself", "given"])
async def test_a_method_may_return_the_response_that_it_began(watch, serve, kind):
    @watch.service.get("/began")
    async def began(request):
        if kind == "given":
            given = sanic_response.json({"n": 2})
            await request.respond(given)
            return given
        answer = await request.respond(content_type="application/json")
        await answer.send('{"n": 2}')
        return answer if kind == "itself" else None

    found = await get(serve, watch.service, "/began", "/began", "/one")

    assert [status for status, _, _ in found] == [200] * 3
    assert found[0][2] == {"n": 2}
    assert watch.hooked == watch.errors == []


@pytest.mark.parametrize("path", ["/" + "x" * 5000, "/" + "%C3%A9" * 900, "/one/" + "y/" * 2000])
async def test_an_unknown_path_is_repeated_in_part(watch, serve, path):
    async with serve(watch.service) as (host, port), aiohttp.ClientSession() as session:
        for method, known in (("GET", 404), ("BREW", 404), ("B" * 5000, 404)):
            url = URL(f"http://{host}:{port}{path}", encoded=True)
            async with session.request(method, url) as response:
                body = await response.read()
            assert (response.status, len(body) < 400) == (known, True), body
        async with session.request("B" * 5000, f"http://{host}:{port}/one") as response:
            body = await response.read()
            assert (response.status, len(body) < 400) == (405, True), body
        async with session.get(f"http://{host}:{port}/short") as response:
            assert (await response.json())["error"] == "Requested URL /short not found"


class NoException(BaseException):
    """What `except Exception` lets through."""


@pytest.mark.parametrize("path", ["/raises", "/streams", "/guarded", "/begun"])
@pytest.mark.parametrize("kind", [GeneratorExit, SystemExit, NoException])
async def test_what_is_no_exception_is_told_once_and_ends_the_connection(watch, serve, path, kind):
    @watch.service.get("/raises")
    async def raises(request):
        raise kind

    @watch.service.get("/streams", stream=True)
    async def streams(request):
        raise kind

    @watch.service.get("/begun")
    async def begun(request):
        answer = await request.respond(content_type="text/plain")
        await answer.send("a")
        raise kind

    guarded = Blueprint("guarded")

    @guarded.on_request
    async def guard(request):
        raise kind

    @guarded.get("/guarded")
    async def never(request): ...

    watch.service.blueprint(guarded)
    async with serve(watch.service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"}}")
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            data = await asyncio.wait_for(reader.read(), 30)
            assert b"\r\n0\r\n\r\n" not in data
        writer.close()
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{host}:{port}/one") as response:
                status = response.status
    gc.collect()

    assert status == 200
    assert [type(exc) for _, exc, _ in watch.hooked] == [kind]
    assert len(watch.errors) == 1


@pytest.mark.parametrize("kind", [GeneratorExit, SystemExit, NoException, asyncio.CancelledError])
async def test_what_is_no_exception_in_a_websocket_closes_with_1011(watch, serve, kind):
    @watch.service.websocket("/feed")
    async def feed(request, ws):
        await ws.recv()
        raise kind

    async with serve(watch.service) as (host, port), aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://{host}:{port}/feed") as ws:
            await ws.send_str("go")
            message = await asyncio.wait_for(ws.receive(), 10)
        async with session.get(f"http://{host}:{port}/one") as response:
            status = response.status
    gc.collect()

    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1011)
    assert status == 200
    assert [type(exc) for _, exc, _ in watch.hooked] == [kind]
    assert len(watch.errors) == 1


@pytest.mark.parametrize("kind", [GeneratorExit, SystemExit, NoException, asyncio.CancelledError])
@pytest.mark.parametrize("when", ["before", "while"])
async def test_what_is_no_exception_in_a_task_is_told_once(watch, serve, kind, when):
    async def work():
        await asyncio.sleep(0)
        raise kind

    if when == "before":
        watch.service.add_task(work())
    else:

        @watch.service.after_server_start
        async def begin(app):
            app.add_task(work())

    async with serve(watch.service):
        await asyncio.wait_for(watch.told.wait(), 10)
        await asyncio.sleep(0)
    gc.collect()

    assert [type(exc) for _, exc, _ in watch.hooked] == [kind]
    errors = [record.getMessage() for record in watch.errors if record.levelno >= logging.ERROR]
    assert errors == [f"a task failed: {kind.__name__}"]


async def test_an_answer_whose_stream_is_cancelled_by_its_own_code_is_a_failure(watch, serve):
    @watch.service.get("/begun", stream=True)
    async def begun(request):
        answer = await request.respond()
        await answer.send("a")
        raise asyncio.CancelledError

    async with serve(watch.service) as (host, port), aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.get(f"http://{host}:{port}/begun") as response:
                await response.read()

    assert [type(exc) for _, exc, _ in watch.hooked] == [asyncio.CancelledError]
    assert len(watch.errors) == 1
