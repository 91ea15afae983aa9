"""Requests beyond what a worker has room for: refused early, alike on both paths, by priority."""

import asyncio
import re
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from msframework import Blueprint, Resource, doc
from msframework.access import APIKey, Authenticated
from msframework.exceptions import ServiceUnavailable
from tests.conftest import new_service, serve_service

REFUSED = {
    b"HTTP/1.1 503 Service Unavailable",
    b"x-content-type-options: nosniff",
    b"content-type: application/json",
    b"connection: keep-alive",
    b"content-length: 47",
    b"retry-after: 1",
}


def facts_of(answer):
    """Return the lines of the head, in one spelling, without ids and times; and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = {line.partition(b":")[0].lower() + b":" + line.partition(b":")[2] for line in lines}
    ids = {line for line in fields if line.startswith((b"date:", b"x-request-id:"))}
    return {first, *fields} - ids, body, len(ids)


pytestmark = pytest.mark.asyncio(loop_scope="module")


class Crowd:
    """A service with room for two requests, and those that fill it."""

    def __init__(self, fast):
        name = "fast" if fast else "plain"
        self.service = service = new_service(
            service_name=name, server={"fast_path": fast}, operations={"shedding": True}
        )
        self.serving, self.shedding = service._serving, service._serving.shedding
        self.go, self.begun = asyncio.Event(), 0
        service.authenticate("key", APIKey({"ada": "sha256:" + "0" * 64}))
        calls = Blueprint("calls", priority="low")

        @service.get("/wait")
        async def wait(request):
            self.begun += 1
            await self.go.wait()
            return {}

        @service.get("/now")
        async def now(request):
            return {}

        @service.get("/high")
        @doc.priority("high")
        async def high(request):
            return {}

        @service.post("/guarded")
        @doc.guards(Authenticated())
        @doc.consumes({"id": int})
        async def guarded(request, body):
            return {}

        @calls.get("/low")
        async def low(request):
            return {}

        @calls.resource("/class")
        class Classy(Resource):
            priority = "high"

            async def get(self, request):
                return {}

        @service.get("/streamed")
        async def streamed(request):
            response = await request.respond(content_type="text/plain")
            await response.send("a")
            await wait(request)
            await response.eof()

        @service.post("/body")
        async def body(request):
            return {}

        @service.post("/stream", stream=True)
        async def stream(request):
            await wait(request)
            response = await request.respond()
            await response.eof()

        @service.websocket("/socket")
        async def socket(request, websocket):
            await wait(request)

        service.blueprint(calls)

    async def connect(self, text):
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(text)
        return reader, writer

    async def ask(self, path, method="GET", more=b"", body=b""):
        line = f"{method} {path} HTTP/1.1\r\nHost: x\r\n".encode()
        if body:
            line += b"Content-Length: %d\r\n" % len(body)
        reader, writer = await self.connect(line + more + b"\r\n" + body)
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        answer = head + await reader.readexactly(int(size[1]) if size else 0)
        writer.close()
        return answer

    async def status(self, path, **options):
        return int((await self.ask(path, **options)).split()[1])

    @asynccontextmanager
    async def full(self, *heads):
        """Send *heads*, whose handlers wait; those of two requests by default."""
        heads = heads or [b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"] * 2
        self.go.clear()
        self.begun = 0
        writers = [(await self.connect(head))[1] for head in heads]
        async with asyncio.timeout(30):
            while self.begun < len(heads):
                await asyncio.sleep(0.001)
            yield
            self.go.set()
            for writer in writers:
                writer.close()
            while self.serving.in_flight:
                await asyncio.sleep(0.001)
        assert not self.shedding._aside
        assert not self.shedding._timed


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def crowd(request):
    crowd = Crowd(request.param)
    async with serve_service(crowd.service) as crowd.address:
        crowd.shedding._limit._least = 2
        crowd.shedding._limit._set(2)
        crowd.shedding._limit.update = lambda: None  # it stays where a test puts it
        crowd.shedding._open()
        yield crowd


async def test_what_finds_no_room_is_refused_as_every_failure_is(crowd):
    assert await crowd.status("/now") == 200
    before = crowd.shedding.refused["concurrency", "normal"]
    async with crowd.full():
        lines, body, ids = facts_of(await crowd.ask("/now"))
    assert (lines, ids) == (REFUSED, 2)
    assert body == b'{"code":100503,"message":"Service Unavailable"}'
    assert crowd.shedding.refused["concurrency", "normal"] == before + 1
    assert await crowd.status("/now") == 200


async def test_the_connection_of_a_refused_request_stays(crowd):
    async with crowd.full():
        reader, writer = await crowd.connect(b"GET /now HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        for _ in range(2):
            assert (await reader.readuntil(b'Unavailable"}')).startswith(b"HTTP/1.1 503")
        crowd.go.set()
        while crowd.serving.in_flight:
            await asyncio.sleep(0.001)
        writer.write(b"GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_it_is_refused_before_its_credentials_and_its_body_are_looked_at(crowd):
    assert await crowd.status("/guarded", method="POST", body=b"{") == 401
    async with crowd.full():
        assert await crowd.status("/guarded", method="POST", body=b"{") == 503
        reader, writer = await crowd.connect(
            b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"connection: close" in answer.lower()
        writer.close()


@pytest.mark.parametrize(
    ("waiting", "statuses"),
    [(0, [200, 200, 200, 200]), (1, [503, 200, 200, 200]), (2, [503, 503, 503, 503])],
)
async def test_priorities_have_more_room_or_less(crowd, waiting, statuses):
    crowd.shedding._limit._set(2)
    paths = ("/low", "/now", "/high", "/class")
    if not waiting:
        assert [await crowd.status(path) for path in paths] == statuses
        return
    async with crowd.full(*[b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"] * waiting):
        assert [await crowd.status(path) for path in paths] == statuses


async def test_callers_that_matter_most_find_room_above_the_limit(crowd):
    crowd.shedding._limit._set(4)
    try:
        async with crowd.full(*[b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"] * 4):
            assert await crowd.status("/now") == 503
            assert await crowd.status("/high") == 200
            assert await crowd.status("/class") == 200
    finally:
        crowd.shedding._limit._set(2)


SOCKET = (
    b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /streamed HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n",
        SOCKET,
    ],
    ids=["streamed", "stream", "websocket"],
)
async def test_what_lasts_as_long_as_its_client_likes_takes_no_room(crowd, head):
    async with crowd.full(head, head):
        assert await crowd.status("/now") == 200


async def test_a_body_that_does_not_come_takes_no_room(crowd):
    head = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
    writers = [(await crowd.connect(head))[1] for _ in range(3)]
    async with asyncio.timeout(30):
        while crowd.serving.in_flight < 3:
            await asyncio.sleep(0.001)
        assert await crowd.status("/now") == 200
        for writer in writers:
            writer.close()
        while crowd.serving.in_flight:
            await asyncio.sleep(0.001)
    assert not crowd.shedding._aside


async def test_what_waited_too_long_for_the_loop_is_refused(crowd, monkeypatch):
    patience = crowd.shedding._patience
    patience.is_watching = True
    crowd.shedding._open()
    monkeypatch.setattr(type(patience), "is_over", lambda self, waited, share: waited >= 0)
    monkeypatch.setattr(type(patience), "observe", lambda self, lag: None)
    try:
        assert await crowd.status("/now") == 503
        assert crowd.shedding.refused["delay", "normal"] == 1
    finally:
        patience.is_watching = False
        crowd.shedding._open()


async def test_an_unknown_path_is_refused_too(crowd):
    async with crowd.full():
        assert crowd.serving.free <= 2
        assert await crowd.status("/nowhere") == 503


async def test_latency_is_learned_on_both_paths(crowd):
    crowd.shedding._samples = 8
    crowd.shedding._open()
    for _ in range(8):
        assert await crowd.status("/now") == 200
    baselines = [
        route.extra.loads["GET"].baseline
        for route in crowd.service.router.routes
        if "GET" in getattr(route.extra, "loads", ())
    ]
    assert any(baseline.count for baseline in baselines)


async def test_a_users_own_answer_to_exceptions_is_asked(make_service, serve):
    service = make_service(operations={"shedding": True})
    service.get("/now", name="now")(lambda request: {})

    @service.exception(ServiceUnavailable)
    async def explain(request, exc):
        return service._serving.failures._render(
            request, exc, type(exc)("own"), service._serving.failures.envelope, None
        )

    async with serve(service) as (host, port):
        service._serving.shedding._limit.value = 0
        service._serving.shedding._open()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b'"error":"own"' in await reader.readuntil(b"}")
        writer.close()


async def test_a_service_without_it_has_none(make_service):
    assert make_service()._serving.shedding is None


async def test_those_that_wait_are_accepted_at_each_tick_until_the_stop(crowd, monkeypatch):
    asked = asyncio.Event()
    monkeypatch.setattr(crowd.serving.backlog, "accept", asked.set)
    async with asyncio.timeout(30):
        for _ in range(2):
            await asked.wait()
            asked.clear()

        monkeypatch.setattr(crowd.serving, "stopping", True)
        asked.clear()
        last = crowd.shedding._ticks + 2
        while crowd.shedding._ticks < last:
            await asyncio.sleep(0.01)
    assert not asked.is_set()
