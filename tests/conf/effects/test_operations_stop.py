"""What the settings of a stop change, seen from outside."""

import asyncio

import pytest

from tests.serving.running import read_answer, request, running

SHORT = 0.3


@pytest.fixture
def service(make):
    """Return a service that waits before it stops listening."""
    service = make(DRAIN_DELAY=SHORT, GRACEFUL_SHUTDOWN_TIMEOUT=5.0)

    @service.get("/one")
    async def one(request):
        return {"one": 1}

    return service


@pytest.mark.punctual
async def test_drain_delay(service):
    loop = asyncio.get_running_loop()
    async with running(service) as run:
        idle, first = await run.send(request("/one"))
        await read_answer(idle)
        assert (await service.readiness.check()).ok
        asked_at = loop.time()
        run.stop.make()
        while not service.stopping:
            await asyncio.sleep(0.001)
        report = await service.readiness.check()
        later, second = await run.send(request("/one"))
        heads = [(await read_answer(later))[0]]
        first.write(request("/one"))
        heads.append((await read_answer(idle))[0])
        assert await run.end() == 0
        passed = loop.time() - asked_at
        first.close()
        second.close()

    assert (report.ok, report.parts) == (False, {"service": "draining"})
    assert all(b"connection: close" in head for head in heads)
    assert passed > SHORT


async def test_drain_delay_is_not_for_a_worker_that_is_replaced(make):
    loop = asyncio.get_running_loop()
    async with running(make(DRAIN_DELAY=60.0), owns_socket=False) as run:
        asked_at = loop.time()
        run.stop.make(delay=False)
        assert await run.end() == 0

    assert loop.time() - asked_at < 30
