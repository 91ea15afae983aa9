"""How many requests are in flight: counted on both paths, at every exit."""

import asyncio

import pytest
import pytest_asyncio

from tests.conftest import new_service, serve_service


class Held:
    """A service whose handlers wait until they are told, and what it has in flight."""

    def __init__(self, fast):
        self.service = service = new_service(
            service_name="fast" if fast else "plain", server={"fast_path": fast}
        )
        self.seen, self.begun, self.go = [], asyncio.Event(), asyncio.Event()

        @service.get("/wait")
        async def wait(request):
            self.begun.set()
            await self.go.wait()
            return {}

        @service.get("/now")
        async def now(request):
            self.seen.append(self.in_flight)
            return {}

        @service.get("/fail")
        async def fail(request):
            raise RuntimeError("it fails")

        @service.get("/stream")
        async def stream(request):
            response = await request.respond(content_type="text/plain")
            await response.send("a")
            self.seen.append(self.in_flight)
            await response.eof()

    @property
    def in_flight(self):
        return self.service._serving.in_flight


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def held(request):
    held = Held(request.param)
    async with serve_service(held.service) as held.address:
        yield held


async def ask(held, path):
    reader, writer = await asyncio.open_connection(*held.address)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    try:
        return int((await reader.read()).split()[1])
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "status", "seen"),
    [("/now", 200, [1]), ("/fail", 500, []), ("/stream", 200, [1]), ("/nowhere", 404, [])],
)
async def test_one_request_counts_once_and_no_longer_than_it_lasts(held, path, status, seen):
    held.seen.clear()
    assert await ask(held, path) == status
    assert (held.seen, held.in_flight) == (seen, 0)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_that_hangs_up_leaves_none_behind(held):
    held.begun.clear()
    _, writer = await asyncio.open_connection(*held.address)
    writer.write(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    await held.begun.wait()
    assert held.in_flight == 1
    writer.transport.abort()
    async with asyncio.timeout(30):
        while held.in_flight:
            await asyncio.sleep(0.001)
