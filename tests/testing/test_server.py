"""Servers for tests: the app's life cycle, a failing start, and stopping amid requests."""

import asyncio

import aiohttp
import pytest

from msframework.testing import BackgroundServer, TestClient, serving


def note_listeners(service):
    seen = []
    for event in (
        "before_server_start",
        "after_server_start",
        "before_server_stop",
        "after_server_stop",
    ):
        service.register_listener(lambda app, event=event: seen.append(event), event)
    return seen


async def test_listeners_run_in_sanics_order(service):
    seen = note_listeners(service)

    async with serving(service):
        assert seen == ["before_server_start", "after_server_start"]

    assert seen[2:] == ["before_server_stop", "after_server_stop"]


async def test_an_app_is_served_again(service):
    for _ in range(2):
        async with serving(service) as server, TestClient(server.url) as client:
            assert (await client.get("/visits/teapot")).status == 418


async def test_a_request_under_way_is_answered_before_the_stop(service):
    entered, go_on = asyncio.Event(), asyncio.Event()

    @service.get("/slow")
    async def slow(request):
        entered.set()
        await go_on.wait()
        return "done"

    async with serving(service) as server, aiohttp.ClientSession() as session:
        task = asyncio.create_task(session.get(f"{server.url}/slow"))
        await entered.wait()
        asyncio.get_running_loop().call_later(0.02, go_on.set)
        await server.stop()
        assert (await (await task).json())["data"] == "done"


async def test_a_request_that_does_not_end_is_cut_off(service):
    entered = asyncio.Event()
    service.config.GRACEFUL_SHUTDOWN_TIMEOUT = 0.01

    @service.get("/slow")
    async def slow(request):
        entered.set()
        await asyncio.Event().wait()

    async with aiohttp.ClientSession() as session:
        async with serving(service) as server:
            task = asyncio.create_task(session.get(f"{server.url}/slow"))
            await entered.wait()
        with pytest.raises(aiohttp.ClientError):
            await task


async def test_tasks_of_the_app_end_with_it(service):
    task = None

    @service.after_server_start
    async def start(app):
        nonlocal task
        task = app.add_task(asyncio.Event().wait(), name="waits")

    async with serving(service):
        assert not task.done()

    assert task.cancelled()


def fail_to_start(service):
    @service.before_server_start
    async def fail(app):
        raise LookupError("no start")


async def test_a_failing_start_surfaces(service):
    fail_to_start(service)

    with pytest.raises(LookupError, match="no start"):
        async with serving(service):
            pass


def test_a_failing_start_in_the_background_surfaces(service):
    fail_to_start(service)
    server = BackgroundServer(service)

    with pytest.raises(LookupError, match="no start"):
        server.start()

    with pytest.raises(RuntimeError, match="not started"):
        _ = server.thread
    server.stop()


def test_a_background_server_serves_and_runs_what_it_is_given(service):
    async def call(url):
        async with TestClient(url) as client:
            return (await client.get("/visits/teapot")).status

    with BackgroundServer(service) as server:
        assert server.thread.run(call(server.url)) == 418
        with pytest.raises(TimeoutError):
            server.thread.run(asyncio.sleep(30), 0.01)


async def test_a_listener_that_fails_to_stop_leaves_nothing_open(service):
    seen = note_listeners(service)

    @service.before_server_stop
    async def fail(app):
        raise LookupError("no stop")

    async with aiohttp.ClientSession() as session:
        with pytest.raises(LookupError, match="no stop"):
            async with serving(service) as server:
                pass
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(server.url)

    assert seen[-1] == "after_server_stop"
